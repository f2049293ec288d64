/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Many keys looked up at one generation: the chunks that would hold them are read once each, in
 * order, and the log once. Threads and memory: blocklist.h; one chunk, and the chunks' first keys.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/list_view.h"
#include "store/number.h"

struct look {
    struct sinkhole_store *store;
    const struct sinkhole_list_view *view;
    redisReply *index; /* "first key TAB n", ascending */
    size_t chunk;      /* of the index, 1 past the one that is open; 0: none */
    redisReply *open;
    struct sinkhole_list_decoder *decoder;
    struct sinkhole_list_line line; /* the decoder's last */
    bool has_line;
};

static enum sinkhole_store_status read_index(struct look *look)
{
    const struct sinkhole_list_root *root = &look->view->root;
    enum sinkhole_store_status status;

    status = sinkhole_store_call(look->store, SINKHOLE_CALL_AGAIN, &look->index,
                                 "ZRANGE sinkhole:{bl}:chunks:%s 0 -1", root->snapshot_name);
    if (status == SINKHOLE_STORE_OK &&
        (look->index->type != REDIS_REPLY_ARRAY || look->index->elements != root->chunks))
        status = sinkhole_store_fail(look->store, SINKHOLE_STORE_RECONNECT,
                                     "the chunks of snapshot %s are gone", root->snapshot_name);
    return status;
}

/* Is the member's first key at or below the key? */
static bool begins_by(const redisReply *member, const char *key, size_t key_len)
{
    const char *tab = memchr(member->str, '\t', member->len);
    size_t len = tab == NULL ? member->len : (size_t)(tab - member->str);
    int order = memcmp(member->str, key, len < key_len ? len : key_len);

    return order < 0 || (order == 0 && len <= key_len);
}

static enum sinkhole_store_status next_line(struct look *look)
{
    enum sinkhole_codec_status codec = sinkhole_list_decoder_next(look->decoder, &look->line);

    look->has_line = codec == SINKHOLE_CODEC_OK;
    if (codec == SINKHOLE_CODEC_OK || codec == SINKHOLE_CODEC_END)
        return SINKHOLE_STORE_OK;
    return sinkhole_list_fail(look->store, codec, look->view->root.snapshot_name);
}

static enum sinkhole_store_status open_chunk(struct look *look, size_t chunk)
{
    const redisReply *member = look->index->element[chunk - 1];
    const char *tab = memchr(member->str, '\t', member->len);
    enum sinkhole_codec_status codec;
    enum sinkhole_store_status status;
    char name[SINKHOLE_REDIS_KEY_MAX];
    uint64_t n;

    if (tab == NULL || !sinkhole_number_parse(
                           tab + 1, member->len - (size_t)(tab + 1 - member->str), UINT32_MAX, &n))
        return sinkhole_store_fail(look->store, SINKHOLE_STORE_DAMAGED,
                                   "the index of snapshot %s has no number at %zu",
                                   look->view->root.snapshot_name, chunk);
    snprintf(name, sizeof(name), SINKHOLE_REDIS_CHUNK_F, look->view->root.snapshot_name, n);
    freeReplyObject(look->open);
    look->open = NULL;
    status = sinkhole_store_call(look->store, SINKHOLE_CALL_AGAIN, &look->open, "GET %s", name);
    if (status != SINKHOLE_STORE_OK)
        return status;
    if (look->open->type != REDIS_REPLY_STRING)
        return sinkhole_store_fail(look->store, SINKHOLE_STORE_RECONNECT, "%s is gone", name);
    look->chunk = chunk;
    sinkhole_list_decoder_reset(look->decoder, SINKHOLE_LIST_CHUNK);
    codec = sinkhole_list_decoder_open(look->decoder, look->open->str, look->open->len);
    if (codec != SINKHOLE_CODEC_OK)
        return sinkhole_list_fail(look->store, codec, name);
    return next_line(look);
}

/* The snapshot's ids of a key that is not below the last one asked for. */
static enum sinkhole_store_status find_in_snapshot(struct look *look, const char *key,
                                                   size_t key_len,
                                                   uint32_t ids[SINKHOLE_INDEX_ENTRIES_MAX],
                                                   size_t *count)
{
    enum sinkhole_store_status status = SINKHOLE_STORE_OK;
    size_t chunk = look->chunk;
    int order = -1;

    while (chunk < look->view->root.chunks && begins_by(look->index->element[chunk], key, key_len))
        chunk++;
    if (chunk != look->chunk)
        status = open_chunk(look, chunk);
    while (status == SINKHOLE_STORE_OK && look->has_line) {
        order = sinkhole_list_line_compare(look->line.text, look->line.key_len, 0, key, key_len, 0);
        if (order > 0)
            break;
        if (order == 0 && *count == SINKHOLE_INDEX_ENTRIES_MAX)
            return sinkhole_list_fail(look->store, SINKHOLE_CODEC_CONTRADICTION, key);
        if (order == 0)
            ids[(*count)++] = look->line.id;
        status = next_line(look);
    }
    return status;
}

enum sinkhole_store_status sinkhole_list_find_many(struct sinkhole_store *store, size_t keys,
                                                   sinkhole_key_fn key_at, void *key_arg,
                                                   struct sinkhole_list_head *ret_head,
                                                   sinkhole_line_fn visit, void *arg)
{
    struct look look = {.store = store, .decoder = sinkhole_list_decoder_new()};
    struct sinkhole_list_view view = {0};
    enum sinkhole_store_status status;

    sinkhole_store_begin(store, "look names up in the list");
    if (look.decoder == NULL)
        return sinkhole_store_fail(store, SINKHOLE_STORE_NO_MEMORY, "no memory");
    status = sinkhole_list_view_open(store, true, &view);
    if (status != SINKHOLE_STORE_OK)
        goto out;
    look.view = &view;
    if (view.root.chunks > 0)
        status = read_index(&look);
    for (size_t i = 0; status == SINKHOLE_STORE_OK && i < keys; i++) {
        uint32_t ids[SINKHOLE_INDEX_ENTRIES_MAX];
        size_t key_len, count = 0;
        const char *key = key_at(key_arg, i, &key_len);

        if (view.root.chunks > 0)
            status = find_in_snapshot(&look, key, key_len, ids, &count);
        if (status == SINKHOLE_STORE_OK &&
            !sinkhole_list_apply_net(view.net, key, key_len, ids, &count))
            status = sinkhole_list_fail(store, SINKHOLE_CODEC_CONTRADICTION, SINKHOLE_REDIS_LOG);
        if (status == SINKHOLE_STORE_OK && count > 0 && !visit(arg, key, key_len, ids, count))
            break;
    }
    if (status == SINKHOLE_STORE_OK && ret_head != NULL)
        *ret_head = view.root.head;
    sinkhole_list_view_done(&view);
out:
    freeReplyObject(look.open);
    freeReplyObject(look.index);
    sinkhole_list_decoder_free(look.decoder);
    return status;
}
