/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * townhall/commit.c: a step of the town into the store, in one transaction.
 *
 * What happened (action log, likes, follows, memories, read marks), what still needs words
 * (town_todo), what was told to the town (town_inputs) and how far it has come
 * (towns, town_checkpoints) are durable together or not at all. That is what
 * makes "nothing lost, nothing twice" true whatever moment the power fails.
 *
 * A deed that the community refuses (a post that was removed meanwhile) is
 * left out: the town cannot be stopped by it.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "community/follow.h"
#include "community/letters.h"
#include "store/notices.h"
#include "store/society.h"
#include "townhall/internal.h"

enum {
    CHECKPOINTS_KEPT = 8,
    PHRASE_BYTES = 512,
    NEEDS_HOURS = 60 * 24, /* of game time are kept for plots */
};

static struct act *act_begin(struct batch *batch, struct db *db, struct user_id who)
{
    struct act *act = ARENA_NEW(&batch->arena, struct act);
    act_init(act, db, &batch->arena, clock_wall_us(), who, ROLE_RESIDENT);
    batch->acts[batch->act_count++] = act;
    return act;
}

/* What the community says no to is no reason to stop; what the store says no to is. */
static bool is_refusal(enum err err)
{
    return err == ERR_NOT_FOUND || err == ERR_DENIED || err == ERR_INVALID || err == ERR_CONFLICT;
}

/* --- effects --- */

/* It has looked at its phone: whoever wrote sees that. */
static enum err mark_read(struct batch *batch, struct db *db, const struct effect *effect,
                          struct why *why)
{
    const struct cast *cast = &batch->hall->cast;
    struct act *act = act_begin(batch, db, cast_user(cast, effect->who));
    enum err err = letters_read(act, cast_user(cast, effect->other), why);
    return is_refusal(err) ? OK : err;
}

/* Its words are still to be found, or those of the post it is about. */
static enum err do_later(struct batch *batch, struct db *db, size_t i, struct why *why)
{
    const struct effect *effect = &batch->effects[i];
    uint64_t number = batch->row.effects - batch->effect_count + i;
    batch->waits[i] = true;
    return town_todo_add(db, batch->row.id, number,
                         (struct str){(const char *)effect, sizeof(*effect)}, why);
}

static enum err like(struct batch *batch, struct db *db, size_t i, struct why *why)
{
    const struct effect *effect = &batch->effects[i];
    struct post_id post;
    enum err err = town_posts_find(db, batch->row.id, effect->ref, &post, why);
    if (err) return err;
    if (post.value == 0) return do_later(batch, db, i, why);
    struct act *act = act_begin(batch, db, cast_user(&batch->hall->cast, effect->who));
    err = like_and_log(act, &batch->hall->cast, effect, post, why);
    return is_refusal(err) ? OK : err;
}

static enum err follow(struct batch *batch, struct db *db, const struct effect *effect,
                       struct why *why)
{
    const struct cast *cast = &batch->hall->cast;
    struct act *act = act_begin(batch, db, cast_user(cast, effect->who));
    struct follow_tally tally;
    enum err err = follow_set(act, cast_user(cast, effect->other), true, &tally, why);
    return is_refusal(err) ? OK : err;
}

static struct str phrase_of_memory(struct batch *batch, const struct effect *effect)
{
    struct buf buf;
    buf_init(&buf, PHRASE_BYTES);
    phrase_remembered(&buf, &batch->hall->cast, effect);
    struct str text = arena_copy(&batch->arena, buf_str(&buf));
    buf_release(&buf);
    return text;
}

static enum err keep_memory(struct batch *batch, struct db *db, const struct effect *effect,
                            struct why *why)
{
    const struct cast *cast = &batch->hall->cast;
    const char *type = effect->fact == FACT_DAY ? "daily" : "important";
    return memories_add(db, cast_user(cast, effect->who), type, cast_user(cast, effect->other),
                        phrase_of_memory(batch, effect), effect->importance, day_of(effect->at),
                        clock_wall_us(), why);
}

static enum err apply_effect(struct batch *batch, struct db *db, size_t i, struct why *why)
{
    const struct effect *effect = &batch->effects[i];
    enum err err = OK;
    switch ((enum effect_kind)effect->kind) {
    case EFFECT_DEED: return log_deed(&batch->arena, &batch->hall->cast, effect, db, why);
    case EFFECT_WOKE:
        return log_moment(&batch->arena, &batch->hall->cast, effect, LOG_WAKE_UP, db, why);
    case EFFECT_MET:
        return log_moment(&batch->arena, &batch->hall->cast, effect, LOG_ENCOUNTER, db, why);
    case EFFECT_READ: return mark_read(batch, db, effect, why);
    case EFFECT_LIKE: return like(batch, db, i, why);
    case EFFECT_FOLLOW: return follow(batch, db, effect, why);
    case EFFECT_TALK:
    case EFFECT_POST:
    case EFFECT_COMMENT:
    case EFFECT_MESSAGE: return do_later(batch, db, i, why);
    case EFFECT_TAKEN:
        err = town_posts_add(db, batch->row.id, effect->ref, (struct post_id){effect->other}, why);
        return is_refusal(err) ? OK : err; /* removed meanwhile */
    case EFFECT_REMEMBER: return keep_memory(batch, db, effect, why);
    case EFFECT_BEGAN: /* for maps alone */
    case EFFECT_ASK:
    case EFFECT_SKY:
    case EFFECT_LEFT:
    case EFFECT_CAME:
    case EFFECT_KIND_COUNT: break;
    }
    return OK;
}

/* --- all of it --- */

static enum err apply_inputs(struct batch *batch, struct db *db, struct why *why)
{
    enum err err = OK;
    uint64_t seq = batch->row.inputs - batch->input_count;
    for (size_t i = 0; i < batch->input_count && !err; i++) {
        const struct input *input = &batch->inputs[i].input;
        err = town_inputs_add(db, batch->row.id, ++seq, batch->inputs_minute,
                              (struct str){(const char *)input, input_bytes(input)}, why);
        if (err) break;
        if (input->kind == INPUT_MOVE_IN)
            err = town_people_add(db, batch->row.id, input->to,
                                  cast_user(&batch->hall->cast, input->to), why);
        if (batch->inputs[i].prompt.at)
            err = log_answer(&batch->arena, &batch->hall->cast, &batch->inputs[i],
                             batch->inputs_minute, db, why);
        if (is_refusal(err)) err = OK; /* the account is gone: it moves out next */
    }
    return err;
}

static enum err apply_checkpoint(struct batch *batch, struct db *db, struct why *why)
{
    struct town_checkpoint checkpoint = {
        .minute = batch->row.minute, .inputs = batch->row.inputs, .state = buf_str(&batch->state)};
    return town_checkpoints_add(db, batch->row.id, &checkpoint, CHECKPOINTS_KEPT, clock_wall_us(),
                                why);
}

static enum err apply_needs(struct batch *batch, struct db *db, struct why *why)
{
    struct society_need need = {.hour = batch->row.minute / 60};
    enum err err = society_needs_prune(db, batch->row.id, need.hour - NEEDS_HOURS, why);
    for (int i = 0; i < NEED_COUNT && !err; i++) {
        need.need = str_of(need_name((enum need)i));
        need.mean = batch->needs[i].mean;
        need.low = batch->needs[i].low;
        need.middle = batch->needs[i].middle;
        need.high = batch->needs[i].high;
        err = society_needs_add(db, batch->row.id, &need, why);
    }
    return err;
}

static enum err apply_batch(void *ctx, struct db *db, struct why *why)
{
    struct batch *batch = ctx;
    arena_reset(&batch->arena);
    batch->act_count = 0;
    batch->waits = ARENA_ARRAY(&batch->arena, bool, batch->effect_count + 1);
    batch->acts = ARENA_ARRAY(&batch->arena, struct act *, batch->effect_count + 1);
    /* First of all: may we still? */
    enum err err = towns_save(db, &batch->row, why);
    for (size_t i = 0; i < batch->effect_count && !err; i++) {
        err = apply_effect(batch, db, i, why);
        if (is_refusal(err)) err = OK; /* a place or a person that is gone stops no clock */
    }
    if (!err) err = apply_inputs(batch, db, why);
    if (!err) err = budget_save(batch->hall->budget, db, why);
    if (!err && batch->has_needs) err = apply_needs(batch, db, why);
    if (!err && batch->checkpoint) err = apply_checkpoint(batch, db, why);
    /* Late: who likes the same post again waits for this row, and holds the post meanwhile. */
    for (size_t i = 0; i < batch->notice_count && !err; i++)
        err = town_notices_mark(db, batch->notices[i], why);
    for (size_t i = 0; i < batch->act_count && !err; i++) err = act_store(batch->acts[i], why);
    return err;
}

enum err batch_commit(struct batch *batch, struct why *why)
{
    batch->row.lease_us = clock_wall_us() + INT64_C(1000000) * LEASE_S;
    if (batch->checkpoint && batch->state.max == 0) {
        buf_init(&batch->state, CHECKPOINT_BYTES_MAX);
        town_write(batch->hall->town, &batch->state);
        if (batch->state.failed) {
            log_warn("town.checkpoint", "reason=\"more than %d bytes\"", CHECKPOINT_BYTES_MAX);
            batch->checkpoint = false;
        }
    }
    return store_write(batch->hall->links.store, batch->hall->db, apply_batch, batch, why);
}

void batch_publish(struct batch *batch)
{
    struct hub *hub = batch->hall->links.hub;
    for (size_t i = 0; i < batch->act_count; i++) act_publish(batch->acts[i], hub);
}

void telling_release(struct telling *telling)
{
    mem_free((void *)(uintptr_t)telling->prompt.at);
    mem_free((void *)(uintptr_t)telling->response.at);
    mem_free((void *)(uintptr_t)telling->reason.at);
    mem_free((void *)(uintptr_t)telling->wrong.at);
    mem_free((void *)(uintptr_t)telling->asked.model.at);
    mem_free((void *)(uintptr_t)telling->plan.at);
}

void batch_release(struct batch *batch)
{
    arena_release(&batch->arena);
    buf_release(&batch->state);
    for (size_t i = 0; i < batch->input_count; i++) telling_release(&batch->inputs[i]);
}
