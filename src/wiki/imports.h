/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/imports.h: what a file says it needs: #include, import, require, use, mod, source.
 *
 * Lines are looked at, not parsed: an import in a comment or a long string counts as
 * one, and one that is put together while the program runs does not. Each is kept as a path
 * ("a.b.C" is "a/b/C"), with how that is to be looked for; which file of the repository
 * it is, is asked anew each time (wiki_importing), so that an update of one file has
 * nothing to mend in others.
 *
 * Read: C, C++, Objective-C, Python, JavaScript, TypeScript, Vue, Svelte, Go, Rust, Java,
 * Kotlin, Scala, Ruby, PHP, Perl, Lua, shells. (C#'s `using` names no file.)
 *
 * Pure; any thread.
 */
#pragma once

#include "base/arena.h"

enum {
    WIKI_IMPORTS_MAX = 500,       /* of a file; what comes later is left away */
    WIKI_IMPORT_BYTES = 200,      /* longer ones name no file */
    WIKI_IMPORT_LINE_BYTES = 1000 /* longer lines were written by programs */
};

enum wiki_import_kind {
    WIKI_IMPORT_NEAR = 1,  /* from the folder of the file that says it */
    WIKI_IMPORT_ANY = 2,   /* from there, or the end of any path */
    WIKI_IMPORT_FAR = 3,   /* the end of a path */
    WIKI_IMPORT_PARENT = 4 /* the same, and what its last part names may be inside of a file */
};

struct wiki_import {
    struct str text;
    enum wiki_import_kind kind;
};

/* In order, each once. In `arena`. */
size_t wiki_imports(struct arena *arena, struct str path, struct str language, struct str text,
                    struct wiki_import **imports_out);

/* Files of a repository by the last parts of their names; its memory is the arena's, but what
 * wiki_importing_free() gives back. */
struct wiki_importing;

/* `paths` stay where they are as long as it is used. */
struct wiki_importing *wiki_importing_new(struct arena *arena, const struct str *paths,
                                          size_t count);
void wiki_importing_free(struct wiki_importing *importing);
/* Which of the paths `import` of file `from` (also one of them) is: its index; `count` where it is
 * none, or may be several. `scratch` keeps nothing that matters afterwards. */
size_t wiki_importing_find(const struct wiki_importing *importing, struct arena *scratch,
                           size_t from, const struct wiki_import *import);
