/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/language.h: what a file is written in, by its name. Pure.
 */
#pragma once

#include "base/str.h"

/* "C", "Markdown" …, a literal; empty: not known. */
struct str wiki_language(struct str path);
