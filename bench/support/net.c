/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

enum err endpoint_parse(struct str url, struct endpoint *endpoint_out, struct why *why)
{
    struct str rest = url;
    if (str_starts(rest, STR("http://"))) {
        rest = str_from(rest, 7);
    } else if (str_starts(rest, STR("ws://"))) {
        rest = str_from(rest, 5);
    } else {
        return why_set(why, ERR_INVALID, "\"%.*s\" is no http:// or ws:// address", STR_ARGS(url));
    }

    size_t slash = str_find_byte(rest, '/');
    struct str authority = str_head(rest, slash);
    size_t colon = str_find_byte(authority, ':');
    char host[40];
    uint64_t port = 80;
    str_copy(host, sizeof(host), str_head(authority, colon));
    if (str_eq(str_of(host), STR("localhost"))) str_copy(host, sizeof(host), STR("127.0.0.1"));
    if (colon < authority.len && !str_to_u64(str_from(authority, colon + 1), &port)) port = 0;

    *endpoint_out = (struct endpoint){.address = {.sin_family = AF_INET}};
    endpoint_out->address.sin_port = htons((uint16_t)port);
    if (port == 0 || port > UINT16_MAX ||
        inet_pton(AF_INET, host, &endpoint_out->address.sin_addr) != 1) {
        return why_set(why, ERR_INVALID, "\"%.*s\" is no numeric address and port",
                       STR_ARGS(authority));
    }
    str_copy(endpoint_out->host, sizeof(endpoint_out->host), authority);
    endpoint_out->path = slash < rest.len ? str_from(rest, slash) : STR("/");
    return OK;
}

static bool bind_source(int fd, unsigned source)
{
    /* The port is then chosen at connect, where only the whole four-tuple must be free. */
    int on = 1;
    struct sockaddr_in from = {.sin_family = AF_INET};
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + source);
    return setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on)) == 0 &&
           bind(fd, (struct sockaddr *)&from, sizeof(from)) == 0;
}

int endpoint_connect(const struct endpoint *endpoint, unsigned source)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    const struct sockaddr *to = (const struct sockaddr *)&endpoint->address;
    if ((source == 0 || bind_source(fd, source)) &&
        (connect(fd, to, sizeof(endpoint->address)) == 0 || errno == EINPROGRESS)) {
        return fd;
    }
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

int listen_local(uint16_t *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(*port)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t bytes = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    if (bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, 4096) ||
        getsockname(fd, (struct sockaddr *)&at, &bytes)) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    *port = ntohs(at.sin_port);
    return fd;
}

int socket_error(int fd)
{
    int error = 0;
    socklen_t bytes = sizeof(error);
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &bytes) ? errno : error;
}
