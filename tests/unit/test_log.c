/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "unit.h"

#include <errno.h>
#include <pthread.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/log.h"

static char folder[] = "/tmp/hutong-log-XXXXXX";
static char path[64], moved[64];

static int make_folder(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL) return -1;
    snprintf(path, sizeof(path), "%s/log", folder);
    snprintf(moved, sizeof(moved), "%s/log.1", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    unlink(moved);
    return rmdir(folder);
}

static int start_file(void **state)
{
    (void)state;
    struct why why;
    unlink(path);
    unlink(moved);
    return log_open(path, LOG_INFO, &why) == OK ? 0 : -1;
}

static int back_to_stderr(void **state)
{
    (void)state;
    struct why why;
    log_context("");
    return log_open("-", LOG_INFO, &why) == OK ? 0 : -1;
}

/* What stands in a log file; the caller releases it. */
static struct buf read_log(const char *from)
{
    struct buf buf;
    buf_init(&buf, 16u << 20);
    int fd = open(from, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    for (;;) {
        char *space = buf_space(&buf, 65536);
        assert_non_null(space);
        ssize_t got = read(fd, space, 65536);
        assert_true(got >= 0);
        if (got == 0) break;
        buf_grew(&buf, (size_t)got);
    }
    close(fd);
    return buf;
}

/* The one line of the log without its time and line end. */
static void assert_line(const char *expected)
{
    struct buf buf = read_log(path);
    struct str all = buf_str(&buf);
    assert_int_equal(str_find_byte(all, '\n'), all.len - 1);
    assert_int_equal(all.at[26], 'Z');
    assert_str_equal(str_head(str_from(all, 28), all.len - 29), expected);
    buf_release(&buf);
}

static void a_line_has_time_level_event_and_values(void **state)
{
    (void)state;
    log_info("server.ready", "port=%d name=\"%s\"", 8000, "a b");
    assert_line("info server.ready port=8000 name=\"a b\"");
}

static void lines_below_the_level_are_not_written(void **state)
{
    (void)state;
    log_debug("never", "a=%d", 1);
    assert_false(log_wants(LOG_DEBUG));
    assert_true(log_wants(LOG_ERROR));
    log_warn("disk.low", "percent=%d", 5);
    assert_line("warn disk.low percent=5");
}

static void the_context_of_the_thread_stands_before_the_values(void **state)
{
    (void)state;
    log_context("loop=1");
    log_error("oops", "code=%d", 7);
    assert_line("error oops loop=1 code=7");
}

static void a_long_context_is_cut(void **state)
{
    (void)state;
    char text[300];
    memset(text, 'c', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    log_context(text);
    log_info("event", "%s", "x");
    char expected[200];
    snprintf(expected, sizeof(expected), "info event %.95s x", text);
    assert_line(expected);
}

static void strangers_cannot_write_lines_of_their_own(void **state)
{
    (void)state;
    log_info("login", "name=\"%s\"", "eve\n2026-01-01 info fake\x1b[31m\x7F\t胡");
    assert_line("info login name=\"eve?2026-01-01 info fake?[31m??胡\"");
}

static void a_very_long_line_is_cut_and_still_ends(void **state)
{
    (void)state;
    log_info("long", "%050000d", 1);
    log_info("next", "%s", "x");
    struct buf buf = read_log(path);
    struct str rest = buf_str(&buf), line;
    assert_true(str_split(&rest, '\n', &line));
    assert_in_range(line.len, 2000, 2047);
    assert_true(str_split(&rest, '\n', &line));
    assert_true(str_ends(line, STR("info next x")));
    buf_release(&buf);
}

static void raw_lines_go_as_they_are(void **state)
{
    (void)state;
    log_raw(STR("one\ntwo\n"));
    log_raw((struct str){0});
    struct buf buf = read_log(path);
    assert_str_equal(buf_str(&buf), "one\ntwo\n");
    buf_release(&buf);
}

static void a_moved_file_is_left_when_reopened(void **state)
{
    (void)state;
    struct why why;
    log_info("before", "%s", "x");
    assert_int_equal(rename(path, moved), 0);
    log_info("between", "%s", "x");
    assert_int_equal(log_reopen(&why), OK);
    log_info("after", "%s", "x");
    assert_line("info after x");
    struct buf old = read_log(moved);
    assert_true(str_find(buf_str(&old), STR("between")) < old.len);
    assert_true(str_find(buf_str(&old), STR("after")) == old.len);
    buf_release(&old);

    struct stat file;
    assert_int_equal(stat(path, &file), 0);
    assert_int_equal(file.st_mode & 07, 0); /* not for everybody's eyes */
}

static void a_file_that_cannot_be_opened_is_named(void **state)
{
    (void)state;
    struct why why = {0};
    char impossible[80];
    snprintf(impossible, sizeof(impossible), "%s/absent/log", folder);
    assert_int_equal(log_open(impossible, LOG_INFO, &why), ERR_IO);
    assert_contains(why.text, impossible);
    assert_contains(why.text, strerror(ENOENT));
}

static void a_dash_means_standard_error_again(void **state)
{
    (void)state;
    struct why why;
    int saved = dup(2);
    int file = open(moved, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(saved >= 0 && file >= 0);
    enum err err = log_open("-", LOG_INFO, &why);
    dup2(file, 2);
    log_info("to.stderr", "%s", "x");
    dup2(saved, 2);
    close(saved);
    close(file);
    assert_int_equal(err, OK);
    struct buf buf = read_log(moved);
    assert_true(str_ends(buf_str(&buf), STR("info to.stderr x\n")));
    buf_release(&buf);
    buf = read_log(path);
    assert_int_equal(buf.len, 0);
    buf_release(&buf);
}

enum { THREADS = 4, LINES = 500 };

static void *write_lines(void *ctx)
{
    char name[16];
    snprintf(name, sizeof(name), "thread=%d", *(int *)ctx);
    log_context(name);
    for (int i = 0; i < LINES; i++) log_info("tick", "%s", "abcdefghijklmnopqrstuvwxyz");
    return NULL;
}

static void lines_of_threads_do_not_mix_nor_get_lost(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    int numbers[THREADS], seen[THREADS] = {0};
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, &numbers[i]), 0);
    }
    /* A file that is exchanged under way keeps every line in one of the two. */
    struct why why;
    assert_int_equal(rename(path, moved), 0);
    assert_int_equal(log_reopen(&why), OK);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    for (int file = 0; file < 2; file++) {
        struct buf buf = read_log(file ? path : moved);
        struct str rest = buf_str(&buf), line;
        while (rest.len > 0 && str_split(&rest, '\n', &line)) {
            struct str told = str_from(line, 28);
            int number = told.at[17] - '0';
            char expected[80];
            snprintf(expected, sizeof(expected), "info tick thread=%d abcdefghijklmnopqrstuvwxyz",
                     number);
            assert_str_equal(told, expected);
            assert_in_range(number, 0, THREADS - 1);
            seen[number]++;
        }
        buf_release(&buf);
    }
    for (int i = 0; i < THREADS; i++) assert_int_equal(seen[i], LINES);
}

int main(void)
{
#define WITH_FILE(test) cmocka_unit_test_setup_teardown(test, start_file, back_to_stderr)
    const struct CMUnitTest tests[] = {
        WITH_FILE(a_line_has_time_level_event_and_values),
        WITH_FILE(lines_below_the_level_are_not_written),
        WITH_FILE(the_context_of_the_thread_stands_before_the_values),
        WITH_FILE(a_long_context_is_cut),
        WITH_FILE(strangers_cannot_write_lines_of_their_own),
        WITH_FILE(a_very_long_line_is_cut_and_still_ends),
        WITH_FILE(raw_lines_go_as_they_are),
        WITH_FILE(a_moved_file_is_left_when_reopened),
        WITH_FILE(a_file_that_cannot_be_opened_is_named),
        WITH_FILE(a_dash_means_standard_error_again),
        WITH_FILE(lines_of_threads_do_not_mix_nor_get_lost),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
