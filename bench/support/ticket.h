/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * bench/support/ticket.h: fetches what a socket needs to be let in, one after
 * the other on a connection of its own, waiting for each. Tickets are short-lived,
 * so they are asked for just before they are used.
 */
#pragma once

#include "request.h"

struct ticket_desk {
    const struct request *request; /* POST; without an address there are no tickets */
    struct str member;             /* of the JSON reply, a text */
    int fd;                        /* -1: not connected */
};

bool ticket_desk_is_open(const struct ticket_desk *desk);
/* Appended to `ticket_out`. Ends the program when there is none to be had. */
void ticket_fetch(struct ticket_desk *desk, struct str token, struct buf *ticket_out);
void ticket_desk_release(struct ticket_desk *desk);

/* A connected socket, non-blocking; ends the program when nobody answers. For set-up. */
int connect_wait(const struct endpoint *to);
