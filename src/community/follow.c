/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "community/follow.h"

#include "community/notify.h"
#include "community/shapes.h"
#include "store/notices.h"

/* Folded by follower: who follows and stops and follows again stands in the log once. */
static enum err tell_followed(struct act *act, struct user_id whom, uint64_t followers_count,
                              struct why *why)
{
    struct user me;
    enum err err = users_load(act->db, act->arena, act->me, &me, why);
    if (err) return err;
    struct str brief = shape_user_brief_text(act->arena, &me.brief);
    struct str data = arena_printf(act->arena, "{\"user\":%.*s,\"followers_count\":%llu}",
                                   STR_ARGS(brief), (unsigned long long)followers_count);
    struct str fold = arena_printf(act->arena, "follow:%llu", (unsigned long long)act->me.value);
    act_tell(act, topic_user(whom), "follow.created", fold, data, false);
    return OK;
}

enum err follow_set(struct act *act, struct user_id whom, bool follows, struct follow_tally *out,
                    struct why *why)
{
    struct user user;
    enum err err = users_load(act->db, act->arena, whom, &user, why);
    if (err) return err;
    if (follows && whom.value == act->me.value)
        return why_set(why, ERR_INVALID, "不能关注自己 (one cannot follow oneself)");
    bool changed;
    err = follows_set(act->db, act->me, whom, follows, act->now_us, &changed, why);
    if (!err && changed && follows) err = town_notices_add_follow(act->db, act->me, whom, why);
    if (!err && changed) err = notify_follow(act, &user, follows, why);
    if (!err) err = follows_load_tally(act->db, whom, act->me, out, why);
    return err || !changed || !follows ? err : tell_followed(act, whom, out->followers_count, why);
}
