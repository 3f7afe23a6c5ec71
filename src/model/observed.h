/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What the kernel really holds, as one observation found it. Lives in the arena of
 * one reconcile pass. Lists are sorted (interfaces by index, the rest by name or id),
 * so that equal states are equal values.
 */
#pragma once

#include <sys/types.h>

#include "model/desired.h"
#include "model/meta.h"

struct observed_program {
	uint32_t id;
	const char *name; /* pinned programs: the function; else the kernel's (15 characters) */
	char tag[17];     /* hex */
	uint32_t type;
	const uint32_t *maps; /* ids of the maps it uses */
	size_t map_count;
	uint32_t uid; /* of whoever loaded it */
	bool ours; /* roots: carries our mark, and so was loaded by us even if its pins are gone */
	uint64_t run_count, run_ns; /* 0 unless kernel statistics are on */
};

struct observed_map {
	uint32_t id;
	const char *name; /* of the ELF file */
	uint32_t type, key_size, value_size, max_entries, flags;
};

/* One directory objects/INSTANCE/VERSION. */
struct observed_object {
	const char *instance, *version;
	bool complete;           /* meta is there and readable, and so is every pin that it lists */
	bool newer;              /* written by a newer layout: left alone */
	struct meta_object meta; /* valid if complete */
	struct observed_program *programs;
	struct observed_map *maps;
	size_t program_count, map_count;
};

/* One directory chains/ID. */
struct observed_chain {
	uint32_t id;
	bool complete, newer;
	struct meta_chain meta; /* valid if complete */
	uint32_t *slots;        /* program ids in the array, meta.member_count of them; 0: empty */
	uint64_t run_count, run_ns; /* of the dispatcher */
};

/* One pin links/ID, or a link without a pin that holds one of our programs. */
struct observed_link {
	uint32_t id;
	uint32_t ifindex; /* 0: its interface is gone */
	uint32_t program_id;
};

struct observed_interface {
	uint32_t ifindex;
	const char *name;
	struct string_list altnames;
	const char *mac, *kind,
		*driver; /* kind: "veth", "" for a physical one; driver "" if unknown */
	uint32_t group, mtu;
	bool physical; /* has a device behind it and is not virtual */
	bool up, loopback;
	uint32_t master_ifindex;
	const char *master_kind; /* "bond", …; NULL without a master */
	uint32_t xdp_id;         /* program id of the root in the mode below; 0: none */
	enum xdp_attached xdp_mode;
};

struct observed_pin {
	const char *name;
	uint32_t map_id; /* 0: not a map */
	uid_t uid;
	gid_t gid;
	uint32_t mode;
};

/* The topmost mount at the path of a target that was asked for, or any mount of ours anywhere. */
struct observed_mount {
	const char *path;
	uint64_t mount_id;
	bool ours;         /* source carries our mark */
	const char *share; /* of a mount of ours */
	bool covered;      /* a foreign mount lies on top of ours */
	bool read_only;    /* its superblock */
	bool shared;       /* propagation */
	size_t stacked;    /* mounts of ours at this very path; more than one is a leftover */
	uid_t uid;
	gid_t gid;
	uint32_t mode;
	struct observed_pin *pins;
	size_t pin_count;
};

struct observed_name { /* a user or group that a declaration names */
	const char *name;
	bool is_group, found;
	uint32_t id;          /* uid or gid */
	uint32_t primary_gid; /* of a user */
	bool shared_group;    /* the user's primary group has other members */
};

/* Probed, never guessed from a version; shown by `bpfsharectl features`. */
struct feature {
	const char *name; /* "tailcall", "bpf_link", "mount_beneath", … */
	bool available;
	const char *detail; /* why not, or what it is good for */
};

/* What an observation has to look at beyond our own pins. */
struct observe_request {
	struct string_list paths;         /* of share targets, absolute */
	struct string_list users, groups; /* names to resolve */
	bool drivers;                     /* a selector asks for the driver of an interface */
};

struct observed {
	bool bpffs_mounted;   /* our directory's file system is a bpffs */
	bool directory_ready; /* our directory and its three parts exist */
	struct observed_interface *interfaces;
	struct observed_object *objects;
	struct observed_chain *chains;
	struct observed_link *links;
	struct observed_mount *mounts;
	struct observed_program *programs; /* by id: every root program, whosever it is */
	struct observed_name *names;
	const struct feature *features;
	size_t interface_count, object_count, chain_count, link_count, mount_count, program_count,
		name_count, feature_count;
};

const struct observed_object *observed_find_object(const struct observed *o, const char *instance,
						   const char *version);
const struct observed_chain *observed_find_chain(const struct observed *o, uint32_t id);
const struct observed_interface *observed_find_interface(const struct observed *o,
							 uint32_t ifindex);
const struct observed_program *observed_find_program(const struct observed *o, uint32_t id);
const struct observed_program *observed_object_program(const struct observed_object *o,
						       const char *function);
const struct observed_map *observed_object_map(const struct observed_object *o, const char *map);
const struct observed_mount *observed_find_mount(const struct observed *o, const char *path);
const struct observed_name *observed_find_name(const struct observed *o, const char *name,
					       bool is_group);
bool observed_has_feature(const struct observed *o, const char *name);
