/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Stands between a publisher and Redis, counts octets, and breaks off after a given number.
 *
 * Threads: one of its own; the fields above the line are set before proxy_start, those below it are
 * read after proxy_stop. Memory: values.
 */
#ifndef PROXY_H
#define PROXY_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define PROXY_PAIRS 8

struct proxy {
    const char *server;        /* Redis's socket */
    char socket[112];          /* the publisher's */
    uint64_t up_max, down_max; /* octets to the server, from it; 0: no bound */
    bool once;              /* after the cut, later connections pass freely; else none is taken */
    _Atomic pid_t kill_pid; /* killed -9 at the cut; 0: nobody */
    /* ---- */
    uint64_t up, down;
    bool cut;
    int listener, stop_pipe[2], client[PROXY_PAIRS], upstream[PROXY_PAIRS];
    pthread_t thread;
};

void proxy_start(struct proxy *proxy);
void proxy_stop(struct proxy *proxy);

#endif
