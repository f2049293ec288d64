/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a listed name means: rules and feed policies, as they cross from Redis to the index.
 *
 * A *rule* is the set of attributes that many names of one import share (a batch in Redis has one
 * rule, or one for each distinct scope/action/expiry in it). A listed name carries rule ids, one
 * for each feed that lists it. A *policy* belongs to a feed. Both stand in the index's head, so
 * that a change of either needs no new base.
 *
 * Threads: values. Memory: fixed size, no pointers.
 */
#ifndef SINKHOLE_RULE_H
#define SINKHOLE_RULE_H

#include <stdint.h>

/* Which names an entry covers. */
enum sinkhole_scope {
    SINKHOLE_SCOPE_EXACT = 0,   /* the name alone */
    SINKHOLE_SCOPE_BELOW = 1,   /* every name under it, not itself (RPZ "*.name") */
    SINKHOLE_SCOPE_SUBTREE = 2, /* both */
};

/* What is done, in rising order of strictness: the higher value wins between feeds of one rank
 * that list the same name. ALLOW is an exception and wins over all. */
enum sinkhole_action {
    SINKHOLE_ACTION_INHERIT = 0,  /* rule only: as the feed's policy says */
    SINKHOLE_ACTION_MONITOR = 1,  /* resolve, and record who asked */
    SINKHOLE_ACTION_TCP_ONLY = 2, /* reserved */
    SINKHOLE_ACTION_ADDRESS = 3,  /* A and AAAA with the sinkhole's addresses */
    SINKHOLE_ACTION_NODATA = 4,
    SINKHOLE_ACTION_NXDOMAIN = 5, /* NODATA at an exact entry (RFC 8020) */
    SINKHOLE_ACTION_DROP = 6,     /* no answer; recorded */
    SINKHOLE_ACTION_ALLOW = 7,    /* exception */
};

enum sinkhole_feed_kind {
    SINKHOLE_FEED_BLOCK = 0,
    SINKHOLE_FEED_ALLOW = 1,     /* the feed "allow": exceptions */
    SINKHOLE_FEED_AUTHORITY = 2, /* lists of the national authority */
};

#define SINKHOLE_FEED_NAME_MAX 31 /* a-z 0-9 - _ , first a letter */
#define SINKHOLE_EDE_TEXT_MAX 127 /* octets of UTF-8 */

/* The rule of the canary, which each agent adds to its own index: it stands in no list, and its
 * look-ups are no hits of anybody (kept out of Redis, skipped by whoever reads a raw journal). */
#define SINKHOLE_RULE_CANARY UINT32_MAX

struct sinkhole_rule {
    uint32_t id;          /* > 0, unique over all feeds and for ever */
    uint16_t feed;        /* index into the policies of the same head */
    uint8_t scope;        /* enum sinkhole_scope */
    uint8_t action;       /* enum sinkhole_action */
    int64_t valid_until;  /* Unix seconds, exclusive; 0 = no end */
    uint8_t severity;     /* 0-4 */
    uint8_t confidence;   /* 0-100 */
    uint8_t pad[6];
};
_Static_assert(sizeof(struct sinkhole_rule) == 24, "rule row");

struct sinkhole_policy {
    char feed[SINKHOLE_FEED_NAME_MAX + 1]; /* zero padded */
    uint8_t kind;                          /* enum sinkhole_feed_kind */
    uint8_t action;                        /* default action, never INHERIT */
    uint16_t rank;                         /* higher wins; 0..1000 */
    uint32_t ttl_s;                        /* of sinkholed answers */
    uint16_t ede_code;                     /* 0 = none; 15 Blocked, 16 Censored, 17 Filtered */
    uint8_t has_v4, has_v6;                /* else: NODATA for that type */
    uint8_t v4[4];
    uint8_t v6[16];
    char ede_text[SINKHOLE_EDE_TEXT_MAX + 1]; /* zero padded UTF-8, may be empty */
};
_Static_assert(sizeof(struct sinkhole_policy) == 192, "policy row");

#endif
