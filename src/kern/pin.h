/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Pins and directories of our own tree on the bpffs, and what the kernel tells about
 * what is pinned. Paths are absolute. Internal to kern.
 */
#pragma once

#include "kern/context.h"

/* The absolute form of a path of model/layout.h. */
const char *pin_path(const struct kern_context *c, struct arena *a, const char *relative);

/* A descriptor of what is pinned there; -ENOENT (with text) when nothing is. */
int pin_open(const char *path, int *ret_fd, struct error *e);
int pin_open_if(const char *path, int *ret_fd, struct error *e); /* 1: opened, 0: nothing there */

/* What a descriptor stands for. The kernel describes each kind by a structure of its own, without saying which. */
enum pin_kind { PIN_OTHER, PIN_PROGRAM, PIN_MAP, PIN_LINK };
enum pin_kind pin_kind(int fd);

uint32_t pin_id(int fd); /* of a program, map or link; 0: it cannot be told */

int pin_put(int fd, const char *path, struct error *e);
int pin_remove(const char *path, struct error *e); /* that it is gone already is fine */

/* Mode 0700; that it is there already is fine. */
int pin_directory_create(const char *path, struct error *e);
/* With everything below. That it is gone already is fine. */
int pin_directory_remove(struct arena *a, const char *path, struct error *e);
/* For bsearch() in the lists below: pointers to names. */
int pin_name_compare(const void *a, const void *b);
/* Names in it, sorted; a directory that does not exist has none. */
int pin_directory_list(struct arena *a, const char *path, struct string_list *ret, struct error *e);
/* The same apart: directories, and what is none. What is itself no directory has neither. */
struct pin_names {
	struct string_list directories, others;
};
int pin_names_list(struct arena *a, const char *path, struct pin_names *ret, struct error *e);
/*
 * Names of one of the parts of our directory (LAYOUT_OBJECTS, …). One that others than root can
 * write to is not ours, whatever lies in it, and so empty.
 */
int pin_part_list(const struct kern_context *c, struct arena *a, const char *part,
		  struct string_list *ret, struct error *e);
/* Of a part that consists of directories: what is none is reported as foreign in o. */
int pin_part_directories(const struct kern_context *c, struct arena *a, const char *part,
			 struct string_list *ret, struct observed *o, struct error *e);
/* path, relative to our directory, is nothing of ours. */
void pin_foreign(struct arena *a, struct observed *o, const char *path);

/*
 * Whose metadata it is: the map's name carries the tag of our directories, and it is bound to the
 * programs that it speaks of (BPF_PROG_BIND_MAP, Linux 5.10). So they are known again when somebody
 * deletes their pins.
 */
struct pin_owner {
	const char *tag;
	const int *programs; /* descriptors */
	size_t program_count;
};
/* The name of such a map: 13 characters, of the 15 that the kernel keeps. */
const char *pin_meta_name(struct arena *a, const char *tag);
/*
 * A name is anybody's to give. So a map that is found by its id is metadata only if it is as pin_meta_write()
 * leaves it, nobody's to write to any more, and one of our own programs is bound to it.
 */
bool pin_is_meta(int fd, const struct observed_map *map, const char *name);
/* The user that we are loaded it, and so nobody without rights or in a container with users of its own. */
bool pin_is_by_us(const struct observed_program *p);

/* Data in a frozen array of one entry, which is bound to no program yet. */
int pin_meta_new(struct arena *a, const char *tag, const void *data, size_t size, int *ret_fd,
		 struct error *e);
int pin_meta_bind(int fd, const struct pin_owner *owner, struct error *e);
/* Both, and pins it as `meta` of the directory. */
int pin_meta_write(struct arena *a, const char *directory, const struct pin_owner *owner,
		   const void *data, size_t size, struct error *e);

struct pin_meta {
	const void *data;
	size_t size;
	uint32_t id; /* of the map */
};

/* Of a descriptor, which is called what in messages; -EBADMSG when it cannot be metadata. */
int pin_meta_read_fd(struct arena *a, int fd, const char *what, struct pin_meta *ret,
		     struct error *e);

/* All of *ret but what the caller knows better; name is the kernel's own, of 15 characters. */
int pin_program_info(struct arena *a, int fd, struct observed_program *ret, struct error *e);
/* The same of a program by its id, pinned or not. 1: told, 0: it went meanwhile. */
int pin_program_look(struct arena *a, uint32_t id, struct observed_program *ret, struct error *e);
int pin_map_info(struct arena *a, int fd, struct observed_map *ret, struct error *e);
