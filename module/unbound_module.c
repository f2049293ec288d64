/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sinkhole.so: the six functions that Unbound's dynlib module looks up.
 *
 * The story of a query. operate is called when the message cache had no answer. A ladder of "not
 * ours" comes first: Unbound's own sub-queries, other classes, names that are not listed. A listed
 * name is answered there and then, and the answer is never stored; each client waiting for it gets
 * a hit in the reply callback. A monitored name goes on, with a note, and its replies are recorded
 * the same way. When resolution is done (moddone) the question is asked once more: the name may
 * have been listed meanwhile, and the answer may lead through a listed name. A prefetch of a listed
 * name removes the cached message instead of renewing it.
 *
 * Classes other than IN go on untouched (the lists speak of the Internet); class ANY is refused for
 * a listed name, since Unbound would answer it from class IN.
 *
 * Threads: init and deinit run alone; operate and clear in every worker at once. Memory: a note in
 * the query's region for listed names; nothing for others.
 */
#include "module/unbound_glue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "abi_ids.h"
#include "daemon/daemon.h"
#include "daemon/worker.h"
#include "dynlibmod/dynlibmod.h"
#include "sinkhole/abi.h"
#include "util/config_file.h"
#include "util/log.h"
#include "util/rbtree.h"

#define EXPORT __attribute__((visibility("default")))

EXPORT int init(struct module_env *env, int id);
EXPORT void deinit(struct module_env *env, int id);
EXPORT void operate(struct module_qstate *qstate, enum module_ev event, int id,
                    struct outbound_entry *entry);
EXPORT void inform_super(struct module_qstate *qstate, int id, struct module_qstate *super);
EXPORT void clear(struct module_qstate *qstate, int id);
EXPORT size_t get_mem(struct module_env *env, int id);

/* The note of abi.h, in this file's own ELF notes. */
static const struct {
    uint32_t name_len, desc_len, type;
    char name[12];
    char text[(sizeof(SINKHOLE_ABI_TEXT) + 3) & ~(size_t)3];
} abi_note __attribute__((used, aligned(4), section(".note.sinkhole"))) = {
    sizeof(SINKHOLE_ABI_NOTE_NAME), sizeof(abi_note.text), SINKHOLE_ABI_NOTE_TYPE,
    SINKHOLE_ABI_NOTE_NAME, SINKHOLE_ABI_TEXT};

struct sinkhole_glue *sinkhole_glue_of(const struct module_qstate *qstate, int id)
{
    struct dynlibmod_env *loader = qstate->env->modinfo[id];

    return loader->dyn_env;
}

struct sinkhole_note *sinkhole_note_make(struct module_qstate *qstate, int id)
{
    struct sinkhole_note *note = sinkhole_note_of(qstate, id);

    if (note == NULL) {
        note = regional_alloc_zero(qstate->region, sizeof(*note));
        qstate->minfo[id] = note;
    }
    return note;
}

/* --- init, deinit --- */

/* Before any of Unbound's structures is touched, and without its log. */
static bool abi_accepts(void)
{
    struct sinkhole_abi_id running;
    char hex[SINKHOLE_ABI_HEX_MAX];

    (void)sinkhole_abi_running_id(&running);
    if (sinkhole_abi_list_has(SINKHOLE_ABI_TEXT, &running))
        return true;
    sinkhole_abi_id_to_text(&running, hex);
    char accepted[512];
    size_t used = 0;
    for (const char *at = SINKHOLE_ABI_TEXT; *at != '\0' && used + 1 < sizeof(accepted); at++)
        accepted[used++] = *at == '\n' ? ';' : *at;
    accepted[used] = '\0';
    static const char format[] =
        "sinkhole: this module was built for another Unbound and does not load: the running "
        "program has build-id %s, the module accepts: %s rebuild the module beside this Unbound "
        "(configure --with-unbound-source) or start the Unbound it was built for; "
        "`sinkholectl abi-check UNBOUND MODULE` tells beforehand";
    (void)fprintf(stderr, format, hex, accepted);
    (void)fputc('\n', stderr);
    syslog(LOG_DAEMON | LOG_ERR, format, hex, accepted);
    return false;
}

static uint64_t journal_max_bytes(void)
{
    const char *text = getenv("SINKHOLE_JOURNAL_MAX_MB");
    uint64_t mb = SINKHOLE_JOURNAL_MAX_MB;

    if (text != NULL) {
        char *end;
        unsigned long value = strtoul(text, &end, 10);
        if (*text != '\0' && *end == '\0' && value >= 16 && value <= 1048576)
            mb = value;
        else
            log_err("sinkhole: SINKHOLE_JOURNAL_MAX_MB is \"%.20s\": expected 16 to 1048576; "
                    "using %d",
                    text, SINKHOLE_JOURNAL_MAX_MB);
    }
    return mb << 20;
}

/* An answer forged behind the validator is bogus to it; subnetcache and dns64 keep in a store of
 * their own, or in the cache, what a module behind them has judged. */
static void order_check(const struct module_env *env)
{
    const char *order = env->cfg->module_conf == NULL ? "" : env->cfg->module_conf;

    if (strncmp(order + strspn(order, " \t"), "dynlib", strlen("dynlib")) != 0)
        log_err(
            "sinkhole: module-config is \"%s\": put dynlib first, or sinkholed answers turn into "
            "failures, listed names get through from other modules' stores, and hits are missed",
            order);
}

/* Threads that will run. With so-reuseport a reload takes none away, whatever the configuration
 * says. The daemon is found by its allocator, which it hands to its modules. */
static int threads_count(const struct module_env *env)
{
    const void *at = (const char *)env->alloc - offsetof(struct daemon, superalloc);
    const struct daemon *daemon = at;
    int threads = env->cfg->num_threads > 0 ? env->cfg->num_threads : 1;

    if (daemon->env == env && daemon->reuseport && (int)daemon->num_ports > threads)
        threads = (int)daemon->num_ports;
    return threads;
}

int init(struct module_env *env, int id)
{
    if (!abi_accepts())
        return 0;
    struct dynlibmod_env *loader = env->modinfo[id];
    struct sinkhole_glue *glue = calloc(1, sizeof(*glue));
    if (glue == NULL) {
        log_err("sinkhole: out of memory");
        return 0;
    }
    order_check(env);
    glue->id = id;
    glue->msg_cache = env->msg_cache;
    glue->rrset_cache = env->rrset_cache;
    sinkhole_cache_host(glue);
    int threads = threads_count(env);
    if (threads > SINKHOLE_LANES_MAX)
        log_err("sinkhole: num-threads is %d: queries of threads beyond the %dth are NOT filtered",
                threads, SINKHOLE_LANES_MAX);
    if (!sinkhole_reply_register(glue, env, id)) {
        log_err("sinkhole: out of memory");
        sinkhole_reply_unregister(env, id);
        free(glue);
        return 0;
    }
    sinkhole_hook_init(glue, env);
    glue->engine =
        sinkhole_engine_start(sinkhole_dir(), (unsigned)threads, journal_max_bytes(), &glue->host);
    if (glue->engine == NULL) {
        log_err("sinkhole: out of memory, or no thread can be started");
        sinkhole_reply_unregister(env, id);
        free(glue);
        return 0;
    }
    loader->dyn_env = glue;
    return 1;
}

void deinit(struct module_env *env, int id)
{
    struct dynlibmod_env *loader = env->modinfo[id];
    struct sinkhole_glue *glue = loader == NULL ? NULL : loader->dyn_env;

    if (glue == NULL)
        return;
    sinkhole_reply_unregister(env, id);
    sinkhole_engine_stop(glue->engine);
    sinkhole_hook_done(glue);
    loader->dyn_env = NULL;
    free(glue);
}

size_t get_mem(struct module_env *env, int id)
{
    struct dynlibmod_env *loader = env->modinfo[id];
    struct sinkhole_glue *glue = loader == NULL ? NULL : loader->dyn_env;

    return glue == NULL ? 0 : sizeof(*glue) + sinkhole_engine_memory(glue->engine);
}

/* --- a query --- */

/* A state that nobody waits for and whose answer renews the cache: Unbound marks it by an empty
 * first element in the list of servers not to trust, so that the cache is not asked. */
static bool is_prefetch(const struct module_qstate *qstate)
{
    const struct mesh_state *mesh = qstate->mesh_info;

    return mesh->reply_list == NULL && mesh->cb_list == NULL && mesh->super_set.count == 0 &&
           qstate->blacklist != NULL && qstate->blacklist->len == 0;
}

/* States that wait for this one get the real result, now; then it is the clients' alone. */
static void supers_release(struct module_qstate *qstate)
{
    struct mesh_state *state = qstate->mesh_info;
    struct mesh_state_ref *super;
    struct mesh_state_ref self;

    if (state->super_set.count == 0)
        return;
    mesh_walk_supers(qstate->env->mesh, state);
    self.node.key = &self;
    self.s = state;
    RBTREE_FOR(super, struct mesh_state_ref *, &state->super_set)
    {
        (void)rbtree_delete(&super->s->sub_set, &self);
    }
    rbtree_init(&state->super_set, &mesh_state_ref_compare);
}

static void drop(struct module_qstate *qstate, struct sinkhole_note *note,
                 struct sinkhole_worker *worker)
{
    size_t clients = 0;

    for (const struct mesh_reply *r = qstate->mesh_info->reply_list; r != NULL; r = r->next) {
        sinkhole_drop_record(worker, qstate, note, r);
        clients++;
    }
    /* Some releases forget to take dropped replies off this count: clear puts it right. */
    note->drop_replies = qstate->env->mesh->num_reply_addrs - clients + 1;
    qstate->is_drop = 1;
    qstate->return_msg = NULL;
    qstate->return_rcode = LDNS_RCODE_NOERROR;
    qstate->no_cache_store = 1;
}

/* The clients of this state get the verdict's answer. */
static void stop(struct module_qstate *qstate, int id, struct sinkhole_worker *worker,
                 const struct sinkhole_verdict *verdict)
{
    struct sinkhole_note *note = sinkhole_note_make(qstate, id);

    qstate->ext_state[id] = module_finished;
    if (note == NULL) {
        qstate->ext_state[id] = module_error;
        return;
    }
    note->verdict = *verdict;
    if (verdict->kind == SINKHOLE_DROP) {
        drop(qstate, note, worker);
        return;
    }
    if (qstate->qinfo.qclass == SINKHOLE_CLASS_ANY) {
        qstate->return_msg = NULL;
        qstate->return_rcode = LDNS_RCODE_REFUSED;
        qstate->no_cache_store = 1;
        note->refused = true;
        return;
    }
    if (!sinkhole_answer_install(qstate, note))
        qstate->ext_state[id] = module_error;
}

static void query_new(struct module_qstate *qstate, int id, struct sinkhole_glue *glue,
                      struct sinkhole_worker *worker)
{
    const struct mesh_state *state = qstate->mesh_info;
    bool prefetch = is_prefetch(qstate);
    struct sinkhole_verdict verdict;

    qstate->ext_state[id] = module_wait_module;
    if ((state->reply_list == NULL && !prefetch) || state->super_set.count > 0)
        return;
    if (!sinkhole_class_is_ours(qstate->qinfo.qclass))
        return;
    unsigned swaps = sinkhole_engine_swaps(glue->engine);
    const struct sinkhole_view *view = sinkhole_worker_enter(glue->engine, worker);
    if (view == NULL) {
        sinkhole_worker_count(worker, SINKHOLE_COUNT_UNFILTERED);
        return;
    }
    sinkhole_worker_count(worker, SINKHOLE_COUNT_DECIDED);
    enum sinkhole_kind kind = sinkhole_name_decide(
        view, qstate->qinfo.qname, qstate->qinfo.qname_len, (int64_t)*qstate->env->now, &verdict);
    sinkhole_worker_leave(worker);
    if (kind == SINKHOLE_PASS) {
        if (!verdict.near)
            sinkhole_unlisted_set(qstate, id, swaps);
    } else if (kind == SINKHOLE_EXEMPT) {
        sinkhole_worker_count(worker, SINKHOLE_COUNT_EXEMPTED);
        struct sinkhole_note *note = verdict.until == 0 ? NULL : sinkhole_note_make(qstate, id);
        if (note != NULL)
            note->verdict.until = verdict.until;
    } else if (kind == SINKHOLE_MONITOR) {
        struct sinkhole_note *note = sinkhole_note_make(qstate, id);
        if (note != NULL)
            note->verdict = verdict;
    } else if (sinkhole_kind_is_stop(kind) && prefetch) {
        msg_cache_remove(qstate->env, qstate->qinfo.qname, qstate->qinfo.qname_len,
                         qstate->qinfo.qtype, qstate->qinfo.qclass, qstate->query_flags);
        sinkhole_worker_count(worker, SINKHOLE_COUNT_PREFETCHED);
        qstate->no_cache_store = 1;
        qstate->ext_state[id] = module_finished;
    } else if (sinkhole_kind_is_stop(kind)) {
        stop(qstate, id, worker, &verdict);
    }
}

/* Asks again when the resolution is done, and takes out of the cache what it put there. */
static enum sinkhole_kind done_decide(struct module_qstate *qstate,
                                      const struct sinkhole_view *view,
                                      struct sinkhole_worker *worker,
                                      struct sinkhole_verdict *verdict)
{
    const struct reply_info *rep = qstate->return_msg == NULL ? NULL : qstate->return_msg->rep;
    int64_t now_s = (int64_t)*qstate->env->now;
    enum sinkhole_kind kind =
        sinkhole_name_decide(view, qstate->qinfo.qname, qstate->qinfo.qname_len, now_s, verdict);

    if (rep != NULL && rep->an_numrrsets > 0) {
        sinkhole_chain_remove(view, qstate, rep, now_s);
        if (kind == SINKHOLE_PASS) {
            kind = sinkhole_chain_decide(view, rep, now_s, verdict);
            if (sinkhole_kind_is_stop(kind) && qstate->mesh_info->reply_list != NULL)
                sinkhole_worker_count(worker, SINKHOLE_COUNT_CHAINED);
        }
    }
    if (sinkhole_kind_is_stop(kind))
        msg_cache_remove(qstate->env, qstate->qinfo.qname, qstate->qinfo.qname_len,
                         qstate->qinfo.qtype, qstate->qinfo.qclass, qstate->query_flags);
    return kind;
}

static void query_done(struct module_qstate *qstate, int id, struct sinkhole_glue *glue,
                       struct sinkhole_worker *worker)
{
    struct sinkhole_verdict verdict;

    qstate->ext_state[id] = module_finished;
    if (!sinkhole_class_is_ours(qstate->qinfo.qclass))
        return;
    const struct reply_info *rep = qstate->return_msg == NULL ? NULL : qstate->return_msg->rep;
    if (sinkhole_unlisted_is(qstate, id, sinkhole_engine_swaps(glue->engine)) &&
        (rep == NULL || !sinkhole_rep_has_alias(rep)))
        return; /* as before */
    const struct sinkhole_view *view = sinkhole_worker_enter(glue->engine, worker);
    if (view == NULL)
        return;
    enum sinkhole_kind kind = done_decide(qstate, view, worker, &verdict);
    sinkhole_worker_leave(worker);
    if (qstate->mesh_info->reply_list == NULL)
        return;
    if (sinkhole_kind_is_stop(kind)) {
        supers_release(qstate);
        stop(qstate, id, worker, &verdict);
    } else if (kind == SINKHOLE_MONITOR) {
        struct sinkhole_note *note = sinkhole_note_make(qstate, id);
        if (note != NULL)
            note->verdict = verdict;
    } else if (sinkhole_note_of(qstate, id) != NULL) {
        /* Taken off the list while it was resolved. */
        sinkhole_note_of(qstate, id)->verdict.kind = SINKHOLE_PASS;
    }
}

void operate(struct module_qstate *qstate, enum module_ev event, int id,
             struct outbound_entry *entry)
{
    struct sinkhole_glue *glue = sinkhole_glue_of(qstate, id);
    struct sinkhole_worker *worker = sinkhole_engine_worker(glue->engine);

    (void)entry;
    if (atomic_load_explicit(&glue->daemon, memory_order_relaxed) == NULL &&
        qstate->env->worker != NULL)
        atomic_store_explicit(&glue->daemon, qstate->env->worker->daemon, memory_order_release);
    if (worker != NULL) {
        struct sinkhole_hook *hook = &glue->hooks[sinkhole_worker_lane(glue->engine, worker)];
        if (!hook->asked)
            sinkhole_hook_join(hook, qstate->env);
    }
    switch (event) {
    case module_event_new:
    case module_event_pass:
        if (worker != NULL)
            query_new(qstate, id, glue, worker);
        else
            qstate->ext_state[id] = module_wait_module;
        break;
    case module_event_moddone:
        if (worker != NULL)
            query_done(qstate, id, glue, worker);
        else
            qstate->ext_state[id] = module_finished;
        break;
    default:
        qstate->ext_state[id] = module_error;
        break;
    }
}

/* This module attaches no sub-queries. */
void inform_super(struct module_qstate *qstate, int id, struct module_qstate *super)
{
    (void)qstate;
    (void)id;
    (void)super;
}

void clear(struct module_qstate *qstate, int id)
{
    const struct sinkhole_note *note = sinkhole_note_of(qstate, id);

    if (note == NULL || note->drop_replies == 0)
        return;
    size_t expected = note->drop_replies - 1;
    if (qstate->env->mesh->num_reply_addrs > expected)
        qstate->env->mesh->num_reply_addrs = expected;
}
