/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Maps of the version before that the new file does not have, by intent or by another name. What they hold goes
 * with that version, so it takes a word of the operator's, and nobody may be left who needs them. The word is not
 * needed for what no version hands on anyway (records on their way to a reader, variables), nor on the way back:
 * where the file is put back that an earlier version had, all it lacks was added since.
 */
#include <string.h>

#include "base/hash.h"
#include "base/str.h"
#include "model/map_policy.h"
#include "plan/plan_internal.h"

#define NAMES_SHOWN     8
#define ANCESTOR_DIGITS 16
#define ANCESTORS_KEPT  16

struct dropping {
	struct planner *p;
	const struct instance *i;
	const struct observed_object *from;
	bool back; /* the file is that of an earlier version */
	struct strbuf refused, remedy;
	LIST(const char *) names;
};

static void dropping_done(struct dropping *d)
{
	strbuf_done(&d->refused);
	strbuf_done(&d->remedy);
}

/* --- whose file came before ---------------------------------------------------------------------- */

/* Where in the list of digits the file is, NULL: it never was in force before this version. */
static const char *find_ancestor(const char *ancestors, const char *sha256)
{
	for (const char *s = ancestors; s && *s; s += strcspn(s, " "), s += *s == ' ')
		if (strncmp(s, sha256, ANCESTOR_DIGITS) == 0)
			return s;
	return NULL;
}

const char *file_ancestors(struct planner *p, const struct instance *i)
{
	const struct meta_object *was = i->source ? &i->source->meta : NULL;
	const char *sha256 = i->object->decl->source->sha256, *older, *found;

	if (!was || !was->elf_sha256)
		return "";
	older = was->ancestors ? was->ancestors : "";
	if (str_eq(was->elf_sha256, sha256))
		return older;
	found = find_ancestor(older, sha256);
	if (found) { /* the way back is no way forth */
		found += strcspn(found, " ");
		return *found ? found + 1 : "";
	}
	older = arena_printf(p->a, "%.*s%s%s", ANCESTOR_DIGITS, was->elf_sha256, *older ? " " : "",
			     older);
	return arena_strndup(p->a, older, ANCESTORS_KEPT * (ANCESTOR_DIGITS + 1) - 1);
}

/* --- who needs a map -------------------------------------------------------------------------------- */

static bool was_used_by(const struct observed_object *v, const char *map)
{
	for (size_t k = 0; v && k < v->meta.map_count; k++)
		if (str_eq(v->meta.maps[k].use, map))
			return true;
	return false;
}

/* Without a declaration: what is kept though no file declares it goes by what it was loaded with. */
bool instance_uses(struct planner *p, const struct instance *user, const struct instance *owner,
		   const char *map)
{
	const struct object_decl *decl = user->object->decl;

	if (!decl)
		return was_used_by(user->previous, arena_printf(p->a, "%s/%s", owner->name, map));
	for (size_t k = 0; k < decl->map_count; k++)
		if (decl->maps[k].use_object && str_eq(decl->maps[k].use_map, map) &&
		    instance_used(p, user, &decl->maps[k]) == owner)
			return true;
	return false;
}

static bool is_shared_by(const struct share_decl *s, const struct instance *owner, const char *map)
{
	for (size_t k = 0; k < s->map_count; k++)
		if (str_eq(s->maps[k].object, owner->name) && str_eq(s->maps[k].map, map))
			return true;
	return false;
}

/* "share dash and object user", NULL: nothing declared needs it. */
static const char *who_needs(const struct dropping *d, const char *map)
{
	struct planner *p = d->p;
	LIST(const char *) who = { 0 };
	const char *text = NULL;

	for (size_t k = 0; k < p->desired->share_count; k++)
		if (is_shared_by(&p->desired->shares[k], d->i, map))
			*LIST_ADD(p->a, &who) =
				arena_printf(p->a, "share %s", p->desired->shares[k].name);
	for (size_t k = 0; k < p->instances.n; k++)
		if (instance_uses(p, p->instances.v[k], d->i, map))
			*LIST_ADD(p->a, &who) =
				arena_printf(p->a, "object %s", p->instances.v[k]->name);
	for (size_t k = 0; k < who.n && k < NAMES_SHOWN; k++)
		text = k == 0 ? who.v[k] :
				arena_printf(p->a, "%s%s%s", text, k + 1 == who.n ? " and " : ", ",
					     who.v[k]);
	if (who.n > NAMES_SHOWN)
		text = arena_printf(p->a, "%s and %zu more", text, who.n - NAMES_SHOWN);
	return text;
}

/* --- one map ------------------------------------------------------------------------------------------ */

/* What it holds is only ever that version's, so nothing is lost that was ever to be handed on. */
static bool is_of_one_version(const struct observed_map *m, bool *ret_told)
{
	/* Nothing tells whether the file filled a program array; its programs end with the version either way. */
	const struct elf_map like = {
		.name = m->name, .type = m->type, .is_data = *m->name == '.', .filled = true
	};
	struct map_policy policy = map_policy(&like);

	*ret_told = !like.is_data || policy.keeping == MAP_BY_VARIABLE;
	return policy.keeping != MAP_KEPT || policy.growth == MAP_GROWS_EMPTY;
}

static bool is_let_go(const struct object_decl *decl, const char *map)
{
	const struct map_decl *m = object_map_decl(decl, map);

	return m && m->on_change == ON_CHANGE_RESET;
}

/* word: without one it is not let go. */
static void refuse(struct dropping *d, const char *map, bool let_go, bool word, const char *who)
{
	const char *before = arena_printf(d->p->a, "version %s%s has it and the new file has not",
					  d->from->version,
					  d->i->previous ? ", which is in force," : "");

	strbuf_addf(&d->refused, "%smap %s: ", d->refused.len ? "; " : "", map);
	if (let_go && who)
		strbuf_addf(&d->refused,
			    "it is to be let go (`on_change: reset`), but %s need%s it", who,
			    strstr(who, " and ") ? "" : "s");
	else if (who)
		strbuf_addf(&d->refused, "%s, and %s need%s it", before, who,
			    strstr(who, " and ") ? "" : "s");
	else
		strbuf_addf(&d->refused, "%s, so its contents would be lost", before);
	if (who)
		strbuf_addf(&d->remedy, "take %s out of %s%s", map, who, word ? " and " : ", ");
	if (word)
		strbuf_addf(&d->remedy, "declare `maps: {%s: {on_change: reset}}` to let it go, ",
			    map);
}

static void judge_map(struct dropping *d, const struct observed_map *m)
{
	bool let_go = is_let_go(d->i->object->decl, m->name), told;
	bool passing = is_of_one_version(m, &told);
	bool word = !let_go && !passing && !d->back;
	const char *who = who_needs(d, m->name);

	if (who || word)
		refuse(d, m->name, let_go, word, who);
	else if (told)
		*LIST_ADD(d->p->a, &d->names) = m->name;
}

static bool is_own(const struct observed_object *v, const char *map)
{
	for (size_t k = 0; k < v->meta.map_count; k++)
		if (str_eq(v->meta.maps[k].name, map))
			return !v->meta.maps[k].use;
	return true;
}

struct dropped maps_dropped(struct planner *p, const struct instance *i,
			    const struct observed_object *from)
{
	const struct object_source *source = i->object->decl->source;
	cleanup(dropping_done) struct dropping d = {
		.p = p,
		.i = i,
		.from = from,
		.back = find_ancestor(from->meta.ancestors, source->sha256),
	};

	for (size_t k = 0; k < from->map_count; k++)
		if (!elf_find_map(source->elf, from->maps[k].name) &&
		    is_own(from, from->maps[k].name))
			judge_map(&d, &from->maps[k]);
	return (struct dropped){
		.refused = arena_strdup(p->a, strbuf_get(&d.refused)),
		.remedy = arena_strdup(p->a, strbuf_get(&d.remedy)),
		.names = d.names.v,
		.name_count = d.names.n,
	};
}
