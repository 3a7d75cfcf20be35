/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* api/admin.c: /admin/users and /admin/audit: who is here, and what was done. */
#include "api/chat_run.h"
#include "api/handlers.h"
#include "api/input.h"
#include "auth/username.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "community/accounts.h"
#include "community/shapes.h"

struct page {
    struct json_out out;
    uint64_t last_id, count;
};

static struct page page_begin(struct call *call)
{
    struct page page = {.out = call_json(call)};
    json_open(&page.out, NULL, '{');
    json_open(&page.out, "items", '[');
    return page;
}

static void page_end(struct page *page, const char *cursor, uint64_t limit)
{
    json_close(&page->out, ']');
    shape_cursor(&page->out, cursor, page->count == limit, page->last_id);
    json_close(&page->out, '}');
}

/* --- members --- */

static void put_account(void *ctx, const struct user_account *account)
{
    struct page *page = ctx;
    const struct user *user = &account->user;
    json_open(&page->out, NULL, '{');
    shape_user_brief(&page->out, "user", &user->brief);
    json_put_str(&page->out, "role", str_of(role_name(user->role)));
    json_put_bool(&page->out, "banned", user->banned);
    json_put_u64(&page->out, "posts_count", user->posts_count);
    json_put_time(&page->out, "created_at", user->created_us);
    if (account->seen_us) {
        json_put_time(&page->out, "seen_at", account->seen_us);
    } else {
        json_put_null(&page->out, "seen_at");
    }
    json_close(&page->out, '}');
    page->last_id = user->brief.id.value;
    page->count++;
}

static struct users_accounts_query read_filters(struct call *call)
{
    struct users_accounts_query query = {
        .limit = (uint64_t)input_query_int(call, "limit", 50, 1, LIMIT_PAGE_SIZE)};
    input_query_cursors(call, &query.before, &query.after);
    struct str text = str_trim(input_query_str(call, "q"));
    if (str_starts(text, STR("@"))) text = str_from(text, 1);
    query.text = str_head(text, utf8_floor(text.at, MIN(text.len, (size_t)USERNAME_KEY_BYTES_MAX)));
    if (query.text.len > 0) query.key = username_key(call->arena, query.text);
    struct str role = input_query_str(call, "role");
    query.by_role = role.at != NULL;
    if (role.at && !role_parse(role, &query.role)) {
        input_fault(call, "query", "role", "enum",
                    "role must be member, moderator, admin or resident");
    }
    int banned = input_query_bool(call, "banned");
    query.by_banned = banned >= 0;
    query.banned = banned > 0;
    return query;
}

enum err admin_get_users(struct call *call, struct why *why)
{
    struct users_accounts_query query = read_filters(call);
    enum err err = input_check(call, why);
    if (err) return err;
    struct page page = page_begin(call);
    err = users_list_accounts(call->db, call->arena, &query, put_account, &page, why);
    page_end(&page, query.after ? "next_after" : "next_before", query.limit);
    return err;
}

enum err admin_put_role(struct call *call, struct why *why)
{
    enum err err = input_json(call, why);
    if (err) return err;
    struct user_id id = {input_path_id(call, 0, "user_id")};
    struct str name = input_str(call, "role", true);
    enum role role = ROLE_MEMBER;
    if (name.at && !role_parse(name, &role)) {
        input_fault(call, "body", "role", "enum", "role must be member, moderator or admin");
    }
    err = input_check(call, why);
    if (!err) err = accounts_set_role(&call->act, id, role, why);
    if (!err) call_no_content(call);
    return err;
}

enum err admin_put_banned(struct call *call, struct why *why)
{
    enum err err = input_json(call, why);
    if (err) return err;
    struct user_id id = {input_path_id(call, 0, "user_id")};
    bool banned = false;
    if (!json_as_bool(json_get(call->body, "banned"), &banned)) {
        input_fault(call, "body", "banned", "bool_type", "banned must be true or false");
    }
    err = input_check(call, why);
    if (!err) err = accounts_set_banned(&call->act, id, banned, why);
    if (!err && banned) chat_runs_stop_of(call->api->chat_runs, id);
    if (!err) call_no_content(call);
    return err;
}

/* --- the audit log --- */

static void put_audit(void *ctx, const struct audit_row *row)
{
    struct page *page = ctx;
    json_open(&page->out, NULL, '{');
    json_put_u64(&page->out, "id", row->id);
    json_put_time(&page->out, "at", row->at_us);
    json_put_str(&page->out, "action", row->action);
    shape_user_brief_or_null(&page->out, "actor", &row->actor);
    json_put_opt(&page->out, "kind", row->kind);
    json_put_id(&page->out, "object_id", row->object);
    shape_user_brief_or_null(&page->out, "user", &row->user);
    json_put_opt(&page->out, "detail", row->detail);
    json_put_opt(&page->out, "address", row->address);
    json_close(&page->out, '}');
    page->last_id = row->id;
    page->count++;
}

enum err admin_get_audit(struct call *call, struct why *why)
{
    struct audit_query query = {
        .action = input_query_str(call, "action"),
        .accounts = input_query_bool(call, "accounts") > 0,
        .before = (uint64_t)input_query_int(call, "before", 0, 0, INT64_MAX),
        .limit = (uint64_t)input_query_int(call, "limit", 50, 1, LIMIT_PAGE_SIZE)};
    enum audit_action known;
    if (query.action.at && !audit_parse(query.action, &known)) {
        input_fault(call, "query", "action", "enum",
                    "action must be a word that the log has, like role.changed");
    }
    enum err err = input_check(call, why);
    if (err) return err;
    struct page page = page_begin(call);
    err = audit_list(call->db, &query, put_audit, &page, why);
    page_end(&page, "next_before", query.limit);
    return err;
}
