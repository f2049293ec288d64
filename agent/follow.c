/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The follower's rounds; follow_read.c asks Redis, follow_jobs.c has the worker build.
 *
 *   OPENING -> AWAY -> HEAD -> [SYNC ->] [LOG ->] PUBLISH -> WAIT -> HEAD ...
 *                        ^------------ PAUSE <- any of them
 *
 * Threads: the event loop's. Memory: see follow.h.
 */
#include "agent/follow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/follow_private.h"
#include "agent/log.h"
#include "sinkhole/clock.h"

#define PAUSE_LEAST_MS 200u
#define PAUSE_MOST_MS 10000u
#define GLANCE_MS 2000     /* the bell may be deaf: look at the head this often */
#define GLANCE_SOON_MS 250 /* without a bell */

static int64_t follow_now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void follow_changed(struct agent_follow *follow)
{
    follow->config.changed(follow->config.arg);
}

static void follow_arm(struct event *event, uint64_t wait_ms)
{
    struct timeval tv = {(time_t)(wait_ms / 1000), (suseconds_t)(wait_ms % 1000 * 1000)};

    event_add(event, &tv);
}

/* --- rounds --- */

static void follow_round(struct agent_follow *follow)
{
    follow->round++;
    follow->round_wanted = false;
    follow->log_out = 0;
    event_del(follow->retry);
    event_del(follow->poll);
    if (!agent_redis_is_ready(follow->config.redis)) {
        follow->phase = FOLLOW_AWAY;
        return;
    }
    follow->phase = FOLLOW_HEAD;
    follow->started_us = follow_now_us();
    if (!follow_read_head(follow))
        follow_try_later(follow);
}

void follow_begin(struct agent_follow *follow)
{
    if (agent_worker_queued(follow->worker) > 0)
        follow->round_wanted = true;
    else
        follow_round(follow);
}

void follow_try_later(struct agent_follow *follow)
{
    follow->round++;
    follow->phase = agent_redis_is_ready(follow->config.redis) ? FOLLOW_PAUSE : FOLLOW_AWAY;
    event_del(follow->poll);
    follow_arm(follow->retry, follow->pause_ms);
    follow->pause_ms *= 2;
    if (follow->pause_ms > PAUSE_MOST_MS)
        follow->pause_ms = PAUSE_MOST_MS;
    follow_changed(follow);
}

static void follow_on_retry(evutil_socket_t fd, short what, void *arg)
{
    struct agent_follow *follow = arg;

    (void)fd, (void)what;
    if (agent_redis_is_ready(follow->config.redis))
        follow_begin(follow);
}

void follow_want_sync(struct agent_follow *follow, const char *why)
{
    agent_alarm_event(follow->config.alarms, SINKHOLE_WARNING, "index-resync",
                      "the index is made anew from the whole list: %s", why);
    follow->counts.resyncs++;
    follow->need_sync = true;
    follow->round++;
    if (follow->streak++ == 0) {
        follow_begin(follow);
        return;
    }
    /* A full sync did not help: it is Redis that contradicts itself. */
    agent_alarm_set(follow->config.alarms, SINKHOLE_ALARM, "list-damaged", true,
                    "the list in Redis contradicts itself: %s", why);
    follow_try_later(follow);
}

/* --- decisions --- */

static void follow_wait(struct agent_follow *follow)
{
    follow->phase = FOLLOW_WAIT;
    follow_confirm(follow);
    follow_bell_rearm(follow);
    follow_arm(follow->poll, agent_redis_is_ready(follow->bell) ? GLANCE_MS : GLANCE_SOON_MS);
}

static void follow_start_sync(struct agent_follow *follow)
{
    struct follow_job *job = follow_job_new(follow, JOB_SYNC_BEGIN);

    follow->phase = FOLLOW_SYNC;
    follow->need_sync = true; /* until it is through */
    follow->current = false;
    follow->chunk_next = follow->chunk_done = 0;
    follow->counts.syncs++;
    agent_log(AGENT_INFO, "full sync: snapshot %s, %llu entries in %llu chunks",
              follow->root.snapshot_name, (unsigned long long)follow->root.snapshot_entries,
              (unsigned long long)follow->root.chunks);
    follow_changed(follow);
    if (job == NULL || !follow_job_post(job))
        follow_try_later(follow);
}

static void follow_start_log(struct agent_follow *follow)
{
    follow->phase = FOLLOW_LOG;
    if (!follow_read_log(follow))
        follow_try_later(follow);
}

static void follow_start_publish(struct agent_follow *follow)
{
    struct follow_job *job = follow_job_new(follow, JOB_PUBLISH);

    follow->phase = FOLLOW_PUBLISH;
    if (job != NULL) {
        job->text = follow->text;
        follow->text = NULL;
    }
    if (job == NULL || !follow_job_post(job))
        follow_try_later(follow);
}

/* What is in memory is of the head's generation: is it the same list? */
static void follow_decide_same(struct agent_follow *follow)
{
    const struct sinkhole_list_head *head = &follow->root.head;

    if (follow->position.entries != head->entries ||
        memcmp(follow->position.digest, head->digest, sizeof(head->digest)) != 0)
        follow_want_sync(follow, "its digest is not the one that Redis has for this generation");
    else if (follow->current && follow->position.published == head->generation &&
             follow->published_meta == follow->root.meta)
        follow_wait(follow); /* a look after a reconnection: nothing is new */
    else
        follow_start_publish(follow);
}

void follow_decide(struct agent_follow *follow)
{
    const struct agent_build_position *at = &follow->position;
    const struct sinkhole_list_head *head = &follow->root.head;

    follow->counts.head = head->generation;
    if (head->generation == 0 && at->published > 0) {
        agent_alarm_set(follow->config.alarms, SINKHOLE_ALARM, "list-gone", true,
                        "Redis holds no list any more: generation %llu stays in force here",
                        (unsigned long long)at->published);
        follow_try_later(follow);
        return;
    }
    agent_alarm_set(follow->config.alarms, SINKHOLE_ALARM, "list-gone", false,
                    "Redis holds a list again");
    if (follow->need_sync || !at->usable)
        follow_start_sync(follow);
    else if (at->generation > head->generation)
        follow_want_sync(follow, "the list in Redis has gone back to an earlier generation");
    else if (at->generation < head->snapshot) {
        agent_log(AGENT_INFO, "generation %llu came as a new snapshot",
                  (unsigned long long)head->snapshot);
        follow_start_sync(follow);
    } else if (at->generation < head->generation)
        follow_start_log(follow);
    else
        follow_decide_same(follow);
}

/* --- sync --- */

static void follow_more_chunks(struct agent_follow *follow)
{
    while (follow->chunk_next < follow->root.chunks &&
           follow->chunk_next < follow->chunk_done + AGENT_CHUNKS_AHEAD) {
        if (!follow_read_chunk(follow, follow->chunk_next)) {
            follow_try_later(follow);
            return;
        }
        follow->chunk_next++;
    }
    if (follow->chunk_done == follow->root.chunks) {
        struct follow_job *job = follow_job_new(follow, JOB_SYNC_END);

        if (job == NULL || !follow_job_post(job))
            follow_try_later(follow);
    }
}

static void follow_synced(struct agent_follow *follow)
{
    follow->need_sync = false;
    follow_begin(follow); /* head and rules of now; then the log up to it */
}

/* --- publication --- */

static void follow_adopt(struct agent_follow *follow)
{
    struct follow_job *job = follow_job_new(follow, JOB_ADOPT);

    follow->rebase_over = false;
    if (job == NULL)
        return;
    job->rebase = follow->rebase;
    follow_job_post(job);
}

static void follow_published(struct agent_follow *follow, const struct follow_job *job)
{
    struct agent_alarms *alarms = follow->config.alarms;

    follow->current = true;
    follow->published_meta = job->root.meta;
    follow->counts.publications++;
    follow->counts.publish_us = (uint64_t)(follow_now_us() - follow->started_us);
    follow->pause_ms = PAUSE_LEAST_MS;
    follow->streak = 0;
    agent_log(AGENT_INFO, "generation %llu in force: %llu entries, delta of %llu names, %llu us",
              (unsigned long long)job->position.published,
              (unsigned long long)job->position.entries,
              (unsigned long long)job->position.delta_names,
              (unsigned long long)follow->counts.publish_us);
    agent_alarm_set(alarms, SINKHOLE_ALARM, "list-damaged", false,
                    "the list in Redis is whole again");
    agent_alarm_set(alarms, SINKHOLE_ALARM, "index-write", false, "the index is written again");
    agent_alarm_set(alarms, SINKHOLE_ALARM, "index-refused", false, "the index is accepted again");
    agent_alarm_set(alarms, SINKHOLE_WARNING, "names-refused", job->position.refused > 0,
                    job->position.refused > 0
                        ? "%llu names or rules of the list are left out of the index: top-level "
                          "domains, more than 64 rules on a name, or not understood"
                        : "all names and rules of the list are in the index again (%llu left out)",
                    (unsigned long long)job->position.refused);
    follow_wait(follow);
    if (follow->rebase_over)
        follow_adopt(follow);
    else if (job->wants_base && !follow->rebasing) {
        follow->rebase = job->rebase;
        follow->rebasing = follow_rebase_post(follow);
        if (follow->rebasing)
            agent_log(AGENT_INFO, "a new base is being made: the delta has %llu names",
                      (unsigned long long)job->position.delta_names);
    }
}

void follow_rebase_done(struct agent_follow *follow, enum agent_build_status status)
{
    follow->rebasing = false;
    if (status != AGENT_BUILD_OK) {
        agent_alarm_event(follow->config.alarms, SINKHOLE_WARNING, "index-base", "%s",
                          follow->rebase.error);
        return;
    }
    if (follow->phase == FOLLOW_WAIT)
        follow_adopt(follow);
    else
        follow->rebase_over = true;
}

static void follow_adopted(struct agent_follow *follow, const struct follow_job *job)
{
    if (job->status != AGENT_BUILD_OK) {
        agent_log(AGENT_NOTICE, "new base not taken: %s", job->error);
        return;
    }
    follow->counts.bases++;
    agent_log(AGENT_INFO, "new base in force: %llu names, delta of %llu",
              (unsigned long long)job->position.base_names,
              (unsigned long long)job->position.delta_names);
}

/* --- answers of the worker --- */

/* Something did not work: what follows from it. */
static void follow_job_failed(struct agent_follow *follow, const struct follow_job *job)
{
    struct agent_alarms *alarms = follow->config.alarms;

    switch (job->status) {
    case AGENT_BUILD_SYNC:
        follow_want_sync(follow, job->error);
        return;
    case AGENT_BUILD_SNAPSHOT:
        follow->need_sync = true;
        follow_begin(follow);
        return;
    case AGENT_BUILD_DAMAGED:
        agent_alarm_set(alarms, SINKHOLE_ALARM, "list-damaged", true, "%s", job->error);
        break;
    case AGENT_BUILD_IO:
    case AGENT_BUILD_NO_MEMORY:
        agent_alarm_set(alarms, SINKHOLE_ALARM, "index-write", true, "%s", job->error);
        break;
    default:
        agent_alarm_set(alarms, SINKHOLE_ALARM, "index-refused", true, "%s", job->error);
        break;
    }
    follow_try_later(follow);
}

static void follow_opened(struct agent_follow *follow, const struct follow_job *job)
{
    follow->opened = true;
    if (job->status == AGENT_BUILD_OK)
        agent_log(AGENT_INFO, "the folder's index is usable: generation %llu, %llu entries",
                  (unsigned long long)job->position.generation,
                  (unsigned long long)job->position.entries);
    else
        agent_log(AGENT_NOTICE, "%s", job->error);
    follow->phase = FOLLOW_AWAY;
    follow->round_wanted = true;
}

static void follow_checked(struct agent_follow *follow, const struct follow_job *job)
{
    follow->checking = false;
    if (job->status == AGENT_BUILD_OK)
        return;
    agent_alarm_event(follow->config.alarms, SINKHOLE_ALARM, "index-damaged", "%s", job->error);
    if (follow->phase == FOLLOW_WAIT)
        follow_want_sync(follow, "its files are not those that were written");
    else
        follow->need_sync = true;
}

/* Of this round and done: the next step. */
static void follow_job_next(struct agent_follow *follow, const struct follow_job *job)
{
    switch (job->kind) {
    case JOB_SYNC_BEGIN:
        follow_more_chunks(follow);
        break;
    case JOB_CHUNK:
        follow->chunk_done++;
        follow_more_chunks(follow);
        break;
    case JOB_SYNC_END:
        follow_synced(follow);
        break;
    case JOB_LOG:
        if (--follow->log_out > 0)
            break;
        if (job->position.generation == follow->root.head.generation)
            follow_decide_same(follow);
        else
            follow_start_log(follow);
        break;
    case JOB_PUBLISH:
        follow_published(follow, job);
        break;
    default:
        break;
    }
}

void follow_job_done(struct agent_follow *follow, struct follow_job *job)
{
    follow->position = job->position;
    if (job->kind == JOB_OPEN)
        follow_opened(follow, job);
    else if (job->kind == JOB_CHECK)
        follow_checked(follow, job);
    else if (job->kind == JOB_ADOPT)
        follow_adopted(follow, job);
    else if (job->round == follow->round && job->status == AGENT_BUILD_OK)
        follow_job_next(follow, job);
    else if (job->round == follow->round)
        follow_job_failed(follow, job);
    if (follow->round_wanted && agent_worker_queued(follow->worker) == 0)
        follow_round(follow);
    follow_changed(follow);
}

/* --- waiting --- */

void follow_confirm(struct agent_follow *follow)
{
    follow->counts.confirmed_ms = sinkhole_now_ms();
}

void follow_bell_rearm(struct agent_follow *follow)
{
    if (follow->phase == FOLLOW_WAIT && agent_redis_is_ready(follow->bell))
        follow_read_bell(follow);
}

void follow_ring(struct agent_follow *follow, uint64_t generation)
{
    if (follow->phase != FOLLOW_WAIT)
        return; /* the round under way ends with the bell armed again */
    if (generation > follow->position.generation)
        follow_begin(follow);
    else
        follow_bell_rearm(follow); /* what another round has read already */
}

static void follow_on_poll(evutil_socket_t fd, short what, void *arg)
{
    struct agent_follow *follow = arg;

    (void)fd, (void)what;
    if (follow->phase != FOLLOW_WAIT)
        return;
    follow_arm(follow->poll, agent_redis_is_ready(follow->bell) ? GLANCE_MS : GLANCE_SOON_MS);
    follow_bell_rearm(follow);
    follow_read_glance(follow);
    if (!follow->checking) {
        struct follow_job *job = follow_job_new(follow, JOB_CHECK);

        follow->checking = job != NULL && follow_job_post(job);
    }
}

/* --- connections --- */

static void follow_bell_ready(void *arg)
{
    follow_bell_rearm(arg);
}

static void follow_bell_lost(void *arg, enum sinkhole_store_status status, const char *why)
{
    (void)arg, (void)status;
    agent_log(AGENT_DEBUG, "bell: %s", why);
}

void agent_follow_redis_ready(struct agent_follow *follow)
{
    follow->pause_ms = PAUSE_LEAST_MS;
    if (follow->opened)
        follow_begin(follow);
}

void agent_follow_redis_lost(struct agent_follow *follow)
{
    if (!follow->opened)
        return;
    follow->round++;
    follow->round_wanted = false;
    follow->phase = FOLLOW_AWAY;
    event_del(follow->retry);
    event_del(follow->poll);
    follow_changed(follow);
}

void agent_follow_reconnect(struct agent_follow *follow)
{
    agent_redis_reconnect(follow->bell);
}

/* --- life --- */

struct agent_follow *agent_follow_new(const struct agent_follow_config *config)
{
    struct agent_follow *follow = calloc(1, sizeof(*follow));
    const struct agent_redis_events events = {follow_bell_ready, follow_bell_lost, follow};
    struct follow_job *job;

    if (follow == NULL)
        return NULL;
    follow->config = *config;
    follow->pause_ms = PAUSE_LEAST_MS;
    follow->retry = event_new(config->loop, -1, 0, follow_on_retry, follow);
    follow->poll = event_new(config->loop, -1, 0, follow_on_poll, follow);
    follow->worker = agent_worker_new(config->loop, "index");
    follow->base_worker = agent_worker_new(config->loop, "base");
    follow->bell = agent_redis_new(config->loop, config->settings, &events);
    job = follow_job_new(follow, JOB_OPEN);
    if (follow->retry == NULL || follow->poll == NULL || follow->worker == NULL ||
        follow->base_worker == NULL || follow->bell == NULL || job == NULL) {
        follow_job_free(job);
        agent_follow_free(follow);
        return NULL;
    }
    if (follow_job_post(job))
        return follow;
    agent_follow_free(follow);
    return NULL;
}

void agent_follow_free(struct agent_follow *follow)
{
    if (follow == NULL)
        return;
    agent_redis_free(follow->bell);
    agent_worker_free(follow->base_worker);
    agent_worker_free(follow->worker);
    if (follow->retry != NULL)
        event_free(follow->retry);
    if (follow->poll != NULL)
        event_free(follow->poll);
    agent_rules_text_free(follow->text);
    free(follow);
}

static const char *follow_phase_text(enum follow_phase phase)
{
    static const char *const text[] = {
        [FOLLOW_OPENING] = "opening", [FOLLOW_AWAY] = "away",     [FOLLOW_HEAD] = "reading",
        [FOLLOW_SYNC] = "syncing",    [FOLLOW_LOG] = "reading",   [FOLLOW_PUBLISH] = "writing",
        [FOLLOW_WAIT] = "waiting",    [FOLLOW_PAUSE] = "pausing",
    };

    return text[phase];
}

void agent_follow_state(const struct agent_follow *follow, struct agent_follow_state *ret_state)
{
    *ret_state = follow->counts;
    ret_state->doing = follow_phase_text(follow->phase);
    ret_state->opened = follow->opened;
    ret_state->position = follow->position;
}
