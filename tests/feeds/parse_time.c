/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How long reading and parsing alone take: parse_time plain|hosts FILE. Prints one line of JSON.
 * Threads: one. Memory: a block of the file.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "feeds/parser.h"
#include "sinkhole/clock.h"

static uint64_t names, notes, lines;

static void on_item(void *arg, uint64_t line_no, const struct feed_token *token)
{
    struct sinkhole_key key;

    (void)arg;
    (void)line_no;
    names += token->has_name && sinkhole_key_from_name(&token->name, &key);
}

static void on_note(void *arg, uint64_t line_no, enum sinkhole_note_reason reason, const char *text,
                    size_t len)
{
    (void)arg;
    (void)line_no;
    (void)reason;
    (void)text;
    (void)len;
    notes++;
}

static void on_data_line(void *arg)
{
    (void)arg;
    lines++;
}

int main(int argc, char **argv)
{
    static const struct feed_sink sink = {
        .item = on_item, .note = on_note, .data_line = on_data_line};
    static char buf[FEED_LINE_MAX], block[1 << 20];
    static union {
        struct feed_plain plain;
        struct feed_hosts hosts;
    } parser;
    struct feed_input input;
    int64_t began_ms;
    ssize_t got;
    bool hosts = argc == 3 && strcmp(argv[1], "hosts") == 0;
    int fd = argc == 3 ? open(argv[2], O_RDONLY | O_CLOEXEC) : -1;

    if (fd < 0) {
        fputs("usage: parse_time plain|hosts FILE\n", stderr);
        return 2;
    }
    if (hosts)
        feed_hosts_init(&parser.hosts, &sink);
    else
        feed_plain_init(&parser.plain, &sink);
    began_ms = sinkhole_monotonic_ms();
    feed_input_init(&input, buf, sizeof(buf), hosts ? feed_hosts_line : feed_plain_line, &parser);
    while ((got = read(fd, block, sizeof(block))) > 0)
        feed_input_push(&input, block, (size_t)got);
    feed_input_finish(&input);
    close(fd);
    printf("{\"format\":\"%s\",\"lines\":%" PRIu64 ",\"names\":%" PRIu64 ",\"notes\":%" PRIu64
           ",\"ms\":%" PRId64 "}\n",
           argv[1], lines, names, notes, sinkhole_monotonic_ms() - began_ms);
    return input.status == FEED_INPUT_OK ? 0 : 1;
}
