/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* api/admin_settlers.c: /admin/settlers: ready-made residents and places for a new community. */
#include "api/handlers.h"
#include "api/input.h"
#include "community/settlers.h"
#include "store/community.h"
#include "store/records.h"

static bool is_language(struct str language)
{
    return str_eq(language, STR("zh")) || str_eq(language, STR("en"));
}

/* --- who could come --- */

static void put_settler(struct json_out *out, size_t index, bool chinese)
{
    struct settler settler = settler_at(index, chinese);
    json_open(out, NULL, '{');
    json_put_str(out, "username", settler.username);
    json_put_str(out, "nickname", settler.nickname);
    json_put_str(out, "about", settler.about);
    json_put_str(out, "personality", settler.personality);
    json_put_bool(out, "usual", index < SETTLERS_USUAL);
    json_close(out, '}');
}

static void count_place(void *ctx, const struct location *place)
{
    (void)place;
    ++*(uint64_t *)ctx;
}

enum err admin_get_settlers(struct call *call, struct why *why)
{
    struct community community;
    uint64_t residents = 0, places = 0;
    struct str language = input_query_str(call, "language");
    if (language.at && !is_language(language))
        input_fault(call, "query", "language", "enum", "language must be zh or en");
    enum err err = input_check(call, why);
    if (!err) err = community_load(call->db, call->arena, &community, why);
    if (!err) err = counter_load(call->db, "residents", &residents, why);
    if (!err) err = locations_list(call->db, count_place, &places, why);
    if (err) return err;
    if (!language.at) language = community.language;
    struct json_out out = call_json(call);
    json_open(&out, NULL, '{');
    json_put_u64(&out, "residents", residents);
    json_put_u64(&out, "places", places);
    json_open(&out, "items", '[');
    for (size_t i = 0; i < SETTLERS_COUNT; i++) put_settler(&out, i, str_eq(language, STR("zh")));
    json_close(&out, ']');
    json_close(&out, '}');
    return OK;
}

/* --- and comes --- */

static void read_chosen(struct call *call, struct settling *settling)
{
    const struct json *list = json_get(call->body, "usernames");
    bool fine = list && json_kind(list) == JSON_ARRAY;
    for (const struct json *at = json_first(list); at && fine; at = json_after(at)) {
        struct str username;
        size_t index = json_as_str(at, &username) ? settler_find(username) : SETTLERS_COUNT;
        fine = index < SETTLERS_COUNT;
        if (fine) settling->chosen[index] = true;
    }
    if (!fine)
        input_fault(call, "body", "usernames", "enum",
                    "usernames must be a list of those that GET /admin/settlers has");
}

enum err admin_post_settlers(struct call *call, struct why *why)
{
    struct settling settling = {0};
    enum err err = input_json(call, why);
    if (err) return err;
    struct str language = input_str(call, "language", true);
    if (language.at && !is_language(language))
        input_fault(call, "body", "language", "enum", "language must be zh or en");
    settling.chinese = language.at && str_eq(language, STR("zh"));
    read_chosen(call, &settling);
    err = input_check(call, why);
    if (!err) err = settlers_move_in(&call->act, &settling, why);
    if (err) return err;
    struct json_out out = call_json(call);
    json_open(&out, NULL, '{');
    json_put_u64(&out, "people", settling.people);
    json_put_u64(&out, "places", settling.places);
    json_close(&out, '}');
    return OK;
}
