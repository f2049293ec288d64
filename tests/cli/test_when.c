/* SPDX-License-Identifier: BSD-3-Clause */
/* Times and numbers as people write and read them. Threads and memory: a test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "cli/cli.h"

#define NOW 1795500000000LL /* 2026-11-24T06:00:00Z */

static const struct {
    const char *text;
    int64_t ms; /* -1: refused */
} cases[] = {
    {"10m", NOW - 600000},
    {"2h", NOW - 7200000},
    {"3d", NOW - 3 * 86400000LL},
    {"1w", NOW - 7 * 86400000LL},
    {"0s", NOW},
    {"2026-11-24T06:00:00Z", NOW},
    {"2026-11-24T06:00:00.123Z", NOW},
    {"2026-11-24T13:00:00+07:00", NOW},
    {"2026-11-24T13:00:00+0700", NOW},
    {"2026-11-24 13:00+07", NOW},
    {"2026-11-24T06:00Z", NOW},
    {"2026-11-24T13:00:00", NOW}, /* no zone: this machine's, +07 here */
    {"2026-11-24", NOW - 13 * 3600000LL},
    {"", -1},
    {"10", -1},
    {"m", -1},
    {"10x", -1},
    {"10mm", -1},
    {"-5m", -1},
    {"2026-13-01", -1},
    {"2027-02-31", -1},
    {"2027-02-31T00:00Z", -1},
    {"2026-11-24T25:00", -1},
    {"2026-11-24T06:00:00+7", -1},
    {"2026-11-24T06:00:00+99:00", -1},
    {"yesterday", -1},
    {"9999999d", -1},
};

static void test_when(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t ms = -1;
        bool good = cli_when(cases[i].text, NOW, &ms);

        if (good != (cases[i].ms >= 0) || ms != cases[i].ms)
            fail_msg("\"%s\": %lld, expected %lld", cases[i].text, (long long)ms,
                     (long long)cases[i].ms);
    }
}

static void test_shown(void **state)
{
    char buf[CLI_TIME_MAX], count[CLI_COUNT_MAX];

    (void)state;
    assert_string_equal(cli_time(NOW, buf), "2026-11-24 13:00:00 +07");
    assert_string_equal(cli_time(0, buf), "-");
    assert_string_equal(cli_time_utc(NOW + 5, buf), "2026-11-24T06:00:00.005Z");
    assert_string_equal(cli_age(119999, buf), "119 s");
    assert_string_equal(cli_age(120000, buf), "2 min");
    assert_string_equal(cli_age(7200000, buf), "2 h");
    assert_string_equal(cli_age(-1, buf), "0 s");
    assert_string_equal(cli_count(0, count), "0");
    assert_string_equal(cli_count(999, count), "999");
    assert_string_equal(cli_count(4248533, count), "4,248,533");
    assert_string_equal(cli_count(UINT64_MAX, count), "18,446,744,073,709,551,615");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_when), cmocka_unit_test(test_shown)};

    setenv("TZ", "<+07>-7", 1);
    tzset();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
