/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/ledger.h: what members' keys may still use, and what they have used.
 *
 * A request is admitted before it is asked (requests a minute; the tokens it
 * may take are reserved from the day's), and settled when it is over, with
 * what it really took. No answer waits for the store: what was used gathers
 * here and goes to the store 50 times a second (or with what is written there
 * anyway), so the store is 20 ms and one commit behind. What a kill -9 takes is
 * at most that.
 *
 * One for the process, on any thread. Several instances on one database see
 * what the others used when a key is looked up again, once a second.
 */
#pragma once

#include "io/workers.h"
#include "llm/llm.h"
#include "llm/prices.h"
#include "store/keys.h"
#include "store/store.h"
#include "store/usage.h"

struct ledger;

/* `prices` stays the caller's. `workers` writes where the store has no writer (MariaDB). */
struct ledger *ledger_new(struct store *store, struct workers *workers,
                          const struct prices *prices);
/* Writes what still waits, and waits for that. While workers, writer and store are open. */
void ledger_flush(struct ledger *ledger, struct db *db);
void ledger_free(struct ledger *ledger); /* NULL is fine */

/* What a day's usage of a key is in the store, as it was just read. Counts when it is more than is
 * known here. */
void ledger_note_stored(struct ledger *ledger, struct key_id key, int64_t day, uint64_t tokens);
int64_t ledger_today(void);

enum ledger_limit { LEDGER_ADMITTED, LEDGER_TOO_FAST, LEDGER_NO_TOKENS };
struct ledger_verdict {
    enum ledger_limit limit;
    uint64_t max, remaining;         /* requests, or tokens */
    uint32_t reset_s, retry_after_s; /* until all is back; until this may be tried again */
};
/* Reserves `tokens` when admitted: settle or release them later. */
struct ledger_verdict ledger_admit(struct ledger *ledger, const struct api_key *key,
                                   uint64_t tokens);

/* What a request was in the end. */
struct ledger_use {
    struct key_id key;
    uint64_t reserved;
    struct str site, model;
    struct llm_usage usage;  /* as llm_call estimates it where the provider says nothing … */
    uint64_t input_estimate; /* … and this where nobody did (embeddings) */
    bool shared;             /* answered without asking a provider: costs nothing */
};
void ledger_settle(struct ledger *ledger, const struct ledger_use *use);
/* It came to nothing: nobody was asked. */
void ledger_release(struct ledger *ledger, struct key_id key, uint64_t reserved);
