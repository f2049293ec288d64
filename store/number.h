/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Numbers as Redis holds them: decimal text, checked. Threads: pure functions. Memory: none.
 */
#ifndef SINKHOLE_NUMBER_H
#define SINKHOLE_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Digits only, no leading zero but "0" itself, at most `max`. */
static inline bool sinkhole_number_parse(const char *text, size_t len, uint64_t max,
                                         uint64_t *ret_number)
{
    uint64_t number = 0;

    if (len == 0 || len > 20 || (text[0] == '0' && len > 1))
        return false;
    for (size_t i = 0; i < len; i++) {
        unsigned digit = (unsigned)(unsigned char)text[i] - '0';

        if (digit > 9 || number > (max - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    *ret_number = number;
    return true;
}

#endif
