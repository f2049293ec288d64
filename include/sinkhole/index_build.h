/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The blocklist index, builder's side: used by the agent (and tests), never by the module.
 *
 * Base: sinkhole_base_builder_new, _add for each key in ascending byte order, _finish writes
 * index/base-<id>. Head: sinkhole_head_write with rules, policies and the delta's names, by rename.
 *
 * Threads: one builder belongs to one thread. Memory: a builder holds the compressed names and the
 * bucket table, about 25 bytes a name; it is bounded by max_names.
 */
#ifndef SINKHOLE_INDEX_BUILD_H
#define SINKHOLE_INDEX_BUILD_H

#include "sinkhole/index.h"

enum sinkhole_build_status {
    SINKHOLE_BUILD_OK = 0,
    SINKHOLE_BUILD_ORDER,   /* key not above the one before it */
    SINKHOLE_BUILD_KEY,     /* not a key (name.h), or a top-level domain: never listed */
    SINKHOLE_BUILD_ENTRIES, /* none (in a base), more than SINKHOLE_INDEX_ENTRIES_MAX, or not sorted
                             */
    SINKHOLE_BUILD_FULL,    /* more names than promised */
    SINKHOLE_BUILD_RULES, /* a rule's feed is no policy; ids not ascending; an enum out of range */
    SINKHOLE_BUILD_IO,    /* errno is set; nothing was published */
    SINKHOLE_BUILD_NO_MEMORY,
};
const char *sinkhole_build_status_text(enum sinkhole_build_status status);

/* What the lines of a snapshot come to; copied into the file as given. */
struct sinkhole_build_state {
    uint64_t generation;
    uint64_t entries;
    uint8_t digest[SINKHOLE_DIGEST_LEN];
};

struct sinkhole_base_builder; /* opaque */
enum sinkhole_build_status sinkhole_base_builder_new(uint64_t max_names,
                                                     struct sinkhole_base_builder **ret_builder);
/* ids: ascending, 1..SINKHOLE_INDEX_ENTRIES_MAX of them. */
enum sinkhole_build_status sinkhole_base_builder_add(struct sinkhole_base_builder *builder,
                                                     const char *key, size_t key_len,
                                                     const uint32_t *ids, size_t count);
/* Writes DIR/index/base-<id> (temporary file, fsync, rename, fsync of the folder). The builder is
 * spent afterwards, whatever the status. `base_id` > 0, never used before in this folder. */
enum sinkhole_build_status sinkhole_base_builder_finish(struct sinkhole_base_builder *builder,
                                                        const char *dir, uint64_t base_id,
                                                        const struct sinkhole_build_state *state);
void sinkhole_base_builder_free(struct sinkhole_base_builder *builder); /* NULL is fine */

struct sinkhole_delta_name {
    const char *key;
    const uint32_t *ids; /* ascending; the complete list in force */
    uint16_t key_len;
    uint16_t count;      /* 0: no longer listed */
};

struct sinkhole_head {
    struct sinkhole_build_state state;
    uint64_t base_id;                  /* must stand in DIR/index already */
    const struct sinkhole_rule *rules; /* ascending ids */
    size_t rule_count;
    const struct sinkhole_policy *policies;
    size_t policy_count;
    const struct sinkhole_delta_name *delta; /* ascending keys */
    size_t delta_count;
};
/* Writes DIR/index/head.tmp, opens it with the reader (verify before the switch), renames it to
 * head. */
enum sinkhole_build_status sinkhole_head_write(const char *dir, const struct sinkhole_head *head);
/* Removes bases that neither the head nor `keep_base_id` names. */
void sinkhole_index_sweep(const char *dir, uint64_t keep_base_id);

#endif
