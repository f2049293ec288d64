/* SPDX-License-Identifier: BSD-3-Clause */
/* A small list that speaks as Redis does. Threads and memory: see model.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sinkhole/index.h"
#include "store/list_json.h"
#include "tests/agent/model.h"

/* Two hashes as hiredis gives them. */
static redisReply *model_hash(char **texts, size_t count)
{
    redisReply *reply = calloc(1, sizeof(*reply));

    reply->type = REDIS_REPLY_ARRAY;
    reply->elements = count;
    reply->element = calloc(count, sizeof(reply->element[0]));
    for (size_t i = 0; i < count; i++) {
        reply->element[i] = calloc(1, sizeof(redisReply));
        reply->element[i]->type = REDIS_REPLY_STRING;
        reply->element[i]->str = texts[i];
        reply->element[i]->len = strlen(texts[i]);
    }
    return reply;
}

static void model_rules(struct model *model)
{
    struct sinkhole_feed feed = {.policy = {.feed = "test",
                                            .action = SINKHOLE_ACTION_NXDOMAIN,
                                            .rank = 100,
                                            .ttl_s = 10,
                                            .ede_code = 15}};
    char *feeds[2] = {strdup("test"), sinkhole_feed_to_json(&feed)};
    char *batches[2 * MODEL_IDS];
    redisReply *feed_reply, *batch_reply;

    for (uint32_t id = 1; id <= MODEL_IDS; id++) {
        struct sinkhole_batch batch = {.rule = {.id = id, .scope = SINKHOLE_SCOPE_SUBTREE},
                                       .feed = "test"};
        char text[16];

        snprintf(text, sizeof(text), "%u", (unsigned)id);
        batches[2 * (id - 1)] = strdup(text);
        batches[2 * (id - 1) + 1] = sinkhole_batch_to_json(&batch);
    }
    feed_reply = model_hash(feeds, 2);
    batch_reply = model_hash(batches, (size_t)2 * MODEL_IDS);
    model->text = agent_rules_text_new(feed_reply, batch_reply);
    assert_non_null(model->text);
    freeReplyObject(feed_reply);
    freeReplyObject(batch_reply);
}

void model_init(struct model *model, unsigned seed)
{
    memset(model, 0, sizeof(*model));
    model->seed = seed;
    memcpy(model->key, "0123456789abcdef", sizeof(model->key));
    model_rules(model);
}

void model_done(struct model *model)
{
    agent_rules_text_free(model->text);
}

size_t model_key(unsigned n, char key[64])
{
    return (size_t)snprintf(key, 64, "example n%03u", n);
}

static uint32_t model_random(struct model *model, uint32_t below)
{
    return (uint32_t)rand_r(&model->seed) % below;
}

static void model_value(struct model *model, struct sinkhole_list_encoder *encoder)
{
    const void *data;

    assert_int_equal(sinkhole_list_encoder_finish(encoder, &data, &model->value_len),
                     SINKHOLE_CODEC_OK);
    assert_true(model->value_len <= sizeof(model->value));
    memcpy(model->value, data, model->value_len);
    sinkhole_list_encoder_free(encoder);
}

void model_snapshot(struct model *model)
{
    struct sinkhole_list_encoder *encoder = sinkhole_list_encoder_new(SINKHOLE_LIST_CHUNK);
    struct sinkhole_list_root *root = &model->root;
    char key[64];

    for (unsigned n = 0; n < MODEL_NAMES; n++) {
        size_t len = model_key(n, key);

        for (uint32_t id = 1; id <= MODEL_IDS; id++) {
            if (model->listed[n][id])
                assert_int_equal(sinkhole_list_encoder_add(encoder, key, len, id, false),
                                 SINKHOLE_CODEC_OK);
        }
    }
    model_value(model, encoder);
    root->head.snapshot = root->head.generation;
    root->snapshot_entries = root->head.entries;
    memcpy(root->snapshot_digest, root->head.digest, sizeof(root->snapshot_digest));
    root->chunks = 1;
    snprintf(root->snapshot_name, sizeof(root->snapshot_name), "%llu-00000000",
             (unsigned long long)root->head.generation);
}

static void model_flip(struct model *model, struct sinkhole_list_encoder *encoder, unsigned n,
                       uint32_t id)
{
    bool remove = model->listed[n][id];
    char key[64], line[80];
    size_t len = model_key(n, key);
    size_t line_len = (size_t)snprintf(line, sizeof(line), "%s\t%u", key, (unsigned)id);

    assert_int_equal(sinkhole_list_encoder_add(encoder, key, len, id, remove), SINKHOLE_CODEC_OK);
    if (remove)
        sinkhole_digest_subtract(&model->digest, model->key, line, line_len);
    else
        sinkhole_digest_add(&model->digest, model->key, line, line_len);
    model->listed[n][id] = !remove;
    model->root.head.entries += remove ? (uint64_t)-1 : 1;
}

static void model_field(struct sinkhole_log_entry *entry, const char *field, const char *value)
{
    assert_int_equal(sinkhole_log_entry_set(entry, field, strlen(field), value, strlen(value)),
                     SINKHOLE_CODEC_OK);
}

/* The entry as it is read from the stream, field by field. */
static void model_entry(const struct model *model, struct sinkhole_log_entry *ret_entry)
{
    const struct sinkhole_list_head *head = &model->root.head;
    char text[64], *id = text;

    *ret_entry = (struct sinkhole_log_entry){0};
    snprintf(text, sizeof(text), "%llu-1", (unsigned long long)head->generation);
    assert_int_equal(sinkhole_log_entry_id(ret_entry, id, strlen(id)), SINKHOLE_CODEC_OK);
    assert_int_equal(
        sinkhole_log_entry_set(ret_entry, "z", 1, (const char *)model->value, model->value_len),
        SINKHOLE_CODEC_OK);
    snprintf(text, sizeof(text), "%llu", (unsigned long long)head->entries);
    model_field(ret_entry, "entries", text);
    for (size_t i = 0; i < SINKHOLE_DIGEST_LEN; i++)
        snprintf(text + 2 * i, 3, "%02x", head->digest[i]);
    model_field(ret_entry, "digest", text);
    model_field(ret_entry, "parts", "1");
    model_field(ret_entry, "meta", "1");
}

void model_change(struct model *model, unsigned most, struct sinkhole_log_entry *ret_entry)
{
    struct sinkhole_list_encoder *encoder = sinkhole_list_encoder_new(SINKHOLE_LIST_PART);
    struct sinkhole_list_head *head = &model->root.head;
    uint32_t chance = MODEL_NAMES * MODEL_IDS / most;

    for (unsigned n = 0; n < MODEL_NAMES; n++) {
        for (uint32_t id = 1; id <= MODEL_IDS; id++) {
            if (model_random(model, chance) == 0)
                model_flip(model, encoder, n, id);
        }
    }
    model_value(model, encoder);
    head->generation++;
    sinkhole_digest_octets(&model->digest, head->digest);
    model_entry(model, ret_entry);
}

struct model_walk {
    const struct model *model;
    uint64_t entries;
    bool canary;
};

static bool model_visit(void *arg, const char *key, size_t key_len, const uint32_t *ids,
                        size_t count)
{
    struct model_walk *walk = arg;
    unsigned n = 0;

    if (count == 1 && ids[0] == SINKHOLE_RULE_CANARY) {
        walk->canary = true;
        return true;
    }
    assert_int_equal(key_len, 12);
    assert_int_equal(sscanf(key, "example n%3u", &n), 1);
    for (size_t i = 0; i < count; i++) {
        assert_in_range(ids[i], 1, MODEL_IDS);
        assert_true(walk->model->listed[n][ids[i]]);
    }
    walk->entries += count;
    return true;
}

void model_assert_index(const struct model *model, const char *dir)
{
    struct model_walk walk = {model, 0, false};
    struct sinkhole_index_info info;
    struct sinkhole_index *index = NULL;

    assert_int_equal(sinkhole_index_open(dir, &index), SINKHOLE_INDEX_OK);
    sinkhole_index_info(index, &info);
    assert_int_equal(info.generation, model->root.head.generation);
    assert_int_equal(info.entries, model->root.head.entries);
    assert_memory_equal(info.digest, model->root.head.digest, SINKHOLE_DIGEST_LEN);
    assert_true(sinkhole_index_walk(index, SINKHOLE_INDEX_WHOLE, model_visit, &walk));
    assert_int_equal(walk.entries, model->root.head.entries);
    assert_true(walk.canary);
    assert_int_equal(info.rules, MODEL_IDS + 1);
    sinkhole_index_close(index);
}
