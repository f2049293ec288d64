/* SPDX-License-Identifier: BSD-3-Clause */
/* What this resolver tells of itself. Threads and memory: see status.h. */
#include "agent/status.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/log.h"
#include "sinkhole/clock.h"
#include "store/store_keys.h"

#define EVERY_S 2
#define SOON_MS 100
#define STRANGER_SURE 3 /* times another's state was found before it is said */
#define STRANGER_MOST 6

struct status_field {
    char name[32];
    char value[160];
};

struct agent_status {
    const char *dir, *resolver;
    struct agent_alarms *alarms;
    void (*fill)(void *arg, struct agent_status *status);
    void *arg;
    struct agent_redis *redis;
    struct event *tick, *soon;
    bool sending;     /* the last one is not yet answered */
    bool refused;     /* by Redis, said already */
    bool told;        /* what stands in Redis ought to be ours */
    unsigned strange; /* rises when it is not, and falls */
    bool file_failed; /* said already */
    struct status_field fields[AGENT_STATUS_FIELDS];
    size_t count;
};

void agent_status_put(struct agent_status *status, const char *name, const char *format, ...)
{
    struct status_field *field;
    va_list args;

    if (status->count == AGENT_STATUS_FIELDS)
        return;
    field = &status->fields[status->count++];
    snprintf(field->name, sizeof(field->name), "%s", name);
    va_start(args, format);
    vsnprintf(field->value, sizeof(field->value), format, args);
    va_end(args);
}

/* --- file --- */

static json_t *status_conditions(const struct agent_status *status)
{
    json_t *list = json_array();
    const struct agent_condition *condition;

    for (size_t i = 0; (condition = agent_alarms_condition(status->alarms, i)) != NULL; i++)
        json_array_append_new(list, json_pack("{s:s, s:i, s:I, s:s%}", "code", condition->code,
                                              "severity", (int)condition->severity, "since_ms",
                                              (json_int_t)condition->since_ms, "text",
                                              condition->text, strlen(condition->text)));
    return list;
}

static bool status_write_file(const struct agent_status *status)
{
    char path[400], temporary[410];
    json_t *root = json_object();
    bool ok;

    snprintf(path, sizeof(path), "%s/agent/status.json", status->dir);
    snprintf(temporary, sizeof(temporary), "%s.tmp", path);
    json_object_set_new(root, "resolver", json_string(status->resolver));
    for (size_t i = 0; i < status->count; i++)
        json_object_set_new(root, status->fields[i].name, json_string(status->fields[i].value));
    json_object_set_new(root, "conditions", status_conditions(status));
    ok = json_dump_file(root, temporary, JSON_INDENT(1)) == 0 && chmod(temporary, 0644) == 0 &&
         rename(temporary, path) == 0;
    json_decref(root);
    return ok;
}

/* --- Redis --- */

static void status_on_told(void *arg, enum sinkhole_store_status code, const redisReply *reply)
{
    struct agent_status *status = arg;

    status->sending = false;
    status->told |= reply != NULL && code == SINKHOLE_STORE_OK;
    if (reply != NULL && code != SINKHOLE_STORE_OK && !status->refused)
        agent_log(AGENT_WARNING, "Redis refuses this resolver's state: %s", reply->str);
    status->refused = reply != NULL && code != SINKHOLE_STORE_OK;
}

/* Who tells it: "HOST process PID". */
static const char *status_teller(const struct agent_status *status)
{
    for (size_t i = 0; i < status->count; i++)
        if (strcmp(status->fields[i].name, "teller") == 0)
            return status->fields[i].value;
    return "";
}

/* What stood there before ours. A cloned machine has its twin's name: each would ship its hits into
 * the other's stream, where they are refused as stored already. */
static void status_on_found(void *arg, enum sinkhole_store_status code, const redisReply *reply)
{
    struct agent_status *status = arg;

    if (code != SINKHOLE_STORE_OK || reply == NULL || reply->type != REDIS_REPLY_ARRAY ||
        reply->elements != 1 || reply->element[0]->type != REDIS_REPLY_STRING || !status->told)
        return;
    if (strcmp(reply->element[0]->str, status_teller(status)) == 0)
        status->strange -= status->strange > 0;
    else
        status->strange += status->strange < STRANGER_MOST;
    if (status->strange >= STRANGER_SURE)
        agent_alarm_set(
            status->alarms, SINKHOLE_ALARM, "name-taken", true,
            "another agent (%.100s) works under this resolver's name, and hits get lost: "
            "give each its own resolver.name",
            reply->element[0]->str);
    else if (status->strange == 0)
        agent_alarm_set(status->alarms, SINKHOLE_NOTICE, "name-taken", false,
                        "no other agent works under this resolver's name any more");
}

static void status_send(struct agent_status *status)
{
    const char *argv[2 + 2 * AGENT_STATUS_FIELDS + 2];
    size_t argv_len[2 + 2 * AGENT_STATUS_FIELDS + 2];
    char key[SINKHOLE_REDIS_KEY_MAX], codes[512] = "";
    const struct agent_condition *condition;
    int argc = 0;

    snprintf(key, sizeof(key), SINKHOLE_REDIS_RESOLVER_F, status->resolver);
    argv[argc++] = "HSET";
    argv[argc++] = key;
    for (size_t i = 0; i < status->count; i++) {
        argv[argc++] = status->fields[i].name;
        argv[argc++] = status->fields[i].value;
    }
    for (size_t i = 0; (condition = agent_alarms_condition(status->alarms, i)) != NULL; i++) {
        size_t len = strlen(codes);

        snprintf(codes + len, sizeof(codes) - len, "%s%s", len > 0 ? "," : "", condition->code);
    }
    argv[argc++] = "conditions";
    argv[argc++] = codes;
    for (int i = 0; i < argc; i++)
        argv_len[i] = strlen(argv[i]);
    agent_redis_send(status->redis, 0, status_on_found, status, "HMGET %s teller", key);
    status->sending =
        agent_redis_send_argv(status->redis, 0, status_on_told, status, argc, argv, argv_len);
    agent_redis_send(status->redis, 0, NULL, NULL, "EXPIRE %s %d", key, AGENT_STATUS_EXPIRY_S);
    agent_redis_send(status->redis, 0, NULL, NULL, "ZADD %s %" PRId64 " %s",
                     SINKHOLE_REDIS_RESOLVERS, sinkhole_now_ms(), status->resolver);
}

void agent_status_now(struct agent_status *status)
{
    status->count = 0;
    status->fill(status->arg, status);
    if (status_write_file(status)) {
        status->file_failed = false;
    } else if (!status->file_failed) {
        status->file_failed = true;
        agent_log(AGENT_WARNING, "cannot write %s/agent/status.json: %s", status->dir,
                  strerror(errno));
    }
    if (status->redis != NULL && !status->sending)
        status_send(status);
}

static void status_on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct agent_status *status = arg;

    (void)fd, (void)what;
    event_del(status->soon);
    agent_status_now(status);
}

void agent_status_soon(struct agent_status *status)
{
    const struct timeval tv = {0, SOON_MS * 1000};

    if (!event_pending(status->soon, EV_TIMEOUT, NULL))
        event_add(status->soon, &tv);
}

void agent_status_attach(struct agent_status *status, struct agent_redis *redis)
{
    status->redis = redis;
    status->sending = false;
}

struct agent_status *agent_status_new(struct event_base *loop, const char *dir,
                                      const char *resolver, struct agent_alarms *alarms,
                                      void (*fill)(void *arg, struct agent_status *status),
                                      void *arg)
{
    const struct timeval every = {EVERY_S, 0};
    struct agent_status *status = calloc(1, sizeof(*status));

    if (status == NULL)
        return NULL;
    status->dir = dir;
    status->resolver = resolver;
    status->alarms = alarms;
    status->fill = fill;
    status->arg = arg;
    status->tick = event_new(loop, -1, EV_PERSIST, status_on_tick, status);
    status->soon = event_new(loop, -1, 0, status_on_tick, status);
    if (status->tick == NULL || status->soon == NULL || event_add(status->tick, &every) != 0) {
        agent_status_free(status);
        return NULL;
    }
    return status;
}

void agent_status_free(struct agent_status *status)
{
    if (status == NULL)
        return;
    if (status->tick != NULL)
        event_free(status->tick);
    if (status->soon != NULL)
        event_free(status->soon);
    free(status);
}
