/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Damaged index files, named by their damage: each is refused with its reason, and where the
 * checksum is right but the contents are impossible, nothing is read outside the file.
 * Threads: one. Memory: copies of two small files.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>

#include "lib/index_private.h"
#include "tests/lib/index_help.h"

#define BASE "base-7"

static const struct listed base_names[] = {
    {"com example", {1}, 1},       {"com example a", {1}, 1}, {"com example ab", {1, 2}, 2},
    {"com example abc", {300}, 1}, {"com example b", {1}, 1}, {"com example c", {1}, 1},
    {"com example d", {1}, 1},     {"com example e", {1}, 1}, {"com example f", {1}, 1},
    {"com example g", {1}, 1},     {"com example h", {1}, 1}, {"com example i", {1}, 1},
    {"com example j", {1}, 1},     {"com example k", {1}, 1}, {"com example l", {1}, 1},
    {"com example m", {1}, 1},     {"com example n", {1}, 1}, {"com example o", {1, 2, 300}, 3},
    {"vn evil", {2}, 1},
};

struct files {
    char dir[PATH_MAX];
    uint8_t *head, *base;
    size_t head_len, base_len;
};

static int files_make(void **state)
{
    static const uint32_t one[] = {1};
    static struct files files;
    const struct sinkhole_rule rules[] = {{.id = 1, .feed = 0, .scope = SINKHOLE_SCOPE_SUBTREE},
                                          {.id = 2, .feed = 1, .scope = SINKHOLE_SCOPE_EXACT},
                                          {.id = 300, .feed = 1}};
    const struct sinkhole_policy policies[] = {policy_make("malware", SINKHOLE_ACTION_NXDOMAIN, 1),
                                               policy_make("watch", SINKHOLE_ACTION_MONITOR, 2)};
    const struct sinkhole_delta_name delta[] = {{"com example", NULL, 11, 0},
                                                {"com example new", one, 15, 1}};
    const struct sinkhole_head head = {.state = {.generation = 9},
                                       .base_id = 7,
                                       .rules = rules,
                                       .rule_count = 3,
                                       .policies = policies,
                                       .policy_count = 2,
                                       .delta = delta,
                                       .delta_count = 2};

    folder_make(files.dir);
    base_write(files.dir, 7, base_names, sizeof(base_names) / sizeof(*base_names));
    assert_int_equal(sinkhole_head_write(files.dir, &head), SINKHOLE_BUILD_OK);
    files.head = file_read(files.dir, "head", &files.head_len);
    files.base = file_read(files.dir, BASE, &files.base_len);
    *state = &files;
    return 0;
}

static int files_remove(void **state)
{
    struct files *files = *state;

    folder_remove(files->dir);
    free(files->head);
    free(files->base);
    return 0;
}

static void files_restore(const struct files *files)
{
    file_write(files->dir, "head", files->head, files->head_len);
    file_write(files->dir, BASE, files->base, files->base_len);
}

static enum sinkhole_index_status try_open(const struct files *files)
{
    struct sinkhole_index *index = NULL;
    enum sinkhole_index_status status = sinkhole_index_open(files->dir, &index);

    assert_true((status == SINKHOLE_INDEX_OK) == (index != NULL));
    sinkhole_index_close(index);
    return status;
}

static void test_truncated_anywhere(void **state)
{
    const struct files *files = *state;

    files_restore(files);
    assert_int_equal(try_open(files), SINKHOLE_INDEX_OK);
    for (size_t len = 0; len < files->head_len; len++) {
        file_write(files->dir, "head", files->head, len);
        assert_int_equal(try_open(files), SINKHOLE_INDEX_TRUNCATED);
    }
    files_restore(files);
    for (size_t len = 0; len < files->base_len; len++) {
        file_write(files->dir, BASE, files->base, len);
        assert_int_equal(try_open(files), SINKHOLE_INDEX_TRUNCATED);
    }
}

static void test_a_bit_flipped_anywhere(void **state)
{
    const struct files *files = *state;

    for (int which = 0; which < 2; which++) {
        uint8_t *bytes = which == 0 ? files->head : files->base;
        size_t len = which == 0 ? files->head_len : files->base_len;

        files_restore(files);
        for (size_t bit = 0; bit < len * 8; bit += bit < 256 * 8 ? 1 : 5) {
            enum sinkhole_index_status status;

            bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
            file_write(files->dir, which == 0 ? "head" : BASE, bytes, len);
            bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
            status = try_open(files);
            if (status == SINKHOLE_INDEX_OK)
                fail_msg("bit %zu of %s", bit, which == 0 ? "head" : BASE);
            if (bit / 8 >= sizeof(struct index_header))
                assert_int_equal(status, SINKHOLE_INDEX_CHECKSUM);
        }
    }
}

/* Where a file is damaged: its header, and its length, which may shrink or grow by one octet. */
typedef void damage_fn(struct index_header *header, uint8_t *bytes, size_t *len);

static void other_magic(struct index_header *header, uint8_t *bytes, size_t *len)
{
    (void)bytes;
    (void)len;
    header->magic[3] ^= 1;
}
static void other_version(struct index_header *header, uint8_t *bytes, size_t *len)
{
    (void)bytes;
    (void)len;
    header->version++;
}
static void unknown_flag(struct index_header *header, uint8_t *bytes, size_t *len)
{
    (void)bytes;
    (void)len;
    header->must_understand = 1u << 31;
}
static void one_octet_more(struct index_header *header, uint8_t *bytes, size_t *len)
{
    (void)header;
    bytes[(*len)++] = 0;
}
static void wrong_checksum(struct index_header *header, uint8_t *bytes, size_t *len)
{
    (void)bytes;
    (void)len;
    header->checksum++;
}

#define IMPOSSIBLE(name, what)                                                                     \
    static void name(struct index_header *header, uint8_t *bytes, size_t *len)                     \
    {                                                                                              \
        (void)bytes;                                                                               \
        (void)len;                                                                                 \
        what;                                                                                      \
    }
#define RULE(n) ((struct sinkhole_rule *)(void *)(bytes + header->rules.off))[n]
#define POLICY(n) ((struct sinkhole_policy *)(void *)(bytes + header->policies.off))[n]
#define BLOCK(n) ((uint32_t *)(void *)(bytes + header->table.blocks.off))[n]
#define TEXT (bytes + header->table.text.off)

IMPOSSIBLE(buckets_outside, header->table.buckets.off = header->file_len + 64)
IMPOSSIBLE(buckets_overflow, header->table.buckets.len = UINT64_MAX - 63)
IMPOSSIBLE(buckets_askew, header->table.buckets.off += 4)
IMPOSSIBLE(buckets_none, header->table.buckets.len = header->table.hints.len = 0)
IMPOSSIBLE(hints_short, header->table.hints.len -= 2)
IMPOSSIBLE(hints_outside, header->table.hints.off = UINT64_MAX - 63)
IMPOSSIBLE(text_overflow, header->table.text.len = UINT64_MAX)
IMPOSSIBLE(text_outside, header->table.text.len += 4096)
IMPOSSIBLE(text_empty, header->table.text.len = 0)
IMPOSSIBLE(names_many, header->table.names = UINT64_MAX)
IMPOSSIBLE(names_one_more_block, header->table.names += 16)
IMPOSSIBLE(blocks_short, header->table.blocks.len -= 4)
IMPOSSIBLE(blocks_equal, BLOCK(1) = BLOCK(0))
IMPOSSIBLE(block_outside, BLOCK(1) = UINT32_MAX)
IMPOSSIBLE(rules_ragged, header->rules.len--)
IMPOSSIBLE(rules_outside, header->rules.off = UINT64_MAX - 63)
IMPOSSIBLE(rules_long, header->rules.len += 100 * sizeof(struct sinkhole_rule))
IMPOSSIBLE(rule_zero, RULE(0).id = 0)
IMPOSSIBLE(rules_out_of_order, RULE(2).id = 2)
IMPOSSIBLE(rule_of_no_feed, RULE(1).feed = 2)
IMPOSSIBLE(rule_scope, RULE(1).scope = 3)
IMPOSSIBLE(rule_action, RULE(1).action = 8)
IMPOSSIBLE(policies_gone, header->policies.len = 0)
IMPOSSIBLE(policy_inherits, POLICY(0).action = SINKHOLE_ACTION_INHERIT)
IMPOSSIBLE(policy_kind, POLICY(0).kind = 9)
IMPOSSIBLE(policy_name_endless, memset(POLICY(0).feed, 'x', sizeof(POLICY(0).feed)))
IMPOSSIBLE(policy_text_endless, memset(POLICY(1).ede_text, 'x', sizeof(POLICY(1).ede_text)))
IMPOSSIBLE(another_base, header->base_id = 8)
IMPOSSIBLE(another_seed, header->seed++)
IMPOSSIBLE(another_base_checksum, header->base_checksum++)

static void test_refused_with_the_reason(void **state)
{
    static const struct {
        const char *why;
        bool head; /* else the base */
        bool put_right;
        damage_fn *damage;
        enum sinkhole_index_status expected;
    } cases[] = {
        {"head of other magic", true, true, other_magic, SINKHOLE_INDEX_MAGIC},
        {"base of other magic", false, true, other_magic, SINKHOLE_INDEX_MAGIC},
        {"head of other version", true, true, other_version, SINKHOLE_INDEX_UNKNOWN_VERSION},
        {"base of other version", false, true, other_version, SINKHOLE_INDEX_UNKNOWN_VERSION},
        {"head with unknown flag", true, true, unknown_flag, SINKHOLE_INDEX_UNKNOWN_VERSION},
        {"head one octet longer", true, false, one_octet_more, SINKHOLE_INDEX_DAMAGED},
        {"base one octet longer", false, false, one_octet_more, SINKHOLE_INDEX_DAMAGED},
        {"head's checksum", true, false, wrong_checksum, SINKHOLE_INDEX_CHECKSUM},
        {"base's checksum", false, false, wrong_checksum, SINKHOLE_INDEX_CHECKSUM},
        {"buckets outside", false, true, buckets_outside, SINKHOLE_INDEX_DAMAGED},
        {"buckets overflow", false, true, buckets_overflow, SINKHOLE_INDEX_DAMAGED},
        {"buckets askew", false, true, buckets_askew, SINKHOLE_INDEX_DAMAGED},
        {"no buckets for names", false, true, buckets_none, SINKHOLE_INDEX_DAMAGED},
        {"delta's buckets outside", true, true, buckets_outside, SINKHOLE_INDEX_DAMAGED},
        {"hints too short", false, true, hints_short, SINKHOLE_INDEX_DAMAGED},
        {"hints outside", false, true, hints_outside, SINKHOLE_INDEX_DAMAGED},
        {"text overflows", false, true, text_overflow, SINKHOLE_INDEX_DAMAGED},
        {"text outside", false, true, text_outside, SINKHOLE_INDEX_DAMAGED},
        {"text empty", true, true, text_empty, SINKHOLE_INDEX_DAMAGED},
        {"more names than can be", false, true, names_many, SINKHOLE_INDEX_DAMAGED},
        {"more names than blocks", false, true, names_one_more_block, SINKHOLE_INDEX_DAMAGED},
        {"a block missing", false, true, blocks_short, SINKHOLE_INDEX_DAMAGED},
        {"blocks at one place", false, true, blocks_equal, SINKHOLE_INDEX_DAMAGED},
        {"block outside", false, true, block_outside, SINKHOLE_INDEX_DAMAGED},
        {"rules ragged", true, true, rules_ragged, SINKHOLE_INDEX_DAMAGED},
        {"rules outside", true, true, rules_outside, SINKHOLE_INDEX_DAMAGED},
        {"rules beyond the end", true, true, rules_long, SINKHOLE_INDEX_DAMAGED},
        {"rule zero", true, true, rule_zero, SINKHOLE_INDEX_DAMAGED},
        {"rules out of order", true, true, rules_out_of_order, SINKHOLE_INDEX_DAMAGED},
        {"rule of no feed", true, true, rule_of_no_feed, SINKHOLE_INDEX_DAMAGED},
        {"rule's scope", true, true, rule_scope, SINKHOLE_INDEX_DAMAGED},
        {"rule's action", true, true, rule_action, SINKHOLE_INDEX_DAMAGED},
        {"no policies", true, true, policies_gone, SINKHOLE_INDEX_DAMAGED},
        {"policy inherits", true, true, policy_inherits, SINKHOLE_INDEX_DAMAGED},
        {"policy's kind", true, true, policy_kind, SINKHOLE_INDEX_DAMAGED},
        {"policy's name without end", true, true, policy_name_endless, SINKHOLE_INDEX_DAMAGED},
        {"policy's text without end", true, true, policy_text_endless, SINKHOLE_INDEX_DAMAGED},
        {"base of other id", false, true, another_base, SINKHOLE_INDEX_DAMAGED},
        {"base of other seed", false, true, another_seed, SINKHOLE_INDEX_DAMAGED},
        {"head of another base", true, true, another_base_checksum, SINKHOLE_INDEX_DAMAGED},
        {"head that names a base that is not there", true, true, another_base,
         SINKHOLE_INDEX_MISSING},
    };
    const struct files *files = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const uint8_t *good = cases[i].head ? files->head : files->base;
        size_t len = cases[i].head ? files->head_len : files->base_len;
        uint8_t *bytes = aligned_alloc(64, (len / 64 + 2) * 64);
        enum sinkhole_index_status status;

        assert_non_null(bytes);
        files_restore(files);
        memcpy(bytes, good, len);
        cases[i].damage((void *)bytes, bytes, &len);
        if (cases[i].put_right)
            ((struct index_header *)(void *)bytes)->checksum = index_checksum(bytes, len);
        file_write(files->dir, cases[i].head ? "head" : BASE, bytes, len);
        if (!cases[i].head && cases[i].put_right) { /* the head must name it still */
            struct index_header *head = (void *)files->head, kept = *head;

            head->base_checksum = ((struct index_header *)(void *)bytes)->checksum;
            head->checksum = index_checksum(files->head, files->head_len);
            file_write(files->dir, "head", files->head, files->head_len);
            *head = kept;
        }
        status = try_open(files);
        if (status != cases[i].expected)
            fail_msg("%s: %s", cases[i].why, sinkhole_index_status_text(status));
        free(bytes);
    }
}

IMPOSSIBLE(first_shares, TEXT[0] = 1)
IMPOSSIBLE(suffix_too_long, TEXT[1] = 255)
IMPOSSIBLE(suffix_empty, TEXT[1] = 0)
IMPOSSIBLE(key_of_one_label, TEXT[5] = '-')
IMPOSSIBLE(key_with_dot, TEXT[5] = '.')
IMPOSSIBLE(shares_beyond, TEXT[14] = 13)
IMPOSSIBLE(keys_descend, TEXT[2] = 'd')
IMPOSSIBLE(id_zero, TEXT[13] = 0)
IMPOSSIBLE(list_of_65, TEXT[13] = 0x83; memset(TEXT + 14, 1, 66))
IMPOSSIBLE(number_endless, memset(TEXT + 13, 0xff, 60))
IMPOSSIBLE(noise, for (size_t i = 0; i < header->table.text.len; i++) TEXT[i] ^= (uint8_t)(i * 37))
IMPOSSIBLE(ones, memset(TEXT, 0xff, header->table.text.len))
IMPOSSIBLE(zeros, memset(TEXT, 0, header->table.text.len))

static bool visit_nothing(void *arg, const char *key, size_t key_len, const uint32_t *ids,
                          size_t count)
{
    (void)arg;
    (void)key;
    (void)key_len;
    (void)ids;
    (void)count;
    return true;
}

static void test_impossible_records_are_noticed(void **state)
{
    static const struct {
        const char *why;
        damage_fn *damage;
    } cases[] = {
        {"first record shares", first_shares},
        {"suffix too long", suffix_too_long},
        {"suffix empty", suffix_empty},
        {"one label", key_of_one_label},
        {"a dot in a key", key_with_dot},
        {"keys descend", keys_descend},
        {"id zero", id_zero},
        {"list of 65", list_of_65},
        {"number without end", number_endless},
        {"noise", noise},
        {"shares more than there is", shares_beyond},
        {"ones", ones},
        {"zeros", zeros},
    };
    const struct files *files = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct sinkhole_index index = {0};
        uint8_t *base = aligned_alloc(64, files->base_len),
                *head = aligned_alloc(64, files->head_len);
        struct index_header *header = (void *)base;
        size_t len = files->base_len;

        memcpy(base, files->base, len);
        memcpy(head, files->head, files->head_len);
        cases[i].damage(header, base, &len);
        header->checksum = index_checksum(base, len);
        ((struct index_header *)(void *)head)->base_checksum = header->checksum;
        ((struct index_header *)(void *)head)->checksum = index_checksum(head, files->head_len);
        index.base_map = (struct index_map){.bytes = base, .len = len};
        index.head_map = (struct index_map){.bytes = head, .len = files->head_len};
        assert_int_equal(index_check(&index), SINKHOLE_INDEX_OK);
        if (sinkhole_index_walk(&index, SINKHOLE_INDEX_WHOLE, visit_nothing, NULL))
            fail_msg("%s", cases[i].why);
        for (size_t k = 0; k < sizeof(base_names) / sizeof(*base_names); k++) {
            uint32_t ids[SINKHOLE_INDEX_ENTRIES_MAX];
            struct sinkhole_match match;
            struct sinkhole_name name;

            sinkhole_name_from_key(base_names[k].key, strlen(base_names[k].key), &name);
            sinkhole_index_find(&index, name.wire, name.wire_len, 0, &match);
            sinkhole_index_entries(&index, base_names[k].key, strlen(base_names[k].key), ids);
        }
        free(base);
        free(head);
    }
}

static void test_missing_files(void **state)
{
    const struct files *files = *state;
    char path[PATH_MAX];

    files_restore(files);
    path_of(path, files->dir, BASE);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(try_open(files), SINKHOLE_INDEX_MISSING);
    files_restore(files);
    path_of(path, files->dir, "head");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(try_open(files), SINKHOLE_INDEX_MISSING);
    assert_int_equal(mkdir(path, 0755), 0);
    assert_int_equal(try_open(files), SINKHOLE_INDEX_IO);
    assert_int_equal(rmdir(path), 0);
    files_restore(files);
    assert_int_equal(try_open(files), SINKHOLE_INDEX_OK);
}

static void test_a_head_on_a_damaged_base_is_not_published(void **state)
{
    const struct files *files = *state;
    const struct sinkhole_head head = {.state = {.generation = 10}, .base_id = 7};
    uint8_t *kept;
    size_t kept_len;

    files_restore(files);
    files->base[files->base_len - 70] ^= 1;
    file_write(files->dir, BASE, files->base, files->base_len);
    files->base[files->base_len - 70] ^= 1;
    assert_int_equal(sinkhole_head_write(files->dir, &head), SINKHOLE_BUILD_IO);
    assert_int_equal(errno, EBADMSG);
    kept = file_read(files->dir, "head", &kept_len);
    assert_int_equal(kept_len, files->head_len);
    assert_memory_equal(kept, files->head, kept_len);
    free(kept);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_truncated_anywhere),
        cmocka_unit_test(test_a_bit_flipped_anywhere),
        cmocka_unit_test(test_refused_with_the_reason),
        cmocka_unit_test(test_impossible_records_are_noticed),
        cmocka_unit_test(test_missing_files),
        cmocka_unit_test(test_a_head_on_a_damaged_base_is_not_published),
    };

    return cmocka_run_group_tests(tests, files_make, files_remove);
}
