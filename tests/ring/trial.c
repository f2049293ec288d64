/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How long from a publication until the resolver enforces it, and from the withdrawal until the
 * name resolves again; many times, for names that the resolver has in its cache.
 *
 * The clock starts before the publication's first command to Redis. Each trial: ask until the real
 * answer comes from the cache, publish, ask every 2 ms until sinkholed, withdraw, ask until real
 * again. Threads: one. Memory: one number a trial.
 */
#include "config.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <ldns/ldns.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "sinkhole/blocklist.h"

#define TRIALS_MAX 100000
#define DEADLINE_MS 10000.0
#define ASK_TIMEOUT_MS 250

struct trial {
    struct sinkhole_store *store;
    int fd;
    const char *pattern; /* asked: %u is the trial's number */
    const char *listed;  /* published, likewise; NULL: the asked name */
    unsigned first, count, scope;
    bool cd;
    double *enforced_ms, *withdrawn_ms;
    unsigned stale; /* real answers after the first sinkholed one */
};

enum seen { SEEN_NOTHING, SEEN_REAL, SEEN_SINKHOLED };

static double now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static enum seen answer_seen(const uint8_t *wire, size_t len, uint16_t id)
{
    enum seen seen = SEEN_NOTHING;
    ldns_rr_list *answer;
    ldns_pkt *packet;

    if (ldns_wire2pkt(&packet, wire, len) != LDNS_STATUS_OK)
        return SEEN_NOTHING;
    answer = ldns_pkt_answer(packet);
    for (size_t i = 0; ldns_pkt_id(packet) == id && i < ldns_rr_list_rr_count(answer); i++) {
        ldns_rr *rr = ldns_rr_list_rr(answer, i);

        if (ldns_rr_get_type(rr) == LDNS_RR_TYPE_A) {
            const uint8_t *address = ldns_rdf_data(ldns_rr_rdf(rr, 0));

            seen = address[0] == 192 ? SEEN_SINKHOLED : SEEN_REAL;
        }
    }
    ldns_pkt_free(packet);
    return seen;
}

static enum seen trial_ask(struct trial *t, const char *name)
{
    uint16_t flags = (uint16_t)(LDNS_RD | (t->cd ? LDNS_CD : 0));
    uint8_t *wire, buf[4096];
    size_t wire_len;
    ldns_pkt *packet;
    enum seen seen = SEEN_NOTHING;
    double until = now_ms() + ASK_TIMEOUT_MS;
    uint16_t id;

    if (ldns_pkt_query_new_frm_str(&packet, name, LDNS_RR_TYPE_A, LDNS_RR_CLASS_IN, flags) !=
        LDNS_STATUS_OK)
        return SEEN_NOTHING;
    ldns_pkt_set_random_id(packet);
    id = ldns_pkt_id(packet);
    if (ldns_pkt2wire(&wire, packet, &wire_len) == LDNS_STATUS_OK) {
        if (send(t->fd, wire, wire_len, 0) < 0)
            perror("trial: send");
        while (seen == SEEN_NOTHING && now_ms() < until) {
            ssize_t n = recv(t->fd, buf, sizeof(buf), 0);

            if (n > 0)
                seen = answer_seen(buf, (size_t)n, id);
        }
        free(wire);
    }
    ldns_pkt_free(packet);
    return seen;
}

/* Milliseconds since `start` until the answer is `wanted`; negative: never. */
static double trial_wait(struct trial *t, const char *name, enum seen wanted, double start)
{
    while (now_ms() - start < DEADLINE_MS) {
        if (trial_ask(t, name) == wanted)
            return now_ms() - start;
        usleep(2000);
    }
    return -1;
}

static void name_format(char *buf, size_t size, const char *pattern, unsigned number)
{
    const char *mark = strstr(pattern, "%u");

    if (mark == NULL)
        snprintf(buf, size, "%s", pattern);
    else
        snprintf(buf, size, "%.*s%u%s", (int)(mark - pattern), pattern, number, mark + 2);
}

/* Publishes or withdraws one name; the rule's id is kept between the two. */
static bool trial_publish(struct trial *t, const char *name, uint32_t *rule)
{
    struct sinkhole_change *change = NULL;
    struct sinkhole_batch batch = {.rule.scope = (uint8_t)t->scope, .rule.confidence = 90};
    struct sinkhole_name wire;
    struct sinkhole_key key;
    enum sinkhole_store_status status;
    uint64_t generation;
    bool add = *rule == 0;

    if (sinkhole_name_from_text(name, strlen(name), &wire) != SINKHOLE_NAME_OK ||
        !sinkhole_key_from_name(&wire, &key))
        return false;
    snprintf(batch.feed, sizeof(batch.feed), "trial");
    snprintf(batch.who, sizeof(batch.who), "trial");
    status = sinkhole_change_new(t->store, "trial", &change);
    if (status == SINKHOLE_STORE_OK && add)
        status = sinkhole_change_batch(change, &batch);
    if (status == SINKHOLE_STORE_OK)
        status = add ? sinkhole_change_add(change, key.text, key.len, batch.rule.id)
                     : sinkhole_change_remove(change, key.text, key.len, *rule);
    if (status == SINKHOLE_STORE_OK)
        status = sinkhole_change_publish(change, NULL, NULL, &generation);
    sinkhole_change_free(change);
    if (status != SINKHOLE_STORE_OK)
        fprintf(stderr, "trial: %s: %s\n", name, sinkhole_store_error(t->store));
    *rule = add ? batch.rule.id : 0;
    return status == SINKHOLE_STORE_OK;
}

static bool trial_run(struct trial *t, unsigned number)
{
    char asked[256], listed[256];
    uint32_t rule = 0;
    double start;

    name_format(asked, sizeof(asked), t->pattern, t->first + number);
    name_format(listed, sizeof(listed), t->listed != NULL ? t->listed : t->pattern,
                t->first + number);
    if (trial_wait(t, asked, SEEN_REAL, now_ms()) < 0 || trial_ask(t, asked) != SEEN_REAL) {
        fprintf(stderr, "trial: %s does not resolve before it is listed\n", asked);
        return false;
    }
    start = now_ms();
    if (!trial_publish(t, listed, &rule))
        return false;
    t->enforced_ms[number] = trial_wait(t, asked, SEEN_SINKHOLED, start);
    for (unsigned i = 0; i < 5; i++)
        t->stale += trial_ask(t, asked) == SEEN_REAL;
    start = now_ms();
    if (!trial_publish(t, listed, &rule))
        return false;
    t->withdrawn_ms[number] = trial_wait(t, asked, SEEN_REAL, start);
    if (t->enforced_ms[number] < 0 || t->withdrawn_ms[number] < 0)
        fprintf(stderr, "trial: %s: %s within %.0f s\n", asked,
                t->enforced_ms[number] < 0 ? "not sinkholed" : "does not resolve again",
                DEADLINE_MS / 1e3);
    return t->enforced_ms[number] >= 0 && t->withdrawn_ms[number] >= 0;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void figures_print(const char *what, double *ms, unsigned n)
{
    qsort(ms, n, sizeof(*ms), by_value);
    printf("\"%s_ms_p50\": %.1f, \"%s_ms_p99\": %.1f, \"%s_ms_max\": %.1f, ", what, ms[n / 2], what,
           ms[n - 1 - n / 100], what, ms[n - 1]);
}

static bool feed_ready(struct sinkhole_store *store)
{
    struct sinkhole_feed feed = {.policy = {.action = SINKHOLE_ACTION_ADDRESS,
                                            .rank = 500,
                                            .ttl_s = 10,
                                            .has_v4 = 1,
                                            .v4 = {192, 0, 2, 53}}};

    snprintf(feed.policy.feed, sizeof(feed.policy.feed), "trial");
    if (sinkhole_feed_put(store, &feed) == SINKHOLE_STORE_OK)
        return true;
    fprintf(stderr, "trial: %s\n", sinkhole_store_error(store));
    return false;
}

static int socket_open(const char *port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    struct timeval timeout = {.tv_usec = ASK_TIMEOUT_MS * 1000};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) != 0 ||
        connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
        perror("trial: socket");
        exit(1);
    }
    return fd;
}

static const char usage[] =
    "usage: trial --config SETTINGS --port PORT --ask PATTERN [option ...]\n"
    "Publishes a name, waits until it is enforced, withdraws it; prints one line of JSON.\n"
    "  --ask PATTERN    the name asked, %u is the trial's number\n"
    "  --list PATTERN   the name listed [the asked one]\n"
    "  --scope N        0 exact, 1 below, 2 subtree [2]\n"
    "  --trials N       [200]\n"
    "  --first N        the first trial's number [0]\n"
    "  --cd             ask with the CD bit\n";

static const struct option options[] = {
    {"config", 1, NULL, 'c'}, {"port", 1, NULL, 'p'},   {"ask", 1, NULL, 'a'},
    {"list", 1, NULL, 'l'},   {"trials", 1, NULL, 't'}, {"scope", 1, NULL, 's'},
    {"cd", 0, NULL, 'C'},     {"first", 1, NULL, 'f'},  {"help", 0, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static int trials_run(struct trial *t)
{
    unsigned done = 0;

    t->enforced_ms = calloc(t->count, sizeof(double));
    t->withdrawn_ms = calloc(t->count, sizeof(double));
    if (t->enforced_ms == NULL || t->withdrawn_ms == NULL)
        return 1;
    while (done < t->count && trial_run(t, done))
        done++;
    if (done == 0)
        return 1;
    printf("{");
    figures_print("enforced", t->enforced_ms, done);
    figures_print("withdrawn", t->withdrawn_ms, done);
    printf("\"trials\": %u, \"asked_for\": %u, \"stale_after\": %u}\n", done, t->count, t->stale);
    return done == t->count && t->stale == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct trial t = {.count = 200, .scope = SINKHOLE_SCOPE_SUBTREE};
    const char *config = NULL, *port = NULL;
    char error[SINKHOLE_SETTINGS_ERROR_MAX];
    struct sinkhole_settings *settings;
    int c;

    while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (c) {
        case 'c': config = optarg; break;
        case 'p': port = optarg; break;
        case 'a': t.pattern = optarg; break;
        case 'l': t.listed = optarg; break;
        case 't': t.count = (unsigned)atoi(optarg); break;
        case 's': t.scope = (unsigned)atoi(optarg); break;
        case 'f': t.first = (unsigned)atoi(optarg); break;
        case 'C': t.cd = true; break;
        default: fputs(usage, c == 'h' ? stdout : stderr); return c == 'h' ? 0 : 2;
        }
    }
    if (t.pattern == NULL || port == NULL || t.count == 0 || t.count > TRIALS_MAX) {
        fputs(usage, stderr);
        return 2;
    }
    settings = sinkhole_settings_load(config, error);
    if (settings == NULL || (t.store = sinkhole_store_new(settings)) == NULL) {
        fprintf(stderr, "trial: %s\n", error);
        return 2;
    }
    t.fd = socket_open(port);
    return feed_ready(t.store) ? trials_run(&t) : 1;
}
