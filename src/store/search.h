/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * store/search.h: words of posts, for both engines' word indexes.
 *
 * Chinese, Japanese and Korean are written without blanks, and the indexes
 * split at blanks, so every such character becomes a word of its own here
 * ("我爱咖啡" → "我 爱 咖 啡") and a run of them in a question becomes a phrase.
 * MariaDB leaves out words shorter than three letters and frequent English
 * ones, so there each such character is written as "u5496" and a word of
 * letters as "xxword". What stands between words reaches neither index. Case
 * and accents make no difference. Any thread that has a connection.
 *
 * MariaDB finds a post once its transaction is committed, SQLite at once.
 */
#pragma once

#include "store/db.h"

MUST_USE enum err search_add_post(struct db *db, uint64_t post, struct str content,
                                  struct why *why);
/* `content` must be what was added: the index keeps no text. */
MUST_USE enum err search_remove_post(struct db *db, uint64_t post, struct str content,
                                     struct why *why);
/* What to ask the index for: all words of `text`, in the engine's syntax; empty: no words. */
struct str search_match(struct db *db, struct arena *arena, struct str text);
