/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "community/moderate.h"

#include "base/limits.h"
#include "base/utf8.h"
#include "community/accounts.h"
#include "community/letters.h"
#include "community/talk.h"

/* --- telling --- */

/* Each fills in whose it is and what it says. */

static enum err look_at_post(struct act *act, struct report_draft *draft, struct why *why)
{
    struct post post;
    struct post_id id = {draft->thing.id};
    enum err err = posts_load(act->db, act->arena, id, act->me, &post, why);
    if (err) return err;
    draft->author = post.author.id;
    draft->content = post.content;
    return OK;
}

static enum err look_at_comment(struct act *act, struct report_draft *draft, struct why *why)
{
    struct comment comment;
    struct comment_id id = {draft->thing.id};
    enum err err = comments_load(act->db, act->arena, id, &comment, why);
    if (err) return err;
    draft->author = comment.author.id;
    draft->post = comment.post.value;
    draft->content = comment.content;
    return OK;
}

/* Only what one can read anyway: nobody finds out by reporting which messages there are. */
static enum err look_at_message(struct act *act, struct report_draft *draft, struct why *why)
{
    struct message message;
    struct message_id id = {draft->thing.id};
    enum err err = messages_load(act->db, act->arena, id, &message, why);
    if (err) return err;
    bool mine = message.receiver.value == act->me.value || message.sender.id.value == act->me.value;
    if (message.group.value) {
        err = groups_is_member(act->db, message.group, act->me, &mine, why);
        if (err) return err;
    }
    if (!mine) return why_set(why, ERR_NOT_FOUND, "消息不存在 (no such message)");
    draft->author = message.sender.id;
    draft->content = message.content;
    return OK;
}

static enum err look_at_user(struct act *act, struct report_draft *draft, struct why *why)
{
    struct user user;
    enum err err = users_load(act->db, act->arena, (struct user_id){draft->thing.id}, &user, why);
    if (err) return err;
    draft->author = user.brief.id;
    draft->content = arena_printf(act->arena, "%.*s (@%.*s)\n%.*s", STR_ARGS(user.brief.nickname),
                                  STR_ARGS(user.brief.username), STR_ARGS(user.bio));
    return OK;
}

typedef enum err look_at(struct act *act, struct report_draft *draft, struct why *why);
static look_at *const looks[REPORT_KINDS] = {[REPORT_POST] = look_at_post,
                                             [REPORT_COMMENT] = look_at_comment,
                                             [REPORT_MESSAGE] = look_at_message,
                                             [REPORT_USER] = look_at_user};

/* Whoever reports everything keeps moderators from the rest. */
static enum err check_room(struct act *act, struct why *why)
{
    uint64_t count;
    enum err err = users_lock(act->db, act->me, why);
    if (!err) err = reports_count_of(act->db, act->me, &count, why);
    if (err || count < LIMIT_REPORTS_OPEN) return err;
    return why_set(why, ERR_CONFLICT,
                   "你有 %d 条举报尚未处理，请稍后再试 (%d of your reports are still open: "
                   "wait until moderators have looked at some)",
                   LIMIT_REPORTS_OPEN, LIMIT_REPORTS_OPEN);
}

enum err moderate_report(struct act *act, const struct complaint *complaint, uint64_t *id_out,
                         struct why *why)
{
    struct report_draft draft = {.reporter = act->me,
                                 .thing = complaint->thing,
                                 .reason = complaint->reason,
                                 .created_us = act->now_us};
    enum err err = OK;
    if (complaint->note.at) {
        err = text_check("note", text_lines(act->arena, complaint->note), 0, LIMIT_REPORT_NOTE_MAX,
                         &draft.note, why);
        if (draft.note.len == 0) draft.note = (struct str){0};
    }
    if (!err) err = looks[draft.thing.kind](act, &draft, why);
    if (err) return err;
    if (draft.author.value == act->me.value) {
        return why_set(why, ERR_INVALID, "不能举报自己 (that is your own)");
    }
    err = reports_find_open(act->db, act->me, draft.thing, id_out, why);
    if (err != ERR_NOT_FOUND) return err;
    err = check_room(act, why);
    if (err) return err;
    err = reports_add(act->db, &draft, id_out, why);
    if (err != ERR_CONFLICT) return err;
    return why_set(why, ERR_BUSY, "the same report came twice at once");
}

/* --- answering --- */

static enum err remove_thing(struct act *act, const struct report *report, struct why *why)
{
    uint64_t id = report->thing.id;
    enum err err = OK;
    switch (report->thing.kind) {
    case REPORT_POST: err = talk_remove_post(act, (struct post_id){id}, why); break;
    case REPORT_COMMENT:
        err =
            talk_remove_comment(act, (struct post_id){report->post}, (struct comment_id){id}, why);
        break;
    case REPORT_MESSAGE: err = letters_remove_reported(act, (struct message_id){id}, why); break;
    case REPORT_USER:
        return why_field(why, "outcome", "value_error",
                         "a member cannot be removed: ban them, or dismiss the report");
    case REPORT_KINDS: ASSERT(false); /* a number, no kind */
    }
    return err == ERR_NOT_FOUND ? OK : err; /* gone already: as it should be */
}

static enum err carry_out(struct act *act, const struct report *report, enum report_outcome outcome,
                          struct why *why)
{
    switch (outcome) {
    case OUTCOME_REMOVED: return remove_thing(act, report, why);
    case OUTCOME_DISMISSED: return OK;
    case OUTCOME_BANNED:
        if (report->author.id.value) return accounts_set_banned(act, report->author.id, true, why);
        return why_set(why, ERR_NOT_FOUND, "用户不存在 (the account is gone already)");
    case REPORT_OUTCOMES: ASSERT(false); /* a number, no outcome */
    }
    return OK;
}

enum err moderate_resolve(struct act *act, uint64_t id, enum report_outcome outcome,
                          struct why *why)
{
    struct report report;
    uint64_t count;
    enum err err = reports_load(act->db, act->arena, id, &report, why);
    if (err) return err;
    if (report.outcome.at) {
        return why_set(why, ERR_CONFLICT,
                       "这条举报已处理 (this report was resolved already; load the list again)");
    }
    err = reports_resolve(act->db, report.thing, outcome, act->me, act->now_us, &count, why);
    if (!err) err = carry_out(act, &report, outcome, why);
    if (err) return err;
    struct str detail = arena_printf(
        act->arena, "%s: %s %llu @%.*s (%.*s × %llu)", report_outcome_word(outcome),
        report_kind_word(report.thing.kind), (unsigned long long)report.thing.id,
        STR_ARGS(report.author.username), STR_ARGS(report.reason), (unsigned long long)count);
    return act_audit(act, AUDIT_REPORT_RESOLVED, "report", id, detail, why);
}
