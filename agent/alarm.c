/* SPDX-License-Identifier: BSD-3-Clause */
/* Alarms to the journal of the system and to Redis. Threads and memory: see alarm.h. */
#include "agent/alarm.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/log.h"
#include "sinkhole/clock.h"
#include "store/store_keys.h"

struct agent_alarms {
    char source[64];
    struct agent_redis *redis;
    struct sinkhole_alarm queue[AGENT_ALARM_QUEUE]; /* ring: first, count */
    size_t first, count;
    bool sending; /* queue[first] is on its way */
    struct agent_condition conditions[AGENT_CONDITIONS];
    size_t condition_count;
    uint64_t raised, unsent;
};

struct agent_alarms *agent_alarms_new(const char *source)
{
    struct agent_alarms *alarms = calloc(1, sizeof(*alarms));

    if (alarms != NULL)
        snprintf(alarms->source, sizeof(alarms->source), "%s", source);
    return alarms;
}

void agent_alarms_free(struct agent_alarms *alarms)
{
    free(alarms);
}

void agent_alarms_attach(struct agent_alarms *alarms, struct agent_redis *redis)
{
    alarms->redis = redis;
    if (redis == NULL)
        alarms->sending = false;
}

static void alarm_on_added(void *arg, enum sinkhole_store_status status, const redisReply *reply)
{
    struct agent_alarms *alarms = arg;

    alarms->sending = false;
    if (status == SINKHOLE_STORE_RETRY || reply == NULL)
        return; /* again at the next flush */
    if (status != SINKHOLE_STORE_OK)
        agent_log(AGENT_WARNING, "Redis refused an alarm: %s", reply->str);
    alarms->first = (alarms->first + 1) % AGENT_ALARM_QUEUE;
    alarms->count--;
    agent_alarms_flush(alarms);
}

void agent_alarms_flush(struct agent_alarms *alarms)
{
    const struct sinkhole_alarm *alarm = &alarms->queue[alarms->first];

    if (alarms->count == 0 || alarms->sending || alarms->redis == NULL)
        return;
    alarms->sending = agent_redis_send(
        alarms->redis, 0, alarm_on_added, alarms,
        "XADD %s MAXLEN ~ %d * code %s severity %d source %s text %s time_ms %lld",
        SINKHOLE_REDIS_ALARMS, SINKHOLE_REDIS_ALARMS_KEPT, alarm->code, (int)alarm->severity,
        alarm->source, alarm->text, (long long)alarm->time_ms);
}

static const char *alarm_severity_text(uint8_t severity)
{
    return severity == SINKHOLE_ALARM     ? "alarm"
           : severity == SINKHOLE_WARNING ? "warning"
                                          : "notice";
}

static void alarm_say(const struct sinkhole_alarm *alarm, const char *state)
{
    enum agent_level level = alarm->severity == SINKHOLE_ALARM     ? AGENT_ERROR
                             : alarm->severity == SINKHOLE_WARNING ? AGENT_WARNING
                                                                   : AGENT_NOTICE;

    agent_log(level, "alarm=%s state=%s severity=%s resolver=%s text=\"%s\"", alarm->code, state,
              alarm_severity_text(alarm->severity), alarm->source, alarm->text);
}

static void alarm_put(struct agent_alarms *alarms, enum sinkhole_severity severity,
                      const char *code, const char *state, const char *text)
{
    struct sinkhole_alarm alarm = {0};

    snprintf(alarm.code, sizeof(alarm.code), "%s", code);
    snprintf(alarm.source, sizeof(alarm.source), "%s", alarms->source);
    snprintf(alarm.text, sizeof(alarm.text), "%s", text);
    alarm.time_ms = sinkhole_now_ms();
    alarm.severity = (uint8_t)severity;
    alarm_say(&alarm, state);
    alarms->raised++;
    if (alarms->count == AGENT_ALARM_QUEUE) {
        alarms->unsent++;
        return;
    }
    alarms->queue[(alarms->first + alarms->count) % AGENT_ALARM_QUEUE] = alarm;
    alarms->count++;
    agent_alarms_flush(alarms);
}

void agent_alarm_event(struct agent_alarms *alarms, enum sinkhole_severity severity,
                       const char *code, const char *format, ...)
{
    char text[256];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    alarm_put(alarms, severity, code, "event", text);
}

static struct agent_condition *alarm_condition(struct agent_alarms *alarms, const char *code)
{
    for (size_t i = 0; i < alarms->condition_count; i++) {
        if (strcmp(alarms->conditions[i].code, code) == 0)
            return &alarms->conditions[i];
    }
    return NULL;
}

void agent_alarm_set(struct agent_alarms *alarms, enum sinkhole_severity severity, const char *code,
                     bool on, const char *format, ...)
{
    struct agent_condition *condition = alarm_condition(alarms, code);
    char text[256];
    va_list args;

    if (on == (condition != NULL) || (on && alarms->condition_count == AGENT_CONDITIONS))
        return;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (on) {
        condition = &alarms->conditions[alarms->condition_count++];
        snprintf(condition->code, sizeof(condition->code), "%s", code);
        snprintf(condition->text, sizeof(condition->text), "%s", text);
        condition->since_ms = sinkhole_now_ms();
        condition->severity = (uint8_t)severity;
    } else {
        *condition = alarms->conditions[--alarms->condition_count];
    }
    alarm_put(alarms, on ? severity : SINKHOLE_NOTICE, code, on ? "raised" : "cleared", text);
}

const struct agent_condition *agent_alarms_condition(const struct agent_alarms *alarms, size_t i)
{
    return i < alarms->condition_count ? &alarms->conditions[i] : NULL;
}

uint64_t agent_alarms_raised(const struct agent_alarms *alarms)
{
    return alarms->raised;
}

uint64_t agent_alarms_unsent(const struct agent_alarms *alarms)
{
    return alarms->unsent;
}
