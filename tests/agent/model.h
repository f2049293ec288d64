/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A small list in memory that speaks as Redis does: snapshot chunks, log entries, feeds and
 * batches. Threads: one. Memory: freed by model_done.
 */
#ifndef TESTS_AGENT_MODEL_H
#define TESTS_AGENT_MODEL_H

#include "agent/build.h"
#include "store/list_codec.h"

#define MODEL_NAMES 400
#define MODEL_IDS 4 /* rule ids 1..4 */

struct model {
    bool listed[MODEL_NAMES][MODEL_IDS + 1];
    struct sinkhole_list_root root; /* head: the state of now; snapshot: the last model_snapshot */
    struct sinkhole_digest digest;
    uint8_t key[SINKHOLE_DIGEST_KEY_LEN];
    struct agent_rules_text *text;
    uint8_t value[1 << 20]; /* last chunk or part */
    size_t value_len;
    unsigned seed;
};

void model_init(struct model *model, unsigned seed);
void model_done(struct model *model);
/* Key of name number n; ascending in n. */
size_t model_key(unsigned n, char key[64]);
/* The whole list as one chunk in ->value; the root names it. */
void model_snapshot(struct model *model);
/* One generation of up to `most` changed lines; `ret_entry` points into ->value. */
void model_change(struct model *model, unsigned most, struct sinkhole_log_entry *ret_entry);
/* The folder's index is just this list (and the canary). */
void model_assert_index(const struct model *model, const char *dir);

#endif
