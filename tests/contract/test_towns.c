/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Towns, who lives in them and what belongs to them, on both engines. */
#include "base/buf.h"
#include "house.h"
#include "store/towns.h"
#include "unit.h"

static struct user_id add_resident(struct database *d, const char *name)
{
    struct user_draft draft = {.username = str_of(name),
                               .username_key = str_of(name),
                               .nickname = str_of(name),
                               .bio = STR("a bio"),
                               .is_ai = true,
                               .role = ROLE_RESIDENT};
    struct user_id id = {0};
    struct why why;
    change_begin(d);
    must(users_add(d->db, &draft, &id, &why), &why);
    change_end(d);
    return id;
}

static struct town_id add_town(struct database *d)
{
    struct town_row town = {.name = STR("town"), .speed = 1};
    struct why why;
    change_begin(d);
    must(towns_add(d->db, &town, 1, &town.id, &why), &why);
    change_end(d);
    return town.id;
}

static void move_in(struct database *d, struct town_id town, uint32_t number, struct user_id user)
{
    struct why why;
    change_begin(d);
    must(town_people_add(d->db, town, number, user, &why), &why);
    change_end(d);
}

static void change(struct database *d, const char *text, struct user_id user)
{
    struct why why;
    change_begin(d);
    struct query *q = db_query_text(d->db, text);
    query_u64(q, user.value);
    must(query_run(q, &why), &why);
    change_end(d);
}

static void see_standing(void *ctx, const struct town_standing *standing)
{
    char word[64];
    char number[16] = "-";
    if (standing->has_number) snprintf(number, sizeof(number), "%u", standing->number);
    int len = snprintf(word, sizeof(word), "%llu:%s%s", (unsigned long long)standing->user.value,
                       number, standing->banned ? "!" : "");
    seen_add(ctx, (struct str){word, (size_t)len});
}

static void see_person(void *ctx, const struct town_person *person)
{
    char word[64];
    int len = snprintf(word, sizeof(word), "%u:%.*s%s", person->number, STR_ARGS(person->username),
                       person->banned ? "!" : "");
    seen_add(ctx, (struct str){word, (size_t)len});
}

static void expect(struct database *d, struct town_id town, const char *standings,
                   const char *people, const char *homeless)
{
    struct seen seen = {0};
    struct why why;
    must(town_standings(d->db, town, see_standing, &seen, &why), &why);
    assert_seen(&seen, standings);
    must(town_people_list(d->db, town, see_person, &seen, &why), &why);
    assert_seen(&seen, people);
    must(town_homeless_list(d->db, see_person, &seen, &why), &why);
    assert_seen(&seen, homeless);
}

static void standings_say_who_has_a_number_and_who_is_banned(struct database *d)
{
    house_open(d);
    (void)house_user(d, "mei"); /* 1: a member is no resident */
    struct user_id an = add_resident(d, "an"), bo = add_resident(d, "bo");
    struct town_id town = add_town(d);
    expect(d, town, "2:- 3:-", "", "0:an 0:bo");
    move_in(d, town, 7, bo);
    expect(d, town, "2:- 3:7", "7:bo", "0:an");
    change(d, "UPDATE users SET banned_us = 5 WHERE id = ?", bo);
    change(d, "UPDATE users SET banned_us = 5 WHERE id = ?", an);
    expect(d, town, "2:-! 3:7!", "7:bo!", "0:an!");
    change(d, "UPDATE users SET banned_us = NULL WHERE id = ?", bo);
    expect(d, town, "2:-! 3:7", "7:bo", "0:an!");
    /* Those of another town are none of this one's business. */
    struct town_id other = add_town(d);
    expect(d, other, "2:-!", "", "0:an!");
}

static void an_account_that_goes_takes_its_number_with_it(struct database *d)
{
    house_open(d);
    struct user_id an = add_resident(d, "an"), bo = add_resident(d, "bo");
    struct town_id town = add_town(d);
    move_in(d, town, 0, an);
    move_in(d, town, 1, bo);
    change(d, "DELETE FROM users WHERE id = ?", an);
    expect(d, town, "2:1", "1:bo", "");
}

static void a_number_and_an_account_are_given_once(struct database *d)
{
    house_open(d);
    struct user_id an = add_resident(d, "an"), bo = add_resident(d, "bo");
    struct town_id town = add_town(d);
    struct why why;
    move_in(d, town, 0, an);
    change_begin(d);
    assert_int_equal(town_people_add(d->db, town, 0, bo, &why), ERR_CONFLICT);
    assert_int_equal(town_people_add(d->db, town, 1, an, &why), ERR_CONFLICT);
    /* An account that has gone meanwhile: refused, and the transaction goes on. */
    assert_int_equal(town_people_add(d->db, town, 1, (struct user_id){999}, &why), ERR_INVALID);
    must(town_people_add(d->db, town, 1, bo, &why), &why);
    change_end(d);
    expect(d, town, "1:0 2:1", "0:an 1:bo", "");
}

static void see_input(void *ctx, uint64_t seq, int64_t minute, struct str input)
{
    char word[64];
    int len = snprintf(word, sizeof(word), "%llu@%lld:%zu%c", (unsigned long long)seq,
                       (long long)minute, input.len, input.at[input.len - 1]);
    seen_add(ctx, (struct str){word, (size_t)len});
}

static void a_journal_takes_inputs_of_any_length_it_knows(struct database *d)
{
    house_open(d);
    struct town_id town = add_town(d);
    struct seen seen = {0};
    struct why why;
    change_begin(d);
    must(town_inputs_add(d->db, town, 1, 481, STR("12345678901234567890"), &why), &why);
    must(town_inputs_add(d->db, town, 2, 481,
                         STR("12345678901234567890\0\xff\x80 45678901234567890x"), &why),
         &why);
    change_end(d);
    must(town_inputs_after(d->db, town, 0, see_input, &seen, &why), &why);
    assert_seen(&seen, "1@481:200 2@481:42x");
}

static void assert_spent(struct database *d, int64_t day, uint64_t tokens, uint64_t micro)
{
    struct why why;
    struct town_spending spent = {1, 1};
    must(town_spending_load(d->db, day, &spent, &why), &why);
    assert_int_equal(spent.tokens, tokens);
    assert_int_equal(spent.cost_micro, micro);
}

static void what_models_cost_adds_up_by_days(struct database *d)
{
    house_open(d);
    struct why why;
    const struct town_spending small = {.tokens = 7, .cost_micro = 11},
                               huge = {.tokens = UINT32_MAX, .cost_micro = UINT64_C(1) << 50};
    assert_spent(d, 20000, 0, 0);
    change_begin(d);
    must(town_spending_add(d->db, 20000, &small, &why), &why);
    must(town_spending_add(d->db, 20000, &huge, &why), &why);
    must(town_spending_add(d->db, 20001, &small, &why), &why);
    change_end(d);
    assert_spent(d, 20000, UINT64_C(7) + UINT32_MAX, 11 + (UINT64_C(1) << 50));
    assert_spent(d, 20001, 7, 11);
    assert_spent(d, 19999, 0, 0);
}

/* Rows of a town in every table that has some, in the order of `tables`. */
static const char *const tables[] = {"towns",       "town_people", "town_checkpoints",
                                     "town_inputs", "town_posts",  "town_todo"};

static struct str rows_of(struct database *d, struct town_id town)
{
    struct buf counts;
    buf_init(&counts, 256);
    for (size_t i = 0; i < COUNT_OF(tables); i++) {
        struct why why;
        struct str text =
            arena_printf(&d->arena, "SELECT COUNT(*) FROM %s WHERE %s = %llu", tables[i],
                         i == 0 ? "id" : "town_id", (unsigned long long)town.value);
        struct query *q = db_query_text(d->db, text.at);
        assert_true(query_next(q));
        buf_printf(&counts, "%s%llu", i ? " " : "", (unsigned long long)query_get_u64(q, 0));
        must(query_end(q, &why), &why);
    }
    struct str copy = arena_copy(&d->arena, buf_str(&counts));
    buf_release(&counts);
    return copy;
}

/* A town of one person with one of everything. In a change. */
static struct town_id furnish(struct database *d, struct user_id who, struct post_id post)
{
    struct why why;
    struct town_row row = {.name = STR("town"), .speed = 1};
    const struct town_checkpoint checkpoint = {.minute = 480, .state = STR("state")};
    must(towns_add(d->db, &row, 1, &row.id, &why), &why);
    must(town_people_add(d->db, row.id, 0, who, &why), &why);
    must(town_checkpoints_add(d->db, row.id, &checkpoint, 8, 1, &why), &why);
    must(town_inputs_add(d->db, row.id, 1, 480, STR("input"), &why), &why);
    must(town_posts_add(d->db, row.id, 1, post, &why), &why);
    must(town_todo_add(d->db, row.id, 1, STR("effect"), &why), &why);
    return row.id;
}

static void a_town_goes_with_all_that_is_its_own_and_leaves_the_community(struct database *d)
{
    house_open(d);
    struct why why;
    uint64_t fence = 0;
    struct user_id mei = house_user(d, "mei"), lan = house_user(d, "lan");
    struct post_id post = house_post(d, mei, "hello");
    const struct action_log log = {.character = mei,
                                   .type = STR("post"),
                                   .name = STR("create_post"),
                                   .day = 1,
                                   .time = STR("08:00")};
    const struct town_spending spent = {.tokens = 5};
    change_begin(d);
    struct town_id one = furnish(d, mei, post), other = furnish(d, lan, post);
    must(action_logs_add(d->db, &log, &why), &why);
    must(town_spending_add(d->db, 20000, &spent, &why), &why);
    must(towns_claim(d->db, one, STR("holder"), 1, 100, &fence, &why), &why);
    change_end(d);

    /* Not by one who held it once. */
    change_begin(d);
    assert_int_equal(towns_remove(d->db, one, fence - 1, &why), ERR_CONFLICT);
    assert_int_equal(towns_remove(d->db, one, fence + 1, &why), ERR_CONFLICT);
    db_rollback(d->db);
    assert_str_equal(rows_of(d, one), "1 1 1 1 1 1");

    change_begin(d);
    must(towns_remove(d->db, one, fence, &why), &why);
    change_end(d);
    assert_str_equal(rows_of(d, one), "0 0 0 0 0 0");
    assert_str_equal(rows_of(d, other), "1 1 1 1 1 1");
    struct post kept;
    must(posts_load(d->db, &d->arena, post, mei, &kept, &why), &why);
    assert_spent(d, 20000, 5, 0);
    struct query *q = db_query_text(d->db, "SELECT COUNT(*) FROM action_logs");
    assert_true(query_next(q));
    assert_int_equal(query_get_u64(q, 0), 1);
    must(query_end(q, &why), &why);
    assert_int_equal(towns_remove(d->db, one, fence, &why), ERR_CONFLICT);

    /* And its people may move into the next one. */
    change_begin(d);
    struct town_id next = furnish(d, mei, post);
    change_end(d);
    assert_str_equal(rows_of(d, next), "1 1 1 1 1 1");
}

int main(void)
{
    static const struct database_test tests[] = {
        DATABASE_TEST(standings_say_who_has_a_number_and_who_is_banned),
        DATABASE_TEST(an_account_that_goes_takes_its_number_with_it),
        DATABASE_TEST(a_number_and_an_account_are_given_once),
        DATABASE_TEST(a_journal_takes_inputs_of_any_length_it_knows),
        DATABASE_TEST(what_models_cost_adds_up_by_days),
        DATABASE_TEST(a_town_goes_with_all_that_is_its_own_and_leaves_the_community),
    };
    return database_run_tests("towns", tests, COUNT_OF(tests));
}
