/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading hits from Redis. Which streams there are, the resolvers' set and each one's shipping hash
 * say; an entry that is none of ours is passed over.
 *
 * Threads and memory: see hits.h.
 */
#include "sinkhole/hits.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sinkhole/journal.h"
#include "store/connection.h"

#define PAGE 1000u
#define STREAMS_MAX 16384u
#define SLACK_MS 3600000 /* within a stream, times may run back by this much (a clock set right) */
#define WAIT_MOST_MS 1000 /* well within the time that a command may take */
#define ROUNDS_BLIND 100u /* while hits keep coming, new streams are looked for every so often */
#define ID_MAX sizeof(((struct sinkhole_stored_hit *)0)->id)

struct hit_stream {
    char resolver[SINKHOLE_RESOLVER_NAME_MAX + 1];
    uint32_t lane;
    char key[SINKHOLE_REDIS_KEY_MAX];
    char id[ID_MAX]; /* read up to here */
};

struct hit_streams {
    struct hit_stream *list;
    size_t count, room;
};

/* --- which streams --------------------------------------------------------------------------- */

static enum sinkhole_store_status streams_add(struct sinkhole_store *store,
                                              struct hit_streams *streams, const char *resolver,
                                              uint32_t lane)
{
    struct hit_stream *stream;

    for (size_t i = 0; i < streams->count; i++)
        if (streams->list[i].lane == lane && strcmp(streams->list[i].resolver, resolver) == 0)
            return SINKHOLE_STORE_OK;
    if (streams->count == streams->room) {
        const size_t room = streams->room == 0 ? 64 : streams->room * 2;

        stream = room > STREAMS_MAX ? NULL : reallocarray(streams->list, room, sizeof(*stream));
        if (stream == NULL)
            return sinkhole_store_no_memory(store);
        streams->list = stream;
        streams->room = room;
    }
    stream = &streams->list[streams->count++];
    *stream = (struct hit_stream){.lane = lane, .id = "0-0"};
    snprintf(stream->resolver, sizeof(stream->resolver), "%s", resolver);
    snprintf(stream->key, sizeof(stream->key), SINKHOLE_REDIS_HITS_F, resolver, lane);
    return SINKHOLE_STORE_OK;
}

/* Adds the lanes of one resolver. */
static enum sinkhole_store_status streams_of(struct sinkhole_store *store,
                                             struct hit_streams *streams, const char *resolver)
{
    char key[SINKHOLE_REDIS_KEY_MAX];
    redisReply *reply = NULL;
    enum sinkhole_store_status status;

    snprintf(key, sizeof(key), SINKHOLE_REDIS_SHIP_F, resolver);
    status = sinkhole_store_call(store, SINKHOLE_CALL_AGAIN, &reply, "HKEYS %s", key);
    if (status != SINKHOLE_STORE_OK)
        return status;
    status = sinkhole_store_expect(store, reply, REDIS_REPLY_ARRAY, key);
    for (size_t i = 0; status == SINKHOLE_STORE_OK && i < reply->elements; i++) {
        const char *field = reply->element[i]->str; /* "lane:identity" */
        char *end = NULL;
        const unsigned long lane = field == NULL ? 0 : strtoul(field, &end, 10);

        if (end != NULL && end != field && *end == ':' && lane < SINKHOLE_LANES_MAX)
            status = streams_add(store, streams, resolver, (uint32_t)lane);
    }
    freeReplyObject(reply);
    return status;
}

/* Adds all streams of `only`, NULL: of every resolver. Those known stay as they are. */
static enum sinkhole_store_status streams_find(struct sinkhole_store *store, const char *only,
                                               struct hit_streams *streams)
{
    redisReply *reply = NULL;
    enum sinkhole_store_status status;

    if (only != NULL)
        return strlen(only) > SINKHOLE_RESOLVER_NAME_MAX
                   ? sinkhole_store_fail(store, SINKHOLE_STORE_INVALID,
                                         "the resolver's name is longer than %d octets",
                                         SINKHOLE_RESOLVER_NAME_MAX)
                   : streams_of(store, streams, only);
    status = sinkhole_store_call(store, SINKHOLE_CALL_AGAIN, &reply, "ZRANGE %s 0 -1",
                                 SINKHOLE_REDIS_RESOLVERS);
    if (status != SINKHOLE_STORE_OK)
        return status;
    status = sinkhole_store_expect(store, reply, REDIS_REPLY_ARRAY, SINKHOLE_REDIS_RESOLVERS);
    for (size_t i = 0; status == SINKHOLE_STORE_OK && i < reply->elements; i++) {
        const redisReply *name = reply->element[i];

        if (name->str != NULL && name->len <= SINKHOLE_RESOLVER_NAME_MAX)
            status = streams_of(store, streams, name->str);
    }
    freeReplyObject(reply);
    return status;
}

/* --- entries --------------------------------------------------------------------------------- */

/* An entry [id, [name, value, ...]]; false: none of ours. */
static bool entry_take(const redisReply *entry, const struct hit_stream *stream,
                       struct sinkhole_stored_hit *ret_stored)
{
    const redisReply *fields;
    bool have = false;
    unsigned long count = 1;

    if (entry->type != REDIS_REPLY_ARRAY || entry->elements != 2 ||
        entry->element[0]->str == NULL || entry->element[0]->len >= ID_MAX)
        return false;
    fields = entry->element[1];
    for (size_t i = 0; fields->type == REDIS_REPLY_ARRAY && i + 1 < fields->elements; i += 2) {
        const redisReply *name = fields->element[i], *value = fields->element[i + 1];

        if (name->str == NULL || value->str == NULL)
            continue;
        if (strcmp(name->str, "h") == 0)
            have = sinkhole_hit_decode((const uint8_t *)value->str, value->len, &ret_stored->hit);
        else if (strcmp(name->str, "n") == 0)
            count = strtoul(value->str, NULL, 10);
    }
    if (!have || count == 0 || count > UINT32_MAX)
        return false;
    ret_stored->hit.count = (uint32_t)count;
    ret_stored->lane = stream->lane;
    memcpy(ret_stored->resolver, stream->resolver, sizeof(ret_stored->resolver));
    memcpy(ret_stored->id, entry->element[0]->str, entry->element[0]->len + 1);
    return true;
}

/* Time of the first entry at or after ms-sequence; INT64_MAX: none is there. */
static enum sinkhole_store_status time_at(struct sinkhole_store *store,
                                          const struct hit_stream *stream, uint64_t ms,
                                          uint64_t sequence, int64_t *ret_time_ms)
{
    struct sinkhole_stored_hit stored;
    redisReply *reply = NULL;
    const enum sinkhole_store_status status =
        sinkhole_store_call(store, SINKHOLE_CALL_AGAIN, &reply,
                            "XRANGE %s %" PRIu64 "-%" PRIu64 " + COUNT 1", stream->key, ms,
                            sequence);

    if (status != SINKHOLE_STORE_OK)
        return status;
    *ret_time_ms = INT64_MAX;
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 1)
        *ret_time_ms = entry_take(reply->element[0], stream, &stored) ? stored.hit.time_ms : 0;
    freeReplyObject(reply);
    return SINKHOLE_STORE_OK;
}

/* Puts the stream's `id` shortly before the first hit of `since_ms`: first by the segment, then
 * within it, both halved until one is left. Times rise within a stream, but for SLACK_MS. */
static enum sinkhole_store_status stream_seek(struct sinkhole_store *store,
                                              struct hit_stream *stream, int64_t since_ms)
{
    const int64_t before_ms = since_ms - SLACK_MS;
    uint64_t low = 0, high = (uint64_t)1 << 44; /* Unix ms of a far year */
    uint64_t segment;
    int64_t time_ms;
    enum sinkhole_store_status status;

    if (since_ms <= SLACK_MS)
        return SINKHOLE_STORE_OK;
    /* The last segment number from which everything on is late enough, less one: it may be in part.
     */
    while (low < high) {
        const uint64_t middle = low + (high - low) / 2;

        status = time_at(store, stream, middle, 0, &time_ms);
        if (status != SINKHOLE_STORE_OK)
            return status;
        if (time_ms < before_ms)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return SINKHOLE_STORE_OK;
    segment = low - 1;
    low = 0;
    high = (uint64_t)1 << 24; /* records of a segment */
    while (low < high) {
        const uint64_t middle = low + (high - low) / 2;

        status = time_at(store, stream, segment, middle, &time_ms);
        if (status != SINKHOLE_STORE_OK)
            return status;
        if (time_ms < before_ms)
            low = middle + 1;
        else
            high = middle;
    }
    snprintf(stream->id, sizeof(stream->id), "%" PRIu64 "-%" PRIu64, segment,
             low == 0 ? 0 : low - 1);
    return SINKHOLE_STORE_OK;
}

/* Reads the stream from `id` on. *ret_stop: `visit` has had enough. */
static enum sinkhole_store_status stream_read(struct sinkhole_store *store,
                                              struct hit_stream *stream,
                                              const struct sinkhole_hit_query *query,
                                              sinkhole_stored_hit_fn visit, void *arg,
                                              bool *ret_stop)
{
    const int64_t until_ms = query->until_ms == 0 ? INT64_MAX : query->until_ms;
    struct sinkhole_stored_hit stored;
    size_t got;

    do {
        redisReply *reply = NULL;
        enum sinkhole_store_status status =
            sinkhole_store_call(store, SINKHOLE_CALL_AGAIN, &reply, "XRANGE %s (%s + COUNT %u",
                                stream->key, stream->id, PAGE);

        if (status == SINKHOLE_STORE_OK)
            status = sinkhole_store_expect(store, reply, REDIS_REPLY_ARRAY, stream->key);
        if (status != SINKHOLE_STORE_OK) {
            freeReplyObject(reply);
            return status;
        }
        got = reply->elements;
        for (size_t i = 0; i < got && !*ret_stop; i++) {
            const redisReply *entry = reply->element[i];

            if (entry->elements == 2 && entry->element[0]->str != NULL)
                snprintf(stream->id, sizeof(stream->id), "%s", entry->element[0]->str);
            if (!entry_take(entry, stream, &stored))
                continue;
            if (stored.hit.time_ms - SLACK_MS > until_ms)
                got = 0; /* beyond the end, slack and all */
            else if (stored.hit.time_ms >= query->since_ms && stored.hit.time_ms < until_ms)
                *ret_stop = !visit(arg, &stored);
        }
        freeReplyObject(reply);
    } while (got == PAGE && !*ret_stop);
    return SINKHOLE_STORE_OK;
}

enum sinkhole_store_status sinkhole_hits_read(struct sinkhole_store *store,
                                              const struct sinkhole_hit_query *query,
                                              sinkhole_stored_hit_fn visit, void *arg)
{
    struct hit_streams streams = {0};
    enum sinkhole_store_status status;
    bool stop = false;

    sinkhole_store_begin(store, "read hits");
    status = streams_find(store, query->resolver, &streams);
    for (size_t i = 0; status == SINKHOLE_STORE_OK && !stop && i < streams.count; i++) {
        status = stream_seek(store, &streams.list[i], query->since_ms);
        if (status == SINKHOLE_STORE_OK)
            status = stream_read(store, &streams.list[i], query, visit, arg, &stop);
    }
    free(streams.list);
    return status;
}

/* --- following
 * --------------------------------------------------------------------------------------- */

/* Puts a stream's `id` at its end. */
static enum sinkhole_store_status stream_to_end(struct sinkhole_store *store,
                                                struct hit_stream *stream)
{
    redisReply *reply = NULL;
    const enum sinkhole_store_status status = sinkhole_store_call(
        store, SINKHOLE_CALL_AGAIN, &reply, "XREVRANGE %s + - COUNT 1", stream->key);

    if (status != SINKHOLE_STORE_OK)
        return status;
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 1 &&
        reply->element[0]->type == REDIS_REPLY_ARRAY && reply->element[0]->elements == 2 &&
        reply->element[0]->element[0]->str != NULL)
        snprintf(stream->id, sizeof(stream->id), "%s", reply->element[0]->element[0]->str);
    freeReplyObject(reply);
    return SINKHOLE_STORE_OK;
}

/* One XREAD over all streams, waiting at most `wait_ms`. NULL reply: nothing came. */
static enum sinkhole_store_status streams_wait(struct sinkhole_store *store,
                                               const struct hit_streams *streams, uint64_t wait_ms,
                                               redisReply **ret_reply)
{
    const size_t fixed = 6;
    const size_t argc = fixed + 2 * streams->count;
    const char **argv = calloc(argc, sizeof(*argv));
    size_t *lens = calloc(argc, sizeof(*lens));
    char wait[24];
    enum sinkhole_store_status status = SINKHOLE_STORE_NO_MEMORY;

    snprintf(wait, sizeof(wait), "%" PRIu64, wait_ms == 0 ? 1 : wait_ms); /* 0 would be for ever */
    if (argv == NULL || lens == NULL) {
        status = sinkhole_store_no_memory(store);
        goto out;
    }
    argv[0] = "XREAD";
    argv[1] = "COUNT";
    argv[2] = "1000";
    argv[3] = "BLOCK";
    argv[4] = wait;
    argv[5] = "STREAMS";
    for (size_t i = 0; i < streams->count; i++) {
        argv[fixed + i] = streams->list[i].key;
        argv[fixed + streams->count + i] = streams->list[i].id;
    }
    for (size_t i = 0; i < argc; i++)
        lens[i] = strlen(argv[i]);
    status =
        sinkhole_store_call_argv(store, SINKHOLE_CALL_AGAIN, ret_reply, (int)argc, argv, lens);
out:
    free(argv);
    free(lens);
    return status;
}

/* Hands over what XREAD brought: [[key, [entry, ...]], ...]. False: `visit` has had enough. */
static bool streams_deliver(struct hit_streams *streams, const redisReply *reply,
                            sinkhole_stored_hit_fn visit, void *arg)
{
    struct sinkhole_stored_hit stored;

    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements; i++) {
        const redisReply *one = reply->element[i];
        struct hit_stream *stream = NULL;

        for (size_t k = 0; k < streams->count && one->elements == 2; k++)
            if (one->element[0]->str != NULL &&
                strcmp(one->element[0]->str, streams->list[k].key) == 0)
                stream = &streams->list[k];
        for (size_t k = 0; stream != NULL && k < one->element[1]->elements; k++) {
            const redisReply *entry = one->element[1]->element[k];

            if (entry->elements == 2 && entry->element[0]->str != NULL)
                snprintf(stream->id, sizeof(stream->id), "%s", entry->element[0]->str);
            if (entry_take(entry, stream, &stored) && !visit(arg, &stored))
                return false;
        }
    }
    return true;
}

enum sinkhole_store_status sinkhole_hits_follow(struct sinkhole_store *store, uint64_t poll_ms,
                                                sinkhole_stored_hit_fn visit, void *arg)
{
    struct hit_streams streams = {0};
    enum sinkhole_store_status status;
    bool more = true;

    if (poll_ms > WAIT_MOST_MS)
        poll_ms = WAIT_MOST_MS;
    sinkhole_store_begin(store, "follow hits");
    status = streams_find(store, NULL, &streams);
    for (size_t i = 0; status == SINKHOLE_STORE_OK && i < streams.count; i++)
        status = stream_to_end(store, &streams.list[i]);
    for (unsigned round = 1; status == SINKHOLE_STORE_OK && more; round++) {
        redisReply *reply = NULL;
        bool quiet;

        if (streams.count == 0)
            sinkhole_store_back_off(1);
        else
            status = streams_wait(store, &streams, poll_ms, &reply);
        if (status != SINKHOLE_STORE_OK)
            break;
        quiet = reply == NULL || reply->type != REDIS_REPLY_ARRAY;
        more = quiet ? visit(arg, NULL) : streams_deliver(&streams, reply, visit, arg);
        if (more && (quiet || round % ROUNDS_BLIND == 0)) /* new ones: read from their beginning */
            status = streams_find(store, NULL, &streams);
        freeReplyObject(reply);
    }
    free(streams.list);
    return status;
}
