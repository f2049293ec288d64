/* SPDX-License-Identifier: BSD-3-Clause */
/* Cleaning, refanging and escaping of text that people pasted. Threads and memory: see token.h. */
#include "config.h"

#include "feeds/token.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Characters beyond ASCII that a paste brings along; `to` 0: nothing stays. */
static const struct {
    const char *utf8;
    char to;
} strays[] = {
    {"\xc2\xa0", ' '},     /* no-break space */
    {"\xc2\x85", ' '},     /* next line */
    {"\xc2\xad", 0},       /* soft hyphen */
    {"\xe2\x80\x87", ' '}, /* figure space */
    {"\xe2\x80\x82", ' '}, /* en space */
    {"\xe2\x80\x83", ' '}, /* em space */
    {"\xe2\x80\x89", ' '}, /* thin space */
    {"\xe2\x80\xaf", ' '}, /* narrow no-break space */
    {"\xe3\x80\x80", ' '}, /* ideographic space */
    {"\xe2\x80\xa8", ' '}, /* line separator */
    {"\xe2\x80\xa9", ' '}, /* paragraph separator */
    {"\xe2\x80\x8b", 0},   /* zero-width space */
    {"\xe2\x80\x8c", 0},   /* zero-width non-joiner */
    {"\xe2\x80\x8d", 0},   /* zero-width joiner */
    {"\xe2\x80\x8e", 0},   /* left-to-right mark */
    {"\xe2\x80\x8f", 0},   /* right-to-left mark */
    {"\xe2\x80\xaa", 0},   /* embeddings and overrides of direction */
    {"\xe2\x80\xab", 0},
    {"\xe2\x80\xac", 0},
    {"\xe2\x80\xad", 0},
    {"\xe2\x80\xae", 0},
    {"\xe2\x81\xa0", 0}, /* word joiner */
    {"\xef\xbb\xbf", 0}, /* zero-width no-break space, BOM */
};

static const char *trim(const char *text, size_t len, size_t *ret_len)
{
    while (len > 0 && (*text == ' ' || *text == '\t')) {
        text++;
        len--;
    }
    while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t'))
        len--;
    *ret_len = len;
    return text;
}

static bool is_clean(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c >= 0x7f || (c < 0x20 && c != '\t'))
            return false;
    }
    return true;
}

const char *feed_clean(const char *line, size_t len, char *scratch, size_t *ret_len)
{
    size_t to = 0;

    if (is_clean(line, len))
        return trim(line, len, ret_len);
    for (size_t i = 0; i < len;) {
        unsigned char c = (unsigned char)line[i];
        size_t s = sizeof strays / sizeof *strays;

        if (c >= 0xc2)
            for (s = 0; s < sizeof strays / sizeof *strays; s++) {
                size_t stray_len = strlen(strays[s].utf8);

                if (len - i >= stray_len && memcmp(line + i, strays[s].utf8, stray_len) == 0)
                    break;
            }
        if (s < sizeof strays / sizeof *strays) {
            if (strays[s].to != 0)
                scratch[to++] = strays[s].to;
            i += strlen(strays[s].utf8);
            continue;
        }
        scratch[to++] = (c < 0x20 && c != '\t') || c == 0x7f ? ' ' : line[i];
        i++;
    }
    return trim(scratch, to, ret_len);
}

/* What people write so that nobody clicks. Longest first where one begins another. */
static const struct {
    const char *from;
    char to[4];
} marks[] = {
    {"[://]", "\002//"}, {"(://)", "\002//"}, {"[dot]", "\001"}, {"(dot)", "\001"},
    {"{dot}", "\001"},   {"[.]", "\001"},     {"(.)", "\001"},   {"{.}", "\001"},
    {"[:]", "\002"},     {"(:)", "\002"},     {"[at]", "\003"},  {"(at)", "\003"},
    {"[@]", "\003"},     {"(@)", "\003"},     {"[.", "\001"},    {".]", "\001"},
    {"hxxp", "\004ttp"},
};

static bool is_word_octet(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (unsigned char)c >= 0x80;
}

/* The mark at text[at], or a number past the table. "[." and ".]" count between word characters
 * only. */
static size_t mark_at(const char *text, size_t len, size_t at)
{
    size_t count = sizeof marks / sizeof *marks, m;

    if (strchr("[({.hH", text[at]) == NULL || text[at] == '\0')
        return count;
    for (m = 0; m < count; m++) {
        size_t from_len = strlen(marks[m].from);

        if (len - at < from_len || strncasecmp(text + at, marks[m].from, from_len) != 0)
            continue;
        if (from_len == 2 && (at == 0 || at + 2 >= len || !is_word_octet(text[at - 1]) ||
                              !is_word_octet(text[at + 2])))
            continue;
        if (marks[m].to[0] == FEED_MARK_HTTP && at > 0 && is_word_octet(text[at - 1]))
            continue;
        return m;
    }
    return count;
}

size_t feed_refang(const char *text, size_t len, char *out)
{
    size_t to = 0;

    for (size_t at = 0; at < len;) {
        size_t m = mark_at(text, len, at);

        if (m == sizeof marks / sizeof *marks) {
            out[to++] = text[at++];
            continue;
        }
        memcpy(out + to, marks[m].to, strlen(marks[m].to));
        to += strlen(marks[m].to);
        at += strlen(marks[m].from);
    }
    return to;
}

bool feed_unmark(char *text, size_t *len)
{
    static const char plain[] = {0, '.', ':', '@', 'h'};
    bool any = false;

    for (size_t i = 0; i < *len; i++)
        if (text[i] >= FEED_MARK_DOT && text[i] <= FEED_MARK_HTTP) {
            text[i] = plain[(unsigned char)text[i]];
            any = true;
        }
    return any;
}

/* Length of the well-formed UTF-8 sequence at the start, 0: none. */
static size_t utf8_length(const unsigned char *at, size_t len)
{
    size_t need = at[0] < 0x80                    ? 1
                  : at[0] >= 0xc2 && at[0] < 0xe0 ? 2
                  : at[0] >= 0xe0 && at[0] < 0xf0 ? 3
                  : at[0] >= 0xf0 && at[0] < 0xf5 ? 4
                                                  : 0;

    if (need == 0 || need > len)
        return 0;
    for (size_t i = 1; i < need; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) ||
        (at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f))
        return 0;
    if (at[0] == 0xc2 && at[1] < 0xa0) /* C1 controls: a terminal may obey them */
        return 0;
    if (at[0] == 0xe2 && at[1] == 0x80 && (at[2] >= 0x8b && at[2] <= 0x8f)) /* zero width */
        return 0;
    if (at[0] == 0xe2 && at[1] == 0x80 && (at[2] >= 0xa8 && at[2] <= 0xae)) /* direction */
        return 0;
    return need;
}

void feed_escape(const char *text, size_t len, char *out, size_t size)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t to = 0, cut = 0; /* cut: where "..." still has room */

    while (len > 0) {
        size_t part = utf8_length(at, len), need = part;
        bool plain = part != 0 && !(part == 1 && (at[0] < 0x20 || at[0] == 0x7f));

        if (!plain) {
            part = 1;
            need = 4;
        }
        if (to + 3 < size)
            cut = to;
        if (to + need >= size)
            break;
        if (plain)
            memcpy(out + to, at, part);
        else
            snprintf(out + to, 5, "\\x%02x", at[0]);
        to += need;
        at += part;
        len -= part;
    }
    if (len > 0 && size > 3) {
        memcpy(out + cut, "...", 3);
        to = cut + 3;
    }
    out[to] = '\0';
}

void feed_copy_text(char *to, size_t size, const char *text)
{
    size_t len = strlen(text), keep;

    if (len >= size)
        len = size - 1;
    memcpy(to, text, len);
    to[len] = '\0';
    keep = len;
    while (keep > 0 && len - keep < 4 && (to[keep - 1] & 0xc0) == 0x80)
        keep--;
    if (keep > 0 && (to[keep - 1] & 0xc0) == 0xc0 &&
        utf8_length((const unsigned char *)to + keep - 1, len - keep + 1) == 0)
        to[keep - 1] = '\0';
}
