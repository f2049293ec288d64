/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The one table of fields: how each is got from a row, what it is called in JSON Lines and which
 * column of Shadowserver's event4_sinkhole_dns layout it fills.
 *
 * Threads: pure, but for `out`. Memory: a field's text on the stack.
 */
#include "sinkhole/report.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#define FIELD_MAX SINKHOLE_NAME_TEXT_MAX
#define ESCAPED_MAX (FIELD_MAX * 7) /* \u{..} of every octet, or less */

typedef void (*field_fn)(const struct sinkhole_report_row *row, char *buf, size_t size);
enum field_kind { FIELD_TEXT, FIELD_NUMBER };

struct field {
    const char *json;   /* NULL: not in JSON Lines */
    const char *column; /* NULL: not in Shadowserver's layout */
    enum field_kind kind;
    field_fn get; /* leaves buf empty when the row does not say */
    const char *meaning;
};

static void copy(char *buf, size_t size, const char *text)
{
    snprintf(buf, size, "%s", text);
}

static void time_text(int64_t ms, const char *format, bool with_ms, char *buf, size_t size)
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm;
    size_t used;

    if (gmtime_r(&seconds, &tm) == NULL)
        return;
    used = strftime(buf, size, format, &tm);
    if (with_ms)
        snprintf(buf + used, size - used, ".%03dZ", (int)(ms % 1000));
}

#define GET(name)                                                                                  \
    static void get_##name(const struct sinkhole_report_row *row, char *buf, size_t size)
GET(event_id)
{
    snprintf(buf, size, "%s/%" PRIu32 "/%s", row->resolver, row->lane, row->id);
}
GET(timestamp)
{
    time_text(row->first_ms, "%Y-%m-%d %H:%M:%S", false, buf, size);
}
GET(first_seen)
{
    time_text(row->first_ms, "%Y-%m-%dT%H:%M:%S", true, buf, size);
}
GET(last_seen)
{
    time_text(row->last_ms, "%Y-%m-%dT%H:%M:%S", true, buf, size);
}
GET(count)
{
    snprintf(buf, size, "%" PRIu64, row->count);
}
GET(client_ip)
{
    if (row->hit->client.family != 0)
        sinkhole_address_to_text(&row->hit->client, buf, size);
}
GET(client_port)
{
    snprintf(buf, size, "%u", row->hit->port);
}
GET(client_source)
{
    static const char *const names[] = {"socket", "proxyv2", "ecs", "mac"};

    if (row->hit->client_source < sizeof names / sizeof *names)
        copy(buf, size, names[row->hit->client_source]);
}
GET(unit_id)
{
    if (row->unit != NULL)
        copy(buf, size, row->unit->id);
}
GET(network)
{
    if (row->unit != NULL)
        sinkhole_prefix_to_text(&row->network, buf, size);
}
GET(transport)
{
    copy(buf, size, sinkhole_transport_text(row->hit->transport));
}
GET(protocol)
{
    copy(buf, size, row->hit->transport == SINKHOLE_TRANSPORT_UDP ? "udp" : "tcp");
}
GET(qname)
{
    sinkhole_name_to_text(&row->hit->qname, buf, size);
}
GET(qtype)
{
    char text[16];

    copy(buf, size, sinkhole_qtype_text(row->hit->qtype, text));
}
GET(domain)
{
    struct sinkhole_name domain;

    if (row->suffixes != NULL && sinkhole_registrable(row->suffixes, &row->hit->qname, &domain))
        sinkhole_name_to_text(&domain, buf, size);
}
GET(action)
{
    copy(buf, size, sinkhole_action_text(row->hit->action));
}
GET(answer)
{
    if (row->hit->answer.family != 0)
        sinkhole_address_to_text(&row->hit->answer, buf, size);
}
GET(indicator)
{
    sinkhole_name_to_text(&row->hit->indicator, buf, size);
}
GET(feed)
{
    if (row->from != NULL)
        copy(buf, size, row->from->batch.feed);
}
GET(reference)
{
    if (row->from != NULL && !row->from->classified)
        copy(buf, size, row->from->batch.reference);
}
GET(family)
{
    if (row->from != NULL)
        copy(buf, size, row->from->batch.family);
}
GET(infection)
{
    if (row->from != NULL && row->from->batch.family[0] != '\0')
        copy(buf, size, row->from->batch.family);
    else
        copy(buf, size, "sinkholedns");
}
GET(category)
{
    if (row->from != NULL)
        copy(buf, size, row->from->batch.category);
}
GET(confidence)
{
    if (row->from != NULL)
        snprintf(buf, size, "%u", row->from->batch.rule.confidence);
}
GET(severity)
{
    if (row->from != NULL)
        snprintf(buf, size, "%u", row->from->batch.rule.severity);
}
GET(severity_word)
{
    static const char *const words[] = {"info", "low", "medium", "high", "critical"};
    unsigned severity = row->from != NULL ? row->from->batch.rule.severity : 0;

    copy(buf, size, words[severity < 5 ? severity : 4]);
}
GET(generation)
{
    snprintf(buf, size, "%" PRIu64, row->hit->generation);
}
GET(resolver)
{
    copy(buf, size, row->resolver);
}
GET(tlp)
{
    if (row->from != NULL)
        copy(buf, size, row->from->batch.tlp);
}

static const struct field fields[] = {
    {"event_id", NULL, FIELD_TEXT, get_event_id, "resolver/lane/entry of the first look-up"},
    {NULL, "timestamp", FIELD_TEXT, get_timestamp, "first look-up, UTC"},
    {"first_seen", NULL, FIELD_TEXT, get_first_seen, "first look-up within the hour, UTC"},
    {"last_seen", NULL, FIELD_TEXT, get_last_seen, "last look-up within the hour, UTC"},
    {"count", "count", FIELD_NUMBER, get_count, "look-ups"},
    {"client_ip", "src_ip", FIELD_TEXT, get_client_ip, "who asked"},
    {"client_port", "src_port", FIELD_NUMBER, get_client_port, "from which port, the first time"},
    {"client_source", NULL, FIELD_TEXT, get_client_source,
     "how the address is known: socket, proxyv2, ecs, mac"},
    {"unit_id", NULL, FIELD_TEXT, get_unit_id, "whose address it is"},
    {"network", NULL, FIELD_TEXT, get_network, "by which prefix"},
    {NULL, "protocol", FIELD_TEXT, get_protocol, "udp or tcp"},
    {"transport", NULL, FIELD_TEXT, get_transport, "udp, tcp, dot, doh"},
    {"qname", "query", FIELD_TEXT, get_qname, "name asked for, the first time"},
    {"qtype", "query_type", FIELD_TEXT, get_qtype, "type asked for"},
    {"registered_domain", NULL, FIELD_TEXT, get_domain, "registrable domain of the name"},
    {"action", NULL, FIELD_TEXT, get_action, "what was done"},
    {"answer", NULL, FIELD_TEXT, get_answer, "the address handed out"},
    {"indicator", NULL, FIELD_TEXT, get_indicator, "the listed name"},
    {"feed", NULL, FIELD_TEXT, get_feed, "the list"},
    {"reference", NULL, FIELD_TEXT, get_reference, "the letter, unless its list is classified"},
    {"family", "family", FIELD_TEXT, get_family, "malware family"},
    {NULL, "infection", FIELD_TEXT, get_infection, "malware family, or sinkholedns"},
    {"category", "tag", FIELD_TEXT, get_category, "kind of threat"},
    {"confidence", NULL, FIELD_NUMBER, get_confidence, "of the list in this name, 0-100"},
    {"severity", NULL, FIELD_NUMBER, get_severity, "0-4"},
    {NULL, "severity", FIELD_TEXT, get_severity_word, "info, low, medium, high, critical"},
    {"generation", NULL, FIELD_NUMBER, get_generation, "of the list that decided"},
    {"resolver", NULL, FIELD_TEXT, get_resolver, "which resolver saw it"},
    {"tlp", NULL, FIELD_TEXT, get_tlp, "traffic light protocol"},
};
#define FIELD_COUNT (sizeof fields / sizeof *fields)

/* Shadowserver's order; a column without a field stays empty. */
static const char *const layout[] = {
    "timestamp",   "protocol",     "src_ip",       "src_port",  "src_asn",    "src_geo",
    "src_region",  "src_city",     "src_hostname", "src_naics", "src_sector", "device_vendor",
    "device_type", "device_model", "severity",     "infection", "family",     "tag",
    "query_type",  "query",        "count",
};
#define LAYOUT_COUNT (sizeof layout / sizeof *layout)

static const struct field *column_field(size_t column)
{
    static const struct field *found[LAYOUT_COUNT];
    static bool looked;

    if (!looked) {
        for (size_t i = 0; i < LAYOUT_COUNT; i++)
            for (size_t f = 0; f < FIELD_COUNT; f++)
                if (fields[f].column != NULL && strcmp(fields[f].column, layout[i]) == 0)
                    found[i] = &fields[f];
        looked = true;
    }
    return found[column];
}

void sinkhole_report_json(const struct sinkhole_report_row *row, FILE *out)
{
    char text[FIELD_MAX], escaped[ESCAPED_MAX];
    char before = '{';

    for (size_t i = 0; i < FIELD_COUNT; i++) {
        if (fields[i].json == NULL)
            continue;
        text[0] = '\0';
        fields[i].get(row, text, sizeof text);
        if (text[0] == '\0')
            continue; /* what is not known is not there */
        if (fields[i].kind == FIELD_TEXT)
            sinkhole_escape_json(text, escaped, sizeof escaped);
        fprintf(out, "%c\"%s\":%s", before, fields[i].json,
                fields[i].kind == FIELD_TEXT ? escaped : text);
        before = ',';
    }
    fputs("}\n", out);
}

void sinkhole_report_csv_head(FILE *out)
{
    for (size_t i = 0; i < LAYOUT_COUNT; i++)
        fprintf(out, "%s%s", i > 0 ? "," : "", layout[i]);
    fputs("\r\n", out);
}

void sinkhole_report_csv(const struct sinkhole_report_row *row, FILE *out)
{
    char text[FIELD_MAX], escaped[ESCAPED_MAX];

    for (size_t i = 0; i < LAYOUT_COUNT; i++) {
        const struct field *field = column_field(i);

        if (i > 0)
            fputc(',', out);
        if (field == NULL)
            continue;
        text[0] = '\0';
        field->get(row, text, sizeof text);
        sinkhole_escape_csv(text, escaped, sizeof escaped);
        fputs(escaped, out);
    }
    fputs("\r\n", out);
}

void sinkhole_report_fields(FILE *out)
{
    for (size_t i = 0; i < FIELD_COUNT; i++)
        fprintf(out, "%s\t%s\t%s\t%s\n", fields[i].json != NULL ? fields[i].json : "-",
                fields[i].kind == FIELD_TEXT ? "text" : "number",
                fields[i].column != NULL ? fields[i].column : "-", fields[i].meaning);
}

const char *sinkhole_qtype_text(uint16_t qtype, char buf[16])
{
    static const struct {
        uint16_t type;
        const char *text;
    } known[] = {{1, "A"},      {28, "AAAA"},  {65, "HTTPS"},  {5, "CNAME"},  {15, "MX"},
                 {16, "TXT"},   {2, "NS"},     {6, "SOA"},     {12, "PTR"},   {33, "SRV"},
                 {35, "NAPTR"}, {43, "DS"},    {48, "DNSKEY"}, {64, "SVCB"},  {257, "CAA"},
                 {255, "ANY"},  {39, "DNAME"}, {52, "TLSA"},   {46, "RRSIG"}, {47, "NSEC"}};

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].type == qtype)
            return known[i].text;
    snprintf(buf, 16, "TYPE%u", qtype);
    return buf;
}

const char *sinkhole_transport_text(uint8_t transport)
{
    static const char *const names[] = {"udp", "tcp", "dot", "doh"};

    return transport < sizeof names / sizeof *names ? names[transport] : "unknown";
}

const char *sinkhole_action_text(uint8_t action)
{
    static const char *const names[] = {"inherit", "monitor",  "tcp-only", "address",
                                        "nodata",  "nxdomain", "drop",     "allow"};

    return action < sizeof names / sizeof *names ? names[action] : "unknown";
}
