/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The engine's thread: takes new indexes into use, cleans the host's cache after them, closes what
 * is no longer read, and tends the journal.
 *
 * Threads: everything here runs in the one thread, or before it is started and after it was joined.
 * Memory: the views; while a walk runs, what the host's slice needs.
 */
#include "module/engine_private.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "sinkhole/clock.h"

#define TEND_MS 50           /* journal spares */
#define LOOK_MS 1000         /* what inotify did not tell */
#define SLICE_PAUSE_NS 50000 /* between two slices of a walk: workers' turn at the table's lock */

__attribute__((format(printf, 3, 4))) static void
say(const struct sinkhole_engine *engine, enum sinkhole_log_level level, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    engine->host->log(engine->host->arg, level, text);
}

static void count(struct sinkhole_engine *engine, enum sinkhole_counter counter, uint64_t n)
{
    sinkhole_count(engine->row, counter, n);
}

static void gauge(struct sinkhole_engine *engine, enum sinkhole_counter counter, uint64_t value)
{
    atomic_store_explicit(&engine->row[counter], value, memory_order_relaxed);
}

/* --- counters and journal --- */

static void row_fold(struct sinkhole_engine *engine, _Atomic uint64_t *from)
{
    for (unsigned i = 0; i < SINKHOLE_COUNT_GENERATION; i++)
        count(engine, (enum sinkhole_counter)i, atomic_exchange(&from[i], 0));
}

/* Counts made before there was a file are added to the thread's row one round after the workers
 * have been given the file's rows. */
static void spares_fold(struct sinkhole_engine *engine)
{
    if (!engine->fold_spares)
        return;
    engine->fold_spares = false;
    for (unsigned i = 0; i < engine->lanes; i++)
        row_fold(engine, engine->workers[i].spare_row);
}

/* A row has one writer: whoever holds the journal's lock. Another Unbound on the same folder counts
 * in memory. */
static void counters_try(struct sinkhole_engine *engine)
{
    if (engine->counters != NULL || engine->journal_status == SINKHOLE_JOURNAL_LOCKED)
        return;
    engine->counters = sinkhole_counters_open(engine->dir);
    if (engine->counters == NULL)
        return;
    engine->row = sinkhole_counters_row(engine->counters, SINKHOLE_LANES_MAX);
    for (unsigned i = SINKHOLE_COUNT_GENERATION; i < SINKHOLE_COUNTER_COUNT; i++)
        gauge(engine, (enum sinkhole_counter)i, atomic_load(&engine->spare_row[i]));
    row_fold(engine, engine->spare_row);
    for (unsigned i = 0; i < engine->lanes; i++)
        atomic_store_explicit(&engine->workers[i].row, sinkhole_counters_row(engine->counters, i),
                              memory_order_release);
    engine->fold_spares = true;
}

static void journal_try(struct sinkhole_engine *engine)
{
    if (engine->journal != NULL)
        return;
    enum sinkhole_journal_status status =
        sinkhole_journal_open(engine->dir, engine->lanes, engine->max_bytes, &engine->journal);
    if (status != SINKHOLE_JOURNAL_OK) {
        engine->journal = NULL;
        if (status != engine->journal_status)
            say(engine, SINKHOLE_LOG_ERROR,
                "hits are NOT recorded: the journal %s/journal cannot be opened: %s; names are "
                "filtered, the hits are counted as lost, and it is tried again every second",
                engine->dir, sinkhole_journal_status_text(status));
        engine->journal_status = status;
        return;
    }
    if (engine->journal_status != SINKHOLE_JOURNAL_OK)
        say(engine, SINKHOLE_LOG_NOTICE, "hits are recorded now in %s/journal", engine->dir);
    engine->journal_status = SINKHOLE_JOURNAL_OK;
    for (unsigned i = 0; i < engine->lanes; i++)
        atomic_store_explicit(&engine->workers[i].lane, sinkhole_journal_lane(engine->journal, i),
                              memory_order_release);
}

static void journal_tend(struct sinkhole_engine *engine)
{
    if (engine->journal == NULL)
        return;
    enum sinkhole_journal_status status = sinkhole_journal_tend(engine->journal);
    if (status == engine->journal_status)
        return;
    engine->journal_status = status;
    if (status == SINKHOLE_JOURNAL_OK)
        say(engine, SINKHOLE_LOG_NOTICE, "the hit journal has room again");
    else
        say(engine, SINKHOLE_LOG_ERROR,
            "the hit journal %s/journal is in trouble: %s; hits that find no room are counted as "
            "lost",
            engine->dir, sinkhole_journal_status_text(status));
}

/* --- views --- */

static void view_free(struct sinkhole_view *view)
{
    if (view == NULL)
        return;
    sinkhole_index_close(view->index);
    free(view);
}

static bool view_is_read(const struct sinkhole_engine *engine, const struct sinkhole_view *view)
{
    for (unsigned i = 0; i < engine->lanes; i++) {
        if (atomic_load_explicit(&engine->workers[i].hazard, memory_order_seq_cst) == view)
            return true;
    }
    return false;
}

static void views_retire(struct sinkhole_engine *engine)
{
    struct sinkhole_view **at = &engine->retired;

    while (*at != NULL) {
        struct sinkhole_view *view = *at;
        if (view_is_read(engine, view)) {
            at = &view->older;
            continue;
        }
        *at = view->older;
        view_free(view);
    }
}

/* --- after a change: the host's cache
 * ------------------------------------------------------------- */

struct change {
    struct sinkhole_engine *engine;
    const struct sinkhole_index *before, *after;
    bool same_policy;
    bool added; /* something may be listed now that was not */
};

static bool change_visit(void *arg, const char *key, size_t key_len, const uint32_t *ids,
                         size_t id_count)
{
    struct change *change = arg;
    uint32_t old_ids[SINKHOLE_INDEX_ENTRIES_MAX], new_ids[SINKHOLE_INDEX_ENTRIES_MAX];
    struct sinkhole_name name;

    (void)ids;
    (void)id_count;
    size_t old_count = sinkhole_index_entries(change->before, key, key_len, old_ids);
    size_t new_count = sinkhole_index_entries(change->after, key, key_len, new_ids);
    if (change->same_policy && old_count == new_count &&
        memcmp(old_ids, new_ids, new_count * sizeof(new_ids[0])) == 0)
        return true;
    /* With fewer rules a name can be stricter too: an exception may have gone. */
    if (sinkhole_name_from_key(key, key_len, &name) != SINKHOLE_NAME_OK)
        return true;
    change->added = true;
    const struct sinkhole_host *host = change->engine->host;
    if (new_count > 0 && host->cache_usable(host->arg))
        (void)host->name_remove(host->arg, name.wire, name.wire_len);
    return true;
}

/* Removes at once what is listed by its own name; returns whether the whole cache has to be
 * walked for the rest (names below, aliases, other bases). */
static bool change_apply(struct sinkhole_engine *engine, const struct sinkhole_view *before,
                         const struct sinkhole_view *after)
{
    if (before == NULL)
        return true;
    bool same_policy = before->info.policy_hash == after->info.policy_hash;
    bool same_list = memcmp(before->info.digest, after->info.digest, SINKHOLE_DIGEST_LEN) == 0 &&
                     before->info.entries == after->info.entries;
    if (same_policy && same_list)
        return false;
    if (before->info.base_id != after->info.base_id)
        return true;
    struct change change = {engine, before->index, after->index, same_policy, false};
    bool sound = sinkhole_index_walk(after->index, SINKHOLE_INDEX_DELTA, change_visit, &change) &&
                 sinkhole_index_walk(before->index, SINKHOLE_INDEX_DELTA, change_visit, &change);
    return !sound || change.added || !same_policy;
}

static void watching_set(struct sinkhole_engine *engine, bool walk, bool monitor)
{
    unsigned now =
        (walk ? SINKHOLE_WATCHING_WALK : 0u) | (monitor ? SINKHOLE_WATCHING_MONITOR : 0u);
    unsigned before = atomic_exchange(&engine->watching, now);

    if ((before != 0) != (now != 0))
        engine->host->watch(engine->host->arg, now != 0);
}

static void view_publish(struct sinkhole_engine *engine, struct sinkhole_view *view)
{
    /* Workers look at cached answers from before the first query is judged by the new view. */
    watching_set(engine, true, view->info.monitored > 0);
    struct sinkhole_view *before = atomic_exchange(&engine->view, view);
    (void)atomic_fetch_add(&engine->swaps, 1);

    /* A walk under way is not begun anew, or under steady changes none would ever end. */
    if (change_apply(engine, before, view)) {
        engine->walk_again = engine->walking;
        engine->walking = true;
    }
    /* Told only now: by then what is listed by its own name is out of the cache. */
    gauge(engine, SINKHOLE_COUNT_ENTRIES, view->info.entries);
    gauge(engine, SINKHOLE_COUNT_INDEX_STATUS, SINKHOLE_INDEX_OK);
    gauge(engine, SINKHOLE_COUNT_GENERATION, view->info.generation);
    count(engine, SINKHOLE_COUNT_INDEX_SWAPS, 1);
    watching_set(engine, engine->walking, view->info.monitored > 0);
    if (before != NULL) {
        before->older = engine->retired;
        engine->retired = before;
    }
    say(engine, SINKHOLE_LOG_NOTICE, "generation %llu is in force: %llu entries",
        (unsigned long long)view->info.generation, (unsigned long long)view->info.entries);
}

struct judge {
    struct sinkhole_view *view;
    int64_t now_s;
};

static bool judge_name(void *arg, const uint8_t *wire, size_t len)
{
    const struct judge *judge = arg;

    return sinkhole_kind_is_stop(sinkhole_decide_kind(judge->view->index, wire, len, judge->now_s));
}

static void walk_step(struct sinkhole_engine *engine)
{
    const struct sinkhole_host *host = engine->host;
    struct judge judge = {atomic_load(&engine->view), sinkhole_now_ms() / 1000};
    unsigned removed = 0;

    bool more = host->cache_walk(host->arg, &engine->walk, judge_name, &judge, &removed);
    count(engine, SINKHOLE_COUNT_CACHE_REMOVED, removed);
    if (more) {
        const struct timespec pause = {0, SLICE_PAUSE_NS};
        (void)nanosleep(&pause, NULL);
        return;
    }
    count(engine, SINKHOLE_COUNT_CACHE_WALKS, 1);
    memset(&engine->walk, 0, sizeof(engine->walk));
    if (engine->walk_again) {
        engine->walk_again = false;
        return;
    }
    engine->walking = false;
    watching_set(engine, false, judge.view->info.monitored > 0);
}

static void stale_drain(struct sinkhole_engine *engine)
{
    const struct sinkhole_host *host = engine->host;

    for (unsigned i = 0; i < engine->lanes; i++) {
        struct sinkhole_worker *worker = &engine->workers[i];
        unsigned tail = atomic_load_explicit(&worker->stale_tail, memory_order_relaxed);
        unsigned head = atomic_load_explicit(&worker->stale_head, memory_order_acquire);
        for (; tail != head; tail++) {
            if (host->cache_usable(host->arg))
                host->message_remove(host->arg, &worker->stale[tail % SINKHOLE_STALE_RING]);
            count(engine, SINKHOLE_COUNT_CACHE_REMOVED, 1);
            atomic_store_explicit(&worker->stale_tail, tail + 1, memory_order_release);
        }
    }
}

/* --- a new head --- */

static int64_t mtime_ns(const struct stat *st)
{
    return (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

static bool head_mark(const struct sinkhole_engine *engine, struct sinkhole_head_mark *ret_mark)
{
    struct stat st;

    memset(ret_mark, 0, sizeof(*ret_mark));
    if (stat(engine->index_dir, &st) == 0)
        ret_mark->folder_mtime_ns = mtime_ns(&st);
    if (stat(engine->head_path, &st) != 0)
        return false;
    ret_mark->dev = st.st_dev;
    ret_mark->ino = st.st_ino;
    ret_mark->size = (uint64_t)st.st_size;
    ret_mark->mtime_ns = mtime_ns(&st);
    return true;
}

static void index_refuse(struct sinkhole_engine *engine, enum sinkhole_index_status status,
                         bool again)
{
    const struct sinkhole_view *view = atomic_load(&engine->view);

    gauge(engine, SINKHOLE_COUNT_INDEX_STATUS, status);
    if (again)
        return;
    if (status != SINKHOLE_INDEX_MISSING)
        count(engine, SINKHOLE_COUNT_INDEX_REFUSED, 1);
    if (view == NULL)
        say(engine, SINKHOLE_LOG_ERROR,
            "NOTHING IS FILTERED: no usable index in %s: %s; names resolve, and the index is taken "
            "into use as soon as it is there",
            engine->index_dir, sinkhole_index_status_text(status));
    else
        say(engine, SINKHOLE_LOG_ERROR,
            "the new index in %s is refused: %s; generation %llu stays in force", engine->index_dir,
            sinkhole_index_status_text(status), (unsigned long long)view->info.generation);
}

/* Opens the head when it is another one than at the last attempt, or when the attempt failed for a
 * reason that can pass by itself, or its base may be another one by now. */
static void index_try(struct sinkhole_engine *engine, bool first)
{
    struct sinkhole_head_mark mark;
    struct sinkhole_index *index = NULL;
    bool there = head_mark(engine, &mark);
    bool same_folder = mark.folder_mtime_ns == engine->mark.folder_mtime_ns;
    bool same = !first && memcmp(&mark, &engine->mark,
                                 offsetof(struct sinkhole_head_mark, folder_mtime_ns)) == 0;
    enum sinkhole_index_status last = engine->index_status;

    if (same && last != SINKHOLE_INDEX_MISSING && last != SINKHOLE_INDEX_IO &&
        last != SINKHOLE_INDEX_NO_MEMORY && (last == SINKHOLE_INDEX_OK || same_folder))
        return;
    if (same && !there)
        return;
    enum sinkhole_index_status status =
        there ? sinkhole_index_open(engine->dir, &index) : SINKHOLE_INDEX_MISSING;
    struct sinkhole_view *view = NULL;
    if (status == SINKHOLE_INDEX_OK) {
        view = calloc(1, sizeof(*view));
        if (view == NULL) {
            sinkhole_index_close(index);
            status = SINKHOLE_INDEX_NO_MEMORY;
        }
    }
    engine->mark = mark;
    engine->index_status = status;
    if (view == NULL) {
        index_refuse(engine, status, same && status == last);
        return;
    }
    view->index = index;
    sinkhole_index_info(index, &view->info);
    view_publish(engine, view);
}

/* True when the folder told of a change. The watch is made anew when the folder is another one. */
static bool inotify_read(struct sinkhole_engine *engine)
{
    _Alignas(struct inotify_event) char buf[4096];
    bool changed = false;

    for (;;) {
        ssize_t got = read(engine->inotify_fd, buf, sizeof(buf));
        if (got <= 0)
            return changed;
        changed = true;
        for (ssize_t pos = 0; pos + (ssize_t)sizeof(struct inotify_event) <= got;) {
            struct inotify_event event;
            memcpy(&event, buf + pos, sizeof(event));
            if ((event.mask & (IN_IGNORED | IN_MOVE_SELF)) != 0 && event.wd == engine->watch) {
                if ((event.mask & IN_MOVE_SELF) != 0)
                    (void)inotify_rm_watch(engine->inotify_fd, engine->watch);
                engine->watch = -1;
            }
            pos += (ssize_t)(sizeof(event) + event.len);
        }
    }
}

static void inotify_try(struct sinkhole_engine *engine)
{
    if (engine->inotify_fd < 0)
        engine->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (engine->inotify_fd >= 0 && engine->watch < 0)
        engine->watch = inotify_add_watch(engine->inotify_fd, engine->index_dir,
                                          IN_MOVED_TO | IN_CLOSE_WRITE | IN_MOVE_SELF);
}

/* --- the thread --- */

void sinkhole_watch_prepare(struct sinkhole_engine *engine)
{
    journal_try(engine);
    counters_try(engine);
    count(engine, SINKHOLE_COUNT_STARTS, 1);
    gauge(engine, SINKHOLE_COUNT_LANES, engine->lanes);
    gauge(engine, SINKHOLE_COUNT_GENERATION, 0);
    gauge(engine, SINKHOLE_COUNT_ENTRIES, 0);
    if (engine->counters == NULL && engine->journal_status != SINKHOLE_JOURNAL_LOCKED)
        say(engine, SINKHOLE_LOG_ERROR,
            "%s/counters cannot be opened (%s): counting in memory, "
            "tried again every second",
            engine->dir, strerror(errno));
    inotify_try(engine);
    index_try(engine, true);
}

static void look(struct sinkhole_engine *engine)
{
    spares_fold(engine);
    journal_try(engine);
    counters_try(engine);
    inotify_try(engine);
    index_try(engine, false);
}

void *sinkhole_watch_main(void *arg)
{
    struct sinkhole_engine *engine = arg;
    int64_t look_at = sinkhole_monotonic_ms() + LOOK_MS;
    int64_t tend_at = 0;

    while (!atomic_load(&engine->stop)) {
        struct pollfd fds[2] = {{engine->wake_fd, POLLIN, 0}, {engine->inotify_fd, POLLIN, 0}};
        bool walk = engine->walking && engine->host->cache_usable(engine->host->arg);
        int ready = poll(fds, 2, walk ? 0 : TEND_MS);
        if (ready > 0 && (fds[0].revents & POLLIN) != 0) {
            uint64_t drop;
            if (read(engine->wake_fd, &drop, sizeof(drop)) < 0)
                drop = 0;
        }
        stale_drain(engine);
        if (ready > 0 && (fds[1].revents & POLLIN) != 0 && inotify_read(engine))
            index_try(engine, false);
        int64_t now = sinkhole_monotonic_ms();
        if (now >= tend_at) {
            journal_tend(engine);
            tend_at = now + TEND_MS;
        }
        if (now >= look_at) {
            look(engine);
            look_at = now + LOOK_MS;
        }
        if (engine->walking && engine->host->cache_usable(engine->host->arg))
            walk_step(engine);
        views_retire(engine);
    }
    return NULL;
}

void sinkhole_watch_close(struct sinkhole_engine *engine)
{
    struct sinkhole_view *view = atomic_exchange(&engine->view, NULL);

    view_free(view);
    while (engine->retired != NULL) {
        view = engine->retired;
        engine->retired = view->older;
        view_free(view);
    }
    spares_fold(engine);
    sinkhole_journal_close(engine->journal);
    engine->journal = NULL;
    sinkhole_counters_close(engine->counters);
    engine->counters = NULL;
    if (engine->inotify_fd >= 0)
        (void)close(engine->inotify_fd);
}
