/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One asynchronous connection to Redis, kept up for ever: connects, authenticates, selects the
 * database, and after each loss tries again with a growing, jittered pause (50 ms to 5 s).
 *
 * hiredis 0.14 has no time-out for asynchronous commands and calls a context healthy before it is
 * connected; both are made good here. A connection whose oldest command waits too long is given up.
 *
 * Threads: the event loop's. Memory: commands under way are bounded by AGENT_REDIS_PENDING_MAX.
 */
#ifndef AGENT_REDIS_H
#define AGENT_REDIS_H

#include <event2/event.h>
#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sinkhole/settings.h"
#include "sinkhole/store.h"

#define AGENT_REDIS_PENDING_MAX 65536u

struct agent_redis; /* opaque */

struct agent_redis_events {
    void (*ready)(void *arg); /* commands may be sent */
    /* A try failed or the connection ended: the class, and one sentence. Commands under way have
     * been answered with RECONNECT before. The next try comes by itself. */
    void (*lost)(void *arg, enum sinkhole_store_status status, const char *why);
    void *arg;
};

/* Starts connecting at once; events come from the loop, never from within this call. `settings`
 * and `loop` outlive it. NULL: no memory. */
struct agent_redis *agent_redis_new(struct event_base *loop,
                                    const struct sinkhole_settings *settings,
                                    const struct agent_redis_events *events);
/* Commands under way are answered with RECONNECT; no event follows. NULL is fine. */
void agent_redis_free(struct agent_redis *redis);
bool agent_redis_is_ready(const struct agent_redis *redis);
/* Ends the connection and makes it anew at once: SIGHUP. */
void agent_redis_reconnect(struct agent_redis *redis);

/*
 * Called exactly once for each command that was accepted, from the loop. `reply` lives during the
 * call; it is NULL with RECONNECT when the connection ended. An error reply comes with its class
 * and is passed too. A reply of class RECONNECT or MOVED ends the connection after the call.
 */
typedef void (*agent_reply_fn)(void *arg, enum sinkhole_store_status status,
                               const redisReply *reply);
/* False: not ready, or too many under way; `done` is not called. `wait_ms` is added to the time-out
 * of commands (redis.command_timeout_ms): for XREAD BLOCK. */
bool agent_redis_send(struct agent_redis *redis, uint64_t wait_ms, agent_reply_fn done, void *arg,
                      const char *format, ...); /* format as redisCommand's */
bool agent_redis_send_argv(struct agent_redis *redis, uint64_t wait_ms, agent_reply_fn done,
                           void *arg, int argc, const char **argv, const size_t *argv_len);
size_t agent_redis_pending(const struct agent_redis *redis);

#endif
