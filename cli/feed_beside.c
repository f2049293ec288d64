/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sinkholectl feed show --beside: addresses, URLs, hashes and names for review of imports.
 *
 * Threads: one. Memory: with --json, all that is shown.
 */
#include "cli/feed.h"

#include <stdio.h>
#include <string.h>

#include "sinkhole/report.h"

#define LINE_MAX_SHOWN 16384 /* of an escaped line */

struct beside {
    const struct cli *cli;
    const char *skip; /* not this import: it has been shown */
    bool staged;      /* what follows is not published */
    json_t *array;    /* with --json */
    json_t *items;    /* of the import under way */
    unsigned count;
};

static const char *show(const char *text, char *buf, size_t size)
{
    sinkhole_escape_terminal(text, buf, size);
    return buf;
}

static void head_json(struct beside *beside, const struct sinkhole_staged *import)
{
    const struct sinkhole_batch *batch = &import->attributes;

    beside->items = json_array();
    json_array_append_new(beside->array,
                          json_pack("{s:s, s:b, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:o}", "import",
                                    batch->import, "published", (int)!beside->staged, "file",
                                    import->file, "reference", batch->reference, "issuer",
                                    batch->issuer, "issued", batch->issued, "received",
                                    batch->received, "who", batch->who, "staged_ms",
                                    (json_int_t)import->staged_ms, "items", beside->items));
}

static bool show_head(void *arg, const struct sinkhole_staged *import)
{
    const struct sinkhole_batch *batch = &import->attributes;
    struct beside *beside = arg;
    char when[CLI_TIME_MAX], reference[512], issuer[512], file[512], who[256];

    beside->count++;
    if (beside->array != NULL) {
        head_json(beside, import);
        return true;
    }
    printf("\n%sKept beside%s by import %s%s: %s%s%s, from %s, by %s at %s\n",
           cli_paint(beside->cli, CLI_BOLD), cli_paint(beside->cli, CLI_PLAIN), batch->import,
           beside->staged ? " (staged, not published)" : "",
           batch->reference[0] != '\0' ? show(batch->reference, reference, sizeof reference)
                                       : "(no reference)",
           batch->issuer[0] != '\0' ? " of " : "", show(batch->issuer, issuer, sizeof issuer),
           show(import->file, file, sizeof file), show(batch->who, who, sizeof who),
           cli_time(import->staged_ms, when));
    return true;
}

/* "kind TAB text" */
static bool show_line(void *arg, const char *line, size_t len)
{
    struct beside *beside = arg;
    const char *tab = memchr(line, '\t', len);
    char text[LINE_MAX_SHOWN / 4], shown[LINE_MAX_SHOWN];
    size_t kind_len = tab == NULL ? 0 : (size_t)(tab - line);

    if (tab == NULL)
        return true;
    len -= kind_len + 1;
    if (beside->items != NULL) {
        json_array_append_new(
            beside->items, json_pack("{s:s%, s:s%}", "kind", line, kind_len, "text", tab + 1, len));
        return true;
    }
    if (len >= sizeof text)
        len = sizeof text - 1;
    memcpy(text, tab + 1, len);
    text[len] = '\0';
    printf("  %-8.*s %s\n", (int)kind_len, line, show(text, shown, sizeof shown));
    return true;
}

static bool note_identity(void *arg, const struct sinkhole_staged *import)
{
    struct beside *beside = arg;

    if (beside->skip != NULL && strcmp(beside->skip, import->attributes.import) == 0)
        beside->skip = NULL; /* it is published */
    return show_head(arg, import);
}

int feed_show_beside(struct cli *cli, const struct sinkhole_feeds *feeds, const char *feed,
                     const char *import, const struct sinkhole_staged *staged, json_t *array)
{
    struct beside beside = {.cli = cli, .array = array};
    struct sinkhole_feeds_outcome outcome;
    struct sinkhole_staged again;
    enum sinkhole_feeds_status status;

    if (staged != NULL && (import == NULL || strcmp(import, staged->attributes.import) == 0))
        beside.skip = staged->attributes.import;
    status = sinkhole_beside_read(feeds, feed, import, note_identity, show_line, &beside, &outcome);
    if ((status == SINKHOLE_FEEDS_OK || status == SINKHOLE_FEEDS_ABSENT) && beside.skip != NULL) {
        beside.staged = true;
        show_head(&beside, staged);
        status = sinkhole_staged_read(feeds, feed, show_line, &beside, &again, &outcome);
    }
    if (status == SINKHOLE_FEEDS_ABSENT)
        return cli_fail(CLI_ABSENT, "no import \"%s\" of feed \"%s\" that kept something beside",
                        import, feed);
    if (status == SINKHOLE_FEEDS_DAMAGED)
        return cli_fail(CLI_FAILED, "what an import of feed \"%s\" kept beside cannot be read",
                        feed);
    if (status != SINKHOLE_FEEDS_OK)
        return feed_fail(cli, feed, status, &outcome);
    if (beside.count == 0 && array == NULL)
        puts("\nNo import kept anything beside its names.");
    return CLI_OK;
}
