/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "community/residents.h"

#include "base/limits.h"
#include "base/utf8.h"
#include "community/accounts.h"
#include "community/shapes.h"
#include "community/talk.h"
#include "store/records.h"
#include "store/wikis.h"

enum {
    BIO_BYTES_MAX = 16 * 1024, /* MariaDB's TEXT takes 64 KiB */
    AGE_LEAST = 6,
    AGE_MOST = 120, /* as townhall/cast.c takes them */
};

/* --- a profile out of JSON --- */

enum keys { KEYS_OF_FILE, KEYS_OF_FORM, KEYS_OF_CHANGE };

struct reading {
    struct arena *arena;
    enum keys keys;
    size_t number; /* of the entry, from 1; 0: there is only one */
    struct str username;
};

/* `field` "" : the sentence `allowed` says which, `of` is it. */
static enum err wrong_in(const struct reading *reading, const char *of, const char *field,
                         const char *allowed, struct why *why)
{
    char what[sizeof(why->text)];
    snprintf(what, sizeof(what), "%s%s%s", field, *field ? " " : "", allowed);
    struct str name = reading->username;
    if (reading->number == 0 && name.len == 0)
        return why_field(why, of, "value_error", "the profile: %s", what);
    if (reading->number == 0)
        return why_field(why, of, "value_error", "the profile (%.*s): %s", STR_ARGS(name), what);
    if (name.len == 0)
        return why_field(why, of, "value_error", "entry %zu: %s", reading->number, what);
    return why_field(why, of, "value_error", "entry %zu (%.*s): %s", reading->number,
                     STR_ARGS(name), what);
}

static enum err wrong(const struct reading *reading, const char *field, const char *allowed,
                      struct why *why)
{
    return wrong_in(reading, field, field, allowed, why);
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
    buf_init(&buf, RESIDENTS_BYTES_MAX);
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
static enum err check_lengths(const struct reading *reading, const struct newcomer *newcomer,
                              struct why *why)
{
    struct why inner;
    struct str kept;
    struct str bio = newcomer->bio, personality = newcomer->personality;
    if (bio.len > BIO_BYTES_MAX) return wrong(reading, "bio", "is longer than 16 KiB", why);
    if (bio.len && text_check("bio", bio, 0, BIO_BYTES_MAX, &kept, &inner) != OK)
        return wrong_in(reading, "bio", "", inner.text, why);
    if (personality.len &&
        text_check("personality", personality, 0, LIMIT_BIO_MAX, &kept, &inner) != OK)
        return wrong_in(reading, "personality", "", inner.text, why);
    return OK;
}

/* Text in the reading's arena. */
static enum err read_text(const struct reading *reading, const struct json *value,
                          const char *field, struct str *out, struct why *why)
{
    struct str text;
    if (!json_as_str(value, &text)) return wrong(reading, field, "must be text", why);
    *out = arena_copy(reading->arena, text);
    return OK;
}

static enum err check_keys(const struct reading *reading, const struct json *value, struct why *why)
{
    static const struct {
        const char *keys[6], *sentence;
    } all[] = {
        [KEYS_OF_FILE] = {{"username", "nickname", "bio", "personality"},
                          "is no field; there are username, nickname, bio and personality"},
        [KEYS_OF_FORM] = {{"username", "nickname", "bio", "personality", "avatar_path", "wiki"},
                          "is no field; there are username, nickname, bio, personality, "
                          "avatar_path and wiki"},
        [KEYS_OF_CHANGE] = {{"nickname", "bio", "personality", "avatar_path", "wiki"},
                            "is no field that can be changed; there are nickname, bio, "
                            "personality, avatar_path and wiki"},
    };
    const char *const *keys = all[reading->keys].keys;
    for (const struct json *at = json_first(value); at; at = json_after(at)) {
        bool known = false;
        for (size_t i = 0; i < COUNT_OF(all->keys) && keys[i]; i++)
            known |= strcmp(json_name(at), keys[i]) == 0;
        if (!known)
            return wrong_in(reading, "body",
                            arena_printf(reading->arena, "\"%s\"", json_name(at)).at,
                            all[reading->keys].sentence, why);
    }
    return OK;
}

/* All but the name, as far as it is there. The texts live in the reading's arena. */
static enum err read_profile(const struct reading *reading, const struct json *value,
                             struct newcomer *newcomer, struct why *why)
{
    const struct json *nickname = json_get(value, "nickname");
    const struct json *bio = json_get(value, "bio"), *traits = json_get(value, "personality");
    const struct json *picture = json_get(value, "avatar_path"), *wiki = json_get(value, "wiki");
    enum err err = check_keys(reading, value, why);
    if (!err && nickname) err = read_text(reading, nickname, "nickname", &newcomer->nickname, why);
    if (!err && bio) err = read_bio(reading, bio, &newcomer->bio, why);
    if (!err && traits) err = read_personality(reading, traits, &newcomer->personality, why);
    if (!err && picture && json_kind(picture) != JSON_NULL)
        err = read_text(reading, picture, "avatar_path", &newcomer->avatar_path, why);
    if (!err && wiki && json_kind(wiki) != JSON_NULL &&
        (!json_as_u64(wiki, &newcomer->wiki) || newcomer->wiki == 0))
        err = wrong(reading, "wiki", "must be the number of a wiki, or null", why);
    return err ? err : check_lengths(reading, newcomer, why);
}

static enum err read_entry(struct reading *reading, const struct json *value,
                           struct newcomer *newcomer, struct why *why)
{
    struct str text;
    if (json_as_str(json_get(value, "username"), &text))
        reading->username = arena_copy(reading->arena, text);
    if (json_kind(value) != JSON_OBJECT)
        return wrong_in(reading, "body", "this", "must be an object", why);
    enum err err = check_keys(reading, value, why);
    if (err) return err;
    if (reading->username.len == 0) return wrong(reading, "username", "must be text", why);
    *newcomer = (struct newcomer){.username = reading->username, .nickname = reading->username};
    return read_profile(reading, value, newcomer, why);
}

enum err newcomer_read(struct arena *arena, const struct json *value, struct newcomer *newcomer_out,
                       struct why *why)
{
    struct reading reading = {.arena = arena, .keys = KEYS_OF_FORM};
    return read_entry(&reading, value, newcomer_out, why);
}

enum err newcomers_read(struct arena *arena, const struct json *tree,
                        struct newcomers *newcomers_out, struct why *why)
{
    const struct json *list = json_get(tree, "residents");
    if (!list) list = tree;
    *newcomers_out = (struct newcomers){0};
    if (json_kind(list) == JSON_OBJECT) {
        struct reading reading = {.arena = arena};
        newcomers_out->list = ARENA_NEW(arena, struct newcomer);
        newcomers_out->count = 1;
        return read_entry(&reading, list, newcomers_out->list, why);
    }
    if (json_kind(list) != JSON_ARRAY)
        return why_field(why, "body", "value_error", "a list of residents is expected");
    size_t count = 0;
    for (const struct json *at = json_first(list); at; at = json_after(at)) count++;
    newcomers_out->list = ARENA_ARRAY(arena, struct newcomer, count + 1);
    newcomers_out->numbered = true;
    enum err err = OK;
    for (const struct json *at = json_first(list); at && !err; at = json_after(at)) {
        struct reading reading = {.arena = arena, .number = newcomers_out->count + 1};
        err = read_entry(&reading, at, &newcomers_out->list[newcomers_out->count++], why);
    }
    return err;
}

enum err newcomer_check(struct arena *arena, const struct newcomer *newcomer, struct why *why)
{
    struct reading reading = {.arena = arena, .username = newcomer->username};
    struct json *bio = NULL;
    struct why inner;
    const char *field = NULL, *allowed = "";
    if (newcomer->bio.len && newcomer->bio.at[0] == '{' &&
        json_parse(newcomer->bio, &bio, NULL, &inner) == OK)
        field = wrong_in_bio(bio, &allowed);
    json_free(bio);
    return field ? wrong(&reading, field, allowed, why) : check_lengths(&reading, newcomer, why);
}

/* --- what it knows about --- */

/* That wiki can be given to a resident. `name_out` in the reading's arena. */
static enum err find_wiki(const struct reading *reading, struct db *db, uint64_t id,
                          struct str *name_out, struct why *why)
{
    const struct wiki_reader everything = {.admin = true};
    struct wiki wiki;
    enum err err = wikis_load(db, reading->arena, &everything, id, &wiki, why);
    if (err == ERR_NOT_FOUND) return wrong(reading, "wiki", "is the number of no wiki here", why);
    if (err) return err;
    if (wiki.access != WIKI_EVERYONE)
        return wrong(reading, "wiki",
                     "is not for everyone: a resident speaks where everybody reads, so it can only "
                     "know a wiki that everyone may see",
                     why);
    *name_out = wiki.name;
    return OK;
}

/* --- into the community --- */

static enum err give_wiki(struct act *act, const struct newcomer *newcomer, struct why *why)
{
    if (newcomer->wiki == 0) return OK;
    struct reading reading = {.arena = act->arena, .username = newcomer->username};
    struct str name;
    enum err err = find_wiki(&reading, act->db, newcomer->wiki, &name, why);
    return err ? err : residents_set_wiki(act->db, newcomer->id, newcomer->wiki, why);
}

static enum err add_one(struct act *act, struct newcomers *newcomers, size_t index, struct why *why)
{
    struct newcomer *newcomer = &newcomers->list[index];
    struct account_draft draft = {.username = newcomer->username,
                                  .nickname = newcomer->nickname,
                                  .bio = newcomer->bio,
                                  .personality = newcomer->personality,
                                  .avatar_path = newcomer->avatar_path,
                                  .is_ai = true,
                                  .role = ROLE_RESIDENT};
    struct user user;
    struct why inner = {0};
    enum err err = accounts_create(act, &draft, &user, &inner);
    newcomer->id = user.brief.id;
    if (!err) {
        err = give_wiki(act, newcomer, why);
        if (err) return err;
        return act_audit(act, AUDIT_RESIDENT_ADDED, "user", newcomer->id.value, newcomer->username,
                         why);
    }
    if (err == ERR_CONFLICT) (void)why_set(&inner, err, "the name is taken");
    if (newcomers->numbered)
        why_write(why, "entry %zu (%.*s): %s", index + 1, STR_ARGS(newcomer->username), inner.text);
    else
        why_write(why, "%s", inner.text);
    why->field = inner.field;
    why->type = inner.type;
    return err;
}

enum err newcomers_add(struct act *act, struct newcomers *newcomers, struct why *why)
{
    enum err err = OK;
    for (size_t i = 0; i < newcomers->count && !err; i++) err = add_one(act, newcomers, i, why);
    return err;
}

/* --- a change of one that lives here --- */

/* Into `resident`, what `change` has. */
static enum err take_change(struct act *act, const struct json *change, struct str upload_dir,
                            struct resident *resident, struct why *why)
{
    struct reading reading = {
        .arena = act->arena, .keys = KEYS_OF_CHANGE, .username = resident->brief.username};
    struct newcomer said = {0};
    enum err err = read_profile(&reading, change, &said, why);
    if (!err && json_get(change, "nickname"))
        err = name_check("nickname", said.nickname, 1, LIMIT_NICKNAME_MAX,
                         &resident->brief.nickname, why);
    bool new_picture =
        said.avatar_path.len > 0 && !str_eq(said.avatar_path, resident->brief.avatar_path);
    if (!err && new_picture)
        err = picture_path_check("avatar_path", said.avatar_path, upload_dir, why);
    static const struct str none;
    struct str wiki_name = none;
    if (!err && said.wiki) err = find_wiki(&reading, act->db, said.wiki, &wiki_name, why);
    if (err) return err;
    if (json_get(change, "avatar_path"))
        resident->brief.avatar_path = said.avatar_path.len ? said.avatar_path : none;
    if (json_get(change, "bio")) resident->bio = said.bio.len ? said.bio : none;
    if (json_get(change, "personality"))
        resident->personality = said.personality.len ? said.personality : none;
    if (json_get(change, "wiki")) {
        resident->wiki = said.wiki;
        resident->wiki_name = wiki_name;
    }
    return OK;
}

enum err resident_change(struct act *act, struct user_id id, const struct json *change,
                         struct str upload_dir, struct resident *resident_out, struct why *why)
{
    struct resident *resident = resident_out;
    enum err err = residents_load(act->db, act->arena, id, resident, why);
    if (!err) err = take_change(act, change, upload_dir, resident, why);
    if (!err)
        err = users_set_profile(act->db, id, resident->brief.nickname, resident->brief.avatar_path,
                                resident->bio, act->now_us, why);
    if (!err) err = residents_set_personality(act->db, id, resident->personality, why);
    if (!err && json_get(change, "wiki"))
        err = residents_set_wiki(act->db, id, resident->wiki, why);
    struct str who = arena_printf(act->arena, "user:%llu", (unsigned long long)id.value);
    if (!err)
        err =
            act_audit(act, AUDIT_RESIDENT_CHANGED, "user", id.value, resident->brief.username, why);
    if (err) return err;
    act_tell(act, topic_feed(), "user.updated", who,
             shape_user_brief_text(act->arena, &resident->brief), false);
    return OK;
}

/* --- out of it --- */

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

void resident_put_profile(struct json_out *out, const struct resident *resident)
{
    json_put_str(out, "username", resident->brief.username);
    json_put_str(out, "nickname", resident->brief.nickname);
    if (resident->bio.at) put_bio(out, resident->bio);
    if (resident->personality.at) json_put_str(out, "personality", resident->personality);
}
