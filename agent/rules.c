/* SPDX-License-Identifier: BSD-3-Clause */
/* Feeds and batches made into rows. Threads and memory: see rules.h. */
#include "agent/rules.h"

#include <stdlib.h>
#include <string.h>

#include "agent/canary.h"
#include "store/list_json.h"

struct agent_rules_text {
    size_t feed_count, batch_count; /* pairs */
    size_t lens[];                  /* of each text, feeds first; the octets follow */
};

static bool rules_add_sizes(const redisReply *hash, size_t *texts, size_t *octets)
{
    if (hash->type != REDIS_REPLY_ARRAY || hash->elements % 2 != 0)
        return false;
    for (size_t i = 0; i < hash->elements; i++) {
        if (hash->element[i]->type != REDIS_REPLY_STRING)
            return false;
        *octets += hash->element[i]->len;
    }
    *texts += hash->elements;
    return *octets <= AGENT_RULES_TEXT_MAX;
}

static char *rules_copy(const redisReply *hash, size_t *lens, char *to)
{
    for (size_t i = 0; i < hash->elements; i++) {
        lens[i] = hash->element[i]->len;
        memcpy(to, hash->element[i]->str, lens[i]);
        to += lens[i];
    }
    return to;
}

struct agent_rules_text *agent_rules_text_new(const redisReply *feeds, const redisReply *batches)
{
    size_t texts = 0, octets = 0;
    struct agent_rules_text *text;
    char *to;

    if (!rules_add_sizes(feeds, &texts, &octets) || !rules_add_sizes(batches, &texts, &octets) ||
        feeds->elements / 2 >= AGENT_POLICIES_MAX || batches->elements / 2 >= AGENT_RULES_MAX)
        return NULL;
    text = malloc(sizeof(*text) + texts * sizeof(text->lens[0]) + octets);
    if (text == NULL)
        return NULL;
    text->feed_count = feeds->elements / 2;
    text->batch_count = batches->elements / 2;
    to = rules_copy(feeds, text->lens, (char *)(text->lens + texts));
    rules_copy(batches, text->lens + feeds->elements, to);
    return text;
}

void agent_rules_text_free(struct agent_rules_text *text)
{
    free(text);
}

static int rules_compare_policy(const void *a, const void *b)
{
    const struct sinkhole_policy *left = a, *right = b;

    return strcmp(left->feed, right->feed);
}

static int rules_compare_rule(const void *a, const void *b)
{
    const struct sinkhole_rule *left = a, *right = b;

    return left->id < right->id ? -1 : left->id > right->id;
}

/* Octets of the pairs' texts are taken in order from *from. */
static void rules_take_feeds(const struct agent_rules_text *text, struct agent_rules *rules,
                             const char **from)
{
    const size_t *lens = text->lens;
    struct sinkhole_feed feed;

    for (size_t i = 0; i < text->feed_count; i++, lens += 2) {
        if (sinkhole_feed_from_json(*from, lens[0], *from + lens[0], lens[1], &feed) &&
            strcmp(feed.policy.feed, AGENT_CANARY_FEED) != 0)
            rules->policies[rules->policy_count++] = feed.policy;
        else
            rules->refused++;
        *from += lens[0] + lens[1];
    }
    qsort(rules->policies, rules->policy_count, sizeof(rules->policies[0]), rules_compare_policy);
}

static void rules_take_batches(const struct agent_rules_text *text, struct agent_rules *rules,
                               const char *from)
{
    const size_t *lens = text->lens + 2 * text->feed_count;
    const struct sinkhole_policy *policy;
    struct sinkhole_policy key = {0};
    struct sinkhole_batch batch;

    for (size_t i = 0; i < text->batch_count; i++, lens += 2) {
        policy = NULL;
        if (sinkhole_batch_from_json(from, lens[0], from + lens[0], lens[1], &batch)) {
            memcpy(key.feed, batch.feed, sizeof(key.feed));
            policy = bsearch(&key, rules->policies, rules->policy_count, sizeof(rules->policies[0]),
                             rules_compare_policy);
        }
        if (policy != NULL && batch.rule.id < SINKHOLE_RULE_CANARY) {
            batch.rule.feed = (uint16_t)(policy - rules->policies);
            memset(batch.rule.pad, 0, sizeof(batch.rule.pad));
            rules->rules[rules->rule_count++] = batch.rule;
        } else {
            rules->refused++;
        }
        from += lens[0] + lens[1];
    }
    qsort(rules->rules, rules->rule_count, sizeof(rules->rules[0]), rules_compare_rule);
}

bool agent_rules_make(const struct agent_rules_text *text, struct agent_rules *ret_rules)
{
    const char *from = (const char *)(text->lens + 2 * (text->feed_count + text->batch_count));
    struct agent_rules rules = {
        .rules = calloc(text->batch_count + 1, sizeof(rules.rules[0])),
        .policies = calloc(text->feed_count + 1, sizeof(rules.policies[0])),
    };

    if (rules.rules == NULL || rules.policies == NULL) {
        agent_rules_done(&rules);
        return false;
    }
    rules_take_feeds(text, &rules, &from);
    rules_take_batches(text, &rules, from);
    agent_canary_policy(&rules.policies[rules.policy_count]);
    agent_canary_rule((uint16_t)rules.policy_count, &rules.rules[rules.rule_count]);
    rules.policy_count++;
    rules.rule_count++;
    *ret_rules = rules;
    return true;
}

void agent_rules_done(struct agent_rules *rules)
{
    free(rules->rules);
    free(rules->policies);
    *rules = (struct agent_rules){0};
}
