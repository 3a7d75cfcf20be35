/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * llm/listen.c: from a scene and a conversation to flags and facts.
 *
 * Words are looked for, sentences are not parsed: in Chinese that would take a
 * dictionary, and a wrong guess reads worse than a general answer. The order of
 * classes in the grammar decides between several that match, so the file can
 * put what must not be missed first.
 */
#include "llm/listen.h"

#include "base/utf8.h"

enum {
    SPOKEN_BYTES_MAX = 64 * 1024, /* remembered of a conversation, the newest first */
    MESSAGE_BYTES_MAX = 4 * 1024, /* looked at of one message */
    EARLIER_MAX = 6,              /* messages back in which a theme is looked for */
    NAME_BACK_MAX = 100,          /* … and somebody's name */
};

bool listen_counts(const struct llm_message *message)
{
    return (message->role == LLM_USER || message->role == LLM_ASSISTANT) && message->text.len > 0 &&
           utf8_valid(message->text);
}

struct str listen_small(struct arena *arena, struct str text)
{
    char *copy = arena_alloc(arena, text.len + 1);
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        copy[i] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
    }
    return (struct str){copy, text.len};
}

/* The beginning of a message, cut between code points. */
static struct str opening(struct str text)
{
    if (text.len <= MESSAGE_BYTES_MAX) return text;
    return str_head(text, utf8_floor(text.at, MESSAGE_BYTES_MAX));
}

/* ---- Words ---- */

static bool is_word_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool stands_alone(struct str text, size_t at, size_t len)
{
    bool before = at == 0 || !is_word_byte(text.at[at - 1]) || !is_word_byte(text.at[at]);
    size_t end = at + len;
    bool after = end == text.len || !is_word_byte(text.at[end]) || !is_word_byte(text.at[end - 1]);
    return before && after;
}

static struct str without_end_marks(struct str text)
{
    static const char *const marks[] = {"?", "!", ".", "~", " ", "？", "！", "。", "～", "…"};
    for (size_t i = 0; i < COUNT_OF(marks); i++) {
        if (!str_ends(text, str_of(marks[i]))) continue;
        text.len -= strlen(marks[i]);
        i = SIZE_MAX; /* from the first again */
    }
    return text;
}

static bool at_its_end(struct str text, size_t at, const struct word *word)
{
    struct str trimmed = without_end_marks(str_trim(text));
    const char *start = text.at + at, *end = start + word->text.len;
    return (!word->at_start || start == trimmed.at) &&
           (!word->at_end || end == trimmed.at + trimmed.len);
}

size_t listen_find(struct str text, const struct word *word)
{
    size_t from = 0;
    while (from < text.len) {
        size_t at = from + str_find(str_from(text, from), word->text);
        if (at >= text.len) return text.len;
        bool fits = (!word->whole || stands_alone(text, at, word->text.len)) &&
                    ((!word->at_start && !word->at_end) || at_its_end(text, at, word));
        if (fits) return at;
        from = at + 1;
    }
    return text.len;
}

/* Does one of the words stand in `small`? `*found_out` is then its place there. */
static bool class_matches(const struct word_class *words, struct str small, struct str *found_out)
{
    for (unsigned i = 0; i < words->count; i++) {
        size_t at = listen_find(small, &words->words[i]);
        if (at == small.len) continue;
        *found_out = str_head(str_from(small, at), words->words[i].text.len);
        return true;
    }
    return false;
}

/* The first class of that kind, as the file orders them. NULL: none. */
static const struct word_class *first_class(const struct grammar *grammar, enum kind kind,
                                            struct str small, struct str *found_out)
{
    if (small.len == 0) return NULL;
    for (unsigned i = 0; i < grammar->class_count; i++) {
        const struct word_class *words = &grammar->classes[i];
        if (words->kind == kind && class_matches(words, small, found_out)) return words;
    }
    return NULL;
}

/* Does a word of the class "skip NAME" stand in `small`? */
static bool skips(const struct grammar *grammar, struct str name, struct str small)
{
    unsigned flag;
    struct str found;
    if (!grammar_flag(grammar, KIND_SKIP, name, &flag)) return false;
    for (unsigned i = 0; i < grammar->class_count; i++) {
        const struct word_class *words = &grammar->classes[i];
        if (words->flag == flag && class_matches(words, small, &found)) return true;
    }
    return false;
}

/* ---- Language ---- */

static bool is_han(uint32_t point)
{
    return (point >= 0x4E00 && point <= 0x9FFF) || (point >= 0x3400 && point <= 0x4DBF) ||
           (point >= 0x20000 && point <= 0x3134F);
}

static bool has_han(struct str text)
{
    while (text.len > 0) {
        if (is_han(utf8_next(&text))) return true;
    }
    return false;
}

/*
 * Chinese characters against words of letters: "Rust 的 borrow checker 是什么" is Chinese.
 * Japanese mixes kana in, and is better answered in English than in Chinese.
 */
static bool guess_language(struct str text, enum language *language_out)
{
    size_t han = 0, words = 0, kana = 0;
    bool in_word = false;
    while (text.len > 0) {
        uint32_t point = utf8_next(&text);
        bool letter = (point | 32) >= 'a' && (point | 32) <= 'z';
        letter = letter || (point >= 0xC0 && point <= 0x24F);
        words += letter && !in_word;
        han += is_han(point);
        kana += point >= 0x3041 && point <= 0x30FF;
        in_word = letter;
    }
    if (han + words == 0) return false;
    *language_out = han > 0 && han >= words && kana == 0 ? LANGUAGE_ZH : LANGUAGE_EN;
    return true;
}

static enum language choose_language(const struct offline_request *request,
                                     const struct llm_scene *scene)
{
    enum language language = LANGUAGE_EN;
    if (str_starts(scene->language, STR("zh"))) return LANGUAGE_ZH;
    if (str_starts(scene->language, STR("en"))) return LANGUAGE_EN;
    for (int role = LLM_USER; role <= LLM_ASSISTANT; role++) { /* others first */
        for (size_t i = request->count; i > 0; i--) {
            const struct llm_message *message = &request->messages[i - 1];
            if ((int)message->role != role || !listen_counts(message)) continue;
            if (guess_language(opening(message->text), &language)) return language;
        }
    }
    const struct str hints[] = {scene->topic, scene->place, scene->occupation, scene->name};
    for (size_t i = 0; i < COUNT_OF(hints); i++) {
        if (utf8_valid(hints[i]) && guess_language(hints[i], &language)) return language;
    }
    return language;
}

/* ---- Facts ---- */

/* Words of the other language inside a sentence: names and topics may, the rest may not. */
static bool fits_language(enum language language, enum fact fact, struct str text)
{
    if (fact == FACT_NAME || fact == FACT_PARTNER || fact == FACT_CALLER) return true;
    if (language == LANGUAGE_EN) return !has_han(text);
    bool any = fact == FACT_TOPIC || fact == FACT_HEARD || fact == FACT_EARLIER;
    return any || has_han(text);
}

static void set_fact(struct heard *heard, enum fact fact, struct str text)
{
    struct why why;
    struct str trimmed;
    if (text.len > MESSAGE_BYTES_MAX ||
        text_check(fact_names[fact], text, 1, fact_points_max[fact], &trimmed, &why) != OK) {
        return;
    }
    static const char forbidden[] = "\r\n\t{}<>[]`";
    for (const char *c = forbidden; *c; c++) {
        if (str_find_byte(trimmed, *c) < trimmed.len) return;
    }
    if (fits_language(heard->language, fact, trimmed)) heard->facts[fact] = trimmed;
}

/* One of "outgoing, helpful，热心". */
static void set_trait(struct heard *heard, struct str traits, struct rng *rng)
{
    unsigned seen = 0;
    struct heard one = *heard;
    while (traits.len > 0 && traits.len < MESSAGE_BYTES_MAX) {
        size_t end = str_find_byte(traits, ',');
        static const char *const commas[] = {"，", "、", "；", ";"};
        for (size_t i = 0; i < COUNT_OF(commas); i++) {
            end = MIN(end, str_find(traits, str_of(commas[i])));
        }
        one.facts[FACT_TRAIT] = STR("");
        set_fact(&one, FACT_TRAIT, str_head(traits, end));
        bool chosen = one.facts[FACT_TRAIT].len > 0 && rng_below(rng, ++seen) == 0;
        if (chosen) heard->facts[FACT_TRAIT] = one.facts[FACT_TRAIT];
        traits = str_from(traits, end);
        if (traits.len > 0) utf8_next(&traits);
    }
}

/* Where a name ends that begins `text`: at most 4 characters of Chinese, or 2 words of letters. */
static struct str name_at_start(struct str text)
{
    struct str rest = text = str_trim(text);
    size_t han = 0, other = 0, end = 0;
    while (rest.len > 0) {
        uint32_t point = utf8_next(&rest);
        bool part = is_han(point) || point == '-' || (point < 128 && is_word_byte((char)point)) ||
                    (point >= 0xC0 && point <= 0x24F);
        if (!part) break;
        han += is_han(point);
        other += !is_han(point);
        end = text.len - rest.len;
    }
    bool plausible = (han > 0 && han <= 4 && other == 0) || (han == 0 && other > 1 && other <= 14);
    return plausible ? str_head(text, end) : STR("");
}

/* "my name is Ann", "我叫小王": the name, or nothing. */
static struct str introduced(struct arena *arena, const struct grammar *grammar, struct str text)
{
    struct str small = listen_small(arena, text), found;
    const struct word_class *words = first_class(grammar, KIND_INTRODUCES, small, &found);
    if (words == NULL) return STR("");
    size_t from = (size_t)(found.at - small.at) + found.len;
    struct str name = name_at_start(str_from(text, from));
    return skips(grammar, STR("name"), listen_small(arena, name)) ? STR("") : name;
}

/* What stands between two marks; empty: nothing does. */
static struct str between(struct str text, struct str open, struct str close)
{
    size_t at = str_find(text, open);
    if (at == text.len) return STR("");
    text = str_from(text, at + open.len);
    size_t end = str_find(text, close);
    return end < text.len ? str_head(text, end) : STR("");
}

/* ---- The conversation ---- */

struct listening {
    struct arena *arena;
    const struct grammar *grammar;
    const struct offline_request *request;
    struct heard *heard;
};

static const struct llm_message *last_of_others(const struct offline_request *request)
{
    for (size_t i = request->count; i > 0; i--) {
        const struct llm_message *message = &request->messages[i - 1];
        if (message->role == LLM_USER && listen_counts(message)) return message;
    }
    return NULL;
}

static void remember(struct listening *l)
{
    const struct offline_request *request = l->request;
    size_t first = request->count, bytes = 0;
    for (; first > 0; first--) {
        size_t len = MIN(request->messages[first - 1].text.len, (size_t)MESSAGE_BYTES_MAX) + 1;
        if (bytes + len > SPOKEN_BYTES_MAX) break;
        bytes += len;
    }
    char *spoken = arena_alloc(l->arena, bytes + 1), *own = arena_alloc(l->arena, bytes + 1);
    struct str *all = &l->heard->spoken, *mine = &l->heard->own;
    *all = (struct str){spoken, 0};
    *mine = (struct str){own, 0};
    for (size_t i = first; i < request->count; i++) {
        if (!listen_counts(&request->messages[i])) continue;
        struct str text = opening(request->messages[i].text);
        memcpy(spoken + all->len, text.at, text.len);
        all->len += text.len;
        spoken[all->len++] = '\n';
        if (request->messages[i].role != LLM_ASSISTANT) continue;
        memcpy(own + mine->len, text.at, text.len);
        mine->len += text.len;
        own[mine->len++] = '\n';
    }
}

/* The theme of a text: its flag, and the word in the writer's own letters as a fact. */
static const struct word_class *find_theme(struct listening *l, struct str text, enum fact fact)
{
    struct str small = listen_small(l->arena, text), found;
    const struct word_class *theme = first_class(l->grammar, KIND_THEME, small, &found);
    if (theme != NULL && !skips(l->grammar, STR("bare"), found)) {
        size_t at = (size_t)(found.at - small.at);
        set_fact(l->heard, fact, str_head(str_from(text, at), found.len));
    }
    return theme;
}

/* Something that happened, each as likely as the others. */
static struct str choose_event(struct listening *l, struct rng *rng)
{
    struct str chosen = STR("");
    unsigned seen = 0;
    for (size_t i = 0; i < l->request->count; i++) {
        const struct llm_message *message = &l->request->messages[i];
        if (message->role != LLM_USER || !listen_counts(message)) continue;
        struct heard one = {.language = l->heard->language};
        set_fact(&one, FACT_EVENT, without_end_marks(str_trim(opening(message->text))));
        if (one.facts[FACT_EVENT].len > 0 && rng_below(rng, ++seen) == 0) {
            chosen = one.facts[FACT_EVENT];
        }
    }
    return chosen;
}

static void hear_themes(struct listening *l, const struct llm_scene *scene, struct str last)
{
    const struct word_class *theme = NULL;
    bool talks = l->heard->task == LLM_TASK_CHAT || l->heard->task == LLM_TASK_REPLY ||
                 l->heard->task == LLM_TASK_COMMENT;
    if (talks) theme = find_theme(l, last, FACT_HEARD);
    if (theme == NULL && utf8_valid(scene->topic)) {
        theme = find_theme(l, opening(scene->topic), FACT_HEARD);
    }
    if (theme == NULL && !talks) theme = find_theme(l, last, FACT_HEARD);
    size_t looked = 0;
    for (size_t i = l->request->count; i > 0 && looked < EARLIER_MAX; i--) {
        const struct llm_message *message = &l->request->messages[i - 1];
        if (message->role != LLM_USER || !listen_counts(message)) continue;
        if (looked++ == 0) continue; /* the last one */
        const struct word_class *before = find_theme(l, opening(message->text), FACT_EARLIER);
        if (before == NULL || before == theme) {
            l->heard->facts[FACT_EARLIER] = STR("");
            continue;
        }
        break;
    }
    if (theme != NULL) flags_set(&l->heard->flags, theme->flag);
}

static void hear_last(struct listening *l, struct str last)
{
    struct str small = listen_small(l->arena, last), found;
    static const enum kind kinds[] = {KIND_HEARS, KIND_ASKS};
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        const struct word_class *words = first_class(l->grammar, kinds[i], small, &found);
        if (words != NULL) flags_set(&l->heard->flags, words->flag);
    }
    set_fact(l->heard, FACT_CALLER, introduced(l->arena, l->grammar, last));
    bool chinese = l->heard->language == LANGUAGE_ZH;
    set_fact(l->heard, FACT_TITLE,
             chinese ? between(last, STR("《"), STR("》")) : between(last, STR("\""), STR("\"")));
}

/* Somebody who gave a name some time ago is still called by it. */
static void recall_name(struct listening *l)
{
    size_t count = l->request->count, last = count > NAME_BACK_MAX ? count - NAME_BACK_MAX : 0;
    for (size_t i = count; i > last && l->heard->facts[FACT_PARTNER].len == 0; i--) {
        const struct llm_message *message = &l->request->messages[i - 1];
        if (message->role != LLM_USER || !listen_counts(message)) continue;
        struct str name = introduced(l->arena, l->grammar, opening(message->text));
        set_fact(l->heard, FACT_PARTNER, name);
    }
}

/* ---- The scene ---- */

static void set_by_name(struct listening *l, enum kind kind, struct str name)
{
    unsigned flag;
    if (grammar_flag(l->grammar, kind, name, &flag)) flags_set(&l->heard->flags, flag);
}

/* Every class of that kind with a word in `text`. */
static void set_by_words(struct listening *l, enum kind kind, struct str text)
{
    struct str found;
    if (!utf8_valid(text)) return;
    struct str small = listen_small(l->arena, opening(text));
    for (unsigned i = 0; i < l->grammar->class_count && small.len > 0; i++) {
        const struct word_class *words = &l->grammar->classes[i];
        if (words->kind != kind || !class_matches(words, small, &found)) continue;
        flags_set(&l->heard->flags, words->flag);
        if (kind == KIND_AT) return; /* one is in one place */
    }
}

static struct str time_of(int hour)
{
    if (hour < 0 || hour > 23) return STR("none");
    if (hour < 5 || hour >= 23) return STR("night");
    if (hour < 11) return STR("morning");
    if (hour < 14) return STR("noon");
    return hour < 18 ? STR("afternoon") : STR("evening");
}

static void see_scene(struct listening *l, const struct llm_scene *scene, struct rng *rng)
{
    struct heard *heard = l->heard;
    const struct {
        enum fact fact;
        struct str text;
    } facts[] = {
        {FACT_NAME, scene->name},   {FACT_PARTNER, scene->partner},
        {FACT_PLACE, scene->place}, {FACT_OCCUPATION, scene->occupation},
        {FACT_TOPIC, scene->topic},
    };
    for (size_t i = 0; i < COUNT_OF(facts); i++) set_fact(heard, facts[i].fact, facts[i].text);
    if (utf8_valid(scene->traits)) set_trait(heard, scene->traits, rng);
    set_by_name(l, KIND_MOOD, scene->mood);
    set_by_name(l, KIND_WEATHER, scene->weather);
    set_by_name(l, KIND_TIME, time_of(scene->hour));
    set_by_name(l, KIND_TASK, str_of(task_names[heard->task]));
    set_by_words(l, KIND_JOB, scene->occupation);
    set_by_words(l, KIND_TRAIT, scene->traits);
    bool at_home = scene->name.len > 0 && str_starts(scene->place, scene->name);
    set_by_words(l, KIND_AT, at_home ? STR("home") : scene->place); /* "小明的家" */
}

static void see_turn(struct listening *l)
{
    size_t turns = 0;
    for (size_t i = 0; i < l->request->count; i++) {
        turns += l->request->messages[i].role == LLM_ASSISTANT;
    }
    set_by_name(l, KIND_TURN,
                turns == 0   ? STR("first")
                : turns == 1 ? STR("second")
                             : STR("later"));
}

/* said=SYMBOL: one of its ways stands in what the speaker said, in whatever language. */
static bool was_said(const struct grammar *grammar, struct str name, struct str own)
{
    for (unsigned l = 0; l < LANGUAGE_COUNT && own.len > 0; l++) {
        const struct symbol *symbol = grammar_symbol(grammar, (enum language)l, name);
        for (unsigned w = symbol ? symbol->first : 0; w > 0; w = grammar->ways[w - 1].next) {
            struct str mark = grammar->ways[w - 1].mark;
            if (mark.len > 0 && str_find(own, mark) < own.len) return true;
        }
    }
    return false;
}

/* Flags that follow from others: known facts, things said, and NAME=none. */
static void conclude(struct listening *l)
{
    const struct grammar *grammar = l->grammar;
    for (unsigned fact = 0; fact < FACT_COUNT; fact++) {
        if (l->heard->facts[fact].len > 0) set_by_name(l, KIND_KNOWS, str_of(fact_names[fact]));
    }
    bool any[KIND_COUNT] = {false};
    for (unsigned i = 0; i < grammar->flag_count; i++) {
        const struct flag *flag = &grammar->flags[i];
        if (flag->kind == KIND_SAID && was_said(grammar, flag->name, l->heard->own)) {
            flags_set(&l->heard->flags, i);
        }
        any[flag->kind] = any[flag->kind] || flags_has(&l->heard->flags, i);
    }
    for (unsigned kind = 0; kind < KIND_COUNT; kind++) {
        if (!any[kind]) set_by_name(l, (enum kind)kind, STR("none"));
    }
}

void listen_to(struct arena *arena, const struct grammar *grammar,
               const struct offline_request *request, struct rng *rng, struct heard *heard_out)
{
    static const struct llm_scene nothing = {.task = LLM_TASK_CHAT, .hour = -1};
    const struct llm_scene *scene = request->scene ? request->scene : &nothing;
    struct listening l = {arena, grammar, request, heard_out};
    *heard_out = (struct heard){.task = scene->task, .language = choose_language(request, scene)};
    const struct llm_message *message = last_of_others(request);
    struct str last = message ? opening(message->text) : STR("");
    see_scene(&l, scene, rng);
    if (heard_out->task == LLM_TASK_REFLECT) {
        set_fact(heard_out, FACT_EVENT, choose_event(&l, rng));
        last = heard_out->facts[FACT_EVENT];
    }
    remember(&l);
    hear_last(&l, last);
    hear_themes(&l, scene, last);
    recall_name(&l);
    see_turn(&l);
    conclude(&l);
}
