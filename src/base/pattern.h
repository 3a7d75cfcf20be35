/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * base/pattern.h: patterns of models' names, as keys and prices have them.
 *
 * A pattern is a name as programs write it, in which `*` stands for anything,
 * for nothing too. There is no other sign, and nothing escapes it. Pure.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

/* ERR_INVALID: empty, longer than LIMIT_MODEL_BYTES, no UTF-8, or with blanks in it. */
MUST_USE enum err model_pattern_check(struct str pattern, struct why *why);
/* At most pattern × name steps, whatever strangers write. */
bool model_pattern_matches(struct str pattern, struct str model);
