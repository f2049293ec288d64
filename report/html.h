/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A unit's report as one HTML page in Vietnamese: a print style sheet, no script, nothing from
 * elsewhere.
 *
 * Threads: one. Memory: one machine's rows at a time.
 */
#ifndef SINKHOLE_REPORT_HTML_H
#define SINKHOLE_REPORT_HTML_H

#include "sinkhole/report.h"

#define HTML_MACHINES_MAX 500 /* shown in full; the CSV has all */
#define HTML_NAMES_MAX 50     /* of one machine */
#define HTML_DAYS_MAX 31      /* of the strip of hours */

/* False: no memory. Whether `out` took it all is the caller's to ask. */
bool html_write(const struct sinkhole_report *report, FILE *out);

#endif
