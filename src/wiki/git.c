/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/git.c: a repository from its host into a folder of ours.
 *
 * Three conversations: what is there (ls-remote), bring it (fetch), what is it
 * (rev-list). The first time all of it happens in a folder beside, which then
 * takes the name of the real one; later ones fetch into the real one, where the
 * ref moves last. Such a folder only grows, so after some updates, and when it
 * is damaged or too large, it is fetched anew beside and exchanged as a whole.
 * That costs one more transfer of one commit in sixteen updates; git's own
 * collection of garbage would cost a repack each time, and cannot drop what a
 * partial repository was promised.
 *
 * The lock is on the folder itself (flock), so it ends with this process.
 *
 * Partial: blobs past LIMIT_WIKI_FILE_BYTES stay at the host where it knows how.
 * The folder's configuration names a promisor but no address, so nothing can
 * fetch them later behind our back.
 */
#include "wiki/git.h"

#include <ctype.h>

#include "base/clock.h"
#include "base/limits.h"
#include "http/url.h"
#include "wiki/git_call.h"
#include "wiki/git_place.h"

#define NOW "refs/hutong/now"

enum {
    PACKS_MAX = 16, /* one for each update */
    SHA1_DIGITS = 40,
    SHA256_DIGITS = 64,
    SILENCE_S = 60, /* of a host, until it is given up */
    BRANCH_BYTES_MAX = 250,
};

/* --- how to get there --- */

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

/* Known hosts know the name with ".git", and one of them (GitLab) answers the other with a
 * redirect, which we do not follow. Others are asked as it was written, then with it. */
static struct str remote_url(struct arena *arena, const struct wiki_fetch *fetch, bool dot_git)
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

/* --- the branch --- */

struct choice {
    char spec[BRANCH_BYTES_MAX + 16]; /* what is asked for: "refs/heads/main", a commit, "HEAD" */
    struct str branch;                /* in the arena */
    char id[SHA256_DIGITS + 1];       /* what it was a moment ago; empty: not known */
    bool sha256;
};

static bool is_hex(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))) {
            return false;
        }
    }
    return true;
}

static bool is_commit(struct str text)
{
    return (text.len == SHA1_DIGITS || text.len == SHA256_DIGITS) && is_hex(text);
}

/* As git-check-ref-format(1) has it, and without what could be an option or a pattern. */
static bool branch_is_fine(struct str branch)
{
    static const char *const never[] = {"..", "//", "@{", "/.", ".lock/"};
    if (branch.len == 0 || branch.len > BRANCH_BYTES_MAX || str_eq(branch, STR("@"))) return false;
    if (branch.at[0] == '-' || branch.at[0] == '.' || branch.at[0] == '/') return false;
    if (str_ends(branch, STR("/")) || str_ends(branch, STR(".")) ||
        str_ends(branch, STR(".lock"))) {
        return false;
    }
    for (size_t i = 0; i < branch.len; i++) {
        unsigned char byte = (unsigned char)branch.at[i];
        if (byte <= ' ' || byte == 0x7F || strchr("~^:?*[\\", byte)) return false;
    }
    for (size_t i = 0; i < COUNT_OF(never); i++) {
        if (str_find(branch, str_of(never[i])) < branch.len) return false;
    }
    return true;
}

static struct str without_prefix(struct str branch)
{
    static const char *const prefixes[] = {"refs/heads/", "refs/tags/"};
    for (size_t i = 0; i < COUNT_OF(prefixes); i++) {
        struct str prefix = str_of(prefixes[i]);
        if (str_starts(branch, prefix)) return str_from(branch, prefix.len);
    }
    return branch;
}

/* One line of ls-remote: "ID\tREF", or "ref: REF\tHEAD" about where HEAD points. */
static void read_ref(struct arena *arena, struct str line, const char *wanted,
                     struct choice *choice)
{
    size_t tab = str_find_byte(line, '\t');
    struct str left = str_head(line, tab), name = str_from(line, tab + 1);
    if (str_starts(left, STR("ref: refs/heads/")) && str_eq(name, STR("HEAD"))) {
        struct str branch = str_from(left, strlen("ref: refs/heads/"));
        if (branch_is_fine(branch)) choice->branch = arena_copy(arena, branch);
    }
    if (!is_commit(left)) return;
    choice->sha256 = left.len == SHA256_DIGITS;
    if (str_eq(name, str_of(wanted))) str_copy(choice->id, sizeof(choice->id), left);
}

static void read_refs(struct wiki_git *git, const char *wanted, struct choice *choice)
{
    struct str rest = buf_str(&git->out), line;
    choice->id[0] = '\0';
    while (str_split(&rest, '\n', &line)) read_ref(git->arena, line, wanted, choice);
}

/* The repository's own choice: the branch that HEAD points to, else HEAD as it is. */
static enum err choose_head(struct wiki_git *git, struct choice *choice, struct why *why)
{
    read_refs(git, "HEAD", choice);
    if (choice->id[0] == '\0') {
        return why_set(why, ERR_NOT_FOUND, "the repository is empty: it has no commit yet");
    }
    if (choice->branch.len > 0) {
        snprintf(choice->spec, sizeof(choice->spec), "refs/heads/%.*s", STR_ARGS(choice->branch));
    } else {
        str_copy(choice->spec, sizeof(choice->spec), STR("HEAD"));
    }
    return OK;
}

static enum err choose_named(struct wiki_git *git, struct str branch, struct choice *choice,
                             struct why *why)
{
    static const char *const kinds[] = {"refs/heads/", "refs/tags/"};
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        snprintf(choice->spec, sizeof(choice->spec), "%s%.*s", kinds[i], STR_ARGS(branch));
        read_refs(git, choice->spec, choice);
        choice->branch = branch;
        if (choice->id[0] != '\0') return OK;
    }
    if (is_hex(branch) && branch.len >= 7) {
        return why_set(why, ERR_NOT_FOUND,
                       "the repository has no such branch; a commit is named by all its digits");
    }
    return why_set(why, ERR_NOT_FOUND, "the repository has no such branch or tag");
}

/* Asks the host; for a commit as well, because that says early and clearly whether it is there. */
static enum err choose(struct wiki_git *git, struct str wanted, struct choice *choice,
                       struct why *why)
{
    wanted = without_prefix(str_trim(wanted));
    bool commit = is_commit(wanted), named = wanted.len > 0 && !commit;
    if (named && !branch_is_fine(wanted)) {
        return why_set(why, ERR_INVALID, "no branch can be called so");
    }
    const char *heads = "HEAD", *tags = NULL;
    if (named) {
        heads = arena_printf(git->arena, "refs/heads/%.*s", STR_ARGS(wanted)).at;
        tags = arena_printf(git->arena, "refs/tags/%.*s", STR_ARGS(wanted)).at;
    }
    enum err err = wiki_git_run(
        git, (const char *[]){"git", "ls-remote", "--symref", "from", heads, tags, NULL}, why);
    if (err) return err;
    if (named) return choose_named(git, arena_copy(git->arena, wanted), choice, why);
    if (!commit) return choose_head(git, choice, why);
    choice->sha256 = wanted.len == SHA256_DIGITS;
    str_copy(choice->id, sizeof(choice->id), wanted);
    for (char *digit = choice->id; *digit; digit++) *digit = (char)tolower((unsigned char)*digit);
    str_copy(choice->spec, sizeof(choice->spec), str_of(choice->id));
    return OK;
}

/* --- one fetch --- */

static void tell(const struct wiki_fetch *fetch, const char *stage)
{
    if (fetch->progress) fetch->progress(fetch->ctx, stage, -1);
}

/* Has the ref the commit that the host would give? */
static bool is_there(struct wiki_git *git, const struct choice *choice)
{
    struct why unused;
    const char *const argv[] = {"git", "rev-parse", "--verify", "--quiet", NOW, NULL};
    return wiki_git_run(git, argv, &unused) == OK &&
           str_eq_nocase(str_trim(buf_str(&git->out)), str_of(choice->id));
}

static enum err read_commit(struct wiki_git *git, struct wiki_fetched *fetched, struct why *why)
{
    const char *const argv[] = {"git", "rev-list", "--max-count=1", "--timestamp", NOW, NULL};
    enum err err = wiki_git_run(git, argv, why);
    if (err) return err;
    struct str rest = str_trim(buf_str(&git->out)), seconds;
    if (!str_split(&rest, ' ', &seconds) || !str_to_i64(seconds, &fetched->committed_s) ||
        !is_commit(rest)) {
        return why_set(why, ERR_NOT_FOUND, "what has that name is no commit");
    }
    str_copy(fetched->commit, sizeof(fetched->commit), rest);
    return OK;
}

static enum err bring(struct wiki_git *git, const struct choice *choice, struct why *why)
{
    const char *spec = arena_printf(git->arena, "+%s:" NOW, choice->spec).at;
    const char *const argv[] = {"git",
                                "fetch",
                                "--progress",
                                "--depth=1",
                                "--no-tags",
                                "--no-write-fetch-head",
                                "--no-auto-maintenance",
                                "--update-shallow",
                                "from",
                                spec,
                                NULL};
    return wiki_git_run(git, argv, why);
}

static void open_git(struct wiki_git *git, struct arena *arena, const struct wiki_fetch *fetch,
                     const char *folder, bool dot_git, int64_t end_us)
{
    const char *scheme = arena_copy(arena, fetch->from->scheme).at;
    wiki_git_init(git, arena, folder, scheme);
    git->end_us = end_us;
    git->stop = fetch->stop;
    git->bytes_max = fetch->bytes_max;
    git->progress = fetch->progress;
    git->ctx = fetch->ctx;
    wiki_git_config(git, "remote.from.url", remote_url(arena, fetch, dot_git));
    if (has_scheme(fetch->from, "ssh")) {
        set_ssh(git, fetch);
    } else if (has_scheme(fetch->from, "file")) {
        wiki_git_variable(git,
                          arena_printf(arena, "GIT_CONFIG_GLOBAL=%s/" WIKI_GIT_SERVE, folder).at);
    } else {
        set_http(git, fetch);
    }
}

/* All three conversations, in a folder that is there and ours. `sha256_out`: the folder would have
 * to be made for longer ids; then nothing was fetched, which is ERR_CONFLICT. */
static enum err fetch_into(struct wiki_git *git, const struct wiki_fetch *fetch, bool sha256,
                           bool *sha256_out, struct wiki_fetched *fetched, struct why *why)
{
    struct choice choice = {.sha256 = false};
    tell(fetch, "connecting");
    enum err err = choose(git, fetch->branch, &choice, why);
    if (err) return err;
    *sha256_out = choice.sha256;
    if (choice.sha256 != sha256) return why_set(why, ERR_CONFLICT, "its ids are of another length");
    if (!is_there(git, &choice)) err = bring(git, &choice, why);
    if (err) return err;
    fetched->branch = choice.branch;
    return read_commit(git, fetched, why);
}

/* --- the folder --- */

/* Anew, beside the real one, which takes its place when it is whole. */
static enum err fetch_beside(struct arena *arena, const struct wiki_fetch *fetch, bool dot_git,
                             int64_t end_us, struct wiki_fetched *fetched, struct why *why)
{
    struct wiki_place place = {0};
    bool sha256 = false, wanted = false;
    enum err err = wiki_place_beside(&place, arena, fetch->folder, why);
    if (err) return err;
    for (int turn = 0; turn < 2; turn++) {
        struct wiki_git git;
        open_git(&git, arena, fetch, place.folder, dot_git, end_us);
        err = wiki_place_init(&place, &git, sha256, why);
        if (!err) err = fetch_into(&git, fetch, sha256, &wanted, fetched, why);
        wiki_git_release(&git);
        if (err != ERR_CONFLICT || turn > 0) break;
        sha256 = wanted;
    }
    if (!err) err = wiki_place_take(&place, fetch->folder, why);
    wiki_place_close(&place);
    return err;
}

/* Into the real one. `anew_out`: not possible or not worth it, so it is to be made anew. */
static enum err fetch_update(struct arena *arena, const struct wiki_fetch *fetch, bool dot_git,
                             int64_t end_us, bool *anew_out, struct wiki_fetched *fetched,
                             struct why *why)
{
    struct wiki_place place = {0};
    enum err err = wiki_place_open(&place, arena, fetch->folder, why);
    *anew_out = err == ERR_NOT_FOUND;
    if (err) return err;
    wiki_place_sweep(&place);
    struct wiki_git git;
    bool wanted = false;
    open_git(&git, arena, fetch, place.folder, dot_git, end_us);
    err = fetch_into(&git, fetch, wiki_place_is_sha256(&place, &git), &wanted, fetched, why);
    *anew_out = err == ERR_CORRUPT || err == ERR_CONFLICT || err == ERR_LIMIT ||
                (!err && wiki_place_packs(&place) > PACKS_MAX);
    wiki_git_release(&git);
    wiki_place_close(&place);
    return err;
}

static enum err fetch_once(struct arena *arena, const struct wiki_fetch *fetch, bool dot_git,
                           int64_t end_us, struct wiki_fetched *fetched, struct why *why)
{
    bool anew = false;
    enum err err = fetch_update(arena, fetch, dot_git, end_us, &anew, fetched, why);
    if (!anew) return err;
    struct why again;
    struct wiki_fetched other = {.committed_s = 0};
    enum err failed = fetch_beside(arena, fetch, dot_git, end_us, &other, &again);
    /* What was there is good: that it grew can wait until the next time. */
    if (failed && !err) return OK;
    *why = again;
    *fetched = other;
    return failed;
}

static enum err check_fetch(const struct wiki_fetch *fetch, struct why *why)
{
    bool http = has_scheme(fetch->from, "https") || has_scheme(fetch->from, "http");
    if (fetch->token.len == 0 || http) return OK;
    return why_set(why, ERR_INVALID, "a token is of use with https:// only");
}

/* Before 2.37 git cannot be told which address a name stands for, and would not say so. */
static enum err check_version(struct arena *arena, struct why *why)
{
    struct wiki_git git;
    uint64_t major = 0, minor = 0;
    wiki_git_init(&git, arena, "/nonexistent", "none");
    git.end_us = clock_mono_us() + INT64_C(10) * 1000 * 1000;
    enum err err = wiki_git_run(&git, (const char *[]){"git", "version", NULL}, why);
    if (!err) {
        struct str rest = str_from(buf_str(&git.out), strlen("git version ")), number;
        bool read = str_split(&rest, '.', &number) && str_to_u64(number, &major) &&
                    str_split(&rest, '.', &number) && str_to_u64(str_trim(number), &minor);
        if (!read || major < 2 || (major == 2 && minor < 37)) {
            err = why_set(why, ERR_UPSTREAM, "this server needs git 2.37 or newer");
        }
    }
    wiki_git_release(&git);
    return err;
}

enum err wiki_git_fetch(struct arena *arena, const struct wiki_fetch *fetch,
                        struct wiki_fetched *fetched_out, struct why *why)
{
    ASSERT(fetch->from->scheme.len > 0); /* a folder is walked, not fetched */
    ASSERT(fetch->pin.len > 0 && fetch->time_ms > 0);
    struct arena scratch = {0};
    struct wiki_fetched fetched = {.committed_s = 0};
    int64_t end_us = clock_mono_us() + fetch->time_ms * 1000;
    bool known = fetch->from->host_kind != WIKI_PLAIN && fetch->from->host.len > 0;
    bool plain_web = fetch->from->host_kind == WIKI_PLAIN;
    enum err err = check_fetch(fetch, why);
    if (!err) err = check_version(&scratch, why);
    if (!err) err = fetch_once(&scratch, fetch, known, end_us, &fetched, why);
    struct why again;
    if (err == ERR_NOT_FOUND && plain_web) {
        bool better = fetch_once(&scratch, fetch, true, end_us, &fetched, &again) == OK;
        if (better) err = OK;
    }
    if (!err) {
        fetched.branch = arena_copy(arena, fetched.branch);
        *fetched_out = fetched;
    }
    arena_release(&scratch);
    return err;
}
