/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Chains by libxdp's protocol for tests, on top of the fixture of all kern tests. */
#pragma once

#include "fixture.h"

/* Skips all, and says why, where this kernel has no such chains. */
#define LIBXDP_RUN(name, tests) (libxdp_can_be_tested() ? FIXTURE_RUN(name, tests) : 0)
bool libxdp_can_be_tested(void);

/* load_member(), and its program in the form that a dispatcher takes. */
void load_extended(const char *name, uint32_t id, uint32_t verdict);
/* Members a, b and c, which trace 1, 2 and 3 and pass. */
extern const char *const abc[3];
void load_abc(void);
uint32_t extension_id(const char *instance);
struct op extension_op(struct object_decl *decl, const char *version, const char *const *programs);

/* chain_op() for this mechanism: version 2, run priorities 10, 11, …; NULL: a missing member. */
struct op libxdp_op(const char *signature, const char *const *instances, size_t n);
/* Builds it; yields the dispatcher's id without an observation, after which the daemon holds links. */
uint32_t libxdp_build(const struct op *op);

/* In a new observation; NULL: there is none. */
const struct observed_chain *find_chain(uint32_t id);
struct op chain_removal(uint32_t id);

/* Takes the last pin of a slot's link away, and waits until its program has left the dispatcher. */
void cut_slot(uint32_t chain, uint32_t slot, size_t slot_count);

/* A path below xdp of the bpffs. */
const char *protocol_path(const char *fmt, ...) printf_like(1, 2);

/* OP_ROOT_SET of a chain of this mechanism. */
struct op libxdp_root(const char *interface, uint32_t ifindex, uint32_t chain, uint32_t expected);

/* What is pinned there, by kind: the program's id, or the id of a link's program; 0: nothing. */
uint32_t pinned_program(const char *path);
uint32_t pinned_link(const char *path);
uint32_t pinned_link_id(const char *path);

/* Fails the test unless the directory has exactly the pins of these members. */
void assert_protocol_pins(uint32_t ifindex, uint32_t chain, const char *const *instances, size_t n);

/* The configuration of a running dispatcher; yields how many bytes. */
size_t read_config(uint32_t chain, unsigned char *bytes, size_t size);
