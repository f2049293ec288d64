/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The canary: a name that every index of this agent lists, asked for through the resolver itself.
 *
 * The agent adds it to the head's delta with a rule and a policy of its own (agent_canary_rule,
 * agent_canary_policy); it stands in no list in Redis and in none of the list's counts and digests.
 * Its answer is an address from TEST-NET-1 (RFC 5737) that comes from nowhere else, so a right
 * answer proves the whole way: socket, Unbound, module, index. Its look-ups are hits of rule
 * SINKHOLE_RULE_CANARY, which the shipper leaves out of Redis.
 *
 * Threads: the event loop's. Memory: one socket, one packet.
 */
#ifndef AGENT_CANARY_H
#define AGENT_CANARY_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/alarm.h"
#include "sinkhole/rule.h"
#include "sinkhole/settings.h"

#define AGENT_CANARY_FEED "canary"
#define AGENT_CANARY_V4                                                                            \
    {                                                                                              \
        192, 0, 2, 53                                                                              \
    }

enum agent_canary_state {
    AGENT_CANARY_UNKNOWN = 0,   /* not asked yet, or nothing in force to ask for */
    AGENT_CANARY_OK,            /* the sinkhole's own answer */
    AGENT_CANARY_NOT_SINKHOLED, /* an answer, but not the sinkhole's */
    AGENT_CANARY_NO_ANSWER,     /* none, or nothing listens */
};
const char *agent_canary_state_text(enum agent_canary_state state);

/* Rows for the head; the rule's feed is the place of the policy among the policies. */
void agent_canary_rule(uint16_t feed, struct sinkhole_rule *ret_rule);
void agent_canary_policy(struct sinkhole_policy *ret_policy);

struct agent_canary; /* opaque */
/* Asks resolver.canary at resolver.address and port every resolver.canary_every_s; `changed` (may
 * be NULL) is called when the state changes. NULL: no memory, or the name or the address is none
 * (logged). */
struct agent_canary *agent_canary_new(struct event_base *loop,
                                      const struct sinkhole_settings *settings,
                                      struct agent_alarms *alarms, void (*changed)(void *arg),
                                      void *arg);
void agent_canary_free(struct agent_canary *canary); /* NULL is fine */
/* An index with the canary in it is in force from now on: the first question goes out at once. */
void agent_canary_start(struct agent_canary *canary);
enum agent_canary_state agent_canary_state(const struct agent_canary *canary);
/* Time from the question to the last right answer, microseconds; 0: none yet. */
uint64_t agent_canary_latency_us(const struct agent_canary *canary);

/* Is this packet an answer of the sinkhole for question `id`? Exposed for its tests. OK,
 * NOT_SINKHOLED, or UNKNOWN when it is no answer to that question. */
enum agent_canary_state agent_canary_judge(const uint8_t *packet, size_t len, uint16_t id,
                                           const char *name);

#endif
