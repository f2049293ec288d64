/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A real redis-server of the test's own: a folder under TMPDIR, a Unix socket, its own process,
 * killed with the test.
 *
 * Threads: one. Memory: values and what hiredis holds. A failure here fails the test at once.
 */
#ifndef REDIS_HELP_H
#define REDIS_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>
#include <hiredis/hiredis.h>

#include "sinkhole/blocklist.h"

struct redis {
    char dir[64], socket[96], password_file[96];
    pid_t pid;
    struct sinkhole_settings settings; /* that reach it */
    redisContext *raw;                 /* for looking, and for breaking things */
};

/* True when there is a redis-server to run; else the test program leaves with 77 (skipped). */
bool redis_available(void);
/* `options`: further arguments of redis-server, up to a NULL. Answers PING when this returns. */
void redis_start(struct redis *redis, ...);
void redis_start_at(struct redis *redis, const char *dir, char **options); /* after redis_kill */
void redis_kill(struct redis *redis); /* -9; the folder stays */
void redis_stop(struct redis *redis); /* and the folder goes */
/* One command on the raw connection; "ERR..." replies fail the test. The caller frees. */
redisReply *redis_do(struct redis *redis, const char *format, ...);
long long redis_integer(struct redis *redis, const char *format, ...);
/* The command is carried out, its answer not looked at. */
void redis_run(struct redis *redis, const char *format, ...);
/* Octets of Redis's used_memory. */
long long redis_memory(struct redis *redis);

/* Fails with the store's own words. */
#define assert_store(store, call, expected)                                                        \
    assert_store_at((store), (call), (expected), #call, __FILE__, __LINE__)
void assert_store_at(struct sinkhole_store *store, enum sinkhole_store_status got,
                     enum sinkhole_store_status expected, const char *call, const char *file,
                     int line);

/* Publishes `lines` of "+key" and "-key" (up to a NULL), all under rule `id`; 0: a rule made for
 * it, whose id is returned. */
uint32_t publish_lines(struct sinkhole_store *store, const char *feed, uint32_t id,
                       const char *const *lines, enum sinkhole_store_status expected);
void put_feed(struct sinkhole_store *store, const char *name);
/* The whole list as "key:id,id key:id ..." text, proved; to be freed. */
char *list_text(struct sinkhole_store *store);
void assert_list(struct sinkhole_store *store, const char *expected);

#endif
