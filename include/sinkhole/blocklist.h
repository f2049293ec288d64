/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The blocklist in Redis: truth for every resolver.
 *
 * One list of lines "key TAB rule-id", sorted by key, kept as immutable zstd chunks (a snapshot)
 * and a change log of generations after it; head = {generation, snapshot, entries, digest}. Feeds
 * and rules (batches) stand in hashes beside it. See doc/redis.md.
 *
 * A publication is one MULTI/EXEC guarded by WATCH of the head: all of it or none.
 *
 * Threads: with its store handle; a visitor may not call the store that reads for it (INVALID).
 * Memory: a reader holds one chunk (64k lines) at a time; the log
 * part by part.
 */
#ifndef SINKHOLE_BLOCKLIST_H
#define SINKHOLE_BLOCKLIST_H

#include "sinkhole/index_build.h"
#include "sinkhole/store.h"

/* --- feeds --- */
struct sinkhole_feed {
    struct sinkhole_policy policy; /* name, kind, rank, action, answers, ttl, ede */
    char title[128];               /* for people, UTF-8 */
    char contact[128];
    char format[32];    /* default parser: plain, hosts, csv, text */
    bool classified;    /* letter numbers stay out of answers */
    uint64_t entries;   /* maintained by publication */
    int64_t updated_ms; /* last publication */
    uint64_t updated_generation;
};
/* Adds or changes (entries and updated_* are kept); a new or another policy is a generation of its
 * own, with no line. */
enum sinkhole_store_status sinkhole_feed_put(struct sinkhole_store *store,
                                             const struct sinkhole_feed *feed);
enum sinkhole_store_status sinkhole_feed_get(struct sinkhole_store *store, const char *name,
                                             struct sinkhole_feed *ret_feed);
typedef bool (*sinkhole_feed_fn)(void *arg, const struct sinkhole_feed *feed);
enum sinkhole_store_status sinkhole_feed_list(struct sinkhole_store *store, sinkhole_feed_fn visit,
                                              void *arg);

/* --- rules: provenance and attributes --- */
struct sinkhole_batch {
    struct sinkhole_rule rule; /* .feed unused: the feed's name stands below */
    char feed[SINKHOLE_FEED_NAME_MAX + 1];
    char reference[128]; /* the letter's number */
    char issuer[128];
    char issued[16];   /* date on the letter, YYYY-MM-DD or empty */
    char received[16]; /* date received */
    char who[64];      /* the process's own user */
    char remark[128];  /* a name given by option; free words; the reason of an exception */
    char family[64];
    char category[32];
    char tlp[16];
    char import[40]; /* identity of the import it came with */
    int64_t published_ms;
    uint64_t generation;    /* first in force */
    uint64_t address_count; /* of what the import kept beside, not enforced */
};
enum sinkhole_store_status sinkhole_batch_get(struct sinkhole_store *store, uint32_t id,
                                              struct sinkhole_batch *ret_batch);
typedef bool (*sinkhole_batch_fn)(void *arg, const struct sinkhole_batch *batch);
/* `feed` NULL: of all feeds. */
enum sinkhole_store_status sinkhole_batch_list(struct sinkhole_store *store, const char *feed,
                                               sinkhole_batch_fn visit, void *arg);

/* --- reading the list --- */
struct sinkhole_list_head {
    uint64_t generation;
    uint64_t snapshot; /* generation of the snapshot */
    uint64_t entries;
    uint8_t digest[SINKHOLE_DIGEST_LEN];
    int64_t published_ms;
};
enum sinkhole_store_status sinkhole_list_head_get(struct sinkhole_store *store,
                                                  struct sinkhole_list_head *ret_head);
/* All lines in force at one generation, in order, ids of one key together and ascending; count and
 * digest are proved before OK is returned. `visit` false: stop, OK. */
typedef bool (*sinkhole_line_fn)(void *arg, const char *key, size_t key_len, const uint32_t *ids,
                                 size_t count);
enum sinkhole_store_status sinkhole_list_read(struct sinkhole_store *store,
                                              struct sinkhole_list_head *ret_head,
                                              sinkhole_line_fn visit, void *arg);
/* Lines of one key, found through the chunk index and the log: what `why` uses. 0: not listed. */
enum sinkhole_store_status sinkhole_list_find(struct sinkhole_store *store, const char *key,
                                              size_t key_len,
                                              uint32_t ret_ids[SINKHOLE_INDEX_ENTRIES_MAX],
                                              size_t *ret_count);

/* The same for many keys, valid and ascending (`key_at` gives number i), at one generation; `visit`
 * gets those that are listed. Reads the chunks they fall into and the log, not the list. */
typedef const char *(*sinkhole_key_fn)(void *arg, size_t i, size_t *ret_len);
enum sinkhole_store_status sinkhole_list_find_many(struct sinkhole_store *store, size_t keys,
                                                   sinkhole_key_fn key_at, void *key_arg,
                                                   struct sinkhole_list_head *ret_head,
                                                   sinkhole_line_fn visit, void *arg);

/* --- publication --- */
struct sinkhole_change; /* opaque: lines to add and remove, batches to make, for one feed */
/* Takes the head as it stands; publish fails with CONFLICT when it has moved. */
enum sinkhole_store_status sinkhole_change_new(struct sinkhole_store *store, const char *feed,
                                               struct sinkhole_change **ret_change);
void sinkhole_change_free(struct sinkhole_change *change);
/* Reserves an id for a batch of this change; batch->rule.id is set. */
enum sinkhole_store_status sinkhole_change_batch(struct sinkhole_change *change,
                                                 struct sinkhole_batch *batch);
/* In any order. The line must not be in the list (add) or must be in it (remove) at the change's
 * generation, and a line may stand in a change once: publish says INVALID. (A change that touches
 * few chunks, or makes a new snapshot, is checked against the list; else against itself, and the
 * caller vouches: it has read the list at sinkhole_change_generation().) Keys of one label are
 * INVALID. Rule ids are of this change, or of a batch of the same feed. */
enum sinkhole_store_status sinkhole_change_add(struct sinkhole_change *change, const char *key,
                                               size_t key_len, uint32_t rule_id);
enum sinkhole_store_status sinkhole_change_remove(struct sinkhole_change *change, const char *key,
                                                  size_t key_len, uint32_t rule_id);
uint64_t sinkhole_change_generation(const struct sinkhole_change *change); /* it starts from */
void sinkhole_change_count(const struct sinkhole_change *change, uint64_t *ret_add,
                           uint64_t *ret_remove);
/* For the history: what this publication is ("letter 799/BTTTT-CATTT", "rollback to 12"). */
enum sinkhole_store_status sinkhole_change_describe(struct sinkhole_change *change, const char *who,
                                                    const char *text);
typedef void (*sinkhole_progress_fn)(void *arg, const char *what, uint64_t done, uint64_t total);
/* One generation. A change that is large against the list (a quarter) is written as a new snapshot,
 * a smaller one as a log entry; compaction follows by itself. Nothing is in force unless OK. */
enum sinkhole_store_status sinkhole_change_publish(struct sinkhole_change *change,
                                                   sinkhole_progress_fn progress, void *arg,
                                                   uint64_t *ret_generation);

/* --- history of a feed: its last publications, which can be undone --- */
struct sinkhole_publication {
    uint64_t generation;
    int64_t published_ms;
    uint64_t added, removed;
    bool reversible; /* its undo record is there */
    char who[64];
    char text[256];
};
typedef bool (*sinkhole_publication_fn)(void *arg, const struct sinkhole_publication *publication);
/* Newest first, at most ten. */
enum sinkhole_store_status sinkhole_feed_history(struct sinkhole_store *store, const char *feed,
                                                 sinkhole_publication_fn visit, void *arg);
/* Fills an empty change so that publishing it makes the feed's lines what they were just before
 * publication `generation` of its feed, that one and all later ones undone. A rollback is a
 * publication like any other: it can be undone too. `keep`, when not NULL, is asked of each line
 * that would come back; false: it stays out. ABSENT: not in the history, or no longer reversible.
 */
typedef bool (*sinkhole_undo_fn)(void *arg, const char *key, size_t key_len, uint32_t rule_id);
enum sinkhole_store_status sinkhole_change_undo(struct sinkhole_change *change, uint64_t generation,
                                                sinkhole_undo_fn keep, void *arg);

/* --- what imports kept beside their names (addresses, URLs, hashes, names for review): for good;
 * retired with the batches when the feed is removed --- */
/* Publishing the change keeps `data` too (the caller's own format, compressed), which outlives the
 * change. */
enum sinkhole_store_status sinkhole_change_beside(struct sinkhole_change *change,
                                                  const char *import, const void *data, size_t len);
/* The same without a publication, for an import that changes nothing. */
enum sinkhole_store_status sinkhole_beside_put(struct sinkhole_store *store, const char *feed,
                                               const char *import, const void *data, size_t len);
/* Identities of the imports that kept something, oldest first. */
typedef bool (*sinkhole_import_fn)(void *arg, const char *import);
enum sinkhole_store_status sinkhole_beside_list(struct sinkhole_store *store, const char *feed,
                                                sinkhole_import_fn visit, void *arg);
/* To be freed. ABSENT: it kept nothing. */
enum sinkhole_store_status sinkhole_beside_get(struct sinkhole_store *store, const char *feed,
                                               const char *import, void **ret_data,
                                               size_t *ret_len);

/* --- staging area: imports not yet published, one for each feed, kept 30 days --- */
/* `json` describes, `data` is the caller's own format (compress it). Replaces what was there, whole
 * or not at all. */
enum sinkhole_store_status sinkhole_staged_put(struct sinkhole_store *store, const char *feed,
                                               const char *json, const void *data, size_t len);
/* Both to be freed; *ret_json is terminated. ABSENT: nothing staged. INVALID: longer than max_len.
 */
enum sinkhole_store_status sinkhole_staged_get(struct sinkhole_store *store, const char *feed,
                                               size_t max_len, char **ret_json, void **ret_data,
                                               size_t *ret_len);
enum sinkhole_store_status sinkhole_staged_drop(struct sinkhole_store *store, const char *feed);

/* Feed removal: all its lines go in one generation, then its metadata. */
enum sinkhole_store_status sinkhole_feed_remove(struct sinkhole_store *store, const char *name,
                                                sinkhole_progress_fn progress, void *arg,
                                                uint64_t *ret_generation);

#endif
