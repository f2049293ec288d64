/* SPDX-License-Identifier: BSD-3-Clause */
/* Any octets as a CSV table, a name as people write it, and a text to escape for each reader. */
#include <stdlib.h>
#include <string.h>

#include "report/csv_read.h"
#include "sinkhole/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_csv(char *text, size_t len)
{
    struct csv_reader reader;
    size_t line = 0;

    csv_init(&reader, text, len);
    while (csv_next(&reader) == CSV_OK)
        for (unsigned i = 0; i < reader.count; i++) {
            if (reader.fields[i].line < line || strlen(reader.fields[i].text) > len)
                abort();
            line = reader.fields[i].line;
        }
}

static void read_name(const char *text, size_t len)
{
    char shown[SINKHOLE_NAME_TEXT_MAX];
    struct sinkhole_name name, again;

    if (sinkhole_text_name(text, len, &name) != SINKHOLE_NAME_OK)
        return;
    sinkhole_text_display(&name, shown, sizeof shown);
    /* what is shown leads back to the name */
    if (sinkhole_text_name(shown, strlen(shown), &again) != SINKHOLE_NAME_OK ||
        again.wire_len != name.wire_len || memcmp(again.wire, name.wire, name.wire_len) != 0)
        abort();
    if (sinkhole_text_defang(&name, shown, sizeof shown) != strlen(shown))
        abort();
}

static void escape(const char *text, size_t room)
{
    size_t (*const escapes[])(const char *text, char *buf, size_t size) = {
        sinkhole_escape_terminal, sinkhole_escape_html, sinkhole_escape_csv, sinkhole_escape_json,
        sinkhole_escape_defang};
    char *buf = malloc(room);

    for (size_t i = 0; buf != NULL && i < sizeof escapes / sizeof *escapes; i++) {
        size_t len = escapes[i](text, buf, room);

        if (len >= room || len != strlen(buf))
            abort();
        if (escapes[i] != sinkhole_escape_defang && strpbrk(buf, "\r\n\033") != NULL)
            abort();
    }
    free(buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);

    if (text == NULL)
        return 0;
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    read_name(text, size);
    escape(text, 3 + size);
    escape(text, 8 * size + 8);
    read_csv(text, size);
    free(text);
    return 0;
}
