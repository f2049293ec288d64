/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A set of names against what a feed lists: the difference, and its publication.
 *
 * Threads: with the store handle. Memory: the feed's batches, and what the change holds.
 */
#ifndef FEEDS_PLAN_H
#define FEEDS_PLAN_H

#include "feeds/names.h"
#include "sinkhole/feeds.h"

struct feed_plan {
    const struct sinkhole_feeds *feeds;
    const char *feed;
    const struct feed_names *names; /* sorted */
    enum sinkhole_import_mode mode;
    const struct sinkhole_batch *attributes;
    bool same_remark; /* attributes are equal only with an equal remark (reasons of exceptions) */
    bool take_off;    /* `names` are to go, not to come (mode AMEND) */
    const char *describe;
    const void *beside; /* packed; NULL: nothing stands beside the names */
    size_t beside_len;
    sinkhole_diff_fn visit; /* diff only; may be NULL */
    void *arg;
};

/* Compares; counts and generation into the outcome. NOTHING: no difference. */
enum sinkhole_feeds_status feed_plan_compare(const struct feed_plan *plan,
                                             struct sinkhole_feeds_outcome *outcome);
/* Is the failure one that another try may not meet: somebody else published in between, or the list
 * was replaced while it was read? */
bool feed_plan_again(struct sinkhole_store *store, enum sinkhole_store_status status);
/* Compares and publishes, again when somebody else was faster (three times). */
enum sinkhole_feeds_status feed_plan_publish(const struct feed_plan *plan,
                                             struct sinkhole_feeds_outcome *outcome);

#endif
