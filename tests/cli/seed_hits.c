/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * seed_hits SOCKET COUNT UNITS HOURS: puts COUNT hits of 40 machines in each of UNITS units
 * (10.x.y.0/24), over the last HOURS hours, into Redis as the shipper would, on two resolvers with
 * two lanes each; prints the units file.
 *
 * Threads: one. Memory: one pipeline of commands.
 */
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sinkhole/clock.h"
#include "sinkhole/hit.h"
#include "sinkhole/text.h"
#include "store/store_keys.h"

#define MACHINES 40
#define NAMES 1000
#define NAMES_OF_MACHINE 3
#define PIPELINE 500

static redisContext *redis;
static unsigned pending;
static uint64_t state = 88172645463325252u; /* the same hits each time */

static uint64_t random_below(uint64_t n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % n;
}

static void settle(unsigned leave)
{
    for (; pending > leave; pending--) {
        void *reply = NULL;

        if (redisGetReply(redis, &reply) != REDIS_OK ||
            ((redisReply *)reply)->type == REDIS_REPLY_ERROR) {
            fprintf(stderr, "seed_hits: %s\n",
                    reply != NULL ? ((redisReply *)reply)->str : redis->errstr);
            exit(1);
        }
        freeReplyObject(reply);
    }
}

static void fill(struct sinkhole_hit *hit, unsigned units, int64_t ms)
{
    unsigned unit = (unsigned)random_below(units), machine = (unsigned)random_below(MACHINES);
    unsigned name = (unit * 7 + machine * 31 + (unsigned)random_below(NAMES_OF_MACHINE)) % NAMES;
    char text[64];

    *hit = (struct sinkhole_hit){.time_ms = ms,
                                 .count = 1 + (uint32_t)random_below(3),
                                 .rule = 1,
                                 .generation = 1,
                                 .qtype = random_below(2) == 0 ? 1 : 28,
                                 .qclass = 1,
                                 .port = (uint16_t)(1024 + random_below(60000)),
                                 .action = SINKHOLE_ACTION_ADDRESS};
    hit->client = (struct sinkhole_address){
        .family = 4,
        .octets = {10, (uint8_t)(unit / 250), (uint8_t)(unit % 250), (uint8_t)(machine + 1)}};
    snprintf(text, sizeof text, "c2-%u.malware.example", name);
    sinkhole_text_name(text, strlen(text), &hit->indicator);
    snprintf(text, sizeof text, "www.c2-%u.malware.example", name);
    sinkhole_text_name(text, strlen(text), &hit->qname);
}

int main(int argc, char **argv)
{
    uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000;
    unsigned units = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 5;
    int64_t span_ms = (argc > 4 ? strtoll(argv[4], NULL, 10) : 24) * 3600000;
    int64_t start_ms = sinkhole_now_ms() - span_ms;
    char key[SINKHOLE_REDIS_KEY_MAX];

    redis = argc > 1 ? redisConnectUnix(argv[1]) : NULL;
    if (redis == NULL || redis->err != 0) {
        fprintf(stderr, "seed_hits: %s\n", redis != NULL ? redis->errstr : "no socket");
        return 1;
    }
    for (uint64_t i = 0; i < count; i++) {
        const char *resolver = i % 2 == 0 ? "r1" : "r2";
        unsigned lane = (unsigned)(i / 2 % 2);
        uint8_t encoded[SINKHOLE_HIT_ENCODED_MAX];
        struct sinkhole_hit hit;
        size_t len;

        /* times rise within a stream; the last minute is left out */
        fill(&hit, units,
             start_ms + (int64_t)((double)i / (double)count * (double)(span_ms - 60000)));
        len = sinkhole_hit_encode(&hit, encoded, sizeof encoded);
        snprintf(key, sizeof key, SINKHOLE_REDIS_HITS_F, resolver, lane);
        redisAppendCommand(redis, "XADD %s %" PRId64 "-%" PRIu64 " h %b n %u", key, start_ms, i + 1,
                           encoded, len, hit.count);
        if (++pending == PIPELINE)
            settle(PIPELINE / 2);
    }
    for (int i = 0; i < 4; i++, pending++) {
        snprintf(key, sizeof key, SINKHOLE_REDIS_SHIP_F, i % 2 == 0 ? "r1" : "r2");
        redisAppendCommand(redis, "HSET %s %d:00112233445566778899aabbccddeeff 0-0", key, i / 2);
    }
    redisAppendCommand(redis, "ZADD %s 1 r1 1 r2", SINKHOLE_REDIS_RESOLVERS);
    pending++;
    settle(0);
    redisFree(redis);
    puts("unit_id,name,prefixes,contact,phone");
    for (unsigned i = 0; i < units; i++)
        printf("unit-%u,Đơn vị %u,10.%u.%u.0/24,Bà An,024 %u\n", i, i, i / 250, i % 250, i);
    return 0;
}
