/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * bench/provider.c: a provider of models without a model, for the gateway's rows.
 *
 * Answers OpenAI's chat completions on keep-alive connections, one thread, epoll,
 * one recv and one send for a whole answer. A question must hold "question N";
 * the answer is "answer N.", so whoever asked can tell that it is the answer to
 * that question and no other's. With "stream":true the answer comes as events: its
 * words at once, its end PAUSE_US later, as a model's next token would.
 */
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/mem.h"
#include "support/measure.h"
#include "support/net.h"
#include "support/options.h"
#include "support/request.h"

static const char help[] =
    "Usage: provider\n"
    "Answer every question that holds \"question N\" with \"answer N.\" on 127.0.0.1, a free\n"
    "port; whole, or as events when the question says \"stream\":true. Prints\n"
    "\"ready http://127.0.0.1:PORT pid=PID\"; ends with SIGTERM or when its standard input\n"
    "is closed.\n";

enum { EVENTS = 512, CONNS_MAX = 20000, QUESTION_BYTES_MAX = 1024 * 1024, PAUSE_US = 1000 };

#define EVENT_HEAD                                                                                 \
    "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,"    \
    "\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{"

struct conn {
    struct list owing; /* in `owed` while the end of its answer is due */
    int fd;
    int64_t due_us;
    struct buf question; /* what has come of it */
};

static struct {
    int epoll, listener;
    struct conn *conns; /* by descriptor */
    struct list owed;   /* the oldest first, and so the first to fall due */
    struct buf answer;
} run;

static void watch(int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(run.epoll, EPOLL_CTL_ADD, fd, &event)) {
        give_up("provider", "epoll: %s", strerror(errno));
    }
}

static void accept_all(void)
{
    int fd;
    while ((fd = accept4(run.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        int on = 1;
        if (fd >= CONNS_MAX) give_up("provider", "more than %d connections", CONNS_MAX);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        run.conns[fd].fd = fd;
        list_init(&run.conns[fd].owing);
        buf_init(&run.conns[fd].question, QUESTION_BYTES_MAX);
        watch(fd);
    }
}

static void drop(struct conn *conn)
{
    list_remove(&conn->owing);
    buf_release(&conn->question);
    close(conn->fd);
}

/* --- answers --- */

/* Sends `run.answer`. A reader this slow is not what this is for. */
static void send_answer(struct conn *conn)
{
    ssize_t sent = send(conn->fd, run.answer.at, run.answer.len, MSG_NOSIGNAL);
    if (sent != (ssize_t)run.answer.len) drop(conn);
}

static void answer_whole(struct conn *conn, uint64_t number)
{
    char body[512];
    int len = snprintf(body, sizeof(body),
                       "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\","
                       "\"created\":1700000000,\"model\":\"m\",\"choices\":[{\"index\":0,"
                       "\"message\":{\"role\":\"assistant\",\"content\":\"answer %" PRIu64 ".\"},"
                       "\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":9,"
                       "\"completion_tokens\":4,\"total_tokens\":13}}",
                       number);
    buf_printf(&run.answer,
               "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
               len, body);
    send_answer(conn);
}

static void add_chunk(const char *text)
{
    buf_printf(&run.answer, "%zx\r\n%s\r\n", strlen(text), text);
}

static void begin_stream(struct conn *conn, uint64_t number)
{
    char words[512];
    snprintf(words, sizeof(words),
             EVENT_HEAD "\"content\":\"answer %" PRIu64 ".\"},\"finish_reason\":null}]}\n\n",
             number);
    buf_add_str(&run.answer, STR("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                                 "Transfer-Encoding: chunked\r\n\r\n"));
    add_chunk(EVENT_HEAD "\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n");
    add_chunk(words);
    conn->due_us = clock_mono_us() + PAUSE_US;
    list_add_last(&run.owed, &conn->owing);
    send_answer(conn);
}

static void end_stream(struct conn *conn)
{
    list_remove(&conn->owing);
    buf_reset(&run.answer, QUESTION_BYTES_MAX);
    add_chunk(EVENT_HEAD "},\"finish_reason\":\"stop\"}]}\n\n");
    add_chunk("data: [DONE]\n\n");
    buf_add_str(&run.answer, STR("0\r\n\r\n"));
    send_answer(conn);
}

static void end_due_streams(void)
{
    int64_t now_us = clock_mono_us();
    while (!list_is_empty(&run.owed)) {
        struct conn *conn = CONTAINER_OF(run.owed.next, struct conn, owing);
        if (conn->due_us > now_us) return;
        end_stream(conn);
    }
}

static void refuse(struct conn *conn)
{
    buf_add_str(&run.answer, STR("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"));
    send_answer(conn);
}

static void answer(struct conn *conn, struct str body)
{
    const struct str streams = STR("\"stream\":true");
    uint64_t number;
    buf_reset(&run.answer, QUESTION_BYTES_MAX);
    if (!question_number(body, &number)) {
        refuse(conn);
    } else if (str_find(body, streams) < body.len) {
        begin_stream(conn, number);
    } else {
        answer_whole(conn, number);
    }
}

/* --- questions --- */

static size_t length_said(struct str head)
{
    struct str line;
    uint64_t length = 0;
    while (str_split(&head, '\n', &line)) {
        size_t colon = str_find_byte(line, ':');
        if (!str_eq_nocase(str_head(line, colon), STR("content-length"))) continue;
        if (!str_to_u64(str_trim(str_from(line, colon + 1)), &length)) return 0;
    }
    return (size_t)MIN(length, (uint64_t)QUESTION_BYTES_MAX);
}

/* Nobody asks twice on a connection before the answer is there. */
static void hear(struct conn *conn)
{
    char bytes[16 * 1024];
    ssize_t got = recv(conn->fd, bytes, sizeof(bytes), 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got > 0) buf_add(&conn->question, bytes, (size_t)got);
    if (got <= 0 || conn->question.failed) {
        drop(conn);
        return;
    }
    struct str all = buf_str(&conn->question);
    size_t head = str_find(all, STR("\r\n\r\n"));
    if (head == all.len) return;
    struct str body = str_from(all, head + 4);
    if (body.len < length_said(str_head(all, head))) return;
    answer(conn, body);
    if (conn->question.at) buf_reset(&conn->question, QUESTION_BYTES_MAX);
}

static void wait_and_hear(void)
{
    struct epoll_event events[EVENTS];
    struct timespec until_due, *timeout = NULL;
    if (!list_is_empty(&run.owed)) {
        int64_t left_us = CONTAINER_OF(run.owed.next, struct conn, owing)->due_us - clock_mono_us();
        until_due = (struct timespec){.tv_nsec = MAX(left_us, (int64_t)0) * 1000};
        timeout = &until_due;
    }
    int ready = epoll_pwait2(run.epoll, events, EVENTS, timeout, NULL);
    for (int i = 0; i < ready; i++) {
        char byte;
        int fd = events[i].data.fd;
        if (fd == run.listener) {
            accept_all();
        } else if (fd != STDIN_FILENO) {
            hear(&run.conns[fd]);
        } else if (read(fd, &byte, 1) <= 0) {
            exit(0);
        }
    }
}

int main(int argc, char **argv)
{
    uint16_t port = 0;
    struct why why;
    options_read("provider", help, NULL, 0, argc, argv);
    if (descriptors_raise(CONNS_MAX, &why)) give_up("provider", "%s", why.text);
    run.listener = listen_local(&port);
    run.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (run.listener < 0 || run.epoll < 0) give_up("provider", "%s", strerror(errno));
    run.conns = mem_alloc(CONNS_MAX * sizeof(*run.conns));
    list_init(&run.owed);
    buf_init(&run.answer, QUESTION_BYTES_MAX);
    watch(run.listener);
    watch(STDIN_FILENO);
    printf("ready http://127.0.0.1:%u pid=%d\n", (unsigned)port, (int)getpid());
    fflush(stdout);
    for (;;) {
        end_due_streams();
        wait_and_hear();
    }
}
