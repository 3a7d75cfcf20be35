/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * townhall/talk.c: what two residents say to each other.
 *
 * The town knows that they talk, about what, in which mood and in how many
 * turns (EFFECT_TALK). The words of all turns are found at once: one question
 * to the model, answered by one JSON object a line, or turn after turn by the
 * offline engine. They stand in the action log of both, and are told to maps
 * turn by turn while the talk lasts.
 *
 * A model's answer is taken whole or not at all: the turns asked for, in their
 * order, of plain text. It changes nothing in the town: what came of the talk
 * (liking, memories) is decided there, so that a replay needs no words.
 */
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "townhall/between.h"
#include "townhall/internal.h"

enum {
    TURNS_LEAST = 2,
    TURNS_MOST = 12,
    TURN_CHARS = 200,
    PROMPT_BYTES = 8 * 1024,
    LOOKED_BACK = 40, /* entries of the log in which the last talk of two is looked for */
    RECALLED = 4,
    TURN_TOKENS = 80,
    SPEECHES_MOST = 256, /* talks that are told to maps at once; more are not told */
};

struct speech {
    struct list link; /* hall->speeches */
    struct arena arena;
    struct effect effect;
    int turns, told;
    struct str turn[TURNS_MOST];
};

int talk_turns(const struct effect *effect)
{
    return (int)MIN(MAX(effect->ref, (uint32_t)TURNS_LEAST), (uint32_t)TURNS_MOST);
}

static uint32_t speaker(const struct effect *effect, int turn)
{
    return turn % 2 == 0 ? effect->who : effect->other;
}

/* Turns stand in todo->said, a line each. */
static int split(struct str text, struct str turn[TURNS_MOST])
{
    int count = 0;
    struct str line;
    while (count < TURNS_MOST && str_split(&text, '\n', &line))
        if (line.len) turn[count++] = line;
    return count;
}

/* --- of the model --- */

static void write_person(struct buf *to, const struct hall *hall, const struct effect *effect,
                         uint32_t who)
{
    const struct player *me = &hall->cast.players[who];
    const struct resident *resident = town_resident(hall->town, who);
    buf_printf(to, "%.*s, %d years old", STR_ARGS(me->name), resident->age);
    if (me->occupation.len) buf_printf(to, ", %.*s", STR_ARGS(me->occupation));
    buf_printf(to, ". %.*s Personality: %.*s. %.*s", STR_ARGS(me->bio), STR_ARGS(me->traits),
               STR_ARGS(me->style));
    if (me->goals.len) buf_printf(to, " Wants: %.*s.", STR_ARGS(me->goals));
    buf_printf(to, " Feels %s.\n", emotion_name((enum emotion)resident->emotion));
    size_t count;
    const struct memory *memories = town_memories(hall->town, who, &count);
    const struct memory *found[RECALLED];
    struct cue cue = {.who = speaker(effect, who == effect->who ? 1 : 0),
                      .place = NOWHERE,
                      .subject = effect->subject};
    count = memory_rank(memories, count, &cue, town_now(hall->town), found, RECALLED);
    for (size_t i = 0; i < count; i++) {
        if (memory_is_between(found[i])) continue; /* everybody hears what they say */
        buf_add_str(to, STR("  remembers: "));
        phrase_memory(to, &hall->cast, who, found[i]);
        buf_add_byte(to, '\n');
    }
}

struct looking {
    struct arena *arena;
    struct user_id other;
    struct str said;
};

static void see_last_talk(void *ctx, const struct action_log *log)
{
    struct looking *looking = ctx;
    if (looking->said.len || log->target.value != looking->other.value ||
        !str_eq(log->name, STR(TALK_LOGGED))) {
        return;
    }
    looking->said = arena_copy(looking->arena, log->result);
}

static struct str last_talk(struct todo *todo)
{
    const struct cast *cast = &todo->hall->cast;
    struct looking looking = {.arena = &todo->arena, .other = cast_user(cast, todo->effect.other)};
    struct action_logs_query query = {.character = cast_user(cast, todo->effect.who),
                                      .type = str_of(log_type_name(LOG_TALK)),
                                      .limit = LOOKED_BACK};
    struct why why;
    enum err err = action_logs_list(todo->hall->db, &query, see_last_talk, &looking, &why);
    return err ? STR("") : looking.said;
}

int64_t talk_tokens(const struct effect *effect)
{
    return (int64_t)talk_turns(effect) * TURN_TOKENS + 100;
}

struct str talk_prompt(struct todo *todo)
{
    const struct hall *hall = todo->hall;
    const struct effect *effect = &todo->effect;
    bool chinese = hall->cast.players[effect->who].chinese;
    struct str place = place_name(&hall->cast, effect->place);
    struct str subject = subject_words(chinese, effect->subject);
    struct str before = last_talk(todo);
    int turns = talk_turns(effect);
    struct buf to;
    buf_init(&to, PROMPT_BYTES);
    buf_add_str(&to, STR("1 is "));
    write_person(&to, hall, effect, effect->who);
    buf_add_str(&to, STR("2 is "));
    write_person(&to, hall, effect, effect->other);
    game_time_write(&to, effect->at);
    buf_printf(&to, ", %s, %s. They meet%s%.*s and %s.\n", season_name(season_of(effect->at)),
               weather_name((enum weather)town_sky(hall->town)->weather), place.len ? " at " : "",
               STR_ARGS(place), effect->deed == DEED_GREET ? "greet each other" : "talk");
    if (subject.len) buf_printf(&to, "It is about: %.*s.\n", STR_ARGS(subject));
    buf_printf(&to, "The mood between them: %s.\n",
               effect->mood > 20    ? "warm"
               : effect->mood < -10 ? "strained"
                                    : "even");
    if (before.len) buf_printf(&to, "Last time:\n<said>\n%.*s\n</said>\n", STR_ARGS(before));
    buf_printf(&to,
               "Write exactly %d turns in %s, 1 first, then in turn, each of one or two short "
               "sentences in that person's own voice. Answer with %d lines and nothing else, each "
               "a JSON object: {\"who\": 1 or 2, \"text\": what they say}",
               turns, chinese ? "Chinese" : "English", turns);
    struct str text = arena_copy(&todo->arena, buf_str(&to));
    buf_release(&to);
    return text;
}

/* One line of plain text: nothing a page could take for markup, nothing to be read past its end. */
static bool add_turn(struct buf *to, struct str text)
{
    text = str_trim(text);
    if (text.len == 0 || !utf8_valid(text) || utf8_count(text) > TURN_CHARS) return false;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.at[i];
        if (byte == '<' || byte == '>' || byte == 127 || (byte < 32 && byte != '\n')) return false;
    }
    if (to->len) buf_add_byte(to, '\n');
    for (size_t i = 0; i < text.len; i++) buf_add_byte(to, text.at[i] == '\n' ? ' ' : text.at[i]);
    return !to->failed;
}

static bool read_line(struct str line, int turn, struct buf *to)
{
    struct json *tree = NULL;
    struct why why;
    int64_t who;
    struct str text;
    if (json_parse(line, &tree, NULL, &why) != OK) return false;
    bool fine = json_as_i64(json_get(tree, "who"), &who) && who == turn % 2 + 1 &&
                json_as_str(json_get(tree, "text"), &text) && add_turn(to, text);
    json_free(tree);
    return fine;
}

bool talk_read(struct todo *todo)
{
    struct str text = buf_str(&todo->said), line;
    struct buf turns;
    buf_init(&turns, TALK_BYTES);
    int count = 0, wanted = talk_turns(&todo->effect);
    bool fine = !todo->said.failed;
    while (fine && str_split(&text, '\n', &line)) {
        line = str_trim(line);
        if (line.len == 0 || str_starts(line, STR("```"))) continue;
        fine = count < wanted && read_line(line, count, &turns);
        count++;
    }
    fine = fine && count == wanted;
    if (fine) {
        buf_reset(&todo->said, TALK_BYTES);
        buf_add_str(&todo->said, buf_str(&turns));
    }
    buf_release(&turns);
    return fine;
}

/* --- offline --- */

/* What one has said is its own, and the other's is what it hears. */
static void say_turn(struct todo *todo, int number, const struct str turn[], struct buf *to)
{
    const struct hall *hall = todo->hall;
    const struct effect *effect = &todo->effect;
    const struct cast *cast = &hall->cast;
    const struct player *me = &cast->players[speaker(effect, number)];
    bool chinese = cast->players[effect->who].chinese;
    struct llm_message messages[TURNS_MOST];
    for (int i = 0; i < number; i++) {
        messages[i] = (struct llm_message){.role = i % 2 == number % 2 ? LLM_ASSISTANT : LLM_USER,
                                           .text = turn[i]};
    }
    struct llm_scene scene = {
        .task = number == 0 ? LLM_TASK_GREET : LLM_TASK_REPLY,
        .language = chinese ? STR("zh") : STR("en"),
        .name = me->name,
        .occupation = me->occupation,
        .traits = me->traits,
        .partner = cast->players[speaker(effect, number + 1)].name,
        .mood = str_of(mood_word(town_resident(hall->town, speaker(effect, number))->emotion)),
        .place = place_name(&hall->cast, effect->place),
        .topic = subject_words(chinese, effect->subject),
        .weather = str_of(weather_name((enum weather)town_sky(hall->town)->weather)),
        .hour = hour_of(effect->at),
    };
    struct offline_request request = {.messages = messages,
                                      .count = (size_t)number,
                                      .scene = &scene,
                                      .seed = hall->row.seed * 1000003 + todo->number * 16 +
                                              (uint64_t)number};
    offline_write(hall->offline, &request, to);
}

/* Its first sentences, as many as fit: nobody holds a speech in the street. */
static struct str shortened(struct arena *arena, struct str text)
{
    struct buf line;
    buf_init(&line, TALK_BYTES);
    size_t end = 0, fits = 0;
    for (size_t chars = 0; end < text.len && chars < TURN_CHARS; chars++) {
        size_t next = utf8_character_end(text, end);
        struct str one = {text.at + end, next - end};
        end = next;
        if (utf8_count(str_head(text, end)) > TURN_CHARS) break;
        bool stop = str_eq(one, STR("。")) || str_eq(one, STR("！")) || str_eq(one, STR("？")) ||
                    str_eq(one, STR(".")) || str_eq(one, STR("!")) || str_eq(one, STR("?"));
        if (stop || end == text.len) fits = end;
    }
    if (!add_turn(&line, str_head(text, fits ? fits : text.len))) {
        buf_reset(&line, TALK_BYTES);
        buf_add_str(&line, STR("……"));
    }
    struct str copy = arena_copy(arena, buf_str(&line));
    buf_release(&line);
    return copy;
}

void talk_offline(struct todo *todo)
{
    struct str turn[TURNS_MOST];
    int count = talk_turns(&todo->effect);
    buf_reset(&todo->said, TALK_BYTES);
    todo->asked = (struct log_asked){0};
    for (int i = 0; i < count; i++) {
        struct buf said;
        buf_init(&said, TALK_BYTES);
        say_turn(todo, i, turn, &said);
        turn[i] = shortened(&todo->arena, buf_str(&said));
        buf_release(&said);
        if (i) buf_add_byte(&todo->said, '\n');
        buf_add_str(&todo->said, turn[i]);
    }
    atomic_fetch_add(&todo->hall->stats.words_offline, 1);
}

/* --- keeping it --- */

static struct str as_told(struct arena *arena, const struct hall *hall, const struct effect *effect,
                          struct str text)
{
    struct str turn[TURNS_MOST];
    int count = split(text, turn);
    struct buf to;
    buf_init(&to, 2 * TALK_BYTES);
    for (int i = 0; i < count; i++) {
        buf_printf(&to, "%s%.*s: %.*s", i ? "\n" : "",
                   STR_ARGS(player_name(&hall->cast, speaker(effect, i))), STR_ARGS(turn[i]));
    }
    struct str told = arena_copy(arena, buf_str(&to));
    buf_release(&to);
    return told;
}

enum err talk_log(struct todo *todo, struct str text, struct arena *arena, struct db *db,
                  int64_t now_us, struct why *why)
{
    const struct hall *hall = todo->hall;
    const struct effect *effect = &todo->effect;
    struct str told = as_told(arena, hall, effect, text);
    enum err err = OK;
    for (int i = 0; i < 2 && !err; i++) {
        struct effect own = *effect;
        own.who = speaker(effect, i);
        own.other = speaker(effect, i + 1);
        struct buf deed;
        buf_init(&deed, 512);
        phrase_deed(&deed, &hall->cast, &own);
        struct action_log log = log_of(arena, &hall->cast, &own);
        log.type = str_of(log_type_name(LOG_TALK));
        log.name = STR(TALK_LOGGED);
        log.description = buf_str(&deed);
        log.result = told;
        log.prompt = todo->asked.prompt;
        log.response = todo->asked.response;
        log.extra = log_extra(arena, (struct post_id){0}, (struct comment_id){0}, &todo->asked);
        log.success = true;
        log.created_us = now_us;
        err = action_logs_add(db, &log, why);
        buf_release(&deed);
    }
    return err;
}

/* --- telling it --- */

void talk_speak(struct todo *todo, struct str text)
{
    struct hall *hall = todo->hall;
    if (hall->speech_count == SPEECHES_MOST) return;
    struct speech *speech = NEW(struct speech);
    speech->effect = todo->effect;
    speech->turns = split(arena_copy(&speech->arena, text), speech->turn);
    list_add_last(&hall->speeches, &speech->link);
    hall->speech_count++;
}

static void speech_free(struct hall *hall, struct speech *speech)
{
    list_remove(&speech->link);
    hall->speech_count--;
    arena_release(&speech->arena);
    mem_free(speech);
}

/* The turns share the talk's minutes evenly. */
static int32_t minute_of_turn(const struct speech *speech, int turn)
{
    return speech->effect.at + turn * speech->effect.minutes / MAX(speech->turns, 1);
}

static void say_now(struct hall *hall, const struct speech *speech, int turn)
{
    uint32_t who = speaker(&speech->effect, turn), other = speaker(&speech->effect, turn + 1);
    struct buf text;
    buf_init(&text, 4 * TALK_BYTES);
    struct json_out out = json_begin(&text);
    json_open(&out, NULL, '{');
    json_put_str(&out, "event", STR("say"));
    json_open(&out, "data", '{');
    json_put_i64(&out, "minute", minute_of_turn(speech, turn));
    json_put_i64(&out, "until", minute_of_turn(speech, turn + 1));
    json_put_u64(&out, "id", cast_user(&hall->cast, who).value);
    json_put_u64(&out, "with_id", cast_user(&hall->cast, other).value);
    json_put_i64(&out, "turn", turn + 1);
    json_put_i64(&out, "turns", speech->turns);
    json_put_str(&out, "text", speech->turn[turn]);
    json_close(&out, '}');
    json_close(&out, '}');
    struct topic_name topic = topic_town(hall->row.id);
    struct event *event = event_new(&topic, 0, buf_str(&text), STR(""));
    hub_publish(hall->links.hub, &event, 1);
    buf_release(&text);
}

/* One of the two has moved out. */
static bool is_broken_off(const struct hall *hall, const struct speech *speech)
{
    return town_is_gone(hall->town, speech->effect.who) ||
           town_is_gone(hall->town, speech->effect.other);
}

void talk_go_on(struct hall *hall)
{
    int32_t now = town_now(hall->town);
    struct list *next;
    for (struct list *link = hall->speeches.next; link != &hall->speeches; link = next) {
        next = link->next;
        struct speech *speech = CONTAINER_OF(link, struct speech, link);
        if (is_broken_off(hall, speech)) speech->told = speech->turns;
        while (speech->told < speech->turns && minute_of_turn(speech, speech->told) <= now)
            say_now(hall, speech, speech->told++);
        if (speech->told == speech->turns) speech_free(hall, speech);
    }
}

void talk_release(struct hall *hall)
{
    while (hall->speeches.next != &hall->speeches)
        speech_free(hall, CONTAINER_OF(hall->speeches.next, struct speech, link));
}
