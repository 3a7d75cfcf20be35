/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/peers.h"

#include "base/map.h"
#include "base/mem.h"

struct member {
    struct user_id user; /* also the key */
    uint64_t round;      /* the last full set that named them */
};

struct peer {
    struct list link;
    char id[32];
    int64_t heard_us;
    uint64_t round;
    struct map members; /* of struct member, owned */
};

struct peers {
    struct hub *hub;
    struct list list; /* of struct peer, owned: instances are few */
    size_t count;
};

struct peers *peers_new(struct hub *hub)
{
    struct peers *peers = NEW(struct peers);
    peers->hub = hub;
    list_init(&peers->list);
    return peers;
}

static void forget(struct peers *peers, struct peer *peer)
{
    size_t at = 0;
    for (struct member *m; (m = map_next(&peer->members, &at)) != NULL;) {
        hub_present_elsewhere(peers->hub, m->user, -1);
        mem_free(m);
    }
    map_release(&peer->members);
    list_remove(&peer->link);
    peers->count--;
    mem_free(peer);
}

void peers_free(struct peers *peers)
{
    if (peers == NULL) return;
    while (!list_is_empty(&peers->list)) {
        forget(peers, CONTAINER_OF(peers->list.next, struct peer, link));
    }
    mem_free(peers);
}

/* NULL: more instances than anybody has, so somebody makes them up. */
static struct peer *hear(struct peers *peers, const char *from, int64_t now_us)
{
    struct peer *peer;
    for (struct list *at = peers->list.next; at != &peers->list; at = at->next) {
        peer = CONTAINER_OF(at, struct peer, link);
        if (strcmp(peer->id, from) != 0) continue;
        peer->heard_us = now_us;
        return peer;
    }
    if (peers->count == PEERS_MAX) return NULL;
    peer = NEW(struct peer);
    str_copy(peer->id, sizeof(peer->id), str_of(from));
    peer->heard_us = now_us;
    list_init(&peer->link);
    list_add_last(&peers->list, &peer->link);
    peers->count++;
    return peer;
}

static void add(struct peers *peers, struct peer *peer, struct user_id user)
{
    struct member *member = map_find(&peer->members, MAP_KEY(&user.value));
    if (member == NULL) {
        member = NEW(struct member);
        member->user = user;
        map_add(&peer->members, MAP_KEY(&member->user.value), member);
        hub_present_elsewhere(peers->hub, user, 1);
    }
    member->round = peer->round;
}

static void take_away(struct peers *peers, struct peer *peer, struct user_id user)
{
    struct member *member = map_remove(&peer->members, MAP_KEY(&user.value));
    if (member == NULL) return;
    mem_free(member);
    hub_present_elsewhere(peers->hub, user, -1);
}

void peers_change(struct peers *peers, const char *from, struct user_id user, bool here,
                  int64_t now_us)
{
    struct peer *peer = hear(peers, from, now_us);
    if (peer == NULL) return;
    if (here) {
        add(peers, peer, user);
    } else {
        take_away(peers, peer, user);
    }
}

void peers_set(struct peers *peers, const char *from, const struct user_id *users, size_t count,
               int64_t now_us)
{
    struct peer *peer = hear(peers, from, now_us);
    if (peer == NULL) return;
    peer->round++;
    for (size_t i = 0; i < count; i++) add(peers, peer, users[i]);
    struct user_id *gone = mem_alloc(peer->members.count * sizeof(*gone));
    size_t gone_count = 0, at = 0;
    for (struct member *m; (m = map_next(&peer->members, &at)) != NULL;) {
        if (m->round != peer->round) gone[gone_count++] = m->user;
    }
    for (size_t i = 0; i < gone_count; i++) take_away(peers, peer, gone[i]);
    mem_free(gone);
}

void peers_expire(struct peers *peers, int64_t now_us)
{
    int64_t silence_us = (int64_t)PEERS_SILENCE_S * 1000000;
    for (struct list *at = peers->list.next, *next; at != &peers->list; at = next) {
        next = at->next;
        struct peer *peer = CONTAINER_OF(at, struct peer, link);
        if (now_us - peer->heard_us > silence_us) forget(peers, peer);
    }
}
