/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sinkholectl why: who lists a name, on what letter, what happens to it, and where it is in force.
 *
 * Threads: one. Memory: freed before return.
 */
#include "cli/cli.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/listing.h"
#include "cli/resolvers.h"
#include "sinkhole/clock.h"
#include "sinkhole/index.h"
#include "sinkhole/report.h"
#include "sinkhole/text.h"

static const struct cli_page page = {
    .synopsis = "why NAME",
    .about =
        "Says who lists a name and why: the list, on which name and scope, since when, on what "
        "letter,\n"
        "who entered it, what a client gets, which exceptions there are, and which generation "
        "each\n"
        "resolver enforces. NAME may be internationalised, and defanged (\"evil[.]example\").\n"
        "Exit code: 0 listed, 5 not listed, 3 Redis is away (this machine's index is asked then).",
    .examples = "  sinkholectl why www.evil.example\n"
                "  sinkholectl why 'thủđô.vn'\n"
                "  sinkholectl --json why evil.example | jq .decides\n"};

/* What this machine's index says. */
struct local {
    enum sinkhole_index_status status;
    bool blocked;
    uint32_t rule; /* 0: none */
    uint8_t action;
    char feed[SINKHOLE_FEED_NAME_MAX + 1];
    struct sinkhole_index_info info;
};

static void ask_local(const char *dir, const struct sinkhole_name *name, int64_t now_s,
                      struct local *ret_local)
{
    struct sinkhole_index *index = NULL;
    struct sinkhole_match match;

    memset(ret_local, 0, sizeof *ret_local);
    ret_local->status = sinkhole_index_open(dir, &index);
    if (ret_local->status != SINKHOLE_INDEX_OK)
        return;
    sinkhole_index_info(index, &ret_local->info);
    ret_local->blocked = sinkhole_index_find(index, name->wire, name->wire_len, now_s, &match);
    if (match.rule != NULL) {
        ret_local->rule = match.rule->id;
        ret_local->action = match.action;
        memcpy(ret_local->feed, match.policy->feed, SINKHOLE_FEED_NAME_MAX);
    }
    sinkhole_index_close(index);
}

static const char *scope_text(uint8_t scope)
{
    static const char *const names[] = {"exact", "below", "subtree"};

    return scope < 3 ? names[scope] : "unknown";
}

/* --- JSON
 * ----------------------------------------------------------------------------------------- */

static json_t *text_or_null(const char *text)
{
    return text[0] != '\0' ? json_string(text) : json_null();
}

static json_t *name_json(const struct sinkhole_name *name)
{
    char text[SINKHOLE_NAME_TEXT_MAX];

    sinkhole_name_to_text(name, text, sizeof text);
    return json_string(text);
}

static json_t *time_json(int64_t ms)
{
    char text[CLI_TIME_MAX];

    return ms == 0 ? json_null() : json_string(cli_time_utc(ms, text));
}

static json_t *answer_json(const struct sinkhole_policy *policy, uint8_t action)
{
    char v4[INET_ADDRSTRLEN] = "", v6[INET6_ADDRSTRLEN] = "";

    if (action == SINKHOLE_ACTION_ADDRESS && policy->has_v4)
        inet_ntop(AF_INET, policy->v4, v4, sizeof v4);
    if (action == SINKHOLE_ACTION_ADDRESS && policy->has_v6)
        inet_ntop(AF_INET6, policy->v6, v6, sizeof v6);
    return json_pack("{s:s, s:o, s:o, s:i, s:i, s:s}", "action", sinkhole_action_text(action),
                     "ipv4", text_or_null(v4), "ipv6", text_or_null(v6), "ttl_s",
                     (int)policy->ttl_s, "ede", (int)policy->ede_code, "ede_text",
                     policy->ede_text);
}

static json_t *entry_json(const struct listing_entry *entry)
{
    const struct sinkhole_batch *batch = &entry->batch;
    json_t *json = json_object();

    json_object_set_new(json, "rule", json_integer((json_int_t)batch->rule.id));
    json_object_set_new(json, "name", name_json(&entry->name));
    json_object_set_new(json, "known", json_boolean(entry->known));
    if (!entry->known)
        return json;
    json_object_set_new(json, "scope", json_string(scope_text(batch->rule.scope)));
    json_object_set_new(json, "covers", json_boolean(entry->covers));
    json_object_set_new(json, "expired", json_boolean(entry->expired));
    json_object_set_new(json, "valid_until", time_json(batch->rule.valid_until * 1000));
    json_object_set_new(json, "action", json_string(sinkhole_action_text(entry->action)));
    json_object_set_new(json, "feed", json_string(batch->feed));
    json_object_set_new(json, "title", text_or_null(entry->feed.title));
    json_object_set_new(json, "rank", json_integer(entry->feed.policy.rank));
    json_object_set_new(json, "reference", text_or_null(batch->reference));
    json_object_set_new(json, "issuer", text_or_null(batch->issuer));
    json_object_set_new(json, "issued", text_or_null(batch->issued));
    json_object_set_new(json, "received", text_or_null(batch->received));
    json_object_set_new(json, "who", text_or_null(batch->who));
    json_object_set_new(json, "remark", text_or_null(batch->remark));
    json_object_set_new(json, "family", text_or_null(batch->family));
    json_object_set_new(json, "category", text_or_null(batch->category));
    json_object_set_new(json, "tlp", text_or_null(batch->tlp));
    json_object_set_new(json, "severity", json_integer(batch->rule.severity));
    json_object_set_new(json, "confidence", json_integer(batch->rule.confidence));
    json_object_set_new(json, "published", time_json(batch->published_ms));
    json_object_set_new(json, "generation", json_integer((json_int_t)batch->generation));
    return json;
}

static json_t *resolvers_json(const struct resolvers *resolvers)
{
    json_t *array = json_array(), *resolver;
    const char *name;
    int64_t generation;

    json_object_foreach(resolvers->all, name, resolver)
    {
        bool known = resolver_generation(resolver, &generation);
        int agrees = resolver_digest_agrees(resolvers, resolver);

        json_array_append_new(array, json_pack("{s:s, s:o, s:o}", "resolver", name, "generation",
                                               known ? json_integer(generation) : json_null(),
                                               "digest_agrees",
                                               agrees < 0 ? json_null() : json_boolean(agrees)));
    }
    return array;
}

static json_t *local_json(const struct local *local)
{
    if (local->status != SINKHOLE_INDEX_OK)
        return json_pack("{s:s}", "status", sinkhole_index_status_text(local->status));
    return json_pack("{s:s, s:I, s:b, s:o, s:o}", "status", "in force", "generation",
                     (json_int_t)local->info.generation, "listed", local->blocked, "rule",
                     local->rule != 0 ? json_integer((json_int_t)local->rule) : json_null(), "feed",
                     text_or_null(local->feed));
}

/* 1: this machine's index decides as Redis does; 0: not; -1: cannot be told. */
static int local_agrees(const struct listing *listing, const struct local *local)
{
    const struct listing_entry *entry =
        listing->exception != NULL ? listing->exception : listing->decides;

    if (local->status != SINKHOLE_INDEX_OK || local->info.generation != listing->head.generation)
        return -1;
    return local->rule == (entry != NULL ? entry->batch.rule.id : 0);
}

static void print_json(const struct sinkhole_name *name, const struct listing *listing,
                       const struct resolvers *resolvers, const struct local *local)
{
    char shown[SINKHOLE_NAME_TEXT_MAX];
    json_t *root = json_object(), *entries = json_array();
    const struct listing_entry *decides = listing->decides;

    sinkhole_text_display(name, shown, sizeof shown);
    json_object_set_new(root, "name", name_json(name));
    json_object_set_new(root, "display", json_string(shown));
    json_object_set_new(root, "listed", json_boolean(decides != NULL));
    json_object_set_new(root, "sinkholed",
                        json_boolean(decides != NULL && listing->exception == NULL &&
                                     decides->action != SINKHOLE_ACTION_MONITOR));
    json_object_set_new(root, "decides", decides != NULL ? entry_json(decides) : json_null());
    json_object_set_new(root, "answer",
                        decides != NULL && listing->exception == NULL
                            ? answer_json(&decides->feed.policy, decides->action)
                            : json_null());
    json_object_set_new(root, "exception",
                        listing->exception != NULL ? entry_json(listing->exception) : json_null());
    for (size_t i = 0; i < listing->count; i++)
        json_array_append_new(entries, entry_json(&listing->entries[i]));
    json_object_set_new(root, "entries", entries);
    json_object_set_new(root, "generation", json_integer((json_int_t)listing->head.generation));
    json_object_set_new(root, "resolvers", resolvers_json(resolvers));
    json_object_set_new(root, "local_index", local_json(local));
    cli_print_json(root);
}

/* --- for people
 * ----------------------------------------------------------------------------------- */

/* What came from outside, harmless for a terminal. */
static const char *safe(const char *text, char *buf, size_t size)
{
    sinkhole_escape_terminal(text, buf, size);
    return buf;
}

static void print_pair(const char *label, const char *text)
{
    char buf[1024];

    if (text[0] != '\0')
        printf("    %-10s %s\n", label, safe(text, buf, sizeof buf));
}

static void print_letter(const struct sinkhole_batch *batch)
{
    char buf[600], from[700];

    from[0] = '\0';
    if (batch->reference[0] != '\0' || batch->issuer[0] != '\0')
        snprintf(from, sizeof from, "%s%s%s%s%s%s%s", batch->reference,
                 batch->reference[0] != '\0' && batch->issuer[0] != '\0' ? ", " : "", batch->issuer,
                 batch->issued[0] != '\0' ? ", issued " : "", batch->issued,
                 batch->received[0] != '\0' ? ", received " : "", batch->received);
    if (from[0] != '\0')
        printf("    %-10s %s\n", "letter", safe(from, buf, sizeof buf));
}

static void print_entry(const struct cli *cli, const struct listing_entry *entry)
{
    const struct sinkhole_batch *batch = &entry->batch;
    char name[SINKHOLE_NAME_TEXT_MAX], when[CLI_TIME_MAX], buf[600], until[80] = "";
    static const char *const scopes[] = {"the name alone", "every name below it",
                                         "the name and every name below it"};

    sinkhole_name_to_text(&entry->name, name, sizeof name);
    if (!entry->known) {
        printf("  %s: rule %" PRIu32 ", of which Redis knows nothing\n", name, batch->rule.id);
        return;
    }
    printf("  %s%s%s: %s%s%s\n", cli_paint(cli, CLI_BOLD), name, cli_paint(cli, CLI_PLAIN),
           batch->rule.scope < 3 ? scopes[batch->rule.scope] : "unknown scope",
           entry->covers ? "" : "; does not cover what was asked for",
           entry->expired ? "; expired" : "");
    snprintf(buf, sizeof buf, "%s%s%s%s, rank %u, action %s", batch->feed,
             entry->feed.title[0] != '\0' ? " (" : "", entry->feed.title,
             entry->feed.title[0] != '\0' ? ")" : "", entry->feed.policy.rank,
             sinkhole_action_text(entry->action));
    print_pair("list", buf);
    print_letter(batch);
    snprintf(buf, sizeof buf, "%s by %s, generation %" PRIu64, cli_time(batch->published_ms, when),
             batch->who[0] != '\0' ? batch->who : "unknown", batch->generation);
    print_pair("since", buf);
    if (batch->rule.valid_until != 0)
        print_pair("until", cli_time(batch->rule.valid_until * 1000, until));
    print_pair("family", batch->family);
    print_pair("category", batch->category);
    print_pair(entry->action == SINKHOLE_ACTION_ALLOW ? "reason" : "remark", batch->remark);
    print_pair("tlp", batch->tlp);
}

static void print_answer(const struct listing_entry *entry)
{
    const struct sinkhole_policy *policy = &entry->feed.policy;
    char v4[INET_ADDRSTRLEN] = "no A", v6[INET6_ADDRSTRLEN] = "no AAAA",
         ede[SINKHOLE_EDE_TEXT_MAX + 1];

    if (policy->has_v4)
        inet_ntop(AF_INET, policy->v4, v4, sizeof v4);
    if (policy->has_v6)
        inet_ntop(AF_INET6, policy->v6, v6, sizeof v6);
    fputs("  a client gets: ", stdout);
    if (entry->action == SINKHOLE_ACTION_ADDRESS)
        printf("%s and %s", v4, v6);
    else if (entry->action == SINKHOLE_ACTION_NXDOMAIN &&
             entry->batch.rule.scope == SINKHOLE_SCOPE_EXACT)
        fputs("no such data (NODATA, since the entry is exact)", stdout);
    else if (entry->action == SINKHOLE_ACTION_NXDOMAIN)
        fputs("no such name (NXDOMAIN)", stdout);
    else if (entry->action == SINKHOLE_ACTION_NODATA)
        fputs("no such data (NODATA)", stdout);
    else if (entry->action == SINKHOLE_ACTION_DROP)
        fputs("no answer at all", stdout);
    else
        fputs("the real answer; who asked is recorded", stdout);
    if (entry->action != SINKHOLE_ACTION_MONITOR && entry->action != SINKHOLE_ACTION_DROP) {
        printf(", TTL %" PRIu32 " s", policy->ttl_s);
        if (policy->ede_code != 0)
            printf(", EDE %u%s%s", policy->ede_code, policy->ede_text[0] != '\0' ? " " : "",
                   safe(policy->ede_text, ede, sizeof ede));
    }
    putchar('\n');
}

static void print_verdict(const struct cli *cli, const struct listing *listing)
{
    char ascii[SINKHOLE_NAME_TEXT_MAX], shown[SINKHOLE_NAME_TEXT_MAX];
    const char *verdict = "is not listed", *colour = cli_paint(cli, CLI_GOOD);

    sinkhole_name_to_text(&listing->name, ascii, sizeof ascii);
    sinkhole_text_display(&listing->name, shown, sizeof shown);
    if (listing->decides != NULL && listing->exception != NULL)
        verdict = "is listed, and an exception lets it through";
    else if (listing->decides != NULL && listing->decides->action == SINKHOLE_ACTION_MONITOR)
        verdict = "is listed and watched: it resolves";
    else if (listing->decides != NULL)
        verdict = "is sinkholed";
    else if (listing->exception != NULL)
        verdict = "is not listed, and an exception stands for it";
    if (listing->decides != NULL && listing->exception == NULL)
        colour = cli_paint(cli, CLI_BAD);
    printf("%s%s", cli_paint(cli, CLI_BOLD), ascii);
    if (strcmp(ascii, shown) != 0)
        printf(" (%s)", shown);
    printf("%s %s%s%s\n", cli_paint(cli, CLI_PLAIN), colour, verdict, cli_paint(cli, CLI_PLAIN));
    if (listing->decides != NULL && listing->exception == NULL)
        print_answer(listing->decides);
}

static void print_where(const struct cli *cli, const struct listing *listing,
                        const struct resolvers *resolvers, const struct local *local)
{
    const char *name;
    json_t *resolver;
    int64_t generation;
    int agrees = local_agrees(listing, local);

    printf("\nin force (published: generation %" PRIu64 ")\n", listing->head.generation);
    json_object_foreach(resolvers->all, name, resolver)
    {
        char buf[80];
        int digest = resolver_digest_agrees(resolvers, resolver);

        printf("  %-20s ", safe(name, buf, sizeof buf));
        if (!resolver_generation(resolver, &generation))
            puts("silent");
        else
            printf("generation %" PRId64 "%s\n", generation,
                   digest > 0    ? ", the list is whole"
                   : digest == 0 ? ", but its list differs (digest)"
                                 : "");
    }
    printf("  %-20s ", "this machine");
    if (local->status != SINKHOLE_INDEX_OK)
        printf("no index here: %s\n", sinkhole_index_status_text(local->status));
    else
        printf("generation %" PRIu64 "%s%s%s\n", local->info.generation,
               agrees == 0 ? cli_paint(cli, CLI_BAD) : "",
               agrees > 0    ? ", its index says the same"
               : agrees == 0 ? ", but its index says otherwise"
                             : "",
               cli_paint(cli, CLI_PLAIN));
}

static void print_people(const struct cli *cli, const struct listing *listing,
                         const struct resolvers *resolvers, const struct local *local)
{
    const struct listing_entry *first =
        listing->exception != NULL ? listing->exception : listing->decides;

    print_verdict(cli, listing);
    if (listing->exception != NULL) {
        puts("\nexception");
        print_entry(cli, listing->exception);
    }
    if (listing->decides != NULL) {
        puts(listing->exception != NULL ? "\nwithout it this would decide" : "\ndecided by");
        print_entry(cli, listing->decides);
    }
    for (size_t i = 0, shown = 0; i < listing->count; i++) {
        const struct listing_entry *entry = &listing->entries[i];

        if (entry == first || entry == listing->decides)
            continue;
        if (shown++ == 0)
            puts("\nother entries");
        print_entry(cli, entry);
    }
    if (listing->cut)
        printf("  and more: only the first %d are shown\n", LISTING_MAX);
    print_where(cli, listing, resolvers, local);
}

/* --- -------------------------------------------------------------------------------------------
 */

/* Redis is away: what this machine's index can tell. */
static int without_redis(struct cli *cli, enum sinkhole_store_status status,
                         const struct sinkhole_name *name, const struct local *local)
{
    int code = cli_store_fail(cli, status);
    json_t *shown = name_json(name);

    if (local->status != SINKHOLE_INDEX_OK) {
        json_decref(shown);
        return code;
    }
    if (cli->json)
        cli_print_json(json_pack("{s:O, s:n, s:o}", "name", shown, "decides", "local_index",
                                 local_json(local)));
    else if (local->rule == 0)
        printf("%s is not listed in this machine's index (generation %" PRIu64 ")\n",
               json_string_value(shown), local->info.generation);
    else
        printf("%s: this machine's index (generation %" PRIu64
               ") says %s, by list %s, rule %" PRIu32 "\n",
               json_string_value(shown), local->info.generation,
               sinkhole_action_text(local->action), local->feed, local->rule);
    json_decref(shown);
    return code;
}

int cmd_why(struct cli *cli, int argc, char **argv)
{
    int64_t now_s = sinkhole_now_ms() / 1000;
    struct sinkhole_name name;
    struct listing listing;
    struct resolvers resolvers;
    struct local local;
    enum sinkhole_store_status status;
    int code = cli_words(&page, &argc, argv, 1, 1);

    if (code != CLI_GO_ON)
        return code;
    if (!cli_name(argv[1], &name))
        return CLI_USAGE;
    ask_local(cli->settings->resolver_directory, &name, now_s, &local);
    status = listing_load(cli->store, &name, now_s, &listing);
    if (status != SINKHOLE_STORE_OK)
        return without_redis(cli, status, &name, &local);
    if (!resolvers_init(&resolvers)) {
        listing_done(&listing);
        return cli_fail(CLI_FAILED, "no memory");
    }
    resolvers_load(&resolvers, cli->store); /* what it cannot tell is left out */
    if (cli->json)
        print_json(&name, &listing, &resolvers, &local);
    else
        print_people(cli, &listing, &resolvers, &local);
    code = listing.decides != NULL ? CLI_OK : CLI_ABSENT;
    resolvers_done(&resolvers);
    listing_done(&listing);
    return code;
}
