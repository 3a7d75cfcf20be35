/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * llm/offline.c: from what was understood to a text.
 *
 * A symbol is said in one of the ways whose conditions hold, drawn by weight;
 * a condition doubles a way's weight, so what fits the moment is preferred over
 * what always fits. Ways that already stand in the conversation are left out
 * while there are others, and the whole is written again, up to TRIES times,
 * until none of its sentences was said before. Nothing is kept between calls:
 * all memory is the conversation itself.
 *
 * The order of everything drawn depends on the file, the request and the seed
 * only: no addresses, no map, no floating point.
 */
#include "llm/offline.h"

#include "base/embedded.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/utf8.h"
#include "llm/listen.h"
#include "llm/tokens.h"

static const char grammar_path[] = "src/llm/offline.grammar";

enum {
    TRIES = 24,
    TEXT_BYTES_MAX = 4 * 1200, /* the longest task; the grammar is held to it */
    DOUBLINGS_MAX = 4,         /* conditions that count for the weight */
    TITLE_POINTS_MAX = 40,
    TITLE_POINTS_MIN = 4,      /* a sentence this short does not name a conversation alone */
    PIECE_CHARACTERS_MAX = 32, /* of a word without blanks: an address, a script we do not know */
};

struct offline {
    struct grammar *grammar; /* owned */
};

enum err offline_read(struct str text, const char *name, struct offline **out, struct why *why)
{
    struct grammar *grammar = NULL;
    enum err err = grammar_parse(text, name, &grammar, why);
    if (err) return err;
    *out = NEW(struct offline);
    (*out)->grammar = grammar;
    return OK;
}

enum err offline_open(struct offline **out, struct why *why)
{
    const struct embedded_file *file = embedded_files;
    while (file->path != NULL && strcmp(file->path, grammar_path) != 0) file++;
    ASSERT(file->path != NULL);
    struct str text = {file->at, (size_t)(file->end - file->at)};
    return offline_read(text, grammar_path, out, why);
}

void offline_free(struct offline *offline)
{
    if (offline == NULL) return;
    grammar_free(offline->grammar);
    mem_free(offline);
}

/* ---- Hashes: the same everywhere, which map_hash is not (FNV-1a) ---- */

static uint64_t mix(uint64_t hash, struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        hash = (hash ^ (unsigned char)s.at[i]) * UINT64_C(0x100000001B3);
    }
    return (hash ^ s.len) * UINT64_C(0x100000001B3);
}

static const uint64_t mix_start = UINT64_C(0xCBF29CE484222325);

/* Two residents with the same seed do not say the same. */
static uint64_t request_hash(const struct offline_request *request)
{
    uint64_t hash = mix_start;
    for (size_t i = 0; i < request->count; i++) hash = mix(hash, request->messages[i].text);
    const struct llm_scene *scene = request->scene;
    if (scene == NULL) return hash;
    const struct str texts[] = {scene->name, scene->partner, scene->occupation, scene->traits,
                                scene->mood, scene->place,   scene->topic,      scene->weather};
    for (size_t i = 0; i < COUNT_OF(texts); i++) hash = mix(hash, texts[i]);
    return hash ^ (uint64_t)(unsigned)scene->hour ^ (uint64_t)scene->task << 8;
}

/* ---- Sentences, to know them again ---- */

/* Bytes of the mark at `at` that ends a sentence; 0: there is none. */
static size_t end_mark(struct str s, size_t at)
{
    static const char *const wide[] = {"。", "！", "？", "…", "；"};
    char c = s.at[at];
    if (c == '\n') return 1;
    if (c == '!' || c == '?') return 1;
    if (c == '.') return at + 1 == s.len || s.at[at + 1] == ' ' || s.at[at + 1] == '\n';
    if ((unsigned char)c < 0x80) return 0;
    for (size_t i = 0; i < COUNT_OF(wide); i++) {
        if (str_starts(str_from(s, at), str_of(wide[i]))) return strlen(wide[i]);
    }
    return 0;
}

static bool next_sentence(struct str *rest, struct str *sentence_out)
{
    while (rest->len > 0) {
        size_t at = 0, mark = 0;
        while (at < rest->len && (mark = end_mark(*rest, at)) == 0) at++;
        *sentence_out = str_trim(str_head(*rest, at));
        *rest = str_from(*rest, at + mark);
        if (sentence_out->len > 0) return true;
    }
    return false;
}

struct sentences {
    uint64_t *hashes;
    size_t count;
};

static struct sentences sentences_of(struct arena *arena, struct str text)
{
    struct sentences found = {0};
    struct str rest = text, sentence;
    while (next_sentence(&rest, &sentence)) found.count++;
    found.hashes = ARENA_ARRAY(arena, uint64_t, found.count);
    rest = text;
    for (size_t i = 0; next_sentence(&rest, &sentence); i++) {
        found.hashes[i] = mix(mix_start, sentence);
    }
    return found;
}

static size_t count_repeated(const struct sentences *said, struct str text)
{
    size_t repeated = 0;
    struct str sentence;
    while (next_sentence(&text, &sentence)) {
        uint64_t hash = mix(mix_start, sentence);
        size_t i = 0;
        while (i < said->count && said->hashes[i] != hash) i++;
        repeated += i < said->count;
    }
    return repeated;
}

/* ---- Saying a symbol ---- */

enum answer { UNKNOWN, YES, NO };

struct speech {
    const struct grammar *grammar;
    const struct heard *heard;
    struct rng rng;
    uint8_t *can_say;  /* symbols: enum answer */
    uint8_t *was_said; /* ways: enum answer */
    bool *taken;       /* ways used in this try */
    struct buf text;   /* as it is put together */
};

static bool holds(const struct condition *condition, const struct flags *flags)
{
    for (unsigned i = 0; i < condition->count; i++) {
        if (flags_has(flags, condition->flags[i])) return !condition->negated;
    }
    return condition->negated;
}

static bool can_say(struct speech *speech, unsigned symbol);

static bool fits(struct speech *speech, const struct way *way)
{
    for (unsigned i = 0; i < way->condition_count; i++) {
        if (!holds(&way->conditions[i], &speech->heard->flags)) return false;
    }
    for (unsigned i = 0; i < way->piece_count; i++) {
        const struct piece *piece = &way->pieces[i];
        if (piece->optional || piece->kind == PIECE_TEXT) continue;
        bool known = piece->kind == PIECE_FACT ? speech->heard->facts[piece->index].len > 0
                                               : can_say(speech, piece->index);
        if (!known) return false;
    }
    return true;
}

static bool can_say(struct speech *speech, unsigned symbol)
{
    const struct grammar *grammar = speech->grammar;
    if (speech->can_say[symbol] != UNKNOWN) return speech->can_say[symbol] == YES;
    bool can = false;
    for (unsigned w = grammar->symbols[symbol].first; w > 0 && !can;
         w = grammar->ways[w - 1].next) {
        can = fits(speech, &grammar->ways[w - 1]);
    }
    speech->can_say[symbol] = can ? YES : NO;
    return can;
}

static bool was_said(struct speech *speech, unsigned way)
{
    if (speech->was_said[way] == UNKNOWN) {
        struct str mark = speech->grammar->ways[way].mark, spoken = speech->heard->spoken;
        bool said = mark.len > 0 && str_find(spoken, mark) < spoken.len;
        speech->was_said[way] = said ? YES : NO;
    }
    return speech->was_said[way] == YES;
}

/* How willing to take a repeated way; the first that leaves a choice decides. */
enum strictness { FRESH, UNTAKEN, ANY, LAST_RESORT, STRICTNESS_COUNT };

static uint32_t weight_of(struct speech *speech, unsigned index, enum strictness strictness)
{
    const struct way *way = &speech->grammar->ways[index];
    if (strictness == LAST_RESORT) return way->weight == 0 && fits(speech, way);
    if (way->weight == 0 || !fits(speech, way)) return 0;
    if (strictness < ANY && speech->taken[index]) return 0;
    if (strictness == FRESH && was_said(speech, index)) return 0;
    return way->weight << MIN(way->condition_count, (unsigned)DOUBLINGS_MAX);
}

/* One of the ways that have a weight, or NULL. */
static const struct way *draw_from(struct speech *speech, const struct symbol *symbol,
                                   enum strictness strictness)
{
    const struct way *ways = speech->grammar->ways;
    uint32_t total = 0;
    for (unsigned w = symbol->first; w > 0; w = ways[w - 1].next) {
        total += weight_of(speech, w - 1, strictness);
    }
    uint32_t at = total > 0 ? rng_below(&speech->rng, total) : 0;
    for (unsigned w = symbol->first; w > 0 && total > 0; w = ways[w - 1].next) {
        uint32_t weight = weight_of(speech, w - 1, strictness);
        if (at < weight) {
            speech->taken[w - 1] = true;
            return &ways[w - 1];
        }
        at -= weight;
    }
    return NULL;
}

static const struct way *draw(struct speech *speech, const struct symbol *symbol)
{
    const struct way *way = NULL;
    for (unsigned strictness = FRESH; strictness < STRICTNESS_COUNT && way == NULL; strictness++) {
        way = draw_from(speech, symbol, (enum strictness)strictness);
    }
    ASSERT(way != NULL); /* whoever asks has seen that the symbol can be said */
    return way;
}

static void say(struct speech *speech, unsigned symbol)
{
    const struct way *way = draw(speech, &speech->grammar->symbols[symbol]);
    for (unsigned i = 0; i < way->piece_count; i++) {
        const struct piece *piece = &way->pieces[i];
        switch (piece->kind) {
        case PIECE_TEXT: buf_add_str(&speech->text, piece->text); break;
        case PIECE_FACT: buf_add_str(&speech->text, speech->heard->facts[piece->index]); break;
        case PIECE_SYMBOL:
            if (can_say(speech, piece->index)) say(speech, piece->index);
            break;
        }
    }
}

/* ---- Putting a text in order ---- */

static bool closes(char c)
{
    return c == ',' || c == '.' || c == '!' || c == '?' || c == ';' || c == ':';
}

/* One blank where slots left several, none before marks; sentences begin with a capital. */
static void tidy(struct str text, struct buf *out)
{
    bool blank = false, begins = true;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        if (c == ' ') {
            blank = true;
            continue;
        }
        bool at_line_start = out->len == 0 || out->at[out->len - 1] == '\n';
        if (blank && !at_line_start && c != '\n' && !closes(c)) buf_add_byte(out, ' ');
        char last = out->len > 0 ? out->at[out->len - 1] : '\n';
        if (last == '\n') begins = true;
        if (begins && c >= 'a' && c <= 'z') c = (char)(c - 32);
        begins = false;
        buf_add_byte(out, c);
        bool ends = c == '!' || c == '?' || (c == '.' && last != '.'); /* "..." does not */
        if (ends && i + 1 < text.len && text.at[i + 1] == ' ') begins = true;
        blank = false;
    }
}

/* The best of up to TRIES texts: the first without a repeated sentence, or with the fewest. */
static void compose(struct arena *arena, const struct grammar *grammar, const struct heard *heard,
                    struct rng rng, struct buf *best)
{
    struct speech speech = {
        .grammar = grammar,
        .heard = heard,
        .rng = rng,
        .can_say = arena_alloc(arena, grammar->symbol_count),
        .was_said = arena_alloc(arena, grammar->way_count),
        .taken = ARENA_ARRAY(arena, bool, grammar->way_count),
    };
    struct sentences said = sentences_of(arena, heard->spoken);
    struct buf tidied;
    size_t fewest = SIZE_MAX;
    buf_init(&speech.text, TEXT_BYTES_MAX);
    buf_init(&tidied, TEXT_BYTES_MAX);
    for (unsigned i = 0; i < TRIES && fewest > 0; i++) {
        buf_reset(&speech.text, SIZE_MAX);
        buf_reset(&tidied, SIZE_MAX);
        memset(speech.taken, 0, grammar->way_count * sizeof(bool));
        say(&speech, grammar->starts[heard->language][heard->task]);
        tidy(buf_str(&speech.text), &tidied);
        ASSERT(!tidied.failed && !speech.text.failed && tidied.len > 0);
        size_t repeated = count_repeated(&said, buf_str(&tidied));
        if (repeated >= fewest) continue;
        fewest = repeated;
        buf_reset(best, SIZE_MAX);
        buf_add_str(best, buf_str(&tidied));
    }
    buf_release(&speech.text);
    buf_release(&tidied);
}

/* ---- Titles: the person's own words ---- */

static bool is_gap(uint32_t point)
{
    return point <= ' ' || point == ',' || point == '.' || point == '!' || point == '?' ||
           point == ':' || point == ';' || point == '~' || point == 0x3002 || point == 0x3000 ||
           (point >= 0xFF01 && point <= 0xFF1F) || point == 0x3001 || point == 0x2026;
}

static struct str without_gaps(struct str text)
{
    struct str rest = text;
    while (rest.len > 0) {
        text = rest;
        if (!is_gap(utf8_next(&rest))) break;
        text = rest;
    }
    while (text.len > 0) {
        size_t last = utf8_floor(text.at, text.len - 1);
        struct str end = str_from(text, last);
        if (!is_gap(utf8_next(&end))) break;
        text.len = last;
    }
    return text;
}

/* "你好，请问 …", "hi, could you …": what people say before they ask. */
static struct str without_politeness(struct arena *arena, const struct grammar *grammar,
                                     struct str text)
{
    unsigned flag;
    bool again = grammar_flag(grammar, KIND_SKIP, STR("title"), &flag);
    while (again) {
        again = false;
        text = without_gaps(text);
        struct str small = listen_small(arena, text);
        for (unsigned i = 0; i < grammar->class_count; i++) {
            const struct word_class *words = &grammar->classes[i];
            for (unsigned w = 0; w < words->count && words->flag == flag && !again; w++) {
                struct word word = words->words[w];
                word.at_start = true;
                if (listen_find(small, &word) != 0) continue;
                text = str_from(text, word.text.len);
                again = word.text.len > 0 && text.len > 0;
                if (text.len == 0) return text;
            }
        }
    }
    return without_gaps(text);
}

/* As much of the beginning as makes a name: sentences until there is enough. */
static struct str first_words(struct str text)
{
    size_t at = 0;
    while (at < text.len) {
        size_t mark = end_mark(text, at);
        if (mark > 0 && utf8_count(str_head(text, at)) >= TITLE_POINTS_MIN) break;
        at++;
    }
    return without_gaps(str_head(text, at));
}

/* Add at most TITLE_POINTS_MAX code points; line ends and the like become blanks. */
static void add_title(struct str text, struct buf *out)
{
    bool whole = utf8_count(text) <= TITLE_POINTS_MAX;
    size_t at = 0, points = 0, blank_at = 0;
    while (at < text.len) {
        size_t end = utf8_character_end(text, at);
        struct str character = {text.at + at, end - at};
        points += utf8_count(character);
        if (points > (size_t)TITLE_POINTS_MAX - !whole) break;
        bool blank = (unsigned char)text.at[at] <= ' ' || text.at[at] == 0x7F;
        if (blank) blank_at = out->len;
        if (!blank)
            buf_add_str(out, character);
        else if (out->len > 0 && out->at[out->len - 1] != ' ')
            buf_add_byte(out, ' ');
        at = end;
    }
    if (whole || out->len == 0) return;
    bool in_word = (unsigned char)text.at[at] < 0x80 && text.at[at] > ' ';
    if (in_word && blank_at > out->len / 2) out->len = blank_at;
    struct str kept = without_gaps(buf_str(out));
    out->len = (size_t)(kept.at + kept.len - out->at);
    buf_add_str(out, STR("…"));
}

/* False: nobody has asked anything that could name the conversation. */
static bool write_title(struct arena *arena, const struct grammar *grammar,
                        const struct offline_request *request, struct buf *out)
{
    for (size_t i = 0; i < request->count; i++) {
        const struct llm_message *message = &request->messages[i];
        if (message->role != LLM_USER || !listen_counts(message)) continue;
        struct str text = str_head(message->text, 4000);
        text.len = text.len < message->text.len ? utf8_floor(message->text.at, text.len) : text.len;
        text = first_words(without_politeness(arena, grammar, text));
        add_title(text, out);
        if (out->len == 0) continue;
        if (out->at[0] >= 'a' && out->at[0] <= 'z') out->at[0] = (char)(out->at[0] - 32);
        return true;
    }
    return false;
}

/* ---- The door ---- */

void offline_write(const struct offline *offline, const struct offline_request *request,
                   struct buf *text_out)
{
    struct arena arena = {0};
    struct heard heard = {.task = LLM_TASK_CHAT};
    struct rng rng;
    struct buf text;
    buf_init(&text, TEXT_BYTES_MAX);
    rng_init(&rng, request->seed, request_hash(request));
    bool titled = request->scene && request->scene->task == LLM_TASK_TITLE &&
                  write_title(&arena, offline->grammar, request, &text);
    if (!titled) {
        listen_to(&arena, offline->grammar, request, &rng, &heard);
        compose(&arena, offline->grammar, &heard, rng, &text);
    }
    buf_add_str(text_out, buf_str(&text));
    buf_release(&text);
    arena_release(&arena);
}

/* ---- Streaming ---- */

enum script { SCRIPT_BLANK, SCRIPT_WORD, SCRIPT_DENSE };

/* Chinese, Japanese, Korean and full-width marks, and pictures: written without blanks. */
static enum script script_at(struct str text, size_t at)
{
    unsigned char c = (unsigned char)text.at[at];
    if (c <= ' ') return SCRIPT_BLANK;
    if (c == 0xF0) return SCRIPT_DENSE;              /* U+10000 and on */
    if (c >= 0xE3 && c <= 0xED) return SCRIPT_DENSE; /* U+3000 to U+D7FF */
    if (c == 0xEF && at + 1 < text.len && (unsigned char)text.at[at + 1] >= 0xBC) {
        return SCRIPT_DENSE; /* U+FF00 and on */
    }
    return SCRIPT_WORD;
}

static size_t skip_blanks(struct str text, size_t at)
{
    while (at < text.len && script_at(text, at) == SCRIPT_BLANK) {
        at = utf8_character_end(text, at);
    }
    return at;
}

size_t offline_next_piece(struct str text, size_t at)
{
    at = skip_blanks(text, at);
    if (at >= text.len) return text.len;
    enum script script = script_at(text, at);
    size_t most = script == SCRIPT_DENSE ? 2 : PIECE_CHARACTERS_MAX;
    for (size_t i = 0; i < most && at < text.len && script_at(text, at) == script; i++) {
        at = utf8_character_end(text, at);
    }
    return skip_blanks(text, at);
}

size_t offline_limit(struct str text, const struct str *stops, size_t stop_count,
                     int64_t max_tokens, bool *length_out)
{
    for (size_t i = 0; i < stop_count; i++) {
        if (stops[i].len > 0) text.len = str_find(text, stops[i]);
    }
    size_t end = text.len;
    if (max_tokens > 0 && tokens_estimate(text) > (uint64_t)max_tokens) {
        end = offline_next_piece(text, 0);
        for (size_t next = end; tokens_estimate(str_head(text, next)) <= (uint64_t)max_tokens;) {
            end = next;
            next = offline_next_piece(text, end);
        }
    }
    *length_out = end < text.len;
    return end;
}
