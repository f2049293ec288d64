/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The one table of fields: how each is got from a row, what it is called in JSON Lines and which
 * column of Shadowserver's event4_sinkhole_dns layout it fills.
 *
 * Threads: pure, but for `out`. Memory: a field's text on the stack.
 */
#include "config.h"

#include "sinkhole/report.h"

#include <string.h>

#include "report/digits.h"

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
    size_t len = strlen(text);

    if (len >= size)
        len = size - 1;
    memcpy(buf, text, len);
    buf[len] = '\0';
}

/* "YYYY-MM-DD?HH:MM:SS", `between` for the ?, 20 octets: a million times over, gmtime_r would be
 * most of the work. Days to date as in Hinnant's chrono-compatible date algorithms. */
static char *put_time(char *at, int64_t ms, char between)
{
    uint64_t seconds = ms < 0 ? 0 : (uint64_t)ms / 1000;
    unsigned second = (unsigned)(seconds % 86400), days = (unsigned)(seconds / 86400 % 3652059);
    unsigned shifted = days + 719468, era = shifted / 146097, of_era = shifted % 146097;
    unsigned year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    unsigned of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned month = (5 * of_year + 2) / 153; /* from March */
    unsigned day = of_year - (153 * month + 2) / 5 + 1;

    month = month < 10 ? month + 3 : month - 9;
    at = report_put_digits(at, year_of_era + era * 400 + (month <= 2), 4);
    *at++ = '-';
    at = report_put_digits(at, month, 2);
    *at++ = '-';
    at = report_put_digits(at, day, 2);
    *at++ = between;
    at = report_put_digits(at, second / 3600, 2);
    *at++ = ':';
    at = report_put_digits(at, second / 60 % 60, 2);
    *at++ = ':';
    return report_put_digits(at, second % 60, 2);
}

static void put_time_ms(char *buf, int64_t ms)
{
    char *at = put_time(buf, ms, 'T');

    *at++ = '.';
    at = report_put_digits(at, (unsigned)(ms < 0 ? 0 : ms % 1000), 3);
    memcpy(at, "Z", 2);
}

#define GET(name)                                                                                  \
    static void get_##name(const struct sinkhole_report_row *row, char *buf, size_t size)
GET(event_id)
{
    char *at;

    copy(buf, size, row->resolver);
    at = buf + strlen(buf);
    *at++ = '/';
    at = report_put_number(at, row->lane);
    *at++ = '/';
    copy(at, size - (size_t)(at - buf), row->id);
}
GET(timestamp)
{
    (void)size; /* 20 octets of FIELD_MAX */
    *put_time(buf, row->first_ms, ' ') = '\0';
}
GET(first_seen)
{
    (void)size;
    put_time_ms(buf, row->first_ms);
}
GET(last_seen)
{
    (void)size;
    put_time_ms(buf, row->last_ms);
}
GET(count)
{
    (void)size;
    *report_put_number(buf, row->count) = '\0';
}
GET(client_ip)
{
    if (row->hit->client.family != 0)
        sinkhole_address_to_text(&row->hit->client, buf, size);
}
GET(client_port)
{
    (void)size;
    *report_put_number(buf, row->hit->port) = '\0';
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
    (void)size;
    *report_put_number(buf, row->hit->generation) = '\0';
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

/* Most texts need no escape: only printable ASCII, and none of `special`. */
static bool is_plain(const char *text, const char special[static 4])
{
    for (; *text != '\0'; text++)
        if (*text < ' ' || *text > '~' || *text == special[0] || *text == special[1] ||
            *text == special[2] || *text == special[3])
            return false;
    return true;
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
        fputc_unlocked(before, out);
        fputc_unlocked('"', out);
        fputs_unlocked(fields[i].json, out);
        fputs_unlocked("\":", out);
        before = ',';
        if (fields[i].kind == FIELD_NUMBER) {
            fputs_unlocked(text, out);
        } else if (is_plain(text, "\"\\\"\\")) {
            fputc_unlocked('"', out);
            fputs_unlocked(text, out);
            fputc_unlocked('"', out);
        } else {
            sinkhole_escape_json(text, escaped, sizeof escaped);
            fputs_unlocked(escaped, out);
        }
    }
    fputs_unlocked("}\n", out);
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
            fputc_unlocked(',', out);
        if (field == NULL)
            continue;
        text[0] = '\0';
        field->get(row, text, sizeof text);
        if (strchr("=+-@", text[0]) == NULL && is_plain(text, ",;\"\"")) {
            fputs_unlocked(text, out);
            continue;
        }
        sinkhole_escape_csv(text, escaped, sizeof escaped);
        fputs_unlocked(escaped, out);
    }
    fputs_unlocked("\r\n", out);
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
