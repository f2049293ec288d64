/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A real Redis and a real agent in a folder of their own.
 * Threads: one. Memory: one rig, stopped and removed by rig_done.
 */
#ifndef TESTS_AGENT_RIG_H
#define TESTS_AGENT_RIG_H

#include <stdbool.h>
#include <sys/types.h>

#include "sinkhole/blocklist.h"
#include "sinkhole/index.h"

#define RIG_WAIT_MS 20000

struct rig {
    char root[64]; /* redis.sock, sinkhole.yaml, d/ (the agent's folder), *.log */
    char dir[80];
    pid_t redis, agent;
    const char *user; /* of the agent, with rig_password; NULL: the default user */
    struct sinkhole_settings *settings;
    struct sinkhole_store *store;
};

void rig_init(struct rig *rig);
void rig_done(struct rig *rig);
void rig_redis_start(struct rig *rig); /* keeps what it held before */
void rig_redis_stop(struct rig *rig, int signal);
/* One command of text words, each without a space ("%%" for a percent sign). False: an error. */
bool rig_redis_do(struct rig *rig, const char *command);
void rig_agent_start(struct rig *rig);
/* From its next start on the agent uses a password file, with this in it. */
void rig_password(struct rig *rig, const char *password);
/* Returns its exit code, or 128 and the signal. */
int rig_agent_stop(struct rig *rig, int signal);

/* --- list --- */
/* Adds (or removes) the names number first to first + count - 1; returns the generation. */
uint64_t rig_publish(struct rig *rig, unsigned first, unsigned count, bool remove);
uint64_t rig_generation(struct rig *rig); /* Redis's */

/* --- waiting, each with a deadline of RIG_WAIT_MS after which the test fails --- */
void rig_wait_generation(struct rig *rig, uint64_t generation); /* on disk */
/* "field": "value" stands in status.json; or, as a condition, the code does. */
void rig_wait_status(struct rig *rig, const char *field, const char *value);
void rig_wait_condition(struct rig *rig, const char *code, bool there);
/* How many alarms with this code stand in Redis. */
unsigned rig_alarms(struct rig *rig, const char *code);
void rig_wait_alarms(struct rig *rig, const char *code, unsigned least);

/* The index on disk and the list in Redis are the same, line by line. */
void rig_assert_same(struct rig *rig);
uint64_t rig_status_number(struct rig *rig, const char *field);

#endif
