/* SPDX-License-Identifier: BSD-3-Clause */
/* Exceptions, and imports that overtake each other, against a real Redis. Threads: one. */
#include "tests/store/redis_help.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "sinkhole/clock.h"
#include "sinkhole/feeds.h"

static struct redis redis;
static struct sinkhole_feeds feeds;

static struct sinkhole_exception exception_of(const char *text)
{
    struct sinkhole_exception exception = {
        .scope = SINKHOLE_SCOPE_SUBTREE, .reason = "báo nhầm, phiếu 12", .who = "an"};

    assert_int_equal(sinkhole_name_from_text(text, strlen(text), &exception.name),
                     SINKHOLE_NAME_OK);
    return exception;
}

static void expect(enum sinkhole_feeds_status got, enum sinkhole_feeds_status expected,
                   const char *why)
{
    if (got != expected)
        fail_msg("%s: %s (%s)", why, sinkhole_feeds_status_text(got),
                 sinkhole_store_error(feeds.store));
}

struct found {
    struct sinkhole_batch batch;
    unsigned count;
};

static bool keep_batch(void *arg, const struct sinkhole_batch *batch)
{
    struct found *found = arg;

    if (found->count == 0 || batch->rule.id > found->batch.rule.id)
        found->batch = *batch;
    found->count++;
    return true;
}

static void test_an_exception_comes_changes_and_goes(void **state)
{
    struct sinkhole_exception exception = exception_of("cdn.example");
    struct sinkhole_feeds_outcome outcome;
    struct sinkhole_feed feed;
    struct found found = {0};
    uint32_t ids[SINKHOLE_INDEX_ENTRIES_MAX], first;
    size_t count;

    (void)state;
    expect(sinkhole_exception_remove(&feeds, &exception.name, "an", &outcome),
           SINKHOLE_FEEDS_ABSENT, "nothing to take back");
    expect(sinkhole_exception_put(&feeds, &exception, &outcome), SINKHOLE_FEEDS_OK, "put");
    assert_int_equal(outcome.added, 1);
    assert_store(feeds.store, sinkhole_feed_get(feeds.store, SINKHOLE_ALLOW_FEED, &feed),
                 SINKHOLE_STORE_OK);
    assert_int_equal(feed.policy.kind, SINKHOLE_FEED_ALLOW);
    assert_int_equal(feed.policy.action, SINKHOLE_ACTION_ALLOW);
    assert_store(feeds.store, sinkhole_list_find(feeds.store, "example cdn", 11, ids, &count),
                 SINKHOLE_STORE_OK);
    assert_int_equal(count, 1);
    first = ids[0];
    assert_store(feeds.store,
                 sinkhole_batch_list(feeds.store, SINKHOLE_ALLOW_FEED, keep_batch, &found),
                 SINKHOLE_STORE_OK);
    assert_string_equal(found.batch.remark, "báo nhầm, phiếu 12");
    assert_string_equal(found.batch.who, "an");
    assert_int_equal(found.batch.rule.scope, SINKHOLE_SCOPE_SUBTREE);
    assert_int_equal(found.batch.rule.action, SINKHOLE_ACTION_ALLOW);

    expect(sinkhole_exception_put(&feeds, &exception, &outcome), SINKHOLE_FEEDS_NOTHING, "again");
    exception.until = 4000000000;
    expect(sinkhole_exception_put(&feeds, &exception, &outcome), SINKHOLE_FEEDS_OK, "other end");
    assert_int_equal(outcome.changed, 1);
    exception.reason = "khác";
    expect(sinkhole_exception_put(&feeds, &exception, &outcome), SINKHOLE_FEEDS_OK, "other reason");
    assert_int_equal(outcome.changed, 1);
    assert_store(feeds.store, sinkhole_list_find(feeds.store, "example cdn", 11, ids, &count),
                 SINKHOLE_STORE_OK);
    assert_int_equal(count, 1);
    assert_int_not_equal(ids[0], first);

    expect(sinkhole_exception_remove(&feeds, &exception.name, "an", &outcome), SINKHOLE_FEEDS_OK,
           "remove");
    assert_int_equal(outcome.removed, 1);
    assert_store(feeds.store, sinkhole_list_find(feeds.store, "example cdn", 11, ids, &count),
                 SINKHOLE_STORE_OK);
    assert_int_equal(count, 0);
}

/* "": nothing. */
static void protect(const char *zone)
{
    static char text[64], *items[] = {text};

    snprintf(text, sizeof(text), "%s", zone);
    redis.settings.guard_protected.items = items;
    redis.settings.guard_protected.count = zone[0] != '\0';
}

static void test_what_no_exception_covers(void **state)
{
    static const struct {
        const char *why, *name;
        enum sinkhole_feeds_status expected;
    } cases[] = {
        {"the root", ".", SINKHOLE_FEEDS_REFUSED},
        {"a top-level domain", "vn", SINKHOLE_FEEDS_REFUSED},
        {"a public suffix", "com.vn", SINKHOLE_FEEDS_REFUSED},
        {"a protected zone may be", "gov.vn", SINKHOLE_FEEDS_OK},
    };
    struct sinkhole_feeds_outcome outcome;
    struct sinkhole_exception exception;

    (void)state;
    protect("gov.vn");
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        exception = exception_of(cases[i].name);
        expect(sinkhole_exception_put(&feeds, &exception, &outcome), cases[i].expected,
               cases[i].why);
    }
    protect("");
    exception = exception_of("a.example");
    exception.reason = "";
    expect(sinkhole_exception_put(&feeds, &exception, &outcome), SINKHOLE_FEEDS_INVALID,
           "without a reason");
}

static void test_a_long_reason_is_cut_between_characters(void **state)
{
    struct sinkhole_exception exception = exception_of("long.example");
    struct sinkhole_feeds_outcome outcome;
    struct found found = {0};
    char reason[200] = "xy";

    (void)state;
    while (strlen(reason) < 190)
        strcat(reason, "ề");
    exception.reason = reason;
    expect(sinkhole_exception_put(&feeds, &exception, &outcome), SINKHOLE_FEEDS_OK, "put");
    assert_store(feeds.store,
                 sinkhole_batch_list(feeds.store, SINKHOLE_ALLOW_FEED, keep_batch, &found),
                 SINKHOLE_STORE_OK);
    assert_int_equal(strlen(found.batch.remark), 125);
    assert_memory_equal(found.batch.remark, reason, 125);
}

static struct sinkhole_feeds_outcome stage_as(const char *feed, const char *text,
                                              bool private_suffix)
{
    const struct sinkhole_import_options options = {.scope = SINKHOLE_SCOPE_SUBTREE,
                                                    .allow_private_suffix = private_suffix};
    struct sinkhole_staged staged = {.attributes = {.who = "an"}, .file = "a file"};
    struct sinkhole_feeds_outcome outcome;
    struct sinkhole_import *import;
    char bad[256];

    assert_int_equal(sinkhole_import_new(feeds.settings, feeds.suffixes, &options, bad, &import),
                     SINKHOLE_IMPORT_OK);
    sinkhole_import_push(import, text, strlen(text));
    assert_int_equal(sinkhole_import_finish(import), SINKHOLE_IMPORT_OK);
    expect(sinkhole_import_stage(&feeds, import, feed, &staged, &outcome), SINKHOLE_FEEDS_OK,
           "stage");
    sinkhole_import_free(import);
    return outcome;
}

static struct sinkhole_feeds_outcome stage_for(const char *feed, const char *text)
{
    return stage_as(feed, text, false);
}

static struct sinkhole_feeds_outcome stage(const char *text)
{
    return stage_for("list", text);
}

static void test_nobody_publishes_what_another_staged(void **state)
{
    struct sinkhole_feeds_outcome mine, theirs, outcome;

    (void)state;
    put_feed(feeds.store, "list");
    sinkhole_clock_set(1000);
    mine = stage("mine.example\n");
    sinkhole_clock_set(2000);
    theirs = stage("theirs.example\n");
    sinkhole_clock_set(0);
    expect(sinkhole_feeds_publish(&feeds, "list", mine.import, &outcome), SINKHOLE_FEEDS_OVERTAKEN,
           "overtaken");
    expect(sinkhole_feeds_publish(&feeds, "list", theirs.import, &outcome), SINKHOLE_FEEDS_OK,
           "theirs");
    assert_int_equal(outcome.added, 1);
    expect(sinkhole_feeds_publish(&feeds, "list", NULL, &outcome), SINKHOLE_FEEDS_NOTHING,
           "whatever is staged");
}

/* --- what is staged, damaged in Redis --- */

static void test_damaged_staging_is_not_published(void **state)
{
    static const struct {
        const char *why, *json, *text; /* NULL: what a good import left */
        int cut;                       /* octets off the end of the frame */
        enum sinkhole_feeds_status expected;
    } cases[] = {
        {"as it was", NULL, "example good\t2\n\n", 0, SINKHOLE_FEEDS_OK},
        {"JSON of nobody's", "{}", NULL, 0, SINKHOLE_FEEDS_DAMAGED},
        {"no JSON", "x", NULL, 0, SINKHOLE_FEEDS_DAMAGED},
        {"frame cut", NULL, "example good\t2\n\n", 5, SINKHOLE_FEEDS_DAMAGED},
        {"a key that is none", NULL, "example go%od\t2\n\n", 0, SINKHOLE_FEEDS_DAMAGED},
        {"a scope that is none", NULL, "example good\t3\n\n", 0, SINKHOLE_FEEDS_DAMAGED},
        {"no end of the names", NULL, "example good\t2\n", 0, SINKHOLE_FEEDS_DAMAGED},
        {"names that today's guard refuses", NULL, "com\t2\nvn com\t2\n\n", 0,
         SINKHOLE_FEEDS_REFUSED},
        {"no names", NULL, "\n", 0, SINKHOLE_FEEDS_REFUSED},
    };
    struct sinkhole_feeds_outcome outcome;
    char *good_json, frame[1024];
    void *data;
    size_t len;

    (void)state;
    put_feed(feeds.store, "damaged");
    stage_for("damaged", "good.example\n");
    assert_store(feeds.store,
                 sinkhole_staged_get(feeds.store, "damaged", 1 << 20, &good_json, &data, &len),
                 SINKHOLE_STORE_OK);
    free(data);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const char *text = cases[i].text != NULL ? cases[i].text : "example good\t2\n\n";
        enum sinkhole_feeds_status status;

        len = ZSTD_compress(frame, sizeof(frame), text, strlen(text), 3);
        assert_false(ZSTD_isError(len));
        assert_store(feeds.store,
                     sinkhole_staged_put(feeds.store, "damaged",
                                         cases[i].json != NULL ? cases[i].json : good_json, frame,
                                         len - (size_t)cases[i].cut),
                     SINKHOLE_STORE_OK);
        status = sinkhole_feeds_publish(&feeds, "damaged", NULL, &outcome);
        if (status != cases[i].expected)
            fail_msg("%s: %s", cases[i].why, sinkhole_feeds_status_text(status));
    }
    free(good_json);
}

/* --- what is kept beside, for good --- */

struct beside {
    char text[1024]; /* "file|reference|kind text|..." */
    char import[40]; /* the last */
    unsigned imports;
};

static bool keep_head(void *arg, const struct sinkhole_staged *import)
{
    struct beside *beside = arg;
    size_t used = strlen(beside->text);

    beside->imports++;
    memcpy(beside->import, import->attributes.import, sizeof(beside->import));
    snprintf(beside->text + used, sizeof(beside->text) - used, "%s|%s|", import->file,
             import->attributes.reference);
    return true;
}

static bool keep_line(void *arg, const char *line, size_t len)
{
    struct beside *beside = arg;
    size_t used = strlen(beside->text);

    snprintf(beside->text + used, sizeof(beside->text) - used, "%.*s|", (int)len, line);
    return true;
}

static void assert_beside(const char *feed, const char *import, const char *expected)
{
    struct sinkhole_feeds_outcome outcome;
    struct beside beside = {0};

    expect(sinkhole_beside_read(&feeds, feed, import, keep_head, keep_line, &beside, &outcome),
           SINKHOLE_FEEDS_OK, "beside");
    assert_string_equal(beside.text, expected);
}

static void test_what_stands_beside_is_kept_for_good(void **state)
{
    struct sinkhole_feeds_outcome first, second, outcome;
    uint64_t removed;

    (void)state;
    put_feed(feeds.store, "letters");
    sinkhole_clock_set(1000);
    first = stage_for("letters", "one.example\n192.0.2.1\nhttp://shared.example/x\n");
    assert_beside("letters", NULL, ""); /* staged only */
    expect(sinkhole_feeds_publish(&feeds, "letters", NULL, &outcome), SINKHOLE_FEEDS_OK, "first");
    sinkhole_clock_set(2000);
    second = stage_for("letters", "one.example\n2001:db8::1\n");
    expect(sinkhole_feeds_publish(&feeds, "letters", NULL, &outcome), SINKHOLE_FEEDS_NOTHING,
           "no name changes");
    sinkhole_clock_set(3000);
    stage_for("letters", "one.example\n2001:db8::1\n");
    expect(sinkhole_feeds_publish(&feeds, "letters", NULL, &outcome), SINKHOLE_FEEDS_NOTHING,
           "nothing new beside either");
    stage_for("letters", "one.example\n");
    expect(sinkhole_feeds_publish(&feeds, "letters", NULL, &outcome), SINKHOLE_FEEDS_NOTHING,
           "nothing beside");
    sinkhole_clock_set(0);
    assert_store(feeds.store, sinkhole_staged_drop(feeds.store, "letters"), SINKHOLE_STORE_OK);
    assert_beside("letters", NULL,
                  "a file||address\t192.0.2.1|url\thttp://shared.example/x|"
                  "a file||address\t2001:db8::1|");
    assert_beside("letters", first.import,
                  "a file||address\t192.0.2.1|url\thttp://shared.example/x|");
    assert_beside("letters", second.import, "a file||address\t2001:db8::1|");
    assert_int_equal(redis_integer(&redis, "TTL sinkhole:{bl}:beside:letters"), -1);
    expect(sinkhole_beside_read(&feeds, "letters", "1-1", keep_head, keep_line, &(struct beside){0},
                                &outcome),
           SINKHOLE_FEEDS_ABSENT, "no such import");
    expect(sinkhole_beside_read(&feeds, "letters", "..", keep_head, keep_line, &(struct beside){0},
                                &outcome),
           SINKHOLE_FEEDS_STORE, "no identity");

    stage_for("letters", "two.example\n");
    assert_int_equal(redis_integer(&redis, "EVAL %s 0",
                                   "return #redis.call('keys','sinkhole:{bl}:staged:letters*')"),
                     2);
    assert_store(feeds.store, sinkhole_feed_remove(feeds.store, "letters", NULL, NULL, &removed),
                 SINKHOLE_STORE_OK);
    assert_int_equal(redis_integer(&redis, "EVAL %s 0",
                                   "return #redis.call('keys','sinkhole:{bl}:staged:letters*')"),
                     0);
    assert_int_equal(redis_integer(&redis, "EXISTS sinkhole:{bl}:beside:letters"), 0);
    assert_int_equal(redis_integer(&redis, "HLEN sinkhole:{bl}:retired:beside:letters:%llu",
                                   (unsigned long long)removed),
                     2);
    put_feed(feeds.store, "letters");
    assert_beside("letters", NULL, "");
}

static void test_damaged_beside_is_said(void **state)
{
    static const struct {
        const char *why, *text; /* NULL: no frame at all */
        int cut;
    } cases[] = {
        {"no frame", NULL, 0},
        {"frame cut", "{}\naddress\t192.0.2.1\n", 3},
        {"no line", "{}", 0},
        {"JSON of nobody's", "{}\naddress\t192.0.2.1\n", 0},
    };
    struct sinkhole_feeds_outcome outcome;
    char frame[1024];

    (void)state;
    put_feed(feeds.store, "damaged");
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const char *text = cases[i].text;
        size_t len = text == NULL ? (size_t)snprintf(frame, sizeof(frame), "no frame")
                                  : ZSTD_compress(frame, sizeof(frame), text, strlen(text), 3);

        assert_store(
            feeds.store,
            sinkhole_beside_put(feeds.store, "damaged", "1-1", frame, len - (size_t)cases[i].cut),
            SINKHOLE_STORE_OK);
        if (sinkhole_beside_read(&feeds, "damaged", NULL, keep_head, keep_line, &(struct beside){0},
                                 &outcome) != SINKHOLE_FEEDS_DAMAGED)
            fail_msg("%s: not said", cases[i].why);
    }
}

/* --- rollback past today's guards --- */

static void keep_refused(void *arg, enum sinkhole_difference difference, const char *key,
                         size_t key_len, enum sinkhole_scope scope,
                         enum sinkhole_note_reason reason)
{
    char *text = arg;
    size_t used = strlen(text);

    assert_int_equal(difference, SINKHOLE_DIFF_REFUSED);
    snprintf(text + used, 256 - used, "%.*s %d %s|", (int)key_len, key, (int)scope,
             sinkhole_reason_word(reason));
}

static void test_rollback_brings_nothing_back_that_the_guards_refuse(void **state)
{
    static const struct {
        const char *why, *before, *after;
        const char *zone; /* protected since */
        bool private_suffix;
        enum sinkhole_feeds_status status;
        unsigned added, removed;
        const char *refused;
    } cases[] = {
        {"nothing changed since", "a.example\nb.example\n", "c.example\n", "", false,
         SINKHOLE_FEEDS_OK, 2, 1, ""},
        {"one protected since", "a.example\nb.example\n", "c.example\n", "b.example", false,
         SINKHOLE_FEEDS_OK, 1, 1, "example b 2 protected|"},
        {"a name below one", "a.example\nx.b.example\n", "c.example\n", "b.example", false,
         SINKHOLE_FEEDS_OK, 1, 1, "example b x 2 protected-below|"},
        {"what came in the meantime goes all the same", "b.example\n", "c.example\n", "b.example",
         false, SINKHOLE_FEEDS_OK, 0, 1, "example b 2 protected|"},
        {"nothing else to do", "a.example\nb.example\n", "a.example\n", "b.example", false,
         SINKHOLE_FEEDS_REFUSED, 0, 0, "example b 2 protected|"},
        {"a provider's zone that was allowed", "blogspot.com\n", "c.example\n", "", true,
         SINKHOLE_FEEDS_OK, 1, 1, ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct sinkhole_feeds_outcome outcome, staged;
        struct sinkhole_list_head before, after;
        char feed[16], refused[256] = "";

        snprintf(feed, sizeof(feed), "back%zu", i);
        put_feed(feeds.store, feed);
        stage_as(feed, cases[i].before, cases[i].private_suffix);
        expect(sinkhole_feeds_publish(&feeds, feed, NULL, &outcome), SINKHOLE_FEEDS_OK, "before");
        staged = stage_for(feed, cases[i].after);
        expect(sinkhole_feeds_publish(&feeds, feed, NULL, &outcome), SINKHOLE_FEEDS_OK, "after");
        assert_store(feeds.store, sinkhole_list_head_get(feeds.store, &before), SINKHOLE_STORE_OK);
        protect(cases[i].zone);
        expect(sinkhole_feeds_rollback(&feeds, feed, 0, "an", keep_refused, refused, &outcome),
               cases[i].status, cases[i].why);
        protect("");
        assert_store(feeds.store, sinkhole_list_head_get(feeds.store, &after), SINKHOLE_STORE_OK);
        if (outcome.added != cases[i].added || outcome.removed != cases[i].removed ||
            strcmp(refused, cases[i].refused) != 0)
            fail_msg("%s: +%llu -%llu, refused %s", cases[i].why, (unsigned long long)outcome.added,
                     (unsigned long long)outcome.removed, refused);
        assert_int_equal(after.generation,
                         before.generation + (cases[i].status == SINKHOLE_FEEDS_OK));
        assert_int_equal(after.entries, before.entries + outcome.added - outcome.removed);
        expect(sinkhole_feeds_publish(&feeds, feed, staged.import, &outcome),
               cases[i].status == SINKHOLE_FEEDS_OK ? SINKHOLE_FEEDS_ABSENT
                                                    : SINKHOLE_FEEDS_NOTHING,
               "what was staged");
    }
}

static void test_a_rollback_that_left_names_out_can_be_undone(void **state)
{
    struct sinkhole_feeds_outcome outcome;

    (void)state;
    put_feed(feeds.store, "twice");
    stage_for("twice", "a.example\nb.example\n");
    expect(sinkhole_feeds_publish(&feeds, "twice", NULL, &outcome), SINKHOLE_FEEDS_OK, "first");
    stage_for("twice", "c.example\n");
    expect(sinkhole_feeds_publish(&feeds, "twice", NULL, &outcome), SINKHOLE_FEEDS_OK, "second");
    protect("b.example");
    expect(sinkhole_feeds_rollback(&feeds, "twice", 0, "an", NULL, NULL, &outcome),
           SINKHOLE_FEEDS_OK, "rollback");
    assert_int_equal(outcome.refused, 1);
    expect(sinkhole_feeds_rollback(&feeds, "twice", 0, "an", NULL, NULL, &outcome),
           SINKHOLE_FEEDS_OK, "its own undoing");
    assert_int_equal(outcome.added, 1);
    assert_int_equal(outcome.removed, 1);
    assert_int_equal(outcome.refused, 0);
    protect("");
}

static void test_exceptions_come_back_past_no_guard(void **state)
{
    struct sinkhole_exception exception = exception_of("gov.vn");
    struct sinkhole_feeds_outcome outcome;

    (void)state;
    protect("gov.vn");
    sinkhole_exception_remove(&feeds, &exception.name, "an", &outcome);
    expect(sinkhole_exception_put(&feeds, &exception, &outcome), SINKHOLE_FEEDS_OK, "put");
    expect(sinkhole_exception_remove(&feeds, &exception.name, "an", &outcome), SINKHOLE_FEEDS_OK,
           "remove");
    expect(sinkhole_feeds_rollback(&feeds, SINKHOLE_ALLOW_FEED, 0, "an", NULL, NULL, &outcome),
           SINKHOLE_FEEDS_OK, "rollback");
    protect("");
    assert_int_equal(outcome.added, 1);
    assert_int_equal(outcome.refused, 0);
}

/* --- many keys looked up against a list of several chunks and a log --- */

enum { NAMES = 150000 };

static const char *nth_key(void *arg, size_t i, size_t *ret_len)
{
    static char
        key[32]; /* every 997th number: listed are those below NAMES, less 1994, and 1000000 */

    (void)arg;
    *ret_len = (size_t)snprintf(key, sizeof(key), "example n%07zu", i * 997);
    return key;
}

static bool mark_key(void *arg, const char *key, size_t key_len, const uint32_t *ids, size_t count)
{
    bool *listed = arg;

    (void)key_len;
    (void)ids;
    assert_int_equal(count, 1);
    listed[strtoul(key + strlen("example n"), NULL, 10) / 997] = true;
    return true;
}

static void test_many_keys_are_found_across_chunks_and_log(void **state)
{
    enum { KEYS = 1100 };
    static char text[NAMES * 17 + 1]; /* "n0000000.example" and a line end */
    static bool listed[KEYS];
    static const char *const later[] = {"-example n0001994", "+example n0999991", NULL};
    struct sinkhole_feeds_outcome outcome;
    struct sinkhole_list_head head;
    struct found found = {0};
    size_t used = 0;

    (void)state;
    for (size_t i = 0; i < NAMES; i++)
        used += (size_t)sprintf(text + used, "n%07zu.example\n", i);
    redis.settings.guard_most_names = NAMES;
    redis.settings.guard_most_bytes_mb = 100;
    stage(text);
    expect(sinkhole_feeds_publish(&feeds, "list", NULL, &outcome), SINKHOLE_FEEDS_OK, "publish");
    assert_int_equal(outcome.added, NAMES);
    assert_store(feeds.store, sinkhole_batch_list(feeds.store, "list", keep_batch, &found),
                 SINKHOLE_STORE_OK);
    publish_lines(feeds.store, "list", found.batch.rule.id, later, SINKHOLE_STORE_OK);
    assert_store(feeds.store,
                 sinkhole_list_find_many(feeds.store, KEYS, nth_key, NULL, &head, mark_key, listed),
                 SINKHOLE_STORE_OK);
    assert_int_equal(head.generation, outcome.generation + 1);
    for (size_t i = 0; i < KEYS; i++)
        if (listed[i] != ((i * 997 < NAMES && i != 2) || i == 1003))
            fail_msg("%zu is %slisted", i * 997, listed[i] ? "" : "not ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_exception_comes_changes_and_goes),
        cmocka_unit_test(test_what_no_exception_covers),
        cmocka_unit_test(test_a_long_reason_is_cut_between_characters),
        cmocka_unit_test(test_nobody_publishes_what_another_staged),
        cmocka_unit_test(test_damaged_staging_is_not_published),
        cmocka_unit_test(test_what_stands_beside_is_kept_for_good),
        cmocka_unit_test(test_damaged_beside_is_said),
        cmocka_unit_test(test_rollback_brings_nothing_back_that_the_guards_refuse),
        cmocka_unit_test(test_a_rollback_that_left_names_out_can_be_undone),
        cmocka_unit_test(test_exceptions_come_back_past_no_guard),
        cmocka_unit_test(test_many_keys_are_found_across_chunks_and_log),
    };
    int failed;

    if (!redis_available())
        return 77;
    redis_start(&redis, NULL);
    redis.settings.guard_most_names = 1000;
    redis.settings.guard_most_bytes_mb = 1;
    redis.settings.guard_protected_file = redis.settings.redis_host = redis.settings.resolver_name =
        redis.settings.resolver_canary = "";
    feeds.suffixes = sinkhole_suffixes_open(DATA_DIR "/public_suffix_list.dat");
    feeds.settings = &redis.settings;
    feeds.store = sinkhole_store_new(&redis.settings);
    failed = feeds.store == NULL ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
    sinkhole_store_free(feeds.store);
    sinkhole_suffixes_close((struct sinkhole_suffixes *)(uintptr_t)feeds.suffixes);
    redis_stop(&redis);
    return failed;
}
