/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * store/wiki_books.h: wikis that were written about repositories, and their pages.
 *
 * Each writing is a book of its own, so older versions stay. A book belongs to
 * a wiki of this server (`wiki`), and is for whom that is for; or an older page
 * handed it in, and it belongs to none: then it says itself whom it is for.
 *
 * A book that is handed in comes whole, `done`. One that a job of ours writes goes
 *
 *     planning → (its plan) → writing → done
 *          ↘        ↘            ↘ failed, stopped → writing again
 *
 * and its pages waiting → writing → done or failed. A job that was told to stop
 * and has not heard yet changes nothing: ERR_CONFLICT.
 *
 * Lifetimes of texts as in store/users.h.
 */
#pragma once

#include "store/users.h"

enum wiki_book_state {
    WIKI_BOOK_PLANNING,
    WIKI_BOOK_WRITING,
    WIKI_BOOK_STOPPED,
    WIKI_BOOK_FAILED,
    WIKI_BOOK_DONE,
    WIKI_BOOK_STATES
};
enum wiki_page_state {
    WIKI_PAGE_WAITING,
    WIKI_PAGE_WRITING,
    WIKI_PAGE_FAILED,
    WIKI_PAGE_DONE,
    WIKI_PAGE_STATES
};
/* For whom a book is that belongs to no wiki. */
enum wiki_book_access {
    WIKI_BOOK_EVERYONE,
    WIKI_BOOK_MEMBERS, /* and who has shown the access code */
    WIKI_BOOK_OWNER    /* its author alone */
};
const char *wiki_book_state_word(enum wiki_book_state state);
const char *wiki_page_state_word(enum wiki_page_state state);

/* What older pages know a book by. */
struct wiki_key {
    struct str kind, owner, repo; /* kind: "github", "gitlab" …, "local" */
    struct str language;          /* "en", "zh", "kr" …: codes of the older pages */
};

struct wiki_book {
    uint64_t id;
    uint64_t wiki; /* 0: of none */
    struct wiki_key key;
    struct str url; /* of the repository, without any secret; of a folder its path */
    bool comprehensive;
    struct str title, description;
    struct str sections;        /* JSON: [{id, title, pages, subsections?}] */
    struct str roots;           /* JSON: ids of sections that are in no other */
    struct str provider, model; /* model empty: made without one */
    struct str commit;          /* empty: not known */
    enum wiki_book_state state;
    struct str note; /* why it failed */
    enum wiki_book_access access;
    struct user_id author; /* 0: nobody known */
    int64_t created_us, finished_us;
};

struct wiki_page {
    uint64_t position; /* from 0 */
    struct str slug;   /* its id in the book: "page-1" */
    struct str title;
    struct str importance; /* high, medium, low */
    struct str files;      /* JSON: paths */
    struct str related;    /* JSON: slugs */
    struct str brief;      /* what it is to say, for who writes it; empty: written already */
    struct str content;    /* Markdown */
    enum wiki_page_state state;
    struct str note;
    struct str sources; /* JSON: [{path, digest}] that it was written from */
};

/* Who looks: what they may not see is not there. */
struct wiki_viewer {
    struct user_id user; /* 0: a stranger */
    bool insider;        /* a member, or has shown the access code */
    bool moderates;      /* may also take away what is not theirs */
};

/* All its texts are in `arena` afterwards. */
void wiki_page_keep(struct arena *arena, struct wiki_page *page);

typedef void wiki_book_each(void *ctx, const struct wiki_book *book);
typedef void wiki_page_each(void *ctx, const struct wiki_page *page);

/*
 * A whole book, or one in planning without pages. Id and positions are given. A book that is over
 * has its `finished_us`. ERR_INVALID: there is no such wiki or author. ERR_CONFLICT: a slug twice.
 */
MUST_USE enum err wiki_books_add(struct db *db, const struct wiki_book *book,
                                 const struct wiki_page *pages, size_t count, uint64_t *id_out,
                                 struct why *why);
MUST_USE enum err wiki_books_load(struct db *db, struct arena *arena, uint64_t id,
                                  struct wiki_book *book_out, struct why *why);
/* In order. Nothing of a book that is not there. */
MUST_USE enum err wiki_pages_list(struct db *db, uint64_t book, wiki_page_each *each, void *ctx,
                                  struct why *why);
/* … without contents and sources, which may be long. */
MUST_USE enum err wiki_pages_list_brief(struct db *db, uint64_t book, wiki_page_each *each,
                                        void *ctx, struct why *why);
/* A book with its pages, all in `arena`. ERR_NOT_FOUND. */
struct wiki_whole_book {
    struct wiki_book book;
    struct wiki_page *pages;
    size_t count;
};
MUST_USE enum err wiki_books_load_whole(struct db *db, struct arena *arena, uint64_t id,
                                        struct wiki_whole_book *whole_out, struct why *why);
/* ERR_NOT_FOUND. */
MUST_USE enum err wiki_pages_load(struct db *db, struct arena *arena, uint64_t book,
                                  struct str slug, struct wiki_page *page_out, struct why *why);
MUST_USE enum err wiki_pages_count(struct db *db, uint64_t book, uint64_t *all_out,
                                   uint64_t *done_out, struct why *why);
/* The newest that is done. ERR_NOT_FOUND. */
MUST_USE enum err wiki_books_newest(struct db *db, struct arena *arena, const struct wiki_key *key,
                                    const struct wiki_viewer *viewer, struct wiki_book *book_out,
                                    struct why *why);

/* Lists are without description, sections and roots. */

/* All of a wiki, newest first, from before that id (0: from the newest). */
MUST_USE enum err wiki_books_of_wiki(struct db *db, uint64_t wiki, uint64_t before, uint64_t limit,
                                     wiki_book_each *each, void *ctx, struct why *why);
/* All that a member ordered or handed in, the same way. */
MUST_USE enum err wiki_books_of_author(struct db *db, struct user_id author, uint64_t before,
                                       uint64_t limit, wiki_book_each *each, void *ctx,
                                       struct why *why);
/* The newest that is done of each key, newest first. */
MUST_USE enum err wiki_projects(struct db *db, const struct wiki_viewer *viewer, uint64_t limit,
                                wiki_book_each *each, void *ctx, struct why *why);
/* The oldest first: what was under way when the server stopped. */
MUST_USE enum err wiki_books_in_state(struct db *db, enum wiki_book_state state,
                                      wiki_book_each *each, void *ctx, struct why *why);

/* ERR_NOT_FOUND. */
MUST_USE enum err wiki_books_remove(struct db *db, uint64_t id, struct why *why);
/*
 * All of that key that are over and that the viewer may take away: what has no author and belongs
 * to no wiki, what is theirs or of their wiki, and for who moderates all that they see.
 * `*kept_out`: how many they see and may not take away.
 */
MUST_USE enum err wiki_books_remove_all(struct db *db, struct arena *arena,
                                        const struct wiki_key *key,
                                        const struct wiki_viewer *viewer, uint64_t *removed_out,
                                        uint64_t *kept_out, struct why *why);

/* What was for that member alone: their account goes. */
MUST_USE enum err wiki_books_remove_private(struct db *db, struct user_id author, struct why *why);

/* What strangers handed in: how many in all, and of a key all but the newest `keep` go. */
MUST_USE enum err wiki_books_count_guests(struct db *db, uint64_t *count_out, struct why *why);
MUST_USE enum err wiki_books_trim_guests(struct db *db, struct arena *arena,
                                         const struct wiki_key *key, uint64_t keep,
                                         struct why *why);

/* --- for the job that writes one --- */

/* Title, description, sections and roots of `plan` (`id` is whose), and the pages: waiting, or done
 * already where an older version's is still right. planning → writing. */
MUST_USE enum err wiki_books_set_plan(struct db *db, const struct wiki_book *plan,
                                      const struct wiki_page *pages, size_t count, struct why *why);
MUST_USE enum err wiki_pages_set_state(struct db *db, uint64_t book, uint64_t position,
                                       enum wiki_page_state state, struct str note,
                                       struct why *why);
/* It is done. */
MUST_USE enum err wiki_pages_write(struct db *db, uint64_t book, uint64_t position,
                                   struct str content, struct str sources, struct why *why);
/* Done, failed or stopped; ERR_CONFLICT: it was over already. */
MUST_USE enum err wiki_books_end(struct db *db, uint64_t id, enum wiki_book_state state,
                                 struct str note, int64_t now_us, struct why *why);
/* Stopped or failed → where it was. ERR_CONFLICT: neither. */
MUST_USE enum err wiki_books_continue(struct db *db, uint64_t id, struct why *why);
