/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "community/keys.h"

#include "base/limits.h"
#include "base/pattern.h"

static enum err note(struct act *act, enum audit_action action, struct key_id id, struct why *why)
{
    return act_audit(act, action, "key", id.value, (struct str){0}, why);
}

enum err keys_make(struct act *act, struct api_key *key, struct str hash, struct why *why)
{
    uint64_t count;
    enum err err = users_lock(act->db, act->me, why);
    if (!err) err = keys_count(act->db, act->me, &count, why);
    if (err) return err;
    if (count >= LIMIT_KEYS) {
        return why_set(why, ERR_CONFLICT, "you have %d keys already: revoke one first", LIMIT_KEYS);
    }
    key->user = act->me;
    key->created_us = act->now_us;
    err = keys_add(act->db, key, hash, &key->id, why);
    return err ? err : note(act, AUDIT_KEY_CREATED, key->id, why);
}

enum err keys_edit(struct act *act, const struct api_key *key, struct why *why)
{
    enum err err = keys_change(act->db, key, why);
    return err ? err : note(act, AUDIT_KEY_CHANGED, key->id, why);
}

enum err keys_end(struct act *act, struct key_id id, struct why *why)
{
    enum err err = keys_revoke(act->db, act->me, id, act->now_us, why);
    if (err) return err;
    struct hub_notice notice = {.what = NOTICE_KEY_REVOKED, .user = act->me, .session = id.value};
    act_notify(act, &notice);
    return note(act, AUDIT_KEY_REVOKED, id, why);
}

/* --- models --- */

bool key_allows(struct str patterns, struct str model)
{
    struct str one;
    if (patterns.at == NULL) return true;
    while (str_split(&patterns, '\n', &one)) {
        if (model_pattern_matches(one, model)) return true;
    }
    return false;
}
