/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writing an index file: under another name, synced, then renamed; a file in use is never changed.
 * Threads: one builder a folder. Memory: none beyond the caller's parts.
 */
#include "lib/index_write.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sinkhole/clock.h"

static bool path_make(char path[PATH_MAX], const char *dir, const char *name)
{
    int len = snprintf(path, PATH_MAX, "%s/index/%s", dir, name);

    if (len >= 0 && len < PATH_MAX)
        return true;
    errno = ENAMETOOLONG;
    return false;
}

static bool bytes_write(int fd, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;

    while (len > 0) {
        ssize_t done = write(fd, at, len < 1u << 30 ? len : 1u << 30);

        if (done < 0) {
            if (errno == EINTR)
                continue;
            return false;
        }
        at += done;
        len -= (size_t)done;
    }
    return true;
}

static size_t padding(size_t len)
{
    return (INDEX_ALIGN - len % INDEX_ALIGN) % INDEX_ALIGN;
}

/* Everything but the checksum is known before the first octet is written. */
static bool header_finish(struct index_header *header, const struct index_part *parts,
                          size_t part_count)
{
    static const uint8_t zeros[INDEX_ALIGN];
    const uint8_t *bytes = (const void *)header;
    size_t after = offsetof(struct index_header, checksum) + sizeof(header->checksum);
    XXH3_state_t *state = XXH3_createState();

    if (state == NULL)
        return false;
    XXH3_64bits_reset_withSeed(state, XXH3_64bits(bytes, offsetof(struct index_header, checksum)));
    XXH3_64bits_update(state, bytes + after, sizeof(*header) - after);
    for (size_t i = 0; i < part_count; i++) {
        XXH3_64bits_update(state, parts[i].bytes, parts[i].len);
        XXH3_64bits_update(state, zeros, padding(parts[i].len));
    }
    header->checksum = XXH3_64bits_digest(state);
    XXH3_freeState(state);
    return true;
}

static bool file_fill(int fd, const struct index_header *header, const struct index_part *parts,
                      size_t part_count)
{
    static const uint8_t zeros[INDEX_ALIGN];

    if (!bytes_write(fd, header, sizeof(*header)))
        return false;
    for (size_t i = 0; i < part_count; i++)
        if (!bytes_write(fd, parts[i].bytes, parts[i].len) ||
            !bytes_write(fd, zeros, padding(parts[i].len)))
            return false;
    return fsync(fd) == 0;
}

enum sinkhole_build_status index_file_write(const char *dir, const char *name,
                                            struct index_header *header, struct index_part *parts,
                                            size_t part_count)
{
    char path[PATH_MAX];
    uint64_t off = sizeof(*header);
    bool ok;
    int fd, error;

    for (size_t i = 0; i < part_count; i++) {
        parts[i].section->off = off;
        parts[i].section->len = parts[i].len;
        off += parts[i].len + padding(parts[i].len);
    }
    header->file_len = off;
    if (!header_finish(header, parts, part_count))
        return SINKHOLE_BUILD_NO_MEMORY;
    if (!path_make(path, dir, "") || (mkdir(path, 0755) != 0 && errno != EEXIST) ||
        !path_make(path, dir, name) || (unlink(path) != 0 && errno != ENOENT))
        return SINKHOLE_BUILD_IO;
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0)
        return SINKHOLE_BUILD_IO;
    ok = file_fill(fd, header, parts, part_count);
    error = errno;
    if (close(fd) != 0 && ok) {
        ok = false;
        error = errno;
    }
    if (ok)
        return SINKHOLE_BUILD_OK;
    unlink(path);
    errno = error;
    return SINKHOLE_BUILD_IO;
}

static bool folder_sync(const char *dir)
{
    char path[PATH_MAX];
    int fd, error;
    bool ok;

    if (!path_make(path, dir, ""))
        return false;
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ok = fsync(fd) == 0;
    error = errno;
    close(fd);
    errno = error;
    return ok;
}

enum sinkhole_build_status index_file_publish(const char *dir, const char *from, const char *to,
                                              bool replace)
{
    char from_path[PATH_MAX], to_path[PATH_MAX];

    if (!path_make(from_path, dir, from) || !path_make(to_path, dir, to))
        return SINKHOLE_BUILD_IO;
    if (replace) {
        if (rename(from_path, to_path) != 0)
            return SINKHOLE_BUILD_IO;
    } else if (link(from_path, to_path) != 0 || unlink(from_path) != 0) {
        return SINKHOLE_BUILD_IO;
    }
    return folder_sync(dir) ? SINKHOLE_BUILD_OK : SINKHOLE_BUILD_IO;
}

void index_file_remove(const char *dir, const char *name)
{
    char path[PATH_MAX];
    int error = errno;

    if (path_make(path, dir, name))
        unlink(path);
    errno = error;
}

void index_header_init(struct index_header *header, const char *magic, uint64_t seed,
                       const struct sinkhole_build_state *state)
{
    memset(header, 0, sizeof(*header));
    memcpy(header->magic, magic, INDEX_MAGIC_LEN);
    header->version = SINKHOLE_INDEX_VERSION;
    header->seed = seed;
    header->generation = state->generation;
    header->entries = state->entries;
    memcpy(header->digest, state->digest, sizeof(header->digest));
    header->built_ms = (uint64_t)sinkhole_now_ms();
}

void index_table_parts(const struct table_builder *builder, struct index_table *table,
                       struct index_part parts[INDEX_TABLE_PARTS])
{
    table->names = builder->names;
    parts[0] = (struct index_part){
        builder->buckets, builder->bucket_count * sizeof(*builder->buckets), &table->buckets};
    parts[1] = (struct index_part){
        builder->hints, builder->bucket_count * INDEX_BUCKET_SLOTS * sizeof(*builder->hints),
        &table->hints};
    parts[2] = (struct index_part){builder->blocks, builder->block_count * sizeof(*builder->blocks),
                                   &table->blocks};
    parts[3] = (struct index_part){builder->text, builder->text_len, &table->text};
}
