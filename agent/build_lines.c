/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lines from Redis: a snapshot's chunks into a new base, a log's generations into the delta.
 * Threads and memory: see build.h.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/build_private.h"
#include "sinkhole/clock.h"

uint64_t build_next_base_id(struct agent_build *build)
{
    uint64_t id = (uint64_t)sinkhole_now_ms();

    if (id <= build->last_base_id)
        id = build->last_base_id + 1;
    build->last_base_id = id;
    return id;
}

/* --- snapshot --- */

enum agent_build_status agent_build_sync_begin(struct agent_build *build,
                                               const struct sinkhole_list_root *root)
{
    uint64_t most = root->snapshot_entries > 0 ? root->snapshot_entries : 1;

    build_forget(build);
    build->root = *root;
    build->digest = (struct sinkhole_digest){0};
    build->lines = 0;
    build->refused = 0;
    build->group_now.count = 0;
    sinkhole_list_decoder_reset(build->decoder, SINKHOLE_LIST_CHUNK);
    return build_from_index_status(build, sinkhole_base_builder_new(most, &build->builder),
                                   "a new base");
}

static enum agent_build_status build_add_group(struct agent_build *build)
{
    struct build_group *group = &build->group_now;
    size_t count = group->count;

    group->count = 0;
    if (count == 0)
        return AGENT_BUILD_OK;
    if (build_is_refused(group->key, group->key_len)) {
        build->refused++;
        return AGENT_BUILD_OK;
    }
    return build_from_index_status(
        build,
        sinkhole_base_builder_add(build->builder, group->key, group->key_len, group->ids, count),
        "a name of the new base");
}

static enum agent_build_status build_chunk_line(struct agent_build *build,
                                                const struct sinkhole_list_line *line)
{
    struct build_group *group = &build->group_now;
    enum agent_build_status status;

    sinkhole_digest_add(&build->digest, build->follower.key, line->text, line->text_len);
    build->lines++;
    if (group->count > 0 &&
        (group->key_len != line->key_len || memcmp(group->key, line->text, line->key_len) != 0)) {
        status = build_add_group(build);
        if (status != AGENT_BUILD_OK)
            return status;
    }
    if (group->count == 0) {
        memcpy(group->key, line->text, line->key_len);
        group->key_len = line->key_len;
    }
    if (group->count == SINKHOLE_INDEX_ENTRIES_MAX)
        build->refused++;
    else
        group->ids[group->count++] = line->id;
    return AGENT_BUILD_OK;
}

static enum agent_build_status build_from_codec(struct agent_build *build,
                                                enum sinkhole_codec_status codec,
                                                enum agent_build_status status, const char *what)
{
    if (codec == SINKHOLE_CODEC_NO_MEMORY)
        status = AGENT_BUILD_NO_MEMORY;
    return build_fail(build, status, "%s: %s", what, sinkhole_codec_status_text(codec));
}

enum agent_build_status agent_build_sync_chunk(struct agent_build *build, const void *data,
                                               size_t len)
{
    enum agent_build_status status = AGENT_BUILD_OK;
    struct sinkhole_list_line line;
    enum sinkhole_codec_status codec;

    if (build->builder == NULL)
        return build_fail(build, AGENT_BUILD_SYNC, "no sync is under way");
    codec = sinkhole_list_decoder_open(build->decoder, data, len);
    while (codec == SINKHOLE_CODEC_OK && status == AGENT_BUILD_OK) {
        codec = sinkhole_list_decoder_next(build->decoder, &line);
        if (codec == SINKHOLE_CODEC_OK)
            status = build_chunk_line(build, &line);
    }
    if (status == AGENT_BUILD_OK && codec != SINKHOLE_CODEC_END)
        status = build_from_codec(build, codec, AGENT_BUILD_DAMAGED, "a chunk of the list");
    return status;
}

/* The base is written and opened aside: in force is still the old one. */
static enum agent_build_status build_stage_base(struct agent_build *build)
{
    struct sinkhole_build_state state = {.generation = build->root.head.snapshot,
                                         .entries = build->root.snapshot_entries};
    struct sinkhole_head head = {.state = state, .base_id = build_next_base_id(build)};
    struct sinkhole_index_info info;
    enum sinkhole_index_status opened;
    enum agent_build_status status;

    memcpy(state.digest, build->root.snapshot_digest, sizeof(state.digest));
    head.state = state;
    status = build_from_index_status(
        build, sinkhole_base_builder_finish(build->builder, build->stage, head.base_id, &state),
        "the new base");
    sinkhole_base_builder_free(build->builder);
    build->builder = NULL;
    if (status != AGENT_BUILD_OK)
        return status;
    status = build_from_index_status(build, sinkhole_head_write(build->stage, &head),
                                     "the new base's head");
    if (status != AGENT_BUILD_OK)
        return status;
    sinkhole_index_sweep(build->stage, 0);
    opened = sinkhole_index_open(build->stage, &build->index);
    if (opened != SINKHOLE_INDEX_OK)
        return build_fail(build, AGENT_BUILD_IO, "the new base cannot be opened: %s",
                          sinkhole_index_status_text(opened));
    sinkhole_index_info(build->index, &info);
    build->base_id = info.base_id;
    build->base_generation = info.base_generation;
    build->base_names = info.base_names;
    build->staged = true;
    return AGENT_BUILD_OK;
}

enum agent_build_status agent_build_sync_end(struct agent_build *build)
{
    uint8_t digest[SINKHOLE_DIGEST_LEN], key[SINKHOLE_DIGEST_KEY_LEN];
    enum agent_build_status status;

    if (build->builder == NULL)
        return build_fail(build, AGENT_BUILD_SYNC, "no sync is under way");
    status = build_add_group(build);
    if (status != AGENT_BUILD_OK)
        return status;
    sinkhole_digest_octets(&build->digest, digest);
    if (build->lines != build->root.snapshot_entries)
        return build_fail(
            build, AGENT_BUILD_DAMAGED, "the snapshot in Redis has %llu lines, its head says %llu",
            (unsigned long long)build->lines, (unsigned long long)build->root.snapshot_entries);
    if (memcmp(digest, build->root.snapshot_digest, sizeof(digest)) != 0)
        return build_fail(build, AGENT_BUILD_DAMAGED,
                          "the snapshot in Redis has not the digest that its head says");
    status = build_stage_base(build);
    if (status != AGENT_BUILD_OK)
        return status;
    memcpy(key, build->follower.key, sizeof(key));
    sinkhole_list_follow_start(&build->follower, &build->root, key);
    build->usable = true;
    return AGENT_BUILD_OK;
}

/* --- log --- */

/* The list in force on a key before this generation. */
static void build_group_load(struct agent_build *build, const struct sinkhole_list_line *line)
{
    struct build_group *group = &build->group_now;
    const struct agent_delta_name *name = agent_delta_find(build->delta, line->text, line->key_len);

    memcpy(group->key, line->text, line->key_len);
    group->key_len = line->key_len;
    if (name != NULL) {
        group->count = name->count;
        if (name->count > 0)
            memcpy(group->ids, name->ids, name->count * sizeof(group->ids[0]));
        return;
    }
    group->count = sinkhole_index_entries(build->index, line->text, line->key_len, group->ids);
    if (group->count > 0 && group->ids[group->count - 1] == SINKHOLE_RULE_CANARY)
        group->count--;
}

/* False: adds what is there, or removes what is not. */
static bool build_group_change(struct agent_build *build, uint32_t id, bool removed)
{
    struct build_group *group = &build->group_now;
    size_t i = 0;

    while (i < group->count && group->ids[i] < id)
        i++;
    if ((i < group->count && group->ids[i] == id) != removed)
        return false;
    if (removed) {
        memmove(group->ids + i, group->ids + i + 1, (group->count - i - 1) * sizeof(id));
        group->count--;
        return true;
    }
    if (group->count == SINKHOLE_INDEX_ENTRIES_MAX) {
        build->refused++;
        if (i == group->count)
            return true;
        group->count--; /* the highest goes */
    }
    memmove(group->ids + i + 1, group->ids + i, (group->count - i) * sizeof(id));
    group->ids[i] = id;
    group->count++;
    return true;
}

static bool build_group_is(const struct build_group *group, const struct sinkhole_list_line *line)
{
    return group->key_len == line->key_len && memcmp(group->key, line->text, line->key_len) == 0;
}

/* One whole generation, its lines settled in the overlay. */
static enum agent_build_status build_apply(struct agent_build *build)
{
    struct build_group *group = &build->group_now;
    size_t count = sinkhole_overlay_count(build->overlay);
    uint64_t generation = build->follower.generation;
    struct sinkhole_list_line line;
    size_t i = 0;

    while (i < count) {
        sinkhole_overlay_line(build->overlay, i, &line);
        if (build_is_refused(line.text, line.key_len)) {
            build->refused += line.remove ? 0 : 1;
            i++;
            continue;
        }
        build_group_load(build, &line);
        for (; i < count; i++) {
            sinkhole_overlay_line(build->overlay, i, &line);
            if (!build_group_is(group, &line))
                break;
            if (!build_group_change(build, line.id, line.remove))
                return build_fail(build, AGENT_BUILD_SYNC,
                                  "generation %llu does not fit what is in force here",
                                  (unsigned long long)generation);
        }
        if (!agent_delta_put(build->delta, generation, group->key, group->key_len, group->ids,
                             group->count))
            return build_fail(build, AGENT_BUILD_NO_MEMORY, "no memory for the delta");
    }
    if (!agent_delta_merge(build->delta))
        return build_fail(build, AGENT_BUILD_NO_MEMORY, "no memory for the delta");
    return AGENT_BUILD_OK;
}

static enum agent_build_status build_take_entry(struct agent_build *build,
                                                const struct sinkhole_log_entry *entry)
{
    enum sinkhole_codec_status codec;
    char what[64];
    bool whole;

    snprintf(what, sizeof(what), "generation %llu of the change log",
             (unsigned long long)entry->generation);
    codec = sinkhole_list_follow(&build->follower, build->decoder, entry, build->overlay, &whole);
    if (codec == SINKHOLE_CODEC_SNAPSHOT)
        return build_from_codec(build, codec, AGENT_BUILD_SNAPSHOT, what);
    if (codec == SINKHOLE_CODEC_OK && whole)
        codec = sinkhole_overlay_settle(build->overlay);
    if (codec != SINKHOLE_CODEC_OK)
        return build_from_codec(build, codec, AGENT_BUILD_SYNC, what);
    if (!whole)
        return AGENT_BUILD_OK;
    return build_apply(build);
}

enum agent_build_status agent_build_log(struct agent_build *build,
                                        const struct sinkhole_log_entry *entry)
{
    uint64_t before = build->follower.generation;
    enum agent_build_status status;

    if (!build->usable)
        return build_fail(build, AGENT_BUILD_SYNC, "nothing to go on from");
    status = build_take_entry(build, entry);
    if (status != AGENT_BUILD_OK)
        build->usable = false;
    if (status != AGENT_BUILD_OK || build->follower.generation != before)
        sinkhole_overlay_clear(build->overlay);
    return status;
}
