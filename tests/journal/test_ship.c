/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Shipping into a real Redis: each record once, whatever happens to Redis, the agent or the
 * journal. Skipped (77) where there is no redis-server.
 */
#include "server.h"

#include <event2/event.h>
#include <inttypes.h>

#include "agent/ship.h"
#include "store/store_keys.h"

#define ROOM (UINT64_C(4) << 30)

struct fixture {
    struct server server;
    struct event_base *loop;
    struct sinkhole_settings settings;
    struct sinkhole_journal *journal;
    struct sinkhole_ship *ship;
    uint32_t next_client;
    unsigned events, conditions_on;
    char last_text[256];
};

/* --- the shipper's surroundings -------------------------------------------------------------- */

static void on_event(void *arg, enum sinkhole_severity severity, const char *code, const char *text)
{
    struct fixture *f = arg;

    (void)severity;
    f->events++;
    snprintf(f->last_text, sizeof(f->last_text), "%s: %s", code, text);
}

static void on_condition(void *arg, enum sinkhole_severity severity, const char *code, bool on,
                         const char *text)
{
    struct fixture *f = arg;

    (void)severity;
    if (on) {
        f->conditions_on++;
        snprintf(f->last_text, sizeof(f->last_text), "%s: %s", code, text);
    }
}

static void ship_start(struct fixture *f)
{
    const struct sinkhole_ship_events events = {on_event, on_condition, f};

    f->ship = sinkhole_ship_new(f->loop, &f->settings, f->server.dir, &events);
    assert_non_null(f->ship);
}

static void ship_stop(struct fixture *f)
{
    sinkhole_ship_free(f->ship);
    f->ship = NULL;
}

static bool all_stored(struct fixture *f)
{
    struct sinkhole_ship_stats stats;

    sinkhole_ship_stats(f->ship, &stats);
    return sinkhole_ship_idle(f->ship) && stats.backlog == 0 && stats.in_flight == 0;
}

/* Runs the loop until `done` says so. */
static void run_until(struct fixture *f, bool (*done)(struct fixture *f), const char *what)
{
    const int64_t deadline = sinkhole_monotonic_ms() + DEADLINE_MS;

    do {
        struct sinkhole_ship_stats stats;

        event_base_loop(f->loop, EVLOOP_ONCE);
        if (sinkhole_monotonic_ms() > deadline) {
            sinkhole_ship_stats(f->ship, &stats);
            fail_msg("waited in vain: %s (shipped %" PRIu64 ", backlog %" PRIu64
                     ", in flight %" PRIu64 ", %s)",
                     what, stats.shipped, stats.backlog, stats.in_flight, stats.last_error);
        }
    } while (!done(f));
}

/* Runs the loop for so many of its turns. */
static void run_turns(struct fixture *f, unsigned turns)
{
    while (turns-- > 0)
        event_base_loop(f->loop, EVLOOP_ONCE);
}

static void journal_open(struct fixture *f, unsigned lanes)
{
    assert_int_equal(sinkhole_journal_open(f->server.dir, lanes, ROOM, &f->journal),
                     SINKHOLE_JOURNAL_OK);
}

/* `count` distinct hits, spread over the lanes. */
static void append(struct fixture *f, uint32_t count, unsigned lanes)
{
    struct sinkhole_hit hit = sample_hit(0, sinkhole_now_ms());

    for (uint32_t i = 0; i < count; i++, f->next_client++) {
        hit.client.octets[1] = (uint8_t)(f->next_client >> 16);
        hit.client.octets[2] = (uint8_t)(f->next_client >> 8);
        hit.client.octets[3] = (uint8_t)f->next_client;
        assert_true(sinkhole_lane_append(sinkhole_journal_lane(f->journal, f->next_client % lanes),
                                         &hit));
        if (i % 1000 == 999)
            assert_int_equal(sinkhole_journal_tend(f->journal), SINKHOLE_JOURNAL_OK);
    }
}

/* Every client 0 .. next_client-1 stands in the streams exactly once. */
static void expect_all_once(struct fixture *f, unsigned lanes)
{
    uint8_t *seen = calloc(f->next_client + 1, 1);
    uint32_t total = 0;

    for (unsigned lane = 0; lane < lanes; lane++) {
        redisReply *reply = ask(&f->server, "XRANGE sinkhole:hits:{test}:%u - +", lane);

        assert_int_equal(reply->type, REDIS_REPLY_ARRAY);
        for (size_t i = 0; i < reply->elements; i++, total++) {
            const redisReply *fields = reply->element[i]->element[1];
            struct sinkhole_hit hit;

            assert_int_equal(fields->elements, 4);
            assert_string_equal(fields->element[0]->str, "h");
            assert_string_equal(fields->element[2]->str, "n");
            assert_string_equal(fields->element[3]->str, "1");
            assert_true(sinkhole_hit_decode((const uint8_t *)fields->element[1]->str,
                                            fields->element[1]->len, &hit));
            assert_true(sample_client(&hit) < f->next_client);
            if (seen[sample_client(&hit)]++ != 0)
                fail_msg("client %u twice", sample_client(&hit));
        }
        freeReplyObject(reply);
    }
    assert_int_equal(total, f->next_client);
    free(seen);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    *state = f;
    server_make(&f->server);
    f->settings = server_settings(&f->server);
    f->loop = event_base_new();
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    sinkhole_ship_free(f->ship);
    sinkhole_journal_close(f->journal);
    event_base_free(f->loop);
    server_remove(&f->server);
    free(f);
    return 0;
}

/* --- facts
 * ------------------------------------------------------------------------------------------ */

static void each_record_once_with_its_own_id(void **state)
{
    struct fixture *f = *state;
    struct sinkhole_drain *drain;
    struct sinkhole_ship_stats stats;
    redisReply *reply;
    char expected[64];

    ship_start(f); /* before there is a journal */
    run_turns(f, 3);
    journal_open(f, 2);
    append(f, 3000, 2);
    run_until(f, all_stored, "3,000 hits");
    expect_all_once(f, 2);
    sinkhole_ship_stats(f->ship, &stats);
    assert_int_equal(stats.shipped, 3000);
    assert_int_equal(stats.replies, 3000);
    assert_int_equal(stats.backlog, 0);
    assert_int_equal(stats.in_flight, 0);
    assert_int_equal(stats.duplicates, 0);
    assert_true(stats.connected && stats.journal && stats.lanes == 2);

    assert_int_equal(sinkhole_drain_open(f->server.dir, &drain), SINKHOLE_JOURNAL_OK);
    snprintf(expected, sizeof(expected), "%" PRIu64 "-1", sinkhole_drain_first_segment(drain, 1));
    sinkhole_drain_close(drain);
    reply = ask(&f->server, "XRANGE sinkhole:hits:{test}:1 - + COUNT 1");
    assert_string_equal(reply->element[0]->element[0]->str, expected);
    freeReplyObject(reply);
    assert_int_equal(ask_number(&f->server, "ZCARD sinkhole:resolvers"), 1);
    assert_int_equal(f->conditions_on, 0);
    assert_int_equal(f->events, 0);
}

static bool some_stored(struct fixture *f)
{
    struct sinkhole_ship_stats stats;

    sinkhole_ship_stats(f->ship, &stats);
    return stats.shipped >= 1000;
}

static void an_agent_that_dies_goes_on(void **state)
{
    struct fixture *f = *state;

    journal_open(f, 2);
    append(f, 60000, 2);
    for (unsigned i = 0; i < 20; i++) {
        ship_start(f);
        run_until(f, some_stored, "1,000 hits");
        ship_stop(f); /* in the middle of a batch */
        assert_int_equal(f->events, 0); /* none was sent twice, if only to be refused */
    }
    ship_start(f);
    run_until(f, all_stored, "the rest");
    expect_all_once(f, 2);
}

static void a_server_that_dies_loses_nothing(void **state)
{
    struct fixture *f = *state;

    f->settings.redis_command_timeout_ms = 500;
    journal_open(f, 2);
    ship_start(f);
    for (unsigned i = 0; i < 5; i++) {
        append(f, 5000, 2);
        run_turns(f, 3 + i);
        server_stop(&f->server, SIGKILL);
        append(f, 1000, 2);
        run_turns(f, 5);
        server_start(&f->server);
        run_until(f, all_stored, "after a restart");
    }
    expect_all_once(f, 2);
}

static bool connection_lost(struct fixture *f)
{
    struct sinkhole_ship_stats stats;

    sinkhole_ship_stats(f->ship, &stats);
    return !stats.connected;
}

static void a_server_that_hangs_is_left_and_found_again(void **state)
{
    struct fixture *f = *state;

    f->settings.redis_command_timeout_ms = 300;
    journal_open(f, 1);
    ship_start(f);
    append(f, 10, 1);
    run_until(f, all_stored, "the first");
    kill(f->server.pid, SIGSTOP);
    append(f, 5000, 1);
    run_until(f, connection_lost, "the time-out");
    kill(f->server.pid, SIGCONT);
    run_until(f, all_stored, "after the pause");
    expect_all_once(f, 1);
}

static bool stopped(struct fixture *f)
{
    return f->conditions_on > 0;
}

static void what_redis_refuses_for_a_while_is_not_overtaken(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *why, *begin, *end;
    } cases[] = {
        {"out of memory", "CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0"},
        {"too few replicas", "CONFIG SET min-replicas-to-write 1",
         "CONFIG SET min-replicas-to-write 0"},
        {"no rights", "ACL SETUSER default -xadd", "ACL SETUSER default +xadd"},
    };

    journal_open(f, 1);
    ship_start(f);
    append(f, 10, 1);
    run_until(f, all_stored, "the first");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        f->conditions_on = 0;
        tell(&f->server, cases[i].begin);
        append(f, 2000, 1);
        run_until(f, stopped, cases[i].why);
        assert_non_null(strstr(f->last_text, "ship-stopped"));
        assert_false(sinkhole_ship_idle(f->ship));
        tell(&f->server, cases[i].end);
        run_until(f, all_stored, cases[i].why);
    }
    expect_all_once(f, 1);
}

static void a_read_only_server_is_left(void **state)
{
    struct fixture *f = *state;

    journal_open(f, 1);
    ship_start(f);
    append(f, 10, 1);
    run_until(f, all_stored, "the first");
    tell(&f->server, "REPLICAOF 127.0.0.1 1");
    append(f, 1000, 1);
    run_until(f, connection_lost, "READONLY");
    tell(&f->server, "REPLICAOF NO ONE");
    run_until(f, all_stored, "as a primary again");
    expect_all_once(f, 1);
}

static void what_a_failover_lost_is_sent_again(void **state)
{
    struct fixture *f = *state;
    redisReply *reply;
    char id[64];

    journal_open(f, 1);
    ship_start(f);
    append(f, 3000, 1);
    run_until(f, all_stored, "3,000 hits");
    /* The replica that became primary had but the first thousand. */
    reply = ask(&f->server, "XRANGE sinkhole:hits:{test}:0 - + COUNT 1001");
    snprintf(id, sizeof(id), "%s", reply->element[999]->element[0]->str);
    freeReplyObject(reply);
    ship_stop(f);
    reply = ask(&f->server, "XREVRANGE sinkhole:hits:{test}:0 + - COUNT 2000");
    for (size_t i = 0; i < reply->elements; i++)
        freeReplyObject(ask(&f->server, "XDEL sinkhole:hits:{test}:0 %s",
                            reply->element[i]->element[0]->str));
    freeReplyObject(reply);
    freeReplyObject(ask(&f->server, "XSETID sinkhole:hits:{test}:0 %s", id));
    assert_int_equal(ask_number(&f->server, "XLEN sinkhole:hits:{test}:0"), 1000);
    ship_start(f);
    run_until(f, all_stored, "2,000 again");
    expect_all_once(f, 1);
    assert_int_equal(f->events, 0);
}

static void a_fresh_journal_starts_above_the_stream(void **state)
{
    struct fixture *f = *state;
    char path[128];
    const uint32_t before = 500;

    /* Another life of this resolver has left entries far in the future. */
    tell(&f->server, "XADD sinkhole:hits:{test}:0 99999999999999-7 other thing");
    journal_open(f, 1);
    ship_start(f);
    append(f, before, 1);
    run_until(f, all_stored, "above the stream");
    assert_int_equal(ask_number(&f->server, "XLEN sinkhole:hits:{test}:0"), before + 1);
    /* Kept by the next start. */
    ship_stop(f);
    append(f, 500, 1);
    ship_start(f);
    run_until(f, all_stored, "the same offset");
    assert_int_equal(ask_number(&f->server, "XLEN sinkhole:hits:{test}:0"), before + 500 + 1);
    assert_int_equal(ask_number(&f->server, "HLEN sinkhole:ship:{test}"), 1);

    /* A new folder: a new identity, a new offset. */
    ship_stop(f);
    sinkhole_journal_close(f->journal);
    snprintf(path, sizeof(path), "%s/journal", f->server.dir);
    sample_dir_remove(path);
    journal_open(f, 1);
    append(f, 300, 1);
    ship_start(f);
    run_until(f, all_stored, "a new journal");
    assert_int_equal(ask_number(&f->server, "XLEN sinkhole:hits:{test}:0"), before + 800 + 1);
    assert_int_equal(ask_number(&f->server, "HLEN sinkhole:ship:{test}"), 2);
    tell(&f->server, "XDEL sinkhole:hits:{test}:0 99999999999999-7");
    expect_all_once(f, 1);
}

static bool journal_replaced(struct fixture *f)
{
    return f->events > 0;
}

static void a_journal_made_anew_is_taken_up(void **state)
{
    struct fixture *f = *state;
    char path[128];

    journal_open(f, 1);
    ship_start(f);
    append(f, 100, 1);
    run_until(f, all_stored, "the old journal");
    sinkhole_journal_close(f->journal);
    snprintf(path, sizeof(path), "%s/journal", f->server.dir);
    sample_dir_remove(path);
    journal_open(f, 1);
    append(f, 100, 1);
    run_until(f, journal_replaced, "the new journal to be seen");
    assert_non_null(strstr(f->last_text, "journal-replaced"));
    run_until(f, all_stored, "the new journal");
    expect_all_once(f, 1);
}

static void another_shipper_is_noticed(void **state)
{
    struct fixture *f = *state;
    struct sinkhole_ship_stats stats;

    journal_open(f, 1);
    ship_start(f);
    append(f, 10, 1);
    run_until(f, all_stored, "the first");
    tell(&f->server, "XADD sinkhole:hits:{test}:0 99999999999999-7 other thing");
    append(f, 10, 1);
    run_until(f, all_stored, "refused ones");
    sinkhole_ship_stats(f->ship, &stats);
    assert_int_equal(stats.duplicates, 10);
    assert_int_equal(f->events, 1);
    assert_non_null(strstr(f->last_text, "hits-refused"));
}

static void the_agents_own_questions_stay_out(void **state)
{
    struct fixture *f = *state;
    struct sinkhole_hit hit = sample_hit(99, sinkhole_now_ms());

    journal_open(f, 1);
    hit.rule = SINKHOLE_RULE_CANARY;
    assert_true(sinkhole_lane_append(sinkhole_journal_lane(f->journal, 0), &hit));
    append(f, 50, 1);
    hit.port++;
    hit.qtype = 28;
    assert_true(sinkhole_lane_append(sinkhole_journal_lane(f->journal, 0), &hit));
    ship_start(f);
    run_until(f, all_stored, "fifty hits");
    expect_all_once(f, 1);
}

static void repeats_arrive_with_their_count(void **state)
{
    struct fixture *f = *state;
    const struct sinkhole_hit hit = sample_hit(0, sinkhole_now_ms());
    struct sinkhole_ship_stats stats;

    journal_open(f, 1);
    for (unsigned i = 0; i < 1000; i++)
        sinkhole_lane_append(sinkhole_journal_lane(f->journal, 0), &hit);
    ship_start(f);
    do {
        event_base_loop(f->loop, EVLOOP_ONCE);
        sinkhole_ship_stats(f->ship, &stats);
    } while (stats.shipped < 2 && sinkhole_now_ms() < hit.time_ms + DEADLINE_MS);
    assert_int_equal(stats.shipped, 2);
    assert_int_equal(stats.replies, 1000);
    assert_true(sinkhole_now_ms() / RECORD_WINDOW_MS > hit.time_ms / RECORD_WINDOW_MS);
}

static bool trimmed_by_age(struct fixture *f)
{
    struct sinkhole_ship_stats stats;

    sinkhole_ship_stats(f->ship, &stats);
    return stats.trimmed_age >= 2500;
}

static bool trimmed_by_size(struct fixture *f)
{
    struct sinkhole_ship_stats stats;

    sinkhole_ship_stats(f->ship, &stats);
    return stats.trimmed_size > 0;
}

static void old_hits_leave_in_time(void **state)
{
    struct fixture *f = *state;
    struct sinkhole_hit hit = sample_hit(0, 0);

    journal_open(f, 1);
    f->settings.keep_hits_days = 10;
    for (uint32_t i = 0; i < 3000; i++) {
        hit = sample_hit(i, sinkhole_now_ms() - (i < 2500 ? 11 : 9) * INT64_C(86400000));
        assert_true(sinkhole_lane_append(sinkhole_journal_lane(f->journal, 0), &hit));
    }
    ship_start(f);
    run_until(f, all_stored, "3,000 hits");
    sinkhole_ship_trim(f->ship);
    run_until(f, trimmed_by_age, "2,500 old ones to leave");
    assert_int_equal(ask_number(&f->server, "XLEN sinkhole:hits:{test}:0"), 500);
    assert_int_equal(f->events, 0);
}

static void too_many_hits_leave_with_an_alarm(void **state)
{
    struct fixture *f = *state;

    journal_open(f, 2);
    f->settings.keep_hits_mb = 1;
    append(f, 40000, 2);
    ship_start(f);
    run_until(f, all_stored, "40,000 hits");
    sinkhole_ship_trim(f->ship);
    run_until(f, trimmed_by_size, "room to be made");
    assert_true(f->events > 0);
    assert_non_null(strstr(f->last_text, "hits-trimmed"));
    assert_in_range(ask_number(&f->server, "XLEN sinkhole:hits:{test}:0"), 2000, 15000);
}

static void shipping_is_fast_enough(void **state)
{
    struct fixture *f = *state;
    const uint32_t count = 400000;
    const unsigned lanes = 2;
    struct sinkhole_ship_stats stats;
    int64_t begin_ms, ms;

    journal_open(f, lanes);
    append(f, count, lanes);
    begin_ms = sinkhole_monotonic_ms();
    ship_start(f);
    run_until(f, all_stored, "a full journal");
    ms = sinkhole_monotonic_ms() - begin_ms;
    sinkhole_ship_stats(f->ship, &stats);
    assert_int_equal(stats.shipped, count);
    print_message("%u hits shipped in %lld ms: %lld a second\n", count, (long long)ms,
                  (long long)count * 1000 / (long long)(ms > 0 ? ms : 1));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(each_record_once_with_its_own_id),
        CASE(an_agent_that_dies_goes_on),
        CASE(a_server_that_dies_loses_nothing),
        CASE(a_server_that_hangs_is_left_and_found_again),
        CASE(what_redis_refuses_for_a_while_is_not_overtaken),
        CASE(a_read_only_server_is_left),
        CASE(what_a_failover_lost_is_sent_again),
        CASE(a_fresh_journal_starts_above_the_stream),
        CASE(a_journal_made_anew_is_taken_up),
        CASE(another_shipper_is_noticed),
        CASE(the_agents_own_questions_stay_out),
        CASE(repeats_arrive_with_their_count),
        CASE(old_hits_leave_in_time),
        CASE(too_many_hits_leave_with_an_alarm),
        CASE(shipping_is_fast_enough),
    };

    if (!server_is_installed())
        return 77;
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
