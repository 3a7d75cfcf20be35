/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * store/db_url.c: where a database is, as an operator writes it.
 *
 *   sqlite:PATH
 *   mysql://USER:PASSWORD@HOST:PORT/NAME?socket=PATH&tls=off|require|verify&ca=PATH
 *
 * mariadb:// is the same as mysql://. No sentence repeats the URL or a part of
 * it: a slip of the pen may have put the password anywhere.
 */
#include "store/db_url.h"

#define EXAMPLES "sqlite:/var/lib/hutong/hutong.db or mysql://user:password@localhost:3306/hutong"

/* Percent-decoded, NUL-terminated; NULL when an escape is broken or hides a NUL. */
static const char *decode(struct arena *arena, struct str s)
{
    char *text = arena_alloc(arena, s.len + 1);
    size_t len = 0;
    for (size_t i = 0; i < s.len; i++) {
        text[len] = s.at[i];
        if (s.at[i] == '%') {
            struct str digits = str_head(str_from(s, i + 1), 2);
            if (digits.len != 2 || !hex_read(digits, &text[len], 1)) return NULL;
            i += 2;
        }
        if (text[len++] == '\0') return NULL;
    }
    return text;
}

static enum err parse_sqlite(struct arena *arena, struct str path, struct db_url *url,
                             struct why *why)
{
    url->path = decode(arena, path);
    if (url->path == NULL) {
        return why_set(why, ERR_INVALID, "a %% in the database URL must be written %%25");
    }
    if (url->path[0] == '\0' || strcmp(url->path, ":memory:") == 0) {
        return why_set(why, ERR_INVALID, "sqlite: needs the path of a file, like " EXAMPLES);
    }
    return OK;
}

static enum err parse_option(struct arena *arena, struct str option, struct db_url *url,
                             struct why *why)
{
    static const char *const tls_names[] = {"off", "require", "verify"};
    size_t equals = str_find_byte(option, '=');
    struct str name = str_head(option, equals);
    const char *value = decode(arena, str_from(option, equals + 1));
    if (value == NULL) goto bad;
    if (str_eq(name, STR("socket"))) {
        url->socket = value;
        return OK;
    }
    if (str_eq(name, STR("ca"))) {
        url->ca = value;
        return OK;
    }
    if (!str_eq(name, STR("tls"))) goto bad;
    for (unsigned i = 0; i < COUNT_OF(tls_names); i++) {
        if (strcmp(value, tls_names[i]) == 0) {
            url->tls = i;
            return OK;
        }
    }
bad:
    return why_set(why, ERR_INVALID,
                   "after the ? of a database URL come socket=PATH, tls=off, tls=require, "
                   "tls=verify or ca=PATH");
}

/* USER:PASSWORD, with or without the second. */
static bool parse_account(struct arena *arena, struct str account, struct db_url *url)
{
    size_t colon = str_find_byte(account, ':');
    url->user = decode(arena, str_head(account, colon));
    if (url->user == NULL || url->user[0] == '\0') return false;
    if (colon == account.len) return true;
    url->password = decode(arena, str_from(account, colon + 1));
    return url->password != NULL;
}

/* HOST:PORT, [IPv6]:PORT; everything may be missing. */
static bool parse_host(struct arena *arena, struct str host, struct db_url *url)
{
    struct str port = {0};
    if (str_starts(host, STR("["))) {
        size_t end = str_find_byte(host, ']');
        if (end == host.len) return false;
        port = str_from(host, end + 1);
        host = (struct str){host.at + 1, end - 1};
    } else {
        size_t colon = str_find_byte(host, ':');
        port = str_from(host, colon);
        host = str_head(host, colon);
    }
    if (host.len > 0) {
        url->host = decode(arena, host);
        if (url->host == NULL) return false;
    }
    if (port.len == 0) return true;
    uint64_t number = 0;
    if (port.at[0] != ':' || !str_to_u64(str_from(port, 1), &number)) return false;
    url->port = (unsigned)number;
    return number > 0 && number < 65536;
}

static enum err parse_mysql(struct arena *arena, struct str rest, struct db_url *url,
                            struct why *why)
{
    size_t mark = str_find_byte(rest, '?');
    struct str options = str_from(rest, mark + 1), option;
    rest = str_head(rest, mark);
    size_t slash = str_find_byte(rest, '/');
    struct str name = str_from(rest, slash + 1);
    rest = str_head(rest, slash);
    /* The last '@': people forget to encode the one in their password. */
    size_t at = rest.len;
    while (at > 0 && rest.at[at - 1] != '@') {
        at--;
    }
    if (at == 0 || !parse_account(arena, str_head(rest, at - 1), url) ||
        !parse_host(arena, str_from(rest, at), url)) {
        goto bad;
    }
    url->name = decode(arena, name);
    if (url->name == NULL || url->name[0] == '\0') goto bad;
    while (str_split(&options, '&', &option)) {
        if (option.len == 0) continue;
        enum err err = parse_option(arena, option, url, why);
        if (err) return err;
    }
    if (url->socket == NULL && url->host == NULL) goto bad;
    return OK;
bad:
    return why_set(why, ERR_INVALID,
                   "a MariaDB URL reads mysql://USER:PASSWORD@HOST:PORT/NAME or "
                   "mysql://USER:PASSWORD@/NAME?socket=PATH, with %%XX for special characters");
}

enum err db_url_parse(struct arena *arena, struct str url, struct db_url *url_out, struct why *why)
{
    static const struct {
        const char *scheme;
        enum db_kind kind;
        enum err (*parse)(struct arena *, struct str, struct db_url *, struct why *);
    } schemes[] = {
        {"sqlite:", DB_SQLITE, parse_sqlite},
        {"mysql://", DB_MARIADB, parse_mysql},
        {"mariadb://", DB_MARIADB, parse_mysql},
    };
    *url_out = (struct db_url){0};
    for (size_t i = 0; i < COUNT_OF(schemes); i++) {
        struct str scheme = str_of(schemes[i].scheme);
        if (!str_starts(url, scheme)) continue;
        url_out->kind = schemes[i].kind;
        return schemes[i].parse(arena, str_from(url, scheme.len), url_out, why);
    }
    return why_set(why, ERR_INVALID, "a database URL looks like " EXAMPLES);
}

struct str db_url_public(struct arena *arena, struct str url)
{
    struct db_url parsed;
    struct why why;
    if (db_url_parse(arena, url, &parsed, &why)) return STR("(not a database URL)");
    if (parsed.kind == DB_SQLITE) return arena_printf(arena, "sqlite:%s", parsed.path);
    if (parsed.socket) {
        return arena_printf(arena, "mysql://%s@/%s?socket=%s", parsed.user, parsed.name,
                            parsed.socket);
    }
    return arena_printf(arena, "mysql://%s@%s:%u/%s", parsed.user, parsed.host,
                        parsed.port ? parsed.port : 3306, parsed.name);
}
