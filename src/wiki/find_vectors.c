/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/find_vectors.c: chunks by what they mean: the cosine of their vectors and the question's.
 *
 * How near the nearest are differs from embedder to embedder, so places of
 * files that are asked for less (wiki/file_kind.h) are weighed by where a chunk
 * stands between the nearest and the last of those looked at.
 */
#include "wiki/find_internal.h"

/* Of a chunk; 0: it came or went after the index that is asked here. */
static double kind_weight(const struct wiki_index *index, const struct wiki_asked *asked,
                          uint32_t chunk)
{
    if (chunk >= index->length_count || index->lengths[chunk] == 0) return 0;
    return asked->kind_weights[index->files[index->file_of[chunk]].kind];
}

enum err wiki_find_vectors(struct wiki_index *index, struct arena *arena,
                           const struct wiki_asked *asked, const struct wiki_meaning *meaning,
                           size_t max, struct wiki_order *order_out, struct why *why)
{
    enum err err = files_load(index, why);
    if (err) return err;
    struct wiki_near *near = ARENA_ARRAY(arena, struct wiki_near, 2 * max + 1);
    size_t count = wiki_matrix_nearest(meaning->matrix, meaning->vector, asked->scope,
                                       index->length_count, 2 * max, near);
    double last = count ? near[count - 1].cosine : 0;
    double span = count && near[0].cosine > last ? near[0].cosine - last : 1;
    for (size_t i = 0; i < count; i++) {
        double weight = kind_weight(index, asked, near[i].chunk);
        if (weight == 0) continue;
        wiki_order_add(arena, order_out, near[i].chunk, weight * (near[i].cosine - last) / span);
    }
    wiki_order_sort(order_out, max);
    return OK;
}
