/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * llm/grammar.h: the data file of the offline engine, read and judged.
 *
 * A grammar is a set of symbols ("post", in Chinese), each with the ways of
 * saying it. A way is text with slots and has conditions; a condition asks for
 * one of some flags ("mood=happy"). Words that are listened for in what others
 * say set flags too. The form of the file is explained at its own top
 * (offline.grammar).
 *
 * What is accepted keeps these promises, so that whoever writes from it need
 * not think of them: every slot leads somewhere and never back to itself;
 * every symbol is used; every task has, in every language, something to say
 * whatever the scene; no text of a task can be longer than the task allows.
 *
 * Private to the offline engine; open data, immutable once read.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "llm/message.h"

enum language { LANGUAGE_ZH, LANGUAGE_EN, LANGUAGE_COUNT };
enum { TASK_COUNT = LLM_TASK_TITLE + 1 };

/* What a slot {=NAME} can be filled with: pieces of the scene or of what was said. */
enum fact {
    FACT_NAME,       /* who speaks */
    FACT_PARTNER,    /* to whom */
    FACT_PLACE,      /* where */
    FACT_TOPIC,      /* about what */
    FACT_OCCUPATION, /* of who speaks */
    FACT_TRAIT,      /* one of those of who speaks */
    FACT_HEARD,      /* the word in the last message that made its theme */
    FACT_EARLIER,    /* the same of a message before, about something else */
    FACT_CALLER,     /* the name somebody gave for themselves */
    FACT_TITLE,      /* of a book, a song: what stood in 《》 */
    FACT_EVENT,      /* something that happened, one of the messages */
    FACT_COUNT
};

enum { GRAMMAR_FLAGS_MAX = 512 };

struct flags {
    uint64_t bits[GRAMMAR_FLAGS_MAX / 64];
};

static inline void flags_set(struct flags *flags, unsigned flag)
{
    flags->bits[flag / 64] |= UINT64_C(1) << flag % 64;
}

static inline bool flags_has(const struct flags *flags, unsigned flag)
{
    return flags->bits[flag / 64] >> flag % 64 & 1;
}

enum piece_kind { PIECE_TEXT, PIECE_FACT, PIECE_SYMBOL };

struct piece {
    enum piece_kind kind;
    bool optional;   /* {?…}: left out when nothing fits */
    unsigned index;  /* of the fact or symbol */
    struct str text; /* itself, or the slot's name */
};

/* Holds when one of the flags is set; negated: when none is. */
struct condition {
    bool negated;
    unsigned count;
    const uint16_t *flags;
};

/* One way of saying a symbol. */
struct way {
    unsigned line;
    unsigned weight; /* 0: only when no other way fits */
    unsigned condition_count, piece_count;
    const struct condition *conditions;
    const struct piece *pieces;
    struct str mark; /* its longest piece of text: how to know it again in what was said */
    unsigned next;   /* way of the same symbol, index + 1; 0: the last */
};

struct symbol {
    enum language language;
    struct str name;
    unsigned line;
    unsigned first, last;     /* of its ways, index + 1 */
    size_t shortest, longest; /* in code points */
    bool sure;                /* has something to say in every scene */
    bool used;                /* a task leads here */
    enum { UNSEEN, OPEN, CLOSED } walk;
};

/* A word to listen for. */
struct word {
    struct str text; /* ASCII letters are small */
    bool at_start, at_end;
    bool whole; /* only between blanks and punctuation: scripts with blanks */
};

struct word_class {
    unsigned kind, flag;
    unsigned count;
    struct word *words; /* owned */
};

struct flag {
    unsigned kind;
    struct str name;
};

struct grammar {
    struct arena arena; /* texts, conditions and pieces */
    struct way *ways;   /* owned, as are the next two */
    struct symbol *symbols;
    struct word_class *classes;
    unsigned way_count, symbol_count, class_count, flag_count;
    struct flag flags[GRAMMAR_FLAGS_MAX];
    unsigned starts[LANGUAGE_COUNT][TASK_COUNT]; /* symbols */
};

/* Kinds of flags. From KIND_HEARS on the file says which there are and what words set them. */
enum kind {
    KIND_MOOD,
    KIND_WEATHER,
    KIND_TIME,
    KIND_TURN,
    KIND_KNOWS, /* a fact */
    KIND_TASK,
    KIND_SAID, /* a symbol: a way of saying it stands in the conversation */
    KIND_HEARS,
    KIND_ASKS,
    KIND_THEME,
    KIND_JOB,
    KIND_TRAIT,
    KIND_AT,
    KIND_SKIP,       /* what titles and names leave out; never a condition */
    KIND_INTRODUCES, /* what comes before a name; never a condition */
    KIND_COUNT
};

extern const char *const language_names[LANGUAGE_COUNT];
extern const char *const task_names[TASK_COUNT];
extern const char *const fact_names[FACT_COUNT];
/* The most code points of a text for each task, and of a fact in it. */
extern const size_t task_points_max[TASK_COUNT];
extern const size_t fact_points_max[FACT_COUNT];

/*
 * Read a grammar; `name` is said in errors ("NAME:LINE: …"). Keeps nothing of
 * `text`. ERR_INVALID: the text breaks a rule; nothing was kept.
 */
MUST_USE enum err grammar_parse(struct str text, const char *name, struct grammar **out,
                                struct why *why);
void grammar_free(struct grammar *grammar);

/* The flag of that kind and name; false: there is none. */
bool grammar_flag(const struct grammar *grammar, enum kind kind, struct str name,
                  unsigned *flag_out);
/* The symbol of that name in that language; NULL: there is none. */
const struct symbol *grammar_symbol(const struct grammar *grammar, enum language language,
                                    struct str name);
