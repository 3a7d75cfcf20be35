/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * tests/fuzz/fuzz_cookie.c: any bytes as a Cookie field.
 *
 * Held: a value lies inside the field and holds no ';'; a cookie is found
 * behind anything that has none of its name, and hidden by nothing; put first
 * it wins over all others.
 */
#include "base/arena.h"
#include "http/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct str joined(struct arena *arena, struct str a, struct str between, struct str b)
{
    char *to = arena_alloc(arena, a.len + between.len + b.len);
    if (a.len > 0) memcpy(to, a.at, a.len);
    memcpy(to + a.len, between.at, between.len);
    if (b.len > 0) memcpy(to + a.len + between.len, b.at, b.len);
    return (struct str){to, a.len + between.len + b.len};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct str cookies = {(const char *)data, size}, value, probe;
    bool found = header_cookie(cookies, "a", &value);
    if (found) {
        ASSERT(value.at > cookies.at && value.at + value.len <= cookies.at + cookies.len);
        ASSERT(str_find_byte(value, ';') == value.len);
    }
    struct str behind = joined(&arena, cookies, STR("; a=x"), STR(""));
    bool again = header_cookie(behind, "a", &probe);
    ASSERT(again && str_eq(probe, found ? value : STR("x")));
    struct str before = joined(&arena, STR("a=x"), STR(";"), cookies);
    again = header_cookie(before, "a", &probe);
    ASSERT(again && str_eq(probe, STR("x")));
    arena_release(&arena);
    return 0;
}
