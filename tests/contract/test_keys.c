/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Members' keys for programs and what was used with them, on both engines. */
#include "house.h"
#include "store/keys.h"
#include "store/usage.h"
#include "unit.h"

static struct str hash_of(struct database *d, int number)
{
    return arena_printf(&d->arena, "%032d", number);
}

static struct key_id add_key(struct database *d, struct user_id user, int number)
{
    struct why why;
    struct key_id id;
    struct api_key key = {.user = user,
                          .name = STR("钥匙"),
                          .last_four = STR("wxyz"),
                          .requests_per_minute = 7,
                          .models = STR("gpt-*\nqwen"),
                          .created_us = HOUSE_NOW_US};
    change_begin(d);
    must(keys_add(d->db, &key, hash_of(d, number), &id, &why), &why);
    change_end(d);
    return id;
}

static void a_key_is_found_by_its_hash_until_it_is_revoked(struct database *d)
{
    house_open(d);
    struct why why;
    struct user_id mei = house_user(d, "mei"), bo = house_user(d, "bo");
    struct key_id id = add_key(d, mei, 1);
    struct api_key key;
    must(keys_find(d->db, &d->arena, hash_of(d, 1), &key, &why), &why);
    assert_int_equal(key.id.value, id.value);
    assert_int_equal(key.user.value, mei.value);
    assert_int_equal(key.requests_per_minute, 7);
    assert_int_equal(key.tokens_per_day, 0);
    assert_str_equal(key.models, "gpt-*\nqwen");
    assert_int_equal(keys_find(d->db, &d->arena, hash_of(d, 2), &key, &why), ERR_NOT_FOUND);
    change_begin(d);
    assert_int_equal(keys_revoke(d->db, bo, id, HOUSE_NOW_US, &why), ERR_NOT_FOUND);
    must(keys_revoke(d->db, mei, id, HOUSE_NOW_US, &why), &why);
    assert_int_equal(keys_revoke(d->db, mei, id, HOUSE_NOW_US, &why), ERR_NOT_FOUND);
    change_end(d);
    assert_int_equal(keys_find(d->db, &d->arena, hash_of(d, 1), &key, &why), ERR_NOT_FOUND);
    assert_int_equal(keys_load(d->db, &d->arena, mei, id, &key, &why), ERR_NOT_FOUND);
}

static void a_banned_members_keys_open_nothing(struct database *d)
{
    house_open(d);
    struct why why;
    struct user_id mei = house_user(d, "mei");
    struct api_key key;
    add_key(d, mei, 1);
    change_begin(d);
    must(users_set_banned(d->db, mei, true, HOUSE_NOW_US, &why), &why);
    change_end(d);
    assert_int_equal(keys_find(d->db, &d->arena, hash_of(d, 1), &key, &why), ERR_NOT_FOUND);
    change_begin(d);
    must(users_set_banned(d->db, mei, false, HOUSE_NOW_US, &why), &why);
    change_end(d);
    must(keys_find(d->db, &d->arena, hash_of(d, 1), &key, &why), &why);
}

static void the_last_use_never_goes_backwards(struct database *d)
{
    house_open(d);
    struct why why;
    struct user_id mei = house_user(d, "mei");
    struct key_id id = add_key(d, mei, 1);
    struct api_key key;
    change_begin(d);
    must(keys_set_used(d->db, id, 500, &why), &why);
    must(keys_set_used(d->db, id, 400, &why), &why);
    change_end(d);
    must(keys_load(d->db, &d->arena, mei, id, &key, &why), &why);
    assert_int_equal(key.used_us, 500);
    assert_str_equal(key.name, "钥匙");
}

static void use(struct database *d, struct key_id key, int64_t day, const char *model,
                uint64_t input)
{
    struct why why;
    struct usage_row row = {.day = day,
                            .key = key,
                            .site = STR("site"),
                            .model = str_of(model),
                            .sums = {.requests = 1,
                                     .unknown = 1,
                                     .input_tokens = input,
                                     .output_tokens = 2,
                                     .estimated_tokens = 3,
                                     .cost_micro = 4}};
    change_begin(d);
    must(usage_add(d->db, &row, &why), &why);
    change_end(d);
}

struct listing {
    struct seen seen;
    struct usage_sums last;
};

static void see_usage(void *ctx, const struct usage_row *row)
{
    struct listing *listing = ctx;
    char word[100];
    snprintf(word, sizeof(word), "%lld:%.*s:%.*s:%llu", (long long)row->day,
             STR_ARGS(row->username), STR_ARGS(row->model), (unsigned long long)row->sums.requests);
    seen_add(&listing->seen, str_of(word));
    listing->last = row->sums;
}

static void usage_adds_up_by_key_day_and_model(struct database *d)
{
    house_open(d);
    struct why why;
    struct user_id mei = house_user(d, "mei"), bo = house_user(d, "bo");
    struct key_id first = add_key(d, mei, 1), second = add_key(d, bo, 2);
    use(d, first, 10, "m", 100);
    use(d, first, 10, "m", 11);
    use(d, first, 11, "m", 1);
    use(d, first, 11, "n", 1);
    use(d, second, 11, "m", 5);
    use(d, (struct key_id){99999}, 11, "m", 5); /* no such key: nothing, and no failure */

    uint64_t tokens;
    must(usage_tokens_of_day(d->db, first, 10, &tokens, &why), &why);
    assert_int_equal(tokens, 115);
    must(usage_tokens_of_day(d->db, first, 12, &tokens, &why), &why);
    assert_int_equal(tokens, 0);

    struct listing listing = {0};
    struct usage_query query = {.user = mei, .from_day = 0, .to_day = 11, .limit = 10};
    must(usage_list(d->db, &query, see_usage, &listing, &why), &why);
    assert_seen(&listing.seen, "11:mei:n:1 11:mei:m:1 10:mei:m:2");
    assert_int_equal(listing.last.input_tokens, 111);
    assert_int_equal(listing.last.unknown, 2);
    assert_int_equal(listing.last.estimated_tokens, 6);
    assert_int_equal(listing.last.cost_micro, 8);
    query = (struct usage_query){.from_day = 11, .to_day = 20, .limit = 2};
    must(usage_list(d->db, &query, see_usage, &listing, &why), &why);
    assert_seen(&listing.seen, "11:bo:m:1 11:mei:n:1");
}

int main(void)
{
    static const struct database_test tests[] = {
        DATABASE_TEST(a_key_is_found_by_its_hash_until_it_is_revoked),
        DATABASE_TEST(a_banned_members_keys_open_nothing),
        DATABASE_TEST(the_last_use_never_goes_backwards),
        DATABASE_TEST(usage_adds_up_by_key_day_and_model),
    };
    return database_run_tests("keys", tests, COUNT_OF(tests));
}
