/* SPDX-License-Identifier: BSD-3-Clause */
/* Lines, chunks and parts: decoded, checked, made. Threads and memory: see list_codec.h. */
#include "store/list_codec.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <sodium/crypto_shorthash_siphash24.h>
#include <zstd.h>

#define LEVEL 3
#define LINE_ROOM (1 + SINKHOLE_KEY_MAX + 1 + 10 + 1) /* sign, key, TAB, id, LF */

_Static_assert(crypto_shorthash_siphashx24_BYTES == SINKHOLE_DIGEST_LEN, "digest");
_Static_assert(crypto_shorthash_siphashx24_KEYBYTES == SINKHOLE_DIGEST_KEY_LEN, "digest key");

const char *sinkhole_codec_status_text(enum sinkhole_codec_status status)
{
    static const char *const texts[] = {
        [SINKHOLE_CODEC_OK] = "in order",
        [SINKHOLE_CODEC_END] = "no line left",
        [SINKHOLE_CODEC_FULL] = "value is full",
        [SINKHOLE_CODEC_FRAME] = "not one whole zstd frame, or its checksum is wrong",
        [SINKHOLE_CODEC_LARGE] = "larger than allowed",
        [SINKHOLE_CODEC_LINE] = "not a line of key, TAB, id",
        [SINKHOLE_CODEC_KEY] = "not a key",
        [SINKHOLE_CODEC_ID] = "not a rule id",
        [SINKHOLE_CODEC_ORDER] = "a line is not above the one before it",
        [SINKHOLE_CODEC_FIELD] = "a field is missing or not what it must be",
        [SINKHOLE_CODEC_GAP] = "not the generation and part that must come next",
        [SINKHOLE_CODEC_CONTRADICTION] = "lines, count and digest contradict each other",
        [SINKHOLE_CODEC_SNAPSHOT] = "came as a new snapshot",
        [SINKHOLE_CODEC_NO_MEMORY] = "no memory",
    };

    if ((size_t)status >= sizeof(texts) / sizeof(texts[0]) || texts[status] == NULL)
        return "unknown status";
    return texts[status];
}

/* --- digest --- */

static uint64_t load64(const uint8_t *octets)
{
    uint64_t value;

    memcpy(&value, octets, sizeof(value)); /* little-endian machines only: configure checks */
    return value;
}

static struct sinkhole_digest hash_line(const uint8_t *key, const char *line, size_t len)
{
    uint8_t out[SINKHOLE_DIGEST_LEN];

    crypto_shorthash_siphashx24(out, (const unsigned char *)line, len, key);
    return sinkhole_digest_from_octets(out);
}

void sinkhole_digest_sum(struct sinkhole_digest *digest, const struct sinkhole_digest *other)
{
    digest->low += other->low;
    digest->high += other->high + (digest->low < other->low);
}

void sinkhole_digest_add(struct sinkhole_digest *digest, const uint8_t key[SINKHOLE_DIGEST_KEY_LEN],
                         const char *line, size_t len)
{
    struct sinkhole_digest one = hash_line(key, line, len);

    sinkhole_digest_sum(digest, &one);
}

void sinkhole_digest_subtract(struct sinkhole_digest *digest,
                              const uint8_t key[SINKHOLE_DIGEST_KEY_LEN], const char *line,
                              size_t len)
{
    struct sinkhole_digest one = hash_line(key, line, len);

    digest->high -= one.high + (digest->low < one.low);
    digest->low -= one.low;
}

void sinkhole_digest_octets(const struct sinkhole_digest *digest,
                            uint8_t octets[SINKHOLE_DIGEST_LEN])
{
    memcpy(octets, &digest->low, 8);
    memcpy(octets + 8, &digest->high, 8);
}

struct sinkhole_digest sinkhole_digest_from_octets(const uint8_t octets[SINKHOLE_DIGEST_LEN])
{
    return (struct sinkhole_digest){.low = load64(octets), .high = load64(octets + 8)};
}

/* --- lines --- */

enum { BAD, WORD, HYPHEN, SPACE };

#define W WORD
static const uint8_t classes[256] = {
    [' '] = SPACE, ['-'] = HYPHEN, ['_'] = W, ['0'] = W, ['1'] = W, ['2'] = W, ['3'] = W, ['4'] = W,
    ['5'] = W,     ['6'] = W,      ['7'] = W, ['8'] = W, ['9'] = W, ['a'] = W, ['b'] = W, ['c'] = W,
    ['d'] = W,     ['e'] = W,      ['f'] = W, ['g'] = W, ['h'] = W, ['i'] = W, ['j'] = W, ['k'] = W,
    ['l'] = W,     ['m'] = W,      ['n'] = W, ['o'] = W, ['p'] = W, ['q'] = W, ['r'] = W, ['s'] = W,
    ['t'] = W,     ['u'] = W,      ['v'] = W, ['w'] = W, ['x'] = W, ['y'] = W, ['z'] = W,
};
#undef W

/* Length of the key at the beginning of text, up to the first octet no key has; 0: none there. */
static size_t scan_key(const char *text, size_t len)
{
    size_t i, label = 0; /* where the label began */

    for (i = 0; i < len; i++) {
        uint8_t class = classes[(uint8_t)text[i]];

        if (class == WORD)
            continue;
        if (class == BAD)
            break;
        if (class == HYPHEN) {
            if (i == label)
                return 0;
            continue;
        }
        if (i == label || i - label > SINKHOLE_NAME_LABEL_MAX || text[i - 1] == '-')
            return 0;
        label = i + 1;
    }
    if (i == label || i - label > SINKHOLE_NAME_LABEL_MAX || text[i - 1] == '-' ||
        i > SINKHOLE_KEY_MAX)
        return 0;
    return i;
}

bool sinkhole_list_key_valid(const char *key, size_t len)
{
    return len > 0 && len <= SINKHOLE_KEY_MAX && scan_key(key, len) == len;
}

int sinkhole_list_line_compare(const char *a, size_t a_len, uint32_t a_id, const char *b,
                               size_t b_len, uint32_t b_id)
{
    int order = memcmp(a, b, a_len < b_len ? a_len : b_len);

    if (order != 0)
        return order;
    if (a_len != b_len)
        return a_len < b_len ? -1 : 1;
    return (a_id > b_id) - (a_id < b_id);
}

static size_t put_number(char *at, uint32_t number)
{
    char digits[10];
    size_t n = 0;

    do {
        digits[n++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    for (size_t i = 0; i < n; i++)
        at[i] = digits[n - 1 - i];
    return n;
}

size_t sinkhole_list_line_text(char *text, const char *key, size_t key_len, uint32_t id)
{
    memcpy(text, key, key_len);
    text[key_len] = '\t';
    return key_len + 1 + put_number(text + key_len + 1, id);
}

/* --- decoder --- */

struct sinkhole_list_decoder {
    ZSTD_DCtx *zstd;
    char *text; /* of the open value */
    size_t room, len, at;
    enum sinkhole_list_kind kind;
    const char *last; /* key of the line before: in text, or in carry */
    size_t last_len;
    uint32_t last_id;
    char carry[SINKHOLE_KEY_MAX];
};

struct sinkhole_list_decoder *sinkhole_list_decoder_new(void)
{
    struct sinkhole_list_decoder *decoder = calloc(1, sizeof(*decoder));

    if (decoder == NULL)
        return NULL;
    decoder->zstd = ZSTD_createDCtx();
    if (decoder->zstd == NULL) {
        free(decoder);
        return NULL;
    }
    decoder->last = decoder->carry;
    return decoder;
}

void sinkhole_list_decoder_free(struct sinkhole_list_decoder *decoder)
{
    if (decoder == NULL)
        return;
    ZSTD_freeDCtx(decoder->zstd);
    free(decoder->text);
    free(decoder);
}

void sinkhole_list_decoder_reset(struct sinkhole_list_decoder *decoder,
                                 enum sinkhole_list_kind kind)
{
    decoder->kind = kind;
    decoder->last_len = 0;
    decoder->last = decoder->carry;
    decoder->len = decoder->at = 0;
}

enum sinkhole_codec_status sinkhole_list_decoder_open(struct sinkhole_list_decoder *decoder,
                                                      const void *data, size_t len)
{
    unsigned long long size = ZSTD_getFrameContentSize(data, len);
    size_t got;

    if (size == ZSTD_CONTENTSIZE_UNKNOWN || size == ZSTD_CONTENTSIZE_ERROR ||
        ZSTD_findFrameCompressedSize(data, len) != len)
        return SINKHOLE_CODEC_FRAME;
    if (size > SINKHOLE_LIST_TEXT_MAX)
        return SINKHOLE_CODEC_LARGE;
    memmove(decoder->carry, decoder->last, decoder->last_len);
    decoder->last = decoder->carry;
    decoder->len = decoder->at = 0;
    if (decoder->room < size || decoder->text == NULL) {
        char *text = malloc((size_t)size + 1);

        if (text == NULL)
            return SINKHOLE_CODEC_NO_MEMORY;
        free(decoder->text);
        decoder->text = text;
        decoder->room = (size_t)size;
    }
    got = ZSTD_decompressDCtx(decoder->zstd, decoder->text, (size_t)size, data, len);
    if (ZSTD_isError(got) || got != size)
        return SINKHOLE_CODEC_FRAME;
    decoder->len = got;
    return SINKHOLE_CODEC_OK;
}

/* The id and its LF; returns the length with LF, 0 when it is none. */
static size_t scan_id(const char *text, size_t len, uint32_t *ret_id)
{
    uint64_t id = 0;
    size_t i;

    for (i = 0; i < len && i <= 10 && text[i] != '\n'; i++) {
        unsigned digit = (unsigned)(unsigned char)text[i] - '0';

        if (digit > 9)
            return 0;
        id = id * 10 + digit;
    }
    if (i == 0 || i > 10 || i == len || text[0] == '0' || id > UINT32_MAX)
        return 0;
    *ret_id = (uint32_t)id;
    return i + 1;
}

enum sinkhole_codec_status sinkhole_list_decoder_next(struct sinkhole_list_decoder *decoder,
                                                      struct sinkhole_list_line *ret_line)
{
    const char *at;
    size_t left = decoder->len - decoder->at, key_len, id_len, sign = 0;
    uint32_t id;
    bool remove = false;

    if (left == 0)
        return SINKHOLE_CODEC_END;
    at = decoder->text + decoder->at;
    if (decoder->kind == SINKHOLE_LIST_PART) {
        if (*at != '+' && *at != '-')
            return SINKHOLE_CODEC_LINE;
        remove = *at == '-';
        sign = 1;
    }
    at += sign;
    left -= sign;
    key_len = scan_key(at, left);
    if (key_len == 0)
        return SINKHOLE_CODEC_KEY;
    if (key_len == left || at[key_len] != '\t')
        return SINKHOLE_CODEC_LINE;
    id_len = scan_id(at + key_len + 1, left - key_len - 1, &id);
    if (id_len == 0)
        return SINKHOLE_CODEC_ID;
    if (decoder->last_len > 0 && sinkhole_list_line_compare(decoder->last, decoder->last_len,
                                                            decoder->last_id, at, key_len, id) >= 0)
        return SINKHOLE_CODEC_ORDER;
    decoder->last = at;
    decoder->last_len = key_len;
    decoder->last_id = id;
    decoder->at += sign + key_len + 1 + id_len;
    *ret_line = (struct sinkhole_list_line){
        .text = at,
        .text_len = (uint16_t)(key_len + id_len), /* with TAB, without LF */
        .key_len = (uint16_t)key_len,
        .id = id,
        .remove = remove,
    };
    return SINKHOLE_CODEC_OK;
}

/* --- encoder --- */

struct sinkhole_list_encoder {
    ZSTD_CCtx *zstd;
    char *text;
    size_t room, len;
    void *out;
    size_t out_room;
    uint64_t lines;
    enum sinkhole_list_kind kind;
    bool finished; /* the next add begins a new value */
    char first[SINKHOLE_KEY_MAX + 1], last[SINKHOLE_KEY_MAX + 1];
    size_t last_len;
    uint32_t last_id;
};

struct sinkhole_list_encoder *sinkhole_list_encoder_new(enum sinkhole_list_kind kind)
{
    struct sinkhole_list_encoder *encoder = calloc(1, sizeof(*encoder));

    if (encoder == NULL)
        return NULL;
    encoder->kind = kind;
    encoder->zstd = ZSTD_createCCtx();
    if (encoder->zstd == NULL ||
        ZSTD_isError(ZSTD_CCtx_setParameter(encoder->zstd, ZSTD_c_compressionLevel, LEVEL)) ||
        ZSTD_isError(ZSTD_CCtx_setParameter(encoder->zstd, ZSTD_c_checksumFlag, 1))) {
        sinkhole_list_encoder_free(encoder);
        return NULL;
    }
    return encoder;
}

void sinkhole_list_encoder_free(struct sinkhole_list_encoder *encoder)
{
    if (encoder == NULL)
        return;
    ZSTD_freeCCtx(encoder->zstd);
    free(encoder->text);
    free(encoder->out);
    free(encoder);
}

static bool encoder_full(const struct sinkhole_list_encoder *encoder, bool same_key, size_t line)
{
    size_t left = SINKHOLE_LIST_TEXT_MAX - encoder->len;

    if (encoder->kind == SINKHOLE_LIST_PART)
        return encoder->lines >= SINKHOLE_LIST_LINES || line > left;
    if (same_key)
        return line > left;
    /* A new key is begun only where all its ids have room. */
    return encoder->lines >= SINKHOLE_LIST_LINES || SINKHOLE_INDEX_ENTRIES_MAX * LINE_ROOM > left;
}

static bool encoder_grow(struct sinkhole_list_encoder *encoder)
{
    size_t room = encoder->room == 0 ? 4096 : encoder->room * 2;
    char *text;

    if (room > SINKHOLE_LIST_TEXT_MAX)
        room = SINKHOLE_LIST_TEXT_MAX + LINE_ROOM;
    text = realloc(encoder->text, room);
    if (text == NULL)
        return false;
    encoder->text = text;
    encoder->room = room;
    return true;
}

enum sinkhole_codec_status sinkhole_list_encoder_add(struct sinkhole_list_encoder *encoder,
                                                     const char *key, size_t key_len, uint32_t id,
                                                     bool remove)
{
    int order;

    if (!sinkhole_list_key_valid(key, key_len))
        return SINKHOLE_CODEC_KEY;
    if (id == 0)
        return SINKHOLE_CODEC_ID;
    order = sinkhole_list_line_compare(encoder->last, encoder->last_len, encoder->last_id, key,
                                       key_len, id);
    if (encoder->last_len > 0 && order >= 0)
        return SINKHOLE_CODEC_ORDER;
    if (encoder->finished) {
        encoder->finished = false;
        encoder->len = 0;
        encoder->lines = 0;
    }
    if (encoder_full(encoder,
                     key_len == encoder->last_len && memcmp(key, encoder->last, key_len) == 0,
                     key_len + 13))
        return SINKHOLE_CODEC_FULL;
    if (encoder->room - encoder->len < LINE_ROOM && !encoder_grow(encoder))
        return SINKHOLE_CODEC_NO_MEMORY;
    if (encoder->lines == 0) {
        memcpy(encoder->first, key, key_len);
        encoder->first[key_len] = '\0';
    }
    if (encoder->kind == SINKHOLE_LIST_PART)
        encoder->text[encoder->len++] = remove ? '-' : '+';
    encoder->len += sinkhole_list_line_text(encoder->text + encoder->len, key, key_len, id);
    encoder->text[encoder->len++] = '\n';
    memcpy(encoder->last, key, key_len);
    encoder->last_len = key_len;
    encoder->last_id = id;
    encoder->lines++;
    return SINKHOLE_CODEC_OK;
}

uint64_t sinkhole_list_encoder_lines(const struct sinkhole_list_encoder *encoder)
{
    return encoder->finished ? 0 : encoder->lines;
}

const char *sinkhole_list_encoder_first(const struct sinkhole_list_encoder *encoder)
{
    return encoder->lines == 0 || encoder->finished ? "" : encoder->first;
}

enum sinkhole_codec_status sinkhole_list_encoder_finish(struct sinkhole_list_encoder *encoder,
                                                        const void **ret_data, size_t *ret_len)
{
    size_t bound = ZSTD_compressBound(encoder->len), len;

    if (encoder->out_room < bound) {
        void *out = malloc(bound);

        if (out == NULL)
            return SINKHOLE_CODEC_NO_MEMORY;
        free(encoder->out);
        encoder->out = out;
        encoder->out_room = bound;
    }
    len = ZSTD_compress2(encoder->zstd, encoder->out, encoder->out_room,
                         encoder->text == NULL ? "" : encoder->text, encoder->len);
    if (ZSTD_isError(len))
        return SINKHOLE_CODEC_NO_MEMORY; /* the only way left: bound and parameters are right */
    encoder->finished = true;
    *ret_data = encoder->out;
    *ret_len = len;
    return SINKHOLE_CODEC_OK;
}
