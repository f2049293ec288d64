/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sinkhole-agent against a real Redis: what is published stands in the index, whatever breaks
 * meanwhile. Threads: one. Memory: one rig a test.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "sinkhole/clock.h"
#include "tests/agent/rig.h"

static int setup(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));

    rig_init(rig);
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    rig_done(*state);
    free(*state);
    return 0;
}

static void test_publications(void **state)
{
    struct rig *rig = *state;

    rig_agent_start(rig);
    rig_wait_generation(rig, rig_generation(rig));
    for (unsigned i = 0; i < 30; i++) {
        rig_wait_generation(rig, rig_publish(rig, i * 10, 10, false));
        if (i % 3 == 2)
            rig_wait_generation(rig, rig_publish(rig, i * 10 + 2, 3, true));
    }
    rig_assert_same(rig);
    assert_int_equal(rig_alarms(rig, "index-resync"), 0);
    assert_int_equal(rig_agent_stop(rig, SIGTERM), 0);
}

static void test_one_name_is_quick(void **state)
{
    struct rig *rig = *state;
    uint64_t most_us = 0;

    rig_wait_generation(rig, (rig_agent_start(rig), rig_publish(rig, 0, 20000, false)));
    for (unsigned i = 0; i < 20; i++) {
        char text[24];

        snprintf(text, sizeof(text), "%llu",
                 (unsigned long long)rig_publish(rig, 100000 + i, 1, false));
        rig_wait_status(rig, "generation", text);
        if (rig_status_number(rig, "publish_us") > most_us)
            most_us = rig_status_number(rig, "publish_us");
    }
    print_message("  one name: head on disk after at most %llu us\n", (unsigned long long)most_us);
    assert_true(most_us < 250000);
}

static void test_restart_goes_on(void **state)
{
    struct rig *rig = *state;

    rig_agent_start(rig);
    rig_wait_generation(rig, rig_publish(rig, 0, 1000, false));
    for (unsigned i = 1; i <= 5; i++) {
        assert_int_equal(rig_agent_stop(rig, SIGTERM), 0);
        rig_publish(rig, 1000 * i, 20, false);
        rig_publish(rig, 1000 * i + 30, 20, false);
        rig_agent_start(rig);
        rig_wait_generation(rig, rig_generation(rig));
        rig_assert_same(rig);
    }
    assert_int_equal(rig_status_number(rig, "syncs"), 0); /* the log was enough */
}

static void test_killed_fifty_times(void **state)
{
    struct rig *rig = *state;
    unsigned seed = 99, next = 0;

    rig_publish(rig, 0, 500, false);
    next = 500;
    for (unsigned i = 0; i < 50; i++) {
        rig_agent_start(rig);
        for (unsigned step = (unsigned)rand_r(&seed) % 6; step > 0; step--) {
            rig_publish(rig, next, 40, false);
            next += 40;
            if (rand_r(&seed) % 2 == 0)
                rig_publish(rig, next - 30, 10, true);
        }
        usleep((unsigned)rand_r(&seed) % 20000); /* the moment of death, not a wait */
        assert_int_equal(rig_agent_stop(rig, SIGKILL), 128 + SIGKILL);
    }
    rig_agent_start(rig);
    rig_wait_generation(rig, rig_generation(rig));
    rig_assert_same(rig);
}

static void test_compaction_is_followed(void **state)
{
    struct rig *rig = *state;

    rig_agent_start(rig);
    rig_wait_generation(rig, rig_publish(rig, 0, 1000, false));
    for (unsigned i = 0; i < 20; i++)
        rig_wait_generation(rig, rig_publish(rig, 1000 + 100 * i, 100, false));
    rig_assert_same(rig);
    assert_int_equal(rig_alarms(rig, "index-resync"), 0);
}

static void test_log_lost(void **state)
{
    struct rig *rig = *state;

    rig_agent_start(rig);
    rig_wait_generation(rig, rig_publish(rig, 0, 1000, false));
    rig_agent_stop(rig, SIGTERM);
    rig_publish(rig, 1000, 10, false);
    rig_publish(rig, 2000, 10, false);
    /* The log no longer reaches back to what the agent has; the list is given a new snapshot. */
    assert_true(rig_redis_do(rig, "XTRIM sinkhole:{bl}:log MAXLEN 0"));
    rig_agent_start(rig);
    rig_wait_alarms(rig, "index-resync", 1);
    rig_wait_condition(rig, "list-damaged", true); /* nobody can read this list any more */
    rig_wait_status(rig, "index", "in-force");
}

static void test_digest_flipped(void **state)
{
    struct rig *rig = *state;
    struct sinkhole_list_head head;
    char command[120];
    uint64_t generation;

    rig_agent_start(rig);
    generation = rig_publish(rig, 0, 1000, false);
    rig_wait_generation(rig, generation);
    assert_int_equal(sinkhole_list_head_get(rig->store, &head), SINKHOLE_STORE_OK);
    assert_true(
        rig_redis_do(rig, "HSET sinkhole:{bl}:head digest 00000000000000000000000000000001"));
    rig_wait_alarms(rig, "index-resync", 1);
    rig_wait_condition(rig, "list-damaged", true);
    snprintf(command, sizeof(command), "HSET sinkhole:{bl}:head digest ");
    for (size_t i = 0; i < SINKHOLE_DIGEST_LEN; i++) {
        size_t len = strlen(command);

        snprintf(command + len, sizeof(command) - len, "%02x", head.digest[i]);
    }
    assert_true(rig_redis_do(rig, command));
    rig_wait_condition(rig, "list-damaged", false);
    rig_assert_same(rig);
}

/* A machine that was cloned, with its agent: the same Redis, the same name, its own folder. */
static void test_twin_is_noticed(void **state)
{
    struct rig *rig = *state, twin;
    char theirs[100], ours[100];

    rig_init(&twin);
    rig_redis_stop(&twin, SIGTERM);
    snprintf(theirs, sizeof(theirs), "%s/redis.sock", twin.root);
    snprintf(ours, sizeof(ours), "%s/redis.sock", rig->root);
    (void)unlink(theirs);
    assert_int_equal(symlink(ours, theirs), 0);
    rig_agent_start(rig);
    rig_wait_generation(rig, rig_publish(rig, 0, 10, false));
    assert_int_equal(rig_agent_stop(rig, SIGKILL), 128 + SIGKILL);
    rig_agent_start(rig); /* finds its own former state: no twin */
    rig_wait_generation(rig, rig_publish(rig, 10, 10, false));
    assert_int_equal(rig_alarms(rig, "name-taken"), 0);
    rig_agent_start(&twin);
    rig_wait_condition(rig, "name-taken", true);
    assert_int_equal(rig_agent_stop(&twin, SIGTERM), 0);
    rig_wait_condition(rig, "name-taken", false);
    rig_done(&twin);
}

static void test_list_gone(void **state)
{
    struct rig *rig = *state;
    uint64_t generation;

    rig_agent_start(rig);
    generation = rig_publish(rig, 0, 1000, false);
    rig_wait_generation(rig, generation);
    assert_true(rig_redis_do(rig, "FLUSHALL"));
    rig_wait_condition(rig, "list-gone", true);
    rig_wait_generation(rig, generation); /* stays in force */
}

/* --- files --- */

static void spoil_missing(const char *path)
{
    assert_int_equal(unlink(path), 0);
}
static void spoil_cut(const char *path)
{
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(truncate(path, st.st_size - 5), 0);
}
static void spoil_flip(const char *path)
{
    FILE *file = fopen(path, "r+");
    int octet;

    assert_non_null(file);
    fseek(file, -3, SEEK_END);
    octet = fgetc(file);
    fseek(file, -3, SEEK_END);
    fputc(octet ^ 1, file);
    fclose(file);
}
static void spoil_version(const char *path)
{
    FILE *file = fopen(path, "r+");

    assert_non_null(file);
    fseek(file, 8, SEEK_SET);
    fputc(99, file);
    fclose(file);
}

static void test_files_spoilt_while_away(void **state)
{
    static const struct {
        const char *why;
        void (*spoil)(const char *path);
    } rows[] = {
        {"missing", spoil_missing},
        {"cut", spoil_cut},
        {"a bit flipped", spoil_flip},
        {"another version", spoil_version},
    };
    struct rig *rig = *state;
    char path[120];

    snprintf(path, sizeof(path), "%s/index/head", rig->dir);
    rig_agent_start(rig);
    rig_wait_generation(rig, rig_publish(rig, 0, 1000, false));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        print_message("  %s\n", rows[i].why);
        rig_agent_stop(rig, SIGTERM);
        rows[i].spoil(path);
        rig_agent_start(rig);
        rig_wait_generation(rig, rig_generation(rig));
        rig_assert_same(rig);
    }
}

static void test_head_removed_meanwhile(void **state)
{
    struct rig *rig = *state;
    char path[120];

    rig_agent_start(rig);
    rig_wait_generation(rig, rig_publish(rig, 0, 1000, false));
    rig_wait_status(rig, "follower", "waiting");
    snprintf(path, sizeof(path), "%s/index/head", rig->dir);
    assert_int_equal(unlink(path), 0);
    rig_wait_generation(rig, rig_generation(rig));
    rig_wait_alarms(rig, "index-damaged", 1);
    rig_assert_same(rig);
}

/* The agent may write no file over 20,000 octets, for a while. */
static void disk_limit(const struct rig *rig, bool on)
{
    struct rlimit limit = {on ? 20000 : RLIM_INFINITY, RLIM_INFINITY};

    assert_int_equal(prlimit(rig->agent, RLIMIT_FSIZE, &limit, NULL), 0);
}

static void test_disk_full(void **state)
{
    struct rig *rig = *state;
    uint64_t before, after;

    rig_agent_start(rig);
    before = rig_publish(rig, 0, 100, false);
    rig_wait_generation(rig, before);
    disk_limit(rig, true);
    after = rig_publish(rig, 1000, 20000, false);
    rig_wait_condition(rig, "index-write", true);
    rig_wait_generation(rig, before); /* stays in force */
    disk_limit(rig, false);
    rig_wait_generation(rig, after);
    rig_wait_condition(rig, "index-write", false);
    rig_assert_same(rig);
}

/* --- Redis --- */

static void test_redis_killed_and_back(void **state)
{
    struct rig *rig = *state;
    uint64_t generation;

    rig_agent_start(rig);
    generation = rig_publish(rig, 0, 1000, false);
    rig_wait_generation(rig, generation);
    for (unsigned i = 0; i < 3; i++) {
        rig_redis_stop(rig, SIGKILL);
        rig_wait_condition(rig, "redis-away", true);
        rig_wait_generation(rig, generation); /* the last good one stays */
        rig_redis_start(rig);
        generation = rig_publish(rig, 1000 + i, 1, false);
        rig_wait_generation(rig, generation);
        rig_wait_condition(rig, "redis-away", false);
    }
    rig_assert_same(rig);
    rig_wait_alarms(rig, "redis-away", 6); /* each raised and cleared once */
}

static void test_redis_silent(void **state)
{
    struct rig *rig = *state;
    uint64_t generation;

    rig_agent_start(rig);
    rig_wait_generation(rig, rig_publish(rig, 0, 1000, false));
    kill(rig->redis, SIGSTOP);
    rig_wait_condition(rig, "redis-away", true);
    kill(rig->redis, SIGCONT);
    generation = rig_publish(rig, 1000, 1, false);
    rig_wait_generation(rig, generation);
}

static void test_agent_before_redis(void **state)
{
    struct rig *rig = *state;
    uint64_t generation = rig_publish(rig, 0, 100, false);

    rig_redis_stop(rig, SIGTERM);
    rig_agent_start(rig);
    rig_wait_condition(rig, "redis-away", true);
    rig_redis_start(rig);
    rig_wait_generation(rig, generation);
    rig_assert_same(rig);
}

static void test_wrong_password(void **state)
{
    struct rig *rig = *state;

    rig_agent_start(rig);
    rig_wait_generation(rig, rig_publish(rig, 0, 100, false));
    rig_agent_stop(rig, SIGTERM);
    assert_true(rig_redis_do(rig, "CONFIG SET requirepass right"));
    rig_password(rig, "wrong");
    rig_agent_start(rig);
    rig_wait_condition(rig, "redis-refused", true);
    rig_wait_status(rig, "index", "in-force");
    rig_password(rig, "right"); /* the file is read at each try */
    rig_wait_condition(rig, "redis-refused", false);
    rig_wait_status(rig, "follower", "waiting");
}

/* The rights that doc/redis.md names are enough. */
static void test_least_rights(void **state)
{
    struct rig *rig = *state;

    assert_true(rig_redis_do(
        rig, "ACL SETUSER least on >secret resetkeys %%R~sinkhole:{bl}:* ~sinkhole:alarms "
             "~sinkhole:resolvers ~sinkhole:resolver:{rig} ~sinkhole:ship:{rig} "
             "~sinkhole:hits:{rig}:* -@all +multi +exec +hgetall +hmget +get +xread +ping +select "
             "+hset +expire +zadd +xadd +xinfo|stream +hget +hsetnx +xrange +xtrim +xlen "
             "+memory|usage"));
    rig->user = "least";
    rig_password(rig, "secret");
    rig_agent_start(rig);
    rig_wait_generation(rig, rig_publish(rig, 0, 1000, false));
    rig_wait_generation(rig, rig_publish(rig, 1000, 10, false));
    rig_wait_alarms(rig, "canary-failed", 1); /* nobody listens there */
    assert_true(rig_redis_do(rig, "HGET sinkhole:resolver:{rig} generation"));
    rig_wait_condition(rig, "redis-refused", false);
    rig_assert_same(rig);
}

static void test_two_agents(void **state)
{
    struct rig *rig = *state;
    struct rig second = *rig;

    rig_agent_start(rig);
    rig_wait_generation(rig, rig_generation(rig));
    rig_agent_start(&second);
    assert_int_equal(rig_agent_stop(&second, 0), 3); /* ends by itself */
    rig_wait_generation(rig, rig_publish(rig, 0, 10, false));
}

static void test_hangup_reconnects(void **state)
{
    struct rig *rig = *state;

    rig_agent_start(rig);
    for (unsigned i = 0; i < 5; i++) {
        rig_wait_generation(rig, rig_publish(rig, 10 * i, 10, false));
        kill(rig->agent, SIGHUP);
    }
    rig_wait_generation(rig, rig_publish(rig, 1000, 10, false));
    rig_assert_same(rig);
}

/* What systemd would hear. */
static void test_tells_systemd(void **state)
{
    struct rig *rig = *state;
    struct sockaddr_un where = {.sun_family = AF_UNIX};
    const struct timeval patience = {RIG_WAIT_MS / 1000, 0};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool ready = false, in_force = false;
    unsigned watchdog = 0;

    snprintf(where.sun_path, sizeof(where.sun_path), "%s/notify", rig->root);
    assert_int_equal(bind(fd, (struct sockaddr *)&where, sizeof(where)), 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setenv("NOTIFY_SOCKET", where.sun_path, 1);
    setenv("WATCHDOG_USEC", "100000", 1);
    rig_agent_start(rig);
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    rig_publish(rig, 0, 3, false);
    while (!ready || !in_force || watchdog < 3) {
        char text[300] = "";
        ssize_t len = recv(fd, text, sizeof(text) - 1, 0);

        assert_true(len > 0);
        ready = ready || strcmp(text, "READY=1") == 0;
        watchdog += strcmp(text, "WATCHDOG=1") == 0;
        in_force = in_force || strstr(text, " 3 entries, waiting; Redis ready") != NULL;
    }
    close(fd);
}

static void test_policy_alone(void **state)
{
    struct rig *rig = *state;
    struct sinkhole_index *index;
    struct sinkhole_feed feed;
    struct sinkhole_match match;
    struct sinkhole_name name;

    rig_agent_start(rig);
    rig_wait_generation(rig, rig_publish(rig, 7, 1, false));
    assert_int_equal(sinkhole_feed_get(rig->store, "test", &feed), SINKHOLE_STORE_OK);
    feed.policy.action = SINKHOLE_ACTION_NODATA;
    assert_int_equal(sinkhole_feed_put(rig->store, &feed), SINKHOLE_STORE_OK);
    rig_wait_generation(rig, rig_generation(rig));
    assert_int_equal(sinkhole_name_from_text("n000007.example", 15, &name), SINKHOLE_NAME_OK);
    assert_int_equal(sinkhole_index_open(rig->dir, &index), SINKHOLE_INDEX_OK);
    assert_true(sinkhole_index_find(index, name.wire, name.wire_len, 1, &match));
    assert_int_equal(match.action, SINKHOLE_ACTION_NODATA);
    sinkhole_index_close(index);
}

/* Everything at once, in an order drawn by lot; every tenth step both must be the same.
 * SINKHOLE_LONG=1 makes it ten times as long, SINKHOLE_SEED another one. */
struct chaos {
    struct rig *rig;
    unsigned seed, next;
};

static void chaos_policy(struct chaos *chaos)
{
    struct sinkhole_feed feed;

    assert_int_equal(sinkhole_feed_get(chaos->rig->store, "test", &feed), SINKHOLE_STORE_OK);
    feed.policy.ttl_s = feed.policy.ttl_s % 60 + 1;
    assert_int_equal(sinkhole_feed_put(chaos->rig->store, &feed), SINKHOLE_STORE_OK);
}

static void chaos_spoil(const struct chaos *chaos, bool restart)
{
    char path[120];

    snprintf(path, sizeof(path), "%s/index/head", chaos->rig->dir);
    if (!restart) {
        unlink(path);
        return;
    }
    rig_agent_stop(chaos->rig, SIGKILL);
    if (access(path, F_OK) == 0)
        spoil_flip(path);
    rig_agent_start(chaos->rig);
}

static void chaos_step(struct chaos *chaos)
{
    unsigned draw = (unsigned)rand_r(&chaos->seed) % 16;
    unsigned count = 1 + (unsigned)rand_r(&chaos->seed) % 60;

    if (draw < 6) {
        rig_publish(chaos->rig, chaos->next, count, false);
        chaos->next += count;
    } else if (draw < 9) {
        rig_publish(chaos->rig, chaos->next, 2, false); /* always something to take off again */
        rig_publish(chaos->rig, chaos->next, 1, true);
        chaos->next += 2;
    } else if (draw == 9) {
        chaos_policy(chaos);
    } else if (draw == 10) {
        kill(chaos->rig->agent, SIGHUP);
    } else if (draw == 11) {
        rig_redis_stop(chaos->rig, SIGKILL);
        rig_redis_start(chaos->rig);
    } else if (draw == 12) {
        chaos_spoil(chaos, rand_r(&chaos->seed) % 2 == 0);
    } else {
        rig_agent_stop(chaos->rig, draw == 13 ? SIGTERM : SIGKILL);
        rig_agent_start(chaos->rig);
    }
}

static void test_everything_at_once(void **state)
{
    const char *seed = getenv("SINKHOLE_SEED");
    struct chaos chaos = {.rig = *state, .seed = seed != NULL ? (unsigned)atoi(seed) : 3};
    unsigned steps = getenv("SINKHOLE_LONG") != NULL ? 2000 : 200;

    rig_agent_start(chaos.rig);
    for (unsigned i = 1; i <= steps; i++) {
        chaos_step(&chaos);
        if (i % 10 != 0)
            continue;
        rig_wait_generation(chaos.rig, rig_generation(chaos.rig));
        rig_assert_same(chaos.rig);
    }
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_publications),
        TEST(test_one_name_is_quick),
        TEST(test_restart_goes_on),
        TEST(test_killed_fifty_times),
        TEST(test_compaction_is_followed),
        TEST(test_log_lost),
        TEST(test_digest_flipped),
        TEST(test_twin_is_noticed),
        TEST(test_list_gone),
        TEST(test_files_spoilt_while_away),
        TEST(test_head_removed_meanwhile),
        TEST(test_disk_full),
        TEST(test_redis_killed_and_back),
        TEST(test_redis_silent),
        TEST(test_agent_before_redis),
        TEST(test_wrong_password),
        TEST(test_least_rights),
        TEST(test_two_agents),
        TEST(test_hangup_reconnects),
        TEST(test_tells_systemd),
        TEST(test_policy_alone),
        TEST(test_everything_at_once),
    };

    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN); /* an agent just started has no handler yet: it inherits this */
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
