/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The answer to a look-up of a listed name, as plain records; the glue turns them into Unbound's.
 *
 * | action   | A, AAAA                  | ANY           | other types        |
 * |----------|--------------------------|---------------|--------------------|
 * | address  | the feed's, else NODATA  | all addresses | NODATA             |
 * | nodata   | NODATA                   | NODATA        | NODATA             |
 * | nxdomain | NXDOMAIN; NODATA at an exact entry and for an alias of a listed name (RFC 8020) |||
 *
 * A negative answer has the SOA of the listed name (of the asked name when that is an alias), so
 * that caches keep it for the feed's TTL (RFC 2308). Extended errors (RFC 8914): a forged address
 * says 4 and the feed's code, a negative answer the feed's code; with the feed's text; a feed with
 * code 0 says nothing.
 *
 * Threads: pure function. Memory: a value.
 */
#ifndef SINKHOLE_ANSWER_H
#define SINKHOLE_ANSWER_H

#include "module/decision.h"
#include "sinkhole/hit.h"

#define SINKHOLE_TYPE_A 1
#define SINKHOLE_TYPE_SOA 6
#define SINKHOLE_TYPE_AAAA 28
#define SINKHOLE_TYPE_ANY 255
#define SINKHOLE_CLASS_IN 1
#define SINKHOLE_CLASS_ANY 255
#define SINKHOLE_RCODE_NOERROR 0
#define SINKHOLE_RCODE_NXDOMAIN 3
#define SINKHOLE_EDE_FORGED 4
#define SINKHOLE_ANSWER_RECORDS 2
#define SINKHOLE_RDATA_MAX 80

struct sinkhole_record {
    uint16_t type;
    uint8_t rdata_len;
    bool authority;    /* section: else answer */
    bool owner_listed; /* owner is the listed name: else the asked one */
    uint8_t rdata[SINKHOLE_RDATA_MAX];
};

struct sinkhole_answer {
    uint8_t rcode;
    uint8_t record_count;
    uint8_t ede_count;
    uint32_t ttl_s;
    uint16_t ede[2];                 /* codes in order; the feed's text goes with the last */
    struct sinkhole_address address; /* first address handed out; family 0: none */
    struct sinkhole_record records[SINKHOLE_ANSWER_RECORDS];
};

/* `verdict->kind` is BLOCK. Fills only what is used of `records`. */
void sinkhole_answer_make(const struct sinkhole_verdict *verdict, uint16_t qtype,
                          struct sinkhole_answer *ret_answer);

#endif
