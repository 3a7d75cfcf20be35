/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* bench/support/net.h: addresses and sockets of the measuring tools. IPv4, plain TCP. */
#pragma once

#include "base/err.h"
#include "base/str.h"

#include <netinet/in.h>

struct endpoint {
    struct sockaddr_in address;
    char host[64];   /* "127.0.0.1:8000", for the Host header */
    struct str path; /* with query, at least "/"; borrowed from the URL */
};

/* http:// or ws://, a numeric IPv4 address or localhost, and a port. */
MUST_USE enum err endpoint_parse(struct str url, struct endpoint *endpoint_out, struct why *why);

/*
 * A non-blocking socket on its way to `endpoint`, from 127.0.0.(1 + source), or -1 and errno.
 * One loopback address has about 28,000 ports, and servers count connections per address.
 */
int endpoint_connect(const struct endpoint *endpoint, unsigned source);

/* Listens on 127.0.0.1 at `*port` (0: the kernel chooses and it is told there); -1 and errno. */
int listen_local(uint16_t *port);

/* 0, or the errno of a connect that has ended. */
int socket_error(int fd);
