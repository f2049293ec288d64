/* SPDX-License-Identifier: BSD-3-Clause */
/* Segments of the journal, as both sides see them. Threads and memory: see journal_format.h. */
#include "lib/journal_format.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

const char *sinkhole_journal_status_text(enum sinkhole_journal_status status)
{
    switch (status) {
    case SINKHOLE_JOURNAL_OK:
        return "fine";
    case SINKHOLE_JOURNAL_LOCKED:
        return "another process writes this journal";
    case SINKHOLE_JOURNAL_FULL:
        return "no room: the disk is full or the journal has reached its limit";
    case SINKHOLE_JOURNAL_IO:
        return "the operating system refused";
    case SINKHOLE_JOURNAL_DAMAGED:
        return "not a segment of this version, or damaged";
    case SINKHOLE_JOURNAL_NO_MEMORY:
        return "out of memory";
    case SINKHOLE_JOURNAL_END:
        return "nothing more to read now";
    }
    return "unknown status";
}

void segment_name(char buf[SEGMENT_NAME_MAX], unsigned lane, uint64_t segment)
{
    snprintf(buf, SEGMENT_NAME_MAX, "%u-%" PRIu64 ".seg", lane, segment);
}

bool segment_name_parse(const char *name, const char *suffix, unsigned *ret_lane,
                        uint64_t *ret_segment)
{
    char *end;
    char again[SEGMENT_NAME_MAX];

    if (name[0] < '0' || name[0] > '9')
        return false;

    const unsigned long lane = strtoul(name, &end, 10);

    if (lane >= SINKHOLE_LANES_MAX || *end != '-' || end[1] < '0' || end[1] > '9')
        return false;

    errno = 0;
    const unsigned long long segment = strtoull(end + 1, &end, 10);

    if (errno != 0 || segment == 0 || segment >= UINT64_MAX / 2)
        return false;
    snprintf(again, sizeof(again), "%lu-%llu%s", lane, segment, suffix);
    if (strcmp(name, again) != 0)
        return false;
    *ret_lane = (unsigned)lane;
    *ret_segment = segment;
    return true;
}

void segment_header_init(struct segment_header *header, const uint8_t journal[16], unsigned lane,
                         uint64_t segment)
{
    memset(header, 0, sizeof(*header));
    memcpy(header->magic, SEGMENT_MAGIC, sizeof(header->magic));
    header->version = SEGMENT_VERSION;
    header->lane = lane;
    header->segment = segment;
    memcpy(header->journal, journal, sizeof(header->journal));
    header->bytes = SINKHOLE_SEGMENT_BYTES;
    header->check = XXH3_64bits(header, offsetof(struct segment_header, check));
}

bool segment_header_valid(const struct segment_header *header)
{
    return memcmp(header->magic, SEGMENT_MAGIC, sizeof(header->magic)) == 0 &&
           header->version == SEGMENT_VERSION && header->flags == 0 &&
           header->bytes == SINKHOLE_SEGMENT_BYTES && header->lane < SINKHOLE_LANES_MAX &&
           header->check == XXH3_64bits(header, offsetof(struct segment_header, check));
}

uint64_t segment_seed(const uint8_t journal[16], unsigned lane, uint64_t segment)
{
    struct {
        uint8_t journal[16];
        uint64_t lane, segment;
    } place = {.lane = lane, .segment = segment};

    memcpy(place.journal, journal, sizeof(place.journal));
    return XXH3_64bits(&place, sizeof(place));
}

uint64_t segment_key_hash(const uint8_t *hit, size_t hit_len)
{
    return XXH3_64bits(hit + HIT_KEY_OFFSET, hit_len - HIT_KEY_OFFSET);
}

uint64_t segment_record_check(uint64_t seed, uint64_t sequence, const uint8_t *hit, size_t hit_len,
                              uint64_t key_hash)
{
    struct {
        uint64_t sequence, key_hash;
        uint8_t before_key[HIT_KEY_OFFSET];
        uint8_t hit_len[6];
    } input = {.sequence = sequence, .key_hash = key_hash};

    memcpy(input.before_key, hit, sizeof(input.before_key));
    memcpy(input.hit_len, &hit_len, sizeof(input.hit_len));
    return XXH3_64bits_withSeed(&input, sizeof(input), seed);
}

void segment_cursor_init(struct segment_cursor *cursor, uint8_t *base, const uint8_t journal[16],
                         unsigned lane, uint64_t segment)
{
    *cursor = (struct segment_cursor){
        .base = base,
        .seed = segment_seed(journal, lane, segment),
        .end = SINKHOLE_SEGMENT_BYTES,
        .position = SEGMENT_DATA,
    };
}

/* A committed record at `position` whose frame and checksum hold, or NULL. */
static struct segment_record *proved_record(const struct segment_cursor *cursor, uint32_t position,
                                            size_t *ret_hit_len)
{
    struct segment_record *record = segment_record_at(cursor->base, position);
    const uint32_t commit = atomic_load_explicit(&record->commit, memory_order_acquire);
    const size_t hit_len = commit >> 16;

    if (commit != record_commit_word(hit_len) || hit_len < HIT_ENCODED_MIN ||
        hit_len > SINKHOLE_HIT_ENCODED_MAX ||
        record_size(hit_len) > SINKHOLE_SEGMENT_BYTES - position ||
        record->sequence <= cursor->sequence ||
        record->check != segment_record_check(cursor->seed, record->sequence, record->hit, hit_len,
                                              segment_key_hash(record->hit, hit_len)))
        return NULL;
    *ret_hit_len = hit_len;
    return record;
}

/* The last offset at which a record may begin. */
#define RECORD_LAST (SINKHOLE_SEGMENT_BYTES - (uint32_t)sizeof(struct segment_record))

struct segment_record *segment_next(struct segment_cursor *cursor, bool whole, size_t *ret_hit_len)
{
    struct segment_record *record;

    if (cursor->position > RECORD_LAST || (cursor->stuck_at == cursor->position && !whole))
        return NULL;
    record = proved_record(cursor, cursor->position, ret_hit_len);
    if (record != NULL && record->sequence == cursor->sequence + 1)
        return record;

    const bool torn =
        atomic_load_explicit(&segment_record_at(cursor->base, cursor->position)->commit,
                             memory_order_acquire) != 0;

    if (!torn && !whole)
        return NULL; /* simply the end, for now */
    for (uint32_t at = cursor->position; at <= RECORD_LAST && at < cursor->end;
         at += RECORD_ALIGN) {
        /* Most of what is looked through here is zeros. */
        if (atomic_load_explicit(&segment_record_at(cursor->base, at)->commit,
                                 memory_order_relaxed) == 0)
            continue;
        record = proved_record(cursor, at, ret_hit_len);
        if (record != NULL) {
            cursor->damaged += record->sequence - cursor->sequence - 1;
            cursor->sequence = record->sequence - 1;
            cursor->position = at;
            return record;
        }
    }
    if (whole) {
        cursor->damaged += torn ? 1 : 0;
        cursor->position = SINKHOLE_SEGMENT_BYTES;
    } else {
        cursor->stuck_at = cursor->position;
    }
    return NULL;
}

void segment_skip(struct segment_cursor *cursor, const struct segment_record *record)
{
    const uint32_t commit = atomic_load_explicit(&record->commit, memory_order_relaxed);

    cursor->sequence = record->sequence;
    cursor->position += record_size(commit >> 16);
}

int journal_folder_open(const char *dir, const char *name, bool make)
{
    const int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int fd = -1;

    if (dir_fd < 0)
        return -1;
    const bool made = make && mkdirat(dir_fd, name, 0770) == 0;

    fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (made && fd >= 0 && fchmod(fd, 02770) != 0) { /* writer and reader share it by their group */
        close(fd);
        fd = -1;
    }

    const int saved = errno;

    close(dir_fd);
    errno = saved;
    return fd;
}

int journal_identity_read(int folder_fd, uint8_t ret_journal[16])
{
    uint8_t buf[17];
    const int fd = openat(folder_fd, "id", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0)
        return -1;

    const ssize_t got = read(fd, buf, sizeof(buf));
    const int saved = errno;

    close(fd);
    if (got != 16) {
        errno = got < 0 ? saved : EBADMSG;
        return -1;
    }
    memcpy(ret_journal, buf, 16);
    return 0;
}
