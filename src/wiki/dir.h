/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/dir.h: folders and databases of ours as a whole: how large, and gone.
 *
 * Links are never followed. On a thread that may wait for the disk.
 */
#pragma once

#include "base/base.h"

/* What its files take of the disk, all the way down. What cannot be looked at counts nothing. */
uint64_t wiki_dir_bytes(const char *folder);
/* With all that is in it. True: it is not there any more. */
bool wiki_dir_remove(const char *folder);
/* Files directly in it whose names end so; NULL: all. */
size_t wiki_dir_count(const char *folder, const char *ending);
/* A file of SQLite's with its log, which would be taken for the next file's. True: it is not there
 * any more. */
bool wiki_dir_remove_database(const char *file);
