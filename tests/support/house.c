/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "house.h"

#include "store/migrate.h"

void house_open(struct database *database)
{
    struct why why;
    must(migrate_run(database->db, embedded_files, &why), &why);
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
