/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Feeds: from a file or a letter to a publication.
 *
 * An *import* reads one file: octets -> lines -> tokens -> guard -> names in order. Nothing leaves
 * it until it is staged for a feed in Redis; nothing staged is in force until it is published. What
 * is not taken has a line number, a reason and its text; addresses, URLs and hashes are kept
 * beside.
 *
 * Threads: one import, one thread; the calls below it with their store handle. Memory: about 40
 * bytes a name, bounded by guard_most_names.
 */
#ifndef SINKHOLE_FEEDS_H
#define SINKHOLE_FEEDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sinkhole/blocklist.h"
#include "sinkhole/name.h"
#include "sinkhole/settings.h"
#include "sinkhole/text.h"

enum sinkhole_format {
    SINKHOLE_FORMAT_PLAIN,
    SINKHOLE_FORMAT_HOSTS,
    SINKHOLE_FORMAT_CSV,
    SINKHOLE_FORMAT_TEXT, /* an advisory, pasted */
};
/* "plain", "hosts", "csv", "text". */
const char *sinkhole_format_word(enum sinkhole_format format);
bool sinkhole_format_from_word(const char *word, enum sinkhole_format *ret_format);

/* What a URL with a path means: its host may be a shared one. */
enum sinkhole_url_policy {
    SINKHOLE_URLS_REVIEW, /* kept beside the batch, not enforced; named among the notes */
    SINKHOLE_URLS_SKIP,   /* counted only */
    SINKHOLE_URLS_HOST,   /* the host is listed, if the guard lets it */
};

/* What a name means that a text writes plainly, without [.] and the like. */
enum sinkhole_undefanged {
    SINKHOLE_UNDEFANGED_AUTO,   /* for review when the text defangs any name, URL or address, else
                                   listed */
    SINKHOLE_UNDEFANGED_TAKE,   /* listed */
    SINKHOLE_UNDEFANGED_REVIEW, /* kept beside the batch, not enforced; named among the notes */
};

/* --- why something was not taken ------------------------------------------------------------- */
enum sinkhole_note_class {
    SINKHOLE_NOTE_DIRT,    /* the line is not what its format promises */
    SINKHOLE_NOTE_REFUSED, /* a guard said no */
    SINKHOLE_NOTE_REVIEW,  /* perhaps an indicator: a person decides */
    SINKHOLE_NOTE_IGNORED, /* known not to be one */
};
/* X(identifier, class, word, sentence) */
#define SINKHOLE_NOTES(X)                                                                          \
    X(LINE_LONG, DIRT, "line-long", "the line is longer than 65,536 octets")                       \
    X(WORDS, DIRT, "several-words", "several words where one name is expected")                    \
    X(NAME_CHARACTER, DIRT, "character", "a character that no name has")                           \
    X(NAME_EMPTY, DIRT, "empty-label", "an empty label")                                           \
    X(NAME_LABEL_LONG, DIRT, "label-long", "a label longer than 63 octets")                        \
    X(NAME_LONG, DIRT, "name-long", "a name longer than 255 octets")                               \
    X(NAME_HYPHEN, DIRT, "hyphen", "a label that begins or ends with a hyphen")                    \
    X(WILDCARD, DIRT, "wildcard", "a wildcard that is not the first label")                        \
    X(NUMERIC, DIRT, "numeric", "ends in a number, and is no address")                             \
    X(NO_ADDRESS, DIRT, "no-address", "a hosts line that does not begin with an address")          \
    X(NO_HOST, DIRT, "no-host", "a hosts line with an address alone")                              \
    X(COLUMN, DIRT, "column", "the row ends before the chosen column")                             \
    X(CELL_EMPTY, DIRT, "cell-empty", "the chosen cell is empty")                                  \
    X(QUOTE, DIRT, "quote", "a quoted cell that never ends")                                       \
    X(BROKEN, DIRT, "broken", "a defanged mark with nothing on one side: broken over two lines?")  \
    X(ROOT, REFUSED, "root", "the root of all names is never listed")                              \
    X(TLD, REFUSED, "tld", "a top-level domain is never listed")                                   \
    X(ICANN_SUFFIX, REFUSED, "public-suffix",                                                      \
      "a public suffix: registrants below it have nothing in common")                              \
    X(PRIVATE_SUFFIX, REFUSED, "private-suffix",                                                   \
      "a provider's zone for its customers (--allow-private-suffix lists it, exactly)")            \
    X(PROTECTED, REFUSED, "protected", "a protected zone's own name")                              \
    X(PROTECTED_PARENT, REFUSED, "protected-parent", "lies above a protected zone")                \
    X(PROTECTED_BELOW, REFUSED, "protected-below",                                                 \
      "below a protected zone names are listed exactly only: --scope exact")                       \
    X(PROTECTED_MENTION, REFUSED, "protected-mention",                                             \
      "mentioned in the text without defanging, in a protected zone: the sender's own?")           \
    X(OWN_HOST, REFUSED, "own-host",                                                               \
      "would cut off a host that this installation needs, or its canary")                          \
    X(URL_PATH, REVIEW, "url",                                                                     \
      "a URL with a path: its host may serve others too (--urls host lists it)")                   \
    X(FILE_NAME, REVIEW, "file-name",                                                              \
      "a file's name that would also be a domain: defang it, or list it by hand")                  \
    X(SOFTWARE, REVIEW, "software", "a product's name that would also be a domain")                \
    X(UNDEFANGED, REVIEW, "undefanged", "written without defanging (--undefanged review)")         \
    X(PLAIN_MENTION, REVIEW, "plain-mention",                                                      \
      "written plainly in a letter that defangs its names or addresses (--undefanged take lists "  \
      "it)")                                                                                       \
    X(UNKNOWN_TLD, IGNORED, "unknown-tld",                                                         \
      "its last label is no top-level domain: a file or an abbreviation")                          \
    X(EMAIL, IGNORED, "email", "an e-mail address: its domain is not an indicator by itself")      \
    X(PATH, IGNORED, "path", "a file's path or a registry key")                                    \
    X(LOCAL_NAME, IGNORED, "local-name", "one of the names that every hosts file begins with")

enum sinkhole_note_reason {
#define X(id, class, word, sentence) SINKHOLE_REASON_##id,
    SINKHOLE_NOTES(X)
#undef X
    SINKHOLE_REASON_COUNT
};
const char *sinkhole_reason_word(enum sinkhole_note_reason reason);
const char *sinkhole_reason_sentence(enum sinkhole_note_reason reason);
enum sinkhole_note_class sinkhole_reason_class(enum sinkhole_note_reason reason);
const char *sinkhole_note_class_word(enum sinkhole_note_class class);

#define SINKHOLE_NOTE_TEXT_MAX 120 /* octets kept of the offending text */
#define SINKHOLE_NOTES_MAX 200000  /* kept with their text; every one is counted */

/* --- an import ------------------------------------------------------------------------------- */
struct sinkhole_import_options {
    enum sinkhole_format format;
    enum sinkhole_url_policy urls;
    enum sinkhole_scope
        scope; /* of names without a mark of their own ("*.x": below, ".x": subtree) */
    const char
        *columns; /* CSV: numbers from 1 or header names, comma separated; NULL: found by header */
    char delimiter;             /* CSV; 0: found out */
    bool allow_private_suffix;  /* they are listed exactly, whatever the scope */
    bool force_dirty;           /* also when more than half of the lines are dirt */
    enum sinkhole_undefanged undefanged; /* text */
};

enum sinkhole_import_status {
    SINKHOLE_IMPORT_OK = 0,
    SINKHOLE_IMPORT_HTML,
    SINKHOLE_IMPORT_BINARY,
    SINKHOLE_IMPORT_BYTES,     /* over guard_most_bytes_mb */
    SINKHOLE_IMPORT_NAMES,     /* over guard_most_names */
    SINKHOLE_IMPORT_NO_COLUMN, /* no header tells where the names are, and no option did */
    SINKHOLE_IMPORT_EMPTY,     /* nothing that can be listed */
    SINKHOLE_IMPORT_DIRTY,     /* more than half of its lines are dirt */
    SINKHOLE_IMPORT_GUARD,     /* the protected file cannot be read, or names no domain */
    SINKHOLE_IMPORT_IO,        /* errno is set */
    SINKHOLE_IMPORT_NO_MEMORY,
};
const char *sinkhole_import_status_text(enum sinkhole_import_status status);

struct sinkhole_import_counts {
    uint64_t bytes, lines;
    uint64_t data_lines; /* neither blank nor comment */
    uint64_t dirty_lines;
    uint64_t names;      /* distinct, past the guard */
    uint64_t duplicates; /* said again */
    uint64_t addresses, urls, hashes, emails; /* kept beside (urls: by the policy) */
    uint64_t review;      /* names for review, kept beside */
    uint64_t beside_lost; /* of these, beyond what is kept */
    uint64_t notes[SINKHOLE_REASON_COUNT];
};

struct sinkhole_import; /* opaque */
/* `settings` and `suffixes` outlive it. With GUARD, ret_bad says which protected entry is unusable.
 */
enum sinkhole_import_status sinkhole_import_new(const struct sinkhole_settings *settings,
                                                const struct sinkhole_suffixes *suffixes,
                                                const struct sinkhole_import_options *options,
                                                char ret_bad[256],
                                                struct sinkhole_import **ret_import);
void sinkhole_import_free(struct sinkhole_import *import); /* NULL is fine */
/* Any octets, in chunks of any size; after a status other than OK the import stays failed. */
enum sinkhole_import_status sinkhole_import_push(struct sinkhole_import *import, const void *octets,
                                                 size_t len);
/* Sorts, merges, judges the whole. */
enum sinkhole_import_status sinkhole_import_finish(struct sinkhole_import *import);
/* Push and finish for a descriptor, to its end. */
enum sinkhole_import_status sinkhole_import_read(struct sinkhole_import *import, int fd,
                                                 sinkhole_progress_fn progress, void *arg);
const struct sinkhole_import_counts *sinkhole_import_counts(const struct sinkhole_import *import);
/* Notes in the order of lines. `text` is escaped for terminals, at most SINKHOLE_NOTE_TEXT_MAX. */
typedef bool (*sinkhole_note_fn)(void *arg, uint64_t line, enum sinkhole_note_reason reason,
                                 const char *text);
void sinkhole_import_notes(const struct sinkhole_import *import, sinkhole_note_fn visit, void *arg);
/* Names in the order of keys, after finish. */
typedef bool (*sinkhole_scoped_fn)(void *arg, const char *key, size_t key_len,
                                   enum sinkhole_scope scope);
void sinkhole_import_names(const struct sinkhole_import *import, sinkhole_scoped_fn visit,
                           void *arg);

/* --- from an import to a publication --------------------------------------------------------- */
/* What the calls below need; the parts outlive it. */
struct sinkhole_feeds {
    const struct sinkhole_settings *settings;
    const struct sinkhole_suffixes *suffixes;
    struct sinkhole_store *store;
    sinkhole_progress_fn progress; /* may be NULL */
    void *progress_arg;
};

enum sinkhole_feeds_status {
    SINKHOLE_FEEDS_OK = 0,
    SINKHOLE_FEEDS_NOTHING, /* the feed says this already: no generation was made */
    SINKHOLE_FEEDS_STORE,   /* outcome.store, and the store's sentence */
    SINKHOLE_FEEDS_ABSENT,  /* no such feed; nothing staged; nothing to roll back; no such exception
                             */
    SINKHOLE_FEEDS_REFUSED, /* the guards leave no name of it; outcome.reason for a single one */
    SINKHOLE_FEEDS_GUARD,   /* the protected names of the settings cannot be used: outcome.bad */
    SINKHOLE_FEEDS_DAMAGED, /* what is staged cannot be read */
    SINKHOLE_FEEDS_OVERTAKEN, /* another import was staged meanwhile */
    SINKHOLE_FEEDS_INVALID,   /* attributes out of range, or no UTF-8 */
    SINKHOLE_FEEDS_NO_MEMORY,
};
const char *sinkhole_feeds_status_text(enum sinkhole_feeds_status status);

struct sinkhole_feeds_outcome {
    enum sinkhole_store_status store;
    enum sinkhole_note_reason reason;
    char bad[256];
    char import[40];                        /* identity of what was staged */
    uint64_t generation;                    /* of the publication; else the one compared with */
    uint64_t added, removed; /* names */
    uint64_t changed, kept; /* names of the import listed already, with other or equal attributes */
    uint64_t refused; /* names that today's guards refuse: left out */
};

enum sinkhole_import_mode {
    SINKHOLE_MODE_REPLACE, /* the import is all that the feed lists */
    SINKHOLE_MODE_AMEND,   /* it comes to what the feed lists */
};

/* What is staged for a feed, beside its names. */
struct sinkhole_staged {
    struct sinkhole_batch
        attributes; /* rule.action, valid_until, severity, confidence; provenance */
    enum sinkhole_import_mode mode;
    enum sinkhole_format format;
    bool private_suffix;
    char file[120]; /* where it was read from, for people */
    uint64_t names, addresses, urls, hashes, emails, review;
    int64_t staged_ms;
};

/* Stages a finished import, in place of what was staged. `staged` gives attributes, mode and file;
 * the rest is filled in here. The feed must exist. Nothing is in force yet. */
enum sinkhole_feeds_status sinkhole_import_stage(const struct sinkhole_feeds *feeds,
                                                 const struct sinkhole_import *import,
                                                 const char *feed,
                                                 const struct sinkhole_staged *staged,
                                                 struct sinkhole_feeds_outcome *ret_outcome);
/* `visit`, when not NULL, gets what is kept beside: "address TAB 192.0.2.1". */
typedef bool (*sinkhole_beside_fn)(void *arg, const char *line, size_t len);
enum sinkhole_feeds_status sinkhole_staged_read(const struct sinkhole_feeds *feeds,
                                                const char *feed, sinkhole_beside_fn visit,
                                                void *arg, struct sinkhole_staged *ret_staged,
                                                struct sinkhole_feeds_outcome *ret_outcome);

/* What imports of a feed kept beside their names, for good since they were published; `import`
 * NULL: of all, oldest first. `head` gets an import as it was staged (its identity stands in
 * attributes.import; false: not its lines), then `visit` its lines. ABSENT: no such import. */
typedef bool (*sinkhole_beside_import_fn)(void *arg, const struct sinkhole_staged *import);
enum sinkhole_feeds_status sinkhole_beside_read(const struct sinkhole_feeds *feeds,
                                                const char *feed, const char *import,
                                                sinkhole_beside_import_fn head,
                                                sinkhole_beside_fn visit, void *arg,
                                                struct sinkhole_feeds_outcome *ret_outcome);

enum sinkhole_difference {
    SINKHOLE_DIFF_ADDED,
    SINKHOLE_DIFF_REMOVED,
    SINKHOLE_DIFF_CHANGED,
    SINKHOLE_DIFF_REFUSED, /* staged, and refused by today's guards: `reason` */
};
typedef void (*sinkhole_diff_fn)(void *arg, enum sinkhole_difference difference, const char *key,
                                 size_t key_len, enum sinkhole_scope scope,
                                 enum sinkhole_note_reason reason);
/* What publishing would change. */
enum sinkhole_feeds_status sinkhole_feeds_diff(const struct sinkhole_feeds *feeds, const char *feed,
                                               sinkhole_diff_fn visit, void *arg,
                                               struct sinkhole_feeds_outcome *ret_outcome);
/* Puts what is staged in force, in one generation or not at all; `import` (may be NULL) is the
 * identity that it must have, so that nobody publishes what somebody else has staged in between.
 * Names that the feed lists with equal attributes keep their rule, and so their letter and date.
 * What is kept beside is kept for good, also when no name changes (NOTHING). When somebody else
 * publishes meanwhile it starts again, three times. What was staged stays until it expires. */
enum sinkhole_feeds_status sinkhole_feeds_publish(const struct sinkhole_feeds *feeds,
                                                  const char *feed, const char *import,
                                                  struct sinkhole_feeds_outcome *ret_outcome);
/* Undoes publication `generation` of a feed and all later ones (0: the last one alone), as a new
 * generation; drops what is staged, so that it is not published again by mistake. Names that would
 * come back pass today's guards: those refused stay out, and `visit` (may be NULL) gets them,
 * DIFF_REFUSED. REFUSED: they are all that it would change; nothing was changed. NOTHING: the feed
 * lists what it did before that publication already. In the history it is FEED_ROLLBACK_TEXT and
 * the generation. */
#define FEED_ROLLBACK_TEXT "rollback of generation "
enum sinkhole_feeds_status sinkhole_feeds_rollback(const struct sinkhole_feeds *feeds,
                                                   const char *feed, uint64_t generation,
                                                   const char *who, sinkhole_diff_fn visit,
                                                   void *arg,
                                                   struct sinkhole_feeds_outcome *ret_outcome);

/* --- exceptions: the feed "allow", made at first use ----------------------------------------- */
#define SINKHOLE_ALLOW_FEED "allow"
struct sinkhole_exception {
    struct sinkhole_name name;
    enum sinkhole_scope scope;
    int64_t until;      /* Unix seconds, 0: no end */
    const char *reason; /* never empty */
    const char *who;    /* the process's own user */
    const char *reference; /* a letter; may be NULL */
};
/* Adds it, or replaces the name's own. REFUSED (outcome.reason): the root,
 * top-level domains; public suffixes unless exactly or protected. */
enum sinkhole_feeds_status sinkhole_exception_put(const struct sinkhole_feeds *feeds,
                                                  const struct sinkhole_exception *exception,
                                                  struct sinkhole_feeds_outcome *ret_outcome);
enum sinkhole_feeds_status sinkhole_exception_remove(const struct sinkhole_feeds *feeds,
                                                     const struct sinkhole_name *name,
                                                     const char *who,
                                                     struct sinkhole_feeds_outcome *ret_outcome);
/* The user that runs this process, never empty. */
void sinkhole_process_user(char *buf, size_t size);

#endif
