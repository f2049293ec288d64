/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Shared counters of the module: DIR/counters, mapped, one row a lane; they outlive a crash.
 *
 * Threads: a row has one writer (its worker), any number of readers; plain atomic loads and stores
 * (relaxed). The last row belongs to the module's own thread. Memory: one map.
 */
#ifndef SINKHOLE_COUNTERS_H
#define SINKHOLE_COUNTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdatomic.h>

#define SINKHOLE_COUNTER_ROWS 65 /* SINKHOLE_LANES_MAX workers and the module's thread */

/* X(identifier, name in status and metrics, help) : append only, the order is the file's. */
#define SINKHOLE_COUNTERS(X)                                                                      \
    X(DECIDED, "decided", "look-ups that reached the module and were looked up in the index")     \
    X(SINKHOLED, "sinkholed", "replies with a sinkholed answer")                                  \
    X(DROPPED, "dropped", "queries left without an answer by action DROP")                        \
    X(MONITORED, "monitored", "replies with the real answer to a monitored name")                 \
    X(STALE, "stale", "replies from the cache to a listed name while the cache was being cleaned")\
    X(RECORDED, "recorded", "hits appended to the journal")                                       \
    X(LOST, "lost", "hits that found no room in the journal")                                     \
    X(EXEMPTED, "exempted", "look-ups that an exception let through")                             \
    X(PREFETCHED, "prefetched", "prefetches of a listed name that removed it from the cache")     \
    X(CHAINED, "chained", "resolved chains that led to a listed name")                            \
    X(CACHE_REMOVED, "cache_removed", "messages removed from the cache")                          \
    X(CACHE_WALKS, "cache_walks", "walks over the message cache")                                 \
    X(INDEX_SWAPS, "index_swaps", "new index files taken into use")                               \
    X(INDEX_REFUSED, "index_refused", "index files refused (damaged, other version)")             \
    X(UNFILTERED, "unfiltered", "look-ups while there was no usable index")                       \
    X(STARTS, "starts", "times the module was started")                                           \
    X(GENERATION, "generation", "gauge: generation in force")                                     \
    X(ENTRIES, "entries", "gauge: entries in force")                                              \
    X(INDEX_STATUS, "index_status", "gauge: 0 in force, else the status of the last refused file")\
    X(LANES, "lanes", "gauge: worker threads")

enum sinkhole_counter {
#define X(id, name, help) SINKHOLE_COUNT_##id,
    SINKHOLE_COUNTERS(X)
#undef X
    SINKHOLE_COUNTER_COUNT
};
#define SINKHOLE_COUNTER_SLOTS 64 /* a row's size in the file, room for more counters */

struct sinkhole_counters; /* opaque */
/* Opens, or makes, DIR/counters. A file of another size or version is put aside and a new one made.
 * NULL: errno. */
struct sinkhole_counters *sinkhole_counters_open(const char *dir);
/* Read-only; NULL: errno. */
struct sinkhole_counters *sinkhole_counters_open_read(const char *dir);
void sinkhole_counters_close(struct sinkhole_counters *counters);
/* Row for its one writer; never NULL for row < SINKHOLE_COUNTER_ROWS. */
_Atomic uint64_t *sinkhole_counters_row(struct sinkhole_counters *counters, unsigned row);
/* Sum over rows for counters, the module's row for gauges. */
uint64_t sinkhole_counters_get(const struct sinkhole_counters *counters, enum sinkhole_counter id);
const char *sinkhole_counter_name(enum sinkhole_counter id);
const char *sinkhole_counter_help(enum sinkhole_counter id);

static inline void sinkhole_count(_Atomic uint64_t *row, enum sinkhole_counter id, uint64_t n)
{
    atomic_store_explicit(&row[id], atomic_load_explicit(&row[id], memory_order_relaxed) + n,
                          memory_order_relaxed);
}

#endif
