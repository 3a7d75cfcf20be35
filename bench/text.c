/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * bench/text.c: what the text of a model's answer costs on its way through llm/,
 * without sockets and JSON: processor time of one thread for each event.
 *
 *     text [--rounds N]
 *
 * An event is a token as OpenAI's API streams it, 260 bytes with its framing.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "llm/ndjson.h"
#include "llm/sse.h"
#include "llm/think.h"
#include "llm/tokens.h"
#include "llm/whole.h"
#include "support/measure.h"
#include "support/options.h"

static const char help[] = "usage: text [--rounds N]\n";

enum { EVENTS = 64, LINE_MAX_BYTES = 1 << 20 };

static const char event[] =
    "data: {\"id\":\"chatcmpl-9lMgfRSWPHcw51s6wxKT1YEO2CKpd\",\"object\":\"chat.completion.chunk\","
    "\"created\":1721075651,\"model\":\"gpt-4o-mini-2024-07-18\",\"system_fingerprint\":"
    "\"fp_611b667b19\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" neighbour\"},"
    "\"finish_reason\":null}]}\n\n";

struct tally {
    uint64_t events, bytes;
};

static void take_event(void *ctx, struct str name, struct str data)
{
    struct tally *tally = ctx;
    tally->events++;
    tally->bytes += name.len + data.len;
}

static void take_piece(void *ctx, struct str piece)
{
    take_event(ctx, (struct str){0}, piece);
}

static void report(const char *what, int64_t cpu_ns, uint64_t events, struct tally tally)
{
    printf("| %-40s | %8.1f | %10llu | %12llu |\n", what, (double)cpu_ns / (double)events,
           (unsigned long long)tally.events, (unsigned long long)tally.bytes);
}

static void must(enum err err, const struct why *why)
{
    if (err) give_up("text", "%s", why->text);
}

/* Events in pieces of `piece` bytes, as a socket brings them. */
static void measure_sse(const char *what, struct str stream, size_t piece, uint64_t rounds)
{
    struct tally tally = {0};
    const struct sse_events to = {.event = take_event, .ctx = &tally};
    struct sse sse;
    struct why why;
    sse_init(&sse, LINE_MAX_BYTES, LINE_MAX_BYTES);
    int64_t began_ns = cpu_self_ns();
    for (uint64_t i = 0; i < rounds; i++) {
        for (size_t at = 0; at < stream.len; at += piece) {
            must(sse_feed(&sse, str_head(str_from(stream, at), piece), &to, &why), &why);
        }
    }
    report(what, cpu_self_ns() - began_ns, rounds * EVENTS, tally);
    sse_release(&sse);
    if (tally.events != rounds * EVENTS) give_up("text", "events were lost");
}

static void measure_ndjson(struct str stream, uint64_t rounds)
{
    struct tally tally = {0};
    const struct ndjson_events to = {.line = take_piece, .ctx = &tally};
    struct ndjson ndjson;
    struct why why;
    ndjson_init(&ndjson, LINE_MAX_BYTES);
    int64_t began_ns = cpu_self_ns();
    for (uint64_t i = 0; i < rounds * EVENTS; i++) {
        must(ndjson_feed(&ndjson, str_head(stream, sizeof(event) - 1), &to, &why), &why);
    }
    report("ndjson, a line a piece", cpu_self_ns() - began_ns, rounds * EVENTS, tally);
    ndjson_release(&ndjson);
}

/* One delta: whole characters, then reasoning or text. */
static void measure_delta(const char *what, bool inside, struct str delta, uint64_t rounds)
{
    struct tally tally = {0};
    const struct think_events to = {.text = take_piece, .reason = take_piece, .ctx = &tally};
    struct think think;
    struct whole whole = {0};
    struct buf scratch;
    struct str text;
    struct why why;
    buf_init(&scratch, 4096);
    think_init(&think, inside);
    int64_t began_ns = cpu_self_ns();
    for (uint64_t i = 0; i < rounds * EVENTS; i++) {
        must(whole_feed(&whole, delta, &scratch, &text, &why), &why);
        think_feed(&think, text, &to);
    }
    report(what, cpu_self_ns() - began_ns, rounds * EVENTS, tally);
    buf_release(&scratch);
}

static void measure_lookup(struct str stream, uint64_t rounds)
{
    struct tally tally = {0};
    struct halves halves = {0};
    struct buf scratch;
    struct str json;
    struct why why;
    buf_init(&scratch, 4096);
    int64_t began_ns = cpu_self_ns();
    for (uint64_t i = 0; i < rounds * EVENTS; i++) {
        must(halves_join(&halves, str_head(stream, sizeof(event) - 1), &scratch, &json, &why),
             &why);
        take_piece(&tally, json);
    }
    report("halves_join of an event", cpu_self_ns() - began_ns, rounds * EVENTS, tally);
    buf_release(&scratch);
}

static void measure_tokens(struct str stream, uint64_t rounds)
{
    struct tally tally = {0};
    int64_t began_ns = cpu_self_ns();
    for (uint64_t i = 0; i < rounds; i++) {
        tally.bytes += tokens_estimate(stream);
    }
    report("tokens_estimate of an event", cpu_self_ns() - began_ns, rounds * EVENTS, tally);
}

int main(int argc, char **argv)
{
    uint64_t rounds = 20000;
    const struct option_row rows[] = {ROW_COUNT("rounds", &rounds, 1, 1e7)};
    options_read("text", help, rows, COUNT_OF(rows), argc, argv);
    struct buf stream;
    buf_init(&stream, EVENTS * sizeof(event));
    for (int i = 0; i < EVENTS; i++) buf_add(&stream, event, sizeof(event) - 1);
    struct str all = buf_str(&stream);

    printf("An event has %zu bytes.\n\n", sizeof(event) - 1);
    printf("| work | ns CPU | told | bytes told |\n|---|---|---|---|\n");
    measure_sse("sse, an event a piece", all, sizeof(event) - 1, rounds);
    measure_sse("sse, 64 events a piece", all, all.len, rounds);
    measure_sse("sse, every event cut (pieces of 200 bytes)", all, 200, rounds);
    measure_ndjson(all, rounds);
    measure_lookup(all, rounds);
    measure_delta("whole and think, text of 10 bytes", false, STR(" neighbour"), rounds);
    measure_delta("whole and think, reasoning of 10 bytes", true, STR(" neighbour"), rounds);
    measure_delta("whole and think, 4 Chinese characters", false, STR("胡同邻居"), rounds);
    measure_tokens(all, MAX(rounds / 20, 1u));
    buf_release(&stream);
    return 0;
}
