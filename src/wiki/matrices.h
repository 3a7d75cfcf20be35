/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/matrices.h: the matrices of the wikis asked lately, each in memory once.
 *
 * A matrix is read again when the index or the file of vectors has become
 * another, but not so often that reading takes more than a twentieth of the
 * time: while vectors are being made, questions are answered with those of a
 * moment ago. At most MATRICES_MAX of them and MATRICES_BYTES are kept; the one
 * that was not asked for longest makes room.
 *
 * Blocks on the disk; any thread.
 */
#pragma once

#include "base/str.h"
#include "wiki/matrix.h"

struct wiki_matrices;

enum { WIKI_MATRICES_MAX = 16 };

struct wiki_matrices *wiki_matrices_new(void);
void wiki_matrices_free(struct wiki_matrices *matrices); /* NULL is fine */

/* Held once for the caller; NULL: this embedder has made none for this wiki, or they cannot be
 * read, which the log says. */
struct wiki_matrix *wiki_matrices_get(struct wiki_matrices *matrices, uint64_t wiki,
                                      const char *file, const char *index_file,
                                      struct str embedder);
/* Before its files go: waits until they are read no more. */
void wiki_matrices_forget(struct wiki_matrices *matrices, uint64_t wiki);
