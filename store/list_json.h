/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Feeds, batches and publications as JSON: values of their hashes in Redis. Pure, no I/O; the
 * agent's follower reads with it too.
 *
 * Threads: pure functions. Memory: a text made is the caller's to free.
 */
#ifndef SINKHOLE_LIST_JSON_H
#define SINKHOLE_LIST_JSON_H

#include "sinkhole/blocklist.h"

bool sinkhole_feed_name_valid(const char *name, size_t len);

/* False: not what the writer writes (bounds, ranges and words are checked). */
bool sinkhole_feed_from_json(const char *name, size_t name_len, const char *json, size_t len,
                             struct sinkhole_feed *ret_feed);
bool sinkhole_batch_from_json(const char *id, size_t id_len, const char *json, size_t len,
                              struct sinkhole_batch *ret_batch);
bool sinkhole_publication_from_json(const char *generation, size_t generation_len, const char *json,
                                    size_t len, struct sinkhole_publication *ret_publication);
/* NULL: no memory, a text that is not UTF-8, or an enum out of range. */
char *sinkhole_feed_to_json(const struct sinkhole_feed *feed);
char *sinkhole_batch_to_json(const struct sinkhole_batch *batch);
char *sinkhole_publication_to_json(const struct sinkhole_publication *publication);

#endif
