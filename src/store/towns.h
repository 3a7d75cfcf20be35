/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * store/towns.h: simulated towns: who lives in them, from where they go on, and
 * the action log. What is in a checkpoint, an input or an effect is the town's
 * business (town/town.h): here they are bytes.
 *
 * A town has one holder at a time. It takes the town with towns_claim(), gets a
 * fence, and every change it makes to the town names that fence: one that was
 * thought dead and wakes up again is refused (ERR_CONFLICT), and has done nothing.
 */
#pragma once

#include "store/users.h"

struct town_id {
    uint64_t value;
};

struct town_row {
    struct town_id id;
    struct str name;
    uint64_t seed;
    bool running;
    uint64_t speed; /* game minutes in a real one */
    int64_t minute; /* committed */
    uint64_t effects, inputs;
    uint64_t message_id, post_id, comment_id; /* told up to these */
    struct str holder;
    uint64_t fence;
    int64_t lease_us;
};

/* `row->id`, fence and holder are given. */
MUST_USE enum err towns_add(struct db *db, const struct town_row *row, int64_t now_us,
                            struct town_id *id_out, struct why *why);
/* The first there is. ERR_NOT_FOUND: none. */
MUST_USE enum err towns_load_first(struct db *db, struct arena *arena, struct town_row *row_out,
                                   struct why *why);
/* ERR_BUSY: somebody else holds it, and its lease has not run out; `why` says who. */
MUST_USE enum err towns_claim(struct db *db, struct town_id id, struct str holder, int64_t now_us,
                              int64_t lease_us, uint64_t *fence_out, struct why *why);
MUST_USE enum err towns_let_go(struct db *db, struct town_id id, uint64_t fence, struct why *why);
/* With all that is stored of it; what was performed stays. ERR_CONFLICT: not the holder. */
MUST_USE enum err towns_remove(struct db *db, struct town_id id, uint64_t fence, struct why *why);
/* Everything of `row` that moves, and the lease. ERR_CONFLICT: not the holder any more. */
MUST_USE enum err towns_save(struct db *db, const struct town_row *row, struct why *why);

MUST_USE enum err town_people_add(struct db *db, struct town_id town, uint32_t number,
                                  struct user_id user, struct why *why);
struct town_person {
    uint32_t number;
    struct user_id user;
    struct str username, nickname, bio, personality;
    bool banned;
};
typedef void town_person_each(void *ctx, const struct town_person *person);
/* By number; numbers whose account is gone are left out. */
MUST_USE enum err town_people_list(struct db *db, struct town_id town, town_person_each *each,
                                   void *ctx, struct why *why);
/* Residents that live in no town yet. `number` is 0. */
MUST_USE enum err town_homeless_list(struct db *db, town_person_each *each, void *ctx,
                                     struct why *why);
struct town_standing {
    struct user_id user;
    bool has_number; /* in that town */
    uint32_t number;
    bool banned;
};
typedef void town_standing_each(void *ctx, const struct town_standing *standing);
/* All residents of the community but those of other towns, without what they wrote of themselves:
 * some hundred bytes each, for looking often. */
MUST_USE enum err town_standings(struct db *db, struct town_id town, town_standing_each *each,
                                 void *ctx, struct why *why);

struct town_checkpoint {
    int64_t minute;
    uint64_t inputs;
    struct str state;
};
/* Keeps the first one and the newest `keep`. */
MUST_USE enum err town_checkpoints_add(struct db *db, struct town_id town,
                                       const struct town_checkpoint *checkpoint, uint64_t keep,
                                       int64_t now_us, struct why *why);
/* The newest at or before `minute`. ERR_NOT_FOUND. */
MUST_USE enum err town_checkpoints_load(struct db *db, struct arena *arena, struct town_id town,
                                        int64_t minute, struct town_checkpoint *out,
                                        struct why *why);

/* When the newest was made, and of which minute it is. */
MUST_USE enum err town_checkpoints_last(struct db *db, struct town_id town, int64_t *minute_out,
                                        int64_t *made_us_out, bool *found_out, struct why *why);

MUST_USE enum err town_inputs_add(struct db *db, struct town_id town, uint64_t seq, int64_t minute,
                                  struct str input, struct why *why);
typedef void town_input_each(void *ctx, uint64_t seq, int64_t minute, struct str input);
MUST_USE enum err town_inputs_after(struct db *db, struct town_id town, uint64_t seq,
                                    town_input_each *each, void *ctx, struct why *why);

MUST_USE enum err town_posts_add(struct db *db, struct town_id town, uint32_t serial,
                                 struct post_id post, struct why *why);
/* 0: not posted yet, or removed since. */
MUST_USE enum err town_posts_find(struct db *db, struct town_id town, uint32_t serial,
                                  struct post_id *post_out, struct why *why);

/* What is still to be done for an effect: words to be found. */
MUST_USE enum err town_todo_add(struct db *db, struct town_id town, uint64_t number,
                                struct str effect, struct why *why);
/* ERR_CONFLICT: it is done already. */
MUST_USE enum err town_todo_done(struct db *db, struct town_id town, uint64_t number,
                                 struct why *why);
typedef void town_todo_each(void *ctx, uint64_t number, struct str effect);
MUST_USE enum err town_todo_list(struct db *db, struct town_id town, town_todo_each *each,
                                 void *ctx, struct why *why);

/* What models have cost the town, by days since 1970-01-01 UTC, whatever town it was. */
struct town_spending {
    uint64_t tokens;
    uint64_t cost_micro; /* millionths of whatever unit prices are in */
};
MUST_USE enum err town_spending_add(struct db *db, int64_t day, const struct town_spending *more,
                                    struct why *why);
/* Zeroed: nothing yet. */
MUST_USE enum err town_spending_load(struct db *db, int64_t day, struct town_spending *spent_out,
                                     struct why *why);

/* --- what members did since --- */

struct town_news {
    uint64_t id;         /* of the message, post or comment */
    struct user_id from; /* a member that is no resident of the town */
    bool has_resident;
    uint32_t resident; /* messages, comments: whom it is said to; posts: who wrote it before it
                          lived in the town */
    uint32_t post;     /* comments: the serial */
    bool on_post;      /* comments: it answers the post, and no comment */
};
typedef void town_news_each(void *ctx, const struct town_news *news);
MUST_USE enum err town_messages_after(struct db *db, struct town_id town, uint64_t id,
                                      uint64_t limit, town_news_each *each, void *ctx,
                                      struct why *why);
MUST_USE enum err town_posts_after(struct db *db, struct town_id town, uint64_t id, uint64_t limit,
                                   town_news_each *each, void *ctx, struct why *why);
MUST_USE enum err town_comments_after(struct db *db, struct town_id town, uint64_t id,
                                      uint64_t limit, town_news_each *each, void *ctx,
                                      struct why *why);
/* The newest there are now: a new town begins to listen behind them, and takes the last `posts`
 * posts as the first it can read. */
MUST_USE enum err town_news_heads(struct db *db, uint64_t posts, struct town_row *row,
                                  struct why *why);
/* The newest comment below that post by a member (of no town) that answers `to`, its post or a
 * comment of it, and that it has not answered since; 0: there is none any more. */
MUST_USE enum err town_remark_find(struct db *db, struct post_id post, struct user_id to,
                                   struct comment_id *comment_out, struct why *why);

/* --- the action log --- */

struct action_log {
    uint64_t id;
    struct user_id character, target; /* target 0: nobody */
    uint64_t location;                /* 0: none */
    /* Read only: as they are called now; .at NULL: there is none. */
    struct str character_name, target_name, location_name;
    struct str type, name, description, reason, result;
    struct str prompt, response; /* .at NULL: no model was asked */
    struct str extra;            /* a JSON object (townhall/log.h); .at NULL: none */
    bool secret;                 /* read only: about private messages with somebody else */
    int32_t day;
    struct str time; /* "HH:MM" */
    int duration;
    bool success;
    int64_t created_us;
};
MUST_USE enum err action_logs_add(struct db *db, const struct action_log *log, struct why *why);
/* What came of the newest entry called log->name that log->character began by log->day, log->time:
 * its result, success, extra, prompt and response are log's from now on. None: nothing happens. */
MUST_USE enum err action_logs_settle(struct db *db, const struct action_log *log, struct why *why);
/* How many posts, comments or messages (`type`) somebody has written, to `to` (0: whomever), by
 * entries that ended in the game minutes after `from` up to `until`. Looks at its last few hundred
 * entries. */
MUST_USE enum err action_logs_said(struct db *db, struct user_id character, struct str type,
                                   struct user_id to, int32_t from, int32_t until,
                                   uint64_t *count_out, struct why *why);
struct action_logs_query {
    struct user_id character; /* 0: all */
    /* Who reads it: messages of residents with members are between the two, and secret to anybody
     * else; they count as use_phone then. 0: one who may see all. */
    struct user_id reader;
    struct str type; /* .at NULL: all */
    int32_t day;     /* 0: all */
    uint64_t before; /* 0: from the newest */
    uint64_t limit;
};
typedef void action_log_each(void *ctx, const struct action_log *log);
/* Newest first, without prompts and responses. */
MUST_USE enum err action_logs_list(struct db *db, const struct action_logs_query *query,
                                   action_log_each *each, void *ctx, struct why *why);
/* One, whole, its texts in `arena`. ERR_NOT_FOUND. */
MUST_USE enum err action_logs_load(struct db *db, struct arena *arena, uint64_t id,
                                   struct action_log *log_out, struct why *why);

/* A memory worth reading, in words. `type` as in the table; `target` 0: nobody. */
MUST_USE enum err memories_add(struct db *db, struct user_id user, const char *type,
                               struct user_id target, struct str content, int importance,
                               int32_t day, int64_t now_us, struct why *why);
