/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "http/ws_codec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/utf8.h"

enum { MESSAGE_MAX = 1000, LOG_MAX = 4 << 20 };

/* What the events said, as text: "text:hi ping: close:1000,bye !1002" */
struct heard {
    struct buf log;
    unsigned events;
    unsigned stop_at;  /* the event that stops the parser; 0: none */
    struct str latest; /* where the last payload lay */
};

static bool hear(void *ctx, const char *what, struct str payload)
{
    struct heard *heard = ctx;
    if (heard->log.len > 0) buf_add_byte(&heard->log, ' ');
    buf_printf(&heard->log, "%s:", what);
    buf_add_str(&heard->log, payload);
    heard->latest = payload;
    return ++heard->events != heard->stop_at;
}

static bool hear_text(void *ctx, struct str message)
{
    assert_true(utf8_valid(message));
    return hear(ctx, "text", message);
}

static bool hear_binary(void *ctx, struct str message)
{
    return hear(ctx, "binary", message);
}

static bool hear_ping(void *ctx, struct str payload)
{
    return hear(ctx, "ping", payload);
}

static bool hear_pong(void *ctx, struct str payload)
{
    return hear(ctx, "pong", payload);
}

static void hear_close(void *ctx, unsigned code, struct str reason)
{
    struct heard *heard = ctx;
    char what[32];
    snprintf(what, sizeof(what), "close:%u", code);
    hear(heard, what, reason);
}

static const struct ws_events events = {hear_text, hear_binary, hear_ping, hear_pong, hear_close};

static void heard_init(struct heard *heard)
{
    *heard = (struct heard){0};
    buf_init(&heard->log, LOG_MAX);
    buf_add(&heard->log, "", 0);
}

/* A client's frame, as it is or with one thing wrong. */
enum manner { PLAIN, UNMASKED, AS_16, AS_64, TOP_BIT };

struct frame {
    unsigned char first; /* FIN, reserved bits, opcode */
    const char *payload; /* NULL ends a list of frames */
    size_t len;
    enum manner manner;
};

static const unsigned char mask_key[4] = {0x37, 0xFA, 0x21, 0x3D};

static void add_frame(struct buf *to, struct frame frame)
{
    size_t len = frame.len;
    size_t extra = frame.manner == AS_16 ? 2 : frame.manner >= AS_64 ? 8 : 0;
    if (extra == 0) extra = len < 126 ? 0 : len < 65536 ? 2 : 8;
    unsigned masked = frame.manner == UNMASKED ? 0 : 0x80;
    buf_add_byte(to, (char)frame.first);
    buf_add_byte(to, (char)(masked | (extra == 0 ? len : extra == 2 ? 126u : 127u)));
    for (size_t i = extra; i-- > 0;) {
        unsigned top = frame.manner == TOP_BIT && i == 7 ? 0x80 : 0;
        buf_add_byte(to, (char)(top | (unsigned char)((uint64_t)len >> 8 * i)));
    }
    if (masked) buf_add(to, mask_key, sizeof(mask_key));
    for (size_t i = 0; i < len; i++) {
        buf_add_byte(to, (char)(frame.payload[i] ^ (masked ? mask_key[i & 3] : 0)));
    }
}

/* Feed a copy in a buffer of exactly that size, so that ASan sees a step too far. */
static enum err feed(struct ws_parser *parser, struct str bytes, struct heard *heard)
{
    struct ws_fault fault = {0};
    char *copy = mem_copy(bytes.at, bytes.len);
    enum err err = ws_feed(parser, copy, bytes.len, &events, heard, &fault);
    mem_free(copy);
    ws_parser_check(parser);
    if (err == ERR_INVALID || err == ERR_LIMIT) {
        assert_true(fault.code == WS_CODE_TOO_BIG ? err == ERR_LIMIT : err == ERR_INVALID);
        assert_true(strlen(fault.reason) <= WS_REASON_BYTES);
        buf_printf(&heard->log, "%s!%u", heard->log.len > 0 ? " " : "", fault.code);
    } else {
        assert_int_equal(fault.code, 0);
    }
    return err;
}

#define F(first, text)                                                                             \
    {                                                                                              \
        first, text, sizeof(text) - 1, PLAIN                                                       \
    }
#define ODD(first, text, manner)                                                                   \
    {                                                                                              \
        first, text, sizeof(text) - 1, manner                                                      \
    }
#define TEN "0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
#define L125 HUNDRED TEN TEN "01234"
#define L126 L125 "5"

/* First bytes: FIN is 0x80. */
enum { MORE_TEXT = 0x01, MORE_BINARY = 0x02, MORE = 0x00, LAST = 0x80 };
enum { TEXT = 0x81, BINARY = 0x82, CLOSE = 0x88, PING = 0x89, PONG = 0x8A };

static const struct conversation {
    const char *name;
    struct frame frames[6];
    const char *heard;
    bool waits; /* ends within a message */
} conversations[] = {
    {"text", {F(TEXT, "hello")}, "text:hello", false},
    {"empty text", {F(TEXT, "")}, "text:", false},
    {"Chinese text", {F(TEXT, "胡同里的邻居")}, "text:胡同里的邻居", false},
    {"binary of any bytes", {F(BINARY, "\xFF\xFE")}, "binary:\xFF\xFE", false},
    {"ping", {F(PING, "hello")}, "ping:hello", false},
    {"two pongs", {F(PONG, "hello"), F(PONG, "again")}, "pong:hello pong:again", false},
    {"several at once",
     {F(TEXT, "a"), F(BINARY, "b"), F(PING, "c")},
     "text:a binary:b ping:c",
     false},
    {"126 bytes, long form", {F(TEXT, L126)}, "text:" L126, false},
    {"message of the largest size",
     {F(TEXT, HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED)},
     "text:" HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED,
     false},
    {"two fragments", {F(MORE_TEXT, "hel"), F(LAST, "lo")}, "text:hello", false},
    {"fragments of binary",
     {F(MORE_BINARY, "\xFF"), F(MORE, ""), F(LAST, "\xFE")},
     "binary:\xFF\xFE",
     false},
    {"three empty fragments", {F(MORE_TEXT, ""), F(MORE, ""), F(LAST, "")}, "text:", false},
    {"fragments cut within a character",
     {F(MORE_TEXT, "\xE8"), F(MORE, "\x83"), F(MORE, "\xA1\xE5"), F(LAST, "\x90\x8C")},
     "text:\xE8\x83\xA1\xE5\x90\x8C",
     false},
    {"ping within a message",
     {F(MORE_TEXT, "a"), F(PING, "p"), F(LAST, "b")},
     "ping:p text:ab",
     false},
    {"ping and pong within a message",
     {F(MORE_TEXT, "a"), F(PING, L125), F(PONG, "qq"), F(MORE, "b"), F(LAST, "c")},
     "ping:" L125 " pong:qq text:abc",
     false},
    {"a new message after a fragmented one",
     {F(MORE_TEXT, "\xE8\x83\xA1"), F(LAST, ""), F(TEXT, "next")},
     "text:\xE8\x83\xA1 text:next",
     false},
    {"a message without its end", {F(MORE_TEXT, "a"), F(MORE, "b")}, "", true},

    {"reserved bit 1", {F(TEXT | 0x40, "a")}, "!1002", false},
    {"reserved bit 2", {F(TEXT, "a"), F(TEXT | 0x20, "b")}, "text:a !1002", false},
    {"reserved bit 3 on a ping", {F(PING | 0x10, "")}, "!1002", false},
    {"reserved bit in a continuation", {F(MORE_TEXT, "a"), F(LAST | 0x40, "b")}, "!1002", false},
    {"opcode 3", {F(0x83, "")}, "!1002", false},
    {"opcode 7", {F(0x87, "a")}, "!1002", false},
    {"opcode 11", {F(0x8B, "")}, "!1002", false},
    {"opcode 15", {F(0x8F, "a")}, "!1002", false},
    {"unmasked text", {ODD(TEXT, "a", UNMASKED)}, "!1002", false},
    {"unmasked empty ping", {ODD(PING, "", UNMASKED)}, "!1002", false},
    {"fragmented ping", {F(0x09, "a")}, "!1002", false},
    {"fragmented close", {F(0x08, "")}, "!1002", false},
    {"ping of 126 bytes", {F(PING, L126)}, "!1002", false},
    {"ping of 0 bytes in 64-bit form", {ODD(PING, "", AS_64)}, "!1002", false},
    {"continuation without a beginning", {F(LAST, "a")}, "!1002", false},
    {"continuation after the end",
     {F(MORE_TEXT, "a"), F(LAST, "b"), F(MORE, "c")},
     "text:ab !1002",
     false},
    {"continuation after a ping only", {F(PING, "a"), F(LAST, "b")}, "ping:a !1002", false},
    {"text within a text", {F(MORE_TEXT, "a"), F(TEXT, "b")}, "!1002", false},
    {"binary within an empty beginning", {F(MORE_TEXT, ""), F(MORE_BINARY, "b")}, "!1002", false},
    {"5 bytes in 16-bit form", {ODD(TEXT, "hello", AS_16)}, "!1002", false},
    {"5 bytes in 64-bit form", {ODD(TEXT, "hello", AS_64)}, "!1002", false},
    {"126 bytes in 64-bit form", {ODD(TEXT, L126, AS_64)}, "!1002", false},
    {"length with its highest bit", {ODD(TEXT, "hello", TOP_BIT)}, "!1002", false},

    {"bad UTF-8", {F(TEXT, "a\xFF")}, "!1007", false},
    {"overlong", {F(TEXT, "\xC0\xAF")}, "!1007", false},
    {"surrogate", {F(TEXT, "\xED\xA0\x80")}, "!1007", false},
    {"past U+10FFFF", {F(TEXT, "\xF4\x90\x80\x80")}, "!1007", false},
    {"text ends within a character", {F(TEXT, "a\xE8\x83")}, "!1007", false},
    {"fragments end within a character", {F(MORE_TEXT, "\xE8"), F(LAST, "\x83")}, "!1007", false},
    {"bad UTF-8 in a fragment that is not the last",
     {F(MORE_TEXT, "a"), F(MORE, "\x80")},
     "!1007",
     false},
    {"bad UTF-8 across fragments", {F(MORE_TEXT, "\xF4"), F(MORE, "\x90")}, "!1007", false},
    {"bad UTF-8 after good messages",
     {F(TEXT, "a"), F(PING, "b"), F(TEXT, "\xFF")},
     "text:a ping:b !1007",
     false},

    {"close without a code", {F(CLOSE, "")}, "close:1005:", false},
    {"close with a code", {F(CLOSE, "\x03\xE8")}, "close:1000:", false},
    {"close with a reason", {F(CLOSE, "\x03\xE9再见")}, "close:1001:再见", false},
    {"close with half a code", {F(CLOSE, "\x03")}, "!1002", false},
    {"close with an invalid code", {F(CLOSE, "\x03\xEDx")}, "!1002", false},
    {"close with a bad reason", {F(CLOSE, "\x03\xE8\xFF")}, "!1007", false},
    {"close with a cut reason", {F(CLOSE, "\x03\xE8\xE8\x83")}, "!1007", false},
    {"close of 126 bytes", {F(CLOSE, "\x03\xE8" L125)}, "!1002", false},
    {"nothing after close", {F(CLOSE, ""), F(TEXT, "a"), F(0x8F, "")}, "close:1005:", false},
    {"close within a message",
     {F(MORE_TEXT, "a"), F(CLOSE, "\x0F\xA0"), F(LAST, "b")},
     "close:4000:",
     false},
};

static void check_conversation(const struct conversation *row, struct str bytes, size_t first,
                               size_t step)
{
    struct ws_parser parser;
    struct heard heard;
    ws_parser_init(&parser, MESSAGE_MAX);
    heard_init(&heard);

    enum err err = OK;
    for (size_t at = 0, len = first; at < bytes.len && err == OK; at += len, len = step) {
        err = feed(&parser, str_head(str_from(bytes, at), len), &heard);
    }
    struct str expected = str_of(row->heard);
    if (!str_eq(buf_str(&heard.log), expected)) {
        fail_msg("%s, first read %zu bytes, then %zu: heard \"%s\", not \"%s\"", row->name, first,
                 step, heard.log.at, row->heard);
    }
    assert_int_equal(ws_parser_held(&parser) > 0, row->waits);

    /* An ended parser swallows the rest. */
    bool ended = err != OK || strstr(row->heard, "close:") != NULL;
    if (ended) {
        assert_int_equal(feed(&parser, STR("\x89\x80...."), &heard), OK);
        assert_true(str_eq(buf_str(&heard.log), expected));
    }
    ws_parser_release(&parser);
    buf_release(&heard.log);
}

static void conversations_are_heard_however_they_are_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(conversations); i++) {
        const struct conversation *row = &conversations[i];
        struct buf bytes;
        buf_init(&bytes, LOG_MAX);
        for (const struct frame *frame = row->frames; frame->payload; frame++) {
            add_frame(&bytes, *frame);
        }
        for (size_t first = 1; first <= bytes.len; first++) {
            check_conversation(row, buf_str(&bytes), first, SIZE_MAX / 2);
        }
        for (size_t step = 1; step < 8; step++) {
            check_conversation(row, buf_str(&bytes), step, step);
        }
        buf_release(&bytes);
    }
}

static void the_example_of_the_rfc_is_read(void **state)
{
    (void)state;
    struct ws_parser parser;
    struct heard heard;
    ws_parser_init(&parser, MESSAGE_MAX);
    heard_init(&heard);
    /* RFC 6455, section 5.7 */
    struct str hello = STR("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
    assert_int_equal(feed(&parser, hello, &heard), OK);
    assert_string_equal(heard.log.at, "text:Hello");
    buf_release(&heard.log);
    ws_parser_release(&parser);
}

static void a_whole_frame_is_handed_over_where_it_lies(void **state)
{
    (void)state;
    struct ws_parser parser;
    struct heard heard;
    struct ws_fault fault;
    ws_parser_init(&parser, MESSAGE_MAX);
    heard_init(&heard);
    struct buf bytes;
    buf_init(&bytes, LOG_MAX);
    add_frame(&bytes, (struct frame)F(TEXT, "first"));
    size_t second = bytes.len;
    add_frame(&bytes, (struct frame)F(BINARY, "second"));
    assert_int_equal(ws_feed(&parser, bytes.at, bytes.len, &events, &heard, &fault), OK);
    assert_ptr_equal(heard.latest.at, bytes.at + second + 6);
    assert_int_equal(ws_parser_held(&parser), 0);
    buf_release(&bytes);
    buf_release(&heard.log);
    ws_parser_release(&parser);
}

/* Every form of length, begun at every offset of a word and cut at odd places. */
static void payloads_of_all_lengths_come_through(void **state)
{
    (void)state;
    static const size_t lens[] = {0,   1,   2,   3,   7,     8,     9,     63,    64,
                                  124, 125, 126, 127, 65534, 65535, 65536, 65537, 70000};
    static const size_t cuts[] = {SIZE_MAX / 2, 1, 7, 4099};
    static char payload[70000];
    for (size_t i = 0; i < sizeof(payload); i++) payload[i] = (char)(i * 7 + i / 251);
    struct buf bytes;
    buf_init(&bytes, LOG_MAX);
    for (size_t i = 0; i < COUNT_OF(lens) * 8 * COUNT_OF(cuts); i++) {
        size_t len = lens[i / 8 / COUNT_OF(cuts)], offset = i % 8,
               cut = cuts[i / 8 % COUNT_OF(cuts)];
        struct ws_parser parser;
        struct heard heard;
        ws_parser_init(&parser, sizeof(payload));
        heard_init(&heard);
        buf_reset(&bytes, LOG_MAX);
        for (size_t j = 0; j < offset; j++) buf_add_byte(&bytes, 0);
        add_frame(&bytes, (struct frame){BINARY, payload, len, PLAIN});
        for (size_t at = offset, piece; at < bytes.len; at += piece) {
            struct ws_fault fault;
            piece = MIN(cut, bytes.len - at);
            assert_int_equal(ws_feed(&parser, bytes.at + at, piece, &events, &heard, &fault), OK);
            ws_parser_check(&parser);
        }
        assert_int_equal(heard.events, 1);
        assert_int_equal(heard.log.len, sizeof("binary:") - 1 + len);
        assert_memory_equal(heard.log.at + sizeof("binary:") - 1, payload, len);
        assert_int_equal(ws_parser_held(&parser), 0);
        buf_release(&heard.log);
    }
    buf_release(&bytes);
}

static void too_large_a_message_is_known_from_its_header(void **state)
{
    (void)state;
    const struct {
        struct str bytes;
        const char *heard;
    } rows[] = {
        /* The key is "....". */
        {STR("\x82\xFE\x03\xE8...."), ""},                              /* 1000 */
        {STR("\x82\xFE\x03\xE9...."), "!1009"},                         /* 1001 */
        {STR("\x82\xFF\x00\x00\x00\x00\x00\x00\xFF\xFF...."), "!1002"}, /* fits 16 bits */
        {STR("\x82\xFF\x00\x00\x00\x00\x00\x01\x00\x00...."), "!1009"}, /* 64 KiB */
        {STR("\x82\xFF\x00\x00\x00\x01\x00\x00\x00\x00...."), "!1009"}, /* 4 GiB */
        {STR("\x82\xFF\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF...."), "!1009"}, /* 8 EiB */
        {STR("\x02\x81....x\x80\xFE\x03\xE7...."), ""},                 /* 1 + 999 */
        {STR("\x02\x81....x\x80\xFE\x03\xE8...."), "!1009"},            /* 1 + 1000 */
        {STR("\x02\x81....x\x89\x80....\x00\xFE\x03\xE8...."), "ping: !1009"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct ws_parser parser;
        struct heard heard;
        ws_parser_init(&parser, MESSAGE_MAX);
        heard_init(&heard);
        enum err err = feed(&parser, rows[i].bytes, &heard);
        assert_int_equal(err != OK, strchr(rows[i].heard, '!') != NULL);
        assert_string_equal(heard.log.at, rows[i].heard);
        buf_release(&heard.log);
        ws_parser_release(&parser);
    }
}

static void a_header_alone_reserves_nothing(void **state)
{
    (void)state;
    struct ws_parser parser;
    struct heard heard;
    heard_init(&heard);
    ws_parser_init(&parser, UINT32_MAX);
    struct str head = STR("\x82\xFF\x00\x00\x00\x00\xFF\xFF\xFF\xFF....");
    for (size_t i = 0; i < head.len; i++) {
        assert_int_equal(feed(&parser, str_head(str_from(head, i), 1), &heard), OK);
        assert_int_equal(ws_parser_held(&parser), 0);
    }
    assert_int_equal(feed(&parser, STR(HUNDRED), &heard), OK);
    assert_in_range(ws_parser_held(&parser), 100, 1024);
    buf_release(&heard.log);
    ws_parser_release(&parser);
    assert_int_equal(ws_parser_held(&parser), 0);
}

static void bad_utf8_is_noticed_at_the_first_impossible_byte(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t fatal; /* position of the byte that cannot be mended */
    } rows[] = {{"abc\xFFxx", 3},    {"\xE8\x83\xA1\x80x", 3}, {"\xF4\x90\x80\x80", 1},
                {"\xED\xA0\x80", 1}, {"\xC0\x80", 0},          {"\xE0\x9F\xBF", 1},
                {"\xE8\x83xyz", 2}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct ws_parser parser;
        struct heard heard;
        struct buf bytes;
        ws_parser_init(&parser, MESSAGE_MAX);
        heard_init(&heard);
        buf_init(&bytes, LOG_MAX);
        add_frame(&bytes, (struct frame){TEXT, rows[i].text, strlen(rows[i].text), PLAIN});
        for (size_t at = 0; at < 6 + rows[i].fatal; at++) {
            assert_int_equal(feed(&parser, str_head(str_from(buf_str(&bytes), at), 1), &heard), OK);
        }
        struct str fatal = str_head(str_from(buf_str(&bytes), 6 + rows[i].fatal), 1);
        assert_int_equal(feed(&parser, fatal, &heard), ERR_INVALID);
        assert_string_equal(heard.log.at, "!1007");
        buf_release(&bytes);
        buf_release(&heard.log);
        ws_parser_release(&parser);
    }
}

static void a_callback_can_stop_the_parser(void **state)
{
    (void)state;
    static const struct frame frames[] = {F(TEXT, "t"), F(BINARY, "b"),    F(PING, "i"),
                                          F(PONG, "o"), F(MORE_TEXT, "f"), F(LAST, "g"),
                                          F(TEXT, "z")};
    static const char *const heard_by[] = {"text:t", "text:t binary:b", "text:t binary:b ping:i",
                                           "text:t binary:b ping:i pong:o",
                                           "text:t binary:b ping:i pong:o text:fg"};
    struct buf bytes;
    buf_init(&bytes, LOG_MAX);
    for (size_t i = 0; i < COUNT_OF(frames); i++) add_frame(&bytes, frames[i]);
    for (unsigned stop_at = 1; stop_at <= COUNT_OF(heard_by) * 2; stop_at++) {
        bool bytewise = stop_at > COUNT_OF(heard_by);
        unsigned which = bytewise ? stop_at - (unsigned)COUNT_OF(heard_by) : stop_at;
        struct ws_parser parser;
        struct heard heard;
        ws_parser_init(&parser, MESSAGE_MAX);
        heard_init(&heard);
        heard.stop_at = which;
        enum err err = OK;
        size_t step = bytewise ? 1 : bytes.len;
        for (size_t at = 0; at < bytes.len && err == OK; at += step) {
            err = feed(&parser, str_head(str_from(buf_str(&bytes), at), step), &heard);
        }
        assert_int_equal(err, ERR_CANCELLED);
        assert_int_equal(feed(&parser, buf_str(&bytes), &heard), OK);
        assert_string_equal(heard.log.at, heard_by[which - 1]);
        assert_int_equal(ws_parser_held(&parser), 0);
        buf_release(&heard.log);
        ws_parser_release(&parser);
    }
    buf_release(&bytes);
}

static void only_close_codes_a_peer_may_send_are_taken(void **state)
{
    (void)state;
    for (unsigned code = 0; code <= UINT16_MAX; code += code < 5100 ? 1 : 997) {
        /* RFC 6455, 7.4.1 and 7.4.2; the registry added 1012, 1013 and 1014 */
        bool reserved = code == 1004 || code == 1005 || code == 1006;
        bool valid = (code >= 1000 && code < 1015 && !reserved) || (code >= 3000 && code < 5000);
        char payload[2] = {(char)(code >> 8), (char)code}, expected[32];
        snprintf(expected, sizeof(expected), valid ? "close:%u:" : "!1002", code);
        struct ws_parser parser;
        struct heard heard;
        struct buf bytes;
        ws_parser_init(&parser, MESSAGE_MAX);
        heard_init(&heard);
        buf_init(&bytes, 64);
        add_frame(&bytes, (struct frame){CLOSE, payload, 2, PLAIN});
        assert_int_equal(feed(&parser, buf_str(&bytes), &heard), valid ? OK : ERR_INVALID);
        assert_string_equal(heard.log.at, expected);
        buf_release(&bytes);
        buf_release(&heard.log);
    }
}

static void frames_are_written_with_the_shortest_length(void **state)
{
    (void)state;
    const struct {
        size_t len;
        struct str head;
    } rows[] = {
        {0, STR("\x81\x00")},
        {125, STR("\x81\x7D")},
        {126, STR("\x81\x7E\x00\x7E")},
        {65535, STR("\x81\x7E\xFF\xFF")},
        {65536, STR("\x81\x7F\x00\x00\x00\x00\x00\x01\x00\x00")},
    };
    static char payload[65536];
    memset(payload, 'x', sizeof(payload));
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct str head = rows[i].head;
        struct blob *frame = ws_frame_text((struct str){payload, rows[i].len});
        assert_int_equal(frame->len, head.len + rows[i].len);
        assert_memory_equal(frame->at, head.at, head.len);
        assert_memory_equal(frame->at + head.len, payload, rows[i].len);
        blob_unref(frame);
    }
    struct blob *pong = ws_frame(WS_PONG, STR("hi"));
    assert_true(str_eq(blob_str(pong), STR("\x8A\x02hi")));
    blob_unref(pong);
    char head[WS_HEAD_BYTES];
    assert_int_equal(ws_head(head, WS_BINARY, (size_t)1 << 40), WS_HEAD_BYTES);
    assert_memory_equal(head, "\x82\x7F\x00\x00\x01\x00\x00\x00\x00\x00", WS_HEAD_BYTES);
}

static void close_frames_are_written_with_a_reason_that_fits(void **state)
{
    (void)state;
    const struct {
        unsigned code;
        struct str reason, frame;
    } rows[] = {
        {WS_CODE_NOTHING, STR("unsaid"), STR("\x88\x00")},
        {WS_CODE_NORMAL, STR(""), STR("\x88\x02\x03\xE8")},
        {WS_CODE_RESTART, STR("back soon"),
         STR("\x88\x0B\x03\xF4"
             "back soon")},
        {4001, {NULL, 0}, STR("\x88\x02\x0F\xA1")},
        {4999, STR(L126), STR("\x88\x7D\x13\x87" HUNDRED TEN TEN "012")},
        /* The 123rd byte is the second of a character: the whole character goes. */
        {1000,
         STR(HUNDRED TEN TEN "01"
                             "\xE8\x83\xA1"),
         STR("\x88\x7C\x03\xE8" HUNDRED TEN TEN "01")},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct blob *frame = ws_frame_close(rows[i].code, rows[i].reason);
        assert_true(str_eq(blob_str(frame), rows[i].frame));
        blob_unref(frame);
    }
}

static void the_accept_key_answers_a_base64_of_16_bytes_only(void **state)
{
    (void)state;
    struct why why;
    char out[WS_ACCEPT_BYTES];
    /* RFC 6455, section 1.3 */
    assert_int_equal(ws_accept_key(STR("dGhlIHNhbXBsZSBub25jZQ=="), out, &why), OK);
    assert_string_equal(out, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");

    static const char *const bad[] = {"",
                                      "==",
                                      "dGhlIHNhbXBsZSBub25jZQ=",
                                      "dGhlIHNhbXBsZSBub25jZQ",
                                      "dGhlIHNhbXBsZSBub25jZQ== ",
                                      "dGhlIHNhbXBsZSBub25jZQ===",
                                      "dGhlIHNhbXBsZSBub25jZ===",
                                      "dGhlIHNhbXBsZSBub25jZQAA",
                                      "dGhlIHNhbXBsZSBub25jZQA=",
                                      "dGhlIHNhbXBsZSBub25j-Q==",
                                      "SGVsbG8sIHdvcmxkIQ==",
                                      "dGhlIHNhbXBsZSBub25jZQAAAAAA=="};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_int_equal(ws_accept_key(str_of(bad[i]), out, &why), ERR_INVALID);
        assert_non_null(strstr(why.text, "Sec-WebSocket-Key"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conversations_are_heard_however_they_are_cut),
        cmocka_unit_test(the_example_of_the_rfc_is_read),
        cmocka_unit_test(a_whole_frame_is_handed_over_where_it_lies),
        cmocka_unit_test(payloads_of_all_lengths_come_through),
        cmocka_unit_test(too_large_a_message_is_known_from_its_header),
        cmocka_unit_test(a_header_alone_reserves_nothing),
        cmocka_unit_test(bad_utf8_is_noticed_at_the_first_impossible_byte),
        cmocka_unit_test(a_callback_can_stop_the_parser),
        cmocka_unit_test(only_close_codes_a_peer_may_send_are_taken),
        cmocka_unit_test(frames_are_written_with_the_shortest_length),
        cmocka_unit_test(close_frames_are_written_with_a_reason_that_fits),
        cmocka_unit_test(the_accept_key_answers_a_base64_of_16_bytes_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
