/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * townhall/mind_journal.h: what models decided in towns without a community, in a
 * file, so that a run can be lived again without them.
 *
 * One line of JSON a question: a key, who was asked in which minute, what came of it
 * (also that nothing did, and why), what it took, and what the model said. The key is
 * made of all that was asked and of who asked: the run's name and seed, the resident,
 * the number of its question. So it does not matter in which order lines stand, and
 * two runs, or two copies of a town, never take each other's answers.
 *
 * It is not the journal of llm/journal.h: what was called off, came too late, or was
 * not asked because the money was spent is none of its answers, and two towns that
 * ask the same would share its lines in the order in which threads came along.
 *
 * What the file has is answered from it, what it has not is added. A last line
 * without its end was being written when the program died: it is cut off. One
 * process at a time; any thread of it.
 */
#pragma once

#include "llm/journal.h"
#include "townhall/internal.h"

struct mind_journal;

/* What came of a question. */
struct mind_answer {
    struct decided decided;
    bool repaired;
    bool estimated; /* the tokens are our guess */
    bool priced;    /* `micro` is known */
    uint64_t input, output, micro;
};

/* `model`: who is asked; empty: nobody, and nothing is written. ERR_CONFLICT: the file has answers
 * of another one. ERR_CORRUPT names the line. ERR_BUSY: another process writes it. */
MUST_USE enum err mind_journal_open(const char *path, struct str model,
                                    struct mind_journal **journal_out, struct why *why);
void mind_journal_close(struct mind_journal *journal); /* NULL is fine */
size_t mind_journal_count(const struct mind_journal *journal);
/* Whose answers these are; good as long as the journal. */
struct str mind_journal_model(const struct mind_journal *journal);

/* `options`: of the decision; 0: the plan of a day was asked for. False: it has none. */
bool mind_journal_find(struct mind_journal *journal, const char *key, uint32_t options,
                       struct mind_answer *answer_out);

struct mind_line {
    const char *key;
    uint32_t who;
    int32_t at;
    const struct mind_answer *answer;
    struct str site, model, said;
};
/* Appended at once. ERR_IO: the disk is full … */
MUST_USE enum err mind_journal_add(struct mind_journal *journal, const struct mind_line *line,
                                   struct why *why);
