/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Alarms: one structured line on standard error at once, and one entry in Redis's stream of alarms
 * as soon as Redis takes it. A *condition* lasts: it is raised once when it begins and noted once
 * when it ends.
 *
 * Threads: the event loop's. Memory: AGENT_ALARM_QUEUE entries wait for Redis, AGENT_CONDITIONS
 * conditions.
 */
#ifndef AGENT_ALARM_H
#define AGENT_ALARM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/redis.h"
#include "sinkhole/store.h"

#define AGENT_ALARM_QUEUE 256
#define AGENT_CONDITIONS 24

struct agent_alarms; /* opaque */

/* `source`: the resolver's name. NULL: no memory. */
struct agent_alarms *agent_alarms_new(const char *source);
void agent_alarms_free(struct agent_alarms *alarms); /* NULL is fine */
/* Where entries go; NULL: nowhere now. On ready call agent_alarms_flush. */
void agent_alarms_attach(struct agent_alarms *alarms, struct agent_redis *redis);
void agent_alarms_flush(struct agent_alarms *alarms);

/* Something that happened once. */
void agent_alarm_event(struct agent_alarms *alarms, enum sinkhole_severity severity,
                       const char *code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* A condition begins (`on`) or ends; nothing happens when that is known already. */
void agent_alarm_set(struct agent_alarms *alarms, enum sinkhole_severity severity, const char *code,
                     bool on, const char *format, ...) __attribute__((format(printf, 5, 6)));

struct agent_condition {
    char code[48];
    char text[256];
    int64_t since_ms;
    uint8_t severity;
};
/* Conditions that last now: number `i` from 0; NULL: no more. */
const struct agent_condition *agent_alarms_condition(const struct agent_alarms *alarms, size_t i);
uint64_t agent_alarms_raised(const struct agent_alarms *alarms); /* since start */
uint64_t agent_alarms_unsent(const struct agent_alarms *alarms); /* found no room in the queue */

#endif
