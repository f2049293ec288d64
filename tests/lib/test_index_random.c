/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Random lists and queries against a reference that looks at every entry and sorts nothing.
 * Threads: one. Memory: a few hundred names.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/lib/index_help.h"

#define FEEDS 4
#define RULES 40
#define KEYS_MAX 300
#define ROUNDS 60
#define QUERIES 400
#define NOW 1000

struct list {
    struct list_name {
        char key[64];
        uint32_t ids[5];
        size_t count;
    } names[KEYS_MAX];
    size_t count;
};

struct world {
    struct sinkhole_policy policies[FEEDS];
    struct sinkhole_rule rules[RULES];
    struct list base, delta;
};

static uint64_t random_state;

static uint32_t random_below(uint32_t most)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 33) % most;
}

/* Few letters and few levels, so that names meet; now and then a label that is longer. */
static void random_key(char key[64])
{
    static const char *const labels[] = {"a",   "b",   "c", "ab",
                                         "a-b", "a_b", "0", "abcdefghijklmnop"};
    size_t len = (size_t)sprintf(key, "%s", labels[random_below(2)]);

    for (uint32_t levels = 1 + random_below(3); levels > 0; levels--)
        len += (size_t)sprintf(key + len, " %s", labels[random_below(8)]);
}

static void random_rules(struct world *world)
{
    memset(world->policies, 0, sizeof(world->policies));
    memset(world->rules, 0, sizeof(world->rules));
    for (unsigned i = 0; i < FEEDS; i++) {
        char feed[8];

        sprintf(feed, "f%u", i);
        world->policies[i] =
            policy_make(feed, (uint8_t)(1 + random_below(6)), (uint16_t)random_below(3));
        if (random_below(6) == 0)
            world->policies[i].action = SINKHOLE_ACTION_ALLOW;
    }
    for (uint32_t i = 0, id = 0; i < RULES; i++) {
        id += 1 + random_below(random_below(4) == 0 ? 100000 : 2);
        world->rules[i].id = id;
        world->rules[i].feed = (uint16_t)random_below(FEEDS);
        world->rules[i].scope = (uint8_t)random_below(3);
        world->rules[i].action = (uint8_t)(random_below(2) ? 0 : random_below(7));
        if (random_below(25) == 0)
            world->rules[i].action = SINKHOLE_ACTION_ALLOW;
        world->rules[i].valid_until = (int64_t[]){0, 0, NOW, NOW + 1, NOW - 1}[random_below(5)];
    }
}

static int name_compare(const void *a, const void *b)
{
    return strcmp(((const struct list_name *)a)->key, ((const struct list_name *)b)->key);
}

static void random_list(struct world *world, struct list *list, uint32_t most, size_t ids_least)
{
    size_t kept = 0;

    list->count = random_below(most);
    for (size_t i = 0; i < list->count; i++) {
        struct list_name *name = &list->names[i];

        random_key(name->key);
        name->count = 0;
        for (uint32_t rule = random_below(RULES / 2);
             rule < RULES && name->count < ids_least + random_below(4);
             rule += 1 + random_below(RULES / 4))
            name->ids[name->count++] = world->rules[rule].id;
    }
    qsort(list->names, list->count, sizeof(*list->names), name_compare);
    for (size_t i = 0; i < list->count; i++)
        if (list->names[i].count >= ids_least &&
            (kept == 0 || strcmp(list->names[kept - 1].key, list->names[i].key) != 0))
            list->names[kept++] = list->names[i];
    list->count = kept;
}

static void world_write(const struct world *world, const char *dir, uint64_t id)
{
    struct sinkhole_delta_name delta[KEYS_MAX];
    struct sinkhole_head head = {.base_id = id,
                                 .rules = world->rules,
                                 .rule_count = RULES,
                                 .policies = world->policies,
                                 .policy_count = FEEDS,
                                 .delta = delta,
                                 .delta_count = world->delta.count};
    struct sinkhole_base_builder *builder;

    assert_int_equal(sinkhole_base_builder_new(KEYS_MAX, &builder), SINKHOLE_BUILD_OK);
    for (size_t i = 0; i < world->base.count; i++) {
        const struct list_name *name = &world->base.names[i];

        assert_int_equal(sinkhole_base_builder_add(builder, name->key, strlen(name->key), name->ids,
                                                   name->count),
                         SINKHOLE_BUILD_OK);
    }
    head.state.generation = id;
    assert_int_equal(sinkhole_base_builder_finish(builder, dir, id, &head.state),
                     SINKHOLE_BUILD_OK);
    sinkhole_base_builder_free(builder);
    for (size_t i = 0; i < world->delta.count; i++) {
        const struct list_name *name = &world->delta.names[i];

        delta[i] = (struct sinkhole_delta_name){name->key, name->ids, (uint16_t)strlen(name->key),
                                                (uint16_t)name->count};
    }
    assert_int_equal(sinkhole_head_write(dir, &head), SINKHOLE_BUILD_OK);
}

static const struct list_name *list_find(const struct list *list, const char *key)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->names[i].key, key) == 0)
            return &list->names[i];
    return NULL;
}

static const struct list_name *world_find(const struct world *world, const char *key)
{
    const struct list_name *name = list_find(&world->delta, key);

    return name != NULL ? name : list_find(&world->base, key);
}

static const struct sinkhole_rule *world_rule(const struct world *world, uint32_t id)
{
    for (size_t i = 0; i < RULES; i++)
        if (world->rules[i].id == id)
            return &world->rules[i];
    return NULL;
}

struct candidate {
    uint64_t key[5]; /* compared from the left, smaller wins */
    const struct sinkhole_rule *rule;
    uint8_t action, off;
};

static void reference(const struct world *world, const struct sinkhole_name *asked,
                      struct candidate *best)
{
    best->rule = NULL;
    for (uint8_t off = 0; asked->wire[off] != 0; off = (uint8_t)(off + 1 + asked->wire[off])) {
        struct sinkhole_key key;
        const struct list_name *name = NULL;

        if (sinkhole_key_from_wire(asked->wire, asked->wire_len, off, &key))
            name = world_find(world, key.text);
        for (size_t i = 0; name != NULL && i < name->count; i++) {
            const struct sinkhole_rule *rule = world_rule(world, name->ids[i]);
            const struct sinkhole_policy *policy = &world->policies[rule->feed];
            uint8_t action = rule->action != 0 ? rule->action : policy->action;
            struct candidate now = {{action != SINKHOLE_ACTION_ALLOW, off, 1000u - policy->rank,
                                     10u - action, rule->id},
                                    rule,
                                    action,
                                    off};
            size_t at = 0;

            if ((rule->valid_until != 0 && rule->valid_until <= NOW) ||
                (rule->scope == SINKHOLE_SCOPE_EXACT && off != 0) ||
                (rule->scope == SINKHOLE_SCOPE_BELOW && off == 0))
                continue;
            while (best->rule != NULL && at < 4 && now.key[at] == best->key[at])
                at++;
            if (best->rule == NULL || now.key[at] < best->key[at])
                *best = now;
        }
    }
}

/* A listed key, one below, or a random name; sometimes with a label that no list can carry. */
static void random_question(const struct world *world, struct sinkhole_name *ret_name)
{
    char text[160];
    struct sinkhole_name name;

    random_key(text);
    if (world->base.count > 0 && random_below(2))
        strcpy(text, world->base.names[random_below((uint32_t)world->base.count)].key);
    else if (world->delta.count > 0 && random_below(2))
        strcpy(text, world->delta.names[random_below((uint32_t)world->delta.count)].key);
    for (uint32_t more = random_below(3); more > 0; more--)
        strcat(text, random_below(2) ? " a" : " zz");
    assert_int_equal(sinkhole_name_from_key(text, strlen(text), &name), SINKHOLE_NAME_OK);
    if (random_below(8) == 0)
        name.wire[1] = (uint8_t) " .*\xff\0A"[random_below(6)];
    *ret_name = name;
}

static void world_ask(const struct world *world, const struct sinkhole_index *index)
{
    for (int i = 0; i < QUERIES; i++) {
        struct sinkhole_name asked;
        struct sinkhole_match match;
        struct candidate expected;
        bool blocked;

        random_question(world, &asked);
        reference(world, &asked, &expected);
        blocked = sinkhole_index_find(index, asked.wire, asked.wire_len, NOW, &match);
        assert_int_equal(blocked,
                         expected.rule != NULL && expected.action != SINKHOLE_ACTION_ALLOW);
        if (expected.rule == NULL) {
            assert_null(match.rule);
            continue;
        }
        assert_non_null(match.rule);
        assert_int_equal(match.rule->id, expected.rule->id);
        assert_memory_equal(match.policy, &world->policies[expected.rule->feed],
                            sizeof(*match.policy));
        assert_int_equal(match.action, expected.action);
        assert_int_equal(match.name_off, expected.off);
        assert_int_equal(match.apex, expected.off == 0);
    }
}

struct walked {
    const struct world *world;
    size_t count;
    char before[64];
    bool delta;
};

static bool walk_visit(void *arg, const char *key, size_t key_len, const uint32_t *ids,
                       size_t count)
{
    struct walked *walked = arg;
    const struct list_name *name;
    char text[64];

    assert_in_range(key_len, 3, 63);
    memcpy(text, key, key_len);
    text[key_len] = '\0';
    assert_true(strcmp(walked->before, text) < 0);
    strcpy(walked->before, text);
    name = walked->delta ? list_find(&walked->world->delta, text) : world_find(walked->world, text);
    assert_non_null(name);
    assert_int_equal(count, name->count);
    assert_memory_equal(ids, name->ids, count * sizeof(*ids));
    walked->count++;
    return true;
}

static void world_walk(const struct world *world, const struct sinkhole_index *index)
{
    struct walked whole = {.world = world}, delta = {.world = world, .delta = true};
    size_t expected = 0;

    for (size_t i = 0; i < world->delta.count; i++)
        expected += world->delta.names[i].count > 0;
    for (size_t i = 0; i < world->base.count; i++) {
        uint32_t ids[SINKHOLE_INDEX_ENTRIES_MAX];
        const char *key = world->base.names[i].key;
        const struct list_name *name = world_find(world, key);

        expected += list_find(&world->delta, key) == NULL;
        assert_int_equal(sinkhole_index_entries(index, key, strlen(key), ids), name->count);
        assert_memory_equal(ids, name->ids, name->count * sizeof(*ids));
    }
    assert_true(sinkhole_index_walk(index, SINKHOLE_INDEX_WHOLE, walk_visit, &whole));
    assert_int_equal(whole.count, expected);
    assert_true(sinkhole_index_walk(index, SINKHOLE_INDEX_DELTA, walk_visit, &delta));
    assert_int_equal(delta.count, world->delta.count);
}

static void test_random_lists_against_the_reference(void **state)
{
    static struct world world;
    char dir[PATH_MAX];

    (void)state;
    folder_make(dir);
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        struct sinkhole_index *index;

        random_state = round * 0x9e3779b97f4a7c15u;
        random_rules(&world);
        random_list(&world, &world.base, round % 3 == 0 ? 3 : KEYS_MAX, 1);
        random_list(&world, &world.delta, round % 4 == 0 ? 1 : KEYS_MAX / 4, 0);
        world_write(&world, dir, round);
        assert_int_equal(sinkhole_index_open(dir, &index), SINKHOLE_INDEX_OK);
        world_ask(&world, index);
        world_walk(&world, index);
        sinkhole_index_close(index);
        sinkhole_index_sweep(dir, 0);
    }
    folder_remove(dir);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_lists_against_the_reference),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
