/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/wikis.c: /wikis: repositories that can be asked (docs/wiki.md).
 *
 * A wiki is added at once and fetched afterwards: whoever added it looks at its
 * `progress` until its `state` is ready or failed. Adding what is there already
 * gives that one.
 */
#include "api/handlers.h"
#include "api/input.h"
#include "api/wiki_access.h"
#include "api/wiki_shapes.h"
#include "base/limits.h"
#include "community/shapes.h"
#include "store/groups.h"
#include "wiki/library.h"

enum { FILTER_MAX = 20000, TOKEN_MAX = 4000 };

struct page {
    struct call *call;
    struct json_out out;
    uint64_t last, count;
};

static void put_item(void *ctx, const struct wiki *wiki)
{
    struct page *page = ctx;
    wiki_put(page->call, &page->out, NULL, wiki);
    page->last = wiki->id;
    page->count++;
}

enum err wikis_get_list(struct call *call, struct why *why)
{
    struct wiki_reader reader = wiki_reader_of(call);
    uint64_t before = (uint64_t)input_query_int(call, "before", 0, 0, INT64_MAX);
    uint64_t limit = (uint64_t)input_query_int(call, "limit", 50, 1, LIMIT_PAGE_SIZE);
    enum err err = input_check(call, why);
    if (!err) err = wiki_allow(call, WIKI_READ, why);
    if (err) return err;
    struct page page = {.call = call, .out = call_json(call)};
    json_open(&page.out, NULL, '{');
    json_open(&page.out, "items", '[');
    err = wikis_list(call->db, &reader, before, limit, put_item, &page, why);
    json_close(&page.out, ']');
    shape_cursor(&page.out, "next_before", page.count == limit, page.last);
    json_close(&page.out, '}');
    return err;
}

static enum err answer(struct call *call, const struct wiki *wiki)
{
    struct json_out out = call_json(call);
    wiki_put(call, &out, NULL, wiki);
    return OK;
}

enum err wikis_get_one(struct call *call, struct why *why)
{
    struct wiki wiki;
    enum err err = wiki_allow(call, WIKI_READ, why);
    if (!err) err = wiki_of_path(call, &wiki, why);
    return err ? err : answer(call, &wiki);
}

/* --- adding --- */

static enum err read_access(struct call *call, struct wiki *wiki, struct why *why)
{
    struct str access = input_str(call, "access", false);
    uint64_t group = input_id(call, "group_id");
    enum err err = input_check(call, why);
    if (err || (!access.at && group == 0)) return err; /* as it is */
    wiki->group.value = group;
    if (access.at && !wiki_access_of(access, &wiki->access)) {
        return why_field(why, "access", "enum", "access must be everyone, members, group or owner");
    }
    if (wiki->access != WIKI_GROUP) {
        wiki->group.value = 0;
        return OK;
    }
    bool member = false;
    if (wiki->group.value) {
        err = groups_is_member(call->db, wiki->group, call->who.user, &member, why);
    }
    if (err || member) return err;
    return why_field(why, "group_id", "value_error",
                     "access is group: group_id must be one of your groups");
}

static enum err check_filters(struct str include, struct str exclude, struct why *why)
{
    struct wiki_filters filters = {.include = include, .exclude = exclude};
    if (include.len + exclude.len > FILTER_MAX) {
        return why_field(why, "exclude", "too_long", "filters together have at most %d bytes",
                         FILTER_MAX);
    }
    return wiki_filters_check(&filters, why);
}

/* What is not said: with a token it is for the one who had it, else for everyone. */
static enum err read_draft(struct call *call, struct wiki *wiki, struct str *token_out,
                           struct why *why)
{
    struct wiki_address address;
    enum err err = input_json(call, why);
    if (err) return err;
    struct str url = input_str(call, "url", true), kind = input_str(call, "kind", false);
    struct str name = input_str(call, "name", false), branch = input_str(call, "branch", false);
    struct str include = input_str(call, "include", false);
    struct str exclude = input_str(call, "exclude", false);
    *token_out = input_str(call, "token", false);
    err = input_check(call, why);
    if (!err) err = wiki_address_parse(call->arena, url, kind, &address, why);
    if (!err && wiki_address_is_trusted(&address) && call->who.role != ROLE_ADMIN) {
        err = why_set(why, ERR_DENIED,
                      "over ssh this server shows its own key, so administrators alone may add "
                      "such a repository; https takes a token");
    }
    if (err) return err;
    *wiki = wiki_draft(&address);
    if (name.at) wiki->name = name;
    if (branch.at) wiki->branch = str_trim(branch);
    if (include.at) wiki->include = include;
    if (exclude.at) wiki->exclude = exclude;
    if (token_out->len) wiki->access = WIKI_OWNER;
    wiki->owner_id = call->who.user;
    if (token_out->len > TOKEN_MAX) {
        return why_field(why, "token", "too_long", "a token has at most %d bytes", TOKEN_MAX);
    }
    err = check_filters(wiki->include, wiki->exclude, why);
    if (!err && wiki->name.len) err = wiki_name_check(wiki->name, why);
    if (!err) err = read_access(call, wiki, why);
    if (err || wiki->owner_id.value || wiki->access != WIKI_OWNER) return err;
    return why_field(why, token_out->len ? "token" : "access", "value_error",
                     "log in first: a wiki that only its owner may read needs an owner");
}

enum err wikis_post(struct call *call, struct why *why)
{
    struct wiki wiki;
    struct str token;
    enum err err = wiki_allow(call, WIKI_ADD, why);
    if (!err) err = read_draft(call, &wiki, &token, why);
    if (!err) err = wiki_library_add(call->api->wikis, call->db, call->arena, &wiki, token, why);
    if (!err) {
        struct wiki_reader everything = {.admin = true};
        err = wikis_load(call->db, call->arena, &everything, wiki.id, &wiki, why);
    }
    return err ? err : answer(call, &wiki);
}

/* --- changing --- */

static enum err save(void *ctx, struct act *act, struct why *why)
{
    enum err err = wikis_change(act->db, ctx, why);
    if (err == ERR_CONFLICT) {
        why_write(why, "that name is taken, or this repository is here with these filters already");
    }
    return err;
}

/* Gives whether they are others than before. */
static enum err read_filters(struct call *call, struct wiki *wiki, bool *changed_out,
                             struct why *why)
{
    struct str include = input_str(call, "include", false);
    struct str exclude = input_str(call, "exclude", false);
    enum err err = input_check(call, why);
    if (err) return err;
    if (!include.at) include = wiki->include;
    if (!exclude.at) exclude = wiki->exclude;
    *changed_out = !str_eq(include, wiki->include) || !str_eq(exclude, wiki->exclude);
    if (!*changed_out) return OK;
    err = check_filters(include, exclude, why);
    if (err) return err;
    if (wiki_library_progress(call->api->wikis, wiki->id).under_way) {
        return why_set(why, ERR_CONFLICT,
                       "it is being updated with its present filters: change them afterwards, or "
                       "stop that first");
    }
    wiki->include = include;
    wiki->exclude = exclude;
    return OK;
}

enum err wikis_patch(struct call *call, struct why *why)
{
    struct wiki wiki;
    bool filters_changed = false;
    enum err err = wiki_of_path_to_change(call, &wiki, why);
    if (!err) err = input_json(call, why);
    if (err) return err;
    const struct wiki was = wiki;
    struct str name = input_str(call, "name", false), token = input_str(call, "token", false);
    if (name.at) wiki.name = str_trim(name);
    err = name.at ? wiki_name_check(wiki.name, why) : OK;
    if (!err) err = read_filters(call, &wiki, &filters_changed, why);
    if (!err) err = read_access(call, &wiki, why);
    if (!err) wiki.identity = wiki_identity_changed(call->arena, &was, &wiki);
    if (!err) err = call_write(call, save, &wiki, why);
    if (!err && (filters_changed || token.len)) {
        err = wiki_library_update(call->api->wikis, wiki.id, token.at ? token : STR(""), why);
    }
    return err ? err : answer(call, &wiki);
}

enum err wikis_update(struct call *call, struct why *why)
{
    struct wiki wiki;
    struct str token = STR("");
    enum err err = wiki_of_path_to_change(call, &wiki, why);
    if (!err && call->x->body.len) {
        err = input_json(call, why);
        if (err) return err;
        token = input_str(call, "token", false);
        err = input_check(call, why);
    }
    if (!err) err = wiki_library_update(call->api->wikis, wiki.id, token, why);
    return err ? err : answer(call, &wiki);
}

enum err wikis_stop(struct call *call, struct why *why)
{
    struct wiki wiki;
    enum err err = wiki_of_path_to_change(call, &wiki, why);
    if (err) return err;
    wiki_library_stop(call->api->wikis, wiki.id);
    call_no_content(call);
    return OK;
}

static enum err drop(void *ctx, struct act *act, struct why *why)
{
    const struct wiki *wiki = ctx;
    enum err err = wikis_remove(act->db, wiki->id, why);
    if (err || act->me.value == wiki->owner_id.value) return err;
    return act_audit(act, AUDIT_WIKI_REMOVED, NULL, 0, wiki->name, why);
}

enum err wikis_delete(struct call *call, struct why *why)
{
    struct wiki wiki;
    enum err err = wiki_of_path_to_change(call, &wiki, why);
    if (!err) err = call_write(call, drop, &wiki, why);
    if (!err) err = wiki_library_remove(call->api->wikis, wiki.id, why);
    if (!err) call_no_content(call);
    return err;
}
