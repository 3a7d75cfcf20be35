/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "community/letters.h"

#include "base/limits.h"
#include "base/utf8.h"
#include "community/shapes.h"

/* --- messages --- */

/* And stay one until the change is done: the group is held. */
static enum err must_be_member(struct act *act, struct group_id group, struct user_id user,
                               struct why *why)
{
    bool member = false;
    enum err err = groups_lock(act->db, group, why);
    if (!err) err = groups_is_member(act->db, group, user, &member, why);
    if (err || member) return err;
    return why_set(why, ERR_NOT_FOUND, "群聊不存在 (no such group, or you are not in it)");
}

static enum err check_addressee(struct act *act, const struct letter_draft *draft, struct why *why)
{
    if (draft->group.value) return must_be_member(act, draft->group, act->me, why);
    struct standing standing;
    enum err err = users_load_standing(act->db, draft->to, &standing, why);
    if (err) return err;
    if (draft->to.value != act->me.value) return OK;
    return why_set(why, ERR_INVALID, "不能给自己发消息 (you cannot write to yourself)");
}

/* To the group, or to both; old clients hear of what they receive. */
static void tell_place(struct act *act, const struct message *message, const char *kind,
                       struct str data, bool legacy)
{
    struct str mark = act_mark(act, "message", message->id.value);
    if (message->group.value) {
        act_tell_words(act, topic_group(message->group), kind, mark, data, false);
        return;
    }
    act_tell_words(act, topic_user(message->receiver), kind, mark, data, legacy);
    act_tell_words(act, topic_user(message->sender.id), kind, mark, data, false);
}

static void unsay(struct act *act, const struct message *message)
{
    struct str mark = act_mark(act, "message", message->id.value);
    if (message->group.value) {
        act_unsay(act, topic_group(message->group), mark);
        return;
    }
    act_unsay(act, topic_user(message->receiver), mark);
    act_unsay(act, topic_user(message->sender.id), mark);
}

/* Sent before? Then this is the same message: stored once, told once. ERR_NOT_FOUND: it is new. */
static enum err find_sent(struct act *act, const struct letter_draft *draft, struct str content,
                          struct str client_id, struct message *message_out, struct why *why)
{
    enum err err =
        messages_load_by_client(act->db, act->arena, act->me, client_id, message_out, why);
    if (err) return err;
    uint64_t to = draft->group.value ? 0 : draft->to.value;
    /* An OK would let the sender believe that the one they write to now has it, or these words. */
    if (message_out->receiver.value != to || message_out->group.value != draft->group.value) {
        return why_set(why, ERR_CONFLICT, "this client_id was used for a message to somebody else");
    }
    if (!str_eq(message_out->content, content)) {
        return why_set(why, ERR_CONFLICT, "this client_id was used for a message of other words");
    }
    return OK;
}

enum err letters_send(struct act *act, const struct letter_draft *draft,
                      struct message *message_out, struct why *why)
{
    enum err err = check_addressee(act, draft, why);
    if (err) return err;
    struct str content, client_id = {0};
    err = text_check("content", text_lines(act->arena, draft->content), 1, LIMIT_MESSAGE_MAX,
                     &content, why);
    if (!err && draft->client_id.at) {
        err = text_check("client_id", draft->client_id, 1, LIMIT_CLIENT_ID_MAX, &client_id, why);
    }
    if (err) return err;
    if (client_id.at) {
        err = find_sent(act, draft, content, client_id, message_out, why);
        if (err != ERR_NOT_FOUND) return err;
    }
    struct message_draft row = {.sender = act->me,
                                .receiver = draft->group.value ? (struct user_id){0} : draft->to,
                                .group = draft->group,
                                .content = content,
                                .client_id = client_id,
                                .created_us = act->now_us};
    struct message_id id;
    err = messages_add(act->db, &row, &id, why);
    if (err == ERR_CONFLICT) return why_set(why, ERR_BUSY, "the same message came twice at once");
    if (err == ERR_INVALID) return why_set(why, ERR_NOT_FOUND, "用户不存在 (no such user)");
    if (err) return err;
    struct user sender;
    err = users_load(act->db, act->arena, act->me, &sender, why);
    if (err) return err;
    *message_out = (struct message){.id = id,
                                    .sender = sender.brief,
                                    .receiver = row.receiver,
                                    .group = row.group,
                                    .content = arena_copy(act->arena, content),
                                    .client_id = client_id,
                                    .created_us = act->now_us};
    tell_place(act, message_out, "message.created", shape_message_text(act->arena, message_out),
               true);
    return OK;
}

static enum err remove_message(struct act *act, const struct message *message, struct why *why)
{
    enum err err = messages_remove(act->db, message, why);
    if (err) return err;
    struct str data = arena_printf(act->arena, "{\"id\":%llu,\"sender_id\":%llu}",
                                   (unsigned long long)message->id.value,
                                   (unsigned long long)message->sender.id.value);
    unsay(act, message);
    tell_place(act, message, "message.deleted", data, false);
    return OK;
}

enum err letters_remove(struct act *act, struct message_id id, struct why *why)
{
    struct message message;
    enum err err = messages_load(act->db, act->arena, id, &message, why);
    bool mine = !err && message.sender.id.value == act->me.value;
    /* A message that isn't theirs is none of their business: not even that it exists. */
    if (!err && !mine) return why_set(why, ERR_NOT_FOUND, "消息不存在 (no such message)");
    return err ? err : remove_message(act, &message, why);
}

enum err letters_remove_reported(struct act *act, struct message_id id, struct why *why)
{
    struct message message;
    enum err err = messages_load(act->db, act->arena, id, &message, why);
    if (!err) err = remove_message(act, &message, why);
    if (err) return err;
    /* Not what it said: it was private, and the report keeps it. */
    struct str detail = arena_printf(act->arena, "@%.*s", STR_ARGS(message.sender.username));
    return act_audit(act, AUDIT_MESSAGE_REMOVED, "message", id.value, detail, why);
}

enum err letters_read(struct act *act, struct user_id from, struct why *why)
{
    bool changed;
    enum err err = conversations_read(act->db, act->me, from, &changed, why);
    if (err || !changed) return err;
    struct conversation_side side;
    err = conversations_load(act->db, act->me, from, &side, why);
    if (err) return err;
    struct str data =
        arena_printf(act->arena, "{\"reader_id\":%llu,\"partner_id\":%llu,\"read_id\":%llu}",
                     (unsigned long long)act->me.value, (unsigned long long)from.value,
                     (unsigned long long)side.read_id);
    struct str mine = arena_printf(act->arena, "read:%llu", (unsigned long long)from.value);
    act_tell(act, topic_user(act->me), "message.read", mine, data, false);
    struct str theirs = arena_printf(act->arena, "read-by:%llu", (unsigned long long)act->me.value);
    act_tell(act, topic_user(from), "message.read", theirs, data, false);
    return OK;
}

/* --- groups --- */

static struct str group_and_user(struct act *act, struct group_id group, struct user_id user)
{
    return arena_printf(act->arena, "{\"group_id\":%llu,\"user_id\":%llu}",
                        (unsigned long long)group.value, (unsigned long long)user.value);
}

/* Told to the one it is about too: their other topics don't know the group yet, or any more. */
static void tell_membership(struct act *act, const char *kind, struct group_id group,
                            struct user_id user)
{
    struct str data = group_and_user(act, group, user);
    act_tell(act, topic_group(group), kind, STR(""), data, false);
    act_tell(act, topic_user(user), kind, STR(""), data, false);
}

/* The group is held, or new: nobody else is counted meanwhile. */
static enum err add_member(struct act *act, struct group_id group, struct user_id user,
                           struct why *why)
{
    struct standing standing;
    enum err err = users_load_standing(act->db, user, &standing, why);
    if (err) return err;
    uint64_t count;
    err = groups_count_members(act->db, group, &count, why);
    if (err) return err;
    if (count >= LIMIT_GROUP_MEMBERS) {
        return why_set(why, ERR_CONFLICT, "a group takes at most %d members", LIMIT_GROUP_MEMBERS);
    }
    err = groups_add_member(act->db, group, user, act->now_us, why);
    if (err == ERR_INVALID) return why_set(why, ERR_NOT_FOUND, "用户不存在 (no such user)");
    if (err == ERR_CONFLICT) return why_set(why, err, "已在群中 (is in the group already)");
    if (!err) tell_membership(act, "group.joined", group, user);
    return err;
}

/* The founder is in already, and who is named twice comes once. */
static bool is_named_before(const struct act *act, const uint64_t *members, size_t at)
{
    for (size_t i = 0; i < at; i++) {
        if (members[i] == members[at]) return true;
    }
    return members[at] == act->me.value;
}

enum err groups_create(struct act *act, struct str raw, const uint64_t *members,
                       size_t member_count, struct group *group_out, struct why *why)
{
    struct str name;
    enum err err = name_check("name", raw, 1, LIMIT_GROUP_NAME_MAX, &name, why);
    if (err) return err;
    struct group_id id;
    err = groups_add(act->db, name, STR("online"), act->me, act->now_us, &id, why);
    if (!err) err = add_member(act, id, act->me, why);
    for (size_t i = 0; i < member_count && !err; i++) {
        if (is_named_before(act, members, i)) continue;
        err = add_member(act, id, (struct user_id){members[i]}, why);
    }
    return err ? err : groups_load(act->db, act->arena, id, act->me, group_out, why);
}

enum err groups_invite(struct act *act, struct group_id id, struct user_id user, struct why *why)
{
    enum err err = must_be_member(act, id, act->me, why);
    return err ? err : add_member(act, id, user, why);
}

static enum err pass_on(struct act *act, const struct group *group, struct user_id left,
                        struct why *why)
{
    struct user_id heir;
    enum err err = groups_first_member(act->db, group->id, &heir, why);
    if (err) return err;
    if (heir.value == 0) return groups_remove(act->db, group->id, why);
    if (group->owner.value != left.value) return OK;
    err = groups_set_owner(act->db, group->id, heir, why);
    if (err) return err;
    act_tell(act, topic_group(group->id), "group.owner", STR("owner"),
             group_and_user(act, group->id, heir), false);
    return OK;
}

enum err groups_remove_from(struct act *act, struct group_id id, struct user_id user,
                            struct why *why)
{
    struct group group;
    enum err err = groups_lock(act->db, id, why);
    if (!err) err = groups_load(act->db, act->arena, id, act->me, &group, why);
    if (err) return err;
    if (user.value != act->me.value && group.owner.value != act->me.value) {
        return why_set(why, ERR_DENIED, "只有群主可以移除成员 (only the owner can remove members)");
    }
    bool was;
    err = groups_remove_member(act->db, id, user, &was, why);
    if (err) return err;
    if (!was) return why_set(why, ERR_NOT_FOUND, "不在群中 (is not in the group)");
    tell_membership(act, "group.left", id, user);
    struct hub_notice notice = {.what = NOTICE_LEFT_TOPIC, .user = user, .topic = topic_group(id)};
    act_notify(act, &notice);
    return pass_on(act, &group, user, why);
}

enum err groups_set_name(struct act *act, struct group_id id, struct str raw,
                         struct group *group_out, struct why *why)
{
    struct str name;
    enum err err = name_check("name", raw, 1, LIMIT_GROUP_NAME_MAX, &name, why);
    if (!err) err = groups_lock(act->db, id, why);
    if (!err) err = groups_load(act->db, act->arena, id, act->me, group_out, why);
    if (err) return err;
    if (group_out->owner.value != act->me.value) {
        return why_set(why, ERR_DENIED, "只有群主可以改名 (only the owner can rename the group)");
    }
    err = groups_rename(act->db, id, name, why);
    if (err) return err;
    group_out->name = arena_copy(act->arena, name);
    struct buf buf;
    buf_init(&buf, LIMIT_JSON_BYTES);
    struct json_out out = json_begin(&buf);
    json_open(&out, NULL, '{');
    json_put_u64(&out, "group_id", id.value);
    json_put_str(&out, "name", group_out->name);
    json_close(&out, '}');
    struct str data = arena_copy(act->arena, buf_str(&buf));
    buf_release(&buf);
    act_tell(act, topic_group(id), "group.renamed", STR("name"), data, false);
    return OK;
}

enum err groups_mark_read(struct act *act, struct group_id id, struct why *why)
{
    struct group group;
    enum err err = groups_lock(act->db, id, why);
    if (!err) err = groups_load(act->db, act->arena, id, act->me, &group, why);
    if (err || group.unread_count == 0) return err;
    err = groups_read(act->db, id, act->me, why);
    if (!err) err = groups_load(act->db, act->arena, id, act->me, &group, why);
    if (err) return err;
    struct str data =
        arena_printf(act->arena, "{\"group_id\":%llu,\"reader_id\":%llu,\"read_id\":%llu}",
                     (unsigned long long)id.value, (unsigned long long)act->me.value,
                     (unsigned long long)group.read_id);
    struct str fold = arena_printf(act->arena, "read-by:%llu", (unsigned long long)act->me.value);
    act_tell(act, topic_group(id), "message.read", fold, data, false);
    return OK;
}
