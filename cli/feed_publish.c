/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sinkholectl feed diff, publish, rollback.
 *
 * Threads: one. Memory: a difference is printed as it is found.
 */
#include "cli/feed.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN 20 /* names of a difference, without --all */

struct difference {
    const struct cli *cli;
    json_t *names; /* with --json */
    bool all;
    uint64_t seen, shown;
};

static void show_difference(void *arg, enum sinkhole_difference kind, const char *key,
                            size_t key_len, enum sinkhole_scope scope,
                            enum sinkhole_note_reason reason)
{
    static const char *const words[] = {"added", "removed", "changed", "refused"};
    static const char signs[] = {'+', '-', '~', '!'};
    struct difference *difference = arg;
    struct sinkhole_name name;
    char text[SINKHOLE_NAME_TEXT_MAX], shown[SINKHOLE_NAME_TEXT_MAX];
    bool same;

    if (++difference->seen > SHOWN && !difference->all)
        return;
    if (sinkhole_name_from_key(key, key_len, &name) != SINKHOLE_NAME_OK)
        return;
    difference->shown++;
    if (difference->names != NULL) {
        sinkhole_name_to_text(&name, text, sizeof text);
        json_array_append_new(
            difference->names,
            json_pack("{s:s, s:s, s:s, s:s?}", "change", words[kind], "name", text, "scope",
                      feed_scope_words[scope], "reason",
                      kind == SINKHOLE_DIFF_REFUSED ? sinkhole_reason_word(reason) : NULL));
        return;
    }
    sinkhole_name_to_text(&name, text, sizeof text);
    sinkhole_text_display(&name, shown, sizeof shown);
    same = strcmp(text, shown) == 0; /* else it may look like another name: both are told */
    printf("%s%c %s%s%s%s%s  (%s)%s%s\n",
           cli_paint(difference->cli, kind == SINKHOLE_DIFF_ADDED     ? CLI_GOOD
                                      : kind == SINKHOLE_DIFF_CHANGED ? CLI_PLAIN
                                                                      : CLI_BAD),
           signs[kind], text, same ? "" : " (", same ? "" : shown, same ? "" : ")",
           cli_paint(difference->cli, CLI_PLAIN), feed_scope_words[scope],
           kind == SINKHOLE_DIFF_REFUSED ? ": " : "",
           kind == SINKHOLE_DIFF_REFUSED ? sinkhole_reason_sentence(reason) : "");
}

static int nothing_staged(struct cli *cli, const char *feed)
{
    struct sinkhole_feed row;
    enum sinkhole_store_status status = sinkhole_feed_get(cli->store, feed, &row);

    if (status == SINKHOLE_STORE_OK)
        return cli_fail(CLI_ABSENT, "nothing is staged for \"%s\": sinkholectl feed import %s FILE",
                        feed, feed);
    if (status == SINKHOLE_STORE_ABSENT)
        return cli_fail(CLI_ABSENT, "no feed \"%s\"; feed list shows them", feed);
    return cli_store_fail(cli, status);
}

int feed_diff(struct cli *cli, int argc, char **argv)
{
    bool all = false;
    const struct cli_option options[] = {{"all", NULL, "every name, not the first 20", NULL, &all},
                                         {NULL, NULL, NULL, NULL, NULL}};
    const struct cli_page page = {
        .synopsis = "feed diff NAME [--all]",
        .about =
            "What publishing the staged import would change: + added, - removed, ~ listed with\n"
            "other attributes, ! refused by the guards as they are now. Changes nothing.",
        .options = options,
        .examples = "  sinkholectl feed diff ais\n"};
    int code = cli_words(&page, &argc, argv, 1, 1);
    struct difference difference = {.cli = cli, .all = all};
    struct sinkhole_feeds_outcome outcome;
    enum sinkhole_feeds_status status;
    struct sinkhole_feeds feeds;

    if (code != CLI_GO_ON || (code = feed_open(cli, &feeds)) != CLI_GO_ON)
        return code;
    if (cli->json)
        difference.names = json_array();
    status = sinkhole_feeds_diff(&feeds, argv[1], show_difference, &difference, &outcome);
    feed_close(&feeds);
    if (status != SINKHOLE_FEEDS_OK && status != SINKHOLE_FEEDS_NOTHING) {
        json_decref(difference.names);
        return status == SINKHOLE_FEEDS_ABSENT ? nothing_staged(cli, argv[1])
                                               : feed_fail(cli, argv[1], status, &outcome);
    }
    if (cli->json) {
        json_t *document = feed_outcome_json(&outcome);

        json_object_set_new(document, "names", difference.names);
        json_object_set_new(document, "names_left_out",
                            json_integer((json_int_t)(difference.seen - difference.shown)));
        cli_print_json(document);
        return CLI_OK;
    }
    if (difference.seen > difference.shown)
        printf("  ... and %" PRIu64 " more: --all\n", difference.seen - difference.shown);
    feed_print_outcome(cli, "Would change", &outcome);
    return CLI_OK;
}

int feed_publish_staged(struct cli *cli, const struct sinkhole_feeds *feeds, const char *feed,
                        const char *import, json_t **ret_json)
{
    struct sinkhole_feeds_outcome outcome;
    enum sinkhole_feeds_status status = sinkhole_feeds_publish(feeds, feed, import, &outcome);
    char what[64];

    if (status == SINKHOLE_FEEDS_ABSENT)
        return nothing_staged(cli, feed);
    if (status != SINKHOLE_FEEDS_OK && status != SINKHOLE_FEEDS_NOTHING)
        return feed_fail(cli, feed, status, &outcome);
    if (cli->json) {
        *ret_json = feed_outcome_json(&outcome);
        json_object_set_new(*ret_json, "changed_anything",
                            json_boolean(status == SINKHOLE_FEEDS_OK));
        return CLI_OK;
    }
    if (status == SINKHOLE_FEEDS_NOTHING)
        snprintf(what, sizeof what, "Nothing to change");
    else
        snprintf(what, sizeof what, "Published, generation %" PRIu64, outcome.generation);
    feed_print_outcome(cli, what, &outcome);
    return CLI_OK;
}

int feed_publish(struct cli *cli, int argc, char **argv)
{
    static const struct cli_page page = {
        .synopsis = "feed publish NAME",
        .about =
            "Puts the staged import in force on every resolver, in one generation or not at all.\n"
            "Names that the feed lists already with the same attributes keep their letter and "
            "date.",
        .examples = "  sinkholectl feed publish ais\n"};
    int code = cli_words(&page, &argc, argv, 1, 1);
    struct sinkhole_feeds feeds;
    json_t *json = NULL;

    if (code != CLI_GO_ON || (code = feed_open(cli, &feeds)) != CLI_GO_ON)
        return code;
    code = feed_publish_staged(cli, &feeds, argv[1], NULL, &json);
    feed_close(&feeds);
    if (json != NULL)
        cli_print_json(json);
    return code;
}

static bool keep_first(void *arg, const struct sinkhole_publication *publication)
{
    *(struct sinkhole_publication *)arg = *publication;
    return false;
}

/* The last publication, named, so that two who undo it at the same moment undo the same. One that
 * is a rollback itself is not undone unasked: that would put back in force what was taken off. */
static int last_publication(struct cli *cli, const char *feed, uint64_t *ret_generation)
{
    struct sinkhole_publication last = {0};
    enum sinkhole_store_status status = sinkhole_feed_history(cli->store, feed, keep_first, &last);

    if (status != SINKHOLE_STORE_OK && status != SINKHOLE_STORE_ABSENT)
        return cli_store_fail(cli, status);
    if (strncmp(last.text, FEED_ROLLBACK_TEXT, strlen(FEED_ROLLBACK_TEXT)) == 0)
        return cli_fail(
            CLI_CONFLICT,
            "the last publication of \"%s\", generation %" PRIu64
            ", is a rollback already; to undo it: sinkholectl feed rollback %s %" PRIu64,
            feed, last.generation, feed, last.generation);
    *ret_generation = last.generation;
    return CLI_GO_ON;
}

/* What was rolled back, after the names that were refused. Releases refused->names. */
static int show_rollback(struct cli *cli, const char *feed, enum sinkhole_feeds_status status,
                         const struct sinkhole_feeds_outcome *outcome,
                         const struct difference *refused)
{
    char added[CLI_COUNT_MAX], removed[CLI_COUNT_MAX], left[CLI_COUNT_MAX];

    if (cli->json && (status == SINKHOLE_FEEDS_OK || status == SINKHOLE_FEEDS_NOTHING ||
                      status == SINKHOLE_FEEDS_REFUSED)) {
        json_t *document = feed_outcome_json(outcome);

        json_object_set(document, "names", refused->names);
        json_object_set_new(document, "names_left_out",
                            json_integer((json_int_t)(refused->seen - refused->shown)));
        cli_print_json(document);
    }
    json_decref(refused->names);
    if (!cli->json && refused->seen > refused->shown)
        printf("  ... and %" PRIu64 " more: --all\n", refused->seen - refused->shown);
    if (status == SINKHOLE_FEEDS_ABSENT)
        return cli_fail(CLI_ABSENT,
                        "feed \"%s\" has no such publication that can be undone: feed show", feed);
    if (status == SINKHOLE_FEEDS_REFUSED)
        return cli_fail(CLI_REFUSED,
                        "the guards refuse all that would come back; nothing was changed");
    if (status != SINKHOLE_FEEDS_OK && status != SINKHOLE_FEEDS_NOTHING)
        return feed_fail(cli, feed, status, outcome);
    if (cli->json)
        return CLI_OK;
    if (status == SINKHOLE_FEEDS_NOTHING) {
        printf("Nothing to undo: \"%s\" lists what it did before that publication.\n", feed);
        return CLI_OK;
    }
    printf("Rolled back, generation %" PRIu64 ": %s lines came back, %s went", outcome->generation,
           cli_count(outcome->added, added), cli_count(outcome->removed, removed));
    if (outcome->refused > 0)
        printf("; %s refused by the guards stay out", cli_count(outcome->refused, left));
    puts(".");
    return CLI_OK;
}

int feed_rollback(struct cli *cli, int argc, char **argv)
{
    bool all = false;
    const struct cli_option options[] = {
        {"all", NULL, "every name that the guards refuse, not the first 20", NULL, &all},
        {NULL, NULL, NULL, NULL, NULL}};
    const struct cli_page page = {
        .synopsis = "feed rollback NAME [GENERATION] [--all]",
        .about =
            "Undoes a feed's last publication, or that of a generation and all later ones of the\n"
            "feed, as a new generation. Names that today's guards refuse do not come back: they "
            "are\n"
            "shown, with a ! and the reason. What is staged is dropped. feed show lists "
            "publications.\n"
            "To undo a rollback, give its generation.",
        .options = options,
        .examples = "  sinkholectl feed rollback ais\n"
                    "  sinkholectl feed rollback ais 12\n"};
    int code = cli_words(&page, &argc, argv, 1, 2);
    struct difference refused = {.cli = cli, .all = all};
    struct sinkhole_feeds feeds;
    struct sinkhole_feeds_outcome outcome;
    enum sinkhole_feeds_status status;
    uint64_t generation = 0;
    char who[64];

    if (code != CLI_GO_ON)
        return code;
    if (argc > 2 && !feed_take_number("GENERATION", argv[2], 1, INT64_MAX, &generation))
        return CLI_USAGE;
    if (generation == 0 && (code = last_publication(cli, argv[1], &generation)) != CLI_GO_ON)
        return code;
    if ((code = feed_open(cli, &feeds)) != CLI_GO_ON)
        return code;
    sinkhole_process_user(who, sizeof who);
    if (cli->json)
        refused.names = json_array();
    status = sinkhole_feeds_rollback(&feeds, argv[1], generation, who, show_difference, &refused,
                                     &outcome);
    feed_close(&feeds);
    return show_rollback(cli, argv[1], status, &outcome, &refused);
}
