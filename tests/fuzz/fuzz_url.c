/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * tests/fuzz/fuzz_url.c: any bytes as a request target, and as text to escape.
 *
 * Held: what is let through lies inside its input, has no dot-segment and only
 * decodes to UTF-8 without NUL; absolute-form says the same as origin-form;
 * decode(escape(x)) is x, as a segment and as bytes; a host that is let through
 * reads the same when it is written again.
 */
#include "base/utf8.h"
#include "http/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_segments(struct arena *arena, struct str path)
{
    struct str rest = path, raw, text;
    struct why why;
    size_t walked = 0;
    while (url_path_next(&rest, &raw)) {
        walked += 1 + raw.len;
        enum err err = url_segment_decode(arena, raw, &text, &why);
        ASSERT(err == OK);
        ASSERT(utf8_valid(text) && str_find_byte(text, '\0') == text.len);
        ASSERT(!str_eq(text, STR(".")) && !str_eq(text, STR("..")));
        ASSERT(text.len <= raw.len);
    }
    ASSERT(walked == path.len);
}

static void check_target(struct arena *arena, struct str text)
{
    struct url_target target, again;
    struct why why;
    if (url_target_parse(text, &target, &why) != OK) return;
    ASSERT(target.path.len > 0 && target.path.at[0] == '/');
    check_segments(arena, target.path);
    if (target.authority.len > 0) return;
    struct str absolute = arena_printf(arena, "http://h:1%.*s", STR_ARGS(text));
    enum err err = url_target_parse(absolute, &again, &why);
    ASSERT(err == OK);
    ASSERT(str_eq(again.authority, STR("h:1")));
    ASSERT(str_eq(again.path, target.path) && str_eq(again.query, target.query));
    ASSERT((again.query.at == NULL) == (target.query.at == NULL));
}

static void check_escapes(struct arena *arena, struct str text)
{
    struct buf buf;
    struct str back;
    struct why why;
    size_t len;
    buf_init(&buf, 3 * text.len + 1);
    url_add_escaped(&buf, text);
    ASSERT(!buf.failed);
    char *bytes = arena_alloc(arena, buf.len + 1);
    bool good = url_unescape(buf_str(&buf), bytes, &len);
    ASSERT(good && str_eq((struct str){bytes, len}, text));
    bool refused = !utf8_valid(text) || str_find_byte(text, '\0') < text.len ||
                   str_eq(text, STR(".")) || str_eq(text, STR(".."));
    enum err err = url_segment_decode(arena, buf_str(&buf), &back, &why);
    ASSERT((err != OK) == refused);
    ASSERT(refused || str_eq(back, text));
    buf_release(&buf);
}

static void check_host(struct arena *arena, struct str text)
{
    struct url_host host, again;
    if (!url_host_parse(text, &host)) return;
    ASSERT(host.host.len > 0 && host.host.len <= text.len);
    struct str written =
        host.port ? arena_printf(arena, "%.*s:%u", STR_ARGS(host.host), host.port) : host.host;
    bool good = url_host_parse(written, &again);
    ASSERT(good && str_eq(again.host, host.host) && again.port == host.port);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct str text = {(const char *)data, size};
    check_target(&arena, text);
    check_escapes(&arena, text);
    check_host(&arena, text);
    arena_release(&arena);
    return 0;
}
