/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* api/reports.c: /reports, where members tell, and /admin/reports, where moderators answer. */
#include "api/chat_run.h"
#include "api/handlers.h"
#include "api/input.h"
#include "base/limits.h"
#include "community/moderate.h"
#include "community/shapes.h"

enum err reports_post(struct call *call, struct why *why)
{
    enum err err = input_json(call, why);
    if (err) return err;
    struct complaint complaint = {.note = input_str(call, "note", false)};
    struct str kind = input_str(call, "kind", true), reason = input_str(call, "reason", true);
    if (!json_as_u64(json_get(call->body, "id"), &complaint.thing.id) ||
        complaint.thing.id > INT64_MAX) {
        input_fault(call, "body", "id", "int_type", "id must be the id of what is reported");
    }
    if (kind.at && !report_kind_parse(kind, &complaint.thing.kind)) {
        input_fault(call, "body", "kind", "enum", "kind must be post, comment, message or user");
    }
    if (reason.at && !report_reason_parse(reason, &complaint.reason)) {
        input_fault(call, "body", "reason", "enum", "reason must be spam, abuse, illegal or other");
    }
    err = input_check(call, why);
    uint64_t id;
    if (!err) err = moderate_report(&call->act, &complaint, &id, why);
    if (err) return err;
    struct json_out out = call_json(call);
    json_open(&out, NULL, '{');
    json_put_u64(&out, "id", id);
    json_close(&out, '}');
    return OK;
}

/* --- for moderators --- */

struct report_page {
    struct json_out out;
    uint64_t last_id, count;
};

static void put_report(void *ctx, const struct report *report)
{
    struct report_page *page = ctx;
    struct json_out *out = &page->out;
    json_open(out, NULL, '{');
    json_put_u64(out, "id", report->id);
    json_put_time(out, "created_at", report->created_us);
    json_put_str(out, "kind", str_of(report_kind_word(report->thing.kind)));
    json_put_u64(out, "object_id", report->thing.id);
    json_put_id(out, "post_id", report->post);
    json_put_str(out, "content", report->content);
    json_put_str(out, "reason", report->reason);
    json_put_opt(out, "note", report->note);
    shape_user_brief_or_null(out, "reporter", &report->reporter);
    shape_user_brief_or_null(out, "author", &report->author);
    json_put_bool(out, "author_banned", report->author_banned);
    json_put_opt(out, "outcome", report->outcome);
    if (report->resolved_us) {
        json_put_time(out, "resolved_at", report->resolved_us);
    } else {
        json_put_null(out, "resolved_at");
    }
    shape_user_brief_or_null(out, "resolver", &report->resolver);
    json_close(out, '}');
    page->last_id = report->id;
    page->count++;
}

enum err admin_get_reports(struct call *call, struct why *why)
{
    struct str state = input_query_str(call, "state");
    bool resolved = str_eq(state, STR("resolved"));
    if (state.at && !resolved && !str_eq(state, STR("open"))) {
        input_fault(call, "query", "state", "enum", "state must be open or resolved");
    }
    uint64_t before = (uint64_t)input_query_int(call, "before", 0, 0, INT64_MAX);
    uint64_t limit = (uint64_t)input_query_int(call, "limit", 20, 1, LIMIT_PAGE_SIZE);
    uint64_t open_count;
    enum err err = input_check(call, why);
    if (!err) err = reports_count_open(call->db, &open_count, why);
    if (err) return err;
    struct report_page page = {.out = call_json(call)};
    json_open(&page.out, NULL, '{');
    json_open(&page.out, "items", '[');
    err = reports_list(call->db, !resolved, before, limit, put_report, &page, why);
    json_close(&page.out, ']');
    json_put_u64(&page.out, "open", open_count);
    shape_cursor(&page.out, "next_before", page.count == limit, page.last_id);
    json_close(&page.out, '}');
    return err;
}

enum err admin_resolve_report(struct call *call, struct why *why)
{
    enum err err = input_json(call, why);
    if (err) return err;
    uint64_t id = input_path_id(call, 0, "report_id");
    struct str word = input_str(call, "outcome", true);
    enum report_outcome outcome = OUTCOME_DISMISSED;
    if (word.at && !report_outcome_parse(word, &outcome)) {
        input_fault(call, "body", "outcome", "enum",
                    "outcome must be removed, dismissed or banned");
    }
    err = input_check(call, why);
    if (!err) err = moderate_resolve(&call->act, id, outcome, why);
    struct report report;
    if (!err && outcome == OUTCOME_BANNED) {
        err = reports_load(call->db, call->arena, id, &report, why);
        if (!err) chat_runs_stop_of(call->api->chat_runs, report.author.id);
    }
    if (!err) call_no_content(call);
    return err;
}
