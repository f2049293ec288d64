/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What this resolver tells of itself: flat text fields, every two seconds and soon after a change,
 * into Redis (hash sinkhole:resolver:{NAME}, gone after an hour of silence) and into
 * DIR/agent/status.json, which serves while Redis is away. Says when another agent tells under this
 * name (condition name-taken).
 *
 * Threads: the event loop's. Memory: AGENT_STATUS_FIELDS fields.
 */
#ifndef AGENT_STATUS_H
#define AGENT_STATUS_H

#include <stdbool.h>

#include "agent/alarm.h"
#include "agent/redis.h"

#define AGENT_STATUS_FIELDS 96
#define AGENT_STATUS_EXPIRY_S 3600

struct agent_status; /* opaque */
/* `fill` puts all fields, each time. NULL: no memory. `dir`, `resolver` and `alarms` outlive it. */
struct agent_status *agent_status_new(struct event_base *loop, const char *dir,
                                      const char *resolver, struct agent_alarms *alarms,
                                      void (*fill)(void *arg, struct agent_status *status),
                                      void *arg);
void agent_status_free(struct agent_status *status); /* NULL is fine */
/* NULL: Redis is away. */
void agent_status_attach(struct agent_status *status, struct agent_redis *redis);
/* Within 100 ms. */
void agent_status_soon(struct agent_status *status);
/* At once: at the end. */
void agent_status_now(struct agent_status *status);
/* From `fill` only. */
void agent_status_put(struct agent_status *status, const char *field, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
