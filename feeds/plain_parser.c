/* SPDX-License-Identifier: BSD-3-Clause */
/* One name, URL or address a line. Threads and memory: see parser.h. */
#include "feeds/parser.h"

#include <string.h>

void feed_emit(const struct feed_sink *sink, uint64_t line_no, const char *text, size_t len)
{
    char buf[FEED_TOKEN_MAX];
    struct feed_token token;

    feed_token_classify(text, len, buf, &token);
    if (token.kind == FEED_NOTHING)
        sink->note(sink->arg, line_no, token.reason, token.text, token.len);
    else
        sink->item(sink->arg, line_no, &token);
}

void feed_plain_init(struct feed_plain *parser, const struct feed_sink *sink)
{
    parser->sink = sink;
}

static bool is_comment(const char *text, size_t len)
{
    return len == 0 || *text == '#' || *text == ';' || *text == '!' ||
           (len >= 2 && text[0] == '/' && text[1] == '/');
}

static size_t word_length(const char *text, size_t len)
{
    size_t i = 0;

    while (i < len && text[i] != ' ' && text[i] != '\t')
        i++;
    return i;
}

void feed_plain_line(void *arg, uint64_t line_no, const char *text, size_t len, bool cut)
{
    struct feed_plain *parser = arg;
    const struct feed_sink *sink = parser->sink;
    size_t word, rest;

    text = feed_clean(text, len, parser->scratch.line, &len);
    if (!cut && is_comment(text, len))
        return;
    sink->data_line(sink->arg);
    if (cut) {
        sink->note(sink->arg, line_no, SINKHOLE_REASON_LINE_LONG, text, len);
        return;
    }
    word = rest = word_length(text, len);
    while (rest < len && (text[rest] == ' ' || text[rest] == '\t'))
        rest++;
    if (!is_comment(text + rest, len - rest)) {
        sink->note(sink->arg, line_no, SINKHOLE_REASON_WORDS, text, len);
        return;
    }
    feed_emit(sink, line_no, text, word);
}
