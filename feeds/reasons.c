/* SPDX-License-Identifier: BSD-3-Clause */
/* Words for people: formats, reasons, outcomes. Threads: constants. Memory: none. */
#include "sinkhole/feeds.h"

#include <string.h>

static const char *const formats[] = {"plain", "hosts", "csv", "text"};

const char *sinkhole_format_word(enum sinkhole_format format)
{
    return formats[format];
}

bool sinkhole_format_from_word(const char *word, enum sinkhole_format *ret_format)
{
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (strcmp(word, formats[i]) == 0) {
            *ret_format = (enum sinkhole_format)i;
            return true;
        }
    return false;
}

static const struct {
    enum sinkhole_note_class class;
    const char *word, *sentence;
} reasons[SINKHOLE_REASON_COUNT] = {
#define X(id, class, word, sentence) {SINKHOLE_NOTE_##class, word, sentence},
    SINKHOLE_NOTES(X)
#undef X
};

const char *sinkhole_reason_word(enum sinkhole_note_reason reason)
{
    return reasons[reason].word;
}

const char *sinkhole_reason_sentence(enum sinkhole_note_reason reason)
{
    return reasons[reason].sentence;
}

enum sinkhole_note_class sinkhole_reason_class(enum sinkhole_note_reason reason)
{
    return reasons[reason].class;
}

const char *sinkhole_note_class_word(enum sinkhole_note_class class)
{
    static const char *const words[] = {"unreadable", "refused", "for review", "ignored"};

    return words[class];
}

const char *sinkhole_import_status_text(enum sinkhole_import_status status)
{
    switch (status) {
    case SINKHOLE_IMPORT_OK:
        return "read";
    case SINKHOLE_IMPORT_HTML:
        return "this is a web page, not a list: fetch the list itself";
    case SINKHOLE_IMPORT_BINARY:
        return "this is no text (an office, PDF or compressed file?): save it as text or CSV, or "
               "paste the text";
    case SINKHOLE_IMPORT_BYTES:
        return "larger than guard.most_bytes_mb allows";
    case SINKHOLE_IMPORT_NAMES:
        return "more names than guard.most_names allows";
    case SINKHOLE_IMPORT_NO_COLUMN:
        return "no header names a column of domains: say --column NUMBER or --column HEADER";
    case SINKHOLE_IMPORT_EMPTY:
        return "it holds no name that can be listed";
    case SINKHOLE_IMPORT_DIRTY:
        return "more than half of its lines are unreadable: is it of another --format? "
               "(--force-dirty takes the rest)";
    case SINKHOLE_IMPORT_GUARD:
        return "the protected names of the settings cannot be used";
    case SINKHOLE_IMPORT_IO:
        return "cannot be read";
    case SINKHOLE_IMPORT_NO_MEMORY:
        return "out of memory";
    }
    return "unknown";
}
