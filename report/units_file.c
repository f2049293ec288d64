/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The units file: CSV to units and their prefixes, each mistake with its place and reason.
 *
 * Threads: immutable once loaded. Memory: the file's text, kept, and the tables.
 */
#include "config.h"

#include "sinkhole/report.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "report/csv_read.h"

enum column {
    COLUMN_ID,
    COLUMN_NAME,
    COLUMN_PREFIXES,
    COLUMN_CONTACT,
    COLUMN_HEAD,
    COLUMN_EMAIL,
    COLUMN_PHONE,
    COLUMN_LANGUAGE,
    COLUMN_NOTE,
    COLUMN_COUNT
};
#define COLUMN_REQUIRED COLUMN_PREFIXES /* up to this one */

static const char *const column_names[COLUMN_COUNT + 1] = {
    "unit_id", "name", "prefixes", "contact", "head", "email", "phone", "language", "note", NULL};

struct sinkhole_unit_file {
    char *text;
    struct sinkhole_unit *units;
    size_t count, room;
    size_t *by_id; /* places in `units`, sorted by id */
    struct sinkhole_units *prefixes;
};

struct loading {
    struct sinkhole_unit_file *file;
    struct csv_reader reader;
    int place[COLUMN_COUNT]; /* in the file, -1: not there */
    const char *path;
    char *error;
};

static bool __attribute__((format(printf, 4, 5)))
complain(const struct loading *loading, size_t line, size_t column, const char *format, ...)
{
    char why[400], safe[400];
    va_list args;

    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    sinkhole_escape_terminal(why, safe, sizeof safe);
    snprintf(loading->error, SINKHOLE_REPORT_ERROR_MAX, "%s:%zu:%zu: %s", loading->path, line,
             column, safe);
    return false;
}

static const char *nearest_column(const char *word)
{
    unsigned best = 4;
    const char *found = NULL;

    for (const char *const *name = column_names; *name != NULL; name++)
        if (sinkhole_edit_distance(word, *name) < best) {
            best = sinkhole_edit_distance(word, *name);
            found = *name;
        }
    return found;
}

static bool read_header(struct loading *loading)
{
    struct csv_reader *reader = &loading->reader;

    for (int i = 0; i < COLUMN_COUNT; i++)
        loading->place[i] = -1;
    if (csv_next(reader) != CSV_OK)
        return complain(loading, 1, 1, "no header; expected \"unit_id,name,prefixes\" and more");
    for (unsigned i = 0; i < reader->count; i++) {
        const struct csv_field *field = &reader->fields[i];
        const char *meant = nearest_column(field->text);
        int column = 0;

        while (column < COLUMN_COUNT && strcmp(field->text, column_names[column]) != 0)
            column++;
        if (column == COLUMN_COUNT)
            return complain(loading, field->line, field->column,
                            "column \"%.60s\" is not known; %s%s%s", field->text,
                            meant != NULL ? "did you mean \""
                                          : "known are unit_id, name, prefixes, contact, "
                                            "head, email, phone, language, note",
                            meant != NULL ? meant : "", meant != NULL ? "\"?" : "");
        if (loading->place[column] >= 0)
            return complain(loading, field->line, field->column, "column \"%s\" is there twice",
                            column_names[column]);
        loading->place[column] = (int)i;
    }
    for (int i = 0; i <= COLUMN_REQUIRED; i++)
        if (loading->place[i] < 0)
            return complain(loading, 1, 1, "column \"%s\" is missing; it must be there",
                            column_names[i]);
    return true;
}

static bool is_utf8(const char *text)
{
    for (const unsigned char *at = (const unsigned char *)text; *at != 0; at++) {
        unsigned more = *at < 0x80 ? 0 : *at >= 0xf0 ? 3 : *at >= 0xe0 ? 2 : 1;

        if (*at >= 0x80 && (*at < 0xc2 || *at > 0xf4))
            return false;
        for (; more > 0; more--)
            if ((*++at & 0xc0) != 0x80)
                return false;
    }
    return true;
}

static struct csv_field *field_of(struct loading *loading, enum column column)
{
    static char none[1];
    static struct csv_field absent = {.text = none};

    if (loading->place[column] < 0)
        return &absent;
    return &loading->reader.fields[loading->place[column]];
}

static void trim(struct csv_field *field)
{
    size_t len;

    while (*field->text == ' ' || *field->text == '\t') {
        field->text++;
        field->column++;
    }
    len = strlen(field->text);
    while (len > 0 && strchr(" \t\r\n", field->text[len - 1]) != NULL)
        field->text[--len] = '\0';
}

static bool check_row(struct loading *loading)
{
    static const char *const languages[] = {"", "vi", "en"};
    struct csv_reader *reader = &loading->reader;
    struct csv_field *id = field_of(loading, COLUMN_ID);
    struct csv_field *language = field_of(loading, COLUMN_LANGUAGE);
    bool known = false;

    for (unsigned i = 0; i < reader->count; i++) {
        if (!is_utf8(reader->fields[i].text))
            return complain(loading, reader->fields[i].line, reader->fields[i].column,
                            "not UTF-8: save the table as \"CSV UTF-8\"");
        trim(&reader->fields[i]);
    }
    if (id->text[0] == '\0')
        return complain(loading, id->line, id->column, "unit_id is empty");
    if (strlen(id->text) > SINKHOLE_UNIT_ID_MAX ||
        strspn(id->text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.") !=
            strlen(id->text) ||
        id->text[0] == '.')
        return complain(loading, id->line, id->column,
                        "unit_id \"%.80s\": expected A-Z a-z 0-9 - _ . , at most 63, no dot first",
                        id->text);
    if (strcmp(id->text, "unassigned") == 0)
        return complain(loading, id->line, id->column,
                        "unit_id \"unassigned\" stands for addresses that nobody owns");
    for (size_t i = 0; i < sizeof languages / sizeof *languages; i++)
        known = known || strcmp(language->text, languages[i]) == 0;
    if (!known)
        return complain(loading, language->line, language->column,
                        "language \"%.20s\": expected vi or en", language->text);
    return true;
}

/* What the unit has and what this row says: the same, or one of them nothing. */
static bool merge(struct loading *loading, const char **ret_text, enum column column)
{
    const struct csv_field *field = field_of(loading, column);

    if (field->text[0] == '\0' || strcmp(*ret_text, field->text) == 0)
        return true;
    if ((*ret_text)[0] != '\0')
        return complain(loading, field->line, field->column,
                        "%s \"%.60s\" differs from an earlier row of this unit, \"%.60s\"",
                        column_names[column], field->text, *ret_text);
    *ret_text = field->text;
    return true;
}

static bool add_prefixes(struct loading *loading, size_t number)
{
    struct sinkhole_unit_file *file = loading->file;
    const struct csv_field *field = field_of(loading, COLUMN_PREFIXES);
    const char *at = field->text + strspn(field->text, "; \t\r\n");

    if (*at == '\0')
        return complain(loading, field->line, field->column,
                        "no prefix; expected one like 10.20.0.0/16");
    while (*at != '\0') {
        size_t len = strcspn(at, "; \t\r\n");
        size_t column = field->column + (size_t)(at - field->text);
        struct sinkhole_prefix prefix, owner;
        uint32_t other;

        if (!sinkhole_prefix_from_text(at, len, &prefix))
            return complain(
                loading, field->line, column,
                "\"%.*s\" is no prefix; expected an address, or one like 10.20.0.0/16 or "
                "2001:db8:1::/48 with no bits set after its length",
                (int)(len < 60 ? len : 60), at);
        if (!sinkhole_units_add(file->prefixes, &prefix, (uint32_t)number)) {
            if (sinkhole_units_find(file->prefixes, &prefix.address, &other, &owner) &&
                other != number)
                return complain(loading, field->line, column, "%.*s belongs to unit \"%s\" already",
                                (int)len, at, file->units[other].id);
            return complain(loading, field->line, column, "too many prefixes, or no memory");
        }
        file->units[number].prefixes++;
        at += len;
        at += strspn(at, "; \t\r\n");
    }
    return true;
}

static bool grow(struct sinkhole_unit_file *file)
{
    size_t room = file->room == 0 ? 64 : file->room * 2;
    struct sinkhole_unit *units;

    if (file->count < file->room)
        return true;
    units = realloc(file->units, room * sizeof *units);
    if (units == NULL)
        return false;
    file->units = units;
    file->room = room;
    return true;
}

/* Finds or makes the row's unit. */
static bool add_row(struct loading *loading, struct hsearch_data *known)
{
    struct sinkhole_unit_file *file = loading->file;
    const struct csv_field *id = field_of(loading, COLUMN_ID);
    ENTRY entry = {.key = id->text, .data = (void *)file->count}, *found;
    struct sinkhole_unit *unit;

    if (!check_row(loading))
        return false;
    entry.key = id->text;
    if (file->count == SINKHOLE_UNIT_FILE_UNITS_MAX || !grow(file) ||
        !hsearch_r(entry, ENTER, &found, known))
        return complain(loading, id->line, id->column, "too many units, or no memory");
    if ((size_t)found->data == file->count) {
        file->units[file->count++] = (struct sinkhole_unit){id->text, "", "", "", "", "", "", 0};
    }
    unit = &file->units[(size_t)found->data];
    return merge(loading, &unit->name, COLUMN_NAME) &&
           merge(loading, &unit->contact, COLUMN_CONTACT) &&
           merge(loading, &unit->head, COLUMN_HEAD) && merge(loading, &unit->email, COLUMN_EMAIL) &&
           merge(loading, &unit->phone, COLUMN_PHONE) &&
           merge(loading, &unit->language, COLUMN_LANGUAGE) &&
           add_prefixes(loading, (size_t)found->data);
}

static bool read_rows(struct loading *loading)
{
    struct csv_reader *reader = &loading->reader;
    struct hsearch_data known = {0};
    enum csv_status status;
    unsigned columns = reader->count;
    bool good = hcreate_r(SINKHOLE_UNIT_FILE_UNITS_MAX + 1000, &known) != 0;

    if (!good)
        return complain(loading, 1, 1, "no memory");
    while (good && (status = csv_next(reader)) != CSV_END) {
        if (status != CSV_OK)
            good = complain(loading, reader->line, reader->column, "%s", csv_status_text(status));
        else if (reader->count != columns)
            good = complain(
                loading, reader->fields[0].line, 1,
                "%u fields, but the header has %u; a field with a '%c' in it must be quoted",
                reader->count, columns, reader->separator);
        else
            good = add_row(loading, &known);
    }
    hdestroy_r(&known);
    for (size_t i = 0; good && i < loading->file->count; i++)
        if (loading->file->units[i].name[0] == '\0')
            good = complain(loading, 1, 1, "unit \"%s\" has no name", loading->file->units[i].id);
    return good;
}

static int compare_ids(const void *a, const void *b, void *arg)
{
    const struct sinkhole_unit *units = arg;

    return strcmp(units[*(const size_t *)a].id, units[*(const size_t *)b].id);
}

static bool read_text(struct loading *loading)
{
    struct sinkhole_unit_file *file = loading->file;
    FILE *in = fopen(loading->path, "re");
    size_t len = 0;
    bool good = in != NULL;

    file->text = malloc(SINKHOLE_UNIT_FILE_BYTES_MAX + 1);
    if (good && file->text != NULL)
        len = fread(file->text, 1, SINKHOLE_UNIT_FILE_BYTES_MAX + 1, in);
    if (!good || file->text == NULL || ferror(in)) {
        snprintf(loading->error, SINKHOLE_REPORT_ERROR_MAX, "%s: cannot be read: %s", loading->path,
                 strerror(errno));
        good = false;
    } else if (len > SINKHOLE_UNIT_FILE_BYTES_MAX) {
        good = complain(loading, 1, 1, "larger than 64 MiB");
    } else if (len >= 2 &&
               (memcmp(file->text, "\xff\xfe", 2) == 0 || memcmp(file->text, "\xfe\xff", 2) == 0)) {
        good = complain(loading, 1, 1, "UTF-16: save the table as \"CSV UTF-8\"");
    }
    if (in != NULL)
        fclose(in);
    if (!good)
        return false;
    file->text = realloc(file->text, len + 1); /* smaller: cannot fail to keep what is there */
    csv_init(&loading->reader, file->text, len);
    return file->text != NULL;
}

struct sinkhole_unit_file *sinkhole_unit_file_load(const char *path,
                                                   char error[SINKHOLE_REPORT_ERROR_MAX])
{
    struct sinkhole_unit_file *file = calloc(1, sizeof *file);
    struct loading loading = {.file = file, .path = path, .error = error};

    snprintf(error, SINKHOLE_REPORT_ERROR_MAX, "%s: no memory", path);
    if (file == NULL)
        return NULL;
    file->prefixes = sinkhole_units_new();
    if (file->prefixes == NULL || !read_text(&loading) || !read_header(&loading) ||
        !read_rows(&loading))
        goto fail;
    file->by_id = calloc(file->count + 1, sizeof *file->by_id);
    if (file->by_id == NULL)
        goto fail;
    for (size_t i = 0; i < file->count; i++)
        file->by_id[i] = i;
    qsort_r(file->by_id, file->count, sizeof *file->by_id, compare_ids, file->units);
    error[0] = '\0';
    return file;
fail:
    sinkhole_unit_file_free(file);
    return NULL;
}

void sinkhole_unit_file_free(struct sinkhole_unit_file *file)
{
    if (file == NULL)
        return;
    sinkhole_units_free(file->prefixes);
    free(file->by_id);
    free(file->units);
    free(file->text);
    free(file);
}

size_t sinkhole_unit_file_count(const struct sinkhole_unit_file *file)
{
    return file->count;
}

const struct sinkhole_unit *sinkhole_unit_file_get(const struct sinkhole_unit_file *file, size_t i)
{
    return &file->units[i];
}

const struct sinkhole_unit *sinkhole_unit_file_find(const struct sinkhole_unit_file *file,
                                                    const char *id)
{
    size_t low = 0, high = file->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct sinkhole_unit *unit = &file->units[file->by_id[middle]];
        int order = strcmp(id, unit->id);

        if (order == 0)
            return unit;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const struct sinkhole_unit *sinkhole_unit_file_owner(const struct sinkhole_unit_file *file,
                                                     const struct sinkhole_address *address,
                                                     struct sinkhole_prefix *ret_network)
{
    uint32_t number;

    if (file == NULL || !sinkhole_units_find(file->prefixes, address, &number, ret_network))
        return NULL;
    return &file->units[number];
}
