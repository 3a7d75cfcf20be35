/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "vectors.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "measure.h"
#include "wiki/vectors.h"

enum { TOPICS = 1000, BATCH = 256 };
static const char embedder[] = "bench/any";

static void must(enum err err, const struct why *why)
{
    if (err) give_up("wiki", "%s", why->text);
}

/* ---- drawn ---- */

static float draw(struct rng *rng)
{
    return (float)rng_below(rng, 20001) / 10000.0F - 1.0F;
}

/* Numbers around those of a topic, which are the same for the same seed. */
static void draw_near(float *values, size_t dimensions, uint32_t topic, struct rng *rng,
                      uint64_t seed)
{
    struct rng own;
    rng_init(&own, seed, topic + 1);
    for (size_t i = 0; i < dimensions; i++) values[i] = draw(&own) + 0.7F * draw(rng);
}

struct wiki_matrix *drawn_matrix(size_t count, size_t dimensions, uint64_t seed)
{
    struct wiki_matrix *matrix = wiki_matrix_new(dimensions);
    float values[WIKI_DIMENSIONS_MAX];
    int8_t packed[WIKI_DIMENSIONS_MAX];
    struct rng rng;
    rng_init(&rng, seed, 0);
    for (size_t i = 0; i < count; i++) {
        draw_near(values, dimensions, rng_below(&rng, TOPICS), &rng, seed);
        wiki_vector_pack(values, dimensions, packed);
        wiki_matrix_add(matrix, (uint32_t)i + 1, packed);
    }
    return matrix;
}

float *drawn_question(struct arena *arena, size_t dimensions, struct rng *rng, uint64_t seed)
{
    float *values = ARENA_ARRAY(arena, float, dimensions);
    draw_near(values, dimensions, rng_below(rng, TOPICS), rng, seed);
    return values;
}

/* ---- of an embedder ---- */

void vectors_wanted(const char *vectors, const char *file)
{
    struct why why;
    struct wiki_vectors *open;
    uint32_t chunk_at = 0;
    must(wiki_vectors_open(vectors, file, str_of(embedder), &open, &why), &why);
    for (size_t count = 1; count > 0;) {
        struct arena arena = {0};
        struct wiki_unseen *unseen;
        must(wiki_vectors_unseen(open, &arena, &chunk_at, BATCH, SIZE_MAX, &unseen, &count, &why),
             &why);
        for (size_t i = 0; i < count; i++) {
            char key[2 * WIKI_VECTOR_KEY + 1];
            struct buf line;
            hex_write(key, unseen[i].key, WIKI_VECTOR_KEY);
            buf_init(&line, 1 << 20);
            struct json_out out = json_begin(&line);
            json_open(&out, NULL, '{');
            json_put_str(&out, "key", str_of(key));
            json_put_str(&out, "text", unseen[i].text);
            json_close(&out, '}');
            printf("%.*s\n", STR_ARGS(buf_str(&line)));
            buf_release(&line);
        }
        arena_release(&arena);
    }
    wiki_vectors_close(open);
}

float *vector_of(struct arena *arena, const struct json *list, size_t dimensions)
{
    size_t count = 0;
    for (const struct json *at = json_first(list); at; at = json_after(at)) count++;
    if (count == 0 || (dimensions && count != dimensions)) return NULL;
    float *values = ARENA_ARRAY(arena, float, count);
    size_t i = 0;
    for (const struct json *at = json_first(list); at; at = json_after(at)) {
        double value;
        if (!json_as_double(at, &value)) return NULL;
        values[i++] = (float)value;
    }
    return values;
}

static size_t length_of(const struct json *list)
{
    size_t count = 0;
    for (const struct json *at = json_first(list); at; at = json_after(at)) count++;
    return count;
}

static void take_line(struct wiki_vectors *open, struct str line)
{
    struct arena arena = {0};
    struct json *tree;
    struct why why;
    struct str key;
    uint8_t bytes[WIKI_VECTOR_KEY];
    must(json_parse(line, &tree, NULL, &why), &why);
    const struct json *list = json_get(tree, "vector");
    struct wiki_vector vector = {bytes, vector_of(&arena, list, 0)};
    if (!json_as_str(json_get(tree, "key"), &key) || !vector.values || key.len != 2 * sizeof(bytes))
        give_up("wiki", "a line without key or vector");
    for (size_t i = 0; i < sizeof(bytes); i++) {
        char pair[3] = {key.at[2 * i], key.at[2 * i + 1], '\0'};
        bytes[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    must(wiki_vectors_put(open, &vector, 1, length_of(list), &why), &why);
    json_free(tree);
    arena_release(&arena);
}

uint64_t vectors_take(const char *vectors, const char *file)
{
    struct why why;
    struct wiki_vectors *open;
    char *line = NULL;
    size_t cap = 0;
    uint64_t count = 0;
    must(wiki_vectors_open(vectors, file, str_of(embedder), &open, &why), &why);
    for (ssize_t len; (len = getline(&line, &cap, stdin)) > 0; count++) {
        take_line(open, (struct str){line, (size_t)len});
    }
    free(line);
    wiki_vectors_close(open);
    return count;
}

struct wiki_matrix *vectors_matrix(const char *vectors, const char *file)
{
    struct why why;
    struct wiki_matrix *matrix;
    must(wiki_vectors_load(vectors, file, str_of(embedder), &matrix, &why), &why);
    return matrix;
}
