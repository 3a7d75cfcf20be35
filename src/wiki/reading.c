/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "wiki/reading.h"

#include <pthread.h>

#include "base/limits.h"
#include "base/mem.h"
#include "wiki/language.h"
#include "wiki/symbols.h"

/* High marks of what is ready: enough to even out large and small files, little enough for any
 * machine. There is no low mark; who takes one wakes the thread for one. */
enum { READY_FILES = 64, READY_BYTES = 16 << 20 };

struct wiki_reading {
    struct wiki_tree *tree;
    const bool *wanted;
    struct wiki_tagger *tagger; /* owned */
    pthread_t thread;

    pthread_mutex_t lock; /* for all below */
    pthread_cond_t changed;
    struct wiki_incoming *ready[READY_FILES]; /* owned; a ring */
    size_t first, count, bytes;
    bool finished; /* the thread adds no more */
    bool unwanted; /* nobody takes any more */
};

void wiki_incoming_free(struct wiki_incoming *incoming)
{
    if (!incoming) return;
    arena_release(&incoming->arena);
    buf_release(&incoming->text);
    mem_free(incoming);
}

static void read_file(struct wiki_reading *r, size_t at, struct wiki_incoming *in)
{
    const struct wiki_file *file = wiki_tree_file(r->tree, at, &in->named);
    in->path = file->path;
    in->blob = file->blob;
    in->bytes = file->bytes;
    in->left_out = in->named;
    in->language = wiki_language(file->path);
    if (in->named != WIKI_TAKEN) return;
    in->err = wiki_tree_read(r->tree, file, &in->text, &in->left_out, &in->why);
    if (in->err || in->left_out != WIKI_TAKEN) return;
    struct str text = buf_str(&in->text);
    wiki_tagger_marks(r->tagger, &in->arena, in->path, text, &in->marks, &in->mark_count);
    wiki_split(&in->arena, in->path, text, in->marks, in->mark_count, &in->pieces,
               &in->piece_count);
    in->import_count = wiki_imports(&in->arena, in->path, in->language, text, &in->imports);
}

/* False: nobody wants it any more. */
static bool give(struct wiki_reading *r, struct wiki_incoming *in)
{
    pthread_mutex_lock(&r->lock);
    while (!r->unwanted && (r->count == READY_FILES || (r->count > 0 && r->bytes > READY_BYTES))) {
        pthread_cond_wait(&r->changed, &r->lock);
    }
    bool wanted = !r->unwanted;
    if (wanted) {
        r->ready[(r->first + r->count++) % READY_FILES] = in;
        r->bytes += in->text.len;
        pthread_cond_signal(&r->changed);
    }
    pthread_mutex_unlock(&r->lock);
    if (!wanted) wiki_incoming_free(in);
    return wanted;
}

static void *read_all(void *ctx)
{
    struct wiki_reading *r = ctx;
    size_t count = wiki_tree_count(r->tree);
    bool going = true;
    for (size_t i = 0; i < count && going; i++) {
        if (!r->wanted[i]) continue;
        struct wiki_incoming *in = NEW(struct wiki_incoming);
        buf_init(&in->text, LIMIT_WIKI_TEXT_BYTES);
        read_file(r, i, in);
        bool failed = in->err != OK;
        going = give(r, in) && !failed;
    }
    pthread_mutex_lock(&r->lock);
    r->finished = true;
    pthread_cond_signal(&r->changed);
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

struct wiki_reading *wiki_reading_start(struct wiki_tree *tree, const bool *wanted)
{
    struct wiki_reading *r = NEW(struct wiki_reading);
    r->tree = tree;
    r->wanted = wanted;
    r->tagger = wiki_tagger_new(NULL, WIKI_TAGGER_TIME_MS);
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->changed, NULL);
    ASSERT(pthread_create(&r->thread, NULL, read_all, r) == 0);
    return r;
}

struct wiki_incoming *wiki_reading_next(struct wiki_reading *r)
{
    struct wiki_incoming *in = NULL;
    pthread_mutex_lock(&r->lock);
    while (r->count == 0 && !r->finished) pthread_cond_wait(&r->changed, &r->lock);
    if (r->count > 0) {
        in = r->ready[r->first];
        r->first = (r->first + 1) % READY_FILES;
        r->count--;
        r->bytes -= in->text.len;
        pthread_cond_signal(&r->changed);
    }
    pthread_mutex_unlock(&r->lock);
    return in;
}

void wiki_reading_end(struct wiki_reading *r)
{
    pthread_mutex_lock(&r->lock);
    r->unwanted = true;
    pthread_cond_signal(&r->changed);
    pthread_mutex_unlock(&r->lock);
    pthread_join(r->thread, NULL);
    for (; r->count > 0; r->count--) {
        wiki_incoming_free(r->ready[r->first]);
        r->first = (r->first + 1) % READY_FILES;
    }
    wiki_tagger_free(r->tagger);
    pthread_cond_destroy(&r->changed);
    pthread_mutex_destroy(&r->lock);
    mem_free(r);
}
