/* SPDX-License-Identifier: BSD-3-Clause */
/* Octet strings kept once. Threads and memory: see intern.h. */
#include "report/intern.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

void intern_done(struct intern *intern)
{
    free(intern->octets);
    free(intern->at);
    free(intern->table);
    memset(intern, 0, sizeof *intern);
}

const uint8_t *intern_get(const struct intern *intern, uint32_t number, size_t *ret_len)
{
    const uint8_t *string = intern->octets + intern->at[number];

    *ret_len = string[0];
    return string + 1;
}

static uint32_t slot_of(const struct intern *intern, const void *octets, size_t len)
{
    return (uint32_t)XXH3_64bits(octets, len) & (intern->slots - 1);
}

static bool grow_table(struct intern *intern)
{
    uint32_t slots = intern->slots == 0 ? 1024 : intern->slots * 2;
    uint32_t *table;

    if (intern->count * 2 < intern->slots)
        return true;
    table = calloc(slots, sizeof *table);
    if (table == NULL)
        return false;
    free(intern->table);
    intern->table = table;
    intern->slots = slots;
    for (uint32_t i = 0; i < intern->count; i++) {
        size_t len;
        const uint8_t *string = intern_get(intern, i, &len);
        uint32_t slot = slot_of(intern, string, len);

        while (table[slot] != 0)
            slot = (slot + 1) & (slots - 1);
        table[slot] = i + 1;
    }
    return true;
}

static bool grow_strings(struct intern *intern, size_t more)
{
    if (intern->used + more > intern->room) {
        size_t room = intern->room == 0 ? 65536 : intern->room * 2;
        uint8_t *octets;

        if (room > INTERN_BYTES_MAX || (octets = realloc(intern->octets, room)) == NULL)
            return false;
        intern->octets = octets;
        intern->room = room;
    }
    if (intern->count == intern->at_room) {
        uint32_t room = intern->at_room == 0 ? 1024 : intern->at_room * 2;
        uint32_t *at = realloc(intern->at, room * sizeof *at);

        if (at == NULL)
            return false;
        intern->at = at;
        intern->at_room = room;
    }
    return true;
}

bool intern_put(struct intern *intern, const void *octets, size_t len, uint32_t *ret_number)
{
    uint32_t slot;

    if (len > INTERN_LEN_MAX || !grow_table(intern))
        return false;
    slot = slot_of(intern, octets, len);
    for (; intern->table[slot] != 0; slot = (slot + 1) & (intern->slots - 1)) {
        size_t have;
        const uint8_t *string = intern_get(intern, intern->table[slot] - 1, &have);

        if (have == len && memcmp(string, octets, len) == 0) {
            *ret_number = intern->table[slot] - 1;
            return true;
        }
    }
    if (!grow_strings(intern, len + 1))
        return false;
    intern->at[intern->count] = (uint32_t)intern->used;
    intern->octets[intern->used] = (uint8_t)len;
    memcpy(intern->octets + intern->used + 1, octets, len);
    intern->used += len + 1;
    intern->table[slot] = ++intern->count;
    *ret_number = intern->count - 1;
    return true;
}
