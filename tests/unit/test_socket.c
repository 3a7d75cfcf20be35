/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "unit.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/socket.h"

enum { MANY = 9 }; /* more than a socket has places for inside itself */

/* Lives on one loop. One listener, one client, and the socket that meets it. */
struct meeting {
    struct loop *loop;
    struct listener *listener;
    struct socket *socket;
    int client;
    int ended, closed;
};

static void on_data(void *ctx, char *bytes, size_t len)
{
    (void)ctx, (void)bytes, (void)len;
    fail_msg("the client says nothing");
}

static void on_ended(void *ctx)
{
    struct meeting *meeting = ctx;
    meeting->ended++;
    assert_int_equal(socket_queued(meeting->socket), 0);
    socket_close(meeting->socket);
}

static void on_drained(void *ctx)
{
    (void)ctx;
}

static void on_closed(void *ctx)
{
    struct meeting *meeting = ctx;
    meeting->closed++;
    listener_close(meeting->listener);
    loop_stop(meeting->loop);
}

static const struct socket_events events = {on_data, on_ended, on_drained, on_closed};

/* The client's reset is here before the turn ends in which much was queued for it. */
static void reset_and_queue(void *ctx, struct socket *socket)
{
    struct meeting *meeting = ctx;
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    meeting->socket = socket;
    socket_start(socket, &events, meeting);
    assert_int_equal(setsockopt(meeting->client, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)),
                     0);
    close(meeting->client);
    for (int i = 0; i < MANY; i++) {
        struct blob *blob = blob_new(100);
        memset(blob->at, 'x', 100);
        socket_queue_give(socket, blob);
    }
    assert_int_equal(socket_queued(socket), MANY * 100);
}

static int connect_to(const struct listener *listener)
{
    char address[64];
    listener_address(listener, address, sizeof(address));
    uint64_t port;
    assert_true(str_to_u64(str_of(strchr(address, ':') + 1), &port));
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

/* The address sanitizer's leak check is half of this test. */
static void
a_reset_in_the_turn_of_many_frames_ends_the_socket_once_and_frees_its_queue(void **state)
{
    (void)state;
    struct why why;
    struct meeting meeting = {0};
    assert_int_equal(loop_open(&meeting.loop, &why), OK);
    assert_int_equal(listener_open(meeting.loop, STR("127.0.0.1:0"), reset_and_queue, &meeting,
                                   &meeting.listener, &why),
                     OK);
    meeting.client = connect_to(meeting.listener);
    loop_run(meeting.loop);
    loop_close(meeting.loop);
    assert_int_equal(meeting.ended, 1);
    assert_int_equal(meeting.closed, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            a_reset_in_the_turn_of_many_frames_ends_the_socket_once_and_frees_its_queue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
