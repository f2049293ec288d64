/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The callback for replies from the cache, hung into a worker only while it has something to look
 * for.
 *
 * Unbound's loop over callbacks and dynlib's wrapper cost 2-3 % of a cached reply before ours says
 * "nothing to do". Each worker has its own copy of the list's head, so each takes the callback off
 * and on by itself: the engine's thread wakes it by an event in the worker's own loop. Until a
 * worker has had its first query for operate, and where others have callbacks in the list, it stays
 * hung in.
 *
 * Threads: a hook belongs to its worker; `joined` and `hung` are its word to the engine's thread.
 * Memory: one event and one descriptor for each worker; its event base goes before deinit, and
 * takes the event off by itself, so that only the memory is left to free.
 */
#include "module/unbound_glue.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "util/ub_event.h"

#define HANG_WAIT_MS 200

static void hook_apply(struct sinkhole_hook *hook)
{
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
}

void sinkhole_hook_init(struct sinkhole_glue *glue, const struct module_env *env)
{
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
    hook->asked = true;
    if (hook->glue->cache_node == NULL || hook->glue->cache_node->next != NULL ||
        env->inplace_cb_lists[inplace_cb_reply_cache] != hook->glue->cache_node)
        return;
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
    hook_apply(hook);
}

void sinkhole_hook_watch(void *arg, bool on)
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

void sinkhole_hook_done(struct sinkhole_glue *glue)
{
    for (unsigned i = 0; i < SINKHOLE_LANES_MAX; i++) {
        struct sinkhole_hook *hook = &glue->hooks[i];
        atomic_store(&hook->joined, false);
        ub_event_free(hook->event);
        if (hook->fd >= 0)
            (void)close(hook->fd);
    }
}
