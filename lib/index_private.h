/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of the index share: the open index, the door to its octets, hashes.
 * Threads: an open index is immutable. Memory: maps of whole files; nothing is copied out of them.
 */
#ifndef SINKHOLE_LIB_INDEX_PRIVATE_H
#define SINKHOLE_LIB_INDEX_PRIVATE_H

#include <stdbool.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "lib/index_format.h"

/* A table whose sections lie inside the file; what the records say is checked at each reading. */
struct table_view {
    const struct index_bucket *buckets;
    const uint16_t *hints;
    const uint32_t *blocks;
    const uint8_t *text;
    uint64_t names;
    uint32_t bucket_count;
    uint32_t block_count;
    uint32_t text_len;
    unsigned hint_shift;
};

struct index_map {
    const uint8_t *bytes;
    size_t len;
    bool mapped; /* to be unmapped */
};

struct sinkhole_index {
    struct table_view base, delta;
    uint64_t seed;
    const struct sinkhole_rule *rules;
    const struct sinkhole_policy *policies;
    size_t rule_count, policy_count;
    struct index_map head_map, base_map;
    struct sinkhole_index_info info;
};

/* --- index_open.c --- */
/* Opens DIR/index/<head_name>. */
enum sinkhole_index_status index_open_head(const char *dir, const char *head_name,
                                           struct sinkhole_index **ret_index);
/* The header of DIR/index/base-<id>, without looking at the rest. */
enum sinkhole_index_status index_base_header(const char *dir, uint64_t base_id,
                                             struct index_header *ret_header);
/* Checks head_map and base_map and fills in the rest: all that a fuzzer needs. */
enum sinkhole_index_status index_check(struct sinkhole_index *index);
/* All that a reader relies on in rules and policies. */
bool index_rules_valid(const struct sinkhole_rule *rules, size_t rule_count,
                       const struct sinkhole_policy *policies, size_t policy_count);

/* --- index_names.c: the only place that reads records --- */
/* Walks a table's records in order. */
struct table_cursor {
    const struct table_view *table;
    uint64_t number;         /* of the record that next gives */
    const uint8_t *at, *end; /* in text; end of the block */
    size_t key_len;
    size_t count;
    bool damaged;
    char key[SINKHOLE_KEY_MAX + 1];
    uint32_t ids[SINKHOLE_INDEX_ENTRIES_MAX];
};
void table_cursor_init(struct table_cursor *cursor, const struct table_view *table);
/* False at the end, or with ->damaged set. */
bool table_cursor_next(struct table_cursor *cursor);
/* True when the table has the key; then *ret_count may be 0 (a delta's: no longer listed). */
bool table_find(const struct table_view *table, const char *key, size_t key_len,
                uint32_t ret_ids[SINKHOLE_INDEX_ENTRIES_MAX], size_t *ret_count);
/* The same among the blocks that a slot's hint means. */
bool table_find_hinted(const struct table_view *table, uint16_t hint,
                       const struct sinkhole_key *key, uint32_t ret_ids[SINKHOLE_INDEX_ENTRIES_MAX],
                       size_t *ret_count);

/* --- hashes ------------------------------------------------------------------------------- */
static inline uint64_t index_checksum(const uint8_t *bytes, size_t len)
{
    size_t at = offsetof(struct index_header, checksum);

    return XXH3_64bits_withSeed(bytes + at + 8, len - at - 8, XXH3_64bits(bytes, at));
}

/* Of a lower-cased wire form that ends with its root label. */
static inline uint64_t index_hash(const uint8_t *wire, size_t wire_len, uint64_t seed)
{
    return XXH3_64bits_withSeed(wire, wire_len, seed);
}

static inline uint32_t index_fingerprint(uint64_t hash)
{
    uint32_t low = (uint32_t)hash;

    return low != 0 ? low : 1;
}

static inline uint32_t index_bucket_first(uint64_t hash, uint32_t bucket_count)
{
    return (uint32_t)(((hash >> 32) * bucket_count) >> 32);
}

/* The other bucket of a fingerprint that may stand in `bucket`; other(other(x)) is x. */
static inline uint32_t index_bucket_other(uint32_t bucket, uint32_t fingerprint,
                                          uint32_t bucket_count)
{
    uint32_t mixed = fingerprint * 0x9e3779b1u;
    uint32_t sum = (uint32_t)(((uint64_t)mixed * bucket_count) >> 32);

    return sum >= bucket ? sum - bucket : sum + bucket_count - bucket;
}

/* How far a block's number is shifted to be a hint. */
static inline unsigned index_hint_shift(uint32_t block_count)
{
    unsigned shift = 0;

    while (block_count > 0 && (block_count - 1) >> shift > UINT16_MAX)
        shift++;
    return shift;
}

#endif
