/* SPDX-License-Identifier: BSD-3-Clause */
/* A sink that writes down what a parser yields, one line each, for case tables. Threads: one. */
#ifndef TESTS_FEEDS_RECORDER_H
#define TESTS_FEEDS_RECORDER_H

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "feeds/parser.h"

#define RECORD_MAX 8192

struct recorder {
    char text[RECORD_MAX]; /* "NAME evil.example", "ADDRESS 192.0.2.1", "note several-words a b" ...
                            */
    size_t used;
    unsigned data_lines;
    struct feed_sink sink;
};

static void record(struct recorder *recorder, uint64_t line_no, const char *kind, const char *text,
                   size_t len)
{
    int wrote =
        snprintf(recorder->text + recorder->used, RECORD_MAX - recorder->used,
                 "%" PRIu64 " %s %.*s\n", line_no, kind, (int)(len < 300 ? len : 300), text);

    if (wrote > 0 && recorder->used + (size_t)wrote < RECORD_MAX)
        recorder->used += (size_t)wrote;
}

static void record_item(void *arg, uint64_t line_no, const struct feed_token *token)
{
    static const char *const kinds[] = {"name", "address", "url", "hash", "email"};
    static const char *const scopes[] = {"exact", "below", "subtree"};
    char kind[32], name[SINKHOLE_NAME_TEXT_MAX];

    snprintf(kind, sizeof(kind), "%s%s%s", kinds[token->kind], token->has_scope ? " " : "",
             token->has_scope ? scopes[token->scope] : "");
    if (token->kind == FEED_NAME)
        record(arg, line_no, kind, name, sinkhole_name_to_text(&token->name, name, sizeof(name)));
    else
        record(arg, line_no, kind, token->text, token->len);
}

static void record_note(void *arg, uint64_t line_no, enum sinkhole_note_reason reason,
                        const char *text, size_t len)
{
    char kind[64];

    snprintf(kind, sizeof(kind), "(%s)", sinkhole_reason_word(reason));
    record(arg, line_no, kind, text, len);
}

static void record_data_line(void *arg)
{
    struct recorder *recorder = arg;

    recorder->data_lines++;
}

static void recorder_init(struct recorder *recorder)
{
    memset(recorder, 0, sizeof(*recorder));
    recorder->sink = (struct feed_sink){
        .arg = recorder, .item = record_item, .note = record_note, .data_line = record_data_line};
}

#endif
