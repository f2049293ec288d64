/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An import's inside, shared by import.c and stage.c.
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
    struct feed_text_store beside; /* "address TAB 192.0.2.1" */
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

/* False: no memory, or it would grow beyond `most`. */
bool feed_text_store_add(struct feed_text_store *store, const char *text, size_t len, size_t most);

#endif
