/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Any octets through each parser; the first octet chooses format and cut into chunks. What comes
 * out must be a name, and the same whatever the cut.
 */
#include <stdlib.h>
#include <string.h>

#include "feeds/parser.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t sum;

static void on_item(void *arg, uint64_t line_no, const struct feed_token *token)
{
    struct sinkhole_key key;
    struct sinkhole_name again;

    (void)arg;
    sum = sum * 31 + line_no * 7 + token->kind;
    for (size_t i = 0; i < token->len; i++)
        sum = sum * 31 + (unsigned char)token->text[i];
    if (token->kind == FEED_NAME &&
        (!token->has_name ||
         (token->name.labels > 0 &&
          (!sinkhole_key_from_name(&token->name, &key) ||
           sinkhole_name_from_key(key.text, key.len, &again) != SINKHOLE_NAME_OK))))
        abort();
}

static void on_note(void *arg, uint64_t line_no, enum sinkhole_note_reason reason, const char *text,
                    size_t len)
{
    char escaped[SINKHOLE_NOTE_TEXT_MAX];

    (void)arg;
    feed_escape(text, len, escaped, sizeof(escaped));
    for (const char *at = escaped; *at != '\0'; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            abort();
    sum = sum * 31 + line_no * 5 + reason;
}

static void on_data_line(void *arg)
{
    (void)arg;
    sum++;
}

static const struct feed_sink sink = {.item = on_item, .note = on_note, .data_line = on_data_line};

static uint64_t run(unsigned format, const uint8_t *data, size_t size, size_t step)
{
    static union {
        struct feed_plain plain;
        struct feed_hosts hosts;
        struct feed_csv csv;
        struct feed_text text;
    } parser;
    static struct sinkhole_suffixes *suffixes;
    static char buf[FEED_LINE_MAX];
    struct feed_input input;
    feed_line_fn line = feed_plain_line;

    if (suffixes == NULL &&
        (suffixes = sinkhole_suffixes_open(DATA_DIR "/public_suffix_list.dat")) == NULL)
        abort();
    feed_plain_init(&parser.plain, &sink);
    if (format == SINKHOLE_FORMAT_HOSTS) {
        feed_hosts_init(&parser.hosts, &sink);
        line = feed_hosts_line;
    } else if (format == SINKHOLE_FORMAT_CSV) {
        feed_csv_init(&parser.csv, &sink, size % 2 == 0 ? "1,2" : NULL, 0);
        line = feed_csv_line;
    } else if (format == SINKHOLE_FORMAT_TEXT) {
        feed_text_init(&parser.text, &sink, suffixes);
        line = feed_text_line;
    }
    sum = 0;
    feed_input_init(&input, buf, 4096, line, &parser);
    for (size_t at = 0; at < size; at += step)
        feed_input_push(&input, data + at, size - at < step ? size - at : step);
    feed_input_finish(&input);
    if (format == SINKHOLE_FORMAT_CSV)
        sum += feed_csv_finish(&parser.csv);
    return input.status == FEED_INPUT_OK ? sum : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (run(data[0] % 4, data + 1, size - 1, size) !=
        run(data[0] % 4, data + 1, size - 1, 1 + data[0] / 4))
        abort();
    return 0;
}
