/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * tests/support/unit.h: what every unit test includes: cmocka, which wants four
 * headers before it, and a way to see that an ASSERT holds.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/str.h"

/* Does `act` end in abort()? Runs it in a child whose complaint nobody sees. */
static inline bool aborts(void (*act)(void))
{
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
        dup2(nowhere, 2);
        signal(SIGABRT, SIG_DFL); /* cmocka would catch it */
        act();
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

/* Fails with both texts in the message. */
static inline void assert_str_equal(struct str is, const char *expected)
{
    if (!str_eq(is, str_of(expected))) {
        fail_msg("is \"%.*s\" (%zu bytes), expected \"%s\"", STR_ARGS(is), is.len, expected);
    }
}

/* `part` stands somewhere in `text`. */
static inline void assert_contains(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) fail_msg("\"%s\" does not contain \"%s\"", text, part);
}
