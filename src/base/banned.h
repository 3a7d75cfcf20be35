/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * base/banned.h: functions of the C library that are easy to misuse, taken out
 * of the language. The right-hand side of each line is what to use instead.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BANNED(name, instead) name##_is_banned_use_##instead

#undef strcpy
#define strcpy(d, s) BANNED(strcpy, str_copy)
#undef strcat
#define strcat(d, s) BANNED(strcat, buf_add)
#undef strncpy
#define strncpy(d, s, n) BANNED(strncpy, str_copy)
#undef strncat
#define strncat(d, s, n) BANNED(strncat, buf_add)
#undef sprintf
#define sprintf(...) BANNED(sprintf, snprintf)
#undef vsprintf
#define vsprintf(...) BANNED(vsprintf, vsnprintf)
#undef strtok
#define strtok(s, d) BANNED(strtok, str_split)
#undef atoi
#define atoi(s) BANNED(atoi, str_to_u64)
#undef atol
#define atol(s) BANNED(atol, str_to_i64)
#undef atof
#define atof(s) BANNED(atof, strtod)
#undef gmtime
#define gmtime(t) BANNED(gmtime, gmtime_r)
#undef localtime
#define localtime(t) BANNED(localtime, gmtime_r)
#undef ctime
#define ctime(t) BANNED(ctime, clock_iso)
#undef rand
#define rand() BANNED(rand, rng)
#undef srand
#define srand(s) BANNED(srand, rng)
#undef system
#define system(c) BANNED(system, a_child_process)
#undef alloca
#define alloca(n) BANNED(alloca, arena)
