/* SPDX-License-Identifier: BSD-3-Clause */
/* The list's values: what is made can be read, and what nobody would make is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zstd.h>

#include "store/list_codec.h"
#include "store/list_json.h"

static const uint8_t key[SINKHOLE_DIGEST_KEY_LEN] = "fixed for tests";

/* --- lines --- */

static void keys_are_what_the_names_header_says(void **state)
{
    static const struct {
        const char *key;
        bool valid;
    } cases[] = {
        {"com", true},
        {"com example www", true},
        {"vn com _dmarc", true},
        {"com 1-2--3", true},
        {"com a b c d e f g h", true},
        {"com aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", true},
        {"com aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa com", false},
        {"", false},
        {" ", false},
        {" com", false},
        {"com ", false},
        {"com  x", false},
        {"com -x", false},
        {"com x-", false},
        {"com- x", false},
        {"com X", false},
        {"com x.y", false},
        {"com\tx", false},
        {"com x\n", false},
        {"com \xc3\xa1", false},
        {"com x|", false},
    };
    struct sinkhole_name name;
    char longest[SINKHOLE_KEY_MAX + 2];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t len = strlen(cases[i].key);

        if (sinkhole_list_key_valid(cases[i].key, len) != cases[i].valid)
            fail_msg("\"%s\"", cases[i].key);
        if ((sinkhole_name_from_key(cases[i].key, len, &name) == SINKHOLE_NAME_OK) !=
            cases[i].valid)
            fail_msg("the other door: \"%s\"", cases[i].key);
    }
    for (size_t i = 0; i < sizeof(longest); i++)
        longest[i] = i % 50 == 49 ? ' ' : 'a';
    assert_true(sinkhole_list_key_valid(longest, SINKHOLE_KEY_MAX));
    assert_false(sinkhole_list_key_valid(longest, SINKHOLE_KEY_MAX + 1));
    assert_false(sinkhole_list_key_valid("com\0x", 5));
}

/* Decodes the text as one value; the status that ends it, and how many lines came before. */
static enum sinkhole_codec_status decode(enum sinkhole_list_kind kind, const char *text, size_t len,
                                         size_t *ret_lines)
{
    struct sinkhole_list_decoder *decoder = sinkhole_list_decoder_new();
    size_t room = ZSTD_compressBound(len);
    void *data = malloc(room);
    enum sinkhole_codec_status status;
    struct sinkhole_list_line line;

    assert_non_null(decoder);
    assert_non_null(data);
    room = ZSTD_compress(data, room, text, len, 1);
    sinkhole_list_decoder_reset(decoder, kind);
    status = sinkhole_list_decoder_open(decoder, data, room);
    *ret_lines = 0;
    while (status == SINKHOLE_CODEC_OK) {
        status = sinkhole_list_decoder_next(decoder, &line);
        *ret_lines += status == SINKHOLE_CODEC_OK;
    }
    free(data);
    sinkhole_list_decoder_free(decoder);
    return status;
}

static void values_are_checked_line_by_line(void **state)
{
    static const struct {
        const char *why, *text;
        enum sinkhole_list_kind kind;
        enum sinkhole_codec_status status;
        size_t lines;
    } cases[] = {
        {"nothing", "", SINKHOLE_LIST_CHUNK, SINKHOLE_CODEC_END, 0},
        {"two lines", "com a\t1\ncom b\t4294967295\n", SINKHOLE_LIST_CHUNK, SINKHOLE_CODEC_END, 2},
        {"ids of one key", "com a\t9\ncom a\t10\n", SINKHOLE_LIST_CHUNK, SINKHOLE_CODEC_END, 2},
        {"parent first", "com a\t1\ncom a b\t1\ncom a-b\t1\n", SINKHOLE_LIST_CHUNK,
         SINKHOLE_CODEC_END, 3},
        {"part", "+com a\t1\n-com b\t2\n", SINKHOLE_LIST_PART, SINKHOLE_CODEC_END, 2},
        {"no last LF", "com a\t1\ncom b\t2", SINKHOLE_LIST_CHUNK, SINKHOLE_CODEC_ID, 1},
        {"no id", "com a\t\n", SINKHOLE_LIST_CHUNK, SINKHOLE_CODEC_ID, 0},
        {"no TAB", "com a\n", SINKHOLE_LIST_CHUNK, SINKHOLE_CODEC_LINE, 0},
        {"key alone", "com a", SINKHOLE_LIST_CHUNK, SINKHOLE_CODEC_LINE, 0},
        {"CR", "com a\t1\r\n", SINKHOLE_LIST_CHUNK, SINKHOLE_CODEC_ID, 0},
        {"id 0", "com a\t0\n", SINKHOLE_LIST_CHUNK, SINKHOLE_CODEC_ID, 0},
        {"leading zero", "com a\t01\n", SINKHOLE_LIST_CHUNK, SINKHOLE_CODEC_ID, 0},
        {"id too large", "com a\t4294967296\n", SINKHOLE_LIST_CHUNK, SINKHOLE_CODEC_ID, 0},
        {"id far too large", "com a\t11111111111\n", SINKHOLE_LIST_CHUNK, SINKHOLE_CODEC_ID, 0},
        {"empty line", "\n", SINKHOLE_LIST_CHUNK, SINKHOLE_CODEC_KEY, 0},
        {"upper case", "com A\t1\n", SINKHOLE_LIST_CHUNK, SINKHOLE_CODEC_KEY, 0},
        {"bad label", "com -\t1\n", SINKHOLE_LIST_CHUNK, SINKHOLE_CODEC_KEY, 0},
        {"twice", "com a\t1\ncom a\t1\n", SINKHOLE_LIST_CHUNK, SINKHOLE_CODEC_ORDER, 1},
        {"keys fall", "com b\t1\ncom a\t1\n", SINKHOLE_LIST_CHUNK, SINKHOLE_CODEC_ORDER, 1},
        {"ids fall", "com a\t10\ncom a\t9\n", SINKHOLE_LIST_CHUNK, SINKHOLE_CODEC_ORDER, 1},
        {"sign in a chunk", "+com a\t1\n", SINKHOLE_LIST_CHUNK, SINKHOLE_CODEC_KEY, 0},
        {"no sign in a part", "com a\t1\n", SINKHOLE_LIST_PART, SINKHOLE_CODEC_LINE, 0},
        {"a line both ways", "+com a\t1\n-com a\t1\n", SINKHOLE_LIST_PART, SINKHOLE_CODEC_ORDER, 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t lines;
        enum sinkhole_codec_status status =
            decode(cases[i].kind, cases[i].text, strlen(cases[i].text), &lines);

        if (status != cases[i].status || lines != cases[i].lines)
            fail_msg("%s: %s after %zu", cases[i].why, sinkhole_codec_status_text(status), lines);
    }
}

static void frames_are_bounded_and_whole(void **state)
{
    struct sinkhole_list_decoder *decoder = sinkhole_list_decoder_new();
    size_t len = SINKHOLE_LIST_TEXT_MAX + 1, room = ZSTD_compressBound(len), lines;
    char *bomb = calloc(len, 1);
    uint8_t *data = malloc(room + 8);

    (void)state;
    assert_int_equal(decode(SINKHOLE_LIST_CHUNK, bomb, len, &lines), SINKHOLE_CODEC_LARGE);
    len = ZSTD_compress(data, room, "com a\t1\n", 8, 1);
    assert_int_equal(sinkhole_list_decoder_open(decoder, data, len), SINKHOLE_CODEC_OK);
    for (size_t cut = 0; cut < len; cut++)
        assert_int_equal(sinkhole_list_decoder_open(decoder, data, cut), SINKHOLE_CODEC_FRAME);
    data[len] = 0;
    assert_int_equal(sinkhole_list_decoder_open(decoder, data, len + 1), SINKHOLE_CODEC_FRAME);
    assert_int_equal(sinkhole_list_decoder_open(decoder, "com a\t1\n", 8), SINKHOLE_CODEC_FRAME);
    sinkhole_list_decoder_free(decoder);
    free(bomb);
    free(data);
}

/* --- encoder --- */

static void what_is_encoded_comes_back_whatever_the_size(void **state)
{
    struct sinkhole_list_encoder *encoder = sinkhole_list_encoder_new(SINKHOLE_LIST_CHUNK);
    struct sinkhole_list_decoder *decoder = sinkhole_list_decoder_new();
    const unsigned names = 50000; /* two lines each: more than one chunk */
    unsigned at = 0, values = 0;
    char text[32];

    (void)state;
    sinkhole_list_decoder_reset(decoder, SINKHOLE_LIST_CHUNK);
    for (unsigned i = 0; i <= 2 * names; i++) {
        enum sinkhole_codec_status status = SINKHOLE_CODEC_FULL;
        struct sinkhole_list_line line;
        const void *data;
        size_t len;

        snprintf(text, sizeof(text), "com n%06u", i / 2);
        if (i < 2 * names)
            status = sinkhole_list_encoder_add(encoder, text, strlen(text), i % 2 + 9, false);
        if (status == SINKHOLE_CODEC_OK)
            continue;
        assert_int_equal(status, SINKHOLE_CODEC_FULL);
        assert_int_equal(sinkhole_list_encoder_lines(encoder) % 2, 0); /* a key's ids together */
        assert_int_equal(sinkhole_list_encoder_finish(encoder, &data, &len), SINKHOLE_CODEC_OK);
        assert_int_equal(sinkhole_list_decoder_open(decoder, data, len), SINKHOLE_CODEC_OK);
        while (sinkhole_list_decoder_next(decoder, &line) == SINKHOLE_CODEC_OK) {
            char expected[48];

            snprintf(expected, sizeof(expected), "com n%06u\t%u", at / 2, at % 2 + 9);
            assert_int_equal(line.text_len, strlen(expected));
            assert_memory_equal(line.text, expected, line.text_len);
            at++;
        }
        values++;
        i -= i < 2 * names; /* again */
    }
    assert_int_equal(at, 2 * names);
    assert_int_equal(values, 2);
    sinkhole_list_decoder_free(decoder);
    sinkhole_list_encoder_free(encoder);
}

static void long_names_fill_a_value_before_its_lines_do(void **state)
{
    struct sinkhole_list_encoder *encoder = sinkhole_list_encoder_new(SINKHOLE_LIST_CHUNK);
    char name[SINKHOLE_KEY_MAX + 1];
    enum sinkhole_codec_status status = SINKHOLE_CODEC_OK;
    uint32_t n = 0;

    (void)state;
    for (size_t i = 0; i < SINKHOLE_KEY_MAX; i++)
        name[i] = i % 50 == 49 ? ' ' : 'a';
    while (status == SINKHOLE_CODEC_OK) {
        char digits[9];

        snprintf(digits, sizeof(digits), "%08u", n++);
        memcpy(name, digits, 8);
        status = sinkhole_list_encoder_add(encoder, name, SINKHOLE_KEY_MAX, UINT32_MAX, false);
    }
    assert_int_equal(status, SINKHOLE_CODEC_FULL);
    assert_in_range(sinkhole_list_encoder_lines(encoder), 30000, 40000);
    memcpy(name, "00000000", 8);
    assert_int_equal(sinkhole_list_encoder_add(encoder, name, SINKHOLE_KEY_MAX, 1, false),
                     SINKHOLE_CODEC_ORDER);
    assert_int_equal(sinkhole_list_encoder_add(encoder, "-", 1, 1, false), SINKHOLE_CODEC_KEY);
    assert_int_equal(sinkhole_list_encoder_add(encoder, "zz", 2, 0, false), SINKHOLE_CODEC_ID);
    sinkhole_list_encoder_free(encoder);
}

/* --- digest --- */

static void the_digest_is_a_sum(void **state)
{
    struct sinkhole_digest a = {0}, b = {0}, twice = {0};
    uint8_t octets[SINKHOLE_DIGEST_LEN];

    (void)state;
    sinkhole_digest_add(&a, key, "com a\t1", 7);
    sinkhole_digest_add(&a, key, "com b\t1", 7);
    sinkhole_digest_add(&b, key, "com b\t1", 7);
    sinkhole_digest_add(&b, key, "com a\t1", 7);
    assert_memory_equal(&a, &b, sizeof(a));
    twice = a;
    sinkhole_digest_sum(&twice, &a); /* doubled lines do not cancel */
    assert_memory_not_equal(&twice, &(struct sinkhole_digest){0}, sizeof(twice));
    sinkhole_digest_octets(&a, octets);
    b = sinkhole_digest_from_octets(octets);
    assert_memory_equal(&a, &b, sizeof(a));
    sinkhole_digest_subtract(&b, key, "com a\t1", 7);
    sinkhole_digest_subtract(&b, key, "com b\t1", 7);
    assert_memory_equal(&b, &(struct sinkhole_digest){0}, sizeof(b));
    b = (struct sinkhole_digest){.low = 1}; /* borrow and carry */
    sinkhole_digest_subtract(&b, key, "com a\t1", 7);
    sinkhole_digest_add(&b, key, "com a\t1", 7);
    assert_int_equal(b.low, 1);
    assert_int_equal(b.high, 0);
}

/* --- overlay --- */

/* "+a -b" words over keys "com a", rule 1 unless a digit follows. */
static enum sinkhole_codec_status append_words(struct sinkhole_overlay *overlay, const char *words)
{
    for (; *words != '\0'; words += words[3] == ' ' ? 4 : 3) {
        char name[] = "com ?";

        name[4] = words[1];
        assert_int_equal(
            sinkhole_overlay_append(overlay, name, 5, (uint32_t)(words[2] - '0'), words[0] == '-'),
            SINKHOLE_CODEC_OK);
    }
    return sinkhole_overlay_settle(overlay);
}

static void net_changes_are_what_remains(void **state)
{
    static const struct {
        const char *why, *steps[4], *net;
    } cases[] = {
        {"nothing", {""}, ""},
        {"sorted", {"+c1 +b1 +a1"}, "+a1 +b1 +c1 "},
        {"ids sorted", {"+a9 +a1"}, "+a1 +a9 "},
        {"added and taken off", {"+a1", "-a1"}, ""},
        {"taken off and added", {"-a1", "+a1"}, ""},
        {"and again", {"+a1", "-a1", "+a1"}, "+a1 "},
        {"in one go", {"+a1 +c1 -a1 +b1"}, "+b1 +c1 "},
        {"others stay", {"+a1 +b1 +c1", "-b1 +d1", "-a1"}, "+c1 +d1 "},
        {"twice", {"+a1", "+a1"}, NULL},
        {"taken off twice", {"-a1 -a1"}, NULL},
        {"twice in the middle", {"+a1 -a1 -a1"}, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sinkhole_overlay *overlay = sinkhole_overlay_new(1u << 24);
        enum sinkhole_codec_status status = SINKHOLE_CODEC_OK;
        struct sinkhole_list_line line;
        char net[64] = "";

        for (size_t step = 0; status == 0 && cases[i].steps[step] != NULL; step++)
            status = append_words(overlay, cases[i].steps[step]);
        for (size_t n = 0; status == 0 && n < sinkhole_overlay_count(overlay); n++) {
            sinkhole_overlay_line(overlay, n, &line);
            snprintf(net + strlen(net), sizeof(net) - strlen(net), "%c%c%u ",
                     line.remove ? '-' : '+', line.text[4], line.id);
        }
        if (cases[i].net == NULL)
            assert_int_equal(status, SINKHOLE_CODEC_CONTRADICTION);
        else
            assert_string_equal(net, cases[i].net);
        sinkhole_overlay_free(overlay);
    }
}

static void an_overlay_keeps_to_its_bound(void **state)
{
    struct sinkhole_overlay *overlay = sinkhole_overlay_new(3u << 20);
    enum sinkhole_codec_status status = SINKHOLE_CODEC_OK;
    char name[16];
    unsigned n;

    (void)state;
    for (n = 0; n < 10000000 && status == SINKHOLE_CODEC_OK; n++) {
        snprintf(name, sizeof(name), "com %08u", 99999999 - n);
        status = sinkhole_overlay_append(overlay, name, 12, 1, false);
    }
    assert_int_equal(status, SINKHOLE_CODEC_LARGE);
    assert_in_range(n, 50000, 150000);
    assert_int_equal(sinkhole_overlay_settle(overlay), SINKHOLE_CODEC_OK);
    assert_int_equal(sinkhole_overlay_count(overlay), n - 1);
    snprintf(name, sizeof(name), "com %08u", 99999999 - 5);
    assert_int_equal(sinkhole_overlay_seek(overlay, name, 12), n - 1 - 6);
    assert_int_equal(sinkhole_overlay_seek(overlay, "com", 3), 0);
    assert_int_equal(sinkhole_overlay_seek(overlay, "net", 3), n - 1);
    sinkhole_overlay_clear(overlay);
    assert_int_equal(sinkhole_overlay_append(overlay, "com a", 5, 1, false), SINKHOLE_CODEC_OK);
    sinkhole_overlay_free(overlay);
}

/* --- log --- */

static void log_ids_and_fields_are_checked(void **state)
{
    static const struct {
        const char *field, *value; /* "id": the entry's ID */
        enum sinkhole_codec_status status;
    } cases[] = {
        {"id", "7-1", 0},
        {"id", "7", SINKHOLE_CODEC_FIELD},
        {"id", "7-", SINKHOLE_CODEC_FIELD},
        {"id", "-1", SINKHOLE_CODEC_FIELD},
        {"id", "7-1-1", SINKHOLE_CODEC_FIELD},
        {"id", "99999999999999999999-1", SINKHOLE_CODEC_FIELD},
        {"parts", "3", 0},
        {"parts", "+3", SINKHOLE_CODEC_FIELD},
        {"entries", "", SINKHOLE_CODEC_FIELD},
        {"digest", "00112233445566778899aabbccddeeff", 0},
        {"digest", "00112233445566778899AABBCCDDEEFF", SINKHOLE_CODEC_FIELD},
        {"digest", "00112233445566778899aabbccddee", SINKHOLE_CODEC_FIELD},
        {"snapshot", "1", 0},
        {"snapshot", "2", SINKHOLE_CODEC_FIELD},
        {"of tomorrow", "whatever", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sinkhole_log_entry entry = {0};
        const char *value = cases[i].value;
        enum sinkhole_codec_status status =
            strcmp(cases[i].field, "id") == 0
                ? sinkhole_log_entry_id(&entry, value, strlen(value))
                : sinkhole_log_entry_set(&entry, cases[i].field, strlen(cases[i].field), value,
                                         strlen(value));

        if (status != cases[i].status)
            fail_msg("%s %s", cases[i].field, value);
    }
}

static void a_follower_takes_nothing_out_of_turn(void **state)
{
    static const struct {
        const char *why, *id;
        bool last, snapshot;
        uint64_t parts, entries;
        enum sinkhole_codec_status status;
    } cases[] = {
        {"the next one", "5-1", true, false, 1, 0, SINKHOLE_CODEC_OK},
        {"a first part", "5-1", false, false, 0, 0, SINKHOLE_CODEC_OK},
        {"the one before", "4-1", true, false, 1, 0, SINKHOLE_CODEC_GAP},
        {"one left out", "6-1", true, false, 1, 0, SINKHOLE_CODEC_GAP},
        {"first part left out", "5-2", true, false, 2, 0, SINKHOLE_CODEC_GAP},
        {"says it has two parts", "5-1", true, false, 2, 0, SINKHOLE_CODEC_GAP},
        {"a snapshot", "5-1", true, true, 1, 0, SINKHOLE_CODEC_SNAPSHOT},
        {"another count", "5-1", true, false, 1, 1, SINKHOLE_CODEC_CONTRADICTION},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sinkhole_list_decoder *decoder = sinkhole_list_decoder_new();
        struct sinkhole_overlay *overlay = sinkhole_overlay_new(1u << 24);
        struct sinkhole_list_follower follower = {.generation = 4};
        struct sinkhole_log_entry entry = {0};
        char number[24];
        bool whole;

        sinkhole_log_entry_id(&entry, cases[i].id, strlen(cases[i].id));
        if (cases[i].last) {
            snprintf(number, sizeof(number), "%u", (unsigned)cases[i].parts);
            sinkhole_log_entry_set(&entry, "parts", 5, number, strlen(number));
            snprintf(number, sizeof(number), "%u", (unsigned)cases[i].entries);
            sinkhole_log_entry_set(&entry, "entries", 7, number, strlen(number));
            sinkhole_log_entry_set(&entry, "meta", 4, "3", 1);
            sinkhole_log_entry_set(&entry, "digest", 6, "00000000000000000000000000000000", 32);
        }
        entry.snapshot = cases[i].snapshot;
        if (sinkhole_list_follow(&follower, decoder, &entry, overlay, &whole) != cases[i].status)
            fail_msg("%s", cases[i].why);
        assert_int_equal(whole, cases[i].last && cases[i].status == SINKHOLE_CODEC_OK);
        assert_int_equal(follower.generation, whole ? 5 : 4);
        sinkhole_overlay_free(overlay);
        sinkhole_list_decoder_free(decoder);
    }
}

/* --- JSON --- */

static void json_of_a_batch_is_checked(void **state)
{
    static const struct {
        const char *why, *id, *json;
        bool good;
    } cases[] = {
        {"least", "1", "{\"feed\":\"ais\"}", true},
        {"unknown member", "1", "{\"feed\":\"ais\",\"x\":[1]}", true},
        {"scope", "1", "{\"feed\":\"ais\",\"scope\":\"below\"}", true},
        {"no feed", "1", "{}", false},
        {"feed's name", "1", "{\"feed\":\"A\"}", false},
        {"id 0", "0", "{\"feed\":\"ais\"}", false},
        {"id too large", "4294967296", "{\"feed\":\"ais\"}", false},
        {"no object", "1", "[]", false},
        {"no JSON", "1", "{", false},
        {"twice", "1", "{\"feed\":\"ais\",\"feed\":\"own\"}", false},
        {"no such scope", "1", "{\"feed\":\"ais\",\"scope\":\"all\"}", false},
        {"severity", "1", "{\"feed\":\"ais\",\"severity\":5}", false},
        {"negative", "1", "{\"feed\":\"ais\",\"severity\":-1}", false},
        {"a number as text", "1", "{\"feed\":\"ais\",\"severity\":\"1\"}", false},
        {"too long", "1", "{\"feed\":\"ais\",\"tlp\":\"0123456789abcdef\"}", false},
        {"a NUL inside", "1", "{\"feed\":\"ais\\u0000\"}", false},
    };
    struct sinkhole_batch batch = {.rule = {.id = 7, .scope = 1, .action = 6}, .feed = "ais"};
    char *json;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (sinkhole_batch_from_json(cases[i].id, strlen(cases[i].id), cases[i].json,
                                     strlen(cases[i].json), &batch) != cases[i].good)
            fail_msg("%s", cases[i].why);
    }
    batch = (struct sinkhole_batch){.feed = "ais", .remark = "\xff"};
    json = sinkhole_batch_to_json(&batch);
    assert_null(json); /* not UTF-8 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_what_the_names_header_says),
        cmocka_unit_test(values_are_checked_line_by_line),
        cmocka_unit_test(frames_are_bounded_and_whole),
        cmocka_unit_test(what_is_encoded_comes_back_whatever_the_size),
        cmocka_unit_test(long_names_fill_a_value_before_its_lines_do),
        cmocka_unit_test(the_digest_is_a_sum),
        cmocka_unit_test(net_changes_are_what_remains),
        cmocka_unit_test(an_overlay_keeps_to_its_bound),
        cmocka_unit_test(log_ids_and_fields_are_checked),
        cmocka_unit_test(a_follower_takes_nothing_out_of_turn),
        cmocka_unit_test(json_of_a_batch_is_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
