/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/file_kind.h: what a file is for, as its path tells.
 *
 * Tests, translations and lists of changes hold the words of everything that is
 * anywhere in a repository, and are rarely what somebody asks about; so they
 * count less, unless the question names them ("which tests ..."). Pure.
 */
#pragma once

#include "base/str.h"

enum wiki_file_kind {
    WIKI_FILE_USUAL, /* code and documents */
    WIKI_FILE_BUILD, /* what builds it, and translations of its texts */
    WIKI_FILE_TEST,  /* tests, examples, measurements */
    WIKI_FILE_NEWS,  /* what changed, what is to be done, who did it */
    WIKI_FILE_KINDS
};

enum wiki_file_kind wiki_file_kind(struct str path);
/* 1 for those that count in full. */
double wiki_file_kind_weight(enum wiki_file_kind kind);
/* Does `word` of a question (in small letters) ask for files of that kind? */
bool wiki_file_kind_is_asked(enum wiki_file_kind kind, struct str word);
