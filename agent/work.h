/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One worker thread beside the event loop: what computes or writes to disk goes there, so that the
 * loop never waits for either.
 *
 * Threads: every call from the loop's thread; `run` runs in the worker, one job at a time in the
 * order posted, `done` in the loop afterwards. Memory: the queue is bounded by the caller, who
 * posts no more than it has room for (agent_worker_queued).
 */
#ifndef AGENT_WORK_H
#define AGENT_WORK_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>

struct agent_worker; /* opaque */

/* NULL: no memory, or no thread. */
struct agent_worker *agent_worker_new(struct event_base *loop, const char *name);
/* Waits for the running job; jobs not yet run are not run, and no `done` is called: `drop` of each
 * job is, in this thread. NULL is fine. */
void agent_worker_free(struct agent_worker *worker);

struct agent_job {
    void (*run)(void *arg);
    void (*done)(void *arg); /* frees arg */
    void (*drop)(void *arg); /* frees arg when done will not be called */
    void *arg;
};
/* False: no memory; nothing is called. */
bool agent_worker_post(struct agent_worker *worker, const struct agent_job *job);
/* Jobs whose `done` has not been called. */
size_t agent_worker_queued(const struct agent_worker *worker);

#endif
