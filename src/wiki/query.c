/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "wiki/query.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "wiki/embedder.h"

enum { QUERY_BYTES = 2000 }; /* an embedder reads some hundred words well */

static void end(struct wiki_query *query)
{
    query->asked = NULL;
    deadline_clear(&query->deadline);
    query->done(query);
}

static void on_vector(void *ctx, size_t index, const float *values, size_t count)
{
    struct wiki_query *query = ctx;
    if (index != 0 || count == 0) return;
    query->values = ARENA_ARRAY(query->arena, float, count);
    memcpy(query->values, values, count * sizeof(*values));
    query->dimensions = count;
}

static void on_end(void *ctx, const struct llm_result *result)
{
    if (result->end != LLM_COMPLETE) log_warn("wiki.query", "reason=\"%s\"", result->why.text);
    end(ctx);
}

static void on_late(struct deadline *deadline)
{
    struct wiki_query *query = CONTAINER_OF(deadline, struct wiki_query, deadline);
    log_warn("wiki.query", "reason=\"the embedder was silent for %d ms\"", WIKI_QUERY_US / 1000);
    llm_embed_cancel(query->asked);
    end(query);
}

bool wiki_query_start(struct wiki_query *query, struct llm_loop *home,
                      const struct settings *settings, struct str text)
{
    static const struct llm_embed_events events = {on_vector, on_end};
    query->values = NULL;
    query->dimensions = 0;
    query->deadline.fired = on_late;
    list_init(&query->deadline.link);
    if (settings->wiki_embedder.len == 0) return false;
    if (text.len > QUERY_BYTES) text = str_head(text, utf8_floor(text.at, QUERY_BYTES));
    struct str whole =
        arena_printf(query->arena, "%s%.*s", wiki_embedder_prefix(settings->wiki_embedder, true),
                     STR_ARGS(text));
    struct llm_embed_request request = {.model = settings->wiki_embedder,
                                        .texts = &whole,
                                        .count = 1,
                                        .query = true,
                                        .dimensions = settings->wiki_embedder_dimensions,
                                        .class = LLM_PERSON};
    query->asked = llm_embed_start(home, &request, &events, query);
    deadline_set(query->loop, &query->deadline, loop_now_us(query->loop) + WIKI_QUERY_US);
    return true;
}

void wiki_query_cancel(struct wiki_query *query)
{
    if (!query->asked) return;
    deadline_clear(&query->deadline);
    llm_embed_cancel(query->asked);
    query->asked = NULL;
}
