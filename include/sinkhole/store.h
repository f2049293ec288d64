/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Redis, synchronous: what commands and the publisher use. Every key stands in store_keys.h.
 *
 * A call that fails returns a class of error (facts of Redis, not of one command) and leaves one
 * sentence in sinkhole_store_error(). Time-outs on everything; after one the connection is made
 * anew at the next call.
 *
 * Threads: one store handle, one thread. Memory: replies are bounded by the caller's limits.
 */
#ifndef SINKHOLE_STORE_H
#define SINKHOLE_STORE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sinkhole/settings.h"

enum sinkhole_store_status {
    SINKHOLE_STORE_OK = 0,
    SINKHOLE_STORE_RETRY, /* LOADING BUSY TRYAGAIN OOM MISCONF NOREPLICAS: same connection, later */
    SINKHOLE_STORE_RECONNECT, /* READONLY MASTERDOWN EOF time-out CLUSTERDOWN, cannot connect */
    SINKHOLE_STORE_MOVED,     /* MOVED, ASK */
    SINKHOLE_STORE_OPERATOR,  /* NOAUTH WRONGPASS NOPERM WRONGTYPE, password file unreadable */
    SINKHOLE_STORE_CONFLICT,  /* somebody else published in between: read again, try again */
    SINKHOLE_STORE_ABSENT,    /* no such feed, batch, name, key */
    SINKHOLE_STORE_DAMAGED,   /* what Redis holds contradicts itself (digest, count, format) */
    SINKHOLE_STORE_DUPLICATE, /* this stream ID, or a later one, is stored already */
    SINKHOLE_STORE_INVALID,   /* the caller's arguments */
    SINKHOLE_STORE_NO_MEMORY,
};
const char *sinkhole_store_status_text(enum sinkhole_store_status status);
/* Class of an error reply's text, used by the asynchronous side too. */
enum sinkhole_store_status sinkhole_store_classify(const char *error, size_t len);

struct sinkhole_store; /* opaque */
/* Does not fail when Redis is away: the first call does. NULL: no memory. `settings` outlives it.
 */
struct sinkhole_store *sinkhole_store_new(const struct sinkhole_settings *settings);
void sinkhole_store_free(struct sinkhole_store *store);
/* One sentence about the last failed call: what was tried, where, why, what to do. Never NULL. */
const char *sinkhole_store_error(const struct sinkhole_store *store);
enum sinkhole_store_status sinkhole_store_ping(struct sinkhole_store *store);

/* --- alarms (stream) --------------------------------------------------------------------- */
enum sinkhole_severity { SINKHOLE_NOTICE, SINKHOLE_WARNING, SINKHOLE_ALARM };
struct sinkhole_alarm {
    char id[48];          /* stream ID */
    char code[48];        /* redis-away, index-refused, feed-stale, ... */
    char source[64];      /* resolver or program */
    char text[256];       /* one true sentence */
    int64_t time_ms;
    uint8_t severity;     /* enum sinkhole_severity */
    bool acknowledged;
};
enum sinkhole_store_status sinkhole_alarm_raise(struct sinkhole_store *store,
                                                const struct sinkhole_alarm *alarm);
typedef bool (*sinkhole_alarm_fn)(void *arg, const struct sinkhole_alarm *alarm);
enum sinkhole_store_status sinkhole_alarm_list(struct sinkhole_store *store, bool acknowledged_too,
                                               sinkhole_alarm_fn visit, void *arg);
enum sinkhole_store_status sinkhole_alarm_acknowledge(struct sinkhole_store *store, const char *id);

/* --- resolvers: what each agent tells --------------------------------------------------------- */
/* Flat text fields, written by the agent with an expiry of its own choosing; read by status. */
typedef bool (*sinkhole_field_fn)(void *arg, const char *resolver, const char *field,
                                  const char *value);
enum sinkhole_store_status sinkhole_resolver_list(struct sinkhole_store *store,
                                                  sinkhole_field_fn visit, void *arg);

#endif
