/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One walk over the list in force beside the sorted names tells what comes, goes and stays. To
 * publish, it is walked twice: for the counts, so that no rule is made in vain, and for the change
 * itself; both at the generation from which the change starts. Threads and memory: see plan.h.
 */
#include "feeds/plan.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ATTEMPTS 4
#define PROGRESS_EVERY 65536

struct walk {
    const struct feed_plan *plan;
    struct sinkhole_batch *batches; /* of the feed, ascending ids */
    size_t batch_count, batch_room;
    struct sinkhole_change *change; /* NULL: only count */
    uint32_t rule_of[3];            /* new rules by scope; 0: not made */
    bool wanted[3];                 /* scopes with something to add */
    size_t next;                    /* of the names */
    uint64_t lines, total;
    struct sinkhole_feeds_outcome *outcome;
    enum sinkhole_store_status store;
    bool no_memory;
};

static bool keep_batch(void *arg, const struct sinkhole_batch *batch)
{
    struct walk *walk = arg;

    if (walk->batch_count == walk->batch_room) {
        size_t room = walk->batch_room == 0 ? 16 : walk->batch_room * 2;
        struct sinkhole_batch *batches = realloc(walk->batches, room * sizeof *batches);

        if (batches == NULL) {
            walk->no_memory = true;
            return false;
        }
        walk->batches = batches;
        walk->batch_room = room;
    }
    walk->batches[walk->batch_count++] = *batch;
    return true;
}

static int by_id(const void *a, const void *b)
{
    const struct sinkhole_batch *x = a, *y = b;

    return (x->rule.id > y->rule.id) - (x->rule.id < y->rule.id);
}

static const struct sinkhole_batch *find_batch(const struct walk *walk, uint32_t id)
{
    size_t low = 0, high = walk->batch_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (walk->batches[middle].rule.id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < walk->batch_count && walk->batches[low].rule.id == id ? &walk->batches[low] : NULL;
}

static bool is_same_text(const char *old, const char *new)
{
    return new[0] == '\0' || strcmp(old, new) == 0;
}

/* What decides about enforcement and reports; not the letter, which only says who asked first. What
 * the new import does not say (family, category, TLP) it does not take away either. */
static bool is_equal(const struct walk *walk, const struct sinkhole_batch *old,
                     enum sinkhole_scope scope)
{
    const struct sinkhole_batch *new = walk->plan->attributes;

    return old->rule.scope == scope && old->rule.action == new->rule.action &&
           old->rule.valid_until == new->rule.valid_until &&
           old->rule.severity == new->rule.severity &&
           old->rule.confidence == new->rule.confidence &&is_same_text(old->family, new->family) &&
           is_same_text(old->category, new->category) && is_same_text(old->tlp, new->tlp) &&
           (!walk->plan->same_remark || strcmp(old->remark, new->remark) == 0);
}

static void note_store(struct walk *walk, enum sinkhole_store_status status)
{
    if (walk->store == SINKHOLE_STORE_OK)
        walk->store = status;
}

static void tell(const struct walk *walk, enum sinkhole_difference difference, const char *key,
                 size_t key_len, enum sinkhole_scope scope)
{
    if (walk->plan->visit != NULL && walk->change == NULL)
        walk->plan->visit(walk->plan->arg, difference, key, key_len, scope, SINKHOLE_REASON_COUNT);
}

static void line_add(struct walk *walk, const char *key, size_t key_len, enum sinkhole_scope scope)
{
    walk->wanted[scope] = true;
    if (walk->change != NULL)
        note_store(walk, sinkhole_change_add(walk->change, key, key_len, walk->rule_of[scope]));
}

static void line_remove(struct walk *walk, const char *key, size_t key_len, uint32_t id)
{
    if (walk->change != NULL)
        note_store(walk, sinkhole_change_remove(walk->change, key, key_len, id));
}

static void name_added(struct walk *walk, const char *key, size_t key_len,
                       enum sinkhole_scope scope)
{
    if (walk->plan->take_off)
        return;
    walk->outcome->added++;
    line_add(walk, key, key_len, scope);
    tell(walk, SINKHOLE_DIFF_ADDED, key, key_len, scope);
}

static void name_removed(struct walk *walk, const char *key, size_t key_len,
                         const struct sinkhole_batch *old)
{
    walk->outcome->removed++;
    line_remove(walk, key, key_len, old->rule.id);
    tell(walk, SINKHOLE_DIFF_REMOVED, key, key_len, (enum sinkhole_scope)old->rule.scope);
}

/* The name is listed by the feed and stands among the names. */
static void name_met(struct walk *walk, const char *key, size_t key_len, enum sinkhole_scope scope,
                     const struct sinkhole_batch *old)
{
    if (walk->plan->take_off) {
        name_removed(walk, key, key_len, old);
        return;
    }
    if (is_equal(walk, old, scope)) {
        walk->outcome->kept++;
        return;
    }
    walk->outcome->changed++;
    line_remove(walk, key, key_len, old->rule.id);
    line_add(walk, key, key_len, scope);
    tell(walk, SINKHOLE_DIFF_CHANGED, key, key_len, scope);
}

static int compare_text(const char *a, size_t a_len, const char *b, size_t b_len)
{
    int order = memcmp(a, b, a_len < b_len ? a_len : b_len);

    return order != 0 ? order : (a_len > b_len) - (a_len < b_len);
}

static bool walk_line(void *arg, const char *key, size_t key_len, const uint32_t *ids, size_t count)
{
    struct walk *walk = arg;
    const struct feed_names *names = walk->plan->names;
    const struct sinkhole_batch *old = NULL;
    int order = 1;

    for (size_t i = 0; i < count && old == NULL; i++)
        old = find_batch(walk, ids[i]);
    while (walk->next < names->count) {
        enum sinkhole_scope scope;
        size_t len;
        const char *name = feed_names_at(names, walk->next, &len, &scope);

        order = compare_text(name, len, key, key_len);
        if (order > 0)
            break;
        walk->next++;
        if (order < 0 || old == NULL) {
            name_added(walk, name, len, scope);
        } else {
            name_met(walk, key, key_len, scope, old);
        }
        if (order == 0)
            break;
    }
    if (order != 0 && old != NULL) /* replace: not among the names */
        name_removed(walk, key, key_len, old);
    walk->lines += count;
    if (walk->plan->feeds->progress != NULL && walk->lines % PROGRESS_EVERY < count)
        walk->plan->feeds->progress(walk->plan->feeds->progress_arg, "Comparing", walk->lines,
                                    walk->total > walk->lines ? walk->total : walk->lines + 1);
    return walk->store == SINKHOLE_STORE_OK;
}

static const char *name_at(void *arg, size_t i, size_t *ret_len)
{
    enum sinkhole_scope scope;

    return feed_names_at(arg, i, ret_len, &scope);
}

/* One pass. With a change it must be at the generation that the change starts from. */
static enum sinkhole_store_status pass(struct walk *walk)
{
    const struct sinkhole_feeds *feeds = walk->plan->feeds;
    struct sinkhole_feeds_outcome *outcome = walk->outcome;
    struct sinkhole_list_head head = {0};
    enum sinkhole_store_status status;

    outcome->added = outcome->removed = outcome->changed = outcome->kept = 0;
    walk->next = 0;
    walk->lines = 0;
    if (walk->plan->mode == SINKHOLE_MODE_AMEND)
        status =
            sinkhole_list_find_many(feeds->store, walk->plan->names->count, name_at,
                                    (void *)(uintptr_t)walk->plan->names, &head, walk_line, walk);
    else
        status = sinkhole_list_read(feeds->store, &head, walk_line, walk);
    if (status == SINKHOLE_STORE_OK)
        status = walk->store;
    if (status != SINKHOLE_STORE_OK)
        return status;
    while (walk->next < walk->plan->names->count) {
        enum sinkhole_scope scope;
        size_t len;
        const char *name = feed_names_at(walk->plan->names, walk->next++, &len, &scope);

        name_added(walk, name, len, scope);
    }
    if (feeds->progress != NULL)
        feeds->progress(feeds->progress_arg, "Comparing", walk->lines, walk->lines);
    outcome->generation = head.generation;
    return walk->store;
}

static enum sinkhole_feeds_status walk_begin(struct walk *walk)
{
    struct sinkhole_list_head head;

    walk->store = sinkhole_batch_list(walk->plan->feeds->store, walk->plan->feed, keep_batch, walk);
    if (walk->no_memory)
        return SINKHOLE_FEEDS_NO_MEMORY;
    if (walk->store != SINKHOLE_STORE_OK)
        return SINKHOLE_FEEDS_STORE;
    if (walk->batch_count > 1)
        qsort(walk->batches, walk->batch_count, sizeof *walk->batches, by_id);
    if (sinkhole_list_head_get(walk->plan->feeds->store, &head) == SINKHOLE_STORE_OK)
        walk->total = head.entries;
    return SINKHOLE_FEEDS_OK;
}

static bool is_nothing(const struct sinkhole_feeds_outcome *outcome)
{
    return outcome->added == 0 && outcome->removed == 0 && outcome->changed == 0;
}

enum sinkhole_feeds_status feed_plan_compare(const struct feed_plan *plan,
                                             struct sinkhole_feeds_outcome *outcome)
{
    struct walk walk = {.plan = plan, .outcome = outcome};
    enum sinkhole_feeds_status status = walk_begin(&walk);

    if (status == SINKHOLE_FEEDS_OK) {
        walk.store = pass(&walk);
        status = walk.store != SINKHOLE_STORE_OK ? SINKHOLE_FEEDS_STORE
                 : is_nothing(outcome)           ? SINKHOLE_FEEDS_NOTHING
                                                 : SINKHOLE_FEEDS_OK;
    }
    outcome->store = walk.store;
    free(walk.batches);
    return status;
}

/* A batch for each scope that gets something. What is kept beside is counted on the first. */
static enum sinkhole_store_status make_rules(struct walk *walk, struct sinkhole_change *change)
{
    uint64_t beside = walk->plan->attributes->address_count;

    for (size_t scope = 0; scope < 3; scope++) {
        struct sinkhole_batch batch = *walk->plan->attributes;
        enum sinkhole_store_status status;

        if (!walk->wanted[scope])
            continue;
        batch.rule.id = 0;
        batch.rule.scope = (uint8_t)scope;
        batch.address_count = beside;
        status = sinkhole_change_batch(change, &batch);
        if (status != SINKHOLE_STORE_OK)
            return status;
        walk->rule_of[scope] = batch.rule.id;
        beside = 0;
    }
    return SINKHOLE_STORE_OK;
}

static enum sinkhole_store_status fill(struct walk *walk, struct sinkhole_change *change)
{
    uint64_t generation = sinkhole_change_generation(change);
    enum sinkhole_store_status status = pass(walk);

    if (status != SINKHOLE_STORE_OK || is_nothing(walk->outcome))
        return status;
    if (walk->outcome->generation != generation)
        return SINKHOLE_STORE_CONFLICT;
    status = make_rules(walk, change);
    if (status != SINKHOLE_STORE_OK)
        return status;
    walk->change = change;
    status = pass(walk);
    if (status == SINKHOLE_STORE_OK && walk->outcome->generation != generation)
        status = SINKHOLE_STORE_CONFLICT;
    if (status == SINKHOLE_STORE_OK)
        status =
            sinkhole_change_describe(change, walk->plan->attributes->who, walk->plan->describe);
    if (status == SINKHOLE_STORE_OK && walk->plan->beside != NULL)
        status = sinkhole_change_beside(change, walk->plan->attributes->import, walk->plan->beside,
                                        walk->plan->beside_len);
    return status;
}

static enum sinkhole_feeds_status publish_once(const struct feed_plan *plan,
                                               struct sinkhole_feeds_outcome *outcome)
{
    const struct sinkhole_feeds *feeds = plan->feeds;
    struct walk walk = {.plan = plan, .outcome = outcome};
    struct sinkhole_change *change = NULL;
    enum sinkhole_feeds_status status;

    walk.store = sinkhole_change_new(feeds->store, plan->feed, &change);
    status = walk.store == SINKHOLE_STORE_OK ? walk_begin(&walk) : SINKHOLE_FEEDS_STORE;
    if (status == SINKHOLE_FEEDS_OK) {
        walk.store = fill(&walk, change);
        if (walk.store == SINKHOLE_STORE_OK && is_nothing(outcome))
            status = SINKHOLE_FEEDS_NOTHING;
        else if (walk.store == SINKHOLE_STORE_OK)
            walk.store = sinkhole_change_publish(change, feeds->progress, feeds->progress_arg,
                                                 &outcome->generation);
        if (walk.store != SINKHOLE_STORE_OK)
            status = SINKHOLE_FEEDS_STORE;
    }
    outcome->store = walk.store;
    sinkhole_change_free(change);
    free(walk.batches);
    return status;
}

bool feed_plan_again(struct sinkhole_store *store, enum sinkhole_store_status status)
{
    return status == SINKHOLE_STORE_CONFLICT ||
           (status == SINKHOLE_STORE_RECONNECT && sinkhole_store_ping(store) == SINKHOLE_STORE_OK);
}

enum sinkhole_feeds_status feed_plan_publish(const struct feed_plan *plan,
                                             struct sinkhole_feeds_outcome *outcome)
{
    enum sinkhole_feeds_status status = SINKHOLE_FEEDS_STORE;

    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        status = publish_once(plan, outcome);
        if (status != SINKHOLE_FEEDS_STORE || !feed_plan_again(plan->feeds->store, outcome->store))
            break;
    }
    return status;
}
