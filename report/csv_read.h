/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A CSV text (RFC 4180) record by record: init, then next until it is not OK.
 *
 * Threads: one per reader. Memory: none taken; fields are unquoted in place, so the text is
 * changed.
 */
#ifndef SINKHOLE_REPORT_CSV_READ_H
#define SINKHOLE_REPORT_CSV_READ_H

#include <stddef.h>

#define CSV_FIELDS_MAX 32

enum csv_status {
    CSV_OK = 0,
    CSV_END,
    CSV_FIELDS,     /* more than CSV_FIELDS_MAX */
    CSV_QUOTE,      /* a quote inside an unquoted field, or something after a closing quote */
    CSV_OPEN_QUOTE, /* the text ends inside quotes */
    CSV_NUL,        /* an octet 0 */
};
const char *csv_status_text(enum csv_status status);

struct csv_field {
    char *text;          /* terminated */
    size_t line, column; /* where it begins, from 1; column in characters */
};
struct csv_reader {
    char *at, *end; /* *end is writable and 0 */
    char separator;
    size_t line, column; /* of `at`; after an error: of the error */
    struct csv_field fields[CSV_FIELDS_MAX];
    unsigned count;
};

/* `text[len]` must be writable. Skips a byte order mark; takes ';' when the first line has more of
 * them than ','. */
void csv_init(struct csv_reader *reader, char *text, size_t len);
/* The next record that is not empty, in reader->fields. */
enum csv_status csv_next(struct csv_reader *reader);

#endif
