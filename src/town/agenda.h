/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * town/agenda.h: everything that is going to happen in a quarter, in order.
 *
 * An item has a time, a length and somebody it belongs to. It is pending until
 * its time comes; then agenda_pop() hands it out as a start, and if it lasts, it
 * is in progress and handed out once more, as an end. The order is total:
 * (minute, priority, seq), where seq counts insertions. Replay rests on it, so
 * nothing here is ever ordered by address or by a hash.
 *
 * Minutes are whole and most things happen within two days, so the queue is a
 * wheel of minutes, each with a bucket, and a bitmap of those that have any:
 * insertion, cancellation and removal take constant time. What lies beyond the
 * wheel waits in a bucket of its own, which is looked through when the wheel has
 * turned once. (Varghese & Lauck, "Hashed and Hierarchical Timing Wheels",
 * SOSP 1987, scheme 4 with overflow.) Items of one resident are chained too:
 * nobody can be planned into two things at once, and plans can be read and
 * taken back without a search.
 *
 * One thread at a time. Nothing fails: memory grows as it is needed.
 */
#pragma once

#include "base/buf.h"

enum priority {
    PRIORITY_CRITICAL,   /* 0 in the original's serialised form */
    PRIORITY_EMERGENCY,  /* 10 */
    PRIORITY_HIGH,       /* 20 */
    PRIORITY_NORMAL,     /* 50 */
    PRIORITY_LOW,        /* 80 */
    PRIORITY_BACKGROUND, /* 100 */
    PRIORITY_COUNT
};

enum item_status { ITEM_PENDING, ITEM_IN_PROGRESS, ITEM_COMPLETED, ITEM_CANCELLED };

struct item {
    int32_t at;       /* when it starts */
    uint16_t minutes; /* how long it lasts; 0: a moment */
    uint8_t kind;     /* the caller's own word */
    uint8_t priority; /* enum priority */
    uint8_t status;   /* enum item_status */
    uint32_t who;     /* whose it is, below the count the agenda was made for */
    uint32_t seq;     /* given out by agenda_add(); never 0 */
    uint32_t data;    /* the caller's */
};

struct agenda;

/* For owners 0 … `owners` - 1, from minute `now` on. */
struct agenda *agenda_new(uint32_t owners, int32_t now);
void agenda_free(struct agenda *agenda); /* NULL is fine */
/* For more owners from now on; what it costs is made up for by the next ones. */
void agenda_grow(struct agenda *agenda, uint32_t owners);

/* The minute agenda_pop() has come to. Nothing can be added before it. */
int32_t agenda_now(const struct agenda *agenda);
/* Pending and in progress. */
uint32_t agenda_count(const struct agenda *agenda);

/*
 * Plan an item, or, with `status` ITEM_IN_PROGRESS, note one that starts now (only its end comes).
 * Its seq. `at` must not lie before agenda_now(). Does not look for conflicts: a moment has none,
 * and who plans a length asks agenda_find_conflict() before.
 */
uint32_t agenda_add(struct agenda *agenda, const struct item *item);
/*
 * What `who` already does between `from` and `until` (half-open), the earliest first; items of no
 * length are never in the way. False: nothing.
 */
bool agenda_find_conflict(const struct agenda *agenda, uint32_t who, int32_t from, int32_t until,
                          struct item *item_out);
/* False: no such item, it has ended. The item as it was, with status ITEM_CANCELLED. */
bool agenda_cancel(struct agenda *agenda, uint32_t who, uint32_t seq, struct item *item_out);
/* Everything of `who`. */
void agenda_cancel_all(struct agenda *agenda, uint32_t who);

/* The minute of the next start or end, or INT32_MAX. */
int32_t agenda_next_at(const struct agenda *agenda);
/*
 * The next start or end up to and including minute `until`; agenda_now() moves to it. A start has
 * the status ITEM_IN_PROGRESS, an end or a moment ITEM_COMPLETED. False: nothing more, and
 * agenda_now() is `until`.
 */
bool agenda_pop(struct agenda *agenda, int32_t until, struct item *item_out);

/* Whose item is taken out after `steps` (1 or 2) more pops, as things stand: a guess, for fetching
 * what they need beforehand. NO_OWNER: not known. */
#define NO_OWNER UINT32_MAX
uint32_t agenda_ahead(const struct agenda *agenda, int steps);

/* Called for each item; false ends the walk. */
typedef bool agenda_visit(const struct item *item, void *ctx);
/* Those of `who`, the newest first. */
void agenda_each_of(const struct agenda *agenda, uint32_t who, agenda_visit *visit, void *ctx);
/* Those with a start or end in [from, until), by minute; within one by priority and seq. */
void agenda_each(const struct agenda *agenda, int32_t from, int32_t until, agenda_visit *visit,
                 void *ctx);

/* The whole of it as bytes, the same for the same agenda; and back. */
void agenda_write(const struct agenda *agenda, struct buf *buf);
/* For `owners` as before. NULL: the bytes are not those of an agenda. */
struct agenda *agenda_read(struct str *bytes, uint32_t owners);

size_t agenda_bytes(const struct agenda *agenda); /* of memory */
void agenda_check(const struct agenda *agenda);   /* asserts its invariants */
