/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sinkholectl completion: a script for the shell that asks the help texts, which are made from the
 * tables, so that a new command or option completes by itself.
 *
 * Threads: one. Memory: none.
 */
#include "cli/cli.h"

#include <stdio.h>

static const char bash_script[] =
    "# bash completion for sinkholectl, made by \"sinkholectl completion bash\"\n"
    "_sinkholectl() {\n"
    "    local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} path=() i\n"
    "    case $previous in\n"
    "    --config|--output|--units) COMPREPLY=($(compgen -f -- \"$word\")); return ;;\n"
    "    esac\n"
    "    for ((i = 1; i < COMP_CWORD && ${#path[@]} < 2; i++)); do\n"
    "        case ${COMP_WORDS[i]} in\n"
    "        --config) ((i++)) ;;\n"
    "        -*) ;;\n"
    "        *) path+=(\"${COMP_WORDS[i]}\") ;;\n"
    "        esac\n"
    "    done\n"
    "    COMPREPLY=($(compgen -W \"$(\"${COMP_WORDS[0]}\" \"${path[@]}\" --help 2>/dev/null |\n"
    "        sed -n '/^examples:/q; s/^  \\(-\\{0,2\\}[a-z][a-z0-9-]*\\)\\( "
    ".*\\)\\{0,1\\}$/\\1/p')\" -- "
    "\"$word\"))\n"
    "    [[ ${#COMPREPLY[@]} -gt 0 ]] || COMPREPLY=($(compgen -f -- \"$word\"))\n"
    "}\n"
    "complete -o filenames -F _sinkholectl sinkholectl\n";

static int cmd_bash(struct cli *cli, int argc, char **argv)
{
    static const struct cli_page page = {.synopsis = "completion bash",
                                         .about = "Prints the completion script for bash.",
                                         .examples = "  source <(sinkholectl completion bash)\n"};
    int code = cli_words(&page, &argc, argv, 0, 0);

    (void)cli;
    if (code != CLI_GO_ON)
        return code;
    fputs(bash_script, stdout);
    return CLI_OK;
}

int cmd_completion(struct cli *cli, int argc, char **argv)
{
    static const struct cli_command table[] = {
        {"bash", cmd_bash, "script for bash"},
        {NULL, NULL, NULL},
    };

    return cli_dispatch(cli, table, "usage: sinkholectl completion bash\n", argc, argv);
}
