/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What an import keeps beside its names: one zstd frame of a JSON line (the import, as it was
 * staged) and lines "kind TAB text".
 *
 * Threads: with the store handle. Memory: one import's text, unpacked (at most FEED_BESIDE_MAX).
 */
#include "feeds/beside.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#define LEVEL 9
#define TEXT_MOST (FEED_BESIDE_MAX + (1u << 16))

bool feed_beside_keep(void *arg, const char *line, size_t len)
{
    struct feed_text_store *lines = arg;

    return feed_text_store_add(lines, line, len, FEED_BESIDE_MAX) &&
           feed_text_store_add(lines, "\n", 1, FEED_BESIDE_MAX);
}

static bool compress(const struct feed_text_store *text, void **ret_data, size_t *ret_len)
{
    size_t room = ZSTD_compressBound(text->used), len = 0;
    ZSTD_CCtx *context = ZSTD_createCCtx();
    void *data = malloc(room);
    bool good = context != NULL && data != NULL;

    if (good) {
        ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, LEVEL);
        ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
        len = ZSTD_compress2(context, data, room, text->text, text->used);
        good = !ZSTD_isError(len);
    }
    ZSTD_freeCCtx(context);
    if (!good) {
        free(data);
        return false;
    }
    *ret_data = data;
    *ret_len = len;
    return true;
}

enum sinkhole_feeds_status feed_beside_pack(const struct sinkhole_staged *import,
                                            const struct feed_text_store *lines, void **ret_data,
                                            size_t *ret_len)
{
    char *json = feed_staging_to_json(import);
    struct feed_text_store text = {0};
    bool good;

    *ret_data = NULL;
    *ret_len = 0;
    if (json == NULL)
        return SINKHOLE_FEEDS_INVALID;
    good = feed_text_store_add(&text, json, strlen(json), TEXT_MOST) &&
           feed_text_store_add(&text, "\n", 1, TEXT_MOST) &&
           feed_text_store_add(&text, lines->text, lines->used, TEXT_MOST) &&
           compress(&text, ret_data, ret_len);
    free(text.text);
    free(json);
    return good ? SINKHOLE_FEEDS_OK : SINKHOLE_FEEDS_NO_MEMORY;
}

/* To be freed, terminated. NULL: damaged, or no memory. */
static char *decompress(const void *data, size_t len, size_t *ret_len)
{
    unsigned long long size = ZSTD_getFrameContentSize(data, len);
    char *text;
    size_t got;

    if (size > TEXT_MOST) /* as the two values that are no size are */
        return NULL;
    text = malloc((size_t)size + 1);
    got = text == NULL ? 0 : ZSTD_decompress(text, (size_t)size, data, len);
    if (text == NULL || ZSTD_isError(got) || got != size) {
        free(text);
        return NULL;
    }
    text[got] = '\0';
    *ret_len = got;
    return text;
}

static enum sinkhole_feeds_status unpack(const void *data, size_t len,
                                         sinkhole_beside_import_fn head, sinkhole_beside_fn visit,
                                         void *arg)
{
    struct sinkhole_staged import;
    char *text = decompress(data, len, &len), *end, *at;
    enum sinkhole_feeds_status status = SINKHOLE_FEEDS_DAMAGED;

    if (text == NULL)
        return status;
    at = memchr(text, '\n', len);
    if (at == NULL)
        goto out;
    *at++ = '\0';
    if (!feed_staging_from_json(text, &import))
        goto out;
    status = SINKHOLE_FEEDS_OK;
    if (!head(arg, &import))
        goto out;
    for (; (end = memchr(at, '\n', len - (size_t)(at - text))) != NULL; at = end + 1)
        if (!visit(arg, at, (size_t)(end - at)))
            break;
out:
    free(text);
    return status;
}

struct identities {
    char (*items)[40];
    size_t count;
    bool no_memory;
};

static bool keep_identity(void *arg, const char *import)
{
    struct identities *identities = arg;
    char(*items)[40] =
        realloc(identities->items, (identities->count + 1) * sizeof *identities->items);

    if (items == NULL) {
        identities->no_memory = true;
        return false;
    }
    identities->items = items;
    memset(items[identities->count], 0, sizeof *items);
    strncpy(items[identities->count++], import, sizeof *items - 1);
    return true;
}

static enum sinkhole_feeds_status read_one(const struct sinkhole_feeds *feeds, const char *feed,
                                           const char *import, sinkhole_beside_import_fn head,
                                           sinkhole_beside_fn visit, void *arg,
                                           struct sinkhole_feeds_outcome *outcome)
{
    enum sinkhole_feeds_status status;
    void *data;
    size_t len;

    outcome->store = sinkhole_beside_get(feeds->store, feed, import, &data, &len);
    if (outcome->store == SINKHOLE_STORE_ABSENT)
        return SINKHOLE_FEEDS_ABSENT;
    if (outcome->store != SINKHOLE_STORE_OK)
        return SINKHOLE_FEEDS_STORE;
    status = unpack(data, len, head, visit, arg);
    free(data);
    return status;
}

enum sinkhole_feeds_status sinkhole_beside_read(const struct sinkhole_feeds *feeds,
                                                const char *feed, const char *import,
                                                sinkhole_beside_import_fn head,
                                                sinkhole_beside_fn visit, void *arg,
                                                struct sinkhole_feeds_outcome *ret_outcome)
{
    enum sinkhole_feeds_status status = SINKHOLE_FEEDS_OK;
    struct identities identities = {0};

    memset(ret_outcome, 0, sizeof *ret_outcome);
    if (import != NULL)
        return read_one(feeds, feed, import, head, visit, arg, ret_outcome);
    ret_outcome->store = sinkhole_beside_list(feeds->store, feed, keep_identity, &identities);
    if (ret_outcome->store != SINKHOLE_STORE_OK)
        status = SINKHOLE_FEEDS_STORE;
    else if (identities.no_memory)
        status = SINKHOLE_FEEDS_NO_MEMORY;
    for (size_t i = 0; status == SINKHOLE_FEEDS_OK && i < identities.count; i++)
        status = read_one(feeds, feed, identities.items[i], head, visit, arg, ret_outcome);
    free(identities.items);
    return status;
}

static bool keep_last(void *arg, const char *import)
{
    char *last = arg;

    memset(last, 0, 40);
    strncpy(last, import, 39);
    return true;
}

static bool any_head(void *arg, const struct sinkhole_staged *import)
{
    (void)arg;
    (void)import;
    return true;
}

enum sinkhole_feeds_status feed_beside_is_old(const struct sinkhole_feeds *feeds, const char *feed,
                                              const struct feed_text_store *lines, bool *ret_old,
                                              struct sinkhole_feeds_outcome *outcome)
{
    struct feed_text_store there = {0};
    enum sinkhole_feeds_status status;
    char last[40] = "";

    *ret_old = false;
    outcome->store = sinkhole_beside_list(feeds->store, feed, keep_last, last);
    if (outcome->store != SINKHOLE_STORE_OK)
        return SINKHOLE_FEEDS_STORE;
    if (last[0] == '\0')
        return SINKHOLE_FEEDS_OK;
    status = read_one(feeds, feed, last, any_head, feed_beside_keep, &there, outcome);
    if (status == SINKHOLE_FEEDS_OK)
        *ret_old = there.used == lines->used && memcmp(there.text, lines->text, lines->used) == 0;
    free(there.text);
    return status == SINKHOLE_FEEDS_STORE ? status : SINKHOLE_FEEDS_OK;
}
