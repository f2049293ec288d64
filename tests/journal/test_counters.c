/* SPDX-License-Identifier: BSD-3-Clause */
/* Counters outlive their process and its crash. */
#include "sample.h"

#include <errno.h>
#include <fcntl.h>

#include "sinkhole/counters.h"

static void counts_survive(void **state)
{
    (void)state;
    char dir[64];
    struct sinkhole_counters *writer, *reader;

    sample_dir_make(dir);
    assert_null(sinkhole_counters_open_read(dir));
    assert_int_equal(errno, ENOENT);
    writer = sinkhole_counters_open(dir);
    assert_non_null(writer);
    reader = sinkhole_counters_open_read(dir);
    assert_non_null(reader);
    sinkhole_count(sinkhole_counters_row(writer, 0), SINKHOLE_COUNT_SINKHOLED, 3);
    sinkhole_count(sinkhole_counters_row(writer, 63), SINKHOLE_COUNT_SINKHOLED, 4);
    sinkhole_count(sinkhole_counters_row(writer, 64), SINKHOLE_COUNT_SINKHOLED, 1);
    assert_int_equal(sinkhole_counters_get(reader, SINKHOLE_COUNT_SINKHOLED), 8);
    /* A gauge is the module's own row. */
    atomic_store(&sinkhole_counters_row(writer, 0)[SINKHOLE_COUNT_GENERATION], 5);
    atomic_store(&sinkhole_counters_row(writer, 64)[SINKHOLE_COUNT_GENERATION], 9);
    assert_int_equal(sinkhole_counters_get(reader, SINKHOLE_COUNT_GENERATION), 9);
    sinkhole_counters_close(writer);
    writer = sinkhole_counters_open(dir);
    assert_int_equal(sinkhole_counters_get(writer, SINKHOLE_COUNT_SINKHOLED), 8);
    assert_string_equal(sinkhole_counter_name(SINKHOLE_COUNT_LOST), "lost");
    sinkhole_counters_close(writer);
    sinkhole_counters_close(reader);
    sample_dir_remove(dir);
}

static void a_strange_file_is_put_aside(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        size_t len;
    } cases[] = {{"empty", 0}, {"short", 100}, {"right size, wrong content", 64 + 65 * 64 * 8}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char dir[64], path[128];
        static uint8_t rubbish[64 + 65 * 64 * 8];
        struct sinkhole_counters *counters;

        sample_dir_make(dir);
        snprintf(path, sizeof(path), "%s/counters", dir);

        const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

        assert_int_equal(write(fd, rubbish, cases[i].len), cases[i].len);
        close(fd);
        assert_null(sinkhole_counters_open_read(dir));
        assert_int_equal(errno, EBADMSG);
        counters = sinkhole_counters_open(dir);
        if (counters == NULL)
            fail_msg("%s: not replaced", cases[i].why);
        assert_int_equal(sinkhole_counters_get(counters, SINKHOLE_COUNT_STARTS), 0);
        sinkhole_counters_close(counters);
        snprintf(path, sizeof(path), "%s/counters.old", dir);
        assert_int_equal(access(path, F_OK), 0);
        sample_dir_remove(dir);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_survive),
        cmocka_unit_test(a_strange_file_is_put_aside),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
