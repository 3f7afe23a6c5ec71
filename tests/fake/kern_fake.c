/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* The fake kernel's memory, the scenery that tests set up, and faults. */
#include "fake/kern_fake_state.h"

#include <linux/bpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

const struct kern_ops kern_fake_ops = {
	.observe = fake_observe,
	.begin = fake_begin,
	.apply = fake_apply,
};

struct kern_fake *kern_fake_new(void)
{
	static const char *const features[] = { "bpf_link",   "clsact",
						"membarrier", "mount_beneath",
						"tailcall",   "tc_tailcall",
						"tcx",        "unprivileged_map_access" };
	struct kern_fake *k = xnew(struct kern_fake);

	k->a = arena_new();
	k->bpffs = k->directory = true;
	k->next_id = 100;
	k->next_ifindex = 2;
	k->protocol = 2;
	k->next_serial = 1;
	for (size_t i = 0; i < ARRAY_SIZE(features); i++)
		kern_fake_set_feature(k, features[i], true, NULL);
	return k;
}

void kern_fake_free(struct kern_fake *k)
{
	if (!k)
		return;
	strbuf_done(&k->violations);
	arena_free(k->a);
	free(k);
}

/* --- finding ------------------------------------------------------------------------------ */

struct fake_program *fake_find_program(const struct kern_fake *k, uint32_t id)
{
	for (size_t i = 0; id && i < k->programs.n; i++)
		if (k->programs.v[i].id == id)
			return &k->programs.v[i];
	return NULL;
}

struct fake_object *fake_find_object(const struct kern_fake *k, const char *instance,
				     const char *version)
{
	for (size_t i = 0; i < k->objects.n; i++)
		if (str_eq(k->objects.v[i].instance, instance) &&
		    str_eq(k->objects.v[i].version, version))
			return &k->objects.v[i];
	return NULL;
}

struct fake_chain *fake_find_chain(const struct kern_fake *k, uint32_t id)
{
	for (size_t i = 0; id && i < k->chains.n; i++)
		if (k->chains.v[i].id == id)
			return &k->chains.v[i];
	return NULL;
}

/* No interface has a colon in its name. */
struct fake_interface *fake_find_interface(const struct kern_fake *k, const char *label)
{
	const char *colon = strrchr(label, ':');

	for (size_t i = 0; i < k->interfaces.n; i++) {
		const struct observed_interface *o = &k->interfaces.v[i].o;
		size_t n = colon ? (size_t)(colon - label) : 0;

		if ((o->netns != NULL) == (colon != NULL) &&
		    str_eq(o->name, colon ? colon + 1 : label) &&
		    (!colon || (strlen(o->netns) == n && strncmp(o->netns, label, n) == 0)))
			return &k->interfaces.v[i];
	}
	return NULL;
}

struct fake_interface *fake_find_ifindex(const struct kern_fake *k, const char *netns,
					 uint32_t ifindex)
{
	for (size_t i = 0; i < k->interfaces.n; i++)
		if (k->interfaces.v[i].o.ifindex == ifindex &&
		    str_eq(k->interfaces.v[i].o.netns, netns))
			return &k->interfaces.v[i];
	return NULL;
}

struct fake_interface *fake_find_serial(const struct kern_fake *k, uint32_t serial)
{
	for (size_t i = 0; i < k->interfaces.n; i++)
		if (k->interfaces.v[i].serial == serial)
			return &k->interfaces.v[i];
	return NULL;
}

const char *fake_label(struct arena *a, const struct fake_interface *i)
{
	return i->o.netns ? arena_printf(a, "%s:%s", i->o.netns, i->o.name) : i->o.name;
}

bool fake_find_netns(const struct kern_fake *k, const char *name, const char **ret)
{
	*ret = name;
	for (size_t i = 0; name && i < k->netns.n; i++) {
		const struct fake_netns *n = &k->netns.v[i];

		if (!str_eq(n->name, name))
			continue;
		if (n->same_as)
			*ret = *n->same_as ? n->same_as : NULL;
		return n->exists;
	}
	return !name;
}

struct fake_netns *fake_add_netns(struct kern_fake *k, const char *name)
{
	struct fake_netns *n = NULL;

	for (size_t i = 0; i < k->netns.n && !n; i++)
		if (str_eq(k->netns.v[i].name, name))
			n = &k->netns.v[i];
	if (!n) {
		n = LIST_ADD(k->a, &k->netns);
		n->name = arena_strdup(k->a, name);
	}
	return n;
}

struct fake_mount *fake_find_mount(const struct kern_fake *k, const char *path)
{
	for (size_t i = 0; i < k->mounts.n; i++)
		if (str_eq(k->mounts.v[i].o.path, path))
			return &k->mounts.v[i];
	return NULL;
}

struct fake_pin *fake_find_pin(struct fake_pin *pins, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(pins[i].name, name) && !pins[i].lost)
			return &pins[i];
	return NULL;
}

uint32_t fake_program_id(const struct kern_fake *k, const struct program_ref *p)
{
	const struct fake_object *o = fake_find_object(k, p->instance, p->version);
	const struct fake_pin *pin = o ? fake_find_pin(o->programs, o->program_count, p->function) :
					 NULL;

	return pin ? pin->id : 0;
}

uint32_t fake_map_id(const struct kern_fake *k, const struct map_ref *m)
{
	const struct fake_object *o = fake_find_object(k, m->instance, m->version);
	const struct fake_pin *pin = o ? fake_find_pin(o->maps, o->map_count, m->map) : NULL;

	return pin ? pin->id : 0;
}

bool fake_is_complete(const struct fake_object *o)
{
	for (size_t i = 0; i < o->program_count; i++)
		if (o->programs[i].lost)
			return false;
	for (size_t i = 0; i < o->map_count; i++)
		if (o->maps[i].lost)
			return false;
	return o->has_meta && !o->meta_pin.lost;
}

struct fake_program *fake_add_program(struct kern_fake *k, const char *name)
{
	struct fake_program *p = LIST_ADD(k->a, &k->programs);

	p->id = k->next_id++;
	p->name = arena_strdup(k->a, name);
	p->type = BPF_PROG_TYPE_XDP;
	return p;
}

struct meta_object fake_copy_meta(struct arena *a, const struct meta_object *m)
{
	struct meta_object c = *m;

	c.instance = arena_strdup(a, m->instance);
	c.object = arena_strdup(a, m->object);
	c.interface = arena_strdup(a, m->interface);
	c.version = arena_strdup(a, m->version);
	c.origin = arena_strdup(a, m->origin);
	c.elf_path = arena_strdup(a, m->elf_path);
	c.elf_sha256 = arena_strdup(a, m->elf_sha256);
	c.ancestors = m->ancestors ? arena_strdup(a, m->ancestors) : NULL;
	c.declaration = arena_strdup(a, m->declaration);
	c.programs = arena_calloc(a, m->program_count, sizeof(*c.programs));
	for (size_t i = 0; i < m->program_count; i++)
		c.programs[i] = arena_strdup(a, m->programs[i]);
	c.maps = arena_calloc(a, m->map_count, sizeof(*c.maps));
	for (size_t i = 0; i < m->map_count; i++)
		c.maps[i] = (struct meta_map){
			.name = arena_strdup(a, m->maps[i].name),
			.btf_hash = arena_strdup(a, m->maps[i].btf_hash),
			.use = arena_strdup(a, m->maps[i].use),
			.born = arena_strdup(a, m->maps[i].born),
			.from = arena_strdup(a, m->maps[i].from),
			.values = arena_strdup(a, m->maps[i].values),
			.variables = arena_strdup(a, m->maps[i].variables),
			.known = m->maps[i].known,
			.max_entries = m->maps[i].max_entries,
			.flags = m->maps[i].flags,
		};
	return c;
}

struct meta_chain fake_copy_chain(struct arena *a, const struct meta_chain *m)
{
	struct meta_chain c = *m;

	c.signature = arena_strdup(a, m->signature);
	c.origin = arena_strdup(a, m->origin);
	c.members = arena_calloc(a, m->member_count, sizeof(*c.members));
	for (size_t i = 0; i < m->member_count; i++) {
		c.members[i] = m->members[i];
		c.members[i].instance = arena_strdup(a, m->members[i].instance);
		c.members[i].program = arena_strdup(a, m->members[i].program);
	}
	return c;
}

/* --- scenery --------------------------------------------------------------------------------- */

void kern_fake_set_bpffs(struct kern_fake *k, bool mounted, bool directory)
{
	k->bpffs = mounted;
	k->directory = directory;
}

void kern_fake_set_feature(struct kern_fake *k, const char *name, bool available,
			   const char *detail)
{
	struct feature *f = NULL;

	for (size_t i = 0; i < k->features.n && !f; i++)
		if (str_eq(k->features.v[i].name, name))
			f = &k->features.v[i];
	if (!f)
		f = LIST_ADD(k->a, &k->features);
	*f = (struct feature){ arena_strdup(k->a, name), available, arena_strdup(k->a, detail) };
}

void kern_fake_add_name(struct kern_fake *k, const struct observed_name *n)
{
	struct observed_name *to = LIST_ADD(k->a, &k->names);

	*to = *n;
	to->name = arena_strdup(k->a, n->name);
	to->found = true;
}

void kern_fake_set_interface(struct kern_fake *k, const struct observed_interface *i)
{
	struct fake_interface key = { .o = *i };
	struct fake_interface *to = fake_find_interface(k, fake_label(k->a, &key));
	struct observed_interface o = *i;

	if (to) {
		o.ifindex = to->o.ifindex;
		o.xdp_id = to->o.xdp_id;
		o.xdp_mode = to->o.xdp_mode;
	} else {
		to = LIST_ADD(k->a, &k->interfaces);
		to->serial = k->next_serial++;
		o.ifindex = o.ifindex ? o.ifindex : k->next_ifindex++;
	}
	o.name = arena_strdup(k->a, i->name);
	o.netns = arena_strdup(k->a, i->netns);
	o.mac = arena_strdup(k->a, i->mac);
	o.kind = arena_strdup(k->a, i->kind ? i->kind : "");
	o.driver = arena_strdup(k->a, i->driver ? i->driver : "");
	o.master_kind = arena_strdup(k->a, i->master_kind);
	o.altnames.v = arena_calloc(k->a, i->altnames.n, sizeof(char *));
	for (size_t n = 0; n < i->altnames.n; n++)
		o.altnames.v[n] = arena_strdup(k->a, i->altnames.v[n]);
	to->o = o;
}

/* What was attached goes with the interface; a link stays, attached to nothing. */
void kern_fake_remove_interface(struct kern_fake *k, const char *name)
{
	const struct fake_interface *at = fake_find_interface(k, name);

	for (size_t l = 0; at && l < k->links.n; l++)
		if (k->links.v[l].id == at->link_id)
			k->links.v[l].ifindex = 0;
	if (at)
		fake_tc_remove_interface(k, at);
	if (at)
		FAKE_REMOVE(&k->interfaces, (size_t)(at - k->interfaces.v));
	fake_chain_gc(k);
}

void kern_fake_rename_interface(struct kern_fake *k, const char *name, const char *to)
{
	struct fake_interface *at = fake_find_interface(k, name);
	const char *colon = strrchr(to, ':');
	const char *netns = colon ? arena_strndup(k->a, to, (size_t)(colon - to)) : NULL;

	const bool moved = !str_eq(netns, at->o.netns);

	/* Its number goes with it unless another interface has that there. */
	if (moved && fake_find_ifindex(k, netns, at->o.ifindex))
		at->o.ifindex = k->next_ifindex++;
	at->o.name = arena_strdup(k->a, colon ? colon + 1 : to);
	at->o.netns = netns;
	for (size_t l = 0; at->link_id && l < k->links.n; l++)
		if (k->links.v[l].id == at->link_id)
			k->links.v[l].ifindex = at->o.ifindex;
	if (moved)
		fake_tc_move_interface(k, at);
}

void kern_fake_set_netns(struct kern_fake *k, const char *name, const char *same_as)
{
	struct fake_netns *n = fake_add_netns(k, name);

	n->exists = true;
	n->same_as = arena_strdup(k->a, same_as);
}

void kern_fake_remove_netns(struct kern_fake *k, const char *name)
{
	fake_add_netns(k, name)->exists = false;
	for (size_t i = k->interfaces.n; i-- > 0;)
		if (str_eq(k->interfaces.v[i].o.netns, name))
			kern_fake_remove_interface(k, fake_label(k->a, &k->interfaces.v[i]));
}

void kern_fake_refuse_native(struct kern_fake *k, const char *interface)
{
	fake_find_interface(k, interface)->refuses_native = true;
}

uint32_t kern_fake_attach_foreign(struct kern_fake *k, const char *interface, const char *program,
				  enum xdp_attached mode)
{
	struct fake_interface *i = fake_find_interface(k, interface);

	kern_fake_detach(k, interface);
	i->o.xdp_id = fake_add_program(k, program)->id;
	i->o.xdp_mode = mode;
	return i->o.xdp_id;
}

void kern_fake_detach(struct kern_fake *k, const char *interface)
{
	fake_detach(k, fake_find_interface(k, interface));
}

void fake_detach(struct kern_fake *k, struct fake_interface *i)
{
	for (size_t l = 0; i->link_id && l < k->links.n; l++)
		if (k->links.v[l].id == i->link_id)
			FAKE_REMOVE(&k->links, l);
	i->o.xdp_id = i->link_id = 0;
	i->o.xdp_mode = XDP_NONE;
	fake_chain_gc(k);
}

void kern_fake_use_elsewhere(struct kern_fake *k, uint32_t id)
{
	*LIST_ADD(k->a, &k->elsewhere) = id;
}

void kern_fake_empty_slot(struct kern_fake *k, uint32_t chain, uint32_t slot)
{
	struct fake_chain *c = fake_find_chain(k, chain);

	if (c && slot < c->meta.member_count && !fake_is_libxdp(c))
		c->slots[slot] = 0;
}

void kern_fake_remove_chain_dir(struct kern_fake *k, uint32_t chain)
{
	struct fake_chain *c = fake_find_chain(k, chain);

	c->has_dir = c->has_meta = false;
	if (fake_is_libxdp(c)) {
		memset(c->linked, 0, c->meta.member_count * sizeof(*c->linked));
		fake_settle_links(k, c);
	} else {
		memset(c->slots, 0, c->meta.member_count * sizeof(*c->slots));
	}
	fake_chain_gc(k);
}

void kern_fake_mount_foreign(struct kern_fake *k, const char *path)
{
	struct fake_mount *m = fake_find_mount(k, path);

	if (m) {
		m->o.covered = true;
		m->o.cover = m->o.path;
		return;
	}
	m = LIST_ADD(k->a, &k->mounts);
	m->o.path = arena_strdup(k->a, path);
}

void kern_fake_unmount(struct kern_fake *k, const char *path)
{
	struct fake_mount *m = fake_find_mount(k, path);

	if (!m)
		return;
	if (m->o.ours && m->o.covered) {
		m->o.covered = false;
		m->o.cover = NULL;
	} else {
		FAKE_REMOVE(&k->mounts, (size_t)(m - k->mounts.v));
	}
}

void kern_fake_set_pin(struct kern_fake *k, const char *path, const struct observed_pin *pin)
{
	struct fake_mount *m = fake_find_mount(k, path);
	struct observed_pin *to = NULL;

	for (size_t i = 0; i < m->pins.n && !to; i++)
		if (str_eq(m->pins.v[i].name, pin->name))
			to = &m->pins.v[i];
	if (!to)
		to = LIST_ADD(k->a, &m->pins);
	*to = *pin;
	to->name = arena_strdup(k->a, pin->name);
}

/* --- faults ------------------------------------------------------------------------------------ */

void kern_fake_refuse_content(struct kern_fake *k, const char *sha256)
{
	*LIST_ADD(k->a, &k->refused) = arena_strdup(k->a, sha256);
}

void kern_fake_fail(struct kern_fake *k, size_t n, int code, enum failure_class class)
{
	k->fail_planned = true;
	k->fail_at = k->operations + n;
	k->fail_code = code;
	k->fail_class = class;
}

void kern_fake_fail_no_more(struct kern_fake *k)
{
	k->fail_planned = false;
}

void kern_fake_crash(struct kern_fake *k, size_t n)
{
	k->crash_planned = true;
	k->crash_at = k->steps + n;
}

bool kern_fake_has_crashed(const struct kern_fake *k)
{
	return k->crashed;
}

void kern_fake_restart(struct kern_fake *k)
{
	k->crashed = k->crash_planned = k->fail_planned = false;
	fake_let_go(k);
	for (size_t i = 0; i < k->maps.n; i++)
		k->maps.v[i].has_snapshot = false;
}

size_t kern_fake_steps(const struct kern_fake *k)
{
	return k->steps;
}

void fake_refuse(struct op_result *ret, int code, enum failure_class class, const char *reason,
		 const char *fmt, ...)
{
	char text[ERROR_TEXT_MAX];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	ret->code = error_set(&ret->error, code, "%s", text);
	ret->class = class;
	ret->reason = reason;
}

/* --- steps --------------------------------------------------------------------------------------- */

void fake_violation(struct kern_fake *k, const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	strbuf_addf(&k->violations, "%s\n", text);
}

bool fake_step(struct kern_fake *k, const char *what)
{
	k->steps++;
	fake_traffic(k);
	if (k->watching)
		fake_take_snapshot(k, what);
	if (k->crash_planned && k->steps >= k->crash_at)
		k->crashed = true;
	return k->crashed;
}
