/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * llm/whole.h: nothing but whole characters leaves, however a provider cuts its deltas.
 *
 * Two cuts happen. Servers that speak bytes end a delta inside a UTF-8 character, or
 * write each half of a surrogate pair as three bytes of its own (CESU-8, WTF-8):
 * `struct whole` keeps the beginning until the next delta, and puts U+FFFD for what
 * can never become a character. And servers that speak JSON escape the halves in
 * different events ("\ud83d" now, "\ude00" later), which base/json rightly refuses:
 * `struct halves` takes the first half out of an event's text before it is parsed and
 * puts it in front of the second when that comes.
 *
 * In order, for each event:  halves_join → json_parse → whole_feed for each text
 * (one `struct whole` for the answer, one for the reasoning) → think_feed.
 *
 * The clean path is one utf8_valid() for a delta and a search for backslashes in an
 * event; neither copies.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

enum { WHOLE_HELD_MAX = 5 }; /* a high half, and two of the three bytes of a low one */

/* Lives with one text of one stream. Plain data: nothing to release; zeroed is ready. */
struct whole {
    uint8_t held_len;
    unsigned char held[WHOLE_HELD_MAX];
};

/*
 * `*text_out`: what may be passed on, valid UTF-8, possibly empty; it lies in `piece` or in
 * `scratch`, which is reset. ERR_LIMIT: it does not fit into `scratch`; replacing takes up to three
 * bytes for one, so a ceiling of three times the largest piece and 16 always does.
 */
MUST_USE enum err whole_feed(struct whole *whole, struct str piece, struct buf *scratch,
                             struct str *text_out, struct why *why);
/* The text is over: what was held back, as U+FFFD, or nothing. A literal. */
struct str whole_finish(struct whole *whole);

enum { HALVES_KEY_MAX = 31 };

/* Lives with one stream. Plain data; zeroed is ready. */
struct halves {
    uint16_t high;                /* the half that waits; 0: none */
    char key[HALVES_KEY_MAX + 1]; /* name of the member whose string it ended */
};

/* Does an escape of one half of a surrogate pair stand without the other? */
bool json_has_lone_surrogate(struct str json);

/*
 * The text of one event, which becomes `*json_out`, in `json` or in `scratch` (reset). A lone high
 * half at the end of a string is taken out and waits for the next event in which a member of the
 * same name is not empty: put in front of the low half that it begins with, else replaced by
 * U+FFFD. Of several in one event the first waits. Any other lone half becomes U+FFFD. ERR_LIMIT:
 * does not fit into `scratch`; the size of `json` and 16 always does.
 */
MUST_USE enum err halves_join(struct halves *halves, struct str json, struct buf *scratch,
                              struct str *json_out, struct why *why);
/* At the end of a stream: a half waited in vain; its text lacks a U+FFFD. */
static inline bool halves_waits(const struct halves *halves)
{
    return halves->high != 0;
}
