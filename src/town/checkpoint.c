/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * town/checkpoint.c: a town to bytes and back, and its hash.
 *
 * Everything a town knows stands in flat arrays, so a checkpoint is those arrays
 * one after the other behind a head that says how many of each. It is for this
 * program on this kind of machine: the head holds a version and the sizes of
 * what is written, and one that does not fit is refused. What arrives is from
 * our own store or a file of ours, and is checked for its shape and not for its
 * sense: reading takes no more memory than a few times the bytes that are there,
 * whatever they are, but a town out of forged ones ends at an assertion.
 */
#include "base/mem.h"
#include "town/internal.h"

/*
 * 2 is read as well: nobody had moved out of a town then, or into one. What such a town wrote is
 * written in the same way now; that it may say more is why the number is another one.
 */
enum { CHECKPOINT_VERSION = 3, CHECKPOINT_OLDEST = 2 };

struct checkpoint {
    char magic[8];
    uint32_t version, residents, quarters;
    uint16_t resident_bytes, memory_bytes, place_bytes, question_bytes;
    struct town_settings settings;
    int32_t now;
    uint32_t feed_head;
    struct sky sky;
};

struct quarter_head {
    uint32_t count, places, seats, questions, asked, mails;
    uint64_t effect_count, effect_hash;
    struct town_tally tally;
};

static const char magic[8] = {'h', 'u', 't', 'o', 'w', 'n', '\r', '\n'};

static struct checkpoint head_of(const struct town *town)
{
    struct checkpoint head;
    memset(&head, 0, sizeof(head)); /* the padding too: equal towns give equal bytes */
    memcpy(head.magic, magic, sizeof(magic));
    head.version = CHECKPOINT_VERSION;
    head.residents = town->residents;
    head.quarters = town->quarters;
    head.resident_bytes = sizeof(struct resident);
    head.memory_bytes = sizeof(struct memory);
    head.place_bytes = sizeof(struct place);
    head.question_bytes = sizeof(struct question);
    head.settings = town->settings;
    head.now = town->now;
    head.feed_head = town->feed.head;
    head.sky = town->sky;
    return head;
}

/* The arrays of a quarter, in the order in which they are written. */
struct run {
    void *at;
    size_t bytes;
};
enum { RUNS = 8 };

static void runs_of(const struct quarter *quarter, struct run runs[RUNS])
{
    const struct town_settings *settings = quarter->settings;
    size_t count = quarter->count;
    const struct places *places = &quarter->places;
    runs[0] = (struct run){places->place, sizeof(struct place) * places->count};
    runs[1] = (struct run){places->seat, sizeof(uint32_t) * places->seat_count};
    runs[2] = (struct run){quarter->resident, sizeof(struct resident) * count};
    runs[3] = (struct run){quarter->memory, sizeof(struct memory) * count * settings->memory_slots};
    runs[4] =
        (struct run){quarter->relation, sizeof(struct relation) * count * settings->relation_slots};
    runs[5] = (struct run){quarter->thing, sizeof(struct thing) * count * THINGS_MAX};
    runs[6] = (struct run){quarter->question, sizeof(struct question) * quarter->questions};
    runs[7] = (struct run){quarter->mail, sizeof(struct mail) * quarter->mails};
}

static void quarter_write(const struct quarter *quarter, struct buf *buf)
{
    struct quarter_head head = {.count = quarter->count,
                                .places = quarter->places.count,
                                .seats = quarter->places.seat_count,
                                .questions = quarter->questions,
                                .asked = quarter->asked,
                                .mails = quarter->mails,
                                .effect_count = quarter->effect_count,
                                .effect_hash = quarter->effect_hash,
                                .tally = quarter->tally};
    buf_add(buf, &head, sizeof(head));
    struct run runs[RUNS];
    runs_of(quarter, runs);
    for (int i = 0; i < RUNS; i++)
        if (runs[i].bytes) buf_add(buf, runs[i].at, runs[i].bytes);
    agenda_write(quarter->agenda, buf);
}

void town_write(const struct town *town, struct buf *buf)
{
    struct checkpoint head = head_of(town);
    buf_add(buf, &head, sizeof(head));
    buf_add(buf, town->feed.post, sizeof(struct wire_post) * town->feed.slots);
    for (uint32_t i = 0; i < town->quarters; i++) quarter_write(&town->quarter[i], buf);
}

/* --- and back --- */

/* What must follow the head: asked before memory is taken for it. No counter here can overflow. */
static uint64_t bytes_of_runs(const struct quarter_head *head, const struct town_settings *settings)
{
    uint64_t each = sizeof(struct resident) + sizeof(struct memory) * settings->memory_slots +
                    sizeof(struct relation) * settings->relation_slots +
                    sizeof(struct thing) * THINGS_MAX;
    return each * head->count + sizeof(struct place) * (uint64_t)head->places +
           sizeof(uint32_t) * (uint64_t)head->seats +
           sizeof(struct question) * (uint64_t)head->questions +
           sizeof(struct mail) * (uint64_t)head->mails;
}

static bool quarter_read(struct quarter *quarter, struct str *bytes, uint32_t *gone_out)
{
    struct quarter_head head;
    if (!bytes_take(bytes, &head, sizeof(head))) return false;
    const struct town_settings *settings = quarter->settings;
    bool fits = head.count == quarter->count && head.places > 0 && head.places <= PLACES_MAX &&
                head.seats <= bytes->len / sizeof(uint32_t) && head.questions <= head.count &&
                head.mails <= bytes->len / sizeof(struct mail);
    if (!fits || bytes_of_runs(&head, settings) > bytes->len) return false;
    struct places *places = &quarter->places;
    *places = (struct places){.count = head.places, .seat_count = head.seats};
    places->place = mem_alloc(sizeof(struct place) * head.places);
    places->seat = mem_alloc(sizeof(uint32_t) * head.seats);
    quarter->resident = mem_alloc(sizeof(struct resident) * head.count);
    quarter->memory = mem_alloc(sizeof(struct memory) * head.count * settings->memory_slots);
    quarter->relation = mem_alloc(sizeof(struct relation) * head.count * settings->relation_slots);
    quarter->thing = mem_alloc(sizeof(struct thing) * head.count * THINGS_MAX);
    quarter->questions = quarter->questions_max = head.questions;
    quarter->question = mem_alloc(sizeof(struct question) * head.questions);
    quarter->mails = quarter->mails_max = head.mails;
    quarter->mail = mem_alloc(sizeof(struct mail) * head.mails);
    quarter->asked = head.asked;
    quarter->effect_count = head.effect_count;
    quarter->effect_hash = head.effect_hash;
    quarter->tally = head.tally;
    struct run runs[RUNS];
    runs_of(quarter, runs);
    for (int i = 0; i < RUNS; i++)
        if (!bytes_take(bytes, runs[i].at, runs[i].bytes)) return false;
    for (uint32_t i = 0; i < head.places; i++) {
        const struct place *place = &places->place[i];
        if (place->kind >= PLACE_KIND_COUNT || place->seats_at > head.seats ||
            place->seats > head.seats - place->seats_at)
            return false;
    }
    places_index(places);
    quarter->room = head.count;
    *gone_out = 0;
    for (uint32_t i = 0; i < head.count; i++) *gone_out += quarter->resident[i].gone != 0;
    quarter->agenda = agenda_read(bytes, head.count);
    return quarter->agenda && agenda_count(quarter->agenda) >= head.count - *gone_out;
}

enum err town_read(struct str bytes, struct town **town_out, struct why *why)
{
    struct checkpoint head;
    if (!bytes_take(&bytes, &head, sizeof(head)) || memcmp(head.magic, magic, sizeof(magic)) != 0)
        return why_set(why, ERR_CORRUPT, "this is no checkpoint of a town");
    struct town like = {.quarters = head.quarters, .residents = head.residents};
    struct checkpoint ours = head_of(&like);
    if (head.version < CHECKPOINT_OLDEST || head.version > ours.version ||
        head.resident_bytes != ours.resident_bytes || head.memory_bytes != ours.memory_bytes ||
        head.place_bytes != ours.place_bytes || head.question_bytes != ours.question_bytes)
        return why_set(why, ERR_CORRUPT,
                       "this checkpoint was written by another version of the program");
    if (!town_settings_fit(&head.settings) || head.quarters == 0 || head.residents == 0 ||
        head.residents > TOWN_RESIDENTS_MAX || head.quarters > head.residents ||
        head.now < TOWN_START_MIN || head.now > TOWN_END_MIN ||
        head.quarters > bytes.len / sizeof(struct quarter_head) ||
        head.settings.feed_slots > bytes.len / sizeof(struct wire_post))
        return why_set(why, ERR_CORRUPT, "the head of this checkpoint is damaged");

    struct town *town = town_empty(&head.settings, head.quarters);
    town->now = head.now;
    town->sky = head.sky;
    town->feed.head = head.feed_head;
    bool fine = bytes_take(&bytes, town->feed.post, sizeof(struct wire_post) * town->feed.slots);
    for (uint32_t i = 0; fine && i < head.quarters; i++) {
        struct quarter_head next;
        fine = bytes.len >= sizeof(next);
        if (!fine) break;
        memcpy(&next, bytes.at, sizeof(next));
        fine = next.count > 0 && next.count <= QUARTER_RESIDENTS_MAX &&
               next.count <= head.residents - town->residents;
        if (!fine) break;
        town->first_of[i] = town->residents;
        town->residents += next.count;
        quarter_join(town, i);
        town->quarter[i].count = next.count;
        uint32_t gone = 0;
        fine = quarter_read(&town->quarter[i], &bytes, &gone);
        town->gone += gone;
    }
    town->first_of[head.quarters] = town->residents;
    if (fine && town->residents == head.residents && bytes.len == 0) {
        *town_out = town;
        return OK;
    }
    town_free(town);
    return why_set(why, ERR_CORRUPT, "this checkpoint is damaged or cut short");
}

/* --- the hash --- */

/* Eight bytes at a time, mixed as effects are. */
static uint64_t mix(uint64_t hash, const void *bytes, size_t len)
{
    const char *at = bytes;
    while (len > 0) {
        uint64_t word = 0;
        size_t step = MIN(len, sizeof(word));
        memcpy(&word, at, step);
        hash = hash_mix(hash, word);
        at += step;
        len -= step;
    }
    return hash;
}

uint64_t town_hash(const struct town *town)
{
    struct checkpoint head = head_of(town);
    head.version = 0; /* how it is written is not what it is */
    uint64_t hash = mix(0, &head, sizeof(head));
    hash = mix(hash, town->feed.post, sizeof(struct wire_post) * town->feed.slots);
    for (uint32_t i = 0; i < town->quarters; i++) {
        const struct quarter *quarter = &town->quarter[i];
        struct run runs[RUNS];
        runs_of(quarter, runs);
        for (int j = 0; j < RUNS; j++)
            if (runs[j].bytes) hash = mix(hash, runs[j].at, runs[j].bytes);
        hash = mix(hash, &quarter->effect_hash, sizeof(quarter->effect_hash));
        hash = mix(hash, &quarter->effect_count, sizeof(quarter->effect_count));
    }
    return hash;
}
