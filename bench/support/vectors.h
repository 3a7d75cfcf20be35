/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * bench/support/vectors.h: vectors for measuring: drawn ones, to see how long the search takes, and
 * those of an embedder, which another program asks, to see what they are worth.
 */
#pragma once

#include "base/json.h"
#include "base/rng.h"
#include "wiki/find.h"

/* A matrix of `count` chunks from 1 on, around a thousand directions, as texts are around topics.
 */
struct wiki_matrix *drawn_matrix(size_t count, size_t dimensions, uint64_t seed);
/* A direction near one of those. In `arena`. */
float *drawn_question(struct arena *arena, size_t dimensions, struct rng *rng, uint64_t seed);

/* Texts of the chunks of the index at `file` that have no vector in `vectors`, a JSON line each:
 * {"key", "text"}. */
void vectors_wanted(const char *vectors, const char *file);
/* Lines {"key", "vector"} of standard input into `vectors`; gives how many. */
uint64_t vectors_take(const char *vectors, const char *file);
struct wiki_matrix *vectors_matrix(const char *vectors, const char *file); /* NULL: none */
/* A list of numbers; NULL: it is none, or of another length. In `arena`. */
float *vector_of(struct arena *arena, const struct json *list, size_t dimensions);
