/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The log of events on both engines, and what many writers at once do to MariaDB. */
#include "house.h"

#include <pthread.h>

#include "store/comments.h"
#include "store/events.h"
#include "store/groups.h"
#include "store/records.h"
#include "store/sessions.h"
#include "store/store.h"
#include "unit.h"

static uint64_t tell_at(struct database *d, const char *topic, const char *fold,
                        const char *payload, int64_t at_us)
{
    struct why why;
    uint64_t seq = 0;
    change_begin(d);
    must(events_add(d->db, str_of(topic), str_of(fold), str_of(payload), at_us, &seq, &why), &why);
    change_end(d);
    return seq;
}

static uint64_t tell(struct database *d, const char *topic, const char *fold, const char *payload)
{
    return tell_at(d, topic, fold, payload, HOUSE_NOW_US);
}

static struct topic_state state_of(struct database *d, const char *topic)
{
    struct why why;
    struct topic_state state;
    must(topics_load(d->db, str_of(topic), &state, &why), &why);
    return state;
}

static void see_event(void *ctx, uint64_t seq, struct str payload)
{
    char text[64];
    int len = snprintf(text, sizeof(text), "%llu=%.*s", (unsigned long long)seq, STR_ARGS(payload));
    seen_add(ctx, (struct str){text, (size_t)len});
}

static void assert_events(struct database *d, const char *topic, uint64_t after, uint64_t limit,
                          const char *expected)
{
    struct why why;
    struct seen seen = {0};
    must(events_after(d->db, state_of(d, topic).id, after, limit, see_event, &seen, &why), &why);
    assert_seen(&seen, expected);
}

static void each_topic_numbers_from_one_without_gaps(struct database *d)
{
    house_open(d);
    assert_int_equal(state_of(d, "feed").head, 0);
    assert_int_equal(state_of(d, "feed").id, 0);
    assert_int_equal(tell(d, "feed", "", "a"), 1);
    assert_int_equal(tell(d, "user:7", "", "x"), 1);
    assert_int_equal(tell(d, "feed", "", "b"), 2);
    assert_int_equal(tell(d, "Feed", "", "other"), 1); /* names are exact */
    assert_int_equal(tell(d, "feed ", "", "other"), 1);
    assert_int_equal(tell(d, "feed", "", "c"), 3);
    assert_events(d, "feed", 0, 10, "1=a 2=b 3=c");
    assert_events(d, "feed", 1, 1, "2=b");
    assert_events(d, "feed", 3, 10, "");
    assert_events(d, "user:7", 0, 10, "1=x");
    assert_int_equal(state_of(d, "feed").head, 3);
}

static void a_number_that_was_taken_back_is_given_again(struct database *d)
{
    house_open(d);
    struct why why;
    uint64_t seq = 0;
    tell(d, "feed", "", "a");
    change_begin(d);
    must(events_add(d->db, STR("feed"), STR(""), STR("lost"), 1, &seq, &why), &why);
    must(events_add(d->db, STR("new topic"), STR(""), STR("lost"), 1, &seq, &why), &why);
    db_rollback(d->db);
    assert_int_equal(tell(d, "feed", "", "b"), 2);
    assert_int_equal(tell(d, "new topic", "", "c"), 1);
    assert_events(d, "feed", 0, 10, "1=a 2=b");
}

static void a_folded_event_replaces_the_one_before(struct database *d)
{
    house_open(d);
    tell(d, "feed", "counts:1", "one like");
    tell(d, "feed", "", "a");
    tell(d, "feed", "counts:2", "another post");
    tell(d, "post:1", "counts:1", "elsewhere");
    assert_int_equal(tell(d, "feed", "counts:1", "two likes"), 4);
    assert_events(d, "feed", 0, 10, "2=a 3=another post 4=two likes");
    assert_events(d, "post:1", 0, 10, "1=elsewhere");
    assert_int_equal(state_of(d, "feed").head, 4);
    assert_int_equal(state_of(d, "feed").tail, 0);
}

static void what_is_forgotten_leaves_its_numbers_behind(struct database *d)
{
    house_open(d);
    struct why why;
    tell(d, "chat:1", "", "a");
    tell(d, "chat:1", "", "b");
    tell(d, "feed", "", "stays");
    change_begin(d);
    must(events_forget(d->db, STR("chat:1"), &why), &why);
    must(events_forget(d->db, STR("chat:2"), &why), &why); /* of which nobody has told anything */
    change_end(d);
    assert_int_equal(must_number(d->db, "SELECT COUNT(*) FROM events"), 1);
    assert_int_equal(state_of(d, "chat:1").head, 2);
    assert_int_equal(state_of(d, "chat:1").tail, 2);
    assert_int_equal(tell(d, "chat:1", "", "c"), 3);
}

static void trim(struct database *d, uint64_t keep, int64_t before_us)
{
    struct why why;
    uint64_t at = 0;
    change_begin(d);
    do {
        must(events_trim(d->db, &at, keep, before_us, &why), &why);
    } while (at != 0);
    change_end(d);
}

static void old_events_beyond_the_kept_ones_are_dropped(struct database *d)
{
    house_open(d);
    for (int i = 1; i <= 8; i++) {
        char text[2] = {(char)('a' + i - 1), '\0'};
        tell_at(d, "feed", "", text, i * 10);
        if (i <= 3) tell_at(d, "quiet", "", text, i * 10);
    }
    trim(d, 3, 1); /* none is that old */
    assert_int_equal(state_of(d, "feed").tail, 0);
    trim(d, 100, 1000); /* none is that far behind */
    assert_int_equal(state_of(d, "feed").tail, 0);
    trim(d, 3, 31); /* old: 1, 2, 3; far: 1 to 5 */
    assert_int_equal(state_of(d, "feed").tail, 3);
    assert_events(d, "feed", 0, 10, "4=d 5=e 6=f 7=g 8=h");
    trim(d, 3, 1000);
    assert_int_equal(state_of(d, "feed").tail, 5);
    assert_events(d, "feed", 0, 10, "6=f 7=g 8=h");
    assert_int_equal(state_of(d, "quiet").tail, 0);
    assert_events(d, "quiet", 0, 10, "1=a 2=b 3=c");
    trim(d, 0, 1000);
    assert_int_equal(state_of(d, "feed").tail, 8);
    assert_int_equal(state_of(d, "quiet").tail, 3);
    assert_int_equal(tell(d, "feed", "", "i"), 9);
    assert_events(d, "feed", 5, 10, "9=i");
}

static void every_topic_is_trimmed_however_many_there_are(struct database *d)
{
    house_open(d);
    struct why why;
    change_begin(d);
    for (int i = 0; i < 250; i++) {
        uint64_t seq;
        struct str name = arena_printf(&d->arena, "user:%d", i);
        must(events_add(d->db, name, STR(""), STR("a"), 1, &seq, &why), &why);
        must(events_add(d->db, name, STR(""), STR("b"), 2, &seq, &why), &why);
    }
    change_end(d);
    trim(d, 1, 1000);
    assert_int_equal(must_number(d->db, "SELECT COUNT(*) FROM events"), 250);
    assert_int_equal(must_number(d->db, "SELECT COUNT(*) FROM topics WHERE tail = 1"), 250);
}

/* --- many writers at once (MariaDB; SQLite has its one writer, see test_writer.c) --- */

enum { THREADS = 4, ROUNDS = 50 };

struct crowd;

/* One member at work on a connection of their own. */
struct worker {
    struct change change;
    struct crowd *crowd;
    struct db *db;
    pthread_t thread;
    struct user_id me;
    int round;
    uint64_t seqs[ROUNDS], ids[ROUNDS];
    enum err failed; /* cmocka can't fail a test from here */
    struct why why;
};

struct crowd {
    struct database *d;
    enum err (*deed)(struct worker *worker, struct db *db, struct why *why);
    pthread_barrier_t start;
    struct user_id users[THREADS];
    struct post_id post;
    struct group_id group;
    struct worker workers[THREADS];
};

static enum err apply_deed(struct change *change, struct db *db, struct why *why)
{
    struct worker *worker = CONTAINER_OF(change, struct worker, change);
    return worker->crowd->deed(worker, db, why);
}

static void deed_settled(struct change *change, enum err err, const struct why *why)
{
    struct worker *worker = CONTAINER_OF(change, struct worker, change);
    if (err == OK) return;
    worker->failed = err;
    worker->why = *why;
}

static void *work(void *ctx)
{
    struct worker *worker = ctx;
    worker->change = (struct change){.apply = apply_deed, .settled = deed_settled};
    pthread_barrier_wait(&worker->crowd->start);
    for (worker->round = 0; worker->round < ROUNDS && !worker->failed; worker->round++) {
        store_settle_here(worker->db, &worker->change);
    }
    return NULL;
}

/* Four members do it fifty times each; every one of them succeeds. */
static void run_crowd(struct crowd *crowd)
{
    struct database *d = crowd->d;
    pthread_barrier_init(&crowd->start, NULL, THREADS);
    for (size_t i = 0; i < THREADS; i++) {
        struct worker *worker = &crowd->workers[i];
        *worker = (struct worker){
            .crowd = crowd, .me = crowd->users[i], .db = database_connect(d, DB_WRITE)};
    }
    for (size_t i = 0; i < THREADS; i++) {
        struct worker *worker = &crowd->workers[i];
        int failed = pthread_create(&worker->thread, NULL, work, worker);
        ASSERT(failed == 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(crowd->workers[i].thread, NULL);
        db_close(crowd->workers[i].db);
    }
    pthread_barrier_destroy(&crowd->start);
    for (size_t i = 0; i < THREADS; i++) must(crowd->workers[i].failed, &crowd->workers[i].why);
}

static struct crowd *new_crowd(struct database *d)
{
    house_open(d);
    struct crowd *crowd = ARENA_NEW(&d->arena, struct crowd);
    crowd->d = d;
    for (size_t i = 0; i < THREADS; i++) {
        crowd->users[i] = house_user(d, arena_printf(&d->arena, "u%zu", i).at);
    }
    return crowd;
}

static enum err post_and_tell(struct worker *worker, struct db *db, struct why *why)
{
    struct post_id id;
    enum err err = posts_add(db, worker->me, STR("咖啡 and words"), (struct str){0}, 1, &id, why);
    if (err) return err;
    worker->ids[worker->round] = id.value;
    return events_add(db, STR("feed"), STR(""), STR("{}"), 1, &worker->seqs[worker->round], why);
}

/* Numbers 1 … 200 exactly once, each member's own in order, and ids in the order of numbers. */
static void numbers_have_no_gap_and_no_twin(struct database *d)
{
    struct crowd *crowd = new_crowd(d);
    crowd->deed = post_and_tell;
    run_crowd(crowd);
    uint64_t id_of[THREADS * ROUNDS + 1] = {0};
    for (size_t i = 0; i < THREADS; i++) {
        for (size_t j = 0; j < ROUNDS; j++) {
            uint64_t seq = crowd->workers[i].seqs[j];
            assert_in_range(seq, 1, THREADS * ROUNDS);
            assert_int_equal(id_of[seq], 0);
            id_of[seq] = crowd->workers[i].ids[j];
            if (j > 0) assert_true(seq > crowd->workers[i].seqs[j - 1]);
        }
    }
    for (size_t seq = 2; seq <= THREADS * ROUNDS; seq++) assert_true(id_of[seq] > id_of[seq - 1]);
    assert_int_equal(state_of(d, "feed").head, THREADS * ROUNDS);
    assert_int_equal(must_number(d->db, "SELECT COUNT(*) FROM events"), THREADS * ROUNDS);
    assert_int_equal(must_number(d->db, "SELECT MIN(posts_count) FROM users"), ROUNDS);
    assert_int_equal(must_number(d->db, "SELECT value FROM counters WHERE name = 'posts'"),
                     THREADS * ROUNDS);
}

static enum err like_and_comment(struct worker *worker, struct db *db, struct why *why)
{
    bool changed;
    struct post_id post = worker->crowd->post;
    struct comment_draft draft = {.post = post, .author = worker->me, .content = STR("x")};
    struct comment_id comment;
    enum err err = posts_set_liked(db, post, worker->me, worker->round % 2 == 0, 1, &changed, why);
    if (!err) err = comments_add(db, &draft, 1, &comment, why);
    if (!err) err = posts_count_comment(db, post, 1, why);
    if (err || worker->round % 5 != 0) return err;
    err = comments_remove(db, comment, why);
    return err ? err : posts_count_comment(db, post, -1, why);
}

static void counts_of_a_post_everybody_likes_stay_exact(struct database *d)
{
    struct crowd *crowd = new_crowd(d);
    crowd->post = house_post(d, crowd->users[0], "popular");
    crowd->deed = like_and_comment;
    run_crowd(crowd);
    assert_int_equal(must_number(d->db, "SELECT likes_count FROM posts"), 0);
    assert_int_equal(must_number(d->db, "SELECT COUNT(*) FROM post_likes"), 0);
    assert_int_equal(must_number(d->db, "SELECT comments_count FROM posts"),
                     THREADS * ROUNDS * 4 / 5);
    assert_int_equal(must_number(d->db, "SELECT COUNT(*) FROM comments"), THREADS * ROUNDS * 4 / 5);
}

/* Everybody writes to the first member, who answers each; every third is taken back. */
static enum err talk(struct worker *worker, struct db *db, struct why *why)
{
    struct crowd *crowd = worker->crowd;
    struct user_id first = crowd->users[0];
    struct user_id other = crowd->users[1 + worker->round % (THREADS - 1)];
    bool answers = worker->me.value == first.value;
    struct message_draft draft = {.sender = worker->me,
                                  .receiver = answers ? other : first,
                                  .content = STR("x"),
                                  .created_us = 1};
    struct message_id id;
    enum err err = messages_add(db, &draft, &id, why);
    if (err || worker->round % 3 != 0) return err;
    struct message message = {.id = id, .sender = {.id = draft.sender}, .receiver = draft.receiver};
    return messages_remove(db, &message, why);
}

static void conversations_of_many_writers_stay_exact(struct database *d)
{
    struct crowd *crowd = new_crowd(d);
    crowd->deed = talk;
    run_crowd(crowd);
    static const char wrong[] =
        "SELECT COUNT(*) FROM conversations c WHERE"
        " c.messages_count <> (SELECT COUNT(*) FROM messages m"
        " WHERE m.low_id = LEAST(c.user_id, c.partner_id)"
        " AND m.high_id = GREATEST(c.user_id, c.partner_id))"
        " OR c.last_message_id <> (SELECT COALESCE(MAX(m.id), 0) FROM messages m"
        " WHERE m.low_id = LEAST(c.user_id, c.partner_id)"
        " AND m.high_id = GREATEST(c.user_id, c.partner_id))"
        " OR c.unread_count <> (SELECT COUNT(*) FROM messages m"
        " WHERE m.sender_id = c.partner_id AND m.receiver_id = c.user_id AND m.id > c.read_id)";
    assert_int_equal(must_number(d->db, "SELECT COUNT(*) FROM conversations"), 2 * (THREADS - 1));
    assert_true(must_number(d->db, "SELECT COUNT(*) FROM messages") > THREADS * ROUNDS / 2);
    assert_int_equal(must_number(d->db, wrong), 0);
}

static enum err talk_in_group(struct worker *worker, struct db *db, struct why *why)
{
    struct message_draft draft = {
        .sender = worker->me, .group = worker->crowd->group, .content = STR("x"), .created_us = 1};
    struct message_id id;
    enum err err = messages_add(db, &draft, &id, why);
    if (!err && worker->round % 7 == 0) err = groups_read(db, draft.group, worker->me, why);
    if (err || worker->round % 3 != 0) return err;
    struct message message = {.id = id, .sender = {.id = draft.sender}, .group = draft.group};
    return messages_remove(db, &message, why);
}

static void a_group_of_many_writers_stays_exact(struct database *d)
{
    struct why why;
    struct crowd *crowd = new_crowd(d);
    change_begin(d);
    must(groups_add(d->db, STR("g"), STR("online"), crowd->users[0], 1, &crowd->group, &why), &why);
    for (size_t i = 0; i < THREADS; i++) {
        must(groups_add_member(d->db, crowd->group, crowd->users[i], 1, &why), &why);
    }
    change_end(d);
    crowd->deed = talk_in_group;
    run_crowd(crowd);
    static const char wrong[] =
        "SELECT COUNT(*) FROM chat_groups g JOIN chat_group_members m ON m.group_id = g.id WHERE"
        " g.messages_count <> (SELECT COUNT(*) FROM messages t WHERE t.group_id = g.id)"
        " OR g.last_message_id <> (SELECT MAX(t.id) FROM messages t WHERE t.group_id = g.id)"
        " OR m.read_count <> (SELECT COUNT(*) FROM messages t"
        " WHERE t.group_id = g.id AND t.id <= m.read_id)";
    assert_int_equal(must_number(d->db, wrong), 0);
}

/* All of them turn in the same token, fifty times over. */
static enum err turn_in(struct worker *worker, struct db *db, struct why *why)
{
    struct session session;
    enum refresh_match match;
    char now[16], next[16];
    snprintf(now, sizeof(now), "h%d", worker->round);
    snprintf(next, sizeof(next), "h%d", worker->round + 1);
    worker->seqs[worker->round] = 0;
    enum err err = sessions_find_refresh(db, STR("family"), str_of(now), &session, &match, why);
    if (err || match != REFRESH_CURRENT) return err; /* the others were quicker */
    worker->seqs[worker->round] = 1;
    return sessions_rotate(db, session.id, str_of(next), 1, 2, why);
}

static void a_refresh_token_is_turned_in_by_one(struct database *d)
{
    struct why why;
    struct crowd *crowd = new_crowd(d);
    struct session_id id;
    struct session_draft draft = {
        .user = crowd->users[0], .family_hash = STR("family"), .refresh_hash = STR("h0")};
    change_begin(d);
    must(sessions_add(d->db, &draft, &id, &why), &why);
    change_end(d);
    crowd->deed = turn_in;
    run_crowd(crowd);
    for (size_t j = 0; j < ROUNDS; j++) {
        uint64_t winners = 0;
        for (size_t i = 0; i < THREADS; i++) winners += crowd->workers[i].seqs[j];
        assert_int_equal(winners, 1);
    }
}

/* All of them send the same request under the same key; it takes effect once. */
static enum err do_once(struct worker *worker, struct db *db, struct why *why)
{
    char key[16];
    snprintf(key, sizeof(key), "key %d", worker->round);
    struct arena arena = {0};
    struct idempotent answer = {
        .route = STR("r"), .request = STR("q"), .status = 201, .body = STR(""), .at_us = 1};
    struct user_id me = worker->crowd->users[0];
    uint64_t seq;
    enum err err = idempotent_load(db, &arena, me, str_of(key), &answer, why);
    arena_release(&arena);
    if (err != ERR_NOT_FOUND) return err;
    err = events_add(db, STR("effects"), STR(""), str_of(key), 1, &seq, why);
    return err ? err : idempotent_save(db, me, str_of(key), &answer, 0, why);
}

static void a_request_with_a_key_takes_effect_once(struct database *d)
{
    struct crowd *crowd = new_crowd(d);
    crowd->deed = do_once;
    run_crowd(crowd);
    assert_int_equal(state_of(d, "effects").head, ROUNDS);
    assert_int_equal(must_number(d->db, "SELECT COUNT(DISTINCT payload) FROM events"), ROUNDS);
}

/* One numbers and does not commit; the other waits, then goes on from there. */
static void the_second_of_two_waits_for_the_first_one_s_number(struct database *d)
{
    house_open(d);
    struct why why;
    tell(d, "feed", "", "a");
    struct db *other = database_connect(d, DB_WRITE);
    must_run(other, "SET innodb_lock_wait_timeout = 1");
    uint64_t first = 0, second = 0;
    change_begin(d);
    must(events_add(d->db, STR("feed"), STR(""), STR("b"), 1, &first, &why), &why);
    must(db_begin(other, &why), &why);
    assert_int_equal(events_add(other, STR("feed"), STR(""), STR("c"), 1, &second, &why), ERR_BUSY);
    db_rollback(other);
    change_end(d);
    must(db_begin(other, &why), &why);
    must(events_add(other, STR("feed"), STR(""), STR("c"), 1, &second, &why), &why);
    must(db_commit(other, &why), &why);
    db_close(other);
    assert_int_equal(first, 2);
    assert_int_equal(second, 3);
    assert_events(d, "feed", 0, 10, "1=a 2=b 3=c");
}

int main(void)
{
    static const struct database_test tests[] = {
        DATABASE_TEST(each_topic_numbers_from_one_without_gaps),
        DATABASE_TEST(a_number_that_was_taken_back_is_given_again),
        DATABASE_TEST(a_folded_event_replaces_the_one_before),
        DATABASE_TEST(what_is_forgotten_leaves_its_numbers_behind),
        DATABASE_TEST(old_events_beyond_the_kept_ones_are_dropped),
        DATABASE_TEST(every_topic_is_trimmed_however_many_there_are),
        DATABASE_TEST_MARIADB(numbers_have_no_gap_and_no_twin),
        DATABASE_TEST_MARIADB(counts_of_a_post_everybody_likes_stay_exact),
        DATABASE_TEST_MARIADB(conversations_of_many_writers_stay_exact),
        DATABASE_TEST_MARIADB(a_group_of_many_writers_stays_exact),
        DATABASE_TEST_MARIADB(a_refresh_token_is_turned_in_by_one),
        DATABASE_TEST_MARIADB(a_request_with_a_key_takes_effect_once),
        DATABASE_TEST_MARIADB(the_second_of_two_waits_for_the_first_one_s_number),
    };
    return database_run_tests("events", tests, COUNT_OF(tests));
}
