/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A publication under way, inside store/ only: what change.c collects, snapshot.c writes ahead and
 * commit.c puts in force.
 *
 * Threads: with its store handle. Memory: the changed lines (overlay), their encoded parts.
 */
#ifndef SINKHOLE_CHANGE_H
#define SINKHOLE_CHANGE_H

#include "store/list_view.h"

#define SINKHOLE_STAGED_TOKEN_MAX 8
#define SINKHOLE_UNDO_OCTETS_MAX (64u << 20) /* of one record; a larger one is not kept */

enum sinkhole_change_kind {
    SINKHOLE_CHANGE_LINES,
    SINKHOLE_CHANGE_POLICY, /* `policy` is new; no line */
    SINKHOLE_CHANGE_REMOVE, /* the feed goes, with all its lines */
};

struct sinkhole_value { /* one encoded part */
    void *data;
    size_t len;
};
struct sinkhole_values {
    struct sinkhole_value *items;
    size_t count, octets;
};
void sinkhole_values_free(struct sinkhole_values *values);
enum sinkhole_store_status sinkhole_values_add(struct sinkhole_store *store,
                                               struct sinkhole_values *values,
                                               struct sinkhole_list_encoder *encoder);

struct sinkhole_change {
    struct sinkhole_store *store;
    enum sinkhole_change_kind kind;
    char feed[SINKHOLE_FEED_NAME_MAX + 1];
    struct sinkhole_feed policy; /* CHANGE_POLICY: the feed as it shall be */
    uint64_t generation;         /* it starts from */
    struct sinkhole_overlay *lines;
    uint64_t added, removed;
    uint32_t *uses; /* rule ids of the lines, ascending */
    size_t use_count;
    struct sinkhole_batch *batches; /* ascending ids */
    size_t batch_count;
    char who[64], text[256]; /* for the history */
    char import[40];              /* whose `beside` is, if there is any */
    struct sinkhole_value beside; /* the caller's */
};
/* Without any look at Redis; NULL: no memory. */
struct sinkhole_change *sinkhole_change_make(struct sinkhole_store *store, const char *feed,
                                             enum sinkhole_change_kind kind);
/* Publishes, under the caller's own "what". */
enum sinkhole_store_status sinkhole_change_run(struct sinkhole_change *change,
                                               sinkhole_progress_fn progress, void *arg,
                                               uint64_t *ret_generation);
/* True when `id` was reserved by this change. */
bool sinkhole_change_owns(const struct sinkhole_change *change, uint32_t id);

/* INVALID when a settled change adds what is listed or takes off what is not; looked up for a
 * change of few chunks only (verify.c). `view` needs no log. */
enum sinkhole_store_status sinkhole_change_verify(const struct sinkhole_change *change,
                                                  const struct sinkhole_list_view *view);

/* --- a snapshot, written ahead (snapshot.c) --- */
struct sinkhole_snapshot {
    char name[SINKHOLE_SNAPSHOT_NAME_MAX + 1];
    uint64_t chunks, entries;
};
/*
 * The list with `change` (NULL: as it stands) as new chunks that expire by themselves, on a
 * connection of its own. The view's net change takes the change's lines in.
 */
enum sinkhole_store_status sinkhole_snapshot_write(struct sinkhole_store *store,
                                                   struct sinkhole_list_view *view,
                                                   const struct sinkhole_change *change,
                                                   sinkhole_progress_fn progress, void *arg,
                                                   struct sinkhole_snapshot *ret_snapshot);

/* --- putting in force (commit.c) --- */
struct sinkhole_commit {
    const struct sinkhole_change *change;     /* NULL: compaction, no new generation */
    const struct sinkhole_snapshot *snapshot; /* NULL: the change goes to the log */
    struct sinkhole_values parts;             /* of the log entry */
    struct sinkhole_values undo;
    bool reversible;
    uint64_t generation;           /* the head's, when this began */
    struct sinkhole_digest digest; /* after it */
    int64_t now_ms;
    char publication[17]; /* random */
    /* found under WATCH */
    struct sinkhole_list_root root;
    struct sinkhole_feed feed;     /* as it is to be written */
    struct sinkhole_feed *emptied; /* a list begun anew: the other feeds, to be written as empty */
    size_t emptied_count;
    struct sinkhole_batch *retire; /* CHANGE_REMOVE: its batches */
    size_t retire_count;
    char staged_token[SINKHOLE_STAGED_TOKEN_MAX + 1]; /* CHANGE_REMOVE: what is staged for it */
    uint64_t staged_pieces;
    bool has_beside; /* CHANGE_REMOVE: its imports kept something */
    uint64_t *old; /* generations of this feed's history */
    size_t old_count;
};
/* OK, CONFLICT (the head moved), or why not; nothing is in force unless OK. */
enum sinkhole_store_status sinkhole_commit_run(struct sinkhole_store *store,
                                               struct sinkhole_commit *commit);
/* What stands between MULTI and EXEC (commit_row.c). */
enum sinkhole_store_status sinkhole_commit_row(struct sinkhole_store *store,
                                               const struct sinkhole_commit *commit);
void sinkhole_commit_done(struct sinkhole_commit *commit);
/* Random hexadecimal digits and a terminator. */
bool sinkhole_random_hex(char *text, size_t digits);

/* What is staged for a feed, nothing being no failure: 0 pieces (staged.c). */
enum sinkhole_store_status sinkhole_staged_look(struct sinkhole_store *store,
                                                enum sinkhole_call again, const char *feed,
                                                char ret_token[SINKHOLE_STAGED_TOKEN_MAX + 1],
                                                uint64_t *ret_pieces);

/* Feeds and batches as they stand (feed.c); ABSENT without an error's text. */
enum sinkhole_store_status sinkhole_feed_read(struct sinkhole_store *store,
                                              enum sinkhole_call again, const char *name,
                                              struct sinkhole_feed *ret_feed);
enum sinkhole_store_status sinkhole_batch_visit(struct sinkhole_store *store,
                                                enum sinkhole_call again, const char *feed,
                                                sinkhole_batch_fn visit, void *arg);

#endif
