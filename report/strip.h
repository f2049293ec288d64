/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The strip of hours: one line a day, one square an hour, the darker the more look-ups. An infected
 * machine shows regular marks through the night, a person none.
 *
 * Threads: a value. Memory: fixed.
 */
#ifndef SINKHOLE_REPORT_STRIP_H
#define SINKHOLE_REPORT_STRIP_H

#include <stdint.h>
#include <stdio.h>

#include "report/html.h"

struct strip {
    int64_t first_day; /* days since 1970 in the report's zone */
    int days;
    uint64_t hours[HTML_DAYS_MAX][24];
};
/* The last HTML_DAYS_MAX days up to `until_ms`, from `since_ms` on. */
void strip_init(struct strip *strip, int64_t since_ms, int64_t until_ms);
void strip_add(struct strip *strip, int64_t ms, uint64_t count);
void strip_write(const struct strip *strip, FILE *out);

#endif
