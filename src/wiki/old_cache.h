/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/old_cache.h: a written wiki in the form of deepwiki-open 1.x, in which its
 * page saves, loads and exports, and which lies in its folder wikicache:
 *
 *     {"wiki_structure": {id, title, description, pages, sections?, rootSections?},
 *      "generated_pages": {ID: {id, title, content, filePaths, importance, relatedPages}},
 *      "repo_url"?, "repo"?: {owner, repo, type, token?, localPath?, repoUrl?},
 *      "provider"?, "model"?}
 *
 * That form has the access token of a private repository in it, which was kept
 * and given to every reader. Here it is seen and dropped, in `token` and in
 * addresses; that there was one is said, so that the book can be kept from those
 * who might not read the repository.
 *
 * Everything in it comes from strangers: types, lengths and numbers are
 * checked, what nobody knows is passed over, and lists are written anew. What
 * pages say is Markdown and may hold HTML; nothing here makes it safe to show.
 *
 * Pure; any thread.
 */
#pragma once

#include "base/arena.h"
#include "base/json.h"
#include "store/wiki_books.h"

struct wiki_old_cache {
    struct wiki_book book;   /* done; ids, author and times are the caller's to fill in */
    struct wiki_page *pages; /* in the order of the structure */
    size_t count;
    bool with_token; /* the repository is private, as far as anybody can tell */
};

/* Told of each thing that is wrong: where ("wiki_structure.pages.0.title"), in which way, and in a
 * sentence. `where` lives in the arena. */
typedef void wiki_old_fault(void *ctx, const char *where, const char *type, const char *sentence);

/*
 * What a page hands in: `repo`, `language`, `provider` and `model` stand in it. ERR_INVALID: at
 * least one fault was told. Texts are in `arena` or the tree's.
 */
MUST_USE enum err wiki_old_cache_posted(struct arena *arena, const struct json *tree,
                                        wiki_old_fault *fault, void *ctx,
                                        struct wiki_old_cache *cache_out, struct why *why);
/*
 * A file of wikicache by its name and text. Where its `repo` says otherwise than its name, as with
 * owners that have a '_' in their name, the former counts. ERR_INVALID with the first fault. All in
 * `arena`.
 */
MUST_USE enum err wiki_old_cache_file(struct arena *arena, struct str name, struct str text,
                                      struct wiki_old_cache *cache_out, struct why *why);

/* `pages` of an object is a list of whole pages, as is wanted for an export; ERR_INVALID: at least
 * one fault was told. */
MUST_USE enum err wiki_old_pages_check(struct arena *arena, const struct json *tree,
                                       wiki_old_fault *fault, void *ctx, struct why *why);

/* "deepwiki_cache_github_OWNER_REPO_en.json": for readers, it names no file of ours. */
struct str wiki_old_name(struct arena *arena, const struct wiki_key *key);
/* Cut at each '_': the owner is taken to have none. False: no such name. */
bool wiki_old_name_parse(struct str name, struct wiki_key *key_out);

/* An address without user, password, query and fragment, in `arena`; empty: not of the web. */
struct str wiki_old_clean_url(struct arena *arena, struct str url);

/* Writing one: begin, each page, end. */
struct wiki_old_writer {
    struct buf structure, generated; /* owned */
    struct json_out structure_out, generated_out;
};
void wiki_old_write_begin(struct wiki_old_writer *writer);
/* A wiki_page_each; `writer` is the ctx. */
void wiki_old_write_page(void *writer, const struct wiki_page *page);
/* Into `to`, which has failed where it was too much. Releases the writer. */
void wiki_old_write_end(struct wiki_old_writer *writer, const struct wiki_book *book,
                        struct buf *to);
