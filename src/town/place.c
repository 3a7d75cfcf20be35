/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "town/place.h"

#include "base/mem.h"

static const char *const kind_names[PLACE_KIND_COUNT] = {"public",    "commercial", "residential",
                                                         "workplace", "medical",    "government",
                                                         "education", "recreation"};

const char *place_kind_name(enum place_kind kind)
{
    return kind_names[kind];
}

bool place_kind_find(struct str name, enum place_kind *kind_out)
{
    for (int i = 0; i < PLACE_KIND_COUNT; i++) {
        if (!str_eq(name, str_of(kind_names[i]))) continue;
        *kind_out = (enum place_kind)i;
        return true;
    }
    return false;
}

void places_index(struct places *places)
{
    places->of_kind = mem_alloc(sizeof(uint16_t) * places->count);
    uint32_t at = 0;
    for (int kind = 0; kind < PLACE_KIND_COUNT; kind++) {
        places->kind_from[kind] = at;
        for (uint32_t i = 0; i < places->count; i++)
            if (places->place[i].kind == kind) places->of_kind[at++] = (uint16_t)i;
    }
    places->kind_from[PLACE_KIND_COUNT] = at;
}

void places_init(struct places *places, const struct place *drafts, uint32_t count)
{
    ASSERT(count > 0 && count <= PLACES_MAX);
    *places = (struct places){.count = count};
    places->place = mem_alloc(sizeof(struct place) * count);
    for (uint32_t i = 0; i < count; i++) {
        struct place *place = &places->place[i];
        *place = drafts[i];
        ASSERT(place->kind < PLACE_KIND_COUNT && place->seats > 0 && place->seats <= SEATS_MAX);
        ASSERT(place->open_min <= MINUTES_PER_DAY && place->close_min <= MINUTES_PER_DAY);
        place->here = place->kept = 0;
        place->seats_at = places->seat_count;
        places->seat_count += place->seats;
    }
    places->seat = mem_alloc(sizeof(uint32_t) * places->seat_count);
    places_index(places);
}

void places_release(struct places *places)
{
    mem_free(places->place);
    mem_free(places->seat);
    mem_free(places->of_kind);
    *places = (struct places){0};
}

/* --- hours and distances --- */

bool place_is_open(const struct place *place, int32_t at)
{
    if (place->open_min == 0 && place->close_min == MINUTES_PER_DAY) return true;
    int now = minute_of_day(at);
    if (place->open_min < place->close_min) return now >= place->open_min && now < place->close_min;
    return now >= place->open_min || now < place->close_min;
}

void place_centre(const struct place *place, int32_t *x_out, int32_t *y_out)
{
    *x_out = place->x + place->width / 2;
    *y_out = place->y + place->height / 2;
}

/* The whole part of the square root. Where the machine's guess is rounded to does not matter. */
static uint32_t square_root(uint64_t of)
{
    uint64_t root = (uint64_t)__builtin_sqrt((double)of);
    while (root * root > of) root--;
    while ((root + 1) * (root + 1) <= of) root++;
    return (uint32_t)root;
}

int32_t distance_between(int32_t ax, int32_t ay, int32_t bx, int32_t by)
{
    int64_t dx = (int64_t)ax - bx, dy = (int64_t)ay - by;
    return (int32_t)square_root((uint64_t)(dx * dx + dy * dy));
}

int32_t place_distance(const struct place *a, const struct place *b)
{
    int32_t ax, ay, bx, by;
    place_centre(a, &ax, &ay);
    place_centre(b, &bx, &by);
    return distance_between(ax, ay, bx, by);
}

void place_spot(const struct place *place, uint32_t seat, int32_t *x_out, int32_t *y_out)
{
    /* Fractions of 2^32: 1/p and 1/p² with p³ = p + 1. */
    uint32_t along = UINT32_C(3242174889) * (seat + 1), across = UINT32_C(2447445414) * (seat + 1);
    *x_out = place->x + (int32_t)((uint64_t)place->width * along >> 32);
    *y_out = place->y + (int32_t)((uint64_t)place->height * across >> 32);
}

int walk_minutes(int32_t distance)
{
    return MAX(distance / (UNIT * WALK_UNITS_PER_MINUTE), 1);
}

/* --- going in and out --- */

enum entry place_entry(const struct place *place, int32_t at, bool dweller)
{
    if (dweller) return ENTRY_FINE;
    if (!place_is_open(place, at)) return ENTRY_CLOSED;
    return place->here + place->kept < place->seats ? ENTRY_FINE : ENTRY_FULL;
}

uint16_t place_enter(struct places *places, uint16_t number, uint32_t who, bool dweller)
{
    struct place *place = &places->place[number];
    ASSERT(place->here < place->seats);
    if (dweller) {
        ASSERT(place->kept > 0);
        place->kept--;
    }
    places->seat[place->seats_at + place->here] = who;
    return place->here++;
}

uint32_t place_leave(struct places *places, uint16_t number, uint16_t seat, bool dweller)
{
    struct place *place = &places->place[number];
    ASSERT(seat < place->here);
    uint32_t *seats = &places->seat[place->seats_at];
    if (dweller) place->kept++;
    uint16_t last = --place->here;
    uint32_t moved = seats[last];
    seats[last] = 0;
    if (seat == last) return UINT32_MAX;
    seats[seat] = moved;
    return moved;
}

void place_keep_seat(struct places *places, uint16_t number)
{
    struct place *place = &places->place[number];
    ASSERT(place->here + place->kept < place->seats);
    place->kept++;
}

void place_drop_seat(struct places *places, uint16_t number)
{
    struct place *place = &places->place[number];
    ASSERT(place->kept > 0);
    place->kept--;
}

bool place_make_room(struct places *places, uint16_t number)
{
    struct place *place = &places->place[number];
    if (place->here + place->kept < place->seats) return true;
    if (place->seats >= SEATS_MAX) return false;
    /* By half, so that a house that grows by one again and again is not moved each time. */
    uint32_t more = MIN(MAX(place->seats / 2, 1), SEATS_MAX - place->seats);
    uint32_t behind = place->seats_at + place->seats, count = places->seat_count;
    places->seat = mem_resize(places->seat, sizeof(uint32_t) * (count + more));
    memmove(places->seat + behind + more, places->seat + behind,
            sizeof(uint32_t) * (count - behind));
    memset(places->seat + behind, 0, sizeof(uint32_t) * more);
    place->seats = (uint16_t)(place->seats + more);
    places->seat_count += more;
    for (uint32_t i = number + 1U; i < places->count; i++) places->place[i].seats_at += more;
    return true;
}

void places_check(const struct places *places)
{
    uint32_t seats = 0;
    for (uint32_t i = 0; i < places->count; i++) {
        const struct place *place = &places->place[i];
        ASSERT(place->seats_at == seats && place->here + place->kept <= place->seats);
        seats += place->seats;
    }
    ASSERT(seats == places->seat_count);
}
