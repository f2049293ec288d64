/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What every parser takes and gives: lines from the input layer in, items and notes out by
 * callback. A parser is init / line / finish; one format, one file.
 *
 * Threads: one parser, one thread. Memory: the structs are the caller's; a parser takes no heap.
 */
#ifndef FEEDS_PARSER_H
#define FEEDS_PARSER_H

#include "feeds/input.h"
#include "feeds/token.h"
#include "sinkhole/feeds.h"

struct feed_sink {
    void *arg;
    /* `token` and its texts live until the call returns. */
    void (*item)(void *arg, uint64_t line_no, const struct feed_token *token);
    void (*note)(void *arg, uint64_t line_no, enum sinkhole_note_reason reason, const char *text,
                 size_t len);
    /* Once for each line that is neither blank nor comment, before what it yields. */
    void (*data_line)(void *arg);
};

/* Hands a classified word to the sink: an item, or the note that says why not. */
void feed_emit(const struct feed_sink *sink, uint64_t line_no, const char *text, size_t len);
/* Room for one cleaned line (feed_clean never lengthens). */
struct feed_scratch {
    char line[FEED_LINE_MAX];
};

/* One name, URL or address a line; # ; ! and // begin comments; "*.x" below, ".x" subtree. */
struct feed_plain {
    const struct feed_sink *sink;
    struct feed_scratch scratch;
};
void feed_plain_init(struct feed_plain *parser, const struct feed_sink *sink);
void feed_plain_line(void *parser, uint64_t line_no, const char *text, size_t len, bool cut);

/* hosts(5): an address, one or more names, # begins a comment. */
struct feed_hosts {
    const struct feed_sink *sink;
    struct feed_scratch scratch;
};
void feed_hosts_init(struct feed_hosts *parser, const struct feed_sink *sink);
void feed_hosts_line(void *parser, uint64_t line_no, const char *text, size_t len, bool cut);

/* RFC 4180, delimiter , ; | or tab; columns by number or by the header's words. */
#define FEED_CSV_COLUMNS_MAX 8
#define FEED_CSV_HEADER_MAX 64
struct feed_csv {
    const struct feed_sink *sink;
    const char *wanted; /* as the option says it; NULL: by header */
    char delimiter;     /* 0: not known yet */
    bool header_done, failed;
    bool open_quote;                        /* the row goes on in the next line */
    uint64_t row_line;                      /* where the row began */
    unsigned columns[FEED_CSV_COLUMNS_MAX]; /* from 0 */
    size_t column_count;
    size_t row_len;
    char row[FEED_LINE_MAX];
    struct feed_scratch scratch;
};
void feed_csv_init(struct feed_csv *parser, const struct feed_sink *sink, const char *columns,
                   char delimiter);
void feed_csv_line(void *parser, uint64_t line_no, const char *text, size_t len, bool cut);
/* False: the columns were never found. */
bool feed_csv_finish(struct feed_csv *parser);

/* Pasted advisory text: see text_parser.c for what is taken for a name. */
struct feed_text {
    const struct feed_sink *sink;
    const struct sinkhole_suffixes *suffixes;
    char refanged[FEED_LINE_MAX];
    struct feed_scratch scratch;
};
void feed_text_init(struct feed_text *parser, const struct feed_sink *sink,
                    const struct sinkhole_suffixes *suffixes);
void feed_text_line(void *parser, uint64_t line_no, const char *text, size_t len, bool cut);

#endif
