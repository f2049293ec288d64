/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A head and a base of any octets, with checksums put right: whatever the contents say, nothing
 * is read outside. Input: length of the head (32 bits, little-endian), head, base.
 */
#include <stdlib.h>

#include "lib/index_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct asked {
    const struct sinkhole_index *index;
    unsigned keys;
};

static bool ask(void *arg, const char *key, size_t key_len, const uint32_t *ids, size_t count)
{
    struct asked *asked = arg;
    uint32_t found[SINKHOLE_INDEX_ENTRIES_MAX];
    struct sinkhole_match match;
    struct sinkhole_name name;

    (void)ids;
    if (count > SINKHOLE_INDEX_ENTRIES_MAX ||
        sinkhole_name_from_key(key, key_len, &name) != SINKHOLE_NAME_OK)
        abort();
    sinkhole_index_find(asked->index, name.wire, name.wire_len, 1000, &match);
    if (match.rule != NULL && (match.policy == NULL || match.action == SINKHOLE_ACTION_INHERIT))
        abort();
    sinkhole_index_entries(asked->index, key, key_len, found);
    return ++asked->keys < 1000;
}

static void ask_fixed(struct asked *asked)
{
    static const char *const keys[] = {"com example", "com example www", "vn evil", "a b", "zz zz"};
    static const uint32_t none[1];

    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
        ask(asked, keys[i], strlen(keys[i]), none, 0);
}

/* As a builder would leave it, so that the checks behind the checksum are reached. */
static void put_right(struct index_map *map, uint8_t *bytes, const char *magic,
                      const struct index_header *base)
{
    struct index_header *header = (void *)bytes;

    map->bytes = bytes;
    if (map->len < sizeof(*header))
        return;
    memcpy(header->magic, magic, INDEX_MAGIC_LEN);
    header->version = SINKHOLE_INDEX_VERSION;
    header->must_understand = 0;
    header->file_len = map->len;
    if (base != NULL) {
        header->base_id = base->base_id;
        header->base_checksum = base->checksum;
        header->seed = base->seed;
    }
    header->checksum = index_checksum(bytes, map->len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sinkhole_index index = {0};
    struct asked asked = {.index = &index};
    void *head = NULL, *base = NULL;
    uint32_t head_len;

    if (size < sizeof(head_len))
        return 0;
    memcpy(&head_len, data, sizeof(head_len));
    size -= sizeof(head_len);
    data += sizeof(head_len);
    if (head_len > size)
        head_len = (uint32_t)size;
    index.head_map.len = head_len;
    index.base_map.len = size - head_len;
    if (posix_memalign(&head, INDEX_ALIGN, head_len + 1) != 0 ||
        posix_memalign(&base, INDEX_ALIGN, index.base_map.len + 1) != 0)
        abort();
    memcpy(head, data, head_len);
    memcpy(base, data + head_len, index.base_map.len);
    put_right(&index.base_map, base, INDEX_MAGIC_BASE, NULL);
    put_right(&index.head_map, head, INDEX_MAGIC_HEAD,
              index.base_map.len >= sizeof(struct index_header) ? base : NULL);
    if (index_check(&index) == SINKHOLE_INDEX_OK) {
        sinkhole_index_walk(&index, SINKHOLE_INDEX_WHOLE, ask, &asked);
        sinkhole_index_walk(&index, SINKHOLE_INDEX_DELTA, ask, &asked);
        ask_fixed(&asked);
    }
    free(head);
    free(base);
    return 0;
}
