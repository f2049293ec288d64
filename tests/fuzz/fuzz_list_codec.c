/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What Redis may hold, by the first octet: a zstd value as it is (z), lines of a chunk (c) or of a
 * part (p), a head's or log entry's fields (f), JSON (j). What is taken must be made again alike.
 */
#include <stdlib.h>
#include <string.h>

#include <zstd.h>

#include "store/list_codec.h"
#include "store/list_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t digest_key[SINKHOLE_DIGEST_KEY_LEN];

static void follow(enum sinkhole_list_kind kind, const void *value, size_t len)
{
    struct sinkhole_list_decoder *decoder = sinkhole_list_decoder_new();
    struct sinkhole_list_encoder *encoder = sinkhole_list_encoder_new(kind);
    struct sinkhole_overlay *overlay = sinkhole_overlay_new(1u << 26);
    enum sinkhole_codec_status status;
    struct sinkhole_digest digest = {0};
    struct sinkhole_list_line line;
    struct sinkhole_name name;
    char text[SINKHOLE_KEY_MAX + 11];

    sinkhole_list_decoder_reset(decoder, kind);
    status = sinkhole_list_decoder_open(decoder, value, len);
    while (status == SINKHOLE_CODEC_OK &&
           sinkhole_list_decoder_next(decoder, &line) == SINKHOLE_CODEC_OK) {
        if (sinkhole_name_from_key(line.text, line.key_len, &name) != SINKHOLE_NAME_OK)
            abort();
        if (sinkhole_list_line_text(text, line.text, line.key_len, line.id) != line.text_len ||
            memcmp(text, line.text, line.text_len) != 0)
            abort();
        sinkhole_digest_add(&digest, digest_key, line.text, line.text_len);
        status = sinkhole_list_encoder_add(encoder, line.text, line.key_len, line.id, line.remove);
        if (status != SINKHOLE_CODEC_OK && status != SINKHOLE_CODEC_FULL)
            abort();
        sinkhole_overlay_append(overlay, line.text, line.key_len, line.id, line.remove);
    }
    if (sinkhole_overlay_settle(overlay) != SINKHOLE_CODEC_OK)
        abort();
    sinkhole_overlay_free(overlay);
    sinkhole_list_encoder_free(encoder);
    sinkhole_list_decoder_free(decoder);
}

static void compress_and_follow(enum sinkhole_list_kind kind, const uint8_t *data, size_t size)
{
    size_t room = ZSTD_compressBound(size), len;
    void *value = malloc(room);

    if (value == NULL)
        abort();
    len = ZSTD_compress(value, room, data, size, 1);
    if (!ZSTD_isError(len))
        follow(kind, value, len);
    free(value);
}

/* "field LF value LF" and so on. */
static void fields(const char *text, size_t size)
{
    struct sinkhole_list_root root = {0};
    struct sinkhole_log_entry entry = {0};
    const char *end = text + size, *middle, *last;

    while ((middle = memchr(text, '\n', (size_t)(end - text))) != NULL &&
           (last = memchr(middle + 1, '\n', (size_t)(end - middle - 1))) != NULL) {
        size_t field = (size_t)(middle - text), value = (size_t)(last - middle - 1);

        if (field == 2 && memcmp(text, "id", 2) == 0)
            sinkhole_log_entry_id(&entry, middle + 1, value);
        sinkhole_log_entry_set(&entry, text, field, middle + 1, value);
        sinkhole_list_root_set(&root, text, field, middle + 1, value);
        text = last + 1;
    }
    if (sinkhole_list_root_check(&root) == SINKHOLE_CODEC_OK &&
        root.head.snapshot > root.head.generation)
        abort();
}

static void json(const char *text, size_t size)
{
    struct sinkhole_batch batch, again;
    struct sinkhole_feed feed;
    char *made;

    if (sinkhole_feed_from_json("ais", 3, text, size, &feed))
        free(sinkhole_feed_to_json(&feed));
    if (!sinkhole_batch_from_json("1", 1, text, size, &batch))
        return;
    made = sinkhole_batch_to_json(&batch);
    if (made == NULL || !sinkhole_batch_from_json("1", 1, made, strlen(made), &again) ||
        memcmp(&batch, &again, sizeof(batch)) != 0)
        abort();
    free(made);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    switch (data[0]) {
    case 'z':
        follow(SINKHOLE_LIST_PART, data + 1, size - 1);
        break;
    case 'c':
        compress_and_follow(SINKHOLE_LIST_CHUNK, data + 1, size - 1);
        break;
    case 'p':
        compress_and_follow(SINKHOLE_LIST_PART, data + 1, size - 1);
        break;
    case 'f':
        fields((const char *)data + 1, size - 1);
        break;
    case 'j':
        json((const char *)data + 1, size - 1);
        break;
    }
    return 0;
}
