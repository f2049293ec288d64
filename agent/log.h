/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the agent says: one line each on standard error, with the level as a "<N>" prefix when
 * standard error is the system's journal, with the time and the level in words otherwise.
 *
 * Threads: any; a line is one write. Memory: the caller's stack.
 */
#ifndef AGENT_LOG_H
#define AGENT_LOG_H

/* The levels of syslog.h. */
enum agent_level {
    AGENT_ERROR = 3,
    AGENT_WARNING = 4,
    AGENT_NOTICE = 5,
    AGENT_INFO = 6,
    AGENT_DEBUG = 7,
};

/* Call once, before threads. Levels above `most` are left out. */
void agent_log_init(enum agent_level most);
/* Lines are cut at 1,000 octets; control characters become '?'. */
void agent_log(enum agent_level level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
