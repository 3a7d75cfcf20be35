/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/address_allow.c: whether this server may go where a stranger points.
 *
 * For hosts: every address the resolver gives must be one of the internet,
 * because a name may have a public and a private one and take turns. What looks
 * odd (0x7f.1, 2130706433) is not judged as text; the resolver says what it is.
 * The first address is handed on, and nothing looks the name up again.
 *
 * For folders: both the roots and the path are resolved, and what is inside of
 * no root gives the same answer whether it exists or not.
 */
#include "wiki/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <stdlib.h>
#include <sys/stat.h>

/* --- addresses --- */

struct net {
    uint8_t address[16];
    unsigned bits;
};

/* IANA's registries of special purposes (RFC 6890 and after), and multicast. */
static const struct net special_v4[] = {
    {{0}, 8},
    {{10}, 8},
    {{100, 64}, 10},
    {{127}, 8},
    {{169, 254}, 16},
    {{172, 16}, 12},
    {{192, 0, 0}, 24},
    {{192, 0, 2}, 24},
    {{192, 88, 99}, 24},
    {{192, 168}, 16},
    {{198, 18}, 15},
    {{198, 51, 100}, 24},
    {{203, 0, 113}, 24},
    {{224}, 4},
    {{240}, 4},
};
/* Of IPv6 only 2000::/3 is given out; within it these are not hosts of anybody. */
static const struct net special_v6[] = {
    {{0x20, 0x01, 0x00}, 23},       /* protocols: Teredo, ORCHID … */
    {{0x20, 0x01, 0x0D, 0xB8}, 32}, /* documentation */
    {{0x3F, 0xFF}, 20},
};
static const struct net given_out_v6 = {{0x20}, 3};
/* An IPv4 address in other clothes, and at which byte it begins. */
static const struct {
    struct net net;
    size_t at;
} dressed[] = {
    {{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF}, 96}, 12}, /* mapped, RFC 4291 */
    {{{0x00, 0x64, 0xFF, 0x9B}, 96}, 12},                   /* NAT64, RFC 6052 */
    {{{0x20, 0x02}, 16}, 2},                                /* 6to4, RFC 3056 */
};

static bool net_has(const struct net *net, const uint8_t *address)
{
    size_t whole = net->bits / 8;
    unsigned left = net->bits % 8;
    if (memcmp(net->address, address, whole) != 0) return false;
    return left == 0 || (net->address[whole] ^ address[whole]) >> (8 - left) == 0;
}

static bool v4_is_public(const uint8_t address[4])
{
    for (size_t i = 0; i < COUNT_OF(special_v4); i++) {
        if (net_has(&special_v4[i], address)) return false;
    }
    return true;
}

static bool v6_is_public(const uint8_t address[16])
{
    for (size_t i = 0; i < COUNT_OF(dressed); i++) {
        if (net_has(&dressed[i].net, address)) return v4_is_public(address + dressed[i].at);
    }
    for (size_t i = 0; i < COUNT_OF(special_v6); i++) {
        if (net_has(&special_v6[i], address)) return false;
    }
    return net_has(&given_out_v6, address);
}

static bool socket_address_is_public(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, address, sizeof(in));
        return v4_is_public((const uint8_t *)&in.sin_addr);
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, address, sizeof(in6));
        return v6_is_public(in6.sin6_addr.s6_addr);
    }
    return false;
}

bool wiki_address_is_public(struct str numeric)
{
    char text[INET6_ADDRSTRLEN];
    uint8_t bytes[16];
    if (numeric.len >= sizeof(text)) return false;
    str_copy(text, sizeof(text), numeric);
    if (inet_pton(AF_INET, text, bytes) == 1) return v4_is_public(bytes);
    return inet_pton(AF_INET6, text, bytes) == 1 && v6_is_public(bytes);
}

static bool same_host(const struct sockaddr *a, const struct sockaddr *b)
{
    if (a->sa_family != b->sa_family) return false;
    if (a->sa_family == AF_INET) {
        struct sockaddr_in left, right;
        memcpy(&left, a, sizeof(left));
        memcpy(&right, b, sizeof(right));
        return left.sin_addr.s_addr == right.sin_addr.s_addr;
    }
    struct sockaddr_in6 left, right;
    memcpy(&left, a, sizeof(left));
    memcpy(&right, b, sizeof(right));
    return memcmp(&left.sin6_addr, &right.sin6_addr, sizeof(left.sin6_addr)) == 0;
}

/* A public address of this very machine: what listens there may trust its own. */
static bool is_own(const struct sockaddr *address)
{
    struct ifaddrs *all = NULL;
    bool own = false;
    if (getifaddrs(&all) != 0) return false;
    for (const struct ifaddrs *one = all; one && !own; one = one->ifa_next) {
        int family = one->ifa_addr ? one->ifa_addr->sa_family : AF_UNSPEC;
        own = (family == AF_INET || family == AF_INET6) && same_host(one->ifa_addr, address);
    }
    freeifaddrs(all);
    return own;
}

/* --- hosts --- */

/* "git.example.org, 10.0.0.5:3000, [fd00::1]": with a port, of that port alone. */
static bool host_is_listed(const struct wiki_address *address, struct str list)
{
    struct str item;
    char port[16];
    snprintf(port, sizeof(port), ":%d",
             address->port > 0 ? address->port : wiki_usual_port(address->scheme));
    while (str_split(&list, ',', &item)) {
        item = str_trim(item);
        if (str_eq_nocase(item, address->host)) return true;
        if (str_ends(item, str_of(port)) &&
            str_eq_nocase(str_head(item, item.len - strlen(port)), address->host)) {
            return true;
        }
    }
    return false;
}

static enum err look_up(const struct wiki_address *address, struct addrinfo **found_out,
                        struct why *why)
{
    char name[256];
    struct str host = address->host;
    if (host.at[0] == '[') host = str_head(str_from(host, 1), host.len - 2);
    str_copy(name, sizeof(name), host);
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    int failed = getaddrinfo(name, NULL, &hints, found_out);
    if (failed == 0 && *found_out) return OK;
    if (failed == EAI_NONAME) return why_set(why, ERR_UPSTREAM, "nobody knows a host of that name");
    return why_set(why, ERR_UPSTREAM,
                   "the name of the host could not be looked up; try again later");
}

static enum err check_found(const struct addrinfo *found, struct why *why)
{
    for (const struct addrinfo *one = found; one; one = one->ai_next) {
        if (socket_address_is_public(one->ai_addr) && !is_own(one->ai_addr)) continue;
        return why_set(why, ERR_DENIED,
                       "the host is in a network of this server's own; the setting wiki-hosts "
                       "names those that may be called all the same");
    }
    return OK;
}

static enum err allow_host(struct arena *arena, const struct wiki_address *address,
                           struct str hosts, struct str *pin_out, struct why *why)
{
    struct addrinfo *found = NULL;
    char numeric[INET6_ADDRSTRLEN];
    enum err err = look_up(address, &found, why);
    if (err) return err;
    if (!host_is_listed(address, hosts)) err = check_found(found, why);
    if (!err && getnameinfo(found->ai_addr, found->ai_addrlen, numeric, sizeof(numeric), NULL, 0,
                            NI_NUMERICHOST) != 0) {
        err = why_set(why, ERR_UPSTREAM, "the host has no address that can be written down");
    }
    if (!err) *pin_out = arena_copy(arena, str_of(numeric));
    freeaddrinfo(found);
    return err;
}

/* --- folders --- */

static bool lies_in(struct str path, struct str root)
{
    if (str_eq(root, STR("/"))) return true;
    return str_starts(path, root) && (path.len == root.len || path.at[root.len] == '/');
}

/* Inside of one of `roots`, which are resolved first; as text when `text_only`. */
static bool inside_roots(struct arena *arena, struct str path, struct str roots, bool text_only)
{
    struct str root;
    while (str_split(&roots, ':', &root)) {
        root = str_trim(root);
        while (root.len > 1 && str_ends(root, STR("/"))) root.len--;
        if (root.len == 0 || root.at[0] != '/') continue;
        if (text_only) {
            if (lies_in(path, root)) return true;
            continue;
        }
        char *resolved = realpath(arena_copy(arena, root).at, NULL);
        bool inside = resolved && lies_in(path, str_of(resolved));
        free(resolved);
        if (inside) return true;
    }
    return false;
}

static enum err allow_folder(struct arena *arena, const struct wiki_address *address,
                             const struct wiki_bounds *bounds, struct str *pin_out, struct why *why)
{
    struct str roots = bounds->roots;
    struct stat is;
    char *resolved = realpath(arena_copy(arena, address->path).at, NULL);
    bool inside = resolved ? inside_roots(arena, str_of(resolved), roots, false)
                           : inside_roots(arena, address->path, roots, true);
    if (inside && resolved && bounds->closed.len)
        inside = !inside_roots(arena, str_of(resolved), bounds->closed, false);
    enum err err = OK;
    if (!inside) {
        err = why_set(why, ERR_DENIED,
                      "folders of this server may be read only inside of those that the setting "
                      "wiki-roots names");
    } else if (!resolved || stat(resolved, &is) != 0 || !S_ISDIR(is.st_mode)) {
        err = why_set(why, ERR_NOT_FOUND, "there is no such folder");
    } else {
        *pin_out = arena_copy(arena, str_of(resolved));
    }
    free(resolved);
    return err;
}

enum err wiki_address_allow(struct arena *arena, const struct wiki_address *address,
                            const struct wiki_bounds *bounds, struct str *pin_out, struct why *why)
{
    ASSERT(address->path.len > 0);
    if (address->host.len > 0) return allow_host(arena, address, bounds->hosts, pin_out, why);
    return allow_folder(arena, address, bounds, pin_out, why);
}
