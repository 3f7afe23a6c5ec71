/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * How the maps of a new version come by their contents. Most are the very maps of the version before:
 * nothing is copied, so nothing is lost, and whoever has one open goes on with it. That needs two
 * definitions that mean the same; where they do not, and the declaration allows nothing else, the
 * version before stays in force, and every such map is named at once.
 */
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/str.h"
#include "model/map_policy.h"
#include "plan/plan_internal.h"

#define DIGEST_SHOWN   16
#define VALUES_MOST    8192 /* bytes of metadata for the values of one section */
#define VARIABLES_MOST 8192 /* likewise for the names of all variables of an object */
#define NAMES_SHOWN    8    /* of each kind, in the reason of a load */

/* The largest page of any machine: a ring buffer of the same declared size may have grown to it. */
#define PAGE_MOST 65536

struct name_list {
	LIST(const char *) list;
};

struct taking {
	struct planner *p;
	const struct instance *i;
	const struct object_decl *decl;
	const struct observed_object *from; /* NULL: there is nothing to take over */
	bool same; /* of the very same declaration: no new version, but a repair */
	const char *version;
	LIST(struct op_map) maps;
	size_t variables; /* bytes of their names so far */
	struct strbuf refused, actions;
	bool grow_helps, reset_helps;
	struct dropped lacking; /* of what the version before has and the file has not */
	struct name_list kept, copied, carried, emptied, dropped;
};

/* One map of the file and what it was in the version before. */
struct pair {
	const struct elf_map *map;
	const struct map_decl *decl; /* NULL: nothing is declared for it */
	enum on_change on_change;
	struct map_policy policy;
	uint32_t entries; /* asked for */
	const struct observed_map *old;
	const struct meta_map *old_meta;
	struct op_map op;
	struct meta_map meta;
};

const struct map_decl *object_map_decl(const struct object_decl *o, const char *map)
{
	for (size_t i = 0; i < o->map_count; i++)
		if (str_eq(o->maps[i].name, map))
			return &o->maps[i];
	return NULL;
}

static const struct meta_map *find_meta(const struct meta_object *m, const char *map)
{
	for (size_t i = 0; i < m->map_count; i++)
		if (str_eq(m->maps[i].name, map))
			return &m->maps[i];
	return NULL;
}

/* --- what a declaration sets in a data section --------------------------------------------------- */

static const struct elf_variable *find_variable(const struct elf_object *elf,
						const struct global_value *v)
{
	for (size_t i = 0; i < elf->variable_count; i++) {
		const struct elf_variable *at = &elf->variables[i];

		if (str_eq(at->section, v->section) && v->offset >= at->offset &&
		    v->offset - at->offset < at->size)
			return at;
	}
	return NULL;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/*
 * "limit+0:0123456789abcdef", sorted: the variable, the place in it, a hash of the value. Of very many only a
 * hash: then it is known that they changed, but not which of them are declared no more.
 */
static const char *section_values(struct planner *p, const struct object_decl *decl,
				  const char *section)
{
	cleanup(strbuf_done) struct strbuf b = { 0 };
	struct name_list words = { 0 };

	for (size_t i = 0; i < decl->value_count; i++) {
		const struct global_value *v = &decl->values[i];
		const struct elf_variable *at = find_variable(decl->source->elf, v);
		char hex[SHA256_HEX];

		if (!str_eq(v->section, section))
			continue;
		hash_bytes(v->bytes, v->size, hex);
		*LIST_ADD(p->a, &words.list) = arena_printf(p->a, "%s+%u:%.*s", at ? at->name : "",
							    at ? v->offset - at->offset : v->offset,
							    DIGEST_SHOWN, hex);
	}
	if (words.list.n)
		qsort(words.list.v, words.list.n, sizeof(*words.list.v), by_text);
	for (size_t i = 0; i < words.list.n; i++)
		strbuf_addf(&b, "%s%s", i ? " " : "", words.list.v[i]);
	if (b.len > VALUES_MOST) {
		char hex[SHA256_HEX];

		hash_bytes(strbuf_get(&b), b.len, hex);
		return arena_strdup(p->a, hex);
	}
	return arena_strdup(p->a, strbuf_get(&b));
}

/* What tells the next version which variables there were; NULL: none, or too many to keep. */
static const char *section_variables(struct taking *t, const char *section)
{
	const struct elf_object *elf = t->decl->source->elf;
	struct arena *a = t->p->a;
	cleanup(strbuf_done) struct strbuf b = { 0 };
	struct name_list names = { 0 };

	for (size_t i = 0; i < elf->variable_count; i++)
		if (str_eq(elf->variables[i].section, section))
			*LIST_ADD(a, &names.list) = elf->variables[i].name;
	if (names.list.n)
		qsort(names.list.v, names.list.n, sizeof(*names.list.v), by_text);
	for (size_t i = 0; i < names.list.n; i++)
		strbuf_addf(&b, "%s%s", i ? " " : "", names.list.v[i]);
	if (!b.len || b.len > VARIABLES_MOST - t->variables)
		return NULL;
	t->variables += b.len;
	return arena_strdup(a, strbuf_get(&b));
}

static bool has_variable(const struct elf_object *elf, const char *section, const char *name)
{
	for (size_t i = 0; i < elf->variable_count; i++)
		if (str_eq(elf->variables[i].section, section) &&
		    str_eq(elf->variables[i].name, name))
			return true;
	return false;
}

/* "variables x, y of .data" that are not carried over, since the new file has none of the name; NULL: none. */
static const char *lost_variables(struct planner *p, const struct elf_object *elf,
				  const struct meta_map *old)
{
	const char *text = NULL, *name;
	size_t lost = 0;

	for (const char *s = old->variables; s && *s; s += strcspn(s, " "), s += *s == ' ') {
		name = arena_strndup(p->a, s, strcspn(s, " "));
		if (has_variable(elf, old->name, name))
			continue;
		if (lost < NAMES_SHOWN)
			text = lost ? arena_printf(p->a, "%s, %s", text, name) : name;
		lost++;
	}
	if (lost > NAMES_SHOWN)
		text = arena_printf(p->a, "%s and %zu more", text, lost - NAMES_SHOWN);
	return text ? arena_printf(p->a, "variable%s %s of %s", lost > 1 ? "s" : "", text,
				   old->name) :
		      NULL;
}

/* Whether a word of such a list begins like this, which is everything up to the colon. */
static bool sets_place(const char *values, const char *begin)
{
	for (const char *s = values; (s = strstr(s, begin)) != NULL; s++)
		if (s == values || s[-1] == ' ')
			return true;
	return false;
}

/* Variables that the version before had from its declaration, and this one has not. */
static void find_fresh(struct planner *p, struct pair *m)
{
	const char *was = m->old_meta->values;
	struct name_list names = { 0 };

	while (strchr(was, '+')) {
		size_t n = strcspn(was, " "), place = MIN(strcspn(was, ":") + 1, n);

		if (!sets_place(m->meta.values, arena_strndup(p->a, was, place)))
			*LIST_ADD(p->a, &names.list) = arena_strndup(p->a, was, strcspn(was, "+"));
		was += n + (was[n] == ' ');
	}
	m->op.fresh = names.list.v;
	m->op.fresh_count = names.list.n;
}

/* --- what differs ------------------------------------------------------------------------------------ */

static void add_difference(struct strbuf *b, const char *fmt, ...) printf_like(2, 3);

static void add_difference(struct strbuf *b, const char *fmt, ...)
{
	cleanup(freep) char *text = NULL;
	va_list args;

	va_start(args, fmt);
	text = xvasprintf(fmt, args);
	va_end(args);
	strbuf_addf(b, "%s%s", b->len ? ", " : "", text);
}

static bool is_ring(uint32_t type)
{
	return type == BPF_MAP_TYPE_RINGBUF || type == BPF_MAP_TYPE_USER_RINGBUF;
}

static uint32_t entries_before(const struct pair *m)
{
	return m->old_meta && m->old_meta->known ? m->old_meta->max_entries : m->old->max_entries;
}

/* Of what older versions of bpfshare loaded, only what the kernel made of the number is known. */
static bool entries_are_equal(const struct pair *m)
{
	uint32_t was = entries_before(m), asked = m->entries;

	if (was == asked || (m->old_meta && m->old_meta->known))
		return was == asked;
	if (is_ring(m->map->type)) /* a power of two, and pages */
		return was > asked && (was <= PAGE_MOST || was / 2 <= asked);
	if (m->map->type == BPF_MAP_TYPE_PERF_EVENT_ARRAY) /* one for each CPU */
		return asked == 0;
	return (m->map->flags & BPF_F_NO_COMMON_LRU) && /* a multiple of the CPUs */
	       (was > asked ? was - asked : asked - was) < 4096;
}

static bool flags_are_equal(const struct pair *m)
{
	/* The first two are of one descriptor, not of the map; the last one devmaps have anyway. */
	const uint32_t passing = BPF_F_RDONLY | BPF_F_WRONLY | BPF_F_RDONLY_PROG;

	if (m->old_meta && m->old_meta->known)
		return m->old_meta->flags == m->map->flags;
	return (m->old->flags & ~passing) == (m->map->flags & ~passing);
}

static bool has_meaning(const char *hash)
{
	return hash && *hash;
}

/* Metadata of older versions of bpfshare does not cover the inner maps. */
static bool meaning_differs(const struct pair *m)
{
	const char *was = m->old_meta ? m->old_meta->btf_hash : "";
	bool nests = m->map->type == BPF_MAP_TYPE_ARRAY_OF_MAPS ||
		     m->map->type == BPF_MAP_TYPE_HASH_OF_MAPS;

	return has_meaning(was) && has_meaning(m->map->btf_hash) &&
	       !str_eq(was, m->map->btf_hash) && !(nests && !m->old_meta->known);
}

/* All but the number of entries. */
static void compare_definitions(const struct taking *t, const struct pair *m, struct strbuf *ret)
{
	struct arena *a = t->p->a;

	if (m->old->type != m->map->type)
		add_difference(ret, "type %s -> %s", map_type_name(a, m->old->type),
			       map_type_name(a, m->map->type));
	if (m->old->key_size != m->map->key_size)
		add_difference(ret, "key %u -> %u bytes", m->old->key_size, m->map->key_size);
	if (m->old->value_size != m->map->value_size)
		add_difference(ret, "value %u -> %u bytes", m->old->value_size, m->map->value_size);
	if (!flags_are_equal(m))
		add_difference(ret, "flags %#x -> %#x",
			       m->old_meta && m->old_meta->known ? m->old_meta->flags :
								   m->old->flags,
			       m->map->flags);
	if (meaning_differs(m))
		add_difference(ret, "other types of key or value");
}

/* --- decisions ------------------------------------------------------------------------------------------ */

static void note(struct taking *t, struct name_list *to, const char *text)
{
	*LIST_ADD(t->p->a, &to->list) = text;
}

static void take(struct taking *t, struct pair *m, enum map_action action)
{
	m->op.action = action;
	m->op.from = (struct map_ref){ t->i->name, t->from->version, m->map->name };
	m->op.from_id = m->old->id;
}

static void keep(struct taking *t, struct pair *m)
{
	const struct meta_map *was = m->old_meta;
	const struct observed_object *before;

	take(t, m, MAP_KEEP);
	m->meta.born = was ? was->born : t->from->version;
	m->meta.max_entries = MAX(m->meta.max_entries, entries_before(m));
	if (!was || entries_are_equal(m))
		m->meta.max_entries = m->entries;
	/* What is still to come from an even older version comes to the same map. */
	before = was && was->from ? observed_find_object(t->p->observed, t->i->name, was->from) :
				    NULL;
	if (before && !str_eq(before->version, t->version))
		m->meta.from = before->version;
	note(t, &t->kept, m->map->name);
}

static void empty(struct taking *t, struct pair *m)
{
	m->op.action = MAP_CREATE;
	note(t, &t->emptied, m->map->name);
}

/* Also where nothing serves: an object that is only shared, or waits for its interface, runs nowhere. */
static void refuse(struct taking *t, struct pair *m, bool grow_helps, const char *text)
{
	strbuf_addf(&t->refused, "%smap %s: %s", t->refused.len ? "; " : "", m->map->name, text);
	t->grow_helps |= grow_helps;
	t->reset_helps |= !grow_helps;
}

static void decide_section(struct taking *t, struct pair *m)
{
	const char *was = m->old_meta ? m->old_meta->btf_hash : "";
	bool told = has_meaning(was) && has_meaning(m->map->btf_hash);
	bool alike = m->old->type == m->map->type && m->old->value_size == m->map->value_size &&
		     (told ? str_eq(was, m->map->btf_hash) :
			     str_eq(t->from->meta.elf_sha256, t->decl->source->sha256));

	if (t->same || (alike && str_eq(m->old_meta ? m->old_meta->values : "", m->meta.values))) {
		keep(t, m);
	} else if (!told) {
		refuse(t, m, false, "without BTF nothing tells its variables apart");
	} else if (m->map->opaque) {
		refuse(t, m, false,
		       alike ? "other values are declared for it, and some of what it holds cannot be "
			       "copied" :
			       "its variables are others, and some of what it holds cannot be copied");
	} else if (m->on_change == ON_CHANGE_FAIL) {
		refuse(t, m, false,
		       alike ? "other values are declared for its variables" :
			       "its variables are others");
	} else {
		const char *lost = m->old_meta ?
					   lost_variables(t->p, t->decl->source->elf, m->old_meta) :
					   NULL;

		take(t, m, MAP_CARRY);
		if (m->old_meta)
			find_fresh(t->p, m);
		if (lost)
			note(t, &t->dropped, lost);
		note(t, &t->carried, m->map->name);
	}
}

static void grow(struct taking *t, struct pair *m, const char *entries)
{
	if (m->entries < entries_before(m)) {
		keep(t, m); /* it was grown, and this is the way back */
	} else if (m->policy.growth == MAP_GROWS_COPIED) {
		take(t, m, MAP_COPY);
		m->meta.from = t->from->version;
		note(t, &t->copied, arena_printf(t->p->a, "%s (%s)", m->map->name, entries));
	} else if (m->policy.growth == MAP_GROWS_EMPTY) {
		empty(t, m);
	} else {
		refuse(t, m, false, arena_printf(t->p->a, "%s, but %s", entries, m->policy.why));
	}
}

static bool is_told(const struct pair *m)
{
	return !m->policy.typed || (has_meaning(m->old_meta ? m->old_meta->btf_hash : "") &&
				    has_meaning(m->map->btf_hash));
}

static void decide_map(struct taking *t, struct pair *m)
{
	cleanup(strbuf_done) struct strbuf b = { 0 };
	const char *entries =
		arena_printf(t->p->a, "max_entries %u -> %u", entries_before(m), m->entries);
	bool larger;

	if (t->same) {
		keep(t, m);
		return;
	}
	compare_definitions(t, m, &b);
	larger = m->entries > entries_before(m) && m->policy.growth != MAP_GROWS_NOT && !b.len;
	if (!b.len && entries_are_equal(m)) {
		if (m->on_change == ON_CHANGE_FAIL && !is_told(m))
			refuse(t, m, false, "no BTF tells whether it means the same");
		else
			keep(t, m);
		return;
	}
	if (!b.len && m->on_change == ON_CHANGE_GROW) {
		grow(t, m, entries);
		return;
	}
	if (!entries_are_equal(m))
		add_difference(&b, "%s", entries);
	refuse(t, m, larger, strbuf_get(&b));
}

static void decide(struct taking *t, struct pair *m)
{
	if (m->policy.keeping == MAP_BY_FILE)
		return;
	if (m->on_change == ON_CHANGE_RESET && !t->same)
		empty(t, m);
	else if (m->policy.keeping == MAP_BY_VARIABLE)
		decide_section(t, m);
	else
		decide_map(t, m);
}

/* --- all maps of an object ---------------------------------------------------------------------------- */

static void use(struct taking *t, struct pair *m)
{
	const struct instance *owner = instance_used(t->p, t->i, m->decl);

	m->op.action = MAP_USE;
	m->op.from = (struct map_ref){ owner->name, owner->version, m->decl->use_map };
	m->op.from_id = instance_map_id(owner, m->decl->use_map);
	m->meta.use = arena_printf(t->p->a, "%s/%s", owner->name, m->decl->use_map);
	m->meta.born = instance_map_born(owner, m->decl->use_map);
}

/* What another object's map was is that object's, and goes on there. */
static bool find_old(const struct taking *t, struct pair *m)
{
	if (!t->from)
		return false;
	m->old = observed_object_map(t->from, m->map->name);
	m->old_meta = find_meta(&t->from->meta, m->map->name);
	return m->old && !(m->old_meta && m->old_meta->use);
}

static void add_action(struct taking *t, const struct pair *m)
{
	static const char letters[MAP_ACTION_COUNT] = {
		[MAP_CREATE] = 'n', [MAP_USE] = 'u',   [MAP_KEEP] = 'k',
		[MAP_COPY] = 'c',   [MAP_CARRY] = 'v',
	};

	strbuf_addf(&t->actions, "%c", letters[m->op.action]);
}

static void take_map(struct taking *t, const struct elf_map *map, struct meta_map *ret)
{
	const struct map_decl *decl = object_map_decl(t->decl, map->name);
	struct pair m = { .map = map, .decl = decl, .policy = map_policy(map) };

	m.on_change = decl ? decl->on_change : ON_CHANGE_KEEP;
	m.entries = decl && decl->max_entries ? decl->max_entries : map->max_entries;
	m.op = (struct op_map){ .name = map->name, .max_entries = decl ? decl->max_entries : 0 };
	m.meta = (struct meta_map){
		.name = map->name,
		.btf_hash = map->btf_hash,
		.born = t->version,
		.values = m.policy.keeping == MAP_BY_VARIABLE ?
				  section_values(t->p, t->decl, map->name) :
				  "",
		.variables = m.policy.keeping == MAP_BY_VARIABLE ? section_variables(t, map->name) :
								   NULL,
		.known = true,
		.max_entries = m.entries,
		.flags = map->flags,
	};
	if (decl && decl->use_object) {
		if (find_old(t, &m) && !t->same)
			note(t, &t->dropped, map->name);
		use(t, &m);
	} else if (find_old(t, &m)) {
		decide(t, &m);
	}
	if (m.op.action != MAP_CREATE || m.op.max_entries)
		*LIST_ADD(t->p->a, &t->maps) = m.op;
	add_action(t, &m);
	*ret = m.meta;
}

static void drop_maps(struct taking *t)
{
	t->lacking = maps_dropped(t->p, t->i, t->from);
	if (*t->lacking.refused)
		strbuf_addf(&t->refused, "%s%s", t->refused.len ? "; " : "", t->lacking.refused);
	for (size_t k = 0; k < t->lacking.name_count; k++)
		note(t, &t->dropped, t->lacking.names[k]);
}

static void add_names(struct strbuf *b, const char *before, const struct name_list *names,
		      const char *after)
{
	for (size_t i = 0; i < names->list.n && i < NAMES_SHOWN; i++)
		strbuf_addf(b, "%s%s", i ? ", " : before, names->list.v[i]);
	if (names->list.n > NAMES_SHOWN)
		strbuf_addf(b, " and %zu more", names->list.n - NAMES_SHOWN);
	if (names->list.n)
		strbuf_add(b, after);
}

static const char *summarise(const struct taking *t)
{
	cleanup(strbuf_done) struct strbuf b = { 0 };

	add_names(&b, "; keeps ", &t->kept, "");
	add_names(&b, "; copies ", &t->copied, "");
	add_names(&b, "; carries the variables of ", &t->carried, " over");
	add_names(&b, "; empty at first: ", &t->emptied, "");
	add_names(&b, "; drops ", &t->dropped, "");
	return arena_strdup(t->p->a, strbuf_get(&b));
}

static const char *explain(struct taking *t)
{
	cleanup(strbuf_done) struct strbuf b = { 0 };

	if (!t->refused.len)
		return NULL;
	strbuf_addf(&b, "the new version cannot go on with what the old one has in its maps: %s; ",
		    strbuf_get(&t->refused));
	if (t->grow_helps)
		strbuf_add(&b, "write `on_change: grow` for a map that is only to be larger, ");
	if (t->grow_helps && t->reset_helps)
		strbuf_add(&b, "`on_change: reset` for one that may start empty, ");
	else if (t->reset_helps)
		strbuf_add(&b, "write `on_change: reset` for a map that may start empty, ");
	if (t->lacking.remedy)
		strbuf_add(&b, t->lacking.remedy);
	strbuf_add(&b, "or take the change back");
	if (!t->i->previous)
		strbuf_add(&b, "; until then none is loaded, and the maps keep what they have");
	return arena_strdup(t->p->a, strbuf_get(&b));
}

/* What is taken over may be why an attempt failed: another way is another attempt. */
static const char *name_attempt(const struct taking *t)
{
	const char *actions = strbuf_get(&t->actions);
	char hex[SHA256_HEX];

	if (strspn(actions, "nu") == t->actions.len && !t->emptied.list.n)
		return t->version;
	hash_bytes(actions, t->actions.len, hex);
	return arena_printf(t->p->a, "%s %.*s", t->version, DIGEST_SHOWN, hex);
}

static int by_op_name(const void *a, const void *b)
{
	return strcmp(((const struct op_map *)a)->name, ((const struct op_map *)b)->name);
}

static int by_meta_name(const void *a, const void *b)
{
	return strcmp(((const struct meta_map *)a)->name, ((const struct meta_map *)b)->name);
}

static void taking_done(struct taking *t)
{
	strbuf_done(&t->refused);
	strbuf_done(&t->actions);
}

static struct take_over take_from(struct planner *p, const struct instance *i,
				  const struct observed_object *from, const char *version,
				  const char *declaration)
{
	const struct elf_object *elf = i->object->decl->source->elf;
	cleanup(taking_done) struct taking t = {
		.p = p,
		.i = i,
		.decl = i->object->decl,
		.from = from,
		.same = from && declaration_is(p, i, from, declaration),
		.version = version,
	};
	struct take_over r = { .version = version };

	r.metas = arena_calloc(p->a, elf->map_count, sizeof(*r.metas));
	for (size_t k = 0; k < elf->map_count; k++)
		take_map(&t, &elf->maps[k], &r.metas[k]);
	if (from && !t.same)
		drop_maps(&t);
	if (t.maps.n)
		qsort(t.maps.v, t.maps.n, sizeof(*t.maps.v), by_op_name);
	if (elf->map_count)
		qsort(r.metas, elf->map_count, sizeof(*r.metas), by_meta_name);
	r.maps = t.maps.v;
	r.map_count = t.maps.n;
	r.summary = summarise(&t);
	r.refusal = explain(&t);
	r.attempt = name_attempt(&t);
	return r;
}

struct take_over take_over(struct planner *p, const struct instance *i, const char *version,
			   const char *declaration)
{
	return take_from(p, i, i->source, version, declaration);
}

/* --- is it done already? --------------------------------------------------------------------------------- */

static bool has_taken(const struct observed_object *v, const struct observed_object *from,
		      const struct op_map *m)
{
	const struct observed_map *own = observed_object_map(v, m->name);
	const struct meta_map *meta = find_meta(&v->meta, m->name);

	switch (m->action) {
	case MAP_KEEP:
		return own && own->id == m->from_id;
	case MAP_COPY:
		return meta && str_eq(meta->from, from->version);
	case MAP_CARRY:
		return v->meta.loaded_ns > from->meta.loaded_ns;
	default:
		return true;
	}
}

bool take_over_is_done(struct planner *p, const struct instance *i, const struct observed_object *v,
		       const char *declaration)
{
	const struct observed_object *from = i->previous;
	struct take_over t;

	if (!from || v == from)
		return true;
	t = take_from(p, i, from, v->version, declaration);
	if (t.refusal)
		return false;
	for (size_t k = 0; k < t.map_count; k++)
		if (!has_taken(v, from, &t.maps[k]))
			return false;
	return true;
}

/* --- maps for others ---------------------------------------------------------------------------------------- */

uint32_t instance_map_id(const struct instance *i, const char *map)
{
	const struct op_object *o = i->load ? &i->load->op.object : NULL;
	const struct observed_map *observed;

	for (size_t k = 0; o && k < o->map_count; k++)
		if (str_eq(o->maps[k].name, map) &&
		    (o->maps[k].action == MAP_KEEP || o->maps[k].action == MAP_USE))
			return o->maps[k].from_id;
	observed = o || !i->observed ? NULL : observed_object_map(i->observed, map);
	return observed ? observed->id : 0;
}

const char *instance_map_born(const struct instance *i, const char *map)
{
	const struct meta_map *m = NULL;

	if (i->load)
		m = find_meta(&i->load->op.object.meta, map);
	else if (i->observed)
		m = find_meta(&i->observed->meta, map);
	return m ? m->born : i->version;
}
