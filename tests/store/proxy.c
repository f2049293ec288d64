/* SPDX-License-Identifier: BSD-3-Clause */
/* Breaks off after a given number of octets. See proxy.h. */
#include "tests/store/proxy.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int unix_socket(const char *path, bool server)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    if (server) {
        unlink(path);
        if (bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, 16) == 0)
            return fd;
    } else if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0) {
        return fd;
    }
    close(fd);
    return -1;
}

static void close_pair(struct proxy *proxy, int i)
{
    if (proxy->client[i] < 0)
        return;
    close(proxy->client[i]);
    close(proxy->upstream[i]);
    proxy->client[i] = proxy->upstream[i] = -1;
}

static void take_client(struct proxy *proxy)
{
    int client = accept(proxy->listener, NULL, NULL), upstream;

    if (client < 0)
        return;
    upstream = unix_socket(proxy->server, false);
    for (int i = 0; i < PROXY_PAIRS && upstream >= 0; i++) {
        if (proxy->client[i] < 0) {
            proxy->client[i] = client;
            proxy->upstream[i] = upstream;
            return;
        }
    }
    close(client);
    close(upstream);
}

static void break_off(struct proxy *proxy)
{
    pid_t pid = proxy->kill_pid;

    proxy->cut = true;
    if (pid > 0)
        kill(pid, SIGKILL);
    for (int i = 0; i < PROXY_PAIRS; i++)
        close_pair(proxy, i);
    if (!proxy->once) {
        close(proxy->listener);
        proxy->listener = -1;
    }
}

static bool write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t put = send(fd, data, len, MSG_NOSIGNAL);

        if (put <= 0)
            return false;
        data += put;
        len -= (size_t)put;
    }
    return true;
}

/* One read's worth; breaks off when the count is reached. */
static void forward(struct proxy *proxy, int i, bool up)
{
    uint64_t *count = up ? &proxy->up : &proxy->down;
    uint64_t max = proxy->cut ? 0 : (up ? proxy->up_max : proxy->down_max);
    char data[4096];
    ssize_t got = read(up ? proxy->client[i] : proxy->upstream[i], data, sizeof(data));
    size_t len = got > 0 ? (size_t)got : 0;
    bool last = max != 0 && *count + len >= max;

    if (last)
        len = (size_t)(max - *count);
    *count += len;
    if (got <= 0 || !write_all(up ? proxy->upstream[i] : proxy->client[i], data, len))
        close_pair(proxy, i);
    if (last)
        break_off(proxy);
}

static void *run(void *arg)
{
    struct proxy *proxy = arg;

    for (;;) {
        struct pollfd fds[2 + 2 * PROXY_PAIRS];

        fds[0] = (struct pollfd){.fd = proxy->stop_pipe[0], .events = POLLIN};
        fds[1] = (struct pollfd){.fd = proxy->listener, .events = POLLIN};
        for (int i = 0; i < PROXY_PAIRS; i++) {
            fds[2 + 2 * i] = (struct pollfd){.fd = proxy->client[i], .events = POLLIN};
            fds[3 + 2 * i] = (struct pollfd){.fd = proxy->upstream[i], .events = POLLIN};
        }
        if (poll(fds, 2 + 2 * PROXY_PAIRS, -1) < 0 || fds[0].revents != 0)
            return NULL;
        for (int i = 0; i < PROXY_PAIRS; i++) {
            if (proxy->client[i] >= 0 && fds[2 + 2 * i].revents != 0)
                forward(proxy, i, true);
            if (proxy->client[i] >= 0 && fds[3 + 2 * i].revents != 0)
                forward(proxy, i, false);
        }
        if (proxy->listener >= 0 && (fds[1].revents & POLLIN))
            take_client(proxy);
    }
}

void proxy_start(struct proxy *proxy)
{
    proxy->up = proxy->down = 0;
    proxy->cut = false;
    for (int i = 0; i < PROXY_PAIRS; i++)
        proxy->client[i] = proxy->upstream[i] = -1;
    proxy->listener = unix_socket(proxy->socket, true);
    if (proxy->listener < 0 || pipe(proxy->stop_pipe) != 0 ||
        pthread_create(&proxy->thread, NULL, run, proxy) != 0)
        abort();
}

void proxy_stop(struct proxy *proxy)
{
    if (write(proxy->stop_pipe[1], "", 1) != 1)
        abort();
    pthread_join(proxy->thread, NULL);
    for (int i = 0; i < PROXY_PAIRS; i++)
        close_pair(proxy, i);
    if (proxy->listener >= 0)
        close(proxy->listener);
    close(proxy->stop_pipe[0]);
    close(proxy->stop_pipe[1]);
    unlink(proxy->socket);
}
