/* SPDX-License-Identifier: BSD-3-Clause */
/* Alarms, and what the agents tell of their resolvers. Threads: with the store handle. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sinkhole/clock.h"
#include "store/connection.h"
#include "store/number.h"

#define PAGE 500

/* --- alarms --- */

enum sinkhole_store_status sinkhole_alarm_raise(struct sinkhole_store *store,
                                                const struct sinkhole_alarm *alarm)
{
    int64_t time_ms = alarm->time_ms == 0 ? sinkhole_now_ms() : alarm->time_ms;

    sinkhole_store_begin(store, "raise alarm %.48s", alarm->code);
    if (alarm->severity > SINKHOLE_ALARM || alarm->code[0] == '\0')
        return sinkhole_store_fail(store, SINKHOLE_STORE_INVALID, "no code, or no severity");
    return sinkhole_store_call(store, SINKHOLE_CALL_ONCE, NULL,
                               "XADD " SINKHOLE_REDIS_ALARMS
                               " MAXLEN ~ %d * code %s source %s severity %d text %s time_ms %lld",
                               SINKHOLE_REDIS_ALARMS_KEPT, alarm->code, alarm->source,
                               (int)alarm->severity, alarm->text, (long long)time_ms);
}

/* Cut, never refused: an alarm is shown whatever is in it. */
static void put_text(char *to, size_t room, const redisReply *value)
{
    snprintf(to, room, "%.*s", (int)(value->len < room ? value->len : room), value->str);
}

static void put_field(struct sinkhole_alarm *alarm, const redisReply *field,
                      const redisReply *value)
{
    uint64_t number;

    if (strcmp(field->str, "code") == 0)
        put_text(alarm->code, sizeof(alarm->code), value);
    else if (strcmp(field->str, "source") == 0)
        put_text(alarm->source, sizeof(alarm->source), value);
    else if (strcmp(field->str, "text") == 0)
        put_text(alarm->text, sizeof(alarm->text), value);
    else if (strcmp(field->str, "severity") == 0 &&
             sinkhole_number_parse(value->str, value->len, SINKHOLE_ALARM, &number))
        alarm->severity = (uint8_t)number;
    else if (strcmp(field->str, "time_ms") == 0 &&
             sinkhole_number_parse(value->str, value->len, INT64_MAX, &number))
        alarm->time_ms = (int64_t)number;
}

static bool parse_alarm(const redisReply *reply, struct sinkhole_alarm *ret_alarm)
{
    struct sinkhole_alarm alarm = {.severity = SINKHOLE_ALARM};
    const redisReply *fields;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
        reply->element[1]->type != REDIS_REPLY_ARRAY)
        return false;
    put_text(alarm.id, sizeof(alarm.id), reply->element[0]);
    fields = reply->element[1];
    for (size_t i = 0; i + 1 < fields->elements; i += 2)
        put_field(&alarm, fields->element[i], fields->element[i + 1]);
    *ret_alarm = alarm;
    return true;
}

static int by_text(const void *a, const void *b)
{
    return strcmp((*(redisReply *const *)a)->str, (*(redisReply *const *)b)->str);
}

static bool is_acknowledged(const redisReply *set, const char *id)
{
    redisReply wanted = {.str = (char *)(uintptr_t)id}, *at = &wanted;

    return set->elements > 0 &&
           bsearch(&at, set->element, set->elements, sizeof(at), by_text) != NULL;
}

/* One page, newest first; *ret_more: there may be another below `from`. */
static enum sinkhole_store_status list_page(struct sinkhole_store *store, char from[64],
                                            const redisReply *acknowledged, bool all,
                                            sinkhole_alarm_fn visit, void *arg, bool *ret_more)
{
    enum sinkhole_store_status status;
    redisReply *reply;

    status = sinkhole_store_call(store, SINKHOLE_CALL_AGAIN, &reply,
                                 "XREVRANGE " SINKHOLE_REDIS_ALARMS " %s - COUNT %d", from, PAGE);
    if (status != SINKHOLE_STORE_OK)
        return status;
    *ret_more = reply->elements == PAGE;
    for (size_t i = 0; i < reply->elements; i++) {
        struct sinkhole_alarm alarm;

        if (!parse_alarm(reply->element[i], &alarm))
            continue;
        snprintf(from, 64, "(%s", alarm.id);
        alarm.acknowledged = is_acknowledged(acknowledged, alarm.id);
        if ((all || !alarm.acknowledged) && !visit(arg, &alarm)) {
            *ret_more = false;
            break;
        }
    }
    freeReplyObject(reply);
    return status;
}

enum sinkhole_store_status sinkhole_alarm_list(struct sinkhole_store *store, bool acknowledged_too,
                                               sinkhole_alarm_fn visit, void *arg)
{
    enum sinkhole_store_status status;
    redisReply *acknowledged;
    char from[64] = "+";
    bool more = true;

    sinkhole_store_begin(store, "list the alarms");
    status = sinkhole_store_call(store, SINKHOLE_CALL_AGAIN, &acknowledged,
                                 "SMEMBERS " SINKHOLE_REDIS_ACKNOWLEDGED);
    if (status != SINKHOLE_STORE_OK)
        return status;
    status = sinkhole_store_expect_texts(store, acknowledged, SINKHOLE_REDIS_ACKNOWLEDGED);
    if (status == SINKHOLE_STORE_OK && acknowledged->elements > 0)
        qsort(acknowledged->element, acknowledged->elements, sizeof(acknowledged->element[0]),
              by_text);
    while (status == SINKHOLE_STORE_OK && more)
        status = list_page(store, from, acknowledged, acknowledged_too, visit, arg, &more);
    freeReplyObject(acknowledged);
    return status;
}

/* IDs below the oldest alarm that is kept: their alarms are gone. */
static enum sinkhole_store_status forget_old(struct sinkhole_store *store)
{
    redisReply *first, *set = NULL;
    enum sinkhole_store_status status;
    struct sinkhole_alarm alarm;
    uint64_t oldest;

    status = sinkhole_store_call(store, SINKHOLE_CALL_AGAIN, &first,
                                 "XRANGE " SINKHOLE_REDIS_ALARMS " - + COUNT 1");
    if (status != SINKHOLE_STORE_OK)
        return status;
    oldest = first->elements > 0 && parse_alarm(first->element[0], &alarm)
                 ? strtoull(alarm.id, NULL, 10)
                 : 0;
    freeReplyObject(first);
    status = sinkhole_store_call(store, SINKHOLE_CALL_AGAIN, &set,
                                 "SMEMBERS " SINKHOLE_REDIS_ACKNOWLEDGED);
    if (status != SINKHOLE_STORE_OK)
        return status;
    status = sinkhole_store_expect_texts(store, set, SINKHOLE_REDIS_ACKNOWLEDGED);
    for (size_t i = 0; status == SINKHOLE_STORE_OK && i < set->elements; i++) {
        if (strtoull(set->element[i]->str, NULL, 10) < oldest)
            status = sinkhole_store_call(store, SINKHOLE_CALL_AGAIN, NULL,
                                         "SREM " SINKHOLE_REDIS_ACKNOWLEDGED " %s",
                                         set->element[i]->str);
    }
    freeReplyObject(set);
    return status;
}

enum sinkhole_store_status sinkhole_alarm_acknowledge(struct sinkhole_store *store, const char *id)
{
    enum sinkhole_store_status status;
    redisReply *reply;
    bool there;

    sinkhole_store_begin(store, "acknowledge alarm %.48s", id);
    if (id[0] == '\0' || id[strspn(id, "0123456789-")] != '\0' || strchr(id, '-') == NULL)
        return sinkhole_store_fail(store, SINKHOLE_STORE_INVALID, "not an alarm's ID");
    status = sinkhole_store_call(store, SINKHOLE_CALL_AGAIN, &reply,
                                 "XRANGE " SINKHOLE_REDIS_ALARMS " %s %s", id, id);
    if (status != SINKHOLE_STORE_OK)
        return status;
    there = reply->elements == 1;
    freeReplyObject(reply);
    if (!there)
        return sinkhole_store_fail(store, SINKHOLE_STORE_ABSENT, "there is no such alarm");
    status = sinkhole_store_call(store, SINKHOLE_CALL_AGAIN, NULL,
                                 "SADD " SINKHOLE_REDIS_ACKNOWLEDGED " %s", id);
    if (status == SINKHOLE_STORE_OK)
        status = forget_old(store);
    return status;
}

/* --- resolvers --- */

static enum sinkhole_store_status visit_resolver(struct sinkhole_store *store, const char *name,
                                                 const char *seen_ms, sinkhole_field_fn visit,
                                                 void *arg, bool *ret_more)
{
    enum sinkhole_store_status status;
    char key[SINKHOLE_REDIS_KEY_MAX];
    redisReply *reply;

    snprintf(key, sizeof(key), SINKHOLE_REDIS_RESOLVER_F, name);
    status = sinkhole_store_call(store, SINKHOLE_CALL_AGAIN, &reply, "HGETALL %s", key);
    if (status != SINKHOLE_STORE_OK)
        return status;
    status = sinkhole_store_expect_texts(store, reply, key);
    *ret_more = status == SINKHOLE_STORE_OK && visit(arg, name, "seen_ms", seen_ms);
    if (*ret_more && reply->elements == 0)
        *ret_more = visit(arg, name, "state", "silent");
    for (size_t i = 0; *ret_more && i + 1 < reply->elements; i += 2)
        *ret_more = visit(arg, name, reply->element[i]->str, reply->element[i + 1]->str);
    freeReplyObject(reply);
    return status;
}

enum sinkhole_store_status sinkhole_resolver_list(struct sinkhole_store *store,
                                                  sinkhole_field_fn visit, void *arg)
{
    enum sinkhole_store_status status;
    redisReply *reply;
    bool more = true;

    sinkhole_store_begin(store, "list the resolvers");
    status = sinkhole_store_call(store, SINKHOLE_CALL_AGAIN, &reply,
                                 "ZRANGE " SINKHOLE_REDIS_RESOLVERS " 0 -1 WITHSCORES");
    if (status != SINKHOLE_STORE_OK)
        return status;
    status = sinkhole_store_expect_texts(store, reply, SINKHOLE_REDIS_RESOLVERS);
    for (size_t i = 0; status == SINKHOLE_STORE_OK && more && i + 1 < reply->elements; i += 2)
        status = visit_resolver(store, reply->element[i]->str, reply->element[i + 1]->str, visit,
                                arg, &more);
    freeReplyObject(reply);
    return status;
}
