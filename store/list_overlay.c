/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The net change since a snapshot: lines with a sign, in order. Appended lines are sorted by a
 * natural merge (each generation is a run already; the sort is stable, so that what came later
 * stays later) and what cancels out is dropped.
 *
 * Threads and memory: see list_codec.h; 16 octets and its key a line, and 16 more while settling.
 */
#include "store/list_codec.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK (1u << 20)

struct block {
    struct block *next;
    size_t used;
    char text[BLOCK];
};

struct op {
    const char *key;
    uint32_t id;
    uint8_t key_len;
    bool remove;
};

struct sinkhole_overlay {
    struct op *ops; /* settled ones first, then appended ones */
    size_t count, settled, room;
    struct block *blocks; /* the one in use first */
    size_t bytes, max_bytes;
};

struct sinkhole_overlay *sinkhole_overlay_new(size_t max_bytes)
{
    struct sinkhole_overlay *overlay = calloc(1, sizeof(*overlay));

    if (overlay != NULL)
        overlay->max_bytes = max_bytes;
    return overlay;
}

void sinkhole_overlay_clear(struct sinkhole_overlay *overlay)
{
    while (overlay->blocks != NULL) {
        struct block *next = overlay->blocks->next;

        free(overlay->blocks);
        overlay->blocks = next;
    }
    free(overlay->ops);
    *overlay = (struct sinkhole_overlay){.max_bytes = overlay->max_bytes};
}

void sinkhole_overlay_free(struct sinkhole_overlay *overlay)
{
    if (overlay == NULL)
        return;
    sinkhole_overlay_clear(overlay);
    free(overlay);
}

static enum sinkhole_codec_status grow_ops(struct sinkhole_overlay *overlay)
{
    size_t room = overlay->room == 0 ? 256 : overlay->room * 2;
    struct op *ops;

    if (overlay->bytes + (room - overlay->room) * sizeof(*ops) > overlay->max_bytes)
        return SINKHOLE_CODEC_LARGE;
    ops = realloc(overlay->ops, room * sizeof(*ops));
    if (ops == NULL)
        return SINKHOLE_CODEC_NO_MEMORY;
    overlay->bytes += (room - overlay->room) * sizeof(*ops);
    overlay->ops = ops;
    overlay->room = room;
    return SINKHOLE_CODEC_OK;
}

static enum sinkhole_codec_status grow_text(struct sinkhole_overlay *overlay)
{
    struct block *block;

    if (overlay->bytes + sizeof(*block) > overlay->max_bytes)
        return SINKHOLE_CODEC_LARGE;
    block = malloc(sizeof(*block));
    if (block == NULL)
        return SINKHOLE_CODEC_NO_MEMORY;
    block->next = overlay->blocks;
    block->used = 0;
    overlay->blocks = block;
    overlay->bytes += sizeof(*block);
    return SINKHOLE_CODEC_OK;
}

enum sinkhole_codec_status sinkhole_overlay_append(struct sinkhole_overlay *overlay,
                                                   const char *key, size_t key_len, uint32_t id,
                                                   bool remove)
{
    enum sinkhole_codec_status status = SINKHOLE_CODEC_OK;
    char *text;

    if (key_len == 0 || key_len > SINKHOLE_KEY_MAX)
        return SINKHOLE_CODEC_KEY;
    if (id == 0)
        return SINKHOLE_CODEC_ID;
    if (overlay->count == overlay->room)
        status = grow_ops(overlay);
    if (status == SINKHOLE_CODEC_OK &&
        (overlay->blocks == NULL || BLOCK - overlay->blocks->used < key_len))
        status = grow_text(overlay);
    if (status != SINKHOLE_CODEC_OK)
        return status;
    text = overlay->blocks->text + overlay->blocks->used;
    memcpy(text, key, key_len);
    overlay->blocks->used += key_len;
    overlay->ops[overlay->count++] =
        (struct op){.key = text, .id = id, .key_len = (uint8_t)key_len, .remove = remove};
    return SINKHOLE_CODEC_OK;
}

static int compare(const struct op *a, const struct op *b)
{
    return sinkhole_list_line_compare(a->key, a->key_len, a->id, b->key, b->key_len, b->id);
}

/* Where each run begins, and the end; NULL: no memory. */
static size_t *find_runs(const struct sinkhole_overlay *overlay, size_t *ret_runs)
{
    size_t runs = 1, room = 64;
    size_t *starts = malloc(room * sizeof(*starts));

    if (starts == NULL)
        return NULL;
    starts[0] = 0;
    for (size_t i = 1; i < overlay->count; i++) {
        /* Settled lines are in order already. */
        if (i < overlay->settled || compare(&overlay->ops[i - 1], &overlay->ops[i]) <= 0)
            continue;
        if (runs + 1 == room) {
            size_t *more = realloc(starts, 2 * room * sizeof(*starts));

            if (more == NULL) {
                free(starts);
                return NULL;
            }
            starts = more;
            room *= 2;
        }
        starts[runs++] = i;
    }
    starts[runs] = overlay->count;
    *ret_runs = runs;
    return starts;
}

static void merge(struct op *to, const struct op *a, const struct op *a_end, const struct op *b,
                  const struct op *b_end)
{
    while (a < a_end && b < b_end)
        *to++ = compare(a, b) <= 0 ? *a++ : *b++;
    while (a < a_end)
        *to++ = *a++;
    while (b < b_end)
        *to++ = *b++;
}

/* Stable. False: no memory, nothing changed. */
static bool sort(struct sinkhole_overlay *overlay)
{
    size_t runs;
    size_t *starts = find_runs(overlay, &runs);
    struct op *from = overlay->ops, *to;

    if (starts == NULL)
        return false;
    if (runs == 1) {
        free(starts);
        return true;
    }
    to = malloc(overlay->room * sizeof(*to));
    if (to == NULL) {
        free(starts);
        return false;
    }
    while (runs > 1) {
        size_t out = 0;
        struct op *swap = from;

        for (size_t i = 0; i < runs; i += 2) {
            size_t middle = starts[i + 1], end = i + 2 <= runs ? starts[i + 2] : middle;

            merge(to + starts[i], from + starts[i], from + middle, from + middle, from + end);
            starts[out++] = starts[i];
        }
        starts[out] = overlay->count;
        runs = out;
        from = to;
        to = swap;
    }
    overlay->ops = from;
    free(to);
    free(starts);
    return true;
}

enum sinkhole_codec_status sinkhole_overlay_settle(struct sinkhole_overlay *overlay)
{
    size_t out = 0, end;

    if (overlay->count == overlay->settled)
        return SINKHOLE_CODEC_OK;
    if (!sort(overlay))
        return SINKHOLE_CODEC_NO_MEMORY;
    for (size_t i = 0; i < overlay->count; i = end) {
        struct op first = overlay->ops[i];

        for (end = i + 1; end < overlay->count && compare(&first, &overlay->ops[end]) == 0; end++) {
            if (overlay->ops[end].remove == overlay->ops[end - 1].remove)
                return SINKHOLE_CODEC_CONTRADICTION;
        }
        if ((end - i) % 2 == 1)
            overlay->ops[out++] = first;
    }
    overlay->count = overlay->settled = out;
    return SINKHOLE_CODEC_OK;
}

size_t sinkhole_overlay_count(const struct sinkhole_overlay *overlay)
{
    return overlay->settled;
}

void sinkhole_overlay_line(const struct sinkhole_overlay *overlay, size_t i,
                           struct sinkhole_list_line *ret_line)
{
    const struct op *op = &overlay->ops[i];

    *ret_line = (struct sinkhole_list_line){
        .text = op->key,
        .text_len = op->key_len,
        .key_len = op->key_len,
        .id = op->id,
        .remove = op->remove,
    };
}

size_t sinkhole_overlay_seek(const struct sinkhole_overlay *overlay, const char *key,
                             size_t key_len)
{
    size_t low = 0, high = overlay->settled;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct op *op = &overlay->ops[middle];

        if (sinkhole_list_line_compare(op->key, op->key_len, 0, key, key_len, 0) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}
