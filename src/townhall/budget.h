/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * townhall/budget.h: what models may cost the town in a day (UTC), in tokens
 * (setting town-model-tokens: decisions and conversations) and in money
 * (town-model-money: all that the town asks, with the prices of llm-prices).
 *
 * What a call may take is reserved before it is made, and what it took is counted
 * when it is over, so a budget is passed by what estimates were off at most. It goes to the store
 * with the town's next step, at most five seconds later, into a row of the day (town_spending): a
 * restart, another instance and a new town go on from there. kill -9 forgets at
 * most what had not been stored.
 *
 * A model without a price cannot be counted: it is refused at start, and one
 * that turns up later (a site that names its model only when it is asked) ends
 * the day's asking. The offline engine costs nothing.
 *
 * Lives on one thread, but for budget_check().
 */
#pragma once

#include "base/settings.h"
#include "llm/llm.h"
#include "store/db.h"

struct budget;

/* Of the setting town-model-money alone. ERR_INVALID: it is no amount. */
MUST_USE enum err budget_vet(const struct settings *settings, struct why *why);
/* Whether every model the town may ask has a price, where it has to have one. ERR_INVALID names
 * the first that has none. Any thread. */
MUST_USE enum err budget_check(const struct settings *settings, struct llm *llm, struct why *why);

/* As budget_check(). `settings` and `llm` must stay. Free with budget_free(). */
MUST_USE enum err budget_open(const struct settings *settings, struct llm *llm,
                              struct budget **budget_out, struct why *why);
/* The same amounts for a run of a town without a community, however many days of ours that takes:
 * nothing is stored. Call budget_check() once before. */
struct budget *budget_open_run(const struct settings *settings, struct llm *llm);
void budget_free(struct budget *budget); /* NULL is fine */

/* Take over what the store has of today; what is not stored yet comes on top. */
MUST_USE enum err budget_load(struct budget *budget, struct db *db, struct why *why);
/* In a transaction: store what is not stored yet. Once it is committed: budget_saved(). */
MUST_USE enum err budget_save(const struct budget *budget, struct db *db, struct why *why);
void budget_saved(struct budget *budget);

enum budget_state { BUDGET_LEFT, BUDGET_TOKENS_SPENT, BUDGET_MONEY_SPENT, BUDGET_NO_PRICE };
/* Of today; the gravest of them. */
enum budget_state budget_state(struct budget *budget);
/* For people: "the day's money is used up"; "" while there is something left. */
const char *budget_state_text(enum budget_state state);
/* Whether decisions and conversations may be asked for; words for posts, comments and messages. */
bool budget_for_minds(struct budget *budget);
bool budget_for_words(struct budget *budget);

enum budget_purse { PURSE_MINDS, PURSE_WORDS };
/* `usage` of a call that `site` and `model` answered. Below 0: nobody knows, counts nothing. */
void budget_spend(struct budget *budget, enum budget_purse purse, const struct llm_usage *usage,
                  struct str site, struct str model);
/* The same of a call that was cancelled: the standard model was asked. */
void budget_spend_cancelled(struct budget *budget, enum budget_purse purse,
                            const struct llm_usage *usage);

/* In millionths, at the prices of llm-prices. False: that model has none. */
bool budget_price(const struct budget *budget, uint64_t input, uint64_t output, struct str site,
                  struct str model, uint64_t *micro_out);
/* Of whom the town asks; in `arena`, or it lives longer. Empty: that site has named none yet. */
struct str budget_standard_model(const struct budget *budget, struct arena *arena);
/* What somebody else has counted already. */
void budget_note(struct budget *budget, enum budget_purse purse, uint64_t tokens, uint64_t micro);

/*
 * What a call may take, before it is made: so much is reserved until it is let go of, when the call
 * is over and what it took is spent. False: there is not so much left; the rules decide, or the
 * offline engine finds the words. When nothing else was reserved, the budget is used up then.
 *
 * The estimate is our count of what is asked, all the tokens an answer may have, and where JSON is
 * wanted, the second round that mends an answer which is none (llm/ask.h).
 */
struct budget_hold {
    uint64_t tokens, micro;
};
bool budget_reserve(struct budget *budget, enum budget_purse purse,
                    const struct llm_request *request, struct budget_hold *hold_out);
/* Zeroed afterwards; zeroed is fine. */
void budget_let_go(struct budget *budget, struct budget_hold *hold);

/* Of today. Money in millionths; `most` 0: no limit. */
struct budget_figures {
    uint64_t tokens, tokens_most, micro, micro_most;
};
struct budget_figures budget_figures(struct budget *budget);
