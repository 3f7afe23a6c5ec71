/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "kern/pin.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "base/macros.h"
#include "base/str.h"
#include "kern/syscalls.h"
#include "model/layout.h"
#include "model/limits.h"

/* objects/INSTANCE/VERSION/programs/FUNCTION: nothing of ours lies deeper below a directory. */
#define DEPTH_MAX 3

/* Enough for nearly every program, so that one call tells all. */
#define MAP_IDS_FIRST 64

static void closedirp(DIR **d)
{
	if (*d)
		(void)closedir(*d);
}

const char *pin_path(const struct kern_context *c, struct arena *a, const char *relative)
{
	return arena_printf(a, "%s/%s", c->bpffs_dir, relative);
}

int pin_open(const char *path, int *ret_fd, struct error *e)
{
	int fd = bpf_obj_get(path); /* the kernel sets close-on-exec */

	if (fd < 0)
		return error_set(e, -errno, "cannot open pin %s: %s", path, error_string(errno));
	*ret_fd = fd;
	return 0;
}

int pin_open_if(const char *path, int *ret_fd, struct error *e)
{
	int fd = bpf_obj_get(path);

	/* ENOTDIR: somebody pinned something in the place of one of its directories. */
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (fd < 0)
		return error_set(e, -errno, "cannot open pin %s: %s", path, error_string(errno));
	*ret_fd = fd;
	return 1;
}

enum pin_kind pin_kind(int fd)
{
	char name[64];
	ssize_t n = readlink(fd_path(fd).s, name, sizeof(name) - 1);

	if (n < 0)
		return PIN_OTHER;
	name[n] = '\0';
	if (str_eq(name, "anon_inode:bpf-prog"))
		return PIN_PROGRAM;
	if (str_eq(name, "anon_inode:bpf-map"))
		return PIN_MAP;
	/* The spelling differs between versions of Linux. */
	return str_eq(name, "anon_inode:bpf_link") || str_eq(name, "anon_inode:bpf-link") ?
		       PIN_LINK :
		       PIN_OTHER;
}

uint32_t pin_id(int fd)
{
	/* What the kernel tells of each kind begins alike: with type and id. */
	uint32_t info[2] = { 0 }, size = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, info, &size) < 0 ? 0 : info[1];
}

int pin_put(int fd, const char *path, struct error *e)
{
	if (bpf_obj_pin(fd, path) < 0)
		return error_set(e, -errno, "cannot pin %s: %s", path, error_string(errno));
	return 0;
}

int pin_remove(const char *path, struct error *e)
{
	if (unlink(path) < 0 && errno != ENOENT)
		return error_set(e, -errno, "cannot remove pin %s: %s", path, error_string(errno));
	return 0;
}

int pin_directory_create(const char *path, struct error *e)
{
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return error_set(e, -errno, "cannot create directory %s: %s", path,
				 error_string(errno));
	return 0;
}

int pin_name_compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

struct name_list {
	LIST(const char *) list;
};

static struct string_list sorted(struct name_list *l)
{
	if (l->list.n > 0)
		qsort(l->list.v, l->list.n, sizeof(*l->list.v), pin_name_compare);
	return (struct string_list){ l->list.v, l->list.n };
}

/* others NULL: they are listed among the directories. */
static int list_names(struct arena *a, const char *path, struct name_list *directories,
		      struct name_list *others, struct error *e)
{
	cleanup(closedirp) DIR *d = opendir(path);

	if (!d && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (!d)
		return error_set(e, -errno, "cannot open directory %s: %s", path,
				 error_string(errno));
	for (;;) {
		const struct dirent *entry;

		errno = 0;
		entry = readdir(d);
		if (!entry)
			return errno == 0 ? 0 :
					    error_set(e, -errno, "cannot read directory %s: %s",
						      path, error_string(errno));
		if (entry->d_name[0] == '.')
			continue;
		*LIST_ADD(a,
			  others && entry->d_type != DT_DIR ? &others->list : &directories->list) =
			arena_strdup(a, entry->d_name);
	}
}

int pin_directory_list(struct arena *a, const char *path, struct string_list *ret, struct error *e)
{
	struct name_list names = { 0 };
	int r = list_names(a, path, &names, NULL, e);

	*ret = sorted(&names);
	return r;
}

int pin_names_list(struct arena *a, const char *path, struct pin_names *ret, struct error *e)
{
	struct name_list directories = { 0 }, others = { 0 };
	int r = list_names(a, path, &directories, &others, e);

	*ret = (struct pin_names){ sorted(&directories), sorted(&others) };
	return r;
}

void pin_foreign(struct arena *a, struct observed *o, const char *path)
{
	const char **v = arena_calloc(a, o->foreign.n + 1, sizeof(*v));

	for (size_t i = 0; i < o->foreign.n; i++)
		v[i] = o->foreign.v[i];
	v[o->foreign.n] = path;
	o->foreign.v = v;
	o->foreign.n++;
}

/* 1: root's alone, 0: somebody else's, or not there. */
static int directory_is_ours(const char *path, struct error *e)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 :
					 error_set(e, -errno, "cannot look at %s: %s", path,
						   error_string(errno));
	return S_ISDIR(st.st_mode) && st.st_uid == 0 && !(st.st_mode & (S_IWGRP | S_IWOTH));
}

static int part_is_ours(const struct kern_context *c, const char *path, struct error *e)
{
	int r = directory_is_ours(c->bpffs_dir, e);

	return r > 0 ? directory_is_ours(path, e) : r;
}

int pin_part_list(const struct kern_context *c, struct arena *a, const char *part,
		  struct string_list *ret, struct error *e)
{
	const char *path = pin_path(c, a, part);
	int r = part_is_ours(c, path, e);

	*ret = (struct string_list){ 0 };
	return r <= 0 ? r : pin_directory_list(a, path, ret, e);
}

int pin_part_directories(const struct kern_context *c, struct arena *a, const char *part,
			 struct string_list *ret, struct observed *o, struct error *e)
{
	const char *path = pin_path(c, a, part);
	struct pin_names names = { 0 };
	int r = part_is_ours(c, path, e);

	if (r > 0)
		r = pin_names_list(a, path, &names, e);
	for (size_t i = 0; i < names.others.n; i++)
		pin_foreign(a, o, arena_printf(a, "%s/%s", part, names.others.v[i]));
	*ret = names.directories;
	return r;
}

static int remove_tree(struct arena *a, const char *path, int depth, struct error *e)
{
	struct string_list names;
	int r;

	if (unlink(path) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR || depth > DEPTH_MAX)
		return error_set(e, -errno, "cannot remove %s: %s", path, error_string(errno));
	r = pin_directory_list(a, path, &names, e);
	for (size_t i = 0; r == 0 && i < names.n; i++)
		r = remove_tree(a, arena_printf(a, "%s/%s", path, names.v[i]), depth + 1, e);
	if (r < 0)
		return r;
	if (rmdir(path) < 0 && errno != ENOENT)
		return error_set(e, -errno, "cannot remove directory %s: %s", path,
				 error_string(errno));
	return 0;
}

int pin_directory_remove(struct arena *a, const char *path, struct error *e)
{
	return remove_tree(a, path, 0, e);
}

const char *pin_meta_name(struct arena *a, const char *tag)
{
	return arena_printf(a, "bpfs_%s", tag);
}

/* Of all that the kernel tells of a map only fdinfo has it. */
static bool is_frozen(int fd)
{
	char path[32], text[1024];
	cleanup(closep) int info = -1;
	const char *line;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	info = open(path, O_RDONLY | O_CLOEXEC);
	n = info < 0 ? -1 : read(info, text, sizeof(text) - 1);
	if (n <= 0)
		return false;
	text[n] = '\0';
	line = strstr(text, "\nfrozen:");
	return line && str_starts(line + strlen("\nfrozen:"), "\t1\n");
}

bool pin_is_meta(int fd, const struct observed_map *map, const char *name)
{
	return str_eq(map->name, name) && map->type == BPF_MAP_TYPE_ARRAY &&
	       map->key_size == sizeof(uint32_t) && map->max_entries == 1 &&
	       map->value_size <= LIMIT_META_BYTES && (map->flags & BPF_F_RDONLY_PROG) &&
	       is_frozen(fd);
}

bool pin_is_by_us(const struct observed_program *p)
{
	return p->uid == getuid();
}

int pin_meta_bind(int fd, const struct pin_owner *owner, struct error *e)
{
	for (size_t i = 0; i < owner->program_count; i++)
		if (bpf_prog_bind_map(owner->programs[i], fd, NULL) < 0)
			return error_set(e, -errno,
					 "cannot bind the metadata map to its program: %s",
					 error_string(errno));
	return 0;
}

int pin_meta_new(struct arena *a, const char *tag, const void *data, size_t size, int *ret_fd,
		 struct error *e)
{
	/*
	 * Read-only for programs and, once frozen, for user space: what a later start reads
	 * is what was written here.
	 */
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_RDONLY_PROG);
	cleanup(closep) int fd = -1;
	const uint32_t key = 0;

	if (size > LIMIT_META_BYTES)
		return error_set(e, -E2BIG,
				 "metadata takes %zu bytes, %d are allowed: the object "
				 "has too many maps and programs",
				 size, LIMIT_META_BYTES);
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, pin_meta_name(a, tag), sizeof(key), (uint32_t)size,
			    1, &opts);
	if (fd < 0)
		return error_set(e, -errno, "cannot create the metadata map: %s",
				 error_string(errno));
	if (bpf_map_update_elem(fd, &key, data, BPF_ANY) < 0 || bpf_map_freeze(fd) < 0)
		return error_set(e, -errno, "cannot write the metadata map: %s",
				 error_string(errno));
	*ret_fd = take_fd(fd);
	return 0;
}

int pin_meta_write(struct arena *a, const char *directory, const struct pin_owner *owner,
		   const void *data, size_t size, struct error *e)
{
	cleanup(closep) int fd = -1;
	int r = pin_meta_new(a, owner->tag, data, size, &fd, e);

	if (r == 0)
		r = pin_meta_bind(fd, owner, e);
	return r < 0 ? r : pin_put(fd, arena_printf(a, "%s/%s", directory, LAYOUT_META), e);
}

int pin_meta_read_fd(struct arena *a, int fd, const char *what, struct pin_meta *ret,
		     struct error *e)
{
	struct bpf_map_info info = { 0 };
	uint32_t size = sizeof(info);
	const uint32_t key = 0;
	void *data;

	if (bpf_obj_get_info_by_fd(fd, &info, &size) < 0)
		return error_set(e, -errno, "cannot look at %s: %s", what, error_string(errno));
	if (info.type != BPF_MAP_TYPE_ARRAY || info.key_size != sizeof(key) ||
	    info.max_entries != 1 || info.value_size > LIMIT_META_BYTES)
		return error_set(e, -EBADMSG, "%s is no metadata of bpfshare", what);
	data = arena_alloc(a, info.value_size);
	if (bpf_map_lookup_elem(fd, &key, data) < 0)
		return error_set(e, -errno, "cannot read %s: %s", what, error_string(errno));
	*ret = (struct pin_meta){ data, info.value_size, info.id };
	return 0;
}

/* Programs of more maps than were asked for are asked again with room for all. */
static int program_info(struct arena *a, int fd, struct bpf_prog_info *info, uint32_t **ret_maps,
			struct error *e)
{
	uint32_t first[MAP_IDS_FIRST];
	uint32_t *ids = first, count = MAP_IDS_FIRST;

	for (;;) {
		uint32_t size = sizeof(*info);

		memset(info, 0, sizeof(*info));
		info->map_ids = (uintptr_t)ids;
		info->nr_map_ids = count;
		if (bpf_obj_get_info_by_fd(fd, info, &size) < 0)
			return error_set(e, -errno, "cannot look at a program: %s",
					 error_string(errno));
		if (info->nr_map_ids <= count)
			break;
		count = info->nr_map_ids;
		ids = arena_calloc(a, count, sizeof(*ids));
	}
	*ret_maps = ids == first ? arena_dup(a, ids, info->nr_map_ids * sizeof(*ids)) : ids;
	return 0;
}

int pin_program_info(struct arena *a, int fd, struct observed_program *ret, struct error *e)
{
	static const char digits[] = "0123456789abcdef";
	struct bpf_prog_info info;
	uint32_t *maps = NULL;
	int r;

	r = program_info(a, fd, &info, &maps, e);
	if (r < 0)
		return r;
	*ret = (struct observed_program){
		.id = info.id,
		.name = arena_strndup(a, info.name, strnlen(info.name, sizeof(info.name))),
		.type = info.type,
		.maps = maps,
		.map_count = info.nr_map_ids,
		.uid = info.created_by_uid,
		.run_count = info.run_cnt,
		.run_ns = info.run_time_ns,
	};
	for (size_t i = 0; i < sizeof(info.tag); i++) {
		ret->tag[2 * i] = digits[info.tag[i] >> 4];
		ret->tag[2 * i + 1] = digits[info.tag[i] & 15];
	}
	return 0;
}

int pin_program_look(struct arena *a, uint32_t id, struct observed_program *ret, struct error *e)
{
	cleanup(closep) int fd = bpf_prog_get_fd_by_id(id);
	int r;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return error_set(e, -errno, "cannot look at program id %u: %s", id,
				 error_string(errno));
	r = pin_program_info(a, fd, ret, e);
	return r < 0 ? r : 1;
}

int pin_map_info(struct arena *a, int fd, struct observed_map *ret, struct error *e)
{
	struct bpf_map_info info = { 0 };
	uint32_t size = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &size) < 0)
		return error_set(e, -errno, "cannot look at a map: %s", error_string(errno));
	*ret = (struct observed_map){
		.id = info.id,
		.name = arena_strndup(a, info.name, strnlen(info.name, sizeof(info.name))),
		.type = info.type,
		.key_size = info.key_size,
		.value_size = info.value_size,
		.max_entries = info.max_entries,
		.flags = info.map_flags,
	};
	return 0;
}
