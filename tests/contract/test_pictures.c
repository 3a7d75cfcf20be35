/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The residents' picture queue, on both engines. */
#include "house.h"
#include "store/pictures.h"
#include "unit.h"

struct queue {
    struct user_id mei;
    struct post_id post;
};

static struct queue open_queue(struct database *d)
{
    house_open(d);
    struct queue queue = {.mei = house_user(d, "mei")};
    queue.post = house_post(d, queue.mei, "hello");
    return queue;
}

static uint64_t add(struct database *d, const struct queue *queue, const char *prompt,
                    int64_t now_us)
{
    struct why why;
    uint64_t id = 0;
    struct picture_row row = {
        .character = queue->mei, .post = queue->post, .prompt = str_of(prompt), .seed = UINT32_MAX};
    change_begin(d);
    must(pictures_add(d->db, &row, now_us, &id, &why), &why);
    change_end(d);
    return id;
}

static enum err save(struct database *d, const struct picture_row *row, enum picture_state from)
{
    struct why why;
    change_begin(d);
    enum err err = pictures_save(d->db, row, from, 99, &why);
    if (err) {
        db_rollback(d->db);
    } else {
        change_end(d);
    }
    return err;
}

static void a_picture_comes_back_as_it_was_queued(struct database *d)
{
    struct queue queue = open_queue(d);
    struct why why;
    struct picture_row row;
    uint64_t id = add(d, &queue, "小猫 on a roof", 7);
    must(pictures_load(d->db, &d->arena, id, &row, &why), &why);
    assert_int_equal(row.character.value, queue.mei.value);
    assert_int_equal(row.post.value, queue.post.value);
    assert_str_equal(row.prompt, "小猫 on a roof");
    assert_int_equal(row.state, PICTURE_PENDING);
    assert_int_equal(row.seed, UINT32_MAX);
    assert_int_equal(row.next_try_us, 7);
    assert_null(row.error.at);
    assert_null(row.prompt_id.at);
    assert_null(row.result_path.at);
    assert_int_equal(pictures_load(d->db, &d->arena, id + 1, &row, &why), ERR_NOT_FOUND);
}

static void an_interrupted_one_comes_first_then_what_is_due(struct database *d)
{
    struct queue queue = open_queue(d);
    struct why why;
    struct picture_row row;
    assert_int_equal(pictures_next(d->db, &d->arena, 100, &row, &why), ERR_NOT_FOUND);
    uint64_t late = add(d, &queue, "late", 50), early = add(d, &queue, "early", 10);
    assert_int_equal(pictures_next(d->db, &d->arena, 9, &row, &why), ERR_NOT_FOUND);
    must(pictures_next(d->db, &d->arena, 100, &row, &why), &why);
    assert_int_equal(row.id, early);
    row.state = PICTURE_PENDING;
    row.next_try_us = 200;
    row.tries = 1;
    row.error = STR("nobody there");
    assert_int_equal(save(d, &row, PICTURE_PENDING), OK);
    must(pictures_next(d->db, &d->arena, 100, &row, &why), &why);
    assert_int_equal(row.id, late);
    must(pictures_load(d->db, &d->arena, early, &row, &why), &why);
    assert_str_equal(row.error, "nobody there");
    row.state = PICTURE_PROCESSING;
    row.prompt_id = STR("abc");
    assert_int_equal(save(d, &row, PICTURE_PENDING), OK);
    must(pictures_next(d->db, &d->arena, 0, &row, &why), &why);
    assert_int_equal(row.id, early);
    assert_str_equal(row.prompt_id, "abc");
}

static void a_state_is_left_once(struct database *d)
{
    struct queue queue = open_queue(d);
    struct why why;
    struct picture_row row;
    uint64_t id = add(d, &queue, "p", 1), count;
    must(pictures_load(d->db, &d->arena, id, &row, &why), &why);
    row.state = PICTURE_COMPLETED;
    row.result_path = STR("/files/images/made_1.webp");
    assert_int_equal(save(d, &row, PICTURE_PROCESSING), ERR_CONFLICT);
    assert_int_equal(save(d, &row, PICTURE_PENDING), OK);
    assert_int_equal(save(d, &row, PICTURE_PENDING), ERR_CONFLICT);
    must(pictures_count(d->db, PICTURE_COMPLETED, &count, &why), &why);
    assert_int_equal(count, 1);
    must(pictures_count(d->db, PICTURE_PENDING, &count, &why), &why);
    assert_int_equal(count, 0);
}

static void see_prompt(void *ctx, const struct picture_row *row)
{
    seen_add(ctx, row->prompt);
}

static void the_queue_is_listed_newest_first(struct database *d)
{
    struct queue queue = open_queue(d);
    struct why why;
    struct seen seen = {0};
    uint64_t count;
    uint64_t first = add(d, &queue, "a", 10), second = add(d, &queue, "b", 20);
    add(d, &queue, "c", 30);
    struct pictures_query query = {.state = -1, .limit = 2};
    must(pictures_list(d->db, &query, see_prompt, &seen, &why), &why);
    assert_seen(&seen, "c b");
    query.before = second;
    must(pictures_list(d->db, &query, see_prompt, &seen, &why), &why);
    assert_seen(&seen, "a");
    struct picture_row row;
    must(pictures_load(d->db, &d->arena, first, &row, &why), &why);
    row.state = PICTURE_FAILED;
    assert_int_equal(save(d, &row, PICTURE_PENDING), OK);
    query = (struct pictures_query){.state = PICTURE_PENDING, .limit = 9};
    must(pictures_list(d->db, &query, see_prompt, &seen, &why), &why);
    assert_seen(&seen, "c b");
    must(pictures_count_since(d->db, queue.mei, 20, &count, &why), &why);
    assert_int_equal(count, 2);
}

static void a_post_that_goes_leaves_its_picture_without_one(struct database *d)
{
    struct queue queue = open_queue(d);
    struct why why;
    struct picture_row row;
    uint64_t id = add(d, &queue, "p", 1);
    change_begin(d);
    must(posts_set_image(d->db, queue.post, STR("/files/images/made_1.webp"), &why), &why);
    change_end(d);
    change_begin(d);
    assert_int_equal(posts_set_image(d->db, queue.post, STR("/files/images/made_2.webp"), &why),
                     ERR_CONFLICT);
    db_rollback(d->db);
    struct post post;
    must(posts_load(d->db, &d->arena, queue.post, queue.mei, &post, &why), &why);
    assert_str_equal(post.image_path, "/files/images/made_1.webp");
    change_begin(d);
    must(posts_remove(d->db, &post, &why), &why);
    change_end(d);
    must(pictures_load(d->db, &d->arena, id, &row, &why), &why);
    assert_int_equal(row.post.value, 0);
}

static void only_the_holder_of_the_town_may(struct database *d)
{
    struct queue queue = open_queue(d);
    struct why why;
    (void)queue;
    struct town_row town = {.name = STR("town"), .speed = 1};
    uint64_t fence = 0;
    change_begin(d);
    must(towns_add(d->db, &town, 1, &town.id, &why), &why);
    must(towns_claim(d->db, town.id, STR("one"), 1, 100, &fence, &why), &why);
    must(pictures_fence(d->db, town.id, fence, &why), &why);
    assert_int_equal(pictures_fence(d->db, town.id, fence + 1, &why), ERR_CONFLICT);
    change_end(d);
}

int main(void)
{
    static const struct database_test tests[] = {
        DATABASE_TEST(a_picture_comes_back_as_it_was_queued),
        DATABASE_TEST(an_interrupted_one_comes_first_then_what_is_due),
        DATABASE_TEST(a_state_is_left_once),
        DATABASE_TEST(the_queue_is_listed_newest_first),
        DATABASE_TEST(a_post_that_goes_leaves_its_picture_without_one),
        DATABASE_TEST(only_the_holder_of_the_town_may),
    };
    return database_run_tests("pictures", tests, COUNT_OF(tests));
}
