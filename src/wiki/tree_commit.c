/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/tree_commit.c: the files of one commit, out of git's object store.
 *
 * `git ls-tree` tells what there is, once; `git cat-file --batch` stays and gives
 * one blob for each id it is sent. A tree is what strangers wrote: names are
 * bytes, sizes are claims, and a tree of trees can list more files than there
 * are atoms, so both are read in pieces with ceilings.
 *
 * Entries come in the order of their paths, hence a folder is a run of them, and
 * the walk goes down through runs as the other kind of tree goes through
 * folders.
 */
#include "wiki/tree.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "wiki/git_call.h"
#include "wiki/leave.h"
#include "wiki/walk.h"

enum {
    ANSWER_US = 30 * 1000 * 1000, /* for one blob or the next entries; a disk that sleeps wakes */
    RECORD_MAX = 8 * 1024,        /* one entry of ls-tree */
    PIECE = 64 * 1024,
};

struct entry {
    struct str path; /* raw; of one that is too long its beginning */
    struct str id;
    enum wiki_left_out why; /* not WIKI_TAKEN: no file, or one that is not here */
    uint64_t bytes;
};

struct commit_source {
    struct arena arena; /* the environment of the child */
    struct wiki_git git;
    struct wiki_child child; /* cat-file; started when it is needed */
    char piece[PIECE];       /* what it said and nobody took yet */
    size_t at, len;
};

/* --- reading from a child --- */

/* At least one byte, or an error. */
static enum err read_more(int fd, char *to, size_t room, size_t *got_out, struct why *why)
{
    int64_t end_us = clock_mono_us() + ANSWER_US;
    for (;;) {
        ssize_t got = read(fd, to, room);
        if (got > 0) {
            *got_out = (size_t)got;
            return OK;
        }
        if (got == 0) return why_set(why, ERR_CORRUPT, "git cannot read the repository");
        if (errno == EINTR) continue;
        if (errno != EAGAIN) return why_set(why, ERR_IO, "git is not heard: %s", strerror(errno));
        int64_t left_us = end_us - clock_mono_us();
        if (left_us <= 0) return why_set(why, ERR_TIMEOUT, "git reads the repository too slowly");
        struct pollfd one = {fd, POLLIN, 0};
        (void)poll(&one, 1, (int)(left_us / 1000) + 1);
    }
}

/* --- what there is --- */

struct listing {
    struct wiki_tree *tree;
    struct entry *entries; /* owned */
    size_t count, cap;
    char record[RECORD_MAX];
    size_t len;
    size_t bytes; /* of all records */
    bool wrong;   /* what came was no listing */
};

/* "100644 blob ID    SIZE\tPATH"; the size of what has none is "-", of what is not here "BAD". */
static bool parse_record(struct arena *arena, struct str record, struct entry *entry)
{
    struct str rest = record, mode, type, id, size;
    size_t tab = str_find_byte(record, '\t');
    struct str head = str_head(record, tab), path = str_from(record, tab + 1);
    rest = head;
    if (tab == record.len || path.len == 0) return false;
    if (!str_split(&rest, ' ', &mode) || !str_split(&rest, ' ', &type)) return false;
    if (!str_split(&rest, ' ', &id) || id.len < 40 || id.len > 64) return false;
    size = str_trim(rest);
    *entry = (struct entry){.path = arena_copy(arena, path), .id = arena_copy(arena, id)};
    bool file =
        str_eq(mode, STR("100644")) || str_eq(mode, STR("100755")) || str_eq(mode, STR("100664"));
    if (!file || !str_eq(type, STR("blob"))) {
        entry->why = WIKI_LEFT_LINK;
        entry->id.len = 0;
    } else if (!str_to_u64(size, &entry->bytes)) {
        entry->why = WIKI_LEFT_HUGE; /* it stayed at the host, see git.c */
    }
    return true;
}

static void take_record(struct listing *listing)
{
    struct str record = {listing->record, listing->len};
    listing->len = 0;
    listing->bytes += record.len;
    if (listing->count == listing->cap) {
        listing->cap = listing->cap ? 2 * listing->cap : 1024;
        listing->entries = mem_resize(listing->entries, listing->cap * sizeof(struct entry));
    }
    struct entry *entry = &listing->entries[listing->count];
    if (parse_record(&listing->tree->arena, record, entry)) {
        listing->count++;
    } else {
        listing->wrong = true;
    }
}

static bool is_too_much(const struct listing *listing)
{
    return listing->count > LIMIT_WIKI_FILES || listing->bytes > LIMIT_WIKI_LISTING_BYTES;
}

static void take_bytes(struct listing *listing, struct str bytes)
{
    for (size_t i = 0; i < bytes.len && !is_too_much(listing); i++) {
        if (bytes.at[i] == '\0') {
            take_record(listing);
        } else if (listing->len < sizeof(listing->record)) {
            listing->record[listing->len++] = bytes.at[i];
        }
    }
}

static enum err list_commit(struct commit_source *source, struct str commit,
                            struct listing *listing, struct why *why)
{
    const char *const argv[] = {"git",
                                "ls-tree",
                                "-r",
                                "-z",
                                "--long",
                                "--full-tree",
                                arena_printf(&source->arena, "%.*s^{tree}", STR_ARGS(commit)).at,
                                NULL};
    struct wiki_child child = {0};
    enum err err = wiki_git_start(&source->git, argv, true, &child, why);
    if (err) return err;
    while (!err && !is_too_much(listing)) {
        size_t got = 0;
        err = read_more(child.out, source->piece, PIECE, &got, why);
        if (!err) take_bytes(listing, (struct str){source->piece, got});
    }
    /* Silence is its end, if it ended well. */
    bool ended = err == ERR_CORRUPT;
    wiki_child_close(&child);
    if (ended && child.status == 0 && listing->len == 0 && !listing->wrong) return OK;
    if (ended && child.status != 0) {
        return why_set(why, ERR_NOT_FOUND, "the repository has no such commit here");
    }
    if (err) return err;
    return why_set(why, ERR_LIMIT,
                   "more than %d files, or than %d bytes of their names: too large for a wiki",
                   LIMIT_WIKI_FILES, LIMIT_WIKI_LISTING_BYTES);
}

/* --- the walk --- */

static int compare_entries(const void *one, const void *other)
{
    const struct entry *a = one, *b = other;
    int order = memcmp(a->path.at, b->path.at, MIN(a->path.len, b->path.len));
    return order ? order : (a->path.len > b->path.len) - (a->path.len < b->path.len);
}

struct run {
    const struct entry *entries;
    size_t count;
    size_t skip; /* bytes of the paths that are the folder's own, with the slash */
};

static struct str first_part(const struct run *run, size_t i, bool *folder_out)
{
    struct str rest = str_from(run->entries[i].path, run->skip);
    size_t end = str_find_byte(rest, '/');
    *folder_out = end < rest.len;
    return str_head(rest, end);
}

/* The entries of one folder in it, beginning with `from`. */
static size_t same_folder(const struct run *run, size_t from, struct str name)
{
    size_t i = from + 1;
    for (bool folder; i < run->count; i++) {
        struct str other = first_part(run, i, &folder);
        if (!folder || !str_eq(other, name)) break;
    }
    return i - from;
}

static enum err read_blob(struct commit_source *source, struct str id, struct buf *bytes,
                          enum wiki_left_out *left_out_out, struct why *why);

/* .gitattributes of a folder. .gitignore is not asked: what is in a commit is wanted. */
static enum err read_attributes(struct wiki_tree *tree, struct commit_source *source,
                                const struct entry *entry, struct wiki_level *level,
                                struct why *why)
{
    enum wiki_left_out left = entry->why;
    if (left != WIKI_TAKEN || entry->bytes > LIMIT_WIKI_IGNORE_BYTES ||
        tree->rules > LIMIT_WIKI_RULES_BYTES) {
        return OK;
    }
    buf_reset(&tree->bytes, SIZE_MAX);
    enum err err = read_blob(source, entry->id, &tree->bytes, &left, why);
    if (err || left != WIKI_TAKEN) return err;
    struct str text = wiki_tree_keep_rules(tree, buf_str(&tree->bytes));
    level->attributes = wiki_attributes_parse(&tree->arena, text);
    return OK;
}

static enum err survey(struct wiki_tree *tree, struct commit_source *source, const struct run *run,
                       struct wiki_level *level, struct why *why)
{
    enum err err = OK;
    for (size_t i = 0; i < run->count && !err; i++) {
        bool folder;
        struct str name = first_part(run, i, &folder);
        if (folder) continue;
        level->marks |= wiki_leave_marks(name);
        if (!str_eq(name, STR(".gitattributes"))) continue;
        err = read_attributes(tree, source, &run->entries[i], level, why);
    }
    return err;
}

/* At most LIMIT_WIKI_DEPTH calls deep. */
static enum err walk_run(struct wiki_tree *tree, struct commit_source *source,
                         const struct run *run, struct wiki_level *level, struct why *why)
{
    enum err err = survey(tree, source, run, level, why);
    for (size_t i = 0, step; i < run->count && !err; i += step) {
        const struct entry *entry = &run->entries[i];
        bool folder;
        struct str name = first_part(run, i, &folder);
        step = 1;
        if (!folder) {
            wiki_tree_offer(tree, level, name, entry->why, entry->bytes, entry->id);
            continue;
        }
        step = same_folder(run, i, name);
        if (!wiki_tree_enter(tree, level, name)) continue;
        struct run below = {entry, step, run->skip + name.len + 1};
        struct wiki_level inner = {.above = level, .depth = level->depth + 1};
        inner.path = wiki_tree_path(tree, level, name);
        err = walk_run(tree, source, &below, &inner, why);
    }
    return err;
}

/* --- blobs --- */

static enum err start_reader(struct commit_source *source, struct why *why)
{
    static const char *const argv[] = {"git", "cat-file", "--batch", NULL};
    if (source->child.pid > 0) return OK;
    source->at = source->len = 0;
    return wiki_git_start(&source->git, argv, true, &source->child, why);
}

static enum err ask_for(struct commit_source *source, struct str id, struct why *why)
{
    char line[72];
    int len = snprintf(line, sizeof(line), "%.*s\n", STR_ARGS(id));
    /* The pipe is empty, since each answer is read before the next question: it takes a line. */
    if (write(source->child.in, line, (size_t)len) == len) return OK;
    return why_set(why, ERR_IO, "git is not there any more");
}

static enum err fill(struct commit_source *source, struct why *why)
{
    if (source->at < source->len) return OK;
    source->at = 0;
    source->len = 0;
    return read_more(source->child.out, source->piece, PIECE, &source->len, why);
}

static enum err read_line(struct commit_source *source, char *line, size_t room, struct why *why)
{
    for (size_t len = 0;;) {
        enum err err = fill(source, why);
        if (err) return err;
        char byte = source->piece[source->at++];
        if (byte == '\n' || len + 1 == room) {
            line[len] = '\0';
            return byte == '\n' ? OK : why_set(why, ERR_CORRUPT, "git answers something else");
        }
        line[len++] = byte;
    }
}

/* `count` bytes and the line end behind them. */
static enum err read_bytes(struct commit_source *source, uint64_t count, struct buf *bytes,
                           struct why *why)
{
    char end = '\0';
    for (uint64_t left = count + 1; left > 0;) {
        enum err err = fill(source, why);
        if (err) return err;
        size_t take = (size_t)MIN(left, (uint64_t)(source->len - source->at));
        size_t wanted = take == left ? take - 1 : take;
        buf_add(bytes, source->piece + source->at, wanted);
        if (take == left) end = source->piece[source->at + wanted];
        source->at += take;
        left -= take;
    }
    return end == '\n' ? OK : why_set(why, ERR_CORRUPT, "git answers something else");
}

/* "ID blob SIZE", or "ID missing". */
static enum err read_answer(struct commit_source *source, struct str id, struct buf *bytes,
                            enum wiki_left_out *left_out_out, struct why *why)
{
    char line[160];
    enum err err = read_line(source, line, sizeof(line), why);
    if (err) return err;
    struct str rest = str_of(line), word, size;
    uint64_t count;
    if (!str_split(&rest, ' ', &word) || !str_eq(word, id)) {
        return why_set(why, ERR_CORRUPT, "git answers something else");
    }
    if (str_eq(rest, STR("missing"))) {
        *left_out_out = WIKI_LEFT_UNREADABLE;
        return OK;
    }
    if (!str_split(&rest, ' ', &word) || !str_eq(word, STR("blob")) ||
        !str_split(&rest, ' ', &size) || !str_to_u64(size, &count) ||
        count > LIMIT_WIKI_FILE_BYTES) {
        return why_set(why, ERR_CORRUPT, "git answers something else");
    }
    return read_bytes(source, count, bytes, why);
}

static enum err read_blob(struct commit_source *source, struct str id, struct buf *bytes,
                          enum wiki_left_out *left_out_out, struct why *why)
{
    enum err err = start_reader(source, why);
    if (!err) err = ask_for(source, id, why);
    if (!err) err = read_answer(source, id, bytes, left_out_out, why);
    /* Half an answer may still come: with the next question starts the next child. */
    if (err) wiki_child_close(&source->child);
    return err;
}

static enum err commit_read(void *ctx, const struct wiki_file *file, struct buf *bytes,
                            enum wiki_left_out *left_out_out, struct why *why)
{
    return read_blob(ctx, file->blob, bytes, left_out_out, why);
}

static void commit_close(void *ctx)
{
    struct commit_source *source = ctx;
    wiki_child_close(&source->child);
    wiki_git_release(&source->git);
    arena_release(&source->arena);
    mem_free(source);
}

/* --- opening --- */

static bool is_commit(struct str commit)
{
    bool fine = commit.len == 40 || commit.len == 64;
    for (size_t i = 0; i < commit.len && fine; i++) {
        char c = commit.at[i];
        fine = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    }
    return fine;
}

enum err wiki_tree_open_commit(const char *folder, struct str commit,
                               const struct wiki_filters *filters, struct wiki_tree **tree_out,
                               struct why *why)
{
    if (!is_commit(commit)) return why_set(why, ERR_INVALID, "a commit is named by all its digits");
    struct wiki_tree *tree = NULL;
    enum err err = wiki_tree_new(filters, &tree, why);
    if (err) return err;
    struct commit_source *source = NEW(struct commit_source);
    wiki_git_init(&source->git, &source->arena, arena_copy(&source->arena, str_of(folder)).at,
                  "none");
    tree->source = source;
    tree->read = commit_read;
    tree->close = commit_close;

    struct listing *listing = NEW(struct listing);
    listing->tree = tree;
    err = list_commit(source, commit, listing, why);
    if (!err && listing->count > 0) {
        qsort(listing->entries, listing->count, sizeof(struct entry), compare_entries);
        struct run all = {listing->entries, listing->count, 0};
        struct wiki_level top = {0};
        err = walk_run(tree, source, &all, &top, why);
    }
    if (!err) err = wiki_tree_finish(tree, why);
    mem_free(listing->entries);
    mem_free(listing);
    if (err) {
        wiki_tree_close(tree);
    } else {
        *tree_out = tree;
    }
    return err;
}
