/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * townhall/internal.h: a hall as the files of this room see it.
 *
 *   hall.c     the thread: pace, steps, control, opening and closing
 *   cast.c     who plays: residents and places of the community as drafts of the town
 *   routine.c  hours out of a profile's daily routine
 *   moving.c   who comes to the town and who leaves it
 *   commit.c   a step into the store, in one transaction, and out to the hub
 *   log.c      the action log: entries, and what came of them
 *   between.c  what is between a resident and a member, and nobody else's business
 *   words.c    effects that need words: asking for them, then doing the deed
 *   budget.c   what models may cost in a day
 *   minds.c, asker.c, mind_journal.c, extras.c  decisions where there is no community
 *   lore.c     what a resident knows about, looked up before it answers a member
 *   draft.c    an answer to a member while it is written
 *   talk.c     what two residents say to each other
 *   recall.c   what models are told of what somebody did, could read, and knows of another
 *   restraint.c what is left unsaid: too much in an hour, and the same again
 *   model_mind.c  residents who put a decision to a model
 *   decision.c a decision as a model is asked, and its answer
 *   day_plan.c the same of the plan of a day
 *   phrases.c  facts in sentences, Chinese and English: action log, memories, subjects
 *   view.c     the town as JSON, for maps
 *   lines.c    what happens, for people at a terminal
 *   pictures.c, comfyui.c  pictures for posts, from a ComfyUI
 *   replay.c   a town out of its checkpoint and its journal
 */
#pragma once

#include <pthread.h>

#include "community/act.h"
#include "io/loop.h"
#include "llm/offline.h"
#include "store/files.h"
#include "store/records.h"
#include "store/towns.h"
#include "townhall/budget.h"
#include "townhall/hall.h"
#include "townhall/holder.h"
#include "townhall/minds.h"
#include "townhall/needs.h"
#include "townhall/pictures.h"

/* A resident as the community knows it. Texts live in the cast's arena. */
struct player {
    struct user_id user;
    struct str username, name, bio, occupation, traits, style, goals;
    struct str routine; /* its lines */
    int32_t talks_day;  /* game day of `talks`: conversations a model was asked for */
    int64_t talks;
    struct str reason; /* owned; what a model said of the last it decided */
    uint8_t age;
    bool chinese; /* writes in Chinese */
};

enum { PLAYERS_MAX = 5000 }; /* who live in a town at once */

/* A member as the cast knows it: what phrases call it. */
struct acquaintance {
    uint32_t who;
    struct str name; /* empty: it has no account any more */
    int64_t looked_us;
};

struct cast {
    struct arena arena;
    struct acquaintance *members; /* by `who`; only cast_meet() changes them */
    size_t member_count, member_room;
    struct player *players; /* by number; `user` 0: moved out, and its account is no more */
    uint32_t count, room;
    struct location *locations; /* by place */
    uint32_t location_count;
};

/* What a model was asked for words and said, for the log. */
struct log_asked {
    struct str prompt, response; /* .at NULL: none was asked */
    struct str model;            /* SITE/MODEL; empty: nobody answered */
    struct llm_usage usage;      /* -1: nobody said */
    const char *unused;          /* why its words are not what was said; NULL: they are */
    bool sent;                   /* a letter, which has no id here */
    const char *silent;          /* why nothing was said; NULL: it was, or was not to be */
    bool hushed;                 /* about somebody's private messages (between.h) */
};

struct todo {
    struct list link; /* hall->todos */
    struct hall *hall;
    uint64_t number;
    struct effect effect;
    struct llm_call *call; /* asking now */
    struct buf said;
    struct arena arena;
    uint64_t post;            /* the post it is about, once known */
    struct comment_id remark; /* what an answer below it answers, once known */
    struct user_id remark_by;
    int tries;
    bool pictured;           /* a post that gets a picture */
    struct log_asked asked;  /* for the log; in `arena` */
    int64_t since_us;        /* of `call` */
    bool spoilt;             /* the model's words are none: offline */
    const char *silent;      /* why nothing is said in the end (log.h); NULL: it is */
    bool paid;               /* `call` is of a model, not of the offline engine */
    struct budget_hold hold; /* what that may take */
    struct lookup *lookup;   /* lore.c; NULL: nothing was looked up */
    /* A private message to a member, who sees it being written (draft.c). */
    struct user_id reader; /* 0: nobody does */
    size_t shown;          /* bytes of `said` the reader has been told of */
    int64_t shown_us, typed_us;
    bool drafted;
};

/* A comment that says something back to a member, below a post of whomever. */
static inline bool answers_remark(const struct effect *effect)
{
    return effect->kind == EFFECT_COMMENT && effect->other == effect->who;
}

/* A member waits for it. */
static inline bool is_for_member(const struct effect *effect)
{
    return is_member(effect->other) || answers_remark(effect);
}

/* Something to tell the town, and for the log, where a model has decided, what it was asked and
 * said (owned; .at NULL: none did), why it chose so (owned) or what is wrong with that (`wrong`,
 * owned), who it was and what it took (`asked`; its model owned, no texts), and what it came to
 * (deed 0: nothing). */
struct telling {
    struct input input;
    struct str prompt, response, reason, wrong;
    struct log_asked asked;
    struct option chosen;
    struct str plan; /* of a day, in a line (owned); .at NULL: it is none */
    bool taken;      /* by the town */
};
void telling_release(struct telling *telling);

enum { LEASE_S = 20, CHECKPOINT_BYTES_MAX = 256 * 1024 * 1024 };

/* Lives on the town's thread. */
struct hall {
    struct hall_links links;
    pthread_t thread;
    bool started;
    struct loop *loop;
    struct timer *tick;
    struct llm_loop *llm;
    struct offline *offline;
    struct workers *readers; /* owned; lore.c; NULL: nothing is looked up */
    struct db *db;           /* its own reader */
    char holder[HOLDER_BYTES];

    struct town *town; /* NULL: not founded, or held by another instance */
    struct cast cast;
    struct town_row row; /* as committed; `name` and `holder` unset */
    int64_t paced_us;    /* when the town was at `paced_minute` by its pace */
    int32_t paced_minute;
    int64_t looked_us; /* for a town to take */
    enum err looked;   /* what came of it */
    struct why looked_why;
    bool held;
    int32_t told_minute; /* lines.c */
    int64_t saved_us;
    int32_t checkpoint_at;
    int64_t needs_hour; /* the last game hour whose needs are stored */
    struct list todos;
    size_t asking;
    struct list speeches; /* talk.c: being told to maps */
    size_t speech_count;
    int64_t moves_us;        /* when it was last looked who comes and goes; 0: look now */
    bool crowded;            /* the log has been told that nobody more can move in */
    struct list minds;       /* of struct deciding (model_mind.c): a model is deciding */
    struct list stepping;    /* of struct errand (hall.c): steps that wait for it */
    size_t unasked;          /* of these: the last, which no model has been asked for yet */
    struct telling *answers; /* owned; of models, to be told at the next step */
    size_t answer_count, answers_max;
    struct budget *budget;     /* owned */
    struct buf live;           /* JSON on its way to maps */
    struct pictures *pictures; /* owned; NULL: none are made */
    struct hall_stats stats;
};

/* cast.c. Those with numbers below `count` that still have an account; the others are nameless.
 * ERR_CORRUPT: somebody has a greater number. */
MUST_USE enum err cast_load(struct cast *cast, struct db *db, struct town_id town, uint32_t count,
                            struct why *why);
/* Out of residents that live nowhere, but the banned: ERR_NOT_FOUND when there are none. */
MUST_USE enum err cast_call(struct cast *cast, struct db *db, struct why *why);
/* Has Chinese in it. */
bool text_is_chinese(struct str text);
struct town *cast_found(const struct cast *cast, const struct town_settings *settings);
/* One more, with the next number, which is returned; and away with the last one again. */
uint32_t cast_add(struct cast *cast, const struct town_person *person);
void cast_drop_last(struct cast *cast);
/* Why a model has chosen what that one does next. */
void cast_note_reason(struct cast *cast, uint32_t who, struct str reason);
/* How that one would live in the town: a function of its profile, the town's seed and its number,
 * and of where there is room. */
struct resident_draft cast_draft(const struct cast *cast, const struct town *town, uint32_t number);
/* Before phrases name `who`: look how a member is called, unless that was done lately. Anybody else
 * is known. */
void cast_meet(struct cast *cast, struct db *db, uint32_t who);
/* The same for everybody whom resident `who` knows or remembers. */
void cast_meet_friends(struct cast *cast, struct db *db, const struct town *town, uint32_t who);
/* Empty: not met, or without an account. */
struct str cast_member_name(const struct cast *cast, uint32_t who);
void cast_release(struct cast *cast);
/* Who that is outside; 0 for nobody. */
struct user_id cast_user(const struct cast *cast, uint32_t who);
uint64_t cast_location(const struct cast *cast, uint16_t place);

/* commit.c */
enum { INPUTS_MAX = 256 };
struct batch {
    struct hall *hall;
    const struct effect *effects;
    size_t effect_count;
    struct telling inputs[INPUTS_MAX];
    size_t input_count;
    int32_t inputs_minute;
    uint64_t notices[INPUTS_MAX]; /* of likes and follows among `inputs`, to be marked as told */
    size_t notice_count;
    bool checkpoint;
    bool has_needs; /* an hour has ended: how everybody feels */
    struct need_spread needs[NEED_COUNT];
    struct town_row row; /* what is saved */
    /* Made while it is applied; made anew when it is applied again. */
    struct arena arena;
    struct act **acts;
    size_t act_count;
    bool *waits; /* for each effect: it stands in town_todo */
    struct buf state;
};
MUST_USE enum err batch_commit(struct batch *batch, struct why *why);
void batch_publish(struct batch *batch);
void batch_release(struct batch *batch);

/* log.c. Each adds an entry, or says what came of one; texts for it are made in `arena`. */
enum {
    LOG_PROMPT_BYTES = 8 * 1024, /* kept of what a model was asked */
    LOG_ANSWER_BYTES = 4 * 1024, /* and of what it said */
    LOG_EXCERPT_CHARS = 80,      /* of a post or comment, as a result */
};
/* An entry about `effect`, without its type and words. */
struct action_log log_of(struct arena *arena, const struct cast *cast, const struct effect *effect);
/* A deed has ended. Nothing for DEED_IDLE. */
MUST_USE enum err log_deed(struct arena *arena, const struct cast *cast,
                           const struct effect *effect, struct db *db, struct why *why);
/* LOG_WAKE_UP, LOG_ENCOUNTER */
MUST_USE enum err log_moment(struct arena *arena, const struct cast *cast,
                             const struct effect *effect, enum log_type type, struct db *db,
                             struct why *why);
/* What a model was asked to decide or to plan, and what it said. */
MUST_USE enum err log_answer(struct arena *arena, const struct cast *cast,
                             const struct telling *told, int32_t at, struct db *db,
                             struct why *why);
/* What was done on a post of effect->other, or in answer to its comment there. */
enum post_deed { ON_POST_LIKE, ON_POST_COMMENT, ON_POST_ANSWER };
struct on_post {
    enum post_deed what;
    struct post_id post;
    struct comment_id comment;     /* 0: a like */
    struct str text;               /* the comment's */
    const struct log_asked *asked; /* NULL: no model */
};
MUST_USE enum err log_on_post(struct arena *arena, const struct cast *cast,
                              const struct effect *effect, const struct on_post *on_post,
                              struct db *db, struct why *why);
/* As effect->who, and into the log, unless it did like that post. */
MUST_USE enum err like_and_log(struct act *act, const struct cast *cast,
                               const struct effect *effect, struct post_id post, struct why *why);
/* A post or a message has its words. `post` is the post's, or 0. */
MUST_USE enum err log_said(struct arena *arena, const struct todo *todo, struct post_id post,
                           struct str text, struct db *db, struct why *why);
/* A post or a message of its own accord was not written after all: todo->silent. */
MUST_USE enum err log_silent(struct arena *arena, const struct todo *todo, struct db *db,
                             struct why *why);
/* What is kept of a text, with "…" where it is cut. */
struct str log_kept(struct arena *arena, struct str text, size_t bytes);
/* A JSON object: the post and the comment (0: none), who was asked, and what it took. .at NULL:
 * there is none of that. */
struct str log_extra(struct arena *arena, struct post_id post, struct comment_id comment,
                     const struct log_asked *asked);

/* moving.c */
/* Whether it is time to look. */
bool moving_is_due(const struct hall *hall);
/* Look whose account has come, gone, or been banned, and tell the town: what it took stands in
 * `batch`, which is empty when nobody moves. Failure: the store could not be read, and nothing has
 * changed. */
MUST_USE enum err moving_tell(struct hall *hall, struct batch *batch, struct why *why);
/* `batch` is committed: nobody goes on working for those who left. */
void moving_settle(struct hall *hall, const struct batch *batch);

/* ties.c */
void ties_write(const struct hall *hall, uint32_t most, struct buf *json);

/* words.c */
void words_add(struct hall *hall, uint64_t number, const struct effect *effect);
/* Begin what can begin. */
void words_go_on(struct hall *hall);
/* Ask nothing more for those who have moved out; words_go_on() takes their deeds off the list. */
void words_leave(struct hall *hall);
/* Forget all of it; the table keeps it. */
void words_release(struct hall *hall);

/* talk.c */
enum { TALK_BYTES = 16 * 1024 };
#define TALK_LOGGED "conversation" /* its entries' name in the action log */
int talk_turns(const struct effect *effect);
struct str talk_prompt(struct todo *todo); /* in todo->arena */
int64_t talk_tokens(const struct effect *effect);
/* todo->said is a model's answer: make it turns, a line each. False: it is none. */
bool talk_read(struct todo *todo);
/* Fill todo->said with turns, a line each. */
void talk_offline(struct todo *todo);
/* Both have said it: an entry of the action log for each. */
MUST_USE enum err talk_log(struct todo *todo, struct str text, struct arena *arena, struct db *db,
                           int64_t now_us, struct why *why);
/* Tell maps, each turn in its minute: talk_go_on() tells what is due. */
void talk_speak(struct todo *todo, struct str text);
void talk_go_on(struct hall *hall);
void talk_release(struct hall *hall);

/* lore.c */
MUST_USE enum err lore_open(struct hall *hall, struct why *why);
/* Waits until nothing is away; no more is looked up. */
void lore_close(struct hall *hall);
/* True: it is being looked up, and words_go_on() comes when that is done. False: it has been, or
 * nobody asked, or the one who answers knows about nothing. */
bool lore_look(struct todo *todo, struct str question, struct str earlier);
bool lore_is_away(const struct todo *todo);
void lore_forget(struct todo *todo);
/* Drop what was found when its wiki is not for everyone any more: it may have waited for long. */
void lore_check(struct todo *todo);
/* What was found, and the name of the wiki; NULL: nothing. Good until lore_forget(). */
const struct lore *lore_of(const struct todo *todo, struct str *name_out);
/* It goes on without; false: it had nothing. */
bool lore_drop(struct todo *todo);
/* What a model said, without places it was not given; `whole`: that was all. In `arena`, or
 * `said`. */
struct str lore_vetted(struct arena *arena, const struct todo *todo, struct str said, bool whole);
/* Without a model: where it would look, as a sentence. False: it cannot say. */
bool lore_point_out(const struct todo *todo, struct buf *to);

/* draft.c */
/* `reader` sees that an answer is being written, from its first word on. */
void draft_begin(struct todo *todo, struct user_id reader);
/* Tell what todo->said has more of than was shown; `now`: however little time has passed. */
void draft_show(struct todo *todo, bool now);
/* Nothing will come of it, or it begins anew. */
void draft_withdraw(struct todo *todo);

/* snippet.c */
/* The text without what models put around it, at most so many characters. */
struct str trimmed_words(struct str text, size_t chars);
/* The same as one line, in `arena`, with "…" where it is cut. */
struct str one_line(struct arena *arena, struct str text, size_t chars);
/* A copy whose marks are broken, so that nothing of it stands outside of those of a prompt. */
struct str without_marks(struct arena *arena, struct str text);

/* recall.c: for prompts, in `arena`; empty: nothing. */
/* A line for each of the last acts of `who`, the newest last. */
struct str recall_acts(struct arena *arena, const struct hall *hall, uint32_t who);
/* A line for each of the newest posts that it has not seen, between marks. */
struct str recall_feed(struct arena *arena, struct hall *hall, uint32_t who);
/* The name of whom it writes to, how they stand, and what it remembers of them, between marks; not
 * that it has written to them in minute `since` or later, which is what is being written. */
struct str recall_partner(struct arena *arena, const struct hall *hall, uint32_t who,
                          uint32_t partner, struct str name, int32_t since);

/* restraint.c */
/* It has posted, commented or written as often in the last hour as it may. */
MUST_USE enum err hour_is_full(const struct todo *todo, struct db *db, bool *full_out,
                               struct why *why);
/* Valid UTF-8 that the writer of a post, comment or message has said there lately. */
bool said_already(const struct todo *todo, struct str text);

/* decision.c */
enum { NO_CHOICE = 255 };
/* What is known only where there is a community (recall.c). */
struct decision_notes {
    struct str acts, feed;
};
/* A decision as a model is asked. Points into itself: not to be moved. */
struct decision {
    struct buf prompt, shape;
    struct llm_message messages[2];
    struct llm_request request;
};
/* `cast` has all of the town's numbers, and its places are those of whose question it is. `notes`
 * NULL: there are none. decision_release() it, whatever was in it before is lost. */
void decision_write(struct decision *decision, const struct cast *cast, const struct town *town,
                    const struct question *question, const struct decision_notes *notes);
void decision_release(struct decision *decision); /* zeroed is fine */

/* Its prompt and its shape are written: ask for them. */
void decision_request(struct decision *decision, struct str name, int64_t tokens);

/* Whose decision it is, and where. */
struct scene {
    const struct cast *cast;
    const struct town *town;
    uint32_t who;
};
/* Who they are and how they feel; hour, weather, place and people; what they remember. */
void scene_write_self(struct buf *to, const struct scene *scene);
void scene_write_now(struct buf *to, const struct scene *scene);
void scene_write_memories(struct buf *to, const struct scene *scene);

/* A step of a day that a model has planned. */
struct planned {
    struct plan_step step;
    uint32_t who; /* whom it means to meet; NOBODY */
};

/* As minds.h has it. */
struct decided {
    enum decided_how how;
    uint8_t choice;   /* an option's number, or NO_CHOICE */
    uint16_t minutes; /* 0: as planned; the town keeps it within what the deed can last */
    uint32_t steps;   /* of a day's plan; 0: it is none */
    struct planned step[PLAN_STEPS];
};
struct llm_answer;
struct decided decision_read(const struct llm_answer *answer, uint32_t options);
struct decided undecided(enum decided_how how);
enum decided_how how_it_failed(const struct llm_result *result);
/* As the town is told. */
struct input decided_input(const struct decided *decided, uint32_t who, uint32_t number);

/* day_plan.c */
enum { FRIENDS_SHOWN = 12 };
/* What an answer is read by: all that was offered, and the resident's hours. */
struct day_frame {
    int32_t woke_at;
    uint16_t bed_min, work_from, work_until;
    bool works; /* on that day */
    uint32_t friends;
    uint32_t friend[FRIENDS_SHOWN]; /* by the number they were shown with */
};
/* As decision_write(), for the plan of the day to which `who` has risen (town_planning()). */
void day_plan_write(struct decision *decision, struct day_frame *frame, const struct cast *cast,
                    const struct town *town, uint32_t who);
/* What does not fit in all its steps is no plan. */
struct decided day_plan_read(const struct llm_answer *answer, const struct day_frame *frame);
/* As the town is told: so many inputs, at least one. */
size_t day_plan_inputs(const struct decided *decided, uint32_t who, int32_t woke_at,
                       struct input out[PLAN_STEPS]);
/* Its steps in a line. */
void day_plan_phrase(struct buf *to, const struct cast *cast, uint32_t who,
                     const struct decided *decided);

/* model_mind.c */
/* What the model part of the town's settings should be now; told to the town when it is not. */
bool mind_settings(const struct hall *hall, struct input *input_out);
/* Whether a model is set up, and not the offline engine alone. */
bool has_model(const struct hall *hall);
/* Resident `who` has asked (EFFECT_ASK), or asks still after a start. */
void mind_ask(struct hall *hall, uint32_t who);
/* The same for the plan of its day (EFFECT_WOKE), if it is to have one of a model's. */
void mind_ask_plan(struct hall *hall, uint32_t who);
/* Put to models what mind_ask() has noted, for a while. */
void minds_go_on(struct hall *hall);
/* Move what was decided into the batch, with the words for the log. */
void mind_take_answers(struct hall *hall, struct batch *batch);
/* Somebody waits for a model, and not for too long already. */
bool mind_is_awaited(const struct hall *hall);
/* With the setting `wait`: the last minute the clock may reach now. */
int32_t mind_hold(const struct hall *hall, int32_t until);
/* Decide nothing more for those who have moved out. */
void mind_leave(struct hall *hall);
/* The last minute one step may reach: with `wait` nobody who asks within it may run out of time
 * there, before the model was ever asked. */
int32_t mind_reach(const struct hall *hall);
void mind_release(struct hall *hall);

/* phrases.c */
struct str subject_words(bool chinese, uint8_t subject);
const char *mood_word(uint8_t emotion); /* of llm_scene */
void phrase_deed(struct buf *to, const struct cast *cast, const struct effect *effect);
void phrase_on_post(struct buf *to, const struct cast *cast, const struct effect *effect,
                    enum post_deed deed, uint64_t post);
void phrase_reason(struct buf *to, bool chinese, uint8_t reason);
/* EFFECT_REMEMBER, and any memory of resident `who`. */
void phrase_remembered(struct buf *to, const struct cast *cast, const struct effect *effect);
void phrase_memory(struct buf *to, const struct cast *cast, uint32_t who,
                   const struct memory *memory);
struct str player_name(const struct cast *cast, uint32_t who);
struct str place_name(const struct cast *cast, uint16_t place);

/* lines.c: to hall->links.tell, if there is one. */
void lines_happened(struct hall *hall, const struct effect *effects, size_t count);
void lines_said(const struct hall *hall, const struct effect *effect, struct str text);

/* view.c */
void view_write_town(const struct hall *hall, struct buf *json);
/* `reader` as hall_write_resident() has it. */
MUST_USE enum err view_write_resident(const struct hall *hall, struct user_id user,
                                      struct user_id reader, struct buf *json, struct why *why);
/* What maps must hear of these effects, as the data of one event. Empty: nothing. */
void view_write_effects(const struct hall *hall, const struct effect *effects, size_t count,
                        struct buf *json);
struct topic_name topic_town(struct town_id id);
