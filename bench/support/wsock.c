/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "wsock.h"

enum { FRAME_BYTES_MAX = 16 * 1024 * 1024 };

void wsock_init(struct wsock *wsock)
{
    buf_init(&wsock->rest, FRAME_BYTES_MAX);
}

void wsock_release(struct wsock *wsock)
{
    buf_release(&wsock->rest);
}

enum frame_step { FRAME_MORE, FRAME_WHOLE, FRAME_BROKEN };

static uint64_t big_endian(const unsigned char *at, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++) {
        value = value << 8 | at[i];
    }
    return value;
}

/* The frame at the front of `bytes`: its payload and its whole length. */
static enum frame_step find_frame(struct str bytes, struct str *payload_out, size_t *whole_out)
{
    const unsigned char *at = (const unsigned char *)bytes.at;
    if (bytes.len < 2) return FRAME_MORE;
    bool final = at[0] & 0x80, reserved = at[0] & 0x70, masked = at[1] & 0x80;
    if (!final || reserved || masked || (at[0] & 0x0f) == 0) return FRAME_BROKEN;

    size_t head = 2, size_bytes = at[1] == 126 ? 2 : at[1] == 127 ? 8 : 0;
    uint64_t size = at[1];
    if (size_bytes) {
        head += size_bytes;
        if (bytes.len < head) return FRAME_MORE;
        size = big_endian(at + 2, size_bytes);
    }
    if (size > FRAME_BYTES_MAX - head) return FRAME_BROKEN;
    if (bytes.len < head + size) return FRAME_MORE;
    *payload_out = (struct str){bytes.at + head, (size_t)size};
    *whole_out = head + (size_t)size;
    return FRAME_WHOLE;
}

bool wsock_feed(struct wsock *wsock, struct str bytes, wsock_frame_fn *frame, void *ctx)
{
    bool gathered = wsock->rest.len > 0;
    if (gathered) {
        buf_add_str(&wsock->rest, bytes);
        if (wsock->rest.failed) return false;
        bytes = buf_str(&wsock->rest);
    }
    struct str payload;
    size_t whole;
    enum frame_step step;
    while ((step = find_frame(bytes, &payload, &whole)) == FRAME_WHOLE) {
        frame(ctx, (enum wsock_opcode)(bytes.at[0] & 0x0f), payload);
        bytes = str_from(bytes, whole);
    }
    if (step == FRAME_BROKEN) return false;
    if (gathered) {
        memmove(wsock->rest.at, bytes.at, bytes.len);
        wsock->rest.len = bytes.len;
        if (bytes.len == 0) buf_reset(&wsock->rest, 0);
    } else {
        buf_add_str(&wsock->rest, bytes);
    }
    return true;
}

void wsock_write(struct buf *buf, enum wsock_opcode opcode, struct str payload)
{
    /* Servers must unmask whatever the key; nobody between us can be fooled, so it may be fixed. */
    static const unsigned char mask[4] = {0x37, 0xfa, 0x21, 0x3d};
    buf_add_byte(buf, (char)(0x80 | (int)opcode));
    if (payload.len < 126) {
        buf_add_byte(buf, (char)(0x80 | (int)payload.len));
    } else {
        ASSERT(payload.len <= UINT16_MAX);
        buf_add_byte(buf, (char)(0x80 | 126));
        buf_add_byte(buf, (char)(payload.len >> 8));
        buf_add_byte(buf, (char)(payload.len & 0xff));
    }
    buf_add(buf, mask, sizeof(mask));
    for (size_t i = 0; i < payload.len; i++) {
        buf_add_byte(buf, (char)(payload.at[i] ^ mask[i % 4]));
    }
}
