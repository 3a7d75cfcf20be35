/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * llm/sse.c: lines first, fields second, events last.
 *
 * One token of a model is one event of some 260 bytes, and thousands of streams
 * bring fifty a second each, so the usual case touches every byte twice with
 * memchr (for LF and CR) and copies none. `name` and `data` point into the piece
 * while it is being read; when it ends within an event they move to the decoder's
 * own buffers (settle).
 */
#include "llm/sse.h"

enum {
    KEEP_BYTES = 1024, /* memory a decoder keeps between events: an idle stream should be small */
    STRAY_BYTES_MAX = 16 * 1024 /* an error body; the rest of a page says nothing more */
};

void sse_init(struct sse *sse, size_t line_max, size_t event_max)
{
    ASSERT(line_max > 0 && event_max > 0);
    *sse = (struct sse){.line_max = line_max};
    buf_init(&sse->line, line_max);
    buf_init(&sse->name_kept, line_max);
    buf_init(&sse->data_kept, event_max);
    buf_init(&sse->stray, STRAY_BYTES_MAX);
}

void sse_release(struct sse *sse)
{
    buf_release(&sse->line);
    buf_release(&sse->name_kept);
    buf_release(&sse->data_kept);
    buf_release(&sse->stray);
    sse->name = sse->data = (struct str){0};
    sse->has_data = false;
}

/* Between calls: whatever is remembered lies in the decoder's own memory. */
void sse_check(const struct sse *sse)
{
    ASSERT(sse->line.len <= sse->line_max);
    ASSERT(sse->data.len <= sse->data_kept.max);
    if (sse->stopped) return; /* its event in hand is forgotten */
    ASSERT(sse->has_data || sse->data.len == 0);
    ASSERT(sse->data.len == sse->data_kept.len && sse->name.len == sse->name_kept.len);
}

static void forget_event(struct sse *sse)
{
    sse->name = sse->data = (struct str){0};
    sse->has_data = false;
    if (sse->name_kept.len > 0) buf_reset(&sse->name_kept, KEEP_BYTES);
    if (sse->data_kept.len > 0) buf_reset(&sse->data_kept, KEEP_BYTES);
}

static void dispatch(struct sse *sse, const struct sse_events *to)
{
    if (sse->has_data && (sse->name.len > 0 || sse->data.len > 0)) {
        to->event(to->ctx, sse->name, sse->data);
    } else if (sse->has_data && to->comment) {
        to->comment(to->ctx, sse->data);
    }
    forget_event(sse);
}

/* Moves what was borrowed from a piece into the decoder's own memory. */
static void settle(struct sse *sse)
{
    if (sse->data.len > 0 && sse->data_kept.len == 0) {
        buf_add_str(&sse->data_kept, sse->data);
        sse->data = buf_str(&sse->data_kept);
    }
    if (sse->name.len > 0 && sse->name_kept.len == 0) {
        buf_add_str(&sse->name_kept, sse->name);
        sse->name = buf_str(&sse->name_kept);
    }
}

static enum err add_data(struct sse *sse, struct str value, struct why *why)
{
    size_t max = sse->data_kept.max, lead = sse->has_data ? 1 : 0;
    if (value.len + lead > max - sse->data.len) {
        return why_set(why, ERR_LIMIT, "an event of the stream has more than %zu bytes", max);
    }
    if (!sse->has_data) {
        sse->data = value;
        sse->has_data = true;
        return OK;
    }
    settle(sse);
    buf_add_byte(&sse->data_kept, '\n');
    buf_add_str(&sse->data_kept, value);
    ASSERT(!sse->data_kept.failed);
    sse->data = buf_str(&sse->data_kept);
    return OK;
}

static void set_name(struct sse *sse, struct str value)
{
    if (sse->name_kept.len > 0) buf_reset(&sse->name_kept, KEEP_BYTES);
    sse->name = value;
}

/* A field of its own, and a whole event: what came before it is another. */
static void tell_error(struct sse *sse, struct str value, const struct sse_events *to)
{
    if (sse->has_data) dispatch(sse, to);
    if (!sse->stopped) to->event(to->ctx, STR("error"), value);
    forget_event(sse);
}

static void keep_stray(struct sse *sse, struct str line)
{
    if (sse->stray.len == 0 && line.at[0] != '{' && line.at[0] != '[' && line.at[0] != '<') return;
    size_t room = sse->stray.max - sse->stray.len;
    buf_add_str(&sse->stray, str_head(line, room));
    if (line.len < room) buf_add_byte(&sse->stray, '\n');
}

static enum err read_field(struct sse *sse, struct str line, const struct sse_events *to,
                           struct why *why)
{
    size_t colon = str_find_byte(line, ':');
    struct str name = str_head(line, colon), value = str_from(line, colon + 1);
    if (value.len > 0 && value.at[0] == ' ') value = str_from(value, 1);
    if (name.len == 0) {
        if (to->comment) to->comment(to->ctx, value);
    } else if (str_eq(name, STR("data"))) {
        return add_data(sse, value, why);
    } else if (str_eq(name, STR("event"))) {
        set_name(sse, value);
    } else if (str_eq(name, STR("error"))) {
        tell_error(sse, value, to);
    } else if (!str_eq(name, STR("id")) && !str_eq(name, STR("retry"))) {
        keep_stray(sse, line);
    }
    return OK;
}

static enum err read_line(struct sse *sse, struct str line, const struct sse_events *to,
                          struct why *why)
{
    if (!sse->past_head) {
        if (str_starts(line, STR("\xEF\xBB\xBF"))) line = str_from(line, 3);
        sse->past_head = true;
    }
    if (line.len > 0) return read_field(sse, line, to, why);
    dispatch(sse, to);
    return OK;
}

static enum err too_long(const struct sse *sse, struct why *why)
{
    return why_set(why, ERR_LIMIT, "a line of the event stream has more than %zu bytes",
                   sse->line_max);
}

/* `end` of a line whose beginning came with earlier pieces. */
static enum err read_joined(struct sse *sse, struct str end, const struct sse_events *to,
                            struct why *why)
{
    buf_add_str(&sse->line, end);
    ASSERT(!sse->line.failed);
    enum err err = read_line(sse, buf_str(&sse->line), to, why);
    if (err == OK) settle(sse); /* the line's memory is used again */
    buf_reset(&sse->line, KEEP_BYTES);
    return err;
}

static const char *find(const char *at, const char *end, char byte)
{
    const char *found = memchr(at, byte, (size_t)(end - at));
    return found ? found : end;
}

/* A line, or what there is of it so far. */
static enum err take_line(struct sse *sse, struct str line, bool whole, const struct sse_events *to,
                          struct why *why)
{
    if (line.len > sse->line_max - sse->line.len) return too_long(sse, why);
    if (whole && sse->line.len == 0) return read_line(sse, line, to, why);
    if (whole) return read_joined(sse, line, to, why);
    buf_add_str(&sse->line, line);
    return OK;
}

enum err sse_feed(struct sse *sse, struct str bytes, const struct sse_events *to, struct why *why)
{
    if (bytes.len == 0 || sse->stopped) return OK;
    const char *at = bytes.at, *end = at + bytes.len, *lf = NULL;
    if (sse->after_cr && *at == '\n') at++;
    sse->after_cr = false;

    enum err err = OK;
    while (at < end && err == OK && !sse->stopped) {
        if (lf == NULL || lf < at) lf = find(at, end, '\n');
        const char *stop = find(at, lf, '\r'); /* so no byte is searched twice for either */
        err = take_line(sse, (struct str){at, (size_t)(stop - at)}, stop < end, to, why);
        at = stop + 1;
        if (stop == end || *stop == '\n') continue;
        if (at < end && *at == '\n') at++;
        sse->after_cr = at == end && end[-1] == '\r';
    }
    if (err) sse_stop(sse);
    if (sse->stopped) {
        forget_event(sse);
    } else {
        settle(sse);
    }
    return err;
}

enum err sse_finish(struct sse *sse, const struct sse_events *to, struct why *why)
{
    enum err err = OK;
    if (!sse->stopped && sse->line.len > 0) err = read_joined(sse, (struct str){0}, to, why);
    if (err == OK && !sse->stopped) dispatch(sse, to);
    sse_stop(sse);
    forget_event(sse);
    return err;
}
