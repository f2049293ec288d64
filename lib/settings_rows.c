/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The rows of settings.def as tables, and what a row says of itself.
 *
 * Threads: constant. Memory: static.
 */
#include "lib/settings_rows.h"

#include <inttypes.h>
#include <string.h>

const struct settings_section settings_sections[SETTINGS_SECTION_COUNT] = {
#define SINKHOLE_SECTION(section, help) {#section, help},
#define SINKHOLE_TEXT(section, key, def, help)
#define SINKHOLE_UINT(section, key, def, min, max, help)
#define SINKHOLE_BOOL(section, key, def, help)
#define SINKHOLE_LIST(section, key, def, most, help)
#define SINKHOLE_ENUM(section, key, def, words, help)
#include "sinkhole/settings.def"
#undef SINKHOLE_SECTION
#undef SINKHOLE_TEXT
#undef SINKHOLE_UINT
#undef SINKHOLE_BOOL
#undef SINKHOLE_LIST
#undef SINKHOLE_ENUM
};

#define ROW(kind, section, key)                                                                    \
    kind, SETTINGS_SECTION_##section, #key, offsetof(struct sinkhole_settings, section##_##key)

const struct settings_row settings_rows[SETTINGS_ROW_COUNT] = {
#define SINKHOLE_SECTION(section, help)
#define SINKHOLE_TEXT(section, key, def, help)                                                     \
    {ROW(SETTINGS_TEXT, section, key), def, 0, 0, 0, NULL, help},
#define SINKHOLE_UINT(section, key, def, min, max, help)                                           \
    {ROW(SETTINGS_UINT, section, key), NULL, def, min, max, NULL, help},
#define SINKHOLE_BOOL(section, key, def, help)                                                     \
    {ROW(SETTINGS_BOOL, section, key), NULL, def, 0, 1, NULL, help},
#define SINKHOLE_LIST(section, key, def, most, help)                                               \
    {ROW(SETTINGS_LIST, section, key), def, 0, 0, most, NULL, help},
#define SINKHOLE_ENUM(section, key, def, words, help)                                              \
    {ROW(SETTINGS_ENUM, section, key), def, 0, 0, 0, words, help},
#include "sinkhole/settings.def"
};

bool settings_word(const char *words, unsigned n, char *buf, size_t size)
{
    size_t len;

    for (; n > 0; n--) {
        words = strchr(words, '|');
        if (words == NULL)
            return false;
        words++;
    }
    len = strcspn(words, "|");
    snprintf(buf, size, "%.*s", (int)len, words);
    return true;
}

void settings_expected(const struct settings_row *row, char *buf, size_t size)
{
    char word[64];
    size_t used;

    switch (row->kind) {
    case SETTINGS_TEXT:
        snprintf(buf, size, "a text");
        break;
    case SETTINGS_UINT:
        snprintf(buf, size, "a number from %" PRIu64 " to %" PRIu64, row->min, row->max);
        break;
    case SETTINGS_BOOL:
        snprintf(buf, size, "true or false");
        break;
    case SETTINGS_LIST:
        snprintf(buf, size, "a list of at most %" PRIu64 " texts, like [\"one\", \"two\"]",
                 row->max);
        break;
    case SETTINGS_ENUM:
        snprintf(buf, size, "one of");
        for (unsigned i = 0; settings_word(row->words, i, word, sizeof word); i++) {
            used = strlen(buf);
            snprintf(buf + used, size - used, "%s %s", i > 0 ? "," : "", word);
        }
        break;
    }
}
