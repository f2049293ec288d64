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
    verdict->until = 0;
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

    ret_verdict->near = match.near;
    if (!found && match.rule == NULL)
        return SINKHOLE_PASS;
    enum sinkhole_kind kind = sinkhole_kind_of(&match, found);
    if (kind >= SINKHOLE_MONITOR)
        verdict_fill(&match, kind, generation, wire, len, ret_verdict);
    else if (kind == SINKHOLE_EXEMPT)
        ret_verdict->until = match.rule->valid_until;
    return kind;
}

enum sinkhole_kind sinkhole_decide_kind(const struct sinkhole_index *index, const uint8_t *wire,
                                        size_t len, int64_t now_s)
{
    struct sinkhole_match match;
    bool found = sinkhole_index_find(index, wire, len, now_s, &match);

    return sinkhole_kind_of(&match, found);
}

/* Adds 0x20 to each octet from 'A' to 'Z', eight at a time: a label's length (at most 63) stands
 * below all of them, so the whole name is one string of octets. */
static uint64_t lower_8(uint64_t octets)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t low = octets & (0x7f * ones);
    uint64_t from_a = low + (0x80 - 'A') * ones;
    uint64_t past_z = low + (0x80 - 'Z' - 1) * ones;
    uint64_t upper = (from_a & ~past_z & ~octets) & (0x80 * ones);

    return octets + (upper >> 2);
}

bool sinkhole_wire_lower(const uint8_t *wire, size_t len, uint8_t ret_wire[SINKHOLE_NAME_WIRE_MAX])
{
    uint64_t octets = 0;
    size_t pos = 0;

    if (len == 0 || len > SINKHOLE_NAME_WIRE_MAX || wire[len - 1] != 0)
        return false;
    for (; len - pos >= sizeof(octets); pos += sizeof(octets)) {
        memcpy(&octets, wire + pos, sizeof(octets));
        octets = lower_8(octets);
        memcpy(ret_wire + pos, &octets, sizeof(octets));
    }
    if (len >= sizeof(octets)) { /* the last eight again, for what is left of them */
        memcpy(&octets, wire + len - sizeof(octets), sizeof(octets));
        octets = lower_8(octets);
        memcpy(ret_wire + len - sizeof(octets), &octets, sizeof(octets));
    } else {
        memcpy(&octets, wire, len);
        octets = lower_8(octets);
        memcpy(ret_wire, &octets, len);
    }
    return true;
}
