/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "api/openapi.h"

#include <pthread.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/version.h"
#include "base/embedded.h"

enum { DOCUMENT_BYTES_MAX = 4 * 1024 * 1024 };

/* --- what replies look like --- */

struct schema {
    const char *name, *fields;
};

#define PAGE_TAIL "next_before?:int?, next_after?:int?"

static const struct schema schemas[] = {
    {"Index", "message:text, docs:text, version:text"},
    {"Health", "status:healthy, timestamp:text, service:text"},
    {"Alive", "status:healthy, community:text"},
    {"Readiness", "status:ready|not ready, checks:Checks"},
    {"Checks", "database:Check, writer:Check, disk:Check, serving:Check"},
    {"Check", "ok:bool, detail:text"},
    {"Token", "access_token:text, token_type:bearer, expires_in:int, refresh_token?:text"},
    {"Session", "id:id, current:bool, client:text?, address:text?, created_at:time, used_at:time, "
                "expires_at:time"},
    {"Sessions", "items:[Session]"},
    {"UserBrief", "id:id, username:text, nickname:text, avatar_path:text?, is_ai:bool"},
    {"UserSearch", "items:[UserBrief]"},
    {"User", "username:text, nickname:text, avatar_path:text?, bio:text?, is_ai:bool, id:id, "
             "created_at:time, role:member|moderator|admin|resident, posts_count:int, "
             "followers_count:int, following_count:int, following:bool, wiki?:UserWiki"},
    {"UserWiki", "id:id, name:text"},
    {"Community", "name:text?, about:text?, language:zh|en?, registration_open:bool, "
                  "needs_setup:bool, members:int, residents:int"},
    {"Follow", "followers_count:int, following_count:int, following:bool"},
    {"Follower", "user:UserBrief, followed_at:time"},
    {"FollowPage", "items:[Follower], total:int, next_before:int?"},
    {"ReportReceipt", "id:id"},
    {"Report", "id:id, created_at:time, kind:post|comment|message|user, object_id:id, post_id:id?, "
               "content:text, reason:spam|abuse|illegal|other, note:text?, reporter:UserBrief?, "
               "author:UserBrief?, author_banned:bool, outcome:removed|dismissed|banned?, "
               "resolved_at:time?, resolver:UserBrief?"},
    {"ReportPage", "items:[Report], open:int, next_before:int?"},
    {"Account", "user:UserBrief, role:member|moderator|admin|resident, banned:bool, "
                "posts_count:int, created_at:time, seen_at:time?"},
    {"AccountPage", "items:[Account], " PAGE_TAIL},
    {"AuditRow", "id:id, at:time, action:text, actor:UserBrief?, kind:text?, object_id:int?, "
                 "user:UserBrief?, detail:text?, address:text?"},
    {"AuditPage", "items:[AuditRow], next_before:int?"},
    {"OverviewSite", "site:text, calls:int, failed:int, circuit:closed|open|probing"},
    {"Overview",
     "ok:bool, checks:Checks, version:text, started_at:time, uptime_s:int, http_connections:int, "
     "live_connections:int, members_online:int, sites:[OverviewSite], members:int, residents:int, "
     "posts:int, posts_today:int, reports_open:int, key_requests_today:int, "
     "key_unpriced_today:int, key_cost_today_micro:int, town_cost_today_micro:int, "
     "database_bytes:int, database:sqlite|mariadb, disk_free_bytes:int, disk_bytes:int"},
    {"WikiProgress", "stage:text, percent:int?, files_done:int, files_all:int"},
    {"WikiVectors", "embedder:text, chunks:int, have:int, refused:int, under_way:bool, note:text"},
    {"Wiki",
     "id:id, name:text, kind:text, url:text?, owner:text, repo:text, branch:text, "
     "commit:text, committed_at:time?, include:text, exclude:text, "
     "access:everyone|members|group|owner, group_id:id?, owner_id:id?, created_at:time, "
     "state:new|working|ready|failed, fault:text, note:text, indexed_at:time?, files:int, "
     "chunks:int, lines:int, may_change:bool, progress:WikiProgress?, vectors:WikiVectors?"},
    {"WikiList", "items:[Wiki], next_before?:int?"},
    {"WikiTurn", "role:user|assistant, content:text"},
    {"WikiFile", "path:text, bytes:int, lines:int, language:text, left_out:text?"},
    {"WikiFiles", "commit:text, items:[WikiFile]"},
    {"WikiText", "commit:text, path:text, first:int, lines:int, text:text, page:text"},
    {"WikiSymbol", "name:text, kind:text, scope:text, path:text, first:int, last:int"},
    {"WikiSymbols", "commit:text, items:[WikiSymbol]"},
    {"WikiEdge", "from:text, to:text, symbols:int"},
    {"WikiGraph", "commit:text, items:[WikiEdge]"},
    {"WikiHit", "path:text, first:int, last:int, symbol:text, text:text, score:number, "
                "found_by:[Words]"},
    {"WikiHits", "commit:text, items:[WikiHit]"},
    {"WikiBookPage", "id:text, title:text, importance:text, files:[Words], related:[Words], "
                     "state:waiting|writing|failed|done, note:text"},
    {"WikiBookText", "id:text, title:text, importance:text, files:[Words], related:[Words], "
                     "state:waiting|writing|failed|done, note:text, content:text"},
    {"WikiBookSection", "id:text, title:text, pages:[Words]"},
    {"WikiBook",
     "id:id, language:text, comprehensive:bool, title:text, description:text, "
     "state:planning|writing|stopped|failed|done, note:text, provider:text, "
     "model:text, commit:text, created_at:time, finished_at:time?, pages_done:int, "
     "pages_all:int, may_change:bool, sections?:[WikiBookSection], pages?:[WikiBookPage]"},
    {"WikiBooks", "items:[WikiBook], next_before?:int?"},
    {"Post", "content:text, image_path:text?, id:id, author_id:id, likes_count:int, "
             "created_at:time, author:UserBrief, is_liked:bool, comments_count:int, "
             "edited_at:time?, image_generated:bool"},
    {"PostPage", "items:[Post], total:int, page:int, page_size:int, " PAGE_TAIL},
    {"PostSearch", "items:[Post], next_before:int?"},
    {"TagCount", "tag:text, posts_count:int"},
    {"TagSearch", "items:[TagCount]"},
    {"Like", "liked:bool, likes_count:int"},
    {"Comment", "content:text, id:id, post_id:id, author_id:id, created_at:time, "
                "author:UserBrief, parent_id:id?"},
    {"CommentPage", "items:[Comment], total:int, " PAGE_TAIL},
    {"Notification", "id:id, kind:follow|like|comment|reply|mention, actor:UserBrief, post_id:id?, "
                     "comment_id:id?, excerpt:text?, is_read:bool, created_at:time"},
    {"Notifications", "items:[Notification], unread_count:int, next_before:int?"},
    {"Upload", "url:text, filename:text, size?:int"},
    {"Message", "id:id, sender_id:id, receiver_id:id?, group_id:id?, content:text, is_read:bool, "
                "created_at:time, sender:UserBrief, client_id:text?"},
    {"Messages", "items:[Message], " PAGE_TAIL},
    {"MessageHit", "message:Message, user:UserBrief?, group_name:text?"},
    {"MessageSearch", "items:[MessageHit], next_before:int?"},
    {"MessagePage",
     "items:[Message], total:int, page:int, page_size:int, other_user:UserBrief, " PAGE_TAIL},
    {"ConversationEnd", "id:id, content:text, created_at:time, is_mine:bool"},
    {"Conversation", "user:UserBrief, last_message:ConversationEnd, unread_count:int"},
    {"Conversations", "conversations:[Conversation], next_before:int?"},
    {"Success", "success:bool, message:text"},
    {"UnreadCount", "unread_count:int"},
    {"GroupEnd", "id:id, sender_id:id, content:text, created_at:time"},
    {"Group", "id:id, name:text, group_type:online|offline, owner_id:id?, members_count:int, "
              "messages_count:int, unread_count:int, read_id:int, created_at:time, "
              "last_message:GroupEnd?"},
    {"Groups", "items:[Group]"},
    {"GroupMember", "user:UserBrief, joined_at:time, read_id:int"},
    {"GroupWithMembers", "group:Group, members:[GroupMember]"},
    {"Ticket", "ticket:text, expires_in:int"},
    {"ApiKey", "id:id, name:text, last_four:text, requests_per_minute:int?, tokens_per_day:int?, "
               "models:[Words]?, created_at:time, last_used_at:time?"},
    {"NewApiKey", "id:id, name:text, last_four:text, requests_per_minute:int?, "
                  "tokens_per_day:int?, models:[Words]?, created_at:time, last_used_at:time?, "
                  "key:text"},
    {"ApiKeys", "items:[ApiKey]"},
    {"UsageRow", "day:text, key_id:id, key_name:text, user_id:id, username:text, site:text, "
                 "model:text, requests:int, shared_requests:int, unknown_requests:int, "
                 "unpriced_requests:int, input_tokens:int, output_tokens:int, cached_tokens:int, "
                 "estimated_tokens:int, cost_micro:int?"},
    {"Usage", "items:[UsageRow], more:bool"},
    {"Chat", "id:id, title:text, model:text, system:text, head:id, wiki:ChatWiki?, "
             "created_at:time"},
    {"ChatWiki", "id:id, name:text"},
    {"ChatAsked", "research:bool, file:text, language:text"},
    {"ChatFound", "round:int, last:bool, sources:[ChatSource], notices:[ChatNotice], cited:int, "
                  "removed:int"},
    {"ChatSource", "path:text, first:int, last:int, symbol:text"},
    {"ChatNotice", "type:text, cause:text, detail:text"},
    {"ChatModel", "id:text, site:text, offline:bool"},
    {"ChatModels", "default:text, items:[ChatModel]"},
    {"Chats", "items:[Chat], next_before:int?"},
    {"ChatTurn", "id:id, parent:id, role:user|assistant, status:streaming|complete|cut_off|refused|"
                 "interrupted|failed, content:text, reasoning:text, site:text, model:text, "
                 "offline:bool, detail:text, input_tokens:int?, output_tokens:int?, "
                 "estimated:bool, asked:ChatAsked?, found:ChatFound?, created_at:time"},
    {"ChatTurns", "items:[ChatTurn], " PAGE_TAIL},
    {"Place", "id:id, name:text, location_type:text?, x:number, y:number, width:number, "
              "height:number, description:text?"},
    {"Places", "items:[Place]"},
    {"TownPlace", "id:id, name:text, location_type:text, x:number, y:number, width:number, "
                  "height:number, is_indoor:bool, is_open:bool, occupants:int"},
    {"TownState", "name:text, id:id, x:number, y:number, location_id:id?, action:text, doing:text, "
                  "since:int, until:int, to_location_id?:id, with_id?:id, emotion:text"},
    {"Town",
     "id:id, topic:text, running:bool, speed:int, minute:int, day:int, hour:int, season:text, "
     "time_of_day:text, weather:text, temperature:object, locations:[TownPlace], "
     "residents:[TownState], models:TownModels"},
    {"TownSociety", "minute:int, from_day:int, to_day:int, activity:[TownActivity], "
                    "residents:[TownDoer], needs:[TownNeed], spending:[TownSpending]?"},
    {"TownActivity", "type:text, hours:[int]"},
    {"TownDoer", "user:UserBrief, total:int, deeds:[TownDeeds]"},
    {"TownDeeds", "type:text, count:int"},
    {"TownNeed", "hour:int, need:text, mean:number, low:number, middle:number, high:number"},
    {"TownSpending", "day:time, tokens:int, cost_micro:int"},
    {"TownTies", "living:int, residents:[TownKnot], ties:[TownTie]"},
    {"TownKnot", "id:id, name:text, ties:int"},
    {"TownTie", "from:id, to:id, bond:int, liking:int"},
    {"TownModels", "asked:bool, spent:text?"},
    {"TownStep", "time:text, activity:text, duration:int"},
    {"TownMemory", "minute:int, type:text, importance:int, content:text"},
    {"TownRelation", "id:id, name:text, liking:int, familiarity:int, met:int, last_day:int, "
                     "follows:bool, followed:bool"},
    {"TownThing", "item_name:text, quantity:int, weight:number"},
    {"TownResident",
     "name:text, id:id, x:number, y:number, location_id:id?, action:text, doing:text, "
     "since:int, until:int, to_location_id?:id, with_id?:id, emotion:text, "
     "occupation:text, age:int, home_location_id:id, unread_messages:int, "
     "needs:object, is_tired:bool, is_hungry:bool, plan:[TownStep], "
     "memories:[TownMemory], relations:[TownRelation], inventory:[TownThing]"},
    {"ActionLog",
     "id:id, character_id:id, character_name:text?, action_type:text, action_name:text, "
     "description:text?, location_id:id?, location_name:text?, target_character_id:id?, "
     "target_character_name:text?, game_day:int, game_time:text?, duration:int, reason:text?, "
     "result:text?, success:bool, extra_data:object?, created_at:time"},
    {"ActionLogWhole",
     "id:id, character_id:id, character_name:text?, action_type:text, action_name:text, "
     "description:text?, location_id:id?, location_name:text?, target_character_id:id?, "
     "target_character_name:text?, game_day:int, game_time:text?, duration:int, reason:text?, "
     "result:text?, success:bool, extra_data:object?, created_at:time, "
     "input_prompt:text?, llm_response:text?"},
    {"TownPicture",
     "id:id, character_id:id, post_id:id?, status:pending|processing|completed|failed, "
     "prompt:text, seed:int, result_path:text?, error:text?, tries:int, "
     "next_try_at:time?, created_at:time, updated_at:time"},
    {"TownPictures", "items:[TownPicture], next_before:int?"},
    {"ActionLogs", "items:[ActionLog], next_before:int?"},
    {"Resident", "id:id, username:text, nickname:text, avatar_path:text?, bio:text?, "
                 "personality:text?, banned:bool, in_town:bool, wiki:id?, wiki_name:text?"},
    {"Residents", "items:[Resident], total:int, next_after:int?"},
    {"Imported", "added:int"},
    {"Settler", "username:text, nickname:text, about:text, personality:text, usual:bool"},
    {"Settlers", "residents:int, places:int, items:[Settler]"},
    {"Settled", "people:int, places:int"},
    {"ResidentDraft", "username:text, nickname:text, age:int?, gender:text, occupation:text, "
                      "description:text, speaking_style:text, personality:[Words], goals:[Words], "
                      "model:text"},
    {"Site", "site:text, address:text?, model:text?, keys:int, offline:bool, requests:int, "
             "failures:int, input_tokens:int, output_tokens:int"},
    {"Sites", "default:text, fallback:[Words], items:[Site]"},
    {"LocalModel", "site:lmstudio|ollama, address:text, listens:bool, set_up:bool"},
    {"LocalModels", "at_start:bool, items:[LocalModel]"},
    {"SiteCheck", "site:text, reachable:bool, answers:bool, listed_ms:int?, first_ms:int?, "
                  "model_count:int, models:[Words], model:text?, fault:text?, detail:text?"},
    {"Backup", "name:text, bytes:int, created_at:time, verified:bool, tables?:int, rows?:int"},
    {"Backups", "items:[Backup]"},
    {"Setting",
     "name:text, variables:[Words], type:text|number|switch|choice|secret, default:text, "
     "help:text, min?:int, max?:int, choices:[Words], value:text, "
     "origin:default|.env|environment|command line"},
    {"Settings", "items:[Setting]"},
    {"TownKeeping", "state:here|elsewhere|none|off, detail:text?, mind:model|rules, words:text, "
                    "running?:bool, speed?:int, minute?:int, checkpoint:TownCheckpoint?, "
                    "residents?:int, todo?:int, questions?:int, budget?:TownBudget, "
                    "pictures?:TownPictureCounts?"},
    {"TownCheckpoint", "minute:int, created_at:time"},
    {"TownBudget", "tokens:int, tokens_most:int, money_micro:int, money_most_micro:int, "
                   "spent:text?"},
    {"TownPictureCounts", "pending:int, processing:int, completed:int, failed:int"},
    {"WikiAuth", "auth_required:bool"},
    {"WikiAuthCode", "success:bool"},
    {"WikiLanguages", "supported_languages:object, default:text"},
    {"WikiModel", "id:text, name:text"},
    {"WikiProvider", "id:text, name:text, supportsCustomModel:bool, models:[WikiModel]"},
    {"WikiModels", "providers:[WikiProvider], defaultProvider:text"},
    {"WikiPage", "id:text:1-200, title:text:0-500, content:text, filePaths:[Words], "
                 "importance:text, relatedPages:[Words]"},
    {"WikiSection", "id:text:1-200, title:text:0-500, pages:[Words], subsections?:[Words]?"},
    {"WikiStructure", "id:text, title:text:0-500, description:text, pages:[WikiPage], "
                      "sections?:[WikiSection]?, rootSections?:[Words]?"},
    {"WikiRepo", "owner:text:1-255, repo:text:1-255, type:text:1-20, token?:text?, "
                 "localPath?:text?, repoUrl?:text?"},
    {"WikiCache", "wiki_structure:WikiStructure, generated_pages:object, repo_url:text?, "
                  "repo:WikiRepo, provider:text?, model:text?"},
    {"WikiMessage", "message:text"},
    {"WikiProject", "id:text, owner:text, repo:text, name:text, repo_type:text, submittedAt:int, "
                    "language:text"},
    {"WikiFolder", "file_tree:text, readme:text"},
    {"InputError", "loc:[Words], msg:text, type:text"},
    {"Problem", "type:text, title:text, status:int, detail:text, errors?:[InputError], "
                "request_id:text, error?:text"},
    {"ProgramError", "error:ProgramErrorBody"},
    {"ProgramErrorBody", "message:text, type:text, param:text?, code:text?"},
};

/* --- types --- */

/* The words of the table for what JSON Schema says in two. */
static const struct {
    const char *word, *type, *format;
} types[] = {
    {"text", "string", NULL},     {"int", "integer", NULL},   {"number", "number", NULL},
    {"bool", "boolean", NULL},    {"id", "integer", "int64"}, {"time", "string", "date-time-local"},
    {"file", "string", "binary"}, {"object", "object", NULL}, {"Words", "string", NULL},
};

/* One "name:type:bounds" of a list. */
struct field {
    struct str name, type, bounds;
    bool absent; /* '?' behind the name: it may be left out */
    bool null;   /* '?' behind the type: it may be null */
};

static bool take_question(struct str *text)
{
    if (!str_ends(*text, STR("?"))) return false;
    text->len--;
    return true;
}

/* The next field of the list; false at its end. */
static bool next_field(struct str *rest, struct field *field_out)
{
    struct str one;
    if (rest->len == 0 || !str_split(rest, ',', &one)) return false;
    one = str_trim(one);
    *field_out = (struct field){0};
    str_split(&one, ':', &field_out->name);
    str_split(&one, ':', &field_out->type);
    field_out->bounds = one;
    field_out->absent = take_question(&field_out->name);
    field_out->null = take_question(&field_out->type);
    return true;
}

static bool is_schema(struct str name)
{
    for (size_t i = 0; i < COUNT_OF(schemas); i++) {
        if (str_eq(name, str_of(schemas[i].name))) return true;
    }
    return false;
}

static void put_ref(struct json_out *out, const char *kind, struct str name)
{
    char text[160];
    snprintf(text, sizeof(text), "#/components/%s/%.*s", kind, STR_ARGS(name));
    json_put_str(out, "$ref", str_of(text));
}

/* "3-50" as minLength and maxLength, or minimum and maximum. */
static enum err put_bounds(struct json_out *out, const struct field *field, struct why *why)
{
    if (field->bounds.len == 0) return OK;
    bool text = str_eq(field->type, STR("text"));
    struct str rest = field->bounds, least;
    uint64_t min, max;
    str_split(&rest, '-', &least);
    if (!str_to_u64(least, &min) || !str_to_u64(rest, &max) || min > max) {
        return why_set(why, ERR_INVALID, "field %.*s: no bounds: \"%.*s\"", STR_ARGS(field->name),
                       STR_ARGS(field->bounds));
    }
    json_put_u64(out, text ? "minLength" : "minimum", min);
    json_put_u64(out, text ? "maxLength" : "maximum", max);
    return OK;
}

/* "type":…, and with null in it where that may come. */
static void put_type(struct json_out *out, const char *type, bool nullable)
{
    if (!nullable) {
        json_put_str(out, "type", str_of(type));
        return;
    }
    json_open(out, "type", '[');
    json_put_str(out, NULL, str_of(type));
    json_put_str(out, NULL, STR("null"));
    json_close(out, ']');
}

static void put_words(struct json_out *out, struct str words, bool nullable)
{
    struct str word;
    put_type(out, "string", nullable);
    json_open(out, "enum", '[');
    while (str_split(&words, '|', &word)) json_put_str(out, NULL, word);
    if (nullable) json_put_null(out, NULL);
    json_close(out, ']');
}

static bool is_word_list(struct str type)
{
    if (str_find_byte(type, '|') < type.len) return true;
    /* Those that have one word only. */
    return str_eq(type, STR("bearer")) || str_eq(type, STR("healthy")) || str_eq(type, STR("none"));
}

/* A plain type or a reference, inside an object that is open. False: neither. */
static bool put_named(struct json_out *out, struct str name, bool nullable)
{
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        if (!str_eq(name, str_of(types[i].word))) continue;
        put_type(out, types[i].type, nullable);
        if (types[i].format) json_put_str(out, "format", str_of(types[i].format));
        return true;
    }
    if (!is_schema(name)) return false;
    if (!nullable) {
        put_ref(out, "schemas", name);
        return true;
    }
    json_open(out, "anyOf", '[');
    json_open(out, NULL, '{');
    put_ref(out, "schemas", name);
    json_close(out, '}');
    json_open(out, NULL, '{');
    put_type(out, "null", false);
    json_close(out, '}');
    json_close(out, ']');
    return true;
}

/* "ids", "[Name]" → the name of what is listed; false for what is no list. */
static bool list_of(struct str type, struct str *name_out)
{
    bool ids = str_eq(type, STR("ids")) || str_eq(type, STR("list"));
    bool brackets = str_starts(type, STR("[")) && str_ends(type, STR("]"));
    if (!ids && !brackets) return false;
    *name_out = ids ? STR("id") : str_from(str_head(type, type.len - 1), 1);
    return true;
}

/* The schema of a field, as member `key`. */
static enum err put_schema(struct json_out *out, const char *key, const struct field *field,
                           bool nullable, struct why *why)
{
    struct str item;
    bool known = true;
    json_open(out, key, '{');
    if (is_word_list(field->type)) {
        put_words(out, field->type, nullable);
    } else if (list_of(field->type, &item)) {
        put_type(out, "array", nullable);
        json_open(out, "items", '{');
        known = put_named(out, item, false);
        json_close(out, '}');
    } else {
        known = put_named(out, field->type, nullable);
    }
    enum err err = put_bounds(out, field, why);
    json_close(out, '}');
    if (known) return err;
    return why_set(why, ERR_INVALID, "field %.*s: no type: \"%.*s\"", STR_ARGS(field->name),
                   STR_ARGS(field->type));
}

/* An object with these fields, as member `key`. In a request what may be null may be absent. */
static enum err put_object(struct json_out *out, const char *key, bool request, const char *fields,
                           struct why *why)
{
    struct str rest = str_of(fields);
    struct field field;
    enum err err = OK;
    json_open(out, key, '{');
    put_type(out, "object", false);
    json_open(out, "properties", '{');
    while (!err && next_field(&rest, &field)) {
        char name[64];
        str_copy(name, sizeof(name), field.name);
        err = put_schema(out, name, &field, field.null, why);
    }
    json_close(out, '}');
    json_open(out, "required", '[');
    rest = str_of(fields);
    while (next_field(&rest, &field)) {
        if (!field.absent && !(request && field.null)) json_put_str(out, NULL, field.name);
    }
    json_close(out, ']');
    json_close(out, '}');
    return err;
}

/* --- operations --- */

static const char *const method_names[] = {"get", "head", "post", "put", "patch", "delete"};

/* "Posts" of "/posts/{post_id}"; the first segment names the chapter. */
static struct str tag_of(const char *path)
{
    struct str rest = str_from(str_of(path), 1), segment;
    if (!str_split(&rest, '/', &segment) || segment.len == 0) return STR("service");
    static const char *const service[] = {"health", "metrics", "openapi.json", "docs", "redoc"};
    for (size_t i = 0; i < COUNT_OF(service); i++) {
        if (str_eq(segment, str_of(service[i]))) return STR("service");
    }
    return segment;
}

/* "get_posts_post_id": stable, for those who generate clients. */
static void put_operation_id(struct json_out *out, const struct route *route)
{
    char id[160];
    size_t len = (size_t)snprintf(id, sizeof(id), "%s", method_names[route->method]);
    for (const char *at = route->path; *at && len + 2 < sizeof(id); at++) {
        bool plain = (*at >= 'a' && *at <= 'z') || (*at >= '0' && *at <= '9') || *at == '_';
        if (plain) id[len++] = *at;
        if (!plain && id[len - 1] != '_') id[len++] = '_';
    }
    while (id[len - 1] == '_') len--;
    json_put_str(out, "operationId", (struct str){id, len});
}

static void put_parameter_head(struct json_out *out, const char *in, struct str name, bool required)
{
    json_open(out, NULL, '{');
    json_put_str(out, "name", name);
    json_put_str(out, "in", str_of(in));
    json_put_bool(out, "required", required);
}

static bool has_path_parameters(const struct route *route)
{
    return strchr(route->path, '{') != NULL;
}

static enum err put_path_parameters(struct json_out *out, const struct route *route,
                                    struct why *why)
{
    struct str rest = str_of(route->path), segment;
    enum err err = OK;
    while (!err && str_split(&rest, '/', &segment)) {
        if (!str_starts(segment, STR("{"))) continue;
        struct field field = {.name = str_from(str_head(segment, segment.len - 1), 1)};
        field.type = str_ends(field.name, STR("_id")) ? STR("id") : STR("text");
        put_parameter_head(out, "path", field.name, true);
        err = put_schema(out, "schema", &field, false, why);
        json_close(out, '}');
    }
    return err;
}

static enum err put_parameters(struct json_out *out, const struct route *route, struct why *why)
{
    struct str rest = str_of(route->query_fields);
    struct field field;
    json_open(out, "parameters", '[');
    enum err err = put_path_parameters(out, route, why);
    while (!err && next_field(&rest, &field)) {
        put_parameter_head(out, "query", field.name, !field.absent && !field.null);
        err = put_schema(out, "schema", &field, false, why);
        json_close(out, '}');
    }
    if (route->lane == LANE_WRITE && route->access >= ACCESS_MEMBER) {
        json_open(out, NULL, '{');
        put_ref(out, "parameters", STR("IdempotencyKey"));
        json_close(out, '}');
    }
    json_close(out, ']');
    return err;
}

static enum err put_body(struct json_out *out, const struct route *route, struct why *why)
{
    static const char *const media[][2] = {
        [BODY_JSON] = {"application/json"},
        [BODY_FORM_OR_JSON] = {"application/x-www-form-urlencoded", "application/json"},
        [BODY_UPLOAD] = {"multipart/form-data"},
        [BODY_WIKI] = {"application/json"},
    };
    if (route->body == BODY_NONE) return OK;
    enum err err = OK;
    json_open(out, "requestBody", '{');
    json_put_bool(out, "required", true);
    json_open(out, "content", '{');
    for (size_t i = 0; i < 2 && media[route->body][i] && !err; i++) {
        json_open(out, media[route->body][i], '{');
        err = put_object(out, "schema", true, route->body_fields, why);
        json_close(out, '}');
    }
    json_close(out, '}');
    json_close(out, '}');
    return err;
}

static enum err put_content(struct json_out *out, const struct route *route, struct why *why)
{
    struct str reply = str_head(str_of(route->reply), str_find_byte(str_of(route->reply), ' '));
    struct str item;
    if (reply.len == 0) return OK;
    bool media = str_find_byte(reply, '/') < reply.len;
    bool list = list_of(reply, &item);
    if (!media && !is_schema(list ? item : reply)) {
        return why_set(why, ERR_INVALID, "%s: no reply: \"%s\"", route->path, route->reply);
    }
    json_open(out, "content", '{');
    char type[64];
    str_copy(type, sizeof(type), media ? reply : STR("application/json"));
    json_open(out, type, '{');
    struct field field = {.name = STR("reply"), .type = reply};
    enum err err = media ? OK : put_schema(out, "schema", &field, false, why);
    json_close(out, '}');
    json_close(out, '}');
    return err;
}

/* Failures: what each is called among the components, and what it means. */
static const struct failure {
    int status; /* 0: any other */
    const char *name, *meaning;
} failures[] = {
    {400, "Malformed", "What was sent cannot be read, or makes no sense here"},
    {401, "SignIn", "Nobody, or nobody any more: sign in"},
    {403, "Denied", "Not allowed for this caller"},
    {404, "NotFound", "There is no such thing"},
    {409, "Conflict", "Something else came first, or a key was used for a different request"},
    {412, "OtherVersion", "A condition of the request does not hold"},
    {413, "TooLarge", "The body is too large"},
    {415, "Coding", "The body is compressed; it is taken as it is only"},
    {416, "Outside", "The file ends before the range that was asked for"},
    {422, "Input", "A field is wrong; `errors` names each"},
    {426, "Upgrade", "This address speaks WebSocket"},
    {429, "TooMany", "Too many requests; Retry-After says how long to wait"},
    {500, "Unprepared", "The repository could not be made ready to be asked"},
    {502, "Upstream", "The provider of the model failed"},
    {503, "Busy", "The server is busy; try again in a moment"},
    {504, "Late", "The provider of the model is silent"},
    {507, "Full", "The disk is full"},
    {0, "Problem", "Any other failure"},
};

/* Does the row itself imply it? */
static bool is_implied(const struct route *route, int status)
{
    bool input = has_path_parameters(route) || route->query_fields[0] || route->body_fields[0];
    bool key = route->access == ACCESS_KEY, socket = route->status == 101;
    bool live = route->access == ACCESS_LIVE, changes = route->lane == LANE_WRITE;
    switch (status) {
    case 400: return input || (changes && route->access >= ACCESS_MEMBER); /* Idempotency-Key */
    case 401: return route->access >= ACCESS_MEMBER || key || (live && !socket);
    case 403: return route->access >= ACCESS_MODERATOR || live;
    case 404: return has_path_parameters(route);
    case 409: return changes;
    case 413:
    case 415: return route->body != BODY_NONE;
    case 422: return input && !key; /* OpenAI's clients know 400 for these */
    case 426: return socket;
    case 429: return route->rate != RATE_NONE;
    case 503: return changes || route->lane == LANE_SLOW || route->lane == LANE_HASH || key;
    case 507: return changes || route->body == BODY_UPLOAD;
    }
    return status == 0;
}

static bool is_told(const struct route *route, const char *status)
{
    struct str rest = str_of(route->reply), word;
    while (str_split(&rest, ' ', &word)) {
        if (str_eq(word, str_of(status))) return true;
    }
    return false;
}

static void put_failures(struct json_out *out, const struct route *route)
{
    for (size_t i = 0; i < COUNT_OF(failures); i++) {
        char status[16] = "default";
        if (failures[i].status) snprintf(status, sizeof(status), "%d", failures[i].status);
        if (!is_implied(route, failures[i].status) && !is_told(route, status)) continue;
        bool program = route->access == ACCESS_KEY;
        json_open(out, status, '{');
        put_ref(out, "responses", program ? STR("Program") : str_of(failures[i].name));
        json_close(out, '}');
    }
}

static enum err put_responses(struct json_out *out, const struct route *route, struct why *why)
{
    char status[16];
    snprintf(status, sizeof(status), "%d", route->status);
    json_open(out, "responses", '{');
    json_open(out, status, '{');
    json_put_str(out, "description", str_of(http_status_text(route->status)));
    enum err err = put_content(out, route, why);
    json_close(out, '}');
    put_failures(out, route);
    json_close(out, '}');
    return err;
}

/* With a header, or with what the query of this route has for it. A WebSocket opens for anyone, and
 * closes at once with a code (docs/live.md) for who is nobody. */
static void put_query_security(struct json_out *out, const struct route *route)
{
    static const char *const schemes[][2] = {{"ticket", "ticket"}, {"token", "tokenInQuery"}};
    struct str rest = str_of(route->query_fields);
    for (struct field field; next_field(&rest, &field);) {
        for (size_t i = 0; i < COUNT_OF(schemes); i++) {
            if (!str_eq(field.name, str_of(schemes[i][0]))) continue;
            json_open(out, NULL, '{');
            json_open(out, schemes[i][1], '[');
            json_close(out, ']');
            json_close(out, '}');
        }
    }
}

static void put_security(struct json_out *out, const struct route *route)
{
    if (route->access == ACCESS_ANYONE) return;
    json_open(out, "security", '[');
    if (route->access == ACCESS_OPTIONAL) {
        json_open(out, NULL, '{');
        json_close(out, '}');
    }
    for (int i = route->access == ACCESS_KEY ? 1 : 0; i < 2; i++) { /* a key is only ever Bearer */
        json_open(out, NULL, '{');
        json_open(out, i ? "bearer" : "oauth2", '[');
        json_close(out, ']');
        json_close(out, '}');
    }
    if (route->access == ACCESS_LIVE) put_query_security(out, route);
    json_close(out, ']');
}

static enum err put_operation(struct json_out *out, const struct route *route, struct why *why)
{
    static const char *const who[] = {[ACCESS_ANYONE] = "anyone",
                                      [ACCESS_OPTIONAL] = "anyone; members see more",
                                      [ACCESS_LIVE] = "members; the query may say who it is",
                                      [ACCESS_MEMBER] = "members",
                                      [ACCESS_MODERATOR] = "moderators and administrators",
                                      [ACCESS_ADMIN] = "administrators"};
    ASSERT((size_t)route->method < COUNT_OF(method_names));
    json_open(out, method_names[route->method], '{');
    json_put_str(out, "summary", str_of(route->help));
    put_operation_id(out, route);
    json_open(out, "tags", '[');
    json_put_str(out, NULL, tag_of(route->path));
    json_close(out, ']');
    json_put_str(out, "x-who", str_of(who[route->access]));
    put_security(out, route);
    enum err err = put_parameters(out, route, why);
    if (!err) err = put_body(out, route, why);
    if (!err) err = put_responses(out, route, why);
    json_close(out, '}');
    return err;
}

/* All methods of a path stand together, under the place where it comes first in the table. */
static enum err put_paths(struct json_out *out, const struct route *routes, size_t count,
                          struct why *why)
{
    enum err err = OK;
    json_open(out, "paths", '{');
    for (size_t i = 0; i < count && !err; i++) {
        bool done = routes[i].help == NULL; /* a page of the app: never */
        for (size_t j = 0; j < i; j++) done = done || !strcmp(routes[j].path, routes[i].path);
        if (done) continue;
        json_open(out, routes[i].path, '{');
        for (size_t j = i; j < count && !err; j++) {
            if (strcmp(routes[j].path, routes[i].path) != 0) continue;
            err = put_operation(out, &routes[j], why);
        }
        json_close(out, '}');
    }
    json_close(out, '}');
    return err;
}

/* --- components --- */

static void put_failure(struct json_out *out, const char *name, const char *meaning, bool program,
                        const char *headers)
{
    json_open(out, name, '{');
    json_put_str(out, "description", str_of(meaning));
    if (headers) json_put_raw(out, "headers", str_of(headers));
    json_open(out, "content", '{');
    json_open(out, program ? "application/json" : "application/problem+json", '{');
    json_open(out, "schema", '{');
    put_ref(out, "schemas", program ? STR("ProgramError") : STR("Problem"));
    json_close(out, '}');
    json_close(out, '}');
    json_close(out, '}');
    json_close(out, '}');
}

static void put_problems(struct json_out *out)
{
    static const char rate[] = "{\"Retry-After\":{\"schema\":{\"type\":\"integer\"}},"
                               "\"RateLimit-Limit\":{\"schema\":{\"type\":\"integer\"}},"
                               "\"RateLimit-Remaining\":{\"schema\":{\"type\":\"integer\"}},"
                               "\"RateLimit-Reset\":{\"schema\":{\"type\":\"integer\"}}}";
    json_open(out, "responses", '{');
    for (size_t i = 0; i < COUNT_OF(failures); i++) {
        const char *headers = failures[i].status == 429 ? rate : NULL;
        put_failure(out, failures[i].name, failures[i].meaning, false, headers);
    }
    put_failure(out, "Program", "A failure as OpenAI's API has it (docs/gateway.md)", true, NULL);
    json_close(out, '}');
}

static enum err put_components(struct json_out *out, struct why *why)
{
    enum err err = OK;
    json_open(out, "components", '{');
    json_open(out, "schemas", '{');
    for (size_t i = 0; i < COUNT_OF(schemas) && !err; i++) {
        err = put_object(out, schemas[i].name, false, schemas[i].fields, why);
    }
    json_close(out, '}');
    json_put_raw(out, "parameters",
                 STR("{\"IdempotencyKey\":{\"name\":\"Idempotency-Key\",\"in\":\"header\","
                     "\"required\":false,\"description\":\"The same key within 24 hours gives the "
                     "same answer and no second effect\","
                     "\"schema\":{\"type\":\"string\",\"maxLength\":200}}}"));
    put_problems(out);
    json_put_raw(out, "securitySchemes",
                 STR("{\"oauth2\":{\"type\":\"oauth2\",\"flows\":{\"password\":"
                     "{\"tokenUrl\":\"/auth/login\",\"scopes\":{}}}},"
                     "\"bearer\":{\"type\":\"http\",\"scheme\":\"bearer\","
                     "\"bearerFormat\":\"JWT\"},"
                     "\"ticket\":{\"type\":\"apiKey\",\"in\":\"query\",\"name\":\"ticket\","
                     "\"description\":\"From POST /live/ticket: good once, within 30 seconds\"},"
                     "\"tokenInQuery\":{\"type\":\"apiKey\",\"in\":\"query\",\"name\":\"token\","
                     "\"description\":\"An access token, as older clients send it\"}}"));
    json_close(out, '}');
    return err;
}

enum err openapi_write(struct buf *to, const struct route *routes, size_t count, struct why *why)
{
    struct json_out out = json_begin(to);
    json_open(&out, NULL, '{');
    json_put_str(&out, "openapi", STR("3.1.0"));
    json_open(&out, "info", '{');
    json_put_str(&out, "title", STR("Hutong API"));
    json_put_str(&out, "version", str_of(version_text()));
    json_put_str(&out, "description",
                 STR("A community of people and AI residents. Times are UTC. Failures are "
                     "application/problem+json (RFC 9457) with a sentence in `detail`. "
                     "Every answer of a route with a rate says in RateLimit-Limit, -Remaining and "
                     "-Reset (seconds) what it leaves. "
                     "docs/live.md describes what comes over /live."));
    json_open(&out, "license", '{');
    json_put_str(&out, "name", STR("AGPL-3.0-or-later"));
    json_put_str(&out, "identifier", STR("AGPL-3.0-or-later"));
    json_close(&out, '}');
    json_close(&out, '}');
    enum err err = put_paths(&out, routes, count, why);
    if (!err) err = put_components(&out, why);
    json_close(&out, '}');
    return err;
}

/* --- serving --- */

/* Built once for the process, by whoever asks first; the table never changes. */
static struct {
    pthread_once_t once;
    struct buf text;
    char etag[24];
    enum err err;
    struct why why;
} document = {.once = PTHREAD_ONCE_INIT};

static void build_document(void)
{
    buf_init(&document.text, DOCUMENT_BYTES_MAX);
    document.err = openapi_write(&document.text, routes_table, routes_count, &document.why);
    if (!document.err && document.text.failed) {
        document.err = why_set(&document.why, ERR_IO, "the description is too large");
    }
    snprintf(document.etag, sizeof(document.etag), "\"o%016llx\"",
             (unsigned long long)map_hash(buf_str(&document.text)));
}

enum err openapi_get(struct call *call, struct why *why)
{
    pthread_once(&document.once, build_document);
    if (document.err) return why_set(why, ERR_IO, "%s", document.why.text);
    struct http_exchange *x = call->x;
    x->status = 200;
    x->content_type = "application/json";
    x->etag = str_of(document.etag);
    http_add_header(x, "Cache-Control", STR("no-cache"));
    buf_add_str(&x->reply, buf_str(&document.text)); /* a copy, so that it leaves compressed */
    return OK;
}

enum err docs_get(struct call *call, struct why *why)
{
    struct http_exchange *x = call->x;
    struct str page = embedded_find(STR("src/api/docs.html")),
               policy = embedded_find(STR("src/api/docs.html.csp"));
    if (page.len == 0 || policy.len == 0) return why_set(why, ERR_IO, "the page is not embedded");
    x->status = 200;
    x->content_type = "text/html; charset=utf-8";
    x->etag = arena_printf(call->arena, "\"d%016llx\"", (unsigned long long)map_hash(page));
    http_add_header(x, "Content-Security-Policy", policy);
    http_add_header(x, "X-Content-Type-Options", STR("nosniff"));
    http_add_header(x, "Referrer-Policy", STR("no-referrer"));
    http_add_header(x, "Cache-Control", STR("no-cache"));
    buf_add_str(&x->reply, page);
    return OK;
}
