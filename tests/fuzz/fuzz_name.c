/* SPDX-License-Identifier: BSD-3-Clause */
/* Any octets as text, key and wire form; what is taken must come back the same. */
#include <stdlib.h>
#include <string.h>

#include "sinkhole/name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(const struct sinkhole_name *name, const struct sinkhole_name *again)
{
    if (name->wire_len != again->wire_len || name->labels != again->labels ||
        memcmp(name->wire, again->wire, name->wire_len) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[SINKHOLE_NAME_TEXT_MAX];
    struct sinkhole_name name, again;
    struct sinkhole_key key;

    if (sinkhole_name_from_text((const char *)data, size, &name) == SINKHOLE_NAME_OK) {
        size_t len = sinkhole_name_to_text(&name, text, sizeof(text));

        if (sinkhole_name_from_text(text, len, &again) != SINKHOLE_NAME_OK)
            abort();
        same(&name, &again);
    }
    if (sinkhole_name_from_key((const char *)data, size, &name) == SINKHOLE_NAME_OK &&
        (!sinkhole_key_from_name(&name, &key) || key.len != size ||
         memcmp(key.text, data, size) != 0))
        abort();
    if (sinkhole_name_from_wire(data, size, &name) != SINKHOLE_NAME_OK)
        return 0;
    if (sinkhole_name_to_text(&name, text, sizeof(text)) != strlen(text) ||
        !sinkhole_name_is_at_or_below(&name, &name))
        abort();
    if (sinkhole_key_from_name(&name, &key) &&
        sinkhole_name_from_key(key.text, key.len, &again) == SINKHOLE_NAME_OK)
        same(&name, &again);
    return 0;
}
