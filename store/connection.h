/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One synchronous connection to Redis: connects when needed, names itself (AUTH, SELECT), bounds
 * every wait, tells errors apart. Inside store/ only.
 *
 * A public call begins with sinkhole_store_begin ("what"); commands follow, one by one
 * (sinkhole_store_call) or in a row (sinkhole_pipe_*). After a time-out or a broken connection the
 * context is dropped; the next command makes a new one.
 *
 * Programs ignore SIGPIPE: hiredis 0.14 writes with write(2).
 *
 * Threads: with its store handle. Memory: hiredis's own buffers; a row's size is the caller's.
 */
#ifndef SINKHOLE_CONNECTION_H
#define SINKHOLE_CONNECTION_H

#include <hiredis/hiredis.h>

#include "sinkhole/store.h"
#include "store/store_keys.h"

enum sinkhole_call {
    SINKHOLE_CALL_ONCE,  /* twice would not be the same: a broken connection is an error */
    SINKHOLE_CALL_AGAIN, /* harmless twice: tried again, a bounded number of times */
};

/* What is being done, for the error's text ("publish feed ais"); forgets the last error. */
__attribute__((format(printf, 2, 3))) void sinkhole_store_begin(struct sinkhole_store *store,
                                                                const char *what, ...);
/* Leaves "what: why" as the error and returns `status`. */
__attribute__((format(printf, 3, 4))) enum sinkhole_store_status
sinkhole_store_fail(struct sinkhole_store *store, enum sinkhole_store_status status,
                    const char *why, ...);
enum sinkhole_store_status sinkhole_store_no_memory(struct sinkhole_store *store);
/* A second handle with the same settings and the same "what"; NULL: no memory. */
struct sinkhole_store *sinkhole_store_new_like(const struct sinkhole_store *store);
/* The other handle's error, if it has one, becomes this one's. */
void sinkhole_store_adopt_error(struct sinkhole_store *store, const struct sinkhole_store *other);

/*
 * One command, formatted as hiredis does (%s text, %b pointer and size_t, %llu and so on), with no
 * literal argument that holds a space. *ret_reply is to be freed (freeReplyObject) when OK; an
 * error reply is a status. NULL for ret_reply: not wanted.
 */
enum sinkhole_store_status sinkhole_store_call(struct sinkhole_store *store,
                                               enum sinkhole_call again, redisReply **ret_reply,
                                               const char *format, ...);
enum sinkhole_store_status sinkhole_store_call_argv(struct sinkhole_store *store,
                                                    enum sinkhole_call again,
                                                    redisReply **ret_reply, int argc,
                                                    const char **argv, const size_t *lens);

/*
 * A row of commands on one connection, never sent again by itself. _add buffers; _next waits for
 * the oldest reply not yet taken (OK, error classes as above). _drop forgets what is under way,
 * and with it the connection if replies are missing.
 */
enum sinkhole_store_status sinkhole_pipe_add(struct sinkhole_store *store, const char *format, ...);
enum sinkhole_store_status sinkhole_pipe_add_argv(struct sinkhole_store *store, int argc,
                                                  const char **argv, const size_t *lens);
enum sinkhole_store_status sinkhole_pipe_next(struct sinkhole_store *store, redisReply **ret_reply);
unsigned sinkhole_pipe_waiting(const struct sinkhole_store *store);
void sinkhole_pipe_drop(struct sinkhole_store *store);
/* Drops the connection, whatever its state. */
void sinkhole_store_forget(struct sinkhole_store *store);
/*
 * Takes all replies of a row that began with MULTI; adds EXEC. Every reply in EXEC's is checked:
 * OK; CONFLICT: nil, a watched key was touched; an error class; DAMAGED: a command failed inside,
 * the others stand. *ret_unknown: the connection broke after EXEC had been sent.
 */
enum sinkhole_store_status sinkhole_pipe_exec(struct sinkhole_store *store, redisReply **ret_reply,
                                              bool *ret_unknown);

/* Waits a little before attempt number `attempt` (from 1): 50 ms, 100, 200, ... */
void sinkhole_store_back_off(unsigned attempt);
/* Expected type or DAMAGED. `key` for the text. */
enum sinkhole_store_status sinkhole_store_expect(struct sinkhole_store *store,
                                                 const redisReply *reply, int type,
                                                 const char *key);
/* Texts in an array, or DAMAGED: a nil or a number has no text to read. */
enum sinkhole_store_status sinkhole_store_expect_texts(struct sinkhole_store *store,
                                                       const redisReply *reply, const char *key);

#endif
