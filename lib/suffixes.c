/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Public suffixes through libpsl: the file that was given, else the newest list installed (a
 * distribution's list can be years old), else the one compiled into libpsl.
 *
 * Threads: immutable once open. Memory: the list's.
 */
#include "sinkhole/text.h"

#include <libpsl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define VERSION_MAX 64
#define HEAD_LINES 40 /* the VERSION line stands in the comment at the top */

struct sinkhole_suffixes {
    psl_ctx_t *loaded; /* ours to free; NULL: the compiled-in list */
    const psl_ctx_t *list;
    char version[VERSION_MAX];
};

static const char *const installed[] = {
    SINKHOLE_PKGDATADIR "/public_suffix_list.dat",
    "/usr/share/publicsuffix/public_suffix_list.dat",
};

/* What the list says of itself ("// VERSION: 2026-08-19_07-12-33_UTC"), else the file's date; both
 * begin with YYYY-MM-DD, so that they compare as text. False: unreadable. */
static bool list_version(const char *path, char ret_version[VERSION_MAX])
{
    static const char mark[] = "// VERSION: ";
    FILE *file = fopen(path, "re");
    char line[256];
    struct stat st;
    struct tm tm;

    if (file == NULL)
        return false;
    ret_version[0] = '\0';
    for (int i = 0; i < HEAD_LINES && fgets(line, sizeof line, file) != NULL; i++) {
        if (strncmp(line, mark, sizeof mark - 1) != 0)
            continue;
        line[strcspn(line, "\r\n")] = '\0';
        snprintf(ret_version, VERSION_MAX, "%.40s", line + sizeof mark - 1);
        break;
    }
    if (ret_version[0] == '\0' && fstat(fileno(file), &st) == 0 &&
        gmtime_r(&st.st_mtime, &tm) != NULL)
        strftime(ret_version, VERSION_MAX, "%Y-%m-%d (the file's date)", &tm);
    fclose(file);
    return ret_version[0] != '\0';
}

static const char *newest_installed(void)
{
    char best[VERSION_MAX] = "", version[VERSION_MAX];
    const char *path = NULL;

    for (size_t i = 0; i < sizeof installed / sizeof *installed; i++) {
        if (!list_version(installed[i], version) || strcmp(version, best) <= 0)
            continue;
        memcpy(best, version, sizeof best);
        path = installed[i];
    }
    return path;
}

struct sinkhole_suffixes *sinkhole_suffixes_open(const char *path)
{
    struct sinkhole_suffixes *suffixes = calloc(1, sizeof *suffixes);

    if (suffixes == NULL)
        return NULL;
    if (path == NULL)
        path = newest_installed();
    if (path != NULL) {
        suffixes->loaded = psl_load_file(path);
        suffixes->list = suffixes->loaded;
        if (!list_version(path, suffixes->version))
            suffixes->list = NULL;
    } else {
        suffixes->list = psl_builtin();
        snprintf(suffixes->version, VERSION_MAX, "compiled into libpsl %s", psl_get_version());
    }
    /* Any text file loads; one that does not know "vn" or "com" is no list. */
    if (suffixes->list == NULL ||
        !psl_is_public_suffix2(suffixes->list, "vn", PSL_TYPE_ICANN | PSL_TYPE_NO_STAR_RULE) ||
        !psl_is_public_suffix2(suffixes->list, "com", PSL_TYPE_ICANN | PSL_TYPE_NO_STAR_RULE)) {
        sinkhole_suffixes_close(suffixes);
        return NULL;
    }
    return suffixes;
}

void sinkhole_suffixes_close(struct sinkhole_suffixes *suffixes)
{
    if (suffixes == NULL)
        return;
    psl_free(suffixes->loaded);
    free(suffixes);
}

enum sinkhole_suffix_kind sinkhole_suffix_kind(const struct sinkhole_suffixes *suffixes,
                                               const struct sinkhole_name *name)
{
    char text[SINKHOLE_NAME_TEXT_MAX];

    if (name->labels <= 1)
        return SINKHOLE_SUFFIX_TLD;
    sinkhole_name_to_text(name, text, sizeof text);
    if (psl_is_public_suffix2(suffixes->list, text, PSL_TYPE_ICANN | PSL_TYPE_NO_STAR_RULE))
        return SINKHOLE_SUFFIX_ICANN;
    if (psl_is_public_suffix2(suffixes->list, text, PSL_TYPE_PRIVATE | PSL_TYPE_NO_STAR_RULE))
        return SINKHOLE_SUFFIX_PRIVATE;
    return SINKHOLE_SUFFIX_NONE;
}

bool sinkhole_suffixes_knows(const struct sinkhole_suffixes *suffixes,
                             const struct sinkhole_name *name)
{
    char text[SINKHOLE_NAME_TEXT_MAX];
    const char *last;

    if (name->labels == 0)
        return false;
    sinkhole_name_to_text(name, text, sizeof text);
    last = strrchr(text, '.');
    return psl_is_public_suffix2(suffixes->list, last == NULL ? text : last + 1,
                                 PSL_TYPE_ICANN | PSL_TYPE_NO_STAR_RULE);
}

bool sinkhole_registrable(const struct sinkhole_suffixes *suffixes,
                          const struct sinkhole_name *name, struct sinkhole_name *ret_domain)
{
    char text[SINKHOLE_NAME_TEXT_MAX];
    const char *domain;
    size_t labels = 1, off = 0;

    sinkhole_name_to_text(name, text, sizeof text);
    domain = name->labels < 2 ? NULL : psl_registrable_domain(suffixes->list, text);
    if (domain == NULL)
        return false;
    /* An escaped dot in a label would be counted as one too many: such a name has no domain. */
    for (const char *at = domain; *at != '\0'; at++)
        labels += *at == '.';
    if (strchr(domain, '\\') != NULL || labels > name->labels)
        return false;
    for (size_t skip = name->labels - labels; skip > 0; skip--)
        off += (size_t)name->wire[off] + 1;
    return sinkhole_name_from_wire(name->wire + off, name->wire_len - off, ret_domain) ==
           SINKHOLE_NAME_OK;
}

const char *sinkhole_suffixes_version(const struct sinkhole_suffixes *suffixes)
{
    return suffixes->version;
}
