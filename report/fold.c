/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Hits folded to one row for each client, indicator and hour; names, addresses and resolvers are
 * kept once.
 *
 * Threads: one. Memory: at most SINKHOLE_FOLD_ROWS_MAX rows and what intern.h says.
 */
#include "config.h"

#include "sinkhole/report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "report/digits.h"
#include "report/intern.h"

#define HOUR_MS 3600000

struct row {
    int64_t first_ms, last_ms;
    uint64_t count, generation;
    uint64_t id[2]; /* of the first hit's entry: "segment-sequence" */
    uint32_t client, indicator, hour;
    uint32_t qname, resolver, lane, rule;
    uint32_t answer; /* as an address is kept */
    uint16_t port, qtype, qclass;
    uint8_t transport, client_source, action, rcode, flags;
};
struct owner {
    const struct sinkhole_unit *unit; /* NULL: nobody */
    struct sinkhole_prefix network;
    uint32_t rank; /* place in the file, nobody last */
};
struct sinkhole_fold {
    const struct sinkhole_unit_file *units;
    const struct sinkhole_unit *only;
    struct intern addresses, names, resolvers;
    struct row *rows;
    uint32_t count, room;
    uint32_t *table; /* hash -> row + 1 */
    uint32_t slots;
    uint64_t hits;
    /* after finish */
    uint32_t *address_rank, *name_rank; /* by number of the address or name */
    struct owner *owners;               /* by number of the address */
    /* what fold_row hands out, and which row's names and addresses stand in it */
    struct sinkhole_hit hit;
    const struct row *shown;
    char resolver[SINKHOLE_RESOLVER_NAME_MAX + 1], entry[48];
};

struct sinkhole_fold *sinkhole_fold_new(const struct sinkhole_unit_file *units,
                                        const struct sinkhole_unit *only)
{
    struct sinkhole_fold *fold = calloc(1, sizeof *fold);

    if (fold == NULL)
        return NULL;
    fold->units = units;
    fold->only = only;
    return fold;
}

void sinkhole_fold_free(struct sinkhole_fold *fold)
{
    if (fold == NULL)
        return;
    intern_done(&fold->addresses);
    intern_done(&fold->names);
    intern_done(&fold->resolvers);
    free(fold->rows);
    free(fold->table);
    free(fold->address_rank);
    free(fold->name_rank);
    free(fold->owners);
    free(fold);
}

static bool put_address(struct sinkhole_fold *fold, const struct sinkhole_address *address,
                        uint32_t *ret_number)
{
    uint8_t octets[17] = {address->family};

    memcpy(octets + 1, address->octets, address->family == 4 ? 4 : 16);
    return intern_put(&fold->addresses, octets,
                      address->family == 4   ? 5
                      : address->family == 6 ? 17
                                             : 1,
                      ret_number);
}

static void get_address(const struct sinkhole_fold *fold, uint32_t number,
                        struct sinkhole_address *ret_address)
{
    size_t len;
    const uint8_t *octets = intern_get(&fold->addresses, number, &len);

    memset(ret_address, 0, sizeof *ret_address);
    ret_address->family = octets[0];
    memcpy(ret_address->octets, octets + 1, len - 1);
}

static void get_name(const struct sinkhole_fold *fold, uint32_t number,
                     struct sinkhole_name *ret_name)
{
    size_t len;
    const uint8_t *wire = intern_get(&fold->names, number, &len);

    ret_name->labels = 0;
    ret_name->wire_len = (uint8_t)len;
    memcpy(ret_name->wire, wire, len);
    for (size_t at = 0; at < len && wire[at] != 0; at += (size_t)wire[at] + 1)
        ret_name->labels++;
}

static uint32_t hash_key(uint32_t client, uint32_t indicator, uint32_t hour)
{
    uint32_t key[3] = {client, indicator, hour};

    return (uint32_t)XXH3_64bits(key, sizeof key);
}

static bool grow(struct sinkhole_fold *fold)
{
    uint32_t slots = fold->slots == 0 ? 4096 : fold->slots * 2;

    if (fold->count == fold->room) {
        uint32_t room = fold->room == 0 ? 1024 : fold->room * 2;
        struct row *rows;

        if (room > SINKHOLE_FOLD_ROWS_MAX)
            room = SINKHOLE_FOLD_ROWS_MAX;
        if (fold->count == room || (rows = realloc(fold->rows, room * sizeof *rows)) == NULL)
            return false;
        fold->rows = rows;
        fold->room = room;
    }
    if (fold->count * 2 >= fold->slots) {
        uint32_t *table = calloc(slots, sizeof *table);

        if (table == NULL)
            return false;
        for (uint32_t i = 0; i < fold->count; i++) {
            const struct row *row = &fold->rows[i];
            uint32_t slot = hash_key(row->client, row->indicator, row->hour) & (slots - 1);

            while (table[slot] != 0)
                slot = (slot + 1) & (slots - 1);
            table[slot] = i + 1;
        }
        free(fold->table);
        fold->table = table;
        fold->slots = slots;
    }
    return true;
}

/* The row of a key, or the free slot's place. */
static struct row *find_row(const struct sinkhole_fold *fold, uint32_t client, uint32_t indicator,
                            uint32_t hour, uint32_t *ret_slot)
{
    uint32_t slot = hash_key(client, indicator, hour) & (fold->slots - 1);

    for (; fold->table[slot] != 0; slot = (slot + 1) & (fold->slots - 1)) {
        struct row *row = &fold->rows[fold->table[slot] - 1];

        if (row->client == client && row->indicator == indicator && row->hour == hour)
            return row;
    }
    *ret_slot = slot;
    return NULL;
}

/* All of a row but its key and its sums. */
static bool fill_first(struct sinkhole_fold *fold, struct row *row,
                       const struct sinkhole_stored_hit *stored)
{
    const struct sinkhole_hit *hit = &stored->hit;

    row->generation = hit->generation;
    row->lane = stored->lane;
    row->rule = hit->rule;
    row->port = hit->port;
    row->qtype = hit->qtype;
    row->qclass = hit->qclass;
    row->transport = hit->transport;
    row->client_source = hit->client_source;
    row->action = hit->action;
    row->rcode = hit->rcode;
    row->flags = hit->flags;
    row->first_ms = hit->time_ms;
    if (sscanf(stored->id, "%" SCNu64 "-%" SCNu64, &row->id[0], &row->id[1]) != 2)
        row->id[0] = row->id[1] = 0;
    return intern_put(&fold->names, hit->qname.wire, hit->qname.wire_len, &row->qname) &&
           put_address(fold, &hit->answer, &row->answer) &&
           intern_put(&fold->resolvers, stored->resolver, strlen(stored->resolver), &row->resolver);
}

bool sinkhole_fold_add(struct sinkhole_fold *fold, const struct sinkhole_stored_hit *stored)
{
    const struct sinkhole_hit *hit = &stored->hit;
    struct sinkhole_prefix network;
    uint32_t client, indicator, hour = (uint32_t)(hit->time_ms / HOUR_MS), slot = 0;
    struct row *row;

    if (fold->only != NULL &&
        sinkhole_unit_file_owner(fold->units, &hit->client, &network) != fold->only)
        return true;
    fold->hits += hit->count;
    if (!put_address(fold, &hit->client, &client) ||
        !intern_put(&fold->names, hit->indicator.wire, hit->indicator.wire_len, &indicator) ||
        !grow(fold))
        return false;
    row = find_row(fold, client, indicator, hour, &slot);
    if (row == NULL) {
        row = &fold->rows[fold->count];
        memset(row, 0, sizeof *row);
        row->client = client;
        row->indicator = indicator;
        row->hour = hour;
        row->last_ms = hit->time_ms;
        if (!fill_first(fold, row, stored))
            return false;
        fold->table[slot] = ++fold->count;
    } else if (hit->time_ms < row->first_ms && !fill_first(fold, row, stored)) {
        return false; /* lanes come one after the other: the earliest may come later */
    }
    row->count += hit->count;
    if (hit->time_ms > row->last_ms)
        row->last_ms = hit->time_ms;
    return true;
}

/* --- order
 * ------------------------------------------------------------------------------------------ */

/* By family, then octets. */
static int compare_addresses(const void *a, const void *b, void *arg)
{
    size_t left_len, right_len;
    const uint8_t *left = intern_get(arg, *(const uint32_t *)a, &left_len);
    const uint8_t *right = intern_get(arg, *(const uint32_t *)b, &right_len);

    if (left_len != right_len)
        return left_len < right_len ? -1 : 1;
    return memcmp(left, right, left_len);
}

/* As people read: from the first label on. */
static int compare_names(const void *a, const void *b, void *arg)
{
    size_t left_len, right_len, least;
    const uint8_t *left = intern_get(arg, *(const uint32_t *)a, &left_len);
    const uint8_t *right = intern_get(arg, *(const uint32_t *)b, &right_len);
    int order;

    least = left_len < right_len ? left_len : right_len;
    order = memcmp(left + 1, right + 1, least - 1); /* at least the root label is there */
    if (order != 0)
        return order;
    return (left_len > right_len) - (left_len < right_len);
}

static uint32_t *ranks(struct intern *intern, int (*compare)(const void *, const void *, void *))
{
    uint32_t *sorted = malloc((intern->count + 1) * sizeof *sorted);
    uint32_t *rank = malloc((intern->count + 1) * sizeof *rank);

    if (sorted != NULL && rank != NULL) {
        for (uint32_t i = 0; i < intern->count; i++)
            sorted[i] = i;
        qsort_r(sorted, intern->count, sizeof *sorted, compare, intern);
        for (uint32_t i = 0; i < intern->count; i++)
            rank[sorted[i]] = i;
    } else {
        free(rank);
        rank = NULL;
    }
    free(sorted);
    return rank;
}

static struct owner *owners(const struct sinkhole_fold *fold)
{
    struct owner *all = calloc(fold->addresses.count + 1, sizeof *all);

    for (uint32_t i = 0; all != NULL && i < fold->addresses.count; i++) {
        struct sinkhole_address address;
        struct owner *owner = &all[i];

        get_address(fold, i, &address);
        owner->unit = sinkhole_unit_file_owner(fold->units, &address, &owner->network);
        owner->rank = owner->unit == NULL
                          ? UINT32_MAX
                          : (uint32_t)(owner->unit - sinkhole_unit_file_get(fold->units, 0));
    }
    return all;
}

/* A row's place in the order: unit and client, then indicator and hour. */
struct place {
    uint64_t where, what;
    uint32_t row;
};

static int compare_places(const void *a, const void *b)
{
    const struct place *left = a, *right = b;

    if (left->where != right->where)
        return left->where < right->where ? -1 : 1;
    return (left->what > right->what) - (left->what < right->what);
}

static void make_places(const struct sinkhole_fold *fold, struct place *places)
{
    for (uint32_t i = 0; i < fold->count; i++) {
        const struct row *row = &fold->rows[i];

        places[i].where =
            (uint64_t)fold->owners[row->client].rank << 32 | fold->address_rank[row->client];
        places[i].what = (uint64_t)fold->name_rank[row->indicator] << 32 | row->hour;
        places[i].row = i;
    }
}

bool sinkhole_fold_finish(struct sinkhole_fold *fold)
{
    struct place *places;
    struct row *sorted;
    bool good;

    free(fold->table); /* no more hits come */
    fold->table = NULL;
    fold->slots = 0;
    fold->address_rank = ranks(&fold->addresses, compare_addresses);
    fold->name_rank = ranks(&fold->names, compare_names);
    fold->owners = owners(fold);
    places = malloc((fold->count + 1) * sizeof *places);
    sorted = malloc((fold->count + 1) * sizeof *sorted);
    good = fold->address_rank != NULL && fold->name_rank != NULL && fold->owners != NULL &&
           places != NULL && sorted != NULL;
    if (good) {
        make_places(fold, places);
        qsort(places, fold->count, sizeof *places, compare_places);
    }
    for (uint32_t i = 0; good && i < fold->count; i++)
        sorted[i] = fold->rows[places[i].row];
    if (good) { /* rows are read in this order, several times over */
        free(fold->rows);
        fold->rows = sorted;
        sorted = NULL;
    }
    free(sorted);
    free(places);
    return good;
}

size_t sinkhole_fold_count(const struct sinkhole_fold *fold)
{
    return fold->count;
}

uint64_t sinkhole_fold_hits(const struct sinkhole_fold *fold)
{
    return fold->hits;
}

/* Rows lie by client and indicator: most of a row is what the row before had. */
static void show_names(struct sinkhole_fold *fold, const struct row *row)
{
    struct sinkhole_hit *hit = &fold->hit;
    const struct row *shown = fold->shown;
    size_t len;
    const uint8_t *text;

    if (shown == NULL || shown->client != row->client)
        get_address(fold, row->client, &hit->client);
    if (shown == NULL || shown->answer != row->answer)
        get_address(fold, row->answer, &hit->answer);
    if (shown == NULL || shown->indicator != row->indicator)
        get_name(fold, row->indicator, &hit->indicator);
    if (shown == NULL || shown->qname != row->qname)
        get_name(fold, row->qname, &hit->qname);
    if (shown == NULL || shown->resolver != row->resolver) {
        text = intern_get(&fold->resolvers, row->resolver, &len);
        memcpy(fold->resolver, text, len);
        fold->resolver[len] = '\0';
    }
    fold->shown = row;
}

void sinkhole_fold_row(struct sinkhole_fold *fold, size_t i, struct sinkhole_report_row *ret_row)
{
    const struct row *row = &fold->rows[i];
    struct sinkhole_hit *hit = &fold->hit;
    char *entry;

    show_names(fold, row);
    entry = report_put_number(fold->entry, row->id[0]);
    *entry++ = '-';
    *report_put_number(entry, row->id[1]) = '\0';
    hit->time_ms = row->first_ms;
    hit->count = row->count > UINT32_MAX ? UINT32_MAX : (uint32_t)row->count;
    hit->rule = row->rule;
    hit->generation = row->generation;
    hit->port = row->port;
    hit->qtype = row->qtype;
    hit->qclass = row->qclass;
    hit->transport = row->transport;
    hit->client_source = row->client_source;
    hit->action = row->action;
    hit->rcode = row->rcode;
    hit->flags = row->flags;
    *ret_row = (struct sinkhole_report_row){.hit = hit,
                                            .resolver = fold->resolver,
                                            .id = fold->entry,
                                            .lane = row->lane,
                                            .first_ms = row->first_ms,
                                            .last_ms = row->last_ms,
                                            .count = row->count,
                                            .unit = fold->owners[row->client].unit,
                                            .network = fold->owners[row->client].network};
}

const struct sinkhole_unit *sinkhole_fold_unit(const struct sinkhole_fold *fold, size_t i)
{
    return fold->owners[fold->rows[i].client].unit;
}
