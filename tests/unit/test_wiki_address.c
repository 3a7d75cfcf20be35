/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * What people paste as the address of a repository, what it becomes, where a
 * file of it is shown, and where this server does not go.
 */
#include "wiki/address.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <sys/stat.h>

#include "unit.h"

#include "base/limits.h"
#include "base/utf8.h"

/*
 * Takes libc's place, so that names stand for what we say: no test may ask the
 * world. Numbers go to the real one, for how it reads odd ones is the point.
 */
static const struct {
    const char *name;
    const char *addresses[3];
} names[] = {
    {"public.example", {"93.184.215.14"}},
    {"inside.example", {"10.1.2.3"}},
    {"turns.example", {"93.184.215.14", "127.0.0.1"}},
    {"turns6.example", {"2606:2800:21f:cb07:6820:80da:af6b:8b2c", "::ffff:192.168.0.1"}},
    {"git.lan", {"192.168.7.7"}},
};

typedef int look_up_fn(const char *, const char *, const struct addrinfo *, struct addrinfo **);

static look_up_fn *real_look_up(void)
{
    look_up_fn *real;
    void *found = dlsym(RTLD_NEXT, "getaddrinfo");
    memcpy(&real, &found, sizeof(real));
    return real;
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **found_out)
{
    struct addrinfo **next = found_out;
    *found_out = NULL;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (strcmp(name, names[i].name) != 0) continue;
        for (size_t a = 0; a < COUNT_OF(names[i].addresses) && names[i].addresses[a]; a++) {
            if (real_look_up()(names[i].addresses[a], service, hints, next) != 0) return EAI_FAIL;
            next = &(*next)->ai_next;
        }
        return 0;
    }
    bool numbers = strspn(name, "0123456789abcdefABCDEFx.:") == strlen(name);
    return numbers ? real_look_up()(name, service, hints, found_out) : EAI_NONAME;
}

static void addresses_have_one_form(void **state)
{
    (void)state;
    static const struct {
        const char *text, *kind, *url, *is;
        const char *owner, *repo, *path;
    } rows[] = {
        {"https://github.com/Owner/Repo", "", "https://github.com/Owner/Repo", "github", "Owner",
         "Repo", "Owner/Repo"},
        {" https://GitHub.com:443/o/r.git/ ", "", "https://github.com/o/r", "github", "o", "r",
         "o/r"},
        {"HTTPS://github.com./o//r", "", "https://github.com/o/r", "github", "o", "r", "o/r"},
        {"github.com/o/r", "", "https://github.com/o/r", "github", "o", "r", "o/r"},
        {"o/r", "", "https://github.com/o/r", "github", "o", "r", "o/r"},
        {"o/r", "gitlab", "https://gitlab.com/o/r", "gitlab", "o", "r", "o/r"},
        {"o/r", "web", "https://github.com/o/r", "github", "o", "r", "o/r"},
        {"https://github.com/o/my.github.io", "", "https://github.com/o/my.github.io", "github",
         "o", "my.github.io", "o/my.github.io"},
        {"https://github.com/o/r/blob/main/src/a.c?x=1#L3", "", "https://github.com/o/r", "github",
         "o", "r", "o/r"},
        {"https://github.com/o/r.git?tab=readme", "", "https://github.com/o/r", "github", "o", "r",
         "o/r"},
        {"https://gitlab.com/a/b/c", "", "https://gitlab.com/a/b/c", "gitlab", "b", "c", "a/b/c"},
        {"https://gitlab.com/a/b/c/-/tree/main/x", "", "https://gitlab.com/a/b/c", "gitlab", "b",
         "c", "a/b/c"},
        {"https://git.example.org:8443/g/r.git", "gitlab", "https://git.example.org:8443/g/r",
         "gitlab", "g", "r", "g/r"},
        {"https://codeberg.org/o/r/src/branch/main/a", "", "https://codeberg.org/o/r", "gitea", "o",
         "r", "o/r"},
        {"https://example.org/r", "", "https://example.org/r", "web", "local", "r", "r"},
        {"https://dev.azure.com/org/project/_git/r", "", "https://dev.azure.com/org/project/_git/r",
         "web", "_git", "r", "org/project/_git/r"},
        {"https://[2001:DB8::1]:444/o/r", "", "https://[2001:db8::1]:444/o/r", "web", "o", "r",
         "o/r"},
        {"http://localhost:3000/o/r", "gitea", "http://localhost:3000/o/r", "gitea", "o", "r",
         "o/r"},
        {"localhost:3000/o/r", "", "https://localhost:3000/o/r", "web", "o", "r", "o/r"},
        {"https://example.org/a%20b/%e4%b8%ad", "", "https://example.org/a%20b/%E4%B8%AD", "web",
         "a b", "\xE4\xB8\xAD", "a b/\xE4\xB8\xAD"},
        {"git@github.com:o/r.git", "", "ssh://github.com/o/r", "github", "o", "r", "o/r"},
        {"ssh://git@github.com:22/o/r", "", "ssh://github.com/o/r", "github", "o", "r", "o/r"},
        {"ssh://deploy@example.org:2222/srv/r.git", "", "ssh://deploy@example.org:2222/srv/r",
         "web", "srv", "r", "srv/r"},
        {"git@example.org:r.git", "", "ssh://example.org/~/r", "web", "local", "r", "~/r"},
        {"ssh://example.org/~/r", "", "ssh://example.org/~/r", "web", "local", "r", "~/r"},
        {"git@example.org:/srv/r.git", "", "ssh://example.org/srv/r", "web", "srv", "r", "srv/r"},
        {"git@example.org:a%20b/r", "", "ssh://example.org/~/a%2520b/r", "web", "a%20b", "r",
         "~/a%20b/r"},
        {"/srv/code/my repo/", "", "/srv/code/my repo", "local", "local", "my repo",
         "/srv/code/my repo"},
        {"//srv///r.git", "local", "/srv/r.git", "local", "local", "r", "/srv/r.git"},
        {"file:///srv/a%20b.git", "", "file:///srv/a%20b.git", "local", "local", "a b",
         "/srv/a b.git"},
        {"file://localhost/srv/r", "", "file:///srv/r", "local", "local", "r", "/srv/r"},
    };
    struct arena arena = {0};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct wiki_address address, again;
        struct why why;
        enum err err =
            wiki_address_parse(&arena, str_of(rows[i].text), str_of(rows[i].kind), &address, &why);
        if (err) fail_msg("%s: %s", rows[i].text, why.text);
        assert_str_equal(address.url, rows[i].url);
        assert_string_equal(wiki_host_name(address.host_kind), rows[i].is);
        assert_str_equal(address.owner, rows[i].owner);
        assert_str_equal(address.repo, rows[i].repo);
        assert_str_equal(address.path, rows[i].path);
        /* what it became stands for itself */
        assert_int_equal(
            wiki_address_parse(&arena, address.url, str_of(rows[i].kind), &again, &why), OK);
        assert_str_equal(again.url, rows[i].url);
        assert_str_equal(again.path, rows[i].path);
        assert_int_equal(again.host_kind, address.host_kind);
    }
    arena_release(&arena);
}

static void what_is_no_address_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "   ",
        "repo",
        "a/b/c",
        "https://",
        "https:///o/r",
        "https://github.com",
        "https://github.com/",
        "https://github.com/..",
        "https://github.com/o/../r",
        "https://github.com/o/%2e%2e",
        "https://github.com/o/a%2Fb",
        "https://github.com/o/%00",
        "https://github.com/o/%zz",
        "https://github.com/o/r x",
        "https://github.com/o/r\nHost: x",
        "https://git hub.com/o/r",
        "https://-oProxyCommand=x/o/r",
        "ssh://-oProxyCommand=x/o/r",
        "ssh://-x@host/o/r",
        "git@-oProxyCommand=x:o/r",
        "https://host:0/o/r",
        "https://host:99999/o/r",
        "https://./o/r",
        "git://github.com/o/r",
        "ftp://github.com/o/r",
        "javascript://github.com/o/r",
        "ext::sh -c whoami",
        "ext::sh",
        "fd::7/x",
        "C:\\code\\r",
        "file://host/srv/r",
        "file:///",
        "/",
        "/srv/../etc",
        "/srv/\x01",
        "/srv/r /",
        "https://github.com/o/\xFF",
    };
    struct arena arena = {0};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct wiki_address address;
        struct why why = {0};
        enum err err = wiki_address_parse(&arena, str_of(texts[i]), STR(""), &address, &why);
        if (err != ERR_INVALID) fail_msg("\"%s\" became %.*s", texts[i], STR_ARGS(address.url));
        assert_true(why.text[0] != '\0');
    }
    char longest[LIMIT_WIKI_ADDRESS_BYTES + 2] = "https://github.com/o/";
    memset(longest + strlen(longest), 'r', sizeof(longest) - 1 - strlen(longest));
    struct wiki_address address;
    struct why why;
    assert_int_equal(wiki_address_parse(&arena, str_of(longest), STR(""), &address, &why),
                     ERR_INVALID);
    assert_int_equal(wiki_address_parse(&arena, STR("code/r"), STR("local"), &address, &why),
                     ERR_INVALID);
    arena_release(&arena);
}

static void secrets_in_addresses_are_refused_and_not_repeated(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "https://hunter2@github.com/o/r",
        "https://u:hunter2@github.com/o/r",
        "https://u:hunter2/x@github.com/o/r",
        "https://u:hunter2@",
        "ssh://git:hunter2@github.com/o/r",
        "git:hunter2@github.com:o/r",
        "hunter2@github.com/o/r",
        "https://u:hunter2@git hub.com/o/r",
        "ftp://u:hunter2@github.com/o/r",
        "https://github.com/../?private_token=hunter2",
        "https://x@hunter2@github.com/o/r",
        "file://u:hunter2@host/o/r",
    };
    struct arena arena = {0};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct wiki_address address;
        struct why why = {0};
        enum err err = wiki_address_parse(&arena, str_of(texts[i]), STR(""), &address, &why);
        if (err != ERR_INVALID) fail_msg("%s became %.*s", texts[i], STR_ARGS(address.url));
        assert_null(strstr(why.text, "hunter2"));
    }
    struct wiki_address address;
    struct why why;
    assert_int_equal(wiki_address_parse(&arena, STR("https://github.com/o/r?access_token=hunter2"),
                                        STR(""), &address, &why),
                     OK);
    assert_str_equal(address.url, "https://github.com/o/r");
    arena_release(&arena);
}

static void files_have_pages(void **state)
{
    (void)state;
    static const struct {
        const char *text, *kind;
        int first, last;
        const char *page;
    } rows[] = {
        {"https://github.com/o/r", "", 3, 7,
         "https://github.com/o/r/blob/c0ffee/src/a%20b.c#L3-L7"},
        {"https://github.com/o/r", "", 3, 3, "https://github.com/o/r/blob/c0ffee/src/a%20b.c#L3"},
        {"https://github.com/o/r", "", 0, 0, "https://github.com/o/r/blob/c0ffee/src/a%20b.c"},
        {"git@github.com:o/r", "", 3, 0, "https://github.com/o/r/blob/c0ffee/src/a%20b.c#L3"},
        {"https://gitlab.com/a/b/c", "", 3, 7,
         "https://gitlab.com/a/b/c/-/blob/c0ffee/src/a%20b.c#L3-7"},
        {"ssh://git@git.example.org:2222/a/b", "gitlab", 3, 7,
         "https://git.example.org/a/b/-/blob/c0ffee/src/a%20b.c#L3-7"},
        {"https://bitbucket.org/o/r", "", 3, 7,
         "https://bitbucket.org/o/r/src/c0ffee/src/a%20b.c#lines-3:7"},
        {"http://git.lan:3000/o/r", "gitea", 3, 7,
         "http://git.lan:3000/o/r/src/commit/c0ffee/src/a%20b.c#L3-L7"},
        {"https://example.org/o/r", "", 3, 7, ""},
        {"/srv/r", "", 3, 7, ""},
    };
    struct arena arena = {0};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct wiki_address address;
        struct why why;
        assert_int_equal(
            wiki_address_parse(&arena, str_of(rows[i].text), str_of(rows[i].kind), &address, &why),
            OK);
        assert_str_equal(wiki_address_page(&arena, &address, STR("c0ffee"), STR("src/a b.c"),
                                           rows[i].first, rows[i].last),
                         rows[i].page);
    }
    arena_release(&arena);
}

static void the_internet_is_told_from_the_rest(void **state)
{
    (void)state;
    static const char *const inside[] = {
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.255",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.2.1",
        "192.168.0.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fc00::1",
        "fd12:3456::1",
        "ff02::1",
        "fec0::1",
        "2001:db8::1",
        "2001::1",
        "3fff::1",
        "5f00::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "2002:7f00:1::",
        "2002:a00:1::1",
        "2002:c0a8:1::1",
        "64:ff9b::10.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::8.8.8.8",
        "100::1",
        "",
        "localhost",
        "0x7f.1",
        "8.8.8.8 ",
        "8.8.8",
    };
    static const char *const outside[] = {
        "8.8.8.8",        "1.1.1.1",          "100.63.255.255",  "100.128.0.0",
        "172.15.0.1",     "172.32.0.1",       "192.169.0.1",     "9.255.255.255",
        "11.0.0.0",       "223.255.255.255",  "2606:4700::1111", "2a00:1450:4001::1",
        "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1",
    };
    for (size_t i = 0; i < COUNT_OF(inside); i++) {
        if (wiki_address_is_public(str_of(inside[i]))) fail_msg("%s is let through", inside[i]);
    }
    for (size_t i = 0; i < COUNT_OF(outside); i++) {
        if (!wiki_address_is_public(str_of(outside[i]))) fail_msg("%s is refused", outside[i]);
    }
}

static enum err allow(struct arena *arena, const char *text, const char *hosts, const char *roots,
                      struct str *pin_out)
{
    struct wiki_address address;
    struct why why = {0};
    struct wiki_bounds bounds = {.roots = str_of(roots), .hosts = str_of(hosts)};
    enum err err = wiki_address_parse(arena, str_of(text), STR(""), &address, &why);
    if (err) fail_msg("%s: %s", text, why.text);
    *pin_out = (struct str){NULL, 0};
    err = wiki_address_allow(arena, &address, &bounds, pin_out, &why);
    assert_true((err != OK) == (why.text[0] != '\0'));
    if (err) assert_int_equal(pin_out->len, 0);
    assert_true(address.path.len < 3 || strstr(why.text, address.path.at) == NULL);
    return err;
}

static void hosts_of_own_networks_are_not_called(void **state)
{
    (void)state;
    static const char *const denied[] = {
        "https://inside.example/o/r",
        "https://turns.example/o/r",
        "https://turns6.example/o/r",
        "https://127.0.0.1/o/r",
        "https://0x7f.1/o/r",
        "https://2130706433/o/r",
        "https://0177.0.0.1/o/r",
        "https://127.1/o/r",
        "https://0/o/r",
        "https://[::1]/o/r",
        "https://[::ffff:10.0.0.1]/o/r",
        "https://[2002:7f00:1::]/o/r",
        "https://169.254.169.254/latest/meta-data",
        "ssh://git@inside.example/r",
        "git@10.0.0.1:r",
        "http://git.lan/o/r",
    };
    struct arena arena = {0};
    struct str pin;
    for (size_t i = 0; i < COUNT_OF(denied); i++) {
        if (allow(&arena, denied[i], "", "", &pin) != ERR_DENIED) fail_msg("%s passes", denied[i]);
    }
    assert_int_equal(allow(&arena, "https://public.example/o/r", "", "", &pin), OK);
    assert_str_equal(pin, "93.184.215.14");
    assert_int_equal(allow(&arena, "https://8.8.8.8/o/r", "", "", &pin), OK);
    assert_str_equal(pin, "8.8.8.8");
    assert_int_equal(allow(&arena, "https://nobody.example/o/r", "", "", &pin), ERR_UPSTREAM);
    arena_release(&arena);
}

static void hosts_that_the_operator_names_are_called(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct str pin;
    assert_int_equal(allow(&arena, "http://git.lan/o/r", "x, GIT.lan", "", &pin), OK);
    assert_str_equal(pin, "192.168.7.7");
    assert_int_equal(allow(&arena, "http://git.lan:3000/o/r", "git.lan:3000", "", &pin), OK);
    assert_int_equal(allow(&arena, "http://git.lan:3001/o/r", "git.lan:3000", "", &pin),
                     ERR_DENIED);
    assert_int_equal(allow(&arena, "http://git.lan/o/r", "git.lan:3000", "", &pin), ERR_DENIED);
    assert_int_equal(allow(&arena, "https://git.lan/o/r", "git.lan:443", "", &pin), OK);
    assert_int_equal(allow(&arena, "http://git.lan/o/r", "git.lan:443", "", &pin), ERR_DENIED);
    assert_int_equal(allow(&arena, "http://git.lan/o/r", "it.lan,git.la,lan", "", &pin),
                     ERR_DENIED);
    assert_int_equal(allow(&arena, "http://[::1]:80/o/r", "[::1]", "", &pin), OK);
    assert_str_equal(pin, "::1");
    assert_int_equal(allow(&arena, "http://127.1/o/r", "127.0.0.1", "", &pin), ERR_DENIED);
    arena_release(&arena);
}

static void folders_are_read_inside_of_roots_alone(void **state)
{
    (void)state;
    char root[64] = "/tmp/hutong-wiki-roots-XXXXXX", path[128], link[160], roots[200];
    assert_non_null(mkdtemp(root));
    static const char *const folders[] = {"in", "in/repo", "in-not", "out"};
    for (size_t i = 0; i < COUNT_OF(folders); i++) {
        snprintf(path, sizeof(path), "%s/%s", root, folders[i]);
        assert_int_equal(mkdir(path, 0700), 0);
    }
    snprintf(path, sizeof(path), "%s/out", root);
    snprintf(link, sizeof(link), "%s/in/link", root);
    assert_int_equal(symlink(path, link), 0);
    snprintf(path, sizeof(path), "%s/in", root);
    snprintf(link, sizeof(link), "%s/alias", root);
    assert_int_equal(symlink(path, link), 0);
    snprintf(path, sizeof(path), "%s/in/file", root);
    fclose(fopen(path, "w"));
    snprintf(roots, sizeof(roots), "/nowhere::%s/in/", root);

    static const struct {
        const char *path;
        enum err err;
    } rows[] = {
        {"in/repo", OK},
        {"in", OK},
        {"alias/repo", OK},
        {"in/link", ERR_DENIED},
        {"in-not", ERR_DENIED},
        {"out", ERR_DENIED},
        {"", ERR_DENIED},
        {"none", ERR_DENIED},
        {"in/none", ERR_NOT_FOUND},
        {"in/file", ERR_NOT_FOUND},
    };
    struct arena arena = {0};
    struct str pin;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        snprintf(path, sizeof(path), "%s/%s", root, rows[i].path);
        if (allow(&arena, path, "", roots, &pin) != rows[i].err) fail_msg("%s", rows[i].path);
        snprintf(link, sizeof(link), "file://%s", path);
        if (allow(&arena, link, "", roots, &pin) != rows[i].err) fail_msg("file %s", rows[i].path);
        if (allow(&arena, path, "", "", &pin) != ERR_DENIED) fail_msg("no roots: %s", rows[i].path);
    }
    snprintf(path, sizeof(path), "%s/alias/repo", root);
    assert_int_equal(allow(&arena, path, "", roots, &pin), OK);
    snprintf(path, sizeof(path), "%s/in/repo", root);
    assert_str_equal(pin, path); /* the resolved one is what is to be opened */
    assert_int_equal(allow(&arena, path, "", "/", &pin), OK);
    arena_release(&arena);

    static const char *const left[] = {"in/file", "in/link", "alias"};
    for (size_t i = 0; i < COUNT_OF(left); i++) {
        snprintf(path, sizeof(path), "%s/%s", root, left[i]);
        assert_int_equal(unlink(path), 0);
    }
    for (size_t i = COUNT_OF(folders); i-- > 0;) {
        snprintf(path, sizeof(path), "%s/%s", root, folders[i]);
        assert_int_equal(rmdir(path), 0);
    }
    assert_int_equal(rmdir(root), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_have_one_form),
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(secrets_in_addresses_are_refused_and_not_repeated),
        cmocka_unit_test(files_have_pages),
        cmocka_unit_test(the_internet_is_told_from_the_rest),
        cmocka_unit_test(hosts_of_own_networks_are_not_called),
        cmocka_unit_test(hosts_that_the_operator_names_are_called),
        cmocka_unit_test(folders_are_read_inside_of_roots_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
