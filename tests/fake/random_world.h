/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * A node whose configuration and surroundings change at random, but equally for equal seeds:
 * objects with instances, constraints and maps of each other, shares, interfaces that come and go,
 * people who detach programs, remove pins, attach theirs among ours and use libxdp's tools. What it declares is written
 * as YAML and goes
 * through the real configuration layer.
 */
#pragma once

#include "fake/driver.h"

#define WORLD_OBJECTS    6
#define WORLD_SHARES     2
#define WORLD_PROGRAMS   3 /* the last one is for tc */
#define WORLD_TC         (WORLD_PROGRAMS - 1)
#define WORLD_ATTACHES   2
#define WORLD_INTERFACES 6

struct world_attach {
	unsigned int selector, priority;
	bool passes_drop; /* tc: ok */
	enum tc_direction direction;
	enum on_missing on_missing;
	int before, after; /* index of an object, -1: none */
};

struct world_object {
	bool declared, skipped, suspended;
	unsigned int content; /* WORLD_BAD: the verifier refuses it */
	unsigned int max_entries;
	enum on_change on_change; /* of its map */
	int use;                  /* index of the object whose map it uses, -1: none */
	size_t attaches[WORLD_PROGRAMS];
	struct world_attach attach[WORLD_PROGRAMS][WORLD_ATTACHES];
};

#define WORLD_OTHER 2 /* the content that defines the map in another way, except in pure worlds */
#define WORLD_BAD   3
#define WORLD_FRAGS 4 /* the content whose programs take multi-buffer packets */

struct world_share {
	bool declared, elsewhere, grouped;
	bool has[WORLD_OBJECTS], writable[WORLD_OBJECTS];
};

enum world_kind {
	/* What is declared decides the end, whatever was there before. */
	WORLD_PURE,
	/*
	 * What was there decides as well: refused content, suspension, contradicting order, lost pins,
	 * changes of `exclusive`. A crash or a failure on the way still makes no difference.
	 */
	WORLD_REGULAR,
	/* Also multi-buffer programs among others: who comes first decides. */
	WORLD_WILD,
};

struct world {
	enum world_kind kind;
	uint64_t random;
	struct arena *a;
	struct kern_fake *kernel;
	struct driver driver;
	struct world_object objects[WORLD_OBJECTS];
	struct world_share shares[WORLD_SHARES];
	bool interfaces[WORLD_INTERFACES];
	bool foreign[WORLD_INTERFACES];
	bool exclusive;
	enum mechanism mechanism; /* declared for some interfaces */
	bool libxdp;              /* the kernel can */
	enum tc_mechanism tc;
	bool ingress_qdisc[WORLD_INTERFACES];
};

void world_init(struct world *w, uint64_t seed, enum world_kind kind);
void world_done(struct world *w);

/* Changes the declarations and, unless calm, the surroundings; then declares. */
void world_change(struct world *w, bool calm);
/* Somebody takes away one thing of ours, without a part in it for anything else. What it was. */
const char *world_drift(struct world *w);
/* The declarations as they are; order 0: sorted, else shuffled by it. Valid until the next call but one. */
void world_declare(struct world *w, uint64_t order);
/* The same interfaces and foreign programs around the same declarations, with nothing of ours. */
void world_init_fresh(struct world *fresh, const struct world *w);

/* The object of an instance. */
const struct world_object *world_object_of(const struct world *w, const char *instance);

uint64_t world_random(struct world *w, uint64_t below);
