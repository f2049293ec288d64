/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The small figures that bench.sh asks for, each a subcommand that prints one line of JSON.
 *
 * Threads: one. Memory: what the measured part takes.
 */
#include "config.h"

#include <arpa/inet.h>
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "sinkhole/clock.h"
#include "sinkhole/hits.h"
#include "sinkhole/index.h"
#include "sinkhole/journal.h"
#include "sinkhole/settings.h"
#include "store/store_keys.h"

static double now_s(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int fail(const char *what, const char *why)
{
    fprintf(stderr, "micro: %s: %s\n", what, why);
    return 1;
}

/* info DIR: what the index holds and costs. */
static int run_info(char **argv)
{
    struct sinkhole_index_info info;
    struct sinkhole_index *index;
    enum sinkhole_index_status status = sinkhole_index_open(argv[0], &index);
    double names;

    if (status != SINKHOLE_INDEX_OK)
        return fail(argv[0], sinkhole_index_status_text(status));
    sinkhole_index_info(index, &info);
    names = (double)(info.base_names + info.delta_names);
    printf("{\"generation\": %" PRIu64 ", \"names\": %.0f, \"hot_bytes_a_name\": %.3f, "
           "\"bytes_a_name\": %.3f, \"rules\": %" PRIu32 "}\n",
           info.generation, names, (double)info.bytes_hot / names, (double)info.bytes_total / names,
           info.rules);
    sinkhole_index_close(index);
    return 0;
}

/* find DIR FILE: nanoseconds a look-up, over the file's names again and again. */
static int run_find(char **argv)
{
    struct sinkhole_index *index;
    struct sinkhole_name *names = calloc(1000000, sizeof(*names));
    FILE *in = fopen(argv[1], "r");
    size_t count = 0, found = 0, rounds = 0;
    char line[512];
    double start, end;

    if (names == NULL || in == NULL || sinkhole_index_open(argv[0], &index) != SINKHOLE_INDEX_OK)
        return fail(argv[1], "no index or no names");
    while (count < 1000000 && fgets(line, sizeof(line), in) != NULL) {
        line[strcspn(line, "\r\n")] = '\0';
        count += sinkhole_name_from_text(line, strlen(line), &names[count]) == SINKHOLE_NAME_OK;
    }
    fclose(in);
    if (count == 0)
        return fail(argv[1], "no names in it");
    start = now_s();
    do {
        for (size_t i = 0; i < count; i++) {
            struct sinkhole_match match;

            found += sinkhole_index_find(index, names[i].wire, names[i].wire_len, 1, &match);
        }
        rounds++;
        end = now_s();
    } while (end - start < 1);
    printf("{\"names\": %zu, \"found\": %zu, \"ns\": %.0f}\n", count, found / rounds,
           (end - start) * 1e9 / (double)(count * rounds));
    sinkhole_index_close(index);
    free(names);
    return 0;
}

static void hit_make(struct sinkhole_hit *hit, unsigned number, int64_t time_ms)
{
    char name[64];

    memset(hit, 0, sizeof(*hit));
    hit->time_ms = time_ms;
    hit->count = 1;
    hit->rule = 1;
    hit->generation = 7;
    hit->client.family = 4;
    hit->client.octets[0] = 10;
    hit->client.octets[1] = (uint8_t)(number >> 16);
    hit->client.octets[2] = (uint8_t)(number >> 8);
    hit->client.octets[3] = (uint8_t)number;
    hit->port = 40000;
    hit->qtype = 1;
    hit->qclass = 1;
    hit->action = SINKHOLE_ACTION_ADDRESS;
    snprintf(name, sizeof(name), "www.bot%u.some-c2-name.net", number % 1000);
    (void)sinkhole_name_from_text(name, strlen(name), &hit->qname);
    hit->indicator = hit->qname;
}

static int journal_fill(const char *dir, unsigned count)
{
    struct sinkhole_journal *journal;
    struct sinkhole_lane *lane;
    struct sinkhole_hit hit;
    enum sinkhole_journal_status status;
    unsigned lost = 0;
    int64_t now = sinkhole_now_ms();

    (void)mkdir(dir, 0755);
    status = sinkhole_journal_open(dir, 1, (uint64_t)4 << 30, &journal);
    if (status != SINKHOLE_JOURNAL_OK)
        return fail(dir, sinkhole_journal_status_text(status));
    lane = sinkhole_journal_lane(journal, 0);
    hit_make(&hit, 1, now);
    for (unsigned i = 0; i < count; i++) {
        /* Distinct clients, so that each is a record of its own. */
        hit.client.octets[1] = (uint8_t)(i >> 16);
        hit.client.octets[2] = (uint8_t)(i >> 8);
        hit.client.octets[3] = (uint8_t)i;
        lost += !sinkhole_lane_append(lane, &hit);
        if (i % 5000 == 4999)
            (void)sinkhole_journal_tend(journal);
    }
    sinkhole_journal_close(journal);
    printf("{\"hits\": %u, \"lost\": %u}\n", count - lost, lost);
    return lost == 0 ? 0 : 1;
}

/* append DIR N, fill DIR N: a journal of N records (append is what callgrind counts). */
static int run_fill(char **argv)
{
    return journal_fill(argv[0], (unsigned)atoi(argv[1]));
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static int udp_open(const char *port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    struct timeval timeout = {.tv_sec = 1};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) != 0 ||
        connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0)
        return -1;
    return fd;
}

static size_t query_make(uint8_t *buf, const struct sinkhole_name *name)
{
    static const uint8_t head[12] = {0x12, 0x34, 1, 0, 0, 1};

    memcpy(buf, head, 12);
    memcpy(buf + 12, name->wire, name->wire_len);
    memcpy(buf + 12 + name->wire_len, "\0\1\0\1", 4);
    return 16u + name->wire_len;
}

/* Entries in all of the resolver's hit streams. */
static long long stored_count(redisContext *redis, const char *pattern)
{
    redisReply *keys = redisCommand(redis, "KEYS %s", pattern);
    long long total = 0;

    for (size_t i = 0; keys != NULL && keys->type == REDIS_REPLY_ARRAY && i < keys->elements; i++) {
        redisReply *len = redisCommand(redis, "XLEN %s", keys->element[i]->str);

        total += len != NULL && len->type == REDIS_REPLY_INTEGER ? len->integer : 0;
        if (len != NULL)
            freeReplyObject(len);
    }
    if (keys != NULL)
        freeReplyObject(keys);
    return total;
}

/* latency SETTINGS PORT PATTERN N: from the answer's arrival until its hit is in Redis. */
static int run_latency(char **argv)
{
    char error[SINKHOLE_SETTINGS_ERROR_MAX], text[256];
    struct sinkhole_settings *settings = sinkhole_settings_load(argv[0], error);
    unsigned count = (unsigned)atoi(argv[3]);
    double *ms = calloc(count, sizeof(*ms));
    int fd = udp_open(argv[1]);
    redisContext *redis;

    if (settings == NULL || ms == NULL || fd < 0)
        return fail(argv[0], settings == NULL ? error : "no socket");
    redis = redisConnectUnix(settings->redis_socket);
    if (redis == NULL || redis->err != 0)
        return fail(settings->redis_socket, "cannot connect");
    for (unsigned i = 0; i < count; i++) {
        uint8_t packet[512];
        struct sinkhole_name name;
        const char *mark = strstr(argv[2], "%u");
        long long before = stored_count(redis, "sinkhole:hits:*");
        double start;

        snprintf(text, sizeof(text), "%.*s%u%s", (int)(mark - argv[2]), argv[2], i, mark + 2);
        if (sinkhole_name_from_text(text, strlen(text), &name) != SINKHOLE_NAME_OK ||
            send(fd, packet, query_make(packet, &name), 0) < 0 || recv(fd, packet, 512, 0) < 12)
            return fail(text, "no answer");
        start = now_s();
        while (stored_count(redis, "sinkhole:hits:*") == before && now_s() - start < 10)
            usleep(500);
        ms[i] = (now_s() - start) * 1e3;
    }
    qsort(ms, count, sizeof(*ms), by_value);
    printf("{\"ms_p50\": %.2f, \"ms_p99\": %.2f, \"ms_max\": %.2f}\n", ms[count / 2],
           ms[count - 1 - count / 100], ms[count - 1]);
    redisFree(redis);
    sinkhole_settings_free(settings);
    free(ms);
    return 0;
}

/* hits SETTINGS N UNITS FILE: N hits in Redis of the clients of so many units, and the units file.
 */
static int run_hits(char **argv)
{
    char error[SINKHOLE_SETTINGS_ERROR_MAX], key[128];
    struct sinkhole_settings *settings = sinkhole_settings_load(argv[0], error);
    unsigned count = (unsigned)atoi(argv[1]), units = (unsigned)atoi(argv[2]);
    FILE *out = fopen(argv[3], "w");
    redisContext *redis;
    int64_t now = sinkhole_now_ms();

    if (settings == NULL || out == NULL || units == 0)
        return fail(argv[0], settings == NULL ? error : "units file");
    fprintf(out, "unit_id,name,prefixes,contact,head,email,phone,language\n");
    for (unsigned i = 0; i < units; i++)
        fprintf(out, "U%03u,Don vi %u,10.%u.%u.0/24,,,u%u@example.vn,,vi\n", i, i, i / 256, i % 256,
                i);
    fclose(out);
    redis = redisConnectUnix(settings->redis_socket);
    if (redis == NULL || redis->err != 0)
        return fail(settings->redis_socket, "cannot connect");
    /* As a resolver's shipper makes itself known. */
    snprintf(key, sizeof(key), SINKHOLE_REDIS_SHIP_F, settings->resolver_name);
    freeReplyObject(redisCommand(redis, "HSET %s 0:bench 0", key));
    freeReplyObject(redisCommand(redis, "ZADD " SINKHOLE_REDIS_RESOLVERS " 1 %s",
                                 settings->resolver_name));
    snprintf(key, sizeof(key), SINKHOLE_REDIS_HITS_F, settings->resolver_name, 0u);
    for (unsigned i = 0; i < count; i++) {
        uint8_t value[SINKHOLE_HIT_ENCODED_MAX];
        char id[48];
        struct sinkhole_hit hit;
        redisReply *reply;
        size_t len;

        hit_make(&hit, i % units * 256 + i / units % 40 + 1, now - (int64_t)(count - i) * 60);
        len = sinkhole_hit_encode(&hit, value, sizeof(value));
        snprintf(id, sizeof(id), "%" PRId64 "-%u", now - 90000000, i + 1);
        redisAppendCommand(redis, "XADD %s %s h %b n 1", key, id,
                           (const void *)value, len);
        if (i % 1000 == 999 || i + 1 == count) {
            for (unsigned k = 0; k < i % 1000 + 1; k++) {
                if (redisGetReply(redis, (void **)&reply) != REDIS_OK ||
                    reply->type == REDIS_REPLY_ERROR)
                    return fail(key, "XADD refused");
                freeReplyObject(reply);
            }
        }
    }
    redisFree(redis);
    sinkhole_settings_free(settings);
    printf("{\"hits\": %u, \"units\": %u}\n", count, units);
    return 0;
}

static const struct {
    const char *name;
    int (*run)(char **argv);
    int words;
} commands[] = {
    {"info", run_info, 1},       {"find", run_find, 2}, {"append", run_fill, 2},
    {"fill", run_fill, 2},       {"latency", run_latency, 4}, {"hits", run_hits, 4},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++)
        if (strcmp(argv[1], commands[i].name) == 0 && argc - 2 == commands[i].words)
            return commands[i].run(argv + 2);
    fputs("usage: micro info DIR | find DIR FILE | append DIR N | fill DIR N |\n"
          "       latency SETTINGS PORT PATTERN N | hits SETTINGS N UNITS FILE\n",
          stderr);
    return 2;
}
