/* SPDX-License-Identifier: BSD-3-Clause */
/* Hits made up for tests of the report. Threads and memory: a test. */
#ifndef SINKHOLE_TESTS_REPORT_SAMPLE_H
#define SINKHOLE_TESTS_REPORT_SAMPLE_H

#include <stdio.h>
#include <string.h>

#include "sinkhole/report.h"

#define SAMPLE_START 1795478400000LL /* 2026-11-24T00:00:00Z */

/* One hit on `indicator`, asked for as `qname` (NULL: itself). */
static inline void sample_hit(struct sinkhole_stored_hit *hit, const char *client,
                              const char *indicator, const char *qname, int64_t time_ms,
                              uint32_t count)
{
    memset(hit, 0, sizeof *hit);
    snprintf(hit->resolver, sizeof hit->resolver, "r1");
    snprintf(hit->id, sizeof hit->id, "%lld-%u", (long long)time_ms, 1u);
    hit->hit.time_ms = time_ms;
    hit->hit.count = count;
    hit->hit.rule = 7;
    hit->hit.generation = 3;
    hit->hit.port = 40000;
    hit->hit.qtype = 1;
    hit->hit.qclass = 1;
    hit->hit.action = SINKHOLE_ACTION_ADDRESS;
    sinkhole_address_from_text(client, strlen(client), &hit->hit.client);
    sinkhole_address_from_text("192.0.2.1", 9, &hit->hit.answer);
    sinkhole_text_name(indicator, strlen(indicator), &hit->hit.indicator);
    hit->hit.qname = hit->hit.indicator;
    if (qname != NULL)
        sinkhole_text_name(qname, strlen(qname), &hit->hit.qname);
}

#endif
