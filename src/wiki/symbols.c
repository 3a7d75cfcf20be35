/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/symbols.c: the child, and what it says.
 *
 * Both directions are one socket, so that a child which died is an error of
 * send(2) and no signal. A file is sent whole, then the answer is read up to
 * its last line ("completed"); ctags reads all of a file before it answers.
 */
#include "wiki/symbols.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "wiki/glob.h"
#include "wiki/language.h"

enum {
    DEATHS_MAX = 50, /* in a row; then it is not the files' fault */
    LOST_MAX_US = 60 * 1000 * 1000,
    LINE_MAX_BYTES = 64 * 1024, /* a symbol's line has some 150 */
    MARKS_MAX = 20000,
    NAME_MAX_BYTES = 200,
    MEMORY_MAX_BYTES = 1 << 30
};

struct wiki_tagger {
    char *program; /* owned; NULL: the system's */
    int64_t time_ms;
    pid_t child; /* 0: none is running */
    int fd;
    struct buf said; /* and not yet looked at */
    size_t said_at;
    int deaths;      /* in a row */
    int64_t lost_us; /* waited for answers that never came */
    bool absent;     /* there is nothing to be started, or it was given up */
};

struct wiki_tagger *wiki_tagger_new(const char *program, int64_t time_ms)
{
    struct wiki_tagger *tagger = NEW(struct wiki_tagger);
    tagger->program = program ? mem_copy_text(program) : NULL;
    tagger->time_ms = time_ms;
    tagger->fd = -1;
    buf_init(&tagger->said, LINE_MAX_BYTES);
    return tagger;
}

static void end_child(struct wiki_tagger *tagger)
{
    if (tagger->child == 0) return;
    close(tagger->fd);
    kill(tagger->child, SIGKILL);
    while (waitpid(tagger->child, NULL, 0) < 0 && errno == EINTR) {
    }
    tagger->child = 0;
    tagger->fd = -1;
}

void wiki_tagger_free(struct wiki_tagger *tagger)
{
    if (!tagger) return;
    end_child(tagger);
    buf_release(&tagger->said);
    mem_free(tagger->program);
    mem_free(tagger);
}

/* ---- the child ---- */

static bool spawn(struct wiki_tagger *tagger, const char *program, const char *mode)
{
    static const char *const environment[] = {"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C.UTF-8",
                                              NULL};
    const char *const arguments[] = {program,           "--options=NONE", mode,
                                     "--fields=NneKZl", "--extras=",      NULL};
    int ends[2];
    posix_spawn_file_actions_t actions;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return false;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 0);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addchdir_np(&actions, "/");
    /* posix_spawn takes pointers to char that may be changed, and changes none. */
    int failed =
        posix_spawnp(&tagger->child, program, &actions, NULL, (char *const *)(uintptr_t)arguments,
                     (char *const *)(uintptr_t)environment);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (failed) {
        close(ends[0]);
        tagger->child = 0;
        return false;
    }
    struct rlimit memory = {MEMORY_MAX_BYTES, MEMORY_MAX_BYTES}, none = {0, 0};
    prlimit(tagger->child, RLIMIT_AS, &memory, NULL);
    prlimit(tagger->child, RLIMIT_CORE, &none, NULL);
    tagger->fd = ends[0];
    buf_reset(&tagger->said, SIZE_MAX);
    tagger->said_at = 0;
    return true;
}

/* Waits until `fd` may be read or written; false when the time is up. */
static bool wait_for(int fd, short events, int64_t until_us)
{
    for (;;) {
        int64_t left_ms = (until_us - clock_mono_us() + 999) / 1000;
        if (left_ms <= 0) return false;
        struct pollfd ready = {.fd = fd, .events = events};
        int count = poll(&ready, 1, (int)MIN(left_ms, INT64_C(60000)));
        if (count > 0) return true;
        if (count < 0 && errno != EINTR) return false;
    }
}

static bool send_all(struct wiki_tagger *tagger, struct str bytes, int64_t until_us)
{
    while (bytes.len > 0) {
        ssize_t sent = send(tagger->fd, bytes.at, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0) {
            bytes = str_from(bytes, (size_t)sent);
        } else if (errno == EAGAIN || errno == EINTR) {
            if (!wait_for(tagger->fd, POLLOUT, until_us)) return false;
        } else {
            return false;
        }
    }
    return true;
}

/* The next whole line, good until the next call. */
static bool next_line(struct wiki_tagger *tagger, int64_t until_us, struct str *line_out)
{
    size_t looked = tagger->said_at;
    for (;;) {
        struct str said = buf_str(&tagger->said);
        struct str rest = str_from(said, looked);
        size_t end = str_find_byte(rest, '\n');
        if (end < rest.len) {
            *line_out = (struct str){said.at + tagger->said_at, looked + end - tagger->said_at};
            tagger->said_at = looked + end + 1;
            return true;
        }
        /* What is left of a line moves to the front, and room is made behind it. */
        size_t left = said.len - tagger->said_at;
        if (tagger->said_at > 0) {
            memmove(tagger->said.at, tagger->said.at + tagger->said_at, left);
            tagger->said.len = left;
            tagger->said_at = 0;
        }
        looked = left;
        char *space =
            left < LINE_MAX_BYTES ? buf_space(&tagger->said, LINE_MAX_BYTES - left) : NULL;
        if (!space) return false;
        ssize_t got = recv(tagger->fd, space, LINE_MAX_BYTES - left, MSG_DONTWAIT);
        if (got > 0)
            buf_grew(&tagger->said, (size_t)got);
        else if (got == 0 || (errno != EAGAIN && errno != EINTR))
            return false;
        else if (!wait_for(tagger->fd, POLLIN, until_us))
            return false;
    }
}

/* Is this Universal Ctags, and does it answer? It says so in its first line. */
static bool start_as(struct wiki_tagger *tagger, const char *program, const char *mode)
{
    struct str line;
    if (!spawn(tagger, program, mode)) return false;
    int64_t until_us = clock_mono_us() + MAX(tagger->time_ms, (int64_t)WIKI_TAGGER_TIME_MS) * 1000;
    if (next_line(tagger, until_us, &line) && str_find(line, STR("Universal Ctags")) < line.len) {
        return true;
    }
    end_child(tagger);
    return false;
}

static bool start(struct wiki_tagger *tagger)
{
    static const char *const programs[] = {"ctags-universal", "ctags"};
    static const char *const modes[] = {"--_interactive=sandbox", "--_interactive=default"};
    for (size_t m = 0; m < COUNT_OF(modes); m++) {
        bool started = tagger->program && start_as(tagger, tagger->program, modes[m]);
        for (size_t i = 0; i < COUNT_OF(programs) && !tagger->program && !started; i++) {
            started = start_as(tagger, programs[i], modes[m]);
        }
        if (!started) continue;
        if (m > 0) {
            log_warn("wiki_symbols.no_sandbox",
                     "advice=\"this ctags was built without seccomp: it reads what strangers wrote "
                     "with all rights of this server\"");
        }
        return true;
    }
    tagger->absent = true;
    log_warn("wiki_symbols.none",
             "advice=\"install universal-ctags: without it code is split by lines\"");
    return false;
}

/* ---- what it says ---- */

struct marking {
    struct arena *arena;
    struct wiki_mark *at;
    size_t count, cap;
};

static struct str member_text(const struct json *object, const char *name)
{
    struct str text;
    return json_as_str(json_get(object, name), &text) ? text : (struct str){0};
}

static int member_line(const struct json *object, const char *name)
{
    int64_t line;
    if (!json_as_i64(json_get(object, name), &line)) return 0;
    return line > 0 && line < INT32_MAX ? (int)line : 0;
}

static bool is_one_of(struct str text, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (str_eq(text, str_of(words[i]))) return true;
    }
    return false;
}

static bool is_anonymous(struct str name)
{
    return str_find(name, STR("__anon")) < name.len ||
           str_find(name, STR("anonymousFunction")) < name.len ||
           str_find(name, STR("AnonymousFunction")) < name.len;
}

/* "class Store", "Store.get", "open_it". */
static struct str label_of(struct arena *arena, const struct wiki_mark *mark, struct str language)
{
    static const char *const named_with_kind[] = {"class", "struct", "union",     "enum",
                                                  "trait", "module", "interface", "namespace"};
    static const char *const with_colons[] = {"C++", "Rust", "PHP", "Perl", "CUDA"};
    if (is_one_of(mark->kind, named_with_kind, COUNT_OF(named_with_kind))) {
        return arena_printf(arena, "%.*s %.*s", STR_ARGS(mark->kind), STR_ARGS(mark->name));
    }
    if (mark->scope.len == 0) return mark->name;
    bool colons = is_one_of(language, with_colons, COUNT_OF(with_colons));
    return arena_printf(arena, "%.*s%s%.*s", STR_ARGS(mark->scope), colons ? "::" : ".",
                        STR_ARGS(mark->name));
}

static void add_mark(struct marking *m, const struct json *tag)
{
    static const char *const unwanted[] = {"local", "parameter", "label", "file"};
    struct wiki_mark mark = {
        .name = member_text(tag, "name"),
        .kind = member_text(tag, "kind"),
        .scope = member_text(tag, "scope"),
        .first = member_line(tag, "line"),
        .last = member_line(tag, "end"),
    };
    if (mark.name.len == 0 || mark.name.len > NAME_MAX_BYTES || mark.first == 0 ||
        is_anonymous(mark.name) || is_one_of(mark.kind, unwanted, COUNT_OF(unwanted))) {
        return;
    }
    if (mark.scope.len > NAME_MAX_BYTES || is_anonymous(mark.scope)) mark.scope.len = 0;
    mark.name = arena_copy(m->arena, mark.name);
    mark.kind = arena_copy(m->arena, mark.kind);
    mark.scope = arena_copy(m->arena, mark.scope);
    mark.label = label_of(m->arena, &mark, member_text(tag, "language"));
    if (m->count == m->cap) {
        m->cap = m->cap ? 2 * m->cap : 64;
        struct wiki_mark *more = ARENA_ARRAY(m->arena, struct wiki_mark, m->cap);
        if (m->count) memcpy(more, m->at, m->count * sizeof(*more));
        m->at = more;
    }
    m->at[m->count++] = mark;
}

/* Most of what it calls errors are warnings: "ignoring null tag". */
static bool is_fatal(const struct json *error)
{
    bool fatal;
    return json_as_bool(json_get(error, "fatal"), &fatal) && fatal;
}

enum said { SAID_NOTHING, SAID_TAG, SAID_END, SAID_BROKEN };

static enum said take_line(struct marking *m, struct str line)
{
    struct json *tree = NULL;
    struct why unused;
    enum said said = SAID_NOTHING;
    /* A name may be any bytes of the file: that line is lost, and nothing else. */
    if (json_parse(line, &tree, NULL, &unused)) return SAID_NOTHING;
    struct str type = member_text(tree, "_type");
    if (str_eq(type, STR("completed")))
        said = SAID_END;
    else if (str_eq(type, STR("tag")))
        said = SAID_TAG;
    else if (str_eq(type, STR("error")) && is_fatal(tree))
        said = SAID_BROKEN;
    if (said == SAID_TAG && m->count < MARKS_MAX) add_mark(m, tree);
    json_free(tree);
    return said;
}

/* ---- a file ---- */

/* Languages whose symbols are worth asking for; headings are our own (wiki/split.h). */
static bool has_symbols(struct str language)
{
    static const char *const without[] = {
        "",         "JSON",    "YAML",    "TOML", "INI",      "XML",
        "XSLT",     "SVG",     "HTML",    "CSS",  "Markdown", "reStructuredText",
        "AsciiDoc", "Texinfo", "TeX",     "Org",  "Text",     "CSV",
        "Gettext",  "Diff",    "Jupyter", "SCSS", "Less",     "Sass",
        "Roff"};
    return !is_one_of(language, without, COUNT_OF(without));
}

/* What to call a script without an extension, by its first line. */
static struct str name_by_first_line(struct str text)
{
    static const struct {
        const char *word, *name;
    } scripts[] = {{"python", "x.py"}, {"perl", "x.pl"},   {"ruby", "x.rb"}, {"node", "x.js"},
                   {"php", "x.php"},   {"tclsh", "x.tcl"}, {"lua", "x.lua"}, {"sh", "x.sh"}};
    if (!str_starts(text, STR("#!"))) return (struct str){0};
    struct str line = str_head(text, str_find_byte(text, '\n'));
    for (size_t i = 0; i < COUNT_OF(scripts); i++) {
        if (str_find(line, str_of(scripts[i].word)) < line.len) return str_of(scripts[i].name);
    }
    return (struct str){0};
}

/* The last part of the path, in characters that mean nothing to anybody. Empty: do not ask. */
static struct str name_to_ask(struct arena *arena, struct str path, struct str text)
{
    struct str language = wiki_language(path);
    if (language.len == 0) return name_by_first_line(text);
    if (!has_symbols(language)) return (struct str){0};
    struct str name = wiki_path_name(path);
    if (name.len > NAME_MAX_BYTES) name = str_from(name, name.len - NAME_MAX_BYTES);
    char *plain = arena_alloc(arena, name.len + 1);
    for (size_t i = 0; i < name.len; i++) {
        char c = name.at[i];
        bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '.' || c == '-';
        plain[i] = fine ? c : '_';
    }
    return (struct str){plain, name.len};
}

static bool ask(struct wiki_tagger *tagger, struct str name, struct str text, struct marking *m)
{
    int64_t until_us = clock_mono_us() + tagger->time_ms * 1000;
    struct str request = arena_printf(
        m->arena, "{\"command\":\"generate-tags\",\"filename\":\"%.*s\",\"size\":%zu}\n",
        STR_ARGS(name), text.len);
    if (!send_all(tagger, request, until_us) || !send_all(tagger, text, until_us)) return false;
    for (;;) {
        struct str line;
        if (!next_line(tagger, until_us, &line)) return false;
        /* Who speaks as fast as we hear never lets us wait, which is where time is looked at. */
        if (clock_mono_us() >= until_us) return false;
        enum said said = take_line(m, line);
        if (said == SAID_END) return true;
        if (said == SAID_BROKEN) return false;
    }
}

static int compare_marks(const void *a, const void *b)
{
    const struct wiki_mark *one = a, *two = b;
    if (one->first != two->first) return one->first < two->first ? -1 : 1;
    return one->last > two->last ? -1 : one->last < two->last;
}

void wiki_tagger_marks(struct wiki_tagger *tagger, struct arena *arena, struct str path,
                       struct str text, struct wiki_mark **marks_out, size_t *count_out)
{
    struct marking marking = {.arena = arena};
    *marks_out = NULL;
    *count_out = 0;
    if (tagger->absent || text.len == 0) return;
    struct str name = name_to_ask(arena, path, text);
    if (name.len == 0) return;
    if (tagger->child == 0 && !start(tagger)) return;
    int64_t begun_us = clock_mono_us();
    if (!ask(tagger, name, text, &marking)) {
        end_child(tagger);
        tagger->lost_us += clock_mono_us() - begun_us;
        if (++tagger->deaths >= DEATHS_MAX || tagger->lost_us >= LOST_MAX_US) {
            log_warn("wiki_symbols.gave_up", "failures_in_a_row=%d seconds_lost=%d", tagger->deaths,
                     (int)(tagger->lost_us / 1000000));
            tagger->absent = true;
        }
        return;
    }
    tagger->deaths = 0;
    if (marking.count > 0) {
        qsort(marking.at, marking.count, sizeof(*marking.at), compare_marks);
    }
    *marks_out = marking.at;
    *count_out = marking.count;
}
