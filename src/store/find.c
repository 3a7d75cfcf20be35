/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "store/find.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/utf8.h"

enum {
    WORDS_MAX = 16,
    PAGE_ROWS = 500,
    PLACE_ROWS_MIN = 500, /* of each place, however many there are */
    PLACES_MAX = 10 * 1000,
};

/* A conversation or a group, and what its hits say of it. */
struct place {
    uint64_t last; /* its newest message */
    struct user_brief partner;
    struct group_id group;
    struct str name;
};

struct hit {
    uint64_t id;
    const struct place *place;
};

struct finding {
    struct db *db;
    struct arena *arena;
    const struct find_query *query;
    struct str words[WORDS_MAX];
    size_t word_count;
    struct place *places; /* in the arena */
    size_t place_count, place_room;
    /* The newest so far, in order, and from where on nothing has been missed. */
    struct hit hits[FIND_HITS_MAX];
    size_t hit_count;
    uint64_t floor;
    /* Of the page that is read. */
    const struct place *place;
    size_t rows;
    uint64_t last;
    struct buf folded;
};

/* --- words --- */

static void fold(struct buf *to, struct str text)
{
    while (text.len > 0) {
        char bytes[UTF8_POINT_BYTES];
        uint32_t point = utf8_next(&text);
        if (point == 0x3000) point = ' '; /* the blank of Chinese keyboards */
        buf_add(to, bytes, utf8_put_lower(bytes, point));
    }
}

static void read_words(struct finding *finding)
{
    struct str rest = finding->query->text;
    buf_reset(&finding->folded, LIMIT_JSON_BYTES);
    fold(&finding->folded, rest);
    rest = arena_copy(finding->arena, buf_str(&finding->folded));
    struct str word;
    while (finding->word_count < WORDS_MAX && str_split(&rest, ' ', &word)) {
        if (word.len > 0) finding->words[finding->word_count++] = word;
    }
}

static bool has_words(struct finding *finding, struct str content)
{
    buf_reset(&finding->folded, LIMIT_JSON_BYTES);
    fold(&finding->folded, content);
    struct str folded = buf_str(&finding->folded);
    for (size_t i = 0; i < finding->word_count; i++) {
        if (str_find(folded, finding->words[i]) == folded.len) return false;
    }
    return true;
}

/* --- places --- */

static struct place *new_place(struct finding *finding)
{
    if (finding->place_count == finding->place_room) {
        size_t room = MAX(finding->place_room * 2, (size_t)64);
        struct place *more = ARENA_ARRAY(finding->arena, struct place, room);
        if (finding->place_count > 0) {
            memcpy(more, finding->places, finding->place_count * sizeof(*more));
        }
        finding->places = more;
        finding->place_room = room;
    }
    struct place *place = &finding->places[finding->place_count++];
    *place = (struct place){0};
    return place;
}

static void note_conversation(void *ctx, const struct conversation *conversation)
{
    struct finding *finding = ctx;
    struct place *place = new_place(finding);
    place->last = finding->last = conversation->last_id.value;
    place->partner = conversation->partner;
    user_brief_keep(finding->arena, &place->partner);
    finding->rows++;
}

static void note_group(void *ctx, const struct group *group)
{
    struct finding *finding = ctx;
    struct place *place = new_place(finding);
    place->last = group->last_id.value;
    place->group = group->id;
    place->name = arena_copy(finding->arena, group->name);
    finding->last = group->id.value;
    finding->rows++;
}

static enum err list_places(struct finding *finding, bool groups, struct why *why)
{
    struct user_id reader = finding->query->reader;
    enum err err;
    finding->last = 0;
    do {
        finding->rows = 0;
        err = groups ? groups_list(finding->db, reader, finding->last, PAGE_ROWS, note_group,
                                   finding, why)
                     : conversations_list(finding->db, reader, finding->last, PAGE_ROWS,
                                          note_conversation, finding, why);
    } while (!err && finding->rows == PAGE_ROWS && finding->place_count < PLACES_MAX);
    return err;
}

static int by_newest(const void *a, const void *b)
{
    uint64_t one = ((const struct place *)a)->last, other = ((const struct place *)b)->last;
    return (one < other) - (one > other);
}

static enum err read_places(struct finding *finding, struct why *why)
{
    const struct find_query *query = finding->query;
    enum err err = OK;
    if (query->group.value) {
        struct group group;
        err = groups_load(finding->db, finding->arena, query->group, query->reader, &group, why);
        if (!err) note_group(finding, &group);
    } else if (query->with.value) {
        struct user user;
        err = users_load(finding->db, finding->arena, query->with, &user, why);
        if (!err) new_place(finding)->partner = user.brief;
    } else {
        err = list_places(finding, false, why);
        if (!err) err = list_places(finding, true, why);
    }
    if (finding->place_count == 1) finding->places[0].last = INT64_MAX;
    if (!err && finding->place_count > 1) {
        qsort(finding->places, finding->place_count, sizeof(*finding->places), by_newest);
    }
    return err;
}

/* --- looking --- */

/* The oldest id that can still be among the hits. */
static uint64_t oldest_wanted(const struct finding *finding)
{
    bool full = finding->hit_count == finding->query->limit;
    uint64_t oldest = full ? finding->hits[finding->hit_count - 1].id : 0;
    return MAX(oldest, finding->floor);
}

static void add_hit(struct finding *finding, uint64_t id)
{
    if (finding->hit_count == finding->query->limit) finding->hit_count--;
    size_t at = finding->hit_count++;
    for (; at > 0 && finding->hits[at - 1].id < id; at--) finding->hits[at] = finding->hits[at - 1];
    finding->hits[at] = (struct hit){id, finding->place};
}

static void look_at(void *ctx, const struct message *message)
{
    struct finding *finding = ctx;
    finding->rows++;
    finding->last = message->id.value;
    if (finding->last < oldest_wanted(finding)) return;
    if (has_words(finding, message->content)) add_hit(finding, finding->last);
}

static enum err look_in(struct finding *finding, const struct place *place, size_t rows_max,
                        struct why *why)
{
    const struct find_query *query = finding->query;
    struct messages_query page = {.reader = query->reader,
                                  .partner = place->partner.id,
                                  .group = place->group,
                                  .before = query->before ? query->before : INT64_MAX,
                                  .limit = PAGE_ROWS};
    finding->place = place;
    for (size_t seen = 0;; seen += finding->rows) {
        finding->rows = 0;
        enum err err = messages_list(finding->db, &page, look_at, finding, why);
        if (err || finding->rows < PAGE_ROWS) return err;
        if (finding->last <= oldest_wanted(finding)) return OK;
        page.before = finding->last;
        if (seen + finding->rows < rows_max) continue;
        /* Enough for now: below this one hits may be missing, so none are shown. */
        finding->floor = finding->last;
        return OK;
    }
}

static enum err look(struct finding *finding, struct why *why)
{
    size_t each_max = FIND_MESSAGES_MAX / MAX(finding->place_count, (size_t)1);
    enum err err = OK;
    for (size_t i = 0; i < finding->place_count && !err; i++) {
        const struct place *place = &finding->places[i];
        if (place->last < oldest_wanted(finding)) break; /* and so are those behind it */
        err = look_in(finding, place, MAX(each_max, (size_t)PLACE_ROWS_MIN), why);
    }
    while (finding->hit_count > 0 && finding->hits[finding->hit_count - 1].id < finding->floor) {
        finding->hit_count--;
    }
    return err;
}

static enum err tell(struct finding *finding, find_each *each, void *ctx, struct why *why)
{
    for (size_t i = 0; i < finding->hit_count; i++) {
        const struct hit *at = &finding->hits[i];
        struct find_hit hit = {.partner = at->place->partner, .group_name = at->place->name};
        enum err err = messages_load(finding->db, finding->arena, (struct message_id){at->id},
                                     &hit.message, why);
        if (err == ERR_NOT_FOUND) continue; /* deleted a moment ago */
        if (err) return err;
        each(ctx, &hit);
    }
    return OK;
}

enum err messages_find(struct db *db, struct arena *arena, const struct find_query *query,
                       find_each *each, void *ctx, uint64_t *next_out, struct why *why)
{
    struct finding *finding = ARENA_NEW(arena, struct finding);
    *finding = (struct finding){.db = db, .arena = arena, .query = query};
    ASSERT(query->limit > 0 && query->limit <= FIND_HITS_MAX);
    *next_out = 0;
    buf_init(&finding->folded, LIMIT_JSON_BYTES);
    read_words(finding);
    enum err err = OK;
    if (finding->word_count > 0) {
        err = read_places(finding, why);
        if (!err) err = look(finding, why);
        *next_out = finding->hit_count == query->limit ? finding->hits[query->limit - 1].id
                                                       : finding->floor;
        if (!err) err = tell(finding, each, ctx, why);
    }
    buf_release(&finding->folded);
    return err;
}
