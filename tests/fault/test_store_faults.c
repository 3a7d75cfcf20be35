/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * fault/test_store_faults.c: the n-th write or fsync of the database fails, for
 * n = 1, 2, 3 … until a run stays untouched.
 *
 * A run is a script of changes through the store. Each leaves a mark (a post, a
 * like, a message …) and is remembered with the answer it got. Then the files
 * are looked at twice: as a crash at that moment would have left them (a copy,
 * without the shared memory), and after an orderly end. What was answered OK
 * is there, what was refused is not, ERR_UNCERTAIN may be either, and
 * everything counted is counted right.
 *
 * The disk is a VFS of SQLite in front of the real one.
 */
#include "unit.h"

#include <ftw.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "store/comments.h"
#include "store/events.h"
#include "store/follows.h"
#include "store/groups.h"
#include "store/notices.h"
#include "store/posts.h"
#include "store/records.h"
#include "store/store.h"

/* --- the disk --- */

enum disk_call { DISK_WRITE, DISK_SYNC, DISK_TRUNCATE };

/* What fails, and how. */
struct plan {
    const char *name;
    enum disk_call call;
    int code;
    bool torn;  /* half of the bytes are written before it fails */
    bool stays; /* and every call after it, until the disk is mended */
};

/* Changed by the test while nobody uses the disk, read by every thread. */
static struct {
    const struct plan *plan; /* NULL: mended */
    atomic_int left;         /* calls until it fails; negative: has failed */
} disk;

struct faulty_file {
    sqlite3_file base;
    sqlite3_file *real; /* behind this struct */
};

static sqlite3_file *real_of(sqlite3_file *file)
{
    return ((struct faulty_file *)(void *)file)->real;
}

static bool fails(enum disk_call call)
{
    const struct plan *plan = disk.plan;
    if (plan == NULL || plan->call != call) return false;
    int before = atomic_fetch_sub(&disk.left, 1);
    return before == 1 || (plan->stays && before < 1);
}

static int faulty_write(sqlite3_file *file, const void *bytes, int len, sqlite3_int64 at)
{
    sqlite3_file *real = real_of(file);
    if (!fails(DISK_WRITE)) return real->pMethods->xWrite(real, bytes, len, at);
    if (disk.plan->torn) real->pMethods->xWrite(real, bytes, len / 2, at);
    return disk.plan->code;
}

static int faulty_sync(sqlite3_file *file, int flags)
{
    sqlite3_file *real = real_of(file);
    return fails(DISK_SYNC) ? disk.plan->code : real->pMethods->xSync(real, flags);
}

static int faulty_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    sqlite3_file *real = real_of(file);
    return fails(DISK_TRUNCATE) ? disk.plan->code : real->pMethods->xTruncate(real, size);
}

static int faulty_close(sqlite3_file *file)
{
    sqlite3_file *real = real_of(file);
    return real->pMethods ? real->pMethods->xClose(real) : SQLITE_OK;
}

/* The rest is passed on. */
#define PASS(name, params, args)                                                                   \
    static int faulty_##name params                                                                \
    {                                                                                              \
        sqlite3_file *real = real_of(file);                                                        \
        return real->pMethods->x##name args;                                                       \
    }
PASS(Read, (sqlite3_file * file, void *to, int len, sqlite3_int64 at), (real, to, len, at))
PASS(FileSize, (sqlite3_file * file, sqlite3_int64 *size), (real, size))
PASS(Lock, (sqlite3_file * file, int lock), (real, lock))
PASS(Unlock, (sqlite3_file * file, int lock), (real, lock))
PASS(CheckReservedLock, (sqlite3_file * file, int *out), (real, out))
PASS(FileControl, (sqlite3_file * file, int what, void *value), (real, what, value))
PASS(SectorSize, (sqlite3_file * file), (real))
PASS(DeviceCharacteristics, (sqlite3_file * file), (real))
PASS(ShmMap, (sqlite3_file * file, int page, int size, int extend, void volatile **out),
     (real, page, size, extend, out))
PASS(ShmLock, (sqlite3_file * file, int from, int count, int flags), (real, from, count, flags))
PASS(ShmUnmap, (sqlite3_file * file, int remove_it), (real, remove_it))

static void faulty_ShmBarrier(sqlite3_file *file)
{
    sqlite3_file *real = real_of(file);
    real->pMethods->xShmBarrier(real);
}

static const sqlite3_io_methods faulty_methods = {
    .iVersion = 2,
    .xClose = faulty_close,
    .xRead = faulty_Read,
    .xWrite = faulty_write,
    .xTruncate = faulty_truncate,
    .xSync = faulty_sync,
    .xFileSize = faulty_FileSize,
    .xLock = faulty_Lock,
    .xUnlock = faulty_Unlock,
    .xCheckReservedLock = faulty_CheckReservedLock,
    .xFileControl = faulty_FileControl,
    .xSectorSize = faulty_SectorSize,
    .xDeviceCharacteristics = faulty_DeviceCharacteristics,
    .xShmMap = faulty_ShmMap,
    .xShmLock = faulty_ShmLock,
    .xShmBarrier = faulty_ShmBarrier,
    .xShmUnmap = faulty_ShmUnmap,
};

static int faulty_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *out)
{
    sqlite3_vfs *real_vfs = vfs->pAppData;
    struct faulty_file *faulty = (struct faulty_file *)(void *)file;
    faulty->real = (sqlite3_file *)(void *)(faulty + 1);
    int code = real_vfs->xOpen(real_vfs, path, faulty->real, flags, out);
    faulty->base.pMethods = faulty->real->pMethods ? &faulty_methods : NULL;
    return code;
}

/* Everything this program opens from now on is on the disk that can fail. */
static int install_disk(void **state)
{
    static sqlite3_vfs vfs;
    (void)state;
    sqlite3_vfs *real = sqlite3_vfs_find(NULL);
    vfs = *real;
    vfs.zName = "faulty";
    vfs.pNext = NULL;
    vfs.pAppData = real;
    vfs.szOsFile = (int)sizeof(struct faulty_file) + real->szOsFile;
    vfs.xOpen = faulty_open;
    struct why why;
    /* A failing disk is loud, and rightly so; here it would hide what matters. */
    if (log_open("/dev/null", LOG_ERROR, &why)) return -1;
    return sqlite3_vfs_register(&vfs, 1);
}

/* --- the community --- */

enum { STEPS = 16, LONG_TEXT = 30000 };

struct run {
    char dir[64], copy[64];
    struct store *store;
    struct db *db; /* reads */
    struct user_id ann, bob;
    struct group_id group;
    struct post_id post;
    enum err answers[STEPS];
    size_t steps;
};

static void must_be(enum err err, const struct why *why)
{
    if (err) fail_msg("%s: %s", err_name(err), why->text);
}

static int64_t number(struct db *db, const char *text)
{
    struct why why;
    struct query *q = db_query_text(db, text);
    int64_t value = query_next(q) ? query_get_i64(q, 0) : INT64_MIN;
    must_be(query_end(q, &why), &why);
    return value;
}

static enum err tell(struct db *db, const char *topic, const char *fold, struct why *why)
{
    uint64_t seq;
    return events_add(db, str_of(topic), str_of(fold), STR("{\"event\":\"test\"}"), 1, &seq, why);
}

/* One change of the script: what it does, and how to see that it was done. */
struct step {
    enum err (*apply)(void *ctx, struct db *db, struct why *why);
    const char *mark; /* 1: it is there, 0: it is not */
};

static enum err do_post(struct run *run, struct db *db, const char *text, struct why *why)
{
    struct post_id id;
    enum err err = posts_add(db, run->ann, str_of(text), (struct str){0}, 1, &id, why);
    return err ? err : tell(db, "feed", "", why);
}

static enum err step_post(void *ctx, struct db *db, struct why *why)
{
    return do_post(ctx, db, "short", why);
}

static enum err step_long_post(void *ctx, struct db *db, struct why *why)
{
    static char text[LONG_TEXT + 1];
    memset(text, 'x', LONG_TEXT);
    return do_post(ctx, db, text, why);
}

static enum err step_like(void *ctx, struct db *db, struct why *why)
{
    struct run *run = ctx;
    bool changed;
    enum err err = posts_set_liked(db, run->post, run->bob, true, 1, &changed, why);
    return err ? err : tell(db, "feed", "counts:1", why);
}

/* Ann lives in a town, which is to hear of it. */
static enum err step_follow(void *ctx, struct db *db, struct why *why)
{
    struct run *run = ctx;
    bool changed;
    enum err err = follows_set(db, run->bob, run->ann, true, 1, &changed, why);
    if (!err) err = town_notices_add_follow(db, run->bob, run->ann, why);
    return err ? err : tell(db, "user:1", "follow:2", why);
}

static enum err step_comment(void *ctx, struct db *db, struct why *why)
{
    struct run *run = ctx;
    struct comment_draft draft = {
        .post = run->post, .author = run->bob, .content = STR("well said")};
    struct comment_id id;
    enum err err = comments_add(db, &draft, 1, &id, why);
    if (!err) err = posts_count_comment(db, run->post, 1, why);
    return err ? err : tell(db, "post:1", "", why);
}

static enum err send(struct run *run, struct db *db, bool to_group, const char *text,
                     struct why *why)
{
    struct message_draft draft = {.sender = run->ann, .content = str_of(text), .created_us = 1};
    draft.client_id = draft.content;
    if (to_group) {
        draft.group = run->group;
    } else {
        draft.receiver = run->bob;
    }
    struct message_id id;
    enum err err = messages_add(db, &draft, &id, why);
    if (!err) err = tell(db, to_group ? "group:1" : "user:1", "", why);
    return err || to_group ? err : tell(db, "user:2", "", why);
}

static enum err step_message(void *ctx, struct db *db, struct why *why)
{
    return send(ctx, db, false, "hello bob", why);
}

static enum err step_group_message(void *ctx, struct db *db, struct why *why)
{
    return send(ctx, db, true, "hello all", why);
}

/* Changes something, then thinks better of it. */
static enum err step_regret(void *ctx, struct db *db, struct why *why)
{
    enum err err = do_post(ctx, db, "regretted", why);
    return err ? err : why_set(why, ERR_DENIED, "not today");
}

static enum err step_keyed(void *ctx, struct db *db, struct why *why)
{
    struct run *run = ctx;
    struct idempotent answer = {STR("/posts"), STR("mark"), 201, STR("{}"), 1};
    enum err err = do_post(run, db, "keyed", why);
    return err ? err : idempotent_save(db, run->ann, STR("key"), &answer, 0, why);
}

static enum err step_read(void *ctx, struct db *db, struct why *why)
{
    struct run *run = ctx;
    bool changed;
    return conversations_read(db, run->bob, run->ann, &changed, why);
}

static enum err step_group_post(void *ctx, struct db *db, struct why *why)
{
    return do_post(ctx, db, "in a group commit", why);
}

static enum err step_group_message_2(void *ctx, struct db *db, struct why *why)
{
    return send(ctx, db, false, "hello again", why);
}

/* The last ones are given to the writer at once and become one group commit. */
static const struct step script[] = {
    {step_post, "SELECT count(*) FROM posts WHERE content = 'short'"},
    {step_like, "SELECT count(*) FROM post_likes"},
    {step_follow, "SELECT count(*) FROM follows"},
    {step_comment, "SELECT count(*) FROM comments"},
    {step_message, "SELECT count(*) FROM messages WHERE content = 'hello bob'"},
    {step_regret, "SELECT count(*) FROM posts WHERE content = 'regretted'"},
    {step_long_post, "SELECT count(*) FROM posts WHERE length(content) = 30000"},
    {step_group_message, "SELECT count(*) FROM messages WHERE group_id"},
    {step_keyed, "SELECT count(*) FROM posts WHERE content = 'keyed'"},
    {step_read, NULL},
    {step_group_post, "SELECT count(*) FROM posts WHERE content = 'in a group commit'"},
    {step_regret, "SELECT count(*) FROM posts WHERE content = 'regretted'"},
    {step_group_message_2, "SELECT count(*) FROM messages WHERE content = 'hello again'"},
};
enum { GROUP_FROM = 10 };
static_assert(COUNT_OF(script) <= STEPS, "an answer for each step");

/* --- a group --- */

struct member {
    struct change change;
    struct run *run;
    size_t step;
    struct meeting *meeting;
};

/* The first holds the writer until all the others wait behind it. */
struct meeting {
    struct member first, others[COUNT_OF(script) - GROUP_FROM];
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool all_here;
    size_t settled;
};

static enum err apply_first(struct change *change, struct db *db, struct why *why)
{
    struct meeting *meeting = CONTAINER_OF(change, struct member, change)->meeting;
    (void)db, (void)why;
    pthread_mutex_lock(&meeting->lock);
    while (!meeting->all_here) pthread_cond_wait(&meeting->wake, &meeting->lock);
    pthread_mutex_unlock(&meeting->lock);
    return OK;
}

static enum err apply_member(struct change *change, struct db *db, struct why *why)
{
    struct member *member = CONTAINER_OF(change, struct member, change);
    return script[member->step].apply(member->run, db, why);
}

static void settle_member(struct change *change, enum err err, const struct why *why)
{
    struct member *member = CONTAINER_OF(change, struct member, change);
    (void)why;
    pthread_mutex_lock(&member->meeting->lock);
    if (member != &member->meeting->first) member->run->answers[member->step] = err;
    member->meeting->settled++;
    pthread_cond_signal(&member->meeting->wake);
    pthread_mutex_unlock(&member->meeting->lock);
}

static void play_group(struct run *run)
{
    struct meeting meeting = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};
    meeting.first = (struct member){.change = {.apply = apply_first, .settled = settle_member},
                                    .run = run,
                                    .meeting = &meeting};
    store_submit(run->store, &meeting.first.change);
    for (size_t i = 0; i < COUNT_OF(meeting.others); i++) {
        meeting.others[i] =
            (struct member){.change = {.apply = apply_member, .settled = settle_member},
                            .run = run,
                            .step = GROUP_FROM + i,
                            .meeting = &meeting};
        store_submit(run->store, &meeting.others[i].change);
    }
    pthread_mutex_lock(&meeting.lock);
    meeting.all_here = true;
    pthread_cond_broadcast(&meeting.wake);
    while (meeting.settled < COUNT_OF(meeting.others) + 1) {
        pthread_cond_wait(&meeting.wake, &meeting.lock);
    }
    pthread_mutex_unlock(&meeting.lock);
}

/* --- a run --- */

static enum err found(void *ctx, struct db *db, struct why *why)
{
    struct run *run = ctx;
    struct user_draft ann = {
        .username = STR("ann"), .username_key = STR("ann"), .nickname = STR("Ann")};
    struct user_draft bob = {
        .username = STR("bob"), .username_key = STR("bob"), .nickname = STR("Bob")};
    enum err err = users_add(db, &ann, &run->ann, why);
    if (!err) err = users_add(db, &bob, &run->bob, why);
    if (!err) err = groups_add(db, STR("all"), STR("online"), run->ann, 1, &run->group, why);
    if (!err) err = posts_add(db, run->ann, STR("first"), (struct str){0}, 1, &run->post, why);
    struct town_row row = {.name = STR("town")};
    if (!err) err = towns_add(db, &row, 1, &row.id, why);
    return err ? err : town_people_add(db, row.id, 0, run->ann, why);
}

static void open_run(struct run *run, const char *dir)
{
    char url[128];
    struct why why;
    snprintf(url, sizeof(url), "sqlite:%s/hutong.db", dir);
    must_be(store_open(str_of(url), 64, &run->store, &why), &why);
    must_be(store_connect(run->store, &run->db, &why), &why);
}

static void close_run(struct run *run)
{
    db_close(run->db);
    store_close(run->store);
}

static void play(struct run *run)
{
    for (size_t i = 0; i < GROUP_FROM; i++) {
        struct why why;
        run->answers[i] = store_write(run->store, run->db, script[i].apply, run, &why);
    }
    play_group(run);
}

static void copy_file(const char *from, const char *to, const char *name)
{
    char path[128], bytes[8192];
    snprintf(path, sizeof(path), "%s/%s", from, name);
    FILE *in = fopen(path, "rb");
    snprintf(path, sizeof(path), "%s/%s", to, name);
    FILE *out = fopen(path, "wb");
    assert_true(in != NULL && out != NULL);
    for (size_t got; (got = fread(bytes, 1, sizeof(bytes), in)) > 0;) {
        assert_int_equal(fwrite(bytes, 1, got, out), got);
    }
    fclose(in);
    assert_int_equal(fclose(out), 0);
}

static void check_invariants(struct db *db)
{
    static const char *const wrong[] = {
        "SELECT (SELECT count(*) FROM follows) <> (SELECT count(*) FROM town_notices)",
        "SELECT count(*) FROM posts p WHERE"
        " likes_count <> (SELECT count(*) FROM post_likes WHERE post_id = p.id)"
        " OR comments_count <> (SELECT count(*) FROM comments WHERE post_id = p.id)",
        "SELECT (SELECT value FROM counters WHERE name = 'posts') <> (SELECT count(*) FROM posts)",
        "SELECT count(*) FROM users u WHERE"
        " posts_count <> (SELECT count(*) FROM posts WHERE author_id = u.id)",
        "SELECT count(*) FROM conversations WHERE"
        " messages_count <> (SELECT count(*) FROM messages WHERE receiver_id)",
        "SELECT count(*) FROM conversations c WHERE unread_count <> (SELECT count(*) FROM messages"
        " WHERE receiver_id = c.user_id AND id > c.read_id)",
        "SELECT count(*) FROM chat_groups WHERE"
        " messages_count <> (SELECT count(*) FROM messages WHERE group_id)",
        "SELECT count(*) FROM topics t WHERE"
        " head <> (SELECT max(seq) FROM events WHERE topic_id = t.id)",
        "SELECT count(*) FROM topics t WHERE name <> 'feed'"
        " AND head <> (SELECT count(*) FROM events WHERE topic_id = t.id)",
        "SELECT (SELECT count(*) FROM events e JOIN topics t ON t.id = topic_id"
        " WHERE name = 'feed' AND fold IS NULL) <> (SELECT count(*) - 1 FROM posts)",
        "SELECT (SELECT count(*) FROM idempotency) <>"
        " (SELECT count(*) FROM posts WHERE content = 'keyed')",
        "SELECT count(*) FROM pragma_foreign_key_check",
        "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'",
    };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        if (number(db, wrong[i]) != 0) fail_msg("not so: %s", wrong[i]);
    }
}

static void check_marks(struct run *run, const char *when)
{
    for (size_t i = 0; i < COUNT_OF(script); i++) {
        enum err answer = run->answers[i];
        if (script[i].mark == NULL || answer == ERR_UNCERTAIN) continue;
        int64_t there = number(run->db, script[i].mark);
        if (there != (answer == OK)) {
            fail_msg("%s: step %zu was answered %s and %s there", when, i, err_name(answer),
                     there ? "is" : "is not");
        }
    }
    check_invariants(run->db);
}

static enum err afterwards(void *ctx, struct db *db, struct why *why)
{
    return do_post(ctx, db, "afterwards", why);
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info, (void)kind, (void)walk;
    return remove(path);
}

static void make_folder(char folder[static 64])
{
    snprintf(folder, 64, "/tmp/hutong-fault-XXXXXX");
    assert_non_null(mkdtemp(folder));
}

static void remove_folder(const char *folder)
{
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* What every run begins with, made once: a dozen migrations took longer than a run does. */
static struct run founded;

static int set_up(void **state)
{
    struct why why;
    if (install_disk(state)) return -1;
    make_folder(founded.dir);
    open_run(&founded, founded.dir);
    must_be(store_write(founded.store, founded.db, found, &founded, &why), &why);
    close_run(&founded); /* and with it the WAL */
    return 0;
}

static int remove_founded(void **state)
{
    (void)state;
    remove_folder(founded.dir);
    return 0;
}

/* True: the fault was met. Adds up what was refused because of it. */
static bool run_once(const struct plan *plan, int n, size_t *refused)
{
    struct run run = founded;
    struct why why;
    make_folder(run.dir);
    make_folder(run.copy);
    copy_file(founded.dir, run.dir, "hutong.db");
    open_run(&run, run.dir);

    atomic_store(&disk.left, n);
    disk.plan = plan;
    play(&run);
    copy_file(run.dir, run.copy, "hutong.db");
    copy_file(run.dir, run.copy, "hutong.db-wal");
    bool met = atomic_load(&disk.left) < 1;
    check_marks(&run, "at once"); /* reads go on */

    /* Mended, it works again without a restart; then the fault meets the orderly end. */
    disk.plan = NULL;
    must_be(store_write(run.store, run.db, afterwards, &run, &why), &why);
    for (size_t i = 0; i < COUNT_OF(script); i++) {
        if (run.answers[i] && run.answers[i] != ERR_DENIED) ++*refused;
    }
    disk.plan = plan;
    close_run(&run);
    met = met || atomic_load(&disk.left) < 1;
    disk.plan = NULL;

    open_run(&run, run.dir);
    check_marks(&run, "after an orderly end");
    assert_int_equal(number(run.db, "SELECT count(*) FROM posts WHERE content = 'afterwards'"), 1);
    close_run(&run);
    open_run(&run, run.copy);
    check_marks(&run, "after a crash");
    close_run(&run);
    remove_folder(run.dir);
    remove_folder(run.copy);
    return met;
}

static void run_plan(const struct plan *plan)
{
    int n = 1;
    size_t refused = 0;
    while (run_once(plan, n, &refused)) {
        n++;
        assert_true(n < 5000);
    }
    print_message("%s: %d places, %zu changes refused\n", plan->name, n - 1, refused);
    assert_true(n > 1);
    /* The log is truncated only at the end, when nobody waits for an answer. */
    assert_true(refused > 0 || plan->call == DISK_TRUNCATE);
}

static void a_write_that_fails_is_answered_honestly(void **state)
{
    (void)state;
    run_plan(&(struct plan){.name = "write", .call = DISK_WRITE, .code = SQLITE_IOERR_WRITE});
}

static void a_torn_write_on_a_full_disk_is_answered_honestly(void **state)
{
    (void)state;
    run_plan(&(struct plan){.name = "full", .call = DISK_WRITE, .code = SQLITE_FULL, .torn = true});
}

static void a_disk_that_stays_full_is_answered_honestly(void **state)
{
    (void)state;
    run_plan(&(struct plan){.name = "stays full",
                            .call = DISK_WRITE,
                            .code = SQLITE_FULL,
                            .torn = true,
                            .stays = true});
}

static void an_fsync_that_fails_is_answered_honestly(void **state)
{
    (void)state;
    run_plan(&(struct plan){.name = "fsync", .call = DISK_SYNC, .code = SQLITE_IOERR_FSYNC});
}

static void a_truncate_that_fails_is_answered_honestly(void **state)
{
    (void)state;
    run_plan(
        &(struct plan){.name = "truncate", .call = DISK_TRUNCATE, .code = SQLITE_IOERR_TRUNCATE});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_write_that_fails_is_answered_honestly),
        cmocka_unit_test(a_torn_write_on_a_full_disk_is_answered_honestly),
        cmocka_unit_test(a_disk_that_stays_full_is_answered_honestly),
        cmocka_unit_test(an_fsync_that_fails_is_answered_honestly),
        cmocka_unit_test(a_truncate_that_fails_is_answered_honestly),
    };
    return cmocka_run_group_tests_name("store_faults", tests, set_up, remove_founded);
}
