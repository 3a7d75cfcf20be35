/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "store/takeaway.h"

enum { PAGE_ROWS = 500 };

enum err takeaway_page(struct db *db, struct user_id user, enum takeaway which, uint64_t after,
                       taken_each *each, void *ctx, uint64_t *last_out, struct why *why)
{
    static const enum sql lists[] = {[TAKE_COMMENTS] = SQL_TAKE_COMMENTS,
                                     [TAKE_LIKES] = SQL_TAKE_LIKES,
                                     [TAKE_SAID] = SQL_TAKE_SAID};
    struct query *q = db_query(db, lists[which]);
    query_u64(q, user.value);
    query_u64(q, after);
    query_u64(q, PAGE_ROWS);
    uint64_t count = 0, last = 0;
    for (; query_next(q); count++) {
        struct taken taken = {.id = last = query_get_u64(q, 0)};
        if (which == TAKE_LIKES) {
            taken.created_us = query_get_i64(q, 1);
        } else {
            taken.place = query_get_u64(q, 1);
            taken.content = query_get_str(q, 2);
            taken.created_us = query_get_i64(q, 3);
        }
        taken.still_in = which == TAKE_SAID && query_get_i64(q, 4) != 0;
        each(ctx, &taken);
    }
    *last_out = count == PAGE_ROWS ? last : 0;
    return query_end(q, why);
}

enum err takeaway_partners(struct db *db, struct arena *arena, struct user_id user, uint64_t after,
                           struct user_brief partners[TAKEAWAY_PARTNERS_MAX], size_t *count_out,
                           struct why *why)
{
    struct query *q = db_query(db, SQL_TAKE_PARTNERS);
    query_u64(q, user.value);
    query_u64(q, after);
    query_u64(q, TAKEAWAY_PARTNERS_MAX);
    size_t count = 0;
    for (; query_next(q); count++) {
        partners[count] = user_brief_read(q, 0);
        user_brief_keep(arena, &partners[count]);
    }
    *count_out = count;
    return query_end(q, why);
}

enum err takeaway_reports(struct db *db, struct user_id user, uint64_t after,
                          taken_report_each *each, void *ctx, uint64_t *last_out, struct why *why)
{
    struct query *q = db_query(db, SQL_TAKE_REPORTS);
    query_u64(q, user.value);
    query_u64(q, after);
    query_u64(q, PAGE_ROWS);
    uint64_t count = 0, last = 0;
    for (; query_next(q); count++) {
        struct taken_report report = {.id = last = query_get_u64(q, 0),
                                      .created_us = query_get_i64(q, 1),
                                      .kind = query_get_str(q, 2),
                                      .object = query_get_u64(q, 3),
                                      .post = query_get_u64(q, 4),
                                      .reason = query_get_str(q, 5),
                                      .note = query_get_str(q, 6),
                                      .resolved_us = query_get_i64(q, 7)};
        each(ctx, &report);
    }
    *last_out = count == PAGE_ROWS ? last : 0;
    return query_end(q, why);
}

enum err takeaway_files(struct db *db, struct user_id user, uint64_t skip, taken_file_each *each,
                        void *ctx, uint64_t *count_out, struct why *why)
{
    struct query *q = db_query(db, SQL_TAKE_FILES);
    query_u64(q, user.value);
    query_u64(q, PAGE_ROWS);
    query_u64(q, skip);
    for (*count_out = 0; query_next(q); ++*count_out) {
        struct taken_file file = {.name = query_get_str(q, 0),
                                  .kind = query_get_str(q, 1),
                                  .bytes = query_get_u64(q, 2),
                                  .width = query_get_i64(q, 3),
                                  .height = query_get_i64(q, 4),
                                  .created_us = query_get_i64(q, 5)};
        each(ctx, &file);
    }
    return query_end(q, why);
}
