/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * townhall/log.c: the action log: what residents did, why, and what came of it.
 *
 * A deed has one entry, made when it ends. What it says of a post or a message
 * (the result, and what a model was asked and said for it) comes when there are
 * words, in the transaction that stores them. Likes, comments, and the answers
 * somebody writes while it looks at its messages are entries beside their deed,
 * as are the words of a talk (talk.c) and a model's decisions.
 *
 * Results say what is known and nothing else: not what was on the plate, for the
 * town has no dishes. Prompts and answers are for administrators; what members
 * see of the rest is in townhall/log.h.
 */
#include "townhall/log.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/utf8.h"
#include "community/talk.h"
#include "townhall/between.h"
#include "townhall/internal.h"

enum { PHRASE_BYTES = 512, EXTRA_BYTES = 1024 };

static bool is_chinese(const struct cast *cast, uint32_t who)
{
    return who < cast->count && cast->players[who].chinese;
}

static struct str phrase(struct arena *arena, const struct cast *cast, const struct effect *effect,
                         void (*write)(struct buf *, const struct cast *, const struct effect *))
{
    struct buf buf;
    buf_init(&buf, PHRASE_BYTES);
    write(&buf, cast, effect);
    struct str text = arena_copy(arena, buf_str(&buf));
    buf_release(&buf);
    return text;
}

static void write_reason(struct buf *to, const struct cast *cast, const struct effect *effect)
{
    phrase_reason(to, is_chinese(cast, effect->who), effect->why);
}

struct action_log log_of(struct arena *arena, const struct cast *cast, const struct effect *effect)
{
    char clock[8];
    snprintf(clock, sizeof(clock), "%02d:%02d", hour_of(effect->at),
             minute_of_day(effect->at) % 60);
    return (struct action_log){.character = cast_user(cast, effect->who),
                               .target = cast_user(cast, effect->other),
                               .location = cast_location(cast, effect->place),
                               .day = day_of(effect->at),
                               .time = arena_copy(arena, str_of(clock)),
                               .reason = STR(""),
                               .result = STR(""),
                               .description = STR(""),
                               .duration = effect->minutes,
                               .success = effect->fine != 0,
                               .created_us = clock_wall_us()};
}

/* --- what came of it --- */

static struct str meal_of(bool chinese, int32_t at)
{
    int hour = hour_of(at);
    if (hour >= 4 && hour < 11) return chinese ? STR("早饭") : STR("breakfast");
    if (hour >= 11 && hour < 16) return chinese ? STR("午饭") : STR("lunch");
    if (hour >= 16 && hour < 22) return chinese ? STR("晚饭") : STR("dinner");
    return chinese ? STR("夜宵") : STR("a late meal");
}

/* Of a deed that was done to its end. */
static void write_result(struct buf *to, const struct cast *cast, const struct effect *effect)
{
    bool chinese = is_chinese(cast, effect->who);
    struct str place = place_name(cast, effect->place), other = player_name(cast, effect->other);
    struct str meal = meal_of(chinese, effect->at);
    const struct thing_template *snack = thing_template(THING_FOOD);
    switch ((enum deed)effect->deed) {
    case DEED_MOVE_TO:
        if (place.len) buf_printf(to, chinese ? "到了%.*s" : "at %.*s", STR_ARGS(place));
        return;
    case DEED_TALK_TO:
    case DEED_GREET:
        if (other.len)
            buf_printf(to, chinese ? "和%.*s，%d分钟" : "with %.*s, %d minutes", STR_ARGS(other),
                       effect->minutes);
        return;
    case DEED_EAT: buf_printf(to, chinese ? "吃了%.*s" : "had %.*s", STR_ARGS(meal)); return;
    case DEED_USE_ITEM:
        buf_printf(to, chinese ? "吃了%s" : "ate %s", chinese ? snack->name_zh : snack->name);
        return;
    case DEED_GIVE:
        if (other.len) buf_printf(to, chinese ? "%.*s收下了" : "%.*s took it", STR_ARGS(other));
        return;
    case DEED_CREATE_POST: /* when they have words: log_said() */
    case DEED_SEND_MESSAGE:
    case DEED_CHECK_MESSAGES: /* the answers have entries of their own */
    case DEED_IDLE:
    case DEED_WAIT:
    case DEED_LOOK_AROUND:
    case DEED_REST:
    case DEED_SLEEP:
    case DEED_WORK:
    case DEED_THINK:
    case DEED_BROWSE_POSTS:
    case DEED_VIEW_USER_PROFILE:
    case DEED_FOLLOW:
    case DEED_COUNT: return;
    }
}

static struct str result_of(struct arena *arena, const struct cast *cast,
                            const struct effect *effect)
{
    bool whole = effect->ref != 0;
    if (!effect->fine) return STR(""); /* its description says that it came to nothing */
    if (!whole) return is_chinese(cast, effect->who) ? STR("被打断了") : STR("broken off");
    return phrase(arena, cast, effect, write_result);
}

/* --- extra data --- */

struct str log_kept(struct arena *arena, struct str text, size_t bytes)
{
    if (text.len <= bytes) return arena_copy(arena, text);
    struct str head = str_head(text, utf8_floor(text.at, bytes));
    return arena_printf(arena, "%.*s…", STR_ARGS(head));
}

static void put_asked(struct json_out *out, const struct log_asked *asked)
{
    if (asked->model.len) json_put_str(out, "model", asked->model);
    if (asked->model.len && asked->usage.input >= 0)
        json_put_i64(out, "input_tokens", asked->usage.input);
    if (asked->model.len && asked->usage.output >= 0)
        json_put_i64(out, "output_tokens", asked->usage.output);
    if (asked->usage.estimated) json_put_bool(out, "estimated", true);
    if (asked->unused) json_put_str(out, "unused", str_of(asked->unused));
    if (asked->sent) json_put_bool(out, "sent", true);
    if (asked->silent) json_put_str(out, "silent", str_of(asked->silent));
    if (asked->hushed) json_put_bool(out, "private", true);
}

struct str log_extra(struct arena *arena, struct post_id post, struct comment_id comment,
                     const struct log_asked *asked)
{
    bool model = asked && (asked->prompt.at || asked->hushed || asked->sent || asked->silent);
    if (!model && post.value == 0) return (struct str){0};
    struct buf buf;
    buf_init(&buf, EXTRA_BYTES);
    struct json_out out = json_begin(&buf);
    json_open(&out, NULL, '{');
    if (post.value) json_put_u64(&out, "post_id", post.value);
    if (comment.value) json_put_u64(&out, "comment_id", comment.value);
    if (model) put_asked(&out, asked);
    json_close(&out, '}');
    /* No model has a name of a thousand bytes; half an object would be none. */
    struct str text = buf.failed ? (struct str){0} : arena_copy(arena, buf_str(&buf));
    buf_release(&buf);
    return text;
}

static void note_asked(struct action_log *log, const struct log_asked *asked)
{
    if (!asked || !asked->prompt.at) return;
    log->prompt = asked->prompt;
    log->response = asked->response;
}

/* --- entries --- */

enum err log_deed(struct arena *arena, const struct cast *cast, const struct effect *effect,
                  struct db *db, struct why *why)
{
    /* Who waited for a model's answer and got it has done nothing: what is logged is the answer. */
    bool answered = effect->why == REASON_ASKING && !effect->ref;
    if (effect->deed == DEED_IDLE || answered) return OK;
    const struct deed_info *info = deed_info((enum deed)effect->deed);
    struct action_log log = log_of(arena, cast, effect);
    log.type = str_of(log_type_name(info->log));
    log.name = str_of(info->name);
    log.description = phrase(arena, cast, effect, phrase_deed);
    /* After a restart nobody knows any more what the model said. */
    struct str own = cast->players[effect->who].reason;
    log.reason =
        effect->why == REASON_MODEL && own.len ? own : phrase(arena, cast, effect, write_reason);
    log.result = result_of(arena, cast, effect);
    struct log_asked asked = {.hushed = effect->why == REASON_MODEL && names_member(cast, own)};
    log.extra = log_extra(arena, (struct post_id){0}, (struct comment_id){0}, &asked);
    return action_logs_add(db, &log, why);
}

enum err log_moment(struct arena *arena, const struct cast *cast, const struct effect *effect,
                    enum log_type type, struct db *db, struct why *why)
{
    bool chinese = is_chinese(cast, effect->who);
    struct str other = player_name(cast, effect->other);
    struct action_log log = log_of(arena, cast, effect);
    log.type = log.name = str_of(log_type_name(type));
    if (type == LOG_WAKE_UP)
        log.description = chinese ? STR("醒来") : STR("wakes up");
    else
        log.description =
            arena_printf(arena, chinese ? "遇见%.*s" : "comes upon %.*s", STR_ARGS(other));
    return action_logs_add(db, &log, why);
}

enum err log_answer(struct arena *arena, const struct cast *cast, const struct telling *told,
                    int32_t at, struct db *db, struct why *why)
{
    struct effect effect = {.at = at,
                            .who = told->input.to,
                            .other = NOBODY,
                            .place = NOWHERE,
                            .kind = EFFECT_BEGAN,
                            .fine = 1};
    struct action_log log = log_of(arena, cast, &effect);
    log.type = log.name = str_of(log_type_name(LOG_THINK));
    log.prompt = told->prompt;
    log.response = told->response;
    log.reason = told->reason.at ? told->reason : STR("");
    log.result = told->wrong.at ? told->wrong : STR("");
    log.success = told->chosen.deed != DEED_IDLE;
    if (log.success) {
        effect.deed = told->chosen.deed;
        effect.other = told->chosen.who;
        effect.place = told->chosen.place;
        log.result = phrase(arena, cast, &effect, phrase_deed);
    }
    if (told->input.kind == INPUT_PLAN) {
        log.name = STR("plan_day");
        log.description = is_chinese(cast, effect.who) ? STR("安排一天") : STR("plans the day");
        log.success = told->taken && told->plan.at;
        if (told->plan.at) log.result = told->taken ? told->plan : STR("came too late");
    }
    struct log_asked asked = told->asked;
    asked.prompt = log.prompt;
    asked.hushed = is_between(&effect) || names_member(cast, log.reason);
    log.extra = log_extra(arena, (struct post_id){0}, (struct comment_id){0}, &asked);
    return action_logs_add(db, &log, why);
}

enum err log_on_post(struct arena *arena, const struct cast *cast, const struct effect *effect,
                     const struct on_post *on_post, struct db *db, struct why *why)
{
    struct buf words;
    buf_init(&words, PHRASE_BYTES);
    phrase_on_post(&words, cast, effect, on_post->what, on_post->post.value);
    struct action_log log = log_of(arena, cast, effect);
    log.type = log.name =
        str_of(log_type_name(on_post->what == ON_POST_LIKE ? LOG_LIKE : LOG_COMMENT));
    log.description = buf_str(&words);
    log.duration = 0;
    log.success = true;
    if (on_post->text.len) log.result = one_line(arena, on_post->text, LOG_EXCERPT_CHARS);
    note_asked(&log, on_post->asked);
    log.extra = log_extra(arena, on_post->post, on_post->comment, on_post->asked);
    enum err err = action_logs_add(db, &log, why);
    buf_release(&words);
    return err;
}

enum err like_and_log(struct act *act, const struct cast *cast, const struct effect *effect,
                      struct post_id post, struct why *why)
{
    bool liked;
    uint64_t count;
    enum err err = talk_like(act, post, LIKE_ON, &liked, &count, why);
    if (err || act->told_count == 0) return err; /* it liked it before it lived here */
    const struct on_post on_post = {.what = ON_POST_LIKE, .post = post};
    return log_on_post(act->arena, cast, effect, &on_post, act->db, why);
}

/* An answer is written while it looks at its messages, and stands beside that. */
static enum err log_reply(struct arena *arena, const struct cast *cast, struct action_log *log,
                          const struct effect *effect, struct db *db, struct why *why)
{
    struct effect deed = *effect;
    deed.kind = EFFECT_BEGAN;
    deed.deed = DEED_SEND_MESSAGE;
    log->type = log->name = str_of(log_type_name(LOG_MESSAGE));
    log->description = phrase(arena, cast, &deed, phrase_deed);
    return action_logs_add(db, log, why);
}

enum err log_said(struct arena *arena, const struct todo *todo, struct post_id post,
                  struct str text, struct db *db, struct why *why)
{
    const struct cast *cast = &todo->hall->cast;
    const struct effect *effect = &todo->effect;
    bool letter = effect->kind == EFFECT_MESSAGE, chinese = is_chinese(cast, effect->who);
    struct str other = player_name(cast, effect->other);
    struct action_log log = log_of(arena, cast, effect);
    log.duration = 0;
    log.success = true;
    /* What stands in a letter is between the two of them. */
    log.result = !letter ? one_line(arena, text, LOG_EXCERPT_CHARS)
                 : other.len
                     ? arena_printf(arena, chinese ? "写给%.*s" : "to %.*s", STR_ARGS(other))
                     : (chinese ? STR("写好了") : STR("written"));
    note_asked(&log, &todo->asked);
    struct log_asked asked = todo->asked;
    asked.sent = letter;
    log.extra = log_extra(arena, post, (struct comment_id){0}, &asked);
    if (letter && effect->ref) return log_reply(arena, cast, &log, effect, db, why);
    log.name = str_of(deed_info(letter ? DEED_SEND_MESSAGE : DEED_CREATE_POST)->name);
    return action_logs_settle(db, &log, why);
}

enum err log_silent(struct arena *arena, const struct todo *todo, struct db *db, struct why *why)
{
    const struct effect *effect = &todo->effect;
    bool letter = effect->kind == EFFECT_MESSAGE;
    if (effect->kind != EFFECT_POST && (!letter || effect->ref)) return OK; /* no deed of its own */
    struct action_log log = log_of(arena, &todo->hall->cast, effect);
    log.name = str_of(deed_info(letter ? DEED_SEND_MESSAGE : DEED_CREATE_POST)->name);
    log.success = false;
    note_asked(&log, &todo->asked);
    struct log_asked asked = todo->asked;
    asked.silent = todo->silent;
    log.extra = log_extra(arena, (struct post_id){0}, (struct comment_id){0}, &asked);
    return action_logs_settle(db, &log, why);
}

/* --- for clients --- */

void log_hide(struct action_log *log)
{
    /* Ours, and quotes in the names of models are escaped. */
    bool hushed = str_find(log->extra, STR("\"private\":true")) < log->extra.len;
    if (!log->secret && !hushed) return;
    log->reason = (struct str){0};
    if (hushed && str_eq(log->type, str_of(log_type_name(LOG_THINK))))
        log->result = (struct str){0};
    if (!log->secret) return;
    bool chinese = text_is_chinese(log->description);
    log->type = log->name = str_of(log_type_name(LOG_USE_PHONE));
    log->description = phone_words(chinese);
    log->target = (struct user_id){0};
    log->target_name = log->result = log->extra = (struct str){0};
}

void log_put_extra(struct json_out *out, struct str extra, bool whole)
{
    static const char *const open[] = {"post_id", "comment_id", "sent", "silent"};
    struct json *tree = NULL;
    struct why why;
    if (extra.at && json_parse(extra, &tree, NULL, &why) != OK) tree = NULL;
    bool any = tree && whole;
    for (size_t i = 0; i < COUNT_OF(open); i++) any |= json_get(tree, open[i]) != NULL;
    if (!any) {
        json_put_null(out, "extra_data");
    } else if (whole) {
        json_put_tree(out, "extra_data", tree);
    } else {
        json_open(out, "extra_data", '{');
        for (size_t i = 0; i < COUNT_OF(open); i++)
            if (json_get(tree, open[i])) json_put_tree(out, open[i], json_get(tree, open[i]));
        json_close(out, '}');
    }
    json_free(tree);
}
