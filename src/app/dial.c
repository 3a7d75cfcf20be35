/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "app/dial.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app/vet.h"
#include "auth/keyring.h"
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

int dial(const struct addrinfo *to)
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

struct str dial_ask(int fd, struct str question, struct str end, char *to, size_t to_bytes)
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

/* --- who is at the port --- */

/* "0a1b" of {"…","community":"0a1b"}; empty: it does not say. */
static struct str community_of(struct str answer)
{
    struct str name = STR("\"community\":\"");
    struct str rest = str_from(answer, MIN(str_find(answer, name) + name.len, answer.len));
    return str_head(rest, str_find_byte(rest, '"'));
}

/* Do our data know its key? Looks only: a folder that is not there is not made. */
static bool is_ours(const struct settings *settings, struct str community)
{
    struct keyring *keyring;
    struct why unused;
    char path[4096];
    snprintf(path, sizeof(path), "%.*s/keys.json", STR_ARGS(settings->data_dir));
    if (access(path, F_OK) != 0) return false;
    /* What is wrong with the file is said by whoever needs it. */
    if (keyring_open(settings->data_dir.at, STR(""), 0, &keyring, &unused) != OK) return true;
    bool known = keyring_find(keyring, community) != NULL;
    keyring_free(keyring);
    return known;
}

enum neighbour dial_neighbour(const struct addrinfo *to, const struct settings *settings)
{
    char bytes[2048];
    int fd = dial(to);
    if (fd < 0) return NEIGHBOUR_NONE;
    struct str answer = dial_ask(fd,
                                 STR("GET /health/live HTTP/1.1\r\nHost: localhost\r\n"
                                     "Connection: close\r\n\r\n"),
                                 STR("\"}"), bytes, sizeof(bytes));
    close(fd);
    struct str community = community_of(answer);
    if (!str_starts(answer, STR("HTTP/1.1 200")) || community.len == 0) return NEIGHBOUR_PROGRAM;
    return is_ours(settings, community) ? NEIGHBOUR_OURS : NEIGHBOUR_FOREIGN;
}

enum err dial_check(const struct settings *s, struct why *why)
{
    struct arena arena = {0};
    const char *host, *port;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found;
    enum err err = vet_address(&arena, s->listen, &host, &port, why);
    if (!err && strcmp(port, "0") != 0 &&
        getaddrinfo(host[0] ? host : NULL, port, &hints, &found) == 0) {
        if (dial_neighbour(found, s) == NEIGHBOUR_FOREIGN) {
            err = why_set(why, ERR_INVALID,
                          "setting listen is %.*s, where a Hutong of another data folder than %.*s "
                          "answers; allowed: another port, or the folder of that one (--data)",
                          STR_ARGS(s->listen), STR_ARGS(s->data_dir));
        }
        freeaddrinfo(found);
    }
    arena_release(&arena);
    return err;
}
