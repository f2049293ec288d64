/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sealed segments, compressed: the raw record for the time of keeping.
 *
 * Threads: no state. Memory: one segment and its compressed form at a time.
 */
#include "lib/journal_format.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zstd.h>

#define LEVEL 3

static const uint8_t ZSTD_MAGIC[4] = {0x28, 0xb5, 0x2f, 0xfd}; /* ZSTD_MAGICNUMBER, little-endian */

/* Reads up to `size` octets; their number, or -1 (errno). */
static ssize_t read_all(int fd, uint8_t *buf, size_t size)
{
    size_t got = 0;

    while (got < size) {
        const ssize_t n = read(fd, buf + got, size - got);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        got += (size_t)n;
    }
    return (ssize_t)got;
}

static int write_all(int fd, const uint8_t *buf, size_t size)
{
    for (size_t done = 0; done < size;) {
        const ssize_t n = write(fd, buf + done, size - done);

        if (n < 0 && errno != EINTR)
            return -1;
        done += n < 0 ? 0 : (size_t)n;
    }
    return 0;
}

/* The segment without the zeros at its end, which reading puts back. */
static size_t used_octets(const uint8_t *base, size_t size)
{
    while (size > SEGMENT_DATA && base[size - 1] == 0)
        size--;
    return size;
}

/* Compressed form in a new buffer, or NULL (errno). */
static uint8_t *compress(const uint8_t *base, size_t used, size_t *ret_size)
{
    const size_t bound = ZSTD_compressBound(used);
    uint8_t *packed = malloc(bound);
    ZSTD_CCtx *context = ZSTD_createCCtx();
    size_t size = 0;

    errno = ENOMEM;
    if (packed != NULL && context != NULL &&
        !ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, LEVEL)) &&
        !ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)))
        size = ZSTD_compress2(context, packed, bound, base, used);
    ZSTD_freeCCtx(context);
    if (size == 0 || ZSTD_isError(size)) {
        free(packed);
        return NULL;
    }
    *ret_size = size;
    return packed;
}

/* Writes NAME.zst under a temporary name, makes it durable, renames it. 0, or -1 (errno). */
static int store(int archive_fd, const char *name, const uint8_t *packed, size_t size)
{
    char final[SEGMENT_NAME_MAX + 8];
    char temporary[SEGMENT_NAME_MAX + 8];
    int result = -1;

    snprintf(final, sizeof(final), "%s.zst", name);
    snprintf(temporary, sizeof(temporary), "%s.new", name);

    const int fd = openat(archive_fd, temporary,
                          O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);

    if (fd < 0)
        return -1;
    if (write_all(fd, packed, size) == 0 && fsync(fd) == 0 &&
        renameat(archive_fd, temporary, archive_fd, final) == 0 && fsync(archive_fd) == 0)
        result = 0;

    const int saved = errno;

    close(fd);
    if (result != 0)
        unlinkat(archive_fd, temporary, 0);
    errno = saved;
    return result;
}

/* The file's octets in a zeroed buffer of one segment, unpacked when they are packed, and how many
 * there were. NULL: *ret_status. */
static uint8_t *load(int fd, size_t *ret_len, enum sinkhole_journal_status *ret_status)
{
    const size_t room = ZSTD_compressBound(SINKHOLE_SEGMENT_BYTES);
    uint8_t *file = malloc(room);
    uint8_t *base = calloc(1, SINKHOLE_SEGMENT_BYTES);
    size_t len = 0;
    bool fine = false;

    *ret_status = SINKHOLE_JOURNAL_NO_MEMORY;
    if (file == NULL || base == NULL)
        goto out;

    const ssize_t got = read_all(fd, file, room);

    *ret_status = SINKHOLE_JOURNAL_IO;
    if (got < 0)
        goto out;
    *ret_status = SINKHOLE_JOURNAL_DAMAGED;
    if (got >= (ssize_t)sizeof(ZSTD_MAGIC) && memcmp(file, ZSTD_MAGIC, sizeof(ZSTD_MAGIC)) == 0) {
        len = ZSTD_decompress(base, SINKHOLE_SEGMENT_BYTES, file, (size_t)got);
        fine = !ZSTD_isError(len);
    } else if ((size_t)got <= SINKHOLE_SEGMENT_BYTES) {
        len = (size_t)got;
        memcpy(base, file, len);
        fine = true;
    }
out:
    free(file);
    if (!fine) {
        free(base);
        return NULL;
    }
    *ret_len = len;
    *ret_status = SINKHOLE_JOURNAL_OK;
    return base;
}

int archive_segment(int folder_fd, int archive_fd, const char *name)
{
    enum sinkhole_journal_status status;
    const int fd = openat(folder_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    uint8_t *base = NULL, *packed = NULL;
    size_t len, packed_len = 0;
    int result = -1;

    if (fd < 0)
        return -1;
    base = load(fd, &len, &status);
    if (base == NULL)
        goto out;
    packed = compress(base, used_octets(base, len), &packed_len);
    if (packed != NULL)
        result = store(archive_fd, name, packed, packed_len);
out:;
    const int saved = errno;

    close(fd);
    free(base);
    free(packed);
    errno = saved;
    return result;
}

unsigned sinkhole_archive_purge(const char *dir, int64_t before_ms)
{
    const int fd = journal_folder_open(dir, ARCHIVE_FOLDER, false);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    unsigned removed = 0;

    if (folder == NULL) {
        if (fd >= 0)
            close(fd);
        return 0;
    }
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        unsigned lane;
        uint64_t number;
        struct stat st;

        if (!segment_name_parse(entry->d_name, ".seg.zst", &lane, &number) &&
            !segment_name_parse(entry->d_name, ".seg.damaged", &lane, &number) &&
            !segment_name_parse(entry->d_name, ".seg.new", &lane, &number))
            continue;
        /* It was written when its segment was full, so its last record is no younger. */
        if (fstatat(dirfd(folder), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            (int64_t)st.st_mtim.tv_sec * 1000 < before_ms &&
            unlinkat(dirfd(folder), entry->d_name, 0) == 0)
            removed++;
    }
    closedir(folder);
    return removed;
}

/* Visits every record that proves itself. */
static void visit_records(uint8_t *base, size_t len, sinkhole_record_fn visit, void *arg)
{
    const struct segment_header *header = segment_header_of(base);
    struct sinkhole_record_id id = {.lane = header->lane, .segment = header->segment};
    struct segment_cursor cursor;
    struct sinkhole_hit hit;
    size_t hit_len;

    memcpy(id.journal, header->journal, sizeof(id.journal));
    segment_cursor_init(&cursor, base, header->journal, header->lane, header->segment);
    cursor.end = (uint32_t)len;
    for (struct segment_record *record;
         (record = segment_next(&cursor, true, &hit_len)) != NULL;
         segment_skip(&cursor, record)) {
        if (!sinkhole_hit_decode(record->hit, hit_len, &hit))
            continue;
        hit.count =
            atomic_load_explicit(&record->count, memory_order_relaxed) & RECORD_COUNT_MAX;
        if (hit.count == 0)
            hit.count = 1;
        id.sequence = record->sequence;
        if (!visit(arg, &id, &hit))
            return;
    }
}

enum sinkhole_journal_status sinkhole_segment_read(const char *path, sinkhole_record_fn visit,
                                                   void *arg)
{
    enum sinkhole_journal_status status;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    uint8_t *base;
    size_t len;

    if (fd < 0)
        return SINKHOLE_JOURNAL_IO;
    base = load(fd, &len, &status);
    close(fd);
    if (base == NULL)
        return status;
    if (segment_header_valid(segment_header_of(base)))
        visit_records(base, len, visit, arg);
    else
        status = SINKHOLE_JOURNAL_DAMAGED;
    free(base);
    return status;
}
