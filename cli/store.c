/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The store's classes of error as exit codes.
 *
 * Threads: one. Memory: none.
 */
#include "cli/cli.h"

int cli_store_fail(struct cli *cli, enum sinkhole_store_status status)
{
    int code = CLI_FAILED;

    switch (status) {
    case SINKHOLE_STORE_OK:
        return CLI_OK;
    case SINKHOLE_STORE_RETRY:
    case SINKHOLE_STORE_RECONNECT:
    case SINKHOLE_STORE_MOVED:
    case SINKHOLE_STORE_OPERATOR:
        code = CLI_REDIS;
        break;
    case SINKHOLE_STORE_ABSENT:
        code = CLI_ABSENT;
        break;
    case SINKHOLE_STORE_CONFLICT:
        code = CLI_CONFLICT;
        break;
    case SINKHOLE_STORE_DAMAGED:
    case SINKHOLE_STORE_DUPLICATE:
    case SINKHOLE_STORE_INVALID:
    case SINKHOLE_STORE_NO_MEMORY:
        break;
    }
    return cli_fail(code, "%s", sinkhole_store_error(cli->store));
}
