/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "wiki/diagram.h"

#include "base/utf8.h"
#include "wiki/diagram_internal.h"

/* More is no drawing that anybody looks at, and names are looked for in all of it. */
enum { DIAGRAM_BYTES_MAX = 64 << 10 };

/* The kinds of the Mermaid in web/package.json, by the word they begin with; its spelling
 * counts. NULL: no line of it is read here. */
static const struct kind {
    const char *word;
    bool (*mend)(struct diagram *d);
} kinds[] = {
    {"graph", diagram_flow},
    {"flowchart", diagram_flow},
    {"sequenceDiagram", diagram_sequence},
    {"classDiagram", diagram_class},
    {"classDiagram-v2", diagram_class},
    {"stateDiagram", diagram_state},
    {"stateDiagram-v2", diagram_state},
    {"erDiagram", diagram_er},
    {"pie", diagram_pie},
    {"mindmap", diagram_mindmap},
    {"timeline", diagram_timeline},
    {"journey", diagram_journey},
    {"flowchart-elk", NULL},
    {"gitGraph", NULL},
    {"gantt", NULL},
    {"quadrantChart", NULL},
    {"requirementDiagram", NULL},
    {"C4Context", NULL},
    {"C4Container", NULL},
    {"C4Component", NULL},
    {"C4Dynamic", NULL},
    {"C4Deployment", NULL},
    {"sankey-beta", NULL},
    {"sankey", NULL},
    {"xychart-beta", NULL},
    {"xychart", NULL},
    {"block-beta", NULL},
    {"block", NULL},
    {"packet-beta", NULL},
    {"packet", NULL},
    {"kanban", NULL},
    {"architecture-beta", NULL},
    {"radar-beta", NULL},
    {"treemap-beta", NULL},
};

/* How models spell them otherwise, without blanks and signs. */
static const struct spelling {
    const char *is, *word;
} spellings[] = {{"statediagramv2", "stateDiagram-v2"},
                 {"classdiagramv2", "classDiagram-v2"},
                 {"entityrelationshipdiagram", "erDiagram"},
                 {"entityrelationship", "erDiagram"},
                 {"piechart", "pie"},
                 {"userjourney", "journey"},
                 {"ganttchart", "gantt"},
                 {"mindmapdiagram", "mindmap"},
                 {"sequence", "sequenceDiagram"},
                 {"flowchartdiagram", "flowchart"}};

/* ---- the first line ---- */

static const struct kind *kind_of(struct str word)
{
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (str_eq(word, str_of(kinds[i].word))) return &kinds[i];
    }
    return NULL;
}

/* Letters and digits of `line` in lower case, up to `len` bytes of the line. */
static struct str squeezed(struct arena *arena, struct str line, size_t len)
{
    struct buf out;
    buf_init(&out, len + 1);
    for (size_t i = 0; i < len; i++) {
        char c = line.at[i];
        if (c >= 'A' && c <= 'Z') c = (char)(c + 32);
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) buf_add_byte(&out, c);
    }
    struct str word = arena_copy(arena, buf_str(&out));
    buf_release(&out);
    return word;
}

static const struct kind *spelt(struct str word)
{
    for (size_t i = 0; i < COUNT_OF(spellings); i++) {
        if (str_eq(word, str_of(spellings[i].is))) return kind_of(str_of(spellings[i].word));
    }
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (str_eq_nocase(word, str_of(kinds[i].word))) return &kinds[i];
    }
    return NULL;
}

/* The kind that a first line names, as well as it can be read, and what stands behind the name. */
static const struct kind *read_first(struct arena *arena, struct str line, struct str *behind)
{
    size_t len = 0;
    while (len < line.len && !strchr(" \t:;", line.at[len])) len++;
    const struct kind *kind = kind_of(str_head(line, len));
    /* "sequence diagram", "ER diagram": of two words, then of one. */
    size_t two = len < line.len ? len + 1 : len;
    while (two < line.len && !strchr(" \t:;", line.at[two])) two++;
    if (!kind && (kind = spelt(squeezed(arena, line, two)))) len = two;
    if (!kind) kind = spelt(squeezed(arena, line, len));
    if (kind && kind->mend == diagram_pie && two > len && spelt(squeezed(arena, line, two)) == kind)
        len = two;
    *behind = str_trim(str_from(line, len));
    while (behind->len > 0 && strchr(":;", behind->at[0])) *behind = str_trim(str_from(*behind, 1));
    return kind;
}

/* ---- its settings ---- */

/* "key: value" that no reader of YAML can take for anything else; quoted if need be. */
static bool setting(struct str line, struct buf *to)
{
    struct str bare = str_trim(line);
    if (bare.len == 0) return true;
    size_t colon = str_find_byte(bare, ':');
    struct str key = str_head(bare, colon), value = str_trim(str_from(bare, colon + 1));
    if (colon >= bare.len || line.at[0] == ' ' || line.at[0] == '\t') return false;
    if (!str_eq(key, STR("title"))) return false;
    bool quoted =
        value.len >= 2 && strchr("\"'", value.at[0]) && value.at[value.len - 1] == value.at[0];
    if (quoted) value = str_head(str_from(value, 1), value.len - 2);
    bool plain = !quoted && value.len > 0 && diagram_is_name_byte(value.at[0]) &&
                 str_find(value, STR(": ")) == value.len &&
                 str_find(value, STR(" #")) == value.len && value.at[value.len - 1] != ':';
    buf_printf(to, "title: %s", plain ? "" : "\"");
    for (size_t i = 0; i < value.len; i++) {
        char c = value.at[i];
        if (!plain && (c == '"' || c == '\\')) c = '\'';
        buf_add_byte(to, (unsigned char)c < 0x20 ? ' ' : c);
    }
    buf_add_str(to, plain ? STR("\n") : STR("\"\n"));
    return true;
}

/* Between two lines of "---": its title; other settings are about looks, and are left away. */
static void mend_settings(struct str *block, struct buf *to)
{
    struct str rest = *block, line = STR("");
    while (str_split(&rest, '\n', &line) && str_trim(line).len == 0) *block = rest;
    if (!str_eq(str_trim(line), STR("---"))) return;
    struct buf kept;
    bool ends = false;
    buf_init(&kept, DIAGRAM_BYTES_MAX);
    *block = rest;
    while (rest.len > 0 && str_split(&rest, '\n', &line) && !ends) {
        ends = str_eq(str_trim(line), STR("---"));
        if (!ends) (void)!setting(line, &kept);
        if (ends) *block = rest;
    }
    if (ends && kept.len > 0) {
        buf_add_str(to, STR("---\n"));
        buf_add_str(to, buf_str(&kept));
        buf_add_str(to, STR("---\n"));
    }
    buf_release(&kept);
}

/* ---- a block ---- */

static bool passes_unread(struct diagram *d)
{
    buf_add_str(d->to, d->rest);
    return str_trim(d->rest).len > 0;
}

static bool is_way(struct str word)
{
    return diagram_is_one_of(word, "TB TD BT RL LR", true);
}

/* The first line in Mermaid's spelling; what else stood in it begins the diagram. */
static bool mend_first(struct diagram *d, const struct kind *kind, struct str indent,
                       struct str behind)
{
    buf_add_str(d->to, indent);
    buf_add_str(d->to, str_of(kind->word));
    bool flow = kind->mend == diagram_flow, pie = kind->mend == diagram_pie;
    bool stays = !kind->mend || (flow && is_way(str_head(behind, 2)));
    if (pie && (str_starts(behind, STR("showData")) || str_starts(behind, STR("title ")))) {
        struct str title = str_from(behind, behind.at[0] == 's' ? 8 : 0), rest;
        if (behind.at[0] == 's') buf_add_str(d->to, STR(" showData"));
        if (diagram_after(str_trim(title), "title", &rest) && rest.len > 0) {
            rest = diagram_text(d, rest, "#;");
            buf_printf(d->to, " title %.*s", STR_ARGS(rest));
        }
        behind = STR("");
    }
    if (stays && behind.len > 0) {
        struct str way = flow ? str_head(behind, 2) : behind;
        buf_printf(d->to, " %.*s", STR_ARGS(way));
        behind = str_trim(str_from(behind, way.len));
        while (behind.len > 0 && behind.at[0] == ';') behind = str_trim(str_from(behind, 1));
    }
    if (flow && !stays) buf_add_str(d->to, STR(" TD"));
    buf_add_byte(d->to, '\n');
    if (behind.len == 0) return true;
    if (flow || kind->mend == diagram_class || kind->mend == diagram_state ||
        kind->mend == diagram_er || kind->mend == diagram_sequence) {
        d->whole = d->rest =
            arena_printf(d->arena, "    %.*s\n%.*s", STR_ARGS(behind), STR_ARGS(d->rest));
        return true;
    }
    return false;
}

static bool mend_block(struct str block, struct buf *to)
{
    struct arena arena = {0};
    struct diagram *d = ARENA_NEW(&arena, struct diagram);
    struct str line = STR(""), behind;
    *d = (struct diagram){.arena = &arena, .to = to};
    bool fine = block.len <= DIAGRAM_BYTES_MAX && utf8_valid(block) &&
                str_find_byte(block, '\0') == block.len; /* which ends what is printed */
    bool found = false;
    if (fine) mend_settings(&block, to);
    while (fine && !found && block.len > 0) {
        (void)str_split(&block, '\n', &line);
        found = str_trim(line).len > 0 && !str_starts(str_trim(line), STR("%%"));
        if (!found && !str_starts(str_trim(line), STR("%%{"))) {
            buf_add_str(to, line);
            buf_add_byte(to, '\n');
        }
    }
    const struct kind *kind = found ? read_first(&arena, str_trim(line), &behind) : NULL;
    d->whole = d->rest = block;
    fine = kind && mend_first(d, kind, str_head(line, str_find(line, str_trim(line))), behind);
    fine = fine &&
           (kind->mend ? kind->mend(d) && d->statements > 0 && !d->too_much : passes_unread(d));
    arena_release(&arena);
    return fine;
}

/* Where the block that begins at `text` ends: its closing fence. */
static size_t block_end(struct str text)
{
    size_t at = 0;
    for (struct str rest = text, line; str_split(&rest, '\n', &line);) {
        if (str_starts(str_trim(line), STR("```"))) return at;
        at += line.len + 1;
    }
    return text.len;
}

size_t wiki_diagrams_mend(struct str markdown, struct buf *to)
{
    size_t dropped = 0;
    struct str line;
    while (markdown.len > 0 && !to->failed) {
        bool ends = str_find_byte(markdown, '\n') < markdown.len;
        (void)str_split(&markdown, '\n', &line);
        struct str word = str_trim(line);
        if (!str_eq_nocase(word, STR("```mermaid"))) {
            buf_add_str(to, line);
            if (ends) buf_add_byte(to, '\n');
            continue;
        }
        struct str block = str_head(markdown, block_end(markdown));
        struct buf mended;
        buf_init(&mended, 2 * block.len + 4096);
        bool fine = mend_block(block, &mended) && !mended.failed;
        dropped += !fine;
        buf_add_str(to, str_head(line, str_find_byte(line, '`'))); /* as far in as it was */
        buf_add_str(to, fine ? STR("```mermaid\n") : STR("```text\n"));
        buf_add_str(to, fine ? buf_str(&mended) : block);
        buf_release(&mended);
        markdown = str_from(markdown, block.len);
    }
    return dropped;
}
