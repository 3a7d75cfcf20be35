/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * io/socket.h: stream sockets and listeners of one loop.
 *
 * A socket has one owner, who gets its events through a table of functions and
 * a ctx. All calls on the thread of its loop.
 *
 * Writing has two doors. socket_send() is for a reply: it writes at once and
 * copies only what the kernel does not take. socket_queue() is for events many
 * sockets share: it takes a reference and what waits for one socket leaves in
 * one write at the end of the turn. Both keep the order of the calls.
 * Neither ever blocks or drops; watch socket_queued() and decide there: the
 * owner pauses its producer, or gives the reader up.
 *
 * Closing: socket_close() may be called at any time, also inside the socket's
 * own events; the memory lives until `closed`, which comes exactly once, in a
 * later turn, and is the last event.
 */
#pragma once

#include <sys/uio.h>

#include "base/blob.h"
#include "io/loop.h"

struct socket;
struct listener;

struct socket_events {
    /* Bytes came, in the loop's own buffer: good until the return, may be changed in place. */
    void (*data)(void *ctx, char *bytes, size_t len);
    /* The peer closed, or the connection broke: nothing more will come. Close it in time. */
    void (*ended)(void *ctx);
    /* All that waited has left, after some of it had to wait for the peer. */
    void (*drained)(void *ctx);
    /* The memory goes after this call. */
    void (*closed)(void *ctx);
};

/* The accepted socket is the owner's from now on: give it events, then socket_start(). */
typedef void socket_accepted(void *ctx, struct socket *socket);

/*
 * Listen on HOST:PORT with SO_REUSEPORT, so that every loop, and a second
 * process that takes over, has a listener of its own. IPv6 as [::1]:8000.
 * ERR_INVALID: not an address. ERR_IO: with the reason (port taken, not allowed).
 */
MUST_USE enum err listener_open(struct loop *loop, struct str address, socket_accepted *accepted,
                                void *ctx, struct listener **listener_out, struct why *why);
/*
 * Take HOST:PORT before there is a loop, so that a start that could not listen
 * fails before it has changed anything. Nobody can connect yet; listeners can be
 * opened on it. Writes the numeric address, with the port that the kernel chose
 * for port 0. Close `*fd_out` once they listen. Errors as above.
 */
MUST_USE enum err listener_reserve(struct str address, int *fd_out, char *to, size_t to_bytes,
                                   struct why *why);
/* The real address, with the port the kernel chose: "127.0.0.1:40123". */
void listener_address(const struct listener *listener, char *to, size_t to_bytes);
/*
 * Go out of service without a failed connection: what another process (or a
 * sibling) takes over goes there, whoever is on the way here is still `accepted`
 * for a fraction of a second, then the listener closes itself and calls `retired`
 * with the ctx of listener_open(). `siblings`: how many listeners this process
 * has on the address, this one included.
 */
typedef void listener_retired(void *ctx);
void listener_retire(struct listener *listener, unsigned siblings, listener_retired *retired);
/* At once: whoever waits to be accepted is cut off. NULL is fine. */
void listener_close(struct listener *listener);

void socket_start(struct socket *socket, const struct socket_events *events, void *ctx);
struct loop *socket_loop(const struct socket *socket);
/* Numeric address of the peer, without port; good as long as the socket. */
const char *socket_peer(const struct socket *socket);

void socket_send(struct socket *socket, const struct iovec *parts, int count);
/* Takes one reference of its own. */
void socket_queue(struct socket *socket, struct blob *blob);
/* The same, for a reference the caller gives away. */
void socket_queue_give(struct socket *socket, struct blob *blob);
/* Bytes that wait for the peer or the end of the turn. */
size_t socket_queued(const struct socket *socket);
/* Let what is queued leave now and not at the end of the turn. */
void socket_flush(struct socket *socket);
/* Forget everything queued but a piece that is already half-way out. */
void socket_unqueue(struct socket *socket);

/* No more `data` until resumed: back-pressure towards the peer. */
void socket_pause(struct socket *socket);
void socket_resume(struct socket *socket);

/* What is queued is dropped. */
void socket_close(struct socket *socket);
/* Send what is queued, then FIN, then close. A peer that takes nothing for `linger_ms` is given up.
 */
void socket_finish(struct socket *socket, uint64_t linger_ms);
