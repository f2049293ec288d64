/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Octet strings kept once, each with a number from 0.
 *
 * Threads: one. Memory: the strings, 12 octets for each, at most INTERN_BYTES_MAX.
 */
#ifndef SINKHOLE_REPORT_INTERN_H
#define SINKHOLE_REPORT_INTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INTERN_BYTES_MAX (512u << 20)
#define INTERN_LEN_MAX 255

struct intern {
    uint8_t *octets; /* length octet, string, one after the other */
    size_t used, room;
    uint32_t *at; /* number -> place in `octets` */
    uint32_t count, at_room;
    uint32_t *table; /* hash -> number + 1; a power of two, at most half full */
    uint32_t slots;
};
void intern_done(struct intern *intern);
/* False: full, no memory, or longer than INTERN_LEN_MAX. */
bool intern_put(struct intern *intern, const void *octets, size_t len, uint32_t *ret_number);
/* Valid until the next put. */
const uint8_t *intern_get(const struct intern *intern, uint32_t number, size_t *ret_len);

#endif
