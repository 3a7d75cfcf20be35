/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "unit.h"

#include "hub/redis.h"
#include "hub/wire.h"

#define FROM "\"v\":1,\"from\":\"0123456789abcdef\""
#define PAYLOAD "{\\\"event\\\":\\\"post.created\\\",\\\"data\\\":{\\\"id\\\":7}}"

static const struct {
    const char *text, *host;
    int port, number;
    const char *user, *password;
} addresses[] = {
    {"redis://localhost:6380", "localhost", 6380, 0, "", ""},
    {"redis://localhost", "localhost", 6379, 0, "", ""},
    {"redis://localhost/", "localhost", 6379, 0, "", ""},
    {"redis://:secret@10.0.0.1:7000/3", "10.0.0.1", 7000, 3, "", "secret"},
    {"redis://li:a%40b%3A%2f@[::1]:1/999", "::1", 1, 999, "li", "a@b:/"},
    {"redis://:p@ss@host", "host", 6379, 0, "", "p@ss"},
};

static void an_address_says_where_and_who(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(addresses); i++) {
        struct redis_url url;
        struct why why = {0};
        assert_int_equal(redis_url_parse(str_of(addresses[i].text), &url, &why), OK);
        assert_string_equal(url.host, addresses[i].host);
        assert_int_equal(url.port, addresses[i].port);
        assert_int_equal(url.number, addresses[i].number);
        assert_string_equal(url.user, addresses[i].user);
        assert_string_equal(url.password, addresses[i].password);
    }
}

static void a_wrong_address_is_refused_without_repeating_it(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "hunter2",
        "rediss://:hunter2@h",
        "redis://",
        "redis://:hunter2@",
        "redis://:hunter2@:6379",
        "redis://hunter2@h",
        "redis://:hunter2@h:0",
        "redis://:hunter2@h:65536",
        "redis://:hunter2@h:",
        "redis://:hunter2@h/x",
        "redis://:hunter2@h/1000",
        "redis://:hunter2%@h",
        "redis://:hunter2%00@h",
        "redis://:hunter2@[::1",
        "redis://:hunter2@[::1]6379",
    };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct redis_url url;
        struct why why = {0};
        assert_int_equal(redis_url_parse(str_of(wrong[i]), &url, &why), ERR_INVALID);
        assert_contains(why.text, "setting redis");
        assert_null(strstr(why.text, "hunter2"));
    }
}

static struct wire there_and_back(struct arena *arena, struct wire wire)
{
    struct buf buf;
    struct wire back;
    struct why why = {0};
    buf_init(&buf, WIRE_BYTES_MAX);
    str_copy(wire.from, sizeof(wire.from), STR("00ff00ff00ff00ff"));
    wire_write(&buf, &wire);
    assert_false(buf.failed);
    struct str text = arena_copy(arena, buf_str(&buf));
    buf_release(&buf);
    if (wire_read(arena, text, &back, &why) != OK) fail_msg("%s: %s", text.at, why.text);
    assert_int_equal(back.kind, wire.kind);
    assert_string_equal(back.from, wire.from);
    return back;
}

static void an_event_arrives_as_it_was_sent(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct str payload =
        STR("{\"event\":\"message.created\",\"data\":{\"content\":\"你好 \\\"x\\\"\\n\\u2028\"}}");
    for (int legacy = 0; legacy < 2; legacy++) {
        struct wire wire = {.kind = WIRE_EVENT,
                            .topic = topic_user((struct user_id){7}),
                            .seq = 12,
                            .legacy = legacy,
                            .payload = payload};
        struct wire back = there_and_back(&arena, wire);
        assert_string_equal(back.topic.text, "user:7");
        assert_int_equal(back.seq, 12);
        assert_str_equal(back.payload, payload.at);
        struct event *event = wire_event(&arena, &back);
        assert_str_equal(event->kind, "message.created");
        assert_str_equal(blob_str(event->payload), payload.at);
        if (legacy) {
            struct event *sent =
                event_new(&wire.topic, 12, payload,
                          STR("{\"type\":\"new_message\",\"data\":{\"content\":\"你好 "
                              "\\\"x\\\"\\n\\u2028\"}}"));
            assert_true(str_eq(blob_str(event->legacy), blob_str(sent->legacy)));
            event_unref(sent);
        } else {
            assert_null(event->legacy);
        }
        event_unref(event);
    }
    arena_release(&arena);
}

static void notices_and_presence_arrive_as_they_were_sent(void **state)
{
    (void)state;
    struct arena arena = {0};
    for (enum hub_notice_kind what = NOTICE_SESSION_REVOKED; what <= NOTICE_STOP_ANSWER; what++) {
        struct wire wire = {.kind = WIRE_NOTICE};
        wire.notice.what = what;
        wire.notice.user.value = 3;
        wire.notice.session = 99;
        wire.notice.topic = topic_group((struct group_id){5});
        struct wire back = there_and_back(&arena, wire);
        assert_int_equal(back.notice.what, what);
        assert_int_equal(back.notice.user.value, 3);
        assert_int_equal(back.notice.session, 99);
        assert_string_equal(back.notice.topic.text, what == NOTICE_LEFT_TOPIC ? "group:5" : "");
    }
    struct user_id users[] = {{1}, {22}, {333}};
    struct wire here = {.kind = WIRE_HERE, .users = users, .count = COUNT_OF(users)};
    struct wire back = there_and_back(&arena, here);
    assert_int_equal(back.count, 3);
    assert_memory_equal(back.users, users, sizeof(users));
    here.count = 0;
    assert_int_equal(there_and_back(&arena, here).count, 0);
    struct wire came = {.kind = WIRE_PRESENT, .users = &users[1], .count = 1, .here = true};
    back = there_and_back(&arena, came);
    assert_int_equal(back.users[0].value, 22);
    assert_true(back.here);
    there_and_back(&arena, (struct wire){.kind = WIRE_RESYNC});
    arena_release(&arena);
}

#define EVENT_OF(topic, seq, legacy, payload)                                                      \
    "{" FROM ",\"kind\":\"event\",\"topic\":" topic ",\"seq\":" seq ",\"legacy\":" legacy          \
    ",\"payload\":" payload "}"

static const struct {
    const char *text;
    enum err err;
} strange[] = {
    {EVENT_OF("\"feed\"", "1", "false", "\"" PAYLOAD "\""), OK},
    {EVENT_OF("\"chat:7\"", "1", "false", "\"" PAYLOAD "\""), OK},
    {EVENT_OF("\"feed\"", "1", "false", "\"" PAYLOAD "\"") "x", ERR_INVALID},
    {EVENT_OF("\"feed\"", "-1", "false", "\"" PAYLOAD "\""), ERR_INVALID},
    {EVENT_OF("\"feed\"", "\"1\"", "false", "\"" PAYLOAD "\""), ERR_INVALID},
    {EVENT_OF("\"feed\"", "1", "0", "\"" PAYLOAD "\""), ERR_INVALID},
    {EVENT_OF("\"feeds\"", "1", "false", "\"" PAYLOAD "\""), ERR_INVALID},
    {EVENT_OF("\"user:\"", "1", "false", "\"" PAYLOAD "\""), ERR_INVALID},
    {EVENT_OF("\"user:0\"", "1", "false", "\"" PAYLOAD "\""), ERR_INVALID},
    {EVENT_OF("\"user:07\"", "1", "false", "\"" PAYLOAD "\""), ERR_INVALID},
    {EVENT_OF("\"user:7 \"", "1", "false", "\"" PAYLOAD "\""), ERR_INVALID},
    {EVENT_OF("\"user:7\\\"\"", "1", "false", "\"" PAYLOAD "\""), ERR_INVALID},
    {EVENT_OF("\"town:7\"", "1", "false", "\"" PAYLOAD "\""), ERR_INVALID},
    {EVENT_OF("\"user:99999999999999999999\"", "1", "false", "\"" PAYLOAD "\""), ERR_INVALID},
    {EVENT_OF("\"user:1111111111111111111111111111111111111111111\"", "1", "false",
              "\"" PAYLOAD "\""),
     ERR_INVALID},
    {EVENT_OF("\"feed\"", "1", "false", "{}"), ERR_INVALID},
    {EVENT_OF("\"feed\"", "1", "false", "\"\""), ERR_INVALID},
    {EVENT_OF("\"feed\"", "1", "false", "\"{}\""), ERR_INVALID},
    {EVENT_OF("\"feed\"", "1", "false", "\"{\\\"event\\\":\\\"x\\\"}\""), ERR_INVALID},
    {EVENT_OF("\"feed\"", "1", "false", "\"{\\\"event\\\":\\\"\\\",\\\"data\\\":1}\""),
     ERR_INVALID},
    {EVENT_OF("\"feed\"", "1", "false", "\"{\\\"event\\\":\\\"x\\\",\\\"data\\\":\""), ERR_INVALID},
    {EVENT_OF("\"feed\"", "1", "false", "\"{\\\"event\\\":\\\"x\\\",\\\"data\\\":1} \""),
     ERR_INVALID},
    {EVENT_OF("\"feed\"", "1", "false", "\"\xff\""), ERR_INVALID},
    {"", ERR_INVALID},
    {"null", ERR_INVALID},
    {"{}", ERR_INVALID},
    {"{\"v\":1,\"from\":\"0123\",\"kind\":\"resync\"}", ERR_INVALID},
    {"{\"v\":1,\"from\":\"0123456789abcdeg\",\"kind\":\"resync\"}", ERR_INVALID},
    {"{\"v\":2,\"from\":\"0123456789abcdef\",\"kind\":\"resync\"}", ERR_NOT_FOUND},
    {"{" FROM ",\"kind\":\"song\"}", ERR_NOT_FOUND},
    {"{" FROM ",\"kind\":\"resync\",\"more\":1}", OK},
    {"{" FROM ",\"kind\":\"notice\",\"what\":\"session\",\"user\":1,\"session\":0}", ERR_INVALID},
    {"{" FROM ",\"kind\":\"notice\",\"what\":\"user\",\"user\":1,\"session\":0}", OK},
    {"{" FROM ",\"kind\":\"notice\",\"what\":\"left\",\"user\":1,\"session\":0}", ERR_INVALID},
    {"{" FROM ",\"kind\":\"notice\",\"what\":\"x\",\"user\":1,\"session\":0}", ERR_INVALID},
    {"{" FROM ",\"kind\":\"present\",\"user\":0,\"here\":true}", ERR_INVALID},
    {"{" FROM ",\"kind\":\"present\",\"user\":1}", ERR_INVALID},
    {"{" FROM ",\"kind\":\"here\",\"users\":[1,\"2\"]}", ERR_INVALID},
    {"{" FROM ",\"kind\":\"here\",\"users\":1}", ERR_INVALID},
};

static void what_no_instance_would_say_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(strange); i++) {
        struct arena arena = {0};
        struct wire wire;
        struct why why = {0};
        enum err err = wire_read(&arena, str_of(strange[i].text), &wire, &why);
        if (err != strange[i].err) fail_msg("%s: %s", strange[i].text, err_name(err));
        assert_true(err == OK || why.text[0] != '\0');
        arena_release(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_says_where_and_who),
        cmocka_unit_test(a_wrong_address_is_refused_without_repeating_it),
        cmocka_unit_test(an_event_arrives_as_it_was_sent),
        cmocka_unit_test(notices_and_presence_arrive_as_they_were_sent),
        cmocka_unit_test(what_no_instance_would_say_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
