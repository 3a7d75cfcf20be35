/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "townhall/replay.h"

#include "base/arena.h"

struct telling {
    struct replay *replay;
    uint64_t inputs; /* committed ones */
    bool broken;
};

/* A day at a time: what happened meanwhile would be a lot to keep. */
static void go_to(struct town *town, int32_t minute)
{
    while (town_now(town) < minute) {
        town_advance(town, MIN(minute, town_now(town) + MINUTES_PER_DAY), NULL);
        town_forget_effects(town);
    }
    town_advance(town, minute, NULL); /* what that minute itself still holds */
    town_forget_effects(town);
}

static void tell_again(void *ctx, uint64_t seq, int64_t minute, struct str bytes)
{
    struct telling *telling = ctx;
    struct replay *replay = telling->replay;
    struct input input;
    if (seq > telling->inputs || minute > replay->until || telling->broken) return;
    if (!input_read(bytes, &input) || minute < town_now(replay->town)) {
        telling->broken = true;
        return;
    }
    go_to(replay->town, (int32_t)minute);
    struct why why;
    /* What was refused then is refused now. */
    if (town_input(replay->town, &input, &why) != OK) replay->refused++;
    replay->told++;
}

enum err replay_town(struct db *db, const struct town_row *row, struct replay *replay,
                     struct why *why)
{
    ASSERT(replay->until <= row->minute && replay->from <= replay->until);
    struct arena arena = {0};
    struct town_checkpoint checkpoint;
    struct telling telling = {.replay = replay, .inputs = row->inputs};
    replay->town = NULL;
    replay->told = replay->refused = 0;
    enum err err = town_checkpoints_load(db, &arena, row->id, replay->from, &checkpoint, why);
    if (!err) err = town_read(checkpoint.state, &replay->town, why);
    if (!err) err = town_inputs_after(db, row->id, checkpoint.inputs, tell_again, &telling, why);
    if (!err && telling.broken)
        err = why_set(why, ERR_CORRUPT, "the town's journal does not fit its checkpoint");
    if (!err) {
        go_to(replay->town, (int32_t)replay->until);
        replay->from = checkpoint.minute;
    } else {
        town_free(replay->town);
        replay->town = NULL;
    }
    arena_release(&arena);
    return err;
}
