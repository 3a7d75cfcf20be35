/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/address.c: what people paste, written in one way.
 *
 * People paste what stands in their browser, so pages of a repository (its
 * files, its issues) mean the repository, and queries are dropped. No sentence
 * ever repeats an address: a password may stand where nobody expects one.
 *
 * Whether this server may go there is address_allow.c.
 */
#include "wiki/address.h"

#include "base/limits.h"
#include "base/utf8.h"
#include "http/url.h"

enum { PARTS_MAX = 64 };

static const struct {
    const char *name;
    const char *host; /* where "owner/repo" alone is */
} hosts[] = {
    [WIKI_GITHUB] = {"github", "github.com"},
    [WIKI_GITLAB] = {"gitlab", "gitlab.com"},
    [WIKI_BITBUCKET] = {"bitbucket", "bitbucket.org"},
    [WIKI_GITEA] = {"gitea", "gitea.com"},
    [WIKI_PLAIN] = {"web", "github.com"},
    [WIKI_FOLDER] = {"local", NULL},
};

const char *wiki_host_name(enum wiki_host kind)
{
    ASSERT((unsigned)kind < COUNT_OF(hosts));
    return hosts[kind].name;
}

/* WIKI_PLAIN: it says nothing. */
static enum wiki_host kind_by_word(struct str kind)
{
    for (size_t i = 0; i < COUNT_OF(hosts); i++) {
        if (str_eq_nocase(kind, str_of(hosts[i].name))) return (enum wiki_host)i;
    }
    return WIKI_PLAIN;
}

static enum wiki_host kind_by_host(struct str host)
{
    static const struct {
        const char *host; /* "x." in front: hosts that begin so; ".x": that end so */
        enum wiki_host kind;
    } known[] = {
        {"github.com", WIKI_GITHUB}, {"github.", WIKI_GITHUB}, {".ghe.com", WIKI_GITHUB},
        {"gitlab.com", WIKI_GITLAB}, {"gitlab.", WIKI_GITLAB}, {"bitbucket.org", WIKI_BITBUCKET},
        {"gitea.", WIKI_GITEA},      {"forgejo.", WIKI_GITEA}, {"codeberg.org", WIKI_GITEA},
    };
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        struct str rule = str_of(known[i].host);
        bool so = str_eq(host, rule) || (str_ends(rule, STR(".")) && str_starts(host, rule)) ||
                  (str_starts(rule, STR(".")) && str_ends(host, rule));
        if (so) return known[i].kind;
    }
    return WIKI_PLAIN;
}

/* --- the parts of a path --- */

struct parts {
    struct str at[PARTS_MAX];
    size_t count;
};

static bool part_is_fine(struct str part)
{
    if (str_eq(part, STR(".")) || str_eq(part, STR("..")) || !utf8_valid(part)) return false;
    for (size_t i = 0; i < part.len; i++) {
        unsigned char byte = (unsigned char)part.at[i];
        if (byte < ' ' || byte == 0x7F || byte == '/') return false;
    }
    return true;
}

/* `escaped`: %XX is a byte. False: a part that climbs, is no text, or there are too many. */
static bool split_path(struct arena *arena, struct str path, bool escaped, struct parts *parts_out)
{
    struct str raw;
    while (str_split(&path, '/', &raw)) {
        if (raw.len == 0) continue;
        struct str part = raw;
        if (escaped) {
            char *bytes = arena_alloc(arena, raw.len + 1);
            if (!url_unescape(raw, bytes, &part.len)) return false;
            part.at = bytes;
        }
        if (part.len == 0 || !part_is_fine(part) || parts_out->count == PARTS_MAX) return false;
        parts_out->at[parts_out->count++] = part;
    }
    return true;
}

static struct str without_git(struct str part)
{
    if (part.len > 4 && str_ends(part, STR(".git"))) part.len -= 4;
    return part;
}

/* Pages of a repository mean the repository: what comes behind its name is cut off. */
static void cut_page(struct parts *parts, enum wiki_host kind)
{
    size_t keep = parts->count;
    switch (kind) {
    case WIKI_GITHUB:
    case WIKI_BITBUCKET: keep = 2; break;
    case WIKI_GITLAB:
        for (keep = 2; keep < parts->count && !str_eq(parts->at[keep], STR("-")); keep++) continue;
        break;
    case WIKI_GITEA:
        for (keep = 2; keep < parts->count && !str_eq(parts->at[keep], STR("src")); keep++)
            continue;
        break;
    case WIKI_PLAIN:
    case WIKI_FOLDER: break;
    }
    parts->count = MIN(parts->count, keep);
}

static struct str join_parts(struct arena *arena, const struct parts *parts, bool escape)
{
    struct buf joined;
    buf_init(&joined, 3 * LIMIT_WIKI_ADDRESS_BYTES);
    for (size_t i = 0; i < parts->count; i++) {
        if (i > 0) buf_add_byte(&joined, '/');
        if (escape) {
            url_add_escaped(&joined, parts->at[i]);
        } else {
            buf_add_str(&joined, parts->at[i]);
        }
    }
    struct str kept = arena_copy(arena, buf_str(&joined));
    buf_release(&joined);
    return kept;
}

static void name_owner_and_repo(struct wiki_address *address, const struct parts *parts)
{
    size_t count = parts->count;
    address->repo = without_git(parts->at[count - 1]);
    bool home = count == 2 && parts->at[0].at[0] == '~';
    address->owner = count > 1 && !home ? parts->at[count - 2] : STR("local");
}

/* --- folders --- */

static enum err refuse_path(struct why *why)
{
    return why_set(why, ERR_INVALID,
                   "the path of the repository is empty, has . or .. in it, ends in a blank, or is "
                   "no text");
}

/* Of a folder the names stay as they are: ".git" may be a part of one. */
static enum err parse_folder(struct arena *arena, struct str path, bool is_url,
                             struct wiki_address *address, struct why *why)
{
    struct parts parts = {.count = 0};
    if (!split_path(arena, path, is_url, &parts) || parts.count == 0) return refuse_path(why);
    struct str last = parts.at[parts.count - 1];
    if (!is_url && str_trim(last).len < last.len) return refuse_path(why); /* would be lost */
    address->host_kind = WIKI_FOLDER;
    address->path = arena_printf(arena, "/%.*s", STR_ARGS(join_parts(arena, &parts, false)));
    address->url = address->path;
    if (is_url) {
        struct str escaped = join_parts(arena, &parts, true);
        address->url = arena_printf(arena, "file:///%.*s", STR_ARGS(escaped));
    }
    name_owner_and_repo(address, &parts);
    address->owner = STR("local");
    return OK;
}

/* --- hosts --- */

static bool user_is_fine(struct str user)
{
    if (user.len == 0 || user.len > 64 || user.at[0] == '-') return false;
    for (size_t i = 0; i < user.len; i++) {
        char c = user.at[i];
        bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '.' || c == '_' || c == '-';
        if (!fine) return false;
    }
    return true;
}

int wiki_usual_port(struct str scheme)
{
    if (str_eq(scheme, STR("https"))) return 443;
    return str_eq(scheme, STR("http")) ? 80 : 22;
}

/* "HOST:PORT" in small letters, without the dot of the root at the end. */
static enum err take_host(struct arena *arena, struct str text, struct wiki_address *address,
                          struct why *why)
{
    struct url_host host;
    if (!url_host_parse(text, &host) || host.host.at[0] == '-' || host.host.len > 255) {
        return why_set(why, ERR_INVALID, "the address names no host that could be");
    }
    char *name = arena_alloc(arena, host.host.len + 1);
    for (size_t i = 0; i < host.host.len; i++) {
        char c = host.host.at[i];
        name[i] = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
    }
    address->host = (struct str){name, host.host.len};
    if (str_ends(address->host, STR("."))) address->host.len--;
    if (address->host.len == 0 || str_ends(address->host, STR("."))) {
        return why_set(why, ERR_INVALID, "the address names no host that could be");
    }
    address->port = host.port == wiki_usual_port(address->scheme) ? 0 : host.port;
    return OK;
}

static enum err refuse_user(struct why *why)
{
    return why_set(why, ERR_INVALID,
                   "an address must not have a user or password in it: give the token apart");
}

static enum err take_user(struct str user, struct wiki_address *address, struct why *why)
{
    if (!str_eq(address->scheme, STR("ssh"))) return refuse_user(why);
    if (str_find_byte(user, ':') < user.len) return refuse_user(why);
    if (!user_is_fine(user)) return why_set(why, ERR_INVALID, "no user of ssh has such a name");
    address->user = user;
    return OK;
}

static void write_url(struct arena *arena, struct wiki_address *address, const struct parts *parts)
{
    struct str path = join_parts(arena, parts, true);
    bool named = address->user.len > 0 && !str_eq(address->user, STR("git"));
    char port[16] = "";
    if (address->port > 0) snprintf(port, sizeof(port), ":%d", address->port);
    address->url = arena_printf(arena, "%.*s://%.*s%s%.*s%s/%.*s", STR_ARGS(address->scheme),
                                STR_ARGS(named ? address->user : STR("")), named ? "@" : "",
                                STR_ARGS(address->host), port, STR_ARGS(path));
}

/* Bytes of a URL may be escaped; git@HOST:PATH is no URL, and its path begins in the user's home.
 */
enum form { FORM_URL, FORM_ROOT, FORM_HOME };

/* `authority`: [USER@]HOST[:PORT]. */
static enum err parse_host(struct arena *arena, struct str authority, struct str path,
                           enum form form, enum wiki_host kind, struct wiki_address *address,
                           struct why *why)
{
    bool ssh = str_eq(address->scheme, STR("ssh"));
    struct str host = authority, user = {NULL, 0};
    for (size_t i = 0; i < authority.len; i++) {
        if (authority.at[i] != '@') continue;
        user = str_head(authority, i);
        host = str_from(authority, i + 1);
    }
    if (ssh) address->user = STR("git");
    enum err err = user.at ? take_user(user, address, why) : OK;
    if (!err) err = take_host(arena, host, address, why);
    if (err) return err;

    address->host_kind =
        kind == WIKI_PLAIN || kind == WIKI_FOLDER ? kind_by_host(address->host) : kind;
    struct parts parts = {.count = 0};
    if (form == FORM_HOME && address->host_kind == WIKI_PLAIN) parts.at[parts.count++] = STR("~");
    size_t least = parts.count + 1;
    bool fine = split_path(arena, path, form == FORM_URL, &parts) && parts.count >= least;
    if (!fine) return refuse_path(why);
    cut_page(&parts, address->host_kind);
    struct str *last = &parts.at[parts.count - 1];
    *last = without_git(*last);
    address->path = join_parts(arena, &parts, false);
    name_owner_and_repo(address, &parts);
    write_url(arena, address, &parts);
    return OK;
}

static size_t find_any(struct str text, const char *bytes)
{
    size_t at = 0;
    while (at < text.len && strchr(bytes, text.at[at]) == NULL) at++;
    return at;
}

static enum err parse_url(struct arena *arena, struct str scheme, struct str rest,
                          enum wiki_host kind, struct wiki_address *address, struct why *why)
{
    static const char *const schemes[] = {"https", "http", "ssh", "file"};
    for (size_t i = 0; i < COUNT_OF(schemes); i++) {
        if (str_eq_nocase(scheme, str_of(schemes[i]))) address->scheme = str_of(schemes[i]);
    }
    if (address->scheme.len == 0) {
        return why_set(why, ERR_INVALID,
                       "an address begins with https://, http://, ssh://, git@ or /");
    }
    size_t end = find_any(rest, "/?#");
    struct str authority = str_head(rest, end), path = str_from(rest, end);
    path = str_head(path, find_any(path, "?#"));
    if (!str_eq(address->scheme, STR("file"))) {
        return parse_host(arena, authority, path, FORM_URL, kind, address, why);
    }
    if (authority.len > 0 && !str_eq_nocase(authority, STR("localhost"))) {
        return why_set(why, ERR_INVALID, "file:// is about this machine: file:///PATH");
    }
    return parse_folder(arena, path, true, address, why);
}

/* USER@HOST:PATH; git@HOST:/PATH is from the root of that machine. */
static enum err parse_scp(struct arena *arena, struct str text, size_t colon, enum wiki_host kind,
                          struct wiki_address *address, struct why *why)
{
    struct str path = str_from(text, colon + 1);
    address->scheme = STR("ssh");
    enum form form = str_starts(path, STR("/")) ? FORM_ROOT : FORM_HOME;
    return parse_host(arena, str_head(text, colon), path, form, kind, address, why);
}

/* Without a scheme: a host with a dot or port in its name, or OWNER/REPO of a known place. */
static enum err parse_bare(struct arena *arena, struct str text, enum wiki_host kind,
                           struct wiki_address *address, struct why *why)
{
    size_t slash = str_find_byte(text, '/');
    struct str first = str_head(text, slash);
    address->scheme = STR("https");
    if (find_any(first, ".:@") < first.len || str_eq_nocase(first, STR("localhost"))) {
        return parse_url(arena, address->scheme, text, kind, address, why);
    }
    struct str repo = str_from(text, slash + 1);
    if (first.len == 0 || repo.len == 0 || str_find_byte(repo, '/') < repo.len) {
        return why_set(why, ERR_INVALID,
                       "an address is like https://HOST/OWNER/REPO, git@HOST:PATH or OWNER/REPO");
    }
    return parse_host(arena, str_of(hosts[kind].host), text, FORM_URL, kind, address, why);
}

static enum err check_text(struct str text, struct why *why)
{
    bool folder = text.len > 0 && text.at[0] == '/';
    bool fine = text.len > 0 && utf8_valid(text);
    for (size_t i = 0; i < text.len && fine; i++) {
        unsigned char byte = (unsigned char)text.at[i];
        fine = byte > ' ' ? byte != 0x7F && (folder || byte != '\\') : folder && byte == ' ';
    }
    if (text.len > LIMIT_WIKI_ADDRESS_BYTES) {
        return why_set(why, ERR_INVALID, "an address has at most %d bytes",
                       LIMIT_WIKI_ADDRESS_BYTES);
    }
    if (!fine) return why_set(why, ERR_INVALID, "an address is one word of text, not empty");
    return OK;
}

enum err wiki_address_parse(struct arena *arena, struct str text, struct str kind,
                            struct wiki_address *address_out, struct why *why)
{
    struct wiki_address address = {.host_kind = WIKI_PLAIN};
    enum wiki_host said = kind_by_word(kind);
    text = str_trim(text);
    enum err err = check_text(text, why);
    if (err) return err;
    text = arena_copy(arena, text);
    size_t scheme = str_find(text, STR("://"));
    size_t colon = find_any(text, ":/");
    bool scp = colon < text.len && text.at[colon] == ':' && str_find_byte(text, '@') < colon;
    if (text.at[0] == '/') {
        err = parse_folder(arena, text, false, &address, why);
    } else if (scheme < text.len) {
        struct str rest = str_from(text, scheme + 3);
        err = parse_url(arena, str_head(text, scheme), rest, said, &address, why);
    } else if (said == WIKI_FOLDER) {
        err = why_set(why, ERR_INVALID, "a folder is named by its whole path, from / on");
    } else if (scp) {
        err = parse_scp(arena, text, colon, said, &address, why);
    } else {
        err = parse_bare(arena, text, said, &address, why);
    }
    if (!err) *address_out = address;
    return err;
}

/* --- pages --- */

static void add_path(struct buf *page, struct str path)
{
    struct str part;
    while (str_split(&path, '/', &part)) {
        buf_add_byte(page, '/');
        url_add_escaped(page, part);
    }
}

/* How each host writes lines: the first, what joins them, what stands before the last. */
static void add_lines(struct buf *page, enum wiki_host kind, int first, int last)
{
    if (first <= 0) return;
    bool bitbucket = kind == WIKI_BITBUCKET;
    buf_printf(page, bitbucket ? "#lines-%d" : "#L%d", first);
    if (last <= first) return;
    buf_printf(page, bitbucket ? ":%d" : kind == WIKI_GITLAB ? "-%d" : "-L%d", last);
}

struct str wiki_address_page(struct arena *arena, const struct wiki_address *address,
                             struct str commit, struct str path, int first, int last)
{
    static const char *const ways[] = {
        [WIKI_GITHUB] = "/blob/",      [WIKI_GITLAB] = "/-/blob/", [WIKI_BITBUCKET] = "/src/",
        [WIKI_GITEA] = "/src/commit/", [WIKI_PLAIN] = NULL,        [WIKI_FOLDER] = NULL};
    const char *way = ways[address->host_kind];
    if (!way || commit.len == 0) return (struct str){NULL, 0};
    bool http = str_eq(address->scheme, STR("http"));
    bool ssh = str_eq(address->scheme, STR("ssh"));
    struct buf page;
    buf_init(&page, 8 * LIMIT_WIKI_ADDRESS_BYTES);
    buf_printf(&page, "%s://%.*s", http ? "http" : "https", STR_ARGS(address->host));
    /* the port of ssh is not that of the pages */
    if (address->port > 0 && !ssh) buf_printf(&page, ":%d", address->port);
    add_path(&page, address->path);
    buf_add_str(&page, str_of(way));
    url_add_escaped(&page, commit);
    add_path(&page, path);
    add_lines(&page, address->host_kind, first, last);
    struct str kept = page.failed ? (struct str){NULL, 0} : arena_copy(arena, buf_str(&page));
    buf_release(&page);
    return kept;
}
