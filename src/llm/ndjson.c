/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "llm/ndjson.h"

enum { KEEP_BYTES = 1024 }; /* memory a decoder keeps between lines */

void ndjson_init(struct ndjson *ndjson, size_t line_max)
{
    ASSERT(line_max > 0);
    *ndjson = (struct ndjson){0};
    buf_init(&ndjson->line, line_max);
}

void ndjson_release(struct ndjson *ndjson)
{
    buf_release(&ndjson->line);
}

static void tell(struct ndjson *ndjson, struct str line, const struct ndjson_events *to)
{
    if (!ndjson->past_head && str_starts(line, STR("\xEF\xBB\xBF"))) line = str_from(line, 3);
    ndjson->past_head = true;
    line = str_trim(line);
    if (line.len > 0) to->line(to->ctx, line);
}

enum err ndjson_feed(struct ndjson *ndjson, struct str bytes, const struct ndjson_events *to,
                     struct why *why)
{
    while (bytes.len > 0 && !ndjson->stopped) {
        size_t end = str_find_byte(bytes, '\n');
        struct str line = str_head(bytes, end);
        if (line.len > ndjson->line.max - ndjson->line.len) {
            ndjson_stop(ndjson);
            return why_set(why, ERR_LIMIT, "a line of the answer has more than %zu bytes",
                           ndjson->line.max);
        }
        bool whole = end < bytes.len;
        if (!whole || ndjson->line.len > 0) {
            buf_add_str(&ndjson->line, line);
            line = buf_str(&ndjson->line);
        }
        if (whole) {
            tell(ndjson, line, to);
            buf_reset(&ndjson->line, KEEP_BYTES);
        }
        bytes = str_from(bytes, end + 1);
    }
    return OK;
}

enum err ndjson_finish(struct ndjson *ndjson, const struct ndjson_events *to, struct why *why)
{
    (void)why; /* as with sse_finish(), so that callers treat both alike */
    if (!ndjson->stopped) tell(ndjson, buf_str(&ndjson->line), to);
    ndjson_stop(ndjson);
    buf_reset(&ndjson->line, KEEP_BYTES);
    return OK;
}
