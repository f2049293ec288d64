/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How far two words are apart, for "did you mean".
 *
 * Threads: pure. Memory: one row on the stack.
 */
#include "sinkhole/text.h"

#include <string.h>

unsigned sinkhole_edit_distance(const char *a, const char *b)
{
    unsigned row[64];
    size_t len = strlen(b);

    if (len >= 63 || strlen(a) >= 63)
        return 63;
    for (unsigned j = 0; j <= len; j++)
        row[j] = j;
    for (unsigned i = 0; a[i] != '\0'; i++) {
        unsigned diagonal = row[0];

        row[0] = i + 1;
        for (unsigned j = 0; j < len; j++) {
            unsigned best = diagonal + (a[i] != b[j]);

            diagonal = row[j + 1];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (diagonal + 1 < best)
                best = diagonal + 1;
            row[j + 1] = best;
        }
    }
    return row[len];
}
