/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * A frame is read in two phases: its head, gathered into 14 bytes of the parser
 * because it is tiny and may be cut anywhere; then its payload, which takes one
 * of three ways: whole in this read and a message of its own (no copy), a piece
 * of a control frame (125 bytes beside the message, because control frames may
 * come between the fragments of one), or a piece of a message.
 */
#include "http/ws_codec.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/utf8.h"

enum phase { PHASE_HEAD, PHASE_PAYLOAD, PHASE_ENDED };
enum { FIN = 0x80, RESERVED = 0x70, OPCODE = 0x0F, CONTROL = 0x08, MASKED = 0x80, LENGTH = 0x7F };
enum { LENGTH_16 = 126, LENGTH_64 = 127, MASK_BYTES = 4 };

struct ws_partial {
    struct buf message;
    uint32_t utf8;  /* state of utf8_feed over `message` */
    uint8_t opcode; /* of the message in progress; WS_CONTINUATION: none, only a control frame */
    uint8_t control_len;
    char control[WS_CONTROL_BYTES];
};

/* Ten thousand of these wait for something to happen. */
static_assert(sizeof(struct ws_parser) <= 40, "an idle parser stays small");

/* One call of ws_feed. */
struct feed {
    struct ws_parser *parser;
    char *at;
    size_t left;
    const struct ws_events *events;
    void *ctx;
    struct ws_fault *fault;
    enum err err;
};

void ws_parser_init(struct ws_parser *parser, uint32_t message_max)
{
    *parser = (struct ws_parser){.message_max = message_max, .phase = PHASE_HEAD};
}

static void drop_partial(struct ws_parser *parser)
{
    if (parser->partial == NULL) return;
    buf_release(&parser->partial->message);
    mem_free(parser->partial);
    parser->partial = NULL;
}

void ws_parser_release(struct ws_parser *parser)
{
    drop_partial(parser);
    *parser = (struct ws_parser){.phase = PHASE_ENDED};
}

void ws_parser_check(const struct ws_parser *parser)
{
    ASSERT(parser->phase <= PHASE_ENDED);
    ASSERT(parser->head_len <= sizeof(parser->head));
    ASSERT(parser->payload_at <= parser->payload_len);
    ASSERT(parser->phase == PHASE_PAYLOAD || parser->payload_len == 0);
    ASSERT(parser->phase != PHASE_ENDED || parser->partial == NULL);
    const struct ws_partial *partial = parser->partial;
    if (partial == NULL) return;
    ASSERT(!partial->message.failed);
    ASSERT(partial->message.len <= parser->message_max);
    ASSERT(partial->opcode != WS_CONTINUATION || partial->message.len == 0);
    ASSERT(partial->opcode != WS_CONTINUATION || partial->control_len > 0);
}

size_t ws_parser_held(const struct ws_parser *parser)
{
    return parser->partial ? sizeof(*parser->partial) + parser->partial->message.cap : 0;
}

static void end(struct ws_parser *parser)
{
    drop_partial(parser);
    parser->phase = PHASE_ENDED;
    parser->head_len = 0;
    parser->payload_len = parser->payload_at = 0;
}

/* Returns false, for steps that return whether to go on. */
static bool fail(struct feed *feed, enum ws_code code, const char *reason)
{
    end(feed->parser);
    *feed->fault = (struct ws_fault){.code = code, .reason = reason};
    feed->err = code == WS_CODE_TOO_BIG ? ERR_LIMIT : ERR_INVALID;
    return false;
}

static bool stop(struct feed *feed)
{
    end(feed->parser);
    feed->err = ERR_CANCELLED;
    return false;
}

static enum ws_opcode frame_opcode(const struct ws_parser *parser)
{
    return (enum ws_opcode)(parser->head[0] & OPCODE);
}

static bool is_known(enum ws_opcode opcode)
{
    return opcode <= WS_BINARY || (opcode >= WS_CLOSE && opcode <= WS_PONG);
}

/* The first two bytes of a frame, section 5.2. NULL: they may stand. */
static const char *head_complaint(const struct ws_parser *parser)
{
    enum ws_opcode opcode = frame_opcode(parser);
    bool fin = parser->head[0] & FIN;
    bool within = parser->partial && parser->partial->opcode != WS_CONTINUATION;
    if (parser->head[0] & RESERVED) return "reserved bits are set";
    if (!is_known(opcode)) return "reserved opcode";
    if (!(parser->head[1] & MASKED)) return "frame is not masked";
    if (opcode & CONTROL) {
        if (!fin) return "control frame is fragmented";
        if ((parser->head[1] & LENGTH) > WS_CONTROL_BYTES) return "control frame is too long";
        return NULL;
    }
    if (opcode == WS_CONTINUATION && !within) return "continuation without a beginning";
    if (opcode != WS_CONTINUATION && within) return "new message within a fragmented one";
    return NULL;
}

static size_t length_bytes(const struct ws_parser *parser)
{
    unsigned length = parser->head[1] & LENGTH;
    return length == LENGTH_16 ? 2 : length == LENGTH_64 ? 8 : 0;
}

/* The head is whole: learn the payload's length and judge it. */
static bool begin_payload(struct feed *feed)
{
    struct ws_parser *parser = feed->parser;
    size_t extra = length_bytes(parser);
    uint64_t length = extra ? 0 : parser->head[1] & LENGTH;
    for (size_t i = 0; i < extra; i++) length = length << 8 | parser->head[2 + i];

    if (length >> 63) return fail(feed, WS_CODE_PROTOCOL, "length has its highest bit set");
    if ((extra == 2 && length < LENGTH_16) || (extra == 8 && length <= UINT16_MAX)) {
        return fail(feed, WS_CODE_PROTOCOL, "length is not in its shortest form");
    }
    size_t gathered = parser->partial ? parser->partial->message.len : 0;
    if (!(frame_opcode(parser) & CONTROL) && length > parser->message_max - gathered) {
        return fail(feed, WS_CODE_TOO_BIG, "message is too large");
    }
    parser->payload_len = (uint32_t)length;
    parser->payload_at = 0;
    parser->phase = PHASE_PAYLOAD;
    return true;
}

/* Bytes of the head, as far as it is known: two, then all of it. */
static size_t head_wanted(const struct ws_parser *parser)
{
    return parser->head_len < 2 ? 2 : 2 + length_bytes(parser) + MASK_BYTES;
}

/* Returns whether to go on: false on a fault and when bytes are missing. */
static bool read_head(struct feed *feed)
{
    struct ws_parser *parser = feed->parser;
    for (;;) {
        size_t wanted = head_wanted(parser);
        size_t take = MIN(wanted - parser->head_len, feed->left);
        memcpy(parser->head + parser->head_len, feed->at, take);
        parser->head_len = (uint8_t)(parser->head_len + take);
        feed->at += take;
        feed->left -= take;
        if (parser->head_len < wanted) return false;
        if (wanted > 2) return begin_payload(feed);
        const char *complaint = head_complaint(parser);
        if (complaint) return fail(feed, WS_CODE_PROTOCOL, complaint);
    }
}

/*
 * XOR with the frame's key, eight bytes at a time. `to` may be `from`. The piece
 * may begin anywhere in the payload, so the key is turned to where it begins.
 */
static void unmask(const struct ws_parser *parser, char *to, const char *from, size_t len)
{
    const unsigned char *key = parser->head + parser->head_len - MASK_BYTES;
    unsigned char turned[8];
    for (size_t i = 0; i < sizeof(turned); i++) turned[i] = key[(parser->payload_at + i) & 3];
    uint64_t key_64, eight;
    memcpy(&key_64, turned, sizeof(key_64));

    size_t i = 0;
    for (; i + sizeof(eight) <= len; i += sizeof(eight)) {
        memcpy(&eight, from + i, sizeof(eight));
        eight ^= key_64;
        memcpy(to + i, &eight, sizeof(eight));
    }
    for (; i < len; i++) to[i] = (char)(from[i] ^ turned[i & 7]);
}

/* Codes a peer may send: section 7.4, and 1012 to 1014 from the IANA registry. */
static bool is_sendable(unsigned code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

static bool tell_close(struct feed *feed, struct str payload)
{
    unsigned code = WS_CODE_NOTHING;
    if (payload.len == 1) return fail(feed, WS_CODE_PROTOCOL, "close frame has half a code");
    if (payload.len >= 2) {
        code = (unsigned)(unsigned char)payload.at[0] << 8 | (unsigned char)payload.at[1];
        if (!is_sendable(code)) return fail(feed, WS_CODE_PROTOCOL, "close code is not valid");
    }
    struct str reason = str_from(payload, 2);
    if (!utf8_valid(reason)) return fail(feed, WS_CODE_NOT_UTF8, "close reason is not UTF-8");
    feed->events->close(feed->ctx, code, reason);
    end(feed->parser);
    return false;
}

/* A whole message or control frame. The text has been checked. */
static bool tell(struct feed *feed, enum ws_opcode opcode, struct str payload)
{
    const struct ws_events *events = feed->events;
    bool on = false;
    switch (opcode) {
    case WS_TEXT: on = events->text(feed->ctx, payload); break;
    case WS_BINARY: on = events->binary(feed->ctx, payload); break;
    case WS_PING: on = events->ping(feed->ctx, payload); break;
    case WS_PONG: on = events->pong(feed->ctx, payload); break;
    case WS_CLOSE: return tell_close(feed, payload);
    case WS_CONTINUATION:
        ASSERT(opcode != WS_CONTINUATION); /* the caller names the message's own opcode */
    }
    return on || stop(feed);
}

static struct ws_partial *need_partial(struct ws_parser *parser)
{
    if (parser->partial == NULL) {
        parser->partial = NEW(struct ws_partial);
        buf_init(&parser->partial->message, parser->message_max);
    }
    return parser->partial;
}

static bool tell_whole(struct feed *feed, char *bytes, size_t len)
{
    unmask(feed->parser, bytes, bytes, len);
    struct str payload = {bytes, len};
    enum ws_opcode opcode = frame_opcode(feed->parser);
    if (opcode == WS_TEXT && !utf8_valid(payload)) {
        return fail(feed, WS_CODE_NOT_UTF8, "text is not UTF-8");
    }
    return tell(feed, opcode, payload);
}

static bool gather_control(struct feed *feed, const char *bytes, size_t len, bool last)
{
    struct ws_parser *parser = feed->parser;
    struct ws_partial *partial = need_partial(parser);
    unmask(parser, partial->control + partial->control_len, bytes, len);
    partial->control_len = (uint8_t)(partial->control_len + len);
    if (!last) return true;

    struct str payload = {partial->control, partial->control_len};
    if (!tell(feed, frame_opcode(parser), payload)) return false;
    partial->control_len = 0;
    if (partial->opcode == WS_CONTINUATION) drop_partial(parser);
    return true;
}

static bool gather_message(struct feed *feed, const char *bytes, size_t len, bool last)
{
    struct ws_parser *parser = feed->parser;
    struct ws_partial *partial = need_partial(parser);
    enum ws_opcode opcode = frame_opcode(parser);
    if (opcode != WS_CONTINUATION) partial->opcode = (uint8_t)opcode;

    char *to = buf_space(&partial->message, len);
    ASSERT(to != NULL); /* begin_payload() saw to it */
    unmask(parser, to, bytes, len);
    buf_grew(&partial->message, len);
    bool text = partial->opcode == WS_TEXT;
    if (text && !utf8_feed(&partial->utf8, to, len)) {
        return fail(feed, WS_CODE_NOT_UTF8, "text is not UTF-8");
    }
    if (!last || !(parser->head[0] & FIN)) return true;

    if (text && partial->utf8 != 0) {
        return fail(feed, WS_CODE_NOT_UTF8, "text ends within a character");
    }
    if (!tell(feed, (enum ws_opcode)partial->opcode, buf_str(&partial->message))) return false;
    drop_partial(parser);
    return true;
}

/* The frame is a whole message, or a control frame. */
static bool is_alone(const struct ws_parser *parser)
{
    return (parser->head[0] & FIN) && frame_opcode(parser) != WS_CONTINUATION;
}

/* Returns whether to go on: false on a fault, on a stop and when bytes are missing. */
static bool read_payload(struct feed *feed)
{
    struct ws_parser *parser = feed->parser;
    char *bytes = feed->at;
    size_t len = MIN(parser->payload_len - parser->payload_at, feed->left);
    bool last = parser->payload_at + len == parser->payload_len;
    if (len == 0 && !last) return false;
    feed->at += len;
    feed->left -= len;

    bool on;
    if (last && parser->payload_at == 0 && is_alone(parser)) {
        on = tell_whole(feed, bytes, len);
    } else if (frame_opcode(parser) & CONTROL) {
        on = gather_control(feed, bytes, len, last);
    } else {
        on = gather_message(feed, bytes, len, last);
    }
    if (!on) return false;
    parser->payload_at += (uint32_t)len;
    if (!last) return false;
    parser->phase = PHASE_HEAD;
    parser->head_len = 0;
    parser->payload_len = parser->payload_at = 0;
    return true;
}

enum err ws_feed(struct ws_parser *parser, char *bytes, size_t len, const struct ws_events *events,
                 void *ctx, struct ws_fault *fault_out)
{
    ASSERT(bytes != NULL || len == 0);
    if (len == 0) return OK;
    struct feed feed = {parser, bytes, len, events, ctx, fault_out, OK};
    bool on = true;
    while (on && parser->phase != PHASE_ENDED) {
        on = parser->phase == PHASE_HEAD ? read_head(&feed) : read_payload(&feed);
    }
    return feed.err;
}

size_t ws_head(char to[WS_HEAD_BYTES], enum ws_opcode opcode, size_t payload_len)
{
    ASSERT(is_known(opcode));
    ASSERT(!(opcode & CONTROL) || payload_len <= WS_CONTROL_BYTES);
    size_t extra = payload_len < LENGTH_16 ? 0 : payload_len <= UINT16_MAX ? 2 : 8;
    to[0] = (char)(FIN | opcode);
    to[1] = (char)(extra == 0 ? payload_len : extra == 2 ? LENGTH_16 : LENGTH_64);
    for (size_t i = 0; i < extra; i++) {
        to[2 + i] = (char)((uint64_t)payload_len >> 8 * (extra - 1 - i));
    }
    return 2 + extra;
}

struct blob *ws_frame(enum ws_opcode opcode, struct str payload)
{
    char head[WS_HEAD_BYTES];
    size_t head_len = ws_head(head, opcode, payload.len);
    struct blob *frame = blob_new(head_len + payload.len);
    memcpy(frame->at, head, head_len);
    if (payload.len > 0) memcpy(frame->at + head_len, payload.at, payload.len);
    return frame;
}

struct blob *ws_frame_text(struct str payload)
{
    return ws_frame(WS_TEXT, payload);
}

struct blob *ws_frame_close(unsigned code, struct str reason)
{
    if (code == WS_CODE_NOTHING) return ws_frame(WS_CLOSE, STR(""));
    ASSERT(is_sendable(code));
    size_t len = reason.len;
    if (len > WS_REASON_BYTES) len = utf8_floor(reason.at, WS_REASON_BYTES);
    char payload[WS_CONTROL_BYTES] = {(char)(code >> 8), (char)code};
    if (len > 0) memcpy(payload + 2, reason.at, len);
    return ws_frame(WS_CLOSE, (struct str){payload, 2 + len});
}

static bool is_base64(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/';
}

enum err ws_accept_key(struct str key, char out[WS_ACCEPT_BYTES], struct why *why)
{
    enum { DIGITS = 22, KEY_BYTES = 24 }; /* 16 bytes are 22 digits and "==" */
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; /* section 1.3 */
    size_t digits = 0;
    while (digits < key.len && is_base64(key.at[digits])) digits++;
    if (digits != DIGITS || !str_eq(str_from(key, DIGITS), STR("=="))) {
        return why_set(why, ERR_INVALID, "Sec-WebSocket-Key is not the base64 of 16 bytes");
    }

    unsigned char joined[KEY_BYTES + sizeof(guid) - 1], digest[SHA_DIGEST_LENGTH];
    memcpy(joined, key.at, KEY_BYTES);
    memcpy(joined + KEY_BYTES, guid, sizeof(guid) - 1);
    const unsigned char *hashed = SHA1(joined, sizeof(joined), digest);
    ASSERT(hashed != NULL); /* short of memory, or no SHA-1 in this OpenSSL */
    int written = EVP_EncodeBlock((unsigned char *)out, digest, sizeof(digest));
    ASSERT(written == WS_ACCEPT_BYTES - 1);
    return OK;
}
