/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Puts a small list of feeds, letters, exceptions and an alarm into the Redis of a settings file,
 * for the tests of the commands.
 *
 * Threads: one. Memory: freed at exit.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sinkhole/blocklist.h"
#include "sinkhole/clock.h"
#include "sinkhole/text.h"

static const struct {
    const char *feed, *name;
    enum sinkhole_scope scope;
    enum sinkhole_action action;
    int64_t lasts_s; /* from now; 0: no end */
} entries[] = {
    {"authority", "evil.example", SINKHOLE_SCOPE_SUBTREE, SINKHOLE_ACTION_INHERIT, 0},
    {"authority", "only.example", SINKHOLE_SCOPE_EXACT, SINKHOLE_ACTION_NXDOMAIN, 0},
    {"authority", "past.example", SINKHOLE_SCOPE_SUBTREE, SINKHOLE_ACTION_INHERIT, -3600},
    {"authority", "thủđô.vn", SINKHOLE_SCOPE_SUBTREE, SINKHOLE_ACTION_INHERIT, 0},
    {"watch", "evil.example", SINKHOLE_SCOPE_SUBTREE, SINKHOLE_ACTION_INHERIT, 0},
    {"watch", "odd.example", SINKHOLE_SCOPE_SUBTREE, SINKHOLE_ACTION_INHERIT, 0},
    {"watch", "deep.a.evil.example", SINKHOLE_SCOPE_BELOW, SINKHOLE_ACTION_DROP, 0},
    {"allow", "good.evil.example", SINKHOLE_SCOPE_SUBTREE, SINKHOLE_ACTION_INHERIT, 86400},
    {"allow", "gone.evil.example", SINKHOLE_SCOPE_SUBTREE, SINKHOLE_ACTION_INHERIT, -60},
};
#define ENTRIES (sizeof entries / sizeof *entries)

static struct sinkhole_store *store;

static void need(enum sinkhole_store_status status, const char *what)
{
    if (status == SINKHOLE_STORE_OK)
        return;
    fprintf(stderr, "seed: %s: %s: %s\n", what, sinkhole_store_status_text(status),
            sinkhole_store_error(store));
    exit(1);
}

static void put_feed(const char *name, const char *title, uint8_t kind, uint8_t action,
                     uint16_t rank)
{
    struct sinkhole_feed feed = {.policy = {.kind = kind,
                                            .action = action,
                                            .rank = rank,
                                            .ttl_s = 10,
                                            .ede_code = 16,
                                            .has_v4 = 1,
                                            .v4 = {192, 0, 2, 1}}};

    snprintf(feed.policy.feed, sizeof feed.policy.feed, "%s", name);
    snprintf(feed.policy.ede_text, sizeof feed.policy.ede_text, "listed");
    snprintf(feed.title, sizeof feed.title, "%s", title);
    need(sinkhole_feed_put(store, &feed), name);
}

static void publish(const char *feed)
{
    struct sinkhole_change *change = NULL;
    uint64_t generation = 0;

    need(sinkhole_change_new(store, feed, &change), feed);
    for (size_t i = 0; i < ENTRIES; i++) {
        struct sinkhole_batch batch = {.rule = {.scope = (uint8_t)entries[i].scope,
                                                .action = (uint8_t)entries[i].action,
                                                .severity = 3,
                                                .confidence = 90}};
        struct sinkhole_name name;
        struct sinkhole_key key;

        if (strcmp(entries[i].feed, feed) != 0)
            continue;
        if (entries[i].lasts_s != 0)
            batch.rule.valid_until = sinkhole_now_ms() / 1000 + entries[i].lasts_s;
        snprintf(batch.feed, sizeof batch.feed, "%s", feed);
        snprintf(batch.reference, sizeof batch.reference, "799/BTTTT-CATTT");
        snprintf(batch.issuer, sizeof batch.issuer, "Cục \033[31mATTT");
        snprintf(batch.issued, sizeof batch.issued, "2019-12-31");
        snprintf(batch.received, sizeof batch.received, "2020-01-03");
        snprintf(batch.who, sizeof batch.who, "an");
        snprintf(batch.remark, sizeof batch.remark, "a remark");
        snprintf(batch.family, sizeof batch.family, "OceanLotus");
        need(sinkhole_change_batch(change, &batch), "batch");
        if (sinkhole_text_name(entries[i].name, strlen(entries[i].name), &name) !=
                SINKHOLE_NAME_OK ||
            !sinkhole_key_from_name(&name, &key))
            exit(2);
        need(sinkhole_change_add(change, key.text, key.len, batch.rule.id), entries[i].name);
    }
    need(sinkhole_change_publish(change, NULL, NULL, &generation), "publish");
    sinkhole_change_free(change);
}

int main(int argc, char **argv)
{
    char error[SINKHOLE_SETTINGS_ERROR_MAX] = "";
    struct sinkhole_settings *settings = sinkhole_settings_load(argc > 1 ? argv[1] : NULL, error);
    struct sinkhole_alarm alarm = {.code = "test-alarm",
                                   .source = "seed",
                                   .text = "something \033[5mhappened",
                                   .severity = SINKHOLE_ALARM};

    if (settings == NULL) {
        fprintf(stderr, "seed: %s\n", error);
        return 1;
    }
    store = sinkhole_store_new(settings);
    put_feed("authority", "Danh sách của Cục", SINKHOLE_FEED_AUTHORITY, SINKHOLE_ACTION_ADDRESS,
             500);
    put_feed("watch", "Watched", SINKHOLE_FEED_BLOCK, SINKHOLE_ACTION_MONITOR, 100);
    put_feed("allow", "Exceptions", SINKHOLE_FEED_ALLOW, SINKHOLE_ACTION_ALLOW, 1000);
    publish("authority");
    publish("watch");
    publish("allow");
    alarm.time_ms = sinkhole_now_ms();
    need(sinkhole_alarm_raise(store, &alarm), "alarm");
    sinkhole_store_free(store);
    sinkhole_settings_free(settings);
    return 0;
}
