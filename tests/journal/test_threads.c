/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writers, the tending thread and the reader at the same time, in one process so that
 * ThreadSanitizer sees them all: every reply is found once.
 */
#include "sample.h"

#include <pthread.h>

#include "sinkhole/clock.h"

#define WRITERS 3u
#define CLIENTS 500u
#define APPENDS 300000u
#define ROOM (UINT64_C(1) << 30)

static struct sinkhole_journal *journal;
static _Atomic unsigned writers_left;
static uint64_t found[WRITERS][CLIENTS];
static uint64_t appended[WRITERS][CLIENTS];
static char dir[64];

static void *writer(void *arg)
{
    const unsigned lane = (unsigned)(uintptr_t)arg;

    for (unsigned i = 0; i < APPENDS; i++) {
        const uint32_t client = i % 3 == 0 ? i / 3 % CLIENTS : i % 7;
        const struct sinkhole_hit hit = sample_hit(client, sinkhole_now_ms());

        if (sinkhole_lane_append(sinkhole_journal_lane(journal, lane), &hit))
            appended[lane][client]++;
    }
    atomic_fetch_sub(&writers_left, 1);
    return NULL;
}

static void *tender(void *arg)
{
    (void)arg;
    while (atomic_load(&writers_left) > 0) {
        const struct timespec pause = {0, 1000000};

        (void)sinkhole_journal_tend(journal);
        nanosleep(&pause, NULL);
    }
    return NULL;
}

/* Closes what is open now and then as if its window were over: the writer must notice. */
static void read_all(struct sinkhole_drain *drain, int64_t ahead_ms)
{
    struct sinkhole_record_id id;
    struct sinkhole_hit hit;

    for (unsigned lane = 0; lane < sinkhole_drain_refresh(drain); lane++)
        while (sinkhole_drain_next(drain, lane, sinkhole_now_ms() + ahead_ms, &hit, &id) ==
               SINKHOLE_JOURNAL_OK)
            found[lane][sample_client(&hit)] += hit.count;
}

static void every_reply_is_found_once(void **state)
{
    (void)state;
    pthread_t threads[WRITERS + 1];
    struct sinkhole_drain *drain;
    uint64_t total = 0, drops = 0;

    assert_int_equal(sinkhole_journal_open(dir, WRITERS, ROOM, &journal), SINKHOLE_JOURNAL_OK);
    assert_int_equal(sinkhole_drain_open(dir, &drain), SINKHOLE_JOURNAL_OK);
    atomic_store(&writers_left, WRITERS);
    for (uintptr_t i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, writer, (void *)i), 0);
    assert_int_equal(pthread_create(&threads[WRITERS], NULL, tender, NULL), 0);
    for (unsigned round = 0; atomic_load(&writers_left) > 0; round++)
        read_all(drain, round % 2 == 0 ? 0 : 5000);
    for (size_t i = 0; i <= WRITERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    read_all(drain, 60000);
    for (unsigned lane = 0; lane < WRITERS; lane++) {
        for (uint32_t client = 0; client < CLIENTS; client++) {
            total += found[lane][client];
            assert_int_equal(found[lane][client], appended[lane][client]);
        }
        drops += sinkhole_lane_drops(sinkhole_journal_lane(journal, lane));
    }
    assert_int_equal(total + drops, WRITERS * APPENDS);
    assert_true(total > 0);
    sinkhole_drain_close(drain);
    sinkhole_journal_close(journal);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_reply_is_found_once)};

    sample_dir_make(dir);

    const int failed = cmocka_run_group_tests(tests, NULL, NULL);

    sample_dir_remove(dir);
    return failed;
}
