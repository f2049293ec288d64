/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is staged, as it stands in Redis: a JSON text (mode, attributes, counts) and one zstd stream
 * of lines "key TAB scope", an empty line, and the lines kept beside.
 *
 * Threads: pure functions over their arguments. Memory: the packed octets; while unpacking the
 * names.
 */
#ifndef FEEDS_STAGING_H
#define FEEDS_STAGING_H

#include "feeds/import_private.h"

#define FEED_STAGED_MOST ((size_t)2 << 30) /* packed octets */

/* *ret_data is the caller's to free. False: no memory. `progress` may be NULL. */
bool feed_staging_pack(const struct sinkhole_import *import, sinkhole_progress_fn progress,
                       void *arg, void **ret_data, size_t *ret_len);
/* Every key is checked again. `names` may be NULL (only what is beside is wanted), `visit` too. */
enum sinkhole_feeds_status feed_staging_unpack(const void *data, size_t len,
                                               struct feed_names *names, sinkhole_beside_fn visit,
                                               void *arg);
/* NULL: attributes out of range, or no UTF-8. */
char *feed_staging_to_json(const struct sinkhole_staged *staged);
bool feed_staging_from_json(const char *json, struct sinkhole_staged *ret_staged);

#endif
