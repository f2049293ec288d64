/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A redis-server of the test's own on a Unix socket in its folder. Threads: none. Memory: the
 * caller's.
 */
#ifndef SINKHOLE_TESTS_JOURNAL_SERVER_H
#define SINKHOLE_TESTS_JOURNAL_SERVER_H

#include "sample.h"

#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "sinkhole/clock.h"
#include "sinkhole/settings.h"

#define DEADLINE_MS 20000

struct server {
    char dir[64];
    char socket[96];
    pid_t pid;
    redisContext *redis; /* for the test's own commands */
};

static inline void server_connect(struct server *server)
{
    const int64_t deadline = sinkhole_monotonic_ms() + DEADLINE_MS;

    for (;;) {
        redisReply *reply = NULL;

        server->redis = redisConnectUnix(server->socket);
        if (server->redis != NULL && server->redis->err == 0)
            reply = redisCommand(server->redis, "PING");
        if (reply != NULL && reply->type == REDIS_REPLY_STATUS) {
            freeReplyObject(reply);
            return;
        }
        if (reply != NULL)
            freeReplyObject(reply);
        if (server->redis != NULL)
            redisFree(server->redis);
        server->redis = NULL;
        assert_true(sinkhole_monotonic_ms() < deadline);
        nanosleep(&(struct timespec){0, 5000000}, NULL);
    }
}

static inline void server_start(struct server *server)
{
    server->pid = fork();
    assert_true(server->pid >= 0);
    if (server->pid == 0) {
        const int null = open("/dev/null", O_RDWR);

        dup2(null, 1);
        dup2(null, 2);
        execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", server->socket,
               "--dir", server->dir, "--save", "", "--appendonly", "yes", "--appendfsync", "no",
               "--daemonize", "no", (char *)NULL);
        _exit(127);
    }
    server_connect(server);
}

static inline void server_stop(struct server *server, int how)
{
    if (server->redis != NULL)
        redisFree(server->redis);
    server->redis = NULL;
    if (server->pid > 0) {
        kill(server->pid, how);
        waitpid(server->pid, NULL, 0);
    }
    server->pid = 0;
}

static inline redisReply *ask(struct server *server, const char *format, ...)
{
    va_list args;
    redisReply *reply;

    va_start(args, format);
    reply = redisvCommand(server->redis, format, args);
    va_end(args);
    assert_non_null(reply);
    return reply;
}

static inline long long ask_number(struct server *server, const char *command)
{
    redisReply *reply = ask(server, command);
    const long long number = reply->integer;

    assert_int_equal(reply->type, REDIS_REPLY_INTEGER);
    freeReplyObject(reply);
    return number;
}

static inline void tell(struct server *server, const char *command)
{
    redisReply *reply = ask(server, command);

    if (reply->type == REDIS_REPLY_ERROR)
        fail_msg("%s: %s", command, reply->str);
    freeReplyObject(reply);
}

static inline void server_make(struct server *server)
{
    sample_dir_make(server->dir);
    snprintf(server->socket, sizeof(server->socket), "%s/redis.sock", server->dir);
    server_start(server);
}

static inline void server_remove(struct server *server)
{
    server_stop(server, SIGKILL);
    sample_dir_remove(server->dir);
}

static inline struct sinkhole_settings server_settings(const struct server *server)
{
    return (struct sinkhole_settings){
        .redis_socket = server->socket,
        .redis_host = "",
        .redis_user = "",
        .redis_password_file = "",
        .redis_connect_timeout_ms = 2000,
        .redis_command_timeout_ms = 5000,
        .resolver_name = "test",
        .keep_hits_days = 100,
        .keep_hits_mb = 1024,
    };
}

static inline bool server_is_installed(void)
{
    return system("command -v redis-server >/dev/null 2>&1") == 0;
}

#endif
