/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "townhall/budget.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "llm/prices.h"
#include "llm/site.h"
#include "llm/tokens.h"
#include "store/towns.h"

struct budget {
    const struct settings *settings;
    struct llm *llm;
    struct prices *prices; /* owned; read-only */
    uint64_t micro_most;   /* 0: no limit */
    int64_t day;           /* the figures are of this one */
    uint64_t tokens, micro;
    uint64_t new_tokens, new_micro; /* of them: not stored yet */
    bool unpriced;                  /* somebody answered who has no price */
    bool of_run;                    /* there are no days */
    struct budget_hold held;        /* by calls that are under way */
    bool short_tokens, short_micro; /* what is left did not do for one call */
};

static int64_t today(void)
{
    return clock_wall_us() / (INT64_C(86400) * 1000000);
}

/* --- settings --- */

static enum err read_money(const struct settings *settings, uint64_t *micro_out, struct why *why)
{
    double amount = 0;
    struct str text = str_trim(settings->town_model_money);
    if (text.len > 0 && !prices_read_amount(text, &amount)) {
        return why_set(why, ERR_INVALID,
                       "setting town-model-money: \"%.*s\" is no amount; allowed: a number like 5 "
                       "or 0.25, in the unit of llm-prices; 0 is no limit",
                       STR_ARGS(str_head(text, 40)));
    }
    /* Whatever is above nothing is a limit, however small. */
    *micro_out = amount > 0 ? MAX((uint64_t)(amount * 1e6), (uint64_t)1) : 0;
    return OK;
}

enum err budget_vet(const struct settings *settings, struct why *why)
{
    uint64_t micro;
    return read_money(settings, &micro, why);
}

/* A site that names its model only when it is asked needs a price for any: SITE/. */
static enum err check_choice(const struct prices *prices, struct llm *llm,
                             const struct llm_choice *choice, struct why *why)
{
    uint64_t micro;
    if (!choice->place || llm_is_offline(choice->place)) return OK;
    struct arena arena = {0};
    struct str site = choice->place->site.name, model = choice->model;
    if (model.len == 0) model = llm_known_model(llm, choice->place, &arena);
    enum err err = OK;
    if (!prices_cost(prices, site, model, 0, 0, &micro)) {
        err =
            why_set(why, ERR_INVALID,
                    "setting town-model-money: there is no price for %.*s/%.*s, so what residents "
                    "spend cannot be counted; add %.*s/%.*s=IN/OUT to llm-prices, or leave "
                    "town-model-money empty",
                    STR_ARGS(site), STR_ARGS(model), STR_ARGS(site),
                    STR_ARGS(model.len ? model : STR("*")));
    }
    arena_release(&arena);
    return err;
}

static enum err check_prices(const struct prices *prices, struct llm *llm, struct why *why)
{
    enum err err = check_choice(prices, llm, &llm->standard, why);
    for (size_t i = 0; i < llm->fallback_count && !err; i++)
        err = check_choice(prices, llm, &llm->fallback[i], why);
    return err;
}

enum err budget_open(const struct settings *settings, struct llm *llm, struct budget **budget_out,
                     struct why *why)
{
    struct budget *budget = NEW(struct budget);
    *budget = (struct budget){.settings = settings, .llm = llm, .day = today()};
    enum err err = read_money(settings, &budget->micro_most, why);
    if (!err) err = prices_open(settings->llm_prices, &budget->prices, why);
    if (!err && budget->micro_most) err = check_prices(budget->prices, llm, why);
    if (err)
        budget_free(budget);
    else
        *budget_out = budget;
    return err;
}

struct budget *budget_open_run(const struct settings *settings, struct llm *llm)
{
    struct budget *budget = NEW(struct budget);
    struct why why;
    *budget = (struct budget){.settings = settings, .llm = llm, .of_run = true};
    enum err err = read_money(settings, &budget->micro_most, &why);
    if (!err) err = prices_open(settings->llm_prices, &budget->prices, &why);
    ASSERT(err == OK); /* budget_check() has seen the same settings */
    return budget;
}

enum err budget_check(const struct settings *settings, struct llm *llm, struct why *why)
{
    struct budget *budget;
    enum err err = budget_open(settings, llm, &budget, why);
    if (!err) budget_free(budget);
    return err;
}

void budget_free(struct budget *budget)
{
    if (!budget) return;
    prices_free(budget->prices);
    mem_free(budget);
}

/* --- days and the store --- */

/* A new day. What is not stored yet is the new day's then, here and in the store. */
static void turn_day(struct budget *budget)
{
    int64_t day = today();
    if (budget->of_run || budget->day == day) return;
    budget->day = day;
    budget->tokens = budget->new_tokens;
    budget->micro = budget->new_micro;
    budget->unpriced = budget->short_tokens = budget->short_micro = false;
}

enum err budget_load(struct budget *budget, struct db *db, struct why *why)
{
    struct town_spending spent;
    turn_day(budget);
    enum err err = town_spending_load(db, budget->day, &spent, why);
    if (err) return err;
    budget->tokens = spent.tokens + budget->new_tokens;
    budget->micro = spent.cost_micro + budget->new_micro;
    return OK;
}

enum err budget_save(const struct budget *budget, struct db *db, struct why *why)
{
    struct town_spending more = {.tokens = budget->new_tokens, .cost_micro = budget->new_micro};
    if (more.tokens == 0 && more.cost_micro == 0) return OK;
    return town_spending_add(db, budget->day, &more, why);
}

void budget_saved(struct budget *budget)
{
    budget->new_tokens = budget->new_micro = 0;
}

/* --- spending --- */

static bool tokens_spent(const struct budget *budget)
{
    uint64_t most = (uint64_t)budget->settings->town_model_tokens;
    return most > 0 && (budget->tokens >= most || budget->short_tokens);
}

static bool money_spent(const struct budget *budget)
{
    return budget->micro_most && (budget->micro >= budget->micro_most || budget->short_micro);
}

enum budget_state budget_state(struct budget *budget)
{
    turn_day(budget);
    if (budget->micro_most && budget->unpriced) return BUDGET_NO_PRICE;
    if (money_spent(budget)) return BUDGET_MONEY_SPENT;
    return tokens_spent(budget) ? BUDGET_TOKENS_SPENT : BUDGET_LEFT;
}

const char *budget_state_text(enum budget_state state)
{
    switch (state) {
    case BUDGET_LEFT: return "";
    case BUDGET_TOKENS_SPENT: return "the day's tokens are used up";
    case BUDGET_MONEY_SPENT: return "the day's money is used up";
    case BUDGET_NO_PRICE: return "a model has answered that has no price in llm-prices";
    }
    return "";
}

bool budget_for_minds(struct budget *budget)
{
    return budget_state(budget) == BUDGET_LEFT;
}

bool budget_for_words(struct budget *budget)
{
    enum budget_state state = budget_state(budget);
    return state == BUDGET_LEFT || state == BUDGET_TOKENS_SPENT;
}

static void count_money(struct budget *budget, uint64_t input, uint64_t output, struct str site,
                        struct str model)
{
    const struct llm_place *place = llm_find_place(budget->llm, site);
    uint64_t micro = 0;
    if (input + output == 0 || (place && llm_is_offline(place))) return;
    bool priced = prices_cost(budget->prices, site, model, input, output, &micro);
    if (!priced && budget->micro_most && !budget->unpriced) {
        log_warn("town.no_price", "site=%.*s model=\"%.*s\" setting=llm-prices", STR_ARGS(site),
                 STR_ARGS(model));
    }
    budget->unpriced |= !priced;
    budget->micro += micro;
    budget->new_micro += micro;
}

void budget_spend(struct budget *budget, enum budget_purse purse, const struct llm_usage *usage,
                  struct str site, struct str model)
{
    enum budget_state before = budget_state(budget);
    uint64_t input = (uint64_t)MAX(usage->input, 0), output = (uint64_t)MAX(usage->output, 0);
    if (purse == PURSE_MINDS) {
        budget->tokens += input + output;
        budget->new_tokens += input + output;
    }
    count_money(budget, input, output, site, model);
    enum budget_state after = budget_state(budget);
    if (after != before && after != BUDGET_LEFT)
        log_info("town.budget", "reason=\"%s\"", budget_state_text(after));
}

bool budget_price(const struct budget *budget, uint64_t input, uint64_t output, struct str site,
                  struct str model, uint64_t *micro_out)
{
    const struct llm_place *place = llm_find_place(budget->llm, site);
    *micro_out = 0;
    return (place && llm_is_offline(place)) ||
           prices_cost(budget->prices, site, model, input, output, micro_out);
}

void budget_note(struct budget *budget, enum budget_purse purse, uint64_t tokens, uint64_t micro)
{
    turn_day(budget);
    if (purse == PURSE_MINDS) budget->tokens += tokens;
    budget->micro += micro;
}

struct str budget_standard_model(const struct budget *budget, struct arena *arena)
{
    const struct llm_choice *standard = &budget->llm->standard;
    return standard->model.len ? standard->model
                               : llm_known_model(budget->llm, standard->place, arena);
}

void budget_spend_cancelled(struct budget *budget, enum budget_purse purse,
                            const struct llm_usage *usage)
{
    const struct llm_choice *standard = &budget->llm->standard;
    struct arena arena = {0};
    budget_spend(budget, purse, usage, standard->place->site.name,
                 budget_standard_model(budget, &arena));
    arena_release(&arena);
}

/* --- reserving --- */

enum { MESSAGE_TOKENS = 4, FRAME_TOKENS = 3, MENDING_TOKENS = 64, ANSWER_TOKENS = 1024 };

struct estimate {
    uint64_t input, output;
};

static struct estimate estimate_of(const struct llm_request *request)
{
    struct estimate one = {.input = FRAME_TOKENS + tokens_estimate(request->schema),
                           .output = request->max_tokens > 0 ? (uint64_t)request->max_tokens
                                                             : ANSWER_TOKENS};
    for (size_t i = 0; i < request->message_count; i++)
        one.input += MESSAGE_TOKENS + tokens_estimate(request->messages[i].text);
    if (request->schema.len == 0) return one;
    /* The second round has the first and what was wrong with it in front. */
    return (struct estimate){.input = 2 * one.input + one.output + MENDING_TOKENS,
                             .output = 2 * one.output};
}

static bool is_room(uint64_t most, uint64_t spent, uint64_t held, uint64_t more)
{
    return most == 0 || spent + held + more <= most;
}

bool budget_reserve(struct budget *budget, enum budget_purse purse,
                    const struct llm_request *request, struct budget_hold *hold_out)
{
    struct arena arena = {0};
    struct estimate estimate = estimate_of(request);
    struct budget_hold hold = {.tokens =
                                   purse == PURSE_MINDS ? estimate.input + estimate.output : 0};
    (void)budget_price(budget, estimate.input, estimate.output,
                       budget->llm->standard.place->site.name,
                       budget_standard_model(budget, &arena), &hold.micro);
    arena_release(&arena);
    turn_day(budget);
    bool tokens = purse != PURSE_MINDS || is_room((uint64_t)budget->settings->town_model_tokens,
                                                  budget->tokens, budget->held.tokens, hold.tokens);
    bool micro = is_room(budget->micro_most, budget->micro, budget->held.micro, hold.micro);
    *hold_out = (struct budget_hold){0};
    if (tokens && micro) {
        *hold_out = hold;
        budget->held.tokens += hold.tokens;
        budget->held.micro += hold.micro;
        return true;
    }
    if (!tokens && budget->held.tokens == 0) budget->short_tokens = true;
    if (!micro && budget->held.micro == 0) budget->short_micro = true;
    return false;
}

void budget_let_go(struct budget *budget, struct budget_hold *hold)
{
    ASSERT(budget->held.tokens >= hold->tokens && budget->held.micro >= hold->micro);
    budget->held.tokens -= hold->tokens;
    budget->held.micro -= hold->micro;
    *hold = (struct budget_hold){0};
}

struct budget_figures budget_figures(struct budget *budget)
{
    turn_day(budget);
    return (struct budget_figures){.tokens = budget->tokens,
                                   .tokens_most = (uint64_t)budget->settings->town_model_tokens,
                                   .micro = budget->micro,
                                   .micro_most = budget->micro_most};
}
