/* SPDX-License-Identifier: BSD-3-Clause */
/* What imports kept beside their names. Threads: with the store handle. Memory: one value. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/change.h"
#include "store/list_json.h"

#define OCTETS_MAX ((size_t)128 << 20) /* of one value */

static bool is_import(const char *import)
{
    size_t len = strlen(import);

    return len > 0 && len < sizeof(((struct sinkhole_batch *)NULL)->import) &&
           strspn(import, "0123456789abcdefghijklmnopqrstuvwxyz-") == len;
}

static enum sinkhole_store_status check(struct sinkhole_store *store, const char *feed,
                                        const char *import, size_t len)
{
    if (!sinkhole_feed_name_valid(feed, strlen(feed)))
        return sinkhole_store_fail(store, SINKHOLE_STORE_INVALID, "not a feed's name");
    if (import != NULL && !is_import(import))
        return sinkhole_store_fail(store, SINKHOLE_STORE_INVALID, "not an import's identity");
    if (len > OCTETS_MAX)
        return sinkhole_store_fail(store, SINKHOLE_STORE_INVALID, "%zu octets are too many", len);
    return SINKHOLE_STORE_OK;
}

static void beside_key(const char *feed, char key[SINKHOLE_REDIS_KEY_MAX])
{
    snprintf(key, SINKHOLE_REDIS_KEY_MAX, SINKHOLE_REDIS_BESIDE_F, feed);
}

enum sinkhole_store_status sinkhole_change_beside(struct sinkhole_change *change,
                                                  const char *import, const void *data, size_t len)
{
    enum sinkhole_store_status status;

    sinkhole_store_begin(change->store, "keep what stands beside an import of feed %s",
                         change->feed);
    status = check(change->store, change->feed, import, len);
    if (status != SINKHOLE_STORE_OK)
        return status;
    snprintf(change->import, sizeof(change->import), "%s", import);
    change->beside = (struct sinkhole_value){(void *)(uintptr_t)data, len};
    return status;
}

enum sinkhole_store_status sinkhole_beside_put(struct sinkhole_store *store, const char *feed,
                                               const char *import, const void *data, size_t len)
{
    char key[SINKHOLE_REDIS_KEY_MAX];
    enum sinkhole_store_status status;

    sinkhole_store_begin(store, "keep what stands beside an import of feed %.40s", feed);
    status = check(store, feed, import, len);
    if (status != SINKHOLE_STORE_OK)
        return status;
    beside_key(feed, key);
    return sinkhole_store_call(store, SINKHOLE_CALL_AGAIN, NULL, "HSET %s %s %b", key, import, data,
                               len);
}

static int by_text(const void *a, const void *b)
{
    const redisReply *const *x = a, *const *y = b;

    return strcmp((*x)->str, (*y)->str);
}

enum sinkhole_store_status sinkhole_beside_list(struct sinkhole_store *store, const char *feed,
                                                sinkhole_import_fn visit, void *arg)
{
    char key[SINKHOLE_REDIS_KEY_MAX];
    enum sinkhole_store_status status;
    redisReply *reply;

    sinkhole_store_begin(store, "list what stands beside imports of feed %.40s", feed);
    status = check(store, feed, NULL, 0);
    if (status != SINKHOLE_STORE_OK)
        return status;
    beside_key(feed, key);
    status = sinkhole_store_call(store, SINKHOLE_CALL_AGAIN, &reply, "HKEYS %s", key);
    if (status != SINKHOLE_STORE_OK)
        return status;
    status = sinkhole_store_expect_texts(store, reply, key);
    if (status == SINKHOLE_STORE_OK && reply->elements > 1)
        qsort(reply->element, reply->elements, sizeof(*reply->element), by_text);
    for (size_t i = 0; status == SINKHOLE_STORE_OK && i < reply->elements; i++)
        if (is_import(reply->element[i]->str) && !visit(arg, reply->element[i]->str))
            break;
    freeReplyObject(reply);
    return status;
}

enum sinkhole_store_status sinkhole_beside_get(struct sinkhole_store *store, const char *feed,
                                               const char *import, void **ret_data, size_t *ret_len)
{
    char key[SINKHOLE_REDIS_KEY_MAX];
    enum sinkhole_store_status status;
    redisReply *reply;

    sinkhole_store_begin(store, "read what stands beside an import of feed %.40s", feed);
    status = check(store, feed, import, 0);
    if (status != SINKHOLE_STORE_OK)
        return status;
    beside_key(feed, key);
    status = sinkhole_store_call(store, SINKHOLE_CALL_AGAIN, &reply, "HGET %s %s", key, import);
    if (status != SINKHOLE_STORE_OK)
        return status;
    if (reply->type != REDIS_REPLY_STRING) {
        status = sinkhole_store_fail(store, SINKHOLE_STORE_ABSENT,
                                     "import %s of feed %s kept nothing", import, feed);
    } else if ((*ret_data = malloc(reply->len + 1)) == NULL) {
        status = sinkhole_store_no_memory(store);
    } else {
        memcpy(*ret_data, reply->str, reply->len);
        *ret_len = reply->len;
    }
    freeReplyObject(reply);
    return status;
}
