/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sinkholectl hits: who asked for listed names.
 *
 * Threads: one. Memory: the newest --limit hits.
 */
#include "cli/cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sinkhole/clock.h"
#include "sinkhole/report.h"

#define LIMIT_MAX 1000000
#define DAY_MS 86400000LL

struct hits {
    struct cli *cli;
    struct sinkhole_unit_file *units;
    struct sinkhole_suffixes *suffixes;
    struct sinkhole_provenances *provenances;
    /* what is asked for */
    const struct sinkhole_unit *unit;
    bool by_client, by_name;
    struct sinkhole_prefix client;
    struct sinkhole_name name;
    int64_t since_ms, until_ms;
    size_t limit; /* 0: none */
    /* the newest ones: a heap with the oldest on top */
    struct sinkhole_stored_hit *kept;
    size_t count, room;
    uint64_t matched;
};

static bool in_prefix(const struct sinkhole_address *address, const struct sinkhole_prefix *prefix)
{
    unsigned whole = prefix->bits / 8, rest = prefix->bits % 8;
    uint8_t mask = (uint8_t)(0xff00u >> rest);

    if (address->family != prefix->address.family ||
        memcmp(address->octets, prefix->address.octets, whole) != 0)
        return false;
    return rest == 0 || (address->octets[whole] & mask) == (prefix->address.octets[whole] & mask);
}

static bool wanted(const struct hits *hits, const struct sinkhole_hit *hit)
{
    struct sinkhole_prefix network;

    if ((hits->since_ms != 0 && hit->time_ms < hits->since_ms) ||
        (hits->until_ms != 0 && hit->time_ms >= hits->until_ms))
        return false;
    if (hits->by_client && !in_prefix(&hit->client, &hits->client))
        return false;
    if (hits->by_name && !sinkhole_name_is_at_or_below(&hit->qname, &hits->name) &&
        !sinkhole_name_is_at_or_below(&hit->indicator, &hits->name))
        return false;
    return hits->unit == NULL ||
           sinkhole_unit_file_owner(hits->units, &hit->client, &network) == hits->unit;
}

/* --- printing
 * --------------------------------------------------------------------------------------- */

static void print_head(const struct hits *hits)
{
    if (!hits->cli->json)
        printf("%s%-23s  %-15s  %-14s  %-32s  %-5s  %6s  %-8s  %s%s\n",
               cli_paint(hits->cli, CLI_BOLD), "TIME", "CLIENT", "UNIT", "NAME", "TYPE", "COUNT",
               "ACTION", "LIST, FAMILY", cli_paint(hits->cli, CLI_PLAIN));
}

static void print_hit(struct hits *hits, const struct sinkhole_stored_hit *stored)
{
    const struct sinkhole_hit *hit = &stored->hit;
    struct sinkhole_report_row row = {.hit = hit,
                                      .resolver = stored->resolver,
                                      .id = stored->id,
                                      .lane = stored->lane,
                                      .first_ms = hit->time_ms,
                                      .last_ms = hit->time_ms,
                                      .count = hit->count,
                                      .suffixes = hits->suffixes};
    char when[CLI_TIME_MAX], client[SINKHOLE_ADDRESS_TEXT_MAX] = "-";
    char name[SINKHOLE_NAME_TEXT_MAX], type[16], from[128] = "", shown[512];

    row.unit = sinkhole_unit_file_owner(hits->units, &hit->client, &row.network);
    row.from = sinkhole_provenance_get(hits->provenances, hit->rule);
    if (hits->cli->json) {
        sinkhole_report_json(&row, stdout);
        return;
    }
    if (hit->client.family != 0)
        sinkhole_address_to_text(&hit->client, client, sizeof client);
    sinkhole_name_to_text(&hit->qname, name, sizeof name);
    if (row.from != NULL)
        snprintf(from, sizeof from, "%.31s%s%.63s", row.from->batch.feed,
                 row.from->batch.family[0] != '\0' ? ", " : "", row.from->batch.family);
    sinkhole_escape_terminal(from, shown, sizeof shown);
    printf("%-23s  %-15s  %-14s  %-32s  %-5s  %6" PRIu32 "  %-8s  %s\n",
           cli_time(hit->time_ms, when), client, row.unit != NULL ? row.unit->id : "-", name,
           sinkhole_qtype_text(hit->qtype, type), hit->count, sinkhole_action_text(hit->action),
           shown);
}

/* --- the newest ones
 * -------------------------------------------------------------------------------- */

static void swap(struct hits *hits, size_t a, size_t b)
{
    struct sinkhole_stored_hit hit = hits->kept[a];

    hits->kept[a] = hits->kept[b];
    hits->kept[b] = hit;
}

static void sift_down(struct hits *hits, size_t at)
{
    for (;;) {
        size_t oldest = at;

        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < hits->count; child++)
            if (hits->kept[child].hit.time_ms < hits->kept[oldest].hit.time_ms)
                oldest = child;
        if (oldest == at)
            return;
        swap(hits, at, oldest);
        at = oldest;
    }
}

static bool keep(struct hits *hits, const struct sinkhole_stored_hit *hit)
{
    if (hits->count == hits->limit) {
        if (hit->hit.time_ms <= hits->kept[0].hit.time_ms)
            return true;
        hits->kept[0] = *hit;
        sift_down(hits, 0);
        return true;
    }
    if (hits->count == hits->room) {
        size_t room = hits->room == 0 ? 128 : hits->room * 2;
        struct sinkhole_stored_hit *kept = realloc(hits->kept, room * sizeof *kept);

        if (kept == NULL)
            return false;
        hits->kept = kept;
        hits->room = room;
    }
    hits->kept[hits->count++] = *hit;
    for (size_t at = hits->count - 1; at > 0; at = (at - 1) / 2) {
        if (hits->kept[at].hit.time_ms >= hits->kept[(at - 1) / 2].hit.time_ms)
            break;
        swap(hits, at, (at - 1) / 2);
    }
    return true;
}

static int by_time(const void *a, const void *b)
{
    int64_t left = ((const struct sinkhole_stored_hit *)a)->hit.time_ms;
    int64_t right = ((const struct sinkhole_stored_hit *)b)->hit.time_ms;

    return (left > right) - (left < right);
}

static bool visit(void *arg, const struct sinkhole_stored_hit *hit)
{
    struct hits *hits = arg;

    if (hit == NULL) { /* following, and nothing came */
        fflush(stdout);
        return !ferror(stdout);
    }
    if (!wanted(hits, &hit->hit))
        return true;
    hits->matched++;
    if (hits->limit != 0)
        return keep(hits, hit);
    print_hit(hits, hit);
    return !ferror(stdout);
}

static int show_past(struct hits *hits)
{
    struct sinkhole_hit_query query = {.since_ms = hits->since_ms, .until_ms = hits->until_ms};
    enum sinkhole_store_status status;
    char shown[CLI_COUNT_MAX], matched[CLI_COUNT_MAX];

    if (hits->limit == 0)
        print_head(hits);
    status = sinkhole_hits_read(hits->cli->store, &query, visit, hits);
    if (status != SINKHOLE_STORE_OK)
        return cli_store_fail(hits->cli, status);
    if (hits->limit == 0)
        return CLI_OK;
    if (hits->count > 0) {
        qsort(hits->kept, hits->count, sizeof *hits->kept, by_time);
        print_head(hits);
    }
    for (size_t i = 0; i < hits->count; i++)
        print_hit(hits, &hits->kept[i]);
    if (hits->matched > hits->count && !hits->cli->json)
        fprintf(stderr, "The newest %s of %s; --limit 0 shows all.\n",
                cli_count(hits->count, shown), cli_count(hits->matched, matched));
    if (hits->matched == 0 && !hits->cli->json)
        fprintf(stderr, "No hits.\n");
    return CLI_OK;
}

static int follow(struct hits *hits)
{
    enum sinkhole_store_status status;

    hits->limit = 0;
    hits->since_ms = 0;
    setvbuf(stdout, NULL, _IOLBF, 0); /* a hit is shown when it comes */
    print_head(hits);
    status = sinkhole_hits_follow(hits->cli->store, 1000, visit, hits);
    return cli_store_fail(hits->cli, status);
}

/* --- words
 * ------------------------------------------------------------------------------------------ */

struct words {
    const char *client, *unit, *name, *since, *until, *limit, *units;
    bool follow;
};

static int parse_times(struct hits *hits, const struct words *words)
{
    int64_t now_ms = sinkhole_now_ms();

    hits->since_ms = now_ms - DAY_MS;
    if (words->since != NULL && !cli_when(words->since, now_ms, &hits->since_ms))
        return cli_fail(CLI_USAGE, "--since %s: expected 10m, 2h, 3d, or 2026-11-24T05:30",
                        words->since);
    if (words->until != NULL && !cli_when(words->until, now_ms, &hits->until_ms))
        return cli_fail(CLI_USAGE, "--until %s: expected 10m, 2h, 3d, or 2026-11-24T05:30",
                        words->until);
    return CLI_OK;
}

static int parse_words(struct hits *hits, const struct words *words)
{
    char error[SINKHOLE_REPORT_ERROR_MAX], *end;
    const char *units = words->units != NULL ? words->units : hits->cli->settings->report_units;

    hits->limit = 100;
    if (words->limit != NULL) {
        hits->limit = strtoul(words->limit, &end, 10);
        if (*end != '\0' || end == words->limit || hits->limit > LIMIT_MAX)
            return cli_fail(CLI_USAGE, "--limit %s: expected a number from 0 to %d", words->limit,
                            LIMIT_MAX);
    }
    if (words->client != NULL) {
        hits->by_client = true;
        if (!sinkhole_prefix_from_text(words->client, strlen(words->client), &hits->client))
            return cli_fail(CLI_USAGE, "--client %s: expected an address or a prefix",
                            words->client);
    }
    if (words->name != NULL) {
        hits->by_name = true;
        if (!cli_name(words->name, &hits->name))
            return CLI_USAGE;
    }
    if (units[0] != '\0') {
        hits->units = sinkhole_unit_file_load(units, error);
        if (hits->units == NULL)
            return cli_fail(CLI_USAGE, "%s", error);
    }
    if (words->unit != NULL) {
        if (hits->units == NULL)
            return cli_fail(CLI_USAGE, "--unit needs a units file: report.units, or --units FILE");
        hits->unit = sinkhole_unit_file_find(hits->units, words->unit);
        if (hits->unit == NULL)
            return cli_fail(CLI_ABSENT, "no unit \"%s\" in %s", words->unit, units);
    }
    return parse_times(hits, words);
}

int cmd_hits(struct cli *cli, int argc, char **argv)
{
    struct words words = {0};
    const struct cli_option options[] = {
        {"follow", NULL, "new ones as they come, until Ctrl-C", NULL, &words.follow},
        {"client", "PREFIX", "of this address or network", &words.client, NULL},
        {"unit", "UNIT", "of this unit's networks", &words.unit, NULL},
        {"name", "NAME", "for this name and what lies below it", &words.name, NULL},
        {"since", "WHEN", "10m, 2h, 3d or 2026-11-24T05:30 [1d]", &words.since, NULL},
        {"until", "WHEN", "likewise [now]", &words.until, NULL},
        {"limit", "N", "only the newest N, 0: all, by resolver [100]", &words.limit, NULL},
        {"units", "FILE", "units file [report.units]", &words.units, NULL},
        {NULL, NULL, NULL, NULL, NULL},
    };
    const struct cli_page page = {
        .synopsis = "hits [OPTION...]",
        .about =
            "Shows who asked for listed names. With --json one object a line, its fields as in\n"
            "\"sinkholectl report fields\".",
        .examples = "  sinkholectl hits --since 2h\n"
                    "  sinkholectl hits --follow --client 10.20.0.0/16\n"
                    "  sinkholectl --json hits --name evil.example --limit 0\n",
        .options = options};
    struct hits hits = {.cli = cli};
    int code = cli_words(&page, &argc, argv, 0, 0);

    if (code != CLI_GO_ON)
        return code;
    code = parse_words(&hits, &words);
    hits.suffixes = sinkhole_suffixes_open(
        cli->settings->guard_suffixes[0] != '\0' ? cli->settings->guard_suffixes : NULL);
    hits.provenances = sinkhole_provenances_new(cli->store);
    if (code == CLI_OK && hits.provenances == NULL)
        code = cli_fail(CLI_FAILED, "no memory");
    if (code == CLI_OK)
        code = words.follow ? follow(&hits) : show_past(&hits);
    free(hits.kept);
    sinkhole_provenances_free(hits.provenances);
    sinkhole_suffixes_close(hits.suffixes);
    sinkhole_unit_file_free(hits.units);
    return code;
}
