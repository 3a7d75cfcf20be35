/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "store/pictures.h"

static const char *const state_names[PICTURE_STATE_COUNT] = {"pending", "processing", "completed",
                                                             "failed"};

const char *picture_state_name(enum picture_state state)
{
    ASSERT(state < PICTURE_STATE_COUNT);
    return state_names[state];
}

bool picture_state_parse(struct str name, enum picture_state *state_out)
{
    for (int i = 0; i < PICTURE_STATE_COUNT; i++) {
        if (!str_eq(name, str_of(state_names[i]))) continue;
        *state_out = (enum picture_state)i;
        return true;
    }
    return false;
}

static void bind_state(struct query *q, enum picture_state state)
{
    query_str(q, str_of(picture_state_name(state)));
}

/* A row of PICTURE_COLUMNS; texts are the row's. */
static struct picture_row read_row(struct query *q)
{
    struct picture_row row = {.id = query_get_u64(q, 0),
                              .character = {query_get_u64(q, 1)},
                              .post = {query_get_u64(q, 2)},
                              .prompt = query_get_str(q, 3),
                              .state = PICTURE_FAILED,
                              .result_path = query_get_str(q, 5),
                              .prompt_id = query_get_str(q, 6),
                              .error = query_get_str(q, 7),
                              .seed = (uint32_t)query_get_u64(q, 8),
                              .tries = query_get_u64(q, 9),
                              .next_try_us = query_get_i64(q, 10),
                              .created_us = query_get_i64(q, 11),
                              .updated_us = query_get_i64(q, 12)};
    bool known = picture_state_parse(query_get_str(q, 4), &row.state);
    ASSERT(known); /* the table's own CHECK */
    return row;
}

/* `*found_out` tells whether there was one. */
static enum err read_one(struct query *q, struct arena *arena, struct picture_row *row_out,
                         bool *found_out, struct why *why)
{
    *found_out = query_next(q);
    if (*found_out) {
        *row_out = read_row(q);
        struct str *texts[] = {&row_out->prompt, &row_out->result_path, &row_out->prompt_id,
                               &row_out->error};
        for (size_t i = 0; i < COUNT_OF(texts); i++) {
            if (texts[i]->at) *texts[i] = arena_copy(arena, *texts[i]);
        }
    }
    return query_end(q, why);
}

enum err pictures_add(struct db *db, const struct picture_row *row, int64_t now_us,
                      uint64_t *id_out, struct why *why)
{
    struct query *q = db_query(db, SQL_PICTURE_ADD);
    query_u64(q, row->character.value);
    query_u64(q, row->post.value);
    query_str(q, row->prompt);
    query_u64(q, row->seed);
    query_i64(q, now_us);
    query_i64(q, now_us);
    query_i64(q, now_us);
    enum err err = query_run(q, why);
    if (!err) *id_out = db_last_id(db);
    return err;
}

static enum err count(struct query *q, uint64_t *count_out, struct why *why)
{
    *count_out = query_next(q) ? query_get_u64(q, 0) : 0;
    return query_end(q, why);
}

enum err pictures_count_since(struct db *db, struct user_id character, int64_t since_us,
                              uint64_t *count_out, struct why *why)
{
    struct query *q = db_query(db, SQL_PICTURE_COUNT_SINCE);
    query_u64(q, character.value);
    query_i64(q, since_us);
    return count(q, count_out, why);
}

enum err pictures_count(struct db *db, enum picture_state state, uint64_t *count_out,
                        struct why *why)
{
    struct query *q = db_query(db, SQL_PICTURE_COUNT);
    bind_state(q, state);
    return count(q, count_out, why);
}

enum err pictures_load(struct db *db, struct arena *arena, uint64_t id, struct picture_row *row_out,
                       struct why *why)
{
    struct query *q = db_query(db, SQL_PICTURE_LOAD);
    query_u64(q, id);
    bool found;
    enum err err = read_one(q, arena, row_out, &found, why);
    if (err || found) return err;
    return why_set(why, ERR_NOT_FOUND, "there is no such picture in the queue");
}

enum err pictures_next(struct db *db, struct arena *arena, int64_t now_us,
                       struct picture_row *row_out, struct why *why)
{
    bool found;
    enum err err = read_one(db_query(db, SQL_PICTURE_INTERRUPTED), arena, row_out, &found, why);
    if (err || found) return err;
    struct query *q = db_query(db, SQL_PICTURE_DUE);
    query_i64(q, now_us);
    err = read_one(q, arena, row_out, &found, why);
    if (err || found) return err;
    return why_set(why, ERR_NOT_FOUND, "no picture is due");
}

enum err pictures_fence(struct db *db, struct town_id town, uint64_t fence, struct why *why)
{
    struct query *q = db_query(db, SQL_PICTURE_FENCE);
    query_u64(q, town.value);
    query_u64(q, fence);
    enum err err = query_run(q, why);
    if (err || db_changes(db) == 1) return err;
    return why_set(why, ERR_CONFLICT, "another instance runs the town now");
}

enum err pictures_save(struct db *db, const struct picture_row *row, enum picture_state from,
                       int64_t now_us, struct why *why)
{
    struct query *q = db_query(db, SQL_PICTURE_SAVE);
    bind_state(q, row->state);
    query_str(q, row->prompt_id);
    query_str(q, row->error);
    query_str(q, row->result_path);
    query_u64(q, row->tries);
    query_i64(q, row->next_try_us);
    query_i64(q, now_us);
    query_u64(q, row->id);
    bind_state(q, from);
    enum err err = query_run(q, why);
    if (err || db_changes(db) == 1) return err;
    return why_set(why, ERR_CONFLICT, "the picture is not %s any more", picture_state_name(from));
}

enum err pictures_list(struct db *db, const struct pictures_query *query, picture_row_each *each,
                       void *ctx, struct why *why)
{
    bool one = query->state >= 0;
    struct query *q = db_query(db, one ? SQL_PICTURES_OF_STATE : SQL_PICTURES);
    if (one) bind_state(q, (enum picture_state)query->state);
    query_i64(q, query->before ? (int64_t)query->before : INT64_MAX);
    query_u64(q, query->limit);
    while (query_next(q)) {
        struct picture_row row = read_row(q);
        each(ctx, &row);
    }
    return query_end(q, why);
}
