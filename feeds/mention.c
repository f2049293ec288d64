/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Names that a letter writes plainly. Whether they are indicators is known at its end only: a
 * letter that defangs its indicators writes vendors and its own sites plainly.
 *
 * Threads: with the import. Memory: a word and its key for each such name.
 */
#include "feeds/import_private.h"

#include <stdlib.h>
#include <string.h>

void feed_mention_hold(struct sinkhole_import *import, uint64_t line_no,
                       const struct feed_token *token, const struct sinkhole_key *key,
                       enum sinkhole_scope scope)
{
    struct feed_text_store *text = &import->held_text;
    struct feed_plain_mention *mention;
    size_t off = text->used;

    if (import->held_count >= import->names.most) {
        feed_import_fail(import, SINKHOLE_IMPORT_NAMES);
        return;
    }
    if (import->held_count == import->held_room) {
        size_t room = import->held_room == 0 ? 64 : import->held_room * 2;
        struct feed_plain_mention *held = realloc(import->held, room * sizeof *held);

        if (held == NULL) {
            feed_import_fail(import, SINKHOLE_IMPORT_NO_MEMORY);
            return;
        }
        import->held = held;
        import->held_room = room;
    }
    if (!feed_text_store_add(text, key->text, key->len, SIZE_MAX / 2) ||
        !feed_text_store_add(text, "", 1, SIZE_MAX / 2) ||
        !feed_text_store_add(text, token->text, token->len, SIZE_MAX / 2) ||
        !feed_text_store_add(text, "", 1, SIZE_MAX / 2)) {
        feed_import_fail(import, SINKHOLE_IMPORT_NO_MEMORY);
        return;
    }
    mention = &import->held[import->held_count++];
    mention->line = line_no;
    mention->off = off;
    mention->key_len = (uint8_t)key->len;
    mention->scope = (uint8_t)scope;
}

static int by_line(const void *a, const void *b)
{
    const struct feed_note *x = a, *y = b;

    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    return (x->off > y->off) - (x->off < y->off);
}

void feed_mention_settle(struct sinkhole_import *import)
{
    for (size_t i = 0; i < import->held_count; i++) {
        const struct feed_plain_mention *mention = &import->held[i];
        const char *key = import->held_text.text + mention->off, *word = key + mention->key_len + 1;

        if (!import->defangs)
            feed_import_add(import, key, mention->key_len, (enum sinkhole_scope)mention->scope);
        else if (feed_names_has(&import->names, key, mention->key_len))
            import->names.merged++; /* it is defanged elsewhere in the text */
        else
            feed_import_note(import, mention->line, SINKHOLE_REASON_PLAIN_MENTION, word,
                             strlen(word));
    }
    if (import->defangs && import->held_count > 0 && import->note_count > 1)
        qsort(import->notes, import->note_count, sizeof *import->notes, by_line);
}
