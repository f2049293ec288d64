/* SPDX-License-Identifier: BSD-3-Clause */
/* Changes of a feed as a whole: policy, prose, removal. Threads and memory: see change.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/change.h"
#include "store/list_json.h"

#define PROGRESS_EVERY 65536

/* Prose only: no generation, nobody waits for it. */
static enum sinkhole_store_status put_prose(struct sinkhole_store *store,
                                            const struct sinkhole_feed *feed)
{
    char *json = sinkhole_feed_to_json(feed);
    enum sinkhole_store_status status;
    bool unknown;

    if (json == NULL)
        return sinkhole_store_no_memory(store);
    status = sinkhole_pipe_add(store, "MULTI");
    if (status == SINKHOLE_STORE_OK)
        status = sinkhole_pipe_add(store, "HSET " SINKHOLE_REDIS_FEEDS " %s %s", feed->policy.feed,
                                   json);
    if (status == SINKHOLE_STORE_OK)
        status = sinkhole_pipe_exec(store, NULL, &unknown);
    free(json);
    return status;
}

static enum sinkhole_store_status put_policy(struct sinkhole_store *store,
                                             const struct sinkhole_feed *feed, uint64_t generation)
{
    struct sinkhole_change *change =
        sinkhole_change_make(store, feed->policy.feed, SINKHOLE_CHANGE_POLICY);
    enum sinkhole_store_status status;
    uint64_t published;

    if (change == NULL)
        return sinkhole_store_no_memory(store);
    change->policy = *feed;
    change->generation = generation;
    status = sinkhole_change_run(change, NULL, NULL, &published);
    sinkhole_change_free(change);
    return status;
}

/* One attempt: the feed's hash is watched while it is looked at. */
static enum sinkhole_store_status put_try(struct sinkhole_store *store, struct sinkhole_feed *feed)
{
    struct sinkhole_feed old;
    struct sinkhole_list_root root;
    enum sinkhole_store_status status;

    status = sinkhole_list_root_read(store, SINKHOLE_CALL_AGAIN, &root);
    if (status == SINKHOLE_STORE_OK)
        status =
            sinkhole_store_call(store, SINKHOLE_CALL_ONCE, NULL, "WATCH " SINKHOLE_REDIS_FEEDS);
    if (status != SINKHOLE_STORE_OK)
        return status;
    status = sinkhole_feed_read(store, SINKHOLE_CALL_ONCE, feed->policy.feed, &old);
    if (status == SINKHOLE_STORE_OK &&
        memcmp(&old.policy, &feed->policy, sizeof(old.policy)) == 0) {
        feed->entries = old.entries;
        feed->updated_ms = old.updated_ms;
        feed->updated_generation = old.updated_generation;
        return put_prose(store, feed);
    }
    if (status != SINKHOLE_STORE_OK && status != SINKHOLE_STORE_ABSENT)
        return status;
    sinkhole_store_forget(store); /* with its WATCH */
    return put_policy(store, feed, root.head.generation);
}

enum sinkhole_store_status sinkhole_feed_put(struct sinkhole_store *store,
                                             const struct sinkhole_feed *feed)
{
    enum sinkhole_store_status status = SINKHOLE_STORE_CONFLICT;
    size_t name_len = strnlen(feed->policy.feed, sizeof(feed->policy.feed));
    char *json = sinkhole_feed_to_json(feed);
    struct sinkhole_feed clean;

    sinkhole_store_begin(store, "store feed %.31s", feed->policy.feed);
    if (json == NULL ||
        !sinkhole_feed_from_json(feed->policy.feed, name_len, json, strlen(json), &clean))
        status = sinkhole_store_fail(store, SINKHOLE_STORE_INVALID,
                                     "its name or a field is out of range or not UTF-8");
    free(json);
    for (unsigned i = 0; i < 5 && status == SINKHOLE_STORE_CONFLICT; i++)
        status = put_try(store, &clean);
    return status;
}

struct removal {
    struct sinkhole_change *change;
    uint8_t *ours; /* bit of each rule id up to `most` */
    uint32_t most;
    sinkhole_progress_fn progress; /* may be NULL */
    void *arg;
    uint64_t lines, total; /* looked at */
};

static bool note_ours(void *arg, const struct sinkhole_batch *batch)
{
    struct removal *removal = arg;

    if (removal->ours == NULL) {
        if (batch->rule.id > removal->most)
            removal->most = batch->rule.id;
    } else if (batch->rule.id <= removal->most) {
        removal->ours[batch->rule.id / 8] |= (uint8_t)(1u << (batch->rule.id % 8));
    }
    return true;
}

static enum sinkhole_store_status remove_ours(void *arg, const char *key, size_t key_len,
                                              uint32_t id)
{
    struct removal *removal = arg;

    if (++removal->lines % PROGRESS_EVERY == 0 && removal->progress != NULL)
        removal->progress(removal->arg, "Removing", removal->lines, removal->total + 1);
    if (id > removal->most || !(removal->ours[id / 8] & (1u << (id % 8))))
        return SINKHOLE_STORE_OK;
    return sinkhole_change_remove(removal->change, key, key_len, id);
}

/* Fills the change with the removal of every line of the feed's rules. */
static enum sinkhole_store_status collect_removal(struct sinkhole_change *change,
                                                  sinkhole_progress_fn progress, void *arg)
{
    struct removal removal = {.change = change, .progress = progress, .arg = arg};
    struct sinkhole_store *store = change->store;
    struct sinkhole_list_view view;
    enum sinkhole_store_status status;

    status = sinkhole_batch_visit(store, SINKHOLE_CALL_AGAIN, change->feed, note_ours, &removal);
    if (status != SINKHOLE_STORE_OK)
        return status;
    removal.ours = calloc(removal.most / 8 + 1, 1);
    if (removal.ours == NULL)
        return sinkhole_store_no_memory(store);
    status = sinkhole_batch_visit(store, SINKHOLE_CALL_AGAIN, change->feed, note_ours, &removal);
    if (status == SINKHOLE_STORE_OK)
        status = sinkhole_list_view_open(store, true, &view);
    if (status != SINKHOLE_STORE_OK)
        goto out;
    change->generation = view.root.head.generation;
    removal.total = view.root.head.entries;
    status = sinkhole_list_stream(store, &view, NULL, remove_ours, &removal);
    if (progress != NULL)
        progress(arg, "Removing", removal.lines, removal.lines);
    sinkhole_list_view_done(&view);
out:
    free(removal.ours);
    return status;
}

enum sinkhole_store_status sinkhole_feed_remove(struct sinkhole_store *store, const char *name,
                                                sinkhole_progress_fn progress, void *arg,
                                                uint64_t *ret_generation)
{
    struct sinkhole_change *change;
    struct sinkhole_feed feed;
    enum sinkhole_store_status status;

    sinkhole_store_begin(store, "remove feed %.40s", name);
    status = sinkhole_feed_read(store, SINKHOLE_CALL_AGAIN, name, &feed);
    if (status != SINKHOLE_STORE_OK)
        return status;
    change = sinkhole_change_make(store, name, SINKHOLE_CHANGE_REMOVE);
    if (change == NULL)
        return sinkhole_store_no_memory(store);
    status = collect_removal(change, progress, arg);
    if (status == SINKHOLE_STORE_OK)
        status = sinkhole_change_run(change, progress, arg, ret_generation);
    sinkhole_change_free(change);
    return status;
}
