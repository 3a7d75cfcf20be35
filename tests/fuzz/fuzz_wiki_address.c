/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * tests/fuzz/fuzz_wiki_address.c: any bytes as the address of a repository; the first byte says of
 * which kind, and the rest also as a numeric address.
 *
 * Held: a refusal has a sentence in UTF-8; what is accepted has one form, which stands for itself,
 * no part of its path climbs, nothing in it could be an option of a program or a line of its own,
 * and the pages of its files lie on its host.
 */
#include "base/limits.h"
#include "base/utf8.h"
#include "wiki/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_parts(struct str path)
{
    struct str part;
    if (str_starts(path, STR("/"))) path = str_from(path, 1);
    ASSERT(path.len > 0);
    while (str_split(&path, '/', &part)) {
        ASSERT(part.len > 0 && !str_eq(part, STR(".")) && !str_eq(part, STR("..")));
        ASSERT(str_find_byte(part, '\n') == part.len && str_find_byte(part, '\0') == part.len);
    }
}

static void check_page(struct arena *arena, const struct wiki_address *address)
{
    struct str page = wiki_address_page(arena, address, STR("c0ffee"), STR("a/b.c"), 1, 2);
    if (page.len == 0) return;
    ASSERT(address->host.len > 0);
    struct str rest = str_from(page, str_find(page, STR("://")) + 3);
    ASSERT(str_starts(rest, address->host));
    char next = rest.at[address->host.len];
    ASSERT(next == '/' || next == ':');
}

static void check_address(struct arena *arena, struct str text, struct str kind)
{
    struct wiki_address address, again;
    struct why why = {{0}, NULL, NULL};
    enum err err = wiki_address_parse(arena, text, kind, &address, &why);
    if (err) {
        ASSERT(err == ERR_INVALID && why.text[0] != '\0' && utf8_valid(str_of(why.text)));
        return;
    }
    ASSERT(utf8_valid(address.url) && utf8_valid(address.path));
    ASSERT(address.url.len > 0 && address.url.at[0] != '-');
    ASSERT(address.host.len == 0 || address.host.at[0] != '-');
    ASSERT(address.user.len == 0 || address.user.at[0] != '-');
    ASSERT(address.owner.len > 0 && address.repo.len > 0);
    check_parts(address.path);
    check_page(arena, &address);
    /* The form of the longest ones, escaped, may itself be too long. */
    if (address.url.len > LIMIT_WIKI_ADDRESS_BYTES) return;
    err = wiki_address_parse(arena, address.url, str_of(wiki_host_name(address.host_kind)), &again,
                             &why);
    ASSERT(err == OK && str_eq(again.url, address.url) && str_eq(again.path, address.path));
    ASSERT(again.host_kind == address.host_kind && again.port == address.port);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const kinds[] = {"", "github", "gitlab", "bitbucket", "gitea", "local"};
    if (size == 0) return 0;
    struct arena arena = {0};
    struct str text = {(const char *)data + 1, size - 1};
    check_address(&arena, text, str_of(kinds[data[0] % COUNT_OF(kinds)]));
    (void)wiki_address_is_public(text);
    arena_release(&arena);
    return 0;
}
