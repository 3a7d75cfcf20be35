/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * townhall/cast.c: residents and places of the community, as drafts of a town.
 *
 * What a profile says counts: the original's JSON in `bio` (description,
 * occupation, age, speaking_style, daily_routine …) and words of `personality`.
 * What it leaves open is drawn from the town's seed. A home is the residential
 * place that has the resident's name in its own, else one is shared out.
 */
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "town/populate.h"
#include "townhall/internal.h"
#include "townhall/routine.h"

enum { LOCATIONS_MAX = 5000, SEATS = 100, GUESTS = 4, NAMES_S = 2 /* a name is good for */ };

/* --- reading --- */

bool text_is_chinese(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.at[i];
        if (byte >= 0xe4 && byte <= 0xe9) return true; /* U+4000 to U+9FFF */
    }
    return false;
}

static struct str text_of(struct arena *arena, const struct json *profile, const char *name)
{
    struct str text;
    return json_as_str(json_get(profile, name), &text) ? arena_copy(arena, text) : STR("");
}

enum { ROUTINE_BYTES = 4096, ROUTINE_DEPTH = 3 };

/* Texts and tables of whatever depth, as lines "name: text", whoever wrote the profile. */
static void add_lines(struct buf *to, const struct json *value, int depth)
{
    struct str text;
    if (json_as_str(value, &text)) {
        buf_add_str(to, text);
        buf_add_byte(to, '\n');
        return;
    }
    enum json_kind kind = json_kind(value);
    if (depth == ROUTINE_DEPTH || (kind != JSON_OBJECT && kind != JSON_ARRAY)) return;
    /* {"time": "7:00", "activity": "起床"} is one line. */
    struct str time, activity;
    if (json_as_str(json_get(value, "time"), &time) &&
        json_as_str(json_get(value, "activity"), &activity)) {
        buf_printf(to, "%.*s %.*s\n", STR_ARGS(time), STR_ARGS(activity));
        return;
    }
    for (const struct json *at = json_first(value); at; at = json_after(at)) {
        if (kind == JSON_OBJECT) buf_printf(to, "%s: ", json_name(at));
        add_lines(to, at, depth + 1);
    }
}

static struct str lines_of(struct arena *arena, const struct json *value)
{
    struct buf lines;
    buf_init(&lines, ROUTINE_BYTES);
    if (value) add_lines(&lines, value, 0);
    struct str text = lines.failed ? STR("") : arena_copy(arena, str_trim(buf_str(&lines)));
    buf_release(&lines);
    return text;
}

/* "a; b" of a list of texts, or one. */
static struct str goals_of(struct arena *arena, const struct json *value)
{
    struct str text, goals = STR("");
    if (json_as_str(value, &text)) return arena_copy(arena, text);
    for (const struct json *at = json_first(value); at; at = json_after(at)) {
        if (!json_as_str(at, &text)) continue;
        goals = goals.len ? arena_printf(arena, "%.*s; %.*s", STR_ARGS(goals), STR_ARGS(text))
                          : arena_copy(arena, text);
    }
    return goals;
}

static void read_profile(struct cast *cast, struct player *player, struct str bio)
{
    struct json *profile = NULL;
    struct why why;
    if (bio.len == 0 || bio.at[0] != '{' || json_parse(bio, &profile, NULL, &why) != OK) return;
    struct str description = text_of(&cast->arena, profile, "description");
    if (description.len) player->bio = description;
    player->occupation = text_of(&cast->arena, profile, "occupation");
    player->style = text_of(&cast->arena, profile, "speaking_style");
    player->goals = goals_of(&cast->arena, json_get(profile, "goals"));
    player->routine = lines_of(&cast->arena, json_get(profile, "daily_routine"));
    uint64_t age;
    if (json_as_u64(json_get(profile, "age"), &age) && age >= 6 && age <= 120)
        player->age = (uint8_t)age;
    struct str traits = text_of(&cast->arena, profile, "personality_traits");
    const struct json *list = json_get(profile, "personality_traits");
    for (const struct json *at = json_first(list); at; at = json_after(at)) {
        struct str one;
        if (!json_as_str(at, &one)) continue;
        traits = traits.len
                     ? arena_printf(&cast->arena, "%.*s,%.*s", STR_ARGS(traits), STR_ARGS(one))
                     : arena_copy(&cast->arena, one);
    }
    if (traits.len) player->traits = traits;
    json_free(profile);
}

static struct player nobody(void)
{
    return (struct player){.username = STR(""),
                           .name = STR(""),
                           .bio = STR(""),
                           .occupation = STR(""),
                           .traits = STR(""),
                           .style = STR(""),
                           .goals = STR(""),
                           .routine = STR("")};
}

/* Nameless ones up to that number. */
static void make_players(struct cast *cast, uint32_t count)
{
    if (count > cast->room) {
        cast->room = MAX(count, cast->room + cast->room / 2);
        cast->players = mem_resize(cast->players, sizeof(*cast->players) * cast->room);
    }
    while (cast->count < count) cast->players[cast->count++] = nobody();
}

static void read_person(struct cast *cast, uint32_t number, const struct town_person *person)
{
    struct player *player = &cast->players[number];
    struct arena *arena = &cast->arena;
    *player = (struct player){.user = person->user,
                              .username = arena_copy(arena, person->username),
                              .name = arena_copy(arena, person->nickname),
                              .bio = arena_copy(arena, person->bio),
                              .occupation = STR(""),
                              .traits = arena_copy(arena, person->personality),
                              .style = STR(""),
                              .goals = STR(""),
                              .routine = STR("")};
    read_profile(cast, player, person->bio);
    player->chinese = text_is_chinese(player->name) || text_is_chinese(player->bio);
}

static void take_location(void *ctx, const struct location *location)
{
    struct cast *cast = ctx;
    if (cast->location_count == LOCATIONS_MAX) return;
    struct location *own = &cast->locations[cast->location_count++];
    *own = *location;
    own->name = arena_copy(&cast->arena, location->name);
    own->type = arena_copy(&cast->arena, location->type);
    own->description = arena_copy(&cast->arena, location->description);
}

static enum err read_locations(struct cast *cast, struct db *db, struct why *why)
{
    cast->locations = mem_alloc(sizeof(*cast->locations) * LOCATIONS_MAX);
    return locations_list(db, take_location, cast, why);
}

struct roll {
    struct cast *cast;
    uint32_t count;
    bool beyond; /* somebody has a number that the town does not have */
};

static void take_person(void *ctx, const struct town_person *person)
{
    struct roll *roll = ctx;
    if (person->number < roll->count)
        read_person(roll->cast, person->number, person);
    else
        roll->beyond = true;
}

enum err cast_load(struct cast *cast, struct db *db, struct town_id town, uint32_t count,
                   struct why *why)
{
    *cast = (struct cast){0};
    make_players(cast, count);
    struct roll roll = {.cast = cast, .count = count};
    enum err err = town_people_list(db, town, take_person, &roll, why);
    if (!err && roll.beyond)
        err = why_set(why, ERR_CORRUPT,
                      "the town has numbers for %u residents, the community knows greater ones",
                      count);
    if (!err) err = read_locations(cast, db, why);
    if (err) cast_release(cast);
    return err;
}

static void call_person(void *ctx, const struct town_person *person)
{
    struct cast *cast = ctx;
    if (cast->count < PLAYERS_MAX && !person->banned) (void)cast_add(cast, person);
}

enum err cast_call(struct cast *cast, struct db *db, struct why *why)
{
    *cast = (struct cast){0};
    enum err err = town_homeless_list(db, call_person, cast, why);
    if (!err) err = read_locations(cast, db, why);
    if (!err && (cast->count == 0 || cast->location_count == 0))
        err = why_set(why, ERR_NOT_FOUND, "there are no residents, or no places for them");
    if (err) cast_release(cast);
    return err;
}

uint32_t cast_add(struct cast *cast, const struct town_person *person)
{
    make_players(cast, cast->count + 1);
    read_person(cast, cast->count - 1, person);
    return cast->count - 1;
}

void cast_drop_last(struct cast *cast)
{
    ASSERT(cast->count > 0);
    cast->count--;
}

void cast_note_reason(struct cast *cast, uint32_t who, struct str reason)
{
    struct player *player = &cast->players[who];
    mem_free((void *)(uintptr_t)player->reason.at);
    char *copy = mem_alloc(reason.len + 1);
    if (reason.len) memcpy(copy, reason.at, reason.len);
    player->reason = (struct str){copy, reason.len};
}

/* --- members --- */

/* Where that member stands, or would stand. */
static size_t member_at(const struct cast *cast, uint32_t who)
{
    size_t low = 0, high = cast->member_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (cast->members[middle].who < who)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct acquaintance *find_member(const struct cast *cast, uint32_t who)
{
    size_t at = member_at(cast, who);
    return at < cast->member_count && cast->members[at].who == who ? &cast->members[at] : NULL;
}

static struct acquaintance *add_member(struct cast *cast, uint32_t who)
{
    size_t at = member_at(cast, who);
    if (cast->member_count == cast->member_room) {
        cast->member_room = MAX(cast->member_room * 2, (size_t)16);
        cast->members = mem_resize(cast->members, sizeof(*cast->members) * cast->member_room);
    }
    struct acquaintance *member = &cast->members[at];
    memmove(member + 1, member, sizeof(*member) * (cast->member_count++ - at));
    *member = (struct acquaintance){.who = who, .name = STR("")};
    return member;
}

void cast_meet(struct cast *cast, struct db *db, uint32_t who)
{
    if (!is_member(who)) return;
    struct acquaintance *member = find_member(cast, who);
    int64_t now_us = clock_mono_us();
    if (member && now_us - member->looked_us < INT64_C(1000000) * NAMES_S) return;
    struct arena arena = {0};
    struct user user;
    struct why why;
    enum err err = users_load(db, &arena, cast_user(cast, who), &user, &why);
    struct str name = err ? STR("") : user.brief.nickname;
    if (!member) member = add_member(cast, who);
    if (!err || err == ERR_NOT_FOUND) { /* else it is called as before */
        member->looked_us = now_us;
        if (!str_eq(name, member->name)) member->name = arena_copy(&cast->arena, name);
    }
    arena_release(&arena);
}

void cast_meet_friends(struct cast *cast, struct db *db, const struct town *town, uint32_t who)
{
    size_t count;
    const struct relation *relations = town_relations(town, who, &count);
    for (size_t i = 0; i < count; i++) cast_meet(cast, db, relations[i].who);
    const struct memory *memories = town_memories(town, who, &count);
    for (size_t i = 0; i < count; i++) cast_meet(cast, db, memories[i].who);
}

struct str cast_member_name(const struct cast *cast, uint32_t who)
{
    const struct acquaintance *member = find_member(cast, who);
    return member ? member->name : STR("");
}

void cast_release(struct cast *cast)
{
    for (uint32_t i = 0; i < cast->count; i++)
        mem_free((void *)(uintptr_t)cast->players[i].reason.at);
    mem_free(cast->members);
    mem_free(cast->players);
    mem_free(cast->locations);
    arena_release(&cast->arena);
    *cast = (struct cast){0};
}

struct user_id cast_user(const struct cast *cast, uint32_t who)
{
    if (who == NOBODY) return (struct user_id){0};
    if (is_member(who)) return (struct user_id){who & ~MEMBER_BIT};
    return who < cast->count ? cast->players[who].user : (struct user_id){0};
}

uint64_t cast_location(const struct cast *cast, uint16_t place)
{
    return place < cast->location_count ? cast->locations[place].id : 0;
}

/* --- founding --- */

static int32_t tenths(double units)
{
    if (!(units > -1e6 && units < 1e6)) return 0;
    return (int32_t)(units * UNIT + (units < 0 ? -0.5 : 0.5));
}

static struct place place_of(const struct location *location)
{
    enum place_kind kind = PLACE_PUBLIC;
    (void)!place_kind_find(location->type, &kind); /* what it is not told is public */
    bool outdoor =
        kind == PLACE_RECREATION ||
        (kind == PLACE_PUBLIC && (str_find(location->name, STR("广场")) < location->name.len ||
                                  str_find(location->name, STR("公园")) < location->name.len ||
                                  str_find(location->name, STR("quare")) < location->name.len ||
                                  str_find(location->name, STR("ark")) < location->name.len));
    bool shop = kind == PLACE_COMMERCIAL;
    bool office = kind == PLACE_EDUCATION || kind == PLACE_GOVERNMENT;
    return (struct place){.id = (uint32_t)location->id,
                          .x = tenths(location->x),
                          .y = tenths(location->y),
                          .width = MAX(tenths(location->width), UNIT),
                          .height = MAX(tenths(location->height), UNIT),
                          .seats = SEATS,
                          .open_min = (shop     ? 6
                                       : office ? 7
                                                : 0) *
                                      MINUTES_PER_HOUR,
                          .close_min = (office ? 22 : 24) * MINUTES_PER_HOUR,
                          .kind = (uint8_t)kind,
                          .indoor = !outdoor};
}

static bool contains(struct str text, const char *word)
{
    return str_find(text, str_of(word)) < text.len;
}

static enum job_kind job_of(const struct player *player)
{
    static const struct {
        const char *word;
        enum job_kind job;
    } words[] = {
        {"程序", JOB_OFFICE},      {"工程师", JOB_OFFICE},   {"编程", JOB_OFFICE},
        {"科技", JOB_OFFICE},      {"programm", JOB_OFFICE}, {"engineer", JOB_OFFICE},
        {"developer", JOB_OFFICE}, {"店", JOB_SHOP},         {"shop", JOB_SHOP},
        {"咖啡师", JOB_CAFE},      {"barista", JOB_CAFE},    {"cook", JOB_CAFE},
        {"厨", JOB_CAFE},          {"教师", JOB_TEACHER},    {"老师", JOB_TEACHER},
        {"teacher", JOB_TEACHER},  {"学生", JOB_STUDENT},    {"student", JOB_STUDENT},
        {"医", JOB_DOCTOR},        {"护士", JOB_DOCTOR},     {"doctor", JOB_DOCTOR},
        {"nurse", JOB_DOCTOR},     {"职员", JOB_CLERK},      {"clerk", JOB_CLERK},
        {"艺术", JOB_ARTIST},      {"画", JOB_ARTIST},       {"artist", JOB_ARTIST},
        {"painter", JOB_ARTIST},   {"writer", JOB_ARTIST},   {"退休", JOB_RETIRED},
        {"retired", JOB_RETIRED},
    };
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (contains(player->occupation, words[i].word)) return words[i].job;
    if (player->occupation.len) return JOB_OFFICE;
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (contains(player->traits, words[i].word)) return words[i].job;
    return JOB_COUNT;
}

/* Words of a personality move its five factors. */
static void bend_traits(const struct player *player, int8_t trait[TRAIT_COUNT])
{
    static const struct {
        const char *word;
        enum trait trait;
        int by;
    } words[] = {
        {"外向", EXTRAVERSION, 60},
        {"开朗", EXTRAVERSION, 50},
        {"活泼", EXTRAVERSION, 50},
        {"精力", EXTRAVERSION, 40},
        {"内向", EXTRAVERSION, -60},
        {"安静", EXTRAVERSION, -40},
        {"outgoing", EXTRAVERSION, 60},
        {"cheerful", EXTRAVERSION, 40},
        {"shy", EXTRAVERSION, -60},
        {"quiet", EXTRAVERSION, -40},
        {"温柔", AGREEABLENESS, 60},
        {"助人", AGREEABLENESS, 60},
        {"善良", AGREEABLENESS, 60},
        {"友善", AGREEABLENESS, 50},
        {"kind", AGREEABLENESS, 60},
        {"helpful", AGREEABLENESS, 60},
        {"gentle", AGREEABLENESS, 50},
        {"挑剔", AGREEABLENESS, -50},
        {"grumpy", AGREEABLENESS, -60},
        {"艺术", OPENNESS, 60},
        {"好奇", OPENNESS, 60},
        {"科技", OPENNESS, 40},
        {"curious", OPENNESS, 60},
        {"creative", OPENNESS, 60},
        {"art", OPENNESS, 40},
        {"认真", CONSCIENTIOUSNESS, 60},
        {"勤", CONSCIENTIOUSNESS, 50},
        {"负责", CONSCIENTIOUSNESS, 60},
        {"diligent", CONSCIENTIOUSNESS, 60},
        {"careful", CONSCIENTIOUSNESS, 50},
        {"懒", CONSCIENTIOUSNESS, -60},
        {"lazy", CONSCIENTIOUSNESS, -60},
        {"乐观", NEUROTICISM, -60},
        {"optimis", NEUROTICISM, -60},
        {"calm", NEUROTICISM, -50},
        {"敏感", NEUROTICISM, 50},
        {"焦虑", NEUROTICISM, 60},
        {"anxious", NEUROTICISM, 60},
        {"sensitive", NEUROTICISM, 50},
    };
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (!contains(player->traits, words[i].word)) continue;
        int value = trait[words[i].trait] / 2 + words[i].by;
        trait[words[i].trait] = (int8_t)MIN(MAX(value, -100), 100);
    }
}

/* The house that has its name in its own, or NOWHERE. */
static uint16_t house_of(const struct cast *cast, const struct place *places, uint32_t number)
{
    const char *name = cast->players[number].name.at;
    for (uint32_t i = 0; i < cast->location_count; i++)
        if (places[i].kind == PLACE_RESIDENTIAL && contains(cast->locations[i].name, name))
            return (uint16_t)i;
    return NOWHERE;
}

static uint16_t home_of_player(const struct cast *cast, const struct place *places, uint32_t number)
{
    ASSERT(cast->location_count > 0);
    uint16_t own = house_of(cast, places, number);
    if (own != NOWHERE) return own;
    uint32_t homes = 0;
    for (uint32_t i = 0; i < cast->location_count; i++)
        homes += places[i].kind == PLACE_RESIDENTIAL;
    if (homes == 0) return (uint16_t)(number % cast->location_count);
    uint32_t wanted = number % homes;
    for (uint32_t i = 0; i < cast->location_count; i++)
        if (places[i].kind == PLACE_RESIDENTIAL && wanted-- == 0) return (uint16_t)i;
    return 0;
}

/* Where such work is done, or the next best place, or home. */
static uint16_t work_of(const struct cast *cast, const struct place *places, enum job_kind job,
                        uint16_t home, uint32_t number)
{
    const enum place_kind wishes[] = {job_place(job), PLACE_WORKPLACE, PLACE_PUBLIC};
    for (size_t wish = 0; wish < COUNT_OF(wishes); wish++) {
        if (wishes[wish] == PLACE_RESIDENTIAL) return home;
        for (uint32_t i = 0; i < cast->location_count; i++) {
            uint32_t at = (i + number) % cast->location_count;
            if (places[at].kind == wishes[wish] && places[at].indoor) return (uint16_t)at;
        }
    }
    return home;
}

/* What its profile says of it, and what it leaves open out of the dice. */
static struct resident_draft draft_of(const struct player *player, struct rng *rng)
{
    struct resident_draft draft = resident_draw(rng, player->age, job_of(player));
    bend_traits(player, draft.trait);
    struct routine routine = routine_read(player->routine);
    routine_apply(&routine, &draft);
    return draft;
}

struct town *cast_found(const struct cast *cast, const struct town_settings *settings)
{
    struct place *places = mem_alloc(sizeof(*places) * cast->location_count);
    struct resident_draft *drafts = mem_alloc(sizeof(*drafts) * cast->count);
    for (uint32_t i = 0; i < cast->location_count; i++) places[i] = place_of(&cast->locations[i]);
    struct rng rng;
    rng_init(&rng, settings->seed, UINT64_MAX - 2);
    uint32_t *dwellers = mem_alloc(sizeof(*dwellers) * cast->location_count);
    for (uint32_t i = 0; i < cast->count; i++) {
        drafts[i] = draft_of(&cast->players[i], &rng);
        drafts[i].home = home_of_player(cast, places, i);
        dwellers[drafts[i].home]++;
        if (drafts[i].work_until > 0)
            drafts[i].work = work_of(cast, places, (enum job_kind)drafts[i].job, drafts[i].home, i);
    }
    for (uint32_t i = 0; i < cast->location_count; i++)
        places[i].seats =
            (uint16_t)MIN(MAX((uint32_t)SEATS, dwellers[i] + GUESTS), (uint32_t)SEATS_MAX);
    struct quarter_draft quarter = {places, cast->location_count, drafts, cast->count};
    struct town *town = town_new(settings, &quarter, 1);
    mem_free(places);
    mem_free(drafts);
    mem_free(dwellers);
    return town;
}

/* --- one more --- */

static bool has_room(const struct place *place)
{
    return place->seats < SEATS_MAX || place->here + place->kept < place->seats;
}

/* Where the fewest live, of the houses if there are any; the first of equals. */
static uint16_t emptiest_home(const struct town *town, const struct places *places)
{
    uint32_t *dwellers = mem_alloc(sizeof(*dwellers) * places->count);
    for (uint32_t who = 0; who < town_resident_count(town); who++)
        if (!town_is_gone(town, who)) dwellers[town_resident(town, who)->home]++;
    bool houses = places_of_kind(places, PLACE_RESIDENTIAL) > 0;
    uint32_t best = UINT32_MAX;
    for (uint32_t i = 0; i < places->count; i++) {
        const struct place *place = &places->place[i];
        if ((houses && place->kind != PLACE_RESIDENTIAL) || !has_room(place)) continue;
        if (best == UINT32_MAX || dwellers[i] < dwellers[best]) best = i;
    }
    mem_free(dwellers);
    return best == UINT32_MAX ? NOWHERE : (uint16_t)best;
}

struct resident_draft cast_draft(const struct cast *cast, const struct town *town, uint32_t number)
{
    const struct places *places = town_places(town, 0);
    struct rng rng;
    rng_init(&rng, town_settings(town)->seed, UINT64_MAX - 3 - number);
    struct resident_draft draft = draft_of(&cast->players[number], &rng);
    /* Places that were made since the founding are none of the town's. */
    struct cast then = *cast;
    then.location_count = MIN(cast->location_count, places->count);
    draft.home = house_of(&then, places->place, number);
    if (draft.home == NOWHERE || !has_room(&places->place[draft.home]))
        draft.home = emptiest_home(town, places);
    if (draft.work_until > 0)
        draft.work = work_of(&then, places->place, (enum job_kind)draft.job, draft.home, number);
    return draft;
}
