/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "community/leaving.h"

#include "community/accounts.h"
#include "community/keys.h"
#include "community/letters.h"
#include "community/talk.h"
#include "store/chats.h"
#include "store/events.h"
#include "store/leaving.h"
#include "store/records.h"
#include "store/residents.h"

/* Of each kind in one transaction. Leaving a group costs a notice, and an act has few; a chat may
 * hold megabytes. */
static const size_t slices[BELONGING_COUNT] = {
    [BELONGING_KEY] = 1,       [BELONGING_POST] = 100,
    [BELONGING_COMMENT] = 100, [BELONGING_LIKE] = BELONGINGS_MAX,
    [BELONGING_PARTNER] = 1,   [BELONGING_SAID] = 100,
    [BELONGING_IN_GROUP] = 1,  [BELONGING_CHAT] = 10};
static const size_t LIFE_SLICE = 1000;

enum err leaving_begin(struct act *act, struct why *why)
{
    struct user me;
    enum err err = users_lock(act->db, act->me, why);
    if (!err) err = users_load(act->db, act->arena, act->me, &me, why);
    if (err) return err;
    if (me.role == ROLE_ADMIN) {
        uint64_t admins;
        err = users_count_admins(act->db, &admins, why);
        if (err) return err;
        if (admins < 2) {
            return why_set(why, ERR_CONFLICT,
                           "你是唯一的管理员：请先让另一位成员成为管理员 (you are the only "
                           "administrator: make another member administrator first)");
        }
    }
    /* Now, not with the account: of two administrators who go, one has to stay. */
    err = users_set_role(act->db, act->me, ROLE_MEMBER, act->now_us, why);
    return err ? err : accounts_log_out_everywhere(act, 0, why);
}

enum err leaving_begin_resident(struct act *act, struct why *why)
{
    struct resident resident;
    enum err err = users_lock(act->db, act->me, why);
    if (!err) err = residents_load(act->db, act->arena, act->me, &resident, why);
    if (err || resident.banned) return err;
    return users_set_banned(act->db, act->me, true, act->now_us, why);
}

static struct str id_data(struct act *act, struct user_id user)
{
    return arena_printf(act->arena, "{\"id\":%llu}", (unsigned long long)user.value);
}

static enum err drop_conversation(struct act *act, struct user_id partner, struct why *why)
{
    uint64_t ids[LETTERS_MAX];
    size_t removed = 0;
    enum err err = leaving_remove_letters(act->db, act->me, partner, ids, &removed, why);
    for (size_t i = 0; i < removed && !err; i++)
        act_unsay(act, topic_user(partner), act_mark(act, "message", ids[i]));
    if (err || removed == LETTERS_MAX) return err;
    act_tell(act, topic_user(partner), "user.deleted", STR(""), id_data(act, act->me), false);
    return OK;
}

static enum err drop_chat(struct act *act, uint64_t id, struct why *why)
{
    enum err err = events_forget(act->db, str_of(topic_chat(id).text), why);
    return err ? err : chats_remove(act->db, id, why);
}

static enum err drop(struct act *act, enum belonging which, uint64_t id, uint64_t beside,
                     struct why *why)
{
    bool liked;
    uint64_t likes_count;
    switch (which) {
    case BELONGING_KEY: return keys_end(act, (struct key_id){id}, why);
    case BELONGING_POST: return talk_remove_post(act, (struct post_id){id}, why);
    case BELONGING_COMMENT:
        return talk_remove_comment(act, (struct post_id){beside}, (struct comment_id){id}, why);
    case BELONGING_LIKE:
        return talk_like(act, (struct post_id){id}, LIKE_OFF, &liked, &likes_count, why);
    case BELONGING_PARTNER: return drop_conversation(act, (struct user_id){id}, why);
    case BELONGING_SAID: return letters_remove(act, (struct message_id){id}, why);
    case BELONGING_IN_GROUP: return groups_remove_from(act, (struct group_id){id}, act->me, why);
    case BELONGING_CHAT: return drop_chat(act, id, why);
    case BELONGING_COUNT: break;
    }
    ASSERT(false);
    return ERR_CORRUPT;
}

/* What stands below another's post may have gone with it since it was listed: where many leave at
 * once, MariaDB lets them. Nothing was changed then, and it is not listed again. */
static enum err drop_if_there(struct act *act, enum belonging which, uint64_t id, uint64_t beside,
                              struct why *why)
{
    enum err err = drop(act, which, id, beside, why);
    return err == ERR_NOT_FOUND ? OK : err;
}

/* The first kind of which there is something. */
enum err leaving_step(struct act *act, bool *done_out, struct why *why)
{
    struct belongings *some = ARENA_NEW(act->arena, struct belongings);
    some->count = 0;
    enum err err = users_lock(act->db, act->me, why);
    enum belonging which = 0;
    for (; which < BELONGING_COUNT && !err; which++) {
        err = belongings_list(act->db, act->me, which, slices[which], some, why);
        if (some->count > 0) break;
    }
    for (size_t i = 0; i < some->count && !err; i++) {
        err = drop_if_there(act, which, some->ids[i], some->beside[i], why);
    }
    size_t lived = 0;
    if (!err && some->count == 0)
        err = leaving_forget_life(act->db, act->me, LIFE_SLICE, &lived, why);
    *done_out = some->count + lived == 0;
    return err;
}

static enum err note_gone(struct act *act, const struct user *me, struct user_id by,
                          struct why *why)
{
    struct audit_entry gone = {.at_us = act->now_us,
                               .action = AUDIT_ACCOUNT_DELETED,
                               .kind = "user",
                               .object = me->brief.id.value};
    if (by.value) {
        gone.action = AUDIT_RESIDENT_REMOVED;
        gone.actor = by;
        gone.detail = me->brief.username;
        gone.address = act->address;
    }
    return audit_add(act->db, &gone, why);
}

enum err leaving_end(struct act *act, struct user_id by, bool *done_out, struct why *why)
{
    struct user me;
    enum err err = leaving_step(act, done_out, why);
    if (err || !*done_out) return err;
    err = users_load(act->db, act->arena, act->me, &me, why);
    /* What was told to them alone: letters of others among it. */
    if (!err) err = events_forget(act->db, str_of(topic_user(act->me).text), why);
    if (!err) err = users_remove(act->db, &me, why);
    if (err) return err;
    act_tell(act, topic_feed(), "user.deleted", STR(""), id_data(act, act->me), false);
    struct hub_notice notice = {.what = NOTICE_USER_REVOKED, .user = act->me};
    act_notify(act, &notice);
    return note_gone(act, &me, by, why);
}
