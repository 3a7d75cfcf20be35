/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * bench/floor.c: what the kernel alone costs, for the table's references.
 *
 * `floor http` is the least HTTP server there can be: one thread, epoll, one
 * recv and one send a request, a fixed answer, no parsing but looking for the
 * empty line. No honest server is cheaper.
 *
 * `floor send` is the least fan-out there can be: one buffer sent to N loopback
 * TCP sockets, one after the other, R rounds; with --writev K each socket gets K
 * such buffers in one writev. A forked process reads them, the same way as
 * bench/fanout does, and each round waits until all has arrived, as fanout's
 * rounds do. The figure is the sender's own CPU time; the reader's is its own.
 * Loopback delivers in the sender's context, so the figure holds both ends of
 * TCP, as it does in the server that is compared with it.
 *
 * `floor hash` is one argon2id hash as OWASP asks for (7 MiB, t = 5, p = 1):
 * nobody can log a member in for less.
 */
#include <errno.h>
#include <argon2.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "support/measure.h"
#include "support/net.h"
#include "support/options.h"

static const char help[] =
    "Usage: floor http\n"
    "       floor send [--sockets N] [--bytes B] [--rounds R] [--writev K]\n"
    "       floor hash [--rounds R]\n"
    "What the kernel alone costs.\n"
    "\n"
    "http  answer every request with a fixed 200 on 127.0.0.1, a free port; prints\n"
    "      \"ready http://127.0.0.1:PORT pid=PID\"; ends with SIGTERM or when its\n"
    "      standard input is closed\n"
    "send  send B bytes (200) to each of N sockets (5000), R times (50); with\n"
    "      --writev K, K times B bytes in one call; prints one line of JSON\n"
    "hash  verify an argon2id hash (7 MiB, t=5) R times (50); prints one line of JSON\n";

enum { SOCKETS_MAX = 60000, WRITEV_MAX = 64, READ_BYTES = 256 * 1024, EVENTS = 512 };

static void watch(int epoll, int fd, uint32_t wanted)
{
    struct epoll_event event = {.events = wanted, .data.fd = fd};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event)) give_up("floor", "epoll: %s", strerror(errno));
}

/* ---- http ---- */

static const char answer[] = "HTTP/1.1 200 OK\r\n"
                             "Content-Type: application/json\r\n"
                             "Content-Length: 20\r\n"
                             "\r\n"
                             "{\"status\":\"healthy\"}";

static void accept_all(int epoll, int listener)
{
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        int on = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        watch(epoll, fd, EPOLLIN);
    }
}

/*
 * Answers once per empty line. A request in two reads would be counted by the
 * read that ends it, unless the empty line itself is cut: the load generator
 * sends whole requests, and would report the missing answer.
 */
static void answer_requests(int fd)
{
    char bytes[16 * 1024];
    ssize_t got = recv(fd, bytes, sizeof(bytes), 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
        close(fd);
        return;
    }
    struct str rest = {bytes, (size_t)got};
    for (size_t at; (at = str_find(rest, STR("\r\n\r\n"))) < rest.len;) {
        rest = str_from(rest, at + 4);
        ssize_t sent = send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL);
        if (sent != (ssize_t)sizeof(answer) - 1) {
            close(fd); /* a reader this slow is not what this is for */
            return;
        }
    }
}

static int serve_http(void)
{
    uint16_t port = 0;
    int listener = listen_local(&port);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (listener < 0 || epoll < 0) give_up("floor", "%s", strerror(errno));
    watch(epoll, listener, EPOLLIN);
    watch(epoll, STDIN_FILENO, EPOLLIN);
    printf("ready http://127.0.0.1:%u pid=%d\n", (unsigned)port, (int)getpid());
    fflush(stdout);

    struct epoll_event events[EVENTS];
    for (;;) {
        int ready = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            char byte;
            int fd = events[i].data.fd;
            if (fd == listener) {
                accept_all(epoll, listener);
            } else if (fd == STDIN_FILENO) {
                if (read(fd, &byte, 1) <= 0) return 0;
            } else {
                answer_requests(fd);
            }
        }
    }
}

/* ---- send ---- */

struct floor {
    uint64_t sockets, bytes, rounds, writev;
    int *fds;      /* owned; the sender's ends */
    int told;      /* the reader writes a byte here after each round */
    uint64_t full; /* times a socket buffer was full; makes the floor no floor */
};

/* The reader's process: drain whatever comes, say so after each round's bytes. */
static _Noreturn void drain(const struct floor *floor, const int *fds, int tell)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    char *bytes = mem_alloc_raw(READ_BYTES);
    uint64_t round_bytes = floor->sockets * floor->bytes * floor->writev, got_bytes = 0;
    for (size_t i = 0; i < floor->sockets; i++) {
        watch(epoll, fds[i], EPOLLIN);
    }
    if (write(tell, "r", 1) != 1) _exit(1);
    struct epoll_event events[EVENTS];
    for (;;) {
        int ready = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            ssize_t got = recv(events[i].data.fd, bytes, READ_BYTES, 0);
            if (got < 0 && errno == EAGAIN) continue;
            if (got <= 0) _exit(0); /* the sender has finished */
            got_bytes += (uint64_t)got;
        }
        if (got_bytes >= round_bytes) {
            got_bytes -= round_bytes;
            if (write(tell, "r", 1) != 1) _exit(1);
        }
    }
}

/* Both ends of one loopback TCP connection. */
static void connect_pair(int listener, const struct endpoint *to, int *sender_out, int *reader_out)
{
    int on = 1;
    int reader = endpoint_connect(to, 0);
    struct pollfd pending = {.fd = listener, .events = POLLIN};
    if (reader < 0 || poll(&pending, 1, 5000) != 1) give_up("floor", "no connection");
    int sender = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (sender < 0) give_up("floor", "accept: %s", strerror(errno));
    setsockopt(sender, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    *sender_out = sender;
    *reader_out = reader;
}

static void wait_for_reader(const struct floor *floor)
{
    char byte;
    if (read(floor->told, &byte, 1) != 1) give_up("floor", "the reading process has ended");
}

static pid_t start(struct floor *floor)
{
    uint16_t port = 0;
    int listener = listen_local(&port), pipe_ends[2];
    struct endpoint to = {.address = {.sin_family = AF_INET, .sin_port = htons(port)}};
    to.address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (listener < 0 || pipe(pipe_ends)) give_up("floor", "%s", strerror(errno));

    int *readers = mem_alloc(floor->sockets * sizeof(*readers));
    floor->fds = mem_alloc(floor->sockets * sizeof(*floor->fds));
    for (size_t i = 0; i < floor->sockets; i++) {
        connect_pair(listener, &to, &floor->fds[i], &readers[i]);
    }
    pid_t child = fork();
    if (child < 0) give_up("floor", "fork: %s", strerror(errno));
    if (child == 0) {
        for (size_t i = 0; i < floor->sockets; i++) {
            close(floor->fds[i]);
        }
        drain(floor, readers, pipe_ends[1]);
    }
    for (size_t i = 0; i < floor->sockets; i++) {
        close(readers[i]);
    }
    close(pipe_ends[1]);
    close(listener);
    mem_free(readers);
    floor->told = pipe_ends[0];
    wait_for_reader(floor);
    return child;
}

static void send_one(struct floor *floor, int fd, struct iovec *pieces)
{
    ssize_t whole = (ssize_t)(floor->bytes * floor->writev);
    for (;;) {
        ssize_t sent = floor->writev == 1 ? send(fd, pieces[0].iov_base, floor->bytes, MSG_NOSIGNAL)
                                          : writev(fd, pieces, (int)floor->writev);
        if (sent == whole) return;
        if (sent >= 0 || errno != EAGAIN) give_up("floor", "a send was cut short");
        floor->full++;
        struct pollfd room = {.fd = fd, .events = POLLOUT};
        poll(&room, 1, 1000);
    }
}

static void send_rounds(struct floor *floor, struct samples *rounds)
{
    struct iovec pieces[WRITEV_MAX];
    char *bytes = mem_alloc(floor->bytes);
    memset(bytes, 'x', floor->bytes);
    for (size_t i = 0; i < floor->writev; i++) {
        pieces[i] = (struct iovec){bytes, floor->bytes};
    }
    for (uint64_t round = 0; round < floor->rounds; round++) {
        int64_t began_us = clock_mono_us();
        for (size_t i = 0; i < floor->sockets; i++) {
            send_one(floor, floor->fds[i], pieces);
        }
        wait_for_reader(floor);
        samples_add(rounds, clock_mono_us() - began_us);
    }
    mem_free(bytes);
}

static void report_sends(const struct floor *floor, int64_t cpu_ns, struct samples *rounds)
{
    struct buf line;
    buf_init(&line, 4096);
    struct json_out out = json_begin(&line);
    double sends = (double)(floor->sockets * floor->rounds);
    json_open(&out, NULL, '{');
    json_put_u64(&out, "sends", floor->sockets * floor->rounds);
    json_put_u64(&out, "frames", floor->sockets * floor->rounds * floor->writev);
    json_put_u64(&out, "frame_bytes", floor->bytes);
    json_put_u64(&out, "buffer_full", floor->full);
    put_ratio(&out, "cpu_us_per_send", (double)cpu_ns / 1e3, sends);
    put_ratio(&out, "cpu_us_per_frame", (double)cpu_ns / 1e3, sends * (double)floor->writev);
    samples_write(rounds, &out, "round_us");
    json_close(&out, '}');
    printf("%.*s\n", STR_ARGS(buf_str(&line)));
    buf_release(&line);
}

static int measure_sends(struct floor *floor)
{
    struct samples rounds = {0}, warmup = {0};
    struct why why;
    if (descriptors_raise(floor->sockets * 2 + 64, &why)) give_up("floor", "%s", why.text);
    signal(SIGPIPE, SIG_IGN);
    pid_t child = start(floor);

    uint64_t wanted = floor->rounds;
    floor->rounds = 2; /* the first sends allocate */
    send_rounds(floor, &warmup);
    floor->rounds = wanted;
    int64_t cpu_ns = cpu_self_ns();
    send_rounds(floor, &rounds);
    cpu_ns = cpu_self_ns() - cpu_ns;
    report_sends(floor, cpu_ns, &rounds);

    for (size_t i = 0; i < floor->sockets; i++) {
        close(floor->fds[i]);
    }
    waitpid(child, NULL, 0);
    mem_free(floor->fds);
    samples_release(&rounds);
    samples_release(&warmup);
    return floor->full ? 1 : 0;
}

/* ---- hash ---- */

enum { HASH_OPS = 5, HASH_KIB = 7 * 1024 };

static int measure_hashes(uint64_t rounds)
{
    static const char password[] = "a password of usual length";
    static const uint8_t salt[16] = "any salt will do";
    char hash[128];
    if (argon2id_hash_encoded(HASH_OPS, HASH_KIB, 1, password, sizeof(password) - 1, salt,
                              sizeof(salt), 32, hash, sizeof(hash)) != ARGON2_OK) {
        give_up("floor", "argon2id does not work here");
    }
    struct samples each = {0};
    int64_t cpu_ns = cpu_self_ns();
    for (uint64_t i = 0; i < rounds; i++) {
        int64_t began_us = clock_mono_us();
        if (argon2id_verify(hash, password, sizeof(password) - 1) != ARGON2_OK) {
            give_up("floor", "argon2id contradicts itself");
        }
        samples_add(&each, clock_mono_us() - began_us);
    }
    cpu_ns = cpu_self_ns() - cpu_ns;

    struct buf line;
    buf_init(&line, 4096);
    struct json_out out = json_begin(&line);
    json_open(&out, NULL, '{');
    json_put_u64(&out, "hashes", rounds);
    put_ratio(&out, "cpu_us_per_hash", (double)cpu_ns / 1e3, (double)rounds);
    samples_write(&each, &out, "hash_us");
    json_close(&out, '}');
    printf("%.*s\n", STR_ARGS(buf_str(&line)));
    buf_release(&line);
    samples_release(&each);
    return 0;
}

int main(int argc, char **argv)
{
    struct floor floor = {.sockets = 5000, .bytes = 200, .rounds = 50, .writev = 1};
    const struct option_row rows[] = {
        ROW_COUNT("sockets", &floor.sockets, 1, SOCKETS_MAX),
        ROW_COUNT("bytes", &floor.bytes, 1, 65536),
        ROW_COUNT("rounds", &floor.rounds, 1, 1e6),
        ROW_COUNT("writev", &floor.writev, 1, WRITEV_MAX),
    };
    struct str verb = str_of(argc > 1 ? argv[1] : "");
    if (str_eq(verb, STR("http")) && argc == 2) return serve_http();
    bool hash = str_eq(verb, STR("hash"));
    if (!hash && !str_eq(verb, STR("send"))) {
        bool asked = str_eq(verb, STR("--help"));
        fputs(help, asked ? stdout : stderr);
        return asked ? 0 : 2;
    }
    options_read("floor", help, rows, COUNT_OF(rows), argc - 1, argv + 1);
    return hash ? measure_hashes(floor.rounds) : measure_sends(&floor);
}
