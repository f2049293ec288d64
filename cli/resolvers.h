/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What each resolver's agent tells of itself, from Redis or from this machine's folder, and what is
 * wrong with it.
 *
 * Threads: one. Memory: RESOLVERS_MAX resolvers of RESOLVER_FIELDS_MAX short fields.
 */
#ifndef SINKHOLE_CLI_RESOLVERS_H
#define SINKHOLE_CLI_RESOLVERS_H

#include <jansson.h>

#include "sinkhole/blocklist.h"
#include "sinkhole/hits.h"

#define RESOLVERS_MAX 1000
#define RESOLVER_SILENT_MS 15000          /* an agent writes every 2 s */
#define RESOLVER_GONE_MS (7 * 86400000LL) /* silent for so long: taken down, no fault any more */
#define RESOLVER_CATCH_UP_MS 5000 /* after a publication a resolver may be behind this long */

struct resolvers {
    json_t *all; /* name -> {field: text} */
    struct sinkhole_list_head head;
    bool head_known;
};
bool resolvers_init(struct resolvers *resolvers); /* false: no memory */
void resolvers_done(struct resolvers *resolvers);
/* From Redis, with the head. */
enum sinkhole_store_status resolvers_load(struct resolvers *resolvers,
                                          struct sinkhole_store *store);
/* This machine's own, from DIR/agent/status.json. False: not there or no JSON. */
bool resolvers_load_file(struct resolvers *resolvers, const char *dir);

const char *resolver_text(const json_t *resolver, const char *field); /* "" when not there */
bool resolver_number(const json_t *resolver, const char *field, int64_t *ret_number);
bool resolver_is_gone(const json_t *resolver, int64_t now_ms);
/* Sentences about what is wrong, into a JSON array. */
json_t *resolver_faults(const struct resolvers *resolvers, const json_t *resolver, int64_t now_ms);
/* What it enforces: the module's own number where there is one, else the agent's; false: not known.
 */
bool resolver_generation(const json_t *resolver, int64_t *ret_generation);
/* 1 agrees, 0 differs, -1: cannot be told (another generation). */
int resolver_digest_agrees(const struct resolvers *resolvers, const json_t *resolver);

#endif
