/* SPDX-License-Identifier: BSD-3-Clause */
/* hosts(5) files, as block lists use them. Threads and memory: see parser.h. */
#include "feeds/parser.h"

#include <string.h>
#include <strings.h>

void feed_hosts_init(struct feed_hosts *parser, const struct feed_sink *sink)
{
    parser->sink = sink;
}

/* Takes the next word off the front; false at the end of the line or at a comment. */
static bool next_word(const char **text, size_t *len, const char **ret_word, size_t *ret_len)
{
    size_t i = 0;

    while (i < *len && ((*text)[i] == ' ' || (*text)[i] == '\t'))
        i++;
    *text += i;
    *len -= i;
    if (*len == 0 || **text == '#')
        return false;
    for (i = 0; i < *len && (*text)[i] != ' ' && (*text)[i] != '\t' && (*text)[i] != '#'; i++)
        ;
    *ret_word = *text;
    *ret_len = i;
    *text += i;
    *len -= i;
    return true;
}

/* What a hosts file says of the machine itself. */
static bool is_local(const char *word, size_t len)
{
    static const char *const names[] = {
        "localhost",     "localhost.localdomain",
        "local",         "broadcasthost",
        "ip6-localhost", "ip6-loopback",
        "ip6-localnet",  "ip6-mcastprefix",
        "ip6-allnodes",  "ip6-allrouters",
        "ip6-allhosts",  "0.0.0.0",
        "127.0.0.1",     "::1",
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i]) == len && strncasecmp(names[i], word, len) == 0)
            return true;
    return false;
}

static bool is_host_address(const char *word, size_t len)
{
    struct sinkhole_address address;
    const char *zone = memchr(word, '%', len); /* fe80::1%lo0 */

    if (len == 7 && memcmp(word, "0.0.0.0", 7) == 0)
        return true;
    return sinkhole_address_from_text(word, zone == NULL ? len : (size_t)(zone - word), &address);
}

void feed_hosts_line(void *arg, uint64_t line_no, const char *text, size_t len, bool cut)
{
    struct feed_hosts *parser = arg;
    const struct feed_sink *sink = parser->sink;
    const char *word, *line;
    size_t word_len, line_len, hosts = 0;

    line = text = feed_clean(text, len, parser->scratch.line, &len);
    line_len = len;
    if (!next_word(&text, &len, &word, &word_len) && !cut)
        return;
    sink->data_line(sink->arg);
    if (cut) {
        sink->note(sink->arg, line_no, SINKHOLE_REASON_LINE_LONG, line, line_len);
        return;
    }
    if (!is_host_address(word, word_len)) {
        sink->note(sink->arg, line_no, SINKHOLE_REASON_NO_ADDRESS, line, line_len);
        return;
    }
    for (; next_word(&text, &len, &word, &word_len); hosts++) {
        if (is_local(word, word_len))
            sink->note(sink->arg, line_no, SINKHOLE_REASON_LOCAL_NAME, word, word_len);
        else
            feed_emit(sink, line_no, word, word_len);
    }
    if (hosts == 0)
        sink->note(sink->arg, line_no, SINKHOLE_REASON_NO_HOST, line, line_len);
}
