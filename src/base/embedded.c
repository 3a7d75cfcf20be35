/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "base/embedded.h"

struct str embedded_find(struct str path)
{
    for (const struct embedded_file *file = embedded_files; file->path; file++) {
        if (str_eq(str_of(file->path), path)) {
            return (struct str){file->at, (size_t)(file->end - file->at)};
        }
    }
    return (struct str){0};
}
