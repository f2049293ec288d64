/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is done with a look-up: the index's match turned into a verdict that outlives the index.
 *
 * Threads: pure functions over values. Memory: none taken; a verdict is about 500 octets and has no
 * pointer, so that it may wait for its replies after the index was replaced.
 */
#ifndef SINKHOLE_DECISION_H
#define SINKHOLE_DECISION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sinkhole/index.h"

enum sinkhole_kind {
    SINKHOLE_PASS = 0, /* not ours */
    SINKHOLE_EXEMPT,   /* an exception lets it through */
    SINKHOLE_MONITOR,  /* resolve, and record who got the answer */
    SINKHOLE_BLOCK,    /* answer it ourselves */
    SINKHOLE_DROP,     /* no answer at all */
};

struct sinkhole_verdict {
    uint64_t generation;
    int64_t until; /* EXEMPT: when the exception ends, Unix seconds; 0: never. The only field set
                      then */
    uint32_t rule;
    uint32_t ttl_s;
    uint16_t ede_code;
    uint8_t kind;   /* enum sinkhole_kind */
    uint8_t action; /* enum sinkhole_action, effective */
    uint8_t flags;  /* enum sinkhole_hit_flags: CHAIN */
    bool exact;     /* the entry covers the name alone */
    bool near;      /* PASS: false when no ancestor of the name has an entry either */
    bool has_v4, has_v6;
    uint8_t v4[4], v6[16];
    uint8_t indicator_len; /* wire length of the listed name */
    uint8_t indicator[SINKHOLE_NAME_WIRE_MAX];
    char ede_text[SINKHOLE_EDE_TEXT_MAX + 1];
};

/* Kind for what sinkhole_index_find gave back (`found` is its return value). */
enum sinkhole_kind sinkhole_kind_of(const struct sinkhole_match *match, bool found);

/* Asks the index for a lower-cased wire name; *ret_verdict is complete for MONITOR, BLOCK and DROP
 * and but for `near` (PASS) and `until` (EXEMPT) untouched otherwise. */
enum sinkhole_kind sinkhole_decide(const struct sinkhole_index *index, uint64_t generation,
                                   const uint8_t *wire, size_t len, int64_t now_s,
                                   struct sinkhole_verdict *ret_verdict);
/* Only the kind: for the cache's walk. */
enum sinkhole_kind sinkhole_decide_kind(const struct sinkhole_index *index, const uint8_t *wire,
                                        size_t len, int64_t now_s);

/* Copies a wire name of `len` octets that was checked before (Unbound parses what it takes),
 * lower-cased. False when it is longer than a name can be or does not end in the root. */
bool sinkhole_wire_lower(const uint8_t *wire, size_t len, uint8_t ret_wire[SINKHOLE_NAME_WIRE_MAX]);

static inline bool sinkhole_kind_is_stop(enum sinkhole_kind kind)
{
    return kind == SINKHOLE_BLOCK || kind == SINKHOLE_DROP;
}

#endif
