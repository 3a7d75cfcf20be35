/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Accounts, sessions, comments and the small tables, on both engines. */
#include "house.h"
#include "store/audit.h"
#include "store/comments.h"
#include "store/files.h"
#include "store/records.h"
#include "store/sessions.h"
#include "unit.h"

/* --- users --- */

static enum err add_user(struct database *d, const char *name, const char *key, bool is_ai,
                         struct user_id *id_out)
{
    struct why why;
    struct user_draft draft = {.username = str_of(name),
                               .username_key = str_of(key),
                               .nickname = str_of(name),
                               .is_ai = is_ai,
                               .role = is_ai ? ROLE_RESIDENT : ROLE_MEMBER,
                               .created_us = HOUSE_NOW_US};
    change_begin(d);
    enum err err = users_add(d->db, &draft, id_out, &why);
    if (err) {
        db_rollback(d->db);
    } else {
        change_end(d);
    }
    return err;
}

static void see_user(void *ctx, const struct user *user)
{
    seen_add(ctx, user->brief.username);
}

static void one_key_belongs_to_one_account(struct database *d)
{
    house_open(d);
    struct user_id id;
    assert_int_equal(add_user(d, "Mei", "mei", false, &id), OK);
    assert_int_equal(add_user(d, "MEI", "mei", false, &id), ERR_CONFLICT);
    /* Accents, cases of the key itself and blanks do not make keys the same. */
    assert_int_equal(add_user(d, "Méi", "méi", false, &id), OK);
    assert_int_equal(add_user(d, "Mei!", "Mei", false, &id), OK);
    assert_int_equal(add_user(d, "Mei ", "mei ", false, &id), OK);
    uint64_t count = 0;
    struct why why;
    must(counter_load(d->db, "users", &count, &why), &why);
    assert_int_equal(count, 4);
}

/* Imported names may grow when folded: one character becomes up to eleven. */
static void the_longest_key_fits(struct database *d)
{
    house_open(d);
    struct str name = arena_printf(&d->arena, "%s", "");
    struct str key = name;
    for (int i = 0; i < 50; i++) {
        name = arena_printf(&d->arena, "%.*s%s", STR_ARGS(name), "\xF0\xA0\x80\x80");
        key = arena_printf(&d->arena, "%.*s%s", STR_ARGS(key),
                           "\xD8\xB5\xD9\x84\xD9\x89 \xD8\xA7\xD9\x84\xD9\x84\xD9\x87 ");
    }
    struct user_id id;
    struct user user;
    struct str hash;
    struct why why;
    assert_int_equal(add_user(d, name.at, key.at, false, &id), OK);
    assert_int_equal(add_user(d, "another", key.at, false, &id), ERR_CONFLICT);
    must(users_load_login(d->db, &d->arena, key, &user, &hash, &why), &why);
    assert_str_equal(user.brief.username, name.at);
    assert_null(hash.at);
}

static void an_account_comes_back_as_it_was_stored(struct database *d)
{
    house_open(d);
    struct why why;
    struct user_id id;
    struct user_draft draft = {.username = STR("小明"),
                               .username_key = STR("小明"),
                               .password_hash = STR("$argon2id$x"),
                               .nickname = STR("明 😀"),
                               .avatar_path = STR("/files/avatars/a.webp"),
                               .bio = STR(""),
                               .role = ROLE_ADMIN,
                               .created_us = INT64_C(1763700000123456)};
    change_begin(d);
    must(users_add(d->db, &draft, &id, &why), &why);
    change_end(d);
    struct user user;
    must(users_load(d->db, &d->arena, id, &user, &why), &why);
    assert_str_equal(user.brief.username, "小明");
    assert_str_equal(user.brief.nickname, "明 😀");
    assert_str_equal(user.brief.avatar_path, "/files/avatars/a.webp");
    assert_non_null(user.bio.at); /* empty is not the same as none */
    assert_int_equal(user.bio.len, 0);
    assert_int_equal(user.role, ROLE_ADMIN);
    assert_false(user.banned || user.brief.is_ai);
    assert_int_equal(user.created_us, INT64_C(1763700000123456));
    struct str hash;
    must(users_load_password(d->db, &d->arena, id, &hash, &why), &why);
    assert_str_equal(hash, "$argon2id$x");
    assert_int_equal(users_load(d->db, &d->arena, (struct user_id){99}, &user, &why),
                     ERR_NOT_FOUND);
    assert_int_equal(users_load_login(d->db, &d->arena, STR("nobody"), &user, &hash, &why),
                     ERR_NOT_FOUND);
}

static void members_are_listed_by_position_and_by_id(struct database *d)
{
    house_open(d);
    struct user_id ids[6];
    const char *const names[] = {"a", "b", "R", "c", "S", "d"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        bool is_ai = names[i][0] < 'a';
        assert_int_equal(add_user(d, names[i], names[i], is_ai, &ids[i]), OK);
    }
    const struct {
        struct users_query query;
        const char *expected;
    } cases[] = {
        {{.limit = 10}, "a b R c S d"},
        {{.limit = 2, .skip = 1}, "b R"},
        {{.limit = 10, .skip = 6}, ""},
        {{.limit = 0}, ""},
        {{.which = USERS_PEOPLE, .limit = 10}, "a b c d"},
        {{.which = USERS_PEOPLE, .limit = 2, .skip = 3}, "d"},
        {{.which = USERS_RESIDENTS, .limit = 10}, "R S"},
        {{.which = USERS_ALL, .limit = 2, .after = ids[2].value}, "c S"},
        {{.which = USERS_PEOPLE, .limit = 10, .after = ids[1].value}, "c d"},
        {{.which = USERS_RESIDENTS, .limit = 1, .after = ids[2].value}, "S"},
    };
    struct seen seen = {0};
    struct why why;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        must(users_list(d->db, &cases[i].query, see_user, &seen, &why), &why);
        assert_seen(&seen, cases[i].expected);
    }
    uint64_t people = 0, residents = 0;
    must(counter_load(d->db, "users", &people, &why), &why);
    must(counter_load(d->db, "residents", &residents, &why), &why);
    assert_int_equal(people, 4);
    assert_int_equal(residents, 2);
}

static void changes_of_an_account_take_effect_or_say_that_it_is_missing(struct database *d)
{
    house_open(d);
    struct why why;
    struct user_id id = house_user(d, "mei"), nobody = {4711};
    change_begin(d);
    must(users_set_profile(d->db, id, STR("梅"), (struct str){0}, STR("hello"), 7, &why), &why);
    must(users_set_role(d->db, id, ROLE_MODERATOR, 7, &why), &why);
    must(users_set_banned(d->db, id, true, 8, &why), &why);
    must(users_void_tokens(d->db, id, 9, &why), &why);
    must(users_set_password(d->db, id, STR("new"), 9, &why), &why);
    /* What stands there already is no missing account. */
    must(users_set_role(d->db, id, ROLE_MODERATOR, 7, &why), &why);
    must(users_void_tokens(d->db, id, 9, &why), &why);
    assert_int_equal(users_void_tokens(d->db, nobody, 9, &why), ERR_NOT_FOUND);
    assert_int_equal(users_set_banned(d->db, nobody, false, 9, &why), ERR_NOT_FOUND);
    change_end(d);
    struct standing standing;
    must(users_load_standing(d->db, id, &standing, &why), &why);
    assert_true(standing.banned);
    assert_int_equal(standing.role, ROLE_MODERATOR);
    assert_int_equal(standing.tokens_from_us, 9);
    struct user user;
    must(users_load(d->db, &d->arena, id, &user, &why), &why);
    assert_str_equal(user.brief.nickname, "梅");
    assert_str_equal(user.bio, "hello");
    assert_null(user.brief.avatar_path.at);
    change_begin(d);
    must(users_set_banned(d->db, id, false, 10, &why), &why);
    change_end(d);
    must(users_load_standing(d->db, id, &standing, &why), &why);
    assert_false(standing.banned);
}

/* --- sessions --- */

static const struct str hash_a = {"\x00\x01\xFF"
                                  "a-hash-of-thirty-two-bytes....",
                                  32};
static const struct str hash_b = {"\x00\x01\xFF"
                                  "b-hash-of-thirty-two-bytes....",
                                  32};
static const struct str hash_c = {"\x00\x01\xFF"
                                  "c-hash-of-thirty-two-bytes....",
                                  32};

static const struct str family_a = {"\x00\x02\xFF"
                                    "a-hash-of-thirty-two-bytes....",
                                    32};
static const struct str family_b = {"\x00\x02\xFF"
                                    "b-hash-of-thirty-two-bytes....",
                                    32};
static const struct str family_c = {"\x00\x02\xFF"
                                    "c-hash-of-thirty-two-bytes....",
                                    32};

/* Its refresh token is hash_a, unless it has no family. */
static struct session_id add_session(struct database *d, struct user_id user, struct str family,
                                     const char *client)
{
    struct why why;
    struct session_id id = {0};
    struct session_draft draft = {.user = user,
                                  .family_hash = family,
                                  .refresh_hash = family.at ? hash_a : (struct str){0},
                                  .client = str_of(client),
                                  .address = STR("192.0.2.1"),
                                  .created_us = 100,
                                  .expires_us = 1000};
    change_begin(d);
    must(sessions_add(d->db, &draft, &id, &why), &why);
    change_end(d);
    return id;
}

static void see_session(void *ctx, const struct session *session)
{
    seen_add(ctx, session->client);
}

static void assert_refresh(struct database *d, struct str hash, struct session_id id,
                           enum refresh_match match, int64_t used_us, int64_t expires_us)
{
    struct why why;
    struct session found;
    enum refresh_match got;
    must(sessions_find_refresh(d->db, family_a, hash, &found, &got, &why), &why);
    assert_int_equal(got, match);
    assert_int_equal(found.id.value, id.value);
    assert_int_equal(found.used_us, used_us);
    assert_int_equal(found.expires_us, expires_us);
    assert_false(found.revoked);
}

static void a_refresh_token_finds_its_session_however_old(struct database *d)
{
    house_open(d);
    struct why why;
    struct user_id mei = house_user(d, "mei");
    struct session_id id = add_session(d, mei, family_a, "phone");
    add_session(d, mei, family_b, "desk");
    assert_refresh(d, hash_a, id, REFRESH_CURRENT, 100, 1000);
    assert_refresh(d, hash_b, id, REFRESH_OTHER, 100, 1000); /* there is no one before it yet */
    change_begin(d);
    must(sessions_rotate(d->db, id, hash_b, 200, 2000, &why), &why);
    change_end(d);
    assert_refresh(d, hash_a, id, REFRESH_PREVIOUS, 200, 2000);
    assert_refresh(d, hash_b, id, REFRESH_CURRENT, 200, 2000);
    change_begin(d);
    must(sessions_rotate(d->db, id, hash_c, 300, 3000, &why), &why);
    change_end(d);
    assert_refresh(d, hash_a, id, REFRESH_OTHER, 300, 3000);
    assert_refresh(d, hash_b, id, REFRESH_PREVIOUS, 300, 3000);
    assert_refresh(d, hash_c, id, REFRESH_CURRENT, 300, 3000);
    struct session found;
    enum refresh_match match;
    assert_int_equal(sessions_find_refresh(d->db, hash_c, hash_c, &found, &match, &why),
                     ERR_NOT_FOUND);
    change_begin(d);
    must(sessions_revoke(d->db, id, 400, &why), &why);
    change_end(d);
    must(sessions_find_refresh(d->db, family_a, hash_c, &found, &match, &why), &why);
    assert_true(found.revoked);
    assert_int_equal(found.user.value, mei.value);
}

static void two_sessions_never_share_a_family(struct database *d)
{
    house_open(d);
    struct why why;
    struct user_id mei = house_user(d, "mei");
    add_session(d, mei, family_a, "phone");
    add_session(d, mei, (struct str){0}, "old app"); /* any number of those without one */
    add_session(d, mei, (struct str){0}, "old app");
    struct session_draft draft = {
        .user = mei, .family_hash = family_a, .refresh_hash = hash_b, .expires_us = 1000};
    struct session_id id;
    change_begin(d);
    assert_int_equal(sessions_add(d->db, &draft, &id, &why), ERR_CONFLICT);
    draft = (struct session_draft){.user = {4711}, .expires_us = 1000};
    assert_int_equal(sessions_add(d->db, &draft, &id, &why), ERR_INVALID);
    db_rollback(d->db);
}

static void revoked_and_expired_sessions_are_not_listed(struct database *d)
{
    house_open(d);
    struct why why;
    struct user_id mei = house_user(d, "mei"), bo = house_user(d, "bo");
    struct session_id phone = add_session(d, mei, family_a, "phone");
    struct session_id desk = add_session(d, mei, family_b, "desk");
    add_session(d, mei, (struct str){0}, "watch");
    struct session_id other = add_session(d, bo, family_c, "bo's");
    struct seen seen = {0};
    must(sessions_list(d->db, mei, 500, see_session, &seen, &why), &why);
    assert_seen(&seen, "watch desk phone");
    must(sessions_list(d->db, mei, 1000, see_session, &seen, &why), &why);
    assert_seen(&seen, "");
    change_begin(d);
    must(sessions_revoke(d->db, phone, 600, &why), &why);
    change_end(d);
    must(sessions_list(d->db, mei, 500, see_session, &seen, &why), &why);
    assert_seen(&seen, "watch desk");
    change_begin(d);
    must(sessions_revoke_all(d->db, mei, desk, 601, &why), &why);
    change_end(d);
    must(sessions_list(d->db, mei, 500, see_session, &seen, &why), &why);
    assert_seen(&seen, "desk");
    struct session state;
    must(sessions_load_state(d->db, phone, &state, &why), &why);
    assert_true(state.revoked);
    change_begin(d);
    must(sessions_revoke_all(d->db, mei, (struct session_id){0}, 602, &why), &why);
    must(sessions_purge(d->db, 1000, &why), &why); /* none has expired before */
    change_end(d);
    must(sessions_load_state(d->db, desk, &state, &why), &why);
    assert_true(state.revoked);
    must(sessions_load_state(d->db, other, &state, &why), &why);
    assert_false(state.revoked);
    change_begin(d);
    must(sessions_purge(d->db, 1001, &why), &why);
    change_end(d);
    assert_int_equal(sessions_load_state(d->db, desk, &state, &why), ERR_NOT_FOUND);
}

/* --- comments --- */

static void see_comment(void *ctx, const struct comment *comment)
{
    seen_add(ctx, comment->content);
}

static struct comment_id add_comment(struct database *d, struct post_id post, struct user_id author,
                                     const char *content)
{
    struct why why;
    struct comment_draft draft = {.post = post, .author = author, .content = str_of(content)};
    struct comment_id id = {0};
    change_begin(d);
    must(comments_add(d->db, &draft, HOUSE_NOW_US, &id, &why), &why);
    must(posts_count_comment(d->db, post, 1, &why), &why);
    change_end(d);
    return id;
}

static void comments_are_listed_by_position_and_by_id(struct database *d)
{
    house_open(d);
    struct why why;
    struct user_id mei = house_user(d, "mei");
    struct post_id post = house_post(d, mei, "one"), other = house_post(d, mei, "two");
    struct comment_id ids[5];
    const char *const texts[] = {"a", "b", "c", "d", "e"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        ids[i] = add_comment(d, post, mei, texts[i]);
        add_comment(d, other, mei, "elsewhere");
    }
    const struct {
        struct comments_query query;
        const char *expected;
    } cases[] = {
        {{.post = post, .limit = 10}, "a b c d e"},
        {{.post = post, .limit = 2, .skip = 3}, "d e"},
        {{.post = post, .limit = 2, .after = ids[1].value}, "c d"},
        {{.post = post, .limit = 2, .before = ids[3].value}, "c b"},
        {{.post = {4711}, .limit = 2}, ""},
    };
    struct seen seen = {0};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        must(comments_list(d->db, &cases[i].query, see_comment, &seen, &why), &why);
        assert_seen(&seen, cases[i].expected);
    }
    struct comment comment;
    must(comments_load(d->db, &d->arena, ids[2], &comment, &why), &why);
    assert_str_equal(comment.content, "c");
    assert_str_equal(comment.author.username, "mei");
    assert_int_equal(comment.post.value, post.value);
}

static void a_comment_is_removed_once(struct database *d)
{
    house_open(d);
    struct why why;
    struct user_id mei = house_user(d, "mei");
    struct post_id post = house_post(d, mei, "one");
    struct comment_id id = add_comment(d, post, mei, "first");
    struct comment comment;
    change_begin(d);
    must(comments_remove(d->db, id, &why), &why);
    assert_int_equal(comments_remove(d->db, id, &why), ERR_NOT_FOUND);
    assert_int_equal(comments_load(d->db, &d->arena, id, &comment, &why), ERR_NOT_FOUND);
    struct comment_draft lost = {.post = {4711}, .author = mei, .content = STR("x")};
    assert_int_equal(comments_add(d->db, &lost, 1, &id, &why), ERR_INVALID);
    db_rollback(d->db);
}

/* --- records --- */

static void a_file_known_already_is_no_failure(struct database *d)
{
    house_open(d);
    struct why why;
    struct file_record file = {.name = STR("abc.webp"),
                               .kind = STR("image"),
                               .owner = house_user(d, "mei"),
                               .bytes = 3000000000u,
                               .width = 320,
                               .height = 200,
                               .created_us = HOUSE_NOW_US};
    change_begin(d);
    must(files_add(d->db, &file, &why), &why);
    must(files_add(d->db, &file, &why), &why);
    file.name = STR("ABC.webp"); /* another name */
    must(files_add(d->db, &file, &why), &why);
    file.name = STR("def.webp");
    file.owner.value = 0; /* nobody's */
    must(files_add(d->db, &file, &why), &why);
    /* Being known must not hide what is wrong otherwise. */
    file.name = STR("ghi.webp");
    file.owner.value = 4711;
    assert_int_equal(files_add(d->db, &file, &why), ERR_INVALID);
    file.owner.value = 0;
    file.kind = STR("virus");
    assert_int_equal(files_add(d->db, &file, &why), ERR_INVALID);
    change_end(d);
    assert_int_equal(must_number(d->db, "SELECT COUNT(*) FROM files"), 3);
    assert_int_equal(must_number(d->db, "SELECT bytes FROM files WHERE name = 'abc.webp'"),
                     3000000000u);
}

static void an_answer_is_kept_under_its_key(struct database *d)
{
    house_open(d);
    struct why why;
    struct user_id mei = house_user(d, "mei"), bo = house_user(d, "bo");
    struct idempotent answer = {.route = STR("POST /posts"),
                                .request = STR("\x00\xFF hash"),
                                .status = 201,
                                .body = STR("{\"text\":\"你好 😀 \\\\ '\"}"),
                                .at_us = 100};
    struct idempotent found;
    change_begin(d);
    must(idempotent_save(d->db, mei, STR("k"), &answer, 0, &why), &why);
    change_end(d);
    must(idempotent_load(d->db, &d->arena, mei, STR("k"), &found, &why), &why);
    assert_str_equal(found.route, "POST /posts");
    assert_true(str_eq(found.request, answer.request));
    assert_true(str_eq(found.body, answer.body));
    assert_int_equal(found.status, 201);
    /* Keys are exact, and each member has their own. */
    assert_int_equal(idempotent_load(d->db, &d->arena, bo, STR("k"), &found, &why), ERR_NOT_FOUND);
    assert_int_equal(idempotent_load(d->db, &d->arena, mei, STR("K"), &found, &why), ERR_NOT_FOUND);
    assert_int_equal(idempotent_load(d->db, &d->arena, mei, STR("k "), &found, &why),
                     ERR_NOT_FOUND);
    answer.status = 409;
    answer.at_us = 200;
    change_begin(d);
    /* One that still counts stays; one that has expired makes room. */
    assert_int_equal(idempotent_save(d->db, mei, STR("k"), &answer, 100, &why), ERR_BUSY);
    db_rollback(d->db);
    change_begin(d);
    must(idempotent_save(d->db, mei, STR("k"), &answer, 101, &why), &why);
    must(idempotent_purge(d->db, 200, &why), &why);
    change_end(d);
    must(idempotent_load(d->db, &d->arena, mei, STR("k"), &found, &why), &why);
    assert_int_equal(found.status, 409);
    change_begin(d);
    must(idempotent_purge(d->db, 201, &why), &why);
    change_end(d);
    assert_int_equal(idempotent_load(d->db, &d->arena, mei, STR("k"), &found, &why), ERR_NOT_FOUND);
}

static void see_place(void *ctx, const struct location *place)
{
    assert_true(place->x == 10.25 && place->y == -3.5);
    seen_add(ctx, place->name);
}

static void see_entry(void *ctx, const struct audit_row *row)
{
    seen_add(ctx, row->action);
    if (str_eq(row->action, STR("role.changed"))) {
        assert_int_equal(row->at_us, 3);
        assert_true(str_eq(row->actor.username, STR("mei")));
        assert_true(str_eq(row->kind, STR("user")));
        assert_true(str_eq(row->user.username, STR("bo")));
        assert_int_equal(row->detail.len, AUDIT_DETAIL_BYTES - 1); /* no character is cut */
        assert_true(str_eq(row->address, STR("192.0.2.1")));
    } else {
        assert_true(row->kind.at == NULL && row->object == 0 && row->user.id.value == 0);
        assert_true(row->detail.at == NULL);
    }
}

static void audit_and_places_take_what_may_be_missing(struct database *d)
{
    house_open(d);
    struct why why;
    struct user_id mei = house_user(d, "mei"), bo = house_user(d, "bo");
    const struct location places[] = {
        {.name = STR("咖啡馆"),
         .type = STR("cafe"),
         .x = 10.25,
         .y = -3.5,
         .width = 5,
         .height = 5},
        {.name = STR("Park"), .x = 10.25, .y = -3.5, .width = 5, .height = 5},
    };
    change_begin(d);
    char detail[3 * 400];
    for (size_t i = 0; i < COUNT_OF(detail); i += 3) memcpy(detail + i, "胡", 3);
    const struct audit_entry entries[] = {
        {.at_us = 1, .actor = mei, .action = AUDIT_LOGIN, .address = STR("192.0.2.1")},
        {.at_us = 2, .action = AUDIT_LOGIN_FAILED},
        {.at_us = 3,
         .actor = mei,
         .action = AUDIT_ROLE_CHANGED,
         .kind = "user",
         .object = bo.value,
         .detail = {detail, sizeof(detail)},
         .address = STR("192.0.2.1")},
        {.at_us = 4, .actor = bo, .action = AUDIT_REPORT_RESOLVED},
    };
    for (size_t i = 0; i < COUNT_OF(entries); i++) must(audit_add(d->db, &entries[i], &why), &why);
    for (size_t i = 0; i < COUNT_OF(places); i++)
        must(locations_add(d->db, &places[i], &why), &why);
    change_end(d);
    assert_int_equal(must_number(d->db, "SELECT COUNT(*) FROM audit WHERE actor_id IS NULL"), 1);
    struct seen seen = {0};
    must(locations_list(d->db, see_place, &seen, &why), &why);
    assert_seen(&seen, "咖啡馆 Park");
    struct audit_query query = {.limit = 9};
    must(audit_list(d->db, &query, see_entry, &seen, &why), &why);
    assert_seen(&seen, "report.resolved role.changed");
    query = (struct audit_query){.before = 4, .limit = 1};
    must(audit_list(d->db, &query, see_entry, &seen, &why), &why);
    assert_seen(&seen, "role.changed");
    query = (struct audit_query){.accounts = true, .limit = 9};
    must(audit_list(d->db, &query, see_entry, &seen, &why), &why);
    assert_seen(&seen, "login.failed login");
    query = (struct audit_query){.action = STR("login"), .limit = 9};
    must(audit_list(d->db, &query, see_entry, &seen, &why), &why);
    assert_seen(&seen, "login");
    /* The account goes, what it did stays on record. */
    must_run(d->db, "DELETE FROM users");
    assert_int_equal(must_number(d->db, "SELECT COUNT(*) FROM audit WHERE actor_id IS NULL"), 4);
}

int main(void)
{
    static const struct database_test tests[] = {
        DATABASE_TEST(one_key_belongs_to_one_account),
        DATABASE_TEST(the_longest_key_fits),
        DATABASE_TEST(an_account_comes_back_as_it_was_stored),
        DATABASE_TEST(members_are_listed_by_position_and_by_id),
        DATABASE_TEST(changes_of_an_account_take_effect_or_say_that_it_is_missing),
        DATABASE_TEST(a_refresh_token_finds_its_session_however_old),
        DATABASE_TEST(two_sessions_never_share_a_family),
        DATABASE_TEST(revoked_and_expired_sessions_are_not_listed),
        DATABASE_TEST(comments_are_listed_by_position_and_by_id),
        DATABASE_TEST(a_comment_is_removed_once),
        DATABASE_TEST(a_file_known_already_is_no_failure),
        DATABASE_TEST(an_answer_is_kept_under_its_key),
        DATABASE_TEST(audit_and_places_take_what_may_be_missing),
    };
    return database_run_tests("aggregates", tests, COUNT_OF(tests));
}
