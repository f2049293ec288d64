/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of the builder share: a table being built, and writing a file whole or not at all.
 * Threads: one builder belongs to one thread. Memory: records, 8 octets a name for hashes, buckets.
 */
#ifndef SINKHOLE_LIB_INDEX_WRITE_H
#define SINKHOLE_LIB_INDEX_WRITE_H

#include "lib/index_private.h"
#include "sinkhole/index_build.h"

/* --- index_table.c --- */
struct table_builder {
    uint64_t names, names_max;
    uint64_t seed;
    uint8_t *text;
    size_t text_len, text_size;
    uint32_t *blocks;
    size_t block_count, block_size;
    uint64_t *hashes;
    size_t hash_size;
    struct index_bucket *buckets;
    uint16_t *hints;
    size_t bucket_count;
    size_t key_len; /* of the key before */
    char key[SINKHOLE_KEY_MAX];
};
void table_builder_init(struct table_builder *builder, uint64_t names_max, uint64_t seed);
void table_builder_done(struct table_builder *builder);
enum sinkhole_build_status table_builder_add(struct table_builder *builder, const char *key,
                                             size_t key_len, const uint32_t *ids, size_t count);
/* Places the fingerprints; names can no longer be added. */
enum sinkhole_build_status table_builder_finish(struct table_builder *builder);

/* --- index_file.c --- */
struct index_part {
    const void *bytes;
    size_t len;
    struct index_section *section; /* filled in; points into the header */
};
/* Lays out the parts behind the header, fills in sections, file_len, checksum, and writes
 * DIR/index/<name> anew, synced. Makes the folder when it is not there. */
enum sinkhole_build_status index_file_write(const char *dir, const char *name,
                                            struct index_header *header, struct index_part *parts,
                                            size_t part_count);
/* Renames within DIR/index and syncs the folder; `replace` false: EEXIST when it is there. */
enum sinkhole_build_status index_file_publish(const char *dir, const char *from, const char *to,
                                              bool replace);
void index_file_remove(const char *dir, const char *name);
void index_header_init(struct index_header *header, const char *magic, uint64_t seed,
                       const struct sinkhole_build_state *state);
/* A table's parts for index_file_write. */
#define INDEX_TABLE_PARTS 4
void index_table_parts(const struct table_builder *builder, struct index_table *table,
                       struct index_part parts[INDEX_TABLE_PARTS]);

#endif
