/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * llm/think.h: reasoning that a model wrote into its answer, told apart as it streams.
 *
 * Servers without a reasoning parser pass on `<think>…</think>answer`. Tags are
 * <think>, <thinking> and <reasoning>, in lower case. The rules:
 * - An opener counts only where the answer begins, after white space; anywhere
 *   else, in a code fence for instance, it is text like any other. Behind a closer
 *   the answer begins anew.
 * - The closer is that of the opener. Inside a code fence of the reasoning it counts
 *   only at the start of a line: quoting `split("</think>")` ends nothing, and a
 *   fence the model forgot to close does not swallow the answer.
 * - Models whose prompt already holds the opener begin inside (`starts_inside`);
 *   any of the three closers ends that. For others a lone closer is text.
 * - Line ends right behind a tag are dropped, and up to 11 bytes of white space
 *   before an opener.
 *
 * What could become a tag is held back, at most 11 bytes, all ASCII. So pieces of
 * whole characters (llm/whole.h) come out as pieces of whole characters. Which
 * bytes are text does not depend on how the answer is cut into pieces.
 *
 * Reasoning without an end is reasoning without an answer: finish() adds nothing.
 */
#pragma once

#include "base/str.h"

/* Pieces are never empty, and good until the callback returns. */
struct think_events {
    void (*text)(void *ctx, struct str piece);
    void (*reason)(void *ctx, struct str piece);
    void *ctx;
};

enum { THINK_HELD_MAX = 11 };

/* Where a line of the reasoning stands, for its code fences. */
struct think_fence {
    uint8_t line;   /* enum think_line of think.c */
    uint8_t run;    /* marks that began this line, at most 255 */
    uint8_t length; /* of the open fence's marks; 0: none is open */
    char run_mark, mark;
};

/* Lives with one stream. Plain data: nothing to release. */
struct think {
    uint8_t state; /* enum think_state of think.c */
    uint8_t tag;   /* whose closer is awaited */
    bool behind_tag;
    uint8_t held_len;
    char held[THINK_HELD_MAX];
    struct think_fence fence;
};

void think_init(struct think *think, bool starts_inside);
void think_feed(struct think *think, struct str piece, const struct think_events *to);
/* The answer is over: tells what was held back. */
void think_finish(struct think *think, const struct think_events *to);
