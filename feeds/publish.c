/* SPDX-License-Identifier: BSD-3-Clause */
/* Staging, difference, publication, exceptions. Threads and memory: see feeds.h. */
#include "feeds/beside.h"
#include "feeds/plan.h"

#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sinkhole/clock.h"

#define PROGRESS_EVERY 65536

const char *sinkhole_feeds_status_text(enum sinkhole_feeds_status status)
{
    static const char *const texts[] = {
        "done",
        "nothing to change",
        "the store",
        "not there",
        "refused by the guards",
        "the protected names of the settings cannot be used",
        "what is staged cannot be read: import again",
        "somebody else has staged another import meanwhile: look at it, or import again",
        "an attribute is out of range, or is no UTF-8",
        "out of memory",
    };

    return texts[status];
}

void sinkhole_process_user(char *buf, size_t size)
{
    const struct passwd *user = getpwuid(getuid());

    if (user != NULL && user->pw_name[0] != '\0')
        snprintf(buf, size, "%s", user->pw_name);
    else
        snprintf(buf, size, "uid %ju", (uintmax_t)getuid());
}

static enum sinkhole_feeds_status from_store(struct sinkhole_feeds_outcome *outcome,
                                             enum sinkhole_store_status status)
{
    outcome->store = status;
    if (status == SINKHOLE_STORE_OK)
        return SINKHOLE_FEEDS_OK;
    return status == SINKHOLE_STORE_ABSENT ? SINKHOLE_FEEDS_ABSENT : SINKHOLE_FEEDS_STORE;
}

enum sinkhole_feeds_status sinkhole_import_stage(const struct sinkhole_feeds *feeds,
                                                 const struct sinkhole_import *import,
                                                 const char *feed,
                                                 const struct sinkhole_staged *given,
                                                 struct sinkhole_feeds_outcome *ret_outcome)
{
    const struct sinkhole_import_counts *counts = &import->counts;
    struct sinkhole_staged staged = *given;
    struct sinkhole_feed row;
    enum sinkhole_feeds_status status;
    char *json = NULL;
    void *data = NULL;
    size_t len = 0;

    memset(ret_outcome, 0, sizeof *ret_outcome);
    status = from_store(ret_outcome, sinkhole_feed_get(feeds->store, feed, &row));
    if (status != SINKHOLE_FEEDS_OK)
        return status;
    staged.format = import->options.format;
    staged.private_suffix = import->options.allow_private_suffix;
    staged.names = counts->names;
    staged.addresses = counts->addresses;
    staged.urls = counts->urls;
    staged.hashes = counts->hashes;
    staged.emails = counts->emails;
    staged.review = counts->review;
    staged.staged_ms = sinkhole_now_ms();
    staged.attributes.address_count =
        counts->addresses + counts->urls + counts->hashes + counts->emails + counts->review;
    snprintf(staged.attributes.feed, sizeof staged.attributes.feed, "%s", feed);
    snprintf(staged.attributes.import, sizeof staged.attributes.import, "%" PRId64 "-%ld",
             staged.staged_ms, (long)getpid());
    memcpy(ret_outcome->import, staged.attributes.import, sizeof ret_outcome->import);
    json = feed_staging_to_json(&staged);
    if (json == NULL)
        status = SINKHOLE_FEEDS_INVALID;
    else if (!feed_staging_pack(import, feeds->progress, feeds->progress_arg, &data, &len))
        status = SINKHOLE_FEEDS_NO_MEMORY;
    else
        status = from_store(ret_outcome, sinkhole_staged_put(feeds->store, feed, json, data, len));
    free(json);
    free(data);
    return status;
}

/* What is staged, its names sorted and past today's guard. `names` NULL: only the rest. */
static enum sinkhole_feeds_status load(const struct sinkhole_feeds *feeds, const char *feed,
                                       struct feed_names *names, sinkhole_beside_fn visit,
                                       void *arg, struct sinkhole_staged *ret_staged,
                                       struct sinkhole_feeds_outcome *outcome)
{
    enum sinkhole_feeds_status status;
    char *json = NULL;
    void *data = NULL;
    size_t len = 0;

    status = from_store(
        outcome, sinkhole_staged_get(feeds->store, feed, FEED_STAGED_MOST, &json, &data, &len));
    if (status != SINKHOLE_FEEDS_OK)
        return status;
    if (!feed_staging_from_json(json, ret_staged))
        status = SINKHOLE_FEEDS_DAMAGED;
    else if (names != NULL || visit != NULL)
        status = feed_staging_unpack(data, len, names, visit, arg);
    free(json);
    free(data);
    return status;
}

enum sinkhole_feeds_status sinkhole_staged_read(const struct sinkhole_feeds *feeds,
                                                const char *feed, sinkhole_beside_fn visit,
                                                void *arg, struct sinkhole_staged *ret_staged,
                                                struct sinkhole_feeds_outcome *ret_outcome)
{
    memset(ret_outcome, 0, sizeof *ret_outcome);
    return load(feeds, feed, NULL, visit, arg, ret_staged, ret_outcome);
}

/* Takes out what today's guards refuse. */
static enum sinkhole_feeds_status guard_again(const struct sinkhole_feeds *feeds,
                                              const struct sinkhole_staged *staged,
                                              struct feed_names *names, sinkhole_diff_fn visit,
                                              void *arg, struct sinkhole_feeds_outcome *outcome)
{
    struct feed_guard *guard = feed_guard_new(feeds->settings, feeds->suffixes, outcome->bad);
    size_t to = 0;

    if (guard == NULL)
        return outcome->bad[0] == '\0' ? SINKHOLE_FEEDS_NO_MEMORY : SINKHOLE_FEEDS_GUARD;
    for (size_t i = 0; i < names->count; i++) {
        enum sinkhole_note_reason reason;
        enum sinkhole_scope scope;
        size_t len;
        const char *text = feed_names_at(names, i, &len, &scope);

        if (feeds->progress != NULL && i % PROGRESS_EVERY == 0)
            feeds->progress(feeds->progress_arg, "Checking", i, names->count);
        reason = feed_guard_check_key(guard, text, len, scope, staged->private_suffix);
        if (reason == SINKHOLE_REASON_COUNT) {
            names->entries[to++] = names->entries[i];
            continue;
        }
        outcome->refused++;
        outcome->reason = reason;
        if (visit != NULL)
            visit(arg, SINKHOLE_DIFF_REFUSED, text, len, scope, reason);
    }
    if (feeds->progress != NULL)
        feeds->progress(feeds->progress_arg, "Checking", names->count, names->count);
    names->count = to;
    feed_guard_free(guard);
    return to == 0 ? SINKHOLE_FEEDS_REFUSED : SINKHOLE_FEEDS_OK;
}

/* Staged -> names past both guards. `beside`, when not NULL, gets what stands beside them. */
static enum sinkhole_feeds_status prepare(const struct sinkhole_feeds *feeds, const char *feed,
                                          const char *import, struct feed_plan *plan,
                                          struct feed_names *names, struct sinkhole_staged *staged,
                                          struct feed_text_store *beside,
                                          struct sinkhole_feeds_outcome *outcome)
{
    enum sinkhole_feeds_status status;

    memset(outcome, 0, sizeof *outcome);
    status =
        load(feeds, feed, names, beside == NULL ? NULL : feed_beside_keep, beside, staged, outcome);
    if (status == SINKHOLE_FEEDS_OK && import != NULL &&
        strcmp(import, staged->attributes.import) != 0)
        status = SINKHOLE_FEEDS_OVERTAKEN;
    if (status != SINKHOLE_FEEDS_OK)
        return status;
    feed_names_sort(names, feeds->progress, feeds->progress_arg);
    plan->feeds = feeds;
    plan->feed = feed;
    plan->names = names;
    plan->mode = staged->mode;
    plan->attributes = &staged->attributes;
    return guard_again(feeds, staged, names, plan->visit, plan->arg, outcome);
}

enum sinkhole_feeds_status sinkhole_feeds_diff(const struct sinkhole_feeds *feeds, const char *feed,
                                               sinkhole_diff_fn visit, void *arg,
                                               struct sinkhole_feeds_outcome *ret_outcome)
{
    struct feed_plan plan = {.visit = visit, .arg = arg};
    struct sinkhole_staged staged;
    struct feed_names names;
    enum sinkhole_feeds_status status;

    feed_names_init(&names, feeds->settings->guard_most_names);
    status = prepare(feeds, feed, NULL, &plan, &names, &staged, NULL, ret_outcome);
    if (status == SINKHOLE_FEEDS_OK)
        status = feed_plan_compare(&plan, ret_outcome);
    feed_names_done(&names);
    return status;
}

/* An import that changes no name; said again word for word (a list fetched every hour), it is no
 * news. */
static enum sinkhole_feeds_status keep_alone(const struct feed_plan *plan,
                                             const struct feed_text_store *beside,
                                             struct sinkhole_feeds_outcome *outcome)
{
    enum sinkhole_feeds_status status;
    bool old;

    status = feed_beside_is_old(plan->feeds, plan->feed, beside, &old, outcome);
    if (status != SINKHOLE_FEEDS_OK)
        return status;
    outcome->store = SINKHOLE_STORE_OK;
    if (!old)
        outcome->store =
            sinkhole_beside_put(plan->feeds->store, plan->feed, plan->attributes->import,
                                plan->beside, plan->beside_len);
    return outcome->store == SINKHOLE_STORE_OK ? SINKHOLE_FEEDS_NOTHING : SINKHOLE_FEEDS_STORE;
}

/* Publishes; what is kept beside goes with it, or alone when no name changes. */
static enum sinkhole_feeds_status publish_with_beside(struct feed_plan *plan,
                                                      const struct sinkhole_staged *staged,
                                                      const struct feed_text_store *beside,
                                                      struct sinkhole_feeds_outcome *outcome)
{
    enum sinkhole_feeds_status status = SINKHOLE_FEEDS_OK;
    char describe[272];
    void *data = NULL;

    if (beside->used > 0)
        status = feed_beside_pack(staged, beside, &data, &plan->beside_len);
    if (status != SINKHOLE_FEEDS_OK)
        return status;
    snprintf(describe, sizeof describe, "%s%s%s", /* both are shorter than half of it */
             staged->attributes.reference[0] != '\0' ? staged->attributes.reference : "import",
             staged->file[0] != '\0' ? ": " : "", staged->file);
    plan->describe = describe;
    plan->beside = data;
    status = feed_plan_publish(plan, outcome);
    if (status == SINKHOLE_FEEDS_NOTHING && data != NULL)
        status = keep_alone(plan, beside, outcome);
    free(data);
    return status;
}

enum sinkhole_feeds_status sinkhole_feeds_publish(const struct sinkhole_feeds *feeds,
                                                  const char *feed, const char *import,
                                                  struct sinkhole_feeds_outcome *ret_outcome)
{
    struct feed_plan plan = {0};
    struct feed_text_store beside = {0};
    struct sinkhole_staged staged;
    struct feed_names names;
    enum sinkhole_feeds_status status;

    feed_names_init(&names, feeds->settings->guard_most_names);
    status = prepare(feeds, feed, import, &plan, &names, &staged, &beside, ret_outcome);
    if (status == SINKHOLE_FEEDS_OK)
        status = publish_with_beside(&plan, &staged, &beside, ret_outcome);
    feed_names_done(&names);
    free(beside.text);
    return status;
}

static enum sinkhole_store_status make_allow_feed(const struct sinkhole_feeds *feeds)
{
    struct sinkhole_feed feed = {
        .policy = {.kind = SINKHOLE_FEED_ALLOW, .action = SINKHOLE_ACTION_ALLOW, .rank = 1000}};
    enum sinkhole_store_status status;

    status = sinkhole_feed_get(feeds->store, SINKHOLE_ALLOW_FEED, &feed);
    if (status != SINKHOLE_STORE_ABSENT)
        return status;
    snprintf(feed.policy.feed, sizeof feed.policy.feed, "%s", SINKHOLE_ALLOW_FEED);
    snprintf(feed.title, sizeof feed.title, "Exceptions");
    return sinkhole_feed_put(feeds->store, &feed);
}

static enum sinkhole_feeds_status exception_change(const struct sinkhole_feeds *feeds,
                                                   const struct sinkhole_name *name,
                                                   enum sinkhole_scope scope, bool take_off,
                                                   const struct sinkhole_batch *attributes,
                                                   struct sinkhole_feeds_outcome *outcome)
{
    char text[SINKHOLE_NAME_TEXT_MAX], describe[256];
    struct feed_names names;
    struct sinkhole_key key;
    enum sinkhole_feeds_status status = SINKHOLE_FEEDS_NO_MEMORY;
    struct feed_plan plan = {.feeds = feeds,
                             .feed = SINKHOLE_ALLOW_FEED,
                             .names = &names,
                             .mode = SINKHOLE_MODE_AMEND,
                             .attributes = attributes,
                             .same_remark = true,
                             .take_off = take_off,
                             .describe = describe};

    if (name->labels < 2 || !sinkhole_key_from_name(name, &key)) {
        outcome->reason = name->labels == 0 ? SINKHOLE_REASON_ROOT : SINKHOLE_REASON_TLD;
        return SINKHOLE_FEEDS_REFUSED;
    }
    sinkhole_name_to_text(name, text, sizeof text);
    snprintf(describe, sizeof describe, "%s of %.200s", take_off ? "removal" : "exception", text);
    feed_names_init(&names, 1);
    if (feed_names_add(&names, key.text, key.len, scope) == FEED_NAMES_OK) {
        feed_names_sort(&names, NULL, NULL);
        status = feed_plan_publish(&plan, outcome);
    }
    feed_names_done(&names);
    return status;
}

/* An exception for all of com.vn would take every list off it; a zone that is protected may be one.
 */
static enum sinkhole_feeds_status not_too_wide(const struct sinkhole_feeds *feeds,
                                               const struct sinkhole_exception *exception,
                                               struct sinkhole_feeds_outcome *outcome)
{
    struct feed_guard *guard;
    struct sinkhole_key key;

    if (exception->scope == SINKHOLE_SCOPE_EXACT || !sinkhole_key_from_name(&exception->name, &key))
        return SINKHOLE_FEEDS_OK;
    guard = feed_guard_new(feeds->settings, feeds->suffixes, outcome->bad);
    if (guard == NULL)
        return outcome->bad[0] == '\0' ? SINKHOLE_FEEDS_NO_MEMORY : SINKHOLE_FEEDS_GUARD;
    outcome->reason = feed_guard_check(guard, &exception->name, &key, exception->scope, true);
    feed_guard_free(guard);
    return outcome->reason == SINKHOLE_REASON_ICANN_SUFFIX ? SINKHOLE_FEEDS_REFUSED
                                                           : SINKHOLE_FEEDS_OK;
}

enum sinkhole_feeds_status sinkhole_exception_put(const struct sinkhole_feeds *feeds,
                                                  const struct sinkhole_exception *exception,
                                                  struct sinkhole_feeds_outcome *ret_outcome)
{
    struct sinkhole_batch attributes = {.rule = {.action = SINKHOLE_ACTION_ALLOW,
                                                 .confidence = 100,
                                                 .valid_until = exception->until}};
    enum sinkhole_feeds_status status;

    memset(ret_outcome, 0, sizeof *ret_outcome);
    if (exception->reason == NULL || exception->reason[0] == '\0')
        return SINKHOLE_FEEDS_INVALID;
    status = not_too_wide(feeds, exception, ret_outcome);
    if (status != SINKHOLE_FEEDS_OK)
        return status;
    status = from_store(ret_outcome, make_allow_feed(feeds));
    if (status != SINKHOLE_FEEDS_OK)
        return status;
    snprintf(attributes.feed, sizeof attributes.feed, "%s", SINKHOLE_ALLOW_FEED);
    feed_copy_text(attributes.remark, sizeof attributes.remark, exception->reason);
    feed_copy_text(attributes.who, sizeof attributes.who, exception->who);
    if (exception->reference != NULL)
        feed_copy_text(attributes.reference, sizeof attributes.reference, exception->reference);
    return exception_change(feeds, &exception->name, exception->scope, false, &attributes,
                            ret_outcome);
}

enum sinkhole_feeds_status sinkhole_exception_remove(const struct sinkhole_feeds *feeds,
                                                     const struct sinkhole_name *name,
                                                     const char *who,
                                                     struct sinkhole_feeds_outcome *ret_outcome)
{
    struct sinkhole_batch attributes = {.rule = {.action = SINKHOLE_ACTION_ALLOW}};
    enum sinkhole_feeds_status status;

    memset(ret_outcome, 0, sizeof *ret_outcome);
    snprintf(attributes.who, sizeof attributes.who, "%s", who);
    status = exception_change(feeds, name, SINKHOLE_SCOPE_EXACT, true, &attributes, ret_outcome);
    if (status == SINKHOLE_FEEDS_STORE && ret_outcome->store == SINKHOLE_STORE_ABSENT)
        return SINKHOLE_FEEDS_ABSENT;
    return status == SINKHOLE_FEEDS_NOTHING ? SINKHOLE_FEEDS_ABSENT : status;
}
