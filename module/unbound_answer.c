/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An answer as Unbound's own message: structures filled by name, in the query's region.
 *
 * Threads: the worker of the query. Memory: the query's region, gone with it.
 */
#include "module/unbound_glue.h"

#include <string.h>

/* All of an answer in one piece: one allocation for each blocked query. */
struct parcel {
    struct dns_msg message;
    struct reply_info rep;
    struct ub_packed_rrset_key *rrsets[SINKHOLE_ANSWER_RECORDS];
    struct {
        struct ub_packed_rrset_key key;
        struct packed_rrset_data data;
        size_t rr_len;
        time_t rr_ttl;
        uint8_t *rr_data;
        uint8_t rdata[2 + SINKHOLE_RDATA_MAX];
    } set[SINKHOLE_ANSWER_RECORDS];
};

static void rrset_fill(struct parcel *parcel, unsigned i, const struct query_info *asked,
                       size_t listed_len, const struct sinkhole_record *record, uint32_t ttl_s)
{
    struct ub_packed_rrset_key *key = &parcel->set[i].key;
    struct packed_rrset_data *data = &parcel->set[i].data;
    uint8_t *rdata = parcel->set[i].rdata;

    rdata[0] = 0;
    rdata[1] = record->rdata_len;
    memcpy(rdata + 2, record->rdata, record->rdata_len);
    parcel->set[i].rr_len = 2 + (size_t)record->rdata_len;
    parcel->set[i].rr_ttl = (time_t)ttl_s;
    parcel->set[i].rr_data = rdata;
    data->ttl = (time_t)ttl_s;
    data->count = 1;
    data->trust = rrset_trust_none;
    data->security = sec_status_insecure;
    data->rr_len = &parcel->set[i].rr_len;
    data->rr_ttl = &parcel->set[i].rr_ttl;
    data->rr_data = &parcel->set[i].rr_data;
    key->entry.key = key;
    key->entry.data = data;
    key->rk.type = htons(record->type);
    key->rk.rrset_class = htons(SINKHOLE_CLASS_IN);
    key->rk.dname = asked->qname;
    key->rk.dname_len = asked->qname_len;
    if (record->owner_listed && listed_len <= asked->qname_len) {
        /* The listed name is the end of the asked one: as the client spelled it. */
        key->rk.dname += asked->qname_len - listed_len;
        key->rk.dname_len = listed_len;
    }
    parcel->rrsets[i] = key;
}

bool sinkhole_answer_install(struct module_qstate *qstate, struct sinkhole_note *note)
{
    struct parcel *parcel = regional_alloc_zero(qstate->region, sizeof(*parcel));
    struct sinkhole_answer answer;

    if (parcel == NULL)
        return false;
    sinkhole_answer_make(&note->verdict, qstate->qinfo.qtype, &answer);
    struct reply_info *rep = &parcel->rep;
    rep->rrsets = parcel->rrsets;
    rep->flags = (uint16_t)(BIT_QR | BIT_RA | answer.rcode);
    rep->qdcount = 1;
    rep->ttl = rep->prefetch_ttl = rep->serve_expired_ttl = (time_t)answer.ttl_s;
    /* "unchecked" would become SERVFAIL under a validator with trust anchors. */
    rep->security = sec_status_insecure;
    for (unsigned i = 0; i < answer.record_count; i++) {
        rrset_fill(parcel, i, &qstate->qinfo, note->verdict.indicator_len, &answer.records[i],
                   answer.ttl_s);
        if (answer.records[i].authority)
            rep->ns_numrrsets++;
        else
            rep->an_numrrsets++;
        rep->rrset_count++;
    }
    parcel->message.qinfo = qstate->qinfo;
    parcel->message.rep = rep;
    note->ours = rep;
    note->answer = answer.address;
    note->ede_count = answer.ede_count;
    memcpy(note->ede, answer.ede, sizeof(note->ede));
    qstate->return_msg = &parcel->message;
    qstate->return_rcode = LDNS_RCODE_NOERROR;
    qstate->no_cache_store = 1;
    return true;
}
