/* SPDX-License-Identifier: BSD-3-Clause */
/* What one writer and one reader of the journal may rely on, step by step. */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>

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

static void no_journal_yet(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(sinkhole_drain_open(f->dir, &f->drain), SINKHOLE_JOURNAL_IO);
    assert_int_equal(errno, ENOENT);
    assert_null(f->drain);
}

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
        CASE(no_journal_yet),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
