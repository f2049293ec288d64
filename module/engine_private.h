/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fields that engine.c (workers' side) and watch.c (the thread's side) share.
 *
 * Threads: fields stand in groups under who writes them. Memory: see engine.h.
 */
#ifndef SINKHOLE_ENGINE_PRIVATE_H
#define SINKHOLE_ENGINE_PRIVATE_H

#include <pthread.h>

#include "module/engine.h"

struct sinkhole_worker {
    /* Written by the worker, read by the thread. */
    _Alignas(128) _Atomic(struct sinkhole_view *) hazard;
    _Atomic unsigned stale_head;
    struct sinkhole_message stale[SINKHOLE_STALE_RING]; /* published by stale_head */
    _Atomic uint64_t spare_row[SINKHOLE_COUNTER_SLOTS]; /* while there is no counters file */
    /* Written by the thread, read by the worker. */
    _Alignas(128) _Atomic unsigned stale_tail;
    _Atomic(_Atomic uint64_t *) row;      /* the file's row, or spare_row */
    _Atomic(struct sinkhole_lane *) lane; /* NULL while there is no journal */
    /* Written once, when the worker shows up. */
    _Atomic uintptr_t owner; /* its pthread_t; 0: nobody's yet */
};

/* What was last seen of DIR/index/head, and of the folder, where its base may be replaced. */
struct sinkhole_head_mark {
    uint64_t dev, ino, size;
    int64_t mtime_ns;
    int64_t folder_mtime_ns; /* the last: compared apart */
};

struct sinkhole_engine {
    /* Set at the start, constant afterwards. */
    char *dir;
    char *index_dir, *head_path;
    const struct sinkhole_host *host;
    uint64_t epoch; /* distinguishes engines of one process */
    uint64_t max_bytes;
    unsigned lanes;
    int wake_fd; /* eventfd: stop, stale */
    pthread_t thread;
    bool thread_started;

    /* Written by the thread, read by workers. */
    _Atomic(struct sinkhole_view *) view;
    _Atomic unsigned watching; /* enum sinkhole_watching */
    _Atomic unsigned swaps;

    /* Written by workers. */
    _Atomic unsigned claimed;

    /* Written by whoever stops the engine. */
    _Atomic bool stop;

    /* The thread's own (and start's and stop's, while it does not run). */
    struct sinkhole_journal *journal;
    struct sinkhole_counters *counters;
    _Atomic uint64_t spare_row[SINKHOLE_COUNTER_SLOTS];
    _Atomic uint64_t *row;
    bool fold_spares; /* counts in spare rows are still to be added to the file */
    enum sinkhole_journal_status journal_status;
    int inotify_fd, watch;
    struct sinkhole_view *retired;
    struct sinkhole_head_mark mark;
    enum sinkhole_index_status index_status; /* of the last attempt */
    struct sinkhole_walk walk;
    bool walking, walk_again; /* again: a change came while a walk was under way */

    struct sinkhole_worker *workers; /* `lanes` of them */
};

/* The part of the start that the caller waits for: opens what is there. */
void sinkhole_watch_prepare(struct sinkhole_engine *engine);
void *sinkhole_watch_main(void *engine);
/* After the thread was joined. */
void sinkhole_watch_close(struct sinkhole_engine *engine);

#endif
