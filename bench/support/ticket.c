/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "ticket.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/json.h"
#include "measure.h"
#include "reply.h"

enum { WAIT_MS = 10000, READ_BYTES = 16 * 1024, REQUEST_BYTES_MAX = 64 * 1024 };

bool ticket_desk_is_open(const struct ticket_desk *desk)
{
    return desk->request->to.path.len > 0;
}

int connect_wait(const struct endpoint *to)
{
    int fd = endpoint_connect(to, 0);
    struct pollfd pending = {.fd = fd, .events = POLLOUT};
    if (fd < 0 || poll(&pending, 1, WAIT_MS) != 1 || socket_error(fd)) {
        give_up("fanout", "no connection to %s", to->host);
    }
    return fd;
}

static void send_request(const struct ticket_desk *desk, struct str token)
{
    struct buf out;
    buf_init(&out, REQUEST_BYTES_MAX);
    request_write(&out, desk->request, token, 0);
    if (send(desk->fd, out.at, out.len, MSG_NOSIGNAL) != (ssize_t)out.len) {
        give_up("fanout", "no ticket: the connection is gone");
    }
    buf_release(&out);
}

static void read_reply(const struct ticket_desk *desk, struct reply *reply)
{
    char piece[READ_BYTES];
    enum reply_step step = REPLY_MORE;
    while (step == REPLY_MORE) {
        struct pollfd pending = {.fd = desk->fd, .events = POLLIN};
        if (poll(&pending, 1, WAIT_MS) != 1) give_up("fanout", "no ticket within 10 s");
        ssize_t got = recv(desk->fd, piece, sizeof(piece), 0);
        if (got < 0) give_up("fanout", "no ticket: the connection is gone");
        struct str bytes = {piece, (size_t)got};
        step = got ? reply_feed(reply, &bytes) : reply_end(reply);
    }
    if (step == REPLY_BROKEN || reply->status / 100 != 2) {
        give_up("fanout", "no ticket: status %d", reply->status);
    }
}

static void take_ticket(const struct ticket_desk *desk, struct str body, struct buf *ticket_out)
{
    struct json *tree = NULL;
    struct why why;
    struct str ticket;
    char name[64];
    str_copy(name, sizeof(name), desk->member);
    if (json_parse(body, &tree, NULL, &why) || !json_as_str(json_get(tree, name), &ticket)) {
        give_up("fanout", "the ticket's reply has no text member \"%s\"", name);
    }
    buf_add_str(ticket_out, ticket);
    json_free(tree);
}

void ticket_fetch(struct ticket_desk *desk, struct str token, struct buf *ticket_out)
{
    struct reply reply;
    reply_init(&reply);
    reply.keep_body = true;
    if (desk->fd < 0) desk->fd = connect_wait(&desk->request->to);
    send_request(desk, token);
    read_reply(desk, &reply);
    take_ticket(desk, buf_str(&reply.body), ticket_out);
    if (reply.close) ticket_desk_release(desk);
    reply_release(&reply);
}

void ticket_desk_release(struct ticket_desk *desk)
{
    if (desk->fd >= 0) close(desk->fd);
    desk->fd = -1;
}
