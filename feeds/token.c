/* SPDX-License-Identifier: BSD-3-Clause */
/* What one word of a list is. Threads and memory: see token.h. */
#include "config.h"

#include "feeds/token.h"

#include <string.h>

enum { LETTER = 1, DIGIT = 2, HEX = 4, MARK = 8 }; /* MARK: - _ . */

static uint8_t octet_class(char c)
{
    if (c >= '0' && c <= '9')
        return DIGIT | HEX;
    if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))
        return LETTER | HEX;
    if ((c >= 'g' && c <= 'z') || (c >= 'G' && c <= 'Z'))
        return LETTER;
    return c == '-' || c == '_' || c == '.' ? MARK : 0;
}

struct shape {
    bool host_octets; /* letters, digits, - _ . only */
    bool numeric;     /* digits and dots only */
    bool hex;
};

static struct shape shape_of(const char *text, size_t len)
{
    struct shape shape = {true, true, true};

    for (size_t i = 0; i < len; i++) {
        uint8_t class = octet_class(text[i]);

        shape.host_octets &= class != 0;
        shape.numeric &= (class & DIGIT) != 0 || text[i] == '.';
        shape.hex &= (class & HEX) != 0;
    }
    return shape;
}

static enum sinkhole_note_reason reason_of(enum sinkhole_name_status status)
{
    switch (status) {
    case SINKHOLE_NAME_EMPTY:
        return SINKHOLE_REASON_NAME_EMPTY;
    case SINKHOLE_NAME_LABEL_LONG:
        return SINKHOLE_REASON_NAME_LABEL_LONG;
    case SINKHOLE_NAME_LONG:
        return SINKHOLE_REASON_NAME_LONG;
    case SINKHOLE_NAME_HYPHEN:
        return SINKHOLE_REASON_NAME_HYPHEN;
    default:
        return SINKHOLE_REASON_NAME_CHARACTER;
    }
}

static void set_nothing(struct feed_token *token, enum sinkhole_note_reason reason)
{
    token->kind = FEED_NOTHING;
    token->reason = reason;
}

/* No top-level domain is a number (RFC 1123 2.1): "v1.0" is a version. */
static bool ends_in_number(const struct sinkhole_name *name)
{
    size_t i = name->wire_len < 3 ? 0 : name->wire_len - 2u;

    while (i > 0 && name->wire[i] >= '0' && name->wire[i] <= '9')
        i--;
    return i > 0 && i < name->wire_len - 2u && name->wire[i] == name->wire_len - 2u - i;
}

/* A host without scheme, port and path: name, address, hash or nothing. */
static void classify_host(const char *host, size_t len, struct feed_token *token)
{
    struct shape shape = shape_of(host, len);
    struct sinkhole_address address;
    enum sinkhole_name_status status;

    if ((shape.numeric || memchr(host, ':', len) != NULL) &&
        sinkhole_address_from_text(host, len, &address)) {
        token->kind = FEED_ADDRESS;
        return;
    }
    if (shape.hex && (len == 32 || len == 40 || len == 64 || len == 128)) {
        token->kind = FEED_HASH;
        return;
    }
    if (shape.numeric && len > 0) {
        set_nothing(token,
                    len == 1 && *host == '.' ? SINKHOLE_REASON_ROOT : SINKHOLE_REASON_NUMERIC);
        return;
    }
    if (memchr(host, '*', len) != NULL) {
        set_nothing(token, SINKHOLE_REASON_WILDCARD);
        return;
    }
    /* An A-label that IDNA would not make (xn--rihy934p.ws) can be registered and asked for: list
     * it. */
    status = shape.host_octets ? sinkhole_name_from_text(host, len, &token->name)
                               : sinkhole_text_name(host, len, &token->name);
    if (status != SINKHOLE_NAME_OK) {
        set_nothing(token, reason_of(status));
        return;
    }
    if (ends_in_number(&token->name)) {
        set_nothing(token, SINKHOLE_REASON_NUMERIC);
        return;
    }
    token->kind = FEED_NAME;
    token->has_name = true;
}

/* Length of "scheme://" at the start, 0: none. */
static size_t scheme_length(const char *text, size_t len)
{
    size_t i = 0;

    while (i < len && i < 16 && (octet_class(text[i]) & (LETTER | DIGIT)) != 0)
        i++;
    return i > 0 && len - i >= 3 && memcmp(text + i, "://", 3) == 0 ? i + 3 : 0;
}

/* Takes ":port" off; a bracketed IPv6 address loses its brackets. */
static void strip_port(const char **host, size_t *len)
{
    const char *end;
    size_t i = *len, digits = 0;

    if (*len > 0 && (*host)[0] == '[' && (end = memchr(*host, ']', *len)) != NULL) {
        *len = (size_t)(end - *host) - 1;
        *host += 1;
        return;
    }
    while (i > 0 && (octet_class((*host)[i - 1]) & DIGIT) != 0) {
        i--;
        digits++;
    }
    if (i < 1 || (*host)[i - 1] != ':' || digits > 5)
        return;
    if (memchr(*host, ':', i - 1) != NULL) /* an IPv6 address without brackets */
        return;
    *len = i - 1;
}

static void classify_url(const char *text, size_t len, struct feed_token *token)
{
    size_t scheme = scheme_length(text, len), host_len = 0;
    const char *host = text + scheme, *at;
    struct sinkhole_prefix prefix;
    bool has_path;

    token->schemed = scheme > 0;
    len -= scheme;
    if (!token->schemed && len > 0 && memchr(host, '/', len) != NULL &&
        sinkhole_prefix_from_text(host, len, &prefix)) {
        token->kind = FEED_ADDRESS;
        return;
    }
    while (host_len < len && strchr("/?#", host[host_len]) == NULL)
        host_len++;
    has_path = host_len < len && !(len - host_len == 1 && host[host_len] == '/');
    at = memrchr(host, '@', host_len);
    if (at != NULL && !token->schemed) {
        token->kind = FEED_EMAIL;
        return;
    }
    if (at != NULL) { /* user:password@ */
        host_len -= (size_t)(at + 1 - host);
        host = at + 1;
    }
    if (!token->schemed && host_len > 2 && host[0] == '*' && host[1] == '.') {
        token->has_scope = true;
        token->scope = SINKHOLE_SCOPE_BELOW;
        host += 2;
        host_len -= 2;
    } else if (!token->schemed && host_len > 1 && host[0] == '.') {
        token->has_scope = true;
        token->scope = SINKHOLE_SCOPE_SUBTREE;
        host++;
        host_len--;
    }
    strip_port(&host, &host_len);
    classify_host(host, host_len, token);
    if (has_path && (token->kind == FEED_NAME || token->kind == FEED_ADDRESS))
        token->kind = FEED_URL;
}

void feed_token_classify(const char *word, size_t len, char *buf, struct feed_token *ret_token)
{
    struct feed_token *token = ret_token;

    token->kind = FEED_NOTHING;
    token->reason = SINKHOLE_REASON_NAME_EMPTY;
    token->defanged = token->schemed = token->has_scope = token->has_name = false;
    token->text = word;
    token->len = len;
    if (len == 0)
        return;
    if (shape_of(word, len).host_octets && word[0] != '.') {
        classify_host(word, len, token);
        return;
    }
    if (len > FEED_TOKEN_MAX)
        len = FEED_TOKEN_MAX; /* of a URL's path: the host stands in front */
    len = feed_refang(word, len, buf);
    token->defanged = feed_unmark(buf, &len);
    token->text = buf;
    token->len = len;
    classify_url(buf, len, token);
}
