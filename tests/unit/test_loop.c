/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "unit.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "io/loop.h"
#include "io/watch.h"

enum { MANY = 900 }; /* fewer than libuv takes from the kernel at once */

struct caller {
    struct desk *desk;
    int fd;
    struct watch *watch;
    struct turn_hook hook;
};

struct desk {
    struct loop *loop;
    size_t heard, passed_on, backlog_max;
    struct caller callers[MANY];
};

static void pass_on(struct turn_hook *hook)
{
    struct desk *desk = CONTAINER_OF(hook, struct caller, hook)->desk;
    if (++desk->passed_on < MANY) return;
    for (size_t i = 0; i < MANY; i++) watch_free(desk->callers[i].watch);
    loop_stop(desk->loop);
}

static void hear(void *ctx, int fd, int what)
{
    struct caller *caller = ctx;
    struct desk *desk = caller->desk;
    uint64_t value;
    assert_int_equal(what, WATCH_READ);
    assert_int_equal(read(fd, &value, sizeof(value)), sizeof(value));
    desk->heard++;
    desk->backlog_max = MAX(desk->backlog_max, desk->heard - desk->passed_on);
    loop_at_turn_end(desk->loop, &caller->hook);
}

static void what_comes_in_at_once_is_passed_on_before_all_of_it_has_been_heard(void **state)
{
    (void)state;
    static struct desk desk;
    struct why why;
    assert_int_equal(loop_open(&desk.loop, &why), OK);
    for (size_t i = 0; i < MANY; i++) {
        struct caller *caller = &desk.callers[i];
        caller->desk = &desk;
        caller->fd = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
        assert_true(caller->fd >= 0);
        caller->hook.run = pass_on;
        list_init(&caller->hook.link);
        caller->watch = watch_new(desk.loop, caller->fd, hear, caller);
        watch_for(caller->watch, WATCH_READ);
    }
    loop_run(desk.loop);
    loop_close(desk.loop);
    assert_int_equal(desk.heard, MANY);
    assert_int_equal(desk.passed_on, MANY);
    assert_true(desk.backlog_max <= 64);
    for (size_t i = 0; i < MANY; i++) close(desk.callers[i].fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_comes_in_at_once_is_passed_on_before_all_of_it_has_been_heard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
