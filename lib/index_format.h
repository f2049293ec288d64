/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The index files as they lie on disk (doc/index-format.md): little-endian, mapped as they are.
 * Threads: types only. Memory: a header is 256 octets, a bucket one cache line.
 */
#ifndef SINKHOLE_LIB_INDEX_FORMAT_H
#define SINKHOLE_LIB_INDEX_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include "sinkhole/index.h"

#define INDEX_MAGIC_BASE "SINKBASE"
#define INDEX_MAGIC_HEAD "SINKHEAD"
#define INDEX_MAGIC_LEN 8
#define INDEX_MUST_UNDERSTAND 0u /* flags this version knows */

#define INDEX_BLOCK_NAMES 16 /* names that are front-coded together */
#define INDEX_BUCKET_SLOTS 16
#define INDEX_ALIGN 64            /* of every section */
#define INDEX_TEXT_MAX UINT32_MAX /* octets of records in one table: block offsets are 32 bits */

struct index_section {
    uint64_t off; /* from the file's first octet, a multiple of INDEX_ALIGN */
    uint64_t len; /* octets */
};

/*
 * Names with their rule ids, and the fingerprints that tell what is surely not among them. A slot's
 * hint is the number of its name's block, shifted right until all of the table's fit 16 bits.
 */
struct index_table {
    uint64_t names;
    struct index_section buckets; /* struct index_bucket */
    struct index_section hints;   /* uint16_t for each slot */
    struct index_section blocks;  /* uint32_t: where each block's first record stands in text */
    struct index_section text;    /* records, see doc */
};

struct index_header {
    uint8_t magic[INDEX_MAGIC_LEN];
    uint32_t version;
    uint32_t must_understand;
    uint64_t file_len;
    uint64_t checksum; /* of all octets but these eight */
    uint64_t seed;     /* of the fingerprints; a head has its base's */
    uint64_t base_id;
    uint64_t generation;
    uint64_t entries;
    uint8_t digest[SINKHOLE_DIGEST_LEN];
    uint64_t built_ms;
    struct index_table table; /* of a base: all its names; of a head: the delta */
    /* A head's only; zero in a base. */
    uint64_t base_checksum;
    uint64_t policy_hash;
    struct index_section rules;    /* struct sinkhole_rule, ascending ids */
    struct index_section policies; /* struct sinkhole_policy */
    uint8_t reserved[48];          /* zero */
};

struct index_bucket {
    uint32_t slot[INDEX_BUCKET_SLOTS]; /* fingerprints; 0: empty */
};

_Static_assert(sizeof(struct index_section) == 16, "section");
_Static_assert(sizeof(struct index_table) == 72, "table");
_Static_assert(sizeof(struct index_header) == 256, "header");
_Static_assert(offsetof(struct index_header, checksum) == 24, "checksum's place");
_Static_assert(offsetof(struct index_header, table) == 88, "table's place");
_Static_assert(sizeof(struct index_bucket) == INDEX_ALIGN, "a bucket is one cache line");

#endif
