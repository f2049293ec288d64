/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An answer as Unbound's own message: structures filled by name, in the query's region.
 *
 * Threads: the worker of the query. Memory: the query's region, gone with it.
 */
#include "module/unbound_glue.h"

#include <arpa/inet.h>
#include <string.h>

static struct packed_rrset_data *rrset_data(struct regional *region,
                                            const struct sinkhole_record *record, uint32_t ttl_s)
{
    struct packed_rrset_data *data = regional_alloc_zero(region, sizeof(*data));
    uint8_t *rdata = regional_alloc(region, 2 + (size_t)record->rdata_len);

    if (data == NULL || rdata == NULL)
        return NULL;
    data->rr_len = regional_alloc(region, sizeof(*data->rr_len));
    data->rr_ttl = regional_alloc(region, sizeof(*data->rr_ttl));
    data->rr_data = regional_alloc(region, sizeof(*data->rr_data));
    if (data->rr_len == NULL || data->rr_ttl == NULL || data->rr_data == NULL)
        return NULL;
    rdata[0] = 0;
    rdata[1] = record->rdata_len;
    memcpy(rdata + 2, record->rdata, record->rdata_len);
    data->ttl = (time_t)ttl_s;
    data->count = 1;
    data->trust = rrset_trust_none;
    data->security = sec_status_insecure;
    data->rr_len[0] = 2 + (size_t)record->rdata_len;
    data->rr_ttl[0] = (time_t)ttl_s;
    data->rr_data[0] = rdata;
    return data;
}

static struct ub_packed_rrset_key *rrset_make(struct module_qstate *qstate,
                                              const struct sinkhole_note *note,
                                              const struct sinkhole_record *record, uint32_t ttl_s)
{
    struct regional *region = qstate->region;
    struct ub_packed_rrset_key *rrset = regional_alloc_zero(region, sizeof(*rrset));

    if (rrset == NULL)
        return NULL;
    rrset->entry.key = rrset;
    rrset->entry.data = rrset_data(region, record, ttl_s);
    if (rrset->entry.data == NULL)
        return NULL;
    rrset->rk.type = htons(record->type);
    rrset->rk.rrset_class = htons(SINKHOLE_CLASS_IN);
    rrset->rk.dname = qstate->qinfo.qname;
    rrset->rk.dname_len = qstate->qinfo.qname_len;
    if (record->owner_listed && note->verdict.indicator_len <= qstate->qinfo.qname_len) {
        /* The listed name is the end of the asked one: as the client spelled it. */
        size_t off = qstate->qinfo.qname_len - note->verdict.indicator_len;
        rrset->rk.dname += off;
        rrset->rk.dname_len -= off;
    }
    return rrset;
}

static struct reply_info *reply_make(struct module_qstate *qstate, const struct sinkhole_note *note,
                                     const struct sinkhole_answer *answer)
{
    struct regional *region = qstate->region;
    struct reply_info *rep = regional_alloc_zero(region, sizeof(*rep));

    if (rep == NULL)
        return NULL;
    rep->rrsets = regional_alloc_zero(region, SINKHOLE_ANSWER_RECORDS * sizeof(*rep->rrsets));
    if (rep->rrsets == NULL)
        return NULL;
    rep->flags = (uint16_t)(BIT_QR | BIT_RA | answer->rcode);
    rep->qdcount = 1;
    rep->ttl = (time_t)answer->ttl_s;
    rep->prefetch_ttl = rep->ttl;
    rep->serve_expired_ttl = rep->ttl;
    /* "unchecked" would become SERVFAIL under a validator with trust anchors. */
    rep->security = sec_status_insecure;
    for (unsigned i = 0; i < answer->record_count; i++) {
        rep->rrsets[i] = rrset_make(qstate, note, &answer->records[i], answer->ttl_s);
        if (rep->rrsets[i] == NULL)
            return NULL;
        if (answer->records[i].authority)
            rep->ns_numrrsets++;
        else
            rep->an_numrrsets++;
        rep->rrset_count++;
    }
    return rep;
}

bool sinkhole_answer_install(struct module_qstate *qstate, struct sinkhole_note *note)
{
    struct sinkhole_answer answer;
    struct dns_msg *message = regional_alloc_zero(qstate->region, sizeof(*message));

    sinkhole_answer_make(&note->verdict, qstate->qinfo.qtype, &answer);
    struct reply_info *rep = message == NULL ? NULL : reply_make(qstate, note, &answer);
    if (rep == NULL)
        return false;
    message->qinfo = qstate->qinfo;
    message->rep = rep;
    note->ours = rep;
    note->answer = answer.address;
    note->ede_count = answer.ede_count;
    memcpy(note->ede, answer.ede, sizeof(note->ede));
    qstate->return_msg = message;
    qstate->return_rcode = LDNS_RCODE_NOERROR;
    qstate->no_cache_store = 1;
    return true;
}
