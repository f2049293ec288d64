/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * settings.def as data: one row for each setting, in the order of the file, sections together.
 *
 * Threads: constant. Memory: static.
 */
#ifndef SINKHOLE_SETTINGS_ROWS_H
#define SINKHOLE_SETTINGS_ROWS_H

#include "sinkhole/settings.h"

enum settings_kind { SETTINGS_TEXT, SETTINGS_UINT, SETTINGS_BOOL, SETTINGS_LIST, SETTINGS_ENUM };

struct settings_row {
    enum settings_kind kind;
    unsigned section; /* index into settings_sections */
    const char *key;
    size_t offset;     /* of the field in struct sinkhole_settings */
    const char *text;  /* default of TEXT, LIST and ENUM */
    uint64_t number;   /* default of UINT and BOOL */
    uint64_t min, max; /* of UINT; max: most items of LIST */
    const char *words; /* of ENUM: "a|b|c" */
    const char *help;
};
struct settings_section {
    const char *name;
    const char *help;
};

enum settings_section_index {
#define SINKHOLE_SECTION(section, help) SETTINGS_SECTION_##section,
#define SINKHOLE_TEXT(section, key, def, help)
#define SINKHOLE_UINT(section, key, def, min, max, help)
#define SINKHOLE_BOOL(section, key, def, help)
#define SINKHOLE_LIST(section, key, def, most, help)
#define SINKHOLE_ENUM(section, key, def, words, help)
#include "sinkhole/settings.def"
    SETTINGS_SECTION_COUNT,
#undef SINKHOLE_SECTION
#undef SINKHOLE_TEXT
#undef SINKHOLE_UINT
#undef SINKHOLE_BOOL
#undef SINKHOLE_LIST
#undef SINKHOLE_ENUM
};

enum settings_row_index {
#define SINKHOLE_SECTION(section, help)
#define SINKHOLE_TEXT(section, key, def, help) SETTINGS_ROW_##section##_##key,
#define SINKHOLE_UINT(section, key, def, min, max, help) SETTINGS_ROW_##section##_##key,
#define SINKHOLE_BOOL(section, key, def, help) SETTINGS_ROW_##section##_##key,
#define SINKHOLE_LIST(section, key, def, most, help) SETTINGS_ROW_##section##_##key,
#define SINKHOLE_ENUM(section, key, def, words, help) SETTINGS_ROW_##section##_##key,
#include "sinkhole/settings.def"
    SETTINGS_ROW_COUNT,
#undef SINKHOLE_SECTION
#undef SINKHOLE_TEXT
#undef SINKHOLE_UINT
#undef SINKHOLE_BOOL
#undef SINKHOLE_LIST
#undef SINKHOLE_ENUM
};

extern const struct settings_section settings_sections[SETTINGS_SECTION_COUNT];
extern const struct settings_row settings_rows[SETTINGS_ROW_COUNT];

/* What the YAML said, before ranges are checked: libcyaml's objects, NULL where a key is absent.
 * TEXT: char *; UINT: uint64_t *; BOOL: bool *; ENUM: int *, the word's place; LIST: char **. */
struct settings_raw_section {
    void *value[SETTINGS_ROW_COUNT];
    unsigned count[SETTINGS_ROW_COUNT];
};
struct settings_raw {
    struct settings_raw_section *section[SETTINGS_SECTION_COUNT];
};

/* Parses `data`; *ret_raw NULL when nothing was in it. On false `error` is the finished sentence.
 */
bool settings_parse(const char *path, const char *data, size_t len, struct settings_raw **ret_raw,
                    char error[SINKHOLE_SETTINGS_ERROR_MAX]);
void settings_raw_free(struct settings_raw *raw);
/* Line of a key in the text ("" for the section itself), 1 and up; 0: not found. */
size_t settings_locate(const char *data, size_t len, const char *section, const char *key);
/* The n-th word of "a|b|c" into `buf`; false: there is none. */
bool settings_word(const char *words, unsigned n, char *buf, size_t size);
/* "a number from 1 to 65535", "one of a, b, c": what a row takes. */
void settings_expected(const struct settings_row *row, char *buf, size_t size);

#endif
