/* SPDX-License-Identifier: BSD-3-Clause */
/* One worker thread beside the event loop. Threads and memory: see work.h. */
#include "agent/work.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>

struct work_item {
    STAILQ_ENTRY(work_item) entry;
    struct agent_job job;
};
STAILQ_HEAD(work_list, work_item);

struct agent_worker {
    /* the loop's */
    struct event *wake;
    size_t queued;
    bool started;
    pthread_t thread;
    int fd; /* eventfd: something stands in `over` */
    /* under `lock` */
    pthread_mutex_t lock;
    pthread_cond_t posted;
    struct work_list todo, over;
    bool stop;
};

static void *work_thread(void *arg)
{
    struct agent_worker *worker = arg;
    struct work_item *item;
    const uint64_t one = 1;

    pthread_mutex_lock(&worker->lock);
    for (;;) {
        while (!worker->stop && STAILQ_EMPTY(&worker->todo))
            pthread_cond_wait(&worker->posted, &worker->lock);
        if (worker->stop)
            break;
        item = STAILQ_FIRST(&worker->todo);
        STAILQ_REMOVE_HEAD(&worker->todo, entry);
        pthread_mutex_unlock(&worker->lock);
        item->job.run(item->job.arg);
        pthread_mutex_lock(&worker->lock);
        STAILQ_INSERT_TAIL(&worker->over, item, entry);
        while (write(worker->fd, &one, sizeof(one)) < 0 && errno == EINTR)
            continue; /* EAGAIN: the counter is full, the loop is awake already */
    }
    pthread_mutex_unlock(&worker->lock);
    return NULL;
}

static void work_on_wake(evutil_socket_t fd, short what, void *arg)
{
    struct agent_worker *worker = arg;
    struct work_list over = STAILQ_HEAD_INITIALIZER(over);
    struct work_item *item;
    uint64_t count;

    (void)what;
    if (read(fd, &count, sizeof(count)) < 0 && errno != EAGAIN && errno != EINTR)
        return;
    pthread_mutex_lock(&worker->lock);
    STAILQ_CONCAT(&over, &worker->over);
    pthread_mutex_unlock(&worker->lock);
    while ((item = STAILQ_FIRST(&over)) != NULL) {
        STAILQ_REMOVE_HEAD(&over, entry);
        worker->queued--;
        item->job.done(item->job.arg);
        free(item);
    }
}

/* Signals are the loop's thread's business. */
static bool work_start(struct agent_worker *worker, const char *name)
{
    sigset_t all, before;
    int error;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&worker->thread, NULL, work_thread, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0)
        return false;
    worker->started = true;
    pthread_setname_np(worker->thread, name);
    return true;
}

struct agent_worker *agent_worker_new(struct event_base *loop, const char *name)
{
    struct agent_worker *worker = calloc(1, sizeof(*worker));

    if (worker == NULL)
        return NULL;
    STAILQ_INIT(&worker->todo);
    STAILQ_INIT(&worker->over);
    pthread_mutex_init(&worker->lock, NULL);
    pthread_cond_init(&worker->posted, NULL);
    worker->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (worker->fd >= 0)
        worker->wake = event_new(loop, worker->fd, EV_READ | EV_PERSIST, work_on_wake, worker);
    if (worker->wake == NULL || event_add(worker->wake, NULL) != 0 || !work_start(worker, name)) {
        agent_worker_free(worker);
        return NULL;
    }
    return worker;
}

static void work_list_drop(struct work_list *list)
{
    struct work_item *item;

    while ((item = STAILQ_FIRST(list)) != NULL) {
        STAILQ_REMOVE_HEAD(list, entry);
        item->job.drop(item->job.arg);
        free(item);
    }
}

void agent_worker_free(struct agent_worker *worker)
{
    if (worker == NULL)
        return;
    if (worker->started) {
        pthread_mutex_lock(&worker->lock);
        worker->stop = true;
        pthread_cond_signal(&worker->posted);
        pthread_mutex_unlock(&worker->lock);
        pthread_join(worker->thread, NULL);
    }
    work_list_drop(&worker->over);
    work_list_drop(&worker->todo);
    if (worker->wake != NULL)
        event_free(worker->wake);
    if (worker->fd >= 0)
        close(worker->fd);
    pthread_cond_destroy(&worker->posted);
    pthread_mutex_destroy(&worker->lock);
    free(worker);
}

bool agent_worker_post(struct agent_worker *worker, const struct agent_job *job)
{
    struct work_item *item = malloc(sizeof(*item));

    if (item == NULL)
        return false;
    item->job = *job;
    worker->queued++;
    pthread_mutex_lock(&worker->lock);
    STAILQ_INSERT_TAIL(&worker->todo, item, entry);
    pthread_cond_signal(&worker->posted);
    pthread_mutex_unlock(&worker->lock);
    return true;
}

size_t agent_worker_queued(const struct agent_worker *worker)
{
    return worker->queued;
}
