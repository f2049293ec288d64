/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pasted advisory text: letters, annexes, mails, table rows. Threads and memory: see parser.h.
 *
 * The line is cleaned, defanging becomes marks, and what stands between blanks, bars, quotes and
 * brackets is a word. A word with a mark was meant as an indicator: it is one, whatever its last
 * label. A word without is one only when its last label is a known top-level domain and nothing
 * else explains it better: an e-mail address, a path, a file's or a product's name.
 */
#include "feeds/parser.h"

#include <string.h>
#include <strings.h>

void feed_text_init(struct feed_text *parser, const struct feed_sink *sink,
                    const struct sinkhole_suffixes *suffixes)
{
    parser->sink = sink;
    parser->suffixes = suffixes;
}

/* Top-level domains that are file endings as well. */
static bool is_file_ending(const char *text, size_t len)
{
    static const char *const endings[] = {
        ".zip", ".mov", ".sh", ".py", ".pl", ".rs", ".md", ".ps", ".so",
    };

    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        size_t ending = strlen(endings[i]);

        if (len > ending && strncasecmp(text + len - ending, endings[i], ending) == 0)
            return true;
    }
    return false;
}

static bool is_software(const char *text, size_t len)
{
    static const char *const names[] = {
        "asp.net", "vb.net", "ado.net", "microsoft.net", "system.net", "socket.io", "system.io",
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i]) == len && strncasecmp(names[i], text, len) == 0)
            return true;
    return false;
}

/* Length of the separator at the start, 0: none. Dots, dashes inside words, / : @ and marks are
 * none; in a URL neither are the characters that its path and query may have. */
static size_t separator(const char *text, size_t len, bool in_url)
{
    static const char *const wide[] = {
        "\xe2\x80\x9c", "\xe2\x80\x9d", "\xe2\x80\x98", "\xe2\x80\x99", /* curly quotes */
        "\xe2\x80\x93", "\xe2\x80\x94", "\xe2\x80\xa2", "\xe2\x80\xa6", /* dashes, bullet, ellipsis
                                                                         */
        "\xc2\xab",     "\xc2\xbb",     "\xef\x82\xb7", "\xe2\x96\xaa", "\xe2\x86\x92",
    };

    if (strchr(in_url ? " \t|\"<>[]{}`" : " \t|\"'<>()[]{},;`=", *text) != NULL)
        return 1;
    if ((unsigned char)*text >= 0xc2)
        for (size_t i = 0; i < sizeof wide / sizeof *wide; i++)
            if (len >= strlen(wide[i]) && memcmp(text, wide[i], strlen(wide[i])) == 0)
                return strlen(wide[i]);
    return 0;
}

/* Punctuation of the sentence comes off; "*." in front stays. */
static void strip_punctuation(const char **word, size_t *len)
{
    while (*len > 0 && strchr(".,;!?-+*/#_", **word) != NULL &&
           !(**word == '*' && *len > 2 && ((*word)[1] == '.' || (*word)[1] == FEED_MARK_DOT))) {
        *word += 1;
        *len -= 1;
    }
    while (*len > 0 && strchr(".,:;!?-*'", (*word)[*len - 1]) != NULL)
        *len -= 1;
    if (*len > 0 && (*word)[*len - 1] == ')' && memchr(*word, '(', *len) == NULL)
        *len -= 1;
}

/* "C2:evil.example" -> "evil.example"; a scheme, a port and an IPv6 address keep their colons. */
static void strip_label(const char **word, size_t *len)
{
    struct sinkhole_address address;

    for (;;) {
        const char *colon = memchr(*word, ':', *len), *dot = memchr(*word, '.', *len),
                   *mark = memchr(*word, FEED_MARK_DOT, *len);
        size_t left;

        if (colon == NULL || (dot != NULL && dot < colon) || (mark != NULL && mark < colon) ||
            sinkhole_address_from_text(*word, *len, &address))
            return;
        left = *len - (size_t)(colon + 1 - *word);
        if (left == 0 || (left >= 2 && colon[1] == '/' && colon[2] == '/'))
            return;
        *word = colon + 1;
        *len = left;
    }
}

static bool has_mark(const char *word, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (word[i] >= FEED_MARK_DOT && word[i] <= FEED_MARK_HTTP)
            return true;
    return false;
}

/* Has it a dot inside, or a colon between hexadecimal digits, or the length of a hash? */
static bool is_worth_a_look(const char *word, size_t len)
{
    size_t colons = 0;

    if (len < 3)
        return false;
    if (len == 32 || len == 40 || len == 64 || len == 128)
        return true;
    for (size_t i = 0; i < len; i++) {
        if (word[i] == '.' && i > 0 && i + 1 < len)
            return true;
        colons += word[i] == ':';
    }
    return colons >= 2;
}

/* At least two labels, the last one of two octets or more. */
static bool has_long_end(const struct sinkhole_name *name)
{
    return name->labels >= 2 && name->wire[name->wire_len - 3] != 1; /* a length, or a letter */
}

/* Why a name that was written plainly is not listed; COUNT: it is. */
static enum sinkhole_note_reason judge_plain(const struct feed_text *parser,
                                             const struct feed_token *token)
{
    if (!sinkhole_suffixes_knows(parser->suffixes, &token->name))
        return SINKHOLE_REASON_UNKNOWN_TLD;
    if (token->kind == FEED_NAME && !token->schemed && is_file_ending(token->text, token->len))
        return SINKHOLE_REASON_FILE_NAME;
    if (token->kind == FEED_NAME && is_software(token->text, token->len))
        return SINKHOLE_REASON_SOFTWARE;
    return SINKHOLE_REASON_COUNT;
}

static void take_marked(const struct feed_text *parser, uint64_t line_no, const char *word,
                        size_t len)
{
    const struct feed_sink *sink = parser->sink;
    char first = word[0], last = word[len - 1];

    if (len == 1 || first == FEED_MARK_DOT || last == FEED_MARK_DOT || last == FEED_MARK_COLON) {
        char text[SINKHOLE_NOTE_TEXT_MAX];
        size_t text_len = len < sizeof text ? len : sizeof text;

        memcpy(text, word, text_len);
        feed_unmark(text, &text_len);
        sink->note(sink->arg, line_no, SINKHOLE_REASON_BROKEN, text, text_len);
        return;
    }
    feed_emit(sink, line_no, word, len);
}

static void take_word(const struct feed_text *parser, uint64_t line_no, const char *word,
                      size_t len)
{
    const struct feed_sink *sink = parser->sink;
    enum sinkhole_note_reason reason;
    struct feed_token token;
    char buf[FEED_TOKEN_MAX];

    strip_punctuation(&word, &len);
    strip_label(&word, &len);
    strip_punctuation(&word, &len);
    if (len > 0 && has_mark(word, len)) {
        take_marked(parser, line_no, word, len);
        return;
    }
    if (!is_worth_a_look(word, len))
        return;
    if (memchr(word, '\\', len) != NULL) {
        sink->note(sink->arg, line_no, SINKHOLE_REASON_PATH, word, len);
        return;
    }
    feed_token_classify(word, len, buf, &token);
    if (token.kind == FEED_NOTHING || (token.has_name && !has_long_end(&token.name)))
        return; /* prose: numbers, dates, "v.v." */
    reason = token.has_name ? judge_plain(parser, &token) : SINKHOLE_REASON_COUNT;
    if (reason != SINKHOLE_REASON_COUNT)
        sink->note(sink->arg, line_no, reason, token.text, token.len);
    else
        sink->item(sink->arg, line_no, &token);
}

void feed_text_line(void *arg, uint64_t line_no, const char *text, size_t len, bool cut)
{
    struct feed_text *parser = arg;
    const struct feed_sink *sink = parser->sink;
    const char *line = feed_clean(text, len, parser->scratch.line, &len);
    size_t begin = 0, at = 0;
    bool in_url = false;

    if (len == 0)
        return;
    sink->data_line(sink->arg);
    if (cut)
        sink->note(sink->arg, line_no, SINKHOLE_REASON_LINE_LONG, line, len);
    len = feed_refang(line, len, parser->refanged);
    line = parser->refanged;
    while (at < len) {
        size_t gap = separator(line + at, len - at, in_url);

        if (gap == 0) {
            in_url |= at > begin && line[at] == '/' && line[at - 1] == '/';
            at++;
            continue;
        }
        if (at > begin)
            take_word(parser, line_no, line + begin, at - begin);
        at += gap;
        begin = at;
        in_url = false;
    }
    if (at > begin && !cut) /* the last word of a cut line is a piece of one */
        take_word(parser, line_no, line + begin, at - begin);
}
