/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * tests/fuzz/fuzz_ws.c: WebSocket bytes from a stranger. How they are cut into
 * reads must not change what is heard: the input is fed whole and in pieces,
 * and both must tell the same events and the same fault.
 *
 * First byte: seed of the cuts. Second: the ceiling, in steps of 64 bytes.
 */
#include "http/ws_codec.h"

#include "base/mem.h"
#include "base/rng.h"
#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct heard {
    uint64_t digest; /* FNV-1a over all events */
    size_t message_max;
};

static void digest(struct heard *heard, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        heard->digest = (heard->digest ^ (unsigned char)bytes[i]) * UINT64_C(1099511628211);
    }
}

static bool hear(struct heard *heard, char kind, struct str payload)
{
    digest(heard, &kind, 1);
    digest(heard, (const char *)&payload.len, sizeof(payload.len));
    digest(heard, payload.at, payload.len);
    return true;
}

static bool hear_text(void *ctx, struct str message)
{
    struct heard *heard = ctx;
    ASSERT(utf8_valid(message));
    ASSERT(message.len <= heard->message_max);
    return hear(heard, 't', message);
}

static bool hear_binary(void *ctx, struct str message)
{
    struct heard *heard = ctx;
    ASSERT(message.len <= heard->message_max);
    return hear(heard, 'b', message);
}

static bool hear_ping(void *ctx, struct str payload)
{
    ASSERT(payload.len <= WS_CONTROL_BYTES);
    return hear(ctx, 'i', payload);
}

static bool hear_pong(void *ctx, struct str payload)
{
    ASSERT(payload.len <= WS_CONTROL_BYTES);
    return hear(ctx, 'o', payload);
}

static void hear_close(void *ctx, unsigned code, struct str reason)
{
    ASSERT(code >= 1000 && code < 5000);
    ASSERT(utf8_valid(reason));
    hear(ctx, 'c', reason);
    /* What a peer may say we can answer. */
    blob_unref(ws_frame_close(code, reason));
}

static const struct ws_events events = {hear_text, hear_binary, hear_ping, hear_pong, hear_close};

/* Returns the digest of all that was heard; `rng` NULL: in one read. */
static uint64_t feed(const uint8_t *data, size_t size, uint32_t message_max, struct rng *rng)
{
    struct heard heard = {UINT64_C(14695981039346656037), message_max};
    struct ws_parser parser;
    struct ws_fault fault = {0};
    ws_parser_init(&parser, message_max);
    enum err err = OK;
    for (size_t at = 0, len; at < size && err == OK; at += len) {
        size_t cut = rng ? 1 + rng_below(rng, 1u << rng_below(rng, 8)) : size;
        len = MIN(size - at, cut);
        char *bytes = mem_copy(data + at, len);
        err = ws_feed(&parser, bytes, len, &events, &heard, &fault);
        mem_free(bytes);
        ws_parser_check(&parser);
    }
    ws_parser_release(&parser);
    ASSERT(err == OK || fault.code == 1002 || fault.code == 1007 || fault.code == 1009);
    digest(&heard, (const char *)&fault.code, sizeof(fault.code));
    return heard.digest;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) return 0;
    struct rng rng;
    rng_init(&rng, data[0], 1);
    uint32_t message_max = data[1] * 64u;
    uint64_t whole = feed(data + 2, size - 2, message_max, NULL);
    uint64_t pieces = feed(data + 2, size - 2, message_max, &rng);
    ASSERT(whole == pieces);
    return 0;
}
