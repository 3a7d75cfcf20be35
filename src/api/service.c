/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* api/service.c: the door, and the places of the town. */
#include "api/handlers.h"
#include "http/header.h"
#include "store/records.h"

enum err service_index(struct call *call, struct why *why)
{
    struct str accept = http_find_list(call->x, STR("accept"));
    http_add_header(call->x, "Vary", STR("Accept"));
    if (header_accept_quality(accept, "text/html") >
        header_accept_quality(accept, "application/json")) {
        return app_page(call, why);
    }
    struct json_out out = call_json(call);
    json_open(&out, NULL, '{');
    json_put_str(&out, "message", STR("欢迎来到胡同 (welcome to Hutong)"));
    json_put_str(&out, "docs", STR("/docs"));
    json_put_str(&out, "version", STR("1.0.0"));
    json_close(&out, '}');
    return OK;
}

static void put_place(void *ctx, const struct location *place)
{
    struct json_out *out = ctx;
    json_open(out, NULL, '{');
    json_put_u64(out, "id", place->id);
    json_put_str(out, "name", place->name);
    json_put_opt(out, "location_type", place->type);
    json_put_double(out, "x", place->x);
    json_put_double(out, "y", place->y);
    json_put_double(out, "width", place->width);
    json_put_double(out, "height", place->height);
    json_put_opt(out, "description", place->description);
    json_close(out, '}');
}

enum err places_get(struct call *call, struct why *why)
{
    struct json_out out = call_json(call);
    json_open(&out, NULL, '{');
    json_open(&out, "items", '[');
    enum err err = locations_list(call->db, put_place, &out, why);
    json_close(&out, ']');
    json_close(&out, '}');
    return err;
}
