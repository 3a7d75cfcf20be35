/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "wiki/vectors.h"

#include "unit.h"

#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/rng.h"
#include "wiki/dir.h"
#include "wiki/index.h"

/* ---- the nearest ---- */

static void draw(struct rng *rng, float *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        values[i] = (float)rng_below(rng, 20001) / 10000.0F - 1.0F;
    }
}

static double cosine(const float *a, const float *b, size_t count)
{
    double sum = 0, one = 0, two = 0;
    for (size_t i = 0; i < count; i++) {
        sum += (double)a[i] * b[i];
        one += (double)a[i] * a[i];
        two += (double)b[i] * b[i];
    }
    return sum / sqrt(one * two);
}

static void the_nearest_are_those_of_whole_numbers(void **state)
{
    (void)state;
    static const size_t dimensions[] = {1, 31, 64, 100, 768, 1536, WIKI_DIMENSIONS_MAX};
    enum { ROWS = 300 };
    struct rng rng;
    rng_init(&rng, 7, 1);
    for (size_t d = 0; d < COUNT_OF(dimensions); d++) {
        size_t n = dimensions[d];
        float *rows = mem_alloc(ROWS * n * sizeof(float)), *asked = mem_alloc(n * sizeof(float));
        struct wiki_matrix *matrix = wiki_matrix_new(n);
        int8_t *packed = mem_alloc(n);
        draw(&rng, rows, ROWS * n);
        draw(&rng, asked, n);
        for (uint32_t i = 0; i < ROWS; i++) {
            wiki_vector_pack(rows + i * n, n, packed);
            wiki_matrix_add(matrix, i + 1, packed);
        }
        assert_int_equal(wiki_matrix_count(matrix), ROWS);
        struct wiki_near near[ROWS];
        assert_int_equal(wiki_matrix_nearest(matrix, asked, NULL, 0, ROWS, near), ROWS);
        bool seen[ROWS + 1] = {false};
        for (size_t i = 0; i < ROWS; i++) {
            assert_false(seen[near[i].chunk]);
            seen[near[i].chunk] = true;
            double right = cosine(asked, rows + (near[i].chunk - 1) * n, n);
            if (fabs(right - near[i].cosine) > 0.012) {
                fail_msg("%zu dimensions: %f instead of %f", n, near[i].cosine, right);
            }
            if (i > 0) assert_true(near[i - 1].cosine >= near[i].cosine);
        }
        wiki_matrix_release(matrix);
        mem_free(packed);
        mem_free(rows);
        mem_free(asked);
    }
}

static void only_the_scope_and_only_so_many(void **state)
{
    (void)state;
    enum { ROWS = 50, N = 8 };
    struct wiki_matrix *matrix = wiki_matrix_new(N);
    struct wiki_near near[ROWS];
    float asked[N] = {1};
    for (uint32_t i = 1; i <= ROWS; i++) {
        float values[N] = {(float)i, 10};
        int8_t packed[N];
        wiki_vector_pack(values, N, packed);
        wiki_matrix_add(matrix, i, packed);
    }
    assert_int_equal(wiki_matrix_nearest(matrix, asked, NULL, 0, 3, near), 3);
    assert_int_equal(near[0].chunk, 50);
    uint8_t scope[ROWS] = {0}; /* the last one is behind it */
    scope[7] = scope[20] = 1;
    assert_int_equal(wiki_matrix_nearest(matrix, asked, scope, ROWS, ROWS, near), 2);
    assert_int_equal(near[0].chunk, 20);
    assert_int_equal(near[1].chunk, 7);
    assert_int_equal(wiki_matrix_nearest(matrix, asked, NULL, 0, 0, near), 0);
    wiki_matrix_release(matrix);
}

static void what_is_no_direction_is_near_to_nothing(void **state)
{
    (void)state;
    enum { N = 4 };
    const float rows[][N] = {{0, 0, 0, 0}, {NAN, 1, 0, 0}, {INFINITY, 0, 0, 0}, {1e-30F, 0, 0, 0}};
    struct wiki_matrix *matrix = wiki_matrix_new(N);
    struct wiki_near near[COUNT_OF(rows)];
    for (uint32_t i = 0; i < COUNT_OF(rows); i++) {
        int8_t packed[N];
        wiki_vector_pack(rows[i], N, packed);
        wiki_matrix_add(matrix, i, packed);
    }
    const float asked[N] = {2, 0, 0, 0}, none[N] = {0}, broken[N] = {NAN, 1};
    assert_int_equal(wiki_matrix_nearest(matrix, asked, NULL, 0, COUNT_OF(rows), near), 1);
    assert_int_equal(near[0].chunk, 3); /* small numbers are a direction, too */
    assert_true(near[0].cosine > 0.999F);
    assert_int_equal(wiki_matrix_nearest(matrix, none, NULL, 0, COUNT_OF(rows), near), 0);
    assert_int_equal(wiki_matrix_nearest(matrix, broken, NULL, 0, COUNT_OF(rows), near), 0);
    wiki_matrix_release(matrix);
}

/* ---- the file ---- */

struct place {
    char folder[64], repo[96], index_file[96], file[96];
    struct arena arena;
};

static void must(enum err err, const struct why *why)
{
    if (err) fail_msg("%s: %s", err_name(err), why->text);
}

static int set_up(void **state)
{
    struct place *p = NEW(struct place);
    str_copy(p->folder, sizeof(p->folder), STR("/tmp/hutong-vectors-XXXXXX"));
    assert_non_null(mkdtemp(p->folder));
    snprintf(p->repo, sizeof(p->repo), "%s/repo", p->folder);
    snprintf(p->index_file, sizeof(p->index_file), "%s/index.db", p->folder);
    snprintf(p->file, sizeof(p->file), "%s/vectors.db", p->folder);
    assert_int_equal(mkdir(p->repo, 0700), 0);
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct place *p = *state;
    wiki_dir_remove(p->folder);
    arena_release(&p->arena);
    mem_free(p);
    return 0;
}

static void put(struct place *p, const char *name, const char *text)
{
    char path[192];
    snprintf(path, sizeof(path), "%s/%s", p->repo, name);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void index_it(struct place *p)
{
    struct why why = {0};
    struct wiki_filters filters = {0};
    struct wiki_tree *tree;
    struct wiki_index *index;
    struct wiki_index_state state;
    must(wiki_index_open(p->index_file, &index, &why), &why);
    must(wiki_tree_open_folder(p->repo, NULL, &filters, &tree, &why), &why);
    struct wiki_update update = {.tree = tree};
    must(wiki_index_update(index, &update, &state, &why), &why);
    wiki_tree_close(tree);
    wiki_index_close(index);
}

static struct wiki_vectors *open_vectors(struct place *p, const char *embedder)
{
    struct why why = {0};
    struct wiki_vectors *vectors;
    must(wiki_vectors_open(p->file, p->index_file, str_of(embedder), &vectors, &why), &why);
    return vectors;
}

/* Vectors for at most `max` of what has none, of so many dimensions; gives how many had none. */
static size_t fill(struct place *p, struct wiki_vectors *vectors, size_t max, size_t dimensions)
{
    struct why why = {0};
    struct wiki_unseen *unseen;
    uint32_t chunk_at = 0;
    size_t count;
    must(wiki_vectors_unseen(vectors, &p->arena, &chunk_at, max, 1 << 20, &unseen, &count, &why),
         &why);
    struct wiki_vector *list = ARENA_ARRAY(&p->arena, struct wiki_vector, count + 1);
    for (size_t i = 0; i < count; i++) {
        float *values = ARENA_ARRAY(&p->arena, float, dimensions);
        values[unseen[i].text.len % dimensions] = 1;
        list[i] = (struct wiki_vector){unseen[i].key, values};
    }
    must(wiki_vectors_put(vectors, list, count, dimensions, &why), &why);
    return count;
}

static struct wiki_coverage coverage(struct wiki_vectors *vectors)
{
    struct why why = {0};
    struct wiki_coverage out;
    must(wiki_vectors_coverage(vectors, &out, &why), &why);
    return out;
}

static size_t loaded(struct place *p, const char *embedder)
{
    struct why why = {0};
    struct wiki_matrix *matrix;
    must(wiki_vectors_load(p->file, p->index_file, str_of(embedder), &matrix, &why), &why);
    size_t count = matrix ? wiki_matrix_count(matrix) : 0;
    wiki_matrix_release(matrix);
    return count;
}

static void put_some(struct place *p)
{
    put(p, "a.md", "# One\n\nFirst.\n");
    put(p, "b.md", "# Two\n\nSecond.\n");
    put(p, "c.md", "# Three\n\nThird.\n");
    index_it(p);
}

static void each_chunk_gets_its_vector_once(void **state)
{
    struct place *p = *state;
    put_some(p);
    assert_int_equal(loaded(p, "x/y"), 0); /* no file yet is none, and makes none */
    assert_int_not_equal(access(p->file, F_OK), 0);
    struct wiki_vectors *vectors = open_vectors(p, "x/y");
    assert_int_equal(fill(p, vectors, 2, 16), 2);
    wiki_vectors_close(vectors); /* as a crash between two batches leaves it */
    vectors = open_vectors(p, "x/y");
    assert_int_equal(coverage(vectors).have, 2);
    assert_int_equal(fill(p, vectors, 10, 16), 1);
    assert_int_equal(fill(p, vectors, 10, 16), 0);
    assert_int_equal(coverage(vectors).have, 3);
    wiki_vectors_close(vectors);
    assert_int_equal(loaded(p, "x/y"), 3);
}

static void an_index_made_again_and_texts_that_come_back_keep_theirs(void **state)
{
    struct place *p = *state;
    put_some(p);
    struct wiki_vectors *vectors = open_vectors(p, "x/y");
    assert_int_equal(fill(p, vectors, 10, 16), 3);
    wiki_vectors_close(vectors);
    put(p, "b.md", "# Two\n\nOther.\n");
    index_it(p);
    assert_int_equal(loaded(p, "x/y"), 2);
    vectors = open_vectors(p, "x/y");
    assert_int_equal(fill(p, vectors, 10, 16), 1);
    wiki_vectors_close(vectors);
    put(p, "b.md", "# Two\n\nSecond.\n");
    unlink(p->index_file);
    index_it(p);
    assert_int_equal(loaded(p, "x/y"), 3);
}

static void another_embedder_or_a_damaged_file_begins_anew(void **state)
{
    struct place *p = *state;
    put_some(p);
    struct wiki_vectors *vectors = open_vectors(p, "x/y");
    fill(p, vectors, 10, 16);
    wiki_vectors_close(vectors);
    assert_int_equal(loaded(p, "x/other"), 0);
    vectors = open_vectors(p, "x/other");
    assert_int_equal(coverage(vectors).have, 0);
    assert_int_equal(fill(p, vectors, 10, 32), 3);
    wiki_vectors_close(vectors);
    assert_int_equal(loaded(p, "x/other"), 3);
    FILE *file = fopen(p->file, "r+e");
    assert_non_null(file);
    for (int i = 0; i < 4096; i++) fputc('?', file);
    fclose(file);
    vectors = open_vectors(p, "x/other");
    assert_int_equal(coverage(vectors).have, 0);
    assert_int_equal(fill(p, vectors, 10, 32), 3);
    wiki_vectors_close(vectors);
}

static void vectors_of_another_length_are_refused_whole(void **state)
{
    struct place *p = *state;
    struct why why = {0};
    put_some(p);
    struct wiki_vectors *vectors = open_vectors(p, "x/y");
    fill(p, vectors, 1, 16);
    const uint8_t key[WIKI_VECTOR_KEY] = {1};
    float values[WIKI_DIMENSIONS_MAX + 1] = {1};
    struct wiki_vector one = {key, values};
    assert_int_equal(wiki_vectors_put(vectors, &one, 1, 17, &why), ERR_INVALID);
    assert_non_null(strstr(why.text, "17"));
    assert_int_equal(wiki_vectors_put(vectors, &one, 1, WIKI_DIMENSIONS_MAX + 1, &why),
                     ERR_INVALID);
    assert_int_equal(coverage(vectors).have, 1);
    assert_int_equal(fill(p, vectors, 10, 16), 2); /* and the file is as good as before */
    wiki_vectors_close(vectors);
}

static void what_was_refused_is_known_and_not_loaded(void **state)
{
    struct place *p = *state;
    struct why why = {0};
    struct wiki_unseen *unseen;
    uint32_t chunk_at = 0;
    size_t count;
    put_some(p);
    struct wiki_vectors *vectors = open_vectors(p, "x/y");
    must(wiki_vectors_unseen(vectors, &p->arena, &chunk_at, 1, 1000, &unseen, &count, &why), &why);
    struct wiki_vector one = {unseen[0].key, NULL};
    must(wiki_vectors_put(vectors, &one, 1, 0, &why), &why);
    assert_int_equal(fill(p, vectors, 10, 16), 2);
    assert_int_equal(coverage(vectors).have, 3);
    assert_int_equal(coverage(vectors).refused, 1);
    wiki_vectors_close(vectors);
    assert_int_equal(loaded(p, "x/y"), 2);
}

static void what_no_chunk_has_any_more_goes_when_it_gets_much(void **state)
{
    struct place *p = *state;
    struct why why = {0};
    put_some(p);
    struct wiki_vectors *vectors = open_vectors(p, "x/y");
    fill(p, vectors, 10, 16);
    float values[16] = {1};
    for (uint32_t i = 0; i < 2000; i++) {
        uint8_t key[WIKI_VECTOR_KEY] = {0};
        memcpy(key, &i, sizeof(i));
        struct wiki_vector one = {key, values};
        must(wiki_vectors_put(vectors, &one, 1, 16, &why), &why);
    }
    must(wiki_vectors_sweep(vectors, &why), &why);
    assert_int_equal(coverage(vectors).have, 3);
    wiki_vectors_close(vectors);
    struct stat info;
    assert_int_equal(stat(p->file, &info), 0);
    assert_true(info.st_size < 64 * 1024);
    assert_int_equal(loaded(p, "x/y"), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_nearest_are_those_of_whole_numbers),
        cmocka_unit_test(only_the_scope_and_only_so_many),
        cmocka_unit_test(what_is_no_direction_is_near_to_nothing),
        cmocka_unit_test_setup_teardown(each_chunk_gets_its_vector_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_index_made_again_and_texts_that_come_back_keep_theirs,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_embedder_or_a_damaged_file_begins_anew, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(vectors_of_another_length_are_refused_whole, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_was_refused_is_known_and_not_loaded, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_no_chunk_has_any_more_goes_when_it_gets_much, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
