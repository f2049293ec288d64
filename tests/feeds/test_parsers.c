/* SPDX-License-Identifier: BSD-3-Clause */
/* What each parser takes for what, as tables of lines. Threads: one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "tests/feeds/recorder.h"

#define ZWSP "\xe2\x80\x8b"
#define NBSP "\xc2\xa0"

struct parser_case {
    const char *why, *input, *expected;
};

static const char *columns; /* of the CSV cases */
static char delimiter;
static struct sinkhole_suffixes *suffixes;

union any_parser {
    struct feed_plain plain;
    struct feed_hosts hosts;
    struct feed_csv csv;
    struct feed_text text;
};

static void run(enum sinkhole_format format, const char *input, struct recorder *recorder)
{
    static union any_parser parser;
    static char buf[FEED_LINE_MAX];
    struct feed_input lines;
    feed_line_fn line = feed_plain_line;

    recorder_init(recorder);
    if (format == SINKHOLE_FORMAT_PLAIN) {
        feed_plain_init(&parser.plain, &recorder->sink);
    } else if (format == SINKHOLE_FORMAT_HOSTS) {
        feed_hosts_init(&parser.hosts, &recorder->sink);
        line = feed_hosts_line;
    } else if (format == SINKHOLE_FORMAT_CSV) {
        feed_csv_init(&parser.csv, &recorder->sink, columns, delimiter);
        line = feed_csv_line;
    } else {
        feed_text_init(&parser.text, &recorder->sink, suffixes);
        line = feed_text_line;
    }
    feed_input_init(&lines, buf, sizeof(buf), line, &parser);
    assert_int_equal(feed_input_push(&lines, input, strlen(input)), FEED_INPUT_OK);
    assert_int_equal(feed_input_finish(&lines), FEED_INPUT_OK);
    if (format == SINKHOLE_FORMAT_CSV && !feed_csv_finish(&parser.csv))
        strcat(recorder->text, "no column\n");
}

static void check(enum sinkhole_format format, const struct parser_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct recorder recorder;

        run(format, cases[i].input, &recorder);
        if (strcmp(recorder.text, cases[i].expected) != 0)
            fail_msg("%s: \"%s\"\nfound:\n%sexpected:\n%s", cases[i].why, cases[i].input,
                     recorder.text, cases[i].expected);
    }
}
#define CHECK(format, cases) check(format, cases, sizeof(cases) / sizeof(*(cases)))

static void test_plain(void **state)
{
    static const struct parser_case cases[] = {
        {"a name", "evil.example", "1 name evil.example\n"},
        {"upper case", "Evil.EXAMPLE", "1 name evil.example\n"},
        {"blanks around", " \t evil.example  ", "1 name evil.example\n"},
        {"comments and blanks", "# a\n; b\n! c\n// d\n\n  \nevil.example # e",
         "7 name evil.example\n"},
        {"trailing dot", "evil.example.", "1 name evil.example\n"},
        {"wildcard: what lies below", "*.evil.example", "1 name below evil.example\n"},
        {"leading dot: both", ".evil.example", "1 name subtree evil.example\n"},
        {"wildcard inside", "a.*.example", "1 (wildcard) a.*.example\n"},
        {"underscore", "_x.evil.example", "1 name _x.evil.example\n"},
        {"U-label", "t\xc3\xaan-mi\xe1\xbb\x81n.vn", "1 name xn--tn-min-iva0322d.vn\n"},
        {"U-label, decomposed", "te\xcc\x82n.vn", "1 name xn--tn-eja.vn\n"},
        {"A-label", "xn--tn-eja.vn", "1 name xn--tn-eja.vn\n"},
        {"A-label that IDNA would not make", "xn--rihy934p.ws", "1 name xn--rihy934p.ws\n"},
        {"host and port", "evil.example:8080", "1 name evil.example\n"},
        {"URL without path", "http://evil.example/", "1 name evil.example\n"},
        {"URL without path, port", "https://evil.example:444", "1 name evil.example\n"},
        {"URL with a user", "http://a:b@evil.example", "1 name evil.example\n"},
        {"URL with a path", "http://sites.example/x", "1 url http://sites.example/x\n"},
        {"URL with a query", "http://sites.example?x", "1 url http://sites.example?x\n"},
        {"path without scheme", "sites.example/x", "1 url sites.example/x\n"},
        {"URL of an address", "http://192.0.2.1/x", "1 url http://192.0.2.1/x\n"},
        {"address", "192.0.2.1", "1 address 192.0.2.1\n"},
        {"address and port", "192.0.2.1:80", "1 address 192.0.2.1:80\n"},
        {"prefix", "192.0.2.0/24", "1 address 192.0.2.0/24\n"},
        {"IPv6", "2001:db8::1", "1 address 2001:db8::1\n"},
        {"IPv6 in a URL", "http://[2001:db8::1]:80", "1 address http://[2001:db8::1]:80\n"},
        {"hash", "d41d8cd98f00b204e9800998ecf8427e", "1 hash d41d8cd98f00b204e9800998ecf8427e\n"},
        {"e-mail", "a@evil.example", "1 email a@evil.example\n"},
        {"defanged", "hxxp://evil[.]example", "1 name evil.example\n"},
        {"octal address", "0000153.0000255.0000011.0000125",
         "1 (numeric) 0000153.0000255.0000011.0000125\n"},
        {"a version", "v1.0", "1 (numeric) v1.0\n"},
        {"a number at the end of the last label", "a.b1", "1 name a.b1\n"},
        {"hosts line in a plain list", "0.0.0.0 evil.example",
         "1 (several-words) 0.0.0.0 evil.example\n"},
        {"zero-width and no-break spaces", NBSP "ev" ZWSP "il.example" NBSP,
         "1 name evil.example\n"},
        {"empty label", "evil..example", "1 (empty-label) evil..example\n"},
        {"hyphen", "-evil.example", "1 (hyphen) -evil.example\n"},
        {"character", "ev%il.example", "1 (character) ev%il.example\n"},
        {"octets that are no UTF-8", "ev\xff.example", "1 (character) ev\xff.example\n"},
        {"root", ".", "1 (root) .\n"},
        {"one label: the guard's", "localhost", "1 name localhost\n"},
    };

    (void)state;
    CHECK(SINKHOLE_FORMAT_PLAIN, cases);
}

static void test_hosts(void **state)
{
    static const struct parser_case cases[] = {
        {"one", "0.0.0.0 evil.example", "1 name evil.example\n"},
        {"several, tabs, comment", "127.0.0.1\ta.example b.example # c.example",
         "1 name a.example\n1 name b.example\n"},
        {"comment without blank", "0.0.0.0 a.example#b", "1 name a.example\n"},
        {"IPv6 addresses", ":: a.example\n::1 b.example\nfe80::1%lo0 c.example",
         "1 name a.example\n2 name b.example\n3 name c.example\n"},
        {"the machine's own names", "127.0.0.1 localhost localhost.localdomain\n0.0.0.0 0.0.0.0",
         "1 (local-name) localhost\n1 (local-name) localhost.localdomain\n2 (local-name) "
         "0.0.0.0\n"},
        {"comments and blanks", "# x\n\n   # y", ""},
        {"no address", "evil.example", "1 (no-address) evil.example\n"},
        {"address alone", "0.0.0.0", "1 (no-host) 0.0.0.0\n"},
        {"address and comment", "0.0.0.0 # x", "1 (no-host) 0.0.0.0 # x\n"},
        {"bad name beside a good one", "0.0.0.0 a..b good.example",
         "1 (empty-label) a..b\n1 name good.example\n"},
        {"no-break space", "0.0.0.0" NBSP "evil.example", "1 name evil.example\n"},
    };

    (void)state;
    CHECK(SINKHOLE_FORMAT_HOSTS, cases);
}

static void test_csv(void **state)
{
    static const struct parser_case by_header[] = {
        {"English", "id,domain,note\n1,evil.example,x\n", "2 name evil.example\n"},
        {"Vietnamese", "STT;T\xc3\xaan mi\xe1\xbb\x81n;Ghi ch\xc3\xba\n1;evil.example;x",
         "2 name evil.example\n"},
        {"Vietnamese, decomposed and upper case",
         "STT;TE\xcc\x82N MIE\xcc\x82\xcc\x80N\n1;evil.example", "2 name evil.example\n"},
        {"names and addresses",
         "STT,T\xc3\xaan mi\xe1\xbb\x81n,\xc4\x90\xe1\xbb\x8b"
         "a ch\xe1\xbb\x89 IP\n"
         "1,evil.example,192.0.2.1\n2,,192.0.2.2\n3,,\n",
         "2 name evil.example\n2 address 192.0.2.1\n3 address 192.0.2.2\n4 (cell-empty) 3,,\n"},
        {"tab", "no\tioc\n1\tevil.example\n", "2 name evil.example\n"},
        {"bar", "no|ioc|x\n1|evil.example|y\n", "2 name evil.example\n"},
        {"quotes",
         "\"id\",\"url\"\n\"1\",\"http://evil.example\"\n\"2\",\"http://b.example/\"\"x\"\n",
         "2 name evil.example\n3 url http://b.example/\"x\n"},
        {"header behind #",
         "# made today\n# id,dateadded,url\n\"1\",\"x\",\"http://evil.example/\"\n",
         "3 name evil.example\n"},
        {"cell over two lines", "domain,note\na.example,\"one\ntwo\"\nb.example,x\n",
         "2 name a.example\n4 name b.example\n"},
        {"inch mark in a note", "domain,note\na.example,15\" screen\nb.example,x\n",
         "2 name a.example\n3 name b.example\n"},
        {"quote that never ends", "domain,note\na.example,\"one\nb.example,x\n",
         "2 (quote) a.example,\"one b.example,x \n"},
        {"short row", "id,domain\n1\n", "2 (column) 1\n"},
        {"defanged cell", "id,domain\n1,evil[.]example\n", "2 name evil.example\n"},
        {"words in the cell", "id,domain\n1,evil example\n", "2 (several-words) evil example\n"},
        {"no header", "1,evil.example\n2,b.example\n", "no column\n"},
    };
    static const struct parser_case by_number[] = {
        {"second column", "1,evil.example,x\n", "1 name evil.example\n"},
        {"a header all the same", "id,domain\n1,evil.example\n", "2 name evil.example\n"},
        {"a header of other words", "id,bad\n1,evil.example\n",
         "1 name bad\n2 name evil.example\n"},
        {"comment", "# x,y\n1,evil.example\n", "2 name evil.example\n"},
    };
    static const struct parser_case by_word[] = {
        {"chosen header", "domain,C2 Host\ngood.example,evil.example\n", "2 name evil.example\n"},
        {"chosen header is not there", "domain\nevil.example\n", "no column\n"},
    };

    (void)state;
    columns = NULL;
    delimiter = 0;
    CHECK(SINKHOLE_FORMAT_CSV, by_header);
    columns = "2";
    CHECK(SINKHOLE_FORMAT_CSV, by_number);
    columns = "c2 host";
    CHECK(SINKHOLE_FORMAT_CSV, by_word);
    columns = "1";
    delimiter = ';';
    CHECK(SINKHOLE_FORMAT_CSV,
          ((const struct parser_case[]){
              {"chosen delimiter", "evil.example;a,b,c\n", "1 name evil.example\n"},
          }));
    columns = NULL;
    delimiter = 0;
}

static void test_text(void **state)
{
    static const struct parser_case cases[] = {
        {"square", "evil[.]example", "1 name evil.example\n"},
        {"round, curly, words", "a(.)example b{.}example c[dot]example d(DOT)example",
         "1 name a.example\n1 name b.example\n1 name c.example\n1 name d.example\n"},
        {"half a bracket", "a[.example b.]example", "1 name a.example\n1 name b.example\n"},
        {"hxxp", "hxxp://a[.]example hXXps[:]//b[.]example/ hxxp[://]c[.]example",
         "1 name a.example\n1 name b.example\n1 name c.example\n"},
        {"hxxp alone", "hxxp://evil.example", "1 name evil.example\n"},
        {"URL with a path", "hxxps://cdn[.]example/a(1)?x=1,2;y",
         "1 url https://cdn.example/a(1)?x=1,2;y\n"},
        {"port", "evil[.]example:443 evil[.]example[:]8443",
         "1 name evil.example\n1 name evil.example\n"},
        {"address", "203.0.113[.]5, 198.51.100.7; 2001:db8::1.",
         "1 address 203.0.113.5\n1 address 198.51.100.7\n1 address 2001:db8::1\n"},
        {"row with bars", "| 1 | evil[.]example | ghi ch\xc3\xba |", "1 name evil.example\n"},
        {"row with tabs", "3\tevil[.]example\tm\xc3\xa1y ch\xe1\xbb\xa7", "1 name evil.example\n"},
        {"bullets and quotes",
         "- a[.]example\n\xe2\x80\xa2 b[.]example\n\xe2\x80\x9c"
         "c[.]example\xe2\x80\x9d",
         "1 name a.example\n2 name b.example\n3 name c.example\n"},
        {"brackets and full stop", "(evil[.]example).", "1 name evil.example\n"},
        {"label in front", "C2:evil[.]example, Domain:b[.]example",
         "1 name evil.example\n1 name b.example\n"},
        {"wildcard", "*.evil[.]example", "1 name below evil.example\n"},
        {"zero-width", "evil" ZWSP "[.]" ZWSP "example", "1 name evil.example\n"},
        {"no-break space", "a[.]example" NBSP "b[.]example",
         "1 name a.example\n1 name b.example\n"},
        {"U-label", "t\xc3\xaan[.]vn", "1 name xn--tn-eja.vn\n"},
        {"defanged: any last label", "a[.]onion b[.]exe", "1 name a.onion\n1 name b.exe\n"},
        {"plain name with a known top-level domain", "xem evil-site.com.",
         "1 name evil-site.com\n"},
        {"plain U-label", "xem t\xc3\xaan.vn", "1 name xn--tn-eja.vn\n"},
        {"plain URL", "https://evil-site.com", "1 name evil-site.com\n"},
        {"plain URL with a path", "https://vendor.com/blog", "1 url https://vendor.com/blog\n"},
        {"e-mail", "a.b@mic.gov.vn", "1 email a.b@mic.gov.vn\n"},
        {"e-mail, defanged", "a[@]evil[.]example", "1 email a@evil.example\n"},
        {"files", "invoice.doc abc.exe", "1 (unknown-tld) invoice.doc\n1 (unknown-tld) abc.exe\n"},
        {"files that would be domains", "update.zip run.sh",
         "1 (file-name) update.zip\n1 (file-name) run.sh\n"},
        {"the same defanged", "update[.]zip", "1 name update.zip\n"},
        {"paths", "C:\\Users\\x.com HKLM\\Software\\x.y",
         "1 (path) \\Users\\x.com\n1 (path) HKLM\\Software\\x.y\n"},
        {"software", "ASP.NET", "1 (software) ASP.NET\n"},
        {"dates, numbers, letters' numbers",
         "s\xe1\xbb\x91 799/BTTTT-CATTT ng\xc3\xa0y 31.12.2019, 1.000.000 v.v.", ""},
        {"abbreviation", "TP.HCM", "1 (unknown-tld) TP.HCM\n"},
        {"hash", "MD5: d41d8cd98f00b204e9800998ecf8427e",
         "1 hash d41d8cd98f00b204e9800998ecf8427e\n"},
        {"broken over two lines", "evil[.]\nexample", "1 (broken) evil.\n"},
        {"a mark alone", "vi\xe1\xba\xbft [.] thay cho .", "1 (broken) .\n"},
        {"bad name", "a..b[.]example", "1 (empty-label) a..b.example\n"},
        {"prose", "Kh\xc3\xb4ng c\xc3\xb3 g\xc3\xac.", ""},
    };

    (void)state;
    CHECK(SINKHOLE_FORMAT_TEXT, cases);
}

static void test_long_lines_are_said(void **state)
{
    static const enum sinkhole_format formats[] = {SINKHOLE_FORMAT_PLAIN, SINKHOLE_FORMAT_HOSTS,
                                                   SINKHOLE_FORMAT_CSV, SINKHOLE_FORMAT_TEXT};
    static char input[2 * FEED_LINE_MAX];

    (void)state;
    columns = "1";
    for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++) {
        struct recorder recorder;

        memset(input, 'a', sizeof(input) - 1);
        run(formats[i], input, &recorder);
        assert_non_null(strstr(recorder.text, "1 (line-long) aaa"));
        assert_int_equal(recorder.data_lines, 1);
    }
    columns = NULL;
}

static void test_escape(void **state)
{
    static const struct {
        const char *why, *text, *expected;
        size_t size;
    } cases[] = {
        {"plain", "evil.example", "evil.example", 64},
        {"Vietnamese stays", "t\xc3\xaan", "t\xc3\xaan", 64},
        {"escape sequence", "\033[31m", "\\x1b[31m", 64},
        {"C1 control",
         "\xc2\x9b"
         "31m",
         "\\xc2\\x9b31m", 64},
        {"right-to-left override",
         "\xe2\x80\xae"
         "a",
         "\\xe2\\x80\\xaea", 64},
        {"broken UTF-8", "\xff\xc3", "\\xff\\xc3", 64},
        {"cut", "0123456789", "012345...", 10},
        {"cut before an escape", "0123456\033", "012345...", 10},
        {"fits", "012345678", "012345678", 10},
        {"not inside a character", "01234\xc3\xaa\xc3\xaa", "01234...", 9},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char out[64];

        feed_escape(cases[i].text, strlen(cases[i].text), out, cases[i].size);
        if (strcmp(out, cases[i].expected) != 0)
            fail_msg("%s: \"%s\"", cases[i].why, out);
    }
}

static int setup(void **state)
{
    (void)state;
    suffixes = sinkhole_suffixes_open(DATA_DIR "/public_suffix_list.dat");
    return suffixes == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    sinkhole_suffixes_close(suffixes);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_csv),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_long_lines_are_said),
        cmocka_unit_test(test_escape),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
