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

#include "app/doctor.h"
#include "app/vet.h"
#include "base/clock.h"

enum { ANSWER_MS = 3000 };

static bool wait_connected(int fd)
{
    struct pollfd wanted = {.fd = fd, .events = POLLOUT};
    int failed = 0;
    socklen_t bytes = sizeof(failed);
    int ready = poll(&wanted, 1, ANSWER_MS);
    if (ready == 0) failed = ETIMEDOUT;
    if (ready > 0) getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &bytes);
    if (ready < 0) failed = errno;
    errno = failed;
    return failed == 0;
}

/* A connected socket whose reads and writes end in time, or -1 with errno. */
static int connect_in_time(const struct addrinfo *to)
{
    int fd = socket(to->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    bool connected = connect(fd, to->ai_addr, to->ai_addrlen) == 0;
    if (connected || (errno == EINPROGRESS && wait_connected(fd))) return fd;
    int reason = errno;
    close(fd);
    errno = reason;
    return -1;
}

static bool send_all(int fd, struct str text)
{
    while (text.len > 0) {
        struct pollfd wanted = {.fd = fd, .events = POLLOUT};
        if (poll(&wanted, 1, ANSWER_MS) <= 0) return false;
        ssize_t sent = send(fd, text.at, text.len, MSG_NOSIGNAL);
        if (sent <= 0) return false;
        text = str_from(text, (size_t)sent);
    }
    return true;
}

/* Send a question; read until the answer holds `end`, the peer closes, or time is over. */
static struct str ask(int fd, struct str question, struct str end, char *to, size_t to_bytes)
{
    struct str answer = {to, 0};
    int64_t until_us = clock_mono_us() + ANSWER_MS * 1000;
    if (!send_all(fd, question)) return answer;
    while (answer.len < to_bytes && str_find(answer, end) == answer.len) {
        struct pollfd wanted = {.fd = fd, .events = POLLIN};
        int64_t left_us = until_us - clock_mono_us();
        if (left_us <= 0 || poll(&wanted, 1, (int)(left_us / 1000) + 1) <= 0) break;
        ssize_t got = recv(fd, to + answer.len, to_bytes - answer.len, 0);
        if (got <= 0) break;
        answer.len += (size_t)got;
    }
    return answer;
}

/* --- the port to listen on --- */

static bool is_hutong(int fd)
{
    char bytes[2048];
    struct str answer = ask(fd,
                            STR("GET /health HTTP/1.1\r\nHost: localhost\r\n"
                                "Connection: close\r\n\r\n"),
                            STR("\"hutong\"}"), bytes, sizeof(bytes));
    return str_starts(answer, STR("HTTP/1.1 200")) &&
           str_find(answer, STR("\"service\":\"hutong\"")) < answer.len;
}

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
    int fd = failed == EADDRNOTAVAIL ? -1 : connect_in_time(to);
    if (fd >= 0 && is_hutong(fd)) {
        visit_tell(visit, FINDING_OK, "address", NULL, "a Hutong answers at %s already", place);
    } else if (fd >= 0) {
        visit_tell(visit, FINDING_WRONG, "address",
                   "end the other program, or choose another port with --listen",
                   "another program answers at %s", place);
    } else {
        tell_refused(visit, place, failed);
    }
    if (fd >= 0) close(fd);
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
        struct str said = first_line(ask(fd, login, STR("\n"), to, to_bytes));
        if (!str_eq(said, STR("+OK"))) return said;
    }
    return first_line(ask(fd, STR("*1\r\n$4\r\nPING\r\n"), STR("\n"), to, to_bytes));
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
    int fd = connect_in_time(found);
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
