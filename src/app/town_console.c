/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * app/town_console.c: `hutong town`: the town of a community from the terminal.
 *
 * The town runs in this process, through the same hall as in the server: it
 * takes the lease, so a server on the same database lets it be and goes on with
 * it afterwards. It begins held: nothing moves until somebody says so.
 */
#include <ctype.h>

#include "app/command.h"
#include "app/open.h"
#include "app/page.h"
#include "app/prompt.h"
#include "app/town.h"
#include "app/town_lore.h"
#include "auth/username.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "community/letters.h"
#include "hub/redis.h"
#include "store/towns.h"
#include "townhall/budget.h"
#include "townhall/hall.h"
#include "townhall/town_file.h"

enum {
    CARDS_SHOWN = 50, /* residents in `status` */
    LOG_SHOWN = 20,
    LOG_MOST = 1000,
    JSON_BYTES = 64 * 1024 * 1024,
    STATE_BYTES_MAX = 1 << 30,
    SPEED_MOST = 600 * 1000, /* as POST /town/control takes it */
};

struct person {
    struct user_id id;
    struct str username, nickname;
};

struct console {
    struct args *args;
    struct arena arena;
    struct store *store;
    struct db *db;
    struct hub *hub;
    struct redis *redis;
    struct llm *llm;
    struct wiki_library *wikis;
    struct lore_source lore;
    struct hall *hall;
    struct prompt *prompt;
    struct person *people;
    size_t count, room;
    struct user as; /* id 0: nobody */
    bool held;
    bool leaving;
};

/* --- what the hall knows --- */

/* The town as it is, parsed; NULL after a sentence. */
static struct json *look(struct console *console, struct user_id resident)
{
    struct buf text;
    struct json *tree = NULL;
    struct why why;
    buf_init(&text, JSON_BYTES);
    enum err err = resident.value ? hall_write_resident(console->hall, resident,
                                                        (struct user_id){0}, &text, &why)
                                  : hall_write_town(console->hall, &text, &why);
    if (!err) err = json_parse(buf_str(&text), &tree, NULL, &why);
    if (err) printf("%s\n", why.text);
    buf_release(&text);
    return err ? NULL : tree;
}

static int64_t number_of(const struct json *tree, const char *key)
{
    int64_t number = 0;
    (void)!json_as_i64(json_get(tree, key), &number);
    return number;
}

static double real_of(const struct json *tree, const char *key)
{
    double number = 0;
    (void)!json_as_double(json_get(tree, key), &number);
    return number;
}

static struct str text_of(const struct json *tree, const char *key)
{
    struct str text = {0};
    (void)!json_as_str(json_get(tree, key), &text);
    return text;
}

static bool is_running(const struct json *town)
{
    bool running = false;
    (void)!json_as_bool(json_get(town, "running"), &running);
    return running;
}

static const struct person *person_of(const struct console *console, struct user_id id)
{
    for (size_t i = 0; i < console->count; i++)
        if (console->people[i].id.value == id.value) return &console->people[i];
    return NULL;
}

static void note_person(void *ctx, const struct town_person *person)
{
    struct console *console = ctx;
    if (person->banned) return; /* it has moved out */
    if (console->count == console->room) {
        console->room = MAX(console->room * 2, (size_t)64);
        console->people = mem_resize(console->people, console->room * sizeof(*console->people));
    }
    struct arena *arena = &console->args->arena;
    console->people[console->count++] = (struct person){
        person->user, arena_copy(arena, person->username), arena_copy(arena, person->nickname)};
}

static enum err note_people(struct console *console, struct why *why)
{
    struct town_row row;
    enum err err = towns_load_first(console->db, &console->arena, &row, why);
    console->count = 0;
    return err ? err : town_people_list(console->db, row.id, note_person, console, why);
}

/* Usernames are one's own, nicknames need not be. */
static const struct person *find_person(const struct console *console, struct str name,
                                        size_t *count_out)
{
    const struct person *found = NULL;
    *count_out = 0;
    for (size_t i = 0; i < console->count; i++) {
        const struct person *person = &console->people[i];
        if (str_eq_nocase(person->username, name)) {
            *count_out = 1;
            return person;
        }
        if (!str_eq_nocase(person->nickname, name)) continue;
        found = person;
        ++*count_out;
    }
    return found;
}

static void name_all(const struct console *console, struct str name)
{
    printf("several are called \"%.*s\"; by their usernames:", STR_ARGS(name));
    for (size_t i = 0; i < console->count; i++)
        if (str_eq_nocase(console->people[i].nickname, name))
            printf(" %.*s", STR_ARGS(console->people[i].username));
    puts("");
}

/* By username or nickname; after a sentence NULL. */
static const struct person *person_named(struct console *console, struct str name)
{
    struct why why;
    if (name.len == 0) {
        puts("of whom? `who` lists everybody");
        return NULL;
    }
    size_t count;
    const struct person *person = find_person(console, name, &count);
    /* It may have moved in since. */
    if (!person && note_people(console, &why) == OK) person = find_person(console, name, &count);
    if (count > 1) {
        name_all(console, name);
        return NULL;
    }
    if (person) return person;
    printf("nobody in the town is called \"%.*s\"; `who` lists everybody\n", STR_ARGS(name));
    return NULL;
}

/* --- commands: the clock --- */

/* False after a sentence. */
static bool control(struct console *console, enum hall_verb verb, uint64_t speed)
{
    struct why why;
    enum err err = hall_control(console->hall, verb, speed, &why);
    if (err) printf("%s\n", why.text);
    return !err;
}

/* "running", "paused", "stopped". */
static const char *state_of(const struct console *console, const struct json *town)
{
    return console->held ? "stopped" : is_running(town) ? "running" : "paused";
}

/* The same, asked for; NULL after a sentence. */
static const char *state(struct console *console)
{
    struct json *town = look(console, (struct user_id){0});
    const char *text = town ? state_of(console, town) : NULL;
    json_free(town);
    return text;
}

static void do_start(struct console *console, struct str rest)
{
    (void)rest;
    const char *now = state(console);
    if (!now) return;
    if (strcmp(now, "running") == 0) {
        puts("the town is already running");
    } else if (control(console, HALL_START, 0)) {
        console->held = false;
        puts("the town runs");
    }
}

static void do_stop(struct console *console, struct str rest)
{
    (void)rest;
    if (console->held) {
        puts("the town stands already");
    } else if (control(console, HALL_HOLD, 0)) {
        console->held = true;
        puts("the town stands");
    }
}

static void pause_or_resume(struct console *console, const char *wanted, enum hall_verb verb,
                            const char *done)
{
    const char *now = state(console);
    if (!now) return;
    if (strcmp(now, wanted) != 0)
        printf("the town is %s, not %s\n", now, wanted);
    else if (control(console, verb, 0))
        puts(done);
}

static void do_pause(struct console *console, struct str rest)
{
    (void)rest;
    pause_or_resume(console, "running", HALL_PAUSE, "paused");
}

static void do_resume(struct console *console, struct str rest)
{
    (void)rest;
    pause_or_resume(console, "paused", HALL_START, "the town runs again");
}

static void do_step(struct console *console, struct str rest)
{
    (void)rest;
    struct json *before = look(console, (struct user_id){0}), *after = NULL;
    if (before && strcmp(state_of(console, before), "running") == 0) {
        puts("the town is running; stop or pause it first");
    } else if (before && control(console, HALL_STEP, 0)) {
        after = look(console, (struct user_id){0});
    }
    if (after) {
        int64_t from = number_of(before, "minute"), to = number_of(after, "minute");
        printf("%s -> %s", town_time_text(&console->arena, from),
               town_time_text(&console->arena, to));
        if (to > from)
            printf(", %s skipped", page_count(&console->arena, (uint64_t)(to - from), "minute"));
        puts("");
        prompt_flush(console->prompt); /* who did what meanwhile */
    }
    json_free(before);
    json_free(after);
}

static void do_speed(struct console *console, struct str rest)
{
    uint64_t speed;
    if (!str_to_u64(rest, &speed) || speed < 1 || speed > SPEED_MOST)
        puts("speed takes game minutes in a real one, 1 to 600000");
    else if (control(console, HALL_SPEED, speed))
        printf("%llu game minutes in a real one\n", (unsigned long long)speed);
}

/* The town as it stands, as a checkpoint. False after a sentence. */
static bool copy_town(struct console *console, struct buf *state)
{
    struct why why;
    buf_init(state, STATE_BYTES_MAX);
    enum err err = hall_write_state(console->hall, state, &why);
    if (err) printf("%s\n", why.text);
    return !err;
}

static void save_to(struct console *console, const char *path)
{
    struct buf state;
    struct town *town = NULL;
    struct why why;
    static const struct town_note note;
    if (copy_town(console, &state)) {
        enum err err = town_read(buf_str(&state), &town, &why);
        if (!err) err = town_file_write(path, town, &note, &why);
        if (err)
            printf("%s\n", why.text);
        else
            printf("saved: %s, in %s\n", town_time_text(&console->arena, town_now(town)), path);
    }
    town_free(town);
    buf_release(&state);
}

static void do_save(struct console *console, struct str rest)
{
    if (rest.len) {
        save_to(console, arena_copy(&console->arena, rest).at);
        return;
    }
    if (!control(console, HALL_SAVE, 0)) return;
    struct json *town = look(console, (struct user_id){0});
    if (town) printf("saved: %s\n", town_time_text(&console->arena, number_of(town, "minute")));
    json_free(town);
}

/* What is chosen for a branch. */
struct chosen {
    struct study_choices choices;
    uint64_t seed;
    bool seeded;
};

/* NAME=VALUE. */
static enum err choose(struct chosen *chosen, struct str word, struct why *why)
{
    struct str value = word, name;
    int64_t number;
    (void)str_split(&value, '=', &name);
    if (str_eq(name, STR("seed"))) {
        chosen->seeded = str_to_u64(value, &chosen->seed);
        if (chosen->seeded) return OK;
        return why_set(why, ERR_INVALID, "seed is \"%.*s\"; allowed: 0 to 2^64 - 1",
                       STR_ARGS(value));
    }
    int option = study_option_find(name);
    if (option < 0)
        return why_set(why, ERR_INVALID,
                       "no setting is called \"%.*s\"; there are seed, days and what stands in "
                       "`hutong town --help` under run, with _ for -",
                       STR_ARGS(name));
    if (!str_to_i64(value, &number))
        return why_set(why, ERR_INVALID, "%.*s is \"%.*s\"; allowed: a whole number from %d to %d",
                       STR_ARGS(name), STR_ARGS(value), study_options[option].least,
                       study_options[option].most);
    return study_choose(&chosen->choices, option, number, why);
}

static void do_branch(struct console *console, struct str rest)
{
    struct str word, dir;
    struct chosen chosen = {0};
    struct buf state = {0};
    struct why why;
    if (!str_split(&rest, ' ', &dir) || dir.len == 0 || str_find_byte(dir, '=') < dir.len) {
        puts("branch takes a folder for its report, then what is to be another: `branch out "
             "days=7 extraversion=40`");
        return;
    }
    enum err err = OK;
    while (!err && str_split(&rest, ' ', &word))
        if (word.len) err = choose(&chosen, word, &why);
    if (!err && copy_town(console, &state)) {
        err = town_branch(console->args, buf_str(&state), &chosen.choices,
                          chosen.seeded ? &chosen.seed : NULL, arena_copy(&console->arena, dir).at,
                          false, NULL, &why);
        if (!err)
            puts("(rules decided in both, whatever decides in the town itself; with models: "
                 "`hutong town branch --mind model`)");
    }
    if (err) printf("%s\n", why.text);
    buf_release(&state);
}

/* --- commands: looking --- */

static void print_card(struct console *console, const struct json *resident)
{
    uint64_t id = (uint64_t)number_of(resident, "id");
    struct json *card = look(console, (struct user_id){id});
    if (!card) return;
    printf("%.*s: ", STR_ARGS(text_of(card, "name")));
    if (str_eq(text_of(card, "action"), STR("idle")))
        printf("idle");
    else
        printf("%.*s (%.*s)", STR_ARGS(text_of(card, "doing")), STR_ARGS(text_of(card, "action")));
    printf(", fatigue %.0f %%\n", real_of(json_get(card, "needs"), "fatigue"));
    json_free(card);
}

/* Nothing while no model was asked today: then the lines are those of the original. */
static void print_budget(const struct hall_stats *stats)
{
    uint64_t tokens = atomic_load(&stats->tokens), tokens_most = atomic_load(&stats->tokens_most);
    uint64_t micro = atomic_load(&stats->micro), micro_most = atomic_load(&stats->micro_most);
    const char *spent = budget_state_text((enum budget_state)atomic_load(&stats->budget));
    if (!tokens && !micro && !micro_most && !spent[0]) return;
    printf("models today: %llu", (unsigned long long)tokens);
    if (tokens_most) printf(" of %llu", (unsigned long long)tokens_most);
    printf(" tokens, money %.4f", (double)micro / 1e6);
    if (micro_most) printf(" of %.4f", (double)micro_most / 1e6);
    printf(spent[0] ? "; residents decide by themselves: %s\n" : "%s\n", spent);
}

static void do_status(struct console *console, struct str rest)
{
    (void)rest;
    struct json *town = look(console, (struct user_id){0});
    if (!town) return;
    const struct hall_stats *stats = hall_stats(console->hall);
    printf("%s, %lld game minutes in a real one\n", state_of(console, town),
           (long long)number_of(town, "speed"));
    printf("%s, %.*s, %.*s, %.1f °C outdoors\n",
           town_time_text(&console->arena, number_of(town, "minute")),
           STR_ARGS(text_of(town, "season")), STR_ARGS(text_of(town, "weather")),
           real_of(json_get(town, "temperature"), "outdoor"));
    printf("pending: %llu\n",
           (unsigned long long)(atomic_load(&stats->todo) + atomic_load(&stats->questions)));
    print_budget(stats);
    size_t shown = 0;
    for (const struct json *at = json_first(json_get(town, "residents")); at; at = json_after(at)) {
        if (++shown <= CARDS_SHOWN) print_card(console, at);
    }
    if (shown > CARDS_SHOWN) printf("… and %zu more; `who` lists them\n", shown - CARDS_SHOWN);
    json_free(town);
}

static void do_who(struct console *console, struct str rest)
{
    (void)rest;
    struct json *town = look(console, (struct user_id){0});
    for (const struct json *at = json_first(json_get(town, "residents")); at; at = json_after(at)) {
        const struct person *person =
            person_of(console, (struct user_id){(uint64_t)number_of(at, "id")});
        struct buf until;
        buf_init(&until, 64);
        game_clock_write(&until, (int32_t)number_of(at, "until"));
        printf("%.*s (%.*s): %.*s (%.*s) until %.*s\n", STR_ARGS(text_of(at, "name")),
               STR_ARGS(person ? person->username : STR("?")), STR_ARGS(text_of(at, "doing")),
               STR_ARGS(text_of(at, "action")), STR_ARGS(buf_str(&until)));
        buf_release(&until);
    }
    json_free(town);
}

/* Everybody who is there; `place` 0: on the way. */
static void print_place(const struct json *town, struct str name, int64_t place)
{
    bool any = false;
    for (const struct json *at = json_first(json_get(town, "residents")); at; at = json_after(at)) {
        if (number_of(at, "location_id") != place) continue;
        printf(any ? ", %.*s" : "%.*s: ", STR_ARGS(any ? text_of(at, "name") : name));
        if (!any) printf("%.*s", STR_ARGS(text_of(at, "name")));
        any = true;
    }
    if (any) puts("");
}

static void do_where(struct console *console, struct str rest)
{
    (void)rest;
    struct json *town = look(console, (struct user_id){0});
    for (const struct json *at = json_first(json_get(town, "locations")); at; at = json_after(at))
        print_place(town, text_of(at, "name"), number_of(at, "id"));
    print_place(town, STR("on the way"), 0);
    json_free(town);
}

static void do_memory(struct console *console, struct str rest)
{
    const struct person *person = person_named(console, rest);
    struct json *card = person ? look(console, person->id) : NULL;
    if (!card) return;
    size_t shown = 0;
    for (const struct json *at = json_first(json_get(card, "memories")); at; at = json_after(at)) {
        printf("[%s] %.*s (%.*s, %lld of 10)\n",
               town_time_text(&console->arena, number_of(at, "minute")),
               STR_ARGS(text_of(at, "content")), STR_ARGS(text_of(at, "type")),
               (long long)number_of(at, "importance"));
        shown++;
    }
    if (shown == 0) puts("nothing yet");
    json_free(card);
}

struct logbook {
    struct console *console;
    struct str lines[LOG_MOST];
    size_t count, wanted;
};

static void note_entry(void *ctx, const struct action_log *log)
{
    struct logbook *book = ctx;
    if (book->count == book->wanted) return;
    /* The words of a talk stand beside the deed of both. */
    if (str_eq(log->name, STR("conversation"))) return;
    const struct person *person = person_of(book->console, log->character);
    struct str name = person ? person->nickname : STR("?");
    book->lines[book->count++] =
        arena_printf(&book->console->arena, "[Day %d, %.*s] %.*s: %.*s (%.*s, %d min)\n", log->day,
                     STR_ARGS(log->time), STR_ARGS(name), STR_ARGS(log->description),
                     STR_ARGS(log->name), log->duration);
}

static void do_log(struct console *console, struct str rest)
{
    struct action_logs_query query = {.limit = LOG_SHOWN};
    struct why why;
    if (rest.len &&
        (!str_to_u64(rest, &query.limit) || query.limit < 1 || query.limit > LOG_MOST)) {
        puts("log takes how many entries, 1 to 1000");
        return;
    }
    struct logbook *book = NEW(struct logbook);
    book->console = console;
    book->wanted = query.limit;
    query.limit *= 2; /* for those that are not shown */
    if (action_logs_list(console->db, &query, note_entry, book, &why) != OK)
        printf("%s\n", why.text);
    else if (book->count == 0)
        puts("nothing has been done yet");
    while (book->count > 0) {
        struct str line = book->lines[--book->count];
        printf("%.*s", STR_ARGS(line));
    }
    mem_free(book);
}

/* --- commands: telling --- */

struct letter {
    struct console *console;
    struct arena arena;
    struct letter_draft draft;
    struct act act;
};

static enum err apply_letter(void *ctx, struct db *db, struct why *why)
{
    struct letter *letter = ctx;
    struct message message;
    const struct user *as = &letter->console->as;
    arena_reset(&letter->arena);
    act_init(&letter->act, db, &letter->arena, clock_wall_us(), as->brief.id, as->role);
    enum err err = letters_send(&letter->act, &letter->draft, &message, why);
    return err ? err : act_store(&letter->act, why);
}

static void do_tell(struct console *console, struct str rest)
{
    struct str name, text = rest;
    if (!str_split(&text, ' ', &name)) name = STR("");
    text = str_trim(text);
    if (console->as.brief.id.value == 0) {
        puts("who tells it? Start `hutong town --as USERNAME`");
        return;
    }
    const struct person *person = person_named(console, name);
    if (!person) return;
    struct letter letter = {.console = console, .draft = {.to = person->id, .content = text}};
    struct why why;
    if (store_write(console->store, console->db, apply_letter, &letter, &why) != OK) {
        printf("%s\n", why.text);
    } else {
        act_publish(&letter.act, console->hub);
        printf("told %.*s, who notices when it looks at its phone\n", STR_ARGS(person->nickname));
    }
    arena_release(&letter.arena);
}

/* --- the table of commands --- */

static void do_help(struct console *console, struct str rest);

static void do_quit(struct console *console, struct str rest)
{
    (void)rest;
    console->leaving = true;
}

static const struct verb {
    const char *name, *words, *help; /* help NULL: another name of one above */
    void (*run)(struct console *console, struct str rest);
    bool names; /* its first word is a resident's name */
} verbs[] = {
    {"start", "", "let the town run", do_start, false},
    {"stop", "", "let it stand; here only, nothing is stored of that", do_stop, false},
    {"pause", "", "pause it; it stays paused in `hutong serve`, too", do_pause, false},
    {"resume", "", "go on after a pause", do_resume, false},
    {"step", "", "to the next end of a deed", do_step, false},
    {"speed", "N", "game minutes in a real one", do_speed, false},
    {"status", "", "the clock, the sky, and what everybody does", do_status, false},
    {"who", "", "everybody, until when they do what they do", do_who, false},
    {"where", "", "places and who is there", do_where, false},
    {"memory", "NAME", "the newest of what a resident remembers", do_memory, true},
    {"log", "[N]", "the last entries of the action log, 20 without N", do_log, false},
    {"tell", "NAME TEXT", "write to a resident, as the member of --as", do_tell, true},
    {"save", "[FILE]", "write a checkpoint now; into FILE, for `town run --from`", do_save, false},
    {"branch", "DIR NAME=N…",
     "let a copy live on with another setting, by the rules, and report into DIR", do_branch,
     false},
    {"help", "", "this list", do_help, false},
    {"quit", "", "leave; so do exit, q, Ctrl-D and Ctrl-C", do_quit, false},
    {"exit", "", NULL, do_quit, false},
    {"q", "", NULL, do_quit, false},
};

static void do_help(struct console *console, struct str rest)
{
    (void)console, (void)rest;
    for (size_t i = 0; i < COUNT_OF(verbs); i++) {
        if (!verbs[i].help) continue;
        int used = printf("  %s %s", verbs[i].name, verbs[i].words);
        printf("%*s%s\n", MAX(18 - used, 1), "", verbs[i].help);
    }
}

static const struct verb *verb_named(struct str name)
{
    for (size_t i = 0; i < COUNT_OF(verbs); i++)
        if (str_eq_nocase(str_of(verbs[i].name), name)) return &verbs[i];
    return NULL;
}

static void obey(struct console *console, struct str line)
{
    struct str word, rest = line;
    if (!str_split(&rest, ' ', &word) || word.len == 0) return;
    const struct verb *verb = verb_named(word);
    if (verb)
        verb->run(console, str_trim(rest));
    else
        printf("there is no command \"%.*s\"; `help` lists them\n", STR_ARGS(word));
    arena_reset(&console->arena);
}

/* --- completion --- */

static bool has_blank(struct str text)
{
    return str_find_byte(text, ' ') < text.len;
}

/* A prompt_words: commands, then names. */
static const char *word_at(void *ctx, size_t place, size_t n)
{
    const struct console *console = ctx;
    if (place == 0) return n < COUNT_OF(verbs) ? verbs[n].name : NULL;
    if (place > 1) return NULL;
    size_t count = console->count;
    for (; n < 2 * count; n++) {
        const struct person *person = &console->people[n / 2];
        struct str name = n % 2 ? person->username : person->nickname;
        if (!has_blank(name)) return name.at;
        /* One that cannot be written as a word is offered as its other name, twice. */
        return person->username.at;
    }
    return NULL;
}

/* --- opening and closing --- */

static void on_line(void *ctx, struct str lines)
{
    prompt_say(ctx, lines);
}

static enum err find_teller(struct console *console, struct why *why)
{
    const char *name = args_option(console->args, "as");
    struct arena *arena = &console->args->arena;
    struct str hash;
    if (!name) return OK;
    enum err err = users_load_login(console->db, arena, username_key(arena, str_of(name)),
                                    &console->as, &hash, why);
    if (err == ERR_NOT_FOUND) return why_set(why, err, "no member is called \"%s\"", name);
    if (!err && (console->as.brief.is_ai || console->as.banned))
        return why_set(why, ERR_DENIED, "%s is %s, and cannot tell anybody anything", name,
                       console->as.banned ? "banned" : "a resident");
    return err;
}

/* What to do about it. */
static enum err mend(struct console *console, enum err err, struct why *why)
{
    if (err == ERR_NOT_FOUND)
        return why_set(why, err,
                       "there are no residents, or no places for them; `hutong serve --demo` makes "
                       "both in an empty community, `hutong resident add NAME` a resident, and an "
                       "administrator makes the places in the app, at /manage/residents (POST "
                       "/admin/settlers)");
    return err == ERR_BUSY ? town_say_who_runs_it(console->db, &console->arena, why) : err;
}

static enum err open_town(struct console *console, struct why *why)
{
    struct settings *settings = &console->args->settings;
    settings->town = true; /* `off` is said to servers */
    enum err err = llm_open(settings, &console->llm, why);
    if (err) return err;
    console->hub = hub_new();
    if (settings->redis.len) err = redis_open(settings->redis, console->hub, &console->redis, why);
    struct hall_links links = {.settings = settings,
                               .store = console->store,
                               .hub = console->hub,
                               .llm = console->llm,
                               .lore = &console->lore,
                               .held = true,
                               .tell = on_line,
                               .tell_ctx = console->prompt};
    if (!err) err = wiki_library_open(settings, console->store, false, &console->wikis, why);
    console->lore = town_lore(console->wikis);
    if (!err) err = hall_open(&links, &console->hall, why);
    if (!err) err = hall_find_town(console->hall, why);
    if (err) return mend(console, err, why);
    return note_people(console, why);
}

static enum err open_console(struct console *console, struct why *why)
{
    struct settings *settings = &console->args->settings;
    struct db *db = NULL;
    console->held = true;
    bool to_file = settings->log_file.len && !str_eq(settings->log_file, STR("-"));
    enum err err = to_file ? open_log(settings, why) : log_open(NULL, LOG_ERROR, why);
    if (!err) err = open_to_look(settings, &db, why); /* no town in a new community */
    if (err) return err;
    db_close(db);
    err = prompt_open("town> ", word_at, console, &console->prompt, why);
    if (!err) err = open_store(settings, &console->store, &console->db, why);
    if (!err) err = find_teller(console, why);
    return err ? err : open_town(console, why);
}

static void close_console(struct console *console)
{
    hall_close(console->hall);
    wiki_library_close(console->wikis);
    prompt_close(console->prompt);
    db_close(console->db);
    if (console->db) store_close(console->store);
    redis_close(console->redis);
    llm_free(console->llm);
    redis_free(console->redis);
    hub_free(console->hub);
    mem_free(console->people);
    arena_release(&console->arena);
}

/* --- the two ways --- */

static void greet(struct console *console)
{
    struct json *town = look(console, (struct user_id){0});
    if (!town) return;
    printf("%s, %s. The town stands; `start`, `step`, `help`.\n",
           page_count(&console->arena, console->count, "resident"),
           town_time_text(&console->arena, number_of(town, "minute")));
    json_free(town);
}

static void converse(struct console *console)
{
    struct str line;
    greet(console);
    while (!console->leaving && prompt_read(console->prompt, &line)) obey(console, line);
}

static void take_steps(struct console *console, uint64_t steps)
{
    struct str line;
    for (uint64_t i = 1; i <= steps; i++) {
        printf("step %llu of %llu: Enter, or q to end\n", (unsigned long long)i,
               (unsigned long long)steps);
        if (!prompt_read(console->prompt, &line) || str_eq_nocase(line, STR("q"))) break;
        do_step(console, STR(""));
        arena_reset(&console->arena);
    }
    struct json *town = look(console, (struct user_id){0});
    if (town) printf("the end: %s\n", town_time_text(&console->arena, number_of(town, "minute")));
    json_free(town);
}

int run_town_console(struct args *args)
{
    struct console console = {.args = args};
    struct why why;
    uint64_t steps = 0;
    bool stepwise = args_option(args, "step") != NULL;
    if (stepwise && (!args_number(args, "step", 0, &steps) || steps < 1))
        return usage_error("--step is \"%s\"; allowed: a whole number from 1",
                           args_option(args, "step"));
    enum err err = open_console(&console, &why);
    if (!err && stepwise)
        take_steps(&console, steps);
    else if (!err)
        converse(&console);
    close_console(&console);
    return err ? fail(&why) : 0;
}
