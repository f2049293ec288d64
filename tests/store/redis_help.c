/* SPDX-License-Identifier: BSD-3-Clause */
/* A redis-server of the test's own. See redis_help.h. */
#include "tests/store/redis_help.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define OPTIONS_MAX 32

bool redis_available(void)
{
    return system("command -v redis-server >/dev/null 2>&1") == 0;
}

static void be_redis(const char *dir, const char *socket, char **options)
{
    char *argv[OPTIONS_MAX + 16] = {
        "redis-server", "--port", "0",         "--unixsocket", (char *)socket, "--dir", (char *)dir,
        "--save",       "",       "--logfile", "redis.log",    "--daemonize",  "no",    NULL};
    size_t n = 13;

    for (size_t i = 0; options[i] != NULL && i < OPTIONS_MAX; i++)
        argv[n++] = options[i];
    argv[n] = NULL;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execvp(argv[0], argv);
    _exit(127);
}

static redisContext *wait_for_redis(const struct redis *redis)
{
    struct timespec tick = {.tv_nsec = 10000000};
    struct timeval second = {.tv_sec = 2};

    for (int i = 0; i < 1000; i++) {
        redisContext *raw = redisConnectUnixWithTimeout(redis->socket, second);

        if (raw != NULL && raw->err == 0) {
            redisReply *reply = redisCommand(raw, "PING");
            bool up = reply != NULL &&
                      (reply->type == REDIS_REPLY_STATUS || strncmp(reply->str, "NOAUTH", 6) == 0);

            freeReplyObject(reply);
            if (up)
                return raw;
        }
        redisFree(raw);
        if (waitpid(redis->pid, NULL, WNOHANG) != 0)
            break;
        nanosleep(&tick, NULL);
    }
    fail_msg("redis-server did not come up in %s", redis->dir);
    return NULL;
}

void redis_start_at(struct redis *redis, const char *dir, char **options)
{
    if (dir != redis->dir)
        snprintf(redis->dir, sizeof(redis->dir), "%s", dir);
    snprintf(redis->socket, sizeof(redis->socket), "%s/redis.sock", redis->dir);
    redis->settings.redis_socket = redis->socket;
    unlink(redis->socket);
    redis->pid = fork();
    assert_true(redis->pid >= 0);
    if (redis->pid == 0)
        be_redis(redis->dir, redis->socket, options);
    redis->raw = wait_for_redis(redis);
}

void redis_start(struct redis *redis, ...)
{
    char dir[] = "/tmp/sinkhole-redis.XXXXXX", *options[OPTIONS_MAX + 1] = {0};
    va_list args;

    *redis = (struct redis){
        .settings = {.redis_host = "",
                     .redis_user = "",
                     .redis_password_file = "",
                     .redis_connect_timeout_ms = 1000,
                     .redis_command_timeout_ms = 5000},
    };
    va_start(args, redis);
    for (size_t i = 0; i < OPTIONS_MAX; i++) {
        options[i] = va_arg(args, char *);
        if (options[i] == NULL)
            break;
    }
    va_end(args);
    assert_non_null(mkdtemp(dir));
    redis_start_at(redis, dir, options);
    snprintf(redis->password_file, sizeof(redis->password_file), "%s/password", redis->dir);
}

void redis_kill(struct redis *redis)
{
    redisFree(redis->raw);
    redis->raw = NULL;
    if (redis->pid > 0) {
        kill(redis->pid, SIGKILL);
        waitpid(redis->pid, NULL, 0);
    }
    redis->pid = 0;
}

void redis_stop(struct redis *redis)
{
    char command[96];

    redis_kill(redis);
    snprintf(command, sizeof(command), "rm -rf '%s'", redis->dir);
    assert_int_equal(system(command), 0);
}

static redisReply *do_command(struct redis *redis, const char *format, va_list args)
{
    redisReply *reply = redisvCommand(redis->raw, format, args);

    if (reply == NULL)
        fail_msg("%s: %s", format, redis->raw->errstr);
    if (reply->type == REDIS_REPLY_ERROR)
        fail_msg("%s: %s", format, reply->str);
    return reply;
}

redisReply *redis_do(struct redis *redis, const char *format, ...)
{
    redisReply *reply;
    va_list args;

    va_start(args, format);
    reply = do_command(redis, format, args);
    va_end(args);
    return reply;
}

void redis_run(struct redis *redis, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    freeReplyObject(do_command(redis, format, args));
    va_end(args);
}

long long redis_integer(struct redis *redis, const char *format, ...)
{
    redisReply *reply;
    long long integer;
    va_list args;

    va_start(args, format);
    reply = do_command(redis, format, args);
    va_end(args);
    integer = reply->type == REDIS_REPLY_STRING ? strtoll(reply->str, NULL, 10) : reply->integer;
    freeReplyObject(reply);
    return integer;
}

long long redis_memory(struct redis *redis)
{
    redisReply *reply = redis_do(redis, "INFO memory");
    const char *at = strstr(reply->str, "used_memory:");
    long long octets = at == NULL ? -1 : strtoll(at + 12, NULL, 10);

    freeReplyObject(reply);
    return octets;
}

void assert_store_at(struct sinkhole_store *store, enum sinkhole_store_status got,
                     enum sinkhole_store_status expected, const char *call, const char *file,
                     int line)
{
    if (got == expected)
        return;
    print_error("%s: \"%s\" (%s), expected \"%s\"\n", call, sinkhole_store_status_text(got),
                sinkhole_store_error(store), sinkhole_store_status_text(expected));
    _fail(file, line);
}

void put_feed(struct sinkhole_store *store, const char *name)
{
    struct sinkhole_feed feed = {
        .policy = {.action = SINKHOLE_ACTION_ADDRESS, .rank = 10, .ttl_s = 10},
        .title = "Danh sách thử",
    };

    snprintf(feed.policy.feed, sizeof(feed.policy.feed), "%s", name);
    assert_store(store, sinkhole_feed_put(store, &feed), SINKHOLE_STORE_OK);
}

uint32_t publish_lines(struct sinkhole_store *store, const char *feed, uint32_t id,
                       const char *const *lines, enum sinkhole_store_status expected)
{
    struct sinkhole_batch batch = {.reference = "799/BTTTT-CATTT", .rule = {.scope = 2}};
    struct sinkhole_change *change;
    uint64_t generation;

    assert_store(store, sinkhole_change_new(store, feed, &change), SINKHOLE_STORE_OK);
    if (id == 0) {
        assert_store(store, sinkhole_change_batch(change, &batch), SINKHOLE_STORE_OK);
        id = batch.rule.id;
    }
    for (; *lines != NULL; lines++) {
        const char *key = *lines + 1;

        if (**lines == '+')
            assert_store(store, sinkhole_change_add(change, key, strlen(key), id),
                         SINKHOLE_STORE_OK);
        else
            assert_store(store, sinkhole_change_remove(change, key, strlen(key), id),
                         SINKHOLE_STORE_OK);
    }
    assert_store(store, sinkhole_change_publish(change, NULL, NULL, &generation), expected);
    if (expected == SINKHOLE_STORE_OK)
        assert_int_equal(generation, sinkhole_change_generation(change) + 1);
    sinkhole_change_free(change);
    return id;
}

static bool add_text(void *arg, const char *key, size_t key_len, const uint32_t *ids, size_t count)
{
    FILE *out = arg;

    fprintf(out, "%s%.*s:", ftell(out) == 0 ? "" : " | ", (int)key_len, key);
    for (size_t i = 0; i < count; i++)
        fprintf(out, "%s%u", i == 0 ? "" : ",", ids[i]);
    return true;
}

char *list_text(struct sinkhole_store *store)
{
    struct sinkhole_list_head head;
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    assert_non_null(out);
    assert_store(store, sinkhole_list_read(store, &head, add_text, out), SINKHOLE_STORE_OK);
    fclose(out);
    return text;
}

void assert_list(struct sinkhole_store *store, const char *expected)
{
    char *text = list_text(store);

    assert_string_equal(text, expected);
    free(text);
}
