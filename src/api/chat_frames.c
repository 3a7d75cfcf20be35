/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "api/chat_frames.h"

#include "api/chat_shapes.h"
#include "api/wiki_frames.h"

static struct json_out begin(struct buf *buf, const char *type)
{
    buf_reset(buf, 4096);
    struct json_out out = json_begin(buf);
    json_open(&out, NULL, '{');
    json_put_str(&out, "type", str_of(type));
    return out;
}

static void put_who(struct json_out *out, struct str site, struct str model, struct str instead)
{
    json_put_str(out, "site", site);
    json_put_str(out, "model", model);
    /* What no language model wrote is marked as such wherever it is shown. */
    json_put_bool(out, "offline", str_eq(site, STR("offline")));
    if (instead.len > 0) json_put_str(out, "instead", instead);
}

void chat_frame_start(struct buf *buf, struct str site, struct str model, struct str instead)
{
    struct json_out out = begin(buf, "start");
    put_who(&out, site, model, instead);
    json_close(&out, '}');
}

void chat_frame_so_far(struct buf *buf, struct str site, struct str model, struct str instead,
                       struct str reasoning, struct str text, struct str found)
{
    struct json_out out = begin(buf, "so_far");
    put_who(&out, site, model, instead);
    json_put_str(&out, "reasoning", reasoning.len ? reasoning : STR(""));
    json_put_str(&out, "text", text.len ? text : STR(""));
    if (found.len) json_put_raw(&out, "found", found);
    json_close(&out, '}');
}

void chat_frame_sources(struct buf *buf, const struct wiki_source *sources, size_t count)
{
    struct json_out out = begin(buf, "sources");
    wiki_put_sources(&out, sources, count);
    json_close(&out, '}');
}

void chat_frame_piece(struct buf *buf, const char *type, struct str text)
{
    struct json_out out = begin(buf, type);
    json_put_str(&out, "text", text);
    json_close(&out, '}');
}

/* Never silently zero: what nobody said is null, and a guess says that it is one. */
void chat_frame_usage(struct json_out *out, const struct llm_usage *usage)
{
    json_open(out, "usage", '{');
    chat_put_tokens(out, "input", usage->input);
    chat_put_tokens(out, "output", usage->output);
    chat_put_tokens(out, "cached", usage->cached);
    chat_put_tokens(out, "reasoning", usage->reasoning);
    json_put_bool(out, "estimated", usage->estimated);
    json_close(out, '}');
}

void chat_frame_end(struct buf *buf, const struct llm_result *result)
{
    bool failed = result->end == LLM_FAILED;
    struct json_out out = begin(buf, failed ? "error" : "done");
    if (failed) {
        json_put_str(&out, "fault", str_of(llm_fault_name(result->fault)));
    } else {
        json_put_str(&out, "end", str_of(llm_end_name(result->end)));
    }
    if (result->end != LLM_COMPLETE) json_put_str(&out, "detail", str_of(result->why.text));
    if (result->site.len > 0) /* no start may have come */
        put_who(&out, result->site, result->model, result->instead);
    chat_frame_usage(&out, &result->usage);
    json_close(&out, '}');
}

void chat_frame_wiki_end(struct buf *buf, const struct chat_wiki_end *end)
{
    bool failed = str_eq(end->status, STR("failed"));
    struct json_out out = begin(buf, failed ? "error" : "done");
    json_put_str(&out, failed ? "fault" : "end", failed ? str_of(end->fault) : end->status);
    if (end->detail[0]) json_put_str(&out, "detail", str_of(end->detail));
    if (end->site.len) put_who(&out, end->site, end->model, (struct str){0});
    chat_frame_usage(&out, &end->used);
    json_put_u64(&out, "cited", end->cited);
    json_put_u64(&out, "removed", end->removed);
    json_put_i64(&out, "rounds", end->rounds);
    json_close(&out, '}');
}

void chat_frame_interrupted(struct buf *buf, const struct llm_usage *usage)
{
    struct json_out out = begin(buf, "interrupted");
    chat_frame_usage(&out, usage);
    json_close(&out, '}');
}

void chat_frame_error(struct buf *buf, const char *fault, const char *detail)
{
    struct json_out out = begin(buf, "error");
    json_put_str(&out, "fault", str_of(fault));
    json_put_str(&out, "detail", str_of(detail));
    json_close(&out, '}');
}
