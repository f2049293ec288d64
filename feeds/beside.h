/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What an import keeps beside its names, packed for good. Threads: pure functions. Memory: the
 * packed octets are the caller's to free.
 */
#ifndef FEEDS_BESIDE_H
#define FEEDS_BESIDE_H

#include "feeds/staging.h"

/* A sinkhole_beside_fn that gathers the lines in a struct feed_text_store. */
bool feed_beside_keep(void *lines, const char *line, size_t len);
enum sinkhole_feeds_status feed_beside_pack(const struct sinkhole_staged *import,
                                            const struct feed_text_store *lines, void **ret_data,
                                            size_t *ret_len);
/* Does it say what the feed's last import kept, word for word? */
enum sinkhole_feeds_status feed_beside_is_old(const struct sinkhole_feeds *feeds, const char *feed,
                                              const struct feed_text_store *lines, bool *ret_old,
                                              struct sinkhole_feeds_outcome *outcome);

#endif
