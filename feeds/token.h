/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Words of a list: cleaning, refanging, and what a word is (name, address, URL, hash, e-mail).
 *
 * Threads: pure functions. Memory: the caller's buffers.
 */
#ifndef FEEDS_TOKEN_H
#define FEEDS_TOKEN_H

#include <stdbool.h>
#include <stddef.h>

#include "sinkhole/feeds.h"
#include "sinkhole/units.h"

/* Marks that feed_refang leaves for what was defanged; no cleaned text has them. */
#define FEED_MARK_DOT '\001'
#define FEED_MARK_COLON '\002'
#define FEED_MARK_AT '\003'
#define FEED_MARK_HTTP '\004' /* before a scheme that was hxxp */

enum feed_token_kind {
    FEED_NAME,
    FEED_ADDRESS, /* also with a port */
    FEED_URL,     /* with a path, or of an address; `name` is set when the host is one */
    FEED_HASH,    /* 32, 40, 64 or 128 hexadecimal digits */
    FEED_EMAIL,
    FEED_NOTHING, /* `reason` says why */
};

#define FEED_TOKEN_MAX 4096 /* octets of a word; longer ones are cut for keeping */

struct feed_token {
    enum feed_token_kind kind;
    enum sinkhole_note_reason reason; /* of FEED_NOTHING */
    bool defanged, schemed;           /* had a mark; had "scheme://" */
    bool has_scope, has_name;
    enum sinkhole_scope scope; /* BELOW after "*.", SUBTREE after "." */
    struct sinkhole_name name;
    const char *text; /* the word, refanged, in the buffer that was given */
    size_t len;
};

/* Removes zero-width characters, soft hyphens and BOMs; turns no-break and other spaces, line
 * separators and control characters into blanks (tabs stay); trims both ends. Returns the text
 * inside `line` or, if something had to be removed, inside `scratch` of at least `len` octets. */
const char *feed_clean(const char *line, size_t len, char *scratch, size_t *ret_len);

/* [.] (.) {.} [dot] (dot) {dot} "[." ".]" [:] (:) [://] [@] [at] and hxxp become marks. `out` has
 * room for `len` octets: the text never grows. Returns its length. */
size_t feed_refang(const char *text, size_t len, char *out);
/* Marks back into plain characters, in place; true when there were any. */
bool feed_unmark(char *text, size_t *len);

/* One word, defanged or marked or neither; `buf` of FEED_TOKEN_MAX holds its refanged form. */
void feed_token_classify(const char *word, size_t len, char *buf, struct feed_token *ret_token);

/* Octets escaped for a terminal and cut: UTF-8 stays, controls and broken octets become \xNN. */
void feed_escape(const char *text, size_t len, char *out, size_t size);
/* Copies a text, cut between characters when it is longer than `size` - 1 octets. */
void feed_copy_text(char *to, size_t size, const char *text);

#endif
