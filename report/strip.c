/* SPDX-License-Identifier: BSD-3-Clause */
/* The strip of hours as SVG. Threads and memory: see strip.h. */
#include "report/strip.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "report/vietnam.h"

#define SQUARE 13
#define LEFT 42
#define TOP 14

void strip_init(struct strip *strip, int64_t since_ms, int64_t until_ms)
{
    int64_t first = (since_ms + VIETNAM_OFFSET_MS) / VIETNAM_DAY_MS;
    int64_t last = (until_ms - 1 + VIETNAM_OFFSET_MS) / VIETNAM_DAY_MS;

    memset(strip, 0, sizeof *strip);
    if (last - first >= HTML_DAYS_MAX)
        first = last - HTML_DAYS_MAX + 1;
    strip->first_day = first;
    strip->days = last < first ? 1 : (int)(last - first + 1);
}

void strip_add(struct strip *strip, int64_t ms, uint64_t count)
{
    int64_t local = ms + VIETNAM_OFFSET_MS;
    int64_t day = local / VIETNAM_DAY_MS - strip->first_day;

    if (day >= 0 && day < strip->days)
        strip->hours[day][local % VIETNAM_DAY_MS / 3600000] += count;
}

static int shade(uint64_t count)
{
    return count == 0 ? 0 : count < 3 ? 1 : count < 10 ? 2 : count < 60 ? 3 : 4;
}

void strip_write(const struct strip *strip, FILE *out)
{
    int height = TOP + strip->days * SQUARE;

    fprintf(
        out,
        "<svg class=\"strip\" role=\"img\" aria-label=\"Số lượt tra cứu theo giờ\" width=\"%d\" "
        "height=\"%d\" viewBox=\"0 0 %d %d\">",
        LEFT + 24 * SQUARE + 1, height + 1, LEFT + 24 * SQUARE + 1, height + 1);
    for (int hour = 0; hour < 24; hour += 6)
        fprintf(out, "<text x=\"%d\" y=\"10\">%dh</text>", LEFT + hour * SQUARE, hour);
    for (int day = 0; day < strip->days; day++) {
        time_t seconds = (time_t)((strip->first_day + day) * 86400);
        struct tm tm;
        int y = TOP + day * SQUARE;

        if (gmtime_r(&seconds, &tm) != NULL)
            fprintf(out, "<text x=\"0\" y=\"%d\">%02d/%02d</text>", y + 10, tm.tm_mday,
                    tm.tm_mon + 1);
        fprintf(out, "<rect class=\"h0\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/>", LEFT, y,
                24 * SQUARE - 1, SQUARE - 1);
        for (int hour = 0; hour < 24; hour++)
            if (strip->hours[day][hour] > 0)
                fprintf(out,
                        "<rect class=\"h%d\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\">"
                        "<title>%dh: %" PRIu64 "</title></rect>",
                        shade(strip->hours[day][hour]), LEFT + hour * SQUARE, y, SQUARE - 1,
                        SQUARE - 1, hour, strip->hours[day][hour]);
    }
    fputs("</svg>\n", out);
}
