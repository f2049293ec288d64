/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A domain name from the command line.
 *
 * Threads: one. Memory: none.
 */
#include "cli/cli.h"

#include <string.h>

#include "sinkhole/report.h"
#include "sinkhole/text.h"

bool cli_name(const char *text, struct sinkhole_name *ret_name)
{
    char plain[SINKHOLE_NAME_TEXT_MAX * 2], shown[SINKHOLE_NAME_TEXT_MAX];
    enum sinkhole_name_status status;
    size_t len = 0;

    for (const char *at = text; *at != '\0' && len < sizeof plain;) {
        size_t dot = strncmp(at, "[.]", 3) == 0 || strncmp(at, "(.)", 3) == 0 ? 3 : 1;

        plain[len++] = dot == 3 ? '.' : *at;
        at += dot;
    }
    status = sinkhole_text_name(plain, len, ret_name);
    if (status == SINKHOLE_NAME_OK)
        return true;
    sinkhole_escape_terminal(text, shown, sizeof shown);
    cli_fail(CLI_USAGE, "\"%s\" is no domain name: %s", shown, sinkhole_name_status_text(status));
    return false;
}
