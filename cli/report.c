/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sinkholectl report: what a unit is told.
 *
 * Threads: one. Memory: the folded rows, see report.h.
 */
#include "cli/cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sinkhole/clock.h"
#include "sinkhole/report.h"

#define WEEK_MS (7 * 86400000LL)
#define PATH_MAX_LEN 4096

struct words {
    const char *since, *until, *output, *format, *units;
    bool all;
};
struct job {
    struct cli *cli;
    struct sinkhole_unit_file *units;
    struct sinkhole_suffixes *suffixes;
    struct sinkhole_report report;
    bool formats[SINKHOLE_REPORT_FORMATS];
    const char *directory;
    bool full; /* the fold took no more */
    uint64_t read;
    unsigned files;
};

/* --- units and fields
 * --------------------------------------------------------------------------------- */

static const char *units_path(const struct cli *cli, const char *given)
{
    return given != NULL ? given : cli->settings->report_units;
}

static int load_units(struct cli *cli, const char *given, struct sinkhole_unit_file **ret_units)
{
    char error[SINKHOLE_REPORT_ERROR_MAX];

    if (units_path(cli, given)[0] == '\0')
        return cli_fail(CLI_USAGE, "no units file: set report.units, or give --units FILE");
    *ret_units = sinkhole_unit_file_load(units_path(cli, given), error);
    return *ret_units != NULL ? CLI_OK : cli_fail(CLI_USAGE, "%s", error);
}

static int cmd_units(struct cli *cli, int argc, char **argv)
{
    const char *path = NULL;
    const struct cli_option options[] = {
        {"units", "FILE", "units file [report.units]", &path, NULL},
        {NULL, NULL, NULL, NULL, NULL},
    };
    const struct cli_page page = {
        .synopsis = "report units [--units FILE]",
        .about =
            "Reads the units file, says what is wrong with it, and lists the units.\n"
            "It is a CSV table in UTF-8 with a header. unit_id, name and prefixes must be there;\n"
            "contact, head, email, phone, language (vi or en) and note may be. Several prefixes "
            "stand in\n"
            "one field, separated by ';' or blanks, or in several rows of the same unit.\n"
            "Exit code: 0 right, 2 wrong.",
        .examples = "  sinkholectl report units --units units.csv\n",
        .options = options};
    struct sinkhole_unit_file *units = NULL;
    int code = cli_words(&page, &argc, argv, 0, 0);

    if (code != CLI_GO_ON)
        return code;
    code = load_units(cli, path, &units);
    for (size_t i = 0; code == CLI_OK && i < sinkhole_unit_file_count(units); i++) {
        const struct sinkhole_unit *unit = sinkhole_unit_file_get(units, i);
        char name[512];

        if (cli->json) {
            cli_print_json(json_pack(
                "{s:s, s:s, s:i, s:s, s:s, s:s, s:s, s:s}", "unit_id", unit->id, "name", unit->name,
                "prefixes", (int)unit->prefixes, "contact", unit->contact, "head", unit->head,
                "email", unit->email, "phone", unit->phone, "language", unit->language));
            continue;
        }
        sinkhole_escape_terminal(unit->name, name, sizeof name);
        printf("%-20s  %5u prefixes  %s\n", unit->id, unit->prefixes, name);
    }
    sinkhole_unit_file_free(units);
    return code;
}

static int cmd_fields(struct cli *cli, int argc, char **argv)
{
    static const struct cli_page page = {
        .synopsis = "report fields",
        .about =
            "Prints the table of fields: name in JSON Lines, kind, column in the CSV, meaning.",
        .examples = NULL};
    int code = cli_words(&page, &argc, argv, 0, 0);

    (void)cli;
    if (code != CLI_GO_ON)
        return code;
    sinkhole_report_fields(stdout);
    return CLI_OK;
}

/* --- unit
 * --------------------------------------------------------------------------------------------- */

static int parse_formats(struct job *job, const char *text)
{
    while (*text != '\0') {
        size_t len = strcspn(text, ",");
        int format = 0;

        while (format < SINKHOLE_REPORT_FORMATS &&
               (strlen(sinkhole_report_format_name((enum sinkhole_report_format)format)) != len ||
                strncmp(text, sinkhole_report_format_name((enum sinkhole_report_format)format),
                        len) != 0))
            format++;
        if (format == SINKHOLE_REPORT_FORMATS)
            return cli_fail(CLI_USAGE,
                            "--format %.*s: expected csv, jsonl, html, or several with commas",
                            (int)len, text);
        job->formats[format] = true;
        text += len + (text[len] == ',');
    }
    return CLI_OK;
}

static int parse_words(struct job *job, const struct words *words, const char *unit)
{
    int64_t now_ms = sinkhole_now_ms();
    int code = parse_formats(job, words->format != NULL ? words->format : "csv,jsonl,html");

    if (code != CLI_OK)
        return code;
    job->report.made_ms = now_ms;
    job->report.until_ms = now_ms;
    if (words->until != NULL && !cli_when(words->until, now_ms, &job->report.until_ms))
        return cli_fail(CLI_USAGE, "--until %s: expected 10m, 2h, 3d, or 2026-11-24T05:30",
                        words->until);
    job->report.since_ms = job->report.until_ms - WEEK_MS;
    if (words->since != NULL && !cli_when(words->since, now_ms, &job->report.since_ms))
        return cli_fail(CLI_USAGE, "--since %s: expected 10m, 2h, 3d, or 2026-11-24T05:30",
                        words->since);
    if (job->report.since_ms >= job->report.until_ms)
        return cli_fail(CLI_USAGE, "the time ends before it begins: --since is not before --until");
    if ((unit == NULL) != words->all)
        return cli_fail(CLI_USAGE, "give one unit, or --all");
    job->directory = words->output != NULL ? words->output : job->cli->settings->report_directory;
    code = load_units(job->cli, words->units, &job->units);
    if (code != CLI_OK || unit == NULL)
        return code;
    job->report.unit = sinkhole_unit_file_find(job->units, unit);
    if (job->report.unit == NULL)
        return cli_fail(CLI_ABSENT, "no unit \"%s\" in %s; \"sinkholectl report units\" lists them",
                        unit, units_path(job->cli, words->units));
    return CLI_OK;
}

static bool take_hit(void *arg, const struct sinkhole_stored_hit *hit)
{
    struct job *job = arg;

    if (++job->read % 8192 == 0)
        cli_progress(job->cli, "Reading hits", job->read, UINT64_MAX);
    job->full = !sinkhole_fold_add(job->report.fold, hit);
    return !job->full;
}

static int read_hits(struct job *job)
{
    struct sinkhole_hit_query query = {.since_ms = job->report.since_ms,
                                       .until_ms = job->report.until_ms};
    struct sinkhole_list_head head;
    enum sinkhole_store_status status;

    job->report.fold = sinkhole_fold_new(job->units, job->report.unit);
    if (job->report.fold == NULL)
        return cli_fail(CLI_FAILED, "no memory");
    status = sinkhole_hits_read(job->cli->store, &query, take_hit, job);
    cli_progress(job->cli, "Reading hits", 1, 1);
    if (status != SINKHOLE_STORE_OK)
        return cli_store_fail(job->cli, status);
    if (job->full || !sinkhole_fold_finish(job->report.fold))
        return cli_fail(
            CLI_FAILED,
            "more than %d rows, or no memory: take a shorter time with --since and --until",
            SINKHOLE_FOLD_ROWS_MAX);
    if (sinkhole_list_head_get(job->cli->store, &head) == SINKHOLE_STORE_OK)
        job->report.generation = head.generation;
    return CLI_OK;
}

/* The report's rows are set: writes it in each format. */
static int write_report(struct job *job)
{
    char path[PATH_MAX_LEN], error[SINKHOLE_REPORT_ERROR_MAX];

    for (int i = 0; i < SINKHOLE_REPORT_FORMATS; i++) {
        if (!job->formats[i])
            continue;
        if (!sinkhole_report_write(&job->report, (enum sinkhole_report_format)i, job->directory,
                                   path, sizeof path, error))
            return cli_fail(CLI_FAILED, "%s", error);
        job->files++;
        if (job->cli->json)
            cli_print_json(
                json_pack("{s:s, s:s, s:s, s:I}", "unit_id",
                          job->report.unit != NULL ? job->report.unit->id : "unassigned", "format",
                          sinkhole_report_format_name((enum sinkhole_report_format)i), "file", path,
                          "rows", (json_int_t)(job->report.end - job->report.first)));
        else
            puts(path);
    }
    return CLI_OK;
}

/* Rows lie by unit: a report for each run, and an empty one for nobody. */
static int write_all(struct job *job)
{
    size_t count = sinkhole_fold_count(job->report.fold);
    int code = CLI_OK;

    for (size_t i = 0; i < count && code == CLI_OK; i = job->report.end) {
        job->report.unit = sinkhole_fold_unit(job->report.fold, i);
        job->report.first = i;
        job->report.end = i + 1;
        while (job->report.end < count &&
               sinkhole_fold_unit(job->report.fold, job->report.end) == job->report.unit)
            job->report.end++;
        cli_progress(job->cli, "Writing reports", i, count);
        code = write_report(job);
    }
    cli_progress(job->cli, "Writing reports", count, count);
    if (code == CLI_OK && count == 0 && !job->cli->json)
        fputs("No unit has hits in this time.\n", stderr);
    return code;
}

static int cmd_unit(struct cli *cli, int argc, char **argv)
{
    struct words words = {0};
    const struct cli_option options[] = {
        {"all", NULL, "every unit that has hits, and \"unassigned\"", NULL, &words.all},
        {"since", "WHEN", "10m, 2h, 3d or 2026-11-24T05:30 [a week before --until]", &words.since,
         NULL},
        {"until", "WHEN", "likewise [now]", &words.until, NULL},
        {"output", "DIR", "where the files go [report.directory]", &words.output, NULL},
        {"format", "LIST", "csv, jsonl, html [all three]", &words.format, NULL},
        {"units", "FILE", "units file [report.units]", &words.units, NULL},
        {NULL, NULL, NULL, NULL, NULL},
    };
    const struct cli_page page = {
        .synopsis = "report unit UNIT|--all [OPTION...]",
        .about = "Writes what a unit is told: a CSV in Shadowserver's layout and JSON Lines for "
                 "its tools, an\n"
                 "HTML page in Vietnamese for its people (Ctrl-P makes the PDF). One row for each "
                 "machine, listed\n"
                 "name and hour. Prints the files' names.\n"
                 "Exit code: 0 written, 5 no such unit.",
        .examples = "  sinkholectl report unit so-yt --since 7d\n"
                    "  sinkholectl report unit --all --output /srv/reports --format html\n",
        .options = options};
    struct job job = {.cli = cli};
    int code = cli_words(&page, &argc, argv, 0, 1);

    if (code != CLI_GO_ON)
        return code;
    job.report.settings = cli->settings;
    code = parse_words(&job, &words, argc > 1 ? argv[1] : NULL);
    if (code == CLI_OK) {
        job.suffixes = sinkhole_suffixes_open(
            cli->settings->guard_suffixes[0] != '\0' ? cli->settings->guard_suffixes : NULL);
        job.report.suffixes = job.suffixes;
        job.report.provenances = sinkhole_provenances_new(cli->store);
        code = job.report.provenances == NULL ? cli_fail(CLI_FAILED, "no memory") : read_hits(&job);
    }
    if (code == CLI_OK && words.all) {
        code = write_all(&job);
    } else if (code == CLI_OK) {
        job.report.end = sinkhole_fold_count(job.report.fold);
        code = write_report(&job);
    }
    sinkhole_fold_free(job.report.fold);
    sinkhole_provenances_free(job.report.provenances);
    sinkhole_suffixes_close(job.suffixes);
    sinkhole_unit_file_free(job.units);
    return code;
}

int cmd_report(struct cli *cli, int argc, char **argv)
{
    static const struct cli_command table[] = {
        {"unit", cmd_unit, "what a unit is told: CSV, JSON Lines, HTML"},
        {"units", cmd_units, "is the units file right, and which units are in it"},
        {"fields", cmd_fields, "what each field of a hit means, in each format"},
        {NULL, NULL, NULL},
    };

    return cli_dispatch(cli, table, "usage: sinkholectl report COMMAND ...\n", argc, argv);
}
