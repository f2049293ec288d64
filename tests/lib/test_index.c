/* SPDX-License-Identifier: BSD-3-Clause */
/* The index by its behaviour: who decides, what is refused, what is published. Threads: two.
 * Memory: small lists. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "tests/lib/index_help.h"

enum { MALWARE, AUTHORITY, WATCH, ALLOW, FEEDS };

static const struct sinkhole_rule rules[] = {
    {.id = 1, .feed = MALWARE, .scope = SINKHOLE_SCOPE_SUBTREE},
    {.id = 2, .feed = MALWARE, .scope = SINKHOLE_SCOPE_EXACT},
    {.id = 3, .feed = MALWARE, .scope = SINKHOLE_SCOPE_BELOW},
    {.id = 4, .feed = AUTHORITY, .scope = SINKHOLE_SCOPE_SUBTREE},
    {.id = 5, .feed = WATCH, .scope = SINKHOLE_SCOPE_SUBTREE},
    {.id = 6, .feed = MALWARE, .scope = SINKHOLE_SCOPE_SUBTREE, .valid_until = 1000},
    {.id = 7, .feed = ALLOW, .scope = SINKHOLE_SCOPE_SUBTREE},
    {.id = 8, .feed = ALLOW, .scope = SINKHOLE_SCOPE_EXACT},
    {.id = 9, .feed = MALWARE, .scope = SINKHOLE_SCOPE_SUBTREE, .action = SINKHOLE_ACTION_DROP},
    {.id = 10, .feed = MALWARE, .scope = SINKHOLE_SCOPE_SUBTREE},
};
#define RULES (sizeof(rules) / sizeof(*rules))

static void policies_make(struct sinkhole_policy policies[FEEDS])
{
    policies[MALWARE] = policy_make("malware", SINKHOLE_ACTION_ADDRESS, 100);
    policies[AUTHORITY] = policy_make("authority", SINKHOLE_ACTION_NODATA, 500);
    policies[WATCH] = policy_make("watch", SINKHOLE_ACTION_MONITOR, 100);
    policies[ALLOW] = policy_make("allow", SINKHOLE_ACTION_ALLOW, 0);
}

static void head_write(const char *dir, uint64_t base_id, const struct sinkhole_delta_name *delta,
                       size_t delta_count)
{
    struct sinkhole_policy policies[FEEDS];
    struct sinkhole_head head = {.state = {.generation = base_id + 100, .entries = 5},
                                 .base_id = base_id,
                                 .rules = rules,
                                 .rule_count = RULES,
                                 .policies = policies,
                                 .policy_count = FEEDS,
                                 .delta = delta,
                                 .delta_count = delta_count};

    policies_make(policies);
    memset(head.state.digest, 0xd1, sizeof(head.state.digest));
    assert_int_equal(sinkhole_head_write(dir, &head), SINKHOLE_BUILD_OK);
}

static const struct listed names[] = {
    {"com below", {3}, 1},       {"com both", {1, 4}, 2},   {"com drop", {1, 9}, 2},
    {"com exact", {2}, 1},       {"com expired", {6}, 1},   {"com fell", {6, 10}, 2},
    {"com gone", {1}, 1},        {"com low", {1, 10}, 2},   {"com safe", {7}, 1},
    {"com safe but", {1}, 1},    {"com strict", {1, 5}, 2}, {"com tree", {1}, 1},
    {"com tree exempt", {8}, 1}, {"com tree www", {4}, 1},  {"vn com tree", {1}, 1},
};

static void test_who_decides(void **state)
{
    static const struct {
        const char *why, *asked;
        uint32_t rule; /* 0: none */
        uint8_t action;
        uint8_t name_off;
    } cases[] = {
        {"not listed", "example.org", 0, 0, 0},
        {"a name that only ends alike", "nottree.com", 0, 0, 0},
        {"subtree: itself", "tree.com", 1, SINKHOLE_ACTION_ADDRESS, 0},
        {"subtree: below", "a.tree.com", 1, SINKHOLE_ACTION_ADDRESS, 2},
        {"subtree: far below", "a.b.c.tree.com", 1, SINKHOLE_ACTION_ADDRESS, 6},
        {"exact: itself", "exact.com", 2, SINKHOLE_ACTION_ADDRESS, 0},
        {"exact: not below", "a.exact.com", 0, 0, 0},
        {"below: not itself", "below.com", 0, 0, 0},
        {"below: below", "a.below.com", 3, SINKHOLE_ACTION_ADDRESS, 2},
        {"the most specific name", "x.www.tree.com", 4, SINKHOLE_ACTION_NODATA, 2},
        {"the higher rank", "both.com", 4, SINKHOLE_ACTION_NODATA, 0},
        {"the stricter action in one rank", "strict.com", 1, SINKHOLE_ACTION_ADDRESS, 0},
        {"the rule's own action", "drop.com", 9, SINKHOLE_ACTION_DROP, 0},
        {"the lower id", "low.com", 1, SINKHOLE_ACTION_ADDRESS, 0},
        {"expired", "expired.com", 0, 0, 0},
        {"expired beside one in force", "fell.com", 10, SINKHOLE_ACTION_ADDRESS, 0},
        {"an exception above wins", "but.safe.com", 7, SINKHOLE_ACTION_ALLOW, 4},
        {"an exception alone", "safe.com", 7, SINKHOLE_ACTION_ALLOW, 0},
        {"an exact exception", "exempt.tree.com", 8, SINKHOLE_ACTION_ALLOW, 0},
        {"not below an exact exception", "a.exempt.tree.com", 1, SINKHOLE_ACTION_ADDRESS, 9},
        {"removed by the delta", "gone.com", 0, 0, 0},
        {"added by the delta", "new.com", 5, SINKHOLE_ACTION_MONITOR, 0},
        {"three labels", "a.tree.com.vn", 1, SINKHOLE_ACTION_ADDRESS, 2},
        {"a top-level domain", "com", 0, 0, 0},
        {"the root", ".", 0, 0, 0},
    };
    static const uint32_t five[] = {5};
    static const struct sinkhole_delta_name delta[] = {{"com gone", NULL, 8, 0},
                                                       {"com new", five, 7, 1}};
    struct sinkhole_index *index;
    char dir[PATH_MAX];

    (void)state;
    folder_make(dir);
    base_write(dir, 1, names, sizeof(names) / sizeof(*names));
    head_write(dir, 1, delta, 2);
    assert_int_equal(sinkhole_index_open(dir, &index), SINKHOLE_INDEX_OK);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct sinkhole_match match;
        struct sinkhole_name name;
        bool blocks;

        sinkhole_name_from_text(cases[i].asked, strlen(cases[i].asked), &name);
        blocks = sinkhole_index_find(index, name.wire, name.wire_len, 1000, &match);
        if (blocks != (cases[i].rule != 0 && cases[i].action != SINKHOLE_ACTION_ALLOW) ||
            (match.rule == NULL ? 0 : match.rule->id) != cases[i].rule)
            fail_msg("%s: rule %u", cases[i].why, match.rule == NULL ? 0 : match.rule->id);
        if (match.rule == NULL)
            continue;
        assert_int_equal(match.action, cases[i].action);
        assert_int_equal(match.name_off, cases[i].name_off);
        assert_int_equal(match.apex, cases[i].name_off == 0);
        assert_ptr_equal(match.policy, sinkhole_index_policy(index, match.rule));
        assert_ptr_equal(match.rule, sinkhole_index_rule(index, match.rule->id));
    }
    assert_null(sinkhole_index_rule(index, 11));
    sinkhole_index_close(index);
    folder_remove(dir);
}

static void test_labels_that_no_list_can_carry(void **state)
{
    static const struct {
        const char *why, *wire;
        size_t len;
        uint32_t rule;
    } cases[] = {
        {"a blank in a label is no level", "\5www x\4tree\3com", 16, 1},
        {"a dot in a label is no level", "\10tree.com\3net", 14, 0},
        {"a label that holds a listed key", "\10com tree", 10, 0},
        {"blanks where labels should be", "\10tree www\3com", 14, 0},
        {"octets", "\2\xff\1\4tree\3com", 13, 1},
        {"zero octet", "\1\0\4tree\3com", 12, 1},
        {"no root label", "\4tree\3com", 9, 0},
        {"label beyond the end", "\77tree\3com", 10, 0},
        {"nothing", "", 0, 0},
    };
    struct sinkhole_index *index;
    char dir[PATH_MAX];

    (void)state;
    folder_make(dir);
    base_write(dir, 1, names, sizeof(names) / sizeof(*names));
    head_write(dir, 1, NULL, 0);
    assert_int_equal(sinkhole_index_open(dir, &index), SINKHOLE_INDEX_OK);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct sinkhole_match match;
        uint8_t *wire = malloc(cases[i].len + 1); /* of its own, so that a sanitizer sees its end */

        assert_non_null(wire);
        memcpy(wire, cases[i].wire, cases[i].len);
        sinkhole_index_find(index, wire, cases[i].len, 0, &match);
        if ((match.rule == NULL ? 0 : match.rule->id) != cases[i].rule)
            fail_msg("%s", cases[i].why);
        free(wire);
    }
    sinkhole_index_close(index);
    folder_remove(dir);
}

static void test_the_builder_refuses(void **state)
{
    static const struct {
        const char *why, *key;
        uint32_t ids[3];
        size_t count;
        enum sinkhole_build_status expected;
    } cases[] = {
        {"in order", "com a", {1}, 1, SINKHOLE_BUILD_OK},
        {"the same again", "com a", {1}, 1, SINKHOLE_BUILD_ORDER},
        {"below the one before", "com 9", {1}, 1, SINKHOLE_BUILD_ORDER},
        {"the root", "", {1}, 1, SINKHOLE_BUILD_KEY},
        {"a top-level domain", "org", {1}, 1, SINKHOLE_BUILD_KEY},
        {"no key", "com.b", {1}, 1, SINKHOLE_BUILD_KEY},
        {"upper case", "com B", {1}, 1, SINKHOLE_BUILD_KEY},
        {"no ids", "com b", {1}, 0, SINKHOLE_BUILD_ENTRIES},
        {"id zero", "com b", {0}, 1, SINKHOLE_BUILD_ENTRIES},
        {"ids out of order", "com b", {2, 1}, 2, SINKHOLE_BUILD_ENTRIES},
        {"an id twice", "com b", {1, 1}, 2, SINKHOLE_BUILD_ENTRIES},
        {"more ids than a name may have", "com b", {1}, 65, SINKHOLE_BUILD_ENTRIES},
        {"a refusal changes nothing", "com b", {1, 2, UINT32_MAX}, 3, SINKHOLE_BUILD_OK},
        {"more names than promised", "com c", {1}, 1, SINKHOLE_BUILD_FULL},
    };
    struct sinkhole_base_builder *builder;

    (void)state;
    assert_int_equal(sinkhole_base_builder_new(2, &builder), SINKHOLE_BUILD_OK);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        uint32_t ids[65];
        enum sinkhole_build_status status;

        for (uint32_t n = 0; n < 65; n++)
            ids[n] = n < 3 && n < cases[i].count ? cases[i].ids[n] : n + 1;
        status = sinkhole_base_builder_add(builder, cases[i].key, strlen(cases[i].key), ids,
                                           cases[i].count);
        if (status != cases[i].expected)
            fail_msg("%s: %s", cases[i].why, sinkhole_build_status_text(status));
    }
    sinkhole_base_builder_free(builder);
    sinkhole_base_builder_free(NULL);
    sinkhole_index_close(NULL);
}

static void test_a_head_is_refused(void **state)
{
    static const struct sinkhole_rule disordered[] = {{.id = 2}, {.id = 1}},
                                      feedless = {.id = 1, .feed = 1},
                                      scopeless = {.id = 1, .scope = 3};
    static const uint32_t one[] = {1};
    static const struct sinkhole_delta_name tld = {"com", one, 3, 1};
    const struct sinkhole_policy good = policy_make("a", SINKHOLE_ACTION_DROP, 1),
                                 inherits = policy_make("a", SINKHOLE_ACTION_INHERIT, 1),
                                 ranked = policy_make("a", SINKHOLE_ACTION_DROP, 1001);
    const struct {
        const char *why;
        struct sinkhole_head head;
        enum sinkhole_build_status expected;
    } cases[] = {
        {"rules out of order",
         {.base_id = 1, .rules = disordered, .rule_count = 2, .policies = &good, .policy_count = 1},
         SINKHOLE_BUILD_RULES},
        {"a rule of no feed",
         {.base_id = 1, .rules = &feedless, .rule_count = 1, .policies = &good, .policy_count = 1},
         SINKHOLE_BUILD_RULES},
        {"a scope out of range",
         {.base_id = 1, .rules = &scopeless, .rule_count = 1, .policies = &good, .policy_count = 1},
         SINKHOLE_BUILD_RULES},
        {"a policy that inherits",
         {.base_id = 1, .policies = &inherits, .policy_count = 1},
         SINKHOLE_BUILD_RULES},
        {"a rank out of range",
         {.base_id = 1, .policies = &ranked, .policy_count = 1},
         SINKHOLE_BUILD_RULES},
        {"a top-level domain", {.base_id = 1, .delta = &tld, .delta_count = 1}, SINKHOLE_BUILD_KEY},
        {"no such base", {.base_id = 2}, SINKHOLE_BUILD_IO},
        {"empty, and right", {.base_id = 1}, SINKHOLE_BUILD_OK},
    };
    char dir[PATH_MAX], path[PATH_MAX];

    (void)state;
    folder_make(dir);
    base_write(dir, 1, names, 0);
    path_of(path, dir, "head");
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        enum sinkhole_build_status status = sinkhole_head_write(dir, &cases[i].head);

        if (status != cases[i].expected)
            fail_msg("%s: %s", cases[i].why, sinkhole_build_status_text(status));
        assert_int_equal(access(path, F_OK) == 0, status == SINKHOLE_BUILD_OK);
    }
    folder_remove(dir);
}

static void test_info(void **state)
{
    struct sinkhole_index *index;
    struct sinkhole_index_info info, again;
    uint8_t digest[SINKHOLE_DIGEST_LEN];
    char dir[PATH_MAX];

    (void)state;
    folder_make(dir);
    base_write(dir, 3, names, sizeof(names) / sizeof(*names));
    head_write(dir, 3, NULL, 0);
    assert_int_equal(sinkhole_index_open(dir, &index), SINKHOLE_INDEX_OK);
    sinkhole_index_info(index, &info);
    sinkhole_index_close(index);
    memset(digest, 0xd1, sizeof(digest));
    assert_int_equal(info.generation, 103);
    assert_int_equal(info.entries, 5);
    assert_memory_equal(info.digest, digest, sizeof(digest));
    assert_int_equal(info.base_id, 3);
    assert_int_equal(info.base_generation, 3);
    assert_int_equal(info.base_names, sizeof(names) / sizeof(*names));
    assert_int_equal(info.delta_names, 0);
    assert_int_equal(info.monitored, 1);
    assert_int_equal(info.rules, RULES);
    assert_int_equal(info.policies, FEEDS);
    assert_int_equal(info.bytes_hot, 64);
    head_write(dir, 3, NULL, 0);
    assert_int_equal(sinkhole_index_open(dir, &index), SINKHOLE_INDEX_OK);
    sinkhole_index_info(index, &again);
    sinkhole_index_close(index);
    assert_int_equal(again.policy_hash, info.policy_hash);
    folder_remove(dir);
}

static void test_bases_are_never_overwritten_and_swept(void **state)
{
    static const struct {
        const char *name;
        bool stays;
    } cases[] = {{"base-1", false},    {"base-2", true}, {"base-3", true}, {"base-1.tmp", false},
                 {"base-4.tmp", true}, {"base-x", true}, {"head", true}};
    struct sinkhole_build_state build_state = {.generation = 1};
    struct sinkhole_base_builder *builder;
    char dir[PATH_MAX], path[PATH_MAX];

    (void)state;
    folder_make(dir);
    for (uint64_t id = 1; id <= 3; id++)
        base_write(dir, id, names, 2);
    assert_int_equal(sinkhole_base_builder_new(1, &builder), SINKHOLE_BUILD_OK);
    assert_int_equal(sinkhole_base_builder_finish(builder, dir, 2, &build_state),
                     SINKHOLE_BUILD_IO);
    assert_int_equal(errno, EEXIST);
    sinkhole_base_builder_free(builder);
    file_write(dir, "base-1.tmp", "x", 1);
    file_write(dir, "base-4.tmp", "x", 1);
    file_write(dir, "base-x", "x", 1);
    sinkhole_index_sweep(dir, 2); /* no head yet: nothing goes */
    path_of(path, dir, "base-1");
    assert_int_equal(access(path, F_OK), 0);
    head_write(dir, 3, NULL, 0);
    sinkhole_index_sweep(dir, 2);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        path_of(path, dir, cases[i].name);
        if ((access(path, F_OK) == 0) != cases[i].stays)
            fail_msg("%s", cases[i].name);
    }
    folder_remove(dir);
}

/* Over 65,536 blocks a hint means several blocks. */
static void test_more_blocks_than_hints_can_number(void **state)
{
    const uint32_t count = 65536 * 16 + 40000;
    struct sinkhole_build_state build_state = {.generation = 1, .entries = count};
    struct sinkhole_base_builder *builder;
    struct sinkhole_index *index;
    struct sinkhole_match match;
    struct sinkhole_name name;
    char dir[PATH_MAX], key[32];

    (void)state;
    folder_make(dir);
    assert_int_equal(sinkhole_base_builder_new(count, &builder), SINKHOLE_BUILD_OK);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t rule = i % 7 == 0 ? 4 : 1;
        size_t len = (size_t)sprintf(key, "com n%07u", i);

        if (sinkhole_base_builder_add(builder, key, len, &rule, 1) != SINKHOLE_BUILD_OK)
            fail_msg("%s", key);
    }
    assert_int_equal(sinkhole_base_builder_finish(builder, dir, 1, &build_state),
                     SINKHOLE_BUILD_OK);
    sinkhole_base_builder_free(builder);
    head_write(dir, 1, NULL, 0);
    assert_int_equal(sinkhole_index_open(dir, &index), SINKHOLE_INDEX_OK);
    for (uint32_t i = 0; i < count + 50000; i += i < 100 || i + 100 > count ? 1 : 101) {
        size_t len = (size_t)sprintf(key, "com n%07u a", i);

        sinkhole_name_from_key(key, len, &name);
        if (sinkhole_index_find(index, name.wire, name.wire_len, 0, &match) != (i < count))
            fail_msg("%s", key);
        if (i < count)
            assert_int_equal(match.rule->id, i % 7 == 0 ? 4 : 1);
    }
    sinkhole_index_close(index);
    folder_remove(dir);
}

struct reading {
    const char *dir;
    atomic_bool stop;
    unsigned opened, failed;
};

static void *read_on(void *arg)
{
    struct reading *reading = arg;

    while (!atomic_load(&reading->stop) || reading->opened == 0) {
        struct sinkhole_index *index;
        struct sinkhole_match match;

        if (sinkhole_index_open(reading->dir, &index) != SINKHOLE_INDEX_OK) {
            reading->failed++;
            continue;
        }
        reading->failed +=
            !sinkhole_index_find(index, (const uint8_t *)"\4tree\3com", 10, 0, &match);
        reading->opened++;
        sinkhole_index_close(index);
    }
    return NULL;
}

static void test_publishing_under_a_reader(void **state)
{
    struct reading reading = {0};
    pthread_t thread;
    char dir[PATH_MAX];

    (void)state;
    folder_make(dir);
    base_write(dir, 1, names, sizeof(names) / sizeof(*names));
    head_write(dir, 1, NULL, 0);
    reading.dir = dir;
    assert_int_equal(pthread_create(&thread, NULL, read_on, &reading), 0);
    for (uint64_t id = 2; id < 60; id++) {
        base_write(dir, id, names, sizeof(names) / sizeof(*names));
        head_write(dir, id, NULL, 0);
        sinkhole_index_sweep(dir, id - 1);
    }
    atomic_store(&reading.stop, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(reading.failed, 0);
    assert_int_not_equal(reading.opened, 0);
    folder_remove(dir);
}

static void test_the_folder_is_read_at_each_call(void **state)
{
    (void)state;
    setenv("SINKHOLE_DIR", "/one", 1);
    assert_string_equal(sinkhole_dir(), "/one");
    setenv("SINKHOLE_DIR", "/two", 1);
    assert_string_equal(sinkhole_dir(), "/two");
    setenv("SINKHOLE_DIR", "", 1);
    assert_string_equal(sinkhole_dir(), SINKHOLE_DEFAULT_DIR);
    unsetenv("SINKHOLE_DIR");
    assert_string_equal(sinkhole_dir(), SINKHOLE_DEFAULT_DIR);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_decides),
        cmocka_unit_test(test_labels_that_no_list_can_carry),
        cmocka_unit_test(test_the_builder_refuses),
        cmocka_unit_test(test_a_head_is_refused),
        cmocka_unit_test(test_info),
        cmocka_unit_test(test_bases_are_never_overwritten_and_swept),
        cmocka_unit_test(test_more_blocks_than_hints_can_number),
        cmocka_unit_test(test_publishing_under_a_reader),
        cmocka_unit_test(test_the_folder_is_read_at_each_call),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
