/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/matrix.h: the vectors of chunks in memory, and those nearest to a question's.
 *
 * One byte a number: each vector is scaled so that its largest number is 127
 * (symmetric scalar quantization), and nearness is the cosine of the angle
 * between what was kept and the question. The search is exact: all vectors are
 * compared, which at a hundred thousand of them takes less time than reading
 * the same bytes from a disk. `./dev bench wiki` measures it, and how often it
 * agrees with float32.
 *
 * Filled by one thread, then only read, by any; shared by counting.
 */
#pragma once

#include "base/base.h"

struct wiki_matrix;

enum { WIKI_DIMENSIONS_MAX = 8192 };

/* `values` as it is kept. All zero, or one that is no number: all zero, near to nothing. */
void wiki_vector_pack(const float *values, size_t dimensions, int8_t *packed_out);

/* Held once. `dimensions` is 1 to WIKI_DIMENSIONS_MAX. */
struct wiki_matrix *wiki_matrix_new(size_t dimensions);
/* `packed` is copied; chunks in rising order. */
void wiki_matrix_add(struct wiki_matrix *matrix, uint32_t chunk, const int8_t *packed);
struct wiki_matrix *wiki_matrix_hold(struct wiki_matrix *matrix);
void wiki_matrix_release(struct wiki_matrix *matrix); /* the last one frees it; NULL is fine */

size_t wiki_matrix_count(const struct wiki_matrix *matrix);
size_t wiki_matrix_dimensions(const struct wiki_matrix *matrix);
size_t wiki_matrix_bytes(const struct wiki_matrix *matrix); /* of memory */

struct wiki_near {
    uint32_t chunk;
    float cosine; /* -1 to 1 */
};

/*
 * At most `max` chunks into `near_out`, nearest first; gives how many. `question` has as many
 * numbers as the matrix has dimensions. `scope`: a byte for each chunk below `scope_count`, 0: not
 * this one; chunks from there on are none of this index. NULL: all may be given.
 */
size_t wiki_matrix_nearest(const struct wiki_matrix *matrix, const float *question,
                           const uint8_t *scope, size_t scope_count, size_t max,
                           struct wiki_near *near_out);
