/* SPDX-License-Identifier: BSD-3-Clause */
/* The units file: what it accepts, and what it says when it does not. Threads and memory: a test.
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

#include "sinkhole/report.h"

static char path[] = "/tmp/test_units.XXXXXX";
static char error[SINKHOLE_REPORT_ERROR_MAX];

static struct sinkhole_unit_file *load_octets(const char *csv, size_t len)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(csv, 1, len, file), len);
    fclose(file);
    return sinkhole_unit_file_load(path, error);
}

static struct sinkhole_unit_file *load(const char *csv)
{
    return load_octets(csv, strlen(csv));
}

static const char *owner(const struct sinkhole_unit_file *file, const char *address)
{
    struct sinkhole_address parsed;
    struct sinkhole_prefix network;
    const struct sinkhole_unit *unit;

    assert_true(sinkhole_address_from_text(address, strlen(address), &parsed));
    unit = sinkhole_unit_file_owner(file, &parsed, &network);
    return unit != NULL ? unit->id : "-";
}

#define HEAD "unit_id,name,prefixes\n"

static const struct {
    const char *why, *csv, *place, *says;
} refused[] = {
    {"empty file", "", ":1:1: ", "no header"},
    {"unknown column", "unit_id,name,prefixs\n", ":1:14: ", "did you mean \"prefixes\"?"},
    {"strange column", "unit_id,name,prefixes,colour_of_door\n", ":1:23: ", "known are unit_id"},
    {"column twice", "unit_id,name,prefixes,name\n", ":1:23: ", "twice"},
    {"column missing", "unit_id,name\n", ":1:1: ", "\"prefixes\" is missing"},
    {"host bits", HEAD "a,A,10.0.0.1/8\n", ":2:5: ", "\"10.0.0.1/8\" is no prefix"},
    {"second prefix wrong", HEAD "a,A,10.0.0.0/8; x\n", ":2:17: ", "\"x\" is no prefix"},
    {"no prefix", HEAD "a,A,\n", ":2:5: ", "no prefix"},
    {"two owners", HEAD "a,A,10.0.0.0/8\nb,B,10.0.0.0/8\n", ":3:5: ", "belongs to unit \"a\""},
    {"id with a slash", HEAD "a/b,A,10.0.0.0/8\n", ":2:1: ", "expected A-Z a-z"},
    {"id that hides", HEAD "..,A,10.0.0.0/8\n", ":2:1: ", "no dot first"},
    {"reserved id", HEAD "unassigned,A,10.0.0.0/8\n", ":2:1: ", "nobody owns"},
    {"no id", HEAD ",A,10.0.0.0/8\n", ":2:1: ", "unit_id is empty"},
    {"no name", HEAD "a,,10.0.0.0/8\n", ":1:1: ", "has no name"},
    {"too few fields", HEAD "a,A\n", ":2:1: ", "2 fields, but the header has 3"},
    {"too many fields", HEAD "a,A, B,10.0.0.0/8\n", ":2:1: ", "4 fields"},
    {"name differs", HEAD "a,A,10.0.0.0/8\na,B,11.0.0.0/8\n", ":3:3: ", "differs"},
    {"quote inside", HEAD "a,A\"B,10.0.0.0/8\n", ":2:4: ", "quotation mark"},
    {"quote left open", HEAD "a,\"A,10.0.0.0/8\nb,B,c\n", ":2:3: ", "never closed"},
    {"after a closing quote", HEAD "a,\"A\"x,10.0.0.0/8\n", ":2:6: ", "quotation mark"},
    {"not UTF-8", HEAD "a,\xff\xff,10.0.0.0/8\n", ":2:3: ", "CSV UTF-8"},
    {"UTF-16", "\xff\xfeu", ":1:1: ", "UTF-16"},
    {"language", "unit_id,name,prefixes,language\na,A,10.0.0.0/8,fr\n", ":2:16: ", "vi or en"},
    {"column counted in characters", HEAD "đ,A,10.0.0.0/8\n", ":2:1: ", "\"đ\""},
    {"escape sequence shown harmless", HEAD "a,A,\x1b[31m\n", ":2:5: ", "\\u{1b}[31m"},
};

static void test_refused(void **state)
{
    char begins[128];

    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        if (load(refused[i].csv) != NULL)
            fail_msg("%s: accepted", refused[i].why);
        snprintf(begins, sizeof begins, "%s%s", path, refused[i].place);
        if (strncmp(error, begins, strlen(begins)) != 0 || strstr(error, refused[i].says) == NULL)
            fail_msg("%s: \"%s\", expected %s and \"%s\"", refused[i].why, error, begins,
                     refused[i].says);
    }
    assert_null(load_octets(HEAD "a\0,A,10.0.0.0/8\n", sizeof(HEAD "a\0,A,10.0.0.0/8\n") - 1));
    assert_non_null(strstr(error, "octet 0"));
    assert_null(sinkhole_unit_file_load("/nonexistent/units.csv", error));
    assert_string_equal(error, "/nonexistent/units.csv: cannot be read: No such file or directory");
}

static void test_accepted(void **state)
{
    struct sinkhole_unit_file *file =
        load("\xef\xbb\xbf"
             "unit_id,name,prefixes,contact,phone,note\r\n"
             "so-yt,\"Sở Y tế, Hà Nội\",10.1.0.0/16; 2001:db8:1::/48,\"Bà \"\"An\"\"\",024,x\r\n"
             "\r\n"
             "bo,Bộ,10.0.0.0/8,,,\r\n"
             "so-yt,,10.2.3.4,,024,\r\n");
    const struct sinkhole_unit *unit;

    (void)state;
    if (file == NULL)
        fail_msg("%s", error);
    assert_int_equal(sinkhole_unit_file_count(file), 2);
    unit = sinkhole_unit_file_find(file, "so-yt");
    assert_non_null(unit);
    assert_string_equal(unit->name, "Sở Y tế, Hà Nội");
    assert_string_equal(unit->contact, "Bà \"An\"");
    assert_string_equal(unit->phone, "024");
    assert_string_equal(unit->email, "");
    assert_int_equal(unit->prefixes, 3);
    assert_null(sinkhole_unit_file_find(file, "so"));
    assert_string_equal(owner(file, "10.1.2.3"), "so-yt");
    assert_string_equal(owner(file, "10.2.3.4"), "so-yt");
    assert_string_equal(owner(file, "10.2.3.5"), "bo");
    assert_string_equal(owner(file, "2001:db8:1::7"), "so-yt");
    assert_string_equal(owner(file, "192.0.2.1"), "-");
    assert_string_equal(owner(NULL, "192.0.2.1"), "-");
    sinkhole_unit_file_free(file);
}

/* Excel in a Vietnamese system separates by semicolons; the last line may lack its end. */
static void test_semicolons(void **state)
{
    struct sinkhole_unit_file *file =
        load("unit_id;name;prefixes\na;A;\"10.0.0.0/8;11.0.0.0/8\"\nb;B;12.0.0.0/8 13.0.0.0/8");

    (void)state;
    if (file == NULL)
        fail_msg("%s", error);
    assert_string_equal(owner(file, "11.0.0.1"), "a");
    assert_string_equal(owner(file, "13.0.0.1"), "b");
    sinkhole_unit_file_free(file);
}

static int setup(void **state)
{
    int fd = mkstemp(path);

    (void)state;
    return fd < 0 || close(fd) != 0 ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_accepted),
        cmocka_unit_test(test_semicolons),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
