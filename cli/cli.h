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
/* "Publishing  412,000 of 4,248,533": on a terminal, after one second; call with done == total at the end. */
void cli_progress(void *cli, const char *what, uint64_t done, uint64_t total);

int cmd_abi_check(struct cli *cli, int argc, char **argv);
int cmd_alarm(struct cli *cli, int argc, char **argv);
int cmd_allow(struct cli *cli, int argc, char **argv);
int cmd_feed(struct cli *cli, int argc, char **argv);
int cmd_hits(struct cli *cli, int argc, char **argv);
int cmd_report(struct cli *cli, int argc, char **argv);
int cmd_settings(struct cli *cli, int argc, char **argv);
int cmd_status(struct cli *cli, int argc, char **argv);
int cmd_why(struct cli *cli, int argc, char **argv);

#endif
