/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * app/doctor_comfyui.c: does a ComfyUI answer where the pictures of residents'
 * posts are to come from (GET /system_stats)? And how is their queue?
 *
 * Asked as the server asks, through the HTTP client on a loop of its own, so
 * that proxies and certificates count here as they do there.
 */
#include "app/doctor.h"
#include "base/json.h"
#include "http/client.h"
#include "store/pictures.h"

enum { ANSWER_MS = 5000, ANSWER_BYTES_MAX = 64 * 1024 };

struct asking {
    struct loop *loop;
    struct http_client *client;
    struct http_fetch *fetch;
    struct timer *late;
    struct buf body;
    int status;
    char said[200]; /* why there is no answer; "" while there may be one */
};

static void finish(struct asking *asking)
{
    if (asking->fetch) http_fetch_cancel(asking->fetch);
    asking->fetch = NULL;
    timer_free(asking->late);
    asking->late = NULL;
    http_client_close(asking->client);
    loop_stop(asking->loop);
}

static void on_head(void *ctx, struct http_fetch *fetch, int status)
{
    (void)fetch;
    ((struct asking *)ctx)->status = status;
}

static void on_piece(void *ctx, struct http_fetch *fetch, struct str bytes)
{
    (void)fetch;
    buf_add_str(&((struct asking *)ctx)->body, bytes);
}

static void on_done(void *ctx, struct http_fetch *fetch, const struct http_fetch_end *end)
{
    struct asking *asking = ctx;
    (void)fetch;
    asking->fetch = NULL;
    if (end->fault != HTTP_FETCH_OK)
        str_copy(asking->said, sizeof(asking->said), str_of(end->message));
    timer_start(asking->late, 0, 0); /* the client is closed outside of its own event */
}

static void on_time(void *ctx)
{
    struct asking *asking = ctx;
    if (asking->fetch) str_copy(asking->said, sizeof(asking->said), STR("no answer in time"));
    finish(asking);
}

static enum err ask(struct asking *asking, struct str url, struct why *why)
{
    static const struct http_fetch_events events = {on_head, on_piece, on_done};
    enum err err = loop_open(&asking->loop, why);
    if (err) return err;
    buf_init(&asking->body, ANSWER_BYTES_MAX);
    asking->client = http_client_open(asking->loop);
    asking->late = timer_new(asking->loop, on_time, asking);
    struct http_fetch_request request = {.method = "GET", .url = url, .connect_ms = ANSWER_MS};
    asking->fetch = http_fetch_start(asking->client, &request, &events, asking);
    timer_start(asking->late, ANSWER_MS, 0);
    loop_run(asking->loop);
    loop_close(asking->loop);
    return OK;
}

static bool is_comfyui(const struct asking *asking)
{
    struct json *tree = NULL;
    struct why why;
    if (asking->status != 200 || asking->body.failed) return false;
    if (json_parse(buf_str(&asking->body), &tree, NULL, &why) != OK) return false;
    bool is = json_get(tree, "system") && json_get(tree, "devices");
    json_free(tree);
    return is;
}

static void tell_address(struct visit *visit)
{
    struct asking asking = {0};
    struct why why;
    const char *mend = "start ComfyUI there, correct --comfyui-url, or leave it empty";
    struct str base = visit->settings->comfyui_url;
    while (base.len > 0 && base.at[base.len - 1] == '/') base.len--;
    struct str url = arena_printf(visit->arena, "%.*s/system_stats", STR_ARGS(base));
    base = setting_hide_secrets(visit->arena, base);
    if (ask(&asking, url, &why)) {
        visit_tell(visit, FINDING_WRONG, "pictures", NULL, "%s", why.text);
    } else if (asking.said[0]) {
        visit_tell(visit, FINDING_WRONG, "pictures", mend, "%.*s cannot be reached: %s",
                   STR_ARGS(base), asking.said);
    } else if (!is_comfyui(&asking)) {
        visit_tell(visit, FINDING_WRONG, "pictures", mend,
                   "what answers at %.*s is no ComfyUI (status %d)", STR_ARGS(base), asking.status);
    } else {
        visit_tell(visit, FINDING_OK, "pictures", NULL, "ComfyUI answers at %.*s", STR_ARGS(base));
    }
    buf_release(&asking.body);
}

static void tell_queue(struct visit *visit)
{
    uint64_t waiting, failed;
    struct why why;
    if (!visit->has_schema || pictures_count(visit->db, PICTURE_PENDING, &waiting, &why) ||
        pictures_count(visit->db, PICTURE_FAILED, &failed, &why) || waiting + failed == 0)
        return;
    visit_tell(
        visit, failed ? FINDING_WARN : FINDING_OK, "picture queue",
        failed ? "GET /town/pictures?state=failed says why; POST /town/pictures/ID/retry" : NULL,
        "%llu waiting, %llu failed", (unsigned long long)waiting, (unsigned long long)failed);
}

void doctor_comfyui(struct visit *visit)
{
    struct str url = visit->settings->comfyui_url;
    if (url.len == 0) return;
    /* What is no address, and a workflow that is none, are said among the settings. */
    if (str_starts(url, STR("http://")) || str_starts(url, STR("https://"))) tell_address(visit);
    tell_queue(visit);
}
