/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Building a table: front-coded records in key order, then fingerprints in two-choice buckets.
 * Threads: one builder belongs to one thread. Memory: about 25 octets a name until it is done.
 */
#include "lib/index_write.h"

#include <errno.h>
#include <stdlib.h>

#define LOAD_PERCENT 96    /* of the slots: 4.17 octets a name */
#define EVICTIONS_MAX 2000 /* in one walk, before the table is made larger */
#define GROWTHS_MAX 20     /* by 1 % each */
#define RECORD_MAX (2 + SINKHOLE_KEY_MAX + 5 * (SINKHOLE_INDEX_ENTRIES_MAX + 1))

void table_builder_init(struct table_builder *builder, uint64_t names_max, uint64_t seed)
{
    memset(builder, 0, sizeof(*builder));
    builder->names_max = names_max;
    builder->seed = seed;
}

void table_builder_done(struct table_builder *builder)
{
    free(builder->text);
    free(builder->blocks);
    free(builder->hashes);
    free(builder->buckets);
    free(builder->hints);
    memset(builder, 0, sizeof(*builder));
}

/* Room for `more` elements behind `used`; a large block is moved by page tables, not copied. */
static bool array_reserve(void **array, size_t *size, size_t used, size_t more, size_t element)
{
    size_t wanted = *size > 0 ? *size : 64;
    void *grown;

    if (more <= *size - used)
        return true;
    while (wanted - used < more) {
        if (wanted > SIZE_MAX / element / 2)
            return false;
        wanted *= 2;
    }
    grown = realloc(*array, wanted * element);
    if (grown == NULL)
        return false;
    *array = grown;
    *size = wanted;
    return true;
}

static bool builder_reserve(struct table_builder *builder)
{
    void *text = builder->text, *blocks = builder->blocks, *hashes = builder->hashes;
    bool ok = array_reserve(&text, &builder->text_size, builder->text_len, RECORD_MAX, 1) &&
              array_reserve(&blocks, &builder->block_size, builder->block_count, 1,
                            sizeof(*builder->blocks)) &&
              array_reserve(&hashes, &builder->hash_size, (size_t)builder->names, 1,
                            sizeof(*builder->hashes));

    builder->text = text;
    builder->blocks = blocks;
    builder->hashes = hashes;
    return ok;
}

static size_t varint_put(uint8_t *out, uint64_t value)
{
    size_t len = 0;

    for (; value >= 0x80; value >>= 7)
        out[len++] = (uint8_t)(value | 0x80);
    out[len++] = (uint8_t)value;
    return len;
}

static size_t ids_put(uint8_t *out, const uint32_t *ids, size_t count)
{
    size_t len;

    if (count == 1)
        return varint_put(out, (uint64_t)ids[0] * 2);
    len = varint_put(out, (uint64_t)count * 2 + 1);
    for (size_t i = 0; i < count; i++)
        len += varint_put(out + len, i == 0 ? ids[0] : ids[i] - ids[i - 1]);
    return len;
}

static bool ids_valid(const uint32_t *ids, size_t count)
{
    if (count > SINKHOLE_INDEX_ENTRIES_MAX)
        return false;
    for (size_t i = 0; i < count; i++)
        if (ids[i] <= (i > 0 ? ids[i - 1] : 0))
            return false;
    return true;
}

/* Octets that both keys begin with; *ret_above: `key` sorts above the key before. */
static size_t key_share(const struct table_builder *builder, const char *key, size_t key_len,
                        bool *ret_above)
{
    size_t most = key_len < builder->key_len ? key_len : builder->key_len, shared = 0;

    while (shared < most && key[shared] == builder->key[shared])
        shared++;
    *ret_above = shared < most ? (uint8_t)key[shared] > (uint8_t)builder->key[shared]
                               : key_len > builder->key_len;
    return shared;
}

enum sinkhole_build_status table_builder_add(struct table_builder *builder, const char *key,
                                             size_t key_len, const uint32_t *ids, size_t count)
{
    struct sinkhole_name name;
    uint8_t *out;
    size_t shared;
    bool above, first = builder->names % INDEX_BLOCK_NAMES == 0;

    if (sinkhole_name_from_key(key, key_len, &name) != SINKHOLE_NAME_OK || name.labels < 2)
        return SINKHOLE_BUILD_KEY;
    if (!ids_valid(ids, count))
        return SINKHOLE_BUILD_ENTRIES;
    shared = key_share(builder, key, key_len, &above);
    if (!above)
        return SINKHOLE_BUILD_ORDER;
    if (builder->names >= builder->names_max || builder->text_len > INDEX_TEXT_MAX - RECORD_MAX)
        return SINKHOLE_BUILD_FULL;
    if (!builder_reserve(builder))
        return SINKHOLE_BUILD_NO_MEMORY;
    if (first) {
        builder->blocks[builder->block_count++] = (uint32_t)builder->text_len;
        shared = 0;
    }
    out = builder->text + builder->text_len;
    *out++ = (uint8_t)shared;
    *out++ = (uint8_t)(key_len - shared);
    memcpy(out, key + shared, key_len - shared);
    out += key_len - shared;
    out += ids_put(out, ids, count);
    builder->text_len = (size_t)(out - builder->text);
    builder->hashes[builder->names++] = index_hash(name.wire, name.wire_len, builder->seed);
    memcpy(builder->key + shared, key + shared, key_len - shared);
    builder->key_len = key_len;
    return SINKHOLE_BUILD_OK;
}

/* Buckets as they fill: `filled` keeps a bucket's count in one octet, so that choosing stays in the
 * cache. */
struct placing {
    struct index_bucket *buckets;
    uint16_t *hints;
    uint8_t *filled;
    uint32_t count;
    uint64_t random;
};

static uint32_t placing_random(struct placing *placing)
{
    placing->random ^= placing->random << 13;
    placing->random ^= placing->random >> 7;
    placing->random ^= placing->random << 17;
    return (uint32_t)(placing->random >> 32);
}

static bool placing_put(struct placing *placing, uint64_t hash, uint16_t hint)
{
    uint32_t fingerprint = index_fingerprint(hash);
    uint32_t bucket = index_bucket_first(hash, placing->count);
    uint32_t other = index_bucket_other(bucket, fingerprint, placing->count);

    if (placing->filled[other] < placing->filled[bucket])
        bucket = other;
    for (unsigned i = 0; placing->filled[bucket] >= INDEX_BUCKET_SLOTS; i++) {
        uint32_t slot = placing_random(placing) % INDEX_BUCKET_SLOTS;
        uint32_t evicted = placing->buckets[bucket].slot[slot];
        uint16_t *at = &placing->hints[(size_t)bucket * INDEX_BUCKET_SLOTS + slot];
        uint16_t evicted_hint = *at;

        if (i >= EVICTIONS_MAX)
            return false;
        placing->buckets[bucket].slot[slot] = fingerprint;
        *at = hint;
        fingerprint = evicted;
        hint = evicted_hint;
        bucket = index_bucket_other(bucket, fingerprint, placing->count);
    }
    placing->hints[(size_t)bucket * INDEX_BUCKET_SLOTS + placing->filled[bucket]] = hint;
    placing->buckets[bucket].slot[placing->filled[bucket]++] = fingerprint;
    return true;
}

/* NO_MEMORY, or OK with *ret_placed telling whether all found room. */
static enum sinkhole_build_status builder_place(struct table_builder *builder, size_t bucket_count,
                                                bool *ret_placed)
{
    struct placing placing = {.count = (uint32_t)bucket_count, .random = builder->seed | 1};
    enum sinkhole_build_status status = SINKHOLE_BUILD_NO_MEMORY;
    unsigned shift = index_hint_shift((uint32_t)builder->block_count);

    placing.buckets = aligned_alloc(INDEX_ALIGN, bucket_count * sizeof(*placing.buckets));
    placing.hints = calloc(bucket_count * INDEX_BUCKET_SLOTS, sizeof(*placing.hints));
    placing.filled = calloc(bucket_count, 1);
    *ret_placed = false;
    if (placing.buckets == NULL || placing.hints == NULL || placing.filled == NULL)
        goto out;
    memset(placing.buckets, 0, bucket_count * sizeof(*placing.buckets));
    *ret_placed = true;
    for (uint64_t i = 0; i < builder->names && *ret_placed; i++)
        *ret_placed =
            placing_put(&placing, builder->hashes[i], (uint16_t)(i / INDEX_BLOCK_NAMES >> shift));
    status = SINKHOLE_BUILD_OK;
    if (*ret_placed) {
        builder->buckets = placing.buckets;
        builder->hints = placing.hints;
        builder->bucket_count = bucket_count;
        placing.buckets = NULL;
        placing.hints = NULL;
    }
out:
    free(placing.buckets);
    free(placing.hints);
    free(placing.filled);
    return status;
}

enum sinkhole_build_status table_builder_finish(struct table_builder *builder)
{
    uint64_t slots = builder->names * 100 / LOAD_PERCENT;
    uint64_t bucket_count = slots / INDEX_BUCKET_SLOTS + 1;
    enum sinkhole_build_status status = SINKHOLE_BUILD_OK;
    bool placed = builder->names == 0;

    for (int i = 0; i < GROWTHS_MAX && !placed && status == SINKHOLE_BUILD_OK; i++) {
        if (bucket_count > UINT32_MAX / 2)
            return SINKHOLE_BUILD_FULL;
        status = builder_place(builder, (size_t)bucket_count, &placed);
        bucket_count += bucket_count / 100 + 1;
    }
    free(builder->hashes);
    builder->hashes = NULL;
    builder->hash_size = 0;
    if (status == SINKHOLE_BUILD_OK && !placed)
        return SINKHOLE_BUILD_FULL;
    return status;
}
