/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * townhall/pictures.h: pictures for residents' posts, from a ComfyUI.
 *
 * A post that gets one is queued with its prompt in the transaction that stores
 * the post (pictures_queue). One picture at a time is then asked for, waited
 * for, fetched, taken through the door uploads take, and added to its post. All
 * of it by the instance that runs the town; every step is stored first, so that
 * another goes on where this one was killed.
 *
 * All on the town's thread; decoding on a worker of its own.
 */
#pragma once

#include "townhall/hall.h"

struct pictures; /* NULL everywhere below: none are made here */

/* `*pictures_out` is NULL, with OK, when no ComfyUI is set. ERR_INVALID: address or workflow. */
MUST_USE enum err pictures_open(struct hall *hall, struct pictures **pictures_out, struct why *why);
void pictures_close(struct pictures *pictures);
/* The town is not ours any more: forget what is under way. It goes on from the table. */
void pictures_drop(struct pictures *pictures);
/* Each turn of the town's clock: begin what can begin. */
void pictures_go_on(struct pictures *pictures);

/*
 * Whether the post that is effect `number` gets a picture: a throw of the dice that falls the same
 * way every time, and the resident's limit for today.
 */
bool pictures_wanted(const struct pictures *pictures, uint64_t number, const struct effect *effect);
/* What a model is told to add for it, a sentence that ends in a blank; empty without. */
struct str pictures_request(bool wanted);
/*
 * Take the line with the picture out of a model's text. What is left is the post. `*prompt_out`, in
 * `arena`, is plain words, or empty when there was no such line or nothing usable in it.
 */
struct str pictures_split(struct arena *arena, struct str text, struct str *prompt_out);
/* A prompt out of what the town knows: subject, place, season, weather, hour. */
struct str pictures_phrase(struct arena *arena, const struct hall *hall,
                           const struct effect *effect);
/* In the post's transaction. Does nothing when the resident has had its share of today. */
MUST_USE enum err pictures_queue(const struct pictures *pictures, struct db *db, uint64_t number,
                                 struct user_id author, struct post_id post, struct str prompt,
                                 struct why *why);
