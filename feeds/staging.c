/* SPDX-License-Identifier: BSD-3-Clause */
/* Staged imports, packed and unpacked. Threads and memory: see staging.h. */
#include "feeds/staging.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "store/list_json.h"

#define LEVEL 3
#define PROGRESS_EVERY 65536
#define STAGED_VERSION 1
#define STAGED_LINE_MAX (FEED_TOKEN_MAX + 64)

struct packer {
    ZSTD_CCtx *context;
    char in[1 << 16];
    size_t in_used;
    struct feed_text_store out;
    bool good;
    sinkhole_progress_fn progress;
    void *arg;
    uint64_t names, total;
};

static void pack_flush(struct packer *packer, ZSTD_EndDirective end)
{
    ZSTD_inBuffer in = {packer->in, packer->in_used, 0};
    size_t left = 1;

    while (packer->good && (in.pos < in.size || (end == ZSTD_e_end && left != 0))) {
        char chunk[1 << 16];
        ZSTD_outBuffer out = {chunk, sizeof chunk, 0};

        left = ZSTD_compressStream2(packer->context, &out, &in, end);
        packer->good = !ZSTD_isError(left) &&
                       feed_text_store_add(&packer->out, chunk, out.pos, FEED_STAGED_MOST);
    }
    packer->in_used = 0;
}

static void pack(struct packer *packer, const char *text, size_t len)
{
    while (len > 0) {
        size_t part = sizeof packer->in - packer->in_used;

        if (part > len)
            part = len;
        memcpy(packer->in + packer->in_used, text, part);
        packer->in_used += part;
        text += part;
        len -= part;
        if (packer->in_used == sizeof packer->in)
            pack_flush(packer, ZSTD_e_continue);
    }
}

static bool pack_name(void *arg, const char *key, size_t key_len, enum sinkhole_scope scope)
{
    struct packer *packer = arg;
    char line[SINKHOLE_KEY_MAX + 4];

    memcpy(line, key, key_len);
    line[key_len] = '\t';
    line[key_len + 1] = (char)('0' + scope);
    line[key_len + 2] = '\n';
    pack(packer, line, key_len + 3);
    if (packer->progress != NULL && ++packer->names % PROGRESS_EVERY == 0)
        packer->progress(packer->arg, "Packing", packer->names, packer->total + 1);
    return true;
}

bool feed_staging_pack(const struct sinkhole_import *import, sinkhole_progress_fn progress,
                       void *arg, void **ret_data, size_t *ret_len)
{
    struct packer *packer = calloc(1, sizeof *packer);
    bool good;

    if (packer == NULL)
        return false;
    packer->progress = progress;
    packer->arg = arg;
    packer->total = import->counts.names;
    packer->context = ZSTD_createCCtx();
    packer->good =
        packer->context != NULL &&
        !ZSTD_isError(ZSTD_CCtx_setParameter(packer->context, ZSTD_c_compressionLevel, LEVEL)) &&
        !ZSTD_isError(ZSTD_CCtx_setParameter(packer->context, ZSTD_c_checksumFlag, 1));
    sinkhole_import_names(import, pack_name, packer);
    pack(packer, "\n", 1);
    pack(packer, import->beside.text, import->beside.used);
    pack_flush(packer, ZSTD_e_end);
    if (progress != NULL)
        progress(arg, "Packing", packer->total, packer->total);
    good = packer->good;
    if (good) {
        *ret_data = packer->out.text;
        *ret_len = packer->out.used;
    } else {
        free(packer->out.text);
    }
    ZSTD_freeCCtx(packer->context);
    free(packer);
    return good;
}

struct unpacker {
    struct feed_names *names;
    sinkhole_beside_fn visit;
    void *arg;
    bool beside; /* past the empty line */
    char line[STAGED_LINE_MAX];
    size_t used;
    enum sinkhole_feeds_status status;
};

static enum sinkhole_feeds_status unpack_name(struct unpacker *unpacker)
{
    const char *line = unpacker->line;
    struct sinkhole_name name;
    size_t len = unpacker->used;

    if (len < 3 || line[len - 2] != '\t' || line[len - 1] < '0' ||
        line[len - 1] > '0' + SINKHOLE_SCOPE_SUBTREE ||
        sinkhole_name_from_key(line, len - 2, &name) != SINKHOLE_NAME_OK)
        return SINKHOLE_FEEDS_DAMAGED;
    if (unpacker->names == NULL)
        return SINKHOLE_FEEDS_OK;
    switch (feed_names_add(unpacker->names, line, len - 2,
                           (enum sinkhole_scope)(line[len - 1] - '0'))) {
    case FEED_NAMES_OK:
        return SINKHOLE_FEEDS_OK;
    case FEED_NAMES_FULL:
        return SINKHOLE_FEEDS_REFUSED;
    case FEED_NAMES_NO_MEMORY:
        break;
    }
    return SINKHOLE_FEEDS_NO_MEMORY;
}

static void unpack_line(struct unpacker *unpacker)
{
    if (unpacker->beside) {
        if (unpacker->visit != NULL &&
            !unpacker->visit(unpacker->arg, unpacker->line, unpacker->used))
            unpacker->visit = NULL;
    } else if (unpacker->used == 0) {
        unpacker->beside = true;
    } else {
        unpacker->status = unpack_name(unpacker);
    }
    unpacker->used = 0;
}

static void unpack_text(struct unpacker *unpacker, const char *text, size_t len)
{
    for (size_t i = 0; i < len && unpacker->status == SINKHOLE_FEEDS_OK; i++) {
        if (text[i] == '\n')
            unpack_line(unpacker);
        else if (unpacker->used < sizeof unpacker->line)
            unpacker->line[unpacker->used++] = text[i];
        else
            unpacker->status = SINKHOLE_FEEDS_DAMAGED;
    }
}

enum sinkhole_feeds_status feed_staging_unpack(const void *data, size_t len,
                                               struct feed_names *names, sinkhole_beside_fn visit,
                                               void *arg)
{
    struct unpacker unpacker = {.names = names, .visit = visit, .arg = arg};
    ZSTD_DCtx *context = ZSTD_createDCtx();
    ZSTD_inBuffer in = {data, len, 0};
    size_t left = 1;

    if (context == NULL)
        return SINKHOLE_FEEDS_NO_MEMORY;
    while (unpacker.status == SINKHOLE_FEEDS_OK && left != 0) {
        char chunk[1 << 16];
        ZSTD_outBuffer out = {chunk, sizeof chunk, 0};
        size_t before = in.pos;

        left = ZSTD_decompressStream(context, &out, &in);
        if (ZSTD_isError(left) || (out.pos == 0 && in.pos == before))
            unpacker.status = SINKHOLE_FEEDS_DAMAGED;
        else
            unpack_text(&unpacker, chunk, out.pos);
    }
    if (unpacker.status == SINKHOLE_FEEDS_OK && (!unpacker.beside || in.pos != in.size))
        unpacker.status = SINKHOLE_FEEDS_DAMAGED;
    ZSTD_freeDCtx(context);
    return unpacker.status;
}

char *feed_staging_to_json(const struct sinkhole_staged *staged)
{
    struct sinkhole_batch batch = staged->attributes;
    json_t *json, *attributes;
    char *text, *batch_text;

    batch.rule.id = 1;
    batch_text = sinkhole_batch_to_json(&batch);
    if (batch_text == NULL)
        return NULL;
    attributes = json_loads(batch_text, 0, NULL);
    free(batch_text);
    json = json_pack(
        "{si so ss ss sb ss sI sI sI sI sI sI sI}", "version", STAGED_VERSION, "attributes",
        attributes, "mode", staged->mode == SINKHOLE_MODE_AMEND ? "amend" : "replace", "format",
        sinkhole_format_word(staged->format), "private_suffix", (int)staged->private_suffix, "file",
        staged->file, "names", (json_int_t)staged->names, "addresses",
        (json_int_t)staged->addresses, "urls", (json_int_t)staged->urls, "hashes",
        (json_int_t)staged->hashes, "emails", (json_int_t)staged->emails, "review",
        (json_int_t)staged->review, "staged_ms", (json_int_t)staged->staged_ms);
    text = json == NULL ? NULL : json_dumps(json, JSON_COMPACT);
    json_decref(json);
    return text;
}

bool feed_staging_from_json(const char *text, struct sinkhole_staged *ret_staged)
{
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL), *attributes = NULL;
    const char *mode = "", *format = "", *file = "";
    json_int_t names = 0, addresses = 0, urls = 0, hashes = 0, emails = 0, review = 0,
               staged_ms = 0;
    struct sinkhole_staged staged = {.mode = SINKHOLE_MODE_REPLACE};
    int version = 0, private_suffix = 0;
    char *batch_text = NULL;
    bool good;

    good = json != NULL &&
           json_unpack(json, "{si so ss ss sb ss sI sI sI sI sI s?I sI}", "version", &version,
                       "attributes", &attributes, "mode", &mode, "format", &format,
                       "private_suffix", &private_suffix, "file", &file, "names", &names,
                       "addresses", &addresses, "urls", &urls, "hashes", &hashes, "emails", &emails,
                       "review", &review, "staged_ms", &staged_ms) == 0 &&
           version == STAGED_VERSION && sinkhole_format_from_word(format, &staged.format) &&
           (strcmp(mode, "amend") == 0 || strcmp(mode, "replace") == 0) &&
           (batch_text = json_dumps(attributes, JSON_COMPACT)) != NULL &&
           sinkhole_batch_from_json("1", 1, batch_text, strlen(batch_text), &staged.attributes);
    if (good) {
        staged.mode = *mode == 'a' ? SINKHOLE_MODE_AMEND : SINKHOLE_MODE_REPLACE;
        staged.private_suffix = private_suffix != 0;
        snprintf(staged.file, sizeof staged.file, "%s", file);
        staged.names = (uint64_t)names;
        staged.addresses = (uint64_t)addresses;
        staged.urls = (uint64_t)urls;
        staged.hashes = (uint64_t)hashes;
        staged.emails = (uint64_t)emails;
        staged.review = (uint64_t)review;
        staged.staged_ms = staged_ms;
        *ret_staged = staged;
    }
    free(batch_text);
    json_decref(json);
    return good;
}
