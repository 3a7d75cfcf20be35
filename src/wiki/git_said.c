/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "wiki/git_said.h"

#include "base/utf8.h"
#include "http/url.h"

enum { COMPLAINTS_MAX = 4096, SHOWN_MAX = 160 };

void wiki_said_init(struct wiki_said *said)
{
    *said = (struct wiki_said){.percent = -1};
    buf_init(&said->complaints, COMPLAINTS_MAX);
}

void wiki_said_reset(struct wiki_said *said)
{
    said->len = 0;
    said->moved = false;
    said->location[0] = '\0';
    buf_reset(&said->complaints, COMPLAINTS_MAX);
}

void wiki_said_release(struct wiki_said *said)
{
    buf_release(&said->complaints);
}

/* --- progress --- */

static const struct {
    const char *begins, *stage;
} stages[] = {
    {"remote: Enumerating objects:", "preparing"},
    {"remote: Counting objects:", "preparing"},
    {"remote: Compressing objects:", "preparing"},
    {"Receiving objects:", "receiving"},
    {"Resolving deltas:", "resolving"},
};

/* " 42% (…": 42; -1: no such number. */
static int read_percent(struct str rest)
{
    uint64_t percent;
    size_t end = str_find_byte(rest, '%');
    if (end == rest.len || !str_to_u64(str_trim(str_head(rest, end)), &percent)) return -1;
    return percent <= 100 ? (int)percent : -1;
}

static bool take_progress(struct wiki_said *said, struct str line, bool *moved)
{
    for (size_t i = 0; i < COUNT_OF(stages); i++) {
        struct str begins = str_of(stages[i].begins);
        if (!str_starts(line, begins)) continue;
        int percent = read_percent(str_from(line, begins.len));
        *moved = said->stage != stages[i].stage || said->percent != percent;
        said->stage = stages[i].stage;
        said->percent = percent;
        return true;
    }
    return false;
}

/* "… http.c:684 <= Recv header: Location: URL" */
static bool take_trace(struct wiki_said *said, struct str line)
{
    struct str marker = STR("<= Recv header: "), name = STR("location:");
    size_t at = str_find(line, marker);
    if (at == line.len) return false;
    struct str field = str_from(line, at + marker.len);
    if (str_eq_nocase(str_head(field, name.len), name)) {
        str_copy(said->location, sizeof(said->location), str_trim(str_from(field, name.len)));
    }
    return true;
}

static bool take_line(struct wiki_said *said)
{
    struct str line = str_trim((struct str){said->line, said->len});
    bool moved = false;
    said->len = 0;
    if (line.len == 0 || take_progress(said, line, &moved)) return moved;
    if (str_starts(line, STR("remote:")) || take_trace(said, line)) return false;
    /* The first that do not fit are those that matter: what follows follows from them. */
    if (said->complaints.len + line.len + 1 > COMPLAINTS_MAX) return false;
    buf_add_str(&said->complaints, line);
    buf_add_byte(&said->complaints, '\n');
    return false;
}

bool wiki_said_hear(struct wiki_said *said, struct str bytes)
{
    bool moved = false;
    for (size_t i = 0; i < bytes.len; i++) {
        char byte = bytes.at[i];
        if (byte == '\n' || byte == '\r') {
            moved = take_line(said) || moved;
        } else if (said->len < sizeof(said->line)) {
            said->line[said->len++] = byte;
        }
    }
    return moved;
}

/* --- secrets --- */

struct str wiki_basic(struct arena *arena, struct str plain)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *from = (const unsigned char *)plain.at;
    char *text = arena_alloc(arena, sizeof("Basic ") + (plain.len + 2) / 3 * 4), *to = text;
    memcpy(to, "Basic ", 6);
    to += 6;
    for (size_t i = 0; i < plain.len; i += 3) {
        size_t left = plain.len - i;
        uint32_t three = (uint32_t)from[i] << 16 | (left > 1 ? (uint32_t)from[i + 1] << 8 : 0) |
                         (left > 2 ? from[i + 2] : 0);
        *to++ = digits[three >> 18];
        *to++ = digits[three >> 12 & 63];
        *to++ = left > 1 ? digits[three >> 6 & 63] : '=';
        *to++ = left > 2 ? digits[three & 63] : '=';
    }
    return (struct str){text, (size_t)(to - text)};
}

static struct str escaped_form(struct arena *arena, struct str secret)
{
    struct buf buf;
    buf_init(&buf, 3 * secret.len);
    url_add_escaped(&buf, secret);
    struct str kept = arena_copy(arena, buf_str(&buf));
    buf_release(&buf);
    return kept;
}

/* Letters of escapes may be small or large, so letters do not count here. */
static size_t find_nocase(struct str text, struct str part)
{
    for (size_t at = 0; part.len > 0 && at + part.len <= text.len; at++) {
        if (str_eq_nocase((struct str){text.at + at, part.len}, part)) return at;
    }
    return text.len;
}

static struct str strike_part(struct arena *arena, struct str line, struct str part)
{
    for (size_t at; (at = find_nocase(line, part)) < line.len;) {
        line = arena_printf(arena, "%.*s***%.*s", STR_ARGS(str_head(line, at)),
                            STR_ARGS(str_from(line, at + part.len)));
        if (find_nocase(STR("***"), part) < 3) break; /* a secret of stars would never end */
    }
    return line;
}

/* As it is, escaped, and in base64, where it does not matter what stands before it: of the three
 * ways it can fall into groups of three bytes, the middle of each. */
static struct str strike_secret(struct arena *arena, struct str line, struct str secret)
{
    line = strike_part(arena, line, secret);
    line = strike_part(arena, line, escaped_form(arena, secret));
    for (size_t before = 0; before < 3; before++) {
        struct str padded = arena_printf(arena, "%.*s%.*s", (int)before, "xx", STR_ARGS(secret));
        struct str basic = wiki_basic(arena, str_head(padded, padded.len / 3 * 3));
        struct str middle = str_from(basic, 6 + (before > 0 ? 4 : 0));
        if (middle.len >= 8) line = strike_part(arena, line, middle);
    }
    return line;
}

static bool is_place(struct str word)
{
    return str_find(word, STR("://")) < word.len || str_find_byte(word, '/') < word.len ||
           str_find_byte(word, '@') < word.len;
}

struct str wiki_strike(struct arena *arena, struct str line, struct str secret)
{
    struct str colon = str_from(secret, str_find_byte(secret, ':'));
    if (secret.len > 0) line = strike_secret(arena, line, secret);
    if (colon.len > 1) line = strike_secret(arena, line, str_from(colon, 1)); /* user:password */
    struct buf out;
    buf_init(&out, 2 * line.len + 16);
    struct str word;
    while (str_split(&line, ' ', &word)) {
        if (out.len > 0) buf_add_byte(&out, ' ');
        buf_add_str(&out, is_place(word) ? STR("\xE2\x80\xA6") : word);
    }
    struct str kept = arena_copy(arena, buf_str(&out));
    buf_release(&out);
    return kept;
}

/* --- verdicts --- */

#define MOVED "returned error: 30"
static const char wants_token[] = "the host does not show it without a token: it is private, or "
                                  "there is no such repository";
static const char bad_token[] = "the host does not accept this token, or it does not open this "
                                "repository";
static const char not_there[] = "the host has no such repository; a private one needs a token";

/* In this order: what tells most comes first. `with_token` in place of `sentence` if there was one.
 * git's words are those of the locale C. */
static const struct {
    const char *has;
    enum err err;
    const char *sentence, *with_token;
} verdicts[] = {
    {"No space left on device", ERR_FULL, "there is no room left for the repository", NULL},
    {"Disk quota exceeded", ERR_FULL, "there is no room left for the repository", NULL},
    {"died of signal 25", ERR_LIMIT, "the repository is too large", NULL},
    {"File too large", ERR_LIMIT, "the repository is too large", NULL},
    {"out of memory", ERR_LIMIT, "the repository has an object that is too large", NULL},
    {"Out of memory", ERR_LIMIT, "the repository has an object that is too large", NULL},
    {"could not read Username", ERR_DENIED, wants_token, bad_token},
    {"could not read Password", ERR_DENIED, wants_token, bad_token},
    {"Authentication failed", ERR_DENIED, wants_token, bad_token},
    {"returned error: 401", ERR_DENIED, wants_token, bad_token},
    {"returned error: 403", ERR_DENIED, wants_token, bad_token},
    {"Permission denied", ERR_DENIED, "the host does not accept the key of this server", NULL},
    {"Host key verification failed", ERR_DENIED,
     "the host shows another key than it did before, so it may be another one", NULL},
    {"couldn't find remote ref", ERR_NOT_FOUND, "the repository has no such branch", NULL},
    {"not our ref", ERR_NOT_FOUND, "the repository has no such commit", NULL},
    {"unadvertised object", ERR_NOT_FOUND,
     "the repository has no such commit, or its host gives whole branches only", NULL},
    {"returned error: 404", ERR_NOT_FOUND, not_there, bad_token},
    {"' not found", ERR_NOT_FOUND, not_there, bad_token},
    {"Repository not found", ERR_NOT_FOUND, not_there, bad_token},
    {"does not appear to be a git repository", ERR_NOT_FOUND, not_there, NULL},
    {"not valid: is this a git repository", ERR_NOT_FOUND,
     "there is something at this address, but it is no repository", NULL},
    {"Could not resolve host", ERR_UPSTREAM, "nobody knows a host of that name", NULL},
    {"Connection refused", ERR_UPSTREAM, "the host takes no connections there", NULL},
    {"Failed to connect", ERR_UPSTREAM, "the host cannot be reached", NULL},
    {"Couldn't connect", ERR_UPSTREAM, "the host cannot be reached", NULL},
    {"No route to host", ERR_UPSTREAM, "the host cannot be reached", NULL},
    {"Network is unreachable", ERR_UPSTREAM, "the host cannot be reached", NULL},
    {"timed out", ERR_TIMEOUT, "the host did not answer in time", NULL},
    {"too slow", ERR_TIMEOUT, "the host has stopped sending", NULL},
    {"ertificate", ERR_UPSTREAM, "the certificate of the host cannot be trusted", NULL},
    {"returned error: 429", ERR_BUSY, "the host asks us to come back later", NULL},
    {MOVED, ERR_UPSTREAM, "the repository has moved: give the address at which it is now", NULL},
    {"returned error: 5", ERR_UPSTREAM, "the host has trouble of its own", NULL},
    {"dumb http transport", ERR_UPSTREAM, "the host speaks only the old protocol of plain files",
     NULL},
    {"fsck error", ERR_UPSTREAM, "git refuses an object of the repository as malformed", NULL},
    {"Could not read from remote repository", ERR_NOT_FOUND,
     "the host shows this server no such repository", NULL},
    {"not a git repository", ERR_CORRUPT, "the copy of the repository is damaged", NULL},
    {"bad object", ERR_CORRUPT, "the copy of the repository is damaged", NULL},
    {"bad config", ERR_CORRUPT, "the copy of the repository is damaged", NULL},
    {"unable to read", ERR_CORRUPT, "the copy of the repository is damaged", NULL},
    {"packfile", ERR_CORRUPT, "the copy of the repository is damaged", NULL},
    {"object file", ERR_CORRUPT, "the copy of the repository is damaged", NULL},
    {"did not send all necessary objects", ERR_CORRUPT, "the copy of the repository is damaged",
     NULL},
};

/* The line that says most: the first that is fatal, else the last. */
static struct str pick_line(struct str lines)
{
    struct str line, last = {NULL, 0};
    while (str_split(&lines, '\n', &line)) {
        if (str_starts(line, STR("fatal: "))) return str_from(line, 7);
        if (line.len > 0) last = line;
    }
    return last;
}

static enum err judge_line(struct str line, struct str secret, struct why *why)
{
    struct arena arena = {0};
    enum err err;
    bool fine = utf8_valid(line);
    for (size_t i = 0; i < line.len && fine; i++) fine = (unsigned char)line.at[i] >= ' ';
    if (line.len == 0 || !fine) {
        err = why_set(why, ERR_UPSTREAM, "git could not fetch the repository");
    } else {
        struct str shown = wiki_strike(&arena, line, secret);
        if (shown.len > SHOWN_MAX) shown.len = utf8_floor(shown.at, SHOWN_MAX);
        err =
            why_set(why, ERR_UPSTREAM, "git could not fetch the repository: %.*s", STR_ARGS(shown));
    }
    arena_release(&arena);
    return err;
}

enum err wiki_said_judge(struct wiki_said *said, struct str secret, struct why *why)
{
    if (said->len > 0) (void)take_line(said); /* the last may have no end */
    struct str all = buf_str(&said->complaints);
    for (size_t i = 0; i < COUNT_OF(verdicts); i++) {
        if (all.len == 0 || str_find(all, str_of(verdicts[i].has)) == all.len) continue;
        bool token = secret.len > 0 && verdicts[i].with_token;
        said->moved = str_eq(str_of(verdicts[i].has), STR(MOVED));
        return why_set(why, verdicts[i].err, "%s",
                       token ? verdicts[i].with_token : verdicts[i].sentence);
    }
    return judge_line(pick_line(all), secret, why);
}
