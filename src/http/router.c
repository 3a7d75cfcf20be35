/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "http/router.h"

#include "base/mem.h"

/*
 * One segment of some patterns. The names of the children stand side by side: a list of nodes
 * would be as many places in memory to fetch, for every request.
 */
struct node {
    struct str *names;      /* owned; of the patterns: borrowed */
    struct node **children; /* owned, and each of them */
    size_t count;
    struct node *any; /* owned: the child in braces */
    const void *routes[ROUTER_METHODS];
};

struct router {
    struct node *root; /* owned */
};

struct router *router_new(void)
{
    struct router *router = NEW(struct router);
    router->root = NEW(struct node);
    return router;
}

static void node_free(struct node *node)
{
    if (node == NULL) return;
    for (size_t i = 0; i < node->count; i++) node_free(node->children[i]);
    node_free(node->any);
    mem_free(node->names);
    mem_free(node->children);
    mem_free(node);
}

void router_free(struct router *router)
{
    if (router == NULL) return;
    node_free(router->root);
    mem_free(router);
}

static struct node *find_child(const struct node *node, struct str segment)
{
    for (size_t i = 0; i < node->count; i++) {
        if (str_eq(node->names[i], segment)) return node->children[i];
    }
    return NULL;
}

static struct node *child_for(struct node *node, struct str segment)
{
    bool any = segment.len > 0 && segment.at[0] == '{';
    struct node *child = any ? node->any : find_child(node, segment);
    if (child) return child;
    child = NEW(struct node);
    if (any) {
        node->any = child;
        return child;
    }
    size_t count = node->count + 1;
    node->names = mem_resize(node->names, count * sizeof(*node->names));
    node->children = mem_resize(node->children, count * sizeof(struct node *));
    node->names[node->count] = segment;
    node->children[node->count++] = child;
    return child;
}

void router_add(struct router *router, enum http_method method, const char *pattern,
                const void *route)
{
    struct str rest = str_from(str_of(pattern), 1), segment;
    ASSERT(pattern[0] == '/');
    struct node *node = router->root;
    while (str_split(&rest, '/', &segment)) node = child_for(node, segment);
    ASSERT(node->routes[method] == NULL);
    node->routes[method] = route;
}

static unsigned methods_of(const struct node *node)
{
    unsigned methods = 0;
    for (unsigned i = 0; i < ROUTER_METHODS; i++) {
        if (node->routes[i]) methods |= 1u << i;
    }
    return methods;
}

static const void *route_of(const struct node *node, enum http_method method)
{
    const void *route = node->routes[method];
    return route == NULL && method == HTTP_HEAD_ ? node->routes[HTTP_GET_] : route;
}

/* Depth first; a literal segment is tried before one in braces, which gets its turn when the
 * literal one has the path but not the method. */
static bool descend(const struct node *node, enum http_method method, struct str rest,
                    struct router_match *match)
{
    struct str segment;
    if (!str_split(&rest, '/', &segment)) {
        match->methods |= methods_of(node);
        match->route = route_of(node, method);
        return match->route != NULL;
    }
    const struct node *child = find_child(node, segment);
    if (child && descend(child, method, rest, match)) return true;
    if (node->any == NULL || segment.len == 0 || match->param_count == ROUTER_PARAMS_MAX) {
        return false;
    }
    match->params[match->param_count++] = segment;
    if (descend(node->any, method, rest, match)) return true;
    match->param_count--;
    return false;
}

struct router_match router_find(const struct router *router, enum http_method method,
                                struct str path)
{
    struct router_match match = {0};
    if (path.len > 0 && path.at[0] == '/') {
        descend(router->root, method, str_from(path, 1), &match);
    }
    return match;
}
