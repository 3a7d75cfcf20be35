/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "wiki/old_cache.h"

#include "base/buf.h"
#include "base/limits.h"
#include "unit.h"

#define PAGE(id, content)                                                                          \
    "{\"id\":\"" id "\",\"title\":\"T " id "\",\"content\":\"" content                             \
    "\",\"filePaths\":[\"a.c\",\"b/é.c\"],\"importance\":\"high\",\"relatedPages\":[\"page-2\"]}"
#define STRUCTURE                                                                                  \
    "{\"id\":\"wiki\",\"title\":\"书\",\"description\":\"about\",\"pages\":[" PAGE(                \
        "page-1", "") "," PAGE("page-2",                                                           \
                               "") "],\"sections\":[{\"id\":\"s1\",\"title\":\"S\",\"pages\":"     \
                                   "[\"page-1\"],\"subsections\":[\"s2\"],\"more\":1}],"           \
                                   "\"rootSections\":[\"s1\"]}"
/* The same, as it is written: without what nobody knows. */
#define STRUCTURE_OUT                                                                              \
    "{\"id\":\"wiki\",\"title\":\"书\",\"description\":\"about\",\"pages\":[" PAGE(                \
        "page-1", "") "," PAGE("page-2",                                                           \
                               "") "],\"sections\":[{\"id\":\"s1\",\"title\":\"S\",\"pages\":"     \
                                   "[\"page-1\"],\"subsections\":[\"s2\"]}],"                      \
                                   "\"rootSections\":[\"s1\"]}"
#define REPO                                                                                       \
    "{\"owner\":\"my_org\",\"repo\":\"r\",\"type\":\"github\",\"token\":\"SECRET-token\","         \
    "\"repoUrl\":\"https://me:SECRET-word@github.com/my_org/r?key=SECRET-key#x\"}"

struct fixture {
    struct arena arena;
    struct json *tree; /* owned: texts of what was posted are its */
    struct wiki_old_cache cache;
    struct why why;
    char faults[2048];
};

static void note(void *ctx, const char *where, const char *type, const char *sentence)
{
    struct fixture *f = ctx;
    size_t len = strlen(f->faults);
    assert_true(strlen(sentence) > 3);
    snprintf(f->faults + len, sizeof(f->faults) - len, "%s%s %s", len ? "; " : "", where, type);
}

static void release(struct fixture *f)
{
    json_free(f->tree);
    arena_release(&f->arena);
}

/* What would be given to readers is then in the book's note. */
static enum err post(struct fixture *f, const char *text)
{
    *f = (struct fixture){0};
    enum err err = json_parse(str_of(text), &f->tree, NULL, &f->why);
    if (!err) {
        err = wiki_old_cache_posted(&f->arena, f->tree, note, f, &f->cache, &f->why);
        struct buf whole;
        buf_init(&whole, 1 << 20);
        struct wiki_old_writer writer;
        wiki_old_write_begin(&writer);
        for (size_t i = 0; !err && i < f->cache.count; i++) {
            wiki_old_write_page(&writer, &f->cache.pages[i]);
        }
        wiki_old_write_end(&writer, &f->cache.book, &whole);
        assert_false(whole.failed);
        f->cache.book.note = arena_copy(&f->arena, buf_str(&whole));
        buf_release(&whole);
    }
    return err;
}

static void what_a_page_hands_in_comes_back_without_its_secrets(void **state)
{
    (void)state;
    struct fixture f;
    assert_int_equal(post(&f,
                          "{\"repo\":" REPO ",\"language\":\"zh\",\"wiki_structure\":" STRUCTURE
                          ",\"generated_pages\":{\"page-1\":" PAGE(
                              "page-1", "# 一\\n<b>x</b>") "},\"provider\":\"google\",\"model\":"
                                                           "\"m\",\"comprehensive\":false,"
                                                           "\"unknown\":{}}"),
                     OK);
    assert_true(f.cache.with_token);
    assert_int_equal(f.cache.count, 2);
    assert_false(f.cache.book.comprehensive);
    assert_int_equal(f.cache.book.state, WIKI_BOOK_DONE);
    assert_str_equal(
        f.cache.book.note,
        "{\"wiki_structure\":" STRUCTURE_OUT ",\"generated_pages\":{\"page-1\":" PAGE(
            "page-1", "# 一\\n<b>x</b>") "},\"repo_url\":\"https://github.com/my_org/"
                                         "r\",\"repo\":{\"owner\":\"my_org\","
                                         "\"repo\":\"r\",\"type\":\"github\",\"token\":null,"
                                         "\"localPath\":null,"
                                         "\"repoUrl\":\"https://github.com/my_org/"
                                         "r\"},\"provider\":\"google\",\"model\":\"m\"}");
    assert_int_equal(f.cache.pages[0].state, WIKI_PAGE_DONE);
    assert_int_equal(f.cache.pages[1].state, WIKI_PAGE_WAITING);
    release(&f);
}

static void every_fault_is_told_with_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *text, *faults;
    } cases[] = {
        {"{}", "repo missing; language missing; wiki_structure missing; generated_pages missing; "
               "provider missing; model missing"},
        {"{\"repo\":7,\"language\":[],\"wiki_structure\":\"x\",\"generated_pages\":[],"
         "\"provider\":null,\"model\":{}}",
         "repo model_attributes_type; language string_type; wiki_structure model_attributes_type; "
         "generated_pages dict_type; provider string_type; model string_type"},
        {"{\"repo\":{\"owner\":\"\",\"repo\":\"a\\nb\",\"type\":\"aaaaaaaaaaaaaaaaaaaaa\","
         "\"token\":1},\"language\":\"en\",\"wiki_structure\":" STRUCTURE
         ",\"generated_pages\":{},\"provider\":\"\",\"model\":\"\"}",
         "repo.owner string_too_short; repo.repo value_error; repo.type string_too_long; "
         "repo.token string_type"},
        {"{\"repo\":" REPO ",\"language\":\"en\",\"wiki_structure\":{\"id\":1,\"title\":2,"
         "\"pages\":[7,{},{\"id\":\"p\",\"title\":\"t\",\"content\":\"\",\"filePaths\":[1],"
         "\"importance\":\"x\",\"relatedPages\":{}}],\"sections\":[7,{\"id\":\"s\",\"title\":\"t\"}"
         "],"
         "\"rootSections\":\"x\"},\"generated_pages\":{},\"provider\":\"\",\"model\":\"\"}",
         "wiki_structure.id string_type; wiki_structure.title string_type; "
         "wiki_structure.description missing; wiki_structure.sections.0 model_attributes_type; "
         "wiki_structure.sections.1.pages missing; wiki_structure.rootSections list_type; "
         "wiki_structure.pages.0 model_attributes_type; wiki_structure.pages.1.id missing; "
         "wiki_structure.pages.1.title missing; wiki_structure.pages.1.content missing; "
         "wiki_structure.pages.1.filePaths missing; wiki_structure.pages.1.importance missing; "
         "wiki_structure.pages.1.relatedPages missing; "
         "wiki_structure.pages.2.filePaths.0 string_type; "
         "wiki_structure.pages.2.relatedPages list_type"},
        {"{\"repo\":" REPO ",\"language\":\"en\",\"wiki_structure\":{\"id\":\"wiki\","
         "\"title\":\"\",\"description\":\"\",\"pages\":[" PAGE("a", "") "," PAGE(
             "a",
             "") "]},\"generated_pages\":{\"\":" PAGE("a",
                                                      "") "},\"provider\":\"\",\"model\":\"\"}",
         "wiki_structure.pages.1.id value_error; generated_pages value_error"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fixture f;
        assert_int_equal(post(&f, cases[i].text), ERR_INVALID);
        assert_string_equal(f.faults, cases[i].faults);
        release(&f);
    }
}

/* A wiki of `count` pages, of which each is `page`. */
static enum err post_many(struct fixture *f, size_t count)
{
    struct buf text;
    buf_init(&text, 1 << 20);
    buf_printf(&text,
               "{\"repo\":%s,\"language\":\"en\",\"wiki_structure\":{\"id\":\"wiki\","
               "\"title\":\"\",\"description\":\"\",\"pages\":[], \"sections\":null},"
               "\"provider\":\"\",\"model\":\"\",\"generated_pages\":{",
               REPO);
    for (size_t i = 0; i < count; i++) {
        buf_printf(&text, "%s\"p%zu\":%s", i ? "," : "", i, PAGE("x", "y"));
    }
    buf_add_str(&text, STR("}}"));
    enum err err = post(f, text.at);
    buf_release(&text);
    return err;
}

static void there_is_an_end_to_pages(void **state)
{
    (void)state;
    struct fixture f;
    assert_int_equal(post_many(&f, LIMIT_BOOK_PAGES), OK);
    assert_int_equal(f.cache.count, LIMIT_BOOK_PAGES);
    assert_str_equal(f.cache.pages[7].slug, "p7"); /* known by its name, not by its id */
    assert_false(f.cache.book.comprehensive);
    release(&f);
    assert_int_equal(post_many(&f, LIMIT_BOOK_PAGES + 1), ERR_INVALID);
    assert_string_equal(f.faults, "generated_pages too_long");
    release(&f);
}

static void addresses_keep_nothing_but_the_place(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"https://github.com/o/r", "https://github.com/o/r"},
        {" HTTP://Host:8080/a/b.git ", "HTTP://Host:8080/a/b.git"},
        {"https://TOKEN@github.com/o/r", "https://github.com/o/r"},
        {"https://oauth2:T@KEN@gitlab.com/g/s/r", "https://gitlab.com/g/s/r"},
        {"https://h/o/r?private_token=T#T", "https://h/o/r"},
        {"https://h/o@2/r", "https://h/o@2/r"},
        {"javascript:alert(1)", ""},
        {"https://", ""},
        {"https://T@", ""},
        {"https://h/ o", ""},
        {"file:///etc", ""},
        {"", ""},
    };
    struct arena arena = {0};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_str_equal(wiki_old_clean_url(&arena, str_of(cases[i][0])), cases[i][1]);
    }
    arena_release(&arena);
}

static void names_of_files_are_written_and_cut_as_they_were(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct wiki_key key = {STR("github"), STR("AsyncFuncAI"), STR("deepwiki-open"), STR("en")}, cut;
    struct str name = wiki_old_name(&arena, &key);
    assert_str_equal(name, "deepwiki_cache_github_AsyncFuncAI_deepwiki-open_en.json");
    assert_true(wiki_old_name_parse(name, &cut));
    assert_true(str_eq(cut.kind, key.kind) && str_eq(cut.owner, key.owner));
    assert_true(str_eq(cut.repo, key.repo) && str_eq(cut.language, key.language));
    /* What was wrong there stays the name's: it cannot say more. */
    key.owner = STR("my_org");
    assert_true(wiki_old_name_parse(wiki_old_name(&arena, &key), &cut));
    assert_str_equal(cut.owner, "my");
    assert_str_equal(cut.repo, "org_deepwiki-open");
    static const char *const bad[] = {"",
                                      "deepwiki_cache_.json",
                                      "deepwiki_cache_a_b_c.json",
                                      "deepwiki_cache_a_b_c_d",
                                      "a_b_c_d.json",
                                      "deepwiki_cache.json"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_false(wiki_old_name_parse(str_of(bad[i]), &cut));
    }
    arena_release(&arena);
}

static enum err file(struct fixture *f, const char *name, const char *text)
{
    *f = (struct fixture){0};
    /* The text goes at once: nothing that was read may be its own. */
    struct buf copy;
    buf_init(&copy, 1 << 16);
    buf_add_str(&copy, str_of(text));
    enum err err = wiki_old_cache_file(&f->arena, str_of(name), buf_str(&copy), &f->cache, &f->why);
    buf_release(&copy);
    return err;
}

static void files_of_any_age_are_read(void **state)
{
    (void)state;
    struct fixture f;
#define PAGES                                                                                      \
    "\"wiki_structure\":" STRUCTURE ",\"generated_pages\":{\"page-2\":" PAGE("page-2", "two") "}"
    assert_int_equal(file(&f, "deepwiki_cache_github_o_r_x_kr.json",
                          "{" PAGES ",\"repo_url\":\"https://T@github.com/o/r_x\"}"),
                     OK);
    assert_str_equal(f.cache.book.key.kind, "github");
    assert_str_equal(f.cache.book.key.owner, "o");
    assert_str_equal(f.cache.book.key.repo, "r_x");
    assert_str_equal(f.cache.book.key.language, "kr");
    assert_str_equal(f.cache.book.url, "https://github.com/o/r_x");
    assert_true(f.cache.with_token && f.cache.book.comprehensive);
    assert_str_equal(f.cache.pages[1].content, "two");
    assert_str_equal(f.cache.book.sections,
                     "[{\"id\":\"s1\",\"title\":\"S\",\"pages\":[\"page-1\"],"
                     "\"subsections\":[\"s2\"]}]");
    arena_release(&f.arena);

    /* What it says itself counts more than its name. */
    assert_int_equal(file(&f, "deepwiki_cache_github_my_org_r_en.json",
                          "{" PAGES ",\"repo_url\":null,\"repo\":" REPO
                          ",\"provider\":null,\"model\":\"m\"}"),
                     OK);
    assert_str_equal(f.cache.book.key.owner, "my_org");
    assert_str_equal(f.cache.book.key.repo, "r");
    assert_str_equal(f.cache.book.model, "m");
    arena_release(&f.arena);

    assert_int_equal(file(&f, "deepwiki_cache_local_local_r_en.json",
                          "{" PAGES ",\"repo\":{\"owner\":\"local\",\"repo\":\"r\","
                          "\"type\":\"local\",\"localPath\":\"/srv/r\",\"token\":\"\"}}"),
                     OK);
    assert_str_equal(f.cache.book.url, "/srv/r");
    assert_false(f.cache.with_token);
    arena_release(&f.arena);
}

static void what_is_no_such_file_is_said(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"wiki.json", "{}", "a wiki's file is called deepwiki_cache_TYPE_OWNER_REPO_LANGUAGE.json"},
        {"deepwiki_cache_a_b_c_d.json", "{}", "wiki_structure: wiki_structure is missing"},
        {"deepwiki_cache_a_b_c_d.json", "[]", "wiki_structure: wiki_structure is missing"},
        {"deepwiki_cache___c_d.json", "{}", "name: the file's name does not say whose wiki it is"},
        {"deepwiki_cache_a_b_c_\xff.json", "{}",
         "name: the file's name does not say whose wiki it is"},
        {"deepwiki_cache_a_b_c_d.json", "{\"wiki_structure\":{}}",
         "wiki_structure.id: id is missing"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fixture f;
        assert_int_equal(file(&f, cases[i][0], cases[i][1]), ERR_INVALID);
        assert_string_equal(f.why.text, cases[i][2]);
        arena_release(&f.arena);
    }
    struct fixture f;
    assert_int_equal(file(&f, "deepwiki_cache_a_b_c_d.json", "{"), ERR_INVALID);
    arena_release(&f.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_page_hands_in_comes_back_without_its_secrets),
        cmocka_unit_test(every_fault_is_told_with_its_place),
        cmocka_unit_test(there_is_an_end_to_pages),
        cmocka_unit_test(addresses_keep_nothing_but_the_place),
        cmocka_unit_test(names_of_files_are_written_and_cut_as_they_were),
        cmocka_unit_test(files_of_any_age_are_read),
        cmocka_unit_test(what_is_no_such_file_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
