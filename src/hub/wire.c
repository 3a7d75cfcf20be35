/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/wire.h"

#include "base/json.h"

static const char *const kind_names[] = {"event", "notice", "present", "here", "resync"};
static_assert(COUNT_OF(kind_names) == WIRE_KINDS, "a name for each kind");

static const char *const notice_names[] = {
    [NOTICE_SESSION_REVOKED] = "session", [NOTICE_USER_REVOKED] = "user",
    [NOTICE_LEFT_TOPIC] = "left",         [NOTICE_KEY_REVOKED] = "key",
    [NOTICE_STOP_ANSWER] = "stop",
};

/* --- writing --- */

static void write_event(struct json_out *out, const struct wire *wire)
{
    json_put_str(out, "topic", str_of(wire->topic.text));
    json_put_u64(out, "seq", wire->seq);
    json_put_bool(out, "legacy", wire->legacy);
    json_put_str(out, "payload", wire->payload);
}

static void write_notice(struct json_out *out, const struct wire *wire)
{
    const struct hub_notice *notice = &wire->notice;
    json_put_str(out, "what", str_of(notice_names[notice->what]));
    json_put_u64(out, "user", notice->user.value);
    json_put_u64(out, "session", notice->session);
    if (notice->what == NOTICE_LEFT_TOPIC) {
        json_put_str(out, "topic", str_of(notice->topic.text));
    }
}

static void write_present(struct json_out *out, const struct wire *wire)
{
    ASSERT(wire->count == 1);
    json_put_u64(out, "user", wire->users[0].value);
    json_put_bool(out, "here", wire->here);
}

static void write_here(struct json_out *out, const struct wire *wire)
{
    json_open(out, "users", '[');
    for (size_t i = 0; i < wire->count; i++) json_put_u64(out, NULL, wire->users[i].value);
    json_close(out, ']');
}

void wire_write(struct buf *to, const struct wire *wire)
{
    static void (*const write[])(struct json_out *, const struct wire *) = {
        write_event, write_notice, write_present, write_here, NULL};
    static_assert(COUNT_OF(write) == WIRE_KINDS, "a writer for each kind");
    struct json_out out = json_begin(to);
    json_open(&out, NULL, '{');
    json_put_u64(&out, "v", 1);
    json_put_str(&out, "from", str_of(wire->from));
    json_put_str(&out, "kind", str_of(kind_names[wire->kind]));
    if (write[wire->kind]) write[wire->kind](&out, wire);
    json_close(&out, '}');
}

/* --- reading --- */

static bool find_name(const char *const *names, size_t count, struct str text, unsigned *at_out)
{
    for (unsigned i = 0; i < count; i++) {
        if (!str_eq(text, str_of(names[i]))) continue;
        *at_out = i;
        return true;
    }
    return false;
}

static bool read_user(const struct json *value, struct user_id *user_out)
{
    return json_as_u64(value, &user_out->value) && user_out->value > 0;
}

/* feed, or one of the kinds with an id. */
static bool read_topic(const struct json *value, struct topic_name *topic_out)
{
    static const char *const kinds[] = {"user", "group", "post", "chat", "presence"};
    struct str text, kind, id;
    uint64_t number;
    unsigned at;
    if (!json_as_str(value, &text) || text.len >= TOPIC_NAME_BYTES) return false;
    str_copy(topic_out->text, sizeof(topic_out->text), text);
    if (str_eq(text, STR("feed"))) return true;
    size_t colon = str_find_byte(text, ':');
    kind = str_head(text, colon);
    id = str_from(text, colon + 1);
    return find_name(kinds, COUNT_OF(kinds), kind, &at) && str_to_u64(id, &number) && number > 0 &&
           id.at[0] != '0';
}

#define EVENT_START "{\"event\":\""
#define DATA_START "\",\"data\":"

/* What stands behind "data": up to and with the last brace; empty when there is none. */
static struct str data_of(struct str payload)
{
    if (!str_starts(payload, STR(EVENT_START))) return (struct str){0};
    struct str rest = str_from(payload, sizeof(EVENT_START) - 1);
    rest = str_from(rest, str_find_byte(rest, '"'));
    if (!str_starts(rest, STR(DATA_START))) return (struct str){0};
    return str_from(rest, sizeof(DATA_START) - 1);
}

/* It goes to readers as it is, so it must be JSON, and begin as event_new() wants it. */
static bool read_payload(struct arena *arena, const struct json *value, struct str *payload_out)
{
    struct json *tree = NULL;
    struct str text, kind;
    struct why why;
    if (!json_as_str(value, &text) || data_of(text).len == 0) return false;
    if (json_parse(text, &tree, NULL, &why) != OK) return false;
    bool right = json_as_str(json_get(tree, "event"), &kind) && kind.len > 0;
    json_free(tree);
    *payload_out = arena_copy(arena, text);
    return right && str_ends(text, STR("}"));
}

static bool read_event(struct arena *arena, const struct json *tree, struct wire *wire)
{
    return read_topic(json_get(tree, "topic"), &wire->topic) &&
           json_as_u64(json_get(tree, "seq"), &wire->seq) &&
           json_as_bool(json_get(tree, "legacy"), &wire->legacy) &&
           read_payload(arena, json_get(tree, "payload"), &wire->payload);
}

static bool read_notice(struct arena *arena, const struct json *tree, struct wire *wire)
{
    (void)arena;
    struct hub_notice *notice = &wire->notice;
    struct str what;
    unsigned at;
    if (!json_as_str(json_get(tree, "what"), &what) ||
        !find_name(notice_names, COUNT_OF(notice_names), what, &at)) {
        return false;
    }
    notice->what = (enum hub_notice_kind)at;
    return read_user(json_get(tree, "user"), &notice->user) &&
           json_as_u64(json_get(tree, "session"), &notice->session) &&
           (notice->what == NOTICE_USER_REVOKED || notice->what == NOTICE_LEFT_TOPIC ||
            notice->session > 0) &&
           (notice->what != NOTICE_LEFT_TOPIC ||
            read_topic(json_get(tree, "topic"), &notice->topic));
}

static bool read_present(struct arena *arena, const struct json *tree, struct wire *wire)
{
    struct user_id *user = ARENA_NEW(arena, struct user_id);
    wire->users = user;
    wire->count = 1;
    return read_user(json_get(tree, "user"), user) &&
           json_as_bool(json_get(tree, "here"), &wire->here);
}

static bool read_here(struct arena *arena, const struct json *tree, struct wire *wire)
{
    const struct json *list = json_get(tree, "users");
    if (list == NULL || json_kind(list) != JSON_ARRAY) return false;
    size_t count = 0;
    for (const struct json *at = json_first(list); at; at = json_after(at)) count++;
    struct user_id *users = ARENA_ARRAY(arena, struct user_id, count);
    wire->users = users;
    for (const struct json *at = json_first(list); at; at = json_after(at)) {
        if (!read_user(at, &users[wire->count++])) return false;
    }
    return true;
}

static bool read_resync(struct arena *arena, const struct json *tree, struct wire *wire)
{
    (void)arena, (void)tree, (void)wire;
    return true;
}

static bool read_from(const struct json *value, char *to)
{
    unsigned char bytes[(WIRE_ID_BYTES - 1) / 2];
    struct str from;
    if (!json_as_str(value, &from) || !hex_read(from, bytes, sizeof(bytes))) return false;
    str_copy(to, WIRE_ID_BYTES, from);
    return true;
}

static enum err read_tree(struct arena *arena, const struct json *tree, struct wire *wire,
                          struct why *why)
{
    static bool (*const read[])(struct arena *, const struct json *, struct wire *) = {
        read_event, read_notice, read_present, read_here, read_resync};
    static_assert(COUNT_OF(read) == WIRE_KINDS, "a reader for each kind");
    uint64_t version;
    struct str name;
    unsigned kind;
    if (!json_as_u64(json_get(tree, "v"), &version) ||
        !read_from(json_get(tree, "from"), wire->from) ||
        !json_as_str(json_get(tree, "kind"), &name)) {
        return why_set(why, ERR_INVALID, "no message of an instance");
    }
    if (version != 1 || !find_name(kind_names, COUNT_OF(kind_names), name, &kind)) {
        return why_set(why, ERR_NOT_FOUND, "a message of another version");
    }
    wire->kind = kind;
    if (!read[kind](arena, tree, wire)) {
        return why_set(why, ERR_INVALID, "a wrong message of kind %s", kind_names[kind]);
    }
    return OK;
}

enum err wire_read(struct arena *arena, struct str text, struct wire *wire_out, struct why *why)
{
    struct json *tree = NULL;
    *wire_out = (struct wire){0};
    if (text.len > WIRE_BYTES_MAX) return why_set(why, ERR_INVALID, "%zu bytes", text.len);
    enum err err = json_parse(text, &tree, NULL, why);
    if (!err) err = read_tree(arena, tree, wire_out, why);
    json_free(tree);
    return err ? (err == ERR_NOT_FOUND ? err : ERR_INVALID) : OK;
}

struct event *wire_event(struct arena *arena, const struct wire *wire)
{
    ASSERT(wire->kind == WIRE_EVENT);
    struct str legacy = {0}, data = data_of(wire->payload);
    if (wire->legacy) {
        legacy = arena_printf(arena, "{\"type\":\"new_message\",\"data\":%.*s", STR_ARGS(data));
    }
    return event_new(&wire->topic, wire->seq, wire->payload, legacy);
}
