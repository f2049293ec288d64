/* SPDX-License-Identifier: BSD-3-Clause */
/* Feeds and batches, read. Threads: with the store handle. Memory: one reply. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/change.h"
#include "store/list_json.h"

static enum sinkhole_store_status not_ours(struct sinkhole_store *store, const char *key,
                                           const redisReply *field)
{
    return sinkhole_store_fail(store, SINKHOLE_STORE_DAMAGED, "%s, field \"%.*s\": not our JSON",
                               key, (int)(field->len > 40 ? 40 : field->len), field->str);
}

/* --- feeds --- */

enum sinkhole_store_status sinkhole_feed_read(struct sinkhole_store *store,
                                              enum sinkhole_call again, const char *name,
                                              struct sinkhole_feed *ret_feed)
{
    enum sinkhole_store_status status;
    redisReply *reply;

    if (!sinkhole_feed_name_valid(name, strlen(name)))
        return sinkhole_store_fail(store, SINKHOLE_STORE_INVALID,
                                   "a feed's name has 1 to %d of a-z 0-9 - _, first a letter",
                                   SINKHOLE_FEED_NAME_MAX);
    status = sinkhole_store_call(store, again, &reply, "HGET " SINKHOLE_REDIS_FEEDS " %s", name);
    if (status != SINKHOLE_STORE_OK)
        return status;
    if (reply->type == REDIS_REPLY_NIL)
        status = sinkhole_store_fail(store, SINKHOLE_STORE_ABSENT, "there is no feed \"%s\"", name);
    else if (!sinkhole_feed_from_json(name, strlen(name), reply->str, reply->len, ret_feed))
        status = sinkhole_store_fail(store, SINKHOLE_STORE_DAMAGED,
                                     SINKHOLE_REDIS_FEEDS ", field \"%s\": not our JSON", name);
    freeReplyObject(reply);
    return status;
}

enum sinkhole_store_status sinkhole_feed_get(struct sinkhole_store *store, const char *name,
                                             struct sinkhole_feed *ret_feed)
{
    sinkhole_store_begin(store, "read feed %.40s", name);
    return sinkhole_feed_read(store, SINKHOLE_CALL_AGAIN, name, ret_feed);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct sinkhole_feed *)a)->policy.feed,
                  ((const struct sinkhole_feed *)b)->policy.feed);
}

/* By name: HGETALL has no order. */
static enum sinkhole_store_status visit_feeds(struct sinkhole_store *store, const redisReply *reply,
                                              sinkhole_feed_fn visit, void *arg)
{
    struct sinkhole_feed *feeds = calloc(reply->elements / 2 + 1, sizeof(*feeds));
    enum sinkhole_store_status status = SINKHOLE_STORE_OK;
    size_t count = reply->elements / 2;

    if (feeds == NULL)
        return sinkhole_store_no_memory(store);
    for (size_t i = 0; i < count; i++) {
        const redisReply *name = reply->element[2 * i], *json = reply->element[2 * i + 1];

        if (!sinkhole_feed_from_json(name->str, name->len, json->str, json->len, &feeds[i])) {
            status = not_ours(store, SINKHOLE_REDIS_FEEDS, name);
            goto out;
        }
    }
    qsort(feeds, count, sizeof(*feeds), by_name);
    for (size_t i = 0; i < count && visit(arg, &feeds[i]); i++)
        ;
out:
    free(feeds);
    return status;
}

enum sinkhole_store_status sinkhole_feed_list(struct sinkhole_store *store, sinkhole_feed_fn visit,
                                              void *arg)
{
    enum sinkhole_store_status status;
    redisReply *reply;

    sinkhole_store_begin(store, "list the feeds");
    status =
        sinkhole_store_call(store, SINKHOLE_CALL_AGAIN, &reply, "HGETALL " SINKHOLE_REDIS_FEEDS);
    if (status != SINKHOLE_STORE_OK)
        return status;
    status = visit_feeds(store, reply, visit, arg);
    freeReplyObject(reply);
    return status;
}

/* --- batches --- */

static enum sinkhole_store_status read_batch(struct sinkhole_store *store, const char *key,
                                             const char *id, struct sinkhole_batch *ret_batch)
{
    enum sinkhole_store_status status;
    redisReply *reply;

    status = sinkhole_store_call(store, SINKHOLE_CALL_AGAIN, &reply, "HGET %s %s", key, id);
    if (status != SINKHOLE_STORE_OK)
        return status;
    if (reply->type == REDIS_REPLY_NIL)
        status = sinkhole_store_fail(store, SINKHOLE_STORE_ABSENT, "there is no rule %s", id);
    else if (!sinkhole_batch_from_json(id, strlen(id), reply->str, reply->len, ret_batch))
        status = sinkhole_store_fail(store, SINKHOLE_STORE_DAMAGED,
                                     "%s, field \"%s\": not our JSON", key, id);
    freeReplyObject(reply);
    return status;
}

enum sinkhole_store_status sinkhole_batch_get(struct sinkhole_store *store, uint32_t id,
                                              struct sinkhole_batch *ret_batch)
{
    enum sinkhole_store_status status;
    char text[16];

    snprintf(text, sizeof(text), "%u", id);
    sinkhole_store_begin(store, "read rule %s", text);
    status = read_batch(store, SINKHOLE_REDIS_BATCHES, text, ret_batch);
    if (status == SINKHOLE_STORE_ABSENT)
        status = read_batch(store, SINKHOLE_REDIS_RETIRED, text, ret_batch);
    return status;
}

static int by_id(const void *a, const void *b)
{
    uint32_t x = ((const struct sinkhole_batch *)a)->rule.id;
    uint32_t y = ((const struct sinkhole_batch *)b)->rule.id;

    return (x > y) - (x < y);
}

static enum sinkhole_store_status visit_batches(struct sinkhole_store *store,
                                                const redisReply *reply, const char *feed,
                                                sinkhole_batch_fn visit, void *arg)
{
    struct sinkhole_batch *batches = calloc(reply->elements / 2 + 1, sizeof(*batches));
    enum sinkhole_store_status status = SINKHOLE_STORE_OK;
    size_t count = 0;

    if (batches == NULL)
        return sinkhole_store_no_memory(store);
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        const redisReply *id = reply->element[i], *json = reply->element[i + 1];

        if (!sinkhole_batch_from_json(id->str, id->len, json->str, json->len, &batches[count])) {
            status = not_ours(store, SINKHOLE_REDIS_BATCHES, id);
            goto out;
        }
        if (feed == NULL || strcmp(feed, batches[count].feed) == 0)
            count++;
    }
    qsort(batches, count, sizeof(*batches), by_id);
    for (size_t i = 0; i < count && visit(arg, &batches[i]); i++)
        ;
out:
    free(batches);
    return status;
}

enum sinkhole_store_status sinkhole_batch_visit(struct sinkhole_store *store,
                                                enum sinkhole_call again, const char *feed,
                                                sinkhole_batch_fn visit, void *arg)
{
    enum sinkhole_store_status status;
    redisReply *reply;

    status = sinkhole_store_call(store, again, &reply, "HGETALL " SINKHOLE_REDIS_BATCHES);
    if (status != SINKHOLE_STORE_OK)
        return status;
    status = visit_batches(store, reply, feed, visit, arg);
    freeReplyObject(reply);
    return status;
}

enum sinkhole_store_status sinkhole_batch_list(struct sinkhole_store *store, const char *feed,
                                               sinkhole_batch_fn visit, void *arg)
{
    sinkhole_store_begin(store, "list the rules%s%.40s", feed == NULL ? "" : " of feed ",
                         feed == NULL ? "" : feed);
    return sinkhole_batch_visit(store, SINKHOLE_CALL_AGAIN, feed, visit, arg);
}
