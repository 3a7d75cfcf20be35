/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "store/wikis.h"

static const char *const states[] = {[WIKI_NEW] = "new",
                                     [WIKI_WORKING] = "working",
                                     [WIKI_READY] = "ready",
                                     [WIKI_FAILED] = "failed"};
static const char *const accesses[] = {[WIKI_EVERYONE] = "everyone",
                                       [WIKI_MEMBERS] = "members",
                                       [WIKI_GROUP] = "group",
                                       [WIKI_OWNER] = "owner"};

const char *wiki_state_name(enum wiki_state state)
{
    return states[state];
}

const char *wiki_access_name(enum wiki_access access)
{
    return accesses[access];
}

static bool name_index(const char *const *names, size_t count, struct str name, size_t *index_out)
{
    for (size_t i = 0; i < count; i++) {
        if (!str_eq(name, str_of(names[i]))) continue;
        *index_out = i;
        return true;
    }
    return false;
}

bool wiki_access_of(struct str name, enum wiki_access *access_out)
{
    size_t index;
    bool found = name_index(accesses, COUNT_OF(accesses), name, &index);
    if (found) *access_out = (enum wiki_access)index;
    return found;
}

/* Names are told apart without the case of Latin letters. */
static struct str name_key(char *space, size_t space_bytes, struct str name)
{
    size_t len = MIN(name.len, space_bytes);
    for (size_t i = 0; i < len; i++) {
        char c = name.at[i];
        space[i] = c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
    }
    return (struct str){space, len};
}

enum err wikis_add(struct db *db, const struct wiki *wiki, uint64_t *id_out, struct why *why)
{
    char space[WIKI_NAME_BYTES];
    struct query *q = db_query(db, SQL_WIKI_ADD);
    query_str(q, wiki->name);
    query_str(q, name_key(space, sizeof(space), wiki->name));
    query_str(q, wiki->identity);
    query_str(q, wiki->kind);
    query_str(q, wiki->url);
    query_str(q, wiki->owner);
    query_str(q, wiki->repo);
    query_str(q, wiki->branch);
    query_str(q, wiki->include);
    query_str(q, wiki->exclude);
    query_str(q, str_of(wiki_access_name(wiki->access)));
    query_id(q, wiki->group.value);
    query_id(q, wiki->owner_id.value);
    query_i64(q, wiki->created_us);
    enum err err = query_run(q, why);
    if (!err) *id_out = db_last_id(db);
    return err;
}

/* A row of WIKI_COLUMNS; texts are good until the next. */
static struct wiki read_row(struct query *q)
{
    size_t state = WIKI_FAILED, access = WIKI_OWNER;
    name_index(accesses, COUNT_OF(accesses), query_get_str(q, 10), &access);
    name_index(states, COUNT_OF(states), query_get_str(q, 14), &state);
    return (struct wiki){.id = query_get_u64(q, 0),
                         .name = query_get_str(q, 1),
                         .identity = query_get_str(q, 2),
                         .kind = query_get_str(q, 3),
                         .url = query_get_str(q, 4),
                         .owner = query_get_str(q, 5),
                         .repo = query_get_str(q, 6),
                         .branch = query_get_str(q, 7),
                         .include = query_get_str(q, 8),
                         .exclude = query_get_str(q, 9),
                         .access = (enum wiki_access)access,
                         .group = {query_get_u64(q, 11)},
                         .owner_id = {query_get_u64(q, 12)},
                         .created_us = query_get_i64(q, 13),
                         .state = (enum wiki_state)state,
                         .fault = query_get_str(q, 15),
                         .note = query_get_str(q, 16),
                         .commit = query_get_str(q, 17),
                         .branch_name = query_get_str(q, 18),
                         .committed_s = query_get_i64(q, 19),
                         .indexed_us = query_get_i64(q, 20),
                         .files = query_get_u64(q, 21),
                         .chunks = query_get_u64(q, 22),
                         .lines = query_get_u64(q, 23)};
}

static void keep(struct arena *arena, struct wiki *wiki)
{
    struct str *const texts[] = {&wiki->name,       &wiki->identity, &wiki->kind,   &wiki->url,
                                 &wiki->owner,      &wiki->repo,     &wiki->branch, &wiki->include,
                                 &wiki->exclude,    &wiki->fault,    &wiki->note,   &wiki->commit,
                                 &wiki->branch_name};
    for (size_t i = 0; i < COUNT_OF(texts); i++) *texts[i] = arena_keep(arena, *texts[i]);
}

/* The single row that a query gives, or ERR_NOT_FOUND. */
static enum err read_one(struct query *q, struct arena *arena, struct wiki *wiki_out,
                         struct why *why)
{
    bool found = query_next(q);
    if (found) {
        *wiki_out = read_row(q);
        keep(arena, wiki_out);
    }
    enum err err = query_end(q, why);
    if (err || found) return err;
    return why_set(why, ERR_NOT_FOUND, "there is no such wiki (any more), or it is not for you");
}

/* The parameters of WIKI_SEEN. */
static void bind_reader(struct query *q, const struct wiki_reader *reader)
{
    query_i64(q, reader->admin);
    query_u64(q, reader->user.value);
    query_u64(q, reader->user.value);
    query_u64(q, reader->user.value);
}

enum err wikis_load(struct db *db, struct arena *arena, const struct wiki_reader *reader,
                    uint64_t id, struct wiki *wiki_out, struct why *why)
{
    struct query *q = db_query(db, SQL_WIKI_LOAD);
    query_u64(q, id);
    bind_reader(q, reader);
    return read_one(q, arena, wiki_out, why);
}

enum err wikis_find(struct db *db, struct arena *arena, const struct wiki_reader *reader,
                    struct str name, struct wiki *wiki_out, struct why *why)
{
    char space[WIKI_NAME_BYTES];
    struct query *q = db_query(db, SQL_WIKI_BY_NAME);
    query_str(q, name_key(space, sizeof(space), name));
    bind_reader(q, reader);
    return read_one(q, arena, wiki_out, why);
}

enum err wikis_named(struct db *db, struct arena *arena, const struct wiki_reader *reader,
                     struct str word, struct wiki *wiki_out, struct why *why)
{
    uint64_t id;
    if (str_to_u64(word, &id)) return wikis_load(db, arena, reader, id, wiki_out, why);
    return wikis_find(db, arena, reader, word, wiki_out, why);
}

enum err wikis_find_identity(struct db *db, struct arena *arena, struct str identity,
                             struct wiki *wiki_out, struct why *why)
{
    struct query *q = db_query(db, SQL_WIKI_BY_IDENTITY);
    query_str(q, identity);
    return read_one(q, arena, wiki_out, why);
}

static enum err each_wiki(struct query *q, wiki_each *each, void *ctx, struct why *why)
{
    while (query_next(q)) {
        struct wiki wiki = read_row(q);
        each(ctx, &wiki);
    }
    return query_end(q, why);
}

enum err wikis_list(struct db *db, const struct wiki_reader *reader, uint64_t before,
                    uint64_t limit, wiki_each *each, void *ctx, struct why *why)
{
    struct query *q = db_query(db, SQL_WIKIS_LIST);
    query_u64(q, before ? before : INT64_MAX);
    bind_reader(q, reader);
    query_u64(q, limit);
    return each_wiki(q, each, ctx, why);
}

enum err wikis_of_owner(struct db *db, struct user_id owner, uint64_t before, uint64_t limit,
                        wiki_each *each, void *ctx, struct why *why)
{
    struct query *q = db_query(db, SQL_WIKIS_OF_OWNER);
    query_u64(q, owner.value);
    query_u64(q, before ? before : INT64_MAX);
    query_u64(q, limit);
    return each_wiki(q, each, ctx, why);
}

enum err wikis_change(struct db *db, const struct wiki *wiki, struct why *why)
{
    char space[WIKI_NAME_BYTES];
    struct query *q = db_query(db, SQL_WIKI_CHANGE);
    query_str(q, wiki->name);
    query_str(q, name_key(space, sizeof(space), wiki->name));
    query_str(q, str_of(wiki_access_name(wiki->access)));
    query_id(q, wiki->group.value);
    query_str(q, wiki->include);
    query_str(q, wiki->exclude);
    query_str(q, wiki->identity);
    query_u64(q, wiki->id);
    return query_run(q, why);
}

enum err wikis_set_state(struct db *db, const struct wiki *wiki, struct why *why)
{
    struct query *q = db_query(db, wiki->state == WIKI_READY ? SQL_WIKI_READY : SQL_WIKI_STATE);
    query_str(q, str_of(wiki_state_name(wiki->state)));
    query_str(q, wiki->fault.at ? wiki->fault : STR(""));
    query_str(q, wiki->note.at ? wiki->note : STR(""));
    if (wiki->state == WIKI_READY) {
        query_str(q, wiki->commit);
        query_str(q, wiki->branch_name);
        query_i64(q, wiki->committed_s);
        query_i64(q, wiki->indexed_us);
        query_u64(q, wiki->files);
        query_u64(q, wiki->chunks);
        query_u64(q, wiki->lines);
    }
    query_u64(q, wiki->id);
    return query_run(q, why);
}

enum err wikis_cut_off(struct db *db, struct str note, struct why *why)
{
    struct query *q = db_query(db, SQL_WIKIS_CUT_OFF);
    query_str(q, note);
    return query_run(q, why);
}

enum err wikis_private_of(struct db *db, struct user_id owner, uint64_t *id_out, struct why *why)
{
    struct query *q = db_query(db, SQL_WIKI_PRIVATE_OF);
    query_u64(q, owner.value);
    *id_out = query_next(q) ? query_get_u64(q, 0) : 0;
    return query_end(q, why);
}

enum err wikis_known_to(struct db *db, struct arena *arena, struct user_id resident,
                        struct known_wiki *wiki_out, struct why *why)
{
    struct query *q = db_query(db, SQL_WIKI_KNOWN);
    query_u64(q, resident.value);
    *wiki_out = (struct known_wiki){.name = STR("")};
    if (query_next(q)) {
        *wiki_out = (struct known_wiki){.id = query_get_u64(q, 0),
                                        .name = arena_copy(arena, query_get_str(q, 1))};
    }
    return query_end(q, why);
}

enum err wikis_remove(struct db *db, uint64_t id, struct why *why)
{
    struct query *q = db_query(db, SQL_WIKI_REMOVE);
    query_u64(q, id);
    return query_run(q, why);
}
