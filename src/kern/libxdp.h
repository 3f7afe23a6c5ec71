/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Chains by libxdp's protocol: the bytes of a dispatcher's configuration, dispatchers and the freplace links of their
 * members, pins and lock in `xdp` beside our directory, and what is found there. Internal to kern.
 */
#pragma once

#include "bpf/libxdp_dispatcher.h"
#include "kern/context.h"

/* --- libxdp_config.c: pure -------------------------------------------------- */

struct libxdp_config {
	uint32_t version;
	bool frags, devbound;
	uint32_t tag; /* the number of our mark; 0: none, or not of a version that can have one */
	size_t slot_count;
	struct libxdp_slot {
		uint32_t actions, priority, flags; /* actions without LIBXDP_ACTIONS_MARK */
		bool required;
	} slots[LIBXDP_SLOT_COUNT];
};

/*
 * What the map of a dispatcher holds, whoever wrote it. NULL, or why the chain cannot be joined (static); then
 * version may still be known, and slot_count is 0. data NULL: there is no such map.
 */
const char *libxdp_config_read(const void *data, size_t size, struct libxdp_config *ret);

/* The bytes that go into a dispatcher of this version, which must be 2 or 3. */
size_t libxdp_config_write(const struct libxdp_config *config, struct libxdp_config_3 *ret);

/* The mark of our directories, from the tag of kern_context. */
uint32_t libxdp_tag(const struct kern_context *c);

/* --- libxdp_dispatcher.c ---------------------------------------------------- */

struct bpf_object;

/* The program xdp_dispatcher of a loaded object of ours; the object is closed by its owner. */
int libxdp_dispatcher_load(struct arena *a, const struct libxdp_config *config,
			   struct bpf_object **ret_object, int *ret_fd, struct op_result *ret);

/* "prog3"; of a lone member the dispatcher's main function. */
const char *libxdp_target(struct arena *a, size_t slot, size_t slot_count);

/* A freplace link of a loaded EXT program, which may have been attached elsewhere before (Linux 5.10). */
int libxdp_attach(int extension_fd, int dispatcher_fd, const char *target, int *ret_fd,
		  struct error *e);

/* The program that runs in the slot of a member that must not be missing and is. */
int libxdp_missing_load(struct arena *a, int *ret_fd, struct op_result *ret);

/* Loads XDP functions of an opened object as EXT programs, those with autoload. */
int libxdp_prepare_extension(struct bpf_object *object, int template_fd, struct error *e);

/* --- libxdp_chain.c: chains/ID ------------------------------------------------ */

/* 1: the directory is of a chain of this mechanism, 0: it is not. */
int libxdp_chain_is(const struct kern_context *c, struct arena *a, uint32_t id, struct error *e);
int libxdp_chain_observe(const struct kern_context *c, struct arena *a,
			 struct observed_chain *chain, struct error *e);
void libxdp_chain_build(const struct kern_context *c, struct arena *a, const struct op *op,
			uint32_t *ret_id, struct op_result *ret);
/* kept_fd: the slot's link as the daemon holds it, -1: it does not. */
void libxdp_slot_set(const struct kern_context *c, struct arena *a, const struct op *op,
		     int kept_fd, struct op_result *ret);
/*
 * -EBUSY (ChainStillUsed) while anybody still runs the dispatcher: without links it runs nothing. One that is handed
 * over goes on with the pins of the protocol, if it has any.
 */
void libxdp_chain_remove(const struct kern_context *c, struct arena *a, const struct op *op,
			 struct op_result *ret);

/* What a descriptor of a tracing link tells; false: it is none. */
struct libxdp_link {
	uint32_t id, program_id;
	uint32_t dispatcher_id; /* 0: the kernel does not say (before 5.13) */
};
bool libxdp_link_info(int fd, struct libxdp_link *ret);

/* --- libxdp_pins.c: xdp/dispatch-IFINDEX-ID ----------------------------------- */

/* Where the protocol's pins are, absolute. */
const char *libxdp_path(const struct kern_context *c, struct arena *a, const char *relative);

/*
 * The protocol's lock, held as long as *ret_fd is open; the directory is made. Reasons: LibxdpLocked
 * (transient), UntrustedPath. All operations of a plan together wait for it no longer than this: nobody
 * is answered meanwhile, and a plan may have operations for a thousand interfaces.
 */
#define LIBXDP_LOCK_WAIT_MS 2000
int libxdp_lock(const struct kern_context *c, struct arena *a, int *ret_fd, struct op_result *ret);
/* For looking only: waits not long, then goes without. *ret_fd -1: there is nothing to look at. */
int libxdp_lock_shared(const struct kern_context *c, struct arena *a, int *ret_fd, struct error *e);

/* A root is about to change: pins of the new one first, those of the old one go after. */
struct libxdp_swap {
	const struct kern_context *c;
	struct arena *a;
	const struct op_root *op;
	uint32_t id; /* of the new dispatcher; 0: what comes is none */
	int lock;    /* -1: nothing of the protocol is involved */
	bool made;   /* its directory was not there before */
};
int libxdp_swap_begin(struct libxdp_swap *s, struct op_result *ret);
void libxdp_swap_end(struct libxdp_swap *s, struct op_result *ret);

void libxdp_root_pin(const struct kern_context *c, struct arena *a, const struct op *op,
		     struct op_result *ret);
void libxdp_root_unpin(const struct kern_context *c, struct arena *a, const struct op *op,
		       struct op_result *ret);

/* Directories of one dispatcher, whatever the interface: their names. Of none when there is no xdp directory. */
int libxdp_directories(const struct kern_context *c, struct arena *a, uint32_t id,
		       struct string_list *ret, struct error *e);

/* "progSLOT-prog", "progSLOT-link" */
const char *libxdp_pin_name(struct arena *a, const char *directory, size_t slot, const char *part);
int libxdp_directory_remove(const struct kern_context *c, struct arena *a, const char *name,
			    struct error *e);
/* Makes an EXT program and its link known under a directory that is there; right pins stay. */
int libxdp_pin_slot(const struct kern_context *c, struct arena *a, const char *directory,
		    size_t slot, int link_fd, struct error *e);

/* --- libxdp_observe.c, libxdp_host.c -------------------------------------------- */

/*
 * Fills in dispatches, and pinned_at of the chains; needs interfaces, programs and chains. Nothing that is
 * found there is trusted to be what the protocol says.
 */
int libxdp_observe(const struct kern_context *c, struct arena *a, struct observed *o,
		   struct error *e);

/* The version that the installed libxdp writes, 0 if there is none; directories ends with NULL. */
extern const char *const libxdp_host_directories[];
uint32_t libxdp_host_version(const char *const *directories);
