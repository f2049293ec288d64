/* SPDX-License-Identifier: BSD-3-Clause */
/* The agent put together. Threads and memory: see agent.h. */
#include "config.h"

#include "agent/agent.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "agent/alarm.h"
#include "agent/canary.h"
#include "agent/follow.h"
#include "agent/log.h"
#include "agent/ship.h"
#include "agent/status.h"
#include "sinkhole/clock.h"
#include "sinkhole/counters.h"

#define AWAY_MS 1500 /* Redis away for so long is an alarm */
#define SIGNALS 3

struct agent {
    const struct sinkhole_settings *settings;
    const char *dir;
    struct event_base *loop;
    struct event *signals[SIGNALS];
    struct event *watchdog;
    int lock;
    struct agent_alarms *alarms;
    struct agent_redis *redis;
    struct agent_build *build;
    struct agent_follow *follow;
    struct agent_canary *canary;
    struct sinkhole_ship *ship;
    struct sinkhole_ship_stats shipped; /* as of shipped_ms: asking costs */
    int64_t shipped_ms;
    struct agent_status *status;
    bool told_ready;
    int64_t started_ms;
    int64_t away_ms; /* Unix ms: since when Redis is away; 0: it is there */
};

/* --- status --- */

static void agent_fill_module(struct agent *agent, struct agent_status *status)
{
    struct sinkhole_counters *counters = sinkhole_counters_open_read(agent->dir);
    char name[40];

    if (counters == NULL)
        return; /* no module has run here yet */
    for (int id = 0; id < SINKHOLE_COUNTER_COUNT; id++) {
        snprintf(name, sizeof(name), "module_%s", sinkhole_counter_name((enum sinkhole_counter)id));
        agent_status_put(status, name, "%" PRIu64,
                         sinkhole_counters_get(counters, (enum sinkhole_counter)id));
    }
    agent_status_put(status, "sinkholed", "%" PRIu64,
                     sinkhole_counters_get(counters, SINKHOLE_COUNT_SINKHOLED));
    agent_status_put(status, "recorded", "%" PRIu64,
                     sinkhole_counters_get(counters, SINKHOLE_COUNT_RECORDED));
    agent_status_put(status, "drops", "%" PRIu64,
                     sinkhole_counters_get(counters, SINKHOLE_COUNT_LOST));
    sinkhole_counters_close(counters);
}

static void agent_fill_index(struct agent *agent, struct agent_status *status)
{
    struct agent_follow_state state;
    char digest[2 * SINKHOLE_DIGEST_LEN + 1];

    agent_follow_state(agent->follow, &state);
    for (size_t i = 0; i < SINKHOLE_DIGEST_LEN; i++)
        snprintf(digest + 2 * i, 3, "%02x", state.position.digest[i]);
    agent_status_put(status, "index", "%s", state.position.in_force ? "in-force" : "none");
    agent_status_put(status, "generation", "%" PRIu64, state.position.published);
    agent_status_put(status, "head", "%" PRIu64, state.head);
    agent_status_put(status, "digest", "%s", digest);
    agent_status_put(status, "entries", "%" PRIu64, state.position.entries);
    agent_status_put(status, "follower", "%s", state.doing);
    agent_status_put(status, "age_ms", "%" PRId64,
                     state.confirmed_ms == 0 ? -1 : sinkhole_now_ms() - state.confirmed_ms);
    agent_status_put(status, "base", "%" PRIu64, state.position.base_names);
    agent_status_put(status, "delta", "%" PRIu64, state.position.delta_names);
    agent_status_put(status, "index_bytes", "%" PRIu64, state.position.bytes);
    agent_status_put(status, "refused", "%" PRIu64, state.position.refused);
    agent_status_put(status, "syncs", "%" PRIu64, state.syncs);
    agent_status_put(status, "resyncs", "%" PRIu64, state.resyncs);
    agent_status_put(status, "publications", "%" PRIu64, state.publications);
    agent_status_put(status, "bases", "%" PRIu64, state.bases);
    agent_status_put(status, "publish_us", "%" PRIu64, state.publish_us);
}

static void agent_fill_ship(struct agent *agent, struct agent_status *status)
{
    const struct sinkhole_ship_stats *stats = &agent->shipped;

    if (sinkhole_monotonic_ms() - agent->shipped_ms >= 1000) {
        agent->shipped_ms = sinkhole_monotonic_ms();
        sinkhole_ship_stats(agent->ship, &agent->shipped);
    }
    agent_status_put(status, "journal", "%s", stats->journal ? "there" : "none");
    agent_status_put(status, "lanes", "%u", stats->lanes);
    agent_status_put(status, "backlog", "%" PRIu64, stats->backlog + stats->in_flight);
    agent_status_put(status, "backlog_bytes", "%" PRIu64, stats->backlog_bytes);
    agent_status_put(status, "oldest_ms", "%" PRId64, stats->oldest_ms);
    agent_status_put(status, "shipped", "%" PRIu64, stats->shipped);
    agent_status_put(status, "shipped_replies", "%" PRIu64, stats->replies);
    agent_status_put(status, "canary_replies", "%" PRIu64, stats->canary);
    agent_status_put(status, "duplicates", "%" PRIu64, stats->duplicates);
    agent_status_put(status, "damaged", "%" PRIu64, stats->damaged);
    agent_status_put(status, "trimmed_age", "%" PRIu64, stats->trimmed_age);
    agent_status_put(status, "trimmed_size", "%" PRIu64, stats->trimmed_size);
    agent_status_put(status, "stream_bytes", "%" PRIu64, stats->stream_bytes);
    agent_status_put(status, "stored_ms", "%" PRId64, stats->last_stored_ms);
}

static void agent_fill(void *arg, struct agent_status *status)
{
    struct agent *agent = arg;
    char host[80] = "";

    gethostname(host, sizeof(host) - 1);
    agent_status_put(status, "version", "%s", PACKAGE_VERSION);
    agent_status_put(status, "pid", "%ld", (long)getpid());
    agent_status_put(status, "teller", "%s process %ld", host, (long)getpid());
    agent_status_put(status, "started_ms", "%" PRId64, agent->started_ms);
    agent_status_put(status, "updated_ms", "%" PRId64, sinkhole_now_ms());
    agent_status_put(status, "redis", "%s", agent->away_ms == 0 ? "ready" : "away");
    agent_status_put(status, "redis_away_ms", "%" PRId64,
                     agent->away_ms == 0 ? 0 : sinkhole_now_ms() - agent->away_ms);
    agent_fill_index(agent, status);
    agent_status_put(status, "canary", "%s",
                     agent_canary_state_text(agent_canary_state(agent->canary)));
    agent_status_put(status, "canary_ms", "%.1f",
                     (double)agent_canary_latency_us(agent->canary) / 1000);
    agent_status_put(status, "alarms", "%" PRIu64, agent_alarms_raised(agent->alarms));
    agent_status_put(status, "alarms_unsent", "%" PRIu64, agent_alarms_unsent(agent->alarms));
    agent_fill_ship(agent, status);
    agent_fill_module(agent, status);
}

static void agent_notify(struct agent *agent)
{
    struct agent_follow_state state;

    agent_follow_state(agent->follow, &state);
    if (state.opened && !agent->told_ready) {
        agent->told_ready = true;
        sd_notify(0, "READY=1");
    }
    sd_notifyf(0, "STATUS=generation %llu, %llu entries, %s; Redis %s; canary %s",
               (unsigned long long)state.position.published,
               (unsigned long long)state.position.entries, state.doing,
               agent->away_ms == 0 ? "ready" : "away",
               agent_canary_state_text(agent_canary_state(agent->canary)));
}

/* Something changed, in the follower or with the canary. */
static void agent_changed(void *arg)
{
    struct agent *agent = arg;
    struct agent_follow_state state;

    if (agent->follow == NULL || agent->status == NULL || agent->canary == NULL)
        return;
    agent_follow_state(agent->follow, &state);
    if (state.position.in_force)
        agent_canary_start(agent->canary);
    agent_notify(agent);
    agent_status_soon(agent->status);
}

/* --- Redis --- */

static void agent_redis_ready(void *arg)
{
    struct agent *agent = arg;

    agent->away_ms = 0;
    agent_alarms_attach(agent->alarms, agent->redis);
    agent_alarm_set(agent->alarms, SINKHOLE_WARNING, "redis-refused", false,
                    "Redis lets this agent in again");
    agent_alarm_set(agent->alarms, SINKHOLE_ALARM, "redis-away", false, "Redis is back");
    agent_alarms_flush(agent->alarms);
    agent_status_attach(agent->status, agent->redis);
    agent_follow_redis_ready(agent->follow);
    agent_log(AGENT_DEBUG, "Redis is ready");
}

static void agent_redis_lost(void *arg, enum sinkhole_store_status status, const char *why)
{
    struct agent *agent = arg;

    if (agent->away_ms == 0)
        agent->away_ms = sinkhole_now_ms();
    agent_alarms_attach(agent->alarms, NULL);
    agent_status_attach(agent->status, NULL);
    agent_follow_redis_lost(agent->follow);
    agent_log(AGENT_DEBUG, "%s", why);
    if (status == SINKHOLE_STORE_OPERATOR)
        agent_alarm_set(agent->alarms, SINKHOLE_ALARM, "redis-refused", true,
                        "Redis does not let this agent in (redis.user, redis.password_file): %s",
                        why);
    else if (sinkhole_now_ms() - agent->away_ms > AWAY_MS)
        agent_alarm_set(agent->alarms, SINKHOLE_ALARM, "redis-away", true,
                        "%s; the last good index stays in force", why);
}

/* --- what the shipper says --- */

static void agent_ship_event(void *arg, enum sinkhole_severity severity, const char *code,
                             const char *text)
{
    struct agent *agent = arg;

    agent_alarm_event(agent->alarms, severity, code, "%s", text);
}

static void agent_ship_condition(void *arg, enum sinkhole_severity severity, const char *code,
                                 bool on, const char *text)
{
    struct agent *agent = arg;

    agent_alarm_set(agent->alarms, severity, code, on, "%s", text);
}

/* --- signals and watchdog --- */

static void agent_on_end(evutil_socket_t signal, short what, void *arg)
{
    struct agent *agent = arg;

    (void)what;
    agent_log(AGENT_INFO, "ending: signal %d", (int)signal);
    sd_notify(0, "STOPPING=1");
    event_base_loopbreak(agent->loop);
}

static void agent_on_hangup(evutil_socket_t signal, short what, void *arg)
{
    struct agent *agent = arg;

    (void)signal, (void)what;
    agent_log(AGENT_INFO, "SIGHUP: connecting to Redis anew");
    agent_redis_reconnect(agent->redis);
    agent_follow_reconnect(agent->follow);
}

static void agent_on_watchdog(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what, (void)arg;
    sd_notify(0, "WATCHDOG=1");
}

static bool agent_start_events(struct agent *agent)
{
    static const int numbers[SIGNALS] = {SIGTERM, SIGINT, SIGHUP};
    uint64_t watchdog_us = 0;

    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file limit is a write that fails */
    for (int i = 0; i < SIGNALS; i++) {
        agent->signals[i] = evsignal_new(
            agent->loop, numbers[i], numbers[i] == SIGHUP ? agent_on_hangup : agent_on_end, agent);
        if (agent->signals[i] == NULL || event_add(agent->signals[i], NULL) != 0)
            return false;
    }
    if (sd_watchdog_enabled(0, &watchdog_us) > 0) {
        struct timeval half = {(time_t)(watchdog_us / 2000000),
                               (suseconds_t)(watchdog_us / 2 % 1000000)};

        agent->watchdog = event_new(agent->loop, -1, EV_PERSIST, agent_on_watchdog, agent);
        if (agent->watchdog == NULL || event_add(agent->watchdog, &half) != 0)
            return false;
    }
    return true;
}

/* --- life --- */

static gid_t agent_group(const struct sinkhole_settings *settings, bool *ret_ok)
{
    const struct group *group;

    *ret_ok = true;
    if (settings->resolver_group[0] == '\0')
        return (gid_t)-1;
    group = getgrnam(settings->resolver_group);
    *ret_ok = group != NULL;
    return group == NULL ? (gid_t)-1 : group->gr_gid;
}

/* Zones that Unbound answers by itself, before any module sees the query (unbound.conf(5),
 * local-zone defaults; RFC 6761). */
static void agent_check_canary_zone(const struct sinkhole_name *canary)
{
    static const char *const zones[] = {"invalid", "test", "localhost", "onion", "home.arpa"};
    struct sinkhole_name zone;

    for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++) {
        if (sinkhole_name_from_text(zones[i], strlen(zones[i]), &zone) == SINKHOLE_NAME_OK &&
            sinkhole_name_is_at_or_below(canary, &zone))
            agent_log(AGENT_WARNING,
                      "resolver.canary: Unbound answers names below %s by itself, unless its "
                      "configuration says \"local-zone: %s nodefault\": the canary would fail",
                      zones[i], zones[i]);
    }
}

enum agent_exit agent_check(const struct sinkhole_settings *settings)
{
    struct sinkhole_name name;
    uint8_t address[16];
    bool group_ok;

    agent_group(settings, &group_ok);
    if (!group_ok) {
        agent_log(AGENT_ERROR, "resolver.group: there is no group %s", settings->resolver_group);
        return AGENT_EXIT_USAGE;
    }
    if (sinkhole_name_from_text(settings->resolver_canary, strlen(settings->resolver_canary),
                                &name) != SINKHOLE_NAME_OK ||
        name.labels < 2) {
        agent_log(AGENT_ERROR,
                  "resolver.canary: %s is no host name of two labels or more, like "
                  "canary.sinkhole.example",
                  settings->resolver_canary);
        return AGENT_EXIT_USAGE;
    }
    agent_check_canary_zone(&name);
    if (settings->redis_socket[0] == '\0' &&
        inet_pton(AF_INET, settings->redis_host, address) != 1 &&
        inet_pton(AF_INET6, settings->redis_host, address) != 1)
        agent_log(AGENT_WARNING,
                  "redis.host: %s is a name: looking it up stops the agent as long as that "
                  "takes; an address does not",
                  settings->redis_host);
    if (inet_pton(AF_INET, settings->resolver_address, address) != 1 &&
        inet_pton(AF_INET6, settings->resolver_address, address) != 1) {
        agent_log(AGENT_ERROR, "resolver.address: %s is no IPv4 or IPv6 address",
                  settings->resolver_address);
        return AGENT_EXIT_USAGE;
    }
    return AGENT_EXIT_OK;
}

/* One agent a folder: a lock that the kernel lets go when its holder dies. */
static enum agent_exit agent_take_lock(struct agent *agent)
{
    char path[400], pid[24];
    int len;

    snprintf(path, sizeof(path), "%s/agent/lock", agent->dir);
    agent->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (agent->lock < 0) {
        agent_log(AGENT_ERROR, "cannot open %s: %s", path, strerror(errno));
        return AGENT_EXIT_FAILED;
    }
    if (flock(agent->lock, LOCK_EX | LOCK_NB) != 0) {
        ssize_t got = read(agent->lock, pid, sizeof(pid) - 1);

        pid[got > 0 ? got : 0] = '\0';
        pid[strcspn(pid, "\n")] = '\0';
        agent_log(AGENT_ERROR, "another agent (process %s) works in %s", pid, agent->dir);
        return AGENT_EXIT_LOCKED;
    }
    len = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
    if (ftruncate(agent->lock, 0) != 0 || write(agent->lock, pid, (size_t)len) != len)
        agent_log(AGENT_WARNING, "cannot write %s: %s", path, strerror(errno));
    return AGENT_EXIT_OK;
}

static bool agent_start_parts(struct agent *agent)
{
    const struct agent_redis_events events = {agent_redis_ready, agent_redis_lost, agent};
    const struct sinkhole_ship_events ship_events = {agent_ship_event, agent_ship_condition, agent};
    struct agent_follow_config config = {.loop = agent->loop,
                                         .settings = agent->settings,
                                         .build = agent->build,
                                         .changed = agent_changed,
                                         .arg = agent};

    agent->alarms = agent_alarms_new(agent->settings->resolver_name);
    if (agent->alarms == NULL)
        return false;
    agent->canary =
        agent_canary_new(agent->loop, agent->settings, agent->alarms, agent_changed, agent);
    agent->redis = agent_redis_new(agent->loop, agent->settings, &events);
    if (agent->canary == NULL || agent->redis == NULL)
        return false;
    config.alarms = agent->alarms;
    config.redis = agent->redis;
    agent->follow = agent_follow_new(&config);
    agent->ship = sinkhole_ship_new(agent->loop, agent->settings, agent->dir, &ship_events);
    agent->status = agent_status_new(agent->loop, agent->dir, agent->settings->resolver_name,
                                     agent->alarms, agent_fill, agent);
    return agent->follow != NULL && agent->ship != NULL && agent->status != NULL &&
           agent_start_events(agent);
}

/* Redis first: its last words go to the others. */
static void agent_done(struct agent *agent)
{
    agent_redis_free(agent->redis);
    sinkhole_ship_free(agent->ship);
    agent_follow_free(agent->follow);
    agent_build_free(agent->build);
    agent_canary_free(agent->canary);
    agent_status_free(agent->status);
    agent_alarms_free(agent->alarms);
    for (int i = 0; i < SIGNALS; i++) {
        if (agent->signals[i] != NULL)
            event_free(agent->signals[i]);
    }
    if (agent->watchdog != NULL)
        event_free(agent->watchdog);
    if (agent->loop != NULL)
        event_base_free(agent->loop);
    if (agent->lock >= 0)
        close(agent->lock);
}

enum agent_exit agent_run(const struct sinkhole_settings *settings)
{
    struct agent agent = {.settings = settings,
                          .dir = settings->resolver_directory,
                          .lock = -1,
                          .started_ms = sinkhole_now_ms(),
                          .away_ms = sinkhole_now_ms()};
    enum agent_exit code = agent_check(settings);
    bool group_ok;

    if (code != AGENT_EXIT_OK)
        return code;
    umask(settings->resolver_group[0] == '\0' ? 0022 : 0027);
    code = AGENT_EXIT_FAILED;
    agent.build =
        agent_build_new(agent.dir, settings->resolver_canary, agent_group(settings, &group_ok));
    if (agent.build == NULL || !agent_build_prepare(agent.build)) {
        agent_log(AGENT_ERROR, "%s",
                  agent.build == NULL ? "no memory" : agent_build_error(agent.build));
        goto out;
    }
    code = agent_take_lock(&agent);
    if (code != AGENT_EXIT_OK)
        goto out;
    code = AGENT_EXIT_FAILED;
    agent.loop = event_base_new();
    if (agent.loop == NULL || !agent_start_parts(&agent)) {
        agent_log(AGENT_ERROR, "cannot start: no memory, or no more threads or descriptors");
        goto out;
    }
    agent_log(AGENT_INFO, "resolver %s, folder %s, version %s", settings->resolver_name, agent.dir,
              PACKAGE_VERSION);
    event_base_dispatch(agent.loop);
    agent_status_now(agent.status);
    code = AGENT_EXIT_OK;
out:
    agent_done(&agent);
    return code;
}
