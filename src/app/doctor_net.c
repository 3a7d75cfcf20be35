/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * app/doctor_net.c: the checks of `hutong doctor` that knock at a port.
 *
 * Plain blocking sockets with short time-outs: one question, one answer, on
 * the main thread of a command that has no loop.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "app/dial.h"
#include "app/doctor.h"
#include "app/vet.h"
#include "base/clock.h"

/* Can we have it? 0, or the errno of trying. Bound only, never listening. */
static int try_to_bind(const struct addrinfo *to)
{
    int on = 1, fd = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    int failed = bind(fd, to->ai_addr, to->ai_addrlen) == 0 ? 0 : errno;
    close(fd);
    return failed;
}

static void tell_refused(struct visit *visit, const char *place, int reason)
{
    static const struct {
        int reason;
        const char *mend;
    } mends[] = {
        {EACCES, "ports below 1024 need CAP_NET_BIND_SERVICE; listen on a higher one behind nginx "
                 "(deploy/nginx.conf)"},
        {EADDRNOTAVAIL, "this machine has no such address; use 127.0.0.1, or 0.0.0.0 for all"},
        {EADDRINUSE, "end the other program, or choose another port with --listen"},
    };
    const char *mend = "choose another address with --listen";
    for (size_t i = 0; i < COUNT_OF(mends); i++) {
        if (mends[i].reason == reason) mend = mends[i].mend;
    }
    visit_tell(visit, FINDING_WRONG, "address", mend, "%s cannot be had: %s", place,
               strerror(reason));
}

static void check_place(struct visit *visit, const struct addrinfo *to, const char *place)
{
    int failed = try_to_bind(to);
    if (failed == 0) {
        visit_tell(visit, FINDING_OK, "address", NULL, "%s is free", place);
        return;
    }
    static const char mend[] = "end the other program, or choose another port with --listen";
    switch (failed == EADDRNOTAVAIL ? NEIGHBOUR_NONE : dial_neighbour(to, visit->settings)) {
    case NEIGHBOUR_OURS:
        visit_tell(visit, FINDING_OK, "address", NULL, "a Hutong answers at %s already", place);
        return;
    case NEIGHBOUR_FOREIGN:
        visit_tell(visit, FINDING_WRONG, "address",
                   "choose another port with --listen, or its data "
                   "folder with --data",
                   "a Hutong of another data folder answers at %s", place);
        return;
    case NEIGHBOUR_PROGRAM:
        visit_tell(visit, FINDING_WRONG, "address", mend, "another program answers at %s", place);
        return;
    case NEIGHBOUR_NONE: tell_refused(visit, place, failed);
    }
}

void doctor_port(struct visit *visit)
{
    const char *host, *port;
    struct why why;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found;
    struct str listen = visit->settings->listen;
    if (vet_address(visit->arena, listen, &host, &port, &why)) return; /* said before */
    int failed = getaddrinfo(host[0] ? host : NULL, port, &hints, &found);
    if (failed) {
        visit_tell(visit, FINDING_WRONG, "address", "choose an address of this machine: --listen",
                   "there is no host \"%s\": %s", host, gai_strerror(failed));
        return;
    }
    if (strcmp(port, "0") == 0) {
        visit_tell(visit, FINDING_OK, "address", NULL, "any free port of %s", host);
    } else {
        check_place(visit, found, listen.at);
    }
    freeaddrinfo(found);
}

/* --- the broker --- */

/* One word of a command in the broker's protocol (RESP). */
static struct str word(struct arena *arena, const char *text)
{
    return arena_printf(arena, "$%zu\r\n%s\r\n", strlen(text), text);
}

static struct str first_line(struct str answer)
{
    return str_trim(str_head(answer, str_find_byte(answer, '\n')));
}

static struct str ask_redis(struct visit *visit, int fd, const struct redis_url *url, char *to,
                            size_t to_bytes)
{
    struct arena *arena = visit->arena;
    if (url->password) {
        struct str user = url->user ? word(arena, url->user) : STR("");
        struct str login =
            arena_printf(arena, "*%d\r\n%s%.*s%s", url->user ? 3 : 2, word(arena, "AUTH").at,
                         STR_ARGS(user), word(arena, url->password).at);
        struct str said = first_line(dial_ask(fd, login, STR("\n"), to, to_bytes));
        if (!str_eq(said, STR("+OK"))) return said;
    }
    return first_line(dial_ask(fd, STR("*1\r\n$4\r\nPING\r\n"), STR("\n"), to, to_bytes));
}

static void tell_redis(struct visit *visit, const struct redis_url *url, struct str said)
{
    const char *mend = NULL;
    if (str_eq(said, STR("+PONG"))) {
        visit_tell(visit, FINDING_OK, "redis", NULL, "%s:%s answers", url->host, url->port);
        return;
    }
    if (str_starts(said, STR("-NOAUTH")) || str_starts(said, STR("-WRONGPASS")) ||
        str_starts(said, STR("-ERR AUTH"))) {
        mend = "put the right password into the URL: redis://:PASSWORD@HOST:PORT";
    }
    if (said.len > 0 && said.at[0] == '-') said = str_from(said, 1);
    visit_tell(visit, FINDING_WRONG, "redis", mend ? mend : "see that a Redis listens there",
               "%s:%s says: %.*s", url->host, url->port,
               STR_ARGS(said.len ? said : STR("nothing")));
}

void doctor_redis(struct visit *visit)
{
    struct redis_url url;
    struct why why;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    char answer[256];
    if (visit->settings->redis.len == 0) return;
    if (vet_redis(visit->arena, visit->settings->redis, &url, &why)) return; /* said before */
    const char *mend = "start it, correct --redis, or leave it empty for a single instance";
    int failed = getaddrinfo(url.host, url.port, &hints, &found);
    if (failed) {
        visit_tell(visit, FINDING_WRONG, "redis", mend, "there is no host \"%s\": %s", url.host,
                   gai_strerror(failed));
        return;
    }
    int fd = dial(found);
    int reason = errno;
    freeaddrinfo(found);
    if (fd < 0) {
        visit_tell(visit, FINDING_WRONG, "redis", mend, "%s:%s cannot be reached: %s", url.host,
                   url.port, strerror(reason));
        return;
    }
    tell_redis(visit, &url, ask_redis(visit, fd, &url, answer, sizeof(answer)));
    close(fd);
}
