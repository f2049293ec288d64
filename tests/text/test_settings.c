/* SPDX-License-Identifier: BSD-3-Clause */
/* The settings file: what it accepts, and what it says when it does not. Threads and memory: a
 * test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "sinkhole/settings.h"

static char path[] = "/tmp/test_settings.XXXXXX";
static char error[SINKHOLE_SETTINGS_ERROR_MAX];

static struct sinkhole_settings *load(const char *yaml)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(yaml, 1, strlen(yaml), file), strlen(yaml));
    fclose(file);
    memset(error, 0, sizeof error);
    return sinkhole_settings_load(path, error);
}

static const struct {
    const char *why;
    const char *yaml;
    int line;
    const char *says[4]; /* each of them */
} refused[] = {
    {"too large",
     "redis:\n  socket: a\n  port: 65536\n",
     3,
     {"redis.port", "\"65536\"", "a number from 1 to 65535", "TCP port"}},
    {"too small", "redis:\n  port: 0\n", 2, {"redis.port", "\"0\"", "from 1"}},
    {"negative", "redis:\n  port: -5\n", 2, {"redis.port", "\"-5\""}},
    {"a letter for a digit", "keep:\n  hits_days: 1OO\n", 2, {"keep.hits_days", "\"1OO\""}},
    {"a unit behind", "keep:\n  hits_days: 100d\n", 2, {"keep.hits_days", "\"100d\""}},
    {"an exponent", "redis:\n  port: 1e3\n", 2, {"redis.port", "\"1e3\""}},
    {"octal", "redis:\n  port: 010\n", 2, {"redis.port", "\"010\""}},
    {"hexadecimal", "redis:\n  port: 0x50\n", 2, {"redis.port", "\"0x50\""}},
    {"beyond 64 bits", "redis:\n  port: 18446744073709551697\n", 2, {"redis.port", "to 65535"}},
    {"a second document", "redis:\n  port: 1\n---\nredis:\n  port: 2\n", 3, {"second"}},
    {"a second one that is no YAML", "redis:\n  port: 1\n---\n\ta\n", 0, {"second"}},
    {"no number", "redis:\n  database: x1\n", 2, {"redis.database", "\"x1\"", "from 0 to 15"}},
    {"empty number", "answer:\n  ttl_s:\n", 2, {"answer.ttl_s", "\"\""}},
    {"a list for a number", "answer:\n  ttl_s: [1]\n", 2, {"answer.ttl_s", "a list", "a number"}},
    {"keys for a text",
     "redis:\n  socket:\n    a: b\n",
     3,
     {"redis.socket", "keys below it", "a text"}},
    {"a text for a list",
     "guard:\n  protected: gov.vn\n",
     2,
     {"guard.protected", "a single value", "a list"}},
    {"key misspelt",
     "redis:\n  socket: x\n  prot: 1\n",
     3,
     {"redis.prot", "no such key", "did you mean \"port\"?"}},
    {"key from nowhere",
     "redis:\n  colour: 1\n",
     2,
     {"redis.colour", "expected one of: socket host"}},
    {"section misspelt",
     "# x\n\nredis:\nresolvr:\n  name: a\n",
     4,
     {"resolvr", "no such section", "\"resolver\""}},
    {"section from nowhere", "weather: 1\n", 1, {"expected one of: redis resolver"}},
    {"given twice", "redis:\n  port: 1\n  port: 2\n", 3, {"redis.port", "twice"}},
    {"section twice", "redis:\n  port: 1\nredis:\n  port: 2\n", 3, {"redis", "twice"}},
    {"no word of the list",
     "answer:\n  action: blok\n",
     2,
     {"answer.action", "\"blok\"", "one of address, nxdomain, nodata, drop, monitor"}},
    {"no IPv4 address", "answer:\n  ipv4: 10.0.0.256\n", 2, {"answer.ipv4", "an IPv4 address"}},
    {"IPv6 for IPv4", "answer:\n  ipv4: \"::1\"\n", 2, {"answer.ipv4", "an IPv4 address"}},
    {"IPv4 for IPv6", "answer:\n  ipv6: 127.0.0.1\n", 2, {"answer.ipv6", "an IPv6 address"}},
    {"resolver's name", "resolver:\n  name: Ha Noi\n", 2, {"resolver.name", "a-z 0-9"}},
    {"protected name",
     "guard:\n  protected: [gov.vn, \"a b\"]\n",
     2,
     {"guard.protected", "\"a b\""}},
    {"tab", "redis:\n\tport: 1\n", 2, {"not YAML", "column 1"}},
    {"quote left open", "redis:\n  socket: \"x\n", 3, {"not YAML"}},
    {"a text at the top", "hello\n", 1, {"sections"}},
    {"anchors", "redis:\n  socket: &a x\n  host: *a\n", 0, {"expected"}},
    {"escape sequence in a key", "redis:\n  \"a\\eb\": 1\n", 2, {"a?b"}},
};

static void test_refused(void **state)
{
    char where[64];

    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct sinkhole_settings *settings = load(refused[i].yaml);

        if (settings != NULL)
            fail_msg("%s: accepted", refused[i].why);
        snprintf(where, sizeof where, "%s:%d: ", path, refused[i].line);
        if (refused[i].line != 0 && strncmp(error, where, strlen(where)) != 0)
            fail_msg("%s: \"%s\" does not begin with %s", refused[i].why, error, where);
        for (size_t n = 0; n < 4 && refused[i].says[n] != NULL; n++)
            if (strstr(error, refused[i].says[n]) == NULL)
                fail_msg("%s: \"%s\" does not say %s", refused[i].why, error, refused[i].says[n]);
        assert_null(strchr(error, '\n'));
        if (getenv("SHOW") != NULL)
            fprintf(stderr, "%s\n", error);
    }
}

static const char *const empty[] = {"", "# nothing\n", "redis:\n", "redis: {}\nkeep:\n", "---\n"};

static void test_defaults(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++) {
        struct sinkhole_settings *settings = load(empty[i]);

        if (settings == NULL)
            fail_msg("%zu: %s", i, error);
        assert_int_equal(settings->redis_port, 6379);
        assert_string_equal(settings->redis_host, "");
        assert_string_equal(settings->answer_action, "address");
        assert_int_equal(settings->guard_protected.count, 3);
        assert_string_equal(settings->guard_protected.items[1], "chinhphu.vn");
        assert_true(strlen(settings->resolver_name) > 0);
        assert_true(strlen(settings->resolver_directory) > 0);
        sinkhole_settings_free(settings);
    }
}

static void test_values(void **state)
{
    struct sinkhole_settings *settings =
        load("redis: {host: \"::1\", port: 7000}\n"
             "resolver: {name: hn-1.example, directory: /x}\n"
             "answer: {ipv4: 192.0.2.1, ipv6: \"2001:db8::1\", action: nodata, ttl_s: 0}\n"
             "guard: {protected: [thủđô.vn], protected_file: }\n"
             "report: {organisation: \"Bộ Thử Nghiệm\"}\n");

    (void)state;
    if (settings == NULL)
        fail_msg("%s", error);
    assert_string_equal(settings->redis_socket, "");
    assert_string_equal(settings->redis_host, "::1");
    assert_int_equal(settings->redis_port, 7000);
    assert_string_equal(settings->resolver_name, "hn-1.example");
    assert_string_equal(settings->resolver_directory, "/x");
    assert_string_equal(settings->answer_action, "nodata");
    assert_int_equal(settings->answer_ttl_s, 0);
    assert_int_equal(settings->guard_protected.count, 1);
    assert_string_equal(settings->guard_protected.items[0], "thủđô.vn");
    assert_string_equal(settings->report_organisation, "Bộ Thử Nghiệm");
    sinkhole_settings_free(settings);
}

static void test_sample(void **state)
{
    static char sample[65536];
    FILE *file = fmemopen(sample, sizeof sample, "w");
    struct sinkhole_settings *settings, *standard = load("");
    char *out = sample;

    (void)state;
    assert_non_null(file);
    sinkhole_settings_sample(file);
    fclose(file);
    settings = load(sample);
    if (settings == NULL)
        fail_msg("the sample as it is: %s", error);
    sinkhole_settings_free(settings);
    /* every default taken as a value: "#key: x" loses its # */
    for (const char *in = sample; *in != '\0'; in++)
        if (*in != '#' || in[1] == ' ')
            *out++ = *in;
    *out = '\0';
    settings = load(sample);
    if (settings == NULL)
        fail_msg("the sample with every line in force: %s", error);
#define SINKHOLE_SECTION(section, help)
#define SINKHOLE_TEXT(section, key, def, help)                                                     \
    assert_string_equal(settings->section##_##key, standard->section##_##key);
#define SINKHOLE_UINT(section, key, def, min, max, help)                                           \
    assert_int_equal(settings->section##_##key, standard->section##_##key);
#define SINKHOLE_BOOL SINKHOLE_UINT
#define SINKHOLE_LIST(section, key, def, most, help)                                               \
    assert_int_equal(settings->section##_##key.count, standard->section##_##key.count);
#define SINKHOLE_ENUM(section, key, def, words, help)                                              \
    assert_string_equal(settings->section##_##key, standard->section##_##key);
#include "sinkhole/settings.def"
    sinkhole_settings_free(settings);
    sinkhole_settings_free(standard);
}

static void test_files(void **state)
{
    struct sinkhole_settings *settings;

    (void)state;
    assert_null(sinkhole_settings_load("/nonexistent/sinkhole.yaml", error));
    assert_string_equal(error,
                        "/nonexistent/sinkhole.yaml: cannot be read: No such file or directory");
    assert_null(sinkhole_settings_load("/", error));
    assert_non_null(strstr(error, "cannot be read"));
    setenv("SINKHOLE_CONFIG", "/nonexistent/x.yaml", 1);
    assert_null(sinkhole_settings_load(NULL, error));
    assert_non_null(strstr(error, "/nonexistent/x.yaml"));
    sinkhole_settings_free(load("redis: {port: 17}\n"));
    setenv("SINKHOLE_CONFIG", path, 1);
    settings = sinkhole_settings_load(NULL, error);
    assert_non_null(settings);
    assert_int_equal(settings->redis_port, 17);
    sinkhole_settings_free(settings);
    unsetenv("SINKHOLE_CONFIG");
    sinkhole_settings_free(NULL);
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
        cmocka_unit_test(test_refused), cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_values),  cmocka_unit_test(test_sample),
        cmocka_unit_test(test_files),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
