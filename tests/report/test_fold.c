/* SPDX-License-Identifier: BSD-3-Clause */
/* Folding, and what a row says in each format. Threads and memory: a test. */
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

static char units_path[] = "/tmp/test_fold.XXXXXX";
static struct sinkhole_unit_file *units;

static void add(struct sinkhole_fold *fold, const char *client, const char *indicator, int64_t ms,
                uint32_t count)
{
    struct sinkhole_stored_hit hit;

    sample_hit(&hit, client, indicator, NULL, ms, count);
    assert_true(sinkhole_fold_add(fold, &hit));
}

static const struct {
    const char *client, *indicator;
    int64_t ms;
    uint32_t count;
} hits[] = {
    {"10.1.0.9", "b.example", SAMPLE_START + 10, 1},
    {"10.1.0.9", "b.example", SAMPLE_START + 20, 5},
    {"10.1.0.9", "b.example", SAMPLE_START + 5, 2}, /* another lane: earlier, read later */
    {"10.1.0.9", "b.example", SAMPLE_START + HOUR, 1},
    {"10.1.0.9", "a.example", SAMPLE_START, 1},
    {"10.1.0.10", "b.example", SAMPLE_START, 1},
    {"192.0.2.7", "b.example", SAMPLE_START, 9}, /* nobody's */
    {"10.0.0.1", "b.example", SAMPLE_START, 4},
    {"2001:db8:1::1", "b.example", SAMPLE_START, 1},
};

static const struct {
    const char *unit, *client, *indicator;
    int64_t first, last;
    uint64_t count;
} folded[] = {
    {"bo", "10.0.0.1", "b.example", 0, 0, 4},     {"so-yt", "10.1.0.9", "a.example", 0, 0, 1},
    {"so-yt", "10.1.0.9", "b.example", 5, 20, 8}, {"so-yt", "10.1.0.9", "b.example", HOUR, HOUR, 1},
    {"so-yt", "10.1.0.10", "b.example", 0, 0, 1}, {"so-yt", "2001:db8:1::1", "b.example", 0, 0, 1},
    {NULL, "192.0.2.7", "b.example", 0, 0, 9},
};

static void test_fold(void **state)
{
    struct sinkhole_fold *fold = sinkhole_fold_new(units, NULL);
    struct sinkhole_report_row row;
    char text[SINKHOLE_NAME_TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof hits / sizeof *hits; i++)
        add(fold, hits[i].client, hits[i].indicator, hits[i].ms, hits[i].count);
    assert_true(sinkhole_fold_finish(fold));
    assert_int_equal(sinkhole_fold_hits(fold), 25);
    assert_int_equal(sinkhole_fold_count(fold), sizeof folded / sizeof *folded);
    for (size_t i = 0; i < sizeof folded / sizeof *folded; i++) {
        sinkhole_fold_row(fold, i, &row);
        if (folded[i].unit == NULL)
            assert_null(row.unit);
        else
            assert_string_equal(row.unit->id, folded[i].unit);
        sinkhole_address_to_text(&row.hit->client, text, sizeof text);
        assert_string_equal(text, folded[i].client);
        sinkhole_name_to_text(&row.hit->indicator, text, sizeof text);
        assert_string_equal(text, folded[i].indicator);
        assert_int_equal(row.first_ms, SAMPLE_START + folded[i].first);
        assert_int_equal(row.last_ms, SAMPLE_START + folded[i].last);
        assert_int_equal(row.count, folded[i].count);
        assert_string_equal(row.resolver, "r1");
        assert_int_equal(strtoll(row.id, NULL, 10), row.first_ms);
    }
    sinkhole_fold_free(fold);
    sinkhole_fold_free(NULL);
}

static void test_one_unit(void **state)
{
    struct sinkhole_fold *fold = sinkhole_fold_new(units, sinkhole_unit_file_find(units, "bo"));

    (void)state;
    for (size_t i = 0; i < sizeof hits / sizeof *hits; i++)
        add(fold, hits[i].client, hits[i].indicator, hits[i].ms, hits[i].count);
    assert_true(sinkhole_fold_finish(fold));
    assert_int_equal(sinkhole_fold_count(fold), 1);
    assert_int_equal(sinkhole_fold_hits(fold), 4);
    sinkhole_fold_free(fold);
}

static void test_empty(void **state)
{
    struct sinkhole_fold *fold = sinkhole_fold_new(NULL, NULL);

    (void)state;
    assert_true(sinkhole_fold_finish(fold));
    assert_int_equal(sinkhole_fold_count(fold), 0);
    sinkhole_fold_free(fold);
}

/* --- formats
 * ------------------------------------------------------------------------------------------ */

static void row_text(const struct sinkhole_report_row *row,
                     void (*write)(const struct sinkhole_report_row *row, FILE *out), char *buf,
                     size_t size)
{
    FILE *out = fmemopen(buf, size, "w");

    assert_non_null(out);
    write(row, out);
    fclose(out);
}

static void test_formats(void **state)
{
    static struct sinkhole_provenance from = {.batch = {.rule = {.severity = 3, .confidence = 90},
                                                        .feed = "authority",
                                                        .reference = "799/BTTTT-CATTT",
                                                        .family = "=cmd|calc",
                                                        .category = "c2",
                                                        .tlp = "amber"}};
    struct sinkhole_suffixes *suffixes = sinkhole_suffixes_open(DATA_DIR "/public_suffix_list.dat");
    struct sinkhole_fold *fold = sinkhole_fold_new(units, NULL);
    struct sinkhole_stored_hit hit;
    struct sinkhole_report_row row;
    char text[4096];
    /* a label with a comma, a quotation mark, an escape and a blank */
    static const uint8_t wire[] = "\x07"
                                  ",\"\x1b[ =1"
                                  "\x04"
                                  "evil"
                                  "\x03"
                                  "com"
                                  "\x02"
                                  "vn";

    (void)state;
    sample_hit(&hit, "10.1.0.9", "evil.com.vn", NULL, SAMPLE_START + 1234, 3);
    hit.hit.qtype = 65;
    hit.hit.transport = SINKHOLE_TRANSPORT_DOT;
    assert_int_equal(sinkhole_name_from_wire(wire, sizeof wire, &hit.hit.qname), SINKHOLE_NAME_OK);
    assert_true(sinkhole_fold_add(fold, &hit) && sinkhole_fold_finish(fold));
    sinkhole_fold_row(fold, 0, &row);
    row.from = &from;
    row.suffixes = suffixes;
    row_text(&row, sinkhole_report_csv, text, sizeof text);
    assert_string_equal(
        text,
        "2026-11-24 00:00:01,tcp,10.1.0.9,40000,,,,,,,,,,,high,\"'=cmd|calc\",\"'=cmd|calc\","
        "c2,HTTPS,\",\\\"\"\\027[\\032=1.evil.com.vn\",3\r\n");
    row_text(&row, sinkhole_report_json, text, sizeof text);
    assert_string_equal(
        text,
        "{\"event_id\":\"r1/0/1795478401234-1\",\"first_seen\":\"2026-11-24T00:00:01.234Z\","
        "\"last_seen\":\"2026-11-24T00:00:01.234Z\",\"count\":3,\"client_ip\":\"10.1.0.9\","
        "\"client_port\":40000,\"client_source\":\"socket\",\"unit_id\":\"so-yt\",\"network\":"
        "\"10.1.0.0/"
        "16\",\"transport\":\"dot\",\"qname\":\",\\\\\\\"\\\\027[\\\\032=1.evil.com.vn\","
        "\"qtype\":\"HTTPS\",\"registered_domain\":\"evil.com.vn\",\"action\":\"address\","
        "\"answer\":"
        "\"192.0.2.1\",\"indicator\":\"evil.com.vn\",\"feed\":\"authority\",\"reference\":"
        "\"799/BTTTT-CATTT\",\"family\":\"=cmd|calc\",\"category\":\"c2\",\"confidence\":90,"
        "\"severity\":3,\"generation\":3,\"resolver\":\"r1\",\"tlp\":\"amber\"}\n");
    from.classified = true;
    row_text(&row, sinkhole_report_json, text, sizeof text);
    assert_null(strstr(text, "799"));
    sinkhole_fold_free(fold);
    sinkhole_suffixes_close(suffixes);
}

static void test_head(void **state)
{
    char text[1024];
    FILE *out = fmemopen(text, sizeof text, "w");

    (void)state;
    sinkhole_report_csv_head(out);
    fclose(out);
    assert_string_equal(text,
                        "timestamp,protocol,src_ip,src_port,src_asn,src_geo,src_region,src_city,"
                        "src_hostname,src_naics,src_sector,device_vendor,device_type,device_model,"
                        "severity,infection,family,tag,query_type,query,count\r\n");
}

static int setup(void **state)
{
    char error[SINKHOLE_REPORT_ERROR_MAX];
    int fd = mkstemp(units_path);
    static const char csv[] = "unit_id,name,prefixes\nbo,Bộ,10.0.0.0/8\n"
                              "so-yt,Sở,10.1.0.0/16 2001:db8:1::/48\n";

    (void)state;
    if (fd < 0 || write(fd, csv, sizeof csv - 1) < 0 || close(fd) != 0)
        return -1;
    units = sinkhole_unit_file_load(units_path, error);
    return units == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    sinkhole_unit_file_free(units);
    return unlink(units_path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fold),  cmocka_unit_test(test_one_unit),
        cmocka_unit_test(test_empty), cmocka_unit_test(test_formats),
        cmocka_unit_test(test_head),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
