/* SPDX-License-Identifier: BSD-3-Clause */
/* Guards, the order and merging of names, and which file as a whole is taken. Threads: one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "feeds/guard.h"
#include "feeds/names.h"
#include "sinkhole/feeds.h"

static struct sinkhole_settings *settings;
static struct sinkhole_suffixes *suffixes;

static void test_guard(void **state)
{
    enum { EXACT, BELOW, SUBTREE };
#define OK SINKHOLE_REASON_COUNT
    static const struct {
        const char *why, *name;
        int scope;
        bool private_suffix;
        enum sinkhole_note_reason expected;
    } cases[] = {
        {"ordinary", "evil.example", SUBTREE, false, OK},
        {"top-level domain", "com", SUBTREE, false, SINKHOLE_REASON_TLD},
        {"top-level domain, exactly", "vn", EXACT, true, SINKHOLE_REASON_TLD},
        {"label that is no top-level domain", "localhost", EXACT, false, SINKHOLE_REASON_TLD},
        {"public suffix", "com.vn", SUBTREE, false, SINKHOLE_REASON_ICANN_SUFFIX},
        {"public suffix, exactly", "co.uk", EXACT, true, SINKHOLE_REASON_ICANN_SUFFIX},
        {"province's suffix", "hanoi.vn", SUBTREE, false, SINKHOLE_REASON_ICANN_SUFFIX},
        {"name under a suffix", "evil.com.vn", SUBTREE, false, OK},
        {"provider's zone", "blogspot.com", SUBTREE, false, SINKHOLE_REASON_PRIVATE_SUFFIX},
        {"provider's zone, allowed, but not exactly", "blogspot.com", SUBTREE, true,
         SINKHOLE_REASON_PRIVATE_SUFFIX},
        {"provider's zone, exactly, not allowed", "blogspot.com", EXACT, false,
         SINKHOLE_REASON_PRIVATE_SUFFIX},
        {"provider's zone, exactly, allowed", "blogspot.com", EXACT, true, OK},
        {"customer of a provider", "evil.blogspot.com", SUBTREE, false, OK},
        {"protected zone", "gov.vn", SUBTREE, false, SINKHOLE_REASON_PROTECTED},
        {"protected zone, exactly", "gov.vn", EXACT, false, SINKHOLE_REASON_PROTECTED},
        {"protected zone, below", "chinhphu.vn", BELOW, false, SINKHOLE_REASON_PROTECTED},
        {"above a protected zone", "city.example", EXACT, false, SINKHOLE_REASON_PROTECTED_PARENT},
        {"below, with all under it", "x.gov.vn", SUBTREE, false, SINKHOLE_REASON_PROTECTED_BELOW},
        {"below, what lies under it", "x.gov.vn", BELOW, false, SINKHOLE_REASON_PROTECTED_BELOW},
        {"below, exactly", "x.gov.vn", EXACT, false, OK},
        {"below, deep, exactly", "a.b.x.gov.vn", EXACT, false, OK},
        {"looks alike", "xgov.vn", SUBTREE, false, OK},
        {"looks alike at the end", "gov.vn.evil.example", SUBTREE, false, OK},
        {"sorts between", "gov-vn.vn", SUBTREE, false, OK},
        {"own host", "redis.home.example", EXACT, false, SINKHOLE_REASON_OWN_HOST},
        {"above the own host", "home.example", SUBTREE, false, SINKHOLE_REASON_OWN_HOST},
        {"above the own host, exactly", "home.example", EXACT, false, OK},
        {"the canary", "canary.sinkhole.example", EXACT, false, SINKHOLE_REASON_OWN_HOST},
        {"above the canary", "sinkhole.example", SUBTREE, false, SINKHOLE_REASON_OWN_HOST},
        {"beside the own host", "evil.home.example", SUBTREE, false, OK},
    };
    char bad[256];
    struct feed_guard *guard = feed_guard_new(settings, suffixes, bad);

    (void)state;
    assert_non_null(guard);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct sinkhole_name name;
        struct sinkhole_key key;
        enum sinkhole_note_reason reason;

        assert_int_equal(sinkhole_name_from_text(cases[i].name, strlen(cases[i].name), &name),
                         SINKHOLE_NAME_OK);
        assert_true(sinkhole_key_from_name(&name, &key));
        reason = feed_guard_check(guard, &name, &key, (enum sinkhole_scope)cases[i].scope,
                                  cases[i].private_suffix);
        if (reason != cases[i].expected)
            fail_msg("%s (%s): %s", cases[i].why, cases[i].name,
                     reason == OK ? "listed" : sinkhole_reason_word(reason));
    }
    feed_guard_free(guard);
}

static bool keep_name(void *arg, const char *key, size_t key_len, enum sinkhole_scope scope)
{
    char *text = arg;
    size_t used = strlen(text);

    snprintf(text + used, 4096 - used, "%.*s %d\n", (int)key_len, key, (int)scope);
    return true;
}

static bool keep_note(void *arg, uint64_t line, enum sinkhole_note_reason reason, const char *note)
{
    char *text = arg;
    size_t used = strlen(text);

    snprintf(text + used, 4096 - used, "%" PRIu64 " %s %s\n", line, sinkhole_reason_word(reason),
             note);
    return true;
}

struct import_case {
    const char *why;
    struct sinkhole_import_options options;
    const char *input;
    enum sinkhole_import_status status;
    const char *names, *notes;
};

static void check_import(const struct import_case *a, size_t step)
{
    struct sinkhole_import *import;
    char names[4096] = "", notes[4096] = "", bad[256];
    size_t len = strlen(a->input);
    enum sinkhole_import_status status;

    assert_int_equal(sinkhole_import_new(settings, suffixes, &a->options, bad, &import),
                     SINKHOLE_IMPORT_OK);
    for (size_t at = 0; at < len; at += step)
        sinkhole_import_push(import, a->input + at, len - at < step ? len - at : step);
    status = sinkhole_import_finish(import);
    sinkhole_import_names(import, keep_name, names);
    sinkhole_import_notes(import, keep_note, notes);
    if (status != a->status || (a->names != NULL && strcmp(names, a->names) != 0) ||
        (a->notes != NULL && strcmp(notes, a->notes) != 0))
        fail_msg("%s: status %d\nnames:\n%snotes:\n%s", a->why, (int)status, names, notes);
    sinkhole_import_free(import);
}

static void test_imports(void **state)
{
#define SUB .scope = SINKHOLE_SCOPE_SUBTREE
#define TEXT .format = SINKHOLE_FORMAT_TEXT, SUB
    static const struct import_case cases[] = {
        {"sorted by key, merged, counted once",
         {SUB},
         "b.example\na.b.example\nb.example\na.com\n",
         SINKHOLE_IMPORT_OK,
         "com a 2\nexample b 2\nexample b a 2\n",
         ""},
        {"exact and below are united",
         {.scope = SINKHOLE_SCOPE_EXACT},
         "*.b.example\nb.example\n*.c.example\nd.example",
         SINKHOLE_IMPORT_OK,
         "example b 2\nexample c 1\nexample d 0\n",
         ""},
        {"what the guard refuses has line and reason",
         {SUB},
         "good.example\ncom\n.\ngov.vn\nx.gov.vn\ncom.vn\n",
         SINKHOLE_IMPORT_OK,
         "example good 2\n",
         "2 tld com\n3 root .\n4 protected gov.vn\n5 protected-below x.gov.vn\n6 public-suffix "
         "com.vn\n"},
        {"URL with a path is for review",
         {SUB},
         "good.example\nhttp://shared.example/x\n",
         SINKHOLE_IMPORT_OK,
         "example good 2\n",
         "2 url http://shared.example/x\n"},
        {"URLs skipped",
         {SUB, .urls = SINKHOLE_URLS_SKIP},
         "good.example\nhttp://shared.example/x\n",
         SINKHOLE_IMPORT_OK,
         "example good 2\n",
         ""},
        {"hosts of URLs taken, past the guard",
         {SUB, .urls = SINKHOLE_URLS_HOST},
         "http://shared.example/x\nhttp://blogspot.com/x\nhttp://192.0.2.1/x\n",
         SINKHOLE_IMPORT_OK,
         "example shared 2\n",
         "2 private-suffix http://blogspot.com/x\n3 url http://192.0.2.1/x\n"},
        {"the sender's own names",
         {TEXT},
         "evil[.]example\nncsc.gov.vn\nhttps://ais.gov.vn\nx[.]gov[.]vn",
         SINKHOLE_IMPORT_OK,
         "example evil 2\n",
         "2 protected-mention ncsc.gov.vn\n3 protected-mention https://ais.gov.vn\n4 "
         "protected-below x.gov.vn\n"},
        {"and exactly: only what was defanged",
         {.format = SINKHOLE_FORMAT_TEXT, .scope = SINKHOLE_SCOPE_EXACT},
         "ncsc.gov.vn\nx[.]gov[.]vn",
         SINKHOLE_IMPORT_OK,
         "vn gov x 0\n",
         "1 protected-mention ncsc.gov.vn\n"},
        {"plainly written names beside defanged ones: for review, in the order of lines",
         {TEXT},
         "see virustotal.com\nhttps://www.kaspersky.com/blog and microsoft.com.\nevil[.]example\n"
         "a..b[.]example github.com",
         SINKHOLE_IMPORT_OK,
         "example evil 2\n",
         "1 plain-mention virustotal.com\n2 url https://www.kaspersky.com/blog\n"
         "2 plain-mention microsoft.com\n4 empty-label a..b.example\n4 plain-mention github.com\n"},
        {"a defanged URL tells too",
         {TEXT},
         "hxxp://192.0.2.1/x good.com\nhxxps://evil[.]example/",
         SINKHOLE_IMPORT_OK,
         "example evil 2\n",
         "1 url http://192.0.2.1/x\n1 plain-mention good.com\n"},
        {"a URL's defanging alone leaves nothing",
         {TEXT},
         "hxxp://192.0.2.1/x good.com",
         SINKHOLE_IMPORT_EMPTY,
         "",
         "1 url http://192.0.2.1/x\n1 plain-mention good.com\n"},
        {"a mail address that is defanged tells nothing of names",
         {TEXT},
         "a[at]b[.]vn evil.com",
         SINKHOLE_IMPORT_OK,
         "com evil 2\n",
         "1 email a@b.vn\n"},
        {"a defanged address tells too",
         {TEXT},
         "good.com 192[.]0.2.1",
         SINKHOLE_IMPORT_EMPTY,
         "",
         "1 plain-mention good.com\n"},
        {"so does a defanged name that is broken over two lines",
         {TEXT},
         "good.com evil[.]\nexample",
         SINKHOLE_IMPORT_EMPTY,
         "",
         "1 broken evil.\n1 plain-mention good.com\n"},
        {"nothing defanged: taken",
         {TEXT},
         "evil.com, evil.net evil.com",
         SINKHOLE_IMPORT_OK,
         "com evil 2\nnet evil 2\n",
         ""},
        {"defanged here and plainly there: listed, said again",
         {TEXT},
         "evil.com\nevil[.]com\n",
         SINKHOLE_IMPORT_OK,
         "com evil 2\n",
         ""},
        {"a refused one that is defanged tells too",
         {TEXT},
         "x[.]gov[.]vn good.com evil.net",
         SINKHOLE_IMPORT_EMPTY,
         "",
         "1 protected-below x.gov.vn\n1 plain-mention good.com\n1 plain-mention evil.net\n"},
        {"hosts of plain URLs are mentions too",
         {TEXT, .urls = SINKHOLE_URLS_HOST},
         "https://good.com/x hxxp://evil[.]example/y",
         SINKHOLE_IMPORT_OK,
         "example evil 2\n",
         "1 plain-mention https://good.com/x\n"},
        {"all taken, as said",
         {TEXT, .undefanged = SINKHOLE_UNDEFANGED_TAKE},
         "good.com evil[.]example",
         SINKHOLE_IMPORT_OK,
         "com good 2\nexample evil 2\n",
         ""},
        {"all for review, as said",
         {TEXT, .undefanged = SINKHOLE_UNDEFANGED_REVIEW},
         "good.com evil[.]example ncsc.gov.vn",
         SINKHOLE_IMPORT_OK,
         "example evil 2\n",
         "1 undefanged good.com\n1 protected-mention ncsc.gov.vn\n"},
        {"a list is no letter",
         {SUB},
         "good.com\nevil[.]example\n",
         SINKHOLE_IMPORT_OK,
         "com good 2\nexample evil 2\n",
         ""},
        {"a provider's zone, allowed: exactly",
         {SUB, .allow_private_suffix = true},
         "blogspot.com\nevil.blogspot.com\nco.uk\n",
         SINKHOLE_IMPORT_OK,
         "com blogspot 0\ncom blogspot evil 2\n",
         "3 public-suffix co.uk\n"},
        {"control characters are escaped",
         {SUB},
         "good.example\na\033.example\nb.example\n",
         SINKHOLE_IMPORT_OK,
         NULL,
         "2 several-words a .example\n"},
        {"nothing", {SUB}, "", SINKHOLE_IMPORT_EMPTY, "", ""},
        {"comments only", {SUB}, "# a\n", SINKHOLE_IMPORT_EMPTY, "", ""},
        {"addresses only", {SUB}, "192.0.2.1\n", SINKHOLE_IMPORT_EMPTY, "", ""},
        {"all refused", {SUB}, "com\n", SINKHOLE_IMPORT_EMPTY, "", NULL},
        {"half of it dirt", {SUB}, "a.example\nx y\n", SINKHOLE_IMPORT_OK, "example a 2\n", NULL},
        {"more than half of it dirt",
         {SUB},
         "a.example\nx y\nz z\n",
         SINKHOLE_IMPORT_DIRTY,
         NULL,
         NULL},
        {"the same, forced",
         {SUB, .force_dirty = true},
         "a.example\nx y\nz z\n",
         SINKHOLE_IMPORT_OK,
         "example a 2\n",
         NULL},
        {"a hosts file as a plain list",
         {SUB},
         "0.0.0.0 a.example\n0.0.0.0 b.example\nc.example",
         SINKHOLE_IMPORT_DIRTY,
         NULL,
         NULL},
        {"prose is no dirt",
         {TEXT},
         "a b c\nd e f\ng h i\nevil[.]example\n",
         SINKHOLE_IMPORT_OK,
         "example evil 2\n",
         ""},
        {"web page", {SUB}, "<!doctype html>\n<p>evil.example\n", SINKHOLE_IMPORT_HTML, "", ""},
        {"CSV without column",
         {.format = SINKHOLE_FORMAT_CSV, SUB},
         "1,2\n",
         SINKHOLE_IMPORT_NO_COLUMN,
         "",
         ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        check_import(&cases[i], 100000);
        check_import(&cases[i], 1);
    }
}

static void test_limits(void **state)
{
    const struct sinkhole_import_options options = {.scope = SINKHOLE_SCOPE_SUBTREE};
    uint64_t most_names = settings->guard_most_names, most_mb = settings->guard_most_bytes_mb;
    struct sinkhole_import *import;
    static char block[1 << 20];
    char bad[256];

    (void)state;
    settings->guard_most_names = 2;
    assert_int_equal(sinkhole_import_new(settings, suffixes, &options, bad, &import), 0);
    sinkhole_import_push(import, "a.vn\nb.vn\n", 10);
    assert_int_equal(sinkhole_import_push(import, "c.vn\n", 5), SINKHOLE_IMPORT_NAMES);
    assert_int_equal(sinkhole_import_finish(import), SINKHOLE_IMPORT_NAMES);
    sinkhole_import_free(import);
    settings->guard_most_names = most_names;

    settings->guard_most_bytes_mb = 1;
    memset(block, '\n', sizeof(block));
    assert_int_equal(sinkhole_import_new(settings, suffixes, &options, bad, &import), 0);
    assert_int_equal(sinkhole_import_push(import, block, sizeof(block)), SINKHOLE_IMPORT_OK);
    assert_int_equal(sinkhole_import_push(import, "a.vn\n", 5), SINKHOLE_IMPORT_BYTES);
    sinkhole_import_free(import);
    settings->guard_most_bytes_mb = most_mb;
}

static void test_protected_file(void **state)
{
    static const struct {
        const char *why, *text, *bad;
    } cases[] = {
        {"names and comments", "# ours\nbank.example\n t\xc3\xaan.vn # x\n\n", NULL},
        {"not a name", "bank.example\na..b\n", "\"a..b\" is no domain name"},
    };
    const char *kept = settings->guard_protected_file;
    char path[] = "/tmp/sinkhole-test-XXXXXX", bad[256];
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    close(fd);
    settings->guard_protected_file = path;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        FILE *file = fopen(path, "w");
        struct feed_guard *guard;

        fputs(cases[i].text, file);
        fclose(file);
        guard = feed_guard_new(settings, suffixes, bad);
        if ((guard == NULL) != (cases[i].bad != NULL) ||
            (guard == NULL && strstr(bad, cases[i].bad) == NULL))
            fail_msg("%s: %s", cases[i].why, bad);
        feed_guard_free(guard);
    }
    unlink(path);
    assert_null(feed_guard_new(settings, suffixes, bad));
    assert_non_null(strstr(bad, "No such file"));
    settings->guard_protected_file = "/tmp"; /* opens, and reads as nothing */
    assert_null(feed_guard_new(settings, suffixes, bad));
    assert_non_null(strstr(bad, "directory"));
    settings->guard_protected_file = kept;
}

/* Random keys with long shared beginnings, against qsort. */
static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void test_order_is_that_of_octets(void **state)
{
    enum { COUNT = 20000 };
    static char keys[COUNT][64];
    static char *sorted[COUNT];
    struct feed_names names;
    size_t at = 0;

    (void)state;
    srandom(7);
    feed_names_init(&names, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        size_t len = 1 + (size_t)random() % 40;

        for (size_t j = 0; j < len; j++)
            keys[i][j] = "ab -"[(size_t)random() % (j < 24 ? 2 : 4)];
        if (random() % 2 == 0) /* long shared beginning */
            memcpy(keys[i], "aaaaaaaaaaaaaaaa", len < 16 ? len : 16);
        sorted[i] = keys[i];
        assert_int_equal(feed_names_add(&names, keys[i], len, SINKHOLE_SCOPE_EXACT), FEED_NAMES_OK);
    }
    assert_int_equal(feed_names_add(&names, "a", 1, SINKHOLE_SCOPE_EXACT), FEED_NAMES_FULL);
    feed_names_sort(&names, NULL, NULL);
    qsort(sorted, COUNT, sizeof(*sorted), compare);
    for (size_t i = 0; i < COUNT; i++) {
        enum sinkhole_scope scope;
        const char *key;
        size_t len;

        if (i > 0 && strcmp(sorted[i], sorted[i - 1]) == 0)
            continue;
        assert_true(at < names.count);
        key = feed_names_at(&names, at++, &len, &scope);
        assert_int_equal(len, strlen(sorted[i]));
        assert_memory_equal(key, sorted[i], len);
    }
    assert_int_equal(at, names.count);
    assert_int_equal(names.count + names.merged, COUNT);
    feed_names_done(&names);
}

static int setup(void **state)
{
    static char path[] = "/tmp/sinkhole-test-XXXXXX";
    char error[SINKHOLE_SETTINGS_ERROR_MAX];
    int fd = mkstemp(path);

    (void)state;
    dprintf(fd, "guard:\n  protected: [gov.vn, chinhphu.vn, deep.city.example]\n"
                "redis:\n  host: redis.home.example\nresolver:\n  name: r1\n");
    close(fd);
    settings = sinkhole_settings_load(path, error);
    unlink(path);
    if (settings == NULL)
        print_error("%s\n", error);
    suffixes = sinkhole_suffixes_open(DATA_DIR "/public_suffix_list.dat");
    return settings == NULL || suffixes == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    sinkhole_settings_free(settings);
    sinkhole_suffixes_close(suffixes);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_guard),
        cmocka_unit_test(test_imports),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_protected_file),
        cmocka_unit_test(test_order_is_that_of_octets),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
