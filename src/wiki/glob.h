/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/glob.h: one line of gitignore(5) against one path.
 *
 * What wiki/ignore.h makes lists of. Bytes, not characters, as in git. A match
 * takes at most pattern × path steps. Any number of threads.
 */
#pragma once

#include "base/arena.h"

struct glob_segment;

struct wiki_glob {
    struct glob_segment *segments; /* between slashes */
    size_t count;
    bool negated, folder_only;
    bool whole_path; /* tied to the folder of the lines; else it is about the last part */
    struct str line; /* as it was written, without '!' and the last '/' */
};

/*
 * NULL: fine, or nothing but blanks, then `*empty_out`. Else what is wrong with it, in words: it
 * could never match. In `arena`, of which `line` must be as well.
 */
const char *wiki_glob_compile(struct arena *arena, struct str line, struct wiki_glob *glob_out,
                              bool *empty_out);
/* The shape of `path` alone: negation and kind are the caller's. */
bool wiki_glob_matches(const struct wiki_glob *glob, struct str path);
struct str wiki_path_name(struct str path); /* its last part */
