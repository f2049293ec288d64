/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The journal's writing side: lanes, appending, and the tending of segments.
 *
 * A lane's own thread takes prepared segments from a small ring and leaves sealed ones on a list;
 * the tending thread fills the one and empties the other, so that appending needs neither lock nor
 * system call.
 *
 * Threads: struct sinkhole_lane groups its fields by who writes them. Memory: a lane has at most
 * one active and SPARES prepared segments mapped, besides sealed ones until the next tend.
 */
#include "config.h" /* SEEK_DATA */

#include "lib/journal_format.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sinkhole/clock.h"

#define SPARES 2u /* ready for each lane */
#define RING 4u   /* power of two, more than SPARES */
#define UNNAMED "segment.new" /* a segment being made; one at a time, by the lock's holder */

#define REPEAT_SLOTS 1024u /* power of two */
#define REPEAT_WAYS 4u

/* A hit seen lately; its last record is in the active segment when `epoch` is the lane's. */
struct repeat {
    uint64_t hash;
    uint32_t window;   /* of RECORD_WINDOW_MS, counted from 1970 */
    uint32_t position; /* of its last record */
    uint32_t epoch;
    uint32_t hits; /* in `window`; more than one makes it busy */
};

struct segment {
    uint8_t *base;
    uint64_t number;
    struct segment *next; /* in the retired list */
};

struct sinkhole_lane {
    /* The lane's thread. */
    struct segment *active;
    uint64_t seed;
    uint64_t sequence; /* of the last record */
    uint32_t position; /* of the next record */
    uint32_t epoch;    /* counts segments, so that `repeat` forgets positions of older ones */
    _Atomic uint64_t drops;
    _Atomic uint64_t recorded;
    struct repeat repeat[REPEAT_SLOTS];
    /* Lane's thread to tending thread. */
    _Atomic(struct segment *) retired;
    _Atomic uint32_t taken; /* release, after the slot was read */
    /* Tending thread to lane's thread. */
    _Atomic uint32_t filled; /* release, after the slot was written */
    struct segment *ring[RING];
    /* The tending thread. */
    uint64_t last_number;
    unsigned number;
    uint8_t journal[16];
};

struct sinkhole_journal {
    unsigned lanes;
    int folder_fd;
    int lock_fd; /* holds the lock; the file keeps each lane's last segment number */
    uint64_t max_bytes;
    uint8_t journal[16];
    uint64_t last_number[SINKHOLE_LANES_MAX]; /* while opening */
    struct sinkhole_lane *lane[SINKHOLE_LANES_MAX];
};

/* --- appending ------------------------------------------------------------------------------ */

static void segment_free(struct segment *segment)
{
    if (segment == NULL)
        return;
    munmap(segment->base, SINKHOLE_SEGMENT_BYTES);
    free(segment);
}

static void lane_seal(struct sinkhole_lane *lane)
{
    struct segment *segment = lane->active;

    if (segment == NULL)
        return;
    atomic_store_explicit(&segment_header_of(segment->base)->state, SEGMENT_SEALED,
                          memory_order_release);
    lane->active = NULL;
    segment->next = atomic_load_explicit(&lane->retired, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&lane->retired, &segment->next, segment,
                                                  memory_order_release, memory_order_relaxed))
        ;
}

/* Seals the active segment and takes the next. False: none is ready. */
static bool lane_advance(struct sinkhole_lane *lane)
{
    const uint32_t taken = atomic_load_explicit(&lane->taken, memory_order_relaxed);

    lane_seal(lane);
    if (taken == atomic_load_explicit(&lane->filled, memory_order_acquire))
        return false;
    lane->active = lane->ring[taken % RING];
    atomic_store_explicit(&lane->taken, taken + 1, memory_order_release);
    lane->seed = segment_seed(lane->journal, lane->number, lane->active->number);
    lane->sequence = 0;
    lane->position = SEGMENT_DATA;
    lane->epoch++;
    atomic_store_explicit(&segment_header_of(lane->active->base)->state, SEGMENT_ACTIVE,
                          memory_order_release);
    return true;
}

/* Position of the new record, 0 when there is no room. */
static uint32_t lane_write(struct sinkhole_lane *lane, const uint8_t *hit, size_t hit_len,
                           uint64_t key_hash, uint32_t count)
{
    const uint32_t size = record_size(hit_len);

    if ((lane->active == NULL || size > SINKHOLE_SEGMENT_BYTES - lane->position) &&
        !lane_advance(lane))
        return 0;

    struct segment_header *header = segment_header_of(lane->active->base);
    const uint32_t position = lane->position;
    struct segment_record *record = segment_record_at(lane->active->base, position);

    lane->sequence++;
    memcpy(record->hit, hit, hit_len);
    record->sequence = lane->sequence;
    record->check = segment_record_check(lane->seed, lane->sequence, hit, hit_len, key_hash);
    atomic_store_explicit(&record->count, count, memory_order_relaxed);
    atomic_store_explicit(&record->commit, record_commit_word(hit_len), memory_order_release);
    lane->position += size;
    atomic_store_explicit(&header->progress,
                          (uint64_t)lane->position << 32 | (lane->sequence & 0xffffffffu),
                          memory_order_relaxed);
    return position;
}

static bool repeat_is(const struct sinkhole_lane *lane, const struct repeat *repeat,
                      const uint8_t *hit, size_t hit_len)
{
    const struct segment_record *record = segment_record_at(lane->active->base, repeat->position);

    return atomic_load_explicit(&record->commit, memory_order_relaxed) ==
               record_commit_word(hit_len) &&
           memcmp(record->hit + HIT_KEY_OFFSET, hit + HIT_KEY_OFFSET,
                  hit_len - HIT_KEY_OFFSET) == 0;
}

/* The slot of this hit (*ret_known), else the one to use for it: the longest idle of its four. */
static struct repeat *repeat_find(struct sinkhole_lane *lane, uint64_t hash, const uint8_t *hit,
                                  size_t hit_len, bool *ret_known)
{
    struct repeat *set = &lane->repeat[hash & (REPEAT_SLOTS - REPEAT_WAYS)];
    struct repeat *oldest = set;

    for (struct repeat *repeat = set; repeat < set + REPEAT_WAYS; repeat++) {
        if (repeat->hash == hash && repeat->epoch == lane->epoch && lane->active != NULL &&
            repeat_is(lane, repeat, hit, hit_len)) {
            *ret_known = true;
            return repeat;
        }
        if (repeat->window < oldest->window)
            oldest = repeat;
    }
    *ret_known = false;
    return oldest;
}

/* One more in an open record. False: the reader has closed it. */
static bool record_raise(struct sinkhole_lane *lane, uint32_t position)
{
    struct segment_record *record = segment_record_at(lane->active->base, position);
    uint32_t count = atomic_load_explicit(&record->count, memory_order_relaxed);

    do {
        if (count >= RECORD_COUNT_MAX)
            return false; /* closed, or full */
    } while (!atomic_compare_exchange_weak_explicit(&record->count, &count, count + 1,
                                                    memory_order_relaxed, memory_order_relaxed));
    return true;
}

static void count_up(_Atomic uint64_t *counter)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

bool sinkhole_lane_append(struct sinkhole_lane *lane, const struct sinkhole_hit *hit)
{
    uint8_t buf[SINKHOLE_HIT_ENCODED_MAX];
    const size_t hit_len = sinkhole_hit_encode(hit, buf, sizeof(buf));

    if (hit_len < HIT_ENCODED_MIN) {
        count_up(&lane->drops);
        return false;
    }

    const uint64_t hash = segment_key_hash(buf, hit_len);
    const uint32_t window = (uint32_t)(hit->time_ms / RECORD_WINDOW_MS);
    bool known;
    struct repeat *repeat = repeat_find(lane, hash, buf, hit_len, &known);
    const bool same = known && repeat->window == window;
    const bool after_busy = known && repeat->hits > 1 && repeat->window + 1 == window;

    if (!same || !record_raise(lane, repeat->position)) {
        const uint32_t count = same || after_busy ? 1 : 1 | RECORD_CLOSED;
        const uint32_t position = lane_write(lane, buf, hit_len, hash, count);

        if (position == 0) {
            count_up(&lane->drops);
            return false;
        }
        repeat->hash = hash;
        repeat->epoch = lane->epoch;
        repeat->position = position;
    }
    repeat->hits = same ? repeat->hits + 1 : 1;
    repeat->window = window;
    count_up(&lane->recorded);
    return true;
}

struct sinkhole_lane *sinkhole_journal_lane(struct sinkhole_journal *journal, unsigned lane)
{
    return lane < journal->lanes ? journal->lane[lane] : NULL;
}

uint64_t sinkhole_lane_drops(const struct sinkhole_lane *lane)
{
    return atomic_load_explicit(&lane->drops, memory_order_relaxed);
}

uint64_t sinkhole_lane_recorded(const struct sinkhole_lane *lane)
{
    return atomic_load_explicit(&lane->recorded, memory_order_relaxed);
}

/* --- tending --------------------------------------------------------------------------------- */

static enum sinkhole_journal_status status_of_errno(void)
{
    return errno == ENOSPC || errno == EDQUOT ? SINKHOLE_JOURNAL_FULL : SINKHOLE_JOURNAL_IO;
}

typedef void (*segment_visit_fn)(struct sinkhole_journal *journal, const char *name, unsigned lane,
                                 uint64_t number);

/* Visits every segment file of the folder; returns their number, -1 with errno. */
static int folder_each(struct sinkhole_journal *journal, segment_visit_fn visit)
{
    const int fd = openat(journal->folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    int found = 0;

    if (folder == NULL) {
        if (fd >= 0)
            close(fd);
        return -1;
    }
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        unsigned lane;
        uint64_t number;

        if (!segment_name_parse(entry->d_name, ".seg", &lane, &number))
            continue;
        found++;
        if (visit != NULL)
            visit(journal, entry->d_name, lane, number);
    }
    closedir(folder);
    return found;
}

/* Makes and maps the file with its room reserved. It gets its name last, so that a reader never
 * meets one without header. NULL with errno, and no file is left. */
static uint8_t *segment_file_make(const struct sinkhole_journal *journal, const char *name,
                                  unsigned lane, uint64_t number)
{
    struct segment_header header;
    uint8_t *base = MAP_FAILED;
    const int fd = openat(journal->folder_fd, UNNAMED,
                          O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0660);

    if (fd < 0)
        return NULL;
    segment_header_init(&header, journal->journal, lane, number);
    (void)fchmod(fd, 0660);
    errno = posix_fallocate(fd, 0, SINKHOLE_SEGMENT_BYTES);
    if (errno == 0 && pwrite(fd, &header, sizeof(header), 0) == (ssize_t)sizeof(header) &&
        renameat(journal->folder_fd, UNNAMED, journal->folder_fd, name) == 0)
        base = mmap(NULL, SINKHOLE_SEGMENT_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    const int saved = errno;

    close(fd);
    if (base == MAP_FAILED) {
        unlinkat(journal->folder_fd, UNNAMED, 0);
        unlinkat(journal->folder_fd, name, 0);
        errno = saved;
        return NULL;
    }
    return base;
}

/* Puts one more prepared segment into the lane's ring. */
static enum sinkhole_journal_status lane_prepare(struct sinkhole_journal *journal,
                                                 struct sinkhole_lane *lane)
{
    const uint64_t now = (uint64_t)sinkhole_now_ms();
    const uint64_t number = now > lane->last_number ? now : lane->last_number + 1;
    const uint32_t filled = atomic_load_explicit(&lane->filled, memory_order_relaxed);
    char name[SEGMENT_NAME_MAX];
    struct segment *segment;
    const int files = folder_each(journal, NULL);

    if (files < 0)
        return SINKHOLE_JOURNAL_IO;
    if (((uint64_t)files + 1) * SINKHOLE_SEGMENT_BYTES > journal->max_bytes)
        return SINKHOLE_JOURNAL_FULL;
    segment = calloc(1, sizeof(*segment));
    if (segment == NULL)
        return SINKHOLE_JOURNAL_NO_MEMORY;
    segment_name(name, lane->number, number);
    segment->number = number;
    /* The number is spent before a record can carry it. */
    if (pwrite(journal->lock_fd, &number, sizeof(number),
               (off_t)(lane->number * sizeof(number))) == (ssize_t)sizeof(number))
        segment->base = segment_file_make(journal, name, lane->number, number);
    if (segment->base == NULL) {
        const enum sinkhole_journal_status status = status_of_errno();

        free(segment);
        return status;
    }
    lane->last_number = number;
    lane->ring[filled % RING] = segment;
    atomic_store_explicit(&lane->filled, filled + 1, memory_order_release);
    return SINKHOLE_JOURNAL_OK;
}

static void lane_bury(struct sinkhole_lane *lane)
{
    struct segment *segment =
        atomic_exchange_explicit(&lane->retired, NULL, memory_order_acquire);

    while (segment != NULL) {
        struct segment *next = segment->next;

        segment_free(segment);
        segment = next;
    }
}

static uint32_t lane_spares(const struct sinkhole_lane *lane)
{
    return atomic_load_explicit(&lane->filled, memory_order_relaxed) -
           atomic_load_explicit(&lane->taken, memory_order_acquire);
}

enum sinkhole_journal_status sinkhole_journal_tend(struct sinkhole_journal *journal)
{
    enum sinkhole_journal_status status = SINKHOLE_JOURNAL_OK;

    for (unsigned i = 0; i < journal->lanes; i++)
        lane_bury(journal->lane[i]);
    /* The first spare of every lane before the second of any. */
    for (uint32_t want = 1; want <= SPARES; want++)
        for (unsigned i = 0; i < journal->lanes && status == SINKHOLE_JOURNAL_OK; i++)
            if (lane_spares(journal->lane[i]) < want)
                status = lane_prepare(journal, journal->lane[i]);
    return status;
}

/* --- opening and closing --------------------------------------------------------------------- */

static bool all_zeros(const uint8_t *base, size_t from, size_t to)
{
    const uint64_t *word = (const uint64_t *)(const void *)base;

    for (size_t i = from / sizeof(*word); i < to / sizeof(*word); i++)
        if (word[i] != 0)
            return false;
    return true;
}

/* True when nothing but zeros follows the header: no record was ever begun. */
static bool segment_empty(int fd, const uint8_t *base)
{
    const size_t page = 4096;

    if (!all_zeros(base, SEGMENT_DATA, page))
        return false;

    /* What the file system knows to be unwritten need not be looked at. */
    const off_t written = lseek(fd, (off_t)page, SEEK_DATA);

    if (written < 0 && errno == ENXIO)
        return true;
    return all_zeros(base, written > 0 ? (size_t)written & ~(page - 1) : page,
                     SINKHOLE_SEGMENT_BYTES);
}

/* Seals what a dead writer left, and removes what it had only prepared. A header that was lost with
 * the power is made again from the file's name: the records prove themselves. */
static void segment_inherit(struct sinkhole_journal *journal, const char *name, unsigned lane,
                            uint64_t number)
{
    const int fd = openat(journal->folder_fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    struct stat st = {.st_size = INT64_MAX};
    uint8_t *base = MAP_FAILED;

    if (number > journal->last_number[lane])
        journal->last_number[lane] = number;
    if (fd < 0)
        return;
    if (fstat(fd, &st) == 0 && st.st_size == SINKHOLE_SEGMENT_BYTES)
        base = mmap(NULL, SINKHOLE_SEGMENT_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    else if (st.st_size < SINKHOLE_SEGMENT_BYTES)
        unlinkat(journal->folder_fd, name, 0); /* cut by a power loss: no page of it was mapped */
    if (base == MAP_FAILED) {
        close(fd);
        return;
    }

    struct segment_header *header = segment_header_of(base);
    const bool valid = segment_header_valid(header);

    if (!valid || atomic_load_explicit(&header->state, memory_order_acquire) != SEGMENT_SEALED) {
        if (segment_empty(fd, base)) {
            unlinkat(journal->folder_fd, name, 0);
        } else if (!valid) {
            segment_header_init(header, journal->journal, lane, number);
        }
        atomic_store_explicit(&header->state, SEGMENT_SEALED, memory_order_release);
    }
    munmap(base, SINKHOLE_SEGMENT_BYTES);
    close(fd);
}

/* Makes the folder's identity when it has none. 0, or -1 with errno. */
static int identity_make(struct sinkhole_journal *journal)
{
    const int fd =
        openat(journal->folder_fd, "id.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0660);
    int result = -1;

    if (fd < 0)
        return -1;
    if (fchmod(fd, 0660) == 0 &&
        getrandom(journal->journal, sizeof(journal->journal), 0) ==
            (ssize_t)sizeof(journal->journal) &&
        write(fd, journal->journal, sizeof(journal->journal)) ==
            (ssize_t)sizeof(journal->journal) &&
        fsync(fd) == 0 && renameat(journal->folder_fd, "id.new", journal->folder_fd, "id") == 0 &&
        fsync(journal->folder_fd) == 0)
        result = 0;

    const int saved = errno;

    close(fd);
    errno = saved;
    return result;
}

/* Lock, identity, and the last segment numbers; leftovers are sealed. */
static enum sinkhole_journal_status journal_take(struct sinkhole_journal *journal, const char *dir)
{
    journal->folder_fd = journal_folder_open(dir, JOURNAL_FOLDER, true);
    if (journal->folder_fd < 0)
        return status_of_errno();
    journal->lock_fd =
        openat(journal->folder_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0660);
    if (journal->lock_fd < 0)
        return status_of_errno();
    if (flock(journal->lock_fd, LOCK_EX | LOCK_NB) != 0)
        return errno == EWOULDBLOCK ? SINKHOLE_JOURNAL_LOCKED : SINKHOLE_JOURNAL_IO;
    (void)fchmod(journal->lock_fd, 0660);
    if (pread(journal->lock_fd, journal->last_number, sizeof(journal->last_number), 0) < 0)
        return SINKHOLE_JOURNAL_IO;
    if (journal_identity_read(journal->folder_fd, journal->journal) != 0) {
        if (errno != ENOENT)
            return errno == EBADMSG ? SINKHOLE_JOURNAL_DAMAGED : SINKHOLE_JOURNAL_IO;
        if (identity_make(journal) != 0)
            return status_of_errno();
    }
    return folder_each(journal, segment_inherit) < 0 ? SINKHOLE_JOURNAL_IO : SINKHOLE_JOURNAL_OK;
}

enum sinkhole_journal_status sinkhole_journal_open(const char *dir, unsigned lanes,
                                                   uint64_t max_bytes,
                                                   struct sinkhole_journal **ret_journal)
{
    struct sinkhole_journal *journal = calloc(1, sizeof(*journal));
    enum sinkhole_journal_status status = SINKHOLE_JOURNAL_NO_MEMORY;

    if (journal == NULL)
        return status;
    journal->folder_fd = journal->lock_fd = -1;
    journal->max_bytes = max_bytes;
    if (lanes > SINKHOLE_LANES_MAX)
        lanes = SINKHOLE_LANES_MAX;
    for (; journal->lanes < lanes; journal->lanes++) {
        struct sinkhole_lane *lane = calloc(1, sizeof(*lane));

        if (lane == NULL)
            goto out;
        lane->number = journal->lanes;
        journal->lane[journal->lanes] = lane;
    }
    status = journal_take(journal, dir);
    if (status != SINKHOLE_JOURNAL_OK)
        goto out;
    for (unsigned i = 0; i < lanes; i++) {
        journal->lane[i]->last_number = journal->last_number[i];
        memcpy(journal->lane[i]->journal, journal->journal, sizeof(journal->journal));
    }
    (void)sinkhole_journal_tend(journal); /* no room now: later, by the caller's tending */
    *ret_journal = journal;
    journal = NULL;
out:
    sinkhole_journal_close(journal);
    return status;
}

/* A segment that holds no record is not worth keeping. */
static void journal_remove(const struct sinkhole_journal *journal, const struct sinkhole_lane *lane,
                           const struct segment *segment)
{
    char name[SEGMENT_NAME_MAX];

    segment_name(name, lane->number, segment->number);
    unlinkat(journal->folder_fd, name, 0);
}

static void lane_close(const struct sinkhole_journal *journal, struct sinkhole_lane *lane)
{
    if (lane == NULL)
        return;
    lane_seal(lane);
    lane_bury(lane);
    for (uint32_t i = atomic_load_explicit(&lane->taken, memory_order_acquire);
         i != atomic_load_explicit(&lane->filled, memory_order_relaxed); i++) {
        journal_remove(journal, lane, lane->ring[i % RING]);
        segment_free(lane->ring[i % RING]);
    }
    free(lane);
}

void sinkhole_journal_close(struct sinkhole_journal *journal)
{
    const int saved = errno;

    if (journal == NULL)
        return;
    for (unsigned i = 0; i < journal->lanes; i++)
        lane_close(journal, journal->lane[i]);
    if (journal->lock_fd >= 0)
        close(journal->lock_fd);
    if (journal->folder_fd >= 0)
        close(journal->folder_fd);
    free(journal);
    errno = saved;
}
