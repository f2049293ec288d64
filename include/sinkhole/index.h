/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The blocklist index, reader's side: what the module maps and asks for every name.
 *
 * On disk (doc/index-format.md): index/head, replaced by rename at each publication, and
 * index/base-<id>, immutable. The head names its base and carries the rules and policies in force,
 * and the *delta*: names whose complete list of rule ids differs from the base's (an empty list: no
 * longer listed). A look-up asks the delta first, then the base.
 *
 * Threads: an open index is immutable; any number of threads may ask it at once. Who closes it sees
 * to it that nobody asks any more. Memory: two read-only maps and one small heap object; a look-up
 * takes no lock, no heap and no system call.
 */
#ifndef SINKHOLE_INDEX_H
#define SINKHOLE_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sinkhole/name.h"
#include "sinkhole/rule.h"

#define SINKHOLE_INDEX_VERSION 1
#define SINKHOLE_DIGEST_LEN 16
#define SINKHOLE_INDEX_ENTRIES_MAX 64 /* rules on one name; the builder refuses more */

enum sinkhole_index_status {
    SINKHOLE_INDEX_OK = 0,
    SINKHOLE_INDEX_MISSING,   /* no head, or the base it names is not there */
    SINKHOLE_INDEX_TRUNCATED, /* shorter than its header says */
    SINKHOLE_INDEX_MAGIC,     /* another kind of file */
    SINKHOLE_INDEX_UNKNOWN_VERSION,
    SINKHOLE_INDEX_CHECKSUM,
    SINKHOLE_INDEX_DAMAGED,   /* checksum right, contents impossible */
    SINKHOLE_INDEX_IO,        /* errno is set */
    SINKHOLE_INDEX_NO_MEMORY,
};
const char *sinkhole_index_status_text(enum sinkhole_index_status status);

/* The folder that holds index/, journal/ and counters: $SINKHOLE_DIR, else the path compiled in. */
const char *sinkhole_dir(void);

struct sinkhole_index; /* opaque */

struct sinkhole_index_info {
    uint64_t generation;
    uint64_t entries;                      /* (name, rule) pairs in force: Redis's count */
    uint8_t digest[SINKHOLE_DIGEST_LEN];   /* Redis's digest of the same */
    uint64_t base_id;
    uint64_t base_generation;
    uint64_t base_names;
    uint64_t delta_names;
    uint64_t built_ms;                     /* Unix ms */
    uint64_t policy_hash;                  /* of rules and policies: same hash, same meaning */
    uint32_t monitored;                    /* rules whose effective action is MONITOR */
    uint32_t rules, policies;
    uint64_t bytes_hot;                    /* bucket tables */
    uint64_t bytes_total;                  /* both files */
};

/* Opens DIR/index/head and its base, verifies both whole (checksum, bounds), maps them. */
enum sinkhole_index_status sinkhole_index_open(const char *dir, struct sinkhole_index **ret_index);
void sinkhole_index_close(struct sinkhole_index *index); /* NULL is fine */
void sinkhole_index_info(const struct sinkhole_index *index, struct sinkhole_index_info *ret_info);

struct sinkhole_match {
    const struct sinkhole_rule *rule;     /* in the map: valid while the index is open */
    const struct sinkhole_policy *policy; /* of the rule's feed */
    uint8_t action;                       /* effective: never INHERIT */
    uint8_t name_off; /* the listed name: offset of its first label in the wire form asked */
    bool apex;                            /* the asked name is the listed name itself */
    bool near; /* always set; false: no suffix of the name has any entry */
};

/*
 * The rule that decides for a lower-cased, uncompressed, checked wire form of `wire_len` octets.
 * Order: an exception anywhere among name and ancestors wins; then the most specific listed name;
 * then the feed of higher rank; then the stricter action; then the lower rule id. Entries past
 * valid_until (`now_s` Unix seconds) and entries whose scope does not cover the name do not count.
 * Returns false when nothing is listed or an exception wins (then ret_match->action is ALLOW and
 * ->rule set; otherwise ->rule is NULL).
 */
bool sinkhole_index_find(const struct sinkhole_index *index, const uint8_t *wire, size_t wire_len,
                         int64_t now_s, struct sinkhole_match *ret_match);

/* All rule ids on exactly this key, sorted, expired ones too; returns how many (0: not listed). */
size_t sinkhole_index_entries(const struct sinkhole_index *index, const char *key, size_t key_len,
                              uint32_t ret_ids[SINKHOLE_INDEX_ENTRIES_MAX]);
/* A rule by its id, NULL when the head has none. */
const struct sinkhole_rule *sinkhole_index_rule(const struct sinkhole_index *index, uint32_t id);
const struct sinkhole_policy *sinkhole_index_policy(const struct sinkhole_index *index,
                                                    const struct sinkhole_rule *rule);

/* Walks keys in order; `visit` returns false to stop. WHOLE: delta over base, removed names left
 * out. DELTA: the delta's names only, removed ones with count 0. Returns false on a damaged file.
 */
enum sinkhole_index_part { SINKHOLE_INDEX_WHOLE, SINKHOLE_INDEX_DELTA };
typedef bool (*sinkhole_index_visit_fn)(void *arg, const char *key, size_t key_len,
                                        const uint32_t *ids, size_t count);
bool sinkhole_index_walk(const struct sinkhole_index *index, enum sinkhole_index_part part,
                         sinkhole_index_visit_fn visit, void *arg);

#endif
