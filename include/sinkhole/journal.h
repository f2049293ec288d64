/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The hit journal: one lane for each worker thread, each lane a row of preallocated, mapped
 * segment files (doc/journal-format.md). The module appends, the agent drains.
 *
 * A record is written with its commit word last; a killed process loses nothing that was committed.
 * A repeated hit (same client address, rule, asked name, type and transport, in the same window of
 * 900 ms or in the one after a busy one) raises the count of a record that is still open; the
 * reader closes a record by an atomic bit in its count word, after which the writer starts a new
 * one. So counts are exact.
 *
 * Threads: a lane has one writer thread and, in another process, one reader; sinkhole_journal_tend
 * is for one more thread of the writer's process. Memory: segments of SINKHOLE_SEGMENT_BYTES, at
 * most max_bytes for the whole journal; past it hits are counted as dropped, never waited for.
 */
#ifndef SINKHOLE_JOURNAL_H
#define SINKHOLE_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sinkhole/hit.h"

#define SINKHOLE_LANES_MAX 64
#define SINKHOLE_SEGMENT_BYTES (4u << 20)

enum sinkhole_journal_status {
    SINKHOLE_JOURNAL_OK = 0,
    SINKHOLE_JOURNAL_LOCKED,  /* another process writes here */
    SINKHOLE_JOURNAL_FULL,    /* ENOSPC or max_bytes */
    SINKHOLE_JOURNAL_IO,      /* errno is set */
    SINKHOLE_JOURNAL_DAMAGED,
    SINKHOLE_JOURNAL_NO_MEMORY,
    SINKHOLE_JOURNAL_END,     /* reader: nothing (more) to read now */
};
const char *sinkhole_journal_status_text(enum sinkhole_journal_status status);

/* --- writer: the module ------------------------------------------------------------------ */
struct sinkhole_journal;
struct sinkhole_lane;

/* Takes DIR/journal/lock, makes the folder's identity when it is new, seals what a dead writer
 * left, prepares `lanes` lanes with one active and one spare segment each. A full disk is OK: the
 * lanes that have no segment count drops until sinkhole_journal_tend finds room. */
enum sinkhole_journal_status sinkhole_journal_open(const char *dir, unsigned lanes,
                                                   uint64_t max_bytes,
                                                   struct sinkhole_journal **ret_journal);
struct sinkhole_lane *sinkhole_journal_lane(struct sinkhole_journal *journal, unsigned lane);
/* One reply. hit->count is ignored (it is one). `hit->time_ms` is the caller's clock. Takes no
 * lock, heap or system call. False: no room, counted as a drop in the lane's segment-independent
 * counter. */
bool sinkhole_lane_append(struct sinkhole_lane *lane, const struct sinkhole_hit *hit);
uint64_t sinkhole_lane_drops(const struct sinkhole_lane *lane);
uint64_t sinkhole_lane_recorded(const struct sinkhole_lane *lane); /* replies, counts included */
/* Prepares spares, unmaps what was sealed; call it every 50 ms from one thread. Returns FULL while
 * there is no room for a spare. */
enum sinkhole_journal_status sinkhole_journal_tend(struct sinkhole_journal *journal);
/* Seals all lanes. No append may be under way. NULL is fine. */
void sinkhole_journal_close(struct sinkhole_journal *journal);

/* --- reader: the agent -------------------------------------------------------------------- */
struct sinkhole_drain;

struct sinkhole_record_id {
    uint8_t journal[16]; /* identity of the folder */
    uint32_t lane;
    uint64_t segment;    /* ascending within a lane, time-based: Unix ms at creation or above */
    uint64_t sequence;   /* 1, 2, .. within the segment */
};

/* Lanes found are drained independently. */
enum sinkhole_journal_status sinkhole_drain_open(const char *dir,
                                                 struct sinkhole_drain **ret_drain);
void sinkhole_drain_close(struct sinkhole_drain *drain);
/* Looks for new lanes and segments; call it each round. Returns the number of lanes known. */
unsigned sinkhole_drain_refresh(struct sinkhole_drain *drain);
void sinkhole_drain_identity(const struct sinkhole_drain *drain, uint8_t ret_journal[16]);
/* Oldest segment that this lane still has; 0: none. */
uint64_t sinkhole_drain_first_segment(const struct sinkhole_drain *drain, unsigned lane);
/* Resume after this record (what Redis says it has); 0,0: from the oldest. */
void sinkhole_drain_seek(struct sinkhole_drain *drain, unsigned lane, uint64_t segment,
                         uint64_t sequence);
/* Next closed record of the lane; closes open ones whose window is over at `now_ms`.
 * END: nothing ready. Torn or damaged records are skipped and counted. */
enum sinkhole_journal_status sinkhole_drain_next(struct sinkhole_drain *drain, unsigned lane,
                                                 int64_t now_ms, struct sinkhole_hit *ret_hit,
                                                 struct sinkhole_record_id *ret_id);
/* Everything up to and including this record is in Redis: sealed segments wholly below it are
 * compressed to DIR/archive/ (zstd, fsync) and removed from the journal. */
enum sinkhole_journal_status sinkhole_drain_acknowledge(struct sinkhole_drain *drain, unsigned lane,
                                                        uint64_t segment, uint64_t sequence);
/* Records and replies not yet handed out (approximate while a writer writes), and the age of the
 * oldest. */
struct sinkhole_backlog {
    uint64_t records;
    uint64_t bytes;
    int64_t oldest_ms;  /* Unix ms; 0: none */
    uint64_t damaged;   /* records skipped since open */
};
void sinkhole_drain_backlog(const struct sinkhole_drain *drain,
                            struct sinkhole_backlog *ret_backlog);
/* Removes archive files older than this. Returns how many. */
unsigned sinkhole_archive_purge(const char *dir, int64_t before_ms);
/* Visits each record of one archived or live segment file, damaged ones left out. */
typedef bool (*sinkhole_record_fn)(void *arg, const struct sinkhole_record_id *id,
                                   const struct sinkhole_hit *hit);
enum sinkhole_journal_status sinkhole_segment_read(const char *path, sinkhole_record_fn visit,
                                                   void *arg);

#endif
