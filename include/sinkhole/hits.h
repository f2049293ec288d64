/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Hits in Redis: one stream for each resolver and journal lane, ID = segment-sequence (of the
 * journal), fields as in doc/redis.md. Reading side, for commands and reports; the agent's writing
 * side shares the encoding.
 *
 * Threads: with its store handle. Memory: one page of hits at a time.
 */
#ifndef SINKHOLE_HITS_H
#define SINKHOLE_HITS_H

#include "sinkhole/hit.h"
#include "sinkhole/store.h"

#define SINKHOLE_RESOLVER_NAME_MAX 63

struct sinkhole_stored_hit {
    char resolver[SINKHOLE_RESOLVER_NAME_MAX + 1];
    uint32_t lane;
    char id[48];           /* stream ID; event_id = resolver/lane/id */
    struct sinkhole_hit hit;
};

struct sinkhole_hit_query {
    const char *resolver;   /* NULL: all */
    int64_t since_ms;       /* 0: from the beginning */
    int64_t until_ms;       /* 0: to the end */
};
typedef bool (*sinkhole_stored_hit_fn)(void *arg, const struct sinkhole_stored_hit *hit);
/* All streams, one after the other; within a lane in order. (IDs carry the segment's creation time,
 * not the hit's: since/until are judged by the hit's own time.) */
enum sinkhole_store_status sinkhole_hits_read(struct sinkhole_store *store,
                                              const struct sinkhole_hit_query *query,
                                              sinkhole_stored_hit_fn visit, void *arg);
/* New ones as they come; returns OK when `visit` says stop, else an error. `poll_ms` bounds each
 * wait, after which visit(arg, NULL) is called so that the caller can stop. */
enum sinkhole_store_status sinkhole_hits_follow(struct sinkhole_store *store, uint64_t poll_ms,
                                                sinkhole_stored_hit_fn visit, void *arg);

#endif
