/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Removal from Unbound's message cache: by name, by message, and in a walk of small slices.
 *
 * A slice takes one slab's lock for at most SLICE_BINS bins and only copies names out; they are
 * looked up after the lock was let go (a walk of a whole slab stops a busy resolver for seconds).
 *
 * Threads: the engine's thread, beside the workers, under Unbound's own locks. Memory: one buffer
 * on the stack of a slice, about 128 KiB; what does not fit is left for the next slice.
 */
#include "module/unbound_glue.h"

#include <string.h>

#include "daemon/daemon.h"
#include "util/locks.h"
#include "util/storage/lruhash.h"
#include "util/storage/slabhash.h"

#define SLICE_BINS 256
#define SLICE_ROOM 98304
#define SLICE_MESSAGES 512
#define SLICE_RRSETS 64 /* of one message */

/* Types under which clients ask for a name, so that its messages can be removed without a walk. */
static const uint16_t usual_types[] = {
    LDNS_RR_TYPE_A,     LDNS_RR_TYPE_AAAA, LDNS_RR_TYPE_HTTPS, LDNS_RR_TYPE_SVCB,
    LDNS_RR_TYPE_CNAME, LDNS_RR_TYPE_TXT,  LDNS_RR_TYPE_MX,    LDNS_RR_TYPE_NS,
    LDNS_RR_TYPE_SOA,   LDNS_RR_TYPE_ANY,  LDNS_RR_TYPE_PTR,   LDNS_RR_TYPE_SRV,
    LDNS_RR_TYPE_DS,    LDNS_RR_TYPE_CAA,  LDNS_RR_TYPE_NAPTR, LDNS_RR_TYPE_DNSKEY,
};

static void key_remove(struct sinkhole_glue *glue, uint8_t *name, size_t len, uint16_t qtype,
                       uint16_t qclass, uint16_t flags)
{
    struct query_info key;

    memset(&key, 0, sizeof(key));
    key.qname = name;
    key.qname_len = len;
    key.qtype = qtype;
    key.qclass = qclass;
    slabhash_remove(glue->msg_cache, query_info_hash(&key, flags), &key);
}

/* Both variants: of the flags, CD alone is part of a message's hash. */
static void type_remove(struct sinkhole_glue *glue, uint8_t *name, size_t len, uint16_t qtype,
                        uint16_t qclass)
{
    key_remove(glue, name, len, qtype, qclass, BIT_RD);
    key_remove(glue, name, len, qtype, qclass, BIT_RD | BIT_CD);
}

static unsigned name_remove(void *arg, const uint8_t *wire, size_t len)
{
    struct sinkhole_glue *glue = arg;
    uint8_t name[SINKHOLE_NAME_WIRE_MAX];
    unsigned count = sizeof(usual_types) / sizeof(usual_types[0]);

    memcpy(name, wire, len);
    for (unsigned i = 0; i < count; i++)
        type_remove(glue, name, len, usual_types[i], LDNS_RR_CLASS_IN);
    return count;
}

static void message_remove(void *arg, const struct sinkhole_message *message)
{
    uint8_t name[SINKHOLE_NAME_WIRE_MAX];

    memcpy(name, message->wire, message->len);
    type_remove(arg, name, message->len, message->qtype, message->qclass);
}

/* --- the walk --- */

/* Names copied out of one slice: for each message its own name, then its alias targets. */
struct slice_message {
    hashvalue_type hash;
    uint16_t qtype, qclass;
    uint32_t off; /* into room: length octet and wire form, name after name */
    uint32_t names;
};
struct slice {
    unsigned messages;
    uint32_t used;
    struct slice_message message[SLICE_MESSAGES];
    uint8_t room[SLICE_ROOM];
};

static bool slice_add_name(struct slice *slice, const uint8_t *name, size_t len)
{
    if (len > SINKHOLE_NAME_WIRE_MAX || slice->used + 1 + len > SLICE_ROOM)
        return false;
    slice->room[slice->used] = (uint8_t)len;
    memcpy(slice->room + slice->used + 1, name, len);
    slice->used += 1 + (uint32_t)len;
    slice->message[slice->messages].names++;
    return true;
}

/* The id is set to zero under the rrset's lock when it leaves the cache; Unbound writes that zero
 * once more after it has let the lock go. */
__attribute__((no_sanitize("thread"))) static rrset_id_type
rrset_id(const struct ub_packed_rrset_key *rrset)
{
    return rrset->id;
}

/* An alias of a cached message, read under the rrset's own lock; the id tells whether the rrset is
 * still the one the message means. A lock that is taken is not waited for: the slab is locked. */
static void slice_add_alias(struct slice *slice, const struct rrset_ref *ref)
{
    struct ub_packed_rrset_key *rrset = ref->key;
    size_t len;

    if (pthread_rwlock_tryrdlock(&rrset->entry.lock) != 0)
        return;
    if (rrset_id(rrset) == ref->id && sinkhole_rrset_is_alias(rrset)) {
        const uint8_t *target = sinkhole_alias_target(rrset->entry.data, &len);
        if (target != NULL)
            (void)slice_add_name(slice, target, len);
    }
    lock_rw_unlock(&rrset->entry.lock);
}

/* False: the slice is full. */
static bool slice_add_entry(struct slice *slice, struct lruhash_entry *entry)
{
    struct slice_message *message = &slice->message[slice->messages];
    const struct msgreply_entry *key = entry->key;
    bool fits = slice->messages < SLICE_MESSAGES;

    if (!fits)
        return false;
    lock_rw_rdlock(&entry->lock);
    const struct reply_info *rep = entry->data;
    message->hash = entry->hash;
    message->qtype = key->key.qtype;
    message->qclass = key->key.qclass;
    message->off = slice->used;
    message->names = 0;
    fits = slice_add_name(slice, key->key.qname, key->key.qname_len);
    if (fits && rep != NULL && rep->an_numrrsets > 0) {
        /* ref[] is sorted by address: aliases may stand anywhere in it. */
        for (size_t i = 0; i < rep->rrset_count && i < SLICE_RRSETS; i++)
            slice_add_alias(slice, &rep->ref[i]);
    }
    lock_rw_unlock(&entry->lock);
    if (!fits) {
        slice->used = message->off;
        return false;
    }
    slice->messages++;
    return true;
}

/* Copies up to SLICE_BINS bins from walk->bin on. Returns false at the end of the table. A bin is
 * taken whole or not at all, unless it alone fills the slice. */
static bool slice_fill(struct slice *slice, struct lruhash *table, struct sinkhole_walk *walk)
{
    size_t end = walk->bin + SLICE_BINS;

    slice->messages = 0;
    slice->used = 0;
    lock_quick_lock(&table->lock);
    for (; walk->bin < table->size && walk->bin < end; walk->bin++) {
        struct lruhash_bin *bin = &table->array[walk->bin];
        unsigned messages = slice->messages;
        bool fits = true;

        lock_quick_lock(&bin->lock);
        for (struct lruhash_entry *entry = bin->overflow_list; entry != NULL && fits;
             entry = entry->overflow_next)
            fits = slice_add_entry(slice, entry);
        lock_quick_unlock(&bin->lock);
        if (fits)
            continue;
        if (messages == 0)
            walk->bin++;
        else
            slice->messages = messages;
        break;
    }
    bool more = walk->bin < table->size;
    lock_quick_unlock(&table->lock);
    return more;
}

/* The aliases of a message that has to go are owned by its name and by their own targets. */
static void aliases_remove(struct sinkhole_glue *glue, struct slice *slice,
                           const struct slice_message *message)
{
    uint32_t at = message->off;

    for (uint32_t n = 0; n < message->names && message->names > 1; n++) {
        size_t len = slice->room[at];
        rrset_cache_remove(glue->rrset_cache, slice->room + at + 1, len, LDNS_RR_TYPE_CNAME,
                           message->qclass, 0);
        at += 1 + (uint32_t)len;
    }
}

/* Not before the first query, when the cache is empty and Unbound is still being set up. And not
 * between the workers' end and deinit, when a reload may delete the cache and make another: Unbound
 * sets the number of its workers to 0 before. Read without a lock, since there is none to take. */
__attribute__((no_sanitize("thread"))) static bool cache_usable(void *arg)
{
    struct sinkhole_glue *glue = arg;
    const struct daemon *daemon = atomic_load_explicit(&glue->daemon, memory_order_acquire);

    return daemon != NULL && *(const volatile int *)&daemon->num > 0 &&
           daemon->env->msg_cache == glue->msg_cache;
}

static unsigned slice_judge(struct sinkhole_glue *glue, struct slice *slice,
                            sinkhole_judge_fn judge, void *judge_arg)
{
    unsigned removed = 0;

    for (unsigned i = 0; i < slice->messages; i++) {
        struct slice_message *message = &slice->message[i];
        uint8_t wire[SINKHOLE_NAME_WIRE_MAX];
        bool listed = false;
        uint32_t at = message->off;

        for (uint32_t n = 0; n < message->names && !listed; n++) {
            size_t len = slice->room[at];
            listed =
                sinkhole_wire_lower(slice->room + at + 1, len, wire) && judge(judge_arg, wire, len);
            at += 1 + (uint32_t)len;
        }
        if (!listed)
            continue;
        if (!cache_usable(glue)) /* the thread may have been held up for long */
            break;
        aliases_remove(glue, slice, message);
        struct query_info key;
        memset(&key, 0, sizeof(key));
        key.qname = slice->room + message->off + 1;
        key.qname_len = slice->room[message->off];
        key.qtype = message->qtype;
        key.qclass = message->qclass;
        slabhash_remove(glue->msg_cache, message->hash, &key);
        removed++;
    }
    return removed;
}

static bool cache_walk(void *arg, struct sinkhole_walk *walk, sinkhole_judge_fn judge,
                       void *judge_arg, unsigned *ret_removed)
{
    struct sinkhole_glue *glue = arg;
    struct slice slice;

    *ret_removed = 0;
    if (walk->slab >= glue->msg_cache->size)
        return false;
    if (!slice_fill(&slice, glue->msg_cache->array[walk->slab], walk)) {
        walk->slab++;
        walk->bin = 0;
    }
    *ret_removed = slice_judge(glue, &slice, judge, judge_arg);
    return walk->slab < glue->msg_cache->size;
}

void sinkhole_cache_host(struct sinkhole_glue *glue)
{
    glue->host.cache_usable = cache_usable;
    glue->host.name_remove = name_remove;
    glue->host.message_remove = message_remove;
    glue->host.cache_walk = cache_walk;
}
