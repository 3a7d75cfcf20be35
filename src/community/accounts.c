/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "community/accounts.h"

#include "auth/token.h"
#include "auth/username.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "community/shapes.h"
#include "community/talk.h"
#include "store/files.h"

/* Two tabs that wake up together refresh together; the slower one is no thief. */
static const int64_t RACE_US = 10 * 1000000;

static enum err note(struct act *act, enum audit_action action, struct user_id target,
                     struct why *why)
{
    const char *kind = target.value ? "user" : NULL;
    return act_audit(act, action, kind, target.value, (struct str){0}, why);
}

enum err accounts_create(struct act *act, const struct account_draft *draft, struct user *user_out,
                         struct why *why)
{
    struct str username, nickname;
    enum err err = username_check(draft->username, &username, why);
    if (!err) err = name_check("nickname", draft->nickname, 1, LIMIT_NICKNAME_MAX, &nickname, why);
    if (err) return err;
    struct user_draft row = {.username = username,
                             .username_key = username_key(act->arena, username),
                             .password_hash = draft->password_hash,
                             .nickname = nickname,
                             .avatar_path = draft->avatar_path,
                             .bio = draft->bio,
                             .personality = draft->personality,
                             .is_ai = draft->is_ai,
                             .role = draft->role,
                             .created_us = act->now_us};
    struct user_id id;
    err = users_add(act->db, &row, &id, why);
    if (!err) err = note(act, AUDIT_ACCOUNT_CREATED, id, why);
    return err ? err : users_load(act->db, act->arena, id, user_out, why);
}

/* --- log-ins --- */

static struct str hash_text(const uint8_t hash[REFRESH_HASH_BYTES])
{
    return (struct str){(const char *)hash, REFRESH_HASH_BYTES};
}

static void hash_new(const char *refresh, struct refresh_hash *hash_out)
{
    bool ours = refresh_hash(str_of(refresh), hash_out);
    ASSERT(ours);
}

enum err accounts_log_in(struct act *act, const struct login *login, struct session_id *session_out,
                         char *refresh_out, struct why *why)
{
    struct refresh_hash hash;
    struct session_draft draft = {
        .user = login->user,
        .client = login->client,
        .address = login->address,
        .created_us = act->now_us,
        .expires_us =
            act->now_us + MAX(login->token_us, login->refreshable ? login->refresh_us : 0)};
    if (login->refreshable) {
        refresh_new(refresh_out);
        hash_new(refresh_out, &hash);
        draft.family_hash = hash_text(hash.family);
        draft.refresh_hash = hash_text(hash.own);
    }
    enum err err = OK;
    if (login->new_password_hash.at) {
        err = users_set_password(act->db, login->user, login->new_password_hash, act->now_us, why);
    }
    if (!err) err = sessions_add(act->db, &draft, session_out, why);
    act->me = login->user;
    return err ? err : note(act, AUDIT_LOGIN, (struct user_id){0}, why);
}

static void end_sockets(struct act *act, struct user_id user, uint64_t session, int what)
{
    struct hub_notice notice = {.user = user, .session = session};
    notice.what = what;
    act_notify(act, &notice);
}

static enum err end_stolen(struct act *act, const struct session *session, struct why *why)
{
    enum err err = sessions_revoke(act->db, session->id, act->now_us, why);
    if (err) return err;
    act->me = session->user;
    end_sockets(act, session->user, session->id.value, NOTICE_SESSION_REVOKED);
    return note(act, AUDIT_REFRESH_STOLEN, session->user, why);
}

/* The token is the valid one: put the next in its place, unless the log-in is over. */
static enum err rotate(struct act *act, struct str refresh, int64_t refresh_us,
                       const struct session *session, enum refreshed *outcome_out,
                       char *refresh_out, struct why *why)
{
    struct standing standing;
    enum err err = users_load_standing(act->db, session->user, &standing, why);
    if (err) return err;
    if (session->expires_us <= act->now_us || standing.banned) return OK;
    struct refresh_hash hash;
    refresh_next(refresh, refresh_out);
    hash_new(refresh_out, &hash);
    *outcome_out = REFRESHED;
    return sessions_rotate(act->db, session->id, hash_text(hash.own), act->now_us,
                           act->now_us + refresh_us, why);
}

enum err accounts_refresh(struct act *act, struct str refresh, int64_t refresh_us,
                          enum refreshed *outcome_out, struct session *session_out,
                          char *refresh_out, struct why *why)
{
    struct refresh_hash hash;
    enum refresh_match match;
    *outcome_out = REFRESH_UNKNOWN;
    if (!refresh_hash(refresh, &hash)) return OK;
    enum err err = sessions_find_refresh(act->db, hash_text(hash.family), hash_text(hash.own),
                                         session_out, &match, why);
    if (err == ERR_NOT_FOUND) return OK;
    if (err || session_out->revoked) return err;
    if (match == REFRESH_CURRENT) {
        return rotate(act, refresh, refresh_us, session_out, outcome_out, refresh_out, why);
    }
    if (match == REFRESH_PREVIOUS && act->now_us - session_out->used_us < RACE_US) {
        *outcome_out = REFRESH_RACED;
        return OK;
    }
    *outcome_out = REFRESH_STOLEN;
    return end_stolen(act, session_out, why);
}

enum err accounts_log_out(struct act *act, uint64_t session, struct why *why)
{
    if (session == 0) return accounts_log_out_everywhere(act, 0, why);
    enum err err = sessions_revoke(act->db, (struct session_id){session}, act->now_us, why);
    if (err) return err;
    end_sockets(act, act->me, session, NOTICE_SESSION_REVOKED);
    return note(act, AUDIT_LOGOUT, (struct user_id){0}, why);
}

enum err accounts_end_session(struct act *act, uint64_t id, struct why *why)
{
    struct session session;
    enum err err = sessions_load_state(act->db, (struct session_id){id}, &session, why);
    if (err) return err;
    if (session.user.value != act->me.value) {
        return why_set(why, ERR_NOT_FOUND, "no such session");
    }
    return accounts_log_out(act, id, why);
}

enum err accounts_log_out_everywhere(struct act *act, uint64_t keep, struct why *why)
{
    enum err err =
        sessions_revoke_all(act->db, act->me, (struct session_id){keep}, act->now_us, why);
    if (!err) err = users_void_tokens(act->db, act->me, act->now_us, why);
    if (err) return err;
    end_sockets(act, act->me, keep, NOTICE_USER_REVOKED);
    return note(act, AUDIT_LOGOUT_EVERYWHERE, (struct user_id){0}, why);
}

enum err accounts_set_password(struct act *act, struct str hash, uint64_t keep, struct why *why)
{
    enum err err = users_set_password(act->db, act->me, hash, act->now_us, why);
    if (!err) err = accounts_log_out_everywhere(act, keep, why);
    return err ? err : note(act, AUDIT_PASSWORD_CHANGED, (struct user_id){0}, why);
}

/* --- profiles --- */

static enum err check_profile(struct arena *arena, const struct profile_change *change,
                              struct user *user, struct why *why)
{
    enum err err = OK;
    if (change->nickname.at) {
        err = name_check("nickname", change->nickname, 1, LIMIT_NICKNAME_MAX, &user->brief.nickname,
                         why);
    }
    /* Older clients send the whole profile, with the picture that an older system let them have. */
    bool new_avatar =
        change->avatar_path.at && !str_eq(change->avatar_path, user->brief.avatar_path);
    if (!err && new_avatar) {
        err = picture_path_check("avatar_path", change->avatar_path, change->upload_dir, why);
        user->brief.avatar_path = change->avatar_path;
    }
    if (!err && change->bio.at) {
        struct str bio = text_lines(arena, change->bio);
        err = text_check("bio", bio, 0, LIMIT_BIO_MAX, &user->bio, why);
        if (user->bio.len == 0) user->bio = (struct str){0}; /* an empty one is none */
    }
    if (change->clear_avatar) user->brief.avatar_path = (struct str){0};
    return err;
}

enum err accounts_set_profile(struct act *act, const struct profile_change *change,
                              struct user *user_out, struct why *why)
{
    enum err err = users_load(act->db, act->arena, act->me, user_out, why);
    if (err) return err;
    struct str avatar = user_out->brief.avatar_path;
    err = check_profile(act->arena, change, user_out, why);
    if (err) return err;
    err = users_set_profile(act->db, act->me, user_out->brief.nickname, user_out->brief.avatar_path,
                            user_out->bio, act->now_us, why);
    bool other = !str_eq(avatar, user_out->brief.avatar_path);
    if (!err && other) err = files_put_down(act->db, avatar, why);
    if (err) return err;
    struct str fold = arena_printf(act->arena, "user:%llu", (unsigned long long)act->me.value);
    act_tell(act, topic_feed(), "user.updated", fold,
             shape_user_brief_text(act->arena, &user_out->brief), false);
    return OK;
}

/* A community without one could never have one again but from the terminal. */
static enum err keep_an_admin(struct act *act, struct why *why)
{
    uint64_t count;
    enum err err = users_count_admins(act->db, &count, why);
    if (err || count > 1) return err;
    return why_set(why, ERR_CONFLICT,
                   "这是最后一位管理员，请先任命另一位 (this is the last administrator: make "
                   "somebody else one first)");
}

enum err accounts_set_role(struct act *act, struct user_id user, enum role role, struct why *why)
{
    struct user now;
    enum err err = users_load(act->db, act->arena, user, &now, why);
    if (err) return err;
    if (now.brief.is_ai || role == ROLE_RESIDENT) {
        return why_set(why, ERR_INVALID, "residents stay residents, people stay people");
    }
    if (now.role == role) return OK;
    if (now.role == ROLE_ADMIN) err = keep_an_admin(act, why);
    if (!err) err = users_set_role(act->db, user, role, act->now_us, why);
    if (err) return err;
    /* Every loop looks the role up anew; open sockets of theirs have to come back. */
    end_sockets(act, user, 0, NOTICE_USER_REVOKED);
    struct str detail = arena_printf(act->arena, "%s → %s", role_name(now.role), role_name(role));
    return act_audit(act, AUDIT_ROLE_CHANGED, "user", user.value, detail, why);
}

static enum err may_ban(const struct act *act, const struct user *whom, bool ban, struct why *why)
{
    if (ban && whom->brief.id.value == act->me.value) {
        return why_set(why, ERR_DENIED, "不能封禁自己 (you cannot ban yourself)");
    }
    if (ban && whom->role == ROLE_ADMIN) {
        return why_set(why, ERR_DENIED,
                       "不能封禁管理员 (an administrator cannot be banned: take the role away "
                       "first)");
    }
    bool plain = whom->role == ROLE_MEMBER || whom->role == ROLE_RESIDENT;
    if (!plain && act->role != ROLE_ADMIN) {
        return why_set(why, ERR_DENIED,
                       "只有管理员能封禁或解封版主 (only an administrator can ban a moderator or "
                       "let one in again)");
    }
    return OK;
}

enum err accounts_set_banned(struct act *act, struct user_id user, bool banned, struct why *why)
{
    struct user now;
    enum err err = users_load(act->db, act->arena, user, &now, why);
    if (!err) err = may_ban(act, &now, banned, why);
    if (err || now.banned == banned) return err;
    err = users_set_banned(act->db, user, banned, act->now_us, why);
    if (!err && banned) {
        err = sessions_revoke_all(act->db, user, (struct session_id){0}, act->now_us, why);
    }
    if (err) return err;
    end_sockets(act, user, 0, NOTICE_USER_REVOKED);
    return note(act, banned ? AUDIT_BANNED : AUDIT_UNBANNED, user, why);
}
