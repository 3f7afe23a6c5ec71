/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * bpfshared. In reading order: options.c, then the engine (recon/engine.h) that does
 * the work, then once.c, or manager.c with the loop, the watchers (watch*.c) and the
 * sockets (control.c, connection.c, methods.c).
 */
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/journal.h"
#include "daemon/manager.h"
#include "daemon/once.h"
#include "daemon/options.h"
#include "daemon/privilege.h"
#include "recon/defaults.h"

/* Passes hold a descriptor per directory and object, clients one each; select() is never used. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int report(int r, pid_t holder, const struct error *e)
{
	if (r >= 0)
		return 0;
	if (r != -EWOULDBLOCK)
		log_error("%s", e->text);
	else if (holder)
		log_error("another bpfshared is running as process %d: %s", (int)holder, e->text);
	else
		log_error("another bpfshared is running: %s", e->text);
	return r == -EWOULDBLOCK ? EXIT_NO_DAEMON : EXIT_FAULT;
}

static int serve(const struct options *o, struct engine *g, struct error *e)
{
	struct manager *m = NULL;
	int r = manager_new(o, g, &m, e);

	if (r == 0)
		r = manager_run(m, e);
	manager_free(m);
	return r;
}

static int run(const struct options *o)
{
	const struct engine_options engine = {
		.loader = { .directories = o->conf_dirs,
			    .settings_path = o->settings,
			    .settings_required = o->settings_required,
			    .state_dir = o->state_dir },
		.run_dir = o->run_dir,
		.bpffs_dir = o->bpffs_dir,
	};
	cleanup(engine_freep) struct engine *g = NULL;
	struct error e = { 0 };
	bool converged = true;
	pid_t holder = 0;
	int r = privilege_check(&e);

	/* A settings file that breaks later is a matter for the status; one that never was is a typing error. */
	if (r == 0 && o->settings_required && access(o->settings, F_OK) < 0)
		r = error_set(&e, -errno, "%s: %s", o->settings, error_string(errno));
	if (r == 0)
		r = engine_new(&engine, &g, &holder, &e);
	if (r == 0)
		r = o->once ? once_run(o, g, &converged, &e) : serve(o, g, &e);
	r = report(r, holder, &e);
	return r == 0 && !converged ? EXIT_FAULT : r;
}

int main(int argc, char **argv)
{
	struct options o;
	int r = options_parse(argc, argv, &o);

	if (r < 0) {
		journal_init();
		if (o.has_log_level)
			log_set_level(o.log_level);
		(void)signal(SIGPIPE, SIG_IGN); /* whoever reads our log may go away */
		(void)umask(0022);              /* modes that matter are set one by one */
		raise_descriptor_limit();
		r = run(&o);
	}
	options_done(&o);
	return r;
}
