/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Status, plan and events as JSON (the contract: `status --json`, format 1), and that
 * JSON as text for people. Text is made from the JSON alone, so that daemon and tool
 * show the same, whoever asked.
 */
#pragma once

#include <jansson.h>

#include "base/str.h"
#include "recon/recon.h"

/* Caller owns the reference. names: restrict objects and shares to these; n 0: all. */
json_t *report_status(const struct status *s, const char *const *names, size_t n);
json_t *report_plan(const struct plan *p);
json_t *report_event(const struct recon_event *e);
json_t *report_features(const struct feature *f, size_t n);

void render_status(const json_t *status, struct strbuf *out); /* the short table */
/* One interface, object or share in depth; false when there is no such thing. */
bool render_show(const json_t *status, const char *name, struct strbuf *out);
void render_plan(const json_t *plan, struct strbuf *out);
void render_event(const json_t *event, struct strbuf *out);
void render_features(const json_t *features, struct strbuf *out);
