/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * A kernel of plain memory behind the table of kern/kern.h, for tests. It does
 * what the real one does with every operation, step by step, so that a test can stop it between any two
 * steps, and it watches what a real kernel does not tell: operations out of order, pins
 * removed under a running program, an interface that for one step lacks a program that it ran before
 * and runs after. Whatever of this happens is a violation; a test asserts that there are none.
 */
#pragma once

#include "kern/kern.h"

struct kern_fake;

struct kern_fake *
kern_fake_new(void); /* bpffs mounted, our directory there, all features, no interface */
void kern_fake_free(struct kern_fake *k);

static inline void kern_fake_freep(struct kern_fake **k)
{
	kern_fake_free(*k);
}

extern const struct kern_ops kern_fake_ops; /* ctx: struct kern_fake */

/* --- scenery: what others do --------------------------------------------------------- */

void kern_fake_set_bpffs(struct kern_fake *k, bool mounted, bool directory);
void kern_fake_set_feature(struct kern_fake *k, const char *name, bool available,
			   const char *detail);
void kern_fake_add_name(struct kern_fake *k, const struct observed_name *n);
/*
 * An interface is given as "eth0" or, in another namespace, as "blue:eth0". A namespace exists from its first
 * kern_fake_set_netns() on; same_as: another name of an earlier one ("": the daemon's own), else NULL.
 */
void kern_fake_set_netns(struct kern_fake *k, const char *name, const char *same_as);
void kern_fake_remove_netns(struct kern_fake *k, const char *name); /* with its interfaces */
/* Copies the description; ifindex 0: the next one. A second one of the same name replaces the description. */
void kern_fake_set_interface(struct kern_fake *k, const struct observed_interface *i);
void kern_fake_remove_interface(struct kern_fake *k, const char *name);
/* Also into another namespace: what is attached goes with it. */
void kern_fake_rename_interface(struct kern_fake *k, const char *name, const char *to);
/* The driver refuses native mode from now on. */
void kern_fake_refuse_native(struct kern_fake *k, const char *interface);
/* Somebody else's program becomes the root, whatever was there. Returns its id. */
uint32_t kern_fake_attach_foreign(struct kern_fake *k, const char *interface, const char *program,
				  enum xdp_attached mode);
void kern_fake_detach(struct kern_fake *k, const char *interface);
/* A dispatcher or program is also in use where nobody looks (another namespace). */
void kern_fake_use_elsewhere(struct kern_fake *k, uint32_t id);
void kern_fake_empty_slot(struct kern_fake *k, uint32_t chain, uint32_t slot); /* if there is one */
void kern_fake_remove_chain_dir(struct kern_fake *k, uint32_t chain);
/*
 * Pins go; until the process ends (kern_fake_restart()) it holds what they were for. Of a program or map; NULL: of
 * all of the version. The directory of a tail-call chain. The pin of an exclusive root.
 */
void kern_fake_lose_pin(struct kern_fake *k, const char *instance, const char *name);
/* Some program of the instance runs, so the kernel holds it whoever else does not. */
bool kern_fake_runs(const struct kern_fake *k, const char *instance);
/* So that it is not found again, even if it runs (what a daemon without these descriptors and marks left). */
void kern_fake_lose_for_good(struct kern_fake *k, const char *instance, const char *name);
void kern_fake_lose_chain(struct kern_fake *k, const char *interface);
void kern_fake_lose_link_pin(struct kern_fake *k, const char *interface);
/* What xdp-loader does: it builds a dispatcher of its own around all members. */
struct fake_member {
	const char *name;
	uint32_t priority, actions;
	bool frags;
};
/* False: refused, as where the root is no dispatcher by the protocol, or one of another version. */
bool kern_fake_libxdp_load(struct kern_fake *k, const char *interface, const struct fake_member *m);
bool kern_fake_libxdp_unload(struct kern_fake *k, const char *interface, const char *name);
bool kern_fake_libxdp_unload_all(struct kern_fake *k, const char *interface);
void kern_fake_libxdp_rebuild(struct kern_fake *k, const char *interface); /* all that is there */
/* From now on the host's libxdp writes this version. */
void kern_fake_set_protocol(struct kern_fake *k, uint32_t version);
void kern_fake_set_dispatch_fault(struct kern_fake *k, const char *interface, const char *fault);
/* The link of a slot and all its pins; the directory of the interface in `xdp`. */
void kern_fake_lose_link(struct kern_fake *k, const char *interface, uint32_t slot);
void kern_fake_lose_protocol_pins(struct kern_fake *k, const char *interface);
/* The kernel does not take programs of this content as freplace programs. */
void kern_fake_refuse_extension(struct kern_fake *k, const char *sha256);
/* The n-th foreign member that runs on the interface; false: there are not so many. */
bool kern_fake_foreign_member(const struct kern_fake *k, const char *interface, size_t n,
			      struct fake_member *ret);
/* The root is a dispatcher by the protocol, and a directory of ours stands for it. */
bool kern_fake_has_own_libxdp(const struct kern_fake *k, const char *interface);

/* Somebody else's TCX link, so far from the front. Returns the id of its program. */
uint32_t kern_fake_tc_add_foreign(struct kern_fake *k, const char *interface,
				  enum tc_direction direction, const char *program, size_t index);
void kern_fake_tc_remove_foreign(struct kern_fake *k, const char *interface,
				 enum tc_direction direction, uint32_t id);
/* Likewise, in the moment before our next link is made there; NULL: and detaches it at once. */
void kern_fake_tc_race(struct kern_fake *k, const char *interface, enum tc_direction direction,
		       const char *program);
/* Somebody else's filter; of the kind flower or u32 by that name, else of the kind bpf. */
void kern_fake_tc_add_filter(struct kern_fake *k, const char *interface,
			     enum tc_direction direction, const char *name, uint32_t priority);
/* The qdisc is replaced by somebody; all filters go. */
void kern_fake_tc_set_qdisc(struct kern_fake *k, const char *interface, enum tc_qdisc qdisc);
/* Somebody detaches the link at this place of the list; its pin stays. Nothing beyond the end. */
void kern_fake_tc_detach(struct kern_fake *k, const char *interface, enum tc_direction direction,
			 size_t index);
/* Our pin of it is removed, but somebody else holds the link. */
void kern_fake_tc_unpin(struct kern_fake *k, const char *interface, enum tc_direction direction,
			size_t index);
void kern_fake_mount_foreign(struct kern_fake *k, const char *path); /* covers a mount of ours */
void kern_fake_unmount(struct kern_fake *k, const char *path);       /* what is on top there */
/* A pin in a share changes under our hands; map 0: it is no map. */
void kern_fake_set_pin(struct kern_fake *k, const char *path, const struct observed_pin *pin);

/* A program or a consumer writes an entry; oldest: into the map of the oldest version, else of the newest. */
struct fake_write {
	const char *instance, *map;
	uint32_t key, value;
	bool oldest;
};
bool kern_fake_write(struct kern_fake *k, const struct fake_write *w); /* false: no such map */
/* Likewise, right before the next operation of this kind. */
void kern_fake_write_before(struct kern_fake *k, enum op_kind kind, const struct fake_write *w);
/* The key by which the entry of a variable in the map of its section goes. */
uint32_t kern_fake_variable(const char *name);
/* Everything is as an earlier version of bpfshare left it, which stored less about maps. */
void kern_fake_set_old_metadata(struct kern_fake *k);
/* The hash by which the declaration of all versions of an instance is known. */
void kern_fake_set_declaration(struct kern_fake *k, const char *instance, const char *hash);
/* What the kernel made of max_entries and flags when it created the newest version's map. */
void kern_fake_set_map(struct kern_fake *k, const char *instance, const char *map,
		       uint32_t max_entries, uint32_t flags);
/* From now on everybody who can writes new entries at every step: programs that run, and consumers of shares. */
void kern_fake_set_traffic(struct kern_fake *k);

/* --- faults ---------------------------------------------------------------------------- */

/* The verifier refuses every object with this content. */
void kern_fake_refuse_content(struct kern_fake *k, const char *sha256);
/* The n-th operation from now (0: the next one) fails before it does anything. */
void kern_fake_fail(struct kern_fake *k, size_t n, int code, enum failure_class class);
void kern_fake_fail_no_more(struct kern_fake *k); /* there may have been no n-th operation */
/* The process dies after the n-th step from now (0: before the first). */
void kern_fake_crash(struct kern_fake *k, size_t n);
bool kern_fake_has_crashed(const struct kern_fake *k);
void kern_fake_restart(struct kern_fake *k); /* after a crash: a new process, no crash planned */
size_t kern_fake_steps(const struct kern_fake *k); /* taken so far */

/* --- what the test wants to know -------------------------------------------------------- */

/* From here on every step is watched for programs, objects and pins that are missing in between. */
void kern_fake_watch(struct kern_fake *k);
/* Ends the watch. All violations so far, one per line, "" for none. */
const char *kern_fake_violations(struct kern_fake *k);

/* As text, from a: what is ours, without ids (equal states give equal text); what is not. */
const char *kern_fake_ours(struct kern_fake *k, struct arena *a);
const char *kern_fake_foreign(struct kern_fake *k, struct arena *a);
/* Maps that a share or another object still has, though the object that they belong to is gone. */
const char *kern_fake_dangling(const struct kern_fake *k, struct arena *a);
/* Programs that an interface runs, in order: "fwd@eth0/redirect VERSION native", … */
const char *kern_fake_chain(const struct kern_fake *k, struct arena *a, const char *interface);
/* One direction as it is: "egress of eth0: foreign x dispatcher [a/p VERSION proceed 1] …" */
const char *kern_fake_tc(struct kern_fake *k, struct arena *a, const char *interface,
			 enum tc_direction direction);
/* The entries of a map, a line for each version that has it. */
const char *kern_fake_contents(const struct kern_fake *k, struct arena *a, const char *instance,
			       const char *map);
/* What the newest version of an instance has as its own map of a name. */
struct fake_own_map {
	const char *instance;
	uint32_t id, value_size, max_entries;
	size_t versions; /* of the instance */
};
/* All of them; returns how many. */
size_t kern_fake_own_maps(const struct kern_fake *k, struct arena *a, const char *map,
			  struct fake_own_map **ret);
/* Every key of the one is in the other. */
bool kern_fake_map_has_all(const struct kern_fake *k, uint32_t map, uint32_t of);
uint32_t kern_fake_root(const struct kern_fake *k, const char *interface);
/* Namespaces with a record, by name, one per line. */
const char *kern_fake_records(const struct kern_fake *k, struct arena *a);
