/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * hub/redis.h: the broker between instances, over Redis publish/subscribe.
 *
 * Every instance on one database names the same Redis; what one publishes, the
 * others deliver to their own readers. Everything goes over one channel,
 * "hutong:N:events", N being the number behind the slash of the setting (0 when
 * there is none): publish/subscribe knows no databases, so the number keeps two
 * communities on one Redis apart. What a message looks like: hub/wire.h.
 *
 * Nothing durable lives in Redis. While it is away the server serves as one
 * instance does; what others are not told meanwhile is in the log of the shared
 * database, and whenever either side has been away, or had to drop something,
 * all readers are made to look there (hub_resync). Log-outs too: that look asks
 * for the session again. Only typing and old clients' events (/messages/ws,
 * whose protocol has no numbers) are lost for readers at other instances.
 *
 * Presence: each instance tells comings and goings, and every ten seconds all
 * who are there; of one that says nothing for thirty all members are forgotten.
 *
 * Two threads of its own, so no loop ever waits for Redis: one publishes from a
 * queue, many messages in one write; one listens. A full queue (Redis slower
 * than we publish) drops, and asks for a resync once it is empty.
 */
#pragma once

#include "hub/hub.h"

/* redis://[[USER]:PASSWORD@]HOST[:PORT][/N], parts percent-decoded. */
struct redis_url {
    char user[64], password[256], host[256];
    int port;
    int number;
};
/* ERR_INVALID; the sentence repeats nothing of the text, which may hold a password. */
MUST_USE enum err redis_url_parse(struct str text, struct redis_url *url_out, struct why *why);

struct redis;

/*
 * Becomes the hub's broker; before loops run. Does not wait for Redis: when it
 * is not there it is tried again, forever, and the log tells when it comes.
 */
MUST_USE enum err redis_open(struct str url, struct hub *hub, struct redis **redis_out,
                             struct why *why);
/*
 * Ends its threads, while loops still run. Sends what is queued, unless Redis takes longer than
 * two seconds for an answer; the hub may go on telling it things, which go nowhere. NULL is fine.
 */
void redis_close(struct redis *redis);
/* After redis_close() and after the loops have ended. NULL is fine. */
void redis_free(struct redis *redis);
