/* SPDX-License-Identifier: BSD-3-Clause */
/* What counts as the sinkhole's own answer. Threads: one. Memory: ldns's, freed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <ldns/ldns.h>

#include "agent/canary.h"

#define NAME "canary.sinkhole.example"
#define ID 4711

struct row {
    const char *why;
    const char *asked;
    const char *answers[3];
    uint16_t id;
    ldns_pkt_rcode rcode;
    bool response;
    enum agent_canary_state expected;
};

static const struct row rows[] = {
    {"the canary's address",
     NAME,
     {NAME " 0 IN A 192.0.2.53"},
     ID,
     LDNS_RCODE_NOERROR,
     true,
     AGENT_CANARY_OK},
    {"case does not matter",
     "CANARY.Sinkhole.example",
     {NAME " 0 IN A 192.0.2.53"},
     ID,
     LDNS_RCODE_NOERROR,
     true,
     AGENT_CANARY_OK},
    {"resolved: no such name",
     NAME,
     {NULL},
     ID,
     LDNS_RCODE_NXDOMAIN,
     true,
     AGENT_CANARY_NOT_SINKHOLED},
    {"another address",
     NAME,
     {NAME " 0 IN A 192.0.2.54"},
     ID,
     LDNS_RCODE_NOERROR,
     true,
     AGENT_CANARY_NOT_SINKHOLED},
    {"no data", NAME, {NULL}, ID, LDNS_RCODE_NOERROR, true, AGENT_CANARY_NOT_SINKHOLED},
    {"failure", NAME, {NULL}, ID, LDNS_RCODE_SERVFAIL, true, AGENT_CANARY_NOT_SINKHOLED},
    {"more than the address",
     NAME,
     {NAME " 0 IN A 192.0.2.53", NAME " 0 IN A 203.0.113.1"},
     ID,
     LDNS_RCODE_NOERROR,
     true,
     AGENT_CANARY_NOT_SINKHOLED},
    {"the answer to another question",
     NAME,
     {NAME " 0 IN A 192.0.2.53"},
     ID + 1,
     LDNS_RCODE_NOERROR,
     true,
     AGENT_CANARY_UNKNOWN},
    {"another name",
     "other.invalid",
     {"other.invalid 0 IN A 192.0.2.53"},
     ID,
     LDNS_RCODE_NOERROR,
     true,
     AGENT_CANARY_UNKNOWN},
    {"a question", NAME, {NULL}, ID, LDNS_RCODE_NOERROR, false, AGENT_CANARY_UNKNOWN},
};

static uint8_t *packet_make(const struct row *row, size_t *ret_len)
{
    ldns_pkt *packet = NULL;
    uint8_t *wire = NULL;

    assert_int_equal(
        ldns_pkt_query_new_frm_str(&packet, row->asked, LDNS_RR_TYPE_A, LDNS_RR_CLASS_IN, LDNS_RD),
        LDNS_STATUS_OK);
    ldns_pkt_set_id(packet, row->id);
    ldns_pkt_set_qr(packet, row->response);
    ldns_pkt_set_rcode(packet, (uint8_t)row->rcode);
    for (size_t i = 0; row->answers[i] != NULL; i++) {
        ldns_rr *rr = NULL;

        assert_int_equal(ldns_rr_new_frm_str(&rr, row->answers[i], 0, NULL, NULL), LDNS_STATUS_OK);
        ldns_pkt_push_rr(packet, LDNS_SECTION_ANSWER, rr);
    }
    assert_int_equal(ldns_pkt2wire(&wire, packet, ret_len), LDNS_STATUS_OK);
    ldns_pkt_free(packet);
    return wire;
}

static void test_judgement(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t len;
        uint8_t *wire = packet_make(&rows[i], &len);

        print_message("  %s\n", rows[i].why);
        assert_int_equal(agent_canary_judge(wire, len, ID, NAME), rows[i].expected);
        assert_int_equal(agent_canary_judge(wire, len - 1, ID, NAME), AGENT_CANARY_UNKNOWN);
        free(wire);
    }
    assert_int_equal(agent_canary_judge((const uint8_t *)"", 0, ID, NAME), AGENT_CANARY_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_judgement)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
