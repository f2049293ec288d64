/* SPDX-License-Identifier: BSD-3-Clause */
/* Time, so that a test can set it. Threads and memory: see clock.h. */
#include "sinkhole/clock.h"

#include <time.h>

static int64_t set_ms; /* 0: the real clocks */

static int64_t clock_ms(clockid_t clock)
{
    struct timespec ts;

    if (set_ms != 0)
        return set_ms;
    clock_gettime(clock, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t sinkhole_now_ms(void)
{
    return clock_ms(CLOCK_REALTIME);
}

int64_t sinkhole_monotonic_ms(void)
{
    return clock_ms(CLOCK_MONOTONIC);
}

void sinkhole_clock_set(int64_t now_ms)
{
    set_ms = now_ms;
}
