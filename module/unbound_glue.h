/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files that know Unbound's headers (unbound_*.c, and nothing else) share.
 *
 * Only named fields are used, and no function whose signature changed between 1.17 and 1.26, so
 * that one source compiles against any of them.
 *
 * Threads: a note belongs to one query state, so to one worker. Memory: a note lies in the query's
 * region.
 */
#ifndef SINKHOLE_UNBOUND_GLUE_H
#define SINKHOLE_UNBOUND_GLUE_H

/* Unbound's config.h comes first, from the compiler's command line. */
#include "util/module.h"
#include "util/netevent.h"
#include "util/net_help.h"
#include "util/regional.h"
#include "util/data/dname.h"
#include "util/data/msgencode.h"
#include "util/data/msgparse.h"
#include "util/data/msgreply.h"
#include "util/data/packed_rrset.h"
#include "services/cache/dns.h"
#include "services/cache/rrset.h"
#include "services/mesh.h"
#include "sldns/rrdef.h"

#include <arpa/inet.h>
#include <pthread.h>

#include "module/answer.h"
#include "module/engine.h"

struct daemon;

struct sinkhole_glue;
struct ub_event;

/* The cache callback of one worker (unbound_hook.c). */
struct sinkhole_hook {
    struct sinkhole_glue *glue;
    struct module_env *env; /* the worker's own copy */
    struct ub_event *event;
    int fd;
    bool asked;          /* the worker has tried to join */
    bool alone;          /* the callback is the only one in its list: it may be taken off */
    _Atomic bool joined; /* it can be woken */
    _Atomic bool hung;   /* the callback is in its list */
};

#define SINKHOLE_LINES 16

/* What the engine's thread has to say, until a worker says it; behind the lock. */
struct sinkhole_lines {
    pthread_mutex_t lock;
    unsigned count;
    struct {
        enum sinkhole_log_level level;
        char text[512];
    } line[SINKHOLE_LINES];
};

/* One loaded module. */
struct sinkhole_glue {
    struct sinkhole_engine *engine;
    struct sinkhole_host host;
    struct slabhash *msg_cache;
    struct rrset_cache *rrset_cache;
    int id;
    _Atomic(struct daemon *) daemon; /* known from the first query on */
    struct inplace_cb *cache_node;   /* the callback's element; NULL: it always hangs */
    pthread_t starter;               /* who called init */
    struct sinkhole_lines lines;
    struct sinkhole_hook hooks[SINKHOLE_LANES_MAX];
};

/* What a query state carries from the decision to its replies (minfo[id]); all zero at first. */
struct sinkhole_note {
    struct sinkhole_verdict verdict;   /* kind PASS: nothing decided */
    struct sinkhole_address answer;    /* handed out; family 0: none */
    struct reply_info *ours;           /* the answer made here; NULL: the real one goes out */
    const struct comm_reply *recorded; /* last reply that was recorded */
    uint16_t ede[2];
    uint8_t ede_count;
    uint8_t taint;       /* enum sinkhole_taint */
    bool refused;        /* class ANY: an error goes out in place of an answer */
    size_t drop_replies; /* mesh's count of waiting replies after a DROP; 0: none dropped */
};

/* Why no_cache_store was set by us. */
enum sinkhole_taint {
    SINKHOLE_TAINT_ONCE = 1,   /* this response is about a listed name on the way: not the next */
    SINKHOLE_TAINT_ALWAYS = 2, /* the final message holds a listed name */
};

/* Where alias chains are followed, no further than this many records. */
#define SINKHOLE_CHAIN_MAX 16

/* Class ANY is answered from class IN. */
static inline bool sinkhole_class_is_ours(uint16_t qclass)
{
    return qclass == SINKHOLE_CLASS_IN || qclass == SINKHOLE_CLASS_ANY;
}

struct sinkhole_glue *sinkhole_glue_of(const struct module_qstate *qstate, int id);

/*
 * minfo[id] holds a pointer to the note, or, for most queries, an odd number: neither the asked
 * name nor an ancestor had any entry when that many views had been published, so that none need be
 * asked for again.
 */
static inline struct sinkhole_note *sinkhole_note_of(const struct module_qstate *qstate, int id)
{
    uintptr_t value = (uintptr_t)qstate->minfo[id];

    return (value & 1) != 0 ? NULL : qstate->minfo[id];
}
static inline void sinkhole_unlisted_set(struct module_qstate *qstate, int id, unsigned swaps)
{
    qstate->minfo[id] = (void *)(((uintptr_t)swaps << 1) | 1);
}
static inline bool sinkhole_unlisted_is(const struct module_qstate *qstate, int id, unsigned swaps)
{
    return (uintptr_t)qstate->minfo[id] == (((uintptr_t)swaps << 1) | 1);
}
/* The state's note, made when it is not there. NULL: no memory. */
struct sinkhole_note *sinkhole_note_make(struct module_qstate *qstate, int id);

/* --- unbound_answer.c --- */
/* Makes the answer for note->verdict the state's return message. False: no memory. */
bool sinkhole_answer_install(struct module_qstate *qstate, struct sinkhole_note *note);

/* --- unbound_chain.c --- */
/* Kind of the asked name of any wire form (malformed: PASS). */
enum sinkhole_kind sinkhole_name_decide(const struct sinkhole_view *view, const uint8_t *name,
                                        size_t len, int64_t now_s,
                                        struct sinkhole_verdict *ret_verdict);
/* The first alias target in the answer section that a verdict stops; else the first that is
 * monitored. The rrsets' locks are held by the caller, or they are private copies. `ret_verdict`
 * gets CHAIN. */
enum sinkhole_kind sinkhole_chain_decide(const struct sinkhole_view *view,
                                         const struct reply_info *rep, int64_t now_s,
                                         struct sinkhole_verdict *ret_verdict);
/* Takes out of the caches every message of an alias target that is stopped, and the aliases that
 * lead there: the next look-up fetches them anew, and is seen by the response callback before
 * anything is stored. */
void sinkhole_chain_remove(const struct sinkhole_view *view, struct module_qstate *qstate,
                           const struct reply_info *rep, int64_t now_s);
/* True when the answer section begins with an alias: all others need no look at their records. */
static inline bool sinkhole_rep_has_alias(const struct reply_info *rep)
{
    return rep->an_numrrsets > 0 && (rep->rrsets[0]->rk.type == htons(LDNS_RR_TYPE_CNAME) ||
                                     rep->rrsets[0]->rk.type == htons(LDNS_RR_TYPE_DNAME));
}
/* The name an alias record points to, inside `data`; NULL: none. */
const uint8_t *sinkhole_alias_target(const struct packed_rrset_data *data, size_t *ret_len);
bool sinkhole_rrset_is_alias(const struct ub_packed_rrset_key *rrset);

/* --- unbound_cache.c --- */
/* Fills the host's functions that work on the message cache. */
void sinkhole_cache_host(struct sinkhole_glue *glue);

/* --- unbound_hook.c --- */
/* After the callbacks were registered; fills the host's functions for them and for the log. */
void sinkhole_hook_init(struct sinkhole_glue *glue, const struct module_env *env);
/* In the worker, at its first query. */
void sinkhole_hook_join(struct sinkhole_hook *hook, struct module_env *env);
/* After the workers and the engine's thread have ended. */
void sinkhole_hook_done(struct sinkhole_glue *glue);

/* --- unbound_reply.c --- */
/* Registers, or removes, the callbacks. False: no memory. */
bool sinkhole_reply_register(struct sinkhole_glue *glue, struct module_env *env, int id);
void sinkhole_reply_unregister(struct module_env *env, int id);
/* A client that gets no answer. */
void sinkhole_drop_record(struct sinkhole_worker *worker, struct module_qstate *qstate,
                          const struct sinkhole_note *note, const struct mesh_reply *reply);

#endif
