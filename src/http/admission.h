/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * http/admission.h: how many connections there may be, in all and per address
 * (header_network(): an IPv4 address, a /64 of IPv6).
 * One for the process, used by every loop; any thread.
 */
#pragma once

#include "base/str.h"

struct admission;

enum admitted { ADMITTED, ADMIT_FULL, ADMIT_ADDRESS_FULL };

/* `per_address` 0: no limit of that kind, and then nothing is counted per address. */
struct admission *admission_new(int64_t total_max, int64_t per_address);
void admission_free(struct admission *admission); /* NULL is fine */
enum admitted admission_enter(struct admission *admission, struct str address);
/* Once for each ADMITTED. */
void admission_leave(struct admission *admission, struct str address);
