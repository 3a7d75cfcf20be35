/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The one writer of the embedded store: groups, failures inside of them, and
 * that nobody is told too much or too early.
 */
#include "house.h"

#include <pthread.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/writer.h"
#include "unit.h"

/* What a change is to do to the table notes, and what became of it. */
struct note {
    struct change change;
    struct desk *desk;
    int64_t number;
    enum { NOTE_WELL, FAIL_BEFORE, FAIL_AFTER, FAIL_IN_SQL, FAIL_COMMIT, HOLD } way;
    int applied, settled;
    enum err err;
    struct why why;
    bool seen_by_reader;
};

/* The writer under test, and a gate that keeps it busy while a group gathers. */
struct desk {
    struct database *d;
    struct writer *writer;
    struct db *reader; /* used on the writer's thread, in settled */
    pthread_mutex_t lock;
    pthread_cond_t moved;
    bool holding, open;
    size_t settled;
    int64_t order[512];
};

static enum err insert(struct db *db, int64_t number, struct why *why)
{
    struct query *q = db_query_text(db, "INSERT INTO notes (number) VALUES (?)");
    query_i64(q, number);
    return query_run(q, why);
}

/* Breaks a foreign key that the engine looks at when the whole group is committed. */
static enum err promise(struct db *db, int64_t number, struct why *why)
{
    enum err err = query_run(db_query_text(db, "PRAGMA defer_foreign_keys = ON"), why);
    if (err) return err;
    struct query *q = db_query_text(db, "INSERT INTO replies (note) VALUES (?)");
    query_i64(q, number + 100000);
    return query_run(q, why);
}

static void wait_at_gate(struct desk *desk)
{
    pthread_mutex_lock(&desk->lock);
    desk->holding = true;
    pthread_cond_broadcast(&desk->moved);
    while (!desk->open) pthread_cond_wait(&desk->moved, &desk->lock);
    pthread_mutex_unlock(&desk->lock);
}

static enum err apply(struct change *change, struct db *db, struct why *why)
{
    struct note *note = CONTAINER_OF(change, struct note, change);
    note->applied++;
    if (note->way == FAIL_BEFORE) return why_set(why, ERR_DENIED, "no");
    if (note->way == HOLD) wait_at_gate(note->desk);
    if (note->way == FAIL_COMMIT) return promise(db, note->number, why);
    enum err err = insert(db, note->number, why);
    if (err) return err;
    if (note->way == FAIL_IN_SQL) return insert(db, note->number, why); /* the key is taken */
    return note->way == FAIL_AFTER ? why_set(why, ERR_LIMIT, "too much") : OK;
}

static bool reader_sees(struct db *db, int64_t number)
{
    struct why why;
    struct query *q = db_query_text(db, "SELECT 1 FROM notes WHERE number = ?");
    query_i64(q, number);
    bool sees = query_next(q);
    enum err err = query_end(q, &why);
    return !err && sees;
}

static void settled(struct change *change, enum err err, const struct why *why)
{
    struct note *note = CONTAINER_OF(change, struct note, change);
    struct desk *desk = note->desk;
    note->seen_by_reader = reader_sees(desk->reader, note->number);
    pthread_mutex_lock(&desk->lock);
    note->settled++;
    note->err = err;
    if (err) note->why = *why;
    if (desk->settled < COUNT_OF(desk->order)) desk->order[desk->settled] = note->number;
    desk->settled++;
    pthread_cond_broadcast(&desk->moved);
    pthread_mutex_unlock(&desk->lock);
}

static struct desk *open_desk(struct database *d, size_t group_max)
{
    struct why why;
    struct desk *desk = ARENA_NEW(&d->arena, struct desk);
    desk->d = d;
    must_script(d->db, "CREATE TABLE notes (number INTEGER PRIMARY KEY, text TEXT);"
                       "CREATE TABLE replies (note INTEGER REFERENCES notes (number))");
    must(writer_open(d->url, group_max, &desk->writer, &why), &why);
    desk->reader = database_connect(d, DB_READ);
    pthread_mutex_init(&desk->lock, NULL);
    pthread_cond_init(&desk->moved, NULL);
    return desk;
}

static void close_desk(struct desk *desk)
{
    writer_close(desk->writer);
    db_close(desk->reader);
    pthread_cond_destroy(&desk->moved);
    pthread_mutex_destroy(&desk->lock);
}

static struct note *submit_as(struct desk *desk, int64_t number, int way, bool patient)
{
    struct note *note = ARENA_NEW(&desk->d->arena, struct note);
    *note = (struct note){.change = {.apply = apply, .settled = settled, .patient = patient},
                          .desk = desk,
                          .number = number,
                          .way = way};
    writer_submit(desk->writer, &note->change);
    return note;
}

static struct note *submit(struct desk *desk, int64_t number, int way)
{
    return submit_as(desk, number, way, false);
}

/* Occupy the writer, so that what comes now forms one group. */
static struct note *shut_gate(struct desk *desk, int64_t number)
{
    desk->open = desk->holding = false;
    struct note *note = submit(desk, number, HOLD);
    pthread_mutex_lock(&desk->lock);
    while (!desk->holding) pthread_cond_wait(&desk->moved, &desk->lock);
    pthread_mutex_unlock(&desk->lock);
    return note;
}

static void open_gate(struct desk *desk)
{
    pthread_mutex_lock(&desk->lock);
    desk->open = true;
    pthread_cond_broadcast(&desk->moved);
    pthread_mutex_unlock(&desk->lock);
}

static void wait_settled(struct desk *desk, size_t count)
{
    pthread_mutex_lock(&desk->lock);
    while (desk->settled < count) pthread_cond_wait(&desk->moved, &desk->lock);
    pthread_mutex_unlock(&desk->lock);
}

static void assert_note(const struct note *note, enum err err, int applied)
{
    assert_int_equal(note->err, err);
    assert_int_equal(note->applied, applied);
    assert_int_equal(note->settled, 1);
    assert_int_equal(note->seen_by_reader, err == OK);
}

/* The statistics are written after the last of a group was told. */
static void assert_stats(struct desk *desk, uint64_t groups, uint64_t changes, uint64_t failed,
                         uint64_t retried)
{
    const struct writer_stats *stats = writer_stats(desk->writer);
    int64_t until_us = clock_mono_us() + 10 * 1000 * 1000;
    while (atomic_load(&stats->changes) < changes && clock_mono_us() < until_us) sched_yield();
    assert_int_equal(atomic_load(&stats->groups), groups);
    assert_int_equal(atomic_load(&stats->changes), changes);
    assert_int_equal(atomic_load(&stats->failed), failed);
    assert_int_equal(atomic_load(&stats->retried_groups), retried);
    assert_int_equal(atomic_load(&stats->waiting), 0);
}

/* --- the tests --- */

static void what_waits_becomes_one_group_in_order(struct database *d)
{
    struct desk *desk = open_desk(d, 64);
    struct note *notes[40];
    struct note *first = shut_gate(desk, 1000);
    for (size_t i = 0; i < COUNT_OF(notes); i++) notes[i] = submit(desk, (int64_t)i, NOTE_WELL);
    assert_int_equal(atomic_load(&writer_stats(desk->writer)->waiting), 41);
    assert_true(atomic_load(&writer_stats(desk->writer)->busy_since_us) > 0);
    assert_false(reader_sees(d->db, 1000)); /* not before its commit */
    open_gate(desk);
    wait_settled(desk, 41);
    assert_stats(desk, 2, 41, 0, 0);
    assert_note(first, OK, 1);
    assert_int_equal(desk->order[0], 1000);
    for (size_t i = 0; i < COUNT_OF(notes); i++) {
        assert_note(notes[i], OK, 1);
        assert_int_equal(desk->order[1 + i], i);
    }
    const struct writer_stats *stats = writer_stats(desk->writer);
    static const uint64_t sizes[WRITER_GROUP_BUCKETS] = {[0] = 1, [6] = 1}; /* 1, and up to 64 */
    for (size_t i = 0; i < WRITER_GROUP_BUCKETS; i++) {
        assert_int_equal(atomic_load(&stats->group_sizes[i]), sizes[i]);
    }
    close_desk(desk);
}

static void a_group_has_a_ceiling_and_sizes_are_counted(struct database *d)
{
    struct desk *desk = open_desk(d, 8);
    int64_t number = 0;
    size_t done = 0;
    static const size_t waves[] = {2, 3, 4, 5, 8, 20}; /* 20: 8, 8 and 4 */
    for (size_t w = 0; w < COUNT_OF(waves); w++) {
        shut_gate(desk, number++);
        for (size_t i = 0; i < waves[w]; i++) submit(desk, number++, NOTE_WELL);
        open_gate(desk);
        done += 1 + waves[w];
        wait_settled(desk, done);
    }
    assert_stats(desk, 6 + 8, done, 0, 0);
    static const uint64_t sizes[WRITER_GROUP_BUCKETS] = {6, 1, 3, 4}; /* 2 · 3 4 4 · 5 8 8 8 */
    for (size_t i = 0; i < WRITER_GROUP_BUCKETS; i++) {
        assert_int_equal(atomic_load(&writer_stats(desk->writer)->group_sizes[i]), sizes[i]);
    }
    close_desk(desk);
}

static void failing_before_changing_costs_the_others_nothing(struct database *d)
{
    struct desk *desk = open_desk(d, 64);
    shut_gate(desk, 1000);
    struct note *a = submit(desk, 1, NOTE_WELL), *b = submit(desk, 2, FAIL_BEFORE);
    struct note *c = submit(desk, 1, NOTE_WELL); /* its first statement fails: no trace either */
    struct note *e = submit(desk, 3, NOTE_WELL);
    open_gate(desk);
    wait_settled(desk, 5);
    assert_stats(desk, 2, 5, 2, 0);
    assert_note(a, OK, 1);
    assert_note(b, ERR_DENIED, 1);
    assert_string_equal(b->why.text, "no");
    assert_int_equal(c->err, ERR_CONFLICT);
    assert_int_equal(c->applied, 1);
    assert_note(e, OK, 1);
    assert_int_equal(must_number(d->db, "SELECT COUNT(*) FROM notes"), 3);
    close_desk(desk);
}

static void failing_after_changing_is_taken_back_alone(struct database *d)
{
    struct desk *desk = open_desk(d, 64);
    shut_gate(desk, 1000);
    struct note *a = submit(desk, 1, NOTE_WELL), *b = submit(desk, 2, FAIL_AFTER);
    struct note *c = submit(desk, 3, FAIL_BEFORE), *e = submit(desk, 4, FAIL_IN_SQL);
    struct note *f = submit(desk, 5, NOTE_WELL);
    open_gate(desk);
    wait_settled(desk, 6);
    assert_stats(desk, 2, 6, 3, 1);
    assert_note(a, OK, 2);
    assert_note(b, ERR_LIMIT, 2);
    assert_string_equal(b->why.text, "too much");
    assert_note(c, ERR_DENIED, 1); /* the first attempt stopped at b */
    assert_note(e, ERR_CONFLICT, 1);
    assert_note(f, OK, 1);
    assert_int_equal(must_number(d->db, "SELECT COUNT(*) FROM notes"), 3);
    assert_int_equal(must_number(d->db, "SELECT SUM(number) FROM notes"), 1000 + 1 + 5);
    struct note *alone = submit(desk, 6, FAIL_AFTER), *last = submit(desk, 7, NOTE_WELL);
    wait_settled(desk, 8);
    assert_int_equal(alone->err, ERR_LIMIT);
    assert_int_equal(last->err, OK);
    assert_false(reader_sees(d->db, 6));
    close_desk(desk);
}

static void patient_changes_alone_come_seldom_but_come(struct database *d)
{
    struct desk *desk = open_desk(d, 64);
    int64_t began_us = clock_mono_us();
    for (size_t i = 0; i < 5; i++) {
        struct note *note = submit_as(desk, (int64_t)i, NOTE_WELL, true);
        wait_settled(desk, i + 1);
        assert_note(note, OK, 1);
    }
    assert_true(clock_mono_us() - began_us >= 4 * WRITER_PATIENCE_US);
    assert_stats(desk, 5, 5, 0, 0);
    close_desk(desk);
}

static void a_patient_change_goes_with_the_next_that_is_not(struct database *d)
{
    struct desk *desk = open_desk(d, 64);
    shut_gate(desk, 1000);
    submit_as(desk, 1, NOTE_WELL, true);
    submit(desk, 2, NOTE_WELL);
    submit_as(desk, 3, NOTE_WELL, true);
    open_gate(desk);
    wait_settled(desk, 4);
    assert_stats(desk, 2, 4, 0, 0);
    for (size_t i = 1; i < 4; i++) assert_int_equal(desk->order[i], i);
    submit_as(desk, 4, NOTE_WELL, true);
    close_desk(desk); /* does not leave it behind */
    assert_int_equal(must_number(d->db, "SELECT COUNT(*) FROM notes"), 5);
}

static void closing_applies_what_still_waits(struct database *d)
{
    struct desk *desk = open_desk(d, 4);
    struct note *notes[30];
    shut_gate(desk, 1000);
    for (size_t i = 0; i < COUNT_OF(notes); i++) notes[i] = submit(desk, (int64_t)i, NOTE_WELL);
    open_gate(desk);
    close_desk(desk);
    for (size_t i = 0; i < COUNT_OF(notes); i++) assert_note(notes[i], OK, 1);
    assert_int_equal(must_number(d->db, "SELECT COUNT(*) FROM notes"), 31);
}

/* --- many submitters --- */

enum { SUBMITTERS = 8, EACH = 200 };

struct submitter {
    struct desk *desk;
    pthread_t thread;
    int64_t first;
    struct note notes[EACH];
};

/* One in five fails, half of those after changing something. */
static int way_of(int64_t number)
{
    return number % 5 != 0 ? NOTE_WELL : number % 2 ? FAIL_AFTER : FAIL_BEFORE;
}

static void *submit_many(void *ctx)
{
    struct submitter *submitter = ctx;
    for (int64_t i = 0; i < EACH; i++) {
        struct note *note = &submitter->notes[i];
        *note = (struct note){.change = {.apply = apply, .settled = settled},
                              .desk = submitter->desk,
                              .number = submitter->first + i,
                              .way = way_of(submitter->first + i)};
        writer_submit(submitter->desk->writer, &note->change);
    }
    return NULL;
}

static void each_of_many_is_applied_exactly_once(struct database *d)
{
    struct desk *desk = open_desk(d, 32);
    struct submitter *submitters = ARENA_ARRAY(&d->arena, struct submitter, SUBMITTERS);
    for (size_t i = 0; i < SUBMITTERS; i++) {
        submitters[i].desk = desk;
        submitters[i].first = (int64_t)i * EACH;
        int failed = pthread_create(&submitters[i].thread, NULL, submit_many, &submitters[i]);
        ASSERT(failed == 0);
    }
    for (size_t i = 0; i < SUBMITTERS; i++) pthread_join(submitters[i].thread, NULL);
    wait_settled(desk, SUBMITTERS * EACH);
    close_desk(desk);
    int64_t well = 0;
    for (size_t i = 0; i < SUBMITTERS; i++) {
        for (size_t j = 0; j < EACH; j++) {
            const struct note *note = &submitters[i].notes[j];
            assert_int_equal(note->settled, 1);
            assert_in_range(note->applied, 1, 2);
            enum err expected = note->way == NOTE_WELL     ? OK
                                : note->way == FAIL_BEFORE ? ERR_DENIED
                                                           : ERR_LIMIT;
            assert_int_equal(note->err, expected);
            assert_int_equal(note->seen_by_reader, expected == OK);
            if (expected == OK) well++;
        }
    }
    assert_int_equal(must_number(d->db, "SELECT COUNT(*) FROM notes"), well);
    assert_int_equal(must_number(d->db, "SELECT COUNT(*) FROM notes WHERE number % 5 = 0"), 0);
}

/* --- the disk is full --- */

struct flood {
    struct note note;
    int64_t pages; /* ceiling to set, on the writer's own connection; 0: none */
    size_t bytes;
};

static enum err apply_flood(struct change *change, struct db *db, struct why *why)
{
    struct flood *flood = CONTAINER_OF(change, struct flood, note.change);
    if (flood->pages) {
        char text[64];
        snprintf(text, sizeof(text), "PRAGMA max_page_count = %lld", (long long)flood->pages);
        enum err err = query_run(db_query_text(db, text), why);
        if (err) return err;
    }
    flood->note.applied++;
    struct query *q = db_query_text(db, "INSERT INTO notes (number, text) VALUES (?, zeroblob(?))");
    query_i64(q, flood->note.number);
    query_u64(q, flood->bytes);
    return query_run(q, why);
}

static struct flood *submit_flood(struct desk *desk, int64_t number, int64_t pages, size_t bytes)
{
    struct flood *flood = ARENA_NEW(&desk->d->arena, struct flood);
    *flood = (struct flood){.note = {.change = {.apply = apply_flood, .settled = settled},
                                     .desk = desk,
                                     .number = number},
                            .pages = pages,
                            .bytes = bytes};
    writer_submit(desk->writer, &flood->note.change);
    return flood;
}

static void a_full_disk_fails_the_group_and_not_the_next(struct database *d)
{
    struct desk *desk = open_desk(d, 64);
    struct flood *small = submit_flood(desk, 1, 64, 10);
    wait_settled(desk, 1);
    assert_note(&small->note, OK, 1);
    shut_gate(desk, 1000);
    struct note *before = submit(desk, 2, NOTE_WELL);
    struct flood *large = submit_flood(desk, 3, 0, 1024 * 1024);
    struct note *after = submit(desk, 4, NOTE_WELL);
    open_gate(desk);
    wait_settled(desk, 5);
    /* The engine takes the whole transaction back: nobody of the group is told that it is done. */
    const struct note *all[] = {before, &large->note, after};
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        assert_int_equal(all[i]->err, ERR_FULL);
        assert_int_equal(all[i]->settled, 1);
        assert_false(all[i]->seen_by_reader);
        assert_contains(all[i]->why.text, "full");
    }
    struct note *again = submit(desk, 2, NOTE_WELL);
    wait_settled(desk, 6);
    assert_note(again, OK, 1);
    struct flood *room = submit_flood(desk, 5, 4096, 1024 * 1024); /* somebody made room */
    wait_settled(desk, 7);
    assert_note(&room->note, OK, 1);
    close_desk(desk);
    assert_int_equal(must_number(d->db, "SELECT COUNT(*) FROM notes"), 4);
}

static void a_commit_that_fails_fails_everybody_and_the_next_goes_on(struct database *d)
{
    struct desk *desk = open_desk(d, 64);
    shut_gate(desk, 1000);
    struct note *a = submit(desk, 1, NOTE_WELL), *b = submit(desk, 2, FAIL_BEFORE);
    struct note *c = submit(desk, 3, FAIL_COMMIT), *e = submit(desk, 4, NOTE_WELL);
    open_gate(desk);
    wait_settled(desk, 5);
    assert_stats(desk, 2, 5, 4, 0);
    assert_note(a, ERR_INVALID, 1);
    assert_note(b, ERR_DENIED, 1); /* keeps its own answer */
    assert_note(c, ERR_INVALID, 1);
    assert_note(e, ERR_INVALID, 1);
    assert_true(a->why.text[0] != '\0');
    struct note *again = submit(desk, 1, NOTE_WELL);
    wait_settled(desk, 6);
    assert_note(again, OK, 1);
    close_desk(desk);
    assert_int_equal(must_number(d->db, "SELECT SUM(number) FROM notes"), 1000 + 1);
    assert_int_equal(must_number(d->db, "SELECT COUNT(*) FROM replies"), 0);
}

/* --- the log --- */

enum { LARGE = 256 * 1024, LARGE_CHANGES = 3000, IN_FLIGHT = 3, KEPT = 20 };

static enum err apply_large(struct change *change, struct db *db, struct why *why)
{
    const struct note *note = CONTAINER_OF(change, struct note, change);
    struct query *q = db_query_text(db, "INSERT INTO notes (number, text) VALUES (?, zeroblob(?))");
    query_i64(q, note->number);
    query_i64(q, LARGE);
    enum err err = query_run(q, why);
    if (err) return err;
    q = db_query_text(db, "DELETE FROM notes WHERE number = ?");
    query_i64(q, note->number - KEPT);
    return query_run(q, why);
}

static int64_t log_bytes(const struct database *d)
{
    struct stat is;
    char path[4096];
    struct str file = str_from(d->url, strlen("sqlite:"));
    snprintf(path, sizeof(path), "%.*s-wal", STR_ARGS(file));
    return stat(path, &is) == 0 ? is.st_size : 0;
}

/* 750 MB go through it: the copying never catches its end while somebody always writes. */
static void the_log_is_bounded_while_somebody_always_writes(struct database *d)
{
    struct desk *desk = open_desk(d, 64);
    struct note *notes = mem_alloc(sizeof(*notes) * LARGE_CHANGES);
    int64_t most = 0;
    for (size_t i = 0; i < LARGE_CHANGES; i++) {
        notes[i] = (struct note){.desk = desk, .number = 1000 + (int64_t)i};
        notes[i].change = (struct change){.apply = apply_large, .settled = settled};
        writer_submit(desk->writer, &notes[i].change);
        if (i >= IN_FLIGHT) wait_settled(desk, i - IN_FLIGHT + 1);
        most = MAX(most, log_bytes(d));
    }
    wait_settled(desk, LARGE_CHANGES);
    close_desk(desk);
    for (size_t i = 0; i < LARGE_CHANGES; i++) assert_int_equal(notes[i].err, OK);
    mem_free(notes);
    print_message("the log had %lld MB at most\n", (long long)most / 1000000);
    assert_in_range(most, 1, INT64_C(200) * 1000 * 1000);
}

int main(void)
{
    static const struct database_test tests[] = {
        DATABASE_TEST_SQLITE(what_waits_becomes_one_group_in_order),
        DATABASE_TEST_SQLITE(a_group_has_a_ceiling_and_sizes_are_counted),
        DATABASE_TEST_SQLITE(failing_before_changing_costs_the_others_nothing),
        DATABASE_TEST_SQLITE(failing_after_changing_is_taken_back_alone),
        DATABASE_TEST_SQLITE(patient_changes_alone_come_seldom_but_come),
        DATABASE_TEST_SQLITE(a_patient_change_goes_with_the_next_that_is_not),
        DATABASE_TEST_SQLITE(closing_applies_what_still_waits),
        DATABASE_TEST_SQLITE(each_of_many_is_applied_exactly_once),
        DATABASE_TEST_SQLITE(a_full_disk_fails_the_group_and_not_the_next),
        DATABASE_TEST_SQLITE(a_commit_that_fails_fails_everybody_and_the_next_goes_on),
        DATABASE_TEST_SQLITE(the_log_is_bounded_while_somebody_always_writes),
    };
    return database_run_tests("writer", tests, COUNT_OF(tests));
}
