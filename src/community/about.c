/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "community/about.h"

#include "base/limits.h"
#include "base/utf8.h"
#include "community/talk.h"

enum { DATA_BYTES_MAX = 8 * 1024 };

static struct str or_null(struct str text)
{
    return text.len ? text : (struct str){0};
}

void about_put(struct json_out *out, const struct community *community)
{
    json_put_opt(out, "name", or_null(community->name));
    json_put_opt(out, "about", or_null(community->about));
    json_put_opt(out, "language", community->language);
}

/* Into `now`, what `change` has. */
static enum err take_change(const struct about_change *change, int64_t now_us,
                            struct community *now, struct why *why)
{
    enum err err = OK;
    if (change->name.at)
        err = name_check("name", change->name, 0, LIMIT_COMMUNITY_NAME_MAX, &now->name, why);
    if (!err && change->about.at)
        err = name_check("about", change->about, 0, LIMIT_COMMUNITY_ABOUT_MAX, &now->about, why);
    if (err) return err;
    if (change->language.at) {
        bool known = str_eq(change->language, STR("zh")) || str_eq(change->language, STR("en"));
        if (!known && change->language.len > 0)
            return why_field(why, "language", "enum", "language must be zh or en");
        now->language = or_null(change->language);
    }
    if (change->has_set_up && change->set_up != (now->set_up_us != 0))
        now->set_up_us = change->set_up ? now_us : 0;
    return OK;
}

/* What is different, for the audit log; empty: nothing. */
static struct str difference(struct arena *arena, const struct community *before,
                             const struct community *now)
{
    struct buf words;
    buf_init(&words, DATA_BYTES_MAX);
    if (!str_eq(before->name, now->name)) buf_printf(&words, "name: %.*s; ", STR_ARGS(now->name));
    if (!str_eq(before->about, now->about))
        buf_printf(&words, "about: %.*s; ", STR_ARGS(now->about));
    if (!str_eq(before->language, now->language))
        buf_printf(&words, "language: %.*s; ", STR_ARGS(now->language));
    if (before->set_up_us != now->set_up_us)
        buf_printf(&words, "first-run page: %s; ", now->set_up_us ? "done" : "open");
    struct str text = words.len ? str_head(buf_str(&words), words.len - 2) : STR("");
    text = arena_copy(arena, text);
    buf_release(&words);
    return text;
}

static void tell(struct act *act, const struct community *now)
{
    struct buf data;
    buf_init(&data, DATA_BYTES_MAX);
    struct json_out out = json_begin(&data);
    json_open(&out, NULL, '{');
    about_put(&out, now);
    json_close(&out, '}');
    act_tell(act, topic_feed(), "community.updated", STR("community"),
             arena_copy(act->arena, buf_str(&data)), false);
    buf_release(&data);
}

enum err about_set(struct act *act, const struct about_change *change, struct community *now_out,
                   struct why *why)
{
    enum err err = community_lock(act->db, why);
    if (!err) err = community_load(act->db, act->arena, now_out, why);
    if (err) return err;
    struct community before = *now_out;
    err = take_change(change, act->now_us, now_out, why);
    if (err) return err;
    struct str what = difference(act->arena, &before, now_out);
    if (what.len == 0) return OK;
    err = community_save(act->db, now_out, why);
    if (!err) err = act_audit(act, AUDIT_COMMUNITY_CHANGED, "community", 0, what, why);
    if (!err) tell(act, now_out);
    return err;
}
