/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * town/place.h: the places of a quarter, who is in them, and how far it is between.
 *
 * A place is a rectangle on the map with opening hours and a number of seats;
 * who is inside sits on one, so "who is here" is a short run of numbers. A
 * dweller's own seat at home is kept for it: nobody comes home to a full house.
 *
 * The map is measured in the original's units; one walks five of them a minute.
 * Coordinates are whole tenths of a unit.
 */
#pragma once

#include "town/gametime.h"

enum place_kind {
    PLACE_PUBLIC,
    PLACE_COMMERCIAL,
    PLACE_RESIDENTIAL,
    PLACE_WORKPLACE,
    PLACE_MEDICAL,
    PLACE_GOVERNMENT,
    PLACE_EDUCATION,
    PLACE_RECREATION,
    PLACE_KIND_COUNT
};
const char *place_kind_name(enum place_kind kind); /* "public" */
/* False: no such word. */
bool place_kind_find(struct str name, enum place_kind *kind_out);

enum {
    UNIT = 10, /* tenths: coordinates are in these */
    WALK_UNITS_PER_MINUTE = 5,
    NOWHERE = UINT16_MAX, /* no place: on the way */
    PLACES_MAX = UINT16_MAX - 1,
    SEATS_MAX = 4096,
};

struct place {
    uint32_t id;  /* the caller's: a row of `locations` */
    int32_t x, y; /* top left corner, tenths of a unit */
    int32_t width, height;
    uint32_t seats_at;            /* where its run of seats begins */
    uint16_t seats;               /* capacity */
    uint16_t here;                /* how many are inside */
    uint16_t kept;                /* seats kept for dwellers who are out */
    uint16_t open_min, close_min; /* minutes of the day; 0 and 1440: always */
    uint8_t kind;                 /* enum place_kind */
    uint8_t indoor;
};
static_assert(sizeof(struct place) == 36, "written to checkpoints as it stands");

struct places {
    struct place *place; /* owned */
    uint32_t *seat;      /* owned; every place's run, one after the other */
    uint32_t count, seat_count;
    /* Their numbers by kind. Made anew, not written. */
    uint32_t kind_from[PLACE_KIND_COUNT + 1];
    uint16_t *of_kind; /* owned */
};

/* Copies `drafts`: their x … indoor, `seats` included; not who is there. 1 to PLACES_MAX. */
void places_init(struct places *places, const struct place *drafts, uint32_t count);
void places_release(struct places *places);
/* Make the lists by kind, after `place` was read from a checkpoint. */
void places_index(struct places *places);

/* A span that crosses midnight, 18:00 to 2:00, is one too. */
bool place_is_open(const struct place *place, int32_t at);
void place_centre(const struct place *place, int32_t *x_out, int32_t *y_out);
/* Between centres, tenths of a unit, rounded down. */
int32_t place_distance(const struct place *a, const struct place *b);
/* At walking speed, at least a minute. */
int walk_minutes(int32_t distance);

/* Why one cannot go in. */
enum entry { ENTRY_FINE, ENTRY_CLOSED, ENTRY_FULL };
/* A dweller comes in at any hour and always finds a seat. */
enum entry place_entry(const struct place *place, int32_t at, bool dweller);
/* The seat. Only after place_entry() said so. */
uint16_t place_enter(struct places *places, uint16_t place, uint32_t who, bool dweller);
/* Who moves to the freed seat (then the one who sat last), or UINT32_MAX. */
uint32_t place_leave(struct places *places, uint16_t place, uint16_t seat, bool dweller);
/* One more lives here and is out: a seat that is free now is kept for it. */
void place_keep_seat(struct places *places, uint16_t place);
/* One that is out lives here no more. */
void place_drop_seat(struct places *places, uint16_t place);
/* Make room for one more dweller, if there is none. False: it has SEATS_MAX already. */
MUST_USE bool place_make_room(struct places *places, uint16_t place);

static inline uint32_t place_sitting(const struct places *places, const struct place *place,
                                     uint32_t seat)
{
    ASSERT(seat < place->here);
    return places->seat[place->seats_at + seat];
}

/* How many of a kind there are, and one of them. */
static inline uint32_t places_of_kind(const struct places *places, enum place_kind kind)
{
    return places->kind_from[kind + 1] - places->kind_from[kind];
}
static inline uint16_t places_nth_of_kind(const struct places *places, enum place_kind kind,
                                          uint32_t n)
{
    ASSERT(n < places_of_kind(places, kind));
    return places->of_kind[places->kind_from[kind] + n];
}
/* Where in its place somebody on that seat is: seats are spread evenly (the R2 sequence of
 * Roberts 2018, in whole numbers). */
void place_spot(const struct place *place, uint32_t seat, int32_t *x_out, int32_t *y_out);

/* Between two points, tenths of a unit, rounded down. */
int32_t distance_between(int32_t ax, int32_t ay, int32_t bx, int32_t by);

void places_check(const struct places *places);
