/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whose address is it: prefix -> unit, longest match, IPv4 and IPv6.
 *
 * Threads: immutable once built. Memory: owned by the table; at most SINKHOLE_UNITS_MAX prefixes.
 */
#ifndef SINKHOLE_UNITS_H
#define SINKHOLE_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SINKHOLE_UNITS_MAX 1000000
#define SINKHOLE_ADDRESS_TEXT_MAX 46

/* An address: IPv4 in the first 4 octets. IPv4-mapped IPv6 is stored as IPv4. */
struct sinkhole_address {
    uint8_t family; /* 4 or 6; 0: none */
    uint8_t octets[16];
};
struct sinkhole_prefix {
    struct sinkhole_address address; /* host bits zero */
    uint8_t bits;
};

bool sinkhole_address_from_text(const char *text, size_t len, struct sinkhole_address *ret_address);
size_t sinkhole_address_to_text(const struct sinkhole_address *address, char *buf, size_t size);
/* "a.b.c.d/n", "x::/n" or a bare address; false also when host bits are set. */
bool sinkhole_prefix_from_text(const char *text, size_t len, struct sinkhole_prefix *ret_prefix);
size_t sinkhole_prefix_to_text(const struct sinkhole_prefix *prefix, char *buf, size_t size);

struct sinkhole_units; /* opaque: prefix -> value */
struct sinkhole_units *sinkhole_units_new(void); /* NULL: no memory */
void sinkhole_units_free(struct sinkhole_units *units);
/* `value` is the caller's number for the unit. False: full, no memory, or the prefix is there with
 * another value. */
bool sinkhole_units_add(struct sinkhole_units *units, const struct sinkhole_prefix *prefix,
                        uint32_t value);
/* Longest match. False: nobody's. */
bool sinkhole_units_find(const struct sinkhole_units *units, const struct sinkhole_address *address,
                         uint32_t *ret_value, struct sinkhole_prefix *ret_prefix);

#endif
