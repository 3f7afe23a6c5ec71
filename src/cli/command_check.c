/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The daemon's own loader, without trust rules and without a store: what passes here is
 * what the daemon takes. Files are judged one by one, directories as one configuration.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "recon/loader.h"

/* One thing to judge: a file, or a list of directories. */
struct subject {
	const char *name; /* as people know it */
	struct string_list directories;
	struct source_overlay overlay; /* path NULL: the directories as they are */
};

/* --- telling --------------------------------------------------------------------------- */

static const char *level_name(enum diag_level level)
{
	return level == DIAG_ERROR ? "error" : level == DIAG_WARNING ? "warning" : "note";
}

static json_t *number_or_null(unsigned int n)
{
	return n ? json_integer(n) : json_null();
}

static json_t *diags_json(const struct diags *d)
{
	json_t *list = json_array();

	for (size_t i = 0; i < d->list.n; i++) {
		const struct diag *row = &d->list.v[i];

		(void)json_array_append_new(list,
					    json_pack("{s:s,s:o,s:o,s:o,s:o,s:o}", "level",
						      level_name(row->level), "file",
						      cli_json_string(row->origin.file), "line",
						      number_or_null(row->origin.line), "column",
						      number_or_null(row->origin.column), "message",
						      cli_json_string(row->message), "hint",
						      cli_json_string(row->hint)));
	}
	return list;
}

static json_t *files_json(const struct desired *d)
{
	json_t *list = json_array();

	for (size_t i = 0; i < d->file_count; i++)
		(void)json_array_append_new(
			list, json_pack("{s:o,s:s}", "path", cli_json_string(d->files[i].path),
					"state", file_state_names[d->files[i].state]));
	return list;
}

static const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

static void say_text(const struct cli *c, const struct subject *s, const struct generation *g,
		     const struct diags *d)
{
	cleanup(strbuf_done) struct strbuf text = { 0 };

	diags_format(d, &text);
	(void)fputs(strbuf_get(&text), stderr);
	if (c->dump) {
		cleanup(strbuf_done) struct strbuf dump = { 0 };

		config_dump(&g->desired, &dump);
		cli_print_text(&dump);
		return;
	}
	if (d->errors)
		(void)printf("%s: %zu error%s\n", s->name, d->errors, plural(d->errors));
	else
		(void)printf("%s: valid, %zu file%s, %zu object%s, %zu share%s\n", s->name,
			     g->desired.file_count, plural(g->desired.file_count),
			     g->desired.object_count, plural(g->desired.object_count),
			     g->desired.share_count, plural(g->desired.share_count));
	(void)printf("generation %s\n", g->desired.generation);
}

static void say_json(const struct subject *s, const struct generation *g, const struct diags *d)
{
	json_t *j = json_pack("{s:i,s:o,s:b,s:s,s:o,s:o}", "format", 1, "name",
			      cli_json_string(s->name), "valid", d->errors == 0, "generation",
			      g->desired.generation, "files", files_json(&g->desired),
			      "diagnostics", diags_json(d));

	cli_print_json(j);
	json_decref(j);
}

/* --- judging --------------------------------------------------------------------------- */

/* Faults of other files are not those of the one that was asked about. */
static void select_diags(const struct subject *s, const struct diags *from, struct diags *ret)
{
	for (size_t i = 0; i < from->list.n; i++) {
		const struct diag *row = &from->list.v[i];

		if (s->overlay.path && !str_eq(row->origin.file, s->overlay.path))
			continue;
		*LIST_ADD(ret->arena, &ret->list) = *row;
		ret->errors += row->level == DIAG_ERROR ? 1 : 0;
	}
	ret->dropped = from->dropped;
}

static void loader_freep(struct loader **l)
{
	if (*l)
		loader_free(*l);
}

static int judge(const struct cli *c, const struct subject *s)
{
	struct loader_options o = {
		.directories = s->directories,
		.settings_path = c->settings,
		.settings_required = c->settings_required,
		.any_owner = true,
		.overlay = s->overlay.path ? &s->overlay : NULL,
	};
	cleanup(loader_freep) struct loader *l = NULL;
	cleanup(generation_freep) struct generation *g = NULL;
	struct diags shown;
	struct error e = { 0 };
	int r;

	/* Settings that this user cannot read are the daemon's; without them the defaults hold. */
	if (!o.settings_required && access(o.settings_path, R_OK) < 0)
		o.settings_path = NULL;
	r = loader_new(&o, &l, &e);
	if (r == 0)
		r = loader_load(l, NULL, 0, &g, &e);
	if (r < 0)
		return cli_fail(c, EXIT_FAULT, "%s", e.text);
	if (g->unknown)
		return cli_fail(c, EXIT_FAULT, "%s", g->unknown);
	diags_init(&shown, c->arena);
	select_diags(s, &g->diags, &shown);
	if (c->json)
		say_json(s, g, &shown);
	else
		say_text(c, s, g, &shown);
	if (shown.errors && s->overlay.alone)
		cli_warn("%s was judged alone; to judge it among other files, check its "
			 "directory, or give its future place with --as",
			 s->name);
	return shown.errors ? EXIT_FAULT : 0;
}

/* --- arguments ------------------------------------------------------------------------- */

static const char *directory_of(const struct cli *c, const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? arena_strndup(c->arena, path, MAX((size_t)(slash - path), (size_t)1)) : ".";
}

static bool is_default_directory(const char *directory)
{
	static const char *const dirs[] = DEFAULT_CONF_DIRS;

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		if (str_eq(directory, dirs[i]))
			return true;
	return false;
}

static struct string_list one(const struct cli *c, const char *s)
{
	struct string_list list = { arena_calloc(c->arena, 1, sizeof(*list.v)), 1 };

	list.v[0] = s;
	return list;
}

/* The real directory: its name decides whether there are other files to be judged with. */
static int check_file(const struct cli *c, const char *file)
{
	const char *place = c->as ? c->as : file, *name = strrchr(place, '/');
	struct subject s = { .name = place };
	char real[PATH_MAX];

	name = name ? name + 1 : place;
	if (!str_ends(name, ".yaml") && !str_ends(name, ".yml"))
		return cli_usage(c,
				 "%s: names of configuration files end in .yaml or .yml; give the "
				 "name that it will have with --as",
				 place);
	if (!realpath(directory_of(c, place), real))
		return cli_fail(c, EXIT_FAULT, "%s: %s", directory_of(c, place),
				error_string(errno));
	s.directories = one(c, arena_strdup(c->arena, real));
	s.overlay.path = arena_printf(c->arena, "%s/%s", real, name);
	/* At its own place it is read as the daemon reads it, which does not follow every link. */
	s.overlay.file = c->as ? file : NULL;
	s.overlay.alone = !c->as && !is_default_directory(real);
	return judge(c, &s);
}

/* Directories are one configuration, each file is one by itself. */
static int check_arguments(const struct cli *c)
{
	struct subject s = { .name = "configuration" };
	struct stat st;
	int r = 0, code;

	s.directories.v = arena_calloc(c->arena, c->argument_count, sizeof(*s.directories.v));
	for (size_t i = 0; i < c->argument_count; i++) {
		const char *argument = c->arguments[i];

		code = 0;
		/* A link to nowhere is there: what it is worth is for the judgement to say. */
		if (stat(argument, &st) < 0 && lstat(argument, &st) < 0)
			code = cli_fail(c, EXIT_FAULT, "%s: %s", argument, error_string(errno));
		else if (S_ISDIR(st.st_mode))
			s.directories.v[s.directories.n++] = argument;
		else
			code = check_file(c, argument);
		r = MAX(r, code);
	}
	code = s.directories.n ? judge(c, &s) : 0;
	return MAX(r, code);
}

int command_check(struct cli *c)
{
	struct subject s = { .name = "configuration" };
	struct stat st;

	if (c->json && c->dump)
		return cli_usage(c, "--dump prints YAML: --json does not go with it");
	if (c->as &&
	    (c->argument_count != 1 || (stat(c->arguments[0], &st) == 0 && S_ISDIR(st.st_mode))))
		return cli_usage(c, "--as takes exactly one FILE");
	if (c->argument_count)
		return check_arguments(c);
	s.directories = cli_conf_dirs(c);
	return judge(c, &s);
}
