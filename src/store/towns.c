/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "store/towns.h"

/* --- towns --- */

enum err towns_add(struct db *db, const struct town_row *row, int64_t now_us,
                   struct town_id *id_out, struct why *why)
{
    struct query *q = db_query(db, SQL_TOWN_ADD);
    query_str(q, row->name);
    query_u64(q, row->seed);
    query_i64(q, row->running);
    query_u64(q, row->speed);
    query_i64(q, row->minute);
    query_u64(q, row->effects);
    query_u64(q, row->inputs);
    query_u64(q, row->message_id);
    query_u64(q, row->post_id);
    query_u64(q, row->comment_id);
    query_i64(q, now_us);
    enum err err = query_run(q, why);
    if (!err) id_out->value = db_last_id(db);
    return err;
}

enum err towns_load_first(struct db *db, struct arena *arena, struct town_row *row_out,
                          struct why *why)
{
    struct query *q = db_query(db, SQL_TOWN_FIRST);
    bool found = query_next(q);
    if (found) {
        *row_out = (struct town_row){.id = {query_get_u64(q, 0)},
                                     .name = arena_keep(arena, query_get_str(q, 1)),
                                     .seed = query_get_u64(q, 2),
                                     .running = query_get_i64(q, 3) != 0,
                                     .speed = query_get_u64(q, 4),
                                     .minute = query_get_i64(q, 5),
                                     .effects = query_get_u64(q, 6),
                                     .inputs = query_get_u64(q, 7),
                                     .message_id = query_get_u64(q, 8),
                                     .post_id = query_get_u64(q, 9),
                                     .comment_id = query_get_u64(q, 10),
                                     .holder = arena_keep(arena, query_get_str(q, 11)),
                                     .fence = query_get_u64(q, 12),
                                     .lease_us = query_get_i64(q, 13)};
    }
    enum err err = query_end(q, why);
    if (err) return err;
    return found ? OK : why_set(why, ERR_NOT_FOUND, "there is no town");
}

enum err towns_claim(struct db *db, struct town_id id, struct str holder, int64_t now_us,
                     int64_t lease_us, uint64_t *fence_out, struct why *why)
{
    struct query *q = db_query(db, SQL_TOWN_CLAIM);
    query_str(q, holder);
    query_i64(q, lease_us);
    query_u64(q, id.value);
    query_str(q, holder);
    query_i64(q, now_us);
    enum err err = query_run(q, why);
    if (err) return err;
    bool mine = db_changes(db) == 1;
    q = db_query(db, SQL_TOWN_FENCE);
    query_u64(q, id.value);
    bool found = query_next(q);
    char other[64] = "";
    if (found) {
        *fence_out = query_get_u64(q, 0);
        struct str name = query_get_str(q, 1);
        snprintf(other, sizeof(other), "%.*s", STR_ARGS(name));
    }
    err = query_end(q, why);
    if (err) return err;
    if (!found) return why_set(why, ERR_NOT_FOUND, "there is no such town");
    return mine ? OK : why_set(why, ERR_BUSY, "the town is run by instance %s", other);
}

enum err towns_let_go(struct db *db, struct town_id id, uint64_t fence, struct why *why)
{
    struct query *q = db_query(db, SQL_TOWN_LET_GO);
    query_u64(q, id.value);
    query_u64(q, fence);
    return query_run(q, why);
}

enum err towns_remove(struct db *db, struct town_id id, uint64_t fence, struct why *why)
{
    struct query *q = db_query(db, SQL_TOWN_REMOVE);
    query_u64(q, id.value);
    query_u64(q, fence);
    enum err err = query_run(q, why);
    if (err || db_changes(db) > 0) return err;
    return why_set(why, ERR_CONFLICT, "another instance runs the town now");
}

enum err towns_save(struct db *db, const struct town_row *row, struct why *why)
{
    struct query *q = db_query(db, SQL_TOWN_SAVE);
    query_i64(q, row->running);
    query_u64(q, row->speed);
    query_i64(q, row->minute);
    query_u64(q, row->effects);
    query_u64(q, row->inputs);
    query_u64(q, row->message_id);
    query_u64(q, row->post_id);
    query_u64(q, row->comment_id);
    query_i64(q, row->lease_us);
    query_u64(q, row->id.value);
    query_u64(q, row->fence);
    enum err err = query_run(q, why);
    if (err || db_changes(db) == 1) return err;
    return why_set(why, ERR_CONFLICT, "another instance runs the town now");
}

/* --- people --- */

enum err town_people_add(struct db *db, struct town_id town, uint32_t number, struct user_id user,
                         struct why *why)
{
    struct query *q = db_query(db, SQL_TOWN_PERSON_ADD);
    query_u64(q, town.value);
    query_u64(q, number);
    query_u64(q, user.value);
    return query_run(q, why);
}

static enum err each_person(struct query *q, town_person_each *each, void *ctx, struct why *why)
{
    while (query_next(q)) {
        struct town_person person = {.number = (uint32_t)query_get_u64(q, 0),
                                     .user = {query_get_u64(q, 1)},
                                     .username = query_get_str(q, 2),
                                     .nickname = query_get_str(q, 3),
                                     .bio = query_get_str(q, 4),
                                     .personality = query_get_str(q, 5),
                                     .banned = !query_is_null(q, 6)};
        each(ctx, &person);
    }
    return query_end(q, why);
}

enum err town_people_list(struct db *db, struct town_id town, town_person_each *each, void *ctx,
                          struct why *why)
{
    struct query *q = db_query(db, SQL_TOWN_PEOPLE);
    query_u64(q, town.value);
    return each_person(q, each, ctx, why);
}

enum err town_homeless_list(struct db *db, town_person_each *each, void *ctx, struct why *why)
{
    return each_person(db_query(db, SQL_TOWN_HOMELESS), each, ctx, why);
}

enum err town_standings(struct db *db, struct town_id town, town_standing_each *each, void *ctx,
                        struct why *why)
{
    struct query *q = db_query(db, SQL_TOWN_STANDINGS);
    query_u64(q, town.value);
    while (query_next(q)) {
        struct town_standing standing = {.user = {query_get_u64(q, 0)},
                                         .has_number = !query_is_null(q, 1),
                                         .banned = !query_is_null(q, 2)};
        if (standing.has_number) standing.number = (uint32_t)query_get_u64(q, 1);
        each(ctx, &standing);
    }
    return query_end(q, why);
}

/* --- checkpoints and inputs --- */

static enum err one_number(struct query *q, int64_t *number_out, bool *found_out, struct why *why)
{
    *found_out = query_next(q) && !query_is_null(q, 0);
    if (*found_out) *number_out = query_get_i64(q, 0);
    return query_end(q, why);
}

static enum err trim(struct db *db, struct town_id town, uint64_t keep, struct why *why)
{
    int64_t oldest = 0, first = 0;
    bool found;
    struct query *q = db_query(db, SQL_TOWN_CHECKPOINT_NTH);
    query_u64(q, town.value);
    query_u64(q, keep - 1);
    enum err err = one_number(q, &oldest, &found, why);
    if (err || !found) return err;
    q = db_query(db, SQL_TOWN_CHECKPOINT_FIRST);
    query_u64(q, town.value);
    err = one_number(q, &first, &found, why);
    if (err) return err;
    q = db_query(db, SQL_TOWN_CHECKPOINTS_TRIM);
    query_u64(q, town.value);
    query_i64(q, oldest);
    query_i64(q, first);
    return query_run(q, why);
}

enum err town_checkpoints_add(struct db *db, struct town_id town,
                              const struct town_checkpoint *checkpoint, uint64_t keep,
                              int64_t now_us, struct why *why)
{
    ASSERT(keep > 0);
    struct query *q = db_query(db, SQL_TOWN_CHECKPOINT_REMOVE);
    query_u64(q, town.value);
    query_i64(q, checkpoint->minute);
    enum err err = query_run(q, why);
    if (err) return err;
    q = db_query(db, SQL_TOWN_CHECKPOINT_ADD);
    query_u64(q, town.value);
    query_i64(q, checkpoint->minute);
    query_u64(q, checkpoint->inputs);
    query_bytes(q, checkpoint->state);
    query_i64(q, now_us);
    err = query_run(q, why);
    return err ? err : trim(db, town, keep, why);
}

enum err town_checkpoints_load(struct db *db, struct arena *arena, struct town_id town,
                               int64_t minute, struct town_checkpoint *out, struct why *why)
{
    struct query *q = db_query(db, SQL_TOWN_CHECKPOINT_LOAD);
    query_u64(q, town.value);
    query_i64(q, minute);
    bool found = query_next(q);
    if (found) {
        *out = (struct town_checkpoint){.minute = query_get_i64(q, 0),
                                        .inputs = query_get_u64(q, 1),
                                        .state = arena_copy(arena, query_get_str(q, 2))};
    }
    enum err err = query_end(q, why);
    if (err) return err;
    return found ? OK : why_set(why, ERR_NOT_FOUND, "the town has no checkpoint");
}

enum err town_checkpoints_last(struct db *db, struct town_id town, int64_t *minute_out,
                               int64_t *made_us_out, bool *found_out, struct why *why)
{
    struct query *q = db_query(db, SQL_TOWN_CHECKPOINT_LAST);
    query_u64(q, town.value);
    *found_out = query_next(q);
    if (*found_out) {
        *minute_out = query_get_i64(q, 0);
        *made_us_out = query_get_i64(q, 1);
    }
    return query_end(q, why);
}

enum err town_inputs_add(struct db *db, struct town_id town, uint64_t seq, int64_t minute,
                         struct str input, struct why *why)
{
    struct query *q = db_query(db, SQL_TOWN_INPUT_ADD);
    query_u64(q, town.value);
    query_u64(q, seq);
    query_i64(q, minute);
    query_bytes(q, input);
    return query_run(q, why);
}

enum err town_inputs_after(struct db *db, struct town_id town, uint64_t seq, town_input_each *each,
                           void *ctx, struct why *why)
{
    struct query *q = db_query(db, SQL_TOWN_INPUTS);
    query_u64(q, town.value);
    query_u64(q, seq);
    while (query_next(q)) each(ctx, query_get_u64(q, 0), query_get_i64(q, 1), query_get_str(q, 2));
    return query_end(q, why);
}

/* --- posts, and what is to be done --- */

enum err town_posts_add(struct db *db, struct town_id town, uint32_t serial, struct post_id post,
                        struct why *why)
{
    struct query *q = db_query(db, SQL_TOWN_POST_ADD);
    query_u64(q, town.value);
    query_u64(q, serial);
    query_u64(q, post.value);
    return query_run(q, why);
}

enum err town_posts_find(struct db *db, struct town_id town, uint32_t serial,
                         struct post_id *post_out, struct why *why)
{
    struct query *q = db_query(db, SQL_TOWN_POST_FIND);
    query_u64(q, town.value);
    query_u64(q, serial);
    post_out->value = query_next(q) ? query_get_u64(q, 0) : 0;
    return query_end(q, why);
}

enum err town_todo_add(struct db *db, struct town_id town, uint64_t number, struct str effect,
                       struct why *why)
{
    struct query *q = db_query(db, SQL_TOWN_TODO_ADD);
    query_u64(q, town.value);
    query_u64(q, number);
    query_bytes(q, effect);
    return query_run(q, why);
}

enum err town_todo_done(struct db *db, struct town_id town, uint64_t number, struct why *why)
{
    struct query *q = db_query(db, SQL_TOWN_TODO_DONE);
    query_u64(q, town.value);
    query_u64(q, number);
    enum err err = query_run(q, why);
    if (err || db_changes(db) == 1) return err;
    return why_set(why, ERR_CONFLICT, "this was done already");
}

enum err town_todo_list(struct db *db, struct town_id town, town_todo_each *each, void *ctx,
                        struct why *why)
{
    struct query *q = db_query(db, SQL_TOWN_TODO);
    query_u64(q, town.value);
    while (query_next(q)) each(ctx, query_get_u64(q, 0), query_get_str(q, 1));
    return query_end(q, why);
}

/* --- what models cost --- */

enum err town_spending_add(struct db *db, int64_t day, const struct town_spending *more,
                           struct why *why)
{
    struct query *q = db_query(db, SQL_TOWN_SPENDING_ADD);
    query_i64(q, day);
    query_u64(q, more->tokens);
    query_u64(q, more->cost_micro);
    return query_run(q, why);
}

enum err town_spending_load(struct db *db, int64_t day, struct town_spending *spent_out,
                            struct why *why)
{
    struct query *q = db_query(db, SQL_TOWN_SPENDING);
    query_i64(q, day);
    *spent_out = (struct town_spending){0};
    if (query_next(q)) {
        *spent_out = (struct town_spending){.tokens = query_get_u64(q, 0),
                                            .cost_micro = query_get_u64(q, 1)};
    }
    return query_end(q, why);
}

/* --- news --- */

static enum err each_news(struct query *q, town_news_each *each, void *ctx, struct why *why)
{
    while (query_next(q)) {
        struct town_news news = {.id = query_get_u64(q, 0),
                                 .from = {query_get_u64(q, 1)},
                                 .has_resident = !query_is_null(q, 2),
                                 .post = (uint32_t)query_get_u64(q, 3),
                                 .on_post = query_get_i64(q, 4) != 0};
        if (news.has_resident) news.resident = (uint32_t)query_get_u64(q, 2);
        each(ctx, &news);
    }
    return query_end(q, why);
}

enum err town_messages_after(struct db *db, struct town_id town, uint64_t id, uint64_t limit,
                             town_news_each *each, void *ctx, struct why *why)
{
    struct query *q = db_query(db, SQL_TOWN_MESSAGES);
    query_u64(q, town.value);
    query_u64(q, id);
    query_u64(q, limit);
    return each_news(q, each, ctx, why);
}

enum err town_posts_after(struct db *db, struct town_id town, uint64_t id, uint64_t limit,
                          town_news_each *each, void *ctx, struct why *why)
{
    struct query *q = db_query(db, SQL_TOWN_POSTS);
    query_u64(q, id);
    query_u64(q, town.value);
    query_u64(q, limit);
    return each_news(q, each, ctx, why);
}

enum err town_comments_after(struct db *db, struct town_id town, uint64_t id, uint64_t limit,
                             town_news_each *each, void *ctx, struct why *why)
{
    struct query *q = db_query(db, SQL_TOWN_COMMENTS);
    query_u64(q, town.value);
    query_u64(q, id);
    query_u64(q, limit);
    return each_news(q, each, ctx, why);
}

enum err town_remark_find(struct db *db, struct post_id post, struct user_id to,
                          struct comment_id *comment_out, struct why *why)
{
    struct query *q = db_query(db, SQL_TOWN_REMARK);
    query_u64(q, post.value);
    query_u64(q, to.value);
    query_u64(q, to.value);
    comment_out->value = query_next(q) ? query_get_u64(q, 0) : 0;
    return query_end(q, why);
}

enum err town_news_heads(struct db *db, uint64_t posts, struct town_row *row, struct why *why)
{
    struct query *q = db_query(db, SQL_TOWN_HEADS);
    query_u64(q, posts);
    if (query_next(q)) {
        row->message_id = query_get_u64(q, 0);
        row->post_id = query_get_u64(q, 1);
        row->comment_id = query_get_u64(q, 2);
    }
    return query_end(q, why);
}

/* --- the action log --- */

enum err action_logs_add(struct db *db, const struct action_log *log, struct why *why)
{
    struct query *q = db_query(db, SQL_ACTION_LOG_ADD);
    query_u64(q, log->character.value);
    query_str(q, log->type);
    query_str(q, log->name);
    query_str(q, log->description);
    query_id(q, log->location);
    query_id(q, log->target.value);
    query_i64(q, log->day);
    query_str(q, log->time);
    query_i64(q, log->duration);
    query_str(q, log->reason);
    query_str(q, log->result);
    query_i64(q, log->success);
    query_str(q, log->prompt);
    query_str(q, log->response);
    query_str(q, log->extra);
    query_i64(q, log->created_us);
    return query_run(q, why);
}

/* The newest of that name that had begun by then; 0: none. */
static enum err find_deed(struct db *db, const struct action_log *log, uint64_t *id_out,
                          struct why *why)
{
    struct query *q = db_query(db, SQL_ACTION_LOG_DEEDS);
    query_u64(q, log->character.value);
    query_str(q, log->name);
    *id_out = 0;
    while (*id_out == 0 && query_next(q)) {
        int64_t day = query_get_i64(q, 1);
        struct str time = query_get_str(q, 2); /* "HH:MM" */
        bool earlier = time.len == log->time.len && memcmp(time.at, log->time.at, time.len) <= 0;
        if (day < log->day || (day == log->day && earlier)) *id_out = query_get_u64(q, 0);
    }
    return query_end(q, why);
}

enum err action_logs_settle(struct db *db, const struct action_log *log, struct why *why)
{
    uint64_t id;
    enum err err = find_deed(db, log, &id, why);
    if (err || id == 0) return err;
    struct query *q = db_query(db, SQL_ACTION_LOG_SETTLE);
    query_str(q, log->result);
    query_i64(q, log->success);
    query_str(q, log->prompt);
    query_str(q, log->response);
    query_str(q, log->extra);
    query_u64(q, id);
    return query_run(q, why);
}

/* "HH:MM" of a day, in game minutes; -1: it is none. */
static int32_t minute_of(int64_t day, struct str time)
{
    struct str hour;
    uint64_t h, m;
    if (!str_split(&time, ':', &hour) || !str_to_u64(hour, &h) || !str_to_u64(time, &m)) return -1;
    return (int32_t)((day - 1) * 24 * 60 + (int64_t)(h * 60 + m));
}

enum err action_logs_said(struct db *db, struct user_id character, struct str type,
                          struct user_id to, int32_t from, int32_t until, uint64_t *count_out,
                          struct why *why)
{
    struct query *q = db_query(db, SQL_ACTION_LOG_SAID);
    query_u64(q, character.value);
    query_str(q, type);
    query_u64(q, to.value);
    query_u64(q, to.value);
    *count_out = 0;
    while (query_next(q)) {
        int32_t end =
            minute_of(query_get_i64(q, 0), query_get_str(q, 1)) + (int32_t)query_get_i64(q, 2);
        *count_out += end > from && end <= until;
    }
    return query_end(q, why);
}

/* The columns of ACTION_LOG_COLUMNS. */
static struct action_log log_in(struct query *q)
{
    return (struct action_log){.id = query_get_u64(q, 0),
                               .character = {query_get_u64(q, 1)},
                               .type = query_get_str(q, 2),
                               .name = query_get_str(q, 3),
                               .description = query_get_str(q, 4),
                               .location = query_get_u64(q, 5),
                               .target = {query_get_u64(q, 6)},
                               .day = (int32_t)query_get_i64(q, 7),
                               .time = query_get_str(q, 8),
                               .duration = (int)query_get_i64(q, 9),
                               .reason = query_get_str(q, 10),
                               .result = query_get_str(q, 11),
                               .success = query_get_i64(q, 12) != 0,
                               .created_us = query_get_i64(q, 13),
                               .extra = query_get_str(q, 14),
                               .character_name = query_get_str(q, 15),
                               .target_name = query_get_str(q, 16),
                               .location_name = query_get_str(q, 17)};
}

enum err action_logs_list(struct db *db, const struct action_logs_query *query,
                          action_log_each *each, void *ctx, struct why *why)
{
    bool one = query->character.value != 0;
    struct query *q = db_query(db, one ? SQL_ACTION_LOGS_OF : SQL_ACTION_LOGS);
    for (int i = 0; i < 2; i++) query_u64(q, query->reader.value);
    query_i64(q, query->before ? (int64_t)query->before : INT64_MAX);
    query_str(q, query->type);
    for (int i = 0; i < 2; i++) query_u64(q, query->reader.value);
    query_str(q, query->type);
    query_i64(q, query->day);
    query_i64(q, query->day);
    if (one) query_u64(q, query->character.value);
    query_u64(q, query->limit);
    while (query_next(q)) {
        struct action_log log = log_in(q);
        log.secret = query_get_i64(q, 18) != 0;
        each(ctx, &log);
    }
    return query_end(q, why);
}

enum err action_logs_load(struct db *db, struct arena *arena, uint64_t id,
                          struct action_log *log_out, struct why *why)
{
    struct query *q = db_query(db, SQL_ACTION_LOG_LOAD);
    query_u64(q, id);
    bool found = query_next(q);
    if (found) {
        *log_out = log_in(q);
        log_out->prompt = query_get_str(q, 18);
        log_out->response = query_get_str(q, 19);
        struct str *const texts[] = {
            &log_out->type,          &log_out->name,           &log_out->description,
            &log_out->time,          &log_out->reason,         &log_out->result,
            &log_out->extra,         &log_out->character_name, &log_out->target_name,
            &log_out->location_name, &log_out->prompt,         &log_out->response};
        for (size_t i = 0; i < COUNT_OF(texts); i++) *texts[i] = arena_keep(arena, *texts[i]);
    }
    enum err err = query_end(q, why);
    if (err) return err;
    return found ? OK : why_set(why, ERR_NOT_FOUND, "the action log has no entry with that id");
}

enum err memories_add(struct db *db, struct user_id user, const char *type, struct user_id target,
                      struct str content, int importance, int32_t day, int64_t now_us,
                      struct why *why)
{
    struct query *q = db_query(db, SQL_MEMORY_ADD);
    query_u64(q, user.value);
    query_str(q, str_of(type));
    query_id(q, target.value);
    query_str(q, content);
    query_i64(q, importance);
    query_i64(q, day);
    query_i64(q, now_us);
    return query_run(q, why);
}
