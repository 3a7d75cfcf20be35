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
 * Only a fetch is told of a host that promised them; whoever reads sees objects
 * that are missing, and no git can fetch them later behind our back.
 */
#include "wiki/git.h"

#include <ctype.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "wiki/git_place.h"
#include "wiki/git_remote.h"

#define NOW "refs/hutong/now"

enum {
    PACKS_MAX = 16, /* one for each update */
    SHA1_DIGITS = 40,
    SHA256_DIGITS = 64,
    BRANCH_BYTES_MAX = 250,
    TOKEN_BYTES_MAX = 8192, /* signed ones have some 1,000 */
};

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
    if (!utf8_valid(branch)) return false;
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

/* A branch comes before a tag of the same name, unless `full` says which is meant. */
static enum err choose_named(struct wiki_git *git, struct str full, struct choice *choice,
                             struct why *why)
{
    static const char *const kinds[] = {"refs/heads/", "refs/tags/"};
    struct str branch = without_prefix(full);
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        snprintf(choice->spec, sizeof(choice->spec), "%s%.*s", kinds[i], STR_ARGS(branch));
        if (branch.len < full.len && !str_eq(str_of(choice->spec), full)) continue;
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
    struct str full = arena_copy(git->arena, str_trim(wanted));
    wanted = without_prefix(full);
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
    if (named) return choose_named(git, full, choice, why);
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

/* One address, tried until `end_us`. */
struct attempt {
    struct arena *arena;
    const struct wiki_fetch *fetch;
    struct str url;
    int64_t end_us;
    bool moved; /* the host says that it is elsewhere */
    struct wiki_fetched fetched;
};

static void open_git(struct wiki_git *git, const struct attempt *attempt, const char *folder)
{
    const struct wiki_fetch *fetch = attempt->fetch;
    wiki_git_init(git, attempt->arena, folder, arena_copy(attempt->arena, fetch->from->scheme).at);
    git->end_us = attempt->end_us;
    git->bytes_max = fetch->bytes_max;
    git->progress = fetch->progress;
    git->ctx = fetch->ctx;
    wiki_remote_set(git, fetch, attempt->url);
}

/* All three conversations, in a folder that is there and ours. `sha256_out`: the length of its ids;
 * where that is not the one of the folder, nothing is fetched, which is ERR_CONFLICT. */
static enum err fetch_into(struct wiki_git *git, struct attempt *attempt, bool sha256,
                           bool *sha256_out, struct why *why)
{
    struct choice choice = {.sha256 = false};
    tell(attempt->fetch, "connecting");
    enum err err = choose(git, attempt->fetch->branch, &choice, why);
    attempt->moved = git->said.moved;
    if (err) return err;
    *sha256_out = choice.sha256;
    if (choice.sha256 != sha256) return why_set(why, ERR_CONFLICT, "its ids are of another length");
    if (!is_there(git, &choice)) err = bring(git, &choice, why);
    if (err) return err;
    attempt->fetched.branch = choice.branch;
    return read_commit(git, &attempt->fetched, why);
}

/* --- the folder --- */

/* Anew, beside the real one, which takes its place when it is whole. */
static enum err fetch_beside(struct attempt *attempt, struct why *why)
{
    struct wiki_place place = {0};
    const char *folder = attempt->fetch->folder;
    bool sha256 = false, wanted = false;
    enum err err = wiki_place_beside(&place, attempt->arena, folder, why);
    if (err) return err;
    for (int turn = 0; turn < 2; turn++) {
        struct wiki_git git;
        open_git(&git, attempt, place.folder);
        err = wiki_place_init(&place, &git, sha256, why);
        if (!err) err = fetch_into(&git, attempt, sha256, &wanted, why);
        wiki_git_release(&git);
        if (err != ERR_CONFLICT) break;
        sha256 = wanted;
    }
    if (!err) err = wiki_place_take(&place, folder, why);
    wiki_place_close(&place);
    return err;
}

/* Into the real one. `anew_out`: not possible or not worth it, so it is to be made anew. */
static enum err fetch_update(struct attempt *attempt, bool *anew_out, struct why *why)
{
    struct wiki_place place = {0};
    enum err err = wiki_place_open(&place, attempt->arena, attempt->fetch->folder, why);
    *anew_out = err == ERR_NOT_FOUND;
    if (err) return err;
    wiki_place_sweep(&place);
    struct wiki_git git;
    bool wanted = false;
    open_git(&git, attempt, place.folder);
    err = fetch_into(&git, attempt, wiki_place_is_sha256(&git), &wanted, why);
    *anew_out = err == ERR_CORRUPT || err == ERR_CONFLICT || err == ERR_LIMIT ||
                (!err && wiki_place_packs(&place) > PACKS_MAX);
    if (err) wiki_place_sweep(&place);
    wiki_git_release(&git);
    wiki_place_close(&place);
    return err;
}

static enum err fetch_at(struct attempt *attempt, struct str url, struct why *why)
{
    bool anew = false;
    attempt->url = url;
    enum err err = fetch_update(attempt, &anew, why);
    if (!anew) return err;
    struct why again;
    struct wiki_fetched before = attempt->fetched;
    enum err failed = fetch_beside(attempt, &again);
    /* What was there is good: that it grew can wait until the next time. */
    if (failed && !err) {
        attempt->fetched = before;
        return OK;
    }
    if (failed) *why = again;
    return failed;
}

/* At the address, or at the one other that it can have. */
static enum err fetch_anywhere(struct attempt *attempt, struct why *why)
{
    const struct wiki_fetch *fetch = attempt->fetch;
    bool known = fetch->from->host_kind != WIKI_PLAIN;
    struct str url = wiki_remote_url(attempt->arena, fetch, known), other = {NULL, 0};
    enum err err = fetch_at(attempt, url, why);
    if (err && attempt->moved) {
        if (!wiki_remote_moved(attempt->arena, fetch, url, attempt->end_us, &other)) return err;
    } else if (err == ERR_NOT_FOUND && !known) {
        other = wiki_remote_url(attempt->arena, fetch, true);
    }
    if (other.len == 0) return err;
    struct why again;
    enum err second = fetch_at(attempt, other, &again);
    /* That it is not there under the second name either says less than the first answer. */
    if (second && second != ERR_NOT_FOUND) *why = again;
    return second == ERR_NOT_FOUND ? err : second;
}

/* --- the whole of it --- */

static enum err check_fetch(const struct wiki_fetch *fetch, struct why *why)
{
    bool http = str_starts(fetch->from->scheme, STR("http"));
    if (fetch->token.len > TOKEN_BYTES_MAX) return why_set(why, ERR_INVALID, "no token is so long");
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
    struct attempt attempt = {.arena = &scratch, .fetch = fetch};
    attempt.end_us = clock_mono_us() + fetch->time_ms * 1000;
    enum err err = check_fetch(fetch, why);
    if (!err) err = check_version(&scratch, why);
    if (!err) err = fetch_anywhere(&attempt, why);
    if (!err) {
        *fetched_out = attempt.fetched;
        fetched_out->branch = arena_copy(arena, attempt.fetched.branch);
    }
    arena_release(&scratch);
    return err;
}
