/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "api/wiki_frames.h"

#include "api/chat_frames.h"

static struct json_out begin(struct buf *buf, const char *type)
{
    buf_reset(buf, 4096);
    struct json_out out = json_begin(buf);
    json_open(&out, NULL, '{');
    json_put_str(&out, "type", str_of(type));
    return out;
}

void wiki_frame_waiting(struct buf *buf, const struct wiki_progress *progress)
{
    struct json_out out = begin(buf, "waiting");
    json_put_str(&out, "stage", str_of(progress->stage));
    if (progress->percent >= 0)
        json_put_i64(&out, "percent", progress->percent);
    else
        json_put_null(&out, "percent");
    json_close(&out, '}');
}

void wiki_frame_start(struct buf *buf, const struct wiki *wiki)
{
    struct json_out out = begin(buf, "start");
    json_put_u64(&out, "wiki", wiki->id);
    json_put_str(&out, "name", wiki->name);
    json_put_str(&out, "commit", wiki->commit);
    json_close(&out, '}');
}

void wiki_frame_round(struct buf *buf, int round, bool last)
{
    struct json_out out = begin(buf, "round");
    json_put_i64(&out, "round", round);
    json_put_bool(&out, "last", last);
    json_close(&out, '}');
}

void wiki_put_sources(struct json_out *out, const struct wiki_source *sources, size_t count)
{
    json_open(out, "sources", '[');
    for (size_t i = 0; i < count; i++) {
        json_open(out, NULL, '{');
        json_put_str(out, "path", sources[i].path);
        json_put_i64(out, "first", sources[i].first);
        json_put_i64(out, "last", sources[i].last);
        json_put_str(out, "symbol", sources[i].symbol);
        json_close(out, '}');
    }
    json_close(out, ']');
}

void wiki_frame_context(struct buf *buf, const struct wiki_source *sources, size_t count)
{
    struct json_out out = begin(buf, "context");
    wiki_put_sources(&out, sources, count);
    json_close(&out, '}');
}

void wiki_frame_notice(struct buf *buf, enum wiki_cause cause, struct str sentence)
{
    static const char *const causes[] = {[WIKI_LESS] = "less",
                                         [WIKI_NOTHING] = "nothing",
                                         [WIKI_TOO_LONG] = "too_long",
                                         [WIKI_UNFOUND] = "not_found",
                                         [WIKI_INSTEAD] = "instead"};
    struct json_out out = begin(buf, "notice");
    json_put_str(&out, "cause", str_of(causes[cause]));
    json_put_str(&out, "detail", sentence);
    json_close(&out, '}');
}

void wiki_frame_open(struct buf *buf, struct str site, struct str model)
{
    struct json_out out = begin(buf, "model");
    json_put_str(&out, "site", site);
    json_put_str(&out, "model", model);
    json_close(&out, '}');
}

void wiki_frame_end(struct buf *buf, const struct wiki_ask_end *end)
{
    const struct llm_result *result = end->result;
    struct json_out out = begin(buf, end->complete ? "done" : "error");
    if (!end->complete) {
        const char *fault = end->err ? err_name(end->err)
                            : result ? llm_fault_name(result->fault)
                                     : "";
        json_put_str(&out, "fault", str_of(fault));
        json_put_str(&out, "detail",
                     str_of(end->err ? end->why.text
                            : result ? result->why.text
                                     : ""));
        if (result) json_put_str(&out, "status", str_of(llm_end_name(result->end)));
    }
    json_put_bool(&out, "offline", end->complete && result == NULL);
    json_put_u64(&out, "cited", end->cited);
    json_put_u64(&out, "removed", end->removed);
    json_put_i64(&out, "rounds", end->rounds);
    if (result) chat_frame_usage(&out, &end->used);
    json_close(&out, '}');
}
