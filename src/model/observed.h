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

enum pin_type { PIN_TYPE_PROGRAM, PIN_TYPE_MAP, PIN_TYPE_LINK };

/* What is not pinned where it belongs, though the kernel still holds it. */
struct observed_lost {
	enum pin_type type;
	const char *path; /* relative to our directory */
	uint32_t id;
	bool replaced; /* something else is pinned there */
};

/* One directory objects/INSTANCE/VERSION, or what the kernel still holds of one. */
struct observed_object {
	const char *instance, *version; /* version "": the instance's directory is empty */
	bool complete; /* meta is readable, and all that it lists is there: pinned, or among the lost */
	bool unknown; /* something is in it, and nothing shows that it is ours: it is left as it is */
	uint32_t newer; /* the layout version by which it was written, if above ours; else 0 */
	uint32_t meta_id;
	struct observed_lost *lost; /* also listed below, as if it were pinned */
	size_t lost_count;
	struct string_list foreign; /* paths below our directory of what is not ours in it */
	struct meta_object meta;    /* empty unless it could be read; a complete version has it */
	struct observed_program *programs;
	struct observed_map *maps;
	size_t program_count, map_count;
	/* The same functions loaded as freplace programs (EXT), those that a chain needed so far. */
	struct observed_program *extensions;
	size_t extension_count;
};

/* One directory chains/ID. */
struct observed_chain {
	uint32_t id;
	bool complete;
	uint32_t newer;             /* likewise */
	struct observed_lost *lost; /* as above */
	size_t lost_count;
	struct meta_chain meta; /* valid if complete */
	/*
	 * Ids of the programs that really run, meta.member_count of them; 0: the slot is empty. Of the
	 * array's entries, or (MECHANISM_LIBXDP) of the freplace links that are attached to this dispatcher.
	 */
	uint32_t *slots;
	uint64_t run_count, run_ns; /* of the dispatcher */
	/* MECHANISM_LIBXDP: interfaces with a directory dispatch-IFINDEX-ID of this dispatcher, ascending. */
	uint32_t *pinned_at;
	size_t pinned_count;
};

/* One slot of a dispatcher by libxdp's protocol, as its configuration and pins have it. */
struct observed_dispatch_member {
	uint32_t id;      /* of the program that is pinned for it; 0: no such pin */
	const char *name; /* of its function, by BTF; else the kernel's, of 15 characters */
	char tag[17];
	uint32_t priority, actions, flags; /* actions without bit 31 */
	bool linked;                       /* the pin of its link is there as well */
	bool required; /* drops where nothing runs: told by dispatchers of bpfshare alone */
	bool ours;     /* carries our mark, and so was loaded by us even if our pin is gone */
};

/* What libxdp's protocol tells of an interface whose root is a dispatcher by it, whoever built that. */
struct observed_dispatch {
	const char *netns;
	uint32_t ifindex;
	uint32_t id;       /* of the dispatcher */
	uint32_t version;  /* of the structure: 1, 2, 3, … */
	const char *fault; /* why it cannot be joined (sentence); NULL: it can */
	bool frags, devbound;
	bool ours;     /* carries the mark of our directories */
	bool bpfshare; /* carries that of some daemon of bpfshare, perhaps another one */
	struct observed_dispatch_member *members; /* by slot; of version 2 and 3 without a fault */
	size_t member_count;
};

/* One pin links/ID, or a link without a pin that holds one of our programs. */
struct observed_link {
	uint32_t id;
	enum hook hook;
	enum tc_direction direction; /* of HOOK_TC */
	uint32_t ifindex;            /* 0: its interface is gone */
	uint32_t program_id;
	bool pinned;
	bool lost; /* it was pinned, and this daemon still holds it */
	/* Of its interface, if pinned or lost: NULL is the daemon's own; else not known. */
	const char *netns;
};

/* One program at a tc hook: an entry of the TCX list, in order, or a filter of the kind bpf. */
struct observed_tc_program {
	uint32_t id;                             /* of the program; 0: a filter of another kind */
	uint32_t link_id;                        /* TCX; 0: attached without a link */
	uint32_t filter_priority, filter_handle; /* clsact */
	const char *filter_name; /* clsact: TCA_BPF_NAME, or the kind of another filter */
	bool ours;               /* by our pins: link or program; filters: by their mark as well */
};

enum tc_qdisc { TC_QDISC_NONE, TC_QDISC_CLSACT, TC_QDISC_INGRESS };

/* One direction of one interface. Only those that were asked for, or where something of ours is. */
struct observed_tc {
	const char *netns;
	uint32_t ifindex;
	enum tc_direction direction;
	uint64_t revision;                    /* of the TCX list; 0: this kernel has none */
	struct observed_tc_program *programs; /* the TCX list */
	size_t program_count;
	enum tc_qdisc qdisc;
	struct observed_tc_program *filters;
	size_t filter_count;
};

/* A network namespace that a declaration names, or in which something of ours may be. */
struct observed_netns {
	const char *name; /* as in observed_interface.netns */
	bool found;       /* it could be entered */
	bool recorded; /* a directory netns/NAME of ours stands for it: something of ours may be there */
	const char *fault; /* why it was not found: the kernel's words */
	/* Another name of the very same, under which its interfaces stand; "": the daemon's own. Else NULL. */
	const char *same_as;
};

struct observed_interface {
	const char *netns; /* NULL: the daemon's own */
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
	const char *cover; /* where that is mounted: here, or above; NULL: not covered */
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
	struct string_list netns;         /* namespaces to look into besides the daemon's own */
	bool drivers;                     /* a selector asks for the driver of an interface */
	bool tc;                          /* something is declared for tc */
	uint32_t libxdp_protocol;         /* of the settings; 0: find out */
};

struct observed {
	bool bpffs_mounted;    /* our directory's file system is a bpffs */
	bool directory_ready;  /* our directory, its three parts and the mark of its layout exist */
	bool directory_opened; /* they exist, but are not root's alone */
	const char
		*directory_moved; /* where it is now, after somebody renamed it; NULL: nobody did */
	uint32_t layout; /* the highest mark of a layout in it; 0: none, it is absent or of version 1 */
	struct string_list foreign; /* paths below our directory of what is not ours */
	size_t pins_held,
		pins_unheld; /* by a descriptor of this process; or not, since it may have no more */
	struct observed_netns *netns;
	struct observed_interface *interfaces; /* by netns (the own first, then by name), ifindex */
	struct observed_dispatch *dispatches;  /* likewise */
	struct observed_tc *tc;                /* likewise, then direction */
	struct observed_object *objects;
	struct observed_chain *chains;
	struct observed_link *links;
	struct observed_mount *mounts;
	struct observed_program *programs; /* by id: every root and tc program, whosever it is */
	struct observed_name *names;
	const struct feature *features;
	uint32_t libxdp_protocol; /* which structure our new dispatchers have: 2 or 3 */
	size_t netns_count, dispatch_count, tc_count;
	size_t interface_count, object_count, chain_count, link_count, mount_count, program_count,
		name_count, feature_count;
};

/* For qsort() and bsearch() of objects: by instance, then version. */
int observed_compare_objects(const void *x, const void *y);
const struct observed_object *observed_find_object(const struct observed *o, const char *instance,
						   const char *version);
const struct observed_chain *observed_find_chain(const struct observed *o, uint32_t id);
/* netns NULL: the daemon's own. */
const struct observed_interface *observed_find_interface(const struct observed *o,
							 const char *netns, uint32_t ifindex);
const struct observed_dispatch *observed_find_dispatch(const struct observed *o, const char *netns,
						       uint32_t ifindex);
const struct observed_tc *observed_find_tc(const struct observed *o, const char *netns,
					   uint32_t ifindex, enum tc_direction direction);
const struct observed_netns *observed_find_netns(const struct observed *o, const char *name);
/* Order of namespaces: NULL, which is the daemon's own, first. */
int netns_compare(const char *x, const char *y);
const struct observed_program *observed_find_program(const struct observed *o, uint32_t id);
bool observed_program_uses(const struct observed_program *p, uint32_t map_id);
const struct observed_program *observed_object_program(const struct observed_object *o,
						       const char *function);
const struct observed_program *observed_object_extension(const struct observed_object *o,
							 const char *function);
const struct observed_map *observed_object_map(const struct observed_object *o, const char *map);
const struct observed_mount *observed_find_mount(const struct observed *o, const char *path);
const struct observed_name *observed_find_name(const struct observed *o, const char *name,
					       bool is_group);
bool observed_has_feature(const struct observed *o, const char *name);
