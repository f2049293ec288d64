/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a publication writes between MULTI and EXEC. Each function adds to the row unless *status
 * tells of a failure already.
 *
 * Threads and memory: see change.h.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/change.h"
#include "store/list_json.h"

static void chunk_key(const char *snapshot, uint64_t n, char key[SINKHOLE_REDIS_KEY_MAX])
{
    snprintf(key, SINKHOLE_REDIS_KEY_MAX, SINKHOLE_REDIS_CHUNK_F, snapshot, n);
}

static void digest_hex(const uint8_t octets[SINKHOLE_DIGEST_LEN],
                       char hex[2 * SINKHOLE_DIGEST_LEN + 1])
{
    for (size_t i = 0; i < SINKHOLE_DIGEST_LEN; i++)
        snprintf(hex + 2 * i, 3, "%02x", octets[i]);
}

static void add_json(struct sinkhole_store *store, enum sinkhole_store_status *status,
                     const char *key, const char *field, char *json)
{
    if (json == NULL && *status == SINKHOLE_STORE_OK)
        *status = sinkhole_store_no_memory(store);
    if (*status == SINKHOLE_STORE_OK)
        *status = sinkhole_pipe_add(store, "HSET %s %s %s", key, field, json);
    free(json);
}

static void add_batches(struct sinkhole_store *store, const struct sinkhole_commit *commit,
                        enum sinkhole_store_status *status)
{
    char id[16];

    for (size_t i = 0; *status == SINKHOLE_STORE_OK && i < commit->change->batch_count; i++) {
        struct sinkhole_batch batch = commit->change->batches[i];

        batch.published_ms = commit->now_ms;
        batch.generation = commit->generation + 1;
        snprintf(id, sizeof(id), "%u", batch.rule.id);
        add_json(store, status, SINKHOLE_REDIS_BATCHES, id, sinkhole_batch_to_json(&batch));
    }
}

/* The other feeds of a list begun anew: no entry, and nothing to go back to. */
static void add_emptied(struct sinkhole_store *store, const struct sinkhole_commit *commit,
                        enum sinkhole_store_status *status)
{
    char history[SINKHOLE_REDIS_KEY_MAX];

    for (size_t i = 0; *status == SINKHOLE_STORE_OK && i < commit->emptied_count; i++) {
        const struct sinkhole_feed *feed = &commit->emptied[i];

        snprintf(history, sizeof(history), SINKHOLE_REDIS_HISTORY_F, feed->policy.feed);
        *status = sinkhole_pipe_add(store, "UNLINK %s", history);
        add_json(store, status, SINKHOLE_REDIS_FEEDS, feed->policy.feed,
                 sinkhole_feed_to_json(feed));
    }
}

static void add_parts(struct sinkhole_store *store, const struct sinkhole_commit *commit,
                      const struct sinkhole_list_root *next, enum sinkhole_store_status *status)
{
    unsigned long long parts = commit->parts.count == 0 ? 1 : commit->parts.count;
    unsigned long long generation = next->head.generation;
    char digest[2 * SINKHOLE_DIGEST_LEN + 1];

    digest_hex(next->head.digest, digest);
    for (unsigned long long i = 1; *status == SINKHOLE_STORE_OK && i < parts; i++)
        *status =
            sinkhole_pipe_add(store, "XADD " SINKHOLE_REDIS_LOG " %llu-%llu z %b", generation, i,
                              commit->parts.items[i - 1].data, commit->parts.items[i - 1].len);
    if (*status != SINKHOLE_STORE_OK)
        return;
    if (commit->parts.count > 0)
        *status = sinkhole_pipe_add(store,
                                    "XADD " SINKHOLE_REDIS_LOG
                                    " %llu-%llu z %b parts %llu entries %llu digest %s meta %llu",
                                    generation, parts, commit->parts.items[parts - 1].data,
                                    commit->parts.items[parts - 1].len, parts,
                                    (unsigned long long)next->head.entries, digest,
                                    (unsigned long long)next->meta);
    else
        *status = sinkhole_pipe_add(store,
                                    "XADD " SINKHOLE_REDIS_LOG
                                    " %llu-1 snapshot %d parts 1 entries %llu digest %s meta %llu",
                                    generation, commit->snapshot != NULL,
                                    (unsigned long long)next->head.entries, digest,
                                    (unsigned long long)next->meta);
}

static void add_head(struct sinkhole_store *store, const struct sinkhole_list_root *next,
                     enum sinkhole_store_status *status)
{
    char digest[2 * SINKHOLE_DIGEST_LEN + 1], snapshot_digest[2 * SINKHOLE_DIGEST_LEN + 1];

    if (*status != SINKHOLE_STORE_OK)
        return;
    digest_hex(next->head.digest, digest);
    digest_hex(next->snapshot_digest, snapshot_digest);
    *status = sinkhole_pipe_add(
        store,
        "HSET " SINKHOLE_REDIS_HEAD
        " version 1 generation %llu entries %llu digest %s published_ms %lld publication %s"
        " meta %llu snapshot %llu snapshot_name %s chunks %llu snapshot_entries %llu"
        " snapshot_digest %s log_lines %llu",
        (unsigned long long)next->head.generation, (unsigned long long)next->head.entries, digest,
        (long long)next->head.published_ms, next->publication, (unsigned long long)next->meta,
        (unsigned long long)next->head.snapshot, next->snapshot_name,
        (unsigned long long)next->chunks, (unsigned long long)next->snapshot_entries,
        snapshot_digest, (unsigned long long)next->log_lines);
}

/* The new snapshot stays, the old one has an hour, the log keeps what came after the old one. */
static void add_snapshot(struct sinkhole_store *store, const struct sinkhole_commit *commit,
                         enum sinkhole_store_status *status)
{
    const struct sinkhole_list_root *old = &commit->root;
    char key[SINKHOLE_REDIS_KEY_MAX];

    for (uint64_t n = 0; *status == SINKHOLE_STORE_OK && n < commit->snapshot->chunks; n++) {
        chunk_key(commit->snapshot->name, n, key);
        *status = sinkhole_pipe_add(store, "PERSIST %s", key);
    }
    snprintf(key, sizeof(key), SINKHOLE_REDIS_CHUNKS_F, commit->snapshot->name);
    if (*status == SINKHOLE_STORE_OK)
        *status = sinkhole_pipe_add(store, "PERSIST %s", key);
    for (uint64_t n = 0; *status == SINKHOLE_STORE_OK && n < old->chunks; n++) {
        chunk_key(old->snapshot_name, n, key);
        *status = sinkhole_pipe_add(store, "EXPIRE %s %d", key, SINKHOLE_REDIS_OLD_SNAPSHOT_S);
    }
    if (*status == SINKHOLE_STORE_OK && old->chunks > 0) {
        snprintf(key, sizeof(key), SINKHOLE_REDIS_CHUNKS_F, old->snapshot_name);
        *status = sinkhole_pipe_add(store, "EXPIRE %s %d", key, SINKHOLE_REDIS_OLD_SNAPSHOT_S);
    }
    if (*status == SINKHOLE_STORE_OK)
        *status = sinkhole_pipe_add(store, "XTRIM " SINKHOLE_REDIS_LOG " MINID %llu",
                                    (unsigned long long)old->head.snapshot + 1);
}

static void add_undo(struct sinkhole_store *store, const struct sinkhole_commit *commit,
                     enum sinkhole_store_status *status)
{
    const struct sinkhole_change *change = commit->change;
    char *drop = calloc(change->batch_count + 1, 12);
    char key[SINKHOLE_REDIS_KEY_MAX];
    size_t at = 0;

    if (drop == NULL) {
        *status = sinkhole_store_no_memory(store);
        return;
    }
    for (size_t i = 0; i < change->batch_count; i++)
        at += (size_t)sprintf(drop + at, "%s%u", i == 0 ? "" : " ", change->batches[i].rule.id);
    snprintf(key, sizeof(key), SINKHOLE_REDIS_UNDO_F, change->feed, commit->generation + 1);
    *status = sinkhole_pipe_add(store, "UNLINK %s", key);
    if (*status == SINKHOLE_STORE_OK)
        *status = sinkhole_pipe_add(store, "HSET %s drop %b", key, drop, at);
    free(drop);
    for (unsigned long long i = 0; *status == SINKHOLE_STORE_OK && i < commit->undo.count; i++)
        *status = sinkhole_pipe_add(store, "HSET %s %llu %b", key, i, commit->undo.items[i].data,
                                    commit->undo.items[i].len);
    if (*status == SINKHOLE_STORE_OK)
        *status = sinkhole_pipe_add(store, "EXPIRE %s %d", key, SINKHOLE_REDIS_UNDO_S);
}

static void add_forget(struct sinkhole_store *store, const struct sinkhole_commit *commit,
                       size_t count, enum sinkhole_store_status *status)
{
    char history[SINKHOLE_REDIS_KEY_MAX], undo[SINKHOLE_REDIS_KEY_MAX];

    snprintf(history, sizeof(history), SINKHOLE_REDIS_HISTORY_F, commit->change->feed);
    for (size_t i = 0; *status == SINKHOLE_STORE_OK && i < count; i++) {
        snprintf(undo, sizeof(undo), SINKHOLE_REDIS_UNDO_F, commit->change->feed, commit->old[i]);
        *status = sinkhole_pipe_add(store, "UNLINK %s", undo);
        if (*status == SINKHOLE_STORE_OK)
            *status = sinkhole_pipe_add(store, "HDEL %s %llu", history,
                                        (unsigned long long)commit->old[i]);
    }
}

static void add_history(struct sinkhole_store *store, const struct sinkhole_commit *commit,
                        enum sinkhole_store_status *status)
{
    const struct sinkhole_change *change = commit->change;
    struct sinkhole_publication publication = {
        .published_ms = commit->now_ms,
        .added = change->added,
        .removed = change->removed,
        .reversible = commit->reversible,
    };
    char key[SINKHOLE_REDIS_KEY_MAX], field[24];

    snprintf(key, sizeof(key), SINKHOLE_REDIS_HISTORY_F, change->feed);
    snprintf(field, sizeof(field), "%" PRIu64, commit->generation + 1);
    memcpy(publication.who, change->who, sizeof(publication.who));
    memcpy(publication.text, change->text, sizeof(publication.text));
    add_json(store, status, key, field, sinkhole_publication_to_json(&publication));
    if (*status == SINKHOLE_STORE_OK)
        *status = sinkhole_pipe_add(store, "EXPIRE %s %d", key, SINKHOLE_REDIS_UNDO_S);
    if (*status == SINKHOLE_STORE_OK && commit->reversible)
        add_undo(store, commit, status);
    if (commit->root.seen == 0) /* of a list that was given up: nothing to go back to */
        add_forget(store, commit, commit->old_count, status);
    else if (commit->old_count >= SINKHOLE_REDIS_UNDO_KEPT)
        add_forget(store, commit, commit->old_count - SINKHOLE_REDIS_UNDO_KEPT + 1, status);
}

static void add_beside(struct sinkhole_store *store, const struct sinkhole_change *change,
                       enum sinkhole_store_status *status)
{
    char key[SINKHOLE_REDIS_KEY_MAX];

    snprintf(key, sizeof(key), SINKHOLE_REDIS_BESIDE_F, change->feed);
    if (*status == SINKHOLE_STORE_OK && change->beside.len > 0)
        *status = sinkhole_pipe_add(store, "HSET %s %s %b", key, change->import,
                                    change->beside.data, change->beside.len);
}

/* What is staged goes, what imports kept beside retires with the batches. */
static void add_imports_removal(struct sinkhole_store *store, const struct sinkhole_commit *commit,
                                enum sinkhole_store_status *status)
{
    char key[SINKHOLE_REDIS_KEY_MAX], retired[SINKHOLE_REDIS_KEY_MAX];
    const char *feed = commit->change->feed;

    for (uint64_t n = 0; *status == SINKHOLE_STORE_OK && n < commit->staged_pieces; n++) {
        snprintf(key, sizeof(key), SINKHOLE_REDIS_PIECE_F, feed, commit->staged_token, n);
        *status = sinkhole_pipe_add(store, "UNLINK %s", key);
    }
    snprintf(key, sizeof(key), SINKHOLE_REDIS_STAGED_F, feed);
    if (*status == SINKHOLE_STORE_OK)
        *status = sinkhole_pipe_add(store, "UNLINK %s", key);
    snprintf(key, sizeof(key), SINKHOLE_REDIS_BESIDE_F, feed);
    snprintf(retired, sizeof(retired), SINKHOLE_REDIS_RETIRED_BESIDE_F, feed,
             commit->generation + 1);
    if (*status == SINKHOLE_STORE_OK && commit->has_beside)
        *status = sinkhole_pipe_add(store, "RENAME %s %s", key, retired);
}

static void add_feed_removal(struct sinkhole_store *store, const struct sinkhole_commit *commit,
                             enum sinkhole_store_status *status)
{
    char id[16];

    if (*status == SINKHOLE_STORE_OK)
        *status =
            sinkhole_pipe_add(store, "HDEL " SINKHOLE_REDIS_FEEDS " %s", commit->change->feed);
    for (size_t i = 0; *status == SINKHOLE_STORE_OK && i < commit->retire_count; i++) {
        snprintf(id, sizeof(id), "%u", commit->retire[i].rule.id);
        add_json(store, status, SINKHOLE_REDIS_RETIRED, id,
                 sinkhole_batch_to_json(&commit->retire[i]));
        if (*status == SINKHOLE_STORE_OK)
            *status = sinkhole_pipe_add(store, "HDEL " SINKHOLE_REDIS_BATCHES " %s", id);
    }
    add_forget(store, commit, commit->old_count, status);
    add_imports_removal(store, commit, status);
}

/* The head as it will be. */
static struct sinkhole_list_root next_root(const struct sinkhole_commit *commit)
{
    const struct sinkhole_change *change = commit->change;
    struct sinkhole_list_root next = commit->root;

    memcpy(next.publication, commit->publication, sizeof(next.publication));
    if (change != NULL) {
        next.head.generation = commit->generation + 1;
        next.head.entries += change->added - change->removed;
        next.head.published_ms = commit->now_ms;
        sinkhole_digest_octets(&commit->digest, next.head.digest);
        next.meta += change->kind != SINKHOLE_CHANGE_LINES || change->batch_count > 0;
        next.log_lines += change->added + change->removed;
    }
    if (commit->snapshot != NULL) {
        next.head.snapshot = next.head.generation;
        memcpy(next.snapshot_name, commit->snapshot->name, sizeof(next.snapshot_name));
        next.chunks = commit->snapshot->chunks;
        next.snapshot_entries = commit->snapshot->entries;
        memcpy(next.snapshot_digest, next.head.digest, sizeof(next.snapshot_digest));
        next.log_lines = 0;
    }
    return next;
}

enum sinkhole_store_status sinkhole_commit_row(struct sinkhole_store *store,
                                               const struct sinkhole_commit *commit)
{
    const struct sinkhole_change *change = commit->change;
    enum sinkhole_store_status status = SINKHOLE_STORE_OK;
    struct sinkhole_list_root next = next_root(commit);

    if (commit->snapshot != NULL && commit->snapshot->entries != next.head.entries)
        return sinkhole_store_fail(store, SINKHOLE_STORE_DAMAGED,
                                   "the new snapshot has %" PRIu64 " lines, the head says %" PRIu64,
                                   commit->snapshot->entries, next.head.entries);
    if (change != NULL) {
        add_batches(store, commit, &status);
        add_emptied(store, commit, &status);
        if (change->kind == SINKHOLE_CHANGE_REMOVE)
            add_feed_removal(store, commit, &status);
        else
            add_json(store, &status, SINKHOLE_REDIS_FEEDS, change->feed,
                     sinkhole_feed_to_json(&commit->feed));
        add_parts(store, commit, &next, &status);
        if (change->kind == SINKHOLE_CHANGE_LINES)
            add_history(store, commit, &status);
        add_beside(store, change, &status);
    }
    add_head(store, &next, &status);
    if (status == SINKHOLE_STORE_OK && commit->snapshot != NULL)
        add_snapshot(store, commit, &status);
    return status;
}
