/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * app/resident_command.c: `hutong resident`: who lives in the town, from the
 * terminal and out of files. What a profile is: community/residents.h.
 */
#include <errno.h>
#include <unistd.h>

#include "app/command.h"
#include "app/open.h"
#include "app/page.h"
#include "auth/username.h"
#include "base/clock.h"
#include "base/log.h"
#include "community/residents.h"
#include "store/migrate.h"
#include "store/towns.h"
#include "store/wikis.h"

/* --- what it knows about --- */

/* The number of the wiki that --wiki names. */
static enum err find_wiki(struct db *db, struct arena *arena, const char *word, uint64_t *id_out,
                          struct why *why)
{
    const struct wiki_reader everything = {.admin = true};
    struct wiki wiki;
    enum err err = wikis_named(db, arena, &everything, str_of(word), &wiki, why);
    if (err == ERR_NOT_FOUND)
        return why_set(why, err,
                       "there is no wiki called %s; hutong wiki list shows those there are", word);
    if (!err) *id_out = wiki.id;
    return err;
}

/* --- into the community --- */

struct adding {
    struct arena arena;
    struct newcomers newcomers;
    const char *wiki; /* of the only one; NULL: none */
};

static enum err apply(void *ctx, struct db *db, struct why *why)
{
    struct adding *adding = ctx;
    struct act act;
    struct newcomers *newcomers = &adding->newcomers;
    act_init(&act, db, &adding->arena, clock_wall_us(), (struct user_id){0}, ROLE_ADMIN);
    enum err err = OK;
    if (adding->wiki)
        err = find_wiki(db, &adding->arena, adding->wiki, &newcomers->list[0].wiki, why);
    return err ? err : newcomers_add(&act, newcomers, why);
}

/* Says what the town makes of it. */
static void tell_of_town(struct adding *adding, struct db *db)
{
    struct town_row row;
    struct why why;
    if (towns_load_first(db, &adding->arena, &row, &why) != OK) return;
    printf("%s into the town within seconds, or when it is next run\n",
           adding->newcomers.count == 1 ? "It moves" : "They move");
}

static int add_all(struct args *args, struct adding *adding)
{
    struct store *store;
    struct db *db;
    struct why why;
    enum err err = open_store(&args->settings, &store, &db, &why);
    if (err) return fail(&why);
    const struct newcomers *newcomers = &adding->newcomers;
    err = store_write(store, db, apply, adding, &why);
    if (!err && !newcomers->numbered)
        printf("added resident %.*s, id %llu\n", STR_ARGS(newcomers->list[0].username),
               (unsigned long long)newcomers->list[0].id.value);
    if (!err && newcomers->numbered)
        printf("added %s\n", page_count(&args->arena, newcomers->count, "resident"));
    if (!err && newcomers->count > 0) tell_of_town(adding, db);
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
    buf_init(&text, RESIDENTS_BYTES_MAX);
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

/* What --wiki says; NULL: nothing. */
static const char *wiki_option(const struct args *args)
{
    const char *word = args_option(args, "wiki");
    return word && strcmp(word, "none") != 0 ? word : NULL;
}

static int add_from_file(struct args *args, const char *path, bool one)
{
    struct adding adding = {.wiki = one ? wiki_option(args) : NULL};
    struct json *tree = NULL;
    struct why why;
    enum err err = parse_file(&adding.arena, path, &tree, &why);
    if (!err && one && json_kind(tree) != JSON_OBJECT)
        err =
            why_set(&why, ERR_INVALID, "one profile is expected; `resident import -` takes lists");
    if (!err) err = newcomers_read(&adding.arena, tree, &adding.newcomers, &why);
    adding.newcomers.numbered = !one;
    json_free(tree);
    int status = err ? fail(&why) : add_all(args, &adding);
    arena_release(&adding.arena);
    return status;
}

/* --- add --- */

static int add_one(struct args *args, const char *name)
{
    const char *nickname = args_option(args, "nickname");
    struct newcomer newcomer = {.username = str_of(name),
                                .nickname = str_of(nickname ? nickname : name),
                                .bio = str_of(args_option(args, "bio")),
                                .personality = str_of(args_option(args, "personality"))};
    struct adding adding = {.newcomers = {.list = &newcomer, .count = 1},
                            .wiki = wiki_option(args)};
    struct why why;
    enum err err = newcomer_check(&adding.arena, &newcomer, &why);
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

enum manner { AS_TABLE, AS_JSON, AS_EXPORT };

struct showing {
    enum manner manner;
    bool town;
    size_t count;
};

static void print_row(const struct showing *showing, const struct resident *resident)
{
    printf("%6llu  %-24.*s %.*s%s", (unsigned long long)resident->brief.id.value,
           STR_ARGS(resident->brief.username), STR_ARGS(resident->brief.nickname),
           showing->town && !resident->in_town ? "  (not in the town)" : "");
    if (resident->wiki) printf("  (knows %.*s)", STR_ARGS(resident->wiki_name));
    putchar('\n');
}

/* One on a line, so that two exports can be compared. */
static void print_json(const struct showing *showing, const struct resident *resident)
{
    struct buf buf;
    buf_init(&buf, RESIDENTS_BYTES_MAX);
    struct json_out out = json_begin(&buf);
    bool whole = showing->manner == AS_JSON;
    json_open(&out, NULL, '{');
    if (whole) json_put_u64(&out, "id", resident->brief.id.value);
    resident_put_profile(&out, resident);
    if (whole) json_put_bool(&out, "in_town", resident->in_town);
    if (whole && resident->wiki) {
        json_put_u64(&out, "wiki", resident->wiki);
        json_put_str(&out, "wiki_name", resident->wiki_name);
    }
    json_close(&out, '}');
    printf("%s\n%.*s", showing->count ? "," : "", STR_ARGS(buf_str(&buf)));
    buf_release(&buf);
}

static void print_resident(void *ctx, const struct resident *resident)
{
    struct showing *showing = ctx;
    if (showing->manner == AS_TABLE)
        print_row(showing, resident);
    else
        print_json(showing, resident);
    showing->count++;
}

static enum err print_all(struct args *args, struct showing *showing, struct db *db,
                          struct why *why)
{
    struct town_row row;
    enum err err = towns_load_first(db, &args->arena, &row, why);
    showing->town = !err;
    if (err && err != ERR_NOT_FOUND) return err;
    bool json = showing->manner != AS_TABLE;
    if (json) fputs("[", stdout);
    err = residents_list(db, 0, INT64_MAX, print_resident, showing, why);
    if (json) puts(showing->count ? "\n]" : "]");
    return err;
}

static int show(struct args *args, enum manner manner)
{
    struct showing showing = {.manner = manner};
    struct db *db = NULL;
    struct why why;
    enum err err = open_to_look(&args->settings, &db, &why);
    if (!err) err = migrate_check(db, embedded_files, &why);
    if (!err) err = print_all(args, &showing, db, &why);
    db_close(db);
    if (err) return fail(&why);
    if (fflush(stdout) == 0 && !ferror(stdout)) return 0;
    (void)why_set(&why, ERR_IO, "cannot write: %s", strerror(errno));
    return fail(&why);
}

/* --- set --- */

struct changing {
    struct args *args;
    struct arena arena;
    struct resident resident;
};

static enum err apply_change(void *ctx, struct db *db, struct why *why)
{
    struct changing *changing = ctx;
    struct arena *arena = &changing->arena;
    const char *name = changing->args->words[1], *word = wiki_option(changing->args);
    struct user user;
    struct str hash;
    uint64_t wiki;
    enum err err =
        users_load_login(db, arena, username_key(arena, str_of(name)), &user, &hash, why);
    if (err == ERR_NOT_FOUND || (!err && !user.brief.is_ai))
        return why_set(why, ERR_NOT_FOUND, "no resident is called %s", name);
    if (!err && word) err = find_wiki(db, arena, word, &wiki, why);
    if (err) return err;
    struct json *change = NULL;
    struct act act;
    struct str text = word ? arena_printf(arena, "{\"wiki\":%llu}", (unsigned long long)wiki)
                           : STR("{\"wiki\":null}");
    act_init(&act, db, arena, clock_wall_us(), (struct user_id){0}, ROLE_ADMIN);
    err = json_parse(text, &change, NULL, why);
    if (!err)
        err = resident_change(&act, user.brief.id, change, changing->args->settings.upload_dir,
                              &changing->resident, why);
    json_free(change);
    return err;
}

static int set(struct args *args)
{
    if (args->word_count != 2) return usage_error("resident set needs one NAME");
    if (!args_option(args, "wiki")) return usage_error("resident set needs --wiki NAME|ID|none");
    struct changing changing = {.args = args};
    struct store *store;
    struct db *db;
    struct why why;
    enum err err = open_store(&args->settings, &store, &db, &why);
    if (err) return fail(&why);
    err = store_write(store, db, apply_change, &changing, &why);
    const struct resident *resident = &changing.resident;
    if (!err && resident->wiki)
        printf("%.*s knows about %.*s\n", STR_ARGS(resident->brief.username),
               STR_ARGS(resident->wiki_name));
    else if (!err)
        printf("%.*s knows about no wiki\n", STR_ARGS(resident->brief.username));
    db_close(db);
    store_close(store);
    arena_release(&changing.arena);
    return err ? fail(&why) : 0;
}

/* --- the command --- */

int run_resident(struct args *args)
{
    struct why why;
    if (log_open(NULL, LOG_ERROR, &why)) return fail(&why); /* the sentences say it all */
    const char *verb = args->word_count > 0 ? args->words[0] : "";
    if (strcmp(verb, "add") == 0) return add(args);
    if (strcmp(verb, "list") == 0 && args->word_count == 1)
        return show(args, args_option(args, "json") ? AS_JSON : AS_TABLE);
    if (strcmp(verb, "export") == 0 && args->word_count == 1) return show(args, AS_EXPORT);
    if (strcmp(verb, "import") == 0 && args->word_count == 2)
        return add_from_file(args, args->words[1], false);
    if (strcmp(verb, "set") == 0) return set(args);
    return usage_error("resident: say `add NAME`, `set NAME`, `list`, `import FILE` or `export`");
}
