/* SPDX-License-Identifier: BSD-3-Clause */
/* What the follower reads from Redis. Threads: the event loop's. Memory: see follow.h. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/follow_private.h"
#include "agent/log.h"
#include "store/store_keys.h"

/* One question; its answer counts only in the round that asked. */
struct follow_ask {
    struct agent_follow *follow;
    uint64_t round;
};

static struct follow_ask *follow_ask_new(struct agent_follow *follow)
{
    struct follow_ask *ask = malloc(sizeof(*ask));

    if (ask != NULL)
        *ask = (struct follow_ask){follow, follow->round};
    return ask;
}

/* Frees the question; NULL when its answer does not count, or is no answer (then the round is
 * over). */
static struct agent_follow *follow_answer(void *arg, enum sinkhole_store_status status,
                                          const redisReply *reply, const char *what)
{
    struct follow_ask *ask = arg;
    struct agent_follow *follow = ask->follow;
    bool counts = ask->round == follow->round;

    free(ask);
    if (!counts || reply == NULL)
        return NULL; /* the connection's end begins a new round by itself */
    if (status == SINKHOLE_STORE_OK)
        return follow;
    agent_alarm_set(follow->config.alarms, SINKHOLE_WARNING, "redis-refused", true,
                    "Redis refused to give the %s: %s", what, reply->str);
    follow_try_later(follow);
    return NULL;
}

static bool follow_is_text(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_STRING;
}

/* --- head, feeds, batches: of one moment --- */

static enum sinkhole_codec_status follow_parse_root(const redisReply *hash,
                                                    struct sinkhole_list_root *ret_root)
{
    struct sinkhole_list_root root = {0};
    enum sinkhole_codec_status status = SINKHOLE_CODEC_OK;

    if (hash->type != REDIS_REPLY_ARRAY || hash->elements % 2 != 0)
        return SINKHOLE_CODEC_FIELD;
    for (size_t i = 0; i < hash->elements && status == SINKHOLE_CODEC_OK; i += 2) {
        const redisReply *field = hash->element[i], *value = hash->element[i + 1];

        if (!follow_is_text(field) || !follow_is_text(value))
            return SINKHOLE_CODEC_FIELD;
        status = sinkhole_list_root_set(&root, field->str, field->len, value->str, value->len);
    }
    if (status == SINKHOLE_CODEC_OK)
        status = sinkhole_list_root_check(&root);
    *ret_root = root;
    return status;
}

/* EXEC's reply: head, feeds, batches, digest key. NULL: taken; else what is wrong. */
static const char *follow_take_head(struct agent_follow *follow, const redisReply *reply)
{
    const redisReply *key;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 4)
        return "the answer is not what was asked for";
    for (size_t i = 0; i < 4; i++) {
        if (reply->element[i]->type == REDIS_REPLY_ERROR)
            return reply->element[i]->str;
    }
    if (follow_parse_root(reply->element[0], &follow->root) != SINKHOLE_CODEC_OK)
        return "a field of the list's head is missing or not what it must be";
    key = reply->element[3];
    memset(follow->digest_key, 0, sizeof(follow->digest_key));
    if (follow_is_text(key) && key->len == sizeof(follow->digest_key))
        memcpy(follow->digest_key, key->str, sizeof(follow->digest_key));
    else if (follow->root.head.generation > 0)
        return "the key of the list's digest is missing";
    agent_rules_text_free(follow->text);
    follow->text = agent_rules_text_new(reply->element[1], reply->element[2]);
    return follow->text == NULL ? "feeds and batches are not what they must be" : NULL;
}

static void follow_on_head(void *arg, enum sinkhole_store_status status, const redisReply *reply)
{
    struct agent_follow *follow = follow_answer(arg, status, reply, "list's head");
    const char *wrong;

    if (follow == NULL)
        return;
    agent_alarm_set(follow->config.alarms, SINKHOLE_WARNING, "redis-refused", false,
                    "Redis gives the list again");
    wrong = follow_take_head(follow, reply);
    if (wrong == NULL) {
        follow_decide(follow);
        return;
    }
    agent_alarm_set(follow->config.alarms, SINKHOLE_ALARM, "list-damaged", true,
                    "the list in Redis cannot be read: %s", wrong);
    follow_try_later(follow);
}

bool follow_read_head(struct agent_follow *follow)
{
    struct agent_redis *redis = follow->config.redis;
    struct follow_ask *ask = follow_ask_new(follow);

    /* Errors of the commands between show in EXEC's reply. */
    if (ask != NULL && agent_redis_send(redis, 0, NULL, NULL, "MULTI") &&
        agent_redis_send(redis, 0, NULL, NULL, "HGETALL %s", SINKHOLE_REDIS_HEAD) &&
        agent_redis_send(redis, 0, NULL, NULL, "HGETALL %s", SINKHOLE_REDIS_FEEDS) &&
        agent_redis_send(redis, 0, NULL, NULL, "HGETALL %s", SINKHOLE_REDIS_BATCHES) &&
        agent_redis_send(redis, 0, NULL, NULL, "GET %s", SINKHOLE_REDIS_DIGEST_KEY) &&
        agent_redis_send(redis, 0, follow_on_head, ask, "EXEC"))
        return true;
    free(ask);
    if (agent_redis_is_ready(redis))
        agent_redis_reconnect(redis); /* no half MULTI may stay */
    return false;
}

/* --- has the head moved? --- */

static void follow_on_glance(void *arg, enum sinkhole_store_status status, const redisReply *reply)
{
    struct agent_follow *follow = follow_answer(arg, status, reply, "list's generation");
    const redisReply *generation, *digest;
    char here[24], octets[2 * SINKHOLE_DIGEST_LEN + 1];

    if (follow == NULL || follow->phase != FOLLOW_WAIT || reply->type != REDIS_REPLY_ARRAY ||
        reply->elements != 2)
        return;
    generation = reply->element[0];
    digest = reply->element[1];
    snprintf(here, sizeof(here), "%" PRIu64, follow->position.generation);
    for (size_t i = 0; i < SINKHOLE_DIGEST_LEN; i++)
        snprintf(octets + 2 * i, 3, "%02x", follow->position.digest[i]);
    if ((follow_is_text(generation) && follow_is_text(digest) &&
         strcmp(generation->str, here) == 0 && strcmp(digest->str, octets) == 0) ||
        (generation->type == REDIS_REPLY_NIL && follow->position.generation == 0))
        follow_confirm(follow);
    else
        follow_begin(follow);
}

bool follow_read_glance(struct agent_follow *follow)
{
    struct follow_ask *ask = follow_ask_new(follow);

    if (ask != NULL && agent_redis_send(follow->config.redis, 0, follow_on_glance, ask,
                                        "HMGET %s generation digest", SINKHOLE_REDIS_HEAD))
        return true;
    free(ask);
    return false;
}

/* --- chunks --- */

static void follow_on_chunk(void *arg, enum sinkhole_store_status status, const redisReply *reply)
{
    struct agent_follow *follow = follow_answer(arg, status, reply, "list's chunks");
    struct follow_job *job;

    if (follow == NULL)
        return;
    if (!follow_is_text(reply)) { /* a newer snapshot has replaced it, or it was lost */
        agent_log(AGENT_NOTICE, "a chunk of snapshot %s is gone: reading the head again",
                  follow->root.snapshot_name);
        follow_try_later(follow);
        return;
    }
    job = follow_job_new(follow, JOB_CHUNK);
    if (job != NULL && (job->data = malloc(reply->len + 1)) != NULL) {
        memcpy(job->data, reply->str, reply->len);
        job->len = reply->len;
        if (follow_job_post(job))
            return;
    } else {
        follow_job_free(job);
    }
    follow_try_later(follow);
}

bool follow_read_chunk(struct agent_follow *follow, uint64_t number)
{
    struct follow_ask *ask = follow_ask_new(follow);
    char key[SINKHOLE_REDIS_KEY_MAX];

    snprintf(key, sizeof(key), SINKHOLE_REDIS_CHUNK_F, follow->root.snapshot_name, number);
    if (ask != NULL &&
        agent_redis_send(follow->config.redis, 0, follow_on_chunk, ask, "GET %s", key))
        return true;
    free(ask);
    return false;
}

/* --- log --- */

/* One entry of XREAD's: [id, [field, value, ...]]. */
static bool follow_parse_entry(const redisReply *reply, struct sinkhole_log_entry *ret_entry)
{
    struct sinkhole_log_entry entry = {0};
    const redisReply *fields;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
        !follow_is_text(reply->element[0]) || reply->element[1]->type != REDIS_REPLY_ARRAY)
        return false;
    fields = reply->element[1];
    if (fields->elements % 2 != 0 ||
        sinkhole_log_entry_id(&entry, reply->element[0]->str, reply->element[0]->len) !=
            SINKHOLE_CODEC_OK)
        return false;
    for (size_t i = 0; i < fields->elements; i += 2) {
        const redisReply *field = fields->element[i], *value = fields->element[i + 1];

        if (!follow_is_text(field) || !follow_is_text(value) ||
            sinkhole_log_entry_set(&entry, field->str, field->len, value->str, value->len) !=
                SINKHOLE_CODEC_OK)
            return false;
    }
    *ret_entry = entry;
    return true;
}

/* XREAD's reply is nil, or [[key, [entry, ...]]]. NULL: no entries. */
static const redisReply *follow_entries(const redisReply *reply)
{
    const redisReply *stream;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 1)
        return NULL;
    stream = reply->element[0];
    if (stream->type != REDIS_REPLY_ARRAY || stream->elements != 2 ||
        stream->element[1]->type != REDIS_REPLY_ARRAY || stream->element[1]->elements == 0)
        return NULL;
    return stream->element[1];
}

static bool follow_post_entry(struct agent_follow *follow, const struct sinkhole_log_entry *entry)
{
    struct follow_job *job = follow_job_new(follow, JOB_LOG);

    if (job == NULL)
        return false;
    job->entry = *entry;
    if (entry->z != NULL) {
        job->data = malloc(entry->z_len + 1);
        if (job->data == NULL) {
            follow_job_free(job);
            return false;
        }
        memcpy(job->data, entry->z, entry->z_len);
        job->entry.z = job->data;
    }
    if (!follow_job_post(job))
        return false;
    follow->log_out++;
    return true;
}

static void follow_on_log(void *arg, enum sinkhole_store_status status, const redisReply *reply)
{
    struct agent_follow *follow = follow_answer(arg, status, reply, "list's change log");
    uint64_t head;
    const redisReply *entries;
    struct sinkhole_log_entry entry = {0};

    if (follow == NULL)
        return;
    head = follow->root.head.generation;
    entries = follow_entries(reply);
    if (entries == NULL) {
        follow_want_sync(follow, "the change log in Redis lacks what the head speaks of");
        return;
    }
    for (size_t i = 0; i < entries->elements; i++) {
        if (!follow_parse_entry(entries->element[i], &entry)) {
            follow_want_sync(follow, "an entry of the change log is not what it must be");
            return;
        }
        if (entry.generation > head)
            break;
        if (!follow_post_entry(follow, &entry)) {
            follow_try_later(follow);
            return;
        }
    }
    if (follow->log_out == 0) /* else the worker's last answer goes on from here */
        follow_want_sync(follow, "the change log in Redis lacks what the head speaks of");
}

bool follow_read_log(struct agent_follow *follow)
{
    const struct agent_build_position *at = &follow->position;
    struct follow_ask *ask = follow_ask_new(follow);
    char id[48];

    if (at->part > 0)
        snprintf(id, sizeof(id), "%" PRIu64 "-%" PRIu64, at->generation + 1, at->part);
    else
        snprintf(id, sizeof(id), "%" PRIu64 "-18446744073709551615", at->generation);
    if (ask != NULL &&
        agent_redis_send(follow->config.redis, 0, follow_on_log, ask,
                         "XREAD COUNT %d STREAMS %s %s", AGENT_LOG_AHEAD, SINKHOLE_REDIS_LOG, id))
        return true;
    free(ask);
    return false;
}

/* --- the bell --- */

#define BELL_MS 5000

static void follow_on_bell(void *arg, enum sinkhole_store_status status, const redisReply *reply)
{
    struct agent_follow *follow = arg;
    const redisReply *entries;
    struct sinkhole_log_entry entry;

    follow->bell_out = false;
    if (reply == NULL || status != SINKHOLE_STORE_OK)
        return; /* the glance at the head serves until it is back */
    entries = follow_entries(reply);
    if (entries == NULL)
        follow_bell_rearm(follow); /* the wait was over */
    else if (follow_parse_entry(entries->element[0], &entry))
        follow_ring(follow, entry.generation);
}

bool follow_read_bell(struct agent_follow *follow)
{
    if (follow->bell_out)
        return true;
    follow->bell_out =
        agent_redis_send(follow->bell, BELL_MS, follow_on_bell, follow,
                         "XREAD COUNT 1 BLOCK %d STREAMS %s %" PRIu64 "-18446744073709551615",
                         BELL_MS, SINKHOLE_REDIS_LOG, follow->position.generation);
    return follow->bell_out;
}
