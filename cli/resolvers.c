/* SPDX-License-Identifier: BSD-3-Clause */
/* What each resolver tells of itself. Threads and memory: see resolvers.h. */
#include "cli/resolvers.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

#define FILE_MAX_BYTES (1u << 20)

bool resolvers_init(struct resolvers *resolvers)
{
    memset(resolvers, 0, sizeof *resolvers);
    resolvers->all = json_object();
    return resolvers->all != NULL;
}

void resolvers_done(struct resolvers *resolvers)
{
    json_decref(resolvers->all);
    memset(resolvers, 0, sizeof *resolvers);
}

static bool take_field(void *arg, const char *resolver, const char *field, const char *value)
{
    json_t *all = arg, *fields = json_object_get(all, resolver);

    if (fields == NULL) {
        if (json_object_size(all) >= RESOLVERS_MAX)
            return false;
        fields = json_object();
        json_object_set_new(all, resolver, fields);
    }
    if (field != NULL && value != NULL)
        json_object_set_new(fields, field, json_string(value));
    return true;
}

enum sinkhole_store_status resolvers_load(struct resolvers *resolvers, struct sinkhole_store *store)
{
    enum sinkhole_store_status status = sinkhole_list_head_get(store, &resolvers->head);

    resolvers->head_known = status == SINKHOLE_STORE_OK && resolvers->head.generation > 0;
    if (status != SINKHOLE_STORE_OK && status != SINKHOLE_STORE_ABSENT)
        return status;
    return sinkhole_resolver_list(store, take_field, resolvers->all);
}

bool resolvers_load_file(struct resolvers *resolvers, const char *dir)
{
    char path[4096];
    json_t *fields, *name;
    json_error_t error;

    snprintf(path, sizeof path, "%.4000s/agent/status.json", dir);
    fields = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    name = json_object_get(fields, "resolver");
    if (!json_is_string(name)) {
        json_decref(fields);
        return false;
    }
    if (json_object_get(resolvers->all, json_string_value(name)) == NULL)
        json_object_set(resolvers->all, json_string_value(name), fields);
    json_decref(fields);
    return true;
}

const char *resolver_text(const json_t *resolver, const char *field)
{
    const char *text = json_string_value(json_object_get(resolver, field));

    return text != NULL ? text : "";
}

bool resolver_number(const json_t *resolver, const char *field, int64_t *ret_number)
{
    const char *text = resolver_text(resolver, field);
    char *end;
    long long number = strtoll(text, &end, 10);

    if (end == text)
        return false;
    *ret_number = number;
    return true;
}

bool resolver_generation(const json_t *resolver, int64_t *ret_generation)
{
    if (resolver_number(resolver, "module_generation", ret_generation) && *ret_generation > 0)
        return true;
    return resolver_number(resolver, "generation", ret_generation);
}

int resolver_digest_agrees(const struct resolvers *resolvers, const json_t *resolver)
{
    char digest[2 * SINKHOLE_DIGEST_LEN + 1];
    int64_t generation;

    if (!resolvers->head_known || !resolver_number(resolver, "generation", &generation) ||
        (uint64_t)generation != resolvers->head.generation)
        return -1;
    for (size_t i = 0; i < SINKHOLE_DIGEST_LEN; i++)
        snprintf(digest + 2 * i, 3, "%02x", resolvers->head.digest[i]);
    return strcmp(digest, resolver_text(resolver, "digest")) == 0;
}

static void __attribute__((format(printf, 2, 3))) add(json_t *faults, const char *format, ...)
{
    char text[400];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    json_array_append_new(faults, json_string(text));
}

static void judge_list(const struct resolvers *resolvers, const json_t *resolver, int64_t now_ms,
                       json_t *faults)
{
    int64_t generation, agent, refused;

    if (strcmp(resolver_text(resolver, "index"), "in-force") != 0)
        add(faults, "no index in force: names are resolved unfiltered");
    if (resolver_number(resolver, "module_index_status", &refused) && refused != 0)
        add(faults, "the module refused the newest index; the last good one stays in force");
    if (!resolvers->head_known || !resolver_generation(resolver, &generation))
        return;
    if ((uint64_t)generation != resolvers->head.generation &&
        now_ms - resolvers->head.published_ms > RESOLVER_CATCH_UP_MS)
        add(faults, "enforces generation %" PRId64 ", but %" PRIu64 " is published", generation,
            resolvers->head.generation);
    if (resolver_number(resolver, "generation", &agent) && agent != generation &&
        now_ms - resolvers->head.published_ms > RESOLVER_CATCH_UP_MS)
        add(faults, "the agent has generation %" PRId64 ", the module enforces %" PRId64, agent,
            generation);
    if (resolver_digest_agrees(resolvers, resolver) == 0)
        add(faults, "its list is not the published one (digest): it reads all again by itself");
}

bool resolver_is_gone(const json_t *resolver, int64_t now_ms)
{
    int64_t seen_ms;

    return resolver_text(resolver, "updated_ms")[0] == '\0' &&
           resolver_number(resolver, "seen_ms", &seen_ms) && now_ms - seen_ms > RESOLVER_GONE_MS;
}

json_t *resolver_faults(const struct resolvers *resolvers, const json_t *resolver, int64_t now_ms)
{
    json_t *faults = json_array(), *conditions = json_object_get(resolver, "conditions"),
           *condition;
    const char *canary = resolver_text(resolver, "canary");
    char age[CLI_TIME_MAX];
    int64_t updated_ms;
    size_t i;

    if (resolver_is_gone(resolver, now_ms))
        return faults;
    if (!resolver_number(resolver, "updated_ms", &updated_ms)) {
        if (resolver_number(resolver, "seen_ms", &updated_ms))
            add(faults, "its agent has been silent for %s", cli_age(now_ms - updated_ms, age));
        else
            add(faults, "its agent has been silent for an hour or more");
        return faults;
    }
    if (now_ms - updated_ms > RESOLVER_SILENT_MS)
        add(faults, "its agent has been silent for %s", cli_age(now_ms - updated_ms, age));
    if (updated_ms - now_ms > RESOLVER_SILENT_MS)
        add(faults, "its clock is %s ahead of this machine's", cli_age(updated_ms - now_ms, age));
    if (strcmp(resolver_text(resolver, "redis"), "away") == 0)
        add(faults, "its agent cannot use Redis");
    judge_list(resolvers, resolver, now_ms, faults);
    if (strcmp(canary, "not-sinkholed") == 0)
        add(faults, "the canary name is resolved, not sinkholed: is the module loaded?");
    else if (strcmp(canary, "no-answer") == 0)
        add(faults, "the canary name gets no answer: does the resolver run?");
    json_array_foreach(conditions, i, condition)
    {
        const char *text = json_string_value(json_object_get(condition, "text"));

        if (text != NULL)
            add(faults, "%s", text);
    }
    if (json_is_string(conditions) && json_string_length(conditions) > 0)
        add(faults, "its agent complains: %s", json_string_value(conditions));
    return faults;
}
