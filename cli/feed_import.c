/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sinkholectl feed import: a file, or text pasted on standard input, read, guarded and staged.
 *
 * Threads: one. Memory: the import's.
 */
#include "config.h"

#include "cli/feed.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "sinkhole/clock.h"
#include "sinkhole/report.h"

#define SHOWN 20 /* notes, without --all */
#define DEFAULT_SEVERITY 2
#define DEFAULT_CONFIDENCE 100

struct words {
    const char *format, *reference, *issuer, *issued, *received, *remark, *scope, *action,
        *valid_until, *family, *category, *severity, *confidence, *tlp, *urls, *column, *delimiter,
        *undefanged;
    bool replace, amend, publish, private_suffix, force_dirty, all;
};

/* "2026-11-24" or "24/11/2026" into the former; false after a message. */
static bool take_date(const char *option, const char *text, char to[16])
{
    struct tm tm = {0}, check;
    const char *end;

    if (text == NULL)
        return true;
    end = strptime(text, "%Y-%m-%d", &tm);
    if (end == NULL || *end != '\0') {
        memset(&tm, 0, sizeof tm);
        end = strptime(text, "%d/%m/%Y", &tm);
    }
    tm.tm_hour = 12;
    check = tm;
    if (end == NULL || *end != '\0' || mktime(&check) == -1 || check.tm_mday != tm.tm_mday) {
        cli_fail(CLI_USAGE, "--%s: \"%s\"; expected a date, 2026-11-24 or 24/11/2026", option,
                 text);
        return false;
    }
    memset(to, 0, 16);
    strftime(to, 16, "%Y-%m-%d", &tm);
    return true;
}

/* A date or time to come, or "90d" from now. */
static bool take_until(const char *text, int64_t *ret_s)
{
    int64_t now_ms = sinkhole_now_ms(), ms = 0;
    char *end;
    unsigned long days;

    if (text == NULL)
        return true;
    days = strtoul(text, &end, 10);
    if (end != text && strcmp(end, "d") == 0 && days > 0 && days < 36500)
        ms = now_ms + (int64_t)days * 86400000;
    else if (strchr(text, '-') == NULL || !cli_when(text, now_ms, &ms))
        ms = 0;
    if (ms <= now_ms) {
        cli_fail(CLI_USAGE,
                 "--valid-until: \"%s\"; expected a date to come (2027-01-31), or days (90d)",
                 text);
        return false;
    }
    *ret_s = ms / 1000;
    return true;
}

static bool take_attributes(const struct words *words, struct sinkhole_batch *batch)
{
    static const char *const tlps[] = {"clear",        "white", "green", "amber",
                                       "amber+strict", "red",   NULL};
    uint64_t severity = DEFAULT_SEVERITY, confidence = DEFAULT_CONFIDENCE;
    time_t now = (time_t)(sinkhole_now_ms() / 1000);
    struct tm tm;
    int action = SINKHOLE_ACTION_INHERIT;

    strftime(batch->received, sizeof batch->received, "%Y-%m-%d", localtime_r(&now, &tm));
    sinkhole_process_user(batch->who, sizeof batch->who);
    if (words->action != NULL &&
        (action = feed_take_word("action", words->action, feed_action_words)) < 0)
        return false;
    if (action == SINKHOLE_ACTION_ALLOW || action == SINKHOLE_ACTION_TCP_ONLY)
        return cli_fail(CLI_USAGE, "--action: inherit, address, nxdomain, nodata, drop or monitor"),
               false;
    if (words->tlp != NULL && feed_take_word("tlp", words->tlp, tlps) < 0)
        return false;
    if (!feed_take_text("reference", words->reference, batch->reference, sizeof batch->reference) ||
        !feed_take_text("issuer", words->issuer, batch->issuer, sizeof batch->issuer) ||
        !feed_take_text("remark", words->remark, batch->remark, sizeof batch->remark) ||
        !feed_take_text("family", words->family, batch->family, sizeof batch->family) ||
        !feed_take_text("category", words->category, batch->category, sizeof batch->category) ||
        !feed_take_text("tlp", words->tlp, batch->tlp, sizeof batch->tlp) ||
        !take_date("issued", words->issued, batch->issued) ||
        !take_date("received", words->received, batch->received) ||
        !take_until(words->valid_until, &batch->rule.valid_until) ||
        !feed_take_number("severity", words->severity, 0, 4, &severity) ||
        !feed_take_number("confidence", words->confidence, 0, 100, &confidence))
        return false;
    batch->rule.action = (uint8_t)action;
    batch->rule.severity = (uint8_t)severity;
    batch->rule.confidence = (uint8_t)confidence;
    return true;
}

/* The option, else the feed's own, else the file's name, else a plain list. */
static bool take_format(const struct words *words, const struct sinkhole_feed *feed,
                        const char *path, enum sinkhole_format *ret_format)
{
    const char *dot = strrchr(path, '.');
    int format;

    if (words->format != NULL) {
        format = feed_take_word("format", words->format, feed_format_words);
        *ret_format = (enum sinkhole_format)format;
        return format >= 0;
    }
    if (feed->format[0] != '\0' && sinkhole_format_from_word(feed->format, ret_format))
        return true;
    *ret_format =
        dot != NULL && strcmp(dot, ".csv") == 0 ? SINKHOLE_FORMAT_CSV : SINKHOLE_FORMAT_PLAIN;
    return true;
}

static bool take_options(const struct words *words, struct sinkhole_import_options *options)
{
    static const char *const urls[] = {"review", "skip", "host", NULL};
    static const char *const undefanged[] = {"auto", "take", "review", NULL};
    int word;

    options->scope = SINKHOLE_SCOPE_SUBTREE;
    options->columns = words->column;
    options->allow_private_suffix = words->private_suffix;
    options->force_dirty = words->force_dirty;
    if (words->scope != NULL) {
        if ((word = feed_take_word("scope", words->scope, feed_scope_words)) < 0)
            return false;
        options->scope = (enum sinkhole_scope)word;
    }
    if (words->urls != NULL) {
        if ((word = feed_take_word("urls", words->urls, urls)) < 0)
            return false;
        options->urls = (enum sinkhole_url_policy)word;
    }
    if (words->undefanged != NULL) {
        if ((word = feed_take_word("undefanged", words->undefanged, undefanged)) < 0)
            return false;
        options->undefanged = (enum sinkhole_undefanged)word;
    }
    if (words->delimiter != NULL) {
        options->delimiter = strcmp(words->delimiter, "tab") == 0 ? '\t' : words->delimiter[0];
        if (options->delimiter == '\0' ||
            (words->delimiter[1] != '\0' && options->delimiter != '\t'))
            return cli_fail(CLI_USAGE, "--delimiter: one character, or tab"), false;
    }
    return true;
}

/* --- what was read --------------------------------------------------------------------------- */

struct notes {
    const struct cli *cli;
    json_t *array; /* with --json */
    bool all;
    uint64_t seen;
};

static bool show_note(void *arg, uint64_t line, enum sinkhole_note_reason reason, const char *text)
{
    struct notes *notes = arg;

    if (notes->array != NULL) {
        json_array_append_new(notes->array,
                              json_pack("{s:I, s:s, s:s, s:s}", "line", (json_int_t)line, "class",
                                        sinkhole_note_class_word(sinkhole_reason_class(reason)),
                                        "reason", sinkhole_reason_word(reason), "text", text));
        return true;
    }
    if (++notes->seen > SHOWN && !notes->all)
        return false;
    printf("  line %-7" PRIu64 " %-17s %s\n", line, sinkhole_reason_word(reason), text);
    return true;
}

static uint64_t count_notes(const struct sinkhole_import_counts *counts)
{
    uint64_t sum = 0;

    for (int i = 0; i < SINKHOLE_REASON_COUNT; i++)
        sum += counts->notes[i];
    return sum;
}

static void print_reasons(const struct cli *cli, const struct sinkhole_import_counts *counts)
{
    char count[CLI_COUNT_MAX];

    for (int i = 0; i < SINKHOLE_REASON_COUNT; i++)
        if (counts->notes[i] != 0)
            printf("  %s%10s %s%s %-11s %-17s %s\n",
                   cli_paint(cli, sinkhole_reason_class((enum sinkhole_note_reason)i) ==
                                          SINKHOLE_NOTE_REFUSED
                                      ? CLI_BAD
                                      : CLI_PLAIN),
                   cli_count(counts->notes[i], count), "", cli_paint(cli, CLI_PLAIN),
                   sinkhole_note_class_word(sinkhole_reason_class((enum sinkhole_note_reason)i)),
                   sinkhole_reason_word((enum sinkhole_note_reason)i),
                   sinkhole_reason_sentence((enum sinkhole_note_reason)i));
}

static void print_read(const struct cli *cli, const struct sinkhole_import *import,
                       const char *file, bool all)
{
    const struct sinkhole_import_counts *counts = sinkhole_import_counts(import);
    struct notes notes = {.cli = cli, .all = all};
    uint64_t total = count_notes(counts);
    char lines[CLI_COUNT_MAX], names[CLI_COUNT_MAX], twice[CLI_COUNT_MAX], shown[512];

    sinkhole_escape_terminal(file, shown, sizeof shown);
    printf("%sRead%s %s: %s lines, %s names (%s said again)\n", cli_paint(cli, CLI_BOLD),
           cli_paint(cli, CLI_PLAIN), shown, cli_count(counts->lines, lines),
           cli_count(counts->names, names), cli_count(counts->duplicates, twice));
    if (counts->addresses + counts->urls + counts->hashes + counts->emails + counts->review > 0)
        printf("Kept beside, not enforced: %" PRIu64 " addresses, %" PRIu64 " URLs, %" PRIu64
               " hashes, %" PRIu64 " e-mail addresses, %" PRIu64 " names for review%s\n",
               counts->addresses, counts->urls, counts->hashes, counts->emails, counts->review,
               counts->beside_lost > 0 ? " (too many: some are counted only)" : "");
    if (total == 0)
        return;
    puts("Not taken:");
    print_reasons(cli, counts);
    sinkhole_import_notes(import, show_note, &notes);
    if (notes.seen > SHOWN && !all)
        printf("  ... and %" PRIu64 " more: --all\n", total - SHOWN);
}

static json_t *read_json(const struct sinkhole_import *import, const char *feed, const char *file,
                         enum sinkhole_import_status status)
{
    const struct sinkhole_import_counts *counts = sinkhole_import_counts(import);
    struct notes notes = {.array = json_array()};
    json_t *reasons = json_object();

    for (int i = 0; i < SINKHOLE_REASON_COUNT; i++)
        if (counts->notes[i] != 0)
            json_object_set_new(reasons, sinkhole_reason_word((enum sinkhole_note_reason)i),
                                json_integer((json_int_t)counts->notes[i]));
    sinkhole_import_notes(import, show_note, &notes);
    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o}",
                     "feed", feed, "file", file, "status", sinkhole_import_status_text(status),
                     "lines", (json_int_t)counts->lines, "data_lines",
                     (json_int_t)counts->data_lines, "unreadable_lines",
                     (json_int_t)counts->dirty_lines, "names", (json_int_t)counts->names,
                     "duplicates", (json_int_t)counts->duplicates, "addresses",
                     (json_int_t)counts->addresses, "urls", (json_int_t)counts->urls, "hashes",
                     (json_int_t)counts->hashes, "emails", (json_int_t)counts->emails, "review",
                     (json_int_t)counts->review, "reasons", reasons, "notes", notes.array);
}

static int import_code(enum sinkhole_import_status status)
{
    switch (status) {
    case SINKHOLE_IMPORT_OK:
        return CLI_OK;
    case SINKHOLE_IMPORT_IO:
    case SINKHOLE_IMPORT_NO_MEMORY:
        return CLI_FAILED;
    case SINKHOLE_IMPORT_NO_COLUMN:
    case SINKHOLE_IMPORT_GUARD:
        return CLI_USAGE;
    default:
        return CLI_REFUSED;
    }
}

/* --- the command ------------------------------------------------------------------------------ */

struct job {
    struct cli *cli;
    const struct words *words;
    const char *feed, *path;
    struct sinkhole_feeds feeds;
    struct sinkhole_import_options options;
    struct sinkhole_staged staged;
};

static int read_file(struct job *job, struct sinkhole_import *import)
{
    bool is_stdin = strcmp(job->path, "-") == 0;
    int fd = is_stdin ? STDIN_FILENO : open(job->path, O_RDONLY | O_CLOEXEC);
    enum sinkhole_import_status status;
    int error;

    if (fd < 0)
        return cli_fail(CLI_FAILED, "%s: %s", job->path, strerror(errno));
    if (is_stdin && isatty(STDIN_FILENO))
        fputs("Paste the text, then Ctrl-D on a line of its own.\n", stderr);
    status = sinkhole_import_read(import, fd, job->feeds.progress, job->feeds.progress_arg);
    error = errno;
    if (!is_stdin)
        close(fd);
    if (!job->cli->json)
        print_read(job->cli, import, job->staged.file, job->words->all);
    if (status == SINKHOLE_IMPORT_OK)
        return CLI_GO_ON;
    if (job->cli->json)
        cli_print_json(read_json(import, job->feed, job->staged.file, status));
    if (status == SINKHOLE_IMPORT_IO)
        return cli_fail(CLI_FAILED, "%s: %s", job->staged.file, strerror(error));
    return cli_fail(import_code(status), "%s: %s; nothing was changed", job->staged.file,
                    sinkhole_import_status_text(status));
}

static int stage(struct job *job, struct sinkhole_import *import)
{
    struct cli *cli = job->cli;
    struct sinkhole_feeds_outcome outcome;
    enum sinkhole_feeds_status status;
    json_t *document, *published = NULL;
    int code = CLI_OK;

    status = sinkhole_import_stage(&job->feeds, import, job->feed, &job->staged, &outcome);
    if (status != SINKHOLE_FEEDS_OK)
        return feed_fail(cli, job->feed, status, &outcome);
    if (job->words->publish)
        code = feed_publish_staged(cli, &job->feeds, job->feed, outcome.import, &published);
    else if (!cli->json)
        printf("Staged; nothing is in force yet. What it would change: sinkholectl feed diff %s\n"
               "To put it in force: sinkholectl feed publish %s\n",
               job->feed, job->feed);
    if (cli->json && code == CLI_OK) {
        document = read_json(import, job->feed, job->staged.file, SINKHOLE_IMPORT_OK);
        json_object_set_new(document, "published", published == NULL ? json_null() : published);
        cli_print_json(document);
    }
    return code;
}

static int run(struct job *job)
{
    struct sinkhole_import *import = NULL;
    enum sinkhole_import_status status;
    char bad[256];
    int code;

    status =
        sinkhole_import_new(job->cli->settings, job->feeds.suffixes, &job->options, bad, &import);
    if (status != SINKHOLE_IMPORT_OK)
        return cli_fail(import_code(status), "%s",
                        bad[0] != '\0' ? bad : sinkhole_import_status_text(status));
    code = read_file(job, import);
    if (code == CLI_GO_ON)
        code = stage(job, import);
    sinkhole_import_free(import);
    return code;
}

static int prepare(struct job *job)
{
    const struct words *words = job->words;
    const char *name = strrchr(job->path, '/');
    char shown[4096];
    enum sinkhole_store_status status;
    struct sinkhole_feed feed;

    if (words->replace && words->amend)
        return cli_fail(CLI_USAGE, "--replace or --amend, not both");
    status = sinkhole_feed_get(job->cli->store, job->feed, &feed);
    if (status == SINKHOLE_STORE_ABSENT)
        return cli_fail(CLI_ABSENT, "no feed \"%s\": sinkholectl feed add %s", job->feed,
                        job->feed);
    if (status != SINKHOLE_STORE_OK)
        return cli_store_fail(job->cli, status);
    if (feed.policy.kind == SINKHOLE_FEED_ALLOW)
        return cli_fail(CLI_USAGE, "exceptions are made with sinkholectl allow");
    if (!take_format(words, &feed, job->path, &job->options.format) ||
        !take_options(words, &job->options) || !take_attributes(words, &job->staged.attributes))
        return CLI_USAGE;
    job->staged.mode =
        words->amend || (!words->replace && job->options.format == SINKHOLE_FORMAT_TEXT)
            ? SINKHOLE_MODE_AMEND
            : SINKHOLE_MODE_REPLACE;
    if (strcmp(job->path, "-") == 0)
        name = "standard input";
    else
        name = name == NULL ? job->path : name + 1;
    sinkhole_escape_terminal(name, shown, sizeof shown); /* a file is named by whom it came from */
    name = shown;
    if (strlen(name) >= sizeof job->staged.file)
        name += strlen(name) - sizeof job->staged.file + 1;
    while (((unsigned char)*name & 0xc0) == 0x80) /* not inside a character */
        name++;
    memcpy(job->staged.file, name, strlen(name));
    return CLI_GO_ON;
}

int feed_import(struct cli *cli, int argc, char **argv)
{
    struct words w = {0};
    const struct cli_option options[] = {
        {"format", "WORD", "plain, hosts, csv or text [the feed's own]", &w.format, NULL},
        {"replace", NULL, "it is all that the feed lists (default, but for text)", NULL,
         &w.replace},
        {"amend", NULL, "it comes to what the feed lists (default for text)", NULL, &w.amend},
        {"publish", NULL, "publish at once", NULL, &w.publish},
        {"reference", "TEXT", "the letter's number", &w.reference, NULL},
        {"issuer", "TEXT", "who sent it", &w.issuer, NULL},
        {"issued", "DATE", "date on the letter", &w.issued, NULL},
        {"received", "DATE", "date received [today]", &w.received, NULL},
        {"remark", "TEXT", "free words; who asked for it", &w.remark, NULL},
        {"scope", "WORD", "exact, below or subtree, of names without a mark [subtree]", &w.scope,
         NULL},
        {"action", "WORD", "other than the feed's: address, nxdomain, nodata, drop, monitor",
         &w.action, NULL},
        {"valid-until", "WHEN", "2027-01-31, or 90d from now", &w.valid_until, NULL},
        {"family", "TEXT", "malware family", &w.family, NULL},
        {"category", "TEXT", "c2, phishing, ...", &w.category, NULL},
        {"severity", "0-4", "[2]", &w.severity, NULL},
        {"confidence", "0-100", "[100]", &w.confidence, NULL},
        {"tlp", "WORD", "clear, green, amber, amber+strict, red", &w.tlp, NULL},
        {"urls", "WORD", "URLs with a path: review, skip, or host to list their hosts", &w.urls,
         NULL},
        {"column", "LIST", "CSV: numbers from 1, or header names, comma separated", &w.column,
         NULL},
        {"delimiter", "CHAR", "CSV: one character, or tab [found out]", &w.delimiter, NULL},
        {"undefanged", "WORD",
         "text: names written plainly: take, review, or auto: for review when the text defangs "
         "others [auto]",
         &w.undefanged, NULL},
        {"allow-private-suffix", NULL, "list a provider's zone too, exactly", NULL,
         &w.private_suffix},
        {"force-dirty", NULL, "although more than half of the lines are unreadable", NULL,
         &w.force_dirty},
        {"all", NULL, "show all that was not taken", NULL, &w.all},
        {NULL, NULL, NULL, NULL, NULL}};
    const struct cli_page page = {
        .synopsis = "feed import NAME FILE|- [OPTIONS]",
        .about =
            "Reads a list, or text pasted from a letter with defanged names, checks every name\n"
            "against the guards and stages it. Nothing is in force until \"feed publish\".\n"
            "Addresses, hashes and URLs with a path are kept beside it, not enforced.",
        .options = options,
        .examples =
            "  sinkholectl feed import ais letter.txt --format text --reference 799/BTTTT-CATTT "
            "--issued 31/12/2019\n"
            "  sinkholectl feed import hostsvn hosts --format hosts --publish\n"};
    struct job job = {.cli = cli, .words = &w};
    int code = cli_words(&page, &argc, argv, 2, 2);

    if (code != CLI_GO_ON)
        return code;
    job.feed = argv[1];
    job.path = argv[2];
    code = prepare(&job);
    if (code == CLI_GO_ON)
        code = feed_open(cli, &job.feeds);
    if (code != CLI_GO_ON)
        return code;
    code = run(&job);
    feed_close(&job.feeds);
    return code;
}
