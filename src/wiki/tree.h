/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/tree.h: the files of a repository, of a commit or of a folder as it lies there.
 *
 * A commit is read out of git's object store (`ls-tree`, one `cat-file --batch`
 * that stays), so a hostile tree is only bytes: links are left out, never
 * followed. A folder is walked with openat and O_NOFOLLOW. Which files are
 * left out, and why, is part of the answer.
 *
 * One thread at a time.
 */
#pragma once

#include "base/buf.h"
#include "wiki/address.h"

struct wiki_tree;

enum wiki_left_out {
    WIKI_TAKEN,
    WIKI_LEFT_IGNORED,  /* .gitignore of a folder, or .gitattributes linguist-vendored/-generated */
    WIKI_LEFT_EXCLUDED, /* by the filters of this wiki */
    WIKI_LEFT_VENDORED, /* node_modules, vendor, third_party … at their places */
    WIKI_LEFT_GENERATED, /* lock files, "Code generated … DO NOT EDIT" */
    WIKI_LEFT_MINIFIED,
    WIKI_LEFT_BINARY,
    WIKI_LEFT_HUGE,       /* more than LIMIT_WIKI_FILE_BYTES */
    WIKI_LEFT_LINK,       /* symbolic links, submodules, devices: no file of this repository */
    WIKI_LEFT_NAME,       /* a name that is no UTF-8, too long, too deep, or climbs */
    WIKI_LEFT_ENCODING,   /* no text that we can read */
    WIKI_LEFT_UNREADABLE, /* this process may not read it, or it went away since it was seen */
    WIKI_LEFT_SECRET,     /* .env, private keys …: by name, and no filter can ask for them */
    WIKI_LEFT_COUNT
};

/* "ignored", "excluded" …: for pages and programs. */
const char *wiki_left_out_name(enum wiki_left_out why);

/* A folder that is left out whole is one entry, its path ends in '/' and it has no blob. A path
 * that is left out for its name is written so that it can be shown. */
struct wiki_file {
    struct str path; /* relative, '/' between parts, UTF-8 */
    struct str blob; /* in hex, at most 64 digits: the same blob, the same bytes. Of a commit git's
                        id; of a folder made of inode, size and times, so nothing need be read */
    uint64_t bytes;
};

/*
 * Filters: lines of gitignore syntax (gitignore(5)); empty: none. `include`, when there is one,
 * must match as well. Defaults (vendored and generated files) count unless a line of `include`
 * names them: "vendor/" or "vendor/lib/" does, "*.c" does not.
 */
struct wiki_filters {
    struct str include, exclude;
};

/* ERR_INVALID: a pattern that makes no sense, which one. */
MUST_USE enum err wiki_filters_check(const struct wiki_filters *filters, struct why *why);

/* `folder`: of wiki_git_fetch(), or any bare repository. ERR_NOT_FOUND: no such commit there.
 * ERR_LIMIT: more than LIMIT_WIKI_FILES files. */
MUST_USE enum err wiki_tree_open_commit(const char *folder, struct str commit,
                                        const struct wiki_filters *filters,
                                        struct wiki_tree **tree_out, struct why *why);
/* `folder`: a path without links: the `pin` of wiki_address_allow(). `closed`: a folder that is
 * left out wherever in it it lies; NULL: none. */
MUST_USE enum err wiki_tree_open_folder(const char *folder, const char *closed,
                                        const struct wiki_filters *filters,
                                        struct wiki_tree **tree_out, struct why *why);
void wiki_tree_close(struct wiki_tree *tree); /* NULL is fine */

/* What is there, in order of paths (byte by byte); good until the tree closes. What can be told by
 * name, size and kind alone is decided here; the rest by wiki_tree_read(). */
size_t wiki_tree_count(const struct wiki_tree *tree);
const struct wiki_file *wiki_tree_file(const struct wiki_tree *tree, size_t at,
                                       enum wiki_left_out *left_out_out);

/*
 * The text of a file as UTF-8, in `text` (emptied first): other encodings (a byte-order mark,
 * UTF-16, else Latin-1 or GB 18030 where it is certain) are turned, and "\r\n" becomes "\n".
 * `left_out_out`: not WIKI_TAKEN for a file whose bytes say that it is binary, generated, minified;
 * then `text` is empty. `file`: of this tree, and taken. `text` must take LIMIT_WIKI_TEXT_BYTES.
 */
MUST_USE enum err wiki_tree_read(struct wiki_tree *tree, const struct wiki_file *file,
                                 struct buf *text, enum wiki_left_out *left_out_out,
                                 struct why *why);
