/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Keys in order: a quicksort over eight octets at a time, which meets a shared beginning once and
 * not at every comparison. Threads and memory: see names.h.
 */
#include "feeds/names.h"

#include <stdlib.h>
#include <string.h>

#define ARENA_FIRST (1u << 16)
#define ROOM_FIRST 4096
#define WORD 8
#define PROGRESS_EVERY 65536

void feed_names_init(struct feed_names *names, uint64_t most)
{
    memset(names, 0, sizeof *names);
    names->most = most;
}

void feed_names_done(struct feed_names *names)
{
    free(names->arena);
    free(names->entries);
    memset(names, 0, sizeof *names);
}

static bool grow(struct feed_names *names, size_t need)
{
    if (names->used + need > names->size) {
        size_t size = names->size == 0 ? ARENA_FIRST : names->size * 2;
        uint8_t *arena = realloc(names->arena, size);

        if (arena == NULL)
            return false;
        names->arena = arena;
        names->size = size;
    }
    if (names->count == names->room) {
        size_t room = names->room == 0 ? ROOM_FIRST : names->room * 2;
        struct feed_names_entry *entries = realloc(names->entries, room * sizeof *entries);

        if (entries == NULL)
            return false;
        names->entries = entries;
        names->room = room;
    }
    return true;
}

enum feed_names_status feed_names_add(struct feed_names *names, const char *key, size_t key_len,
                                      enum sinkhole_scope scope)
{
    uint8_t *to;

    if (names->count >= names->most)
        return FEED_NAMES_FULL;
    if (!grow(names, key_len + 2))
        return FEED_NAMES_NO_MEMORY;
    to = names->arena + names->used;
    to[0] = (uint8_t)key_len;
    to[1] = (uint8_t)scope;
    memcpy(to + 2, key, key_len);
    names->entries[names->count++].off = names->used;
    names->used += key_len + 2;
    names->sorted = false;
    return FEED_NAMES_OK;
}

/* Eight octets of a key from `depth` on, first one highest, zeros behind the end (no key has a
 * zero). */
static uint64_t word_at(const uint8_t *arena, uint64_t off, size_t depth)
{
    const uint8_t *key = arena + off + 2;
    size_t len = arena[off];
    uint64_t word = 0;

    for (size_t i = depth; i < depth + WORD; i++)
        word = word << 8 | (i < len ? key[i] : 0);
    return word;
}

static void load_words(const uint8_t *arena, struct feed_names_entry *entries, size_t count,
                       size_t depth)
{
    for (size_t i = 0; i < count; i++)
        entries[i].word = word_at(arena, entries[i].off, depth);
}

static void swap(struct feed_names_entry *a, struct feed_names_entry *b)
{
    struct feed_names_entry keep = *a;

    *a = *b;
    *b = keep;
}

static int compare_from(const uint8_t *arena, const struct feed_names_entry *a,
                        const struct feed_names_entry *b, size_t depth)
{
    uint64_t x = a->word, y = b->word;

    while (x == y && (x & 0xff) != 0) {
        depth += WORD;
        x = word_at(arena, a->off, depth);
        y = word_at(arena, b->off, depth);
    }
    return x < y ? -1 : x > y;
}

static void sort_few(const uint8_t *arena, struct feed_names_entry *entries, size_t count,
                     size_t depth)
{
    for (size_t i = 1; i < count; i++)
        for (size_t j = i; j > 0 && compare_from(arena, &entries[j - 1], &entries[j], depth) > 0;
             j--)
            swap(&entries[j - 1], &entries[j]);
}

/* A word from somewhere in the middle of things: no order of a list makes this slow for long. */
static uint64_t choose_pivot(const struct feed_names_entry *entries, size_t count, uint64_t *seed)
{
    uint64_t words[3];

    for (int i = 0; i < 3; i++) {
        *seed ^= *seed << 13;
        *seed ^= *seed >> 7;
        *seed ^= *seed << 17;
        words[i] = entries[*seed % count].word;
    }
    if (words[0] > words[1])
        return words[1] > words[2] ? words[1] : words[0] < words[2] ? words[0] : words[2];
    return words[0] > words[2] ? words[0] : words[1] < words[2] ? words[1] : words[2];
}

struct sorter {
    const uint8_t *arena;
    uint64_t seed;
    uint64_t done, total, told; /* keys in their place */
    sinkhole_progress_fn progress;
    void *arg;
};

static void count_done(struct sorter *sorter, size_t count)
{
    sorter->done += count;
    if (sorter->progress == NULL || sorter->done - sorter->told < PROGRESS_EVERY)
        return;
    sorter->told = sorter->done;
    sorter->progress(sorter->arg, "Sorting", sorter->done, sorter->total + 1);
}

static void sort_words(struct sorter *sorter, struct feed_names_entry *entries, size_t count,
                       size_t depth)
{
    while (count > 16) {
        uint64_t pivot = choose_pivot(entries, count, &sorter->seed);
        size_t less = 0, i = 0, more = count;

        while (i < more) {
            if (entries[i].word < pivot)
                swap(&entries[less++], &entries[i++]);
            else if (entries[i].word > pivot)
                swap(&entries[i], &entries[--more]);
            else
                i++;
        }
        if ((pivot & 0xff) != 0) { /* keys that go on: eight octets further */
            load_words(sorter->arena, entries + less, more - less, depth + WORD);
            sort_words(sorter, entries + less, more - less, depth + WORD);
        } else {
            count_done(sorter, more - less);
        }
        if (less < count - more) { /* the smaller side by recursion, so that the stack stays low */
            sort_words(sorter, entries, less, depth);
            entries += more;
            count -= more;
        } else {
            sort_words(sorter, entries + more, count - more, depth);
            count = less;
        }
    }
    sort_few(sorter->arena, entries, count, depth);
    count_done(sorter, count);
}

static uint8_t unite(uint8_t a, uint8_t b)
{
    return a == b ? a : SINKHOLE_SCOPE_SUBTREE;
}

void feed_names_sort(struct feed_names *names, sinkhole_progress_fn progress, void *arg)
{
    struct sorter sorter = {.arena = names->arena,
                            .seed = 0x9e3779b97f4a7c15u ^ (uintptr_t)names->arena,
                            .total = names->count,
                            .progress = progress,
                            .arg = arg};
    uint8_t *arena = names->arena;
    size_t to = 0;

    if (names->sorted)
        return;
    load_words(arena, names->entries, names->count, 0);
    sort_words(&sorter, names->entries, names->count, 0);
    if (progress != NULL)
        progress(arg, "Sorting", names->count, names->count);
    for (size_t i = 0; i < names->count; i++) {
        uint8_t *at = arena + names->entries[i].off, *last;

        last = to == 0 ? NULL : arena + names->entries[to - 1].off;
        if (last != NULL && last[0] == at[0] && memcmp(last + 2, at + 2, at[0]) == 0) {
            last[1] = unite(last[1], at[1]);
            names->merged++;
        } else {
            names->entries[to++] = names->entries[i];
        }
    }
    names->count = to;
    names->sorted = true;
}

bool feed_names_has(const struct feed_names *names, const char *key, size_t key_len)
{
    size_t low = 0, high = names->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2, len;
        enum sinkhole_scope scope;
        const char *there = feed_names_at(names, middle, &len, &scope);
        int order = memcmp(there, key, len < key_len ? len : key_len);

        if (order == 0)
            order = (len > key_len) - (len < key_len);
        if (order == 0)
            return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

const char *feed_names_at(const struct feed_names *names, size_t i, size_t *ret_len,
                          enum sinkhole_scope *ret_scope)
{
    const uint8_t *at = names->arena + names->entries[i].off;

    *ret_len = at[0];
    *ret_scope = (enum sinkhole_scope)at[1];
    return (const char *)at + 2;
}
