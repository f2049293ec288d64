/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The one encoding of a hit; layout in doc/journal-format.md.
 *
 * What distinguishes a repeated hit from the one before it, time and port, stands first, so that
 * the rest serves as the key of the journal's repetition table as it is.
 *
 * Threads: pure functions. Memory: none.
 */
#include "lib/journal_format.h"

#include <string.h>

#define NAME_SHARED 1u /* the listed name is the end of the asked one, from octet `indicator` on */

struct hit_head {
    int64_t time_ms;
    uint16_t port;
    uint16_t qtype;
    uint32_t rule;
    uint64_t generation;
    uint16_t qclass;
    uint8_t version;
    uint8_t transport;
    uint8_t client_source;
    uint8_t action;
    uint8_t rcode;
    uint8_t flags;
    uint8_t families; /* client | answer << 4 */
    uint8_t names;    /* 0 or NAME_SHARED */
    uint8_t qname_len;
    uint8_t indicator; /* its length, or where it starts in the asked name */
    uint8_t reserved[4];
};
_Static_assert(sizeof(struct hit_head) == 40, "head of an encoded hit");
_Static_assert(offsetof(struct hit_head, qtype) == HIT_KEY_OFFSET, "time and port stand first");
_Static_assert(sizeof(struct hit_head) == HIT_ENCODED_MIN - 5, "smallest: 4 octets and the root");
_Static_assert(sizeof(struct hit_head) + 2 * 16 + 2 * SINKHOLE_NAME_WIRE_MAX <=
                   SINKHOLE_HIT_ENCODED_MAX,
               "the longest hit fits"); /* and a short one whose addresses are copied whole */

static size_t address_len(uint8_t family)
{
    return family == 4 ? 4 : family == 6 ? 16 : 0;
}

/* Where `ancestor` starts in `name` when it is its end, label by label; -1 when it is not. */
static int shared_offset(const struct sinkhole_name *name, const struct sinkhole_name *ancestor)
{
    if (ancestor->wire_len == 0 || ancestor->wire_len > name->wire_len ||
        ancestor->labels > name->labels)
        return -1;

    const size_t want = (size_t)name->wire_len - ancestor->wire_len;
    size_t off = 0;

    while (off < want)
        off += (size_t)name->wire[off] + 1;
    if (off != want || memcmp(name->wire + off, ancestor->wire, ancestor->wire_len) != 0)
        return -1;
    return (int)off;
}

/* Into a buffer that holds the longest hit: an address may then be copied whole, what is beyond it
 * is written over. */
static size_t encode_whole(const struct sinkhole_hit *hit, uint8_t buf[SINKHOLE_HIT_ENCODED_MAX])
{
    const int shared = shared_offset(&hit->qname, &hit->indicator);
    const struct hit_head head = {
        .time_ms = hit->time_ms,
        .port = hit->port,
        .qtype = hit->qtype,
        .rule = hit->rule,
        .generation = hit->generation,
        .qclass = hit->qclass,
        .version = HIT_VERSION,
        .transport = hit->transport,
        .client_source = hit->client_source,
        .action = hit->action,
        .rcode = hit->rcode,
        .flags = hit->flags,
        .families = (uint8_t)(hit->client.family | hit->answer.family << 4),
        .names = shared >= 0 ? NAME_SHARED : 0,
        .qname_len = hit->qname.wire_len,
        .indicator = shared >= 0 ? (uint8_t)shared : hit->indicator.wire_len,
    };
    uint8_t *at = buf + sizeof(head);

    memcpy(buf, &head, sizeof(head));
    memcpy(at, hit->client.octets, sizeof(hit->client.octets));
    at += address_len(hit->client.family);
    memcpy(at, hit->answer.octets, sizeof(hit->answer.octets));
    at += address_len(hit->answer.family);
    memcpy(at, hit->qname.wire, hit->qname.wire_len);
    at += hit->qname.wire_len;
    if (shared < 0) {
        memcpy(at, hit->indicator.wire, hit->indicator.wire_len);
        at += hit->indicator.wire_len;
    }
    return (size_t)(at - buf);
}

size_t sinkhole_hit_encode(const struct sinkhole_hit *hit, uint8_t *buf, size_t size)
{
    uint8_t whole[SINKHOLE_HIT_ENCODED_MAX];

    if (size >= SINKHOLE_HIT_ENCODED_MAX)
        return encode_whole(hit, buf);

    const size_t len = encode_whole(hit, whole);

    if (len > size)
        return 0;
    memcpy(buf, whole, len);
    return len;
}

/* Takes an address of this family off the front of the buffer. */
static bool take_address(const uint8_t **at, size_t *left, unsigned family, bool may_be_none,
                         struct sinkhole_address *ret_address)
{
    const size_t len = address_len((uint8_t)family);

    if ((len == 0 && !(family == 0 && may_be_none)) || len > *left)
        return false;
    ret_address->family = (uint8_t)family;
    memcpy(ret_address->octets, *at, len);
    *at += len;
    *left -= len;
    return true;
}

/* A name that fills exactly `len` octets. */
static bool exact_name(const uint8_t *wire, size_t len, struct sinkhole_name *ret_name)
{
    return sinkhole_name_from_wire(wire, len, ret_name) == SINKHOLE_NAME_OK &&
           ret_name->wire_len == len;
}

/* Both names, which are the rest of the buffer. */
static bool take_names(const struct hit_head *head, const uint8_t *at, size_t left,
                       struct sinkhole_hit *ret_hit)
{
    const size_t qname_len = head->qname_len;

    if (qname_len > left || !exact_name(at, qname_len, &ret_hit->qname))
        return false;
    if (head->names == NAME_SHARED) {
        size_t off = 0;

        while (off < head->indicator)
            off += (size_t)ret_hit->qname.wire[off] + 1;
        return left == qname_len && off == head->indicator && off < qname_len &&
               exact_name(at + off, qname_len - off, &ret_hit->indicator);
    }
    return head->names == 0 && left == qname_len + head->indicator &&
           exact_name(at + qname_len, head->indicator, &ret_hit->indicator);
}

bool sinkhole_hit_decode(const uint8_t *buf, size_t len, struct sinkhole_hit *ret_hit)
{
    struct hit_head head;

    if (len < sizeof(head) || len > SINKHOLE_HIT_ENCODED_MAX)
        return false;
    memcpy(&head, buf, sizeof(head));
    if (head.version != HIT_VERSION || head.transport > SINKHOLE_TRANSPORT_DOH ||
        head.client_source > SINKHOLE_CLIENT_MAC || head.action > SINKHOLE_ACTION_ALLOW ||
        head.flags > 15 || head.rcode > 15 || head.time_ms < 0)
        return false;

    struct sinkhole_hit hit = {
        .time_ms = head.time_ms,
        .count = 1,
        .rule = head.rule,
        .generation = head.generation,
        .port = head.port,
        .qtype = head.qtype,
        .qclass = head.qclass,
        .transport = head.transport,
        .client_source = head.client_source,
        .action = head.action,
        .rcode = head.rcode,
        .flags = head.flags,
    };
    const uint8_t *at = buf + sizeof(head);
    size_t left = len - sizeof(head);

    if (!take_address(&at, &left, head.families & 15u, false, &hit.client) ||
        !take_address(&at, &left, head.families >> 4, true, &hit.answer) ||
        !take_names(&head, at, left, &hit))
        return false;
    *ret_hit = hit;
    return true;
}
