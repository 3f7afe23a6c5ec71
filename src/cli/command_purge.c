/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include <errno.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/macros.h"
#include "cli/ask.h"
#include "model/layout.h"
#include "recon/engine.h"

/* Our directory itself comes last: it holds the others. */
static const char *const parts[] = { LAYOUT_OBJECTS, LAYOUT_CHAINS, LAYOUT_LINKS, LAYOUT_MARK, "" };

/* 1: our directory is gone, 0: there was none. Only what is empty goes. */
static int remove_directories(const struct cli *c, struct error *e)
{
	struct statfs fs;
	bool removed = false;

	/* On another file system nothing is ours, whatever the directories are called. */
	if (statfs(c->bpffs_dir, &fs) < 0 || fs.f_type != BPF_FS_MAGIC)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		const char *path = arena_printf(c->arena, "%s/%s", c->bpffs_dir, parts[i]);

		removed = rmdir(path) == 0;
		if (!removed && errno != ENOENT)
			return error_set(e, -errno, "cannot remove %s: %s", path,
					 error_string(errno));
	}
	return removed;
}

/* What has been tried and is still there has been said by the log. */
static bool something_is_left(const struct engine *g)
{
	const struct status *s = recon_status(g->recon);

	return !s || s->object_count || s->chain_count || s->share_count;
}

static int report(const struct cli *c, const struct engine *g)
{
	uint64_t operations = recon_operations(g->recon);
	struct error e = { 0 };
	int r = something_is_left(g) ? -EBUSY : remove_directories(c, &e);

	if (r < 0)
		return cli_fail(c, EXIT_FAULT,
				"%" PRIu64
				" operations, but not everything is gone from %s and %s: "
				"%s",
				operations, c->bpffs_dir, c->run_dir,
				e.code ? e.text : "see the messages above, and try again");
	if (c->json) {
		json_t *j = json_pack("{s:I,s:o,s:o}", "operations", (json_int_t)operations,
				      "bpffs", cli_json_string(c->bpffs_dir), "run_dir",
				      cli_json_string(c->run_dir));

		cli_print_json(j);
		json_decref(j);
	} else if (operations || r) {
		(void)printf("purged without a daemon: %" PRIu64 " operation%s, and %s is removed "
			     "(run directory %s)\n",
			     operations, operations == 1 ? "" : "s", c->bpffs_dir, c->run_dir);
	} else {
		(void)printf("there is nothing to purge: no %s, no share of the run directory %s\n",
			     c->bpffs_dir, c->run_dir);
	}
	return 0;
}

static int lock_held(const struct cli *c, const struct error *e)
{
	return cli_fail(c, EXIT_NO_DAEMON,
			"%s, which does not answer here; stop it ('systemctl stop bpfshare') and "
			"try again",
			e->text);
}

/*
 * The daemon's own way to do it, under the daemon's lock, but without the files: what is
 * declared does not matter.
 */
static int purge_here(struct cli *c)
{
	const struct engine_options o = {
		.run_dir = c->run_dir,
		.bpffs_dir = c->bpffs_dir,
	};
	cleanup(engine_freep) struct engine *g = NULL;
	struct error e = { 0 };
	pid_t holder = 0;
	int r;

	if (geteuid() != 0)
		return cli_fail(c, EXIT_NO_DAEMON,
				"no daemon listens at %s, and without one only root can purge: run "
				"this with sudo",
				ask_path(c, ASK_CONTROL));
	r = engine_new(&o, &g, &holder, &e);
	if (r == 0)
		r = engine_purge(g, &e);
	if (r == -EWOULDBLOCK)
		return lock_held(c, &e);
	return r < 0 ? cli_fail(c, EXIT_FAULT, "%s", e.text) : report(c, g);
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
		r = ask_refused(c, &answer);
	else if (c->json)
		cli_print_json(answer.parameters);
	else
		(void)puts("purged; the daemon is suspended until 'bpfsharectl resume'");
	varlink_answer_done(&answer);
	return r;
}
