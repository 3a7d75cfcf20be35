/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Wikis that were written: whole ones, those a job writes, who sees and who may remove them. */
#include "store/groups.h"
#include "store/leaving.h"
#include "store/wiki_books.h"

#include "house.h"
#include "unit.h"

static const struct wiki_key key = {{"github", sizeof("github") - 1},
                                    {"my_org", sizeof("my_org") - 1},
                                    {"../réseau", sizeof("../réseau") - 1},
                                    {"zh", sizeof("zh") - 1}};
static const struct wiki_viewer stranger = {0}, insider = {.insider = true};

static struct wiki_viewer member(struct user_id user)
{
    return (struct wiki_viewer){.user = user, .insider = true};
}

static struct wiki_book book_of(enum wiki_book_state state)
{
    return (struct wiki_book){.key = key,
                              .url = STR("https://github.com/my_org/réseau"),
                              .comprehensive = true,
                              .title = STR("书"),
                              .description = STR("about"),
                              .sections = STR("[{\"id\":\"s\"}]"),
                              .roots = STR("[\"s\"]"),
                              .provider = STR("google"),
                              .model = STR("gemini"),
                              .commit = STR("abc"),
                              .state = state,
                              .created_us = 5,
                              .finished_us = state == WIKI_BOOK_DONE ? 7 : 0};
}

static struct wiki_page page_of(const char *slug, const char *content, enum wiki_page_state state)
{
    return (struct wiki_page){.slug = str_of(slug),
                              .title = STR("a page"),
                              .importance = STR("high"),
                              .files = STR("[\"a.c\"]"),
                              .related = STR("[]"),
                              .content = str_of(content),
                              .state = state,
                              .sources = STR("{}")};
}

static uint64_t must_add(struct database *d, const struct wiki_book *book)
{
    struct why why;
    uint64_t id = 0;
    struct wiki_page pages[2] = {page_of("page-1", "# One", WIKI_PAGE_DONE),
                                 page_of("page-2", "# 二", WIKI_PAGE_DONE)};
    size_t count = book->state == WIKI_BOOK_PLANNING ? 0 : COUNT_OF(pages);
    change_begin(d);
    must(wiki_books_add(d->db, book, pages, count, &id, &why), &why);
    change_end(d);
    assert_true(id > 0);
    return id;
}

/* The other aggregate's rows, as far as they matter here. */
static uint64_t wiki_for(struct database *d, const char *access, uint64_t group, uint64_t owner)
{
    static int number;
    char group_text[24] = "NULL", owner_text[24] = "NULL";
    number++;
    if (group) snprintf(group_text, sizeof(group_text), "%llu", (unsigned long long)group);
    if (owner) snprintf(owner_text, sizeof(owner_text), "%llu", (unsigned long long)owner);
    struct str text = arena_printf(
        &d->arena,
        "INSERT INTO wikis (name, name_key, identity, kind, url, owner, repo, branch, include,"
        " exclude, access, group_id, owner_id, created_us, state, fault, note, commit_id,"
        " branch_name, committed_s, indexed_us, files, chunks, line_count) VALUES"
        " ('w%d', 'w%d', 'i%d', 'github', 'u', 'o', 'r', '', '', '', '%s', %s, %s, 1, 'ready',"
        " '', '', '', '', 0, 0, 0, 0, 0)",
        number, number, number, access, group_text, owner_text);
    must_run(d->db, text.at);
    return (uint64_t)must_number(d->db, "SELECT MAX(id) FROM wikis");
}

static void see_page(void *ctx, const struct wiki_page *page)
{
    seen_add(ctx, page->slug);
    seen_add(ctx, str_of(wiki_page_state_word(page->state)));
    if (page->content.len) seen_add(ctx, page->content);
    if (page->note.len) seen_add(ctx, page->note);
}

static void assert_pages(struct database *d, uint64_t book, const char *expected)
{
    struct why why;
    struct seen seen = {0};
    must(wiki_pages_list(d->db, book, see_page, &seen, &why), &why);
    assert_seen(&seen, expected);
}

/* 0: there is none. */
static uint64_t newest(struct database *d, const struct wiki_key *of,
                       const struct wiki_viewer *viewer)
{
    struct why why;
    struct wiki_book book;
    enum err err = wiki_books_newest(d->db, &d->arena, of, viewer, &book, &why);
    if (err == ERR_NOT_FOUND) return 0;
    must(err, &why);
    return book.id;
}

static void see_key(void *ctx, const struct wiki_book *book)
{
    seen_add(ctx, book->key.repo);
    seen_add(ctx, book->key.language);
    assert_int_equal(book->description.len + book->sections.len + book->roots.len, 0);
}

static void assert_projects(struct database *d, const struct wiki_viewer *viewer, uint64_t limit,
                            const char *expected)
{
    struct why why;
    struct seen seen = {0};
    must(wiki_projects(d->db, viewer, limit, see_key, &seen, &why), &why);
    assert_seen(&seen, expected);
}

/* --- whole books --- */

static void a_book_comes_out_as_it_went_in(struct database *d)
{
    house_open(d);
    struct why why;
    struct user_id mei = house_user(d, "mei");
    struct wiki_book in = book_of(WIKI_BOOK_DONE), out;
    in.author = mei;
    in.access = WIKI_BOOK_OWNER;
    uint64_t id = must_add(d, &in);
    must(wiki_books_load(d->db, &d->arena, id, &out, &why), &why);
    assert_int_equal(out.id, id);
    assert_int_equal(out.wiki, 0);
    assert_true(str_eq(out.key.kind, in.key.kind) && str_eq(out.key.owner, in.key.owner));
    assert_true(str_eq(out.key.repo, in.key.repo) && str_eq(out.key.language, in.key.language));
    assert_true(str_eq(out.url, in.url) && str_eq(out.title, in.title));
    assert_true(str_eq(out.description, in.description) && str_eq(out.sections, in.sections));
    assert_true(str_eq(out.roots, in.roots) && str_eq(out.provider, in.provider));
    assert_true(str_eq(out.model, in.model) && str_eq(out.commit, in.commit));
    assert_true(out.comprehensive && out.access == WIKI_BOOK_OWNER && out.note.len == 0);
    assert_int_equal(out.state, WIKI_BOOK_DONE);
    assert_int_equal(out.author.value, mei.value);
    assert_true(out.created_us == 5 && out.finished_us == 7);
    assert_pages(d, id, "page-1 done # One page-2 done # 二");

    must_run(d->db, "DELETE FROM users");
    must(wiki_books_load(d->db, &d->arena, id, &out, &why), &why);
    assert_int_equal(out.author.value, 0);
    change_begin(d);
    must(wiki_books_remove(d->db, id, &why), &why);
    assert_int_equal(wiki_books_remove(d->db, id, &why), ERR_NOT_FOUND);
    change_end(d);
    assert_int_equal(must_number(d->db, "SELECT COUNT(*) FROM wiki_pages"), 0);
    assert_int_equal(wiki_books_load(d->db, &d->arena, id, &out, &why), ERR_NOT_FOUND);
}

static void two_pages_cannot_have_one_id(struct database *d)
{
    house_open(d);
    struct why why;
    uint64_t id;
    struct wiki_book book = book_of(WIKI_BOOK_DONE);
    struct wiki_page pages[2] = {page_of("same", "1", WIKI_PAGE_DONE),
                                 page_of("same", "2", WIKI_PAGE_DONE)};
    change_begin(d);
    assert_int_equal(wiki_books_add(d->db, &book, pages, 2, &id, &why), ERR_CONFLICT);
    assert_string_equal(why.text, "two pages of the wiki have one id");
    db_rollback(d->db);
    assert_int_equal(must_number(d->db, "SELECT COUNT(*) FROM wiki_books"), 0);
    book.wiki = 77;
    change_begin(d);
    assert_int_equal(wiki_books_add(d->db, &book, pages, 1, &id, &why), ERR_INVALID);
    db_rollback(d->db);
}

/* --- who sees what --- */

static void the_newest_done_book_that_one_may_see_counts(struct database *d)
{
    house_open(d);
    struct wiki_book book = book_of(WIKI_BOOK_DONE);
    struct wiki_key other = key;
    other.language = STR("en");
    assert_int_equal(newest(d, &key, &insider), 0);
    uint64_t first = must_add(d, &book);
    uint64_t second = must_add(d, &book);
    assert_int_equal(newest(d, &key, &stranger), second);
    assert_int_equal(newest(d, &other, &stranger), 0);
    /* Names are compared as they are: no sign in them stands for another. */
    other = key;
    other.owner = STR("myXorg");
    assert_int_equal(newest(d, &other, &stranger), 0);
    other.owner = STR("MY_ORG");
    assert_int_equal(newest(d, &other, &stranger), 0);

    book.access = WIKI_BOOK_MEMBERS;
    uint64_t inside = must_add(d, &book);
    assert_int_equal(newest(d, &key, &stranger), second);
    assert_int_equal(newest(d, &key, &insider), inside);
    book = book_of(WIKI_BOOK_FAILED);
    must_add(d, &book);
    book = book_of(WIKI_BOOK_PLANNING);
    must_add(d, &book);
    assert_int_equal(newest(d, &key, &insider), inside);
    struct why why;
    change_begin(d);
    must(wiki_books_remove(d->db, second, &why), &why);
    change_end(d);
    assert_int_equal(newest(d, &key, &stranger), first);
}

static void a_book_for_its_author_is_seen_and_kept_by_nobody_else(struct database *d)
{
    house_open(d);
    struct why why;
    struct user user;
    struct user_id mei = house_user(d, "mei"), bo = house_user(d, "bo");
    struct wiki_book book = book_of(WIKI_BOOK_DONE);
    uint64_t open = must_add(d, &book);
    book.author = mei;
    uint64_t signed_by = must_add(d, &book);
    book.access = WIKI_BOOK_OWNER;
    uint64_t own = must_add(d, &book);
    struct wiki_viewer as_mei = member(mei), as_bo = member(bo);
    as_bo.moderates = true;
    assert_int_equal(newest(d, &key, &as_mei), own);
    assert_int_equal(newest(d, &key, &as_bo), signed_by);
    assert_int_equal(newest(d, &key, &insider), signed_by);
    assert_int_equal(newest(d, &key, &stranger), signed_by);
    must(users_load(d->db, &d->arena, mei, &user, &why), &why);
    change_begin(d);
    must(users_remove(d->db, &user, &why), &why);
    change_end(d);
    assert_int_equal(must_number(d->db, "SELECT COUNT(*) FROM wiki_books"), 2);
    assert_int_equal(must_number(d->db, "SELECT COUNT(*) FROM wiki_pages"), 4);
    assert_true(open < signed_by && newest(d, &key, &as_bo) == signed_by);
}

static void books_of_a_wiki_are_for_whom_that_is_for(struct database *d)
{
    house_open(d);
    struct why why;
    struct user_id mei = house_user(d, "mei"), bo = house_user(d, "bo"), li = house_user(d, "li");
    struct group_id group;
    change_begin(d);
    must(groups_add(d->db, STR("us"), STR("online"), bo, 1, &group, &why), &why);
    must(groups_add_member(d->db, group, bo, 1, &why), &why);
    change_end(d);
    const struct {
        const char *access;
        bool by_stranger, by_insider, by_mei, by_bo, by_li;
    } cases[] = {
        {"everyone", true, true, true, true, true},
        {"members", false, false, true, true, true},
        {"group", false, false, true, true, false},
        {"owner", false, false, true, false, false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct wiki_book book = book_of(WIKI_BOOK_DONE);
        char repo[8];
        snprintf(repo, sizeof(repo), "r%zu", i);
        book.key.repo = str_of(repo);
        book.wiki = wiki_for(d, cases[i].access, group.value, mei.value);
        uint64_t id = must_add(d, &book);
        struct wiki_viewer as_mei = member(mei), as_bo = member(bo), as_li = member(li);
        assert_int_equal(newest(d, &book.key, &stranger), cases[i].by_stranger ? id : 0);
        assert_int_equal(newest(d, &book.key, &insider), cases[i].by_insider ? id : 0);
        assert_int_equal(newest(d, &book.key, &as_mei), cases[i].by_mei ? id : 0);
        assert_int_equal(newest(d, &book.key, &as_bo), cases[i].by_bo ? id : 0);
        assert_int_equal(newest(d, &book.key, &as_li), cases[i].by_li ? id : 0);
    }
    struct wiki_viewer as_mei = member(mei), as_bo = member(bo), as_li = member(li);
    assert_projects(d, &stranger, 9, "r0 zh");
    assert_projects(d, &as_mei, 9, "r3 zh r2 zh r1 zh r0 zh");
    assert_projects(d, &as_bo, 9, "r2 zh r1 zh r0 zh");
    assert_projects(d, &as_li, 9, "r1 zh r0 zh");
}

static void the_list_has_the_newest_of_each_key(struct database *d)
{
    house_open(d);
    struct wiki_book book = book_of(WIKI_BOOK_DONE);
    book.key.repo = STR("a");
    must_add(d, &book);
    book.key.repo = STR("b");
    must_add(d, &book);
    book.key.language = STR("en");
    must_add(d, &book);
    book.key.kind = STR("gitlab");
    must_add(d, &book);
    book.key = (struct wiki_key){key.kind, key.owner, STR("a"), key.language};
    must_add(d, &book);
    book.state = WIKI_BOOK_STOPPED;
    book.key.repo = STR("c");
    must_add(d, &book);
    assert_projects(d, &stranger, 9, "a zh b en b en b zh");
    assert_projects(d, &stranger, 2, "a zh b en");
}

static void see_id(void *ctx, const struct wiki_book *book)
{
    char text[24];
    snprintf(text, sizeof(text), "%llu", (unsigned long long)book->id);
    seen_add(ctx, str_of(text));
}

static void versions_of_a_wiki_are_listed_and_go_with_it(struct database *d)
{
    house_open(d);
    struct why why;
    struct seen seen = {0};
    char expected[64];
    struct wiki_book book = book_of(WIKI_BOOK_DONE);
    book.wiki = wiki_for(d, "everyone", 0, 0);
    uint64_t first = must_add(d, &book);
    book.state = WIKI_BOOK_PLANNING;
    uint64_t second = must_add(d, &book);
    must(wiki_books_of_wiki(d->db, book.wiki, 0, 9, see_id, &seen, &why), &why);
    snprintf(expected, sizeof(expected), "%d %d", (int)second, (int)first);
    assert_seen(&seen, expected);
    must(wiki_books_of_wiki(d->db, book.wiki, second, 9, see_id, &seen, &why), &why);
    snprintf(expected, sizeof(expected), "%d", (int)first);
    assert_seen(&seen, expected);
    must(wiki_books_in_state(d->db, WIKI_BOOK_PLANNING, see_id, &seen, &why), &why);
    snprintf(expected, sizeof(expected), "%d", (int)second);
    assert_seen(&seen, expected);
    must_run(d->db, "DELETE FROM wikis");
    must(wiki_books_of_wiki(d->db, book.wiki, 0, 9, see_id, &seen, &why), &why);
    assert_seen(&seen, "");
}

/* --- who may take away what --- */

static void remove_all(struct database *d, struct wiki_viewer viewer, uint64_t removed,
                       uint64_t kept)
{
    struct why why;
    uint64_t were_removed, were_kept;
    change_begin(d);
    must(wiki_books_remove_all(d->db, &d->arena, &key, &viewer, &were_removed, &were_kept, &why),
         &why);
    change_end(d);
    assert_int_equal(were_removed, removed);
    assert_int_equal(were_kept, kept);
}

static void everybody_takes_away_what_is_theirs_or_nobodys(struct database *d)
{
    house_open(d);
    struct user_id mei = house_user(d, "mei"), bo = house_user(d, "bo");
    struct wiki_book nobodys = book_of(WIKI_BOOK_DONE), meis = nobodys, of_wiki = nobodys,
                     inside = nobodys, under_way = book_of(WIKI_BOOK_WRITING);
    meis.author = mei;
    of_wiki.wiki = wiki_for(d, "everyone", 0, bo.value);
    inside.access = WIKI_BOOK_MEMBERS;
    must_add(d, &nobodys);
    must_add(d, &nobodys);
    must_add(d, &meis);
    must_add(d, &of_wiki);
    must_add(d, &inside);
    must_add(d, &under_way);
    remove_all(d, stranger, 2, 2);
    remove_all(d, insider, 1, 2); /* what strangers do not see */
    remove_all(d, member(mei), 1, 1);
    remove_all(d, member(mei), 0, 1);
    remove_all(d, member(bo), 1, 0);
    assert_int_equal(must_number(d->db, "SELECT COUNT(*) FROM wiki_books"), 1); /* under way */

    must_add(d, &meis);
    of_wiki.wiki = wiki_for(d, "owner", 0, bo.value);
    must_add(d, &of_wiki);
    struct wiki_viewer moderator = member(house_user(d, "mod"));
    moderator.moderates = true;
    remove_all(d, moderator, 1, 0); /* not what is for its owner alone */
}

static void strangers_fill_no_table(struct database *d)
{
    house_open(d);
    struct why why;
    uint64_t count;
    struct wiki_book book = book_of(WIKI_BOOK_DONE), other = book;
    uint64_t last = 0;
    for (int i = 0; i < 5; i++) last = must_add(d, &book);
    other.key.repo = STR("other");
    must_add(d, &other);
    other = book;
    other.author = house_user(d, "mei");
    must_add(d, &other);
    other.author.value = 0;
    other.wiki = wiki_for(d, "everyone", 0, 0);
    must_add(d, &other);
    must(wiki_books_count_guests(d->db, &count, &why), &why);
    assert_int_equal(count, 6);
    change_begin(d);
    must(wiki_books_trim_guests(d->db, &d->arena, &key, 2, &why), &why);
    change_end(d);
    must(wiki_books_count_guests(d->db, &count, &why), &why);
    assert_int_equal(count, 3);
    assert_int_equal(must_number(d->db, "SELECT COUNT(*) FROM wiki_books"), 5);
    struct wiki_book kept;
    must(wiki_books_load(d->db, &d->arena, last, &kept, &why), &why);
}

/* --- writing one --- */

static void a_job_writes_a_book_page_by_page(struct database *d)
{
    house_open(d);
    struct why why;
    struct wiki_book book = book_of(WIKI_BOOK_PLANNING), plan;
    book.title = STR("");
    uint64_t id = must_add(d, &book);
    struct wiki_page pages[2] = {page_of("a", "", WIKI_PAGE_WAITING),
                                 page_of("b", "old and right", WIKI_PAGE_DONE)};
    plan = book_of(WIKI_BOOK_PLANNING);
    plan.id = id;
    change_begin(d);
    /* Nothing is written of what has no plan. */
    assert_int_equal(wiki_pages_write(d->db, id, 0, STR("x"), STR("{}"), &why), ERR_CONFLICT);
    must(wiki_books_set_plan(d->db, &plan, pages, 2, &why), &why);
    assert_int_equal(wiki_books_set_plan(d->db, &plan, pages, 2, &why), ERR_CONFLICT);
    must(wiki_pages_set_state(d->db, id, 0, WIKI_PAGE_WRITING, STR(""), &why), &why);
    change_end(d);
    assert_pages(d, id, "a writing b done old and right");
    assert_int_equal(newest(d, &key, &stranger), 0);
    change_begin(d);
    must(wiki_pages_set_state(d->db, id, 0, WIKI_PAGE_FAILED, STR("no words"), &why), &why);
    change_end(d);
    assert_pages(d, id, "a failed no words b done old and right");
    change_begin(d);
    must(wiki_pages_write(d->db, id, 0, STR("# A"), STR("{\"a.c\":\"1\"}"), &why), &why);
    assert_int_equal(wiki_pages_write(d->db, id, 2, STR("x"), STR("{}"), &why), ERR_CONFLICT);
    must(wiki_books_end(d->db, id, WIKI_BOOK_DONE, STR(""), 9, &why), &why);
    change_end(d);
    assert_pages(d, id, "a done # A b done old and right");
    assert_int_equal(newest(d, &key, &stranger), id);
    must(wiki_books_load(d->db, &d->arena, id, &book, &why), &why);
    assert_true(str_eq(book.title, STR("书")) && book.finished_us == 9);
    change_begin(d);
    assert_int_equal(wiki_books_continue(d->db, id, &why), ERR_CONFLICT);
    change_end(d);
}

static void who_was_told_to_stop_changes_nothing_until_it_goes_on(struct database *d)
{
    house_open(d);
    struct why why;
    struct wiki_book book = book_of(WIKI_BOOK_PLANNING), found;
    uint64_t id = must_add(d, &book);
    struct wiki_page page = page_of("a", "", WIKI_PAGE_WAITING);
    change_begin(d);
    must(wiki_books_end(d->db, id, WIKI_BOOK_FAILED, STR("no plan"), 9, &why), &why);
    book.id = id;
    assert_int_equal(wiki_books_set_plan(d->db, &book, &page, 1, &why), ERR_CONFLICT);
    assert_int_equal(wiki_books_end(d->db, id, WIKI_BOOK_STOPPED, STR(""), 9, &why), ERR_CONFLICT);
    must(wiki_books_load(d->db, &d->arena, id, &found, &why), &why);
    assert_true(found.state == WIKI_BOOK_FAILED && str_eq(found.note, STR("no plan")));
    must(wiki_books_continue(d->db, id, &why), &why);
    must(wiki_books_load(d->db, &d->arena, id, &found, &why), &why);
    assert_true(found.state == WIKI_BOOK_PLANNING && found.note.len == 0 && found.finished_us == 0);
    must(wiki_books_set_plan(d->db, &book, &page, 1, &why), &why);
    must(wiki_books_end(d->db, id, WIKI_BOOK_STOPPED, STR(""), 9, &why), &why);
    assert_int_equal(wiki_pages_write(d->db, id, 0, STR("late"), STR("{}"), &why), ERR_CONFLICT);
    assert_int_equal(wiki_pages_set_state(d->db, id, 0, WIKI_PAGE_FAILED, STR("late"), &why),
                     ERR_CONFLICT);
    must(wiki_books_continue(d->db, id, &why), &why);
    must(wiki_books_load(d->db, &d->arena, id, &found, &why), &why);
    assert_int_equal(found.state, WIKI_BOOK_WRITING);
    must(wiki_pages_write(d->db, id, 0, STR("# A"), STR("{}"), &why), &why);
    change_end(d);
    assert_pages(d, id, "a done # A");
}

int main(void)
{
    static const struct database_test tests[] = {
        DATABASE_TEST(a_book_comes_out_as_it_went_in),
        DATABASE_TEST(two_pages_cannot_have_one_id),
        DATABASE_TEST(the_newest_done_book_that_one_may_see_counts),
        DATABASE_TEST(a_book_for_its_author_is_seen_and_kept_by_nobody_else),
        DATABASE_TEST(books_of_a_wiki_are_for_whom_that_is_for),
        DATABASE_TEST(the_list_has_the_newest_of_each_key),
        DATABASE_TEST(versions_of_a_wiki_are_listed_and_go_with_it),
        DATABASE_TEST(everybody_takes_away_what_is_theirs_or_nobodys),
        DATABASE_TEST(strangers_fill_no_table),
        DATABASE_TEST(a_job_writes_a_book_page_by_page),
        DATABASE_TEST(who_was_told_to_stop_changes_nothing_until_it_goes_on),
    };
    return database_run_tests("wiki_books", tests, COUNT_OF(tests));
}
