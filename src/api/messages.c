/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* api/messages.c: /messages: private conversations. */
#include "api/conversation_cache.h"
#include "api/handlers.h"
#include "api/input.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "community/letters.h"
#include "community/shapes.h"
#include "store/find.h"

struct conversation_page {
    struct json_out out;
    uint64_t last_id, count;
};

static void put_conversation(void *ctx, const struct conversation *conversation)
{
    struct conversation_page *page = ctx;
    shape_conversation(&page->out, conversation);
    page->last_id = conversation->last_id.value;
    page->count++;
}

static enum err write_conversations(struct call *call, const struct conversations_query *query,
                                    struct why *why)
{
    struct conversation_page page = {.out = call_json(call)};
    json_open(&page.out, NULL, '{');
    json_open(&page.out, "conversations", '[');
    enum err err = conversations_list(call->db, query->reader, query->before, query->limit,
                                      put_conversation, &page, why);
    json_close(&page.out, ']');
    shape_cursor(&page.out, "next_before", page.count == query->limit, page.last_id);
    json_close(&page.out, '}');
    return err;
}

static struct str name_list(struct call *call, const struct conversations_query *query,
                            struct conversations_version version)
{
    return arena_printf(call->arena, "W/\"c%llx-%llx-%llx-%llx-%llx\"",
                        (unsigned long long)version.events, (unsigned long long)version.profiles,
                        (unsigned long long)query->reader.value, (unsigned long long)query->before,
                        (unsigned long long)query->limit);
}

/*
 * The version is read before the list, so what bears its name is never older than the name; where
 * it is newer (MariaDB), the next question finds another version and is answered anew.
 */
static enum err answer_version(struct call *call, const struct conversations_query *query,
                               struct conversations_version version, struct why *why)
{
    struct conversation_cache *cache =
        call->db == call->home->db ? call->home->conversations : NULL;
    if (call_unchanged(call, name_list(call, query, version))) return OK;
    struct buf *body = call_json(call).buf;
    if (cache && conversation_cache_find(cache, query, version, body)) return OK;
    enum err err = write_conversations(call, query, why);
    if (!err && cache && !body->failed) {
        conversation_cache_keep(cache, query, version, buf_str(body));
    }
    return err;
}

static enum err answer_conversations(struct call *call, const struct conversations_query *query,
                                     struct why *why)
{
    struct topic_name me = topic_user(query->reader);
    struct conversations_version version;
    struct query *moment;
    bool known = conversations_load_version(call->db, str_of(me.text), &version, &moment);
    enum err err = known ? answer_version(call, query, version, why) : OK;
    struct why ignored;
    enum err ended = query_end(moment, err ? &ignored : why);
    return err ? err : ended;
}

enum err messages_conversations(struct call *call, struct why *why)
{
    struct conversations_query query;
    memset(&query, 0, sizeof(query)); /* its bytes are a key */
    query.reader = call->who.user;
    query.before = (uint64_t)input_query_int(call, "before", 0, 0, INT64_MAX);
    query.limit = (uint64_t)input_query_int(call, "limit", 100, 1, 500);
    enum err err = input_check(call, why);
    return err ? err : answer_conversations(call, &query, why);
}

/* Pages are read newest first and shown oldest first, so their items are kept and turned round. */
struct message_page {
    struct call *call;
    struct str *items;
    size_t count;
    uint64_t oldest_id, newest_id;
};

static void keep_message(void *ctx, const struct message *message)
{
    struct message_page *page = ctx;
    page->items[page->count++] = shape_message_text(page->call->arena, message);
    uint64_t id = message->id.value;
    if (page->oldest_id == 0 || id < page->oldest_id) page->oldest_id = id;
    if (id > page->newest_id) page->newest_id = id;
}

static enum err write_messages(struct call *call, const struct messages_query *query,
                               struct json_out *out, struct why *why)
{
    struct message_page page = {.call = call,
                                .items = ARENA_ARRAY(call->arena, struct str, query->limit)};
    enum err err = messages_list(call->db, query, keep_message, &page, why);
    if (err) return err;
    bool oldest_first = query->after != 0;
    json_open(out, "items", '[');
    for (size_t i = 0; i < page.count; i++) {
        json_put_raw(out, NULL, page.items[oldest_first ? i : page.count - 1 - i]);
    }
    json_close(out, ']');
    shape_cursor(out, oldest_first ? "next_after" : "next_before", page.count == query->limit,
                 oldest_first ? page.newest_id : page.oldest_id);
    return OK;
}

enum err messages_history(struct call *call, struct why *why)
{
    struct user_id partner = {input_path_id(call, 0, "user_id")};
    int64_t page = input_query_int(call, "page", 1, 1, INT32_MAX);
    int64_t size = input_query_int(call, "page_size", 50, 1, LIMIT_PAGE_SIZE);
    struct messages_query query = {
        .reader = call->who.user,
        .partner = partner,
        .skip = (uint64_t)(page - 1) * (uint64_t)size,
        .limit = (uint64_t)input_query_int(call, "limit", size, 1, LIMIT_PAGE_SIZE),
    };
    input_query_cursors(call, &query.before, &query.after);
    struct user other;
    struct conversation_side side;
    enum err err = input_check(call, why);
    if (!err) err = users_load(call->db, call->arena, partner, &other, why);
    if (!err) err = conversations_load(call->db, call->who.user, partner, &side, why);
    if (err) return err;
    struct json_out out = call_json(call);
    json_open(&out, NULL, '{');
    err = write_messages(call, &query, &out, why);
    if (err) return err;
    json_put_u64(&out, "total", side.messages_count);
    json_put_i64(&out, "page", page);
    json_put_u64(&out, "page_size", query.limit);
    shape_user_brief(&out, "other_user", &other.brief);
    json_close(&out, '}');
    return OK;
}

static enum err send_letter(struct call *call, struct letter_draft *draft, struct why *why)
{
    enum err err = input_json(call, why);
    if (err) return err;
    draft->content = input_str(call, "content", true);
    draft->client_id = input_str(call, "client_id", false);
    struct message message;
    err = input_check(call, why);
    if (!err) err = letters_send(&call->act, draft, &message, why);
    if (err) return err;
    struct json_out out = call_json(call);
    shape_message(&out, NULL, &message);
    return OK;
}

enum err messages_send(struct call *call, struct why *why)
{
    struct letter_draft draft = {.to = {input_path_id(call, 0, "user_id")}};
    return send_letter(call, &draft, why);
}

enum err messages_read(struct call *call, struct why *why)
{
    struct user_id from = {input_path_id(call, 0, "user_id")};
    enum err err = input_check(call, why);
    if (!err) err = letters_read(&call->act, from, why);
    if (err) return err;
    struct json_out out = call_json(call);
    json_open(&out, NULL, '{');
    json_put_bool(&out, "success", true);
    json_put_str(&out, "message", STR("已标记为已读"));
    json_close(&out, '}');
    return OK;
}

enum err messages_unread(struct call *call, struct why *why)
{
    uint64_t count;
    enum err err = conversations_unread(call->db, call->who.user, &count, why);
    if (err) return err;
    struct json_out out = call_json(call);
    json_open(&out, NULL, '{');
    json_put_u64(&out, "unread_count", count);
    json_close(&out, '}');
    return OK;
}

enum err messages_delete(struct call *call, struct why *why)
{
    struct message_id id = {input_path_id(call, 0, "message_id")};
    enum err err = input_check(call, why);
    if (!err) err = letters_remove(&call->act, id, why);
    if (!err) call_no_content(call);
    return err;
}

/* --- in groups: the same messages, so the same code --- */

static enum err must_be_in(struct call *call, struct group_id group, struct why *why)
{
    bool member;
    enum err err = groups_is_member(call->db, group, call->who.user, &member, why);
    if (err || member) return err;
    return why_set(why, ERR_NOT_FOUND, "群聊不存在 (no such group, or you are not in it)");
}

enum err groups_get_messages(struct call *call, struct why *why)
{
    struct messages_query query = {
        .reader = call->who.user,
        .group = {input_path_id(call, 0, "group_id")},
        .limit = (uint64_t)input_query_int(call, "limit", 50, 1, LIMIT_PAGE_SIZE),
    };
    input_query_cursors(call, &query.before, &query.after);
    enum err err = input_check(call, why);
    if (!err) err = must_be_in(call, query.group, why);
    if (err) return err;
    struct json_out out = call_json(call);
    json_open(&out, NULL, '{');
    err = write_messages(call, &query, &out, why);
    json_close(&out, '}');
    return err;
}

enum err groups_post_message(struct call *call, struct why *why)
{
    struct letter_draft draft = {.group = {input_path_id(call, 0, "group_id")}};
    enum err err = input_check(call, why);
    return err ? err : send_letter(call, &draft, why);
}

/* --- search --- */

static void put_hit(void *ctx, const struct find_hit *hit)
{
    struct json_out *out = ctx;
    json_open(out, NULL, '{');
    shape_message(out, "message", &hit->message);
    if (hit->partner.id.value) {
        shape_user_brief(out, "user", &hit->partner);
    } else {
        json_put_null(out, "user");
    }
    json_put_opt(out, "group_name", hit->group_name);
    json_close(out, '}');
}

enum err search_messages(struct call *call, struct why *why)
{
    struct str text = input_query_str(call, "q");
    struct find_query query = {
        .reader = call->who.user,
        .with = {(uint64_t)input_query_int(call, "with", 0, 1, INT64_MAX)},
        .group = {(uint64_t)input_query_int(call, "group", 0, 1, INT64_MAX)},
        .before = (uint64_t)input_query_int(call, "before", 0, 0, INT64_MAX),
        .limit = (size_t)input_query_int(call, "limit", 20, 1, LIMIT_PAGE_SIZE),
    };
    if (text.len == 0) input_fault(call, "query", "q", "missing", "q: the words to look for");
    enum err err = input_check(call, why);
    if (err) return err;
    query.text = str_head(text, utf8_floor(text.at, MIN(text.len, (size_t)500)));
    uint64_t next = 0;
    struct json_out out = call_json(call);
    json_open(&out, NULL, '{');
    json_open(&out, "items", '[');
    err = messages_find(call->db, call->arena, &query, put_hit, &out, &next, why);
    json_close(&out, ']');
    shape_cursor(&out, "next_before", next > 0, next);
    json_close(&out, '}');
    return err;
}
