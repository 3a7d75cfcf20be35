/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "git_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "wiki/dir.h"
#include "wiki/git_said.h"

enum { REQUEST_MAX = 1024 * 1024, ANSWER_MAX = 512 * 1024 * 1024, TURN_MS = 20 };

_Noreturn static void give_up(const char *what)
{
    fprintf(stderr, "git for tests: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* --- programs --- */

/* Nothing of the machine's configuration, and the same people and times always. */
static void set_git_environment(void)
{
    static const char *const values[][2] = {
        {"GIT_CONFIG_NOSYSTEM", "1"},
        {"GIT_CONFIG_GLOBAL", "/dev/null"},
        {"GIT_AUTHOR_NAME", "Ann"},
        {"GIT_AUTHOR_EMAIL", "ann@example.org"},
        {"GIT_AUTHOR_DATE", "1700000000 +0000"},
        {"GIT_COMMITTER_NAME", "Ann"},
        {"GIT_COMMITTER_EMAIL", "ann@example.org"},
        {"GIT_COMMITTER_DATE", "1700000000 +0000"},
    };
    for (size_t i = 0; i < COUNT_OF(values); i++) setenv(values[i][0], values[i][1], 1);
}

void git_run(const char *folder, const char *const *argv, struct buf *answer)
{
    int out[2];
    if (pipe2(out, O_CLOEXEC) != 0) give_up("no pipe");
    pid_t child = fork();
    if (child < 0) give_up("no process");
    if (child == 0) {
        if (folder && chdir(folder) != 0) _exit(126);
        if (answer) {
            dup2(out[1], STDOUT_FILENO);
        } else {
            dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDOUT_FILENO);
        }
        set_git_environment();
        execvp(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    close(out[1]);
    char bytes[4096];
    for (ssize_t got; (got = read(out[0], bytes, sizeof(bytes))) > 0;) {
        if (answer) buf_add(answer, bytes, (size_t)got);
    }
    close(out[0]);
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
    if (status != 0) {
        for (size_t i = 0; argv[i]; i++) fprintf(stderr, "%s ", argv[i]);
        give_up("failed");
    }
}

void git_put(const char *folder, const char *path, struct str bytes)
{
    char full[1024];
    snprintf(full, sizeof(full), "%s/%s", folder, path);
    for (char *slash = full + strlen(folder) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        if (mkdir(full, 0700) != 0 && errno != EEXIST) give_up("no folder");
        *slash = '/';
    }
    FILE *file = fopen(full, "we");
    if (!file || fwrite(bytes.at ? bytes.at : "", 1, bytes.len, file) != bytes.len) give_up(path);
    fclose(file);
}

void git_remove_all(const char *folder)
{
    if (!wiki_dir_remove(folder)) give_up("a folder stays");
}

/* --- the server --- */

struct request {
    struct arena arena;
    struct buf head, body;
    struct str method, path, query, type, encoding, protocol, authorization;
    size_t length;
};

static bool wait_for(const struct git_server *server, int fd, short what)
{
    while (!atomic_load(&server->stop)) {
        struct pollfd one = {fd, what, 0};
        if (poll(&one, 1, TURN_MS) > 0) return true;
    }
    return false;
}

static bool send_all(const struct git_server *server, int fd, struct str bytes)
{
    while (bytes.len > 0) {
        if (!wait_for(server, fd, POLLOUT)) return false;
        ssize_t sent = send(fd, bytes.at, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && (errno == EAGAIN || errno == EINTR)) continue;
        if (sent < 0) return false;
        bytes = str_from(bytes, (size_t)sent);
    }
    return true;
}

static void take_field(struct request *request, struct str line)
{
    size_t colon = str_find_byte(line, ':');
    struct str name = str_head(line, colon), value = str_trim(str_from(line, colon + 1));
    uint64_t length;
    if (str_eq_nocase(name, STR("Content-Type"))) request->type = value;
    if (str_eq_nocase(name, STR("Content-Encoding"))) request->encoding = value;
    if (str_eq_nocase(name, STR("Git-Protocol"))) request->protocol = value;
    if (str_eq_nocase(name, STR("Authorization"))) request->authorization = value;
    if (str_eq_nocase(name, STR("Content-Length")) && str_to_u64(value, &length)) {
        request->length = (size_t)length;
    }
}

static void parse_head(struct request *request, struct str head)
{
    struct str line, target;
    if (!str_split(&head, '\n', &line)) return;
    (void)str_split(&line, ' ', &request->method);
    (void)str_split(&line, ' ', &target);
    size_t mark = str_find_byte(target, '?');
    request->path = str_head(target, mark);
    request->query = str_from(target, mark + 1);
    while (str_split(&head, '\n', &line)) take_field(request, line);
}

/* Requests of git in tests are small, so they come with their length. */
static bool read_request(const struct git_server *server, int fd, struct request *request)
{
    size_t end = 0;
    bool whole = false;
    while (!whole) {
        char bytes[8192];
        if (!wait_for(server, fd, POLLIN)) return false;
        ssize_t got = recv(fd, bytes, sizeof(bytes), 0);
        if (got <= 0) return false;
        buf_add(&request->head, bytes, (size_t)got);
        struct str all = buf_str(&request->head);
        if (end == 0 && str_find(all, STR("\r\n\r\n")) < all.len) {
            end = str_find(all, STR("\r\n\r\n")) + 4;
            parse_head(request, arena_copy(&request->arena, str_head(all, end)));
        }
        whole = request->head.failed || (end > 0 && all.len >= end + request->length);
    }
    buf_add_str(&request->body, str_from(buf_str(&request->head), end));
    return true;
}

static void set_variable(const char *name, struct str value)
{
    char text[2048];
    str_copy(text, sizeof(text), value);
    setenv(name, text, 1);
}

/* The backend gets the body on standard input; `out` is what it answers. */
static pid_t start_backend(const struct git_server *server, const struct request *request, int *out)
{
    int answer[2], input[2];
    if (pipe2(answer, O_CLOEXEC) != 0 || pipe2(input, O_CLOEXEC) != 0) give_up("no pipe");
    pid_t child = fork();
    if (child < 0) give_up("no process");
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(input[0], STDIN_FILENO);
        dup2(answer[1], STDOUT_FILENO);
        dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
        set_git_environment();
        setenv("GIT_CONFIG_COUNT", "1", 1);
        setenv("GIT_CONFIG_KEY_0", "uploadpack.allowFilter", 1);
        setenv("GIT_CONFIG_VALUE_0", "true", 1);
        setenv("GIT_HTTP_EXPORT_ALL", "1", 1);
        setenv("GIT_PROJECT_ROOT", server->root, 1);
        setenv("REMOTE_ADDR", "127.0.0.1", 1);
        set_variable("REQUEST_METHOD", request->method);
        set_variable("PATH_INFO", request->path);
        set_variable("QUERY_STRING", request->query);
        set_variable("CONTENT_TYPE", request->type);
        if (request->encoding.len) set_variable("HTTP_CONTENT_ENCODING", request->encoding);
        if (request->protocol.len) set_variable("GIT_PROTOCOL", request->protocol);
        char length[32];
        snprintf(length, sizeof(length), "%zu", request->length);
        setenv("CONTENT_LENGTH", length, 1);
        execlp("git", "git", "http-backend", (char *)NULL);
        _exit(127);
    }
    close(input[0]);
    close(answer[1]);
    struct str rest = buf_str(&request->body);
    signal(SIGPIPE, SIG_IGN);
    while (rest.len > 0) {
        ssize_t wrote = write(input[1], rest.at, rest.len);
        if (wrote <= 0) break;
        rest = str_from(rest, (size_t)wrote);
    }
    close(input[1]);
    *out = answer[0];
    return child;
}

/* A CGI answer (RFC 3875): "Status: 404 Not Found" among its fields, else 200. */
static void add_head(struct buf *to, struct str head)
{
    struct str rest = head, line, status = STR("200 OK");
    while (str_split(&rest, '\n', &line)) {
        line = str_trim(line);
        if (str_starts(line, STR("Status: "))) status = str_from(line, 8);
    }
    buf_printf(to, "HTTP/1.1 %.*s\r\nConnection: close\r\n", STR_ARGS(status));
    rest = head;
    while (str_split(&rest, '\n', &line)) {
        line = str_trim(line);
        if (line.len > 0 && !str_starts(line, STR("Status: "))) {
            buf_printf(to, "%.*s\r\n", STR_ARGS(line));
        }
    }
    buf_add_str(to, STR("\r\n"));
}

static void stall(const struct git_server *server)
{
    while (!atomic_load(&server->stop)) (void)poll(NULL, 0, TURN_MS);
}

static void answer_with_backend(struct git_server *server, int fd, const struct request *request)
{
    struct buf raw, answer;
    int out;
    pid_t child = start_backend(server, request, &out);
    buf_init(&raw, ANSWER_MAX);
    buf_init(&answer, ANSWER_MAX);
    char bytes[65536];
    for (ssize_t got; (got = read(out, bytes, sizeof(bytes))) > 0;) {
        buf_add(&raw, bytes, (size_t)got);
    }
    close(out);
    (void)waitpid(child, NULL, 0);
    struct str all = buf_str(&raw);
    size_t end = str_find(all, STR("\r\n\r\n"));
    add_head(&answer, str_head(all, end));
    buf_add_str(&answer, str_from(all, end + 4));
    int64_t limit = atomic_load(&server->stall_at_bytes);
    bool stalls = limit >= 0 && answer.len > (size_t)limit;
    struct str whole = buf_str(&answer);
    if (send_all(server, fd, stalls ? str_head(whole, (size_t)limit) : whole) && stalls) {
        stall(server);
    }
    buf_release(&raw);
    buf_release(&answer);
}

static bool may(struct git_server *server, struct request *request)
{
    pthread_mutex_lock(&server->lock);
    bool open = server->user == NULL;
    struct str plain =
        open ? STR("") : arena_printf(&request->arena, "%s:%s", server->user, server->password);
    pthread_mutex_unlock(&server->lock);
    return open || str_eq(request->authorization, wiki_basic(&request->arena, plain));
}

static bool put_move(struct git_server *server, struct request *request, struct buf *head)
{
    pthread_mutex_lock(&server->lock);
    bool moved = server->moved_to && str_starts(request->path, str_of(server->moved_from));
    if (moved) {
        struct str path = request->path;
        if (server->moved_path) {
            path = arena_printf(&request->arena, "%s/info/refs", server->moved_path);
        }
        buf_printf(head, "HTTP/1.1 301 Moved\r\nLocation: %s%.*s?%.*s\r\n", server->moved_to,
                   STR_ARGS(path), STR_ARGS(request->query));
    }
    pthread_mutex_unlock(&server->lock);
    return moved;
}

static void answer(struct git_server *server, int fd, struct request *request)
{
    struct buf head;
    buf_init(&head, 4096);
    int status = atomic_load(&server->status);
    atomic_fetch_add(&server->requests, 1);
    atomic_fetch_add(&server->with_token, request->authorization.len > 0);
    if (put_move(server, request, &head)) {
        /* it has moved */
    } else if (status > 0) {
        buf_printf(&head, "HTTP/1.1 %d So\r\n", status);
    } else if (!may(server, request)) {
        buf_printf(&head, "HTTP/1.1 401 Who\r\nWWW-Authenticate: Basic realm=\"x\"\r\n");
    }
    if (head.len > 0) {
        buf_printf(&head, "Connection: close\r\nContent-Length: 0\r\n\r\n");
        (void)send_all(server, fd, buf_str(&head));
    } else {
        answer_with_backend(server, fd, request);
    }
    buf_release(&head);
}

static void *serve(void *ctx)
{
    struct git_server *server = ctx;
    while (wait_for(server, server->listener, POLLIN)) {
        int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0) continue;
        struct request request = {.length = 0};
        buf_init(&request.head, REQUEST_MAX);
        buf_init(&request.body, REQUEST_MAX);
        if (read_request(server, fd, &request)) answer(server, fd, &request);
        buf_release(&request.head);
        buf_release(&request.body);
        arena_release(&request.arena);
        close(fd);
    }
    return NULL;
}

void git_server_open(struct git_server *server, const char *root)
{
    *server =
        (struct git_server){.root = root, .stall_at_bytes = -1, .lock = PTHREAD_MUTEX_INITIALIZER};
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(at);
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (server->listener < 0 || bind(server->listener, (struct sockaddr *)&at, len) != 0 ||
        listen(server->listener, 16) != 0 ||
        getsockname(server->listener, (struct sockaddr *)&at, &len) != 0) {
        give_up("no socket");
    }
    server->port = ntohs(at.sin_port);
    if (pthread_create(&server->thread, NULL, serve, server) != 0) give_up("no thread");
}

void git_server_lock(struct git_server *server, const char *user, const char *password)
{
    pthread_mutex_lock(&server->lock);
    server->user = user;
    server->password = password;
    pthread_mutex_unlock(&server->lock);
}

void git_server_move(struct git_server *server, const char *to, const char *from, const char *path)
{
    pthread_mutex_lock(&server->lock);
    server->moved_to = to;
    server->moved_from = from;
    server->moved_path = path;
    pthread_mutex_unlock(&server->lock);
}

void git_server_close(struct git_server *server)
{
    atomic_store(&server->stop, true);
    pthread_join(server->thread, NULL);
    close(server->listener);
}
