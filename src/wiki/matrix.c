/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "wiki/matrix.h"

#include <math.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "base/mem.h"

/* Rows begin at such a multiple, and are filled up with zeros to it. */
enum { ROW_ALIGN = 64, FULL = 127, QUESTION_FULL = 1023 };

struct wiki_matrix {
    atomic_int holders;
    size_t dimensions, stride; /* `stride`: bytes of a row */
    size_t count, cap;
    int8_t *rows;     /* owned; aligned */
    uint32_t *chunks; /* owned */
    float *lengths;   /* owned; Euclidean, 0: near to nothing */
};

/* ---- packing ---- */

static bool largest(const float *values, size_t count, float *most_out)
{
    float most = 0;
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(values[i])) return false;
        most = fmaxf(most, fabsf(values[i]));
    }
    *most_out = most;
    return most > 0;
}

void wiki_vector_pack(const float *values, size_t dimensions, int8_t *packed_out)
{
    float most;
    memset(packed_out, 0, dimensions);
    if (!largest(values, dimensions, &most)) return;
    for (size_t i = 0; i < dimensions; i++) {
        packed_out[i] = (int8_t)lrintf(values[i] / most * FULL);
    }
}

/* The question is finer than what it is held against; sums of products stay within 32 bits:
 * 127 * 1023 * 8192 is half of that. Gives its length; 0: near to nothing. */
static float pack_question(const float *values, size_t dimensions, int16_t *packed_out)
{
    float most, sum = 0;
    if (!largest(values, dimensions, &most)) return 0;
    for (size_t i = 0; i < dimensions; i++) {
        packed_out[i] = (int16_t)lrintf(values[i] / most * QUESTION_FULL);
        sum += (float)packed_out[i] * (float)packed_out[i];
    }
    return sqrtf(sum);
}

/* ---- rows ---- */

struct wiki_matrix *wiki_matrix_new(size_t dimensions)
{
    ASSERT(dimensions > 0 && dimensions <= WIKI_DIMENSIONS_MAX);
    struct wiki_matrix *matrix = NEW(struct wiki_matrix);
    atomic_init(&matrix->holders, 1);
    matrix->dimensions = dimensions;
    matrix->stride = (dimensions + ROW_ALIGN - 1) / ROW_ALIGN * ROW_ALIGN;
    return matrix;
}

static void grow(struct wiki_matrix *matrix)
{
    size_t cap = matrix->cap ? matrix->cap + matrix->cap / 2 : 1024;
    int8_t *rows = mem_alloc_aligned(cap * matrix->stride, ROW_ALIGN);
    if (matrix->count > 0) memcpy(rows, matrix->rows, matrix->count * matrix->stride);
    mem_free(matrix->rows);
    matrix->rows = rows;
    matrix->chunks = mem_resize(matrix->chunks, cap * sizeof(*matrix->chunks));
    matrix->lengths = mem_resize(matrix->lengths, cap * sizeof(*matrix->lengths));
    matrix->cap = cap;
}

void wiki_matrix_add(struct wiki_matrix *matrix, uint32_t chunk, const int8_t *packed)
{
    if (matrix->count == matrix->cap) grow(matrix);
    int8_t *row = matrix->rows + matrix->count * matrix->stride;
    int64_t sum = 0;
    memcpy(row, packed, matrix->dimensions);
    memset(row + matrix->dimensions, 0, matrix->stride - matrix->dimensions);
    for (size_t i = 0; i < matrix->dimensions; i++) sum += packed[i] * packed[i];
    matrix->chunks[matrix->count] = chunk;
    matrix->lengths[matrix->count++] = sqrtf((float)sum);
}

struct wiki_matrix *wiki_matrix_hold(struct wiki_matrix *matrix)
{
    atomic_fetch_add_explicit(&matrix->holders, 1, memory_order_relaxed);
    return matrix;
}

void wiki_matrix_release(struct wiki_matrix *matrix)
{
    if (!matrix || atomic_fetch_sub_explicit(&matrix->holders, 1, memory_order_acq_rel) > 1) return;
    mem_free(matrix->rows);
    mem_free(matrix->chunks);
    mem_free(matrix->lengths);
    mem_free(matrix);
}

size_t wiki_matrix_count(const struct wiki_matrix *matrix)
{
    return matrix->count;
}

size_t wiki_matrix_dimensions(const struct wiki_matrix *matrix)
{
    return matrix->dimensions;
}

size_t wiki_matrix_bytes(const struct wiki_matrix *matrix)
{
    return matrix->cap * (matrix->stride + sizeof(*matrix->chunks) + sizeof(*matrix->lengths));
}

/* ---- products ---- */

/* `count` is a multiple of ROW_ALIGN. */
typedef int32_t product_fn(const int8_t *row, const int16_t *question, size_t count);

static int32_t product_plain(const int8_t *row, const int16_t *question, size_t count)
{
    int32_t sum = 0;
    for (size_t i = 0; i < count; i++) sum += row[i] * question[i];
    return sum;
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static int32_t product_avx2(const int8_t *row,
                                                            const int16_t *question, size_t count)
{
    __m256i one = _mm256_setzero_si256(), two = _mm256_setzero_si256();
    for (size_t i = 0; i < count; i += 32) {
        __m256i a = _mm256_cvtepi8_epi16(_mm_load_si128((const __m128i *)(row + i)));
        __m256i b = _mm256_cvtepi8_epi16(_mm_load_si128((const __m128i *)(row + i + 16)));
        __m256i c = _mm256_load_si256((const __m256i *)(question + i));
        __m256i d = _mm256_load_si256((const __m256i *)(question + i + 16));
        one = _mm256_add_epi32(one, _mm256_madd_epi16(a, c));
        two = _mm256_add_epi32(two, _mm256_madd_epi16(b, d));
    }
    one = _mm256_add_epi32(one, two);
    __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(one), _mm256_extracti128_si256(one, 1));
    sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0x4e));
    sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0xb1));
    return _mm_cvtsi128_si32(sum);
}
#endif

static product_fn *choose_product(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) return product_avx2;
#endif
    return product_plain;
}

/* ---- the nearest ---- */

static int compare_near(const void *a, const void *b)
{
    const struct wiki_near *one = a, *two = b;
    if (one->cosine != two->cosine) return one->cosine > two->cosine ? -1 : 1;
    return one->chunk < two->chunk ? -1 : one->chunk > two->chunk;
}

/* Room for twice as many as are wanted: when it is full, the better half stays, and what is not
 * better than the last of them need not come in. */
struct picking {
    struct wiki_near *at;
    size_t count, max;
    float least;
};

static void keep_best(struct picking *p)
{
    qsort(p->at, p->count, sizeof(*p->at), compare_near);
    p->count = MIN(p->count, p->max);
    if (p->count == p->max) p->least = p->at[p->max - 1].cosine;
}

static void pick(struct picking *p, uint32_t chunk, float cosine)
{
    if (cosine <= p->least) return;
    p->at[p->count++] = (struct wiki_near){chunk, cosine};
    if (p->count == 2 * p->max) keep_best(p);
}

size_t wiki_matrix_nearest(const struct wiki_matrix *matrix, const float *question,
                           const uint8_t *scope, size_t scope_count, size_t max,
                           struct wiki_near *near_out)
{
    alignas(ROW_ALIGN) int16_t packed[WIKI_DIMENSIONS_MAX] = {0};
    float length = pack_question(question, matrix->dimensions, packed);
    if (length == 0.0F || max == 0) return 0;
    product_fn *product = choose_product();
    struct picking p = {.max = max, .least = -2.0F};
    p.at = mem_alloc(2 * max * sizeof(*p.at));
    for (size_t i = 0; i < matrix->count; i++) {
        uint32_t chunk = matrix->chunks[i];
        if (scope && (chunk >= scope_count || !scope[chunk])) continue;
        if (matrix->lengths[i] == 0.0F) continue;
        int32_t sum = product(matrix->rows + i * matrix->stride, packed, matrix->stride);
        pick(&p, chunk, (float)sum / (length * matrix->lengths[i]));
    }
    keep_best(&p);
    memcpy(near_out, p.at, p.count * sizeof(*p.at));
    mem_free(p.at);
    return p.count;
}
