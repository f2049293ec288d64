/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Names whose list of rule ids differs, or may differ, from the base's: complete lists, sorted by
 * key.
 *
 * Threads: one. Memory: about 60 octets a name; bounded by the caller, who makes a new base in
 * time.
 */
#ifndef AGENT_DELTA_H
#define AGENT_DELTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct agent_delta_name {
    uint64_t generation; /* of its last change */
    uint16_t key_len;
    uint16_t count; /* 0: no longer listed */
    uint32_t ids[]; /* ascending; the key's octets follow */
};
const char *agent_delta_key(const struct agent_delta_name *name);

struct agent_delta;                        /* opaque */
struct agent_delta *agent_delta_new(void); /* NULL: no memory */
void agent_delta_free(struct agent_delta *delta);
void agent_delta_clear(struct agent_delta *delta);
size_t agent_delta_count(const struct agent_delta *delta);
const struct agent_delta_name *agent_delta_at(const struct agent_delta *delta, size_t i);
/* NULL: not in it. Names put since the last merge are not found. */
const struct agent_delta_name *agent_delta_find(const struct agent_delta *delta, const char *key,
                                                size_t key_len);
/* Keys ascending between two merges, each once. False: no memory, or out of order. */
bool agent_delta_put(struct agent_delta *delta, uint64_t generation, const char *key,
                     size_t key_len, const uint32_t *ids, size_t count);
/* Makes what was put part of it: one merge over the whole. False: no memory. */
bool agent_delta_merge(struct agent_delta *delta);
/* Forgets names whose last change is of this generation or an earlier one. */
void agent_delta_prune(struct agent_delta *delta, uint64_t generation);

#endif
