/* SPDX-License-Identifier: BSD-3-Clause */
/* What an attacker chose, made harmless for each reader. Threads and memory: a test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "sinkhole/report.h"

static const struct {
    const char *why;
    size_t (*escape)(const char *text, char *buf, size_t size);
    const char *input, *expected;
} cases[] = {
    {"html: tags", sinkhole_escape_html, "<script>\"x\"&'y'",
     "&lt;script&gt;&quot;x&quot;&amp;&#39;y&#39;"},
    {"html: Vietnamese stays", sinkhole_escape_html, "nhiễm ấầẩẫậ", "nhiễm ấầẩẫậ"},
    {"html: not UTF-8", sinkhole_escape_html,
     "a\xff"
     "b\xc3",
     "a\xef\xbf\xbd"
     "b\xef\xbf\xbd"},
    {"html: overlong", sinkhole_escape_html, "\xc0\xbc", "\xef\xbf\xbd\xef\xbf\xbd"},
    {"html: overlong of three", sinkhole_escape_html, "\xe0\x80\xbc",
     "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
    {"html: surrogate", sinkhole_escape_html, "\xed\xa0\x80",
     "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
    {"csv: plain", sinkhole_escape_csv, "evil.example", "evil.example"},
    {"csv: empty", sinkhole_escape_csv, "", ""},
    {"csv: separator", sinkhole_escape_csv, "a,b", "\"a,b\""},
    {"csv: quotes", sinkhole_escape_csv, "a\"b", "\"a\"\"b\""},
    {"csv: formula", sinkhole_escape_csv, "=cmd|' /C calc'!A0", "\"'=cmd|' /C calc'!A0\""},
    {"csv: plus", sinkhole_escape_csv, "+1", "\"'+1\""},
    {"csv: minus", sinkhole_escape_csv, "-1", "\"'-1\""},
    {"csv: at", sinkhole_escape_csv, "@SUM(A1)", "\"'@SUM(A1)\""},
    {"csv: tab first", sinkhole_escape_csv, "\t=1", "\"' =1\""},
    {"csv: line ends", sinkhole_escape_csv, "a\r\nb", "\"a  b\""},
    {"json: quotes and backslash", sinkhole_escape_json, "a\"\\b", "\"a\\\"\\\\b\""},
    {"json: control", sinkhole_escape_json, "a\n\x1b\x7f", "\"a\\u000a\\u001b\\u007f\""},
    {"json: line separator", sinkhole_escape_json, "\xe2\x80\xa8", "\"\\u2028\""},
    {"terminal: escape sequence", sinkhole_escape_terminal, "\x1b[31mred", "\\u{1b}[31mred"},
    {"terminal: C1 CSI", sinkhole_escape_terminal,
     "\xc2\x9b"
     "2J",
     "\\u{9b}2J"},
    {"terminal: line end", sinkhole_escape_terminal, "a\nb\r", "a\\u{a}b\\u{d}"},
    {"terminal: right to left", sinkhole_escape_terminal,
     "\xe2\x80\xae"
     "abc",
     "\\u{202e}abc"},
    {"terminal: Vietnamese stays", sinkhole_escape_terminal, "thủđô", "thủđô"},
    {"defang", sinkhole_escape_defang, "www.evil.example", "www[.]evil[.]example"},
};

static void test_cases(void **state)
{
    char buf[256];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t len = cases[i].escape(cases[i].input, buf, sizeof buf);

        if (strcmp(buf, cases[i].expected) != 0 || len != strlen(buf))
            fail_msg("%s: %s, expected %s", cases[i].why, buf, cases[i].expected);
    }
}

/* Whatever the room, the result is terminated, whole in its characters and closed in its quotes. */
static void test_cut(void **state)
{
    char buf[64];

    (void)state;
    for (size_t size = 1; size < sizeof buf; size++) {
        memset(buf, 'Z', sizeof buf);
        assert_true(sinkhole_escape_html("<ễ<ễ<ễ<ễ", buf, size) < size);
        assert_int_equal(buf[size], 'Z');
        assert_null(strstr(buf, "&lt<"));
        if (size < 3)
            continue;
        sinkhole_escape_csv("a,ễ,\"ễ,a,a,a", buf, size);
        assert_int_equal(buf[strlen(buf) - 1], '"');
        assert_int_equal(buf[size], 'Z');
        sinkhole_escape_json("a\\\"ễ\"\\\n\n", buf, size);
        assert_int_equal(buf[strlen(buf) - 1], '"');
        assert_int_equal(buf[size], 'Z');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases), cmocka_unit_test(test_cut)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
