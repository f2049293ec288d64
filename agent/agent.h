/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sinkhole-agent, one per resolver host: keeps the index what Redis says, ships the hit journal,
 * asks the canary, tells its state.
 *
 * The loop's thread owns everything but the index files, which a worker builds (follow.h). Start
 * and end: lock of the folder, the folder's last good index, Redis; SIGTERM ends the loop, the job
 * under way is waited for.
 *
 * Threads: one loop, two workers. Memory: freed at the end.
 */
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

#include "sinkhole/settings.h"

/* Exit codes, documented in sinkhole-agent(8). */
enum agent_exit {
    AGENT_EXIT_OK = 0,
    AGENT_EXIT_FAILED = 1, /* the folder cannot be used, no memory */
    AGENT_EXIT_USAGE = 2,  /* the words of the call, or the settings file */
    AGENT_EXIT_LOCKED = 3, /* another agent works in this folder */
};

/* Runs until SIGTERM or SIGINT. */
enum agent_exit agent_run(const struct sinkhole_settings *settings);
/* Settings that only the agent can judge: the canary's name, the resolver's address, the group.
 * Says what is wrong. */
enum agent_exit agent_check(const struct sinkhole_settings *settings);

#endif
