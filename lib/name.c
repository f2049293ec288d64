/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Names in wire form, as text and as keys; every conversion checks what it takes.
 * Threads: pure functions. Memory: none taken.
 */
#include "sinkhole/name.h"

#include <string.h>

/*
 * What stands for an octet in a listed name, its lower-case form; below '-': it has none. (The zero
 * octet's is 1, so that an octet is listed as it stands just when it equals its entry.)
 */
static const uint8_t list_octet[256] = {
    [0] = 1,     ['-'] = '-', ['0'] = '0', ['1'] = '1', ['2'] = '2', ['3'] = '3', ['4'] = '4',
    ['5'] = '5', ['6'] = '6', ['7'] = '7', ['8'] = '8', ['9'] = '9', ['_'] = '_', ['a'] = 'a',
    ['b'] = 'b', ['c'] = 'c', ['d'] = 'd', ['e'] = 'e', ['f'] = 'f', ['g'] = 'g', ['h'] = 'h',
    ['i'] = 'i', ['j'] = 'j', ['k'] = 'k', ['l'] = 'l', ['m'] = 'm', ['n'] = 'n', ['o'] = 'o',
    ['p'] = 'p', ['q'] = 'q', ['r'] = 'r', ['s'] = 's', ['t'] = 't', ['u'] = 'u', ['v'] = 'v',
    ['w'] = 'w', ['x'] = 'x', ['y'] = 'y', ['z'] = 'z', ['A'] = 'a', ['B'] = 'b', ['C'] = 'c',
    ['D'] = 'd', ['E'] = 'e', ['F'] = 'f', ['G'] = 'g', ['H'] = 'h', ['I'] = 'i', ['J'] = 'j',
    ['K'] = 'k', ['L'] = 'l', ['M'] = 'm', ['N'] = 'n', ['O'] = 'o', ['P'] = 'p', ['Q'] = 'q',
    ['R'] = 'r', ['S'] = 's', ['T'] = 't', ['U'] = 'u', ['V'] = 'v', ['W'] = 'w', ['X'] = 'x',
    ['Y'] = 'y', ['Z'] = 'z',
};

const char *sinkhole_name_status_text(enum sinkhole_name_status status)
{
    switch (status) {
    case SINKHOLE_NAME_OK:
        return "a valid name";
    case SINKHOLE_NAME_EMPTY:
        return "empty, or an empty label inside";
    case SINKHOLE_NAME_LABEL_LONG:
        return "a label longer than 63 octets";
    case SINKHOLE_NAME_LONG:
        return "longer than 255 octets";
    case SINKHOLE_NAME_CHARACTER:
        return "a character that host names do not have";
    case SINKHOLE_NAME_HYPHEN:
        return "a label that begins or ends with a hyphen";
    case SINKHOLE_NAME_TRUNCATED:
        return "cut off before its end, or compressed";
    }
    return "unknown status";
}

/* One label of a listed name: checked, lower-cased into `out` (length octet and text). */
static enum sinkhole_name_status label_put(const char *text, size_t len, uint8_t *out)
{
    if (len == 0)
        return SINKHOLE_NAME_EMPTY;
    if (len > SINKHOLE_NAME_LABEL_MAX)
        return SINKHOLE_NAME_LABEL_LONG;
    for (size_t i = 0; i < len; i++) {
        uint8_t c = list_octet[(uint8_t)text[i]];

        if (c < '-')
            return SINKHOLE_NAME_CHARACTER;
        out[1 + i] = c;
    }
    if (text[0] == '-' || text[len - 1] == '-')
        return SINKHOLE_NAME_HYPHEN;
    out[0] = (uint8_t)len;
    return SINKHOLE_NAME_OK;
}

enum sinkhole_name_status sinkhole_name_from_text(const char *text, size_t len,
                                                  struct sinkhole_name *ret_name)
{
    struct sinkhole_name name = {.wire_len = 1};
    size_t wire_len = 0;

    if (len == 1 && text[0] == '.') {
        *ret_name = name;
        return SINKHOLE_NAME_OK;
    }
    if (len > 0 && text[len - 1] == '.')
        len--;
    if (len == 0)
        return SINKHOLE_NAME_EMPTY;
    for (size_t start = 0; start <= len;) {
        const char *dot = memchr(text + start, '.', len - start);
        size_t label_len = dot != NULL ? (size_t)(dot - text) - start : len - start;
        uint8_t label[1 + SINKHOLE_NAME_LABEL_MAX];
        enum sinkhole_name_status status = label_put(text + start, label_len, label);

        if (status != SINKHOLE_NAME_OK)
            return status;
        if (wire_len + 1 + label_len + 1 > SINKHOLE_NAME_WIRE_MAX)
            return SINKHOLE_NAME_LONG;
        memcpy(name.wire + wire_len, label, 1 + label_len);
        wire_len += 1 + label_len;
        name.labels++;
        start += label_len + 1;
    }
    name.wire[wire_len++] = 0;
    name.wire_len = (uint8_t)wire_len;
    *ret_name = name;
    return SINKHOLE_NAME_OK;
}

enum sinkhole_name_status sinkhole_name_from_wire(const uint8_t *wire, size_t len,
                                                  struct sinkhole_name *ret_name)
{
    struct sinkhole_name name = {0};
    size_t off = 0;

    for (;;) {
        size_t label_len;

        if (off >= len)
            return SINKHOLE_NAME_TRUNCATED;
        label_len = wire[off];
        if (label_len >= 0xc0)
            return SINKHOLE_NAME_TRUNCATED;
        if (label_len > SINKHOLE_NAME_LABEL_MAX)
            return SINKHOLE_NAME_LABEL_LONG;
        if (off + 1 + label_len > SINKHOLE_NAME_WIRE_MAX)
            return SINKHOLE_NAME_LONG;
        if (label_len > len - off - 1)
            return SINKHOLE_NAME_TRUNCATED;
        name.wire[off++] = (uint8_t)label_len;
        if (label_len == 0)
            break;
        for (size_t end = off + label_len; off < end; off++)
            name.wire[off] =
                (uint8_t)(wire[off] | (wire[off] >= 'A' && wire[off] <= 'Z' ? 0x20 : 0));
        name.labels++;
    }
    name.wire_len = (uint8_t)off;
    *ret_name = name;
    return SINKHOLE_NAME_OK;
}

/* An octet as it is written in presentation form; returns 1, 2 or 4. */
static size_t octet_to_text(uint8_t c, char out[4])
{
    if (c < '!' || c > '~') {
        out[0] = '\\';
        out[1] = (char)('0' + c / 100);
        out[2] = (char)('0' + c / 10 % 10);
        out[3] = (char)('0' + c % 10);
        return 4;
    }
    if (strchr(".\\\"();@$", c) != NULL) {
        out[0] = '\\';
        out[1] = (char)c;
        return 2;
    }
    out[0] = (char)c;
    return 1;
}

size_t sinkhole_name_to_text(const struct sinkhole_name *name, char *buf, size_t size)
{
    size_t len = 0, off = 0;

    if (size == 0)
        return 0;
    if (name->wire[0] == 0 && size > 1)
        buf[len++] = '.';
    while (off < name->wire_len && name->wire[off] != 0) {
        size_t end = off + 1 + name->wire[off];

        if (off > 0) {
            if (len + 2 > size)
                goto cut;
            buf[len++] = '.';
        }
        for (off++; off < end && off < name->wire_len; off++) {
            char unit[4];
            size_t unit_len = octet_to_text(name->wire[off], unit);

            if (len + unit_len + 1 > size)
                goto cut;
            memcpy(buf + len, unit, unit_len);
            len += unit_len;
        }
    }
cut:
    buf[len] = '\0';
    return len;
}

bool sinkhole_key_from_name(const struct sinkhole_name *name, struct sinkhole_key *ret_key)
{
    return sinkhole_key_from_wire(name->wire, name->wire_len, 0, ret_key);
}

bool sinkhole_key_from_wire(const uint8_t *wire, size_t wire_len, size_t off,
                            struct sinkhole_key *ret_key)
{
    unsigned refused = 0;
    size_t at;

    if (off >= wire_len || wire_len - off > SINKHOLE_NAME_WIRE_MAX || wire_len - off < 3)
        return false;
    ret_key->len = (uint8_t)(wire_len - off - 2);
    at = ret_key->len;
    while (off < wire_len && wire[off] != 0) {
        size_t len = wire[off];
        char *text;

        if (len > at || off + 1 + len >= wire_len)
            return false;
        at -= len;
        text = ret_key->text + at;
        for (size_t i = 0; i < len; i++) {
            uint8_t c = wire[off + 1 + i];

            refused |= (unsigned)(c ^ list_octet[c]);
            text[i] = (char)c;
        }
        off += 1 + len;
        if (at > 0)
            ret_key->text[--at] = ' ';
    }
    ret_key->text[ret_key->len] = '\0';
    return at == 0 && off + 1 == wire_len && refused == 0;
}

enum sinkhole_name_status sinkhole_name_from_key(const char *key, size_t len,
                                                 struct sinkhole_name *ret_name)
{
    struct sinkhole_name name = {0};
    size_t at, start = 0;

    if (len == 0)
        return SINKHOLE_NAME_EMPTY;
    if (len > SINKHOLE_KEY_MAX)
        return SINKHOLE_NAME_LONG;
    at = len + 1;
    name.wire[at] = 0;
    name.wire_len = (uint8_t)(len + 2);
    while (start <= len) {
        const char *space = memchr(key + start, ' ', len - start);
        size_t label_len = space != NULL ? (size_t)(space - key) - start : len - start;
        uint8_t label[1 + SINKHOLE_NAME_LABEL_MAX];
        enum sinkhole_name_status status = label_put(key + start, label_len, label);

        if (status != SINKHOLE_NAME_OK)
            return status;
        for (size_t i = 0; i < label_len; i++)
            if (label[1 + i] != (uint8_t)key[start + i])
                return SINKHOLE_NAME_CHARACTER; /* a key is lower-case already */
        at -= 1 + label_len;
        memcpy(name.wire + at, label, 1 + label_len);
        name.labels++;
        start += label_len + 1;
    }
    *ret_name = name;
    return SINKHOLE_NAME_OK;
}

bool sinkhole_name_is_at_or_below(const struct sinkhole_name *name,
                                  const struct sinkhole_name *ancestor)
{
    size_t off = 0;

    while (off < name->wire_len && name->wire_len - off > ancestor->wire_len &&
           name->wire[off] != 0)
        off += 1 + (size_t)name->wire[off];
    return off < name->wire_len && name->wire_len - off == ancestor->wire_len &&
           memcmp(name->wire + off, ancestor->wire, ancestor->wire_len) == 0;
}
