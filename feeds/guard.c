/* SPDX-License-Identifier: BSD-3-Clause */
/* Protected zones, own hosts, public suffixes. Threads and memory: see guard.h. */
#include "feeds/guard.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sinkhole/units.h"

#define PROTECTED_MOST 100000

struct key_set {
    struct sinkhole_key *keys; /* ascending */
    size_t count, room;
};

struct feed_guard {
    const struct sinkhole_suffixes *suffixes;
    struct key_set zones; /* protected */
    struct key_set hosts; /* our own */
};

static int compare_text(const char *a, size_t a_len, const char *b, size_t b_len)
{
    int order = memcmp(a, b, a_len < b_len ? a_len : b_len);

    return order != 0 ? order : (a_len > b_len) - (a_len < b_len);
}

static int compare_keys(const void *a, const void *b)
{
    const struct sinkhole_key *x = a, *y = b;

    return compare_text(x->text, x->len, y->text, y->len);
}

static bool set_add(struct key_set *set, const char *text, size_t len)
{
    struct sinkhole_name name;

    if (set->count >= PROTECTED_MOST || sinkhole_text_name(text, len, &name) != SINKHOLE_NAME_OK)
        return false;
    if (set->count == set->room) {
        size_t room = set->room == 0 ? 16 : set->room * 2;
        struct sinkhole_key *keys = realloc(set->keys, room * sizeof *keys);

        if (keys == NULL)
            return false;
        set->keys = keys;
        set->room = room;
    }
    if (!sinkhole_key_from_name(&name, &set->keys[set->count]))
        return false;
    set->count++;
    return true;
}

/* First key that is not below `text` in order. */
static size_t lower_bound(const struct key_set *set, const char *text, size_t len)
{
    size_t low = 0, high = set->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (compare_text(set->keys[middle].text, set->keys[middle].len, text, len) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool has(const struct key_set *set, const char *text, size_t len)
{
    size_t at = lower_bound(set, text, len);

    return at < set->count && set->keys[at].len == len &&
           memcmp(set->keys[at].text, text, len) == 0;
}

/* Is there one strictly below? An ancestor's key begins its descendants' keys, and " " sorts first.
 */
static bool has_below(const struct key_set *set, const struct sinkhole_key *key)
{
    size_t at = lower_bound(set, key->text, key->len);

    if (at < set->count && set->keys[at].len == key->len)
        at += memcmp(set->keys[at].text, key->text, key->len) == 0;
    return at < set->count && set->keys[at].len > key->len && set->keys[at].text[key->len] == ' ' &&
           memcmp(set->keys[at].text, key->text, key->len) == 0;
}

/* Is there one strictly above? */
static bool has_above(const struct key_set *set, const struct sinkhole_key *key)
{
    for (size_t i = 1; i < key->len; i++)
        if (key->text[i] == ' ' && has(set, key->text, i))
            return true;
    return false;
}

static bool add_file(struct key_set *set, const char *path, char ret_bad[256])
{
    FILE *file = fopen(path, "re");
    char line[1024];
    bool good = file != NULL;

    if (file == NULL) {
        snprintf(ret_bad, 256, "%.180s: %s", path, strerror(errno));
        return false;
    }
    while (good && fgets(line, sizeof line, file) != NULL) {
        char *text = line + strspn(line, " \t");
        size_t len = strcspn(text, " \t\r\n#");

        if (len > 0 && !set_add(set, text, len)) {
            snprintf(ret_bad, 256, "%.120s: \"%.*s\" is no domain name", path,
                     (int)(len < 80 ? len : 80), text);
            good = false;
        }
    }
    if (good && ferror(file)) { /* a folder opens, and reads as nothing */
        snprintf(ret_bad, 256, "%.180s: %s", path, strerror(errno));
        good = false;
    }
    fclose(file);
    return good;
}

/* Hosts that this installation needs; what is no name with a dot cannot be listed anyway. */
static bool add_own(struct key_set *set, const char *text)
{
    struct sinkhole_name name;
    struct sinkhole_address address;
    size_t len = strlen(text);

    if (strchr(text, '.') == NULL || sinkhole_address_from_text(text, len, &address) ||
        sinkhole_text_name(text, len, &name) != SINKHOLE_NAME_OK)
        return true;
    return set_add(set, text, len);
}

struct feed_guard *feed_guard_new(const struct sinkhole_settings *settings,
                                  const struct sinkhole_suffixes *suffixes, char ret_bad[256])
{
    struct feed_guard *guard = calloc(1, sizeof *guard);
    char host[256] = "";
    bool good = guard != NULL;

    ret_bad[0] = '\0';
    if (!good)
        return NULL;
    guard->suffixes = suffixes;
    for (unsigned i = 0; good && i < settings->guard_protected.count; i++) {
        const char *zone = settings->guard_protected.items[i];

        good = set_add(&guard->zones, zone, strlen(zone));
        if (!good)
            snprintf(ret_bad, 256, "guard.protected: \"%.180s\" is no domain name", zone);
    }
    if (good && settings->guard_protected_file[0] != '\0')
        good = add_file(&guard->zones, settings->guard_protected_file, ret_bad);
    gethostname(host, sizeof host - 1);
    good = good && add_own(&guard->hosts, host) && add_own(&guard->hosts, settings->redis_host) &&
           add_own(&guard->hosts, settings->resolver_name) &&
           add_own(&guard->hosts, settings->resolver_canary);
    if (!good) {
        feed_guard_free(guard);
        return NULL;
    }
    if (guard->zones.count > 0)
        qsort(guard->zones.keys, guard->zones.count, sizeof *guard->zones.keys, compare_keys);
    if (guard->hosts.count > 0)
        qsort(guard->hosts.keys, guard->hosts.count, sizeof *guard->hosts.keys, compare_keys);
    return guard;
}

void feed_guard_free(struct feed_guard *guard)
{
    if (guard == NULL)
        return;
    free(guard->zones.keys);
    free(guard->hosts.keys);
    free(guard);
}

bool feed_guard_touches(const struct feed_guard *guard, const struct sinkhole_key *key)
{
    return has(&guard->zones, key->text, key->len) || has_below(&guard->zones, key) ||
           has_above(&guard->zones, key);
}

enum sinkhole_note_reason feed_guard_check(const struct feed_guard *guard,
                                           const struct sinkhole_name *name,
                                           const struct sinkhole_key *key,
                                           enum sinkhole_scope scope, bool private_suffix)
{
    enum sinkhole_suffix_kind kind;

    if (name->labels == 0)
        return SINKHOLE_REASON_ROOT;
    if (name->labels == 1)
        return SINKHOLE_REASON_TLD;
    if (has(&guard->zones, key->text, key->len))
        return SINKHOLE_REASON_PROTECTED;
    if (has_below(&guard->zones, key))
        return SINKHOLE_REASON_PROTECTED_PARENT;
    if (scope != SINKHOLE_SCOPE_EXACT && has_above(&guard->zones, key))
        return SINKHOLE_REASON_PROTECTED_BELOW;
    if (has(&guard->hosts, key->text, key->len) ||
        (scope != SINKHOLE_SCOPE_EXACT && has_below(&guard->hosts, key)))
        return SINKHOLE_REASON_OWN_HOST;
    kind = sinkhole_suffix_kind(guard->suffixes, name);
    if (kind == SINKHOLE_SUFFIX_TLD)
        return SINKHOLE_REASON_TLD;
    if (kind == SINKHOLE_SUFFIX_ICANN)
        return SINKHOLE_REASON_ICANN_SUFFIX;
    if (kind == SINKHOLE_SUFFIX_PRIVATE && !(private_suffix && scope == SINKHOLE_SCOPE_EXACT))
        return SINKHOLE_REASON_PRIVATE_SUFFIX;
    return SINKHOLE_REASON_COUNT;
}

enum sinkhole_note_reason feed_guard_check_key(const struct feed_guard *guard, const char *text,
                                               size_t len, enum sinkhole_scope scope,
                                               bool private_suffix)
{
    struct sinkhole_key key;
    struct sinkhole_name name;

    if (sinkhole_name_from_key(text, len, &name) != SINKHOLE_NAME_OK ||
        !sinkhole_key_from_name(&name, &key))
        return SINKHOLE_REASON_ROOT;
    return feed_guard_check(guard, &name, &key, scope, private_suffix);
}
