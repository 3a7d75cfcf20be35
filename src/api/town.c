/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/town.c: /town: the town as maps draw it, a resident's card, the action
 * log, and the hand on its clock. The live part is the topic town:ID.
 */
#include "api/handlers.h"
#include "api/input.h"
#include "store/towns.h"
#include "town/deed.h"
#include "townhall/hall.h"
#include "townhall/log.h"

enum { LOGS_MAX = 200, SPEED_MAX = 600000 };

/* Administrators see all; what that is, is in townhall/log.h. */
static struct user_id reader_of(const struct call *call)
{
    return call->who.role == ROLE_ADMIN ? (struct user_id){0} : call->who.user;
}

static enum err no_town(struct why *why)
{
    return why_set(why, ERR_NOT_FOUND, "no town runs on this server (setting town)");
}

static enum err write_town(struct call *call, struct why *why)
{
    struct json_out out = call_json(call);
    return hall_write_town(call->api->hall, out.buf, why);
}

enum err town_get(struct call *call, struct why *why)
{
    return call->api->hall ? write_town(call, why) : no_town(why);
}

enum err town_get_resident(struct call *call, struct why *why)
{
    struct user_id user = {input_path_id(call, 0, "user_id")};
    enum err err = input_check(call, why);
    if (err) return err;
    if (!call->api->hall) return no_town(why);
    struct json_out out = call_json(call);
    return hall_write_resident(call->api->hall, user, reader_of(call), out.buf, why);
}

enum err town_post_control(struct call *call, struct why *why)
{
    static const struct {
        const char *word;
        enum hall_verb verb;
    } verbs[] = {{"start", HALL_START},
                 {"resume", HALL_START},
                 {"pause", HALL_PAUSE},
                 {"step", HALL_STEP},
                 {"speed", HALL_SPEED}};
    enum err err = input_json(call, why);
    if (err) return err;
    struct str action = input_str(call, "action", true);
    size_t at = 0;
    while (at < COUNT_OF(verbs) && !str_eq(action, str_of(verbs[at].word))) at++;
    if (action.at && at == COUNT_OF(verbs)) {
        input_fault(call, "body", "action", "enum",
                    "action must be start, pause, resume, step or speed");
    }
    uint64_t speed = 0;
    if (at < COUNT_OF(verbs) && verbs[at].verb == HALL_SPEED &&
        (!json_as_u64(json_get(call->body, "speed"), &speed) || speed < 1 || speed > SPEED_MAX)) {
        input_fault(call, "body", "speed", "int_type",
                    "speed must be game minutes in a real one, 1 to %d", SPEED_MAX);
    }
    err = input_check(call, why);
    if (err) return err;
    if (!call->api->hall) return no_town(why);
    err = hall_control(call->api->hall, verbs[at].verb, speed, why);
    struct str deed = speed ? arena_printf(call->arena, "speed %llu", (unsigned long long)speed)
                            : str_of(verbs[at].word);
    if (err) return err;
    call_audit(call, AUDIT_TOWN_CONTROLLED, "town", deed);
    return write_town(call, why);
}

/* --- the action log --- */

/* All of it but prompt and answer, in an object that is open; `whole`: for an administrator. */
static void put_entry(struct json_out *out, const struct action_log *log, bool whole)
{
    json_put_u64(out, "id", log->id);
    json_put_u64(out, "character_id", log->character.value);
    json_put_opt(out, "character_name", log->character_name);
    json_put_str(out, "action_type", log->type);
    json_put_str(out, "action_name", log->name);
    json_put_opt(out, "description", log->description);
    json_put_id(out, "location_id", log->location);
    json_put_opt(out, "location_name", log->location_name);
    json_put_id(out, "target_character_id", log->target.value);
    json_put_opt(out, "target_character_name", log->target_name);
    json_put_i64(out, "game_day", log->day);
    json_put_opt(out, "game_time", log->time);
    json_put_i64(out, "duration", log->duration);
    json_put_opt(out, "reason", log->reason);
    json_put_opt(out, "result", log->result);
    json_put_bool(out, "success", log->success);
    log_put_extra(out, log->extra, whole);
    json_put_time(out, "created_at", log->created_us);
}

struct page {
    struct json_out *out;
    bool whole;
    uint64_t last;
    size_t count;
};

static void put_log(void *ctx, const struct action_log *log)
{
    struct page *page = ctx;
    struct action_log seen = *log;
    if (!page->whole) log_hide(&seen);
    json_open(page->out, NULL, '{');
    put_entry(page->out, &seen, page->whole);
    json_close(page->out, '}');
    page->last = log->id;
    page->count++;
}

static bool is_log_type(struct str type)
{
    int at = 0;
    while (at < LOG_TYPE_COUNT && !str_eq(type, str_of(log_type_name((enum log_type)at)))) at++;
    return at < LOG_TYPE_COUNT;
}

enum err town_get_log(struct call *call, struct why *why)
{
    uint64_t before, after;
    input_query_cursors(call, &before, &after);
    if (after)
        input_fault(call, "query", "after", "value_error", "the log goes back in time: before");
    struct action_logs_query query = {
        .character = {(uint64_t)input_query_int(call, "character_id", 0, 0, INT64_MAX)},
        .reader = reader_of(call),
        .type = input_query_str(call, "type"),
        .day = (int32_t)input_query_int(call, "day", 0, 0, INT32_MAX),
        .before = before,
        .limit = (uint64_t)input_query_int(call, "limit", 50, 1, LOGS_MAX)};
    if (query.type.at && !is_log_type(query.type))
        input_fault(
            call, "query", "type", "enum",
            "type must be move, talk, use_phone, post, like, comment, message, rest, sleep, "
            "wake_up, eat, work, think, encounter or other");
    enum err err = input_check(call, why);
    if (err) return err;
    struct json_out out = call_json(call);
    struct page page = {.out = &out, .whole = call->who.role == ROLE_ADMIN};
    json_open(&out, NULL, '{');
    json_open(&out, "items", '[');
    err = action_logs_list(call->db, &query, put_log, &page, why);
    json_close(&out, ']');
    json_put_id(&out, "next_before", page.count == query.limit ? page.last : 0);
    json_close(&out, '}');
    return err;
}

enum err town_get_log_entry(struct call *call, struct why *why)
{
    uint64_t id = input_path_id(call, 0, "log_id");
    enum err err = input_check(call, why);
    if (err) return err;
    struct action_log log;
    err = action_logs_load(call->db, call->arena, id, &log, why);
    if (err) return err;
    struct json_out out = call_json(call);
    json_open(&out, NULL, '{');
    put_entry(&out, &log, true);
    json_put_opt(&out, "input_prompt", log.prompt);
    json_put_opt(&out, "llm_response", log.response);
    json_close(&out, '}');
    return OK;
}
