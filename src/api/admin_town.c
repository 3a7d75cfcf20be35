/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* api/admin_town.c: GET /admin/town: how the town fares, for who keeps it running. */
#include "api/handlers.h"
#include "llm/models.h"
#include "llm/site.h"
#include "store/pictures.h"
#include "store/towns.h"
#include "townhall/budget.h"
#include "townhall/hall.h"

/* Where the town is, seen from this process, and why it is not here. */
static const char *place_of_town(struct call *call, struct why *why)
{
    if (!call->api->hall) {
        why_write(why, "the setting town is off here (HUTONG_TOWN): no town is run by this server");
        return "off";
    }
    enum err err = hall_find_town(call->api->hall, why);
    return err == OK ? "here" : err == ERR_BUSY ? "elsewhere" : "none";
}

static void put_row(struct json_out *out, const struct town_row *row)
{
    json_put_bool(out, "running", row->running);
    json_put_u64(out, "speed", row->speed);
    json_put_i64(out, "minute", row->minute);
}

static void put_budget(struct json_out *out, const struct hall_stats *stats)
{
    enum budget_state state = (enum budget_state)stats->budget;
    json_open(out, "budget", '{');
    json_put_u64(out, "tokens", stats->tokens);
    json_put_u64(out, "tokens_most", stats->tokens_most);
    json_put_u64(out, "money_micro", stats->micro);
    json_put_u64(out, "money_most_micro", stats->micro_most);
    json_put_opt(out, "spent",
                 state == BUDGET_LEFT ? (struct str){0} : str_of(budget_state_text(state)));
    json_close(out, '}');
}

static void put_stats(struct json_out *out, struct call *call)
{
    static const char *const keys[] = {"pending", "processing", "completed", "failed"};
    const struct hall_stats *stats = hall_stats(call->api->hall);
    json_put_u64(out, "residents", stats->residents);
    json_put_u64(out, "todo", stats->todo);
    json_put_u64(out, "questions", stats->questions);
    put_budget(out, stats);
    bool pictures = call->api->settings->comfyui_url.len > 0;
    if (!pictures) json_put_null(out, "pictures");
    if (pictures) json_open(out, "pictures", '{');
    for (size_t i = 0; pictures && i < COUNT_OF(keys); i++)
        json_put_u64(out, keys[i], stats->pictures[i]);
    if (pictures) json_close(out, '}');
}

static void put_checkpoint(struct json_out *out, bool found, int64_t minute, int64_t made_us)
{
    if (!found) {
        json_put_null(out, "checkpoint");
        return;
    }
    json_open(out, "checkpoint", '{');
    json_put_i64(out, "minute", minute);
    json_put_time(out, "created_at", made_us);
    json_close(out, '}');
}

static void put_mind(struct json_out *out, const struct call *call)
{
    const struct llm *llm = call->api->llm;
    bool asked = !llm_is_offline(llm->standard.place) && call->api->settings->town_model_share > 0;
    json_put_str(out, "mind", asked ? STR("model") : STR("rules"));
    json_put_str(out, "words", llm_default_model(llm));
}

enum err admin_get_town(struct call *call, struct why *why)
{
    struct why where = {0};
    const char *place = place_of_town(call, &where);
    struct town_row row;
    int64_t minute = 0, made_us = 0;
    bool saved = false;
    enum err err = towns_load_first(call->db, call->arena, &row, why);
    bool founded = err == OK;
    if (err == ERR_NOT_FOUND) err = OK;
    if (!err && founded)
        err = town_checkpoints_last(call->db, row.id, &minute, &made_us, &saved, why);
    if (err) return err;
    bool here = strcmp(place, "here") == 0;
    struct json_out out = call_json(call);
    json_open(&out, NULL, '{');
    json_put_str(&out, "state", str_of(place));
    json_put_opt(&out, "detail", here ? (struct str){0} : str_of(where.text));
    put_mind(&out, call);
    if (founded) put_row(&out, &row);
    put_checkpoint(&out, saved, minute, made_us);
    if (here) put_stats(&out, call);
    json_close(&out, '}');
    return OK;
}
