/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * tests/fuzz/fuzz_header.c: any bytes as the value of every other field.
 *
 * Held: list elements are trimmed, not empty and in order; a range lies inside
 * its representation; a content type's boundary is one that multipart takes;
 * our entity-tag is found at the end of any list of tags; a stranger's
 * X-Forwarded-For changes nothing; qualities are in bounds.
 */
#include "base/arena.h"
#include "http/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_list(struct str value)
{
    struct str rest = value, item;
    const char *last = value.at;
    while (header_list_next(&rest, &item)) {
        ASSERT(item.len > 0 && item.at >= last);
        ASSERT(item.at[0] != ' ' && item.at[item.len - 1] != ' ');
        last = item.at + item.len;
    }
    ASSERT(last <= value.at + value.len);
}

static void check_accept(struct str value)
{
    unsigned quality = header_accept_quality(value, "text/html");
    ASSERT(quality <= 1000 && header_accepts(value, "text/html") == (quality > 0));
    (void)header_accepts_coding(value, "gzip");
}

static void check_content_type(struct str value)
{
    struct header_content_type content;
    if (!header_content_type(value, &content)) return;
    size_t len = strlen(content.boundary);
    ASSERT(len <= HEADER_BOUNDARY_MAX && strlen(content.charset) <= HEADER_CHARSET_MAX);
    ASSERT(strpbrk(content.boundary, "\r\n\"") == NULL);
    ASSERT(str_find_byte(content.type, '/') < content.type.len);
}

static void check_range(struct str value)
{
    static const uint64_t sizes[] = {0, 1, 1000, UINT64_MAX};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct header_range range = {0, 0};
        if (header_range(value, sizes[i], &range) != HEADER_RANGE_PART) continue;
        ASSERT(range.count > 0 && range.first < sizes[i]);
        ASSERT(range.count <= sizes[i] - range.first);
    }
}

static void check_etags(struct arena *arena, struct str value)
{
    struct str etag = STR("\"v1\"");
    (void)header_if_range(value, etag, 0);
    (void)header_precondition(value, value, etag, 0);
    (void)header_modified_since(value, 0);
    if (memchr(value.at, '\0', value.len)) return; /* %s below */
    bool had = header_etag_matches(value, etag);
    struct str before = arena_printf(arena, "W/\"v1\", %.*s", STR_ARGS(value));
    ASSERT(header_etag_matches(before, etag));
    if (!had && str_find_byte(value, '"') == value.len && str_find_byte(value, '/') == value.len) {
        struct str inside = arena_printf(arena, "\"%.*s\"", STR_ARGS(value));
        ASSERT(!header_etag_matches(inside, etag) || str_eq(value, STR("v1")));
    }
}

static void check_addresses(struct str value)
{
    struct header_trusted trusted, from_value;
    struct why why;
    enum err err = header_trusted_parse(STR("127.0.0.0/8, ::1"), &trusted, &why);
    ASSERT(err == OK);
    struct str stranger = STR("192.0.2.1"), proxy = STR("127.0.0.1");
    ASSERT(header_client_address(value, stranger, &trusted).at == stranger.at);
    struct str client = header_client_address(value, proxy, &trusted);
    ASSERT(client.at == proxy.at || (client.len > 0 && client.at >= value.at &&
                                     client.at + client.len <= value.at + value.len));
    if (header_trusted_parse(value, &from_value, &why) == OK) {
        ASSERT(from_value.count <= HEADER_NETS_MAX);
        (void)header_client_address(value, proxy, &from_value);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct str out;
    struct str value = {size ? (const char *)data : "", size};
    check_list(value);
    check_accept(value);
    check_content_type(value);
    check_range(value);
    check_etags(&arena, value);
    check_addresses(value);
    if (header_credentials(value, "Bearer", &out)) ASSERT(out.len > 0);
    ASSERT(!header_origin_is_host(value, STR("h")) || str_ends(value, STR("h")) ||
           str_find_byte(value, ':') < value.len);
    arena_release(&arena);
    return 0;
}
