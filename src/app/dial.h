/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * app/dial.h: knock at a port and ask one question.
 *
 * Plain blocking sockets with short time-outs (3 s), on the main thread, where
 * there is no loop: in `hutong doctor`, and before the server has one.
 */
#pragma once

#include <netdb.h>

#include "base/settings.h"

/* A connected socket whose reads and writes end in time, or -1 with errno. */
int dial(const struct addrinfo *to);
/* Send a question; read into `to` until the answer holds `end`, the peer closes, or time is over.
 */
struct str dial_ask(int fd, struct str question, struct str end, char *to, size_t to_bytes);

enum neighbour {
    NEIGHBOUR_NONE,    /* nobody answers */
    NEIGHBOUR_PROGRAM, /* no Hutong, or one that says nothing in time */
    NEIGHBOUR_OURS,    /* a Hutong on our data: it signs with a key of ours */
    NEIGHBOUR_FOREIGN, /* a Hutong on other data: two communities at one address */
};
/* Who answers there, told by GET /health/live. */
enum neighbour dial_neighbour(const struct addrinfo *to, const struct settings *settings);

/* ERR_INVALID: where these settings would listen, a Hutong on other data does. SO_REUSEPORT lets it
 * share the address with us, and the kernel would deal members out between two communities. */
MUST_USE enum err dial_check(const struct settings *settings, struct why *why);
