/* SPDX-License-Identifier: BSD-3-Clause */
/* Names as people write them. Threads and memory: a test. */
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
    const char *input;
    enum sinkhole_name_status status;
    const char *ascii;
} cases[] = {
    {"plain", "Evil.Example", SINKHOLE_NAME_OK, "evil.example"},
    {"trailing dot", "evil.example.", SINKHOLE_NAME_OK, "evil.example"},
    {"underscore and inner hyphens stay", "_x.r3---sn-a.example", SINKHOLE_NAME_OK,
     "_x.r3---sn-a.example"},
    {"U-label", "thủđô.vn", SINKHOLE_NAME_OK, "xn--th-9ja9i637n.vn"},
    {"upper case U-label", "THỦĐÔ.VN", SINKHOLE_NAME_OK, "xn--th-9ja9i637n.vn"},
    {"decomposed U-label, as a PDF gives it", "thu\xcc\x89\xc4\x91o\xcc\x82.vn", SINKHOLE_NAME_OK,
     "xn--th-9ja9i637n.vn"},
    {"A-label", "xn--th-9ja9i637n.vn", SINKHOLE_NAME_OK, "xn--th-9ja9i637n.vn"},
    {"upper case A-label", "XN--TH-9JA9I637N.VN", SINKHOLE_NAME_OK, "xn--th-9ja9i637n.vn"},
    {"ideographic full stop",
     "evil\xe3\x80\x82"
     "example",
     SINKHOLE_NAME_OK, "evil.example"},
    {"full-width stop and letters",
     "\xef\xbd\x85vil\xef\xbc\x8e"
     "example",
     SINKHOLE_NAME_OK, "evil.example"},
    {"half-width stop",
     "evil\xef\xbd\xa1"
     "example",
     SINKHOLE_NAME_OK, "evil.example"},
    {"sharp s stays itself", "fa\xc3\x9f.de", SINKHOLE_NAME_OK, "xn--fa-hia.de"},
    {"A-label that decodes to nothing valid", "xn--a.vn", SINKHOLE_NAME_CHARACTER, NULL},
    {"A-label that is no punycode", "xn--zzzzzzz99999.vn", SINKHOLE_NAME_CHARACTER, NULL},
    {"blank in a U-label", "th\xe1\xbb\xa7 do.vn", SINKHOLE_NAME_CHARACTER, NULL},
    {"slash in a U-label", "th\xe1\xbb\xa7/do.vn", SINKHOLE_NAME_CHARACTER, NULL},
    {"blank in a plain label", "evil example.vn", SINKHOLE_NAME_CHARACTER, NULL},
    {"emoji", "i\xe2\x9d\xa4.ws", SINKHOLE_NAME_CHARACTER, NULL},
    {"a character that maps to a dot", "\xc3\xa9\xe2\x80\xa4x.vn", SINKHOLE_NAME_CHARACTER, NULL},
    {"not UTF-8", "\xff\xfe.vn", SINKHOLE_NAME_CHARACTER, NULL},
    {"a label of nothing visible", "\xe2\x80\x8b.vn", SINKHOLE_NAME_CHARACTER, NULL},
    {"empty", "", SINKHOLE_NAME_EMPTY, NULL},
    {"empty label", "a..b", SINKHOLE_NAME_EMPTY, NULL},
    {"hyphen at the end of a U-label", "th\xe1\xbb\xa7-.vn", SINKHOLE_NAME_CHARACTER, NULL},
    {"label of 64", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.vn",
     SINKHOLE_NAME_LABEL_LONG, NULL},
};

static void test_text_name(void **state)
{
    char text[SINKHOLE_NAME_TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sinkhole_name name = {.wire_len = 0};
        enum sinkhole_name_status status =
            sinkhole_text_name(cases[i].input, strlen(cases[i].input), &name);

        if (status != cases[i].status)
            fail_msg("%s: status %d (%s), expected %d", cases[i].why, status,
                     sinkhole_name_status_text(status), cases[i].status);
        if (status != SINKHOLE_NAME_OK) {
            assert_int_equal(name.wire_len, 0);
            continue;
        }
        sinkhole_name_to_text(&name, text, sizeof text);
        if (strcmp(text, cases[i].ascii) != 0)
            fail_msg("%s: %s, expected %s", cases[i].why, text, cases[i].ascii);
    }
}

static void test_long_names(void **state)
{
    char text[600];
    struct sinkhole_name name;

    (void)state;
    memset(text, 0, sizeof text);
    for (int i = 0; i < 140; i++)
        strcat(text, "a.");
    assert_int_equal(sinkhole_text_name(text, strlen(text), &name), SINKHOLE_NAME_LONG);
    memset(text, 0, sizeof text);
    for (int i = 0; i < 64; i++) /* 64 letters of two octets: too long as an A-label too */
        strcat(text, "\xc4\x91");
    assert_int_equal(sinkhole_text_name(text, strlen(text), &name), SINKHOLE_NAME_LABEL_LONG);
    assert_int_equal(sinkhole_text_name("a\0b.vn", 6, &name), SINKHOLE_NAME_CHARACTER);
    assert_int_equal(sinkhole_text_name("\xc4\x91\0b.vn", 7, &name), SINKHOLE_NAME_CHARACTER);
}

static const struct {
    const char *wire;
    size_t len;
    const char *display, *defanged;
} shown[] = {
    {"\x04"
     "evil"
     "\x07"
     "example",
     14, "evil.example", "evil[.]example"},
    {"\x05"
     "xn--a"
     "\x02"
     "vn",
     10, "xn--a.vn", "xn--a[.]vn"},
    {"\x03"
     "a\x1b["
     "\x02"
     "vn",
     8, "a\\027[.vn", "a\\027[[.]vn"},
};

static void test_display(void **state)
{
    char text[SINKHOLE_NAME_TEXT_MAX];
    struct sinkhole_name name;

    (void)state;
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
        assert_int_equal(
            sinkhole_name_from_wire((const uint8_t *)shown[i].wire, shown[i].len, &name),
            SINKHOLE_NAME_OK);
        assert_int_equal(sinkhole_text_display(&name, text, sizeof text), strlen(shown[i].display));
        assert_string_equal(text, shown[i].display);
        assert_int_equal(sinkhole_text_defang(&name, text, sizeof text), strlen(shown[i].defanged));
        assert_string_equal(text, shown[i].defanged);
    }
    assert_int_equal(sinkhole_text_name("www.thủđô.vn", strlen("www.thủđô.vn"), &name),
                     SINKHOLE_NAME_OK);
    sinkhole_text_display(&name, text, sizeof text);
    assert_string_equal(text, "www.thủđô.vn");
    sinkhole_text_defang(&name, text, sizeof text);
    assert_string_equal(text, "www[.]xn--th-9ja9i637n[.]vn");
    assert_int_equal(sinkhole_text_defang(&name, text, 7), 6);
    assert_string_equal(text, "www[.]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_name),
        cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_display),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
