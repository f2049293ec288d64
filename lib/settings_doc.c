/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the rows say of themselves: the sample file and the settings section of the manual.
 *
 * Threads: pure, but for `out`. Memory: none.
 */
#include "lib/settings_rows.h"

#include <inttypes.h>
#include <string.h>

/* The row's default as YAML. */
static void write_default(const struct settings_row *row, FILE *out)
{
    const char *text = row->text;

    switch (row->kind) {
    case SETTINGS_UINT:
        fprintf(out, "%" PRIu64, row->number);
        return;
    case SETTINGS_BOOL:
        fputs(row->number != 0 ? "true" : "false", out);
        return;
    case SETTINGS_ENUM:
        fputs(text, out);
        return;
    case SETTINGS_TEXT:
        fprintf(out, "\"%s\"", text);
        return;
    case SETTINGS_LIST:
        fputc('[', out);
        while (*text != '\0') {
            size_t len = strcspn(text, ",");

            fprintf(out, "\"%.*s\"%s", (int)len, text, text[len] == ',' ? ", " : "");
            text += len + (text[len] == ',');
        }
        fputc(']', out);
        return;
    }
}

void sinkhole_settings_sample(FILE *out)
{
    char expected[256];

    fputs(
        "# Settings of unbound-sinkhole. Each line shows a default: take the # away to change it.\n"
        "# \"sinkholectl settings check\" tells whether the file is right; sinkhole.yaml(5) is the "
        "manual.\n",
        out);
    for (unsigned i = 0; i < SETTINGS_ROW_COUNT; i++) {
        const struct settings_row *row = &settings_rows[i];

        if (i == 0 || settings_rows[i - 1].section != row->section)
            fprintf(out, "\n# %s\n%s:\n", settings_sections[row->section].help,
                    settings_sections[row->section].name);
        fprintf(out, "  # %s", row->help);
        settings_expected(row, expected, sizeof expected);
        if (row->kind != SETTINGS_TEXT)
            fprintf(out, " (%s)", expected);
        fprintf(out, "\n  #%s: ", row->key);
        write_default(row, out);
        fputc('\n', out);
    }
}

/* One line of mdoc text: backslashes doubled, nothing at the start that looks like a macro. */
static void write_mdoc(const char *text, FILE *out)
{
    if (text[0] == '.' || text[0] == '\'')
        fputs("\\&", out);
    for (; *text != '\0'; text++) {
        if (*text == '\\')
            fputs("\\e", out);
        else
            fputc(*text, out);
    }
    fputc('\n', out);
}

void sinkhole_settings_manual(FILE *out)
{
    char expected[256], sentence[512];

    for (unsigned i = 0; i < SETTINGS_ROW_COUNT; i++) {
        const struct settings_row *row = &settings_rows[i];
        bool first = i == 0 || settings_rows[i - 1].section != row->section;
        bool last = i + 1 == SETTINGS_ROW_COUNT || settings_rows[i + 1].section != row->section;

        if (first) {
            fprintf(out, ".Ss %s\n", settings_sections[row->section].name);
            snprintf(sentence, sizeof sentence, "%s.", settings_sections[row->section].help);
            write_mdoc(sentence, out);
            fputs(".Bl -tag -width Ds\n", out);
        }
        fprintf(out, ".It Cm %s\n", row->key);
        snprintf(sentence, sizeof sentence, "%s.", row->help);
        write_mdoc(sentence, out);
        settings_expected(row, expected, sizeof expected);
        fputs("Takes ", out);
        snprintf(sentence, sizeof sentence, "%s.", expected);
        write_mdoc(sentence, out);
        fputs("Default: ", out);
        write_default(row, out);
        fputc('\n', out);
        if (last)
            fputs(".El\n", out);
    }
}
