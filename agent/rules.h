/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Feeds and batches as read from Redis, made into the rows of an index's head.
 *
 * Threads: a text object is filled in the loop and read in the worker; the rows belong to the
 * worker. Memory: at most AGENT_RULES_MAX rules and AGENT_RULES_TEXT_MAX octets of text.
 */
#ifndef AGENT_RULES_H
#define AGENT_RULES_H

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sinkhole/rule.h"

#define AGENT_RULES_MAX 1000000u
#define AGENT_POLICIES_MAX 60000u
#define AGENT_RULES_TEXT_MAX (512u << 20)

/* What two HGETALL gave, copied: the replies are gone when the worker comes to it. */
struct agent_rules_text; /* opaque */
/* NULL: not two hashes, over the bounds, or no memory. */
struct agent_rules_text *agent_rules_text_new(const redisReply *feeds, const redisReply *batches);
void agent_rules_text_free(struct agent_rules_text *text); /* NULL is fine */

struct agent_rules {
    struct sinkhole_rule *rules; /* ascending ids, the canary's last */
    size_t rule_count;
    struct sinkhole_policy *policies; /* the canary's last */
    size_t policy_count;
    size_t refused; /* feeds and batches that could not be understood: left out */
};
/* Rows of all feeds and batches, and the canary's. False: no memory. */
bool agent_rules_make(const struct agent_rules_text *text, struct agent_rules *ret_rules);
void agent_rules_done(struct agent_rules *rules);

#endif
