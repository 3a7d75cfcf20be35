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
    must(comments_remove(d->db, first, &why), &why);
    change_end(d);
    must(comments_load(d->db, &d->arena, answer, &comment, &why), &why);
    assert_int_equal(comment.parent.value, 0);
    assert_told(d, bo, "reply:no");
    change_begin(d);
    must(comments_remove(d->db, answer, &why), &why);
    change_end(d);
    assert_told(d, bo, "");
    assert_int_equal(must_number(d->db, "SELECT COUNT(*) FROM notifications"), 0);
}

static struct post_id like_once(struct database *d, struct user_id mei, struct user_id bo)
{
    struct why why;
    struct notification_id id;
    struct occasion occasion = {.kind = NOTIFY_LIKE, .user = mei, .actor = bo};
    must(posts_add(d->db, mei, STR("x"), (struct str){0}, 1, &occasion.post, &why), &why);
    must(notifications_set(d->db, &occasion, true, 1, &id, &why), &why);
    return occasion.post;
}

struct walk {
    uint64_t last, count, page;
};

static void note_step(void *ctx, const struct notification *notification)
{
    struct walk *walk = ctx;
    assert_true(walk->last == 0 || notification->id.value < walk->last);
    walk->last = notification->id.value;
    walk->count++;
    walk->page++;
}

/* Page by page, as a reader goes back. */
static struct walk walk_all(struct database *d, struct user_id user)
{
    struct why why;
    struct walk walk = {0};
    do {
        walk.page = 0;
        must(notifications_list(d->db, user, walk.last, 100, note_step, &walk, &why), &why);
    } while (walk.page == 100);
    return walk;
}

static void the_newest_thousand_are_seen_and_not_many_more_are_kept(struct database *d)
{
    house_open(d);
    struct user_id mei = house_user(d, "mei"), bo = house_user(d, "bo"), li = house_user(d, "li");
    bool more = false; /* at some moment there is more in the table than is shown */
    struct post_id last = {0};
    change_begin(d);
    for (uint64_t i = 0; i < NOTIFICATIONS_KEPT + 800; i++) {
        last = like_once(d, mei, bo);
        if (i < NOTIFICATIONS_KEPT || i % 100 != 50) continue;
        int64_t rows = must_number(d->db, "SELECT COUNT(*) FROM notifications WHERE user_id = 1");
        more |= rows > NOTIFICATIONS_KEPT;
        assert_in_range(rows, NOTIFICATIONS_KEPT, NOTIFICATIONS_KEPT + 200);
        assert_int_equal(walk_all(d, mei).count, NOTIFICATIONS_KEPT);
    }
    change_end(d);
    assert_true(more);
    set(d, (struct occasion){.kind = NOTIFY_FOLLOW, .user = li, .actor = mei}, true);
    assert_int_equal(unread(d, mei), NOTIFICATIONS_KEPT);
    assert_int_equal(unread(d, li), 1);
    assert_int_equal(walk_all(d, li).count, 1);

    /* What is taken back is one of the thousand, and makes no older one come back. */
    struct walk before = walk_all(d, mei);
    set(d, (struct occasion){.kind = NOTIFY_LIKE, .user = mei, .actor = bo, .post = last}, false);
    struct walk after = walk_all(d, mei);
    assert_int_equal(after.count, NOTIFICATIONS_KEPT - 1);
    assert_int_equal(after.last, before.last);
    assert_true(mark_read(d, mei, 0) > 0);
    assert_int_equal(unread(d, mei), 0);
}

/* However ids fall on members, each gets its turn. */
static void who_shares_the_ids_with_others_is_pruned_as_well(struct database *d)
{
    enum { OTHERS = 3, MORE = 600 };
    house_open(d);
    struct user_id bo = house_user(d, "bo"), people[OTHERS + 1];
    static const char *const names[] = {"a", "b", "c", "d"};
    for (size_t i = 0; i < COUNT_OF(people); i++) people[i] = house_user(d, names[i]);
    change_begin(d);
    for (uint64_t i = 0; i < NOTIFICATIONS_KEPT + MORE; i++)
        for (size_t p = 0; p < COUNT_OF(people); p++) (void)like_once(d, people[p], bo);
    change_end(d);
    int64_t most = must_number(
        d->db,
        "SELECT MAX(n) FROM (SELECT COUNT(*) AS n FROM notifications GROUP BY user_id) AS x");
    assert_in_range(most, NOTIFICATIONS_KEPT, NOTIFICATIONS_KEPT + 300);
}

int main(void)
{
    static const struct database_test tests[] = {
        DATABASE_TEST(an_occasion_is_told_once_and_comes_back_as_it_was),
        DATABASE_TEST(of_a_comment_each_is_told_once_and_with_it_that_goes),
        DATABASE_TEST(the_newest_thousand_are_seen_and_not_many_more_are_kept),
        DATABASE_TEST(who_shares_the_ids_with_others_is_pruned_as_well),
    };
    return database_run_tests("notifications", tests, COUNT_OF(tests));
}
