/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "api/errand.h"

void errand_settle(struct errand *errand)
{
    deadline_clear(&errand->late);
    list_remove(&errand->link);
}

static void refuse(struct errand *errand, enum err err, const char *sentence)
{
    struct call *call = errand->call;
    struct why why;
    errand_settle(errand);
    errand->dropped(errand);
    why_write(&why, "%s", sentence);
    call_refuse(call, err, &why);
}

static void on_late(struct deadline *deadline)
{
    refuse(CONTAINER_OF(deadline, struct errand, late), ERR_TIMEOUT,
           "no answer came in time; try again, or ask another model");
}

static void on_gone(void *ctx)
{
    struct errand *errand = ctx;
    struct http_exchange *x = errand->call->x;
    errand_settle(errand);
    errand->dropped(errand);
    x->status = 499;
    http_reply(x);
}

bool errand_begin(struct errand *errand, struct call *call, int64_t patience_us,
                  void (*dropped)(struct errand *errand))
{
    if (call->home->llm == NULL) {
        struct why why;
        enum err err = why_set(&why, ERR_BUSY, "the server is stopping");
        call_refuse(call, err, &why);
        return false;
    }
    errand->call = call;
    errand->dropped = dropped;
    list_init(&errand->late.link);
    errand->late.fired = on_late;
    list_add_last(&call->home->errands, &errand->link);
    deadline_set(call->home->loop, &errand->late, loop_now_us(call->home->loop) + patience_us);
    http_watch(call->x, (struct http_stream_events){.gone = on_gone, .ctx = errand});
    return true;
}

void errand_outlive(struct errand *errand, struct api_loop *home)
{
    errand->call = NULL;
    list_add_last(&home->errands, &errand->link);
}

void errands_abort(struct api_loop *home)
{
    while (!list_is_empty(&home->errands)) {
        struct errand *errand = CONTAINER_OF(home->errands.next, struct errand, link);
        errand->ending = true;
        if (errand->call) {
            refuse(errand, ERR_BUSY, "the server is stopping");
        } else {
            list_remove(&errand->link);
            errand->dropped(errand);
        }
    }
}
