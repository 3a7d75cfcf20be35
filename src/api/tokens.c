/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "api/tokens.h"

#include "auth/token.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "store/sessions.h"

enum { TOKENS_MAX = 20000 };

static const int64_t CONFIRM_EVERY_US = 1000000;

struct seen {
    struct caller who;
    int64_t confirmed_us; /* monotonic; 0: not yet */
    size_t len;
    char token[];
};

struct token_cache {
    struct map seen;  /* of struct seen, owned */
    uint64_t notices; /* how many came: what was looked up before the last one may be old */
};

struct token_cache *token_cache_new(void)
{
    return NEW(struct token_cache);
}

static void clear(struct token_cache *cache)
{
    size_t at = 0;
    for (struct seen *seen; (seen = map_next(&cache->seen, &at)) != NULL;) mem_free(seen);
    map_release(&cache->seen);
}

void token_cache_free(struct token_cache *cache)
{
    if (cache == NULL) return;
    clear(cache);
    mem_free(cache);
}

static struct seen *add(struct token_cache *cache, struct str token)
{
    /* Full of tokens, most of them old: start anew, checking again costs 15 µs each. */
    if (cache->seen.count >= TOKENS_MAX) clear(cache);
    struct seen *seen = mem_alloc(sizeof(*seen) + token.len);
    memcpy(seen->token, token.at, token.len);
    seen->len = token.len;
    map_add(&cache->seen, (struct str){seen->token, seen->len}, seen);
    return seen;
}

/* What is known of the token at this moment. */
static void take(const struct token_cache *cache, const struct seen *seen, struct call *call)
{
    call->who = seen->who;
    call->notices_seen = cache->notices;
    call->confirmed =
        seen->confirmed_us != 0 && clock_mono_us() - seen->confirmed_us < CONFIRM_EVERY_US;
}

enum err token_identify(struct token_cache *cache, struct call *call, struct str token,
                        struct why *why)
{
    int64_t now_s = clock_wall_us() / 1000000;
    call->token = token;
    struct seen *seen = map_find(&cache->seen, token);
    if (seen == NULL) {
        struct token_claims claims;
        enum err err = token_verify(call->api->keyring, token, now_s, &claims, why);
        if (err) {
            log_debug("auth.token", "reason=\"%s\"", why->text);
            return why_set(why, ERR_UNKNOWN_CALLER, "无法验证凭据 (please sign in again)");
        }
        seen = add(cache, token);
        seen->who = (struct caller){.user = claims.user,
                                    .session = claims.session,
                                    .issued_s = claims.issued_s,
                                    .expires_s = claims.expires_s};
    }
    if (seen->who.expires_s <= now_s) {
        return why_set(why, ERR_UNKNOWN_CALLER, "登录已过期 (your sign-in has expired)");
    }
    take(cache, seen, call);
    return OK;
}

void token_recheck(struct token_cache *cache, struct call *call)
{
    const struct seen *seen = map_find(&cache->seen, call->token);
    if (seen) {
        take(cache, seen, call);
    } else {
        call->confirmed = false;
    }
}

static enum err refused(struct why *why)
{
    return why_set(why, ERR_UNKNOWN_CALLER, "无法验证凭据 (please sign in again)");
}

enum err token_confirm_caller(struct db *db, struct caller *who, bool *gone_out, struct why *why)
{
    struct standing standing;
    enum err err = users_load_standing(db, who->user, &standing, why);
    *gone_out = err == ERR_NOT_FOUND;
    if (*gone_out) return refused(why);
    if (err) return err;
    bool is_resident = standing.role == ROLE_RESIDENT;
    /* Tokens of the older system belong to no session: all of them end at once or none. */
    bool voided = who->session == 0 && who->issued_s * 1000000 < standing.tokens_from_us;
    if (standing.banned || is_resident || voided) return refused(why);
    if (who->session) {
        struct session session;
        err = sessions_load_state(db, (struct session_id){who->session}, &session, why);
        if (err == ERR_NOT_FOUND) return refused(why);
        if (err) return err;
        if (session.revoked || session.user.value != who->user.value) return refused(why);
    }
    who->role = standing.role;
    return OK;
}

enum err token_confirm(struct call *call, struct why *why)
{
    enum err err = token_confirm_caller(call->db, &call->who, &call->no_account, why);
    if (!err) call->confirmed = true;
    return err;
}

void token_remember(struct token_cache *cache, const struct call *call)
{
    struct seen *seen = map_find(&cache->seen, call->token);
    if (seen == NULL || call->notices_seen != cache->notices) return;
    seen->who = call->who;
    seen->confirmed_us = clock_mono_us();
}

static bool is_meant(const struct seen *seen, const struct hub_notice *notice)
{
    switch (notice->what) {
    case NOTICE_SESSION_REVOKED: return seen->who.session == notice->session;
    case NOTICE_USER_REVOKED:
        return seen->who.user.value == notice->user.value &&
               (notice->session == 0 || seen->who.session != notice->session);
    case NOTICE_LEFT_TOPIC:
    case NOTICE_KEY_REVOKED:
    case NOTICE_STOP_ANSWER: return false;
    }
    return false;
}

void token_forget(struct token_cache *cache, const struct hub_notice *notice)
{
    /* Rare; the confirmation is taken back, the signature stays checked. */
    cache->notices++;
    size_t at = 0;
    for (struct seen *seen; (seen = map_next(&cache->seen, &at)) != NULL;) {
        if (is_meant(seen, notice)) seen->confirmed_us = 0;
    }
}
