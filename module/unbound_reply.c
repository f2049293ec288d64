/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Unbound's callbacks: once for each reply to each client, and once for each response from a
 * server.
 *
 * They are the honest place to count: what they see is what is sent. A reply from the message cache
 * never reaches operate; it is looked up here, but only while names are monitored or the cache is
 * being cleaned: otherwise the callback is one load.
 *
 * Threads: the worker that replies. Memory: extended errors in the query's region.
 */
#include "module/unbound_glue.h"

#include "dynlibmod/dynlibmod.h"
#include "services/localzone.h"
#include "util/data/msgparse.h"

#include <string.h>

/* A client's reply, as Unbound hands it to a callback. */
struct reply {
    const struct query_info *qinfo;
    const struct reply_info *rep;
    int rcode;
    const struct comm_reply *to;
    const struct timeval *now;
};

static uint8_t transport_of(const struct comm_reply *to)
{
    switch (to->c->type) {
    case comm_udp:
        return SINKHOLE_TRANSPORT_UDP;
    case comm_http:
        return SINKHOLE_TRANSPORT_DOH;
    default:
        return to->c->ssl != NULL ? SINKHOLE_TRANSPORT_DOT : SINKHOLE_TRANSPORT_TCP;
    }
}

static void reply_record(struct sinkhole_worker *worker, const struct sinkhole_verdict *verdict,
                         const struct reply *reply, const struct sinkhole_address *answer,
                         uint8_t flags, enum sinkhole_counter outcome)
{
    const struct query_info *asked = reply->qinfo;
    /* An alias of local data: the client asked for its owner, Unbound for its target. */
    const struct packed_rrset_key *alias =
        asked->local_alias != NULL ? &asked->local_alias->rrset->rk : NULL;
    struct sinkhole_sighting sighting = {
        .time_ms = (int64_t)reply->now->tv_sec * 1000 + reply->now->tv_usec / 1000,
        .client = (const struct sockaddr *)&reply->to->client_addr,
        .proxied = reply->to->is_proxied != 0,
        .transport = transport_of(reply->to),
        .rcode = (uint8_t)(reply->rep != NULL && reply->rcode == LDNS_RCODE_NOERROR
                               ? FLAGS_GET_RCODE(reply->rep->flags)
                               : reply->rcode),
        .flags = (uint8_t)(flags | (alias != NULL ? SINKHOLE_HIT_CHAIN : 0)),
        .qtype = asked->qtype,
        .qclass = asked->qclass,
        .qname = alias != NULL ? alias->dname : asked->qname,
        .qname_len = alias != NULL ? alias->dname_len : asked->qname_len,
        .answer = answer,
        .outcome = outcome,
    };

    sinkhole_worker_record(worker, verdict, &sighting);
}

void sinkhole_drop_record(struct sinkhole_worker *worker, struct module_qstate *qstate,
                          const struct sinkhole_note *note, const struct mesh_reply *reply)
{
    struct query_info asked = qstate->qinfo;
    struct reply dropped = {&asked, NULL, LDNS_RCODE_NOERROR, &reply->query_reply,
                            qstate->env->now_tv};

    asked.qname = reply->qname;
    asked.local_alias = reply->local_alias;
    reply_record(worker, &note->verdict, &dropped, NULL, SINKHOLE_HIT_NO_REPLY,
                 SINKHOLE_COUNT_DROPPED);
}

/* The real answer to a client: is its name, or an alias in it, ours by now? */
__attribute__((noinline)) static void real_reply_check(struct sinkhole_glue *glue,
                                                       const struct reply *reply, uint8_t flags)
{
    struct sinkhole_worker *worker = sinkhole_engine_worker(glue->engine);
    struct sinkhole_verdict verdict;
    struct sinkhole_message message;
    int64_t now_s = reply->now->tv_sec;
    enum sinkhole_kind kind;

    if (worker == NULL || !sinkhole_class_is_ours(reply->qinfo->qclass) ||
        !sinkhole_wire_lower(reply->qinfo->qname, reply->qinfo->qname_len, message.wire))
        return;
    const struct sinkhole_view *view = sinkhole_worker_enter(glue->engine, worker);
    if (view == NULL)
        return;
    kind = sinkhole_decide(view->index, view->info.generation, message.wire,
                           reply->qinfo->qname_len, now_s, &verdict);
    if (kind == SINKHOLE_PASS && reply->rep != NULL)
        kind = sinkhole_chain_decide(view, reply->rep, now_s, &verdict);
    sinkhole_worker_leave(worker);
    if (kind == SINKHOLE_MONITOR) {
        reply_record(worker, &verdict, reply, NULL, flags, SINKHOLE_COUNT_MONITORED);
    } else if (sinkhole_kind_is_stop(kind)) {
        reply_record(worker, &verdict, reply, NULL, (uint8_t)(flags | SINKHOLE_HIT_STALE),
                     SINKHOLE_COUNT_STALE);
        message.qtype = reply->qinfo->qtype;
        message.qclass = reply->qinfo->qclass;
        message.len = (uint8_t)reply->qinfo->qname_len;
        sinkhole_worker_stale(glue->engine, worker, &message);
    }
}

/* New elements before the list: the list itself is shared by all clients of the state. */
static void ede_add(const struct sinkhole_note *note, struct regional *region,
                    struct edns_option **list)
{
    struct edns_option *ours = NULL;

    for (unsigned i = 0; i < note->ede_count; i++) {
        const char *text = i + 1 == note->ede_count ? note->verdict.ede_text : "";
        if (!edns_opt_list_append_ede(&ours, region, (sldns_ede_code)note->ede[i], text))
            return;
    }
    struct edns_option **tail = &ours;
    while (*tail != NULL)
        tail = &(*tail)->next;
    *tail = *list;
    *list = ours;
}

static void note_reply(struct sinkhole_glue *glue, struct sinkhole_note *note,
                       const struct reply *reply)
{
    struct sinkhole_worker *worker = sinkhole_engine_worker(glue->engine);
    bool ours = (reply->rep != NULL && reply->rep == note->ours) || note->refused;

    note->recorded = reply->to;
    if (worker == NULL)
        return;
    if (ours)
        reply_record(worker, &note->verdict, reply, note->answer.family != 0 ? &note->answer : NULL,
                     0, SINKHOLE_COUNT_SINKHOLED);
    else if (note->verdict.kind == SINKHOLE_MONITOR)
        reply_record(worker, &note->verdict, reply, NULL, 0, SINKHOLE_COUNT_MONITORED);
    else
        reply_record(worker, &note->verdict, reply, NULL, SINKHOLE_HIT_STALE, SINKHOLE_COUNT_STALE);
}

static int on_reply(struct query_info *qinfo, struct module_qstate *qstate, struct reply_info *rep,
                    int rcode, struct edns_data *edns, struct edns_option **opt_list_out,
                    struct comm_reply *repinfo, struct regional *region, struct timeval *start_time,
                    int id, void *arg)
{
    struct sinkhole_glue *glue = arg;
    struct sinkhole_note *note = qstate != NULL ? sinkhole_note_of(qstate, id) : NULL;

    (void)start_time; /* when the query came; the reply goes now */
    if (repinfo == NULL || qstate == NULL)
        return 1;
    if (note == NULL && sinkhole_engine_watching(glue->engine) == 0)
        return 1;
    struct reply reply = {qinfo, rep, rcode, repinfo, qstate->env->now_tv};
    if (note == NULL || note->verdict.kind < SINKHOLE_MONITOR) {
        if (sinkhole_engine_watching(glue->engine) != 0)
            real_reply_check(glue, &reply, 0);
        return 1;
    }
    if (rep != NULL && rep == note->ours && edns->edns_present)
        ede_add(note, region, opt_list_out);
    note_reply(glue, note, &reply);
    return 1;
}

/* A failure sent to a client. When encoding an answer failed, its reply was recorded before. */
static int on_servfail(struct query_info *qinfo, struct module_qstate *qstate,
                       struct reply_info *rep, int rcode, struct edns_data *edns,
                       struct edns_option **opt_list_out, struct comm_reply *repinfo,
                       struct regional *region, struct timeval *start_time, int id, void *arg)
{
    struct sinkhole_glue *glue = arg;

    (void)edns;
    (void)opt_list_out;
    (void)region;
    if (repinfo == NULL)
        return 1;
    if (qstate == NULL) {
        /* With a message: one that the cache holds as bogus. Without: no state could be made. */
        struct reply reply = {qinfo, rep, rcode, repinfo, start_time};
        if (rep != NULL && sinkhole_engine_watching(glue->engine) != 0)
            real_reply_check(glue, &reply, SINKHOLE_HIT_FROM_CACHE);
        return 1;
    }
    struct sinkhole_note *note = sinkhole_note_of(qstate, id);
    if (note == NULL || note->verdict.kind < SINKHOLE_MONITOR || note->recorded == repinfo)
        return 1;
    struct reply reply = {qinfo, NULL, rcode, repinfo, qstate->env->now_tv};
    note_reply(glue, note, &reply);
    return 1;
}

__attribute__((noinline)) static int cached_reply(struct sinkhole_glue *glue,
                                                  const struct query_info *qinfo,
                                                  const struct reply_info *rep,
                                                  const struct comm_reply *repinfo,
                                                  const struct timeval *start_time)
{
    /* From the cache, the start time handed over is the worker's clock. */
    struct reply reply = {qinfo, rep, LDNS_RCODE_NOERROR, repinfo, start_time};

    if (repinfo != NULL && rep != NULL)
        real_reply_check(glue, &reply, SINKHOLE_HIT_FROM_CACHE);
    return 1;
}

static int on_reply_cache(struct query_info *qinfo, struct module_qstate *qstate,
                          struct reply_info *rep, int rcode, struct edns_data *edns,
                          struct edns_option **opt_list_out, struct comm_reply *repinfo,
                          struct regional *region, struct timeval *start_time, int id, void *arg)
{
    struct sinkhole_glue *glue = arg;

    (void)qstate;
    (void)rcode; /* the query's header, not the answer's */
    (void)edns;
    (void)opt_list_out;
    (void)region;
    (void)id;
    if (__builtin_expect(sinkhole_engine_watching(glue->engine) == 0, 1))
        return 1;
    return cached_reply(glue, qinfo, rep, repinfo, start_time);
}

/* --- a server's response --- */

static unsigned response_taint(const struct sinkhole_view *view, const struct module_qstate *qstate,
                               const struct dns_msg *response)
{
    const struct query_info *asked = &response->qinfo;
    struct sinkhole_verdict verdict;
    int64_t now_s = (int64_t)*qstate->env->now;
    bool own = asked->qname_len == qstate->qinfo.qname_len &&
               query_dname_compare(asked->qname, qstate->qinfo.qname) == 0;

    if (sinkhole_rep_has_alias(response->rep) &&
        sinkhole_kind_is_stop(sinkhole_chain_decide(view, response->rep, now_s, &verdict)))
        return SINKHOLE_TAINT_ALWAYS;
    /* The own name of a sub-query may be listed: its records are needed, its message goes at
     * moddone. */
    if (own && qstate->mesh_info->reply_list == NULL)
        return 0;
    if (!sinkhole_kind_is_stop(
            sinkhole_name_decide(view, asked->qname, asked->qname_len, now_s, &verdict)))
        return 0;
    /* A minimised query asks for an ancestor: only that message must not stay. */
    return dname_strict_subdomain_c(qstate->qinfo.qname, asked->qname) ? SINKHOLE_TAINT_ONCE
                                                                       : SINKHOLE_TAINT_ALWAYS;
}

/* Octet by octet: what the iterator asks is made from the asked name. */
static bool is_at_or_above(const struct query_info *name, const struct query_info *asked)
{
    size_t off = 0;

    while (off + name->qname_len < asked->qname_len)
        off += (size_t)asked->qname[off] + 1;
    return off + name->qname_len == asked->qname_len &&
           memcmp(asked->qname + off, name->qname, name->qname_len) == 0;
}

/* Called before the iterator stores the response: what holds a listed name is not stored, or other
 * workers would answer from it before moddone comes round. */
static int on_query_response(struct module_qstate *qstate, struct dns_msg *response, int id,
                             void *arg)
{
    struct sinkhole_glue *glue = arg;
    struct sinkhole_note *note = sinkhole_note_of(qstate, id);
    unsigned taint = 0;

    if (note != NULL && note->taint == SINKHOLE_TAINT_ONCE) {
        note->taint = 0;
        qstate->no_cache_store = 0;
    }
    if (response == NULL || response->rep == NULL || response->rep->an_numrrsets == 0 ||
        qstate->no_cache_store)
        return 1;
    if (note != NULL && note->verdict.until != 0 &&
        (int64_t)*qstate->env->now + (int64_t)response->rep->ttl >= note->verdict.until) {
        qstate->no_cache_store = 1; /* it would outlive the exception that lets it through */
        return 1;
    }
    if (!sinkhole_rep_has_alias(response->rep) &&
        is_at_or_above(&response->qinfo, &qstate->qinfo) &&
        sinkhole_unlisted_is(qstate, id, sinkhole_engine_swaps(glue->engine)))
        return 1; /* the asked name, or the ancestor of a minimised query: known */
    struct sinkhole_worker *worker = sinkhole_engine_worker(glue->engine);
    if (worker == NULL)
        return 1;
    const struct sinkhole_view *view = sinkhole_worker_enter(glue->engine, worker);
    if (view != NULL)
        taint = response_taint(view, qstate, response);
    sinkhole_worker_leave(worker);
    if (taint == 0)
        return 1;
    note = sinkhole_note_make(qstate, id);
    if (note != NULL)
        note->taint = (uint8_t)taint;
    qstate->no_cache_store = 1;
    return 1;
}

/* --- registration --- */

/* Unbound takes callbacks as object pointers; the types are checked here. */
static const struct {
    enum inplace_cb_list_type type;
    inplace_cb_reply_func_type *reply;
    inplace_cb_query_response_func_type *response;
} callbacks[] = {
    {inplace_cb_reply, on_reply, NULL},
    {inplace_cb_reply_cache, on_reply_cache, NULL},
    {inplace_cb_reply_servfail, on_servfail, NULL},
    {inplace_cb_query_response, NULL, on_query_response},
};
#define CALLBACK_COUNT (sizeof(callbacks) / sizeof(callbacks[0]))

bool sinkhole_reply_register(struct sinkhole_glue *glue, struct module_env *env, int id)
{
    struct dynlibmod_env *loader = env->modinfo[id];

    for (size_t i = 0; i < CALLBACK_COUNT; i++) {
        void *callback;
        if (callbacks[i].reply != NULL)
            memcpy(&callback, &callbacks[i].reply, sizeof(callback));
        else
            memcpy(&callback, &callbacks[i].response, sizeof(callback));
        if (!loader->inplace_cb_register_wrapped(callback, callbacks[i].type, glue, env, id))
            return false;
    }
    return true;
}

void sinkhole_reply_unregister(struct module_env *env, int id)
{
    struct dynlibmod_env *loader = env->modinfo[id];

    for (size_t i = 0; i < CALLBACK_COUNT; i++)
        loader->inplace_cb_delete_wrapped(env, callbacks[i].type, id);
}
