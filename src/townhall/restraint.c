/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * townhall/restraint.c: what a resident leaves unsaid: more than so much in an hour, and what it
 * has just said already.
 *
 * An hour is one of the town's clock, the sixty minutes before; what was said in it
 * is counted in the action log, so a restart forgets nothing. A text is said already
 * when it is alike one of the writer's last posts, its comments on the same post, or
 * its last messages to the same resident: of their letters and numbers, without case, texts of
 * eight characters and more are alike when the Dice coefficient of their pairs of
 * neighbouring characters is 0.9 or more, shorter ones when they are the same.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "store/comments.h"
#include "store/messages.h"
#include "store/posts.h"
#include "townhall/internal.h"

enum {
    LOOKED_BACK = 10,     /* own posts, own messages of a conversation */
    COMMENTS_LOOKED = 50, /* newest comments below a post, of anybody */
    SHORT_CHARS = 8,
    ALIKE_PERCENT = 90,
};

/* --- an hour --- */

static int64_t most_in_an_hour(const struct settings *settings, enum effect_kind kind)
{
    return kind == EFFECT_POST      ? settings->town_posts_hour
           : kind == EFFECT_COMMENT ? settings->town_comments_hour
                                    : settings->town_messages_hour;
}

enum err hour_is_full(const struct todo *todo, struct db *db, bool *full_out, struct why *why)
{
    const struct effect *effect = &todo->effect;
    enum effect_kind kind = (enum effect_kind)effect->kind;
    *full_out = false;
    if (kind != EFFECT_POST && kind != EFFECT_COMMENT && kind != EFFECT_MESSAGE) return OK;
    enum log_type type = kind == EFFECT_POST      ? LOG_POST
                         : kind == EFFECT_COMMENT ? LOG_COMMENT
                                                  : LOG_MESSAGE;
    /* What one member gets takes nothing from another; whom an answer is for shows later. */
    struct user_id to = {0};
    if (is_member(effect->other)) to = cast_user(&todo->hall->cast, effect->other);
    if (answers_remark(effect)) to = todo->remark_by;
    if (to.value == 0 && is_for_member(effect)) return OK;
    uint64_t said;
    enum err err =
        action_logs_said(db, cast_user(&todo->hall->cast, effect->who), str_of(log_type_name(type)),
                         to, effect->at - MINUTES_PER_HOUR, effect->at, &said, why);
    int64_t most = most_in_an_hour(todo->hall->links.settings, kind);
    *full_out = !err && said >= (uint64_t)most;
    return err;
}

/* --- the same again --- */

/* Letters and numbers, in lower case. */
struct plain {
    uint32_t *points; /* owned */
    size_t count;
};

static struct plain plain_of(struct str text)
{
    struct plain plain = {.points = mem_alloc(sizeof(uint32_t) * (text.len + 1))};
    while (text.len > 0) {
        uint32_t point = utf8_next(&text);
        if (!utf8_is_word(point)) continue;
        char lower[UTF8_POINT_BYTES];
        struct str one = {lower, utf8_put_lower(lower, point)};
        plain.points[plain.count++] = utf8_next(&one);
    }
    return plain;
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static uint64_t *pairs_of(const struct plain *plain)
{
    uint64_t *pairs = mem_alloc(sizeof(*pairs) * plain->count);
    for (size_t i = 0; i + 1 < plain->count; i++)
        pairs[i] = (uint64_t)plain->points[i] << 32 | plain->points[i + 1];
    qsort(pairs, plain->count - 1, sizeof(*pairs), by_value);
    return pairs;
}

/* Both have two characters or more. */
static bool pairs_are_alike(const struct plain *a, const struct plain *b)
{
    uint64_t *of_a = pairs_of(a), *of_b = pairs_of(b);
    size_t i = 0, j = 0, same = 0;
    while (i < a->count - 1 && j < b->count - 1) {
        int order = by_value(&of_a[i], &of_b[j]);
        same += order == 0;
        i += order <= 0;
        j += order >= 0;
    }
    mem_free(of_a);
    mem_free(of_b);
    return 2 * same * 100 >= ALIKE_PERCENT * (a->count + b->count - 2);
}

static bool are_alike(const struct plain *a, struct str text)
{
    struct plain b = plain_of(text);
    bool same = a->count > 0 && a->count == b.count &&
                memcmp(a->points, b.points, sizeof(*b.points) * b.count) == 0;
    if (!same && a->count >= SHORT_CHARS && b.count >= SHORT_CHARS) same = pairs_are_alike(a, &b);
    mem_free(b.points);
    return same;
}

struct looking {
    struct plain said;
    struct user_id me;
    bool found;
};

static void see_post(void *ctx, const struct post *post)
{
    struct looking *looking = ctx;
    looking->found = looking->found || are_alike(&looking->said, post->content);
}

static void see_comment(void *ctx, const struct comment *comment)
{
    struct looking *looking = ctx;
    if (comment->author.id.value == looking->me.value)
        looking->found = looking->found || are_alike(&looking->said, comment->content);
}

static void see_message(void *ctx, const struct message *message)
{
    struct looking *looking = ctx;
    if (message->sender.id.value == looking->me.value)
        looking->found = looking->found || are_alike(&looking->said, message->content);
}

bool said_already(const struct todo *todo, struct str text)
{
    const struct effect *effect = &todo->effect;
    if (is_for_member(effect)) return false; /* who asks the same again is told the same */
    const struct cast *cast = &todo->hall->cast;
    struct db *db = todo->hall->db;
    struct looking looking = {.said = plain_of(text), .me = cast_user(cast, effect->who)};
    struct why why;
    enum err err = OK;
    if (effect->kind == EFFECT_POST) {
        struct posts_query query = {.author = looking.me, .limit = LOOKED_BACK};
        err = posts_list(db, &query, see_post, &looking, &why);
    } else if (effect->kind == EFFECT_COMMENT) {
        struct comments_query query = {
            .post = {todo->post}, .before = INT64_MAX, .limit = COMMENTS_LOOKED};
        err = comments_list(db, &query, see_comment, &looking, &why);
    } else if (effect->kind == EFFECT_MESSAGE) {
        struct messages_query query = {.reader = looking.me,
                                       .partner = cast_user(cast, effect->other),
                                       .limit = 2 * LOOKED_BACK};
        err = messages_list(db, &query, see_message, &looking, &why);
    }
    mem_free(looking.said.points);
    return !err && looking.found; /* a store that is not well silences nobody */
}
