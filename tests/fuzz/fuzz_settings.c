/* SPDX-License-Identifier: BSD-3-Clause */
/* Any octets as a settings file: taken, or refused with one sentence. */
#include <stdlib.h>
#include <string.h>

#include "lib/settings_rows.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char error[SINKHOLE_SETTINGS_ERROR_MAX] = "";
    struct settings_raw *raw = NULL;

    if (!settings_parse("f", (const char *)data, size, &raw, error) &&
        (raw != NULL || error[0] == '\0' || strchr(error, '\n') != NULL))
        abort();
    settings_raw_free(raw);
    return 0;
}
