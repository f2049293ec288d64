/* SPDX-License-Identifier: BSD-3-Clause */
/* A hit comes out of its encoding as it went in, and nothing else does. */
#include "sample.h"

static void every_field_survives(void **state)
{
    (void)state;
    static const struct {
        const char *why, *qname, *indicator;
        uint8_t client_family, answer_family;
        size_t len;
    } cases[] = {
        {"the listed name itself", "evil.example", "evil.example", 4, 4, 40 + 4 + 4 + 14},
        {"below the listed name: octets shared", "a.b.evil.example", "evil.example", 4, 0,
         40 + 4 + 18},
        {"an alias: two names", "good.example", "c2.evil.test", 6, 6, 40 + 16 + 16 + 14 + 14},
        {"ends in the same octets, but within a label", "notevil.example", "evil.example", 6, 0,
         40 + 16 + 17 + 14},
        {"listed name longer than the asked one", "example", "evil.example", 4, 0,
         40 + 4 + 9 + 14},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sinkhole_hit hit = sample_hit(3, SAMPLE_TIME_MS + 5), out;
        uint8_t buf[SINKHOLE_HIT_ENCODED_MAX];

        hit.qname = sample_name(cases[i].qname);
        hit.indicator = sample_name(cases[i].indicator);
        hit.client.family = cases[i].client_family;
        hit.answer.family = cases[i].answer_family;
        hit.generation = UINT64_MAX - i;
        hit.rule = UINT32_MAX;
        hit.qtype = 65;
        hit.qclass = 3;
        hit.port = 65535;
        hit.transport = SINKHOLE_TRANSPORT_DOH;
        hit.client_source = SINKHOLE_CLIENT_PROXYV2;
        hit.rcode = 3;
        hit.flags = SINKHOLE_HIT_CHAIN | SINKHOLE_HIT_FROM_CACHE;

        const size_t len = sinkhole_hit_encode(&hit, buf, sizeof(buf));

        if (len != cases[i].len)
            fail_msg("%s: %zu octets, expected %zu", cases[i].why, len, cases[i].len);
        assert_int_equal(sinkhole_hit_encode(&hit, buf, len - 1), 0);
        assert_true(sinkhole_hit_decode(buf, len, &out));
        assert_int_equal(out.time_ms, hit.time_ms);
        assert_int_equal(out.count, 1);
        assert_int_equal(out.rule, hit.rule);
        assert_true(out.generation == hit.generation);
        assert_int_equal(out.client.family, hit.client.family);
        assert_memory_equal(out.client.octets, hit.client.octets,
                            hit.client.family == 4 ? 4 : 16);
        assert_int_equal(out.answer.family, hit.answer.family);
        assert_memory_equal(out.answer.octets, hit.answer.octets,
                            hit.answer.family == 4 ? 4 : hit.answer.family == 6 ? 16 : 0);
        assert_int_equal(out.port, hit.port);
        assert_int_equal(out.qtype, hit.qtype);
        assert_int_equal(out.qclass, hit.qclass);
        assert_int_equal(out.transport, hit.transport);
        assert_int_equal(out.client_source, hit.client_source);
        assert_int_equal(out.action, hit.action);
        assert_int_equal(out.rcode, hit.rcode);
        assert_int_equal(out.flags, hit.flags);
        assert_int_equal(out.qname.wire_len, hit.qname.wire_len);
        assert_int_equal(out.qname.labels, hit.qname.labels);
        assert_memory_equal(out.qname.wire, hit.qname.wire, hit.qname.wire_len);
        assert_int_equal(out.indicator.wire_len, hit.indicator.wire_len);
        assert_int_equal(out.indicator.labels, hit.indicator.labels);
        assert_memory_equal(out.indicator.wire, hit.indicator.wire, hit.indicator.wire_len);
    }
}

static void longest_hit_fits(void **state)
{
    (void)state;
    struct sinkhole_hit hit = sample_hit(1, SAMPLE_TIME_MS), out;
    uint8_t buf[SINKHOLE_HIT_ENCODED_MAX];
    static const uint8_t lens[] = {63, 63, 63, 61};
    struct sinkhole_name name = {.wire_len = 255, .labels = 4};
    size_t at = 0;

    for (size_t i = 0; i < sizeof(lens); i++) {
        name.wire[at] = lens[i];
        memset(name.wire + at + 1, 'a', lens[i]);
        at += (size_t)lens[i] + 1;
    }
    hit.qname = hit.indicator = name;
    hit.indicator.wire[1] = 'b';
    hit.client.family = hit.answer.family = 6;

    const size_t len = sinkhole_hit_encode(&hit, buf, sizeof(buf));

    assert_int_equal(len, 40 + 32 + 510);
    assert_true(sinkhole_hit_decode(buf, len, &out));
    assert_memory_equal(out.indicator.wire, hit.indicator.wire, 255);
}

static void damage_is_refused(void **state)
{
    (void)state;
    struct sinkhole_hit hit = sample_hit(1, SAMPLE_TIME_MS), out;
    uint8_t good[SINKHOLE_HIT_ENCODED_MAX], buf[SINKHOLE_HIT_ENCODED_MAX + 1];
    const size_t len = sinkhole_hit_encode(&hit, good, sizeof(good));
    static const struct {
        const char *why;
        size_t at;
        uint8_t value;
    } cases[] = {
        {"time before 1970", 7, 0x80},
        {"another version", 26, 2},
        {"no such transport", 27, 4},
        {"no such source of the address", 28, 4},
        {"no such action", 29, 8},
        {"no such response code", 30, 16},
        {"no such flag", 31, 16},
        {"client of no family", 32, 0x40},
        {"client of family 5", 32, 0x45},
        {"answer of family 1", 32, 0x14},
        {"client longer than what is left of it", 32, 0x46},
        {"names of a third kind", 33, 2},
        {"listed name said to stand alone", 33, 0},
        {"asked name longer than the rest", 34, 200},
        {"asked name shorter than the rest", 34, 17},
        {"listed name within a label", 35, 5},
        {"listed name beyond the asked one", 35, 200},
        {"a pointer in the asked name", 48, 0xc0},
        {"a label over the end", 48, 63},
    };

    assert_true(sinkhole_hit_decode(good, len, &out));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memcpy(buf, good, len);
        buf[cases[i].at] = cases[i].value;
        if (sinkhole_hit_decode(buf, len, &out))
            fail_msg("accepted: %s", cases[i].why);
    }
    for (size_t cut = 0; cut < len; cut++)
        if (sinkhole_hit_decode(good, cut, &out))
            fail_msg("accepted: the first %zu octets", cut);
    memcpy(buf, good, len);
    buf[len] = 0;
    assert_false(sinkhole_hit_decode(buf, len + 1, &out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_survives),
        cmocka_unit_test(longest_hit_fits),
        cmocka_unit_test(damage_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
