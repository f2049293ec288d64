/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From proved lines to index files: holds what is in force in memory (a base and the names that
 * differ from it) and writes heads and bases. It speaks to no network; follow.c feeds it.
 *
 * Order: agent_build_open (the folder's last good index) or agent_build_sync_begin, _chunk..., _end
 * (a new base, put aside); then agent_build_log for each entry of the change log;
 * agent_build_publish whenever a generation is whole. A status that asks for a sync leaves the
 * files on disk as they were.
 *
 * Threads: the worker's alone; only agent_build_rebase runs beside it, with no shared state but the
 * folder. Memory: the delta (60 octets a name), one generation's lines, and during a sync the base
 * builder's (about 25 octets a name).
 */
#ifndef AGENT_BUILD_H
#define AGENT_BUILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/rules.h"
#include "sinkhole/index_build.h"
#include "store/list_codec.h"

#define AGENT_DELTA_LEAST 100000u /* a delta up to this never asks for a new base */
#define AGENT_DELTA_SHARE 20      /* 1/20 of the base's names */

enum agent_build_status {
    AGENT_BUILD_OK = 0,
    AGENT_BUILD_SYNC,     /* what we hold is not what Redis says: a full sync mends it */
    AGENT_BUILD_SNAPSHOT, /* the log says that this generation came as a snapshot: a full sync */
    AGENT_BUILD_DAMAGED,  /* what Redis holds contradicts itself; read it again later */
    AGENT_BUILD_IO,       /* the folder cannot be written now */
    AGENT_BUILD_REFUSED,  /* the index's builder would not take it */
    AGENT_BUILD_NO_MEMORY,
};

struct agent_build_position {
    bool usable;         /* lines can follow on */
    uint64_t generation; /* whole, in memory */
    uint64_t part;       /* parts of the next generation taken so far */
    uint64_t entries;
    uint64_t meta; /* of feeds and batches at that generation; 0: not known */
    uint8_t digest[SINKHOLE_DIGEST_LEN];
    uint64_t published; /* generation of the head on disk */
    bool in_force;      /* there is a head on disk that opened */
    uint64_t base_id, base_generation, base_names, delta_names;
    uint64_t refused; /* names left out or cut (top-level domains, too many rules), rows not
                         understood */
    uint64_t bytes;   /* of the files in force */
};

struct agent_build; /* opaque */
/* `canary`: its name; `group`: of the index folder, (gid_t)-1: as made. NULL: no memory. */
struct agent_build *agent_build_new(const char *dir, const char *canary, gid_t group);
void agent_build_free(struct agent_build *build); /* NULL is fine */
/* One sentence about the last status that was not OK. */
const char *agent_build_error(const struct agent_build *build);
void agent_build_position(const struct agent_build *build, struct agent_build_position *ret);

/* Makes DIR/index and DIR/agent. False: agent_build_error. */
bool agent_build_prepare(struct agent_build *build);
/* Takes the folder's index. SYNC: there is none that can be used. */
enum agent_build_status agent_build_open(struct agent_build *build);
/* The digest's key must be known before lines come. True when it is another than before: what was
 * proved by the old one is worth nothing now. */
bool agent_build_digest_key(struct agent_build *build, const uint8_t key[SINKHOLE_DIGEST_KEY_LEN]);

enum agent_build_status agent_build_sync_begin(struct agent_build *build,
                                               const struct sinkhole_list_root *root);
enum agent_build_status agent_build_sync_chunk(struct agent_build *build, const void *data,
                                               size_t len);
enum agent_build_status agent_build_sync_end(struct agent_build *build);

enum agent_build_status agent_build_log(struct agent_build *build,
                                        const struct sinkhole_log_entry *entry);
/* Writes the head with these rules, NULL: those of the last time. IO: try again later, nothing is
 * lost. */
enum agent_build_status agent_build_publish(struct agent_build *build,
                                            const struct agent_rules_text *text);
/* Looks whether the files in force are those that were written. SYNC: they are not, and what is
 * there cannot be used. */
enum agent_build_status agent_build_check(struct agent_build *build);

/* --- a new base from what is in force, in another thread --- */
struct agent_rebase {
    char dir[256];   /* DIR */
    char stage[300]; /* where the base is written */
    uint64_t base_id;
    uint64_t lineage;    /* of the base that the delta stands on */
    uint64_t generation; /* out: of the base */
    char error[256];     /* out */
};
/* True when the delta has grown so much; fills in what the rebase needs. */
bool agent_build_wants_base(struct agent_build *build, struct agent_rebase *ret_rebase);
/* Walks the index on disk into a base, put aside. */
enum agent_build_status agent_build_rebase(struct agent_rebase *rebase);
/* Takes the new base into use: same generation, same digest. SYNC: it no longer fits; it is
 * removed. */
enum agent_build_status agent_build_adopt(struct agent_build *build,
                                          const struct agent_rebase *rebase);

#endif
