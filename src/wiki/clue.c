/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "wiki/clue.h"

#include "wiki/words.h"

enum { TOKENS_MAX = 64, MATCHES = 2 };

/* A word of the question. */
struct token {
    struct str word, stem; /* stem empty: the same */
    size_t parts;          /* parseConfig has two; 0 for most */
    bool there;            /* in the run that is looked at */
};

struct question {
    struct arena *arena;
    struct token tokens[TOKENS_MAX];
    size_t count;
    bool asks;   /* it is a question */
    bool behind; /* the last word was taken, and its stem or parts may follow */
};

static bool is_one_of(struct str word, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(word, str_of(words[i]))) return true;
    return false;
}

static bool is_asking(struct str word)
{
    static const char *const words[] = {"where", "how",  "what", "which",  "why",
                                        "who",   "when", "does", "explain"};
    return is_one_of(word, words, COUNT_OF(words));
}

/* What people say to each other whatever they talk about. */
static bool is_courtesy(struct str word)
{
    static const char *const words[] = {
        "hello", "hi",   "hey",  "good", "morning", "evening", "night", "today", "tomorrow",
        "thank", "nice", "day",  "feel", "怎么",    "什么",    "哪里",  "在哪",  "为什",
        "如何",  "今天", "明天", "你好", "早上",    "晚上",    "可以",  "知道",  "我们",
        "你们",  "请问", "一下", "现在", "时候",    "这个",    "那个"};
    return is_one_of(word, words, COUNT_OF(words));
}

static void take_token(void *ctx, struct str word, enum wiki_word kind)
{
    struct question *question = ctx;
    if (kind == (WIKI_WORD_WHOLE | WIKI_WORD_STEM) && question->behind) {
        struct token *last = &question->tokens[question->count - 1];
        last->stem = arena_copy(question->arena, word);
        if (is_courtesy(word)) question->count--;
        question->behind = false;
    }
    /* A Chinese character is a part of nothing that somebody has named. */
    if (kind == WIKI_WORD_PART && question->behind && !((unsigned char)word.at[0] & 0x80))
        question->tokens[question->count - 1].parts++;
    if (kind != WIKI_WORD_WHOLE) return;
    question->asks |= is_asking(word);
    question->behind = false;
    if (wiki_word_is_idle(word) || is_asking(word) || is_courtesy(word) || word.len < 2) return;
    for (size_t i = 0; i < question->count; i++)
        if (str_eq(question->tokens[i].word, word)) return;
    if (question->count == TOKENS_MAX) return;
    question->tokens[question->count++] =
        (struct token){.word = arena_copy(question->arena, word), .stem = STR("")};
    question->behind = true;
}

static bool has_mark_of_question(struct str text)
{
    static const char *const marks[] = {"?",    "？",   "哪", "什么", "怎么",
                                        "如何", "为何", "谁", "吗",   "多少"};
    for (size_t i = 0; i < COUNT_OF(marks); i++)
        if (str_find(text, str_of(marks[i])) < text.len) return true;
    return false;
}

static void note_word(void *ctx, struct str word, enum wiki_word kind)
{
    (void)kind;
    struct question *question = ctx;
    for (size_t i = 0; i < question->count; i++) {
        struct token *token = &question->tokens[i];
        token->there |= str_eq(token->word, word) || (token->stem.len && str_eq(token->stem, word));
    }
}

/* "class Store" is called "store", and "Brewing" is a heading of that name. */
static bool is_called(struct str symbol, struct str word)
{
    while (symbol.len > 0 && str_find_byte(symbol, ' ') < symbol.len)
        symbol = str_from(symbol, str_find_byte(symbol, ' ') + 1);
    return symbol.len > 0 && str_eq_nocase(symbol, word);
}

/* pot_pour, pourPot; utf8 and mp3 are not: people say them whatever they talk about. */
static bool is_identifier(const struct token *token)
{
    return token->parts > 1 || str_find_byte(token->word, '_') < token->word.len;
}

static bool is_sure(struct question *question, struct str run, struct str symbol)
{
    size_t matches = 0;
    for (size_t i = 0; i < question->count; i++) question->tokens[i].there = false;
    wiki_words(run, note_word, question);
    for (size_t i = 0; i < question->count; i++) {
        const struct token *token = &question->tokens[i];
        if (is_called(symbol, token->word)) return true;
        if (!token->there) continue;
        if (is_identifier(token)) return true;
        matches++;
    }
    return matches >= MATCHES;
}

void wiki_clue_judge(struct arena *arena, struct str text, struct wiki_clue *clue)
{
    struct question question = {.arena = arena};
    const struct wiki_context *context = &clue->context;
    clue->sure_count = 0;
    wiki_words(text, take_token, &question);
    if (!question.asks && !has_mark_of_question(text)) return;
    for (size_t i = 0, begin = 0; i < context->source_count; i++) {
        struct str run = str_from(str_head(context->text, context->ends[i]), begin);
        begin = context->ends[i];
        if (clue->sure_count == WIKI_SURE_MAX) return;
        if (is_sure(&question, run, context->sources[i].symbol))
            clue->sure[clue->sure_count++] = &context->sources[i];
    }
}

enum err wiki_clue_find(struct wiki_library *library, uint64_t wiki, struct arena *arena,
                        const struct wiki_context_want *want, struct wiki_clue *clue_out,
                        struct why *why)
{
    struct wiki_index *index;
    *clue_out = (struct wiki_clue){0};
    enum err err = wiki_library_borrow(library, wiki, &index, why);
    if (err) return err;
    err = wiki_context_gather(index, arena, want, &clue_out->context, why);
    wiki_library_return(library, wiki, index);
    if (!err) wiki_clue_judge(arena, want->question, clue_out);
    return err;
}
