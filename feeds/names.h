/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A set of keys with scopes: gathered in any order, then sorted and merged once.
 *
 * Threads: one set, one thread. Memory: key and 2 octets in an arena that doubles, 16 octets a key
 * for the order; at most `most` keys.
 */
#ifndef FEEDS_NAMES_H
#define FEEDS_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sinkhole/blocklist.h"

enum feed_names_status { FEED_NAMES_OK = 0, FEED_NAMES_FULL, FEED_NAMES_NO_MEMORY };

struct feed_names_entry {
    uint64_t word; /* eight octets of the key, while sorting */
    uint64_t off;  /* in the arena: length, scope, key */
};
struct feed_names {
    uint64_t most;
    uint8_t *arena;
    size_t used, size;
    struct feed_names_entry *entries;
    size_t count, room;
    uint64_t merged; /* keys that were there already */
    bool sorted;
};

void feed_names_init(struct feed_names *names, uint64_t most);
void feed_names_done(struct feed_names *names);
enum feed_names_status feed_names_add(struct feed_names *names, const char *key, size_t key_len,
                                      enum sinkhole_scope scope);
/* Ascending keys; of equal ones the scopes are united (exact and below: subtree). `progress` may be
 * NULL. */
void feed_names_sort(struct feed_names *names, sinkhole_progress_fn progress, void *arg);
/* Of a sorted set. */
bool feed_names_has(const struct feed_names *names, const char *key, size_t key_len);
/* `i` < count. */
const char *feed_names_at(const struct feed_names *names, size_t i, size_t *ret_len,
                          enum sinkhole_scope *ret_scope);

#endif
