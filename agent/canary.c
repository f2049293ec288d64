/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The canary, asked through the resolver.
 *
 * One round is up to TRIES questions, TRY_MS apart; its verdict is a right answer, a wrong one, or
 * none. Two rounds in a row that are not OK raise the alarm; after a bad round the next comes soon.
 *
 * Threads: the event loop's. Memory: see canary.h.
 */
#include "agent/canary.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ldns/ldns.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "agent/log.h"

#define TRIES 3
#define TRY_MS 1000
#define SOON_S 5 /* after a bad round, unless canary_every_s is shorter */
#define BAD_ROUNDS 2

struct agent_canary {
    const struct sinkhole_settings *settings;
    struct agent_alarms *alarms;
    void (*changed)(void *arg);
    void *arg;
    struct event_base *loop;
    struct event *timer;  /* next round, or the next try of this one */
    struct event *answer; /* NULL: no question is out */
    int fd;
    uint16_t id;
    unsigned tries;
    unsigned bad; /* rounds in a row that were not OK */
    bool started;
    int64_t asked_us;
    uint64_t latency_us;
    enum agent_canary_state state;
    struct sockaddr_storage where;
    socklen_t where_len;
};

const char *agent_canary_state_text(enum agent_canary_state state)
{
    switch (state) {
    case AGENT_CANARY_UNKNOWN:
        return "unknown";
    case AGENT_CANARY_OK:
        return "ok";
    case AGENT_CANARY_NOT_SINKHOLED:
        return "not-sinkholed";
    case AGENT_CANARY_NO_ANSWER:
        return "no-answer";
    }
    return "?";
}

void agent_canary_rule(uint16_t feed, struct sinkhole_rule *ret_rule)
{
    *ret_rule = (struct sinkhole_rule){.id = SINKHOLE_RULE_CANARY,
                                       .feed = feed,
                                       .scope = SINKHOLE_SCOPE_EXACT,
                                       .action = SINKHOLE_ACTION_INHERIT};
}

void agent_canary_policy(struct sinkhole_policy *ret_policy)
{
    *ret_policy = (struct sinkhole_policy){.feed = AGENT_CANARY_FEED,
                                           .kind = SINKHOLE_FEED_BLOCK,
                                           .action = SINKHOLE_ACTION_ADDRESS,
                                           .rank = 1000,
                                           .ttl_s = 0,
                                           .ede_code = 15,
                                           .has_v4 = 1,
                                           .v4 = AGENT_CANARY_V4,
                                           .ede_text = "canary of the sinkhole"};
}

static int64_t canary_now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void canary_arm(struct agent_canary *canary, uint64_t wait_ms)
{
    struct timeval tv = {(time_t)(wait_ms / 1000), (suseconds_t)(wait_ms % 1000 * 1000)};

    event_add(canary->timer, &tv);
}

static void canary_hang_up(struct agent_canary *canary)
{
    if (canary->answer != NULL)
        event_free(canary->answer);
    canary->answer = NULL;
    if (canary->fd >= 0)
        close(canary->fd);
    canary->fd = -1;
}

static void canary_tell(struct agent_canary *canary, enum agent_canary_state state)
{
    const struct sinkhole_settings *s = canary->settings;

    if (state == AGENT_CANARY_OK)
        agent_alarm_set(canary->alarms, SINKHOLE_ALARM, "canary-failed", false,
                        "%s is sinkholed again by the resolver at %s port %u", s->resolver_canary,
                        s->resolver_address, (unsigned)s->resolver_port);
    else if (canary->bad >= BAD_ROUNDS)
        agent_alarm_set(canary->alarms, SINKHOLE_ALARM, "canary-failed", true,
                        state == AGENT_CANARY_NO_ANSWER
                            ? "no answer for %s from the resolver at %s port %u"
                            : "%s is not sinkholed by the resolver at %s port %u: is the module "
                              "loaded, does it have the index?",
                        s->resolver_canary, s->resolver_address, (unsigned)s->resolver_port);
}

static void canary_round_over(struct agent_canary *canary, enum agent_canary_state state)
{
    uint64_t every_s = canary->settings->resolver_canary_every_s;
    bool changed;

    canary_hang_up(canary);
    canary->tries = 0;
    canary->bad = state == AGENT_CANARY_OK ? 0 : canary->bad + 1;
    /* One bad round may be a reload; the state tells what was seen, the alarm waits for a second.
     */
    changed = state != canary->state;
    canary->state = state;
    canary_tell(canary, state);
    if (state != AGENT_CANARY_OK && every_s > SOON_S)
        every_s = SOON_S;
    canary_arm(canary, every_s * 1000);
    if (changed && canary->changed != NULL)
        canary->changed(canary->arg);
}

/* True when the answer section holds exactly the canary's address. */
static bool canary_has_address(const ldns_pkt *packet)
{
    static const uint8_t wanted[4] = AGENT_CANARY_V4;
    const ldns_rr_list *answer = ldns_pkt_answer(packet);
    const ldns_rr *rr;

    if (answer == NULL || ldns_rr_list_rr_count(answer) != 1)
        return false;
    rr = ldns_rr_list_rr(answer, 0);
    return ldns_rr_get_type(rr) == LDNS_RR_TYPE_A && ldns_rr_rd_count(rr) == 1 &&
           ldns_rdf_size(ldns_rr_rdf(rr, 0)) == sizeof(wanted) &&
           memcmp(ldns_rdf_data(ldns_rr_rdf(rr, 0)), wanted, sizeof(wanted)) == 0;
}

static bool canary_is_question(const ldns_pkt *packet, const char *name)
{
    const ldns_rr_list *question = ldns_pkt_question(packet);
    ldns_rdf *wanted;
    const ldns_rr *rr;
    bool same;

    if (question == NULL || ldns_rr_list_rr_count(question) != 1)
        return false;
    rr = ldns_rr_list_rr(question, 0);
    wanted = ldns_dname_new_frm_str(name);
    if (wanted == NULL)
        return false;
    same = ldns_rr_get_type(rr) == LDNS_RR_TYPE_A &&
           ldns_dname_compare(ldns_rr_owner(rr), wanted) == 0;
    ldns_rdf_deep_free(wanted);
    return same;
}

enum agent_canary_state agent_canary_judge(const uint8_t *data, size_t len, uint16_t id,
                                           const char *name)
{
    enum agent_canary_state state = AGENT_CANARY_UNKNOWN;
    ldns_pkt *packet = NULL;

    if (ldns_wire2pkt(&packet, data, len) != LDNS_STATUS_OK)
        return AGENT_CANARY_UNKNOWN;
    if (ldns_pkt_qr(packet) && ldns_pkt_id(packet) == id && canary_is_question(packet, name))
        state = ldns_pkt_get_rcode(packet) == LDNS_RCODE_NOERROR && canary_has_address(packet)
                    ? AGENT_CANARY_OK
                    : AGENT_CANARY_NOT_SINKHOLED;
    ldns_pkt_free(packet);
    return state;
}

static void canary_on_answer(evutil_socket_t fd, short what, void *arg)
{
    struct agent_canary *canary = arg;
    enum agent_canary_state state;
    uint8_t packet[4096];
    ssize_t len = recv(fd, packet, sizeof(packet), 0);

    (void)what;
    if (len < 0) {
        if (errno != EAGAIN && errno != EINTR) { /* ECONNREFUSED: the next try will tell */
            event_free(canary->answer);
            canary->answer = NULL;
        }
        return;
    }
    state = agent_canary_judge(packet, (size_t)len, canary->id, canary->settings->resolver_canary);
    if (state == AGENT_CANARY_UNKNOWN)
        return; /* a late answer to an earlier question, or noise */
    if (state == AGENT_CANARY_OK)
        canary->latency_us = (uint64_t)(canary_now_us() - canary->asked_us);
    canary_round_over(canary, state);
}

/* One question on a socket of its own, so that nobody can answer blindly. */
static bool canary_ask(struct agent_canary *canary)
{
    ldns_pkt *packet = NULL;
    uint8_t *wire = NULL;
    size_t wire_len = 0;
    bool sent = false;

    canary_hang_up(canary);
    if (getrandom(&canary->id, sizeof(canary->id), 0) != (ssize_t)sizeof(canary->id) ||
        ldns_pkt_query_new_frm_str(&packet, canary->settings->resolver_canary, LDNS_RR_TYPE_A,
                                   LDNS_RR_CLASS_IN, LDNS_RD) != LDNS_STATUS_OK)
        return false;
    ldns_pkt_set_id(packet, canary->id);
    if (ldns_pkt2wire(&wire, packet, &wire_len) != LDNS_STATUS_OK)
        goto out;
    canary->fd = socket(canary->where.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (canary->fd < 0 ||
        connect(canary->fd, (struct sockaddr *)&canary->where, canary->where_len) != 0)
        goto out;
    canary->answer =
        event_new(canary->loop, canary->fd, EV_READ | EV_PERSIST, canary_on_answer, canary);
    canary->asked_us = canary_now_us();
    sent = canary->answer != NULL && event_add(canary->answer, NULL) == 0 &&
           send(canary->fd, wire, wire_len, 0) == (ssize_t)wire_len;
out:
    free(wire);
    ldns_pkt_free(packet);
    return sent;
}

static void canary_on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct agent_canary *canary = arg;

    (void)fd, (void)what;
    if (canary->tries == TRIES) {
        canary_round_over(canary, AGENT_CANARY_NO_ANSWER);
        return;
    }
    canary->tries++;
    if (!canary_ask(canary))
        agent_log(AGENT_DEBUG, "canary: cannot ask: %s", strerror(errno));
    canary_arm(canary, TRY_MS);
}

static bool canary_set_where(struct agent_canary *canary)
{
    const char *text = canary->settings->resolver_address;
    uint16_t port = htons((uint16_t)canary->settings->resolver_port);
    struct sockaddr_in *v4 = (struct sockaddr_in *)&canary->where;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&canary->where;

    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = port;
        canary->where_len = sizeof(*v4);
        return true;
    }
    if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = port;
        canary->where_len = sizeof(*v6);
        return true;
    }
    agent_log(AGENT_ERROR, "resolver.address: %s is no IPv4 or IPv6 address", text);
    return false;
}

struct agent_canary *agent_canary_new(struct event_base *loop,
                                      const struct sinkhole_settings *settings,
                                      struct agent_alarms *alarms, void (*changed)(void *arg),
                                      void *arg)
{
    struct agent_canary *canary = calloc(1, sizeof(*canary));

    if (canary == NULL)
        return NULL;
    canary->fd = -1;
    canary->loop = loop;
    canary->settings = settings;
    canary->alarms = alarms;
    canary->changed = changed;
    canary->arg = arg;
    canary->timer = event_new(loop, -1, 0, canary_on_timer, canary);
    if (canary->timer == NULL || !canary_set_where(canary)) {
        agent_canary_free(canary);
        return NULL;
    }
    return canary;
}

void agent_canary_free(struct agent_canary *canary)
{
    if (canary == NULL)
        return;
    canary_hang_up(canary);
    if (canary->timer != NULL)
        event_free(canary->timer);
    free(canary);
}

void agent_canary_start(struct agent_canary *canary)
{
    if (canary->started)
        return;
    canary->started = true;
    canary_arm(canary, 500); /* the module looks for a new index a few times a second */
}

enum agent_canary_state agent_canary_state(const struct agent_canary *canary)
{
    return canary->state;
}

uint64_t agent_canary_latency_us(const struct agent_canary *canary)
{
    return canary->latency_us;
}
