/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Building a base: all names of a snapshot, immutable once it is renamed into place.
 * Threads: one builder belongs to one thread. Memory: about 25 octets a name.
 */
#include "lib/index_write.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

struct sinkhole_base_builder {
    struct table_builder table;
};

const char *sinkhole_build_status_text(enum sinkhole_build_status status)
{
    switch (status) {
    case SINKHOLE_BUILD_OK:
        return "built";
    case SINKHOLE_BUILD_ORDER:
        return "a key is not above the one before it";
    case SINKHOLE_BUILD_KEY:
        return "not a key, or a top-level domain";
    case SINKHOLE_BUILD_ENTRIES:
        return "no rule ids, too many, or not in ascending order";
    case SINKHOLE_BUILD_FULL:
        return "more names than there is room for";
    case SINKHOLE_BUILD_RULES:
        return "rules or policies contradict themselves";
    case SINKHOLE_BUILD_IO:
        return "the file cannot be written";
    case SINKHOLE_BUILD_NO_MEMORY:
        return "out of memory";
    }
    return "unknown status";
}

enum sinkhole_build_status sinkhole_base_builder_new(uint64_t max_names,
                                                     struct sinkhole_base_builder **ret_builder)
{
    struct sinkhole_base_builder *builder;
    uint64_t seed;

    if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
        return SINKHOLE_BUILD_IO;
    builder = malloc(sizeof(*builder));
    if (builder == NULL)
        return SINKHOLE_BUILD_NO_MEMORY;
    table_builder_init(&builder->table, max_names, seed);
    *ret_builder = builder;
    return SINKHOLE_BUILD_OK;
}

enum sinkhole_build_status sinkhole_base_builder_add(struct sinkhole_base_builder *builder,
                                                     const char *key, size_t key_len,
                                                     const uint32_t *ids, size_t count)
{
    if (count == 0)
        return SINKHOLE_BUILD_ENTRIES;
    return table_builder_add(&builder->table, key, key_len, ids, count);
}

enum sinkhole_build_status sinkhole_base_builder_finish(struct sinkhole_base_builder *builder,
                                                        const char *dir, uint64_t base_id,
                                                        const struct sinkhole_build_state *state)
{
    struct index_part parts[INDEX_TABLE_PARTS];
    struct index_header header;
    char name[32], temporary[40];
    enum sinkhole_build_status status = table_builder_finish(&builder->table);

    snprintf(name, sizeof(name), "base-%" PRIu64, base_id);
    snprintf(temporary, sizeof(temporary), "%s.tmp", name);
    if (status == SINKHOLE_BUILD_OK && base_id == 0) {
        errno = EINVAL;
        status = SINKHOLE_BUILD_IO;
    }
    if (status == SINKHOLE_BUILD_OK) {
        index_header_init(&header, INDEX_MAGIC_BASE, builder->table.seed, state);
        header.base_id = base_id;
        index_table_parts(&builder->table, &header.table, parts);
        status = index_file_write(dir, temporary, &header, parts, INDEX_TABLE_PARTS);
    }
    if (status == SINKHOLE_BUILD_OK) {
        status = index_file_publish(dir, temporary, name, false);
        if (status != SINKHOLE_BUILD_OK)
            index_file_remove(dir, temporary);
    }
    table_builder_done(&builder->table);
    return status;
}

void sinkhole_base_builder_free(struct sinkhole_base_builder *builder)
{
    if (builder != NULL)
        table_builder_done(&builder->table);
    free(builder);
}
