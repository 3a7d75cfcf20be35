/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * townhall/draft.c: a private message to a member while it is being written.
 *
 * Pieces go to the member's own topic, without a number: each says everything
 * from the first word on, so that a device that comes in the middle, or missed
 * one, has all of it with the next. A message is short (LIMIT_MESSAGE_MAX), and
 * pieces that come close together are told as one, so that costs little. What
 * is stored is the whole message alone (words.c); it takes the draft's place.
 */
#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "townhall/internal.h"

enum { SHOWN_MS = 60, TYPING_MS = 4000, DRAFT_BYTES = 64 * 1024 };

static void tell(const struct todo *todo, const char *event_name, struct str text)
{
    struct buf json;
    buf_init(&json, DRAFT_BYTES);
    struct json_out out = json_begin(&json);
    json_open(&out, NULL, '{');
    json_put_str(&out, "event", str_of(event_name));
    json_open(&out, "data", '{');
    json_put_u64(&out, "stream", todo->number);
    json_put_u64(&out, "user_id", cast_user(&todo->hall->cast, todo->effect.who).value);
    if (text.at) json_put_str(&out, "text", text);
    json_close(&out, '}');
    json_close(&out, '}');
    struct topic_name topic = topic_user(todo->reader);
    struct event *event = event_new(&topic, 0, buf_str(&json), STR(""));
    hub_publish(todo->hall->links.hub, &event, 1);
    buf_release(&json);
}

static void tell_typing(struct todo *todo)
{
    char text[96];
    todo->typed_us = clock_mono_us();
    snprintf(text, sizeof(text), "{\"event\":\"typing\",\"data\":{\"user_id\":%llu}}",
             (unsigned long long)cast_user(&todo->hall->cast, todo->effect.who).value);
    struct topic_name topic = topic_user(todo->reader);
    struct event *event = event_new(&topic, 0, str_of(text), STR(""));
    hub_publish(todo->hall->links.hub, &event, 1);
}

void draft_begin(struct todo *todo, struct user_id reader)
{
    todo->reader = reader;
    todo->shown = 0;
    todo->shown_us = 0;
    if (reader.value) tell_typing(todo);
}

void draft_show(struct todo *todo, bool now)
{
    int64_t now_us = clock_mono_us();
    /* Readers take the sign away when they have not heard of it for some seconds (docs/live.md). */
    bool silent = todo->reader.value && todo->shown == 0;
    if (silent && now_us - todo->typed_us >= INT64_C(1000) * TYPING_MS) tell_typing(todo);
    if (todo->reader.value == 0 || todo->said.len <= todo->shown) return;
    if (!now && now_us - todo->shown_us < INT64_C(1000) * SHOWN_MS) return;
    struct arena arena = {0};
    struct str said = lore_vetted(&arena, todo, buf_str(&todo->said), false);
    struct str text = utf8_valid(said) ? text_tidy(&arena, said) : STR("");
    text = trimmed_words(text, LIMIT_MESSAGE_MAX);
    if (text.len == 0) {
        arena_release(&arena);
        return;
    }
    todo->shown = todo->said.len;
    todo->shown_us = now_us;
    todo->drafted = true;
    tell(todo, "message.draft", text);
    arena_release(&arena);
}

void draft_withdraw(struct todo *todo)
{
    if (todo->drafted) tell(todo, "message.withdrawn", (struct str){0});
    todo->drafted = false;
    todo->shown = 0;
    todo->shown_us = 0;
}
