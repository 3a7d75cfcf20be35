/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * tests/fuzz/fuzz_think.c: a model's deltas, of any bytes, made whole (llm/whole.h)
 * and split into reasoning and answer (llm/think.h), as a stream does it. How the
 * bytes are cut must not change what is told, and every piece told is whole.
 *
 * First byte: seed of the cuts, its last bit: does the answer start inside. The
 * same bytes also go through halves_join() as the text of an event.
 */
#include "llm/think.h"
#include "llm/whole.h"

#include "base/mem.h"
#include "base/rng.h"
#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct told {
    struct buf text, reason;
};

static void take(struct buf *to, struct str piece)
{
    ASSERT(piece.len > 0 && utf8_valid(piece));
    buf_add_str(to, piece);
}

static void take_text(void *ctx, struct str piece)
{
    take(&((struct told *)ctx)->text, piece);
}

static void take_reason(void *ctx, struct str piece)
{
    take(&((struct told *)ctx)->reason, piece);
}

static void feed(struct whole *whole, struct think *think, struct str piece, struct told *told)
{
    const struct think_events to = {.text = take_text, .reason = take_reason, .ctx = told};
    struct buf scratch;
    struct str text;
    struct why why;
    char *copy = mem_copy(piece.at, piece.len);
    buf_init(&scratch, 3 * piece.len + 16);
    enum err err = whole_feed(whole, (struct str){copy, piece.len}, &scratch, &text, &why);
    ASSERT(err == OK && utf8_valid(text));
    think_feed(think, text, &to);
    ASSERT(think->held_len <= THINK_HELD_MAX);
    buf_release(&scratch);
    mem_free(copy);
}

static void run(struct str bytes, bool inside, struct rng *rng, struct told *told)
{
    const struct think_events to = {.text = take_text, .reason = take_reason, .ctx = told};
    struct whole whole = {0};
    struct think think;
    buf_init(&told->text, 4 * bytes.len + 16);
    buf_init(&told->reason, 4 * bytes.len + 16);
    think_init(&think, inside);
    while (bytes.len > 0) {
        size_t len = rng ? 1 + rng_below(rng, 12) : bytes.len;
        feed(&whole, &think, str_head(bytes, len), told);
        bytes = str_from(bytes, len);
    }
    think_feed(&think, whole_finish(&whole), &to);
    think_finish(&think, &to);
    ASSERT(!told->text.failed && !told->reason.failed);
}

/* Two events with the same text: what comes out has no lone half, and nothing is lost for good. */
static void join(struct str bytes)
{
    struct halves halves = {0};
    struct buf scratch;
    struct str json;
    struct why why;
    buf_init(&scratch, bytes.len + 16);
    for (int i = 0; i < 2; i++) {
        bool lone = json_has_lone_surrogate(bytes), waits = halves_waits(&halves);
        ASSERT(halves_join(&halves, bytes, &scratch, &json, &why) == OK);
        ASSERT(lone || waits || json.at == bytes.at);
        ASSERT(lone || !waits || json.len >= bytes.len);
    }
    buf_release(&scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) return 0;
    struct rng rng;
    struct told whole, pieces;
    struct str bytes = {(const char *)data + 1, size - 1};
    bool inside = data[0] & 1;
    rng_init(&rng, data[0], 1);
    run(bytes, inside, NULL, &whole);
    run(bytes, inside, &rng, &pieces);
    ASSERT(str_eq(buf_str(&whole.text), buf_str(&pieces.text)));
    ASSERT(str_eq(buf_str(&whole.reason), buf_str(&pieces.reason)));
    ASSERT(utf8_valid(buf_str(&whole.text)) && utf8_valid(buf_str(&whole.reason)));
    join(bytes);
    buf_release(&whole.text);
    buf_release(&whole.reason);
    buf_release(&pieces.text);
    buf_release(&pieces.reason);
    return 0;
}
