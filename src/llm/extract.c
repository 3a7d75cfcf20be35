/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "llm/extract.h"

#include "base/json.h"
#include "base/utf8.h"
#include "llm/loose.h"

enum {
    WORK_PER_BYTE = 16, /* bytes a scan may read for each of the text; prose with JSON takes 2 */
    FENCES_MAX = 16,    /* the last so many are looked at */
    TRIES_MAX = 16      /* brackets looked at before a closer of reasoning */
};

/* A piece of the text, by position; `len` 0: none. */
struct piece {
    size_t at, len;
};

/* What a scan found. Each is the longest, and the last of equally long ones. */
struct found {
    struct str text;
    enum extract_want want;
    struct piece strict, mended, cut;
    struct piece list; /* objects one behind the other: from the first to the last */
    size_t list_count; /* how many */
    bool list_cut;     /* one more began */
    struct piece run;  /* the list in the making */
    size_t run_count;
    size_t doubt_at;     /* from here on all is inside something broken that never ends */
    struct piece broken; /* meant as JSON; len: up to what is wrong */
    bool too_deep, other_kind;
    size_t work;
};

static bool is_wanted(enum extract_want want, char bracket)
{
    return want == EXTRACT_ANY || (want == EXTRACT_OBJECT) == (bracket == '{');
}

static const char *kind_name(enum extract_want want)
{
    switch (want) {
    case EXTRACT_ANY: return "value";
    case EXTRACT_OBJECT: return "object";
    case EXTRACT_ARRAY: return "array";
    }
    return "";
}

/* ---- 1–3: what parses as it stands ---- */

static bool parses(struct str text, enum extract_want want)
{
    struct json *tree = NULL;
    struct why unused;
    text = str_trim(text);
    if (text.len == 0 || (text.at[0] != '{' && text.at[0] != '[')) return false;
    if (!is_wanted(want, text.at[0])) return false;
    if (json_parse(text, &tree, NULL, &unused)) return false;
    json_free(tree);
    return true;
}

static bool take_if_parses(struct str text, enum extract_want want, struct buf *json_out)
{
    if (!parses(text, want)) return false;
    buf_add_str(json_out, str_trim(text));
    return true;
}

/* Marks (``` or ~~~) that begin `line`, blanks before them allowed; less than three: 0. */
static size_t fence_marks(struct str line, char *mark_out, struct str *rest_out)
{
    line = str_trim(line);
    size_t count = 0;
    if (line.len == 0 || (line.at[0] != '`' && line.at[0] != '~')) return 0;
    *mark_out = line.at[0];
    while (count < line.len && line.at[count] == *mark_out) count++;
    *rest_out = str_from(line, count);
    return count >= 3 ? count : 0;
}

/* The next fenced block from `*at` on, which moves behind it; the last may lack its end. */
static bool next_fence(struct str text, size_t *at, struct piece *inside_out)
{
    size_t open = 0;
    char open_mark = 0;
    while (*at < text.len) {
        size_t line_at = *at, end = *at + str_find_byte(str_from(text, *at), '\n');
        struct str line = {text.at + line_at, end - line_at}, rest = {0};
        char mark = 0;
        size_t count = fence_marks(line, &mark, &rest);
        *at = MIN(end + 1, text.len);
        if (open == 0 && count > 0 && str_find_byte(rest, '`') == rest.len) {
            open = count;
            open_mark = mark;
            inside_out->at = *at;
        } else if (open > 0 && count >= open && mark == open_mark && rest.len == 0) {
            inside_out->len = line_at - inside_out->at;
            return true;
        }
    }
    inside_out->len = open > 0 ? text.len - inside_out->at : 0;
    return open > 0;
}

/* The last fenced block that parses; `*end_out`: where it ends. */
static bool take_fence(struct str text, enum extract_want want, struct buf *json_out,
                       size_t *end_out)
{
    struct piece fences[FENCES_MAX], fence;
    size_t count = 0, at = 0;
    while (next_fence(text, &at, &fence)) fences[count++ % FENCES_MAX] = fence;
    for (size_t i = count; i > 0 && i + FENCES_MAX > count; i--) {
        fence = fences[(i - 1) % FENCES_MAX];
        *end_out = fence.at + fence.len;
        if (take_if_parses(str_head(str_from(text, fence.at), fence.len), want, json_out)) {
            return true;
        }
    }
    return false;
}

/* ---- 4: every object or array ---- */

static void keep_longest(struct piece *best, struct piece piece)
{
    if (piece.len >= best->len) *best = piece;
}

static bool is_gap(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (strchr(" \t\r\n,", s.at[i]) == NULL || s.at[i] == '\0') return false;
    }
    return true;
}

/* Objects with nothing but blanks and commas between them are one list. */
static void note_for_list(struct found *found, struct piece piece, bool whole)
{
    size_t end = found->run.at + found->run.len;
    bool goes_on =
        found->run_count > 0 && is_gap((struct str){found->text.at + end, piece.at - end});
    if (!goes_on) found->run_count = 0;
    if (!goes_on) found->run.at = piece.at;
    if (whole) {
        found->run_count++;
        found->run.len = piece.at + piece.len - found->run.at;
    }
    bool list_cut = goes_on && !whole;
    if (found->run_count < 2 && !list_cut) return;
    if (found->run_count < found->list_count) return;
    found->list = found->run;
    found->list_count = found->run_count;
    found->list_cut = list_cut;
}

static void note(struct found *found, struct piece piece, const struct loose *loose)
{
    bool whole = loose->end == LOOSE_WHOLE, object = found->text.at[piece.at] == '{';
    if (object) note_for_list(found, piece, whole);
    if (!is_wanted(found->want, object ? '{' : '[')) {
        found->other_kind = true;
    } else {
        keep_longest(!whole ? &found->cut : loose->mended ? &found->mended : &found->strict, piece);
    }
}

/* Length up to the bracket that closes the one `s` begins with, strings left aside; 0: none. */
static size_t balanced_len(struct str s)
{
    size_t depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.at[i];
        if (in_string) {
            if (c == '\\') i++;
            if (c == '"') in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if ((c == '}' || c == ']') && --depth == 0) {
            return i + 1;
        }
    }
    return 0;
}

/* What was meant as JSON and is none hides what is inside of it. Returns how far to step. */
static size_t step_over_broken(struct found *found, struct piece piece, const struct loose *loose)
{
    if (!loose->credible) return 1;
    if (found->broken.len == 0) found->broken = piece;
    found->too_deep = found->too_deep || loose->too_deep;
    struct str rest = str_from(found->text, piece.at);
    size_t len = balanced_len(rest);
    found->work += len ? len : rest.len;
    if (len > 0) return len;
    found->doubt_at = MIN(found->doubt_at, piece.at);
    return 1;
}

static size_t next_bracket(struct str text, size_t at)
{
    while (at < text.len && text.at[at] != '{' && text.at[at] != '[') at++;
    return at;
}

static void scan(struct found *found, size_t from)
{
    struct str text = found->text;
    size_t work_max = WORK_PER_BYTE * text.len, at = next_bracket(text, from);
    while (at < text.len && found->work <= work_max) {
        struct loose loose = loose_read(str_from(text, at), NULL);
        struct piece piece = {at, MAX(loose.len, 1u)};
        size_t step = piece.len;
        found->work += piece.len;
        if (loose.end == LOOSE_BROKEN) {
            step = step_over_broken(found, piece, &loose);
        } else {
            note(found, piece, &loose);
        }
        at = next_bracket(text, at + step);
    }
    if (at < text.len) found->doubt_at = 0; /* gave up */
}

/* ---- 5–7: what to make of it ---- */

static struct str text_of(const struct found *found, struct piece piece)
{
    return str_head(str_from(found->text, piece.at), piece.len);
}

static void write_list(const struct found *found, struct buf *out)
{
    struct str rest = text_of(found, found->list);
    buf_add_byte(out, '[');
    for (size_t i = 0; i < found->list_count; i++) {
        rest = str_from(rest, str_find_byte(rest, '{'));
        struct loose loose = loose_read(rest, out);
        rest = str_from(rest, loose.len);
        if (i + 1 < found->list_count) buf_add_byte(out, ',');
    }
    buf_add_byte(out, ']');
}

/* False: nothing of use was found. */
static bool write_best(const struct found *found, struct buf *out, bool *partial_out)
{
    struct piece best = found->strict.len ? found->strict : found->mended;
    bool listed = best.len == 0 && found->want == EXTRACT_ARRAY && found->list_count > 0;
    *partial_out = found->cut.len > 0 || (listed && found->list_cut);
    if (found->cut.len > best.len && !listed) best = found->cut;
    if (best.len == 0 && !listed) return false;
    if (listed) {
        best = found->list;
        write_list(found, out);
    } else {
        loose_read(text_of(found, best), out);
    }
    *partial_out = *partial_out || best.at >= found->doubt_at;
    return true;
}

/* Twenty-some bytes of the text for a sentence, without line ends and quotes. */
static void write_excerpt(char *to, size_t to_bytes, struct str text)
{
    str_copy(to, to_bytes, text);
    for (char *c = to; *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == '"') *c = *c == '"' ? '\'' : ' ';
    }
}

static enum err nothing(const struct found *found, struct why *why)
{
    const char *kind = kind_name(found->want);
    if (found->too_deep) {
        return why_set(why, ERR_INVALID, "the JSON in the answer is nested too deep");
    }
    if (found->broken.len > 0) {
        char near[28];
        size_t at = found->broken.at + found->broken.len;
        write_excerpt(near, sizeof(near), str_from(found->text, at));
        return why_set(why, ERR_INVALID,
                       "the JSON in the answer has a mistake at byte %zu of %zu, before: %s", at,
                       found->text.len, near);
    }
    if (found->other_kind) {
        return why_set(why, ERR_INVALID, "the JSON in the answer is an %s, an %s is wanted",
                       found->want == EXTRACT_ARRAY ? "object" : "array", kind);
    }
    return why_set(why, ERR_INVALID, "there is no JSON %s in the answer", kind);
}

static enum err check_written(const struct buf *out, struct why *why)
{
    struct json *tree = NULL;
    struct why reason;
    if (out->failed) return why_set(why, ERR_LIMIT, "the JSON in the answer is too long");
    enum err err = json_parse(buf_str(out), &tree, NULL, &reason);
    json_free(tree);
    if (err) return why_set(why, err, "the JSON in the answer cannot be used: %s", reason.text);
    return OK;
}

static enum err extract_from(struct str text, enum extract_want want, struct buf *json_out,
                             bool *partial_out, struct why *why)
{
    struct found found = {.text = text, .want = want, .doubt_at = text.len};
    size_t fence_end = 0;
    *partial_out = false;
    buf_reset(json_out, json_out->cap);
    if (take_if_parses(text, want, json_out)) return check_written(json_out, why);
    if (take_fence(text, want, json_out, &fence_end)) {
        scan(&found, fence_end);
        *partial_out = found.cut.len > 0; /* it began to write another */
        return check_written(json_out, why);
    }
    scan(&found, 0);
    if (!write_best(&found, json_out, partial_out)) return nothing(&found, why);
    return check_written(json_out, why);
}

/* ---- reasoning ---- */

static const struct {
    const char *opener, *closer;
} tags[] = {
    {"<think>", "</think>"}, {"<thinking>", "</thinking>"}, {"<reasoning>", "</reasoning>"}};

static bool begins_with_reasoning(struct str text)
{
    bool begins = false;
    for (size_t i = 0; i < COUNT_OF(tags); i++) {
        begins = begins || str_starts(text, str_of(tags[i].opener));
    }
    return begins;
}

/* Behind the next closer from `from` on; 0: there is none. */
static size_t closer_end(struct str text, size_t from)
{
    for (size_t at = from; at < text.len; at++) {
        at += str_find(str_from(text, at), STR("</"));
        for (size_t i = 0; i < COUNT_OF(tags); i++) {
            struct str closer = str_of(tags[i].closer);
            if (str_starts(str_from(text, at), closer)) return at + closer.len;
        }
    }
    return 0;
}

/* Is the closer that ends at `end` part of JSON that began before it? */
static bool closes_inside(struct str text, size_t from, size_t end, int *tries)
{
    struct str before = str_head(text, end);
    size_t at = next_bracket(before, from);
    for (; at<end && * tries> 0; (*tries)--) {
        struct loose loose = loose_read(str_from(text, at), NULL);
        bool broken = loose.end == LOOSE_BROKEN;
        if (!broken && at + loose.len > end) return true;
        at = next_bracket(before, at + (broken ? 1 : loose.len));
    }
    return false;
}

/* What comes behind the last closer, but for those in strings of the answer. */
static struct str cut_reasoning(struct str text)
{
    size_t from = 0, end;
    int tries = TRIES_MAX;
    while ((end = closer_end(text, from)) > 0) {
        if (closes_inside(text, from, end, &tries)) break;
        from = end;
    }
    return str_from(text, from);
}

enum err extract_json(struct str text, enum extract_want want, struct buf *json_out,
                      bool *partial_out, struct why *why)
{
    *partial_out = false;
    buf_reset(json_out, json_out->cap);
    if (text.len > EXTRACT_TEXT_MAX) {
        return why_set(why, ERR_LIMIT, "the answer has %zu bytes, JSON is looked for in %d",
                       text.len, EXTRACT_TEXT_MAX);
    }
    if (!utf8_valid(text)) return why_set(why, ERR_INVALID, "the answer is not valid UTF-8");
    if (str_starts(text, STR("\xEF\xBB\xBF"))) text = str_from(text, 3);
    text = str_trim(text);

    if (begins_with_reasoning(text) && closer_end(text, 0) == 0) {
        return why_set(why, ERR_INVALID, "the answer ends within its reasoning");
    }
    return extract_from(cut_reasoning(text), want, json_out, partial_out, why);
}
