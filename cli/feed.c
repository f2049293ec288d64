/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sinkholectl feed: what its files share, and add, set, list, show, remove.
 *
 * Threads: one. Memory: freed before return.
 */
#include "cli/feed.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *const feed_action_words[] = {"inherit",  "monitor", "tcp-only", "address", "nodata",
                                         "nxdomain", "drop",    "allow",    NULL};
const char *const feed_scope_words[] = {"exact", "below", "subtree", NULL};
const char *const feed_kind_words[] = {"block", "allow", "authority", NULL};
const char *const feed_format_words[] = {"plain", "hosts", "csv", "text", NULL};

#define RANK_BLOCK 100
#define RANK_AUTHORITY 500
#define RESERVED "canary"
#define EDE_CENSORED 16 /* imposed by an outside authority (RFC 8914) */

int feed_open(struct cli *cli, struct sinkhole_feeds *ret_feeds)
{
    const char *path = cli->settings->guard_suffixes;
    struct sinkhole_suffixes *suffixes = sinkhole_suffixes_open(path[0] == '\0' ? NULL : path);

    if (suffixes == NULL)
        return cli_fail(CLI_USAGE, "guard.suffixes: %s is no readable public suffix list",
                        path[0] == '\0' ? "the installed one" : path);
    *ret_feeds = (struct sinkhole_feeds){.settings = cli->settings,
                                         .suffixes = suffixes,
                                         .store = cli->store,
                                         .progress = cli_progress,
                                         .progress_arg = cli};
    return CLI_GO_ON;
}

void feed_close(struct sinkhole_feeds *feeds)
{
    sinkhole_suffixes_close((struct sinkhole_suffixes *)(uintptr_t)feeds->suffixes);
}

int feed_fail(struct cli *cli, const char *feed, enum sinkhole_feeds_status status,
              const struct sinkhole_feeds_outcome *outcome)
{
    switch (status) {
    case SINKHOLE_FEEDS_STORE:
        return cli_store_fail(cli, outcome->store);
    case SINKHOLE_FEEDS_ABSENT:
        return cli_fail(CLI_ABSENT, "no feed \"%s\"; feed list shows them, feed add makes one",
                        feed);
    case SINKHOLE_FEEDS_REFUSED:
        return cli_fail(CLI_REFUSED, "the guards leave no name of it; nothing was changed");
    case SINKHOLE_FEEDS_GUARD:
        return cli_fail(CLI_USAGE, "%s", outcome->bad);
    case SINKHOLE_FEEDS_OVERTAKEN:
        return cli_fail(CLI_CONFLICT, "%s", sinkhole_feeds_status_text(status));
    case SINKHOLE_FEEDS_OK:
    case SINKHOLE_FEEDS_NOTHING:
        return CLI_OK;
    default:
        return cli_fail(CLI_FAILED, "%s", sinkhole_feeds_status_text(status));
    }
}

void feed_print_outcome(const struct cli *cli, const char *what,
                        const struct sinkhole_feeds_outcome *outcome)
{
    char added[CLI_COUNT_MAX], removed[CLI_COUNT_MAX], changed[CLI_COUNT_MAX], kept[CLI_COUNT_MAX];

    printf("%s%s%s: %s added, %s removed, %s changed, %s kept", cli_paint(cli, CLI_BOLD), what,
           cli_paint(cli, CLI_PLAIN), cli_count(outcome->added, added),
           cli_count(outcome->removed, removed), cli_count(outcome->changed, changed),
           cli_count(outcome->kept, kept));
    if (outcome->refused > 0)
        printf("; %s refused by the guards", cli_count(outcome->refused, added));
    putchar('\n');
}

json_t *feed_outcome_json(const struct sinkhole_feeds_outcome *outcome)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "generation",
                     (json_int_t)outcome->generation, "added", (json_int_t)outcome->added,
                     "removed", (json_int_t)outcome->removed, "changed",
                     (json_int_t)outcome->changed, "kept", (json_int_t)outcome->kept, "refused",
                     (json_int_t)outcome->refused);
}

bool feed_take_text(const char *option, const char *text, char *to, size_t size)
{
    json_t *utf8;

    if (text == NULL)
        return true;
    if (strlen(text) >= size) {
        cli_fail(CLI_USAGE, "--%s: longer than %zu octets", option, size - 1);
        return false;
    }
    utf8 = json_string(text);
    json_decref(utf8);
    if (utf8 == NULL) {
        cli_fail(CLI_USAGE, "--%s: it is not UTF-8", option);
        return false;
    }
    memset(to, 0, size);
    memcpy(to, text, strlen(text));
    return true;
}

bool feed_take_number(const char *option, const char *text, uint64_t min, uint64_t max,
                      uint64_t *ret_value)
{
    char *end;
    unsigned long long value;

    if (text == NULL)
        return true;
    value = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || value < min || value > max) {
        cli_fail(CLI_USAGE, "--%s: \"%s\"; expected a number from %" PRIu64 " to %" PRIu64, option,
                 text, min, max);
        return false;
    }
    *ret_value = value;
    return true;
}

int feed_take_word(const char *option, const char *text, const char *const *words)
{
    char list[256] = "";

    for (int i = 0; words[i] != NULL; i++)
        if (strcmp(words[i], text) == 0)
            return i;
    for (int i = 0; words[i] != NULL; i++)
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i == 0 ? "" : ", ",
                 words[i]);
    cli_fail(CLI_USAGE, "--%s: \"%s\"; expected one of %s", option, text, list);
    return -1;
}

/* --- add and set ---------------------------------------------------------------------------- */

struct feed_words {
    const char *title, *contact, *format, *kind, *rank, *action, *ttl, *ede, *ede_text, *ipv4,
        *ipv6, *classified;
};

#define FEED_OPTIONS(w)                                                                            \
    {"title", "TEXT", "what it is, for people", &(w).title, NULL},                                 \
        {"contact", "TEXT", "whom to ask about it", &(w).contact, NULL},                           \
        {"format", "WORD", "plain, hosts, csv or text: of its imports", &(w).format, NULL},        \
        {"kind", "WORD", "block, or authority for the national authority's lists", &(w).kind,      \
         NULL},                                                                                    \
        {"rank", "N", "0-1000; where feeds differ about a name the higher one wins", &(w).rank,    \
         NULL},                                                                                    \
        {"action", "WORD", "address, nxdomain, nodata, drop or monitor", &(w).action, NULL},       \
        {"ttl", "SECONDS", "of its answers, 0-3600", &(w).ttl, NULL},                              \
        {"ede", "CODE", "Extended DNS Error: 15, 16, 17; 0 none", &(w).ede, NULL},                 \
        {"ede-text", "TEXT", "what the error says", &(w).ede_text, NULL},                          \
        {"ipv4", "ADDRESS", "for A; none: NODATA", &(w).ipv4, NULL},                               \
        {"ipv6", "ADDRESS", "for AAAA; none: NODATA", &(w).ipv6, NULL},                            \
        {"classified", "YES|NO", "letter numbers stay out of answers", &(w).classified, NULL},     \
    {                                                                                              \
        NULL, NULL, NULL, NULL, NULL                                                               \
    }

static bool take_address(const char *option, int family, const char *text, uint8_t *octets,
                         uint8_t *ret_has)
{
    if (text == NULL)
        return true;
    *ret_has = strcmp(text, "none") != 0 && text[0] != '\0';
    if (!*ret_has || inet_pton(family, text, octets) == 1)
        return true;
    cli_fail(CLI_USAGE, "--%s: \"%s\"; expected an address, or none", option, text);
    return false;
}

static bool take_policy(const struct feed_words *words, struct sinkhole_policy *policy)
{
    uint64_t rank = policy->rank, ttl = policy->ttl_s, ede = policy->ede_code;
    int action = policy->action, kind = policy->kind;

    if (words->kind != NULL && (kind = feed_take_word("kind", words->kind, feed_kind_words)) < 0)
        return false;
    if (kind == SINKHOLE_FEED_ALLOW && words->kind != NULL)
        return cli_fail(CLI_USAGE, "--kind: exceptions are made with sinkholectl allow"), false;
    if (words->action != NULL &&
        (action = feed_take_word("action", words->action, feed_action_words)) < 0)
        return false;
    if (action == SINKHOLE_ACTION_INHERIT || action == SINKHOLE_ACTION_TCP_ONLY ||
        (action == SINKHOLE_ACTION_ALLOW && kind != SINKHOLE_FEED_ALLOW))
        return cli_fail(CLI_USAGE, "--action: address, nxdomain, nodata, drop or monitor"), false;
    if (!feed_take_number("rank", words->rank, 0, 1000, &rank) ||
        !feed_take_number("ttl", words->ttl, 0, 3600, &ttl) ||
        !feed_take_number("ede", words->ede, 0, 65535, &ede) ||
        !feed_take_text("ede-text", words->ede_text, policy->ede_text, sizeof policy->ede_text) ||
        !take_address("ipv4", AF_INET, words->ipv4, policy->v4, &policy->has_v4) ||
        !take_address("ipv6", AF_INET6, words->ipv6, policy->v6, &policy->has_v6))
        return false;
    policy->kind = (uint8_t)kind;
    policy->action = (uint8_t)action;
    policy->rank = (uint16_t)rank;
    policy->ttl_s = (uint32_t)ttl;
    policy->ede_code = (uint16_t)ede;
    return true;
}

static bool take_feed(const struct feed_words *words, struct sinkhole_feed *feed)
{
    static const char *const yes_no[] = {"no", "yes", NULL};
    int classified = feed->classified;

    if (words->format != NULL && feed_take_word("format", words->format, feed_format_words) < 0)
        return false;
    if (words->classified != NULL &&
        (classified = feed_take_word("classified", words->classified, yes_no)) < 0)
        return false;
    feed->classified = classified == 1;
    return feed_take_text("title", words->title, feed->title, sizeof feed->title) &&
           feed_take_text("contact", words->contact, feed->contact, sizeof feed->contact) &&
           feed_take_text("format", words->format, feed->format, sizeof feed->format) &&
           take_policy(words, &feed->policy);
}

/* A new feed as the settings say; the options come on top. */
static bool default_feed(const struct sinkhole_settings *settings, bool authority,
                         struct sinkhole_feed *feed)
{
    struct sinkhole_policy *policy = &feed->policy;
    int action = feed_take_word("action", settings->answer_action, feed_action_words);

    if (action < 0)
        return false;
    policy->kind = authority ? SINKHOLE_FEED_AUTHORITY : SINKHOLE_FEED_BLOCK;
    policy->rank = authority ? RANK_AUTHORITY : RANK_BLOCK;
    policy->action = (uint8_t)action;
    policy->ttl_s = (uint32_t)settings->answer_ttl_s;
    policy->ede_code = authority ? EDE_CENSORED : (uint16_t)settings->answer_ede;
    return take_address("ipv4", AF_INET, settings->answer_ipv4, policy->v4, &policy->has_v4) &&
           take_address("ipv6", AF_INET6, settings->answer_ipv6, policy->v6, &policy->has_v6);
}

static bool is_feed_name(const char *name)
{
    size_t len = strlen(name);

    return len > 0 && len <= SINKHOLE_FEED_NAME_MAX && name[0] >= 'a' && name[0] <= 'z' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_") == len;
}

static int feed_add(struct cli *cli, int argc, char **argv)
{
    struct feed_words words = {0};
    const struct cli_option options[] = {FEED_OPTIONS(words)};
    const struct cli_page page = {
        .synopsis = "feed add NAME [OPTIONS]",
        .about = "Makes a feed: a list with a name, a rank and an answer. What it lists comes by\n"
                 "\"feed import\". Options not given are as the settings say.",
        .options = options,
        .examples = "  sinkholectl feed add ais --kind authority --title \"Letters of the AIS\" "
                    "--format text\n"
                    "  sinkholectl feed add hostsvn --format hosts --action nxdomain\n"};
    int code = cli_words(&page, &argc, argv, 1, 1);
    struct sinkhole_feed feed = {0}, there;
    enum sinkhole_store_status status;

    if (code != CLI_GO_ON)
        return code;
    if (!is_feed_name(argv[1]))
        return cli_fail(CLI_USAGE,
                        "\"%s\": a feed's name is a-z 0-9 - _, first a letter, at most %d", argv[1],
                        SINKHOLE_FEED_NAME_MAX);
    if (strcmp(argv[1], SINKHOLE_ALLOW_FEED) == 0)
        return cli_fail(CLI_USAGE, "\"allow\" is the exceptions' feed: sinkholectl allow makes it");
    if (strcmp(argv[1], RESERVED) == 0)
        return cli_fail(CLI_USAGE, "\"%s\" is the agents' own", argv[1]);
    if (!default_feed(cli->settings, words.kind != NULL && strcmp(words.kind, "authority") == 0,
                      &feed) ||
        !take_feed(&words, &feed))
        return CLI_USAGE;
    memcpy(feed.policy.feed, argv[1], strlen(argv[1]));
    status = sinkhole_feed_get(cli->store, argv[1], &there);
    if (status == SINKHOLE_STORE_OK)
        return cli_fail(CLI_FAILED, "feed \"%s\" is there already; feed set changes it", argv[1]);
    if (status == SINKHOLE_STORE_ABSENT)
        status = sinkhole_feed_put(cli->store, &feed);
    if (status != SINKHOLE_STORE_OK)
        return cli_store_fail(cli, status);
    if (cli->json)
        cli_print_json(json_pack("{s:s}", "feed", argv[1]));
    else
        printf("Feed \"%s\" is made. Next: sinkholectl feed import %s FILE\n", argv[1], argv[1]);
    return CLI_OK;
}

static int feed_set(struct cli *cli, int argc, char **argv)
{
    struct feed_words words = {0};
    const struct cli_option options[] = {FEED_OPTIONS(words)};
    const struct cli_page page = {.synopsis = "feed set NAME OPTIONS",
                                  .about = "Changes a feed. What concerns answers is in force at "
                                           "once, as a generation of its own.",
                                  .options = options,
                                  .examples = "  sinkholectl feed set ais --action nxdomain\n"};
    int code = cli_words(&page, &argc, argv, 1, 1);
    struct sinkhole_feed feed;
    enum sinkhole_store_status status;

    if (code != CLI_GO_ON)
        return code;
    status = sinkhole_feed_get(cli->store, argv[1], &feed);
    if (status != SINKHOLE_STORE_OK)
        return cli_store_fail(cli, status);
    if (feed.policy.kind == SINKHOLE_FEED_ALLOW)
        return cli_fail(CLI_USAGE, "\"%s\" is the exceptions' feed, which has nothing to set",
                        argv[1]);
    if (!take_feed(&words, &feed))
        return CLI_USAGE;
    status = sinkhole_feed_put(cli->store, &feed);
    if (status != SINKHOLE_STORE_OK)
        return cli_store_fail(cli, status);
    if (cli->json)
        cli_print_json(json_pack("{s:s}", "feed", argv[1]));
    else
        printf("Feed \"%s\" is changed.\n", argv[1]);
    return CLI_OK;
}

static int feed_remove(struct cli *cli, int argc, char **argv)
{
    bool yes = false;
    const struct cli_option options[] = {{"yes", NULL, "do not ask", NULL, &yes},
                                         {NULL, NULL, NULL, NULL, NULL}};
    const struct cli_page page = {
        .synopsis = "feed remove NAME [--yes]",
        .about = "Takes all its names off, in one generation, and forgets the feed.",
        .options = options,
        .examples = "  sinkholectl feed remove hostsvn\n"};
    int code = cli_words(&page, &argc, argv, 1, 1);
    struct sinkhole_feed feed;
    enum sinkhole_store_status status;
    char count[CLI_COUNT_MAX], answer[16];
    uint64_t generation = 0;

    if (code != CLI_GO_ON)
        return code;
    status = sinkhole_feed_get(cli->store, argv[1], &feed);
    if (status != SINKHOLE_STORE_OK)
        return cli_store_fail(cli, status);
    if (!yes && !isatty(STDIN_FILENO))
        return cli_fail(CLI_USAGE, "without a terminal to ask on it takes --yes");
    if (!yes) {
        fprintf(stderr, "Remove feed \"%s\" with %s names from every resolver? [y/N] ", argv[1],
                cli_count(feed.entries, count));
        if (fgets(answer, sizeof answer, stdin) == NULL || (answer[0] != 'y' && answer[0] != 'Y'))
            return cli_fail(CLI_FAILED, "nothing was changed");
    }
    status = sinkhole_feed_remove(cli->store, argv[1], cli_progress, cli, &generation);
    if (status != SINKHOLE_STORE_OK)
        return cli_store_fail(cli, status);
    if (cli->json)
        cli_print_json(
            json_pack("{s:s, s:I}", "feed", argv[1], "generation", (json_int_t)generation));
    else
        printf("Feed \"%s\" is gone, with %s names: generation %" PRIu64 ".\n", argv[1],
               cli_count(feed.entries, count), generation);
    return CLI_OK;
}

int cmd_feed(struct cli *cli, int argc, char **argv)
{
    static const struct cli_command table[] = {
        {"add", feed_add, "make a feed"},
        {"set", feed_set, "change a feed's rank, answer or titles"},
        {"list", feed_list, "all feeds"},
        {"show", feed_show, "one feed: letters, publications, what is staged"},
        {"import", feed_import, "read a file or a pasted letter and stage it"},
        {"diff", feed_diff, "what publishing the staged import would change"},
        {"publish", feed_publish, "put the staged import in force"},
        {"rollback", feed_rollback, "undo a feed's last publication, or those since one"},
        {"remove", feed_remove, "take a feed off, with all its names"},
        {NULL, NULL, NULL},
    };

    return cli_dispatch(
        cli, table,
        "usage: sinkholectl feed COMMAND ...\n"
        "\n"
        "Lists of names: from a file or a letter to what every resolver enforces.\n",
        argc, argv);
}
