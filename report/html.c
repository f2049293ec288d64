/* SPDX-License-Identifier: BSD-3-Clause */
/* A unit's report as an HTML page. Threads and memory: see html.h. */
#include "report/html.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "report/strip.h"
#include "report/vietnam.h"

#define TEXT_MAX 8192

static const char style[] =
    "body{font:15px/1.45 'Noto Sans','DejaVu Sans',Arial,sans-serif;color:#1a1a1a;background:#fff;"
    "max-width:60rem;margin:1.5rem auto;padding:0 1rem}\n"
    "h1{font-size:1.5rem;margin:.2rem 0}h2{font-size:1.15rem;margin:1.6rem 0 .4rem}\n"
    "h3{font-size:1rem;margin:0 0 .3rem}.org{text-transform:uppercase;font-weight:bold}\n"
    ".note{background:#fff6df;border-left:4px solid #d9a300;padding:.5rem .8rem}\n"
    ".figures{display:flex;gap:1rem;flex-wrap:wrap;padding:0;list-style:none}\n"
    ".figures li{border:1px solid #bbb;padding:.4rem .9rem;min-width:7rem}\n"
    ".figures b{display:block;font-size:1.4rem}\n"
    "table{border-collapse:collapse;width:100%;font-size:.87rem}\n"
    "th,td{border:1px solid #bbb;padding:.25rem .45rem;text-align:left;vertical-align:top;"
    "overflow-wrap:break-word}th{background:#eee}td.n{text-align:right;white-space:nowrap}\n"
    "td.t{min-width:5.6em}code{font-family:'DejaVu Sans Mono',monospace;overflow-wrap:anywhere}\n"
    "td:first-child{min-width:11em}\n"
    ".machine{border:1px solid #ccc;padding:.7rem;margin:.8rem 0;break-inside:avoid}\n"
    ".strip{display:block;margin:.4rem 0}.strip text{font-size:9px;fill:#555}\n"
    ".h0{fill:#eee}.h1{fill:#f6c9a8}.h2{fill:#ee8f5a}.h3{fill:#cf4520}.h4{fill:#7d1a06}\n"
    "footer{font-size:.8rem;color:#555;border-top:1px solid #ccc;margin-top:2rem}\n"
    "@page{size:A4;margin:16mm 14mm}\n"
    "@media print{body{font-size:10.5pt;max-width:none;margin:0;padding:0}a{color:inherit}\n"
    ".h0,.h1,.h2,.h3,.h4,th,.note{print-color-adjust:exact;-webkit-print-color-adjust:exact}}\n";

static const char what_to_do[] =
    "<h2>Việc cần làm</h2>\n<ol>\n"
    "<li><b>Xác định máy</b> theo địa chỉ IP, cổng và thời điểm nêu trên (bảng cấp phát DHCP, nhật "
    "ký thiết "
    "bị mạng). Nếu địa chỉ là của máy chủ DNS, thiết bị NAT, proxy hoặc máy chủ thư điện tử, hãy "
    "tra nhật ký "
    "của thiết bị đó để tìm máy đứng sau.</li>\n"
    "<li><b>Cách ly máy khỏi mạng</b> (rút cáp, tắt Wi-Fi). Chưa tắt nguồn, chưa cài lại máy trước "
    "khi thu "
    "thập chứng cứ.</li>\n"
    "<li><b>Kiểm tra và rà quét</b> bằng phần mềm phòng, chống mã độc đã cập nhật; xem các tiến "
    "trình, tác vụ "
    "lập lịch, mục khởi động cùng hệ thống và các tệp mới nhận qua thư điện tử.</li>\n"
    "<li><b>Đổi mật khẩu</b> của các tài khoản đã dùng trên máy, từ một máy khác không nhiễm; kiểm "
    "tra các lần "
    "đăng nhập lạ.</li>\n"
    "<li><b>Làm sạch hoặc cài đặt lại</b>, cập nhật bản vá, rồi mới nối lại vào mạng.</li>\n"
    "<li><b>Phản hồi kết quả</b> cho đầu mối dưới đây: nguyên nhân, biện pháp, thời điểm làm sạch. "
    "Nếu là "
    "nhầm lẫn (máy quét, máy phân tích, máy chủ thư), cũng xin báo lại để ghi nhận.</li>\n"
    "</ol>\n<p>Không mở, không truy cập thử các tên miền nêu trong báo cáo. Dấu <code>[.]</code> "
    "thay cho "
    "dấu chấm để tránh bấm nhầm.</p>\n";

/* One indicator of one machine, over all its hours. */
struct sighting {
    struct sinkhole_name indicator;
    struct sinkhole_hit first;
    int64_t first_ms, last_ms;
    uint64_t count;
    unsigned hours;
};
struct machine {
    struct sinkhole_address address;
    struct sinkhole_prefix network;
    bool owned;
    uint64_t count;
    int64_t first_ms, last_ms;
    struct strip strip;
    struct sinkhole_name previous; /* indicator of the row before */
    size_t names;                  /* all of them; the first HTML_NAMES_MAX are in `sightings` */
    struct sighting sightings[HTML_NAMES_MAX];
};

static bool same_name(const struct sinkhole_name *a, const struct sinkhole_name *b)
{
    return a->wire_len == b->wire_len && memcmp(a->wire, b->wire, a->wire_len) == 0;
}

static void put(FILE *out, const char *text)
{
    char escaped[TEXT_MAX];

    sinkhole_escape_html(text, escaped, sizeof escaped);
    fputs(escaped, out);
}

/* "24/11/2026 12:30:05" in Vietnam's time */
static void put_time(FILE *out, int64_t ms)
{
    time_t seconds = (time_t)((ms + VIETNAM_OFFSET_MS) / 1000);
    char text[32];
    struct tm tm;

    if (gmtime_r(&seconds, &tm) != NULL &&
        strftime(text, sizeof text, "%d/%m/%Y %H:%M:%S", &tm) > 0)
        fputs(text, out);
}

/* "4.248.533", as it is written in Vietnam */
static void put_count(FILE *out, uint64_t count)
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%" PRIu64, count);

    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            fputc('.', out);
        fputc(digits[i], out);
    }
}

/* Defanged; an internationalised name in both forms. */
static void put_name(FILE *out, const struct sinkhole_name *name)
{
    char ascii[SINKHOLE_NAME_TEXT_MAX], shown[SINKHOLE_NAME_TEXT_MAX], defanged[TEXT_MAX];

    sinkhole_name_to_text(name, ascii, sizeof ascii);
    sinkhole_text_display(name, shown, sizeof shown);
    sinkhole_escape_defang(ascii, defanged, sizeof defanged);
    fputs("<code>", out);
    put(out, defanged);
    fputs("</code>", out);
    if (strcmp(ascii, shown) != 0) {
        sinkhole_escape_defang(shown, defanged, sizeof defanged);
        fputs(" (", out);
        put(out, defanged);
        fputc(')', out);
    }
}

/* "YYYY-MM-DD" as "DD/MM/YYYY"; anything else as it is */
static void put_date(FILE *out, const char *date)
{
    if (strlen(date) == 10 && date[4] == '-' && date[7] == '-')
        fprintf(out, "%.2s/%.2s/%.4s", date + 8, date + 5, date);
    else
        put(out, date);
}

static void put_basis(FILE *out, const struct sinkhole_provenance *from)
{
    if (from == NULL) {
        fputs("danh sách đã gỡ bỏ", out);
        return;
    }
    if (from->classified) {
        fputs("văn bản không nêu trong báo cáo này", out);
        return;
    }
    if (from->batch.reference[0] != '\0') {
        fputs("số ", out);
        put(out, from->batch.reference);
        if (from->batch.issued[0] != '\0') {
            fputs(" ngày ", out);
            put_date(out, from->batch.issued);
        }
        if (from->batch.issuer[0] != '\0') {
            fputs(" của ", out);
            put(out, from->batch.issuer);
        }
        return;
    }
    put(out, from->title[0] != '\0' ? from->title : from->batch.feed);
}

static const char *action_words(uint8_t action)
{
    return action == SINKHOLE_ACTION_MONITOR ? "chỉ theo dõi, chưa chặn" : "đã chặn";
}

static void write_sighting(const struct sinkhole_report *report, const struct sighting *seen,
                           FILE *out)
{
    const struct sinkhole_provenance *from =
        sinkhole_provenance_get(report->provenances, seen->first.rule);
    char type[16];

    fputs("<tr><td>", out);
    put_name(out, &seen->indicator);
    if (!same_name(&seen->first.qname, &seen->indicator)) {
        fputs("<br>đã hỏi: ", out);
        put_name(out, &seen->first.qname);
    }
    fputs("</td><td>", out);
    if (from != NULL && from->batch.family[0] != '\0')
        put(out, from->batch.family);
    else if (from != NULL && from->batch.category[0] != '\0')
        put(out, from->batch.category);
    else
        fputs("chưa rõ", out);
    fputs("</td><td class=\"t\">", out);
    put_time(out, seen->first_ms);
    fputs("</td><td class=\"t\">", out);
    put_time(out, seen->last_ms);
    fputs("</td><td class=\"n\">", out);
    put_count(out, seen->count);
    fprintf(out, "</td><td class=\"n\">%u</td><td>%s %s, cổng %u</td><td>%s</td><td>", seen->hours,
            sinkhole_transport_text(seen->first.transport),
            sinkhole_qtype_text(seen->first.qtype, type), seen->first.port,
            action_words(seen->first.action));
    put_basis(out, from);
    fputs("</td></tr>\n", out);
}

static void write_machine(const struct sinkhole_report *report, const struct machine *machine,
                          FILE *out)
{
    char text[SINKHOLE_ADDRESS_TEXT_MAX + 8];

    sinkhole_address_to_text(&machine->address, text, sizeof text);
    fprintf(out, "<section class=\"machine\"><h3>Máy <code>%s</code>", text);
    if (machine->owned) {
        sinkhole_prefix_to_text(&machine->network, text, sizeof text);
        fprintf(out, " (dải %s)", text);
    }
    fputs("</h3>\n<p>Từ ", out);
    put_time(out, machine->first_ms);
    fputs(" đến ", out);
    put_time(out, machine->last_ms);
    fputs(": ", out);
    put_count(out, machine->count);
    fprintf(out, " lượt tra cứu %zu tên miền.</p>\n", machine->names);
    strip_write(&machine->strip, out);
    fputs("<table><thead><tr><th>Tên miền độc hại</th><th>Họ mã độc</th><th>Lần đầu</th>"
          "<th>Lần cuối</th><th>Lượt</th><th>Số giờ có tra cứu</th><th>Truy vấn đầu "
          "tiên</th><th>Xử lý</th>"
          "<th>Căn cứ</th></tr></thead><tbody>\n",
          out);
    for (size_t i = 0; i < machine->names && i < HTML_NAMES_MAX; i++)
        write_sighting(report, &machine->sightings[i], out);
    fputs("</tbody></table>\n", out);
    if (machine->names > HTML_NAMES_MAX)
        fprintf(out, "<p>Còn %zu tên miền nữa: xem tệp CSV.</p>\n",
                machine->names - HTML_NAMES_MAX);
    fputs("</section>\n", out);
}

static void add_row(struct machine *machine, const struct sinkhole_report_row *row)
{
    struct sighting *seen;
    size_t last = machine->names < HTML_NAMES_MAX ? machine->names : HTML_NAMES_MAX;
    bool same = machine->names > 0 && same_name(&machine->previous, &row->hit->indicator);

    machine->count += row->count;
    if (machine->first_ms == 0 || row->first_ms < machine->first_ms)
        machine->first_ms = row->first_ms;
    if (row->last_ms > machine->last_ms)
        machine->last_ms = row->last_ms;
    strip_add(&machine->strip, row->first_ms, row->count);
    if (!same)
        machine->names++;
    machine->previous = row->hit->indicator;
    if (machine->names > HTML_NAMES_MAX)
        return;
    seen = &machine->sightings[same ? last - 1 : last];
    if (!same)
        *seen = (struct sighting){
            .indicator = row->hit->indicator, .first = *row->hit, .first_ms = row->first_ms};
    seen->count += row->count;
    seen->hours++;
    if (row->last_ms > seen->last_ms)
        seen->last_ms = row->last_ms;
}

static bool same_address(const struct sinkhole_address *a, const struct sinkhole_address *b)
{
    return a->family == b->family && memcmp(a->octets, b->octets, a->family == 4 ? 4 : 16) == 0;
}

/* Machines one after the other; NULL `out`: count only. */
static bool write_machines(const struct sinkhole_report *report, FILE *out, size_t *ret_machines,
                           uint64_t *ret_hits)
{
    struct machine *machine = malloc(sizeof *machine);
    struct sinkhole_report_row row;

    if (machine == NULL)
        return false;
    *ret_machines = 0;
    *ret_hits = 0;
    for (size_t i = report->first; i < report->end; i++) {
        sinkhole_fold_row(report->fold, i, &row);
        *ret_hits += row.count;
        if (*ret_machines == 0 || !same_address(&machine->address, &row.hit->client)) {
            if (out != NULL && *ret_machines > 0 && *ret_machines <= HTML_MACHINES_MAX)
                write_machine(report, machine, out);
            ++*ret_machines;
            memset(machine, 0, offsetof(struct machine, sightings));
            machine->address = row.hit->client;
            machine->network = row.network;
            machine->owned = row.unit != NULL;
            strip_init(&machine->strip, report->since_ms, report->until_ms);
        }
        if (out != NULL)
            add_row(machine, &row);
    }
    if (out != NULL && *ret_machines > 0 && *ret_machines <= HTML_MACHINES_MAX)
        write_machine(report, machine, out);
    if (out != NULL && *ret_machines > HTML_MACHINES_MAX)
        fprintf(out, "<p>Còn %zu máy nữa: xem tệp CSV.</p>\n", *ret_machines - HTML_MACHINES_MAX);
    free(machine);
    return true;
}

static void write_head(const struct sinkhole_report *report, size_t machines, uint64_t hits,
                       FILE *out)
{
    const char *name = report->unit != NULL ? report->unit->name : "Địa chỉ chưa rõ đơn vị quản lý";

    fputs(
        "<!DOCTYPE html>\n<html lang=\"vi\"><head><meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
        "style-src 'unsafe-inline'\">\n<meta name=\"robots\" content=\"noindex\">\n<title>Cảnh báo "
        "máy nghi nhiễm mã độc – ",
        out);
    put(out, name);
    fprintf(out, "</title>\n<style>\n%s</style></head><body>\n<header>", style);
    if (report->settings->report_organisation[0] != '\0') {
        fputs("<p class=\"org\">", out);
        put(out, report->settings->report_organisation);
        fputs("</p>", out);
    }
    fputs("<h1>Cảnh báo máy tính nghi nhiễm mã độc</h1>\n<p>Đơn vị: <b>", out);
    put(out, name);
    fputs("</b><br>Thời gian: từ ", out);
    put_time(out, report->since_ms);
    fputs(" đến ", out);
    put_time(out, report->until_ms);
    fputs(" (giờ Việt Nam, UTC+7)<br>Lập lúc ", out);
    put_time(out, report->made_ms);
    fputs(". Lưu hành nội bộ.</p></header>\n<ul class=\"figures\"><li><b>", out);
    put_count(out, machines);
    fputs("</b>máy</li><li><b>", out);
    put_count(out, hits);
    fputs("</b>lượt tra cứu</li></ul>\n", out);
    if (machines == 0)
        fputs("<p class=\"note\">Trong thời gian này, không máy nào của đơn vị tra cứu tên miền "
              "trong danh "
              "sách độc hại.</p>\n",
              out);
    else
        fputs("<p class=\"note\">Các máy dưới đây đã tra cứu tên miền nằm trong danh sách độc hại. "
              "Một lượt tra "
              "cứu chưa phải là bằng chứng máy đã nhiễm; tra cứu lặp lại nhiều giờ, kể cả ban đêm, "
              "hoặc nhiều tên "
              "miền của cùng một họ mã độc là dấu hiệu mạnh.</p>\n",
              out);
}

/* "label: text", when there is a text. */
static void write_line(FILE *out, const char *label, const char *text)
{
    if (text[0] == '\0')
        return;
    fprintf(out, "<li>%s: ", label);
    put(out, text);
    fputs("</li>\n", out);
}

static void write_foot(const struct sinkhole_report *report, FILE *out)
{
    const struct sinkhole_settings *settings = report->settings;

    fputs("<h2>Đầu mối liên hệ</h2>\n<ul>\n", out);
    write_line(out, "Nơi gửi cảnh báo", settings->report_organisation);
    write_line(out, "Liên hệ, phản hồi", settings->report_contact);
    if (report->unit != NULL) {
        write_line(out, "Đầu mối của đơn vị", report->unit->contact);
        write_line(out, "Điện thoại", report->unit->phone);
        write_line(out, "Thư điện tử", report->unit->email);
        write_line(out, "Lãnh đạo đơn vị", report->unit->head);
    }
    fputs("</ul>\n<footer><p>Số liệu là các lượt tra cứu tên miền mà máy chủ DNS ghi nhận, gộp "
          "theo máy, tên miền "
          "và giờ; mỗi ô vuông là một giờ, càng đậm càng nhiều lượt. Tệp CSV và JSON Lines đi kèm "
          "có đủ các dòng "
          "(giờ UTC).",
          out);
    if (report->generation != 0)
        fprintf(out, " Phiên bản danh sách khi lập báo cáo: %" PRIu64 ".", report->generation);
    fputs("</p></footer>\n</body></html>\n", out);
}

bool html_write(const struct sinkhole_report *report, FILE *out)
{
    size_t machines;
    uint64_t hits;

    if (!write_machines(report, NULL, &machines, &hits))
        return false;
    write_head(report, machines, hits, out);
    if (machines > 0) {
        fputs("<h2>Các máy và bằng chứng</h2>\n", out);
        if (!write_machines(report, out, &machines, &hits))
            return false;
        fputs(what_to_do, out);
    }
    write_foot(report, out);
    return true;
}
