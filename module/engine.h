/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The module without Unbound: the index in use, who uses it, the journal, the counters, and the one
 * thread that looks after them.
 *
 * The story in the order in which it happens. sinkhole_engine_start opens journal, counters and
 * index and starts the thread; none of them missing or damaged is a failure. For a query a worker
 * *enters* (its hazard slot names the view it reads), asks, and *leaves*; what it decided it takes
 * along as a verdict. When a reply has gone out, sinkhole_engine_record writes the hit. Meanwhile
 * the thread sees a new index (inotify, or once a second), opens and verifies it, publishes it by
 * one pointer, removes from the host's message cache what is listed now, and closes the old view
 * when no slot names it.
 *
 * Threads: stated at each field and function. Memory: one engine, one struct sinkhole_worker for
 * each worker thread, two views at most while a worker is slow to leave the older one.
 */
#ifndef SINKHOLE_ENGINE_H
#define SINKHOLE_ENGINE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "module/decision.h"
#include "sinkhole/counters.h"
#include "sinkhole/hit.h"
#include "sinkhole/index.h"
#include "sinkhole/journal.h"

#define SINKHOLE_STALE_RING 64 /* power of two; full: the walk finds the rest */
#define SINKHOLE_JOURNAL_MAX_MB                                                                    \
    1024 /* unless SINKHOLE_JOURNAL_MAX_MB in the environment says otherwise */

/* One message of the host's cache. */
struct sinkhole_message {
    uint16_t qtype, qclass;
    uint8_t len;
    uint8_t wire[SINKHOLE_NAME_WIRE_MAX]; /* lower-cased */
};

/* An index in use; immutable once published. */
struct sinkhole_view {
    struct sinkhole_index *index;
    struct sinkhole_index_info info;
    struct sinkhole_view *older; /* the thread's list of views to close */
};

enum sinkhole_log_level { SINKHOLE_LOG_ERROR, SINKHOLE_LOG_WARNING, SINKHOLE_LOG_NOTICE };

/* Where a walk over the host's cache stands; the host alone reads it. All zero: at the beginning.
 */
struct sinkhole_walk {
    size_t slab;
    size_t bin;
};
/* True: a message with this name (asked, or an alias target) has to go. */
typedef bool (*sinkhole_judge_fn)(void *arg, const uint8_t *wire, size_t len);

/* What the engine needs of the resolver. Called from the engine's thread only. */
struct sinkhole_host {
    void *arg;
    void (*log)(void *arg, enum sinkhole_log_level level, const char *text);
    /* sinkhole_engine_watching has become non-zero (returns when the workers look), or zero. */
    void (*watch)(void *arg, bool on);
    /* False while the resolver's cache must not be touched (it is being taken down). */
    bool (*cache_usable)(void *arg);
    /* Removes the messages of exactly this name, of all usual types. Returns how many kinds were
     * tried. */
    unsigned (*name_remove)(void *arg, const uint8_t *wire, size_t len);
    void (*message_remove)(void *arg, const struct sinkhole_message *message);
    /* One slice of a walk. False: the walk is through. */
    bool (*cache_walk)(void *arg, struct sinkhole_walk *walk, sinkhole_judge_fn judge,
                       void *judge_arg, unsigned *ret_removed);
};

/* Why workers look cached answers up. */
enum sinkhole_watching {
    SINKHOLE_WATCHING_WALK = 1,    /* listed names may still be in the cache */
    SINKHOLE_WATCHING_MONITOR = 2, /* some entries are monitored */
};

struct sinkhole_worker;
struct sinkhole_engine;

/* `dir` is copied; `host` outlives the engine. NULL: no memory or no thread (errno). */
struct sinkhole_engine *sinkhole_engine_start(const char *dir, unsigned lanes, uint64_t max_bytes,
                                              const struct sinkhole_host *host);
/* Joins the thread and closes everything; no worker is inside any more. NULL is fine. */
void sinkhole_engine_stop(struct sinkhole_engine *engine);
size_t sinkhole_engine_memory(const struct sinkhole_engine *engine);

/* The calling thread's worker; NULL when there are more threads than lanes: then nothing is
 * filtered. */
struct sinkhole_worker *sinkhole_engine_worker(struct sinkhole_engine *engine);
/* Its number, below the number of lanes. */
unsigned sinkhole_worker_lane(const struct sinkhole_engine *engine,
                              const struct sinkhole_worker *worker);
/* The view in force, safe until sinkhole_worker_leave; NULL: there is none. Not to be nested. */
const struct sinkhole_view *sinkhole_worker_enter(struct sinkhole_engine *engine,
                                                  struct sinkhole_worker *worker);
void sinkhole_worker_leave(struct sinkhole_worker *worker);
void sinkhole_worker_count(struct sinkhole_worker *worker, enum sinkhole_counter counter);
/* Any thread; one relaxed load. */
unsigned sinkhole_engine_watching(const struct sinkhole_engine *engine);
/* How many views were published so far; raised after the view. What a view said that was entered
 * after this was read holds as long as the number stays (entries and exceptions ending by their
 * date apart). */
unsigned sinkhole_engine_swaps(const struct sinkhole_engine *engine);
/* Hands a cached message of a listed name to the thread, for immediate removal. */
void sinkhole_worker_stale(struct sinkhole_engine *engine, struct sinkhole_worker *worker,
                           const struct sinkhole_message *message);

/* One reply to one client (or one query left without). */
struct sinkhole_sighting {
    int64_t time_ms;
    const struct sockaddr *client;
    bool proxied;
    uint8_t transport; /* enum sinkhole_transport */
    uint8_t rcode;
    uint8_t flags; /* enum sinkhole_hit_flags, added to the verdict's */
    uint16_t qtype, qclass;
    const uint8_t *qname; /* wire form as asked */
    size_t qname_len;
    const struct sinkhole_address *answer; /* NULL: none */
    enum sinkhole_counter outcome;         /* SINKHOLED, DROPPED, MONITORED or STALE */
};
/* Counts the outcome and appends the hit: RECORDED or LOST. */
void sinkhole_worker_record(struct sinkhole_worker *worker, const struct sinkhole_verdict *verdict,
                            const struct sinkhole_sighting *sighting);
/* Client address of a hit: v4, v6, v4-mapped as v4. Port 0 and family 0 for anything else. */
void sinkhole_client_address(const struct sockaddr *client, struct sinkhole_address *ret_address,
                             uint16_t *ret_port);

#endif
