/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Does a small change fit the list? Looks at the chunks that its lines would stand in.
 * Threads: with the store handle. Memory: the index of the chunks, one chunk, the log's net change.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/change.h"

#define CHUNKS_MAX 8 /* read for it; a change that touches more is its maker's word */

struct place {    /* where a line of the change stands, or would */
    size_t chunk; /* from 1; 0: below the first one */
    bool there;
};

struct verify {
    struct sinkhole_store *store;
    const struct sinkhole_list_view *view;
    const struct sinkhole_overlay *lines;
    struct place *places; /* one a line */
    size_t count;
};

/* How many of the index's first keys are at or below the key. */
static size_t chunk_of(const redisReply *index, const struct sinkhole_list_line *line)
{
    size_t low = 0, high = index->elements;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const redisReply *first = index->element[middle];
        const char *tab = memchr(first->str, '\t', first->len);
        size_t len = tab == NULL ? first->len : (size_t)(tab - first->str);

        if (sinkhole_list_line_compare(first->str, len, 0, line->text, line->key_len, 0) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Places every line; *ret_chunks: how many chunks have one. */
static enum sinkhole_store_status place_lines(struct verify *verify, size_t *ret_chunks)
{
    enum sinkhole_store_status status;
    struct sinkhole_list_line line;
    char key[SINKHOLE_REDIS_KEY_MAX];
    size_t chunks = 0, last = 0;
    redisReply *index;

    snprintf(key, sizeof(key), SINKHOLE_REDIS_CHUNKS_F, verify->view->root.snapshot_name);
    status = sinkhole_store_call(verify->store, SINKHOLE_CALL_AGAIN, &index, "ZRANGE %s 0 -1", key);
    if (status != SINKHOLE_STORE_OK)
        return status;
    if (index->elements != verify->view->root.chunks)
        status = sinkhole_store_fail(verify->store, SINKHOLE_STORE_DAMAGED,
                                     "%s does not name every chunk", key);
    for (size_t i = 0; status == SINKHOLE_STORE_OK && i < verify->count; i++) {
        sinkhole_overlay_line(verify->lines, i, &line);
        verify->places[i].chunk = chunk_of(index, &line);
        chunks += verify->places[i].chunk != last;
        last = verify->places[i].chunk;
    }
    freeReplyObject(index);
    *ret_chunks = chunks;
    return status;
}

/* Marks those of lines [from, to) that the chunk has. */
static enum sinkhole_codec_status mark(struct verify *verify, const redisReply *chunk, size_t from,
                                       size_t to)
{
    struct sinkhole_list_decoder *decoder = sinkhole_list_decoder_new();
    struct sinkhole_list_line have, want;
    enum sinkhole_codec_status codec;

    if (decoder == NULL)
        return SINKHOLE_CODEC_NO_MEMORY;
    sinkhole_list_decoder_reset(decoder, SINKHOLE_LIST_CHUNK);
    codec = sinkhole_list_decoder_open(decoder, chunk->str, chunk->len);
    while (codec == SINKHOLE_CODEC_OK && from < to) {
        int order = -1;

        codec = sinkhole_list_decoder_next(decoder, &have);
        for (; codec == SINKHOLE_CODEC_OK && from < to && order < 0; from += order <= 0) {
            sinkhole_overlay_line(verify->lines, from, &want);
            order = sinkhole_list_line_compare(want.text, want.key_len, want.id, have.text,
                                               have.key_len, have.id);
            if (order == 0)
                verify->places[from].there = true;
        }
    }
    sinkhole_list_decoder_free(decoder);
    return codec == SINKHOLE_CODEC_END ? SINKHOLE_CODEC_OK : codec;
}

static enum sinkhole_store_status mark_chunk(struct verify *verify, size_t from, size_t to)
{
    struct sinkhole_store *store = verify->store;
    enum sinkhole_codec_status codec = SINKHOLE_CODEC_OK;
    enum sinkhole_store_status status;
    char key[SINKHOLE_REDIS_KEY_MAX];
    redisReply *reply;

    snprintf(key, sizeof(key), SINKHOLE_REDIS_CHUNK_F, verify->view->root.snapshot_name,
             (uint64_t)verify->places[from].chunk - 1);
    status = sinkhole_store_call(store, SINKHOLE_CALL_AGAIN, &reply, "GET %s", key);
    if (status != SINKHOLE_STORE_OK)
        return status;
    if (reply->type != REDIS_REPLY_STRING)
        status = sinkhole_store_fail(store, SINKHOLE_STORE_DAMAGED, "%s is gone", key);
    else
        codec = mark(verify, reply, from, to);
    freeReplyObject(reply);
    return codec == SINKHOLE_CODEC_OK ? status : sinkhole_list_fail(store, codec, key);
}

static enum sinkhole_store_status mark_all(struct verify *verify)
{
    enum sinkhole_store_status status = SINKHOLE_STORE_OK;
    size_t end;

    for (size_t i = 0; status == SINKHOLE_STORE_OK && i < verify->count; i = end) {
        for (end = i + 1;
             end < verify->count && verify->places[end].chunk == verify->places[i].chunk; end++)
            ;
        if (verify->places[i].chunk > 0)
            status = mark_chunk(verify, i, end);
    }
    return status;
}

/* The log's word comes after the snapshot's. */
static void mark_net(struct verify *verify)
{
    const struct sinkhole_overlay *net = verify->view->net;
    size_t count = sinkhole_overlay_count(net);
    struct sinkhole_list_line want, have;

    for (size_t i = 0; i < verify->count; i++) {
        int order = -1;

        sinkhole_overlay_line(verify->lines, i, &want);
        for (size_t at = sinkhole_overlay_seek(net, want.text, want.key_len);
             at < count && order < 0; at++) {
            sinkhole_overlay_line(net, at, &have);
            order = sinkhole_list_line_compare(have.text, have.key_len, have.id, want.text,
                                               want.key_len, want.id);
            if (order == 0)
                verify->places[i].there = !have.remove;
        }
    }
}

static enum sinkhole_store_status judge(const struct verify *verify)
{
    struct sinkhole_list_line line;

    for (size_t i = 0; i < verify->count; i++) {
        sinkhole_overlay_line(verify->lines, i, &line);
        if (line.remove != verify->places[i].there)
            return sinkhole_store_fail(
                verify->store, SINKHOLE_STORE_INVALID, "line \"%.*s\" of rule %u is %s",
                (int)line.key_len, line.text, line.id,
                line.remove ? "taken off, but not listed" : "added, but listed already");
    }
    return SINKHOLE_STORE_OK;
}

/* Places are known: reads chunks and log, and judges. */
static enum sinkhole_store_status look_up(struct verify *verify, uint64_t generation)
{
    enum sinkhole_store_status status;
    struct sinkhole_list_view view;

    status = sinkhole_list_view_open(verify->store, true, &view);
    if (status != SINKHOLE_STORE_OK)
        return status;
    if (view.root.head.generation != generation ||
        strcmp(view.root.snapshot_name, verify->view->root.snapshot_name) != 0) {
        status = sinkhole_store_fail(verify->store, SINKHOLE_STORE_CONFLICT,
                                     "the list has moved meanwhile; look and try again");
        goto out;
    }
    verify->view = &view;
    status = mark_all(verify);
    mark_net(verify);
    if (status == SINKHOLE_STORE_OK)
        status = judge(verify);
out:
    sinkhole_list_view_done(&view);
    return status;
}

enum sinkhole_store_status sinkhole_change_verify(const struct sinkhole_change *change,
                                                  const struct sinkhole_list_view *view)
{
    struct verify verify = {
        .store = change->store,
        .view = view,
        .lines = change->lines,
        .count = sinkhole_overlay_count(change->lines),
    };
    enum sinkhole_store_status status;
    size_t chunks;

    if (verify.count == 0)
        return SINKHOLE_STORE_OK;
    verify.places = calloc(verify.count, sizeof(*verify.places));
    if (verify.places == NULL)
        return sinkhole_store_no_memory(change->store);
    status = place_lines(&verify, &chunks);
    if (status == SINKHOLE_STORE_OK && chunks <= CHUNKS_MAX)
        status = look_up(&verify, change->generation);
    free(verify.places);
    return status;
}
