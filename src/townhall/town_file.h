/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * townhall/town_file.h: a town in a file: its checkpoint (town/town.h) behind a head
 * with a version and a checksum.
 *
 * For this program on this kind of machine, as checkpoints are: another version of
 * it, or a machine of another byte order, says so and does not guess. The checksum
 * (FNV-1a of 64 bits) finds bytes that rotted or are missing, not a forger.
 *
 * A file is replaced whole or not at all: it is written beside, made durable, and
 * then put into its place. Sentences are for the operator and name paths.
 */
#pragma once

#include "town/town.h"

/* What stands in the head beside the town. */
struct town_note {
    int8_t trait_mean[TRAIT_COUNT]; /* added to everybody's traits when it was founded or since */
};

/* Whether it could be written now, before anything is done for it: nothing is left there. ERR_IO.
 */
MUST_USE enum err town_file_check(const char *path, struct why *why);
/* ERR_IO: the folder is missing, the disk is full … */
MUST_USE enum err town_file_write(const char *path, const struct town *town,
                                  const struct town_note *note, struct why *why);
/* Free `*town_out` with town_free(). ERR_IO; ERR_CORRUPT: no such file, damaged, of another version
 * of the program. */
MUST_USE enum err town_file_read(const char *path, struct town **town_out,
                                 struct town_note *note_out, struct why *why);
/* The same out of bytes, which sentences call `name`. */
MUST_USE enum err town_file_parse(struct str bytes, const char *name, struct town **town_out,
                                  struct town_note *note_out, struct why *why);
