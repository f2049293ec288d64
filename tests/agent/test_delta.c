/* SPDX-License-Identifier: BSD-3-Clause */
/* The delta against a plain table, over a random history. Threads: one. Memory: freed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/delta.h"

#define NAMES 500

struct row {
    uint64_t generation; /* 0: not in it */
    uint32_t id;         /* 0: an empty list */
};

static size_t key_of(unsigned n, char key[32])
{
    /* Lengths differ, so that one key is another's beginning. */
    return (size_t)snprintf(key, 32, n % 2 == 0 ? "com k%03u" : "com k%03u sub", n / 2);
}

static void assert_same(const struct agent_delta *delta, const struct row *rows)
{
    size_t count = 0;
    char key[32];

    for (unsigned n = 0; n < NAMES; n++) {
        const struct agent_delta_name *name = agent_delta_find(delta, key, key_of(n, key));

        if (rows[n].generation == 0) {
            assert_null(name);
            continue;
        }
        assert_non_null(name);
        assert_int_equal(name->generation, rows[n].generation);
        assert_int_equal(name->count, rows[n].id == 0 ? 0 : 1);
        if (rows[n].id != 0)
            assert_int_equal(name->ids[0], rows[n].id);
        assert_ptr_equal(agent_delta_at(delta, count), name); /* in order */
        count++;
    }
    assert_int_equal(agent_delta_count(delta), count);
}

static void test_random_history(void **state)
{
    struct agent_delta *delta = agent_delta_new();
    struct row rows[NAMES] = {{0, 0}};
    unsigned seed = 7;

    (void)state;
    for (uint64_t generation = 1; generation <= 300; generation++) {
        unsigned chance = 1 + (unsigned)rand_r(&seed) % 200;
        char key[32];

        for (unsigned n = 0; n < NAMES; n++) {
            uint32_t id = (uint32_t)rand_r(&seed) % 5;

            if ((unsigned)rand_r(&seed) % chance != 0)
                continue;
            rows[n] = (struct row){generation, id};
            assert_true(
                agent_delta_put(delta, generation, key, key_of(n, key), &id, id == 0 ? 0 : 1));
        }
        assert_true(agent_delta_merge(delta));
        if (generation % 20 == 0) {
            agent_delta_prune(delta, generation - 5);
            for (unsigned n = 0; n < NAMES; n++) {
                if (rows[n].generation <= generation - 5)
                    rows[n].generation = 0;
            }
        }
        assert_same(delta, rows);
    }
    agent_delta_free(delta);
}

static void test_out_of_order_is_refused(void **state)
{
    struct agent_delta *delta = agent_delta_new();
    uint32_t id = 1;

    (void)state;
    assert_true(agent_delta_put(delta, 1, "com b", 5, &id, 1));
    assert_false(agent_delta_put(delta, 1, "com a", 5, &id, 1));
    assert_false(agent_delta_put(delta, 1, "com b", 5, &id, 1));
    assert_true(agent_delta_put(delta, 1, "com b c", 7, &id, 1));
    agent_delta_free(delta);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_history),
        cmocka_unit_test(test_out_of_order_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
