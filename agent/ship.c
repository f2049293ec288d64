/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The shipper: asks where each lane's stream ends, seeks there in the journal, sends batch by
 * batch.
 *
 * Order for a lane: lane_ask -> on_last, on_offset -> lane_resume -> lane_send -> on_exec ->
 * lane_send; whatever goes wrong leads back to lane_ask, because only Redis knows what it has.
 *
 * Threads: the event loop's. Memory: see ship.h.
 */
#include "agent/ship_private.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sinkhole/clock.h"

#define TICK_MS 20
#define RETIRE_EVERY 5u     /* ticks */
#define OPEN_EVERY 50u      /* ticks between looks for a journal */
#define IDENTITY_EVERY 100u /* ticks between looks whether it is still the same */
#define TRIM_EVERY_S 30
#define PAUSE_RETRY_MS 500
#define PAUSE_OPERATOR_MS 5000
#define AWAY_MS 5000 /* Redis may be away this long before it is worth a word */

/* --- telling
 * -------------------------------------------------------------------------------------- */

void ship_event(struct sinkhole_ship *ship, enum sinkhole_severity severity, const char *code,
                const char *format, ...)
{
    char text[256];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    ship->events.event(ship->events.arg, severity, code, text);
}

void ship_condition(struct sinkhole_ship *ship, enum sinkhole_severity severity, const char *code,
                    bool on, const char *format, ...)
{
    char text[256];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    ship->events.condition(ship->events.arg, severity, code, on, text);
}

void ship_note_error(struct sinkhole_ship *ship, const redisReply *reply)
{
    snprintf(ship->stats.last_error, sizeof(ship->stats.last_error), "%.*s",
             (int)(reply->len < 200 ? reply->len : 200), reply->str);
}

/* --- asking where to go on
 * -------------------------------------------------------------------------- */

static void lane_pause(struct ship_lane *lane, enum sinkhole_store_status status)
{
    const bool operator= status == SINKHOLE_STORE_OPERATOR;

    lane->phase = SHIP_PAUSED;
    lane->retry_ms = sinkhole_monotonic_ms() + (operator? PAUSE_OPERATOR_MS : PAUSE_RETRY_MS);
    ship_condition(lane->ship, operator? SINKHOLE_ALARM : SINKHOLE_WARNING, "ship-stopped", true,
                   "hits wait in the journal, Redis refuses them: %s",
                   lane->ship->stats.last_error);
}

/* An answer while asking: false when it ends the asking. */
static bool asking_goes_on(struct ship_lane *lane, enum sinkhole_store_status status,
                           const redisReply *reply)
{
    if (reply == NULL || lane->phase != SHIP_ASKING)
        return false;
    if (status == SINKHOLE_STORE_OK)
        return true;
    ship_note_error(lane->ship, reply);
    lane_pause(lane, status);
    return false;
}

/* Goes on after what Redis has. */
static void lane_resume(struct ship_lane *lane)
{
    struct ship_position at = {0, 0};

    if (!lane->have_last || !lane->have_offset)
        return;
    /* An ID below the offset is of an older journal. */
    if (lane->last_ms > lane->offset)
        at = (struct ship_position){lane->last_ms - lane->offset, lane->last_sequence};
    sinkhole_drain_seek(lane->ship->drain, lane->number, at.segment, at.sequence);
    lane->stored = at;
    lane->mark_count = 0; /* Redis may have less than it had */
    lane->phase = SHIP_READY;
}

static void on_offset(void *arg, enum sinkhole_store_status status, const redisReply *reply)
{
    struct ship_lane *lane = arg;

    if (!asking_goes_on(lane, status, reply))
        return;
    if (reply->type != REDIS_REPLY_STRING) {
        if (lane->have_last) /* chosen, and gone again: from the beginning */
            lane->phase = SHIP_UNKNOWN;
        return; /* none yet: chosen once the last ID is known */
    }
    lane->offset = strtoull(reply->str, NULL, 10);
    lane->have_offset = true;
    lane_resume(lane);
}

static void on_chosen(void *arg, enum sinkhole_store_status status, const redisReply *reply)
{
    (void)asking_goes_on(arg, status, reply);
}

/* Chooses the offset that lifts this journal above all that the stream has seen. Whoever was first
 * stays right: it is read again. */
static void lane_choose_offset(struct ship_lane *lane)
{
    struct sinkhole_ship *ship = lane->ship;
    const uint64_t first = sinkhole_drain_first_segment(ship->drain, lane->number);
    const uint64_t offset = first > lane->last_ms ? 0 : lane->last_ms + 1 - first;

    /* Under this name the streams are found, whether or not the agent has told its state yet. */
    if (first == 0 ||
        !agent_redis_send(ship->redis, 0, on_chosen, lane, "ZADD %s NX %lld %s",
                          SINKHOLE_REDIS_RESOLVERS, (long long)sinkhole_now_ms(),
                          ship->settings->resolver_name) ||
        !agent_redis_send(ship->redis, 0, on_chosen, lane, "HSETNX %s %s %" PRIu64, ship->key,
                          lane->field, offset) ||
        !agent_redis_send(ship->redis, 0, on_offset, lane, "HGET %s %s", ship->key, lane->field))
        lane->phase = SHIP_UNKNOWN;
}

/* Value of "last-generated-id" in the answer of XINFO STREAM. */
static bool last_id_of(const redisReply *reply, uint64_t *ret_ms, uint64_t *ret_sequence)
{
    if (reply->type != REDIS_REPLY_ARRAY)
        return false;
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        const redisReply *name = reply->element[i], *value = reply->element[i + 1];

        if (name->str != NULL && strcmp(name->str, "last-generated-id") == 0 && value->str != NULL)
            return sscanf(value->str, "%" SCNu64 "-%" SCNu64, ret_ms, ret_sequence) == 2;
    }
    return false;
}

static void on_last(void *arg, enum sinkhole_store_status status, const redisReply *reply)
{
    struct ship_lane *lane = arg;

    if (reply != NULL && reply->type == REDIS_REPLY_ERROR &&
        strncmp(reply->str, "ERR no such key", 15) == 0 && lane->phase == SHIP_ASKING) {
        lane->last_ms = lane->last_sequence = 0;
    } else if (!asking_goes_on(lane, status, reply)) {
        return;
    } else if (!last_id_of(reply, &lane->last_ms, &lane->last_sequence)) {
        snprintf(lane->ship->stats.last_error, sizeof(lane->ship->stats.last_error),
                 "XINFO STREAM %.150s tells no last ID", lane->key);
        lane_pause(lane, SINKHOLE_STORE_OPERATOR);
        return;
    }
    lane->have_last = true;
    if (lane->have_offset)
        lane_resume(lane);
    else
        lane_choose_offset(lane);
}

static void lane_ask(struct ship_lane *lane)
{
    struct sinkhole_ship *ship = lane->ship;

    lane->have_last = lane->have_offset = false;
    lane->phase = SHIP_ASKING;
    if (!agent_redis_send(ship->redis, 0, on_offset, lane, "HGET %s %s", ship->key, lane->field) ||
        !agent_redis_send(ship->redis, 0, on_last, lane, "XINFO STREAM %s", lane->key))
        lane->phase = SHIP_UNKNOWN;
}

/* --- sending
 * ------------------------------------------------------------------------------------------ */

static void on_queued(void *arg, enum sinkhole_store_status status, const redisReply *reply)
{
    struct ship_lane *lane = arg;

    if (status == SINKHOLE_STORE_OK || reply == NULL)
        return;
    lane->batch_error = status;
    ship_note_error(lane->ship, reply);
}

/* Class of the batch's outcome. Entries that were there already count as stored: on a connection
 * that asked for the last ID they can be only another agent's. */
static enum sinkhole_store_status
batch_outcome(struct ship_lane *lane, enum sinkhole_store_status status, const redisReply *reply)
{
    uint64_t duplicates = 0;

    if (status != SINKHOLE_STORE_OK) {
        if (lane->batch_error != SINKHOLE_STORE_OK)
            return lane->batch_error; /* why EXEC was aborted */
        ship_note_error(lane->ship, reply);
        return status;
    }
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != lane->batch_records)
        return SINKHOLE_STORE_RETRY;
    for (size_t i = 0; i < reply->elements; i++) {
        const redisReply *one = reply->element[i];

        if (one->type != REDIS_REPLY_ERROR)
            continue;

        const enum sinkhole_store_status class = sinkhole_store_classify(one->str, one->len);

        if (class != SINKHOLE_STORE_DUPLICATE) {
            ship_note_error(lane->ship, one);
            return class;
        }
        duplicates++;
    }
    if (duplicates > 0) {
        lane->ship->stats.duplicates += duplicates;
        ship_event(lane->ship, SINKHOLE_ALARM, "hits-refused",
                   "Redis refused %" PRIu64 " hits of lane %u as stored already (the journal's "
                   "archive has them): does another agent ship under this resolver's name?",
                   duplicates, lane->number);
    }
    return SINKHOLE_STORE_OK;
}

static unsigned lane_send(struct ship_lane *lane);

static void on_exec(void *arg, enum sinkhole_store_status status, const redisReply *reply)
{
    struct ship_lane *lane = arg;
    struct sinkhole_ship *ship = lane->ship;

    if (reply == NULL || lane->phase != SHIP_SENDING)
        return; /* the connection ended: all lanes ask again on the next */
    status = batch_outcome(lane, status, reply);
    ship->stats.in_flight -= lane->batch_records;
    if (status != SINKHOLE_STORE_OK) {
        lane_pause(lane, status);
        return;
    }
    lane->phase = SHIP_READY;
    lane->stored = lane->batch_last;
    ship->stats.shipped += lane->batch_records;
    ship->stats.replies += lane->batch_replies;
    ship->stats.last_stored_ms = sinkhole_now_ms();
    if (ship->stats.last_error[0] != '\0') {
        ship->stats.last_error[0] = '\0';
        ship_condition(ship, SINKHOLE_NOTICE, "ship-stopped", false, "hits are shipped again");
    }
    (void)lane_send(lane);
}

static bool send_record(struct ship_lane *lane, const struct sinkhole_record_id *id,
                        const struct sinkhole_hit *hit, size_t *ret_len)
{
    uint8_t encoded[SINKHOLE_HIT_ENCODED_MAX];
    char stream_id[48], count[12];
    const size_t len = sinkhole_hit_encode(hit, encoded, sizeof(encoded));
    const size_t id_len = (size_t)snprintf(stream_id, sizeof(stream_id), "%" PRIu64 "-%" PRIu64,
                                           id->segment + lane->offset, id->sequence);
    const size_t count_len = (size_t)snprintf(count, sizeof(count), "%" PRIu32, hit->count);
    const char *argv[] = {"XADD", lane->key, stream_id, "h", (const char *)encoded, "n", count};
    const size_t argv_len[] = {4, strlen(lane->key), id_len, 1, len, 1, count_len};

    *ret_len = len;
    return agent_redis_send_argv(lane->ship->redis, 0, on_queued, lane, 7, argv, argv_len);
}

/* Sends what is ready of the lane, one batch; returns its records. */
static unsigned lane_send(struct ship_lane *lane)
{
    struct sinkhole_ship *ship = lane->ship;
    const int64_t now_ms = sinkhole_now_ms();
    struct sinkhole_record_id id;
    struct sinkhole_hit hit;
    size_t bytes = 0, len = 0;
    bool sent = true;

    lane->batch_last = lane->stored;
    lane->batch_records = 0;
    lane->batch_replies = 0;
    lane->batch_error = SINKHOLE_STORE_OK;
    while (sent && lane->batch_records < SHIP_BATCH_RECORDS && bytes < SHIP_BATCH_BYTES &&
           sinkhole_drain_next(ship->drain, lane->number, now_ms, &hit, &id) ==
               SINKHOLE_JOURNAL_OK) {
        lane->batch_last = (struct ship_position){id.segment, id.sequence};
        if (hit.rule == SINKHOLE_RULE_CANARY) { /* our own question, nobody's look-up */
            ship->stats.canary += hit.count;
            continue;
        }
        if (lane->batch_records == 0) {
            lane->batch_oldest_ms = hit.time_ms;
            sent = agent_redis_send(ship->redis, 0, on_queued, lane, "MULTI");
        }
        sent = sent && send_record(lane, &id, &hit, &len);
        bytes += len;
        lane->batch_records++;
        lane->batch_replies += hit.count;
    }
    if (lane->batch_records == 0) {
        lane->stored = lane->batch_last; /* nothing, or nothing but our own questions */
        return 0;
    }
    lane->phase = SHIP_SENDING;
    ship->stats.in_flight += lane->batch_records;
    if (!sent || !agent_redis_send(ship->redis, 0, on_exec, lane, "EXEC"))
        agent_redis_reconnect(ship->redis); /* half a batch: what was queued is forgotten with it */
    return lane->batch_records;
}

/* --- the clockwork
 * ------------------------------------------------------------------------------------ */

static void lane_init(struct sinkhole_ship *ship, unsigned number)
{
    struct ship_lane *lane = &ship->lane[number];
    size_t at;

    *lane = (struct ship_lane){.ship = ship, .number = number, .phase = SHIP_UNKNOWN};
    snprintf(lane->key, sizeof(lane->key), SINKHOLE_REDIS_HITS_F, ship->settings->resolver_name,
             number);
    at = (size_t)snprintf(lane->field, sizeof(lane->field), "%u:", number);
    for (size_t i = 0; i < sizeof(ship->journal); i++)
        at +=
            (size_t)snprintf(lane->field + at, sizeof(lane->field) - at, "%02x", ship->journal[i]);
}

/* True when there is a journal to read. */
static bool ship_open_journal(struct sinkhole_ship *ship, bool look)
{
    if (ship->drain != NULL)
        return true;
    if (!look || sinkhole_drain_open(ship->dir, &ship->drain) != SINKHOLE_JOURNAL_OK)
        return false;
    sinkhole_drain_identity(ship->drain, ship->journal);
    return true;
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct sinkhole_ship *ship = arg;
    const int64_t now_ms = sinkhole_monotonic_ms();
    bool idle = true;

    (void)fd, (void)what;
    ship->ticks++;
    if (!ship_open_journal(ship, ship->ticks % OPEN_EVERY == 1))
        return;
    for (const unsigned lanes = sinkhole_drain_refresh(ship->drain); ship->lanes < lanes;
         ship->lanes++)
        lane_init(ship, ship->lanes);
    for (unsigned i = 0; i < ship->lanes && agent_redis_is_ready(ship->redis); i++) {
        struct ship_lane *lane = &ship->lane[i];

        if (lane->phase == SHIP_UNKNOWN || (lane->phase == SHIP_PAUSED && now_ms >= lane->retry_ms))
            lane_ask(lane);
        if (lane->phase != SHIP_READY || lane_send(lane) > 0)
            idle = false;
    }
    ship->idle = idle && agent_redis_is_ready(ship->redis);
    if (ship->ticks % RETIRE_EVERY == 0)
        ship_keep_retire(ship, now_ms);
    if (ship->ticks % IDENTITY_EVERY == 0)
        ship_keep_identity(ship);
}

static void on_second(evutil_socket_t fd, short what, void *arg)
{
    struct sinkhole_ship *ship = arg;
    const int64_t now_ms = sinkhole_monotonic_ms();

    (void)fd, (void)what;
    if (ship->lost_ms != 0 && now_ms - ship->lost_ms > AWAY_MS)
        ship_condition(ship, SINKHOLE_WARNING, "ship-stopped", true, "hits wait in the journal: %s",
                       ship->stats.last_error);
    if (ship->drain == NULL)
        return;
    ship_keep_second(ship, now_ms);
}

static void on_trim(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    sinkhole_ship_trim(arg);
}

static void on_ready(void *arg)
{
    struct sinkhole_ship *ship = arg;

    ship->lost_ms = 0;
    ship->stats.connected = true;
    ship_condition(ship, SINKHOLE_NOTICE, "ship-stopped", false, "Redis takes hits again");
    ship->stats.last_error[0] = '\0';
}

static void on_lost(void *arg, enum sinkhole_store_status status, const char *why)
{
    struct sinkhole_ship *ship = arg;

    (void)status;
    if (ship->lost_ms == 0)
        ship->lost_ms = sinkhole_monotonic_ms();
    snprintf(ship->stats.last_error, sizeof(ship->stats.last_error), "%s", why);
    ship->stats.connected = false;
    ship->stats.in_flight = 0;
    ship->trimming = false;
    for (unsigned i = 0; i < ship->lanes; i++)
        ship->lane[i].phase = SHIP_UNKNOWN;
}

/* --- contract
 * ----------------------------------------------------------------------------------------- */

static struct event *ship_timer(struct sinkhole_ship *ship, event_callback_fn run, int64_t every_ms)
{
    const struct timeval every = {every_ms / 1000, every_ms % 1000 * 1000};
    struct event *timer = event_new(ship->loop, -1, EV_PERSIST, run, ship);

    if (timer != NULL && event_add(timer, &every) != 0) {
        event_free(timer);
        return NULL;
    }
    return timer;
}

struct sinkhole_ship *sinkhole_ship_new(struct event_base *loop,
                                        const struct sinkhole_settings *settings, const char *dir,
                                        const struct sinkhole_ship_events *events)
{
    struct sinkhole_ship *ship = calloc(1, sizeof(*ship));
    const struct agent_redis_events redis_events = {on_ready, on_lost, ship};

    if (ship == NULL)
        return NULL;
    ship->loop = loop;
    ship->settings = settings;
    ship->events = *events;
    snprintf(ship->key, sizeof(ship->key), SINKHOLE_REDIS_SHIP_F, settings->resolver_name);
    ship->dir = strdup(dir);
    ship->tick = ship_timer(ship, on_tick, TICK_MS);
    ship->second = ship_timer(ship, on_second, 1000);
    ship->trim = ship_timer(ship, on_trim, TRIM_EVERY_S * 1000);
    ship->redis = agent_redis_new(loop, settings, &redis_events);
    if (ship->dir == NULL || ship->tick == NULL || ship->second == NULL || ship->trim == NULL ||
        ship->redis == NULL) {
        sinkhole_ship_free(ship);
        return NULL;
    }
    return ship;
}

void sinkhole_ship_free(struct sinkhole_ship *ship)
{
    if (ship == NULL)
        return;
    agent_redis_free(ship->redis);
    if (ship->tick != NULL)
        event_free(ship->tick);
    if (ship->second != NULL)
        event_free(ship->second);
    if (ship->trim != NULL)
        event_free(ship->trim);
    sinkhole_drain_close(ship->drain);
    free(ship->dir);
    free(ship);
}

void sinkhole_ship_stats(const struct sinkhole_ship *ship, struct sinkhole_ship_stats *ret_stats)
{
    struct sinkhole_ship_stats stats = ship->stats;
    struct sinkhole_backlog backlog = {0};

    stats.journal = ship->drain != NULL;
    stats.lanes = ship->lanes;
    if (ship->drain != NULL)
        sinkhole_drain_backlog(ship->drain, &backlog);
    stats.backlog = backlog.records;
    stats.backlog_bytes = backlog.bytes;
    stats.oldest_ms = backlog.oldest_ms;
    stats.damaged = backlog.damaged;
    for (unsigned i = 0; i < ship->lanes; i++) {
        const struct ship_lane *lane = &ship->lane[i];

        if (lane->phase == SHIP_SENDING &&
            (stats.oldest_ms == 0 || lane->batch_oldest_ms < stats.oldest_ms))
            stats.oldest_ms = lane->batch_oldest_ms;
    }
    *ret_stats = stats;
}

bool sinkhole_ship_idle(const struct sinkhole_ship *ship)
{
    return ship->idle;
}
