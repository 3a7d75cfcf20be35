/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* wiki/outline_internal.h: between gathering what an outline says and writing it down. */
#pragma once

#include "base/buf.h"
#include "wiki/glob.h"
#include "wiki/outline.h"

enum { OUTLINE_MODULES = 24 };

/* A folder that is taken for a part of the whole. */
struct module {
    struct str path; /* "src/http"; empty: files at the top */
    size_t files;
    uint64_t lines;
    struct str language; /* of most of its lines */
    struct str readme;   /* path; empty: none */
};

struct outline_facts {
    const struct wiki_outline *wanted;
    struct wiki_index *index;
    struct arena *arena;
    struct wiki_index_file *files;
    size_t file_count;
    struct wiki_edge *edges;
    size_t edge_count;
    struct wiki_symbol *symbols; /* mentioned most, first */
    size_t symbol_count;
    struct module modules[OUTLINE_MODULES];
    size_t module_count;
    struct str readme; /* path; empty: none */
};

/* The module a path belongs to; NULL: a small one. */
const struct module *outline_module_of(const struct outline_facts *facts, struct str path);
/* One of two sentences, by the language that is wanted; a macro, so that compilers see formats. */
#define OUTLINE_SAY(about, english, other) ((about)->wanted->chinese ? (other) : (english))

/* Pages; each appends its Markdown. */
enum err outline_overview(const struct outline_facts *facts, struct buf *to, struct why *why);
void outline_layout(const struct outline_facts *facts, struct buf *to);
void outline_connections(const struct outline_facts *facts, struct buf *to);
void outline_entries(const struct outline_facts *facts, struct buf *to);
void outline_symbols(const struct outline_facts *facts, struct buf *to);
enum err outline_module(const struct outline_facts *facts, const struct module *module,
                        struct buf *to, struct why *why);
