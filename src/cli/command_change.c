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

int command_confirm(struct cli *c)
{
	json_t *answer = NULL;
	json_int_t held;
	int r = change(c, "Confirm", NULL, &answer);

	if (r == 0 && !c->json) {
		held = json_integer_value(json_object_get(answer, "confirmed"));
		if (held)
			(void)printf("confirmed %lld operation%s\n", (long long)held,
				     held == 1 ? "" : "s");
		else
			(void)puts("nothing was waiting to be confirmed");
	}
	json_decref(answer);
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
