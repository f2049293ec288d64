/* SPDX-License-Identifier: BSD-3-Clause */
/* Hits are found in Redis by resolver and time, and as they come. Skipped (77) without
 * redis-server. */
#include "server.h"

#include <inttypes.h>

#include "sinkhole/hits.h"
#include "store/store_keys.h"

#define T0 INT64_C(1790000000000)
#define HOUR INT64_C(3600000)

struct fixture {
    struct server server;
    struct sinkhole_settings settings;
    struct sinkhole_store *store;
};

/* One entry in a resolver's lane. */
static void put(struct fixture *f, const char *resolver, unsigned lane, uint64_t segment,
                uint64_t sequence, const struct sinkhole_hit *hit)
{
    uint8_t encoded[SINKHOLE_HIT_ENCODED_MAX];
    const size_t len = sinkhole_hit_encode(hit, encoded, sizeof(encoded));
    redisReply *reply;

    freeReplyObject(ask(&f->server, "ZADD sinkhole:resolvers 1 %s", resolver));
    freeReplyObject(ask(&f->server, "HSETNX sinkhole:ship:{%s} %u:00 0", resolver, lane));
    reply = ask(&f->server, "XADD sinkhole:hits:{%s}:%u %llu-%llu h %b n %u", resolver, lane,
                (unsigned long long)segment, (unsigned long long)sequence, encoded, len,
                hit->count);
    assert_int_equal(reply->type, REDIS_REPLY_STRING);
    freeReplyObject(reply);
}

/* Two resolvers, three lanes; lane 0 of "a" has two segments of 3,000 hits, one a second. */
static void put_all(struct fixture *f)
{
    for (uint32_t i = 0; i < 6000; i++) {
        struct sinkhole_hit hit = sample_hit(i, T0 + i * INT64_C(10000));

        hit.count = i == 7 ? 4000000000u : 1;
        put(f, "a", 0, i < 3000 ? (uint64_t)T0 : (uint64_t)T0 + 30000000, i % 3000 + 1, &hit);
    }
    for (uint32_t i = 0; i < 10; i++) {
        const struct sinkhole_hit hit = sample_hit(100000 + i, T0 + i * HOUR);

        put(f, "a", 5, (uint64_t)T0, i + 1, &hit);
        put(f, "b.example", 0, (uint64_t)T0, i + 1, &hit);
    }
    tell(&f->server, "XADD sinkhole:hits:{b.example}:0 1790000000000-11 other thing");
    tell(&f->server, "XADD sinkhole:hits:{b.example}:0 1790000000000-12 h rubbish n 1");
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    server_make(&f->server);
    f->settings = server_settings(&f->server);
    f->store = sinkhole_store_new(&f->settings);
    *state = f;
    put_all(f);
    return f->store == NULL;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    sinkhole_store_free(f->store);
    server_remove(&f->server);
    free(f);
    return 0;
}

struct seen {
    uint64_t hits, count;
    uint64_t stop_after;
    int64_t first_ms, last_ms;
    char last_resolver[64];
    char last_id[48];
    uint32_t last_lane, last_client;
    unsigned quiet;
};

static bool see(void *arg, const struct sinkhole_stored_hit *stored)
{
    struct seen *seen = arg;

    if (stored == NULL)
        return ++seen->quiet < 3;
    seen->hits++;
    seen->count += stored->hit.count;
    if (seen->first_ms == 0 || stored->hit.time_ms < seen->first_ms)
        seen->first_ms = stored->hit.time_ms;
    if (stored->hit.time_ms > seen->last_ms)
        seen->last_ms = stored->hit.time_ms;
    snprintf(seen->last_resolver, sizeof(seen->last_resolver), "%s", stored->resolver);
    snprintf(seen->last_id, sizeof(seen->last_id), "%s", stored->id);
    seen->last_lane = stored->lane;
    seen->last_client = sample_client(&stored->hit);
    return seen->stop_after == 0 || seen->hits < seen->stop_after;
}

static void hits_are_found_by_resolver_and_time(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *why;
        struct sinkhole_hit_query query;
        uint64_t stop_after, hits;
    } cases[] = {
        {"all", {NULL, 0, 0}, 0, 6020},
        {"one resolver", {"b.example", 0, 0}, 0, 10},
        {"a resolver that is not there", {"c", 0, 0}, 0, 0},
        {"enough after five", {NULL, 0, 0}, 5, 5},
        {"the last hits of the second segment", {"a", T0 + 59980000, 0}, 0, 2},
        {"from within the first segment", {"a", T0 + 20000000, 0}, 0, 4000 + 4},
        {"from the second segment's first", {"a", T0 + 30000000, 0}, 0, 3000 + 1},
        {"until, exclusive", {"a", 0, T0 + 100000}, 0, 10 + 1},
        {"a range within the first segment", {"a", T0 + 100000, T0 + 200000}, 0, 10},
        {"from the beginning of time", {"a", 1, 0}, 0, 6010},
        {"after all", {NULL, T0 + 1000 * HOUR, 0}, 0, 0},
        {"before all", {NULL, 0, T0}, 0, 0},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct seen seen = {.stop_after = cases[i].stop_after};

        assert_int_equal(sinkhole_hits_read(f->store, &cases[i].query, see, &seen),
                         SINKHOLE_STORE_OK);
        if (seen.hits != cases[i].hits)
            fail_msg("%s: %" PRIu64 " hits, expected %" PRIu64, cases[i].why, seen.hits,
                     cases[i].hits);
        if (seen.hits > 0 && cases[i].query.since_ms > 0)
            assert_true(seen.first_ms >= cases[i].query.since_ms);
    }
}

static void counts_and_places_come_with_them(void **state)
{
    struct fixture *f = *state;
    const struct sinkhole_hit_query query = {"a", T0 + 70000, T0 + 80000};
    struct seen seen = {0};

    assert_int_equal(sinkhole_hits_read(f->store, &query, see, &seen), SINKHOLE_STORE_OK);
    assert_int_equal(seen.hits, 1);
    assert_true(seen.count == 4000000000u);
    assert_string_equal(seen.last_resolver, "a");
    assert_int_equal(seen.last_lane, 0);
    assert_string_equal(seen.last_id, "1790000000000-8");
    assert_int_equal(seen.last_client, 7);
}

/* Puts one hit into a stream that was there and one into a new resolver's, from within the wait. */
struct follower {
    struct fixture *f;
    struct seen seen;
};

static bool follow(void *arg, const struct sinkhole_stored_hit *stored)
{
    struct follower *follower = arg;
    const struct sinkhole_hit hit = sample_hit(123456, T0);

    if (stored == NULL && follower->seen.quiet == 0) {
        put(follower->f, "b.example", 0, (uint64_t)T0 + 1, 1, &hit);
        put(follower->f, "new", 3, (uint64_t)T0, 1, &hit);
    }
    if (stored != NULL && sample_client(&stored->hit) != 123456)
        fail_msg("an old hit: client %u", sample_client(&stored->hit));
    (void)see(&follower->seen, stored);
    return follower->seen.hits < 2 && follower->seen.quiet < 100;
}

static void new_hits_are_followed(void **state)
{
    struct follower follower = {.f = *state};

    assert_int_equal(sinkhole_hits_follow(follower.f->store, 50, follow, &follower),
                     SINKHOLE_STORE_OK);
    assert_int_equal(follower.seen.hits, 2);
}

static void a_server_that_is_away_is_an_error(void **state)
{
    struct fixture *f = *state;
    const struct sinkhole_hit_query query = {NULL, 0, 0};
    struct seen seen = {0};

    server_stop(&f->server, SIGKILL);
    assert_int_equal(sinkhole_hits_read(f->store, &query, see, &seen), SINKHOLE_STORE_RECONNECT);
    assert_int_equal(sinkhole_hits_follow(f->store, 50, see, &seen), SINKHOLE_STORE_RECONNECT);
    assert_non_null(strstr(sinkhole_store_error(f->store), "hits"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hits_are_found_by_resolver_and_time),
        cmocka_unit_test(counts_and_places_come_with_them),
        cmocka_unit_test(new_hits_are_followed),
        cmocka_unit_test(a_server_that_is_away_is_an_error),
    };

    if (!server_is_installed())
        return 77;
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, setup, teardown);
}
