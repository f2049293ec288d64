/* SPDX-License-Identifier: BSD-3-Clause */
/* A unit's report as files: what the page says, what it must not hold. Threads and memory: a test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/report/sample.h"

#define HOUR 3600000LL
#define PAGE_MAX (4u << 20)

static char directory[] = "/tmp/test_write.XXXXXX";
static struct sinkhole_unit_file *units;
static char page[PAGE_MAX];

/* Writes in one format and reads it back. */
static const char *write_back(struct sinkhole_report *report, enum sinkhole_report_format format,
                              const char *expected_name)
{
    char path[4096], expected[4096], error[SINKHOLE_REPORT_ERROR_MAX] = "";
    size_t len;
    FILE *in;

    if (!sinkhole_report_write(report, format, directory, path, sizeof path, error))
        fail_msg("%s", error);
    snprintf(expected, sizeof expected, "%s/%s", directory, expected_name);
    assert_string_equal(path, expected);
    in = fopen(path, "r");
    assert_non_null(in);
    len = fread(page, 1, PAGE_MAX - 1, in);
    page[len] = '\0';
    fclose(in);
    unlink(path);
    return page;
}

static void has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("\"%s\" is not in the page", part);
}

static void has_not(const char *text, const char *part)
{
    if (strstr(text, part) != NULL)
        fail_msg("\"%s\" is in the page", part);
}

static void test_page(void **state)
{
    struct sinkhole_settings settings = {.report_organisation = "Bộ <Thử> Nghiệm",
                                         .report_contact = "024 1234"};
    struct sinkhole_report report = {.settings = &settings,
                                     .unit = sinkhole_unit_file_find(units, "so-yt"),
                                     .provenances = sinkhole_provenances_new(NULL),
                                     .fold = sinkhole_fold_new(units, NULL),
                                     .since_ms = SAMPLE_START - 24 * HOUR,
                                     .until_ms = SAMPLE_START + 24 * HOUR,
                                     .made_ms = SAMPLE_START + 24 * HOUR,
                                     .generation = 12};
    struct sinkhole_stored_hit hit;
    static const uint8_t wire[] = "\x08"
                                  "<script>"
                                  "\x04"
                                  "evil"
                                  "\x07"
                                  "example";
    const char *text;

    (void)state;
    sample_hit(&hit, "10.1.0.9", "evil.example", NULL, SAMPLE_START, 1234);
    assert_int_equal(sinkhole_name_from_wire(wire, sizeof wire, &hit.hit.qname), SINKHOLE_NAME_OK);
    assert_true(sinkhole_fold_add(report.fold, &hit));
    sample_hit(&hit, "10.1.0.9", "thủđô.vn", NULL, SAMPLE_START + 3 * HOUR, 1);
    hit.hit.action = SINKHOLE_ACTION_MONITOR;
    assert_true(sinkhole_fold_add(report.fold, &hit));
    sample_hit(&hit, "2001:db8:1::5", "evil.example", NULL, SAMPLE_START, 1);
    assert_true(sinkhole_fold_add(report.fold, &hit) && sinkhole_fold_finish(report.fold));
    report.end = sinkhole_fold_count(report.fold);
    text = write_back(&report, SINKHOLE_REPORT_HTML, "2026-11-24-event4_sinkhole_dns-so-yt.html");
    has(text, "<html lang=\"vi\">");
    has(text, "Bộ &lt;Thử&gt; Nghiệm");
    has(text, "Sở &quot;Y tế&quot;");
    has(text, "Máy <code>10.1.0.9</code> (dải 10.1.0.0/16)");
    has(text, "Máy <code>2001:db8:1::5</code> (dải 2001:db8:1::/48)");
    has(text, "<b>2</b>máy");
    has(text, "<b>1.236</b>lượt tra cứu");
    has(text, "evil[.]example");
    has(text, "&lt;script&gt;[.]evil[.]example");
    has(text, "xn--th-9ja9i637n[.]vn</code> (thủđô[.]vn)");
    has(text, "24/11/2026 07:00:00"); /* Vietnam's time */
    has(text, "chỉ theo dõi, chưa chặn");
    has(text, "<svg class=\"strip\"");
    has(text, "<title>7h: 1234</title>");
    has(text, "024 1234");
    has(text, "Ông Ân");
    has(text, "Việc cần làm");
    has(text, "@media print");
    has(text, "Phiên bản danh sách khi lập báo cáo: 12");
    has_not(text, "<script");
    has_not(text, "evil.example");
    has_not(text, "thủđô.vn");
    has_not(text, "http:");
    has_not(text, "https:");
    text = write_back(&report, SINKHOLE_REPORT_CSV, "2026-11-24-event4_sinkhole_dns-so-yt.csv");
    has(text, "timestamp,protocol,src_ip");
    has(text, ",1234\r\n");
    text = write_back(&report, SINKHOLE_REPORT_JSONL, "2026-11-24-event4_sinkhole_dns-so-yt.jsonl");
    has(text, "\"client_ip\":\"2001:db8:1::5\"");
    sinkhole_fold_free(report.fold);
    sinkhole_provenances_free(report.provenances);
}

/* No hits: a page all the same, which says so. Nobody's addresses have a name of their own. */
static void test_quiet(void **state)
{
    struct sinkhole_settings settings = {.report_organisation = "", .report_contact = ""};
    struct sinkhole_report report = {.settings = &settings,
                                     .provenances = sinkhole_provenances_new(NULL),
                                     .fold = sinkhole_fold_new(units, NULL),
                                     .since_ms = SAMPLE_START,
                                     .until_ms = SAMPLE_START + 1,
                                     .made_ms = SAMPLE_START};
    const char *text;

    (void)state;
    assert_true(sinkhole_fold_finish(report.fold));
    text =
        write_back(&report, SINKHOLE_REPORT_HTML, "2026-11-24-event4_sinkhole_dns-unassigned.html");
    has(text, "không máy nào của đơn vị tra cứu");
    has(text, "Địa chỉ chưa rõ đơn vị quản lý");
    sinkhole_fold_free(report.fold);
    sinkhole_provenances_free(report.provenances);
}

/* More machines and names than a page holds: it says how many are missing, and stays small. */
static void test_many(void **state)
{
    struct sinkhole_settings settings = {.report_organisation = "", .report_contact = ""};
    struct sinkhole_report report = {.settings = &settings,
                                     .unit = sinkhole_unit_file_find(units, "so-yt"),
                                     .provenances = sinkhole_provenances_new(NULL),
                                     .fold = sinkhole_fold_new(units, NULL),
                                     .since_ms = SAMPLE_START,
                                     .until_ms = SAMPLE_START + 60 * 24 * HOUR,
                                     .made_ms = SAMPLE_START};
    struct sinkhole_stored_hit hit;
    char client[32], name[32];
    const char *text;

    (void)state;
    for (int i = 0; i < 700; i++) {
        snprintf(client, sizeof client, "10.1.%d.%d", i / 250, i % 250);
        sample_hit(&hit, client, "evil.example", NULL, SAMPLE_START, 1);
        assert_true(sinkhole_fold_add(report.fold, &hit));
    }
    for (int i = 0; i < 80; i++) {
        snprintf(name, sizeof name, "n%d.example", i);
        sample_hit(&hit, "10.1.0.0", name, NULL, SAMPLE_START + 59 * 24 * HOUR, 1);
        assert_true(sinkhole_fold_add(report.fold, &hit));
    }
    assert_true(sinkhole_fold_finish(report.fold));
    report.end = sinkhole_fold_count(report.fold);
    text = write_back(&report, SINKHOLE_REPORT_HTML, "2027-01-22-event4_sinkhole_dns-so-yt.html");
    has(text, "<b>700</b>máy");
    has(text, "Còn 200 máy nữa");
    has(text, "Còn 31 tên miền nữa");
    has(text, "81 tên miền");
    sinkhole_fold_free(report.fold);
    sinkhole_provenances_free(report.provenances);
}

static void test_no_directory(void **state)
{
    struct sinkhole_settings settings = {.report_organisation = "", .report_contact = ""};
    struct sinkhole_report report = {.settings = &settings, .until_ms = SAMPLE_START};
    char path[4096], error[SINKHOLE_REPORT_ERROR_MAX] = "";

    (void)state;
    assert_false(sinkhole_report_write(&report, SINKHOLE_REPORT_CSV, "/nonexistent", path,
                                       sizeof path, error));
    assert_non_null(strstr(error, "cannot be written: No such file or directory"));
}

static int setup(void **state)
{
    char error[SINKHOLE_REPORT_ERROR_MAX], path[64];
    static const char csv[] = "unit_id,name,prefixes,contact\nbo,Bộ,10.0.0.0/8,\n"
                              "so-yt,\"Sở \"\"Y tế\"\"\",10.1.0.0/16 2001:db8:1::/48,Ông Ân\n";
    FILE *file;

    (void)state;
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/units.csv", directory);
    file = fopen(path, "w");
    if (file == NULL || fputs(csv, file) < 0 || fclose(file) != 0)
        return -1;
    units = sinkhole_unit_file_load(path, error);
    unlink(path);
    return units == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    sinkhole_unit_file_free(units);
    return rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_page),
        cmocka_unit_test(test_quiet),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_no_directory),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
