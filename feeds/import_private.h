/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An import's inside, shared by import.c, mention.c and staging.c.
 *
 * Threads: one import, one thread. Memory: names.h, notes (at most SINKHOLE_NOTES_MAX), text kept
 * beside (at most FEED_BESIDE_MAX octets).
 */
#ifndef FEEDS_IMPORT_PRIVATE_H
#define FEEDS_IMPORT_PRIVATE_H

#include "feeds/guard.h"
#include "feeds/names.h"
#include "feeds/parser.h"

#define FEED_BESIDE_MAX (64u << 20)

struct feed_text_store {
    char *text; /* lines, each ended by LF */
    size_t used, size;
};

struct feed_note {
    uint64_t line;
    size_t off; /* into note_text, terminated */
    enum sinkhole_note_reason reason;
};

/* A name written plainly, past the guard, until the end of the text tells what that means. */
struct feed_plain_mention {
    uint64_t line;
    size_t off; /* into held_text: key, then the word as written, both terminated */
    uint8_t key_len;
    uint8_t scope;
};

struct sinkhole_import {
    struct sinkhole_import_options options;
    struct sinkhole_import_counts counts;
    enum sinkhole_import_status status;
    const struct sinkhole_suffixes *suffixes;
    struct feed_guard *guard;
    uint64_t most_bytes;
    struct feed_names names;
    struct feed_note *notes;
    size_t note_count, note_room;
    struct feed_text_store note_text;
    struct feed_text_store beside;   /* "address TAB 192.0.2.1" */
    struct feed_plain_mention *held; /* text, SINKHOLE_UNDEFANGED_AUTO */
    size_t held_count, held_room;
    struct feed_text_store held_text;
    bool defangs;                  /* the text has a defanged name, URL or address */
    sinkhole_progress_fn progress; /* while sorting; may be NULL */
    void *progress_arg;
    uint64_t last_dirty_line;
    struct feed_sink sink;
    struct feed_input input;
    char input_line[FEED_LINE_MAX];
    union {
        struct feed_plain plain;
        struct feed_hosts hosts;
        struct feed_csv csv;
        struct feed_text text;
    } parser;
};

/* The import's own ways to note, to list and to fail (import.c). */
void feed_import_note(void *import, uint64_t line_no, enum sinkhole_note_reason reason,
                      const char *text, size_t len);
void feed_import_add(struct sinkhole_import *import, const char *key, size_t key_len,
                     enum sinkhole_scope scope);
void feed_import_fail(struct sinkhole_import *import, enum sinkhole_import_status status);

/* Keeps a name that was written plainly until the end (mention.c). */
void feed_mention_hold(struct sinkhole_import *import, uint64_t line_no,
                       const struct feed_token *token, const struct sinkhole_key *key,
                       enum sinkhole_scope scope);
/* At the end, names sorted: they are listed, or noted for review when the text defangs. */
void feed_mention_settle(struct sinkhole_import *import);

/* False: no memory, or it would grow beyond `most`. */
bool feed_text_store_add(struct feed_text_store *store, const char *text, size_t len, size_t most);

#endif
