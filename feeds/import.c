/* SPDX-License-Identifier: BSD-3-Clause */
/* Octets -> lines -> words -> guard -> names. Threads and memory: see feeds.h. */
#include "feeds/import_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_SIZE (1u << 20)

bool feed_text_store_add(struct feed_text_store *store, const char *text, size_t len, size_t most)
{
    if (store->used + len > most)
        return false;
    if (store->used + len > store->size) {
        size_t size = store->size == 0 ? 4096 : store->size * 2;
        char *grown;

        while (size < store->used + len)
            size *= 2;
        grown = realloc(store->text, size);
        if (grown == NULL)
            return false;
        store->text = grown;
        store->size = size;
    }
    memcpy(store->text + store->used, text, len);
    store->used += len;
    return true;
}

void feed_import_fail(struct sinkhole_import *import, enum sinkhole_import_status status)
{
    if (import->status == SINKHOLE_IMPORT_OK)
        import->status = status;
}

static void keep_beside(struct sinkhole_import *import, uint64_t *count, const char *kind,
                        const char *word, size_t word_len)
{
    char line[FEED_TOKEN_MAX + 16], text[FEED_TOKEN_MAX];
    size_t kind_len = strlen(kind), len;

    (*count)++;
    feed_escape(word, word_len, text, sizeof text);
    len = strlen(text);
    memcpy(line, kind, kind_len);
    line[kind_len] = '\t';
    memcpy(line + kind_len + 1, text, len);
    line[kind_len + 1 + len] = '\n';
    if (!feed_text_store_add(&import->beside, line, kind_len + len + 2, FEED_BESIDE_MAX))
        import->counts.beside_lost++;
}

void feed_import_note(void *arg, uint64_t line_no, enum sinkhole_note_reason reason,
                      const char *text, size_t len)
{
    struct sinkhole_import *import = arg;
    char escaped[SINKHOLE_NOTE_TEXT_MAX];
    struct feed_note *note;

    import->counts.notes[reason]++;
    import->defangs |= reason == SINKHOLE_REASON_BROKEN;
    if (sinkhole_reason_class(reason) == SINKHOLE_NOTE_REVIEW && reason != SINKHOLE_REASON_URL_PATH)
        keep_beside(import, &import->counts.review, "name", text, len);
    if (sinkhole_reason_class(reason) == SINKHOLE_NOTE_DIRT && import->last_dirty_line != line_no) {
        import->last_dirty_line = line_no;
        import->counts.dirty_lines++;
    }
    if (import->note_count >= SINKHOLE_NOTES_MAX)
        return;
    if (import->note_count == import->note_room) {
        size_t room = import->note_room == 0 ? 256 : import->note_room * 2;
        struct feed_note *notes = realloc(import->notes, room * sizeof *notes);

        if (notes == NULL) {
            feed_import_fail(import, SINKHOLE_IMPORT_NO_MEMORY);
            return;
        }
        import->notes = notes;
        import->note_room = room;
    }
    note = &import->notes[import->note_count];
    note->line = line_no;
    note->reason = reason;
    note->off = import->note_text.used;
    feed_escape(text, len, escaped, sizeof escaped);
    if (feed_text_store_add(&import->note_text, escaped, strlen(escaped) + 1, SIZE_MAX / 2))
        import->note_count++;
    else
        feed_import_fail(import, SINKHOLE_IMPORT_NO_MEMORY);
}

static void on_data_line(void *arg)
{
    struct sinkhole_import *import = arg;

    import->counts.data_lines++;
}

void feed_import_add(struct sinkhole_import *import, const char *key, size_t key_len,
                     enum sinkhole_scope scope)
{
    switch (feed_names_add(&import->names, key, key_len, scope)) {
    case FEED_NAMES_OK:
        break;
    case FEED_NAMES_FULL:
        feed_import_fail(import, SINKHOLE_IMPORT_NAMES);
        break;
    case FEED_NAMES_NO_MEMORY:
        feed_import_fail(import, SINKHOLE_IMPORT_NO_MEMORY);
        break;
    }
}

static void list_name(struct sinkhole_import *import, uint64_t line_no,
                      const struct feed_token *token)
{
    enum sinkhole_scope scope = token->has_scope ? token->scope : import->options.scope;
    bool is_plain = import->options.format == SINKHOLE_FORMAT_TEXT && !token->defanged;
    enum sinkhole_note_reason reason;
    struct sinkhole_key key;

    if (!sinkhole_key_from_name(&token->name, &key)) {
        feed_import_note(import, line_no, SINKHOLE_REASON_ROOT, token->text, token->len);
        return;
    }
    reason = feed_guard_check(import->guard, &token->name, &key, scope,
                              import->options.allow_private_suffix);
    if (reason == SINKHOLE_REASON_PRIVATE_SUFFIX && import->options.allow_private_suffix) {
        scope = SINKHOLE_SCOPE_EXACT; /* its customers stay out of it */
        reason = SINKHOLE_REASON_COUNT;
    }
    if (is_plain &&
        (reason == SINKHOLE_REASON_COUNT || reason == SINKHOLE_REASON_PROTECTED_BELOW) &&
        feed_guard_touches(import->guard, &key))
        reason = SINKHOLE_REASON_PROTECTED_MENTION;
    if (reason != SINKHOLE_REASON_COUNT) {
        feed_import_note(import, line_no, reason, token->text, token->len);
        return;
    }
    if (is_plain && import->options.undefanged == SINKHOLE_UNDEFANGED_REVIEW)
        feed_import_note(import, line_no, SINKHOLE_REASON_UNDEFANGED, token->text, token->len);
    else if (is_plain && import->options.undefanged == SINKHOLE_UNDEFANGED_AUTO)
        feed_mention_hold(import, line_no, token, &key, scope);
    else
        feed_import_add(import, key.text, key.len, scope);
}

static void on_url(struct sinkhole_import *import, uint64_t line_no, const struct feed_token *token)
{
    if (import->options.urls == SINKHOLE_URLS_SKIP) {
        import->counts.urls++;
        return;
    }
    keep_beside(import, &import->counts.urls, "url", token->text, token->len);
    if (import->options.urls == SINKHOLE_URLS_HOST && token->has_name)
        list_name(import, line_no, token);
    else
        feed_import_note(import, line_no, SINKHOLE_REASON_URL_PATH, token->text, token->len);
}

static void on_item(void *arg, uint64_t line_no, const struct feed_token *token)
{
    struct sinkhole_import *import = arg;

    if (token->kind != FEED_EMAIL) /* a contact's, hidden from collectors, says nothing */
        import->defangs |= token->defanged;
    switch (token->kind) {
    case FEED_NAME:
        list_name(import, line_no, token);
        break;
    case FEED_ADDRESS:
        keep_beside(import, &import->counts.addresses, "address", token->text, token->len);
        break;
    case FEED_URL:
        on_url(import, line_no, token);
        break;
    case FEED_HASH:
        keep_beside(import, &import->counts.hashes, "hash", token->text, token->len);
        break;
    case FEED_EMAIL:
        keep_beside(import, &import->counts.emails, "email", token->text, token->len);
        feed_import_note(import, line_no, SINKHOLE_REASON_EMAIL, token->text, token->len);
        break;
    case FEED_NOTHING:
        break;
    }
}

static feed_line_fn init_parser(struct sinkhole_import *import, void **ret_parser)
{
    const struct feed_sink *sink = &import->sink;

    *ret_parser = &import->parser;
    switch (import->options.format) {
    case SINKHOLE_FORMAT_HOSTS:
        feed_hosts_init(&import->parser.hosts, sink);
        return feed_hosts_line;
    case SINKHOLE_FORMAT_CSV:
        feed_csv_init(&import->parser.csv, sink, import->options.columns,
                      import->options.delimiter);
        return feed_csv_line;
    case SINKHOLE_FORMAT_TEXT:
        feed_text_init(&import->parser.text, sink, import->suffixes);
        return feed_text_line;
    case SINKHOLE_FORMAT_PLAIN:
        break;
    }
    feed_plain_init(&import->parser.plain, sink);
    return feed_plain_line;
}

enum sinkhole_import_status sinkhole_import_new(const struct sinkhole_settings *settings,
                                                const struct sinkhole_suffixes *suffixes,
                                                const struct sinkhole_import_options *options,
                                                char ret_bad[256],
                                                struct sinkhole_import **ret_import)
{
    struct sinkhole_import *import = malloc(sizeof *import);
    feed_line_fn line;
    void *parser;

    ret_bad[0] = '\0';
    if (import == NULL)
        return SINKHOLE_IMPORT_NO_MEMORY;
    memset(import, 0, offsetof(struct sinkhole_import, input));
    import->options = *options;
    import->suffixes = suffixes;
    import->most_bytes = settings->guard_most_bytes_mb << 20;
    feed_names_init(&import->names, settings->guard_most_names);
    import->guard = feed_guard_new(settings, suffixes, ret_bad);
    if (import->guard == NULL) {
        sinkhole_import_free(import);
        return ret_bad[0] == '\0' ? SINKHOLE_IMPORT_NO_MEMORY : SINKHOLE_IMPORT_GUARD;
    }
    import->sink = (struct feed_sink){
        .arg = import, .item = on_item, .note = feed_import_note, .data_line = on_data_line};
    line = init_parser(import, &parser);
    feed_input_init(&import->input, import->input_line, sizeof import->input_line, line, parser);
    *ret_import = import;
    return SINKHOLE_IMPORT_OK;
}

void sinkhole_import_free(struct sinkhole_import *import)
{
    if (import == NULL)
        return;
    feed_names_done(&import->names);
    feed_guard_free(import->guard);
    free(import->notes);
    free(import->note_text.text);
    free(import->held);
    free(import->held_text.text);
    free(import->beside.text);
    free(import);
}

static void judge_input(struct sinkhole_import *import, enum feed_input_status status)
{
    if (status == FEED_INPUT_HTML)
        feed_import_fail(import, SINKHOLE_IMPORT_HTML);
    else if (status == FEED_INPUT_BINARY)
        feed_import_fail(import, SINKHOLE_IMPORT_BINARY);
}

enum sinkhole_import_status sinkhole_import_push(struct sinkhole_import *import, const void *octets,
                                                 size_t len)
{
    import->counts.bytes += len;
    if (import->counts.bytes > import->most_bytes)
        feed_import_fail(import, SINKHOLE_IMPORT_BYTES);
    if (import->status == SINKHOLE_IMPORT_OK)
        judge_input(import, feed_input_push(&import->input, octets, len));
    import->counts.lines = import->input.line_no;
    return import->status;
}

enum sinkhole_import_status sinkhole_import_finish(struct sinkhole_import *import)
{
    struct sinkhole_import_counts *counts = &import->counts;

    if (import->status == SINKHOLE_IMPORT_OK)
        judge_input(import, feed_input_finish(&import->input));
    counts->lines = import->input.line_no;
    if (import->status == SINKHOLE_IMPORT_OK && import->options.format == SINKHOLE_FORMAT_CSV &&
        !feed_csv_finish(&import->parser.csv) && counts->lines > 0)
        feed_import_fail(import, SINKHOLE_IMPORT_NO_COLUMN);
    feed_names_sort(&import->names, import->progress, import->progress_arg);
    if (import->held_count > 0) {
        feed_mention_settle(import);
        feed_names_sort(&import->names, import->progress, import->progress_arg);
    }
    counts->names = import->names.count;
    counts->duplicates = import->names.merged;
    if (import->status != SINKHOLE_IMPORT_OK)
        return import->status;
    if (counts->dirty_lines * 2 > counts->data_lines && !import->options.force_dirty)
        feed_import_fail(import, SINKHOLE_IMPORT_DIRTY);
    if (counts->names == 0)
        feed_import_fail(import, SINKHOLE_IMPORT_EMPTY);
    return import->status;
}

enum sinkhole_import_status sinkhole_import_read(struct sinkhole_import *import, int fd,
                                                 sinkhole_progress_fn progress, void *arg)
{
    char *buf = malloc(READ_SIZE);
    struct stat st = {0};
    uint64_t total = 0;
    ssize_t got = 0;

    if (buf == NULL) {
        feed_import_fail(import, SINKHOLE_IMPORT_NO_MEMORY);
        return import->status;
    }
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        total = (uint64_t)st.st_size;
    import->progress = progress;
    import->progress_arg = arg;
    while (import->status == SINKHOLE_IMPORT_OK) {
        got = read(fd, buf, READ_SIZE);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        sinkhole_import_push(import, buf, (size_t)got);
        if (progress != NULL)
            progress(arg, "Reading", import->counts.bytes,
                     total > import->counts.bytes ? total : import->counts.bytes);
    }
    free(buf);
    if (progress != NULL)
        progress(arg, "Reading", import->counts.bytes, import->counts.bytes);
    if (got < 0)
        feed_import_fail(import, SINKHOLE_IMPORT_IO);
    return sinkhole_import_finish(import);
}

const struct sinkhole_import_counts *sinkhole_import_counts(const struct sinkhole_import *import)
{
    return &import->counts;
}

void sinkhole_import_notes(const struct sinkhole_import *import, sinkhole_note_fn visit, void *arg)
{
    for (size_t i = 0; i < import->note_count; i++)
        if (!visit(arg, import->notes[i].line, import->notes[i].reason,
                   import->note_text.text + import->notes[i].off))
            return;
}

void sinkhole_import_names(const struct sinkhole_import *import, sinkhole_scoped_fn visit,
                           void *arg)
{
    for (size_t i = 0; i < import->names.count; i++) {
        enum sinkhole_scope scope;
        size_t len;
        const char *key = feed_names_at(&import->names, i, &len, &scope);

        if (!visit(arg, key, len, scope))
            return;
    }
}
