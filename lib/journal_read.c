/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The journal's reading side: each lane's segments in order, record by record.
 *
 * Of each lane one segment is mapped: the one being read, or the prepared one that comes next. The
 * mapping is writable, because the reader closes the counts.
 *
 * Threads: one drain, one thread. Memory: one mapping a lane, a row for each segment file.
 */
#include "lib/journal_format.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SEGMENTS_MAX 65536u /* files of one lane that are looked at */

struct drain_segment {
    uint64_t number;
    uint64_t last_sequence; /* when finished */
    uint64_t damaged;
    bool finished; /* read to its end, sealed */
    bool useless;  /* no valid header */
    bool seen;     /* by the scan under way */
};

struct drain_lane {
    struct drain_segment *list; /* ascending */
    size_t count, room;
    struct segment_cursor cursor; /* base NULL: none mapped */
    uint64_t number;              /* of the mapped segment */
    bool headless;                /* it lost its header with the power: nobody writes it */
    uint64_t passed;              /* segments up to this one are finished with */
    uint64_t skip_segment, skip_sequence;
    uint64_t damaged; /* in segments that are gone */
};

struct sinkhole_drain {
    char *dir;
    int folder_fd, archive_fd;
    unsigned lanes;
    uint8_t journal[16];
    struct timespec scan_mtime; /* of the folder, before the last scan */
    time_t scan_time;
    struct drain_lane lane[SINKHOLE_LANES_MAX];
};

/* --- the list of segments --------------------------------------------------------------------- */

/* First of the list that is not below `number`. */
static struct drain_segment *list_at(const struct drain_lane *lane, uint64_t number)
{
    size_t low = 0, high = lane->count;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;

        if (lane->list[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return lane->list == NULL ? NULL : lane->list + low;
}

static struct drain_segment *list_find(const struct drain_lane *lane, uint64_t number)
{
    struct drain_segment *segment = list_at(lane, number);

    return segment != NULL && segment < lane->list + lane->count && segment->number == number
               ? segment
               : NULL;
}

/* The first that has not been read, 0: none. */
static uint64_t list_next(const struct drain_lane *lane)
{
    const struct drain_segment *segment = list_at(lane, lane->passed + 1);

    return segment != NULL && segment < lane->list + lane->count ? segment->number : 0;
}

static void list_add(struct drain_lane *lane, uint64_t number)
{
    struct drain_segment *segment = list_find(lane, number);

    if (segment != NULL) {
        segment->seen = true;
        return;
    }
    if (lane->count == lane->room) {
        const size_t room = lane->room == 0 ? 16 : lane->room * 2;
        struct drain_segment *list =
            room > SEGMENTS_MAX ? NULL : reallocarray(lane->list, room, sizeof(*list));

        if (list == NULL)
            return; /* the next scan tries again */
        lane->list = list;
        lane->room = room;
    }
    segment = list_at(lane, number);
    memmove(segment + 1, segment,
            (size_t)(lane->list + lane->count - segment) * sizeof(*segment));
    *segment = (struct drain_segment){.number = number, .seen = true};
    lane->count++;
}

static void list_drop_unseen(struct drain_lane *lane)
{
    size_t kept = 0;

    for (size_t i = 0; i < lane->count; i++) {
        struct drain_segment *segment = &lane->list[i];

        if (segment->seen) {
            segment->seen = false;
            lane->list[kept++] = *segment;
        } else {
            lane->damaged += segment->damaged;
        }
    }
    lane->count = kept;
}

/* --- the mapped segment ----------------------------------------------------------------------- */

static void lane_unmap(struct drain_lane *lane)
{
    struct drain_segment *segment = list_find(lane, lane->number);

    if (lane->cursor.base == NULL)
        return;
    if (segment != NULL && lane->cursor.damaged > segment->damaged)
        segment->damaged = lane->cursor.damaged;
    else if (segment == NULL)
        lane->damaged += lane->cursor.damaged;
    munmap(lane->cursor.base, SINKHOLE_SEGMENT_BYTES);
    lane->cursor.base = NULL;
}

static uint32_t lane_state(const struct drain_lane *lane)
{
    return lane->headless ? (uint32_t)SEGMENT_SEALED
                          : atomic_load_explicit(&segment_header_of(lane->cursor.base)->state,
                                                 memory_order_acquire);
}

/* Nothing but zeros where every segment that has a name had its header: the page never reached the
 * disk. The records prove themselves without it. */
static bool header_lost(const struct segment_header *header)
{
    static const struct segment_header zeros;

    return memcmp(header, &zeros, sizeof(zeros)) == 0;
}

static bool header_fits(const struct segment_header *header, const struct sinkhole_drain *drain,
                        unsigned lane, uint64_t segment)
{
    return segment_header_valid(header) && header->lane == lane && header->segment == segment &&
           memcmp(header->journal, drain->journal, sizeof(drain->journal)) == 0;
}

/* Maps one segment of the lane. False: it is gone, or useless, which is noted. */
static bool lane_map(const struct sinkhole_drain *drain, unsigned number, uint64_t segment_number)
{
    struct drain_lane *lane = (struct drain_lane *)&drain->lane[number];
    struct drain_segment *segment = list_find(lane, segment_number);
    char name[SEGMENT_NAME_MAX];
    struct stat st;
    uint8_t *base = MAP_FAILED;

    segment_name(name, number, segment_number);

    const int fd = openat(drain->folder_fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0)
        return false;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == SINKHOLE_SEGMENT_BYTES)
        base = mmap(NULL, SINKHOLE_SEGMENT_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (base == MAP_FAILED)
        return false;

    const struct segment_header *header = segment_header_of(base);

    lane->headless = header_lost(header);
    if (!lane->headless && !header_fits(header, drain, number, segment_number)) {
        munmap(base, SINKHOLE_SEGMENT_BYTES);
        if (segment != NULL && !segment->useless) {
            segment->useless = segment->finished = true;
            segment->damaged++;
            lane->passed = segment_number;
        }
        return false;
    }
    segment_cursor_init(&lane->cursor, base, drain->journal, number, segment_number);
    lane->number = segment_number;
    return true;
}

/* Reads the folder when it may have changed since, or when `force`d. */
static void drain_scan(struct sinkhole_drain *drain, bool force)
{
    struct stat st;
    const time_t now = time(NULL);

    if (fstat(drain->folder_fd, &st) != 0)
        return;
    /* Within two seconds of a change the time of change says nothing about further ones. */
    if (!force && st.st_mtim.tv_sec == drain->scan_mtime.tv_sec &&
        st.st_mtim.tv_nsec == drain->scan_mtime.tv_nsec &&
        drain->scan_time - st.st_mtim.tv_sec > 2)
        return;

    const int fd = openat(drain->folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);

    if (folder == NULL) {
        if (fd >= 0)
            close(fd);
        return;
    }
    drain->scan_mtime = st.st_mtim;
    drain->scan_time = now;
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        unsigned lane;
        uint64_t number;

        if (!segment_name_parse(entry->d_name, ".seg", &lane, &number))
            continue;
        list_add(&drain->lane[lane], number);
        if (lane >= drain->lanes)
            drain->lanes = lane + 1;
    }
    closedir(folder);
    for (unsigned i = 0; i < drain->lanes; i++) {
        struct drain_lane *lane = &drain->lane[i];

        list_drop_unseen(lane);
        /* A prepared segment that a new writer has done away with. */
        if (lane->cursor.base != NULL && lane_state(lane) == SEGMENT_SPARE &&
            lane->number != list_next(lane))
            lane_unmap(lane);
    }
}

/* Maps the next segment. A folder read after a segment was seen in use shows all that were made
 * before it, so that none is passed over. */
static bool lane_open_next(struct sinkhole_drain *drain, unsigned number)
{
    struct drain_lane *lane = &drain->lane[number];
    const uint64_t next = list_next(lane);

    if (next == 0 || !lane_map(drain, number, next))
        return false;
    if (lane_state(lane) != SEGMENT_SPARE) {
        drain_scan(drain, true);
        if (list_next(lane) != next) {
            lane_unmap(lane);
            return false;
        }
    }
    return true;
}

static void lane_finish(struct drain_lane *lane)
{
    struct drain_segment *segment = list_find(lane, lane->number);

    if (segment != NULL) {
        segment->finished = true;
        segment->last_sequence = lane->cursor.sequence;
    }
    lane->passed = lane->number;
    lane_unmap(lane);
}

/* --- contract --------------------------------------------------------------------------------- */

enum sinkhole_journal_status sinkhole_drain_open(const char *dir, struct sinkhole_drain **ret_drain)
{
    struct sinkhole_drain *drain = calloc(1, sizeof(*drain));
    enum sinkhole_journal_status status = SINKHOLE_JOURNAL_NO_MEMORY;

    if (drain == NULL)
        return status;
    drain->folder_fd = drain->archive_fd = -1;
    drain->dir = strdup(dir);
    if (drain->dir == NULL)
        goto out;
    status = SINKHOLE_JOURNAL_IO;
    drain->folder_fd = journal_folder_open(dir, JOURNAL_FOLDER, false);
    if (drain->folder_fd < 0)
        goto out;
    if (journal_identity_read(drain->folder_fd, drain->journal) != 0) {
        if (errno == EBADMSG)
            status = SINKHOLE_JOURNAL_DAMAGED;
        goto out;
    }
    drain_scan(drain, true);
    *ret_drain = drain;
    return SINKHOLE_JOURNAL_OK;
out:
    sinkhole_drain_close(drain);
    return status;
}

void sinkhole_drain_close(struct sinkhole_drain *drain)
{
    const int saved = errno;

    if (drain == NULL)
        return;
    for (unsigned i = 0; i < drain->lanes; i++) {
        lane_unmap(&drain->lane[i]);
        free(drain->lane[i].list);
    }
    if (drain->folder_fd >= 0)
        close(drain->folder_fd);
    if (drain->archive_fd >= 0)
        close(drain->archive_fd);
    free(drain->dir);
    free(drain);
    errno = saved;
}

unsigned sinkhole_drain_refresh(struct sinkhole_drain *drain)
{
    drain_scan(drain, false);
    return drain->lanes;
}

void sinkhole_drain_identity(const struct sinkhole_drain *drain, uint8_t ret_journal[16])
{
    memcpy(ret_journal, drain->journal, sizeof(drain->journal));
}

uint64_t sinkhole_drain_first_segment(const struct sinkhole_drain *drain, unsigned lane)
{
    return lane < drain->lanes && drain->lane[lane].count > 0 ? drain->lane[lane].list[0].number
                                                              : 0;
}

void sinkhole_drain_seek(struct sinkhole_drain *drain, unsigned number, uint64_t segment,
                         uint64_t sequence)
{
    if (number >= drain->lanes)
        return;

    struct drain_lane *lane = &drain->lane[number];

    lane_unmap(lane);
    lane->passed = segment == 0 ? 0 : segment - 1;
    lane->skip_segment = segment;
    lane->skip_sequence = sequence;
}

/* Closes the record's count when its window is over, or so far ahead that the clock must have been
 * set back. Returns the count, 0 while it is still open. */
static uint32_t record_close(struct segment_record *record, int64_t time_ms, int64_t now_ms)
{
    const int64_t window = time_ms / RECORD_WINDOW_MS, now = now_ms / RECORD_WINDOW_MS;
    uint32_t count = atomic_load_explicit(&record->count, memory_order_acquire);

    if ((count & RECORD_CLOSED) == 0) {
        if (window == now || window == now + 1)
            return 0;
        count = atomic_fetch_or_explicit(&record->count, RECORD_CLOSED, memory_order_acq_rel);
    }
    count &= RECORD_COUNT_MAX;
    return count == 0 ? 1 : count; /* a record without a reply is not written */
}

enum sinkhole_journal_status sinkhole_drain_next(struct sinkhole_drain *drain, unsigned number,
                                                 int64_t now_ms, struct sinkhole_hit *ret_hit,
                                                 struct sinkhole_record_id *ret_id)
{
    if (number >= drain->lanes)
        return SINKHOLE_JOURNAL_END;

    struct drain_lane *lane = &drain->lane[number];

    for (;;) {
        size_t hit_len;

        if (lane->cursor.base == NULL && !lane_open_next(drain, number))
            return SINKHOLE_JOURNAL_END;

        /* The state first: what was written before the seal is then seen. */
        const uint32_t state = lane_state(lane);

        if (state == SEGMENT_SPARE)
            return SINKHOLE_JOURNAL_END;

        struct segment_record *record =
            segment_next(&lane->cursor, state == SEGMENT_SEALED, &hit_len);

        if (record == NULL) {
            if (state != SEGMENT_SEALED)
                return SINKHOLE_JOURNAL_END;
            lane_finish(lane);
            drain_scan(drain, true);
            continue;
        }
        if (lane->number == lane->skip_segment && record->sequence <= lane->skip_sequence) {
            segment_skip(&lane->cursor, record);
            continue;
        }
        if (!sinkhole_hit_decode(record->hit, hit_len, ret_hit)) {
            lane->cursor.damaged++;
            segment_skip(&lane->cursor, record);
            continue;
        }
        ret_hit->count = record_close(record, ret_hit->time_ms, now_ms);
        if (ret_hit->count == 0)
            return SINKHOLE_JOURNAL_END;
        segment_skip(&lane->cursor, record);
        memcpy(ret_id->journal, drain->journal, sizeof(ret_id->journal));
        ret_id->lane = number;
        ret_id->segment = lane->number;
        ret_id->sequence = record->sequence;
        return SINKHOLE_JOURNAL_OK;
    }
}

/* Moves one segment to the archive. */
static enum sinkhole_journal_status segment_retire(struct sinkhole_drain *drain, unsigned number,
                                                   struct drain_segment *segment)
{
    char name[SEGMENT_NAME_MAX];
    struct drain_lane *lane = &drain->lane[number];
    int failed = 0;

    segment_name(name, number, segment->number);
    if (drain->archive_fd < 0)
        drain->archive_fd = journal_folder_open(drain->dir, ARCHIVE_FOLDER, true);
    if (drain->archive_fd < 0)
        return SINKHOLE_JOURNAL_IO;
    if (segment->useless) {
        char aside[SEGMENT_NAME_MAX + 8];

        snprintf(aside, sizeof(aside), "%s.damaged", name);
        failed = renameat(drain->folder_fd, name, drain->archive_fd, aside);
    } else {
        if (!segment->finished || segment->last_sequence > 0)
            failed = archive_segment(drain->folder_fd, drain->archive_fd, name);
        if (failed == 0)
            failed = unlinkat(drain->folder_fd, name, 0);
    }
    if (failed != 0)
        return errno == ENOSPC || errno == EDQUOT ? SINKHOLE_JOURNAL_FULL : SINKHOLE_JOURNAL_IO;
    lane->damaged += segment->damaged;
    memmove(segment, segment + 1,
            (size_t)(lane->list + lane->count - segment - 1) * sizeof(*segment));
    lane->count--;
    return SINKHOLE_JOURNAL_OK;
}

enum sinkhole_journal_status sinkhole_drain_acknowledge(struct sinkhole_drain *drain,
                                                        unsigned number, uint64_t segment_number,
                                                        uint64_t sequence)
{
    if (number >= drain->lanes || drain->lane[number].count == 0)
        return SINKHOLE_JOURNAL_OK;

    struct drain_lane *lane = &drain->lane[number];
    struct drain_segment *segment = &lane->list[0];
    const bool below = segment->number < segment_number;
    const bool last = segment->number == segment_number && segment->finished &&
                      segment->last_sequence <= sequence;
    const bool nothing = segment->finished && segment->last_sequence == 0;

    /* One a call, so that the caller's loop is not held up for long. */
    if ((!below && !last && !nothing) ||
        (lane->cursor.base != NULL && lane->number == segment->number))
        return SINKHOLE_JOURNAL_OK;
    return segment_retire(drain, number, segment);
}

/* The backlog hint of a segment that is not mapped; 0: unknown. */
static uint64_t segment_progress(const struct sinkhole_drain *drain, unsigned lane, uint64_t number)
{
    struct segment_header header;
    char name[SEGMENT_NAME_MAX];
    uint64_t progress = 0;

    segment_name(name, lane, number);

    const int fd = openat(drain->folder_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0)
        return 0;
    if (pread(fd, &header, sizeof(header), 0) == (ssize_t)sizeof(header))
        progress = atomic_load_explicit(&header.progress, memory_order_relaxed);
    close(fd);
    return progress;
}

static void backlog_add(struct sinkhole_backlog *backlog, uint64_t progress, uint32_t position,
                        uint64_t sequence, int64_t time_ms)
{
    const uint64_t records = progress & 0xffffffffu;
    const uint64_t end = progress >> 32;

    if (records <= sequence || end <= position)
        return;
    backlog->records += records - sequence;
    backlog->bytes += end - position;
    if (backlog->oldest_ms == 0 || time_ms < backlog->oldest_ms)
        backlog->oldest_ms = time_ms;
}

/* Time of the record at the cursor; a segment's number when it cannot be told. */
static int64_t cursor_time(const struct drain_lane *lane)
{
    struct segment_cursor cursor = lane->cursor; /* a look ahead */
    size_t hit_len;
    const struct segment_record *record = segment_next(&cursor, false, &hit_len);
    int64_t time_ms = (int64_t)lane->number;

    if (record != NULL)
        memcpy(&time_ms, record->hit, sizeof(time_ms)); /* stands first */
    return time_ms;
}

void sinkhole_drain_backlog(const struct sinkhole_drain *drain,
                            struct sinkhole_backlog *ret_backlog)
{
    struct sinkhole_backlog backlog = {0};

    for (unsigned i = 0; i < drain->lanes; i++) {
        const struct drain_lane *lane = &drain->lane[i];
        const bool mapped = lane->cursor.base != NULL;

        backlog.damaged += lane->damaged;
        for (size_t k = 0; k < lane->count; k++) {
            const struct drain_segment *segment = &lane->list[k];

            if (mapped && segment->number == lane->number) {
                const uint64_t progress =
                    atomic_load_explicit(&segment_header_of(lane->cursor.base)->progress,
                                         memory_order_relaxed);

                backlog.damaged += lane->cursor.damaged > segment->damaged
                                       ? lane->cursor.damaged
                                       : segment->damaged;
                backlog_add(&backlog, progress, lane->cursor.position, lane->cursor.sequence,
                            cursor_time(lane));
                continue;
            }
            backlog.damaged += segment->damaged;
            if (segment->number > lane->passed)
                backlog_add(&backlog, segment_progress(drain, i, segment->number), SEGMENT_DATA, 0,
                            (int64_t)segment->number);
        }
    }
    *ret_backlog = backlog;
}
