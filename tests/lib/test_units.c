/* SPDX-License-Identifier: BSD-3-Clause */
/* Addresses and units: what is read, and who owns what. Threads: one. Memory: small tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "sinkhole/units.h"

static void test_addresses(void **state)
{
    static const struct {
        const char *text, *expected; /* NULL: refused */
    } cases[] = {
        {"10.1.2.3", "10.1.2.3"},
        {"2001:DB8::1", "2001:db8::1"},
        {"::ffff:10.1.2.3", "10.1.2.3"},
        {"::", "::"},
        {"10.1.2", NULL},
        {"10.1.2.256", NULL},
        {"10.1.2.3/32", NULL},
        {"", NULL},
        {"fe80::1%eth0", NULL},
        {"0000:0000:0000:0000:0000:0000:0000:0000:0000:0000", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct sinkhole_address address;
        char text[SINKHOLE_ADDRESS_TEXT_MAX];
        bool ok = sinkhole_address_from_text(cases[i].text, strlen(cases[i].text), &address);

        if (ok != (cases[i].expected != NULL))
            fail_msg("%s", cases[i].text);
        if (!ok)
            continue;
        sinkhole_address_to_text(&address, text, sizeof(text));
        assert_string_equal(text, cases[i].expected);
    }
}

static void test_prefixes(void **state)
{
    static const struct {
        const char *why, *text, *expected; /* NULL: refused */
    } cases[] = {
        {"v4", "10.1.0.0/16", "10.1.0.0/16"},
        {"everything", "0.0.0.0/0", "0.0.0.0/0"},
        {"bare v4", "10.1.2.3", "10.1.2.3/32"},
        {"bare v6", "2001:db8::1", "2001:db8::1/128"},
        {"v6", "2001:db8::/32", "2001:db8::/32"},
        {"bits within an octet", "10.1.2.128/25", "10.1.2.128/25"},
        {"mapped", "::ffff:10.1.0.0/112", "10.1.0.0/16"},
        {"host bits", "10.1.2.3/24", NULL},
        {"host bits within an octet", "10.1.2.64/25", NULL},
        {"host bits v6", "2001:db8::1/64", NULL},
        {"mapped, cut above", "::ffff:0.0.0.0/90", NULL},
        {"too long", "10.0.0.0/33", NULL},
        {"no length", "10.0.0.0/", NULL},
        {"sign", "10.0.0.0/+8", NULL},
        {"leading zero", "10.0.0.0/08", NULL},
        {"nothing", "/8", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct sinkhole_prefix prefix;
        char text[64];
        bool ok = sinkhole_prefix_from_text(cases[i].text, strlen(cases[i].text), &prefix);

        if (ok != (cases[i].expected != NULL))
            fail_msg("%s", cases[i].why);
        if (!ok)
            continue;
        sinkhole_prefix_to_text(&prefix, text, sizeof(text));
        assert_string_equal(text, cases[i].expected);
    }
}

static bool add(struct sinkhole_units *units, const char *text, uint32_t value)
{
    struct sinkhole_prefix prefix;

    assert_true(sinkhole_prefix_from_text(text, strlen(text), &prefix));
    return sinkhole_units_add(units, &prefix, value);
}

static void test_longest_match_wins(void **state)
{
    static const struct {
        const char *address;
        uint32_t value; /* 0: nobody's */
        const char *prefix;
    } cases[] = {
        {"10.1.2.3", 3, "10.1.2.0/24"},
        {"10.1.3.3", 2, "10.1.0.0/16"},
        {"10.2.0.1", 1, "10.0.0.0/8"},
        {"10.1.2.77", 4, "10.1.2.77/32"},
        {"11.0.0.1", 0, NULL},
        {"2001:db8:1::5", 6, "2001:db8:1::/48"},
        {"2001:db8:2::5", 5, "2001:db8::/32"},
        {"2001:db9::", 0, NULL},
        {"::ffff:10.1.2.9", 3, "10.1.2.0/24"},
    };
    struct sinkhole_units *units = sinkhole_units_new();

    (void)state;
    assert_non_null(units);
    assert_true(add(units, "10.0.0.0/8", 1));
    assert_true(add(units, "10.1.0.0/16", 2));
    assert_true(add(units, "10.1.2.0/24", 3));
    assert_true(add(units, "10.1.2.77/32", 4));
    assert_true(add(units, "2001:db8::/32", 5));
    assert_true(add(units, "2001:db8:1::/48", 6));
    assert_true(add(units, "10.1.0.0/16", 2));
    assert_false(add(units, "10.1.0.0/16", 7));
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct sinkhole_address address;
        struct sinkhole_prefix prefix;
        char text[64];
        uint32_t value = 0;

        sinkhole_address_from_text(cases[i].address, strlen(cases[i].address), &address);
        if (sinkhole_units_find(units, &address, &value, &prefix) != (cases[i].value != 0))
            fail_msg("%s", cases[i].address);
        assert_int_equal(value, cases[i].value);
        if (value == 0)
            continue;
        sinkhole_prefix_to_text(&prefix, text, sizeof(text));
        assert_string_equal(text, cases[i].prefix);
    }
    sinkhole_units_free(units);
}

static void test_many_prefixes(void **state)
{
    struct sinkhole_units *units = sinkhole_units_new();
    struct sinkhole_prefix prefix = {.address = {.family = 4}, .bits = 24}, found;
    uint32_t value;

    (void)state;
    for (uint32_t i = 0; i < 20000; i++) {
        prefix.address.octets[0] = (uint8_t)(i >> 8);
        prefix.address.octets[1] = (uint8_t)i;
        assert_true(sinkhole_units_add(units, &prefix, i));
    }
    for (uint32_t i = 0; i < 20000; i++) {
        struct sinkhole_address address = {.family = 4,
                                           .octets = {(uint8_t)(i >> 8), (uint8_t)i, 0, 9}};

        assert_true(sinkhole_units_find(units, &address, &value, &found));
        assert_int_equal(value, i);
    }
    prefix.address.octets[3] = 1; /* host bits */
    assert_false(sinkhole_units_add(units, &prefix, 1));
    prefix.address.family = 0;
    assert_false(sinkhole_units_add(units, &prefix, 1));
    sinkhole_units_free(units);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_longest_match_wins),
        cmocka_unit_test(test_many_prefixes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
