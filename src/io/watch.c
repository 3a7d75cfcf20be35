/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "io/watch.h"

#include "base/mem.h"
#include "io/internal.h"

struct watch {
    uv_poll_t uv;
    int fd, what;
    watch_ready *ready;
    void *ctx;
};

struct watch *watch_new(struct loop *loop, int fd, watch_ready *ready, void *ctx)
{
    struct watch *watch = NEW(struct watch);
    watch->fd = fd;
    watch->ready = ready;
    watch->ctx = ctx;
    int failed = uv_poll_init(&loop->uv, &watch->uv, fd);
    ASSERT(failed == 0); /* only for what epoll cannot watch: files */
    uv_unref((uv_handle_t *)&watch->uv);
    return watch;
}

static void on_poll(uv_poll_t *uv, int status, int events)
{
    struct watch *watch = CONTAINER_OF(uv, struct watch, uv);
    struct loop *loop = CONTAINER_OF(uv->loop, struct loop, uv);
    int what = 0;
    if (events & UV_READABLE) what |= WATCH_READ;
    if (events & UV_WRITABLE) what |= WATCH_WRITE;
    if (status < 0) { /* libuv has stopped it */
        what = WATCH_READ | WATCH_WRITE;
        watch->what = 0;
    }
    watch->ready(watch->ctx, watch->fd, what);
    loop_heard(loop);
}

void watch_for(struct watch *watch, int what)
{
    int events = 0;
    if (what == watch->what) return; /* libuv would leave epoll and come back */
    watch->what = what;
    if (what & WATCH_READ) events |= UV_READABLE;
    if (what & WATCH_WRITE) events |= UV_WRITABLE;
    if (events == 0) {
        uv_poll_stop(&watch->uv);
    } else {
        uv_poll_start(&watch->uv, events, on_poll);
    }
}

static void on_closed(uv_handle_t *handle)
{
    mem_free(CONTAINER_OF((uv_poll_t *)(void *)handle, struct watch, uv));
}

void watch_free(struct watch *watch)
{
    if (watch) uv_close((uv_handle_t *)&watch->uv, on_closed);
}
