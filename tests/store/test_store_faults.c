/* SPDX-License-Identifier: BSD-3-Clause */
/* What a sick Redis does to the store: the class of error, the words, and the list afterwards. */
#include "tests/store/redis_help.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sinkhole/clock.h"

static struct redis redis;
static struct sinkhole_store *store;

#define LINES(...) ((const char *const[]){__VA_ARGS__, NULL})
#define LIST "com a1:1 | com a2:1 | com a3:1 | com a4:1 | com a5:1 | com a6:1 | com a7:1 | com a8:1"

static int begin(void **state)
{
    (void)state;
    redis_run(&redis, "FLUSHALL");
    redis.settings.redis_command_timeout_ms = 5000;
    redis.settings.redis_user = redis.settings.redis_password_file = "";
    store = sinkhole_store_new(&redis.settings);
    put_feed(store, "ais");
    publish_lines(store, "ais", 0,
                  LINES("+com a1", "+com a2", "+com a3", "+com a4", "+com a5", "+com a6", "+com a7",
                        "+com a9"),
                  0);
    publish_lines(store, "ais", 1, LINES("+com a8"), 0);
    publish_lines(store, "ais", 1, LINES("-com a9"), 0); /* and the log is compacted */
    assert_list(store, LIST);
    return 0;
}

static int end(void **state)
{
    (void)state;
    sinkhole_store_free(store);
    return 0;
}

static bool go_on(void *arg, const char *key, size_t key_len, const uint32_t *ids, size_t count)
{
    (void)arg, (void)key, (void)key_len, (void)ids, (void)count;
    return true;
}

static enum sinkhole_store_status read_list(void)
{
    return sinkhole_list_read(store, NULL, go_on, NULL);
}

static void assert_words(const char *words)
{
    if (strstr(sinkhole_store_error(store), words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", sinkhole_store_error(store), words);
}

/* --- damage --- */

static char *snapshot_name(void)
{
    redisReply *reply = redis_do(&redis, "HGET sinkhole:{bl}:head snapshot_name");
    char *name = strdup(reply->str);

    freeReplyObject(reply);
    return name;
}

static void damage_is_told(void **state)
{
    static const struct {
        const char *why, *command, *words;
        bool snapshot; /* the command wants the snapshot's name */
    } cases[] = {
        {"chunk lost", "DEL sinkhole:{bl}:chunk:%s:0", "is gone", true},
        {"chunk is another type", "HSET sinkhole:{bl}:chunk:%s:0 a b", "WRONGTYPE", true},
        {"chunk cut", "SETRANGE sinkhole:{bl}:chunk:%s:0 500 x", "zstd", true},
        {"chunk's first octets changed", "SETRANGE sinkhole:{bl}:chunk:%s:0 0 x", "zstd", true},
        {"chunk's middle changed", "SETRANGE sinkhole:{bl}:chunk:%s:0 20 x", "chunk", true},
        {"log entry lost", "XDEL sinkhole:{bl}:log 5-1", "generation", false},
        {"log trimmed", "XTRIM sinkhole:{bl}:log MAXLEN 0", "generation", false},
        {"log lost", "DEL sinkhole:{bl}:log", "generation", false},
        {"digest changed", "HSET sinkhole:{bl}:head digest 00112233445566778899aabbccddeeff",
         "contradict", false},
        {"entries changed", "HSET sinkhole:{bl}:head entries 7", "contradict", false},
        {"snapshot's entries changed", "HSET sinkhole:{bl}:head snapshot_entries 7", "contradict",
         false},
        {"digest key lost", "DEL sinkhole:{bl}:digestkey", "digestkey", false},
        {"digest key changed", "SET sinkhole:{bl}:digestkey 0123456789abcdef", "contradict", false},
        {"field of the head lost", "HDEL sinkhole:{bl}:head chunks", "field", false},
        {"version of tomorrow", "HSET sinkhole:{bl}:head version 2", "field", false},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        enum sinkhole_store_status status;
        char *name;

        end(state);
        begin(state);
        publish_lines(store, "ais", 1, LINES("+net log"), 0); /* generation 5, in the log */
        name = snapshot_name();
        if (cases[i].snapshot && strncmp(cases[i].command, "HSET", 4) == 0)
            redis_run(&redis, "DEL sinkhole:{bl}:chunk:%s:0", name);
        redis_run(&redis, cases[i].command, name);
        free(name);
        status = read_list();
        if (status != SINKHOLE_STORE_DAMAGED && status != SINKHOLE_STORE_OPERATOR)
            fail_msg("%s: %s", cases[i].why, sinkhole_store_status_text(status));
        print_message("%s: %s\n", cases[i].why, sinkhole_store_error(store));
        assert_words(cases[i].words);
    }
}

static void a_list_that_is_given_up_is_begun_anew(void **state)
{
    struct sinkhole_list_head before, head;
    struct sinkhole_feed feed;

    (void)state;
    put_feed(store, "own");
    publish_lines(store, "own", 0, LINES("+com own"), 0);
    assert_store(store, sinkhole_list_head_get(store, &before), SINKHOLE_STORE_OK);
    redis_run(&redis, "HSET sinkhole:{bl}:head digest 00112233445566778899aabbccddeeff");
    assert_store(store, read_list(), SINKHOLE_STORE_DAMAGED);
    redis_run(&redis, "DEL sinkhole:{bl}:head");
    assert_list(store, "");
    publish_lines(store, "ais", 1, LINES("+com a1"), 0);
    assert_list(store, "com a1:1");
    assert_store(store, sinkhole_list_head_get(store, &head), SINKHOLE_STORE_OK);
    assert_int_equal(head.generation, before.generation + 1); /* who follows the log sees it */
    publish_lines(store, "own", 2, LINES("+com own"), 0);
    assert_list(store, "com a1:1 | com own:2");
    assert_store(store, sinkhole_feed_get(store, "own", &feed), SINKHOLE_STORE_OK);
    assert_int_equal(feed.entries, 1);
    assert_store(store, sinkhole_feed_get(store, "ais", &feed), SINKHOLE_STORE_OK);
    assert_int_equal(feed.entries, 1);
    assert_int_equal(redis_integer(&redis, "HLEN sinkhole:{bl}:history:ais"), 1);
    assert_int_equal(redis_integer(&redis, "HLEN sinkhole:{bl}:history:own"), 1);
}

static bool call_again(void *arg, const char *key, size_t key_len, const uint32_t *ids,
                       size_t count)
{
    (void)key, (void)key_len, (void)ids, (void)count;
    if (*(enum sinkhole_store_status *)arg == SINKHOLE_STORE_OK)
        *(enum sinkhole_store_status *)arg = sinkhole_store_ping(store);
    return true;
}

static void a_visitor_may_not_call_the_store_that_reads_for_it(void **state)
{
    struct sinkhole_change *change;
    enum sinkhole_store_status inner = SINKHOLE_STORE_OK;
    uint64_t generation;

    (void)state;
    assert_store(store, sinkhole_change_new(store, "ais", &change), SINKHOLE_STORE_OK);
    for (unsigned i = 0; i < 150000; i++) { /* three chunks: asked for before they are visited */
        char key[16];

        snprintf(key, sizeof(key), "com c%06u", i);
        assert_store(store, sinkhole_change_add(change, key, strlen(key), 1), SINKHOLE_STORE_OK);
    }
    assert_store(store, sinkhole_change_publish(change, NULL, NULL, &generation),
                 SINKHOLE_STORE_OK);
    sinkhole_change_free(change);
    assert_store(store, sinkhole_list_read(store, NULL, call_again, &inner), SINKHOLE_STORE_OK);
    assert_int_equal(inner, SINKHOLE_STORE_INVALID); /* and the reading was not disturbed */
}

static bool stop_at_once(void *arg, const char *key, size_t key_len, const uint32_t *ids,
                         size_t count)
{
    (void)key, (void)key_len, (void)ids, (void)count;
    ++*(int *)arg;
    return false;
}

static void a_reader_may_stop(void **state)
{
    int calls = 0;

    (void)state;
    assert_store(store, sinkhole_list_read(store, NULL, stop_at_once, &calls), SINKHOLE_STORE_OK);
    assert_int_equal(calls, 1);
    assert_list(store, LIST);
}

/* --- refusals --- */

static void out_of_memory_publishes_nothing(void **state)
{
    (void)state;
    redis_run(&redis, "CONFIG SET maxmemory 1mb");
    publish_lines(store, "ais", 1, LINES("+com b1"), SINKHOLE_STORE_RETRY);
    assert_words("maxmemory");
    publish_lines(store, "ais", 1, LINES("+com b1", "+com b2", "+com b3", "+com b4"),
                  SINKHOLE_STORE_RETRY);
    assert_list(store, LIST);
    redis_run(&redis, "CONFIG SET maxmemory 0");
    publish_lines(store, "ais", 1, LINES("+com b1"), 0);
    assert_list(store, LIST " | com b1:1");
}

static void a_replica_is_read_but_not_written(void **state)
{
    (void)state;
    redis_run(&redis, "CONFIG SET replica-serve-stale-data yes");
    redis_run(&redis, "REPLICAOF 127.0.0.1 1");
    assert_list(store, LIST);
    publish_lines(store, "ais", 1, LINES("+com b1"), SINKHOLE_STORE_RECONNECT);
    assert_words("replica");
    redis_run(&redis, "REPLICAOF NO ONE");
    publish_lines(store, "ais", 1, LINES("+com b1"), 0);
}

static void a_key_of_another_type_stops_a_publication_whole(void **state)
{
    static const char *const keys[] = {
        "sinkhole:{bl}:log",
        "sinkhole:{bl}:feeds",
        "sinkhole:{bl}:batches",
        "sinkhole:{bl}:history:ais",
    };

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        struct sinkhole_change *change;
        uint64_t generation;

        end(state);
        begin(state);
        assert_store(store, sinkhole_change_new(store, "ais", &change), SINKHOLE_STORE_OK);
        assert_store(store, sinkhole_change_add(change, "com b1", 6, 1), SINKHOLE_STORE_OK);
        redis_run(&redis, "SET %s x", keys[i]);
        assert_store(store, sinkhole_change_publish(change, NULL, NULL, &generation),
                     SINKHOLE_STORE_OPERATOR);
        assert_words("WRONGTYPE");
        sinkhole_change_free(change);
        assert_list(store, LIST);
    }
}

static void write_password(const char *password, mode_t mode)
{
    int fd = open(redis.password_file, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, password, strlen(password)), strlen(password));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

/* As doc/redis.md has them. */
#define READER                                                                                     \
    "%%R~sinkhole:{bl}:* -@all +hgetall +hget +hkeys +get +xrange +xrevrange +zrevrangebylex "     \
    "+zrange +ping +select"
#define PUBLISHER                                                                                  \
    "~sinkhole:{bl}:* -@all +hgetall +hget +hkeys +hset +hdel +hincrby +get +set +setnx +incr "    \
    "+exists +expire +persist +unlink +rename +xadd +xrange +xrevrange +xtrim +xinfo|stream "      \
    "+zadd +zrange "                                                                               \
    "+zrevrangebylex +watch +multi +exec +ping +select"

static void who_may_not_is_told_why(void **state)
{
    static const struct {
        const char *why, *user, *password;
        mode_t mode;
        enum sinkhole_store_status status, publish;
        const char *words;
    } cases[] = {
        {"wrong password", "publisher", "wrong\n", 0600, SINKHOLE_STORE_OPERATOR, 0, "WRONGPASS"},
        {"no such user", "nobody", "secret", 0600, SINKHOLE_STORE_OPERATOR, 0, "WRONGPASS"},
        {"others can read the file", "publisher", "secret", 0644, SINKHOLE_STORE_OPERATOR, 0,
         "mode"},
        {"group can write the file", "publisher", "secret", 0660, SINKHOLE_STORE_OPERATOR, 0,
         "mode"},
        {"may read only", "reader", "secret\r\n", 0640, SINKHOLE_STORE_OK, SINKHOLE_STORE_OPERATOR,
         "NOPERM"},
        {"may all", "publisher", "secret", 0600, SINKHOLE_STORE_OK, SINKHOLE_STORE_OK, ""},
        {"the default user needs no name", "", "other", 0600, SINKHOLE_STORE_OK, SINKHOLE_STORE_OK,
         ""},
    };

    (void)state;
    redis_run(&redis, "ACL SETUSER publisher on >secret " PUBLISHER);
    redis_run(&redis, "ACL SETUSER reader on >secret " READER);
    redis_run(&redis, "CONFIG SET requirepass other");
    redis.settings.redis_password_file = redis.password_file;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        print_message("%s\n", cases[i].why);
        write_password(cases[i].password, cases[i].mode);
        redis.settings.redis_user = cases[i].user;
        sinkhole_store_free(store);
        store = sinkhole_store_new(&redis.settings);
        assert_store(store, read_list(), cases[i].status);
        if (cases[i].status == SINKHOLE_STORE_OK) {
            char line[] = "+com b?";

            line[6] = (char)('0' + i);
            publish_lines(store, "ais", 1, LINES(line), cases[i].publish);
        }
        assert_words(cases[i].words);
    }
    unlink(redis.password_file);
    sinkhole_store_free(store);
    store = sinkhole_store_new(&redis.settings);
    assert_store(store, sinkhole_store_ping(store), SINKHOLE_STORE_OPERATOR);
    assert_words("password");
    redis.settings.redis_password_file = "";
    sinkhole_store_free(store);
    store = sinkhole_store_new(&redis.settings);
    assert_store(store, sinkhole_store_ping(store), SINKHOLE_STORE_OPERATOR);
    assert_words("NOAUTH");
    redis_run(&redis, "AUTH other");
    redis_run(&redis, "CONFIG SET requirepass %s", "");
}

/* --- silence --- */

static void a_silent_redis_costs_the_time_out_once(void **state)
{
    int64_t begun;

    (void)state;
    redis.settings.redis_command_timeout_ms = 300;
    sinkhole_store_free(store);
    store = sinkhole_store_new(&redis.settings);
    assert_store(store, read_list(), SINKHOLE_STORE_OK);
    assert_int_equal(kill(redis.pid, SIGSTOP), 0);
    begun = sinkhole_monotonic_ms();
    assert_store(store, read_list(), SINKHOLE_STORE_RECONNECT);
    assert_words("did not answer within 300 ms");
    assert_in_range(sinkhole_monotonic_ms() - begun, 290, 2000);
    assert_int_equal(kill(redis.pid, SIGCONT), 0);
    assert_list(store, LIST);

    redis_run(&redis, "CLIENT PAUSE 60000 WRITE");
    publish_lines(store, "ais", 1, LINES("+com b1"), SINKHOLE_STORE_RECONNECT);
    assert_words("not known");
    redis_run(&redis, "CLIENT UNPAUSE");
    assert_list(store, LIST);
    publish_lines(store, "ais", 1, LINES("+com b1"), 0);
}

/* The append-only file has been begun, and its first rewrite is done. */
static bool aof_is_ready(void)
{
    redisReply *reply = redis_do(&redis, "INFO persistence");
    bool ready = strstr(reply->str, "aof_enabled:1") != NULL &&
                 strstr(reply->str, "aof_rewrite_in_progress:0") != NULL &&
                 strstr(reply->str, "aof_rewrite_scheduled:0") != NULL;

    freeReplyObject(reply);
    return ready;
}

static void a_redis_started_again_is_found_again(void **state)
{
    char *options[] = {"--appendonly", "yes", NULL};
    int64_t deadline = sinkhole_monotonic_ms() + 20000;

    (void)state;
    redis_run(&redis, "CONFIG SET appendonly yes");
    while (!aof_is_ready()) {
        assert_true(sinkhole_monotonic_ms() < deadline);
        usleep(1000);
    }
    redis_kill(&redis);
    assert_store(store, sinkhole_store_ping(store), SINKHOLE_STORE_RECONNECT);
    assert_words(redis.socket);
    redis_start_at(&redis, redis.dir, options);
    assert_list(store, LIST); /* the same handle */
    redis_kill(&redis);
    redis_start_at(&redis, redis.dir, options);
    assert_list(store, LIST); /* its idle connection had died */
}

/* --- chunks lost before they were in force --- */

static void drop_chunks(void *arg, const char *what, uint64_t done, uint64_t total)
{
    redisReply *keys = redis_do(&redis, "KEYS sinkhole:{bl}:chunk:*");

    (void)arg, (void)what, (void)done, (void)total;
    for (size_t i = 0; i < keys->elements; i++) {
        if (redis_integer(&redis, "TTL %s", keys->element[i]->str) >= 0)
            redis_run(&redis, "DEL %s", keys->element[i]->str);
    }
    freeReplyObject(keys);
}

static void new_chunks_that_redis_drops_are_missed_in_time(void **state)
{
    struct sinkhole_change *change;
    uint64_t generation;
    char key[] = "com c???????";

    (void)state;
    assert_store(store, sinkhole_change_new(store, "ais", &change), SINKHOLE_STORE_OK);
    for (unsigned i = 0; i < 70000; i++) { /* two chunks: the first is settled when dropped */
        snprintf(key, sizeof(key), "com c%06u", i);
        assert_store(store, sinkhole_change_add(change, key, strlen(key), 1), SINKHOLE_STORE_OK);
    }
    for (unsigned i = 0; i < 500000; i++) {
        snprintf(key, sizeof(key), "com d%06u", i);
        assert_store(store, sinkhole_change_add(change, key, strlen(key), 1), SINKHOLE_STORE_OK);
    }
    assert_store(store, sinkhole_change_publish(change, drop_chunks, NULL, &generation),
                 SINKHOLE_STORE_RETRY);
    assert_words("memory");
    assert_list(store, LIST);
    assert_store(store, sinkhole_change_publish(change, NULL, NULL, &generation),
                 SINKHOLE_STORE_OK); /* again, with the same change */
    sinkhole_change_free(change);
    assert_store(store, read_list(), SINKHOLE_STORE_OK);
}

static void errors_have_their_class(void **state)
{
    static const struct {
        const char *error;
        enum sinkhole_store_status status;
    } cases[] = {
        {"LOADING Redis is loading the dataset in memory", SINKHOLE_STORE_RETRY},
        {"BUSY Redis is busy running a script.", SINKHOLE_STORE_RETRY},
        {"TRYAGAIN Multiple keys request during rehashing of slot", SINKHOLE_STORE_RETRY},
        {"OOM command not allowed when used memory > 'maxmemory'.", SINKHOLE_STORE_RETRY},
        {"MISCONF Errors writing to the AOF file: No space", SINKHOLE_STORE_RETRY},
        {"NOREPLICAS Not enough good replicas to write.", SINKHOLE_STORE_RETRY},
        {"ERR max number of clients reached", SINKHOLE_STORE_RETRY},
        {"READONLY You can't write against a read only replica.", SINKHOLE_STORE_RECONNECT},
        {"MASTERDOWN Link with MASTER is down", SINKHOLE_STORE_RECONNECT},
        {"CLUSTERDOWN The cluster is down", SINKHOLE_STORE_RECONNECT},
        {"MOVED 3999 127.0.0.1:6381", SINKHOLE_STORE_MOVED},
        {"ASK 3999 127.0.0.1:6381", SINKHOLE_STORE_MOVED},
        {"NOAUTH Authentication required.", SINKHOLE_STORE_OPERATOR},
        {"WRONGPASS invalid username-password pair", SINKHOLE_STORE_OPERATOR},
        {"NOPERM this user has no permissions", SINKHOLE_STORE_OPERATOR},
        {"WRONGTYPE Operation against a key", SINKHOLE_STORE_OPERATOR},
        {"EXECABORT Transaction discarded because of: OOM command not allowed",
         SINKHOLE_STORE_RETRY},
        {"ERR The ID specified in XADD is equal or smaller than the target stream top item",
         SINKHOLE_STORE_DUPLICATE},
        {"ERR unknown command 'XADD'", SINKHOLE_STORE_OPERATOR},
        {"", SINKHOLE_STORE_OPERATOR},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (sinkhole_store_classify(cases[i].error, strlen(cases[i].error)) != cases[i].status)
            fail_msg("%s", cases[i].error);
    }
}

/* Something that listens where Redis should, and gives every command the same answer. */
static pid_t answer_always(const char *path, const char *answer)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    char octets[4096];
    pid_t pid;

    snprintf(address.sun_path, sizeof(address.sun_path), "%.100s", path);
    unlink(path);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 4), 0);
    pid = fork();
    while (pid == 0) {
        int client = accept(fd, NULL, NULL);

        while (read(client, octets, sizeof(octets)) > 0)
            if (write(client, answer, strlen(answer)) < 0)
                break;
        close(client);
    }
    close(fd);
    return pid;
}

static bool go_on_alarm(void *arg, const struct sinkhole_alarm *alarm)
{
    (void)arg, (void)alarm;
    return true;
}

static bool go_on_field(void *arg, const char *resolver, const char *field, const char *value)
{
    (void)arg, (void)resolver, (void)field, (void)value;
    return true;
}

static bool go_on_import(void *arg, const char *import)
{
    (void)arg, (void)import;
    return true;
}

static void what_is_no_text_is_not_read_as_one(void **state)
{
    static const char *const answers[] = {
        "*4\r\n$1\r\na\r\n:5\r\n*1\r\n$-1\r\n$0\r\n\r\n",
        "*2\r\n$-1\r\n$-1\r\n",
        ":7\r\n",
        "+OK\r\n",
    };
    struct sinkhole_settings settings = redis.settings;
    char path[200];

    (void)state;
    snprintf(path, sizeof(path), "%s.other", redis.settings.redis_socket);
    settings.redis_socket = path;
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        pid_t pid = answer_always(path, answers[i]);
        struct sinkhole_store *other = sinkhole_store_new(&settings);

        enum sinkhole_store_status got[] = {
            sinkhole_alarm_list(other, true, go_on_alarm, NULL),
            sinkhole_resolver_list(other, go_on_field, NULL),
            sinkhole_beside_list(other, "ais", go_on_import, NULL),
        };

        sinkhole_store_free(other);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        for (size_t n = 0; n < sizeof(got) / sizeof(got[0]); n++)
            if (got[n] != SINKHOLE_STORE_DAMAGED)
                fail_msg("answer %zu, call %zu: %d", i, n, (int)got[n]);
    }
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
        T(damage_is_told),
        T(a_list_that_is_given_up_is_begun_anew),
        T(a_visitor_may_not_call_the_store_that_reads_for_it),
        T(a_reader_may_stop),
        T(out_of_memory_publishes_nothing),
        T(a_replica_is_read_but_not_written),
        T(a_key_of_another_type_stops_a_publication_whole),
        T(who_may_not_is_told_why),
        T(a_silent_redis_costs_the_time_out_once),
        T(new_chunks_that_redis_drops_are_missed_in_time),
        T(a_redis_started_again_is_found_again),
        cmocka_unit_test(what_is_no_text_is_not_read_as_one),
        cmocka_unit_test(errors_have_their_class),
    };
    int failed;

    if (!redis_available())
        return 77;
    signal(SIGPIPE, SIG_IGN);
    redis_start(&redis, NULL);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    redis_stop(&redis);
    return failed;
}
