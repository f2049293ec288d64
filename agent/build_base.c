/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A new base from what is in force, made in a thread of its own while the log is followed.
 *
 * The thread reads the index on disk at some generation G; meanwhile the delta grows. Adopting the
 * new base keeps just those names of the delta that changed after G: the others are as the base has
 * them.
 *
 * Threads and memory: see build.h.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/build_private.h"

bool agent_build_wants_base(struct agent_build *build, struct agent_rebase *ret_rebase)
{
    size_t most = build->base_names / AGENT_DELTA_SHARE;

    if (most < build->delta_least)
        most = build->delta_least;
    if (!build->usable || build->staged || !build->in_force || build->rules.rule_count == 0 ||
        agent_delta_count(build->delta) <= most)
        return false;
    *ret_rebase =
        (struct agent_rebase){.base_id = build_next_base_id(build), .lineage = build->lineage};
    snprintf(ret_rebase->dir, sizeof(ret_rebase->dir), "%s", build->dir);
    snprintf(ret_rebase->stage, sizeof(ret_rebase->stage), "%s", build->rebase_stage);
    return true;
}

struct rebase_walk {
    struct sinkhole_base_builder *builder;
    enum sinkhole_build_status status;
};

static bool rebase_name(void *arg, const char *key, size_t key_len, const uint32_t *ids,
                        size_t count)
{
    struct rebase_walk *walk = arg;

    if (count > 0 && ids[count - 1] == SINKHOLE_RULE_CANARY)
        count--;
    if (count == 0)
        return true;
    walk->status = sinkhole_base_builder_add(walk->builder, key, key_len, ids, count);
    return walk->status == SINKHOLE_BUILD_OK;
}

static enum agent_build_status rebase_fail(struct agent_rebase *rebase, const char *what,
                                           const char *why)
{
    snprintf(rebase->error, sizeof(rebase->error), "%s: %s", what, why);
    return AGENT_BUILD_IO;
}

enum agent_build_status agent_build_rebase(struct agent_rebase *rebase)
{
    struct sinkhole_build_state state;
    struct rebase_walk walk = {NULL, SINKHOLE_BUILD_OK};
    struct sinkhole_index_info info;
    struct sinkhole_index *index;
    enum sinkhole_index_status opened = sinkhole_index_open(rebase->dir, &index);
    enum agent_build_status ret = AGENT_BUILD_OK;

    if (opened != SINKHOLE_INDEX_OK)
        return rebase_fail(rebase, "cannot read the index for a new base",
                           sinkhole_index_status_text(opened));
    sinkhole_index_info(index, &info);
    walk.status = sinkhole_base_builder_new(info.base_names + info.delta_names + 1, &walk.builder);
    if (walk.status == SINKHOLE_BUILD_OK &&
        !sinkhole_index_walk(index, SINKHOLE_INDEX_WHOLE, rebase_name, &walk)) {
        ret = rebase_fail(rebase, "cannot read the index for a new base", "it is damaged");
        goto out;
    }
    state = (struct sinkhole_build_state){.generation = info.generation, .entries = info.entries};
    memcpy(state.digest, info.digest, sizeof(state.digest));
    if (walk.status == SINKHOLE_BUILD_OK)
        walk.status =
            sinkhole_base_builder_finish(walk.builder, rebase->stage, rebase->base_id, &state);
    if (walk.status != SINKHOLE_BUILD_OK)
        ret =
            rebase_fail(rebase, "cannot make a new base", sinkhole_build_status_text(walk.status));
    rebase->generation = info.generation;
out:
    sinkhole_base_builder_free(walk.builder);
    sinkhole_index_close(index);
    return ret;
}

static enum agent_build_status build_adopt(struct agent_build *build,
                                           const struct agent_rebase *rebase)
{
    struct sinkhole_index *index = NULL;
    struct sinkhole_index_info info;
    enum agent_build_status status;
    enum sinkhole_index_status opened;

    status = build_unstage(build, build->rebase_stage, rebase->base_id);
    if (status == AGENT_BUILD_OK)
        status = build_write_head(build, rebase->base_id, rebase->generation);
    if (status != AGENT_BUILD_OK)
        return status;
    opened = sinkhole_index_open(build->dir, &index);
    if (opened != SINKHOLE_INDEX_OK) {
        build->usable = false;
        return build_fail(build, AGENT_BUILD_SYNC, "the index with the new base is unusable: %s",
                          sinkhole_index_status_text(opened));
    }
    sinkhole_index_info(index, &info);
    sinkhole_index_close(build->index);
    build->index = index;
    agent_delta_prune(build->delta, rebase->generation);
    build->base_id = info.base_id;
    build->base_generation = info.base_generation;
    build->base_names = info.base_names;
    build->published = build->follower.generation;
    build->lineage++;
    return AGENT_BUILD_OK;
}

enum agent_build_status agent_build_adopt(struct agent_build *build,
                                          const struct agent_rebase *rebase)
{
    enum agent_build_status status;

    if (!build->usable || build->staged || build->lineage != rebase->lineage ||
        build->follower.part != 0)
        status = build_fail(build, AGENT_BUILD_SYNC, "the list has moved on; another base comes");
    else
        status = build_adopt(build, rebase);
    build_clear_stage(build->rebase_stage);
    sinkhole_index_sweep(build->dir, 0);
    build_note_files(build);
    return status;
}
