/* SPDX-License-Identifier: BSD-3-Clause */
/* sinkhole-agent: the words of the call. Threads: one until agent_run. Memory: freed at the end. */
#include "config.h"

#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/agent.h"
#include "agent/log.h"

static const char usage[] =
    "Usage: sinkhole-agent [--config FILE] [--check | --version | --help] [--verbose]\n"
    "\n"
    "Keeps this resolver's blocklist index what Redis says, sends the hits of its journal\n"
    "to Redis, asks a canary name through the resolver, and tells how all that goes.\n"
    "Runs in the foreground; one agent for each folder (resolver.directory).\n"
    "\n"
    "  --config FILE  settings; default: $SINKHOLE_CONFIG, else " SINKHOLE_SYSCONFDIR
    "/sinkhole.yaml\n"
    "  --check        look at the settings, say what is wrong, and end\n"
    "  --verbose      say more: each try to reach Redis\n"
    "  --version      print the version and end\n"
    "  --help         print this and end\n"
    "\n"
    "Signals: SIGTERM and SIGINT end it; SIGHUP connects to Redis anew.\n"
    "Exit: 0 ended when asked, 1 cannot work, 2 the call or the settings, 3 another agent\n"
    "works in the folder.\n"
    "\n"
    "Without Redis the last good index stays in force, and the agent tries again for ever.\n"
    "How it goes: sinkholectl status, or agent/status.json in the folder.\n"
    "Example: SINKHOLE_CONFIG=/etc/sinkhole.yaml sinkhole-agent --check && sinkhole-agent\n";

struct main_options {
    const char *config;
    bool check, verbose;
};

/* True: go on. False: end with *ret_code. */
static bool main_options_read(int argc, char **argv, struct main_options *ret_options,
                              int *ret_code)
{
    static const struct option table[] = {
        {"config", required_argument, NULL, 'c'}, {"check", no_argument, NULL, 'k'},
        {"verbose", no_argument, NULL, 'v'},      {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
    };
    int option;

    *ret_code = AGENT_EXIT_OK;
    while ((option = getopt_long(argc, argv, "c:kvVh", table, NULL)) != -1) {
        switch (option) {
        case 'c':
            ret_options->config = optarg;
            break;
        case 'k':
            ret_options->check = true;
            break;
        case 'v':
            ret_options->verbose = true;
            break;
        case 'V':
            puts("sinkhole-agent " PACKAGE_VERSION);
            return false;
        case 'h':
            fputs(usage, stdout);
            return false;
        default:
            *ret_code = AGENT_EXIT_USAGE;
            fputs("Try: sinkhole-agent --help\n", stderr);
            return false;
        }
    }
    if (optind == argc)
        return true;
    fprintf(stderr, "sinkhole-agent: unknown word %s\nTry: sinkhole-agent --help\n", argv[optind]);
    *ret_code = AGENT_EXIT_USAGE;
    return false;
}

int main(int argc, char **argv)
{
    struct main_options options = {0};
    char error[SINKHOLE_SETTINGS_ERROR_MAX] = "";
    struct sinkhole_settings *settings;
    int code;

    signal(SIGHUP,
           SIG_IGN); /* until agent_run listens: a signal that comes early must not end it */
    if (!main_options_read(argc, argv, &options, &code))
        return code;
    agent_log_init(options.verbose ? AGENT_DEBUG : AGENT_INFO);
    settings = sinkhole_settings_load(options.config, error);
    if (settings == NULL) {
        agent_log(AGENT_ERROR, "%s", error);
        return AGENT_EXIT_USAGE;
    }
    code = (int)(options.check ? agent_check(settings) : agent_run(settings));
    if (options.check && code == AGENT_EXIT_OK)
        printf("The settings are good: resolver %s, folder %s.\n", settings->resolver_name,
               settings->resolver_directory);
    sinkhole_settings_free(settings);
    return code;
}
