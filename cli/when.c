/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Times and numbers as people write and read them.
 *
 * Threads: one (time zone). Memory: the caller's buffers.
 */
#include "config.h"

#include "cli/cli.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool ago(const char *text, int64_t *ret_ms)
{
    static const struct {
        char unit;
        int64_t ms;
    } units[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000}, {'w', 604800000}};
    size_t digits = strspn(text, "0123456789");

    if (digits == 0 || digits > 6 || strlen(text) != digits + 1)
        return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (text[digits] == units[i].unit) {
            *ret_ms = strtoll(text, NULL, 10) * units[i].ms;
            return true;
        }
    return false;
}

/* "", "Z", "+07", "+0700", "+07:00": minutes east; *ret_local when there is none. */
static bool zone(const char *text, int *ret_minutes, bool *ret_local)
{
    int hours, minutes = 0;
    char sign;

    *ret_minutes = 0;
    *ret_local = text[0] == '\0';
    if (text[0] == '\0' || strcmp(text, "Z") == 0)
        return true;
    if ((text[0] != '+' && text[0] != '-') || !isdigit((unsigned char)text[1]) ||
        !isdigit((unsigned char)text[2]))
        return false;
    sign = text[0];
    hours = (text[1] - '0') * 10 + (text[2] - '0');
    text += text[3] == ':' ? 4 : 3;
    if (text[0] != '\0') {
        if (!isdigit((unsigned char)text[0]) || !isdigit((unsigned char)text[1]) || text[2] != '\0')
            return false;
        minutes = (text[0] - '0') * 10 + (text[1] - '0');
    }
    if (hours > 14 || minutes > 59)
        return false;
    *ret_minutes = (sign == '-' ? -1 : 1) * (hours * 60 + minutes);
    return true;
}

bool cli_when(const char *text, int64_t now_ms, int64_t *ret_ms)
{
    static const char *const forms[] = {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M",
                                        "%Y-%m-%d %H:%M", "%Y-%m-%d"};
    int64_t before_ms;

    if (ago(text, &before_ms)) {
        *ret_ms = now_ms - before_ms;
        return true;
    }
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct tm tm = {.tm_isdst = -1};
        const char *rest = strptime(text, forms[i], &tm);
        const int day = tm.tm_mday;
        time_t seconds;
        int minutes;
        bool local;

        if (rest != NULL && rest[0] == '.' && i < 2)
            rest += 1 + strspn(rest + 1, "0123456789");
        if (rest == NULL || !zone(rest, &minutes, &local))
            continue;
        seconds = local ? mktime(&tm) : timegm(&tm) - (time_t)minutes * 60;
        if (seconds < 0 || tm.tm_mday != day) /* 31 February */
            return false;
        *ret_ms = (int64_t)seconds * 1000;
        return true;
    }
    return false;
}

const char *cli_time(int64_t ms, char buf[CLI_TIME_MAX])
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm;
    size_t len = 0;

    if (ms != 0 && localtime_r(&seconds, &tm) != NULL)
        len = strftime(buf, CLI_TIME_MAX, "%Y-%m-%d %H:%M:%S %z", &tm);
    if (len == 0)
        memcpy(buf, "-", 2);
    else if (strcmp(buf + len - 2, "00") == 0)
        buf[len - 2] = '\0'; /* +0700: whole hours are enough */
    return buf;
}

const char *cli_time_utc(int64_t ms, char buf[CLI_TIME_MAX])
{
    time_t seconds = (time_t)(ms / 1000);
    char whole[24];
    struct tm tm;

    if (gmtime_r(&seconds, &tm) == NULL ||
        strftime(whole, sizeof whole, "%Y-%m-%dT%H:%M:%S", &tm) == 0)
        memcpy(buf, "-", 2);
    else
        snprintf(buf, CLI_TIME_MAX, "%s.%03dZ", whole, (int)(ms % 1000));
    return buf;
}

const char *cli_age(int64_t ms, char buf[CLI_TIME_MAX])
{
    int64_t s = ms < 0 ? 0 : ms / 1000;

    if (s < 120)
        snprintf(buf, CLI_TIME_MAX, "%" PRId64 " s", s);
    else if (s < 7200)
        snprintf(buf, CLI_TIME_MAX, "%" PRId64 " min", s / 60);
    else if (s < 172800)
        snprintf(buf, CLI_TIME_MAX, "%" PRId64 " h", s / 3600);
    else
        snprintf(buf, CLI_TIME_MAX, "%" PRId64 " d", s / 86400);
    return buf;
}

const char *cli_count(uint64_t count, char buf[CLI_COUNT_MAX])
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%" PRIu64, count), used = 0;

    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            buf[used++] = ',';
        buf[used++] = digits[i];
    }
    buf[used] = '\0';
    return buf;
}
