/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * One operation on the kernel, as data: what plan writes, what `bpfsharectl plan`
 * prints and what apply walks. The order of the kinds is the order of execution, so
 * that everything a commit needs exists before it and everything it replaces goes
 * after it. Objects are named by their pins, never by an id that may not exist yet.
 */
#pragma once

#include "model/desired.h"
#include "model/meta.h"
#include "model/observed.h"

enum op_kind {
	OP_BPFFS_MOUNT,      /* mount a bpffs where there is none */
	OP_DIRECTORY_CREATE, /* our directory on it */
	OP_NETNS_RECORD, /* the record that something of ours is in a namespace, found without one */
	OP_PIN_RESTORE,  /* pin again what the kernel still holds */
	OP_OBJECT_LOAD,  /* load, pin metadata as unfinished, programs and maps, then finish it */
	OP_EXTENSION_LOAD, /* load functions of a loaded object as freplace programs, with its maps */
	OP_CHAIN_BUILD,    /* dispatcher, filled array or links, pins, metadata last */
	OP_SLOT_SET,       /* one slot of a live array, or one link of a live libxdp dispatcher */
	OP_ROOT_SET,       /* attach or swap an interface's root by netlink, compare-and-swap */
	OP_LINK_SET,       /* the same on a pinned bpf_link */
	OP_ROOT_PIN,       /* the pins of libxdp's protocol for a live dispatcher at an interface */
	OP_TC_SET,         /* attach to, or replace in, a tc hook: a TCX link, or a clsact filter */
	OP_SHARE_MOUNT,    /* build a share's bpffs detached and move it into place */
	OP_SHARE_PIN,      /* one pin, by rename over the old one */
	OP_SHARE_OWNER,    /* owner, group and mode of a share's directory or pin */
	OP_SHARE_SEAL,     /* superblock read-only, propagation shared */
	OP_ROOT_CLEAR,     /* detach our root */
	OP_LINK_REMOVE,    /* unpin (and so detach) an exclusive root */
	OP_TC_CLEAR,       /* detach from a tc hook */
	OP_ROOT_UNPIN, /* the pins of libxdp's protocol for a dispatcher that the interface left */
	OP_GRACE,      /* wait until no CPU runs what was detached or swapped out */
	OP_MAP_SYNC,   /* the second sweep of a copied map: what changed since the first one */
	OP_SHARE_UNPIN,
	OP_CHAIN_REMOVE,
	OP_OBJECT_REMOVE,
	OP_NETNS_FORGET, /* the record that something of ours may be in a namespace */
	OP_SHARE_UNMOUNT,
	OP_KIND_COUNT,
};
extern const char *const op_kind_names[OP_KIND_COUNT];

/*
 * One program of one version of an instance, that is, its pin; in a chain of MECHANISM_LIBXDP the pin of
 * its freplace form. With instance NULL and an id: a foreign freplace program.
 */
struct program_ref {
	const char *instance, *version, *function;
	uint32_t id;
};

/* One map of one version of an instance. */
struct map_ref {
	const char *instance, *version, *map;
};

/* How a map of a new version comes by its contents. */
enum map_action {
	MAP_CREATE, /* a new map, as the file fills it */
	MAP_USE,    /* another object's map, which is `from` */
	MAP_KEEP,   /* the very map of the version before, which is `from` */
	MAP_COPY, /* a new one with the entries of `from`, and OP_MAP_SYNC once nothing runs the old */
	/*
	 * A new data section, in which every variable that `from` has by the same name and type takes the value
	 * that it has there, unless the declaration gives it one.
	 */
	MAP_CARRY,
	MAP_ACTION_COUNT,
};

struct op_map {
	const char *name;
	enum map_action action;
	uint32_t max_entries; /* 0: as in the file */
	struct map_ref from;  /* of all but MAP_CREATE */
	uint32_t from_id;     /* precondition: what `from` is; 0: not there yet (MAP_USE) */
	/*
	 * MAP_CARRY: variables that take the file's value all the same, since the version before had theirs from
	 * a declaration that is gone.
	 */
	const char **fresh;
	size_t fresh_count;
};

/* OP_OBJECT_LOAD, OP_EXTENSION_LOAD, OP_OBJECT_REMOVE (instance and version only) */
struct op_object {
	const char *instance, *version;
	const struct object_decl *decl; /* source bytes, values */
	struct op_map *maps;            /* those of the file that are not just created as it says */
	size_t map_count;
	const char **programs; /* to load and pin, sorted */
	size_t program_count;
	struct meta_object meta; /* loaded_ns is filled in by the executor */
};

struct op_chain {    /* OP_CHAIN_BUILD; OP_SLOT_SET and OP_CHAIN_REMOVE use id and slot */
	uint32_t id; /* 0 while it is to be built in this plan */
	const char *signature;
	bool frags;
	/*
	 * By slot; neither instance nor id: there is nothing to run. An array's slot is then left empty; a
	 * libxdp dispatcher has a program of ours there that drops.
	 */
	struct program_ref *members;
	struct meta_chain meta;
	uint32_t slot;
	size_t member_count;
	/*
	 * OP_CHAIN_REMOVE of a libxdp chain that an interface still runs and in which none of ours is any
	 * more: only our directory goes; the pins of the protocol stay and keep it for its members.
	 */
	bool hand_over;
};

/*
 * What becomes the root: a program itself, or a dispatcher by id or, to be built in this plan, by signature.
 * Around the swap the executor makes the pins of libxdp's protocol for a dispatcher of that mechanism and
 * removes those of the old root, whosever dispatcher that was, all under the protocol's lock.
 */
struct op_root {           /* OP_ROOT_*, OP_LINK_SET, OP_LINK_REMOVE */
	const char *netns; /* NULL: the daemon's own */
	uint32_t ifindex;
	const char *interface;
	enum xdp_mode mode;   /* to attach in */
	uint32_t expected_id; /* precondition: program id of the present root, 0: none */
	enum xdp_attached expected_mode;
	struct program_ref program; /* instance NULL: the chain below */
	enum mechanism mechanism;   /* of what becomes the root */
	uint32_t chain_id;          /* 0: by signature; of OP_ROOT_PIN and OP_ROOT_UNPIN always */
	const char *signature;
	uint32_t link_id; /* OP_LINK_SET: present link, 0: create; OP_LINK_REMOVE */
	bool detach_first; /* change of mode or of exclusive: cannot be swapped (confirmed by the operator) */
};

enum tc_place { TC_PLACE_LAST, TC_PLACE_FIRST, TC_PLACE_BEFORE, TC_PLACE_AFTER };

/* OP_TC_SET, OP_TC_CLEAR */
struct op_tc {
	const char *netns; /* NULL: the daemon's own */
	uint32_t ifindex;
	const char *interface;
	enum tc_direction direction;
	enum mechanism mechanism;   /* MECHANISM_TCX or MECHANISM_CLSACT */
	struct program_ref program; /* instance NULL: the chain below */
	uint32_t chain_id;          /* 0: by signature */
	const char *signature;
	uint32_t expected_id; /* program that is replaced or detached; 0: nothing is there yet */
	uint32_t link_id;     /* TCX: the link to update or to remove, 0: create one */
	enum tc_place place;  /* of a new link; relative to what follows */
	struct program_ref relative; /* instance NULL: by relative_id */
	uint32_t relative_id;        /* of a program in the list */
	uint64_t revision;           /* that the list is expected to have at this operation */
	uint32_t filter_priority, filter_handle; /* clsact */
};

/* OP_PIN_RESTORE: in this order, metadata last */
struct op_pins {
	const struct observed_lost *v;
	size_t n;
};

struct op_netns { /* OP_NETNS_RECORD, OP_NETNS_FORGET */
	const char *name;
};

/* OP_MAP_SYNC: both are maps of one instance, of its old and its new version. */
struct op_map_sync {
	struct map_ref from, to;
};

struct op_share_pin {
	const char *alias;
	struct map_ref map;
	uint32_t mode;
};

struct op_share {
	const char *share, *path;
	uid_t uid;
	gid_t gid;
	uint32_t mode; /* of the directory, or of the pin for OP_SHARE_OWNER */
	bool read_only;
	bool replace;    /* OP_SHARE_MOUNT: a mount of ours is there and goes after */
	bool window;     /* pins change in a read-only superblock: writable for that moment */
	const char *pin; /* OP_SHARE_OWNER: NULL for the directory; OP_SHARE_UNPIN: its name */
	struct op_share_pin *pins; /* OP_SHARE_MOUNT: all; OP_SHARE_PIN: one */
	size_t pin_count;
};

struct op {
	enum op_kind kind;
	const char *
		key; /* the thing, as the user names it: "eth0/xdp", "object fwd@eth0", "share dashboard" */
	const char *
		subject; /* failure memory: what a failed attempt is remembered under, see plan.h */
	const char *version; /* … and for which version of it; "" where there is none */
	const char *reason;  /* why, a sentence without a full stop */
	struct origin
		origin; /* the declaration behind it; file NULL for what no file declares any more */
	size_t *needs;  /* indices of earlier operations that must have succeeded */
	size_t need_count;
	bool removes; /* takes something declared away: counted by the mass-removal guard */
	union {
		struct op_object object;
		struct op_chain chain;
		struct op_root root;
		struct op_tc tc;
		struct op_netns netns;
		struct op_map_sync sync;
		struct op_share share;
		struct op_pins pins;
	};
};

/*
 * What OP_SLOT_SET puts into its slot, NULL: it is emptied. members may be that one member alone or
 * all of the chain by slot.
 */
const struct program_ref *op_slot_member(const struct op_chain *c);

/* "load object fwd@eth0 version 0123…: reason (file:line)" — one line, for plan, events and the log. */
const char *op_format(struct arena *a, const struct op *op);
