/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/ignore.h: lines that name files, as gitignore(5) describes them.
 *
 * Wildcards, classes, "**", negation, '/' at the front or within that ties a
 * line to its folder, '/' at the end for folders alone. The last line that
 * matches counts. What git reads byte by byte is read so here too, '?' among it.
 * A line that makes no sense (an open '[', a '\' at the end) matches nothing.
 *
 * Also the lines of .gitattributes that say what was generated or copied from
 * elsewhere, because their patterns are the same.
 *
 * Any number of threads: nothing changes after parsing. A match takes at most
 * pattern × path steps, whatever strangers write.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"

struct wiki_ignore;

/* `text`: a whole .gitignore; at most LIMIT_WIKI_PATTERNS lines of it count. In `arena`, of which
 * `text` must be as well. NULL: not one line that could match. */
const struct wiki_ignore *wiki_ignore_parse(struct arena *arena, struct str text);
/* ERR_INVALID: the first line that could never match, for those who write filters. */
MUST_USE enum err wiki_ignore_check(struct str text, struct why *why);

enum wiki_ignore_says { WIKI_SAYS_NOTHING, WIKI_SAYS_OUT, WIKI_SAYS_IN };

/*
 * What the last line that matches says of `path` itself: relative to the folder of the lines, '/'
 * between parts. Not of what lies below: who walks asks for each folder on the way, because what
 * lies in a folder that is out cannot come in again. NULL says nothing.
 */
enum wiki_ignore_says wiki_ignore_match(const struct wiki_ignore *ignore, struct str path,
                                        bool is_folder);
/* The same of `path` and all the folders above it, from the top: the first that is out counts. */
bool wiki_ignore_covers(const struct wiki_ignore *ignore, struct str path, bool is_folder);
/* Has a line, not a negated one, a part that is written exactly so? "vendor" of "/vendor/lib/". */
bool wiki_ignore_names(const struct wiki_ignore *ignore, struct str part);

struct wiki_attributes;

/* `text`: a whole .gitattributes. In `arena`, of which `text` must be as well. NULL: it says
 * nothing of generated and vendored files. */
const struct wiki_attributes *wiki_attributes_parse(struct arena *arena, struct str text);

/* linguist-generated and linguist-vendored of a file: out, in (they are unset), or nothing. */
struct wiki_linguist {
    enum wiki_ignore_says generated, vendored;
};
struct wiki_linguist wiki_attributes_match(const struct wiki_attributes *attributes,
                                           struct str path);
