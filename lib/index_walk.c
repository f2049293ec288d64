/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading the index name by name, for the agent and for tests; never in a query's path.
 * Threads: any number at once. Memory: two cursors on the stack.
 */
#include "lib/index_private.h"

size_t sinkhole_index_entries(const struct sinkhole_index *index, const char *key, size_t key_len,
                              uint32_t ret_ids[SINKHOLE_INDEX_ENTRIES_MAX])
{
    size_t count;

    if (table_find(&index->delta, key, key_len, ret_ids, &count) ||
        table_find(&index->base, key, key_len, ret_ids, &count))
        return count;
    return 0;
}

/* <0: a's key comes first, or b has none left. */
static int cursors_compare(const struct table_cursor *a, bool a_has, const struct table_cursor *b,
                           bool b_has)
{
    int order;

    if (!a_has || !b_has)
        return a_has ? -1 : 1;
    order = memcmp(a->key, b->key, a->key_len < b->key_len ? a->key_len : b->key_len);
    return order != 0 ? order : (a->key_len > b->key_len) - (a->key_len < b->key_len);
}

bool sinkhole_index_walk(const struct sinkhole_index *index, enum sinkhole_index_part part,
                         sinkhole_index_visit_fn visit, void *arg)
{
    struct table_cursor base, delta;
    bool base_has = false, delta_has, whole = part == SINKHOLE_INDEX_WHOLE;

    table_cursor_init(&base, &index->base);
    table_cursor_init(&delta, &index->delta);
    if (whole)
        base_has = table_cursor_next(&base);
    delta_has = table_cursor_next(&delta);
    while ((base_has || delta_has) && !base.damaged && !delta.damaged) {
        int order = cursors_compare(&delta, delta_has, &base, base_has);
        struct table_cursor *now = order <= 0 ? &delta : &base;

        if ((now->count > 0 || !whole) && !visit(arg, now->key, now->key_len, now->ids, now->count))
            return true;
        if (order >= 0)
            base_has = table_cursor_next(&base);
        if (order <= 0)
            delta_has = table_cursor_next(&delta);
    }
    return !base.damaged && !delta.damaged;
}
