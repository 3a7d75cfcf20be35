/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Who follows whom, and what a town has yet to hear of, on both engines. */
#include "house.h"
#include "store/follows.h"
#include "store/notices.h"
#include "unit.h"

static bool set(struct database *d, struct user_id follower, struct user_id followed, bool follows)
{
    struct why why;
    bool changed = false;
    change_begin(d);
    must(follows_set(d->db, follower, followed, follows, 7, &changed, &why), &why);
    change_end(d);
    return changed;
}

static struct follow_tally tally_of(struct database *d, struct user_id user, struct user_id viewer)
{
    struct why why;
    struct follow_tally tally;
    must(follows_load_tally(d->db, user, viewer, &tally, &why), &why);
    return tally;
}

static void assert_tally(struct database *d, struct user_id user, struct user_id viewer,
                         uint64_t followers, uint64_t following, bool viewer_follows)
{
    struct follow_tally tally = tally_of(d, user, viewer);
    assert_int_equal(tally.followers_count, followers);
    assert_int_equal(tally.following_count, following);
    assert_int_equal(tally.following, viewer_follows);
}

static void follows_are_a_set_with_exact_counts(struct database *d)
{
    house_open(d);
    struct user_id mei = house_user(d, "mei"), bo = house_user(d, "bo"), li = house_user(d, "li");
    assert_tally(d, bo, mei, 0, 0, false);
    assert_false(set(d, mei, bo, false));
    assert_true(set(d, mei, bo, true));
    assert_false(set(d, mei, bo, true));
    assert_true(set(d, li, bo, true));
    assert_true(set(d, bo, mei, true));
    assert_tally(d, bo, mei, 2, 1, true);
    assert_tally(d, mei, li, 1, 1, false);
    assert_tally(d, li, bo, 0, 1, false);
    assert_tally(d, bo, (struct user_id){0}, 2, 1, false);
    assert_true(set(d, mei, bo, false));
    assert_false(set(d, mei, bo, false));
    assert_tally(d, bo, mei, 1, 1, false);
    assert_tally(d, (struct user_id){4711}, mei, 0, 0, false);
}

static void nobody_follows_oneself_or_who_is_not_there(struct database *d)
{
    house_open(d);
    struct why why;
    bool changed = true;
    struct user_id mei = house_user(d, "mei"), none = {4711};
    const struct user_id pairs[][2] = {{mei, mei}, {mei, none}, {none, mei}};
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        change_begin(d);
        assert_int_equal(follows_set(d->db, pairs[i][0], pairs[i][1], true, 7, &changed, &why),
                         ERR_INVALID);
        change_end(d);
        assert_false(changed);
    }
    assert_int_equal(must_number(d->db, "SELECT COUNT(*) FROM follows"), 0);
}

/* --- lists --- */

struct page {
    struct seen seen;
    uint64_t last;
};

static void see_follow(void *ctx, const struct follow *follow)
{
    struct page *page = ctx;
    assert_int_equal(follow->created_us, 7);
    seen_add(&page->seen, follow->user.username);
    page->last = follow->id;
}

static void lists_go_back_from_the_newest(struct database *d)
{
    house_open(d);
    struct why why;
    struct user_id mei = house_user(d, "mei"), bo = house_user(d, "bo"), li = house_user(d, "li"),
                   wu = house_user(d, "wu");
    set(d, li, mei, true);
    set(d, bo, mei, true);
    set(d, mei, wu, true);
    set(d, wu, mei, true);
    struct page page = {0};
    struct follows_query query = {.user = mei, .followers = true, .limit = 2};
    must(follows_list(d->db, &query, see_follow, &page, &why), &why);
    assert_seen(&page.seen, "wu bo");
    query.before = page.last;
    must(follows_list(d->db, &query, see_follow, &page, &why), &why);
    assert_seen(&page.seen, "li");
    query = (struct follows_query){.user = mei, .limit = 9};
    must(follows_list(d->db, &query, see_follow, &page, &why), &why);
    assert_seen(&page.seen, "wu");
    query.user.value = 4711;
    must(follows_list(d->db, &query, see_follow, &page, &why), &why);
    assert_seen(&page.seen, "");
}

static void follows_go_with_either_account(struct database *d)
{
    house_open(d);
    struct user_id mei = house_user(d, "mei"), bo = house_user(d, "bo"), li = house_user(d, "li");
    set(d, mei, bo, true);
    set(d, bo, li, true);
    set(d, mei, li, true);
    must_run(d->db, "DELETE FROM users WHERE username = 'bo'");
    assert_tally(d, li, mei, 1, 0, true);
    assert_tally(d, mei, li, 0, 1, false);
    assert_int_equal(must_number(d->db, "SELECT COUNT(*) FROM follows"), 1);
}

/* --- what a town hears --- */

/* Resident `user` lives in it as number 5, and `post` is known there as 9. */
static struct town_id town_with(struct database *d, struct user_id user, struct post_id post)
{
    struct why why;
    struct town_id id;
    struct town_row row = {.name = STR("town")};
    change_begin(d);
    must(towns_add(d->db, &row, 1, &id, &why), &why);
    must(town_people_add(d->db, id, 5, user, &why), &why);
    must(town_posts_add(d->db, id, 9, post, &why), &why);
    change_end(d);
    return id;
}

struct heard {
    struct seen seen;
    struct arena *arena;
    uint64_t ids[8];
    size_t count;
};

static void hear(void *ctx, const struct town_notice *notice)
{
    struct heard *heard = ctx;
    seen_add(&heard->seen,
             arena_printf(heard->arena, "%s:%u:%llu", notice->is_follow ? "follow" : "like",
                          notice->to, (unsigned long long)notice->actor.value));
    assert_true(heard->count < COUNT_OF(heard->ids));
    heard->ids[heard->count++] = notice->id;
}

static void assert_untold(struct database *d, struct town_id town, struct heard *heard,
                          const char *expected)
{
    struct why why;
    heard->arena = &d->arena;
    heard->count = 0;
    must(town_notices_list(d->db, town, COUNT_OF(heard->ids), hear, heard, &why), &why);
    assert_seen(&heard->seen, expected);
}

static void note(struct database *d, struct user_id actor, struct user_id followed,
                 struct post_id post)
{
    struct why why;
    change_begin(d);
    if (followed.value) must(town_notices_add_follow(d->db, actor, followed, &why), &why);
    if (post.value) must(town_notices_add_like(d->db, actor, post, &why), &why);
    change_end(d);
}

static void a_town_hears_of_each_like_and_follow_once(struct database *d)
{
    house_open(d);
    struct why why;
    struct user_id mei = house_user(d, "mei"), bot = house_user(d, "bot");
    struct post_id known = house_post(d, bot, "known"), other = house_post(d, bot, "not known");
    note(d, mei, bot, known); /* there is no town yet */
    struct town_id town = town_with(d, bot, known);
    struct heard heard = {0};
    assert_untold(d, town, &heard, "");
    note(d, bot, bot, known); /* residents tell each other inside */
    note(d, mei, mei, other); /* neither concerns the town */
    note(d, mei, bot, known);
    note(d, mei, bot, known);
    struct str both = arena_printf(&d->arena, "follow:5:%llu like:9:%llu",
                                   (unsigned long long)mei.value, (unsigned long long)mei.value);
    assert_untold(d, town, &heard, both.at);
    change_begin(d);
    must(town_notices_mark(d->db, heard.ids[0], &why), &why);
    change_end(d);
    note(d, mei, bot, known); /* it was told, or is going to be */
    assert_untold(d, town, &heard, str_from(both, str_find_byte(both, ' ') + 1).at);
    /* Another town has neither that post nor that resident. */
    assert_untold(d, (struct town_id){town.value + 1}, &heard, "");
    change_begin(d);
    must(town_notices_clear(d->db, &why), &why);
    change_end(d);
    assert_untold(d, town, &heard, "");
    note(d, mei, bot, (struct post_id){0}); /* a new town hears anew */
    assert_int_equal(must_number(d->db, "SELECT COUNT(*) FROM town_notices"), 1);
}

static void notices_go_with_what_they_are_about(struct database *d)
{
    house_open(d);
    struct user_id mei = house_user(d, "mei"), bot = house_user(d, "bot"), li = house_user(d, "li");
    struct post_id post = house_post(d, mei, "one");
    struct town_id town = town_with(d, bot, post);
    struct user_id nobody = {0};
    note(d, mei, bot, post);
    note(d, li, nobody, post);
    struct heard heard = {0};
    must_run(d->db, "DELETE FROM users WHERE username = 'bot'");
    assert_int_equal(must_number(d->db, "SELECT COUNT(*) FROM town_notices"), 2);
    must_run(d->db, "DELETE FROM users WHERE username = 'li'");
    assert_int_equal(must_number(d->db, "SELECT COUNT(*) FROM town_notices"), 1);
    must_run(d->db, "DELETE FROM posts");
    assert_untold(d, town, &heard, "");
    assert_int_equal(must_number(d->db, "SELECT COUNT(*) FROM town_notices"), 0);
}

int main(void)
{
    static const struct database_test tests[] = {
        DATABASE_TEST(follows_are_a_set_with_exact_counts),
        DATABASE_TEST(nobody_follows_oneself_or_who_is_not_there),
        DATABASE_TEST(lists_go_back_from_the_newest),
        DATABASE_TEST(follows_go_with_either_account),
        DATABASE_TEST(a_town_hears_of_each_like_and_follow_once),
        DATABASE_TEST(notices_go_with_what_they_are_about),
    };
    return database_run_tests("follows", tests, COUNT_OF(tests));
}
