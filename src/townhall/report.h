/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * townhall/report.h: a folder of files about studies: JSON and CSV for programs, one
 * page for people (report.html), which asks nobody for anything.
 *
 * Files of the same names are replaced. Figures that do not exist are null in JSON
 * and empty in CSV.
 */
#pragma once

#include "townhall/study.h"

/* Make the folder `dir` when it is missing (its parent must be there). ERR_IO. */
MUST_USE enum err report_folder(const char *dir, struct why *why);

/*
 * summary.json, activity.csv, needs.csv, relations.csv, phone.csv, cascades.csv and report.html.
 * `threads` is only noted.
 */
MUST_USE enum err report_study(const char *dir, const struct study *study, uint32_t threads,
                               struct why *why);

/* --- for other reports --- */

MUST_USE enum err report_put(const char *dir, const char *name, const struct buf *bytes,
                             struct why *why);
/* report.html, which draws `data`; its member "kind" says what it is. */
MUST_USE enum err report_page(const char *dir, const struct buf *data, struct why *why);
void report_json_figure(struct json_out *out, const char *key, double value);
void report_csv_figure(struct buf *csv, double value); /* with a comma before it */
/* What the study was of, as members of the open object. */
void report_json_plan(struct json_out *out, const struct study_plan *plan);
/* "mind":"rule" or "model". */
void report_json_mind(struct json_out *out, bool model);
/* "model":{…}: who was asked, and what that came to. */
void report_json_model(struct json_out *out, struct str name, const struct mind_figures *figures);
/* "measures":[…]: what they are called. */
void report_json_measures(struct json_out *out);
