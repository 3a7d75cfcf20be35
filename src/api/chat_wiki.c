/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "api/chat_wiki.h"

#include "api/chat_shapes.h"
#include "api/input.h"
#include "api/wiki_shapes.h"
#include "base/utf8.h"
#include "wiki/old_config.h"

enum { FILE_CHARS = 4000, ABOUT_BYTES = 64 * 1024 };

enum err chat_wiki_check(const struct chat *chat, struct why *why)
{
    if (chat->wiki == 0 || chat->system.len == 0) return OK;
    return why_field(why, "system", "value_error",
                     "a conversation about a wiki has no instructions of its own");
}

enum err chat_wiki_choose(struct call *call, struct chat *chat, struct why *why)
{
    uint64_t id = input_id(call, "wiki");
    struct wiki_reader reader = wiki_reader_of(call);
    struct wiki wiki;
    enum err err = input_check(call, why);
    if (err || id == 0) return err;
    err = wikis_load(call->db, call->arena, &reader, id, &wiki, why);
    if (err) return err;
    chat->wiki = wiki.id;
    chat->wiki_name = wiki.name;
    return chat_wiki_check(chat, why);
}

enum err chat_wiki_language(struct call *call, struct str code, struct str *name_out,
                            struct why *why)
{
    *name_out = wiki_locale_name(wiki_old_locales(call->api->wiki_config), code);
    if (code.len == 0 || name_out->len > 0) return OK;
    return why_field(why, "language", "enum",
                     "language must be one of the codes of /lang/config, or empty for that of "
                     "the question");
}

static struct str write_want(struct call *call, const struct chat_wiki_want *want)
{
    struct buf buf;
    buf_init(&buf, ABOUT_BYTES);
    struct json_out out = json_begin(&buf);
    json_open(&out, NULL, '{');
    json_put_bool(&out, "research", want->research);
    json_put_str(&out, "file", want->file);
    json_put_str(&out, "language", want->language);
    json_close(&out, '}');
    struct str text = arena_copy(call->arena, buf_str(&buf));
    buf_release(&buf);
    return text;
}

static enum err refuse_wants(struct call *call, struct why *why)
{
    static const char *const wants[] = {"research", "file", "language"};
    for (size_t i = 0; i < COUNT_OF(wants); i++) {
        if (!input_has(call, wants[i])) continue;
        return why_field(why, wants[i], "value_error",
                         "%s is for conversations about a wiki, and this is none", wants[i]);
    }
    return OK;
}

enum err chat_wiki_read(struct call *call, const struct chat *chat, struct str *about_out,
                        struct why *why)
{
    struct chat_wiki_want want = {.file = STR(""), .language = STR("")};
    struct str name;
    *about_out = (struct str){0};
    if (chat->wiki == 0) return refuse_wants(call, why);
    struct str file = input_str(call, "file", false);
    struct str language = input_str(call, "language", false);
    const struct json *deep = json_get(call->body, "research");
    if (deep && !json_as_bool(deep, &want.research))
        input_fault(call, "body", "research", "bool_type", "research must be true or false");
    enum err err = input_check(call, why);
    if (!err && file.at) err = text_check("file", file, 0, FILE_CHARS, &want.file, why);
    if (language.at) want.language = language;
    if (!err) err = chat_wiki_language(call, want.language, &name, why);
    if (!err) *about_out = write_want(call, &want);
    return err;
}

/* What write_want() wrote. A question from before it was about a wiki cannot be. */
static enum err parse_want(struct call *call, struct str about, struct chat_wiki_want *want,
                           struct why *why)
{
    struct json *tree = NULL;
    struct str file = STR(""), language = STR("");
    enum err err = json_parse(about, &tree, NULL, why);
    if (err) return why_set(why, ERR_CORRUPT, "how this question was asked cannot be read");
    if (!json_as_bool(json_get(tree, "research"), &want->research)) want->research = false;
    if (!json_as_str(json_get(tree, "file"), &file)) file = STR("");
    if (!json_as_str(json_get(tree, "language"), &language)) language = STR("");
    want->file = arena_copy(call->arena, file);
    want->language = arena_copy(call->arena, language);
    json_free(tree);
    return OK;
}

/* The name by which it is shown follows that of the wiki, for who may see it. */
static enum err take_name(struct call *call, struct chat *chat, struct str name, struct why *why)
{
    if (str_eq(chat->wiki_name, name)) return OK;
    chat->wiki_name = name;
    enum err err = chats_name_wiki(call->db, chat->id, name, why);
    if (!err) chat_tell_updated(&call->act, chat);
    return err;
}

enum err chat_wiki_plan(struct call *call, struct chat *chat, struct str about,
                        struct wiki_visit_want *want_out, struct why *why)
{
    struct wiki_reader reader = wiki_reader_of(call);
    struct chat_wiki_want want;
    struct wiki wiki;
    struct str language = STR("");
    enum err err = wikis_load(call->db, call->arena, &reader, chat->wiki, &wiki, why);
    if (err == ERR_NOT_FOUND) {
        return why_set(why, ERR_CONFLICT,
                       "这个对话所谈的百科已不在，或不再对你开放；说过的话仍可阅读 "
                       "(the wiki that this conversation is about is gone, or is not for you to "
                       "see any more: what was said can still be read)");
    }
    if (!err) err = take_name(call, chat, wiki.name, why);
    if (!err) err = parse_want(call, about, &want, why);
    /* An operator may have taken the language away since: then it is that of the question. */
    struct why unknown;
    if (!err && chat_wiki_language(call, want.language, &language, &unknown)) language = STR("");
    if (err) return err;
    *want_out = (struct wiki_visit_want){
        .who = call->who,
        .unattended = true,
        .wiki = chat->wiki,
        .asking = {.language = language, .file = want.file, .research = want.research}};
    return OK;
}
