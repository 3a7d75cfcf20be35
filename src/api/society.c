/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* api/society.c: /town/society and /town/ties: the town in numbers, for plots. */
#include <stdlib.h>

#include "api/handlers.h"
#include "api/input.h"
#include "base/clock.h"
#include "community/shapes.h"
#include "store/society.h"
#include "townhall/hall.h"

enum {
    DAYS_MAX = 30,
    BUSIEST = 50,
    SPENDING_DAYS = 30,
    TIES_MAX = 500,
    DAY_MINUTES = 24 * 60,
};
#define DAY_US (INT64_C(86400) * 1000000)

/* Who writes to a resident, and when, is between the two, as in the log (townhall/between.c): for
 * all but administrators its messages are time with the phone. */
static struct str shown_type(struct str type, bool frank)
{
    return !frank && str_eq(type, STR("message")) ? STR("use_phone") : type;
}

/* --- deeds by hour --- */

/* What one kind of deed comes to, by hours. */
struct deed_hours {
    struct str type;
    uint64_t hour[24];
    struct deed_hours *next;
};
struct hours {
    struct arena *arena;
    bool frank;
    struct deed_hours *first;
};

static void note_hour(void *ctx, struct str type, int hour, uint64_t count)
{
    struct hours *hours = ctx;
    type = shown_type(type, hours->frank);
    struct deed_hours *deed = hours->first;
    while (deed && !str_eq(deed->type, type)) deed = deed->next;
    if (!deed) {
        deed = ARENA_NEW(hours->arena, struct deed_hours);
        deed->type = arena_copy(hours->arena, type);
        deed->next = hours->first;
        hours->first = deed;
    }
    deed->hour[hour] += count;
}

static enum err put_hours(struct call *call, struct json_out *out, const struct society *society,
                          int32_t from_day, struct why *why)
{
    struct hours hours = {.arena = call->arena, .frank = call->who.role == ROLE_ADMIN};
    enum err err = society_hours(call->db, society, from_day, note_hour, &hours, why);
    json_open(out, "activity", '[');
    for (const struct deed_hours *deed = hours.first; deed; deed = deed->next) {
        json_open(out, NULL, '{');
        json_put_str(out, "type", deed->type);
        json_open(out, "hours", '[');
        for (int hour = 0; hour < 24; hour++) json_put_u64(out, NULL, deed->hour[hour]);
        json_close(out, ']');
        json_close(out, '}');
    }
    json_close(out, ']');
    return err;
}

/* --- deeds by resident --- */

struct deed_count {
    struct str type;
    uint64_t count;
    struct deed_count *next;
};
struct doer {
    struct user_id id;
    uint64_t total;
    struct deed_count *deeds;
};
/* Those who did most, in no order; the table gives one resident's rows together. */
struct doers {
    struct arena *arena;
    bool frank;
    struct doer now, busiest[BUSIEST];
    size_t count;
};

static void keep_doer(struct doers *doers)
{
    if (doers->now.id.value == 0) return;
    if (doers->count < BUSIEST) {
        doers->busiest[doers->count++] = doers->now;
        return;
    }
    struct doer *least = &doers->busiest[0];
    for (size_t i = 1; i < BUSIEST; i++)
        if (doers->busiest[i].total < least->total) least = &doers->busiest[i];
    if (least->total < doers->now.total) *least = doers->now;
}

static void note_deeds(void *ctx, struct user_id character, struct str type, uint64_t count)
{
    struct doers *doers = ctx;
    if (doers->now.id.value != character.value) {
        keep_doer(doers);
        doers->now = (struct doer){.id = character};
    }
    doers->now.total += count;
    type = shown_type(type, doers->frank);
    for (struct deed_count *deed = doers->now.deeds; deed; deed = deed->next) {
        if (!str_eq(deed->type, type)) continue;
        deed->count += count;
        return;
    }
    struct deed_count *deed = ARENA_NEW(doers->arena, struct deed_count);
    *deed = (struct deed_count){arena_copy(doers->arena, type), count, doers->now.deeds};
    doers->now.deeds = deed;
}

static int by_total(const void *a, const void *b)
{
    const struct doer *x = a, *y = b;
    if (x->total != y->total) return x->total < y->total ? 1 : -1;
    return (x->id.value > y->id.value) - (x->id.value < y->id.value);
}

static enum err put_doer(struct call *call, struct json_out *out, const struct doer *doer,
                         struct why *why)
{
    struct user user;
    enum err err = users_load(call->db, call->arena, doer->id, &user, why);
    if (err) return err == ERR_NOT_FOUND ? OK : err; /* deleted since it was counted */
    json_open(out, NULL, '{');
    shape_user_brief(out, "user", &user.brief);
    json_put_u64(out, "total", doer->total);
    json_open(out, "deeds", '[');
    for (const struct deed_count *deed = doer->deeds; deed; deed = deed->next) {
        json_open(out, NULL, '{');
        json_put_str(out, "type", deed->type);
        json_put_u64(out, "count", deed->count);
        json_close(out, '}');
    }
    json_close(out, ']');
    json_close(out, '}');
    return OK;
}

static enum err put_doers(struct call *call, struct json_out *out, const struct society *society,
                          int32_t from_day, struct why *why)
{
    struct doers *doers = ARENA_NEW(call->arena, struct doers);
    doers->arena = call->arena;
    doers->frank = call->who.role == ROLE_ADMIN;
    enum err err = society_deeds(call->db, society, from_day, note_deeds, doers, why);
    keep_doer(doers);
    qsort(doers->busiest, doers->count, sizeof(doers->busiest[0]), by_total);
    json_open(out, "residents", '[');
    for (size_t i = 0; i < doers->count && !err; i++)
        err = put_doer(call, out, &doers->busiest[i], why);
    json_close(out, ']');
    return err;
}

/* --- needs and money --- */

static void put_need(void *ctx, const struct society_need *need)
{
    struct json_out *out = ctx;
    json_open(out, NULL, '{');
    json_put_i64(out, "hour", need->hour);
    json_put_str(out, "need", need->need);
    json_put_double(out, "mean", (double)need->mean / 100);
    json_put_double(out, "low", (double)need->low / 100);
    json_put_double(out, "middle", (double)need->middle / 100);
    json_put_double(out, "high", (double)need->high / 100);
    json_close(out, '}');
}

static enum err put_needs(struct call *call, struct json_out *out, const struct society *society,
                          int32_t from_day, struct why *why)
{
    json_open(out, "needs", '[');
    enum err err =
        society_needs(call->db, society->town, (int64_t)(from_day - 1) * 24, put_need, out, why);
    json_close(out, ']');
    return err;
}

static void put_spent(void *ctx, int64_t day, const struct town_spending *spent)
{
    struct json_out *out = ctx;
    json_open(out, NULL, '{');
    json_put_time(out, "day", day * DAY_US);
    json_put_u64(out, "tokens", spent->tokens);
    json_put_u64(out, "cost_micro", spent->cost_micro);
    json_close(out, '}');
}

/* What it costs is the business of who pays for it. */
static enum err put_spending(struct call *call, struct json_out *out, struct why *why)
{
    if (call->who.role != ROLE_ADMIN) {
        json_put_null(out, "spending");
        return OK;
    }
    json_open(out, "spending", '[');
    enum err err = society_spending(call->db, clock_wall_us() / DAY_US - SPENDING_DAYS + 1,
                                    put_spent, out, why);
    json_close(out, ']');
    return err;
}

/* --- the routes --- */

enum err society_get(struct call *call, struct why *why)
{
    int32_t days = (int32_t)input_query_int(call, "days", 7, 1, DAYS_MAX);
    struct society society;
    enum err err = input_check(call, why);
    if (!err) err = society_load(call->db, &society, why);
    if (err) return err;
    int32_t day = (int32_t)(society.minute / DAY_MINUTES) + 1;
    int32_t from_day = MAX(day - days + 1, 1);
    struct json_out out = call_json(call);
    json_open(&out, NULL, '{');
    json_put_i64(&out, "minute", society.minute);
    json_put_i64(&out, "from_day", from_day);
    json_put_i64(&out, "to_day", day);
    err = put_hours(call, &out, &society, from_day, why);
    if (!err) err = put_doers(call, &out, &society, from_day, why);
    if (!err) err = put_needs(call, &out, &society, from_day, why);
    if (!err) err = put_spending(call, &out, why);
    json_close(&out, '}');
    return err;
}

enum err society_get_ties(struct call *call, struct why *why)
{
    uint32_t most = (uint32_t)input_query_int(call, "limit", 150, 1, TIES_MAX);
    enum err err = input_check(call, why);
    if (err) return err;
    if (!call->api->hall)
        return why_set(why, ERR_NOT_FOUND, "no town runs on this server (setting town)");
    struct json_out out = call_json(call);
    return hall_write_ties(call->api->hall, most, out.buf, why);
}
