/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * bench/wiki.c: an index of a wiki, without the server around it.
 *
 *     wiki index --tree FOLDER --file FILE       index a folder, or bring the index up to date
 *     wiki plain --file FILE --into FILE         the same texts into FTS5, with its unicode61 words
 *     wiki time --file FILE [--plain FILE]   questions, how long each takes
 *     wiki find --file FILE < QUESTIONS          what is found, to be looked at
 *     wiki ask --file FILE --plain FILE [--vectors FILE] < QUESTIONS   how well they are answered
 *     wiki texts --file FILE --vectors FILE      what has no vector yet, a line of JSON each
 *     wiki vectors --file FILE --vectors FILE < LINES      {"key":…,"vector":…} of an embedder
 *
 * Each prints one line of JSON. bench/wiki_questions.mjs makes questions out of real repositories.
 */
#include "base/base.h"

#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "support/measure.h"
#include "support/options.h"
#include "support/vectors.h"
#include "support/wiki.h"
#include "wiki/find.h"

static const char help[] =
    "usage: wiki index --tree FOLDER --file FILE\n"
    "       wiki texts|vectors --file FILE --vectors FILE\n"
    "       wiki plain --file FILE --into FILE [--windows]\n"
    "       wiki time --file FILE [--plain FILE] [--questions N] [--seed N] [--dimensions N]\n"
    "       wiki find --file FILE [--questions HITS] < QUESTIONS\n"
    "       wiki ask --file FILE --plain FILE < QUESTIONS   {\"question\":…,\"files\":[…]} a "
    "line\n";

enum { QUESTION_WORDS = 8 };

struct options {
    struct str tree, file, into, plain, vectors;
    uint64_t questions, seed, dimensions;
    bool windows, each;
};

static void must(enum err err, const struct why *why)
{
    if (err) give_up("wiki", "%s", why->text);
}

static const char *path_of(struct arena *arena, struct str path, const char *option)
{
    if (path.len == 0) give_up("wiki", "--%s is missing", option);
    return arena_copy(arena, path).at;
}

/* ---- index ---- */

static int64_t cpu_ms(int who)
{
    struct rusage use;
    getrusage(who, &use);
    return (use.ru_utime.tv_sec + use.ru_stime.tv_sec) * INT64_C(1000) +
           (use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1000;
}

static void put_use(struct json_out *json, int64_t began_us)
{
    struct rusage self, children;
    getrusage(RUSAGE_SELF, &self);
    getrusage(RUSAGE_CHILDREN, &children);
    json_put_i64(json, "wall_ms", (clock_mono_us() - began_us) / 1000);
    json_put_i64(json, "cpu_ms", cpu_ms(RUSAGE_SELF));
    json_put_i64(json, "children_cpu_ms", cpu_ms(RUSAGE_CHILDREN));
    json_put_i64(json, "peak_kb", self.ru_maxrss);
    json_put_i64(json, "children_peak_kb", children.ru_maxrss);
}

static void finish(struct buf *out)
{
    printf("%.*s\n", STR_ARGS(buf_str(out)));
    buf_release(out);
}

static void run_index(const struct options *o)
{
    struct arena arena = {0};
    struct why why;
    struct wiki_filters filters = {0};
    struct wiki_tree *tree;
    struct wiki_index *index;
    struct wiki_index_state state;
    int64_t began_us = clock_mono_us();
    must(wiki_index_open(path_of(&arena, o->file, "file"), &index, &why), &why);
    must(wiki_tree_open_folder(path_of(&arena, o->tree, "tree"), NULL, &filters, &tree, &why),
         &why);
    struct wiki_update update = {.tree = tree};
    must(wiki_index_update(index, &update, &state, &why), &why);
    wiki_index_close(index);
    wiki_tree_close(tree);

    struct buf out;
    struct stat info;
    buf_init(&out, 1 << 20);
    struct json_out json = json_begin(&out);
    json_open(&json, NULL, '{');
    put_use(&json, began_us);
    json_put_u64(&json, "files", state.files);
    json_put_u64(&json, "chunks", state.chunks);
    json_put_u64(&json, "symbols", state.symbols);
    json_put_u64(&json, "lines", state.lines);
    json_put_u64(&json, "bytes", state.bytes);
    json_put_u64(&json, "changed", state.changed);
    if (stat(path_of(&arena, o->file, "file"), &info) == 0) {
        json_put_i64(&json, "file_bytes", info.st_size);
    }
    json_close(&json, '}');
    finish(&out);
    arena_release(&arena);
}

/* ---- plain FTS5 ---- */

static void run_plain(const struct options *o)
{
    struct arena arena = {0};
    struct why why;
    struct wiki_index *index;
    must(wiki_index_open_reader(path_of(&arena, o->file, "file"), &index, &why), &why);
    int64_t began_us = clock_mono_us();
    uint64_t rows = plain_build(index, path_of(&arena, o->into, "into"), o->windows);
    wiki_index_close(index);

    struct buf out;
    buf_init(&out, 1 << 20);
    struct json_out json = json_begin(&out);
    json_open(&json, NULL, '{');
    put_use(&json, began_us);
    json_put_u64(&json, "rows", rows);
    json_close(&json, '}');
    finish(&out);
    arena_release(&arena);
}

/* ---- time ---- */

struct asking {
    struct wiki_index *index;
    struct plain *plain;
    struct wiki_matrix *matrix; /* NULL: no vectors */
    struct rng rng;
    uint64_t seed;
    struct samples words, graph, hybrid, plain_us;
    uint64_t found;
};

static void ask_timed(struct asking *a, struct str text)
{
    static const unsigned signals[] = {WIKI_WORDS, WIKI_WORDS | WIKI_GRAPH, WIKI_ALL};
    struct samples *samples[] = {&a->words, &a->graph, &a->hybrid};
    for (size_t i = 0; i < (a->matrix ? 3 : 2); i++) {
        struct arena arena = {0};
        struct why why;
        struct wiki_hit *hits;
        size_t count;
        struct wiki_question question = {.text = text, .limit = 50, .signals = signals[i]};
        struct wiki_meaning meaning = {.matrix = a->matrix};
        if (i == 2) {
            size_t dimensions = wiki_matrix_dimensions(a->matrix);
            meaning.vector = drawn_question(&arena, dimensions, &a->rng, a->seed);
            question.meaning = &meaning;
        }
        int64_t began_us = clock_mono_us();
        must(wiki_find(a->index, &arena, &question, &hits, &count, &why), &why);
        samples_add(samples[i], clock_mono_us() - began_us);
        a->found += count > 0;
        arena_release(&arena);
    }
    if (!a->plain) return;
    struct arena arena = {0};
    struct str *files;
    int64_t began_us = clock_mono_us();
    plain_find(a->plain, &arena, text, 50, &files);
    samples_add(&a->plain_us, clock_mono_us() - began_us);
    arena_release(&arena);
}

static void run_time(const struct options *o)
{
    struct arena arena = {0};
    struct why why;
    struct asking asking = {0};
    must(wiki_index_open_reader(path_of(&arena, o->file, "file"), &asking.index, &why), &why);
    if (o->plain.len > 0) asking.plain = plain_open(path_of(&arena, o->plain, "plain"));
    struct wiki_index_state state;
    must(wiki_index_state(asking.index, &state, &why), &why);
    if (o->dimensions) asking.matrix = drawn_matrix(state.chunks, o->dimensions, o->seed);
    asking.seed = o->seed;
    rng_init(&asking.rng, o->seed, 0);
    struct str *questions =
        questions_of_words(asking.index, &arena, o->questions, QUESTION_WORDS, o->seed);
    for (size_t i = 0; i < o->questions; i++) ask_timed(&asking, questions[i]);

    struct buf out;
    buf_init(&out, 1 << 20);
    struct json_out json = json_begin(&out);
    json_open(&json, NULL, '{');
    json_put_u64(&json, "found", asking.found);
    json_put_u64(&json, "chunks", state.chunks);
    samples_write(&asking.words, &json, "words_us");
    samples_write(&asking.graph, &json, "words_and_graph_us");
    samples_write(&asking.hybrid, &json, "hybrid_us");
    samples_write(&asking.plain_us, &json, "plain_us");
    json_close(&json, '}');
    finish(&out);
    plain_close(asking.plain);
    wiki_matrix_release(asking.matrix);
    wiki_index_close(asking.index);
    arena_release(&arena);
}

/* ---- quality ---- */

enum { METHODS = 6, RECALL_AT = 10, HITS = 100 };

static const struct {
    const char *name;
    unsigned signals; /* 0: plain */
} methods[METHODS] = {{"plain", 0},
                      {"words", WIKI_WORDS},
                      {"graph", WIKI_GRAPH},
                      {"vectors", WIKI_VECTORS},
                      {"words_graph", WIKI_WORDS | WIKI_GRAPH},
                      {"fused", WIKI_ALL}};

struct quality {
    double recall[METHODS], reciprocal[METHODS];
    uint64_t count;
};

/* Where the wanted files come among the different files of an answer. */
static void judge(struct quality *quality, int method, const struct str *files, size_t count,
                  const struct json *wanted)
{
    size_t places = 0, found = 0, all = 0, first = 0;
    for (const struct json *w = json_first(wanted); w; w = json_after(w)) all++;
    for (size_t i = 0; i < count; i++) {
        bool again = false;
        for (size_t j = 0; j < i && !again; j++) again = str_eq(files[i], files[j]);
        if (again) continue;
        places++;
        for (const struct json *w = json_first(wanted); w; w = json_after(w)) {
            struct str path;
            if (!json_as_str(w, &path) || !str_eq(path, files[i])) continue;
            if (places <= RECALL_AT) found++;
            if (first == 0) first = places;
        }
    }
    if (all > 0) quality->recall[method] += (double)found / (double)all;
    if (first > 0) quality->reciprocal[method] += 1.0 / (double)first;
}

static size_t find_files(struct wiki_index *index, struct arena *arena, struct str text,
                         const struct wiki_meaning *meaning, unsigned signals,
                         struct str **files_out)
{
    struct why why;
    struct wiki_hit *hits;
    size_t count;
    struct wiki_question question = {
        .text = text, .limit = HITS, .signals = signals, .meaning = meaning};
    must(wiki_find(index, arena, &question, &hits, &count, &why), &why);
    *files_out = ARENA_ARRAY(arena, struct str, count + 1);
    for (size_t i = 0; i < count; i++) (*files_out)[i] = hits[i].chunk.path;
    return count;
}

static void ask_one(struct wiki_index *index, struct plain *plain, const struct wiki_matrix *matrix,
                    const struct json *line, struct quality *quality)
{
    struct arena arena = {0};
    struct wiki_meaning meaning = {.matrix = matrix};
    struct str text = {0};
    if (!json_as_str(json_get(line, "question"), &text)) give_up("wiki", "a line without question");
    if (matrix) {
        meaning.vector =
            vector_of(&arena, json_get(line, "vector"), wiki_matrix_dimensions(matrix));
        if (!meaning.vector) give_up("wiki", "a line without its vector");
    }
    for (int method = 0; method < METHODS; method++) {
        struct str *files;
        size_t count = method == 0 ? plain_find(plain, &arena, text, HITS, &files)
                                   : find_files(index, &arena, text, matrix ? &meaning : NULL,
                                                methods[method].signals, &files);
        judge(quality, method, files, count, json_get(line, "files"));
    }
    quality->count++;
    arena_release(&arena);
}

static void run_ask(const struct options *o)
{
    struct arena arena = {0};
    struct why why;
    struct quality quality = {.count = 0};
    struct wiki_index *index;
    must(wiki_index_open_reader(path_of(&arena, o->file, "file"), &index, &why), &why);
    struct plain *plain = plain_open(path_of(&arena, o->plain, "plain"));
    struct wiki_matrix *matrix = NULL;
    if (o->vectors.len) {
        matrix = vectors_matrix(path_of(&arena, o->vectors, "vectors"),
                                path_of(&arena, o->file, "file"));
    }
    char *line = NULL;
    size_t cap = 0;
    for (ssize_t len; (len = getline(&line, &cap, stdin)) > 0;) {
        struct json *tree;
        must(json_parse((struct str){line, (size_t)len}, &tree, NULL, &why), &why);
        struct quality before = quality;
        ask_one(index, plain, matrix, tree, &quality);
        if (o->each) {
            fprintf(stderr, "%.2f %.2f  %.*s", quality.reciprocal[0] - before.reciprocal[0],
                    quality.reciprocal[METHODS - 1] - before.reciprocal[METHODS - 1], (int)len,
                    line);
        }
        json_free(tree);
    }
    free(line);
    struct buf out;
    buf_init(&out, 1 << 20);
    struct json_out json = json_begin(&out);
    json_open(&json, NULL, '{');
    json_put_u64(&json, "questions", quality.count);
    for (int m = 0; m < METHODS; m++) {
        json_open_n(&json, methods[m].name, strlen(methods[m].name), '{');
        put_ratio(&json, "recall10", quality.recall[m], (double)quality.count);
        put_ratio(&json, "mrr", quality.reciprocal[m], (double)quality.count);
        json_close(&json, '}');
    }
    json_close(&json, '}');
    finish(&out);
    plain_close(plain);
    wiki_matrix_release(matrix);
    wiki_index_close(index);
    arena_release(&arena);
}

/* ---- vectors ---- */

static void run_texts(const struct options *o)
{
    struct arena arena = {0};
    vectors_wanted(path_of(&arena, o->vectors, "vectors"), path_of(&arena, o->file, "file"));
    arena_release(&arena);
}

static void run_vectors(const struct options *o)
{
    struct arena arena = {0};
    uint64_t count =
        vectors_take(path_of(&arena, o->vectors, "vectors"), path_of(&arena, o->file, "file"));
    printf("{\"vectors\":%llu}\n", (unsigned long long)count);
    arena_release(&arena);
}

/* ---- a look ---- */

static void run_find(const struct options *o)
{
    struct arena arena = {0};
    struct why why;
    struct wiki_index *index;
    must(wiki_index_open_reader(path_of(&arena, o->file, "file"), &index, &why), &why);
    char *line = NULL;
    size_t cap = 0;
    for (ssize_t len; (len = getline(&line, &cap, stdin)) > 0;) {
        struct wiki_hit *hits;
        size_t count;
        struct wiki_question question = {
            .text = {line, (size_t)len}, .limit = o->questions, .signals = WIKI_ALL};
        must(wiki_find(index, &arena, &question, &hits, &count, &why), &why);
        printf("%s", line);
        for (size_t i = 0; i < count; i++) {
            printf("  %.4f %u %.*s:%d-%d %.*s\n", hits[i].score, hits[i].signals,
                   STR_ARGS(hits[i].chunk.path), hits[i].chunk.first, hits[i].chunk.last,
                   STR_ARGS(hits[i].chunk.symbol));
        }
    }
    free(line);
    wiki_index_close(index);
    arena_release(&arena);
}

int main(int argc, char **argv)
{
    struct options o = {.questions = 200, .seed = 1};
    const struct option_row rows[] = {
        ROW_TEXT("tree", &o.tree),
        ROW_TEXT("file", &o.file),
        ROW_TEXT("into", &o.into),
        ROW_TEXT("plain", &o.plain),
        ROW_TEXT("vectors", &o.vectors),
        ROW_FLAG("windows", &o.windows),
        ROW_FLAG("each", &o.each),
        ROW_COUNT("questions", &o.questions, 1, 100000),
        ROW_COUNT("seed", &o.seed, 0, 1e15),
        ROW_COUNT("dimensions", &o.dimensions, 1, WIKI_DIMENSIONS_MAX),
    };
    const char *what = argc > 1 ? argv[1] : "--help";
    int skip = argc > 1 && argv[1][0] != '-';
    options_read("wiki", help, rows, COUNT_OF(rows), argc - skip, argv + skip);
    if (strcmp(what, "index") == 0)
        run_index(&o);
    else if (strcmp(what, "plain") == 0)
        run_plain(&o);
    else if (strcmp(what, "time") == 0)
        run_time(&o);
    else if (strcmp(what, "ask") == 0)
        run_ask(&o);
    else if (strcmp(what, "find") == 0)
        run_find(&o);
    else if (strcmp(what, "texts") == 0)
        run_texts(&o);
    else if (strcmp(what, "vectors") == 0)
        run_vectors(&o);
    else
        give_up("wiki", "index, plain, time, ask, find, texts or vectors?");
    return 0;
}
