/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Numbers as text, without printf: a report writes tens of millions of them.
 *
 * Threads: pure. Memory: the caller's, 20 octets for a number.
 */
#ifndef SINKHOLE_REPORT_DIGITS_H
#define SINKHOLE_REPORT_DIGITS_H

#include <stdint.h>

/* Returns the place after the last digit; no terminator. */
static inline char *report_put_number(char *at, uint64_t value)
{
    char reversed[20];
    int count = 0;

    do {
        reversed[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    while (count > 0)
        *at++ = reversed[--count];
    return at;
}

/* Exactly `digits` of them, with leading zeros. */
static inline char *report_put_digits(char *at, unsigned value, int digits)
{
    for (int i = digits - 1; i >= 0; i--, value /= 10)
        at[i] = (char)('0' + value % 10);
    return at + digits;
}

#endif
