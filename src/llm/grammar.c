/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * llm/grammar.c: the reader of offline.grammar.
 *
 * First every line for itself (classes of words, heads, ways), then the whole:
 * slots are tied to symbols and a walk from the tasks down finds circles,
 * symbols nobody uses, and how short and long each can become. People write
 * this file, so each complaint names its line and what was expected there.
 */
#include "llm/grammar.h"

#include <stdarg.h>

#include "base/mem.h"
#include "base/utf8.h"

enum {
    PIECES_MAX = 32,    /* slots and texts of one way */
    CONDITIONS_MAX = 8, /* of one way */
    CHOICES_MAX = 24,   /* a|b|c in one condition */
    WEIGHT_MAX = 99,
    DEPTH_MAX = 16,        /* slots in slots */
    POINTS_MANY = 1 << 20, /* more than any task allows: counting further could overflow */
};

const char *const language_names[LANGUAGE_COUNT] = {"zh", "en"};
const char *const task_names[TASK_COUNT] = {
    [LLM_TASK_CHAT] = "chat",   [LLM_TASK_REPLY] = "reply",     [LLM_TASK_GREET] = "greet",
    [LLM_TASK_POST] = "post",   [LLM_TASK_COMMENT] = "comment", [LLM_TASK_REFLECT] = "reflect",
    [LLM_TASK_TITLE] = "title",
};
const size_t task_points_max[TASK_COUNT] = {
    [LLM_TASK_CHAT] = 1200, [LLM_TASK_REPLY] = 300,   [LLM_TASK_GREET] = 300,
    [LLM_TASK_POST] = 500,  [LLM_TASK_COMMENT] = 200, [LLM_TASK_REFLECT] = 400,
    [LLM_TASK_TITLE] = 40,
};
const char *const fact_names[FACT_COUNT] = {"name",       "partner", "place", "topic",
                                            "occupation", "trait",   "heard", "earlier",
                                            "caller",     "title",   "event"};
const size_t fact_points_max[FACT_COUNT] = {24, 24, 24, 24, 24, 24, 24, 24, 16, 24, 60};

/* What the engine itself knows of each kind; NULL: the file says it. */
static const struct {
    const char *name, *values;
    bool is_class;
} kinds[KIND_COUNT] = {
    [KIND_MOOD] = {"mood", "happy,sad,angry,anxious,calm,excited,tired,lonely", false},
    [KIND_WEATHER] = {"weather", "sunny,cloudy,rainy,stormy,snowy,windy,foggy", false},
    [KIND_TIME] = {"time", "morning,noon,afternoon,evening,night", false},
    [KIND_TURN] = {"turn", "first,second,later", false},
    [KIND_KNOWS] = {"knows",
                    "name,partner,place,topic,occupation,trait,heard,earlier,caller,title,event",
                    false},
    [KIND_TASK] = {"task", "chat,reply,greet,post,comment,reflect,title", false},
    [KIND_SAID] = {"said", NULL, false},
    [KIND_HEARS] = {"hears", NULL, true},
    [KIND_ASKS] = {"asks", NULL, true},
    [KIND_THEME] = {"theme", NULL, true},
    [KIND_JOB] = {"job", NULL, true},
    [KIND_TRAIT] = {"trait", NULL, true},
    [KIND_AT] = {"at", NULL, true},
    [KIND_SKIP] = {"skip", NULL, true},
    [KIND_INTRODUCES] = {"introduces", NULL, true},
};

struct parse {
    struct grammar *grammar;
    const char *name;
    unsigned line;
    unsigned head;  /* symbol under which we are, index + 1 */
    unsigned depth; /* of the walk */
    struct why *why;
};

static enum err PRINTF_LIKE(3, 4)
    complain(const struct parse *p, unsigned line, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    /* Words of the file may be cut in two above; why_set cuts between code points. */
    return why_set(p->why, ERR_INVALID, "%s:%u: %s", p->name, line, text);
}

/* Room for one more in an owned array; a power of two is when it is full. */
static void *grown(void *items, size_t count, size_t item_bytes)
{
    bool full = (count & (count - 1)) == 0;
    return full ? mem_resize(items, MAX(count * 2, (size_t)1) * item_bytes) : items;
}

static bool is_word(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.at[i];
        bool fine = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_';
        if (!fine) return false;
    }
    return s.len > 0;
}

static bool find_kind(struct str name, unsigned *kind_out)
{
    for (unsigned i = 0; i < KIND_COUNT; i++) {
        if (!str_eq(name, str_of(kinds[i].name))) continue;
        *kind_out = i;
        return true;
    }
    return false;
}

bool grammar_flag(const struct grammar *grammar, enum kind kind, struct str name,
                  unsigned *flag_out)
{
    for (unsigned i = 0; i < grammar->flag_count; i++) {
        if (grammar->flags[i].kind != kind || !str_eq(grammar->flags[i].name, name)) continue;
        *flag_out = i;
        return true;
    }
    return false;
}

const struct symbol *grammar_symbol(const struct grammar *grammar, enum language language,
                                    struct str name)
{
    for (unsigned i = 0; i < grammar->symbol_count; i++) {
        const struct symbol *symbol = &grammar->symbols[i];
        if (symbol->language == language && str_eq(symbol->name, name)) return symbol;
    }
    return NULL;
}

static enum err add_flag(struct parse *p, unsigned kind, struct str name, unsigned *flag_out)
{
    struct grammar *grammar = p->grammar;
    if (grammar_flag(grammar, kind, name, flag_out)) return OK;
    if (grammar->flag_count == GRAMMAR_FLAGS_MAX) {
        return complain(p, p->line, "more than %d different conditions", GRAMMAR_FLAGS_MAX);
    }
    *flag_out = grammar->flag_count++;
    grammar->flags[*flag_out] = (struct flag){kind, name};
    return OK;
}

static enum err add_own_flags(struct parse *p)
{
    unsigned flag;
    for (unsigned kind = 0; kind < KIND_COUNT; kind++) {
        struct str rest = str_of(kinds[kind].values), name;
        while (str_split(&rest, ',', &name)) {
            enum err err = add_flag(p, kind, name, &flag);
            if (err) return err;
        }
        enum err err = add_flag(p, kind, STR("none"), &flag);
        if (err) return err;
    }
    return OK;
}

/* ---- Classes: theme coffee = 咖啡, latte ---- */

static struct word_class *class_for(struct grammar *grammar, unsigned kind, unsigned flag)
{
    for (unsigned i = 0; i < grammar->class_count; i++) {
        if (grammar->classes[i].flag == flag) return &grammar->classes[i];
    }
    grammar->classes = grown(grammar->classes, grammar->class_count, sizeof(grammar->classes[0]));
    struct word_class *found = &grammar->classes[grammar->class_count++];
    *found = (struct word_class){.kind = kind, .flag = flag};
    return found;
}

static void add_word(struct grammar *grammar, struct word_class *to, struct str text)
{
    struct word word = {.text = text};
    if (str_starts(word.text, STR("^"))) {
        word.at_start = true;
        word.text = str_from(word.text, 1);
    }
    if (word.text.len > 1 && str_ends(word.text, STR("$"))) {
        word.at_end = true;
        word.text.len--;
    }
    char *copy = arena_alloc(&grammar->arena, word.text.len + 1);
    for (size_t i = 0; i < word.text.len; i++) {
        char c = word.text.at[i];
        copy[i] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
        word.whole = word.whole || (copy[i] >= 'a' && copy[i] <= 'z');
    }
    word.text.at = copy;
    to->words = grown(to->words, to->count, sizeof(to->words[0]));
    to->words[to->count++] = word;
}

static enum err parse_class(struct parse *p, struct str line)
{
    size_t equals = str_find_byte(line, '=');
    struct str head = str_trim(str_head(line, equals)), rest = str_from(line, equals + 1), word;
    size_t blank = str_find_byte(head, ' ');
    struct str name = str_trim(str_from(head, blank));
    unsigned kind, flag;
    if (!find_kind(str_head(head, blank), &kind) || !kinds[kind].is_class) {
        return complain(p, p->line,
                        "expected hears, asks, theme, job, trait, at, skip or "
                        "introduces before a name and =, not \"%.*s\"",
                        STR_ARGS(head));
    }
    if (!is_word(name) || str_eq(name, STR("none"))) {
        return complain(p, p->line,
                        "expected a name of small letters between \"%s\" and =", kinds[kind].name);
    }
    enum err err = add_flag(p, kind, name, &flag);
    if (err) return err;
    struct word_class *to = class_for(p->grammar, kind, flag);
    while (str_split(&rest, ',', &word)) {
        word = str_trim(word);
        if (word.len == 0 || str_eq(word, STR("^")) || str_eq(word, STR("$"))) {
            return complain(p, p->line, "expected words with one comma between them after =");
        }
        add_word(p->grammar, to, word);
    }
    return OK;
}

/* ---- Heads: zh post ---- */

static bool find_language(struct str name, enum language *language_out)
{
    for (unsigned i = 0; i < LANGUAGE_COUNT; i++) {
        if (!str_eq(name, str_of(language_names[i]))) continue;
        *language_out = (enum language)i;
        return true;
    }
    return false;
}

static enum err parse_head(struct parse *p, struct str line)
{
    struct grammar *grammar = p->grammar;
    size_t blank = str_find_byte(line, ' ');
    struct str name = str_trim(str_from(line, blank));
    enum language language;
    if (!find_language(str_head(line, blank), &language) || !is_word(name)) {
        return complain(p, p->line,
                        "expected a head such as \"zh post\" or \"en post\" (and blanks before a "
                        "way of saying it), not \"%.*s\"",
                        STR_ARGS(line));
    }
    const struct symbol *found = grammar_symbol(grammar, language, name);
    if (found) {
        p->head = (unsigned)(found - grammar->symbols) + 1;
        return OK;
    }
    grammar->symbols = grown(grammar->symbols, grammar->symbol_count, sizeof(grammar->symbols[0]));
    grammar->symbols[grammar->symbol_count++] =
        (struct symbol){.language = language, .name = name, .line = p->line};
    p->head = grammar->symbol_count;
    return OK;
}

/* ---- Ways: [mood=happy|calm *2] text with {slots} ---- */

static enum err parse_condition(struct parse *p, struct str text, struct condition *out)
{
    struct str whole = text, name;
    *out = (struct condition){.negated = str_starts(text, STR("!"))};
    text = str_from(text, out->negated ? 1 : 0);
    size_t equals = str_find_byte(text, '=');
    unsigned kind, flag;
    if (equals == text.len || !find_kind(str_head(text, equals), &kind) || kind == KIND_SKIP ||
        kind == KIND_INTRODUCES) {
        return complain(p, p->line,
                        "expected a condition such as mood=happy, !time=night or a "
                        "weight such as *3, not \"%.*s\"",
                        STR_ARGS(whole));
    }
    uint16_t *flags = ARENA_ARRAY(&p->grammar->arena, uint16_t, CHOICES_MAX);
    struct str rest = str_from(text, equals + 1);
    while (str_split(&rest, '|', &name)) {
        if (out->count == CHOICES_MAX) {
            return complain(p, p->line, "more than %d names in one condition", CHOICES_MAX);
        }
        if (kind == KIND_SAID && is_word(name)) {
            enum err err = add_flag(p, kind, name, &flag);
            if (err) return err;
        } else if (!grammar_flag(p->grammar, kind, name, &flag)) {
            return complain(p, p->line, "nothing is known as \"%.*s\" for %s=", STR_ARGS(name),
                            kinds[kind].name);
        }
        flags[out->count++] = (uint16_t)flag;
    }
    out->flags = flags;
    return OK;
}

static enum err parse_weight(struct parse *p, struct str text, unsigned *weight_out)
{
    uint64_t weight;
    if (!str_to_u64(str_from(text, 1), &weight) || weight > WEIGHT_MAX) {
        return complain(p, p->line, "expected a weight from *0 to *%d, not \"%.*s\"", WEIGHT_MAX,
                        STR_ARGS(text));
    }
    *weight_out = (unsigned)weight;
    return OK;
}

static enum err parse_conditions(struct parse *p, struct str text, struct way *way)
{
    struct condition found[CONDITIONS_MAX];
    struct str word;
    while (str_split(&text, ' ', &word)) {
        if (word.len == 0) continue;
        enum err err;
        if (word.at[0] == '*') {
            err = parse_weight(p, word, &way->weight);
        } else if (way->condition_count == CONDITIONS_MAX) {
            err = complain(p, p->line, "more than %d conditions", CONDITIONS_MAX);
        } else {
            err = parse_condition(p, word, &found[way->condition_count++]);
        }
        if (err) return err;
    }
    struct condition *kept =
        ARENA_ARRAY(&p->grammar->arena, struct condition, way->condition_count);
    if (way->condition_count > 0) memcpy(kept, found, way->condition_count * sizeof(found[0]));
    way->conditions = kept;
    return OK;
}

static enum err parse_slot(struct parse *p, struct str slot, struct piece *piece)
{
    *piece = (struct piece){.kind = PIECE_SYMBOL, .text = slot};
    if (str_starts(piece->text, STR("?"))) {
        piece->optional = true;
        piece->text = str_from(piece->text, 1);
    }
    if (!str_starts(piece->text, STR("="))) {
        if (is_word(piece->text)) return OK; /* tied to its symbol when all are known */
        return complain(p, p->line, "expected {symbol}, {?symbol} or {=fact}, not {%.*s}",
                        STR_ARGS(slot));
    }
    piece->kind = PIECE_FACT;
    piece->text = str_from(piece->text, 1);
    for (piece->index = 0; piece->index < FACT_COUNT; piece->index++) {
        if (str_eq(piece->text, str_of(fact_names[piece->index]))) return OK;
    }
    return complain(p, p->line, "there is no fact {=%.*s}", STR_ARGS(piece->text));
}

/* Text up to a slot, with \n made a line end. */
static struct piece text_piece(struct arena *arena, struct str text)
{
    char *to = arena_alloc(arena, text.len + 1);
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        bool line_end = text.at[i] == '\\' && i + 1 < text.len && text.at[i + 1] == 'n';
        to[len++] = line_end ? '\n' : text.at[i];
        i += line_end;
    }
    return (struct piece){.kind = PIECE_TEXT, .text = {to, len}};
}

static enum err parse_text(struct parse *p, struct str text, struct way *way)
{
    struct piece found[PIECES_MAX];
    unsigned count = 0;
    while (text.len > 0) {
        if (count == PIECES_MAX) return complain(p, p->line, "more than %d slots", PIECES_MAX / 2);
        size_t open = str_find_byte(text, '{'), close = str_find_byte(text, '}');
        if (open == 0) {
            if (close == text.len) return complain(p, p->line, "expected } after {");
            enum err err = parse_slot(p, str_head(str_from(text, 1), close - 1), &found[count++]);
            if (err) return err;
            text = str_from(text, close + 1);
            continue;
        }
        if (close < open) return complain(p, p->line, "expected { before }");
        struct piece piece = text_piece(&p->grammar->arena, str_head(text, open));
        if (piece.text.len > way->mark.len) way->mark = piece.text;
        found[count++] = piece;
        text = str_from(text, open);
    }
    struct piece *kept = ARENA_ARRAY(&p->grammar->arena, struct piece, count);
    if (count > 0) memcpy(kept, found, count * sizeof(found[0]));
    way->pieces = kept;
    way->piece_count = count;
    return OK;
}

static enum err parse_way(struct parse *p, struct str line)
{
    struct grammar *grammar = p->grammar;
    struct way way = {.line = p->line, .weight = 1};
    if (p->head == 0) {
        return complain(p, p->line,
                        "expected a head such as \"zh post\" before this way of "
                        "saying something");
    }
    if (line.at[0] == '[') {
        size_t close = str_find_byte(line, ']');
        if (close == line.len) return complain(p, p->line, "expected ] after [");
        enum err err = parse_conditions(p, str_head(str_from(line, 1), close - 1), &way);
        if (err) return err;
        line = str_trim(str_from(line, close + 1));
    }
    if (line.len == 0) return complain(p, p->line, "expected text, or - for saying nothing");
    if (str_eq(line, STR("-"))) line = STR("");
    enum err err = parse_text(p, line, &way);
    if (err) return err;
    way.mark = str_trim(way.mark);
    grammar->ways = grown(grammar->ways, grammar->way_count, sizeof(grammar->ways[0]));
    grammar->ways[grammar->way_count++] = way;
    struct symbol *symbol = &grammar->symbols[p->head - 1];
    if (symbol->last > 0) grammar->ways[symbol->last - 1].next = grammar->way_count;
    if (symbol->first == 0) symbol->first = grammar->way_count;
    symbol->last = grammar->way_count;
    return OK;
}

static enum err parse_line(struct parse *p, struct str line)
{
    struct str text = str_trim(line);
    if (text.len == 0 || text.at[0] == '#') return OK;
    if (line.at[0] == ' ' || line.at[0] == '\t') return parse_way(p, text);
    return str_find_byte(text, '=') < text.len ? parse_class(p, text) : parse_head(p, text);
}

/* ---- The whole ---- */

static enum err tie_slots(struct parse *p, const struct symbol *symbol)
{
    struct grammar *grammar = p->grammar;
    for (unsigned w = symbol->first; w > 0; w = grammar->ways[w - 1].next) {
        struct way *way = &grammar->ways[w - 1];
        struct piece *pieces = ARENA_ARRAY(&grammar->arena, struct piece, way->piece_count);
        for (unsigned i = 0; i < way->piece_count; i++) {
            pieces[i] = way->pieces[i];
            if (pieces[i].kind != PIECE_SYMBOL) continue;
            const struct symbol *to = grammar_symbol(grammar, symbol->language, pieces[i].text);
            if (to == NULL) {
                return complain(p, way->line, "nothing says {%.*s}: expected a head \"%s %.*s\"",
                                STR_ARGS(pieces[i].text), language_names[symbol->language],
                                STR_ARGS(pieces[i].text));
            }
            pieces[i].index = (unsigned)(to - grammar->symbols);
        }
        way->pieces = pieces;
    }
    return OK;
}

static enum err walk_symbol(struct parse *p, struct symbol *symbol);

static enum err walk_way(struct parse *p, const struct way *way, struct symbol *symbol)
{
    size_t shortest = 0, longest = 0;
    bool sure = way->condition_count == 0;
    for (unsigned i = 0; i < way->piece_count; i++) {
        const struct piece *piece = &way->pieces[i];
        if (piece->kind == PIECE_TEXT) {
            size_t points = utf8_count(piece->text);
            shortest += points;
            longest += points;
        } else if (piece->kind == PIECE_FACT) {
            shortest += piece->optional ? 0 : 1;
            longest += fact_points_max[piece->index];
            sure = sure && piece->optional;
        } else {
            struct symbol *to = &p->grammar->symbols[piece->index];
            if (to->walk == OPEN) {
                return complain(p, way->line, "{%.*s} would say itself without end",
                                STR_ARGS(piece->text));
            }
            enum err err = walk_symbol(p, to);
            if (err) return err;
            shortest += piece->optional ? 0 : to->shortest;
            longest += to->longest;
            sure = sure && (piece->optional || to->sure);
        }
    }
    symbol->shortest = MIN(symbol->shortest, shortest);
    symbol->longest = MAX(symbol->longest, MIN(longest, (size_t)POINTS_MANY));
    symbol->sure = symbol->sure || sure;
    return OK;
}

static enum err walk_symbol(struct parse *p, struct symbol *symbol)
{
    if (symbol->walk == CLOSED) return OK;
    symbol->walk = OPEN;
    symbol->used = true;
    symbol->shortest = SIZE_MAX;
    if (symbol->first == 0) {
        return complain(p, symbol->line, "expected ways of saying it below \"%s %.*s\"",
                        language_names[symbol->language], STR_ARGS(symbol->name));
    }
    if (++p->depth > DEPTH_MAX) {
        return complain(p, symbol->line, "slots within slots more than %d deep", DEPTH_MAX);
    }
    for (unsigned w = symbol->first; w > 0; w = p->grammar->ways[w - 1].next) {
        enum err err = walk_way(p, &p->grammar->ways[w - 1], symbol);
        if (err) return err;
    }
    p->depth--;
    symbol->walk = CLOSED;
    return OK;
}

static enum err walk_task(struct parse *p, enum language language, unsigned task)
{
    struct grammar *grammar = p->grammar;
    const struct symbol *found = grammar_symbol(grammar, language, str_of(task_names[task]));
    if (found == NULL) {
        return complain(p, p->line, "expected a head \"%s %s\" somewhere", language_names[language],
                        task_names[task]);
    }
    struct symbol *start = &grammar->symbols[found - grammar->symbols];
    grammar->starts[language][task] = (unsigned)(found - grammar->symbols);
    enum err err = walk_symbol(p, start);
    if (err) return err;
    if (!start->sure || start->shortest == 0) {
        return complain(p, start->line,
                        "\"%s %s\" may have nothing to say: expected a way without "
                        "conditions and facts, and none that is empty",
                        language_names[language], task_names[task]);
    }
    if (start->longest > task_points_max[task]) {
        return complain(p, start->line,
                        "\"%s %s\" can become %zu characters long, at most %zu "
                        "allowed",
                        language_names[language], task_names[task], start->longest,
                        task_points_max[task]);
    }
    return OK;
}

static bool said_somewhere(const struct grammar *grammar, struct str name)
{
    bool found = false;
    for (unsigned l = 0; l < LANGUAGE_COUNT; l++) {
        found = found || grammar_symbol(grammar, (enum language)l, name);
    }
    return found;
}

static enum err judge(struct parse *p)
{
    struct grammar *grammar = p->grammar;
    enum err err = OK;
    for (unsigned i = 0; i < grammar->symbol_count && !err; i++) {
        err = tie_slots(p, &grammar->symbols[i]);
    }
    for (unsigned i = 0; i < LANGUAGE_COUNT * TASK_COUNT && !err; i++) {
        err = walk_task(p, (enum language)(i / TASK_COUNT), i % TASK_COUNT);
    }
    for (unsigned i = 0; i < grammar->symbol_count && !err; i++) {
        const struct symbol *symbol = &grammar->symbols[i];
        if (symbol->used) continue;
        err = complain(p, symbol->line, "nobody uses \"%s %.*s\": expected a slot {%.*s} somewhere",
                       language_names[symbol->language], STR_ARGS(symbol->name),
                       STR_ARGS(symbol->name));
    }
    for (unsigned i = 0; i < grammar->flag_count && !err; i++) {
        struct str name = grammar->flags[i].name;
        if (grammar->flags[i].kind != KIND_SAID || str_eq(name, STR("none"))) continue;
        if (said_somewhere(grammar, name)) continue;
        err = complain(p, p->line, "said=%.*s: expected a head of that name", STR_ARGS(name));
    }
    return err;
}

enum err grammar_parse(struct str text, const char *name, struct grammar **out, struct why *why)
{
    struct grammar *grammar = NEW(struct grammar);
    struct parse p = {.grammar = grammar, .name = name, .why = why};
    if (!utf8_valid(text)) {
        grammar_free(grammar);
        return why_set(why, ERR_INVALID, "%s is not valid UTF-8", name);
    }
    struct str rest = arena_copy(&grammar->arena, text), line;
    enum err err = add_own_flags(&p);
    while (!err && str_split(&rest, '\n', &line)) {
        p.line++;
        err = parse_line(&p, line);
    }
    if (!err) err = judge(&p);
    if (err) {
        grammar_free(grammar);
        return err;
    }
    *out = grammar;
    return OK;
}

void grammar_free(struct grammar *grammar)
{
    if (grammar == NULL) return;
    for (unsigned i = 0; i < grammar->class_count; i++) mem_free(grammar->classes[i].words);
    mem_free(grammar->classes);
    mem_free(grammar->symbols);
    mem_free(grammar->ways);
    arena_release(&grammar->arena);
    mem_free(grammar);
}
