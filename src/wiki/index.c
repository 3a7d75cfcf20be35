/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/index.c: what an index tells of its files, their text and their symbols.
 */
#include "wiki/index.h"

#include "base/mem.h"
#include "wiki/internal.h"

enum { TEXT_MAX = 64 << 20 };

/* ---- what there is ---- */

static enum err add_left_out(struct wiki_index *index, struct wiki_index_state *state,
                             struct why *why)
{
    sqlite3_stmt *stmt = NULL;
    enum err err = db_prepare(index, WIKI_COUNTS_LEFT, &stmt, why);
    for (bool row = true; !err && row;) {
        err = db_row(index, stmt, &row, why);
        if (err || !row) break;
        int left_out = sqlite3_column_int(stmt, 0);
        uint64_t files = (uint64_t)sqlite3_column_int64(stmt, 1);
        if (left_out < 0 || left_out >= WIKI_LEFT_COUNT) continue;
        state->left_out[left_out] = files;
        if (left_out != WIKI_TAKEN) continue;
        state->files = files;
        state->lines = (uint64_t)sqlite3_column_int64(stmt, 2);
        state->bytes = (uint64_t)sqlite3_column_int64(stmt, 3);
        state->chunks = (uint64_t)sqlite3_column_int64(stmt, 4);
        state->symbols = (uint64_t)sqlite3_column_int64(stmt, 5);
    }
    return err;
}

enum err wiki_index_state(struct wiki_index *index, struct wiki_index_state *state_out,
                          struct why *why)
{
    int64_t changed = 0;
    *state_out = (struct wiki_index_state){0};
    enum err err = db_do(index, WIKI_BEGIN, why);
    if (!err) err = add_left_out(index, state_out, why);
    if (!err) err = db_meta(index, "changed", &changed, why);
    state_out->changed = (uint64_t)changed;
    db_undo(index); /* nothing was written */
    return err;
}

/* ---- lists that grow in an arena ---- */

/* Room for one more of `size` bytes behind `count` of them. */
static void *grow(struct arena *arena, void *list, size_t count, size_t *cap, size_t size)
{
    if (count < *cap) return list;
    *cap = *cap ? 2 * *cap : 64;
    void *more = arena_alloc(arena, *cap * size);
    if (count > 0) memcpy(more, list, count * size);
    return more;
}

enum err wiki_index_files(struct wiki_index *index, struct arena *arena,
                          struct wiki_index_file **files_out, size_t *count_out, struct why *why)
{
    struct wiki_index_file *files = NULL;
    size_t count = 0, cap = 0;
    sqlite3_stmt *stmt = NULL;
    enum err err = db_prepare(index, WIKI_FILES_LIST, &stmt, why);
    for (bool row = true; !err && row;) {
        err = db_row(index, stmt, &row, why);
        if (err || !row) break;
        int left_out = sqlite3_column_int(stmt, 4);
        files = grow(arena, files, count, &cap, sizeof(*files));
        files[count++] = (struct wiki_index_file){
            .path = arena_copy(arena, db_text(stmt, 0)),
            .bytes = (uint64_t)sqlite3_column_int64(stmt, 1),
            .lines = sqlite3_column_int(stmt, 2),
            .language = arena_copy(arena, db_text(stmt, 3)),
            .left_out = left_out >= 0 && left_out < WIKI_LEFT_COUNT ? (enum wiki_left_out)left_out
                                                                    : WIKI_LEFT_ENCODING,
        };
    }
    *files_out = files;
    *count_out = err ? 0 : count;
    return err;
}

/* ---- the text of a file ---- */

struct range {
    int64_t first, last; /* chunks, `last` is behind the last one */
    int lines;
};

static enum err find_file(struct wiki_index *index, struct str path, struct range *range_out,
                          struct why *why)
{
    sqlite3_stmt *stmt = NULL;
    bool row;
    enum err err = db_prepare(index, WIKI_FILE_BY_PATH, &stmt, why);
    if (err) return err;
    db_bind(stmt, 1, path);
    err = db_row(index, stmt, &row, why);
    if (err) return err;
    if (!row) return why_set(why, ERR_NOT_FOUND, "there is no such file in this wiki");
    int left_out = sqlite3_column_int(stmt, 2);
    int64_t first = sqlite3_column_int64(stmt, 3);
    *range_out =
        (struct range){first, first + sqlite3_column_int64(stmt, 4), sqlite3_column_int(stmt, 1)};
    sqlite3_reset(stmt);
    if (left_out == WIKI_TAKEN) return OK;
    return why_set(why, ERR_NOT_FOUND, "this file was left out of the wiki");
}

/* Adds of a chunk that begins with line `line` what lies in lines [first, last]. */
static void add_lines(struct buf *out, struct str text, int line, int first, int last)
{
    while (text.len > 0 && line <= last) {
        size_t len = str_find_byte(text, '\n');
        if (len < text.len) len++;
        if (line >= first) buf_add(out, text.at, len);
        if (text.at[len - 1] == '\n') line++;
        text = str_from(text, len);
    }
}

static enum err collect_lines(struct wiki_index *index, const struct range *range, int first,
                              int last, struct buf *out, struct why *why)
{
    sqlite3_stmt *stmt = NULL;
    enum err err = db_prepare(index, WIKI_CHUNKS_OF, &stmt, why);
    if (err) return err;
    sqlite3_bind_int64(stmt, 1, range->first);
    sqlite3_bind_int64(stmt, 2, range->last);
    for (bool row = true; !err && row;) {
        err = db_row(index, stmt, &row, why);
        if (err || !row) break;
        int from = sqlite3_column_int(stmt, 1), to = sqlite3_column_int(stmt, 2);
        if (to >= first && from <= last) add_lines(out, db_text(stmt, 4), from, first, last);
    }
    return err;
}

enum err wiki_index_read(struct wiki_index *index, struct arena *arena, struct str path, int first,
                         int last, struct str *text_out, int *lines_out, struct why *why)
{
    struct range range = {0};
    struct buf text;
    buf_init(&text, TEXT_MAX);
    if (last <= 0) last = INT32_MAX;
    enum err err = db_do(index, WIKI_BEGIN, why);
    if (!err) err = find_file(index, path, &range, why);
    if (!err) err = collect_lines(index, &range, first, last, &text, why);
    if (!err && text.failed) {
        err = why_set(why, ERR_LIMIT, "this file is too large to be shown whole");
    }
    if (!err) {
        *text_out = arena_copy(arena, buf_str(&text));
        if (lines_out) *lines_out = range.lines;
    }
    db_undo(index);
    buf_release(&text);
    return err;
}
