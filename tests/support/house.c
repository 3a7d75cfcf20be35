/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "house.h"

#include "base/embedded.h"
#include "store/migrate.h"

void house_open(struct database *database)
{
    struct why why;
    must(migrate_run(database->db, embedded_files, &why), &why);
}

/* "0001_base.sql" of a migration of whatever dialect; .at NULL: it is none. */
static struct str migration_file(const struct embedded_file *file)
{
    struct str path = str_of(file->path), word = {0};
    if (!str_starts(path, STR("migrations/"))) return (struct str){0};
    while (str_split(&path, '/', &word)) {
    }
    return word;
}

void house_open_before(struct database *database, const char *ending)
{
    enum { FILES_MAX = 200 };
    struct embedded_file older[FILES_MAX] = {0};
    struct why why;
    struct str first = {0};
    size_t count = 0;
    for (const struct embedded_file *file = embedded_files; file->path; file++)
        if (str_ends(migration_file(file), str_of(ending))) first = migration_file(file);
    assert_non_null(first.at);
    for (const struct embedded_file *file = embedded_files; file->path; file++) {
        struct str name = migration_file(file);
        if (!name.at || strncmp(name.at, first.at, 4) >= 0) continue;
        assert_true(count + 1 < FILES_MAX);
        older[count++] = *file;
    }
    must(migrate_run(database->db, older, &why), &why);
}

void change_begin(struct database *database)
{
    struct why why;
    must(db_begin(database->db, &why), &why);
}

void change_end(struct database *database)
{
    struct why why;
    must(db_commit(database->db, &why), &why);
}

struct user_id house_user(struct database *database, const char *name)
{
    struct why why;
    struct user_id id = {0};
    struct user_draft draft = {.username = str_of(name),
                               .username_key = str_of(name),
                               .nickname = str_of(name),
                               .created_us = HOUSE_NOW_US};
    change_begin(database);
    must(users_add(database->db, &draft, &id, &why), &why);
    change_end(database);
    assert_true(id.value > 0);
    return id;
}

struct post_id house_post(struct database *database, struct user_id author, const char *content)
{
    struct why why;
    struct post_id id = {0};
    change_begin(database);
    must(posts_add(database->db, author, str_of(content), (struct str){0}, HOUSE_NOW_US, &id, &why),
         &why);
    change_end(database);
    assert_true(id.value > 0);
    return id;
}

void seen_add(struct seen *seen, struct str word)
{
    assert_true(seen->len + word.len + 2 < sizeof(seen->text));
    if (seen->len > 0) seen->text[seen->len++] = ' ';
    memcpy(seen->text + seen->len, word.at, word.len);
    seen->len += word.len;
    seen->text[seen->len] = '\0';
}

void assert_seen(struct seen *seen, const char *expected)
{
    assert_string_equal(seen->text, expected);
    *seen = (struct seen){0};
}

void see_post(void *ctx, const struct post *post)
{
    seen_add(ctx, post->content);
}
