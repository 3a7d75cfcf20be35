/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* api/metrics_internal.h: what metrics.c (the server) and metrics_models.c (models) share. */
#pragma once

#include "api/metrics.h"

/* What a family is; its samples follow. */
void metrics_head(struct buf *to, const char *name, const char *type, const char *help);

void metrics_write_models(struct buf *to, const struct api *api);
