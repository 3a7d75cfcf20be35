/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What members tell moderators of, accounts as moderators see them, and the overview. */
#include "house.h"
#include "store/overview.h"
#include "store/reports.h"
#include "store/sessions.h"
#include "unit.h"

static enum err add(struct database *d, struct user_id reporter, struct user_id author,
                    struct report_thing thing, uint64_t *id_out, struct why *why)
{
    struct report_draft draft = {.reporter = reporter,
                                 .thing = thing,
                                 .author = author,
                                 .content = STR("胡说"),
                                 .reason = REASON_ABUSE,
                                 .created_us = 7};
    return reports_add(d->db, &draft, id_out, why);
}

static uint64_t must_add(struct database *d, struct user_id reporter, struct user_id author,
                         struct report_thing thing)
{
    struct why why;
    uint64_t id = 0;
    change_begin(d);
    must(add(d, reporter, author, thing, &id, &why), &why);
    change_end(d);
    assert_true(id > 0);
    return id;
}

static void see_report(void *ctx, const struct report *report)
{
    seen_add(ctx, report->reporter.id.value ? report->reporter.username : STR("nobody"));
    if (report->outcome.at) seen_add(ctx, report->outcome);
}

static void assert_reports(struct database *d, bool open, uint64_t before, uint64_t limit,
                           const char *expected)
{
    struct why why;
    struct seen seen = {0};
    must(reports_list(d->db, open, before, limit, see_report, &seen, &why), &why);
    assert_seen(&seen, expected);
}

static void a_thing_is_reported_once_by_each_and_resolved_for_all(struct database *d)
{
    house_open(d);
    struct why why;
    struct user_id mei = house_user(d, "mei"), bo = house_user(d, "bo"), li = house_user(d, "li");
    struct report_thing post = {REPORT_POST, 5}, comment = {REPORT_COMMENT, 5};
    uint64_t first = must_add(d, mei, li, post), id = 0, count = 0;
    change_begin(d);
    assert_int_equal(add(d, mei, li, post, &id, &why), ERR_CONFLICT);
    db_rollback(d->db);
    uint64_t second = must_add(d, bo, li, post);
    must_add(d, mei, li, comment); /* the same number is something else */
    must(reports_find_open(d->db, mei, post, &id, &why), &why);
    assert_int_equal(id, first);
    assert_int_equal(reports_find_open(d->db, li, post, &id, &why), ERR_NOT_FOUND);
    must(reports_count_open(d->db, &count, &why), &why);
    assert_int_equal(count, 3);
    must(reports_count_of(d->db, mei, &count, &why), &why);
    assert_int_equal(count, 2);
    assert_reports(d, true, 0, 9, "mei bo mei");
    assert_reports(d, true, second, 9, "mei");
    assert_reports(d, false, 0, 9, "");

    change_begin(d);
    must(reports_resolve(d->db, post, OUTCOME_REMOVED, li, 9, &count, &why), &why);
    assert_int_equal(count, 2);
    assert_int_equal(reports_resolve(d->db, post, OUTCOME_DISMISSED, li, 9, &count, &why),
                     ERR_CONFLICT);
    change_end(d);
    assert_reports(d, true, 0, 9, "mei");
    assert_reports(d, false, 0, 9, "bo removed mei removed");
    assert_reports(d, false, 0, 1, "bo removed");
    assert_int_equal(reports_find_open(d->db, mei, post, &id, &why), ERR_NOT_FOUND);
    assert_true(must_add(d, mei, li, post) > second); /* it may come back, and be told again */
}

static void a_report_outlives_whom_it_names(struct database *d)
{
    house_open(d);
    struct why why;
    struct user_id mei = house_user(d, "mei"), bo = house_user(d, "bo"), li = house_user(d, "li");
    uint64_t count, id = must_add(d, mei, bo, (struct report_thing){REPORT_USER, bo.value});
    struct report report;
    must(reports_load(d->db, &d->arena, id, &report, &why), &why);
    assert_true(str_eq(report.content, STR("胡说")) && str_eq(report.reason, STR("abuse")));
    assert_true(report.note.at == NULL && report.outcome.at == NULL && report.post == 0);
    assert_true(str_eq(report.author.username, STR("bo")) && report.resolver.id.value == 0);
    change_begin(d);
    must(reports_resolve(d->db, report.thing, OUTCOME_BANNED, li, 9, &count, &why), &why);
    change_end(d);
    must(reports_load(d->db, &d->arena, id, &report, &why), &why);
    assert_true(str_eq(report.resolver.username, STR("li")) && report.resolved_us == 9);
    must_run(d->db, "DELETE FROM users");
    must(reports_load(d->db, &d->arena, id, &report, &why), &why);
    assert_int_equal(report.reporter.id.value + report.author.id.value + report.resolver.id.value,
                     0);
    assert_true(str_eq(report.outcome, STR("banned")));
    assert_int_equal(reports_load(d->db, &d->arena, id + 1, &report, &why), ERR_NOT_FOUND);
}

/* --- accounts --- */

static void see_account(void *ctx, const struct user_account *account)
{
    seen_add(ctx, account->user.brief.username);
    if (account->user.banned) seen_add(ctx, STR("(banned)"));
    if (account->seen_us == 30) seen_add(ctx, STR("(seen)"));
}

static void assert_accounts(struct database *d, struct users_accounts_query query,
                            const char *expected)
{
    struct why why;
    struct seen seen = {0};
    if (query.limit == 0) query.limit = 9;
    must(users_list_accounts(d->db, &d->arena, &query, see_account, &seen, &why), &why);
    assert_seen(&seen, expected);
}

static void accounts_are_found_by_name_role_and_ban(struct database *d)
{
    house_open(d);
    struct why why;
    struct user_id mei = house_user(d, "mei"), bo = house_user(d, "bo_100%"),
                   li = house_user(d, "meili");
    struct session_draft login = {.user = mei, .created_us = 20, .expires_us = 99};
    struct session_id session;
    uint64_t admins;
    change_begin(d);
    must(sessions_add(d->db, &login, &session, &why), &why);
    login.created_us = 30;
    must(sessions_add(d->db, &login, &session, &why), &why);
    must(users_set_role(d->db, bo, ROLE_ADMIN, 1, &why), &why);
    must(users_set_banned(d->db, li, true, 1, &why), &why);
    must(users_count_admins(d->db, &admins, &why), &why);
    change_end(d);
    assert_int_equal(admins, 1);
    assert_accounts(d, (struct users_accounts_query){0}, "meili (banned) bo_100% mei (seen)");
    assert_accounts(d, (struct users_accounts_query){.limit = 1}, "meili (banned)");
    assert_accounts(d, (struct users_accounts_query){.before = bo.value}, "mei (seen)");
    assert_accounts(d, (struct users_accounts_query){.after = mei.value}, "bo_100% meili (banned)");
    assert_accounts(d, (struct users_accounts_query){.key = STR("ei"), .text = STR("ei")},
                    "meili (banned) mei (seen)");
    assert_accounts(d, (struct users_accounts_query){.key = STR("0%"), .text = STR("0%")},
                    "bo_100%");
    assert_accounts(d, (struct users_accounts_query){.by_role = true, .role = ROLE_ADMIN},
                    "bo_100%");
    assert_accounts(d, (struct users_accounts_query){.by_banned = true, .banned = true},
                    "meili (banned)");
    assert_accounts(d, (struct users_accounts_query){.by_banned = true}, "bo_100% mei (seen)");
    assert_accounts(d,
                    (struct users_accounts_query){
                        .by_banned = true, .by_role = true, .key = STR("m"), .text = STR("m")},
                    "mei (seen)");
}

static void the_overview_counts_what_is_there(struct database *d)
{
    house_open(d);
    struct why why;
    struct overview overview;
    struct user_id mei = house_user(d, "mei");
    house_post(d, mei, "one");
    must_add(d, mei, mei, (struct report_thing){REPORT_POST, 1});
    int64_t day = HOUSE_NOW_US / (INT64_C(86400) * 1000000);
    must(overview_load(d->db, day, &overview, &why), &why);
    assert_int_equal(overview.users, 1);
    assert_int_equal(overview.posts, 1);
    assert_int_equal(overview.posts_today, 1);
    assert_int_equal(overview.reports_open, 1);
    assert_true(overview.database_bytes > 10000);
    must(overview_load(d->db, day + 1, &overview, &why), &why);
    assert_int_equal(overview.posts_today, 0);
}

int main(void)
{
    static const struct database_test tests[] = {
        DATABASE_TEST(a_thing_is_reported_once_by_each_and_resolved_for_all),
        DATABASE_TEST(a_report_outlives_whom_it_names),
        DATABASE_TEST(accounts_are_found_by_name_role_and_ban),
        DATABASE_TEST(the_overview_counts_what_is_there),
    };
    return database_run_tests("reports", tests, COUNT_OF(tests));
}
