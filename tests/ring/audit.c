/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Holds what clients received (flood's ledger) against the hits in Redis, pair by pair of client
 * and name. Pass: no answer without its hit, and no more hits than answers plus the replies that
 * may have been lost on the way (--unanswered).
 *
 * Threads: one. Memory: one table of pairs, read whole.
 */
#include "config.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "sinkhole/hits.h"

#define PAIRS_MAX 4000000
#define SLOTS (1u << 23) /* open addressing, at most half full */

struct pair {
    char *key; /* "client name" */
    uint64_t answered, hits;
};

struct audit {
    struct pair **slots, *pairs;
    uint64_t pair_count, records, hits, foreign;
    const char *under;    /* only names that end in this */
    char last_lane[160];  /* order within a lane proves that no ID came twice */
    unsigned long long last_segment, last_sequence;
    uint64_t disorder;
};

static struct pair *pair_find(struct audit *a, const char *client, const char *name, bool make)
{
    char key[1200];
    int len = snprintf(key, sizeof(key), "%s %s", client, name);
    uint64_t at = XXH3_64bits(key, (size_t)len) % SLOTS;
    struct pair *pair;

    for (; a->slots[at] != NULL; at = (at + 1) % SLOTS)
        if (strcmp(a->slots[at]->key, key) == 0)
            return a->slots[at];
    if (!make || a->pair_count == PAIRS_MAX)
        return NULL;
    pair = &a->pairs[a->pair_count++];
    pair->key = strdup(key);
    a->slots[at] = pair;
    return pair->key != NULL ? pair : NULL;
}

static bool ledger_read(struct audit *a, const char *path)
{
    FILE *in = fopen(path, "r");
    char client[64], name[1100];
    uint64_t answered;

    if (in == NULL)
        return false;
    while (fscanf(in, "%63s %1099s %" SCNu64, client, name, &answered) == 3) {
        struct pair *pair = pair_find(a, client, name, true);

        if (pair == NULL)
            break;
        pair->answered += answered;
    }
    fclose(in);
    return true;
}

static bool hit_visit(void *arg, const struct sinkhole_stored_hit *stored)
{
    struct audit *a = arg;
    char client[SINKHOLE_ADDRESS_TEXT_MAX], name[SINKHOLE_NAME_TEXT_MAX], lane[160];
    unsigned long long segment, sequence;
    struct pair *pair;
    size_t len, under = strlen(a->under);

    len = sinkhole_name_to_text(&stored->hit.qname, name, sizeof(name));
    if (len < under || strcmp(name + len - under, a->under) != 0)
        return true;
    sinkhole_address_to_text(&stored->hit.client, client, sizeof(client));
    a->records++;
    a->hits += stored->hit.count;
    snprintf(lane, sizeof(lane), "%s/%u", stored->resolver, stored->lane);
    if (sscanf(stored->id, "%llu-%llu", &segment, &sequence) != 2)
        a->disorder++;
    else if (strcmp(lane, a->last_lane) == 0 &&
             (segment < a->last_segment ||
              (segment == a->last_segment && sequence <= a->last_sequence)))
        a->disorder++;
    memcpy(a->last_lane, lane, sizeof(lane));
    a->last_segment = segment;
    a->last_sequence = sequence;
    pair = pair_find(a, client, name, false);
    if (pair == NULL)
        a->foreign += stored->hit.count;
    else
        pair->hits += stored->hit.count;
    return true;
}

static int audit_report(const struct audit *a, uint64_t unanswered)
{
    uint64_t answered = 0, missing = 0, surplus = a->foreign, short_pairs = 0;
    bool passed;

    for (uint64_t i = 0; i < a->pair_count; i++) {
        const struct pair *p = &a->pairs[i];

        answered += p->answered;
        if (p->hits < p->answered) {
            missing += p->answered - p->hits;
            short_pairs++;
        } else {
            surplus += p->hits - p->answered;
        }
    }
    passed = missing == 0 && surplus <= unanswered && a->disorder == 0;
    printf("{\"answered\": %" PRIu64 ", \"hits\": %" PRIu64 ", \"records\": %" PRIu64
           ", \"pairs\": %" PRIu64 ", \"missing\": %" PRIu64 ", \"short_pairs\": %" PRIu64
           ", \"surplus\": %" PRIu64 ", \"unanswered\": %" PRIu64 ", \"repeated_ids\": %" PRIu64
           ", \"passed\": %s}\n",
           answered, a->hits, a->records, a->pair_count, missing, short_pairs, surplus, unanswered,
           a->disorder, passed ? "true" : "false");
    return passed ? 0 : 1;
}

static const char usage[] =
    "usage: audit --config SETTINGS --ledger FILE [--unanswered N] [--under SUFFIX]\n"
    "Compares flood's ledger with the hits in Redis, prints one line of JSON; exit 1 when they "
    "differ.\n";

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", 1, NULL, 'c'}, {"ledger", 1, NULL, 'l'}, {"unanswered", 1, NULL, 'u'},
        {"under", 1, NULL, 'n'},  {"help", 0, NULL, 'h'},   {NULL, 0, NULL, 0},
    };
    struct audit a = {.under = ""};
    struct sinkhole_hit_query query = {0};
    const char *config = NULL, *ledger = NULL;
    char error[SINKHOLE_SETTINGS_ERROR_MAX];
    struct sinkhole_settings *settings;
    struct sinkhole_store *store;
    uint64_t unanswered = 0;
    int c;

    while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (c) {
        case 'c': config = optarg; break;
        case 'l': ledger = optarg; break;
        case 'u': unanswered = strtoull(optarg, NULL, 10); break;
        case 'n': a.under = optarg; break;
        default: fputs(usage, c == 'h' ? stdout : stderr); return c == 'h' ? 0 : 2;
        }
    }
    a.pairs = calloc(PAIRS_MAX, sizeof(*a.pairs));
    a.slots = calloc(SLOTS, sizeof(*a.slots));
    if (ledger == NULL || a.pairs == NULL || a.slots == NULL || !ledger_read(&a, ledger)) {
        fputs(usage, stderr);
        return 2;
    }
    settings = sinkhole_settings_load(config, error);
    if (settings == NULL || (store = sinkhole_store_new(settings)) == NULL) {
        fprintf(stderr, "audit: %s\n", error);
        return 2;
    }
    if (sinkhole_hits_read(store, &query, hit_visit, &a) != SINKHOLE_STORE_OK) {
        fprintf(stderr, "audit: %s\n", sinkhole_store_error(store));
        return 3;
    }
    sinkhole_store_free(store);
    sinkhole_settings_free(settings);
    return audit_report(&a, unanswered);
}
