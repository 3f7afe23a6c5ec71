/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What the daemon would do in its next pass: the same reading, observing and planning,
 * and nothing applied. The daemon's memory of failed attempts is not known here, so what it
 * has tried in vain is planned again. A daemon that runs is asked whether it would do anything at all.
 */
#include <errno.h>
#include <unistd.h>

#include "base/str.h"
#include "cli/ask.h"
#include "plan/reason.h"
#include "recon/engine.h"
#include "recon/report.h"
#include "recon/waiting.h"

/* The plan does not wait longer for a daemon that is busy. */
#define DAEMON_MS 2000

struct session {
	struct cli *cli;
	struct arena *arena;
	struct loader *loader;
	struct generation *generation;
	struct kern_linux *kernel;
	struct observed observed;
	struct waiting *waiting;
	struct plan *plan;
};

static void session_done(struct session *s)
{
	waiting_free(s->waiting);
	generation_free(s->generation);
	if (s->loader)
		loader_free(s->loader);
	if (s->kernel)
		kern_linux_free(s->kernel);
	arena_free(s->arena);
}

static int observe(struct session *s, const struct generation *g, struct error *e)
{
	struct observe_request want = { 0 };

	if (g)
		plan_observe_request(s->arena, &g->desired, &g->settings, s->cli->run_dir, &want);
	if (s->waiting)
		plan_observe_waiting(s->arena, waiting_list(s->waiting), &want);
	s->observed = (struct observed){ 0 };
	return kern_linux_ops.observe(s->kernel, s->arena, &want, &s->observed, e);
}

static int load(struct session *s, struct error *e)
{
	const char *last_good = arena_printf(s->arena, "%s/" LAST_GOOD, s->cli->state_dir);
	const struct loader_options o = {
		.directories = cli_conf_dirs(s->cli),
		.settings_path = s->cli->settings,
		.settings_required = s->cli->settings_required,
		/* Opening the store would create it, and a plan changes nothing. */
		.state_dir = access(last_good, F_OK) == 0 ? last_good : NULL,
	};
	struct name_owner *owners;
	size_t owner_count;
	int r = loader_new(&o, &s->loader, e);

	if (r < 0)
		return r;
	owners = recon_kernel_owners(s->arena, &s->observed, &owner_count);
	r = loader_load(s->loader, owners, owner_count, &s->generation, e);
	if (r == 0 && s->generation->unknown)
		r = error_set(e, -ENOENT, "%s", s->generation->unknown);
	return r;
}

static int make_plan(struct session *s, struct error *e)
{
	const struct kern_linux_options o = { .bpffs_dir = s->cli->bpffs_dir,
					      .run_dir = s->cli->run_dir };
	struct plan_input in = { .observed = &s->observed, .run_dir = s->cli->run_dir };
	struct node node;
	int r = kern_linux_new(&o, &s->kernel, e);

	s->waiting = waiting_new(arena_printf(s->arena, "%s/" WAITING_FILE, s->cli->run_dir));
	if (r == 0)
		r = observe(s, NULL, e);
	if (r == 0)
		r = load(s, e);
	if (r == 0)
		r = observe(s, s->generation, e);
	if (r < 0)
		return r;
	engine_node(s->arena, &node);
	in.desired = &s->generation->desired;
	in.settings = &s->generation->settings;
	in.node = &node;
	in.waiting = *waiting_list(s->waiting);
	s->plan = plan_build(s->arena, &in);
	return 0;
}

/* --- what the daemon makes of it ------------------------------------------------------ */

static bool has_text(const json_t *list, const char *text)
{
	const json_t *at;
	size_t i;

	json_array_foreach(list, i, at)
		if (str_eq(json_string_value(at), text))
			return true;
	return false;
}

/* Messages of everything in the status that is left alone for a while, each once. */
static void collect_contested(const json_t *j, json_t *messages)
{
	const char *message = json_string_value(json_object_get(j, "message"));
	const char *key;
	json_t *value;
	size_t i;

	if (str_eq(json_string_value(json_object_get(j, "reason")), REASON_CONTESTED) && message &&
	    !has_text(messages, message))
		(void)json_array_append_new(messages, json_string(message));
	json_array_foreach(j, i, value)
		collect_contested(value, messages);
	json_object_foreach((json_t *)j, key, value)
		collect_contested(value, messages);
}

/* A plan is no promise while a daemon is suspended, or leaves something to somebody who fights for it. */
static void add_daemon(const struct cli *c, json_t *plan)
{
	cleanup(varlink_client_freep) struct varlink_client *client = NULL;
	struct varlink_answer answer = { 0 };
	json_t *messages = json_array();
	const json_t *status = NULL;

	if (ask_start(c, ASK_STATUS, "GetStatus", NULL, false, &client, NULL) >= 0 &&
	    varlink_client_receive(client, DAEMON_MS, &answer, NULL) >= 0)
		status = json_object_get(answer.parameters, "status");
	collect_contested(status, messages);
	(void)json_object_set_new(plan, "suspended",
				  json_boolean(json_is_true(json_object_get(status, "suspended"))));
	(void)json_object_set_new(plan, "contested", messages);
	varlink_answer_done(&answer);
}

/* Files with faults keep their last good version: the plan is without what they ask for now. */
static int show(struct session *s)
{
	cleanup(strbuf_done) struct strbuf text = { 0 };
	json_t *plan = report_plan(s->plan);
	size_t errors = s->generation->diags.errors;

	add_daemon(s->cli, plan);
	if (s->cli->json) {
		(void)json_object_set_new(plan, "errors", json_integer((json_int_t)errors));
		cli_print_json(plan);
	} else {
		render_plan(plan, &text);
		cli_print_text(&text);
	}
	json_decref(plan);
	if (s->plan->newer) {
		cli_warn("%s", s->plan->newer);
		return EXIT_FAULT;
	}
	if (errors) {
		cli_warn("the configuration has %zu error%s, so some of it does not count here; "
			 "see 'bpfsharectl check'",
			 errors, errors == 1 ? "" : "s");
		return EXIT_FAULT;
	}
	return s->plan->op_count || s->plan->held_count ? EXIT_CHANGES : 0;
}

int command_plan(struct cli *c)
{
	cleanup(session_done) struct session s = { .cli = c, .arena = arena_new() };
	struct error e = { 0 };

	if (geteuid() != 0)
		return cli_fail(c, EXIT_FAULT,
				"'plan' looks into the kernel, which only root may: run "
				"it with sudo; 'check' works without");
	if (make_plan(&s, &e) < 0)
		return cli_fail(c, EXIT_FAULT, "%s", e.text);
	return show(&s);
}
