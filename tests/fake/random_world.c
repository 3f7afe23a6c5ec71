/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "fake/random_world.h"

#include <linux/bpf.h>
#include <string.h>

#include "base/hash.h"
#include "base/str.h"
#include "config/config.h"

static const char *const object_names[WORLD_OBJECTS] = { "alpha", "beta",    "delta",
							 "gamma", "epsilon", "zeta" };
static const char *const selectors[] = {
	"eth0",
	"eth1",
	"\"eth*\"",
	"eth9",
	"\"@some\"",
	"[eth2, \"@some\", eth0]",
	"eth0, netns: blue",
	"\"@pods\"",
	"[\"eth*\", \"@some\"], netns: blue",
};
/* Those in the namespace have names and numbers that others have as well. */
static const char *const interface_names[WORLD_INTERFACES] = { "eth0", "eth1",      "eth2",
							       "eth3", "blue:eth0", "blue:eth2" };
static const uint32_t interface_numbers[WORLD_INTERFACES] = { 2, 3, 4, 5, 2, 4 };

#define NETNS "blue"

/* The last object has an instance per interface, and a map that needs it. */
#define PER_INTERFACE (WORLD_OBJECTS - 1)
/* Its second program has no BTF. */
#define BARE (WORLD_OBJECTS - 2)

/* splitmix64 */
uint64_t world_random(struct world *w, uint64_t below)
{
	uint64_t z = (w->random += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return (z ^ (z >> 31)) % below;
}

static bool one_in(struct world *w, uint64_t n)
{
	return world_random(w, n) == 0;
}

/* --- object files -------------------------------------------------------------------------- */

static const uint32_t first_map[] = { 0 };

static struct elf_program programs[WORLD_PROGRAMS] = {
	{ .name = "p",
	  .section = "xdp",
	  .type = BPF_PROG_TYPE_XDP,
	  .expected_attach_type = BPF_XDP,
	  .has_btf = true,
	  .maps = first_map,
	  .map_count = 1 },
	{ .name = "q",
	  .section = "xdp",
	  .type = BPF_PROG_TYPE_XDP,
	  .expected_attach_type = BPF_XDP,
	  .has_btf = true },
	{ .name = "t", .section = "tc", .type = BPF_PROG_TYPE_SCHED_CLS },
};

static struct elf_map plain_maps[] = {
	{ .name = "m",
	  .type = BPF_MAP_TYPE_HASH,
	  .key_size = 4,
	  .value_size = 8,
	  .max_entries = 64,
	  .btf_hash = "aa" },
	{ .name = ".bss",
	  .type = BPF_MAP_TYPE_ARRAY,
	  .key_size = 4,
	  .value_size = 8,
	  .max_entries = 1,
	  .is_data = true,
	  .btf_hash = "bb" },
};

static struct elf_map other_maps[] = {
	{ .name = "m",
	  .type = BPF_MAP_TYPE_HASH,
	  .key_size = 4,
	  .value_size = 16,
	  .max_entries = 64,
	  .btf_hash = "cc" },
	{ .name = ".bss",
	  .type = BPF_MAP_TYPE_ARRAY,
	  .key_size = 4,
	  .value_size = 16,
	  .max_entries = 1,
	  .is_data = true,
	  .btf_hash = "dd" },
};

static struct elf_map device_maps[] = {
	{ .name = "m",
	  .type = BPF_MAP_TYPE_XSKMAP,
	  .key_size = 4,
	  .value_size = 4,
	  .max_entries = 64,
	  .btf_hash = "" },
};

static struct elf_program frags_programs[WORLD_PROGRAMS] = {
	{ .name = "p",
	  .section = "xdp.frags",
	  .type = BPF_PROG_TYPE_XDP,
	  .expected_attach_type = BPF_XDP,
	  .has_btf = true,
	  .frags = true,
	  .maps = first_map,
	  .map_count = 1 },
	{ .name = "q",
	  .section = "xdp.frags",
	  .type = BPF_PROG_TYPE_XDP,
	  .expected_attach_type = BPF_XDP,
	  .has_btf = true,
	  .frags = true },
	{ .name = "t", .section = "tc", .type = BPF_PROG_TYPE_SCHED_CLS },
};

/* The first program's priority is declared, the other's is not everywhere; and it has no BTF. */
static struct elf_program bare_programs[WORLD_PROGRAMS] = {
	{ .name = "p",
	  .section = "xdp",
	  .type = BPF_PROG_TYPE_XDP,
	  .expected_attach_type = BPF_XDP,
	  .has_btf = true,
	  .maps = first_map,
	  .map_count = 1 },
	{ .name = "q",
	  .section = "xdp",
	  .type = BPF_PROG_TYPE_XDP,
	  .expected_attach_type = BPF_XDP },
	{ .name = "t", .section = "tc", .type = BPF_PROG_TYPE_SCHED_CLS },
};

static const struct elf_object bare_elf = { .license = "GPL",
					    .programs = bare_programs,
					    .maps = plain_maps,
					    .program_count = WORLD_PROGRAMS,
					    .map_count = 2 };
static const struct elf_object frags_elf = { .license = "GPL",
					     .programs = frags_programs,
					     .maps = plain_maps,
					     .program_count = WORLD_PROGRAMS,
					     .map_count = 2 };
static const struct elf_object plain_elf = { .license = "GPL",
					     .programs = programs,
					     .maps = plain_maps,
					     .program_count = WORLD_PROGRAMS,
					     .map_count = 2 };
static const struct elf_object other_elf = { .license = "GPL",
					     .programs = programs,
					     .maps = other_maps,
					     .program_count = WORLD_PROGRAMS,
					     .map_count = 2 };
static const struct elf_object device_elf = { .license = "GPL",
					      .programs = programs,
					      .maps = device_maps,
					      .program_count = WORLD_PROGRAMS,
					      .map_count = 1 };

static void hash_content(size_t object, unsigned int content, char ret[SHA256_HEX])
{
	unsigned char bytes[2] = { (unsigned char)object, (unsigned char)content };

	hash_bytes(bytes, sizeof(bytes), ret);
}

static const struct object_source *source_of(struct world *w, size_t object)
{
	struct object_source *s = arena_new_of(w->a, struct object_source);

	s->path = arena_printf(w->a, "/etc/bpfshare.d/%s.o", object_names[object]);
	hash_content(object, w->objects[object].content, s->sha256);
	s->elf = object == PER_INTERFACE ? &device_elf : object == BARE ? &bare_elf : &plain_elf;
	if (object != PER_INTERFACE && w->objects[object].content == WORLD_FRAGS)
		s->elf = &frags_elf;
	else if (s->elf == &plain_elf && w->objects[object].content == WORLD_OTHER &&
		 w->kind != WORLD_PURE)
		s->elf = &other_elf;
	return s;
}

/* --- as YAML ---------------------------------------------------------------------------------- */

static void write_constraint(struct strbuf *b, const char *key, int object, bool tc)
{
	if (object >= 0)
		strbuf_addf(b, ", %s: [%s/%s]", key, object_names[object], tc ? "t" : "p");
}

static void write_attach(struct strbuf *b, const struct world_attach *at, bool tc)
{
	strbuf_addf(b, "          - {%s: {interface: %s", tc ? "tc" : "xdp",
		    selectors[at->selector]);
	if (tc)
		strbuf_addf(b, ", direction: %s", tc_direction_names[at->direction]);
	strbuf_addf(b, "}, priority: %u, on_missing: %s", at->priority,
		    on_missing_names[at->on_missing]);
	if (at->passes_drop)
		strbuf_addf(b, ", proceed_on: [%s]", tc ? "next, ok" : "pass, drop");
	write_constraint(b, "before", at->before, tc);
	write_constraint(b, "after", at->after, tc);
	strbuf_add(b, "}\n");
}

static void write_object(struct strbuf *b, const struct world *w, size_t i)
{
	const struct world_object *o = &w->objects[i];

	strbuf_addf(b, "  %s:\n    file: %s.o\n", object_names[i], object_names[i]);
	if (i == PER_INTERFACE)
		strbuf_add(b, "    instances: interface\n");
	if (o->suspended)
		strbuf_add(b, "    suspend: true\n");
	if (o->skipped)
		strbuf_add(b, "    when: {host: elsewhere}\n");
	if (o->use >= 0)
		strbuf_addf(b, "    maps: {m: {use: %s/m}}\n", object_names[o->use]);
	else if (o->max_entries)
		strbuf_addf(b, "    maps: {m: {max_entries: %u, on_change: %s}}\n", o->max_entries,
			    on_change_names[o->on_change]);
	else
		strbuf_addf(b, "    maps: {m: {on_change: %s}}\n", on_change_names[o->on_change]);
	strbuf_add(b, "    programs:\n");
	for (size_t p = 0; p < WORLD_PROGRAMS; p++) {
		if (!o->attaches[p]) {
			strbuf_addf(b, "      %s: {}\n", programs[p].name);
			continue;
		}
		strbuf_addf(b, "      %s:\n        attach:\n", programs[p].name);
		for (size_t k = 0; k < o->attaches[p]; k++)
			write_attach(b, &o->attach[p][k], p == WORLD_TC);
	}
}

static void write_share(struct strbuf *b, const struct world *w, size_t i)
{
	const struct world_share *s = &w->shares[i];
	bool any = false;

	strbuf_addf(b, "  s%zu:\n    maps: [", i);
	for (size_t k = 0; k < WORLD_OBJECTS; k++) {
		if (!s->has[k])
			continue;
		strbuf_addf(b, "%s{map: %s%s/m, as: m%zu, access: %s, unsafe: %s}", any ? ", " : "",
			    object_names[k], k == PER_INTERFACE ? "@eth0" : "", k,
			    s->writable[k] ? "rw" : "ro", k == PER_INTERFACE ? "true" : "false");
		any = true;
	}
	if (!any)
		strbuf_add(b, "alpha/m");
	strbuf_add(b, "]\n    targets: [{bpffs: {");
	if (s->elsewhere)
		strbuf_addf(b, "path: /mnt/s%zu", i);
	if (s->grouped)
		strbuf_addf(b, "%sgroup: users", s->elsewhere ? ", " : "");
	strbuf_add(b, "}}]\n");
}

struct text {
	const char *path;
	char *yaml;
};

struct texts {
	LIST(struct text) list;
};

static void add_text(struct world *w, struct texts *t, const char *path, struct strbuf *b)
{
	*LIST_ADD(w->a, &t->list) =
		(struct text){ arena_strdup(w->a, path), arena_strdup(w->a, strbuf_get(b)) };
	strbuf_done(b);
	*b = (struct strbuf){ 0 };
}

/* One file per declaration, so that the order in which they are read is free. */
static void write_all(struct world *w, struct texts *t)
{
	cleanup(strbuf_done) struct strbuf b = { 0 };

	strbuf_addf(&b,
		    "interfaces:\n  some: {select: [{name: \"eth[12]\"}], xdp: {exclusive: %s, "
		    "mechanism: %s}, tc: {mechanism: %s}}\n"
		    "  pods: {select: [{name: \"eth*\"}], netns: blue}\n",
		    w->exclusive ? "true" : "false", mechanism_names[w->mechanism],
		    tc_mechanism_names[w->tc]);
	add_text(w, t, "interfaces.yaml", &b);
	for (size_t i = 0; i < WORLD_OBJECTS; i++) {
		if (!w->objects[i].declared)
			continue;
		strbuf_add(&b, "objects:\n");
		write_object(&b, w, i);
		add_text(w, t, arena_printf(w->a, "%s.yaml", object_names[i]), &b);
	}
	for (size_t i = 0; i < WORLD_SHARES; i++) {
		if (!w->shares[i].declared)
			continue;
		strbuf_add(&b, "shares:\n");
		write_share(&b, w, i);
		add_text(w, t, arena_printf(w->a, "s%zu.yaml", i), &b);
	}
}

static void shuffle(struct fragment **v, size_t n, uint64_t order)
{
	struct world dice = { .random = order };

	for (size_t i = n; order && i > 1; i--) {
		size_t k = world_random(&dice, i);
		struct fragment *f = v[i - 1];

		v[i - 1] = v[k];
		v[k] = f;
	}
}

void world_declare(struct world *w, uint64_t order)
{
	struct desired *d = arena_new_of(w->a, struct desired);
	struct texts t = { 0 };
	struct fragment **v;

	write_all(w, &t);
	v = arena_calloc(w->a, t.list.n, sizeof(struct fragment *));
	for (size_t i = 0; i < t.list.n; i++) {
		v[i] = config_parse(w->a, t.list.v[i].path, t.list.v[i].yaml,
				    strlen(t.list.v[i].yaml), &driver_settings);
		if (!v[i]->valid)
			abort(); /* the generator is at fault */
	}
	shuffle(v, t.list.n, order);
	config_merge(w->a, v, t.list.n, NULL, 0, d);
	for (size_t i = 0; i < d->object_count; i++)
		for (size_t k = 0; k < WORLD_OBJECTS; k++)
			if (str_eq(object_names[k], d->objects[i].name))
				d->objects[i].source = source_of(w, k);
	config_judge(w->a, d, NULL);
	w->driver.in.desired = d;
}

/* --- change ---------------------------------------------------------------------------------------- */

static void change_attach(struct world *w, size_t object, struct world_attach *at)
{
	static const unsigned int priorities[] = { 10, 20, 20, 50 };
	int other = (int)world_random(w, WORLD_OBJECTS);

	*at = (struct world_attach){
		.selector = (unsigned int)world_random(w, ARRAY_SIZE(selectors)),
		.priority = priorities[world_random(w, ARRAY_SIZE(priorities))],
		.passes_drop = one_in(w, 4),
		.direction = (enum tc_direction)world_random(w, TC_DIRECTION_COUNT),
		.on_missing = (enum on_missing)world_random(w, ON_MISSING_COUNT),
		.before = -1,
		.after = -1,
	};
	/* Upwards only, so that there is no circle. */
	if (one_in(w, 3) && (w->kind != WORLD_PURE || other > (int)object))
		at->before = other;
	else if (one_in(w, 3) && (w->kind != WORLD_PURE || other < (int)object))
		at->after = other;
}

/* Where only the declaration is to decide, no map may stay for its size. */
static void change_on_change(struct world *w, size_t i)
{
	static const enum on_change pure[] = { ON_CHANGE_GROW, ON_CHANGE_RESET };
	enum on_change any = (enum on_change)world_random(w, ON_CHANGE_COUNT);

	if (w->kind == WORLD_PURE)
		any = pure[any % ARRAY_SIZE(pure)];
	w->objects[i].on_change = i == PER_INTERFACE ? ON_CHANGE_RESET : any;
}

static void change_object(struct world *w, size_t i)
{
	static const uint64_t contents[] = { WORLD_BAD, WORLD_BAD + 1, WORLD_FRAGS + 1 };
	struct world_object *o = &w->objects[i];
	size_t program = world_random(w, WORLD_PROGRAMS);

	switch (world_random(w, 9)) {
	case 0:
		o->declared = !o->declared;
		break;
	case 1:
	case 2:
		o->content = (unsigned int)world_random(w, contents[w->kind]);
		break;
	case 3:
		o->skipped = one_in(w, 3);
		break;
	case 4:
		o->suspended = w->kind != WORLD_PURE && one_in(w, 3);
		break;
	case 5:
		o->use = i > 0 && i != PER_INTERFACE && one_in(w, 2) ? (int)world_random(w, i) : -1;
		break;
	case 6:
		o->max_entries = (unsigned int)world_random(w, 2) * 128;
		break;
	case 7:
		change_on_change(w, i);
		break;
	default:
		o->attaches[program] = world_random(w, WORLD_ATTACHES + 1);
		for (size_t k = 0; k < WORLD_ATTACHES; k++)
			change_attach(w, i, &o->attach[program][k]);
		break;
	}
}

static void change_share(struct world *w, size_t i)
{
	struct world_share *s = &w->shares[i];
	size_t map = world_random(w, WORLD_OBJECTS);

	switch (world_random(w, 5)) {
	case 0:
		s->declared = !s->declared;
		break;
	case 1:
		s->elsewhere = one_in(w, 2);
		break;
	case 2:
		s->grouped = one_in(w, 2);
		break;
	default:
		s->has[map] = !s->has[map];
		s->writable[map] = one_in(w, 3);
		break;
	}
}

static void toggle_interface(struct world *w, size_t i)
{
	const char *colon = strchr(interface_names[i], ':');

	w->interfaces[i] = !w->interfaces[i];
	w->foreign[i] = w->ingress_qdisc[i] = false;
	if (w->interfaces[i])
		kern_fake_set_interface(w->kernel,
					&(struct observed_interface){
						.name = colon ? colon + 1 : interface_names[i],
						.netns = colon ? NETNS : NULL,
						.ifindex = interface_numbers[i],
						.mtu = 1500,
						.up = true,
					});
	else
		kern_fake_remove_interface(w->kernel, interface_names[i]);
}

static void toggle_foreign(struct world *w, size_t i)
{
	if (!w->interfaces[i])
		return;
	w->foreign[i] = !w->foreign[i];
	if (w->foreign[i])
		(void)kern_fake_attach_foreign(w->kernel, interface_names[i], "someone",
					       XDP_GENERIC);
	else
		kern_fake_detach(w->kernel, interface_names[i]);
}

/* What people do with xdp-loader. */
static void toggle_member(struct world *w, const char *interface)
{
	static const struct fake_member members[] = {
		{ "a_first", 10, 1u << 2, true },
		{ "p", 20, 1u << 2 | 1u << 1, false },
		{ "z_last", 50, 1u << 31 >> 1, true },
	};
	const struct fake_member *m = &members[world_random(w, ARRAY_SIZE(members))];
	struct fake_member at;

	for (size_t n = 0; kern_fake_foreign_member(w->kernel, interface, n, &at); n++) {
		if (!str_eq(at.name, m->name) || at.priority != m->priority)
			continue;
		(void)kern_fake_libxdp_unload(w->kernel, interface, m->name);
		return;
	}
	(void)kern_fake_libxdp_load(w->kernel, interface, m);
}

static void meddle_with_libxdp(struct world *w, size_t i)
{
	const char *interface = interface_names[i];

	if (!w->interfaces[i] || w->foreign[i])
		return;
	switch (world_random(w, 8)) {
	case 0:
		(void)kern_fake_libxdp_unload_all(w->kernel, interface);
		break;
	case 1:
		kern_fake_libxdp_rebuild(w->kernel, interface);
		break;
	case 2:
		kern_fake_lose_link(w->kernel, interface, (uint32_t)world_random(w, 3));
		break;
	case 3:
		/* Of a dispatcher that is not ours nothing would be left to tell its members. */
		if (kern_fake_has_own_libxdp(w->kernel, interface))
			kern_fake_lose_protocol_pins(w->kernel, interface);
		break;
	case 4:
		if (kern_fake_has_own_libxdp(w->kernel, interface))
			kern_fake_remove_chain_dir(w->kernel, kern_fake_root(w->kernel, interface));
		break;
	default:
		toggle_member(w, interface);
		break;
	}
}

/* Who has what is attached, and in what form, is for others to change as well. */
static void meddle_with_tc(struct world *w, const char *interface, bool *ingress_qdisc)
{
	enum tc_direction d = (enum tc_direction)world_random(w, TC_DIRECTION_COUNT);
	size_t index = world_random(w, 4);

	switch (world_random(w, 6)) {
	case 0:
		kern_fake_tc_detach(w->kernel, interface, d, index);
		break;
	case 1:
		kern_fake_tc_unpin(w->kernel, interface, d, index);
		break;
	case 2:
		kern_fake_tc_add_filter(w->kernel, interface, d, "somebody", 10);
		*ingress_qdisc &= d == TC_INGRESS;
		break;
	case 3:
		/* What ran before by another mechanism stays, and so decides. */
		*ingress_qdisc = w->kind != WORLD_PURE && one_in(w, 2);
		kern_fake_tc_set_qdisc(w->kernel, interface,
				       *ingress_qdisc ? TC_QDISC_INGRESS : TC_QDISC_NONE);
		break;
	case 4:
		kern_fake_tc_race(w->kernel, interface, d, NULL);
		break;
	default:
		(void)kern_fake_tc_add_foreign(w->kernel, interface, d, "someone", index);
		break;
	}
}

/* What was in a namespace goes with it; a new one of the name is empty. */
static void renew_namespace(struct world *w)
{
	kern_fake_remove_netns(w->kernel, NETNS);
	for (size_t i = 0; i < WORLD_INTERFACES; i++)
		if (strchr(interface_names[i], ':'))
			w->interfaces[i] = w->foreign[i] = w->ingress_qdisc[i] = false;
	kern_fake_set_netns(w->kernel, NETNS, NULL);
}

/* interface NULL: it is not there. */
static void lose_pins(struct world *w, size_t object, const char *interface)
{
	const char *program = one_in(w, 2) ? "p" : "t";

	switch (world_random(w, 6)) {
	case 0:
		/* What is not found again leads to versions of other names, and with them to another end. */
		if (w->kind != WORLD_PURE)
			kern_fake_lose_for_good(w->kernel, object_names[object], program);
		break;
	case 1:
		/* What the process alone holds ends with it: then the end depends on when that is. */
		if (kern_fake_runs(w->kernel, object_names[object]))
			kern_fake_lose_pin(w->kernel, object_names[object], NULL);
		break;
	case 2:
		kern_fake_lose_pin(w->kernel, object_names[object], "m");
		break;
	case 3:
		if (interface)
			kern_fake_lose_chain(w->kernel, interface);
		break;
	case 4:
		if (interface)
			kern_fake_lose_link_pin(w->kernel, interface);
		break;
	default:
		kern_fake_lose_pin(w->kernel, object_names[object], program);
		break;
	}
}

static void meddle(struct world *w)
{
	size_t i = world_random(w, WORLD_INTERFACES);
	size_t object = world_random(w, PER_INTERFACE);

	if (one_in(w, 3)) {
		meddle_with_libxdp(w, i);
		return;
	}
	switch (world_random(w, 10)) {
	case 0:
	case 1:
		toggle_interface(w, i);
		break;
	case 6:
		renew_namespace(w);
		break;
	case 7:
	case 8:
	case 9:
		if (w->interfaces[i])
			meddle_with_tc(w, interface_names[i], &w->ingress_qdisc[i]);
		break;
	case 2:
		toggle_foreign(w, i);
		break;
	case 3:
		if (w->interfaces[i] && !w->foreign[i])
			kern_fake_detach(w->kernel, interface_names[i]);
		break;
	case 4:
		if (w->interfaces[i])
			kern_fake_empty_slot(w->kernel,
					     kern_fake_root(w->kernel, interface_names[i]),
					     (uint32_t)world_random(w, 3));
		break;
	default:
		lose_pins(w, object, w->interfaces[i] ? interface_names[i] : NULL);
		break;
	}
}

const char *world_drift(struct world *w)
{
	size_t i = world_random(w, WORLD_INTERFACES), n = world_random(w, 3);
	enum tc_direction direction = one_in(w, 2) ? TC_EGRESS : TC_INGRESS;
	const char *interface = interface_names[i], *path;

	switch (world_random(w, 5)) {
	case 0:
		if (w->interfaces[i] && !w->foreign[i])
			kern_fake_detach(w->kernel, interface);
		return arena_printf(w->a, "detach %s", interface);
	case 1:
		if (w->interfaces[i])
			kern_fake_empty_slot(w->kernel, kern_fake_root(w->kernel, interface),
					     (uint32_t)n);
		return arena_printf(w->a, "empty slot %zu of %s", n, interface);
	case 2:
		if (w->interfaces[i])
			kern_fake_tc_detach(w->kernel, interface, direction, n);
		return arena_printf(w->a, "detach %zu at %s of %s", n,
				    tc_direction_names[direction], interface);
	case 3:
		n = world_random(w, WORLD_SHARES);
		path = one_in(w, 2) ? arena_printf(w->a, "/run/bpfshare/shares/s%zu/maps", n) :
				      arena_printf(w->a, "/mnt/s%zu", n);
		kern_fake_unmount(w->kernel, path);
		return arena_printf(w->a, "unmount %s", path);
	default:
		kern_fake_lose_pin(w->kernel, object_names[world_random(w, WORLD_OBJECTS)],
				   one_in(w, 2) ? "p" : "m");
		return "lose a pin";
	}
}

static void set_libxdp(struct world *w, bool available)
{
	w->libxdp = available;
	kern_fake_set_feature(w->kernel, "libxdp", available, "it was switched off");
}

void world_change(struct world *w, bool calm)
{
	size_t changes = 1 + world_random(w, 5);

	for (size_t i = 0; i < changes; i++)
		change_object(w, world_random(w, WORLD_OBJECTS));
	if (one_in(w, 2))
		change_share(w, world_random(w, WORLD_SHARES));
	if (w->kind != WORLD_PURE && one_in(w, 6))
		w->exclusive = !w->exclusive;
	if (w->kind != WORLD_PURE && one_in(w, 3))
		w->mechanism = (enum mechanism)world_random(w, MECHANISM_DIRECT);
	if (w->kind != WORLD_PURE && one_in(w, 12))
		set_libxdp(w, !w->libxdp);
	if (one_in(w, 5))
		w->tc = (enum tc_mechanism)world_random(w, TC_MECHANISM_COUNT);
	if (!calm && one_in(w, 2))
		meddle(w);
	world_declare(w, 0);
}

const struct world_object *world_object_of(const struct world *w, const char *instance)
{
	const char *name = arena_strndup(w->a, instance, strcspn(instance, "@"));

	for (size_t i = 0; i < WORLD_OBJECTS; i++)
		if (str_eq(object_names[i], name))
			return &w->objects[i];
	return NULL;
}

/* --- from nothing ------------------------------------------------------------------------------------ */

static void setup(struct world *w)
{
	char sha256[SHA256_HEX];

	w->a = arena_new();
	w->kernel = kern_fake_new();
	driver_init(&w->driver, w->kernel);
	kern_fake_set_netns(w->kernel, NETNS, NULL);
	kern_fake_add_name(w->kernel,
			   &(struct observed_name){ .name = "users", .is_group = true, .id = 100 });
	for (size_t i = 0; i < WORLD_OBJECTS; i++) {
		hash_content(i, WORLD_BAD, sha256);
		kern_fake_refuse_content(w->kernel, sha256);
	}
}

void world_init(struct world *w, uint64_t seed, enum world_kind kind)
{
	*w = (struct world){ .kind = kind, .random = seed };
	setup(w);
	set_libxdp(w, !one_in(w, 3));
	w->mechanism = (enum mechanism)world_random(w, MECHANISM_DIRECT);
	for (size_t i = 0; i < WORLD_OBJECTS; i++) {
		w->objects[i].use = -1;
		change_on_change(w, i);
		w->objects[i].declared = one_in(w, 2);
		for (size_t p = 0; p < WORLD_PROGRAMS; p++) {
			w->objects[i].attaches[p] = world_random(w, WORLD_ATTACHES + 1);
			for (size_t k = 0; k < WORLD_ATTACHES; k++)
				change_attach(w, i, &w->objects[i].attach[p][k]);
		}
	}
	for (size_t i = 0; i < WORLD_SHARES; i++) {
		w->shares[i].declared = one_in(w, 2);
		for (size_t k = 0; k < WORLD_OBJECTS; k++)
			w->shares[i].has[k] = one_in(w, 2);
	}
	for (size_t i = 0; i < WORLD_INTERFACES; i++)
		if (!one_in(w, 3))
			toggle_interface(w, i);
	world_declare(w, 0);
}

void world_init_fresh(struct world *fresh, const struct world *w)
{
	*fresh = *w;
	setup(fresh);
	set_libxdp(fresh, w->libxdp);
	for (size_t i = 0; i < WORLD_INTERFACES; i++) {
		struct fake_member m;

		fresh->interfaces[i] = fresh->foreign[i] = fresh->ingress_qdisc[i] = false;
		if (!w->interfaces[i])
			continue;
		toggle_interface(fresh, i);
		if (w->foreign[i])
			toggle_foreign(fresh, i);
		for (size_t n = 0; kern_fake_foreign_member(w->kernel, interface_names[i], n, &m);
		     n++)
			(void)kern_fake_libxdp_load(fresh->kernel, interface_names[i], &m);
	}
	world_declare(fresh, 0);
}

void world_done(struct world *w)
{
	driver_done(&w->driver);
	kern_fake_free(w->kernel);
	arena_free(w->a);
}
