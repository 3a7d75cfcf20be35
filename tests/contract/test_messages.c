/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Private messages, conversations and groups, on both engines. */
#include "base/embedded.h"
#include "house.h"
#include "store/events.h"
#include "store/groups.h"
#include "store/migrate.h"
#include "unit.h"

static enum err try_send(struct database *d, struct message_draft draft, struct message_id *id_out)
{
    struct why why;
    draft.created_us = HOUSE_NOW_US;
    change_begin(d);
    enum err err = messages_add(d->db, &draft, id_out, &why);
    if (err) {
        db_rollback(d->db);
    } else {
        change_end(d);
    }
    return err;
}

static struct message_id send(struct database *d, struct user_id from, struct user_id to,
                              const char *content)
{
    struct message_id id = {0};
    struct message_draft draft = {.sender = from, .receiver = to, .content = str_of(content)};
    assert_int_equal(try_send(d, draft, &id), OK);
    return id;
}

static struct message_id send_group(struct database *d, struct user_id from, struct group_id group,
                                    const char *content)
{
    struct message_id id = {0};
    struct message_draft draft = {.sender = from, .group = group, .content = str_of(content)};
    assert_int_equal(try_send(d, draft, &id), OK);
    return id;
}

static struct message load(struct database *d, struct message_id id)
{
    struct why why;
    struct message message = {0};
    must(messages_load(d->db, &d->arena, id, &message, &why), &why);
    return message;
}

static void take_back(struct database *d, struct message_id id)
{
    struct why why;
    struct message message = load(d, id);
    change_begin(d);
    must(messages_remove(d->db, &message, &why), &why);
    change_end(d);
}

static bool read_all(struct database *d, struct user_id user, struct user_id partner)
{
    struct why why;
    bool changed = false;
    change_begin(d);
    must(conversations_read(d->db, user, partner, &changed, &why), &why);
    change_end(d);
    return changed;
}

/* A read one has a dot behind it. */
static void see_message(void *ctx, const struct message *message)
{
    char text[64];
    int len = snprintf(text, sizeof(text), "%.*s%s", STR_ARGS(message->content),
                       message->is_read ? "." : "");
    seen_add(ctx, (struct str){text, (size_t)len});
}

static void assert_history(struct database *d, struct messages_query query, const char *expected)
{
    struct why why;
    struct seen seen = {0};
    if (query.limit == 0) query.limit = 100;
    must(messages_list(d->db, &query, see_message, &seen, &why), &why);
    assert_seen(&seen, expected);
}

/* "partner:last:unread", with a "<" where the last one is the user's own. */
static void see_conversation(void *ctx, const struct conversation *c)
{
    char text[128];
    int len = snprintf(text, sizeof(text), "%.*s:%s%.*s:%llu", STR_ARGS(c->partner.username),
                       c->last_is_mine ? "<" : "", STR_ARGS(c->last_content),
                       (unsigned long long)c->unread_count);
    seen_add(ctx, (struct str){text, (size_t)len});
}

/* The list, and that the total agrees with it. */
static void assert_conversations(struct database *d, struct user_id user, const char *expected,
                                 uint64_t unread)
{
    struct why why;
    struct seen seen = {0};
    uint64_t total = 99;
    must(conversations_list(d->db, user, 0, 100, see_conversation, &seen, &why), &why);
    assert_seen(&seen, expected);
    must(conversations_unread(d->db, user, &total, &why), &why);
    assert_int_equal(total, unread);
}

static struct conversations_version version_now(struct database *d)
{
    struct why why;
    struct query *moment;
    struct conversations_version version;
    assert_true(conversations_load_version(d->db, STR("user:1"), &version, &moment));
    must(query_end(moment, &why), &why);
    return version;
}

/* Whatever a list shows changes with one of the two numbers, or lists kept by them would be old. */
static void a_list_has_another_version_after_an_event_and_after_a_profile(struct database *d)
{
    house_open(d);
    struct why why;
    struct user_id mei = house_user(d, "mei");
    uint64_t seq;
    struct conversations_version none = version_now(d);
    assert_int_equal(none.events, 0);
    change_begin(d);
    must(events_add(d->db, STR("user:1"), STR(""), STR("{}"), 1, &seq, &why), &why);
    must(events_add(d->db, STR("user:2"), STR(""), STR("{}"), 1, &seq, &why), &why);
    must(events_add(d->db, STR("user:2"), STR(""), STR("{}"), 1, &seq, &why), &why);
    change_end(d);
    struct conversations_version told = version_now(d);
    assert_int_equal(told.events, 1);
    assert_int_equal(told.profiles, none.profiles);
    for (int i = 0; i < 2; i++) { /* also where it stays what it was */
        change_begin(d);
        must(users_set_profile(d->db, mei, STR("Mei"), STR("p.png"), STR(""), 7, &why), &why);
        change_end(d);
    }
    struct conversations_version changed = version_now(d);
    assert_int_equal(changed.events, 1);
    assert_int_equal(changed.profiles, none.profiles + 2);
}

/* --- private --- */

static void both_sides_see_the_same_history(struct database *d)
{
    house_open(d);
    struct user_id mei = house_user(d, "mei"), bo = house_user(d, "bo"), cy = house_user(d, "cy");
    struct message_id ids[5];
    ids[0] = send(d, mei, bo, "a");
    send(d, mei, cy, "not here");
    ids[1] = send(d, bo, mei, "b");
    ids[2] = send(d, mei, bo, "c");
    send(d, cy, bo, "nor this");
    ids[3] = send(d, bo, mei, "d");
    ids[4] = send(d, mei, bo, "e");
    for (int side = 0; side < 2; side++) {
        struct messages_query query = {.reader = side ? bo : mei, .partner = side ? mei : bo};
        assert_history(d, query, "e d c b a");
        query.limit = 2;
        query.skip = 3;
        assert_history(d, query, "b a");
        query.skip = 0;
        query.before = ids[3].value;
        assert_history(d, query, "c b");
        query.before = 0;
        query.after = ids[1].value;
        assert_history(d, query, "c d");
    }
    assert_history(d, (struct messages_query){.reader = bo, .partner = {4711}}, "");
}

static void unread_counts_and_read_marks_agree(struct database *d)
{
    house_open(d);
    struct user_id mei = house_user(d, "mei"), bo = house_user(d, "bo"), cy = house_user(d, "cy");
    assert_false(read_all(d, bo, mei));
    send(d, mei, bo, "a");
    send(d, mei, bo, "b");
    send(d, cy, bo, "c");
    assert_conversations(d, bo, "cy:c:1 mei:b:2", 3);
    assert_conversations(d, mei, "bo:<b:0", 0);
    assert_conversations(d, cy, "bo:<c:0", 0);
    assert_true(read_all(d, bo, mei));
    assert_false(read_all(d, bo, mei));
    assert_conversations(d, bo, "cy:c:1 mei:b:0", 1);
    send(d, bo, mei, "x"); /* answering reads nothing by itself */
    send(d, mei, bo, "d");
    assert_history(d, (struct messages_query){.reader = bo, .partner = mei}, "d x b. a.");
    assert_history(d, (struct messages_query){.reader = mei, .partner = bo}, "d x b. a.");
    assert_conversations(d, bo, "mei:d:1 cy:c:1", 2);
    assert_conversations(d, mei, "bo:<d:1", 1);
    assert_true(read_all(d, mei, bo));
    assert_history(d, (struct messages_query){.reader = bo, .partner = mei}, "d x. b. a.");
}

static void conversations_come_in_pages(struct database *d)
{
    house_open(d);
    struct why why;
    struct user_id mei = house_user(d, "mei");
    struct message_id ids[4];
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        struct str name = arena_printf(&d->arena, "p%zu", i);
        ids[i] = send(d, house_user(d, name.at), mei, name.at);
    }
    struct seen seen = {0};
    must(conversations_list(d->db, mei, 0, 2, see_conversation, &seen, &why), &why);
    assert_seen(&seen, "p3:p3:1 p2:p2:1");
    must(conversations_list(d->db, mei, ids[2].value, 2, see_conversation, &seen, &why), &why);
    assert_seen(&seen, "p1:p1:1 p0:p0:1");
}

static void a_message_sent_twice_is_stored_once(struct database *d)
{
    house_open(d);
    struct why why;
    struct user_id mei = house_user(d, "mei"), bo = house_user(d, "bo");
    struct message_id id, again;
    struct message_draft draft = {
        .sender = mei, .receiver = bo, .content = STR("hi"), .client_id = STR("c-1")};
    assert_int_equal(try_send(d, draft, &id), OK);
    assert_int_equal(try_send(d, draft, &again), ERR_CONFLICT);
    assert_conversations(d, bo, "mei:hi:1", 1);
    struct message found;
    must(messages_load_by_client(d->db, &d->arena, mei, STR("c-1"), &found, &why), &why);
    assert_int_equal(found.id.value, id.value);
    assert_str_equal(found.client_id, "c-1");
    assert_int_equal(messages_load_by_client(d->db, &d->arena, bo, STR("c-1"), &found, &why),
                     ERR_NOT_FOUND);
    assert_int_equal(messages_load_by_client(d->db, &d->arena, mei, STR("c-1 "), &found, &why),
                     ERR_NOT_FOUND);
    /* Another's name for theirs, another spelling, and none at all are no conflict. */
    const struct {
        struct user_id from;
        struct str client_id;
    } others[] = {{bo, STR("c-1")}, {mei, STR("C-1")}, {mei, STR("c-1 ")}, {mei, {0}}, {mei, {0}}};
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        draft.sender = others[i].from;
        draft.receiver = others[i].from.value == mei.value ? bo : mei;
        draft.client_id = others[i].client_id;
        assert_int_equal(try_send(d, draft, &again), OK);
    }
    draft = (struct message_draft){.sender = mei, .receiver = {4711}, .content = STR("x")};
    assert_int_equal(try_send(d, draft, &again), ERR_INVALID);
}

static void taking_messages_back_keeps_every_count(struct database *d)
{
    house_open(d);
    struct user_id mei = house_user(d, "mei"), bo = house_user(d, "bo");
    struct message_id a = send(d, mei, bo, "a"), b = send(d, mei, bo, "b");
    assert_true(read_all(d, bo, mei));
    struct message_id c = send(d, mei, bo, "c"), e = send(d, bo, mei, "d");
    struct message_id f = send(d, mei, bo, "e");
    assert_conversations(d, bo, "mei:e:2", 2);
    take_back(d, c); /* an unread one in the middle */
    assert_conversations(d, bo, "mei:e:1", 1);
    take_back(d, a); /* a read one */
    assert_conversations(d, bo, "mei:e:1", 1);
    take_back(d, f); /* the last */
    assert_conversations(d, bo, "mei:<d:0", 0);
    assert_conversations(d, mei, "bo:d:1", 1);
    take_back(d, e); /* the other side's unread one */
    assert_conversations(d, mei, "bo:<b:0", 0);
    assert_conversations(d, bo, "mei:b:0", 0);
    take_back(d, b); /* nothing is left, and nothing is listed */
    assert_conversations(d, bo, "", 0);
    assert_conversations(d, mei, "", 0);
    send(d, mei, bo, "again");
    assert_conversations(d, bo, "mei:again:1", 1);
    struct conversation_side side;
    struct why why;
    must(conversations_load(d->db, mei, bo, &side, &why), &why);
    assert_int_equal(side.messages_count, 1);
}

/* Loaded before it was read, or before somebody else removed it: what counts is the row. */
static void a_stale_copy_does_not_spoil_the_counts(struct database *d)
{
    house_open(d);
    struct why why;
    struct user_id mei = house_user(d, "mei"), bo = house_user(d, "bo");
    send(d, mei, bo, "a");
    struct message message = load(d, send(d, mei, bo, "b"));
    assert_false(message.is_read);
    assert_true(read_all(d, bo, mei));
    change_begin(d);
    must(messages_remove(d->db, &message, &why), &why);
    assert_int_equal(messages_remove(d->db, &message, &why), ERR_NOT_FOUND);
    change_end(d);
    assert_conversations(d, bo, "mei:a:0", 0);
    struct conversation_side side;
    must(conversations_load(d->db, bo, mei, &side, &why), &why);
    assert_int_equal(side.messages_count, 1);
}

/* --- groups --- */

static struct group_id new_group(struct database *d, struct user_id owner)
{
    struct why why;
    struct group_id id = {0};
    change_begin(d);
    must(groups_add(d->db, STR("胡同"), STR("online"), owner, HOUSE_NOW_US, &id, &why), &why);
    must(groups_add_member(d->db, id, owner, HOUSE_NOW_US, &why), &why);
    change_end(d);
    return id;
}

static void join(struct database *d, struct group_id group, struct user_id user)
{
    struct why why;
    change_begin(d);
    must(groups_add_member(d->db, group, user, HOUSE_NOW_US, &why), &why);
    change_end(d);
}

static void assert_unread(struct database *d, struct group_id id, struct user_id user,
                          uint64_t unread)
{
    struct why why;
    struct group group;
    must(groups_load(d->db, &d->arena, id, user, &group, &why), &why);
    if (group.unread_count != unread) {
        fail_msg("%llu unread, not %llu", (unsigned long long)group.unread_count,
                 (unsigned long long)unread);
    }
}

static void see_member(void *ctx, const struct group_member *member)
{
    seen_add(ctx, member->user.username);
}

static void members_come_and_go(struct database *d)
{
    house_open(d);
    struct why why;
    struct user_id mei = house_user(d, "mei"), bo = house_user(d, "bo"), cy = house_user(d, "cy");
    struct group_id id = new_group(d, mei);
    join(d, id, cy);
    join(d, id, bo);
    change_begin(d);
    assert_int_equal(groups_add_member(d->db, id, bo, 1, &why), ERR_CONFLICT);
    assert_int_equal(groups_add_member(d->db, id, (struct user_id){4711}, 1, &why), ERR_INVALID);
    assert_int_equal(groups_add_member(d->db, (struct group_id){4711}, bo, 1, &why), ERR_NOT_FOUND);
    change_end(d);
    struct seen seen = {0};
    must(groups_members(d->db, id, 10, see_member, &seen, &why), &why);
    assert_seen(&seen, "mei bo cy");
    must(groups_members(d->db, id, 2, see_member, &seen, &why), &why);
    assert_seen(&seen, "mei bo");
    bool is_member = false, was_member = false;
    must(groups_is_member(d->db, id, bo, &is_member, &why), &why);
    assert_true(is_member);
    change_begin(d);
    must(groups_remove_member(d->db, id, mei, &was_member, &why), &why);
    assert_true(was_member);
    must(groups_remove_member(d->db, id, mei, &was_member, &why), &why);
    assert_false(was_member);
    struct user_id first;
    must(groups_first_member(d->db, id, &first, &why), &why);
    assert_int_equal(first.value, bo.value);
    must(groups_set_owner(d->db, id, first, &why), &why);
    must(groups_rename(d->db, id, STR("新名字"), &why), &why);
    change_end(d);
    uint64_t count = 0;
    must(groups_count_members(d->db, id, &count, &why), &why);
    assert_int_equal(count, 2);
    struct group group;
    assert_int_equal(groups_load(d->db, &d->arena, id, mei, &group, &why), ERR_NOT_FOUND);
    must(groups_load(d->db, &d->arena, id, cy, &group, &why), &why);
    assert_str_equal(group.name, "新名字");
    assert_str_equal(group.type, "online");
    assert_int_equal(group.owner.value, bo.value);
    assert_int_equal(group.members_count, 2);
    must(groups_first_member(d->db, (struct group_id){4711}, &first, &why), &why);
    assert_int_equal(first.value, 0);
}

static void unread_in_groups_is_counted_for_each_member(struct database *d)
{
    house_open(d);
    struct why why;
    struct user_id mei = house_user(d, "mei"), bo = house_user(d, "bo"), cy = house_user(d, "cy");
    struct group_id id = new_group(d, mei);
    join(d, id, bo);
    struct message_id a = send_group(d, mei, id, "a"), b = send_group(d, mei, id, "b");
    join(d, id, cy); /* what was said before they came is nothing they missed */
    struct message_id c = send_group(d, mei, id, "c");
    assert_unread(d, id, mei, 0);
    assert_unread(d, id, bo, 3);
    assert_unread(d, id, cy, 1);
    struct messages_query query = {.reader = bo, .group = id};
    assert_history(d, query, "c b a");
    query.before = c.value;
    assert_history(d, query, "b a");
    query.before = 0;
    query.after = a.value;
    assert_history(d, query, "b c");
    take_back(d, b); /* read by cy, not by bo */
    assert_unread(d, id, bo, 2);
    assert_unread(d, id, cy, 1);
    take_back(d, c);
    assert_unread(d, id, bo, 1);
    assert_unread(d, id, cy, 0);
    assert_unread(d, id, mei, 0);
    change_begin(d);
    must(groups_read(d->db, id, bo, &why), &why);
    change_end(d);
    assert_unread(d, id, bo, 0);
    send_group(d, bo, id, "d"); /* who writes has read */
    assert_unread(d, id, mei, 1);
    assert_unread(d, id, cy, 1);
    assert_unread(d, id, bo, 0);
    struct message message = load(d, a);
    change_begin(d);
    must(messages_remove(d->db, &message, &why), &why);
    assert_int_equal(messages_remove(d->db, &message, &why), ERR_NOT_FOUND);
    change_end(d);
    assert_unread(d, id, mei, 1);
    assert_unread(d, id, bo, 0);
}

static void see_group(void *ctx, const struct group *group)
{
    char text[128];
    int len = snprintf(text, sizeof(text), "%.*s:%.*s:%llu", STR_ARGS(group->name),
                       STR_ARGS(group->last_content), (unsigned long long)group->unread_count);
    seen_add(ctx, (struct str){text, (size_t)len});
}

static void the_list_of_groups_shows_the_newest_message(struct database *d)
{
    house_open(d);
    struct why why;
    struct user_id mei = house_user(d, "mei"), bo = house_user(d, "bo");
    struct group_id one = new_group(d, mei), two = new_group(d, mei);
    new_group(d, bo);
    send_group(d, mei, one, "a");
    struct message_id b = send_group(d, mei, one, "b");
    struct seen seen = {0};
    must(groups_list(d->db, mei, 0, 10, see_group, &seen, &why), &why);
    assert_seen(&seen, "胡同:b:0 胡同::0");
    must(groups_list(d->db, mei, one.value, 10, see_group, &seen, &why), &why);
    assert_seen(&seen, "胡同::0");
    take_back(d, b);
    must(groups_list(d->db, mei, 0, 1, see_group, &seen, &why), &why);
    assert_seen(&seen, "胡同:a:0");
    change_begin(d);
    must(groups_remove(d->db, one, &why), &why);
    change_end(d);
    must(groups_list(d->db, mei, 0, 10, see_group, &seen, &why), &why);
    assert_seen(&seen, "胡同::0");
    assert_int_equal(must_number(d->db, "SELECT COUNT(*) FROM messages"), 0);
    struct group group;
    must(groups_load(d->db, &d->arena, two, mei, &group, &why), &why);
    assert_int_equal(group.messages_count, 0);
}

static void groups_and_conversations_do_not_mix(struct database *d)
{
    house_open(d);
    struct user_id mei = house_user(d, "mei"), bo = house_user(d, "bo");
    struct group_id id = new_group(d, mei);
    join(d, id, bo);
    send_group(d, mei, id, "for all");
    send(d, mei, bo, "for you");
    assert_history(d, (struct messages_query){.reader = bo, .partner = mei}, "for you");
    assert_history(d, (struct messages_query){.reader = bo, .group = id}, "for all");
    assert_conversations(d, bo, "mei:for you:1", 1);
}

static uint64_t owner_of(struct database *d, struct group_id id)
{
    char text[100];
    snprintf(text, sizeof text,
             "SELECT COALESCE(SUM(owner_id), 0) FROM chat_groups WHERE id = %llu",
             (unsigned long long)id.value);
    return must_number(d->db, text);
}

/* As MariaDB left them where two went at the same moment, before a group was held for it. */
static void groups_whose_owner_is_not_in_them_get_one(struct database *d)
{
    struct why why;
    house_open_before(d, "_group_owners.sql");
    struct user_id mei = house_user(d, "mei"), dog = house_user(d, "dog");
    struct user_id bo = house_user(d, "bo"), cy = house_user(d, "cy");
    struct group_id sound = new_group(d, cy), left = new_group(d, mei), empty = new_group(d, mei);
    struct group_id pets = new_group(d, mei);
    must(db_script(d->db, STR("UPDATE users SET is_ai = 1 WHERE username = 'dog'"), &why), &why);
    join(d, sound, bo);
    join(d, left, dog);
    join(d, left, cy);
    join(d, left, bo);
    join(d, pets, dog);
    change_begin(d);
    for (size_t i = 0; i < 3; i++) {
        bool was;
        struct group_id id = (struct group_id[]){left, empty, pets}[i];
        must(groups_remove_member(d->db, id, mei, &was, &why), &why);
    }
    change_end(d);
    must(migrate_run(d->db, embedded_files, &why), &why);
    assert_int_equal(owner_of(d, sound), cy.value);
    assert_int_equal(owner_of(d, left), bo.value);
    assert_int_equal(owner_of(d, pets), dog.value);
    assert_int_equal(owner_of(d, empty), 0);
    assert_int_equal(must_number(d->db, "SELECT COUNT(*) FROM chat_groups"), 3);
}

int main(void)
{
    static const struct database_test tests[] = {
        DATABASE_TEST(a_list_has_another_version_after_an_event_and_after_a_profile),
        DATABASE_TEST(both_sides_see_the_same_history),
        DATABASE_TEST(unread_counts_and_read_marks_agree),
        DATABASE_TEST(conversations_come_in_pages),
        DATABASE_TEST(a_message_sent_twice_is_stored_once),
        DATABASE_TEST(taking_messages_back_keeps_every_count),
        DATABASE_TEST(a_stale_copy_does_not_spoil_the_counts),
        DATABASE_TEST(members_come_and_go),
        DATABASE_TEST(unread_in_groups_is_counted_for_each_member),
        DATABASE_TEST(the_list_of_groups_shows_the_newest_message),
        DATABASE_TEST(groups_and_conversations_do_not_mix),
        DATABASE_TEST(groups_whose_owner_is_not_in_them_get_one),
    };
    return database_run_tests("messages", tests, COUNT_OF(tests));
}
