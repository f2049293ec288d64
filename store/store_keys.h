/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every Redis key of the product, in one place; doc/redis.md says what stands behind each, who
 * writes it, who reads it and when it expires.
 *
 * Threads: constants. Memory: a key fits SINKHOLE_REDIS_KEY_MAX with its terminator.
 */
#ifndef SINKHOLE_STORE_KEYS_H
#define SINKHOLE_STORE_KEYS_H

#include <inttypes.h>

#define SINKHOLE_REDIS_KEY_MAX 192

/* --- blocklist: all under one hash tag, so that one EXEC may touch them --- */
#define SINKHOLE_REDIS_HEAD "sinkhole:{bl}:head"
#define SINKHOLE_REDIS_LOG "sinkhole:{bl}:log"
#define SINKHOLE_REDIS_FEEDS "sinkhole:{bl}:feeds"
#define SINKHOLE_REDIS_BATCHES "sinkhole:{bl}:batches"
#define SINKHOLE_REDIS_RETIRED "sinkhole:{bl}:retired"
#define SINKHOLE_REDIS_NEXT "sinkhole:{bl}:next"
#define SINKHOLE_REDIS_DIGEST_KEY "sinkhole:{bl}:digestkey"
/* printf formats; a snapshot's name is "<generation>-<8 hexadecimal digits>" */
#define SINKHOLE_REDIS_CHUNK_F                                                                     \
    "sinkhole:{bl}:chunk:%s:%" PRIu64                          /* snapshot name, number from 0     \
                                                                */
#define SINKHOLE_REDIS_CHUNKS_F "sinkhole:{bl}:chunks:%s"      /* snapshot name */
#define SINKHOLE_REDIS_HISTORY_F "sinkhole:{bl}:history:%s"    /* feed */
#define SINKHOLE_REDIS_UNDO_F "sinkhole:{bl}:undo:%s:%" PRIu64 /* feed, generation */
#define SINKHOLE_REDIS_BESIDE_F "sinkhole:{bl}:beside:%s"      /* feed */
#define SINKHOLE_REDIS_RETIRED_BESIDE_F                                                            \
    "sinkhole:{bl}:retired:beside:%s:%" PRIu64 /* feed, generation that removed it */
#define SINKHOLE_REDIS_STAGED_F "sinkhole:{bl}:staged:%s"      /* feed */
#define SINKHOLE_REDIS_PIECE_F                                                                     \
    "sinkhole:{bl}:staged:%s:%s:%" PRIu64 /* feed, token, number from 0 */

#define SINKHOLE_REDIS_OLD_SNAPSHOT_S 3600 /* chunks nobody's head names any more, or not yet */
#define SINKHOLE_REDIS_UNDO_S (90 * 86400)
#define SINKHOLE_REDIS_STAGED_S (30 * 86400)
#define SINKHOLE_REDIS_UNDO_KEPT 10 /* publications of one feed */

/* --- alarms and resolvers --- */
#define SINKHOLE_REDIS_ALARMS "sinkhole:alarms"
#define SINKHOLE_REDIS_ACKNOWLEDGED "sinkhole:alarms:acknowledged"
#define SINKHOLE_REDIS_ALARMS_KEPT 10000
#define SINKHOLE_REDIS_RESOLVERS "sinkhole:resolvers"
#define SINKHOLE_REDIS_RESOLVER_F "sinkhole:resolver:{%s}" /* resolver's name */

/* --- hits: a resolver's under one hash tag --- */
#define SINKHOLE_REDIS_HITS_F "sinkhole:hits:{%s}:%u" /* resolver's name, lane */
#define SINKHOLE_REDIS_SHIP_F "sinkhole:ship:{%s}"    /* resolver's name */

#endif
