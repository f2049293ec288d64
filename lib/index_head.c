/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Publishing: the head with rules, policies and delta; verified by the reader before it is renamed.
 * Threads: one publisher a folder. Memory: the delta's table until it is written.
 */
#include "lib/index_write.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#define HEAD_TEMPORARY "head.tmp"

static enum sinkhole_build_status delta_build(const struct sinkhole_head *head,
                                              struct table_builder *table)
{
    enum sinkhole_build_status status = SINKHOLE_BUILD_OK;

    for (size_t i = 0; i < head->delta_count && status == SINKHOLE_BUILD_OK; i++)
        status = table_builder_add(table, head->delta[i].key, head->delta[i].key_len,
                                   head->delta[i].ids, head->delta[i].count);
    return status == SINKHOLE_BUILD_OK ? table_builder_finish(table) : status;
}

/* The reader's own eyes on what was written. */
static enum sinkhole_build_status head_verify(const char *dir)
{
    struct sinkhole_index *index;
    enum sinkhole_index_status status = index_open_head(dir, HEAD_TEMPORARY, &index);

    if (status == SINKHOLE_INDEX_OK) {
        sinkhole_index_close(index);
        return SINKHOLE_BUILD_OK;
    }
    if (status == SINKHOLE_INDEX_NO_MEMORY)
        return SINKHOLE_BUILD_NO_MEMORY;
    if (status == SINKHOLE_INDEX_MISSING)
        errno = ENOENT;
    else if (status != SINKHOLE_INDEX_IO)
        errno = EBADMSG;
    return SINKHOLE_BUILD_IO;
}

static enum sinkhole_build_status base_read(const char *dir, uint64_t base_id,
                                            struct index_header *ret_base)
{
    enum sinkhole_index_status status = index_base_header(dir, base_id, ret_base);

    if (status == SINKHOLE_INDEX_OK)
        return SINKHOLE_BUILD_OK;
    if (status == SINKHOLE_INDEX_MISSING)
        errno = ENOENT;
    else if (status != SINKHOLE_INDEX_IO)
        errno = EBADMSG;
    return SINKHOLE_BUILD_IO;
}

enum sinkhole_build_status sinkhole_head_write(const char *dir, const struct sinkhole_head *head)
{
    size_t rules_len = head->rule_count * sizeof(*head->rules);
    size_t policies_len = head->policy_count * sizeof(*head->policies);
    struct index_header base, header;
    struct table_builder table;
    struct index_part parts[INDEX_TABLE_PARTS + 2];
    enum sinkhole_build_status status;

    if (!index_rules_valid(head->rules, head->rule_count, head->policies, head->policy_count))
        return SINKHOLE_BUILD_RULES;
    status = base_read(dir, head->base_id, &base);
    if (status != SINKHOLE_BUILD_OK)
        return status;
    table_builder_init(&table, head->delta_count, base.seed);
    status = delta_build(head, &table);
    if (status != SINKHOLE_BUILD_OK)
        goto out;
    index_header_init(&header, INDEX_MAGIC_HEAD, base.seed, &head->state);
    header.base_id = head->base_id;
    header.base_checksum = base.checksum;
    header.policy_hash =
        XXH3_64bits_withSeed(head->policies, policies_len, XXH3_64bits(head->rules, rules_len));
    index_table_parts(&table, &header.table, parts);
    parts[INDEX_TABLE_PARTS] = (struct index_part){head->rules, rules_len, &header.rules};
    parts[INDEX_TABLE_PARTS + 1] =
        (struct index_part){head->policies, policies_len, &header.policies};
    status = index_file_write(dir, HEAD_TEMPORARY, &header, parts, INDEX_TABLE_PARTS + 2);
    if (status == SINKHOLE_BUILD_OK)
        status = head_verify(dir);
    if (status == SINKHOLE_BUILD_OK)
        status = index_file_publish(dir, HEAD_TEMPORARY, "head", true);
    if (status != SINKHOLE_BUILD_OK)
        index_file_remove(dir, HEAD_TEMPORARY);
out:
    table_builder_done(&table);
    return status;
}

void sinkhole_index_sweep(const char *dir, uint64_t keep_base_id)
{
    struct sinkhole_index *index;
    struct sinkhole_index_info info = {.base_id = 0};
    char path[PATH_MAX];
    struct dirent *entry;
    DIR *folder;
    int len = snprintf(path, sizeof(path), "%s/index", dir);

    /* Nothing goes while it is not certain which base is in force. */
    if (len < 0 || (size_t)len >= sizeof(path) ||
        sinkhole_index_open(dir, &index) != SINKHOLE_INDEX_OK)
        return;
    sinkhole_index_info(index, &info);
    sinkhole_index_close(index);
    folder = opendir(path);
    if (folder == NULL)
        return;
    while ((entry = readdir(folder)) != NULL) {
        uint64_t id;
        int end = 0;

        if (sscanf(entry->d_name, "base-%" SCNu64 "%n", &id, &end) != 1)
            continue;
        /* A temporary file above the base in force may be a build under way. */
        if (strcmp(entry->d_name + end, ".tmp") == 0
                ? id <= info.base_id
                : entry->d_name[end] == '\0' && id != info.base_id && id != keep_base_id)
            index_file_remove(dir, entry->d_name);
    }
    closedir(folder);
}
