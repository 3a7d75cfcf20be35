/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * tests/fuzz/fuzz_reader.c: an answer of a model server gone mad. However it is
 * cut into reads, the same pieces and the same verdict must come of it; pieces
 * are whole characters; and nothing is complete that did not say why it stopped.
 *
 * First byte: provider and quirk. Second: status and content type. Third: seed
 * of the cuts. Fourth: was a stream asked for, did the connection break.
 */
#include "base/map.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/utf8.h"
#include "llm/fault.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct plan {
    const struct llm_provider *provider;
    unsigned quirks;
    int status;
    struct str type;
    bool streamed, broken;
    struct str body;
};

struct heard {
    uint64_t digest; /* FNV-1a over all pieces */
    int opens, pieces;
    uint64_t named;
};

static void digest(struct heard *heard, char kind, struct str piece)
{
    ASSERT(utf8_valid(piece));
    heard->digest = (heard->digest ^ (unsigned char)kind) * UINT64_C(1099511628211);
    heard->digest = (heard->digest ^ map_hash(piece)) * UINT64_C(1099511628211);
}

static void on_open(void *ctx, struct str model)
{
    struct heard *heard = ctx;
    ASSERT(heard->opens++ == 0 && heard->pieces == 0);
    digest(heard, 'o', model);
}

static void on_text(void *ctx, struct str piece)
{
    struct heard *heard = ctx;
    ASSERT(piece.len > 0);
    heard->pieces++;
    digest(heard, 't', piece);
}

static void on_reasoning(void *ctx, struct str piece)
{
    struct heard *heard = ctx;
    ASSERT(piece.len > 0);
    heard->pieces++;
    digest(heard, 'r', piece);
}

static void on_tool(void *ctx, const struct llm_tool_piece *piece)
{
    struct heard *heard = ctx;
    ASSERT(piece->index >= 0 && piece->index < LLM_TOOLS_MAX);
    bool first = !(heard->named & UINT64_C(1) << piece->index);
    ASSERT(first == (piece->id.len > 0)); /* an id comes first, and once */
    ASSERT(first || (piece->name.len == 0 && piece->arguments.len > 0));
    heard->named |= UINT64_C(1) << piece->index;
    heard->pieces++;
    digest(heard, 'n', piece->name);
    digest(heard, 'i', piece->id);
    digest(heard, 'a', piece->arguments);
}

static const struct llm_reader_events events = {on_open, on_text, on_reasoning, on_tool};

static bool has(struct str text, const char *part)
{
    return str_find(text, str_of(part)) < text.len;
}

/* Keys may be written with escapes, or in any case under which a byte is mended. */
static bool may_name_reason(struct str body)
{
    return has(body, "inish") || has(body, "_reason") || has(body, "\\u");
}

static void judge(const struct plan *plan, const struct heard *heard,
                  const struct llm_reader *reader, const struct llm_result *result)
{
    ASSERT(result->end != LLM_CANCELLED);
    ASSERT(result->usage.input >= -1 && result->usage.output >= -1);
    bool fine = result->end == LLM_COMPLETE ||
                (result->end == LLM_CUT_OFF && result->finish == LLM_FINISH_LENGTH);
    ASSERT(fine || result->fault != LLM_FAULT_NONE);
    if (result->end == LLM_COMPLETE) {
        ASSERT(result->fault == LLM_FAULT_NONE && heard->pieces > 0);
        ASSERT(result->finish == LLM_FINISH_STOP || result->finish == LLM_FINISH_TOOL);
        ASSERT(plan->status < 300);
        ASSERT((plan->quirks & LLM_QUIRK_NO_FINISH) || may_name_reason(plan->body));
    }
    ASSERT(utf8_valid(str_of(reader->trouble.text)) && utf8_valid(str_of(reader->trouble.code)));
    struct llm_site site = {.name = STR("lab")};
    struct why why;
    llm_fault_sentence(result->fault, &site, STR("m"), &reader->trouble, &why);
    ASSERT(utf8_valid(str_of(why.text)) && why.text[0]);
}

/* Returns the digest of pieces and verdict; `rng` NULL: in one read. */
static uint64_t feed(const struct plan *plan, struct rng *rng)
{
    struct heard heard = {.digest = UINT64_C(14695981039346656037)};
    struct llm_reader reader;
    struct llm_result result = {0};
    llm_reader_init(&reader, plan->provider, plan->quirks, plan->status, plan->type, plan->streamed,
                    &events, &heard);
    for (size_t at = 0, len; at < plan->body.len; at += len) {
        size_t cut = rng ? 1 + rng_below(rng, 1u << rng_below(rng, 10)) : plan->body.len;
        len = MIN(plan->body.len - at, cut);
        char *bytes = mem_copy(plan->body.at + at, len); /* so that a read too far is seen */
        llm_reader_feed(&reader, (struct str){bytes, len});
        mem_free(bytes);
    }
    llm_reader_verdict(&reader, plan->broken, &result);
    judge(plan, &heard, &reader, &result);
    const char verdict[] = {(char)result.end, (char)result.finish, (char)result.fault};
    llm_reader_release(&reader);
    return heard.digest ^ map_hash((struct str){verdict, sizeof(verdict)});
}

static struct plan read_plan(const uint8_t *data, size_t size)
{
    static const unsigned quirks[] = {0, LLM_QUIRK_NO_FINISH, LLM_QUIRK_THINKS_INSIDE,
                                      LLM_QUIRK_CUMULATIVE};
    static const int statuses[] = {200, 200, 400, 429, 502};
    static const char *const types[] = {"text/event-stream", "application/x-ndjson",
                                        "application/json", "text/html", ""};
    return (struct plan){.provider = llm_providers[data[0] % llm_provider_count],
                         .quirks = quirks[data[0] / llm_provider_count % COUNT_OF(quirks)],
                         .status = statuses[data[1] % COUNT_OF(statuses)],
                         .type = str_of(types[data[1] / COUNT_OF(statuses) % COUNT_OF(types)]),
                         .streamed = !(data[3] & 1),
                         .broken = data[3] & 2,
                         .body = {(const char *)data + 4, size - 4}};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 4) return 0;
    struct plan plan = read_plan(data, size);
    struct rng rng;
    rng_init(&rng, data[2], 1);
    ASSERT(feed(&plan, NULL) == feed(&plan, &rng));
    return 0;
}
