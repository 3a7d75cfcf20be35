/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * town/agenda.c: a wheel of minutes over slots of 32 bytes.
 *
 * A slot stands in exactly one ring: that of its minute in the wheel, that of
 * its priority when its minute is the present one, the far ring, or the free
 * chain. Slots are numbered, not pointed to, so that an agenda is a few flat
 * arrays: written to a checkpoint and read back it goes on in the same order.
 *
 * Marking cancelled items dead would spare the backward links, but residents
 * change their minds all day and the wheel would fill with ghosts.
 */
#include "town/agenda.h"

#include "base/mem.h"
#include "town/internal.h"

enum {
    WHEEL = 2048, /* minutes; longer than the longest sleep and a plan for tomorrow */
    WORDS = WHEEL / 64,
    SLOTS_FIRST = 64,
};

struct slot {
    int32_t at;
    uint32_t who, seq, data;
    uint32_t prev, next; /* ring; a free slot has only `next` */
    uint32_t mine;       /* the owner's next slot */
    uint16_t minutes;
    uint8_t kind;
    uint8_t how; /* priority, and 128 once in progress */
};
static_assert(sizeof(struct slot) == 32, "two to a cache line");

enum { IN_PROGRESS = 128 };

/* What is written to a checkpoint as it stands. */
struct head {
    int32_t now, far_at; /* far_at: the first edge in the far ring, INT32_MAX when it is empty */
    uint32_t owners, slots, free, count, seq, far;
    uint32_t open[PRIORITY_COUNT]; /* the present minute's rings; each sorted by seq */
    uint64_t any[WORDS];           /* which minutes of the wheel have a ring */
    uint32_t wheel[WHEEL];
};

struct agenda {
    struct head h;
    struct slot *slot; /* owned; slot[0] stands for none */
    uint32_t *mine;    /* owned; each owner's first slot */
};

struct agenda *agenda_new(uint32_t owners, int32_t now)
{
    ASSERT(owners > 0 && now >= 0);
    struct agenda *agenda = NEW(struct agenda);
    agenda->h = (struct head){.now = now, .far_at = INT32_MAX, .owners = owners};
    agenda->h.slots = SLOTS_FIRST;
    agenda->slot = mem_alloc(sizeof(struct slot) * SLOTS_FIRST);
    agenda->mine = mem_alloc(sizeof(uint32_t) * owners);
    for (uint32_t i = SLOTS_FIRST - 1; i > 0; i--) {
        agenda->slot[i].next = agenda->h.free;
        agenda->h.free = i;
    }
    return agenda;
}

void agenda_free(struct agenda *agenda)
{
    if (!agenda) return;
    mem_free(agenda->slot);
    mem_free(agenda->mine);
    mem_free(agenda);
}

int32_t agenda_now(const struct agenda *agenda)
{
    return agenda->h.now;
}

uint32_t agenda_count(const struct agenda *agenda)
{
    return agenda->h.count;
}

/* --- slots and rings --- */

static int32_t edge_of(const struct slot *slot)
{
    return slot->how & IN_PROGRESS ? slot->at + slot->minutes : slot->at;
}

static enum priority priority_of(const struct slot *slot)
{
    return (enum priority)(slot->how & ~IN_PROGRESS);
}

static uint32_t slot_take(struct agenda *agenda)
{
    if (!agenda->h.free) {
        uint32_t had = agenda->h.slots;
        ASSERT(had < UINT32_MAX / 2);
        agenda->h.slots = had * 2;
        agenda->slot = mem_resize(agenda->slot, sizeof(struct slot) * agenda->h.slots);
        memset(agenda->slot + had, 0, sizeof(struct slot) * had);
        for (uint32_t i = agenda->h.slots - 1; i >= had; i--) {
            agenda->slot[i].next = agenda->h.free;
            agenda->h.free = i;
        }
    }
    uint32_t at = agenda->h.free;
    agenda->h.free = agenda->slot[at].next;
    return at;
}

static void slot_give_back(struct agenda *agenda, uint32_t at)
{
    /* Wiped, because checkpoints of equal agendas are equal. */
    agenda->slot[at] = (struct slot){.next = agenda->h.free};
    agenda->h.free = at;
}

/* Behind the last of the ring that begins at `*first`. */
static void ring_append(struct agenda *agenda, uint32_t *first, uint32_t at)
{
    struct slot *slots = agenda->slot;
    if (!*first) {
        *first = slots[at].prev = slots[at].next = at;
        return;
    }
    uint32_t last = slots[*first].prev;
    slots[at].prev = last;
    slots[at].next = *first;
    slots[last].next = at;
    slots[*first].prev = at;
}

static void ring_remove(struct agenda *agenda, uint32_t *first, uint32_t at)
{
    struct slot *slots = agenda->slot;
    if (slots[at].next == at) {
        *first = 0;
        return;
    }
    slots[slots[at].prev].next = slots[at].next;
    slots[slots[at].next].prev = slots[at].prev;
    if (*first == at) *first = slots[at].next;
}

/* Into the present minute's ring of its priority, which is sorted by seq. Nearly always the last.
 */
static void open_insert(struct agenda *agenda, uint32_t at)
{
    struct slot *slots = agenda->slot;
    uint32_t *first = &agenda->h.open[priority_of(&slots[at])];
    if (!*first || slots[slots[*first].prev].seq < slots[at].seq) {
        ring_append(agenda, first, at);
        return;
    }
    uint32_t before = slots[*first].prev; /* goes behind this one, or to the front */
    while (before != *first && slots[slots[before].prev].seq > slots[at].seq)
        before = slots[before].prev;
    slots[at].next = before;
    slots[at].prev = slots[before].prev;
    slots[slots[before].prev].next = at;
    slots[before].prev = at;
    if (before == *first) *first = at;
}

static void wheel_insert(struct agenda *agenda, uint32_t at, int32_t edge)
{
    uint32_t spoke = (uint32_t)edge % WHEEL;
    agenda->h.any[spoke / 64] |= UINT64_C(1) << spoke % 64;
    ring_append(agenda, &agenda->h.wheel[spoke], at);
}

static void slot_insert(struct agenda *agenda, uint32_t at)
{
    int32_t edge = edge_of(&agenda->slot[at]);
    ASSERT(edge >= agenda->h.now);
    if (edge == agenda->h.now) {
        open_insert(agenda, at);
    } else if (edge - agenda->h.now < WHEEL) {
        wheel_insert(agenda, at, edge);
    } else {
        ring_append(agenda, &agenda->h.far, at);
        agenda->h.far_at = MIN(agenda->h.far_at, edge);
    }
}

/* The far ring is looked through when its first comes within half a wheel. */
static bool far_is_due(const struct head *h)
{
    return h->far && h->far_at - h->now < WHEEL / 2;
}

static void far_look_through(struct agenda *agenda)
{
    uint32_t far = agenda->h.far;
    agenda->h.far = 0;
    agenda->h.far_at = INT32_MAX;
    if (far) agenda->slot[agenda->slot[far].prev].next = 0; /* open the ring */
    while (far) {
        uint32_t next = agenda->slot[far].next;
        slot_insert(agenda, far);
        far = next;
    }
}

static int32_t far_first(const struct agenda *agenda)
{
    int32_t first = INT32_MAX;
    uint32_t at = agenda->h.far;
    if (!at) return first;
    do {
        first = MIN(first, edge_of(&agenda->slot[at]));
        at = agenda->slot[at].next;
    } while (at != agenda->h.far);
    return first;
}

static void slot_remove(struct agenda *agenda, uint32_t at)
{
    struct slot *slot = &agenda->slot[at];
    int32_t edge = edge_of(slot);
    uint32_t spoke = (uint32_t)edge % WHEEL;
    if (edge == agenda->h.now) {
        ring_remove(agenda, &agenda->h.open[priority_of(slot)], at);
        return;
    }
    /* Within a wheel's length it may still stand in the far ring, which is looked through late. */
    bool far = edge - agenda->h.now >= WHEEL || (agenda->h.far && agenda->h.far_at <= edge);
    if (far) {
        uint32_t look = agenda->h.far;
        far = false;
        do {
            far = look == at;
            look = agenda->slot[look].next;
        } while (!far && look != agenda->h.far);
    }
    if (far) {
        ring_remove(agenda, &agenda->h.far, at);
        if (edge == agenda->h.far_at) agenda->h.far_at = far_first(agenda);
        return;
    }
    ring_remove(agenda, &agenda->h.wheel[spoke], at);
    if (!agenda->h.wheel[spoke]) agenda->h.any[spoke / 64] &= ~(UINT64_C(1) << spoke % 64);
}

/* --- items --- */

static struct item item_of(const struct slot *slot, enum item_status status)
{
    return (struct item){.at = slot->at,
                         .minutes = slot->minutes,
                         .kind = slot->kind,
                         .priority = (uint8_t)priority_of(slot),
                         .status = (uint8_t)status,
                         .who = slot->who,
                         .seq = slot->seq,
                         .data = slot->data};
}

static enum item_status status_of(const struct slot *slot)
{
    return slot->how & IN_PROGRESS ? ITEM_IN_PROGRESS : ITEM_PENDING;
}

static void mine_add(struct agenda *agenda, uint32_t at)
{
    uint32_t *link = &agenda->mine[agenda->slot[at].who];
    while (*link) link = &agenda->slot[*link].mine;
    *link = at;
}

static void mine_remove(struct agenda *agenda, uint32_t at)
{
    uint32_t *link = &agenda->mine[agenda->slot[at].who];
    while (*link != at) link = &agenda->slot[*link].mine;
    *link = agenda->slot[at].mine;
}

uint32_t agenda_add(struct agenda *agenda, const struct item *item)
{
    ASSERT(item->who < agenda->h.owners && item->priority < PRIORITY_COUNT);
    ASSERT(item->at >= agenda->h.now && item->at <= INT32_MAX - UINT16_MAX - WHEEL);
    bool begun = item->status == ITEM_IN_PROGRESS;
    ASSERT(begun ? item->at == agenda->h.now && item->minutes > 0 : item->status == ITEM_PENDING);
    if (far_is_due(&agenda->h)) far_look_through(agenda);
    uint32_t at = slot_take(agenda);
    agenda->h.seq++;
    ASSERT(agenda->h.seq != 0);
    agenda->slot[at] = (struct slot){.at = item->at,
                                     .who = item->who,
                                     .seq = agenda->h.seq,
                                     .data = item->data,
                                     .minutes = item->minutes,
                                     .kind = item->kind,
                                     .how = (uint8_t)(item->priority | (begun ? IN_PROGRESS : 0))};
    slot_insert(agenda, at);
    mine_add(agenda, at);
    agenda->h.count++;
    return agenda->h.seq;
}

bool agenda_find_conflict(const struct agenda *agenda, uint32_t who, int32_t from, int32_t until,
                          struct item *item_out)
{
    ASSERT(who < agenda->h.owners);
    const struct slot *first = NULL;
    for (uint32_t at = agenda->mine[who]; at; at = agenda->slot[at].mine) {
        const struct slot *slot = &agenda->slot[at];
        if (slot->minutes == 0 || until <= slot->at || from >= slot->at + slot->minutes) continue;
        if (!first || slot->at < first->at) first = slot;
    }
    if (first) *item_out = item_of(first, status_of(first));
    return first != NULL;
}

static void slot_end(struct agenda *agenda, uint32_t at)
{
    mine_remove(agenda, at);
    slot_give_back(agenda, at);
    agenda->h.count--;
}

bool agenda_cancel(struct agenda *agenda, uint32_t who, uint32_t seq, struct item *item_out)
{
    ASSERT(who < agenda->h.owners);
    uint32_t at = agenda->mine[who];
    while (at && agenda->slot[at].seq != seq) at = agenda->slot[at].mine;
    if (!at) return false;
    *item_out = item_of(&agenda->slot[at], ITEM_CANCELLED);
    slot_remove(agenda, at);
    slot_end(agenda, at);
    return true;
}

/* --- what comes next --- */

/* The first minute after the present one that has a ring in the wheel, or INT32_MAX. */
static int32_t wheel_next(const struct head *h)
{
    uint32_t from = (uint32_t)(h->now + 1) % WHEEL;
    for (uint32_t step = 0; step <= WORDS; step++) {
        uint32_t word = (from / 64 + step) % WORDS;
        uint64_t bits = h->any[word];
        if (step == 0) bits &= UINT64_MAX << from % 64;
        if (step == WORDS) bits &= ~(UINT64_MAX << from % 64);
        if (!bits) continue;
        uint32_t spoke = word * 64 + (uint32_t)__builtin_ctzll(bits);
        return h->now + 1 + (int32_t)((spoke - from) % WHEEL);
    }
    return INT32_MAX;
}

static uint32_t open_first(const struct head *h)
{
    for (int i = 0; i < PRIORITY_COUNT; i++)
        if (h->open[i]) return h->open[i];
    return 0;
}

int32_t agenda_next_at(const struct agenda *agenda)
{
    if (open_first(&agenda->h)) return agenda->h.now;
    return MIN(wheel_next(&agenda->h), agenda->h.far_at);
}

/*
 * In a large town a ring is in no cache, and of each slot only the one before knows where it is.
 * From both ends at once they come two at a time, and with them what taking them out will want.
 */
static void ring_fetch(const struct agenda *agenda, uint32_t first)
{
    const struct slot *slots = agenda->slot;
    uint32_t on = first, back = slots[first].prev;
    for (;;) {
        __builtin_prefetch(&agenda->mine[slots[on].who], 1);
        __builtin_prefetch(&agenda->mine[slots[back].who], 1);
        if (on == back || slots[on].next == back) return;
        on = slots[on].next;
        back = slots[back].prev;
    }
}

/* Make `at` the present minute; nothing may lie between. */
static void go_to(struct agenda *agenda, int32_t at)
{
    agenda->h.now = at;
    if (far_is_due(&agenda->h)) far_look_through(agenda);
    uint32_t spoke = (uint32_t)at % WHEEL;
    uint32_t ring = agenda->h.wheel[spoke];
    if (!ring) return;
    agenda->h.wheel[spoke] = 0;
    agenda->h.any[spoke / 64] &= ~(UINT64_C(1) << spoke % 64);
    ring_fetch(agenda, ring);
    agenda->slot[agenda->slot[ring].prev].next = 0;
    while (ring) {
        uint32_t next = agenda->slot[ring].next;
        open_insert(agenda, ring);
        ring = next;
    }
}

bool agenda_pop(struct agenda *agenda, int32_t until, struct item *item_out)
{
    ASSERT(until >= agenda->h.now);
    uint32_t at;
    while (!(at = open_first(&agenda->h))) {
        int32_t next = MIN(wheel_next(&agenda->h), agenda->h.far_at);
        if (next > until) {
            go_to(agenda, until);
            return false;
        }
        go_to(agenda, next);
    }
    struct slot *slot = &agenda->slot[at];
    bool starts = slot->minutes > 0 && !(slot->how & IN_PROGRESS);
    *item_out = item_of(slot, starts ? ITEM_IN_PROGRESS : ITEM_COMPLETED);
    ring_remove(agenda, &agenda->h.open[priority_of(slot)], at);
    if (starts) {
        slot->how |= IN_PROGRESS;
        slot_insert(agenda, at);
    } else {
        slot_end(agenda, at);
    }
    return true;
}

uint32_t agenda_ahead(const struct agenda *agenda, int steps)
{
    uint32_t first = open_first(&agenda->h), at = first;
    while (first && --steps > 0) {
        at = agenda->slot[at].next;
        if (at == first) return NO_OWNER;
    }
    return first ? agenda->slot[at].who : NO_OWNER;
}

/* --- walks --- */

void agenda_each_of(const struct agenda *agenda, uint32_t who, agenda_visit *visit, void *ctx)
{
    ASSERT(who < agenda->h.owners);
    for (uint32_t at = agenda->mine[who]; at; at = agenda->slot[at].mine) {
        struct item item = item_of(&agenda->slot[at], status_of(&agenda->slot[at]));
        if (!visit(&item, ctx)) return;
    }
}

struct found {
    int32_t edge;
    uint32_t at;
};

static int found_compare(const void *a, const void *b, void *slots)
{
    const struct found *x = a, *y = b;
    if (x->edge != y->edge) return x->edge < y->edge ? -1 : 1;
    const struct slot *slot = slots, *first = &slot[x->at], *second = &slot[y->at];
    if (priority_of(first) != priority_of(second))
        return priority_of(first) < priority_of(second) ? -1 : 1;
    return first->seq < second->seq ? -1 : 1;
}

void agenda_each(const struct agenda *agenda, int32_t from, int32_t until, agenda_visit *visit,
                 void *ctx)
{
    struct found *found = mem_alloc(sizeof(*found) * (agenda->h.count + 1));
    size_t count = 0;
    for (uint32_t at = 1; at < agenda->h.slots; at++) {
        if (agenda->slot[at].seq == 0) continue; /* free */
        int32_t edge = edge_of(&agenda->slot[at]);
        if (edge >= from && edge < until) found[count++] = (struct found){edge, at};
    }
    qsort_r(found, count, sizeof(*found), found_compare, agenda->slot);
    for (size_t i = 0; i < count; i++) {
        const struct slot *slot = &agenda->slot[found[i].at];
        struct item item = item_of(slot, status_of(slot));
        if (!visit(&item, ctx)) break;
    }
    mem_free(found);
}

/* --- checkpoints --- */

void agenda_write(const struct agenda *agenda, struct buf *buf)
{
    buf_add(buf, &agenda->h, sizeof(agenda->h));
    buf_add(buf, agenda->slot, sizeof(struct slot) * agenda->h.slots);
    buf_add(buf, agenda->mine, sizeof(uint32_t) * agenda->h.owners);
}

struct agenda *agenda_read(struct str *bytes)
{
    struct agenda *agenda = NEW(struct agenda);
    bool fine = bytes_take(bytes, &agenda->h, sizeof(agenda->h)) && agenda->h.owners > 0 &&
                agenda->h.slots >= SLOTS_FIRST &&
                agenda->h.slots <= bytes->len / sizeof(struct slot) &&
                agenda->h.owners <= bytes->len / sizeof(uint32_t);
    if (fine) {
        agenda->slot = mem_alloc(sizeof(struct slot) * agenda->h.slots);
        agenda->mine = mem_alloc(sizeof(uint32_t) * agenda->h.owners);
        fine = bytes_take(bytes, agenda->slot, sizeof(struct slot) * agenda->h.slots) &&
               bytes_take(bytes, agenda->mine, sizeof(uint32_t) * agenda->h.owners);
    }
    if (fine) return agenda;
    agenda_free(agenda);
    return NULL;
}

size_t agenda_bytes(const struct agenda *agenda)
{
    return sizeof(*agenda) + sizeof(struct slot) * agenda->h.slots +
           sizeof(uint32_t) * agenda->h.owners;
}

/* How many stand in a ring; asserts that all are at the right edge. */
static uint32_t ring_check(const struct agenda *agenda, uint32_t first, int32_t edge)
{
    uint32_t count = 0, at = first;
    if (!first) return 0;
    do {
        const struct slot *slot = &agenda->slot[at];
        ASSERT(agenda->slot[slot->next].prev == at);
        ASSERT(edge == INT32_MAX ? edge_of(slot) >= agenda->h.far_at : edge_of(slot) == edge);
        at = slot->next;
        count++;
    } while (at != first);
    return count;
}

void agenda_check(const struct agenda *agenda)
{
    const struct head *h = &agenda->h;
    uint32_t count = ring_check(agenda, h->far, INT32_MAX);
    for (int i = 0; i < PRIORITY_COUNT; i++) count += ring_check(agenda, h->open[i], h->now);
    for (uint32_t spoke = 0; spoke < WHEEL; spoke++) {
        ASSERT(!h->wheel[spoke] == !(h->any[spoke / 64] >> spoke % 64 & 1));
        int32_t edge = h->now + (int32_t)((spoke - (uint32_t)h->now % WHEEL) % WHEEL);
        count += ring_check(agenda, h->wheel[spoke], edge);
    }
    ASSERT(count == h->count);
    uint32_t owned = 0;
    for (uint32_t who = 0; who < h->owners; who++) {
        for (uint32_t at = agenda->mine[who]; at; at = agenda->slot[at].mine) {
            ASSERT(agenda->slot[at].who == who);
            owned++;
        }
    }
    ASSERT(owned == count);
}
