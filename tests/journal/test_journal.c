/* SPDX-License-Identifier: BSD-3-Clause */
/* What one writer and one reader of the journal may rely on, step by step. */
#include "sample.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define T0 SAMPLE_TIME_MS
#define LATER (T0 + 60000)
#define W RECORD_WINDOW_MS
#define ROOM (UINT64_C(1) << 30)

struct fixture {
    char dir[64];
    struct sinkhole_journal *journal;
    struct sinkhole_drain *drain;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    sample_dir_make(f->dir);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    sinkhole_drain_close(f->drain);
    sinkhole_journal_close(f->journal);
    sample_dir_remove(f->dir);
    free(f);
    return 0;
}

static void open_both(struct fixture *f, unsigned lanes)
{
    assert_int_equal(sinkhole_journal_open(f->dir, lanes, ROOM, &f->journal), SINKHOLE_JOURNAL_OK);
    assert_int_equal(sinkhole_drain_open(f->dir, &f->drain), SINKHOLE_JOURNAL_OK);
    assert_int_equal(sinkhole_drain_refresh(f->drain), lanes);
}

static void append(struct fixture *f, uint32_t client, int64_t time_ms, unsigned times)
{
    const struct sinkhole_hit hit = sample_hit(client, time_ms);

    for (unsigned i = 0; i < times; i++)
        assert_true(sinkhole_lane_append(sinkhole_journal_lane(f->journal, 0), &hit));
}

static void expect_next(struct fixture *f, int64_t now_ms, uint32_t client, uint32_t count)
{
    struct sinkhole_hit hit;
    struct sinkhole_record_id id;

    sinkhole_drain_refresh(f->drain);
    assert_int_equal(sinkhole_drain_next(f->drain, 0, now_ms, &hit, &id), SINKHOLE_JOURNAL_OK);
    assert_int_equal(sample_client(&hit), client);
    assert_int_equal(hit.count, count);
}

static void expect_end(struct fixture *f, int64_t now_ms)
{
    struct sinkhole_hit hit;
    struct sinkhole_record_id id;

    sinkhole_drain_refresh(f->drain);
    assert_int_equal(sinkhole_drain_next(f->drain, 0, now_ms, &hit, &id), SINKHOLE_JOURNAL_END);
}

static unsigned files_in(const char *dir, const char *folder, const char *suffix)
{
    char path[128];
    unsigned count = 0;

    snprintf(path, sizeof(path), "%s/%s", dir, folder);

    DIR *d = opendir(path);

    if (d == NULL)
        return 0;
    for (const struct dirent *entry; (entry = readdir(d)) != NULL;) {
        const size_t len = strlen(entry->d_name), tail = strlen(suffix);

        count += len > tail && strcmp(entry->d_name + len - tail, suffix) == 0;
    }
    closedir(d);
    return count;
}

/* Appends distinct hits until the lane has used `segments` more segments; returns how many. */
static uint32_t fill(struct fixture *f, unsigned segments, uint32_t first)
{
    uint32_t client = first;
    struct sinkhole_hit hit = sample_hit(client, T0);
    const uint32_t most =
        (SINKHOLE_SEGMENT_BYTES - SEGMENT_DATA) / record_size(40 + 4 + 4 + hit.qname.wire_len);

    for (uint32_t i = 0; i < most * segments; i++, client++) {
        if (i % 1000 == 0)
            (void)sinkhole_journal_tend(f->journal);
        append(f, client, T0, 1);
    }
    return client - first;
}

static void first_hit_is_ready_at_once(void **state)
{
    struct fixture *f = *state;

    open_both(f, 1);
    expect_end(f, T0);
    append(f, 1, T0, 1);
    append(f, 2, T0, 1);
    expect_next(f, T0, 1, 1);
    expect_next(f, T0, 2, 1);
    expect_end(f, T0);
}

static void repeats_of_a_window_are_one_record(void **state)
{
    struct fixture *f = *state;

    open_both(f, 1);
    append(f, 1, T0 + 10, 5000);
    expect_next(f, T0 + 20, 1, 1);
    expect_end(f, T0 + W - 1); /* its window is not over */
    append(f, 1, T0 + W - 1, 1);
    expect_next(f, T0 + W, 1, 5000);
    expect_end(f, LATER);
    assert_int_equal(sinkhole_lane_recorded(sinkhole_journal_lane(f->journal, 0)), 5001);
}

static void a_window_after_a_busy_one_is_one_record(void **state)
{
    struct fixture *f = *state;

    open_both(f, 1);
    append(f, 1, T0, 3);
    append(f, 1, T0 + W, 4);
    append(f, 1, T0 + 2 * W, 1); /* after a busy one, itself quiet */
    append(f, 1, T0 + 3 * W, 1); /* after a quiet one: at once */
    append(f, 1, T0 + 5 * W, 1); /* after a pause: at once */
    expect_next(f, LATER, 1, 1);
    expect_next(f, LATER, 1, 2);
    expect_next(f, LATER, 1, 4);
    expect_next(f, LATER, 1, 1);
    expect_next(f, T0, 1, 1); /* closed from the start, whatever the time */
    expect_next(f, T0, 1, 1);
    expect_end(f, LATER);
}

static void a_closed_record_is_never_raised(void **state)
{
    struct fixture *f = *state;

    open_both(f, 1);
    append(f, 1, T0, 3);
    expect_next(f, LATER, 1, 1);
    expect_next(f, LATER, 1, 2); /* the reader's clock is ahead: closed early */
    append(f, 1, T0, 4);
    expect_next(f, LATER, 1, 4);
    expect_end(f, LATER);
}

static void a_clock_set_back_does_not_hold_the_lane(void **state)
{
    struct fixture *f = *state;

    open_both(f, 1);
    append(f, 1, T0, 3);
    append(f, 2, T0 - 3600000, 1);
    expect_next(f, T0, 1, 1);
    expect_next(f, T0 - 3600000, 1, 2);
    expect_next(f, T0 - 3600000, 2, 1);
}

static void hits_that_differ_are_kept_apart(void **state)
{
    struct fixture *f = *state;
    struct sinkhole_hit hits[6];
    struct sinkhole_lane *lane;

    open_both(f, 1);
    lane = sinkhole_journal_lane(f->journal, 0);
    for (size_t i = 0; i < 6; i++)
        hits[i] = sample_hit(1, T0);
    hits[1].qtype = 28;
    hits[2].rule = 8;
    hits[3].transport = SINKHOLE_TRANSPORT_TCP;
    hits[4].qname = sample_name("other.xrp.evil.example");
    hits[5].flags = SINKHOLE_HIT_STALE; /* another outcome is another fact */
    for (unsigned round = 0; round < 3; round++)
        for (size_t i = 0; i < 6; i++)
            assert_true(sinkhole_lane_append(lane, &hits[i]));
    for (size_t i = 0; i < 6; i++)
        expect_next(f, LATER, 1, 1);
    for (size_t i = 0; i < 6; i++)
        expect_next(f, LATER, 1, 2);
    expect_end(f, LATER);
    /* The port is not what makes a hit another. */
    hits[0].time_ms = LATER;
    assert_true(sinkhole_lane_append(lane, &hits[0]));
    hits[0].port++;
    assert_true(sinkhole_lane_append(lane, &hits[0]));
    assert_true(sinkhole_lane_append(lane, &hits[0]));
    expect_next(f, LATER, 1, 1);
    expect_next(f, LATER + 1000, 1, 2);
}

static void more_clients_than_the_table_holds(void **state)
{
    struct fixture *f = *state;
    struct sinkhole_hit hit;
    struct sinkhole_record_id id;
    static uint32_t total[20000];

    memset(total, 0, sizeof(total));
    open_both(f, 1);
    for (unsigned round = 0; round < 3; round++)
        for (uint32_t client = 0; client < 20000; client++) {
            if (client % 1000 == 0)
                (void)sinkhole_journal_tend(f->journal);
            append(f, client, T0, 1);
        }
    while (sinkhole_drain_next(f->drain, 0, LATER, &hit, &id) == SINKHOLE_JOURNAL_OK)
        total[sample_client(&hit)] += hit.count;
    for (uint32_t client = 0; client < 20000; client++)
        assert_int_equal(total[client], 3);
}

static void segments_follow_each_other(void **state)
{
    struct fixture *f = *state;
    struct sinkhole_hit hit;
    struct sinkhole_record_id id = {0}, before = {0};
    uint32_t count = 0;

    open_both(f, 1);

    const uint32_t written = fill(f, 3, 1000);

    append(f, 5, T0, 1);
    sinkhole_drain_refresh(f->drain);
    while (sinkhole_drain_next(f->drain, 0, LATER, &hit, &id) == SINKHOLE_JOURNAL_OK) {
        if (id.segment == before.segment) {
            assert_int_equal(id.sequence, before.sequence + 1);
        } else {
            assert_true(id.segment > before.segment);
            assert_int_equal(id.sequence, 1);
        }
        before = id;
        count++;
    }
    assert_int_equal(count, written + 1);
    assert_int_equal(sample_client(&hit), 5);
}

static void seek_resumes_after_a_record(void **state)
{
    struct fixture *f = *state;
    struct sinkhole_hit hit;
    struct sinkhole_record_id id;

    open_both(f, 1);
    append(f, 1, T0, 1);
    append(f, 2, T0, 1);
    append(f, 3, T0, 1);
    assert_int_equal(sinkhole_drain_next(f->drain, 0, T0, &hit, &id), SINKHOLE_JOURNAL_OK);
    assert_int_equal(id.segment, sinkhole_drain_first_segment(f->drain, 0));
    sinkhole_drain_close(f->drain);
    assert_int_equal(sinkhole_drain_open(f->dir, &f->drain), SINKHOLE_JOURNAL_OK);
    expect_next(f, T0, 1, 1); /* without seek: from the oldest */
    sinkhole_drain_seek(f->drain, 0, id.segment, 2);
    expect_next(f, T0, 3, 1);
    expect_end(f, T0);
    sinkhole_drain_seek(f->drain, 0, id.segment - 1, 99); /* of a segment that is gone */
    expect_next(f, T0, 1, 1);
    sinkhole_drain_seek(f->drain, 0, id.segment + 1000000, 1); /* ahead of all that is there */
    expect_end(f, T0);
    sinkhole_drain_seek(f->drain, 0, 0, 0);
    expect_next(f, T0, 1, 1);
}

static void acknowledged_segments_go_to_the_archive(void **state)
{
    struct fixture *f = *state;
    struct sinkhole_hit hit;
    struct sinkhole_record_id id, last_of_first = {0};
    struct sinkhole_backlog backlog;

    open_both(f, 1);
    fill(f, 2, 0);
    append(f, 0, LATER, 1);
    sinkhole_drain_refresh(f->drain);
    sinkhole_drain_backlog(f->drain, &backlog);
    assert_true(backlog.records > 50000 && backlog.bytes > 8000000 && backlog.oldest_ms > 0);
    while (sinkhole_drain_next(f->drain, 0, LATER, &hit, &id) == SINKHOLE_JOURNAL_OK)
        if (id.segment == sinkhole_drain_first_segment(f->drain, 0))
            last_of_first = id;
    sinkhole_drain_backlog(f->drain, &backlog);
    assert_int_equal(backlog.records, 0);
    assert_int_equal(backlog.damaged, 0);
    assert_int_equal(backlog.oldest_ms, 0);

    /* One record short of the segment's end, nothing moves. */
    assert_int_equal(sinkhole_drain_acknowledge(f->drain, 0, last_of_first.segment,
                                                last_of_first.sequence - 1),
                     SINKHOLE_JOURNAL_OK);
    assert_int_equal(files_in(f->dir, "archive", ".zst"), 0);
    assert_int_equal(sinkhole_drain_acknowledge(f->drain, 0, last_of_first.segment,
                                                last_of_first.sequence),
                     SINKHOLE_JOURNAL_OK);
    assert_int_equal(files_in(f->dir, "archive", ".zst"), 1);
    assert_true(sinkhole_drain_first_segment(f->drain, 0) > last_of_first.segment);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(sinkhole_drain_acknowledge(f->drain, 0, id.segment, id.sequence),
                         SINKHOLE_JOURNAL_OK);
    assert_int_equal(files_in(f->dir, "archive", ".zst"), 2);
    assert_int_equal(files_in(f->dir, "archive", ".new"), 0);
    assert_int_equal(sinkhole_drain_first_segment(f->drain, 0), id.segment); /* active: stays */
    expect_end(f, LATER);
}

struct tally {
    uint32_t records, replies, next_client;
    bool in_order;
};

static bool tally_record(void *arg, const struct sinkhole_record_id *id,
                         const struct sinkhole_hit *hit)
{
    struct tally *tally = arg;

    (void)id;
    tally->in_order = tally->in_order && sample_client(hit) == tally->next_client;
    tally->next_client++;
    tally->records++;
    tally->replies += hit->count;
    return true;
}

static void one_path(const char *dir, const char *folder, const char *suffix, char path[320])
{
    snprintf(path, 128, "%s/%s", dir, folder);

    DIR *d = opendir(path);

    assert_non_null(d);
    for (const struct dirent *entry; (entry = readdir(d)) != NULL;)
        if (strstr(entry->d_name, suffix) != NULL)
            snprintf(path, 320, "%.60s/%s/%.200s", dir, folder, entry->d_name);
    closedir(d);
}

static void archive_reads_like_the_live_file(void **state)
{
    struct fixture *f = *state;
    struct tally live = {.in_order = true}, archived = {.in_order = true};
    struct sinkhole_hit hit;
    struct sinkhole_record_id id;
    char path[320];

    open_both(f, 1);
    for (uint32_t client = 0; client < 1000; client++)
        append(f, client, T0, 1);
    sinkhole_journal_close(f->journal);
    f->journal = NULL;
    one_path(f->dir, "journal", ".seg", path);
    assert_int_equal(sinkhole_segment_read(path, tally_record, &live), SINKHOLE_JOURNAL_OK);
    assert_int_equal(live.records, 1000);
    assert_true(live.in_order);
    sinkhole_drain_refresh(f->drain);
    while (sinkhole_drain_next(f->drain, 0, LATER, &hit, &id) == SINKHOLE_JOURNAL_OK)
        ;
    assert_int_equal(sinkhole_drain_acknowledge(f->drain, 0, id.segment, id.sequence),
                     SINKHOLE_JOURNAL_OK);
    assert_int_equal(files_in(f->dir, "journal", ".seg"), 0);
    one_path(f->dir, "archive", ".zst", path);
    assert_int_equal(sinkhole_segment_read(path, tally_record, &archived), SINKHOLE_JOURNAL_OK);
    assert_int_equal(archived.records, 1000);
    assert_true(archived.in_order);
    assert_int_equal(sinkhole_archive_purge(f->dir, 1000), 0);
    assert_int_equal(sinkhole_archive_purge(f->dir, INT64_MAX), 1);
    assert_int_equal(files_in(f->dir, "archive", ".zst"), 0);
}

static void two_writers_are_refused(void **state)
{
    struct fixture *f = *state;
    struct sinkhole_journal *second = NULL;

    open_both(f, 1);
    assert_int_equal(sinkhole_journal_open(f->dir, 1, ROOM, &second), SINKHOLE_JOURNAL_LOCKED);
    assert_null(second);
    append(f, 1, T0, 1);
    expect_next(f, T0, 1, 1);
}

static void reopening_goes_on_above(void **state)
{
    struct fixture *f = *state;
    uint8_t before[16], after[16];
    struct sinkhole_hit hit;
    struct sinkhole_record_id first, second;

    open_both(f, 2);
    sinkhole_drain_identity(f->drain, before);
    append(f, 1, T0, 1);
    assert_int_equal(sinkhole_drain_next(f->drain, 0, T0, &hit, &first), SINKHOLE_JOURNAL_OK);
    sinkhole_journal_close(f->journal);
    assert_int_equal(files_in(f->dir, "journal", ".seg"), 1); /* prepared ones are gone */
    assert_int_equal(sinkhole_journal_open(f->dir, 1, ROOM, &f->journal), SINKHOLE_JOURNAL_OK);
    append(f, 2, T0, 1);
    sinkhole_drain_refresh(f->drain);
    assert_int_equal(sinkhole_drain_next(f->drain, 0, T0, &hit, &second), SINKHOLE_JOURNAL_OK);
    assert_int_equal(sample_client(&hit), 2);
    assert_true(second.segment > first.segment);
    sinkhole_drain_identity(f->drain, after);
    assert_memory_equal(before, after, 16);
}

static void numbers_rise_even_when_all_files_are_gone(void **state)
{
    struct fixture *f = *state;
    char path[128];
    const uint64_t spent[2] = {UINT64_C(1) << 50, 5};
    struct sinkhole_hit hit;
    struct sinkhole_record_id id;

    open_both(f, 1);
    sinkhole_journal_close(f->journal);
    f->journal = NULL;
    snprintf(path, sizeof(path), "%s/journal/lock", f->dir);

    const int fd = open(path, O_WRONLY | O_CLOEXEC);

    assert_int_equal(pwrite(fd, spent, sizeof(spent), 0), sizeof(spent));
    close(fd);
    assert_int_equal(sinkhole_journal_open(f->dir, 1, ROOM, &f->journal), SINKHOLE_JOURNAL_OK);
    append(f, 1, T0, 1);
    sinkhole_drain_refresh(f->drain);
    assert_int_equal(sinkhole_drain_next(f->drain, 0, T0, &hit, &id), SINKHOLE_JOURNAL_OK);
    assert_true(id.segment > spent[0]);
}

static void a_full_journal_counts_drops(void **state)
{
    struct fixture *f = *state;
    struct sinkhole_hit hit = sample_hit(0, T0);
    struct sinkhole_record_id id;
    struct sinkhole_lane *lane;
    uint64_t kept = 0, dropped = 0, got = 0;

    assert_int_equal(sinkhole_journal_open(f->dir, 1, 2 * SINKHOLE_SEGMENT_BYTES, &f->journal),
                     SINKHOLE_JOURNAL_OK);
    assert_int_equal(sinkhole_drain_open(f->dir, &f->drain), SINKHOLE_JOURNAL_OK);
    lane = sinkhole_journal_lane(f->journal, 0);
    for (uint32_t client = 0; dropped < 1000; client++) {
        hit = sample_hit(client, T0);
        if (sinkhole_lane_append(lane, &hit))
            kept++;
        else
            dropped++;
    }
    assert_int_equal(sinkhole_journal_tend(f->journal), SINKHOLE_JOURNAL_FULL);
    assert_int_equal(sinkhole_lane_drops(lane), dropped);
    assert_int_equal(sinkhole_lane_recorded(lane), kept);
    while (sinkhole_drain_next(f->drain, 0, LATER, &hit, &id) == SINKHOLE_JOURNAL_OK)
        got += hit.count;
    assert_int_equal(got, kept);
    /* Room again: it goes on. */
    assert_int_equal(sinkhole_drain_acknowledge(f->drain, 0, id.segment, id.sequence),
                     SINKHOLE_JOURNAL_OK);
    (void)sinkhole_journal_tend(f->journal);
    append(f, 77, T0, 1);
    expect_next(f, LATER, 77, 1);
}

/* --- damage, after a writer that died ------------------------------------------------------------- */

#define HOLED_RECORDS 300u

/* Leaves one segment with distinct hits and without a seal, as a killed writer does. */
static void leave_unsealed(struct fixture *f, char path[320])
{
    const pid_t child = fork();
    int status;

    if (child == 0) {
        struct sinkhole_journal *journal;

        if (sinkhole_journal_open(f->dir, 1, ROOM, &journal) != SINKHOLE_JOURNAL_OK)
            _exit(1);
        for (uint32_t client = 0; client < HOLED_RECORDS; client++) {
            const struct sinkhole_hit hit = sample_hit(client, T0);

            sinkhole_lane_append(sinkhole_journal_lane(journal, 0), &hit);
        }
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);

    /* The active one is the older of the three. */
    uint64_t oldest = UINT64_MAX;
    DIR *d;

    snprintf(path, 320, "%s/journal", f->dir);
    d = opendir(path);
    assert_non_null(d);
    for (const struct dirent *entry; (entry = readdir(d)) != NULL;) {
        unsigned lane;
        uint64_t number;

        if (segment_name_parse(entry->d_name, ".seg", &lane, &number) && number < oldest)
            oldest = number;
    }
    closedir(d);
    snprintf(path, 320, "%s/journal/0-%llu.seg", f->dir, (unsigned long long)oldest);
}

static void holes_cost_only_what_is_in_them(void **state)
{
    struct fixture *f = *state;
    const struct sinkhole_hit sample = sample_hit(0, T0);
    const uint32_t size = record_size(40 + 8 + sample.qname.wire_len);
    const uint32_t per_page = 4096 / size;
    static const struct {
        const char *why;
        off_t from, len;
        int value;
        unsigned lost_least, lost_most;
    } cases[] = {
        {"nothing lost", 0, 0, 0, 0, 0},
        {"the second page never reached the disk", 4096, 4096, 0, 30, 60},
        {"the first page, header and all", 0, 4096, 0, 30, 60},
        {"the first two pages", 0, 8192, 0, 60, 100},
        {"an octet of a record turned", SEGMENT_DATA + 30, 1, 0x55, 1, 1},
        {"a commit word turned", SEGMENT_DATA, 4, 0x55, 1, 1},
        {"a sequence number turned", SEGMENT_DATA + 8, 1, 0x55, 1, 1},
        {"rubbish over the second page", 4096, 4096, 0xa5, 30, 60},
    };

    assert_true(per_page >= 30);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char path[320];
        static uint8_t patch[8192];
        static bool seen[HOLED_RECORDS];
        struct sinkhole_hit hit;
        struct sinkhole_record_id id;
        struct sinkhole_backlog backlog;
        unsigned found = 0;

        leave_unsealed(f, path);
        memset(patch, cases[i].value, sizeof(patch));
        memset(seen, 0, sizeof(seen));

        const int fd = open(path, O_WRONLY | O_CLOEXEC);

        assert_int_equal(pwrite(fd, patch, (size_t)cases[i].len, cases[i].from), cases[i].len);
        close(fd);
        open_both(f, 1);
        while (sinkhole_drain_next(f->drain, 0, LATER, &hit, &id) == SINKHOLE_JOURNAL_OK) {
            assert_true(sample_client(&hit) < HOLED_RECORDS);
            assert_false(seen[sample_client(&hit)]);
            seen[sample_client(&hit)] = true;
            found++;
        }
        sinkhole_drain_backlog(f->drain, &backlog);

        const unsigned lost = HOLED_RECORDS - found;

        if (lost < cases[i].lost_least || lost > cases[i].lost_most || lost != backlog.damaged)
            fail_msg("%s: %u lost, %u counted", cases[i].why, lost, (unsigned)backlog.damaged);
        sinkhole_drain_close(f->drain);
        sinkhole_journal_close(f->journal);
        f->drain = NULL;
        f->journal = NULL;
        sample_dir_remove(f->dir);
        assert_int_equal(mkdir(f->dir, 0700), 0);
    }
}

static void records_of_another_segment_are_refused(void **state)
{
    struct fixture *f = *state;
    char path[320];
    struct sinkhole_backlog backlog;

    /* A file of another journal under a fitting name. */
    leave_unsealed(f, path);
    snprintf(path, sizeof(path), "%s/journal/id", f->dir);
    assert_int_equal(unlink(path), 0);
    open_both(f, 1);
    expect_end(f, LATER);
    sinkhole_drain_backlog(f->drain, &backlog);
    assert_int_equal(backlog.damaged, 1);
    /* It is put aside, not thrown away. */
    assert_int_equal(sinkhole_drain_acknowledge(f->drain, 0, 0, 0), SINKHOLE_JOURNAL_OK);
    assert_int_equal(files_in(f->dir, "archive", ".seg.damaged"), 1);
}

static void a_lost_header_does_not_let_strange_records_in(void **state)
{
    struct fixture *f = *state;
    static const uint8_t zeros[SEGMENT_DATA];
    char path[320];

    leave_unsealed(f, path);

    const int fd = open(path, O_WRONLY | O_CLOEXEC);

    assert_int_equal(pwrite(fd, zeros, sizeof(zeros), 0), sizeof(zeros));
    close(fd);
    snprintf(path, sizeof(path), "%s/journal/id", f->dir);
    assert_int_equal(unlink(path), 0);
    open_both(f, 1);
    expect_end(f, LATER);
}

static void damaged_files_are_refused(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *why;
        off_t at;
        uint8_t value;
    } cases[] = {
        {"magic", 0, 'X'}, {"version", 8, 9}, {"lane", 12, 3}, {"number", 16, 1}, {"flags", 44, 1},
    };
    char path[320];
    struct tally tally = {0};

    leave_unsealed(f, path);
    assert_int_equal(sinkhole_segment_read(path, tally_record, &tally), SINKHOLE_JOURNAL_OK);
    assert_int_equal(tally.records, HOLED_RECORDS);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t was;
        const int fd = open(path, O_RDWR | O_CLOEXEC);

        assert_int_equal(pread(fd, &was, 1, cases[i].at), 1);
        assert_int_equal(pwrite(fd, &cases[i].value, 1, cases[i].at), 1);
        if (sinkhole_segment_read(path, tally_record, &tally) != SINKHOLE_JOURNAL_DAMAGED)
            fail_msg("accepted: %s", cases[i].why);
        assert_int_equal(pwrite(fd, &was, 1, cases[i].at), 1);
        close(fd);
    }
    assert_int_equal(sinkhole_segment_read("/nonexistent", tally_record, &tally),
                     SINKHOLE_JOURNAL_IO);
}

static void no_journal_yet(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(sinkhole_drain_open(f->dir, &f->drain), SINKHOLE_JOURNAL_IO);
    assert_int_equal(errno, ENOENT);
    assert_null(f->drain);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(first_hit_is_ready_at_once),
        CASE(repeats_of_a_window_are_one_record),
        CASE(a_window_after_a_busy_one_is_one_record),
        CASE(a_closed_record_is_never_raised),
        CASE(a_clock_set_back_does_not_hold_the_lane),
        CASE(hits_that_differ_are_kept_apart),
        CASE(more_clients_than_the_table_holds),
        CASE(segments_follow_each_other),
        CASE(seek_resumes_after_a_record),
        CASE(acknowledged_segments_go_to_the_archive),
        CASE(archive_reads_like_the_live_file),
        CASE(two_writers_are_refused),
        CASE(reopening_goes_on_above),
        CASE(numbers_rise_even_when_all_files_are_gone),
        CASE(a_full_journal_counts_drops),
        CASE(holes_cost_only_what_is_in_them),
        CASE(records_of_another_segment_are_refused),
        CASE(a_lost_header_does_not_let_strange_records_in),
        CASE(damaged_files_are_refused),
        CASE(no_journal_yet),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
