/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include <string.h>

#include "cli/ask.h"
#include "recon/report.h"

static json_t *names_of(const struct cli *c)
{
	json_t *names = json_array();

	for (size_t i = 0; i < c->argument_count; i++)
		(void)json_array_append_new(names, cli_json_string(c->arguments[i]));
	return json_pack("{s:o}", "names", names);
}

/* "fwd" also stands for its instances "fwd@eth0". */
static bool is_in(const json_t *list, const char *name)
{
	size_t i, n = strlen(name);
	const json_t *row;

	json_array_foreach(list, i, row) {
		const char *found = json_string_value(json_object_get(row, "name"));

		if (found && strncmp(found, name, n) == 0 && (!found[n] || found[n] == '@'))
			return true;
	}
	return false;
}

/* The status has been printed, so on stderr alone. */
static int check_names(const struct cli *c, const json_t *status)
{
	int r = 0;

	for (size_t i = 0; i < c->argument_count; i++)
		if (!is_in(json_object_get(status, "objects"), c->arguments[i]) &&
		    !is_in(json_object_get(status, "shares"), c->arguments[i])) {
			cli_warn("no object or share is called '%s'", c->arguments[i]);
			r = EXIT_FAULT;
		}
	return r;
}

int command_status(struct cli *c)
{
	cleanup(strbuf_done) struct strbuf text = { 0 };
	json_t *answer = NULL;
	const json_t *status;
	int r = ask(c, ASK_STATUS, "GetStatus", c->argument_count ? names_of(c) : NULL, &answer);

	if (r != 0)
		return r;
	status = json_object_get(answer, "status");
	if (c->json) {
		cli_print_json(status);
	} else {
		render_status(status, &text);
		cli_print_text(&text);
	}
	r = check_names(c, status);
	json_decref(answer);
	return r;
}

/* The rows of one list that belong to a thing. */
static json_t *rows_of(const json_t *status, const char *list, const char *key, const char *name)
{
	json_t *rows = json_array();
	const json_t *row;
	size_t i;

	json_array_foreach(json_object_get(status, list), i, row) {
		const char *found = json_string_value(json_object_get(row, key));
		size_t n = strlen(name);

		if (found && strncmp(found, name, n) == 0 && (!found[n] || found[n] == '@'))
			(void)json_array_append(rows, (json_t *)row);
	}
	return rows;
}

static void show_json(const json_t *status, const char *name)
{
	json_t *j = json_pack("{s:i,s:o,s:o,s:o}", "format", 1, "chains",
			      rows_of(status, "chains", "interface", name), "objects",
			      rows_of(status, "objects", "name", name), "shares",
			      rows_of(status, "shares", "name", name));

	cli_print_json(j);
	json_decref(j);
}

int command_show(struct cli *c)
{
	cleanup(strbuf_done) struct strbuf text = { 0 };
	const char *name = c->arguments[0];
	json_t *answer = NULL;
	const json_t *status;
	int r = ask(c, ASK_STATUS, "GetStatus",
		    json_pack("{s:[s],s:b,s:b}", "names", name, "fresh", 1, "entries", 1), &answer);

	if (r != 0)
		return r;
	status = json_object_get(answer, "status");
	if (!render_show(status, name, &text))
		r = cli_fail(c, EXIT_FAULT,
			     "no interface with a chain, object or share is called '%s'; see "
			     "'bpfsharectl status'",
			     name);
	else if (c->json)
		show_json(status, name);
	else
		cli_print_text(&text);
	json_decref(answer);
	return r;
}
