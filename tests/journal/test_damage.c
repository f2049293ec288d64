/* SPDX-License-Identifier: BSD-3-Clause */
/* After a writer that died: what holes, lost headers, turned octets and strange files cost. */
#include "fixture.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

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

static void a_reader_does_without_a_lost_header(void **state)
{
    struct fixture *f = *state;
    static const uint8_t zeros[4096];
    struct sinkhole_hit hit;
    struct sinkhole_record_id id;
    unsigned found = 0;
    char path[320];

    /* Before any writer has come back. */
    leave_unsealed(f, path);

    const int fd = open(path, O_WRONLY | O_CLOEXEC);

    assert_int_equal(pwrite(fd, zeros, sizeof(zeros), 0), sizeof(zeros));
    close(fd);
    assert_int_equal(sinkhole_drain_open(f->dir, &f->drain), SINKHOLE_JOURNAL_OK);
    while (sinkhole_drain_next(f->drain, 0, LATER, &hit, &id) == SINKHOLE_JOURNAL_OK)
        found++;
    assert_in_range(found, HOLED_RECORDS - 60, HOLED_RECORDS - 30);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(holes_cost_only_what_is_in_them),
        CASE(a_reader_does_without_a_lost_header),
        CASE(records_of_another_segment_are_refused),
        CASE(a_lost_header_does_not_let_strange_records_in),
        CASE(damaged_files_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
