/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* api/town_pictures.c: /town/pictures: the residents' picture queue, for administrators. */
#include "api/handlers.h"
#include "api/input.h"
#include "base/clock.h"
#include "base/limits.h"
#include "store/pictures.h"

struct page {
    struct json_out *out;
    uint64_t last;
    size_t count;
};

static void put_row(struct json_out *out, const struct picture_row *row)
{
    json_open(out, NULL, '{');
    json_put_u64(out, "id", row->id);
    json_put_u64(out, "character_id", row->character.value);
    json_put_id(out, "post_id", row->post.value);
    json_put_str(out, "status", str_of(picture_state_name(row->state)));
    json_put_str(out, "prompt", row->prompt);
    json_put_u64(out, "seed", row->seed);
    json_put_opt(out, "result_path", row->result_path);
    json_put_opt(out, "error", row->error);
    json_put_u64(out, "tries", row->tries);
    if (row->state == PICTURE_PENDING) {
        json_put_time(out, "next_try_at", row->next_try_us);
    } else {
        json_put_null(out, "next_try_at");
    }
    json_put_time(out, "created_at", row->created_us);
    json_put_time(out, "updated_at", row->updated_us);
    json_close(out, '}');
}

static void put_listed(void *ctx, const struct picture_row *row)
{
    struct page *page = ctx;
    put_row(page->out, row);
    page->last = row->id;
    page->count++;
}

enum err town_get_pictures(struct call *call, struct why *why)
{
    struct pictures_query query = {.state = -1};
    uint64_t after;
    input_query_cursors(call, &query.before, &after);
    if (after)
        input_fault(call, "query", "after", "value_error", "the queue goes back in time: before");
    query.limit = (uint64_t)input_query_int(call, "limit", 50, 1, LIMIT_PAGE_SIZE);
    struct str name = input_query_str(call, "state");
    enum picture_state state;
    if (name.at && picture_state_parse(name, &state)) {
        query.state = (int)state;
    } else if (name.at) {
        input_fault(call, "query", "state", "enum",
                    "state must be pending, processing, completed or failed");
    }
    enum err err = input_check(call, why);
    if (err) return err;
    struct json_out out = call_json(call);
    struct page page = {.out = &out};
    json_open(&out, NULL, '{');
    json_open(&out, "items", '[');
    err = pictures_list(call->db, &query, put_listed, &page, why);
    json_close(&out, ']');
    json_put_id(&out, "next_before", page.count == query.limit ? page.last : 0);
    json_close(&out, '}');
    return err;
}

enum err town_retry_picture(struct call *call, struct why *why)
{
    struct picture_row row;
    uint64_t id = input_path_id(call, 0, "picture_id");
    int64_t now_us = clock_wall_us();
    enum err err = input_check(call, why);
    if (!err) err = pictures_load(call->db, call->arena, id, &row, why);
    if (err) return err;
    if (row.state != PICTURE_FAILED) {
        return why_set(why, ERR_CONFLICT, "the picture is %s: only one that failed is tried again",
                       picture_state_name(row.state));
    }
    if (row.post.value == 0) {
        return why_set(why, ERR_CONFLICT, "the post it was for has been deleted");
    }
    row.state = PICTURE_PENDING;
    row.tries = 0;
    row.next_try_us = row.updated_us = now_us;
    row.error = row.prompt_id = (struct str){0};
    err = pictures_save(call->db, &row, PICTURE_FAILED, now_us, why);
    if (err) return err;
    struct json_out out = call_json(call);
    put_row(&out, &row);
    return OK;
}
