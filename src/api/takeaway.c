/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/takeaway.c: GET /users/me/export: everything of a member's own, as one JSON file.
 *
 * A slow worker reads page by page and writes into a file without a name,
 * which then goes out like a picture: with its length, at the reader's pace,
 * and neither the loop nor the writer waits for it; in memory there is a piece
 * of it at a time. Not in one snapshot: a reader that stands on one for seconds
 * lets the write-ahead log grow, and what comes or goes meanwhile belongs to
 * the copy as well as not. Not a ZIP: there is one text in it, and what travels
 * compressed is the proxy's affair.
 */
#include "api/chat_shapes.h"
#include "api/handlers.h"
#include "api/spool.h"
#include "base/clock.h"
#include "base/version.h"
#include "community/shapes.h"
#include "store/follows.h"
#include "store/groups.h"
#include "store/notifications.h"
#include "store/posts.h"
#include "store/takeaway.h"
#include "store/wiki_books.h"
#include "store/wikis.h"

enum { PAGE_ROWS = 500 };
enum { USAGE_ROWS_MAX = 1000 * 1000 };
static const int64_t DAY_US = INT64_C(86400) * 1000000;

struct copy {
    struct call *call;
    struct user_id me;
    struct arena arena; /* of one page */
    struct spool spool;
    struct json_out out;  /* into it */
    uint64_t last, count; /* of the page that is read */
};

/* What a page told its rows could not be written. */
static enum err check_copy(struct copy *copy, enum err err, struct why *why)
{
    arena_reset(&copy->arena);
    return spool_check(&copy->spool, err, why);
}

/* --- flat lists --- */

/* The page behind copy->last, which it moves on to its own last row; 0: that was the last page. */
typedef enum err copy_page(struct copy *copy, struct why *why);

static enum err copy_list(struct copy *copy, const char *key, copy_page *page, struct why *why)
{
    enum err err;
    json_open(&copy->out, key, '[');
    copy->last = 0;
    do {
        copy->count = 0;
        err = check_copy(copy, page(copy, why), why);
    } while (!err && copy->last != 0);
    json_close(&copy->out, ']');
    return err;
}

/* For lists that go back from the newest: a page that is not full was the last. */
static void note_row(struct copy *copy, uint64_t id)
{
    copy->last = id;
    copy->count++;
    spool_flush_some(&copy->spool);
}
static enum err end_page(struct copy *copy, enum err err)
{
    if (copy->count < PAGE_ROWS) copy->last = 0;
    return err;
}

static void put_post(void *ctx, const struct post *post)
{
    struct copy *copy = ctx;
    shape_post(&copy->out, NULL, post);
    note_row(copy, post->id.value);
}
static enum err page_posts(struct copy *copy, struct why *why)
{
    struct posts_query query = {.viewer = copy->me,
                                .author = copy->me,
                                .before = copy->last ? copy->last : INT64_MAX,
                                .limit = PAGE_ROWS};
    return end_page(copy, posts_list(copy->call->db, &query, put_post, copy, why));
}

static void put_comment(void *ctx, const struct taken *taken)
{
    struct copy *copy = ctx;
    json_open(&copy->out, NULL, '{');
    json_put_u64(&copy->out, "id", taken->id);
    json_put_u64(&copy->out, "post_id", taken->place);
    json_put_str(&copy->out, "content", taken->content);
    json_put_time(&copy->out, "created_at", taken->created_us);
    json_close(&copy->out, '}');
    spool_flush_some(&copy->spool);
}
static enum err page_comments(struct copy *copy, struct why *why)
{
    return takeaway_page(copy->call->db, copy->me, TAKE_COMMENTS, copy->last, put_comment, copy,
                         &copy->last, why);
}

static void put_like(void *ctx, const struct taken *taken)
{
    struct copy *copy = ctx;
    json_open(&copy->out, NULL, '{');
    json_put_u64(&copy->out, "post_id", taken->id);
    json_put_time(&copy->out, "liked_at", taken->created_us);
    json_close(&copy->out, '}');
    spool_flush_some(&copy->spool);
}
static enum err page_likes(struct copy *copy, struct why *why)
{
    return takeaway_page(copy->call->db, copy->me, TAKE_LIKES, copy->last, put_like, copy,
                         &copy->last, why);
}

static void put_follow(void *ctx, const struct follow *follow)
{
    struct copy *copy = ctx;
    json_open(&copy->out, NULL, '{');
    shape_user_brief(&copy->out, "user", &follow->user);
    json_put_time(&copy->out, "followed_at", follow->created_us);
    json_close(&copy->out, '}');
    note_row(copy, follow->id);
}
static enum err page_follows(struct copy *copy, bool followers, struct why *why)
{
    struct follows_query query = {
        .user = copy->me, .followers = followers, .before = copy->last, .limit = PAGE_ROWS};
    return end_page(copy, follows_list(copy->call->db, &query, put_follow, copy, why));
}
static enum err page_followers(struct copy *copy, struct why *why)
{
    return page_follows(copy, true, why);
}
static enum err page_following(struct copy *copy, struct why *why)
{
    return page_follows(copy, false, why);
}

static void put_notification(void *ctx, const struct notification *notification)
{
    struct copy *copy = ctx;
    shape_notification(&copy->out, NULL, notification);
    note_row(copy, notification->id.value);
}
static enum err page_notifications(struct copy *copy, struct why *why)
{
    return end_page(copy, notifications_list(copy->call->db, copy->me, copy->last, PAGE_ROWS,
                                             put_notification, copy, why));
}

static void put_report(void *ctx, const struct taken_report *report)
{
    struct copy *copy = ctx;
    json_open(&copy->out, NULL, '{');
    json_put_u64(&copy->out, "id", report->id);
    json_put_time(&copy->out, "created_at", report->created_us);
    json_put_str(&copy->out, "kind", report->kind);
    json_put_u64(&copy->out, "object_id", report->object);
    json_put_id(&copy->out, "post_id", report->post);
    json_put_str(&copy->out, "reason", report->reason);
    json_put_opt(&copy->out, "note", report->note);
    if (report->resolved_us)
        json_put_time(&copy->out, "resolved_at", report->resolved_us);
    else
        json_put_null(&copy->out, "resolved_at");
    json_close(&copy->out, '}');
    spool_flush_some(&copy->spool);
}
static enum err page_reports(struct copy *copy, struct why *why)
{
    return takeaway_reports(copy->call->db, copy->me, copy->last, put_report, copy, &copy->last,
                            why);
}

/* What is in them is the repositories'; what was written about them has a file of its own. */
static void put_wiki(void *ctx, const struct wiki *wiki)
{
    struct copy *copy = ctx;
    json_open(&copy->out, NULL, '{');
    json_put_u64(&copy->out, "id", wiki->id);
    json_put_str(&copy->out, "name", wiki->name);
    json_put_str(&copy->out, "url", wiki->url);
    json_put_str(&copy->out, "branch", wiki->branch);
    json_put_str(&copy->out, "include", wiki->include);
    json_put_str(&copy->out, "exclude", wiki->exclude);
    json_put_str(&copy->out, "access", str_of(wiki_access_name(wiki->access)));
    json_put_time(&copy->out, "created_at", wiki->created_us);
    json_close(&copy->out, '}');
    note_row(copy, wiki->id);
}
static enum err page_wikis(struct copy *copy, struct why *why)
{
    return end_page(
        copy, wikis_of_owner(copy->call->db, copy->me, copy->last, PAGE_ROWS, put_wiki, copy, why));
}

static void put_book(void *ctx, const struct wiki_book *book)
{
    struct copy *copy = ctx;
    json_open(&copy->out, NULL, '{');
    json_put_u64(&copy->out, "id", book->id);
    json_put_id(&copy->out, "wiki_id", book->wiki);
    json_put_str(&copy->out, "title", book->title);
    json_put_str(&copy->out, "language", book->key.language);
    json_put_str(&copy->out, "model", book->model);
    json_put_str(&copy->out, "state", str_of(wiki_book_state_word(book->state)));
    json_put_time(&copy->out, "created_at", book->created_us);
    json_close(&copy->out, '}');
    note_row(copy, book->id);
}
static enum err page_books(struct copy *copy, struct why *why)
{
    return end_page(copy, wiki_books_of_author(copy->call->db, copy->me, copy->last, PAGE_ROWS,
                                               put_book, copy, why));
}

static void put_session(void *ctx, const struct session *session)
{
    struct copy *copy = ctx;
    sessions_put(&copy->out, session, copy->call->who.session);
}
static enum err page_sessions(struct copy *copy, struct why *why)
{
    return sessions_list(copy->call->db, copy->me, clock_wall_us(), put_session, copy, why);
}

static void put_key(void *ctx, const struct api_key *key)
{
    struct copy *copy = ctx;
    keys_put(&copy->out, key, (struct str){0});
}
static enum err page_keys(struct copy *copy, struct why *why)
{
    return keys_list(copy->call->db, copy->me, put_key, copy, why);
}

static void put_usage(void *ctx, const struct usage_row *row)
{
    struct copy *copy = ctx;
    usage_put(&copy->out, row);
    spool_flush_some(&copy->spool);
}
static enum err page_usage(struct copy *copy, struct why *why)
{
    struct usage_query query = {
        .user = copy->me, .to_day = clock_wall_us() / DAY_US + 1, .limit = USAGE_ROWS_MAX};
    return usage_list(copy->call->db, &query, put_usage, copy, why);
}

static void put_file(void *ctx, const struct taken_file *file)
{
    struct copy *copy = ctx;
    bool avatar = str_eq(file->kind, STR("avatar"));
    json_open(&copy->out, NULL, '{');
    json_put_str(&copy->out, "url",
                 arena_printf(&copy->arena, "/files/%s/%.*s", avatar ? "avatars" : "images",
                              STR_ARGS(file->name)));
    json_put_u64(&copy->out, "size", file->bytes);
    json_put_i64(&copy->out, "width", file->width);
    json_put_i64(&copy->out, "height", file->height);
    json_put_time(&copy->out, "uploaded_at", file->created_us);
    json_close(&copy->out, '}');
    spool_flush_some(&copy->spool);
}
static enum err page_files(struct copy *copy, struct why *why)
{
    uint64_t count;
    enum err err =
        takeaway_files(copy->call->db, copy->me, copy->last, put_file, copy, &count, why);
    copy->last = count > 0 ? copy->last + count : 0;
    return err;
}

/* --- messages --- */

static void put_message(void *ctx, const struct message *message)
{
    struct copy *copy = ctx;
    shape_message(&copy->out, NULL, message);
    note_row(copy, message->id.value);
}

/* Of a conversation or a group, all of them, the newest first. */
static enum err copy_messages(struct copy *copy, struct messages_query query, struct why *why)
{
    enum err err = OK;
    query.before = INT64_MAX;
    query.limit = PAGE_ROWS;
    json_open(&copy->out, "messages", '[');
    do {
        copy->count = 0;
        err = messages_list(copy->call->db, &query, put_message, copy, why);
        query.before = copy->last;
    } while (!err && !copy->spool.err && copy->count == PAGE_ROWS);
    json_close(&copy->out, ']');
    return err;
}

static enum err copy_conversations(struct copy *copy, struct why *why)
{
    struct user_brief partners[TAKEAWAY_PARTNERS_MAX];
    size_t count = 0;
    uint64_t after = 0;
    enum err err;
    json_open(&copy->out, "conversations", '[');
    do {
        err =
            takeaway_partners(copy->call->db, &copy->arena, copy->me, after, partners, &count, why);
        for (size_t i = 0; i < count && !err; i++) {
            after = partners[i].id.value;
            json_open(&copy->out, NULL, '{');
            shape_user_brief(&copy->out, "user", &partners[i]);
            err = copy_messages(
                copy, (struct messages_query){.reader = copy->me, .partner = partners[i].id}, why);
            json_close(&copy->out, '}');
        }
        err = check_copy(copy, err, why);
    } while (!err && count == TAKEAWAY_PARTNERS_MAX);
    json_close(&copy->out, ']');
    return err;
}

struct group_ids {
    uint64_t ids[100];
    size_t count;
};

static void note_group(void *ctx, const struct group *group)
{
    struct group_ids *groups = ctx;
    groups->ids[groups->count++] = group->id.value;
}

static void put_member(void *ctx, const struct group_member *member)
{
    struct copy *copy = ctx;
    shape_user_brief(&copy->out, NULL, &member->user);
}

static enum err copy_group(struct copy *copy, struct group_id id, struct why *why)
{
    struct group group;
    struct db *db = copy->call->db;
    enum err err = groups_load(db, &copy->arena, id, copy->me, &group, why);
    if (err == ERR_NOT_FOUND) return OK; /* left it a moment ago */
    if (err) return err;
    json_open(&copy->out, NULL, '{');
    shape_group(&copy->out, "group", &group);
    json_open(&copy->out, "members", '[');
    err = groups_members(db, id, LIMIT_GROUP_MEMBERS, put_member, copy, why);
    json_close(&copy->out, ']');
    if (!err)
        err = copy_messages(copy, (struct messages_query){.reader = copy->me, .group = id}, why);
    json_close(&copy->out, '}');
    return err;
}

static enum err copy_groups(struct copy *copy, struct why *why)
{
    struct group_ids groups;
    uint64_t after = 0;
    enum err err;
    json_open(&copy->out, "groups", '[');
    do {
        groups.count = 0;
        err = groups_list(copy->call->db, copy->me, after, COUNT_OF(groups.ids), note_group,
                          &groups, why);
        for (size_t i = 0; i < groups.count && !err; i++) {
            after = groups.ids[i];
            err = check_copy(copy, copy_group(copy, (struct group_id){after}, why), why);
        }
    } while (!err && groups.count == COUNT_OF(groups.ids));
    json_close(&copy->out, ']');
    return err;
}

/* What was said in groups that one is in stands with the group. */
static void put_said(void *ctx, const struct taken *taken)
{
    struct copy *copy = ctx;
    if (taken->still_in) return;
    json_open(&copy->out, NULL, '{');
    json_put_u64(&copy->out, "id", taken->id);
    json_put_u64(&copy->out, "group_id", taken->place);
    json_put_str(&copy->out, "content", taken->content);
    json_put_time(&copy->out, "created_at", taken->created_us);
    json_close(&copy->out, '}');
    spool_flush_some(&copy->spool);
}
static enum err page_said(struct copy *copy, struct why *why)
{
    return takeaway_page(copy->call->db, copy->me, TAKE_SAID, copy->last, put_said, copy,
                         &copy->last, why);
}

/* --- conversations with models --- */

static void put_turn(void *ctx, const struct chat_turn *turn)
{
    struct copy *copy = ctx;
    chat_put_turn(&copy->out, NULL, turn);
    note_row(copy, turn->id);
}

static enum err copy_chat(struct copy *copy, uint64_t id, struct why *why)
{
    enum { TURNS = 50 }; /* one may have a megabyte */
    struct chat chat;
    struct db *db = copy->call->db;
    enum err err = chats_load(db, &copy->arena, copy->me, id, &chat, why);
    if (err == ERR_NOT_FOUND) return OK; /* deleted a moment ago */
    if (err) return err;
    json_open(&copy->out, NULL, '{');
    chat_put(&copy->out, "conversation", &chat);
    json_open(&copy->out, "messages", '[');
    copy->last = 0;
    do {
        copy->count = 0;
        err = chat_turns_list(db, id, copy->last, TURNS, put_turn, copy, why);
    } while (!err && !copy->spool.err && copy->count == TURNS);
    json_close(&copy->out, ']');
    json_close(&copy->out, '}');
    return err;
}

static void note_chat(void *ctx, const struct chat *chat)
{
    struct group_ids *chats = ctx;
    chats->ids[chats->count++] = chat->id;
}

static enum err copy_chats(struct copy *copy, struct why *why)
{
    struct group_ids chats;
    uint64_t before = 0;
    enum err err;
    json_open(&copy->out, "chats", '[');
    do {
        chats.count = 0;
        err = chats_list(copy->call->db, copy->me, before, COUNT_OF(chats.ids), note_chat, &chats,
                         why);
        for (size_t i = 0; i < chats.count && !err; i++) {
            before = chats.ids[i];
            err = check_copy(copy, copy_chat(copy, before, why), why);
        }
    } while (!err && chats.count == COUNT_OF(chats.ids));
    json_close(&copy->out, ']');
    return err;
}

/* --- the whole --- */

static enum err copy_profile(struct copy *copy, struct why *why)
{
    struct user user;
    struct follow_tally tally;
    struct db *db = copy->call->db;
    enum err err = users_load(db, &copy->arena, copy->me, &user, why);
    if (!err) err = follows_load_tally(db, copy->me, copy->me, &tally, why);
    if (!err) shape_user(&copy->out, "profile", &user, &tally, NULL);
    return err;
}

static enum err copy_all(struct copy *copy, struct why *why)
{
    static const struct {
        const char *key;
        copy_page *page;
    } lists[] = {{"posts", page_posts},
                 {"comments", page_comments},
                 {"likes", page_likes},
                 {"following", page_following},
                 {"followers", page_followers},
                 {"said_in_former_groups", page_said},
                 {"notifications", page_notifications},
                 {"reports", page_reports},
                 {"wikis", page_wikis},
                 {"wiki_books", page_books},
                 {"sessions", page_sessions},
                 {"keys", page_keys},
                 {"usage", page_usage},
                 {"pictures", page_files}};
    json_open(&copy->out, NULL, '{');
    json_put_time(&copy->out, "exported_at", clock_wall_us());
    json_put_str(&copy->out, "hutong", str_of(version_text()));
    enum err err = check_copy(copy, copy_profile(copy, why), why);
    for (size_t i = 0; i < COUNT_OF(lists) && !err; i++) {
        err = copy_list(copy, lists[i].key, lists[i].page, why);
    }
    if (!err) err = copy_conversations(copy, why);
    if (!err) err = copy_groups(copy, why);
    if (!err) err = copy_chats(copy, why);
    json_close(&copy->out, '}');
    return check_copy(copy, err, why);
}

static void name_copy(struct call *call, struct str username)
{
    char day[CLOCK_ISO_BYTES];
    struct http_exchange *x = call->x;
    clock_iso_short(clock_wall_us(), day);
    bool plain = true; /* names may be of any script, and a header is not */
    for (size_t i = 0; i < username.len; i++) plain = plain && (username.at[i] & 0x80) == 0;
    http_add_header(x, "Cache-Control", STR("no-store"));
    http_add_header(x, "Content-Disposition",
                    arena_printf(call->arena, "attachment; filename=\"hutong-%.*s%s%.10s.json\"",
                                 STR_ARGS(plain ? username : STR("")), plain ? "-" : "", day));
}

enum err users_export_me(struct call *call, struct why *why)
{
    struct copy copy = {.call = call, .me = call->who.user};
    struct user me;
    enum err err = spool_open(&copy.spool, call, why);
    copy.out = json_begin(&copy.spool.buf);
    if (!err) err = users_load(call->db, call->arena, copy.me, &me, why);
    if (!err) err = copy_all(&copy, why);
    if (!err) err = spool_reply(&copy.spool, call, "application/json", why);
    if (!err) name_copy(call, me.brief.username);
    spool_close(&copy.spool);
    arena_release(&copy.arena);
    return err;
}
