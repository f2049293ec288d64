/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Names, checked once at the door.
 *
 * Two forms of a domain name. The *wire form* (RFC 1035 3.1) is what a query carries: any octet may
 * stand in a label; ours is lower-cased (A-Z only, RFC 4343). The *key* is what a list carries: the
 * labels from the root side down, joined by one space ("com example www"), only of a-z 0-9 - and _.
 * Byte order of keys is the canonical order of RFC 4034 6.1, since the space sorts below all of
 * them, and an ancestor's key is a prefix of its descendants' keys. The key is the form used in
 * Redis and in the index file.
 *
 * Threads: pure functions. Memory: none taken; everything is a value.
 */
#ifndef SINKHOLE_NAME_H
#define SINKHOLE_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SINKHOLE_NAME_WIRE_MAX 255 /* octets, root label included (RFC 1035 2.3.4) */
#define SINKHOLE_NAME_LABEL_MAX 63
#define SINKHOLE_KEY_MAX 253             /* octets, without terminator */
#define SINKHOLE_NAME_TEXT_MAX 1025      /* escaped presentation form and terminator */

struct sinkhole_name {
    uint8_t wire_len; /* 1..255, root label included */
    uint8_t labels;   /* without the root: "." has 0 */
    uint8_t wire[SINKHOLE_NAME_WIRE_MAX];
};

struct sinkhole_key {
    uint8_t len; /* 1..253; the root has no key */
    char text[SINKHOLE_KEY_MAX + 1];
};

enum sinkhole_name_status {
    SINKHOLE_NAME_OK = 0,
    SINKHOLE_NAME_EMPTY,      /* no character, or an empty label inside */
    SINKHOLE_NAME_LABEL_LONG, /* a label over 63 octets */
    SINKHOLE_NAME_LONG,       /* over 255 octets in wire form */
    SINKHOLE_NAME_CHARACTER,  /* an octet outside a-z A-Z 0-9 - _ (text), or bad escape */
    SINKHOLE_NAME_HYPHEN,     /* a label begins or ends with a hyphen */
    SINKHOLE_NAME_TRUNCATED,  /* wire form ends before its root label, or has a pointer */
};

/* One English phrase for a status, never NULL. */
const char *sinkhole_name_status_text(enum sinkhole_name_status status);

/* Host name as text, of `len` octets, trailing dot allowed, "." is the root. ASCII only (IDN is
 * text.h's). Lower-cases. On any status but OK *ret_name is left alone. */
enum sinkhole_name_status sinkhole_name_from_text(const char *text, size_t len,
                                                  struct sinkhole_name *ret_name);

/* Uncompressed wire form of at most `len` octets; any octet allowed in labels; lower-cases A-Z. */
enum sinkhole_name_status sinkhole_name_from_wire(const uint8_t *wire, size_t len,
                                                  struct sinkhole_name *ret_name);

/* Presentation form without trailing dot ("." for the root), octets outside ! to ~ and . \ " ( ) ;
 * @ $ escaped as \DDD or \X (RFC 1035 5.1). `buf` of SINKHOLE_NAME_TEXT_MAX always suffices; a
 * smaller one gets a cut, terminated text. Returns the length written without terminator. */
size_t sinkhole_name_to_text(const struct sinkhole_name *name, char *buf, size_t size);

/* False when the name is the root or has an octet that no list can carry. */
bool sinkhole_key_from_name(const struct sinkhole_name *name, struct sinkhole_key *ret_key);
/* The same for the suffix of a checked wire form that starts at `off` (a label's length octet). */
bool sinkhole_key_from_wire(const uint8_t *wire, size_t wire_len, size_t off,
                            struct sinkhole_key *ret_key);
/* Checks everything (characters, lengths, hyphens): for keys that come from a file or from Redis.
 */
enum sinkhole_name_status sinkhole_name_from_key(const char *key, size_t len,
                                                 struct sinkhole_name *ret_name);
/* True when `name` is `ancestor` or lies below it. */
bool sinkhole_name_is_at_or_below(const struct sinkhole_name *name,
                                  const struct sinkhole_name *ancestor);

#endif
