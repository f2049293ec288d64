/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The builder's state, the folder, and the head. Lines come in build_lines.c, new bases in
 * build_base.c. Threads and memory: see build.h.
 */
#include "agent/build.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/build_private.h"
#include "sinkhole/clock.h"

enum agent_build_status build_fail(struct agent_build *build, enum agent_build_status status,
                                   const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(build->error, sizeof(build->error), format, args);
    va_end(args);
    return status;
}

enum agent_build_status build_from_index_status(struct agent_build *build,
                                                enum sinkhole_build_status status, const char *what)
{
    int error = errno;

    switch (status) {
    case SINKHOLE_BUILD_OK:
        return AGENT_BUILD_OK;
    case SINKHOLE_BUILD_IO:
        if (error == EBADMSG || error == ENOENT) /* the base is damaged, or gone */
            return build_fail(build, AGENT_BUILD_SYNC, "%s in %s does not fit its base: %s", what,
                              build->dir, strerror(error));
        return build_fail(build, AGENT_BUILD_IO, "cannot write %s in %s: %s", what, build->dir,
                          strerror(error));
    case SINKHOLE_BUILD_NO_MEMORY:
        return build_fail(build, AGENT_BUILD_NO_MEMORY, "no memory for %s", what);
    default:
        return build_fail(build, AGENT_BUILD_REFUSED, "%s refused: %s", what,
                          sinkhole_build_status_text(status));
    }
}

const char *agent_build_error(const struct agent_build *build)
{
    return build->error;
}

bool build_is_refused(const char *key, size_t key_len)
{
    return memchr(key, ' ', key_len) == NULL; /* a top-level domain */
}

void build_forget(struct agent_build *build)
{
    build->usable = false;
    sinkhole_index_close(build->index);
    build->index = NULL;
    agent_delta_clear(build->delta);
    sinkhole_overlay_clear(build->overlay);
    sinkhole_base_builder_free(build->builder);
    build->builder = NULL;
    build->staged = false;
    build->lineage++;
}

struct agent_build *agent_build_new(const char *dir, const char *canary, gid_t group)
{
    struct agent_build *build = calloc(1, sizeof(*build));
    struct sinkhole_name name;

    if (build == NULL)
        return NULL;
    snprintf(build->dir, sizeof(build->dir), "%s", dir);
    snprintf(build->stage, sizeof(build->stage), "%s/agent/stage", dir);
    snprintf(build->rebase_stage, sizeof(build->rebase_stage), "%s/agent/rebase", dir);
    build->group = group;
    build->delta_least = AGENT_DELTA_LEAST;
    build->delta = agent_delta_new();
    build->decoder = sinkhole_list_decoder_new();
    build->overlay = sinkhole_overlay_new(BUILD_OVERLAY_MAX);
    if (build->delta == NULL || build->decoder == NULL || build->overlay == NULL) {
        agent_build_free(build);
        return NULL;
    }
    if (sinkhole_name_from_text(canary, strlen(canary), &name) != SINKHOLE_NAME_OK ||
        !sinkhole_key_from_name(&name, &build->canary_key) ||
        build_is_refused(build->canary_key.text, build->canary_key.len))
        build->canary_key.len = 0; /* the program has said so already */
    return build;
}

void agent_build_free(struct agent_build *build)
{
    if (build == NULL)
        return;
    sinkhole_index_close(build->index);
    sinkhole_base_builder_free(build->builder);
    sinkhole_overlay_free(build->overlay);
    sinkhole_list_decoder_free(build->decoder);
    agent_delta_free(build->delta);
    agent_rules_done(&build->rules);
    free(build);
}

void agent_build_position(const struct agent_build *build, struct agent_build_position *ret)
{
    *ret = (struct agent_build_position){
        .usable = build->usable,
        .generation = build->follower.generation,
        .part = build->follower.part,
        .entries = build->follower.entries,
        .meta = build->follower.meta,
        .published = build->published,
        .in_force = build->in_force,
        .base_id = build->base_id,
        .base_generation = build->base_generation,
        .base_names = build->base_names,
        .delta_names = agent_delta_count(build->delta),
        .refused = build->refused + build->rules.refused,
        .bytes = build->bytes,
    };
    sinkhole_digest_octets(&build->follower.digest, ret->digest);
}

bool agent_build_digest_key(struct agent_build *build, const uint8_t key[SINKHOLE_DIGEST_KEY_LEN])
{
    bool other = build->key_known && memcmp(build->follower.key, key, SINKHOLE_DIGEST_KEY_LEN) != 0;

    memcpy(build->follower.key, key, SINKHOLE_DIGEST_KEY_LEN);
    build->key_known = true;
    if (other)
        build->usable = false;
    return other;
}

/* --- the folder --- */

bool build_sync_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok;

    if (fd < 0)
        return false;
    ok = fsync(fd) == 0;
    close(fd);
    return ok;
}

static bool build_make_folder(struct agent_build *build, const char *path, mode_t mode)
{
    if (mkdir(path, mode) == 0)
        return chmod(path, mode) == 0; /* whatever the mask */
    if (errno == EEXIST)
        return true;
    build_fail(build, AGENT_BUILD_IO, "cannot make the folder %s: %s", path, strerror(errno));
    return false;
}

/* What a killed agent, or a base that came too late, left behind. */
void build_clear_stage(const char *stage)
{
    char folder[BUILD_PATH_MAX], path[BUILD_PATH_MAX + 260];
    struct dirent *entry;
    DIR *stream;

    snprintf(folder, sizeof(folder), "%s/index", stage);
    stream = opendir(folder);
    if (stream == NULL)
        return;
    while ((entry = readdir(stream)) != NULL) {
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] != '.')
            unlink(path);
    }
    closedir(stream);
}

/* PATH/index, whose files get the resolver's group by its set-group-ID bit. */
static bool build_make_index_folder(struct agent_build *build, const char *parent)
{
    char path[BUILD_PATH_MAX];

    snprintf(path, sizeof(path), "%s/index", parent);
    if (!build_make_folder(build, path, build->group == (gid_t)-1 ? 0755 : 0750))
        return false;
    if (build->group == (gid_t)-1 ||
        (chown(path, (uid_t)-1, build->group) == 0 && chmod(path, 02750) == 0))
        return true;
    build_fail(build, AGENT_BUILD_IO, "cannot give %s to group %u: %s", path,
               (unsigned)build->group, strerror(errno));
    return false;
}

bool agent_build_prepare(struct agent_build *build)
{
    char agent[BUILD_PATH_MAX];

    snprintf(agent, sizeof(agent), "%s/agent", build->dir);
    if (!build_make_folder(build, build->dir, 0755) || !build_make_folder(build, agent, 0755) ||
        !build_make_folder(build, build->stage, 0750) ||
        !build_make_folder(build, build->rebase_stage, 0750) ||
        !build_make_index_folder(build, build->dir) ||
        !build_make_index_folder(build, build->stage) ||
        !build_make_index_folder(build, build->rebase_stage))
        return false;
    build_clear_stage(build->stage);
    build_clear_stage(build->rebase_stage);
    return true;
}

static void build_note_file(const char *path, struct build_file *ret_file)
{
    struct stat st;

    *ret_file = (struct build_file){0};
    if (stat(path, &st) == 0)
        *ret_file = (struct build_file){st.st_dev, st.st_ino, st.st_size, st.st_mtim};
}

static bool build_same_file(const struct build_file *a, const struct build_file *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

static void build_paths(const struct agent_build *build, char head[BUILD_PATH_MAX],
                        char base[BUILD_PATH_MAX])
{
    snprintf(head, BUILD_PATH_MAX, "%s/index/head", build->dir);
    snprintf(base, BUILD_PATH_MAX, "%s/index/base-%llu", build->dir,
             (unsigned long long)build->base_id);
}

void build_note_files(struct agent_build *build)
{
    char head[BUILD_PATH_MAX], base[BUILD_PATH_MAX];

    build_paths(build, head, base);
    build_note_file(head, &build->head_file);
    build_note_file(base, &build->base_file);
    build->bytes = (uint64_t)build->head_file.size + (uint64_t)build->base_file.size;
}

enum agent_build_status agent_build_check(struct agent_build *build)
{
    char head[BUILD_PATH_MAX], base[BUILD_PATH_MAX];
    struct build_file head_file, base_file;
    enum sinkhole_index_status status;
    struct sinkhole_index *index;

    if (!build->in_force)
        return AGENT_BUILD_OK;
    build_paths(build, head, base);
    build_note_file(head, &head_file);
    build_note_file(base, &base_file);
    if (build_same_file(&head_file, &build->head_file) &&
        build_same_file(&base_file, &build->base_file))
        return AGENT_BUILD_OK;
    status = sinkhole_index_open(build->dir, &index);
    if (status == SINKHOLE_INDEX_OK) {
        struct sinkhole_index_info info;

        sinkhole_index_info(index, &info);
        sinkhole_index_close(index);
        build_note_files(build);
        if (info.generation == build->published && info.base_id == build->base_id)
            return AGENT_BUILD_OK; /* touched or restored */
    }
    build->in_force = false;
    build->published = 0;
    return build_fail(build, AGENT_BUILD_SYNC, "somebody changed the index in %s: %s", build->dir,
                      status == SINKHOLE_INDEX_OK ? "it is another one"
                                                  : sinkhole_index_status_text(status));
}

/* --- start --- */

struct build_load {
    struct agent_build *build;
    uint64_t generation;
    bool ok;
};

static bool build_load_name(void *arg, const char *key, size_t key_len, const uint32_t *ids,
                            size_t count)
{
    struct build_load *load = arg;

    if (count > 0 && ids[count - 1] == SINKHOLE_RULE_CANARY) /* ascending: the last, if at all */
        count--;
    load->ok = agent_delta_put(load->build->delta, load->generation, key, key_len, ids, count);
    return load->ok;
}

enum agent_build_status agent_build_open(struct agent_build *build)
{
    struct build_load load = {build, 0, true};
    struct sinkhole_index_info info;
    enum sinkhole_index_status status;

    build_forget(build);
    status = sinkhole_index_open(build->dir, &build->index);
    if (status != SINKHOLE_INDEX_OK)
        return build_fail(build, AGENT_BUILD_SYNC, "the index in %s cannot be used: %s", build->dir,
                          sinkhole_index_status_text(status));
    sinkhole_index_info(build->index, &info);
    load.generation = info.generation;
    if (!sinkhole_index_walk(build->index, SINKHOLE_INDEX_DELTA, build_load_name, &load)) {
        build_forget(build);
        return build_fail(build, AGENT_BUILD_SYNC, "the index in %s is damaged", build->dir);
    }
    if (!load.ok || !agent_delta_merge(build->delta)) {
        build_forget(build);
        return build_fail(build, AGENT_BUILD_NO_MEMORY, "no memory for the delta");
    }
    build->follower.generation = info.generation;
    build->follower.part = 0;
    build->follower.entries = info.entries;
    build->follower.meta = 0;
    build->follower.digest = sinkhole_digest_from_octets(info.digest);
    build->follower.pending = (struct sinkhole_digest){0};
    build->follower.pending_entries = 0;
    build->base_id = build->last_base_id = info.base_id;
    build->base_generation = info.base_generation;
    build->base_names = info.base_names;
    build->published = info.generation;
    build->in_force = build->usable = true;
    build_note_files(build);
    return AGENT_BUILD_OK;
}

/* --- the head --- */

/* The canary's list: what Redis lists on that name, and the canary's own rule. */
static size_t build_canary_ids(struct agent_build *build, uint32_t *ids)
{
    const struct sinkhole_key *key = &build->canary_key;
    const struct agent_delta_name *name = agent_delta_find(build->delta, key->text, key->len);
    size_t count;

    if (name != NULL) {
        count = name->count;
        memcpy(ids, name->ids, count * sizeof(ids[0]));
    } else {
        count = sinkhole_index_entries(build->index, key->text, key->len, ids);
        if (count > 0 && ids[count - 1] == SINKHOLE_RULE_CANARY)
            count--;
    }
    if (count == SINKHOLE_INDEX_ENTRIES_MAX)
        count--;
    ids[count++] = SINKHOLE_RULE_CANARY;
    return count;
}

static int build_compare(const char *a, size_t a_len, const char *b, size_t b_len)
{
    int order = memcmp(a, b, a_len < b_len ? a_len : b_len);

    return order != 0 ? order : a_len < b_len ? -1 : a_len > b_len;
}

/* Rows for the head: the delta's names changed after `after`, and the canary in its place. */
static size_t build_delta_rows(const struct agent_build *build, uint64_t after,
                               const struct sinkhole_delta_name *canary,
                               struct sinkhole_delta_name *rows)
{
    size_t count = 0, names = agent_delta_count(build->delta);
    bool placed = canary->key_len == 0;

    for (size_t i = 0; i < names; i++) {
        const struct agent_delta_name *name = agent_delta_at(build->delta, i);
        const char *key = agent_delta_key(name);
        int order = placed ? 1 : build_compare(canary->key, canary->key_len, key, name->key_len);

        if (!placed && order <= 0) {
            rows[count++] = *canary;
            placed = true;
        }
        if (order != 0 && name->generation > after)
            rows[count++] =
                (struct sinkhole_delta_name){key, name->ids, name->key_len, name->count};
    }
    if (!placed)
        rows[count++] = *canary;
    return count;
}

enum agent_build_status build_write_head(struct agent_build *build, uint64_t base_id,
                                         uint64_t after)
{
    uint32_t ids[SINKHOLE_INDEX_ENTRIES_MAX + 1];
    struct sinkhole_delta_name canary = {build->canary_key.text, ids, build->canary_key.len, 0};
    struct sinkhole_delta_name *rows = calloc(agent_delta_count(build->delta) + 1, sizeof(rows[0]));
    struct sinkhole_head head = {
        .state = {.generation = build->follower.generation, .entries = build->follower.entries},
        .base_id = base_id,
        .rules = build->rules.rules,
        .rule_count = build->rules.rule_count,
        .policies = build->rules.policies,
        .policy_count = build->rules.policy_count,
        .delta = rows,
    };
    enum sinkhole_build_status status;

    if (rows == NULL)
        return build_fail(build, AGENT_BUILD_NO_MEMORY, "no memory for the delta");
    if (canary.key_len > 0)
        canary.count = (uint16_t)build_canary_ids(build, ids);
    sinkhole_digest_octets(&build->follower.digest, head.state.digest);
    head.delta_count = build_delta_rows(build, after, &canary, rows);
    status = sinkhole_head_write(build->dir, &head);
    free(rows);
    return build_from_index_status(build, status, "the index's head");
}

enum agent_build_status build_unstage(struct agent_build *build, const char *stage,
                                      uint64_t base_id)
{
    char from[BUILD_PATH_MAX], to[BUILD_PATH_MAX], folder[BUILD_PATH_MAX];

    snprintf(from, sizeof(from), "%s/index/base-%llu", stage, (unsigned long long)base_id);
    snprintf(to, sizeof(to), "%s/index/base-%llu", build->dir, (unsigned long long)base_id);
    snprintf(folder, sizeof(folder), "%s/index", build->dir);
    if (!build_make_index_folder(build, build->dir)) /* somebody may have taken it away */
        return AGENT_BUILD_IO;
    if (rename(from, to) != 0 || !build_sync_folder(folder))
        return build_fail(build, AGENT_BUILD_IO, "cannot move the new base to %s: %s", to,
                          strerror(errno));
    return AGENT_BUILD_OK;
}

enum agent_build_status agent_build_publish(struct agent_build *build,
                                            const struct agent_rules_text *text)
{
    bool new_base = build->staged;
    struct agent_rules rules;
    enum agent_build_status status;

    if (!build->usable)
        return build_fail(build, AGENT_BUILD_SYNC, "nothing to publish");
    if (text != NULL) {
        if (!agent_rules_make(text, &rules))
            return build_fail(build, AGENT_BUILD_NO_MEMORY, "no memory for the rules");
        agent_rules_done(&build->rules);
        build->rules = rules;
    }
    if (build->staged &&
        (status = build_unstage(build, build->stage, build->base_id)) != AGENT_BUILD_OK)
        return status;
    build->staged = false;
    status = build_write_head(build, build->base_id, 0);
    if (status != AGENT_BUILD_OK)
        return status;
    build->published = build->follower.generation;
    build->in_force = true;
    if (new_base)
        sinkhole_index_sweep(build->dir, 0);
    build_note_files(build);
    return AGENT_BUILD_OK;
}
