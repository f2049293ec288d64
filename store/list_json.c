/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Feeds, batches and the history of publications as JSON, one row a member.
 * Threads: pure functions. Memory: what a call returns is the caller's.
 */
#include "store/list_json.h"

#include <arpa/inet.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "store/number.h"

enum type { TEXT, U8, U16, U32, U64, I64, BOOL, ACTION, KIND, SCOPE, V4, V6 };

struct member {
    const char *name;
    size_t off, size;
    enum type type;
    int64_t max;
};

#define ROW(structure, field, name, type, max)                                                     \
    {                                                                                              \
        name, offsetof(struct structure, field), sizeof(((struct structure *)0)->field), type, max \
    }
#define FEED(field, name, type, max) ROW(sinkhole_feed, field, name, type, max)
#define BATCH(field, name, type, max) ROW(sinkhole_batch, field, name, type, max)
#define PUBLICATION(field, name, type, max) ROW(sinkhole_publication, field, name, type, max)

static const char *const actions[] = {"inherit",  "monitor", "tcp-only", "address", "nodata",
                                      "nxdomain", "drop",    "allow",    NULL};
static const char *const kinds[] = {"block", "allow", "authority", NULL};
static const char *const scopes[] = {"exact", "below", "subtree", NULL};

static const struct member feed_members[] = {
    FEED(policy.kind, "kind", KIND, 0),
    FEED(policy.action, "action", ACTION, 0),
    FEED(policy.rank, "rank", U16, 1000),
    FEED(policy.ttl_s, "ttl_s", U32, 86400),
    FEED(policy.ede_code, "ede", U16, UINT16_MAX),
    FEED(policy.ede_text, "ede_text", TEXT, 0),
    FEED(policy.v4, "ipv4", V4, 0),
    FEED(policy.v6, "ipv6", V6, 0),
    FEED(title, "title", TEXT, 0),
    FEED(contact, "contact", TEXT, 0),
    FEED(format, "format", TEXT, 0),
    FEED(classified, "classified", BOOL, 0),
    FEED(entries, "entries", U64, INT64_MAX),
    FEED(updated_ms, "updated_ms", I64, INT64_MAX),
    FEED(updated_generation, "updated_generation", U64, INT64_MAX),
    {0},
};

static const struct member batch_members[] = {
    BATCH(feed, "feed", TEXT, 0),
    BATCH(rule.scope, "scope", SCOPE, 0),
    BATCH(rule.action, "action", ACTION, 0),
    BATCH(rule.valid_until, "valid_until", I64, INT64_MAX),
    BATCH(rule.severity, "severity", U8, 4),
    BATCH(rule.confidence, "confidence", U8, 100),
    BATCH(reference, "reference", TEXT, 0),
    BATCH(issuer, "issuer", TEXT, 0),
    BATCH(issued, "issued", TEXT, 0),
    BATCH(received, "received", TEXT, 0),
    BATCH(who, "who", TEXT, 0),
    BATCH(remark, "remark", TEXT, 0),
    BATCH(family, "family", TEXT, 0),
    BATCH(category, "category", TEXT, 0),
    BATCH(tlp, "tlp", TEXT, 0),
    BATCH(import, "import", TEXT, 0),
    BATCH(published_ms, "published_ms", I64, INT64_MAX),
    BATCH(generation, "generation", U64, INT64_MAX),
    BATCH(address_count, "addresses", U64, INT64_MAX),
    {0},
};

static const struct member publication_members[] = {
    PUBLICATION(published_ms, "published_ms", I64, INT64_MAX),
    PUBLICATION(added, "added", U64, INT64_MAX),
    PUBLICATION(removed, "removed", U64, INT64_MAX),
    PUBLICATION(reversible, "reversible", BOOL, 0),
    PUBLICATION(who, "who", TEXT, 0),
    PUBLICATION(text, "text", TEXT, 0),
    {0},
};

static const char *const *words_of(enum type type)
{
    return type == ACTION ? actions : type == KIND ? kinds : scopes;
}

/* --- writing --- */

static int64_t load_number(const uint8_t *at, size_t size)
{
    uint64_t value = 0;

    memcpy(&value, at, size); /* little-endian machines only: configure checks */
    return (int64_t)value;
}

static json_t *address_json(enum type type, const uint8_t *at)
{
    char text[INET6_ADDRSTRLEN];

    inet_ntop(type == V4 ? AF_INET : AF_INET6, at, text, sizeof(text));
    return json_string(text);
}

static json_t *member_json(const struct member *member, const uint8_t *at)
{
    const char *const *words;
    size_t n = 0;

    switch (member->type) {
    case TEXT:
        return json_stringn((const char *)at, strnlen((const char *)at, member->size - 1));
    case BOOL:
        return json_boolean(*at);
    case V4:
    case V6:
        return address_json(member->type, at);
    case ACTION:
    case KIND:
    case SCOPE:
        words = words_of(member->type);
        while (words[n] != NULL)
            n++;
        return *at < n ? json_string(words[*at]) : NULL;
    default:
        return json_integer(load_number(at, member->size));
    }
}

static char *write_json(const struct member *members, const void *object, bool no_v4, bool no_v6)
{
    json_t *json = json_object();
    char *text = NULL;

    if (json == NULL)
        return NULL;
    for (const struct member *member = members; member->name != NULL; member++) {
        const uint8_t *at = (const uint8_t *)object + member->off;
        json_t *value;

        if ((member->type == TEXT && *at == '\0') || (member->type == V4 && no_v4) ||
            (member->type == V6 && no_v6))
            continue;
        value = member_json(member, at);
        if (value == NULL || json_object_set_new(json, member->name, value) != 0)
            goto out;
    }
    text = json_dumps(json, JSON_COMPACT);
out:
    json_decref(json);
    return text;
}

char *sinkhole_feed_to_json(const struct sinkhole_feed *feed)
{
    return write_json(feed_members, feed, !feed->policy.has_v4, !feed->policy.has_v6);
}

char *sinkhole_batch_to_json(const struct sinkhole_batch *batch)
{
    return write_json(batch_members, batch, true, true);
}

char *sinkhole_publication_to_json(const struct sinkhole_publication *publication)
{
    return write_json(publication_members, publication, true, true);
}

/* --- reading --- */

static bool read_word(const char *const *words, const json_t *value, uint8_t *at)
{
    const char *text = json_string_value(value);

    for (uint8_t i = 0; text != NULL && words[i] != NULL; i++) {
        if (strcmp(words[i], text) == 0) {
            *at = i;
            return true;
        }
    }
    return false;
}

static bool read_text(const struct member *member, const json_t *value, uint8_t *at)
{
    size_t len = json_string_length(value);

    if (!json_is_string(value) || len >= member->size)
        return false;
    memcpy(at, json_string_value(value), len);
    return true;
}

static bool read_number(const struct member *member, const json_t *value, uint8_t *at)
{
    json_int_t number = json_integer_value(value);

    if (!json_is_integer(value) || number < 0 || number > member->max)
        return false;
    memcpy(at, &number, member->size);
    return true;
}

static bool read_member(const struct member *member, const json_t *value, uint8_t *at)
{
    switch (member->type) {
    case TEXT:
        return read_text(member, value, at);
    case BOOL:
        *at = json_is_true(value);
        return json_is_boolean(value);
    case ACTION:
    case KIND:
    case SCOPE:
        return read_word(words_of(member->type), value, at);
    case V4:
    case V6:
        return json_is_string(value) && inet_pton(member->type == V4 ? AF_INET : AF_INET6,
                                                  json_string_value(value), at) == 1;
    default:
        return read_number(member, value, at);
    }
}

/* `object` is zeroed before; members that are absent stay zero, unknown ones are left alone. */
static bool read_json(const struct member *members, const char *text, size_t len, void *object,
                      bool *ret_v4, bool *ret_v6)
{
    json_t *json = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
    bool good = json_is_object(json);

    for (const struct member *member = members; good && member->name != NULL; member++) {
        const json_t *value = json_object_get(json, member->name);

        if (value == NULL)
            continue;
        good = read_member(member, value, (uint8_t *)object + member->off);
        if (good && member->type == V4 && ret_v4 != NULL)
            *ret_v4 = true;
        if (good && member->type == V6 && ret_v6 != NULL)
            *ret_v6 = true;
    }
    json_decref(json);
    return good;
}

bool sinkhole_feed_name_valid(const char *name, size_t len)
{
    if (len == 0 || len > SINKHOLE_FEED_NAME_MAX || name[0] < 'a' || name[0] > 'z')
        return false;
    for (size_t i = 1; i < len; i++) {
        char c = name[i];

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'))
            return false;
    }
    return true;
}

bool sinkhole_feed_from_json(const char *name, size_t name_len, const char *json, size_t len,
                             struct sinkhole_feed *ret_feed)
{
    struct sinkhole_feed feed = {0};
    bool v4 = false, v6 = false;

    if (!sinkhole_feed_name_valid(name, name_len) ||
        !read_json(feed_members, json, len, &feed, &v4, &v6) ||
        feed.policy.action == SINKHOLE_ACTION_INHERIT)
        return false;
    memcpy(feed.policy.feed, name, name_len);
    feed.policy.has_v4 = v4;
    feed.policy.has_v6 = v6;
    *ret_feed = feed;
    return true;
}

bool sinkhole_batch_from_json(const char *id, size_t id_len, const char *json, size_t len,
                              struct sinkhole_batch *ret_batch)
{
    struct sinkhole_batch batch = {0};
    uint64_t number;

    if (!sinkhole_number_parse(id, id_len, UINT32_MAX, &number) || number == 0 ||
        !read_json(batch_members, json, len, &batch, NULL, NULL) ||
        !sinkhole_feed_name_valid(batch.feed, strlen(batch.feed)))
        return false;
    batch.rule.id = (uint32_t)number;
    *ret_batch = batch;
    return true;
}

bool sinkhole_publication_from_json(const char *generation, size_t generation_len, const char *json,
                                    size_t len, struct sinkhole_publication *ret_publication)
{
    struct sinkhole_publication publication = {0};

    if (!sinkhole_number_parse(generation, generation_len, INT64_MAX, &publication.generation) ||
        !read_json(publication_members, json, len, &publication, NULL, NULL))
        return false;
    *ret_publication = publication;
    return true;
}
