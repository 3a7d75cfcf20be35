/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/respond.h: the one place that knows HTTP statuses for failures.
 *
 * Errors are application/problem+json (RFC 9457): type, title, status, detail
 * (one sentence a member can read; where the old clients look for it), for
 * input errors `errors`, a list of {loc, msg, type}, and the request's id; at some
 * addresses of an older wiki the sentence once more as `error`.
 */
#pragma once

#include "api/call.h"

/* Turn the exchange's reply into the problem. */
void respond_problem(struct call *call, enum err err, const struct why *why);
/* For requests that never became a call: broken HTTP, no such path. */
void respond_status(struct http_exchange *x, int status, const char *sentence);
/* The same for programs, in OpenAI's form. */
void respond_program(struct call *call, int status, const char *sentence);
/* Headers of every answer: what the caller's rate leaves, and what a browser of an allowed origin
 * needs. */
void respond_common(struct call *call);
bool respond_origin_allowed(const struct api *api, const struct http_exchange *x);
/* Another web page must not do here what it can with what our member's browser knows and reaches:
 * is the page that asks (Origin) our own, or of an origin that is allowed, for live connections
 * too? Programs, which send none, fit. */
bool respond_origin_fits(const struct call *call);
/* The answer to a CORS preflight. */
void respond_preflight(struct call *call, struct str origin);
