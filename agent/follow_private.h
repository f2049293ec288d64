/* SPDX-License-Identifier: BSD-3-Clause */
/* What follow.c (rounds), follow_read.c (Redis) and follow_jobs.c (the worker) share. See follow.h.
 */
#ifndef AGENT_FOLLOW_PRIVATE_H
#define AGENT_FOLLOW_PRIVATE_H

#include "agent/follow.h"
#include "agent/work.h"

enum follow_phase {
    FOLLOW_OPENING, /* the worker looks at the folder */
    FOLLOW_AWAY,    /* Redis is not ready */
    FOLLOW_HEAD,    /* head, feeds, batches are asked for */
    FOLLOW_SYNC,    /* chunks are on their way */
    FOLLOW_LOG,     /* log entries are on their way */
    FOLLOW_PUBLISH, /* the head is being written */
    FOLLOW_WAIT,    /* up to date */
    FOLLOW_PAUSE,   /* a pause before the next try */
};

struct agent_follow {
    struct agent_follow_config config;
    struct agent_redis *bell;
    struct agent_worker *worker, *base_worker;
    struct event *retry, *poll;
    enum follow_phase phase;
    uint64_t round;    /* answers and jobs of an earlier round are not listened to */
    bool round_wanted; /* as soon as the worker has nothing left */
    bool opened, need_sync;
    bool current; /* the head on disk is of what is in memory, with the rules of published_meta */
    uint64_t published_meta;
    bool bell_out; /* XREAD BLOCK is under way */
    bool rebasing;
    bool rebase_over; /* and `rebase` waits to be adopted */
    struct agent_rebase rebase;
    unsigned streak;    /* full syncs asked for since the last publication */
    uint64_t pause_ms;
    int64_t started_us; /* of this round */
    bool checking;

    /* as read in this round */
    struct sinkhole_list_root root;
    uint8_t digest_key[SINKHOLE_DIGEST_KEY_LEN];
    struct agent_rules_text *text; /* handed to the publication */

    /* a sync or a piece of the log under way */
    uint64_t chunk_next, chunk_done; /* asked for; built in */
    size_t log_out;                  /* entries posted, not yet taken */

    struct agent_build_position position;
    struct agent_follow_state counts;
};

enum follow_job_kind {
    JOB_OPEN,
    JOB_SYNC_BEGIN,
    JOB_CHUNK,
    JOB_SYNC_END,
    JOB_LOG,
    JOB_PUBLISH,
    JOB_CHECK,
    JOB_ADOPT,
};

struct follow_job {
    struct agent_follow *follow;
    enum follow_job_kind kind;
    uint64_t round;
    struct sinkhole_list_root root;
    uint8_t digest_key[SINKHOLE_DIGEST_KEY_LEN];
    void *data; /* chunk, or the log entry's value: the job's own */
    size_t len;
    struct sinkhole_log_entry entry; /* entry.z points into data */
    struct agent_rules_text *text;   /* the job's own */
    struct agent_rebase rebase;
    /* out */
    enum agent_build_status status;
    bool wants_base;
    char error[256];
    struct agent_build_position position;
};

/* follow_jobs.c */
struct follow_job *follow_job_new(struct agent_follow *follow, enum follow_job_kind kind);
void follow_job_free(struct follow_job *job);
bool follow_job_post(struct follow_job *job); /* takes it over, also when false */
bool follow_rebase_post(struct agent_follow *follow);

/* follow.c */
void follow_job_done(struct agent_follow *follow, struct follow_job *job);
void follow_rebase_done(struct agent_follow *follow, enum agent_build_status status);
void follow_decide(struct agent_follow *follow); /* head and rules have been read */
void follow_ring(struct agent_follow *follow, uint64_t generation); /* there is this in the log */
void follow_bell_rearm(struct agent_follow *follow);
void follow_try_later(struct agent_follow *follow);
void follow_want_sync(struct agent_follow *follow, const char *why); /* and begins a new round */
void follow_begin(struct agent_follow *follow); /* a new round, as soon as the worker is free */
void follow_confirm(struct agent_follow *follow);

/* follow_read.c */
bool follow_read_head(struct agent_follow *follow);
bool follow_read_chunk(struct agent_follow *follow, uint64_t number);
bool follow_read_log(struct agent_follow *follow);
bool follow_read_glance(struct agent_follow *follow); /* has the head moved? */
bool follow_read_bell(struct agent_follow *follow);

#endif
