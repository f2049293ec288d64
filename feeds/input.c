/* SPDX-License-Identifier: BSD-3-Clause */
/* Octets to lines. Threads and memory: see input.h. */
#include "feeds/input.h"

#include <string.h>
#include <strings.h>

enum { ENCODING_UTF8, ENCODING_UTF16_LE, ENCODING_UTF16_BE };

struct mark {
    const char *octets;
    uint8_t len;
};

/* What office suites, PDF writers and compressors put first. */
static const struct mark binary_marks[] = {
    {"PK\003\004", 4},       {"%PDF", 4},     {"\037\213", 2},
    {"\320\317\021\340", 4}, {"\3757zXZ", 5}, {"BZh9", 4},
    {"\050\265\057\375", 4}, {"Rar!", 4},     {"{\\rtf", 5},
};

void feed_input_init(struct feed_input *input, char *buf, size_t max, feed_line_fn line, void *arg)
{
    memset(input, 0, sizeof *input);
    input->line = line;
    input->arg = arg;
    input->buf = buf;
    input->max = max;
}

static bool looks_like_html(const char *text, size_t len)
{
    static const char *const marks[] = {"<!doctype", "<html",   "<head", "<body",
                                        "<?xml",     "<script", "<!--"};

    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        size_t mark_len = strlen(marks[i]);

        if (len >= mark_len && strncasecmp(text, marks[i], mark_len) == 0)
            return true;
    }
    return false;
}

static void hand_out(struct feed_input *input, const char *text, size_t len, bool cut)
{
    input->line_no++;
    if (len > 0 && text[len - 1] == '\r')
        len--;
    if (!input->seen_text) {
        size_t blank = 0;

        while (blank < len && (text[blank] == ' ' || text[blank] == '\t'))
            blank++;
        if (blank < len) {
            input->seen_text = true;
            if (looks_like_html(text + blank, len - blank)) {
                input->status = FEED_INPUT_HTML;
                return;
            }
        }
    }
    input->line(input->arg, input->line_no, text, len, cut);
}

static void end_line(struct feed_input *input)
{
    hand_out(input, input->buf, input->len, input->cut);
    input->len = 0;
    input->cut = false;
}

static void keep(struct feed_input *input, const char *octets, size_t len)
{
    size_t room = input->max - input->len;

    if (len > room) {
        len = room;
        input->cut = true;
    }
    memcpy(input->buf + input->len, octets, len);
    input->len += len;
}

static void push_utf8(struct feed_input *input, const char *octets, size_t len)
{
    if (memchr(octets, 0, len) != NULL) {
        input->status = FEED_INPUT_BINARY;
        return;
    }
    while (len > 0 && input->status == FEED_INPUT_OK) {
        const char *end = memchr(octets, '\n', len);
        size_t part = end == NULL ? len : (size_t)(end - octets);

        if (end != NULL && input->len == 0 && part <= input->max) {
            hand_out(input, octets, part, false); /* whole in the chunk: no copy */
        } else {
            keep(input, octets, part);
            if (end != NULL)
                end_line(input);
        }
        if (end != NULL)
            part++;
        octets += part;
        len -= part;
    }
}

static void keep_code_point(struct feed_input *input, uint32_t c)
{
    char utf8[4];
    size_t len;

    if (c == '\n') {
        end_line(input);
        return;
    }
    if (c < 0x80) {
        utf8[0] = (char)c;
        len = 1;
    } else if (c < 0x800) {
        utf8[0] = (char)(0xc0 | c >> 6);
        utf8[1] = (char)(0x80 | (c & 0x3f));
        len = 2;
    } else if (c < 0x10000) {
        utf8[0] = (char)(0xe0 | c >> 12);
        utf8[1] = (char)(0x80 | (c >> 6 & 0x3f));
        utf8[2] = (char)(0x80 | (c & 0x3f));
        len = 3;
    } else {
        utf8[0] = (char)(0xf0 | c >> 18);
        utf8[1] = (char)(0x80 | (c >> 12 & 0x3f));
        utf8[2] = (char)(0x80 | (c >> 6 & 0x3f));
        utf8[3] = (char)(0x80 | (c & 0x3f));
        len = 4;
    }
    keep(input, utf8, len);
}

static void push_unit(struct feed_input *input, uint16_t unit)
{
    if (input->high != 0) {
        uint32_t high = input->high;

        input->high = 0;
        if (unit >= 0xdc00 && unit <= 0xdfff) {
            keep_code_point(input, 0x10000 + ((high - 0xd800) << 10) + (unit - 0xdc00u));
            return;
        }
        keep_code_point(input, 0xfffd);
    }
    if (unit == 0)
        input->status = FEED_INPUT_BINARY;
    else if (unit >= 0xd800 && unit <= 0xdbff)
        input->high = unit;
    else
        keep_code_point(input, unit >= 0xdc00 && unit <= 0xdfff ? 0xfffd : unit);
}

static void push_utf16(struct feed_input *input, const uint8_t *octets, size_t len)
{
    for (size_t i = 0; i < len && input->status == FEED_INPUT_OK; i++) {
        unsigned first = input->odd, second = octets[i];

        if (!input->have_odd) {
            input->odd = octets[i];
            input->have_odd = true;
            continue;
        }
        input->have_odd = false;
        push_unit(input, (uint16_t)(input->encoding == ENCODING_UTF16_LE ? second << 8 | first
                                                                         : first << 8 | second));
    }
}

static void push_decoded(struct feed_input *input, const uint8_t *octets, size_t len)
{
    if (input->encoding == ENCODING_UTF8)
        push_utf8(input, (const char *)octets, len);
    else
        push_utf16(input, octets, len);
}

/* From the first octets: what they are, and how many of them are a mark. */
static void decide(struct feed_input *input)
{
    const uint8_t *head = input->head;
    size_t len = input->head_len, skip = 0;

    input->decided = true;
    for (size_t i = 0; i < sizeof binary_marks / sizeof *binary_marks; i++)
        if (len >= binary_marks[i].len &&
            memcmp(head, binary_marks[i].octets, binary_marks[i].len) == 0)
            input->status = FEED_INPUT_BINARY;
    if (len >= 3 && memcmp(head, "\357\273\277", 3) == 0) {
        skip = 3;
    } else if (len >= 2 && head[0] == 0xff && head[1] == 0xfe) {
        input->encoding = ENCODING_UTF16_LE;
        skip = 2;
    } else if (len >= 2 && head[0] == 0xfe && head[1] == 0xff) {
        input->encoding = ENCODING_UTF16_BE;
        skip = 2;
    } else if (len >= 4 && head[0] != 0 && head[1] == 0 && head[2] != 0 && head[3] == 0) {
        input->encoding = ENCODING_UTF16_LE;
    } else if (len >= 4 && head[0] == 0 && head[1] != 0 && head[2] == 0 && head[3] != 0) {
        input->encoding = ENCODING_UTF16_BE;
    }
    if (input->status == FEED_INPUT_OK)
        push_decoded(input, head + skip, len - skip);
}

enum feed_input_status feed_input_push(struct feed_input *input, const void *octets, size_t len)
{
    const uint8_t *at = octets;

    while (!input->decided && len > 0) {
        input->head[input->head_len++] = *at++;
        len--;
        if (input->head_len == sizeof input->head)
            decide(input);
    }
    if (input->decided && input->status == FEED_INPUT_OK && len > 0)
        push_decoded(input, at, len);
    return input->status;
}

enum feed_input_status feed_input_finish(struct feed_input *input)
{
    if (!input->decided)
        decide(input);
    if (input->status == FEED_INPUT_OK && (input->have_odd || input->high != 0)) {
        keep_code_point(input, 0xfffd);
        input->have_odd = false;
        input->high = 0;
    }
    if (input->status == FEED_INPUT_OK && (input->len > 0 || input->cut))
        end_line(input);
    return input->status;
}
