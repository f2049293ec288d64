/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Hits to write, and a folder to write them in. Threads: none. Memory: the folder is the caller's
 * to remove.
 */
#ifndef SINKHOLE_TESTS_JOURNAL_SAMPLE_H
#define SINKHOLE_TESTS_JOURNAL_SAMPLE_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* nftw */
#endif

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/journal_format.h"

#define SAMPLE_TIME_MS (INT64_C(1988888889) * RECORD_WINDOW_MS) /* in 2026, a window's beginning */

static inline struct sinkhole_name sample_name(const char *text)
{
    struct sinkhole_name name;

    assert_int_equal(sinkhole_name_from_text(text, strlen(text), &name), SINKHOLE_NAME_OK);
    return name;
}

/* A look-up of www.<listed> by client 10.x.y.z, whose number is `client`. */
static inline struct sinkhole_hit sample_hit(uint32_t client, int64_t time_ms)
{
    return (struct sinkhole_hit){
        .time_ms = time_ms,
        .count = 1,
        .rule = 7,
        .generation = 42,
        .client = {.family = 4,
                   .octets = {10, (uint8_t)(client >> 16), (uint8_t)(client >> 8),
                              (uint8_t)client}},
        .port = 40000,
        .qtype = 1,
        .qclass = 1,
        .transport = SINKHOLE_TRANSPORT_UDP,
        .action = SINKHOLE_ACTION_ADDRESS,
        .answer = {.family = 4, .octets = {192, 0, 2, 1}},
        .qname = sample_name("www.dload01.s102.xrp.evil.example"),
        .indicator = sample_name("xrp.evil.example"),
    };
}

static inline uint32_t sample_client(const struct sinkhole_hit *hit)
{
    return (uint32_t)hit->client.octets[1] << 16 | (uint32_t)hit->client.octets[2] << 8 |
           hit->client.octets[3];
}

static inline void sample_dir_make(char dir[64])
{
    const char *base = getenv("TMPDIR");

    snprintf(dir, 64, "%.40s/sinkhole-XXXXXX", base != NULL ? base : "/tmp");
    assert_non_null(mkdtemp(dir));
}

static inline int sample_remove(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

static inline void sample_dir_remove(const char *dir)
{
    nftw(dir, sample_remove, 16, FTW_DEPTH | FTW_PHYS);
}

#endif
