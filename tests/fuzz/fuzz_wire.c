/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * tests/fuzz/fuzz_wire.c: messages of other instances, from whoever reaches the broker.
 *
 * The first byte chooses what the rest is: 'p' the payload of an event, put into
 * a message here, so that the fuzzer need not quote JSON inside JSON; any other
 * byte: a whole message. Held: what is refused says why; what is let through is
 * what this instance could have written, and comes back the same; an event makes
 * frames that are JSON and say what the message said.
 */
#include "base/json.h"
#include "base/utf8.h"
#include "hub/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* --- the frames of an event --- */

static struct json *parse(struct str text)
{
    struct json *tree = NULL;
    struct why why;
    enum err err = json_parse(text, &tree, NULL, &why);
    ASSERT(err == OK);
    return tree;
}

static void check_member(const struct json *tree, const char *name, struct str wanted)
{
    struct str text;
    ASSERT(json_as_str(json_get(tree, name), &text) && str_eq(text, wanted));
}

static void check_text(const struct event *event)
{
    struct json *tree = parse(event->text);
    uint64_t id = 0;
    check_member(tree, "type", STR("event"));
    check_member(tree, "topic", topic_public_name(&event->topic));
    ASSERT(json_as_u64(json_get(tree, "id"), &id) == (event->seq > 0) && id == event->seq);
    ASSERT(json_get(tree, "event") && json_get(tree, "data"));
    ASSERT(str_ends(event->text, STR("}"))); /* a frame carries no blanks of strangers behind it */
    json_free(tree);
}

/* The head of a frame of a server: two bytes, then two or eight more for longer texts. */
static struct str frame_text(const struct blob *frame)
{
    struct str bytes = blob_str(frame);
    ASSERT(bytes.len > 2 && (unsigned char)bytes.at[0] == 0x81);
    unsigned char len = (unsigned char)bytes.at[1];
    return str_from(bytes, len < 126 ? 2 : len == 126 ? 4 : 10);
}

static void check_event(struct arena *arena, const struct wire *wire)
{
    struct event *event = wire_event(arena, wire);
    ASSERT(str_eq(blob_str(event->payload), wire->payload) && event->seq == wire->seq);
    ASSERT(event->kind.len > 0 && utf8_valid(event->kind));
    ASSERT((event->legacy != NULL) == wire->legacy);
    check_text(event);
    ASSERT(str_eq(frame_text(event->frame), event->text));
    if (event->legacy) {
        struct json *tree = parse(frame_text(event->legacy));
        check_member(tree, "type", STR("new_message"));
        ASSERT(json_get(tree, "data"));
        json_free(tree);
    }
    event_unref(event);
}

/* --- any message --- */

static bool is_same_topic(const struct topic_name *a, const struct topic_name *b)
{
    return strcmp(a->text, b->text) == 0;
}

static bool is_same(const struct wire *a, const struct wire *b)
{
    if (a->kind != b->kind || strcmp(a->from, b->from) != 0) return false;
    if (a->here != b->here || a->count != b->count) return false;
    for (size_t i = 0; i < a->count; i++) {
        if (a->users[i].value != b->users[i].value) return false;
    }
    return is_same_topic(&a->topic, &b->topic) && a->seq == b->seq && a->legacy == b->legacy &&
           str_eq(a->payload, b->payload) && a->notice.what == b->notice.what &&
           a->notice.user.value == b->notice.user.value && a->notice.session == b->notice.session &&
           is_same_topic(&a->notice.topic, &b->notice.topic);
}

/* One that the hub itself would have named so: it goes into frames unescaped. */
static void check_topic(const struct topic_name *topic)
{
    struct str text = str_of(topic->text);
    if (str_eq(text, STR("feed"))) return;
    uint64_t id = 0;
    bool has_id = str_to_u64(str_from(text, str_find_byte(text, ':') + 1), &id);
    ASSERT(has_id && id > 0);
    struct topic_name names[] = {
        topic_user((struct user_id){id}), topic_group((struct group_id){id}),
        topic_post((struct post_id){id}), topic_presence((struct user_id){id})};
    bool known = false;
    for (size_t i = 0; i < COUNT_OF(names); i++) known = known || is_same_topic(topic, &names[i]);
    ASSERT(known);
}

static void check_values(const struct wire *wire)
{
    ASSERT(wire->kind < WIRE_KINDS && strlen(wire->from) == WIRE_ID_BYTES - 1);
    for (size_t i = 0; i < wire->count; i++) ASSERT(wire->users[i].value > 0);
    ASSERT(wire->kind != WIRE_PRESENT || wire->count == 1);
    ASSERT(wire->kind != WIRE_NOTICE || wire->notice.user.value > 0);
    if (wire->kind == WIRE_EVENT) check_topic(&wire->topic);
    if (wire->kind == WIRE_NOTICE && wire->notice.what == NOTICE_LEFT_TOPIC) {
        check_topic(&wire->notice.topic);
    }
}

static void check_message(struct str text)
{
    struct arena arena = {0};
    struct wire wire, again;
    struct why why = {0};
    enum err err = wire_read(&arena, text, &wire, &why);
    if (err) {
        ASSERT((err == ERR_INVALID || err == ERR_NOT_FOUND) && why.text[0] != '\0');
        arena_release(&arena);
        return;
    }
    check_values(&wire);
    struct buf written;
    buf_init(&written, WIRE_BYTES_MAX);
    wire_write(&written, &wire);
    ASSERT(!written.failed);
    err = wire_read(&arena, buf_str(&written), &again, &why);
    ASSERT(err == OK && is_same(&wire, &again));
    buf_release(&written);
    if (wire.kind == WIRE_EVENT) check_event(&arena, &wire);
    arena_release(&arena);
}

static void check_payload(struct str payload, bool legacy)
{
    struct buf message;
    if (!utf8_valid(payload)) return; /* wire_write() gets only what went through json.h */
    struct wire wire = {.kind = WIRE_EVENT,
                        .from = "0123456789abcdef",
                        .topic = topic_user((struct user_id){7}),
                        .seq = payload.len,
                        .legacy = legacy,
                        .payload = payload};
    buf_init(&message, WIRE_BYTES_MAX);
    wire_write(&message, &wire);
    ASSERT(!message.failed);
    check_message(buf_str(&message));
    buf_release(&message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    struct str rest = {(const char *)data + 1, size - 1};
    if (data[0] == 'p') {
        check_payload(rest, false);
        check_payload(rest, true);
    } else {
        check_message(rest);
    }
    return 0;
}
