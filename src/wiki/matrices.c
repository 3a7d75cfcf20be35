/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "wiki/matrices.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "wiki/vectors.h"

enum { READING_SHARE = 20, STAMPS = 4, LEAST_US = 10000 };
#define MATRICES_BYTES ((size_t)1 << 30)

/* When the files changed last, and how large they are. */
struct stamp {
    int64_t changed_ns[STAMPS];
    int64_t bytes[STAMPS];
};

struct kept {
    uint64_t wiki;              /* 0: a free place */
    struct wiki_matrix *matrix; /* held; NULL: there is none, as of `stamp` */
    struct stamp stamp;
    int64_t read_us, took_us; /* when, and how long reading took */
    uint64_t asked;           /* the larger the later */
    bool reading;
};

struct wiki_matrices {
    pthread_mutex_t lock;
    pthread_cond_t read; /* one has been */
    struct kept kept[WIKI_MATRICES_MAX];
    uint64_t asked;
};

struct wiki_matrices *wiki_matrices_new(void)
{
    struct wiki_matrices *matrices = NEW(struct wiki_matrices);
    pthread_mutex_init(&matrices->lock, NULL);
    pthread_cond_init(&matrices->read, NULL);
    return matrices;
}

void wiki_matrices_free(struct wiki_matrices *matrices)
{
    if (!matrices) return;
    for (size_t i = 0; i < WIKI_MATRICES_MAX; i++) wiki_matrix_release(matrices->kept[i].matrix);
    pthread_cond_destroy(&matrices->read);
    pthread_mutex_destroy(&matrices->lock);
    mem_free(matrices);
}

static struct stamp stamp_of(const char *file, const char *index_file)
{
    struct stamp stamp = {0};
    const char *files[] = {file, index_file};
    for (size_t i = 0; i < STAMPS; i++) {
        char path[4096];
        struct stat info;
        snprintf(path, sizeof(path), "%s%s", files[i / 2], i % 2 ? "-wal" : "");
        if (stat(path, &info) != 0) continue;
        stamp.changed_ns[i] = info.st_mtim.tv_sec * INT64_C(1000000000) + info.st_mtim.tv_nsec;
        stamp.bytes[i] = info.st_size;
    }
    return stamp;
}

/* Its place, or one for it: a free one, or that of the one not asked for longest. Under the lock.
 */
static struct kept *place_of(struct wiki_matrices *matrices, uint64_t wiki)
{
    struct kept *oldest = NULL;
    for (size_t i = 0; i < WIKI_MATRICES_MAX; i++) {
        struct kept *kept = &matrices->kept[i];
        if (kept->wiki == wiki) return kept;
        if (!kept->reading && (!oldest || kept->asked < oldest->asked)) oldest = kept;
    }
    if (!oldest) return NULL; /* all are being read */
    wiki_matrix_release(oldest->matrix);
    *oldest = (struct kept){.wiki = wiki};
    return oldest;
}

/* Under the lock. */
static void make_room(struct wiki_matrices *matrices, const struct kept *but)
{
    for (;;) {
        struct kept *oldest = NULL;
        size_t bytes = 0;
        for (size_t i = 0; i < WIKI_MATRICES_MAX; i++) {
            struct kept *kept = &matrices->kept[i];
            if (!kept->matrix) continue;
            bytes += wiki_matrix_bytes(kept->matrix);
            if (kept == but || kept->reading) continue;
            if (!oldest || kept->asked < oldest->asked) oldest = kept;
        }
        if (bytes <= MATRICES_BYTES || !oldest) return;
        wiki_matrix_release(oldest->matrix);
        *oldest = (struct kept){0};
    }
}

static bool is_stale(const struct kept *kept, const struct stamp *stamp)
{
    if (kept->read_us == 0) return true;
    if (memcmp(&kept->stamp, stamp, sizeof(*stamp)) == 0) return false;
    return clock_mono_us() - kept->read_us >= READING_SHARE * kept->took_us;
}

/* Under the lock, which is let go meanwhile. */
static void read_again(struct wiki_matrices *matrices, struct kept *kept, const char *file,
                       const char *index_file, struct str embedder, const struct stamp *stamp)
{
    struct wiki_matrix *matrix = NULL;
    struct why why;
    kept->reading = true;
    pthread_mutex_unlock(&matrices->lock);
    int64_t began_us = clock_mono_us();
    enum err err = wiki_vectors_load(file, index_file, embedder, &matrix, &why);
    int64_t ended_us = clock_mono_us();
    if (err) log_warn("wiki.vectors", "file=%s reason=\"%s\"", file, why.text);
    pthread_mutex_lock(&matrices->lock);
    if (!err) {
        wiki_matrix_release(kept->matrix);
        kept->matrix = matrix;
    }
    kept->stamp = err ? (struct stamp){0} : *stamp; /* what failed is tried again */
    kept->read_us = ended_us;
    kept->took_us = MAX(ended_us - began_us, (int64_t)LEAST_US);
    kept->reading = false;
    make_room(matrices, kept);
    pthread_cond_broadcast(&matrices->read);
}

struct wiki_matrix *wiki_matrices_get(struct wiki_matrices *matrices, uint64_t wiki,
                                      const char *file, const char *index_file, struct str embedder)
{
    struct wiki_matrix *matrix = NULL;
    struct stamp stamp = stamp_of(file, index_file);
    pthread_mutex_lock(&matrices->lock);
    struct kept *kept = place_of(matrices, wiki);
    /* The first reading is waited for; later ones not: what there is will do. */
    while (kept && kept->reading && kept->read_us == 0) {
        pthread_cond_wait(&matrices->read, &matrices->lock);
        kept = place_of(matrices, wiki);
    }
    if (kept) {
        kept->asked = ++matrices->asked;
        if (!kept->reading && is_stale(kept, &stamp)) {
            read_again(matrices, kept, file, index_file, embedder, &stamp);
        }
        if (kept->wiki == wiki && kept->matrix) matrix = wiki_matrix_hold(kept->matrix);
    }
    pthread_mutex_unlock(&matrices->lock);
    return matrix;
}

void wiki_matrices_forget(struct wiki_matrices *matrices, uint64_t wiki)
{
    pthread_mutex_lock(&matrices->lock);
    for (size_t i = 0; i < WIKI_MATRICES_MAX; i++) {
        struct kept *kept = &matrices->kept[i];
        while (kept->wiki == wiki && kept->reading) { /* its files are open */
            pthread_cond_wait(&matrices->read, &matrices->lock);
        }
        if (kept->wiki != wiki) continue;
        wiki_matrix_release(kept->matrix);
        *kept = (struct kept){0};
    }
    pthread_mutex_unlock(&matrices->lock);
}
