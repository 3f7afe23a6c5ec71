/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * A metadata map is frozen, so there is a new one in its place, by rename and bound to the same programs:
 * the tree is whole at any moment, as it would be if the other bpfshare had made it.
 */
#include "tools/age.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEADER_SIZE 16
#define VALUE_MAX   (1u << 20)
#define FIELDS_OF_1 3 /* of a map's line */

static int fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	return 1;
}

static void put_u32(unsigned char *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (unsigned char)(v >> (8 * i));
}

/* Cuts "map=" lines behind their third field, in place; returns the new length. */
static size_t cut_maps(char *text, size_t size)
{
	size_t to = 0;
	int fields = 0; /* 0: the line is none of a map, else the number of the field */

	for (size_t from = 0; from < size; from++) {
		int starts = from == 0 || text[from - 1] == '\n';

		if (starts)
			fields = size - from > 4 && !memcmp(text + from, "map=", 4);
		if (fields && text[from] == ',')
			fields++;
		if (fields <= FIELDS_OF_1 || text[from] == '\n')
			text[to++] = text[from];
	}
	return to;
}

static int bind_one(int map, const char *path)
{
	int program = bpf_obj_get(path), r;

	if (program < 0)
		return fail(path);
	r = bpf_prog_bind_map(program, map, NULL) < 0 && errno != EEXIST ? fail("bind") : 0;
	close(program);
	return r;
}

/* All that is pinned below. */
static int bind_below(int map, const char *directory, const char *part)
{
	char path[4096];
	struct dirent *d;
	DIR *programs;
	int r = 0;

	snprintf(path, sizeof(path), "%s/%s", directory, part);
	programs = opendir(path);
	if (!programs)
		return errno == ENOENT ? 0 : fail(path);
	while (r == 0 && (d = readdir(programs))) {
		if (d->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s/%s", directory, part, d->d_name);
		r = bind_one(map, path);
	}
	closedir(programs);
	return r;
}

/* The programs that the metadata speaks of: of an object all, of a chain its dispatcher. */
static int bind_all(int map, const char *directory)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/dispatcher", directory);
	if (access(path, F_OK) == 0)
		return bind_one(map, path);
	return bind_below(map, directory, "programs") || bind_below(map, directory, "extensions");
}

static int replace(const char *directory, const struct bpf_map_info *as, const void *value)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = as->map_flags);
	char fresh[4096], path[4096];
	uint32_t key = 0;
	int fd, r = 0;

	snprintf(path, sizeof(path), "%s/meta", directory);
	snprintf(fresh, sizeof(fresh), "%s/meta-aged", directory);
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, as->name, sizeof(key), as->value_size, 1, &opts);
	if (fd < 0)
		return fail("create");
	if (bpf_map_update_elem(fd, &key, value, BPF_ANY) < 0 || bpf_map_freeze(fd) < 0)
		r = fail("write");
	if (r == 0)
		r = bind_all(fd, directory);
	if (r == 0 && (bpf_obj_pin(fd, fresh) < 0 || rename(fresh, path) < 0))
		r = fail(path);
	close(fd);
	return r;
}

int age_metadata(const char *directory, unsigned int layout)
{
	struct bpf_map_info info = { 0 };
	uint32_t size = sizeof(info), key = 0;
	unsigned char *value;
	char path[4096];
	int fd, r;

	snprintf(path, sizeof(path), "%s/meta", directory);
	fd = bpf_obj_get(path);
	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size) < 0 || info.value_size > VALUE_MAX ||
	    info.value_size < HEADER_SIZE)
		return fail(path);
	value = calloc(1, info.value_size);
	if (!value || bpf_map_lookup_elem(fd, &key, value) < 0)
		return fail(path);
	close(fd);
	put_u32(value + 8, layout);
	if (layout == 1) {
		size_t n = cut_maps((char *)value + HEADER_SIZE, info.value_size - HEADER_SIZE);

		put_u32(value + 12, (uint32_t)n);
		info.value_size = HEADER_SIZE + (uint32_t)n;
	}
	r = replace(directory, &info, value);
	free(value);
	return r;
}
