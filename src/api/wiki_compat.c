/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* api/wiki_compat.c: written wikis, as older pages load, save, list and delete them. */
#include "api/wiki_compat.h"

#include "api/input.h"
#include "api/wiki_access.h"
#include "base/clock.h"
#include "base/limits.h"
#include "store/community.h"
#include "wiki/old_cache.h"
#include "wiki/old_config.h"

enum { PROJECTS_MAX = 5000 };

/* --- languages --- */

enum err wiki_lang_config(struct call *call, struct why *why)
{
    (void)why;
    const struct wiki_locales *locales = wiki_old_locales(call->api->wiki_config);
    struct json_out out = call_json(call);
    json_open(&out, NULL, '{');
    json_open(&out, "supported_languages", '{');
    for (size_t i = 0; i < locales->count; i++) {
        /* Codes may be the operator's, and unlike our own keys need their escapes. */
        json_put_str(&out, NULL, locales->at[i].code);
        buf_add_byte(out.buf, ':');
        out.comma = false;
        json_put_str(&out, NULL, locales->at[i].name);
    }
    json_close(&out, '}');
    json_put_str(&out, "default", locales->standard);
    json_close(&out, '}');
    return OK;
}

/* One that nobody knows is as none. */
static struct str known_language(const struct call *call, struct str code)
{
    const struct wiki_locales *locales = wiki_old_locales(call->api->wiki_config);
    return wiki_locale_name(locales, code).len ? code : locales->standard;
}

/* --- who and which --- */

static struct wiki_viewer viewer_of(const struct call *call)
{
    return (struct wiki_viewer){.user = call->who.user,
                                .insider = wiki_is_insider(call),
                                .moderates = call->who.role == ROLE_MODERATOR ||
                                             call->who.role == ROLE_ADMIN};
}

static struct str query_text(struct call *call, const char *name)
{
    struct str text = input_query_str(call, name);
    if (text.at == NULL) input_fault(call, "query", name, "missing", "%s is missing", name);
    return text;
}

static enum err read_key(struct call *call, struct wiki_key *key, struct why *why)
{
    key->owner = query_text(call, "owner");
    key->repo = query_text(call, "repo");
    key->kind = query_text(call, "repo_type");
    key->language = query_text(call, "language");
    return input_check(call, why);
}

/* --- loading --- */

static enum err reply_book(struct call *call, const struct wiki_book *book, struct why *why)
{
    struct wiki_old_writer writer;
    struct buf body;
    wiki_old_write_begin(&writer);
    enum err err = wiki_pages_list(call->db, book->id, wiki_old_write_page, &writer, why);
    buf_init(&body, LIMIT_BOOK_REPLY_BYTES);
    wiki_old_write_end(&writer, book, &body);
    if (!err) return wiki_reply_large(call, &body, "application/json", why);
    buf_release(&body);
    return err;
}

enum err wiki_cache_get(struct call *call, struct why *why)
{
    struct wiki_key key;
    struct wiki_book book;
    enum err err = wiki_allow(call, WIKI_READ, why);
    if (!err) err = read_key(call, &key, why);
    if (err) return err;
    key.language = known_language(call, key.language);
    struct wiki_viewer viewer = viewer_of(call);
    err = wiki_books_newest(call->db, call->arena, &key, &viewer, &book, why);
    http_add_header(call->x, "Cache-Control", STR("no-store"));
    if (!err) return reply_book(call, &book, why);
    if (err != ERR_NOT_FOUND) return err;
    struct json_out out = call_json(call);
    json_put_null(&out, NULL);
    return OK;
}

/* --- saving --- */

static void note_fault(void *ctx, const char *where, const char *type, const char *sentence)
{
    input_fault(ctx, "body", where, type, "%s", sentence);
}

/* A wiki of a private repository is for those who might read that, as far as we know them. */
static enum err choose_access(const struct call *call, struct wiki_old_cache *cache,
                              struct why *why)
{
    struct wiki_book *book = &cache->book;
    if (!cache->with_token) return OK;
    book->access = call->who.user.value ? WIKI_BOOK_OWNER : WIKI_BOOK_MEMBERS;
    if (wiki_is_insider(call)) return OK;
    return why_set(why, ERR_DENIED,
                   "私有仓库的百科不予保存 (a wiki of a private repository is not kept for "
                   "strangers: everybody could read it)");
}

struct saving {
    struct wiki_old_cache cache;
    bool by_guest; /* nobody knows who: they may not fill the disk */
};

static enum err make_room(struct act *act, const struct saving *saving, struct why *why)
{
    const struct wiki_key *key = &saving->cache.book.key;
    uint64_t count = 0;
    enum err err = community_lock(act->db, why); /* strangers have no row of their own */
    if (!err) {
        err =
            wiki_books_trim_guests(act->db, act->arena, key, LIMIT_BOOKS_GUESTS_VERSIONS - 1, why);
    }
    if (!err && saving->by_guest) err = wiki_books_count_guests(act->db, &count, why);
    if (err || count < LIMIT_BOOKS_GUESTS) return err;
    return why_set(why, ERR_CONFLICT,
                   "访客的百科已满 (strangers have handed in %d wikis already: some must go first)",
                   LIMIT_BOOKS_GUESTS);
}

static enum err apply_save(void *ctx, struct act *act, struct why *why)
{
    struct saving *saving = ctx;
    struct wiki_book *book = &saving->cache.book;
    uint64_t id;
    book->author = act->me;
    book->created_us = book->finished_us = act->now_us;
    enum err err = act->me.value ? OK : make_room(act, saving, why);
    if (err) return err;
    return wiki_books_add(act->db, book, saving->cache.pages, saving->cache.count, &id, why);
}

static enum err read_book(struct call *call, struct wiki_old_cache *cache, struct why *why)
{
    enum err err = input_json(call, why);
    if (err) return err;
    err = wiki_old_cache_posted(call->arena, call->body, note_fault, call, cache, why);
    if (err) return input_check(call, why);
    cache->book.key.language = known_language(call, cache->book.key.language);
    return choose_access(call, cache, why);
}

static enum err reply_message(struct call *call, struct str message)
{
    struct json_out out = call_json(call);
    json_open(&out, NULL, '{');
    json_put_str(&out, "message", message);
    json_close(&out, '}');
    return OK;
}

enum err wiki_cache_post(struct call *call, struct why *why)
{
    struct saving saving = {.by_guest = !wiki_is_insider(call)};
    enum err err = wiki_allow(call, WIKI_ADD, why);
    if (!err) err = read_book(call, &saving.cache, why);
    if (!err) err = call_write(call, apply_save, &saving, why);
    return err ? err : reply_message(call, STR("Wiki cache saved successfully"));
}

/* --- deleting --- */

static enum err delete_books(struct call *call, const struct wiki_key *key, struct why *why)
{
    uint64_t removed = 0, kept = 0;
    struct wiki_viewer viewer = viewer_of(call);
    enum err err = wiki_books_remove_all(call->db, call->arena, key, &viewer, &removed, &kept, why);
    if (err) return err;
    if (removed == 0 && kept > 0) {
        return why_set(why, ERR_DENIED,
                       "这不是你的百科 (this wiki belongs to a member; they can delete it, and so "
                       "can moderators)");
    }
    if (removed == 0) return why_set(why, ERR_NOT_FOUND, "Wiki cache not found");
    struct str what = arena_printf(call->arena, "%.*s/%.*s (%.*s)", STR_ARGS(key->owner),
                                   STR_ARGS(key->repo), STR_ARGS(key->language));
    if (viewer.moderates) {
        err = act_audit(&call->act, AUDIT_WIKI_REMOVED, NULL, 0, what, why);
        if (err) return err;
    }
    return reply_message(call, arena_printf(call->arena, "Wiki cache for %.*s deleted successfully",
                                            STR_ARGS(what)));
}

enum err wiki_cache_delete(struct call *call, struct why *why)
{
    struct wiki_key key;
    enum err err = read_key(call, &key, why);
    if (err) return err;
    if (wiki_locale_name(wiki_old_locales(call->api->wiki_config), key.language).len == 0) {
        return why_set(why, ERR_INVALID, "Language is not supported");
    }
    err = wiki_allow_with(call, WIKI_ADD, input_query_str(call, "authorization_code"), why);
    return err ? err : delete_books(call, &key, why);
}

/* --- the list --- */

struct listing {
    struct json_out out;
    struct arena *arena;
};

static void put_project(void *ctx, const struct wiki_book *book)
{
    struct listing *listing = ctx;
    struct json_out *out = &listing->out;
    const struct wiki_key *key = &book->key;
    json_open(out, NULL, '{');
    json_put_str(out, "id", wiki_old_name(listing->arena, key));
    json_put_str(out, "owner", key->owner);
    json_put_str(out, "repo", key->repo);
    json_put_str(
        out, "name",
        arena_printf(listing->arena, "%.*s/%.*s", STR_ARGS(key->owner), STR_ARGS(key->repo)));
    json_put_str(out, "repo_type", key->kind);
    json_put_i64(out, "submittedAt", book->finished_us / 1000);
    json_put_str(out, "language", key->language);
    json_close(out, '}');
}

enum err wiki_projects_get(struct call *call, struct why *why)
{
    enum err err = wiki_allow(call, WIKI_READ, why);
    if (err) return err;
    struct wiki_viewer viewer = viewer_of(call);
    struct listing listing = {call_json(call), call->arena};
    json_open(&listing.out, NULL, '[');
    err = wiki_projects(call->db, &viewer, PROJECTS_MAX, put_project, &listing, why);
    json_close(&listing.out, ']');
    http_add_header(call->x, "Cache-Control", STR("no-store"));
    return err;
}

static bool take_text(struct call *call, const char *name, struct str *text_out)
{
    return json_as_str(json_get(call->body, name), text_out) && text_out->len > 0;
}

enum err wiki_projects_delete(struct call *call, struct why *why)
{
    struct wiki_key key;
    enum err err = input_json(call, why);
    if (err || !take_text(call, "owner", &key.owner) || !take_text(call, "repo", &key.repo) ||
        !take_text(call, "repo_type", &key.kind) || !take_text(call, "language", &key.language)) {
        return why_set(why, ERR_INVALID,
                       "owner, repo, repo_type and language must be texts that are not empty");
    }
    if (wiki_locale_name(wiki_old_locales(call->api->wiki_config), key.language).len == 0) {
        return why_set(why, ERR_INVALID, "Language is not supported");
    }
    struct str code = {0};
    if (!json_as_str(json_get(call->body, "authorization_code"), &code)) code.at = NULL;
    err = wiki_allow_with(call, WIKI_ADD, code, why);
    return err ? err : delete_books(call, &key, why);
}
