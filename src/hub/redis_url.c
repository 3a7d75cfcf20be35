/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* hub/redis_url.c: where the broker is, as an operator writes it. */
#include "base/buf.h"
#include "http/url.h"
#include "hub/redis.h"

enum { PORT_DEFAULT = 6379, NUMBER_MAX = 999 };

static enum err refuse(struct why *why)
{
    return why_set(why, ERR_INVALID,
                   "setting redis is not the address of a Redis; allowed: redis://HOST:PORT, "
                   "redis://:PASSWORD@HOST:PORT/NUMBER (without TLS), special characters of the "
                   "password as %%XX, or empty");
}

static bool decode(struct str raw, char *to, size_t to_bytes)
{
    size_t len;
    if (raw.len >= to_bytes || !url_unescape(raw, to, &len)) return false;
    to[len] = '\0';
    return strlen(to) == len; /* no NUL inside */
}

static bool number(struct str text, uint64_t min, uint64_t max, int *number_out)
{
    uint64_t value;
    if (!str_to_u64(text, &value) || value < min || value > max) return false;
    *number_out = (int)value;
    return true;
}

static bool parse_host(struct str text, struct redis_url *url)
{
    struct str host, rest;
    if (str_starts(text, STR("["))) {
        size_t end = str_find_byte(text, ']');
        if (end == text.len) return false;
        host = str_head(str_from(text, 1), end - 1);
        rest = str_from(text, end + 1);
    } else {
        size_t colon = str_find_byte(text, ':');
        host = str_head(text, colon);
        rest = str_from(text, colon);
    }
    if (!decode(host, url->host, sizeof(url->host)) || url->host[0] == '\0') return false;
    if (rest.len == 0) return true;
    return rest.at[0] == ':' && number(str_from(rest, 1), 1, 65535, &url->port);
}

enum err redis_url_parse(struct str text, struct redis_url *url_out, struct why *why)
{
    *url_out = (struct redis_url){.port = PORT_DEFAULT};
    if (!str_starts(text, STR("redis://"))) return refuse(why);
    struct str rest = str_from(text, sizeof("redis://") - 1);
    size_t at = rest.len;
    while (at > 0 && rest.at[at - 1] != '@') at--; /* the last: a careless password may have one */
    if (at > 0) {
        struct str account = str_head(rest, at - 1);
        size_t colon = str_find_byte(account, ':');
        if (colon == account.len ||
            !decode(str_head(account, colon), url_out->user, sizeof(url_out->user)) ||
            !decode(str_from(account, colon + 1), url_out->password, sizeof(url_out->password))) {
            return refuse(why);
        }
    }
    rest = str_from(rest, at);
    size_t slash = str_find_byte(rest, '/');
    struct str name = str_from(rest, slash + 1);
    bool right = parse_host(str_head(rest, slash), url_out) &&
                 (name.len == 0 || number(name, 0, NUMBER_MAX, &url_out->number));
    return right ? OK : refuse(why);
}
