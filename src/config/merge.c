/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Files → one desired state. What only one file may have (the names of objects, shares and
 * sets, and the paths of targets) is a claim. A claim of a file that already had the name while
 * bpfshare was running beats all others; among the rest the first file has it. A file that loses
 * one claim is left out whole and frees its other ones.
 */
#include "config/config.h"

#include <string.h>

#include "base/macros.h"

enum { CLAIM_PATH = NAME_SET + 1, CLAIM_DEFAULT_PATH, CLAIM_COUNT };

static const char *const claim_names[CLAIM_COUNT] = {
	[NAME_OBJECT] = "object",
	[NAME_SHARE] = "share",
	[NAME_SET] = "interface set",
	[CLAIM_PATH] = "target with a path",
	[CLAIM_DEFAULT_PATH] = "target without a path",
};

struct claim {
	unsigned int kind;
	const char *name;
	const struct origin *origin;
	size_t fragment;
	bool running;      /* the file had it before this merge */
	bool accepted;     /* its file is part of the desired state */
	size_t first, end; /* rivals: where in merge.sorted what may collide with it is */
};

struct merge {
	struct arena *arena;
	struct fragment *const *fragments;
	const struct name_owner **owners; /* sorted */
	size_t owner_count;
	LIST(struct claim) claims;  /* by fragment */
	struct claim **sorted;      /* by kind and name */
	size_t counts[CLAIM_COUNT]; /* accepted */
};

static int compare_names(unsigned int kind, const char *name, unsigned int other_kind,
			 const char *other)
{
	return kind != other_kind ? (kind < other_kind ? -1 : 1) : strcmp(name, other);
}

static int compare_owners(const void *left, const void *right)
{
	const struct name_owner *l = *(const struct name_owner *const *)left;
	const struct name_owner *r = *(const struct name_owner *const *)right;

	return compare_names(l->kind, l->name, r->kind, r->name);
}

static int compare_claims(const void *left, const void *right)
{
	const struct claim *l = *(const struct claim *const *)left;
	const struct claim *r = *(const struct claim *const *)right;
	int c = compare_names(l->kind, l->name, r->kind, r->name);

	/* Both point into one array, in the order of the files. */
	return c ? c : l < r ? -1 : l > r ? 1 : 0;
}

static bool file_has(const struct merge *m, size_t fragment, enum name_kind kind, const char *name)
{
	struct name_owner key = { .kind = kind, .name = name };
	const struct name_owner *wanted = &key, **found = NULL;

	if (m->owner_count)
		found = bsearch(&wanted, m->owners, m->owner_count, sizeof(*m->owners),
				compare_owners);
	return found && str_eq((*found)->path, m->fragments[fragment]->path);
}

static void add_claim(struct merge *m, size_t fragment, enum name_kind kind, const char *name,
		      const struct origin *origin)
{
	*LIST_ADD(m->arena, &m->claims) = (struct claim){
		.kind = kind,
		.name = name,
		.origin = origin,
		.fragment = fragment,
		.running = file_has(m, fragment, kind, name),
	};
}

/* The default place is made of the share's name, so it collides within one share only. */
static void add_path_claims(struct merge *m, size_t fragment, const struct share_decl *share)
{
	for (size_t i = 0; i < share->target_count; i++)
		*LIST_ADD(m->arena, &m->claims) = (struct claim){
			.kind = share->targets[i].path ? CLAIM_PATH : CLAIM_DEFAULT_PATH,
			.name = share->targets[i].path ? share->targets[i].path : share->name,
			.origin = &share->targets[i].origin,
			.fragment = fragment,
			.running = file_has(m, fragment, NAME_SHARE, share->name),
		};
}

static void add_claims(struct merge *m, size_t fragment)
{
	const struct fragment *f = m->fragments[fragment];

	for (size_t i = 0; i < f->set_count; i++)
		add_claim(m, fragment, NAME_SET, f->sets[i].name, &f->sets[i].origin);
	for (size_t i = 0; i < f->object_count; i++)
		add_claim(m, fragment, NAME_OBJECT, f->objects[i].name, &f->objects[i].origin);
	for (size_t i = 0; i < f->share_count; i++) {
		add_claim(m, fragment, NAME_SHARE, f->shares[i].name, &f->shares[i].origin);
		add_path_claims(m, fragment, &f->shares[i]);
	}
}

/* Names collide with equal ones only; paths with all others, since one may lie in another. */
static void find_rivals(struct merge *m)
{
	size_t n = m->claims.n, first = 0;

	m->sorted = arena_calloc(m->arena, n, sizeof(struct claim *));
	for (size_t i = 0; i < n; i++)
		m->sorted[i] = &m->claims.v[i];
	if (n)
		qsort(m->sorted, n, sizeof(*m->sorted), compare_claims);
	for (size_t i = 0; i < n; i = first) {
		const struct claim *claim = m->sorted[i];

		for (first = i; first < n; first++)
			if (m->sorted[first]->kind != claim->kind ||
			    (claim->kind != CLAIM_PATH &&
			     strcmp(m->sorted[first]->name, claim->name) != 0))
				break;
		for (size_t k = i; k < first; k++) {
			m->sorted[k]->first = i;
			m->sorted[k]->end = first;
		}
	}
}

static bool path_contains(const char *path, const char *other)
{
	size_t n = strlen(path);

	return strncmp(path, other, n) == 0 && (!other[n] || other[n] == '/');
}

static bool claims_collide(const struct claim *a, const struct claim *b)
{
	if (a->kind != CLAIM_PATH)
		return true;
	return path_contains(a->name, b->name) || path_contains(b->name, a->name);
}

static const struct claim *find_winner(const struct merge *m, const struct claim *claim)
{
	for (size_t i = claim->first; i < claim->end; i++) {
		const struct claim *rival = m->sorted[i];
		bool same_file = rival->fragment == claim->fragment;

		if (rival == claim || !claims_collide(claim, rival))
			continue;
		if (same_file ? rival < claim :
				rival->accepted || (rival->running && !claim->running))
			return rival;
	}
	return NULL;
}

static void report_loss(struct merge *m, const struct claim *claim, const struct claim *winner)
{
	struct diags *diags = &m->fragments[claim->fragment]->diags;
	const char *why = winner->running && !claim->running ? "which is in force" :
							       "which comes first";

	if (winner->fragment == claim->fragment)
		why = "in this same file";
	if (claim->kind == CLAIM_PATH && strcmp(claim->name, winner->name) != 0)
		diag_add(diags, DIAG_ERROR, claim->origin,
			 "give one of them a path beside the other",
			 "of the targets %s here and %s at %s:%u, %s, one lies in the other",
			 claim->name, winner->name, winner->origin->file, winner->origin->line,
			 why);
	else if (claim->kind == CLAIM_PATH || claim->kind == CLAIM_DEFAULT_PATH)
		diag_add(diags, DIAG_ERROR, claim->origin, "give one of them a 'path' of its own",
			 "the %s '%s' belongs to the target at %s:%u, %s",
			 claim->kind == CLAIM_PATH ? "path" : "default place of share", claim->name,
			 winner->origin->file, winner->origin->line, why);
	else
		diag_add(diags, DIAG_ERROR, claim->origin,
			 "rename or remove one of them; until then this whole file is left out",
			 "the %s '%s' belongs to %s:%u, %s", claim_names[claim->kind], claim->name,
			 winner->origin->file, winner->origin->line, why);
}

static bool check_counts(struct merge *m, size_t fragment, const size_t counts[CLAIM_COUNT])
{
	bool ok = true;

	for (unsigned int kind = 0; kind < CLAIM_COUNT; kind++) {
		if (m->counts[kind] + counts[kind] <= LIMIT_OBJECTS)
			continue;
		diag_add(&m->fragments[fragment]->diags, DIAG_ERROR,
			 &(struct origin){ .file = m->fragments[fragment]->path },
			 "until then this whole file is left out",
			 "with this file there would be more than %d %ss", LIMIT_OBJECTS,
			 claim_names[kind]);
		ok = false;
	}
	return ok;
}

/* Accepts the file whose claims these are, or leaves it out. */
static void settle_file(struct merge *m, struct claim *claims, size_t n)
{
	size_t counts[CLAIM_COUNT] = { 0 };
	bool ok = true;

	for (size_t i = 0; i < n; i++) {
		const struct claim *winner = find_winner(m, &claims[i]);

		counts[claims[i].kind]++;
		if (winner)
			report_loss(m, &claims[i], winner);
		ok = ok && !winner;
	}
	ok = ok && check_counts(m, claims->fragment, counts);
	m->fragments[claims->fragment]->valid = ok;
	for (size_t i = 0; ok && i < n; i++)
		claims[i].accepted = true;
	for (unsigned int kind = 0; ok && kind < CLAIM_COUNT; kind++)
		m->counts[kind] += counts[kind];
}

static int compare_sets(const void *left, const void *right)
{
	return strcmp(((const struct interface_set *)left)->name,
		      ((const struct interface_set *)right)->name);
}

static int compare_objects(const void *left, const void *right)
{
	return strcmp(((const struct object_decl *)left)->name,
		      ((const struct object_decl *)right)->name);
}

static int compare_shares(const void *left, const void *right)
{
	return strcmp(((const struct share_decl *)left)->name,
		      ((const struct share_decl *)right)->name);
}

static void collect_file(const struct fragment *f, size_t file, struct desired *ret)
{
	for (size_t i = 0; i < f->set_count; i++)
		ret->sets[ret->set_count++] = f->sets[i];
	for (size_t i = 0; i < f->object_count; i++) {
		ret->objects[ret->object_count] = f->objects[i];
		ret->objects[ret->object_count++].file = file;
	}
	for (size_t i = 0; i < f->share_count; i++) {
		ret->shares[ret->share_count] = f->shares[i];
		ret->shares[ret->share_count++].file = file;
	}
}

static void collect(const struct merge *m, size_t n, struct desired *ret)
{
	ret->sets = arena_calloc(m->arena, m->counts[NAME_SET], sizeof(*ret->sets));
	ret->objects = arena_calloc(m->arena, m->counts[NAME_OBJECT], sizeof(*ret->objects));
	ret->shares = arena_calloc(m->arena, m->counts[NAME_SHARE], sizeof(*ret->shares));
	ret->set_count = ret->object_count = ret->share_count = 0;
	for (size_t i = 0; i < n; i++)
		if (m->fragments[i] && m->fragments[i]->valid)
			collect_file(m->fragments[i], i, ret);
	if (ret->set_count)
		qsort(ret->sets, ret->set_count, sizeof(*ret->sets), compare_sets);
	if (ret->object_count)
		qsort(ret->objects, ret->object_count, sizeof(*ret->objects), compare_objects);
	if (ret->share_count)
		qsort(ret->shares, ret->share_count, sizeof(*ret->shares), compare_shares);
}

void config_merge(struct arena *a, struct fragment *const *fragments, size_t n,
		  const struct name_owner *owners, size_t owner_count, struct desired *ret)
{
	cleanup(arena_freep) struct arena *scratch = arena_new();
	struct merge m = { .arena = scratch, .fragments = fragments, .owner_count = owner_count };
	size_t end;

	m.owners = arena_calloc(scratch, owner_count, sizeof(*m.owners));
	for (size_t i = 0; i < owner_count; i++)
		m.owners[i] = &owners[i];
	if (owner_count)
		qsort(m.owners, owner_count, sizeof(*m.owners), compare_owners);
	for (size_t i = 0; i < n; i++)
		if (fragments[i] && fragments[i]->valid)
			add_claims(&m, i);
	find_rivals(&m);
	for (size_t i = 0; i < m.claims.n; i = end) {
		for (end = i; end < m.claims.n; end++)
			if (m.claims.v[end].fragment != m.claims.v[i].fragment)
				break;
		settle_file(&m, &m.claims.v[i], end - i);
	}
	m.arena = a;
	collect(&m, n, ret);
}
