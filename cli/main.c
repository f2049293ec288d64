/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sinkholectl: the table of commands, and what stands before a command.
 *
 * Threads: one. Memory: freed at exit.
 */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

static const struct cli_command commands[] = {
    {"feed", cmd_feed, "lists: from a file or a letter to what every resolver enforces"},
    {"why", cmd_why, "who lists a name, on what letter, and what happens to it"},
    {"allow", cmd_allow, "exceptions: let a name resolve, with a reason and an end"},
    {"hits", cmd_hits, "who asked for listed names"},
    {"report", cmd_report, "what a unit is told: CSV, JSON Lines, a page"},
    {"status", cmd_status, "is every resolver well, and if not, what is wrong"},
    {"alarm", cmd_alarm, "what was reported, and that somebody has seen it"},
    {"settings", cmd_settings, "show, check or explain the settings file"},
    {"abi-check", cmd_abi_check, "may this Unbound load this module"},
    {"completion", cmd_completion, "words for the shell's Tab key"},
    {NULL, NULL, NULL},
};

/* These work, and have to, while the settings file is wrong or not there. */
static const char *const without_settings[] = {"abi-check", "completion", "settings", NULL};

static const char usage[] =
    "usage: sinkholectl [--config FILE] [--json] COMMAND ...\n"
    "       sinkholectl COMMAND --help\n"
    "\n"
    "Which names are listed and why, who asked for them, and what to tell whom.\n"
    "\n"
    "  --config FILE  settings file [$SINKHOLE_CONFIG, else " SINKHOLE_SYSCONFDIR
    "/sinkhole.yaml]\n"
    "  --json         machine-readable output, one JSON document or one a line\n"
    "  --help         this text, or a command's own\n"
    "  --version      version\n";

/* Takes --config and --json out of the words, wherever they stand before "--". */
static int take_global(struct cli *cli, const char **ret_config, int *argc, char **argv)
{
    int kept = 1;
    bool open = true;

    for (int i = 1; i < *argc; i++) {
        if (open && strcmp(argv[i], "--") == 0)
            open = false;
        if (open && strcmp(argv[i], "--json") == 0) {
            cli->json = true;
        } else if (open && strncmp(argv[i], "--config=", 9) == 0) {
            *ret_config = argv[i] + 9;
        } else if (open && strcmp(argv[i], "--config") == 0) {
            if (i + 1 == *argc)
                return cli_fail(CLI_USAGE, "--config: the settings file is missing after it");
            *ret_config = argv[++i];
        } else {
            argv[kept++] = argv[i];
        }
    }
    argv[kept] = NULL;
    *argc = kept;
    return CLI_GO_ON;
}

/* Behind an option it may be that option's argument: --reason -h. */
static bool asks_for_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if ((strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0 ||
             strcmp(argv[i], "--manual") == 0) &&
            (i == 1 || argv[i - 1][0] != '-'))
            return true;
    return false;
}

static bool needs_settings(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && without_settings[i] != NULL; i++)
        if (strcmp(argv[1], without_settings[i]) == 0)
            return false;
    return argc > 1 && !asks_for_help(argc, argv);
}

int main(int argc, char **argv)
{
    static char help_flag[] = "--help";
    struct cli cli = {.colour = isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL,
                      .progress = isatty(STDERR_FILENO)};
    struct sinkhole_settings *settings = NULL;
    char error[SINKHOLE_SETTINGS_ERROR_MAX];
    const char *config = NULL;
    int code;

    signal(SIGPIPE, SIG_IGN);
    if (argc < 1)
        return CLI_USAGE;
    code = take_global(&cli, &config, &argc, argv);
    if (code != CLI_GO_ON)
        return code;
    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
        puts("sinkholectl " PACKAGE_VERSION);
        return CLI_OK;
    }
    if (argc > 1 && strcmp(argv[1], "help") == 0) { /* "help feed add" is "feed add --help" */
        memmove(&argv[1], &argv[2], (size_t)(argc - 2) * sizeof *argv);
        argv[argc - 1] = help_flag;
    }
    if (config != NULL && setenv("SINKHOLE_CONFIG", config, 1) != 0)
        return cli_fail(CLI_FAILED, "no memory");
    if (needs_settings(argc, argv)) {
        settings = sinkhole_settings_load(NULL, error);
        if (settings == NULL)
            return cli_fail(CLI_USAGE, "%s", error);
    }
    cli.settings = settings;
    if (settings != NULL && (cli.store = sinkhole_store_new(settings)) == NULL)
        return cli_fail(CLI_FAILED, "no memory");
    code = cli_dispatch(&cli, commands, usage, argc, argv);
    if (fflush(stdout) != 0 || ferror(stdout))
        code =
            cli_fail(code == CLI_OK ? CLI_FAILED : code, "the output could not be written whole");
    sinkhole_store_free(cli.store);
    sinkhole_settings_free(settings);
    return code;
}
