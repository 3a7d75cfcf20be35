/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/vectors.h: the vectors of a wiki's chunks, kept in a file beside its index.
 *
 * They cost time or money, so they do not go when an index is made again: a
 * vector is found by what it was made of (path, symbol and text of a chunk,
 * hashed), whatever number the chunk has. What stays the same in a changed
 * file keeps its vector; an update, another branch, a crash half-way lose none.
 *
 * One SQLite file of numbers of one byte each (wiki/matrix.h), all of one
 * embedder: when another is configured, the file is begun anew.
 *
 * A handle is one thread's at a time; any number of readers beside one writer.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "wiki/matrix.h"

struct wiki_vectors;

/* What a vector is found by. */
enum { WIKI_VECTOR_KEY = 16 };

/* What of a chunk is given to the embedder, in `arena`. */
struct str wiki_vector_text(struct arena *arena, struct str path, struct str label,
                            struct str text);
/* BLAKE2b of that. */
void wiki_vector_key(struct str path, struct str label, struct str text,
                     uint8_t key_out[WIKI_VECTOR_KEY]);

/*
 * To be filled; made when it is not there, emptied when it is damaged or another embedder's.
 * `embedder` says in one word whose numbers these are ("ollama/nomic-embed-text").
 * `index_file` must be there: ERR_NOT_FOUND; ERR_CORRUPT: it has to be made again.
 */
MUST_USE enum err wiki_vectors_open(const char *file, const char *index_file, struct str embedder,
                                    struct wiki_vectors **vectors_out, struct why *why);
void wiki_vectors_close(struct wiki_vectors *vectors); /* NULL is fine */

/* A chunk that has no vector yet. */
struct wiki_unseen {
    uint32_t chunk;
    uint8_t key[WIKI_VECTOR_KEY];
    struct str text; /* for the embedder */
};

/* The next ones from `*chunk_at` on, at most `max` and not many more bytes than `bytes_max`, in
 * `arena`; none left: 0. *chunk_at goes on behind them. */
MUST_USE enum err wiki_vectors_unseen(struct wiki_vectors *vectors, struct arena *arena,
                                      uint32_t *chunk_at, size_t max, size_t bytes_max,
                                      struct wiki_unseen **unseen_out, size_t *count_out,
                                      struct why *why);

struct wiki_vector {
    const uint8_t *key;  /* WIKI_VECTOR_KEY bytes */
    const float *values; /* NULL: the embedder will not have this text; it is not asked again */
};

/* All of them or none. The first ones say how many dimensions there are; ERR_INVALID: these have
 * another number. */
MUST_USE enum err wiki_vectors_put(struct wiki_vectors *vectors, const struct wiki_vector *list,
                                   size_t count, size_t dimensions, struct why *why);

struct wiki_coverage {
    uint64_t chunks; /* of the index */
    uint64_t have;   /* of them: with a vector, or marked as refused */
    uint64_t refused;
};

MUST_USE enum err wiki_vectors_coverage(struct wiki_vectors *vectors, struct wiki_coverage *out,
                                        struct why *why);
/* Forget what no chunk has any more, when it has become more than half of the file. */
MUST_USE enum err wiki_vectors_sweep(struct wiki_vectors *vectors, struct why *why);

/* The vectors of all chunks of the index that have one, held once; NULL and OK: none of this
 * embedder. */
MUST_USE enum err wiki_vectors_load(const char *file, const char *index_file, struct str embedder,
                                    struct wiki_matrix **matrix_out, struct why *why);
