/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A hit: one client's look-up of a listed name, answered (or dropped) by the resolver.
 * Threads: a value. Memory: none.
 */
#ifndef SINKHOLE_HIT_H
#define SINKHOLE_HIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sinkhole/name.h"
#include "sinkhole/rule.h"
#include "sinkhole/units.h"

enum sinkhole_transport {
    SINKHOLE_TRANSPORT_UDP = 0,
    SINKHOLE_TRANSPORT_TCP = 1,
    SINKHOLE_TRANSPORT_DOT = 2,
    SINKHOLE_TRANSPORT_DOH = 3,
};
enum sinkhole_client_source {
    SINKHOLE_CLIENT_SOCKET = 0,
    SINKHOLE_CLIENT_PROXYV2 = 1,
    SINKHOLE_CLIENT_ECS = 2,
    SINKHOLE_CLIENT_MAC = 3,
};
/* Which way the reply came. */
enum sinkhole_hit_flags {
    SINKHOLE_HIT_FROM_CACHE =
        1,                     /* served from the message cache (monitored, or stale by a moment) */
    SINKHOLE_HIT_STALE = 2,    /* the client got the real answer: the cache was being cleaned */
    SINKHOLE_HIT_CHAIN = 4,    /* the listed name is an alias target of the asked one */
    SINKHOLE_HIT_NO_REPLY = 8, /* DROP: nothing was sent */
};

struct sinkhole_hit {
    int64_t time_ms;      /* Unix ms of the first look-up in this record */
    uint32_t count;       /* look-ups within that second, at least 1 */
    uint32_t rule;        /* rule id */
    uint64_t generation;  /* of the index that decided */
    struct sinkhole_address client;
    uint16_t port;        /* of the first look-up */
    uint16_t qtype, qclass;
    uint8_t transport;    /* enum sinkhole_transport */
    uint8_t client_source;/* enum sinkhole_client_source */
    uint8_t action;       /* enum sinkhole_action, effective */
    uint8_t rcode;        /* sent */
    uint8_t flags;        /* enum sinkhole_hit_flags */
    struct sinkhole_address answer; /* the address handed out; family 0: none */
    struct sinkhole_name qname;     /* asked */
    struct sinkhole_name indicator; /* listed */
};

/* The one encoding of a hit, in a journal record and as a stream entry's value
 * (doc/journal-format.md). `count` and the record's identity are not in it: they stand beside it.
 * `buf` of SINKHOLE_HIT_ENCODED_MAX suffices; returns the length, 0 when `size` is too small. The
 * asked and the listed name share their octets when the one ends in the other. Decoding checks
 * everything. */
#define SINKHOLE_HIT_ENCODED_MAX 640
size_t sinkhole_hit_encode(const struct sinkhole_hit *hit, uint8_t *buf, size_t size);
bool sinkhole_hit_decode(const uint8_t *buf, size_t len, struct sinkhole_hit *ret_hit);

#endif
