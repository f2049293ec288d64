/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A writer killed at any moment loses nothing that it had appended and doubles nothing, whatever
 * the reader does meanwhile, and the reader may be killed as well.
 *
 * Children write hits of numbered clients and keep a ledger in shared memory: `begun` before an
 * append, `done` after it. What the reader finds of a client lies between the two, and differs from
 * `done` by at most one reply for each kill. Reading goes on in children that are killed too; they
 * hand over through a shared table, in which a record's identity decides whether it is new, as
 * Redis does.
 */
#include "sample.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "sinkhole/clock.h"

#define CLIENTS 40u
#define KILLS 1000u
#define LANES 2u
#define ROOM (UINT64_C(1) << 32)

struct ledger {
    _Atomic uint64_t begun[CLIENTS];
    _Atomic uint64_t done[CLIENTS];
    _Atomic uint64_t taken[CLIENTS]; /* replies that the reader has handed over */
    _Atomic uint64_t records;
    _Atomic uint64_t doubled;
    _Atomic uint64_t opens;
    /* Last record handed over of each lane: what Redis's stream would know. */
    struct {
        uint64_t segment, sequence;
    } last[LANES];
    /* The hand-over under way, so that a killed reader's is finished or forgotten as a whole. */
    _Atomic bool noted;
    uint32_t lane, client;
    uint64_t segment, sequence, taken_after, records_after;
};

static struct ledger *ledger;
static char dir[64];

static uint64_t random_next(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* On a slow machine the reader may be behind by the whole room: it is waited for. */
static bool tend(struct sinkhole_journal *journal)
{
    const struct timespec pause = {0, 1000000};
    enum sinkhole_journal_status status;

    while ((status = sinkhole_journal_tend(journal)) == SINKHOLE_JOURNAL_FULL)
        nanosleep(&pause, NULL);
    return status == SINKHOLE_JOURNAL_OK;
}

static void write_until_killed(uint64_t seed)
{
    struct sinkhole_journal *journal;

    if (sinkhole_journal_open(dir, LANES, ROOM, &journal) != SINKHOLE_JOURNAL_OK)
        _exit(1);
    atomic_fetch_add(&ledger->opens, 1);
    for (unsigned i = 1;; i++) {
        const uint64_t dice = random_next(&seed);
        /* Two clients are busy, the others now and then. */
        const uint32_t client = dice % 4 != 0 ? (uint32_t)(dice >> 8) % 2
                                              : (uint32_t)(dice >> 8) % CLIENTS;
        const struct sinkhole_hit hit = sample_hit(client, sinkhole_now_ms());

        atomic_fetch_add(&ledger->begun[client], 1);
        while (!sinkhole_lane_append(sinkhole_journal_lane(journal, client % LANES), &hit))
            if (!tend(journal))
                _exit(2);
        atomic_fetch_add(&ledger->done[client], 1);
        if (i % 64 == 0 && !tend(journal))
            _exit(3);
    }
}

/* Finishes the hand-over that is noted, if it was noted whole; doing so twice is the same as once.
 */
static void hand_over_finish(void)
{
    if (atomic_load(&ledger->noted)) {
        ledger->taken[ledger->client] = ledger->taken_after;
        ledger->records = ledger->records_after;
        ledger->last[ledger->lane].segment = ledger->segment;
        ledger->last[ledger->lane].sequence = ledger->sequence;
    }
    atomic_store(&ledger->noted, false);
}

static void hand_over(const struct sinkhole_record_id *id, const struct sinkhole_hit *hit)
{
    const uint64_t segment = ledger->last[id->lane].segment;

    if (id->segment < segment ||
        (id->segment == segment && id->sequence <= ledger->last[id->lane].sequence)) {
        atomic_fetch_add(&ledger->doubled, 1); /* after a seek none should come again */
        return;
    }
    ledger->lane = id->lane;
    ledger->client = sample_client(hit);
    ledger->taken_after = ledger->taken[ledger->client] + hit->count;
    ledger->records_after = ledger->records + 1;
    ledger->segment = id->segment;
    ledger->sequence = id->sequence;
    atomic_store(&ledger->noted, true);
    hand_over_finish();
}

/* Reads all lanes once, to the end of what is ready at `now_ms`. */
static unsigned read_round(struct sinkhole_drain *drain, int64_t now_ms)
{
    struct sinkhole_record_id id;
    struct sinkhole_hit hit;
    unsigned got = 0;

    for (unsigned lane = 0; lane < sinkhole_drain_refresh(drain); lane++) {
        while (sinkhole_drain_next(drain, lane, now_ms, &hit, &id) == SINKHOLE_JOURNAL_OK) {
            hand_over(&id, &hit);
            got++;
        }
        sinkhole_drain_acknowledge(drain, lane, ledger->last[lane].segment,
                                   ledger->last[lane].sequence);
    }
    return got;
}

static struct sinkhole_drain *reader_open(void)
{
    struct sinkhole_drain *drain = NULL;

    while (sinkhole_drain_open(dir, &drain) != SINKHOLE_JOURNAL_OK)
        ;
    for (unsigned lane = 0; lane < sinkhole_drain_refresh(drain); lane++)
        sinkhole_drain_seek(drain, lane, ledger->last[lane].segment, ledger->last[lane].sequence);
    return drain;
}

static void read_until_killed(void)
{
    struct sinkhole_drain *drain = reader_open();
    const struct timespec pause = {0, 1000000};

    for (;;)
        if (read_round(drain, sinkhole_now_ms()) == 0)
            nanosleep(&pause, NULL);
}

static pid_t start(uint64_t seed)
{
    const pid_t child = fork();

    assert_true(child >= 0);
    if (child != 0)
        return child;
    if (seed != 0)
        write_until_killed(seed);
    else
        read_until_killed();
    _exit(4);
}

/* Kills the child; fails when it had ended by itself. */
static void end(pid_t child)
{
    int status;

    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFSIGNALED(status))
        fail_msg("ended by itself: exit code %d", WEXITSTATUS(status));
}

static void nothing_is_lost_or_doubled(void **state)
{
    (void)state;
    uint64_t seed = UINT64_C(0x9e3779b97f4a7c15), done = 0, taken = 0, spare = 0;
    pid_t reader = start(0), writer;

    for (unsigned kills = 0; kills < KILLS; kills++) {
        const uint64_t opens = atomic_load(&ledger->opens);
        struct timespec moment = {0, (long)(random_next(&seed) % 4000000)};

        writer = start(random_next(&seed) | 1);
        /* Most are killed while they write, some while they still open. */
        if (kills % 8 != 0)
            while (atomic_load(&ledger->opens) == opens && waitpid(writer, NULL, WNOHANG) == 0)
                nanosleep(&(struct timespec){0, 100000}, NULL);
        nanosleep(&moment, NULL);
        end(writer);
        if (kills % 3 == 0) {
            end(reader);
            hand_over_finish();
            reader = start(0);
        }
    }
    end(reader);
    hand_over_finish();

    /* What is left, with all windows over. */
    struct sinkhole_journal *journal;
    struct sinkhole_drain *drain = reader_open();
    struct sinkhole_backlog backlog;

    assert_int_equal(sinkhole_journal_open(dir, LANES, ROOM, &journal), SINKHOLE_JOURNAL_OK);
    read_round(drain, sinkhole_now_ms() + 60000);
    sinkhole_drain_backlog(drain, &backlog);
    assert_int_equal(backlog.records, 0);
    assert_int_equal(backlog.damaged, 0);
    sinkhole_drain_close(drain);
    sinkhole_journal_close(journal);

    for (uint32_t client = 0; client < CLIENTS; client++) {
        if (ledger->taken[client] < ledger->done[client] ||
            ledger->taken[client] > ledger->begun[client])
            fail_msg("client %u: done %llu, found %llu, begun %llu", client,
                     (unsigned long long)ledger->done[client],
                     (unsigned long long)ledger->taken[client],
                     (unsigned long long)ledger->begun[client]);
        done += ledger->done[client];
        taken += ledger->taken[client];
        spare += ledger->begun[client] - ledger->done[client];
    }
    assert_int_equal(ledger->doubled, 0);
    assert_true(spare <= KILLS);
    assert_true(done > KILLS);
    print_message("%u kills: %llu replies appended, %llu found in %llu records, "
                  "%llu appends cut short of which %llu had been committed\n",
                  KILLS, (unsigned long long)done, (unsigned long long)taken,
                  (unsigned long long)ledger->records, (unsigned long long)spare,
                  (unsigned long long)(taken - done));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_is_lost_or_doubled)};

    ledger = mmap(NULL, sizeof(*ledger), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (ledger == MAP_FAILED)
        return 1;
    sample_dir_make(dir);

    const int failed = cmocka_run_group_tests(tests, NULL, NULL);

    sample_dir_remove(dir);
    return failed;
}
