/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From hits to what a unit reads: who owns an address (the units file), hits folded to one row for
 * each client, indicator and hour, and the row in each format. One table says which field goes
 * where: report/fields.c.
 *
 * Threads: one for each object. Memory: bounded, each limit stands with its object.
 */
#ifndef SINKHOLE_REPORT_H
#define SINKHOLE_REPORT_H

#include <stdio.h>

#include "sinkhole/blocklist.h"
#include "sinkhole/hits.h"
#include "sinkhole/text.h"
#include "sinkhole/units.h"

#define SINKHOLE_REPORT_ERROR_MAX 512

/* --- units file ---------------------------------------------------------------------------------
 */
#define SINKHOLE_UNIT_ID_MAX 63 /* A-Z a-z 0-9 - _ . : it stands in file names */
#define SINKHOLE_UNIT_FILE_UNITS_MAX 100000
#define SINKHOLE_UNIT_FILE_BYTES_MAX (64u << 20)

struct sinkhole_unit { /* UTF-8, never NULL, "" where the file says nothing */
    const char *id, *name, *contact, *head, *email, *phone, *language;
    unsigned prefixes;
};
struct sinkhole_unit_file; /* opaque */
/*
 * CSV (RFC 4180; comma or semicolon, LF or CRLF, UTF-8 with or without BOM) with a header:
 * unit_id, name and prefixes must be there; contact, head, email, phone, language and note may be.
 * Several prefixes stand in one field, separated by ';' or blanks, or in several rows of the same
 * unit_id. On failure returns NULL and puts "FILE:LINE:COLUMN: what and why" into `error`.
 */
struct sinkhole_unit_file *sinkhole_unit_file_load(const char *path,
                                                   char error[SINKHOLE_REPORT_ERROR_MAX]);
void sinkhole_unit_file_free(struct sinkhole_unit_file *file);
size_t sinkhole_unit_file_count(const struct sinkhole_unit_file *file);
const struct sinkhole_unit *sinkhole_unit_file_get(const struct sinkhole_unit_file *file, size_t i);
/* NULL: no such unit. */
const struct sinkhole_unit *sinkhole_unit_file_find(const struct sinkhole_unit_file *file,
                                                    const char *id);
/* The unit that owns an address, by the longest prefix; NULL: nobody. `file` may be NULL. */
const struct sinkhole_unit *sinkhole_unit_file_owner(const struct sinkhole_unit_file *file,
                                                     const struct sinkhole_address *address,
                                                     struct sinkhole_prefix *ret_network);

/* --- escaping: what an attacker chose, made harmless for each reader
 * ------------------------------ */
/* All write a terminated text and return its length; what does not fit is cut at a character.
 * Octets that are no UTF-8 become U+FFFD. */
/* Control characters (C0, DEL, C1), line and paragraph separators and bidi controls become \u{..}.
 */
size_t sinkhole_escape_terminal(const char *text, char *buf, size_t size);
/* & < > " ' and control characters. */
size_t sinkhole_escape_html(const char *text, char *buf, size_t size);
/* A whole field: quoted where RFC 4180 wants it; ' before = + - @ and tab, so that no program takes
 * it for a formula; line ends become blanks. */
size_t sinkhole_escape_csv(const char *text, char *buf, size_t size);
/* A whole JSON string with its quotes. */
size_t sinkhole_escape_json(const char *text, char *buf, size_t size);
/* Names in a text made unclickable: "evil[.]example". */
size_t sinkhole_escape_defang(const char *text, char *buf, size_t size);

/* --- where a rule comes from
 * ---------------------------------------------------------------------- */
struct sinkhole_provenance {
    struct sinkhole_batch batch;
    char title[128]; /* of its feed */
    bool classified; /* letter numbers are not shown to units */
};
struct sinkhole_provenances; /* opaque: a cache over the store, at most 100,000 rules */
struct sinkhole_provenances *sinkhole_provenances_new(struct sinkhole_store *store);
void sinkhole_provenances_free(struct sinkhole_provenances *cache);
/* NULL: not known (any more), or Redis failed. Valid while the cache is. */
const struct sinkhole_provenance *sinkhole_provenance_get(struct sinkhole_provenances *cache,
                                                          uint32_t rule);

/* --- rows
 * ----------------------------------------------------------------------------------------- */
struct sinkhole_report_row {
    const struct sinkhole_hit *hit; /* the first one: time, count and port are its own */
    const char *resolver, *id;      /* of the first hit's entry */
    uint32_t lane;
    int64_t first_ms, last_ms;
    uint64_t count;
    const struct sinkhole_unit *unit;       /* NULL: nobody's */
    struct sinkhole_prefix network;         /* of the unit */
    const struct sinkhole_provenance *from; /* NULL: unknown */
    const struct sinkhole_suffixes *suffixes;
};
/* One JSON object and a line end, fields as in the table. */
void sinkhole_report_json(const struct sinkhole_report_row *row, FILE *out);
/* Shadowserver's event4_sinkhole_dns layout. */
void sinkhole_report_csv_head(FILE *out);
void sinkhole_report_csv(const struct sinkhole_report_row *row, FILE *out);
/* The documentation of the table: "field TAB JSON kind TAB CSV column TAB meaning", a line each. */
void sinkhole_report_fields(FILE *out);
/* "A", "HTTPS", "TYPE65280" */
const char *sinkhole_qtype_text(uint16_t qtype, char buf[16]);
const char *sinkhole_transport_text(uint8_t transport);
const char *sinkhole_action_text(uint8_t action);

/* --- folding
 * ---------------------------------------------------------------------------------------- */
#define SINKHOLE_FOLD_ROWS_MAX 2000000 /* about 120 octets each */
struct sinkhole_fold;                  /* opaque: rows of one client, indicator and hour */
/* `units` may be NULL; `only`: hits of this unit alone, NULL: all. */
struct sinkhole_fold *sinkhole_fold_new(const struct sinkhole_unit_file *units,
                                        const struct sinkhole_unit *only);
void sinkhole_fold_free(struct sinkhole_fold *fold);
/* False: full or no memory; then the fold is of no use. */
bool sinkhole_fold_add(struct sinkhole_fold *fold, const struct sinkhole_stored_hit *hit);
/* After the last add: sorts by unit, client, indicator, hour. False: no memory. */
bool sinkhole_fold_finish(struct sinkhole_fold *fold);
size_t sinkhole_fold_count(const struct sinkhole_fold *fold);
uint64_t sinkhole_fold_hits(const struct sinkhole_fold *fold);
/* Row i; row->hit and texts are valid until the next call. */
void sinkhole_fold_row(struct sinkhole_fold *fold, size_t i, struct sinkhole_report_row *ret_row);

/* Whose row i is; NULL: nobody's. */
const struct sinkhole_unit *sinkhole_fold_unit(const struct sinkhole_fold *fold, size_t i);

/* --- a unit's report
 * -------------------------------------------------------------------------------- */
struct sinkhole_report {
    const struct sinkhole_settings *settings;
    const struct sinkhole_unit *unit; /* NULL: addresses that nobody owns */
    struct sinkhole_provenances *provenances;
    const struct sinkhole_suffixes *suffixes;
    struct sinkhole_fold *fold;
    size_t first, end; /* its rows */
    int64_t since_ms, until_ms, made_ms;
    uint64_t generation; /* in force when it was made; 0: not known */
};
enum sinkhole_report_format { SINKHOLE_REPORT_CSV, SINKHOLE_REPORT_JSONL, SINKHOLE_REPORT_HTML };
#define SINKHOLE_REPORT_FORMATS 3
/* "csv", "jsonl", "html" */
const char *sinkhole_report_format_name(enum sinkhole_report_format format);
/* Writes DIRECTORY/YYYY-MM-DD-event4_sinkhole_dns-<unit>.<format> (the day of `until`, UTC) by
 * rename. False: `error`. */
bool sinkhole_report_write(const struct sinkhole_report *report, enum sinkhole_report_format format,
                           const char *directory, char *ret_path, size_t path_size,
                           char error[SINKHOLE_REPORT_ERROR_MAX]);

#endif
