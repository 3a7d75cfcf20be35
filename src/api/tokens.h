/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/tokens.h: access tokens a loop has seen, so that the signature of each
 * is checked once, and its session looked up at most once a second.
 *
 * A log-out reaches every loop as a notice (hub) and drops what it names here;
 * the second is for other processes on the same database. Lives on one loop.
 */
#pragma once

#include "api/call.h"

struct token_cache;

struct token_cache *token_cache_new(void);
void token_cache_free(struct token_cache *cache); /* NULL is fine */

/* Who the token says it is; `call->confirmed` tells whether the store agreed lately.
 * ERR_UNKNOWN_CALLER: nobody. */
MUST_USE enum err token_identify(struct token_cache *cache, struct call *call, struct str token,
                                 struct why *why);
/* Whether the store's agreement, found with the head, still holds now that the body is here. */
void token_recheck(struct token_cache *cache, struct call *call);
/* Look the session and the account up; on any thread with call->db.
 * ERR_UNKNOWN_CALLER: logged out, banned or gone. */
MUST_USE enum err token_confirm(struct call *call, struct why *why);
/* The same without a call, which may end meanwhile; `*gone_out`: there is no such account. */
MUST_USE enum err token_confirm_caller(struct db *db, struct caller *who, bool *gone_out,
                                       struct why *why);
/* What token_confirm() found, for the next request. On the loop. */
void token_remember(struct token_cache *cache, const struct call *call);
void token_forget(struct token_cache *cache, const struct hub_notice *notice);
