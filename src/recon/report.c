/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Status, plan and events as JSON. Absent is null, never missing; ids are numbers; times are RFC 3339 in UTC. */
#include "recon/report.h"

#include <string.h>

#include "base/str.h"
#include "model/op.h"

static json_t *text(const char *s)
{
	/* Names of files and messages of the kernel may hold any bytes; JSON may not. */
	json_t *j = s ? json_string(s) : json_null();

	return j ? j : json_string("(not UTF-8)");
}

static json_t *number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static json_t *number_or_null(int64_t n, bool present)
{
	return present ? json_integer((json_int_t)n) : json_null();
}

static void set(json_t *object, const char *key, json_t *value)
{
	(void)json_object_set_new(object, key, value);
}

static json_t *time_text(const struct timespec *t)
{
	char s[40];
	struct tm tm;

	if (!t->tv_sec || !gmtime_r(&t->tv_sec, &tm))
		return json_null();
	strftime(s, sizeof(s) - 8, "%Y-%m-%dT%H:%M:%S", &tm);
	return json_sprintf("%s.%03ldZ", s, t->tv_nsec / 1000000);
}

static json_t *origin_text(const struct origin *o)
{
	if (!o->file)
		return json_null();
	return o->line ? json_sprintf("%s:%u", o->file, o->line) : json_string(o->file);
}

static void set_condition(json_t *j, const struct condition_status *c)
{
	set(j, "state", text(state_names[c->state]));
	set(j, "reason", text(c->reason));
	set(j, "message", text(c->message));
	set(j, "since", time_text(&c->since));
}

static json_t *verdicts(enum hook hook, uint32_t mask)
{
	json_t *list = json_array();

	const char *const *names = hook == HOOK_TC ? tc_verdict_names : xdp_verdict_names;
	unsigned int count = hook == HOOK_TC ? TC_VERDICT_COUNT : XDP_VERDICT_COUNT;

	for (unsigned int i = 0; i < count; i++)
		if (mask & (1u << i))
			(void)json_array_append_new(list, text(names[i]));
	return list;
}

static json_t *mechanism_text(enum mechanism m)
{
	return m == MECHANISM_AUTO ? json_null() : text(mechanism_names[m]);
}

static json_t *direction_text(enum hook hook, enum tc_direction direction)
{
	return hook == HOOK_TC ? text(tc_direction_names[direction]) : json_null();
}

static json_t *mode_text(enum xdp_attached mode)
{
	switch (mode) {
	case XDP_DRIVER:
		return text("native");
	case XDP_GENERIC:
		return text("generic");
	case XDP_HARDWARE:
		return text("offload");
	default:
		return json_null();
	}
}

static json_t *file_json(const struct desired_file *f)
{
	json_t *j = json_object(), *errors = json_array();

	for (size_t i = 0; i < f->error_count; i++) {
		const struct file_error *e = &f->errors[i];
		json_t *row = json_object();

		set(row, "line", number_or_null(e->line, e->line));
		set(row, "column", number_or_null(e->column, e->column));
		set(row, "message", text(e->message));
		set(row, "hint", text(e->hint));
		(void)json_array_append_new(errors, row);
	}
	set(j, "path", text(f->path));
	set(j, "state", text(file_state_names[f->state]));
	set(j, "in_force", text(in_force_names[f->in_force]));
	set(j, "errors", errors);
	return j;
}

static json_t *attachment_json(const struct status_attachment *t)
{
	json_t *j = json_object();

	set(j, "hook", text(hook_names[t->hook]));
	set(j, "selector", text(t->selector));
	set(j, "interface", text(t->interface));
	set(j, "ifindex", number_or_null(t->ifindex, t->ifindex));
	set(j, "netns", text(t->netns));
	set(j, "direction", direction_text(t->hook, t->direction));
	set(j, "priority", number(t->priority));
	set(j, "position", number_or_null(t->position, t->position >= 0));
	set(j, "mechanism", mechanism_text(t->mechanism));
	set_condition(j, &t->condition);
	set(j, "origin", origin_text(&t->origin));
	return j;
}

static json_t *program_json(struct arena *a, const struct status_program *p)
{
	json_t *j = json_object(), *loads = json_array(), *attachments = json_array();

	for (size_t i = 0; i < p->load_count; i++) {
		json_t *row = json_object();

		set(row, "mechanism", mechanism_text(p->loads[i].mechanism));
		set(row, "id", number(p->loads[i].id));
		set(row, "tag", text(p->loads[i].tag));
		(void)json_array_append_new(loads, row);
	}
	for (size_t i = 0; i < p->attachment_count; i++)
		(void)json_array_append_new(attachments, attachment_json(&p->attachments[i]));
	set(j, "name", text(p->name));
	set(j, "type", text(program_type_name(a, p->type)));
	set(j, "loads", loads);
	set(j, "attachments", attachments);
	return j;
}

static json_t *map_json(struct arena *a, const struct status_map *m)
{
	json_t *j = json_object();

	set(j, "name", text(m->name));
	set(j, "id", number_or_null(m->id, m->id));
	set(j, "type", text(map_type_name(a, m->type)));
	set(j, "max_entries", number(m->max_entries));
	set(j, "entries", json_null());
	return j;
}

static json_t *object_json(struct arena *a, const struct status_object *o)
{
	json_t *j = json_object(), *programs = json_array(), *maps = json_array();

	for (size_t i = 0; i < o->program_count; i++)
		(void)json_array_append_new(programs, program_json(a, &o->programs[i]));
	for (size_t i = 0; i < o->map_count; i++)
		(void)json_array_append_new(maps, map_json(a, &o->maps[i]));
	set(j, "name", text(o->name));
	set(j, "file", text(o->file));
	set(j, "origin", origin_text(&o->origin));
	set_condition(j, &o->condition);
	set(j, "in_force", text(in_force_names[o->in_force]));
	set(j, "log", text(o->log));
	set(j, "programs", programs);
	set(j, "maps", maps);
	return j;
}

static json_t *member_json(const struct status_chain *c, const struct status_member *m)
{
	json_t *j = json_object();

	set(j, "position", number((uint64_t)m->position));
	set(j, "object", text(m->object));
	set(j, "program", text(m->program));
	set(j, "id", number_or_null(m->id, m->id));
	set(j, "priority", number_or_null(m->priority, m->priority >= 0));
	set(j, "proceed_on", verdicts(c->hook, m->proceed_on));
	set(j, "owner", text(m->ours ? "ours" : "foreign"));
	set(j, "run_count", number(m->run_count));
	set(j, "run_ns", number(m->run_ns));
	return j;
}

static json_t *chain_json(const struct status_chain *c)
{
	json_t *j = json_object(), *members = json_array();

	for (size_t i = 0; i < c->member_count; i++)
		(void)json_array_append_new(members, member_json(c, &c->members[i]));
	set(j, "hook", text(hook_names[c->hook]));
	set(j, "interface", text(c->interface));
	set(j, "ifindex", number_or_null(c->ifindex, c->ifindex));
	set(j, "netns", text(c->netns));
	set(j, "direction", direction_text(c->hook, c->direction));
	set(j, "mechanism", mechanism_text(c->mechanism));
	set(j, "mechanism_reason", text(c->mechanism_reason));
	set(j, "mechanism_message", text(c->mechanism_message));
	set(j, "mode", mode_text(c->mode));
	set(j, "exclusive", json_boolean(c->exclusive));
	set(j, "dispatcher_id", number_or_null(c->dispatcher_id, c->dispatcher_id));
	set(j, "run_count", number(c->run_count));
	set(j, "run_ns", number(c->run_ns));
	set(j, "members", members);
	return j;
}

static json_t *share_json(const struct status_share *s)
{
	json_t *j = json_object(), *maps = json_array(), *targets = json_array();

	for (size_t i = 0; i < s->map_count; i++) {
		const struct status_share_map *m = &s->maps[i];
		json_t *row = json_object();

		set(row, "map", text(m->map));
		set(row, "as", text(m->alias));
		set(row, "access", text(access_names[m->access]));
		set(row, "id", number_or_null(m->id, m->id));
		(void)json_array_append_new(maps, row);
	}
	for (size_t i = 0; i < s->target_count; i++) {
		const struct status_target *t = &s->targets[i];
		json_t *row = json_object();

		set(row, "type", text(target_type_names[t->type]));
		set(row, "path", text(t->path));
		set_condition(row, &t->condition);
		(void)json_array_append_new(targets, row);
	}
	set(j, "name", text(s->name));
	set(j, "origin", origin_text(&s->origin));
	set_condition(j, &s->condition);
	set(j, "maps", maps);
	set(j, "targets", targets);
	return j;
}

static json_t *set_json(const struct status_set *s)
{
	json_t *j = json_object();

	set(j, "name", text(s->name));
	set(j, "origin", origin_text(&s->origin));
	set(j, "optional", json_boolean(s->optional));
	set(j, "matches", number(s->matches));
	set_condition(j, &s->condition);
	return j;
}

static json_t *held_json(const struct status_held *h)
{
	json_t *j = json_object();

	set(j, "key", text(h->key));
	set(j, "reason", text(h->reason));
	set(j, "origin", origin_text(&h->origin));
	return j;
}

static json_t *failure_json(const struct status_failure *f)
{
	json_t *j = json_object();

	set(j, "subject", text(f->subject));
	set(j, "reason", text(f->reason));
	set(j, "message", text(f->message));
	return j;
}

/* "fwd" also selects its instances "fwd@eth0". */
static bool is_selected(const char *name, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t length = strlen(names[i]);

		if (str_starts(name, names[i]) && (name[length] == '\0' || name[length] == '@'))
			return true;
	}
	return n == 0;
}

static json_t *summary_json(const struct status *s)
{
	json_t *j = json_object();

	for (size_t i = 0; i < STATE_COUNT; i++)
		set(j, state_names[i], number(s->summary[i]));
	return j;
}

static json_t *files_json(const struct status *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->file_count; i++)
		(void)json_array_append_new(list, file_json(&s->files[i]));
	return list;
}

static json_t *chains_json(const struct status *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->chain_count; i++)
		(void)json_array_append_new(list, chain_json(&s->chains[i]));
	return list;
}

static json_t *held_list_json(const struct status *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->held_count; i++)
		(void)json_array_append_new(list, held_json(&s->held[i]));
	return list;
}

static json_t *failures_json(const struct status *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->failure_count; i++)
		(void)json_array_append_new(list, failure_json(&s->failures[i]));
	return list;
}

json_t *report_status(const struct status *s, const char *const *names, size_t n)
{
	cleanup(arena_freep) struct arena *a = arena_new();
	json_t *j = json_object(), *objects = json_array(), *shares = json_array(),
	       *sets = json_array();

	for (size_t i = 0; i < s->object_count; i++)
		if (is_selected(s->objects[i].name, names, n))
			(void)json_array_append_new(objects, object_json(a, &s->objects[i]));
	for (size_t i = 0; i < s->share_count; i++)
		if (is_selected(s->shares[i].name, names, n))
			(void)json_array_append_new(shares, share_json(&s->shares[i]));
	for (size_t i = 0; i < s->set_count; i++)
		if (is_selected(s->sets[i].name, names, n))
			(void)json_array_append_new(sets, set_json(&s->sets[i]));
	set(j, "format", number(1));
	set(j, "generation", text(s->generation));
	set(j, "converged", json_boolean(s->converged));
	set(j, "suspended", json_boolean(s->suspended));
	set(j, "summary", summary_json(s));
	set(j, "files", files_json(s));
	set(j, "objects", objects);
	set(j, "chains", chains_json(s));
	set(j, "shares", shares);
	set(j, "interfaces", sets);
	set(j, "held", held_list_json(s));
	set(j, "failures", failures_json(s));
	set(j, "confirmation", text(s->held_token));
	return j;
}

static json_t *op_json(struct arena *a, const struct op *op)
{
	json_t *j = json_object(), *needs = json_array();

	for (size_t i = 0; i < op->need_count; i++)
		(void)json_array_append_new(needs, number(op->needs[i]));
	set(j, "operation", text(op_kind_names[op->kind]));
	set(j, "key", text(op->key));
	set(j, "reason", text(op->reason));
	set(j, "origin", origin_text(&op->origin));
	set(j, "text", text(op_format(a, op)));
	set(j, "needs", needs);
	return j;
}

static void add_problem(json_t *list, const char *kind, const char *name,
			const struct condition_status *c)
{
	json_t *j;

	if (c->state != STATE_FAILED && c->state != STATE_BLOCKED)
		return;
	j = json_object();
	set(j, "kind", text(kind));
	set(j, "name", text(name));
	set(j, "state", text(state_names[c->state]));
	set(j, "reason", text(c->reason));
	set(j, "message", text(c->message));
	(void)json_array_append_new(list, j);
}

/* What no operation of the plan will bring about. */
static json_t *problems_json(const struct status *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->object_count; i++)
		add_problem(list, "object", s->objects[i].name, &s->objects[i].condition);
	for (size_t i = 0; i < s->share_count; i++)
		add_problem(list, "share", s->shares[i].name, &s->shares[i].condition);
	for (size_t i = 0; i < s->set_count; i++)
		add_problem(list, "interface set", s->sets[i].name, &s->sets[i].condition);
	return list;
}

json_t *report_plan(const struct plan *p)
{
	cleanup(arena_freep) struct arena *a = arena_new();
	json_t *j = json_object(), *ops = json_array(), *held = json_array();

	for (size_t i = 0; i < p->op_count; i++)
		(void)json_array_append_new(ops, op_json(a, &p->ops[i]));
	for (size_t i = 0; i < p->held_count; i++)
		(void)json_array_append_new(held, op_json(a, &p->held[i]));
	set(j, "format", number(1));
	set(j, "operations", ops);
	set(j, "held", held);
	set(j, "confirmation", text(*p->held_token ? p->held_token : NULL));
	set(j, "problems", problems_json(p->status));
	return j;
}

json_t *report_event(const struct recon_event *e)
{
	json_t *j = json_object();

	set(j, "sequence", number(e->sequence));
	set(j, "time", time_text(&e->time));
	set(j, "kind", text(e->kind));
	set(j, "key", text(e->key));
	set(j, "reason", text(e->reason));
	set(j, "message", text(e->message));
	return j;
}

json_t *report_features(const struct feature *f, size_t n)
{
	json_t *j = json_object(), *list = json_array();

	for (size_t i = 0; i < n; i++) {
		json_t *row = json_object();

		set(row, "name", text(f[i].name));
		set(row, "available", json_boolean(f[i].available));
		set(row, "detail", text(f[i].detail));
		(void)json_array_append_new(list, row);
	}
	set(j, "format", number(1));
	set(j, "features", list);
	return j;
}
