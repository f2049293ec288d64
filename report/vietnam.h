/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Vietnam's time: seven hours ahead of UTC all year.
 *
 * Threads: constants. Memory: none.
 */
#ifndef SINKHOLE_REPORT_VIETNAM_H
#define SINKHOLE_REPORT_VIETNAM_H

#define VIETNAM_OFFSET_MS (7 * 3600000LL)
#define VIETNAM_DAY_MS 86400000LL

#endif
