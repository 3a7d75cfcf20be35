/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/walk.h: what trees of folders and of commits have in common.
 *
 * Either goes down through its folders, from the top. For each it opens a
 * level, tells it what lies there (manifests, .gitignore, .gitattributes), and
 * then offers each entry to the tree, which decides and notes it. At the end the
 * files are put in order.
 */
#pragma once

#include "wiki/glob.h"
#include "wiki/ignore.h"
#include "wiki/tree.h"

/* A folder on the way down. Lives on the stack of the one who walks. */
struct wiki_level {
    const struct wiki_level *above; /* NULL: the top */
    struct str path;                /* "src/wiki"; of the top empty */
    int depth;
    unsigned marks; /* of wiki_leave_marks(), over all names here */
    const struct wiki_ignore *ignore;
    const struct wiki_attributes *attributes;
};

struct wiki_node {
    struct wiki_file file;
    enum wiki_left_out left_out;
    bool wanted; /* somebody said that no default counts for it */
};

struct wiki_tree {
    struct arena arena;      /* paths, ids, patterns */
    struct wiki_node *nodes; /* owned */
    size_t count, cap;
    size_t rules; /* bytes of all .gitignore and .gitattributes that were read */
    const struct wiki_ignore *include, *exclude;
    struct buf bytes; /* of the file that is read */
    void *source;     /* owned */
    /* Up to LIMIT_WIKI_FILE_BYTES bytes into `bytes`; `left_out_out` when there are none to have.
     */
    enum err (*read)(void *source, const struct wiki_file *file, struct buf *bytes,
                     enum wiki_left_out *left_out_out, struct why *why);
    void (*close)(void *source);
};

MUST_USE enum err wiki_tree_new(const struct wiki_filters *filters, struct wiki_tree **tree_out,
                                struct why *why);

/* "level/name", in the tree's arena. */
struct str wiki_tree_path(struct wiki_tree *tree, const struct wiki_level *level, struct str name);
/* Shall the folder `name` of `level` be walked? If not, it was noted as one entry. */
bool wiki_tree_enter(struct wiki_tree *tree, const struct wiki_level *level, struct str name);
/* A folder that cannot be walked after all. */
void wiki_tree_leave_out(struct wiki_tree *tree, const struct wiki_level *level, struct str name,
                         enum wiki_left_out why);
/* A file or, with `why` not WIKI_TAKEN, what cannot be one. `blob` is kept, not copied. */
void wiki_tree_offer(struct wiki_tree *tree, const struct wiki_level *level, struct str name,
                     enum wiki_left_out why, uint64_t bytes, struct str blob);
/* The text of a .gitignore or .gitattributes, kept. Empty when there have been too many of them,
 * which wiki_tree_finish() tells. */
struct str wiki_tree_keep_rules(struct wiki_tree *tree, struct str text);
/* ERR_LIMIT: more than LIMIT_WIKI_FILES, or than LIMIT_WIKI_RULES_BYTES. */
MUST_USE enum err wiki_tree_finish(struct wiki_tree *tree, struct why *why);
