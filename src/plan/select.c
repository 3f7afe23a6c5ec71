/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Which interfaces a set or a selector means. The loopback interface is meant only
 * by its own name: no wildcard, driver or kind ever selects it.
 */
#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "plan/plan_internal.h"

/* word is an interface name or a glob. */
static bool interface_has_name(const struct observed_interface *i, const char *word)
{
	if (i->loopback && str_is_glob(word))
		return false;
	if (str_glob(word, i->name))
		return true;
	for (size_t k = 0; k < i->altnames.n; k++)
		if (str_glob(word, i->altnames.v[k]))
			return true;
	return false;
}

static bool names_hold(const struct string_list *names, const struct observed_interface *i)
{
	for (size_t k = 0; k < names->n; k++)
		if (interface_has_name(i, names->v[k]))
			return true;
	return !names->n && !i->loopback;
}

static bool words_hold(const struct string_list *words, const char *value)
{
	for (size_t k = 0; k < words->n; k++)
		if (str_eq(words->v[k], value))
			return true;
	return !words->n;
}

static bool macs_hold(const struct string_list *macs, const char *mac)
{
	for (size_t k = 0; k < macs->n; k++)
		if (mac && strcasecmp(macs->v[k], mac) == 0)
			return true;
	return !macs->n;
}

static bool groups_hold(const struct interface_match *m, uint32_t group)
{
	for (size_t k = 0; k < m->group_count; k++)
		if (m->groups[k] == group)
			return true;
	return !m->group_count;
}

static bool match_holds(const struct interface_match *m, const struct observed_interface *i)
{
	return names_hold(&m->names, i) && words_hold(&m->drivers, i->driver) &&
	       words_hold(&m->kinds, i->kind) && macs_hold(&m->macs, i->mac) &&
	       groups_hold(m, i->group) && (!m->has_physical || m->physical == i->physical);
}

static bool set_selects(const struct interface_set *s, const struct observed_interface *i)
{
	bool selected = false;

	for (size_t k = 0; k < s->select_count && !selected; k++)
		selected = match_holds(&s->select[k], i);
	for (size_t k = 0; k < s->except_count && selected; k++)
		selected = !match_holds(&s->except[k], i);
	return selected;
}

static bool settings_equal(const struct xdp_settings *x, const struct xdp_settings *y)
{
	return x->mode == y->mode && x->mechanism == y->mechanism &&
	       x->on_foreign == y->on_foreign && x->exclusive == y->exclusive;
}

static bool set_has_settings(const struct interface_set *s, enum hook hook)
{
	return hook == HOOK_TC ? s->has_tc : s->has_xdp;
}

static bool set_agrees(const struct interface_set *x, const struct interface_set *y, enum hook hook)
{
	if (hook == HOOK_TC)
		return x->tc.mechanism == y->tc.mechanism;
	return settings_equal(&x->xdp, &y->xdp);
}

/* The first set in sort order whose settings hold for the interface. */
static struct set_state *settings_owner(const struct planner *p, size_t interface, enum hook hook)
{
	for (size_t s = 0; s < p->desired->set_count; s++)
		if (set_has_settings(p->sets[s].decl, hook) && p->sets[s].selects[interface])
			return &p->sets[s];
	return NULL;
}

static void set_find_conflict(struct planner *p, struct set_state *s, enum hook hook)
{
	if (!set_has_settings(s->decl, hook))
		return;
	for (size_t i = 0; i < p->observed->interface_count && !s->conflict; i++) {
		const struct set_state *first = s->selects[i] ? settings_owner(p, i, hook) : NULL;

		if (!first || first == s || set_agrees(first->decl, s->decl, hook))
			continue;
		s->conflict = first->decl;
		s->conflict_interface = interface_label(p, &p->observed->interfaces[i]);
		s->conflict_hook = hook;
	}
}

void sets_resolve(struct planner *p)
{
	const struct desired *d = p->desired;
	size_t n = p->observed->interface_count;

	p->sets = arena_calloc(p->a, d->set_count, sizeof(*p->sets));
	for (size_t s = 0; s < d->set_count; s++) {
		struct set_state *state = &p->sets[s];
		struct interface_range at;

		state->decl = &d->sets[s];
		state->selects = arena_calloc(p->a, n, sizeof(bool));
		state->absent = lookup_netns(p, state->decl->netns, &at);
		for (size_t i = at.first; i < at.end; i++) {
			state->selects[i] = set_selects(state->decl, &p->observed->interfaces[i]);
			state->matches += state->selects[i];
		}
	}
	for (size_t s = 0; s < d->set_count; s++)
		for (enum hook hook = 0; hook < HOOK_COUNT; hook++)
			set_find_conflict(p, &p->sets[s], hook);
}

bool selector_is_literal(const char *selector)
{
	return *selector != '@' && !str_is_glob(selector);
}

bool selector_selects(const struct planner *p, const char *selector, size_t interface)
{
	if (*selector == '@') {
		const struct interface_set *s = desired_find_set(p->desired, selector + 1);

		return s && p->sets[s - p->desired->sets].selects[interface];
	}
	return interface_has_name(&p->observed->interfaces[interface], selector);
}

const char *selector_range(const struct planner *p, const struct attach_decl *decl,
			   const char *selector, struct interface_range *ret)
{
	const struct interface_set *s =
		*selector == '@' ? desired_find_set(p->desired, selector + 1) : NULL;

	return lookup_netns(p, s ? s->netns : decl->netns, ret);
}

struct xdp_settings interface_settings(const struct planner *p, size_t interface)
{
	const struct set_state *s = settings_owner(p, interface, HOOK_XDP);

	return s ? s->decl->xdp : p->in->settings->xdp;
}

struct tc_settings interface_tc_settings(const struct planner *p, size_t interface)
{
	const struct set_state *s = settings_owner(p, interface, HOOK_TC);

	return s ? s->decl->tc : p->in->settings->tc;
}
