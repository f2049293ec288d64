/* SPDX-License-Identifier: BSD-3-Clause */
/* Public suffixes from the list that is shipped. Threads and memory: a test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "sinkhole/text.h"

static const struct {
    const char *why;
    const char *name;
    enum sinkhole_suffix_kind kind;
    const char *domain; /* NULL: none */
} cases[] = {
    {"the root", ".", SINKHOLE_SUFFIX_TLD, NULL},
    {"top level", "vn", SINKHOLE_SUFFIX_TLD, NULL},
    {"unknown top level", "zzzz", SINKHOLE_SUFFIX_TLD, NULL},
    {"registry suffix", "com.vn", SINKHOLE_SUFFIX_ICANN, NULL},
    {"a province, which the list of 2023 does not know", "hanoi.vn", SINKHOLE_SUFFIX_ICANN, NULL},
    {"ordinary", "evil.com.vn", SINKHOLE_SUFFIX_NONE, "evil.com.vn"},
    {"below", "a.b.evil.com.vn", SINKHOLE_SUFFIX_NONE, "evil.com.vn"},
    {"hosting suffix", "blogspot.com", SINKHOLE_SUFFIX_PRIVATE, NULL},
    {"below a hosting suffix", "x.evil.blogspot.com", SINKHOLE_SUFFIX_NONE, "evil.blogspot.com"},
    {"under an unknown top level", "a.evil.zzzz", SINKHOLE_SUFFIX_NONE, "evil.zzzz"},
    {"wildcard rule", "foo.ck", SINKHOLE_SUFFIX_ICANN, NULL},
    {"exception to it", "www.ck", SINKHOLE_SUFFIX_NONE, "www.ck"},
    {"IDN", "a.thủđô.vn", SINKHOLE_SUFFIX_NONE, "xn--th-9ja9i637n.vn"},
};

static void test_kinds(void **state)
{
    struct sinkhole_suffixes *list = sinkhole_suffixes_open(DATA_DIR "/public_suffix_list.dat");
    char text[SINKHOLE_NAME_TEXT_MAX];

    (void)state;
    assert_non_null(list);
    assert_string_equal(sinkhole_suffixes_version(list), "2026-08-19");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sinkhole_name name, domain;
        bool found;

        assert_int_equal(sinkhole_text_name(cases[i].name, strlen(cases[i].name), &name),
                         SINKHOLE_NAME_OK);
        if (sinkhole_suffix_kind(list, &name) != cases[i].kind)
            fail_msg("%s: kind %d, expected %d", cases[i].why, sinkhole_suffix_kind(list, &name),
                     cases[i].kind);
        found = sinkhole_registrable(list, &name, &domain);
        if (found != (cases[i].domain != NULL))
            fail_msg("%s: domain %s", cases[i].why, found ? "found" : "not found");
        if (!found)
            continue;
        sinkhole_name_to_text(&domain, text, sizeof text);
        assert_string_equal(text, cases[i].domain);
    }
    sinkhole_suffixes_close(list);
}

static void test_odd_labels(void **state)
{
    struct sinkhole_suffixes *list = sinkhole_suffixes_open(DATA_DIR "/public_suffix_list.dat");
    struct sinkhole_name name, domain;

    (void)state;
    assert_non_null(list);
    /* an octet that is a dot, inside a label */
    assert_int_equal(sinkhole_name_from_wire((const uint8_t *)"\x03"
                                                              "a.b"
                                                              "\x03"
                                                              "com",
                                             9, &name),
                     SINKHOLE_NAME_OK);
    assert_true(sinkhole_registrable(list, &name, &domain));
    assert_memory_equal(domain.wire, name.wire, name.wire_len);
    /* "co.uk" as one label under nothing we know: no domain */
    assert_int_equal(sinkhole_name_from_wire((const uint8_t *)"\x01"
                                                              "x"
                                                              "\x05"
                                                              "co.uk",
                                             9, &name),
                     SINKHOLE_NAME_OK);
    assert_false(sinkhole_registrable(list, &name, &domain));
    sinkhole_suffixes_close(list);
}

static void test_what_is_no_list(void **state)
{
    struct sinkhole_suffixes *list;

    (void)state;
    assert_null(sinkhole_suffixes_open("/nonexistent/list.dat"));
    assert_null(sinkhole_suffixes_open("/etc/passwd"));
    assert_null(sinkhole_suffixes_open("/"));
    list = sinkhole_suffixes_open(NULL);
    assert_non_null(list);
    assert_true(strlen(sinkhole_suffixes_version(list)) >= 10);
    sinkhole_suffixes_close(list);
    sinkhole_suffixes_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_odd_labels),
        cmocka_unit_test(test_what_is_no_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
