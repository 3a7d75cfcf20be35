/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/tree.c: which files of a repository count, and what is written in them.
 *
 * One sieve for both kinds of trees, so that a folder and a commit of it give
 * the same. In the order of what was said most clearly: what is no file, the
 * repository's own .gitignore and .gitattributes, this wiki's filters, and last
 * our defaults, which any of the others can lift.
 */
#include "wiki/tree.h"

#include "base/limits.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "wiki/encoding.h"
#include "wiki/leave.h"
#include "wiki/walk.h"

const char *wiki_left_out_name(enum wiki_left_out why)
{
    static const char *const names[WIKI_LEFT_COUNT] = {
        [WIKI_TAKEN] = "taken",
        [WIKI_LEFT_IGNORED] = "ignored",
        [WIKI_LEFT_EXCLUDED] = "excluded",
        [WIKI_LEFT_VENDORED] = "vendored",
        [WIKI_LEFT_GENERATED] = "generated",
        [WIKI_LEFT_MINIFIED] = "minified",
        [WIKI_LEFT_BINARY] = "binary",
        [WIKI_LEFT_HUGE] = "huge",
        [WIKI_LEFT_LINK] = "link",
        [WIKI_LEFT_NAME] = "name",
        [WIKI_LEFT_ENCODING] = "encoding",
        [WIKI_LEFT_SECRET] = "secret",
        [WIKI_LEFT_UNREADABLE] = "unreadable",
    };
    ASSERT((unsigned)why < WIKI_LEFT_COUNT);
    return names[why];
}

enum err wiki_filters_check(const struct wiki_filters *filters, struct why *why)
{
    enum err err = wiki_ignore_check(filters->include, why);
    return err ? err : wiki_ignore_check(filters->exclude, why);
}

enum err wiki_tree_new(const struct wiki_filters *filters, struct wiki_tree **tree_out,
                       struct why *why)
{
    enum err err = filters ? wiki_filters_check(filters, why) : OK;
    if (err) return err;
    struct wiki_tree *tree = NEW(struct wiki_tree);
    buf_init(&tree->bytes, LIMIT_WIKI_FILE_BYTES + 1); /* one more tells that there are more */
    if (filters) {
        struct str include = arena_copy(&tree->arena, filters->include);
        struct str exclude = arena_copy(&tree->arena, filters->exclude);
        tree->include = wiki_ignore_parse(&tree->arena, include);
        tree->exclude = wiki_ignore_parse(&tree->arena, exclude);
    }
    *tree_out = tree;
    return OK;
}

void wiki_tree_close(struct wiki_tree *tree)
{
    if (!tree) return;
    if (tree->close) tree->close(tree->source);
    arena_release(&tree->arena);
    buf_release(&tree->bytes);
    mem_free(tree->nodes);
    mem_free(tree);
}

size_t wiki_tree_count(const struct wiki_tree *tree)
{
    return tree->count;
}

const struct wiki_file *wiki_tree_file(const struct wiki_tree *tree, size_t at,
                                       enum wiki_left_out *left_out_out)
{
    ASSERT(at < tree->count);
    *left_out_out = tree->nodes[at].left_out;
    return &tree->nodes[at].file;
}

/* --- the sieve --- */

static bool is_control(unsigned char byte)
{
    return byte < ' ' || byte == 0x7F;
}

/* ".git" is in no tree that git made. */
static bool name_is_fine(struct str name)
{
    if (name.len == 0 || str_eq(name, STR(".")) || str_eq(name, STR(".."))) return false;
    if (str_eq_nocase(name, STR(".git"))) return false;
    for (size_t i = 0; i < name.len; i++) {
        if (is_control((unsigned char)name.at[i]) || name.at[i] == '/') return false;
    }
    return utf8_valid(name);
}

/* A name that cannot be used still has to be shown: what is no plain ASCII as \xNN. */
static struct str name_to_show(struct arena *arena, struct str name)
{
    struct buf shown;
    buf_init(&shown, 4 * LIMIT_WIKI_PATH_BYTES);
    name = str_head(name, LIMIT_WIKI_PATH_BYTES);
    for (size_t i = 0; i < name.len; i++) {
        unsigned char byte = (unsigned char)name.at[i];
        if (is_control(byte) || byte >= 0x80 || byte == '/' || byte == '\\') {
            buf_printf(&shown, "\\x%02x", byte);
        } else {
            buf_add_byte(&shown, name.at[i]);
        }
    }
    struct str kept = arena_copy(arena, buf_str(&shown));
    buf_release(&shown);
    return kept;
}

struct str wiki_tree_path(struct wiki_tree *tree, const struct wiki_level *level, struct str name)
{
    size_t len = level->path.len + (level->path.len > 0) + name.len;
    char *path = arena_alloc(&tree->arena, len + 1);
    char *to = path;
    if (level->path.len > 0) {
        memcpy(to, level->path.at, level->path.len);
        to += level->path.len;
        *to++ = '/';
    }
    if (name.len > 0) memcpy(to, name.at, name.len);
    return (struct str){path, len};
}

static struct wiki_node *add_node(struct wiki_tree *tree)
{
    /* One more than the limit tells wiki_tree_finish(); further ones all go there. */
    if (tree->count > LIMIT_WIKI_FILES) return &tree->nodes[LIMIT_WIKI_FILES];
    if (tree->count == tree->cap) {
        tree->cap = tree->cap ? 2 * tree->cap : 256;
        tree->nodes = mem_resize(tree->nodes, tree->cap * sizeof(*tree->nodes));
    }
    return &tree->nodes[tree->count++];
}

void wiki_tree_leave_out(struct wiki_tree *tree, const struct wiki_level *level, struct str name,
                         enum wiki_left_out why)
{
    if (why == WIKI_LEFT_NAME) name = name_to_show(&tree->arena, name);
    struct str path = wiki_tree_path(tree, level, name);
    path = arena_printf(&tree->arena, "%.*s/", STR_ARGS(path));
    *add_node(tree) = (struct wiki_node){.file.path = path, .left_out = why};
}

/* `path` as seen from the folder of `level`, which lies above it. */
static struct str seen_from(const struct wiki_level *level, struct str path)
{
    return level->path.len > 0 ? str_from(path, level->path.len + 1) : path;
}

/* The nearest .gitignore that says anything of it. */
static bool is_ignored(const struct wiki_level *level, struct str path, bool is_folder)
{
    for (const struct wiki_level *l = level; l; l = l->above) {
        if (!l->ignore) continue;
        enum wiki_ignore_says says = wiki_ignore_match(l->ignore, seen_from(l, path), is_folder);
        if (says != WIKI_SAYS_NOTHING) return says == WIKI_SAYS_OUT;
    }
    return false;
}

static struct wiki_linguist linguist_of(const struct wiki_level *level, struct str path)
{
    struct wiki_linguist all = {WIKI_SAYS_NOTHING, WIKI_SAYS_NOTHING};
    for (const struct wiki_level *l = level; l; l = l->above) {
        if (!l->attributes) continue;
        struct wiki_linguist here = wiki_attributes_match(l->attributes, seen_from(l, path));
        if (!all.generated) all.generated = here.generated;
        if (!all.vendored) all.vendored = here.vendored;
    }
    return all;
}

static enum wiki_left_out sieve_folder(struct wiki_tree *tree, const struct wiki_level *level,
                                       struct str name, struct str path)
{
    if (!name_is_fine(name) || path.len >= LIMIT_WIKI_PATH_BYTES) return WIKI_LEFT_NAME;
    if (level->depth >= LIMIT_WIKI_DEPTH) return WIKI_LEFT_NAME;
    if (is_ignored(level, path, true)) return WIKI_LEFT_IGNORED;
    if (wiki_ignore_match(tree->exclude, path, true) == WIKI_SAYS_OUT) return WIKI_LEFT_EXCLUDED;
    enum wiki_left_out why = wiki_leave_folder(name, level->marks, level->above == NULL);
    if (why == WIKI_TAKEN || wiki_ignore_names(tree->include, name)) return WIKI_TAKEN;
    /* Attributes are not of folders, but of what is in them. */
    struct str inside = arena_printf(&tree->arena, "%.*s/x", STR_ARGS(path));
    struct wiki_linguist says = linguist_of(level, inside);
    bool lifted = (why == WIKI_LEFT_VENDORED ? says.vendored : says.generated) == WIKI_SAYS_IN;
    return lifted ? WIKI_TAKEN : why;
}

bool wiki_tree_enter(struct wiki_tree *tree, const struct wiki_level *level, struct str name)
{
    struct str path = wiki_tree_path(tree, level, name);
    enum wiki_left_out why = sieve_folder(tree, level, name, path);
    if (why != WIKI_TAKEN) wiki_tree_leave_out(tree, level, name, why);
    return why == WIKI_TAKEN;
}

static enum wiki_left_out sieve_file(struct wiki_tree *tree, const struct wiki_level *level,
                                     struct str name, struct wiki_node *node)
{
    struct str path = node->file.path, rule;
    if (is_ignored(level, path, false)) return WIKI_LEFT_IGNORED;
    struct wiki_linguist says = linguist_of(level, path);
    node->wanted = wiki_ignore_names(tree->include, name) || says.generated == WIKI_SAYS_IN;
    if (says.generated == WIKI_SAYS_OUT || says.vendored == WIKI_SAYS_OUT) return WIKI_LEFT_IGNORED;
    if (wiki_ignore_match(tree->exclude, path, false) == WIKI_SAYS_OUT) return WIKI_LEFT_EXCLUDED;
    if (tree->include && !wiki_ignore_covers(tree->include, path, false)) return WIKI_LEFT_EXCLUDED;
    enum wiki_left_out why = wiki_leave_file(name, node->file.bytes, &rule);
    bool about_taste = why == WIKI_LEFT_GENERATED || why == WIKI_LEFT_MINIFIED;
    if (about_taste && wiki_ignore_names(tree->include, rule)) node->wanted = true;
    if (!about_taste || !node->wanted) return why;
    return node->file.bytes > LIMIT_WIKI_FILE_BYTES ? WIKI_LEFT_HUGE : WIKI_TAKEN;
}

void wiki_tree_offer(struct wiki_tree *tree, const struct wiki_level *level, struct str name,
                     enum wiki_left_out why, uint64_t bytes, struct str blob)
{
    struct wiki_node *node = add_node(tree);
    *node = (struct wiki_node){.file = {.blob = blob, .bytes = bytes}, .left_out = why};
    node->file.path = wiki_tree_path(tree, level, name);
    if (!name_is_fine(name) || node->file.path.len > LIMIT_WIKI_PATH_BYTES) {
        node->file.path = wiki_tree_path(tree, level, name_to_show(&tree->arena, name));
        node->left_out = WIKI_LEFT_NAME;
    } else if (why == WIKI_TAKEN) {
        node->left_out = sieve_file(tree, level, name, node);
    }
}

struct str wiki_tree_keep_rules(struct wiki_tree *tree, struct str text)
{
    tree->rules += text.len;
    return tree->rules > LIMIT_WIKI_RULES_BYTES ? (struct str){0} : arena_copy(&tree->arena, text);
}

static int compare_str(struct str a, struct str b)
{
    int order = memcmp(a.at, b.at, MIN(a.len, b.len));
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

/* Of two that are shown alike the one that is taken first: a name may look as another is shown. */
static int compare_nodes(const void *one, const void *other)
{
    const struct wiki_node *a = one, *b = other;
    int order = compare_str(a->file.path, b->file.path);
    return order ? order : (int)a->left_out - (int)b->left_out;
}

enum err wiki_tree_finish(struct wiki_tree *tree, struct why *why)
{
    if (tree->count > LIMIT_WIKI_FILES) {
        return why_set(why, ERR_LIMIT, "more than %d files: leave folders out by a filter",
                       LIMIT_WIKI_FILES);
    }
    if (tree->rules > LIMIT_WIKI_RULES_BYTES) {
        return why_set(why, ERR_LIMIT,
                       "its .gitignore and .gitattributes files are longer than %d bytes together",
                       LIMIT_WIKI_RULES_BYTES);
    }
    if (tree->count == 0) return OK;
    qsort(tree->nodes, tree->count, sizeof(*tree->nodes), compare_nodes);
    size_t kept = 1;
    for (size_t i = 1; i < tree->count; i++) {
        if (str_eq(tree->nodes[i].file.path, tree->nodes[kept - 1].file.path)) continue;
        tree->nodes[kept++] = tree->nodes[i];
    }
    tree->count = kept;
    return OK;
}

/* --- reading --- */

static enum wiki_left_out read_text(const struct wiki_node *node, struct str bytes,
                                    struct buf *text)
{
    enum wiki_left_out why = wiki_has_wide_mark(bytes) ? WIKI_TAKEN : wiki_leave_bytes(bytes);
    if (why != WIKI_TAKEN) return why;
    if (!wiki_decode(bytes, text)) return WIKI_LEFT_ENCODING;
    why = wiki_leave_bytes(buf_str(text));
    if (why == WIKI_TAKEN && !node->wanted) {
        why = wiki_leave_text(wiki_path_name(node->file.path), buf_str(text));
    }
    return why;
}

enum err wiki_tree_read(struct wiki_tree *tree, const struct wiki_file *file, struct buf *text,
                        enum wiki_left_out *left_out_out, struct why *why)
{
    static_assert(offsetof(struct wiki_node, file) == 0, "a file is the beginning of its node");
    const struct wiki_node *node = (const struct wiki_node *)(const void *)file;
    ASSERT(node >= tree->nodes && node < tree->nodes + tree->count);
    ASSERT(node->left_out == WIKI_TAKEN);
    buf_reset(text, SIZE_MAX);
    buf_reset(&tree->bytes, SIZE_MAX);
    *left_out_out = WIKI_TAKEN;
    enum err err = tree->read(tree->source, file, &tree->bytes, left_out_out, why);
    if (err || *left_out_out != WIKI_TAKEN) return err;
    *left_out_out = read_text(node, buf_str(&tree->bytes), text);
    if (*left_out_out != WIKI_TAKEN) buf_reset(text, SIZE_MAX);
    return OK;
}
