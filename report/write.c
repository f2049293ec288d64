/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A unit's report as a file: written beside its name, then renamed, so that nobody sends half of
 * one.
 *
 * Threads: one. Memory: the stream's buffer.
 */
#include "config.h"

#include "sinkhole/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "report/html.h"

/* Shadowserver's name for these events; IntelMQ and others know a file by it. IPv6 clients stand in
 * it too. */
#define TYPE "event4_sinkhole_dns"

const char *sinkhole_report_format_name(enum sinkhole_report_format format)
{
    static const char *const names[] = {"csv", "jsonl", "html"};

    return names[format];
}

static bool write_rows(const struct sinkhole_report *report, enum sinkhole_report_format format,
                       FILE *out)
{
    struct sinkhole_report_row row;

    if (format == SINKHOLE_REPORT_CSV)
        sinkhole_report_csv_head(out);
    for (size_t i = report->first; i < report->end; i++) {
        sinkhole_fold_row(report->fold, i, &row);
        row.from = sinkhole_provenance_get(report->provenances, row.hit->rule);
        row.suffixes = report->suffixes;
        if (format == SINKHOLE_REPORT_CSV)
            sinkhole_report_csv(&row, out);
        else
            sinkhole_report_json(&row, out);
    }
    return true;
}

bool sinkhole_report_write(const struct sinkhole_report *report, enum sinkhole_report_format format,
                           const char *directory, char *ret_path, size_t path_size,
                           char error[SINKHOLE_REPORT_ERROR_MAX])
{
    time_t until = (time_t)((report->until_ms - 1) / 1000);
    char temporary[4096], day[16] = "";
    struct tm tm;
    FILE *out = NULL;
    bool good;
    int fd;

    if (gmtime_r(&until, &tm) != NULL)
        strftime(day, sizeof day, "%Y-%m-%d", &tm);
    snprintf(ret_path, path_size, "%s/%s-" TYPE "-%s.%s", directory, day,
             report->unit != NULL ? report->unit->id : "unassigned",
             sinkhole_report_format_name(format));
    snprintf(temporary, sizeof temporary, "%.*s/.report.XXXXXX", 4000, directory);
    fd = mkstemp(temporary);
    if (fd < 0 || (out = fdopen(fd, "w")) == NULL) {
        snprintf(error, SINKHOLE_REPORT_ERROR_MAX, "%s: cannot be written: %s", ret_path,
                 strerror(errno));
        if (fd >= 0)
            close(fd);
        return false;
    }
    good =
        format == SINKHOLE_REPORT_HTML ? html_write(report, out) : write_rows(report, format, out);
    good = good && fflush(out) == 0 && !ferror(out) && fchmod(fd, 0640) == 0;
    if (fclose(out) != 0 || !good || rename(temporary, ret_path) != 0) {
        snprintf(error, SINKHOLE_REPORT_ERROR_MAX, "%s: cannot be written: %s", ret_path,
                 strerror(errno));
        unlink(temporary);
        return false;
    }
    return true;
}
