/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>

#include "base/utf8.h"

static void PRINTF_LIKE(2, 0) write_text(struct why *why, const char *format, va_list args)
{
    int wanted = vsnprintf(why->text, sizeof(why->text), format, args);
    if (wanted >= (int)sizeof(why->text)) {
        size_t len = sizeof(why->text) - 1, last = utf8_floor(why->text, len - 1);
        if (!utf8_valid((struct str){why->text + last, len - last})) why->text[last] = '\0';
    }
}

void why_write(struct why *why, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    write_text(why, format, args);
    va_end(args);
    why->field = why->type = NULL;
}

void why_write_field(struct why *why, const char *field, const char *type, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    write_text(why, format, args);
    va_end(args);
    why->field = field;
    why->type = type;
}

bool err_is_full(int error)
{
    return error == ENOSPC || error == EDQUOT || error == EFBIG;
}

const char *err_name(enum err err)
{
    static const char *const names[] = {
        [OK] = "ok",
        [ERR_INVALID] = "invalid",
        [ERR_UNKNOWN_CALLER] = "unknown_caller",
        [ERR_DENIED] = "denied",
        [ERR_NOT_FOUND] = "not_found",
        [ERR_CONFLICT] = "conflict",
        [ERR_LIMIT] = "limit",
        [ERR_CANCELLED] = "cancelled",
        [ERR_TIMEOUT] = "timeout",
        [ERR_UPSTREAM] = "upstream",
        [ERR_BUSY] = "busy",
        [ERR_AWAY] = "database_away",
        [ERR_UNCERTAIN] = "uncertain",
        [ERR_IO] = "io",
        [ERR_FULL] = "disk_full",
        [ERR_CORRUPT] = "corrupt",
    };
    static_assert(COUNT_OF(names) == ERR_COUNT, "a name for every code");
    ASSERT(err < ERR_COUNT);
    return names[err];
}
