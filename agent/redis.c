/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One asynchronous connection to Redis, kept up for ever.
 *
 * Order: redis_try (connect) -> redis_on_connect -> redis_greet (AUTH, SELECT) ->
 * redis_become_ready; any failure ends in redis_drop, which answers what is under way, tells the
 * owner and arms the next try. The greeting is an event of its own: a context may not be freed
 * within its connect callback.
 *
 * Threads: the event loop's. Memory: see redis.h.
 */
#include "agent/redis.h"

#include <errno.h>
#include <fcntl.h>
#include <hiredis/async.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include <hiredis/adapters/libevent.h>

#include "sinkhole/clock.h"

#define BACKOFF_LEAST_MS 50u
#define BACKOFF_MOST_MS 5000u
#define STEADY_MS 5000 /* up for so long: the next pause is the least again */
#define TICK_MS 250    /* how often the oldest command's age is looked at */

enum redis_phase { PHASE_IDLE, PHASE_CONNECTING, PHASE_GREETING, PHASE_READY };

struct redis_request {
    TAILQ_ENTRY(redis_request) entry;
    struct agent_redis *redis; /* NULL: its owner is gone, answer nobody */
    agent_reply_fn done;
    void *arg;
    int64_t sent_ms; /* monotonic */
    int64_t most_ms; /* this long after the later of sent_ms and the last reply */
};

struct agent_redis {
    struct event_base *loop;
    const struct sinkhole_settings *settings;
    struct agent_redis_events events;
    redisAsyncContext *context; /* NULL: none */
    struct event *retry, *tick, *greet;
    TAILQ_HEAD(, redis_request) requests; /* in the order sent, which is the order of the replies */
    size_t pending;
    enum redis_phase phase;
    int64_t phase_ms; /* monotonic: since when */
    int64_t reply_ms; /* monotonic: of the last reply */
    uint64_t backoff_ms;
    unsigned seed;
};

static void redis_try(struct agent_redis *redis);

static void redis_arm_retry(struct agent_redis *redis, uint64_t wait_ms)
{
    struct timeval tv = {(time_t)(wait_ms / 1000), (suseconds_t)(wait_ms % 1000 * 1000)};

    event_add(redis->retry, &tv);
}

/* Full jitter over the upper half: 0.5 to 1 of the pause. */
static uint64_t redis_next_pause(struct agent_redis *redis)
{
    uint64_t pause_ms = redis->backoff_ms;

    redis->backoff_ms *= 2;
    if (redis->backoff_ms > BACKOFF_MOST_MS)
        redis->backoff_ms = BACKOFF_MOST_MS;
    return pause_ms / 2 + (uint64_t)rand_r(&redis->seed) % (pause_ms / 2 + 1);
}

/* Ends the connection, answers what is under way, tells the owner, arms the next try. */
static void redis_drop(struct agent_redis *redis, enum sinkhole_store_status status,
                       const char *why)
{
    redisAsyncContext *context = redis->context;
    struct redis_request *request;

    if (redis->phase == PHASE_IDLE)
        return;
    if (redis->phase == PHASE_READY && sinkhole_monotonic_ms() - redis->phase_ms > STEADY_MS)
        redis->backoff_ms = BACKOFF_LEAST_MS;
    redis->phase = PHASE_IDLE;
    redis->context = NULL;
    event_del(redis->tick);
    event_del(redis->greet);
    if (context != NULL) {
        context->data = NULL;
        redisAsyncFree(context); /* within a callback: freed when the callback returns */
    }
    while ((request = TAILQ_FIRST(&redis->requests)) != NULL) {
        /* Not yet answered by redisAsyncFree: answered here, and the late call finds no owner. */
        TAILQ_REMOVE(&redis->requests, request, entry);
        redis->pending--;
        request->redis = NULL;
        if (request->done != NULL)
            request->done(request->arg, SINKHOLE_STORE_RECONNECT, NULL);
    }
    redis_arm_retry(redis, redis_next_pause(redis));
    redis->events.lost(redis->events.arg, status, why);
}

static void redis_on_reply(redisAsyncContext *context, void *reply_arg, void *arg)
{
    struct redis_request *request = arg;
    struct agent_redis *redis = request->redis;
    const redisReply *reply = reply_arg;
    enum sinkhole_store_status status = SINKHOLE_STORE_OK;

    (void)context;
    if (redis == NULL) { /* answered when the connection was dropped */
        free(request);
        return;
    }
    TAILQ_REMOVE(&redis->requests, request, entry);
    redis->pending--;
    redis->reply_ms = sinkhole_monotonic_ms();
    if (reply == NULL)
        status = SINKHOLE_STORE_RECONNECT;
    else if (reply->type == REDIS_REPLY_ERROR)
        status = sinkhole_store_classify(reply->str, reply->len);
    if (request->done != NULL)
        request->done(request->arg, status, reply);
    free(request);
    if (reply != NULL && (status == SINKHOLE_STORE_RECONNECT || status == SINKHOLE_STORE_MOVED) &&
        redis->context == context)
        redis_drop(redis, status, reply->str);
}

static struct redis_request *redis_request_new(struct agent_redis *redis, uint64_t wait_ms,
                                               agent_reply_fn done, void *arg)
{
    struct redis_request *request = calloc(1, sizeof(*request));

    if (request == NULL)
        return NULL;
    request->redis = redis;
    request->done = done;
    request->arg = arg;
    request->sent_ms = sinkhole_monotonic_ms();
    request->most_ms = (int64_t)(redis->settings->redis_command_timeout_ms + wait_ms);
    return request;
}

/* `queued` is hiredis's answer to the command of this request. */
static bool redis_request_take(struct agent_redis *redis, struct redis_request *request, int queued)
{
    if (queued != REDIS_OK) {
        free(request);
        return false;
    }
    TAILQ_INSERT_TAIL(&redis->requests, request, entry);
    redis->pending++;
    return true;
}

static bool redis_may_send(const struct agent_redis *redis)
{
    return redis->phase >= PHASE_GREETING && redis->pending < AGENT_REDIS_PENDING_MAX;
}

static bool redis_send_argv(struct agent_redis *redis, uint64_t wait_ms, agent_reply_fn done,
                            void *arg, int argc, const char **argv, const size_t *argv_len)
{
    struct redis_request *request;

    if (!redis_may_send(redis) || (request = redis_request_new(redis, wait_ms, done, arg)) == NULL)
        return false;
    return redis_request_take(
        redis, request,
        redisAsyncCommandArgv(redis->context, redis_on_reply, request, argc, argv, argv_len));
}

bool agent_redis_send_argv(struct agent_redis *redis, uint64_t wait_ms, agent_reply_fn done,
                           void *arg, int argc, const char **argv, const size_t *argv_len)
{
    return redis->phase == PHASE_READY &&
           redis_send_argv(redis, wait_ms, done, arg, argc, argv, argv_len);
}

bool agent_redis_send(struct agent_redis *redis, uint64_t wait_ms, agent_reply_fn done, void *arg,
                      const char *format, ...)
{
    struct redis_request *request;
    va_list args;
    int queued;

    if (redis->phase != PHASE_READY || !redis_may_send(redis) ||
        (request = redis_request_new(redis, wait_ms, done, arg)) == NULL)
        return false;
    va_start(args, format);
    queued = redisvAsyncCommand(redis->context, redis_on_reply, request, format, args);
    va_end(args);
    return redis_request_take(redis, request, queued);
}

/* --- greeting: AUTH, SELECT ---------------------------------------------------------------------
 */

static void redis_become_ready(struct agent_redis *redis)
{
    redis->phase = PHASE_READY;
    redis->phase_ms = sinkhole_monotonic_ms();
    redis->events.ready(redis->events.arg);
}

/* Last of the greeting: its answer makes the connection ready. */
static void redis_on_greeted(void *arg, enum sinkhole_store_status status, const redisReply *reply)
{
    struct agent_redis *redis = arg;

    if (redis->phase != PHASE_GREETING)
        return;
    if (status == SINKHOLE_STORE_OK)
        redis_become_ready(redis);
    else if (reply != NULL)
        redis_drop(redis, status, reply->str);
}

static void redis_on_auth(void *arg, enum sinkhole_store_status status, const redisReply *reply)
{
    struct agent_redis *redis = arg;

    if (redis->phase == PHASE_GREETING && status != SINKHOLE_STORE_OK && reply != NULL)
        redis_drop(redis, status, reply->str);
}

/* First line of the file, without its line end. False: errno. */
static bool redis_read_password(const char *path, char *buf, size_t size)
{
    ssize_t len;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return false;
    len = read(fd, buf, size - 1);
    close(fd);
    if (len < 0)
        return false;
    buf[len] = '\0';
    buf[strcspn(buf, "\r\n")] = '\0';
    return true;
}

static bool redis_send_auth(struct agent_redis *redis)
{
    const char *user = redis->settings->redis_user;
    const char *path = redis->settings->redis_password_file;
    char password[1024], why[300];
    const char *argv[3] = {"AUTH"};
    size_t argv_len[3] = {4};
    int argc = 1;
    bool sent;

    if (path[0] == '\0')
        return true;
    if (!redis_read_password(path, password, sizeof(password))) {
        snprintf(why, sizeof(why), "cannot read the password file %s: %s", path, strerror(errno));
        redis_drop(redis, SINKHOLE_STORE_OPERATOR, why);
        return false;
    }
    if (user[0] != '\0') {
        argv[argc] = user;
        argv_len[argc++] = strlen(user);
    }
    argv[argc] = password;
    argv_len[argc++] = strlen(password);
    sent = redis_send_argv(redis, 0, redis_on_auth, redis, argc, argv, argv_len);
    explicit_bzero(password, sizeof(password));
    if (!sent)
        redis_drop(redis, SINKHOLE_STORE_NO_MEMORY, "cannot send AUTH");
    return sent;
}

static void redis_greet(evutil_socket_t fd, short what, void *arg)
{
    struct agent_redis *redis = arg;
    char number[24];
    const char *argv[2] = {"SELECT", number};
    size_t argv_len[2] = {6, 0};

    (void)fd, (void)what;
    redis->phase = PHASE_GREETING;
    redis->phase_ms = redis->reply_ms = sinkhole_monotonic_ms();
    if (!redis_send_auth(redis))
        return;
    argv_len[1] = (size_t)snprintf(number, sizeof(number), "%llu",
                                   (unsigned long long)redis->settings->redis_database);
    if (redis->settings->redis_database == 0) { /* needs no right to SELECT */
        argv[0] = "PING";
        argv_len[0] = 4;
    }
    if (!redis_send_argv(redis, 0, redis_on_greeted, redis,
                         redis->settings->redis_database == 0 ? 1 : 2, argv, argv_len))
        redis_drop(redis, SINKHOLE_STORE_NO_MEMORY, "cannot send the first command");
}

/* --- connection
 * ----------------------------------------------------------------------------------- */

static void redis_where(const struct agent_redis *redis, char *buf, size_t size)
{
    if (redis->settings->redis_socket[0] != '\0')
        snprintf(buf, size, "%s", redis->settings->redis_socket);
    else
        snprintf(buf, size, "%s port %u", redis->settings->redis_host,
                 (unsigned)redis->settings->redis_port);
}

/* hiredis frees the context itself after a failed connect and after an error. */
static void redis_gone(struct agent_redis *redis, const redisAsyncContext *context,
                       const char *what)
{
    char where[256], why[512];

    redis_where(redis, where, sizeof(where));
    snprintf(why, sizeof(why), "%s Redis at %s: %s", what, where,
             context->c.errstr[0] != '\0' ? context->c.errstr : "connection closed");
    redis->context = NULL;
    redis_drop(redis, SINKHOLE_STORE_RECONNECT, why);
}

static void redis_on_connect(const redisAsyncContext *context, int status)
{
    struct agent_redis *redis = context->data;

    if (redis == NULL || redis->context != context)
        return;
    if (status == REDIS_OK)
        event_active(redis->greet, EV_TIMEOUT, 0);
    else
        redis_gone(redis, context, "cannot connect to");
}

static void redis_on_disconnect(const redisAsyncContext *context, int status)
{
    struct agent_redis *redis = context->data;

    (void)status;
    if (redis != NULL && redis->context == context)
        redis_gone(redis, context, "lost");
}

static void redis_on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct agent_redis *redis = arg;
    const struct redis_request *first = TAILQ_FIRST(&redis->requests);
    int64_t now_ms = sinkhole_monotonic_ms(), since_ms;
    char where[256], why[512];

    (void)fd, (void)what;
    redis_where(redis, where, sizeof(where));
    if (redis->phase == PHASE_CONNECTING &&
        now_ms - redis->phase_ms > (int64_t)redis->settings->redis_connect_timeout_ms) {
        snprintf(why, sizeof(why), "cannot connect to Redis at %s: no answer in %llu ms", where,
                 (unsigned long long)redis->settings->redis_connect_timeout_ms);
        redis_drop(redis, SINKHOLE_STORE_RECONNECT, why);
        return;
    }
    if (first == NULL)
        return;
    since_ms = first->sent_ms > redis->reply_ms ? first->sent_ms : redis->reply_ms;
    if (now_ms - since_ms <= first->most_ms)
        return;
    snprintf(why, sizeof(why), "Redis at %s did not answer a command in %lld ms", where,
             (long long)first->most_ms);
    redis_drop(redis, SINKHOLE_STORE_RECONNECT, why);
}

static void redis_try(struct agent_redis *redis)
{
    const struct timeval tick = {0, TICK_MS * 1000};
    const struct sinkhole_settings *settings = redis->settings;
    redisAsyncContext *context;

    redis->phase = PHASE_CONNECTING;
    redis->phase_ms = sinkhole_monotonic_ms();
    context = settings->redis_socket[0] != '\0'
                  ? redisAsyncConnectUnix(settings->redis_socket)
                  : redisAsyncConnect(settings->redis_host, (int)settings->redis_port);
    if (context == NULL) {
        redis_drop(redis, SINKHOLE_STORE_NO_MEMORY, "no memory for a connection to Redis");
        return;
    }
    if (context->err != 0) {
        redis_gone(redis, context, "cannot connect to");
        redisAsyncFree(context);
        return;
    }
    redis->context = context;
    context->data = redis;
    redisLibeventAttach(context, redis->loop);
    redisAsyncSetConnectCallback(context, redis_on_connect);
    redisAsyncSetDisconnectCallback(context, redis_on_disconnect);
    event_add(redis->tick, &tick);
}

static void redis_on_retry(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    redis_try(arg);
}

struct agent_redis *agent_redis_new(struct event_base *loop,
                                    const struct sinkhole_settings *settings,
                                    const struct agent_redis_events *events)
{
    struct agent_redis *redis = calloc(1, sizeof(*redis));

    if (redis == NULL)
        return NULL;
    redis->loop = loop;
    redis->settings = settings;
    redis->events = *events;
    redis->backoff_ms = BACKOFF_LEAST_MS;
    redis->seed = (unsigned)sinkhole_now_ms() ^ (unsigned)getpid();
    TAILQ_INIT(&redis->requests);
    redis->retry = event_new(loop, -1, 0, redis_on_retry, redis);
    redis->tick = event_new(loop, -1, EV_PERSIST, redis_on_tick, redis);
    redis->greet = event_new(loop, -1, 0, redis_greet, redis);
    if (redis->retry == NULL || redis->tick == NULL || redis->greet == NULL) {
        agent_redis_free(redis);
        return NULL;
    }
    redis_arm_retry(redis, 0);
    return redis;
}

static void redis_lost_nobody(void *arg, enum sinkhole_store_status status, const char *why)
{
    (void)arg, (void)status, (void)why;
}

void agent_redis_free(struct agent_redis *redis)
{
    if (redis == NULL)
        return;
    redis->events.lost = redis_lost_nobody;
    redis_drop(redis, SINKHOLE_STORE_RECONNECT, ""); /* idle when an event is missing */
    if (redis->retry != NULL)
        event_free(redis->retry);
    if (redis->tick != NULL)
        event_free(redis->tick);
    if (redis->greet != NULL)
        event_free(redis->greet);
    free(redis);
}

bool agent_redis_is_ready(const struct agent_redis *redis)
{
    return redis->phase == PHASE_READY;
}

void agent_redis_reconnect(struct agent_redis *redis)
{
    redis_drop(redis, SINKHOLE_STORE_RECONNECT, "asked to connect anew");
    redis->backoff_ms = BACKOFF_LEAST_MS;
    redis_arm_retry(redis, 0);
}

size_t agent_redis_pending(const struct agent_redis *redis)
{
    return redis->pending;
}
