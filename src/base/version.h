/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* base/version.h: which Hutong this is. The one place that the Makefile tells. Any thread. */
#pragma once

const char *version_text(void);   /* "0.1.0" */
const char *version_commit(void); /* twelve hex digits, or "unknown" */
