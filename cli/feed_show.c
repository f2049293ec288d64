/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sinkholectl feed list, feed show.
 *
 * Threads: one. Memory: freed before return.
 */
#include "cli/feed.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sinkhole/report.h"

/* What came from elsewhere, for a terminal. */
struct shown {
    char text[512];
};

static const char *show(struct shown *shown, const char *text)
{
    sinkhole_escape_terminal(text, shown->text, sizeof shown->text);
    return shown->text;
}

/* --- list ----------------------------------------------------------------------------------- */

static json_t *feed_json(const struct sinkhole_feed *feed)
{
    const struct sinkhole_policy *policy = &feed->policy;

    return json_pack("{s:s, s:s, s:i, s:s, s:i, s:i, s:s, s:s, s:s, s:s, s:b, s:I, s:I, s:I}",
                     "feed", policy->feed, "kind", feed_kind_words[policy->kind], "rank",
                     (int)policy->rank, "action", feed_action_words[policy->action], "ttl_s",
                     (int)policy->ttl_s, "ede", (int)policy->ede_code, "ede_text", policy->ede_text,
                     "title", feed->title, "contact", feed->contact, "format", feed->format,
                     "classified", (int)feed->classified, "names", (json_int_t)feed->entries,
                     "updated_ms", (json_int_t)feed->updated_ms, "generation",
                     (json_int_t)feed->updated_generation);
}

struct listing {
    const struct cli *cli;
    json_t *feeds; /* with --json */
    unsigned count;
};

static bool list_feed(void *arg, const struct sinkhole_feed *feed)
{
    struct listing *listing = arg;
    char names[CLI_COUNT_MAX], when[CLI_TIME_MAX];
    struct shown title;

    if (listing->feeds != NULL) {
        json_array_append_new(listing->feeds, feed_json(feed));
        return true;
    }
    if (listing->count++ == 0)
        printf("%s%-20s %-9s %4s %-8s %12s  %-22s %s%s\n", cli_paint(listing->cli, CLI_BOLD),
               "FEED", "KIND", "RANK", "ACTION", "NAMES", "PUBLISHED", "TITLE",
               cli_paint(listing->cli, CLI_PLAIN));
    printf("%-20s %-9s %4u %-8s %12s  %-22s %s\n", feed->policy.feed,
           feed_kind_words[feed->policy.kind], feed->policy.rank,
           feed_action_words[feed->policy.action], cli_count(feed->entries, names),
           cli_time(feed->updated_ms, when), show(&title, feed->title));
    return true;
}

int feed_list(struct cli *cli, int argc, char **argv)
{
    static const struct cli_page page = {.synopsis = "feed list",
                                         .about = "All feeds, and how many names each lists.",
                                         .examples = "  sinkholectl feed list\n"};
    struct listing listing = {.cli = cli};
    int code = cli_words(&page, &argc, argv, 0, 0);
    enum sinkhole_store_status status;

    if (code != CLI_GO_ON)
        return code;
    if (cli->json)
        listing.feeds = json_array();
    status = sinkhole_feed_list(cli->store, list_feed, &listing);
    if (status != SINKHOLE_STORE_OK && status != SINKHOLE_STORE_ABSENT) {
        json_decref(listing.feeds);
        return cli_store_fail(cli, status);
    }
    if (cli->json)
        cli_print_json(listing.feeds);
    else if (listing.count == 0)
        puts("No feed yet: sinkholectl feed add NAME");
    return CLI_OK;
}

/* --- show ----------------------------------------------------------------------------------- */

static json_t *batch_json(const struct sinkhole_batch *batch)
{
    return json_pack(
        "{s:I, s:s, s:s, s:I, s:i, s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I, "
        "s:I, s:s}",
        "rule", (json_int_t)batch->rule.id, "scope", feed_scope_words[batch->rule.scope], "action",
        feed_action_words[batch->rule.action], "valid_until", (json_int_t)batch->rule.valid_until,
        "severity", (int)batch->rule.severity, "confidence", (int)batch->rule.confidence,
        "reference", batch->reference, "issuer", batch->issuer, "issued", batch->issued, "received",
        batch->received, "who", batch->who, "remark", batch->remark, "family", batch->family,
        "category", batch->category, "tlp", batch->tlp, "published_ms",
        (json_int_t)batch->published_ms, "generation", (json_int_t)batch->generation, "kept_beside",
        (json_int_t)batch->address_count, "import", batch->import);
}

struct showing {
    const struct cli *cli;
    json_t *array; /* with --json */
    unsigned count;
};

static bool show_batch(void *arg, const struct sinkhole_batch *batch)
{
    struct showing *showing = arg;
    char when[CLI_TIME_MAX], until[CLI_TIME_MAX];
    struct shown reference, issuer, who;

    if (showing->array != NULL) {
        json_array_append_new(showing->array, batch_json(batch));
        return true;
    }
    if (showing->count++ == 0)
        printf("\n%sLetters and imports in force%s\n", cli_paint(showing->cli, CLI_BOLD),
               cli_paint(showing->cli, CLI_PLAIN));
    printf("  rule %-6" PRIu32 " %s%s%s, %s, by %s at %s, generation %" PRIu64, batch->rule.id,
           batch->reference[0] != '\0' ? show(&reference, batch->reference) : "(no reference)",
           batch->issuer[0] != '\0' ? " of " : "", show(&issuer, batch->issuer),
           feed_scope_words[batch->rule.scope], show(&who, batch->who),
           cli_time(batch->published_ms, when), batch->generation);
    if (batch->rule.valid_until != 0)
        printf(", until %s", cli_time(batch->rule.valid_until * 1000, until));
    putchar('\n');
    return true;
}

static bool show_publication(void *arg, const struct sinkhole_publication *publication)
{
    struct showing *showing = arg;
    char when[CLI_TIME_MAX], added[CLI_COUNT_MAX], removed[CLI_COUNT_MAX];
    struct shown who, text;

    if (showing->array != NULL) {
        json_array_append_new(showing->array,
                              json_pack("{s:I, s:I, s:I, s:I, s:b, s:s, s:s}", "generation",
                                        (json_int_t)publication->generation, "published_ms",
                                        (json_int_t)publication->published_ms, "added",
                                        (json_int_t)publication->added, "removed",
                                        (json_int_t)publication->removed, "reversible",
                                        (int)publication->reversible, "who", publication->who,
                                        "text", publication->text));
        return true;
    }
    if (showing->count++ == 0)
        printf("\n%sPublications%s\n", cli_paint(showing->cli, CLI_BOLD),
               cli_paint(showing->cli, CLI_PLAIN));
    printf("  generation %-6" PRIu64 " %s  +%s -%s  %s: %s%s\n", publication->generation,
           cli_time(publication->published_ms, when), cli_count(publication->added, added),
           cli_count(publication->removed, removed), show(&who, publication->who),
           show(&text, publication->text),
           publication->reversible ? "" : "  (can no longer be undone)");
    return true;
}

static void show_staged(const struct sinkhole_staged *staged)
{
    char names[CLI_COUNT_MAX], when[CLI_TIME_MAX];
    struct shown who, file, reference;

    printf("\nStaged at %s by %s: %s names to %s (%s, %s), from %s%s%s\n"
           "kept beside, not enforced: %" PRIu64 " addresses, %" PRIu64 " URLs, %" PRIu64
           " hashes, %" PRIu64 " e-mail addresses, %" PRIu64 " names for review\n",
           cli_time(staged->staged_ms, when), show(&who, staged->attributes.who),
           cli_count(staged->names, names),
           staged->mode == SINKHOLE_MODE_AMEND ? "add" : "replace all",
           sinkhole_format_word(staged->format),
           staged->mode == SINKHOLE_MODE_AMEND ? "amend" : "replace", show(&file, staged->file),
           staged->attributes.reference[0] != '\0' ? ", letter " : "",
           show(&reference, staged->attributes.reference), staged->addresses, staged->urls,
           staged->hashes, staged->emails, staged->review);
}

static void show_head(const struct cli *cli, const struct sinkhole_feed *feed)
{
    char names[CLI_COUNT_MAX], when[CLI_TIME_MAX];
    struct shown title, ede, contact;

    printf("%s%s%s  %s\n%s names, %s, rank %u, %s, TTL %" PRIu32
           " s, EDE %u%s%s; last published %s, "
           "generation %" PRIu64 "\n",
           cli_paint(cli, CLI_BOLD), feed->policy.feed, cli_paint(cli, CLI_PLAIN),
           show(&title, feed->title), cli_count(feed->entries, names),
           feed_kind_words[feed->policy.kind], feed->policy.rank,
           feed_action_words[feed->policy.action], feed->policy.ttl_s, feed->policy.ede_code,
           feed->policy.ede_text[0] != '\0' ? " " : "", show(&ede, feed->policy.ede_text),
           cli_time(feed->updated_ms, when), feed->updated_generation);
    if (feed->contact[0] != '\0')
        printf("contact: %s\n", show(&contact, feed->contact));
}

static json_t *staged_json(const struct sinkhole_staged *staged)
{
    return json_pack("{s:s, s:I, s:s, s:s, s:s, s:s, s:I}", "import", staged->attributes.import,
                     "names", (json_int_t)staged->names, "mode",
                     staged->mode == SINKHOLE_MODE_AMEND ? "amend" : "replace", "file",
                     staged->file, "who", staged->attributes.who, "reference",
                     staged->attributes.reference, "staged_ms", (json_int_t)staged->staged_ms);
}

/* What a call asked for. */
struct asked {
    const char *feed, *import; /* import NULL: of all */
    bool beside;
};

/* Everything, to the terminal; with --json into `document`. */
static int show_feed(struct cli *cli, const struct asked *asked, json_t *document)
{
    const struct sinkhole_feeds feeds = {.settings = cli->settings, .store = cli->store};
    struct showing batches = {.cli = cli}, publications = {.cli = cli};
    struct sinkhole_feeds_outcome outcome;
    struct sinkhole_staged staged;
    enum sinkhole_store_status status;
    enum sinkhole_feeds_status there;
    json_t *beside = NULL;

    if (document != NULL) {
        json_object_set_new(document, "batches", batches.array = json_array());
        json_object_set_new(document, "publications", publications.array = json_array());
        json_object_set_new(document, "beside", beside = json_array());
    }
    status = sinkhole_batch_list(cli->store, asked->feed, show_batch, &batches);
    if (status == SINKHOLE_STORE_OK || status == SINKHOLE_STORE_ABSENT)
        status = sinkhole_feed_history(cli->store, asked->feed, show_publication, &publications);
    if (status != SINKHOLE_STORE_OK && status != SINKHOLE_STORE_ABSENT)
        return cli_store_fail(cli, status);
    there = sinkhole_staged_read(&feeds, asked->feed, NULL, NULL, &staged, &outcome);
    if (document != NULL)
        json_object_set_new(document, "staged",
                            there == SINKHOLE_FEEDS_OK ? staged_json(&staged) : json_null());
    else if (there == SINKHOLE_FEEDS_OK)
        show_staged(&staged);
    if (!asked->beside)
        return CLI_OK;
    return feed_show_beside(cli, &feeds, asked->feed, asked->import,
                            there == SINKHOLE_FEEDS_OK ? &staged : NULL, beside);
}

int feed_show(struct cli *cli, int argc, char **argv)
{
    bool beside = false;
    const struct cli_option options[] = {
        {"beside", NULL, "also what its imports kept beside, or one of them: IMPORT", NULL,
         &beside},
        {NULL, NULL, NULL, NULL, NULL}};
    const struct cli_page page = {
        .synopsis = "feed show NAME [--beside [IMPORT]]",
        .about =
            "One feed: its settings, the letters and imports its names came with, its last\n"
            "publications, and what is staged. Addresses, URLs, hashes and names for review of an\n"
            "import are kept for good beside the names it brought.",
        .options = options,
        .examples = "  sinkholectl feed show ais --beside\n"
                    "  sinkholectl --json feed show ais --beside 1795503600000-4711\n"};
    int code = cli_words(&page, &argc, argv, 1, 2);
    struct asked asked = {0};
    json_t *document = NULL;
    struct sinkhole_feed feed;
    enum sinkhole_store_status status;

    if (code != CLI_GO_ON)
        return code;
    asked = (struct asked){.feed = argv[1], .import = argc > 2 ? argv[2] : NULL, .beside = beside};
    if (asked.import != NULL && !beside)
        return cli_fail(CLI_USAGE, "\"%s\": an import is shown with --beside", asked.import);
    status = sinkhole_feed_get(cli->store, argv[1], &feed);
    if (status != SINKHOLE_STORE_OK)
        return cli_store_fail(cli, status);
    if (cli->json)
        document = feed_json(&feed);
    else
        show_head(cli, &feed);
    code = show_feed(cli, &asked, document);
    if (document != NULL && code == CLI_OK)
        cli_print_json(document);
    else
        json_decref(document);
    return code;
}
