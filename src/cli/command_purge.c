/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/ask.h"
#include "recon/engine.h"

static int report(const struct cli *c, const struct engine *g)
{
	uint64_t operations = recon_operations(g->recon);

	if (c->json) {
		json_t *j = json_pack("{s:I}", "operations", (json_int_t)operations);

		cli_print_json(j);
		json_decref(j);
	} else {
		(void)printf("purged: %" PRIu64 " operations\n", operations);
	}
	return 0;
}

/* The daemon's own way to do it, under the daemon's lock. */
static int purge_here(struct cli *c)
{
	const struct engine_options o = {
		.loader = { .directories = cli_conf_dirs(c),
			    .settings_path = c->settings,
			    .settings_required = c->settings_required },
		.run_dir = c->run_dir,
		.bpffs_dir = c->bpffs_dir,
	};
	cleanup(engine_freep) struct engine *g = NULL;
	struct error e = { 0 };
	pid_t holder = 0;
	int r;

	if (geteuid() != 0)
		return cli_fail(EXIT_NO_DAEMON,
				"no daemon listens at %s, and without one only root can purge: run "
				"this with sudo",
				ask_path(c, ASK_CONTROL));
	r = engine_new(&o, &g, &holder, &e);
	if (r == -EWOULDBLOCK)
		return cli_fail(
			EXIT_NO_DAEMON,
			"%s, which does not answer; stop it ('systemctl stop bpfshare') and "
			"try again",
			e.text);
	if (r == 0)
		r = engine_purge(g, &e);
	return r < 0 ? cli_fail(EXIT_FAULT, "%s", e.text) : report(c, g);
}

int command_purge(struct cli *c)
{
	cleanup(varlink_client_freep) struct varlink_client *client = NULL;
	struct varlink_answer answer = { 0 };
	struct error e = { 0 };
	int r = ask_start(c, ASK_CONTROL, "Purge", NULL, false, &client, &e);

	if (ask_is_absent(r))
		return purge_here(c);
	if (r == 0)
		r = varlink_client_receive(client, -1, &answer, &e);
	if (r < 0)
		return ask_failed(c, ASK_CONTROL, &e);
	if (answer.error[0])
		r = ask_refused(&answer);
	else if (c->json)
		cli_print_json(answer.parameters);
	else
		(void)puts("purged; the daemon is suspended until 'bpfsharectl resume'");
	varlink_answer_done(&answer);
	return r;
}
