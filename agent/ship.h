/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ships the hit journal to Redis, each record exactly once.
 *
 * A lane's records go into the lane's stream under the ID (segment + offset)-(sequence), a batch at
 * a time, each batch one MULTI/EXEC: all of it is stored or none, so that no later record can
 * overtake one that was refused. On each connection the stream's last ID says where to go on. The
 * offset belongs to the journal's identity and is chosen once (doc/redis.md, Hits).
 *
 * Threads: the event loop's. Memory: one batch a lane under way, at most SHIP_BATCH_BYTES each.
 */
#ifndef AGENT_SHIP_H
#define AGENT_SHIP_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "sinkhole/settings.h"
#include "sinkhole/store.h"

#define SHIP_BATCH_RECORDS 512u
#define SHIP_BATCH_BYTES 131072u
/* Acknowledged segments stay this long: a failover may have lost their end. */
#define SHIP_KEEP_MS 60000

struct sinkhole_ship_events {
    /* Something that happened once. */
    void (*event)(void *arg, enum sinkhole_severity severity, const char *code, const char *text);
    /* Something that begins (`on`) or ends; told again and again while it lasts. */
    void (*condition)(void *arg, enum sinkhole_severity severity, const char *code, bool on,
                      const char *text);
    void *arg;
};

struct sinkhole_ship_stats {
    bool journal;           /* the journal's folder is there */
    bool connected;         /* Redis takes commands */
    unsigned lanes;
    uint64_t shipped;       /* records stored since start */
    uint64_t replies;       /* what they stand for, counts added up */
    uint64_t canary; /* replies to our own canary, left out since start (again after a resume) */
    uint64_t in_flight;     /* records sent, not yet answered */
    uint64_t backlog;       /* records in the journal, not yet sent */
    uint64_t backlog_bytes;
    int64_t oldest_ms;      /* Unix ms of the oldest not yet stored, 0: none */
    uint64_t duplicates;    /* refused by Redis: an ID at or above was there */
    uint64_t damaged;       /* journal records that could not be read */
    uint64_t trimmed_age;   /* stream entries removed: kept long enough */
    uint64_t trimmed_size;  /* stream entries removed: no room for them */
    uint64_t stream_bytes;  /* what this resolver's hits take in Redis, at the last look */
    int64_t last_stored_ms; /* Unix ms, when a batch was stored last; 0: not since start */
    char last_error[256];   /* of Redis, empty: none since it works */
};

struct sinkhole_ship; /* opaque */

/* Starts at once, waits for a journal that is not there yet. `settings` and `loop` outlive it;
 * `dir` is SINKHOLE_DIR. NULL: no memory. */
struct sinkhole_ship *sinkhole_ship_new(struct event_base *loop,
                                        const struct sinkhole_settings *settings, const char *dir,
                                        const struct sinkhole_ship_events *events);
/* A batch under way is stored whole or not at all; the next start finds out which. NULL is fine. */
void sinkhole_ship_free(struct sinkhole_ship *ship);
/* Reads file headers of a backlog: for once a second. */
void sinkhole_ship_stats(const struct sinkhole_ship *ship, struct sinkhole_ship_stats *ret_stats);
/* Looks now whether the streams are in bounds; by itself it does so every 30 s. */
void sinkhole_ship_trim(struct sinkhole_ship *ship);
/* True when everything that the journal held was stored at the last look. */
bool sinkhole_ship_idle(const struct sinkhole_ship *ship);

#endif
