/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * A second form of programs that are loaded: what runs in a dispatcher of libxdp's protocol replaces a function
 * (freplace) and cannot be attached to an interface. All its maps are those of the first form, data sections included, so
 * that a chain changes its mechanism without anything being forgotten. Nothing is written into these maps:
 * what the file fills them with at first is taken out of the bytes.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/macros.h"
#include "base/str.h"
#include "kern/libxdp.h"
#include "kern/object.h"
#include "kern/object_fill.h"
#include "kern/pin.h"
#include "kern/verifier.h"
#include "model/layout.h"

/* ENOTSUPP of the kernel, which never was meant for user space and reaches it all the same. */
#define KERNEL_ENOTSUPP 524

struct extending {
	const struct kern_context *c;
	struct arena *a;
	const struct op_object *op;
	struct bpf_object *template, *object;
	int template_fd;
	int mark; /* the metadata, which all programs of the version are bound to */
};

static void extending_done(struct extending *x)
{
	bpf_object__close(x->object);
	bpf_object__close(x->template);
	closep(&x->mark);
}

static const char *extension_pin(const struct extending *x, const char *function)
{
	return pin_path(x->c, x->a,
			layout_extension_pin(x->a, x->op->instance, x->op->version, function));
}

/* --- before loading ----------------------------------------------------------------- */

static bool drop_all(void *arg, const char *map)
{
	(void)arg;
	(void)map;
	return true;
}

static int reuse_maps(struct extending *x, struct op_result *ret)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, x->object) {
		const char *name = object_map_name(x->a, map);
		const struct map_ref own = { x->op->instance, x->op->version, name };
		int r;

		(void)bpf_map__set_pin_path(map, NULL);
		if (!bpf_map__autocreate(map))
			continue;
		r = object_reuse_map(x->c, x->a, map, &own, &ret->error);
		if (r < 0) {
			error_prefix(&ret->error, r, "map %s of %s", name, x->op->instance);
			return result_fail_as(ret, r, "MapCreateFailed");
		}
	}
	return 0;
}

static int open_mark(struct extending *x, struct op_result *ret)
{
	const char *directory = layout_object_dir(x->a, x->op->instance, x->op->version);
	const char *meta = pin_path(x->c, x->a, arena_printf(x->a, "%s/" LAYOUT_META, directory));
	int r = pin_open(meta, &x->mark, &ret->error);

	return r < 0 ? result_fail_as(ret, r, "PinFailed") : 0;
}

/*
 * One that an interrupted attempt pinned is good: it is of these bytes and these maps. By the same rule as observing
 * (object_observe.c), or it would be missed and left out for ever.
 */
static bool is_pinned(const struct extending *x, const char *function)
{
	struct observed_program p = { 0 };
	struct error ignored = { 0 };
	cleanup(closep) int fd = -1;

	return pin_open_if(extension_pin(x, function), &fd, &ignored) > 0 &&
	       pin_kind(fd) == PIN_PROGRAM && pin_program_info(x->a, fd, &p, &ignored) == 0 &&
	       p.type == BPF_PROG_TYPE_EXT && observed_program_uses(&p, pin_id(x->mark));
}

static int choose_programs(struct extending *x, size_t *ret_count, struct op_result *ret)
{
	const struct elf_object *elf = x->op->decl->source->elf;
	struct bpf_program *p;

	*ret_count = 0;
	bpf_object__for_each_program(p, x->object) {
		const char *function = bpf_program__name(p);
		const struct elf_program *known = elf ? elf_find_program(elf, function) : NULL;
		bool load = object_wants(x->op, function) && !is_pinned(x, function);

		(void)bpf_program__set_autoload(p, load);
		if (!load)
			continue;
		++*ret_count;
		if (known && known->has_btf)
			continue;
		error_set(&ret->error, -EINVAL,
			  "function %s has no BTF, by which a freplace program is matched with "
			  "what it replaces: compile it with clang -g, or use mechanism: tailcall",
			  function);
		return result_fail_as(ret, -EINVAL, "NoBtf");
	}
	return 0;
}

static int prepare(struct extending *x, const void *elf, size_t size, size_t *ret_count,
		   struct op_result *ret)
{
	const struct libxdp_config config = { .version = LIBXDP_VERSION_MIN, .slot_count = 1 };
	int r = object_open(x->op, object_without_fill(x->a, elf, size, drop_all, NULL), size,
			    &x->object, ret);

	if (r == 0)
		r = reuse_maps(x, ret);
	if (r == 0)
		r = choose_programs(x, ret_count, ret);
	if (r < 0 || *ret_count == 0)
		return r;
	r = libxdp_dispatcher_load(x->a, &config, &x->template, &x->template_fd, ret);
	if (r < 0)
		return r;
	r = libxdp_prepare_extension(x->object, x->template_fd, &ret->error);
	return r < 0 ? result_fail_as(ret, r, "LoadFailed") : 0;
}

/* --- loading and pinning -------------------------------------------------------------- */

/* The verifier's words are of the function that is replaced, which nobody who wrote the program knows. */
static void explain(struct op_result *ret)
{
	struct error *e = &ret->error;

	if (ret->code == -EPERM || ret->code == -KERNEL_ENOTSUPP || ret->code == -EOPNOTSUPP)
		error_set(e, e->code,
			  "as a freplace program: %s; `bpfsharectl features` tells whether this "
			  "kernel takes any (trampoline); mechanism: tailcall needs none",
			  e->text);
	else if (ret->log)
		error_set(
			e, e->code,
			"as a freplace program: %s; a member of a libxdp chain must be a function "
			"int NAME(struct xdp_md *ctx), and before Linux 6.2 it cannot make tail "
			"calls; mechanism: tailcall takes any XDP program",
			e->text);
	else
		error_prefix(e, e->code, "as a freplace program");
}

static int pin_programs(struct extending *x, struct error *e)
{
	const char *directory = layout_object_dir(x->a, x->op->instance, x->op->version);
	struct bpf_program *p;
	int r = pin_directory_create(
		pin_path(x->c, x->a, arena_printf(x->a, "%s/" LAYOUT_EXTENSIONS, directory)), e);

	bpf_object__for_each_program(p, x->object) {
		int fd = bpf_program__fd(p);

		if (r < 0 || !bpf_program__autoload(p))
			continue;
		if (bpf_prog_bind_map(fd, x->mark, NULL) < 0)
			r = error_set(e, -errno, "cannot bind the metadata map to its program: %s",
				      error_string(errno));
		if (r == 0) /* what is there is not ours, see is_pinned() */
			r = pin_remove(extension_pin(x, bpf_program__name(p)), e);
		if (r == 0)
			r = pin_put(fd, extension_pin(x, bpf_program__name(p)), e);
	}
	return r;
}

void object_extension_load(const struct kern_context *c, struct arena *a, const struct op *op,
			   const void *elf, size_t elf_size, struct op_result *ret)
{
	cleanup(extending_done) struct extending x = {
		.c = c, .a = a, .op = &op->object, .mark = -1
	};
	size_t count = 0;
	int r = open_mark(&x, ret);

	if (r == 0)
		r = prepare(&x, elf, elf_size, &count, ret);
	if (r < 0 || count == 0)
		return;
	r = verifier_load(x.object, a, ret);
	if (r < 0) {
		explain(ret);
		return;
	}
	r = pin_programs(&x, &ret->error);
	if (r < 0)
		result_fail_as(ret, r, "PinFailed");
}
