/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * app/town_upkeep.c: `hutong town replay` and `hutong town forget`: what is done
 * to the town of a community that nobody steers.
 */
#include <unistd.h>

#include "app/open.h"
#include "app/town.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/migrate.h"
#include "store/towns.h"
#include "townhall/hall.h"
#include "townhall/holder.h"
#include "townhall/replay.h"

enum { LEASE_LOOK_US = 250 * 1000 };

/* --- shared with the console --- */

const char *town_time_text(struct arena *arena, int64_t minute)
{
    struct buf buf;
    buf_init(&buf, 64);
    game_time_write(&buf, (int32_t)minute);
    const char *text = arena_copy(arena, buf_str(&buf)).at;
    buf_release(&buf);
    return text;
}

enum err town_say_who_runs_it(struct db *db, struct arena *arena, struct why *why)
{
    struct town_row row;
    struct str host = {0}, pid = {0};
    enum err err = towns_load_first(db, arena, &row, why);
    if (err) return err;
    struct str rest = row.holder;
    (void)(str_split(&rest, ':', &host) && str_split(&rest, ':', &pid));
    return why_set(why, ERR_BUSY,
                   "the town is run by process %.*s on %.*s; stop that one (kill %.*s), or steer "
                   "the town there with POST /town/control",
                   STR_ARGS(pid), STR_ARGS(host), STR_ARGS(pid));
}

/* --- replay --- */

static void print_replay(const struct replay *replay, struct arena *arena)
{
    printf("from %s to %s: %llu inputs told again, %llu effects\n",
           town_time_text(arena, replay->from), town_time_text(arena, replay->until),
           (unsigned long long)replay->told, (unsigned long long)town_effect_count(replay->town));
}

/* The whole life anew, beside what the last checkpoint leads to. 1: they differ. */
static int compare(struct args *args, struct db *db, const struct town_row *row, int64_t until)
{
    struct replay whole = {.from = TOWN_START_MIN, .until = until};
    struct replay last = {.from = until, .until = until};
    struct why why;
    enum err err = replay_town(db, row, &whole, &why);
    if (!err) err = replay_town(db, row, &last, &why);
    int status = err ? fail(&why) : 0;
    if (!err) {
        print_replay(&whole, &args->arena);
        uint64_t hash = town_hash(whole.town);
        bool same = hash == town_hash(last.town);
        bool counted = until < row->minute || town_effect_count(whole.town) == row->effects;
        if (same && counted)
            printf("the same as from the checkpoint of %s\n",
                   town_time_text(&args->arena, last.from));
        if (!same)
            printf("DIFFERS from what the checkpoint of %s leads to: %016llx\n",
                   town_time_text(&args->arena, last.from),
                   (unsigned long long)town_hash(last.town));
        if (!counted)
            printf("DIFFERS from the %llu effects that were performed\n",
                   (unsigned long long)row->effects);
        printf("run hash: %016llx\n", (unsigned long long)hash);
        status = same && counted ? 0 : 1;
    }
    town_free(whole.town);
    town_free(last.town);
    return status;
}

int run_town_replay(struct args *args)
{
    struct db *db = NULL;
    struct town_row row;
    struct why why;
    uint64_t until = 0;
    if (!args_number(args, "until", 0, &until) || until > TOWN_END_MIN)
        return usage_error("--until is \"%s\"; allowed: game minutes since day 1, 00:00",
                           args_option(args, "until"));
    if (log_open(NULL, LOG_ERROR, &why)) return fail(&why);
    enum err err = open_to_look(&args->settings, &db, &why);
    if (!err) err = migrate_check(db, embedded_files, &why);
    if (!err) err = towns_load_first(db, &args->arena, &row, &why);
    bool given = args_option(args, "until") != NULL;
    if (!err && given && ((int64_t)until > row.minute || until < TOWN_START_MIN))
        err =
            why_set(&why, ERR_INVALID, "--until is %llu; the town has lived from minute %d to %lld",
                    (unsigned long long)until, TOWN_START_MIN, (long long)row.minute);
    int status = err ? fail(&why) : compare(args, db, &row, given ? (int64_t)until : row.minute);
    db_close(db);
    return status;
}

/* --- forget --- */

struct forgetting {
    struct arena arena;
    struct town_row row;
    bool dead;           /* who holds it is no more */
    int64_t promised_us; /* until when its lease went when the waiting began; 0: it has not */
};

static enum err apply_forgetting(void *ctx, struct db *db, struct why *why)
{
    struct forgetting *forgetting = ctx;
    int64_t now_us = clock_wall_us();
    arena_reset(&forgetting->arena);
    enum err err = towns_load_first(db, &forgetting->arena, &forgetting->row, why);
    struct town_id id = forgetting->row.id;
    uint64_t fence;
    if (!err)
        err = towns_claim(db, id, STR("forget"), forgetting->dead ? INT64_MAX : now_us, now_us,
                          &fence, why);
    return err ? err : towns_remove(db, id, fence, why);
}

/*
 * Of a holder on another machine only its lease tells whether it lives: one that is dead does not
 * renew it. True: ask again now. False: it lives.
 */
static bool wait_for_lease(struct forgetting *forgetting)
{
    const struct town_row *row = &forgetting->row;
    int64_t left_us = row->lease_us - clock_wall_us();
    if (forgetting->promised_us && row->lease_us > forgetting->promised_us) return false;
    if (!forgetting->promised_us) {
        struct str who = holder_words(&forgetting->arena, row->holder);
        fprintf(
            stderr,
            "hutong: the town is held by %.*s; waiting until that lets go, or for %lld seconds, "
            "when its lease ends unless it lives\n",
            STR_ARGS(who), (long long)(MAX(left_us, 0) / 1000000 + 1));
        forgetting->promised_us = row->lease_us;
    }
    usleep(LEASE_LOOK_US);
    return true;
}

/* ERR_BUSY: somebody has the town who lives. */
static enum err forget(struct store *store, struct db *db, struct forgetting *forgetting,
                       struct why *why)
{
    for (;;) {
        enum err err = store_write(store, db, apply_forgetting, forgetting, why);
        if (err != ERR_BUSY) return err;
        enum holder_state state = holder_look(forgetting->row.holder);
        if (state == HOLDER_LIVES) return err;
        forgetting->dead = state == HOLDER_DEAD;
        if (!forgetting->dead && !wait_for_lease(forgetting)) return err;
    }
}

int run_town_forget(struct args *args)
{
    struct forgetting forgetting = {0};
    struct store *store = NULL;
    struct db *db = NULL;
    struct why why;
    if (!args_option(args, "yes"))
        return usage_error("town forget takes clock, memories and friendships from everybody in "
                           "the town for ever; add --yes if that is meant");
    if (log_open(NULL, LOG_ERROR, &why)) return fail(&why);
    enum err err = open_to_look(&args->settings, &db, &why);
    if (err) return fail(&why);
    db_close(db);
    err = open_store(&args->settings, &store, &db, &why);
    if (err) return fail(&why);
    err = forget(store, db, &forgetting, &why);
    if (err == ERR_BUSY) err = town_say_who_runs_it(db, &args->arena, &why);
    if (!err)
        printf("the town of %s is forgotten; the next one is founded with everybody there is\n",
               town_time_text(&args->arena, forgetting.row.minute));
    db_close(db);
    store_close(store);
    arena_release(&forgetting.arena);
    return err ? fail(&why) : 0;
}
