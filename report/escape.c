/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What an attacker chose, made harmless for each reader.
 *
 * Threads: pure functions. Memory: the caller's buffer.
 */
#include "sinkhole/report.h"

#include <string.h>

#define REPLACEMENT 0xfffdu

/* Next character of a terminated text; octets that are no UTF-8 count as one U+FFFD each. */
static uint32_t next_character(const char **at)
{
    const unsigned char *in = (const unsigned char *)*at;
    unsigned more = in[0] < 0x80 ? 0 : in[0] >= 0xf0 ? 3 : in[0] >= 0xe0 ? 2 : 1;
    uint32_t character = more == 0 ? in[0] : in[0] & (0x3fu >> more);
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};

    if (in[0] >= 0x80 && (in[0] < 0xc2 || in[0] > 0xf4)) {
        *at += 1;
        return REPLACEMENT;
    }
    for (unsigned i = 1; i <= more; i++) {
        if ((in[i] & 0xc0) != 0x80) {
            *at += 1;
            return REPLACEMENT;
        }
        character = character << 6 | (in[i] & 0x3fu);
    }
    if (character < least[more] || character > 0x10ffff || (character & 0xfffff800u) == 0xd800u) {
        *at += 1;
        return REPLACEMENT;
    }
    *at += more + 1;
    return character;
}

static size_t encode(uint32_t character, char out[5])
{
    if (character < 0x80)
        return (size_t)snprintf(out, 5, "%c", (int)character);
    if (character < 0x800)
        return (size_t)snprintf(out, 5, "%c%c", (int)(0xc0 | character >> 6),
                                (int)(0x80 | (character & 0x3f)));
    if (character < 0x10000)
        return (size_t)snprintf(out, 5, "%c%c%c", (int)(0xe0 | character >> 12),
                                (int)(0x80 | (character >> 6 & 0x3f)),
                                (int)(0x80 | (character & 0x3f)));
    return (size_t)snprintf(
        out, 5, "%c%c%c%c", (int)(0xf0 | character >> 18), (int)(0x80 | (character >> 12 & 0x3f)),
        (int)(0x80 | (character >> 6 & 0x3f)), (int)(0x80 | (character & 0x3f)));
}

/* Invisible, or turning the order of what is read. */
static bool is_control(uint32_t character)
{
    return character < 0x20 || (character >= 0x7f && character < 0xa0) || character == 0x61c ||
           (character >= 0x200b && character <= 0x200f) ||
           (character >= 0x2028 && character <= 0x202e) ||
           (character >= 0x2060 && character <= 0x2069) || character == 0xfeff;
}

struct out {
    char *buf;
    size_t size, used;
    size_t reserve; /* octets kept for what must follow */
    bool full;
};

static void put(struct out *out, const char *text, size_t len)
{
    if (out->full || out->used + len + out->reserve + 1 > out->size) {
        out->full = true;
        return;
    }
    memcpy(out->buf + out->used, text, len);
    out->used += len;
}

static void put_text(struct out *out, const char *text)
{
    put(out, text, strlen(text));
}

static void put_character(struct out *out, uint32_t character)
{
    char octets[5];

    if (character < 0x80) {
        octets[0] = (char)character;
        put(out, octets, 1);
    } else {
        put(out, octets, encode(character, octets));
    }
}

static size_t finish(struct out *out)
{
    if (out->size > 0)
        out->buf[out->used] = '\0';
    return out->used;
}

static void put_escaped(struct out *out, uint32_t character)
{
    char text[16];

    snprintf(text, sizeof text, "\\u{%x}", character);
    put_text(out, text);
}

size_t sinkhole_escape_terminal(const char *text, char *buf, size_t size)
{
    struct out out = {.buf = buf, .size = size};

    while (*text != '\0' && !out.full) {
        uint32_t character = next_character(&text);

        if (is_control(character))
            put_escaped(&out, character);
        else
            put_character(&out, character);
    }
    return finish(&out);
}

size_t sinkhole_escape_html(const char *text, char *buf, size_t size)
{
    struct out out = {.buf = buf, .size = size};

    while (*text != '\0' && !out.full) {
        uint32_t character = next_character(&text);

        if (character == '&')
            put_text(&out, "&amp;");
        else if (character == '<')
            put_text(&out, "&lt;");
        else if (character == '>')
            put_text(&out, "&gt;");
        else if (character == '"')
            put_text(&out, "&quot;");
        else if (character == '\'')
            put_text(&out, "&#39;");
        else if (is_control(character))
            put_escaped(&out, character);
        else
            put_character(&out, character);
    }
    return finish(&out);
}

size_t sinkhole_escape_csv(const char *text, char *buf, size_t size)
{
    /* strchr finds the terminator too: an empty field begins with no sign */
    bool formula = text[0] != '\0' && strchr("=+-@\t\r", text[0]) != NULL;
    bool quoted = formula || strpbrk(text, ",;\"\r\n\t") != NULL;
    struct out out = {.buf = buf, .size = size, .reserve = quoted ? 1 : 0};

    if (quoted)
        put_text(&out, "\"");
    if (formula)
        put_text(&out, "'");
    while (*text != '\0' && !out.full) {
        uint32_t character = next_character(&text);

        if (character == '"')
            put_text(&out, "\"\"");
        else if (character == '\r' || character == '\n' || character == '\t' ||
                 character == 0x2028 || character == 0x2029)
            put_text(&out, " ");
        else if (is_control(character))
            put_escaped(&out, character);
        else
            put_character(&out, character);
    }
    out.full = false;
    out.reserve = 0;
    if (quoted)
        put_text(&out, "\"");
    return finish(&out);
}

size_t sinkhole_escape_json(const char *text, char *buf, size_t size)
{
    struct out out = {.buf = buf, .size = size, .reserve = 1};
    char unit[16];

    put_text(&out, "\"");
    while (*text != '\0' && !out.full) {
        uint32_t character = next_character(&text);

        if (character == '"') {
            put_text(&out, "\\\"");
        } else if (character == '\\') {
            put_text(&out, "\\\\");
        } else if (is_control(character)) { /* all below U+10000 */
            snprintf(unit, sizeof unit, "\\u%04x", character);
            put_text(&out, unit);
        } else {
            put_character(&out, character);
        }
    }
    out.full = false;
    out.reserve = 0;
    put_text(&out, "\"");
    return finish(&out);
}

size_t sinkhole_escape_defang(const char *text, char *buf, size_t size)
{
    struct out out = {.buf = buf, .size = size};

    while (*text != '\0' && !out.full) {
        uint32_t character = next_character(&text);

        if (character == '.')
            put_text(&out, "[.]");
        else
            put_character(&out, character);
    }
    return finish(&out);
}
