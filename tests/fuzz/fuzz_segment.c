/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Any octets as a segment. First octet 0: the rest is a file, packed or not, as it is. Else the
 * rest follows a good header, and every frame that looks like a record's gets its checksum put
 * right, so that what is behind the checksum is reached too. Records come in order and are counted
 * or missed.
 */
#define _GNU_SOURCE 1
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/journal_format.h"

#define INPUT_MAX 65536u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool visit(void *arg, const struct sinkhole_record_id *id, const struct sinkhole_hit *hit)
{
    uint64_t *last = arg;

    if (id->sequence <= *last || hit->count == 0)
        abort();
    *last = id->sequence;
    return true;
}

static void read_file(const uint8_t *data, size_t size)
{
    const int fd = memfd_create("segment", MFD_CLOEXEC);
    char path[64];
    uint64_t last = 0;

    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    (void)sinkhole_segment_read(path, visit, &last);
    close(fd);
}

static void put_right(struct segment_cursor *cursor, size_t size)
{
    for (uint32_t at = SEGMENT_DATA; at + sizeof(struct segment_record) < SEGMENT_DATA + size;) {
        struct segment_record *record = segment_record_at(cursor->base, at);
        const size_t hit_len = atomic_load(&record->commit) >> 16;

        if (atomic_load(&record->commit) != record_commit_word(hit_len) ||
            hit_len < HIT_ENCODED_MIN || hit_len > SINKHOLE_HIT_ENCODED_MAX) {
            at += RECORD_ALIGN;
            continue;
        }
        record->check = segment_record_check(cursor->seed, record->sequence, record->hit, hit_len,
                                             segment_key_hash(record->hit, hit_len));
        at += record_size(hit_len);
    }
}

static void walk(const uint8_t *data, size_t size)
{
    static _Alignas(64) uint8_t base[SINKHOLE_SEGMENT_BYTES];
    static const uint8_t journal[16] = "fuzz";
    struct segment_cursor cursor;
    struct sinkhole_hit hit;
    uint64_t last = 0;
    size_t hit_len;

    segment_header_init(segment_header_of(base), journal, 0, 1);
    memcpy(base + SEGMENT_DATA, data, size);
    segment_cursor_init(&cursor, base, journal, 0, 1);
    cursor.end = SEGMENT_DATA + (uint32_t)size;
    put_right(&cursor, size);
    for (unsigned whole = 0; whole < 2; whole++)
        for (struct segment_record *record;
             (record = segment_next(&cursor, whole != 0, &hit_len)) != NULL;
             segment_skip(&cursor, record)) {
            if (record->sequence <= last)
                abort();
            last = record->sequence;
            (void)sinkhole_hit_decode(record->hit, hit_len, &hit);
        }
    if (cursor.position != SINKHOLE_SEGMENT_BYTES)
        abort();
    memset(base + SEGMENT_DATA, 0, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > INPUT_MAX)
        return 0;
    if (data[0] == 0)
        read_file(data + 1, size - 1);
    else
        walk(data + 1, size - 1);
    return 0;
}
