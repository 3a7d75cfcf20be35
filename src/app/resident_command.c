/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * app/resident_command.c: `hutong resident`: who lives in the town, from the
 * terminal and out of files.
 *
 * A profile is the original's: text, or JSON with description, occupation, age
 * and so on in `bio`. What is exported is imported again as it was: a `bio` that
 * is such JSON is written as an object and checked key by key; any other text
 * stays text and is taken as it stands.
 */
#include <errno.h>
#include <unistd.h>

#include "app/command.h"
#include "app/open.h"
#include "app/page.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "community/accounts.h"
#include "store/migrate.h"
#include "store/towns.h"

enum {
    FILE_BYTES_MAX = 32 * 1024 * 1024,
    BIO_BYTES_MAX = 16 * 1024, /* MariaDB's TEXT takes 64 KiB */
    AGE_LEAST = 6,
    AGE_MOST = 120, /* as townhall/cast.c takes them */
};

struct entry {
    struct str username, nickname, bio, personality;
    struct user_id id; /* once it is added */
};

/* --- a profile out of JSON --- */

struct reading {
    struct arena *arena;
    size_t number; /* of the entry, from 1; 0: there is only one */
    struct str username;
};

static enum err wrong(const struct reading *reading, const char *field, const char *allowed,
                      struct why *why)
{
    char place[40] = "the profile";
    if (reading->number) snprintf(place, sizeof(place), "entry %zu", reading->number);
    const char *gap = *field ? " " : "";
    if (reading->username.len == 0)
        return why_set(why, ERR_INVALID, "%s: %s%s%s", place, field, gap, allowed);
    return why_set(why, ERR_INVALID, "%s (%.*s): %s%s%s", place, STR_ARGS(reading->username), field,
                   gap, allowed);
}

static bool is_list_of_texts(const struct json *value)
{
    if (json_kind(value) != JSON_ARRAY) return false;
    for (const struct json *at = json_first(value); at; at = json_after(at))
        if (json_kind(at) != JSON_STRING) return false;
    return true;
}

static bool is_age(const struct json *value)
{
    uint64_t age;
    return json_as_u64(value, &age) && age >= AGE_LEAST && age <= AGE_MOST;
}

/* What stands wrong in a `bio` of the original's keys; NULL: nothing. Others may stand beside. */
static const char *wrong_in_bio(const struct json *bio, const char **allowed_out)
{
    enum form { TEXT, AGE, TEXTS, TEXT_OR_TEXTS, TABLE };
    static const struct {
        const char *key, *field;
        enum form form;
    } keys[] = {
        {"description", "bio.description", TEXT},
        {"occupation", "bio.occupation", TEXT},
        {"age", "bio.age", AGE},
        {"gender", "bio.gender", TEXT},
        {"speaking_style", "bio.speaking_style", TEXT},
        {"goals", "bio.goals", TEXTS},
        {"daily_routine", "bio.daily_routine", TABLE},
        {"personality_traits", "bio.personality_traits", TEXT_OR_TEXTS},
    };
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        const struct json *value = json_get(bio, keys[i].key);
        if (!value) continue;
        enum json_kind kind = json_kind(value);
        bool fine = false;
        switch (keys[i].form) {
        case TEXT:
            fine = kind == JSON_STRING;
            *allowed_out = "must be text";
            break;
        case AGE:
            fine = is_age(value);
            *allowed_out = "must be a whole number from 6 to 120";
            break;
        case TEXTS:
            fine = is_list_of_texts(value);
            *allowed_out = "must be a list of texts";
            break;
        case TEXT_OR_TEXTS:
            fine = kind == JSON_STRING || is_list_of_texts(value);
            *allowed_out = "must be text or a list of texts";
            break;
        case TABLE:
            fine = kind == JSON_OBJECT;
            *allowed_out = "must be an object, times and what is done then";
            break;
        }
        if (!fine) return keys[i].field;
    }
    return NULL;
}

static struct str tree_text(struct arena *arena, const struct json *tree)
{
    struct buf buf;
    buf_init(&buf, FILE_BYTES_MAX);
    struct json_out out = json_begin(&buf);
    json_put_tree(&out, NULL, tree);
    struct str text = arena_copy(arena, buf_str(&buf));
    buf_release(&buf);
    return text;
}

static enum err read_bio(const struct reading *reading, const struct json *value,
                         struct str *bio_out, struct why *why)
{
    const char *allowed = "";
    if (json_kind(value) == JSON_OBJECT) {
        const char *field = wrong_in_bio(value, &allowed);
        if (field) return wrong(reading, field, allowed, why);
        *bio_out = tree_text(reading->arena, value);
    } else if (json_as_str(value, bio_out)) {
        *bio_out = arena_copy(reading->arena, *bio_out);
    } else if (json_kind(value) != JSON_NULL) {
        return wrong(reading, "bio", "must be text or an object", why);
    }
    return OK;
}

/* Text, or a list of traits. */
static enum err read_personality(const struct reading *reading, const struct json *value,
                                 struct str *out, struct why *why)
{
    struct str one;
    if (json_as_str(value, &one)) {
        *out = arena_copy(reading->arena, one);
    } else if (is_list_of_texts(value)) {
        for (const struct json *at = json_first(value); at; at = json_after(at)) {
            if (!json_as_str(at, &one)) continue;
            *out = out->len
                       ? arena_printf(reading->arena, "%.*s,%.*s", STR_ARGS(*out), STR_ARGS(one))
                       : arena_copy(reading->arena, one);
        }
    } else if (json_kind(value) != JSON_NULL) {
        return wrong(reading, "personality", "must be text or a list of texts", why);
    }
    return OK;
}

/* What accounts_create() does not look at. */
static enum err check_lengths(const struct reading *reading, struct entry *entry, struct why *why)
{
    struct why inner;
    struct str kept;
    if (entry->bio.len > BIO_BYTES_MAX) return wrong(reading, "bio", "is longer than 16 KiB", why);
    if (entry->bio.len && text_check("bio", entry->bio, 0, BIO_BYTES_MAX, &kept, &inner) != OK)
        return wrong(reading, "", inner.text, why);
    if (entry->personality.len &&
        text_check("personality", entry->personality, 0, LIMIT_BIO_MAX, &kept, &inner) != OK)
        return wrong(reading, "", inner.text, why);
    return OK;
}

/* The texts live in the reading's arena. */
static enum err read_entry(struct reading *reading, const struct json *value, struct entry *entry,
                           struct why *why)
{
    static const char *const keys[] = {"username", "nickname", "bio", "personality"};
    struct str text;
    if (json_as_str(json_get(value, "username"), &text))
        reading->username = arena_copy(reading->arena, text);
    if (json_kind(value) != JSON_OBJECT) return wrong(reading, "this", "must be an object", why);
    for (const struct json *at = json_first(value); at; at = json_after(at)) {
        bool known = false;
        for (size_t i = 0; i < COUNT_OF(keys); i++) known |= strcmp(json_name(at), keys[i]) == 0;
        if (!known)
            return wrong(reading, arena_printf(reading->arena, "\"%s\"", json_name(at)).at,
                         "is no field; there are username, nickname, bio and personality", why);
    }
    if (reading->username.len == 0) return wrong(reading, "username", "must be text", why);
    *entry = (struct entry){.username = reading->username, .nickname = reading->username};
    const struct json *nickname = json_get(value, "nickname");
    if (json_as_str(nickname, &text)) {
        entry->nickname = arena_copy(reading->arena, text);
    } else if (nickname) {
        return wrong(reading, "nickname", "must be text", why);
    }
    const struct json *bio = json_get(value, "bio"), *traits = json_get(value, "personality");
    enum err err = bio ? read_bio(reading, bio, &entry->bio, why) : OK;
    if (!err && traits) err = read_personality(reading, traits, &entry->personality, why);
    return err ? err : check_lengths(reading, entry, why);
}

/* --- into the community --- */

struct adding {
    struct arena arena;
    struct entry *entries;
    size_t count;
    bool numbered; /* sentences name the entry */
};

static enum err add_entry(struct adding *adding, struct db *db, size_t index, struct why *why)
{
    struct entry *entry = &adding->entries[index];
    struct account_draft draft = {.username = entry->username,
                                  .nickname = entry->nickname,
                                  .bio = entry->bio,
                                  .personality = entry->personality,
                                  .is_ai = true,
                                  .role = ROLE_RESIDENT};
    struct act act;
    struct user user;
    struct why inner;
    act_init(&act, db, &adding->arena, clock_wall_us(), (struct user_id){0}, ROLE_ADMIN);
    enum err err = accounts_create(&act, &draft, &user, &inner);
    if (err == ERR_CONFLICT) (void)why_set(&inner, err, "the name is taken");
    if (err && adding->numbered)
        return why_set(why, err, "entry %zu (%.*s): %s", index + 1, STR_ARGS(entry->username),
                       inner.text);
    if (err) return why_set(why, err, "%s", inner.text);
    entry->id = user.brief.id;
    return OK;
}

static enum err apply_entries(void *ctx, struct db *db, struct why *why)
{
    struct adding *adding = ctx;
    enum err err = OK;
    for (size_t i = 0; i < adding->count && !err; i++) err = add_entry(adding, db, i, why);
    return err;
}

/* Says what the town makes of it. */
static void tell_of_town(struct adding *adding, struct db *db)
{
    struct town_row row;
    struct why why;
    if (towns_load_first(db, &adding->arena, &row, &why) != OK) return;
    printf("%s into the town within seconds, or when it is next run\n",
           adding->count == 1 ? "It moves" : "They move");
}

static int add_all(struct args *args, struct adding *adding)
{
    struct store *store;
    struct db *db;
    struct why why;
    enum err err = open_store(&args->settings, &store, &db, &why);
    if (err) return fail(&why);
    err = store_write(store, db, apply_entries, adding, &why);
    if (!err && !adding->numbered)
        printf("added resident %.*s, id %llu\n", STR_ARGS(adding->entries[0].username),
               (unsigned long long)adding->entries[0].id.value);
    if (!err && adding->numbered)
        printf("added %s\n", page_count(&args->arena, adding->count, "resident"));
    if (!err && adding->count > 0) tell_of_town(adding, db);
    db_close(db);
    store_close(store);
    return err ? fail(&why) : 0;
}

/* --- out of a file --- */

/* "-" is standard input. In `arena`. */
static enum err read_file(struct arena *arena, const char *path, struct str *text_out,
                          struct why *why)
{
    bool input = strcmp(path, "-") == 0;
    FILE *file = input ? stdin : fopen(path, "re");
    if (!file) return why_set(why, ERR_IO, "cannot open %s: %s", path, strerror(errno));
    struct buf text;
    buf_init(&text, FILE_BYTES_MAX);
    char bytes[16 * 1024];
    size_t len;
    while ((len = fread(bytes, 1, sizeof(bytes), file)) > 0) buf_add(&text, bytes, len);
    enum err err = OK;
    if (ferror(file)) err = why_set(why, ERR_IO, "cannot read %s", path);
    if (!err && text.failed) err = why_set(why, ERR_LIMIT, "%s is longer than 32 MiB", path);
    if (!err) *text_out = arena_copy(arena, buf_str(&text));
    if (!input) fclose(file);
    buf_release(&text);
    return err;
}

static enum err parse_file(struct arena *arena, const char *path, struct json **tree_out,
                           struct why *why)
{
    struct str text = {0};
    struct why inner;
    size_t at = 0, line = 1;
    enum err err = read_file(arena, path, &text, why);
    if (err || json_parse(text, tree_out, &at, &inner) == OK) return err;
    for (size_t i = 0; i < at && i < text.len; i++) line += text.at[i] == '\n';
    return why_set(why, ERR_INVALID, "%s, line %zu: %s",
                   strcmp(path, "-") ? path : "standard input", line, inner.text);
}

/* A list, {"residents": [...]}, or one alone. */
static enum err read_entries(struct adding *adding, const struct json *tree, struct why *why)
{
    const struct json *list = json_get(tree, "residents");
    if (!list) list = tree;
    if (json_kind(list) == JSON_OBJECT) {
        struct reading reading = {.arena = &adding->arena};
        adding->entries = ARENA_NEW(&adding->arena, struct entry);
        adding->count = 1;
        return read_entry(&reading, list, adding->entries, why);
    }
    if (json_kind(list) != JSON_ARRAY)
        return why_set(why, ERR_INVALID, "a list of residents is expected");
    size_t count = 0;
    for (const struct json *at = json_first(list); at; at = json_after(at)) count++;
    adding->entries = ARENA_ARRAY(&adding->arena, struct entry, count + 1);
    enum err err = OK;
    for (const struct json *at = json_first(list); at && !err; at = json_after(at)) {
        struct reading reading = {.arena = &adding->arena, .number = adding->count + 1};
        err = read_entry(&reading, at, &adding->entries[adding->count++], why);
    }
    return err;
}

static int add_from_file(struct args *args, const char *path, bool one)
{
    struct adding adding = {.numbered = !one};
    struct json *tree = NULL;
    struct why why;
    enum err err = parse_file(&adding.arena, path, &tree, &why);
    if (!err && one && json_kind(tree) != JSON_OBJECT)
        err =
            why_set(&why, ERR_INVALID, "one profile is expected; `resident import -` takes lists");
    if (!err) err = read_entries(&adding, tree, &why);
    json_free(tree);
    int status = err ? fail(&why) : add_all(args, &adding);
    arena_release(&adding.arena);
    return status;
}

/* --- add --- */

static int add_one(struct args *args, const char *name)
{
    const char *nickname = args_option(args, "nickname");
    struct entry entry = {.username = str_of(name),
                          .nickname = str_of(nickname ? nickname : name),
                          .bio = str_of(args_option(args, "bio")),
                          .personality = str_of(args_option(args, "personality"))};
    struct adding adding = {.entries = &entry, .count = 1};
    struct reading reading = {.arena = &adding.arena, .username = entry.username};
    struct json *bio = NULL;
    struct why why;
    const char *field = NULL, *allowed = "";
    /* Text that is meant as a profile ought to be one. */
    if (entry.bio.len && entry.bio.at[0] == '{' && json_parse(entry.bio, &bio, NULL, &why) == OK)
        field = wrong_in_bio(bio, &allowed);
    json_free(bio);
    enum err err = field ? wrong(&reading, field, allowed, &why) : OK;
    if (!err) err = check_lengths(&reading, &entry, &why);
    int status = err ? fail(&why) : add_all(args, &adding);
    arena_release(&adding.arena);
    return status;
}

static int add(struct args *args)
{
    const char *name = args_option(args, "username");
    if (args->word_count == 2 && !name)
        name = args->words[1];
    else if (args->word_count != 1 || !name)
        return usage_error("resident add needs one NAME, or - to read a profile");
    if (strcmp(name, "-") != 0) return add_one(args, name);
    static const char *const own[] = {"nickname", "bio", "personality"};
    for (size_t i = 0; i < COUNT_OF(own); i++)
        if (args_option(args, own[i]))
            return usage_error("--%s stands in the profile that is read", own[i]);
    return add_from_file(args, "-", true);
}

/* --- list and export --- */

struct census {
    struct arena arena;
    struct member {
        struct town_person person;
        bool homeless;
    } * members;
    size_t count, room;
    bool homeless; /* those that are told now */
};

static void take_member(void *ctx, const struct town_person *person)
{
    struct census *census = ctx;
    if (census->count == census->room) {
        size_t room = census->room ? census->room * 2 : 64;
        struct member *members = ARENA_ARRAY(&census->arena, struct member, room);
        if (census->count) memcpy(members, census->members, census->count * sizeof(*members));
        census->members = members;
        census->room = room;
    }
    struct member *member = &census->members[census->count++];
    *member = (struct member){*person, census->homeless || person->banned};
    struct str *texts[] = {&member->person.username, &member->person.nickname, &member->person.bio,
                           &member->person.personality};
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        if (texts[i]->at) *texts[i] = arena_copy(&census->arena, *texts[i]);
}

static int by_id(const void *a, const void *b)
{
    const struct member *x = a, *y = b;
    return (x->person.user.value > y->person.user.value) -
           (x->person.user.value < y->person.user.value);
}

static enum err take_census(struct args *args, struct census *census, bool *town_out,
                            struct why *why)
{
    struct db *db = NULL;
    struct town_row row;
    enum err err = open_to_look(&args->settings, &db, why);
    if (!err) err = migrate_check(db, embedded_files, why);
    if (!err) {
        err = towns_load_first(db, &census->arena, &row, why);
        *town_out = !err;
        if (!err) err = town_people_list(db, row.id, take_member, census, why);
        if (err == ERR_NOT_FOUND) err = OK;
    }
    census->homeless = true;
    if (!err) err = town_homeless_list(db, take_member, census, why);
    db_close(db);
    if (!err && census->count)
        qsort(census->members, census->count, sizeof(*census->members), by_id);
    return err;
}

/* As an object, if that is imported again. */
static void put_bio(struct json_out *out, struct str bio)
{
    struct json *tree = NULL;
    struct why why;
    const char *allowed;
    bool profile = bio.len && bio.at[0] == '{' && json_parse(bio, &tree, NULL, &why) == OK &&
                   json_kind(tree) == JSON_OBJECT && !wrong_in_bio(tree, &allowed);
    if (profile)
        json_put_tree(out, "bio", tree);
    else
        json_put_str(out, "bio", bio);
    json_free(tree);
}

static void put_member(struct json_out *out, const struct member *member, bool whole)
{
    const struct town_person *person = &member->person;
    json_open(out, NULL, '{');
    if (whole) json_put_u64(out, "id", person->user.value);
    json_put_str(out, "username", person->username);
    json_put_str(out, "nickname", person->nickname);
    if (person->bio.at) put_bio(out, person->bio);
    if (person->personality.at) json_put_str(out, "personality", person->personality);
    if (whole) json_put_bool(out, "in_town", !member->homeless);
    json_close(out, '}');
}

/* One on a line, so that two exports can be compared. */
static void print_json(const struct census *census, bool whole)
{
    fputs("[", stdout);
    for (size_t i = 0; i < census->count; i++) {
        struct buf buf;
        buf_init(&buf, FILE_BYTES_MAX);
        struct json_out out = json_begin(&buf);
        put_member(&out, &census->members[i], whole);
        printf("%s\n%.*s", i ? "," : "", STR_ARGS(buf_str(&buf)));
        buf_release(&buf);
    }
    puts(census->count ? "\n]" : "]");
}

static void print_table(const struct census *census, bool town)
{
    for (size_t i = 0; i < census->count; i++) {
        const struct town_person *person = &census->members[i].person;
        printf("%6llu  %-24.*s %.*s%s\n", (unsigned long long)person->user.value,
               STR_ARGS(person->username), STR_ARGS(person->nickname),
               town && census->members[i].homeless ? "  (not in the town)" : "");
    }
}

static int show(struct args *args, bool export)
{
    struct census census = {0};
    struct why why;
    bool town = false;
    enum err err = take_census(args, &census, &town, &why);
    if (!err && export)
        print_json(&census, false);
    else if (!err && args_option(args, "json"))
        print_json(&census, true);
    else if (!err)
        print_table(&census, town);
    arena_release(&census.arena);
    if (err) return fail(&why);
    if (fflush(stdout) == 0 && !ferror(stdout)) return 0;
    (void)why_set(&why, ERR_IO, "cannot write: %s", strerror(errno));
    return fail(&why);
}

/* --- the command --- */

int run_resident(struct args *args)
{
    struct why why;
    if (log_open(NULL, LOG_ERROR, &why)) return fail(&why); /* the sentences say it all */
    const char *verb = args->word_count > 0 ? args->words[0] : "";
    if (strcmp(verb, "add") == 0) return add(args);
    if (strcmp(verb, "list") == 0 && args->word_count == 1) return show(args, false);
    if (strcmp(verb, "export") == 0 && args->word_count == 1) return show(args, true);
    if (strcmp(verb, "import") == 0 && args->word_count == 2)
        return add_from_file(args, args->words[1], false);
    return usage_error("resident: say `add NAME`, `list`, `import FILE` or `export`");
}
