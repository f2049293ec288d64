/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Keeps the streams of this resolver in bounds: by age (keep.hits_days), and by size
 * (keep.hits_mb).
 *
 * A stream ID carries the time at which its segment was made, which may be long before the hit; so
 * entries are judged by the hit's own time, oldest first, and a round over all lanes looks at a
 * thousand at a time. What goes for lack of room is told: it was to be kept longer.
 *
 * Threads: the event loop's. Memory: one answer of TRIM_LOOK entries.
 */
#include "agent/ship_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sinkhole/clock.h"

#define TRIM_LOOK 1000u
#define TRIM_TO_PERCENT 95u /* of keep.hits_mb, so that not every round has to trim */

static void trim_next_lane(struct sinkhole_ship *ship);
static void trim_look(struct ship_lane *lane, unsigned count);

/* False: the round ends here. */
static bool trim_goes_on(struct sinkhole_ship *ship, enum sinkhole_store_status status,
                         const redisReply *reply)
{
    if (reply == NULL || !ship->trimming)
        return false;
    if (status == SINKHOLE_STORE_OK)
        return true;
    ship->trimming = false;
    ship_condition(ship, SINKHOLE_WARNING, "trim-failed", true,
                   "cannot keep the streams of hits in bounds: %.*s",
                   (int)(reply->len < 200 ? reply->len : 200), reply->str);
    return false;
}

static void trim_sent(struct sinkhole_ship *ship, bool sent)
{
    if (!sent)
        ship->trimming = false; /* the next round tries again */
}

/* --- by age
 * ---------------------------------------------------------------------------------------- */

/* Time of a stream entry [id, [name, value, ...]]; its ID's when it is none of ours. */
static int64_t entry_time(const redisReply *entry, const char **ret_id)
{
    const redisReply *fields;
    struct sinkhole_hit hit;

    if (entry->type != REDIS_REPLY_ARRAY || entry->elements != 2 || entry->element[0]->str == NULL)
        return INT64_MAX;
    *ret_id = entry->element[0]->str;
    fields = entry->element[1];
    for (size_t i = 0; fields->type == REDIS_REPLY_ARRAY && i + 1 < fields->elements; i += 2) {
        const redisReply *name = fields->element[i], *value = fields->element[i + 1];

        if (name->str != NULL && strcmp(name->str, "h") == 0 && value->str != NULL &&
            sinkhole_hit_decode((const uint8_t *)value->str, value->len, &hit))
            return hit.time_ms;
    }
    return (int64_t)strtoull(*ret_id, NULL, 10);
}

static void on_memory(void *arg, enum sinkhole_store_status status, const redisReply *reply)
{
    struct ship_lane *lane = arg;

    if (!trim_goes_on(lane->ship, status, reply))
        return;
    lane->bytes = reply->type == REDIS_REPLY_INTEGER ? (uint64_t)reply->integer : 0;
    trim_next_lane(lane->ship);
}

static void on_length(void *arg, enum sinkhole_store_status status, const redisReply *reply)
{
    struct ship_lane *lane = arg;

    if (trim_goes_on(lane->ship, status, reply))
        lane->entries = reply->type == REDIS_REPLY_INTEGER ? (uint64_t)reply->integer : 0;
}

static void trim_measure(struct ship_lane *lane)
{
    struct agent_redis *redis = lane->ship->redis;

    trim_sent(lane->ship,
              agent_redis_send(redis, 0, on_length, lane, "XLEN %s", lane->key) &&
                  agent_redis_send(redis, 0, on_memory, lane, "MEMORY USAGE %s", lane->key));
}

static void on_trimmed(void *arg, enum sinkhole_store_status status, const redisReply *reply)
{
    struct ship_lane *lane = arg;

    if (!trim_goes_on(lane->ship, status, reply))
        return;
    lane->ship->stats.trimmed_age += (uint64_t)reply->integer;
    if (reply->integer >= TRIM_LOOK)
        trim_look(lane, TRIM_LOOK); /* there may be more */
    else
        trim_measure(lane);
}

static void on_oldest(void *arg, enum sinkhole_store_status status, const redisReply *reply)
{
    struct ship_lane *lane = arg;
    struct sinkhole_ship *ship = lane->ship;
    const int64_t before_ms =
        sinkhole_now_ms() - (int64_t)(ship->settings->keep_hits_days * 86400000);
    const char *id = NULL;
    uint64_t ms, sequence;
    size_t old = 0;

    if (!trim_goes_on(ship, status, reply))
        return;
    while (old < reply->elements && entry_time(reply->element[old], &id) < before_ms)
        old++;
    if (old == 0) {
        trim_measure(lane);
        return;
    }
    if (reply->elements == 1) {
        trim_look(lane, TRIM_LOOK);
        return;
    }
    if (sscanf(id, "%" SCNu64 "-%" SCNu64, &ms, &sequence) != 2) {
        ship->trimming = false;
        return;
    }
    /* `id`: of the first to keep, or of the last looked at. */
    if (old == reply->elements)
        sequence++;
    trim_sent(ship,
              agent_redis_send(ship->redis, 0, on_trimmed, lane,
                               "XTRIM %s MINID %" PRIu64 "-%" PRIu64, lane->key, ms, sequence));
}

static void trim_look(struct ship_lane *lane, unsigned count)
{
    trim_sent(lane->ship, agent_redis_send(lane->ship->redis, 0, on_oldest, lane,
                                           "XRANGE %s - + COUNT %u", lane->key, count));
}

/* --- by size
 * --------------------------------------------------------------------------------------- */

static void on_cut(void *arg, enum sinkhole_store_status status, const redisReply *reply)
{
    struct ship_lane *lane = arg;
    struct sinkhole_ship *ship = lane->ship;

    if (reply == NULL || status != SINKHOLE_STORE_OK || reply->integer == 0)
        return;
    ship->stats.trimmed_size += (uint64_t)reply->integer;
    ship_event(ship, SINKHOLE_ALARM, "hits-trimmed",
               "%lld hits left Redis before their time: keep.hits_mb (%" PRIu64
               ") is full; the archive still has them",
               (long long)reply->integer, ship->settings->keep_hits_mb);
}

static void trim_by_size(struct sinkhole_ship *ship)
{
    const uint64_t limit = ship->settings->keep_hits_mb << 20;
    uint64_t total = 0;

    for (unsigned i = 0; i < ship->lanes; i++)
        total += ship->lane[i].bytes;
    ship->stats.stream_bytes = total;
    for (unsigned i = 0; i < ship->lanes && total > limit; i++) {
        struct ship_lane *lane = &ship->lane[i];
        const double share = (double)limit / (double)total * TRIM_TO_PERCENT / 100;
        const uint64_t keep = (uint64_t)((double)lane->entries * share);

        if (lane->entries > 0)
            agent_redis_send(ship->redis, 0, on_cut, lane, "XTRIM %s MAXLEN ~ %" PRIu64, lane->key,
                             keep);
    }
}

/* --- the round
 * -------------------------------------------------------------------------------------- */

static void trim_next_lane(struct sinkhole_ship *ship)
{
    if (ship->trim_lane < ship->lanes) {
        trim_look(&ship->lane[ship->trim_lane++], 1);
        return;
    }
    ship->trimming = false;
    ship_condition(ship, SINKHOLE_NOTICE, "trim-failed", false,
                   "the streams of hits are kept in bounds again");
    trim_by_size(ship);
}

void sinkhole_ship_trim(struct sinkhole_ship *ship)
{
    if (ship->trimming || !agent_redis_is_ready(ship->redis))
        return;
    ship->trimming = true;
    ship->trim_lane = 0;
    trim_next_lane(ship);
}
