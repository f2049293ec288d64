/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What all subcommands share: dispatch, options, messages, JSON, progress.
 *
 * Threads: one. Memory: none kept.
 */
#include "cli/cli.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sinkhole/clock.h"
#include "sinkhole/text.h"

#define OPTIONS_MAX 32

int cli_fail(int code, const char *format, ...)
{
    va_list args;

    fflush(stdout);
    fputs("sinkholectl: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return code;
}

void cli_print_json(json_t *value)
{
    json_dumpf(value, stdout, JSON_COMPACT | JSON_ENCODE_ANY);
    fputc('\n', stdout);
    json_decref(value);
}

const char *cli_paint(const struct cli *cli, enum cli_paint paint)
{
    static const char *const codes[] = {"\033[0m", "\033[32m", "\033[1;31m", "\033[2m", "\033[1m"};

    return cli->colour ? codes[paint] : "";
}

/* --- subcommands ---------------------------------------------------------------------------- */

static int print_table(const struct cli_command *table, const char *usage)
{
    size_t widest = 0;

    for (const struct cli_command *row = table; row->name != NULL; row++)
        if (strlen(row->name) > widest)
            widest = strlen(row->name);
    printf("%s\ncommands:\n", usage);
    for (const struct cli_command *row = table; row->name != NULL; row++)
        printf("  %-*s  %s\n", (int)widest, row->name, row->help);
    return CLI_OK;
}

/* Every command's part of the manual, as mdoc: what doc/sinkholectl.8.in leaves room for. */
static int print_manual(struct cli *cli, const struct cli_command *table)
{
    static char flag[] = "--manual";

    for (const struct cli_command *row = table; row->name != NULL; row++) {
        char name[64];
        char *words[] = {name, flag, NULL};

        snprintf(name, sizeof name, "%s", row->name);
        row->run(cli, 2, words);
    }
    return CLI_OK;
}

static const char *nearest(const char *word, const char *const *words)
{
    unsigned best = (unsigned)strlen(word) / 3 + 2;
    const char *found = NULL;

    for (; *words != NULL; words++) {
        unsigned distance = sinkhole_edit_distance(word, *words);

        if (strlen(word) >= 2 && strncmp(word, *words, strlen(word)) == 0)
            return *words; /* "ack" */
        if (distance < best) {
            best = distance;
            found = *words;
        }
    }
    return found;
}

int cli_dispatch(struct cli *cli, const struct cli_command *table, const char *usage, int argc,
                 char **argv)
{
    const char *words[OPTIONS_MAX + 1];
    const char *meant;
    size_t count = 0;

    if (argc < 2) {
        print_table(table, usage);
        return CLI_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return print_table(table, usage);
    if (strcmp(argv[1], "--manual") == 0)
        return print_manual(cli, table);
    for (const struct cli_command *row = table; row->name != NULL; row++) {
        if (strcmp(row->name, argv[1]) == 0)
            return row->run(cli, argc - 1, argv + 1);
        if (count < OPTIONS_MAX)
            words[count++] = row->name;
    }
    words[count] = NULL;
    meant = nearest(argv[1], words);
    if (meant != NULL)
        return cli_fail(CLI_USAGE, "no command \"%s\"; did you mean \"%s\"?", argv[1], meant);
    return cli_fail(CLI_USAGE, "no command \"%s\"; --help lists them", argv[1]);
}

/* --- options ------------------------------------------------------------------------------------
 */

static void print_page(const struct cli_page *page)
{
    char left[64];

    printf("usage: sinkholectl %s\n\n%s\n", page->synopsis, page->about);
    if (page->options != NULL && page->options->name != NULL)
        puts("\noptions:");
    for (const struct cli_option *option = page->options; option != NULL && option->name != NULL;
         option++) {
        snprintf(left, sizeof left, "--%s%s%s", option->name, option->argument != NULL ? " " : "",
                 option->argument != NULL ? option->argument : "");
        printf("  %-18s  %s\n", left, option->help);
    }
    if (page->examples != NULL)
        printf("\nexamples:\n%s", page->examples);
}

/* Lines of mdoc text: backslashes doubled, nothing at a line's start that looks like a macro, and a
 * new line for a new sentence unless they are `literal`. */
static void print_mdoc(const char *text, bool literal)
{
    bool begins = true;

    for (; *text != '\0'; text++) {
        if (!literal && strncmp(text, ". ", 2) == 0 && text[2] >= 'A' && text[2] <= 'Z') {
            puts(".");
            text++;
            continue;
        }
        if (begins && (*text == '.' || *text == '\''))
            fputs("\\&", stdout);
        begins = *text == '\n';
        if (*text == '\\')
            fputs("\\e", stdout);
        else
            putchar(*text);
    }
    if (!begins)
        putchar('\n');
}

static void print_manual_page(const struct cli_page *page)
{
    printf(".Ss ");
    print_mdoc(page->synopsis, false);
    print_mdoc(page->about, false);
    if (page->options != NULL && page->options->name != NULL)
        puts(".Bl -tag -width Ds");
    for (const struct cli_option *option = page->options; option != NULL && option->name != NULL;
         option++) {
        printf(".It Fl Fl %s", option->name);
        if (option->argument != NULL)
            printf(" Ar %s", option->argument);
        putchar('\n');
        print_mdoc(option->help, false);
    }
    if (page->options != NULL && page->options->name != NULL)
        puts(".El");
    if (page->examples != NULL) {
        puts(".Bd -literal");
        print_mdoc(page->examples, true);
        puts(".Ed");
    }
}

static int wrong_option(const struct cli_page *page, const char *word, bool without_argument)
{
    const char *words[OPTIONS_MAX + 1];
    const char *meant;
    size_t count = 0;

    if (without_argument)
        return cli_fail(CLI_USAGE, "%s: something is missing after it; see sinkholectl %s", word,
                        page->synopsis);
    for (const struct cli_option *option = page->options; option != NULL && option->name != NULL;
         option++)
        if (count < OPTIONS_MAX)
            words[count++] = option->name;
    words[count] = NULL;
    meant = strncmp(word, "--", 2) == 0 ? nearest(word + 2, words) : NULL;
    if (meant != NULL)
        return cli_fail(CLI_USAGE, "no option %s; did you mean --%s?", word, meant);
    return cli_fail(CLI_USAGE, "no option %s; usage: sinkholectl %s", word, page->synopsis);
}

int cli_options(const struct cli_page *page, int *argc, char **argv)
{
    struct option table[OPTIONS_MAX + 2] = {{.name = "help", .val = 'h'}};
    int count = 1, found, index, left = 1;

    if (*argc == 2 && strcmp(argv[1], "--manual") == 0) {
        print_manual_page(page);
        return CLI_OK;
    }

    for (const struct cli_option *option = page->options;
         option != NULL && option->name != NULL && count <= OPTIONS_MAX; option++, count++) {
        table[count].name = option->name;
        table[count].has_arg = option->argument != NULL ? required_argument : no_argument;
        table[count].val = 1;
    }
    opterr = 0;
    optind = 0; /* glibc: begin anew */
    while ((found = getopt_long(*argc, argv, ":h", table, &index)) != -1) {
        const struct cli_option *option;

        if (found == 'h') {
            print_page(page);
            return CLI_OK;
        }
        if (found == '?' && optopt > 1) { /* one letter; optind may not have moved on yet */
            char word[] = {'-', (char)optopt, '\0'};

            return wrong_option(page, word, false);
        }
        if (found == '?' || found == ':')
            return wrong_option(page, argv[optind - 1], found == ':');
        option = &page->options[index - 1];
        if (option->text != NULL)
            *option->text = optarg;
        if (option->flag != NULL)
            *option->flag = true;
    }
    while (optind < *argc)
        argv[left++] = argv[optind++];
    *argc = left;
    return CLI_GO_ON;
}

int cli_words(const struct cli_page *page, int *argc, char **argv, int least, int most)
{
    int code = cli_options(page, argc, argv);

    if (code != CLI_GO_ON)
        return code;
    if (*argc - 1 < least)
        return cli_fail(CLI_USAGE, "something is missing; usage: sinkholectl %s", page->synopsis);
    if (*argc - 1 > most)
        return cli_fail(CLI_USAGE, "\"%s\" is one word too many; usage: sinkholectl %s",
                        argv[most + 1], page->synopsis);
    return CLI_GO_ON;
}

/* --- progress
 * ------------------------------------------------------------------------------------- */

void cli_progress(void *arg, const char *what, uint64_t done, uint64_t total)
{
    static int64_t began_ms, shown_ms;
    static const char *doing;
    const struct cli *cli = arg;
    int64_t now_ms = sinkhole_monotonic_ms();
    char part[CLI_COUNT_MAX], whole[CLI_COUNT_MAX];

    if (!cli->progress)
        return;
    if (doing == NULL || strcmp(doing, what) != 0) {
        doing = what;
        began_ms = now_ms;
        shown_ms = 0;
    }
    if (done < total && now_ms - began_ms >= 1000 && now_ms - shown_ms >= 200) {
        shown_ms = now_ms;
        fprintf(stderr, "\r\033[K%s  %s", what, cli_count(done, part));
        if (total != UINT64_MAX) /* else nobody knows how many */
            fprintf(stderr, " of %s", cli_count(total, whole));
    } else if (done >= total) {
        if (shown_ms != 0)
            fputs("\r\033[K", stderr);
        doing = NULL;
    }
}
