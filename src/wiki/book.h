/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/book.h: a wiki about a repository, as it is written: sections of pages.
 * Open data; everything in the arena of who made it. The shape is that of the
 * older clients' cache (spec 8.4).
 */
#pragma once

#include "base/arena.h"

enum { BOOK_PAGES_MAX = 40, BOOK_SECTIONS_MAX = 20 };

struct book_page {
    struct str slug, title;
    struct str importance;   /* "high", "medium" or "low" */
    struct str description;  /* what it is to say; for who writes it */
    const struct str *files; /* paths it rests on */
    size_t file_count;
    const struct str *related; /* slugs */
    size_t related_count;
    struct str content; /* Markdown; empty: not written yet */
};

struct book_section {
    struct str slug, title;
    const struct str *pages; /* slugs */
    size_t page_count;
};

struct book {
    struct str title, description;
    struct book_page pages[BOOK_PAGES_MAX];
    size_t page_count;
    struct book_section sections[BOOK_SECTIONS_MAX];
    size_t section_count;
};
