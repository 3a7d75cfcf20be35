/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "store/files.h"

enum err files_add(struct db *db, const struct file_record *file, struct why *why)
{
    struct query *q = db_query(db, SQL_FILE_ADD);
    query_str(q, file->name);
    query_str(q, file->kind);
    query_id(q, file->owner.value);
    query_u64(q, file->bytes);
    query_i64(q, file->width);
    query_i64(q, file->height);
    query_i64(q, file->created_us);
    enum err err = query_run(q, why);
    return err == ERR_CONFLICT ? OK : err; /* how MariaDB says that it is known */
}

/* Whoever shows it may name the picture or one of its smaller ones. */
static enum err look_who_shows(struct db *db, struct arena *arena, struct user_id owner,
                               struct stored_file *file, struct why *why)
{
    struct str stem = str_head(file->name, str_find_byte(file->name, '.'));
    struct str paths[3] = {
        arena_printf(arena, "/files/%.*s/%.*s", STR_ARGS(file->folder), STR_ARGS(file->name)),
        arena_printf(arena, "/files/%.*s/%.*s_320.webp", STR_ARGS(file->folder), STR_ARGS(stem)),
        arena_printf(arena, "/files/%.*s/%.*s_1280.webp", STR_ARGS(file->folder), STR_ARGS(stem))};
    struct query *q = db_query(db, SQL_FILE_SHOWN);
    for (size_t i = 0; i < 6; i++) query_str(q, paths[i % 3]);
    query_u64(q, owner.value);
    file->shown = query_next(q) && query_get_i64(q, 0) != 0;
    return query_end(q, why);
}

/* Rows of name, kind and age. */
static enum err read_files(struct query *q, struct db *db, struct arena *arena,
                           struct user_id owner, struct stored_file *files, size_t *count_out,
                           struct why *why)
{
    size_t count = 0;
    for (; query_next(q); count++) {
        bool avatar = str_eq(query_get_str(q, 1), STR("avatar"));
        files[count] = (struct stored_file){.name = arena_copy(arena, query_get_str(q, 0)),
                                            .folder = avatar ? STR("avatars") : STR("images"),
                                            .created_us = query_get_i64(q, 2)};
    }
    enum err err = query_end(q, why);
    for (size_t i = 0; i < count && !err; i++) {
        err = look_who_shows(db, arena, owner, &files[i], why);
    }
    *count_out = count;
    return err;
}

enum err files_of(struct db *db, struct arena *arena, struct user_id owner,
                  struct stored_file files[STORED_FILES_MAX], size_t *count_out, struct why *why)
{
    struct query *q = db_query(db, SQL_FILES_OF);
    query_u64(q, owner.value);
    query_u64(q, STORED_FILES_MAX);
    return read_files(q, db, arena, owner, files, count_out, why);
}

enum err files_bytes_of(struct db *db, struct user_id owner, uint64_t *bytes_out, struct why *why)
{
    struct query *q = db_query(db, SQL_FILES_BYTES_OF);
    query_u64(q, owner.value);
    *bytes_out = query_next(q) ? query_get_u64(q, 0) : 0;
    return query_end(q, why);
}

enum err files_older(struct db *db, struct arena *arena, struct files_place *at, int64_t before_us,
                     struct stored_file files[STORED_FILES_MAX], size_t *count_out, struct why *why)
{
    struct query *q = db_query(db, SQL_FILES_OLDER);
    query_i64(q, at->created_us);
    query_str(q, str_of(at->name));
    query_i64(q, before_us);
    query_u64(q, STORED_FILES_MAX);
    enum err err = read_files(q, db, arena, (struct user_id){0}, files, count_out, why);
    if (err || *count_out == 0) return err;
    const struct stored_file *last = &files[*count_out - 1];
    str_copy(at->name, sizeof(at->name), last->name);
    at->created_us = last->created_us;
    return OK;
}

static enum err set_age(struct db *db, struct str name, int64_t created_us, struct why *why)
{
    struct query *q = db_query(db, SQL_FILE_SET_AGE);
    query_i64(q, created_us);
    query_str(q, name);
    return query_run(q, why);
}

enum err files_put_down(struct db *db, struct str path, struct why *why)
{
    size_t slash = path.len;
    while (slash > 0 && path.at[slash - 1] != '/') slash--;
    if (slash == 0) return OK;
    return set_age(db, str_from(path, slash), 0, why);
}

enum err files_leave_up(struct db *db, const struct stored_file *file, struct why *why)
{
    return set_age(db, file->name, 1, why);
}

enum err files_drop(struct db *db, const struct stored_file *file, struct why *why)
{
    struct query *q = db_query(db, file->shown ? SQL_FILE_DISOWN : SQL_FILE_DELETE);
    query_str(q, file->name);
    return query_run(q, why);
}
