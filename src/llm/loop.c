/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "llm/loop.h"

#include "base/clock.h"
#include "llm/fault.h"
#include "llm/reader.h"

struct http_fetch *llm_fetch(struct llm_loop *home, const struct llm_place *place,
                             struct llm_wire *wire, bool streamed,
                             const struct http_fetch_events *events, void *ctx)
{
    if (wire->body.len > 0) llm_wire_header(wire, "Content-Type", STR("application/json"));
    bool trickle = streamed && place->site.provider->framing == LLM_FRAMING_SSE;
    llm_wire_header(wire, "Accept", trickle ? STR("text/event-stream") : STR("application/json"));
    llm_wire_header(wire, "Accept-Encoding", STR("identity")); /* gzip would hold tokens back */
    struct http_fetch_request request = {.method = wire->method,
                                         .url = wire->url,
                                         .headers = wire->headers,
                                         .header_count = wire->header_count,
                                         .body = buf_str(&wire->body),
                                         .connect_ms = place->clocks.connect_ms,
                                         .trickles = streamed};
    return http_fetch_start(home->client, &request, events, ctx);
}

struct llm_trouble llm_fetch_trouble(const struct http_fetch_end *end)
{
    struct llm_trouble trouble = {.retry_after_ms = -1};
    if (end->fault == HTTP_FETCH_OK) return trouble;
    bool strange = end->fault == HTTP_FETCH_STRANGE, nowhere = end->fault == HTTP_FETCH_URL;
    trouble.fault = strange || nowhere ? LLM_FAULT_PROTOCOL : LLM_FAULT_CONNECTION;
    const char *code = strange ? LLM_CODE_NO_HTTP : nowhere ? LLM_CODE_NO_URL : "";
    str_copy(trouble.code, sizeof(trouble.code), str_of(code));
    str_copy(trouble.text, sizeof(trouble.text), str_of(end->message));
    return trouble;
}

int64_t llm_fetch_hint_ms(struct http_fetch *fetch)
{
    static const char *const in_ms[] = {"retry-after-ms", "x-ms-retry-after-ms"};
    for (size_t i = 0; i < COUNT_OF(in_ms); i++) {
        uint64_t ms;
        struct str text = str_trim(http_fetch_header(fetch, in_ms[i]));
        if (str_to_u64(text, &ms) && ms < 86400000) return (int64_t)ms;
    }
    return llm_retry_after_ms(http_fetch_header(fetch, "retry-after"), clock_wall_us());
}

const struct json *llm_replayed(struct llm_loop *home, const char *key, struct llm_result *result)
{
    const struct json *entry = journal_next(home->llm->journal, key);
    if (entry) {
        journal_result(entry, result);
        return entry;
    }
    result->end = LLM_FAILED;
    result->fault = LLM_FAULT_SETUP;
    why_write(&result->why, "the file of llm-replay has no answer to this; record the run anew");
    return NULL;
}
