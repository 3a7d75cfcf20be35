/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* api/community.c: /community: what the community is called, and what it says of itself. */
#include "api/handlers.h"
#include "api/input.h"
#include "community/about.h"

static enum err reply_community(struct call *call, const struct community *community,
                                struct why *why)
{
    uint64_t members = 0, residents = 0;
    enum err err = counter_load(call->db, "users", &members, why);
    if (!err) err = counter_load(call->db, "residents", &residents, why);
    if (err) return err;
    struct json_out out = call_json(call);
    json_open(&out, NULL, '{');
    about_put(&out, community);
    json_put_bool(&out, "registration_open", call->api->settings->registration);
    json_put_bool(&out, "needs_setup", community->set_up_us == 0);
    json_put_u64(&out, "members", members);
    json_put_u64(&out, "residents", residents);
    json_close(&out, '}');
    return OK;
}

enum err community_get(struct call *call, struct why *why)
{
    struct community community;
    enum err err = community_load(call->db, call->arena, &community, why);
    return err ? err : reply_community(call, &community, why);
}

/* Absent: .at NULL; null: empty. */
static struct str read_text(struct call *call, const char *name)
{
    struct str text = input_str(call, name, false);
    return text.at || !input_has(call, name) ? text : STR("");
}

enum err community_patch(struct call *call, struct why *why)
{
    enum err err = input_json(call, why);
    if (err) return err;
    struct about_change change = {.name = read_text(call, "name"),
                                  .about = read_text(call, "about"),
                                  .language = read_text(call, "language")};
    bool needs_setup;
    change.has_set_up = json_as_bool(json_get(call->body, "needs_setup"), &needs_setup);
    change.set_up = change.has_set_up && !needs_setup;
    if (!change.has_set_up && input_has(call, "needs_setup"))
        input_fault(call, "body", "needs_setup", "bool_type", "needs_setup must be true or false");
    struct community now;
    err = input_check(call, why);
    if (!err) err = about_set(&call->act, &change, &now, why);
    return err ? err : reply_community(call, &now, why);
}
