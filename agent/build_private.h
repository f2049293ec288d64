/* SPDX-License-Identifier: BSD-3-Clause */
/* What build.c, build_lines.c and build_base.c share. Threads and memory: see build.h. */
#ifndef AGENT_BUILD_PRIVATE_H
#define AGENT_BUILD_PRIVATE_H

#include <sys/stat.h>

#include "agent/build.h"
#include "agent/delta.h"

#define BUILD_OVERLAY_MAX ((size_t)2 << 30)
#define BUILD_PATH_MAX 400

/* One key's lines, gathered. */
struct build_group {
    char key[SINKHOLE_KEY_MAX];
    size_t key_len;
    uint32_t ids[SINKHOLE_INDEX_ENTRIES_MAX];
    size_t count;
};

struct build_file { /* as it was after we wrote or opened it */
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec changed;
};

struct agent_build {
    char dir[256];
    char stage[300];        /* bases of a full sync */
    char rebase_stage[300]; /* bases made from what is in force */
    struct sinkhole_key canary_key;
    gid_t group;
    size_t delta_least; /* AGENT_DELTA_LEAST */
    char error[256];

    /* in memory: base (through `index`) and delta, at follower.generation */
    bool usable;
    struct sinkhole_index *index; /* answers for names that are not in the delta */
    struct agent_delta *delta;
    struct sinkhole_list_follower follower;
    bool key_known;
    uint64_t base_id, base_generation, base_names;
    bool staged;      /* the base still stands in the staging folder */
    uint64_t lineage; /* counts bases taken into use */
    uint64_t last_base_id;

    struct agent_rules rules; /* of the last publication */
    uint64_t refused;

    /* on disk */
    bool in_force;
    uint64_t published, bytes;
    struct build_file head_file, base_file;

    /* at work */
    struct sinkhole_list_decoder *decoder;
    struct sinkhole_overlay *overlay; /* lines of the generation under way */
    struct sinkhole_base_builder *builder;
    struct sinkhole_list_root root; /* of the sync under way */
    struct sinkhole_digest digest;
    uint64_t lines;
    struct build_group group_now;
};

/* Puts the sentence and returns the status. */
enum agent_build_status build_fail(struct agent_build *build, enum agent_build_status status,
                                   const char *format, ...) __attribute__((format(printf, 3, 4)));
enum agent_build_status build_from_index_status(struct agent_build *build,
                                                enum sinkhole_build_status status,
                                                const char *what);
void build_forget(struct agent_build *build); /* base and delta; the disk stays */
uint64_t build_next_base_id(struct agent_build *build);
/* A name that no index lists, whatever Redis says. */
bool build_is_refused(const char *key, size_t key_len);
/* fsync of a folder. */
bool build_sync_folder(const char *path);
/* Writes DIR/index/head over base `base_id` with the delta's names changed after `after`. */
enum agent_build_status build_write_head(struct agent_build *build, uint64_t base_id,
                                         uint64_t after);
/* The base of this id goes from its stage to where the head will look for it. */
enum agent_build_status build_unstage(struct agent_build *build, const char *stage,
                                      uint64_t base_id);
void build_clear_stage(const char *stage);
void build_note_files(struct agent_build *build);

#endif
