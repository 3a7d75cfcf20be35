/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/listing.h: which files a folder of this machine has, as older pages ask
 * before they plan a wiki, and what its README says.
 *
 * Only insides of folders that the operator allowed (wiki-roots) are listed. The
 * path that is asked for is compared with them as it is written, and then opened
 * part by part without following links, so neither ".." nor a link leads out,
 * also not one that is put there meanwhile. Where a path is not allowed, nobody
 * learns whether it exists. Our own data folder is never looked into.
 *
 * Left out, as such pages expect: hidden names, __pycache__, node_modules,
 * __init__.py; and names that are no UTF-8 or would break a line. Filters of
 * wikis do not count here (wiki/tree.h).
 *
 * Waits for the disk: on a worker.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

enum { WIKI_LISTING_FILES_MAX = 200 * 1000, WIKI_README_BYTES_MAX = 1024 * 1024 };

struct wiki_listing {
    struct buf tree;   /* owned: paths from there, sorted by their bytes, a line each */
    struct buf readme; /* owned: of the uppermost readme.md of any case; empty: none, or no UTF-8 */
};

/*
 * `roots` is separated by ':'. ERR_DENIED: not allowed. ERR_NOT_FOUND: no folder. ERR_INVALID: more
 * files than WIKI_LISTING_FILES_MAX. ERR_IO: it cannot be read. Release it in any case.
 */
MUST_USE enum err wiki_listing_read(struct str roots, struct str data_dir, struct str path,
                                    struct wiki_listing *listing_out, struct why *why);
void wiki_listing_release(struct wiki_listing *listing);
