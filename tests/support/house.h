/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * support/house.h: a database with the house's own schema and some members in
 * it, and a way to write down what a list gave.
 *
 *     static void newest_posts_come_first(struct database *d)
 *     {
 *         house_open(d);
 *         struct user_id mei = house_user(d, "mei");
 *         change_begin(d);
 *         …
 *         change_end(d);
 */
#pragma once

#include "database.h"
#include "store/posts.h"

enum { HOUSE_NOW_US = 1000000 };

/* Migrate the test's database. */
void house_open(struct database *database);
/* As it was before the migration whose file's name ends so: "_community.sql". */
void house_open_before(struct database *database, const char *ending);
/* A new member of that name; the name is the key, too. In a transaction of its own. */
struct user_id house_user(struct database *database, const char *name);
struct post_id house_post(struct database *database, struct user_id author, const char *content);

/* A transaction on database->db. */
void change_begin(struct database *database);
void change_end(struct database *database);

/* What a list gave, as words: "c b a". Zeroed is empty. */
struct seen {
    char text[2048];
    size_t len;
};
void seen_add(struct seen *seen, struct str word);
/* Compares, and forgets for the next list. */
void assert_seen(struct seen *seen, const char *expected);
/* A post_each that writes down contents; `ctx` is a struct seen. */
void see_post(void *ctx, const struct post *post);
