/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/encoding.h: the bytes of a file as UTF-8 text.
 *
 * A byte-order mark says it all (UTF-8, UTF-16 of both orders). Without one it
 * is UTF-8 if it can be. Else it was written on an older machine: GB 18030 when
 * the bytes speak for Chinese beyond doubt, Windows-1252 (Latin-1 with the
 * quotes that people typed) when they look like single letters among ASCII, and
 * otherwise nothing that should be guessed at. Pure.
 */
#pragma once

#include "base/buf.h"

/* `bytes` as text in `text` (emptied first), "\r\n" as "\n". False: none that we can read, or
 * longer than the ceiling of `text`. A NUL in it is the caller's to look for. */
bool wiki_decode(struct str bytes, struct buf *text);
/* Does it begin with the mark of an encoding whose letters have NUL bytes? */
bool wiki_has_wide_mark(struct str bytes);
