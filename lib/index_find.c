/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The look-up. The ordinary name is listed nowhere: its suffixes are hashed once each, the cache
 * lines of their buckets fetched ahead, compared, and nothing else is touched.
 * Threads: any number at once; no lock, heap or system call. Memory: a kilobyte of stack.
 */
#include "lib/index_private.h"

#define SUFFIXES_MAX 127 /* labels of the longest name */

typedef uint32_t slots_vector __attribute__((vector_size(16)));
typedef uint64_t words_vector __attribute__((vector_size(16)));

struct suffix {
    uint64_t hash;
    uint8_t off;
};

/* All ones in some lane when a slot of the bucket has the fingerprint. */
static inline slots_vector bucket_compare(const struct index_bucket *bucket, slots_vector wanted)
{
    const slots_vector *slots = (const void *)bucket->slot;

    return (slots_vector)(slots[0] == wanted) | (slots_vector)(slots[1] == wanted) |
           (slots_vector)(slots[2] == wanted) | (slots_vector)(slots[3] == wanted);
}

static inline bool table_may_have(const struct table_view *table, uint64_t hash)
{
    uint32_t fingerprint = index_fingerprint(hash);
    uint32_t first = index_bucket_first(hash, table->bucket_count);
    uint32_t other = index_bucket_other(first, fingerprint, table->bucket_count);
    slots_vector wanted = {fingerprint, fingerprint, fingerprint, fingerprint};
    words_vector found = (words_vector)(bucket_compare(&table->buckets[first], wanted) |
                                        bucket_compare(&table->buckets[other], wanted));

    return (found[0] | found[1]) != 0;
}

static inline void table_prefetch(const struct table_view *table, uint64_t hash)
{
    uint32_t first = index_bucket_first(hash, table->bucket_count);

    __builtin_prefetch(&table->buckets[first]);
    __builtin_prefetch(
        &table->buckets[index_bucket_other(first, index_fingerprint(hash), table->bucket_count)]);
}

/*
 * Hashes all suffixes but the root and the top-level domain, which are never listed; most specific
 * first. Returns how many, 0 also for octets that are no wire form.
 */
static inline size_t suffixes_hash(const struct sinkhole_index *index, const uint8_t *wire,
                                   size_t wire_len, struct suffix suffixes[SUFFIXES_MAX])
{
    bool has_delta = index->delta.bucket_count != 0, has_base = index->base.bucket_count != 0;
    size_t count = 0, off = 0;

    if (wire_len > SINKHOLE_NAME_WIRE_MAX)
        return 0;
    while (off < wire_len && wire[off] != 0) {
        size_t next = off + 1 + wire[off];

        if (next >= wire_len)
            return 0;
        if (wire[next] == 0)
            break;
        suffixes[count].hash = index_hash(wire + off, wire_len - off, index->seed);
        suffixes[count].off = (uint8_t)off;
        if (has_base)
            table_prefetch(&index->base, suffixes[count].hash);
        if (has_delta)
            table_prefetch(&index->delta, suffixes[count].hash);
        count++;
        off = next;
    }
    return count;
}

const struct sinkhole_rule *sinkhole_index_rule(const struct sinkhole_index *index, uint32_t id)
{
    size_t low = 0, high = index->rule_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (index->rules[middle].id == id)
            return &index->rules[middle];
        if (index->rules[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const struct sinkhole_policy *sinkhole_index_policy(const struct sinkhole_index *index,
                                                    const struct sinkhole_rule *rule)
{
    return rule != NULL && rule->feed < index->policy_count ? &index->policies[rule->feed] : NULL;
}

static bool rule_covers(const struct sinkhole_rule *rule, bool apex, int64_t now_s)
{
    if (rule->valid_until != 0 && now_s >= rule->valid_until)
        return false;
    return rule->scope == SINKHOLE_SCOPE_SUBTREE || (rule->scope == SINKHOLE_SCOPE_EXACT) == apex;
}

/* Between entries of one name: exception, rank, strictness; the lower id came first. */
static bool match_beats(const struct sinkhole_match *new, const struct sinkhole_match *old)
{
    bool new_allows = new->action == SINKHOLE_ACTION_ALLOW;
    bool old_allows = old->action == SINKHOLE_ACTION_ALLOW;

    if (new_allows != old_allows)
        return new_allows;
    if (new->policy->rank != old->policy->rank)
        return new->policy->rank > old->policy->rank;
    return new->action > old->action;
}

/* The entry that decides on one listed name; false when none covers the name asked. */
static bool entries_decide(const struct sinkhole_index *index, const uint32_t *ids, size_t count,
                           uint8_t off, int64_t now_s, struct sinkhole_match *ret_match)
{
    struct sinkhole_match best = {.rule = NULL};

    for (size_t i = 0; i < count; i++) {
        struct sinkhole_match match = {.name_off = off, .apex = off == 0};

        match.rule = sinkhole_index_rule(index, ids[i]);
        if (match.rule == NULL || !rule_covers(match.rule, match.apex, now_s))
            continue;
        match.policy = &index->policies[match.rule->feed];
        match.action = match.rule->action != SINKHOLE_ACTION_INHERIT ? match.rule->action
                                                                     : match.policy->action;
        if (best.rule == NULL || match_beats(&match, &best))
            best = match;
    }
    if (best.rule == NULL)
        return false;
    *ret_match = best;
    return true;
}

static inline bool bucket_has(const struct index_bucket *bucket, uint32_t fingerprint)
{
    slots_vector wanted = {fingerprint, fingerprint, fingerprint, fingerprint};
    words_vector found = (words_vector)bucket_compare(bucket, wanted);

    return (found[0] | found[1]) != 0;
}

/* Confirms a fingerprint against the stored names; a table without it is not looked at further. */
static bool table_confirm(const struct table_view *table, uint64_t hash,
                          const struct sinkhole_key *key,
                          uint32_t ret_ids[SINKHOLE_INDEX_ENTRIES_MAX], size_t *ret_count)
{
    uint32_t fingerprint = index_fingerprint(hash), bucket;

    if (table->bucket_count == 0)
        return false;
    bucket = index_bucket_first(hash, table->bucket_count);
    for (int i = 0; i < 2; i++) {
        const uint32_t *slot = table->buckets[bucket].slot;
        size_t at = 0;
        const uint16_t *hint = &table->hints[(size_t)bucket * INDEX_BUCKET_SLOTS];

        if (!bucket_has(&table->buckets[bucket], fingerprint))
            at = INDEX_BUCKET_SLOTS;
        for (; at < INDEX_BUCKET_SLOTS; at++)
            if (slot[at] == fingerprint &&
                table_find_hinted(table, hint[at], key, ret_ids, ret_count))
                return true;
        bucket = index_bucket_other(bucket, fingerprint, table->bucket_count);
    }
    return false;
}

/* What a listed name says; a delta's list replaces the base's. */
static __attribute__((noinline)) bool suffix_decide(const struct sinkhole_index *index,
                                                    const uint8_t *wire, size_t wire_len,
                                                    const struct suffix *suffix, int64_t now_s,
                                                    struct sinkhole_match *ret_match)
{
    uint32_t ids[SINKHOLE_INDEX_ENTRIES_MAX];
    struct sinkhole_key key;
    size_t count;

    if (!sinkhole_key_from_wire(wire, wire_len, suffix->off, &key))
        return false;
    if (!table_confirm(&index->delta, suffix->hash, &key, ids, &count) &&
        !table_confirm(&index->base, suffix->hash, &key, ids, &count))
        return false;
    return entries_decide(index, ids, count, suffix->off, now_s, ret_match);
}

bool sinkhole_index_find(const struct sinkhole_index *index, const uint8_t *wire, size_t wire_len,
                         int64_t now_s, struct sinkhole_match *ret_match)
{
    bool has_delta = index->delta.bucket_count != 0, has_base = index->base.bucket_count != 0;
    struct suffix suffixes[SUFFIXES_MAX];
    size_t count = suffixes_hash(index, wire, wire_len, suffixes);
    struct sinkhole_match best = {.rule = NULL};
    bool near = false;

    for (size_t i = 0; i < count; i++) {
        struct sinkhole_match match;

        if (!(has_base && table_may_have(&index->base, suffixes[i].hash)) &&
            !(has_delta && table_may_have(&index->delta, suffixes[i].hash)))
            continue;
        near = true;
        if (!suffix_decide(index, wire, wire_len, &suffixes[i], now_s, &match))
            continue;
        if (best.rule == NULL || match.action == SINKHOLE_ACTION_ALLOW)
            best = match;
        if (best.action == SINKHOLE_ACTION_ALLOW)
            break;
    }
    *ret_match = best;
    ret_match->near = near;
    return best.rule != NULL && best.action != SINKHOLE_ACTION_ALLOW;
}
