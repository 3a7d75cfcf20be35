/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/leave.h: which files nobody wants to read, by their names and by what is in them.
 *
 * Folders are left out where the tool that fills them puts them: node_modules
 * anywhere, `vendor` and `target` only beside the manifest of such a tool
 * (go.mod, Cargo.toml …) or, for the plain word "vendor", at the top. `docs`,
 * `bin`, `out`, `log`, `build` are words people use for what they wrote, and
 * stay. Pure.
 */
#pragma once

#include "wiki/tree.h"

/* What a name says of the folder it lies in: bits to be joined over all names. */
unsigned wiki_leave_marks(struct str name);

/* `marks`: of the folder that `name` lies in. `top`: that is the repository's own. */
enum wiki_left_out wiki_leave_folder(struct str name, unsigned marks, bool top);
/* Secret, generated, minified or binary by its name, or too large. `written_as_out`: how the rule
 * is written ("*.min.js"), for filters that name it. */
enum wiki_left_out wiki_leave_file(struct str name, uint64_t bytes, struct str *written_as_out);
/* `bytes`: as they lie there. A NUL that no encoding explains makes them binary. */
enum wiki_left_out wiki_leave_bytes(struct str bytes);
/* `text`: UTF-8. */
enum wiki_left_out wiki_leave_text(struct str name, struct str text);
