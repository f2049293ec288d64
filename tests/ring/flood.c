/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Asks a resolver as many clients at once and keeps the books: for each client and name how many
 * queries were sent, how many answers came, and how many of these were the sinkhole's.
 *
 * Each client is an address 127.A.B.C with one connected UDP socket and a window of outstanding
 * queries; an answer is matched by its ID and counted even when it comes late. Threads: one, epoll.
 * Memory: bounded by clients x (65,536 IDs + names).
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CLIENTS_MAX 1000
#define NAMES_MAX 2000000
#define PACKET_MAX 4096
#define BATCH 32
#define TIMEOUT_US 1000000
#define GIVEN_UP 1         /* a slot's time when its query timed out: a late answer still counts */
#define HISTOGRAM 4096 /* buckets of 1/16 power of two of microseconds */

struct slot {
    uint32_t name;
    uint64_t sent_us; /* 0: free */
};

struct client {
    int fd;
    struct in_addr address;
    uint16_t next_id;
    unsigned outstanding;
    uint32_t next_name;
    uint64_t sent, answered, sunk;
    struct slot *slots;      /* 65,536, by ID */
    uint32_t *name_answered; /* by name, only with --ledger */
    uint16_t oldest;         /* the oldest ID that may be outstanding */
};

struct flood {
    struct sockaddr_in server;
    unsigned clients, window;
    double seconds, rate;
    uint64_t queries;
    uint16_t qtype;
    bool dnssec_cd, random_order;
    struct in_addr expect;
    bool has_expect;
    uint8_t **names; /* wire forms; first octet of the block is the length */
    uint32_t name_count;
    struct client *client;
    int epoll;
    uint64_t latency[HISTOGRAM];
    uint64_t worst_us;
    FILE *ledger;
    uint64_t seed;
};

static uint64_t now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static void die(const char *what)
{
    fprintf(stderr, "flood: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint8_t *wire_from_text(const char *text)
{
    uint8_t wire[256];
    size_t len = 1, label = 0;
    uint8_t *copy;

    for (const char *p = text;; p++) {
        if (*p == '.' || *p == '\0') {
            wire[label] = (uint8_t)(len - label - 1);
            if (wire[label] == 0)
                break;
            label = len++;
            if (*p == '\0') {
                wire[label] = 0;
                break;
            }
        } else if (len < 254) {
            wire[len++] = (uint8_t)*p;
        }
    }
    copy = malloc(len + 1);
    if (copy == NULL)
        die("memory");
    copy[0] = (uint8_t)len;
    memcpy(copy + 1, wire, len);
    return copy;
}

static void names_read(struct flood *f, const char *path)
{
    FILE *in = fopen(path, "r");
    char line[512];

    if (in == NULL)
        die(path);
    f->names = calloc(NAMES_MAX, sizeof(*f->names));
    while (f->name_count < NAMES_MAX && fgets(line, sizeof(line), in) != NULL) {
        line[strcspn(line, " \t\r\n")] = '\0';
        if (line[0] != '\0')
            f->names[f->name_count++] = wire_from_text(line);
    }
    fclose(in);
    if (f->name_count == 0) {
        fprintf(stderr, "flood: %s: no name in it\n", path);
        exit(2);
    }
}

static void client_open(struct flood *f, struct client *c, unsigned number)
{
    struct sockaddr_in from = {.sin_family = AF_INET};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    int size = 4 << 20;

    /* 127.0.1.1 and up: away from the servers' own address. */
    from.sin_addr.s_addr = htonl(0x7f000100u + number / 250 * 256 + number % 250 + 1);
    c->address = from.sin_addr;
    c->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        die("socket");
    (void)setsockopt(c->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
    if (bind(c->fd, (struct sockaddr *)&from, sizeof(from)) != 0)
        die("bind");
    if (connect(c->fd, (struct sockaddr *)&f->server, sizeof(f->server)) != 0)
        die("connect");
    c->slots = calloc(65536, sizeof(*c->slots));
    if (f->ledger != NULL)
        c->name_answered = calloc(f->name_count, sizeof(*c->name_answered));
    if (c->slots == NULL || (f->ledger != NULL && c->name_answered == NULL))
        die("memory");
    c->next_name = (uint32_t)((uint64_t)number * f->name_count / f->clients);
    if (epoll_ctl(f->epoll, EPOLL_CTL_ADD, c->fd, &event) != 0)
        die("epoll");
}

static size_t query_build(const struct flood *f, uint8_t *buf, uint16_t id, const uint8_t *name)
{
    size_t len = 12;

    memset(buf, 0, 12);
    buf[0] = (uint8_t)(id >> 8);
    buf[1] = (uint8_t)id;
    buf[2] = 1; /* RD */
    buf[3] = f->dnssec_cd ? 0x10 : 0;
    buf[5] = 1;
    buf[11] = 1; /* OPT */
    memcpy(buf + len, name + 1, name[0]);
    len += name[0];
    buf[len++] = (uint8_t)(f->qtype >> 8);
    buf[len++] = (uint8_t)f->qtype;
    buf[len++] = 0;
    buf[len++] = 1;
    memcpy(buf + len, "\0\0\x29\x04\xd0\0\0\0\0\0\0", 11);
    return len + 11;
}

static uint32_t name_next(struct flood *f, struct client *c)
{
    if (f->random_order) {
        f->seed = f->seed * 6364136223846793005u + 1442695040888963407u;
        return (uint32_t)((f->seed >> 33) % f->name_count);
    }
    if (c->next_name >= f->name_count)
        c->next_name = 0;
    return c->next_name++;
}

/* Sends up to `most` queries; returns how many. */
static unsigned client_send(struct flood *f, struct client *c, unsigned most)
{
    static uint8_t packets[BATCH][PACKET_MAX];
    struct mmsghdr message[BATCH];
    struct iovec iov[BATCH];
    uint32_t name[BATCH];
    uint16_t id[BATCH];
    unsigned n = 0;
    int sent;
    uint64_t now = now_us();

    memset(message, 0, sizeof(message));
    while (n < most && n < BATCH) {
        id[n] = (uint16_t)(c->next_id + n);
        if (c->slots[id[n]].sent_us > GIVEN_UP)
            break;
        name[n] = name_next(f, c);
        iov[n].iov_base = packets[n];
        iov[n].iov_len = query_build(f, packets[n], id[n], f->names[name[n]]);
        message[n].msg_hdr.msg_iov = &iov[n];
        message[n].msg_hdr.msg_iovlen = 1;
        n++;
    }
    if (n == 0)
        return 0;
    sent = sendmmsg(c->fd, message, n, 0);
    if (sent <= 0)
        return 0;
    for (unsigned i = 0; i < (unsigned)sent; i++)
        c->slots[id[i]] = (struct slot){.name = name[i], .sent_us = now};
    c->next_id = (uint16_t)(c->next_id + sent);
    c->outstanding += (unsigned)sent;
    c->sent += (unsigned)sent;
    return (unsigned)sent;
}

/* Is the first A record of the answer the expected address? Skips the question and one owner name.
 */
static bool answer_is(const struct flood *f, const uint8_t *buf, size_t len)
{
    size_t at = 12;

    if (!f->has_expect || len < 12 || (buf[6] == 0 && buf[7] == 0))
        return false;
    while (at < len && buf[at] != 0)
        at += 1u + buf[at];
    at += 5;
    if (at < len && (buf[at] & 0xc0) == 0xc0)
        at += 2;
    else
        return false;
    return at + 14 <= len && buf[at + 1] == 1 && memcmp(buf + at + 10, &f->expect, 4) == 0;
}

static void latency_add(struct flood *f, uint64_t us)
{
    unsigned bucket = us < 16 ? (unsigned)us : 0;

    if (us >= 16) {
        unsigned log2 = 63u - (unsigned)__builtin_clzll(us);

        bucket = log2 * 16 + (unsigned)((us >> (log2 - 4)) & 15);
    }
    if (bucket >= HISTOGRAM)
        bucket = HISTOGRAM - 1;
    f->latency[bucket]++;
    if (us > f->worst_us)
        f->worst_us = us;
}

static void client_receive(struct flood *f, struct client *c)
{
    static uint8_t packets[BATCH][PACKET_MAX];
    struct mmsghdr message[BATCH];
    struct iovec iov[BATCH];
    uint64_t now;
    int n;

    memset(message, 0, sizeof(message));
    for (unsigned i = 0; i < BATCH; i++) {
        iov[i] = (struct iovec){packets[i], PACKET_MAX};
        message[i].msg_hdr.msg_iov = &iov[i];
        message[i].msg_hdr.msg_iovlen = 1;
    }
    n = recvmmsg(c->fd, message, BATCH, 0, NULL);
    now = now_us();
    for (int i = 0; i < n; i++) {
        const uint8_t *p = packets[i];
        struct slot *slot = &c->slots[(p[0] << 8) | p[1]];

        if (message[i].msg_len < 12 || (p[2] & 0x80) == 0 || slot->sent_us == 0)
            continue;
        c->answered++;
        if (slot->sent_us != GIVEN_UP) {
            c->outstanding--;
            latency_add(f, now - slot->sent_us);
        }
        if (answer_is(f, p, message[i].msg_len)) {
            c->sunk++;
            if (c->name_answered != NULL)
                c->name_answered[slot->name]++;
        }
        slot->sent_us = 0;
    }
}

/* Gives back the window that unanswered queries hold. */
static void client_expire(struct client *c, uint64_t now)
{
    while (c->oldest != c->next_id) {
        struct slot *slot = &c->slots[c->oldest];

        if (slot->sent_us > GIVEN_UP) {
            if (now - slot->sent_us <= TIMEOUT_US)
                break;
            c->outstanding--;
            slot->sent_us = GIVEN_UP;
        }
        c->oldest++;
    }
}

static void round_receive(struct flood *f, int wait_ms)
{
    struct epoll_event events[64];
    int n = epoll_wait(f->epoll, events, 64, wait_ms);

    for (int i = 0; i < n; i++)
        client_receive(f, events[i].data.ptr);
}

static double flood_run(struct flood *f)
{
    uint64_t start = now_us(), end = start + (uint64_t)(f->seconds * 1e6), sent = 0, now = start;
    uint64_t swept = start;
    unsigned turn = 0;

    while (now < end && (f->queries == 0 || sent < f->queries)) {
        uint64_t before = sent;

        for (unsigned i = 0; i < f->clients; i++) {
            struct client *c = &f->client[turn++ % f->clients];
            uint64_t room = f->window > c->outstanding ? f->window - c->outstanding : 0;

            if (f->queries != 0 && room > f->queries - sent)
                room = f->queries - sent;
            if (f->rate > 0) {
                double due = f->rate * (double)(now - start) / 1e6 - (double)sent;

                if (due < 1)
                    break;
                if ((double)room > due)
                    room = (uint64_t)due;
                if (room > 4)
                    room = 4;
            }
            if (room > 0)
                sent += client_send(f, c, (unsigned)room);
        }
        round_receive(f, sent == before ? 1 : 0);
        now = now_us();
        if (now - swept > 100000) {
            for (unsigned i = 0; i < f->clients; i++)
                client_expire(&f->client[i], now);
            swept = now;
        }
    }
    for (end = now + 2 * TIMEOUT_US; now_us() < end;)
        round_receive(f, 50);
    return (double)(now - start) / 1e6;
}

static uint64_t percentile(const struct flood *f, uint64_t total, double share)
{
    uint64_t seen = 0;

    for (unsigned b = 0; b < HISTOGRAM; b++) {
        seen += f->latency[b];
        if ((double)seen >= share * (double)total && seen > 0)
            return b < 64 ? b : (uint64_t)(16 + b % 16) << (b / 16 - 4);
    }
    return f->worst_us;
}

static void text_from_wire(const uint8_t *wire, char *buf)
{
    size_t at = 0, out = 0;

    while (wire[at] != 0) {
        memcpy(buf + out, wire + at + 1, wire[at]);
        out += wire[at];
        buf[out++] = '.';
        at += 1u + wire[at];
    }
    buf[out > 0 ? out - 1 : 0] = '\0';
}

static void flood_report(struct flood *f, double seconds)
{
    uint64_t sent = 0, answered = 0, sunk = 0;
    char address[INET_ADDRSTRLEN], name[512];

    for (unsigned i = 0; i < f->clients; i++) {
        struct client *c = &f->client[i];

        sent += c->sent;
        answered += c->answered;
        sunk += c->sunk;
        inet_ntop(AF_INET, &c->address, address, sizeof(address));
        for (uint32_t n = 0; f->ledger != NULL && n < f->name_count; n++) {
            if (c->name_answered[n] == 0)
                continue;
            text_from_wire(f->names[n] + 1, name);
            fprintf(f->ledger, "%s %s %u\n", address, name, c->name_answered[n]);
        }
    }
    if (f->ledger != NULL)
        fclose(f->ledger);
    printf("{\"seconds\": %.3f, \"sent\": %llu, \"answered\": %llu, \"unanswered\": %llu, "
           "\"sinkholed\": %llu,"
           " \"qps\": %.0f, \"us_p50\": %llu, \"us_p99\": %llu, \"us_p999\": %llu, \"us_max\": "
           "%llu}\n",
           seconds, (unsigned long long)sent, (unsigned long long)answered,
           (unsigned long long)(sent - answered), (unsigned long long)sunk,
           (double)answered / seconds, (unsigned long long)percentile(f, answered, 0.5),
           (unsigned long long)percentile(f, answered, 0.99),
           (unsigned long long)percentile(f, answered, 0.999), (unsigned long long)f->worst_us);
}

static const char usage[] =
    "usage: flood --port PORT --names FILE [option ...]\n"
    "Asks 127.0.0.1 at PORT as many clients and prints one line of JSON.\n"
    "  --clients N       client addresses, from 127.0.1.1 up [1]\n"
    "  --window N        outstanding queries of each client [32]\n"
    "  --seconds S       how long [5]\n"
    "  --queries N       stop after so many [no limit]\n"
    "  --rate QPS        all clients together [as fast as answers come]\n"
    "  --type NUMBER     query type [1, A]\n"
    "  --random          names in random order [in turn]\n"
    "  --cd              set the CD bit\n"
    "  --expect ADDRESS  the sinkhole's IPv4 address: answers with it are counted apart\n"
    "  --ledger FILE     one line 'client name answers-with-that-address' for each pair\n";

static const struct option options[] = {
    {"port", 1, NULL, 'p'},    {"names", 1, NULL, 'n'},   {"clients", 1, NULL, 'c'},
    {"window", 1, NULL, 'w'},  {"seconds", 1, NULL, 's'}, {"queries", 1, NULL, 'q'},
    {"rate", 1, NULL, 'r'},    {"type", 1, NULL, 't'},    {"random", 0, NULL, 'R'},
    {"cd", 0, NULL, 'C'},      {"expect", 1, NULL, 'e'},  {"ledger", 1, NULL, 'l'},
    {"help", 0, NULL, 'h'},    {NULL, 0, NULL, 0},
};

static void options_read(struct flood *f, int argc, char **argv, const char **ret_names)
{
    int c;

    while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (c) {
        case 'p': f->server.sin_port = htons((uint16_t)atoi(optarg)); break;
        case 'n': *ret_names = optarg; break;
        case 'c': f->clients = (unsigned)atoi(optarg); break;
        case 'w': f->window = (unsigned)atoi(optarg); break;
        case 's': f->seconds = atof(optarg); break;
        case 'q': f->queries = strtoull(optarg, NULL, 10); break;
        case 'r': f->rate = atof(optarg); break;
        case 't': f->qtype = (uint16_t)atoi(optarg); break;
        case 'R': f->random_order = true; break;
        case 'C': f->dnssec_cd = true; break;
        case 'e': f->has_expect = inet_pton(AF_INET, optarg, &f->expect) == 1; break;
        case 'l':
            f->ledger = fopen(optarg, "w");
            if (f->ledger == NULL)
                die(optarg);
            break;
        default: fputs(usage, c == 'h' ? stdout : stderr); exit(c == 'h' ? 0 : 2);
        }
    }
}

int main(int argc, char **argv)
{
    struct flood f = {.clients = 1, .window = 32, .seconds = 5, .qtype = 1, .seed = 42};
    const char *names = NULL;
    double seconds;

    f.server.sin_family = AF_INET;
    f.server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    options_read(&f, argc, argv, &names);
    if (names == NULL || f.server.sin_port == 0 || f.clients == 0 || f.clients > CLIENTS_MAX ||
        f.window == 0 || f.window > 4096) {
        fputs(usage, stderr);
        return 2;
    }
    names_read(&f, names);
    f.epoll = epoll_create1(EPOLL_CLOEXEC);
    f.client = calloc(f.clients, sizeof(*f.client));
    if (f.epoll < 0 || f.client == NULL)
        die("start");
    for (unsigned i = 0; i < f.clients; i++)
        client_open(&f, &f.client[i], i);
    seconds = flood_run(&f);
    flood_report(&f, seconds);
    return 0;
}
