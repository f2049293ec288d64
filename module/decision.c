/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The decision: a ladder of "not ours", then one straight copy.
 *
 * Threads: pure functions. Memory: none.
 */
#include "module/decision.h"

#include <string.h>

enum sinkhole_kind sinkhole_kind_of(const struct sinkhole_match *match, bool found)
{
    if (!found)
        return match->rule != NULL && match->action == SINKHOLE_ACTION_ALLOW ? SINKHOLE_EXEMPT
                                                                             : SINKHOLE_PASS;
    switch (match->action) {
    case SINKHOLE_ACTION_ADDRESS:
    case SINKHOLE_ACTION_NODATA:
    case SINKHOLE_ACTION_NXDOMAIN:
        return SINKHOLE_BLOCK;
    case SINKHOLE_ACTION_DROP:
        return SINKHOLE_DROP;
    case SINKHOLE_ACTION_MONITOR:
    case SINKHOLE_ACTION_TCP_ONLY: /* reserved: resolves, and is seen */
        return SINKHOLE_MONITOR;
    default: /* nothing that a builder writes: fail toward resolving */
        return SINKHOLE_PASS;
    }
}

static void verdict_fill(const struct sinkhole_match *match, enum sinkhole_kind kind,
                         uint64_t generation, const uint8_t *wire, size_t len,
                         struct sinkhole_verdict *verdict)
{
    const struct sinkhole_policy *policy = match->policy;
    size_t off = match->name_off < len ? match->name_off : 0;

    verdict->generation = generation;
    verdict->rule = match->rule->id;
    verdict->ttl_s = policy->ttl_s;
    verdict->ede_code = policy->ede_code;
    verdict->kind = (uint8_t)kind;
    verdict->action = match->action;
    verdict->flags = 0;
    verdict->exact = match->rule->scope == SINKHOLE_SCOPE_EXACT;
    verdict->has_v4 = policy->has_v4 != 0;
    verdict->has_v6 = policy->has_v6 != 0;
    memcpy(verdict->v4, policy->v4, sizeof(verdict->v4));
    memcpy(verdict->v6, policy->v6, sizeof(verdict->v6));
    verdict->indicator_len = (uint8_t)(len - off);
    memcpy(verdict->indicator, wire + off, len - off);
    memcpy(verdict->ede_text, policy->ede_text, sizeof(verdict->ede_text));
    verdict->ede_text[SINKHOLE_EDE_TEXT_MAX] = '\0';
}

enum sinkhole_kind sinkhole_decide(const struct sinkhole_index *index, uint64_t generation,
                                   const uint8_t *wire, size_t len, int64_t now_s,
                                   struct sinkhole_verdict *ret_verdict)
{
    struct sinkhole_match match;
    bool found = sinkhole_index_find(index, wire, len, now_s, &match);

    if (!found && match.rule == NULL)
        return SINKHOLE_PASS;
    enum sinkhole_kind kind = sinkhole_kind_of(&match, found);
    if (kind >= SINKHOLE_MONITOR)
        verdict_fill(&match, kind, generation, wire, len, ret_verdict);
    return kind;
}

enum sinkhole_kind sinkhole_decide_kind(const struct sinkhole_index *index, const uint8_t *wire,
                                        size_t len, int64_t now_s)
{
    struct sinkhole_match match;
    bool found = sinkhole_index_find(index, wire, len, now_s, &match);

    return sinkhole_kind_of(&match, found);
}

bool sinkhole_wire_lower(const uint8_t *wire, size_t len, uint8_t ret_wire[SINKHOLE_NAME_WIRE_MAX])
{
    size_t pos = 0;

    if (len == 0 || len > SINKHOLE_NAME_WIRE_MAX)
        return false;
    while (wire[pos] != 0) {
        size_t label = wire[pos];
        if (label > SINKHOLE_NAME_LABEL_MAX || label + 1 >= len - pos)
            return false;
        ret_wire[pos++] = (uint8_t)label;
        for (size_t end = pos + label; pos < end; pos++) {
            uint8_t c = wire[pos];
            ret_wire[pos] = c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
        }
    }
    ret_wire[pos] = 0;
    return pos + 1 == len;
}
