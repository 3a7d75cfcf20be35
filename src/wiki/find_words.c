/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/find_words.c: chunks by the words of a question: BM25 with fields.
 *
 * Robertson, Zaragoza: The Probabilistic Relevance Framework: BM25 and Beyond,
 * 2009; a word in a symbol's name or in a path counts like several in the text,
 * before the curve that lets each further one count less. Files are judged as a
 * whole in the same way, and each chunk gets a share of that: words that stand
 * together in a file, but in different chunks of it, say something, too. All
 * chunks that have a word of the question are scored, exactly: what is read is a
 * few kilobytes for each word, and adding is what processors do best.
 */
#include "wiki/find_internal.h"

#include <math.h>

#include "base/mem.h"

static const double k1 = 1.2, b = 0.6;
static const double label_counts = 3.0, path_counts = 2.0;
/* Of files as a whole, and how much of their points each chunk of them gets. */
static const double file_k1 = 1.2, file_b = 0.6, file_share = 0.5;
static const double file_label_counts = 1.0, file_path_counts = 2.0;

double wiki_rarity(const struct wiki_index *index, uint64_t chunks)
{
    double all = (double)index->chunks_alive, n = (double)MIN(chunks, index->chunks_alive);
    return log(1.0 + (all - n + 0.5) / (n + 0.5));
}

enum err wiki_word_count(struct wiki_index *index, struct str word, uint64_t *count_out,
                         struct why *why)
{
    sqlite3_stmt *stmt = NULL;
    bool row;
    *count_out = 0;
    enum err err = db_prepare(index, WIKI_WORD_COUNT, &stmt, why);
    if (err) return err;
    db_bind(stmt, 1, word);
    err = db_row(index, stmt, &row, why);
    if (err || !row) return err;
    *count_out = (uint64_t)sqlite3_column_int64(stmt, 0);
    sqlite3_reset(stmt);
    return OK;
}

enum err wiki_postings_each(struct wiki_index *index, struct str word, wiki_posting_fn *fn,
                            void *ctx, struct why *why)
{
    sqlite3_stmt *stmt = NULL;
    enum err err = db_prepare(index, WIKI_WORD_GET, &stmt, why);
    if (err) return err;
    db_bind(stmt, 1, word);
    for (bool row = true; !err && row;) {
        err = db_row(index, stmt, &row, why);
        if (err || !row) break;
        uint32_t chunk = (uint32_t)sqlite3_column_int64(stmt, 0);
        struct str bytes = db_blob(stmt, 2);
        struct wiki_posting posting;
        while (wiki_posting_next(&bytes, &chunk, &posting)) fn(ctx, posting);
    }
    return err;
}

/* ---- the question ---- */

struct asking {
    struct arena *arena;
    struct wiki_asked *asked;
    bool named; /* the word before was an identifier, whose parts these are */
};

static void ask_word(void *ctx, struct str word, enum wiki_word kind)
{
    struct asking *a = ctx;
    struct wiki_asked *asked = a->asked;
    for (size_t i = 0; i < asked->count; i++) {
        if (!str_eq(asked->words[i].word, word)) continue;
        if (kind == WIKI_WORD_WHOLE) asked->words[i].kind = kind;
        return;
    }
    if (asked->count == WIKI_ASKED_MAX) return;
    double weight = kind == WIKI_WORD_WHOLE ? 1.0 : kind & WIKI_WORD_STEM ? 0.7 : 0.6;
    if (wiki_word_is_idle(word)) weight = 0.0;
    asked->words[asked->count++] = (struct wiki_asked_word){
        .word = arena_copy(a->arena, word), .kind = kind, .weight = weight};
    /* Parts come right behind the identifier that they are of. */
    if ((kind & WIKI_WORD_PART) && asked->count > 1) {
        size_t of = asked->count - 1;
        while (of > 0 && (asked->words[of].kind & (WIKI_WORD_PART | WIKI_WORD_STEM))) of--;
        asked->words[of].named = true;
    }
}

enum err wiki_ask(struct wiki_index *index, struct arena *arena, struct str text,
                  struct wiki_asked *asked, struct why *why)
{
    struct asking asking = {arena, asked, false};
    wiki_words(text, ask_word, &asking);
    for (int kind = 0; kind < WIKI_FILE_KINDS; kind++) {
        asked->kind_weights[kind] = wiki_file_kind_weight((enum wiki_file_kind)kind);
    }
    double sum = 0;
    for (size_t i = 0; i < asked->count; i++) sum += asked->words[i].weight;
    for (size_t i = 0; i < asked->count; i++) {
        struct wiki_asked_word *word = &asked->words[i];
        if (sum == 0) word->weight = 1.0; /* "who are you?" */
        for (int kind = 0; kind < WIKI_FILE_KINDS; kind++) {
            if (wiki_file_kind_is_asked((enum wiki_file_kind)kind, word->word)) {
                asked->kind_weights[kind] = 1.0;
            }
        }
        enum err err = wiki_word_count(index, word->word, &word->chunks, why);
        if (err) return err;
        word->rarity = wiki_rarity(index, word->chunks);
    }
    return OK;
}

enum err wiki_scope_load(struct wiki_index *index, struct arena *arena, struct str path,
                         struct wiki_asked *asked, struct why *why)
{
    if (path.len == 0) return OK;
    uint8_t *scope = arena_alloc(arena, index->length_count + 1);
    bool folder = path.at[path.len - 1] == '/';
    struct str from = folder ? path : arena_printf(arena, "%.*s/", STR_ARGS(path));
    struct str to = arena_printf(arena, "%.*s0", (int)from.len - 1, from.at); /* '0' is '/' + 1 */
    for (int whole = 0; whole < 2; whole++) { /* what is below it, then the file itself */
        sqlite3_stmt *stmt = NULL;
        enum err err = db_prepare(index, WIKI_FILES_BELOW, &stmt, why);
        if (err) return err;
        struct str behind = arena_printf(arena, "%.*s%c", STR_ARGS(path), 1);
        db_bind(stmt, 1, whole ? path : from);
        db_bind(stmt, 2, whole ? behind : to);
        for (bool row = true; row;) {
            err = db_row(index, stmt, &row, why);
            if (err) return err;
            if (!row) break;
            int64_t first = sqlite3_column_int64(stmt, 0), count = sqlite3_column_int64(stmt, 1);
            for (int64_t i = MAX(first, 0); i < first + count; i++) {
                if ((size_t)i < index->length_count) scope[i] = 1;
            }
        }
    }
    asked->scope = scope;
    return OK;
}

/* ---- scores ---- */

struct scoring {
    struct wiki_index *index;
    const struct wiki_asked *asked;
    double worth;       /* of the word at hand */
    double length_part; /* b / average length */
    uint32_t *touched;  /* owned */
    size_t touched_count, touched_cap;
    float *files; /* owned; the score of each file as a whole */
    double file_length_part;
    uint32_t file; /* whose postings of the word at hand come just now */
    double file_times;
};

/* Chunks of a file follow each other, so its postings of a word do too. */
static void finish_file(struct scoring *s)
{
    if (s->file_times == 0) return;
    double times =
        s->file_times / (1.0 - file_b + s->file_length_part * s->index->files[s->file].words);
    s->files[s->file] += (float)(s->worth * times * (file_k1 + 1.0) / (file_k1 + times));
    s->file_times = 0;
}

static void count_in_file(struct scoring *s, struct wiki_posting posting)
{
    uint32_t file = s->index->file_of[posting.chunk];
    if (file != s->file) finish_file(s);
    if (s->file_times == 0 && (posting.where & WIKI_IN_PATH)) s->file_times = file_path_counts;
    s->file = file;
    s->file_times += posting.times + (posting.where & WIKI_IN_LABEL ? file_label_counts : 0.0);
}

static void score(void *ctx, struct wiki_posting posting)
{
    struct scoring *s = ctx;
    if (posting.chunk >= s->index->score_count) return;
    uint16_t length = s->index->lengths[posting.chunk];
    if (length == 0 || (s->asked->scope && !s->asked->scope[posting.chunk])) return;
    count_in_file(s, posting);
    double times = posting.times / (1.0 - b + s->length_part * length);
    if (posting.where & WIKI_IN_LABEL) times += label_counts;
    if (posting.where & WIKI_IN_PATH) times += path_counts;
    float *score = &s->index->scores[posting.chunk];
    if (*score == 0.0f) {
        if (s->touched_count == s->touched_cap) {
            s->touched_cap = s->touched_cap ? 2 * s->touched_cap : 4096;
            s->touched = mem_resize(s->touched, s->touched_cap * sizeof(*s->touched));
        }
        s->touched[s->touched_count++] = posting.chunk;
    }
    *score += (float)(s->worth * times * (k1 + 1.0) / (k1 + times));
}

static double score_with_file(const struct scoring *s, uint32_t chunk)
{
    uint32_t file = s->index->file_of[chunk];
    double score = s->index->scores[chunk] + file_share * s->files[file];
    return score * s->asked->kind_weights[s->index->files[file].kind];
}

/* The `max` best of what was touched, and zero for all. A heap whose root is the worst kept. */
static void sift(struct wiki_ranked *heap, size_t count, size_t at)
{
    for (;;) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < count; child++) {
            bool less =
                heap[child].score < heap[least].score ||
                (heap[child].score == heap[least].score && heap[child].chunk > heap[least].chunk);
            if (less) least = child;
        }
        if (least == at) return;
        struct wiki_ranked swap = heap[at];
        heap[at] = heap[least];
        heap[least] = swap;
        at = least;
    }
}

static void take_best(struct scoring *s, struct arena *arena, size_t max, struct wiki_order *order)
{
    size_t count = 0;
    struct wiki_ranked *heap = ARENA_ARRAY(arena, struct wiki_ranked, max + 1);
    for (size_t i = 0; i < s->touched_count; i++) {
        uint32_t chunk = s->touched[i];
        struct wiki_ranked here = {chunk, 0, score_with_file(s, chunk)};
        s->index->scores[chunk] = 0.0f;
        if (count < max) {
            heap[count++] = here;
            if (count == max) {
                for (size_t at = max / 2 + 1; at > 0; at--) sift(heap, count, at - 1);
            }
        } else if (here.score > heap[0].score) {
            heap[0] = here;
            sift(heap, count, 0);
        }
    }
    *order = (struct wiki_order){heap, count, max};
    wiki_order_sort(order, max);
}

enum err wiki_find_words(struct wiki_index *index, struct arena *arena,
                         const struct wiki_asked *asked, size_t max, struct wiki_order *order_out,
                         struct why *why)
{
    struct scoring scoring = {.index = index, .asked = asked};
    double average =
        (double)MAX(index->words_all, (uint64_t)1) / (double)MAX(index->chunks_alive, (uint64_t)1);
    scoring.length_part = b / average;
    enum err err = files_load(index, why);
    if (err) return err;
    scoring.files = mem_alloc((index->file_count + 1) * sizeof(*scoring.files));
    scoring.file_length_part = file_b * (double)MAX(index->file_count, (size_t)1) /
                               (double)MAX(index->words_all, (uint64_t)1);
    for (size_t i = 0; i < asked->count && !err; i++) {
        const struct wiki_asked_word *word = &asked->words[i];
        if (word->weight == 0.0 || word->chunks == 0) continue;
        scoring.worth = word->weight * word->rarity;
        err = wiki_postings_each(index, word->word, score, &scoring, why);
        finish_file(&scoring);
    }
    take_best(&scoring, arena, max, order_out); /* after a failure too: scores go back to zero */
    if (err) order_out->count = 0;
    mem_free(scoring.touched);
    mem_free(scoring.files);
    return err;
}
