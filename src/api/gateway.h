/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/gateway.h: OpenAI's API for members' programs: /v1/chat/completions,
 * /v1/embeddings, /v1/models. docs/gateway.md is its manual.
 *
 * Everything runs on the loop that got the request: the key is found in the
 * loop's cache (looked up again after a second), the ledger admits it, the
 * answer goes out in the turn in which the model's words came in.
 */
#pragma once

#include "api/call.h"

struct gateway;      /* the process's part: prices, ledger, kept answers */
struct gateway_loop; /* a loop's part: keys it has seen, calls under way */

MUST_USE enum err gateway_open(const struct settings *settings, struct store *store,
                               struct workers *workers, struct gateway **gateway_out,
                               struct why *why);
/* Writes down what was used and not written yet: after gateway_abort() on every loop, before the
 * workers and the store go. */
void gateway_flush(struct gateway *gateway);
void gateway_free(struct gateway *gateway); /* NULL is fine */

struct gateway_loop *gateway_loop_open(struct api_loop *home);
/* A key or a log-in was revoked. On the loop. */
void gateway_notice(struct api_loop *home, const struct hub_notice *notice);
/* End what is under way; nothing new is taken. On the loop. */
void gateway_abort(struct api_loop *home);
void gateway_loop_close(struct gateway_loop *gateway); /* after gateway_abort(); NULL is fine */

/* Chats since the start, by where their answer comes from. Any thread. */
struct gateway_counts {
    uint64_t asked;  /* a call of their own */
    uint64_t shared; /* one under way */
    uint64_t kept;
};
struct gateway_counts gateway_counts(const struct gateway *gateway);

/* What every site says it has, for a reply on the call's loop: "SITE/MODEL", a line each. At once
 * when it is known, else within three seconds; 503 when the server stops meanwhile. A site is asked
 * once a minute at most. */
typedef void gateway_names(struct call *call, struct str names);
void gateway_with_names(struct call *call, gateway_names *then);

handler gateway_chat, gateway_embeddings, gateway_models;
