/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* wiki/book_order.h: a book that is to be written (wiki/scribe.h), from whichever door it is
 * ordered. */
#pragma once

#include "llm/llm.h"
#include "store/wiki_books.h"
#include "wiki/library.h"
#include "wiki/locale.h"

struct wiki_book_wish {
    struct str language; /* a code of `locales`; .at NULL: their standard */
    struct str model;    /* as in struct llm_request; "offline/": the outline, without a model */
    bool comprehensive;
    struct user_id author; /* 0: nobody known */
};

/*
 * The row of such a book, in planning: to be stored, then taken up. Texts are the wiki's, the
 * wish's, or as long as `llm`. ERR_INVALID names the field: no such language or model.
 * ERR_CONFLICT: the wiki has no index yet.
 */
MUST_USE enum err wiki_book_order(struct arena *arena, const struct wiki *wiki,
                                  const struct wiki_book_wish *wish, struct llm *llm,
                                  const struct wiki_locales *locales, struct wiki_book *book_out,
                                  struct why *why);

/* "SITE/MODEL", or "SITE" for its own choice, as it is asked for; empty: none wrote it. */
struct str wiki_book_model(struct arena *arena, const struct wiki_book *book);

/* A wish for `old` again: its language and extent, and its model unless another is wished for. */
void wiki_book_wish_again(struct arena *arena, const struct wiki_book *old,
                          struct wiki_book_wish *wish);
/*
 * `old` brought up to date, with its plan: `book` as it was ordered becomes one in writing, and the
 * pages of `old` keep their texts where none of their files has changed; the others wait to be
 * written. `book` and they are to be stored together, then taken up. ERR_CONFLICT: the old one is
 * not done, or one of them is without a model. Reads the index.
 */
MUST_USE enum err wiki_book_renew(struct wiki_library *library, struct wiki_whole_book *old,
                                  struct wiki_book *book, struct why *why);
