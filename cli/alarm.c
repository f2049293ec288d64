/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sinkholectl alarm: what was reported, and that somebody has seen it.
 *
 * Threads: one. Memory: freed before return.
 */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sinkhole/report.h"

#define ACKNOWLEDGE_MAX 10000

static bool print_alarm(void *arg, const struct sinkhole_alarm *alarm)
{
    static const char *const severities[] = {"notice", "warning", "alarm"};
    const struct cli *cli = arg;
    const char *severity = alarm->severity < 3 ? severities[alarm->severity] : "unknown";
    char when[CLI_TIME_MAX], source[200], text[600];

    if (cli->json) {
        cli_print_json(json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:b}", "id", alarm->id, "time",
                                 cli_time_utc(alarm->time_ms, when), "severity", severity, "code",
                                 alarm->code, "source", alarm->source, "text", alarm->text,
                                 "acknowledged", alarm->acknowledged));
        return true;
    }
    sinkhole_escape_terminal(alarm->source, source, sizeof source);
    sinkhole_escape_terminal(alarm->text, text, sizeof text);
    printf("%s  %s  %s%-7s%s  %s: %s%s\n", alarm->id, cli_time(alarm->time_ms, when),
           cli_paint(cli, alarm->severity == SINKHOLE_NOTICE ? CLI_DIM : CLI_BAD), severity,
           cli_paint(cli, CLI_PLAIN), source, text, alarm->acknowledged ? " (acknowledged)" : "");
    return true;
}

static int cmd_list(struct cli *cli, int argc, char **argv)
{
    bool all = false;
    const struct cli_option options[] = {
        {"all", NULL, "acknowledged ones too", NULL, &all},
        {NULL, NULL, NULL, NULL, NULL},
    };
    const struct cli_page page = {
        .synopsis = "alarm list [--all]",
        .about = "Lists the alarms that nobody has acknowledged, oldest first. Exit code: 0.",
        .examples = "  sinkholectl alarm list\n",
        .options = options};
    int code = cli_words(&page, &argc, argv, 0, 0);

    if (code != CLI_GO_ON)
        return code;
    return cli_store_fail(cli, sinkhole_alarm_list(cli->store, all, print_alarm, cli));
}

/* --- acknowledge
 * ------------------------------------------------------------------------------------ */

struct ids {
    char (*id)[48];
    size_t count;
};

static bool take_id(void *arg, const struct sinkhole_alarm *alarm)
{
    struct ids *ids = arg;

    memcpy(ids->id[ids->count++], alarm->id, sizeof ids->id[0]);
    return ids->count < ACKNOWLEDGE_MAX;
}

static int acknowledge_all(struct cli *cli)
{
    struct ids ids = {.id = calloc(ACKNOWLEDGE_MAX, sizeof *ids.id)};
    enum sinkhole_store_status status;

    if (ids.id == NULL)
        return cli_fail(CLI_FAILED, "no memory");
    status = sinkhole_alarm_list(cli->store, false, take_id, &ids);
    for (size_t i = 0; status == SINKHOLE_STORE_OK && i < ids.count; i++)
        status = sinkhole_alarm_acknowledge(cli->store, ids.id[i]);
    free(ids.id);
    return cli_store_fail(cli, status);
}

static int cmd_acknowledge(struct cli *cli, int argc, char **argv)
{
    static const struct cli_page page = {
        .synopsis = "alarm acknowledge ID...|all",
        .about = "Says that somebody has seen these alarms: status no longer shows them.\n"
                 "Exit code: 0, 5 no such alarm.",
        .examples = "  sinkholectl alarm acknowledge 1795500000000-0\n"
                    "  sinkholectl alarm acknowledge all\n"};
    int code = cli_words(&page, &argc, argv, 1, 1000);

    if (code != CLI_GO_ON)
        return code;
    if (argc == 2 && strcmp(argv[1], "all") == 0)
        return acknowledge_all(cli);
    code = CLI_OK;
    for (int i = 1; i < argc && code == CLI_OK; i++)
        code = cli_store_fail(cli, sinkhole_alarm_acknowledge(cli->store, argv[i]));
    return code;
}

int cmd_alarm(struct cli *cli, int argc, char **argv)
{
    static const struct cli_command table[] = {
        {"list", cmd_list, "alarms that nobody has acknowledged"},
        {"acknowledge", cmd_acknowledge, "say that they have been seen"},
        {NULL, NULL, NULL},
    };

    return cli_dispatch(cli, table, "usage: sinkholectl alarm COMMAND\n", argc, argv);
}
