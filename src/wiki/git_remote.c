/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/git_remote.c: how to get to a repository, and how to show that one may.
 *
 * A host that says the repository is elsewhere (it was renamed, which is common)
 * is believed only about its own repositories: git itself follows nothing, but
 * can be heard saying where it was sent, and if that is the same scheme, host
 * and port, the new path is tried, once.
 */
#include "wiki/git_remote.h"

#include "base/limits.h"
#include "http/url.h"

enum { SILENCE_S = 60 /* of a host, until it is given up */ };

/* How hosts want a token with basic authentication: the user that says that it is one. */
static const char *const token_users[] = {
    [WIKI_GITHUB] = "x-access-token", [WIKI_GITLAB] = "oauth2", [WIKI_BITBUCKET] = "x-token-auth",
    [WIKI_GITEA] = "oauth2",          [WIKI_PLAIN] = "git",     [WIKI_FOLDER] = "git",
};

static bool has_scheme(const struct wiki_address *from, const char *scheme)
{
    return str_eq(from->scheme, str_of(scheme));
}

static struct str escaped_path(struct arena *arena, struct str path)
{
    struct buf buf;
    struct str part;
    buf_init(&buf, 4 * LIMIT_WIKI_ADDRESS_BYTES + 64);
    while (str_split(&path, '/', &part)) {
        if (buf.len > 0) buf_add_byte(&buf, '/');
        url_add_escaped(&buf, part);
    }
    struct str kept = arena_copy(arena, buf_str(&buf));
    buf_release(&buf);
    return kept;
}

struct str wiki_remote_url(struct arena *arena, const struct wiki_fetch *fetch, bool dot_git)
{
    const struct wiki_address *from = fetch->from;
    if (has_scheme(from, "file")) {
        struct str path = escaped_path(arena, str_from(fetch->pin, 1));
        return arena_printf(arena, "file:///%.*s", STR_ARGS(path));
    }
    char port[16] = "";
    if (from->port > 0) snprintf(port, sizeof(port), ":%d", from->port);
    struct str path = escaped_path(arena, from->path);
    return arena_printf(arena, "%.*s://%.*s%s%.*s%s/%.*s%s", STR_ARGS(from->scheme),
                        STR_ARGS(from->user), from->user.len > 0 ? "@" : "", STR_ARGS(from->host),
                        port, STR_ARGS(path), dot_git ? ".git" : "");
}

/* The token is in the environment of git as a header for this host alone. The other way, a program
 * that git asks for a password (GIT_ASKPASS), would have to be a file of ours that can be run, and
 * would need the token in its environment all the same. */
static void give_token(struct wiki_git *git, const struct wiki_fetch *fetch)
{
    struct str token = fetch->token;
    bool both = str_find_byte(token, ':') < token.len;
    struct str plain = token;
    if (!both) {
        plain = arena_printf(git->arena, "%s:%.*s", token_users[fetch->from->host_kind],
                             STR_ARGS(token));
    }
    struct str basic = wiki_basic(git->arena, plain);
    struct str header = arena_printf(git->arena, "Authorization: %.*s", STR_ARGS(basic));
    wiki_git_config(git, "http.extraHeader", header);
    git->secret = token;
}

static bool is_v6(struct str numeric)
{
    return str_find_byte(numeric, ':') < numeric.len;
}

static void set_http(struct wiki_git *git, const struct wiki_fetch *fetch)
{
    const struct wiki_address *from = fetch->from;
    int port = from->port > 0 ? from->port : has_scheme(from, "https") ? 443 : 80;
    bool v6 = is_v6(fetch->pin);
    wiki_git_config(git, "http.followRedirects", STR("false"));
    wiki_git_config(git, "http.lowSpeedLimit", STR("1"));
    wiki_git_config(git, "http.lowSpeedTime", arena_printf(git->arena, "%d", SILENCE_S));
    if (from->host.at[0] != '[') {
        struct str pin = arena_printf(git->arena, "%.*s:%d:%s%.*s%s", STR_ARGS(from->host), port,
                                      v6 ? "[" : "", STR_ARGS(fetch->pin), v6 ? "]" : "");
        wiki_git_config(git, "http.curloptResolve", pin);
    }
    if (fetch->token.len > 0) give_token(git, fetch);
}

/* The host is known by its name, whatever its address; a key that changed is refused. Host and pin
 * are made of letters, digits, '.', '-', '_', ':' and brackets: wiki/address.c saw to it. */
static void set_ssh(struct wiki_git *git, const struct wiki_fetch *fetch)
{
    struct str command = arena_printf(
        git->arena,
        "GIT_SSH_COMMAND=ssh -o BatchMode=yes -o StrictHostKeyChecking=accept-new -o "
        "UpdateHostKeys=no -o 'HostName=%.*s' -o 'HostKeyAlias=%.*s' -o ProxyCommand=none -o "
        "ClearAllForwardings=yes -o ForwardAgent=no -o PermitLocalCommand=no -o ControlMaster=no "
        "-o ControlPath=none -o ConnectTimeout=%d -o ServerAliveInterval=%d",
        STR_ARGS(fetch->pin), STR_ARGS(fetch->from->host), SILENCE_S, SILENCE_S / 3);
    wiki_git_variable(git, command.at);
}

void wiki_remote_set(struct wiki_git *git, const struct wiki_fetch *fetch, struct str url)
{
    git->stop = fetch->stop;
    wiki_git_config(git, "remote.from.url", url);
    wiki_git_config(git, "remote.from.promisor", STR("true"));
    wiki_git_config(git, "remote.from.partialCloneFilter",
                    arena_printf(git->arena, "blob:limit=%d", LIMIT_WIKI_FILE_BYTES + 1));
    if (has_scheme(fetch->from, "ssh")) {
        set_ssh(git, fetch);
    } else if (has_scheme(fetch->from, "file")) {
        const char *serve =
            arena_printf(git->arena, "GIT_CONFIG_GLOBAL=%s/" WIKI_GIT_SERVE, git->folder).at;
        wiki_git_variable(git, serve);
    } else {
        set_http(git, fetch);
    }
}

/* --- moved --- */

static struct str origin_of(struct str url)
{
    size_t scheme = str_find(url, STR("://"));
    if (scheme == url.len) return STR("");
    size_t rest = scheme + 3;
    return str_head(url, rest + str_find_byte(str_from(url, rest), '/') + 1);
}

/* "URL/info/refs?service=git-upload-pack", if it is of the same origin: URL. */
static bool new_url(struct arena *arena, struct str old, struct str location, struct str *url_out)
{
    static const char asked[] = "/info/refs?service=git-upload-pack";
    struct str origin = origin_of(old);
    if (origin.len == 0 || !str_starts(location, origin)) return false;
    if (!str_ends(location, str_of(asked))) return false;
    struct str url = str_head(location, location.len - strlen(asked));
    for (size_t i = 0; i < url.len; i++) {
        if ((unsigned char)url.at[i] <= ' ' || (unsigned char)url.at[i] >= 0x7F) return false;
    }
    if (url.len <= origin.len || url.len > LIMIT_WIKI_ADDRESS_BYTES || str_eq(url, old))
        return false;
    *url_out = arena_copy(arena, url);
    return true;
}

bool wiki_remote_moved(struct arena *arena, const struct wiki_fetch *fetch, struct str url,
                       int64_t end_us, struct str *url_out)
{
    struct wiki_git git;
    struct why unused;
    wiki_git_init(&git, arena, "/nonexistent", arena_copy(arena, fetch->from->scheme).at);
    git.end_us = end_us;
    wiki_remote_set(&git, fetch, url);
    /* To where its complaints go. The header with the token is left out of it. */
    wiki_git_variable(&git, "GIT_TRACE_CURL=2");
    wiki_git_variable(&git, "GIT_TRACE_CURL_NO_DATA=1");
    wiki_git_variable(&git, "GIT_TRACE_REDACT=1");
    const char *const argv[] = {"git", "ls-remote", "from", "HEAD", NULL};
    enum err err = wiki_git_run(&git, argv, &unused);
    bool moved = err && new_url(arena, url, str_of(git.said.location), url_out);
    wiki_git_release(&git);
    return moved;
}
