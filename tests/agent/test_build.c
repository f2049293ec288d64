/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The builder without Redis: snapshots, generations, restarts, new bases, damaged files.
 * Threads: one. Memory: a folder in $TMPDIR, removed at the end.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/build_private.h"
#include "tests/agent/model.h"

#define CANARY "canary.sinkhole.example"

struct fixture {
    char dir[64];
    struct model model;
    struct agent_build *build;
};

static struct agent_build *build_make(struct fixture *fixture)
{
    struct agent_build *build = agent_build_new(fixture->dir, CANARY, (gid_t)-1);

    assert_non_null(build);
    assert_true(agent_build_prepare(build));
    return build;
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    snprintf(fixture->dir, sizeof(fixture->dir), "/tmp/sinkhole-build-XXXXXX");
    assert_non_null(mkdtemp(fixture->dir));
    model_init(&fixture->model, 1);
    fixture->build = build_make(fixture);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    char command[100];

    agent_build_free(fixture->build);
    model_done(&fixture->model);
    snprintf(command, sizeof(command), "rm -rf %s", fixture->dir);
    assert_int_equal(system(command), 0);
    free(fixture);
    return 0;
}

static void restart(struct fixture *fixture)
{
    agent_build_free(fixture->build);
    fixture->build = build_make(fixture);
}

static void sync_all(struct fixture *fixture)
{
    struct model *model = &fixture->model;
    struct agent_build *build = fixture->build;

    model_snapshot(model);
    agent_build_digest_key(build, model->key);
    assert_int_equal(agent_build_sync_begin(build, &model->root), AGENT_BUILD_OK);
    assert_int_equal(agent_build_sync_chunk(build, model->value, model->value_len), AGENT_BUILD_OK);
    assert_int_equal(agent_build_sync_end(build), AGENT_BUILD_OK);
}

static void publish(struct fixture *fixture)
{
    assert_int_equal(agent_build_publish(fixture->build, fixture->model.text), AGENT_BUILD_OK);
    model_assert_index(&fixture->model, fixture->dir);
}

static void change(struct fixture *fixture, unsigned most)
{
    struct sinkhole_log_entry entry;

    model_change(&fixture->model, most, &entry);
    assert_int_equal(agent_build_log(fixture->build, &entry), AGENT_BUILD_OK);
}

static void test_empty_list(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(agent_build_open(fixture->build), AGENT_BUILD_SYNC);
    sync_all(fixture);
    publish(fixture);
}

static void test_generations(void **state)
{
    struct fixture *fixture = *state;

    sync_all(fixture);
    for (int i = 0; i < 50; i++) {
        change(fixture, 20);
        publish(fixture);
    }
}

/* What is staged is not in force: the old index stays until the publication. */
static void test_sync_keeps_old_index_until_published(void **state)
{
    struct fixture *fixture = *state;
    struct model before;

    sync_all(fixture);
    change(fixture, 50);
    publish(fixture);
    before = fixture->model;
    change(fixture, 50);
    sync_all(fixture);
    model_assert_index(&before, fixture->dir);
    publish(fixture);
}

static void test_restart_goes_on(void **state)
{
    struct fixture *fixture = *state;
    struct agent_build_position at;

    sync_all(fixture);
    for (int i = 0; i < 30; i++) {
        change(fixture, 10);
        publish(fixture);
        restart(fixture);
        assert_int_equal(agent_build_open(fixture->build), AGENT_BUILD_OK);
        agent_build_digest_key(fixture->build, fixture->model.key);
        agent_build_position(fixture->build, &at);
        assert_int_equal(at.generation, fixture->model.root.head.generation);
        assert_true(at.usable);
    }
}

/* A random history: generations, restarts, new bases made of an older generation, full syncs. */
static void test_random_history(void **state)
{
    struct fixture *fixture = *state;
    struct agent_rebase rebase;
    bool making = false;
    unsigned adopted = 0;

    sync_all(fixture);
    publish(fixture);
    for (int i = 0; i < 600; i++) {
        unsigned step = (unsigned)rand_r(&fixture->model.seed) % 12;

        fixture->build->delta_least = 30;
        if (step == 0) {
            restart(fixture);
            making = false;
            assert_int_equal(agent_build_open(fixture->build), AGENT_BUILD_OK);
            agent_build_digest_key(fixture->build, fixture->model.key);
        } else if (step == 1 && i % 5 == 0) {
            sync_all(fixture);
            publish(fixture);
        } else if (step == 2 && making) {
            adopted += agent_build_adopt(fixture->build, &rebase) == AGENT_BUILD_OK;
            making = false;
            model_assert_index(&fixture->model, fixture->dir);
        } else if (step == 3 && !making && agent_build_wants_base(fixture->build, &rebase)) {
            assert_int_equal(agent_build_rebase(&rebase), AGENT_BUILD_OK);
            making = true;
        } else {
            change(fixture, 8);
            publish(fixture);
        }
    }
    assert_true(adopted > 5);
    model_assert_index(&fixture->model, fixture->dir);
}

static void test_new_base_shrinks_the_delta(void **state)
{
    struct fixture *fixture = *state;
    struct agent_build_position at;
    struct agent_rebase rebase;

    fixture->build->delta_least = 10;
    sync_all(fixture);
    change(fixture, 200);
    publish(fixture);
    assert_true(agent_build_wants_base(fixture->build, &rebase));
    assert_int_equal(agent_build_rebase(&rebase), AGENT_BUILD_OK);
    change(fixture, 5);
    publish(fixture);
    assert_int_equal(agent_build_adopt(fixture->build, &rebase), AGENT_BUILD_OK);
    agent_build_position(fixture->build, &at);
    assert_int_equal(at.base_id, rebase.base_id);
    assert_true(at.delta_names < 30);
    model_assert_index(&fixture->model, fixture->dir);
}

static void test_late_base_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct agent_rebase rebase;

    fixture->build->delta_least = 10;
    sync_all(fixture);
    change(fixture, 200);
    publish(fixture);
    assert_true(agent_build_wants_base(fixture->build, &rebase));
    assert_int_equal(agent_build_rebase(&rebase), AGENT_BUILD_OK);
    sync_all(fixture);
    publish(fixture);
    assert_int_equal(agent_build_adopt(fixture->build, &rebase), AGENT_BUILD_SYNC);
    model_assert_index(&fixture->model, fixture->dir);
}

/* --- what does not fit --- */

static void wrong_digest(struct sinkhole_log_entry *entry)
{
    entry->digest[3] ^= 1;
}
static void wrong_count(struct sinkhole_log_entry *entry)
{
    entry->entries++;
}
static void gap(struct sinkhole_log_entry *entry)
{
    entry->generation++;
}
static void missing_part(struct sinkhole_log_entry *entry)
{
    entry->part = entry->parts = 2;
}
static void broken_frame(struct sinkhole_log_entry *entry)
{
    entry->z_len--;
}
static void lines_lost(struct sinkhole_log_entry *entry)
{
    struct sinkhole_log_entry empty = {.generation = entry->generation, .part = 1};

    /* The same last part, without its value. */
    empty.parts = entry->parts;
    empty.entries = entry->entries;
    empty.meta = entry->meta;
    memcpy(empty.digest, entry->digest, sizeof(empty.digest));
    sinkhole_log_entry_set(&empty, "z", 1, "", 0);
    empty.seen = entry->seen & ~(empty.seen);
    *entry = empty;
}
static void snapshot_flag(struct sinkhole_log_entry *entry)
{
    entry->snapshot = true;
}

static void test_wrong_log_entries(void **state)
{
    static const struct {
        const char *why;
        void (*spoil)(struct sinkhole_log_entry *entry);
        enum agent_build_status expected;
    } rows[] = {
        {"digest flipped by one bit", wrong_digest, AGENT_BUILD_SYNC},
        {"count off by one", wrong_count, AGENT_BUILD_SYNC},
        {"a generation is missing", gap, AGENT_BUILD_SYNC},
        {"a part is missing", missing_part, AGENT_BUILD_SYNC},
        {"zstd frame cut", broken_frame, AGENT_BUILD_SYNC},
        {"its lines are lost", lines_lost, AGENT_BUILD_SYNC},
        {"it came as a snapshot", snapshot_flag, AGENT_BUILD_SNAPSHOT},
    };
    struct fixture *fixture = *state;

    sync_all(fixture);
    publish(fixture);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct model before = fixture->model;
        struct sinkhole_log_entry entry;

        model_change(&fixture->model, 40, &entry);
        rows[i].spoil(&entry);
        print_message("  %s\n", rows[i].why);
        assert_int_equal(agent_build_log(fixture->build, &entry), rows[i].expected);
        assert_int_equal(agent_build_publish(fixture->build, NULL), AGENT_BUILD_SYNC);
        model_assert_index(&before, fixture->dir); /* the last good one stays */
        sync_all(fixture);
        publish(fixture);
    }
}

static void test_wrong_snapshots(void **state)
{
    struct fixture *fixture = *state;
    struct agent_build *build = fixture->build;
    struct model *model = &fixture->model;
    struct sinkhole_list_root root;
    struct sinkhole_log_entry entry;

    agent_build_digest_key(build, model->key);
    model_change(model, 40, &entry);
    model_snapshot(model);
    root = model->root;
    root.snapshot_digest[0] ^= 1;
    assert_int_equal(agent_build_sync_begin(build, &root), AGENT_BUILD_OK);
    assert_int_equal(agent_build_sync_chunk(build, model->value, model->value_len), AGENT_BUILD_OK);
    assert_int_equal(agent_build_sync_end(build), AGENT_BUILD_DAMAGED);
    root = model->root;
    root.snapshot_entries++;
    assert_int_equal(agent_build_sync_begin(build, &root), AGENT_BUILD_OK);
    assert_int_equal(agent_build_sync_chunk(build, model->value, model->value_len), AGENT_BUILD_OK);
    assert_int_equal(agent_build_sync_end(build), AGENT_BUILD_DAMAGED);
    assert_int_equal(agent_build_sync_begin(build, &model->root), AGENT_BUILD_OK);
    model->value[model->value_len / 2] ^= 0x10;
    assert_int_equal(agent_build_sync_chunk(build, model->value, model->value_len),
                     AGENT_BUILD_DAMAGED);
}

static void test_key_changed(void **state)
{
    struct fixture *fixture = *state;

    sync_all(fixture);
    publish(fixture);
    fixture->model.key[0] ^= 1;
    assert_true(agent_build_digest_key(fixture->build, fixture->model.key));
    assert_int_equal(agent_build_publish(fixture->build, NULL), AGENT_BUILD_SYNC);
}

/* --- damaged files --- */

static void file_cut(const char *path)
{
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(truncate(path, st.st_size / 2), 0);
}
static void file_flip(const char *path, long at)
{
    FILE *file = fopen(path, "r+");
    int octet;

    assert_non_null(file);
    fseek(file, at, at < 0 ? SEEK_END : SEEK_SET);
    octet = fgetc(file);
    fseek(file, at, at < 0 ? SEEK_END : SEEK_SET);
    fputc(octet ^ 4, file);
    fclose(file);
}
static void file_flip_end(const char *path)
{
    file_flip(path, -1);
}
static void file_flip_magic(const char *path)
{
    file_flip(path, 0);
}
static void file_flip_version(const char *path)
{
    file_flip(path, 8);
}
static void file_remove(const char *path)
{
    assert_int_equal(unlink(path), 0);
}
static void file_empty(const char *path)
{
    assert_int_equal(truncate(path, 0), 0);
}

static void test_damaged_files(void **state)
{
    static const struct {
        const char *why;
        void (*spoil)(const char *path);
    } rows[] = {
        {"cut in half", file_cut},
        {"last octet flipped", file_flip_end},
        {"another kind", file_flip_magic},
        {"another version", file_flip_version},
        {"gone", file_remove},
        {"empty", file_empty},
    };
    struct fixture *fixture = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (int base = 0; base < 2; base++) {
            struct agent_build_position at;
            char path[200];

            sync_all(fixture);
            change(fixture, 40);
            publish(fixture);
            agent_build_position(fixture->build, &at);
            snprintf(path, sizeof(path), base ? "%s/index/base-%llu" : "%s/index/head",
                     fixture->dir, (unsigned long long)at.base_id);
            print_message("  %s: %s\n", base ? "base" : "head", rows[i].why);
            restart(fixture);
            rows[i].spoil(path);
            assert_int_equal(agent_build_open(fixture->build), AGENT_BUILD_SYNC);
            sync_all(fixture);
            publish(fixture);
        }
    }
}

static void test_check_notices_other_files(void **state)
{
    struct fixture *fixture = *state;
    char path[200];

    sync_all(fixture);
    publish(fixture);
    assert_int_equal(agent_build_check(fixture->build), AGENT_BUILD_OK);
    snprintf(path, sizeof(path), "%s/index/head", fixture->dir);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(agent_build_check(fixture->build), AGENT_BUILD_SYNC);
    sync_all(fixture);
    publish(fixture);
    assert_int_equal(agent_build_check(fixture->build), AGENT_BUILD_OK);
}

/* A disk that takes no more, whoever we are: files end at 100 octets. */
static void disk_full(bool full)
{
    struct rlimit limit;

    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = full ? 100 : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void test_disk_full(void **state)
{
    struct fixture *fixture = *state;
    enum agent_build_status status;
    struct model before;

    sync_all(fixture);
    publish(fixture);
    before = fixture->model;
    change(fixture, 20);
    disk_full(true);
    status = agent_build_publish(fixture->build, fixture->model.text);
    disk_full(false);
    assert_int_equal(status, AGENT_BUILD_IO);
    model_assert_index(&before, fixture->dir);
    assert_int_equal(agent_build_publish(fixture->build, NULL), AGENT_BUILD_OK);
    model_assert_index(&fixture->model, fixture->dir);
}

/* With a group: its members read the index, others do not; the state is for everybody. */
static void test_modes(void **state)
{
    static const struct {
        const char *path;
        mode_t mode;
    } rows[] = {
        {"", 0755},
        {"/agent", 0755},
        {"/index", 02750},
        {"/index/head", 0640},
    };
    struct fixture *fixture = *state;
    mode_t before = umask(0027);
    char command[100], path[200];
    struct stat st;

    agent_build_free(fixture->build);
    snprintf(command, sizeof(command), "rm -rf %s", fixture->dir);
    assert_int_equal(system(command), 0);
    fixture->build = agent_build_new(fixture->dir, CANARY, getegid());
    assert_true(agent_build_prepare(fixture->build));
    sync_all(fixture);
    publish(fixture);
    umask(before);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        snprintf(path, sizeof(path), "%s%s", fixture->dir, rows[i].path);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, rows[i].mode);
        assert_int_equal(st.st_gid, getegid());
    }
}

/* A list that names the canary itself, and a canary that changes its name. */
static void test_canary_is_no_entry(void **state)
{
    struct fixture *fixture = *state;
    struct sinkhole_index *index;
    uint32_t ids[SINKHOLE_INDEX_ENTRIES_MAX];
    char canary[64] = "n007.example";

    fixture->model.listed[7][1] = false;
    sync_all(fixture);
    change(fixture, 800);
    publish(fixture);
    agent_build_free(fixture->build);
    fixture->build = agent_build_new(fixture->dir, canary, (gid_t)-1);
    assert_true(agent_build_prepare(fixture->build));
    assert_int_equal(agent_build_open(fixture->build), AGENT_BUILD_OK);
    agent_build_digest_key(fixture->build, fixture->model.key);
    assert_int_equal(agent_build_publish(fixture->build, fixture->model.text), AGENT_BUILD_OK);
    assert_int_equal(sinkhole_index_open(fixture->dir, &index), SINKHOLE_INDEX_OK);
    assert_int_equal(sinkhole_index_entries(index, "example sinkhole canary", 23, ids), 0);
    assert_true(sinkhole_index_entries(index, "example n007", 12, ids) >= 1);
    sinkhole_index_close(index);
    restart(fixture); /* the first canary's name again */
    assert_int_equal(agent_build_open(fixture->build), AGENT_BUILD_OK);
    agent_build_digest_key(fixture->build, fixture->model.key);
    publish(fixture);
}

static void test_top_level_names_are_left_out(void **state)
{
    struct fixture *fixture = *state;
    struct agent_build *build = fixture->build;
    struct sinkhole_list_encoder *encoder = sinkhole_list_encoder_new(SINKHOLE_LIST_CHUNK);
    struct sinkhole_list_root root = {.head = {.generation = 1, .snapshot = 1}, .chunks = 1};
    struct sinkhole_digest digest = {0};
    struct agent_build_position at;
    const void *data;
    size_t len;

    sinkhole_list_encoder_add(encoder, "com", 3, 1, false);
    sinkhole_list_encoder_add(encoder, "com evil", 8, 1, false);
    sinkhole_digest_add(&digest, fixture->model.key, "com\t1", 5);
    sinkhole_digest_add(&digest, fixture->model.key, "com evil\t1", 10);
    assert_int_equal(sinkhole_list_encoder_finish(encoder, &data, &len), SINKHOLE_CODEC_OK);
    root.snapshot_entries = root.head.entries = 2;
    sinkhole_digest_octets(&digest, root.snapshot_digest);
    agent_build_digest_key(build, fixture->model.key);
    assert_int_equal(agent_build_sync_begin(build, &root), AGENT_BUILD_OK);
    assert_int_equal(agent_build_sync_chunk(build, data, len), AGENT_BUILD_OK);
    assert_int_equal(agent_build_sync_end(build), AGENT_BUILD_OK);
    assert_int_equal(agent_build_publish(build, fixture->model.text), AGENT_BUILD_OK);
    agent_build_position(build, &at);
    assert_int_equal(at.refused, 1);
    assert_int_equal(at.base_names, 1);
    assert_int_equal(at.entries, 2);
    sinkhole_list_encoder_free(encoder);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_empty_list),
        TEST(test_generations),
        TEST(test_sync_keeps_old_index_until_published),
        TEST(test_restart_goes_on),
        TEST(test_random_history),
        TEST(test_new_base_shrinks_the_delta),
        TEST(test_late_base_is_refused),
        TEST(test_wrong_log_entries),
        TEST(test_wrong_snapshots),
        TEST(test_key_changed),
        TEST(test_damaged_files),
        TEST(test_check_notices_other_files),
        TEST(test_disk_full),
        TEST(test_modes),
        TEST(test_canary_is_no_entry),
        TEST(test_top_level_names_are_left_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
