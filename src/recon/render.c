/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* The JSON of report.h as tables and pictures. Plain ASCII, so that it survives logs and mail. */
#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "plan/reason.h"
#include "recon/report.h"

#define COLUMNS_MOST 6

/* A table that sizes its columns by their content; the last column runs free. */
struct table {
	size_t columns;
	size_t width[COLUMNS_MOST];
	char **cells; /* row by row */
	size_t n, cap;
};

static void table_done(struct table *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->cells[i]);
	free(t->cells);
}

static void table_cell(struct table *t, const char *s)
{
	size_t column = t->n % t->columns;

	if (t->n == t->cap) {
		t->cap = t->cap ? 2 * t->cap : 64;
		t->cells = xrealloc(t->cells, t->cap * sizeof(*t->cells));
	}
	t->cells[t->n++] = xstrdup(s && *s ? s : "-");
	t->width[column] = MAX(t->width[column], strlen(t->cells[t->n - 1]));
}

static void table_print(const struct table *t, struct strbuf *out)
{
	for (size_t i = 0; i < t->n; i++) {
		bool last = i % t->columns == t->columns - 1;

		if (last && str_eq(t->cells[i], "-"))
			strbuf_add(out, "\n");
		else if (last)
			strbuf_addf(out, "%s\n", t->cells[i]);
		else
			strbuf_addf(out, "%-*s  ", (int)t->width[i % t->columns], t->cells[i]);
	}
}

static const char *get_text(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s ? s : "";
}

static json_int_t get_number(const json_t *j, const char *key)
{
	return json_integer_value(json_object_get(j, key));
}

static bool has_value(const json_t *j, const char *key)
{
	const json_t *v = json_object_get(j, key);

	return v && !json_is_null(v);
}

static void add_why(struct strbuf *b, const json_t *j)
{
	strbuf_add(b, get_text(j, "reason"));
	if (*get_text(j, "message"))
		strbuf_addf(b, "%s%s", b->len ? ": " : "", get_text(j, "message"));
}

/* "eth0", in another namespace "blue:eth0". */
static void add_interface(struct strbuf *b, const json_t *j)
{
	if (has_value(j, "netns"))
		strbuf_addf(b, "%s:", get_text(j, "netns"));
	strbuf_add(b, get_text(j, "interface"));
}

static bool is_tc(const json_t *j)
{
	return str_eq(get_text(j, "hook"), hook_names[HOOK_TC]);
}

/* "eth0:0 eth1/egress:2": interface, direction and position of each attachment that is in a chain. */
static void add_places(struct strbuf *b, const json_t *object)
{
	const json_t *program, *attachment;
	size_t i, k;

	json_array_foreach(json_object_get(object, "programs"), i, program) {
		json_array_foreach(json_object_get(program, "attachments"), k, attachment) {
			if (!has_value(attachment, "position"))
				continue;
			strbuf_add(b, b->len ? " " : "");
			add_interface(b, attachment);
			strbuf_addf(b, "%s%s:%" JSON_INTEGER_FORMAT, is_tc(attachment) ? "/" : "",
				    is_tc(attachment) ? get_text(attachment, "direction") : "",
				    get_number(attachment, "position"));
		}
	}
}

/* The worst attachment's reason, when the object itself has none. */
static const json_t *worst_part(const json_t *object)
{
	const json_t *program, *attachment;
	size_t i, k;

	if (has_value(object, "reason") || has_value(object, "message"))
		return object;
	json_array_foreach(json_object_get(object, "programs"), i, program)
		json_array_foreach(json_object_get(program, "attachments"), k, attachment)
			if (str_eq(get_text(attachment, "state"), get_text(object, "state")) &&
			    has_value(attachment, "reason"))
				return attachment;
	return object;
}

static void render_objects(const json_t *list, struct strbuf *out)
{
	cleanup(table_done) struct table t = { .columns = 4 };
	const json_t *o;
	size_t i;

	if (!json_array_size(list))
		return;
	table_cell(&t, "OBJECT");
	table_cell(&t, "STATE");
	table_cell(&t, "PLACES");
	table_cell(&t, "REASON");
	json_array_foreach(list, i, o) {
		cleanup(strbuf_done) struct strbuf places = { 0 }, why = { 0 };

		add_places(&places, o);
		add_why(&why, worst_part(o));
		table_cell(&t, get_text(o, "name"));
		table_cell(&t, get_text(o, "state"));
		table_cell(&t, strbuf_get(&places));
		table_cell(&t, strbuf_get(&why));
	}
	strbuf_add(out, "\n");
	table_print(&t, out);
}

static void render_shares(const json_t *list, struct strbuf *out)
{
	cleanup(table_done) struct table t = { .columns = 4 };
	const json_t *s, *target;
	size_t i, k;

	if (!json_array_size(list))
		return;
	table_cell(&t, "SHARE");
	table_cell(&t, "STATE");
	table_cell(&t, "PATH");
	table_cell(&t, "REASON");
	json_array_foreach(list, i, s) {
		json_array_foreach(json_object_get(s, "targets"), k, target) {
			cleanup(strbuf_done) struct strbuf why = { 0 };

			add_why(&why, has_value(target, "reason") || has_value(target, "message") ?
					      target :
					      s);
			table_cell(&t, get_text(s, "name"));
			table_cell(&t, get_text(target, "state"));
			table_cell(&t, get_text(target, "path"));
			table_cell(&t, strbuf_get(&why));
		}
	}
	strbuf_add(out, "\n");
	table_print(&t, out);
}

static size_t count_foreign(const json_t *members)
{
	const json_t *m;
	size_t i, n = 0;

	json_array_foreach(members, i, m)
		n += str_eq(get_text(m, "owner"), "foreign");
	return n;
}

/* "2 of bpfshare, 1 foreign" */
static void add_members(struct strbuf *b, const json_t *members)
{
	size_t foreign = count_foreign(members), ours = json_array_size(members) - foreign;

	if (ours)
		strbuf_addf(b, "%zu of bpfshare", ours);
	if (foreign)
		strbuf_addf(b, "%s%zu foreign", ours ? ", " : "", foreign);
}

/* Those about which there is something to say: others are in them, or `auto` took second best. */
static void render_chains(const json_t *list, struct strbuf *out)
{
	cleanup(table_done) struct table t = { .columns = 4 };
	const json_t *c;
	size_t i;

	table_cell(&t, "CHAIN");
	table_cell(&t, "MECHANISM");
	table_cell(&t, "PROGRAMS");
	table_cell(&t, "REASON");
	json_array_foreach(list, i, c) {
		cleanup(strbuf_done) struct strbuf where = { 0 }, members = { 0 }, why = { 0 };

		/* At tc every program has a link of its own, so others there are nothing special. */
		if (is_tc(c) || !json_array_size(json_object_get(c, "members")) ||
		    (!has_value(c, "mechanism_reason") &&
		     !count_foreign(json_object_get(c, "members"))))
			continue;
		add_members(&members, json_object_get(c, "members"));
		strbuf_add(&why, get_text(c, "mechanism_reason"));
		if (why.len)
			strbuf_addf(&why, ": %s", get_text(c, "mechanism_message"));
		add_interface(&where, c);
		table_cell(&t, strbuf_get(&where));
		table_cell(&t, get_text(c, "mechanism"));
		table_cell(&t, strbuf_get(&members));
		table_cell(&t, strbuf_get(&why));
	}
	if (t.n == t.columns)
		return;
	strbuf_add(out, "\n");
	table_print(&t, out);
}

static void render_sets(const json_t *list, struct strbuf *out)
{
	const json_t *s;
	size_t i;

	json_array_foreach(list, i, s)
		if (!str_eq(get_text(s, "state"), "ready"))
			strbuf_addf(out, "\ninterface set %s is %s: %s\n", get_text(s, "name"),
				    get_text(s, "state"), get_text(s, "message"));
}

static void render_files(const json_t *list, struct strbuf *out)
{
	const json_t *f, *e;
	size_t i, k;

	json_array_foreach(list, i, f) {
		if (str_eq(get_text(f, "state"), "applied"))
			continue;
		strbuf_addf(out, "\n%s is %s", get_text(f, "path"), get_text(f, "state"));
		if (str_eq(get_text(f, "in_force"), "previous"))
			strbuf_add(out, ", its last good version is in force");
		strbuf_add(out, "\n");
		json_array_foreach(json_object_get(f, "errors"), k, e) {
			strbuf_addf(out, "  %s", get_text(f, "path"));
			if (has_value(e, "line"))
				strbuf_addf(out, ":%" JSON_INTEGER_FORMAT ":%" JSON_INTEGER_FORMAT,
					    get_number(e, "line"), get_number(e, "column"));
			strbuf_addf(out, ": %s", get_text(e, "message"));
			if (has_value(e, "hint"))
				strbuf_addf(out, "; %s", get_text(e, "hint"));
			strbuf_add(out, "\n");
		}
	}
}

/* So much of a token tells one set of operations from another; `confirm` takes any part from its start. */
#define TOKEN_SHOWN 12

static void render_held(const json_t *status, struct strbuf *out)
{
	const json_t *list = json_object_get(status, "held"), *h;
	size_t i, n = json_array_size(list);

	if (n)
		strbuf_addf(out, "\n%zu operation%s for `bpfsharectl confirm %.*s`:\n", n,
			    n == 1 ? " waits" : "s wait", TOKEN_SHOWN,
			    get_text(status, "confirmation"));
	json_array_foreach(list, i, h)
		strbuf_addf(out, "  %s: %s\n", get_text(h, "key"), get_text(h, "reason"));
}

static void render_failures(const json_t *list, struct strbuf *out)
{
	const json_t *f;
	size_t i, n = json_array_size(list);

	if (n)
		strbuf_addf(out, "\n%zu operation%s failed and will be tried again:\n", n,
			    n == 1 ? "" : "s");
	json_array_foreach(list, i, f)
		strbuf_addf(out, "  %s: %s: %s\n", get_text(f, "subject"), get_text(f, "reason"),
			    get_text(f, "message"));
}

static void render_headline(const json_t *status, struct strbuf *out)
{
	const json_t *summary = json_object_get(status, "summary"), *daemon;
	size_t parts = 0;

	strbuf_addf(out, "%s",
		    json_is_true(json_object_get(status, "converged")) ? "converged" :
									 "not converged");
	for (size_t i = 0; i < STATE_COUNT; i++) {
		json_int_t n = get_number(summary, state_names[i]);

		if (n)
			strbuf_addf(out, "%s%" JSON_INTEGER_FORMAT " %s", parts++ ? ", " : ": ", n,
				    state_names[i]);
	}
	if (json_is_true(json_object_get(status, "suspended")))
		strbuf_add(out, "; suspended: nothing is changed until `bpfsharectl resume`");
	strbuf_addf(out, "\ngeneration %.12s", get_text(status, "generation"));
	daemon = json_object_get(status, "daemon");
	if (json_is_object(daemon))
		strbuf_addf(out, ", bpfshared %s, pid %" JSON_INTEGER_FORMAT,
			    get_text(daemon, "version"), get_number(daemon, "pid"));
	strbuf_add(out, "\n");
	if (has_value(status, "trouble"))
		strbuf_addf(out, "trouble: %s\n", get_text(status, "trouble"));
	if (has_value(status, "warning"))
		strbuf_addf(out, "warning: %s\n", get_text(status, "warning"));
}

void render_status(const json_t *status, struct strbuf *out)
{
	render_headline(status, out);
	render_objects(json_object_get(status, "objects"), out);
	render_chains(json_object_get(status, "chains"), out);
	render_shares(json_object_get(status, "shares"), out);
	render_sets(json_object_get(status, "interfaces"), out);
	render_files(json_object_get(status, "files"), out);
	render_held(status, out);
	render_failures(json_object_get(status, "failures"), out);
}

/* --- show ----------------------------------------------------------------- */

static void add_runs(struct strbuf *out, const json_t *j)
{
	json_int_t runs = get_number(j, "run_count"), ns = get_number(j, "run_ns");

	if (runs)
		strbuf_addf(out,
			    "   %" JSON_INTEGER_FORMAT " runs, %" JSON_INTEGER_FORMAT " ns each",
			    runs, ns / runs);
}

/* "pass, drop" of an array of words. */
static void add_words(struct strbuf *out, const json_t *list)
{
	const json_t *w;
	size_t i;

	json_array_foreach(list, i, w)
		strbuf_addf(out, "%s%s", i ? ", " : "", json_string_value(w));
	if (!json_array_size(list))
		strbuf_add(out, "no verdict");
}

static void render_member(const json_t *m, bool last, struct strbuf *out)
{
	cleanup(strbuf_done) struct strbuf title = { 0 };

	strbuf_addf(&title, "%" JSON_INTEGER_FORMAT "  ", get_number(m, "position"));
	if (has_value(m, "object"))
		strbuf_addf(&title, "%s/", get_text(m, "object"));
	strbuf_add(&title, get_text(m, "program"));
	strbuf_addf(out, "    +--------------------------------------------+\n    | %-42s |",
		    strbuf_get(&title));
	if (has_value(m, "priority"))
		strbuf_addf(out, "  priority %" JSON_INTEGER_FORMAT, get_number(m, "priority"));
	if (has_value(m, "id"))
		strbuf_addf(out, "  program id %" JSON_INTEGER_FORMAT, get_number(m, "id"));
	else
		strbuf_add(out, has_value(m, "object") ? "  not loaded" : "  a filter without BPF");
	if (str_eq(get_text(m, "owner"), "foreign"))
		strbuf_add(out, "  foreign");
	add_runs(out, m);
	strbuf_add(out, "\n    +--------------------------------------------+\n        |");
	if (!last) {
		strbuf_add(out, " on ");
		add_words(out, json_object_get(m, "proceed_on"));
		strbuf_add(out, "; any other verdict stands");
	}
	strbuf_add(out, "\n");
}

static void render_chain(const json_t *c, struct strbuf *out)
{
	const json_t *members = json_object_get(c, "members"), *m;
	size_t i;

	add_interface(out, c);
	if (has_value(c, "ifindex"))
		strbuf_addf(out, " (ifindex %" JSON_INTEGER_FORMAT ")", get_number(c, "ifindex"));
	strbuf_addf(out, ": %s", get_text(c, "hook"));
	if (is_tc(c))
		strbuf_addf(out, " %s", get_text(c, "direction"));
	if (has_value(c, "mode"))
		strbuf_addf(out, ", %s mode", get_text(c, "mode"));
	if (has_value(c, "mechanism"))
		strbuf_addf(out, ", mechanism %s", get_text(c, "mechanism"));
	if (json_is_true(json_object_get(c, "exclusive")))
		strbuf_add(out, ", exclusive");
	if (has_value(c, "mechanism_reason"))
		strbuf_addf(out, "\n    %s%s: %s",
			    is_tc(c) ? "" : "not libxdp: ", get_text(c, "mechanism_reason"),
			    get_text(c, "mechanism_message"));
	strbuf_add(out, "\n\n        | packets\n        v\n");
	if (has_value(c, "dispatcher_id") && is_tc(c)) {
		strbuf_addf(out, "    [ ours in a dispatcher, program id %" JSON_INTEGER_FORMAT,
			    get_number(c, "dispatcher_id"));
		add_runs(out, c);
		strbuf_add(out, " ]\n        |\n");
	} else if (has_value(c, "dispatcher_id")) {
		strbuf_addf(out, "    [ dispatcher, program id %" JSON_INTEGER_FORMAT " ]",
			    get_number(c, "dispatcher_id"));
		add_runs(out, c);
		strbuf_add(out, "\n        |\n");
	}
	json_array_foreach(members, i, m)
		render_member(m, i + 1 == json_array_size(members), out);
	strbuf_add(out,
		   is_tc(c) ? "        v\n    next goes on: to filters of clsact behind TCX, "
			      "then to the kernel\n" :
			      "        v\n    the last verdict stands: pass goes to the kernel\n");
}

static void render_condition(const json_t *j, struct strbuf *out)
{
	cleanup(strbuf_done) struct strbuf why = { 0 };

	add_why(&why, j);
	strbuf_addf(out, "%s", get_text(j, "state"));
	if (has_value(j, "since"))
		strbuf_addf(out, " since %s", get_text(j, "since"));
	if (why.len)
		strbuf_addf(out, "\n    %s", strbuf_get(&why));
	strbuf_add(out, "\n");
}

static void render_log(const char *log, struct strbuf *out)
{
	strbuf_add(out, "  the verifier's own words (the end):\n");
	while (*log) {
		size_t n = strcspn(log, "\n");

		strbuf_add(out, "    | ");
		strbuf_addn(out, log, n);
		strbuf_add(out, "\n");
		log += n + (log[n] == '\n');
	}
}

static void render_program(const json_t *p, struct strbuf *out)
{
	const json_t *row;
	size_t i;

	strbuf_addf(out, "  program %s (%s)", get_text(p, "name"), get_text(p, "type"));
	json_array_foreach(json_object_get(p, "loads"), i, row)
		strbuf_addf(out, ", %sid %" JSON_INTEGER_FORMAT ", tag %s",
			    str_eq(get_text(row, "mechanism"), "libxdp") ? "for libxdp " : "",
			    get_number(row, "id"), get_text(row, "tag"));
	strbuf_add(out, "\n");
	json_array_foreach(json_object_get(p, "attachments"), i, row) {
		strbuf_addf(out, "    %s%s%s on ", get_text(row, "hook"), is_tc(row) ? " " : "",
			    is_tc(row) ? get_text(row, "direction") : "");
		if (has_value(row, "interface"))
			add_interface(out, row);
		else
			strbuf_add(out, get_text(row, "selector"));
		strbuf_addf(out, ", priority %" JSON_INTEGER_FORMAT ": ",
			    get_number(row, "priority"));
		render_condition(row, out);
	}
}

static void render_map(const json_t *m, struct strbuf *out)
{
	strbuf_addf(out, "  map %s (%s), ", get_text(m, "name"), get_text(m, "type"));
	if (has_value(m, "entries"))
		strbuf_addf(out, "%" JSON_INTEGER_FORMAT " of ", get_number(m, "entries"));
	strbuf_addf(out, "%" JSON_INTEGER_FORMAT " entries%s", get_number(m, "max_entries"),
		    has_value(m, "entries") ? "" : " at most");
	if (has_value(m, "id"))
		strbuf_addf(out, ", id %" JSON_INTEGER_FORMAT, get_number(m, "id"));
	strbuf_add(out, "\n");
}

static void render_object(const json_t *o, struct strbuf *out)
{
	const json_t *row;
	size_t i;

	strbuf_addf(out, "object %s: ", get_text(o, "name"));
	render_condition(o, out);
	strbuf_addf(out, "  file %s, declared at %s, in force: %s\n", get_text(o, "file"),
		    get_text(o, "origin"), get_text(o, "in_force"));
	json_array_foreach(json_object_get(o, "programs"), i, row)
		render_program(row, out);
	json_array_foreach(json_object_get(o, "maps"), i, row)
		render_map(row, out);
	if (*get_text(o, "log"))
		render_log(get_text(o, "log"), out);
}

static void render_share(const json_t *s, struct strbuf *out)
{
	const json_t *row;
	size_t i;

	strbuf_addf(out, "share %s: ", get_text(s, "name"));
	render_condition(s, out);
	strbuf_addf(out, "  declared at %s\n", get_text(s, "origin"));
	json_array_foreach(json_object_get(s, "targets"), i, row) {
		strbuf_addf(out, "  %s at %s: ", get_text(row, "type"), get_text(row, "path"));
		render_condition(row, out);
	}
	json_array_foreach(json_object_get(s, "maps"), i, row) {
		bool ro = str_eq(get_text(row, "access"), "ro");

		strbuf_addf(out, "  %s as %s, %s", get_text(row, "map"), get_text(row, "as"),
			    ro ? "read-only: bpf_obj_get_opts() with BPF_F_RDONLY" :
				 "read and write");
		if (has_value(row, "id"))
			strbuf_addf(out, ", map id %" JSON_INTEGER_FORMAT, get_number(row, "id"));
		strbuf_add(out, "\n");
	}
}

typedef void (*show_fn)(const json_t *j, struct strbuf *out);

static bool show_all(const json_t *list, const char *key, const char *name, show_fn show,
		     struct strbuf *out)
{
	size_t i, length = strlen(name);
	const json_t *j;
	bool found = false;

	json_array_foreach(list, i, j) {
		const char *have = get_text(j, key);

		if (!str_starts(have, name) || (have[length] && have[length] != '@'))
			continue;
		if (found)
			strbuf_add(out, "\n");
		show(j, out);
		found = true;
	}
	return found;
}

/* By "eth0", which may be in several namespaces, or by "blue:eth0". */
static bool show_chains(const json_t *list, const char *name, struct strbuf *out)
{
	const json_t *j;
	bool found = false;
	size_t i;

	json_array_foreach(list, i, j) {
		cleanup(strbuf_done) struct strbuf label = { 0 };

		add_interface(&label, j);
		if (!str_eq(get_text(j, "interface"), name) && !str_eq(strbuf_get(&label), name))
			continue;
		if (found)
			strbuf_add(out, "\n");
		render_chain(j, out);
		found = true;
	}
	return found;
}

bool render_show(const json_t *status, const char *name, struct strbuf *out)
{
	bool found = show_chains(json_object_get(status, "chains"), name, out);

	found |= show_all(json_object_get(status, "objects"), "name", name, render_object, out);
	found |= show_all(json_object_get(status, "shares"), "name", name, render_share, out);
	return found;
}

/* --- plan, events, features ----------------------------------------------- */

void render_plan(const json_t *plan, struct strbuf *out)
{
	const json_t *ops = json_object_get(plan, "operations"),
		     *held = json_object_get(plan, "held"),
		     *problems = json_object_get(plan, "problems");
	const json_t *op, *problem, *message;
	size_t i;

	if (json_is_true(json_object_get(plan, "suspended")))
		strbuf_add(out, "suspended: nothing is changed until `bpfsharectl resume`\n");
	json_array_foreach(json_object_get(plan, "contested"), i, message)
		strbuf_addf(out, "left alone for now: " REASON_CONTESTED ": %s\n",
			    json_string_value(message));
	json_array_foreach(ops, i, op)
		strbuf_addf(out, "%3zu  %s\n", i + 1, get_text(op, "text"));
	if (json_array_size(held))
		strbuf_addf(out, "held until `bpfsharectl confirm %.*s`:\n", TOKEN_SHOWN,
			    get_text(plan, "confirmation"));
	json_array_foreach(held, i, op)
		strbuf_addf(out, "     %s\n", get_text(op, "text"));
	if (!json_array_size(ops) && !json_array_size(held))
		strbuf_add(out, json_array_size(problems) ?
					"nothing that could be done:\n" :
					"nothing to do: the kernel is as the files say\n");
	else if (json_array_size(problems))
		strbuf_add(out, "what that does not bring about:\n");
	json_array_foreach(problems, i, problem)
		strbuf_addf(out, "     %s %s is %s: %s: %s\n", get_text(problem, "kind"),
			    get_text(problem, "name"), get_text(problem, "state"),
			    get_text(problem, "reason"), get_text(problem, "message"));
}

void render_event(const json_t *event, struct strbuf *out)
{
	strbuf_addf(out, "%s  %-13s  %-24s  ", get_text(event, "time"), get_text(event, "kind"),
		    get_text(event, "key"));
	if (has_value(event, "reason"))
		strbuf_addf(out, "%s: ", get_text(event, "reason"));
	strbuf_addf(out, "%s\n", get_text(event, "message"));
}

void render_features(const json_t *features, struct strbuf *out)
{
	cleanup(table_done) struct table t = { .columns = 3 };
	const json_t *f;
	size_t i;

	json_array_foreach(json_object_get(features, "features"), i, f) {
		table_cell(&t, get_text(f, "name"));
		table_cell(&t, json_is_true(json_object_get(f, "available")) ? "yes" : "no");
		table_cell(&t, get_text(f, "detail"));
	}
	table_print(&t, out);
}
