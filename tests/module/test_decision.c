/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The decision and the answer, as tables; client addresses; lower-casing against the plain way.
 * Threads: one. Memory: none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <string.h>

#include "module/answer.h"
#include "module/engine.h"

#define NX SINKHOLE_RCODE_NXDOMAIN
#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static void kind_of_a_match(void **state)
{
    static const struct {
        const char *why;
        bool found, with_rule;
        uint8_t action;
        enum sinkhole_kind expected;
    } cases[] = {
        {"nothing listed", false, false, 0, SINKHOLE_PASS},
        {"an exception wins", false, true, SINKHOLE_ACTION_ALLOW, SINKHOLE_EXEMPT},
        {"address", true, true, SINKHOLE_ACTION_ADDRESS, SINKHOLE_BLOCK},
        {"nodata", true, true, SINKHOLE_ACTION_NODATA, SINKHOLE_BLOCK},
        {"nxdomain", true, true, SINKHOLE_ACTION_NXDOMAIN, SINKHOLE_BLOCK},
        {"drop", true, true, SINKHOLE_ACTION_DROP, SINKHOLE_DROP},
        {"monitor", true, true, SINKHOLE_ACTION_MONITOR, SINKHOLE_MONITOR},
        {"the reserved action resolves and is seen", true, true, SINKHOLE_ACTION_TCP_ONLY,
         SINKHOLE_MONITOR},
        {"an unknown action resolves", true, true, 77, SINKHOLE_PASS},
        {"an uninherited action resolves", true, true, SINKHOLE_ACTION_INHERIT, SINKHOLE_PASS},
    };
    static const struct sinkhole_rule rule = {.id = 5};

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct sinkhole_match match = {.rule = cases[i].with_rule ? &rule : NULL,
                                       .action = cases[i].action};
        if (sinkhole_kind_of(&match, cases[i].found) != cases[i].expected)
            fail_msg("%s", cases[i].why);
    }
}

static struct sinkhole_verdict verdict_of(uint8_t action, bool exact, bool v4, bool v6,
                                          uint16_t ede, uint8_t flags)
{
    struct sinkhole_verdict verdict = {.generation = 0x100000007,
                                       .rule = 9,
                                       .ttl_s = 10,
                                       .ede_code = ede,
                                       .kind = SINKHOLE_BLOCK,
                                       .action = action,
                                       .flags = flags,
                                       .exact = exact,
                                       .has_v4 = v4,
                                       .has_v6 = v6,
                                       .v4 = {192, 0, 2, 53},
                                       .v6 = {0x20, 1, 0xd, 0xb8, [15] = 0x53},
                                       .indicator_len = 10,
                                       .indicator = "\4evil\3com"};

    return verdict;
}

/* Answers in one word each: R rcode, then records a (A), q (AAAA), s (SOA of the listed name),
 * o (SOA of the asked name). */
static void answer_text(const struct sinkhole_answer *answer, char *text)
{
    *text++ = (char)('0' + answer->rcode);
    for (unsigned i = 0; i < answer->record_count; i++) {
        const struct sinkhole_record *record = &answer->records[i];
        assert_int_equal(record->authority, record->type == SINKHOLE_TYPE_SOA);
        *text++ = record->type == SINKHOLE_TYPE_A      ? 'a'
                  : record->type == SINKHOLE_TYPE_AAAA ? 'q'
                  : record->owner_listed               ? 's'
                                                       : 'o';
    }
    *text = '\0';
}

static void answer_by_action_and_type(void **state)
{
    enum {
        ADDR = SINKHOLE_ACTION_ADDRESS,
        NODATA = SINKHOLE_ACTION_NODATA,
        NXD = SINKHOLE_ACTION_NXDOMAIN,
        CHAIN = SINKHOLE_HIT_CHAIN
    };
    static const struct {
        const char *why;
        uint8_t action;
        bool exact, v4, v6;
        uint16_t ede;
        uint8_t flags;
        uint16_t qtype;
        const char *answer;
        unsigned ede_count;
        uint16_t ede_codes[2];
        uint8_t family;
    } cases[] = {
        {"A", ADDR, false, true, true, 16, 0, 1, "0a", 2, {4, 16}, 4},
        {"AAAA", ADDR, false, true, true, 16, 0, 28, "0q", 2, {4, 16}, 6},
        {"ANY: both", ADDR, false, true, true, 15, 0, 255, "0aq", 2, {4, 15}, 4},
        {"ANY: the one there is", ADDR, false, false, true, 15, 0, 255, "0q", 2, {4, 15}, 6},
        {"A without a v4 address", ADDR, false, false, true, 15, 0, 1, "0s", 1, {15}, 0},
        {"ANY without addresses", ADDR, false, false, false, 15, 0, 255, "0s", 1, {15}, 0},
        {"HTTPS", ADDR, false, true, true, 15, 0, 65, "0s", 1, {15}, 0},
        {"SVCB", ADDR, false, true, true, 15, 0, 64, "0s", 1, {15}, 0},
        {"TXT", ADDR, false, true, true, 15, 0, 16, "0s", 1, {15}, 0},
        {"CNAME", ADDR, false, true, true, 15, 0, 5, "0s", 1, {15}, 0},
        {"an address at an exact entry", ADDR, true, true, true, 15, 0, 1, "0a", 2, {4, 15}, 4},
        {"NODATA", NODATA, false, true, true, 17, 0, 1, "0s", 1, {17}, 0},
        {"NXDOMAIN", NXD, false, true, true, 17, 0, 1, "3s", 1, {17}, 0},
        {"NXDOMAIN for HTTPS", NXD, false, false, false, 17, 0, 65, "3s", 1, {17}, 0},
        {"NXDOMAIN for ANY", NXD, false, false, false, 17, 0, 255, "3s", 1, {17}, 0},
        {"exact: NODATA (RFC 8020)", NXD, true, false, false, 17, 0, 1, "0s", 1, {17}, 0},
        {"alias: the asked name exists", NXD, false, false, false, 17, CHAIN, 1, "0o", 1, {17}, 0},
        {"alias: address", ADDR, false, true, true, 16, CHAIN, 1, "0a", 2, {4, 16}, 4},
        {"no EDE", ADDR, false, true, true, 0, 0, 1, "0a", 0, {0}, 4},
        {"no EDE, negative", NXD, false, true, true, 0, 0, 1, "3s", 0, {0}, 0},
        {"the feed's code is 4 itself", ADDR, false, true, true, 4, 0, 1, "0a", 1, {4}, 4},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct sinkhole_verdict verdict = verdict_of(cases[i].action, cases[i].exact, cases[i].v4,
                                                     cases[i].v6, cases[i].ede, cases[i].flags);
        struct sinkhole_answer answer;
        char text[8];

        sinkhole_answer_make(&verdict, cases[i].qtype, &answer);
        answer_text(&answer, text);
        if (strcmp(text, cases[i].answer) != 0 || answer.ede_count != cases[i].ede_count ||
            memcmp(answer.ede, cases[i].ede_codes, answer.ede_count * sizeof(uint16_t)) != 0 ||
            answer.address.family != cases[i].family || answer.ttl_s != 10)
            fail_msg("%s: %s", cases[i].why, text);
    }
}

static void soa_rdata(void **state)
{
    static const uint8_t expected[] =
        "\010sinkhole\007invalid\0\012hostmaster\010sinkhole"
        "\007invalid\0\0\0\0\7\0\0\16\20\0\0\2\130\0\1\121\200\0\0\0\12";
    struct sinkhole_verdict verdict = verdict_of(SINKHOLE_ACTION_NODATA, false, false, false, 0, 0);
    struct sinkhole_answer answer;

    (void)state;
    sinkhole_answer_make(&verdict, 1, &answer);
    assert_int_equal(answer.records[0].rdata_len, sizeof(expected) - 1);
    assert_memory_equal(answer.records[0].rdata, expected, sizeof(expected) - 1);
}

static void lower_as_the_plain_way(void **state)
{
    uint8_t name[SINKHOLE_NAME_WIRE_MAX], got[SINKHOLE_NAME_WIRE_MAX];

    (void)state;
    /* Every octet at every place modulo eight, and every length. */
    for (unsigned shift = 0; shift < 256; shift++) {
        for (size_t len = 1; len <= sizeof(name); len++) {
            for (size_t i = 0; i < len; i++)
                name[i] = (uint8_t)(i * 7 + shift);
            name[len - 1] = 0;
            assert_true(sinkhole_wire_lower(name, len, got));
            for (size_t i = 0; i < len; i++) {
                uint8_t c = name[i];
                assert_int_equal(got[i], c >= 'A' && c <= 'Z' ? c + 32 : c);
            }
        }
    }
    name[9] = 'x';
    assert_false(sinkhole_wire_lower(name, 10, got));
    assert_false(sinkhole_wire_lower(name, 0, got));
    assert_false(sinkhole_wire_lower(name, 256, got));
}

static void client_addresses(void **state)
{
    static const struct {
        const char *why, *text;
        int family;
        uint8_t expected_family;
        const char *expected;
    } cases[] = {
        {"v4", "192.0.2.7", AF_INET, 4, "192.0.2.7"},
        {"v6", "2001:db8::7", AF_INET6, 6, "2001:db8::7"},
        {"v4 mapped", "::ffff:192.0.2.7", AF_INET6, 4, "192.0.2.7"},
        {"loopback is not mapped", "::1", AF_INET6, 6, "::1"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct sockaddr_storage storage = {0};
        struct sinkhole_address address;
        uint16_t port;
        char text[SINKHOLE_ADDRESS_TEXT_MAX];

        storage.ss_family = (sa_family_t)cases[i].family;
        if (cases[i].family == AF_INET) {
            struct sockaddr_in *v4 = (struct sockaddr_in *)&storage;
            v4->sin_port = htons(4242);
            assert_int_equal(inet_pton(AF_INET, cases[i].text, &v4->sin_addr), 1);
        } else {
            struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&storage;
            v6->sin6_port = htons(4242);
            assert_int_equal(inet_pton(AF_INET6, cases[i].text, &v6->sin6_addr), 1);
        }
        sinkhole_client_address((const struct sockaddr *)&storage, &address, &port);
        (void)sinkhole_address_to_text(&address, text, sizeof(text));
        if (address.family != cases[i].expected_family || port != 4242 ||
            strcmp(text, cases[i].expected) != 0)
            fail_msg("%s: %s", cases[i].why, text);
    }
    struct sockaddr unix_client = {.sa_family = AF_UNIX};
    struct sinkhole_address none;
    uint16_t port = 1;
    sinkhole_client_address(&unix_client, &none, &port);
    assert_int_equal(none.family, 0);
    assert_int_equal(port, 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(kind_of_a_match),  cmocka_unit_test(answer_by_action_and_type),
        cmocka_unit_test(soa_rdata),        cmocka_unit_test(lower_as_the_plain_way),
        cmocka_unit_test(client_addresses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
