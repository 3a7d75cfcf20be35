/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * tests/fuzz/fuzz_chunk_guard.c: any bytes as a chunked body, and what comes behind it.
 *
 * The first byte chooses the cuts, the rest is what a stranger sends. Held: cut
 * anyhow, the guard lets through exactly what a plain reading of RFC 9112, 7.1
 * lets through; and what llhttp then takes for the body has that reading's bytes
 * and that reading's end, or else a second request could hide in it.
 */
#include <llhttp.h>

#include "base/buf.h"
#include "base/rng.h"
#include "http/chunk_guard.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* How one reader sees the bytes. */
struct reading {
    struct buf data; /* owned */
    size_t end;      /* bytes up to the end of the body; 0: it isn't there yet */
    bool refused;
};

/* --- the plain reading: whole lines, by the grammar --- */

static bool is_line_text(struct str line)
{
    for (size_t i = 0; i < line.len; i++) {
        unsigned char c = (unsigned char)line.at[i];
        if ((c < ' ' && c != '\t') || c == 0x7f) return false;
    }
    return true;
}

/* Without its CR LF. A CR or LF alone is no text, so such a line is none. */
static bool take_line(struct str *rest, struct str *line_out)
{
    size_t len = str_find(*rest, STR("\r\n"));
    if (len == rest->len) return false;
    *line_out = str_head(*rest, len);
    *rest = str_from(*rest, len + 2);
    return is_line_text(*line_out);
}

static size_t span(struct str text, const char *of)
{
    size_t len = 0;
    while (len < text.len && text.at[len] != '\0' && strchr(of, text.at[len])) len++;
    return len;
}

static bool take_size(struct str *rest, uint64_t *size_out)
{
    static const char hex[] = "0123456789abcdefABCDEF";
    struct str line;
    if (!take_line(rest, &line)) return false;
    size_t digits = span(line, hex);
    if (digits == 0 || digits > 16) return false;
    *size_out = 0;
    for (size_t i = 0; i < digits; i++) {
        size_t value = (size_t)(strchr(hex, line.at[i]) - hex);
        *size_out = *size_out << 4 | (value < 16 ? value : value - 6);
    }
    struct str extension = str_from(line, digits);
    return extension.len == 0 ||
           (extension.at[0] == ';' && extension.len <= CHUNK_EXTENSION_BYTES_MAX);
}

static bool take_data(struct str *rest, uint64_t size, struct buf *data)
{
    if (size > rest->len) return false;
    buf_add(data, rest->at, (size_t)size);
    *rest = str_from(*rest, (size_t)size);
    if (!str_starts(*rest, STR("\r\n"))) return false;
    *rest = str_from(*rest, 2);
    return true;
}

static bool take_trailers(struct str *rest)
{
    static const char token[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "!#$%&'*+-.^_`|~";
    size_t before = rest->len;
    struct str line;
    while (take_line(rest, &line)) {
        if (line.len == 0) return before - rest->len <= TRAILER_BYTES_MAX + 1; /* but the last LF */
        size_t name = span(line, token);
        if (name == 0 || name == line.len || line.at[name] != ':') return false;
    }
    return false;
}

static void read_plainly(struct str body, struct reading *reading)
{
    struct str rest = body;
    uint64_t size;
    do {
        if (!take_size(&rest, &size)) return;
        if (size > 0 && !take_data(&rest, size, &reading->data)) return;
    } while (size > 0);
    if (take_trailers(&rest)) reading->end = body.len - rest.len;
}

/* --- the guard alone --- */

/* Behind the end, and only there, any byte changes nothing. */
static bool is_over(const struct chunk_guard *guard)
{
    struct chunk_guard after = *guard;
    return chunk_guard_look(&after, "", 1) && after.state == guard->state &&
           after.left == guard->left;
}

static void read_by_guard(struct str body, struct reading *reading)
{
    struct chunk_guard guard = {0};
    for (size_t i = 0; i < body.len && reading->end == 0; i++) {
        reading->refused = !chunk_guard_look(&guard, &body.at[i], 1);
        if (reading->refused) return;
        if (is_over(&guard)) reading->end = i + 1;
    }
}

/* --- guard and llhttp, as http/server.c has them --- */

static int on_body(llhttp_t *parser, const char *at, size_t len)
{
    buf_add(parser->data, at, len);
    return 0;
}

static int on_message_complete(llhttp_t *parser)
{
    (void)parser;
    return HPE_PAUSED;
}

static void read_as_server(struct str body, struct rng *cuts, struct reading *reading)
{
    static const char head[] = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
    llhttp_settings_t settings;
    llhttp_t parser;
    llhttp_settings_init(&settings);
    settings.on_body = on_body;
    settings.on_message_complete = on_message_complete;
    llhttp_init(&parser, HTTP_REQUEST, &settings);
    parser.data = &reading->data;
    llhttp_errno_t failed = llhttp_execute(&parser, head, sizeof(head) - 1);
    ASSERT(failed == HPE_OK);

    struct chunk_guard guard = {0};
    for (size_t at = 0, len; at < body.len && failed == HPE_OK; at += len) {
        size_t cut = 1 + rng_below(cuts, 1u << rng_below(cuts, 10));
        len = MIN(body.len - at, cut);
        ASSERT(parser.flags & F_CHUNKED); /* the server asks it before each piece */
        reading->refused = !chunk_guard_look(&guard, body.at + at, len);
        if (reading->refused) return;
        failed = llhttp_execute(&parser, body.at + at, len);
    }
    if (failed == HPE_PAUSED) {
        reading->end = (size_t)(llhttp_get_error_pos(&parser) - body.at);
    } else {
        reading->refused = failed != HPE_OK;
    }
}

static void check_server(struct str body, struct rng *cuts, const struct reading *plain)
{
    struct reading server = {0};
    buf_init(&server.data, body.len + 1);
    read_as_server(body, cuts, &server);
    if (!server.refused) {
        ASSERT(server.end == plain->end);
        ASSERT(server.end == 0 || str_eq(buf_str(&server.data), buf_str(&plain->data)));
    }
    buf_release(&server.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    struct str body = {(const char *)data + 1, size - 1};
    struct reading plain = {0}, guard = {0};
    buf_init(&plain.data, size);
    read_plainly(body, &plain);
    read_by_guard(body, &guard);
    ASSERT(guard.end == plain.end);
    for (uint64_t stream = 0; stream < 4; stream++) {
        struct rng cuts;
        rng_init(&cuts, data[0], stream);
        check_server(body, &cuts, &plain);
    }
    buf_release(&plain.data);
    return 0;
}
