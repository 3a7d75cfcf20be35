/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "reply.h"

enum { HEAD_BYTES_MAX = 64 * 1024, BODY_BYTES_MAX = 64 * 1024 * 1024 };

void reply_init(struct reply *reply)
{
    *reply = (struct reply){0};
    buf_init(&reply->line, HEAD_BYTES_MAX);
    buf_init(&reply->body, BODY_BYTES_MAX);
}

void reply_release(struct reply *reply)
{
    buf_release(&reply->line);
    buf_release(&reply->body);
}

void reply_reset(struct reply *reply)
{
    reply->state = REPLY_HEAD;
    reply->status = 0;
    reply->close = false;
    reply->body_bytes = reply->left = 0;
    reply->accept[0] = '\0';
    buf_reset(&reply->line, HEAD_BYTES_MAX);
    buf_reset(&reply->body, BODY_BYTES_MAX);
}

bool reply_is_fresh(const struct reply *reply)
{
    return reply->state == REPLY_HEAD && reply->line.len == 0;
}

/* What the head says about the body. */
struct framing {
    bool chunked, has_length, broken;
    uint64_t length;
};

static void take_header(struct reply *reply, struct str line, struct framing *framing)
{
    size_t colon = str_find_byte(line, ':');
    struct str name = str_head(line, colon);
    struct str value = str_trim(str_from(line, colon + 1));
    if (colon == line.len || colon == 0) {
        framing->broken = true;
    } else if (str_eq_nocase(name, STR("content-length"))) {
        uint64_t length;
        bool fine =
            str_to_u64(value, &length) && (!framing->has_length || length == framing->length);
        if (fine) framing->length = length;
        framing->has_length = fine;
        framing->broken |= !fine;
    } else if (str_eq_nocase(name, STR("transfer-encoding"))) {
        framing->chunked = str_eq_nocase(value, STR("chunked"));
        framing->broken |= !framing->chunked;
    } else if (str_eq_nocase(name, STR("connection"))) {
        if (str_eq_nocase(value, STR("close"))) reply->close = true;
    } else if (str_eq_nocase(name, STR("sec-websocket-accept"))) {
        str_copy(reply->accept, sizeof(reply->accept), value);
    }
}

/* "HTTP/1.1 200 OK" */
static bool take_status(struct reply *reply, struct str line)
{
    uint64_t status;
    if (!str_starts(line, STR("HTTP/1.1 ")) && !str_starts(line, STR("HTTP/1.0 "))) return false;
    if (line.len < 12 || (line.len > 12 && line.at[12] != ' ')) return false;
    if (!str_to_u64((struct str){line.at + 9, 3}, &status) || status < 100) return false;
    reply->status = (int)status;
    reply->close = line.at[7] == '0';
    return true;
}

static enum reply_step choose_body(struct reply *reply, const struct framing *framing)
{
    if (framing->broken || (framing->chunked && framing->has_length)) return REPLY_BROKEN;
    if (reply->status == 101) return REPLY_DONE;
    if (reply->status < 200) {
        reply_reset(reply);
        return REPLY_MORE;
    }
    if (reply->status == 204 || reply->status == 304) return REPLY_DONE;
    if (framing->chunked) {
        reply->state = REPLY_CHUNK_SIZE;
        return REPLY_MORE;
    }
    if (!framing->has_length) {
        reply->state = REPLY_BODY_TO_CLOSE;
        reply->close = true;
        return REPLY_MORE;
    }
    reply->state = REPLY_BODY;
    reply->left = framing->length;
    return reply->left ? REPLY_MORE : REPLY_DONE;
}

static enum reply_step parse_head(struct reply *reply, struct str head)
{
    struct framing framing = {0};
    struct str line;
    bool first = true;
    while (str_split(&head, '\n', &line)) {
        if (line.len && line.at[line.len - 1] == '\r') line.len--;
        if (first && !take_status(reply, line)) return REPLY_BROKEN;
        if (!first && line.len) take_header(reply, line, &framing);
        first = false;
    }
    return choose_body(reply, &framing);
}

/*
 * Gather up to and including `end`; true when it is all there, in `*piece_out`.
 * A piece that came in one read is not copied. `*broken_out` past the ceiling.
 */
static bool gather(struct reply *reply, struct str *bytes, struct str end, struct str *piece_out,
                   bool *broken_out)
{
    size_t had = reply->line.len;
    if (had == 0) {
        size_t at = str_find(*bytes, end);
        if (at < bytes->len) {
            *piece_out = str_head(*bytes, at);
            *bytes = str_from(*bytes, at + end.len);
            return true;
        }
    }
    buf_add_str(&reply->line, *bytes);
    if (reply->line.failed) {
        *broken_out = true;
        return false;
    }
    struct str all = buf_str(&reply->line);
    size_t from = had > end.len ? had - end.len : 0;
    size_t at = from + str_find(str_from(all, from), end);
    if (at >= all.len) {
        *bytes = str_from(*bytes, bytes->len);
        return false;
    }
    *piece_out = str_head(all, at);
    *bytes = str_from(*bytes, at + end.len - had);
    reply->line.len = 0; /* the piece stays readable until the next append */
    return true;
}

static bool parse_chunk_size(struct str line, uint64_t *size_out)
{
    struct str digits = str_trim(str_head(line, str_find_byte(line, ';')));
    uint64_t size = 0;
    if (digits.len == 0 || digits.len > 15) return false;
    for (size_t i = 0; i < digits.len; i++) {
        char c = digits.at[i];
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                         : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10
                                                : 16;
        if (digit == 16) return false;
        size = size * 16 + digit;
    }
    *size_out = size;
    return true;
}

static void take_body(struct reply *reply, struct str *bytes, uint64_t most)
{
    struct str piece = str_head(*bytes, (size_t)MIN(most, (uint64_t)bytes->len));
    if (reply->keep_body) buf_add_str(&reply->body, piece);
    reply->body_bytes += piece.len;
    *bytes = str_from(*bytes, piece.len);
    if (reply->state != REPLY_BODY_TO_CLOSE) reply->left -= piece.len;
}

static enum reply_step take_line(struct reply *reply, struct str line)
{
    switch (reply->state) {
    case REPLY_HEAD: return parse_head(reply, line);
    case REPLY_CHUNK_SIZE:
        if (!parse_chunk_size(line, &reply->left)) return REPLY_BROKEN;
        reply->state = reply->left ? REPLY_CHUNK_DATA : REPLY_TRAILERS;
        return REPLY_MORE;
    case REPLY_CHUNK_END:
        reply->state = REPLY_CHUNK_SIZE;
        return line.len ? REPLY_BROKEN : REPLY_MORE;
    case REPLY_TRAILERS: return line.len ? REPLY_MORE : REPLY_DONE;
    case REPLY_BODY:
    case REPLY_BODY_TO_CLOSE:
    case REPLY_CHUNK_DATA: break;
    }
    ASSERT(false); /* bodies have no lines */
    return REPLY_BROKEN;
}

enum reply_step reply_feed(struct reply *reply, struct str *bytes)
{
    while (bytes->len) {
        if (reply->state == REPLY_BODY || reply->state == REPLY_CHUNK_DATA) {
            take_body(reply, bytes, reply->left);
            if (reply->left) return REPLY_MORE;
            if (reply->state == REPLY_BODY) return REPLY_DONE;
            reply->state = REPLY_CHUNK_END;
            continue;
        }
        if (reply->state == REPLY_BODY_TO_CLOSE) {
            take_body(reply, bytes, UINT64_MAX);
            return REPLY_MORE;
        }
        struct str end = reply->state == REPLY_HEAD ? STR("\r\n\r\n") : STR("\r\n");
        struct str piece;
        bool broken = false;
        if (!gather(reply, bytes, end, &piece, &broken)) return broken ? REPLY_BROKEN : REPLY_MORE;
        enum reply_step step = take_line(reply, piece);
        if (step != REPLY_MORE) return step;
    }
    return REPLY_MORE;
}

enum reply_step reply_end(struct reply *reply)
{
    return reply->state == REPLY_BODY_TO_CLOSE ? REPLY_DONE : REPLY_BROKEN;
}
