/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hearing.h"

#include "base/utf8.h"

static void note(struct hearing *h, char kind, struct str piece)
{
    ASSERT(utf8_valid(piece));
    buf_printf(&h->log, "%c %zu ", kind, piece.len);
    buf_add_str(&h->log, piece);
    buf_add_byte(&h->log, '\n');
}

static void on_open(void *ctx, struct str model)
{
    struct hearing *h = ctx;
    ASSERT(h->pieces == 0);
    h->opens++;
    str_copy(h->model, sizeof(h->model), model);
    note(h, 'o', model);
}

static void on_text(void *ctx, struct str piece)
{
    struct hearing *h = ctx;
    ASSERT(piece.len > 0);
    h->pieces++;
    buf_add_str(&h->text, piece);
    note(h, 't', piece);
}

static void on_reasoning(void *ctx, struct str piece)
{
    struct hearing *h = ctx;
    ASSERT(piece.len > 0);
    h->pieces++;
    buf_add_str(&h->reasoning, piece);
    note(h, 'r', piece);
}

static void on_tool(void *ctx, const struct llm_tool_piece *piece)
{
    struct hearing *h = ctx;
    ASSERT(piece->index >= 0 && piece->index < LLM_TOOLS_MAX);
    ASSERT(piece->id.len + piece->arguments.len > 0);
    h->pieces++;
    if (piece->id.len > 0) {
        h->calls++;
        buf_printf(&h->tools, "%d %.*s %.*s\n", piece->index, STR_ARGS(piece->name),
                   STR_ARGS(piece->id));
    }
    buf_add_str(&h->arguments[piece->index], piece->arguments);
    note(h, 'n', piece->name);
    note(h, 'i', piece->id);
    note(h, 'a', piece->arguments);
}

static const struct llm_reader_events events = {on_open, on_text, on_reasoning, on_tool};

void hear_begin(struct hearing *h, const struct llm_provider *provider, unsigned quirks, int status,
                const char *type, bool streamed)
{
    *h = (struct hearing){0};
    struct buf *all[] = {&h->log, &h->text, &h->reasoning, &h->tools};
    for (size_t i = 0; i < COUNT_OF(all); i++) buf_init(all[i], 64 * 1024 * 1024);
    for (int i = 0; i < LLM_TOOLS_MAX; i++) buf_init(&h->arguments[i], LLM_TEXT_MAX);
    llm_reader_init(&h->reader, provider, quirks, status, str_of(type), streamed, &events, h);
}

void hear(struct hearing *h, struct str bytes)
{
    bool over = h->reader.trouble.fault != LLM_FAULT_NONE;
    int before = h->pieces;
    llm_reader_feed(&h->reader, bytes);
    ASSERT(!over || h->pieces == before);
}

void hear_end(struct hearing *h, bool broken)
{
    h->result = (struct llm_result){0};
    llm_reader_verdict(&h->reader, broken, &h->result);
    h->trouble = h->reader.trouble;
    bool spoke = h->text.len > 0 || h->calls > 0;
    ASSERT(h->result.end != LLM_CANCELLED);
    ASSERT((h->result.end == LLM_FAILED) <= (h->result.fault != LLM_FAULT_NONE));
    if (h->result.end == LLM_COMPLETE) {
        ASSERT(spoke && h->result.fault == LLM_FAULT_NONE);
        ASSERT(h->result.finish == LLM_FINISH_STOP || h->result.finish == LLM_FINISH_TOOL);
    }
    buf_printf(&h->log, "end %d finish %d fault %d usage %d %d %d %d\n", (int)h->result.end,
               (int)h->result.finish, (int)h->result.fault, (int)h->result.usage.input,
               (int)h->result.usage.output, (int)h->result.usage.cached,
               (int)h->result.usage.reasoning);
}

void hear_release(struct hearing *h)
{
    struct buf *all[] = {&h->log, &h->text, &h->reasoning, &h->tools};
    for (size_t i = 0; i < COUNT_OF(all); i++) buf_release(all[i]);
    for (int i = 0; i < LLM_TOOLS_MAX; i++) buf_release(&h->arguments[i]);
    llm_reader_release(&h->reader);
}
