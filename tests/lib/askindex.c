/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * askindex: asks an index for names, and what a look-up costs; --help says how.
 * Threads: one. Memory: all names in wire form.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sinkhole/clock.h"
#include "sinkhole/index.h"

static const char help[] =
    "usage: askindex [-q] [-n ROUNDS] DIR < NAMES\n"
    "Opens DIR/index and tells for each name what decides: rule, action, listed name.\n"
    "  -q, --quiet         totals only: names, listed, nanoseconds a look-up\n"
    "  -n, --rounds N      all names N times (1)\n"
    "Instructions of a look-up: valgrind --tool=callgrind --toggle-collect=sinkhole_index_find "
    "askindex ...\n";

struct names {
    struct sinkhole_name *items;
    size_t count, size;
};

static void names_read(struct names *names)
{
    char *text = NULL;
    size_t size = 0;

    while (getline(&text, &size, stdin) >= 0) {
        enum sinkhole_name_status status;

        if (names->count == names->size) {
            names->size = names->size > 0 ? names->size * 2 : 1024;
            names->items = realloc(names->items, names->size * sizeof(*names->items));
            if (names->items == NULL)
                exit(1);
        }
        text[strcspn(text, "\r\n")] = '\0';
        status = sinkhole_name_from_text(text, strlen(text), &names->items[names->count]);
        if (status != SINKHOLE_NAME_OK)
            fprintf(stderr, "askindex: '%s': %s\n", text, sinkhole_name_status_text(status));
        else
            names->count++;
    }
    free(text);
}

static int64_t now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void answer_print(const struct sinkhole_name *name, const struct sinkhole_match *match)
{
    char asked[SINKHOLE_NAME_TEXT_MAX], listed[SINKHOLE_NAME_TEXT_MAX];
    struct sinkhole_name suffix;

    sinkhole_name_to_text(name, asked, sizeof(asked));
    if (match->rule == NULL) {
        printf("%s: not listed\n", asked);
        return;
    }
    sinkhole_name_from_wire(name->wire + match->name_off,
                            (size_t)(name->wire_len - match->name_off), &suffix);
    sinkhole_name_to_text(&suffix, listed, sizeof(listed));
    printf("%s: rule %u of %s, action %u, by %s\n", asked, match->rule->id, match->policy->feed,
           match->action, listed);
}

int main(int argc, char **argv)
{
    static const struct option rows[] = {{"quiet", no_argument, NULL, 'q'},
                                         {"rounds", required_argument, NULL, 'n'},
                                         {NULL, 0, NULL, 0}};
    struct names names = {0};
    struct sinkhole_index *index;
    enum sinkhole_index_status status;
    unsigned long rounds = 1, listed = 0;
    int64_t began, now_s = sinkhole_now_ms() / 1000;
    bool quiet = false;
    int c;

    while ((c = getopt_long(argc, argv, "qn:", rows, NULL)) != -1) {
        if (c == 'q')
            quiet = true;
        else if (c == 'n')
            rounds = strtoul(optarg, NULL, 10);
        else
            break;
    }
    if (c != -1 || argc - optind != 1) {
        fputs(help, stderr);
        return 2;
    }
    began = now_ns();
    status = sinkhole_index_open(argv[optind], &index);
    if (status != SINKHOLE_INDEX_OK) {
        fprintf(stderr, "askindex: %s: %s\n", argv[optind], sinkhole_index_status_text(status));
        return 1;
    }
    if (quiet)
        printf("opened in %.1f ms\n", (double)(now_ns() - began) / 1e6);
    names_read(&names);
    began = now_ns();
    for (unsigned long round = 0; round < rounds; round++) {
        for (size_t i = 0; i < names.count; i++) {
            struct sinkhole_match match;

            listed += sinkhole_index_find(index, names.items[i].wire, names.items[i].wire_len,
                                          now_s, &match);
            if (!quiet)
                answer_print(&names.items[i], &match);
        }
    }
    if (quiet && names.count > 0 && rounds > 0)
        printf("%zu names, %lu times, %lu listed, %.0f ns a look-up\n", names.count, rounds, listed,
               (double)(now_ns() - began) / (double)(names.count * rounds));
    free(names.items);
    sinkhole_index_close(index);
    return 0;
}
