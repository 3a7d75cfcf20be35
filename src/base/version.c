/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Compiled with -include build/…/gen/version.h, see the Makefile. */
#include "base/version.h"

const char *version_text(void)
{
    return HUTONG_VERSION;
}

const char *version_commit(void)
{
    return HUTONG_COMMIT;
}
