/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "wiki/postings.h"

#include "base/arena.h"
#include "base/map.h"
#include "base/mem.h"

enum { TABLE_MIN = 1 << 12, INLINE_BYTES = 12, VARINT_BYTES = 5 };

static size_t put_varint(char *to, uint32_t value)
{
    size_t len = 0;
    while (value >= 0x80) {
        to[len++] = (char)(value | 0x80);
        value >>= 7;
    }
    to[len++] = (char)value;
    return len;
}

bool wiki_posting_next(struct str *rest, uint32_t *chunk, struct wiki_posting *posting_out)
{
    uint32_t distance = 0;
    size_t at = 0;
    for (int shift = 0;; shift += 7) {
        if (at >= rest->len || shift > 28) return false;
        unsigned char byte = (unsigned char)rest->at[at++];
        distance |= (uint32_t)(byte & 0x7F) << shift;
        if (!(byte & 0x80)) break;
    }
    if (at >= rest->len) return false;
    uint32_t how = (unsigned char)rest->at[at++];
    if (distance > UINT32_MAX - *chunk) return false;
    *chunk += distance;
    *posting_out = (struct wiki_posting){*chunk, how & 0xF, how & 0xF0};
    *rest = (struct str){rest->at + at, rest->len - at};
    return true;
}

void wiki_block_add(struct wiki_block_out *out, struct wiki_posting posting)
{
    ASSERT(out->len + VARINT_BYTES + 1 <= sizeof(out->bytes));
    if (out->len == 0) out->first = out->last = posting.chunk;
    ASSERT(posting.chunk >= out->last);
    out->len += put_varint(out->bytes + out->len, posting.chunk - out->last);
    out->bytes[out->len++] = (char)(posting.times | posting.where);
    out->last = posting.chunk;
    out->count++;
}

/* ---- many words ---- */

struct term {
    uint64_t hash;
    const char *word;
    uint32_t word_len;
    uint32_t len, cap; /* of the bytes */
    uint32_t first, last, count;
    char *bytes; /* in the arena */
};

struct wiki_terms {
    struct arena arena; /* words and postings */
    size_t arena_bytes;
    uint32_t *slots; /* owned; places in `terms` from 1, 0: free */
    size_t slot_count;
    struct term *terms; /* owned */
    size_t count, cap;
};

struct wiki_terms *wiki_terms_new(void)
{
    struct wiki_terms *terms = NEW(struct wiki_terms);
    terms->slot_count = TABLE_MIN;
    terms->slots = mem_alloc(terms->slot_count * sizeof(*terms->slots));
    return terms;
}

void wiki_terms_free(struct wiki_terms *terms)
{
    if (!terms) return;
    arena_release(&terms->arena);
    mem_free(terms->slots);
    mem_free(terms->terms);
    mem_free(terms);
}

void wiki_terms_reset(struct wiki_terms *terms)
{
    arena_reset(&terms->arena);
    terms->arena_bytes = 0;
    terms->count = 0;
    memset(terms->slots, 0, terms->slot_count * sizeof(*terms->slots));
}

size_t wiki_terms_bytes(const struct wiki_terms *terms)
{
    return terms->arena_bytes + terms->cap * sizeof(struct term) +
           terms->slot_count * sizeof(*terms->slots);
}

static char *keep(struct wiki_terms *terms, size_t bytes)
{
    terms->arena_bytes += bytes;
    return arena_alloc(&terms->arena, bytes);
}

static void grow_table(struct wiki_terms *terms)
{
    size_t count = 2 * terms->slot_count;
    uint32_t *slots = mem_alloc(count * sizeof(*slots));
    for (size_t i = 0; i < terms->count; i++) {
        size_t at = terms->terms[i].hash & (count - 1);
        while (slots[at]) at = (at + 1) & (count - 1);
        slots[at] = (uint32_t)i + 1;
    }
    mem_free(terms->slots);
    terms->slots = slots;
    terms->slot_count = count;
}

static struct term *add_term(struct wiki_terms *terms, size_t slot, struct str word, uint64_t hash)
{
    if (terms->count == terms->cap) {
        terms->cap = terms->cap ? 2 * terms->cap : TABLE_MIN / 2;
        terms->terms = mem_resize(terms->terms, terms->cap * sizeof(*terms->terms));
    }
    struct term *term = &terms->terms[terms->count++];
    char *copy = keep(terms, word.len);
    memcpy(copy, word.at, word.len);
    *term = (struct term){.hash = hash, .word = copy, .word_len = (uint32_t)word.len};
    terms->slots[slot] = (uint32_t)terms->count;
    if (2 * terms->count > terms->slot_count) grow_table(terms);
    return term;
}

static struct term *find_or_add(struct wiki_terms *terms, struct str word)
{
    uint64_t hash = map_hash(word);
    size_t at = hash & (terms->slot_count - 1);
    for (; terms->slots[at]; at = (at + 1) & (terms->slot_count - 1)) {
        struct term *term = &terms->terms[terms->slots[at] - 1];
        if (term->hash == hash && term->word_len == word.len &&
            memcmp(term->word, word.at, word.len) == 0) {
            return term;
        }
    }
    return add_term(terms, at, word, hash);
}

/* The byte of a posting with one more place. */
static char with_place(char how, uint32_t where)
{
    uint32_t now = (unsigned char)how;
    if ((where & (WIKI_IN_LABEL | WIKI_IN_PATH)) == 0 && (now & 0xF) < WIKI_TIMES_MAX) now++;
    return (char)(now | where);
}

void wiki_terms_add(struct wiki_terms *terms, struct str word, uint32_t chunk, uint32_t where)
{
    struct term *term = find_or_add(terms, word);
    if (term->count > 0 && term->last == chunk) {
        term->bytes[term->len - 1] = with_place(term->bytes[term->len - 1], where);
        return;
    }
    ASSERT(term->count == 0 || chunk > term->last);
    if (term->len + VARINT_BYTES + 1 > term->cap) {
        uint32_t cap = term->cap ? 2 * term->cap : INLINE_BYTES;
        char *more = keep(terms, cap);
        if (term->len > 0) memcpy(more, term->bytes, term->len);
        term->bytes = more;
        term->cap = cap;
    }
    if (term->count == 0) term->first = term->last = chunk;
    term->len += (uint32_t)put_varint(term->bytes + term->len, chunk - term->last);
    term->bytes[term->len++] = with_place(0, where);
    term->last = chunk;
    term->count++;
}

static int compare_terms(const void *a, const void *b)
{
    const struct wiki_term *one = a, *two = b;
    int order = memcmp(one->word.at, two->word.at, MIN(one->word.len, two->word.len));
    if (order != 0) return order;
    return one->word.len < two->word.len ? -1 : one->word.len > two->word.len;
}

size_t wiki_terms_sorted(const struct wiki_terms *terms, struct wiki_term **terms_out)
{
    *terms_out = mem_alloc_raw((terms->count + 1) * sizeof(**terms_out));
    for (size_t i = 0; i < terms->count; i++) {
        const struct term *term = &terms->terms[i];
        (*terms_out)[i] =
            (struct wiki_term){{term->word, term->word_len},
                               {term->first, term->last, term->count, {term->bytes, term->len}}};
    }
    qsort(*terms_out, terms->count, sizeof(**terms_out), compare_terms);
    return terms->count;
}
