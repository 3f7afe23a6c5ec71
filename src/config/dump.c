/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The canonical form of what files declare: sorted, one spelling of everything, every default
 * that is a choice written out, and nothing of what was left out where leaving out means "none".
 */
#include "config/config.h"

#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/macros.h"
#include "config/utf8.h"

/* ---- scalars ---- */

/* Always in double quotes, so that nothing can be taken for another type or for syntax. */
static void add_string(struct strbuf *out, const char *s)
{
	size_t n = strlen(s);

	strbuf_addc(out, '"');
	for (size_t i = 0; i < n;) {
		uint32_t c = 0;
		size_t len = utf8_decode(s + i, n - i, &c);

		if (c == '"' || c == '\\')
			strbuf_addf(out, "\\%c", (char)c);
		else if (c == '\n')
			strbuf_add(out, "\\n");
		else if (c == '\t')
			strbuf_add(out, "\\t");
		else if (len && utf8_is_printable(c))
			strbuf_addn(out, s + i, len);
		else if (c <= 0xff)
			strbuf_addf(out, "\\x%02x", c);
		else
			strbuf_addf(out, "\\u%04x", c);
		i += len ? len : 1;
	}
	strbuf_addc(out, '"');
}

static bool is_plain_key(const char *s)
{
	static const char *const words[] = { "null", "true", "false" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcmp(s, words[i]) == 0)
			return false;
	return identifier_is_valid(s);
}

static void add_key(struct strbuf *out, const char *s)
{
	if (is_plain_key(s))
		strbuf_add(out, s);
	else
		add_string(out, s);
	strbuf_add(out, ":");
}

static void add_bool(struct strbuf *out, bool b)
{
	strbuf_add(out, b ? "true" : "false");
}

static void add_strings(struct strbuf *out, const struct string_list *l)
{
	strbuf_addc(out, '[');
	for (size_t i = 0; i < l->n; i++) {
		strbuf_add(out, i ? ", " : "");
		add_string(out, l->v[i]);
	}
	strbuf_addc(out, ']');
}

/* "NAME:" on a line of its own, so many levels deep. */
static void add_heading(struct strbuf *out, unsigned int level, const char *name)
{
	strbuf_addf(out, "%*s", (int)level * 2, "");
	add_key(out, name);
	strbuf_addc(out, '\n');
}

/* The beginning of "KEY: value". */
static void add_indented(struct strbuf *out, unsigned int level, const char *key)
{
	strbuf_addf(out, "%*s%s: ", (int)level * 2, "", key);
}

/* ---- interfaces ---- */

static void add_match_strings(struct strbuf *out, const char **separator, const char *key,
			      const struct string_list *l)
{
	if (!l->n)
		return;
	strbuf_addf(out, "%s%s: ", *separator, key);
	add_strings(out, l);
	*separator = ", ";
}

static void add_match(struct strbuf *out, const struct interface_match *m)
{
	const char *separator = "";

	strbuf_add(out, "      - {");
	add_match_strings(out, &separator, "name", &m->names);
	add_match_strings(out, &separator, "driver", &m->drivers);
	add_match_strings(out, &separator, "mac", &m->macs);
	add_match_strings(out, &separator, "kind", &m->kinds);
	for (size_t i = 0; i < m->group_count; i++) {
		strbuf_addf(out, "%s%s%u", i ? "" : separator, i ? ", " : "group: [", m->groups[i]);
		separator = ", ";
	}
	strbuf_add(out, m->group_count ? "]" : "");
	if (m->has_physical) {
		strbuf_addf(out, "%sphysical: ", separator);
		add_bool(out, m->physical);
	}
	strbuf_add(out, "}\n");
}

static void add_matches(struct strbuf *out, const char *key, const struct interface_match *v,
			size_t n)
{
	if (n)
		add_heading(out, 2, key);
	for (size_t i = 0; i < n; i++)
		add_match(out, &v[i]);
}

static void add_set(struct strbuf *out, const struct interface_set *s)
{
	add_heading(out, 1, s->name);
	add_matches(out, "select", s->select, s->select_count);
	add_matches(out, "except", s->except, s->except_count);
	add_indented(out, 2, "optional");
	add_bool(out, s->optional);
	strbuf_addc(out, '\n');
	if (s->netns) {
		add_indented(out, 2, "netns");
		add_string(out, s->netns);
		strbuf_addc(out, '\n');
	}
	if (s->has_tc)
		strbuf_addf(out, "    tc: {mechanism: %s}\n", tc_mechanism_names[s->tc.mechanism]);
	if (!s->has_xdp)
		return;
	add_indented(out, 2, "xdp");
	strbuf_addf(out, "{mode: %s, mechanism: %s, on_foreign: %s, exclusive: ",
		    xdp_mode_names[s->xdp.mode], mechanism_names[s->xdp.mechanism],
		    on_foreign_names[s->xdp.on_foreign]);
	add_bool(out, s->xdp.exclusive);
	strbuf_add(out, "}\n");
}

/* ---- objects ---- */

static void add_kernels(struct strbuf *out, const struct condition *c)
{
	static const char *const signs[] = {
		[VERSION_GE] = ">=", [VERSION_GT] = ">",  [VERSION_LE] = "<=",
		[VERSION_LT] = "<",  [VERSION_EQ] = "==",
	};

	strbuf_add(out, "      kernel: \"");
	for (size_t i = 0; i < c->kernel_count; i++)
		strbuf_addf(out, "%s%s %u.%u.%u", i ? ", " : "", signs[c->kernels[i].operator],
			    c->kernels[i].version.major, c->kernels[i].version.minor,
			    c->kernels[i].version.patch);
	strbuf_add(out, "\"\n");
}

static void add_when_strings(struct strbuf *out, const char *key, const struct string_list *l)
{
	if (!l->n)
		return;
	add_indented(out, 3, key);
	add_strings(out, l);
	strbuf_addc(out, '\n');
}

static void add_when(struct strbuf *out, const struct condition *c)
{
	if (!c->present)
		return;
	if (!c->hosts.n && !c->label_count && !c->kernel_count && !c->archs.n && !c->features.n) {
		strbuf_add(out, "    when: {}\n");
		return;
	}
	add_heading(out, 2, "when");
	add_when_strings(out, "host", &c->hosts);
	if (c->label_count)
		add_heading(out, 3, "label");
	for (size_t i = 0; i < c->label_count; i++) {
		strbuf_add(out, "        ");
		add_key(out, c->labels[i].key);
		strbuf_addc(out, ' ');
		add_string(out, c->labels[i].value);
		strbuf_addc(out, '\n');
	}
	if (c->kernel_count)
		add_kernels(out, c);
	add_when_strings(out, "arch", &c->archs);
	add_when_strings(out, "feature", &c->features);
}

static int compare_keys(const void *left, const void *right)
{
	return strcmp((*(const struct value *const *)left)->text,
		      (*(const struct value *const *)right)->text);
}

static void add_value(struct strbuf *out, const struct value *v);

static void add_value_mapping(struct strbuf *out, const struct value *v)
{
	cleanup(arena_freep) struct arena *a = arena_new();
	const struct value **sorted = arena_calloc(a, v->n, sizeof(*sorted));

	for (size_t i = 0; i < v->n; i++)
		sorted[i] = &v->keys[i];
	if (v->n)
		qsort(sorted, v->n, sizeof(*sorted), compare_keys);
	strbuf_addc(out, '{');
	for (size_t i = 0; i < v->n; i++) {
		strbuf_add(out, i ? ", " : "");
		add_key(out, sorted[i]->text);
		strbuf_addc(out, ' ');
		add_value(out, &v->items[sorted[i] - v->keys]);
	}
	strbuf_addc(out, '}');
}

static void add_value(struct strbuf *out, const struct value *v)
{
	switch (v->kind) {
	case VALUE_NULL:
		strbuf_add(out, "null");
		break;
	case VALUE_BOOL:
		add_bool(out, v->boolean);
		break;
	case VALUE_INTEGER:
		strbuf_addf(out, "%s%" PRIu64, v->negative ? "-" : "", v->magnitude);
		break;
	case VALUE_FLOAT: /* as written: no other spelling is sure to mean the same */
		strbuf_add(out, v->text);
		break;
	case VALUE_STRING:
		add_string(out, v->text);
		break;
	case VALUE_LIST:
		strbuf_addc(out, '[');
		for (size_t i = 0; i < v->n; i++) {
			strbuf_add(out, i ? ", " : "");
			add_value(out, &v->items[i]);
		}
		strbuf_addc(out, ']');
		break;
	case VALUE_MAPPING:
		add_value_mapping(out, v);
		break;
	case VALUE_KIND_COUNT:
		break;
	}
}

static void add_globals(struct strbuf *out, const struct object_decl *o)
{
	if (o->global_count)
		add_heading(out, 2, "globals");
	for (size_t i = 0; i < o->global_count; i++) {
		strbuf_add(out, "      ");
		add_key(out, o->globals[i].name);
		strbuf_addc(out, ' ');
		add_value(out, o->globals[i].value);
		strbuf_addc(out, '\n');
	}
}

/* Not every map may have `on_change`, so it stands here where it stands in the file. */
static void add_own_map(struct strbuf *out, const struct map_decl *m)
{
	bool changes = m->on_change_origin.line;

	strbuf_add(out, " {");
	if (m->max_entries)
		strbuf_addf(out, "max_entries: %u%s", m->max_entries, changes ? ", " : "");
	if (changes)
		strbuf_addf(out, "on_change: %s", on_change_names[m->on_change]);
	strbuf_add(out, "}\n");
}

static void add_maps(struct strbuf *out, const struct object_decl *o)
{
	if (o->map_count)
		add_heading(out, 2, "maps");
	for (size_t i = 0; i < o->map_count; i++) {
		const struct map_decl *m = &o->maps[i];

		strbuf_add(out, "      ");
		add_key(out, m->name);
		if (m->use_object)
			strbuf_addf(out, " {use: \"%s/%s\"}\n", m->use_object, m->use_map);
		else
			add_own_map(out, m);
	}
}

static void add_references(struct strbuf *out, const char *key, const struct program_reference *v,
			   size_t n)
{
	if (!n)
		return;
	strbuf_addf(out, "            %s: [", key);
	for (size_t i = 0; i < n; i++)
		strbuf_addf(out, "%s\"%s/%s\"", i ? ", " : "", v[i].object, v[i].program);
	strbuf_add(out, "]\n");
}

static void add_proceed_on(struct strbuf *out, const struct attach_decl *a)
{
	cleanup(arena_freep) struct arena *scratch = arena_new();

	strbuf_addf(out, "            proceed_on: [%s]\n",
		    a->proceed_on ? verdicts_format(scratch, a->hook, a->proceed_on) : "");
}

static void add_attach(struct strbuf *out, const struct attach_decl *a)
{
	strbuf_addf(out, "          - %s: {interface: ", hook_names[a->hook]);
	add_strings(out, &a->interfaces);
	if (a->netns) {
		strbuf_add(out, ", netns: ");
		add_string(out, a->netns);
	}
	if (a->hook == HOOK_TC)
		strbuf_addf(out, ", direction: %s", tc_direction_names[a->direction]);
	strbuf_add(out, "}\n");
	if (a->has_priority)
		strbuf_addf(out, "            priority: %u\n", a->priority);
	add_references(out, "before", a->before, a->before_count);
	add_references(out, "after", a->after, a->after_count);
	if (a->has_proceed_on)
		add_proceed_on(out, a);
	strbuf_addf(out, "            on_missing: %s\n", on_missing_names[a->on_missing]);
}

static void add_programs(struct strbuf *out, const struct object_decl *o)
{
	if (o->program_count)
		add_heading(out, 2, "programs");
	for (size_t i = 0; i < o->program_count; i++) {
		const struct program_decl *p = &o->programs[i];

		strbuf_add(out, "      ");
		add_key(out, p->name);
		strbuf_add(out, p->attach_count ? "\n        attach:\n" : " {}\n");
		for (size_t k = 0; k < p->attach_count; k++)
			add_attach(out, &p->attach[k]);
	}
}

static void add_object(struct strbuf *out, const struct object_decl *o)
{
	add_heading(out, 1, o->name);
	add_indented(out, 2, "file");
	add_string(out, o->path);
	strbuf_addc(out, '\n');
	if (o->sha256)
		strbuf_addf(out, "    sha256: \"%s\"\n", o->sha256);
	add_when(out, &o->when);
	strbuf_addf(out, "    suspend: %s\n    instances: %s\n", o->suspend ? "true" : "false",
		    instances_names[o->instances]);
	add_globals(out, o);
	add_maps(out, o);
	add_programs(out, o);
}

/* ---- shares ---- */

static void add_optional(struct strbuf *out, const char *key, const char *name)
{
	if (!name)
		return;
	strbuf_addf(out, "%s: ", key);
	add_string(out, name);
	strbuf_add(out, ", ");
}

static void add_share_map(struct strbuf *out, const struct share_map *m)
{
	cleanup(freep) char *name = xasprintf("%s/%s", m->object, m->map);

	strbuf_add(out, "      - {map: ");
	add_string(out, name);
	strbuf_addf(out, ", as: \"%s\", access: %s, ", m->alias, access_names[m->access]);
	if (m->interface) {
		strbuf_add(out, "interface: ");
		add_string(out, m->interface);
		strbuf_add(out, ", ");
	}
	strbuf_add(out, "unsafe: ");
	add_bool(out, m->unsafe);
	strbuf_add(out, "}\n");
}

static void add_share(struct strbuf *out, const struct share_decl *s)
{
	add_heading(out, 1, s->name);
	strbuf_add(out, s->map_count ? "    maps:\n" : "    maps: []\n");
	for (size_t i = 0; i < s->map_count; i++)
		add_share_map(out, &s->maps[i]);
	strbuf_add(out, s->target_count ? "    targets:\n" : "    targets: []\n");
	for (size_t i = 0; i < s->target_count; i++) {
		const struct share_target *t = &s->targets[i];

		strbuf_addf(out, "      - %s: {", target_type_names[t->type]);
		add_optional(out, "path", t->path);
		add_optional(out, "group", t->group);
		add_optional(out, "user", t->user);
		strbuf_addf(out, "mode: \"%04o\"}\n", t->mode);
	}
}

void config_dump(const struct desired *d, struct strbuf *out)
{
	strbuf_add(out, "version: 1\n");
	if (d->set_count)
		add_heading(out, 0, "interfaces");
	for (size_t i = 0; i < d->set_count; i++)
		add_set(out, &d->sets[i]);
	if (d->object_count)
		add_heading(out, 0, "objects");
	for (size_t i = 0; i < d->object_count; i++)
		add_object(out, &d->objects[i]);
	if (d->share_count)
		add_heading(out, 0, "shares");
	for (size_t i = 0; i < d->share_count; i++)
		add_share(out, &d->shares[i]);
}
