/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Imports not yet published: pieces of at most 8 MiB, and a hash that names them.
 * Threads: with the store handle. Memory: one piece in flight; get returns the whole.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sinkhole/clock.h"
#include "store/change.h"
#include "store/list_json.h"
#include "store/number.h"

#define PIECE (8u << 20)
#define PIECES_MAX 65536
#define TOKEN_DIGITS SINKHOLE_STAGED_TOKEN_MAX

struct staged {
    char token[TOKEN_DIGITS + 1];
    uint64_t pieces, octets;
    char *json;
};

static void piece_key(const char *feed, const char *token, uint64_t n,
                      char key[SINKHOLE_REDIS_KEY_MAX])
{
    snprintf(key, SINKHOLE_REDIS_KEY_MAX, SINKHOLE_REDIS_PIECE_F, feed, token, n);
}

static enum sinkhole_store_status check_feed(struct sinkhole_store *store, const char *feed)
{
    if (sinkhole_feed_name_valid(feed, strlen(feed)))
        return SINKHOLE_STORE_OK;
    return sinkhole_store_fail(store, SINKHOLE_STORE_INVALID, "not a feed's name");
}

static bool take_field(struct staged *staged, const redisReply *field, const redisReply *value)
{
    if (strcmp(field->str, "token") == 0) {
        if (value->len != TOKEN_DIGITS)
            return false;
        memcpy(staged->token, value->str, TOKEN_DIGITS);
    } else if (strcmp(field->str, "pieces") == 0) {
        return sinkhole_number_parse(value->str, value->len, PIECES_MAX, &staged->pieces);
    } else if (strcmp(field->str, "octets") == 0) {
        return sinkhole_number_parse(value->str, value->len, INT64_MAX, &staged->octets);
    } else if (strcmp(field->str, "json") == 0 && staged->json == NULL) {
        staged->json = strdup(value->str);
        return staged->json != NULL;
    }
    return true;
}

/* staged->json is to be freed when OK. */
static enum sinkhole_store_status read_staged(struct sinkhole_store *store,
                                              enum sinkhole_call again, const char *feed,
                                              struct staged *ret_staged)
{
    struct staged staged = {0};
    enum sinkhole_store_status status;
    char key[SINKHOLE_REDIS_KEY_MAX];
    redisReply *reply;
    bool good = true;

    snprintf(key, sizeof(key), SINKHOLE_REDIS_STAGED_F, feed);
    status = sinkhole_store_call(store, again, &reply, "HGETALL %s", key);
    if (status != SINKHOLE_STORE_OK)
        return status;
    if (reply->elements == 0)
        status = sinkhole_store_fail(store, SINKHOLE_STORE_ABSENT,
                                     "nothing is staged for feed %s: import first", feed);
    for (size_t i = 0; good && i + 1 < reply->elements; i += 2)
        good = take_field(&staged, reply->element[i], reply->element[i + 1]);
    freeReplyObject(reply);
    if (status == SINKHOLE_STORE_OK && (!good || staged.json == NULL || staged.token[0] == '\0'))
        status = sinkhole_store_fail(store, SINKHOLE_STORE_DAMAGED, "%s is not whole", key);
    if (status == SINKHOLE_STORE_OK)
        *ret_staged = staged;
    else
        free(staged.json);
    return status;
}

enum sinkhole_store_status sinkhole_staged_look(struct sinkhole_store *store,
                                                enum sinkhole_call again, const char *feed,
                                                char ret_token[SINKHOLE_STAGED_TOKEN_MAX + 1],
                                                uint64_t *ret_pieces)
{
    struct staged staged = {0};
    enum sinkhole_store_status status = read_staged(store, again, feed, &staged);

    memcpy(ret_token, staged.token, sizeof(staged.token));
    *ret_pieces = staged.pieces;
    free(staged.json);
    return status == SINKHOLE_STORE_ABSENT || status == SINKHOLE_STORE_DAMAGED ? SINKHOLE_STORE_OK
                                                                               : status;
}

/* --- put --- */

static enum sinkhole_store_status put_pieces(struct sinkhole_store *store, const char *feed,
                                             const struct staged *staged, const char *data)
{
    enum sinkhole_store_status status = SINKHOLE_STORE_OK;
    char key[SINKHOLE_REDIS_KEY_MAX];

    for (uint64_t n = 0; status == SINKHOLE_STORE_OK && n < staged->pieces; n++) {
        uint64_t left = staged->octets - n * PIECE;

        piece_key(feed, staged->token, n, key);
        status = sinkhole_store_call(store, SINKHOLE_CALL_AGAIN, NULL, "SET %s %b EX %d", key,
                                     data + n * PIECE, (size_t)(left < PIECE ? left : PIECE),
                                     SINKHOLE_REDIS_STAGED_S);
    }
    return status;
}

/* The hash turned to the new pieces, the old ones gone, in one EXEC. */
static enum sinkhole_store_status put_hash(struct sinkhole_store *store, const char *feed,
                                           const struct staged *staged, const char *json,
                                           const struct staged *old)
{
    char key[SINKHOLE_REDIS_KEY_MAX], piece[SINKHOLE_REDIS_KEY_MAX];
    enum sinkhole_store_status status;
    bool unknown;

    snprintf(key, sizeof(key), SINKHOLE_REDIS_STAGED_F, feed);
    status = sinkhole_pipe_add(store, "MULTI");
    if (status == SINKHOLE_STORE_OK)
        status = sinkhole_pipe_add(
            store, "HSET %s token %s pieces %llu octets %llu staged_ms %lld json %s", key,
            staged->token, (unsigned long long)staged->pieces, (unsigned long long)staged->octets,
            (long long)sinkhole_now_ms(), json);
    if (status == SINKHOLE_STORE_OK)
        status = sinkhole_pipe_add(store, "EXPIRE %s %d", key, SINKHOLE_REDIS_STAGED_S);
    for (uint64_t n = 0; status == SINKHOLE_STORE_OK && n < old->pieces; n++) {
        piece_key(feed, old->token, n, piece);
        status = sinkhole_pipe_add(store, "UNLINK %s", piece);
    }
    if (status == SINKHOLE_STORE_OK)
        status = sinkhole_pipe_exec(store, NULL, &unknown);
    return status;
}

enum sinkhole_store_status sinkhole_staged_put(struct sinkhole_store *store, const char *feed,
                                               const char *json, const void *data, size_t len)
{
    struct staged staged = {.pieces = (len + PIECE - 1) / PIECE, .octets = len}, old = {0};
    enum sinkhole_store_status status;

    sinkhole_store_begin(store, "stage an import of feed %.40s", feed);
    status = check_feed(store, feed);
    if (status != SINKHOLE_STORE_OK)
        return status;
    if (!sinkhole_random_hex(staged.token, TOKEN_DIGITS))
        return sinkhole_store_fail(store, SINKHOLE_STORE_NO_MEMORY, "no random octets");
    status = read_staged(store, SINKHOLE_CALL_AGAIN, feed, &old);
    /* A damaged one is replaced too. */
    if (status == SINKHOLE_STORE_OK || status == SINKHOLE_STORE_ABSENT ||
        status == SINKHOLE_STORE_DAMAGED)
        status = put_pieces(store, feed, &staged, data);
    if (status == SINKHOLE_STORE_OK)
        status = put_hash(store, feed, &staged, json, &old);
    free(old.json);
    return status;
}

/* --- get --- */

static enum sinkhole_store_status get_pieces(struct sinkhole_store *store, const char *feed,
                                             const struct staged *staged, char *data)
{
    enum sinkhole_store_status status = SINKHOLE_STORE_OK;
    char key[SINKHOLE_REDIS_KEY_MAX];
    size_t at = 0, total = (size_t)staged->octets;

    for (uint64_t n = 0; status == SINKHOLE_STORE_OK && n < staged->pieces; n++) {
        redisReply *reply;

        piece_key(feed, staged->token, n, key);
        status = sinkhole_store_call(store, SINKHOLE_CALL_AGAIN, &reply, "GET %s", key);
        if (status != SINKHOLE_STORE_OK)
            return status;
        if (reply->type != REDIS_REPLY_STRING || reply->len > total - at)
            status = sinkhole_store_fail(store, SINKHOLE_STORE_DAMAGED,
                                         "%s is gone or too long: import again", key);
        else
            memcpy(data + at, reply->str, reply->len);
        at += status == SINKHOLE_STORE_OK ? reply->len : 0;
        freeReplyObject(reply);
    }
    if (status == SINKHOLE_STORE_OK && at != total)
        status = sinkhole_store_fail(store, SINKHOLE_STORE_DAMAGED,
                                     "what is staged for feed %s is not whole: import again", feed);
    return status;
}

enum sinkhole_store_status sinkhole_staged_get(struct sinkhole_store *store, const char *feed,
                                               size_t max_len, char **ret_json, void **ret_data,
                                               size_t *ret_len)
{
    struct staged staged = {0};
    enum sinkhole_store_status status;
    char *data = NULL;

    sinkhole_store_begin(store, "read what is staged for feed %.40s", feed);
    status = check_feed(store, feed);
    if (status == SINKHOLE_STORE_OK)
        status = read_staged(store, SINKHOLE_CALL_AGAIN, feed, &staged);
    if (status != SINKHOLE_STORE_OK)
        return status;
    if (staged.octets > max_len)
        status = sinkhole_store_fail(store, SINKHOLE_STORE_INVALID,
                                     "%" PRIu64 " octets are staged, more than %zu", staged.octets,
                                     max_len);
    else if ((data = malloc((size_t)staged.octets + 1)) == NULL)
        status = sinkhole_store_no_memory(store);
    else
        status = get_pieces(store, feed, &staged, data);
    if (status != SINKHOLE_STORE_OK) {
        free(staged.json);
        free(data);
        return status;
    }
    *ret_json = staged.json;
    *ret_data = data;
    *ret_len = (size_t)staged.octets;
    return status;
}

enum sinkhole_store_status sinkhole_staged_drop(struct sinkhole_store *store, const char *feed)
{
    struct staged staged = {0};
    enum sinkhole_store_status status;
    char key[SINKHOLE_REDIS_KEY_MAX];

    sinkhole_store_begin(store, "drop what is staged for feed %.40s", feed);
    status = check_feed(store, feed);
    if (status == SINKHOLE_STORE_OK)
        status = read_staged(store, SINKHOLE_CALL_AGAIN, feed, &staged);
    if (status == SINKHOLE_STORE_DAMAGED)
        status = SINKHOLE_STORE_OK;
    for (uint64_t n = 0; status == SINKHOLE_STORE_OK && n < staged.pieces; n++) {
        piece_key(feed, staged.token, n, key);
        status = sinkhole_store_call(store, SINKHOLE_CALL_AGAIN, NULL, "UNLINK %s", key);
    }
    snprintf(key, sizeof(key), SINKHOLE_REDIS_STAGED_F, feed);
    if (status == SINKHOLE_STORE_OK)
        status = sinkhole_store_call(store, SINKHOLE_CALL_AGAIN, NULL, "UNLINK %s", key);
    free(staged.json);
    return status;
}
