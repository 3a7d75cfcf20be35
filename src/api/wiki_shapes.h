/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* api/wiki_shapes.h: wikis on the way in and out of JSON, and who may change them. */
#pragma once

#include "api/call.h"
#include "store/wikis.h"

struct wiki_reader wiki_reader_of(const struct call *call);
/* The one who added it, and administrators. */
bool wiki_may_change(const struct call *call, const struct wiki *wiki);
/* With how its update goes. The folder of a local one is told to those who may change it alone. */
void wiki_put(struct call *call, struct json_out *out, const char *key, const struct wiki *wiki);
/* The wiki in the path, by number or by name, that the caller may see. */
MUST_USE enum err wiki_of_path(struct call *call, struct wiki *wiki_out, struct why *why);
/* … and may change. */
MUST_USE enum err wiki_of_path_to_change(struct call *call, struct wiki *wiki_out, struct why *why);
