/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * app/prompt.h: reading commands while other threads have something to say.
 *
 * At a terminal: a line editor with history and completion; what is said
 * meanwhile appears above the line that is being written. Elsewhere: plain lines.
 * All on the main thread but prompt_say(). SIGINT, SIGTERM and SIGWINCH are
 * blocked from prompt_open() on, in threads that are started later too: they
 * end the reading, or resize the line.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

struct prompt;

/* The n-th word that could stand as the `place`-th of a line (0 is the command); NULL: no more. */
typedef const char *prompt_words(void *ctx, size_t place, size_t n);

MUST_USE enum err prompt_open(const char *text, prompt_words *words, void *ctx,
                              struct prompt **prompt_out, struct why *why);
void prompt_close(struct prompt *prompt); /* NULL is fine; signals stay blocked */

/* The next line, without its end, good until the next call. False: end of input, or a signal. */
bool prompt_read(struct prompt *prompt, struct str *line_out);
/* Whole lines, to standard output soon. Any thread; in the order in which they are said. */
void prompt_say(struct prompt *prompt, struct str lines);
/* All that was said, now. */
void prompt_flush(struct prompt *prompt);
