/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A proved view of the list at one generation: head, digest key, and the log's net change; from it
 * the merged lines are streamed, chunk by chunk. Inside store/ only.
 *
 * Threads: with its store handle. Memory: the net change, three compressed chunks, one decoded.
 */
#ifndef SINKHOLE_LIST_VIEW_H
#define SINKHOLE_LIST_VIEW_H

#include "store/connection.h"
#include "store/list_codec.h"

struct sinkhole_list_view {
    struct sinkhole_list_root root;
    uint8_t key[SINKHOLE_DIGEST_KEY_LEN];
    bool has_key; /* false only where nothing was ever published */
    struct sinkhole_overlay *net;
};

/* HGETALL of the head, checked. ONCE where it is watched. */
enum sinkhole_store_status sinkhole_list_root_read(struct sinkhole_store *store,
                                                   enum sinkhole_call again,
                                                   struct sinkhole_list_root *ret_root);
/* Reads head and key; `with_log`: the log too, proved generation by generation. */
enum sinkhole_store_status sinkhole_list_view_open(struct sinkhole_store *store, bool with_log,
                                                   struct sinkhole_list_view *ret_view);
void sinkhole_list_view_done(struct sinkhole_list_view *view);

/* Anything but OK ends the stream and is its status. */
typedef enum sinkhole_store_status (*sinkhole_list_visit_fn)(void *arg, const char *key,
                                                             size_t key_len, uint32_t id);
/*
 * All lines in order: the snapshot's with view->net over them. The snapshot's count and digest are
 * proved before OK. `change` (NULL: none): lines of net that came from it; a contradiction there is
 * INVALID, elsewhere DAMAGED. A chunk that is gone: RECONNECT when the head moved meanwhile (read
 * again), else DAMAGED.
 */
enum sinkhole_store_status sinkhole_list_stream(struct sinkhole_store *store,
                                                const struct sinkhole_list_view *view,
                                                const struct sinkhole_overlay *change,
                                                sinkhole_list_visit_fn visit, void *arg);
/* The log's net change of one key over the snapshot's ids; false: they contradict each other. */
bool sinkhole_list_apply_net(const struct sinkhole_overlay *net, const char *key, size_t key_len,
                             uint32_t ids[SINKHOLE_INDEX_ENTRIES_MAX], size_t *count);
/* DAMAGED or NO_MEMORY with the codec's reason; `what` is the key or ID at fault. */
enum sinkhole_store_status sinkhole_list_fail(struct sinkhole_store *store,
                                              enum sinkhole_codec_status status, const char *what);

#endif
