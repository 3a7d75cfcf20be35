/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * town/populate.h: people and places out of a seed.
 *
 * For towns without a community behind them (experiments, benches), and for what
 * a resident's profile leaves open. Proportions are those of a town in which most
 * work, few know everybody, and everything is within an hour's walk; they are
 * choices, written down in populate.c, and no census.
 */
#pragma once

#include "town/town.h"

enum { QUARTER_SIZE = 1000 };

/* A town of so many residents (1 to TOWN_RESIDENTS_MAX), in quarters of QUARTER_SIZE. */
struct town *town_found(const struct town_settings *settings, uint32_t residents);
/* The same with so much added to every trait that is drawn, each kept within -100 to 100: the same
 * dice fall, so that towns differ in nothing else on their first morning. */
struct town *town_found_as(const struct town_settings *settings, uint32_t residents,
                           const int8_t trait_mean[TRAIT_COUNT]);

/*
 * A character, habits and hours for somebody; `age` 0 and `job` JOB_COUNT: drawn too. Home and
 * work are the caller's: `work` is NOWHERE and stays so for who has no job.
 */
struct resident_draft resident_draw(struct rng *rng, uint8_t age, enum job_kind job);
/* Where such work is done. */
enum place_kind job_place(enum job_kind job);
