/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What no list may block: the ladder that every name climbs, at import and again at publication.
 *
 * Threads: a guard is immutable. Memory: the protected names.
 */
#ifndef FEEDS_GUARD_H
#define FEEDS_GUARD_H

#include <stdbool.h>

#include "sinkhole/feeds.h"

struct feed_guard; /* opaque */
/* NULL: no memory, or *ret_bad is a protected entry (or the file) that cannot be used, as text. */
struct feed_guard *feed_guard_new(const struct sinkhole_settings *settings,
                                  const struct sinkhole_suffixes *suffixes, char ret_bad[256]);
void feed_guard_free(struct feed_guard *guard);
/* SINKHOLE_REASON_COUNT: may be listed. `private_suffix`: the operator allowed those, exactly. */
enum sinkhole_note_reason feed_guard_check(const struct feed_guard *guard,
                                           const struct sinkhole_name *name,
                                           const struct sinkhole_key *key,
                                           enum sinkhole_scope scope, bool private_suffix);
/* The same for a key; one that is no name's is refused as the root is. */
enum sinkhole_note_reason feed_guard_check_key(const struct feed_guard *guard, const char *text,
                                               size_t len, enum sinkhole_scope scope,
                                               bool private_suffix);
/* Is the name a protected zone's, above or below one? */
bool feed_guard_touches(const struct feed_guard *guard, const struct sinkhole_key *key);

#endif
