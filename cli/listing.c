/* SPDX-License-Identifier: BSD-3-Clause */
/* Everything Redis has on one name. Threads and memory: see listing.h. */
#include "cli/listing.h"

#include <stdlib.h>
#include <string.h>

void listing_done(struct listing *listing)
{
    free(listing->entries);
    memset(listing, 0, sizeof *listing);
}

/* The more specific name, the higher rank, the stricter action, the lower id. */
static bool wins(const struct listing_entry *entry, const struct listing_entry *over)
{
    if (over == NULL)
        return true;
    if (entry->name.labels != over->name.labels)
        return entry->name.labels > over->name.labels;
    if (entry->feed.policy.rank != over->feed.policy.rank)
        return entry->feed.policy.rank > over->feed.policy.rank;
    if (entry->action != over->action)
        return entry->action > over->action;
    return entry->batch.rule.id < over->batch.rule.id;
}

void listing_judge(struct listing *listing, struct listing_entry *entry, int64_t now_s)
{
    const struct sinkhole_rule *rule = &entry->batch.rule;
    bool apex = entry->name.wire_len == listing->name.wire_len;

    entry->covers =
        rule->scope == SINKHOLE_SCOPE_SUBTREE ||
        (apex ? rule->scope == SINKHOLE_SCOPE_EXACT : rule->scope == SINKHOLE_SCOPE_BELOW);
    entry->expired = rule->valid_until != 0 && rule->valid_until <= now_s;
    entry->action =
        rule->action == SINKHOLE_ACTION_INHERIT ? entry->feed.policy.action : rule->action;
    if (!entry->known || !entry->covers || entry->expired)
        return;
    if (entry->action == SINKHOLE_ACTION_ALLOW) {
        if (wins(entry, listing->exception))
            listing->exception = entry;
    } else if (wins(entry, listing->decides)) {
        listing->decides = entry;
    }
}

static enum sinkhole_store_status load_entry(struct sinkhole_store *store, struct listing *listing,
                                             const struct sinkhole_name *name, uint32_t id,
                                             int64_t now_s)
{
    struct listing_entry *entry;
    enum sinkhole_store_status status;

    if (listing->count == LISTING_MAX) {
        listing->cut = true;
        return SINKHOLE_STORE_OK;
    }
    entry = &listing->entries[listing->count++];
    memset(entry, 0, sizeof *entry);
    entry->name = *name;
    status = sinkhole_batch_get(store, id, &entry->batch);
    if (status == SINKHOLE_STORE_OK)
        status = sinkhole_feed_get(store, entry->batch.feed, &entry->feed);
    entry->known = status == SINKHOLE_STORE_OK;
    entry->batch.rule.id = id;
    listing_judge(listing, entry, now_s);
    return status == SINKHOLE_STORE_ABSENT ? SINKHOLE_STORE_OK : status;
}

enum sinkhole_store_status listing_load(struct sinkhole_store *store,
                                        const struct sinkhole_name *name, int64_t now_s,
                                        struct listing *ret_listing)
{
    struct listing listing = {.name = *name};
    enum sinkhole_store_status status = sinkhole_list_head_get(store, &listing.head);

    if (status == SINKHOLE_STORE_ABSENT) { /* nothing was ever published */
        *ret_listing = listing;
        return SINKHOLE_STORE_OK;
    }
    listing.entries = calloc(LISTING_MAX, sizeof *listing.entries);
    if (listing.entries == NULL)
        status = SINKHOLE_STORE_NO_MEMORY;
    for (size_t off = 0; status == SINKHOLE_STORE_OK && name->wire[off] != 0;
         off += (size_t)name->wire[off] + 1) {
        uint32_t ids[SINKHOLE_INDEX_ENTRIES_MAX];
        struct sinkhole_name ancestor;
        struct sinkhole_key key;
        size_t count = 0;

        if (name->wire[off + name->wire[off] + 1] == 0)
            break; /* top-level domains are never listed */
        if (!sinkhole_key_from_wire(name->wire, name->wire_len, off, &key) ||
            sinkhole_name_from_wire(name->wire + off, name->wire_len - off, &ancestor) !=
                SINKHOLE_NAME_OK)
            continue; /* no list can carry it */
        status = sinkhole_list_find(store, key.text, key.len, ids, &count);
        if (status == SINKHOLE_STORE_ABSENT)
            status = SINKHOLE_STORE_OK;
        for (size_t i = 0; status == SINKHOLE_STORE_OK && i < count; i++)
            status = load_entry(store, &listing, &ancestor, ids[i], now_s);
    }
    if (status != SINKHOLE_STORE_OK) {
        listing_done(&listing);
        return status;
    }
    *ret_listing = listing;
    return status;
}
