/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Who lives in a town, on both engines: numbers, accounts that go, accounts that are banned. */
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

int main(void)
{
    static const struct database_test tests[] = {
        DATABASE_TEST(standings_say_who_has_a_number_and_who_is_banned),
        DATABASE_TEST(an_account_that_goes_takes_its_number_with_it),
        DATABASE_TEST(a_number_and_an_account_are_given_once),
        DATABASE_TEST(a_journal_takes_inputs_of_any_length_it_knows),
    };
    return database_run_tests("towns", tests, COUNT_OF(tests));
}
