/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mkindex: an index from text, for the tests of the module and for benches; --help says how.
 * Threads: one. Memory: all lines, about 60 octets a name more than the text.
 */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <getopt.h>

#include "sinkhole/index_build.h"
#include "sinkhole/units.h"

static const char help[] =
    "usage: mkindex [options] RULES DIR < NAMES\n"
    "Writes DIR/index/base-ID and DIR/index/head.\n"
    "\n"
    "NAMES, and the file of --delta: one line each, sorted or not,\n"
    "    NAME ID[,ID...]      bad.example 1      (a name with dots, or a key:)\n"
    "    KEY ID[,ID...]       example bad 1,2    (labels from the root's side, blanks between)\n"
    "In a delta an id of - means: no longer listed. The last line of a name wins.\n"
    "\n"
    "RULES: one line each, # begins a remark; words in any order after the name:\n"
    "    policy FEED [kind=block|allow|authority] [action=A] [rank=N] [ttl=S] [ede=CODE]\n"
    "                [v4=ADDRESS] [v6=ADDRESS] [text=WORDS TO THE END OF THE LINE]\n"
    "    rule ID FEED [scope=exact|below|subtree] [action=A] [until=UNIXSECONDS]\n"
    "                [severity=0-4] [confidence=0-100]\n"
    "A: inherit (rules only) monitor tcp-only address nodata nxdomain drop allow.\n"
    "Not said: kind=block action=nxdomain rank=100 ttl=10; scope=subtree action=inherit.\n"
    "\n"
    "  -d, --delta FILE      names of the delta\n"
    "  -g, --generation N    of the head (1)\n"
    "  -b, --base-id N       (the generation)\n"
    "  -k, --keep-base       NAMES is not read: base --base-id is there already\n";

struct line {
    char *key;
    uint32_t *ids;
    uint16_t key_len, count;
    size_t number;
};

struct lines {
    struct line *items;
    size_t count, size;
};

struct rules {
    struct sinkhole_rule *rules;
    struct sinkhole_policy *policies;
    size_t rule_count, policy_count;
};

static void __attribute__((noreturn, format(printf, 1, 2))) die(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fputs("mkindex: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

static void *grow(void *array, size_t count, size_t element)
{
    if ((count & (count + 1)) != 0) /* full at 2^n - 1 */
        return array;
    array = realloc(array, 2 * (count + 1) * element);
    if (array == NULL)
        die("out of memory");
    return array;
}

static unsigned long long number(const char *text, unsigned long long most, const char *what)
{
    char *end;
    unsigned long long value;

    errno = 0;
    value = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)text[0]) || *end != '\0' || errno != 0 || value > most)
        die("%s: '%s' is no number up to %llu", what, text, most);
    return value;
}

static unsigned word(const char *text, const char *const *words, const char *what)
{
    for (unsigned i = 0; words[i] != NULL; i++)
        if (strcmp(words[i], text) == 0)
            return i;
    die("unknown %s '%s'", what, text);
}

static const char *const actions[] = {"inherit",  "monitor", "tcp-only", "address", "nodata",
                                      "nxdomain", "drop",    "allow",    NULL};
static const char *const scopes[] = {"exact", "below", "subtree", NULL};
static const char *const kinds[] = {"block", "allow", "authority", NULL};

static void policy_word(struct sinkhole_policy *policy, const char *key, char *value)
{
    struct sinkhole_address address;

    if (strcmp(key, "kind") == 0)
        policy->kind = (uint8_t)word(value, kinds, key);
    else if (strcmp(key, "action") == 0)
        policy->action = (uint8_t)word(value, actions, key);
    else if (strcmp(key, "rank") == 0)
        policy->rank = (uint16_t)number(value, 1000, key);
    else if (strcmp(key, "ttl") == 0)
        policy->ttl_s = (uint32_t)number(value, UINT32_MAX, key);
    else if (strcmp(key, "ede") == 0)
        policy->ede_code = (uint16_t)number(value, UINT16_MAX, key);
    else if (strcmp(key, "text") == 0)
        strncpy(policy->ede_text, value, SINKHOLE_EDE_TEXT_MAX);
    else if (strcmp(key, "v4") != 0 && strcmp(key, "v6") != 0)
        die("unknown word '%s' of a policy", key);
    else if (!sinkhole_address_from_text(value, strlen(value), &address) ||
             address.family != (key[1] == '4' ? 4 : 6))
        die("'%s' is no address for %s", value, key);
    else if (address.family == 4) {
        policy->has_v4 = 1;
        memcpy(policy->v4, address.octets, 4);
    } else {
        policy->has_v6 = 1;
        memcpy(policy->v6, address.octets, 16);
    }
}

static void rule_word(struct sinkhole_rule *rule, const char *key, char *value)
{
    if (strcmp(key, "scope") == 0)
        rule->scope = (uint8_t)word(value, scopes, key);
    else if (strcmp(key, "action") == 0)
        rule->action = (uint8_t)word(value, actions, key);
    else if (strcmp(key, "until") == 0)
        rule->valid_until = (int64_t)number(value, INT64_MAX, key);
    else if (strcmp(key, "severity") == 0)
        rule->severity = (uint8_t)number(value, 4, key);
    else if (strcmp(key, "confidence") == 0)
        rule->confidence = (uint8_t)number(value, 100, key);
    else
        die("unknown word '%s' of a rule", key);
}

static void policy_line(struct rules *rules, char *rest)
{
    struct sinkhole_policy policy = {.action = SINKHOLE_ACTION_NXDOMAIN, .rank = 100, .ttl_s = 10};
    char *feed = strtok_r(rest, " \t", &rest), *key;

    if (feed == NULL || strlen(feed) > SINKHOLE_FEED_NAME_MAX)
        die("a policy needs a feed's name of at most %d characters", SINKHOLE_FEED_NAME_MAX);
    strcpy(policy.feed, feed);
    while (rest != NULL && *(rest += strspn(rest, " \t")) != '\0') {
        char *value;

        if (strncmp(rest, "text=", 5) == 0) {
            policy_word(&policy, "text", rest + 5);
            break;
        }
        key = strtok_r(rest, " \t", &rest);
        value = strchr(key, '=');
        if (value == NULL)
            die("'%s': expected word=value", key);
        *value++ = '\0';
        policy_word(&policy, key, value);
    }
    rules->policies = grow(rules->policies, rules->policy_count, sizeof(policy));
    rules->policies[rules->policy_count++] = policy;
}

static void rule_line(struct rules *rules, char *rest)
{
    struct sinkhole_rule rule = {.scope = SINKHOLE_SCOPE_SUBTREE};
    char *id = strtok_r(rest, " \t", &rest), *feed = strtok_r(NULL, " \t", &rest), *key;
    size_t at;

    if (id == NULL || feed == NULL)
        die("a rule needs an id and a feed");
    rule.id = (uint32_t)number(id, UINT32_MAX, "rule id");
    for (rule.feed = 0; rule.feed < rules->policy_count; rule.feed++)
        if (strcmp(rules->policies[rule.feed].feed, feed) == 0)
            break;
    if (rule.feed == rules->policy_count)
        die("rule %s: feed '%s' has no policy above", id, feed);
    while ((key = strtok_r(NULL, " \t", &rest)) != NULL) {
        char *value = strchr(key, '=');

        if (value == NULL)
            die("'%s': expected word=value", key);
        *value++ = '\0';
        rule_word(&rule, key, value);
    }
    rules->rules = grow(rules->rules, rules->rule_count, sizeof(rule));
    for (at = rules->rule_count++; at > 0 && rules->rules[at - 1].id > rule.id; at--)
        rules->rules[at] = rules->rules[at - 1];
    rules->rules[at] = rule;
}

static void rules_read(struct rules *rules, const char *path)
{
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t size = 0;

    if (file == NULL)
        die("%s: %s", path, strerror(errno));
    while (getline(&line, &size, file) >= 0) {
        char *rest = line, *what;

        line[strcspn(line, "#\r\n")] = '\0';
        what = strtok_r(line, " \t", &rest);
        if (what == NULL)
            continue;
        if (strcmp(what, "policy") == 0)
            policy_line(rules, rest);
        else if (strcmp(what, "rule") == 0)
            rule_line(rules, rest);
        else
            die("%s: '%s': expected policy or rule", path, what);
    }
    free(line);
    fclose(file);
}

static int id_compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static void ids_parse(char *text, struct line *line)
{
    uint32_t ids[SINKHOLE_INDEX_ENTRIES_MAX];
    char *id, *rest = text;

    line->count = 0;
    while (strcmp(text, "-") != 0 && (id = strtok_r(NULL, ",", &rest)) != NULL) {
        if (line->count >= SINKHOLE_INDEX_ENTRIES_MAX)
            die("more than %d ids on one name", SINKHOLE_INDEX_ENTRIES_MAX);
        ids[line->count++] = (uint32_t)number(id, UINT32_MAX, "rule id");
    }
    qsort(ids, line->count, sizeof(*ids), id_compare);
    line->ids = malloc(sizeof(*ids) * (line->count + 1u));
    if (line->ids == NULL)
        die("out of memory");
    memcpy(line->ids, ids, sizeof(*ids) * line->count);
}

static void key_parse(const char *text, size_t len, struct line *line)
{
    struct sinkhole_name name;
    struct sinkhole_key key;
    enum sinkhole_name_status status;

    if (memchr(text, ' ', len) != NULL)
        status = sinkhole_name_from_key(text, len, &name);
    else
        status = sinkhole_name_from_text(text, len, &name);
    if (status != SINKHOLE_NAME_OK)
        die("'%.*s': %s", (int)len, text, sinkhole_name_status_text(status));
    if (!sinkhole_key_from_name(&name, &key))
        die("'%.*s' cannot be listed", (int)len, text);
    line->key = strdup(key.text);
    if (line->key == NULL)
        die("out of memory");
    line->key_len = key.len;
}

static int line_compare(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    int order = strcmp(x->key, y->key);

    return order != 0 ? order : (x->number > y->number) - (x->number < y->number);
}

static void lines_read(struct lines *lines, FILE *file)
{
    char *text = NULL;
    size_t size = 0, kept = 0;

    while (getline(&text, &size, file) >= 0) {
        struct line line = {.number = lines->count};
        size_t len;
        char *last;

        text[strcspn(text, "\r\n")] = '\0';
        len = strlen(text);
        if (len == 0)
            continue;
        last = text + len;
        while (last > text && last[-1] != ' ' && last[-1] != '\t')
            last--;
        if (last == text)
            die("'%s': expected a name and rule ids", text);
        ids_parse(last, &line);
        for (len = (size_t)(last - text);
             len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t');)
            len--;
        key_parse(text, len, &line);
        lines->items = grow(lines->items, lines->count, sizeof(line));
        lines->items[lines->count++] = line;
    }
    free(text);
    qsort(lines->items, lines->count, sizeof(*lines->items), line_compare);
    for (size_t i = 0; i < lines->count; i++) {
        if (i + 1 < lines->count && strcmp(lines->items[i].key, lines->items[i + 1].key) == 0)
            continue;
        lines->items[kept++] = lines->items[i];
    }
    lines->count = kept;
}

static void base_write(const char *dir, uint64_t base_id, const struct lines *lines,
                       const struct sinkhole_build_state *state)
{
    struct sinkhole_base_builder *builder;
    enum sinkhole_build_status status = sinkhole_base_builder_new(lines->count, &builder);

    if (status != SINKHOLE_BUILD_OK)
        die("%s", sinkhole_build_status_text(status));
    for (size_t i = 0; i < lines->count; i++) {
        const struct line *line = &lines->items[i];

        status =
            sinkhole_base_builder_add(builder, line->key, line->key_len, line->ids, line->count);
        if (status != SINKHOLE_BUILD_OK)
            die("'%s': %s", line->key, sinkhole_build_status_text(status));
    }
    status = sinkhole_base_builder_finish(builder, dir, base_id, state);
    if (status != SINKHOLE_BUILD_OK)
        die("%s: %s (%s)", dir, sinkhole_build_status_text(status), strerror(errno));
    sinkhole_base_builder_free(builder);
}

struct options {
    const char *delta;
    uint64_t generation, base_id;
    int keep_base;
};

static struct options options_parse(int argc, char **argv)
{
    static const struct option rows[] = {
        {"delta", required_argument, NULL, 'd'},   {"generation", required_argument, NULL, 'g'},
        {"base-id", required_argument, NULL, 'b'}, {"keep-base", no_argument, NULL, 'k'},
        {"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0}};
    struct options options = {.generation = 1};
    int c;

    while ((c = getopt_long(argc, argv, "d:g:b:kh", rows, NULL)) != -1) {
        switch (c) {
        case 'd':
            options.delta = optarg;
            break;
        case 'g':
            options.generation = number(optarg, UINT64_MAX, "generation");
            break;
        case 'b':
            options.base_id = number(optarg, UINT64_MAX, "base id");
            break;
        case 'k':
            options.keep_base = 1;
            break;
        case 'h':
            fputs(help, stdout);
            exit(0);
        default:
            fputs(help, stderr);
            exit(2);
        }
    }
    if (argc - optind != 2) {
        fputs(help, stderr);
        exit(2);
    }
    if (options.base_id == 0)
        options.base_id = options.generation;
    return options;
}

static void head_write(const char *dir, const struct rules *rules, const struct lines *delta,
                       struct sinkhole_head *head)
{
    struct sinkhole_delta_name *names = calloc(delta->count + 1, sizeof(*names));
    enum sinkhole_build_status status;

    if (names == NULL)
        die("out of memory");
    for (size_t i = 0; i < delta->count; i++) {
        const struct line *line = &delta->items[i];

        names[i] = (struct sinkhole_delta_name){line->key, line->ids, line->key_len, line->count};
    }
    head->rules = rules->rules;
    head->rule_count = rules->rule_count;
    head->policies = rules->policies;
    head->policy_count = rules->policy_count;
    head->delta = names;
    head->delta_count = delta->count;
    status = sinkhole_head_write(dir, head);
    if (status != SINKHOLE_BUILD_OK)
        die("%s: %s (%s)", dir, sinkhole_build_status_text(status), strerror(errno));
    free(names);
}

static bool count_entries(void *arg, const char *key, size_t key_len, const uint32_t *ids,
                          size_t count)
{
    (void)key;
    (void)key_len;
    (void)ids;
    *(uint64_t *)arg += count;
    return true;
}

/* The true number of entries needs delta and base together: the head is written twice. */
static uint64_t entries_count(const char *dir)
{
    struct sinkhole_index *index;
    uint64_t entries = 0;

    if (sinkhole_index_open(dir, &index) != SINKHOLE_INDEX_OK)
        die("%s: what was written cannot be opened", dir);
    if (!sinkhole_index_walk(index, SINKHOLE_INDEX_WHOLE, count_entries, &entries))
        die("%s: what was written is damaged", dir);
    sinkhole_index_close(index);
    return entries;
}

int main(int argc, char **argv)
{
    struct options options = options_parse(argc, argv);
    struct sinkhole_head head = {.base_id = options.base_id};
    struct rules rules = {0};
    struct lines base = {0}, delta = {0};
    const char *dir = argv[optind + 1];

    head.state.generation = options.generation;
    rules_read(&rules, argv[optind]);
    if (!options.keep_base) {
        lines_read(&base, stdin);
        for (size_t i = 0; i < base.count; i++)
            head.state.entries += base.items[i].count;
        base_write(dir, options.base_id, &base, &head.state);
    }
    if (options.delta != NULL) {
        FILE *file = fopen(options.delta, "re");

        if (file == NULL)
            die("%s: %s", options.delta, strerror(errno));
        lines_read(&delta, file);
        fclose(file);
    }
    head_write(dir, &rules, &delta, &head);
    if (options.delta != NULL || options.keep_base) {
        head.state.entries = entries_count(dir);
        head_write(dir, &rules, &delta, &head);
    }
    return 0;
}
