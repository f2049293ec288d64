/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the tests of the index share: a folder of their own, a small index, files as octets.
 * Threads: one. Memory: the caller frees what it is given.
 */
#ifndef SINKHOLE_TESTS_LIB_INDEX_HELP_H
#define SINKHOLE_TESTS_LIB_INDEX_HELP_H

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sinkhole/index_build.h"

struct listed {
    const char *key;
    uint32_t ids[4];
    size_t count;
};

static inline void folder_make(char dir[PATH_MAX])
{
    const char *where = getenv("TMPDIR");

    snprintf(dir, PATH_MAX, "%s/sinkhole-index-XXXXXX", where != NULL ? where : "/tmp");
    assert_non_null(mkdtemp(dir));
}

static inline void path_of(char path[PATH_MAX], const char *dir, const char *name)
{
    assert_in_range(snprintf(path, PATH_MAX, "%s/index/%s", dir, name), 1, PATH_MAX - 1);
}

static inline void folder_remove(const char *dir)
{
    char path[PATH_MAX];
    struct dirent *entry;
    DIR *folder;

    path_of(path, dir, "");
    folder = opendir(path);
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        path_of(path, dir, entry->d_name);
        unlink(path);
    }
    if (folder != NULL)
        closedir(folder);
    path_of(path, dir, "");
    rmdir(path);
    rmdir(dir);
}

static inline uint8_t *file_read(const char *dir, const char *name, size_t *ret_len)
{
    char path[PATH_MAX];
    struct stat st;
    uint8_t *bytes;
    FILE *file;

    path_of(path, dir, name);
    file = fopen(path, "re");
    assert_non_null(file);
    assert_int_equal(fstat(fileno(file), &st), 0);
    *ret_len = (size_t)st.st_size;
    bytes = aligned_alloc(64, (*ret_len + 63) / 64 * 64 + 64);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, *ret_len, file), *ret_len);
    fclose(file);
    return bytes;
}

/* Under a new inode, as a publisher would. */
static inline void file_write(const char *dir, const char *name, const void *bytes, size_t len)
{
    char path[PATH_MAX];
    FILE *file;

    path_of(path, dir, name);
    unlink(path);
    file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static inline void base_write(const char *dir, uint64_t id, const struct listed *names,
                              size_t count)
{
    struct sinkhole_build_state state = {.generation = id, .entries = count};
    struct sinkhole_base_builder *builder;

    assert_int_equal(sinkhole_base_builder_new(count, &builder), SINKHOLE_BUILD_OK);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(sinkhole_base_builder_add(builder, names[i].key, strlen(names[i].key),
                                                   names[i].ids, names[i].count),
                         SINKHOLE_BUILD_OK);
    assert_int_equal(sinkhole_base_builder_finish(builder, dir, id, &state), SINKHOLE_BUILD_OK);
    sinkhole_base_builder_free(builder);
}

static inline struct sinkhole_policy policy_make(const char *feed, uint8_t action, uint16_t rank)
{
    struct sinkhole_policy policy = {.action = action, .rank = rank, .ttl_s = 10};

    strncpy(policy.feed, feed, SINKHOLE_FEED_NAME_MAX);
    return policy;
}

#endif
