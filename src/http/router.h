/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * http/router.h: from a method and a path to a route.
 *
 * Patterns are segments divided by '/', a segment in braces takes anything:
 * "/posts/{post_id}/like". A literal segment wins over one in braces. Built
 * once at start-up, read-only afterwards, on any thread.
 */
#pragma once

#include "http/exchange.h"

struct router;

enum { ROUTER_PARAMS_MAX = 4, ROUTER_METHODS = HTTP_OTHER_ + 1 };

struct router *router_new(void);
void router_free(struct router *router); /* NULL is fine */
/* `route` is what router_find gives back. A pattern and method only once. */
void router_add(struct router *router, enum http_method method, const char *pattern,
                const void *route);

struct router_match {
    const void *route;                    /* NULL: none for this method … */
    unsigned methods;                     /* … bit 1 << method: those the path has */
    struct str params[ROUTER_PARAMS_MAX]; /* segments as sent, still percent-encoded */
    size_t param_count;
};
/* HEAD finds GET's route. */
struct router_match router_find(const struct router *router, enum http_method method,
                                struct str path);
