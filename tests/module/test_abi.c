/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Build-ids: notes whole and damaged, lists, files. Threads: one. Memory: none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "sinkhole/abi.h"

#define NOTE_GNU "\4\0\0\0\4\0\0\0\3\0\0\0GNU\0\xde\xad\xbe\xef"
#define NOTE_OTHER "\6\0\0\0\5\0\0\0\1\0\0\0Other\0\0\0\1\2\3\4\5\0\0\0"

static void notes(void **state)
{
    static const struct {
        const char *why, *bytes;
        size_t len;
        bool expected;
    } cases[] = {
        {"alone", NOTE_GNU, 20, true},
        {"after another, padded", NOTE_OTHER NOTE_GNU, 48, true},
        {"empty", "", 0, false},
        {"half a head", NOTE_GNU, 11, false},
        {"name cut", NOTE_GNU, 13, false},
        {"description cut", NOTE_GNU, 19, false},
        {"a name longer than all there is", "\xff\xff\xff\xff\4\0\0\0\3\0\0\0GNU\0\1\2\3\4", 20,
         false},
        {"a description longer", "\4\0\0\0\xff\xff\xff\xff\3\0\0\0GNU\0\1\2\3\4", 20, false},
        {"another type", "\4\0\0\0\4\0\0\0\4\0\0\0GNU\0\1\2\3\4", 20, false},
        {"another name", "\4\0\0\0\4\0\0\0\3\0\0\0GNV\0\1\2\3\4", 20, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const uint8_t *desc = NULL;
        size_t len = 0;
        bool found = sinkhole_abi_note_find((const uint8_t *)cases[i].bytes, cases[i].len, "GNU", 3,
                                            &desc, &len);
        if (found != cases[i].expected)
            fail_msg("%s", cases[i].why);
        if (found) {
            assert_int_equal(len, 4);
            assert_memory_equal(desc, "\xde\xad\xbe\xef", 4);
        }
    }
}

static void lists(void **state)
{
    static const struct sinkhole_abi_id id = {4, {0xde, 0xad, 0xbe, 0xef}};
    static const struct {
        const char *why, *list;
        bool expected;
    } cases[] = {
        {"the only one", "id deadbeef\n", true},
        {"among others", "unbound 1.17.1\nid 00\nid deadbeef\nid 11\n", true},
        {"without a line end", "id deadbeef", true},
        {"empty", "", false},
        {"longer", "id deadbeef00\n", false},
        {"shorter", "id deadbe\n", false},
        {"no id line", "deadbeef\n", false},
        {"inside another word", "id 00deadbeef\n", false},
    };
    static const struct sinkhole_abi_id none = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (sinkhole_abi_list_has(cases[i].list, &id) != cases[i].expected)
            fail_msg("%s", cases[i].why);
    assert_false(sinkhole_abi_list_has("id \nid none\n", &none));
}

static void files(void **state)
{
    struct sinkhole_abi_id running, file;
    char text[SINKHOLE_ABI_TEXT_MAX];

    (void)state;
    assert_true(sinkhole_abi_running_id(&running));
    assert_int_equal(sinkhole_abi_file_id("/proc/self/exe", &file), SINKHOLE_ABI_OK);
    assert_int_equal(file.len, running.len);
    assert_memory_equal(file.octets, running.octets, running.len);
    assert_int_equal(sinkhole_abi_file_list("/proc/self/exe", text), SINKHOLE_ABI_NO_NOTE);
    assert_int_equal(sinkhole_abi_file_id("/nonexistent", &file), SINKHOLE_ABI_UNREADABLE);
    assert_int_equal(sinkhole_abi_file_id("/etc/passwd", &file), SINKHOLE_ABI_NOT_ELF);
    assert_int_equal(sinkhole_abi_file_id("/etc", &file), SINKHOLE_ABI_NOT_ELF);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(notes),
        cmocka_unit_test(lists),
        cmocka_unit_test(files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
