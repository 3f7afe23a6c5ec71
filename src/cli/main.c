/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * bpfsharectl: one table of commands, one of options; each command is a function in
 * a command_*.c. Files are always read here, with the caller's rights; the daemon is asked
 * over the sockets of recon/varlink.h (ask.c).
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cli/cli.h"
#include "config/utf8.h"

enum {
	OPTION_RUN_DIR = 256,
	OPTION_JSON,
	OPTION_HELP,
	OPTION_VERSION,
	OPTION_CONF_DIR, /* from here on, each belongs to certain commands */
	OPTION_CONFIG,
	OPTION_STATE_DIR,
	OPTION_BPFFS,
	OPTION_AS,
	OPTION_DUMP,
	OPTION_TIMEOUT,
	OPTION_GENERATION,
	OPTION_READY,
	OPTION_FOLLOW,
	OPTION_FOR,
};

#define OF(option) (1u << ((option)-OPTION_CONF_DIR))
#define OF_PATHS   (OF(OPTION_CONF_DIR) | OF(OPTION_CONFIG) | OF(OPTION_STATE_DIR) | OF(OPTION_BPFFS))
#define NO_LIMIT   (~(size_t)0)

static const struct option options[] = {
	{ "run-dir", required_argument, NULL, OPTION_RUN_DIR },
	{ "json", no_argument, NULL, OPTION_JSON },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ "conf-dir", required_argument, NULL, OPTION_CONF_DIR },
	{ "config", required_argument, NULL, OPTION_CONFIG },
	{ "state-dir", required_argument, NULL, OPTION_STATE_DIR },
	{ "bpffs", required_argument, NULL, OPTION_BPFFS },
	{ "as", required_argument, NULL, OPTION_AS },
	{ "dump", no_argument, NULL, OPTION_DUMP },
	{ "timeout", required_argument, NULL, OPTION_TIMEOUT },
	{ "generation", required_argument, NULL, OPTION_GENERATION },
	{ "ready", no_argument, NULL, OPTION_READY },
	{ "follow", no_argument, NULL, OPTION_FOLLOW },
	{ "for", required_argument, NULL, OPTION_FOR },
	{ NULL, 0, NULL, 0 },
};

static const struct command {
	const char *name, *arguments, *summary, *help;
	int (*run)(struct cli *c);
	unsigned int options;
	size_t least, most; /* arguments */
} commands[] = {
	{ "check", "[--as PATH] [--dump] [FILE|DIR]...", "check configuration files, offline",
	  "Reads and checks files as the daemon would, without root and without a daemon, and\n"
	  "prints the generation. Directories are taken together, by precedence; without\n"
	  "arguments the default ones. A FILE is judged alone, or together with the other\n"
	  "files of its directory if that is a default configuration directory.\n"
	  "\n"
	  "  --as PATH      judge a single FILE as if it were at PATH, among the files there\n"
	  "  --dump         print the merged configuration as canonical YAML\n"
	  "  --config FILE  daemon settings (" DEFAULT_SETTINGS ")\n"
	  "\n"
	  "Exit status: 0 valid, 1 faults.\n",
	  command_check, OF(OPTION_AS) | OF(OPTION_DUMP) | OF(OPTION_CONFIG), 0, NO_LIMIT },
	{ "plan", "[--conf-dir DIR]...", "show what would change, and why",
	  "Compares the configuration with what the kernel holds now and changes nothing. Needs\n"
	  "root. A daemon of other than the default directories is described by its options:\n"
	  "\n"
	  "  --conf-dir DIR, --config FILE, --state-dir DIR, --bpffs DIR, --run-dir DIR\n"
	  "\n"
	  "Exit status: 0 nothing would change, 2 something would, 1 error, also in the\n"
	  "configuration: then the plan is that of the rest.\n",
	  command_plan, OF_PATHS, 0, 0 },
	{ "status", "[NAME]...", "state of all objects and shares, or of these",
	  "Prints a short table. With --json, everything there is to know.\n", command_status, 0, 0,
	  NO_LIMIT },
	{ "show", "INTERFACE|OBJECT|SHARE", "one thing in depth",
	  "An interface is shown as a picture of its chain, with run counts where the kernel's\n"
	  "statistics are on (sysctl kernel.bpf_stats_enabled=1).\n",
	  command_show, 0, 1, 1 },
	{ "wait", "[--timeout S] [--generation G] [--ready]",
	  "return when the node is as the files say",
	  "Makes the daemon read its files again first. Waits for a daemon that is still "
	  "starting.\n"
	  "\n"
	  "  --timeout S     give up after S seconds (60)\n"
	  "  --generation G  wait for this generation, or one that begins with G\n"
	  "  --ready         nothing may be waiting or skipped either\n"
	  "\n"
	  "Exit status: 0 converged, 124 time-out, 3 no daemon.\n",
	  command_wait, OF(OPTION_TIMEOUT) | OF(OPTION_GENERATION) | OF(OPTION_READY), 0, 0 },
	{ "reload", "", "read all files again and retry what failed, now",
	  "Returns when the pass is over.\n", command_reload, 0, 0, 0 },
	{ "confirm", "[TOKEN]", "let an unusually large removal go ahead",
	  "What waits is shown by 'bpfsharectl status', with a TOKEN that stands for just that:\n"
	  "what waits by now and is something else is not confirmed by it. Without one, what\n"
	  "waits now is confirmed and printed.\n",
	  command_confirm, 0, 0, 1 },
	{ "events", "[--follow]", "what happened lately",
	  "  --follow  go on with what happens from now on\n"
	  "\n"
	  "With --json, one object per line.\n",
	  command_events, OF(OPTION_FOLLOW), 0, 0 },
	{ "suspend", "[--for S]", "change nothing until resumed",
	  "  --for S  resume by itself after S seconds (90, 5m, 2h)\n"
	  "\n"
	  "Programs and shares stay as they are; a restart of the daemon does not end it.\n",
	  command_suspend, OF(OPTION_FOR), 0, 0 },
	{ "resume", "", "end suspend and purge", "", command_resume, 0, 0, 0 },
	{ "purge", "", "remove everything that bpfshare made",
	  "A running daemon is suspended until 'bpfsharectl resume'. Without a daemon, this is\n"
	  "done here, needs root, and removes its directory on the bpf file system as well. A daemon\n"
	  "of other than the default directories is described by its options --run-dir DIR and\n"
	  "--bpffs DIR; the others of 'plan' may be given, too, but no configuration is read.\n",
	  command_purge, OF_PATHS, 0, 0 },
	{ "features", "", "what this kernel can do", "Probes as root, else asks the daemon.\n",
	  command_features, OF(OPTION_BPFFS), 0, 0 },
	{ "map", "", NULL, "", command_map, 0, 0, NO_LIMIT },
};

/* --- help ----------------------------------------------------------------------- */

static void help_all(void)
{
	(void)puts("Usage: bpfsharectl [--run-dir DIR] [--json] COMMAND [ARGUMENT]...\n"
		   "Asks and steers bpfshared.\n");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (commands[i].summary)
			(void)printf("  %-9s %s\n", commands[i].name, commands[i].summary);
	(void)puts("\n"
		   "  --run-dir DIR  run directory of the daemon (" DEFAULT_RUN_DIR ")\n"
		   "  --json         JSON instead of text\n"
		   "  -h, --help     this, or the help of a COMMAND\n"
		   "  --version\n"
		   "\n"
		   "Options may stand anywhere. Exit status: 0 success, 1 error, 2 'plan' has "
		   "changes,\n"
		   "3 no daemon or lock held, 64 wrong usage, 124 time-out. See bpfsharectl(1).");
}

static void help_command(const struct command *command)
{
	(void)printf("Usage: bpfsharectl %s%s%s\n", command->name, *command->arguments ? " " : "",
		     command->arguments);
	if (*command->help)
		(void)printf("\n%s", command->help);
}

/* --- parsing -------------------------------------------------------------------- */

static void conf_dir_add(struct cli *c, const char *dir)
{
	const char **v = arena_calloc(c->arena, c->conf_dirs.n + 1, sizeof(*v));

	if (c->conf_dirs.n)
		memcpy(v, c->conf_dirs.v, c->conf_dirs.n * sizeof(*v));
	v[c->conf_dirs.n++] = dir;
	c->conf_dirs.v = v;
}

struct string_list cli_conf_dirs(struct cli *c)
{
	static const char *const dirs[] = DEFAULT_CONF_DIRS;

	if (c->conf_dirs.n == 0)
		for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
			conf_dir_add(c, dirs[i]);
	return c->conf_dirs;
}

/* Where the argument of an option goes; NULL: it has none, or needs more than storing. */
static const char **text_of(struct cli *c, int option)
{
	switch (option) {
	case OPTION_RUN_DIR:
		return &c->run_dir;
	case OPTION_CONFIG:
		return &c->settings;
	case OPTION_STATE_DIR:
		return &c->state_dir;
	case OPTION_BPFFS:
		return &c->bpffs_dir;
	case OPTION_AS:
		return &c->as;
	case OPTION_TIMEOUT:
		return &c->timeout;
	case OPTION_GENERATION:
		return &c->generation;
	case OPTION_FOR:
		return &c->duration;
	default:
		return NULL;
	}
}

static void store(struct cli *c, int option, const char *argument)
{
	const char **text = text_of(c, option);

	if (text)
		*text = argument;
	c->settings_required |= option == OPTION_CONFIG;
	c->json |= option == OPTION_JSON;
	c->dump |= option == OPTION_DUMP;
	c->ready |= option == OPTION_READY;
	c->follow |= option == OPTION_FOLLOW;
	if (option == OPTION_CONF_DIR)
		conf_dir_add(c, argument);
}

static const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (str_eq(commands[i].name, name))
			return &commands[i];
	return NULL;
}

static int unknown_command(const struct cli *c, const char *name)
{
	const char *names[ARRAY_SIZE(commands)], *guess;

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		names[i] = commands[i].name;
	guess = str_suggest(name, names, ARRAY_SIZE(names));
	if (guess)
		return cli_usage(c, "unknown command '%s'; did you mean '%s'?", name, guess);
	return cli_usage(c, "unknown command '%s'", name);
}

static const char *option_name(unsigned int bit)
{
	for (size_t i = 0; options[i].name; i++)
		if (options[i].val >= OPTION_CONF_DIR && OF(options[i].val) == bit)
			return options[i].name;
	return "";
}

static int dispatch(struct cli *c, unsigned int given, bool help)
{
	const struct command *command;
	const char *name = c->argument_count ? c->arguments[0] : NULL;

	if (str_eq(name, "help")) {
		help = true;
		name = c->argument_count > 1 ? c->arguments[1] : NULL;
	}
	if (!name && help) {
		help_all();
		return 0;
	}
	if (!name)
		return cli_usage(c, "no command given");
	command = command_find(name);
	if (!command)
		return unknown_command(c, name);
	if (help) {
		help_command(command);
		return 0;
	}
	c->arguments++;
	c->argument_count--;
	if (given & ~command->options)
		return cli_usage(c, "'%s' does not take --%s", name,
				 option_name(given & ~command->options &
					     -(given & ~command->options)));
	if (c->argument_count < command->least)
		return cli_usage(c, "'%s' needs %s", name, command->arguments);
	if (c->argument_count > command->most)
		return cli_usage(c, "'%s' does not take '%s'", name, c->arguments[command->most]);
	return command->run(c);
}

int command_map(struct cli *c)
{
	return cli_fail(c, EXIT_FAULT,
			"'map' is not supported by this version; read the maps of a share "
			"with bpftool or bpf_obj_get_opts()");
}

/* --- the command line ------------------------------------------------------------- */

/* What getopt_long() did not take, as it was written, without "=VALUE". */
static const char *option_written(const struct cli *c, const char *argument)
{
	return arena_strndup(c->arena, argument, strcspn(argument, "="));
}

static const char *unknown_option(const struct cli *c, const char *written)
{
	const char *names[ARRAY_SIZE(options)], *guess;
	size_t n = 0, meant = 0;

	for (; options[n].name; n++) {
		names[n] = options[n].name;
		meant += str_starts(options[n].name, written + 2) ? 1 : 0;
	}
	if (meant > 1)
		return arena_printf(c->arena, "'%s' is the beginning of several options", written);
	guess = str_suggest(written + 2, names, n);
	if (guess)
		return arena_printf(c->arena, "unknown option '%s'; did you mean '--%s'?", written,
				    guess);
	return arena_printf(c->arena, "unknown option '%s'", written);
}

/* What is wrong, after getopt_long() gave '?' or ':'. */
static const char *option_fault(const struct cli *c, int result, const char *argument)
{
	if (result == ':')
		return arena_printf(c->arena, "option '%s' needs a value", argument);
	if (optopt >= OPTION_RUN_DIR)
		return arena_printf(c->arena, "option '%s' takes no value",
				    option_written(c, argument));
	if (optopt)
		return arena_printf(c->arena, "unknown option '-%c'", optopt);
	return unknown_option(c, option_written(c, argument));
}

/* What is no text could neither be printed nor be sent to the daemon. */
static const char *text_fault(const struct cli *c, char **argv)
{
	for (size_t i = 1; argv[i]; i++) {
		const char *s = argv[i];
		size_t left = strlen(s), n;
		uint32_t character;

		for (; left; s += n, left -= n) {
			n = utf8_decode(s, left, &character);
			if (!n)
				return arena_printf(c->arena, "argument %zu, '%s', is not UTF-8", i,
						    argv[i]);
		}
	}
	return NULL;
}

struct parsed {
	unsigned int given; /* options that belong to certain commands */
	bool help, version;
	const char *fault; /* the first */
};

/* To the end even after a fault: --json may still come. */
static void parse(struct cli *c, int argc, char **argv, struct parsed *ret)
{
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
		if ((option == '?' || option == ':') && !ret->fault)
			ret->fault = option_fault(c, option, argv[optind - 1]);
		store(c, option, optarg);
		ret->help |= option == OPTION_HELP || option == 'h';
		ret->version |= option == OPTION_VERSION;
		if (option >= OPTION_CONF_DIR)
			ret->given |= OF(option);
	}
	c->arguments = (const char **)&argv[optind];
	c->argument_count = (size_t)(argc - optind);
	if (!ret->fault)
		ret->fault = text_fault(c, argv);
}

int main(int argc, char **argv)
{
	struct cli c = { .arena = arena_new(),
			 .run_dir = DEFAULT_RUN_DIR,
			 .settings = DEFAULT_SETTINGS,
			 .state_dir = DEFAULT_STATE_DIR,
			 .bpffs_dir = DEFAULT_BPFFS_DIR };
	struct parsed p = { 0 };
	int r = 0;

	log_set_level(LOG_LEVEL_WARNING);
	parse(&c, argc, argv, &p);
	if (p.fault)
		r = cli_usage(&c, "%s", p.fault);
	else if (p.version)
		(void)puts("bpfsharectl " PACKAGE_VERSION);
	else
		r = dispatch(&c, p.given, p.help);
	arena_free(c.arena);
	/* A full disk or a closed pipe must not look like success to a script. */
	if (fflush(stdout) != 0 && r == 0) {
		cli_warn("cannot write the output");
		r = EXIT_FAULT;
	}
	return r;
}
