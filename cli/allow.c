/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sinkholectl allow: exceptions, which win over every list; each has a reason, an end and a name
 * under it.
 *
 * Threads: one. Memory: freed before return.
 */
#include "cli/cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/feed.h"
#include "cli/listing.h"
#include "sinkhole/clock.h"
#include "sinkhole/report.h"

struct words {
    const char *reason, *until, *scope, *reference;
    bool list, remove;
};

/* --- list
 * --------------------------------------------------------------------------------------------- */

struct exceptions {
    struct cli *cli;
    struct sinkhole_batch *batches;
    size_t batch_count;
    uint64_t shown;
};

static bool count_batch(void *arg, const struct sinkhole_batch *batch)
{
    struct exceptions *exceptions = arg;
    struct sinkhole_batch *batches =
        realloc(exceptions->batches, (exceptions->batch_count + 1) * sizeof *exceptions->batches);

    if (batches == NULL)
        return false;
    exceptions->batches = batches;
    batches[exceptions->batch_count++] = *batch;
    return true;
}

static const struct sinkhole_batch *find_batch(const struct exceptions *exceptions, uint32_t id)
{
    for (size_t i = 0; i < exceptions->batch_count; i++)
        if (exceptions->batches[i].rule.id == id)
            return &exceptions->batches[i];
    return NULL;
}

static void print_exception(const struct cli *cli, const struct sinkhole_name *name,
                            const struct sinkhole_batch *batch)
{
    char text[SINKHOLE_NAME_TEXT_MAX], until[CLI_TIME_MAX], reason[600], who[300];
    int64_t until_ms = batch->rule.valid_until * 1000;
    bool over = until_ms != 0 && until_ms <= sinkhole_now_ms();

    sinkhole_name_to_text(name, text, sizeof text);
    if (cli->json) {
        cli_print_json(json_pack(
            "{s:s, s:s, s:o, s:b, s:s, s:s, s:s, s:I, s:I}", "name", text, "scope",
            feed_scope_words[batch->rule.scope], "until",
            until_ms == 0 ? json_null() : json_string(cli_time_utc(until_ms, until)), "expired",
            (int)over, "reason", batch->remark, "who", batch->who, "reference", batch->reference,
            "generation", (json_int_t)batch->generation, "rule", (json_int_t)batch->rule.id));
        return;
    }
    sinkhole_escape_terminal(batch->remark, reason, sizeof reason);
    sinkhole_escape_terminal(batch->who, who, sizeof who);
    printf("%-36s %-8s until %-23s %s%s (by %s)\n", text, feed_scope_words[batch->rule.scope],
           until_ms == 0 ? "never" : cli_time(until_ms, until), over ? "expired; " : "", reason,
           who);
}

static bool take_line(void *arg, const char *key, size_t key_len, const uint32_t *ids, size_t count)
{
    struct exceptions *exceptions = arg;
    struct sinkhole_name name;

    for (size_t i = 0; i < count; i++) {
        const struct sinkhole_batch *batch = find_batch(exceptions, ids[i]);

        if (batch == NULL || sinkhole_name_from_key(key, key_len, &name) != SINKHOLE_NAME_OK)
            continue;
        exceptions->shown++;
        print_exception(exceptions->cli, &name, batch);
    }
    return true;
}

static int list(struct cli *cli)
{
    struct exceptions exceptions = {.cli = cli};
    struct sinkhole_list_head head;
    enum sinkhole_store_status status =
        sinkhole_batch_list(cli->store, SINKHOLE_ALLOW_FEED, count_batch, &exceptions);

    if (status == SINKHOLE_STORE_OK && exceptions.batch_count > 0)
        status = sinkhole_list_read(cli->store, &head, take_line, &exceptions);
    free(exceptions.batches);
    if (status != SINKHOLE_STORE_OK && status != SINKHOLE_STORE_ABSENT)
        return cli_store_fail(cli, status);
    if (exceptions.shown == 0 && !cli->json)
        puts("No exceptions.");
    return CLI_OK;
}

/* --- put and remove
 * ------------------------------------------------------------------------------------- */

/* "30d" is from now on; "never" no end. */
static bool take_until(const char *text, int64_t now_ms, int64_t *ret_s)
{
    int64_t ms;

    *ret_s = 0;
    if (strcmp(text, "never") == 0)
        return true;
    if (!cli_when(text, now_ms, &ms))
        return false;
    if (strchr(text, '-') == NULL)
        ms = 2 * now_ms - ms;
    *ret_s = ms / 1000;
    return ms > now_ms;
}

static int report_outcome(struct cli *cli, const struct sinkhole_name *name, const char *what,
                          enum sinkhole_feeds_status status,
                          const struct sinkhole_feeds_outcome *outcome)
{
    char text[SINKHOLE_NAME_TEXT_MAX];
    struct listing listing;

    sinkhole_name_to_text(name, text, sizeof text);
    if (status == SINKHOLE_FEEDS_ABSENT)
        return cli_fail(CLI_ABSENT, "%s: no such exception; allow --list shows them", text);
    if (status == SINKHOLE_FEEDS_REFUSED)
        return cli_fail(CLI_REFUSED, "no exception for %s: %s; nothing was changed", text,
                        sinkhole_reason_sentence(outcome->reason));
    if (status != SINKHOLE_FEEDS_OK && status != SINKHOLE_FEEDS_NOTHING)
        return feed_fail(cli, SINKHOLE_ALLOW_FEED, status, outcome);
    if (cli->json) {
        cli_print_json(json_pack("{s:s, s:b, s:I}", "name", text, "changed",
                                 status == SINKHOLE_FEEDS_OK, "generation",
                                 (json_int_t)outcome->generation));
        return CLI_OK;
    }
    if (status == SINKHOLE_FEEDS_NOTHING)
        printf("%s: the same exception is in force already\n", text);
    else
        printf("%s: %s, generation %" PRIu64 "\n", text, what, outcome->generation);
    if (listing_load(cli->store, name, sinkhole_now_ms() / 1000, &listing) == SINKHOLE_STORE_OK) {
        if (listing.decides == NULL)
            puts("No list blocks that name itself.");
        listing_done(&listing);
    }
    return CLI_OK;
}

static int put(struct cli *cli, const struct sinkhole_feeds *feeds,
               const struct sinkhole_name *name, const struct words *words)
{
    struct sinkhole_exception exception = {.name = *name,
                                           .scope = SINKHOLE_SCOPE_SUBTREE,
                                           .reason = words->reason,
                                           .reference = words->reference};
    struct sinkhole_feeds_outcome outcome;
    enum sinkhole_feeds_status status;
    struct sinkhole_batch fits;
    char who[64];
    int scope = SINKHOLE_SCOPE_SUBTREE;

    if (words->reason == NULL || words->reason[strspn(words->reason, " \t")] == '\0')
        return cli_fail(CLI_USAGE,
                        "--reason is missing: who reads it in a year must understand it");
    if (!feed_take_text("reason", words->reason, fits.remark, sizeof fits.remark) ||
        !feed_take_text("reference", words->reference, fits.reference, sizeof fits.reference))
        return CLI_USAGE;
    if (words->until == NULL)
        return cli_fail(CLI_USAGE, "--until is missing: 30d, 2027-01-31, or never");
    if (!take_until(words->until, sinkhole_now_ms(), &exception.until))
        return cli_fail(CLI_USAGE, "--until %s: expected a time to come: 30d, 2027-01-31, or never",
                        words->until);
    if (words->scope != NULL)
        scope = feed_take_word("scope", words->scope, feed_scope_words);
    if (scope < 0)
        return CLI_USAGE;
    exception.scope = (enum sinkhole_scope)scope;
    sinkhole_process_user(who, sizeof who);
    exception.who = who;
    status = sinkhole_exception_put(feeds, &exception, &outcome);
    return report_outcome(cli, name, "let through", status, &outcome);
}

static int take_back(struct cli *cli, const struct sinkhole_feeds *feeds,
                     const struct sinkhole_name *name)
{
    struct sinkhole_feeds_outcome outcome;
    enum sinkhole_feeds_status status;
    char who[64];

    sinkhole_process_user(who, sizeof who);
    status = sinkhole_exception_remove(feeds, name, who, &outcome);
    return report_outcome(cli, name, "the exception is taken back", status, &outcome);
}

int cmd_allow(struct cli *cli, int argc, char **argv)
{
    struct words words = {0};
    const struct cli_option options[] = {
        {"reason", "TEXT", "why; kept with the exception", &words.reason, NULL},
        {"until", "WHEN", "30d, 2027-01-31, or never", &words.until, NULL},
        {"scope", "SCOPE", "exact, below, or subtree [subtree]", &words.scope, NULL},
        {"reference", "TEXT", "a letter or ticket", &words.reference, NULL},
        {"remove", NULL, "take the exception back", NULL, &words.remove},
        {"list", NULL, "all exceptions, ended ones too", NULL, &words.list},
        {NULL, NULL, NULL, NULL, NULL},
    };
    const struct cli_page page = {
        .synopsis = "allow NAME --reason TEXT --until WHEN | NAME --remove | --list",
        .about =
            "Lets a name resolve whatever the lists say: an exception wins over all of them, at "
            "once and on\n"
            "every resolver. It ends by itself. A second one for the same name replaces the "
            "first.\n"
            "Exit code: 0 done, 4 refused (the root, a top-level domain, all of a public suffix), "
            "5 no such exception.",
        .examples =
            "  sinkholectl allow cdn.example --reason 'false positive, ticket 12' --until 30d\n"
            "  sinkholectl allow cdn.example --remove\n"
            "  sinkholectl allow --list\n",
        .options = options};
    struct sinkhole_feeds feeds;
    struct sinkhole_name name;
    int code = cli_words(&page, &argc, argv, 0, 1);

    if (code != CLI_GO_ON)
        return code;
    if (words.list)
        return list(cli);
    if (argc < 2)
        return cli_fail(CLI_USAGE, "the name is missing; usage: sinkholectl %s", page.synopsis);
    if (!cli_name(argv[1], &name))
        return CLI_USAGE;
    code = feed_open(cli, &feeds);
    if (code != CLI_GO_ON)
        return code;
    code = words.remove ? take_back(cli, &feeds, &name) : put(cli, &feeds, &name, &words);
    feed_close(&feeds);
    return code;
}
