/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Alias chains: a name that is not listed itself, but resolves through one that is.
 *
 * Threads: the worker of the query, inside a view. Memory: none kept.
 */
#include "module/unbound_glue.h"

#include <string.h>

enum sinkhole_kind sinkhole_name_decide(const struct sinkhole_view *view, const uint8_t *name,
                                        size_t len, int64_t now_s,
                                        struct sinkhole_verdict *ret_verdict)
{
    uint8_t wire[SINKHOLE_NAME_WIRE_MAX];

    ret_verdict->near = true;
    if (!sinkhole_wire_lower(name, len, wire))
        return SINKHOLE_PASS;
    return sinkhole_decide(view->index, view->info.generation, wire, len, now_s, ret_verdict);
}

bool sinkhole_rrset_is_alias(const struct ub_packed_rrset_key *rrset)
{
    return rrset->rk.type == htons(LDNS_RR_TYPE_CNAME);
}

const uint8_t *sinkhole_alias_target(const struct packed_rrset_data *data, size_t *ret_len)
{
    if (data == NULL || data->count == 0 || data->rr_len[0] < 3)
        return NULL;
    *ret_len = data->rr_len[0] - 2;
    return data->rr_data[0] + 2;
}

/* Targets of the answer section's aliases, one after the other; *at is where to go on. */
static const uint8_t *target_next(const struct reply_info *rep, size_t *at, size_t *ret_len)
{
    while (*at < rep->an_numrrsets && *at < SINKHOLE_CHAIN_MAX) {
        const struct ub_packed_rrset_key *rrset = rep->rrsets[(*at)++];
        if (!sinkhole_rrset_is_alias(rrset))
            continue;
        const uint8_t *target = sinkhole_alias_target(rrset->entry.data, ret_len);
        if (target != NULL)
            return target;
    }
    return NULL;
}

enum sinkhole_kind sinkhole_chain_decide(const struct sinkhole_view *view,
                                         const struct reply_info *rep, int64_t now_s,
                                         struct sinkhole_verdict *ret_verdict)
{
    enum sinkhole_kind best = SINKHOLE_PASS;
    struct sinkhole_verdict verdict;
    const uint8_t *target;
    size_t len, at = 0;

    while (!sinkhole_kind_is_stop(best) && (target = target_next(rep, &at, &len)) != NULL) {
        enum sinkhole_kind kind = sinkhole_name_decide(view, target, len, now_s, &verdict);
        if (kind < SINKHOLE_MONITOR || kind <= best)
            continue;
        best = kind;
        *ret_verdict = verdict;
        ret_verdict->flags |= SINKHOLE_HIT_CHAIN;
    }
    return best;
}

/* Aliases up to and with the one whose target is stopped. */
static void aliases_remove(struct module_qstate *qstate, const struct reply_info *rep, size_t end)
{
    for (size_t i = 0; i < end; i++) {
        const struct packed_rrset_key *key = &rep->rrsets[i]->rk;
        uint16_t type = ntohs(key->type);
        if (type == LDNS_RR_TYPE_CNAME || type == LDNS_RR_TYPE_DNAME)
            rrset_cache_remove(qstate->env->rrset_cache, key->dname, key->dname_len, type,
                               ntohs(key->rrset_class), 0);
    }
}

void sinkhole_chain_remove(const struct sinkhole_view *view, struct module_qstate *qstate,
                           const struct reply_info *rep, int64_t now_s)
{
    struct sinkhole_verdict verdict;
    const uint8_t *target;
    size_t len, at = 0;

    while ((target = target_next(rep, &at, &len)) != NULL) {
        uint8_t name[SINKHOLE_NAME_WIRE_MAX];
        if (!sinkhole_kind_is_stop(sinkhole_name_decide(view, target, len, now_s, &verdict)))
            continue;
        memcpy(name, target, len);
        msg_cache_remove(qstate->env, name, len, qstate->qinfo.qtype, qstate->qinfo.qclass,
                         qstate->query_flags);
        aliases_remove(qstate, rep, at);
    }
}
