/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Undoing publications, past today's guards: settings and suffixes may have changed since.
 *
 * Threads: with the store handle. Memory: the feed's rules, and the names that are refused.
 */
#include "feeds/guard.h"
#include "feeds/import_private.h"
#include "feeds/plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ATTEMPTS 4
#define PROGRESS_EVERY 65536

struct rule_scope {
    uint32_t id;
    uint8_t scope;
};

struct rollback {
    const struct sinkhole_feeds *feeds;
    const char *feed, *who;
    uint64_t generation;
    struct feed_guard *guard; /* NULL: exceptions, which no guard refuses */
    struct rule_scope *rules; /* ascending ids */
    size_t rule_count, rule_room;
    uint64_t checked;
    struct feed_text_store refused; /* reason, scope and length in an octet each, then the key */
    uint64_t refused_count;
    bool no_memory;
};

static bool keep_rule(void *arg, const struct sinkhole_batch *batch)
{
    struct rollback *rollback = arg;

    if (rollback->rule_count == rollback->rule_room) {
        size_t room = rollback->rule_room == 0 ? 16 : rollback->rule_room * 2;
        struct rule_scope *rules = realloc(rollback->rules, room * sizeof *rules);

        if (rules == NULL) {
            rollback->no_memory = true;
            return false;
        }
        rollback->rules = rules;
        rollback->rule_room = room;
    }
    rollback->rules[rollback->rule_count++] =
        (struct rule_scope){batch->rule.id, batch->rule.scope};
    return true;
}

static int by_id(const void *a, const void *b)
{
    const struct rule_scope *x = a, *y = b;

    return (x->id > y->id) - (x->id < y->id);
}

/* A line that would come back. A rule that is gone is the store's to refuse. */
static bool may_come_back(void *arg, const char *key, size_t key_len, uint32_t id)
{
    struct rollback *rollback = arg;
    const struct sinkhole_feeds *feeds = rollback->feeds;
    struct rule_scope wanted = {.id = id}, *rule = NULL;
    enum sinkhole_note_reason reason;
    uint8_t head[3];

    if (feeds->progress != NULL && ++rollback->checked % PROGRESS_EVERY == 0)
        feeds->progress(feeds->progress_arg, "Checking", rollback->checked, UINT64_MAX);
    if (rollback->rule_count > 0)
        rule = bsearch(&wanted, rollback->rules, rollback->rule_count, sizeof wanted, by_id);
    if (rollback->guard == NULL || rule == NULL)
        return true;
    /* A provider's zone that is listed, exactly, was allowed when it was imported. */
    reason =
        feed_guard_check_key(rollback->guard, key, key_len, (enum sinkhole_scope)rule->scope, true);
    if (reason == SINKHOLE_REASON_COUNT)
        return true;
    head[0] = (uint8_t)reason;
    head[1] = rule->scope;
    head[2] = (uint8_t)key_len;
    if (!feed_text_store_add(&rollback->refused, (const char *)head, sizeof head, SIZE_MAX / 2) ||
        !feed_text_store_add(&rollback->refused, key, key_len, SIZE_MAX / 2))
        rollback->no_memory = true;
    rollback->refused_count++;
    return false;
}

static enum sinkhole_feeds_status from_store(struct sinkhole_feeds_outcome *outcome,
                                             enum sinkhole_store_status status)
{
    outcome->store = status;
    if (status == SINKHOLE_STORE_OK)
        return SINKHOLE_FEEDS_OK;
    return status == SINKHOLE_STORE_ABSENT ? SINKHOLE_FEEDS_ABSENT : SINKHOLE_FEEDS_STORE;
}

/* Fills the change: the feed's rules as they are now, then the lines past the guards. */
static enum sinkhole_feeds_status fill(struct rollback *rollback, struct sinkhole_change *change,
                                       struct sinkhole_feeds_outcome *outcome)
{
    const struct sinkhole_feeds *feeds = rollback->feeds;
    enum sinkhole_store_status status;

    rollback->rule_count = rollback->refused.used = 0;
    rollback->refused_count = rollback->checked = 0;
    status = sinkhole_batch_list(feeds->store, rollback->feed, keep_rule, rollback);
    if (status == SINKHOLE_STORE_OK)
        status = sinkhole_change_undo(change, rollback->generation, may_come_back, rollback);
    if (feeds->progress != NULL)
        feeds->progress(feeds->progress_arg, "Checking", rollback->checked, rollback->checked);
    if (rollback->no_memory)
        return SINKHOLE_FEEDS_NO_MEMORY;
    if (status != SINKHOLE_STORE_OK)
        return from_store(outcome, status);
    sinkhole_change_count(change, &outcome->added, &outcome->removed);
    outcome->refused = rollback->refused_count;
    if (outcome->refused > 0 && outcome->added + outcome->removed == 0)
        return SINKHOLE_FEEDS_REFUSED;
    return outcome->added + outcome->removed == 0 ? SINKHOLE_FEEDS_NOTHING : SINKHOLE_FEEDS_OK;
}

static enum sinkhole_feeds_status undo_once(struct rollback *rollback,
                                            struct sinkhole_feeds_outcome *outcome)
{
    const struct sinkhole_feeds *feeds = rollback->feeds;
    struct sinkhole_change *change = NULL;
    enum sinkhole_feeds_status status;
    char text[64];

    status = from_store(outcome, sinkhole_change_new(feeds->store, rollback->feed, &change));
    if (status == SINKHOLE_FEEDS_OK)
        status = fill(rollback, change, outcome);
    if (status == SINKHOLE_FEEDS_OK) {
        snprintf(text, sizeof text, FEED_ROLLBACK_TEXT "%" PRIu64, rollback->generation);
        status = from_store(outcome, sinkhole_change_describe(change, rollback->who, text));
    }
    if (status == SINKHOLE_FEEDS_OK)
        status =
            from_store(outcome, sinkhole_change_publish(change, feeds->progress,
                                                        feeds->progress_arg, &outcome->generation));
    sinkhole_change_free(change);
    return status;
}

static void tell(const struct rollback *rollback, sinkhole_diff_fn visit, void *arg)
{
    const struct feed_text_store *refused = &rollback->refused;

    for (size_t at = 0; visit != NULL && at < refused->used;) {
        const uint8_t *head = (const uint8_t *)refused->text + at;

        visit(arg, SINKHOLE_DIFF_REFUSED, refused->text + at + 3, head[2],
              (enum sinkhole_scope)head[1], (enum sinkhole_note_reason)head[0]);
        at += 3u + head[2];
    }
}

static bool keep_first(void *arg, const struct sinkhole_publication *publication)
{
    *(uint64_t *)arg = publication->generation;
    return false;
}

/* The generation meant, and the guard unless the feed is the exceptions'. */
static enum sinkhole_feeds_status begin(struct rollback *rollback,
                                        struct sinkhole_feeds_outcome *outcome)
{
    const struct sinkhole_feeds *feeds = rollback->feeds;
    struct sinkhole_feed feed;
    enum sinkhole_store_status status;

    status = sinkhole_feed_get(feeds->store, rollback->feed, &feed);
    if (status == SINKHOLE_STORE_OK && rollback->generation == 0)
        status =
            sinkhole_feed_history(feeds->store, rollback->feed, keep_first, &rollback->generation);
    if (status == SINKHOLE_STORE_OK && rollback->generation == 0)
        status = SINKHOLE_STORE_ABSENT;
    if (status != SINKHOLE_STORE_OK || feed.policy.kind == SINKHOLE_FEED_ALLOW)
        return from_store(outcome, status);
    rollback->guard = feed_guard_new(feeds->settings, feeds->suffixes, outcome->bad);
    if (rollback->guard == NULL)
        return outcome->bad[0] == '\0' ? SINKHOLE_FEEDS_NO_MEMORY : SINKHOLE_FEEDS_GUARD;
    return SINKHOLE_FEEDS_OK;
}

enum sinkhole_feeds_status sinkhole_feeds_rollback(const struct sinkhole_feeds *feeds,
                                                   const char *feed, uint64_t generation,
                                                   const char *who, sinkhole_diff_fn visit,
                                                   void *arg,
                                                   struct sinkhole_feeds_outcome *ret_outcome)
{
    struct rollback rollback = {.feeds = feeds, .feed = feed, .who = who, .generation = generation};
    enum sinkhole_feeds_status status;

    memset(ret_outcome, 0, sizeof *ret_outcome);
    status = begin(&rollback, ret_outcome);
    for (int attempt = 0; status == SINKHOLE_FEEDS_OK && attempt < ATTEMPTS; attempt++) {
        status = undo_once(&rollback, ret_outcome);
        if (status != SINKHOLE_FEEDS_STORE || !feed_plan_again(feeds->store, ret_outcome->store) ||
            attempt == ATTEMPTS - 1)
            break;
        status = SINKHOLE_FEEDS_OK;
    }
    if (status == SINKHOLE_FEEDS_OK || status == SINKHOLE_FEEDS_REFUSED)
        tell(&rollback, visit, arg);
    if (status == SINKHOLE_FEEDS_OK || status == SINKHOLE_FEEDS_NOTHING) {
        enum sinkhole_feeds_status dropped =
            from_store(ret_outcome, sinkhole_staged_drop(feeds->store, feed));

        if (dropped != SINKHOLE_FEEDS_OK && dropped != SINKHOLE_FEEDS_ABSENT) /* nothing staged */
            status = dropped;
    }
    feed_guard_free(rollback.guard);
    free(rollback.rules);
    free(rollback.refused.text);
    return status;
}
