/* SPDX-License-Identifier: BSD-3-Clause */
/* Head and log entries, field by field, and the proof of each generation. See list_codec.h. */
#include "store/list_codec.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "store/number.h"

#define FORMAT_VERSION 1

static bool same(const char *field, size_t len, const char *name)
{
    return strlen(name) == len && memcmp(field, name, len) == 0;
}

static bool hex_octets(const char *text, size_t len, uint8_t *octets, size_t count)
{
    uint8_t out[SINKHOLE_DIGEST_LEN];

    if (len != 2 * count || count > sizeof(out))
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        unsigned nibble;

        if (c >= '0' && c <= '9')
            nibble = (unsigned)(c - '0');
        else if (c >= 'a' && c <= 'f')
            nibble = (unsigned)(c - 'a') + 10;
        else
            return false;
        out[i / 2] = (uint8_t)(i % 2 == 0 ? nibble << 4 : out[i / 2] | nibble);
    }
    memcpy(octets, out, count);
    return true;
}

/* --- head --- */

enum root_field {
    ROOT_VERSION,
    ROOT_GENERATION,
    ROOT_ENTRIES,
    ROOT_DIGEST,
    ROOT_PUBLISHED,
    ROOT_PUBLICATION,
    ROOT_META,
    ROOT_SNAPSHOT,
    ROOT_NAME,
    ROOT_CHUNKS,
    ROOT_SNAPSHOT_ENTRIES,
    ROOT_SNAPSHOT_DIGEST,
    ROOT_LOG_LINES,
    ROOT_FIELDS,
};

static const char *const root_names[ROOT_FIELDS] = {
    "version",   "generation", "entries",       "digest", "published_ms",     "publication",
    "meta",      "snapshot",   "snapshot_name", "chunks", "snapshot_entries", "snapshot_digest",
    "log_lines",
};

static bool set_text(char *to, size_t room, const char *value, size_t len)
{
    if (len >= room || memchr(value, '\0', len) != NULL)
        return false;
    memcpy(to, value, len);
    to[len] = '\0';
    return true;
}

static bool set_time(int64_t *to, const char *value, size_t len)
{
    uint64_t number;

    if (!sinkhole_number_parse(value, len, INT64_MAX, &number))
        return false;
    *to = (int64_t)number;
    return true;
}

static bool root_value(struct sinkhole_list_root *root, enum root_field which, const char *value,
                       size_t len)
{
    uint64_t number;

    switch (which) {
    case ROOT_VERSION:
        return sinkhole_number_parse(value, len, UINT64_MAX, &number) && number == FORMAT_VERSION;
    case ROOT_GENERATION:
        return sinkhole_number_parse(value, len, INT64_MAX, &root->head.generation);
    case ROOT_ENTRIES:
        return sinkhole_number_parse(value, len, INT64_MAX, &root->head.entries);
    case ROOT_DIGEST:
        return hex_octets(value, len, root->head.digest, SINKHOLE_DIGEST_LEN);
    case ROOT_PUBLISHED:
        return set_time(&root->head.published_ms, value, len);
    case ROOT_PUBLICATION:
        return set_text(root->publication, sizeof(root->publication), value, len);
    case ROOT_META:
        return sinkhole_number_parse(value, len, INT64_MAX, &root->meta);
    case ROOT_SNAPSHOT:
        return sinkhole_number_parse(value, len, INT64_MAX, &root->head.snapshot);
    case ROOT_NAME:
        return set_text(root->snapshot_name, sizeof(root->snapshot_name), value, len);
    case ROOT_CHUNKS:
        return sinkhole_number_parse(value, len, UINT32_MAX, &root->chunks);
    case ROOT_SNAPSHOT_ENTRIES:
        return sinkhole_number_parse(value, len, INT64_MAX, &root->snapshot_entries);
    case ROOT_SNAPSHOT_DIGEST:
        return hex_octets(value, len, root->snapshot_digest, SINKHOLE_DIGEST_LEN);
    case ROOT_LOG_LINES:
        return sinkhole_number_parse(value, len, INT64_MAX, &root->log_lines);
    case ROOT_FIELDS:
        break;
    }
    return false;
}

enum sinkhole_codec_status sinkhole_list_root_set(struct sinkhole_list_root *root,
                                                  const char *field, size_t field_len,
                                                  const char *value, size_t value_len)
{
    for (unsigned i = 0; i < ROOT_FIELDS; i++) {
        if (!same(field, field_len, root_names[i]))
            continue;
        if (!root_value(root, (enum root_field)i, value, value_len))
            return SINKHOLE_CODEC_FIELD;
        root->seen |= 1u << i;
    }
    return SINKHOLE_CODEC_OK;
}

enum sinkhole_codec_status sinkhole_list_root_check(const struct sinkhole_list_root *root)
{
    char prefix[24];
    size_t len;
    uint8_t octets[4];

    if (root->seen == 0)
        return SINKHOLE_CODEC_OK;
    if (root->seen != (1u << ROOT_FIELDS) - 1 || root->head.generation == 0 ||
        root->head.snapshot > root->head.generation)
        return SINKHOLE_CODEC_FIELD;
    len =
        (size_t)snprintf(prefix, sizeof(prefix), "%llu-", (unsigned long long)root->head.snapshot);
    if (strncmp(root->snapshot_name, prefix, len) != 0 ||
        !hex_octets(root->snapshot_name + len, strlen(root->snapshot_name + len), octets, 4))
        return SINKHOLE_CODEC_FIELD;
    if ((root->chunks == 0) != (root->snapshot_entries == 0))
        return SINKHOLE_CODEC_FIELD;
    return SINKHOLE_CODEC_OK;
}

/* --- log --- */

enum { LOG_ID = 1, LOG_Z = 2, LOG_PARTS = 4, LOG_ENTRIES = 8, LOG_DIGEST = 16, LOG_META = 32 };
#define LOG_LAST (LOG_PARTS | LOG_ENTRIES | LOG_DIGEST | LOG_META)

enum sinkhole_codec_status sinkhole_log_entry_id(struct sinkhole_log_entry *entry, const char *id,
                                                 size_t len)
{
    const char *dash = memchr(id, '-', len);

    if (dash == NULL)
        return SINKHOLE_CODEC_FIELD;
    if (!sinkhole_number_parse(id, (size_t)(dash - id), INT64_MAX, &entry->generation) ||
        !sinkhole_number_parse(dash + 1, len - (size_t)(dash - id) - 1, UINT64_MAX, &entry->part))
        return SINKHOLE_CODEC_FIELD;
    entry->seen |= LOG_ID;
    return SINKHOLE_CODEC_OK;
}

enum sinkhole_codec_status sinkhole_log_entry_set(struct sinkhole_log_entry *entry,
                                                  const char *field, size_t field_len,
                                                  const char *value, size_t value_len)
{
    bool good = true;
    uint32_t bit = 0;

    if (same(field, field_len, "z")) {
        entry->z = value;
        entry->z_len = value_len;
        bit = LOG_Z;
    } else if (same(field, field_len, "parts")) {
        good = sinkhole_number_parse(value, value_len, INT64_MAX, &entry->parts);
        bit = LOG_PARTS;
    } else if (same(field, field_len, "entries")) {
        good = sinkhole_number_parse(value, value_len, INT64_MAX, &entry->entries);
        bit = LOG_ENTRIES;
    } else if (same(field, field_len, "digest")) {
        good = hex_octets(value, value_len, entry->digest, SINKHOLE_DIGEST_LEN);
        bit = LOG_DIGEST;
    } else if (same(field, field_len, "meta")) {
        good = sinkhole_number_parse(value, value_len, INT64_MAX, &entry->meta);
        bit = LOG_META;
    } else if (same(field, field_len, "snapshot")) {
        entry->snapshot = same(value, value_len, "1");
        good = entry->snapshot || same(value, value_len, "0");
    }
    entry->seen |= bit;
    return good ? SINKHOLE_CODEC_OK : SINKHOLE_CODEC_FIELD;
}

/* --- follower --- */

void sinkhole_list_follow_start(struct sinkhole_list_follower *follower,
                                const struct sinkhole_list_root *root,
                                const uint8_t key[SINKHOLE_DIGEST_KEY_LEN])
{
    *follower = (struct sinkhole_list_follower){
        .generation = root->head.snapshot,
        .entries = root->snapshot_entries,
        .digest = sinkhole_digest_from_octets(root->snapshot_digest),
    };
    memcpy(follower->key, key, sizeof(follower->key));
}

static enum sinkhole_codec_status follow_lines(struct sinkhole_list_follower *follower,
                                               struct sinkhole_list_decoder *decoder,
                                               const struct sinkhole_log_entry *entry,
                                               struct sinkhole_overlay *overlay)
{
    struct sinkhole_list_line line;
    enum sinkhole_codec_status status;

    status = sinkhole_list_decoder_open(decoder, entry->z, entry->z_len);
    while (status == SINKHOLE_CODEC_OK) {
        status = sinkhole_list_decoder_next(decoder, &line);
        if (status != SINKHOLE_CODEC_OK)
            break;
        if (line.remove)
            sinkhole_digest_subtract(&follower->pending, follower->key, line.text, line.text_len);
        else
            sinkhole_digest_add(&follower->pending, follower->key, line.text, line.text_len);
        follower->pending_entries += line.remove ? -1 : 1;
        status = sinkhole_overlay_append(overlay, line.text, line.key_len, line.id, line.remove);
    }
    return status == SINKHOLE_CODEC_END ? SINKHOLE_CODEC_OK : status;
}

static enum sinkhole_codec_status follow_last(struct sinkhole_list_follower *follower,
                                              const struct sinkhole_log_entry *entry)
{
    uint8_t octets[SINKHOLE_DIGEST_LEN];

    if ((entry->seen & LOG_LAST) != LOG_LAST)
        return SINKHOLE_CODEC_FIELD;
    if (entry->parts != entry->part)
        return SINKHOLE_CODEC_GAP;
    follower->entries += (uint64_t)follower->pending_entries; /* wraps: then it is not as told */
    sinkhole_digest_sum(&follower->digest, &follower->pending);
    sinkhole_digest_octets(&follower->digest, octets);
    if (follower->entries != entry->entries || memcmp(octets, entry->digest, sizeof(octets)) != 0)
        return SINKHOLE_CODEC_CONTRADICTION;
    follower->meta = entry->meta;
    follower->generation = entry->generation;
    follower->part = 0;
    return SINKHOLE_CODEC_OK;
}

enum sinkhole_codec_status sinkhole_list_follow(struct sinkhole_list_follower *follower,
                                                struct sinkhole_list_decoder *decoder,
                                                const struct sinkhole_log_entry *entry,
                                                struct sinkhole_overlay *overlay, bool *ret_whole)
{
    enum sinkhole_codec_status status;

    *ret_whole = false;
    if (!(entry->seen & LOG_ID))
        return SINKHOLE_CODEC_FIELD;
    if (entry->generation != follower->generation + 1 || entry->part != follower->part + 1)
        return SINKHOLE_CODEC_GAP;
    if (entry->snapshot)
        return SINKHOLE_CODEC_SNAPSHOT;
    if (follower->part == 0) {
        sinkhole_list_decoder_reset(decoder, SINKHOLE_LIST_PART);
        follower->pending = (struct sinkhole_digest){0};
        follower->pending_entries = 0;
    }
    if (entry->seen & LOG_Z) {
        status = follow_lines(follower, decoder, entry, overlay);
        if (status != SINKHOLE_CODEC_OK)
            return status;
    }
    follower->part = entry->part;
    if (!(entry->seen & LOG_PARTS))
        return SINKHOLE_CODEC_OK;
    status = follow_last(follower, entry);
    *ret_whole = status == SINKHOLE_CODEC_OK;
    return status;
}
