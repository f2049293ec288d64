/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Names as people write them: IDN in U-label or A-label form, and public suffixes.
 *
 * Part of libsinkhole-text, which the module never links. Threads: an open suffix list is
 * immutable. Memory: the list's, about 1 MB.
 */
#ifndef SINKHOLE_TEXT_H
#define SINKHOLE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "sinkhole/name.h"

/* A name as UTF-8 text, U-labels or A-labels, normalised to NFC, IDNA 2008 (libidn2); the
 * ideographic full stops are dots. An invalid A-label is refused. Status as
 * sinkhole_name_from_text; CHARACTER also for what IDNA refuses. */
enum sinkhole_name_status sinkhole_text_name(const char *text, size_t len,
                                             struct sinkhole_name *ret_name);
/* U-label form for people, terminated, at most `size`; falls back to the A-label form. */
size_t sinkhole_text_display(const struct sinkhole_name *name, char *buf, size_t size);
/* "evil[.]example": for mail bodies and reports. */
size_t sinkhole_text_defang(const struct sinkhole_name *name, char *buf, size_t size);

enum sinkhole_suffix_kind {
    SINKHOLE_SUFFIX_NONE = 0, /* an ordinary name */
    SINKHOLE_SUFFIX_TLD,      /* the root or a single label */
    SINKHOLE_SUFFIX_ICANN,    /* com.vn */
    SINKHOLE_SUFFIX_PRIVATE,  /* blogspot.com */
};
struct sinkhole_suffixes; /* opaque */
/* `path` NULL: the newest list installed. NULL return: unreadable or not a list. */
struct sinkhole_suffixes *sinkhole_suffixes_open(const char *path);
void sinkhole_suffixes_close(struct sinkhole_suffixes *suffixes);
enum sinkhole_suffix_kind sinkhole_suffix_kind(const struct sinkhole_suffixes *suffixes,
                                               const struct sinkhole_name *name);
/* Is the name's last label a top-level domain that the list knows? */
bool sinkhole_suffixes_knows(const struct sinkhole_suffixes *suffixes,
                             const struct sinkhole_name *name);
/* Registrable domain (suffix and one label); false when the name is itself a suffix. */
bool sinkhole_registrable(const struct sinkhole_suffixes *suffixes,
                          const struct sinkhole_name *name, struct sinkhole_name *ret_domain);
/* Version or date of the list for messages, never NULL. */
const char *sinkhole_suffixes_version(const struct sinkhole_suffixes *suffixes);

/* Changes of one octet that make `b` of `a`, for "did you mean"; words of 63 octets and more: 63.
 */
unsigned sinkhole_edit_distance(const char *a, const char *b);

#endif
