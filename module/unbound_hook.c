/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the engine's thread has done in a worker: the callback for replies from the cache, hung in
 * only while it has something to look for, and lines for the log.
 *
 * Unbound's loop over callbacks and dynlib's wrapper cost 2-3 % of a cached reply before ours says
 * "nothing to do". Each worker has its own copy of the list's head, so each takes the callback off
 * and on by itself: the engine's thread wakes it by an event in the worker's own loop. Until a
 * worker has had its first query for operate, and where others have callbacks in the list, it stays
 * hung in. The log's settings change at a reload, without a lock, while the thread still runs: so
 * it is a worker that speaks for it, or deinit.
 *
 * Threads: a hook belongs to its worker; `joined` and `hung` are its word to the engine's thread.
 * Memory: one event and one descriptor for each worker; its event base goes before deinit, and
 * takes the event off by itself, so that only the memory is left to free.
 */
#include "module/unbound_glue.h"

#include <errno.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "util/log.h"
#include "util/ub_event.h"

#define HANG_WAIT_MS 200

/* --- the log --- */

static void line_say(enum sinkhole_log_level level, const char *text)
{
    switch (level) {
    case SINKHOLE_LOG_ERROR:
        log_err("sinkhole: %s", text);
        break;
    case SINKHOLE_LOG_WARNING:
        log_warn("sinkhole: %s", text);
        break;
    default:
        verbose(VERB_OPS, "sinkhole: %s", text);
        break;
    }
}

static void lines_say(struct sinkhole_glue *glue)
{
    struct sinkhole_lines *lines = &glue->lines;

    (void)pthread_mutex_lock(&lines->lock);
    for (unsigned i = 0; i < lines->count; i++)
        line_say(lines->line[i].level, lines->line[i].text);
    lines->count = 0;
    (void)pthread_mutex_unlock(&lines->lock);
}

/* The host's function. What finds no room takes the place of the last. */
static void hook_log(void *arg, enum sinkhole_log_level level, const char *text)
{
    struct sinkhole_glue *glue = arg;
    struct sinkhole_lines *lines = &glue->lines;
    const uint64_t one = 1;

#ifdef USE_MINI_EVENT /* no worker can be woken */
    const bool direct = true;
#else
    const bool direct = pthread_equal(pthread_self(), glue->starter) != 0;
#endif
    if (direct) {
        line_say(level, text);
        return;
    }
    (void)pthread_mutex_lock(&lines->lock);
    unsigned i = lines->count < SINKHOLE_LINES ? lines->count++ : SINKHOLE_LINES - 1;
    lines->line[i].level = level;
    (void)snprintf(lines->line[i].text, sizeof(lines->line[i].text), "%s", text);
    (void)pthread_mutex_unlock(&lines->lock);
    for (i = 0; i < SINKHOLE_LANES_MAX; i++) {
        if (atomic_load(&glue->hooks[i].joined) && write(glue->hooks[i].fd, &one, sizeof(one)) > 0)
            return;
    }
}

/* --- the callback --- */

static void hook_apply(struct sinkhole_hook *hook)
{
    if (!hook->alone)
        return;
    bool wanted = sinkhole_engine_watching(hook->glue->engine) != 0;

    hook->env->inplace_cb_lists[inplace_cb_reply_cache] = wanted ? hook->glue->cache_node : NULL;
    atomic_store(&hook->hung, wanted);
}

static void on_wake(int fd, short bits, void *arg)
{
    uint64_t drop;

    (void)bits;
    if (read(fd, &drop, sizeof(drop)) < 0 && errno != EAGAIN)
        return;
    hook_apply(arg);
    lines_say(((struct sinkhole_hook *)arg)->glue);
}

/* The host's function: cached replies have to be looked up from now on, or no longer. */
static void hook_watch(void *arg, bool on)
{
    struct sinkhole_glue *glue = arg;
    const struct timespec pause = {0, 500000};
    uint64_t one = 1;
    unsigned waiting = 0;

    for (unsigned i = 0; i < SINKHOLE_LANES_MAX; i++) {
        struct sinkhole_hook *hook = &glue->hooks[i];
        if (atomic_load(&hook->joined) && write(hook->fd, &one, sizeof(one)) > 0)
            waiting++;
    }
    /* A worker that is busy for longer misses nothing for good: what it answers from the cache
     * meanwhile is not recorded as stale. */
    for (unsigned n = 0; on && waiting > 0 && n < HANG_WAIT_MS * 2; n++) {
        waiting = 0;
        for (unsigned i = 0; i < SINKHOLE_LANES_MAX; i++)
            waiting += atomic_load(&glue->hooks[i].joined) && !atomic_load(&glue->hooks[i].hung);
        if (waiting > 0)
            (void)nanosleep(&pause, NULL);
    }
}

void sinkhole_hook_init(struct sinkhole_glue *glue, const struct module_env *env)
{
    glue->host.arg = glue;
    glue->host.log = hook_log;
    glue->host.watch = hook_watch;
    glue->starter = pthread_self();
    (void)pthread_mutex_init(&glue->lines.lock, NULL);
#ifndef USE_MINI_EVENT /* there the loop knows its callbacks by name */
    struct inplace_cb *node = env->inplace_cb_lists[inplace_cb_reply_cache];

    if (node != NULL && node->next == NULL && node->id == glue->id)
        glue->cache_node = node;
#endif
    for (unsigned i = 0; i < SINKHOLE_LANES_MAX; i++) {
        glue->hooks[i].glue = glue;
        glue->hooks[i].fd = -1;
        atomic_init(&glue->hooks[i].hung, true);
    }
}

void sinkhole_hook_join(struct sinkhole_hook *hook, struct module_env *env)
{
    const struct inplace_cb *node = hook->glue->cache_node;

    hook->asked = true;
#ifdef USE_MINI_EVENT
    return;
#endif
    hook->alone = node != NULL && node->next == NULL &&
                  env->inplace_cb_lists[inplace_cb_reply_cache] == node;
    struct ub_event_base *base = comm_base_internal(env->worker_base);
    if (base == NULL)
        return;
    hook->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (hook->fd < 0)
        return;
    hook->event = ub_event_new(base, hook->fd, UB_EV_READ | UB_EV_PERSIST, on_wake, hook);
    if (hook->event == NULL || ub_event_add(hook->event, NULL) != 0)
        return;
    hook->env = env;
    /* From here on the thread wakes this worker; what it said before is looked up now. */
    atomic_store(&hook->joined, true);
    atomic_thread_fence(memory_order_seq_cst);
    hook_apply(hook);
    lines_say(hook->glue);
}

void sinkhole_hook_done(struct sinkhole_glue *glue)
{
    for (unsigned i = 0; i < SINKHOLE_LANES_MAX; i++) {
        struct sinkhole_hook *hook = &glue->hooks[i];
        atomic_store(&hook->joined, false);
        ub_event_free(hook->event);
        if (hook->fd >= 0)
            (void)close(hook->fd);
    }
    lines_say(glue);
    (void)pthread_mutex_destroy(&glue->lines.lock);
}
