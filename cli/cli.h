/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sinkholectl: what every subcommand gets and gives back. A program is a table: main.c holds the
 * rows {name, function, one line of help}; each subcommand is one file, cli/<name>.c.
 *
 * Threads: one. Memory: freed at exit.
 */
#ifndef SINKHOLE_CLI_H
#define SINKHOLE_CLI_H

#include <jansson.h>
#include <stdbool.h>

#include "sinkhole/settings.h"
#include "sinkhole/store.h"

/* Exit codes, documented in sinkholectl(8). */
enum cli_exit {
    CLI_OK = 0,
    CLI_FAILED = 1,   /* it was tried and did not work */
    CLI_USAGE = 2,    /* the words of the call, or the settings file */
    CLI_REDIS = 3,    /* Redis cannot be reached or does not serve now: try again */
    CLI_REFUSED = 4,  /* a guard said no; nothing was changed */
    CLI_ABSENT = 5,   /* no such feed, name, unit, ... */
    CLI_CONFLICT = 6, /* somebody else changed it meanwhile: look and try again */
};

struct cli {
    const struct sinkhole_settings *settings;
    struct sinkhole_store *store; /* connects at first use */
    bool json;                    /* --json: one JSON document (or one a line) on standard output */
    bool colour;                  /* only on a terminal, and not with NO_COLOR */
    bool progress;                /* standard error is a terminal */
};

struct cli_command {
    const char *name;
    int (*run)(struct cli *cli, int argc, char **argv); /* argv[0] is the command's name */
    const char *help;                                   /* one line */
};

/* Prints "sinkholectl: ..." to standard error. Returns `code`. */
int cli_fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The exit code for a store status, with the store's sentence printed. */
int cli_store_fail(struct cli *cli, enum sinkhole_store_status status);
/* Prints and releases. */
void cli_print_json(json_t *value);
/* Runs argv[1] from a table of subcommands; prints `usage` for --help or nothing. */
int cli_dispatch(struct cli *cli, const struct cli_command *table, const char *usage, int argc,
                 char **argv);
/* "Publishing  412,000 of 4,248,533": on a terminal, after one second; call with done == total at
 * the end. */
void cli_progress(void *cli, const char *what, uint64_t done, uint64_t total);

/* --- options of one command -------------------------------------------------------------- */
struct cli_option {
    const char *name;     /* without the dashes */
    const char *argument; /* what the help calls it; NULL: a flag */
    const char *help;
    const char **text; /* where its argument goes */
    bool *flag;        /* or true, for a flag */
};
struct cli_page {
    const char *synopsis;             /* "why NAME", after "sinkholectl " */
    const char *about;                /* what it is for, in a few lines */
    const char *examples;             /* lines that work as they stand; may be NULL */
    const struct cli_option *options; /* ends with a NULL name; may be NULL */
};
#define CLI_GO_ON (-1)
/* Takes the options out of argv; what is left stands in argv[1..*argc). CLI_GO_ON, or the code to
 * return (CLI_OK after --help, CLI_USAGE with the reason printed). */
int cli_options(const struct cli_page *page, int *argc, char **argv);
/* As cli_options, and between `least` and `most` words besides. */
int cli_words(const struct cli_page *page, int *argc, char **argv, int least, int most);

/* A domain name as people write it, internationalised or defanged ("evil[.]example"). False: the
 * reason is printed. */
struct sinkhole_name;
bool cli_name(const char *text, struct sinkhole_name *ret_name);

/* --- what people read ----------------------------------------------------------------------- */
enum cli_paint { CLI_PLAIN, CLI_GOOD, CLI_BAD, CLI_DIM, CLI_BOLD };
/* The escape sequence, or "" when there are no colours. */
const char *cli_paint(const struct cli *cli, enum cli_paint paint);
/* "10m", "2h", "3d" before `now_ms`, or "2026-11-24", "2026-11-24T05:30[:00]", with Z or +07:00
 * (this machine's time zone without). */
bool cli_when(const char *text, int64_t now_ms, int64_t *ret_ms);
/* "2026-11-24 12:30:05 +07" in this machine's zone; "-" for 0. */
#define CLI_TIME_MAX 40
const char *cli_time(int64_t ms, char buf[CLI_TIME_MAX]);
/* "2026-11-24T05:30:05.123Z" */
const char *cli_time_utc(int64_t ms, char buf[CLI_TIME_MAX]);
/* "12 s", "3 min", "2 h", "5 d" */
const char *cli_age(int64_t ms, char buf[CLI_TIME_MAX]);
/* "4,248,533" */
#define CLI_COUNT_MAX 28
const char *cli_count(uint64_t count, char buf[CLI_COUNT_MAX]);

int cmd_abi_check(struct cli *cli, int argc, char **argv);
int cmd_alarm(struct cli *cli, int argc, char **argv);
int cmd_allow(struct cli *cli, int argc, char **argv);
int cmd_feed(struct cli *cli, int argc, char **argv);
int cmd_hits(struct cli *cli, int argc, char **argv);
int cmd_report(struct cli *cli, int argc, char **argv);
int cmd_completion(struct cli *cli, int argc, char **argv);
int cmd_settings(struct cli *cli, int argc, char **argv);
int cmd_status(struct cli *cli, int argc, char **argv);
int cmd_why(struct cli *cli, int argc, char **argv);

#endif
