/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * One ELF file becomes one directory of pins. It is loaded completely before the first pin, which is of the
 * metadata, by another name: it tells of a load that was interrupted what is ours to clear away. It gets its own name last.
 */
#include "kern/object.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/macros.h"
#include "base/str.h"
#include "kern/context.h"
#include "kern/libbpf_words.h"
#include "kern/object_maps.h"
#include "kern/pin.h"
#include "kern/verifier.h"
#include "model/layout.h"

struct loading {
	const struct kern_context *c;
	struct arena *a;
	const struct op_object *op;
	struct bpf_object *object;
	struct object_maps maps;
};

static void loading_done(struct loading *l)
{
	object_maps_done(&l->maps);
	l->maps = (struct object_maps){ 0 };
	bpf_object__close(l->object);
	l->object = NULL;
}

static int fail(struct op_result *ret, int code, const char *reason)
{
	result_fail(ret, code);
	ret->reason = reason;
	return code;
}

/* Data sections are maps that libbpf names OBJECT.SECTION or, with a suffix, as the section. */
const char *object_map_name(struct arena *a, const struct bpf_map *map)
{
	const char *name = bpf_map__name(map), *dot = strchr(name, '.');

	return arena_strdup(a, bpf_map__is_internal(map) && dot ? dot : name);
}

int object_reuse_map(const struct kern_context *c, struct arena *a, struct bpf_map *map,
		     const struct map_ref *use, struct error *e)
{
	const char *pin = layout_map_pin(a, use->instance, use->version, use->map);
	cleanup(closep) int fd = -1;
	int r;

	r = pin_open(pin_path(c, a, pin), &fd, e);
	return r < 0 ? r : object_reuse_fd(a, map, fd, e);
}

int object_reuse_fd(struct arena *a, struct bpf_map *map, int fd, struct error *e)
{
	struct observed_map theirs;
	int r = pin_map_info(a, fd, &theirs, e);

	if (r < 0)
		return r;
	if (theirs.type != bpf_map__type(map) || theirs.key_size != bpf_map__key_size(map) ||
	    theirs.value_size != bpf_map__value_size(map))
		return error_set(
			e, -EINVAL,
			"it is another kind of map: type %u, key %u, value %u bytes there; "
			"type %u, key %u, value %u bytes here",
			theirs.type, theirs.key_size, theirs.value_size, bpf_map__type(map),
			bpf_map__key_size(map), bpf_map__value_size(map));
	r = bpf_map__reuse_fd(map, fd); /* duplicates it */
	if (r < 0)
		return error_set(e, r, "%s", error_string(r));
	return 0;
}

bool object_wants(const struct op_object *op, const char *function)
{
	for (size_t i = 0; i < op->program_count; i++)
		if (str_eq(op->programs[i], function))
			return true;
	return false;
}

/*
 * All users of one program array must agree in attach type and frags, so neither is left to what a
 * section's name means to this libbpf; changing the type there and back makes it forget the section. A
 * program that knows frags may run without them, but not the other way round.
 */
static void prepare_xdp(const struct loading *l, struct bpf_program *p,
			const struct elf_program *known)
{
	bool frags = l->op->meta.frags && known && known->frags;
	uint32_t flags = bpf_program__flags(p) & ~BPF_F_XDP_HAS_FRAGS;

	(void)bpf_program__set_type(p, BPF_PROG_TYPE_UNSPEC);
	(void)bpf_program__set_type(p, BPF_PROG_TYPE_XDP);
	if (bpf_program__expected_attach_type(p) == 0)
		(void)bpf_program__set_expected_attach_type(p, BPF_XDP);
	(void)bpf_program__set_flags(p, flags | (frags ? BPF_F_XDP_HAS_FRAGS : 0));
}

/*
 * The same for tc: an array's users must agree, and one program is to run as a TCX link or a filter, in
 * either direction, and as a member. Kernels that know TCX look at the type of a link, not at this one.
 */
static void prepare_tc(struct bpf_program *p)
{
	(void)bpf_program__set_expected_attach_type(p, 0);
}

static int prepare_programs(struct loading *l, struct op_result *ret)
{
	const struct elf_object *elf = l->op->decl->source->elf;
	struct bpf_program *p;
	size_t found = 0;

	bpf_object__for_each_program(p, l->object) {
		const char *function = bpf_program__name(p);
		const struct elf_program *known = elf ? elf_find_program(elf, function) : NULL;
		bool wanted = object_wants(l->op, function);

		found += wanted;
		(void)bpf_program__set_autoload(p, wanted || (known && known->needed));
		if (bpf_program__type(p) == BPF_PROG_TYPE_XDP)
			prepare_xdp(l, p, known);
		else if (bpf_program__type(p) == BPF_PROG_TYPE_SCHED_CLS)
			prepare_tc(p);
	}
	if (found == l->op->program_count)
		return 0;
	error_set(&ret->error, -ENOENT, "the ELF file has only %zu of the %zu programs to load",
		  found, l->op->program_count);
	return fail(ret, -ENOENT, "LoadFailed");
}

int object_open(const struct op_object *op, const void *elf, size_t size,
		struct bpf_object **ret_object, struct op_result *ret)
{
	/* Names the kernel's maps of data sections: "fwd.rodata". */
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = op->decl->name);
	struct libbpf_words words;
	int code;

	libbpf_words_begin(&words);
	*ret_object = bpf_object__open_mem(elf, size, &opts);
	code = -errno;
	libbpf_words_end();
	if (*ret_object)
		return 0;
	error_set(&ret->error, code, "%s cannot be opened as an ELF file of BPF: %s%s%s",
		  op->decl->path, error_string(code), words.last[0] ? ": " : "", words.last);
	return fail(ret, code, "LoadFailed");
}

static int pin_programs(struct loading *l, struct error *e)
{
	const struct op_object *op = l->op;
	struct bpf_program *p;
	int r = 0;

	bpf_object__for_each_program(p, l->object) {
		const char *function = bpf_program__name(p);
		const char *pin;

		if (r < 0 || !object_wants(op, function))
			continue;
		pin = layout_program_pin(l->a, op->instance, op->version, function);
		r = pin_put(bpf_program__fd(p), pin_path(l->c, l->a, pin), e);
	}
	return r;
}

/* All of them: an upgrade copies from the data sections too, and nothing else would hold them. */
static int pin_maps(struct loading *l, struct error *e)
{
	const struct op_object *op = l->op;
	int r = 0;

	for (size_t i = 0; r == 0 && i < l->maps.list.n; i++) {
		const struct object_map *m = &l->maps.list.v[i];
		int fd = bpf_map__fd(m->map);
		const char *pin = layout_map_pin(l->a, op->instance, op->version, m->name);

		if (fd >= 0)
			r = pin_put(fd, pin_path(l->c, l->a, pin), e);
	}
	return r;
}

/* The metadata, as that of what is not finished. */
static int pin_unfinished(struct loading *l, const char *directory, int *ret_fd, struct error *e)
{
	struct meta_object m = l->op->meta;
	struct timespec now = { 0 };
	const void *data;
	size_t size;
	int r;

	(void)clock_gettime(CLOCK_BOOTTIME, &now);
	m.loaded_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	data = meta_object_encode(l->a, &m, &size);
	r = pin_meta_new(l->a, l->c->tag, data, size, ret_fd, e);
	return r < 0 ? r :
		       pin_put(*ret_fd, arena_printf(l->a, "%s/" LAYOUT_UNFINISHED, directory), e);
}

static int bind(struct loading *l, int meta, struct error *e)
{
	struct pin_owner owner = { .tag = l->c->tag };
	struct bpf_program *p;
	int *programs;

	programs = arena_calloc(l->a, l->op->program_count, sizeof(*programs));
	bpf_object__for_each_program(p, l->object)
		if (object_wants(l->op, bpf_program__name(p)) &&
		    owner.program_count < l->op->program_count)
			programs[owner.program_count++] = bpf_program__fd(p);
	owner.programs = programs;
	return pin_meta_bind(meta, &owner, e);
}

static int finish(struct loading *l, const char *directory, struct error *e)
{
	const char *from = arena_printf(l->a, "%s/" LAYOUT_UNFINISHED, directory);
	const char *to = arena_printf(l->a, "%s/" LAYOUT_META, directory);

	if (rename(from, to) == 0)
		return 0;
	return error_set(e, -errno, "cannot rename %s to %s: %s", from, to, error_string(errno));
}

static int pin_all(struct loading *l, const char *directory, struct error *e)
{
	const char *const parts[] = { LAYOUT_PROGRAMS, LAYOUT_MAPS };
	cleanup(closep) int meta = -1;
	int r;

	/* The instance's directory may be there with another version; this version's is ours to make. */
	r = pin_directory_create(pin_path(l->c, l->a, layout_instance_dir(l->a, l->op->instance)),
				 e);
	if (r == 0)
		r = object_make_room(l->c, l->a, l->op, e);
	if (r == 0)
		r = pin_directory_create(directory, e);
	if (r == 0)
		r = pin_unfinished(l, directory, &meta, e);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(parts); i++)
		r = pin_directory_create(arena_printf(l->a, "%s/%s", directory, parts[i]), e);
	if (r == 0)
		r = pin_programs(l, e);
	if (r == 0)
		r = pin_maps(l, e);
	if (r == 0)
		r = bind(l, meta, e);
	return r < 0 ? r : finish(l, directory, e);
}

static int load(struct loading *l, const void *elf, size_t elf_size, struct op_result *ret)
{
	int r = object_open(l->op, object_maps_bytes(l->a, l->op, elf, elf_size), elf_size,
			    &l->object, ret);

	l->maps = (struct object_maps){ .c = l->c, .a = l->a, .op = l->op, .object = l->object };
	if (r == 0)
		r = object_maps_prepare(&l->maps, ret);
	if (r == 0)
		r = prepare_programs(l, ret);
	if (r < 0)
		return r;
	r = verifier_load(l->object, l->a, ret);
	if (r < 0)
		object_maps_explain(&l->maps, ret);
	return r;
}

/*
 * A map without types cannot be taken over by what its entries mean, for as long as it lives. Where they are missing a second
 * time the kernel has its reason, as for the key of a trie that is no structure.
 */
static int load_typed(struct loading *l, const void *elf, size_t elf_size, struct op_result *ret)
{
	int r = load(l, elf, elf_size, ret);

	if (r < 0 || !object_maps_lost_types(&l->maps))
		return r;
	loading_done(l);
	return load(l, elf, elf_size, ret);
}

void object_load(const struct kern_context *c, struct arena *a, const struct op *op,
		 const void *elf, size_t elf_size, struct op_result *ret)
{
	cleanup(loading_done) struct loading l = { .c = c, .a = a, .op = &op->object };
	const char *directory =
		pin_path(c, a, layout_object_dir(a, op->object.instance, op->object.version));
	int r = load_typed(&l, elf, elf_size, ret);

	if (r == 0)
		r = object_maps_copy(&l.maps, ret);
	if (r < 0)
		return;
	r = pin_all(&l, directory, &ret->error);
	if (r == 0)
		return;
	(void)object_remove_version(c, a, &op->object, NULL);
	ret->note = NULL;
	fail(ret, r, "PinFailed");
}
