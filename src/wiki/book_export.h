/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/book_export.h: a written wiki as one file to take along.
 *
 *     markdown   all pages, with a table of contents
 *     html       a page for browsers that needs nothing else: contents, all pages, light and dark,
 *                to be read and printed
 *     slides     the same cut at its headings, a screen each, a sheet each when printed
 *     json       the form of the older clients' cache (wiki/old_cache.h)
 *
 * What pages say comes from models and strangers: in html and slides their HTML
 * is text, links lead to the web or within the file alone, and the file forbids
 * itself scripts and everything from elsewhere. Diagrams stand as their text.
 * Markdown is read by md4c, which is behind this and nowhere else.
 *
 * A `url` that is empty is not told (folders of the server). Citations [path:first-last] lead to
 * the repository's own pages where its host has some. Pure; any thread.
 */
#pragma once

#include "base/buf.h"
#include "store/wiki_books.h"

enum wiki_book_format {
    WIKI_BOOK_AS_MARKDOWN,
    WIKI_BOOK_AS_HTML,
    WIKI_BOOK_AS_SLIDES,
    WIKI_BOOK_AS_JSON,
    WIKI_BOOK_FORMATS
};

/* Of "markdown", "html" … */
bool wiki_book_format_of(struct str word, enum wiki_book_format *format_out);
const char *wiki_book_format_type(enum wiki_book_format format);   /* "text/html; charset=utf-8" */
const char *wiki_book_format_ending(enum wiki_book_format format); /* ".html" */

/* One page as Markdown, for a folder of them. Appended. */
void wiki_book_export_page(struct buf *to, const struct wiki_book *book, struct str content);

/* Appended; pages that have no text yet are named in the contents alone. ERR_LIMIT: `to` was too
 * small for it. */
MUST_USE enum err wiki_book_export(struct buf *to, enum wiki_book_format format,
                                   const struct wiki_whole_book *whole, struct why *why);
