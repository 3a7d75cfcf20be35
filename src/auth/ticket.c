/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * auth/ticket.c: two maps and a queue.
 *
 * All tickets live equally long, so the queue in order of giving is nearly in
 * order of expiry (threads read the clock before they have the lock); each
 * visit buries what is over at its front. ticket_take judges a ticket by its
 * own time, so a dead one further back is never handed out.
 */
#include "auth/ticket.h"

#include <pthread.h>
#include <sodium.h>

#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/rng.h"

enum { HASH_BYTES = 32 };

/* A member with tickets waiting; owned by `members`, gone with the last of them. */
struct member {
    uint64_t user;
    struct list tickets; /* oldest first */
    size_t count;
};

/* Owned by the queue; in `by_hash` and in its member's list as well. */
struct ticket {
    struct list in_queue, in_member;
    uint8_t hash[HASH_BYTES];
    struct ticket_holder holder;
    int64_t over_us;
    struct member *member; /* borrowed */
};

/* Shared by all threads. */
struct tickets {
    pthread_mutex_t lock;
    struct map by_hash;  /* hash → struct ticket */
    struct map members;  /* user → struct member, owned */
    struct list waiting; /* struct ticket, owned; oldest first */
    size_t max;
    int64_t life_us;
};

struct tickets *tickets_new(size_t max, int64_t life_us)
{
    ASSERT(max > 0);
    ASSERT(life_us > 0);
    struct tickets *tickets = NEW(struct tickets);
    pthread_mutex_init(&tickets->lock, NULL);
    list_init(&tickets->waiting);
    tickets->max = max;
    tickets->life_us = life_us;
    return tickets;
}

static struct str hash_key(const struct ticket *ticket)
{
    return (struct str){(const char *)ticket->hash, sizeof(ticket->hash)};
}

/* Out of everything, and freed. */
static void ticket_drop(struct tickets *tickets, struct ticket *ticket)
{
    struct member *member = ticket->member;
    struct ticket *removed = map_remove(&tickets->by_hash, hash_key(ticket));
    ASSERT(removed == ticket);
    list_remove(&ticket->in_queue);
    list_remove(&ticket->in_member);
    mem_free(ticket);
    if (--member->count > 0) return;
    map_remove(&tickets->members, MAP_KEY(&member->user));
    mem_free(member);
}

void tickets_free(struct tickets *tickets)
{
    if (tickets == NULL) return;
    while (!list_is_empty(&tickets->waiting)) {
        ticket_drop(tickets, CONTAINER_OF(tickets->waiting.next, struct ticket, in_queue));
    }
    map_release(&tickets->by_hash);
    map_release(&tickets->members);
    pthread_mutex_destroy(&tickets->lock);
    mem_free(tickets);
}

static void text_hash(struct str text, uint8_t hash_out[HASH_BYTES])
{
    crypto_generichash(hash_out, HASH_BYTES, (const unsigned char *)(text.at ? text.at : ""),
                       text.len, NULL, 0);
}

static void drop_expired(struct tickets *tickets, int64_t now_us)
{
    while (!list_is_empty(&tickets->waiting)) {
        struct ticket *oldest = CONTAINER_OF(tickets->waiting.next, struct ticket, in_queue);
        if (oldest->over_us > now_us) return;
        ticket_drop(tickets, oldest);
    }
}

static struct member *member_get(struct tickets *tickets, uint64_t user)
{
    struct member *member = map_find(&tickets->members, MAP_KEY(&user));
    if (member) return member;
    member = NEW(struct member);
    member->user = user;
    list_init(&member->tickets);
    map_add(&tickets->members, MAP_KEY(&member->user), member);
    return member;
}

/* Room for one more of `user`: its own oldest goes first. */
static bool make_room(struct tickets *tickets, uint64_t user)
{
    struct member *member = map_find(&tickets->members, MAP_KEY(&user));
    bool full = tickets->by_hash.count >= tickets->max;
    if (member && (full || member->count >= TICKETS_PER_MEMBER)) {
        ticket_drop(tickets, CONTAINER_OF(member->tickets.next, struct ticket, in_member));
        return true;
    }
    return !full;
}

enum err ticket_give(struct tickets *tickets, const struct ticket_holder *holder, int64_t now_us,
                     char text_out[TICKET_TEXT_BYTES], struct why *why)
{
    ASSERT(holder->user.value > 0);
    ASSERT(now_us >= 0 && now_us < INT64_MAX / 2);
    uint8_t random[32];
    random_bytes(random, sizeof(random));
    char *text = sodium_bin2base64(text_out, TICKET_TEXT_BYTES, random, sizeof(random),
                                   sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    struct ticket *ticket = NEW(struct ticket);
    ticket->holder = *holder;
    ticket->over_us = now_us + tickets->life_us;
    text_hash(str_of(text), ticket->hash);

    pthread_mutex_lock(&tickets->lock);
    drop_expired(tickets, now_us);
    bool room = make_room(tickets, holder->user.value);
    if (room) {
        ticket->member = member_get(tickets, holder->user.value);
        ticket->member->count++;
        list_add_last(&ticket->member->tickets, &ticket->in_member);
        list_add_last(&tickets->waiting, &ticket->in_queue);
        map_add(&tickets->by_hash, hash_key(ticket), ticket);
    }
    pthread_mutex_unlock(&tickets->lock);
    if (room) return OK;
    mem_free(ticket);
    sodium_memzero(text_out, TICKET_TEXT_BYTES);
    return why_set(why, ERR_BUSY, "too many tickets wait to be used; try again in a moment");
}

enum err ticket_take(struct tickets *tickets, struct str text, int64_t now_us,
                     struct ticket_holder *holder_out, struct why *why)
{
    bool good = false;
    uint8_t hash[HASH_BYTES];
    if (text.len != TICKET_TEXT_BYTES - 1) {
        return why_set(why, ERR_UNKNOWN_CALLER, "this is no ticket");
    }
    text_hash(text, hash);

    pthread_mutex_lock(&tickets->lock);
    struct ticket *ticket =
        map_find(&tickets->by_hash, (struct str){(const char *)hash, sizeof(hash)});
    if (ticket) {
        good = now_us < ticket->over_us;
        if (good) *holder_out = ticket->holder;
        ticket_drop(tickets, ticket);
    }
    drop_expired(tickets, now_us);
    pthread_mutex_unlock(&tickets->lock);
    if (good) return OK;
    return why_set(why, ERR_UNKNOWN_CALLER, "the ticket was used already or is too old");
}

size_t tickets_count(struct tickets *tickets)
{
    pthread_mutex_lock(&tickets->lock);
    size_t count = tickets->by_hash.count;
    pthread_mutex_unlock(&tickets->lock);
    return count;
}

void tickets_check(struct tickets *tickets)
{
    pthread_mutex_lock(&tickets->lock);
    map_check(&tickets->by_hash);
    map_check(&tickets->members);
    ASSERT(tickets->by_hash.count <= tickets->max);
    size_t waiting = 0, of_members = 0, at = 0;
    const struct list *head = &tickets->waiting;
    for (const struct list *link = head->next; link != head; link = link->next) waiting++;
    for (struct member *member; (member = map_next(&tickets->members, &at)) != NULL;) {
        ASSERT(member->count > 0 && member->count <= TICKETS_PER_MEMBER);
        of_members += member->count;
    }
    ASSERT(waiting == tickets->by_hash.count && of_members == waiting);
    pthread_mutex_unlock(&tickets->lock);
}
