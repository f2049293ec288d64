/* SPDX-License-Identifier: BSD-3-Clause */
/* The store against a real Redis: what is put in comes out, and what is refused is refused. */
#include "tests/store/redis_help.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

static struct redis redis;
static struct sinkhole_store *store;

static int begin(void **state)
{
    (void)state;
    redis_run(&redis, "FLUSHALL");
    store = sinkhole_store_new(&redis.settings);
    return store == NULL;
}

static int end(void **state)
{
    (void)state;
    sinkhole_store_free(store);
    return 0;
}

#define LINES(...) ((const char *const[]){__VA_ARGS__, NULL})

static void an_empty_list_reads_as_nothing(void **state)
{
    struct sinkhole_list_head head = {.generation = 9};
    uint32_t ids[SINKHOLE_INDEX_ENTRIES_MAX];
    size_t count = 9;

    (void)state;
    assert_list(store, "");
    assert_store(store, sinkhole_list_head_get(store, &head), SINKHOLE_STORE_OK);
    assert_int_equal(head.generation, 0);
    assert_store(store, sinkhole_list_find(store, "com evil", 8, ids, &count), SINKHOLE_STORE_OK);
    assert_int_equal(count, 0);
}

static void feeds_come_back_as_they_were(void **state)
{
    struct sinkhole_feed feed = {
        .policy = {.feed = "ais",
                   .kind = SINKHOLE_FEED_AUTHORITY,
                   .action = SINKHOLE_ACTION_NXDOMAIN,
                   .rank = 900,
                   .ttl_s = 5,
                   .ede_code = 16,
                   .has_v4 = 1,
                   .has_v6 = 1,
                   .v4 = {192, 0, 2, 53},
                   .v6 = {0x20, 1, 0x0d, 0xb8},
                   .ede_text = "Cục An toàn thông tin"},
        .title = "Danh sách của Cục",
        .contact = "ais@example.vn",
        .format = "text",
        .classified = true,
    };
    struct sinkhole_feed got, other;
    struct sinkhole_list_head head;

    (void)state;
    assert_store(store, sinkhole_feed_get(store, "ais", &got), SINKHOLE_STORE_ABSENT);
    assert_store(store, sinkhole_feed_put(store, &feed), SINKHOLE_STORE_OK);
    assert_store(store, sinkhole_feed_get(store, "ais", &got), SINKHOLE_STORE_OK);
    assert_memory_equal(&got.policy, &feed.policy, sizeof(feed.policy));
    assert_string_equal(got.title, feed.title);
    assert_true(got.classified);
    assert_store(store, sinkhole_list_head_get(store, &head), SINKHOLE_STORE_OK);
    assert_int_equal(head.generation, 1);

    other = feed; /* prose is no generation */
    snprintf(other.title, sizeof(other.title), "tên khác");
    assert_store(store, sinkhole_feed_put(store, &other), SINKHOLE_STORE_OK);
    assert_store(store, sinkhole_list_head_get(store, &head), SINKHOLE_STORE_OK);
    assert_int_equal(head.generation, 1);
    other.policy.ttl_s = 6; /* policy is */
    assert_store(store, sinkhole_feed_put(store, &other), SINKHOLE_STORE_OK);
    assert_store(store, sinkhole_list_head_get(store, &head), SINKHOLE_STORE_OK);
    assert_int_equal(head.generation, 2);
    assert_store(store, sinkhole_feed_get(store, "ais", &got), SINKHOLE_STORE_OK);
    assert_string_equal(got.title, "tên khác");
    assert_int_equal(got.policy.ttl_s, 6);
}

static void feeds_that_make_no_sense_are_refused(void **state)
{
    static const struct {
        const char *why, *name;
        uint8_t action, kind;
        uint16_t rank;
    } cases[] = {
        {"upper case", "Ais", 3, 0, 1},           {"empty", "", 3, 0, 1},
        {"begins with a digit", "1ais", 3, 0, 1}, {"a space", "a b", 3, 0, 1},
        {"inherits from nobody", "ais", 0, 0, 1}, {"no such action", "ais", 8, 0, 1},
        {"no such kind", "ais", 3, 3, 1},         {"rank above 1000", "ais", 3, 0, 1001},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sinkhole_feed feed = {
            .policy = {.action = cases[i].action, .kind = cases[i].kind, .rank = cases[i].rank}};

        snprintf(feed.policy.feed, sizeof(feed.policy.feed), "%s", cases[i].name);
        if (sinkhole_feed_put(store, &feed) != SINKHOLE_STORE_INVALID)
            fail_msg("taken: %s", cases[i].why);
    }
    assert_int_equal(redis_integer(&redis, "DBSIZE"), 0);
}

static void lines_come_and_go(void **state)
{
    uint32_t ids[SINKHOLE_INDEX_ENTRIES_MAX], first, second;
    struct sinkhole_feed feed;
    struct sinkhole_batch batch;
    size_t count;

    (void)state;
    put_feed(store, "ais");
    put_feed(store, "own");
    first = publish_lines(store, "ais", 0, LINES("+net evil", "+com evil", "+com evil www"), 0);
    second = publish_lines(store, "own", 0, LINES("+com evil"), 0);
    assert_int_equal(first, 1);
    assert_int_equal(second, 2);
    assert_list(store, "com evil:1,2 | com evil www:1 | net evil:1");
    publish_lines(store, "ais", first, LINES("-com evil", "+com bad"), 0);
    assert_list(store, "com bad:1 | com evil:2 | com evil www:1 | net evil:1");

    assert_store(store, sinkhole_list_find(store, "com evil", 8, ids, &count), SINKHOLE_STORE_OK);
    assert_int_equal(count, 1);
    assert_int_equal(ids[0], 2);
    assert_store(store, sinkhole_list_find(store, "com evi", 7, ids, &count), SINKHOLE_STORE_OK);
    assert_int_equal(count, 0);
    assert_store(store, sinkhole_list_find(store, "zz z", 4, ids, &count), SINKHOLE_STORE_OK);
    assert_int_equal(count, 0);
    assert_store(store, sinkhole_list_find(store, "COM", 3, ids, &count), SINKHOLE_STORE_INVALID);

    assert_store(store, sinkhole_feed_get(store, "ais", &feed), SINKHOLE_STORE_OK);
    assert_int_equal(feed.entries, 3);
    assert_true(feed.updated_ms > 0);
    assert_store(store, sinkhole_batch_get(store, first, &batch), SINKHOLE_STORE_OK);
    assert_string_equal(batch.reference, "799/BTTTT-CATTT");
    assert_string_equal(batch.feed, "ais");
    assert_int_equal(batch.rule.scope, SINKHOLE_SCOPE_SUBTREE);
    assert_int_equal(batch.generation, 3);
    assert_store(store, sinkhole_batch_get(store, 99, &batch), SINKHOLE_STORE_ABSENT);
}

static void changes_that_contradict_the_list_are_refused(void **state)
{
    static const struct {
        const char *why;
        const char *lines[4];
    } cases[] = {
        {"twice in one change", {"+com new", "+com new"}},
        {"added and taken off", {"+com new", "-com new"}},
        {"listed already", {"+com evil"}},
        {"not listed", {"-com new"}},
        {"listed already, in the log", {"+com log"}},
        {"taken off already, in the log", {"-com gone"}},
        {"large, listed already", {"+com a", "+com b", "+com evil"}},
        {"large, not listed", {"+com a", "+com b", "-com new"}},
    };
    struct sinkhole_change *change;
    uint64_t generation;
    uint32_t id, other;
    char *before, *after;

    (void)state;
    put_feed(store, "ais");
    put_feed(store, "own");
    id = publish_lines(store, "ais", 0,
                       LINES("+com evil", "+com gone", "+com w1", "+com w2", "+com w3", "+com w4",
                             "+com w5", "+com w6", "+com w7", "+com w8"),
                       0);
    publish_lines(store, "ais", id, LINES("+com log"), 0);
    publish_lines(store, "ais", id, LINES("-com gone"), 0);
    before = list_text(store);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        print_message("%s\n", cases[i].why);
        publish_lines(store, "ais", id, cases[i].lines, SINKHOLE_STORE_INVALID);
    }
    /* A rule of another feed, and one that does not exist. */
    other = publish_lines(store, "own", 0, LINES("+com evil"), 0);
    publish_lines(store, "ais", other, LINES("+com new"), SINKHOLE_STORE_INVALID);
    publish_lines(store, "ais", 77, LINES("+com new"), SINKHOLE_STORE_INVALID);
    publish_lines(store, "own", other, LINES("-com evil"), 0);
    after = list_text(store);
    assert_string_equal(before, after);
    free(before);
    free(after);

    assert_store(store, sinkhole_change_new(store, "ais", &change), SINKHOLE_STORE_OK);
    assert_store(store, sinkhole_change_add(change, "com", 3, id), SINKHOLE_STORE_INVALID);
    assert_store(store, sinkhole_change_add(change, "com -x", 6, id), SINKHOLE_STORE_INVALID);
    assert_store(store, sinkhole_change_add(change, "com x", 5, 0), SINKHOLE_STORE_INVALID);
    assert_store(store, sinkhole_change_publish(change, NULL, NULL, &generation),
                 SINKHOLE_STORE_OK); /* nothing to say is no error */
    sinkhole_change_free(change);
    assert_store(store, sinkhole_change_new(store, "none", &change), SINKHOLE_STORE_ABSENT);
}

static void of_two_publishers_one_is_told(void **state)
{
    struct sinkhole_store *other = sinkhole_store_new(&redis.settings);
    struct sinkhole_change *mine, *theirs;
    uint64_t generation;
    uint32_t id;

    (void)state;
    put_feed(store, "ais");
    id = publish_lines(store, "ais", 0, LINES("+com evil"), 0);
    assert_store(store, sinkhole_change_new(store, "ais", &mine), SINKHOLE_STORE_OK);
    assert_store(other, sinkhole_change_new(other, "ais", &theirs), SINKHOLE_STORE_OK);
    assert_store(store, sinkhole_change_add(mine, "com a", 5, id), SINKHOLE_STORE_OK);
    assert_store(other, sinkhole_change_add(theirs, "com b", 5, id), SINKHOLE_STORE_OK);
    assert_store(other, sinkhole_change_publish(theirs, NULL, NULL, &generation),
                 SINKHOLE_STORE_OK);
    assert_store(store, sinkhole_change_publish(mine, NULL, NULL, &generation),
                 SINKHOLE_STORE_CONFLICT);
    assert_list(store, "com b:1 | com evil:1");
    sinkhole_change_free(mine);
    sinkhole_change_free(theirs);
    sinkhole_store_free(other);
}

static bool sum_up(void *arg, const struct sinkhole_publication *publication)
{
    fprintf(arg, "%llu:+%llu-%llu ", (unsigned long long)publication->generation,
            (unsigned long long)publication->added, (unsigned long long)publication->removed);
    return true;
}

static void assert_history(const char *feed, const char *expected)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    assert_store(store, sinkhole_feed_history(store, feed, sum_up, out), SINKHOLE_STORE_OK);
    fclose(out);
    assert_string_equal(text, expected);
    free(text);
}

static void undo(const char *feed, uint64_t generation, enum sinkhole_store_status expected)
{
    struct sinkhole_change *change;
    uint64_t published;

    assert_store(store, sinkhole_change_new(store, feed, &change), SINKHOLE_STORE_OK);
    assert_store(store, sinkhole_change_undo(change, generation, NULL, NULL), expected);
    if (expected == SINKHOLE_STORE_OK) {
        assert_store(store, sinkhole_change_describe(change, "tester", "rollback"),
                     SINKHOLE_STORE_OK);
        assert_store(store, sinkhole_change_publish(change, NULL, NULL, &published),
                     SINKHOLE_STORE_OK);
    }
    sinkhole_change_free(change);
}

static void publications_are_undone(void **state)
{
    struct sinkhole_feed feed;
    uint32_t id;

    (void)state;
    put_feed(store, "ais");                                            /* 1 */
    put_feed(store, "own");                                            /* 2 */
    id = publish_lines(store, "ais", 0, LINES("+com a", "+com b"), 0); /* 3 */
    publish_lines(store, "own", 0, LINES("+com a", "+com own"), 0);    /* 4: of another feed */
    publish_lines(store, "ais", id, LINES("-com b", "+com c"), 0);     /* 5 */
    publish_lines(store, "ais", 0, LINES("+com b", "+com d"), 0);      /* 6 */
    assert_history("ais", "6:+2-0 5:+1-1 3:+2-0 ");
    assert_list(store, "com a:1,2 | com b:3 | com c:1 | com d:3 | com own:2");
    undo("ais", 6, SINKHOLE_STORE_OK); /* 7 */
    assert_list(store, "com a:1,2 | com c:1 | com own:2");
    undo("ais", 7, SINKHOLE_STORE_OK); /* 8: the rollback undone */
    assert_list(store, "com a:1,2 | com b:3 | com c:1 | com d:3 | com own:2");
    undo("ais", 5, SINKHOLE_STORE_OK); /* 9: back to 3, over all later ones */
    assert_list(store, "com a:1,2 | com b:1 | com own:2");
    undo("ais", 3, SINKHOLE_STORE_OK); /* 10: back to nothing */
    assert_list(store, "com a:2 | com own:2");
    undo("ais", 4, SINKHOLE_STORE_ABSENT);
    undo("ais", 99, SINKHOLE_STORE_ABSENT);
    assert_store(store, sinkhole_feed_get(store, "ais", &feed), SINKHOLE_STORE_OK);
    assert_int_equal(feed.entries, 0);
    for (char c = 'a'; c < 'a' + 12; c++) {
        char line[] = "+com x?";

        line[6] = c;
        publish_lines(store, "ais", id, LINES(line), 0);
    }
    assert_int_equal(redis_integer(&redis, "HLEN sinkhole:{bl}:history:ais"), 10);
    assert_int_equal(redis_integer(&redis,
                                   "EXISTS sinkhole:{bl}:undo:ais:%d "
                                   "sinkhole:{bl}:undo:ais:%d",
                                   12, 13),
                     1);
    undo("ais", 3, SINKHOLE_STORE_ABSENT);
}

static void a_feed_goes_with_all_that_is_its(void **state)
{
    struct sinkhole_feed feed;
    struct sinkhole_batch batch;
    uint64_t generation;
    uint32_t id;

    (void)state;
    put_feed(store, "ais");
    put_feed(store, "own");
    id = publish_lines(store, "ais", 0, LINES("+com a", "+com b"), 0);
    publish_lines(store, "own", 0, LINES("+com a"), 0);
    assert_store(store, sinkhole_feed_remove(store, "ais", NULL, NULL, &generation),
                 SINKHOLE_STORE_OK);
    assert_int_equal(generation, 5);
    assert_list(store, "com a:2");
    assert_store(store, sinkhole_feed_get(store, "ais", &feed), SINKHOLE_STORE_ABSENT);
    assert_store(store, sinkhole_batch_get(store, id, &batch), SINKHOLE_STORE_OK); /* reports */
    assert_int_equal(redis_integer(&redis, "HLEN sinkhole:{bl}:batches"), 1);
    assert_int_equal(redis_integer(&redis, "EXISTS sinkhole:{bl}:history:ais "
                                           "sinkhole:{bl}:undo:ais:3"),
                     0);
    assert_store(store, sinkhole_feed_remove(store, "ais", NULL, NULL, &generation),
                 SINKHOLE_STORE_ABSENT);
}

static void staged_imports_come_back_whole(void **state)
{
    size_t len = (8u << 20) * 2 + 12345, got_len;
    char *data = malloc(len), *json;
    void *got;

    (void)state;
    for (size_t i = 0; i < len; i++)
        data[i] = (char)(i * 2654435761u >> 13);
    assert_store(store, sinkhole_staged_get(store, "ais", len, &json, &got, &got_len),
                 SINKHOLE_STORE_ABSENT);
    assert_store(store, sinkhole_staged_put(store, "ais", "{\"n\":1}", data, len),
                 SINKHOLE_STORE_OK);
    assert_store(store, sinkhole_staged_get(store, "ais", len - 1, &json, &got, &got_len),
                 SINKHOLE_STORE_INVALID);
    assert_store(store, sinkhole_staged_get(store, "ais", len, &json, &got, &got_len),
                 SINKHOLE_STORE_OK);
    assert_int_equal(got_len, len);
    assert_memory_equal(got, data, len);
    assert_string_equal(json, "{\"n\":1}");
    free(json);
    free(got);
    assert_store(store, sinkhole_staged_put(store, "ais", "{}", data, 3), SINKHOLE_STORE_OK);
    assert_int_equal(redis_integer(&redis, "DBSIZE"), 2); /* the old pieces are gone */
    assert_store(store, sinkhole_staged_put(store, "ais", "{}", "", 0), SINKHOLE_STORE_OK);
    assert_store(store, sinkhole_staged_get(store, "ais", len, &json, &got, &got_len),
                 SINKHOLE_STORE_OK);
    assert_int_equal(got_len, 0);
    free(json);
    free(got);
    assert_store(store, sinkhole_staged_drop(store, "ais"), SINKHOLE_STORE_OK);
    assert_int_equal(redis_integer(&redis, "DBSIZE"), 0);
    assert_store(store, sinkhole_staged_drop(store, "ais"), SINKHOLE_STORE_ABSENT);
    free(data);
}

struct alarms {
    struct sinkhole_alarm first;
    size_t count;
};

static bool count_alarm(void *arg, const struct sinkhole_alarm *alarm)
{
    struct alarms *alarms = arg;

    if (alarms->count++ == 0)
        alarms->first = *alarm;
    return true;
}

static void alarms_are_shown_until_acknowledged(void **state)
{
    struct sinkhole_alarm alarm = {
        .code = "redis-away", .source = "ns1", .severity = 2, .time_ms = 1234567890123};
    struct alarms alarms = {0};

    (void)state;
    for (int i = 0; i < 3; i++) {
        snprintf(alarm.text, sizeof(alarm.text), "Mất Redis lần %d", i);
        assert_store(store, sinkhole_alarm_raise(store, &alarm), SINKHOLE_STORE_OK);
    }
    assert_store(store, sinkhole_alarm_list(store, false, count_alarm, &alarms), SINKHOLE_STORE_OK);
    assert_int_equal(alarms.count, 3);
    assert_string_equal(alarms.first.text, "Mất Redis lần 2"); /* newest first */
    assert_int_equal(alarms.first.time_ms, 1234567890123);
    assert_store(store, sinkhole_alarm_acknowledge(store, alarms.first.id), SINKHOLE_STORE_OK);
    alarms.count = 0;
    assert_store(store, sinkhole_alarm_list(store, false, count_alarm, &alarms), SINKHOLE_STORE_OK);
    assert_int_equal(alarms.count, 2);
    alarms.count = 0;
    assert_store(store, sinkhole_alarm_list(store, true, count_alarm, &alarms), SINKHOLE_STORE_OK);
    assert_int_equal(alarms.count, 3);
    assert_true(alarms.first.acknowledged);
    assert_store(store, sinkhole_alarm_acknowledge(store, "1-1"), SINKHOLE_STORE_ABSENT);
    assert_store(store, sinkhole_alarm_acknowledge(store, "+"), SINKHOLE_STORE_INVALID);
    /* An alarm that is gone takes its acknowledgement with it. */
    redis_run(&redis, "SADD sinkhole:alarms:acknowledged 1-1");
    assert_store(store, sinkhole_alarm_acknowledge(store, alarms.first.id), SINKHOLE_STORE_OK);
    assert_int_equal(redis_integer(&redis, "SCARD sinkhole:alarms:acknowledged"), 1);
}

static bool field_text(void *arg, const char *resolver, const char *field, const char *value)
{
    fprintf(arg, "%s.%s=%s ", resolver, field, value);
    return true;
}

static void resolvers_are_listed_silent_ones_too(void **state)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    (void)state;
    redis_run(&redis, "ZADD sinkhole:resolvers 100 ns1 200 ns2");
    redis_run(&redis, "HSET sinkhole:resolver:{ns2} generation 7");
    assert_store(store, sinkhole_resolver_list(store, field_text, out), SINKHOLE_STORE_OK);
    fclose(out);
    assert_string_equal(text, "ns1.seen_ms=100 ns1.state=silent ns2.seen_ms=200 ns2.generation=7 ");
    free(text);
}

/* A port that is free now. */
static uint16_t free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    close(fd);
    return ntohs(address.sin_port);
}

static void over_tcp_in_another_database_it_is_the_same(void **state)
{
    struct sinkhole_settings settings = redis.settings;

    (void)state;
    settings.redis_socket = "";
    settings.redis_host = "127.0.0.1";
    settings.redis_port = free_port();
    settings.redis_database = 3;
    redis_run(&redis, "CONFIG SET port %d", (int)settings.redis_port);
    sinkhole_store_free(store);
    store = sinkhole_store_new(&settings);
    put_feed(store, "ais");
    publish_lines(store, "ais", 0, LINES("+com evil"), 0);
    assert_list(store, "com evil:1");
    assert_int_equal(redis_integer(&redis, "DBSIZE"), 0);
    redis_run(&redis, "CONFIG SET port 0");
    sinkhole_store_free(store);
    store = sinkhole_store_new(&settings);
    assert_store(store, sinkhole_store_ping(store), SINKHOLE_STORE_RECONNECT);
    assert_non_null(strstr(sinkhole_store_error(store), "127.0.0.1 port"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
        T(an_empty_list_reads_as_nothing),
        T(feeds_come_back_as_they_were),
        T(feeds_that_make_no_sense_are_refused),
        T(lines_come_and_go),
        T(changes_that_contradict_the_list_are_refused),
        T(of_two_publishers_one_is_told),
        T(publications_are_undone),
        T(a_feed_goes_with_all_that_is_its),
        T(staged_imports_come_back_whole),
        T(alarms_are_shown_until_acknowledged),
        T(resolvers_are_listed_silent_ones_too),
        T(over_tcp_in_another_database_it_is_the_same),
    };
    int failed;

    if (!redis_available())
        return 77;
    redis_start(&redis, NULL);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    redis_stop(&redis);
    return failed;
}
