/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The journal's files, octet by octet (doc/journal-format.md), and the one door to a segment's
 * records: segment_next. Fields are little-endian, as they are in memory.
 *
 * Threads: see each field. Memory: a cursor looks at a segment that its owner keeps mapped.
 */
#ifndef SINKHOLE_JOURNAL_FORMAT_H
#define SINKHOLE_JOURNAL_FORMAT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sinkhole/journal.h"

#define SEGMENT_MAGIC "SHSEG\r\n\x1a"
#define SEGMENT_VERSION 1u
#define SEGMENT_DATA 128u /* first record's offset */
#define RECORD_ALIGN 8u
#define RECORD_CLOSED 0x80000000u
#define RECORD_COUNT_MAX 0x7fffffffu
/* Repeats within one such window are one record. Not the full second that a count may stand for: a
 * record leaves when its window is over, half a window after its replies in the middle, and hits
 * are to be in Redis within half a second in the middle (measured: 512 ms with 1,000, 471 with
 * 900). */
#define RECORD_WINDOW_MS 900

#define HIT_VERSION 1u
#define HIT_KEY_OFFSET 10u /* after time and port: what makes two hits the same */
#define HIT_ENCODED_MIN 45u

#define JOURNAL_FOLDER "journal"
#define ARCHIVE_FOLDER "archive"
#define SEGMENT_NAME_MAX 48

enum segment_state {
    SEGMENT_SPARE = 0,  /* prepared, no record yet */
    SEGMENT_ACTIVE = 1, /* the lane's writer appends */
    SEGMENT_SEALED = 2, /* no record will come; counts of open records are closed by the reader */
};

struct segment_header {
    uint8_t magic[8];
    uint32_t version;
    uint32_t lane;
    uint64_t segment;
    uint8_t journal[16];
    uint32_t bytes;  /* SINKHOLE_SEGMENT_BYTES */
    uint32_t flags;  /* must be understood; none yet */
    uint64_t check;  /* XXH3-64 of what stands above */
    uint64_t unused;
    /* Written by the writer, read by the reader. */
    _Atomic uint32_t state; /* enum segment_state; release, acquire */
    uint32_t unused_too;
    _Atomic uint64_t progress; /* a hint for the backlog: end of data << 32 | records; relaxed */
    uint8_t unused_rest[48];
};
_Static_assert(sizeof(struct segment_header) == SEGMENT_DATA, "segment header");
_Static_assert(offsetof(struct segment_header, check) == 48, "segment header");
_Static_assert(offsetof(struct segment_header, state) == 64, "a cache line of its own");

struct segment_record {
    _Atomic uint32_t
        commit; /* length << 16 | (~length & 0xffff); 0: not there. Written last, release */
    _Atomic uint32_t
        count; /* replies; RECORD_CLOSED: will not change. Writer adds, reader closes */
    uint64_t sequence;
    uint64_t check; /* segment_record_check */
    uint8_t hit[];  /* encoded, padded to RECORD_ALIGN */
};
_Static_assert(sizeof(struct segment_record) == 24, "record head");

/* A walk over one segment. */
struct segment_cursor {
    uint8_t *base;     /* SINKHOLE_SEGMENT_BYTES */
    uint64_t seed;     /* segment_seed */
    uint32_t end; /* nothing but zeros from here on; SINKHOLE_SEGMENT_BYTES unless known better */
    uint32_t position; /* of the next record */
    uint32_t
        stuck_at; /* damage met here in a segment still written: not looked at again until sealed */
    uint64_t sequence; /* of the last record passed */
    uint64_t damaged;  /* records missed so far */
};

static inline uint32_t record_commit_word(size_t hit_len)
{
    return (uint32_t)hit_len << 16 | (~(uint32_t)hit_len & 0xffffu);
}

static inline uint32_t record_size(size_t hit_len)
{
    return (uint32_t)((sizeof(struct segment_record) + hit_len + RECORD_ALIGN - 1) &
                      ~(size_t)(RECORD_ALIGN - 1));
}

static inline struct segment_header *segment_header_of(uint8_t *base)
{
    return (struct segment_header *)(void *)base;
}

static inline struct segment_record *segment_record_at(uint8_t *base, uint32_t position)
{
    return (struct segment_record *)(void *)(base + position);
}

/* "LANE-SEGMENT.seg" */
void segment_name(char buf[SEGMENT_NAME_MAX], unsigned lane, uint64_t segment);
/* False when the name is not of that form. `suffix`: ".seg" or ".seg.zst". */
bool segment_name_parse(const char *name, const char *suffix, unsigned *ret_lane,
                        uint64_t *ret_segment);

/* Fills a header, state SPARE. */
void segment_header_init(struct segment_header *header, const uint8_t journal[16], unsigned lane,
                         uint64_t segment);
/* Magic, version, flags, size and checksum. */
bool segment_header_valid(const struct segment_header *header);

/* Ties a record to its place, so that octets of another segment, or chosen by a client, never pass.
 */
uint64_t segment_seed(const uint8_t journal[16], unsigned lane, uint64_t segment);
/* `key_hash`: XXH3-64 of the encoded hit from HIT_KEY_OFFSET on. */
uint64_t segment_record_check(uint64_t seed, uint64_t sequence, const uint8_t *hit, size_t hit_len,
                              uint64_t key_hash);
uint64_t segment_key_hash(const uint8_t *hit, size_t hit_len);

void segment_cursor_init(struct segment_cursor *cursor, uint8_t *base, const uint8_t journal[16],
                         unsigned lane, uint64_t segment);
/*
 * The record at the cursor, proved by its checksum, or NULL. `whole`: nobody writes here any more;
 * then a hole is passed over to the next record that proves itself, and what is missing is added to
 * `damaged`. The cursor stays before the record until segment_skip.
 */
struct segment_record *segment_next(struct segment_cursor *cursor, bool whole, size_t *ret_hit_len);
void segment_skip(struct segment_cursor *cursor, const struct segment_record *record);

/* Makes DIR/NAME when it is not there; its descriptor, or -1 (errno). */
int journal_folder_open(const char *dir, const char *name, bool make);
/* Reads DIR/journal/id. 0, or -1 (errno; EBADMSG: not 16 octets). */
int journal_identity_read(int folder_fd, uint8_t ret_journal[16]);

/* archive.c: a compressed copy of FOLDER/NAME as ARCHIVE/NAME.zst, durable when it returns. 0, or
 * -1 (errno). */
int archive_segment(int folder_fd, int archive_fd, const char *name);

#endif
