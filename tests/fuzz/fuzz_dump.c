/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* A backup file may come from anywhere: reading one to its end asserts what the reader promises. */
#include <sys/mman.h>
#include <unistd.h>

#include "store/dump.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_all(const char *path)
{
    struct dump_reader r;
    struct dump_record record;
    struct why why = {0};
    uint64_t tables = 0, rows = 0;
    enum err err = dump_open(&r, path, &why);
    while (!err && !r.ended) {
        err = dump_next(&r, &record, &why);
        if (err) break;
        if (record.kind == DUMP_TABLE) tables++;
        if (record.kind == DUMP_ROW) rows++;
        ASSERT(record.count <= DUMP_COLUMNS_MAX);
        for (size_t i = 0; record.cells && i < record.count; i++) {
            ASSERT(record.cells[i].at || record.cells[i].len == 0);
            ASSERT(record.cells[i].len <= r.size);
        }
    }
    ASSERT(err == OK || (err == ERR_CORRUPT && why.text[0]));
    if (!err) ASSERT(tables == r.tables && rows == r.rows && r.read == r.size);
    dump_reader_release(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    int fd = memfd_create("dump", MFD_CLOEXEC);
    ASSERT(fd >= 0);
    ASSERT(write(fd, data, size) == (ssize_t)size);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    read_all(path);
    close(fd);
    return 0;
}
