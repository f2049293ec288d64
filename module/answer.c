/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The answer: addresses, or a negative answer with its SOA.
 *
 * Threads: pure function. Memory: none.
 */
#include "module/answer.h"

#include <string.h>

/* Names under the reserved top-level domain (RFC 6761): they exist nowhere. */
static const uint8_t soa_mname[] = "\010sinkhole\007invalid";
static const uint8_t soa_rname[] = "\012hostmaster\010sinkhole\007invalid";

static void put_u32(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 24);
    at[1] = (uint8_t)(value >> 16);
    at[2] = (uint8_t)(value >> 8);
    at[3] = (uint8_t)value;
}

static void soa_add(const struct sinkhole_verdict *verdict, struct sinkhole_answer *answer)
{
    struct sinkhole_record *record = &answer->records[answer->record_count++];
    uint8_t *at = record->rdata;
    const uint32_t numbers[5] = {
        (uint32_t)verdict->generation, /* serial */
        3600,
        600,
        86400,          /* refresh, retry, expire: nobody transfers this zone */
        verdict->ttl_s, /* minimum: how long a cache keeps "no" */
    };

    _Static_assert(sizeof(soa_mname) + sizeof(soa_rname) + 20 <= SINKHOLE_RDATA_MAX, "SOA rdata");
    record->type = SINKHOLE_TYPE_SOA;
    record->authority = true;
    record->owner_listed = (verdict->flags & SINKHOLE_HIT_CHAIN) == 0;
    memcpy(at, soa_mname, sizeof(soa_mname));
    at += sizeof(soa_mname);
    memcpy(at, soa_rname, sizeof(soa_rname));
    at += sizeof(soa_rname);
    for (unsigned i = 0; i < 5; i++, at += 4)
        put_u32(at, numbers[i]);
    record->rdata_len = (uint8_t)(at - record->rdata);
}

static void address_add(struct sinkhole_answer *answer, uint16_t type, const uint8_t *octets,
                        uint8_t len)
{
    struct sinkhole_record *record = &answer->records[answer->record_count++];

    record->type = type;
    record->authority = false;
    record->owner_listed = false;
    record->rdata_len = len;
    memcpy(record->rdata, octets, len);
    if (answer->address.family == 0) {
        answer->address.family = len == 4 ? 4 : 6;
        memcpy(answer->address.octets, octets, len);
    }
}

void sinkhole_answer_make(const struct sinkhole_verdict *verdict, uint16_t qtype,
                          struct sinkhole_answer *ret_answer)
{
    bool any = qtype == SINKHOLE_TYPE_ANY;

    ret_answer->rcode = SINKHOLE_RCODE_NOERROR;
    ret_answer->record_count = 0;
    ret_answer->ede_count = 0;
    ret_answer->ttl_s = verdict->ttl_s;
    memset(&ret_answer->address, 0, sizeof(ret_answer->address));
    if (verdict->action == SINKHOLE_ACTION_ADDRESS) {
        if (verdict->has_v4 && (any || qtype == SINKHOLE_TYPE_A))
            address_add(ret_answer, SINKHOLE_TYPE_A, verdict->v4, 4);
        if (verdict->has_v6 && (any || qtype == SINKHOLE_TYPE_AAAA))
            address_add(ret_answer, SINKHOLE_TYPE_AAAA, verdict->v6, 16);
    }
    bool forged = ret_answer->record_count > 0;
    if (!forged) {
        if (verdict->action == SINKHOLE_ACTION_NXDOMAIN && !verdict->exact &&
            (verdict->flags & SINKHOLE_HIT_CHAIN) == 0)
            ret_answer->rcode = SINKHOLE_RCODE_NXDOMAIN;
        soa_add(verdict, ret_answer);
    }
    if (verdict->ede_code == 0)
        return;
    if (forged)
        ret_answer->ede[ret_answer->ede_count++] = SINKHOLE_EDE_FORGED;
    if (!forged || verdict->ede_code != SINKHOLE_EDE_FORGED)
        ret_answer->ede[ret_answer->ede_count++] = verdict->ede_code;
}
