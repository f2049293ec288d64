/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One publication put in force: WATCH, look, MULTI, EXEC, and what to do when the answer is lost.
 * Threads and memory: see change.h.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/change.h"
#include "store/list_json.h"
#include "store/number.h"

#define ATTEMPTS 5 /* a watched key was touched, the generation is the same */

static void chunk_key(const char *snapshot, uint64_t n, char key[SINKHOLE_REDIS_KEY_MAX])
{
    snprintf(key, SINKHOLE_REDIS_KEY_MAX, SINKHOLE_REDIS_CHUNK_F, snapshot, n);
}

/* --- under WATCH --- */

/* WATCH or EXISTS over all keys of the new snapshot. */
static enum sinkhole_store_status over_chunks(struct sinkhole_store *store, const char *verb,
                                              const struct sinkhole_snapshot *snapshot,
                                              redisReply **ret_reply)
{
    size_t count = (size_t)snapshot->chunks + 2;
    char(*keys)[SINKHOLE_REDIS_KEY_MAX] = calloc(count, sizeof(*keys));
    const char **argv = calloc(count, sizeof(*argv));
    enum sinkhole_store_status status;

    if (keys == NULL || argv == NULL) {
        status = sinkhole_store_no_memory(store);
        goto out;
    }
    argv[0] = verb;
    snprintf(keys[1], sizeof(keys[1]), SINKHOLE_REDIS_CHUNKS_F, snapshot->name);
    argv[1] = keys[1];
    for (uint64_t n = 0; n < snapshot->chunks; n++) {
        chunk_key(snapshot->name, n, keys[n + 2]);
        argv[n + 2] = keys[n + 2];
    }
    status = sinkhole_store_call_argv(store, SINKHOLE_CALL_ONCE, ret_reply, (int)count, argv, NULL);
out:
    free(argv);
    free(keys);
    return status;
}

/* All of the new snapshot is still there (it has an expiry, and memory may be short). */
static enum sinkhole_store_status check_snapshot(struct sinkhole_store *store,
                                                 const struct sinkhole_snapshot *snapshot)
{
    enum sinkhole_store_status status;
    redisReply *reply;
    bool all;

    if (snapshot == NULL || snapshot->chunks == 0)
        return SINKHOLE_STORE_OK;
    status = over_chunks(store, "EXISTS", snapshot, &reply);
    if (status != SINKHOLE_STORE_OK)
        return status;
    all = reply->integer == (long long)snapshot->chunks + 1;
    freeReplyObject(reply);
    if (!all)
        return sinkhole_store_fail(store, SINKHOLE_STORE_RETRY,
                                   "Redis dropped chunks just written; give it more memory");
    return SINKHOLE_STORE_OK;
}

static enum sinkhole_store_status watch(struct sinkhole_store *store,
                                        const struct sinkhole_commit *commit)
{
    enum sinkhole_store_status status;

    status = sinkhole_store_call(store, SINKHOLE_CALL_ONCE, NULL,
                                 "WATCH " SINKHOLE_REDIS_HEAD " " SINKHOLE_REDIS_LOG
                                 " " SINKHOLE_REDIS_FEEDS " " SINKHOLE_REDIS_BATCHES);
    if (status == SINKHOLE_STORE_OK && commit->snapshot != NULL && commit->snapshot->chunks > 0)
        status = over_chunks(store, "WATCH", commit->snapshot, NULL);
    return status;
}

/* XADD refuses an ID that is not above the last one ever given: look before EXEC. */
static enum sinkhole_store_status check_log(struct sinkhole_store *store, uint64_t generation)
{
    enum sinkhole_store_status status;
    redisReply *reply;
    uint64_t last = 0;

    status = sinkhole_store_call(store, SINKHOLE_CALL_ONCE, &reply, "EXISTS " SINKHOLE_REDIS_LOG);
    if (status != SINKHOLE_STORE_OK)
        return status;
    if (reply->integer == 0) {
        freeReplyObject(reply);
        return SINKHOLE_STORE_OK;
    }
    freeReplyObject(reply);
    status =
        sinkhole_store_call(store, SINKHOLE_CALL_ONCE, &reply, "XINFO STREAM " SINKHOLE_REDIS_LOG);
    if (status != SINKHOLE_STORE_OK)
        return status;
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        const redisReply *name = reply->element[i], *id = reply->element[i + 1];

        if (name->str != NULL && strcmp(name->str, "last-generated-id") == 0 && id->str != NULL)
            last = strtoull(id->str, NULL, 10);
    }
    freeReplyObject(reply);
    if (last >= generation)
        return sinkhole_store_fail(store, SINKHOLE_STORE_DAMAGED,
                                   SINKHOLE_REDIS_LOG " is ahead of the head (%" PRIu64
                                                      " against %" PRIu64 ")",
                                   last, generation - 1);
    return SINKHOLE_STORE_OK;
}

/* Batches that the lines name, and that this change does not make, must be of this feed. */
static enum sinkhole_store_status check_rules(struct sinkhole_store *store,
                                              const struct sinkhole_change *change)
{
    enum sinkhole_store_status status = SINKHOLE_STORE_OK;

    for (size_t i = 0; status == SINKHOLE_STORE_OK && i < change->use_count; i++) {
        struct sinkhole_batch batch;
        redisReply *reply;
        char id[16];
        bool good;

        if (sinkhole_change_owns(change, change->uses[i]))
            continue;
        snprintf(id, sizeof(id), "%u", change->uses[i]);
        status = sinkhole_store_call(store, SINKHOLE_CALL_ONCE, &reply,
                                     "HGET " SINKHOLE_REDIS_BATCHES " %s", id);
        if (status != SINKHOLE_STORE_OK)
            return status;
        good = reply->type == REDIS_REPLY_STRING &&
               sinkhole_batch_from_json(id, strlen(id), reply->str, reply->len, &batch) &&
               strcmp(batch.feed, change->feed) == 0;
        freeReplyObject(reply);
        if (!good)
            status = sinkhole_store_fail(store, SINKHOLE_STORE_INVALID, "rule %s is not of feed %s",
                                         id, change->feed);
    }
    return status;
}

static enum sinkhole_store_status look_at_feed(struct sinkhole_store *store,
                                               struct sinkhole_commit *commit)
{
    const struct sinkhole_change *change = commit->change;
    struct sinkhole_feed feed = {0};
    enum sinkhole_store_status status;

    status = sinkhole_feed_read(store, SINKHOLE_CALL_ONCE, change->feed, &feed);
    if (status == SINKHOLE_STORE_ABSENT && change->kind == SINKHOLE_CHANGE_POLICY)
        status = SINKHOLE_STORE_OK;
    if (status != SINKHOLE_STORE_OK)
        return status;
    if (commit->root.seen == 0)
        feed.entries = 0; /* of a list that was given up */
    commit->feed = change->kind == SINKHOLE_CHANGE_POLICY ? change->policy : feed;
    commit->feed.entries = feed.entries + change->added - change->removed;
    if (feed.entries + change->added < change->removed)
        return sinkhole_store_fail(store, SINKHOLE_STORE_DAMAGED,
                                   "feed %s has %" PRIu64 " entries, and loses %" PRIu64,
                                   change->feed, feed.entries, change->removed);
    if (change->kind == SINKHOLE_CHANGE_LINES) {
        commit->feed.updated_ms = commit->now_ms;
        commit->feed.updated_generation = commit->generation + 1;
    } else {
        commit->feed.updated_ms = feed.updated_ms;
        commit->feed.updated_generation = feed.updated_generation;
    }
    return SINKHOLE_STORE_OK;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static enum sinkhole_store_status look_at_history(struct sinkhole_store *store,
                                                  struct sinkhole_commit *commit)
{
    enum sinkhole_store_status status;
    char key[SINKHOLE_REDIS_KEY_MAX];
    redisReply *reply;

    snprintf(key, sizeof(key), SINKHOLE_REDIS_HISTORY_F, commit->change->feed);
    status = sinkhole_store_call(store, SINKHOLE_CALL_ONCE, &reply, "HKEYS %s", key);
    if (status != SINKHOLE_STORE_OK)
        return status;
    free(commit->old);
    commit->old_count = 0;
    commit->old = calloc(reply->elements + 1, sizeof(*commit->old));
    if (commit->old == NULL)
        status = sinkhole_store_no_memory(store);
    for (size_t i = 0; commit->old != NULL && i < reply->elements; i++) {
        const redisReply *one = reply->element[i];

        if (sinkhole_number_parse(one->str, one->len, INT64_MAX, &commit->old[commit->old_count]))
            commit->old_count++;
    }
    freeReplyObject(reply);
    if (commit->old_count > 0)
        qsort(commit->old, commit->old_count, sizeof(*commit->old), by_number);
    return status;
}

/* A list begun anew: no feed has an entry in it yet. */
static enum sinkhole_store_status look_at_feeds(struct sinkhole_store *store,
                                                struct sinkhole_commit *commit)
{
    enum sinkhole_store_status status;
    redisReply *reply;

    free(commit->emptied);
    commit->emptied = NULL;
    commit->emptied_count = 0;
    if (commit->root.seen != 0)
        return SINKHOLE_STORE_OK;
    status =
        sinkhole_store_call(store, SINKHOLE_CALL_ONCE, &reply, "HGETALL " SINKHOLE_REDIS_FEEDS);
    if (status != SINKHOLE_STORE_OK)
        return status;
    commit->emptied = calloc(reply->elements / 2 + 1, sizeof(*commit->emptied));
    if (commit->emptied == NULL)
        status = sinkhole_store_no_memory(store);
    for (size_t i = 0; status == SINKHOLE_STORE_OK && i + 1 < reply->elements; i += 2) {
        const redisReply *name = reply->element[i], *json = reply->element[i + 1];
        struct sinkhole_feed *feed = &commit->emptied[commit->emptied_count];

        if (sinkhole_feed_from_json(name->str, name->len, json->str, json->len, feed) &&
            strcmp(feed->policy.feed, commit->change->feed) != 0) {
            feed->entries = 0;
            commit->emptied_count++;
        }
    }
    freeReplyObject(reply);
    return status;
}

struct batch_list {
    struct sinkhole_batch *items;
    size_t count, room;
    bool failed;
};

static bool collect_batch(void *arg, const struct sinkhole_batch *batch)
{
    struct batch_list *list = arg;

    if (list->count == list->room) {
        size_t room = list->room == 0 ? 16 : 2 * list->room;
        struct sinkhole_batch *items = realloc(list->items, room * sizeof(*items));

        if (items == NULL) {
            list->failed = true;
            return false;
        }
        list->items = items;
        list->room = room;
    }
    list->items[list->count++] = *batch;
    return true;
}

/* What else goes with a feed: pieces of a staged import, and what imports kept beside. */
static enum sinkhole_store_status look_at_imports(struct sinkhole_store *store,
                                                  struct sinkhole_commit *commit)
{
    const char *feed = commit->change->feed;
    char key[SINKHOLE_REDIS_KEY_MAX];
    enum sinkhole_store_status status;
    redisReply *reply;

    status = sinkhole_staged_look(store, SINKHOLE_CALL_ONCE, feed, commit->staged_token,
                                  &commit->staged_pieces);
    if (status != SINKHOLE_STORE_OK)
        return status;
    snprintf(key, sizeof(key), SINKHOLE_REDIS_BESIDE_F, feed);
    status = sinkhole_store_call(store, SINKHOLE_CALL_ONCE, &reply, "EXISTS %s", key);
    if (status != SINKHOLE_STORE_OK)
        return status;
    commit->has_beside = reply->integer != 0;
    freeReplyObject(reply);
    return status;
}

static enum sinkhole_store_status look_at_batches(struct sinkhole_store *store,
                                                  struct sinkhole_commit *commit)
{
    struct batch_list list = {0};
    enum sinkhole_store_status status;

    if (commit->change->kind != SINKHOLE_CHANGE_REMOVE)
        return check_rules(store, commit->change);
    status =
        sinkhole_batch_visit(store, SINKHOLE_CALL_ONCE, commit->change->feed, collect_batch, &list);
    free(commit->retire);
    commit->retire = list.items;
    commit->retire_count = list.count;
    if (list.failed)
        return sinkhole_store_no_memory(store);
    return status == SINKHOLE_STORE_OK ? look_at_imports(store, commit) : status;
}

static enum sinkhole_store_status look(struct sinkhole_store *store, struct sinkhole_commit *commit)
{
    enum sinkhole_store_status status;

    status = sinkhole_list_root_read(store, SINKHOLE_CALL_ONCE, &commit->root);
    if (status == SINKHOLE_STORE_OK && commit->root.head.generation != commit->generation)
        status = sinkhole_store_fail(store, SINKHOLE_STORE_CONFLICT,
                                     "generation %" PRIu64
                                     " has been published meanwhile; look and try again",
                                     commit->root.head.generation);
    if (status == SINKHOLE_STORE_OK)
        status = check_snapshot(store, commit->snapshot);
    if (status != SINKHOLE_STORE_OK || commit->change == NULL)
        return status;
    status = check_log(store, commit->generation + 1);
    if (status == SINKHOLE_STORE_OK)
        status = look_at_feed(store, commit);
    if (status == SINKHOLE_STORE_OK)
        status = look_at_feeds(store, commit);
    if (status == SINKHOLE_STORE_OK)
        status = look_at_batches(store, commit);
    if (status == SINKHOLE_STORE_OK)
        status = look_at_history(store, commit);
    return status;
}

/* --- running --- */

/* What does not fit together was read in pieces: somebody may have published in between. */
static enum sinkhole_store_status or_conflict(struct sinkhole_store *store,
                                              const struct sinkhole_commit *commit)
{
    struct sinkhole_list_root root;

    if (sinkhole_list_root_read(store, SINKHOLE_CALL_ONCE, &root) != SINKHOLE_STORE_OK ||
        root.head.generation == commit->generation)
        return SINKHOLE_STORE_DAMAGED;
    return sinkhole_store_fail(store, SINKHOLE_STORE_CONFLICT,
                               "generation %" PRIu64
                               " has been published meanwhile; look and try again",
                               root.head.generation);
}

/* One attempt, all of it. *ret_unknown: EXEC was sent and its answer is lost. */
static enum sinkhole_store_status attempt(struct sinkhole_store *store,
                                          struct sinkhole_commit *commit, bool *ret_unknown)
{
    enum sinkhole_store_status status;

    *ret_unknown = false;
    status = watch(store, commit);
    if (status == SINKHOLE_STORE_OK)
        status = look(store, commit);
    if (status == SINKHOLE_STORE_DAMAGED)
        status = or_conflict(store, commit);
    if (status != SINKHOLE_STORE_OK)
        goto out;
    status = sinkhole_pipe_add(store, "MULTI");
    if (status == SINKHOLE_STORE_OK)
        status = sinkhole_commit_row(store, commit);
    if (status == SINKHOLE_STORE_OK)
        return sinkhole_pipe_exec(store, NULL, ret_unknown);
out:
    sinkhole_store_forget(store); /* WATCH and what may be queued go with the connection */
    return status;
}

/*
 * EXEC's answer was lost. Raising the fence touches the watched head: an EXEC still under way
 * fails from then on, so that what the head says now is the truth.
 */
static enum sinkhole_store_status resolve(struct sinkhole_store *store,
                                          const struct sinkhole_commit *commit)
{
    enum sinkhole_store_status status = SINKHOLE_STORE_RECONNECT;
    struct sinkhole_list_root root;

    for (unsigned i = 1; i <= ATTEMPTS; i++) {
        status = sinkhole_store_call(store, SINKHOLE_CALL_ONCE, NULL,
                                     "HINCRBY " SINKHOLE_REDIS_HEAD " fence 1");
        if (status == SINKHOLE_STORE_OK)
            status = sinkhole_list_root_read(store, SINKHOLE_CALL_ONCE, &root);
        if (status == SINKHOLE_STORE_OK)
            break;
        sinkhole_store_back_off(i);
    }
    if (status != SINKHOLE_STORE_OK)
        return sinkhole_store_fail(store, SINKHOLE_STORE_RECONNECT,
                                   "Redis was lost in mid-publication: whether generation %" PRIu64
                                   " is in force is not known; when Redis is back, look at status",
                                   commit->generation + 1);
    if (strcmp(root.publication, commit->publication) == 0)
        return SINKHOLE_STORE_OK;
    return sinkhole_store_fail(store, SINKHOLE_STORE_RECONNECT,
                               "Redis was lost in mid-publication, nothing was published; again");
}

enum sinkhole_store_status sinkhole_commit_run(struct sinkhole_store *store,
                                               struct sinkhole_commit *commit)
{
    enum sinkhole_store_status status = SINKHOLE_STORE_CONFLICT;
    bool unknown;

    if (!sinkhole_random_hex(commit->publication, sizeof(commit->publication) - 1))
        return sinkhole_store_fail(store, SINKHOLE_STORE_NO_MEMORY, "no random octets");
    for (unsigned i = 1; i <= ATTEMPTS && status == SINKHOLE_STORE_CONFLICT; i++) {
        status = attempt(store, commit, &unknown);
        if (unknown)
            return resolve(store, commit);
        if (commit->root.head.generation != commit->generation)
            break;
    }
    return status;
}

void sinkhole_commit_done(struct sinkhole_commit *commit)
{
    sinkhole_values_free(&commit->parts);
    sinkhole_values_free(&commit->undo);
    free(commit->emptied);
    free(commit->retire);
    free(commit->old);
    *commit = (struct sinkhole_commit){0};
}
