/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What the parts of the fake kernel share. */
#pragma once

#include "base/str.h"
#include "fake/kern_fake.h"
#include "model/limits.h"

/* Every program that was ever loaded; those of others have no instance. */
struct fake_program {
	uint32_t id;
	const char *name, *instance, *version;
	uint32_t type;
	bool frags;
	bool ours;      /* it carries the mark that outlives its pins */
	bool extension; /* a freplace program; without an instance and not ours: somebody else's */
};

struct fake_pin {
	const char *name;
	uint32_t id;
	bool used; /* a map of another object */
	bool lost; /* somebody removed it, … */
	bool held; /* … but the process has a descriptor */
	bool gone; /* … and nothing tells what it was for */
};

/* A key that a program or a consumer wrote, and what; every write has its own value. */
struct fake_entry {
	uint32_t key, value;
	const char *name; /* of a variable */
};

/* Every map that was ever made. */
struct fake_map {
	uint32_t id;
	const char *born; /* the version that made it */
	struct observed_map o;
	bool is_data;
	bool swept;                      /* for the last time: nobody is to write to it any more */
	LIST(struct fake_entry) entries; /* of a data section: by variable */
	bool has_snapshot;               /* the process that copied it knows what it copied */
	LIST(struct fake_entry) snapshot;
};

struct fake_planned_write {
	enum op_kind kind;
	struct fake_write w;
};

/* objects/INSTANCE/VERSION */
struct fake_object {
	const char *instance, *version;
	bool has_meta;
	struct meta_object meta;
	struct fake_pin meta_pin; /* if has_meta */
	struct fake_pin *programs, *maps;
	size_t program_count, map_count;
	LIST(struct fake_pin) extensions;
};

/*
 * chains/ID, and the dispatcher and its array or links, which live on while an interface runs them. One
 * that libxdp built never has a directory of ours; meta is then its configuration.
 */
struct fake_chain {
	uint32_t id;
	bool has_dir, has_meta;
	bool held; /* all pins are gone, but the process has descriptors */
	struct meta_chain meta;
	uint32_t *slots;
	bool *linked;      /* libxdp: our pin of the slot's link is there */
	const char *fault; /* libxdp: why nobody can join it */
};

/* A directory dispatch-IFINDEX-ID of libxdp's protocol. */
struct fake_pins {
	uint32_t ifindex, id;
	uint32_t programs[LIMIT_CHAIN_LIBXDP];
	bool links[LIMIT_CHAIN_LIBXDP];
};

/* An entry of a TCX list, or a filter of clsact. */
struct fake_tc_program {
	uint32_t id;      /* 0: a filter of another kind than bpf */
	uint32_t link_id; /* TCX */
	uint32_t priority, handle;
	const char *name; /* of a filter */
	bool ours;        /* a filter with our mark; links have a record in kern_fake.links */
};

struct fake_tc {
	LIST(struct fake_tc_program) links;
	uint64_t changes; /* of the list so far */
	LIST(struct fake_tc_program) filters;
	bool race;         /* somebody attaches something just before our next link, … */
	const char *racer; /* … and detaches it at once if this is NULL */
};

struct fake_interface {
	struct observed_interface o;
	struct fake_tc tc[TC_DIRECTION_COUNT];
	enum tc_qdisc qdisc;
	uint32_t serial;  /* its own, wherever it goes */
	uint32_t link_id; /* the root's, 0: by netlink */
	bool refuses_native;
	bool gap; /* the watch: a detach was asked for */
};

struct fake_netns {
	const char *name;
	const char *same_as; /* as in struct observed_netns */
	bool exists, recorded;
	bool seen; /* by the last observation */
};

struct fake_mount {
	struct observed_mount o;
	LIST(struct observed_pin) pins;
};

/* Something that is there at one step: a program on an interface, a loaded object, a published map. */
struct fake_presence {
	uint32_t interface; /* serial number, 0: not on one */
	enum hook hook;
	const char *what;
};

struct fake_snapshot {
	const char *when;
	LIST(struct fake_presence) present;
};

struct fake_build {
	const char *signature;
	uint32_t id;
};

struct kern_fake {
	struct arena *a;
	bool bpffs, directory;
	uint32_t next_id, next_ifindex, next_serial;
	uint64_t clock;
	LIST(struct fake_program) programs;
	LIST(struct fake_object) objects;
	LIST(struct fake_map) maps;
	LIST(struct fake_planned_write) writes;
	uint32_t traffic; /* the last key that was written; 0: nobody writes */
	LIST(struct fake_chain) chains;
	LIST(struct fake_interface) interfaces;
	LIST(struct fake_netns) netns;
	LIST(struct observed_link) links;
	LIST(struct fake_mount) mounts;
	LIST(struct observed_name) names;
	LIST(struct feature) features;
	LIST(uint32_t) elsewhere;
	LIST(struct fake_pins) protocol_pins;
	uint32_t protocol; /* that the host's libxdp writes */
	LIST(const char *)
	unextendable;            /* content whose programs the kernel does not take as freplace */
	LIST(uint32_t) draining; /* left a root or a slot, and no grace period has passed since */
	LIST(const char *) refused;

	enum op_kind last_kind;
	LIST(struct fake_build) builds; /* of this list of operations */

	size_t steps, crash_at, operations, fail_at;
	int fail_code;
	enum failure_class fail_class;
	bool crash_planned, crashed, fail_planned;

	bool watching;
	LIST(struct fake_snapshot) trace;
	struct strbuf violations;
};

#define FAKE_REMOVE(list, index)                                \
	do {                                                    \
		(list)->n--;                                    \
		for (size_t _i = (index); _i < (list)->n; _i++) \
			(list)->v[_i] = (list)->v[_i + 1];      \
	} while (0)

struct fake_program *fake_find_program(const struct kern_fake *k, uint32_t id);
struct fake_object *fake_find_object(const struct kern_fake *k, const char *instance,
				     const char *version);
struct fake_chain *fake_find_chain(const struct kern_fake *k, uint32_t id);
/* By "eth0" or, in another namespace, "blue:eth0"; by number; by what it is. */
struct fake_interface *fake_find_interface(const struct kern_fake *k, const char *label);
struct fake_interface *fake_find_ifindex(const struct kern_fake *k, const char *netns,
					 uint32_t ifindex);
struct fake_interface *fake_find_serial(const struct kern_fake *k, uint32_t serial);
const char *fake_label(struct arena *a, const struct fake_interface *i);
/* False when it does not exist; *ret: as interfaces have it, whichever of its names was given. */
bool fake_find_netns(const struct kern_fake *k, const char *name, const char **ret);
struct fake_netns *fake_add_netns(struct kern_fake *k, const char *name);
void fake_detach(struct kern_fake *k, struct fake_interface *i);
struct fake_mount *fake_find_mount(const struct kern_fake *k, const char *path);
struct fake_pin *fake_find_pin(struct fake_pin *pins, size_t n, const char *name);
uint32_t fake_program_id(const struct kern_fake *k, const struct program_ref *p);
uint32_t fake_map_id(const struct kern_fake *k, const struct map_ref *m);
struct fake_map *fake_find_map(const struct kern_fake *k, uint32_t id);
/* kern_fake_map.c: how the maps of a version come by their contents. */
void fake_load_maps(struct kern_fake *k, const struct op_object *op, struct fake_object *o,
		    struct op_result *ret);
void fake_map_sync(struct kern_fake *k, const struct op *op, struct op_result *ret);
void fake_do_writes(struct kern_fake *k, enum op_kind kind);
void fake_traffic(struct kern_fake *k);
/* A program of it runs, or packets may still be on their way through it. */
bool fake_may_run(const struct kern_fake *k, const struct fake_object *o);
struct fake_program *fake_add_program(struct kern_fake *k, const char *name);
bool fake_is_complete(const struct fake_object *o);
void fake_chain_gc(struct kern_fake *k);

/* Copies of what comes from an arena that does not last. */
struct meta_object fake_copy_meta(struct arena *a, const struct meta_object *m);
struct meta_chain fake_copy_chain(struct arena *a, const struct meta_chain *m);

/* kern_fake_libxdp.c */
bool fake_is_libxdp(const struct fake_chain *c);
/* Neither ours nor something that stands in for it. */
bool fake_is_foreign_member(const struct kern_fake *k, uint32_t id);
struct fake_pins *fake_find_pins(const struct kern_fake *k, uint32_t ifindex, uint32_t id);

/* A program of ours is the root, or something of ours is in the dispatcher that is. */
bool fake_root_is_ours(const struct kern_fake *k, const struct fake_interface *i);
/* At an interface of this index in any namespace: the directories do not tell them apart. */
bool fake_runs_at(const struct kern_fake *k, uint32_t ifindex, uint32_t id);
void fake_make_pins(struct kern_fake *k, uint32_t ifindex, const struct fake_chain *c);
void fake_remove_pins(struct kern_fake *k, uint32_t ifindex, uint32_t id);
void fake_remove_all_pins(struct kern_fake *k, uint32_t id);
bool fake_pins_are_whole(const struct kern_fake *k, uint32_t ifindex, const struct fake_chain *c);
/* Links without any pin are gone, and with them what runs in their slots. */
void fake_settle_links(struct kern_fake *k, struct fake_chain *c);
/* kern_fake_recover.c: by a descriptor or by its id. */
bool fake_is_found(const struct kern_fake *k, const struct fake_pin *pin);
bool fake_map_is_found(const struct kern_fake *k, const struct fake_object *o,
		       const struct fake_pin *map);
bool fake_meta_is_found(const struct kern_fake *k, const struct fake_object *o);
void fake_object_gc(struct kern_fake *k);
void fake_observe_lost(const struct kern_fake *k, struct arena *a, const struct fake_object *o,
		       struct observed_object *ret);
void fake_observe_lost_chain(struct arena *a, const struct fake_chain *c,
			     struct observed_chain *ret);
void fake_restore_pins(struct kern_fake *k, const struct op *op, struct op_result *ret);
void fake_let_go(struct kern_fake *k); /* the process ends */

void fake_extension_load(struct kern_fake *k, const struct op *op, struct op_result *ret);
void fake_libxdp_build(struct kern_fake *k, const struct op *op, struct fake_chain *c,
		       struct op_result *ret);
void fake_link_set(struct kern_fake *k, struct fake_chain *c, const struct op *op,
		   struct op_result *ret);
void fake_observe_libxdp(const struct kern_fake *k, struct arena *a,
			 const struct observe_request *want, struct observed *ret);

void fake_violation(struct kern_fake *k, const char *fmt, ...) printf_like(2, 3);
/* One step is done: true when the process is to die here. */
bool fake_step(struct kern_fake *k, const char *what);
/* kern_fake_watch.c: what is there now. */
void fake_take_snapshot(struct kern_fake *k, const char *when);
/* ret says why not. */
void fake_refuse(struct op_result *ret, int code, enum failure_class class, const char *reason,
		 const char *fmt, ...) printf_like(5, 6);
/* It left a root, a slot or a list; with it, if it is a dispatcher, its members. */
void fake_drain(struct kern_fake *k, uint32_t id);
void fake_tc_apply(struct kern_fake *k, const struct op *op, struct op_result *ret);
void fake_tc_observe(struct kern_fake *k, struct arena *a, const struct observe_request *want,
		     struct observed *ret);
void fake_tc_remove_interface(struct kern_fake *k, const struct fake_interface *i);
/* To an interface that the last observation saw, or to one that it did not see. */
bool fake_tc_is_attached(const struct kern_fake *k, uint32_t id, bool seen);
bool fake_is_seen(const struct kern_fake *k, const struct fake_interface *i);
/* It has another number, and another namespace. */
void fake_tc_move_interface(struct kern_fake *k, struct fake_interface *i);
/* Lines for kern_fake_ours() and kern_fake_foreign(); NULL: nothing there. */
const char *fake_tc_ours(struct kern_fake *k, struct arena *a, const struct fake_interface *i,
			 enum tc_direction direction);
const char *fake_tc_foreign(struct kern_fake *k, struct arena *a, const struct fake_interface *i,
			    enum tc_direction direction);
void fake_share_apply(struct kern_fake *k, const struct op *op, struct op_result *ret);
int fake_observe(void *ctx, struct arena *a, const struct observe_request *want,
		 struct observed *ret, struct error *e);
void fake_apply(void *ctx, struct arena *a, const struct op *op, struct op_result *ret);
void fake_begin(void *ctx);
