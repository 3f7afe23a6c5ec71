/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * A dispatcher and what replaces its functions. An EXT program is verified once, against any dispatcher: all have the same
 * functions. Since Linux 5.10 it can then be attached to others, by links of their own.
 */
#include "kern/libxdp.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "base/macros.h"
#include "base/str.h"
#include "bpf/libxdp_dispatcher_2.skel.h"
#include "bpf/libxdp_dispatcher_3.skel.h"
#include "bpf/libxdp_missing.skel.h"
#include "kern/libbpf_words.h"
#include "kern/verifier.h"

#define MAIN_FUNCTION "xdp_dispatcher"

static void objectp(struct bpf_object **o)
{
	bpf_object__close(*o);
}

static void btfp(struct btf **b)
{
	btf__free(*b);
}

/* Of bytes that are part of this program. */
static struct bpf_object *open_embedded(const void *elf, size_t size, const char *name,
					struct op_result *ret)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = name);
	struct libbpf_words words;
	struct bpf_object *o;
	int code;

	libbpf_words_begin(&words);
	o = bpf_object__open_mem(elf, size, &opts);
	code = -errno;
	libbpf_words_end();
	if (o)
		return o;
	error_set(&ret->error, code, "%s cannot be opened: %s%s%s", name, error_string(code),
		  words.last[0] ? ": " : "", words.last);
	result_fail_as(ret, code, "LoadFailed");
	return NULL;
}

static int configure(struct bpf_object *o, const struct libxdp_config *config)
{
	struct bpf_map *map = bpf_object__find_map_by_name(o, ".rodata");
	struct libxdp_config_3 bytes;
	size_t have = 0, size = libxdp_config_write(config, &bytes);
	void *data = map ? bpf_map__initial_value(map, &have) : NULL;

	if (!data || have != size)
		return -EINVAL;
	memcpy(data, &bytes, size);
	return 0;
}

int libxdp_dispatcher_load(struct arena *a, const struct libxdp_config *config,
			   struct bpf_object **ret_object, int *ret_fd, struct op_result *ret)
{
	cleanup(objectp) struct bpf_object *o = NULL;
	struct bpf_program *program;
	const void *elf;
	size_t size;
	int r;

	elf = config->version == 2 ? libxdp_dispatcher_2_bpf__elf_bytes(&size) :
				     libxdp_dispatcher_3_bpf__elf_bytes(&size);
	o = open_embedded(elf, size, MAIN_FUNCTION, ret);
	if (!o)
		return ret->code;
	program = bpf_object__find_program_by_name(o, MAIN_FUNCTION);
	r = program ? configure(o, config) : -ENOENT;
	if (r < 0) {
		error_set(&ret->error, r, "the dispatcher is damaged");
		return result_fail_as(ret, r, "LoadFailed");
	}
	(void)bpf_program__set_expected_attach_type(program, BPF_XDP);
	(void)bpf_program__set_flags(program, config->frags ? BPF_F_XDP_HAS_FRAGS : 0);
	r = verifier_load(o, a, ret);
	if (r < 0)
		return error_prefix(&ret->error, r, "dispatcher");
	*ret_fd = bpf_program__fd(program);
	*ret_object = take_ptr(o);
	return 0;
}

const char *libxdp_target(struct arena *a, size_t slot, size_t slot_count)
{
	return slot_count == 1 ? MAIN_FUNCTION : arena_printf(a, "prog%zu", slot);
}

/* The number by which the kernel knows a function of a loaded program. */
static int find_function(int program_fd, const char *name, uint32_t *ret, struct error *e)
{
	cleanup(btfp) struct btf *btf = NULL;
	struct bpf_prog_info info = { 0 };
	uint32_t size = sizeof(info);
	int32_t id;

	if (bpf_obj_get_info_by_fd(program_fd, &info, &size) < 0)
		return error_set(e, -errno, "cannot look at the dispatcher: %s",
				 error_string(errno));
	btf = info.btf_id ? btf__load_from_kernel_by_id(info.btf_id) : NULL;
	if (!btf)
		return error_set(e, -EINVAL, "the dispatcher has no BTF that can be read");
	id = btf__find_by_name_kind(btf, name, BTF_KIND_FUNC);
	if (id <= 0)
		return error_set(e, -EINVAL, "the dispatcher has no function %s", name);
	*ret = (uint32_t)id;
	return 0;
}

int libxdp_attach(int extension_fd, int dispatcher_fd, const char *target, int *ret_fd,
		  struct error *e)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts);
	int r = find_function(dispatcher_fd, target, &opts.target_btf_id, e);

	if (r < 0)
		return r;
	*ret_fd = bpf_link_create(extension_fd, dispatcher_fd, 0, &opts);
	if (*ret_fd < 0)
		return error_set(e, -errno, "%s", error_string(errno));
	return 0;
}

/* Changing a program's type makes libbpf forget what its section's name says. */
int libxdp_prepare_extension(struct bpf_object *object, int template_fd, struct error *e)
{
	struct bpf_program *p;

	bpf_object__for_each_program(p, object) {
		int r;

		if (!bpf_program__autoload(p))
			continue;
		(void)bpf_program__set_type(p, BPF_PROG_TYPE_UNSPEC);
		(void)bpf_program__set_type(p, BPF_PROG_TYPE_EXT);
		(void)bpf_program__set_expected_attach_type(p, 0);
		(void)bpf_program__set_flags(p, 0);
		r = bpf_program__set_attach_target(p, template_fd, "prog0");
		if (r < 0)
			return error_set(
				e, r, "no function of the dispatcher can be named as a target: %s",
				error_string(r));
	}
	return 0;
}

int libxdp_missing_load(struct arena *a, int *ret_fd, struct op_result *ret)
{
	const struct libxdp_config config = { .version = LIBXDP_VERSION_MIN, .slot_count = 1 };
	cleanup(objectp) struct bpf_object *template = NULL, *o = NULL;
	const void *elf;
	size_t size;
	int fd, r;

	r = libxdp_dispatcher_load(a, &config, &template, &fd, ret);
	if (r < 0)
		return r;
	elf = libxdp_missing_bpf__elf_bytes(&size);
	o = open_embedded(elf, size, "bpfshare_missing", ret);
	if (!o)
		return ret->code;
	r = libxdp_prepare_extension(o, fd, &ret->error);
	if (r < 0)
		return result_fail_as(ret, r, "LoadFailed");
	r = verifier_load(o, a, ret);
	if (r < 0)
		return r;
	*ret_fd = fcntl(bpf_program__fd(bpf_object__next_program(o, NULL)), F_DUPFD_CLOEXEC, 3);
	if (*ret_fd >= 0)
		return 0;
	r = error_set(&ret->error, -errno, "no descriptor is left: %s", error_string(errno));
	return result_fail_as(ret, r, "OutOfDescriptors");
}
