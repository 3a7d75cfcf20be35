/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/postings.h: in which chunks a word stands, and how.
 *
 * A posting is a chunk's number, how often the word is in its text, and where
 * else. Postings of a word are in order of chunks, each written as the distance
 * from the one before and a byte: some two bytes. A block of them can stand
 * alone, and can be put behind another.
 *
 * `struct wiki_terms` collects postings of many words in memory. Pure.
 */
#pragma once

#include "base/str.h"

enum wiki_where {
    WIKI_IN_LABEL = 1 << 4, /* the name of the symbol, or the headings */
    WIKI_IN_PATH = 1 << 5,
    WIKI_AS_WHOLE = 1 << 6 /* at least once as it is written, not as a part or stem */
};
enum { WIKI_TIMES_MAX = 15 };

struct wiki_posting {
    uint32_t chunk;
    uint32_t times; /* in the text, at most WIKI_TIMES_MAX */
    uint32_t where; /* of enum wiki_where */
};

/* Postings as bytes; `first` is the chunk of the first one, whose distance is written as 0. */
struct wiki_block {
    uint32_t first, last, count;
    struct str bytes;
};

/* Reads a block: *chunk begins with its `first`. False at the end, and at bytes that are none of
 * ours. */
bool wiki_posting_next(struct str *rest, uint32_t *chunk, struct wiki_posting *posting_out);

struct wiki_terms;

struct wiki_terms *wiki_terms_new(void);
void wiki_terms_free(struct wiki_terms *terms); /* NULL is fine */
void wiki_terms_reset(struct wiki_terms *terms);
size_t wiki_terms_bytes(const struct wiki_terms *terms); /* of memory, about */

/* Chunks come in growing order. `where` 0: in the text. */
void wiki_terms_add(struct wiki_terms *terms, struct str word, uint32_t chunk, uint32_t where);

struct wiki_term {
    struct str word;
    struct wiki_block block;
};

/* All words in order of bytes, good until the next add. `terms_out` to mem_free(). */
size_t wiki_terms_sorted(const struct wiki_terms *terms, struct wiki_term **terms_out);

/* Writes blocks of bounded size; postings come in growing order. */
enum { WIKI_BLOCK_BYTES = 1800 };

struct wiki_block_out {
    char bytes[WIKI_BLOCK_BYTES + 16];
    size_t len;
    uint32_t first, last, count;
};

static inline bool wiki_block_is_full(const struct wiki_block_out *out)
{
    return out->len + 6 > WIKI_BLOCK_BYTES;
}

/* There must be room. */
void wiki_block_add(struct wiki_block_out *out, struct wiki_posting posting);
