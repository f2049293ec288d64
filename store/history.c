/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A feed's last publications, and how to undo them: the newest first, each by its record.
 * Threads: with the store handle. Memory: the lines to undo.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/change.h"
#include "store/list_json.h"
#include "store/number.h"

/* --- history --- */

static int newest_first(const void *a, const void *b)
{
    uint64_t x = ((const struct sinkhole_publication *)a)->generation;
    uint64_t y = ((const struct sinkhole_publication *)b)->generation;

    return (x < y) - (x > y);
}

/* To be freed; sorted, newest first. */
static enum sinkhole_store_status read_history(struct sinkhole_store *store, const char *feed,
                                               struct sinkhole_publication **ret_items,
                                               size_t *ret_count)
{
    struct sinkhole_publication *items = NULL;
    enum sinkhole_store_status status;
    char key[SINKHOLE_REDIS_KEY_MAX];
    redisReply *reply;
    size_t count;

    if (!sinkhole_feed_name_valid(feed, strlen(feed)))
        return sinkhole_store_fail(store, SINKHOLE_STORE_INVALID, "not a feed's name");
    snprintf(key, sizeof(key), SINKHOLE_REDIS_HISTORY_F, feed);
    status = sinkhole_store_call(store, SINKHOLE_CALL_AGAIN, &reply, "HGETALL %s", key);
    if (status != SINKHOLE_STORE_OK)
        return status;
    count = reply->elements / 2;
    items = calloc(count + 1, sizeof(*items));
    if (items == NULL)
        status = sinkhole_store_no_memory(store);
    for (size_t i = 0; status == SINKHOLE_STORE_OK && i < count; i++) {
        const redisReply *field = reply->element[2 * i], *json = reply->element[2 * i + 1];

        if (!sinkhole_publication_from_json(field->str, field->len, json->str, json->len,
                                            &items[i]))
            status = sinkhole_store_fail(store, SINKHOLE_STORE_DAMAGED, "%s: not our JSON", key);
    }
    freeReplyObject(reply);
    if (status != SINKHOLE_STORE_OK) {
        free(items);
        return status;
    }
    qsort(items, count, sizeof(*items), newest_first);
    *ret_items = items;
    *ret_count = count;
    return status;
}

enum sinkhole_store_status sinkhole_feed_history(struct sinkhole_store *store, const char *feed,
                                                 sinkhole_publication_fn visit, void *arg)
{
    struct sinkhole_publication *items;
    enum sinkhole_store_status status;
    size_t count;

    sinkhole_store_begin(store, "read the history of feed %.40s", feed);
    status = read_history(store, feed, &items, &count);
    if (status != SINKHOLE_STORE_OK)
        return status;
    for (size_t i = 0; i < count && visit(arg, &items[i]); i++)
        ;
    free(items);
    return status;
}

/* --- undoing --- */

struct undo {
    struct sinkhole_change *change;
    struct sinkhole_list_decoder *decoder;
    struct sinkhole_overlay *lines; /* what undoes, in sequence */
    uint32_t *drop;                 /* rules whose lines all go, ascending once collected */
    size_t drop_count;
    sinkhole_undo_fn keep; /* may be NULL */
    void *arg;
};

static int by_id(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static bool is_dropped(const struct undo *undo, uint32_t id)
{
    return undo->drop_count > 0 &&
           bsearch(&id, undo->drop, undo->drop_count, sizeof(id), by_id) != NULL;
}

/* "1 2 3"; false: not that, or no memory. */
static bool take_drop(struct undo *undo, const char *text, size_t len)
{
    const char *end = text + len;

    while (text < end) {
        const char *space = memchr(text, ' ', (size_t)(end - text));
        size_t digits = space == NULL ? (size_t)(end - text) : (size_t)(space - text);
        uint32_t *drop = realloc(undo->drop, (undo->drop_count + 1) * sizeof(*drop));
        uint64_t id;

        if (drop == NULL)
            return false;
        undo->drop = drop;
        if (!sinkhole_number_parse(text, digits, UINT32_MAX, &id))
            return false;
        drop[undo->drop_count++] = (uint32_t)id;
        text += digits + 1;
    }
    return true;
}

static enum sinkhole_codec_status take_part(struct undo *undo, const void *data, size_t len)
{
    enum sinkhole_codec_status codec = sinkhole_list_decoder_open(undo->decoder, data, len);
    struct sinkhole_list_line line;

    while (codec == SINKHOLE_CODEC_OK) {
        codec = sinkhole_list_decoder_next(undo->decoder, &line);
        if (codec == SINKHOLE_CODEC_OK)
            codec =
                sinkhole_overlay_append(undo->lines, line.text, line.key_len, line.id, line.remove);
    }
    return codec == SINKHOLE_CODEC_END ? SINKHOLE_CODEC_OK : codec;
}

static enum sinkhole_store_status take_record(struct undo *undo, uint64_t generation)
{
    enum sinkhole_codec_status codec = SINKHOLE_CODEC_OK;
    struct sinkhole_store *store = undo->change->store;
    enum sinkhole_store_status status;
    char key[SINKHOLE_REDIS_KEY_MAX];
    bool more = true;
    redisReply *reply;

    snprintf(key, sizeof(key), SINKHOLE_REDIS_UNDO_F, undo->change->feed, generation);
    status = sinkhole_store_call(store, SINKHOLE_CALL_AGAIN, &reply, "HGET %s drop", key);
    if (status != SINKHOLE_STORE_OK)
        return status;
    if (reply->type != REDIS_REPLY_STRING)
        status = sinkhole_store_fail(store, SINKHOLE_STORE_ABSENT, "%s has expired", key);
    else if (!take_drop(undo, reply->str, reply->len))
        codec = SINKHOLE_CODEC_FIELD;
    freeReplyObject(reply);
    sinkhole_list_decoder_reset(undo->decoder, SINKHOLE_LIST_PART);
    for (unsigned n = 0; status == SINKHOLE_STORE_OK && codec == SINKHOLE_CODEC_OK && more; n++) {
        status = sinkhole_store_call(store, SINKHOLE_CALL_AGAIN, &reply, "HGET %s %u", key, n);
        if (status != SINKHOLE_STORE_OK)
            return status;
        more = reply->type == REDIS_REPLY_STRING;
        if (more)
            codec = take_part(undo, reply->str, reply->len);
        freeReplyObject(reply);
    }
    if (codec != SINKHOLE_CODEC_OK)
        status = sinkhole_list_fail(store, codec, key);
    return status;
}

/* Newest first down to `generation`, which must be in the history with all after it. */
static enum sinkhole_store_status take_records(struct undo *undo, uint64_t generation)
{
    struct sinkhole_store *store = undo->change->store;
    struct sinkhole_publication *items;
    enum sinkhole_store_status status;
    size_t count, i;

    status = read_history(store, undo->change->feed, &items, &count);
    if (status != SINKHOLE_STORE_OK)
        return status;
    for (i = 0; i < count && items[i].generation > generation; i++)
        ;
    if (i == count || items[i].generation != generation)
        status = sinkhole_store_fail(store, SINKHOLE_STORE_ABSENT,
                                     "feed %s has no publication %llu in its history",
                                     undo->change->feed, (unsigned long long)generation);
    for (i = 0; status == SINKHOLE_STORE_OK && i < count && items[i].generation >= generation;
         i++) {
        if (!items[i].reversible)
            status = sinkhole_store_fail(store, SINKHOLE_STORE_ABSENT,
                                         "publication %llu was too large to be undone",
                                         (unsigned long long)items[i].generation);
        else
            status = take_record(undo, items[i].generation);
    }
    free(items);
    return status;
}

static enum sinkhole_store_status put_line(struct undo *undo, const char *key, size_t key_len,
                                           uint32_t id, bool remove)
{
    return remove ? sinkhole_change_remove(undo->change, key, key_len, id)
                  : sinkhole_change_add(undo->change, key, key_len, id);
}

static enum sinkhole_store_status drop_line(void *arg, const char *key, size_t key_len, uint32_t id)
{
    struct undo *undo = arg;

    return is_dropped(undo, id) ? put_line(undo, key, key_len, id, true) : SINKHOLE_STORE_OK;
}

/* Every line in force of a dropped rule. */
static enum sinkhole_store_status drop_rules(struct undo *undo)
{
    struct sinkhole_store *store = undo->change->store;
    struct sinkhole_list_view view;
    enum sinkhole_store_status status;

    if (undo->drop_count == 0)
        return SINKHOLE_STORE_OK;
    status = sinkhole_list_view_open(store, true, &view);
    if (status != SINKHOLE_STORE_OK)
        return status;
    if (view.root.head.generation != undo->change->generation)
        status = sinkhole_store_fail(store, SINKHOLE_STORE_CONFLICT,
                                     "another generation has been published meanwhile");
    else
        status = sinkhole_list_stream(store, &view, NULL, drop_line, undo);
    sinkhole_list_view_done(&view);
    return status;
}

static enum sinkhole_store_status fill(struct undo *undo, uint64_t generation)
{
    struct sinkhole_store *store = undo->change->store;
    enum sinkhole_codec_status codec;
    enum sinkhole_store_status status;
    struct sinkhole_list_line line;

    status = take_records(undo, generation);
    if (status != SINKHOLE_STORE_OK)
        return status;
    if (undo->drop_count > 0)
        qsort(undo->drop, undo->drop_count, sizeof(*undo->drop), by_id);
    codec = sinkhole_overlay_settle(undo->lines);
    if (codec != SINKHOLE_CODEC_OK)
        return sinkhole_list_fail(store, codec, "records that undo");
    for (size_t i = 0; i < sinkhole_overlay_count(undo->lines); i++) {
        sinkhole_overlay_line(undo->lines, i, &line);
        if (is_dropped(undo, line.id)) /* its lines did not exist then */
            continue;
        if (line.remove || undo->keep == NULL ||
            undo->keep(undo->arg, line.text, line.key_len, line.id))
            status = put_line(undo, line.text, line.key_len, line.id, line.remove);
        if (status != SINKHOLE_STORE_OK)
            return status;
    }
    return drop_rules(undo);
}

enum sinkhole_store_status sinkhole_change_undo(struct sinkhole_change *change, uint64_t generation,
                                                sinkhole_undo_fn keep, void *arg)
{
    struct undo undo = {
        .change = change,
        .decoder = sinkhole_list_decoder_new(),
        .lines = sinkhole_overlay_new(SIZE_MAX / 2),
        .keep = keep,
        .arg = arg,
    };
    enum sinkhole_store_status status;

    sinkhole_store_begin(change->store, "undo publication %llu of feed %s",
                         (unsigned long long)generation, change->feed);
    if (undo.decoder == NULL || undo.lines == NULL)
        status = sinkhole_store_no_memory(change->store);
    else if (change->added + change->removed > 0)
        status = sinkhole_store_fail(change->store, SINKHOLE_STORE_INVALID,
                                     "the change has lines already");
    else
        status = fill(&undo, generation);
    sinkhole_list_decoder_free(undo.decoder);
    sinkhole_overlay_free(undo.lines);
    free(undo.drop);
    return status;
}
