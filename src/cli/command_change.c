/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What changes the daemon's mind; each returns when the pass that follows is over. */
#include <stdio.h>

#include "cli/ask.h"

/* The daemon takes no more. */
#define SUSPEND_MOST_S (3600.0 * 87600)

/* Prints the answer as JSON, or says in words whether the node converged. */
static int change(const struct cli *c, const char *method, json_t *parameters, json_t **ret)
{
	json_t *answer = NULL;
	const char *warning;
	int r = ask(c, ASK_CONTROL, method, parameters, &answer);

	if (r != 0)
		return r;
	warning = json_string_value(json_object_get(answer, "warning"));
	if (warning)
		cli_warn("%s", warning);
	if (c->json)
		cli_print_json(answer);
	*ret = answer;
	return 0;
}

static void say_state(const struct cli *c, const json_t *answer, const char *what)
{
	const char *generation = json_string_value(json_object_get(answer, "generation"));

	if (!c->json)
		(void)printf("%s generation %.12s: %s\n", what, generation ? generation : "-",
			     json_is_true(json_object_get(answer, "converged")) ?
				     "converged" :
				     "not converged; see 'bpfsharectl status'");
}

int command_reload(struct cli *c)
{
	json_t *answer = NULL;
	int r = change(c, "Reload", NULL, &answer);

	if (r == 0)
		say_state(c, answer, "read");
	json_decref(answer);
	return r;
}

static void say_confirmed(const json_t *answer, const json_t *held)
{
	json_int_t n = json_integer_value(json_object_get(answer, "confirmed"));
	cleanup(strbuf_done) struct strbuf text = { 0 };
	const json_t *h;
	size_t i;

	if (!n) {
		(void)puts("nothing was waiting to be confirmed");
		return;
	}
	strbuf_addf(&text, "confirmed %lld operation%s\n", (long long)n, n == 1 ? "" : "s");
	json_array_foreach(held, i, h)
		strbuf_addf(&text, "  %s: %s\n", json_string_value(json_object_get(h, "key")),
			    json_string_value(json_object_get(h, "reason")));
	cli_print_text(&text);
}

/*
 * A confirmation is for what the operator was shown. Without a token that is what is read and printed
 * here, and the daemon is told which it was.
 */
int command_confirm(struct cli *c)
{
	json_t *answer = NULL, *shown = NULL, *status = NULL;
	const char *token = c->argument_count ? c->arguments[0] : NULL;
	int r = ask(c, ASK_STATUS, "GetStatus", NULL, &shown);

	if (r != 0)
		return r;
	status = json_object_get(shown, "status");
	if (!token)
		token = json_string_value(json_object_get(status, "confirmation"));
	r = change(c, "Confirm", token ? json_pack("{s:s}", "token", token) : NULL, &answer);
	if (r == 0 && !c->json)
		say_confirmed(answer, json_object_get(status, "held"));
	json_decref(answer);
	json_decref(shown);
	return r;
}

int command_suspend(struct cli *c)
{
	json_t *answer = NULL;
	double seconds = 0;
	int r;

	if (c->duration &&
	    (!cli_parse_duration(c->duration, &seconds) || seconds < 1 || seconds > SUSPEND_MOST_S))
		return cli_usage(
			c,
			"--for takes a time from 1 s to 87600h (ten years), like 90, 5m or "
			"2h, not '%s'",
			c->duration);
	r = change(c, "Suspend", json_pack("{s:I}", "seconds", (json_int_t)seconds), &answer);
	if (r == 0 && !c->json)
		(void)printf("suspended %s; 'bpfsharectl resume' ends it\n",
			     c->duration ? "for the given time" : "until resumed");
	json_decref(answer);
	return r;
}

int command_resume(struct cli *c)
{
	json_t *answer = NULL;
	int r = change(c, "Resume", NULL, &answer);

	if (r == 0)
		say_state(c, answer, "resumed with");
	json_decref(answer);
	return r;
}
