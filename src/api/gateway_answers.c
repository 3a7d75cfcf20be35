/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* api/gateway_answers.c: answers at temperature 0, kept for an hour, the least lately asked for
 * pushed out first. One for all loops, under a lock. */
#include <pthread.h>

#include "api/gateway_internal.h"
#include "base/clock.h"
#include "base/mem.h"

static const int64_t LIFE_US = INT64_C(3600) * 1000000;

struct kept {
    struct list link; /* the least lately asked for first */
    struct said *said;
    int64_t until_us;
    size_t bytes, mark_len;
    char mark[];
};

struct answers {
    pthread_mutex_t lock;
    struct map by_mark; /* of struct kept, owned */
    struct list order;
    size_t bytes, bytes_max;
};

struct answers *answers_new(size_t bytes_max)
{
    struct answers *answers = NEW(struct answers);
    pthread_mutex_init(&answers->lock, NULL);
    list_init(&answers->order);
    answers->bytes_max = bytes_max;
    return answers;
}

static void drop(struct answers *answers, struct kept *kept)
{
    map_remove(&answers->by_mark, (struct str){kept->mark, kept->mark_len});
    list_remove(&kept->link);
    answers->bytes -= kept->bytes;
    said_unref(kept->said);
    mem_free(kept);
}

void answers_free(struct answers *answers)
{
    if (answers == NULL) return;
    while (!list_is_empty(&answers->order)) {
        drop(answers, CONTAINER_OF(answers->order.next, struct kept, link));
    }
    map_release(&answers->by_mark);
    pthread_mutex_destroy(&answers->lock);
    mem_free(answers);
}

struct said *answers_find(struct answers *answers, struct str mark)
{
    struct said *said = NULL;
    pthread_mutex_lock(&answers->lock);
    struct kept *kept = map_find(&answers->by_mark, mark);
    if (kept && clock_mono_us() >= kept->until_us) {
        drop(answers, kept);
    } else if (kept) {
        list_remove(&kept->link);
        list_add_last(&answers->order, &kept->link);
        said = said_ref(kept->said);
    }
    pthread_mutex_unlock(&answers->lock);
    return said;
}

void answers_keep(struct answers *answers, struct str mark, struct said *said)
{
    size_t bytes = sizeof(struct kept) + mark.len + said_bytes(said);
    if (bytes > answers->bytes_max / 4) return; /* one must not push out all others */
    struct kept *kept = mem_alloc(sizeof(*kept) + mark.len);
    memcpy(kept->mark, mark.at, mark.len);
    kept->mark_len = mark.len;
    kept->said = said_ref(said);
    kept->bytes = bytes;
    kept->until_us = clock_mono_us() + LIFE_US;
    pthread_mutex_lock(&answers->lock);
    struct kept *before = map_find(&answers->by_mark, mark);
    if (before) drop(answers, before);
    while (answers->bytes + bytes > answers->bytes_max) {
        drop(answers, CONTAINER_OF(answers->order.next, struct kept, link));
    }
    map_add(&answers->by_mark, (struct str){kept->mark, kept->mark_len}, kept);
    list_add_last(&answers->order, &kept->link);
    answers->bytes += bytes;
    pthread_mutex_unlock(&answers->lock);
}
