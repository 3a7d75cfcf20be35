/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "store/audit.h"

#include "base/utf8.h"

static const struct {
    const char *word;
    bool deed;
} actions[] = {
#define AUDIT_ROW(name, word, deed) [name] = {word, deed},
    AUDIT_ACTIONS(AUDIT_ROW)
#undef AUDIT_ROW
};
static_assert(COUNT_OF(actions) == AUDIT_ACTION_COUNT, "each action has its word");

const char *audit_word(enum audit_action action)
{
    ASSERT(action < AUDIT_ACTION_COUNT);
    return actions[action].word;
}

bool audit_parse(struct str word, enum audit_action *action_out)
{
    for (size_t i = 0; i < COUNT_OF(actions); i++) {
        if (!str_eq(word, str_of(actions[i].word))) continue;
        *action_out = (enum audit_action)i;
        return true;
    }
    return false;
}

enum err audit_add(struct db *db, const struct audit_entry *entry, struct why *why)
{
    struct str detail = entry->detail;
    if (detail.len > AUDIT_DETAIL_BYTES) {
        detail = str_head(detail, utf8_floor(detail.at, AUDIT_DETAIL_BYTES));
    }
    struct query *q = db_query(db, SQL_AUDIT_ADD);
    query_i64(q, entry->at_us);
    query_id(q, entry->actor.value);
    query_str(q, str_of(audit_word(entry->action)));
    query_i64(q, actions[entry->action].deed);
    query_str(q, entry->kind ? str_of(entry->kind) : (struct str){0});
    query_id(q, entry->object);
    query_str(q, detail);
    query_str(q, entry->address);
    return query_run(q, why);
}

enum err audit_list(struct db *db, const struct audit_query *query, audit_each *each, void *ctx,
                    struct why *why)
{
    bool one = query->action.at != NULL;
    struct query *q = db_query(db, one ? SQL_AUDIT_OF_ACTION : SQL_AUDIT_LIST);
    if (one) {
        query_str(q, query->action);
    } else {
        query_i64(q, !query->accounts);
    }
    query_i64(q, query->before ? (int64_t)query->before : INT64_MAX);
    query_u64(q, query->limit);
    while (query_next(q)) {
        struct audit_row row = {.id = query_get_u64(q, 0),
                                .at_us = query_get_i64(q, 1),
                                .action = query_get_str(q, 2),
                                .kind = query_get_str(q, 3),
                                .object = query_get_u64(q, 4),
                                .detail = query_get_str(q, 5),
                                .address = query_get_str(q, 6),
                                .actor = user_brief_read(q, 7),
                                .user = user_brief_read(q, 12)};
        each(ctx, &row);
    }
    return query_end(q, why);
}
