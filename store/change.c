/* SPDX-License-Identifier: BSD-3-Clause */
/* Collects a change and publishes it. Threads and memory: see change.h. */
#include "store/change.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sinkhole/clock.h"
#include "store/list_json.h"

#define LARGE 4              /* a change, or a log, of a LARGEth of the list makes a new snapshot */
#define LOG_GENERATIONS 4096 /* as do that many generations, however small */

/* --- collecting --- */

void sinkhole_values_free(struct sinkhole_values *values)
{
    for (size_t i = 0; i < values->count; i++)
        free(values->items[i].data);
    free(values->items);
    *values = (struct sinkhole_values){0};
}

enum sinkhole_store_status sinkhole_values_add(struct sinkhole_store *store,
                                               struct sinkhole_values *values,
                                               struct sinkhole_list_encoder *encoder)
{
    struct sinkhole_value *items, value;
    const void *data;

    items = realloc(values->items, (values->count + 1) * sizeof(*items));
    if (items == NULL)
        return sinkhole_store_no_memory(store);
    values->items = items;
    if (sinkhole_list_encoder_finish(encoder, &data, &value.len) != SINKHOLE_CODEC_OK)
        return sinkhole_store_no_memory(store);
    value.data = malloc(value.len);
    if (value.data == NULL)
        return sinkhole_store_no_memory(store);
    memcpy(value.data, data, value.len);
    values->items[values->count++] = value;
    values->octets += value.len;
    return SINKHOLE_STORE_OK;
}

struct sinkhole_change *sinkhole_change_make(struct sinkhole_store *store, const char *feed,
                                             enum sinkhole_change_kind kind)
{
    struct sinkhole_change *change = calloc(1, sizeof(*change));

    if (change == NULL)
        return NULL;
    change->store = store;
    change->kind = kind;
    snprintf(change->feed, sizeof(change->feed), "%s", feed);
    change->lines = sinkhole_overlay_new(SIZE_MAX / 2);
    if (change->lines == NULL) {
        free(change);
        return NULL;
    }
    return change;
}

enum sinkhole_store_status sinkhole_change_new(struct sinkhole_store *store, const char *feed,
                                               struct sinkhole_change **ret_change)
{
    struct sinkhole_list_root root;
    struct sinkhole_change *change;
    struct sinkhole_feed found;
    enum sinkhole_store_status status;

    sinkhole_store_begin(store, "begin a change of feed %.40s", feed);
    status = sinkhole_feed_read(store, SINKHOLE_CALL_AGAIN, feed, &found);
    if (status == SINKHOLE_STORE_OK)
        status = sinkhole_list_root_read(store, SINKHOLE_CALL_AGAIN, &root);
    if (status != SINKHOLE_STORE_OK)
        return status;
    change = sinkhole_change_make(store, feed, SINKHOLE_CHANGE_LINES);
    if (change == NULL)
        return sinkhole_store_no_memory(store);
    change->generation = root.head.generation;
    *ret_change = change;
    return SINKHOLE_STORE_OK;
}

void sinkhole_change_free(struct sinkhole_change *change)
{
    if (change == NULL)
        return;
    sinkhole_overlay_free(change->lines);
    free(change->uses);
    free(change->batches);
    free(change);
}

uint64_t sinkhole_change_generation(const struct sinkhole_change *change)
{
    return change->generation;
}

void sinkhole_change_count(const struct sinkhole_change *change, uint64_t *ret_add,
                           uint64_t *ret_remove)
{
    *ret_add = change->added;
    *ret_remove = change->removed;
}

enum sinkhole_store_status sinkhole_change_describe(struct sinkhole_change *change, const char *who,
                                                    const char *text)
{
    sinkhole_store_begin(change->store, "describe a change of feed %s", change->feed);
    if (strlen(who) >= sizeof(change->who) || strlen(text) >= sizeof(change->text))
        return sinkhole_store_fail(change->store, SINKHOLE_STORE_INVALID, "too long");
    memcpy(change->who, who, strlen(who) + 1);
    memcpy(change->text, text, strlen(text) + 1);
    return SINKHOLE_STORE_OK;
}

bool sinkhole_change_owns(const struct sinkhole_change *change, uint32_t id)
{
    size_t low = 0, high = change->batch_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (change->batches[middle].rule.id == id)
            return true;
        if (change->batches[middle].rule.id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

/* A batch that reads back as it was written: bounds, ranges and UTF-8 are right. */
static bool batch_valid(const struct sinkhole_batch *batch)
{
    char *json = sinkhole_batch_to_json(batch);
    struct sinkhole_batch read;
    bool valid = json != NULL && sinkhole_batch_from_json("1", 1, json, strlen(json), &read);

    free(json);
    return valid;
}

enum sinkhole_store_status sinkhole_change_batch(struct sinkhole_change *change,
                                                 struct sinkhole_batch *batch)
{
    struct sinkhole_store *store = change->store;
    struct sinkhole_batch *batches;
    enum sinkhole_store_status status;
    redisReply *reply;
    long long id;

    sinkhole_store_begin(store, "make a rule of feed %s", change->feed);
    memcpy(batch->feed, change->feed, sizeof(batch->feed));
    if (!batch_valid(batch))
        return sinkhole_store_fail(store, SINKHOLE_STORE_INVALID,
                                   "a field is out of range or not UTF-8");
    batches = realloc(change->batches, (change->batch_count + 1) * sizeof(*batches));
    if (batches == NULL)
        return sinkhole_store_no_memory(store);
    change->batches = batches;
    /* Twice costs a number, no more. */
    status = sinkhole_store_call(store, SINKHOLE_CALL_AGAIN, &reply, "INCR " SINKHOLE_REDIS_NEXT);
    if (status != SINKHOLE_STORE_OK)
        return status;
    id = reply->integer;
    freeReplyObject(reply);
    if (id <= 0 || id > UINT32_MAX ||
        (change->batch_count > 0 && id <= (long long)batches[change->batch_count - 1].rule.id))
        return sinkhole_store_fail(store, SINKHOLE_STORE_DAMAGED,
                                   SINKHOLE_REDIS_NEXT " gave %lld: no rule id", id);
    batch->rule.id = (uint32_t)id;
    batches[change->batch_count++] = *batch;
    return SINKHOLE_STORE_OK;
}

static enum sinkhole_store_status change_line(struct sinkhole_change *change, const char *key,
                                              size_t key_len, uint32_t rule_id, bool remove)
{
    enum sinkhole_codec_status codec;

    if (!sinkhole_list_key_valid(key, key_len) || memchr(key, ' ', key_len) == NULL || rule_id == 0)
        return sinkhole_store_fail(change->store, SINKHOLE_STORE_INVALID,
                                   "\"%.*s\" is no name that a list may carry",
                                   (int)(key_len > 64 ? 64 : key_len), key);
    codec = sinkhole_overlay_append(change->lines, key, key_len, rule_id, remove);
    if (codec != SINKHOLE_CODEC_OK)
        return sinkhole_store_no_memory(change->store);
    if (remove)
        change->removed++;
    else
        change->added++;
    return SINKHOLE_STORE_OK;
}

enum sinkhole_store_status sinkhole_change_add(struct sinkhole_change *change, const char *key,
                                               size_t key_len, uint32_t rule_id)
{
    return change_line(change, key, key_len, rule_id, false);
}

enum sinkhole_store_status sinkhole_change_remove(struct sinkhole_change *change, const char *key,
                                                  size_t key_len, uint32_t rule_id)
{
    return change_line(change, key, key_len, rule_id, true);
}

/* --- publishing --- */

/* Notes a use once; the last one is looked at first, since imports come in long runs of one id. */
static bool note_use(struct sinkhole_change *change, size_t *last, uint32_t id)
{
    size_t low = 0, high = change->use_count;
    uint32_t *uses;

    if (*last < change->use_count && change->uses[*last] == id)
        return true;
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (change->uses[middle] < id)
            low = middle + 1;
        else
            high = middle;
    }
    *last = low;
    if (low < change->use_count && change->uses[low] == id)
        return true;
    uses = realloc(change->uses, (change->use_count + 1) * sizeof(*uses));
    if (uses == NULL)
        return false;
    change->uses = uses;
    memmove(&uses[low + 1], &uses[low], (change->use_count - low) * sizeof(*uses));
    uses[low] = id;
    change->use_count++;
    return true;
}

/* Sorted, no line twice, the rules in use known; the digest's change in *ret_digest. */
static enum sinkhole_store_status settle(struct sinkhole_change *change,
                                         const uint8_t key[SINKHOLE_DIGEST_KEY_LEN],
                                         struct sinkhole_digest *digest)
{
    enum sinkhole_codec_status codec = sinkhole_overlay_settle(change->lines);
    size_t count = sinkhole_overlay_count(change->lines), last = 0;
    struct sinkhole_list_line line;
    char text[SINKHOLE_KEY_MAX + 16];

    if (codec == SINKHOLE_CODEC_NO_MEMORY)
        return sinkhole_store_no_memory(change->store);
    if (codec != SINKHOLE_CODEC_OK || count != change->added + change->removed)
        return sinkhole_store_fail(change->store, SINKHOLE_STORE_INVALID,
                                   "a line stands twice in the change");
    for (size_t i = 0; i < count; i++) {
        size_t len;

        sinkhole_overlay_line(change->lines, i, &line);
        len = sinkhole_list_line_text(text, line.text, line.key_len, line.id);
        if (line.remove)
            sinkhole_digest_subtract(digest, key, text, len);
        else
            sinkhole_digest_add(digest, key, text, len);
        if (!note_use(change, &last, line.id))
            return sinkhole_store_no_memory(change->store);
    }
    return SINKHOLE_STORE_OK;
}

/* The change's lines as parts; `undo`: with the sign turned, lines of its own rules left out. */
static enum sinkhole_store_status encode(const struct sinkhole_change *change, bool undo,
                                         struct sinkhole_values *values)
{
    struct sinkhole_list_encoder *encoder = sinkhole_list_encoder_new(SINKHOLE_LIST_PART);
    size_t count = sinkhole_overlay_count(change->lines);
    enum sinkhole_store_status status = SINKHOLE_STORE_OK;
    enum sinkhole_codec_status codec = SINKHOLE_CODEC_OK;
    struct sinkhole_list_line line;

    if (encoder == NULL)
        return sinkhole_store_no_memory(change->store);
    for (size_t i = 0; status == SINKHOLE_STORE_OK && i < count; i++) {
        sinkhole_overlay_line(change->lines, i, &line);
        if (undo && !line.remove && sinkhole_change_owns(change, line.id))
            continue;
        codec = sinkhole_list_encoder_add(encoder, line.text, line.key_len, line.id,
                                          line.remove != undo);
        if (codec == SINKHOLE_CODEC_FULL) {
            status = sinkhole_values_add(change->store, values, encoder);
            i--;
        } else if (codec != SINKHOLE_CODEC_OK) {
            status = sinkhole_list_fail(change->store, codec, "a line of the change");
        }
        if (undo && values->octets > SINKHOLE_UNDO_OCTETS_MAX)
            break;
    }
    if (status == SINKHOLE_STORE_OK && sinkhole_list_encoder_lines(encoder) > 0)
        status = sinkhole_values_add(change->store, values, encoder);
    sinkhole_list_encoder_free(encoder);
    return status;
}

/* The digest's key is made once, before the first publication. */
static enum sinkhole_store_status make_key(struct sinkhole_store *store)
{
    char random[SINKHOLE_DIGEST_KEY_LEN + 1];

    if (!sinkhole_random_hex(random, SINKHOLE_DIGEST_KEY_LEN))
        return sinkhole_store_fail(store, SINKHOLE_STORE_NO_MEMORY, "no random octets");
    return sinkhole_store_call(store, SINKHOLE_CALL_AGAIN, NULL,
                               "SETNX " SINKHOLE_REDIS_DIGEST_KEY " %b", random,
                               (size_t)SINKHOLE_DIGEST_KEY_LEN);
}

static bool wants_snapshot(const struct sinkhole_change *change,
                           const struct sinkhole_list_root *root)
{
    uint64_t lines = change->added + change->removed;

    return root->seen == 0 || (lines > 0 && lines >= root->head.entries / LARGE);
}

/* As a new snapshot or as parts of the log; then the record that undoes it. */
static enum sinkhole_store_status prepare(struct sinkhole_change *change,
                                          struct sinkhole_list_view *view,
                                          struct sinkhole_snapshot *snapshot,
                                          struct sinkhole_commit *commit,
                                          sinkhole_progress_fn progress, void *arg)
{
    enum sinkhole_store_status status;

    if (wants_snapshot(change, &view->root)) {
        status = sinkhole_snapshot_write(change->store, view, change, progress, arg, snapshot);
        commit->snapshot = snapshot;
    } else {
        status = sinkhole_change_verify(change, view);
        if (status == SINKHOLE_STORE_OK)
            status = encode(change, false, &commit->parts);
    }
    if (status == SINKHOLE_STORE_OK && change->kind == SINKHOLE_CHANGE_LINES) {
        status = encode(change, true, &commit->undo);
        commit->reversible = commit->undo.octets <= SINKHOLE_UNDO_OCTETS_MAX;
    }
    return status;
}

/* A failure here fails nothing: the next publication tries again. */
static void compact(struct sinkhole_store *store, uint64_t generation,
                    sinkhole_progress_fn progress, void *arg)
{
    struct sinkhole_commit commit = {.generation = generation};
    struct sinkhole_list_view view;
    struct sinkhole_snapshot snapshot;

    if (sinkhole_list_view_open(store, true, &view) != SINKHOLE_STORE_OK)
        return;
    if (view.root.head.generation == generation &&
        sinkhole_snapshot_write(store, &view, NULL, progress, arg, &snapshot) ==
            SINKHOLE_STORE_OK) {
        commit.snapshot = &snapshot;
        sinkhole_commit_run(store, &commit);
    }
    sinkhole_list_view_done(&view);
    sinkhole_commit_done(&commit);
}

static bool compaction_due(const struct sinkhole_change *change,
                           const struct sinkhole_commit *commit)
{
    uint64_t lines = commit->root.log_lines + change->added + change->removed;

    return commit->snapshot == NULL &&
           ((lines > 0 && lines >= commit->root.snapshot_entries / LARGE) ||
            commit->generation - commit->root.head.snapshot >= LOG_GENERATIONS);
}

enum sinkhole_store_status sinkhole_change_run(struct sinkhole_change *change,
                                               sinkhole_progress_fn progress, void *arg,
                                               uint64_t *ret_generation)
{
    struct sinkhole_commit commit = {.change = change, .generation = change->generation};
    struct sinkhole_store *store = change->store;
    struct sinkhole_snapshot snapshot;
    struct sinkhole_list_view view = {0};
    struct sinkhole_list_root root;
    enum sinkhole_store_status status;

    status = sinkhole_list_root_read(store, SINKHOLE_CALL_AGAIN, &root);
    if (status == SINKHOLE_STORE_OK && root.seen == 0)
        status = make_key(store);
    if (status == SINKHOLE_STORE_OK)
        status = sinkhole_list_view_open(store, wants_snapshot(change, &root), &view);
    if (status == SINKHOLE_STORE_OK && view.root.head.generation != change->generation)
        status = sinkhole_store_fail(store, SINKHOLE_STORE_CONFLICT,
                                     "generation %" PRIu64
                                     " has been published meanwhile; look and try again",
                                     view.root.head.generation);
    if (status != SINKHOLE_STORE_OK)
        goto out;
    commit.digest = sinkhole_digest_from_octets(view.root.head.digest);
    commit.now_ms = sinkhole_now_ms();
    status = settle(change, view.key, &commit.digest);
    if (status == SINKHOLE_STORE_OK)
        status = prepare(change, &view, &snapshot, &commit, progress, arg);
    if (status == SINKHOLE_STORE_OK)
        status = sinkhole_commit_run(store, &commit);
    if (status != SINKHOLE_STORE_OK)
        goto out;
    *ret_generation = commit.generation + 1;
    if (compaction_due(change, &commit))
        compact(store, commit.generation + 1, progress, arg);
out:
    sinkhole_list_view_done(&view);
    sinkhole_commit_done(&commit);
    return status;
}

enum sinkhole_store_status sinkhole_change_publish(struct sinkhole_change *change,
                                                   sinkhole_progress_fn progress, void *arg,
                                                   uint64_t *ret_generation)
{
    sinkhole_store_begin(change->store, "publish feed %s", change->feed);
    return sinkhole_change_run(change, progress, arg, ret_generation);
}
