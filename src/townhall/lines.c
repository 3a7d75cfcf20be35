/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * townhall/lines.c: what happens as lines for people at a terminal.
 *
 * "[Day 1, 08:00] >> …" a deed begins, "<<" it ends, "--" time has jumped; without
 * a sign: two meet, somebody posts, the weather turns. A deed that ended is told
 * at its end; the line says when that was.
 */
#include "townhall/internal.h"

enum { LINES_BYTES = 1024 * 1024, JUMP_MINUTES = 2 };

static struct str name_of(const struct hall *hall, uint32_t who)
{
    struct str name = player_name(&hall->cast, who);
    return name.len ? name : STR("a member");
}

static void put_deed(struct buf *to, const struct hall *hall, const struct effect *effect)
{
    buf_printf(to, "%s %.*s: ", effect->kind == EFFECT_BEGAN ? ">>" : "<<",
               STR_ARGS(name_of(hall, effect->who)));
    phrase_deed(to, &hall->cast, effect);
    buf_printf(to, " (%s, %d min)", deed_info((enum deed)effect->deed)->name, effect->minutes);
}

/* False: not worth a line. */
static bool put_effect(struct buf *to, const struct hall *hall, const struct effect *effect)
{
    struct str who = name_of(hall, effect->who), other = name_of(hall, effect->other);
    struct str subject = subject_words(false, effect->subject);
    switch ((enum effect_kind)effect->kind) {
    case EFFECT_BEGAN:
    case EFFECT_DEED:
        if (effect->deed == DEED_IDLE) return false;
        put_deed(to, hall, effect);
        return true;
    case EFFECT_WOKE: buf_printf(to, "%.*s wakes up", STR_ARGS(who)); return true;
    case EFFECT_MET: buf_printf(to, "%.*s meets %.*s", STR_ARGS(who), STR_ARGS(other)); return true;
    case EFFECT_TALK:
        buf_printf(to, "%.*s and %.*s talk", STR_ARGS(who), STR_ARGS(other));
        if (subject.len) buf_printf(to, " about %.*s", STR_ARGS(subject));
        buf_printf(to, " (%d min)", effect->minutes);
        return true;
    case EFFECT_LIKE: buf_printf(to, "%.*s likes a post", STR_ARGS(who)); return true;
    case EFFECT_FOLLOW:
        buf_printf(to, "%.*s follows %.*s", STR_ARGS(who), STR_ARGS(other));
        return true;
    case EFFECT_SKY:
        buf_printf(to, "the weather: %s", weather_name((enum weather)effect->fact));
        return true;
    case EFFECT_LEFT: buf_printf(to, "%.*s moves out", STR_ARGS(who)); return true;
    case EFFECT_CAME: buf_printf(to, "%.*s moves in", STR_ARGS(who)); return true;
    case EFFECT_POST: /* told when they have their words: lines_said() */
    case EFFECT_COMMENT:
    case EFFECT_MESSAGE:
    case EFFECT_READ:
    case EFFECT_REMEMBER:
    case EFFECT_ASK:
    case EFFECT_TAKEN:
    case EFFECT_KIND_COUNT: return false;
    }
    return false;
}

static void put_time(struct buf *to, int32_t at)
{
    buf_add_byte(to, '[');
    game_time_write(to, at);
    buf_add_str(to, STR("] "));
}

static void put_jump(struct buf *to, struct hall *hall, int32_t at)
{
    if (hall->told_minute && at >= hall->told_minute + JUMP_MINUTES) {
        put_time(to, at);
        buf_printf(to, "-- %d minutes on\n", at - hall->told_minute);
    }
    if (at > hall->told_minute) hall->told_minute = at;
}

void lines_happened(struct hall *hall, const struct effect *effects, size_t count)
{
    if (!hall->links.tell) return;
    struct buf lines, line;
    buf_init(&lines, LINES_BYTES);
    buf_init(&line, LINES_BYTES);
    for (size_t i = 0; i < count; i++) {
        const struct effect *effect = &effects[i];
        int32_t at = effect->kind == EFFECT_DEED ? effect->at + effect->minutes : effect->at;
        buf_reset(&line, LINES_BYTES);
        if (!put_effect(&line, hall, effect)) continue;
        put_jump(&lines, hall, at);
        put_time(&lines, at);
        buf_add_str(&lines, buf_str(&line));
        buf_add_byte(&lines, '\n');
    }
    if (lines.len) hall->links.tell(hall->links.tell_ctx, buf_str(&lines));
    buf_release(&line);
    buf_release(&lines);
}

/* A line a turn; the words come when the talk has begun long ago, so the line says when. */
static void talk_said(const struct hall *hall, const struct effect *effect, struct str text)
{
    struct buf lines;
    buf_init(&lines, LINES_BYTES);
    struct str turn;
    for (int i = 0; str_split(&text, '\n', &turn); i++) {
        put_time(&lines, effect->at);
        buf_printf(&lines, "%.*s says: %.*s\n",
                   STR_ARGS(name_of(hall, i % 2 ? effect->other : effect->who)), STR_ARGS(turn));
    }
    hall->links.tell(hall->links.tell_ctx, buf_str(&lines));
    buf_release(&lines);
}

void lines_said(const struct hall *hall, const struct effect *effect, struct str text)
{
    if (!hall->links.tell || text.len == 0) return;
    if (effect->kind == EFFECT_TALK) {
        talk_said(hall, effect, text);
        return;
    }
    struct buf line;
    buf_init(&line, LINES_BYTES);
    put_time(&line, effect->at);
    buf_add_str(&line, name_of(hall, effect->who));
    if (effect->kind == EFFECT_POST) buf_add_str(&line, STR(" posts: "));
    if (effect->kind == EFFECT_COMMENT) buf_add_str(&line, STR(" comments: "));
    if (effect->kind == EFFECT_MESSAGE)
        buf_printf(&line, " writes to %.*s: ", STR_ARGS(name_of(hall, effect->other)));
    for (size_t i = 0; i < text.len; i++) /* one line, whatever was said */
        buf_add_byte(&line, (unsigned char)text.at[i] < ' ' ? ' ' : text.at[i]);
    buf_add_byte(&line, '\n');
    hall->links.tell(hall->links.tell_ctx, buf_str(&line));
    buf_release(&line);
}
