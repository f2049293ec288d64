/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sinkholectl abi-check: whether an Unbound may load a module, before it tries. A module built for
 * another Unbound stops the resolver, at start and at reload.
 *
 * Threads: one. Memory: freed before return.
 */
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "sinkhole/abi.h"

static const char *why(enum sinkhole_abi_status status)
{
    switch (status) {
    case SINKHOLE_ABI_UNREADABLE:
        return strerror(errno);
    case SINKHOLE_ABI_NOT_ELF:
        return "it is no 64-bit ELF file, or a damaged one";
    case SINKHOLE_ABI_NO_NOTE:
        return "it carries no build-id, or no list of them: is it this file that was meant?";
    default:
        return "no fault";
    }
}

int cmd_abi_check(struct cli *cli, int argc, char **argv)
{
    static const struct cli_page page = {
        .synopsis = "abi-check UNBOUND MODULE",
        .about =
            "Compares the build-id of the program UNBOUND with those that MODULE (sinkhole.so) "
            "was\n"
            "built for. For ExecStartPre, and before a reload: unbound-checkconf does not see it.\n"
            "Exit code: 0 it may load, 1 it may not, or a file cannot be read.",
        .examples = "  sinkholectl abi-check /usr/sbin/unbound "
                    "/usr/lib/unbound-sinkhole/sinkhole.so\n"};
    struct sinkhole_abi_id id = {0};
    char list[SINKHOLE_ABI_TEXT_MAX], hex[SINKHOLE_ABI_HEX_MAX];
    int code = cli_words(&page, &argc, argv, 2, 2);

    if (code != CLI_GO_ON)
        return code;
    enum sinkhole_abi_status status = sinkhole_abi_file_id(argv[1], &id);
    if (status != SINKHOLE_ABI_OK)
        return cli_fail(CLI_FAILED, "%s: %s", argv[1], why(status));
    status = sinkhole_abi_file_list(argv[2], list);
    if (status != SINKHOLE_ABI_OK)
        return cli_fail(CLI_FAILED, "%s: %s", argv[2], why(status));
    bool fits = sinkhole_abi_list_has(list, &id);
    sinkhole_abi_id_to_text(&id, hex);
    if (cli->json) {
        cli_print_json(
            json_pack("{s:b, s:s, s:s}", "fits", fits, "build_id", hex, "accepted", list));
    } else if (fits) {
        printf("%s may load %s (build-id %s).\n", argv[1], argv[2], hex);
    } else {
        cli_fail(CLI_FAILED,
                 "%s must not load %s: its build-id is %s, and the module was built for\n"
                 "%sBuild the module beside this Unbound (configure --with-unbound-source).",
                 argv[1], argv[2], hex, list);
    }
    return fits ? CLI_OK : CLI_FAILED;
}
