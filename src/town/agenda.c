/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * town/agenda.c: a wheel of minutes, each a few chunks of slots.
 *
 * In a large town nothing of the agenda is in any cache but what was touched
 * last, so it is laid out for that: what comes up in one minute stands side by
 * side in chunks and is read in one go, and what is planned goes behind the last
 * of its minute, whose line is warm because so many others went there. A slot is
 * never moved while it waits, so an owner's chain can name it by its position.
 * An item that is taken back leaves a dead slot until its minute has passed; when
 * the dead are more than the living, everything is written and read back.
 *
 * When a minute becomes the present one, its living slots are sorted into a line
 * for each priority. They were added in the order of their seq, but for those
 * that started in between and those that came from far: only then it takes a sort.
 */
#include "town/agenda.h"

#include "base/mem.h"
#include "town/internal.h"

enum {
    WHEEL = 2048, /* minutes; longer than the longest sleep and a plan for tomorrow */
    WORDS = WHEEL / 64,
    CHUNKS_FIRST = 16,
    SMALL = 4096, /* owners; below it chunks are small, because most minutes hold a few items */
    SMALL_SHIFT = 3,
    LARGE_SHIFT = 6,
    DEAD_MIN = 1024, /* so many dead are never worth a rebuild */
    FETCH_AHEAD = 8,
    AT_MAX = INT32_MAX - UINT16_MAX - WHEEL,
};

struct slot {
    int32_t at;
    uint32_t who, seq, data; /* seq 0: dead or never used */
    uint32_t mine;           /* the owner's next slot */
    uint16_t minutes;
    uint8_t kind;
    uint8_t how; /* priority, and the bits below */
};
static_assert(sizeof(struct slot) == 24, "many to a cache line");

enum { IN_PROGRESS = 128, IS_FAR = 64, PRIORITY_BITS = 63 };

/* Chunks of 1 << shift slots in a ring; all but the last are full. */
struct bucket {
    uint32_t end; /* the slot behind the last one that was given out; 0: no chunk */
    uint32_t live;
};

/* What comes up in the present minute: one line for each priority, sorted by seq. */
struct turn {
    uint32_t slot, who;
};
struct line {
    struct turn *turn; /* owned */
    uint32_t head, count, max;
};

struct agenda {
    int32_t now, far_at; /* far_at: the first edge in `far`, INT32_MAX when it is empty */
    uint32_t owners, owners_room, count, seq;
    uint32_t shift, chunks, free; /* chunks: how many there are; free: the first of the chain */
    uint32_t used;                /* slots given out, living and dead */
    uint32_t *next;    /* owned; of each chunk: in its bucket's ring, or of the free ones.
                          Chunk 0 stands for none */
    struct slot *slot; /* owned; those of chunk c from c << shift on */
    uint32_t *mine;    /* owned; each owner's first slot, 0: none */
    struct line line[PRIORITY_COUNT];
    struct bucket far;   /* beyond the wheel, when they were planned */
    uint64_t any[WORDS]; /* which buckets of the wheel have a living item */
    struct bucket wheel[WHEEL];
};

static void chunks_grow(struct agenda *agenda, uint32_t chunks)
{
    uint32_t had = agenda->chunks;
    ASSERT(chunks > had && chunks < UINT32_MAX >> agenda->shift);
    size_t each = sizeof(struct slot) << agenda->shift;
    agenda->next = mem_resize(agenda->next, sizeof(uint32_t) * chunks);
    agenda->slot = mem_resize(agenda->slot, each * chunks);
    memset(agenda->slot + ((size_t)had << agenda->shift), 0, each * (chunks - had));
    for (uint32_t i = chunks - 1; i >= MAX(had, 1U); i--) {
        agenda->next[i] = agenda->free;
        agenda->free = i;
    }
    agenda->chunks = chunks;
}

struct agenda *agenda_new(uint32_t owners, int32_t now)
{
    ASSERT(owners > 0 && now >= 0);
    struct agenda *agenda = NEW(struct agenda);
    agenda->now = now;
    agenda->far_at = INT32_MAX;
    agenda->owners = agenda->owners_room = owners;
    agenda->shift = owners < SMALL ? SMALL_SHIFT : LARGE_SHIFT;
    agenda->mine = mem_alloc(sizeof(uint32_t) * owners);
    chunks_grow(agenda, CHUNKS_FIRST);
    return agenda;
}

void agenda_free(struct agenda *agenda)
{
    if (!agenda) return;
    for (int i = 0; i < PRIORITY_COUNT; i++) mem_free(agenda->line[i].turn);
    mem_free(agenda->next);
    mem_free(agenda->slot);
    mem_free(agenda->mine);
    mem_free(agenda);
}

void agenda_grow(struct agenda *agenda, uint32_t owners)
{
    ASSERT(owners >= agenda->owners);
    if (owners > agenda->owners_room) {
        uint32_t had = agenda->owners_room, room = MAX(owners, had + had / 2);
        agenda->mine = mem_resize(agenda->mine, sizeof(uint32_t) * room);
        memset(agenda->mine + had, 0, sizeof(uint32_t) * (room - had));
        agenda->owners_room = room;
    }
    agenda->owners = owners;
}

int32_t agenda_now(const struct agenda *agenda)
{
    return agenda->now;
}

uint32_t agenda_count(const struct agenda *agenda)
{
    return agenda->count;
}

/* --- slots and buckets --- */

static int32_t edge_of(const struct slot *slot)
{
    return slot->how & IN_PROGRESS ? slot->at + slot->minutes : slot->at;
}

static enum priority priority_of(const struct slot *slot)
{
    return (enum priority)(slot->how & PRIORITY_BITS);
}

static uint32_t spoke_of(int32_t minute)
{
    return (uint32_t)minute % WHEEL;
}

/* The bucket of the present minute. */
static struct bucket *present(struct agenda *agenda)
{
    return &agenda->wheel[spoke_of(agenda->now)];
}

static uint32_t last_chunk(const struct agenda *agenda, const struct bucket *bucket)
{
    return bucket->end ? (bucket->end - 1) >> agenda->shift : 0;
}

/* A walk over a bucket's slots, the living and the dead, in the order in which they came. */
struct walk {
    uint32_t last, chunk, at, end; /* slots `at` … `end` - 1 of `chunk` come next */
};

/* False: that was the last chunk. */
static bool walk_on(const struct agenda *agenda, const struct bucket *bucket, struct walk *walk)
{
    if (!walk->last)
        walk->last = walk->chunk = last_chunk(agenda, bucket);
    else if (walk->chunk == walk->last)
        return false;
    if (!walk->last) return false;
    walk->chunk = agenda->next[walk->chunk];
    walk->at = walk->chunk << agenda->shift;
    walk->end = walk->chunk == walk->last ? bucket->end : walk->at + (1U << agenda->shift);
    __builtin_prefetch(&agenda->slot[(size_t)agenda->next[walk->chunk] << agenda->shift]);
    return true;
}

/* Room for one behind its last; what stands there is dead. */
static inline uint32_t bucket_room(struct agenda *agenda, struct bucket *bucket)
{
    uint32_t full = (1U << agenda->shift) - 1;
    if ((bucket->end & full) == 0) {
        if (!agenda->free) chunks_grow(agenda, agenda->chunks + agenda->chunks / 2);
        uint32_t fresh = agenda->free, last = last_chunk(agenda, bucket);
        agenda->free = agenda->next[fresh];
        agenda->next[fresh] = last ? agenda->next[last] : fresh;
        if (last) agenda->next[last] = fresh;
        bucket->end = fresh << agenda->shift;
    }
    agenda->used++;
    bucket->live++;
    return bucket->end++;
}

/* All its slots are dead. */
static void bucket_clear(struct agenda *agenda, struct bucket *bucket)
{
    ASSERT(bucket->live == 0);
    uint32_t last = last_chunk(agenda, bucket);
    if (!last) return;
    struct walk walk = {0};
    while (walk_on(agenda, bucket, &walk)) agenda->used -= walk.end - walk.at;
    uint32_t first = agenda->next[last];
    agenda->next[last] = agenda->free;
    agenda->free = first;
    bucket->end = 0;
}

/*
 * Into the bucket of its edge. In the present minute a line must have it, too. Part of its callers,
 * so that an item goes from their registers to its slot: read back from a copy just written in
 * pieces, it would have to wait for them.
 */
static inline __attribute__((always_inline)) uint32_t slot_put(struct agenda *agenda,
                                                               const struct slot *slot)
{
    int32_t edge = edge_of(slot);
    ASSERT(edge >= agenda->now);
    bool far = edge - agenda->now >= WHEEL;
    uint32_t spoke = spoke_of(edge);
    uint32_t at = bucket_room(agenda, far ? &agenda->far : &agenda->wheel[spoke]);
    struct slot *put = &agenda->slot[at];
    *put = *slot;
    if (far) {
        put->how = slot->how | IS_FAR;
        agenda->far_at = MIN(agenda->far_at, edge);
    } else {
        put->how = slot->how & (uint8_t)~IS_FAR;
        agenda->any[spoke / 64] |= UINT64_C(1) << spoke % 64;
    }
    return at;
}

static int32_t far_first(const struct agenda *agenda)
{
    int32_t first = INT32_MAX;
    struct walk walk = {0};
    while (walk_on(agenda, &agenda->far, &walk))
        for (; walk.at < walk.end; walk.at++)
            if (agenda->slot[walk.at].seq) first = MIN(first, edge_of(&agenda->slot[walk.at]));
    return first;
}

/* Its slot is dead from now on. */
static void slot_kill(struct agenda *agenda, uint32_t at)
{
    struct slot *slot = &agenda->slot[at];
    int32_t edge = edge_of(slot);
    bool far = slot->how & IS_FAR;
    slot->seq = 0;
    if (far) {
        agenda->far.live--;
        if (edge == agenda->far_at) agenda->far_at = far_first(agenda);
        return;
    }
    uint32_t spoke = spoke_of(edge);
    if (--agenda->wheel[spoke].live == 0) agenda->any[spoke / 64] &= ~(UINT64_C(1) << spoke % 64);
}

/* Slots at the end of a bucket can be given out again, if no line knows them. */
static void bucket_trim(struct agenda *agenda, struct bucket *bucket)
{
    if (bucket->live == 0) {
        bucket_clear(agenda, bucket);
        return;
    }
    uint32_t first = last_chunk(agenda, bucket) << agenda->shift;
    while (bucket->end - 1 > first && !agenda->slot[bucket->end - 1].seq) {
        bucket->end--;
        agenda->used--;
    }
}

/* --- owners --- */

/* What holds this slot's number: its owner's head, or another slot of the owner. */
static uint32_t *link_to(struct agenda *agenda, uint32_t who, uint32_t at)
{
    uint32_t *link = &agenda->mine[who];
    while (*link != at) link = &agenda->slot[*link].mine;
    return link;
}

/* --- the present minute --- */

static void line_add(struct agenda *agenda, uint32_t at)
{
    const struct slot *slot = &agenda->slot[at];
    struct line *line = &agenda->line[priority_of(slot)];
    if (line->count == line->max) {
        line->max = MAX(line->max * 2, 16U);
        line->turn = mem_resize(line->turn, sizeof(struct turn) * line->max);
    }
    line->turn[line->count++] = (struct turn){at, slot->who};
}

static int turn_compare(const void *a, const void *b, void *slots)
{
    const struct turn *x = a, *y = b;
    const struct slot *slot = slots;
    return slot[x->slot].seq < slot[y->slot].seq ? -1 : 1;
}

static void line_sort(struct agenda *agenda, struct line *line)
{
    uint32_t i = 1;
    while (i < line->count &&
           agenda->slot[line->turn[i - 1].slot].seq < agenda->slot[line->turn[i].slot].seq)
        i++;
    if (i < line->count)
        qsort_r(line->turn, line->count, sizeof(struct turn), turn_compare, agenda->slot);
}

/* The far ones are looked through when the first of them comes within half a wheel. */
static void far_look_through(struct agenda *agenda)
{
    if (agenda->far_at - agenda->now >= WHEEL / 2) return;
    struct bucket was = agenda->far;
    agenda->far = (struct bucket){0};
    agenda->far_at = INT32_MAX;
    struct walk walk = {0};
    while (walk_on(agenda, &was, &walk)) {
        for (uint32_t at = walk.at; at < walk.end; at++) {
            struct slot slot = agenda->slot[at];
            if (!slot.seq) continue;
            agenda->slot[at].seq = 0;
            uint32_t put = slot_put(agenda, &slot); /* before the link is taken: slots may move */
            *link_to(agenda, slot.who, at) = put;
        }
    }
    was.live = 0;
    bucket_clear(agenda, &was);
}

/* Make `at` the present minute; nothing may lie between. */
static void go_to(struct agenda *agenda, int32_t at)
{
    for (int i = 0; i < PRIORITY_COUNT; i++) agenda->line[i].head = agenda->line[i].count = 0;
    bucket_clear(agenda, present(agenda));
    agenda->now = at;
    far_look_through(agenda);
    struct walk walk = {0};
    while (walk_on(agenda, present(agenda), &walk))
        for (; walk.at < walk.end; walk.at++)
            if (agenda->slot[walk.at].seq) line_add(agenda, walk.at);
    for (int i = 0; i < PRIORITY_COUNT; i++) line_sort(agenda, &agenda->line[i]);
}

/* The line whose head comes next; what was taken back meanwhile is passed over. */
static struct line *line_next(struct agenda *agenda)
{
    for (int i = 0; i < PRIORITY_COUNT; i++) {
        struct line *line = &agenda->line[i];
        while (line->head < line->count && !agenda->slot[line->turn[line->head].slot].seq)
            line->head++;
        if (line->head < line->count) return line;
    }
    return NULL;
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

/* One that is not there yet, with a new seq. */
static inline __attribute__((always_inline)) void slot_add(struct agenda *agenda,
                                                           const struct slot *slot)
{
    uint32_t at = slot_put(agenda, slot);
    agenda->slot[at].mine = agenda->mine[slot->who];
    agenda->mine[slot->who] = at;
    if (edge_of(slot) == agenda->now) line_add(agenda, at);
    agenda->count++;
}

/* `link` is what holds its number. */
static void slot_end(struct agenda *agenda, uint32_t at, uint32_t *link)
{
    *link = agenda->slot[at].mine;
    slot_kill(agenda, at);
    agenda->count--;
}

uint32_t agenda_add(struct agenda *agenda, const struct item *item)
{
    ASSERT(item->who < agenda->owners && item->priority < PRIORITY_COUNT);
    ASSERT(item->at >= agenda->now && item->at <= AT_MAX);
    bool begun = item->status == ITEM_IN_PROGRESS;
    ASSERT(begun ? item->at == agenda->now && item->minutes > 0 : item->status == ITEM_PENDING);
    agenda->seq++;
    ASSERT(agenda->seq != 0);
    struct slot slot = {.at = item->at,
                        .who = item->who,
                        .seq = agenda->seq,
                        .data = item->data,
                        .minutes = item->minutes,
                        .kind = item->kind,
                        .how = (uint8_t)(item->priority | (begun ? IN_PROGRESS : 0))};
    slot_add(agenda, &slot);
    return agenda->seq;
}

bool agenda_find_conflict(const struct agenda *agenda, uint32_t who, int32_t from, int32_t until,
                          struct item *item_out)
{
    ASSERT(who < agenda->owners);
    const struct slot *first = NULL;
    for (uint32_t at = agenda->mine[who]; at; at = agenda->slot[at].mine) {
        const struct slot *slot = &agenda->slot[at];
        if (slot->minutes == 0 || until <= slot->at || from >= slot->at + slot->minutes) continue;
        if (!first || slot->at < first->at) first = slot;
    }
    if (first) *item_out = item_of(first, status_of(first));
    return first != NULL;
}

/* Written and read back: the dead are gone. */
static void rebuild(struct agenda *agenda)
{
    struct buf bytes;
    buf_init(&bytes, SIZE_MAX);
    agenda_write(agenda, &bytes);
    struct str rest = buf_str(&bytes);
    struct agenda *fresh = agenda_read(&rest, agenda->owners);
    ASSERT(fresh);
    struct agenda was = *agenda;
    *agenda = *fresh;
    *fresh = was;
    agenda_free(fresh);
    buf_release(&bytes);
}

bool agenda_cancel(struct agenda *agenda, uint32_t who, uint32_t seq, struct item *item_out)
{
    ASSERT(who < agenda->owners);
    uint32_t *link = &agenda->mine[who];
    while (*link && agenda->slot[*link].seq != seq) link = &agenda->slot[*link].mine;
    uint32_t at = *link;
    if (!at) return false;
    const struct slot *slot = &agenda->slot[at];
    int32_t edge = edge_of(slot);
    struct bucket *bucket = slot->how & IS_FAR ? &agenda->far : &agenda->wheel[spoke_of(edge)];
    *item_out = item_of(slot, ITEM_CANCELLED);
    slot_end(agenda, at, link);
    if (edge != agenda->now) bucket_trim(agenda, bucket); /* else a line knows the slot */
    if (agenda->used / 2 > agenda->count + DEAD_MIN) rebuild(agenda);
    return true;
}

void agenda_cancel_all(struct agenda *agenda, uint32_t who)
{
    ASSERT(who < agenda->owners);
    struct item item;
    while (agenda->mine[who]) {
        bool was = agenda_cancel(agenda, who, agenda->slot[agenda->mine[who]].seq, &item);
        ASSERT(was);
    }
}

/* --- what comes next --- */

/* The first minute after the present one that has something in the wheel, or INT32_MAX. */
static int32_t wheel_next(const struct agenda *agenda)
{
    uint32_t from = spoke_of(agenda->now + 1);
    for (uint32_t step = 0; step <= WORDS; step++) {
        uint32_t word = (from / 64 + step) % WORDS;
        uint64_t bits = agenda->any[word];
        if (step == 0) bits &= UINT64_MAX << from % 64;
        if (step == WORDS) bits &= ~(UINT64_MAX << from % 64);
        if (!bits) continue;
        uint32_t spoke = word * 64 + (uint32_t)__builtin_ctzll(bits);
        return agenda->now + 1 + (int32_t)((spoke - from) % WHEEL);
    }
    return INT32_MAX;
}

int32_t agenda_next_at(const struct agenda *agenda)
{
    if (agenda->wheel[spoke_of(agenda->now)].live) return agenda->now;
    return MIN(wheel_next(agenda), agenda->far_at);
}

bool agenda_pop(struct agenda *agenda, int32_t until, struct item *item_out)
{
    ASSERT(until >= agenda->now);
    while (!present(agenda)->live) {
        int32_t next = agenda_next_at(agenda);
        go_to(agenda, MIN(next, until));
        if (next > until) return false;
    }
    struct line *line = line_next(agenda);
    ASSERT(line);
    uint32_t at = line->turn[line->head++].slot;
    if (line->head + FETCH_AHEAD < line->count)
        __builtin_prefetch(&agenda->mine[line->turn[line->head + FETCH_AHEAD].who], 1);
    struct slot slot = agenda->slot[at];
    bool starts = slot.minutes > 0 && !(slot.how & IN_PROGRESS);
    *item_out = item_of(&slot, starts ? ITEM_IN_PROGRESS : ITEM_COMPLETED);
    if (!starts) {
        slot_end(agenda, at, link_to(agenda, slot.who, at));
        return true;
    }
    slot_kill(agenda, at);
    slot.how |= IN_PROGRESS;
    uint32_t end = slot_put(agenda, &slot);
    *link_to(agenda, slot.who, at) = end;
    return true;
}

uint32_t agenda_ahead(const struct agenda *agenda, int steps)
{
    for (int i = 0; i < PRIORITY_COUNT; i++) {
        const struct line *line = &agenda->line[i];
        uint32_t at = line->head + (uint32_t)steps - 1;
        if (line->head < line->count) return at < line->count ? line->turn[at].who : NO_OWNER;
    }
    return NO_OWNER;
}

/* --- walks --- */

void agenda_each_of(const struct agenda *agenda, uint32_t who, agenda_visit *visit, void *ctx)
{
    ASSERT(who < agenda->owners);
    for (uint32_t at = agenda->mine[who]; at; at = agenda->slot[at].mine) {
        struct item item = item_of(&agenda->slot[at], status_of(&agenda->slot[at]));
        if (!visit(&item, ctx)) return;
    }
}

static int by_edge(const void *a, const void *b)
{
    const struct slot *x = a, *y = b;
    if (edge_of(x) != edge_of(y)) return edge_of(x) < edge_of(y) ? -1 : 1;
    if (priority_of(x) != priority_of(y)) return priority_of(x) < priority_of(y) ? -1 : 1;
    return x->seq < y->seq ? -1 : 1;
}

static int by_seq(const void *a, const void *b)
{
    const struct slot *x = a, *y = b;
    return x->seq < y->seq ? -1 : 1;
}

/* A copy of all that live; freed by the caller. */
static struct slot *living(const struct agenda *agenda, int (*compare)(const void *, const void *))
{
    struct slot *slots = mem_alloc(sizeof(struct slot) * agenda->count);
    uint32_t count = 0;
    for (size_t at = 0; at < (size_t)agenda->chunks << agenda->shift; at++)
        if (agenda->slot[at].seq) slots[count++] = agenda->slot[at];
    ASSERT(count == agenda->count);
    qsort(slots, count, sizeof(struct slot), compare);
    return slots;
}

void agenda_each(const struct agenda *agenda, int32_t from, int32_t until, agenda_visit *visit,
                 void *ctx)
{
    struct slot *slots = living(agenda, by_edge);
    for (uint32_t i = 0; i < agenda->count; i++) {
        if (edge_of(&slots[i]) < from) continue;
        struct item item = item_of(&slots[i], status_of(&slots[i]));
        if (edge_of(&slots[i]) >= until || !visit(&item, ctx)) break;
    }
    mem_free(slots);
}

/* --- checkpoints --- */

/* Which slots and chunks there are is not part of it: equal agendas are equal bytes. */
struct written {
    int32_t now;
    uint32_t count, seq;
};

void agenda_write(const struct agenda *agenda, struct buf *buf)
{
    struct written head = {agenda->now, agenda->count, agenda->seq};
    buf_add(buf, &head, sizeof(head));
    struct slot *slots = living(agenda, by_seq);
    for (uint32_t i = 0; i < agenda->count; i++) {
        slots[i].mine = 0;
        slots[i].how &= (uint8_t)~IS_FAR;
    }
    if (agenda->count) buf_add(buf, slots, sizeof(struct slot) * agenda->count);
    mem_free(slots);
}

static bool slot_fits(const struct agenda *agenda, const struct slot *slot, uint32_t after_seq)
{
    return slot->at >= 0 && slot->at <= AT_MAX && edge_of(slot) >= agenda->now &&
           slot->who < agenda->owners && slot->seq > after_seq && slot->seq <= agenda->seq &&
           slot->mine == 0 && (slot->how & ~IN_PROGRESS) < PRIORITY_COUNT &&
           (slot->minutes > 0 || !(slot->how & IN_PROGRESS));
}

struct agenda *agenda_read(struct str *bytes, uint32_t owners)
{
    struct written head;
    if (!bytes_take(bytes, &head, sizeof(head)) || head.now < 0 || head.now > AT_MAX) return NULL;
    struct agenda *agenda = agenda_new(owners, head.now);
    agenda->seq = head.seq;
    struct slot slot = {0};
    for (uint32_t i = 0; i < head.count; i++) {
        uint32_t after_seq = slot.seq;
        if (!bytes_take(bytes, &slot, sizeof(slot)) || !slot_fits(agenda, &slot, after_seq)) {
            agenda_free(agenda);
            return NULL;
        }
        slot_add(agenda, &slot);
    }
    return agenda;
}

size_t agenda_bytes(const struct agenda *agenda)
{
    size_t bytes = sizeof(*agenda) + sizeof(uint32_t) * agenda->owners_room;
    bytes += (sizeof(uint32_t) + (sizeof(struct slot) << agenda->shift)) * agenda->chunks;
    for (int i = 0; i < PRIORITY_COUNT; i++) bytes += sizeof(struct turn) * agenda->line[i].max;
    return bytes;
}

/* How many slots it has given out; asserts that the living ones belong here. */
static uint32_t bucket_check(const struct agenda *agenda, const struct bucket *bucket, int32_t edge)
{
    uint32_t used = 0, live = 0;
    struct walk walk = {0};
    while (walk_on(agenda, bucket, &walk)) {
        used += walk.end - walk.at;
        for (; walk.at < walk.end; walk.at++) {
            const struct slot *slot = &agenda->slot[walk.at];
            if (!slot->seq) continue;
            live++;
            ASSERT(!(slot->how & IS_FAR) == (edge != INT32_MAX));
            ASSERT(edge == INT32_MAX ? edge_of(slot) >= agenda->far_at : edge_of(slot) == edge);
        }
    }
    ASSERT(live == bucket->live);
    return used;
}

static void line_check(const struct agenda *agenda, const struct line *line)
{
    uint32_t before = 0;
    for (uint32_t i = line->head; i < line->count; i++) {
        const struct slot *slot = &agenda->slot[line->turn[i].slot];
        if (!slot->seq) continue;
        ASSERT(slot->who == line->turn[i].who && edge_of(slot) == agenda->now);
        ASSERT(&agenda->line[priority_of(slot)] == line && slot->seq > before);
        before = slot->seq;
    }
}

void agenda_check(const struct agenda *agenda)
{
    uint32_t used = bucket_check(agenda, &agenda->far, INT32_MAX), live = agenda->far.live;
    ASSERT((live > 0) == (agenda->far_at != INT32_MAX));
    for (uint32_t spoke = 0; spoke < WHEEL; spoke++) {
        const struct bucket *bucket = &agenda->wheel[spoke];
        ASSERT(!bucket->live == !(agenda->any[spoke / 64] >> spoke % 64 & 1));
        int32_t edge = agenda->now + (int32_t)((spoke - spoke_of(agenda->now)) % WHEEL);
        used += bucket_check(agenda, bucket, edge);
        live += bucket->live;
    }
    ASSERT(used == agenda->used && live == agenda->count);
    for (int i = 0; i < PRIORITY_COUNT; i++) line_check(agenda, &agenda->line[i]);
    uint32_t owned = 0;
    for (uint32_t who = 0; who < agenda->owners; who++) {
        uint32_t after = UINT32_MAX;
        for (uint32_t at = agenda->mine[who]; at; at = agenda->slot[at].mine) {
            ASSERT(agenda->slot[at].who == who && agenda->slot[at].seq < after);
            after = agenda->slot[at].seq;
            owned++;
        }
    }
    ASSERT(owned == live);
}
