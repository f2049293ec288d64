/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Everything Redis has on one name: the entries of the name and of its ancestors, and which of them
 * decides, by the index's own order (index.h).
 *
 * Threads: one. Memory: LISTING_MAX entries.
 */
#ifndef SINKHOLE_CLI_LISTING_H
#define SINKHOLE_CLI_LISTING_H

#include "sinkhole/blocklist.h"

#define LISTING_MAX 256

struct listing_entry {
    struct sinkhole_name name;   /* the listed name */
    struct sinkhole_batch batch; /* batch.rule.id is set even when the batch is not known */
    struct sinkhole_feed feed;
    bool known;  /* batch and feed were found */
    bool covers; /* its scope covers the name asked for */
    bool expired;
    uint8_t action; /* effective */
};
struct listing {
    struct sinkhole_name name;
    struct sinkhole_list_head head;
    struct listing_entry *entries;
    size_t count;
    bool cut;                              /* there were more than LISTING_MAX */
    const struct listing_entry *exception; /* in force, covering; NULL: none */
    const struct listing_entry *decides;   /* among the others */
};
enum sinkhole_store_status listing_load(struct sinkhole_store *store,
                                        const struct sinkhole_name *name, int64_t now_s,
                                        struct listing *ret_listing);
void listing_done(struct listing *listing);
/* Counts an entry in: sets covers, expired, action. For tests too. */
void listing_judge(struct listing *listing, struct listing_entry *entry, int64_t now_s);

#endif
