/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The settings file: read whole, parsed by the schema, ranges and forms checked, defaults filled
 * in.
 *
 * Threads: pure, but for the environment. Memory: one object with its texts, at most FILE_MAX
 * octets read.
 */
#include "lib/settings_rows.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sinkhole/index.h"
#include "sinkhole/text.h"

#define FILE_MAX (1u << 20)
#define NAME_MAX_RESOLVER 63

/* One value being judged: where its sentence goes, and what the sentence begins with. */
struct place {
    const char *path;
    const char *data;
    size_t len;
    char *error;
};

static void *field_at(struct sinkhole_settings *settings, const struct settings_row *row)
{
    return (char *)settings + row->offset;
}

static bool complain(const struct place *place, const struct settings_row *row, const char *found,
                     const char *expected)
{
    const char *section = settings_sections[row->section].name;
    size_t line = settings_locate(place->data, place->len, section, row->key);

    snprintf(place->error, SINKHOLE_SETTINGS_ERROR_MAX,
             "%s:%zu: %s.%s: found \"%.80s\"; expected %s: %s", place->path, line, section,
             row->key, found, expected, row->help);
    return false;
}

static bool is_address(const char *text, bool v4_too, bool v6_too)
{
    struct in6_addr octets;

    return (v4_too && inet_pton(AF_INET, text, &octets) == 1) ||
           (v6_too && inet_pton(AF_INET6, text, &octets) == 1);
}

static bool is_domain(const char *text)
{
    struct sinkhole_name name;

    return sinkhole_text_name(text, strlen(text), &name) == SINKHOLE_NAME_OK && name.labels > 0;
}

static bool is_resolver_name(const char *text)
{
    size_t len = strlen(text);

    return len > 0 && len <= NAME_MAX_RESOLVER &&
           strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-.") == len;
}

/* Forms that a kind alone does not check. NULL: good; else what was expected. */
static const char *wrong_form(enum settings_row_index row, const char *text)
{
    switch (row) {
    case SETTINGS_ROW_resolver_name:
        return text[0] == '\0' || is_resolver_name(text) ? NULL : "a-z 0-9 - and . , at most 63";
    case SETTINGS_ROW_resolver_address:
        return is_address(text, true, true) ? NULL : "an IPv4 or IPv6 address";
    case SETTINGS_ROW_answer_ipv4:
        return text[0] == '\0' || is_address(text, true, false) ? NULL
                                                                : "an IPv4 address, or nothing";
    case SETTINGS_ROW_answer_ipv6:
        return text[0] == '\0' || is_address(text, false, true) ? NULL
                                                                : "an IPv6 address, or nothing";
    case SETTINGS_ROW_resolver_canary:
    case SETTINGS_ROW_guard_protected:
        return is_domain(text) ? NULL : "a domain name";
    default:
        return NULL;
    }
}

static bool copy_text(const char *text, const char **ret_text)
{
    *ret_text = strdup(text);
    return *ret_text != NULL;
}

static bool add_item(struct sinkhole_list *list, const char *text, size_t len)
{
    char **items = realloc(list->items, (list->count + 1) * sizeof *items);

    if (items == NULL)
        return false;
    list->items = items;
    items[list->count] = strndup(text, len);
    return items[list->count] != NULL && ++list->count > 0;
}

static bool default_list(struct sinkhole_list *list, const char *text)
{
    while (*text != '\0') {
        size_t len = strcspn(text, ",");

        if (!add_item(list, text, len))
            return false;
        text += len;
        text += *text == ',';
    }
    return true;
}

/* False with an empty error: no memory. */
static bool fill_default(struct sinkhole_settings *settings, const struct settings_row *row)
{
    switch (row->kind) {
    case SETTINGS_TEXT:
    case SETTINGS_ENUM:
        return copy_text(row->text, field_at(settings, row));
    case SETTINGS_UINT:
        *(uint64_t *)field_at(settings, row) = row->number;
        return true;
    case SETTINGS_BOOL:
        *(bool *)field_at(settings, row) = row->number != 0;
        return true;
    case SETTINGS_LIST:
        return default_list(field_at(settings, row), row->text);
    }
    return false;
}

static bool fill_list(struct sinkhole_settings *settings, const struct settings_row *row,
                      char *const *items, unsigned count, const struct place *place)
{
    for (unsigned i = 0; i < count; i++) {
        const char *wrong = wrong_form((enum settings_row_index)(row - settings_rows), items[i]);

        if (wrong != NULL)
            return complain(place, row, items[i], wrong);
        if (!add_item(field_at(settings, row), items[i], strlen(items[i])))
            return false;
    }
    return true;
}

/* Decimal digits and nothing else: "010", "1e3" and "100 d" are somebody's slip. */
static bool take_number(const char *text, const struct settings_row *row, uint64_t *ret_number)
{
    size_t digits = strspn(text, "0123456789");
    uint64_t number;

    if (digits == 0 || digits > 18 || text[digits] != '\0' || (digits > 1 && text[0] == '0'))
        return false;
    number = strtoull(text, NULL, 10);
    if (number < row->min || number > row->max)
        return false;
    *ret_number = number;
    return true;
}

static bool fill_value(struct sinkhole_settings *settings, const struct settings_row *row,
                       const void *value, unsigned count, const struct place *place)
{
    enum settings_row_index index = (enum settings_row_index)(row - settings_rows);
    char expected[128];

    switch (row->kind) {
    case SETTINGS_TEXT:
        if (wrong_form(index, value) != NULL)
            return complain(place, row, value, wrong_form(index, value));
        return copy_text(value, field_at(settings, row));
    case SETTINGS_UINT:
        settings_expected(row, expected, sizeof expected);
        if (!take_number(value, row, field_at(settings, row)))
            return complain(place, row, value, expected);
        return true;
    case SETTINGS_BOOL:
        *(bool *)field_at(settings, row) = *(const bool *)value;
        return true;
    case SETTINGS_ENUM:
        return settings_word(row->words, *(const unsigned *)value, expected, sizeof expected) &&
               copy_text(expected, field_at(settings, row));
    case SETTINGS_LIST:
        return fill_list(settings, row, value, count, place);
    }
    return false;
}

static bool fill_computed(struct sinkhole_settings *settings)
{
    char host[NAME_MAX_RESOLVER + 1] = "";

    if (settings->redis_host[0] != '\0') { /* who names a host means it */
        free((char *)settings->redis_socket);
        if (!copy_text("", &settings->redis_socket))
            return false;
    }
    if (settings->resolver_name[0] == '\0') {
        gethostname(host, sizeof host - 1);
        for (char *at = host; *at != '\0'; at++)
            *at = (char)tolower((unsigned char)*at);
        free((char *)settings->resolver_name);
        if (!copy_text(is_resolver_name(host) ? host : "resolver", &settings->resolver_name))
            return false;
    }
    if (settings->resolver_directory[0] == '\0') {
        free((char *)settings->resolver_directory);
        return copy_text(sinkhole_dir(), &settings->resolver_directory);
    }
    return true;
}

static struct sinkhole_settings *from_raw(const struct settings_raw *raw, const struct place *place)
{
    struct sinkhole_settings *settings = calloc(1, sizeof *settings);
    bool good = settings != NULL;

    place->error[0] = '\0';
    for (unsigned i = 0; good && i < SETTINGS_ROW_COUNT; i++) {
        const struct settings_row *row = &settings_rows[i];
        const struct settings_raw_section *section =
            raw != NULL ? raw->section[row->section] : NULL;

        if (section != NULL && section->value[i] != NULL)
            good = fill_value(settings, row, section->value[i], section->count[i], place);
        else
            good = fill_default(settings, row);
    }
    if (good && fill_computed(settings))
        return settings;
    if (place->error[0] == '\0')
        snprintf(place->error, SINKHOLE_SETTINGS_ERROR_MAX, "%s: no memory", place->path);
    sinkhole_settings_free(settings);
    return NULL;
}

/* The whole file, NULL with errno (EFBIG: over FILE_MAX). */
static char *read_file(const char *path, size_t *ret_len)
{
    FILE *file = fopen(path, "re");
    char *data = file != NULL ? malloc(FILE_MAX + 1) : NULL;
    int saved;

    if (data != NULL) {
        *ret_len = fread(data, 1, FILE_MAX + 1, file);
        if (*ret_len > FILE_MAX)
            errno = EFBIG;
        if (ferror(file) || *ret_len > FILE_MAX) {
            saved = errno;
            free(data);
            data = NULL;
            errno = saved;
        }
    }
    saved = errno;
    if (file != NULL)
        fclose(file);
    errno = saved;
    return data;
}

struct sinkhole_settings *sinkhole_settings_load(const char *path,
                                                 char error[SINKHOLE_SETTINGS_ERROR_MAX])
{
    static const char standard[] = SINKHOLE_SYSCONFDIR "/sinkhole.yaml";
    struct sinkhole_settings *settings = NULL;
    struct settings_raw *raw = NULL;
    struct place place = {.error = error};
    char *data;

    if (path == NULL)
        path = getenv("SINKHOLE_CONFIG");
    place.path = path != NULL && path[0] != '\0' ? path : standard;
    data = read_file(place.path, &place.len);
    place.data = data != NULL ? data : "";
    if (data == NULL && (place.path != standard || errno != ENOENT))
        snprintf(error, SINKHOLE_SETTINGS_ERROR_MAX, "%s: cannot be read: %s", place.path,
                 strerror(errno));
    else if (data == NULL || settings_parse(place.path, data, place.len, &raw, error))
        settings = from_raw(raw, &place);
    settings_raw_free(raw);
    free(data);
    return settings;
}

void sinkhole_settings_free(struct sinkhole_settings *settings)
{
    if (settings == NULL)
        return;
    for (unsigned i = 0; i < SETTINGS_ROW_COUNT; i++) {
        struct sinkhole_list *list;

        if (settings_rows[i].kind == SETTINGS_TEXT || settings_rows[i].kind == SETTINGS_ENUM)
            free(*(char **)field_at(settings, &settings_rows[i]));
        if (settings_rows[i].kind != SETTINGS_LIST)
            continue;
        list = field_at(settings, &settings_rows[i]);
        for (unsigned item = 0; item < list->count; item++)
            free(list->items[item]);
        free(list->items);
    }
    free(settings);
}
