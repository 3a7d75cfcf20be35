/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * tests/fuzz/fuzz_events.c: streams from a provider, as events (llm/sse.h) and as
 * lines (llm/ndjson.h). How they are cut into pieces must not change what is told:
 * the input is fed whole and in pieces.
 *
 * First byte: seed of the cuts. Second: the ceilings, in steps of 16 bytes.
 */
#include "llm/ndjson.h"
#include "llm/sse.h"

#include "base/mem.h"
#include "base/rng.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct told {
    uint64_t digest; /* FNV-1a over all events */
    size_t line_max, event_max;
};

static void digest(struct told *told, const void *bytes, size_t len)
{
    const unsigned char *at = bytes;
    for (size_t i = 0; i < len; i++) {
        told->digest = (told->digest ^ at[i]) * UINT64_C(1099511628211);
    }
}

static void digest_text(struct told *told, char kind, struct str text)
{
    digest(told, &kind, 1);
    digest(told, &text.len, sizeof(text.len));
    digest(told, text.at, text.len);
}

static void take_event(void *ctx, struct str name, struct str data)
{
    struct told *told = ctx;
    ASSERT(name.len > 0 || data.len > 0);
    ASSERT(name.len <= told->line_max && data.len <= told->event_max + told->line_max);
    digest_text(told, 'n', name);
    digest_text(told, 'd', data);
}

static void take_comment(void *ctx, struct str text)
{
    digest_text(ctx, 'c', text);
}

static void take_line(void *ctx, struct str line)
{
    struct told *told = ctx;
    ASSERT(line.len > 0 && line.len <= told->line_max);
    ASSERT(str_find_byte(line, '\n') == line.len);
    digest_text(told, 'l', line);
}

struct decoders {
    struct sse sse;
    struct ndjson ndjson;
    struct told told;
    enum err sse_err, ndjson_err;
};

static void feed(struct decoders *all, struct str piece)
{
    const struct sse_events to = {.event = take_event, .comment = take_comment, .ctx = &all->told};
    const struct ndjson_events lines = {.line = take_line, .ctx = &all->told};
    struct why why = {0};
    char *copy = mem_copy(piece.at, piece.len);
    piece.at = copy;
    if (all->sse_err == OK) all->sse_err = sse_feed(&all->sse, piece, &to, &why);
    if (all->ndjson_err == OK) all->ndjson_err = ndjson_feed(&all->ndjson, piece, &lines, &why);
    mem_free(copy);
    sse_check(&all->sse);
    ASSERT(all->sse_err == OK || (all->sse_err == ERR_LIMIT && why.text[0] != '\0') ||
           all->sse.stopped);
}

static void finish(struct decoders *all)
{
    const struct sse_events to = {.event = take_event, .comment = take_comment, .ctx = &all->told};
    const struct ndjson_events lines = {.line = take_line, .ctx = &all->told};
    struct why why;
    if (all->sse_err == OK) all->sse_err = sse_finish(&all->sse, &to, &why);
    if (all->ndjson_err == OK) all->ndjson_err = ndjson_finish(&all->ndjson, &lines, &why);
    digest(&all->told, &all->sse_err, sizeof(all->sse_err));
    digest(&all->told, &all->ndjson_err, sizeof(all->ndjson_err));
    digest_text(&all->told, 's', sse_stray(&all->sse));
    sse_release(&all->sse);
    ndjson_release(&all->ndjson);
}

/* What one of the decoders tells of `text`; `rng` NULL: in one piece. */
static uint64_t run(struct str text, size_t max, bool lines, struct rng *rng)
{
    struct decoders all = {.told = {UINT64_C(14695981039346656037), max, 2 * max}};
    sse_init(&all.sse, max, 2 * max);
    ndjson_init(&all.ndjson, max);
    if (lines) sse_stop(&all.sse);
    if (!lines) ndjson_stop(&all.ndjson);
    while (text.len > 0) {
        size_t len = rng ? 1 + rng_below(rng, 1u << rng_below(rng, 7)) : text.len;
        feed(&all, str_head(text, len));
        text = str_from(text, len);
    }
    finish(&all);
    return all.told.digest;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) return 0;
    struct rng rng;
    rng_init(&rng, data[0], 1);
    struct str text = {(const char *)data + 2, size - 2};
    size_t max = (data[1] + 1u) * 16;
    ASSERT(run(text, max, false, NULL) == run(text, max, false, &rng));
    ASSERT(run(text, max, true, NULL) == run(text, max, true, &rng));
    return 0;
}
