/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "townhall/extras.h"

#include "base/mem.h"

/* --- names --- */

static const char *const given[2][24] = {
    {"Anna", "Bella", "Clara", "Dora", "Emma", "Fatima", "Grace", "Hana",
     "Ines", "Julia", "Kira",  "Lena", "Mara", "Nadia",  "Olga",  "Paula",
     "Rosa", "Sofia", "Tara",  "Ulla", "Vera", "Wanda",  "Yuki",  "Zoe"},
    {"Adam", "Boris", "Carl",  "David", "Emil",   "Felix", "Georg", "Hugo",
     "Ivan", "Jonas", "Karim", "Leo",   "Marco",  "Nils",  "Oscar", "Pedro",
     "Ravi", "Simon", "Tomas", "Umar",  "Victor", "Wei",   "Yusuf", "Zeno"},
};
static const char *const family[] = {
    "Abel",   "Berg",   "Costa",  "Dahl",   "Ebner",  "Fischer", "Grant",  "Haas",
    "Ito",    "Jansen", "Keller", "Lang",   "Moreau", "Novak",   "Okafor", "Park",
    "Quist",  "Rossi",  "Silva",  "Tanaka", "Unger",  "Varga",   "Weber",  "Xu",
    "Yilmaz", "Zimmer", "Brandt", "Chen",   "Duarte", "Fekete",  "Holm",
};

/* Numbers that are near have different names of both kinds; from 744 of a gender on they return
 * with a number. */
static struct str name_of(struct arena *arena, uint32_t who, bool second)
{
    uint32_t names = COUNT_OF(given[0]), families = COUNT_OF(family);
    uint32_t round = who / (names * families);
    const char *first = given[second][who % names], *last = family[who % families];
    if (round == 0) return arena_printf(arena, "%s %s", first, last);
    return arena_printf(arena, "%s %s %u", first, last, round + 1);
}

static const char *const jobs[JOB_COUNT] = {
    [JOB_NONE] = "without work", [JOB_OFFICE] = "office worker", [JOB_SHOP] = "shop assistant",
    [JOB_CAFE] = "waiter",       [JOB_TEACHER] = "teacher",      [JOB_STUDENT] = "student",
    [JOB_DOCTOR] = "doctor",     [JOB_CLERK] = "clerk",          [JOB_ARTIST] = "artist",
    [JOB_RETIRED] = "retired",
};

static const char *const low_high[TRAIT_COUNT][2] = {
    [OPENNESS] = {"down-to-earth", "curious"},  [CONSCIENTIOUSNESS] = {"careless", "orderly"},
    [EXTRAVERSION] = {"reserved", "outgoing"},  [AGREEABLENESS] = {"blunt", "kind"},
    [NEUROTICISM] = {"calm", "easily worried"},
};

enum { MARKED = 25, VERY = 60, TRAITS_BYTES = 256 };

static struct str traits_of(struct arena *arena, const struct resident *resident)
{
    struct buf words;
    buf_init(&words, TRAITS_BYTES);
    for (int i = 0; i < TRAIT_COUNT; i++) {
        int value = resident->trait[i], size = value < 0 ? -value : value;
        if (size < MARKED) continue;
        buf_printf(&words, "%s%s%s", words.len ? ", " : "", size >= VERY ? "very " : "",
                   low_high[i][value > 0]);
    }
    struct str text = words.len ? arena_copy(arena, buf_str(&words)) : STR("even-tempered");
    buf_release(&words);
    return text;
}

/* --- places --- */

static const char *const kinds[PLACE_KIND_COUNT] = {
    [PLACE_PUBLIC] = "square",    [PLACE_COMMERCIAL] = "shop", [PLACE_RESIDENTIAL] = "house",
    [PLACE_WORKPLACE] = "office", [PLACE_MEDICAL] = "clinic",  [PLACE_GOVERNMENT] = "town hall",
    [PLACE_EDUCATION] = "school", [PLACE_RECREATION] = "park",
};

static void name_places(struct extras *extras, const struct places *places, uint32_t first)
{
    uint32_t counted[PLACE_KIND_COUNT] = {0};
    for (uint32_t i = 0; i < places->count; i++) {
        uint8_t kind = places->place[i].kind;
        extras->places[first + i] = (struct location){
            .name = arena_printf(&extras->cast.arena, "%s %u", kinds[kind], ++counted[kind])};
    }
}

/* --- all of them --- */

static struct str life_of(struct arena *arena, const struct cast *scene,
                          const struct resident *resident)
{
    struct str home = place_name(scene, resident->home), work = place_name(scene, resident->work);
    if (work.len == 0 || resident->work == resident->home)
        return arena_printf(arena, "You live in %.*s.", STR_ARGS(home));
    return arena_printf(arena, "You live in %.*s; your days are spent at %.*s.", STR_ARGS(home),
                        STR_ARGS(work));
}

static void make_player(struct extras *extras, const struct town *town, uint32_t who)
{
    const struct resident *resident = town_resident(town, who);
    const struct cast *scene = extras_scene(extras, town_quarter_of(town, who));
    struct arena *arena = &extras->cast.arena;
    extras->cast.players[who] = (struct player){.username = STR(""),
                                                .name = name_of(arena, who, resident->gender != 0),
                                                .bio = life_of(arena, scene, resident),
                                                .occupation = str_of(jobs[resident->job]),
                                                .traits = traits_of(arena, resident),
                                                .style = STR(""),
                                                .goals = STR(""),
                                                .routine = STR(""),
                                                .age = resident->age};
}

void extras_make(struct extras *extras, const struct town *town)
{
    uint32_t count = town_resident_count(town), places = 0;
    *extras = (struct extras){.quarters = town_quarter_of(town, count - 1) + 1};
    extras->first = mem_alloc(sizeof(*extras->first) * (extras->quarters + 1));
    for (uint32_t i = 0; i < extras->quarters; i++) {
        extras->first[i] = places;
        places += town_places(town, i)->count;
    }
    extras->first[extras->quarters] = places;
    extras->places = mem_alloc(sizeof(*extras->places) * places);
    for (uint32_t i = 0; i < extras->quarters; i++)
        name_places(extras, town_places(town, i), extras->first[i]);
    extras->cast.players = mem_alloc(sizeof(*extras->cast.players) * count);
    extras->cast.count = extras->cast.room = count;
    for (uint32_t who = 0; who < count; who++) make_player(extras, town, who);
}

const struct cast *extras_scene(struct extras *extras, uint32_t quarter)
{
    ASSERT(quarter < extras->quarters);
    extras->cast.locations = extras->places + extras->first[quarter];
    extras->cast.location_count = extras->first[quarter + 1] - extras->first[quarter];
    return &extras->cast;
}

void extras_release(struct extras *extras)
{
    extras->cast.locations = NULL; /* a part of `places` */
    cast_release(&extras->cast);
    mem_free(extras->places);
    mem_free(extras->first);
    *extras = (struct extras){0};
}
