/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Publishers killed, Redis killed, answers lost, at every step of a publication: the list is what
 * it was or what it was to be, proved, and a publisher that lives knows which.
 */
#include "tests/store/redis_help.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/store/proxy.h"

static struct redis redis;
static struct sinkhole_store *store; /* straight to Redis */

/* Not everysec: that holds writes back while an fsync runs, and answers all the same. */
#define APPEND "--appendonly", "yes", "--appendfsync", "always"
#define LINES(...) ((const char *const[]){__VA_ARGS__, NULL})

static const char *const before = "com a1:1 | com a2:1 | com a3:1 | com a4:1 | com a5:1 | "
                                  "com a6:1 | com a7:1 | com a8:1";
static const struct publication {
    const char *why;
    const char *lines[8];
    const char *after;
} publications[] = {
    {"through the log",
     {"+com b1"},
     "com a1:1 | com a2:1 | com a3:1 | com a4:1 | com a5:1 | com a6:1 | com a7:1 | com a8:1 | "
     "com b1:1"},
    {"as a new snapshot",
     {"+com b1", "+com b2", "+com b3", "+com b4", "-com a1"},
     "com a2:1 | com a3:1 | com a4:1 | com a5:1 | com a6:1 | com a7:1 | com a8:1 | com b1:1 | "
     "com b2:1 | com b3:1 | com b4:1"},
};

static void set_up(void)
{
    redis_run(&redis, "FLUSHALL");
    put_feed(store, "ais");
    publish_lines(store, "ais", 0,
                  LINES("+com a1", "+com a2", "+com a3", "+com a4", "+com a5", "+com a6", "+com a7",
                        "+com a8"),
                  0);
    assert_list(store, before);
}

/* As `publish_lines`, without cmocka: it runs in a child or is meant to fail. */
static enum sinkhole_store_status publish(struct sinkhole_store *by, const struct publication *what)
{
    struct sinkhole_change *change;
    enum sinkhole_store_status status = sinkhole_change_new(by, "ais", &change);
    uint64_t generation;

    if (status != SINKHOLE_STORE_OK)
        return status;
    for (size_t i = 0; what->lines[i] != NULL; i++) {
        const char *key = what->lines[i] + 1;

        if (what->lines[i][0] == '+')
            sinkhole_change_add(change, key, strlen(key), 1);
        else
            sinkhole_change_remove(change, key, strlen(key), 1);
    }
    status = sinkhole_change_publish(change, NULL, NULL, &generation);
    sinkhole_change_free(change);
    return status;
}

static struct sinkhole_settings through(const struct proxy *proxy)
{
    struct sinkhole_settings settings = redis.settings;

    settings.redis_socket = proxy->socket;
    return settings;
}

/* Octets that a publication takes in each direction. */
static struct proxy measure(const struct publication *what)
{
    struct proxy proxy = {.server = redis.socket};
    struct sinkhole_settings settings;
    struct sinkhole_store *by;

    snprintf(proxy.socket, sizeof(proxy.socket), "%s/proxy.sock", redis.dir);
    settings = through(&proxy);
    set_up();
    proxy_start(&proxy);
    by = sinkhole_store_new(&settings);
    assert_store(by, publish(by, what), SINKHOLE_STORE_OK);
    sinkhole_store_free(by);
    proxy_stop(&proxy);
    assert_list(store, what->after);
    return proxy;
}

/* The list is the old one or the new one, and takes a further publication. */
static bool check_list(const struct publication *what)
{
    char *text = list_text(store);
    bool published = strcmp(text, what->after) == 0;

    if (!published)
        assert_string_equal(text, before);
    free(text);
    publish_lines(store, "ais", 1, LINES("+net later"), 0);
    publish_lines(store, "ais", 1, LINES("-net later"), 0);
    assert_list(store, published ? what->after : before);
    return published;
}

/* A child publishes through the proxy, which kills it after `up` octets. */
static bool publish_and_die(struct proxy *proxy, const struct publication *what, uint64_t up)
{
    struct sinkhole_settings settings = through(proxy);
    int gate[2];
    pid_t pid;

    set_up();
    proxy->up_max = up;
    assert_int_equal(pipe(gate), 0);
    pid = fork();
    if (pid == 0) {
        struct sinkhole_store *by = sinkhole_store_new(&settings);
        char go;

        _exit(read(gate[0], &go, 1) == 1 && publish(by, what) == SINKHOLE_STORE_OK ? 0 : 1);
    }
    proxy->kill_pid = pid;
    proxy_start(proxy);
    assert_int_equal(write(gate[1], "g", 1), 1);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    proxy_stop(proxy);
    close(gate[0]);
    close(gate[1]);
    return check_list(what);
}

static void a_killed_publisher_leaves_one_list_or_the_other(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(publications) / sizeof(publications[0]); i++) {
        struct proxy proxy = measure(&publications[i]);
        uint64_t total = proxy.up, published = 0, step = total / 40 + 1;

        for (uint64_t up = 1; up <= total; up += up + step + 40 > total ? 1 : step)
            published += publish_and_die(&proxy, &publications[i], up);
        print_message("%s: %llu octets, in force after %llu of the cuts\n", publications[i].why,
                      (unsigned long long)total, (unsigned long long)published);
        assert_int_equal(published, 1); /* only with EXEC's last octet */
    }
}

static void a_lost_answer_is_looked_up(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(publications) / sizeof(publications[0]); i++) {
        struct proxy proxy = measure(&publications[i]);
        uint64_t total = proxy.down, known = 0, cuts = 0;

        proxy.once = true;
        for (uint64_t down = 1; down <= total; down += total / 12 + 1) {
            struct sinkhole_settings settings = through(&proxy);
            struct sinkhole_store *by = sinkhole_store_new(&settings);
            enum sinkhole_store_status status;

            set_up();
            proxy.down_max = down;
            proxy_start(&proxy);
            status = publish(by, &publications[i]);
            assert_true(status == SINKHOLE_STORE_OK || status == SINKHOLE_STORE_RECONNECT);
            assert_int_equal(check_list(&publications[i]), status == SINKHOLE_STORE_OK);
            known += status == SINKHOLE_STORE_OK;
            cuts++;
            proxy_stop(&proxy);
            sinkhole_store_free(by);
        }
        print_message("%s: answer lost after %llu places, published all the same %llu times\n",
                      publications[i].why, (unsigned long long)cuts, (unsigned long long)known);
        assert_true(known > 0); /* the first answers are asked for again */
    }
}

static void redis_killed_in_mid_publication_comes_back_with_one_list(void **state)
{
    char *options[] = {APPEND, NULL};

    (void)state;
    for (size_t i = 0; i < sizeof(publications) / sizeof(publications[0]); i++) {
        struct proxy proxy = measure(&publications[i]);
        uint64_t total = proxy.up;

        for (uint64_t left = 0; left < 3; left++) {
            struct sinkhole_settings settings = through(&proxy);
            struct sinkhole_store *by = sinkhole_store_new(&settings);
            enum sinkhole_store_status status;

            set_up();
            proxy.up_max = left == 0 ? total : total * left / 3;
            proxy.kill_pid = redis.pid;
            proxy_start(&proxy);
            status = publish(by, &publications[i]);
            assert_true(status == SINKHOLE_STORE_RECONNECT || status == SINKHOLE_STORE_OK);
            proxy_stop(&proxy);
            sinkhole_store_free(by);
            redis_kill(&redis);
            redis_start_at(&redis, redis.dir, options);
            assert_true(check_list(&publications[i]) || status != SINKHOLE_STORE_OK);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_killed_publisher_leaves_one_list_or_the_other),
        cmocka_unit_test(a_lost_answer_is_looked_up),
        cmocka_unit_test(redis_killed_in_mid_publication_comes_back_with_one_list),
    };
    int failed;

    if (!redis_available())
        return 77;
    signal(SIGPIPE, SIG_IGN);
    redis_start(&redis, APPEND, NULL);
    store = sinkhole_store_new(&redis.settings);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    sinkhole_store_free(store);
    redis_stop(&redis);
    return failed;
}
