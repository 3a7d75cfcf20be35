/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * auth/ticket.h: a ticket lets its holder in once, within a short while.
 *
 * A browser cannot send a header with a WebSocket, and a token in a URL ends up
 * in logs and histories. So a signed-in member asks for a ticket by a normal
 * request and puts that into the URL: it is gone once it was shown.
 *
 * Kept in memory of this process only, by hash. At most TICKETS_PER_MEMBER of
 * one member wait at a time, after that the oldest makes room; so no member can
 * use up the table. Any thread; one lock.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

struct tickets;

enum {
    TICKET_TEXT_BYTES = 44, /* 43 characters of base64url and a NUL: 256 random bits */
    TICKETS_PER_MEMBER = 8, /* tabs that a browser opens again at once */
};

/* Open data: whom a ticket lets in. */
struct ticket_holder {
    struct user_id user;
    uint64_t session; /* of the access token that asked for it */
    int role;         /* carried, not looked at */
};

struct tickets *tickets_new(size_t max, int64_t life_us);
void tickets_free(struct tickets *tickets); /* NULL is fine */

/*
 * A new ticket for `holder`, good until now_us + the life given to tickets_new(). `now_us` is
 * monotonic. ERR_BUSY: `max` tickets of others wait to be used.
 */
MUST_USE enum err ticket_give(struct tickets *tickets, const struct ticket_holder *holder,
                              int64_t now_us, char text_out[TICKET_TEXT_BYTES], struct why *why);
/* The holder, once. ERR_UNKNOWN_CALLER: never given, used already, or too old. */
MUST_USE enum err ticket_take(struct tickets *tickets, struct str text, int64_t now_us,
                              struct ticket_holder *holder_out, struct why *why);

/* Those that wait, including expired ones that nobody asked for since. */
size_t tickets_count(struct tickets *tickets);
void tickets_check(struct tickets *tickets); /* asserts the invariants; takes the lock */
