/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * townhall/moving.c: who comes to the town and who leaves it.
 *
 * The accounts of the community say who lives here, whoever changes them and by
 * whatever way, while the town lives or while nobody runs it: so they are looked
 * at once a second, and before the clock goes on after a start, and what is
 * different is told to the town. A resident without an account, or whose account
 * is banned, moves out; a banned one that is let in again comes back as who it
 * was; an account that has no number yet moves in.
 *
 * The row in town_people is written with the input (commit.c). If the account
 * went in between there is no row, and the next look finds a resident without
 * an account.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "townhall/internal.h"

enum { LOOK_MS = 1000 };

bool moving_is_due(const struct hall *hall)
{
    return hall->moves_us == 0 || clock_mono_us() - hall->moves_us >= INT64_C(1000) * LOOK_MS;
}

/* --- looking --- */

struct census {
    const struct hall *hall;
    bool *stays;      /* by number: it has an account that is not banned */
    size_t newcomers; /* accounts without a number */
};

static void see_standing(void *ctx, const struct town_standing *standing)
{
    struct census *census = ctx;
    if (standing->banned) return;
    if (!standing->has_number)
        census->newcomers++;
    else if (standing->number < census->hall->cast.count)
        census->stays[standing->number] = true;
}

/* --- telling --- */

struct moving {
    struct hall *hall;
    struct batch *batch;
};

/* Only what the town takes is journalled. */
static enum err tell(struct moving *moving, const struct input *input)
{
    struct batch *batch = moving->batch;
    struct why why;
    enum err err = town_input(moving->hall->town, input, &why);
    if (err)
        log_warn("town.moving", "resident=%u refused=\"%s\"", input->to, why.text);
    else
        batch->inputs[batch->input_count++].input = *input;
    return err;
}

static bool is_full(const struct moving *moving)
{
    return moving->batch->input_count == INPUTS_MAX;
}

static void tell_of_numbers(struct moving *moving, const bool *stays)
{
    const struct hall *hall = moving->hall;
    for (uint32_t who = 0; who < hall->cast.count && !is_full(moving); who++) {
        bool gone = town_is_gone(hall->town, who);
        if (gone != stays[who]) continue;
        struct input input = {.kind = gone ? INPUT_MOVE_BACK : INPUT_MOVE_OUT, .to = who};
        (void)tell(moving, &input);
    }
}

/* Whether one more can live here; the log is told once when not. */
static bool has_room(struct hall *hall)
{
    const struct town *town = hall->town;
    bool room =
        town_living_count(town) < PLAYERS_MAX && town_resident_count(town) < QUARTER_RESIDENTS_MAX;
    if (!room && !hall->crowded)
        log_warn("town.crowded", "living=%u numbers=%u", town_living_count(town),
                 town_resident_count(town));
    hall->crowded = !room;
    return room;
}

static void take_newcomer(void *ctx, const struct town_person *person)
{
    struct moving *moving = ctx;
    struct hall *hall = moving->hall;
    if (person->banned || is_full(moving) || !has_room(hall)) return;
    struct input input = {.kind = INPUT_MOVE_IN, .to = cast_add(&hall->cast, person)};
    input.draft = cast_draft(&hall->cast, hall->town, input.to);
    if (tell(moving, &input) != OK) cast_drop_last(&hall->cast);
}

enum err moving_tell(struct hall *hall, struct batch *batch, struct why *why)
{
    struct moving moving = {hall, batch};
    struct census census = {.hall = hall};
    census.stays = mem_alloc(sizeof(*census.stays) * (hall->cast.count + 1));
    enum err err = town_standings(hall->db, hall->row.id, see_standing, &census, why);
    hall->moves_us = clock_mono_us();
    batch->inputs_minute = town_now(hall->town);
    /* Newcomers are told as they are read: a store that fails between two of them leaves a batch
     * that is as good as a longer one. */
    if (!err) tell_of_numbers(&moving, census.stays);
    struct why late;
    if (!err && census.newcomers > 0 && !is_full(&moving) && has_room(hall) &&
        town_homeless_list(hall->db, take_newcomer, &moving, &late) != OK)
        log_warn("town.moving", "reason=\"%s\"", late.text);
    if (is_full(&moving)) hall->moves_us = 0; /* the rest at once */
    batch->row.inputs += batch->input_count;
    mem_free(census.stays);
    return err;
}

void moving_settle(struct hall *hall, const struct batch *batch)
{
    static const char *const events[] = {[INPUT_MOVE_OUT] = "town.left",
                                         [INPUT_MOVE_BACK] = "town.came_back",
                                         [INPUT_MOVE_IN] = "town.came"};
    for (size_t i = 0; i < batch->input_count; i++) {
        const struct input *input = &batch->inputs[i].input;
        log_info(events[input->kind], "resident=%u user=%llu minute=%d", input->to,
                 (unsigned long long)cast_user(&hall->cast, input->to).value, batch->inputs_minute);
    }
    mind_leave(hall);
    words_leave(hall);
    atomic_store(&hall->stats.residents, town_living_count(hall->town));
}
