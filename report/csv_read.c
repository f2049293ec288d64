/* SPDX-License-Identifier: BSD-3-Clause */
/* CSV reader. Threads and memory: see csv_read.h. */
#include "report/csv_read.h"

#include <stdbool.h>
#include <string.h>

const char *csv_status_text(enum csv_status status)
{
    static const char *const texts[] = {
        [CSV_OK] = "right",
        [CSV_END] = "the end",
        [CSV_FIELDS] = "too many fields in one row",
        [CSV_QUOTE] = ("a quotation mark where none may stand: a field with quotation marks is "
                       "quoted as a whole, and each mark inside is doubled"),
        [CSV_OPEN_QUOTE] = "a quotation mark is opened and never closed",
        [CSV_NUL] = "an octet 0: not a text file",
    };

    return texts[status];
}

void csv_init(struct csv_reader *reader, char *text, size_t len)
{
    size_t commas = 0, semicolons = 0;

    memset(reader, 0, sizeof *reader);
    reader->at = text;
    reader->end = text + len;
    *reader->end = '\0';
    reader->line = reader->column = 1;
    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        reader->at += 3;
    for (const char *at = reader->at; at < reader->end && *at != '\n'; at++) {
        commas += *at == ',';
        semicolons += *at == ';';
    }
    reader->separator = semicolons > commas ? ';' : ',';
}

static void step(struct csv_reader *reader)
{
    if (*reader->at == '\n') {
        reader->line++;
        reader->column = 1;
    } else if (((unsigned char)*reader->at & 0xc0) != 0x80) {
        reader->column++; /* a continuation octet belongs to the character before */
    }
    reader->at++;
}

static bool ends_field(const struct csv_reader *reader)
{
    return reader->at >= reader->end || *reader->at == reader->separator || *reader->at == '\n' ||
           (*reader->at == '\r' && reader->at[1] == '\n');
}

/* From after the opening quote to after the closing one. */
static enum csv_status quoted(struct csv_reader *reader, char **ret_end)
{
    size_t line = reader->line, column = reader->column;
    char *out = reader->at;

    step(reader);
    for (;;) {
        if (reader->at >= reader->end) {
            reader->line = line;
            reader->column = column;
            return CSV_OPEN_QUOTE;
        }
        if (*reader->at == '"' && reader->at[1] != '"')
            break;
        if (*reader->at == '\0')
            return CSV_NUL;
        if (*reader->at == '"')
            step(reader); /* the first of two */
        *out++ = *reader->at;
        step(reader);
    }
    step(reader);
    *ret_end = out;
    return ends_field(reader) ? CSV_OK : CSV_QUOTE;
}

static enum csv_status plain(struct csv_reader *reader, char **ret_end)
{
    while (!ends_field(reader)) {
        if (*reader->at == '"')
            return CSV_QUOTE;
        if (*reader->at == '\0')
            return CSV_NUL;
        step(reader);
    }
    *ret_end = reader->at;
    return CSV_OK;
}

static enum csv_status record(struct csv_reader *reader)
{
    reader->count = 0;
    for (;;) {
        struct csv_field *field = &reader->fields[reader->count];
        enum csv_status status;
        char *end;
        bool last;

        if (reader->count == CSV_FIELDS_MAX)
            return CSV_FIELDS;
        field->text = reader->at;
        field->line = reader->line;
        field->column = reader->column;
        status = *reader->at == '"' ? quoted(reader, &end) : plain(reader, &end);
        if (status != CSV_OK)
            return status;
        reader->count++;
        last = reader->at >= reader->end || *reader->at != reader->separator;
        if (reader->at < reader->end && *reader->at == '\r')
            step(reader);
        if (reader->at < reader->end)
            step(reader);
        *end = '\0'; /* only now: it may overwrite the separator */
        if (last)
            return CSV_OK;
    }
}

enum csv_status csv_next(struct csv_reader *reader)
{
    while (reader->at < reader->end) {
        enum csv_status status = record(reader);

        if (status != CSV_OK || reader->count > 1 || reader->fields[0].text[0] != '\0')
            return status;
    }
    return CSV_END;
}
