/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * http/client.c: libcurl on our loop.
 *
 * libcurl says which descriptors it waits for and until when; the loop tells
 * it what is ready (curl_multi_socket_action). libcurl must not be asked to
 * drop a transfer inside one of its own callbacks, so a fetch that is
 * cancelled there is only marked, and buried at the end of the turn.
 *
 * Handles are kept for the next request: making one anew costs ten times more
 * than resetting it. So are watches, as long as the connection is: epoll need
 * not hear that it rests, and then that it works again.
 */
#include "http/client.h"

#include <curl/curl.h>
#include <pthread.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/watch.h"

enum {
    HANDLES_KEPT = 64,
    /* libcurl holds one such buffer for each open request; a token has some hundred bytes. */
    RECEIVE_BYTES = 16 * 1024,
    RECEIVE_BYTES_TRICKLE = 1024,
    HEAD_BYTES_MAX = 64 * 1024,
    CONNECTION_AGE_S = 50, /* most servers close an idle one after 60 s */
    CONNECTIONS_KEPT = 1024,
};

/* A connection that has brought a reply. */
struct line {
    struct watch *watch; /* NULL: none with this descriptor */
    bool resting;        /* libcurl keeps it for the next request */
};

struct http_client {
    struct loop *loop;
    CURLM *multi;
    struct timer *timer;
    struct turn_hook tidying; /* at the end of the turn: goes on with … */
    struct list fetches;      /* under way */
    struct list resumed;      /* … these, and buries … */
    struct list cancelled;    /* … these */
    bool inside;              /* libcurl is on the stack */
    CURL *handles[HANDLES_KEPT];
    size_t handle_count;
    struct line *lines; /* owned; by descriptor */
    size_t line_count;
};

struct http_fetch {
    struct list link;
    struct list resuming; /* in client->resumed */
    struct http_client *client;
    CURL *easy;
    struct curl_slist *headers;
    const struct http_fetch_events *events;
    void *ctx;
    size_t head_bytes;
    bool headed;    /* `head` was told */
    bool cancelled; /* no more events */
    bool paused;
    char message[CURL_ERROR_SIZE];
};

/* --- what libcurl waits for --- */

static void find_finished(struct http_client *client);

static void tell_curl(struct http_client *client, curl_socket_t fd, int what)
{
    int running;
    client->inside = true;
    curl_multi_socket_action(client->multi, fd, what, &running);
    client->inside = false;
    find_finished(client);
}

static struct line *find_line(struct http_client *client, int fd)
{
    bool known = (size_t)fd < client->line_count && client->lines[fd].watch;
    return known ? &client->lines[fd] : NULL;
}

static void on_ready(void *ctx, int fd, int what)
{
    struct http_client *client = ctx;
    struct line *line = find_line(client, fd);
    if (line && line->resting) {
        watch_for(line->watch, 0); /* closed over there: libcurl looks before it asks again */
        return;
    }
    tell_curl(client, fd,
              ((what & WATCH_READ) ? CURL_CSELECT_IN : 0) |
                  ((what & WATCH_WRITE) ? CURL_CSELECT_OUT : 0));
}

static void on_time(void *ctx)
{
    tell_curl(ctx, CURL_SOCKET_TIMEOUT, 0);
}

/* A watch lives in `lines` once its connection has brought a reply: those are the ones that libcurl
 * keeps, and never closes but through on_close(). Until then it hangs on libcurl's own entry. */
static void rest_line(struct http_client *client, int fd, struct watch *watch)
{
    if ((size_t)fd >= client->line_count) {
        size_t count = MAX((size_t)fd + 1, client->line_count * 2);
        client->lines = mem_resize(client->lines, count * sizeof(*client->lines));
        memset(client->lines + client->line_count, 0,
               (count - client->line_count) * sizeof(*client->lines));
        client->line_count = count;
    }
    client->lines[fd] = (struct line){.watch = watch, .resting = true};
    watch_for(watch, WATCH_READ);
}

static int on_close(void *ctx, curl_socket_t fd)
{
    struct http_client *client = ctx;
    struct line *line = find_line(client, fd);
    if (line) {
        watch_free(line->watch);
        *line = (struct line){0};
    }
    return close(fd);
}

static void let_go(struct http_client *client, CURL *easy, curl_socket_t fd, struct watch *watch)
{
    struct http_fetch *fetch = NULL;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &fetch);
    if (watch == NULL) return;
    if (find_line(client, fd) || (fetch && fetch->headed)) {
        rest_line(client, fd, watch);
    } else {
        watch_free(watch);
    }
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *own)
{
    struct http_client *client = ctx;
    struct line *line = find_line(client, fd);
    struct watch *watch = line ? line->watch : own;
    if (what == CURL_POLL_REMOVE) {
        let_go(client, easy, fd, watch);
        if (own) curl_multi_assign(client->multi, fd, NULL);
        return 0;
    }
    if (line) line->resting = false;
    if (watch == NULL) {
        watch = watch_new(client->loop, fd, on_ready, client);
        curl_multi_assign(client->multi, fd, watch);
    }
    watch_for(watch, ((what & CURL_POLL_IN) ? WATCH_READ : 0) |
                         ((what & CURL_POLL_OUT) ? WATCH_WRITE : 0));
    return 0;
}

static int on_timer_wish(CURLM *multi, long after_ms, void *ctx)
{
    (void)multi;
    struct http_client *client = ctx;
    if (after_ms < 0) {
        timer_stop(client->timer);
    } else {
        timer_start(client->timer, (uint64_t)after_ms, 0);
    }
    return 0;
}

/* --- a fetch --- */

/* libcurl lets go of it; the caller must not be inside libcurl. */
static void bury(struct http_fetch *fetch)
{
    struct http_client *client = fetch->client;
    ASSERT(!client->inside);
    /* Removing closes a connection in mid-reply, which calls on_socket(), which is fine here. */
    curl_multi_remove_handle(client->multi, fetch->easy);
    curl_slist_free_all(fetch->headers);
    if (client->handle_count < HANDLES_KEPT) {
        curl_easy_reset(fetch->easy);
        client->handles[client->handle_count++] = fetch->easy;
    } else {
        curl_easy_cleanup(fetch->easy);
    }
    list_remove(&fetch->link);
    list_remove(&fetch->resuming);
    mem_free(fetch);
}

static void bury_cancelled(struct http_client *client)
{
    struct list *link;
    while ((link = list_take_first(&client->cancelled))) {
        bury(CONTAINER_OF(link, struct http_fetch, link));
    }
}

void http_fetch_cancel(struct http_fetch *fetch)
{
    struct http_client *client = fetch->client;
    if (fetch->cancelled) return;
    fetch->cancelled = true;
    list_remove(&fetch->resuming);
    list_remove(&fetch->link);
    list_add_last(&client->cancelled, &fetch->link);
    loop_at_turn_end(client->loop, &client->tidying);
}

static int status_of(struct http_fetch *fetch)
{
    long status = 0;
    curl_easy_getinfo(fetch->easy, CURLINFO_RESPONSE_CODE, &status);
    return (int)status;
}

/* The blank line behind the head of a reply that is not an interim one. */
static void tell_head(struct http_fetch *fetch)
{
    int status = status_of(fetch);
    if (fetch->headed || status < 200) return;
    fetch->headed = true;
    fetch->events->head(fetch->ctx, fetch, status);
}

static size_t on_header(char *bytes, size_t one, size_t len, void *ctx)
{
    (void)one;
    struct http_fetch *fetch = ctx;
    if (fetch->cancelled) return 0;
    fetch->head_bytes += len;
    if (fetch->head_bytes > HEAD_BYTES_MAX) return 0;
    if (len == 2 && bytes[0] == '\r') tell_head(fetch);
    return fetch->cancelled ? 0 : len;
}

static size_t on_piece(char *bytes, size_t one, size_t len, void *ctx)
{
    (void)one;
    struct http_fetch *fetch = ctx;
    if (fetch->cancelled) return 0;
    if (fetch->paused) return CURL_WRITEFUNC_PAUSE; /* comes again when resumed */
    tell_head(fetch);                               /* a head that ended in a lone LF */
    if (!fetch->cancelled) fetch->events->piece(fetch->ctx, fetch, (struct str){bytes, len});
    return fetch->cancelled ? 0 : len;
}

/* libcurl has one code for a scheme it does not know and for an answer that begins with no HTTP. */
static bool is_connected(const struct http_fetch *fetch)
{
    long connects = 0;
    curl_off_t connected_us = 0;
    curl_easy_getinfo(fetch->easy, CURLINFO_NUM_CONNECTS, &connects);
    curl_easy_getinfo(fetch->easy, CURLINFO_CONNECT_TIME_T, &connected_us);
    return connects > 0 || connected_us > 0;
}

static enum http_fetch_fault fault_of(CURLcode code, const struct http_fetch *fetch)
{
    switch ((int)code) {
    case CURLE_OK: return HTTP_FETCH_OK;
    case CURLE_URL_MALFORMAT: return HTTP_FETCH_URL;
    case CURLE_UNSUPPORTED_PROTOCOL:
        return is_connected(fetch) ? HTTP_FETCH_STRANGE : HTTP_FETCH_URL;
    case CURLE_WEIRD_SERVER_REPLY: return HTTP_FETCH_STRANGE;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY: return HTTP_FETCH_RESOLVE;
    case CURLE_COULDNT_CONNECT: return HTTP_FETCH_CONNECT;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE: return HTTP_FETCH_TLS;
    case CURLE_OPERATION_TIMEDOUT: return fetch->headed ? HTTP_FETCH_BROKEN : HTTP_FETCH_SLOW;
    default: return HTTP_FETCH_BROKEN;
    }
}

static void finish(struct http_fetch *fetch, CURLcode code)
{
    struct http_fetch_end end = {.fault = fault_of(code, fetch)};
    end.message = fetch->message[0] ? fetch->message : curl_easy_strerror(code);
    if (fetch->cancelled) return;           /* waits for its burial */
    if (code == CURLE_OK) tell_head(fetch); /* a reply without a body that ended at once */
    if (!fetch->cancelled) {
        fetch->events->done(fetch->ctx, fetch, &end);
        list_remove(&fetch->link); /* a cancel in `done` is fine */
        bury(fetch);
    }
}

static void find_finished(struct http_client *client)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(client->multi, &left))) {
        if (message->msg != CURLMSG_DONE) continue;
        struct http_fetch *fetch = NULL;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &fetch);
        finish(fetch, message->data.result);
    }
}

struct str http_fetch_header(struct http_fetch *fetch, const char *name)
{
    struct curl_header *found;
    if (curl_easy_header(fetch->easy, name, 0, CURLH_HEADER, -1, &found) != CURLHE_OK) {
        return (struct str){0};
    }
    return str_of(found->value);
}

void http_fetch_pause(struct http_fetch *fetch)
{
    /* The next piece is refused; what libcurl has already is kept there. */
    fetch->paused = true;
    list_remove(&fetch->resuming);
}

void http_fetch_resume(struct http_fetch *fetch)
{
    struct http_client *client = fetch->client;
    if (!fetch->paused || fetch->cancelled || !list_is_empty(&fetch->resuming)) return;
    list_add_last(&client->resumed, &fetch->resuming);
    loop_at_turn_end(client->loop, &client->tidying);
}

/* What libcurl kept comes inside curl_easy_pause(). */
static void go_on_reading(struct http_client *client)
{
    struct list *link;
    while ((link = list_take_first(&client->resumed))) {
        struct http_fetch *fetch = CONTAINER_OF(link, struct http_fetch, resuming);
        fetch->paused = false;
        client->inside = true;
        curl_easy_pause(fetch->easy, CURLPAUSE_CONT);
        client->inside = false;
        find_finished(client);
    }
}

static void tidy(struct turn_hook *hook)
{
    struct http_client *client = CONTAINER_OF(hook, struct http_client, tidying);
    go_on_reading(client);
    bury_cancelled(client);
}

static struct curl_slist *header_list(const struct http_fetch_request *request)
{
    struct curl_slist *list = NULL;
    struct buf line;
    buf_init(&line, HEAD_BYTES_MAX);
    for (size_t i = 0; i < request->header_count; i++) {
        buf_reset(&line, HEAD_BYTES_MAX);
        buf_add_str(&line, request->headers[i].name);
        buf_add_str(&line, STR(": "));
        buf_add_str(&line, request->headers[i].value);
        list = curl_slist_append(list, line.at);
    }
    buf_release(&line);
    return curl_slist_append(list, "Expect:"); /* no waiting for 100 Continue */
}

static CURL *take_handle(struct http_client *client)
{
    if (client->handle_count > 0) return client->handles[--client->handle_count];
    CURL *easy = curl_easy_init();
    ASSERT(easy);
    return easy;
}

static void set_up(struct http_fetch *fetch, const struct http_fetch_request *request)
{
    CURL *easy = fetch->easy;
    struct buf url;
    buf_init(&url, request->url.len);
    buf_add_str(&url, request->url);
    curl_easy_setopt(easy, CURLOPT_URL, url.at); /* copied */
    buf_release(&url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, fetch);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, fetch->message);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE,
                     request->trickles ? (long)RECEIVE_BYTES_TRICKLE : (long)RECEIVE_BYTES);
    curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, 16L * 1024);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)request->connect_ms);
    curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, (long)CONNECTION_AGE_S);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, 30L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, 10L);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, fetch);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_piece);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, fetch);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, fetch->client);
    fetch->headers = header_list(request);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, fetch->headers);
    if (request->body.at) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
        curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, request->body.at);
    }
    if (strcmp(request->method, "GET") != 0) {
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
    }
}

struct http_fetch *http_fetch_start(struct http_client *client,
                                    const struct http_fetch_request *request,
                                    const struct http_fetch_events *events, void *ctx)
{
    struct http_fetch *fetch = NEW(struct http_fetch);
    fetch->client = client;
    fetch->events = events;
    fetch->ctx = ctx;
    fetch->easy = take_handle(client);
    list_init(&fetch->resuming);
    set_up(fetch, request);
    list_add_last(&client->fetches, &fetch->link);
    /* libcurl asks for its timer here and begins in the next turn: no event inside this call. */
    CURLMcode failed = curl_multi_add_handle(client->multi, fetch->easy);
    ASSERT(failed == CURLM_OK);
    return fetch;
}

/* --- the client --- */

static void start_curl(void)
{
    CURLcode failed = curl_global_init(CURL_GLOBAL_DEFAULT);
    ASSERT(failed == CURLE_OK);
}

struct http_client *http_client_open(struct loop *loop)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, start_curl);
    struct http_client *client = NEW(struct http_client);
    client->loop = loop;
    client->multi = curl_multi_init();
    ASSERT(client->multi);
    client->timer = timer_new(loop, on_time, client);
    list_init(&client->tidying.link);
    client->tidying.run = tidy;
    list_init(&client->resumed);
    list_init(&client->fetches);
    list_init(&client->cancelled);
    curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
    curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, on_timer_wish);
    curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
    curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_KEPT);
    return client;
}

void http_client_close(struct http_client *client)
{
    if (client == NULL) return;
    list_move_all(&client->cancelled, &client->fetches);
    bury_cancelled(client);
    list_remove(&client->tidying.link);
    while (client->handle_count > 0) curl_easy_cleanup(client->handles[--client->handle_count]);
    curl_multi_cleanup(client->multi); /* closes what rested */
    timer_free(client->timer);
    mem_free(client->lines);
    mem_free(client);
}
