/* SPDX-License-Identifier: BSD-3-Clause */
/* One line each. Threads and memory: see log.h. */
#include "agent/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "sinkhole/clock.h"

static enum agent_level log_most = AGENT_INFO;
static bool log_journal;

/* systemd.exec(5): JOURNAL_STREAM holds device and inode of the stream that is the journal. */
static bool log_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat st;
    char here[64];

    if (stream == NULL || fstat(STDERR_FILENO, &st) != 0)
        return false;
    snprintf(here, sizeof(here), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    for (size_t i = 0;; i++) {
        if (here[i] != stream[i])
            return false;
        if (here[i] == '\0')
            return true;
    }
}

void agent_log_init(enum agent_level most)
{
    log_most = most;
    log_journal = log_is_journal();
}

static const char *log_level_text(enum agent_level level)
{
    switch (level) {
    case AGENT_ERROR:
        return "error";
    case AGENT_WARNING:
        return "warning";
    case AGENT_NOTICE:
        return "notice";
    case AGENT_INFO:
        return "info";
    case AGENT_DEBUG:
        return "debug";
    }
    return "?";
}

/* The beginning of a line; returns its length. */
static size_t log_prefix(enum agent_level level, char *buf, size_t size)
{
    int64_t now_ms = sinkhole_now_ms();
    time_t now_s = (time_t)(now_ms / 1000);
    struct tm tm;
    size_t len;

    if (log_journal)
        return (size_t)snprintf(buf, size, "<%d>", (int)level);
    gmtime_r(&now_s, &tm);
    len = strftime(buf, size, "%Y-%m-%dT%H:%M:%S", &tm);
    return len + (size_t)snprintf(buf + len, size - len,
                                  ".%03dZ sinkhole-agent: %s: ", (int)(now_ms % 1000),
                                  log_level_text(level));
}

void agent_log(enum agent_level level, const char *format, ...)
{
    char line[1100];
    size_t start, len;
    va_list args;
    int n;

    if (level > log_most)
        return;
    start = log_prefix(level, line, 100);
    va_start(args, format);
    n = vsnprintf(line + start, 1000, format, args);
    va_end(args);
    if (n < 0)
        return;
    len = start + (n < 1000 ? (size_t)n : 999);
    for (size_t i = start; i < len; i++) {
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
            line[i] = '?';
    }
    line[len++] = '\n';
    if (write(STDERR_FILENO, line, len) < 0)
        return; /* nowhere left to say it */
}
