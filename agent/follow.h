/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The follower: keeps this folder's index what Redis says, for ever.
 *
 * One round: read head, feeds and batches in one MULTI; if what the builder holds can go on from
 * its own generation, read the change log up to the head's, else fetch the snapshot's chunks first
 * (a full sync); publish; wait until the log's bell rings (XREAD BLOCK on a second connection) or a
 * look at the head every two seconds says that there is more. Whatever does not fit leads to a full
 * sync by itself; whatever cannot be done now is tried again with a growing pause. The last good
 * index stays on disk meanwhile.
 *
 * Threads: the event loop's; the builder runs in a worker. Memory: AGENT_CHUNKS_AHEAD chunks, or
 * AGENT_LOG_AHEAD log entries, and the text of feeds and batches.
 */
#ifndef AGENT_FOLLOW_H
#define AGENT_FOLLOW_H

#include "agent/alarm.h"
#include "agent/build.h"
#include "agent/redis.h"

#define AGENT_CHUNKS_AHEAD 4
#define AGENT_LOG_AHEAD 16

struct agent_follow; /* opaque */

struct agent_follow_config {
    struct event_base *loop;
    const struct sinkhole_settings *settings;
    struct agent_alarms *alarms;
    struct agent_redis *redis;  /* shared; its events are passed on by the two calls below */
    struct agent_build *build;  /* the follower's worker owns it from now on, until _free */
    void (*changed)(void *arg); /* something of the state below changed */
    void *arg;
};
/* NULL: no memory, or no thread. The folder's index is looked at first, whatever Redis does. */
struct agent_follow *agent_follow_new(const struct agent_follow_config *config);
/* Waits for the job under way. The builder is the caller's again. NULL is fine. */
void agent_follow_free(struct agent_follow *follow);
void agent_follow_redis_ready(struct agent_follow *follow);
void agent_follow_redis_lost(struct agent_follow *follow);
/* SIGHUP: the bell's connection too is made anew. */
void agent_follow_reconnect(struct agent_follow *follow);

struct agent_follow_state {
    const char *doing; /* opening, away, reading, syncing, waiting, pausing */
    bool opened;       /* the folder has been looked at */
    struct agent_build_position position;
    uint64_t head;         /* Redis's generation as last read */
    int64_t confirmed_ms;  /* Unix ms: when Redis last said that this is its generation; 0: never */
    uint64_t syncs;        /* full syncs begun */
    uint64_t resyncs;      /* of them, because something did not fit */
    uint64_t publications; /* heads written */
    uint64_t bases;        /* bases made from what was in force */
    uint64_t publish_us;   /* the last publication: from reading the head to the head on disk */
};
void agent_follow_state(const struct agent_follow *follow, struct agent_follow_state *ret_state);

#endif
