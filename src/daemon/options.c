/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "daemon/options.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>

#include "base/alloc.h"
#include "recon/defaults.h"

static const char help[] =
	"Usage: bpfshared [OPTION]...\n"
	"Makes the kernel match the configuration files and keeps it so.\n"
	"\n"
	"  --config FILE     settings (" DEFAULT_SETTINGS ")\n"
	"  --conf-dir DIR    configuration directory; may be given several times, the first\n"
	"                    that has a file name wins (/etc/bpfshare.d, /run/bpfshare.d,\n"
	"                    /usr/lib/bpfshare.d)\n"
	"  --run-dir DIR     sockets, lock and shares (" DEFAULT_RUN_DIR ")\n"
	"  --state-dir DIR   last good configuration (" DEFAULT_STATE_DIR ")\n"
	"  --bpffs DIR       pins (" DEFAULT_BPFFS_DIR ")\n"
	"  --once            reconcile once, print the status, exit 0 if converged\n"
	"  --log-level L     error, warning, notice, info or debug\n"
	"  --help, --version\n"
	"\n"
	"Exit status: 0 success, 1 error or not converged, 3 another bpfshared holds the lock,\n"
	"64 wrong usage. See bpfshared(8).\n";

enum {
	OPTION_CONFIG = 256,
	OPTION_CONF_DIR,
	OPTION_RUN_DIR,
	OPTION_STATE_DIR,
	OPTION_BPFFS,
	OPTION_ONCE,
	OPTION_LOG_LEVEL,
	OPTION_HELP,
	OPTION_VERSION,
};

static const struct option table[] = {
	{ "config", required_argument, NULL, OPTION_CONFIG },
	{ "conf-dir", required_argument, NULL, OPTION_CONF_DIR },
	{ "run-dir", required_argument, NULL, OPTION_RUN_DIR },
	{ "state-dir", required_argument, NULL, OPTION_STATE_DIR },
	{ "bpffs", required_argument, NULL, OPTION_BPFFS },
	{ "once", no_argument, NULL, OPTION_ONCE },
	{ "log-level", required_argument, NULL, OPTION_LOG_LEVEL },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ NULL, 0, NULL, 0 },
};

static int usage(const char *what, const char *word)
{
	(void)fprintf(stderr, "bpfshared: %s%s\nTry 'bpfshared --help'.\n", what, word);
	return EXIT_USAGE;
}

static void conf_dir_add(struct options *o, const char *dir)
{
	o->conf_dirs.v = xrealloc(o->conf_dirs.v, (o->conf_dirs.n + 1) * sizeof(*o->conf_dirs.v));
	o->conf_dirs.v[o->conf_dirs.n++] = dir;
}

static int take(struct options *o, int option, const char *argument)
{
	switch (option) {
	case OPTION_CONFIG:
		o->settings = argument;
		o->settings_required = true;
		return -1;
	case OPTION_CONF_DIR:
		conf_dir_add(o, argument);
		return -1;
	case OPTION_RUN_DIR:
		o->run_dir = argument;
		return -1;
	case OPTION_STATE_DIR:
		o->state_dir = argument;
		return -1;
	case OPTION_BPFFS:
		o->bpffs_dir = argument;
		return -1;
	case OPTION_ONCE:
		o->once = true;
		return -1;
	case OPTION_LOG_LEVEL:
		o->has_log_level = true;
		if (log_level_parse(argument, &o->log_level) == 0)
			return -1;
		return usage("log level is error, warning, notice, info or debug, not ", argument);
	case OPTION_HELP:
		(void)fputs(help, stdout);
		return 0;
	case OPTION_VERSION:
		(void)puts("bpfshared " PACKAGE_VERSION);
		return 0;
	default: /* getopt_long() has said what is wrong */
		(void)fputs("Try 'bpfshared --help'.\n", stderr);
		return EXIT_USAGE;
	}
}

/* A daemon outlives the directory it was started in, so relative paths are resolved at once. */
static void make_absolute(struct options *o, const char **path)
{
	char cwd[PATH_MAX];

	if ((*path)[0] != '/' && getcwd(cwd, sizeof(cwd)))
		*path = arena_printf(o->arena, "%s/%s", cwd, *path);
}

static void resolve(struct options *o)
{
	static const char *const default_dirs[] = DEFAULT_CONF_DIRS;

	if (o->conf_dirs.n == 0)
		for (size_t i = 0; i < ARRAY_SIZE(default_dirs); i++)
			conf_dir_add(o, default_dirs[i]);
	for (size_t i = 0; i < o->conf_dirs.n; i++)
		make_absolute(o, &o->conf_dirs.v[i]);
	make_absolute(o, &o->settings);
	make_absolute(o, &o->run_dir);
	make_absolute(o, &o->state_dir);
	make_absolute(o, &o->bpffs_dir);
}

int options_parse(int argc, char **argv, struct options *ret)
{
	int c, r;

	*ret = (struct options){
		.arena = arena_new(),
		.settings = DEFAULT_SETTINGS,
		.run_dir = DEFAULT_RUN_DIR,
		.state_dir = DEFAULT_STATE_DIR,
		.bpffs_dir = DEFAULT_BPFFS_DIR,
	};
	while ((c = getopt_long(argc, argv, "", table, NULL)) != -1) {
		r = take(ret, c, optarg);
		if (r >= 0)
			return r;
	}
	if (optind < argc)
		return usage("unexpected argument ", argv[optind]);
	resolve(ret);
	return -1;
}

void options_done(struct options *o)
{
	arena_free(o->arena);
	free(o->conf_dirs.v);
	*o = (struct options){ 0 };
}
