/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What the community says of itself, and whether it is new, on both engines. */
#include "base/embedded.h"
#include "house.h"
#include "store/community.h"
#include "store/migrate.h"
#include "unit.h"

static struct community load(struct database *d)
{
    struct why why;
    struct community community;
    must(community_load(d->db, &d->arena, &community, &why), &why);
    return community;
}

static void there_is_one_and_it_keeps_what_it_is_told(struct database *d)
{
    house_open(d);
    struct why why;
    struct community community = load(d);
    assert_int_equal(community.name.len, 0);
    assert_int_equal(community.about.len, 0);
    assert_null(community.language.at);
    assert_int_equal(community.set_up_us, 0);
    struct community told = {.name = STR("槐树胡同"),
                             .about = STR("邻居们。 "),
                             .language = STR("zh"),
                             .set_up_us = HOUSE_NOW_US};
    change_begin(d);
    must(community_lock(d->db, &why), &why);
    must(community_save(d->db, &told, &why), &why);
    change_end(d);
    community = load(d);
    assert_true(str_eq(community.name, told.name) && str_eq(community.about, told.about));
    assert_true(str_eq(community.language, told.language));
    assert_int_equal(community.set_up_us, HOUSE_NOW_US);
    assert_int_equal(must_number(d->db, "SELECT COUNT(*) FROM community"), 1);
    told.language = STR("fr");
    change_begin(d);
    assert_int_equal(community_save(d->db, &told, &why), ERR_INVALID);
    change_end(d);
}

static void one_that_people_lived_in_before_is_not_new(struct database *d)
{
    struct why why;
    house_open_before(d, "_community.sql");
    struct user_id mei = house_user(d, "mei");
    assert_int_equal(mei.value, 1);
    must(migrate_run(d->db, embedded_files, &why), &why);
    struct community community = load(d);
    assert_int_equal(community.name.len, 0);
    assert_int_equal(community.set_up_us, HOUSE_NOW_US); /* since the first account */
}

int main(void)
{
    static const struct database_test tests[] = {
        DATABASE_TEST(there_is_one_and_it_keeps_what_it_is_told),
        DATABASE_TEST(one_that_people_lived_in_before_is_not_new),
    };
    return database_run_tests("community", tests, COUNT_OF(tests));
}
