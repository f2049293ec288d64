/* SPDX-License-Identifier: BSD-3-Clause */
/* A snapshot, written ahead of its publication. Threads and memory: see change.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/random.h>

#include "store/change.h"

#define WINDOW 6 /* replies not yet taken; about half that many chunks */

bool sinkhole_random_hex(char *text, size_t digits)
{
    static const char hex[] = "0123456789abcdef";
    uint8_t octets[16];

    if (digits > sizeof(octets) || getrandom(octets, digits, 0) != (ssize_t)digits)
        return false;
    for (size_t i = 0; i < digits; i++)
        text[i] = hex[octets[i] & 15];
    text[digits] = '\0';
    return true;
}

struct writer {
    struct sinkhole_store *store; /* its own connection: the stream reads on the other */
    struct sinkhole_list_encoder *encoder;
    struct sinkhole_snapshot *snapshot;
    sinkhole_progress_fn progress;
    void *arg;
    uint64_t expected; /* lines */
};

static enum sinkhole_store_status settle_row(struct writer *writer, unsigned most)
{
    enum sinkhole_store_status status = SINKHOLE_STORE_OK;

    while (status == SINKHOLE_STORE_OK && sinkhole_pipe_waiting(writer->store) > most)
        status = sinkhole_pipe_next(writer->store, NULL);
    return status;
}

static enum sinkhole_store_status write_chunk(struct writer *writer)
{
    struct sinkhole_snapshot *snapshot = writer->snapshot;
    char key[SINKHOLE_REDIS_KEY_MAX], index[SINKHOLE_REDIS_KEY_MAX];
    char member[SINKHOLE_KEY_MAX + 24];
    enum sinkhole_store_status status;
    const void *data;
    size_t len;

    snprintf(key, sizeof(key), SINKHOLE_REDIS_CHUNK_F, snapshot->name, snapshot->chunks);
    snprintf(index, sizeof(index), SINKHOLE_REDIS_CHUNKS_F, snapshot->name);
    snprintf(member, sizeof(member), "%s\t%llu", sinkhole_list_encoder_first(writer->encoder),
             (unsigned long long)snapshot->chunks);
    if (sinkhole_list_encoder_finish(writer->encoder, &data, &len) != SINKHOLE_CODEC_OK)
        return sinkhole_store_no_memory(writer->store);
    status = sinkhole_pipe_add(writer->store, "SET %s %b EX %d", key, data, len,
                               SINKHOLE_REDIS_OLD_SNAPSHOT_S);
    if (status == SINKHOLE_STORE_OK)
        status = sinkhole_pipe_add(writer->store, "ZADD %s 0 %s", index, member);
    if (status == SINKHOLE_STORE_OK)
        status =
            sinkhole_pipe_add(writer->store, "EXPIRE %s %d", index, SINKHOLE_REDIS_OLD_SNAPSHOT_S);
    if (status == SINKHOLE_STORE_OK)
        status = settle_row(writer, WINDOW);
    snapshot->chunks++;
    if (writer->progress != NULL)
        writer->progress(writer->arg, "Writing", snapshot->entries, writer->expected);
    return status;
}

static enum sinkhole_store_status write_line(void *arg, const char *key, size_t key_len,
                                             uint32_t id)
{
    struct writer *writer = arg;
    enum sinkhole_codec_status codec;

    codec = sinkhole_list_encoder_add(writer->encoder, key, key_len, id, false);
    if (codec == SINKHOLE_CODEC_FULL) {
        enum sinkhole_store_status status = write_chunk(writer);

        if (status != SINKHOLE_STORE_OK)
            return status;
        codec = sinkhole_list_encoder_add(writer->encoder, key, key_len, id, false);
    }
    if (codec != SINKHOLE_CODEC_OK)
        return sinkhole_list_fail(writer->store, codec, "a line to be written");
    writer->snapshot->entries++;
    return SINKHOLE_STORE_OK;
}

/* The change's lines come after all of the log's. */
static enum sinkhole_store_status take_in(struct sinkhole_store *store,
                                          struct sinkhole_list_view *view,
                                          const struct sinkhole_change *change)
{
    enum sinkhole_codec_status codec = SINKHOLE_CODEC_OK;
    size_t count = sinkhole_overlay_count(change->lines);
    struct sinkhole_list_line line;

    for (size_t i = 0; codec == SINKHOLE_CODEC_OK && i < count; i++) {
        sinkhole_overlay_line(change->lines, i, &line);
        codec = sinkhole_overlay_append(view->net, line.text, line.key_len, line.id, line.remove);
    }
    if (codec == SINKHOLE_CODEC_OK)
        codec = sinkhole_overlay_settle(view->net);
    if (codec == SINKHOLE_CODEC_CONTRADICTION)
        return sinkhole_store_fail(store, SINKHOLE_STORE_INVALID,
                                   "a line is added that is listed, or taken off that is not");
    if (codec != SINKHOLE_CODEC_OK)
        return sinkhole_store_no_memory(store);
    return SINKHOLE_STORE_OK;
}

static enum sinkhole_store_status write_all(struct sinkhole_store *store, struct writer *writer,
                                            const struct sinkhole_list_view *view,
                                            const struct sinkhole_change *change)
{
    enum sinkhole_store_status status;

    status = sinkhole_list_stream(store, view, change == NULL ? NULL : change->lines, write_line,
                                  writer);
    if (status == SINKHOLE_STORE_OK && sinkhole_list_encoder_lines(writer->encoder) > 0)
        status = write_chunk(writer);
    if (status == SINKHOLE_STORE_OK)
        status = settle_row(writer, 0);
    if (status != SINKHOLE_STORE_OK)
        sinkhole_store_adopt_error(store, writer->store);
    return status;
}

enum sinkhole_store_status sinkhole_snapshot_write(struct sinkhole_store *store,
                                                   struct sinkhole_list_view *view,
                                                   const struct sinkhole_change *change,
                                                   sinkhole_progress_fn progress, void *arg,
                                                   struct sinkhole_snapshot *ret_snapshot)
{
    struct sinkhole_snapshot snapshot = {0};
    struct writer writer = {.snapshot = &snapshot, .progress = progress, .arg = arg};
    enum sinkhole_store_status status = SINKHOLE_STORE_OK;
    char token[9];

    if (!sinkhole_random_hex(token, 8))
        return sinkhole_store_fail(store, SINKHOLE_STORE_NO_MEMORY, "no random octets");
    snprintf(snapshot.name, sizeof(snapshot.name), "%llu-%s",
             (unsigned long long)view->root.head.generation + (change == NULL ? 0 : 1), token);
    writer.expected = view->root.head.entries;
    if (change != NULL)
        writer.expected += change->added - change->removed;
    writer.store = sinkhole_store_new_like(store);
    writer.encoder = sinkhole_list_encoder_new(SINKHOLE_LIST_CHUNK);
    if (writer.store == NULL || writer.encoder == NULL)
        status = sinkhole_store_no_memory(store);
    if (status == SINKHOLE_STORE_OK && change != NULL)
        status = take_in(store, view, change);
    if (status == SINKHOLE_STORE_OK)
        status = write_all(store, &writer, view, change);
    if (status == SINKHOLE_STORE_OK)
        *ret_snapshot = snapshot;
    sinkhole_list_encoder_free(writer.encoder);
    sinkhole_store_free(writer.store);
    return status;
}
