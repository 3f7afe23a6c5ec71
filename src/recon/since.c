/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "recon/since.h"

#include <string.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/str.h"

struct entry {
	const char *key, *reason;
	enum state state;
	struct timespec since;
	struct condition_status *condition; /* of the pass being updated */
};

struct since {
	struct arena *arena; /* of the entries; one pass builds the next set and drops this one */
	struct entry *v;
	size_t n;
};

struct collector {
	struct arena *arena;
	LIST(struct entry) list;
};

struct since *since_new(void)
{
	return xnew(struct since);
}

void since_free(struct since *s)
{
	if (!s)
		return;
	arena_free(s->arena);
	free(s);
}

static void collect(struct collector *c, const char *key, struct condition_status *condition)
{
	*LIST_ADD(c->arena, &c->list) = (struct entry){ .key = key, .condition = condition };
}

static void collect_object(struct collector *c, struct status_object *o)
{
	collect(c, arena_printf(c->arena, "object %s", o->name), &o->condition);
	for (size_t i = 0; i < o->program_count; i++) {
		struct status_program *p = &o->programs[i];

		for (size_t k = 0; k < p->attachment_count; k++) {
			struct status_attachment *t = &p->attachments[k];

			collect(c,
				arena_printf(c->arena, "%s/%s on %s%s%s%s%s", o->name, p->name,
					     t->hook == HOOK_TC ? tc_direction_names[t->direction] :
								  "",
					     t->hook == HOOK_TC ? " of " : "",
					     t->netns ? t->netns : "", t->netns ? ":" : "",
					     t->interface ? t->interface : t->selector),
				&t->condition);
		}
	}
}

static void collect_status(struct collector *c, struct status *st)
{
	for (size_t i = 0; i < st->object_count; i++)
		collect_object(c, &st->objects[i]);
	for (size_t i = 0; i < st->share_count; i++) {
		struct status_share *s = &st->shares[i];

		collect(c, arena_printf(c->arena, "share %s", s->name), &s->condition);
		for (size_t k = 0; k < s->target_count; k++)
			collect(c,
				arena_printf(c->arena, "share %s at %s", s->name,
					     s->targets[k].path),
				&s->targets[k].condition);
	}
	for (size_t i = 0; i < st->set_count; i++)
		collect(c, arena_printf(c->arena, "interface set %s", st->sets[i].name),
			&st->sets[i].condition);
}

static int entry_cmp(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->key, ((const struct entry *)b)->key);
}

static void settle(struct entry *now, const struct entry *before, const struct timespec *time)
{
	bool same = before && before->state == now->condition->state;

	now->state = now->condition->state;
	now->reason = now->condition->reason;
	now->since = same ? before->since : *time;
	now->condition->since = now->since;
}

void since_update(struct since *s, struct status *st, const struct timespec *now,
		  since_changed_fn changed, void *arg)
{
	struct collector c = { .arena = arena_new() };

	collect_status(&c, st);
	if (c.list.n)
		qsort(c.list.v, c.list.n, sizeof(*c.list.v), entry_cmp);
	for (size_t i = 0, old = 0; i < c.list.n; i++) {
		struct entry *e = &c.list.v[i];
		const struct entry *before = NULL;

		while (old < s->n && strcmp(s->v[old].key, e->key) < 0)
			old++;
		if (old < s->n && str_eq(s->v[old].key, e->key))
			before = &s->v[old];
		settle(e, before, now);
		if (!before || before->state != e->state || !str_eq(before->reason, e->reason))
			changed(arg, e->key, before ? before->state : STATE_COUNT, e->condition);
	}
	/* The reasons belong to the status, which lives only until the next pass. */
	for (size_t i = 0; i < c.list.n; i++)
		c.list.v[i].reason = arena_strdup(c.arena, c.list.v[i].reason);
	arena_free(s->arena);
	*s = (struct since){ .arena = c.arena, .v = c.list.v, .n = c.list.n };
}
