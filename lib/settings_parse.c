/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * YAML to raw settings: libcyaml's schema made from the rows, and its log, which is meant for a
 * programmer, made into one sentence for the operator.
 *
 * Threads: pure. Memory: what libcyaml took, released by settings_raw_free.
 */
#include "lib/settings_rows.h"

#include <cyaml/cyaml.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "sinkhole/text.h"

#define WORDS_MAX 8 /* of one ENUM row */
#define TEXT_MAX 4096
#define FOUND_MAX 64 /* octets of the offending text that are shown */

struct schema {
    cyaml_schema_value_t top, item;
    cyaml_schema_field_t sections[SETTINGS_SECTION_COUNT + 1];
    cyaml_schema_field_t
        fields[SETTINGS_ROW_COUNT + SETTINGS_SECTION_COUNT]; /* each with its end */
    cyaml_strval_t words[SETTINGS_ROW_COUNT][WORDS_MAX];
    char word_texts[SETTINGS_ROW_COUNT][WORDS_MAX][24];
};

/* What the log said: the first message, and the innermost place of the backtrace. */
struct complaint {
    char message[160];
    char names[2][48]; /* innermost field first */
    unsigned depth;
    size_t line;
};

static unsigned make_words(struct schema *schema, unsigned row)
{
    unsigned count = 0;

    while (count < WORDS_MAX &&
           settings_word(settings_rows[row].words, count, schema->word_texts[row][count],
                         sizeof schema->word_texts[row][count])) {
        schema->words[row][count].str = schema->word_texts[row][count];
        schema->words[row][count].val = (int64_t)count;
        count++;
    }
    return count;
}

static void make_field(struct schema *schema, unsigned row, cyaml_schema_field_t *field)
{
    cyaml_schema_value_t *value = &field->value;

    field->key = settings_rows[row].key;
    field->data_offset =
        (uint32_t)(offsetof(struct settings_raw_section, value) + row * sizeof(void *));
    value->flags = (enum cyaml_flag)(CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL);
    switch (settings_rows[row].kind) {
    case SETTINGS_TEXT:
    case SETTINGS_UINT: /* libcyaml takes "1e3" for 1, "010" for 8: settings.c reads them */
        value->type = CYAML_STRING;
        value->data_size = sizeof(char);
        value->string.max = TEXT_MAX;
        break;
    case SETTINGS_BOOL:
        value->type = CYAML_BOOL;
        value->data_size = sizeof(bool);
        break;
    case SETTINGS_ENUM:
        value->type = CYAML_ENUM;
        value->flags = (enum cyaml_flag)(value->flags | CYAML_FLAG_STRICT);
        value->data_size = sizeof(int);
        value->enumeration.strings = schema->words[row];
        value->enumeration.count = make_words(schema, row);
        break;
    case SETTINGS_LIST:
        value->type = CYAML_SEQUENCE;
        value->data_size = sizeof(char *);
        value->sequence.entry = &schema->item;
        value->sequence.max = (uint32_t)settings_rows[row].max;
        field->count_offset =
            (uint32_t)(offsetof(struct settings_raw_section, count) + row * sizeof(unsigned));
        field->count_size = sizeof(unsigned);
        break;
    }
}

static struct schema *schema_new(void)
{
    struct schema *schema = calloc(1, sizeof *schema);
    cyaml_schema_field_t *field;

    if (schema == NULL)
        return NULL;
    schema->item.type = CYAML_STRING;
    schema->item.flags = CYAML_FLAG_POINTER;
    schema->item.data_size = sizeof(char);
    schema->item.string.max = TEXT_MAX;
    field = schema->fields;
    for (unsigned section = 0, row = 0; section < SETTINGS_SECTION_COUNT; section++) {
        cyaml_schema_field_t *mapping = &schema->sections[section];

        mapping->key = settings_sections[section].name;
        mapping->data_offset = (uint32_t)(section * sizeof(struct settings_raw_section *));
        mapping->value.type = CYAML_MAPPING;
        mapping->value.flags = (enum cyaml_flag)(CYAML_FLAG_POINTER_NULL_STR | CYAML_FLAG_OPTIONAL);
        mapping->value.data_size = sizeof(struct settings_raw_section);
        mapping->value.mapping.fields = field;
        for (; row < SETTINGS_ROW_COUNT && settings_rows[row].section == section; row++)
            make_field(schema, row, field++);
        field++; /* the end: a NULL key */
    }
    schema->top.type = CYAML_MAPPING;
    schema->top.flags = CYAML_FLAG_POINTER_NULL_STR;
    schema->top.data_size = sizeof(struct settings_raw);
    schema->top.mapping.fields = schema->sections;
    return schema;
}

static void __attribute__((format(printf, 3, 0)))
listen_to_cyaml(cyaml_log_t level, void *ctx, const char *format, va_list args)
{
    struct complaint *complaint = ctx;
    char text[256], *at;

    (void)level;
    vsnprintf(text, sizeof text, format, args);
    text[strcspn(text, "\n")] = '\0';
    if (strncmp(text, "Load: ", 6) == 0 && strncmp(text, "Load: Backtrace", 15) != 0 &&
        complaint->message[0] == '\0') {
        snprintf(complaint->message, sizeof complaint->message, "%.150s", text + 6);
        return;
    }
    at = strstr(text, "(line: ");
    if (at != NULL && complaint->line == 0)
        complaint->line = strtoul(at + 7, NULL, 10);
    at = strstr(text, "in mapping field '");
    if (at != NULL && complaint->depth < 2) {
        at += 18;
        snprintf(complaint->names[complaint->depth++], sizeof complaint->names[0], "%.*s",
                 (int)(strcspn(at, "'") < 47 ? strcspn(at, "'") : 47), at);
    }
}

/* "did you mean X?" or the list of what there is. `section` "" : of section names. */
static void suggest(const char *section, const char *key, char *buf, size_t size)
{
    const char *nearest = NULL;
    unsigned best = (unsigned)strlen(key) / 3 + 2;
    size_t used;

    for (unsigned row = 0; section[0] != '\0' && row < SETTINGS_ROW_COUNT; row++) {
        if (strcmp(settings_sections[settings_rows[row].section].name, section) != 0)
            continue;
        if (sinkhole_edit_distance(key, settings_rows[row].key) < best) {
            best = sinkhole_edit_distance(key, settings_rows[row].key);
            nearest = settings_rows[row].key;
        }
    }
    for (unsigned i = 0; section[0] == '\0' && i < SETTINGS_SECTION_COUNT; i++)
        if (sinkhole_edit_distance(key, settings_sections[i].name) < best) {
            best = sinkhole_edit_distance(key, settings_sections[i].name);
            nearest = settings_sections[i].name;
        }
    if (nearest != NULL) {
        snprintf(buf, size, "did you mean \"%s\"?", nearest);
        return;
    }
    snprintf(buf, size, "expected one of:");
    for (unsigned i = 0;
         i < (section[0] == '\0' ? (unsigned)SETTINGS_SECTION_COUNT : (unsigned)SETTINGS_ROW_COUNT);
         i++) {
        used = strlen(buf);
        if (section[0] == '\0')
            snprintf(buf + used, size - used, " %s", settings_sections[i].name);
        else if (strcmp(settings_sections[settings_rows[i].section].name, section) == 0)
            snprintf(buf + used, size - used, " %s", settings_rows[i].key);
    }
}

/* Printable ASCII and UTF-8 of what was found, bounded; control octets become '?'. */
static void show_found(const char *message, char buf[FOUND_MAX + 1])
{
    static const char *const marks[] = {"key: ", "value: ", "value: '", "event: ", "seen: "};
    const char *from = "";
    size_t len;

    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        const char *at = strstr(message, marks[i]);

        if (at != NULL && at + strlen(marks[i]) > from)
            from = at + strlen(marks[i]);
    }
    len = strlen(from);
    if (len > 0 && from[len - 1] == '\'')
        len--;
    if (len > FOUND_MAX)
        len = FOUND_MAX;
    for (size_t i = 0; i < len; i++)
        buf[i] = (unsigned char)from[i] < 0x20 || from[i] == 0x7f ? '?' : from[i];
    buf[len] = '\0';
}

static const struct settings_row *find_row(const char *section, const char *key)
{
    for (unsigned row = 0; row < SETTINGS_ROW_COUNT; row++)
        if (strcmp(settings_sections[settings_rows[row].section].name, section) == 0 &&
            strcmp(settings_rows[row].key, key) == 0)
            return &settings_rows[row];
    return NULL;
}

/* In what libcyaml calls an event, the words of somebody who writes YAML. */
static const char *event_words(const char *found)
{
    if (strncmp(found, "SEQUENCE", 8) == 0)
        return "a list";
    if (strncmp(found, "MAPPING", 7) == 0)
        return "keys below it";
    if (strncmp(found, "SCALAR", 6) == 0)
        return "a single value";
    return found;
}

static void explain_syntax(const char *path, const char *data, size_t len, char *error)
{
    yaml_parser_t parser;
    yaml_document_t document;

    if (!yaml_parser_initialize(&parser)) {
        snprintf(error, SINKHOLE_SETTINGS_ERROR_MAX, "%s: no memory", path);
        return;
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)data, len);
    if (yaml_parser_load(&parser, &document)) {
        yaml_document_delete(&document);
        snprintf(error, SINKHOLE_SETTINGS_ERROR_MAX, "%s: not one YAML document", path);
    } else {
        snprintf(error, SINKHOLE_SETTINGS_ERROR_MAX,
                 "%s:%zu: not YAML: %s (column %zu); expected lines \"key: value\", indented with "
                 "blanks",
                 path, parser.problem_mark.line + 1,
                 parser.problem != NULL ? parser.problem : "unreadable text",
                 parser.problem_mark.column + 1);
    }
    yaml_parser_delete(&parser);
}

static void explain(const char *path, const char *data, size_t len, cyaml_err_t err,
                    const struct complaint *complaint, char *error)
{
    const char *section = complaint->depth > 0 ? complaint->names[complaint->depth - 1] : "";
    const char *key = complaint->depth == 2 ? complaint->names[0] : "";
    const struct settings_row *row = find_row(section, key);
    char found[FOUND_MAX + 1], expected[300];
    size_t line = complaint->line != 0 ? complaint->line : 1;

    show_found(complaint->message, found);
    if (err == CYAML_ERR_LIBYAML_PARSER) {
        explain_syntax(path, data, len, error);
        return;
    }
    if (err == CYAML_ERR_INVALID_KEY) {
        size_t exact = settings_locate(data, len, section[0] != '\0' ? section : found,
                                       section[0] != '\0' ? found : "");

        suggest(section, found, expected, sizeof expected);
        snprintf(error, SINKHOLE_SETTINGS_ERROR_MAX, "%s:%zu: %s%s%s: no such %s; %s", path,
                 exact != 0 ? exact : line, section, section[0] != '\0' ? "." : "", found,
                 section[0] != '\0' ? "key" : "section", expected);
        return;
    }
    if (row != NULL)
        settings_expected(row, expected, sizeof expected);
    else
        snprintf(expected, sizeof expected, "%s",
                 "sections with keys below them, \"redis:\" and so on");
    if (strncmp(complaint->message, "Mapping field already seen", 26) == 0)
        snprintf(error, SINKHOLE_SETTINGS_ERROR_MAX, "%s:%zu: %s%s%s: given twice; expected once",
                 path, settings_locate(data, len, section, key), section, key[0] != '\0' ? "." : "",
                 key);
    else if (strncmp(complaint->message, "Expecting", 9) == 0)
        snprintf(error, SINKHOLE_SETTINGS_ERROR_MAX, "%s:%zu: %s%s%s%sfound %s; expected %s", path,
                 line, section, key[0] != '\0' ? "." : "", key, section[0] != '\0' ? ": " : "",
                 event_words(found), expected);
    else if (err == CYAML_ERR_INVALID_VALUE)
        snprintf(error, SINKHOLE_SETTINGS_ERROR_MAX, "%s:%zu: %s.%s: found \"%s\"; expected %s: %s",
                 path, line, section, key, found, expected, row != NULL ? row->help : "");
    else
        snprintf(error, SINKHOLE_SETTINGS_ERROR_MAX, "%s:%zu: %s%s%s: %.100s; expected %.250s",
                 path, line, section, key[0] != '\0' ? "." : "", key,
                 complaint->message[0] != '\0' ? complaint->message : cyaml_strerror(err),
                 expected);
}

static cyaml_config_t config_with(struct complaint *complaint)
{
    return (cyaml_config_t){.log_fn = listen_to_cyaml,
                            .log_ctx = complaint,
                            .mem_fn = cyaml_mem,
                            .log_level = CYAML_LOG_ERROR,
                            .flags = CYAML_CFG_NO_ALIAS};
}

/* Line of what follows the first document, which libcyaml does not read; 0: nothing does. */
static size_t second_document(const char *data, size_t len)
{
    yaml_parser_t parser;
    yaml_document_t document;
    size_t line = 0;

    if (!yaml_parser_initialize(&parser))
        return 0;
    yaml_parser_set_input_string(&parser, (const unsigned char *)data, len);
    for (int i = 0; i < 2; i++) {
        if (!yaml_parser_load(&parser, &document)) {
            line = parser.problem_mark.line + 1;
            break;
        }
        line = yaml_document_get_root_node(&document) != NULL ? document.start_mark.line + 1 : 0;
        yaml_document_delete(&document);
        if (line == 0)
            break;
    }
    yaml_parser_delete(&parser);
    return line;
}

bool settings_parse(const char *path, const char *data, size_t len, struct settings_raw **ret_raw,
                    char error[SINKHOLE_SETTINGS_ERROR_MAX])
{
    struct complaint complaint = {.depth = 0};
    cyaml_config_t config = config_with(&complaint);
    struct schema *schema;
    cyaml_data_t *raw = NULL;
    cyaml_err_t err = CYAML_ERR_OOM;
    size_t line;

    schema = schema_new();
    if (schema != NULL)
        err = cyaml_load_data((const uint8_t *)data, len, &config, &schema->top, &raw, NULL);
    if (err == CYAML_OK && (line = second_document(data, len)) != 0) {
        snprintf(error, SINKHOLE_SETTINGS_ERROR_MAX,
                 "%s:%zu: a second YAML document begins here; expected one: take the line \"---\" "
                 "away",
                 path, line);
        settings_raw_free(raw);
        err = CYAML_ERR_INVALID_VALUE;
    } else if (err == CYAML_OK)
        *ret_raw = raw;
    else if (err == CYAML_ERR_OOM)
        snprintf(error, SINKHOLE_SETTINGS_ERROR_MAX, "%s: no memory", path);
    else
        explain(path, data, len, err, &complaint, error);
    free(schema);
    return err == CYAML_OK;
}

void settings_raw_free(struct settings_raw *raw)
{
    struct complaint complaint = {.depth = 0};
    cyaml_config_t config = config_with(&complaint);
    struct schema *schema = raw != NULL ? schema_new() : NULL;

    if (schema != NULL)
        cyaml_free(&config, &schema->top, raw, 0);
    free(schema);
}

/* The last one, if a key is there twice: that is the one to take away. */
static yaml_node_t *find_key(yaml_document_t *document, yaml_node_t *mapping, const char *key,
                             size_t *ret_line)
{
    yaml_node_t *value = NULL;

    if (mapping == NULL || mapping->type != YAML_MAPPING_NODE)
        return NULL;
    for (yaml_node_pair_t *pair = mapping->data.mapping.pairs.start;
         pair < mapping->data.mapping.pairs.top; pair++) {
        yaml_node_t *node = yaml_document_get_node(document, pair->key);

        if (node == NULL || node->type != YAML_SCALAR_NODE ||
            strcmp((const char *)node->data.scalar.value, key) != 0)
            continue;
        *ret_line = node->start_mark.line + 1;
        value = yaml_document_get_node(document, pair->value);
    }
    return value;
}

size_t settings_locate(const char *data, size_t len, const char *section, const char *key)
{
    yaml_parser_t parser;
    yaml_document_t document;
    yaml_node_t *node;
    size_t line = 0;

    if (!yaml_parser_initialize(&parser))
        return 0;
    yaml_parser_set_input_string(&parser, (const unsigned char *)data, len);
    if (yaml_parser_load(&parser, &document)) {
        node = find_key(&document, yaml_document_get_root_node(&document), section, &line);
        if (key[0] != '\0') {
            line = 0;
            find_key(&document, node, key, &line);
        }
        yaml_document_delete(&document);
    }
    yaml_parser_delete(&parser);
    return line;
}
