/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where a rule comes from, asked of Redis once for each rule.
 *
 * Threads: one. Memory: a batch for each rule that was asked for, at most RULES_MAX.
 */
#include "config.h"

#include "sinkhole/report.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

#define RULES_MAX 100000

struct known {
    uint32_t rule;
    bool found;
    struct sinkhole_provenance from;
};
struct sinkhole_provenances {
    struct sinkhole_store *store;
    void *root; /* tsearch: struct known by rule */
    const struct known *last;
    size_t count;
};

static int compare_rules(const void *a, const void *b)
{
    uint32_t left = ((const struct known *)a)->rule, right = ((const struct known *)b)->rule;

    return (left > right) - (left < right);
}

struct sinkhole_provenances *sinkhole_provenances_new(struct sinkhole_store *store)
{
    struct sinkhole_provenances *cache = calloc(1, sizeof *cache);

    if (cache != NULL)
        cache->store = store;
    return cache;
}

void sinkhole_provenances_free(struct sinkhole_provenances *cache)
{
    if (cache == NULL)
        return;
    tdestroy(cache->root, free);
    free(cache);
}

static void ask(struct sinkhole_store *store, struct known *known)
{
    struct sinkhole_provenance *from = &known->from;
    struct sinkhole_feed feed;

    known->found = sinkhole_batch_get(store, known->rule, &from->batch) == SINKHOLE_STORE_OK;
    if (!known->found)
        return;
    if (sinkhole_feed_get(store, from->batch.feed, &feed) == SINKHOLE_STORE_OK) {
        memcpy(from->title, feed.title, sizeof from->title);
        from->classified = feed.classified;
    } else {
        from->classified = true; /* nobody can say any more: rather too little than too much */
    }
}

const struct sinkhole_provenance *sinkhole_provenance_get(struct sinkhole_provenances *cache,
                                                          uint32_t rule)
{
    struct known key = {.rule = rule}, *known;
    void *node;

    if (cache->last != NULL && cache->last->rule == rule)
        return cache->last->found ? &cache->last->from : NULL;
    node = tfind(&key, &cache->root, compare_rules);
    if (node == NULL) {
        if (cache->count == RULES_MAX || (known = calloc(1, sizeof *known)) == NULL)
            return NULL;
        known->rule = rule;
        if (cache->store != NULL)
            ask(cache->store, known);
        node = tsearch(known, &cache->root, compare_rules);
        if (node == NULL) {
            free(known);
            return NULL;
        }
        cache->count++;
    }
    cache->last = *(struct known **)node;
    return cache->last->found ? &cache->last->from : NULL;
}
