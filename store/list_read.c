/* SPDX-License-Identifier: BSD-3-Clause */
/* The list as its readers see it: head, all lines, one key. Threads and memory: blocklist.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/list_view.h"
#include "store/number.h"

enum sinkhole_store_status sinkhole_list_head_get(struct sinkhole_store *store,
                                                  struct sinkhole_list_head *ret_head)
{
    enum sinkhole_store_status status;
    struct sinkhole_list_root root;

    sinkhole_store_begin(store, "read the list's head");
    status = sinkhole_list_root_read(store, SINKHOLE_CALL_AGAIN, &root);
    if (status == SINKHOLE_STORE_OK)
        *ret_head = root.head;
    return status;
}

/* --- all lines --- */

struct gather {
    struct sinkhole_store *store;
    sinkhole_line_fn visit;
    void *arg;
    bool stopped; /* by the visitor */
    size_t key_len, count;
    uint32_t ids[SINKHOLE_INDEX_ENTRIES_MAX];
    char key[SINKHOLE_KEY_MAX + 1];
};

static bool hand_over(struct gather *gather)
{
    if (gather->count > 0)
        gather->stopped =
            !gather->visit(gather->arg, gather->key, gather->key_len, gather->ids, gather->count);
    gather->count = 0;
    return !gather->stopped;
}

static enum sinkhole_store_status gather_line(void *arg, const char *key, size_t key_len,
                                              uint32_t id)
{
    struct gather *gather = arg;

    if (gather->count == 0 || key_len != gather->key_len ||
        memcmp(key, gather->key, key_len) != 0) {
        if (!hand_over(gather))
            return SINKHOLE_STORE_ABSENT; /* ends the stream; `stopped` tells why */
        memcpy(gather->key, key, key_len);
        gather->key[key_len] = '\0';
        gather->key_len = key_len;
    }
    if (gather->count == SINKHOLE_INDEX_ENTRIES_MAX)
        return sinkhole_store_fail(gather->store, SINKHOLE_STORE_DAMAGED,
                                   "\"%s\" has more than %d entries", gather->key,
                                   SINKHOLE_INDEX_ENTRIES_MAX);
    gather->ids[gather->count++] = id;
    return SINKHOLE_STORE_OK;
}

enum sinkhole_store_status sinkhole_list_read(struct sinkhole_store *store,
                                              struct sinkhole_list_head *ret_head,
                                              sinkhole_line_fn visit, void *arg)
{
    struct gather gather = {.store = store, .visit = visit, .arg = arg};
    enum sinkhole_store_status status;
    struct sinkhole_list_view view;

    sinkhole_store_begin(store, "read the list");
    status = sinkhole_list_view_open(store, true, &view);
    if (status != SINKHOLE_STORE_OK)
        return status;
    status = sinkhole_list_stream(store, &view, NULL, gather_line, &gather);
    if (status == SINKHOLE_STORE_OK)
        hand_over(&gather);
    if (gather.stopped)
        status = SINKHOLE_STORE_OK;
    if (status == SINKHOLE_STORE_OK && ret_head != NULL)
        *ret_head = view.root.head;
    sinkhole_list_view_done(&view);
    return status;
}

/* --- one key --- */

/* Number of the chunk that would hold the key; ABSENT: below the first one. */
static enum sinkhole_store_status seek_chunk(struct sinkhole_store *store,
                                             const struct sinkhole_list_root *root, const char *key,
                                             size_t key_len, uint64_t *ret_n)
{
    char index[SINKHOLE_REDIS_KEY_MAX], from[SINKHOLE_KEY_MAX + 3];
    enum sinkhole_store_status status;
    const redisReply *member;
    redisReply *reply;
    const char *tab;

    snprintf(index, sizeof(index), SINKHOLE_REDIS_CHUNKS_F, root->snapshot_name);
    from[0] = '[';
    memcpy(from + 1, key, key_len);
    memcpy(from + 1 + key_len, "\t\xff", 2);
    status = sinkhole_store_call(store, SINKHOLE_CALL_AGAIN, &reply,
                                 "ZREVRANGEBYLEX %s %b - LIMIT 0 1", index, from, key_len + 3);
    if (status != SINKHOLE_STORE_OK)
        return status;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements == 0) {
        status = SINKHOLE_STORE_ABSENT;
        goto out;
    }
    member = reply->element[0];
    tab = memchr(member->str, '\t', member->len);
    if (tab == NULL ||
        !sinkhole_number_parse(tab + 1, member->len - (size_t)(tab + 1 - member->str), UINT32_MAX,
                               ret_n))
        status = sinkhole_store_fail(store, SINKHOLE_STORE_DAMAGED, "%s: not a member", index);
out:
    freeReplyObject(reply);
    return status;
}

struct found {
    const char *key;
    size_t key_len, count;
    uint32_t ids[SINKHOLE_INDEX_ENTRIES_MAX];
};

static enum sinkhole_codec_status find_in_chunk(const redisReply *reply, struct found *found)
{
    struct sinkhole_list_decoder *decoder = sinkhole_list_decoder_new();
    enum sinkhole_codec_status codec;
    struct sinkhole_list_line line;
    int order = -1;

    if (decoder == NULL)
        return SINKHOLE_CODEC_NO_MEMORY;
    sinkhole_list_decoder_reset(decoder, SINKHOLE_LIST_CHUNK);
    codec = sinkhole_list_decoder_open(decoder, reply->str, reply->len);
    while (codec == SINKHOLE_CODEC_OK && order <= 0) {
        codec = sinkhole_list_decoder_next(decoder, &line);
        if (codec != SINKHOLE_CODEC_OK)
            break;
        order =
            sinkhole_list_line_compare(line.text, line.key_len, 0, found->key, found->key_len, 0);
        if (order == 0 && found->count == SINKHOLE_INDEX_ENTRIES_MAX)
            codec = SINKHOLE_CODEC_CONTRADICTION;
        else if (order == 0)
            found->ids[found->count++] = line.id;
    }
    sinkhole_list_decoder_free(decoder);
    return codec == SINKHOLE_CODEC_END ? SINKHOLE_CODEC_OK : codec;
}

static enum sinkhole_store_status find_in_snapshot(struct sinkhole_store *store,
                                                   const struct sinkhole_list_root *root,
                                                   struct found *found)
{
    enum sinkhole_codec_status codec = SINKHOLE_CODEC_OK;
    enum sinkhole_store_status status;
    char name[SINKHOLE_REDIS_KEY_MAX];
    redisReply *reply;
    uint64_t n = 0;

    if (root->chunks == 0)
        return SINKHOLE_STORE_OK;
    status = seek_chunk(store, root, found->key, found->key_len, &n);
    if (status == SINKHOLE_STORE_ABSENT)
        return SINKHOLE_STORE_OK;
    if (status != SINKHOLE_STORE_OK)
        return status;
    snprintf(name, sizeof(name), SINKHOLE_REDIS_CHUNK_F, root->snapshot_name, n);
    status = sinkhole_store_call(store, SINKHOLE_CALL_AGAIN, &reply, "GET %s", name);
    if (status != SINKHOLE_STORE_OK)
        return status;
    if (reply->type != REDIS_REPLY_STRING)
        status = sinkhole_store_fail(store, SINKHOLE_STORE_DAMAGED, "%s is gone", name);
    else
        codec = find_in_chunk(reply, found);
    if (codec != SINKHOLE_CODEC_OK)
        status = sinkhole_list_fail(store, codec, name);
    freeReplyObject(reply);
    return status;
}

bool sinkhole_list_apply_net(const struct sinkhole_overlay *net, const char *key, size_t key_len,
                             uint32_t ids[SINKHOLE_INDEX_ENTRIES_MAX], size_t *count)
{
    size_t lines = sinkhole_overlay_count(net);
    struct sinkhole_list_line line;

    for (size_t i = sinkhole_overlay_seek(net, key, key_len); i < lines; i++) {
        size_t at = 0;

        sinkhole_overlay_line(net, i, &line);
        if (line.key_len != key_len || memcmp(line.text, key, line.key_len) != 0)
            break;
        while (at < *count && ids[at] < line.id)
            at++;
        if (line.remove != (at < *count && ids[at] == line.id))
            return false;
        if (!line.remove && *count == SINKHOLE_INDEX_ENTRIES_MAX)
            return false;
        if (line.remove) {
            (*count)--;
            memmove(&ids[at], &ids[at + 1], (*count - at) * sizeof(ids[0]));
        } else {
            memmove(&ids[at + 1], &ids[at], (*count - at) * sizeof(ids[0]));
            ids[at] = line.id;
            (*count)++;
        }
    }
    return true;
}

enum sinkhole_store_status sinkhole_list_find(struct sinkhole_store *store, const char *key,
                                              size_t key_len,
                                              uint32_t ret_ids[SINKHOLE_INDEX_ENTRIES_MAX],
                                              size_t *ret_count)
{
    struct found found = {.key = key, .key_len = key_len};
    enum sinkhole_store_status status;
    struct sinkhole_list_view view;

    sinkhole_store_begin(store, "look a name up in the list");
    if (!sinkhole_list_key_valid(key, key_len))
        return sinkhole_store_fail(store, SINKHOLE_STORE_INVALID, "not a key");
    status = sinkhole_list_view_open(store, true, &view);
    if (status != SINKHOLE_STORE_OK)
        return status;
    status = find_in_snapshot(store, &view.root, &found);
    if (status == SINKHOLE_STORE_OK &&
        !sinkhole_list_apply_net(view.net, key, key_len, found.ids, &found.count))
        status = sinkhole_list_fail(store, SINKHOLE_CODEC_CONTRADICTION, SINKHOLE_REDIS_LOG);
    if (status == SINKHOLE_STORE_OK) {
        memcpy(ret_ids, found.ids, found.count * sizeof(ret_ids[0]));
        *ret_count = found.count;
    }
    sinkhole_list_view_done(&view);
    return status;
}
