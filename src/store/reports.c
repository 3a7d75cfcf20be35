/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "store/reports.h"

/* --- words --- */

static const char *const kinds[] = {"post", "comment", "message", "user"};
static const char *const reasons[] = {"spam", "abuse", "illegal", "other"};
static const char *const outcomes[] = {"removed", "dismissed", "banned"};
static_assert(COUNT_OF(kinds) == REPORT_KINDS, "each kind has its word");
static_assert(COUNT_OF(reasons) == REPORT_REASONS, "each reason has its word");
static_assert(COUNT_OF(outcomes) == REPORT_OUTCOMES, "each outcome has its word");

/* Where `word` stands among `count` words; `count`: nowhere. */
static size_t place_of(struct str word, const char *const *words, size_t count)
{
    size_t i = 0;
    while (i < count && !str_eq(word, str_of(words[i]))) i++;
    return i;
}

const char *report_kind_word(enum report_kind kind)
{
    ASSERT(kind < REPORT_KINDS);
    return kinds[kind];
}

const char *report_outcome_word(enum report_outcome outcome)
{
    ASSERT(outcome < REPORT_OUTCOMES);
    return outcomes[outcome];
}

bool report_kind_parse(struct str word, enum report_kind *kind_out)
{
    size_t at = place_of(word, kinds, REPORT_KINDS);
    if (at < REPORT_KINDS) *kind_out = (enum report_kind)at;
    return at < REPORT_KINDS;
}

bool report_reason_parse(struct str word, enum report_reason *reason_out)
{
    size_t at = place_of(word, reasons, REPORT_REASONS);
    if (at < REPORT_REASONS) *reason_out = (enum report_reason)at;
    return at < REPORT_REASONS;
}

bool report_outcome_parse(struct str word, enum report_outcome *outcome_out)
{
    size_t at = place_of(word, outcomes, REPORT_OUTCOMES);
    if (at < REPORT_OUTCOMES) *outcome_out = (enum report_outcome)at;
    return at < REPORT_OUTCOMES;
}

/* --- telling --- */

static void bind_thing(struct query *q, struct report_thing thing)
{
    query_str(q, str_of(report_kind_word(thing.kind)));
    query_u64(q, thing.id);
}

enum err reports_add(struct db *db, const struct report_draft *draft, uint64_t *id_out,
                     struct why *why)
{
    struct query *q = db_query(db, SQL_REPORT_ADD);
    query_i64(q, draft->created_us);
    query_u64(q, draft->reporter.value);
    bind_thing(q, draft->thing);
    query_u64(q, draft->author.value);
    query_id(q, draft->post);
    query_str(q, draft->content);
    query_str(q, str_of(reasons[draft->reason]));
    query_str(q, draft->note);
    enum err err = query_run(q, why);
    if (err == ERR_CONFLICT) return why_set(why, err, "you have reported this already");
    if (!err) *id_out = db_last_id(db);
    return err;
}

enum err reports_find_open(struct db *db, struct user_id reporter, struct report_thing thing,
                           uint64_t *id_out, struct why *why)
{
    struct query *q = db_query(db, SQL_REPORT_FIND_OPEN);
    query_u64(q, reporter.value);
    bind_thing(q, thing);
    bool found = query_next(q);
    if (found) *id_out = query_get_u64(q, 0);
    enum err err = query_end(q, why);
    return err || found ? err : why_set(why, ERR_NOT_FOUND, "no such report");
}

static enum err count(struct query *q, uint64_t *count_out, struct why *why)
{
    *count_out = query_next(q) ? query_get_u64(q, 0) : 0;
    return query_end(q, why);
}

enum err reports_count_open(struct db *db, uint64_t *count_out, struct why *why)
{
    return count(db_query(db, SQL_REPORTS_COUNT_OPEN), count_out, why);
}

enum err reports_count_of(struct db *db, struct user_id reporter, uint64_t *count_out,
                          struct why *why)
{
    struct query *q = db_query(db, SQL_REPORTS_COUNT_OF);
    query_u64(q, reporter.value);
    return count(q, count_out, why);
}

/* --- reading --- */

/* A row of REPORT_ROWS; texts are the row's. */
static struct report read_report(struct query *q)
{
    struct report report = {.id = query_get_u64(q, 0),
                            .created_us = query_get_i64(q, 1),
                            .thing = {.id = query_get_u64(q, 3)},
                            .post = query_get_u64(q, 4),
                            .content = query_get_str(q, 5),
                            .reason = query_get_str(q, 6),
                            .note = query_get_str(q, 7),
                            .outcome = query_get_str(q, 8),
                            .resolved_us = query_get_i64(q, 9),
                            .author_banned = !query_is_null(q, 10),
                            .reporter = user_brief_read(q, 11),
                            .author = user_brief_read(q, 16),
                            .resolver = user_brief_read(q, 21)};
    bool known = report_kind_parse(query_get_str(q, 2), &report.thing.kind);
    ASSERT(known); /* the table takes no other */
    return report;
}

enum err reports_load(struct db *db, struct arena *arena, uint64_t id, struct report *report_out,
                      struct why *why)
{
    struct query *q = db_query(db, SQL_REPORT_LOAD);
    query_u64(q, id);
    bool found = query_next(q);
    if (found) {
        *report_out = read_report(q);
        struct report *report = report_out;
        report->content = arena_keep(arena, report->content);
        report->reason = arena_keep(arena, report->reason);
        report->note = arena_keep(arena, report->note);
        report->outcome = arena_keep(arena, report->outcome);
        user_brief_keep(arena, &report->reporter);
        user_brief_keep(arena, &report->author);
        user_brief_keep(arena, &report->resolver);
    }
    enum err err = query_end(q, why);
    return err || found ? err : why_set(why, ERR_NOT_FOUND, "举报不存在 (no such report)");
}

enum err reports_list(struct db *db, bool open, uint64_t before, uint64_t limit, report_each *each,
                      void *ctx, struct why *why)
{
    struct query *q = db_query(db, open ? SQL_REPORTS_OPEN : SQL_REPORTS_RESOLVED);
    query_i64(q, before ? (int64_t)before : INT64_MAX);
    query_u64(q, limit);
    while (query_next(q)) {
        struct report report = read_report(q);
        each(ctx, &report);
    }
    return query_end(q, why);
}

enum err reports_resolve(struct db *db, struct report_thing thing, enum report_outcome outcome,
                         struct user_id by, int64_t now_us, uint64_t *count_out, struct why *why)
{
    struct query *q = db_query(db, SQL_REPORTS_RESOLVE);
    query_str(q, str_of(report_outcome_word(outcome)));
    query_i64(q, now_us);
    query_u64(q, by.value);
    bind_thing(q, thing);
    enum err err = query_run(q, why);
    if (err) return err;
    *count_out = db_changes(db);
    if (*count_out > 0) return OK;
    return why_set(why, ERR_CONFLICT,
                   "这条举报已处理 (this report was resolved already; load the list again)");
}
