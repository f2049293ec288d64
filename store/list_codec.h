/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The blocklist's values in Redis, decoded, proved and made: pure, no I/O. The synchronous store
 * and the agent's asynchronous follower share it (doc/redis.md has the formats).
 *
 * A *line* is "key TAB id" (key as in name.h, id decimal). A *chunk* is a zstd frame of lines, each
 * ended by LF, sorted by key and then id. A *part* is the same with "+" or "-" before each line:
 * one piece of one generation's changes. The *digest* is the sum modulo 2^128 of SipHash-128 of
 * lines.
 *
 * In the order of use, from a snapshot S to the head's generation G:
 *   sinkhole_list_root_set for each field of the head; _root_check
 *   sinkhole_list_decoder_reset(CHUNK); for each chunk _open, and _next until END, each line into
 *   the digest; then count and digest must be the root's snapshot_entries and snapshot_digest
 *   sinkhole_list_follow_start(S); for each log entry _log_entry_id, _log_entry_set, _list_follow
 *   (which decodes, proves and appends to the overlay); sinkhole_overlay_settle; walk or merge.
 *
 * Feeds and batches (JSON) are read by list_json.h.
 *
 * Threads: an object belongs to one thread. Memory: a decoder holds one value's text, at most
 * SINKHOLE_LIST_TEXT_MAX; an overlay what its lines need, at most max_bytes.
 */
#ifndef SINKHOLE_LIST_CODEC_H
#define SINKHOLE_LIST_CODEC_H

#include "sinkhole/blocklist.h"

#define SINKHOLE_LIST_LINES 65536         /* in a value: then full (a key's ids stay together) */
#define SINKHOLE_LIST_TEXT_MAX (8u << 20) /* octets of text in one value */
#define SINKHOLE_SNAPSHOT_NAME_MAX 29     /* "<generation>-<8 hexadecimal digits>" */
#define SINKHOLE_DIGEST_KEY_LEN 16

enum sinkhole_codec_status {
    SINKHOLE_CODEC_OK = 0,
    SINKHOLE_CODEC_END,   /* no line left in this value */
    SINKHOLE_CODEC_FULL,  /* encoder: finish this value, then add again */
    SINKHOLE_CODEC_FRAME, /* not one whole zstd frame, or its checksum is wrong */
    SINKHOLE_CODEC_LARGE, /* more text than SINKHOLE_LIST_TEXT_MAX; overlay: more than max_bytes */
    SINKHOLE_CODEC_LINE,  /* not a line */
    SINKHOLE_CODEC_KEY,   /* not a key (name.h) */
    SINKHOLE_CODEC_ID,    /* not 1..2^32-1 without leading zero */
    SINKHOLE_CODEC_ORDER, /* not above the line before it */
    SINKHOLE_CODEC_FIELD, /* head or log entry: a field is missing or not what it must be */
    SINKHOLE_CODEC_GAP,   /* log: not the generation and part that must come next */
    SINKHOLE_CODEC_CONTRADICTION, /* adds what is there, removes what is not; count, digest */
    SINKHOLE_CODEC_SNAPSHOT,      /* log: this generation is a new snapshot: read all again */
    SINKHOLE_CODEC_NO_MEMORY,
};
const char *sinkhole_codec_status_text(enum sinkhole_codec_status status); /* never NULL */

/* --- digest --- */
struct sinkhole_digest { /* zeroed: of no line */
    uint64_t low, high;
};
/* `line` without sign and LF. */
void sinkhole_digest_add(struct sinkhole_digest *digest, const uint8_t key[SINKHOLE_DIGEST_KEY_LEN],
                         const char *line, size_t len);
void sinkhole_digest_subtract(struct sinkhole_digest *digest,
                              const uint8_t key[SINKHOLE_DIGEST_KEY_LEN], const char *line,
                              size_t len);
void sinkhole_digest_sum(struct sinkhole_digest *digest, const struct sinkhole_digest *other);
/* Little-endian octets, as in the index; hexadecimal of those octets in Redis. */
void sinkhole_digest_octets(const struct sinkhole_digest *digest,
                            uint8_t octets[SINKHOLE_DIGEST_LEN]);
struct sinkhole_digest sinkhole_digest_from_octets(const uint8_t octets[SINKHOLE_DIGEST_LEN]);

/* --- values --- */
struct sinkhole_list_line {
    const char *text; /* "key TAB id", `text_len` octets, not terminated: what the digest sums */
    uint16_t text_len;
    uint16_t key_len; /* the key is text's beginning */
    uint32_t id;
    bool remove; /* a part's "-" */
};

enum sinkhole_list_kind { SINKHOLE_LIST_CHUNK, SINKHOLE_LIST_PART };

struct sinkhole_list_decoder;                                  /* opaque */
struct sinkhole_list_decoder *sinkhole_list_decoder_new(void); /* NULL: no memory */
void sinkhole_list_decoder_free(struct sinkhole_list_decoder *decoder);
/* Before the first chunk of a snapshot or the first part of a generation: forgets the last line. */
void sinkhole_list_decoder_reset(struct sinkhole_list_decoder *decoder,
                                 enum sinkhole_list_kind kind);
/* The next value: OK, FRAME, LARGE, NO_MEMORY. `data` is not needed afterwards. */
enum sinkhole_codec_status sinkhole_list_decoder_open(struct sinkhole_list_decoder *decoder,
                                                      const void *data, size_t len);
/* OK, END, LINE, KEY, ID, ORDER (also across the values since _reset). The line is valid until the
 * next _open. */
enum sinkhole_codec_status sinkhole_list_decoder_next(struct sinkhole_list_decoder *decoder,
                                                      struct sinkhole_list_line *ret_line);

struct sinkhole_list_encoder; /* opaque */
struct sinkhole_list_encoder *sinkhole_list_encoder_new(enum sinkhole_list_kind kind);
void sinkhole_list_encoder_free(struct sinkhole_list_encoder *encoder);
/* OK, FULL (nothing added), KEY, ID, ORDER. */
enum sinkhole_codec_status sinkhole_list_encoder_add(struct sinkhole_list_encoder *encoder,
                                                     const char *key, size_t key_len, uint32_t id,
                                                     bool remove);
uint64_t sinkhole_list_encoder_lines(
    const struct sinkhole_list_encoder *encoder); /* since the last finish */
/* Key of the first line since the last finish; "" when there is none. */
const char *sinkhole_list_encoder_first(const struct sinkhole_list_encoder *encoder);
/* The value; valid until the next _add. OK (also with no line), NO_MEMORY. */
enum sinkhole_codec_status sinkhole_list_encoder_finish(struct sinkhole_list_encoder *encoder,
                                                        const void **ret_data, size_t *ret_len);

/* True when key[0..len) is a key as sinkhole_name_from_key() takes it: a tight scan, no copy. */
bool sinkhole_list_key_valid(const char *key, size_t len);
/* "key TAB id" without terminator into `text` (at least key_len + 11 octets); its length. */
size_t sinkhole_list_line_text(char *text, const char *key, size_t key_len, uint32_t id);
/* memcmp order of keys, then ids. */
int sinkhole_list_line_compare(const char *a, size_t a_len, uint32_t a_id, const char *b,
                               size_t b_len, uint32_t b_id);

/* --- head --- */
struct sinkhole_list_root { /* zeroed: no list yet */
    struct sinkhole_list_head head;
    uint64_t snapshot_entries;
    uint8_t snapshot_digest[SINKHOLE_DIGEST_LEN];
    uint64_t chunks;    /* in the snapshot; 0: an empty one */
    uint64_t meta;      /* version of feeds and batches */
    uint64_t log_lines; /* in the log since the snapshot */
    char snapshot_name[SINKHOLE_SNAPSHOT_NAME_MAX + 1];
    char publication[17]; /* random, of the last publication */
    uint32_t seen;        /* bits of fields set */
};
/* One field of HGETALL head; unknown fields are left alone. OK or FIELD. */
enum sinkhole_codec_status sinkhole_list_root_set(struct sinkhole_list_root *root,
                                                  const char *field, size_t field_len,
                                                  const char *value, size_t value_len);
/* After all fields. OK (also without any: an empty list, generation 0) or FIELD. */
enum sinkhole_codec_status sinkhole_list_root_check(const struct sinkhole_list_root *root);

/* --- log --- */
struct sinkhole_log_entry {    /* zeroed before _id and _set */
    uint64_t generation, part; /* part from 1 */
    const void *z;             /* a part's value, NULL: no line; points into what was given */
    size_t z_len;
    uint64_t parts, entries, meta; /* of the last part, which has `parts` */
    uint8_t digest[SINKHOLE_DIGEST_LEN];
    bool snapshot; /* this generation came as a new snapshot */
    uint32_t seen;
};
enum sinkhole_codec_status sinkhole_log_entry_id(struct sinkhole_log_entry *entry, const char *id,
                                                 size_t len);
enum sinkhole_codec_status sinkhole_log_entry_set(struct sinkhole_log_entry *entry,
                                                  const char *field, size_t field_len,
                                                  const char *value, size_t value_len);

/* --- net change since a snapshot --- */
struct sinkhole_overlay; /* opaque: lines with a sign, sorted by key and id, at most one per line */
struct sinkhole_overlay *sinkhole_overlay_new(size_t max_bytes); /* NULL: no memory */
void sinkhole_overlay_free(struct sinkhole_overlay *overlay);
void sinkhole_overlay_clear(struct sinkhole_overlay *overlay);
/* Appends one line of a generation (in any order when settled before the next generation comes;
 * sorted ones are cheaper). OK, LARGE, NO_MEMORY. */
enum sinkhole_codec_status sinkhole_overlay_append(struct sinkhole_overlay *overlay,
                                                   const char *key, size_t key_len, uint32_t id,
                                                   bool remove);
/* Makes the net of all appended: add then remove is nothing, remove then add likewise. Two adds or
 * two removes of one line in sequence: CONTRADICTION. OK, NO_MEMORY. Cost: one merge over the
 * overlay. */
enum sinkhole_codec_status sinkhole_overlay_settle(struct sinkhole_overlay *overlay);
size_t sinkhole_overlay_count(const struct sinkhole_overlay *overlay); /* settled lines */
/* Settled line number i, in order. `text` is the key alone here: text_len is key_len. */
void sinkhole_overlay_line(const struct sinkhole_overlay *overlay, size_t i,
                           struct sinkhole_list_line *ret_line);
/* Index of the first settled line whose key is >= key. */
size_t sinkhole_overlay_seek(const struct sinkhole_overlay *overlay, const char *key,
                             size_t key_len);

/* --- follower --- */
struct sinkhole_list_follower {
    uint64_t generation, part;      /* last one whole; parts of the next one seen so far */
    uint64_t entries, meta;         /* as of generation */
    struct sinkhole_digest digest;  /* as of generation */
    struct sinkhole_digest pending; /* of the generation under way */
    int64_t pending_entries;
    uint8_t key[SINKHOLE_DIGEST_KEY_LEN];
};
void sinkhole_list_follow_start(struct sinkhole_list_follower *follower,
                                const struct sinkhole_list_root *root,
                                const uint8_t key[SINKHOLE_DIGEST_KEY_LEN]); /* at the snapshot */
/* One log entry, in stream order: its lines are appended to the overlay (not settled). *ret_whole:
 * a generation is complete, its count and digest proved. Any status but OK: start over from head
 * and chunks (SNAPSHOT: because that is how this generation came; GAP, CONTRADICTION, ...: because
 * something was lost or is wrong). */
enum sinkhole_codec_status sinkhole_list_follow(struct sinkhole_list_follower *follower,
                                                struct sinkhole_list_decoder *decoder,
                                                const struct sinkhole_log_entry *entry,
                                                struct sinkhole_overlay *overlay, bool *ret_whole);

#endif
