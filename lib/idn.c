/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Names as people write them: IDN labels through libidn2, one label at a time, so that an ordinary
 * label that IDNA would refuse ("r3---sn-x", "_dmarc") stays what it is. UTS 46 non-transitional
 * mapping: case, NFC, full-width forms.
 *
 * Threads: pure functions. Memory: libidn2's, released before return.
 */
#include "sinkhole/text.h"

#include <ctype.h>
#include <idn2.h>
#include <string.h>

#define LABEL_TEXT_MAX                                                                             \
    1023 /* octets of UTF-8 in one label: a U-label can be longer than its A-label */

static const char *const ideographic_stops[] = {
    "\xe3\x80\x82", /* U+3002 */
    "\xef\xbc\x8e", /* U+FF0E */
    "\xef\xbd\xa1", /* U+FF61 */
};

/* Octets of the dot that stands at `text`, 0: none. */
static size_t dot_len(const char *text, size_t len)
{
    if (len > 0 && text[0] == '.')
        return 1;
    for (size_t i = 0; i < sizeof ideographic_stops / sizeof *ideographic_stops; i++)
        if (len >= 3 && memcmp(text, ideographic_stops[i], 3) == 0)
            return 3;
    return 0;
}

static bool is_ace(const char *label, size_t len)
{
    return len >= 4 && (label[0] | 0x20) == 'x' && (label[1] | 0x20) == 'n' && label[2] == '-' &&
           label[3] == '-';
}

static bool needs_idna(const char *label, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)label[i] >= 0x80)
            return true;
    return is_ace(label, len);
}

static enum sinkhole_name_status label_to_ascii(const char *label, size_t len,
                                                char ret_ascii[SINKHOLE_NAME_LABEL_MAX + 1])
{
    uint8_t copy[LABEL_TEXT_MAX + 1];
    uint8_t *ascii = NULL;
    enum sinkhole_name_status status = SINKHOLE_NAME_OK;
    int rc;

    if (len > LABEL_TEXT_MAX)
        return SINKHOLE_NAME_LABEL_LONG;
    for (size_t i = 0; i < len; i++) {
        copy[i] = (uint8_t)label[i];
        if (copy[i] < 0x80 && !isalnum(copy[i]) && copy[i] != '-')
            return SINKHOLE_NAME_CHARACTER; /* libidn2's STD3 flag would take it out silently */
        if (is_ace(label, len))
            copy[i] = (uint8_t)tolower(copy[i]);
    }
    copy[len] = '\0';
    rc = idn2_lookup_u8(copy, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    if (rc == IDN2_TOO_BIG_LABEL || rc == IDN2_TOO_BIG_DOMAIN || rc == IDN2_PUNYCODE_BIG_OUTPUT)
        status = SINKHOLE_NAME_LABEL_LONG;
    else if (rc != IDN2_OK || strchr((const char *)ascii, '.') != NULL || ascii[0] == '\0')
        status = SINKHOLE_NAME_CHARACTER; /* a mapping must not make two labels, or none, of one */
    else if (strlen((const char *)ascii) > SINKHOLE_NAME_LABEL_MAX)
        status = SINKHOLE_NAME_LABEL_LONG;
    else
        memcpy(ret_ascii, ascii, strlen((const char *)ascii) + 1);
    idn2_free(ascii);
    return status;
}

enum sinkhole_name_status sinkhole_text_name(const char *text, size_t len,
                                             struct sinkhole_name *ret_name)
{
    char ascii[SINKHOLE_NAME_WIRE_MAX + SINKHOLE_NAME_LABEL_MAX + 2],
        label[SINKHOLE_NAME_LABEL_MAX + 1];
    size_t used = 0, at = 0;

    while (at < len) {
        size_t end = at, dot = 0, part;
        const char *from = text + at;

        while (end < len && (dot = dot_len(text + end, len - end)) == 0)
            end++;
        part = end - at;
        if (needs_idna(from, part)) {
            enum sinkhole_name_status status = label_to_ascii(from, part, label);

            if (status != SINKHOLE_NAME_OK)
                return status;
            from = label;
            part = strlen(label);
        }
        if (part > SINKHOLE_NAME_LABEL_MAX)
            return SINKHOLE_NAME_LABEL_LONG;
        if (used + part + 1 > SINKHOLE_NAME_WIRE_MAX)
            return SINKHOLE_NAME_LONG;
        memcpy(ascii + used, from, part);
        used += part;
        if (dot > 0)
            ascii[used++] = '.';
        at = end + dot;
    }
    return sinkhole_name_from_text(ascii, used, ret_name);
}

/* The label's U-label form when it has one that leads back to it; else false. */
static bool label_to_unicode(const char *label, char *buf, size_t size)
{
    char ascii[SINKHOLE_NAME_LABEL_MAX + 1];
    char *unicode = NULL;
    bool good = idn2_to_unicode_8z8z(label, &unicode, 0) == IDN2_OK && strlen(unicode) < size &&
                label_to_ascii(unicode, strlen(unicode), ascii) == SINKHOLE_NAME_OK &&
                strcmp(ascii, label) == 0;

    if (good)
        memcpy(buf, unicode, strlen(unicode) + 1);
    idn2_free(unicode);
    return good;
}

static size_t append(char *buf, size_t size, size_t used, const char *text)
{
    size_t len = strlen(text);

    if (size == 0)
        return 0;
    if (len > size - 1 - used)
        len = size - 1 - used;
    memcpy(buf + used, text, len);
    buf[used + len] = '\0';
    return used + len;
}

size_t sinkhole_text_display(const struct sinkhole_name *name, char *buf, size_t size)
{
    char shown[SINKHOLE_NAME_TEXT_MAX], unicode[LABEL_TEXT_MAX + 1];
    size_t used = 0;
    char *label = shown;

    if (size > 0)
        buf[0] = '\0';
    sinkhole_name_to_text(name, shown, sizeof shown);
    if (strstr(shown, "xn--") == NULL || strchr(shown, '\\') != NULL)
        return append(buf, size, 0, shown);
    while (label != NULL) {
        char *dot = strchr(label, '.');

        if (dot != NULL)
            *dot = '\0';
        if (is_ace(label, strlen(label)) && label_to_unicode(label, unicode, sizeof unicode))
            used = append(buf, size, used, unicode);
        else
            used = append(buf, size, used, label);
        if (dot != NULL)
            used = append(buf, size, used, ".");
        label = dot != NULL ? dot + 1 : NULL;
    }
    return used;
}

size_t sinkhole_text_defang(const struct sinkhole_name *name, char *buf, size_t size)
{
    char shown[SINKHOLE_NAME_TEXT_MAX];
    size_t used = 0;

    if (size > 0)
        buf[0] = '\0';
    sinkhole_name_to_text(name, shown, sizeof shown);
    for (char *label = shown; label != NULL;) {
        char *dot = strchr(label, '.');

        if (dot != NULL)
            *dot = '\0';
        used = append(buf, size, used, label);
        if (dot != NULL)
            used = append(buf, size, used, "[.]");
        label = dot != NULL ? dot + 1 : NULL;
    }
    return used;
}
