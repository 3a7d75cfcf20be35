/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* app/town_lore.h: the wikis of this server as what the town's residents know about. */
#pragma once

#include "townhall/lore.h"
#include "wiki/library.h"

/* `library` must outlive the hall that has it. */
struct lore_source town_lore(struct wiki_library *library);
