/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Names that differ from the base: a sorted array of pointers, and a second one for what was put
 * since the last merge. Threads and memory: see delta.h.
 */
#include "agent/delta.h"

#include <stdlib.h>
#include <string.h>

struct delta_list {
    struct agent_delta_name **names;
    size_t count, room;
};

struct agent_delta {
    struct delta_list whole, fresh;
};

const char *agent_delta_key(const struct agent_delta_name *name)
{
    return (const char *)(name->ids + name->count);
}

static int delta_compare(const struct agent_delta_name *name, const char *key, size_t key_len)
{
    size_t len = name->key_len < key_len ? name->key_len : key_len;
    int order = memcmp(agent_delta_key(name), key, len);

    if (order != 0)
        return order;
    return name->key_len < key_len ? -1 : name->key_len > key_len;
}

static bool delta_list_reserve(struct delta_list *list, size_t count)
{
    size_t room = list->room < 64 ? 64 : list->room;
    struct agent_delta_name **names;

    while (room < count)
        room *= 2;
    if (room == list->room)
        return true;
    names = realloc(list->names, room * sizeof(*names));
    if (names == NULL)
        return false;
    list->names = names;
    list->room = room;
    return true;
}

static void delta_list_clear(struct delta_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->names[i]);
    free(list->names);
    *list = (struct delta_list){0};
}

struct agent_delta *agent_delta_new(void)
{
    return calloc(1, sizeof(struct agent_delta));
}

void agent_delta_clear(struct agent_delta *delta)
{
    delta_list_clear(&delta->whole);
    delta_list_clear(&delta->fresh);
}

void agent_delta_free(struct agent_delta *delta)
{
    if (delta == NULL)
        return;
    agent_delta_clear(delta);
    free(delta);
}

size_t agent_delta_count(const struct agent_delta *delta)
{
    return delta->whole.count;
}

const struct agent_delta_name *agent_delta_at(const struct agent_delta *delta, size_t i)
{
    return delta->whole.names[i];
}

/* Place of the first name that is not below the key. */
static size_t delta_seek(const struct delta_list *list, const char *key, size_t key_len)
{
    size_t low = 0, high = list->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (delta_compare(list->names[middle], key, key_len) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct agent_delta_name *agent_delta_find(const struct agent_delta *delta, const char *key,
                                                size_t key_len)
{
    size_t i = delta_seek(&delta->whole, key, key_len);

    if (i == delta->whole.count || delta_compare(delta->whole.names[i], key, key_len) != 0)
        return NULL;
    return delta->whole.names[i];
}

bool agent_delta_put(struct agent_delta *delta, uint64_t generation, const char *key,
                     size_t key_len, const uint32_t *ids, size_t count)
{
    struct delta_list *fresh = &delta->fresh;
    struct agent_delta_name *name;

    if (fresh->count > 0 && delta_compare(fresh->names[fresh->count - 1], key, key_len) >= 0)
        return false;
    if (!delta_list_reserve(fresh, fresh->count + 1) ||
        (name = malloc(sizeof(*name) + count * sizeof(ids[0]) + key_len)) == NULL)
        return false;
    name->generation = generation;
    name->key_len = (uint16_t)key_len;
    name->count = (uint16_t)count;
    if (count > 0)
        memcpy(name->ids, ids, count * sizeof(ids[0]));
    memcpy(name->ids + count, key, key_len);
    fresh->names[fresh->count++] = name;
    return true;
}

/* From the end, so that one array suffices; an equal key's older name goes. */
bool agent_delta_merge(struct agent_delta *delta)
{
    struct delta_list *whole = &delta->whole, *fresh = &delta->fresh;
    size_t i, j, new_count = 0, to;

    for (i = 0; i < fresh->count; i++) {
        const struct agent_delta_name *name = fresh->names[i];
        size_t at = delta_seek(whole, agent_delta_key(name), name->key_len);

        if (at < whole->count &&
            delta_compare(whole->names[at], agent_delta_key(name), name->key_len) == 0) {
            free(whole->names[at]);
            whole->names[at] = fresh->names[i];
        } else {
            fresh->names[new_count++] = fresh->names[i];
        }
    }
    fresh->count = new_count;
    if (!delta_list_reserve(whole, whole->count + new_count))
        return false;
    for (i = whole->count, j = new_count, to = i + j; j > 0; to--) {
        const struct agent_delta_name *name = fresh->names[j - 1];

        if (i > 0 && delta_compare(whole->names[i - 1], agent_delta_key(name), name->key_len) > 0)
            whole->names[to - 1] = whole->names[--i];
        else
            whole->names[to - 1] = fresh->names[--j];
    }
    whole->count += new_count;
    fresh->count = 0;
    return true;
}

void agent_delta_prune(struct agent_delta *delta, uint64_t generation)
{
    struct delta_list *whole = &delta->whole;
    size_t kept = 0;

    for (size_t i = 0; i < whole->count; i++) {
        if (whole->names[i]->generation <= generation)
            free(whole->names[i]);
        else
            whole->names[kept++] = whole->names[i];
    }
    whole->count = kept;
}
