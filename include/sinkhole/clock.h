/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Time, so that a test can set it. Threads: sinkhole_clock_set is for tests with one thread.
 */
#ifndef SINKHOLE_CLOCK_H
#define SINKHOLE_CLOCK_H

#include <stdint.h>

int64_t sinkhole_now_ms(void);       /* Unix ms, CLOCK_REALTIME */
int64_t sinkhole_monotonic_ms(void); /* CLOCK_MONOTONIC */
/* From now on both clocks say this; 0 gives the real ones back. Tests only. */
void sinkhole_clock_set(int64_t now_ms);

#endif
