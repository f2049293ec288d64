/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * CSV (RFC 4180 and its relatives): one or more chosen columns. Threads and memory: see parser.h.
 *
 * Without a choice the first row must be a header with a known word, also when it begins with #.
 */
#include "feeds/parser.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Header cells are compared without case, tone marks, blanks and _ -: "Tên miền" is "tenmien". */
static const char *const header_words[] = {
    "tenmien",    "tenmiendochai",  "diachiten", "domain", "domainname", "domains",  "host",
    "hostname",   "fqdn",           "url",       "urls",   "duongdan",   "lienket",  "diachiip",
    "ip",         "ipaddress",      "ips",       "ioc",    "iocs",       "iocvalue", "indicator",
    "indicators", "indicatorvalue", "value",     "giatri", "chibao",     "dauhieu",
};

/* Vietnamese letters to their base letter; code points from U+00C0 on. */
static char base_letter(uint32_t c)
{
    static const struct {
        uint32_t from, to;
        char letter;
    } ranges[] = {
        {0x0c0, 0x0c3, 'a'}, {0x0e0, 0x0e3, 'a'}, {0x102, 0x103, 'a'},   {0x1ea0, 0x1eb7, 'a'},
        {0x0c8, 0x0ca, 'e'}, {0x0e8, 0x0ea, 'e'}, {0x1eb8, 0x1ec7, 'e'}, {0x0cc, 0x0cd, 'i'},
        {0x0ec, 0x0ed, 'i'}, {0x128, 0x129, 'i'}, {0x1ec8, 0x1ecb, 'i'}, {0x0d2, 0x0d5, 'o'},
        {0x0f2, 0x0f5, 'o'}, {0x1a0, 0x1a1, 'o'}, {0x1ecc, 0x1ee3, 'o'}, {0x0d9, 0x0da, 'u'},
        {0x0f9, 0x0fa, 'u'}, {0x168, 0x169, 'u'}, {0x1af, 0x1b0, 'u'},   {0x1ee4, 0x1ef1, 'u'},
        {0x0dd, 0x0dd, 'y'}, {0x0fd, 0x0fd, 'y'}, {0x1ef2, 0x1ef9, 'y'}, {0x110, 0x111, 'd'},
    };

    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (c >= ranges[i].from && c <= ranges[i].to)
            return ranges[i].letter;
    return 0; /* combining marks of decomposed text, and everything else */
}

static size_t fold(const char *text, size_t len, char *out, size_t size)
{
    size_t to = 0;

    for (size_t i = 0; i < len && to + 1 < size;) {
        unsigned char c = (unsigned char)text[i];
        uint32_t point = c;
        size_t part = 1;

        if (c >= 0xc2 && c < 0xe0 && i + 1 < len) {
            point = (c & 0x1fu) << 6 | ((unsigned char)text[i + 1] & 0x3fu);
            part = 2;
        } else if (c >= 0xe0 && c < 0xf0 && i + 2 < len) {
            point = (c & 0x0fu) << 12 | ((unsigned char)text[i + 1] & 0x3fu) << 6 |
                    ((unsigned char)text[i + 2] & 0x3fu);
            part = 3;
        }
        if (c >= 'A' && c <= 'Z')
            out[to++] = (char)(c | 0x20);
        else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
            out[to++] = (char)c;
        else if (c >= 0x80 && base_letter(point) != 0)
            out[to++] = base_letter(point);
        i += part;
    }
    out[to] = '\0';
    return to;
}

void feed_csv_init(struct feed_csv *parser, const struct feed_sink *sink, const char *columns,
                   char delimiter)
{
    parser->sink = sink;
    parser->wanted = columns;
    parser->delimiter = delimiter;
    parser->header_done = parser->failed = parser->open_quote = false;
    parser->column_count = parser->row_len = 0;
    parser->row_line = 0;
}

struct cell {
    const char *text;
    size_t len;
};

/* Takes one cell off the front of a row; quotes come off, "" becomes " (in place). */
static struct cell next_cell(char **row, size_t *len, char delimiter, bool *ret_last)
{
    char *at = *row, *end = *row + *len, *to;
    struct cell cell;

    while (at < end && *at == ' ')
        at++;
    if (at < end && *at == '"') {
        cell.text = to = ++at;
        while (at < end && (*at != '"' || (at + 1 < end && at[1] == '"'))) {
            if (*at == '"')
                at++;
            *to++ = *at++;
        }
        cell.len = (size_t)(to - cell.text);
        while (at < end && *at != delimiter) /* the closing quote, and what should not be there */
            at++;
    } else {
        cell.text = at;
        while (at < end && *at != delimiter)
            at++;
        cell.len = (size_t)(at - cell.text);
        while (cell.len > 0 && (cell.text[cell.len - 1] == ' ' || cell.text[cell.len - 1] == '\t'))
            cell.len--;
    }
    *ret_last = at >= end;
    if (!*ret_last)
        at++;
    *len -= (size_t)(at - *row);
    *row = at;
    return cell;
}

/* The candidate that stands most often outside quotes; a comma when none does. */
static char find_delimiter(const char *row, size_t len)
{
    static const char candidates[] = ",;|\t";
    size_t best = 0, best_count = 0;

    for (size_t c = 0; candidates[c] != '\0'; c++) {
        bool quoted = false;
        size_t count = 0;

        for (size_t i = 0; i < len; i++) {
            quoted ^= row[i] == '"';
            count += !quoted && row[i] == candidates[c];
        }
        if (count > best_count) {
            best = c;
            best_count = count;
        }
    }
    return candidates[best];
}

static bool is_wanted(const struct feed_csv *parser, const char *folded)
{
    const char *at = parser->wanted;
    char want[FEED_CSV_HEADER_MAX];

    if (*folded == '\0')
        return false;
    if (at == NULL) {
        for (size_t i = 0; i < sizeof header_words / sizeof *header_words; i++)
            if (strcmp(folded, header_words[i]) == 0)
                return true;
        return false;
    }
    while (*at != '\0') {
        size_t part = strcspn(at, ",");

        fold(at, part, want, sizeof want);
        if (strcmp(folded, want) == 0)
            return true;
        at += part + (at[part] == ',');
    }
    return false;
}

/* Numbers only: "3,4". False: some word is none. */
static bool take_numbers(struct feed_csv *parser)
{
    const char *at = parser->wanted;

    parser->column_count = 0;
    while (at != NULL && *at != '\0') {
        char *end;
        unsigned long number = strtoul(at, &end, 10);

        if (end == at || (*end != ',' && *end != '\0') || number == 0 || number > 1000 ||
            parser->column_count == FEED_CSV_COLUMNS_MAX) {
            parser->column_count = 0;
            return false;
        }
        parser->columns[parser->column_count++] = (unsigned)number - 1;
        at = *end == ',' ? end + 1 : end;
    }
    return parser->column_count > 0;
}

/* Looks for the wanted words in a row. True: it is the header. */
static bool take_header(struct feed_csv *parser, char *row, size_t len)
{
    bool last = len == 0;

    while (len > 0 && (*row == '#' || *row == ' ')) {
        row++;
        len--;
    }
    parser->column_count = 0;
    for (unsigned column = 0; !last && column < 1000; column++) {
        struct cell cell = next_cell(&row, &len, parser->delimiter, &last);
        char folded[FEED_CSV_HEADER_MAX];

        if (fold(cell.text, cell.len, folded, sizeof folded) > 0 && is_wanted(parser, folded) &&
            parser->column_count < FEED_CSV_COLUMNS_MAX)
            parser->columns[parser->column_count++] = column;
    }
    return parser->column_count > 0;
}

static bool is_chosen(const struct feed_csv *parser, unsigned column)
{
    for (size_t i = 0; i < parser->column_count; i++)
        if (parser->columns[i] == column)
            return true;
    return false;
}

static void take_row(struct feed_csv *parser, uint64_t line_no, char *row, size_t len)
{
    const struct feed_sink *sink = parser->sink;
    const char *whole = row;
    size_t whole_len = len, seen = 0, filled = 0;
    bool last = false;

    sink->data_line(sink->arg);
    for (unsigned column = 0; !last && column < 1000; column++) {
        struct cell cell = next_cell(&row, &len, parser->delimiter, &last);
        const char *text;
        size_t text_len;

        if (!is_chosen(parser, column))
            continue;
        seen++;
        text = feed_clean(cell.text, cell.len, parser->scratch.line, &text_len);
        if (text_len == 0)
            continue;
        filled++;
        if (memchr(text, ' ', text_len) != NULL)
            sink->note(sink->arg, line_no, SINKHOLE_REASON_WORDS, text, text_len);
        else
            feed_emit(sink, line_no, text, text_len);
    }
    if (seen == 0)
        sink->note(sink->arg, line_no, SINKHOLE_REASON_COLUMN, whole, whole_len);
    else if (filled == 0)
        sink->note(sink->arg, line_no, SINKHOLE_REASON_CELL_EMPTY, whole, whole_len);
}

/* The first row that is no comment settles the columns; a comment may, when it is a header behind a
 * #. True: the row was the header, or is none of ours; false: it is data already. */
static bool settle_columns(struct feed_csv *parser, const char *row, size_t len, bool comment)
{
    char header[4096], guess = parser->delimiter;
    const char *wanted = parser->wanted;
    size_t header_len = len < sizeof header ? len : sizeof header;
    bool found;

    if (parser->delimiter == 0)
        parser->delimiter = find_delimiter(row, len);
    memcpy(header, row, header_len);
    if (take_numbers(parser)) {
        size_t count = parser->column_count;
        unsigned columns[FEED_CSV_COLUMNS_MAX];

        if (comment) {
            parser->delimiter = guess;
            return true;
        }
        parser->header_done = true;
        memcpy(columns, parser->columns, sizeof columns);
        parser->wanted = NULL; /* is it a header all the same? */
        found = take_header(parser, header, header_len);
        parser->wanted = wanted;
        memcpy(parser->columns, columns, sizeof columns);
        parser->column_count = count;
        return found;
    }
    found = take_header(parser, header, header_len) &&
            !(comment && memchr(row, parser->delimiter, len) == NULL);
    parser->header_done = found;
    if (!found && comment)
        parser->delimiter = guess;
    parser->failed = !found && !comment;
    return true;
}

static void end_row(struct feed_csv *parser)
{
    char *row = parser->row;
    size_t len = parser->row_len, blank = strspn(row, " \t\r");
    bool comment = row[blank] == '#';

    parser->row_len = 0;
    if (parser->failed || blank >= len)
        return;
    if (!parser->header_done && settle_columns(parser, row, len, comment))
        return;
    if (!comment)
        take_row(parser, parser->row_line, row, len);
}

/* A quote opens a cell only where one begins; it may stay open over the line's end. */
static void follow_quotes(struct feed_csv *parser, const char *text, size_t len)
{
    bool begins = !parser->open_quote;

    for (size_t i = 0; i < len; i++) {
        char c = text[i];

        if (parser->open_quote) {
            if (c == '"' && i + 1 < len && text[i + 1] == '"')
                i++;
            else if (c == '"')
                parser->open_quote = false;
            continue;
        }
        if (c == '"' && begins)
            parser->open_quote = true;
        begins = (begins && c == ' ') || c == parser->delimiter ||
                 (parser->delimiter == 0 && strchr(",;|\t", c) != NULL);
    }
}

void feed_csv_line(void *arg, uint64_t line_no, const char *text, size_t len, bool cut)
{
    struct feed_csv *parser = arg;
    const struct feed_sink *sink = parser->sink;

    if (parser->row_len == 0)
        parser->row_line = line_no;
    if (cut || parser->row_len + len + 2 > sizeof parser->row) {
        if (!parser->failed) {
            sink->data_line(sink->arg);
            sink->note(sink->arg, parser->row_line,
                       parser->open_quote ? SINKHOLE_REASON_QUOTE : SINKHOLE_REASON_LINE_LONG, text,
                       len);
        }
        parser->row_len = 0;
        parser->open_quote = false;
        return;
    }
    memcpy(parser->row + parser->row_len, text, len);
    follow_quotes(parser, text, len);
    parser->row_len += len;
    if (parser->open_quote)
        parser->row[parser->row_len++] = ' '; /* a line end inside quotes */
    parser->row[parser->row_len] = '\0';
    if (!parser->open_quote)
        end_row(parser);
}

bool feed_csv_finish(struct feed_csv *parser)
{
    const struct feed_sink *sink = parser->sink;

    if (parser->open_quote && !parser->failed) {
        sink->data_line(sink->arg);
        sink->note(sink->arg, parser->row_line, SINKHOLE_REASON_QUOTE, parser->row,
                   parser->row_len);
    }
    return parser->header_done && !parser->failed;
}
