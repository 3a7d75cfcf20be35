/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * io/socket.c: sockets over libuv's streams, with our own way out.
 *
 * libuv accepts, reads and waits for room; writing goes straight to the
 * descriptor, because gathering everything of one turn into one writev() is
 * what decides the price of a delivery. Only when the kernel takes less than
 * offered do we hand the rest to uv_write() (one at a time, `waiting`), which
 * knows how to wait; it reads straight from the blobs in the queue, so those
 * are kept until it is done.
 *
 * The queue is a ring of blobs. Four places are inside the socket, enough for
 * nearly every turn; an idle socket has no memory outside of its struct.
 */
#include "io/socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "io/internal.h"

enum { INLINE_PLACES = 4, PARTS_MAX = 64, BACKLOG = 4096, FIN_WAIT_MS = 5000 };

/* A handshake that has begun ends within a round trip: this covers one around the world. */
enum { RETIRE_MS = 300 };

enum socket_state {
    SOCKET_OPEN,
    SOCKET_FINISHING, /* queue, then FIN, then closed */
    SOCKET_CLOSED     /* uv_close was called */
};

/* Lives on one loop. */
struct socket {
    uv_tcp_t uv;
    struct loop *loop;
    const struct socket_events *events;
    void *ctx;
    struct turn_hook flush;
    struct blob **places; /* ring; `inline_places` or owned */
    struct blob *inline_places[INLINE_PLACES];
    uint32_t cap, first, count;
    uint32_t offset;   /* bytes of the first blob that have left */
    uint32_t in_write; /* blobs at the front that uv_write is reading */
    size_t queued;
    size_t in_write_bytes; /* of `queued`: what uv_write was given */
    uv_write_t *waiting;   /* owned; NULL: the kernel had room last time */
    struct timer *linger;  /* owned */
    uint64_t linger_ms;
    size_t linger_queued; /* at the last look of on_linger_over() */
    int fd;
    enum socket_state state;
    bool reading, ended;
    char peer[46];
};

/* Lives on one loop. */
struct listener {
    uv_tcp_t uv;
    struct loop *loop;
    socket_accepted *accepted;
    listener_retired *retired; /* NULL: not retiring */
    struct timer *grace;       /* owned */
    void *ctx;
};

static void flush(struct socket *socket);

/* --- listening --- */

static enum err split_address(struct str address, char *host, size_t host_bytes, char *port,
                              size_t port_bytes, struct why *why)
{
    size_t colon = address.len;
    for (size_t i = 0; i < address.len; i++) {
        if (address.at[i] == ':') colon = i;
    }
    struct str name = str_head(address, colon), number = str_from(address, colon + 1);
    if (name.len >= 2 && name.at[0] == '[' && name.at[name.len - 1] == ']') {
        name = str_head(str_from(name, 1), name.len - 2);
    }
    uint64_t value;
    if (colon == address.len || !str_to_u64(number, &value) || value > 65535 ||
        name.len >= host_bytes) {
        return why_set(why, ERR_INVALID,
                       "\"%.*s\" is no address to listen on; write HOST:PORT, like 127.0.0.1:8000",
                       STR_ARGS(address));
    }
    str_copy(host, host_bytes, name);
    str_copy(port, port_bytes, number);
    return OK;
}

/* "127.0.0.1:40123", "[::1]:40123". */
static void write_address(const struct sockaddr_storage *name, char *to, size_t to_bytes)
{
    char host[64] = "?";
    uv_ip_name((const struct sockaddr *)name, host, sizeof(host));
    struct sockaddr_in6 bytes; /* both families have the port in the same place */
    static_assert(offsetof(struct sockaddr_in6, sin6_port) ==
                      offsetof(struct sockaddr_in, sin_port),
                  "one place for the port");
    memcpy(&bytes, name, sizeof(bytes));
    unsigned port = bytes.sin6_port;
    snprintf(to, to_bytes, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, ntohs((uint16_t)port));
}

/* A bound socket, or -1 with errno. */
static int bind_one(const struct addrinfo *to)
{
    int fd = socket(to->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* accepted sockets inherit it */
    if (bind(fd, to->ai_addr, to->ai_addrlen) == 0) return fd;
    int reason = errno;
    close(fd);
    errno = reason;
    return -1;
}

static enum err bind_address(struct str address, int *fd_out, struct why *why)
{
    char host[256], port[8];
    enum err err = split_address(address, host, sizeof(host), port, sizeof(port), why);
    if (err) return err;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found;
    int failed = getaddrinfo(host[0] ? host : NULL, port, &hints, &found);
    if (failed) {
        return why_set(why, ERR_INVALID, "no such host to listen on: %s (%s)", host,
                       gai_strerror(failed));
    }
    *fd_out = bind_one(found);
    int reason = errno;
    freeaddrinfo(found);
    if (*fd_out >= 0) return OK;
    return why_set(why, ERR_IO, "cannot listen on %.*s: %s", STR_ARGS(address), strerror(reason));
}

/* A bound TCP socket gets no connections, and takes part in sharing them out only from listen()
 * on; until then it only keeps those away who do not share the port. */
enum err listener_reserve(struct str address, int *fd_out, char *to, size_t to_bytes,
                          struct why *why)
{
    enum err err = bind_address(address, fd_out, why);
    if (err) return err;
    struct sockaddr_storage name = {0};
    socklen_t len = sizeof(name);
    int failed = getsockname(*fd_out, (struct sockaddr *)&name, &len);
    ASSERT(failed == 0); /* a socket of ours, just bound */
    write_address(&name, to, to_bytes);
    return OK;
}

static struct socket *socket_new(struct loop *loop)
{
    struct socket *socket = NEW(struct socket);
    socket->loop = loop;
    socket->places = socket->inline_places;
    socket->cap = INLINE_PLACES;
    list_init(&socket->flush.link);
    uv_tcp_init(&loop->uv, &socket->uv);
    socket->uv.data = socket;
    return socket;
}

static void introduce(struct listener *listener, struct socket *socket)
{
    uv_fileno((uv_handle_t *)&socket->uv, &socket->fd);
    struct sockaddr_storage peer;
    int len = sizeof(peer);
    if (uv_tcp_getpeername(&socket->uv, (struct sockaddr *)&peer, &len) == 0) {
        uv_ip_name((struct sockaddr *)&peer, socket->peer, sizeof(socket->peer));
    }
    listener->accepted(listener->ctx, socket);
}

static void on_incoming(uv_stream_t *server, int status)
{
    struct listener *listener = server->data;
    if (status < 0) {
        log_warn("listen.failed", "reason=\"%s\"", uv_strerror(status));
        return;
    }
    struct socket *socket = socket_new(listener->loop);
    uv_accept(server, (uv_stream_t *)&socket->uv);
    introduce(listener, socket);
}

enum err listener_open(struct loop *loop, struct str address, socket_accepted *accepted, void *ctx,
                       struct listener **listener_out, struct why *why)
{
    int fd;
    enum err err = bind_address(address, &fd, why);
    if (err) return err;
    struct listener *listener = NEW(struct listener);
    *listener = (struct listener){.loop = loop, .accepted = accepted, .ctx = ctx};
    uv_tcp_init(&loop->uv, &listener->uv);
    listener->uv.data = listener;
    int failed = uv_tcp_open(&listener->uv, fd);
    if (failed == 0) failed = uv_listen((uv_stream_t *)&listener->uv, BACKLOG, on_incoming);
    if (failed != 0) {
        listener_close(listener);
        return why_set(why, ERR_IO, "cannot listen on %.*s: %s", STR_ARGS(address),
                       uv_strerror(failed));
    }
    *listener_out = listener;
    return OK;
}

void listener_address(const struct listener *listener, char *to, size_t to_bytes)
{
    struct sockaddr_storage name = {0};
    int len = sizeof(name);
    int failed = uv_tcp_getsockname(&listener->uv, (struct sockaddr *)&name, &len);
    ASSERT(failed == 0);
    write_address(&name, to, to_bytes);
}

/*
 * Going out of service without losing a caller.
 *
 * Closing a listening socket resets the connections in its queue, and those
 * whose handshake is half-way: their SYN chose this socket of the port's
 * group (SO_REUSEPORT), and no other one knows them. The kernel can move them
 * (net.ipv4.tcp_migrate_req), but that is off by default, not ours to set, and
 * younger than the kernels we run on. So: first nothing new may choose us, then
 * what has chosen us gets its round trip and is accepted, then we close.
 *
 * Nothing new, in two ways. A program for the group sends new connections to the
 * socket behind our process's own: sockets are appended, so with the listeners of one
 * process gone before a third one comes, ours are the first `siblings` places in
 * any order. That is the smooth way but not a sure one: a closed socket's
 * place is taken by the last, an answer out of range (nobody there to take over)
 * falls back to the hash over all, and so do the moments in which siblings close
 * one after the other. What reaches us all the same is a SYN that a filter drops
 * unanswered: its sender asks again after a second, when we are gone.
 */
static void steer_away(int fd, uint32_t siblings)
{
    struct sock_filter code[] = {BPF_STMT(BPF_RET | BPF_K, siblings)};
    struct sock_fprog program = {COUNT_OF(code), code};
    if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof(program)) != 0) {
        log_warn("listen.steer", "reason=\"%s\"", strerror(errno));
    }
}

/* Accepted sockets inherit the filter; they never get a SYN. */
static void drop_new(int fd)
{
    enum { TCP_FLAGS_AT = 13, FIN_SYN_RST_ACK = 0x17, SYN = 0x02 };
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, TCP_FLAGS_AT),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, FIN_SYN_RST_ACK),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYN, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    };
    struct sock_fprog program = {COUNT_OF(code), code};
    if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) != 0) {
        log_warn("listen.filter", "reason=\"%s\"", strerror(errno));
    }
}

/* Whoever came while the loop was busy with something else. */
static void accept_rest(struct listener *listener, int fd)
{
    for (;;) {
        int accepted = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (accepted < 0 && (errno == EINTR || errno == ECONNABORTED)) continue;
        if (accepted < 0) return;
        struct socket *socket = socket_new(listener->loop);
        uv_tcp_open(&socket->uv, accepted);
        introduce(listener, socket);
    }
}

static void on_retire_over(void *ctx)
{
    struct listener *listener = ctx;
    listener_retired *retired = listener->retired;
    void *owner = listener->ctx;
    listener_close(listener);
    retired(owner);
}

void listener_retire(struct listener *listener, unsigned siblings, listener_retired *retired)
{
    ASSERT(listener->retired == NULL && siblings > 0);
    int fd;
    uv_fileno((uv_handle_t *)&listener->uv, &fd);
    steer_away(fd, siblings);
    drop_new(fd);
    listener->retired = retired;
    listener->grace = timer_new(listener->loop, on_retire_over, listener);
    timer_start(listener->grace, RETIRE_MS, 0);
}

static void on_listener_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

void listener_close(struct listener *listener)
{
    if (listener == NULL) return;
    int fd;
    if (listener->retired && uv_fileno((uv_handle_t *)&listener->uv, &fd) == 0) {
        accept_rest(listener, fd);
        /* The program stays with the group: those who took over share their work again. */
        int unused = 0;
        setsockopt(fd, SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, &unused, sizeof(unused));
    }
    timer_free(listener->grace);
    uv_close((uv_handle_t *)&listener->uv, on_listener_closed);
}

/* --- reading --- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)suggested;
    struct socket *socket = handle->data;
    *buf = uv_buf_init(socket->loop->read_buffer, sizeof(socket->loop->read_buffer));
}

static void hear(struct socket *socket, char *bytes, ssize_t len)
{
    if (socket->state == SOCKET_FINISHING && len < 0) {
        socket->ended = true;
        if (socket->count == 0)
            socket_close(socket);
        else
            uv_read_stop((uv_stream_t *)&socket->uv);
    }
    if (socket->state != SOCKET_OPEN) return;
    if (len > 0) {
        socket->events->data(socket->ctx, bytes, (size_t)len);
    } else if (len < 0 && !socket->ended) {
        socket->ended = true;
        uv_read_stop((uv_stream_t *)&socket->uv);
        socket->reading = false;
        socket->events->ended(socket->ctx);
    }
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
    struct socket *socket = stream->data;
    struct loop *loop = socket->loop;
    hear(socket, buf->base, len);
    if (len != 0) loop_heard(loop); /* 0: nothing was there after all */
}

void socket_start(struct socket *socket, const struct socket_events *events, void *ctx)
{
    socket->events = events;
    socket->ctx = ctx;
    socket_resume(socket);
}

void socket_pause(struct socket *socket)
{
    if (!socket->reading) return;
    uv_read_stop((uv_stream_t *)&socket->uv);
    socket->reading = false;
}

void socket_resume(struct socket *socket)
{
    if (socket->reading || socket->ended || socket->state != SOCKET_OPEN) return;
    uv_read_start((uv_stream_t *)&socket->uv, on_alloc, on_read);
    socket->reading = true;
}

struct loop *socket_loop(const struct socket *socket)
{
    return socket->loop;
}

const char *socket_peer(const struct socket *socket)
{
    return socket->peer;
}

/* --- the queue --- */

static struct blob **place(struct socket *socket, uint32_t i)
{
    return &socket->places[(socket->first + i) & (socket->cap - 1)];
}

static void widen(struct socket *socket)
{
    struct blob **wider = mem_alloc_raw(sizeof(*wider) * socket->cap * 2);
    for (uint32_t i = 0; i < socket->count; i++) wider[i] = *place(socket, i);
    if (socket->places != socket->inline_places) mem_free(socket->places);
    socket->places = wider;
    socket->cap *= 2;
    socket->first = 0;
}

static void push(struct socket *socket, struct blob *given)
{
    if (socket->count == socket->cap) widen(socket);
    *place(socket, socket->count++) = given;
    socket->queued += given->len;
}

/* An empty queue needs no memory outside of the socket. */
static void shrink_if_empty(struct socket *socket)
{
    if (socket->count > 0 || socket->places == socket->inline_places) return;
    mem_free(socket->places);
    socket->places = socket->inline_places;
    socket->cap = INLINE_PLACES;
    socket->first = 0;
}

static void pop(struct socket *socket)
{
    struct blob *blob = *place(socket, 0);
    socket->queued -= blob->len - socket->offset;
    socket->offset = 0;
    socket->first = (socket->first + 1) & (socket->cap - 1);
    socket->count--;
    blob_unref(blob);
    shrink_if_empty(socket);
}

/* `len` bytes from the front have left. */
static void consume(struct socket *socket, size_t len)
{
    while (len > 0) {
        size_t left = (*place(socket, 0))->len - socket->offset;
        if (len < left) {
            socket->offset += (uint32_t)len;
            socket->queued -= len;
            return;
        }
        len -= left;
        pop(socket);
    }
}

static int gather(struct socket *socket, struct iovec *parts)
{
    int count = (int)MIN(socket->count, (uint32_t)PARTS_MAX);
    for (int i = 0; i < count; i++) {
        struct blob *blob = *place(socket, (uint32_t)i);
        size_t from = i == 0 ? socket->offset : 0;
        parts[i] = (struct iovec){blob->at + from, blob->len - from};
    }
    return count;
}

/* --- writing --- */

/* Bytes written, 0 when there is no room now, -1 when the connection is broken. */
static ssize_t write_parts(struct socket *socket, const struct iovec *parts, int count)
{
    for (;;) {
        ssize_t done = count == 1
                           ? send(socket->fd, parts[0].iov_base, parts[0].iov_len, MSG_NOSIGNAL)
                           : writev(socket->fd, parts, count);
        if (done >= 0) return done;
        if (errno == EINTR) continue;
        return errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS ? 0 : -1;
    }
}

/* The peer is gone: say so once, later, from the reading side, as for any other ending. */
static void broken(struct socket *socket)
{
    socket_unqueue(socket);
    if (socket->state == SOCKET_FINISHING) {
        socket_close(socket);
    } else if (!socket->ended) {
        /* shutdown makes the pending read return 0 or an error in the next turn */
        shutdown(socket->fd, SHUT_RDWR);
        socket_resume(socket);
    }
}

/* Closing at once with bytes of the peer unread would send a reset, and the peer could lose the
 * answer it has not read yet (RFC 9112, 9.6): say FIN, then read on until it says so too. */
static void end_of_queue(struct socket *socket)
{
    if (socket->state != SOCKET_FINISHING) return;
    shutdown(socket->fd, SHUT_WR);
    if (socket->ended) {
        socket_close(socket);
    } else {
        timer_start(socket->linger, MIN(socket->linger_ms, (uint64_t)FIN_WAIT_MS), 0);
    }
}

static void on_written(uv_write_t *request, int status)
{
    struct socket *socket = request->data;
    socket->waiting = NULL;
    mem_free(request);
    uint32_t written = socket->in_write;
    socket->in_write = 0;
    socket->in_write_bytes = 0;
    while (written-- > 0) pop(socket);
    if (socket->state == SOCKET_CLOSED) return;
    if (status < 0) {
        broken(socket);
        return;
    }
    flush(socket);
    if (socket->count == 0 && socket->state == SOCKET_OPEN) socket->events->drained(socket->ctx);
}

/* Let libuv wait for room and write what stands at the front. */
static void wait_for_room(struct socket *socket)
{
    struct iovec parts[PARTS_MAX];
    int count = gather(socket, parts);
    uv_buf_t bufs[PARTS_MAX];
    for (int i = 0; i < count; i++) {
        bufs[i] = uv_buf_init(parts[i].iov_base, (unsigned)parts[i].iov_len);
    }
    uv_write_t *request = NEW(uv_write_t);
    request->data = socket;
    if (uv_write(request, (uv_stream_t *)&socket->uv, bufs, (unsigned)count, on_written) != 0) {
        mem_free(request);
        broken(socket);
        return;
    }
    socket->waiting = request;
    socket->in_write = (uint32_t)count;
    for (int i = 0; i < count; i++) socket->in_write_bytes += parts[i].iov_len;
}

static void flush(struct socket *socket)
{
    struct iovec parts[PARTS_MAX];
    while (socket->count > 0 && socket->waiting == NULL) {
        int count = gather(socket, parts);
        size_t offered = 0;
        for (int i = 0; i < count; i++) offered += parts[i].iov_len;
        ssize_t done = write_parts(socket, parts, count);
        if (done < 0) {
            broken(socket);
            return;
        }
        consume(socket, (size_t)done);
        if ((size_t)done < offered) {
            wait_for_room(socket);
            return;
        }
    }
    if (socket->count == 0) end_of_queue(socket);
}

void socket_flush(struct socket *socket)
{
    if (socket->state != SOCKET_CLOSED && socket->waiting == NULL) flush(socket);
}

static void on_turn_end(struct turn_hook *hook)
{
    socket_flush(CONTAINER_OF(hook, struct socket, flush));
}

void socket_queue_give(struct socket *socket, struct blob *blob)
{
    if (socket->state != SOCKET_OPEN) {
        blob_unref(blob);
        return;
    }
    push(socket, blob);
    socket->flush.run = on_turn_end;
    if (socket->waiting == NULL) loop_at_turn_end(socket->loop, &socket->flush);
}

void socket_queue(struct socket *socket, struct blob *blob)
{
    if (socket->state == SOCKET_OPEN) socket_queue_give(socket, blob_ref(blob));
}

void socket_send(struct socket *socket, const struct iovec *parts, int count)
{
    if (socket->state != SOCKET_OPEN) return;
    ASSERT(count > 0 && count <= PARTS_MAX);
    size_t done = 0, total = 0;
    for (int i = 0; i < count; i++) total += parts[i].iov_len;
    /* The kernel takes longer to look at two parts than we to copy as little as that. */
    char joined[1024];
    struct iovec one = {joined, total};
    if (count > 1 && total <= sizeof(joined)) {
        char *to = joined;
        for (int i = 0; i < count; i++) to = mempcpy(to, parts[i].iov_base, parts[i].iov_len);
        parts = &one;
        count = 1;
    }
    if (socket->count == 0) {
        ssize_t written = write_parts(socket, parts, count);
        if (written < 0) {
            broken(socket);
            return;
        }
        done = (size_t)written;
        if (done == total) return;
    }
    struct blob *rest = blob_new(total - done);
    char *to = rest->at;
    for (int i = 0; i < count; i++) {
        size_t skip = MIN(done, parts[i].iov_len);
        done -= skip;
        if (parts[i].iov_len == skip) continue;
        memcpy(to, (const char *)parts[i].iov_base + skip, parts[i].iov_len - skip);
        to += parts[i].iov_len - skip;
    }
    push(socket, rest);
    if (socket->waiting == NULL) flush(socket);
}

size_t socket_queued(const struct socket *socket)
{
    if (socket->waiting == NULL) return socket->queued;
    /* What uv_write has got rid of so far is in our count until all of it has left. */
    size_t left = uv_stream_get_write_queue_size((const uv_stream_t *)&socket->uv);
    return socket->queued - (socket->in_write_bytes - left);
}

void socket_unqueue(struct socket *socket)
{
    uint32_t keep = socket->in_write > 0 ? socket->in_write : socket->offset > 0 ? 1 : 0;
    while (socket->count > keep) {
        struct blob *last = *place(socket, --socket->count);
        socket->queued -= last->len;
        blob_unref(last);
    }
    shrink_if_empty(socket);
}

/* --- closing --- */

static void on_socket_closed(uv_handle_t *handle)
{
    struct socket *socket = handle->data;
    while (socket->count > 0) pop(socket);
    if (socket->events) socket->events->closed(socket->ctx);
    mem_free(socket);
}

void socket_close(struct socket *socket)
{
    if (socket->state == SOCKET_CLOSED) return;
    socket->state = SOCKET_CLOSED;
    list_remove(&socket->flush.link);
    timer_free(socket->linger);
    socket->linger = NULL;
    uv_close((uv_handle_t *)&socket->uv, on_socket_closed);
}

/* A reader that took something since the last look may go on. */
static void on_linger_over(void *ctx)
{
    struct socket *socket = ctx;
    size_t queued = socket_queued(socket);
    if (queued == 0 || queued >= socket->linger_queued) {
        socket_close(socket);
        return;
    }
    socket->linger_queued = queued;
    timer_start(socket->linger, socket->linger_ms, 0);
}

void socket_finish(struct socket *socket, uint64_t linger_ms)
{
    if (socket->state != SOCKET_OPEN) return;
    socket->state = SOCKET_FINISHING;
    socket->linger = timer_new(socket->loop, on_linger_over, socket);
    socket->linger_ms = linger_ms;
    socket->linger_queued = socket_queued(socket);
    timer_start(socket->linger, linger_ms, 0);
    if (!socket->reading && !socket->ended) {
        uv_read_start((uv_stream_t *)&socket->uv, on_alloc, on_read);
    }
    if (socket->waiting == NULL) flush(socket);
}
