/* SPDX-License-Identifier: BSD-3-Clause */
/* Names: what is taken, what is refused and why. Threads: one. Memory: none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "sinkhole/name.h"

#define L63 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg"
#define TEXT253                                                                                    \
    L63 "." L63 "." L63 "."                                                                        \
        "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffg"

static void test_text_is_checked_at_the_door(void **state)
{
    static const struct {
        const char *why, *text;
        enum sinkhole_name_status status;
        const char *expected;
    } cases[] = {
        {"plain", "www.example.com", SINKHOLE_NAME_OK, "www.example.com"},
        {"lower-cased", "WWW.Example.COM", SINKHOLE_NAME_OK, "www.example.com"},
        {"trailing dot", "example.com.", SINKHOLE_NAME_OK, "example.com"},
        {"root", ".", SINKHOLE_NAME_OK, "."},
        {"underscore", "_dmarc.example.com", SINKHOLE_NAME_OK, "_dmarc.example.com"},
        {"digits", "0.0n-line.biz", SINKHOLE_NAME_OK, "0.0n-line.biz"},
        {"A-label", "xn--bcher-kva.example", SINKHOLE_NAME_OK, "xn--bcher-kva.example"},
        {"label of 63", L63 ".vn", SINKHOLE_NAME_OK, L63 ".vn"},
        {"longest", TEXT253, SINKHOLE_NAME_OK, TEXT253},
        {"longest with dot", TEXT253 ".", SINKHOLE_NAME_OK, TEXT253},
        {"empty", "", SINKHOLE_NAME_EMPTY, NULL},
        {"leading dot", ".example.com", SINKHOLE_NAME_EMPTY, NULL},
        {"two dots inside", "a..b", SINKHOLE_NAME_EMPTY, NULL},
        {"two dots at the end", "a.b..", SINKHOLE_NAME_EMPTY, NULL},
        {"two dots alone", "..", SINKHOLE_NAME_EMPTY, NULL},
        {"label of 64", "a" L63 ".vn", SINKHOLE_NAME_LABEL_LONG, NULL},
        {"one octet too long", "a" TEXT253, SINKHOLE_NAME_LABEL_LONG, NULL},
        {"one label too long", "a." TEXT253, SINKHOLE_NAME_LONG, NULL},
        {"blank", "exa mple.com", SINKHOLE_NAME_CHARACTER, NULL},
        {"escape", "exa\\046mple.com", SINKHOLE_NAME_CHARACTER, NULL},
        {"UTF-8",
         "b\xc3\xbc"
         "cher.example",
         SINKHOLE_NAME_CHARACTER, NULL},
        {"wildcard", "*.example.com", SINKHOLE_NAME_CHARACTER, NULL},
        {"leading hyphen", "-a.example", SINKHOLE_NAME_HYPHEN, NULL},
        {"trailing hyphen", "a-.example", SINKHOLE_NAME_HYPHEN, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct sinkhole_name name, untouched;
        char text[SINKHOLE_NAME_TEXT_MAX];
        enum sinkhole_name_status status;
        size_t len;

        memset(&name, 0x5a, sizeof(name));
        untouched = name;
        status = sinkhole_name_from_text(cases[i].text, strlen(cases[i].text), &name);
        if (status != cases[i].status)
            fail_msg("%s: %s", cases[i].why, sinkhole_name_status_text(status));
        if (status != SINKHOLE_NAME_OK) {
            assert_memory_equal(&name, &untouched, sizeof(name));
            continue;
        }
        len = sinkhole_name_to_text(&name, text, sizeof(text));
        assert_string_equal(text, cases[i].expected);
        assert_int_equal(len, strlen(text));
    }
}

static void test_wire_is_checked_at_the_door(void **state)
{
    static const struct {
        const char *why, *wire;
        size_t len;
        enum sinkhole_name_status status;
        const char *text;
    } cases[] = {
        {"root", "", 1, SINKHOLE_NAME_OK, "."},
        {"lower-cased", "\1A\2Vn", 6, SINKHOLE_NAME_OK, "a.vn"},
        {"octets behind it are not looked at", "\1a\0\77", 4, SINKHOLE_NAME_OK, "a"},
        {"any octet", "\5a.b \xff\2vn", 10, SINKHOLE_NAME_OK, "a\\.b\\032\\255.vn"},
        {"specials", "\7\\\"();@$", 9, SINKHOLE_NAME_OK, "\\\\\\\"\\(\\)\\;\\@\\$"},
        {"no octet", "", 0, SINKHOLE_NAME_TRUNCATED, NULL},
        {"no root label", "\1a", 2, SINKHOLE_NAME_TRUNCATED, NULL},
        {"label cut", "\5abc", 4, SINKHOLE_NAME_TRUNCATED, NULL},
        {"pointer", "\1a\xc0\x0c", 5, SINKHOLE_NAME_TRUNCATED, NULL},
        {"reserved label type",
         "\x40"
         "abc",
         5, SINKHOLE_NAME_LABEL_LONG, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct sinkhole_name name;
        char text[SINKHOLE_NAME_TEXT_MAX];
        enum sinkhole_name_status status =
            sinkhole_name_from_wire((const uint8_t *)cases[i].wire, cases[i].len, &name);

        if (status != cases[i].status)
            fail_msg("%s: %s", cases[i].why, sinkhole_name_status_text(status));
        if (status == SINKHOLE_NAME_OK) {
            sinkhole_name_to_text(&name, text, sizeof(text));
            assert_string_equal(text, cases[i].text);
        }
    }
}

static void test_wire_longest(void **state)
{
    uint8_t wire[300];
    struct sinkhole_name name;

    (void)state;
    for (size_t i = 0; i + 1 < sizeof(wire); i += 2) {
        wire[i] = 1;
        wire[i + 1] = 0xff;
    }
    wire[254] = 0;
    assert_int_equal(sinkhole_name_from_wire(wire, sizeof(wire), &name), SINKHOLE_NAME_OK);
    assert_int_equal(name.wire_len, 255);
    assert_int_equal(name.labels, 127);
    wire[254] = 1;
    wire[256] = 0;
    assert_int_equal(sinkhole_name_from_wire(wire, sizeof(wire), &name), SINKHOLE_NAME_LONG);
}

static void test_text_is_cut_at_the_buffer(void **state)
{
    static const uint8_t wire[] = "\2a.\2vn";
    struct sinkhole_name name;
    char all[SINKHOLE_NAME_TEXT_MAX];
    size_t whole;

    (void)state;
    assert_int_equal(sinkhole_name_from_wire(wire, sizeof(wire), &name), SINKHOLE_NAME_OK);
    whole = sinkhole_name_to_text(&name, all, sizeof(all));
    assert_string_equal(all, "a\\..vn");
    for (size_t size = 0; size <= whole + 1; size++) {
        char buf[16];
        size_t len;

        memset(buf, '#', sizeof(buf));
        len = sinkhole_name_to_text(&name, buf, size);
        assert_int_equal(buf[size], '#');
        if (size == 0)
            continue;
        assert_int_equal(buf[len], '\0');
        assert_memory_equal(buf, all, len);
        assert_int_not_equal(len, 2); /* half an escape */
    }
}

static void test_keys(void **state)
{
    static const struct {
        const char *why, *key;
        enum sinkhole_name_status status;
        const char *text;
    } cases[] = {
        {"three labels", "com example www", SINKHOLE_NAME_OK, "www.example.com"},
        {"one label", "com", SINKHOLE_NAME_OK, "com"},
        {"hyphen inside", "vn a-b _x", SINKHOLE_NAME_OK, "_x.a-b.vn"},
        {"empty", "", SINKHOLE_NAME_EMPTY, NULL},
        {"leading blank", " com", SINKHOLE_NAME_EMPTY, NULL},
        {"trailing blank", "com ", SINKHOLE_NAME_EMPTY, NULL},
        {"two blanks", "com  a", SINKHOLE_NAME_EMPTY, NULL},
        {"upper case", "com Example", SINKHOLE_NAME_CHARACTER, NULL},
        {"dot", "com.example", SINKHOLE_NAME_CHARACTER, NULL},
        {"tab", "com\texample", SINKHOLE_NAME_CHARACTER, NULL},
        {"hyphen first", "com -a", SINKHOLE_NAME_HYPHEN, NULL},
        {"hyphen last", "com a-", SINKHOLE_NAME_HYPHEN, NULL},
        {"label of 64", "com a" L63, SINKHOLE_NAME_LABEL_LONG, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct sinkhole_name name, same;
        struct sinkhole_key key;
        char text[SINKHOLE_NAME_TEXT_MAX];
        enum sinkhole_name_status status =
            sinkhole_name_from_key(cases[i].key, strlen(cases[i].key), &name);

        if (status != cases[i].status)
            fail_msg("%s: %s", cases[i].why, sinkhole_name_status_text(status));
        if (status != SINKHOLE_NAME_OK)
            continue;
        sinkhole_name_to_text(&name, text, sizeof(text));
        assert_string_equal(text, cases[i].text);
        assert_true(sinkhole_key_from_name(&name, &key));
        assert_string_equal(key.text, cases[i].key);
        assert_int_equal(key.len, strlen(key.text));
        assert_int_equal(sinkhole_name_from_text(text, strlen(text), &same), SINKHOLE_NAME_OK);
        assert_int_equal(name.wire_len, same.wire_len);
        assert_int_equal(name.labels, same.labels);
        assert_memory_equal(name.wire, same.wire, same.wire_len);
    }
}

static void test_longest_key(void **state)
{
    struct sinkhole_name name, again;
    struct sinkhole_key key;

    (void)state;
    assert_int_equal(sinkhole_name_from_text(TEXT253, strlen(TEXT253), &name), SINKHOLE_NAME_OK);
    assert_true(sinkhole_key_from_name(&name, &key));
    assert_int_equal(key.len, SINKHOLE_KEY_MAX);
    assert_int_equal(sinkhole_name_from_key(key.text, key.len, &again), SINKHOLE_NAME_OK);
    assert_memory_equal(name.wire, again.wire, name.wire_len);
    memcpy(key.text + 251, " aa", 3);
    assert_int_equal(sinkhole_name_from_key(key.text, 254, &again), SINKHOLE_NAME_LONG);
}

static void test_names_without_a_key(void **state)
{
    static const struct {
        const char *why, *wire;
        size_t len;
    } cases[] = {
        {"root", "", 1},
        {"dot in a label", "\3a.b\2vn", 8},
        {"blank in a label", "\3a b\2vn", 8},
        {"high octet", "\1\xff\2vn", 6},
        {"zero octet", "\1\0\2vn", 6},
        {"star", "\1*\2vn", 6},
    };
    struct sinkhole_key key;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct sinkhole_name name;

        assert_int_equal(
            sinkhole_name_from_wire((const uint8_t *)cases[i].wire, cases[i].len, &name),
            SINKHOLE_NAME_OK);
        if (sinkhole_key_from_name(&name, &key))
            fail_msg("%s has the key '%s'", cases[i].why, key.text);
    }
    assert_true(sinkhole_key_from_wire((const uint8_t *)"\3a.b\1c\2vn", 10, 4, &key));
    assert_string_equal(key.text, "vn c");
    assert_false(sinkhole_key_from_wire((const uint8_t *)"\3a.b\1c\2vn", 10, 9, &key));
    assert_false(sinkhole_key_from_wire((const uint8_t *)"\3a.b\1c\2vn", 10, 77, &key));
    assert_false(sinkhole_key_from_wire((const uint8_t *)"\3ab", 3, 0, &key));
}

static void test_at_or_below(void **state)
{
    static const struct {
        const char *name, *ancestor;
        bool expected;
    } cases[] = {
        {"www.example.com", "example.com", true},
        {"example.com", "example.com", true},
        {"example.com", "www.example.com", false},
        {"badexample.com", "example.com", false},
        {"example.com", ".", true},
        {"example.com", "com", true},
        {"example.com", "org", false},
        {".", ".", true},
        {".", "com", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct sinkhole_name name, ancestor;

        sinkhole_name_from_text(cases[i].name, strlen(cases[i].name), &name);
        sinkhole_name_from_text(cases[i].ancestor, strlen(cases[i].ancestor), &ancestor);
        if (sinkhole_name_is_at_or_below(&name, &ancestor) != cases[i].expected)
            fail_msg("%s below %s", cases[i].name, cases[i].ancestor);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_is_checked_at_the_door),
        cmocka_unit_test(test_wire_is_checked_at_the_door),
        cmocka_unit_test(test_wire_longest),
        cmocka_unit_test(test_text_is_cut_at_the_buffer),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_longest_key),
        cmocka_unit_test(test_names_without_a_key),
        cmocka_unit_test(test_at_or_below),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
