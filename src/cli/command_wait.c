/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The daemon does the waiting; this side bridges the times when there is none: one
 * that is still starting has no socket yet, one that restarts hangs up.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/ask.h"

#define WAIT_DEFAULT_S 60.0
#define WAIT_MOST_S    86400.0
#define RECONNECT_MS   50
/* SHA-256, in hexadecimal digits. */
#define GENERATION_LENGTH 64
/* A pass that is under way when the time is up may be a long one. */
#define GRACE_S 10.0

static double now_s(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static json_t *request(const struct cli *c, double left)
{
	json_t *parameters = json_pack("{s:f,s:b}", "timeout_s", left, "ready", c->ready);

	if (c->generation)
		(void)json_object_set_new(parameters, "generation", cli_json_string(c->generation));
	return parameters;
}

static int wait_once(const struct cli *c, double left, struct varlink_answer *ret, struct error *e)
{
	cleanup(varlink_client_freep) struct varlink_client *client = NULL;
	int r = ask_start(c, ASK_STATUS, "Wait", request(c, left), false, &client, e);

	return r < 0 ? r : varlink_client_receive(client, (int)((left + GRACE_S) * 1000), ret, e);
}

static int wait_until(const struct cli *c, double deadline, struct varlink_answer *ret,
		      struct error *e)
{
	const struct timespec pause = { .tv_nsec = RECONNECT_MS * 1000000L };

	for (;;) {
		double left = deadline - now_s();
		int r = wait_once(c, left > 0 ? left : 0, ret, e);

		if (!ask_is_absent(r) && r != -ECONNRESET && r != -EPIPE)
			return r;
		if (left <= 0)
			return r;
		(void)nanosleep(&pause, NULL);
	}
}

/* --- why it took too long ------------------------------------------------------------ */

/* Whether a state keeps the node from what was waited for. */
static bool hinders(const struct cli *c, const char *state)
{
	static const char *const always[] = { "pending", "blocked", "failed" };

	for (size_t i = 0; i < ARRAY_SIZE(always); i++)
		if (str_eq(state, always[i]))
			return true;
	return c->ready && (str_eq(state, "waiting") || str_eq(state, "skipped"));
}

static void explain(const struct cli *c, const json_t *status, const char *list, const char *kind,
		    struct strbuf *out)
{
	const json_t *row;
	size_t i;

	json_array_foreach(json_object_get(status, list), i, row) {
		const char *name = json_string_value(json_object_get(row, "name"));
		const char *state = json_string_value(json_object_get(row, "state"));
		const char *message = json_string_value(json_object_get(row, "message"));

		if (name && hinders(c, state))
			strbuf_addf(out, "  %s %s is %s%s%s\n", kind, name, state,
				    message ? ": " : "", message ? message : "");
	}
}

/* An empty set hinders only where it is declared that it must not be empty. */
static void explain_sets(const struct cli *c, const json_t *status, struct strbuf *out)
{
	const json_t *row;
	size_t i;

	json_array_foreach(json_object_get(status, "interfaces"), i, row) {
		const char *state = json_string_value(json_object_get(row, "state"));
		const char *message = json_string_value(json_object_get(row, "message"));
		bool optional = json_is_true(json_object_get(row, "optional"));

		if (hinders(c, state) || (!optional && str_eq(state, "waiting")))
			strbuf_addf(out, "  interface set %s is %s%s%s\n",
				    json_string_value(json_object_get(row, "name")), state,
				    message ? ": " : "", message ? message : "");
	}
}

static void explain_files(const json_t *status, struct strbuf *out)
{
	const json_t *row;
	size_t i;

	json_array_foreach(json_object_get(status, "files"), i, row) {
		const char *path = json_string_value(json_object_get(row, "path"));
		const char *state = json_string_value(json_object_get(row, "state"));

		if (path && (str_eq(state, "invalid") || str_eq(state, "refused")))
			strbuf_addf(out, "  file %s is %s\n", path, state);
	}
}

static void explain_failures(const json_t *status, struct strbuf *out)
{
	const json_t *row;
	size_t i;

	json_array_foreach(json_object_get(status, "failures"), i, row)
		strbuf_addf(out, "  %s failed: %s\n",
			    json_string_value(json_object_get(row, "subject")),
			    json_string_value(json_object_get(row, "message")));
}

static void explain_all(const struct cli *c)
{
	cleanup(varlink_client_freep) struct varlink_client *client = NULL;
	cleanup(strbuf_done) struct strbuf why = { 0 };
	struct varlink_answer answer = { 0 };
	const json_t *status;
	int r = ask_start(c, ASK_STATUS, "GetStatus", NULL, false, &client, NULL);

	if (r < 0 || varlink_client_receive(client, (int)(GRACE_S * 1000), &answer, NULL) < 0)
		return;
	status = json_object_get(answer.parameters, "status");
	if (json_is_true(json_object_get(status, "suspended")))
		strbuf_add(&why, "  changes are suspended until 'bpfsharectl resume'\n");
	explain_files(status, &why);
	explain(c, status, "objects", "object", &why);
	explain(c, status, "shares", "share", &why);
	explain_sets(c, status, &why);
	explain_failures(status, &why);
	if (json_array_size(json_object_get(status, "held")))
		strbuf_add(&why, "  removals wait for 'bpfsharectl confirm'\n");
	cli_print_note(&why);
	varlink_answer_done(&answer);
}

static int timed_out(const struct cli *c, const struct varlink_answer *answer)
{
	const char *generation =
		json_string_value(json_object_get(answer->parameters, "generation"));
	const char *message = json_string_value(json_object_get(answer->parameters, "message"));

	if (c->generation && generation && !str_starts(generation, c->generation))
		(void)cli_fail(c, EXIT_TIMEOUT, "timed out: the generation is %s, not %s",
			       generation, c->generation);
	else
		(void)cli_fail(c, EXIT_TIMEOUT, "timed out before the node converged%s%s",
			       message ? ": " : "", message ? message : "");
	explain_all(c);
	return EXIT_TIMEOUT;
}

static int say(const struct cli *c, const struct varlink_answer *answer)
{
	const char *generation =
		json_string_value(json_object_get(answer->parameters, "generation"));

	if (c->json)
		cli_print_json(answer->parameters);
	else
		(void)printf("converged, generation %s\n", generation ? generation : "-");
	return 0;
}

/* Or the beginning of one. */
static bool is_generation(const char *s)
{
	size_t n = strlen(s);

	return n >= 1 && n <= GENERATION_LENGTH && strspn(s, "0123456789abcdef") == n;
}

int command_wait(struct cli *c)
{
	struct varlink_answer answer = { 0 };
	double timeout = WAIT_DEFAULT_S;
	struct error e = { 0 };
	int r;

	if (c->timeout && (!cli_parse_duration(c->timeout, &timeout) || timeout > WAIT_MOST_S))
		return cli_usage(c, "--timeout takes seconds up to 86400, not '%s'", c->timeout);
	if (c->generation && !is_generation(c->generation))
		return cli_usage(c,
				 "--generation takes the hash that 'check' and 'status' print, or "
				 "its beginning: 1 to 64 characters 0-9 and a-f, not '%s'",
				 c->generation);
	r = wait_until(c, now_s() + timeout, &answer, &e);
	if (r == -ETIMEDOUT)
		return cli_fail(c, EXIT_TIMEOUT, "timed out: %s", e.text);
	if (r < 0)
		return ask_failed(c, ASK_STATUS, &e);
	if (str_ends(answer.error, ".TimedOut"))
		r = timed_out(c, &answer);
	else if (answer.error[0])
		r = ask_refused(c, &answer);
	else
		r = say(c, &answer);
	varlink_answer_done(&answer);
	return r;
}
