/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sinkholectl status: is every resolver well, and if not, what is wrong.
 *
 * Threads: one. Memory: freed before return.
 */
#include "cli/cli.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/resolvers.h"
#include "sinkhole/clock.h"
#include "sinkhole/counters.h"
#include "sinkhole/report.h"

static const struct cli_page page = {
    .synopsis = "status",
    .about = "Shows every resolver: the generation it enforces beside the published one, whether "
             "its list is\n"
             "whole, its backlog, drops, canary and version; and the alarms nobody has "
             "acknowledged. While Redis\n"
             "is away it shows what this machine's agent and module say. A resolver that was "
             "silent for a week\n"
             "counts as taken down.\n"
             "Exit code: 0 all is well, 1 something is wrong (it is said what), 3 Redis is away.",
    .examples = "  sinkholectl status\n"
                "  sinkholectl --json status | jq '.resolvers[].faults'\n"};

struct alarms {
    json_t *list;
    bool serious; /* one is a warning or an alarm */
};

static const char *severity_text(uint8_t severity)
{
    static const char *const names[] = {"notice", "warning", "alarm"};

    return severity < 3 ? names[severity] : "unknown";
}

static bool take_alarm(void *arg, const struct sinkhole_alarm *alarm)
{
    struct alarms *alarms = arg;
    char when[CLI_TIME_MAX];

    json_array_append_new(alarms->list,
                          json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "id", alarm->id, "time",
                                    cli_time_utc(alarm->time_ms, when), "severity",
                                    severity_text(alarm->severity), "code", alarm->code, "source",
                                    alarm->source, "text", alarm->text));
    if (alarm->severity >= SINKHOLE_WARNING)
        alarms->serious = true;
    return json_array_size(alarms->list) < 1000;
}

static const char *safe(const char *text, char *buf, size_t size)
{
    sinkhole_escape_terminal(text, buf, size);
    return buf;
}

/* This machine's counters, for when nobody else can tell. */
static json_t *counters_json(const char *dir)
{
    struct sinkhole_counters *counters = sinkhole_counters_open_read(dir);
    json_t *json;

    if (counters == NULL)
        return json_null();
    json = json_object();
    for (int i = 0; i < SINKHOLE_COUNTER_COUNT; i++)
        json_object_set_new(
            json, sinkhole_counter_name((enum sinkhole_counter)i),
            json_integer((json_int_t)sinkhole_counters_get(counters, (enum sinkhole_counter)i)));
    sinkhole_counters_close(counters);
    return json;
}

static void print_number(const json_t *resolver, const char *label, const char *field)
{
    char count[CLI_COUNT_MAX];
    int64_t number;

    if (resolver_number(resolver, field, &number) && number >= 0)
        printf("  %s %s", label, cli_count((uint64_t)number, count));
}

static void print_resolver(const struct cli *cli, const struct resolvers *resolvers,
                           const char *name, const json_t *resolver, const json_t *faults,
                           int64_t now_ms)
{
    char text[256], age[CLI_TIME_MAX];
    int64_t generation, updated_ms;
    int digest = resolver_digest_agrees(resolvers, resolver);
    json_t *fault;
    size_t i;

    if (resolver_is_gone(resolver, now_ms) && resolver_number(resolver, "seen_ms", &updated_ms)) {
        printf("%s%s  silent for %s: counted as taken down%s\n", cli_paint(cli, CLI_DIM),
               safe(name, text, sizeof text), cli_age(now_ms - updated_ms, age),
               cli_paint(cli, CLI_PLAIN));
        return;
    }
    printf("%s%s%s  %s%s%s", cli_paint(cli, CLI_BOLD), safe(name, text, sizeof text),
           cli_paint(cli, CLI_PLAIN),
           cli_paint(cli, json_array_size(faults) > 0 ? CLI_BAD : CLI_GOOD),
           json_array_size(faults) > 0 ? "not well" : "well", cli_paint(cli, CLI_PLAIN));
    if (resolver_number(resolver, "updated_ms", &updated_ms))
        printf("  heard %s ago", cli_age(now_ms - updated_ms, age));
    printf("  version %s\n", safe(resolver_text(resolver, "version"), text, sizeof text));
    if (resolver_generation(resolver, &generation))
        printf("  generation %" PRId64, generation);
    if (resolvers->head_known)
        printf(" of %" PRIu64, resolvers->head.generation);
    print_number(resolver, "entries", "entries");
    printf("%s\n", digest > 0 ? "  list whole" : digest == 0 ? "  list differs" : "");
    printf("  canary %s", safe(resolver_text(resolver, "canary"), text, sizeof text));
    print_number(resolver, "backlog", "backlog");
    print_number(resolver, "sinkholed", "sinkholed");
    print_number(resolver, "recorded", "recorded");
    print_number(resolver, "drops", "drops");
    putchar('\n');
    json_array_foreach(faults, i, fault)
        printf("  %s! %s%s\n", cli_paint(cli, CLI_BAD),
               safe(json_string_value(fault), text, sizeof text), cli_paint(cli, CLI_PLAIN));
}

static void print_alarms(const struct cli *cli, const struct alarms *alarms)
{
    json_t *alarm;
    size_t i;

    if (json_array_size(alarms->list) > 0)
        puts("\nalarms not acknowledged (sinkholectl alarm acknowledge ID):");
    json_array_foreach(alarms->list, i, alarm)
    {
        char text[600], source[200];
        const char *severity = resolver_text(alarm, "severity");

        printf(
            "  %s  %s  %s%s%s  %s: %s\n", resolver_text(alarm, "id"), resolver_text(alarm, "time"),
            cli_paint(cli, strcmp(severity, "notice") == 0 ? CLI_DIM : CLI_BAD), severity,
            cli_paint(cli, CLI_PLAIN), safe(resolver_text(alarm, "source"), source, sizeof source),
            safe(resolver_text(alarm, "text"), text, sizeof text));
    }
}

static void print_counters(const json_t *counters)
{
    const char *name;
    json_t *value;

    if (!json_is_object(counters))
        return;
    puts("\nthis machine's module has counted:");
    json_object_foreach((json_t *)counters, name, value)
        printf("  %-16s %" JSON_INTEGER_FORMAT "\n", name, json_integer_value(value));
}

/* All that is known, each resolver with its faults. *ret_wrong: is there one. */
static json_t *gather(const struct resolvers *resolvers, int64_t now_ms, bool *ret_wrong)
{
    json_t *array = json_array(), *resolver;
    const char *name;

    json_object_foreach(resolvers->all, name, resolver)
    {
        json_t *faults = resolver_faults(resolvers, resolver, now_ms);
        int digest = resolver_digest_agrees(resolvers, resolver);

        *ret_wrong = *ret_wrong || json_array_size(faults) > 0;
        json_array_append_new(array, json_pack("{s:s, s:o, s:o, s:O}", "resolver", name, "faults",
                                               faults, "digest_agrees",
                                               digest < 0 ? json_null() : json_boolean(digest),
                                               "fields", resolver));
    }
    return array;
}

static void show(const struct cli *cli, const struct resolvers *resolvers,
                 const struct alarms *alarms, json_t *all, json_t *counters, bool redis, bool wrong)
{
    json_t *one;
    size_t i;

    if (cli->json) {
        cli_print_json(json_pack(
            "{s:b, s:b, s:o, s:O, s:O, s:O}", "well", !wrong, "redis", redis, "generation",
            resolvers->head_known ? json_integer((json_int_t)resolvers->head.generation)
                                  : json_null(),
            "resolvers", all, "alarms", alarms->list, "local_counters", counters));
        return;
    }
    if (resolvers->head_known) {
        char count[CLI_COUNT_MAX], when[CLI_TIME_MAX];

        printf("published: generation %" PRIu64 ", %s entries, %s\n\n", resolvers->head.generation,
               cli_count(resolvers->head.entries, count),
               cli_time(resolvers->head.published_ms, when));
    } else if (redis) {
        puts("published: nothing yet (sinkholectl feed import, then feed publish)\n");
    }
    json_array_foreach(all, i, one) print_resolver(
        cli, resolvers, json_string_value(json_object_get(one, "resolver")),
        json_object_get(one, "fields"), json_object_get(one, "faults"), sinkhole_now_ms());
    if (json_array_size(all) == 0)
        puts("no resolver has told of itself: does sinkhole-agent run?");
    print_alarms(cli, alarms);
    if (!redis)
        print_counters(counters);
}

int cmd_status(struct cli *cli, int argc, char **argv)
{
    struct alarms alarms = {.list = json_array()};
    struct resolvers resolvers;
    enum sinkhole_store_status status;
    json_t *all, *counters;
    bool wrong = false;
    int code = cli_words(&page, &argc, argv, 0, 0);

    if (code != CLI_GO_ON || !resolvers_init(&resolvers)) {
        json_decref(alarms.list);
        return code != CLI_GO_ON ? code : cli_fail(CLI_FAILED, "no memory");
    }
    status = resolvers_load(&resolvers, cli->store);
    if (status == SINKHOLE_STORE_OK)
        status = sinkhole_alarm_list(cli->store, false, take_alarm, &alarms);
    if (status != SINKHOLE_STORE_OK) {
        code = cli_store_fail(cli, status);
        resolvers_load_file(&resolvers, cli->settings->resolver_directory);
    }
    all = gather(&resolvers, sinkhole_now_ms(), &wrong);
    wrong = wrong || alarms.serious || json_array_size(all) == 0 || status != SINKHOLE_STORE_OK;
    counters = counters_json(cli->settings->resolver_directory);
    show(cli, &resolvers, &alarms, all, counters, status == SINKHOLE_STORE_OK, wrong);
    json_decref(counters);
    json_decref(all);
    json_decref(alarms.list);
    resolvers_done(&resolvers);
    if (status != SINKHOLE_STORE_OK)
        return code;
    return wrong ? CLI_FAILED : CLI_OK;
}
