/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the parts of the shipper share: ship.c sends, ship_trim.c keeps the streams in bounds.
 *
 * Threads: the event loop's. Memory: one object, rings of fixed size.
 */
#ifndef AGENT_SHIP_PRIVATE_H
#define AGENT_SHIP_PRIVATE_H

#include "agent/redis.h"
#include "agent/ship.h"
#include "sinkhole/hits.h"
#include "sinkhole/journal.h"
#include "store/store_keys.h"

#define SHIP_MARKS 64u /* a mark a second: more than SHIP_KEEP_MS */

struct ship_position {
    uint64_t segment, sequence;
};

enum ship_phase {
    SHIP_UNKNOWN = 0, /* nothing known of this lane on this connection */
    SHIP_ASKING,      /* offset and last ID asked for */
    SHIP_READY,       /* may send */
    SHIP_SENDING,     /* one batch is under way */
    SHIP_PAUSED,      /* until retry_ms, then asks again */
};

struct ship_mark {
    int64_t at_ms; /* monotonic; 0: free */
    struct ship_position position;
};

struct ship_lane {
    struct sinkhole_ship *ship;
    unsigned number;
    enum ship_phase phase;
    int64_t retry_ms; /* monotonic */
    char key[SINKHOLE_REDIS_KEY_MAX];
    char field[64]; /* of this lane and journal in the shipping hash */
    /* Asking. */
    bool have_last, have_offset;
    uint64_t last_ms, last_sequence; /* last ID of the stream */
    uint64_t offset;
    /* The batch under way. */
    unsigned batch_records;
    uint64_t batch_replies;
    struct ship_position batch_last;
    int64_t batch_oldest_ms;
    enum sinkhole_store_status batch_error; /* of a command within MULTI */
    /* Stored. */
    struct ship_position stored;
    struct ship_mark marks[SHIP_MARKS];
    unsigned mark_first, mark_count;
    /* Trimming. */
    uint64_t entries, bytes;
};

struct sinkhole_ship {
    struct event_base *loop;
    const struct sinkhole_settings *settings;
    char *dir;
    struct sinkhole_ship_events events;
    struct agent_redis *redis;
    struct sinkhole_drain *drain; /* NULL: no journal yet */
    uint8_t journal[16];
    char key[SINKHOLE_REDIS_KEY_MAX]; /* the shipping hash */
    struct event *tick, *second, *trim;
    unsigned lanes;
    uint64_t ticks;
    bool idle; /* nothing was found to send at the last tick */
    int64_t lost_ms;     /* monotonic: since when Redis is away; 0: it is there */
    int64_t retire_ms;   /* monotonic: no archiving before */
    int64_t purge_ms;    /* monotonic: next look at the archive */
    unsigned retire_next; /* lane whose segments are archived next */
    unsigned trim_lane;
    bool trimming;
    struct sinkhole_ship_stats stats;
    struct ship_lane lane[SINKHOLE_LANES_MAX];
};

void ship_event(struct sinkhole_ship *ship, enum sinkhole_severity severity, const char *code,
                const char *format, ...) __attribute__((format(printf, 4, 5)));
void ship_condition(struct sinkhole_ship *ship, enum sinkhole_severity severity, const char *code,
                    bool on, const char *format, ...) __attribute__((format(printf, 5, 6)));
/* Keeps a reply's text as the last error. */
void ship_note_error(struct sinkhole_ship *ship, const redisReply *reply);

/* ship_keep.c, times monotonic. Once a second: marks, damage, old archive files. */
void ship_keep_second(struct sinkhole_ship *ship, int64_t now_ms);
/* Archives at most one segment. */
void ship_keep_retire(struct sinkhole_ship *ship, int64_t now_ms);
/* Takes another journal in the place of the one being read: somebody has removed the folder and the
 * resolver has made a new one. */
void ship_keep_identity(struct sinkhole_ship *ship);

#endif
