/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* wiki/add.c: another wiki for the library, or the one that is the same. */
#include "base/clock.h"
#include "base/utf8.h"
#include "wiki/library.h"

enum { NAMES_TRIED = 100 };

struct wiki wiki_draft(const struct wiki_address *address)
{
    return (struct wiki){.name = STR(""),
                         .kind = str_of(wiki_host_name(address->host_kind)),
                         .url = address->url,
                         .owner = address->owner,
                         .repo = address->repo,
                         .branch = STR(""),
                         .include = STR(""),
                         .exclude = STR(""),
                         .access = WIKI_EVERYONE,
                         .created_us = clock_wall_us()};
}

enum err wiki_name_check(struct str name, struct why *why)
{
    uint64_t number;
    bool fine = name.len > 0 && name.len <= WIKI_NAME_BYTES && !str_to_u64(name, &number);
    for (struct str rest = name; fine && rest.len > 0;) {
        bool inside = rest.len < name.len;
        uint32_t point = utf8_next(&rest);
        fine = utf8_is_word(point) || point == '-' || point == '_' || point == '.' ||
               (point == '/' && inside && rest.len > 0);
    }
    if (fine) return OK;
    return why_field(why, "name", "value_error",
                     "a wiki's name has letters, digits, '-', '_', '.' and '/', at most %d bytes, "
                     "and is no number",
                     WIKI_NAME_BYTES);
}

struct adding {
    struct wiki *wiki;
    struct arena *arena;
    bool there; /* the same was there already */
};

/* REPO, OWNER/REPO, then with numbers. In `arena`. */
static struct str name_number(struct arena *arena, const struct wiki *wiki, int number)
{
    if (number == 0) return wiki->repo;
    if (number == 1) {
        return arena_printf(arena, "%.*s/%.*s", STR_ARGS(wiki->owner), STR_ARGS(wiki->repo));
    }
    return arena_printf(arena, "%.*s-%d", STR_ARGS(wiki->repo), number);
}

static enum err choose_name(struct adding *adding, struct db *db, struct why *why)
{
    struct wiki_reader everything = {.admin = true};
    struct wiki *wiki = adding->wiki, found;
    struct why unused;
    for (int i = 0; i < NAMES_TRIED; i++) {
        struct str name = name_number(adding->arena, wiki, i);
        if (wiki_name_check(name, &unused) != OK) continue;
        enum err err = wikis_find(db, adding->arena, &everything, name, &found, why);
        if (err == ERR_NOT_FOUND) wiki->name = name;
        if (err) return err == ERR_NOT_FOUND ? OK : err;
    }
    return why_field(why, "name", "missing", "give the wiki a name");
}

static enum err add(void *ctx, struct db *db, struct why *why)
{
    struct adding *adding = ctx;
    struct wiki *wiki = adding->wiki, found;
    enum err err = wikis_find_identity(db, adding->arena, wiki->identity, &found, why);
    adding->there = err == OK;
    if (adding->there) *wiki = found;
    if (err != ERR_NOT_FOUND) return err;
    err = wiki->name.len ? OK : choose_name(adding, db, why);
    if (!err) err = wikis_add(db, wiki, &wiki->id, why);
    if (err == ERR_CONFLICT) why_write(why, "that name is taken: give the wiki another");
    return err;
}

/* Whose a wiki is, where it is not everyone's. */
static struct str scope_of(struct arena *arena, const struct wiki *wiki, struct str token)
{
    if (token.len) return arena_printf(arena, "token %.*s", STR_ARGS(token));
    switch (wiki->access) {
    case WIKI_GROUP:
        return arena_printf(arena, "group %llu", (unsigned long long)wiki->group.value);
    case WIKI_OWNER:
        return arena_printf(arena, "owner %llu", (unsigned long long)wiki->owner_id.value);
    case WIKI_MEMBERS: return STR("members");
    case WIKI_EVERYONE:
    case WIKI_ACCESSES: break;
    }
    return STR("");
}

struct str wiki_identity_changed(struct arena *arena, const struct wiki *was,
                                 const struct wiki *now)
{
    bool filters = !str_eq(was->include, now->include) || !str_eq(was->exclude, now->exclude);
    bool access = was->access != now->access || was->group.value != now->group.value;
    if (!filters && !access) return was->identity;
    struct str scope = scope_of(arena, was, STR(""));
    bool opened_by_token = !str_eq(was->identity, wiki_identity(arena, was, scope));
    if (access || opened_by_token) {
        scope = arena_printf(arena, "changed %llu", (unsigned long long)was->id);
    }
    return wiki_identity(arena, now, scope);
}

enum err wiki_library_add(struct wiki_library *library, struct db *db, struct arena *arena,
                          struct wiki *wiki, struct str token, struct why *why)
{
    wiki->identity = wiki_identity(arena, wiki, scope_of(arena, wiki, token));
    struct adding adding = {.wiki = wiki, .arena = arena};
    enum err err = store_write(wiki_library_store(library), db, add, &adding, why);
    bool needed = !adding.there || (wiki->indexed_us == 0 && wiki->state == WIKI_FAILED);
    if (!err && needed) err = wiki_library_update(library, wiki->id, token, why);
    return err;
}
