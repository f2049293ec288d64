/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Thousands of random generations with hundreds of compactions, against a model in memory; a
 * follower that reads the log alone proves each of them, and starts over only when it is told to.
 */
#include "tests/store/redis_help.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/list_codec.h"

#define NAMES 3000
#define RULES 4
#define GENERATIONS 4000

static struct redis redis;
static struct sinkhole_store *store;
static uint8_t model[NAMES]; /* bit per rule: listed */
static uint64_t listed;
static uint32_t ids[RULES];
static char keys[NAMES][32]; /* ascending */
static uint32_t seed;

static uint32_t draw(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)seed * below >> 32);
}

/* --- a follower of the log, with nothing else than the codec --- */

struct follower {
    struct sinkhole_list_follower at;
    struct sinkhole_list_decoder *decoder;
    struct sinkhole_overlay *net;
    uint8_t key[SINKHOLE_DIGEST_KEY_LEN];
    unsigned starts, generations;
};

static void read_root(struct sinkhole_list_root *root)
{
    redisReply *reply = redis_do(&redis, "HGETALL sinkhole:{bl}:head");

    *root = (struct sinkhole_list_root){0};
    for (size_t i = 0; i < reply->elements; i += 2)
        assert_int_equal(sinkhole_list_root_set(root, reply->element[i]->str,
                                                reply->element[i]->len, reply->element[i + 1]->str,
                                                reply->element[i + 1]->len),
                         SINKHOLE_CODEC_OK);
    assert_int_equal(sinkhole_list_root_check(root), SINKHOLE_CODEC_OK);
    freeReplyObject(reply);
}

/* Head and chunks; the snapshot's count and digest are proved. */
static void start_over(struct follower *follower)
{
    struct sinkhole_digest digest = {0};
    struct sinkhole_list_root root;
    struct sinkhole_list_line line;
    uint64_t lines = 0;

    read_root(&root);
    sinkhole_list_decoder_reset(follower->decoder, SINKHOLE_LIST_CHUNK);
    for (unsigned n = 0; n < root.chunks; n++) {
        redisReply *reply =
            redis_do(&redis, "GET sinkhole:{bl}:chunk:%s:%u", root.snapshot_name, n);

        assert_int_equal(reply->type, REDIS_REPLY_STRING);
        assert_int_equal(sinkhole_list_decoder_open(follower->decoder, reply->str, reply->len), 0);
        while (sinkhole_list_decoder_next(follower->decoder, &line) == SINKHOLE_CODEC_OK) {
            sinkhole_digest_add(&digest, follower->key, line.text, line.text_len);
            lines++;
        }
        freeReplyObject(reply);
    }
    assert_int_equal(lines, root.snapshot_entries);
    assert_memory_equal(&digest, root.snapshot_digest, sizeof(digest));
    sinkhole_overlay_clear(follower->net);
    sinkhole_list_follow_start(&follower->at, &root, follower->key);
    follower->starts++;
}

static enum sinkhole_codec_status take_entry(struct follower *follower, const redisReply *reply)
{
    const redisReply *fields = reply->element[1];
    struct sinkhole_log_entry entry = {0};
    enum sinkhole_codec_status status;
    bool whole;

    assert_int_equal(sinkhole_log_entry_id(&entry, reply->element[0]->str, reply->element[0]->len),
                     0);
    for (size_t i = 0; i < fields->elements; i += 2)
        assert_int_equal(
            sinkhole_log_entry_set(&entry, fields->element[i]->str, fields->element[i]->len,
                                   fields->element[i + 1]->str, fields->element[i + 1]->len),
            0);
    status = sinkhole_list_follow(&follower->at, follower->decoder, &entry, follower->net, &whole);
    follower->generations += whole;
    return status;
}

/* Told so, or lagging so far that the log has been trimmed over its head. */
static bool must_start_over(const struct follower *follower, enum sinkhole_codec_status status)
{
    struct sinkhole_list_root root;

    read_root(&root);
    return status == SINKHOLE_CODEC_SNAPSHOT ||
           (status == SINKHOLE_CODEC_GAP && root.head.snapshot > follower->at.generation);
}

/* To the log's end. */
static void catch_up(struct follower *follower)
{
    redisReply *reply =
        redis_do(&redis, "XREAD STREAMS sinkhole:{bl}:log %llu-%s",
                 (unsigned long long)follower->at.generation, "18446744073709551615");

    for (size_t i = 0; reply->elements > 0 && i < reply->element[0]->element[1]->elements; i++) {
        enum sinkhole_codec_status status =
            take_entry(follower, reply->element[0]->element[1]->element[i]);

        if (status != SINKHOLE_CODEC_OK && must_start_over(follower, status)) {
            freeReplyObject(reply);
            start_over(follower);
            catch_up(follower);
            return;
        }
        assert_int_equal(status, SINKHOLE_CODEC_OK);
    }
    freeReplyObject(reply);
    assert_int_equal(sinkhole_overlay_settle(follower->net), SINKHOLE_CODEC_OK);
    assert_int_equal(follower->at.entries, listed);
}

/* --- the model --- */

static bool compare_line(void *arg, const char *key, size_t key_len, const uint32_t *got,
                         size_t count)
{
    size_t *at = arg, n = 0;

    while (*at < NAMES && model[*at] == 0)
        ++*at;
    assert_true(*at < NAMES);
    assert_int_equal(key_len, strlen(keys[*at]));
    assert_memory_equal(key, keys[*at], key_len);
    for (unsigned rule = 0; rule < RULES; rule++) {
        if (model[*at] & (1u << rule))
            assert_int_equal(got[n++], ids[rule]);
    }
    assert_int_equal(n, count);
    ++*at;
    return true;
}

static void compare_list(void)
{
    struct sinkhole_list_head head;
    size_t at = 0;

    assert_store(store, sinkhole_list_read(store, &head, compare_line, &at), SINKHOLE_STORE_OK);
    while (at < NAMES && model[at] == 0)
        at++;
    assert_int_equal(at, NAMES);
    assert_int_equal(head.entries, listed);
}

/* Turns random lines; never the same one twice in a change. */
static void publish_random(uint32_t lines)
{
    uint8_t touched[NAMES] = {0};
    struct sinkhole_change *change;
    uint64_t generation;

    assert_store(store, sinkhole_change_new(store, "ais", &change), SINKHOLE_STORE_OK);
    for (uint32_t i = 0; i < lines; i++) {
        uint32_t name = draw(NAMES), rule = draw(RULES);

        if (touched[name] & (1u << rule))
            continue;
        touched[name] |= (uint8_t)(1u << rule);
        if (model[name] & (1u << rule))
            sinkhole_change_remove(change, keys[name], strlen(keys[name]), ids[rule]);
        else
            sinkhole_change_add(change, keys[name], strlen(keys[name]), ids[rule]);
        listed += model[name] & (1u << rule) ? UINT64_MAX : 1;
        model[name] ^= (uint8_t)(1u << rule);
    }
    assert_store(store, sinkhole_change_publish(change, NULL, NULL, &generation),
                 SINKHOLE_STORE_OK);
    sinkhole_change_free(change);
}

static void begin_list(void)
{
    struct sinkhole_change *change;
    struct sinkhole_batch batch = {0};
    uint64_t generation;

    for (unsigned i = 0; i < NAMES; i++)
        snprintf(keys[i], sizeof(keys[i]), i % 3 == 0 ? "com n%05u" : "com n%05u www", i / 3 * 3);
    for (unsigned i = 0; i < NAMES; i++) /* distinct: "www", "www2" below one parent */
        if (i % 3 == 2)
            snprintf(keys[i], sizeof(keys[i]), "com n%05u www2", i / 3 * 3);
    put_feed(store, "ais");
    assert_store(store, sinkhole_change_new(store, "ais", &change), SINKHOLE_STORE_OK);
    for (unsigned rule = 0; rule < RULES; rule++) {
        assert_store(store, sinkhole_change_batch(change, &batch), SINKHOLE_STORE_OK);
        ids[rule] = batch.rule.id;
    }
    assert_store(store, sinkhole_change_publish(change, NULL, NULL, &generation),
                 SINKHOLE_STORE_OK);
    sinkhole_change_free(change);
}

static void every_generation_is_followed_and_proved(void **state)
{
    struct follower follower = {.decoder = sinkhole_list_decoder_new(),
                                .net = sinkhole_overlay_new(1u << 28)};
    redisReply *key;
    unsigned snapshots = 0;
    struct sinkhole_list_root root;
    uint64_t last = 0;

    (void)state;
    seed = 20191231;
    begin_list();
    key = redis_do(&redis, "GET sinkhole:{bl}:digestkey");
    assert_int_equal(key->len, sizeof(follower.key));
    memcpy(follower.key, key->str, sizeof(follower.key));
    freeReplyObject(key);
    start_over(&follower);
    for (unsigned i = 0; i < GENERATIONS; i++) {
        publish_random(i % 400 == 0 ? 4000 : draw(160));
        if (draw(4) == 0) /* the follower may lag */
            catch_up(&follower);
        if (i % 200 == 0)
            compare_list();
        read_root(&root);
        snapshots += root.head.snapshot != last;
        last = root.head.snapshot;
    }
    catch_up(&follower);
    compare_list();
    assert_int_equal(follower.at.generation, GENERATIONS + 2);
    print_message("%u generations followed, %u snapshots, %u starts, %llu lines listed\n",
                  follower.generations, snapshots, follower.starts, (unsigned long long)listed);
    assert_true(snapshots >= 200);
    sinkhole_list_decoder_free(follower.decoder);
    sinkhole_overlay_free(follower.net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_generation_is_followed_and_proved)};
    int failed;

    if (!redis_available())
        return 77;
    redis_start(&redis, NULL);
    store = sinkhole_store_new(&redis.settings);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    sinkhole_store_free(store);
    redis_stop(&redis);
    return failed;
}
