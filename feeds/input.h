/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The input layer of every list: octets in, clean lines out. Byte order marks, UTF-16 (both orders,
 * also without a mark), LF and CRLF, lines of bounded length; a web page or an office file given
 * as a list is told apart by its first octets.
 *
 * Threads: one input, one thread. Memory: the caller's line buffer, nothing else.
 */
#ifndef FEEDS_INPUT_H
#define FEEDS_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FEED_LINE_MAX 65536 /* octets of UTF-8; a longer line is cut and reported */

enum feed_input_status {
    FEED_INPUT_OK = 0,
    FEED_INPUT_HTML,   /* begins like a web page */
    FEED_INPUT_BINARY, /* an office, PDF or compressed file, or octets of value 0 */
};

/* One line without its end, UTF-8 as it came (not proved). `cut`: it was longer than the buffer,
 * this is its beginning. `text` lives until the call returns. */
typedef void (*feed_line_fn)(void *arg, uint64_t line_no, const char *text, size_t len, bool cut);

struct feed_input {
    feed_line_fn line;
    void *arg;
    char *buf; /* the caller's */
    size_t max, len;
    uint64_t line_no; /* lines handed out */
    uint8_t head[8];  /* first octets, until the encoding is known */
    uint8_t head_len;
    uint8_t encoding; /* enum in input.c */
    bool decided, cut, have_odd, seen_text;
    uint8_t odd;   /* first half of a UTF-16 unit */
    uint16_t high; /* a high surrogate that waits for its other half */
    enum feed_input_status status;
};

/* `buf` of `max` octets (FEED_LINE_MAX is usual) stays the caller's and outlives the input. */
void feed_input_init(struct feed_input *input, char *buf, size_t max, feed_line_fn line, void *arg);
/* Any cut of the octets into chunks gives the same lines. After a status other than OK nothing is
 * handed out. */
enum feed_input_status feed_input_push(struct feed_input *input, const void *octets, size_t len);
/* The last line, when no end of line closes it. */
enum feed_input_status feed_input_finish(struct feed_input *input);

#endif
