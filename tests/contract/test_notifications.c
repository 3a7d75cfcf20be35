/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What members are told of, and comments that answer comments, on both engines. */
#include "house.h"
#include "store/comments.h"
#include "store/notifications.h"
#include "unit.h"

static uint64_t set(struct database *d, struct occasion occasion, bool stands)
{
    struct why why;
    struct notification_id id;
    change_begin(d);
    must(notifications_set(d->db, &occasion, stands, 7, &id, &why), &why);
    change_end(d);
    return id.value;
}

static uint64_t unread(struct database *d, struct user_id user)
{
    struct why why;
    uint64_t count;
    must(notifications_unread(d->db, user, &count, &why), &why);
    return count;
}

static uint64_t mark_read(struct database *d, struct user_id user, uint64_t up_to)
{
    struct why why;
    change_begin(d);
    must(notifications_read(d->db, user, up_to, &up_to, &why), &why);
    change_end(d);
    return up_to;
}

static void see_notification(void *ctx, const struct notification *notification)
{
    char line[300];
    snprintf(line, sizeof(line), "%s:%.*s%s", notification_kind_name(notification->kind),
             STR_ARGS(notification->excerpt), notification->is_read ? "!" : "");
    seen_add(ctx, str_of(line));
}

static void assert_told(struct database *d, struct user_id user, const char *expected)
{
    struct why why;
    struct seen seen = {0};
    must(notifications_list(d->db, user, 0, 10, see_notification, &seen, &why), &why);
    assert_seen(&seen, expected);
}

static struct comment_id add_comment(struct database *d, struct comment_draft draft)
{
    struct why why;
    struct comment_id id;
    change_begin(d);
    must(comments_add(d->db, &draft, HOUSE_NOW_US, &id, &why), &why);
    change_end(d);
    return id;
}

static void an_occasion_is_told_once_and_comes_back_as_it_was(struct database *d)
{
    house_open(d);
    struct user_id mei = house_user(d, "mei"), bo = house_user(d, "bo");
    struct post_id post = house_post(d, mei, "tea");
    struct occasion like = {.kind = NOTIFY_LIKE, .user = mei, .actor = bo, .post = post};
    assert_int_equal(set(d, like, false), 0); /* nothing to take back */
    uint64_t id = set(d, like, true);
    assert_true(id > 0);
    assert_int_equal(set(d, like, true), 0);
    assert_told(d, mei, "like:tea");
    assert_int_equal(set(d, like, false), id);
    assert_int_equal(set(d, like, false), 0);
    assert_told(d, mei, "");
    assert_int_equal(unread(d, mei), 0);
    assert_int_equal(set(d, like, true), id);
    assert_int_equal(unread(d, mei), 1);
    assert_int_equal(mark_read(d, mei, 0), id);
    assert_int_equal(mark_read(d, mei, 0), 0);
    assert_int_equal(set(d, like, false), id);
    assert_int_equal(set(d, like, true), id);
    assert_told(d, mei, "like:tea!");
    assert_told(d, bo, "");
    struct occasion mention = {.kind = NOTIFY_MENTION, .user = mei, .actor = bo, .post = post};
    struct occasion follow = {.kind = NOTIFY_FOLLOW, .user = mei, .actor = bo};
    assert_true(set(d, mention, true) > id);
    assert_true(set(d, follow, true) > id);
    assert_told(d, mei, "follow: mention:tea like:tea!");
    assert_int_equal(mark_read(d, mei, id), 0);
    assert_int_equal(mark_read(d, mei, id + 1), id + 1);
    assert_int_equal(unread(d, mei), 1);
}

static void see_told(void *ctx, struct user_id user, struct notification_id id)
{
    char line[40];
    snprintf(line, sizeof(line), "%llu:%d", (unsigned long long)user.value, id.value > 0);
    seen_add(ctx, str_of(line));
}

static void of_a_comment_each_is_told_once_and_with_it_that_goes(struct database *d)
{
    house_open(d);
    struct why why;
    struct seen seen = {0};
    struct user_id mei = house_user(d, "mei"), bo = house_user(d, "bo"), li = house_user(d, "li");
    struct post_id post = house_post(d, mei, "tea");
    struct comment_id first = add_comment(d, (struct comment_draft){post, {0}, bo, STR("green")});
    struct comment_id answer = add_comment(d, (struct comment_draft){post, first, li, STR("no")});
    struct occasion occasion = {.kind = NOTIFY_REPLY, .user = bo, .actor = li, .post = post};
    occasion.comment = answer;
    assert_true(set(d, occasion, true) > 0);
    occasion.kind = NOTIFY_MENTION;
    assert_int_equal(set(d, occasion, true), 0);
    assert_told(d, bo, "reply:no");
    occasion.kind = NOTIFY_COMMENT, occasion.user = mei;
    assert_true(set(d, occasion, true) > 0);
    must(notifications_of_comment(d->db, answer, 10, see_told, &seen, &why), &why);
    assert_seen(&seen, "2:1 1:1");
    must(notifications_of_post(d->db, post, 10, see_told, &seen, &why), &why);
    assert_seen(&seen, "1:0 2:0");
    must(notifications_of_post(d->db, post, 1, see_told, &seen, &why), &why);
    assert_seen(&seen, "1:0");

    /* The answer stays, what was told of it too. */
    struct comment comment;
    change_begin(d);
    must(comments_remove(d->db, post, first, &why), &why);
    change_end(d);
    must(comments_load(d->db, &d->arena, answer, &comment, &why), &why);
    assert_int_equal(comment.parent.value, 0);
    assert_told(d, bo, "reply:no");
    change_begin(d);
    must(comments_remove(d->db, post, answer, &why), &why);
    change_end(d);
    assert_told(d, bo, "");
    assert_int_equal(must_number(d->db, "SELECT COUNT(*) FROM notifications"), 0);
}

static void the_newest_thousand_are_kept(struct database *d)
{
    house_open(d);
    struct why why;
    struct user_id mei = house_user(d, "mei"), bo = house_user(d, "bo"), li = house_user(d, "li");
    change_begin(d);
    for (uint64_t i = 0; i < NOTIFICATIONS_KEPT + 3; i++) {
        struct notification_id id;
        struct occasion occasion = {.kind = NOTIFY_LIKE, .user = mei, .actor = bo};
        must(posts_add(d->db, mei, STR("x"), (struct str){0}, 1, &occasion.post, &why), &why);
        must(notifications_set(d->db, &occasion, true, 1, &id, &why), &why);
    }
    change_end(d);
    set(d, (struct occasion){.kind = NOTIFY_FOLLOW, .user = li, .actor = mei}, true);
    assert_int_equal(unread(d, mei), NOTIFICATIONS_KEPT);
    assert_int_equal(unread(d, li), 1);
}

int main(void)
{
    static const struct database_test tests[] = {
        DATABASE_TEST(an_occasion_is_told_once_and_comes_back_as_it_was),
        DATABASE_TEST(of_a_comment_each_is_told_once_and_with_it_that_goes),
        DATABASE_TEST(the_newest_thousand_are_kept),
    };
    return database_run_tests("notifications", tests, COUNT_OF(tests));
}
