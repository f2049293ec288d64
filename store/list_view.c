/* SPDX-License-Identifier: BSD-3-Clause */
/* A proved view of the list at one generation. Threads and memory: see list_view.h. */
#include "store/list_view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW 3         /* chunks asked for and not yet here */
#define LOG_PAGE 64      /* log entries in one reply */
#define MOVED_ATTEMPTS 5 /* the head moved on while its log or chunks were read */

enum sinkhole_store_status sinkhole_list_fail(struct sinkhole_store *store,
                                              enum sinkhole_codec_status status, const char *what)
{
    if (status == SINKHOLE_CODEC_NO_MEMORY)
        return sinkhole_store_no_memory(store);
    return sinkhole_store_fail(store, SINKHOLE_STORE_DAMAGED, "%s: %s", what,
                               sinkhole_codec_status_text(status));
}

/*
 * No head: nothing was ever published, or an operator gave a damaged list up (deleted the head).
 * Then generations go on where the log ends, so that those who follow it notice.
 */
static enum sinkhole_store_status last_generation(struct sinkhole_store *store,
                                                  enum sinkhole_call again,
                                                  struct sinkhole_list_root *root)
{
    enum sinkhole_store_status status;
    struct sinkhole_log_entry entry = {0};
    redisReply *reply;

    status =
        sinkhole_store_call(store, again, &reply, "XREVRANGE " SINKHOLE_REDIS_LOG " + - COUNT 1");
    if (status != SINKHOLE_STORE_OK)
        return status;
    if (reply->elements == 1) {
        const redisReply *id = reply->element[0]->element[0];

        if (sinkhole_log_entry_id(&entry, id->str, id->len) == SINKHOLE_CODEC_OK)
            root->head.generation = root->head.snapshot = entry.generation;
    }
    freeReplyObject(reply);
    return status;
}

enum sinkhole_store_status sinkhole_list_root_read(struct sinkhole_store *store,
                                                   enum sinkhole_call again,
                                                   struct sinkhole_list_root *ret_root)
{
    enum sinkhole_codec_status codec = SINKHOLE_CODEC_OK;
    struct sinkhole_list_root root = {0};
    enum sinkhole_store_status status;
    redisReply *reply;

    status = sinkhole_store_call(store, again, &reply, "HGETALL " SINKHOLE_REDIS_HEAD);
    if (status != SINKHOLE_STORE_OK)
        return status;
    for (size_t i = 0; codec == SINKHOLE_CODEC_OK && i + 1 < reply->elements; i += 2) {
        const redisReply *field = reply->element[i], *value = reply->element[i + 1];

        codec = sinkhole_list_root_set(&root, field->str, field->len, value->str, value->len);
    }
    freeReplyObject(reply);
    if (codec == SINKHOLE_CODEC_OK)
        codec = sinkhole_list_root_check(&root);
    if (codec != SINKHOLE_CODEC_OK)
        return sinkhole_list_fail(store, codec, SINKHOLE_REDIS_HEAD);
    if (root.seen == 0)
        status = last_generation(store, again, &root);
    if (status == SINKHOLE_STORE_OK)
        *ret_root = root;
    return status;
}

static enum sinkhole_store_status read_key(struct sinkhole_store *store,
                                           struct sinkhole_list_view *view)
{
    enum sinkhole_store_status status;
    redisReply *reply;

    status =
        sinkhole_store_call(store, SINKHOLE_CALL_AGAIN, &reply, "GET " SINKHOLE_REDIS_DIGEST_KEY);
    if (status != SINKHOLE_STORE_OK)
        return status;
    view->has_key = reply->type == REDIS_REPLY_STRING && reply->len == sizeof(view->key);
    if (view->has_key)
        memcpy(view->key, reply->str, sizeof(view->key));
    freeReplyObject(reply);
    if (!view->has_key && view->root.seen != 0)
        return sinkhole_store_fail(store, SINKHOLE_STORE_DAMAGED,
                                   SINKHOLE_REDIS_DIGEST_KEY " is gone or not 16 octets; publish "
                                                             "all feeds anew");
    return SINKHOLE_STORE_OK;
}

/* --- the log --- */

struct log_reader {
    struct sinkhole_list_follower follower;
    struct sinkhole_list_decoder *decoder;
    struct sinkhole_overlay *net;
    enum sinkhole_codec_status codec;
    char last_id[48]; /* of the page */
};

static enum sinkhole_codec_status parse_entry(const redisReply *reply,
                                              struct sinkhole_log_entry *ret_entry)
{
    const redisReply *fields;
    enum sinkhole_codec_status codec;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
        reply->element[0]->type != REDIS_REPLY_STRING ||
        reply->element[1]->type != REDIS_REPLY_ARRAY)
        return SINKHOLE_CODEC_FIELD;
    fields = reply->element[1];
    codec = sinkhole_log_entry_id(ret_entry, reply->element[0]->str, reply->element[0]->len);
    for (size_t i = 0; codec == SINKHOLE_CODEC_OK && i + 1 < fields->elements; i += 2)
        codec = sinkhole_log_entry_set(ret_entry, fields->element[i]->str, fields->element[i]->len,
                                       fields->element[i + 1]->str, fields->element[i + 1]->len);
    return codec;
}

/* Takes one page in; its last ID is where the next begins. */
static void follow_page(struct log_reader *reader, const redisReply *reply)
{
    for (size_t i = 0; reader->codec == SINKHOLE_CODEC_OK && i < reply->elements; i++) {
        struct sinkhole_log_entry entry = {0};
        bool whole;

        reader->codec = parse_entry(reply->element[i], &entry);
        if (reader->codec != SINKHOLE_CODEC_OK)
            break;
        snprintf(reader->last_id, sizeof(reader->last_id), "%s",
                 reply->element[i]->element[0]->str);
        reader->codec =
            sinkhole_list_follow(&reader->follower, reader->decoder, &entry, reader->net, &whole);
    }
}

/* Contents of the log from the snapshot to the head's generation, into view->net. */
static enum sinkhole_store_status read_log(struct sinkhole_store *store,
                                           struct sinkhole_list_view *view)
{
    const struct sinkhole_list_head *head = &view->root.head;
    struct log_reader reader = {.net = view->net, .decoder = sinkhole_list_decoder_new()};
    enum sinkhole_store_status status = SINKHOLE_STORE_OK;
    char from[64];
    bool more = true;

    if (reader.decoder == NULL)
        return sinkhole_store_no_memory(store);
    sinkhole_list_follow_start(&reader.follower, &view->root, view->key);
    snprintf(from, sizeof(from), "%llu", (unsigned long long)head->snapshot + 1);
    while (more && reader.codec == SINKHOLE_CODEC_OK &&
           reader.follower.generation < head->generation) {
        redisReply *reply;

        status = sinkhole_store_call(store, SINKHOLE_CALL_AGAIN, &reply,
                                     "XRANGE " SINKHOLE_REDIS_LOG " %s %llu COUNT %d", from,
                                     (unsigned long long)head->generation, LOG_PAGE);
        if (status != SINKHOLE_STORE_OK)
            goto out;
        more = reply->elements == LOG_PAGE;
        follow_page(&reader, reply);
        freeReplyObject(reply);
        snprintf(from, sizeof(from), "(%s", reader.last_id);
    }
    if (reader.codec == SINKHOLE_CODEC_OK && reader.follower.generation != head->generation)
        reader.codec = SINKHOLE_CODEC_GAP;
    if (reader.codec == SINKHOLE_CODEC_OK &&
        (reader.follower.entries != head->entries ||
         memcmp(&reader.follower.digest, head->digest, SINKHOLE_DIGEST_LEN) != 0))
        reader.codec = SINKHOLE_CODEC_CONTRADICTION;
    if (reader.codec == SINKHOLE_CODEC_OK)
        reader.codec = sinkhole_overlay_settle(view->net);
    if (reader.codec != SINKHOLE_CODEC_OK)
        status = sinkhole_list_fail(store, reader.codec, SINKHOLE_REDIS_LOG);
out:
    sinkhole_list_decoder_free(reader.decoder);
    return status;
}

/* --- the view --- */

static enum sinkhole_store_status view_try(struct sinkhole_store *store, bool with_log,
                                           struct sinkhole_list_view *view)
{
    enum sinkhole_store_status status;

    status = sinkhole_list_root_read(store, SINKHOLE_CALL_AGAIN, &view->root);
    if (status == SINKHOLE_STORE_OK)
        status = read_key(store, view);
    if (status == SINKHOLE_STORE_OK && with_log)
        status = read_log(store, view);
    return status;
}

enum sinkhole_store_status sinkhole_list_view_open(struct sinkhole_store *store, bool with_log,
                                                   struct sinkhole_list_view *ret_view)
{
    enum sinkhole_store_status status = SINKHOLE_STORE_OK;
    struct sinkhole_list_view view = {.net = sinkhole_overlay_new(SIZE_MAX / 2)};
    struct sinkhole_list_root now;

    if (view.net == NULL)
        return sinkhole_store_no_memory(store);
    for (unsigned attempt = 1; attempt <= MOVED_ATTEMPTS; attempt++) {
        status = view_try(store, with_log, &view);
        /* Trimmed under our hands? Then the head has moved on. */
        if (status != SINKHOLE_STORE_DAMAGED ||
            sinkhole_list_root_read(store, SINKHOLE_CALL_AGAIN, &now) != SINKHOLE_STORE_OK ||
            strcmp(now.snapshot_name, view.root.snapshot_name) == 0)
            break;
        sinkhole_overlay_clear(view.net);
    }
    if (status != SINKHOLE_STORE_OK) {
        sinkhole_list_view_done(&view);
        return status;
    }
    *ret_view = view;
    return status;
}

void sinkhole_list_view_done(struct sinkhole_list_view *view)
{
    sinkhole_overlay_free(view->net);
    view->net = NULL;
}

/* --- the stream --- */

struct stream {
    struct sinkhole_store *store;
    const struct sinkhole_list_view *view;
    const struct sinkhole_overlay *change;
    sinkhole_list_visit_fn visit;
    void *arg;
    struct sinkhole_list_decoder *decoder;
    struct sinkhole_digest digest; /* of the snapshot's lines so far */
    uint64_t lines;
    size_t at, count; /* in the overlay */
};

static bool from_change(const struct sinkhole_overlay *change,
                        const struct sinkhole_list_line *line)
{
    struct sinkhole_list_line other;
    size_t count = change == NULL ? 0 : sinkhole_overlay_count(change);

    if (change == NULL)
        return false;
    for (size_t i = sinkhole_overlay_seek(change, line->text, line->key_len); i < count; i++) {
        sinkhole_overlay_line(change, i, &other);
        if (other.key_len != line->key_len || memcmp(other.text, line->text, line->key_len) != 0)
            break;
        if (other.id == line->id)
            return true;
    }
    return false;
}

static enum sinkhole_store_status contradiction(const struct stream *stream,
                                                const struct sinkhole_list_line *line)
{
    const char *what = line->remove ? "taken off, but not listed" : "added, but listed already";

    return sinkhole_store_fail(
        stream->store,
        from_change(stream->change, line) ? SINKHOLE_STORE_INVALID : SINKHOLE_STORE_DAMAGED,
        "line \"%.*s\" of rule %u is %s", (int)line->key_len, line->text, line->id, what);
}

/* The overlay's lines below `line` (NULL: all that are left); *ret_covered: it has `line` itself.
 */
static enum sinkhole_store_status
merge_overlay(struct stream *stream, const struct sinkhole_list_line *line, bool *ret_covered)
{
    enum sinkhole_store_status status = SINKHOLE_STORE_OK;
    struct sinkhole_list_line over;

    *ret_covered = false;
    while (status == SINKHOLE_STORE_OK && stream->at < stream->count) {
        int order = -1;

        sinkhole_overlay_line(stream->view->net, stream->at, &over);
        if (line != NULL)
            order = sinkhole_list_line_compare(over.text, over.key_len, over.id, line->text,
                                               line->key_len, line->id);
        if (order > 0)
            break;
        if (over.remove != (order == 0))
            return contradiction(stream, &over);
        stream->at++;
        if (order == 0) {
            *ret_covered = true;
            break;
        }
        status = stream->visit(stream->arg, over.text, over.key_len, over.id);
    }
    return status;
}

static enum sinkhole_store_status stream_chunk(struct stream *stream, const void *data, size_t len,
                                               const char *name)
{
    enum sinkhole_store_status status = SINKHOLE_STORE_OK;
    enum sinkhole_codec_status codec;
    struct sinkhole_list_line line;
    bool covered = false;

    codec = sinkhole_list_decoder_open(stream->decoder, data, len);
    while (codec == SINKHOLE_CODEC_OK && status == SINKHOLE_STORE_OK) {
        codec = sinkhole_list_decoder_next(stream->decoder, &line);
        if (codec != SINKHOLE_CODEC_OK)
            break;
        sinkhole_digest_add(&stream->digest, stream->view->key, line.text, line.text_len);
        stream->lines++;
        if (stream->at < stream->count)
            status = merge_overlay(stream, &line, &covered);
        if (status == SINKHOLE_STORE_OK && !covered)
            status = stream->visit(stream->arg, line.text, line.key_len, line.id);
        covered = false;
    }
    if (codec != SINKHOLE_CODEC_OK && codec != SINKHOLE_CODEC_END)
        return sinkhole_list_fail(stream->store, codec, name);
    return status;
}

static enum sinkhole_store_status ask_chunk(struct stream *stream, uint64_t n)
{
    char name[SINKHOLE_REDIS_KEY_MAX];

    snprintf(name, sizeof(name), SINKHOLE_REDIS_CHUNK_F, stream->view->root.snapshot_name, n);
    return sinkhole_pipe_add(stream->store, "GET %s", name);
}

static enum sinkhole_store_status chunk_gone(struct stream *stream, const char *name)
{
    struct sinkhole_store *store = stream->store;
    struct sinkhole_list_root now;

    sinkhole_pipe_drop(store);
    if (sinkhole_list_root_read(store, SINKHOLE_CALL_AGAIN, &now) == SINKHOLE_STORE_OK &&
        strcmp(now.snapshot_name, stream->view->root.snapshot_name) != 0)
        return sinkhole_store_fail(store, SINKHOLE_STORE_RECONNECT,
                                   "%s expired while it was read: read again", name);
    return sinkhole_store_fail(store, SINKHOLE_STORE_DAMAGED, "%s is gone", name);
}

static enum sinkhole_store_status take_chunk(struct stream *stream, uint64_t n)
{
    char name[SINKHOLE_REDIS_KEY_MAX];
    enum sinkhole_store_status status;
    redisReply *reply;

    snprintf(name, sizeof(name), SINKHOLE_REDIS_CHUNK_F, stream->view->root.snapshot_name, n);
    status = sinkhole_pipe_next(stream->store, &reply);
    if (status != SINKHOLE_STORE_OK)
        return status;
    if (reply->type == REDIS_REPLY_STRING)
        status = stream_chunk(stream, reply->str, reply->len, name);
    else
        status = chunk_gone(stream, name);
    freeReplyObject(reply);
    return status;
}

static enum sinkhole_store_status stream_all(struct stream *stream)
{
    const struct sinkhole_list_root *root = &stream->view->root;
    enum sinkhole_store_status status = SINKHOLE_STORE_OK;
    uint64_t asked = 0;
    bool covered;

    for (uint64_t n = 0; status == SINKHOLE_STORE_OK && n < root->chunks; n++) {
        while (status == SINKHOLE_STORE_OK && asked < root->chunks && asked < n + WINDOW)
            status = ask_chunk(stream, asked++);
        if (status == SINKHOLE_STORE_OK)
            status = take_chunk(stream, n);
    }
    if (status == SINKHOLE_STORE_OK)
        status = merge_overlay(stream, NULL, &covered);
    if (status == SINKHOLE_STORE_OK &&
        (stream->lines != root->snapshot_entries ||
         memcmp(&stream->digest, root->snapshot_digest, SINKHOLE_DIGEST_LEN) != 0))
        status = sinkhole_list_fail(stream->store, SINKHOLE_CODEC_CONTRADICTION,
                                    "snapshot's chunks against the head");
    return status;
}

enum sinkhole_store_status sinkhole_list_stream(struct sinkhole_store *store,
                                                const struct sinkhole_list_view *view,
                                                const struct sinkhole_overlay *change,
                                                sinkhole_list_visit_fn visit, void *arg)
{
    struct stream stream = {
        .store = store,
        .view = view,
        .change = change,
        .visit = visit,
        .arg = arg,
        .decoder = sinkhole_list_decoder_new(),
        .count = sinkhole_overlay_count(view->net),
    };
    enum sinkhole_store_status status;

    if (stream.decoder == NULL)
        return sinkhole_store_no_memory(store);
    sinkhole_list_decoder_reset(stream.decoder, SINKHOLE_LIST_CHUNK);
    status = stream_all(&stream);
    sinkhole_pipe_drop(store);
    sinkhole_list_decoder_free(stream.decoder);
    return status;
}
