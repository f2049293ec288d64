/* SPDX-License-Identifier: BSD-3-Clause */
/* Octets to lines: encodings, line ends, bounds, things that are no list. Threads: one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "feeds/input.h"

struct lines {
    char text[4096]; /* "1:first|2:second|" ; "!" after a cut line */
    size_t used;
};

static void take(void *arg, uint64_t line_no, const char *text, size_t len, bool cut)
{
    struct lines *lines = arg;

    lines->used += (size_t)snprintf(lines->text + lines->used, sizeof(lines->text) - lines->used,
                                    "%d:%.*s%s|", (int)line_no, (int)len, text, cut ? "!" : "");
}

static enum feed_input_status run(const void *octets, size_t len, size_t step, size_t max,
                                  struct lines *lines)
{
    struct feed_input input;
    char buf[64];

    memset(lines, 0, sizeof(*lines));
    feed_input_init(&input, buf, max, take, lines);
    for (size_t at = 0; at < len; at += step)
        feed_input_push(&input, (const char *)octets + at, len - at < step ? len - at : step);
    return feed_input_finish(&input);
}

static void test_encodings_and_line_ends(void **state)
{
#define IN(text) text, sizeof(text) - 1
    static const struct {
        const char *why, *octets;
        size_t len;
        enum feed_input_status status;
        const char *expected;
    } cases[] = {
        {"nothing", IN(""), FEED_INPUT_OK, ""},
        {"one line, no end", IN("a.vn"), FEED_INPUT_OK, "1:a.vn|"},
        {"LF", IN("a\nb\n"), FEED_INPUT_OK, "1:a|2:b|"},
        {"CRLF", IN("a\r\nb\r\n"), FEED_INPUT_OK, "1:a|2:b|"},
        {"empty lines are counted", IN("\n\na\n"), FEED_INPUT_OK, "1:|2:|3:a|"},
        {"UTF-8 mark",
         IN("\xef\xbb\xbf"
            "a\n"),
         FEED_INPUT_OK, "1:a|"},
        {"UTF-8 mark alone", IN("\xef\xbb\xbf"), FEED_INPUT_OK, ""},
        {"UTF-16LE mark",
         IN("\xff\xfe"
            "a\0\n\0b\0"),
         FEED_INPUT_OK, "1:a|2:b|"},
        {"UTF-16BE mark",
         IN("\xfe\xff"
            "\0a\0\n\0b"),
         FEED_INPUT_OK, "1:a|2:b|"},
        {"UTF-16LE CRLF",
         IN("\xff\xfe"
            "a\0\r\0\n\0b\0\r\0\n\0"),
         FEED_INPUT_OK, "1:a|2:b|"},
        {"UTF-16LE without mark", IN("a\0b\0\n\0c\0"), FEED_INPUT_OK, "1:ab|2:c|"},
        {"UTF-16BE without mark", IN("\0a\0b\0\n\0c"), FEED_INPUT_OK, "1:ab|2:c|"},
        {"UTF-16LE Vietnamese",
         IN("\xff\xfe"
            "\xea\x00\xc1\x1e"),
         FEED_INPUT_OK, "1:\xc3\xaa\xe1\xbb\x81|"},
        {"UTF-16LE surrogates",
         IN("\xff\xfe"
            "\x3d\xd8\x00\xde"),
         FEED_INPUT_OK, "1:\xf0\x9f\x98\x80|"},
        {"UTF-16LE lone surrogate",
         IN("\xff\xfe"
            "\x3d\xd8"
            "a\0"),
         FEED_INPUT_OK,
         "1:\xef\xbf\xbd"
         "a|"},
        {"UTF-16LE odd octet",
         IN("\xff\xfe"
            "a\0b"),
         FEED_INPUT_OK, "1:a\xef\xbf\xbd|"},
        {"as long as the buffer", IN("0123456789abcdef\nx"), FEED_INPUT_OK,
         "1:0123456789abcdef|2:x|"},
        {"one longer", IN("0123456789abcdefg\nx"), FEED_INPUT_OK, "1:0123456789abcdef!|2:x|"},
        {"longer, at the end", IN("0123456789abcdefghij"), FEED_INPUT_OK, "1:0123456789abcdef!|"},
        {"web page", IN("\n  <!DOCTYPE html>\n<html>"), FEED_INPUT_HTML, "1:|"},
        {"web page behind a comment", IN("<!-- 502 -->\n<html>\na.vn"), FEED_INPUT_HTML, ""},
        {"web page without doctype", IN("<html lang=vi>\na.vn"), FEED_INPUT_HTML, ""},
        {"a tag later is a line", IN("a.vn\n<html>"), FEED_INPUT_OK, "1:a.vn|2:<html>|"},
        {"zero octet", IN("a.vn\n\0\n"), FEED_INPUT_BINARY, NULL},
        {"Word or Excel file", IN("PK\003\004abcdefgh"), FEED_INPUT_BINARY, ""},
        {"PDF", IN("%PDF-1.7\n"), FEED_INPUT_BINARY, ""},
        {"gzip", IN("\037\213\010\0\0\0\0\0\0"), FEED_INPUT_BINARY, ""},
        {"xz", IN("\3757zXZ\0\0\4"), FEED_INPUT_BINARY, ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        static const size_t steps[] = {1, 2, 3, 7, 1000};

        for (size_t s = 0; s < sizeof(steps) / sizeof(*steps); s++) {
            struct lines lines;
            enum feed_input_status status =
                run(cases[i].octets, cases[i].len, steps[s], 16, &lines);

            if (status != cases[i].status ||
                (cases[i].expected != NULL && strcmp(lines.text, cases[i].expected) != 0))
                fail_msg("%s, by %zu: status %d, \"%s\"", cases[i].why, steps[s], status,
                         lines.text);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_encodings_and_line_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
