/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "app/vet.h"

#include "auth/keyring.h"
#include "http/header.h"
#include "http/url.h"
#include "store/db_url.h"
#include "townhall/budget.h"
#include "townhall/comfyui.h"

enum err vet_address(struct arena *arena, struct str address, const char **host_out,
                     const char **port_out, struct why *why)
{
    size_t colon = address.len;
    for (size_t i = 0; i < address.len; i++) {
        if (address.at[i] == ':') colon = i;
    }
    struct str host = str_head(address, colon), port = str_from(address, colon + 1);
    bool bracketed = str_starts(host, STR("[")) && str_ends(host, STR("]"));
    if (bracketed) host = str_head(str_from(host, 1), host.len - 2);
    uint64_t number;
    if (colon == address.len || !str_to_u64(port, &number) || number > 65535 ||
        (!bracketed && str_find_byte(host, ':') < host.len)) {
        return why_set(why, ERR_INVALID,
                       "\"%.*s\" is no address; allowed: HOST:PORT with a port from 0 to 65535, "
                       "like 127.0.0.1:8000 or [::1]:8000",
                       STR_ARGS(address));
    }
    /* To the resolver no host is every address of this machine: nothing to come by from a slip. */
    if (host.len == 0) {
        return why_set(why, ERR_INVALID,
                       "\"%.*s\" names no host; allowed: 127.0.0.1:%.*s for this machine alone, "
                       "0.0.0.0:%.*s or [::]:%.*s for all of its addresses",
                       STR_ARGS(address), STR_ARGS(port), STR_ARGS(port), STR_ARGS(port));
    }
    *host_out = arena_copy(arena, host).at;
    *port_out = arena_copy(arena, port).at;
    return OK;
}

enum err vet_redis(struct arena *arena, struct str url, struct redis_url *url_out, struct why *why)
{
    *url_out = (struct redis_url){.port = "6379"};
    struct str rest = str_from(url, strlen("redis://")), account = {0};
    rest = str_head(rest, str_find_byte(rest, '/'));
    size_t at = str_find_byte(rest, '@');
    if (at < rest.len) {
        account = str_head(rest, at);
        rest = str_from(rest, at + 1);
    }
    struct str host, user, password;
    size_t colon = str_find_byte(rest, ':');
    struct str port = str_from(rest, colon + 1);
    uint64_t number = 6379;
    host = str_head(rest, colon);
    if (!str_starts(url, STR("redis://")) || host.len == 0 ||
        (colon < rest.len && (!str_to_u64(port, &number) || number < 1 || number > 65535))) {
        goto bad;
    }
    url_out->host = arena_copy(arena, host).at;
    if (colon < rest.len) url_out->port = arena_copy(arena, port).at;
    colon = str_find_byte(account, ':');
    struct why said;
    if (url_segment_decode(arena, str_head(account, colon), &user, &said) ||
        url_segment_decode(arena, str_from(account, colon + 1), &password, &said)) {
        goto bad;
    }
    if (user.len > 0) url_out->user = arena_copy(arena, user).at;
    if (password.len > 0) url_out->password = arena_copy(arena, password).at;
    return OK;
bad: /* repeats nothing of it: a password may stand anywhere */
    return why_set(why, ERR_INVALID,
                   "this is no address of a broker; allowed: redis://HOST:PORT or "
                   "redis://:PASSWORD@HOST:PORT");
}

static enum err check_listen(const struct settings *settings, struct why *why)
{
    struct arena arena = {0};
    const char *host, *port;
    enum err err = vet_address(&arena, settings->listen, &host, &port, why);
    arena_release(&arena);
    return err;
}

static enum err check_data(const struct settings *settings, struct why *why)
{
    if (settings->data_dir.len > 0) return OK;
    return why_set(why, ERR_INVALID,
                   "\"\" is no folder; allowed: the path of one, like ./data or /var/lib/hutong");
}

static enum err check_database(const struct settings *settings, struct why *why)
{
    struct arena arena = {0};
    struct db_url url;
    enum err err = db_url_parse(&arena, settings->database, &url, why);
    arena_release(&arena);
    return err;
}

static enum err check_redis(const struct settings *settings, struct why *why)
{
    struct arena arena = {0};
    struct redis_url url;
    if (settings->redis.len == 0) return OK;
    enum err err = vet_redis(&arena, settings->redis, &url, why);
    arena_release(&arena);
    return err;
}

static enum err check_proxies(const struct settings *settings, struct why *why)
{
    struct header_trusted trusted;
    return header_trusted_parse(settings->trusted_proxies, &trusted, why);
}

/* What browsers send in Origin: scheme://host[:port], nothing behind it (RFC 6454, 6.2). It is
 * compared byte for byte, so a '/' at the end would never match. */
static bool is_origin(struct str text)
{
    size_t scheme = str_find(text, STR("://"));
    struct str rest = str_from(text, scheme + 3);
    return scheme > 0 && rest.len > 0 && str_find_byte(rest, '/') == rest.len &&
           str_find_byte(text, ' ') == text.len;
}

static enum err check_origins(struct str list, struct why *why)
{
    struct str one;
    while (str_split(&list, ',', &one)) {
        one = str_trim(one);
        if (one.len == 0 || is_origin(one)) continue;
        return why_set(why, ERR_INVALID,
                       "\"%.*s\" is no web origin; allowed: https://HOST or http://HOST:PORT, "
                       "nothing behind it, several separated by commas",
                       STR_ARGS(one));
    }
    return OK;
}

static enum err check_cors(const struct settings *settings, struct why *why)
{
    return check_origins(settings->cors_origins, why);
}

static enum err check_live(const struct settings *settings, struct why *why)
{
    return check_origins(settings->live_origins, why);
}

static enum err check_secret(const struct settings *settings, struct why *why)
{
    if (settings->jwt_secret.len == 0) return OK;
    return legacy_secret_check(settings->jwt_secret, why);
}

/* A code that is empty would keep nobody out. */
static enum err check_wiki_code(const struct settings *settings, struct why *why)
{
    if (!settings->wiki_auth_mode || settings->wiki_auth_code.len > 0) return OK;
    return why_set(
        why, ERR_INVALID,
        "wiki-auth-mode is on, but there is no code that strangers could show; put one into "
        "wiki-auth-code (HUTONG_WIKI_AUTH_CODE or DEEPWIKI_AUTH_CODE), or switch "
        "wiki-auth-mode off");
}

/* Everything on this machine may not be meant: the keys in the data folder would be among it. */
static enum err check_wiki_roots(const struct settings *settings, struct why *why)
{
    struct str rest = settings->wiki_roots, root;
    while (str_split(&rest, ':', &root)) {
        struct str name = root;
        while (str_ends(name, STR("/"))) name.len--;
        if (root.len == 0 || (str_starts(root, STR("/")) && name.len > 0)) continue;
        return why_set(why, ERR_INVALID,
                       "\"%.*s\" is no folder to allow; allowed: paths like /srv/code, several "
                       "separated by ':'",
                       STR_ARGS(root));
    }
    return OK;
}

static enum err check_comfyui_url(const struct settings *settings, struct why *why)
{
    return settings->comfyui_url.len ? comfyui_check_address(settings->comfyui_url, why) : OK;
}

static enum err check_comfyui_workflow(const struct settings *settings, struct why *why)
{
    struct buf workflow = {0};
    if (settings->comfyui_url.len == 0) return OK;
    enum err err = comfyui_load_workflow(settings->comfyui_workflow, &workflow, why);
    buf_release(&workflow);
    return err;
}

const struct vet vets[] = {
    {"listen", check_listen},
    {"data", check_data},
    {"database", check_database},
    {"cors-origins", check_cors},
    {"trusted-proxies", check_proxies},
    {"live-origins", check_live},
    {"redis", check_redis},
    {"jwt-secret", check_secret},
    {"wiki-auth-mode", check_wiki_code},
    {"wiki-roots", check_wiki_roots},
    {"town-model-money", budget_vet},
    {"comfyui-url", check_comfyui_url},
    {"comfyui-workflow", check_comfyui_workflow},
};
const size_t vets_count = COUNT_OF(vets);

enum err vet_settings(const struct settings *settings, struct why *why)
{
    struct why said;
    for (size_t i = 0; i < vets_count; i++) {
        enum err err = vets[i].check(settings, &said);
        if (!err) continue;
        bool named = str_starts(str_of(said.text), str_of(vets[i].setting));
        return named ? why_set(why, err, "setting %s", said.text)
                     : why_set(why, err, "setting %s: %s", vets[i].setting, said.text);
    }
    return OK;
}
