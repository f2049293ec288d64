/* SPDX-License-Identifier: BSD-3-Clause */
/* A real Redis and a real agent. Threads and memory: see rig.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <jansson.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sinkhole/clock.h"
#include "tests/agent/rig.h"

#define FEED "test"

/* --- processes --- */

static pid_t rig_spawn(const struct rig *rig, const char *log, const char *const *argv)
{
    char path[120];
    pid_t pid;
    int fd;

    snprintf(path, sizeof(path), "%s/%s", rig->root, log);
    pid = fork();
    assert_true(pid >= 0);
    if (pid > 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0644);
    if (fd >= 0) {
        dup2(fd, STDOUT_FILENO);
        dup2(fd, STDERR_FILENO);
    }
    execvp(argv[0], (char *const *)(uintptr_t)argv);
    _exit(127);
}

static int rig_end(pid_t *pid, int signal)
{
    int status;

    if (*pid <= 0)
        return -1;
    kill(*pid, signal);
    assert_int_equal(waitpid(*pid, &status, 0), *pid);
    *pid = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Between two looks at what is waited for. */
static void rig_breathe(void)
{
    usleep(2000);
}

void rig_redis_start(struct rig *rig)
{
    char socket[100];
    const char *argv[] = {"redis-server",
                          "--port",
                          "0",
                          "--unixsocket",
                          socket,
                          "--dir",
                          rig->root,
                          "--appendonly",
                          "yes",
                          "--appendfsync",
                          "no",
                          "--save",
                          "",
                          NULL};
    int64_t end_ms = sinkhole_monotonic_ms() + RIG_WAIT_MS;

    snprintf(socket, sizeof(socket), "%s/redis.sock", rig->root);
    rig->redis = rig_spawn(rig, "redis.log", argv);
    while (sinkhole_store_ping(rig->store) != SINKHOLE_STORE_OK) {
        assert_true(sinkhole_monotonic_ms() < end_ms);
        rig_breathe();
    }
}

void rig_redis_stop(struct rig *rig, int signal)
{
    rig_end(&rig->redis, signal);
}

bool rig_redis_do(struct rig *rig, const char *command)
{
    char socket[100];
    redisContext *context;
    redisReply *reply;
    bool ok;

    snprintf(socket, sizeof(socket), "%s/redis.sock", rig->root);
    context = redisConnectUnix(socket);
    assert_non_null(context);
    assert_int_equal(context->err, 0);
    reply = redisCommand(context, command);
    ok = reply != NULL && reply->type != REDIS_REPLY_ERROR;
    freeReplyObject(reply);
    redisFree(context);
    return ok;
}

void rig_agent_start(struct rig *rig)
{
    const char *program = getenv("SINKHOLE_AGENT");
    char config[100];
    const char *argv[] = {program != NULL ? program : "./sinkhole-agent", "--config", config,
                          "--verbose", NULL};

    snprintf(config, sizeof(config), "%s/sinkhole.yaml", rig->root);
    rig->agent = rig_spawn(rig, "agent.log", argv);
}

int rig_agent_stop(struct rig *rig, int signal)
{
    return rig_end(&rig->agent, signal);
}

/* --- life --- */

static void rig_config(const struct rig *rig, bool password)
{
    char path[100];
    FILE *file;

    snprintf(path, sizeof(path), "%s/sinkhole.yaml", rig->root);
    file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "redis:\n  socket: %s/redis.sock\n", rig->root);
    if (password)
        fprintf(file, "  password_file: %s/password\n", rig->root);
    if (password && rig->user != NULL)
        fprintf(file, "  user: %s\n", rig->user);
    fprintf(file,
            "  command_timeout_ms: 1000\n"
            "resolver:\n  name: rig\n  directory: %s\n  port: 1\n  canary_every_s: 600\n",
            rig->dir);
    fclose(file);
}

void rig_password(struct rig *rig, const char *password)
{
    char path[100];
    FILE *file;

    snprintf(path, sizeof(path), "%s/password", rig->root);
    file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "%s\n", password);
    fclose(file);
    assert_int_equal(chmod(path, 0600), 0);
    rig_config(rig, true);
}

void rig_init(struct rig *rig)
{
    struct sinkhole_feed feed = {.policy = {.feed = FEED,
                                            .action = SINKHOLE_ACTION_NXDOMAIN,
                                            .rank = 100,
                                            .ttl_s = 10,
                                            .ede_code = 15},
                                 .title = "test",
                                 .format = "plain"};
    char path[100], error[SINKHOLE_SETTINGS_ERROR_MAX];

    memset(rig, 0, sizeof(*rig));
    snprintf(rig->root, sizeof(rig->root), "/tmp/sinkhole-agent-XXXXXX");
    assert_non_null(mkdtemp(rig->root));
    snprintf(rig->dir, sizeof(rig->dir), "%s/d", rig->root);
    rig_config(rig, false);
    snprintf(path, sizeof(path), "%s/sinkhole.yaml", rig->root);
    rig->settings = sinkhole_settings_load(path, error);
    if (rig->settings == NULL)
        fail_msg("%s", error);
    rig->store = sinkhole_store_new(rig->settings);
    assert_non_null(rig->store);
    rig_redis_start(rig);
    if (sinkhole_feed_put(rig->store, &feed) != SINKHOLE_STORE_OK)
        fail_msg("%s", sinkhole_store_error(rig->store));
}

void rig_done(struct rig *rig)
{
    char command[100];

    int code = rig_end(&rig->agent, SIGTERM);

    if (code > 0)
        print_message("  the agent had ended with %d\n", code);
    rig_end(&rig->redis, SIGTERM);
    sinkhole_store_free(rig->store);
    sinkhole_settings_free(rig->settings);
    snprintf(command, sizeof(command), "rm -rf %s", rig->root);
    if (getenv("SINKHOLE_KEEP") == NULL)
        assert_int_equal(system(command), 0);
}

/* --- list --- */

static void rig_ok(struct rig *rig, enum sinkhole_store_status status)
{
    if (status != SINKHOLE_STORE_OK)
        fail_msg("%s: %s", sinkhole_store_status_text(status), sinkhole_store_error(rig->store));
}

struct rig_lookup {
    struct rig *rig;
    struct sinkhole_change *change;
};

static void rig_remove(struct rig *rig, struct sinkhole_change *change, const char *key, size_t len)
{
    uint32_t ids[SINKHOLE_INDEX_ENTRIES_MAX];
    size_t count;

    rig_ok(rig, sinkhole_list_find(rig->store, key, len, ids, &count));
    assert_true(count > 0);
    rig_ok(rig, sinkhole_change_remove(change, key, len, ids[0]));
}

uint64_t rig_publish(struct rig *rig, unsigned first, unsigned count, bool remove)
{
    struct sinkhole_batch batch = {.rule = {.scope = SINKHOLE_SCOPE_SUBTREE, .severity = 3},
                                   .feed = FEED,
                                   .reference = "1/TEST"};
    struct sinkhole_change *change = NULL;
    uint64_t generation = 0;

    rig_ok(rig, sinkhole_change_new(rig->store, FEED, &change));
    if (!remove)
        rig_ok(rig, sinkhole_change_batch(change, &batch));
    for (unsigned n = first; n < first + count; n++) {
        char key[64];
        size_t len = (size_t)snprintf(key, sizeof(key), "example n%06u", n);

        if (remove)
            rig_remove(rig, change, key, len);
        else
            rig_ok(rig, sinkhole_change_add(change, key, len, batch.rule.id));
    }
    rig_ok(rig, sinkhole_change_publish(change, NULL, NULL, &generation));
    sinkhole_change_free(change);
    return generation;
}

uint64_t rig_generation(struct rig *rig)
{
    struct sinkhole_list_head head;

    rig_ok(rig, sinkhole_list_head_get(rig->store, &head));
    return head.generation;
}

/* --- waiting --- */

void rig_wait_generation(struct rig *rig, uint64_t generation)
{
    int64_t end_ms = sinkhole_monotonic_ms() + RIG_WAIT_MS;
    uint64_t seen = 0;

    for (;;) {
        struct sinkhole_index_info info;
        struct sinkhole_index *index;

        if (sinkhole_index_open(rig->dir, &index) == SINKHOLE_INDEX_OK) {
            sinkhole_index_info(index, &info);
            sinkhole_index_close(index);
            seen = info.generation;
            if (seen == generation)
                return;
        }
        if (sinkhole_monotonic_ms() > end_ms)
            fail_msg("generation %llu on disk, waited for %llu", (unsigned long long)seen,
                     (unsigned long long)generation);
        rig_breathe();
    }
}

static json_t *rig_status(const struct rig *rig)
{
    char path[120];

    snprintf(path, sizeof(path), "%s/agent/status.json", rig->dir);
    return json_load_file(path, 0, NULL);
}

uint64_t rig_status_number(struct rig *rig, const char *field)
{
    json_t *status = rig_status(rig);
    const char *text = json_string_value(json_object_get(status, field));
    uint64_t number = text == NULL ? 0 : strtoull(text, NULL, 10);

    json_decref(status);
    return number;
}

void rig_wait_status(struct rig *rig, const char *field, const char *value)
{
    int64_t end_ms = sinkhole_monotonic_ms() + RIG_WAIT_MS;
    char last[128] = "";

    for (;;) {
        json_t *status = rig_status(rig);
        const char *text = json_string_value(json_object_get(status, field));

        snprintf(last, sizeof(last), "%s", text == NULL ? "" : text);
        json_decref(status);
        if (strcmp(last, value) == 0)
            return;
        if (sinkhole_monotonic_ms() > end_ms)
            fail_msg("%s is %s, waited for %s", field, last, value);
        rig_breathe();
    }
}

static bool rig_has_condition(const struct rig *rig, const char *code)
{
    json_t *status = rig_status(rig), *condition;
    bool found = false;
    size_t i;

    json_array_foreach(json_object_get(status, "conditions"), i, condition)
    {
        const char *text = json_string_value(json_object_get(condition, "code"));

        found = found || (text != NULL && strcmp(text, code) == 0);
    }
    json_decref(status);
    return found;
}

void rig_wait_condition(struct rig *rig, const char *code, bool there)
{
    int64_t end_ms = sinkhole_monotonic_ms() + RIG_WAIT_MS;

    while (rig_has_condition(rig, code) != there) {
        if (sinkhole_monotonic_ms() > end_ms)
            fail_msg("condition %s %s", code, there ? "did not come" : "did not go");
        rig_breathe();
    }
}

struct rig_count {
    const char *code;
    unsigned count;
};

static bool rig_count_alarm(void *arg, const struct sinkhole_alarm *alarm)
{
    struct rig_count *count = arg;

    count->count += strcmp(alarm->code, count->code) == 0;
    return true;
}

unsigned rig_alarms(struct rig *rig, const char *code)
{
    struct rig_count count = {code, 0};

    rig_ok(rig, sinkhole_alarm_list(rig->store, true, rig_count_alarm, &count));
    return count.count;
}

void rig_wait_alarms(struct rig *rig, const char *code, unsigned least)
{
    int64_t end_ms = sinkhole_monotonic_ms() + RIG_WAIT_MS;

    while (rig_alarms(rig, code) < least) {
        if (sinkhole_monotonic_ms() > end_ms)
            fail_msg("alarm %s did not come", code);
        rig_breathe();
    }
}

/* --- comparison --- */

struct rig_walk {
    const struct sinkhole_index *index;
    uint64_t lines;
};

static bool rig_compare_line(void *arg, const char *key, size_t key_len, const uint32_t *ids,
                             size_t count)
{
    struct rig_walk *walk = arg;
    uint32_t here[SINKHOLE_INDEX_ENTRIES_MAX];

    assert_int_equal(sinkhole_index_entries(walk->index, key, key_len, here), count);
    assert_memory_equal(here, ids, count * sizeof(ids[0]));
    for (size_t i = 0; i < count; i++)
        assert_non_null(sinkhole_index_rule(walk->index, ids[i]));
    walk->lines += count;
    return true;
}

static bool rig_count_line(void *arg, const char *key, size_t key_len, const uint32_t *ids,
                           size_t count)
{
    uint64_t *lines = arg;

    (void)key, (void)key_len;
    *lines += count - (ids[count - 1] == SINKHOLE_RULE_CANARY);
    return true;
}

void rig_assert_same(struct rig *rig)
{
    struct sinkhole_index_info info;
    struct sinkhole_list_head head;
    struct sinkhole_index *index;
    struct rig_walk walk = {NULL, 0};
    uint64_t lines = 0;

    assert_int_equal(sinkhole_index_open(rig->dir, &index), SINKHOLE_INDEX_OK);
    walk.index = index;
    rig_ok(rig, sinkhole_list_read(rig->store, &head, rig_compare_line, &walk));
    sinkhole_index_info(index, &info);
    assert_int_equal(info.generation, head.generation);
    assert_int_equal(info.entries, head.entries);
    assert_memory_equal(info.digest, head.digest, SINKHOLE_DIGEST_LEN);
    assert_int_equal(walk.lines, head.entries);
    assert_true(sinkhole_index_walk(index, SINKHOLE_INDEX_WHOLE, rig_count_line, &lines));
    assert_int_equal(lines, head.entries);
    sinkhole_index_close(index);
}
