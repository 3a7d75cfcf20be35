/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* A file of a town may come from anywhere. The first byte says whether the rest is the whole file
 * or the checkpoint in it, which a checksum would else keep from being reached. */
#include "base/buf.h"
#include "base/mem.h"
#include "townhall/town_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    struct str bytes = {(const char *)data + 1, size - 1};
    struct town *town = NULL;
    struct town_note note;
    struct why why = {0};
    enum err err = data[0] % 2 ? town_read(bytes, &town, &why)
                               : town_file_parse(bytes, "it", &town, &note, &why);
    ASSERT(err == OK || (err == ERR_CORRUPT && why.text[0]));
    if (!err) {
        /* What was read is written so that it can be read. */
        struct buf again;
        struct town *same = NULL;
        buf_init(&again, (size_t)1 << 30);
        town_write(town, &again);
        ASSERT(town_read(buf_str(&again), &same, &why) == OK);
        ASSERT(town_hash(same) == town_hash(town));
        town_free(same);
        buf_release(&again);
    }
    town_free(town);
    return 0;
}
