/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "wiki/index.h"

#include "unit.h"

#include <dirent.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "wiki/find.h"

/* A repository in a folder of its own, and its index. */
struct place {
    char folder[64], file[96], repo[96];
    struct wiki_index *index;
    struct arena arena;
};

static void must(enum err err, const struct why *why)
{
    if (err) fail_msg("%s: %s", err_name(err), why->text);
}

static void remove_all(const char *path)
{
    DIR *dir = opendir(path);
    if (!dir) {
        unlink(path);
        return;
    }
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        char below[512];
        snprintf(below, sizeof(below), "%s/%s", path, entry->d_name);
        remove_all(below);
    }
    closedir(dir);
    rmdir(path);
}

static int set_up(void **state)
{
    struct place *p = NEW(struct place);
    str_copy(p->folder, sizeof(p->folder), STR("/tmp/hutong-wiki-XXXXXX"));
    assert_non_null(mkdtemp(p->folder));
    snprintf(p->file, sizeof(p->file), "%s/index.db", p->folder);
    snprintf(p->repo, sizeof(p->repo), "%s/repo", p->folder);
    assert_int_equal(mkdir(p->repo, 0700), 0);
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct place *p = *state;
    wiki_index_close(p->index);
    arena_release(&p->arena);
    remove_all(p->folder);
    mem_free(p);
    return 0;
}

static void put(struct place *p, const char *name, struct str text)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", p->repo, name);
    for (char *at = path + strlen(p->repo) + 1; (at = strchr(at, '/')); at++) {
        *at = '\0';
        mkdir(path, 0700);
        *at = '/';
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text.at, text.len), text.len);
    close(fd);
}

static void take_away(struct place *p, const char *name)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", p->repo, name);
    assert_int_equal(unlink(path), 0);
}

static enum err update_with(struct place *p, const atomic_bool *stop,
                            struct wiki_index_state *state_out, struct why *why)
{
    struct wiki_filters filters = {0};
    struct wiki_tree *tree;
    must(wiki_tree_open_folder(p->repo, NULL, &filters, &tree, why), why);
    struct wiki_update update = {.tree = tree, .stop = stop};
    enum err err = wiki_index_update(p->index, &update, state_out, why);
    wiki_tree_close(tree);
    return err;
}

static struct wiki_index_state update(struct place *p)
{
    struct why why = {0};
    struct wiki_index_state state;
    if (!p->index) must(wiki_index_open(p->file, &p->index, &why), &why);
    must(update_with(p, NULL, &state, &why), &why);
    return state;
}

static struct wiki_hit *find(struct place *p, const char *question, size_t *count_out)
{
    struct why why = {0};
    struct wiki_question asked = {.text = str_of(question), .limit = 20, .signals = WIKI_ALL};
    struct wiki_hit *hits;
    must(wiki_find(p->index, &p->arena, &asked, &hits, count_out, &why), &why);
    return hits;
}

static void expect_first(struct place *p, const char *question, const char *path)
{
    size_t count;
    struct wiki_hit *hits = find(p, question, &count);
    if (count == 0) fail_msg("\"%s\" finds nothing", question);
    if (!str_eq(hits[0].chunk.path, str_of(path))) {
        fail_msg("\"%s\" finds %.*s first", question, STR_ARGS(hits[0].chunk.path));
    }
}

static void expect_nothing(struct place *p, const char *question)
{
    size_t count;
    struct wiki_hit *hits = find(p, question, &count);
    if (count > 0) fail_msg("\"%s\" finds %.*s", question, STR_ARGS(hits[0].chunk.path));
}

static const char parser_c[] = "/* Takes the header of a request apart. */\n"
                               "int parse_header(const char *text)\n"
                               "{\n"
                               "    return text[0] == 'G';\n"
                               "}\n";
static const char server_c[] = "#include \"parser.h\"\n\n"
                               "void serve(void)\n"
                               "{\n"
                               "    while (parse_header(next_line())) answer();\n"
                               "}\n";

static void put_some(struct place *p)
{
    put(p, "src/parser.c", str_of(parser_c));
    put(p, "src/server.c", str_of(server_c));
    put(p, "README.md", STR("# Teapot\n\nA small server.\n\n## Brewing\n\nUse the kettle.\n"));
    put(p, "docs/zh.md", STR("# 茶壶\n\n胡同里的邻居喝茶。\n"));
}

static void what_is_written_is_found(void **state)
{
    struct place *p = *state;
    put_some(p);
    struct wiki_index_state made = update(p);
    assert_int_equal(made.files, 4);
    assert_int_equal(made.changed, 4);
    assert_true(made.chunks >= 4);
    assert_int_equal(made.lines, 5 + 6 + 7 + 3);
    expect_first(p, "Where are headers parsed?", "src/parser.c");
    expect_first(p, "parseHeader", "src/parser.c");
    expect_first(p, "how do I use a kettle for brewing", "README.md");
    expect_first(p, "邻居在哪里喝茶", "docs/zh.md");
    expect_nothing(p, "xylophone");
    expect_nothing(p, "");
    expect_nothing(p, "?!");
}

static void hits_have_true_lines(void **state)
{
    struct place *p = *state;
    put_some(p);
    struct buf text;
    buf_init(&text, 1 << 20);
    for (int i = 0; i < 3000; i++) buf_printf(&text, "value_%d = compute(%d)\n", i, i);
    put(p, "big.py", buf_str(&text));
    update(p);
    static const char *const questions[] = {"compute value_1234", "parse_header", "kettle", "胡同"};
    for (size_t q = 0; q < COUNT_OF(questions); q++) {
        size_t count;
        struct why why;
        struct wiki_hit *hits = find(p, questions[q], &count);
        assert_true(count > 0);
        for (size_t i = 0; i < count; i++) {
            struct wiki_chunk *chunk = &hits[i].chunk;
            struct str lines;
            int all;
            must(wiki_index_read(p->index, &p->arena, chunk->path, chunk->first, chunk->last,
                                 &lines, &all, &why),
                 &why);
            assert_true(str_eq(lines, chunk->text));
            assert_true(chunk->last <= all);
            assert_true(hits[i].score > 0 && (i == 0 || hits[i].score <= hits[i - 1].score));
        }
    }
    size_t count;
    struct wiki_hit *hits = find(p, "value_1234", &count);
    assert_true(hits[0].chunk.first <= 1235 && hits[0].chunk.last >= 1235);
    buf_release(&text);
}

static void files_are_read_as_they_were(void **state)
{
    struct place *p = *state;
    struct why why;
    struct str text;
    int lines;
    put_some(p);
    put(p, "empty.c", (struct str){0});
    update(p);
    must(wiki_index_read(p->index, &p->arena, STR("src/parser.c"), 1, 0, &text, &lines, &why),
         &why);
    assert_true(str_eq(text, str_of(parser_c)));
    assert_int_equal(lines, 5);
    must(wiki_index_read(p->index, &p->arena, STR("src/parser.c"), 2, 3, &text, &lines, &why),
         &why);
    assert_str_equal(text, "int parse_header(const char *text)\n{\n");
    must(wiki_index_read(p->index, &p->arena, STR("empty.c"), 1, 0, &text, &lines, &why), &why);
    assert_int_equal(text.len, 0);
    assert_int_equal(lines, 0);
    assert_int_equal(
        wiki_index_read(p->index, &p->arena, STR("src/none.c"), 1, 0, &text, &lines, &why),
        ERR_NOT_FOUND);

    struct wiki_index_file *files;
    size_t count;
    must(wiki_index_files(p->index, &p->arena, &files, &count, &why), &why);
    assert_int_equal(count, 5);
    assert_str_equal(files[0].path, "README.md");
    assert_str_equal(files[0].language, "Markdown");
    assert_str_equal(files[4].path, "src/server.c");
    assert_int_equal(files[4].lines, 6);
    assert_int_equal(files[4].bytes, strlen(server_c));
}

static void an_update_reads_what_has_changed(void **state)
{
    struct place *p = *state;
    put_some(p);
    assert_int_equal(update(p).changed, 4);
    assert_int_equal(update(p).changed, 0);
    expect_first(p, "kettle", "README.md");

    put(p, "README.md", STR("# Teapot\n\nNow with a samovar, which is larger.\n"));
    take_away(p, "src/parser.c");
    put(p, "src/strainer.c", STR("int strain(int leaves)\n{\n    return leaves;\n}\n"));
    struct wiki_index_state state_now = update(p);
    assert_int_equal(state_now.changed, 2);
    assert_int_equal(state_now.files, 4);
    expect_first(p, "samovar", "README.md");
    expect_nothing(p, "kettle");
    expect_first(p, "strain leaves", "src/strainer.c");
    expect_first(p, "parse_header", "src/server.c");
    expect_first(p, "胡同", "docs/zh.md");
}

/* The same questions, the same answers: an index that was brought up to date and a new one. */
static void an_updated_index_is_like_a_new_one(void **state)
{
    struct place *p = *state;
    struct buf text;
    struct why why;
    buf_init(&text, 1 << 20);
    for (int round = 0; round < 6; round++) {
        for (int i = 0; i < 12; i++) {
            if (round > 0 && (i + round) % 3 != 0) continue;
            char name[32];
            snprintf(name, sizeof(name), "f%d.c", i);
            buf_reset(&text, SIZE_MAX);
            for (int line = 0; line < 40 + 30 * round; line++) {
                buf_printf(&text, "call_%d(shared, word%d, round%d);\n", (line * 7 + i) % 90,
                           (line + round) % 31, round);
            }
            put(p, name, buf_str(&text));
        }
        if (round == 3) take_away(p, "f5.c");
        update(p);
    }
    buf_release(&text);

    char file[128];
    snprintf(file, sizeof(file), "%s/new.db", p->folder);
    struct place again = *p;
    again.index = NULL;
    again.arena = (struct arena){0};
    must(wiki_index_open(file, &again.index, &why), &why);
    struct wiki_index_state state_new;
    must(update_with(&again, NULL, &state_new, &why), &why);
    static const char *const questions[] = {"shared", "call_17 word3", "round5", "word30 round1",
                                            "f3",     "call word"};
    for (size_t q = 0; q < COUNT_OF(questions); q++) {
        size_t one_count, two_count;
        struct wiki_hit *one = find(p, questions[q], &one_count);
        struct wiki_hit *two = find(&again, questions[q], &two_count);
        assert_int_equal(one_count, two_count);
        double one_sum = 0, two_sum = 0;
        for (size_t i = 0; i < one_count; i++) {
            one_sum += one[i].score;
            two_sum += two[i].score;
        }
        assert_true(one_sum - two_sum < 1e-9 && two_sum - one_sum < 1e-9);
    }
    wiki_index_close(again.index);
    arena_release(&again.arena);
}

static void symbols_and_edges(void **state)
{
    struct place *p = *state;
    struct why why;
    struct wiki_symbol *symbols;
    struct wiki_edge *edges;
    size_t count;
    put_some(p);
    put(p, "src/client.c",
        STR("#include \"parser.h\"\n\nint ask(void)\n{\n"
            "    return parse_header(\"GET\");\n}\n"));
    assert_int_equal(update(p).symbols, 3);
    must(wiki_index_symbols(p->index, &p->arena, STR("src/parser.c"), 10, &symbols, &count, &why),
         &why);
    assert_int_equal(count, 1);
    assert_str_equal(symbols[0].name, "parse_header");
    assert_str_equal(symbols[0].kind, "function");
    assert_str_equal(symbols[0].path, "src/parser.c");
    assert_int_equal(symbols[0].first, 2);
    assert_int_equal(symbols[0].last, 5);
    must(wiki_index_symbols(p->index, &p->arena, (struct str){0}, 10, &symbols, &count, &why),
         &why);
    assert_true(count >= 1);
    assert_str_equal(symbols[0].name, "parse_header");

    must(wiki_index_edges(p->index, &p->arena, 10, &edges, &count, &why), &why);
    assert_int_equal(count, 2);
    assert_str_equal(edges[0].from, "src/client.c");
    assert_str_equal(edges[0].to, "src/parser.c");
    assert_int_equal(edges[0].weight, 1);
    assert_str_equal(edges[1].from, "src/server.c");

    /* Who mentions a definition that is gone mentions nothing any more. */
    take_away(p, "src/parser.c");
    assert_int_equal(update(p).symbols, 2);
    must(wiki_index_edges(p->index, &p->arena, 10, &edges, &count, &why), &why);
    assert_int_equal(count, 0);
}

static uint64_t weight_of(struct place *p, const char *from, const char *to)
{
    struct why why;
    struct wiki_edge *edges;
    size_t count;
    must(wiki_index_edges(p->index, &p->arena, 1000, &edges, &count, &why), &why);
    for (size_t i = 0; i < count; i++) {
        bool same = str_eq(edges[i].from, str_of(from)) && str_eq(edges[i].to, str_of(to));
        if (same) return edges[i].weight;
    }
    return 0;
}

static void files_lean_on_what_they_import(void **state)
{
    struct place *p = *state;
    put(p, "src/brew.c",
        STR("#include \"pot/kettle.h\"\n\nint brew(void)\n{\n    return boil_all();\n}\n"));
    put(p, "src/pot/kettle.h", STR("int boil_all(void);\n#define boil_once 1\n"));
    put(p, "app/views.py", STR("from .models import user\nimport app.models.tea\n"));
    put(p, "app/models/user.py", STR("NAME = 1\n"));
    put(p, "app/models/tea.py", STR("LEAF = 1\n"));
    put(p, "web/main.js", STR("import { a } from './a.js'\nconst b = require('./parts')\n"));
    put(p, "web/a.js", STR("export const a = 1\n"));
    put(p, "web/parts/index.js", STR("export const b = 1\n"));
    put(p, "cmd/main.go", STR("package main\n\nimport (\n\t\"fmt\"\n\t\"x.org/y/pot\"\n)\n"));
    put(p, "pot/pot.go", STR("package pot\n\nfunc Tea() {}\n"));
    update(p);
    assert_true(weight_of(p, "src/brew.c", "src/pot/kettle.h") >= WIKI_IMPORT_WEIGHT);
    assert_true(weight_of(p, "app/views.py", "app/models/user.py") >= WIKI_IMPORT_WEIGHT);
    assert_true(weight_of(p, "app/views.py", "app/models/tea.py") >= WIKI_IMPORT_WEIGHT);
    assert_true(weight_of(p, "web/main.js", "web/a.js") >= WIKI_IMPORT_WEIGHT);
    assert_true(weight_of(p, "web/main.js", "web/parts/index.js") >= WIKI_IMPORT_WEIGHT);
    assert_true(weight_of(p, "cmd/main.go", "pot/pot.go") >= WIKI_IMPORT_WEIGHT);

    /* Only the file that changes is read again, and yet who imports what moved leans on it. */
    put(p, "web/main.js", STR("import { b } from './parts/index.js'\n"));
    take_away(p, "app/models/tea.py");
    put(p, "app/models/tea/__init__.py", STR("LEAF = 1\n"));
    assert_int_equal(update(p).changed, 2);
    assert_int_equal(weight_of(p, "web/main.js", "web/a.js"), 0);
    assert_true(weight_of(p, "web/main.js", "web/parts/index.js") >= WIKI_IMPORT_WEIGHT);
    assert_true(weight_of(p, "app/views.py", "app/models/tea/__init__.py") >= WIKI_IMPORT_WEIGHT);
}

static void a_folder_narrows_what_is_found(void **state)
{
    struct place *p = *state;
    struct why why;
    struct wiki_hit *hits;
    size_t count;
    put(p, "a/one.c", STR("int kettle;\n"));
    put(p, "ab/two.c", STR("int kettle;\n"));
    put(p, "a/b/three.c", STR("int kettle;\n"));
    update(p);
    struct wiki_question asked = {
        .text = STR("kettle"), .limit = 20, .signals = WIKI_ALL, .path = STR("a")};
    must(wiki_find(p->index, &p->arena, &asked, &hits, &count, &why), &why);
    assert_int_equal(count, 2);
    for (size_t i = 0; i < count; i++) assert_true(str_starts(hits[i].chunk.path, STR("a/")));
    asked.path = STR("ab/two.c");
    must(wiki_find(p->index, &p->arena, &asked, &hits, &count, &why), &why);
    assert_int_equal(count, 1);
    assert_str_equal(hits[0].chunk.path, "ab/two.c");
}

/* Tests hold the words of everything: they come later, unless they are meant. */
static void tests_come_first_only_when_they_are_asked_for(void **state)
{
    struct place *p = *state;
    put(p, "src/pot.c", STR("int pour_tea(int cup)\n{\n    return cup;\n}\n"));
    put(p, "tests/pot.c", STR("int pour_tea(int cup)\n{\n    return pour_tea;\n}\n"));
    update(p);
    expect_first(p, "how does pour_tea work?", "src/pot.c");
    expect_first(p, "which tests are there of pour_tea?", "tests/pot.c");
}

/* Words that stand in one file, if far from each other, mean more than one of them alone. */
static void a_file_counts_as_a_whole(void **state)
{
    struct place *p = *state;
    struct buf text;
    buf_init(&text, 1 << 20);
    buf_printf(&text, "kettle\n");
    for (int i = 0; i < 400; i++) buf_printf(&text, "other words stand here, line %d\n", i);
    buf_printf(&text, "samovar\n");
    put(p, "both.txt", buf_str(&text));
    for (int i = 0; i < 4; i++) {
        char name[32];
        snprintf(name, sizeof(name), "%s%d.txt", i % 2 ? "kettle" : "some", i);
        put(p, name, i < 2 ? STR("kettle\n") : STR("samovar\n"));
    }
    buf_release(&text);
    update(p);
    size_t count;
    struct wiki_hit *hits = find(p, "kettle samovar", &count);
    size_t of_both = 0;
    for (size_t i = 0; i < MIN(count, (size_t)6); i++) {
        of_both += str_eq(hits[i].chunk.path, STR("both.txt"));
    }
    assert_int_equal(of_both, 2); /* both of its chunks */
}

static void one_file_does_not_fill_the_answer(void **state)
{
    struct place *p = *state;
    struct buf text;
    size_t count, of_big = 0;
    buf_init(&text, 1 << 20);
    for (int i = 0; i < 4000; i++) buf_printf(&text, "kettle kettle kettle %d\n", i);
    put(p, "big.txt", buf_str(&text));
    put(p, "small.c", STR("int water_of_the_kettle, much, more, text, around, it;\n"));
    update(p);
    struct wiki_hit *hits = find(p, "kettle", &count);
    bool small = false;
    for (size_t i = 0; i < count; i++) {
        of_big += str_eq(hits[i].chunk.path, STR("big.txt"));
        small |= str_eq(hits[i].chunk.path, STR("small.c"));
    }
    assert_true(small);
    assert_in_range(of_big, 1, 4);
    buf_release(&text);
}

static void what_is_stopped_changes_nothing(void **state)
{
    struct place *p = *state;
    struct why why;
    struct wiki_index_state state_now;
    atomic_bool stop = true;
    put_some(p);
    update(p);
    put(p, "README.md", STR("# Samovar\n"));
    assert_int_equal(update_with(p, &stop, &state_now, &why), ERR_CANCELLED);
    expect_first(p, "kettle", "README.md");
    expect_nothing(p, "samovar");
    assert_int_equal(update(p).changed, 1);
    expect_first(p, "samovar", "README.md");
}

struct killing {
    int fd;
};

static void tell_progress(void *ctx, uint64_t done, uint64_t all)
{
    struct killing *k = ctx;
    (void)done;
    (void)all;
    if (write(k->fd, "x", 1) != 1) _exit(1);
    pause(); /* until killed, in the middle of the transaction */
}

/* A process dies while it indexes: the old index is what there is, and the next update goes on. */
static void a_kill_in_the_middle_leaves_the_old_index(void **state)
{
    struct place *p = *state;
    struct why why;
    int ends[2];
    put_some(p);
    update(p);
    wiki_index_close(p->index);
    p->index = NULL;
    for (int i = 0; i < 200; i++) {
        char name[32];
        snprintf(name, sizeof(name), "new%d.c", i);
        put(p, name, STR("int samovar(void);\n"));
    }
    take_away(p, "README.md");
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        struct wiki_filters filters = {0};
        struct wiki_tree *tree;
        struct wiki_index_state unused;
        struct killing killing = {ends[1]};
        if (wiki_index_open(p->file, &p->index, &why) ||
            wiki_tree_open_folder(p->repo, NULL, &filters, &tree, &why)) {
            _exit(1);
        }
        struct wiki_update doing = {.tree = tree, .progress = tell_progress, .ctx = &killing};
        enum err err = wiki_index_update(p->index, &doing, &unused, &why);
        _exit(err ? 1 : 0);
    }
    close(ends[1]);
    char byte;
    assert_int_equal(read(ends[0], &byte, 1), 1);
    assert_int_equal(kill(child, SIGKILL), 0);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    close(ends[0]);

    must(wiki_index_open(p->file, &p->index, &why), &why);
    expect_first(p, "kettle", "README.md");
    expect_nothing(p, "samovar");
    assert_int_equal(update(p).changed, 200);
    expect_nothing(p, "kettle");
    size_t count;
    find(p, "samovar", &count);
    assert_int_equal(count, 20);
}

static void readers_see_the_last_whole_index(void **state)
{
    struct place *p = *state;
    struct why why;
    struct wiki_index *reader = NULL;
    assert_int_equal(wiki_index_open_reader(p->file, &reader, &why), ERR_NOT_FOUND);
    put_some(p);
    update(p);
    must(wiki_index_open_reader(p->file, &reader, &why), &why);
    struct place other = {.index = reader};
    expect_first(&other, "kettle", "README.md");
    put(p, "README.md", STR("# Samovar\n"));
    update(p);
    expect_first(&other, "samovar", "README.md");
    expect_nothing(&other, "kettle");
    wiki_index_close(reader);
    arena_release(&other.arena);
}

static void a_damaged_file_is_said_to_be(void **state)
{
    struct place *p = *state;
    struct why why = {0};
    put_some(p);
    update(p);
    wiki_index_close(p->index);
    p->index = NULL;
    int fd = open(p->file, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "nonsense nonsense nonsense", 26, 0), 26);
    close(fd);
    assert_int_equal(wiki_index_open(p->file, &p->index, &why), ERR_CORRUPT);
    assert_null(p->index);
    assert_contains(why.text, "made again");
    assert_int_equal(wiki_index_open_reader(p->file, &p->index, &why), ERR_CORRUPT);
}

/* An index with a word of many blocks; closed. */
static void make_large(struct place *p)
{
    struct buf text;
    buf_init(&text, 1 << 20);
    for (int i = 0; i < 2000; i++) buf_printf(&text, "kettle water_%d\n", i % 300);
    put_some(p);
    put(p, "big.txt", buf_str(&text));
    buf_release(&text);
    update(p);
    wiki_index_close(p->index);
    p->index = NULL;
}

/* Whatever bytes are wrong inside of the file: an answer or a failure, never a crash. */
static void damage_inside_never_crashes(void **state)
{
    struct place *p = *state;
    struct why why;
    make_large(p);
    int fd = open(p->file, O_RDWR | O_CLOEXEC);
    off_t size = lseek(fd, 0, SEEK_END);
    for (off_t at = 8192 + 50; at < size; at += 1499) {
        unsigned char before, damaged;
        assert_int_equal(pread(fd, &before, 1, at), 1);
        damaged = (unsigned char)(before ^ 0xFF);
        assert_int_equal(pwrite(fd, &damaged, 1, at), 1);
        if (wiki_index_open(p->file, &p->index, &why) == OK) {
            struct wiki_question asked = {
                .text = STR("kettle water_7"), .limit = 50, .signals = WIKI_ALL};
            struct wiki_hit *hits;
            struct wiki_index_file *files;
            struct wiki_edge *edges;
            size_t count;
            (void)!wiki_find(p->index, &p->arena, &asked, &hits, &count, &why);
            (void)!wiki_index_files(p->index, &p->arena, &files, &count, &why);
            (void)!wiki_index_edges(p->index, &p->arena, 10, &edges, &count, &why);
        }
        wiki_index_close(p->index);
        p->index = NULL;
        assert_int_equal(pwrite(fd, &before, 1, at), 1);
    }
    close(fd);
}

/* The bytes of a file, and one of them wrong. */
static void write_with_a_fault(const char *file, const char *bytes, size_t len, size_t at)
{
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    char wrong = (char)~bytes[at];
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, len, 0), len);
    assert_int_equal(pwrite(fd, &wrong, 1, (off_t)at), 1);
    close(fd);
}

/* An update of such a file is done, or says that the index has to be made again. */
static void damage_inside_never_crashes_an_update(void **state)
{
    struct place *p = *state;
    make_large(p);

    struct stat is;
    int fd = open(p->file, O_RDONLY | O_CLOEXEC);
    assert_int_equal(fstat(fd, &is), 0);
    size_t len = (size_t)is.st_size, made_again = 0;
    char *whole = mem_alloc(len);
    assert_int_equal(pread(fd, whole, len, 0), len);
    close(fd);
    put(p, "big.txt", STR("samovar\n"));
    for (size_t at = 4096 + 50; at < len; at += 997) {
        struct why why = {0};
        struct wiki_index_state now;
        write_with_a_fault(p->file, whole, len, at);
        enum err err = wiki_index_open(p->file, &p->index, &why);
        if (!err) err = update_with(p, NULL, &now, &why);
        if (err && err != ERR_CORRUPT) fail_msg("%zu: %s: %s", at, err_name(err), why.text);
        made_again += err == ERR_CORRUPT;
        wiki_index_close(p->index);
        p->index = NULL;
    }
    assert_true(made_again > 0);
    mem_free(whole);
}

static void names_and_texts_of_strangers(void **state)
{
    struct place *p = *state;
    put(p, "it's \"quoted\"; DROP TABLE files;--.c", STR("int kettle;\n"));
    put(p, "%s%n.c", STR("int samovar;\n"));
    put(p, "茶/壶.md", STR("# 一\n\n红茶\n"));
    put(p, "nul.c", (struct str){"int a\0b; teacup\n", 16});
    struct buf text;
    buf_init(&text, LIMIT_WIKI_FILE_BYTES);
    for (int i = 0; i < 100000; i++) buf_add_str(&text, STR("\xF0\x9F\x8D\xB5"));
    put(p, "emoji.txt", buf_str(&text));
    buf_release(&text);
    update(p);
    expect_first(p, "kettle", "it's \"quoted\"; DROP TABLE files;--.c");
    expect_first(p, "samovar", "%s%n.c");
    expect_first(p, "红茶", "茶/壶.md");
    expect_first(p, "壶", "茶/壶.md");
    expect_nothing(p, "\" OR 1=1 -- NEAR( * ^ :");
    struct buf question;
    buf_init(&question, 1 << 20);
    for (int i = 0; i < 20000; i++) buf_printf(&question, "word%d ", i);
    size_t count;
    find(p, question.at, &count);
    buf_release(&question);
}

/* Two that say the same: the one that the best hit's file imports comes first. */
static void expect_order(struct place *p, const char *first, const char *second)
{
    size_t count, at[2] = {0};
    struct wiki_hit *hits = find(p, "warm water for guests at the table", &count);
    for (size_t i = 0; i < count; i++) {
        if (str_eq(hits[i].chunk.path, str_of(first))) at[0] = i + 1;
        if (str_eq(hits[i].chunk.path, str_of(second))) at[1] = i + 1;
    }
    assert_int_equal(count, 3);
    assert_true(at[0] < at[1]);
}

static void of_two_alike_the_imported_one_comes_first(void **state)
{
    struct place *p = *state;
    static const char pot[] = "// Warm water.\nexport default 1;\n";
    put(p, "copy/pot.js", str_of(pot));
    put(p, "lib/pot.js", str_of(pot));
    put(p, "lib/table.js",
        STR("import x from '../copy/pot.js';\n\n"
            "// Warm water for guests at the table.\nexport default x;\n"));
    update(p);
    expect_order(p, "copy/pot.js", "lib/pot.js");
    put(p, "lib/table.js",
        STR("import x from './pot.js';\n\n"
            "// Warm water for guests at the table.\nexport default x;\n"));
    update(p); /* the neighbours are those of the new state */
    expect_order(p, "lib/pot.js", "copy/pot.js");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(of_two_alike_the_imported_one_comes_first),
        TEST(what_is_written_is_found),
        TEST(hits_have_true_lines),
        TEST(files_are_read_as_they_were),
        TEST(an_update_reads_what_has_changed),
        TEST(an_updated_index_is_like_a_new_one),
        TEST(symbols_and_edges),
        TEST(files_lean_on_what_they_import),
        TEST(tests_come_first_only_when_they_are_asked_for),
        TEST(a_file_counts_as_a_whole),
        TEST(a_folder_narrows_what_is_found),
        TEST(one_file_does_not_fill_the_answer),
        TEST(what_is_stopped_changes_nothing),
        TEST(a_kill_in_the_middle_leaves_the_old_index),
        TEST(readers_see_the_last_whole_index),
        TEST(a_damaged_file_is_said_to_be),
        TEST(damage_inside_never_crashes),
        TEST(damage_inside_never_crashes_an_update),
        TEST(names_and_texts_of_strangers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
