/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Longest-prefix match over one hash table: a look-up tries only the lengths that are in use, the
 * longest first. A ministry has a handful of lengths.
 * Threads: immutable once built. Memory: 24 octets a slot, at most two thirds full.
 */
#include "sinkhole/units.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define BITS_MAX 128
#define SLOTS_FIRST 64

struct slot {
    struct sinkhole_address address; /* family 0: empty */
    uint8_t bits;
    uint32_t value;
};

struct sinkhole_units {
    struct slot *slots;
    size_t size, used;                   /* size: a power of two */
    uint32_t of_length[2][BITS_MAX + 1]; /* prefixes of each length; [0] IPv4, [1] IPv6 */
};

static uint8_t family_bits(uint8_t family)
{
    return family == 4 ? 32 : 128;
}

/* IPv4-mapped IPv6 becomes IPv4. */
static void address_unmap(struct sinkhole_address *address)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

    if (address->family != 6 || memcmp(address->octets, mapped, sizeof(mapped)) != 0)
        return;
    memmove(address->octets, address->octets + 12, 4);
    memset(address->octets + 4, 0, 12);
    address->family = 4;
}

/* As written, mapped addresses left as they are. */
static bool address_parse(const char *text, size_t len, struct sinkhole_address *ret_address)
{
    struct sinkhole_address address = {0};
    char buf[SINKHOLE_ADDRESS_TEXT_MAX];

    if (len == 0 || len >= sizeof(buf) || memchr(text, '\0', len) != NULL)
        return false;
    memcpy(buf, text, len);
    buf[len] = '\0';
    if (inet_pton(AF_INET, buf, address.octets) == 1)
        address.family = 4;
    else if (inet_pton(AF_INET6, buf, address.octets) == 1)
        address.family = 6;
    else
        return false;
    *ret_address = address;
    return true;
}

bool sinkhole_address_from_text(const char *text, size_t len, struct sinkhole_address *ret_address)
{
    struct sinkhole_address address;

    if (!address_parse(text, len, &address))
        return false;
    address_unmap(&address);
    *ret_address = address;
    return true;
}

size_t sinkhole_address_to_text(const struct sinkhole_address *address, char *buf, size_t size)
{
    char text[INET6_ADDRSTRLEN] = "";
    size_t len;

    if (size == 0)
        return 0;
    if (address->family == 4 || address->family == 6)
        inet_ntop(address->family == 4 ? AF_INET : AF_INET6, address->octets, text, sizeof(text));
    len = strnlen(text, size - 1);
    memcpy(buf, text, len);
    buf[len] = '\0';
    return len;
}

static void address_mask(struct sinkhole_address *address, unsigned bits)
{
    size_t whole = bits / 8;

    if (whole >= sizeof(address->octets))
        return;
    address->octets[whole] &= (uint8_t)(0xff00 >> (bits % 8));
    memset(address->octets + whole + 1, 0, sizeof(address->octets) - whole - 1);
}

static bool bits_parse(const char *text, size_t len, unsigned most, unsigned *ret_bits)
{
    unsigned bits = 0;

    if (len == 0 || len > 3 || (len > 1 && text[0] == '0'))
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        bits = bits * 10 + (unsigned)(text[i] - '0');
    }
    *ret_bits = bits;
    return bits <= most;
}

bool sinkhole_prefix_from_text(const char *text, size_t len, struct sinkhole_prefix *ret_prefix)
{
    const char *slash = memchr(text, '/', len);
    size_t address_len = slash != NULL ? (size_t)(slash - text) : len;
    struct sinkhole_prefix prefix;
    struct sinkhole_address masked;
    unsigned bits;

    if (!address_parse(text, address_len, &prefix.address))
        return false;
    bits = family_bits(prefix.address.family);
    if (slash != NULL && !bits_parse(slash + 1, len - address_len - 1, bits, &bits))
        return false;
    masked = prefix.address;
    address_unmap(&masked);
    if (masked.family != prefix.address.family) {
        if (bits < 96)
            return false;
        bits -= 96;
        prefix.address = masked;
    }
    address_mask(&masked, bits);
    if (memcmp(&masked, &prefix.address, sizeof(masked)) != 0)
        return false;
    prefix.bits = (uint8_t)bits;
    *ret_prefix = prefix;
    return true;
}

size_t sinkhole_prefix_to_text(const struct sinkhole_prefix *prefix, char *buf, size_t size)
{
    char text[SINKHOLE_ADDRESS_TEXT_MAX], whole[SINKHOLE_ADDRESS_TEXT_MAX + 4];
    size_t len;

    if (size == 0)
        return 0;
    sinkhole_address_to_text(&prefix->address, text, sizeof(text));
    snprintf(whole, sizeof(whole), "%s/%u", text, prefix->bits);
    len = strnlen(whole, size - 1);
    memcpy(buf, whole, len);
    buf[len] = '\0';
    return len;
}

struct sinkhole_units *sinkhole_units_new(void)
{
    return calloc(1, sizeof(struct sinkhole_units));
}

void sinkhole_units_free(struct sinkhole_units *units)
{
    if (units != NULL)
        free(units->slots);
    free(units);
}

/* The slot of a prefix, or the empty one where it would stand. */
static struct slot *slot_find(struct slot *slots, size_t size,
                              const struct sinkhole_address *address, unsigned bits)
{
    uint64_t hash = XXH3_64bits_withSeed(address, sizeof(*address), bits);

    for (size_t i = (size_t)hash & (size - 1);; i = (i + 1) & (size - 1))
        if (slots[i].address.family == 0 ||
            (slots[i].bits == bits && memcmp(&slots[i].address, address, sizeof(*address)) == 0))
            return &slots[i];
}

static bool units_grow(struct sinkhole_units *units)
{
    size_t size = units->size > 0 ? units->size * 2 : SLOTS_FIRST;
    struct slot *slots;

    if (units->used < units->size * 2 / 3)
        return true;
    slots = calloc(size, sizeof(*slots));
    if (slots == NULL)
        return false;
    for (size_t i = 0; i < units->size; i++)
        if (units->slots[i].address.family != 0)
            *slot_find(slots, size, &units->slots[i].address, units->slots[i].bits) =
                units->slots[i];
    free(units->slots);
    units->slots = slots;
    units->size = size;
    return true;
}

bool sinkhole_units_add(struct sinkhole_units *units, const struct sinkhole_prefix *prefix,
                        uint32_t value)
{
    struct sinkhole_address masked = prefix->address;
    struct slot *slot;

    if ((masked.family != 4 && masked.family != 6) || prefix->bits > family_bits(masked.family))
        return false;
    address_mask(&masked, prefix->bits);
    if (memcmp(&masked, &prefix->address, sizeof(masked)) != 0 || !units_grow(units))
        return false;
    slot = slot_find(units->slots, units->size, &prefix->address, prefix->bits);
    if (slot->address.family != 0)
        return slot->value == value;
    if (units->used >= SINKHOLE_UNITS_MAX)
        return false;
    *slot = (struct slot){.address = prefix->address, .bits = prefix->bits, .value = value};
    units->used++;
    units->of_length[prefix->address.family == 6][prefix->bits]++;
    return true;
}

bool sinkhole_units_find(const struct sinkhole_units *units, const struct sinkhole_address *address,
                         uint32_t *ret_value, struct sinkhole_prefix *ret_prefix)
{
    struct sinkhole_address masked = *address;

    if (units->used == 0 || (address->family != 4 && address->family != 6))
        return false;
    address_unmap(&masked);
    for (int bits = family_bits(masked.family); bits >= 0; bits--) {
        const struct slot *slot;

        if (units->of_length[masked.family == 6][bits] == 0)
            continue;
        address_mask(&masked, (unsigned)bits);
        slot = slot_find(units->slots, units->size, &masked, (unsigned)bits);
        if (slot->address.family == 0)
            continue;
        *ret_value = slot->value;
        *ret_prefix = (struct sinkhole_prefix){.address = masked, .bits = (uint8_t)bits};
        return true;
    }
    return false;
}
