/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hits DIR: prints what a module left in DIR: its counters, "counter NAME VALUE", and each hit
 * of its journal, "hit COUNT CLIENT PORT TRANSPORT QNAME QTYPE ACTION RCODE FLAGS ANSWER INDICATOR
 * RULE GENERATION". hits --counters DIR: the counters alone. It acknowledges nothing, so it may be
 * asked again.
 *
 * Threads: one. Memory: one record at a time.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sinkhole/clock.h"
#include "sinkhole/counters.h"
#include "sinkhole/journal.h"

static const char *transport_text(unsigned transport)
{
    static const char *const words[] = {"udp", "tcp", "dot", "doh"};

    return transport < 4 ? words[transport] : "?";
}

static const char *action_text(unsigned action)
{
    static const char *const words[] = {"inherit", "monitor",  "tcp-only", "address",
                                        "nodata",  "nxdomain", "drop",     "allow"};

    return action < 8 ? words[action] : "?";
}

static void hit_print(const struct sinkhole_hit *hit)
{
    char client[SINKHOLE_ADDRESS_TEXT_MAX] = "-", answer[SINKHOLE_ADDRESS_TEXT_MAX] = "-";
    char qname[SINKHOLE_NAME_TEXT_MAX], indicator[SINKHOLE_NAME_TEXT_MAX];

    if (hit->client.family != 0)
        (void)sinkhole_address_to_text(&hit->client, client, sizeof(client));
    if (hit->answer.family != 0)
        (void)sinkhole_address_to_text(&hit->answer, answer, sizeof(answer));
    (void)sinkhole_name_to_text(&hit->qname, qname, sizeof(qname));
    (void)sinkhole_name_to_text(&hit->indicator, indicator, sizeof(indicator));
    printf("hit %" PRIu32 " %s %u %s %s %u %s %u %u %s %s %" PRIu32 " %" PRIu64 "\n", hit->count,
           client, hit->port, transport_text(hit->transport), qname, hit->qtype,
           action_text(hit->action), hit->rcode, hit->flags, answer, indicator, hit->rule,
           hit->generation);
}

static bool counters_print(const char *dir)
{
    struct sinkhole_counters *counters = sinkhole_counters_open_read(dir);

    if (counters == NULL)
        return false;
    for (unsigned i = 0; i < SINKHOLE_COUNTER_COUNT; i++)
        printf("counter %s %" PRIu64 "\n", sinkhole_counter_name((enum sinkhole_counter)i),
               sinkhole_counters_get(counters, (enum sinkhole_counter)i));
    sinkhole_counters_close(counters);
    return true;
}

static bool hits_print(const char *dir)
{
    struct sinkhole_drain *drain;
    struct sinkhole_backlog backlog;

    if (sinkhole_drain_open(dir, &drain) != SINKHOLE_JOURNAL_OK)
        return false;
    unsigned lanes = sinkhole_drain_refresh(drain);
    for (unsigned lane = 0; lane < lanes; lane++) {
        struct sinkhole_hit hit;
        struct sinkhole_record_id id;
        while (sinkhole_drain_next(drain, lane, sinkhole_now_ms() + 60000, &hit, &id) ==
               SINKHOLE_JOURNAL_OK)
            hit_print(&hit);
    }
    sinkhole_drain_backlog(drain, &backlog);
    printf("damaged %" PRIu64 "\n", backlog.damaged);
    sinkhole_drain_close(drain);
    return true;
}

int main(int argc, char **argv)
{
    bool counters_only = argc == 3 && strcmp(argv[1], "--counters") == 0;

    if (argc != 2 && !counters_only) {
        fprintf(stderr, "usage: hits [--counters] DIR\n");
        return 2;
    }
    if (!counters_print(argv[argc - 1]))
        fprintf(stderr, "hits: no counters in %s\n", argv[argc - 1]);
    if (!counters_only && !hits_print(argv[argc - 1]))
        fprintf(stderr, "hits: no journal in %s\n", argv[argc - 1]);
    return 0;
}
