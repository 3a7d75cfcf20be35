/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/chat_export.c: GET /chat/conversations/{chat_id}/export: one line of a conversation, from its
 * first question to the newest message, however long it is.
 *
 * Parents come before their answers, so one look through ids, from the newest back, finds the line,
 * and one through the turns writes it. In memory there are its ids and a piece of the file.
 */
#include "api/chat_found.h"
#include "api/chat_shapes.h"
#include "api/handlers.h"
#include "api/input.h"
#include "api/spool.h"
#include "base/mem.h"

enum { IDS = 1000, TURNS = 50 /* one may have a megabyte */ };

struct line {
    uint64_t *ids; /* owned; the newest first */
    size_t count, cap;
    uint64_t wanted; /* the next of it, 0: it has come to its beginning */
    uint64_t last, rows;
};

struct writing {
    struct spool spool;
    struct json_out out; /* into it; a file of Markdown has none */
    bool markdown;
    struct line line;
};

/* --- finding it --- */

static void note_parent(void *ctx, uint64_t id, uint64_t parent)
{
    struct line *line = ctx;
    line->last = id;
    line->rows++;
    if (id != line->wanted) return; /* of a branch */
    if (line->count == line->cap) {
        line->cap = line->cap ? line->cap * 2 : IDS;
        line->ids = mem_resize(line->ids, line->cap * sizeof(*line->ids));
    }
    line->ids[line->count++] = id;
    line->wanted = parent;
}

static enum err find_line(struct db *db, const struct chat *chat, struct line *line,
                          struct why *why)
{
    enum err err = OK;
    line->wanted = chat->head;
    line->last = chat->head + 1;
    while (!err && line->wanted != 0) {
        line->rows = 0;
        err = chat_turns_parents(db, chat->id, line->last, IDS, note_parent, line, why);
        if (line->rows < IDS) break;
    }
    return err;
}

/* --- writing it --- */

/* Below an answer: what it was made of. */
static void write_sources(struct buf *to, const struct chat_turn *turn)
{
    struct buf list;
    buf_init(&list, CHAT_FOUND_BYTES);
    chat_found_list(turn->about, &list);
    if (list.len) buf_printf(to, "\nSources:\n\n%.*s", STR_ARGS(buf_str(&list)));
    buf_release(&list);
}

static void write_markdown(struct buf *to, const struct chat_turn *turn)
{
    buf_printf(to, "\n## %s", turn->by_model ? "Answer" : "Question");
    if (!str_eq(turn->status, STR("complete"))) buf_printf(to, " (%.*s)", STR_ARGS(turn->status));
    buf_printf(to, "\n\n%.*s\n", STR_ARGS(turn->content));
    if (turn->by_model) write_sources(to, turn);
}

static void write_turn(void *ctx, const struct chat_turn *turn)
{
    struct writing *writing = ctx;
    struct line *line = &writing->line;
    line->last = turn->id;
    line->rows++;
    if (line->count == 0 || turn->id != line->ids[line->count - 1]) return;
    line->count--;
    if (writing->markdown) {
        write_markdown(&writing->spool.buf, turn);
    } else {
        chat_put_turn(&writing->out, NULL, turn);
    }
    spool_flush_some(&writing->spool);
}

static enum err write_turns(struct db *db, uint64_t chat, struct writing *writing, struct why *why)
{
    struct line *line = &writing->line;
    enum err err = OK;
    line->last = 0;
    while (!err && line->count > 0) {
        line->rows = 0;
        line->last =
            MAX(line->last, line->ids[line->count - 1] - 1); /* past what is no part of it */
        err = chat_turns_list(db, chat, line->last, TURNS, write_turn, writing, why);
        err = spool_check(&writing->spool, err, why);
        if (!err && line->rows == 0) return why_set(why, ERR_NOT_FOUND, "no such conversation");
    }
    return err;
}

static enum err write_all(struct db *db, const struct chat *chat, struct writing *writing,
                          struct why *why)
{
    struct buf *to = &writing->spool.buf;
    if (writing->markdown) {
        buf_printf(to, "# %.*s\n", STR_ARGS(chat->title));
        if (chat->wiki) buf_printf(to, "\nAbout the wiki: %.*s\n", STR_ARGS(chat->wiki_name));
        return write_turns(db, chat->id, writing, why);
    }
    writing->out = json_begin(to);
    json_open(&writing->out, NULL, '{');
    chat_put(&writing->out, "conversation", chat);
    json_open(&writing->out, "messages", '[');
    enum err err = write_turns(db, chat->id, writing, why);
    json_close(&writing->out, ']');
    json_close(&writing->out, '}');
    return err;
}

/* --- the request --- */

static enum err read_format(struct call *call, bool *markdown_out, struct why *why)
{
    struct str format = input_query_str(call, "format");
    *markdown_out = format.len == 0 || str_eq(format, STR("markdown"));
    if (*markdown_out || str_eq(format, STR("json"))) return OK;
    return why_field(why, "format", "enum", "format must be markdown or json");
}

enum err chats_export(struct call *call, struct why *why)
{
    struct writing writing = {0};
    struct chat chat;
    enum err err = chat_of_call(call, &chat, why);
    if (!err) err = read_format(call, &writing.markdown, why);
    if (err) return err;
    err = spool_open(&writing.spool, call, why);
    if (!err) err = find_line(call->db, &chat, &writing.line, why);
    if (!err) err = write_all(call->db, &chat, &writing, why);
    const char *type = writing.markdown ? "text/markdown; charset=utf-8" : "application/json";
    if (!err) err = spool_reply(&writing.spool, call, type, why);
    spool_close(&writing.spool);
    mem_free(writing.line.ids);
    return err;
}
