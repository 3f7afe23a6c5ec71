/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The hook tc of the fake kernel: TCX lists with their revisions, as kernel/bpf/mprog.c
 * keeps them, and clsact with its filters.
 */
#include <errno.h>
#include <string.h>

#include "fake/kern_fake_state.h"
#include "model/limits.h"

static struct fake_interface *interface_at(struct kern_fake *k, const struct op_tc *o)
{
	const char *netns;

	return fake_find_netns(k, o->netns, &netns) ? fake_find_ifindex(k, netns, o->ifindex) :
						      NULL;
}

static struct fake_tc *tc_at(struct kern_fake *k, const struct op_tc *o)
{
	struct fake_interface *i = interface_at(k, o);

	return i ? &i->tc[o->direction] : NULL;
}

static struct fake_tc *tc_of(struct kern_fake *k, const char *interface,
			     enum tc_direction direction)
{
	return &fake_find_interface(k, interface)->tc[direction];
}

static bool has_feature(const struct kern_fake *k, const char *name)
{
	for (size_t i = 0; i < k->features.n; i++)
		if (str_eq(k->features.v[i].name, name))
			return k->features.v[i].available;
	return false;
}

/* The kernel counts from one. */
static uint64_t revision_of(const struct fake_tc *t)
{
	return t->changes + 1;
}

static void tcx_insert(struct kern_fake *k, struct fake_tc *t, size_t at, struct fake_tc_program p)
{
	(void)LIST_ADD(k->a, &t->links);
	for (size_t i = t->links.n - 1; i > at; i--)
		t->links.v[i] = t->links.v[i - 1];
	t->links.v[at] = p;
	t->changes++;
}

static void tcx_remove(struct fake_tc *t, size_t at)
{
	FAKE_REMOVE(&t->links, at);
	t->changes++;
}

static size_t tcx_find_program(const struct fake_tc *t, uint32_t id)
{
	size_t i = 0;

	while (i < t->links.n && t->links.v[i].id != id)
		i++;
	return i;
}

static size_t tcx_find_link(const struct fake_tc *t, uint32_t link)
{
	size_t i = 0;

	while (i < t->links.n && t->links.v[i].link_id != link)
		i++;
	return i;
}

static struct observed_link *find_record(struct kern_fake *k, uint32_t id)
{
	for (size_t i = 0; i < k->links.n; i++)
		if (k->links.v[i].id == id && k->links.v[i].hook == HOOK_TC)
			return &k->links.v[i];
	return NULL;
}

static void forget_record(struct kern_fake *k, uint32_t id)
{
	const struct observed_link *l = find_record(k, id);

	if (l)
		FAKE_REMOVE(&k->links, (size_t)(l - k->links.v));
}

/* --- scenery ------------------------------------------------------------------------ */

uint32_t kern_fake_tc_add_foreign(struct kern_fake *k, const char *interface,
				  enum tc_direction direction, const char *program, size_t index)
{
	struct fake_tc *t = tc_of(k, interface, direction);
	struct fake_tc_program p = { .id = fake_add_program(k, program)->id };

	p.link_id = k->next_id++;
	tcx_insert(k, t, MIN(index, t->links.n), p);
	return p.id;
}

void kern_fake_tc_remove_foreign(struct kern_fake *k, const char *interface,
				 enum tc_direction direction, uint32_t id)
{
	struct fake_tc *t = tc_of(k, interface, direction);
	size_t at = tcx_find_program(t, id);

	if (at < t->links.n)
		tcx_remove(t, at);
}

void kern_fake_tc_race(struct kern_fake *k, const char *interface, enum tc_direction direction,
		       const char *program)
{
	struct fake_tc *t = tc_of(k, interface, direction);

	t->race = true;
	t->racer = arena_strdup(k->a, program);
}

void kern_fake_tc_add_filter(struct kern_fake *k, const char *interface,
			     enum tc_direction direction, const char *name, uint32_t priority)
{
	struct fake_interface *i = fake_find_interface(k, interface);
	struct fake_tc_program *f = LIST_ADD(k->a, &i->tc[direction].filters);

	if (i->qdisc == TC_QDISC_NONE)
		i->qdisc = TC_QDISC_CLSACT;
	*f = (struct fake_tc_program){
		.priority = priority,
		.handle = 1,
		.name = arena_strdup(k->a, name),
	};
	/* Of another kind than bpf when it has the name of one. */
	if (!str_eq(name, "flower") && !str_eq(name, "u32"))
		f->id = fake_add_program(k, name)->id;
}

void kern_fake_tc_set_qdisc(struct kern_fake *k, const char *interface, enum tc_qdisc qdisc)
{
	struct fake_interface *i = fake_find_interface(k, interface);

	i->qdisc = qdisc;
	for (size_t d = 0; d < TC_DIRECTION_COUNT; d++)
		i->tc[d].filters.n = 0;
	fake_chain_gc(k);
}

/* The link that is pinned stays, attached to nothing. */
void kern_fake_tc_detach(struct kern_fake *k, const char *interface, enum tc_direction direction,
			 size_t index)
{
	struct fake_tc *t = tc_of(k, interface, direction);
	struct observed_link *l;

	if (index >= t->links.n)
		return;
	l = find_record(k, t->links.v[index].link_id);
	if (l)
		l->ifindex = 0;
	tcx_remove(t, index);
	fake_chain_gc(k);
}

void kern_fake_tc_unpin(struct kern_fake *k, const char *interface, enum tc_direction direction,
			size_t index)
{
	struct fake_tc *t = tc_of(k, interface, direction);
	struct observed_link *l = index < t->links.n ? find_record(k, t->links.v[index].link_id) :
						       NULL;

	if (l)
		l->pinned = false;
}

/* What the links of an interface that goes or moves say of where they are. */
static void set_records(struct kern_fake *k, const struct fake_interface *i, uint32_t ifindex)
{
	for (size_t d = 0; d < TC_DIRECTION_COUNT; d++)
		for (size_t n = 0; n < i->tc[d].links.n; n++) {
			struct observed_link *l = find_record(k, i->tc[d].links.v[n].link_id);

			if (l)
				l->ifindex = ifindex;
		}
}

void fake_tc_remove_interface(struct kern_fake *k, const struct fake_interface *i)
{
	set_records(k, i, 0);
}

/* Links go with it; qdiscs are shut down. */
void fake_tc_move_interface(struct kern_fake *k, struct fake_interface *i)
{
	set_records(k, i, i->o.ifindex);
	i->qdisc = TC_QDISC_NONE;
	for (size_t d = 0; d < TC_DIRECTION_COUNT; d++)
		i->tc[d].filters.n = 0;
	fake_chain_gc(k);
}

/* --- what runs ------------------------------------------------------------------------- */

bool fake_tc_is_attached(const struct kern_fake *k, uint32_t id, bool seen)
{
	for (size_t i = 0; id && i < k->interfaces.n; i++)
		for (size_t d = 0; d < TC_DIRECTION_COUNT; d++) {
			const struct fake_tc *t = &k->interfaces.v[i].tc[d];

			if (fake_is_seen(k, &k->interfaces.v[i]) != seen)
				continue;
			for (size_t n = 0; n < t->links.n; n++)
				if (t->links.v[n].id == id)
					return true;
			for (size_t n = 0; n < t->filters.n; n++)
				if (t->filters.v[n].id == id)
					return true;
		}
	return false;
}

static bool is_pinned_program(const struct kern_fake *k, uint32_t id)
{
	const struct fake_chain *c = fake_find_chain(k, id);

	if (c)
		return c->has_dir || c->held;
	for (size_t i = 0; id && i < k->objects.n; i++)
		for (size_t n = 0; n < k->objects.v[i].program_count; n++)
			if (k->objects.v[i].programs[n].id == id &&
			    fake_is_found(k, &k->objects.v[i].programs[n]))
				return true;
	return false;
}

static bool link_is_ours(struct kern_fake *k, const struct fake_tc_program *p)
{
	const struct observed_link *l = find_record(k, p->link_id);

	return (l && (l->pinned || l->lost)) || is_pinned_program(k, p->id);
}

/* --- operations ------------------------------------------------------------------------- */

static uint32_t target_of(const struct kern_fake *k, const struct op_tc *o)
{
	if (o->program.instance)
		return fake_program_id(k, &o->program);
	if (o->chain_id)
		return fake_find_chain(k, o->chain_id) ? o->chain_id : 0;
	for (size_t i = 0; i < k->builds.n; i++)
		if (str_eq(k->builds.v[i].signature, o->signature))
			return k->builds.v[i].id;
	return 0;
}

static void put_record(struct kern_fake *k, const struct op_tc *o, uint32_t link, uint32_t id)
{
	struct observed_link *l = find_record(k, link);

	if (!l)
		l = LIST_ADD(k->a, &k->links);
	*l = (struct observed_link){ .id = link,
				     .hook = HOOK_TC,
				     .direction = o->direction,
				     .ifindex = o->ifindex,
				     .program_id = id,
				     .pinned = true };
}

static void tcx_update(struct kern_fake *k, struct fake_tc *t, const struct op_tc *o,
		       uint32_t target, struct op_result *ret)
{
	size_t at = tcx_find_link(t, o->link_id), same = tcx_find_program(t, target);

	if (at == t->links.n) {
		fake_refuse(ret, -ENOENT, FAILURE_TRANSIENT, "Vanished", "link %u is gone",
			    o->link_id);
	} else if (t->links.v[at].id != o->expected_id) {
		fake_refuse(ret, -EPERM, FAILURE_TRANSIENT, "TcChanged", "link %u runs %u",
			    o->link_id, t->links.v[at].id);
	} else if (same < t->links.n && same != at) {
		fake_violation(k, "program %u twice at %s of %s", target,
			       tc_direction_names[o->direction], o->interface);
	} else {
		if (target != o->expected_id) {
			fake_drain(k, o->expected_id);
			t->links.v[at].id = target;
			t->changes++;
		}
		put_record(k, o, o->link_id, target);
	}
}

static void run_race(struct kern_fake *k, struct fake_tc *t)
{
	struct fake_tc_program p = { .link_id = k->next_id++ };

	if (!t->race)
		return;
	t->race = false;
	p.id = fake_add_program(k, t->racer ? t->racer : "guest")->id;
	tcx_insert(k, t, t->links.n, p);
	if (!t->racer)
		tcx_remove(t, t->links.n - 1);
}

/* Where a new link goes; the length of the list and one for an unknown neighbour. */
static size_t tcx_position(const struct kern_fake *k, const struct fake_tc *t,
			   const struct op_tc *o)
{
	uint32_t id = o->relative.instance ? fake_program_id(k, &o->relative) : o->relative_id;
	size_t at = tcx_find_program(t, id);

	switch (o->place) {
	case TC_PLACE_FIRST:
		return 0;
	case TC_PLACE_LAST:
		return t->links.n;
	default:
		return at == t->links.n ? at + 1 : at + (o->place == TC_PLACE_AFTER);
	}
}

static void tcx_create(struct kern_fake *k, struct fake_tc *t, const struct op_tc *o,
		       uint32_t target, struct op_result *ret)
{
	struct fake_tc_program p = { .id = target };
	size_t at;

	run_race(k, t);
	at = tcx_position(k, t, o);
	if (o->revision && o->revision != revision_of(t)) {
		fake_refuse(ret, -ESTALE, FAILURE_TRANSIENT, "TcChanged",
			    "the list has revision %llu, not %llu",
			    (unsigned long long)revision_of(t), (unsigned long long)o->revision);
	} else if (tcx_find_program(t, target) < t->links.n) {
		fake_violation(k, "program %u twice at %s of %s", target,
			       tc_direction_names[o->direction], o->interface);
	} else if (at > t->links.n) {
		fake_violation(k, "no such neighbour at %s of %s", tc_direction_names[o->direction],
			       o->interface);
	} else if (t->links.n == LIMIT_CHAIN_TCX) {
		fake_refuse(ret, -ERANGE, FAILURE_KERNEL, "TooManyMembers", "64 are there");
	} else {
		p.link_id = k->next_id++;
		tcx_insert(k, t, at, p);
		put_record(k, o, p.link_id, target);
	}
}

static struct fake_tc_program *find_filter(struct fake_tc *t, const struct op_tc *o)
{
	for (size_t i = 0; i < t->filters.n; i++)
		if (t->filters.v[i].priority == o->filter_priority &&
		    t->filters.v[i].handle == o->filter_handle)
			return &t->filters.v[i];
	return NULL;
}

static int filter_compare(const struct fake_tc_program *x, const struct fake_tc_program *y)
{
	return (x->priority > y->priority) - (x->priority < y->priority);
}

static void filter_insert(struct kern_fake *k, struct fake_tc *t, struct fake_tc_program f)
{
	size_t at = 0;

	while (at < t->filters.n && filter_compare(&t->filters.v[at], &f) <= 0)
		at++;
	(void)LIST_ADD(k->a, &t->filters);
	for (size_t i = t->filters.n - 1; i > at; i--)
		t->filters.v[i] = t->filters.v[i - 1];
	t->filters.v[at] = f;
}

static void filter_set(struct kern_fake *k, const struct op_tc *o, uint32_t target,
		       struct op_result *ret)
{
	struct fake_interface *i = interface_at(k, o);
	struct fake_tc *t = &i->tc[o->direction];
	struct fake_tc_program *f = find_filter(t, o);

	if (i->qdisc == TC_QDISC_INGRESS && o->direction == TC_EGRESS) {
		fake_violation(k, "egress of %s: its qdisc is ingress", o->interface);
	} else if ((f && !f->ours) || (f ? f->id : 0) != o->expected_id) {
		fake_refuse(ret, -EEXIST, FAILURE_TRANSIENT, "TcChanged",
			    "another filter is there");
	} else if (f) {
		fake_drain(k, f->id);
		f->id = target;
	} else {
		if (i->qdisc == TC_QDISC_NONE)
			i->qdisc = TC_QDISC_CLSACT;
		filter_insert(k, t,
			      (struct fake_tc_program){ .id = target,
							.priority = o->filter_priority,
							.handle = o->filter_handle,
							.name = "bpfshare:0000",
							.ours = true });
	}
}

static void tc_set(struct kern_fake *k, const struct op *op, struct op_result *ret)
{
	const struct op_tc *o = &op->tc;
	uint32_t target = target_of(k, o);
	struct fake_tc *t;

	if (o->netns) {
		fake_add_netns(k, o->netns)->recorded = true;
		if (fake_step(k, op_kind_names[op->kind]))
			return;
	}
	t = tc_at(k, o);
	if (!has_feature(k, mechanism_names[o->mechanism]))
		fake_violation(k, "%s at %s: the kernel cannot do it",
			       mechanism_names[o->mechanism], op->key);
	if (!t)
		fake_refuse(ret, -ENODEV, FAILURE_TRANSIENT, "InterfaceGone", "no interface %s",
			    o->interface);
	else if (!target)
		fake_refuse(ret, -ENOENT, FAILURE_TRANSIENT, "Vanished", "%s: not pinned", op->key);
	else if (o->mechanism == MECHANISM_CLSACT)
		filter_set(k, o, target, ret);
	else if (o->link_id)
		tcx_update(k, t, o, target, ret);
	else
		tcx_create(k, t, o, target, ret);
	fake_chain_gc(k);
}

static void tcx_clear(struct kern_fake *k, struct fake_tc *t, const struct op_tc *o,
		      struct op_result *ret)
{
	size_t at = t ? tcx_find_link(t, o->link_id) : 0;

	if (!t || at == t->links.n) {
		fake_drain(k, o->expected_id);
		forget_record(k, o->link_id);
	} else if (t->links.v[at].id != o->expected_id) {
		fake_refuse(ret, -ESTALE, FAILURE_TRANSIENT, "TcChanged", "link %u runs %u",
			    o->link_id, t->links.v[at].id);
	} else {
		fake_drain(k, o->expected_id);
		tcx_remove(t, at);
		forget_record(k, o->link_id);
	}
}

static void tc_clear(struct kern_fake *k, const struct op *op, struct op_result *ret)
{
	const struct op_tc *o = &op->tc;
	struct fake_tc *t = tc_at(k, o);
	const struct fake_tc_program *f;

	if (o->mechanism == MECHANISM_TCX) {
		tcx_clear(k, t, o, ret);
	} else if (t) {
		f = find_filter(t, o);
		if (f && (!f->ours || f->id != o->expected_id)) {
			fake_refuse(ret, -ESTALE, FAILURE_TRANSIENT, "TcChanged",
				    "another filter is there");
		} else if (f) {
			fake_drain(k, f->id);
			FAKE_REMOVE(&t->filters, (size_t)(f - t->filters.v));
		}
	}
	fake_chain_gc(k);
}

void fake_tc_apply(struct kern_fake *k, const struct op *op, struct op_result *ret)
{
	if (op->kind == OP_TC_SET)
		tc_set(k, op, ret);
	else
		tc_clear(k, op, ret);
}

/* --- as recon sees it ------------------------------------------------------------------- */

static void observe_programs(struct kern_fake *k, struct arena *a, const struct fake_tc *t,
			     struct observed_tc *ret)
{
	ret->programs = arena_calloc(a, t->links.n, sizeof(*ret->programs));
	ret->program_count = t->links.n;
	for (size_t i = 0; i < t->links.n; i++)
		ret->programs[i] = (struct observed_tc_program){
			.id = t->links.v[i].id,
			.link_id = t->links.v[i].link_id,
			.ours = link_is_ours(k, &t->links.v[i]),
		};
	ret->filters = arena_calloc(a, t->filters.n, sizeof(*ret->filters));
	ret->filter_count = t->filters.n;
	for (size_t i = 0; i < t->filters.n; i++)
		ret->filters[i] = (struct observed_tc_program){
			.id = t->filters.v[i].id,
			.filter_priority = t->filters.v[i].priority,
			.filter_handle = t->filters.v[i].handle,
			.filter_name = arena_strdup(a, t->filters.v[i].name),
			.ours = t->filters.v[i].ours,
		};
}

static bool has_ours(const struct observed_tc *t)
{
	for (size_t i = 0; i < t->program_count; i++)
		if (t->programs[i].ours)
			return true;
	for (size_t i = 0; i < t->filter_count; i++)
		if (t->filters[i].ours)
			return true;
	return false;
}

void fake_tc_observe(struct kern_fake *k, struct arena *a, const struct observe_request *want,
		     struct observed *ret)
{
	ret->tc = arena_calloc(a, ret->interface_count * TC_DIRECTION_COUNT, sizeof(*ret->tc));
	for (size_t i = 0; i < ret->interface_count; i++) {
		const struct fake_interface *f =
			fake_find_ifindex(k, ret->interfaces[i].netns, ret->interfaces[i].ifindex);

		for (enum tc_direction d = 0; d < TC_DIRECTION_COUNT; d++) {
			struct observed_tc *to = &ret->tc[ret->tc_count];

			*to = (struct observed_tc){ .netns = ret->interfaces[i].netns,
						    .ifindex = f->o.ifindex,
						    .direction = d,
						    .qdisc = f->qdisc };
			if (has_feature(k, "tcx"))
				to->revision = revision_of(&f->tc[d]);
			observe_programs(k, a, &f->tc[d], to);
			ret->tc_count += want->tc || has_ours(to);
		}
	}
}

/* --- as text ------------------------------------------------------------------------------ */

/* Members one by one, in whatever form they run: that depends on the way, not on the end. */
static void add_members(struct kern_fake *k, struct strbuf *b, uint32_t id)
{
	const struct fake_chain *c = fake_find_chain(k, id);
	const struct fake_program *p = fake_find_program(k, id);

	if (!c)
		strbuf_addf(b, " [%s/%s %s proceed 1]", p->instance ? p->instance : "?", p->name,
			    p->version ? p->version : "");
	for (size_t s = 0; c && s < c->meta.member_count; s++) {
		const struct meta_member *m = &c->meta.members[s];

		p = fake_find_program(k, c->slots[s]);
		if (p)
			strbuf_addf(b, " [%s/%s %s proceed %x]", p->instance, p->name, p->version,
				    m->proceed_on);
		else
			strbuf_addf(b, " [empty%s proceed %x]", m->required ? " required" : "",
				    m->proceed_on);
	}
}

const char *fake_tc_ours(struct kern_fake *k, struct arena *a, const struct fake_interface *i,
			 enum tc_direction direction)
{
	const struct fake_tc *t = &i->tc[direction];
	cleanup(strbuf_done) struct strbuf tcx = { 0 }, filters = { 0 };

	for (size_t n = 0; n < t->links.n; n++)
		if (link_is_ours(k, &t->links.v[n]))
			add_members(k, &tcx, t->links.v[n].id);
	for (size_t n = 0; n < t->filters.n; n++)
		if (t->filters.v[n].ours)
			add_members(k, &filters, t->filters.v[n].id);
	if (!tcx.len && !filters.len)
		return NULL;
	return arena_printf(a, "tc %s %s%s%s%s%s", fake_label(a, i), tc_direction_names[direction],
			    tcx.len ? " tcx:" : "", strbuf_get(&tcx), filters.len ? " clsact:" : "",
			    strbuf_get(&filters));
}

const char *fake_tc_foreign(struct kern_fake *k, struct arena *a, const struct fake_interface *i,
			    enum tc_direction direction)
{
	const struct fake_tc *t = &i->tc[direction];
	cleanup(strbuf_done) struct strbuf b = { 0 };

	for (size_t n = 0; n < t->links.n; n++)
		if (!link_is_ours(k, &t->links.v[n]))
			strbuf_addf(&b, " link %u", t->links.v[n].id);
	for (size_t n = 0; n < t->filters.n; n++)
		if (!t->filters.v[n].ours)
			strbuf_addf(&b, " filter %u %s", t->filters.v[n].priority,
				    t->filters.v[n].name);
	if (i->qdisc == TC_QDISC_INGRESS)
		strbuf_add(&b, " ingress qdisc");
	if (!b.len)
		return NULL;
	return arena_printf(a, "tc %u %s:%s", i->serial, tc_direction_names[direction],
			    strbuf_get(&b));
}

const char *kern_fake_tc(struct kern_fake *k, struct arena *a, const char *interface,
			 enum tc_direction direction)
{
	const struct fake_tc *t = tc_of(k, interface, direction);
	cleanup(strbuf_done) struct strbuf b = { 0 };

	strbuf_addf(&b, "%s of %s:", tc_direction_names[direction], interface);
	for (size_t n = 0; n < t->links.n; n++) {
		const struct fake_tc_program *p = &t->links.v[n];

		if (!find_record(k, p->link_id))
			strbuf_addf(&b, " foreign %s", fake_find_program(k, p->id)->name);
		else if (fake_find_chain(k, p->id))
			strbuf_addf(&b, " dispatcher");
		if (find_record(k, p->link_id))
			add_members(k, &b, p->id);
	}
	for (size_t n = 0; n < t->filters.n; n++) {
		const struct fake_tc_program *p = &t->filters.v[n];

		strbuf_addf(&b, " filter %u", p->priority);
		if (p->ours && fake_find_chain(k, p->id))
			strbuf_addf(&b, " dispatcher");
		if (p->ours)
			add_members(k, &b, p->id);
		else
			strbuf_addf(&b, " foreign %s", p->name);
	}
	return arena_strdup(a, strbuf_get(&b));
}
