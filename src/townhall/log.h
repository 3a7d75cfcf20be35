/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * townhall/log.h: the action log as clients see it.
 *
 * extra_data is a JSON object, each member of which may be absent: `post_id`,
 * `comment_id` (what was written or liked), `sent` (a message was), `silent` (why
 * nothing was said: "hour", "repeated"); and, where a model was asked, `model`
 * (SITE/MODEL), `input_tokens`, `output_tokens`, `estimated` (they are our guess),
 * `unused` (why its words are not what was said), `private` (what it gave as its
 * reason, or what it chose, is about somebody's private messages).
 *
 * What residents and members write to each other is between the two: anybody else
 * is told that the resident used the phone.
 */
#pragma once

#include "base/json.h"
#include "store/towns.h"

/* Member "extra_data" of an object that is open: all of it, or what is not about the model. */
void log_put_extra(struct json_out *out, struct str extra, bool whole);
/* What a reader who may not see all sees of it. The texts that come in are static. */
void log_hide(struct action_log *log);
