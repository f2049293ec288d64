/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One folder with a writer and a reader, and what is expected of them step by step. Threads: none.
 * Memory: the fixture's.
 */
#ifndef SINKHOLE_TESTS_JOURNAL_FIXTURE_H
#define SINKHOLE_TESTS_JOURNAL_FIXTURE_H

#include "sample.h"

#include <dirent.h>

#define T0 SAMPLE_TIME_MS
#define LATER (T0 + 60000)
#define W RECORD_WINDOW_MS
#define ROOM (UINT64_C(1) << 30)

struct fixture {
    char dir[64];
    struct sinkhole_journal *journal;
    struct sinkhole_drain *drain;
};

static inline int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    sample_dir_make(f->dir);
    *state = f;
    return 0;
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;

    sinkhole_drain_close(f->drain);
    sinkhole_journal_close(f->journal);
    sample_dir_remove(f->dir);
    free(f);
    return 0;
}

static inline void open_both(struct fixture *f, unsigned lanes)
{
    assert_int_equal(sinkhole_journal_open(f->dir, lanes, ROOM, &f->journal), SINKHOLE_JOURNAL_OK);
    assert_int_equal(sinkhole_drain_open(f->dir, &f->drain), SINKHOLE_JOURNAL_OK);
    assert_int_equal(sinkhole_drain_refresh(f->drain), lanes);
}

static inline void append(struct fixture *f, uint32_t client, int64_t time_ms, unsigned times)
{
    const struct sinkhole_hit hit = sample_hit(client, time_ms);

    for (unsigned i = 0; i < times; i++)
        assert_true(sinkhole_lane_append(sinkhole_journal_lane(f->journal, 0), &hit));
}

static inline void expect_next(struct fixture *f, int64_t now_ms, uint32_t client, uint32_t count)
{
    struct sinkhole_hit hit;
    struct sinkhole_record_id id;

    sinkhole_drain_refresh(f->drain);
    assert_int_equal(sinkhole_drain_next(f->drain, 0, now_ms, &hit, &id), SINKHOLE_JOURNAL_OK);
    assert_int_equal(sample_client(&hit), client);
    assert_int_equal(hit.count, count);
}

static inline void expect_end(struct fixture *f, int64_t now_ms)
{
    struct sinkhole_hit hit;
    struct sinkhole_record_id id;

    sinkhole_drain_refresh(f->drain);
    assert_int_equal(sinkhole_drain_next(f->drain, 0, now_ms, &hit, &id), SINKHOLE_JOURNAL_END);
}

static inline unsigned files_in(const char *dir, const char *folder, const char *suffix)
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

struct tally {
    uint32_t records, replies, next_client;
    bool in_order;
};

static inline bool tally_record(void *arg, const struct sinkhole_record_id *id,
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

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
