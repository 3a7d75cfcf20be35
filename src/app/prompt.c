/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * app/prompt.c: one poll() over the input, what others say, and signals.
 *
 * The line editor is libedit: it does what we need, and its licence (BSD) lets
 * the program be passed on under any terms its own allow; GNU readline's does
 * not. It asks us for each character (EL_GETCFN), which is where we wait, so
 * that lines can be put above the prompt meanwhile.
 */
#include "app/prompt.h"

#include <errno.h>
#include <histedit.h>
#include <locale.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <wchar.h>

#include "base/mem.h"

enum {
    SAID_BYTES = 4 * 1024 * 1024, /* a terminal slower than the town misses something */
    LINE_BYTES = 64 * 1024,
    HISTORY_LINES = 500,
    OFFERS_SHOWN = 40,
};

struct prompt {
    const char *text;
    prompt_words *words;
    void *ctx;
    EditLine *editor;    /* owned; NULL: plain lines */
    History *history;    /* owned */
    bool editing;        /* the prompt and a line stand on the screen */
    bool ended, stopped; /* no more input; a signal */
    int said_fd, signal_fd;
    pthread_mutex_t lock;
    struct buf said; /* under the lock */
    struct buf input, line;
};

/* --- what others say --- */

void prompt_say(struct prompt *prompt, struct str lines)
{
    pthread_mutex_lock(&prompt->lock);
    if (prompt->said.failed) buf_reset(&prompt->said, SAID_BYTES);
    buf_add_str(&prompt->said, lines);
    pthread_mutex_unlock(&prompt->lock);
    uint64_t one = 1;
    if (write(prompt->said_fd, &one, sizeof(one)) != (ssize_t)sizeof(one)) return; /* it is set */
}

void prompt_flush(struct prompt *prompt)
{
    uint64_t count;
    struct buf said;
    if (read(prompt->said_fd, &count, sizeof(count)) != (ssize_t)sizeof(count)) return;
    pthread_mutex_lock(&prompt->lock);
    said = prompt->said;
    buf_init(&prompt->said, SAID_BYTES);
    pthread_mutex_unlock(&prompt->lock);
    if (prompt->editing) fputs("\r\033[J", stdout);
    fwrite(said.at, 1, said.len, stdout);
    fflush(stdout);
    buf_release(&said);
    if (prompt->editing) el_set(prompt->editor, EL_REFRESH);
}

/* --- waiting --- */

static void take_signal(struct prompt *prompt)
{
    struct signalfd_siginfo info;
    if (read(prompt->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info)) return;
    if (info.ssi_signo != SIGWINCH)
        prompt->ended = prompt->stopped = true;
    else if (prompt->editor)
        el_resize(prompt->editor);
}

/* Until there is input. False: it ends. */
static bool wait_for_input(struct prompt *prompt)
{
    struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                           {.fd = prompt->said_fd, .events = POLLIN},
                           {.fd = prompt->signal_fd, .events = POLLIN}};
    while (!prompt->ended) {
        if (poll(fds, 3, -1) < 0 && errno != EINTR) return false;
        if (fds[2].revents) take_signal(prompt);
        if (fds[1].revents) prompt_flush(prompt);
        if (fds[0].revents && !prompt->ended) return true;
    }
    return false;
}

/* An el_rfunc_t. */
static int read_character(EditLine *editor, wchar_t *to)
{
    struct prompt *prompt;
    mbstate_t state = {0};
    el_get(editor, EL_CLIENTDATA, &prompt);
    while (wait_for_input(prompt)) {
        char byte;
        if (read(STDIN_FILENO, &byte, 1) != 1) break;
        size_t got = mbrtowc(to, &byte, 1, &state);
        if (got == (size_t)-1)
            state = (mbstate_t){0}; /* no UTF-8: left out */
        else if (got != (size_t)-2)
            return 1;
    }
    prompt->ended = true;
    return 0;
}

/* --- completion --- */

struct offers {
    char common[256];
    size_t common_bytes, count;
    struct buf list;
};

static void offer(struct offers *offers, const char *word)
{
    size_t same = 0;
    if (offers->count++ == 0) {
        str_copy(offers->common, sizeof(offers->common), str_of(word));
        offers->common_bytes = strlen(offers->common);
    }
    while (same < offers->common_bytes && word[same] == offers->common[same]) same++;
    while (same > 0 && ((unsigned char)offers->common[same] & 0xc0) == 0x80) same--;
    offers->common_bytes = same;
    offers->common[same] = '\0';
    if (offers->count <= OFFERS_SHOWN) buf_printf(&offers->list, "%s  ", word);
}

static unsigned char complete(EditLine *editor, int key)
{
    (void)key;
    struct prompt *prompt;
    el_get(editor, EL_CLIENTDATA, &prompt);
    const LineInfo *info = el_line(editor);
    struct str before = {info->buffer, (size_t)(info->cursor - info->buffer)}, piece, word = {0};
    size_t place = 0;
    for (struct str rest = before; str_split(&rest, ' ', &piece);) {
        if (word.len) place++;
        word = piece;
    }
    if (before.len == 0 || before.at[before.len - 1] == ' ') {
        if (word.len) place++;
        word = STR("");
    }
    struct offers offers = {0};
    buf_init(&offers.list, LINE_BYTES);
    const char *at;
    for (size_t n = 0; (at = prompt->words(prompt->ctx, place, n)); n++)
        if (str_starts(str_of(at), word)) offer(&offers, at);
    unsigned char outcome = CC_ERROR; /* a bell */
    if (offers.count == 1) {
        el_insertstr(editor, offers.common + word.len);
        el_insertstr(editor, " ");
        outcome = CC_REFRESH;
    } else if (offers.count > 1 && offers.common_bytes > word.len) {
        el_insertstr(editor, offers.common + word.len);
        outcome = CC_REFRESH;
    } else if (offers.count > 1) {
        printf("\n%.*s%s\n", STR_ARGS(buf_str(&offers.list)),
               offers.count > OFFERS_SHOWN ? "…" : "");
        fflush(stdout);
        outcome = CC_REDISPLAY;
    }
    buf_release(&offers.list);
    return outcome;
}

/* --- lines --- */

static bool read_edited(struct prompt *prompt, struct str *line_out)
{
    int len = 0;
    prompt->editing = true;
    const char *line = el_gets(prompt->editor, &len);
    prompt->editing = false;
    if (!line || len <= 0 || prompt->ended) {
        fputs("\n", stdout);
        return false;
    }
    *line_out = str_trim((struct str){line, (size_t)len});
    HistEvent event;
    if (line_out->len) history(prompt->history, &event, H_ENTER, line);
    return true;
}

/* A last line without an end counts. */
static bool read_plain(struct prompt *prompt, struct str *line_out)
{
    for (;;) {
        struct str input = buf_str(&prompt->input);
        size_t end = str_find_byte(input, '\n');
        bool more = end < input.len;
        if (more || (prompt->ended && input.len)) {
            buf_reset(&prompt->line, LINE_BYTES);
            buf_add_str(&prompt->line, str_head(input, end));
            struct str rest = str_from(input, end + more);
            memmove(prompt->input.at, rest.at, rest.len);
            prompt->input.len = rest.len;
            prompt->input.at[rest.len] = '\0';
            *line_out = str_trim(buf_str(&prompt->line));
            return true;
        }
        if (prompt->ended || !wait_for_input(prompt)) return false;
        char bytes[4096];
        ssize_t len = read(STDIN_FILENO, bytes, sizeof(bytes));
        if (len > 0) buf_add(&prompt->input, bytes, (size_t)len);
        if (len <= 0 || prompt->input.failed) prompt->ended = true;
    }
}

bool prompt_read(struct prompt *prompt, struct str *line_out)
{
    prompt_flush(prompt);
    fflush(stdout);
    take_signal(prompt);
    if (prompt->stopped) return false;
    return prompt->editor ? read_edited(prompt, line_out) : read_plain(prompt, line_out);
}

/* --- life --- */

static char *prompt_text(EditLine *editor)
{
    struct prompt *prompt;
    el_get(editor, EL_CLIENTDATA, &prompt);
    return (char *)(uintptr_t)prompt->text;
}

static void open_editor(struct prompt *prompt)
{
    HistEvent event;
    setlocale(LC_CTYPE, "C.UTF-8");
    prompt->editor = el_init("hutong", stdin, stdout, stderr);
    prompt->history = history_init();
    if (!prompt->editor) return;
    history(prompt->history, &event, H_SETSIZE, HISTORY_LINES);
    history(prompt->history, &event, H_SETUNIQUE, 1);
    el_set(prompt->editor, EL_CLIENTDATA, prompt);
    el_set(prompt->editor, EL_PROMPT, prompt_text);
    el_set(prompt->editor, EL_EDITOR, "emacs");
    el_set(prompt->editor, EL_SIGNAL, 0);
    el_set(prompt->editor, EL_HIST, history, prompt->history);
    el_set(prompt->editor, EL_GETCFN, read_character);
    el_wset(prompt->editor, EL_ADDFN, L"complete", L"complete the word", complete);
    el_set(prompt->editor, EL_BIND, "^I", "complete", NULL);
    el_set(prompt->editor, EL_BIND, "^R", "em-inc-search-prev", NULL);
}

enum err prompt_open(const char *text, prompt_words *words, void *ctx, struct prompt **prompt_out,
                     struct why *why)
{
    struct prompt *prompt = *prompt_out = NEW(struct prompt);
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGWINCH);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    prompt->text = text;
    prompt->words = words;
    prompt->ctx = ctx;
    pthread_mutex_init(&prompt->lock, NULL);
    buf_init(&prompt->said, SAID_BYTES);
    buf_init(&prompt->input, LINE_BYTES);
    buf_init(&prompt->line, LINE_BYTES);
    prompt->said_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    prompt->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (prompt->said_fd < 0 || prompt->signal_fd < 0)
        return why_set(why, ERR_IO, "cannot wait for input: %s", strerror(errno));
    if (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)) open_editor(prompt);
    return OK;
}

void prompt_close(struct prompt *prompt)
{
    if (!prompt) return;
    prompt_flush(prompt);
    if (prompt->history) history_end(prompt->history);
    if (prompt->editor) el_end(prompt->editor);
    if (prompt->said_fd >= 0) close(prompt->said_fd);
    if (prompt->signal_fd >= 0) close(prompt->signal_fd);
    pthread_mutex_destroy(&prompt->lock);
    buf_release(&prompt->said);
    buf_release(&prompt->input);
    buf_release(&prompt->line);
    mem_free(prompt);
}
