/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* api/openapi.h: the route table as a document (OpenAPI 3.1) and as a page that needs no internet. */
#pragma once

#include "api/call.h"

handler openapi_get; /* GET /openapi.json */
handler docs_get;    /* GET /docs and /redoc */
