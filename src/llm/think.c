/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * llm/think.c: three states: the answer begins, reasoning, text.
 *
 * A tag has `<` at its front and nowhere else, so a mismatch never has to be
 * searched again: what was held is let go, and the byte at hand starts anew.
 * Once the answer's text has begun, pieces pass through untouched.
 */
#include "llm/think.h"

enum think_state { BEGINNING, REASONING, TEXT };

enum { ANY_TAG = 3 };
static const struct str openers[ANY_TAG] = {
    {"<think>", 7}, {"<thinking>", 10}, {"<reasoning>", 11}};
static const struct str closers[ANY_TAG] = {
    {"</think>", 8}, {"</thinking>", 11}, {"</reasoning>", 12}};

enum think_line {
    LINE_START, /* nothing but blanks yet */
    LINE_MARKS, /* a run of ` or ~ */
    LINE_INFO,  /* behind the marks of an opened fence */
    LINE_REST
};

void think_init(struct think *think, bool starts_inside)
{
    *think = (struct think){.state = starts_inside ? REASONING : BEGINNING, .tag = ANY_TAG};
}

static void tell(const struct think *think, struct str piece, const struct think_events *to)
{
    if (piece.len == 0) return;
    if (think->state == REASONING) {
        to->reason(to->ctx, piece);
    } else {
        to->text(to->ctx, piece);
    }
}

static void let_go(struct think *think, const struct think_events *to)
{
    tell(think, (struct str){think->held, think->held_len}, to);
    think->held_len = 0;
}

/* Fences (CommonMark, 4.5), closely enough: a run of three or more marks begins a line. */
static void fence_line_ends(struct think_fence *fence)
{
    if (fence->line == LINE_MARKS && fence->run >= 3) {
        if (fence->length == 0) {
            fence->length = fence->run;
            fence->mark = fence->run_mark;
        } else if (fence->run_mark == fence->mark && fence->run >= fence->length) {
            fence->length = 0;
        }
    }
    fence->line = LINE_START;
    fence->run = 0;
}

static void fence_mark(struct think_fence *fence, char c)
{
    if (fence->line == LINE_START) {
        fence->line = LINE_MARKS;
        fence->run_mark = c;
        fence->run = 1;
    } else if (fence->line == LINE_MARKS && c == fence->run_mark) {
        if (fence->run < UINT8_MAX) fence->run++;
    } else if (fence->line == LINE_INFO && c == '`' && fence->mark == '`') {
        fence->length = 0; /* ```code``` within a line is no fence */
        fence->line = LINE_REST;
    } else if (fence->line == LINE_MARKS) {
        fence->line = LINE_REST;
    }
}

static void fence_read(struct think_fence *fence, char c)
{
    if (c == '\n') {
        fence_line_ends(fence);
    } else if (c == '`' || c == '~') {
        fence_mark(fence, c);
    } else if (c == ' ' || c == '\r') {
        return;
    } else if (fence->line == LINE_MARKS && fence->run >= 3 && fence->length == 0) {
        fence->length = fence->run;
        fence->mark = fence->run_mark;
        fence->line = LINE_INFO;
    } else if (fence->line != LINE_INFO) {
        fence->line = LINE_REST;
    }
}

enum match { NONE, BEGINS, WHOLE };

/* How `s`, which begins with `<`, relates to the tags awaited; `*tag_out` when it begins one. */
static enum match match_tag(const struct think *think, struct str s, uint8_t *tag_out)
{
    const struct str *tags = think->state == REASONING ? closers : openers;
    bool begins = false;
    for (size_t i = 0; i < ANY_TAG; i++) {
        if (think->state == REASONING && think->tag != ANY_TAG && think->tag != i) continue;
        *tag_out = (uint8_t)i;
        if (str_starts(s, tags[i])) return WHOLE;
        begins = begins || str_starts(tags[i], s);
    }
    return begins ? BEGINS : NONE;
}

static void pass_tag(struct think *think, uint8_t tag)
{
    bool opens = think->state == BEGINNING;
    think->held_len = 0;
    think->tag = tag;
    think->state = opens ? REASONING : BEGINNING;
    think->behind_tag = true;
    think->fence = (struct think_fence){0};
}

static bool is_white(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void hold(struct think *think, char c)
{
    ASSERT(think->held_len < THINK_HELD_MAX);
    think->held[think->held_len++] = c;
}

/* White space before an opener goes with it, as much of it as can be held. */
static void make_room(struct think *think, const struct think_events *to)
{
    if (think->held_len < THINK_HELD_MAX) return;
    ASSERT(is_white(think->held[0]));
    tell(think, (struct str){think->held, 1}, to);
    memmove(think->held, think->held + 1, --think->held_len);
}

/* One byte where the answer begins; false: it belongs to the text, and so does all that is held. */
static bool read_beginning(struct think *think, char c, const struct think_events *to)
{
    size_t blank = 0;
    uint8_t tag;
    while (blank < think->held_len && is_white(think->held[blank])) blank++;
    if (blank == think->held_len) {
        if (!is_white(c) && c != '<') return false;
        make_room(think, to);
        hold(think, c);
        return true;
    }
    char joined[THINK_HELD_MAX + 1];
    size_t len = think->held_len - blank;
    memcpy(joined, think->held + blank, len);
    joined[len++] = c;
    switch (match_tag(think, (struct str){joined, len}, &tag)) {
    case NONE: return false;
    case WHOLE: pass_tag(think, tag); return true;
    case BEGINS: break;
    }
    make_room(think, to);
    hold(think, c);
    return true;
}

/* Line ends behind a tag say nothing. Returns how many bytes of `piece` to skip. */
static size_t skip_line_ends(struct think *think, struct str piece)
{
    size_t at = 0;
    while (think->behind_tag && at < piece.len && (piece.at[at] == '\n' || piece.at[at] == '\r')) {
        at++;
    }
    if (at < piece.len) think->behind_tag = false;
    return at;
}

static size_t feed_beginning(struct think *think, struct str piece, const struct think_events *to)
{
    for (size_t at = 0; at < piece.len; at++) {
        if (!read_beginning(think, piece.at[at], to)) {
            let_go(think, to);
            think->state = TEXT;
            return at;
        }
        if (think->state == REASONING) return at + 1;
    }
    return piece.len;
}

static bool closer_counts(const struct think *think)
{
    return think->fence.length == 0 || think->fence.line == LINE_START;
}

static void pass_held_fence(struct think *think)
{
    for (size_t i = 0; i < think->held_len; i++) {
        fence_read(&think->fence, think->held[i]);
    }
}

/* What was held and how `piece` goes on: a closer, still the beginning of one, or neither. */
static size_t feed_held(struct think *think, struct str piece, const struct think_events *to)
{
    uint8_t tag;
    char joined[2 * THINK_HELD_MAX];
    size_t more = MIN(piece.len, THINK_HELD_MAX);
    memcpy(joined, think->held, think->held_len);
    memcpy(joined + think->held_len, piece.at, more);
    switch (match_tag(think, (struct str){joined, think->held_len + more}, &tag)) {
    case BEGINS:
        for (size_t i = 0; i < more; i++) hold(think, piece.at[i]);
        return more;
    case WHOLE:
        more = closers[tag].len - think->held_len;
        pass_tag(think, tag);
        return more;
    case NONE: break;
    }
    pass_held_fence(think);
    let_go(think, to);
    return 0;
}

static size_t feed_reasoning(struct think *think, struct str piece, const struct think_events *to)
{
    uint8_t tag;
    if (think->held_len > 0) return feed_held(think, piece, to);
    for (size_t at = 0; at < piece.len; at++) {
        enum match match = NONE;
        if (piece.at[at] == '<' && closer_counts(think)) {
            match = match_tag(think, str_from(piece, at), &tag);
        }
        if (match == NONE) {
            fence_read(&think->fence, piece.at[at]);
            continue;
        }
        tell(think, str_head(piece, at), to);
        if (match == WHOLE) {
            pass_tag(think, tag);
            return at + closers[tag].len;
        }
        for (size_t i = at; i < piece.len; i++) hold(think, piece.at[i]);
        return piece.len;
    }
    tell(think, piece, to);
    return piece.len;
}

void think_feed(struct think *think, struct str piece, const struct think_events *to)
{
    while (piece.len > 0 && think->state != TEXT) {
        piece = str_from(piece, skip_line_ends(think, piece));
        size_t read = think->state == BEGINNING ? feed_beginning(think, piece, to)
                                                : feed_reasoning(think, piece, to);
        piece = str_from(piece, read);
    }
    tell(think, piece, to);
}

void think_finish(struct think *think, const struct think_events *to)
{
    let_go(think, to);
}
