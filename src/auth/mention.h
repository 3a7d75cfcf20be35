/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * auth/mention.h: which members a text names: "@mei, have you seen @bo?"
 *
 * A name stands behind an '@' that does not stand inside a word, as it does in
 * mail addresses. It is a row of words joined by a single '-' or '.': so a full
 * stop behind a name is none of it, and a member whose name ends in one, or has
 * two in a row, cannot be named. Not inside of addresses of the web. The app
 * shows the same ones as links (web/src/text/parts.ts); their tests have the
 * same rows.
 */
#pragma once

#include "base/arena.h"

/* Of one text; who writes more names has told enough people. */
enum { MENTIONS_MAX = 20 };

struct mentions {
    struct str keys[MENTIONS_MAX]; /* each once, as username_key() has them; in the arena */
    size_t count;
};

/* The first MENTIONS_MAX different ones. `text` is valid UTF-8. */
void mentions_find(struct arena *arena, struct str text, struct mentions *out);
bool mentions_has(const struct mentions *mentions, struct str key);
