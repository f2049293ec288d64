/* SPDX-License-Identifier: BSD-3-Clause */
/* Any octets as an encoded hit; what is taken must encode again, no longer, to the same hit. */
#include <stdlib.h>
#include <string.h>

#include "sinkhole/hit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same(const struct sinkhole_hit *a, const struct sinkhole_hit *b)
{
    return a->time_ms == b->time_ms && a->rule == b->rule && a->generation == b->generation &&
           a->port == b->port && a->qtype == b->qtype && a->qclass == b->qclass &&
           a->transport == b->transport && a->client_source == b->client_source &&
           a->action == b->action && a->rcode == b->rcode && a->flags == b->flags &&
           memcmp(&a->client, &b->client, sizeof(a->client)) == 0 &&
           memcmp(&a->answer, &b->answer, sizeof(a->answer)) == 0 &&
           a->qname.wire_len == b->qname.wire_len &&
           a->indicator.wire_len == b->indicator.wire_len &&
           memcmp(a->qname.wire, b->qname.wire, a->qname.wire_len) == 0 &&
           memcmp(a->indicator.wire, b->indicator.wire, a->indicator.wire_len) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sinkhole_hit hit, again;
    uint8_t buf[SINKHOLE_HIT_ENCODED_MAX];
    size_t len;

    memset(&hit, 0, sizeof(hit));
    memset(&again, 0, sizeof(again));
    if (!sinkhole_hit_decode(data, size, &hit))
        return 0;
    len = sinkhole_hit_encode(&hit, buf, sizeof(buf));
    if (len == 0 || len > size || !sinkhole_hit_decode(buf, len, &again) || !same(&hit, &again))
        abort();
    return 0;
}
