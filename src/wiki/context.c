/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/context.c: what of a repository is put before a model.
 *
 * The older system gave twenty chunks whatever they cost, cut where 350 words
 * happened to end, without lines; and it searched for the whole text of an
 * instruction, which is about everything. Here an instruction of more than
 * LONG_BYTES is searched for what it quotes, and for the files it names.
 */
#include "wiki/context.h"

#include <stdlib.h>

#include "base/map.h"
#include "llm/tokens.h"

enum {
    CHUNKS = 30,       /* asked of the index */
    NAMED_MAX = 12,    /* files that the question names */
    NAMED_LINES = 150, /* of each of them */
    NEAR_LINES = 4,    /* runs closer than this become one */
    LONG_BYTES = 1200, /* a question longer than this is an instruction */
    SHORT_BYTES = 60,  /* … and shorter than this needs what was asked before */
    TEXT_BYTES = 4 * 1024 * 1024,
};

/* A run of lines on its way into the text. */
struct run {
    struct str path, symbol;
    int first, last;
    size_t rank; /* of its best chunk; 0 is the best */
    size_t file_rank;
};

struct runs {
    struct run *at; /* in the arena */
    size_t count, max;
};

/* --- what to look for --- */

static bool is_quote(char byte)
{
    return byte == '"' || byte == '`';
}

/* What stands in quotes or backticks, separated by blanks. In `arena`. */
static struct str quoted(struct arena *arena, struct str text)
{
    struct buf found;
    buf_init(&found, 4096);
    for (size_t at = 0; at < text.len && !found.failed; at++) {
        if (!is_quote(text.at[at])) continue;
        size_t len = str_find_byte(str_from(text, at + 1), text.at[at]);
        if (at + 1 + len >= text.len) break;
        struct str inside = str_head(str_from(text, at + 1), len);
        if (len > 1 && len <= 120 && str_find_byte(inside, '\n') == len) {
            buf_add_str(&found, inside);
            buf_add_byte(&found, ' ');
        }
        at += len + 1;
    }
    struct str kept = arena_copy(arena, buf_str(&found));
    buf_release(&found);
    return kept;
}

struct str wiki_context_search_text(struct arena *arena, const struct wiki_context_want *want)
{
    if (want->question.len > LONG_BYTES) {
        struct str names = quoted(arena, want->question);
        if (names.len > 0) return names;
    }
    if (want->question.len > SHORT_BYTES || want->earlier.len == 0) return want->question;
    return arena_printf(arena, "%.*s\n%.*s", (int)want->question.len, want->question.at,
                        (int)MIN(want->earlier.len, LONG_BYTES), want->earlier.at);
}

/* --- files that are named --- */

static bool in_path(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || strchr("_-./+@", byte) || (unsigned char)byte >= 0x80;
}

static struct str trim_path(struct str word)
{
    while (str_ends(word, STR(".")) || str_ends(word, STR("/"))) word.len--;
    while (str_starts(word, STR("./"))) word = str_from(word, 2);
    return word;
}

static void add_run(struct runs *runs, struct run run)
{
    if (runs->count < runs->max) runs->at[runs->count++] = run;
}

static enum err add_named(struct wiki_index *index, struct arena *arena, struct str question,
                          struct runs *runs, struct why *why)
{
    struct map seen = {0};
    enum err err = OK;
    size_t named = 0;
    for (size_t at = 0; at < question.len && !err && named < NAMED_MAX;) {
        size_t end = at;
        while (end < question.len && question.at[end] && in_path(question.at[end])) end++;
        struct str word = trim_path(str_head(str_from(question, at), end - at));
        at = MAX(end, at + 1);
        bool likely = word.len >= 3 && word.len < 1000 &&
                      (str_find_byte(word, '.') < word.len || str_find_byte(word, '/') < word.len);
        if (!likely || map_find(&seen, word)) continue;
        map_add(&seen, word, &seen);
        struct str text;
        int lines = 0;
        err = wiki_index_read(index, arena, word, 1, NAMED_LINES, &text, &lines, why);
        if (!err && lines > 0) {
            add_run(runs,
                    (struct run){
                        .path = word, .first = 1, .last = MIN(lines, NAMED_LINES), .rank = named});
            named++;
        }
        if (err == ERR_NOT_FOUND) err = OK;
    }
    map_release(&seen);
    return err;
}

/* --- runs --- */

static int by_place(const void *left, const void *right)
{
    const struct run *a = left, *b = right;
    size_t len = MIN(a->path.len, b->path.len);
    int order = len ? memcmp(a->path.at, b->path.at, len) : 0;
    if (order == 0) order = (a->path.len > b->path.len) - (a->path.len < b->path.len);
    return order ? order : (a->first > b->first) - (a->first < b->first);
}

static int by_rank(const void *left, const void *right)
{
    const struct run *a = left, *b = right;
    if (a->file_rank != b->file_rank) return a->file_rank < b->file_rank ? -1 : 1;
    return (a->first > b->first) - (a->first < b->first);
}

static void merge_near(struct runs *runs)
{
    size_t kept = 0;
    qsort(runs->at, runs->count, sizeof(struct run), by_place);
    for (size_t i = 0; i < runs->count; i++) {
        struct run *last = kept ? &runs->at[kept - 1] : NULL;
        const struct run *next = &runs->at[i];
        if (last && str_eq(last->path, next->path) && next->first <= last->last + NEAR_LINES) {
            if (last->symbol.len == 0) last->symbol = next->symbol;
            last->last = MAX(last->last, next->last);
            last->rank = MIN(last->rank, next->rank);
        } else {
            runs->at[kept++] = *next;
        }
    }
    runs->count = kept;
    /* A file stands where its best run would. */
    for (size_t from = 0, to; from < kept; from = to) {
        size_t best = runs->at[from].rank;
        for (to = from; to < kept && str_eq(runs->at[to].path, runs->at[from].path); to++) {
            best = MIN(best, runs->at[to].rank);
        }
        for (size_t i = from; i < to; i++) runs->at[i].file_rank = best;
    }
    qsort(runs->at, runs->count, sizeof(struct run), by_rank);
}

/* --- text --- */

static void put_numbered(struct buf *to, struct str text, int first)
{
    struct str line;
    for (int number = first; str_split(&text, '\n', &line); number++) {
        buf_printf(to, "%d| ", number);
        buf_add_str(to, line);
        buf_add_byte(to, '\n');
    }
}

static enum err put_run(struct wiki_index *index, struct arena *arena, const struct run *run,
                        struct buf *to, struct why *why)
{
    struct str text;
    int lines;
    enum err err =
        wiki_index_read(index, arena, run->path, run->first, run->last, &text, &lines, why);
    if (err) return err == ERR_NOT_FOUND ? OK : err; /* it went meanwhile */
    buf_printf(to, "[%.*s:%d-%d]", (int)run->path.len, run->path.at, run->first, run->last);
    if (run->symbol.len) buf_printf(to, " %.*s", (int)run->symbol.len, run->symbol.at);
    buf_add_byte(to, '\n');
    put_numbered(to, text, run->first);
    buf_add_byte(to, '\n');
    return OK;
}

/* As many runs as there is room for, the best files first. */
static enum err write_runs(struct wiki_index *index, struct arena *arena, const struct runs *runs,
                           size_t tokens_max, struct wiki_context *context, struct why *why)
{
    struct buf all, one;
    enum err err = OK;
    buf_init(&all, TEXT_BYTES);
    buf_init(&one, TEXT_BYTES);
    for (size_t i = 0; i < runs->count && !err; i++) {
        const struct run *run = &runs->at[i];
        buf_reset(&one, TEXT_BYTES);
        err = put_run(index, arena, run, &one, why);
        size_t tokens = (size_t)tokens_estimate(buf_str(&one));
        if (one.len == 0) continue;
        if (one.failed || context->tokens + tokens > tokens_max) continue; /* a shorter may fit */
        buf_add_str(&all, buf_str(&one));
        context->tokens += tokens;
        context->ends[context->source_count] = all.len;
        context->sources[context->source_count++] = (struct wiki_source){
            .path = run->path, .first = run->first, .last = run->last, .symbol = run->symbol};
    }
    context->text = arena_copy(arena, buf_str(&all));
    buf_release(&all);
    buf_release(&one);
    return err;
}

static enum err read_file(struct wiki_index *index, struct arena *arena, struct str path,
                          size_t tokens_max, struct wiki_context *context, struct why *why)
{
    struct str text;
    int lines;
    enum err err = wiki_index_read(index, arena, path, 1, 0, &text, &lines, why);
    if (err == ERR_NOT_FOUND) return OK;
    if (err) return err;
    struct buf numbered;
    buf_init(&numbered, TEXT_BYTES);
    put_numbered(&numbered, text, 1);
    size_t tokens = (size_t)tokens_estimate(buf_str(&numbered));
    if (!numbered.failed && tokens <= tokens_max) {
        context->file_text = arena_copy(arena, buf_str(&numbered));
        context->tokens += tokens;
        context->ends[context->source_count] = 0;
        context->sources[context->source_count++] =
            (struct wiki_source){.path = path, .first = 1, .last = lines};
    }
    buf_release(&numbered);
    return OK;
}

enum err wiki_context_gather(struct wiki_index *index, struct arena *arena,
                             const struct wiki_context_want *want, struct wiki_context *context_out,
                             struct why *why)
{
    struct runs runs = {.max = CHUNKS + NAMED_MAX};
    struct wiki_hit *hits = NULL;
    size_t count = 0;
    *context_out = (struct wiki_context){0};
    runs.at = ARENA_ARRAY(arena, struct run, runs.max);
    context_out->sources = ARENA_ARRAY(arena, struct wiki_source, runs.max + 1);
    context_out->ends = ARENA_ARRAY(arena, size_t, runs.max + 1);
    enum err err = add_named(index, arena, want->question, &runs, why);
    if (!err && want->file.len) {
        err = read_file(index, arena, want->file, want->tokens_max / 2, context_out, why);
    }
    struct wiki_question question = {.text = wiki_context_search_text(arena, want),
                                     .limit = CHUNKS,
                                     .signals = WIKI_ALL,
                                     .meaning = want->meaning};
    if (!err) err = wiki_find(index, arena, &question, &hits, &count, why);
    if (err) return err;
    for (size_t i = 0, before = runs.count; i < count; i++) {
        const struct wiki_chunk *chunk = &hits[i].chunk;
        add_run(&runs, (struct run){.path = chunk->path,
                                    .symbol = chunk->symbol,
                                    .first = chunk->first,
                                    .last = chunk->last,
                                    .rank = before + i});
    }
    merge_near(&runs);
    return write_runs(index, arena, &runs, want->tokens_max, context_out, why);
}

struct wiki_context wiki_context_shorter(const struct wiki_context *context, size_t tokens_max)
{
    struct wiki_context shorter = *context;
    size_t file = context->file_text.len > 0, end = 0;
    size_t tokens = file ? (size_t)tokens_estimate(context->file_text) : 0;
    if (file && tokens > tokens_max / 2) {
        shorter.file_text = STR("");
        shorter.sources++;
        shorter.ends++;
        file = tokens = 0;
    }
    size_t all = context->source_count - (size_t)(shorter.sources - context->sources);
    for (shorter.source_count = file; shorter.source_count < all; shorter.source_count++) {
        size_t next = shorter.ends[shorter.source_count];
        struct str run = str_head(str_from(context->text, end), next - end);
        size_t cost = (size_t)tokens_estimate(run);
        if (tokens + cost > tokens_max) break;
        tokens += cost;
        end = next;
    }
    shorter.text = str_head(context->text, end);
    shorter.tokens = tokens;
    return shorter;
}
