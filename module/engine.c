/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The engine's life, and what workers call: enter, leave, count, record.
 *
 * Threads: start and stop belong to one thread; everything else is each worker's own, with its
 * own slot, row and lane. Memory: see engine.h; nothing is taken on a query's way.
 */
#include "module/engine_private.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static _Atomic uint64_t epochs;

/* Plain data without destructor: the library may be unloaded while threads live on. */
static _Thread_local struct {
    uint64_t epoch;
    struct sinkhole_worker *worker;
} mine;

static char *path_join(const char *dir, const char *name)
{
    size_t size = strlen(dir) + strlen(name) + 2;
    char *path = malloc(size);

    if (path != NULL)
        (void)snprintf(path, size, "%s/%s", dir, name);
    return path;
}

static void engine_free(struct sinkhole_engine *engine)
{
    if (engine->wake_fd >= 0)
        (void)close(engine->wake_fd);
    free(engine->dir);
    free(engine->index_dir);
    free(engine->head_path);
    free(engine->workers);
    free(engine);
}

static struct sinkhole_engine *engine_new(const char *dir, unsigned lanes, uint64_t max_bytes,
                                          const struct sinkhole_host *host)
{
    struct sinkhole_engine *engine = calloc(1, sizeof(*engine));

    if (engine == NULL)
        return NULL;
    engine->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    engine->inotify_fd = engine->watch = -1;
    engine->host = host;
    engine->lanes = lanes < 1 ? 1 : lanes > SINKHOLE_LANES_MAX ? SINKHOLE_LANES_MAX : lanes;
    engine->max_bytes = max_bytes;
    engine->epoch = atomic_fetch_add(&epochs, 1) + 1;
    engine->row = engine->spare_row;
    engine->dir = strdup(dir);
    engine->index_dir = path_join(dir, "index");
    engine->head_path = path_join(dir, "index/head");
    engine->workers =
        aligned_alloc(_Alignof(struct sinkhole_worker), engine->lanes * sizeof(*engine->workers));
    if (engine->wake_fd < 0 || engine->dir == NULL || engine->index_dir == NULL ||
        engine->head_path == NULL || engine->workers == NULL) {
        engine_free(engine);
        return NULL;
    }
    memset(engine->workers, 0, engine->lanes * sizeof(*engine->workers));
    for (unsigned i = 0; i < engine->lanes; i++)
        atomic_init(&engine->workers[i].row, engine->workers[i].spare_row);
    return engine;
}

struct sinkhole_engine *sinkhole_engine_start(const char *dir, unsigned lanes, uint64_t max_bytes,
                                              const struct sinkhole_host *host)
{
    struct sinkhole_engine *engine = engine_new(dir, lanes, max_bytes, host);
    sigset_t all, before;

    if (engine == NULL)
        return NULL;
    sinkhole_watch_prepare(engine);
    /* Signals are the resolver's: none is taken by our thread. */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&engine->thread, NULL, sinkhole_watch_main, engine);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0) {
        sinkhole_watch_close(engine);
        engine_free(engine);
        errno = error;
        return NULL;
    }
    engine->thread_started = true;
    return engine;
}

static void engine_wake(struct sinkhole_engine *engine)
{
    uint64_t one = 1;

    /* A full counter (EAGAIN) wakes as well. */
    if (write(engine->wake_fd, &one, sizeof(one)) < 0)
        return;
}

void sinkhole_engine_stop(struct sinkhole_engine *engine)
{
    if (engine == NULL)
        return;
    if (engine->thread_started) {
        atomic_store(&engine->stop, true);
        engine_wake(engine);
        (void)pthread_join(engine->thread, NULL);
    }
    sinkhole_watch_close(engine);
    engine_free(engine);
}

size_t sinkhole_engine_memory(const struct sinkhole_engine *engine)
{
    return sizeof(*engine) + engine->lanes * sizeof(*engine->workers);
}

static struct sinkhole_worker *worker_claim(struct sinkhole_engine *engine)
{
    uintptr_t self = (uintptr_t)pthread_self();
    struct sinkhole_worker *worker = NULL;
    unsigned known = atomic_load(&engine->claimed);

    for (unsigned i = 0; i < known && i < engine->lanes; i++) {
        if (atomic_load(&engine->workers[i].owner) == self)
            worker = &engine->workers[i];
    }
    if (worker == NULL && known < engine->lanes) {
        unsigned i = atomic_fetch_add(&engine->claimed, 1);
        if (i < engine->lanes) {
            worker = &engine->workers[i];
            atomic_store(&worker->owner, self);
        }
    }
    mine.epoch = engine->epoch;
    mine.worker = worker;
    return worker;
}

struct sinkhole_worker *sinkhole_engine_worker(struct sinkhole_engine *engine)
{
    return mine.epoch == engine->epoch ? mine.worker : worker_claim(engine);
}

unsigned sinkhole_worker_lane(const struct sinkhole_engine *engine,
                              const struct sinkhole_worker *worker)
{
    return (unsigned)(worker - engine->workers);
}

const struct sinkhole_view *sinkhole_worker_enter(struct sinkhole_engine *engine,
                                                  struct sinkhole_worker *worker)
{
    struct sinkhole_view *view = atomic_load_explicit(&engine->view, memory_order_acquire);

    /* The slot must be seen before the view is read: who replaces a view looks at the slots after
     * it has changed the pointer, so one of the two sees the other. */
    while (view != NULL) {
        atomic_store_explicit(&worker->hazard, view, memory_order_seq_cst);
        struct sinkhole_view *again = atomic_load_explicit(&engine->view, memory_order_seq_cst);
        if (again == view)
            return view;
        view = again;
    }
    atomic_store_explicit(&worker->hazard, NULL, memory_order_release);
    return NULL;
}

void sinkhole_worker_leave(struct sinkhole_worker *worker)
{
    atomic_store_explicit(&worker->hazard, NULL, memory_order_release);
}

void sinkhole_worker_count(struct sinkhole_worker *worker, enum sinkhole_counter counter)
{
    sinkhole_count(atomic_load_explicit(&worker->row, memory_order_acquire), counter, 1);
}

unsigned sinkhole_engine_watching(const struct sinkhole_engine *engine)
{
    return atomic_load_explicit(&engine->watching, memory_order_relaxed);
}

unsigned sinkhole_engine_swaps(const struct sinkhole_engine *engine)
{
    return atomic_load_explicit(&engine->swaps, memory_order_acquire);
}

void sinkhole_worker_stale(struct sinkhole_engine *engine, struct sinkhole_worker *worker,
                           const struct sinkhole_message *message)
{
    unsigned head = atomic_load_explicit(&worker->stale_head, memory_order_relaxed);
    unsigned tail = atomic_load_explicit(&worker->stale_tail, memory_order_acquire);

    if (head - tail >= SINKHOLE_STALE_RING)
        return; /* the walk comes by */
    worker->stale[head % SINKHOLE_STALE_RING] = *message;
    atomic_store_explicit(&worker->stale_head, head + 1, memory_order_release);
    engine_wake(engine);
}

void sinkhole_client_address(const struct sockaddr *client, struct sinkhole_address *ret_address,
                             uint16_t *ret_port)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

    memset(ret_address, 0, sizeof(*ret_address));
    *ret_port = 0;
    if (client->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, client, sizeof(v4));
        ret_address->family = 4;
        memcpy(ret_address->octets, &v4.sin_addr, 4);
        *ret_port = ntohs(v4.sin_port);
    } else if (client->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, client, sizeof(v6));
        *ret_port = ntohs(v6.sin6_port);
        if (memcmp(&v6.sin6_addr, mapped, sizeof(mapped)) == 0) {
            ret_address->family = 4;
            memcpy(ret_address->octets, (const uint8_t *)&v6.sin6_addr + 12, 4);
        } else {
            ret_address->family = 6;
            memcpy(ret_address->octets, &v6.sin6_addr, 16);
        }
    }
}

/* Both names end in the root: the one was checked when it was asked, the other is a part of it. */
static void name_finish(struct sinkhole_name *name, size_t len)
{
    name->wire_len = (uint8_t)len;
    name->labels = 0;
    for (size_t pos = 0; pos < len && name->wire[pos] != 0; pos += (size_t)name->wire[pos] + 1)
        name->labels++;
}

void sinkhole_worker_record(struct sinkhole_worker *worker, const struct sinkhole_verdict *verdict,
                            const struct sinkhole_sighting *sighting)
{
    struct sinkhole_lane *lane = atomic_load_explicit(&worker->lane, memory_order_acquire);
    struct sinkhole_hit
        hit; /* each field is set below: the names are too long to clear for nothing */

    hit.time_ms = sighting->time_ms;
    hit.count = 1;
    hit.rule = verdict->rule;
    hit.generation = verdict->generation;
    sinkhole_client_address(sighting->client, &hit.client, &hit.port);
    hit.qtype = sighting->qtype;
    hit.qclass = sighting->qclass;
    hit.transport = sighting->transport;
    hit.client_source = sighting->proxied ? SINKHOLE_CLIENT_PROXYV2 : SINKHOLE_CLIENT_SOCKET;
    hit.action = verdict->action;
    hit.rcode = sighting->rcode;
    hit.flags = (uint8_t)(verdict->flags | sighting->flags);
    if (sighting->answer != NULL)
        hit.answer = *sighting->answer;
    else
        memset(&hit.answer, 0, sizeof(hit.answer));
    sinkhole_worker_count(worker, sighting->outcome);
    bool kept = lane != NULL &&
                sinkhole_wire_lower(sighting->qname, sighting->qname_len, hit.qname.wire);
    if (kept) {
        name_finish(&hit.qname, sighting->qname_len);
        memcpy(hit.indicator.wire, verdict->indicator, verdict->indicator_len);
        name_finish(&hit.indicator, verdict->indicator_len);
        kept = sinkhole_lane_append(lane, &hit);
    }
    sinkhole_worker_count(worker, kept ? SINKHOLE_COUNT_RECORDED : SINKHOLE_COUNT_LOST);
}
