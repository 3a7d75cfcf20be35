/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Posts: lists, likes, words to find them by, on both engines. */
#include "house.h"
#include "store/comments.h"
#include "unit.h"

/* --- lists --- */

static void posts_are_listed_every_way(struct database *d)
{
    house_open(d);
    struct user_id mei = house_user(d, "mei"), bo = house_user(d, "bo");
    struct post_id ids[6];
    const char *const texts[] = {"a", "b", "C", "d", "E", "f"}; /* capitals are bo's */
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        ids[i] = house_post(d, texts[i][0] < 'a' ? bo : mei, texts[i]);
    }
    const struct {
        struct posts_query query;
        const char *expected;
    } cases[] = {
        {{.limit = 10}, "f E d C b a"},
        {{.limit = 2, .skip = 1}, "E d"},
        {{.limit = 2, .skip = 6}, ""},
        {{.limit = 0}, ""},
        {{.limit = 10, .author = mei}, "f d b a"},
        {{.limit = 2, .skip = 1, .author = mei}, "d b"},
        {{.limit = 10, .author = {4711}}, ""},
        {{.limit = 3, .before = ids[4].value}, "d C b"},
        {{.limit = 3, .before = ids[4].value, .author = mei}, "d b a"},
        {{.limit = 3, .before = ids[0].value}, ""},
        {{.limit = 3, .after = ids[1].value}, "C d E"},
        {{.limit = 3, .after = ids[1].value, .author = bo}, "C E"},
        {{.limit = 3, .after = ids[5].value}, ""},
    };
    struct seen seen = {0};
    struct why why;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        must(posts_list(d->db, &cases[i].query, see_post, &seen, &why), &why);
        assert_seen(&seen, cases[i].expected);
    }
}

static void a_post_comes_back_as_it_was_written(struct database *d)
{
    house_open(d);
    struct why why;
    struct user_id mei = house_user(d, "mei");
    struct post_id id;
    struct str text = STR("第一行\n\t\"quoted\" \\ 'single' 😀 %s ; --");
    change_begin(d);
    must(posts_add(d->db, mei, text, STR("/files/images/x.webp"), INT64_C(1763700000123456), &id,
                   &why),
         &why);
    change_end(d);
    struct post post;
    must(posts_load(d->db, &d->arena, id, mei, &post, &why), &why);
    assert_true(str_eq(post.content, text));
    assert_str_equal(post.image_path, "/files/images/x.webp");
    assert_int_equal(post.created_us, INT64_C(1763700000123456));
    assert_int_equal(post.edited_us, 0);
    assert_str_equal(post.author.nickname, "mei");
    assert_null(post.author.avatar_path.at);
    assert_int_equal(posts_load(d->db, &d->arena, (struct post_id){4711}, mei, &post, &why),
                     ERR_NOT_FOUND);
}

static void the_longest_post_is_kept_whole_and_found(struct database *d)
{
    house_open(d);
    struct why why;
    struct user_id mei = house_user(d, "mei");
    char *text = arena_alloc(&d->arena, 5000 * 4 + 1);
    for (size_t i = 0; i < 5000; i++) memcpy(text + i * 4, "\xF0\xA0\x80\x80", 4);
    struct post_id id = house_post(d, mei, text);
    struct post post;
    must(posts_load(d->db, &d->arena, id, mei, &post, &why), &why);
    assert_int_equal(post.content.len, 20000);
    assert_true(str_eq(post.content, str_of(text)));
    assert_int_equal(
        must_number(d->db, database_words(d,
                                          "SELECT COUNT(*) FROM post_search"
                                          " WHERE post_search MATCH '\"\xF0\xA0\x80\x80\"'",
                                          "SELECT COUNT(*) FROM post_search WHERE"
                                          " MATCH (content) AGAINST ('u20000' IN BOOLEAN MODE)")),
        1);
}

static uint64_t total_of(struct database *d, struct user_id author)
{
    struct why why;
    uint64_t total = 0;
    must(posts_total(d->db, author, &total, &why), &why);
    return total;
}

static void totals_follow_what_is_there(struct database *d)
{
    house_open(d);
    struct why why;
    struct user_id mei = house_user(d, "mei"), bo = house_user(d, "bo");
    struct post_id id = house_post(d, mei, "one");
    house_post(d, mei, "two");
    house_post(d, bo, "three");
    assert_int_equal(total_of(d, mei), 2);
    assert_int_equal(total_of(d, (struct user_id){0}), 3);
    assert_int_equal(total_of(d, (struct user_id){4711}), 0);
    struct post post;
    must(posts_load(d->db, &d->arena, id, mei, &post, &why), &why);
    change_begin(d);
    must(posts_remove(d->db, &post, &why), &why);
    assert_int_equal(posts_remove(d->db, &post, &why), ERR_NOT_FOUND);
    assert_int_equal(posts_edit(d->db, &post, STR("ghost"), 9, &why), ERR_NOT_FOUND);
    change_end(d);
    assert_int_equal(total_of(d, mei), 1);
    assert_int_equal(total_of(d, (struct user_id){0}), 2);
    change_begin(d);
    struct post_id none;
    assert_int_equal(
        posts_add(d->db, (struct user_id){4711}, STR("x"), (struct str){0}, 1, &none, &why),
        ERR_INVALID);
    change_end(d); /* it left no traces */
    assert_int_equal(total_of(d, (struct user_id){0}), 2);
}

static void what_hangs_on_a_post_goes_with_it(struct database *d)
{
    house_open(d);
    struct why why;
    struct user_id mei = house_user(d, "mei");
    struct post_id id = house_post(d, mei, "one");
    struct comment_draft draft = {.post = id, .author = mei, .content = STR("x")};
    struct comment_id comment;
    bool changed;
    change_begin(d);
    must(comments_add(d->db, &draft, 1, &comment, &why), &why);
    must(posts_set_liked(d->db, id, mei, true, 1, &changed, &why), &why);
    change_end(d);
    struct post post;
    must(posts_load(d->db, &d->arena, id, mei, &post, &why), &why);
    change_begin(d);
    must(posts_remove(d->db, &post, &why), &why);
    change_end(d);
    assert_int_equal(must_number(d->db, "SELECT COUNT(*) FROM comments"), 0);
    assert_int_equal(must_number(d->db, "SELECT COUNT(*) FROM post_likes"), 0);
}

/* --- likes --- */

static void assert_likes(struct database *d, struct post_id id, uint64_t expected)
{
    struct why why;
    uint64_t likes = 99, comments = 99;
    must(posts_load_counts(d->db, id, &likes, &comments, &why), &why);
    assert_int_equal(likes, expected);
    assert_int_equal(must_number(d->db, "SELECT COUNT(*) FROM post_likes"), expected);
}

static void likes_are_a_set_with_an_exact_count(struct database *d)
{
    house_open(d);
    struct why why;
    struct user_id mei = house_user(d, "mei"), bo = house_user(d, "bo");
    struct post_id id = house_post(d, mei, "one");
    const struct {
        struct user_id who;
        bool like, changes;
        uint64_t count;
    } steps[] = {
        {mei, false, false, 0}, {mei, true, true, 1},  {mei, true, false, 1},  {bo, true, true, 2},
        {bo, true, false, 2},   {mei, false, true, 1}, {mei, false, false, 1}, {mei, true, true, 2},
        {bo, false, true, 1},   {mei, false, true, 0}, {bo, false, false, 0},
    };
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        bool changed = !steps[i].changes;
        change_begin(d);
        must(posts_set_liked(d->db, id, steps[i].who, steps[i].like, 1, &changed, &why), &why);
        change_end(d);
        assert_int_equal(changed, steps[i].changes);
        assert_likes(d, id, steps[i].count);
        struct post post;
        must(posts_load(d->db, &d->arena, id, steps[i].who, &post, &why), &why);
        assert_int_equal(post.is_liked, steps[i].like);
        must(posts_load(d->db, &d->arena, id, (struct user_id){0}, &post, &why), &why);
        assert_false(post.is_liked);
    }
}

static void nobody_likes_what_is_not_there(struct database *d)
{
    house_open(d);
    struct why why;
    struct user_id mei = house_user(d, "mei");
    struct post_id id = house_post(d, mei, "one");
    bool changed = true;
    change_begin(d);
    assert_int_equal(posts_set_liked(d->db, (struct post_id){4711}, mei, true, 1, &changed, &why),
                     db_kind(d->db) == DB_MARIADB ? ERR_NOT_FOUND : ERR_INVALID);
    assert_int_equal(posts_set_liked(d->db, id, (struct user_id){4711}, true, 1, &changed, &why),
                     ERR_INVALID);
    must(posts_set_liked(d->db, (struct post_id){4711}, mei, false, 1, &changed, &why), &why);
    assert_false(changed);
    change_end(d);
    assert_likes(d, id, 0);
    uint64_t likes, comments;
    assert_int_equal(posts_load_counts(d->db, (struct post_id){4711}, &likes, &comments, &why),
                     ERR_NOT_FOUND);
}

static void see_id(void *ctx, struct post_id id)
{
    char text[24];
    int len = snprintf(text, sizeof(text), "%llu", (unsigned long long)id.value);
    seen_add(ctx, (struct str){text, (size_t)len});
}

static void likes_of_a_range_of_posts_come_at_once(struct database *d)
{
    house_open(d);
    struct why why;
    struct user_id mei = house_user(d, "mei"), bo = house_user(d, "bo");
    struct post_id ids[5];
    bool changed;
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        ids[i] = house_post(d, mei, "x");
        change_begin(d);
        must(posts_set_liked(d->db, ids[i], i % 2 ? bo : mei, true, 1, &changed, &why), &why);
        change_end(d);
    }
    struct seen seen = {0};
    must(posts_liked_between(d->db, mei, ids[1].value, ids[4].value, see_id, &seen, &why), &why);
    assert_seen(&seen, arena_printf(&d->arena, "%llu %llu", (unsigned long long)ids[2].value,
                                    (unsigned long long)ids[4].value)
                           .at);
    must(posts_liked_between(d->db, bo, ids[4].value, ids[1].value, see_id, &seen, &why), &why);
    assert_seen(&seen, "");
}

/* --- words --- */

static void assert_found(struct database *d, const char *text, const char *expected)
{
    struct why why;
    struct seen seen = {0};
    must(posts_search(d->db, &d->arena, str_of(text), (struct user_id){0}, 0, 100, see_post, &seen,
                      &why),
         &why);
    if (strcmp(seen.text, expected) != 0) {
        fail_msg("\"%s\" finds \"%s\", not \"%s\"", text, seen.text, expected);
    }
}

static void words_find_posts_in_every_script(struct database *d)
{
    house_open(d);
    struct user_id mei = house_user(d, "mei");
    static const char *const texts[] = {
        "我爱咖啡", "咖啡馆在Nanjing路", "Coffee", "the-AI", "Café_crème", "don't",
        "ПРИВЕТ",   "こんにちは",        "哈哈哈", "C++",    "😀only😀",     "x\n2026",
        "a",        "안녕하세요",
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++) house_post(d, mei, texts[i]);
    static const struct {
        const char *text, *found;
    } cases[] = {
        {"咖啡", "咖啡馆在Nanjing路 我爱咖啡"},
        {"咖", "咖啡馆在Nanjing路 我爱咖啡"},
        {"啡咖", ""}, /* a run is a phrase: in this order */
        {"我啡", ""},
        {"我 啡", "我爱咖啡"}, /* two words, anywhere */
        {"nanjing", "咖啡馆在Nanjing路"},
        {"咖啡nanjing", "咖啡馆在Nanjing路"},
        {"coffee", "Coffee"},
        {"COFFEE", "Coffee"},
        {"coff", ""},        /* whole words */
        {"咖啡 coffee", ""}, /* all of them */
        {"ai", "the-AI"},
        {"the", "the-AI"},
        {"the ai", "the-AI"},
        {"cafe", "Café_crème"},
        {"CRÈME", "Café_crème"},
        {"don't", "don't"},
        {"привет", "ПРИВЕТ"},
        {"んにち", "こんにちは"},
        {"哈哈", "哈哈哈"},
        {"哈哈哈哈", ""},
        {"녕하", "안녕하세요"},
        {"2026", "x\n2026"},
        {"only", "😀only😀"},
        {"a", "a"},
        {"c", "C++"},
        {"xxcoffee", ""},
        {"u5496", ""},
        {"coffee😀", "Coffee"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) assert_found(d, cases[i].text, cases[i].found);
}

/* Whatever a stranger writes is words or nothing, never an operator or an error. */
static void operators_are_only_text(struct database *d)
{
    house_open(d);
    struct user_id mei = house_user(d, "mei");
    house_post(d, mei, "alpha");
    house_post(d, mei, "beta");
    static const struct {
        const char *text, *found;
    } cases[] = {
        {"", ""},
        {" ", ""},
        {"\"", ""},
        {"\"\"", ""},
        {"'", ""},
        {"*", ""},
        {"+", ""},
        {"-", ""},
        {"()", ""},
        {"((((", ""},
        {"<>~@", ""},
        {"\\", ""},
        {"%_", ""},
        {"。，！？", ""},
        {"😀", ""},
        {"^alpha", "alpha"},
        {"alpha*", "alpha"},
        {"alph*", ""},
        {"-alpha", "alpha"},
        {"+alpha", "alpha"},
        {"\"alpha\"", "alpha"},
        {"alpha\"", "alpha"},
        {"(alpha", "alpha"},
        {"~alpha", "alpha"},
        {">alpha", "alpha"},
        {"@2 alpha", ""},
        {"content:alpha", ""},
        {"alpha -beta", ""},
        {"alpha OR beta", ""},
        {"alpha AND alpha", ""},
        {"NOT beta", ""},
        {"NEAR(alpha beta)", ""},
        {"alpha' OR 1=1 --", ""},
        {"{alpha}", "alpha"},
        {"alpha\nbeta", ""},
        {"ALPHA,ALPHA", "alpha"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) assert_found(d, cases[i].text, cases[i].found);
}

static void long_words_and_many_words_are_bounded(struct database *d)
{
    house_open(d);
    struct user_id mei = house_user(d, "mei");
    char word[301], other[302];
    memset(word, 'w', 300);
    word[300] = '\0';
    house_post(d, mei, word);
    assert_found(d, word, word);
    memset(other, 'w', 79);
    other[79] = '\0';
    assert_found(d, other, "");
    char *many = arena_alloc(&d->arena, 5000 * 2 + 1);
    for (size_t i = 0; i < 5000; i++) memcpy(many + i * 2, i < 16 ? "b " : "q ", 2);
    house_post(d, mei, "b");
    assert_found(d, many, "b"); /* sixteen words count */
}

static void pages_of_found_posts_do_not_overlap(struct database *d)
{
    house_open(d);
    struct why why;
    struct user_id mei = house_user(d, "mei"), bo = house_user(d, "bo");
    struct post_id ids[5];
    const char *const texts[] = {"咖啡1", "咖啡2", "茶", "咖啡3", "咖啡4"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) ids[i] = house_post(d, mei, texts[i]);
    bool changed;
    change_begin(d);
    must(posts_set_liked(d->db, ids[4], bo, true, 1, &changed, &why), &why);
    change_end(d);
    struct seen seen = {0};
    must(posts_search(d->db, &d->arena, STR("咖啡"), bo, 0, 2, see_post, &seen, &why), &why);
    assert_seen(&seen, "咖啡4 咖啡3");
    must(posts_search(d->db, &d->arena, STR("咖啡"), bo, ids[3].value, 2, see_post, &seen, &why),
         &why);
    assert_seen(&seen, "咖啡2 咖啡1");
}

static void editing_and_removing_keep_the_words_exact(struct database *d)
{
    house_open(d);
    struct why why;
    struct user_id mei = house_user(d, "mei");
    struct post_id id = house_post(d, mei, "红茶 alpha");
    house_post(d, mei, "绿茶");
    struct post post;
    must(posts_load(d->db, &d->arena, id, mei, &post, &why), &why);
    change_begin(d);
    must(posts_edit(d->db, &post, STR("咖啡 beta"), 77, &why), &why);
    change_end(d);
    assert_found(d, "红茶", "");
    assert_found(d, "alpha", "");
    assert_found(d, "beta", "咖啡 beta");
    assert_found(d, "茶", "绿茶");
    must(posts_load(d->db, &d->arena, id, mei, &post, &why), &why);
    assert_int_equal(post.edited_us, 77);
    /* Twice within one transaction, then back. */
    change_begin(d);
    must(posts_edit(d->db, &post, STR("gamma"), 78, &why), &why);
    post.content = STR("gamma");
    must(posts_edit(d->db, &post, STR("咖啡 delta"), 79, &why), &why);
    change_end(d);
    assert_found(d, "gamma", "");
    assert_found(d, "beta", "");
    assert_found(d, "咖啡", "咖啡 delta");
    must(posts_load(d->db, &d->arena, id, mei, &post, &why), &why);
    change_begin(d);
    must(posts_remove(d->db, &post, &why), &why);
    change_end(d);
    assert_found(d, "咖啡", "");
    assert_found(d, "delta", "");
    assert_found(d, "绿茶", "绿茶");
    if (d->kind == DB_SQLITE) {
        must_run(d->db, "INSERT INTO post_search (post_search) VALUES ('integrity-check')");
    }
}

static void posts_go_with_their_author_and_are_found_no_more(struct database *d)
{
    house_open(d);
    struct user_id mei = house_user(d, "mei"), bo = house_user(d, "bo");
    house_post(d, mei, "咖啡 hers");
    house_post(d, bo, "咖啡 his");
    must_run(d->db, "DELETE FROM users WHERE username = 'mei'");
    assert_found(d, "咖啡", "咖啡 his");
    assert_found(d, "hers", "");
    house_post(d, bo, "another");
    assert_found(d, "咖啡", "咖啡 his");
}

int main(void)
{
    static const struct database_test tests[] = {
        DATABASE_TEST(posts_are_listed_every_way),
        DATABASE_TEST(a_post_comes_back_as_it_was_written),
        DATABASE_TEST(the_longest_post_is_kept_whole_and_found),
        DATABASE_TEST(totals_follow_what_is_there),
        DATABASE_TEST(what_hangs_on_a_post_goes_with_it),
        DATABASE_TEST(likes_are_a_set_with_an_exact_count),
        DATABASE_TEST(nobody_likes_what_is_not_there),
        DATABASE_TEST(likes_of_a_range_of_posts_come_at_once),
        DATABASE_TEST(words_find_posts_in_every_script),
        DATABASE_TEST(operators_are_only_text),
        DATABASE_TEST(long_words_and_many_words_are_bounded),
        DATABASE_TEST(pages_of_found_posts_do_not_overlap),
        DATABASE_TEST(editing_and_removing_keep_the_words_exact),
        DATABASE_TEST(posts_go_with_their_author_and_are_found_no_more),
    };
    return database_run_tests("posts", tests, COUNT_OF(tests));
}
