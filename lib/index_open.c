/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Opening an index: both files are mapped and verified whole before anybody asks them.
 * Threads: an open index is immutable. Memory: two read-only maps and one heap object.
 */
#include "lib/index_private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define OPEN_TRIES 3 /* a head may be replaced, and its base swept, between the two opens */

const char *sinkhole_index_status_text(enum sinkhole_index_status status)
{
    switch (status) {
    case SINKHOLE_INDEX_OK:
        return "in force";
    case SINKHOLE_INDEX_MISSING:
        return "there is no index, or the base that its head names is gone";
    case SINKHOLE_INDEX_TRUNCATED:
        return "the file is shorter than its header says";
    case SINKHOLE_INDEX_MAGIC:
        return "the file is no index";
    case SINKHOLE_INDEX_UNKNOWN_VERSION:
        return "the file is of a version that this program does not know";
    case SINKHOLE_INDEX_CHECKSUM:
        return "the file's checksum is wrong";
    case SINKHOLE_INDEX_DAMAGED:
        return "the file contradicts itself";
    case SINKHOLE_INDEX_IO:
        return "the file cannot be read";
    case SINKHOLE_INDEX_NO_MEMORY:
        return "out of memory";
    }
    return "unknown status";
}

const char *sinkhole_dir(void)
{
    const char *dir = getenv("SINKHOLE_DIR");

    return dir != NULL && dir[0] != '\0' ? dir : SINKHOLE_DEFAULT_DIR;
}

/* The one door into a mapped file; NULL when the section does not lie in it. */
static const void *map_section(const struct index_map *map, const struct index_section *section)
{
    if (section->off > map->len || section->len > map->len - section->off ||
        section->off % INDEX_ALIGN != 0)
        return NULL;
    return map->bytes + section->off;
}

static enum sinkhole_index_status header_check(const struct index_map *map, const char *magic)
{
    const struct index_header *header = (const void *)map->bytes;

    if (map->len >= INDEX_MAGIC_LEN && memcmp(map->bytes, magic, INDEX_MAGIC_LEN) != 0)
        return SINKHOLE_INDEX_MAGIC;
    if (map->len < sizeof(*header))
        return SINKHOLE_INDEX_TRUNCATED;
    if (header->version != SINKHOLE_INDEX_VERSION ||
        (header->must_understand & ~INDEX_MUST_UNDERSTAND) != 0)
        return SINKHOLE_INDEX_UNKNOWN_VERSION;
    if (map->len < header->file_len)
        return SINKHOLE_INDEX_TRUNCATED;
    if (map->len > header->file_len)
        return SINKHOLE_INDEX_DAMAGED;
    if (header->checksum != index_checksum(map->bytes, map->len))
        return SINKHOLE_INDEX_CHECKSUM;
    return SINKHOLE_INDEX_OK;
}

static bool table_check(const struct index_map *map, const struct index_table *table,
                        struct table_view *ret_view)
{
    struct table_view view = {.names = table->names};
    uint64_t blocks = table->names / INDEX_BLOCK_NAMES + (table->names % INDEX_BLOCK_NAMES != 0);

    view.buckets = map_section(map, &table->buckets);
    view.hints = map_section(map, &table->hints);
    view.blocks = map_section(map, &table->blocks);
    view.text = map_section(map, &table->text);
    if (view.buckets == NULL || view.hints == NULL || view.blocks == NULL || view.text == NULL ||
        table->buckets.len % sizeof(struct index_bucket) != 0 ||
        table->buckets.len / sizeof(struct index_bucket) > UINT32_MAX / 2 ||
        table->hints.len != table->buckets.len / 2 ||
        table->blocks.len / sizeof(uint32_t) != blocks ||
        table->blocks.len % sizeof(uint32_t) != 0 || blocks > UINT32_MAX ||
        table->text.len > INDEX_TEXT_MAX)
        return false;
    view.bucket_count = (uint32_t)(table->buckets.len / sizeof(struct index_bucket));
    view.block_count = (uint32_t)blocks;
    view.text_len = (uint32_t)table->text.len;
    view.hint_shift = index_hint_shift(view.block_count);
    if (view.names > (uint64_t)view.bucket_count * INDEX_BUCKET_SLOTS)
        return false;
    for (uint32_t i = 0; i < view.block_count; i++)
        if (view.blocks[i] >= (i + 1 < view.block_count ? view.blocks[i + 1] : view.text_len))
            return false;
    *ret_view = view;
    return true;
}

bool index_rules_valid(const struct sinkhole_rule *rules, size_t rule_count,
                       const struct sinkhole_policy *policies, size_t policy_count)
{
    for (size_t i = 0; i < rule_count; i++) {
        const struct sinkhole_rule *rule = &rules[i];

        if (rule->id <= (i > 0 ? rules[i - 1].id : 0) || rule->feed >= policy_count ||
            rule->scope > SINKHOLE_SCOPE_SUBTREE || rule->action > SINKHOLE_ACTION_ALLOW ||
            rule->severity > 4 || rule->confidence > 100 || rule->valid_until < 0)
            return false;
    }
    for (size_t i = 0; i < policy_count; i++) {
        const struct sinkhole_policy *policy = &policies[i];

        if (policy->feed[0] == '\0' || policy->feed[SINKHOLE_FEED_NAME_MAX] != '\0' ||
            policy->kind > SINKHOLE_FEED_AUTHORITY || policy->action == SINKHOLE_ACTION_INHERIT ||
            policy->action > SINKHOLE_ACTION_ALLOW || policy->rank > 1000 || policy->has_v4 > 1 ||
            policy->has_v6 > 1 || policy->ede_text[SINKHOLE_EDE_TEXT_MAX] != '\0')
            return false;
    }
    return policy_count <= UINT16_MAX;
}

static bool rules_check(struct sinkhole_index *index, const struct index_header *head)
{
    index->rules = map_section(&index->head_map, &head->rules);
    index->policies = map_section(&index->head_map, &head->policies);
    if (index->rules == NULL || index->policies == NULL ||
        head->rules.len % sizeof(struct sinkhole_rule) != 0 ||
        head->policies.len % sizeof(struct sinkhole_policy) != 0)
        return false;
    index->rule_count = (size_t)head->rules.len / sizeof(struct sinkhole_rule);
    index->policy_count = (size_t)head->policies.len / sizeof(struct sinkhole_policy);
    return index->rule_count <= UINT32_MAX &&
           index_rules_valid(index->rules, index->rule_count, index->policies, index->policy_count);
}

static void info_fill(struct sinkhole_index *index, const struct index_header *head,
                      const struct index_header *base)
{
    struct sinkhole_index_info *info = &index->info;

    info->generation = head->generation;
    info->entries = head->entries;
    memcpy(info->digest, head->digest, sizeof(info->digest));
    info->base_id = base->base_id;
    info->base_generation = base->generation;
    info->base_names = index->base.names;
    info->delta_names = index->delta.names;
    info->built_ms = head->built_ms;
    info->policy_hash = head->policy_hash;
    info->rules = (uint32_t)index->rule_count;
    info->policies = (uint32_t)index->policy_count;
    info->bytes_hot = base->table.buckets.len + head->table.buckets.len;
    info->bytes_total = index->head_map.len + index->base_map.len;
    info->monitored = 0;
    for (size_t i = 0; i < index->rule_count; i++) {
        const struct sinkhole_rule *rule = &index->rules[i];
        uint8_t action = rule->action != SINKHOLE_ACTION_INHERIT
                             ? rule->action
                             : index->policies[rule->feed].action;

        info->monitored += action == SINKHOLE_ACTION_MONITOR;
    }
}

enum sinkhole_index_status index_check(struct sinkhole_index *index)
{
    const struct index_header *head = (const void *)index->head_map.bytes;
    const struct index_header *base = (const void *)index->base_map.bytes;
    enum sinkhole_index_status status = header_check(&index->head_map, INDEX_MAGIC_HEAD);

    if (status == SINKHOLE_INDEX_OK)
        status = header_check(&index->base_map, INDEX_MAGIC_BASE);
    if (status != SINKHOLE_INDEX_OK)
        return status;
    if (head->base_id != base->base_id || head->base_checksum != base->checksum ||
        head->seed != base->seed || !table_check(&index->base_map, &base->table, &index->base) ||
        !table_check(&index->head_map, &head->table, &index->delta) || !rules_check(index, head))
        return SINKHOLE_INDEX_DAMAGED;
    index->seed = base->seed;
    info_fill(index, head, base);
    return SINKHOLE_INDEX_OK;
}

/* A descriptor and its size; MISSING when there is no such file. */
static enum sinkhole_index_status file_open(const char *dir, const char *name, int *ret_fd,
                                            size_t *ret_len)
{
    char path[PATH_MAX];
    struct stat st;
    int fd, len = snprintf(path, sizeof(path), "%s/index/%s", dir, name);

    if (len < 0 || (size_t)len >= sizeof(path)) {
        errno = ENAMETOOLONG;
        return SINKHOLE_INDEX_IO;
    }
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? SINKHOLE_INDEX_MISSING : SINKHOLE_INDEX_IO;
    if (fstat(fd, &st) != 0) {
        close(fd);
        return SINKHOLE_INDEX_IO;
    }
    if (!S_ISREG(st.st_mode)) {
        close(fd);
        errno = EINVAL;
        return SINKHOLE_INDEX_IO;
    }
    *ret_fd = fd;
    *ret_len = (size_t)st.st_size;
    return SINKHOLE_INDEX_OK;
}

static enum sinkhole_index_status file_map(const char *dir, const char *name,
                                           struct index_map *ret_map)
{
    size_t len;
    void *bytes;
    int fd, error;
    enum sinkhole_index_status status = file_open(dir, name, &fd, &len);

    if (status != SINKHOLE_INDEX_OK)
        return status;
    if (len == 0) {
        close(fd);
        return SINKHOLE_INDEX_TRUNCATED;
    }
    bytes = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, 0);
    error = errno;
    close(fd);
    errno = error;
    if (bytes == MAP_FAILED)
        return errno == ENOMEM ? SINKHOLE_INDEX_NO_MEMORY : SINKHOLE_INDEX_IO;
    *ret_map = (struct index_map){.bytes = bytes, .len = len, .mapped = true};
    return SINKHOLE_INDEX_OK;
}

static void base_name(uint64_t base_id, char ret_name[32])
{
    snprintf(ret_name, 32, "base-%" PRIu64, base_id);
}

enum sinkhole_index_status index_base_header(const char *dir, uint64_t base_id,
                                             struct index_header *ret_header)
{
    char name[32];
    struct index_header header;
    size_t len;
    ssize_t got;
    int fd;
    enum sinkhole_index_status status;

    base_name(base_id, name);
    status = file_open(dir, name, &fd, &len);
    if (status != SINKHOLE_INDEX_OK)
        return status;
    got = pread(fd, &header, sizeof(header), 0);
    close(fd);
    if (got < 0)
        return SINKHOLE_INDEX_IO;
    if ((size_t)got < sizeof(header))
        return SINKHOLE_INDEX_TRUNCATED;
    if (memcmp(header.magic, INDEX_MAGIC_BASE, INDEX_MAGIC_LEN) != 0)
        return SINKHOLE_INDEX_MAGIC;
    *ret_header = header;
    return SINKHOLE_INDEX_OK;
}

static enum sinkhole_index_status open_once(const char *dir, const char *head_name,
                                            struct sinkhole_index **ret_index)
{
    struct sinkhole_index *index = calloc(1, sizeof(*index));
    enum sinkhole_index_status status = SINKHOLE_INDEX_NO_MEMORY;
    char name[32];

    if (index == NULL)
        return status;
    status = file_map(dir, head_name, &index->head_map);
    if (status == SINKHOLE_INDEX_OK)
        status = header_check(&index->head_map, INDEX_MAGIC_HEAD);
    if (status == SINKHOLE_INDEX_OK) {
        base_name(((const struct index_header *)(const void *)index->head_map.bytes)->base_id,
                  name);
        status = file_map(dir, name, &index->base_map);
    }
    if (status == SINKHOLE_INDEX_OK)
        status = index_check(index);
    if (status != SINKHOLE_INDEX_OK) {
        int error = errno;

        sinkhole_index_close(index);
        errno = error;
        return status;
    }
    *ret_index = index;
    return SINKHOLE_INDEX_OK;
}

enum sinkhole_index_status index_open_head(const char *dir, const char *head_name,
                                           struct sinkhole_index **ret_index)
{
    enum sinkhole_index_status status = SINKHOLE_INDEX_MISSING;

    for (int i = 0; i < OPEN_TRIES && status == SINKHOLE_INDEX_MISSING; i++)
        status = open_once(dir, head_name, ret_index);
    return status;
}

enum sinkhole_index_status sinkhole_index_open(const char *dir, struct sinkhole_index **ret_index)
{
    return index_open_head(dir, "head", ret_index);
}

void sinkhole_index_close(struct sinkhole_index *index)
{
    if (index == NULL)
        return;
    if (index->head_map.mapped)
        munmap((void *)(uintptr_t)index->head_map.bytes, index->head_map.len);
    if (index->base_map.mapped)
        munmap((void *)(uintptr_t)index->base_map.bytes, index->base_map.len);
    free(index);
}

void sinkhole_index_info(const struct sinkhole_index *index, struct sinkhole_index_info *ret_info)
{
    *ret_info = index->info;
}
