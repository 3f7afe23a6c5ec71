/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "take_over_fixture.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/str.h"
#include "model/layout.h"

const char *const take_over_programs[] = { "xdp_count", "xdp_inner", "xdp_jump", "xdp_xsk", NULL };

void must(long r, const char *what)
{
	if (r < 0)
		fail_msg("%s: %s", what, strerror(errno));
}

int map_fd(const char *version, const char *map)
{
	int fd = bpf_obj_get(below("%s", layout_map_pin(fixture.a, "o", version, map)));

	if (fd < 0)
		fail_msg("map %s of version %s: %s", map, version, strerror(errno));
	return fd;
}

struct bpf_map_info map_info(const char *version, const char *map)
{
	cleanup(closep) int fd = map_fd(version, map);
	struct bpf_map_info info = { 0 };
	uint32_t size = sizeof(info);

	MUST(bpf_obj_get_info_by_fd(fd, &info, &size));
	return info;
}

struct op_map *take(struct op *op, const char *map, enum map_action action)
{
	for (size_t i = 0; i < op->object.map_count; i++) {
		struct op_map *m = &op->object.maps[i];

		if (!str_eq(m->name, map))
			continue;
		m->action = action;
		m->from = (struct map_ref){ "o", "v1", map };
		m->from_id = map_info("v1", map).id;
		return m;
	}
	fail_msg("no map %s", map);
	return NULL;
}

struct op load_version(const char *version, const char *file, const char *const *programs)
{
	return load_op(declare("o", file), version, programs);
}

void load_first(void)
{
	struct op op = load_version("v1", "test_take_over", take_over_programs);

	apply_fine(&op);
}

uint32_t run(const char *version, const char *function)
{
	unsigned char packet[64] = { 0 };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet, .data_size_in = sizeof(packet),
		    .repeat = 1);
	cleanup(closep) int fd =
		bpf_obj_get(below("%s", layout_program_pin(fixture.a, "o", version, function)));

	MUST(fd);
	MUST(bpf_prog_test_run_opts(fd, &opts));
	return opts.retval;
}

uint64_t value_of(const char *version, const char *map, uint32_t key)
{
	cleanup(closep) int fd = map_fd(version, map);
	uint64_t value = 0;

	MUST(bpf_map_lookup_elem(fd, &key, &value));
	return value;
}

void put(const char *version, const char *map, uint32_t key, uint64_t value)
{
	cleanup(closep) int fd = map_fd(version, map);

	MUST(bpf_map_update_elem(fd, &key, &value, BPF_ANY));
}
