/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sinkholectl settings: the settings file shown, checked and explained.
 *
 * Threads: one. Memory: freed before return.
 */
#include "cli/cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int cmd_sample(struct cli *cli, int argc, char **argv)
{
    static const struct cli_page page = {
        .synopsis = "settings sample",
        .about = "Prints a settings file with every setting, its meaning, range and default.",
        .examples = "  sinkholectl settings sample > sinkhole.yaml\n"};
    int code = cli_words(&page, &argc, argv, 0, 0);

    (void)cli;
    if (code != CLI_GO_ON)
        return code;
    sinkhole_settings_sample(stdout);
    return CLI_OK;
}

static int cmd_check(struct cli *cli, int argc, char **argv)
{
    static const struct cli_page page = {
        .synopsis = "settings check [FILE]",
        .about = "Reads the settings file as every program would and says what is wrong with it:\n"
                 "file, line, key, what was found and what was expected.\n"
                 "Exit code: 0 right, 2 wrong.",
        .examples = "  sinkholectl settings check\n"
                    "  sinkholectl settings check /etc/sinkhole.yaml\n"};
    char error[SINKHOLE_SETTINGS_ERROR_MAX] = "";
    struct sinkhole_settings *settings;
    int code = cli_words(&page, &argc, argv, 0, 1);
    bool good;

    if (code != CLI_GO_ON)
        return code;
    settings = sinkhole_settings_load(argc > 1 ? argv[1] : NULL, error);
    good = settings != NULL;
    sinkhole_settings_free(settings);
    if (cli->json)
        cli_print_json(json_pack("{s:b, s:s}", "right", good, "error", error));
    else if (good)
        puts("The settings are right.");
    else
        cli_fail(CLI_USAGE, "%s", error);
    return good ? CLI_OK : CLI_USAGE;
}

/* --- show: each value in force ---------------------------------------------------------------- */

static json_t *section_of(json_t *root, const char *name)
{
    json_t *section = json_object_get(root, name);

    if (section == NULL) {
        section = json_object();
        json_object_set_new(root, name, section);
    }
    return section;
}

static json_t *list_value(const struct sinkhole_list *list)
{
    json_t *array = json_array();

    for (unsigned i = 0; i < list->count; i++)
        json_array_append_new(array, json_string(list->items[i]));
    return array;
}

static json_t *as_json(const struct sinkhole_settings *settings)
{
    json_t *root = json_object();

#define PUT(section, key, value) json_object_set_new(section_of(root, #section), #key, value);
#define SINKHOLE_SECTION(section, help)
#define SINKHOLE_TEXT(section, key, def, help)                                                     \
    PUT(section, key, json_string(settings->section##_##key))
#define SINKHOLE_UINT(section, key, def, min, max, help)                                           \
    PUT(section, key, json_integer((json_int_t)settings->section##_##key))
#define SINKHOLE_BOOL(section, key, def, help)                                                     \
    PUT(section, key, json_boolean(settings->section##_##key))
#define SINKHOLE_LIST(section, key, def, most, help)                                               \
    PUT(section, key, list_value(&settings->section##_##key))
#define SINKHOLE_ENUM(section, key, def, words, help)                                              \
    PUT(section, key, json_string(settings->section##_##key))
#include "sinkhole/settings.def"
#undef PUT
    return root;
}

static int cmd_show(struct cli *cli, int argc, char **argv)
{
    static const struct cli_page page = {
        .synopsis = "settings show",
        .about = "Prints every setting with the value in force: the file's, else the default.",
        .examples = "  sinkholectl settings show\n  sinkholectl --json settings show\n"};
    char error[SINKHOLE_SETTINGS_ERROR_MAX] = "";
    struct sinkhole_settings *settings;
    json_t *root, *section, *value;
    const char *name, *key;
    char *text;
    int code = cli_words(&page, &argc, argv, 0, 0);

    if (code != CLI_GO_ON)
        return code;
    settings = sinkhole_settings_load(NULL, error);
    if (settings == NULL)
        return cli_fail(CLI_USAGE, "%s", error);
    root = as_json(settings);
    sinkhole_settings_free(settings);
    if (cli->json) {
        cli_print_json(root);
        return CLI_OK;
    }
    json_object_foreach(root, name, section)
    {
        printf("%s:\n", name);
        json_object_foreach(section, key, value)
        {
            text = json_dumps(value, JSON_ENCODE_ANY); /* JSON is YAML */
            printf("  %s: %s\n", key, text != NULL ? text : "");
            free(text);
        }
    }
    json_decref(root);
    return CLI_OK;
}

static int cmd_manual(struct cli *cli, int argc, char **argv)
{
    static const struct cli_page page = {
        .synopsis = "settings manual",
        .about = "Prints the settings' part of the manual page sinkhole.yaml(5), as mdoc.",
        .examples = NULL};
    int code = cli_words(&page, &argc, argv, 0, 0);

    (void)cli;
    if (code != CLI_GO_ON)
        return code;
    sinkhole_settings_manual(stdout);
    return CLI_OK;
}

int cmd_settings(struct cli *cli, int argc, char **argv)
{
    static const struct cli_command table[] = {
        {"sample", cmd_sample, "a settings file with every setting, meaning and default"},
        {"check", cmd_check, "is the file right, and if not, where and why"},
        {"show", cmd_show, "the values in force"},
        {"manual", cmd_manual, "the settings' part of the manual page (mdoc)"},
        {NULL, NULL, NULL},
    };

    return cli_dispatch(cli, table,
                        "usage: sinkholectl settings COMMAND\n\n"
                        "The settings file: " SINKHOLE_SYSCONFDIR
                        "/sinkhole.yaml, or $SINKHOLE_CONFIG, or --config FILE.\n",
                        argc, argv);
}
