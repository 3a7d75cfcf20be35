/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * hub/wire.h: what instances tell each other, as text.
 *
 * One JSON object a message: "v" (1), "from" (the sender's id, 16 hex digits,
 * drawn when it starts), "kind", and by kind:
 *
 *   event     topic, seq (0: ephemeral), legacy (also for old clients), payload (JSON as a string)
 *   notice    what (session, user, left, key), user, session (or the key's id), topic (left only)
 *   present   user, here: a member's first socket came there, or the last one went
 *   here      users: all members with sockets there; every ten seconds
 *   resync    something may have been lost: look into the log; also: say who is here
 *
 * The broker is ours but whoever reaches it could write anything, so what
 * arrives is checked like a stranger's: size, UTF-8, form of topics, payload.
 * Kinds and members that a newer version adds are passed over.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "hub/hub.h"

enum {
    WIRE_ID_BYTES = 17,
    /* Half a million members of one instance in one `here`; an event is at most 128 kB. */
    WIRE_BYTES_MAX = 4 * 1024 * 1024,
};

enum wire_kind { WIRE_EVENT, WIRE_NOTICE, WIRE_PRESENT, WIRE_HERE, WIRE_RESYNC, WIRE_KINDS };

struct wire {
    enum wire_kind kind;
    char from[WIRE_ID_BYTES];
    /* Event. The texts are read's: in its arena. */
    struct topic_name topic;
    uint64_t seq;
    bool legacy;
    struct str payload;
    struct hub_notice notice;
    /* Present, here. `users` is borrowed, or in the arena. */
    bool here;
    const struct user_id *users;
    size_t count;
};

/* Appends; past the buffer's ceiling nothing useful stands in it (buf.failed). */
void wire_write(struct buf *to, const struct wire *wire);

/* ERR_INVALID: nothing of ours. ERR_NOT_FOUND: of a version that knows more than this one. */
MUST_USE enum err wire_read(struct arena *arena, struct str text, struct wire *wire_out,
                            struct why *why);

/* One reference, the caller's. The frame for old clients is made here again from the payload. */
struct event *wire_event(struct arena *arena, const struct wire *wire);
