/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The state of everything that is declared, and why: the value behind
 * `bpfsharectl status`. Field for field the contract of the JSON output (format 1).
 */
#pragma once

#include <time.h>

#include "model/desired.h"

/* Everything that can be in a state has these. reason is a CamelCase token, NULL when ready. */
struct condition_status {
	enum state state;
	const char *reason;
	const char *
		message; /* a sentence with the remedy; NULL when ready and nothing is to be said */
	struct timespec since; /* of the last change of state, wall clock; filled in by recon */
};

struct status_load {
	enum mechanism mechanism; /* AUTO: loaded, attached nowhere */
	uint32_t id;
	const char *tag;
};

struct status_attachment {
	enum hook hook;
	const char *selector;        /* as declared */
	const char *interface;       /* NULL: the selector matches nothing yet */
	const char *netns;           /* NULL: the daemon's own */
	enum tc_direction direction; /* of HOOK_TC */
	uint32_t ifindex;            /* 0: absent */
	uint16_t priority;
	int position;             /* in its chain, from 0; -1: not in one */
	enum mechanism mechanism; /* AUTO: none yet */
	struct condition_status condition;
	struct origin origin;
};

struct status_program {
	const char *name;
	uint32_t type;
	struct status_load *loads;
	struct status_attachment *attachments;
	size_t load_count, attachment_count;
};

struct status_map {
	const char *name;
	uint32_t id, type, max_entries; /* id 0: not loaded */
};

struct status_object { /* one per instance */
	const char *name;
	const char *file; /* the ELF file, absolute */
	struct origin origin;
	struct condition_status condition;
	enum in_force in_force;
	const char *log; /* the end of the verifier's, of a refused program; NULL without one */
	struct status_program *programs;
	struct status_map *maps;
	size_t program_count, map_count;
};

struct status_member {
	int position;
	const char *object, *program; /* of a foreign root: NULL and the kernel's name */
	uint32_t id;
	int priority; /* -1: not known */
	uint32_t proceed_on;
	bool ours;
	uint64_t run_count, run_ns;
};

struct status_chain {
	enum hook hook;
	const char *interface;
	const char *netns;           /* NULL: the daemon's own */
	enum tc_direction direction; /* of HOOK_TC */
	uint32_t ifindex;
	enum mechanism mechanism;
	/* Why `auto` did not take the mechanism that it prefers; a token and a sentence, or NULL. */
	const char *mechanism_reason, *mechanism_message;
	enum xdp_attached mode;
	uint32_t dispatcher_id;     /* 0: none */
	uint64_t run_count, run_ns; /* of the dispatcher; 0 unless kernel statistics are on */
	bool exclusive;
	struct status_member *members;
	size_t member_count;
};

struct status_share_map {
	const char *map, *alias;
	enum access access;
	uint32_t id;
};

struct status_target {
	enum target_type type;
	const char *path;
	struct condition_status condition;
};

struct status_share {
	const char *name;
	struct origin origin;
	struct condition_status condition;
	struct status_share_map *maps;
	struct status_target *targets;
	size_t map_count, target_count;
};

/* What waits for `bpfsharectl confirm`. */
struct status_held {
	const char *key, *reason;
	struct origin origin;
};

/* What was tried and failed, will be tried again, and is no object, attachment or share. */
struct status_failure {
	const char *subject; /* "chain 17", "v0/xdp" */
	const char *reason, *message;
};

struct status_set { /* interface sets that are not `optional` count for convergence */
	const char *name;
	struct origin origin;
	bool optional;
	size_t matches;
	struct condition_status condition;
};

struct status {
	const char *generation;
	bool converged;
	bool suspended;              /* node-wide, by `bpfsharectl suspend` */
	size_t summary[STATE_COUNT]; /* objects and shares by state */
	struct desired_file *files;
	struct status_object *objects;
	struct status_chain *chains;
	struct status_share *shares;
	struct status_set *sets;
	struct status_held *held;
	struct status_failure *failures;
	size_t file_count, object_count, chain_count, share_count, set_count, held_count,
		failure_count;
	const char *held_token; /* names what is held, for `confirm`; NULL: nothing is */
};
