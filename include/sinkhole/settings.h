/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Settings from one YAML file, schema driven (libcyaml); the rows stand in settings.def.
 *
 * Threads: immutable after loading. Memory: one object, freed whole.
 */
#ifndef SINKHOLE_SETTINGS_H
#define SINKHOLE_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct sinkhole_list {
    char **items;
    unsigned count;
};

struct sinkhole_settings {
#define SINKHOLE_SECTION(section, help)
#define SINKHOLE_TEXT(section, key, def, help) const char *section##_##key;
#define SINKHOLE_UINT(section, key, def, min, max, help) uint64_t section##_##key;
#define SINKHOLE_BOOL(section, key, def, help) bool section##_##key;
#define SINKHOLE_LIST(section, key, def, most, help) struct sinkhole_list section##_##key;
#define SINKHOLE_ENUM(section, key, def, words, help) const char *section##_##key;
#include "sinkhole/settings.def"
#undef SINKHOLE_SECTION
#undef SINKHOLE_TEXT
#undef SINKHOLE_UINT
#undef SINKHOLE_BOOL
#undef SINKHOLE_LIST
#undef SINKHOLE_ENUM
};

#define SINKHOLE_SETTINGS_ERROR_MAX 512

/*
 * Loads `path`; NULL: $SINKHOLE_CONFIG, else SYSCONFDIR/sinkhole.yaml, and when that is not there,
 * the defaults. On failure returns NULL and puts one line "FILE:LINE: KEY: what was found; expected
 * ..." into `error`. Empty resolver_name and resolver_directory are filled in.
 */
struct sinkhole_settings *sinkhole_settings_load(const char *path,
                                                 char error[SINKHOLE_SETTINGS_ERROR_MAX]);
void sinkhole_settings_free(struct sinkhole_settings *settings);
/* The sample file, every row commented with its help, default and range. */
void sinkhole_settings_sample(FILE *out);
/* The same as the settings section of a manual page (mdoc). */
void sinkhole_settings_manual(FILE *out);

#endif
