/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "api/chat_title.h"

#include "api/chat_deed.h"
#include "api/chat_shapes.h"
#include "base/mem.h"
#include "base/utf8.h"

enum { TITLE_CHARS = 60, TITLE_TOKENS = 100, SAID_BYTES = 4096, EXCERPT_BYTES = 2000 };

static const int64_t PATIENCE_US = 30 * 1000000;

/* Lives on one loop. */
struct chat_title {
    struct list link; /* in home->titles */
    struct api_loop *home;
    struct chat_deed deed;
    struct deadline late;
    struct llm_call *call;
    struct arena arena;
    uint64_t chat;
    struct str to;
    bool offline;
    struct buf said;
};

static void title_free(struct chat_title *title)
{
    deadline_clear(&title->late);
    list_remove(&title->link);
    buf_release(&title->said);
    arena_release(&title->arena);
    mem_free(title);
}

/* --- cleaning --- */

/* What models put around a title. A full stop or a # may be a part of it at the other end. */
static const char *const around[] = {"\"", "'", "`", "*",  "_",  "“",  "”",  "‘",  "’",
                                     "„",  "«", "»", "「", "」", "『", "』", "《", "》"};
static const char *const before[] = {"#", "Title:", "标题：", "标题:"};
static const char *const behind[] = {".", "。"};

static bool drop_head(struct str *text, const char *const *marks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct str mark = str_of(marks[i]);
        if (!str_starts(*text, mark)) continue;
        *text = str_trim(str_from(*text, mark.len));
        return true;
    }
    return false;
}

static bool drop_tail(struct str *text, const char *const *marks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct str mark = str_of(marks[i]);
        if (!str_ends(*text, mark)) continue;
        *text = str_trim(str_head(*text, text->len - mark.len));
        return true;
    }
    return false;
}

static struct str without_marks(struct str text)
{
    text = str_trim(text);
    while (
        drop_head(&text, before, COUNT_OF(before)) || drop_head(&text, around, COUNT_OF(around)) ||
        drop_tail(&text, behind, COUNT_OF(behind)) || drop_tail(&text, around, COUNT_OF(around))) {
    }
    return text;
}

static struct str first_line(struct str text)
{
    struct str line = {0};
    while (str_split(&text, '\n', &line)) {
        line = without_marks(line);
        if (line.len > 0) return line;
    }
    return (struct str){0};
}

/* At the end of a character as a reader sees them. */
static struct str shorten(struct str text)
{
    size_t end = 0;
    while (end < text.len) {
        size_t next = utf8_character_end(text, end);
        if (utf8_count(str_head(text, next)) > TITLE_CHARS) break;
        end = next;
    }
    return str_trim(str_head(text, end));
}

struct str chat_title_clean(struct arena *arena, struct str said)
{
    struct why why;
    struct str title;
    if (!utf8_valid(said)) return STR("");
    struct str line = shorten(first_line(said));
    if (text_check("title", line, 1, TITLE_CHARS, &title, &why) != OK) return STR("");
    return arena_copy(arena, title);
}

/* --- storing --- */

static void on_stored(struct chat_deed *deed, enum err err)
{
    (void)err; /* the first words stay */
    title_free(CONTAINER_OF(deed, struct chat_title, deed));
}

static enum err apply_title(struct chat_deed *deed, struct why *why)
{
    struct chat_title *title = CONTAINER_OF(deed, struct chat_title, deed);
    struct act *act = &deed->act;
    struct chat chat;
    bool changed;
    enum err err = chats_entitle(act->db, title->chat, title->to, &changed, why);
    if (err || !changed) return err;
    err = chats_load(act->db, act->arena, act->me, title->chat, &chat, why);
    if (!err) chat_tell_updated(act, &chat);
    return err;
}

/* --- asking --- */

static void on_open(void *ctx, struct str site, struct str model)
{
    (void)model;
    struct chat_title *title = ctx;
    title->offline = str_eq(site, STR("offline"));
}

static void on_text(void *ctx, struct str piece)
{
    struct chat_title *title = ctx;
    buf_add_str(&title->said, piece);
}

static void on_end(void *ctx, const struct llm_result *result)
{
    struct chat_title *title = ctx;
    title->call = NULL;
    deadline_clear(&title->late);
    if (result->end == LLM_COMPLETE && !title->offline && title->said.len > 0) {
        title->to = chat_title_clean(&title->arena, buf_str(&title->said));
    }
    if (title->to.len == 0) {
        title_free(title);
        return;
    }
    list_remove(&title->link); /* the store ends it now */
    title->deed.log = "chat.title_not_stored";
    title->deed.apply = apply_title;
    title->deed.done = on_stored;
    chat_deed_begin(&title->deed, title->home);
}

static void give_up(struct chat_title *title)
{
    if (title->call) llm_cancel(title->call);
    title_free(title);
}

static void on_late(struct deadline *deadline)
{
    give_up(CONTAINER_OF(deadline, struct chat_title, late));
}

static struct str excerpt(struct str text)
{
    return text.len <= EXCERPT_BYTES ? text : str_head(text, utf8_floor(text.at, EXCERPT_BYTES));
}

static void start(struct chat_title *title, const struct chat_entitled *chat)
{
    static const struct llm_events events = {.open = on_open, .text = on_text, .end = on_end};
    struct str question = excerpt(chat->question), answer = excerpt(chat->answer);
    struct llm_message messages[] = {
        {.role = LLM_SYSTEM,
         .text = STR("You name conversations. Reply with a title of two to six words in the "
                     "language of the question, and nothing else: no quotes, no full stop.")},
        {.role = LLM_USER,
         .text = arena_printf(&title->arena, "Question:\n%.*s\n\nAnswer:\n%.*s\n\nTitle:",
                              STR_ARGS(question), STR_ARGS(answer))}};
    struct llm_request request = llm_request_plain();
    request.model = chat->model;
    request.messages = messages;
    request.message_count = COUNT_OF(messages);
    request.max_tokens = TITLE_TOKENS;
    request.thinking = LLM_THINKING_OFF;
    request.class = LLM_PROGRAM; /* people come first */
    request.whole = true;
    request.only_this = true;
    title->call = llm_start(title->home->llm, &request, &events, title);
}

void chat_title_ask(struct api_loop *home, const struct chat_entitled *chat)
{
    if (!home->api->settings->chat_titles || home->api->draining || home->llm == NULL) return;
    struct chat_title *title = NEW(struct chat_title);
    title->home = home;
    title->deed.owner = chat->owner;
    title->chat = chat->chat;
    list_init(&title->link);
    list_add_last(&home->titles, &title->link);
    buf_init(&title->said, SAID_BYTES);
    list_init(&title->late.link);
    title->late.fired = on_late;
    deadline_set(home->loop, &title->late, loop_now_us(home->loop) + PATIENCE_US);
    start(title, chat);
}

void chat_title_drain(struct api_loop *home)
{
    while (!list_is_empty(&home->titles)) {
        give_up(CONTAINER_OF(home->titles.next, struct chat_title, link));
    }
}
